"""Writes jax.txt, values and derivatives of elementwise and special functions by JAX: python make.py > jax.txt

Run by hand, with jax in the environment. Each line is a function, a dtype, an order, which argument is differentiated, and
then points and results as the bits of floats in hexadecimal: the arguments one after the other, last the result. Subnormal
numbers are left out, which JAX flushes to 0; so are results that are infinite or not a number, of which tests/behaviour has a
list, and second derivatives that are 0 because all digits cancelled. Lines of `promote` are two dtypes and the one in which
they meet.
"""

import struct

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

SEED = 1964
POINTS = 100
random = np.random.default_rng(SEED)


def log_uniform(low, high):
    return lambda n: np.exp(random.uniform(np.log(low), np.log(high), n))


def uniform(low, high):
    return lambda n: random.uniform(low, high, n)


def whole(low, high):
    return lambda n: random.integers(low, high + 1, n).astype(float)


def wide(n):
    """Both signs, all sizes around 1."""
    return np.exp(random.uniform(-7, 7, n)) * random.choice([-1, 1], n)


positive = log_uniform(1e-3, 1e3)
inside = uniform(-0.99, 0.99)

# Name, function, where its arguments are, the highest order that JAX differentiates in each.
FUNCTIONS = [
    ("abs", jnp.abs, [wide], [1]),
    ("sqrt", jnp.sqrt, [positive], [2]),
    ("rsqrt", lax.rsqrt, [positive], [2]),
    ("square", jnp.square, [wide], [2]),
    ("reciprocal", jnp.reciprocal, [wide], [2]),
    ("floor", jnp.floor, [wide], [0]),
    ("ceil", jnp.ceil, [wide], [0]),
    ("round", jnp.round, [wide], [0]),
    ("trunc", jnp.trunc, [wide], [0]),
    ("exp", jnp.exp, [uniform(-9, 9)], [2]),
    ("exp2", jnp.exp2, [uniform(-9, 9)], [2]),
    ("expm1", jnp.expm1, [uniform(-9, 9)], [2]),
    ("log", jnp.log, [positive], [2]),
    ("log2", jnp.log2, [positive], [2]),
    ("log10", jnp.log10, [positive], [2]),
    ("log1p", jnp.log1p, [log_uniform(1e-3, 1e3)], [2]),
    ("cbrt", jnp.cbrt, [wide], [2]),
    ("sin", jnp.sin, [uniform(-9, 9)], [2]),
    ("cos", jnp.cos, [uniform(-9, 9)], [2]),
    ("tan", jnp.tan, [uniform(-1.5, 1.5)], [2]),
    ("asin", jnp.arcsin, [inside], [2]),
    ("acos", jnp.arccos, [inside], [2]),
    ("atan", jnp.arctan, [wide], [2]),
    ("sinh", jnp.sinh, [uniform(-9, 9)], [2]),
    ("cosh", jnp.cosh, [uniform(-9, 9)], [2]),
    ("tanh", jnp.tanh, [uniform(-5, 5)], [2]),
    ("asinh", jnp.arcsinh, [wide], [2]),
    ("acosh", jnp.arccosh, [uniform(1.05, 50)], [2]),
    ("atanh", jnp.arctanh, [inside], [2]),
    ("logistic", jax.nn.sigmoid, [uniform(-9, 9)], [2]),
    ("softplus", jax.nn.softplus, [uniform(-9, 9)], [2]),
    ("log_sigmoid", jax.nn.log_sigmoid, [uniform(-9, 9)], [2]),
    ("logit", special.logit, [uniform(0.01, 0.99)], [2]),
    ("erf", special.erf, [uniform(-3, 3)], [2]),
    ("erfc", special.erfc, [uniform(-3, 5)], [2]),
    ("erf_inv", special.erfinv, [inside], [2]),
    ("lgamma", special.gammaln, [uniform(-4.9, 30)], [2]),
    ("digamma", special.digamma, [uniform(-4.9, 30)], [1]),
    ("polygamma1", lambda x: special.polygamma(1, x), [uniform(0.1, 30)], [2]),
    ("polygamma3", lambda x: special.polygamma(3, x), [uniform(0.1, 30)], [2]),
    ("entr", special.entr, [positive], [2]),
    ("sinc", jnp.sinc, [uniform(-4, 4)], [2]),
    ("i0", special.i0, [uniform(-20, 20)], [2]),
    ("i0e", special.i0e, [uniform(-20, 20)], [2]),
    ("i1", special.i1, [uniform(-20, 20)], [2]),
    ("i1e", special.i1e, [uniform(-20, 20)], [2]),
    ("pow", jnp.power, [log_uniform(0.05, 20), uniform(-4, 4)], [2, 2]),
    ("atan2", jnp.arctan2, [wide, wide], [2, 2]),
    ("hypot", jnp.hypot, [wide, wide], [1, 1]),
    ("rem", lax.rem, [wide, wide], [1, 1]),
    ("remainder", jnp.remainder, [wide, wide], [1, 1]),
    ("floor_divide", jnp.floor_divide, [wide, wide], [0, 0]),
    ("nextafter", jnp.nextafter, [wide, wide], [0, 0]),
    ("maximum", jnp.maximum, [wide, wide], [1, 1]),
    ("minimum", jnp.minimum, [wide, wide], [1, 1]),
    ("logaddexp", jnp.logaddexp, [uniform(-9, 9), uniform(-9, 9)], [2, 2]),
    ("logaddexp2", jnp.logaddexp2, [uniform(-9, 9), uniform(-9, 9)], [2, 2]),
    ("xlogy", special.xlogy, [wide, positive], [2, 2]),
    ("xlog1py", special.xlog1py, [wide, positive], [2, 2]),
    ("rel_entr", special.rel_entr, [positive, positive], [2, 2]),
    ("kl_div", special.kl_div, [positive, positive], [2, 2]),
    ("zeta", special.zeta, [uniform(1.2, 8), uniform(0.1, 20)], [0, 2]),
    ("igamma", special.gammainc, [uniform(0.2, 30), uniform(0.1, 40)], [1, 2]),
    ("igammac", special.gammaincc, [uniform(0.2, 30), uniform(0.1, 40)], [1, 2]),
    ("betainc", lambda x, a, b: special.betainc(a, b, x), [uniform(0.02, 0.98), uniform(0.2, 20), uniform(0.2, 20)], [2, 0, 0]),
]


