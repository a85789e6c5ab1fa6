"""Writes exact.txt, special functions and their derivatives by mpmath: python exact.py > exact.txt

Run by hand, with mpmath in the environment. Lines as in jax.txt, of f64: derivatives that JAX does not have, and points where its
own formulas lose digits.
"""

import random
import struct

import mpmath
from mpmath import mpf

mpmath.mp.dps = 50
SEED = 1964
random.seed(SEED)


def uniform(low, high):
    return lambda: random.uniform(low, high)


def power(low, high):
    return lambda: 2.0 ** random.uniform(low, high)


def igamma(a, x):
    return mpmath.gammainc(a, 0, x, regularized=True)


def igammac(a, x):
    return mpmath.gammainc(a, x, mpmath.inf, regularized=True)


def betainc(x, a, b):
    return mpmath.betainc(a, b, 0, x, regularized=True)


def sinc(x):
    return mpmath.sincpi(x)


def near(low, high, width):
    """Pairs that lie together: a number, and one some widths of its square root away."""
    pair = []

    def first():
        pair[:] = [2.0 ** random.uniform(low, high)]
        return pair[0]

    def second():
        return pair[0] + random.uniform(-width, width) * pair[0] ** 0.5

    return [first, second]


# Name, function, where its arguments are, orders for each argument.
FUNCTIONS = [
    ("polygamma1", lambda x: mpmath.psi(1, x), [uniform(-4.9, 30)], [2]),
    ("polygamma3", lambda x: mpmath.psi(3, x), [uniform(-4.9, 30)], [2]),
    ("digamma", mpmath.digamma, [uniform(2, 30)], [2]),
    ("zeta", mpmath.zeta, [uniform(1.2, 8), uniform(0.1, 20)], [2, 2]),
    ("sinc", sinc, [uniform(-4, 4)], [2]),
    ("i0", lambda x: mpmath.besseli(0, x), [uniform(-20, 20)], [2]),
    ("i0e", lambda x: mpmath.besseli(0, x) * mpmath.exp(-abs(x)), [uniform(-20, 20)], [1]),
    ("i1", lambda x: mpmath.besseli(1, x), [uniform(-20, 20)], [2]),
    ("i1e", lambda x: mpmath.besseli(1, x) * mpmath.exp(-abs(x)), [uniform(-20, 20)], [1]),
    ("igamma", igamma, [uniform(0.2, 30), uniform(0.1, 40)], [2, 2]),
    ("igamma", igamma, near(7, 14, 3), [1, 1]),
    ("igammac", igammac, [uniform(0.2, 30), uniform(0.1, 40)], [2, 2]),
    ("igammac", igammac, near(7, 14, 3), [1, 1]),
    ("betainc", betainc, [uniform(0.02, 0.98), uniform(0.2, 20), uniform(0.2, 20)], [2, 2, 2]),
    ("betainc", betainc, [uniform(0.4, 0.6), uniform(150, 200), uniform(150, 200)], [1, 1, 1]),
    ("betainc", betainc, [power(-10, -3), uniform(0.2, 5), uniform(15, 500)], [1, 1, 1]),
    ("igammac", igammac, [power(-30, -2), power(-20, 2)], [2, 2]),
]


def bits(x):
    return "%016x" % struct.unpack("<Q", struct.pack("<d", x))[0]


print(f"# mpmath {mpmath.__version__} at {mpmath.mp.dps} digits, seed {SEED}; written by exact.py")
for name, f, domains, orders in FUNCTIONS:
    for order in range(3):
        for argument in range(len(domains)):
            if order > orders[argument] or (order == 0 and argument > 0):
                continue
            rows = []
            for _ in range([24, 12, 6][order]):
                args = [domain() for domain in domains]
                exact = [mpf(x) for x in args]

                def along(t):
                    return f(*exact[:argument], t, *exact[argument + 1 :])

                y = along(exact[argument]) if order == 0 else mpmath.diff(along, exact[argument], order)
                rows += args + [float(y)]
            print(name, "f64", order, argument, " ".join(map(bits, rows)))
