"""Values and gradients of complex numbers and Fourier transforms in JAX: writes complex.json beside it.

    python complex.py        (jax 0.10.2, numpy; x64, CPU)

A complex number is a pair in the file. The objective is the sum of the results, real parts with weights sin(1), sin(2), ..,
imaginary parts with weights cos(1), cos(2), ... Gradients are JAX's: df/dx - i df/dy.
"""

import json
import pathlib

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp

rng = np.random.default_rng(20261126)
cases = []


def flat(x):
    x = np.asarray(x)
    data = [[float(v.real), float(v.imag)] for v in x.ravel()]
    return {"shape": list(x.shape), "complex": bool(np.iscomplexobj(x)), "data": data}


def case(name, f, *args):
    args = [jnp.asarray(a) for a in args]
    y = f(*args)

    def objective(*args):
        y = jnp.ravel(f(*args))
        k = jnp.arange(1.0, y.size + 1.0)
        return jnp.sum(jnp.real(y) * jnp.sin(k) + jnp.imag(y) * jnp.cos(k))

    gradients = jax.grad(objective, argnums=tuple(range(len(args))))(*args)
    cases.append({
        "name": name,
        "args": [flat(a) for a in args],
        "result": flat(y),
        "gradients": [flat(g) for g in gradients],
    })


def numbers(*shape):
    return rng.uniform(-1.5, 1.5, shape) + 1j * rng.uniform(-1.5, 1.5, shape)


z = numbers(12)
for f in [
    "abs", "angle", "real", "imag", "conj", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tan", "sinh", "cosh",
    "tanh", "asinh", "acosh", "atanh", "asin", "acos", "atan", "square", "reciprocal", "sign", "exp2", "log2", "log10",
]:
    case(f, getattr(jnp, f), z)
case("logistic", jax.nn.sigmoid, z)
case("mul", lambda a, b: a * b, z, numbers(12))
case("div", lambda a, b: a / b, z, numbers(12))
case("pow", lambda a, b: a**b, z, numbers(12))
case("powi3", lambda a: a**3, z)
case("sum", jnp.sum, numbers(3, 4))
case("prod", jnp.prod, numbers(7))
case("mean", jnp.mean, numbers(3, 4))
case("cumsum", jnp.cumsum, numbers(6))
case("cumprod", jnp.cumprod, numbers(5))
case("matmul", jnp.matmul, numbers(3, 4), numbers(4, 2))
case("solve", jnp.linalg.solve, numbers(4, 4) + 3 * np.eye(4), numbers(4, 2))
case("inv", jnp.linalg.inv, numbers(3, 3) + 3 * np.eye(3))
case("take", lambda x: jnp.take(x, jnp.asarray([2, 0, 2]), axis=0), numbers(4))
case("norm", lambda x: jnp.sqrt(jnp.sum(jnp.abs(x) ** 2)), numbers(5))

for n in [1, 2, 5, 8, 12]:
    case("fft", jnp.fft.fft, numbers(n))
    case("ifft", jnp.fft.ifft, numbers(n))
    case("rfft", jnp.fft.rfft, rng.uniform(-1, 1, n))
    if n > 1:
        case("irfft", jnp.fft.irfft, numbers(n))
case("fft_real", jnp.fft.fft, rng.uniform(-1, 1, (2, 6)))
case("fft_ortho", lambda x: jnp.fft.fft(x, norm="ortho"), numbers(6))
case("ifft_forward", lambda x: jnp.fft.ifft(x, norm="forward"), numbers(6))
case("fft_long", lambda x: jnp.fft.fft(x, n=9), numbers(6))
case("fft_short_axis0", lambda x: jnp.fft.fft(x, n=3, axis=0), numbers(5, 2))
case("irfft_odd", lambda x: jnp.fft.irfft(x, n=7), numbers(4))
case("fft2", jnp.fft.fft2, numbers(3, 4))
case("ifft2", jnp.fft.ifft2, numbers(3, 4))
case("fftn", jnp.fft.fftn, numbers(2, 3, 4))
case("rfft2", jnp.fft.rfft2, rng.uniform(-1, 1, (3, 4)))
case("rfftn", jnp.fft.rfftn, rng.uniform(-1, 1, (2, 3, 5)))
case("irfftn", jnp.fft.irfftn, numbers(2, 3, 4))
case("fftshift", jnp.fft.fftshift, numbers(3, 4))

path = pathlib.Path(__file__).with_name("complex.json")
path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
