"""Writes elementary.txt, exact values of the elementary functions: python elementary.py > elementary.txt"""

import random
import struct

import mpmath
from mpmath import mpf

mpmath.mp.prec = 1500
random.seed(1964)

FUNCTIONS = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "asin": mpmath.asin,
    "acos": mpmath.acos,
    "atan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "exp2": lambda x: mpf(2) ** x,
    "log2": lambda x: mpmath.log(x, 2),
    "log10": lambda x: mpmath.log10(x),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "asinh": mpmath.asinh,
    "acosh": mpmath.acosh,
    "atanh": mpmath.atanh,
    "erf": mpmath.erf,
    "erfc": mpmath.erfc,
    "erf_inv": mpmath.erfinv,
    "lgamma": lambda x: mpmath.loggamma(x).real,
    "digamma": mpmath.digamma,
}
LARGEST = 1.7976931348623157e308
between = random.uniform


def power(low, high):
    """Two to a random power."""
    return 2.0 ** between(low, high)


def signed(x):
    return x if random.random() < 0.5 else -x


def neighbour(x, steps):
    """The number so many floats above."""
    bits = struct.unpack("<q", struct.pack("<d", x))[0]
    return struct.unpack("<d", struct.pack("<q", bits + steps))[0]


def hexadecimal(x):
    return "%016x" % struct.unpack("<Q", struct.pack("<d", x))[0]


def many(count, make):
    return [make() for _ in range(count)]


def gamma_points(name):
    """Beside the zeros of lgamma and of digamma, where the functions change their formulas, and beside poles."""
    zeros = [1.0, 2.0] if name == "lgamma" else [1.4616321449683622]
    near = [neighbour(x, steps) for x in zeros + [0.7, 2.5, 2.0] for steps in (-1, 1, -1000, 10**6, -(10**9))]
    # digamma has a zero between any two poles, lgamma has zeros from -2 to -5: beside them errors are absolute.
    negative = many(8, lambda: between(-0.45, 0)) + many(8, lambda: -power(-1022, -2))
    if name == "lgamma":
        negative += many(8, lambda: between(-1.9, -1.1)) + many(8, lambda: -random.randrange(6, 60) - between(0.2, 0.8))
    last = [2.559983327851638e305, 1e305] if name == "lgamma" else [LARGEST, 1e17]
    return near + negative + last


def points_of_two(name):
    if name == "atan2":
        # Quotients that are subnormal, near the diagonals, near tan(pi/8); coordinates that are large, small, far apart.
        return (
            many(20, lambda: (between(-2, 2), between(-2, 2)))
            + many(15, lambda: (signed(power(-1074, 1023)), signed(power(-1074, 1023))))
            + many(10, lambda: (signed(power(-1074, -1050)), signed(power(-1074, -1050))))
            + many(10, lambda: (signed(power(1000, 1023.9)), signed(power(1000, 1023.9))))
            + many(10, lambda: (signed(power(-1060, -1000)), power(-40, 40)))
            + [(x, signed(neighbour(x, random.randrange(-3, 4)))) for x in many(10, lambda: power(-900, 900))]
            + [(neighbour(0.41421356237309503 * x, random.randrange(-3, 4)), x) for x in many(10, lambda: power(-9, 9))]
            + [(5e-324, LARGEST), (5e-324, -LARGEST), (LARGEST, 5e-324), (5e-324, 5e-324), (1e-310, 3e-310), (1.0, -1e-300)]
        )
    if name == "hypot":
        return (
            many(20, lambda: (between(-2, 2), between(-2, 2)))
            + many(10, lambda: (signed(power(-1074, 1023)), signed(power(-1074, 1023))))
            + many(15, lambda: (signed(power(-1074, -1020)), signed(power(-1074, -1020))))
            + many(15, lambda: (signed(power(1015, 1023)), signed(power(1015, 1023))))
            + many(10, lambda: (power(0, 1), power(-30, -24)))
            + [(3e-324, 4e-324), (3e-310, 4e-310), (5e-324, 5e-324), (LARGEST, 1e292), (LARGEST / 1.5, LARGEST / 1.5)]
        )
    # Results from the smallest to the largest, of bases that are large, subnormal, or as near to 1 as can be.
    bases = (
        many(25, lambda: power(-1022, 1023))
        + many(10, lambda: power(-1074, -1022))
        + many(20, lambda: 1 + signed(power(-52, -2)))
        + [neighbour(1.0, 1), neighbour(1.0, -1), 0.7071067811865475, 1.4142135623730951, LARGEST, 5e-324]
    )
    spread = [(x, between(-744, 709) / float(mpmath.log(x))) for x in bases]
    # Just before overflow, and half of the smallest number.
    edges = [(x, y / float(mpmath.log(x))) for x in many(8, lambda: power(-30, 30)) for y in (709.78, -744.4, -708.3)]
    # Exact results and halfway cases: whole powers of small numbers, roots of squares.
    whole = many(25, lambda: (signed(float(random.randrange(2, 50))), float(random.randrange(-8, 12))))
    roots = [(float(n * n), 0.5) for n in many(8, lambda: random.randrange(2, 2**26))]
    middle = many(25, lambda: (power(-3, 3), between(-60, 60)))
    return spread + edges + whole + roots + middle + [(2.0, -1074.0), (-2.0, -1073.0), (3.0, -1e-18), (1e300, 1e-300)]


