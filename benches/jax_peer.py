#!/usr/bin/env python3
"""The cases of `micro` in JAX: prints the same lines, with the peer "jax".

    jax_peer.py [--bench ew,scan] [--budget 0.25] [--threads 1]          (jax 0.10, numpy, optax; on the CPU, each thread on a core)

Together with ours, as one table:

    (taskset -c 0 target/release/micro; python3 benches/jax_peer.py) > lines.jsonl; python3 benches/table.py lines.jsonl

`torch_peer.py` adds a column when its lines are put there too.
"""

import os

import peer

if peer.THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import optax

from peer import FLOATS


def normal(dtype, shape, seed=0):
    return jnp.asarray(peer.numbers(dtype, shape, seed))


class Family:
    """The cases of a family: (name, size, dtype, function, arguments, whether the call goes on from its result, what is compared)."""

    def __init__(self, name):
        self.name, self.cases = name, []

    def add(self, name, size, dtype, function, *arguments, shown=lambda result: result):
        name = f"{self.name}/{name}" if name else self.name
        self.cases.append((name, size, dtype, jax.jit(function), arguments, False, shown))

    def step(self, name, size, dtype, function, *state, shown=lambda result: result):
        """A call on what the call before it returned, which it may write over."""
        donated = jax.jit(function, donate_argnums=tuple(range(len(state))))
        self.cases.append((f"{self.name}/{name}", size, dtype, donated, state, True, shown))


ROWS = {"softmax", "layernorm", "logsumexp"}
ELEMENTWISE = {
    "axpb": lambda x: 2.5 * x + 1.5,
    "expsin": lambda x: jnp.exp(-x * x) * jnp.sin(x) + jnp.log1p(x * x),
    "tanh": jnp.tanh,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "softmax": jax.nn.softmax,
    "layernorm": lambda x: (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5),
    "logsumexp": lambda x: jax.nn.logsumexp(x, axis=-1),
}


