#!/usr/bin/env python3
"""The cases of `micro` in PyTorch, called without a compiler: prints the same lines, with the peer "torch".

    torch_peer.py [--bench ew,scan] [--budget 0.25] [--threads 1]      (torch 2, numpy; on the CPU, each thread on a core)
"""

import os

import peer

os.environ["OMP_NUM_THREADS"] = str(peer.THREADS)

import torch
import torch.func as tf
import torch.nn.functional as F

from peer import FLOATS

torch.set_num_threads(peer.THREADS)
to_torch = torch.from_numpy


def numbers(dtype, shape, seed=0):
    return to_torch(peer.numbers(dtype, shape, seed))


def gradient(f, *tracked):
    """The gradient of a number by these leaves, which keep their place."""
    for x in tracked:
        x.requires_grad_(True)
    return lambda: torch.autograd.grad(f(*tracked), tracked)


def arrays(result):
    """Arrays that NumPy takes, where they are nested."""
    if isinstance(result, (list, tuple)):
        return [arrays(part) for part in result]
    return result.detach().numpy()


ROWS = {"softmax", "layernorm", "logsumexp"}
ELEMENTWISE = {
    "axpb": lambda x: 2.5 * x + 1.5,
    "expsin": lambda x: torch.exp(-x * x) * torch.sin(x) + torch.log1p(x * x),
    "tanh": torch.tanh,
    "gelu": F.gelu,
    "softmax": lambda x: torch.softmax(x, -1),
    "layernorm": lambda x: F.layer_norm(x, x.shape[-1:]),
    "logsumexp": lambda x: torch.logsumexp(x, -1),
}