def points(name):
    small = many(10, lambda: signed(power(-60, 0))) + [signed(5e-324), signed(2.3e-308), signed(1e-300)]
    if name in ("exp", "expm1", "logistic", "sinh", "cosh", "tanh"):
        # The middles between multiples of log 2 are where the reduced argument is largest.
        middles = many(6, lambda: (random.randrange(-1020, 1020) + 0.5) * 0.6931471805599453)
        common = small + many(15, lambda: between(-2, 2)) + many(10, lambda: between(-40, 40))
        edges = {
            "exp": [-708.4, -720.0, -744.4, -745.1, 709.78],
            "expm1": [-36.0, -38.0, -800.0, 709.78, 36.5, 37.7],
            "logistic": [-708.4, -720.0, -744.4, -745.1, 36.8, 700.0],
            "sinh": [710.4, -710.475, 709.9],
            "cosh": [710.4, -710.475, 709.9],
            "tanh": [18.9, 19.1, 22.0, -700.0],
        }
        return common + ([] if name == "tanh" else middles) + edges[name]
    if name == "log":
        near_one = many(12, lambda: 1 + signed(power(-52, -1))) + [neighbour(1.0, 1), neighbour(1.0, -1)]
        roots = [0.7071067811865475, 1.4142135623730951]
        return (
            [abs(x) for x in small]
            + near_one
            + many(10, lambda: power(-1022, 1023))
            + many(15, lambda: between(0.5, 2))
            + roots
            + [LARGEST]
        )
    if name == "log1p":
        return (
            small
            + many(15, lambda: between(-0.99, 2))
            + many(8, lambda: -1 + power(-53, -1))
            + many(10, lambda: power(1, 1023))
            + [LARGEST, 0.41421356237309515, -0.2928932188134524]
        )
    if name in ("sin", "cos", "tan"):
        # Near multiples of pi/2 nearly everything cancels; the last but two is the worst of all doubles.
        multiple = lambda: random.randrange(1, 10 ** random.randrange(1, 9)) * 1.5707963267948966
        return (
            small
            + many(12, lambda: between(-7, 7))
            + many(10, lambda: signed(power(3, 29)))
            + many(8, lambda: signed(power(30, 1023)))
            + many(12, lambda: neighbour(multiple(), random.randrange(-2, 3)))
            + [1e22, 2.0**1023, 1e9, neighbour(1e9, 1)]
            + [6381956970095103 * 2.0**797, 1.5707963267948966, 3.141592653589793]
        )
    if name in ("asin", "acos"):
        near_one = many(10, lambda: signed(1 - power(-53, -2)))
        return small + many(20, lambda: between(-1, 1)) + near_one + [1.0, -1.0, 0.5, -0.5]
    if name == "exp2":
        return small + many(20, lambda: between(-3, 3)) + many(10, lambda: between(-1022, 1024)) + [-1074.0, -1060.3, 9.0]
    if name in ("log2", "log10"):
        whole = [1000.0, 1e22, 1024.0, 2.0**-1074]
        near_one = many(12, lambda: 1 + signed(power(-52, -1)))
        return many(10, lambda: power(-1022, 1023)) + many(15, lambda: between(0.5, 2)) + near_one + whole
    if name == "acosh":
        return many(15, lambda: 1 + power(-52, 1)) + many(20, lambda: between(1, 9)) + many(15, lambda: power(2, 1023))
    if name in ("atanh", "erf_inv"):
        near_one = many(10, lambda: signed(1 - power(-53, -2)))
        return small + many(25, lambda: between(-1, 1)) + near_one
    if name in ("erf", "erfc"):
        far = many(20, lambda: between(4, 26.5)) if name == "erfc" else [5.0, 5.9, 6.1]
        return small + many(40, lambda: between(-3, 3)) + many(10, lambda: between(3, 6)) + far
    if name in ("lgamma", "digamma"):
        # Away from the zeros, where the error is absolute.
        positive = many(20, lambda: between(0.01, 1.3)) + many(20, lambda: between(2.5, 30))
        return positive + many(15, lambda: power(4, 300)) + many(8, lambda: power(-300, -3)) + gamma_points(name)
    return small + many(20, lambda: between(-3, 3)) + many(10, lambda: signed(power(1, 1000)))


FUNCTIONS_OF_TWO = {
    "pow": lambda x, y: mpf(x) ** mpf(y),
    "atan2": lambda y, x: mpmath.atan2(mpf(y), mpf(x)),
    "hypot": lambda x, y: mpmath.sqrt(mpf(x) ** 2 + mpf(y) ** 2),
}

print("# f(x) or f(x, y) as the sum of two f64, by mpmath 1.4 at 1500 bits:")
print("# function, then x (and y), high, low as bits in hexadecimal")
for name, function in FUNCTIONS.items():
    for x in points(name):
        exact = function(mpf(x))
        high = float(exact)
        if abs(high) != float("inf"):
            print(name, hexadecimal(x), hexadecimal(high), hexadecimal(float(exact - mpf(high))))
for name, function in FUNCTIONS_OF_TWO.items():
    for x, y in points_of_two(name):
        exact = function(x, y)
        high = float(exact)
        if abs(high) != float("inf") and high != 0:
            print(name, hexadecimal(x), hexadecimal(y), hexadecimal(high), hexadecimal(float(exact - mpf(high))))
