"""The rows of linalg.rs in NumPy and JAX, one thread: medians and least times of 15 calls, in milliseconds."""

import os

for name in ["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]:
    os.environ[name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import time

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import jax.scipy.linalg as jsl

rng = np.random.default_rng(0)
small = rng.uniform(-1, 1, (10000, 3, 3))
small = small @ np.swapaxes(small, -1, -2) + np.eye(3)
a = rng.uniform(-1, 1, (500, 500))
definite = a @ a.T + 500 * np.eye(500)


def median(f):
    f()
    times = []
    for _ in range(15):
        start = time.perf_counter()
        f()
        times.append((time.perf_counter() - start) * 1e3)
    times.sort()
    return times[7], times[0]


def show(name, x, in_numpy, in_jax):
    numpy = median(lambda: in_numpy(x)) if in_numpy else (float("nan"),) * 2
    compiled = jax.jit(in_jax)
    y = jnp.asarray(x)
    of_jax = median(lambda: jax.block_until_ready(compiled(y)))
    print(f"{name:<40}numpy {numpy[0]:9.3f} {numpy[1]:9.3f}   jax {of_jax[0]:9.3f} {of_jax[1]:9.3f}", flush=True)


ones = np.ones
show("cholesky of 10,000 3x3", small, np.linalg.cholesky, jnp.linalg.cholesky)
show(
    "solve of 10,000 3x3",
    small,
    lambda a: np.linalg.solve(a, ones((10000, 3, 1))),
    lambda a: jnp.linalg.solve(a, jnp.ones((10000, 3, 1))),
)
show("eigh of 10,000 3x3", small, np.linalg.eigh, jnp.linalg.eigh)
show("gradient of cholesky of 10,000 3x3", small, None, jax.grad(lambda a: jnp.linalg.cholesky(a).sum()))
show("cholesky of 500x500", definite, np.linalg.cholesky, jnp.linalg.cholesky)
show("lu of 500x500", a, None, jsl.lu_factor)
show("solve of 500x500, one right side", a, lambda a: np.linalg.solve(a, ones(500)), lambda a: jnp.linalg.solve(a, jnp.ones(500)))
show("inv of 500x500", a, np.linalg.inv, jnp.linalg.inv)
show("qr of 500x500", a, np.linalg.qr, jnp.linalg.qr)
show("eigh of 500x500", definite, np.linalg.eigh, jnp.linalg.eigh)
show("eigvalsh of 500x500", definite, np.linalg.eigvalsh, jnp.linalg.eigvalsh)
show("svd of 500x500", a, lambda a: np.linalg.svd(a, False), lambda a: jnp.linalg.svd(a, False))
show("svdvals of 500x500", a, lambda a: np.linalg.svd(a, compute_uv=False), lambda a: jnp.linalg.svd(a, compute_uv=False))
