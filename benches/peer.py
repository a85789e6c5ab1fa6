"""What the peers of `micro` share: the same inputs, made of the same bits, the summary of a result, and the clock.

Inputs are the numbers that `micro` makes itself (see `scattered` in `benches/micro/main.rs`), so results can be compared.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np

# Before a library is loaded: as many cores as threads.
THREADS = int(sys.argv[sys.argv.index("--threads") + 1]) if "--threads" in sys.argv else 1
os.sched_setaffinity(0, set(range(THREADS)))

FLOATS = {"f32": np.float32, "f64": np.float64}


def scattered(n, seed):
    h = np.arange(n, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed * 0x85EBCA77 & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return h ^ (h >> np.uint32(16))


def numbers(dtype, shape, seed=0):
    """Of mean 0 and variance 1."""
    bits = scattered(int(np.prod(shape)), seed).astype(np.float64)
    return (((bits + 0.5) / 2.0**31 - 1) * 3**0.5).astype(FLOATS[dtype]).reshape(shape)


def uniform(n, seed=0):
    return (scattered(n, seed).astype(np.float64) + 0.5) / 2.0**32


def integers(end, n, seed):
    return ((scattered(n, seed).astype(np.uint64) * np.uint64(end)) >> np.uint64(32)).astype(np.int32)


def spread(shape, scale):
    """The weights and digits of the network (`numbers` in `benches/workloads.rs`), in f32."""
    n = int(np.prod(shape))
    return (np.fmod(np.sin(np.arange(n) * 0.618) * 43758.547, 1) * scale).astype(np.float32).reshape(shape)


def layers(*widths):
    return [(spread((m, n), (3 / m) ** 0.5), np.zeros(n, np.float32)) for m, n in zip(widths, widths[1:])]


def digits(batch):
    return spread((batch, 784), 1.0), np.eye(10, dtype=np.float32)[np.arange(batch) % 10]


def leaves(tree):
    """Arrays of nested lists and tuples, from left to right."""
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [np.asarray(tree, dtype=np.float64)]


def summary(result):
    arrays = leaves(result)
    first = next((a.ravel() for a in arrays if a.size), np.zeros(0))
    return dict(
        count=sum(a.size for a in arrays),
        sum=float(sum(a.sum() for a in arrays)),
        magnitude=float(sum(np.abs(a).sum() for a in arrays)),
        some=[float(first[i]) for i in (0, len(first) // 2, len(first) - 1)] if len(first) else [],
    )


def faults():
    """Page faults of this process so far that needed no disk."""
    return int(open("/proc/self/stat").read().rsplit(")")[-1].split()[7])


def timed(call, budget):
    """Seconds of a call, half a millisecond or more at a time."""

    def once(calls):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - start) / calls

    calls = max(1, int(0.0005 / max(min(once(1) for _ in range(4)), 1e-7)))
    samples, end = [], time.perf_counter() + budget
    while len(samples) < 5 or time.perf_counter() < end:
        samples.append(once(calls))
        if len(samples) >= 2 and time.perf_counter() > end + 20 * budget:
            break
    return samples


def options(document, families):
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=",".join(families))
    parser.add_argument("--budget", type=float, default=0.25)
    parser.add_argument("--threads", type=int, default=1, help="each on a core of its own")
    parser.add_argument("--match", default="", help="only cases whose name, size and dtype have this text")
    return parser.parse_args()


def chains(ones_like):
    """Long arithmetic, by name."""

    def mul_add(x):
        y = x
        for k in range(10):
            y = y * (1 + 0.01 * k) + 0.1
        return y

    def mul_mul_add(x):
        y = x
        for _ in range(10):
            y = y * x + 0.1 * x
        return y

    def polynomial(x):
        y = ones_like(x)
        for k in range(20):
            y = y * x + 1 / (k + 1)
        return y

    return (("mul_add_10", mul_add), ("mul_mul_add_10", mul_mul_add), ("polynomial_20", polynomial))


def measure(peer, family, name, size, dtype, call, shown, options):
    """Prints the line of a case, whose calls give what `shown` makes arrays of."""
    first = call()
    more = dict(result=summary(shown(first)))
    # What is still held is memory that the calls cannot use.
    del first
    if family == "faults":
        before = faults()
        for _ in range(20):
            call()
        more["faults"] = (faults() - before) / 20
    line(peer, name, size, dtype, timed(call, options.budget), **more)


def line(peer, name, size, dtype, samples, **more):
    row = dict(bench=name, peer=peer, size=str(size), dtype=dtype, threads=THREADS)
    row.update(median_s=statistics.median(samples), min_s=min(samples), n=len(samples), **more)
    print(json.dumps(row), flush=True)