def argument(name, dtype, n):
    return normal(dtype, (n // 256, 256) if name in ROWS else (n,))


def ew(to):
    for dtype in FLOATS:
        for n in (2**10, 2**15, 2**20, 2**24):
            for name, f in ELEMENTWISE.items():
                to.add(name, n, dtype, f, argument(name, dtype, n))
            to.step("axpb_inplace", n, dtype, lambda x: (0.5 * x + 1.5,), normal(dtype, (n,)))


def ewgrad(to):
    for dtype in FLOATS:
        for name, f in ELEMENTWISE.items():
            objective = lambda x, f=f: jnp.sum(f(x) ** 2)
            to.add(name, 2**20, dtype, jax.grad(objective), argument(name, dtype, 2**20))


def chain(to):
    for dtype in FLOATS:
        for n in (2**10, 2**20):
            for name, f in peer.chains(jnp.ones_like):
                to.add(name, n, dtype, f, normal(dtype, (n,)))


def reduce(to):
    for dtype in FLOATS:
        for n in (2**20, 2**24):
            x, m = normal(dtype, (n,)), normal(dtype, (int(n**0.5),) * 2)
            for name, f in (("sum", jnp.sum), ("max", jnp.max), ("dot", lambda x: x @ x)):
                to.add(name, n, dtype, f, x)
            for name, f in (("sum_rows", lambda m: m.sum(1)), ("sum_cols", lambda m: m.sum(0)), ("transpose", lambda m: m.T + 0)):
                to.add(name, n, dtype, f, m)
    for name, f in (("normal", jax.random.normal), ("uniform", jax.random.uniform)):
        numbers = lambda k, f=f: f(k, (2**20,), jnp.float32)
        to.add(name, 2**20, "f32", numbers, jax.random.key(0))


def layers(*widths):
    return jax.tree.map(jnp.asarray, peer.layers(*widths))


def mlp_loss(parameters, x, y):
    *hidden, (w, b) = parameters
    for v, c in hidden:
        x = jax.nn.relu(x @ v + c)
    return -(y * jax.nn.log_softmax(x @ w + b)).sum(-1).mean()


def digits(batch):
    return tuple(map(jnp.asarray, peer.digits(batch)))


def mlp(to):
    for batch in (32, 128, 1024):
        x, y = digits(batch)
        for name, optimizer in (("sgd", optax.sgd(1e-3)), ("adam", optax.adam(1e-3))):

            def step(p, s, loss, optimizer=optimizer, x=x, y=y):
                loss, slopes = jax.value_and_grad(mlp_loss)(p, x, y)
                updates, s = optimizer.update(slopes, s, p)
                return optax.apply_updates(p, updates), s, loss

            p = layers(784, 256, 256, 10)
            to.step(name, batch, "f32", step, p, optimizer.init(p), jnp.float32(0), shown=lambda s: [s[2], s[0]])
        p = layers(784, 256, 256, 10)
        to.add("loss", batch, "f32", mlp_loss, p, x, y)
        to.add("grad", batch, "f32", jax.grad(mlp_loss), p, x, y)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def residuals(x):
    return jnp.concatenate([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])


def hessian(to):
    for n in (10, 100, 1000):
        x = jnp.asarray(peer.uniform(n))
        to.add("rosen_grad", n, "f64", jax.grad(rosenbrock), x)
        to.add("rosen_fwdrev", n, "f64", jax.hessian(rosenbrock), x)
        to.add("rosen_revrev", n, "f64", jax.jacrev(jax.jacrev(rosenbrock)), x)
        to.add("res_jacfwd", n, "f64", jax.jacfwd(residuals), x)
        to.add("res_jacrev", n, "f64", jax.jacrev(residuals), x)


def hvp(to):
    product = lambda f: lambda x, v: jax.jvp(jax.grad(f), (x,), (v,))[1]
    for n in (10, 1000, 100_000):
        x, v = jnp.asarray(peer.uniform(n)), jnp.asarray(peer.uniform(n, 1))
        to.add("rosen", n, "f64", product(rosenbrock), x, v)
    (x, y), p = digits(128), layers(784, 256, 256, 10)
    to.add("mlp", 128, "f32", lambda p, v, x, y: product(lambda p: mlp_loss(p, x, y))(p, v), p, p, x, y)


def vmapgrad(to):
    def loss(p, x, y):
        (w, b), (v, c) = p
        return ((jnp.tanh(x @ w + b) @ v + c - y) ** 2).sum()

    for batch in (1000, 100_000):
        x, y = normal("f32", (batch, 8)), normal("f32", (batch, 1), 1)
        to.add("mlp8-16-1", batch, "f32", jax.vmap(jax.grad(loss), (None, 0, 0)), layers(8, 16, 1), x, y)
    wave = lambda x: jnp.sin(x) * jnp.exp(-x * x)
    x = normal("f64", (100_000,))
    to.add("scalar", 100_000, "f64", jax.vmap(jax.grad(wave)), x)
    to.add("scalar_2nd", 100_000, "f64", jax.vmap(jax.grad(jax.grad(wave))), x)


def oscillator(mu):
    def slope(y):
        return jnp.stack([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])

    def step(_, y, h=0.01):
        k1 = slope(y)
        k2 = slope(y + h / 2 * k1)
        k3 = slope(y + h / 2 * k2)
        k4 = slope(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return jax.lax.fori_loop(0, 1000, step, jnp.array([1.0, 0.5])).sum()


def scan(to):
    for h in (4, 32):
        w, u, x = 0.1 * normal("f64", (h, h)), 0.1 * normal("f64", (h, h), 1), normal("f64", (1000, h), 2)

        def recurrent(w, u, x, h=h):
            step = lambda s, x: (jnp.tanh(w @ s + u @ x), None)
            return (jax.lax.scan(step, jnp.zeros(h), x)[0] ** 2).sum()

        to.add("rnn_fwd", f"h{h}x1000", "f64", recurrent, w, u, x)
        to.add("rnn_grad", f"h{h}x1000", "f64", jax.grad(recurrent, (0, 1)), w, u, x)
    cubic = lambda mu: jax.lax.fori_loop(0, 1000, lambda _, x: x + 0.01 * (mu * x - x * x * x), 0.3)

    def root(a):
        on = lambda s: (jnp.abs(s[0] ** 2 - a) > 1e-12) & (s[1] < 1000)
        return jax.lax.while_loop(on, lambda s: (s[0] - 0.01 * (s[0] ** 2 - a), s[1] + 1), (1.0, 0))[0]

    to.add("rk4_fwd", "2x1000", "f64", oscillator, 1.5)
    to.add("rk4_grad", "2x1000", "f64", jax.grad(oscillator), 1.5)
    to.add("rk4_jvp", "2x1000", "f64", lambda mu: jax.jvp(oscillator, (mu,), (1.0,)), 1.5)
    to.add("rk4_vmap1000_grad", "1000x2x1000", "f64", jax.vmap(jax.grad(oscillator)), jnp.linspace(0.5, 2, 1000))
    to.add("scalar_fwd", "1x1000", "f64", cubic, 1.5)
    to.add("scalar_grad", "1x1000", "f64", jax.grad(cubic), 1.5)
    to.add("while_fwd", "1x<=1000", "f64", root, 2.0)


def logreg(to):
    def loss(w, x, y):
        z = x @ w
        return (jnp.logaddexp(z, 0) - y * z).sum()

    def newton(w, x, y):
        step = lambda _, w: w - jnp.linalg.solve(jax.hessian(loss)(w, x, y), jax.grad(loss)(w, x, y))
        return jax.lax.fori_loop(0, 5, step, w)

    for dtype in FLOATS:
        w, x = 0.1 * normal(dtype, (50,), 1), normal(dtype, (100_000, 50))
        y = jnp.asarray(peer.integers(2, 100_000, 2).astype(FLOATS[dtype]))
        for name, f in (("loss", loss), ("grad", jax.grad(loss)), ("hessian", jax.hessian(loss))):
            to.add(name, "100kx50", dtype, f, w, x, y)
    to.add("newton5", "100kx50", "f64", newton, w, x, y)


def matmul(to):
    for dtype in FLOATS:
        for n in (64, 256, 512, 1024):
            to.add("", n, dtype, jnp.matmul, normal(dtype, (n, n)), normal(dtype, (n, n), 1))


def conv(to):
    def convolved(x, w, axes=("NCHW", "OIHW", "NCHW")):
        return jax.lax.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=axes)

    last = lambda x, w: convolved(x, w, ("NHWC", "HWIO", "NHWC"))
    squares = lambda f: lambda x, w: (f(x, w) ** 2).sum()
    x, w = normal("f32", (32, 3, 32, 32)), normal("f32", (16, 3, 3, 3), 1)
    xl, wl = normal("f32", (32, 32, 32, 3)), normal("f32", (3, 3, 3, 16), 1)
    small, large = "32x3x32x32*16x3x3", "32x16x32x32*32x3x3"
    to.add("fwd", small, "f32", convolved, x, w)
    to.add("fwd_nhwc", small, "f32", last, xl, wl)
    to.add("grad_w", small, "f32", jax.grad(squares(convolved), 1), x, w)
    to.add("grad_xw", small, "f32", jax.grad(squares(convolved), (0, 1)), x, w)
    to.add("grad_xw_nhwc", small, "f32", jax.grad(squares(last), (0, 1)), xl, wl)
    x, w = normal("f32", (32, 16, 32, 32)), normal("f32", (32, 16, 3, 3), 1)
    to.add("fwd", large, "f32", convolved, x, w)
    to.add("grad_xw", large, "f32", jax.grad(squares(convolved), (0, 1)), x, w)


def linalg(to):
    m = normal("f64", (200, 200))
    a, b = m @ m.T / 200 + jnp.eye(200), normal("f64", (200,), 1)
    solved = lambda a, b: (jnp.linalg.solve(a, b) ** 2).sum()
    to.add("cholesky", 200, "f64", jnp.linalg.cholesky, a)
    to.add("cholesky_grad", 200, "f64", jax.grad(lambda a: jnp.linalg.cholesky(a).sum()), a)
    to.add("solve", 200, "f64", jnp.linalg.solve, a, b)
    to.add("solve_grad", 200, "f64", jax.grad(solved, (0, 1)), a, b)


def index(to):
    n = 2**20
    x, many, few = normal("f32", (n,)), jnp.asarray(peer.integers(n, n, 1)), jnp.asarray(peer.integers(1024, n, 2))
    added = lambda size: lambda x, i: jnp.zeros(size, x.dtype).at[i].add(x)
    for dtype in FLOATS:
        to.add("sort", n, dtype, jnp.sort, normal(dtype, (n,)))
        to.add("cumsum", n, dtype, jnp.cumsum, normal(dtype, (n,)))
    to.add("argsort", n, "f32", jnp.argsort, x)
    to.add("cumsum_grad", n, "f32", jax.grad(lambda x: (jnp.cumsum(x) ** 2).sum()), x)
    to.add("gather", n, "f32", lambda x, i: x[i], x, many)
    to.add("gather_grad", n, "f32", jax.grad(lambda x, i: (x[i] ** 2).sum()), x, many)
    to.add("scatter_add", n, "f32", added(n), x, many)
    to.add("histogram1k", n, "f32", added(1024), x, few)


def dispatch(to):
    quadratic = lambda x: x**2 + 3 * x + 5
    eight = jnp.ones(8, jnp.float32)
    to.add("arr8", 8, "f32", lambda x: 2 * x + 1, eight)
    to.add("scalar_grad", 1, "f64", jax.grad(quadratic), jnp.float64(2))
    for k in (10, 100):
        to.add("tree", k, "f32", lambda xs: [2 * x for x in xs], [eight] * k)


def faults(to):
    n = 2**24
    for dtype in FLOATS:
        x = normal(dtype, (n,))
        to.add("fresh", n, dtype, lambda x: 2.5 * x + 1.5, x)
        to.add("fresh_three", n, dtype, lambda x: (x + 1, x * 2, x - 3), x)
        to.step("in_place", n, dtype, lambda x: (0.5 * x + 1.5,), normal(dtype, (n,)))


FAMILIES = [ew, ewgrad, chain, reduce, mlp, hessian, hvp, vmapgrad, scan, logreg, matmul, conv, linalg, index, dispatch, faults]


def main():
    options = peer.options(__doc__, [f.__name__ for f in FAMILIES])
    for family in FAMILIES:
        if family.__name__ not in options.bench.split(","):
            continue
        to = Family(family.__name__)
        family(to)
        for name, size, dtype, function, arguments, goes_on, shown in to.cases:
            if options.match not in f"{name} {size} {dtype}":
                continue
            # Others may hold the arguments, which a step writes over.
            state = [jax.tree.map(jnp.copy, arguments) if goes_on else arguments]

            def call():
                result = jax.block_until_ready(function(*state[0]))
                if goes_on:
                    state[0] = result
                return result

            peer.measure("jax", family.__name__, name, size, dtype, call, shown, options)


main()
