"""Writes halves.json: values and gradients by JAX of functions of f16 and bf16 vectors, for halves.rs.

Run with JAX 0.10.2: python halves.py > halves.json
Values are the bits of the halves. The gradient is that of the sum of the results at the same vector in f32, of which
that in halves has fewer digits. JAX's softmax rounds between its steps: it is asked of f32.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_platforms", "cpu")

CASES = {
    "neg": lambda x: -x,
    "abs": jnp.abs,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tanh": jnp.tanh,
    "exp": jnp.exp,
    "log": lambda x: jnp.log(jnp.abs(x)),
    "log1p": lambda x: jnp.log1p(jnp.abs(x)),
    "sqrt": lambda x: jnp.sqrt(jnp.abs(x)),
    "logistic": jax.nn.sigmoid,
    "erf": lax.erf,
    "square": jnp.square,
    "add": lambda x: x + 0.1,
    "mul": lambda x: x * x[::-1],
    "div": lambda x: x / (2.0 + x[::-1] * x[::-1]),
    "maximum": lambda x: jnp.maximum(x, x[::-1]),
    "where": lambda x: jnp.where(x > 0.5, x, 2 * x),
    "sum": lambda x: x.sum(),
    "mean": lambda x: x.mean(),
    "max": lambda x: x.max(),
    "softmax": lambda x: jax.nn.softmax(x.astype(jnp.float32)).astype(x.dtype),
    "logsumexp": jax.nn.logsumexp,
    "dot": lambda x: x.reshape(8, 8) @ x.reshape(8, 8).T,
    "sort": jnp.sort,
    "gather": lambda x: x[jnp.array([3, 3, 0, 60])],
    "reverse": lambda x: x[::2][::-1],
    "to f32": lambda x: x.astype(jnp.float32),
    "to i32": lambda x: (100 * x).astype(jnp.int32),
    "concatenate": lambda x: jnp.concatenate([x[:5], x]),
}


def bits(y):
    y = np.asarray(y)
    if y.dtype.itemsize == 2:
        return [int(b) for b in y.view(np.uint16).ravel()]
    return [float(v) for v in y.ravel()]


cases = {}
for name, f in CASES.items():
    cases[name] = {}
    for dtype in ["float16", "bfloat16"]:
        x = jnp.array(np.random.default_rng(0).normal(size=64) * 2, dtype)
        y = f(x)
        case = {"x": bits(x), "dtype": str(y.dtype), "y": bits(y)}
        if jnp.issubdtype(y.dtype, jnp.floating):
            case["gradient"] = bits(jax.grad(lambda x: f(x).sum().astype(jnp.float32))(x.astype(jnp.float32)))
        cases[name]["f16" if dtype == "float16" else "bf16"] = case
lines = [f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items()]
print("{\n" + ",\n".join(lines) + "\n}")