def bits(x, dtype):
    if dtype == np.float32:
        return "%08x" % struct.unpack("<I", struct.pack("<f", x))[0]
    return "%016x" % struct.unpack("<Q", struct.pack("<d", x))[0]


DTYPES = {"bool": "bool", "u8": "uint8", "i32": "int32", "i64": "int64", "u32": "uint32", "u64": "uint64", "f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}

print(f"# jax {jax.__version__}, numpy {np.__version__}, seed {SEED}; written by make.py")
for a in DTYPES:
    for b in DTYPES:
        both = str(jnp.promote_types(DTYPES[a], DTYPES[b]))
        print("promote", a, b, next(name for name, jax_name in DTYPES.items() if jax_name == both))
for name, f, domains, orders in FUNCTIONS:
    for dtype in (np.float64, np.float32):
        for order in range(3):
            for argument in range(len(domains)):
                if order > orders[argument] or (order == 0 and argument > 0):
                    continue
                # The value at many points, derivatives at fewer.
                n = {0: POINTS, 1: 30, 2: 15}[order] // (2 if dtype == np.float32 else 1)
                args = [domain(n).astype(dtype) for domain in domains]
                g = f
                for _ in range(order):
                    g = jax.grad(g, argument)
                results = np.asarray(jax.vmap(g)(*map(jnp.asarray, args)))
                assert results.dtype == dtype, (name, results.dtype)
                tiny = np.finfo(dtype).tiny
                fine = np.isfinite(results) & ((np.abs(results) >= tiny) | ((results == 0) & (order < 2)))
                rows = zip(*[a[fine] for a in args], results[fine])
                numbers = " ".join(bits(x, dtype) for row in rows for x in row)
                if numbers:
                    print(name, np.dtype(dtype).name.replace("float", "f"), order, argument, numbers)