def argument(name, dtype, n):
    return numbers(dtype, (n // 256, 256) if name in ROWS else (n,))


def plain(f, *arguments):
    """A call that keeps nothing for derivatives."""

    def call():
        with torch.no_grad():
            return f(*arguments)

    return call


def ew():
    for dtype in FLOATS:
        for n in (2**10, 2**15, 2**20, 2**24):
            for name, f in ELEMENTWISE.items():
                yield name, n, dtype, plain(f, argument(name, dtype, n))
            yield "axpb_inplace", n, dtype, plain(lambda x: x.mul_(0.5).add_(1.5), numbers(dtype, (n,)))


def ewgrad():
    for dtype in FLOATS:
        for name, f in ELEMENTWISE.items():
            yield name, 2**20, dtype, gradient(lambda x, f=f: (f(x) ** 2).sum(), argument(name, dtype, 2**20))


def chain():
    for dtype in FLOATS:
        for n in (2**10, 2**20):
            for name, f in peer.chains(torch.ones_like):
                yield name, n, dtype, plain(f, numbers(dtype, (n,)))


def reduce():
    for dtype in FLOATS:
        for n in (2**20, 2**24):
            x, m = numbers(dtype, (n,)), numbers(dtype, (int(n**0.5),) * 2)
            for name, f in (("sum", torch.sum), ("max", torch.max), ("dot", lambda x: torch.dot(x, x))):
                yield name, n, dtype, plain(f, x)
            for name, f in (("sum_rows", lambda m: m.sum(1)), ("sum_cols", lambda m: m.sum(0)), ("transpose", lambda m: m.T.contiguous())):
                yield name, n, dtype, plain(f, m)


def network_loss(parameters, x, y):
    *hidden, (w, b) = parameters
    for v, c in hidden:
        x = torch.relu(x @ v + c)
    return -(y * torch.log_softmax(x @ w + b, -1)).sum(-1).mean()


def network(batch):
    parameters = [tuple(map(to_torch, layer)) for layer in peer.layers(784, 256, 256, 10)]
    return parameters, *map(to_torch, peer.digits(batch))


def paired(flat):
    return list(zip(flat[::2], flat[1::2]))


def mlp():
    for batch in (32, 128, 1024):
        for name, make in (("sgd", lambda p: torch.optim.SGD(p, 1e-3)), ("adam", lambda p: torch.optim.Adam(p, 1e-3))):
            parameters, x, y = network(batch)
            flat = [p.requires_grad_(True) for layer in parameters for p in layer]
            optimizer = make(flat)

            def step(flat=flat, optimizer=optimizer, x=x, y=y):
                optimizer.zero_grad()
                loss = network_loss(paired(flat), x, y)
                loss.backward()
                optimizer.step()
                return [loss, flat]

            yield name, batch, "f32", step
        parameters, x, y = network(batch)
        yield "loss", batch, "f32", plain(network_loss, parameters, x, y)
        flat = [p for layer in parameters for p in layer]
        yield "grad", batch, "f32", gradient(lambda *flat, x=x, y=y: network_loss(paired(flat), x, y), *flat)


def rosenbrock(x):
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def residuals(x):
    return torch.cat([10 * (x[1:] - x[:-1] ** 2), 1 - x[:-1]])


def hessian():
    for n in (10, 100, 1000):
        x = to_torch(peer.uniform(n))
        yield "rosen_grad", n, "f64", gradient(rosenbrock, x.clone())
        yield "rosen_fwdrev", n, "f64", lambda x=x: tf.hessian(rosenbrock)(x)
        yield "rosen_revrev", n, "f64", lambda x=x: tf.jacrev(tf.jacrev(rosenbrock))(x)
        yield "res_jacfwd", n, "f64", lambda x=x: tf.jacfwd(residuals)(x)
        yield "res_jacrev", n, "f64", lambda x=x: tf.jacrev(residuals)(x)


def hvp():
    for n in (10, 1000, 100_000):
        x, v = to_torch(peer.uniform(n)), to_torch(peer.uniform(n, 1))
        yield "rosen", n, "f64", lambda x=x, v=v: tf.jvp(tf.grad(rosenbrock), (x,), (v,))[1]
    p, x, y = network(128)
    yield "mlp", 128, "f32", lambda: tf.jvp(tf.grad(lambda p: network_loss(p, x, y)), (p,), (p,))[1]


def vmapgrad():
    def loss(p, x, y):
        (w, b), (v, c) = p
        return ((torch.tanh(x @ w + b) @ v + c - y) ** 2).sum()

    p = [tuple(map(to_torch, layer)) for layer in peer.layers(8, 16, 1)]
    by_example = tf.vmap(tf.grad(loss), (None, 0, 0))
    for batch in (1000, 100_000):
        x, y = numbers("f32", (batch, 8)), numbers("f32", (batch, 1), 1)
        yield "mlp8-16-1", batch, "f32", lambda x=x, y=y: by_example(p, x, y)
    wave = lambda x: torch.sin(x) * torch.exp(-x * x)
    x = numbers("f64", (100_000,))
    yield "scalar", 100_000, "f64", lambda: tf.vmap(tf.grad(wave))(x)
    yield "scalar_2nd", 100_000, "f64", lambda: tf.vmap(tf.grad(tf.grad(wave)))(x)


def scan():
    for h in (4, 32):
        w, u, x = 0.1 * numbers("f64", (h, h)), 0.1 * numbers("f64", (h, h), 1), numbers("f64", (1000, h), 2)

        def recurrent(w, u, x=x, h=h):
            s = torch.zeros(h, dtype=torch.float64)
            for row in x:
                s = torch.tanh(w @ s + u @ row)
            return (s**2).sum()

        yield "rnn_fwd", f"h{h}x1000", "f64", plain(recurrent, w.clone(), u.clone())
        yield "rnn_grad", f"h{h}x1000", "f64", gradient(recurrent, w, u)

    def oscillator(mu, h=0.01):
        slope = lambda y: torch.stack([y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]])
        y = torch.tensor([1.0, 0.5], dtype=torch.float64)
        for _ in range(1000):
            k1 = slope(y)
            k2 = slope(y + h / 2 * k1)
            k3 = slope(y + h / 2 * k2)
            k4 = slope(y + h * k3)
            y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return y.sum()

    def cubic(mu):
        x = torch.tensor(0.3, dtype=torch.float64)
        for _ in range(1000):
            x = x + 0.01 * (mu * x - x * x * x)
        return x

    mu = lambda: torch.tensor(1.5, dtype=torch.float64)
    yield "rk4_fwd", "2x1000", "f64", plain(oscillator, mu())
    yield "rk4_grad", "2x1000", "f64", gradient(oscillator, mu())
    yield "scalar_fwd", "1x1000", "f64", plain(cubic, mu())
    yield "scalar_grad", "1x1000", "f64", gradient(cubic, mu())


def logreg():
    def loss(w, x, y):
        z = x @ w
        return (F.softplus(z) - y * z).sum()

    for dtype in FLOATS:
        w, x = 0.1 * numbers(dtype, (50,), 1), numbers(dtype, (100_000, 50))
        y = to_torch(peer.integers(2, 100_000, 2).astype(FLOATS[dtype]))
        yield "loss", "100kx50", dtype, plain(loss, w.clone(), x, y)
        yield "hessian", "100kx50", dtype, lambda w=w.clone(), x=x, y=y: tf.hessian(loss)(w, x, y)
        yield "grad", "100kx50", dtype, gradient(lambda w, x=x, y=y: loss(w, x, y), w)


def matmul():
    for dtype in FLOATS:
        for n in (64, 256, 512, 1024):
            yield "", n, dtype, plain(torch.matmul, numbers(dtype, (n, n)), numbers(dtype, (n, n), 1))


def conv():
    convolved = lambda x, w: F.conv2d(x, w, padding=1)
    squares = lambda x, w: (convolved(x, w) ** 2).sum()
    for size, image, kernel in (
        ("32x3x32x32*16x3x3", (32, 3, 32, 32), (16, 3, 3, 3)),
        ("32x16x32x32*32x3x3", (32, 16, 32, 32), (32, 16, 3, 3)),
    ):
        x, w = numbers("f32", image), numbers("f32", kernel, 1)
        yield "fwd", size, "f32", plain(convolved, x.clone(), w.clone())
        if image[1] == 3:
            yield "grad_w", size, "f32", gradient(lambda w, x=x.clone(): squares(x, w), w.clone())
        yield "grad_xw", size, "f32", gradient(squares, x, w)


def linalg():
    m = numbers("f64", (200, 200))
    a, b = m @ m.T / 200 + torch.eye(200, dtype=torch.float64), numbers("f64", (200,), 1)
    yield "cholesky", 200, "f64", plain(torch.linalg.cholesky, a.clone())
    yield "cholesky_grad", 200, "f64", gradient(lambda a: torch.linalg.cholesky(a).sum(), a.clone())
    yield "solve", 200, "f64", plain(torch.linalg.solve, a.clone(), b.clone())
    yield "solve_grad", 200, "f64", gradient(lambda a, b: (torch.linalg.solve(a, b) ** 2).sum(), a, b)


def index():
    n = 2**20
    x = numbers("f32", (n,))
    many, few = (to_torch(peer.integers(end, n, seed).astype("int64")) for end, seed in ((n, 1), (1024, 2)))
    for dtype in FLOATS:
        yield "sort", n, dtype, plain(lambda x: torch.sort(x)[0], numbers(dtype, (n,)))
        yield "cumsum", n, dtype, plain(lambda x: torch.cumsum(x, 0), numbers(dtype, (n,)))
    yield "argsort", n, "f32", plain(lambda x: torch.argsort(x, stable=True), x)
    yield "gather", n, "f32", plain(lambda x, i: x[i], x, many)
    yield "scatter_add", n, "f32", plain(lambda x, i: torch.zeros(n).index_add_(0, i, x), x, many)
    yield "histogram1k", n, "f32", plain(lambda x, i: torch.zeros(1024).index_add_(0, i, x), x, few)
    yield "cumsum_grad", n, "f32", gradient(lambda x: (torch.cumsum(x, 0) ** 2).sum(), x.clone())
    yield "gather_grad", n, "f32", gradient(lambda x: (x[many] ** 2).sum(), x.clone())


def faults():
    n = 2**24
    for dtype in FLOATS:
        yield "fresh", n, dtype, plain(lambda x: 2.5 * x + 1.5, numbers(dtype, (n,)))
        yield "fresh_three", n, dtype, plain(lambda x: (x + 1, x * 2, x - 3), numbers(dtype, (n,)))
        yield "in_place", n, dtype, plain(lambda x: x.mul_(0.5).add_(1.5), numbers(dtype, (n,)))


FAMILIES = [ew, ewgrad, chain, reduce, mlp, hessian, hvp, vmapgrad, scan, logreg, matmul, conv, linalg, index, faults]


def main():
    options = peer.options(__doc__, [f.__name__ for f in FAMILIES])
    for family in FAMILIES:
        if family.__name__ not in options.bench.split(","):
            continue
        for name, size, dtype, call in family():
            name = f"{family.__name__}/{name}" if name else family.__name__
            if options.match not in f"{name} {size} {dtype}":
                continue
            peer.measure("torch", family.__name__, name, size, dtype, call, arrays, options)


main()
