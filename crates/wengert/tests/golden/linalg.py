"""Values and gradients of linear algebra in JAX: writes linalg.json beside it.

    python linalg.py        (jax 0.10.2, numpy; x64, CPU)

Vectors of eigh, svd and qr have either sign, so that their squares are compared.
"""

import json
import pathlib

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import jax.scipy.linalg as jsl

rng = np.random.default_rng(20261126)
cases = []


def flat(x):
    x = np.asarray(x)
    return {"shape": list(x.shape), "data": [float(v) for v in x.ravel()]}


def case(name, f, *args):
    """Results of f, the gradients of the sum of its results with weights sin(1), sin(2), ..., and of small ones the derivatives
    of these gradients along cos(1), cos(2), ... in every argument."""
    args = [jnp.asarray(a) for a in args]
    results = f(*args)
    results = results if isinstance(results, tuple) else (results,)

    def objective(*args):
        y = f(*args)
        y = y if isinstance(y, tuple) else (y,)
        y = jnp.concatenate([jnp.ravel(y) for y in y])
        return jnp.sum(y * jnp.sin(jnp.arange(1.0, y.size + 1.0)))

    gradient = jax.grad(objective, argnums=tuple(range(len(args))))
    gradients = gradient(*args)
    along = [jnp.cos(jnp.arange(1.0, a.size + 1.0)).reshape(a.shape) for a in args]
    small = max(a.shape[-1] for a in args) <= 5
    # At equal singular values second derivatives do not exist; JAX has none of some functions.
    second = jax.jvp(gradient, tuple(args), tuple(along))[1] if small else ()
    cases.append(
        {
            "name": name,
            "args": [flat(a) for a in args],
            "results": [flat(y) for y in results],
            "gradients": [flat(g) for g in gradients],
            "second": [flat(g) for g in second],
        }
    )


def eigh(a):
    w, v = jnp.linalg.eigh(a)
    return w, v**2


def svd(a):
    u, s, vt = jnp.linalg.svd(a, full_matrices=False)
    return u**2, s, vt**2


def qr(a):
    q, r = jnp.linalg.qr(a)
    return q**2, r**2


def slogdet(a):
    sign, log = jnp.linalg.slogdet(a)
    return log


for n in [1, 2, 3, 5, 8, 9, 13]:
    a = rng.normal(size=(n, n))
    spd = a @ a.T + np.eye(n)
    b = rng.normal(size=(n, 2))
    case("cholesky", jnp.linalg.cholesky, spd)
    case("solve", jnp.linalg.solve, a, b)
    case("solve_vector", jnp.linalg.solve, a, b[:, 0])
    case("inv", jnp.linalg.inv, a)
    case("det", jnp.linalg.det, a)
    case("slogdet", slogdet, a)
    case("eigh", eigh, spd)
    case("eigvalsh", jnp.linalg.eigvalsh, spd)
    case("svd", svd, a)
    case("svdvals", lambda a: jnp.linalg.svd(a, compute_uv=False), a)
    case("qr", qr, a)
    case("expm", jsl.expm, a)
    case("matrix_power", lambda a: jnp.linalg.matrix_power(a, 5), a)
    case("norm_fro", lambda a: jnp.linalg.norm(a, "fro"), a)
    case("norm_nuc", lambda a: jnp.linalg.norm(a, "nuc"), a)
    case("norm_2", lambda a: jnp.linalg.norm(a, 2), a)
    case("norm_1", lambda a: jnp.linalg.norm(a, 1), a)
    case("norm_inf", lambda a: jnp.linalg.norm(a, jnp.inf), a)
    case("cond", jnp.linalg.cond, a)
    lower = np.tril(a) + 2 * np.eye(n)
    case("solve_lower", lambda l, b: jsl.solve_triangular(l, b, lower=True), lower, b)
    case("solve_lower_transposed", lambda l, b: jsl.solve_triangular(l, b, lower=True, trans=1), lower, b)
    case("solve_unit_upper", lambda l, b: jsl.solve_triangular(l, b, unit_diagonal=True), lower.T / n, b)

case("expm", jsl.expm, 30 * rng.normal(size=(4, 4)) - 40 * np.eye(4))
for shape in [(5, 3), (12, 4), (4, 1)]:
    a = rng.normal(size=shape)
    case("pinv", jnp.linalg.pinv, a)
    case("pinv", jnp.linalg.pinv, a.T)
    case("svd", svd, a)
    case("svd", svd, a.T)
    case("qr", qr, a)
    case("lstsq", lambda a, b: jnp.linalg.lstsq(a, b)[0], a, rng.normal(size=(shape[0], 2)))
low = rng.normal(size=(5, 2)) @ rng.normal(size=(2, 4))
case("pinv", jnp.linalg.pinv, low)
batch = rng.normal(size=(3, 2, 4, 4))
case("det", jnp.linalg.det, batch)
case("inv", jnp.linalg.inv, batch)
case("cholesky", jnp.linalg.cholesky, batch @ np.swapaxes(batch, -1, -2) + np.eye(4))

here = pathlib.Path(__file__).parent
(here / "linalg.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
print(len(cases), "cases of jax", jax.__version__)
