"""Writes arrays.json: values and gradients by JAX of functions of a vector, for golden_arrays.rs.

Run with JAX 0.10.2: python arrays.py > arrays.json
The gradient is that of sum(sin(y)), y the result; the second derivative is that of the gradient along cos(1), cos(2), ...
Each in double and, where the function has no constants in double, in single precision.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")


def conv(strides, padding, lhs=(1, 1), rhs=(1, 1), groups=1):
    def f(x):
        image = x[:60].reshape(1, 4, 3, 5)
        kernel = x[60 : 60 + 24 * 4 // groups].reshape(6, 4 // groups, 2, 2)
        return lax.conv_general_dilated(
            image, kernel, strides, padding, lhs_dilation=lhs, rhs_dilation=rhs, feature_group_count=groups
        )

    return f


def window(op, start, mean=1.0):
    return lambda x: lax.reduce_window(x.reshape(5, 8), start, op, (2, 3), (1, 2), ((1, 0), (0, 2))) / mean


IDS = jnp.array([3, 0, 2, 3, 7, -1, 0, 3, 1, 1, 2, 0])
IN = jnp.where(IDS < 0, 7, IDS)

CASES = {
    "sort": (24, lambda x: jnp.sort(x.reshape(4, 6), 1)),
    "sort columns": (24, lambda x: jnp.sort(x.reshape(4, 6), 0)),
    "sort by key": (12, lambda x: x[jnp.argsort(jnp.sin(9 * x))]),
    "top_k": (24, lambda x: lax.top_k(x.reshape(4, 6), 3)[0]),
    "median": (24, lambda x: jnp.median(x.reshape(4, 6), 1)),
    "quantile": (24, lambda x: jnp.quantile(x.reshape(4, 6), 0.3, axis=0)),
    "percentile": (24, lambda x: jnp.percentile(x, 77.0)),
    "cumsum": (24, lambda x: jnp.cumsum(x.reshape(4, 6), 1)),
    "cumsum reverse": (24, lambda x: lax.cumsum(x.reshape(4, 6), 0, reverse=True)),
    "cumprod": (24, lambda x: jnp.cumprod(x.reshape(4, 6), 1)),
    "cumprod reverse": (24, lambda x: lax.cumprod(x.reshape(4, 6), 0, reverse=True)),
    "cummax": (24, lambda x: lax.cummax(x.reshape(4, 6), 1)),
    "cummin": (24, lambda x: lax.cummin(x.reshape(4, 6), 0)),
    "cumlogsumexp": (24, lambda x: lax.cumlogsumexp(x.reshape(4, 6), 1)),
    "cumlogsumexp reverse": (24, lambda x: lax.cumlogsumexp(x.reshape(4, 6), 0, reverse=True)),
    "prod": (24, lambda x: jnp.prod(x.reshape(4, 6), 1)),
    "var": (24, lambda x: jnp.var(x.reshape(4, 6), 1, ddof=1)),
    "std": (24, lambda x: jnp.std(x.reshape(4, 6), 0)),
    "average": (24, lambda x: jnp.average(x.reshape(4, 6), 1, weights=jnp.arange(1.0, 7.0))),
    "ptp": (24, lambda x: jnp.ptp(x.reshape(4, 6), 1)),
    "norm 1": (24, lambda x: jnp.linalg.norm(x.reshape(4, 6), 1, axis=1)),
    "norm 3": (24, lambda x: jnp.sum(jnp.abs(x.reshape(4, 6)) ** 3, 1) ** (1 / 3)),
    "norm inf": (24, lambda x: jnp.linalg.norm(x.reshape(4, 6), jnp.inf, axis=1)),
    "max pool": (40, window(lax.max, -jnp.inf)),
    "min pool": (40, window(lax.min, jnp.inf)),
    "avg pool": (40, window(lax.add, 0.0, 6.0)),
    "take": (12, lambda x: jnp.take(x.reshape(3, 4), jnp.array([[1, 3], [0, -1]]), axis=1)),
    "take_along_axis": (12, lambda x: jnp.take_along_axis(x.reshape(3, 4), jnp.array([[3, 0], [1, 1], [2, -4]]), 1)),
    "at two": (12, lambda x: x.reshape(3, 4)[jnp.array([0, 2, 1]), jnp.array([3, 3, 0])]),
    "scatter_set": (18, lambda x: x[:12].at[jnp.array([5, 2, 5, 0, 11, 99])].set(x[12:], mode="drop")),
    "scatter_max": (18, lambda x: x[:12].at[jnp.array([5, 2, 1, 0, 11, 99])].max(x[12:], mode="drop")),
    "scatter_min": (18, lambda x: x[:12].at[jnp.array([5, 2, 1, 0, 11, 99])].min(x[12:], mode="drop")),
    "segment_sum": (12, lambda x: jax.ops.segment_sum(x, IN, 4)),
    "segment_max": (12, lambda x: jax.ops.segment_max(x, IN, 4)),
    "roll": (12, lambda x: jnp.roll(x.reshape(3, 4), -3, 1)),
    "tile": (6, lambda x: jnp.tile(x.reshape(2, 3), (2, 1, 2))),
    "repeat": (6, lambda x: jnp.repeat(x.reshape(2, 3), 3, 1)),
    "pad reflect": (12, lambda x: jnp.pad(x.reshape(3, 4), ((2, 1), (3, 2)), mode="reflect")),
    "pad wrap": (12, lambda x: jnp.pad(x.reshape(3, 4), ((2, 4), (3, 2)), mode="wrap")),
    "pad symmetric": (12, lambda x: jnp.pad(x.reshape(3, 4), ((2, 1), (3, 6)), mode="symmetric")),
    "pad edge": (12, lambda x: jnp.pad(x.reshape(3, 4), ((2, 1), (3, 2)), mode="edge")),
    "pad dilated": (12, lambda x: lax.pad(x.reshape(3, 4), 0.5, ((-1, 2, 1), (1, -2, 2)))),
    "diagonal": (24, lambda x: jnp.diagonal(x.reshape(2, 3, 4), 1, 1, 2)),
    "diag": (4, lambda x: jnp.diag(x, -2)),
    "trace": (12, lambda x: jnp.trace(x.reshape(3, 4))),
    "tril": (12, lambda x: jnp.tril(x.reshape(3, 4), 1)),
    "triu": (12, lambda x: jnp.triu(x.reshape(3, 4), -1)),
    "tensordot": (48, lambda x: jnp.tensordot(x[:24].reshape(2, 3, 4), x[24:].reshape(4, 3, 2), ((1, 2), (1, 0)))),
    "dot_general": (
        48,
        lambda x: lax.dot_general(x[:24].reshape(2, 3, 4), x[24:].reshape(4, 3, 2), (((2,), (0,)), ((1,), (1,)))),
    ),
    "kron": (10, lambda x: jnp.kron(x[:4].reshape(2, 2), x[4:].reshape(2, 3))),
    "einsum pair": (36, lambda x: jnp.einsum("bij,kj->bki", x[:24].reshape(2, 3, 4), x[24:].reshape(3, 4))),
    "einsum chain": (
        26,
        lambda x: jnp.einsum("ij,jk,kl->il", x[:6].reshape(2, 3), x[6:18].reshape(3, 4), x[18:].reshape(4, 2)),
    ),
    "einsum five": (
        24,
        lambda x: jnp.einsum("ab,bc,cd,de->ae", *(x[6 * i : 6 * i + 6].reshape(s) for i, s in enumerate([(2, 3), (3, 2), (2, 3), (3, 2)]))),
    ),
    "einsum diagonal": (27, lambda x: jnp.einsum("iij->ij", x.reshape(3, 3, 3))),
    "einsum ellipsis": (30, lambda x: jnp.einsum("...i,ij->...j", x[:18].reshape(2, 3, 3), x[18:].reshape(3, 4))),
    "convolution": (156, conv((1, 1), "VALID")),
    "convolution same": (156, conv((2, 1), "SAME")),
    "convolution dilated": (156, conv((1, 2), ((1, 2), (0, 1)), (2, 1), (1, 3))),
    "convolution groups": (108, conv((1, 1), ((1, 1), (1, 1)), groups=2)),
}


def derivatives(f, x):
    try:
        y = f(x)
    except TypeError:
        return None
    if y.dtype != x.dtype:
        return None
    gradient = jax.grad(lambda x: jnp.sum(jnp.sin(f(x))))
    along = jnp.asarray(np.cos(np.arange(1.0, x.size + 1.0)).astype(x.dtype))
    slopes, second = jax.jit(lambda x: jax.jvp(gradient, (x,), (along,)))(x)
    # The shortest text that is read back as the same number.
    numbers = lambda a: [float(str(v)) for v in np.asarray(a).ravel()]
    return {
        "x": numbers(x),
        "shape": list(y.shape),
        "y": numbers(y),
        "gradient": numbers(slopes),
        "second": numbers(second),
    }


def main():
    rng = np.random.default_rng(0)
    all = {}
    for name, (n, f) in CASES.items():
        x = rng.normal(size=n)
        both = {"f64": derivatives(f, jnp.asarray(x)), "f32": derivatives(f, jnp.asarray(x.astype(np.float32)))}
        all[name] = {dtype: case for dtype, case in both.items() if case}
    lines = (f"{json.dumps(name)}: {json.dumps(case)}" for name, case in all.items())
    print("{\n" + ",\n".join(lines) + "\n}")


main()
