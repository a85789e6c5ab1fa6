//! The words in which the elementary functions are written: arithmetic, bits, and numbers as sums of two.
//!
//! Everything here is free of branches and inlined, so that a loop over a function becomes vector code. `mul_add`
//! rounds once with or without the instruction, so results have the same bits on every machine.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// `f32` and `f64`, as far as the elementary functions need them.
pub(super) trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    const ZERO: Self;
    const HALF: Self;
    const ONE: Self;
    const TWO: Self;
    const INFINITY: Self;
    const NAN: Self;
    /// 1.5 * 2^p with p bits of fraction: `x + SHIFT` has `x`, rounded to an integer, in its lowest bits.
    const SHIFT: Self;
    /// The first bits of log 2, so few that the product with an exponent is exact.
    const LN2_HIGH: Self;
    /// The rest of log 2.
    const LN2_LOW: Self;

    /// `self * y + z`, rounded once.
    fn mul_add(self, y: Self, z: Self) -> Self;
    /// The square root.
    fn root(self) -> Self;
    /// Whether it is NaN.
    fn is_nan(self) -> bool;
    /// Without the sign.
    fn magnitude(self) -> Self;
    /// The magnitude of `self` with the sign of `sign`.
    fn with_sign_of(self, sign: Self) -> Self;
    /// Negated if `sign` is negative.
    fn times_sign_of(self, sign: Self) -> Self;
    /// `2^n` for an integer `n` that is the exponent of a normal number.
    fn power_of_two(n: Self) -> Self;
    /// `(m, k)` with `self = m * 2^k` and m from sqrt(1/2) to sqrt(2), for positive normal numbers.
    fn split(self) -> (Self, Self);
    /// A positive number made normal, and the exponent that went into it.
    fn normalized(self) -> (Self, Self);
    /// Of the integer in the lowest bits, plus `more`: whether it is odd, and its second bit as the sign of a zero.
    fn quadrant(self, more: u8) -> (bool, Self);
}

macro_rules! real {
    ($t:ident, $bits:ident, ln2: $ln2_high:expr, $ln2_low:expr) => {
        const _: () = {
            const FRACTION: u32 = $t::MANTISSA_DIGITS - 1;
            const BIAS: $bits = $t::MAX_EXP as $bits - 1;

            impl Real for $t {
                const ZERO: $t = 0.0;
                const HALF: $t = 0.5;
                const ONE: $t = 1.0;
                const TWO: $t = 2.0;
                const INFINITY: $t = $t::INFINITY;
                const NAN: $t = $t::NAN;
                const SHIFT: $t = 1.5 / $t::EPSILON;
                const LN2_HIGH: $t = $ln2_high;
                const LN2_LOW: $t = $ln2_low;

                #[inline(always)]
                fn mul_add(self, y: $t, z: $t) -> $t {
                    $t::mul_add(self, y, z)
                }

                #[inline(always)]
                fn root(self) -> $t {
                    self.sqrt()
                }

                #[inline(always)]
                fn is_nan(self) -> bool {
                    $t::is_nan(self)
                }

                #[inline(always)]
                fn magnitude(self) -> $t {
                    self.abs()
                }

                #[inline(always)]
                fn with_sign_of(self, sign: $t) -> $t {
                    self.copysign(sign)
                }

                #[inline(always)]
                fn times_sign_of(self, sign: $t) -> $t {
                    $t::from_bits(self.to_bits() ^ (sign.to_bits() & (1 << ($bits::BITS - 1))))
                }

                #[inline(always)]
                fn power_of_two(n: $t) -> $t {
                    // The lowest bits of the sum are the exponent as a float stores it.
                    $t::from_bits((n + (Self::SHIFT + BIAS as $t)).to_bits() << FRACTION)
                }

                #[inline(always)]
                fn split(self) -> ($t, $t) {
                    // Counted from sqrt(1/2), the exponent field changes where m wraps around.
                    let lowest = std::f64::consts::FRAC_1_SQRT_2 as $t;
                    let from_lowest = self.to_bits().wrapping_sub(lowest.to_bits()).wrapping_add(BIAS << FRACTION);
                    let m = $t::from_bits((from_lowest & ((1 << FRACTION) - 1)) + lowest.to_bits());
                    // An integer in the lowest bits of 2^p makes a float without a conversion.
                    let integers = 1.0 / $t::EPSILON;
                    let biased = $t::from_bits((from_lowest >> FRACTION) | integers.to_bits());
                    (m, biased - (integers + BIAS as $t))
                }

                #[inline(always)]
                fn normalized(self) -> ($t, $t) {
                    let subnormal = self < $t::MIN_POSITIVE;
                    let scaled = self * (2.0 / $t::EPSILON);
                    (if subnormal { scaled } else { self }, if subnormal { FRACTION as $t + 1.0 } else { 0.0 })
                }

                #[inline(always)]
                fn quadrant(self, more: u8) -> (bool, $t) {
                    let n = self.to_bits().wrapping_add(more as $bits);
                    (n & 1 != 0, $t::from_bits((n & 2) << ($bits::BITS - 2)))
                }
            }
        };
    };
}

real!(f32, u32, ln2: 0.693_145_75, 1.428_606_8e-6);
real!(f64, u64, ln2: 0.693_147_180_559_890_3, 5.497_923_018_708_371e-14);

/// A polynomial from its coefficients, the constant one first.
///
/// Long ones go as two halves in x^2, which are computed side by side.
#[inline(always)]
pub(super) fn polynomial<R: Real>(x: R, coefficients: &[R]) -> R {
    if coefficients.len() < 6 {
        return horner(x, coefficients, 1);
    }
    let even = horner(x * x, coefficients, 2);
    let odd = horner(x * x, &coefficients[1..], 2);
    odd.mul_add(x, even)
}

/// The polynomial with every `step`-th coefficient.
#[inline(always)]
fn horner<R: Real>(x: R, coefficients: &[R], step: usize) -> R {
    let last = (coefficients.len() - 1) / step;
    let mut sum = coefficients[last * step];
    for i in (0..last).rev() {
        sum = sum.mul_add(x, coefficients[i * step]);
    }
    sum
}

/// A number as the sum of a float and a smaller rest.
#[derive(Clone, Copy)]
pub(super) struct Pair<R> {
    pub(super) high: R,
    pub(super) low: R,
}

impl<R: Real> Pair<R> {
    /// `a + b` exactly, when a is 0 or not smaller than b (Dekker 1971).
    #[inline(always)]
    pub(super) fn ordered(a: R, b: R) -> Pair<R> {
        let high = a + b;
        Pair { high, low: (a - high) + b }
    }

    /// `a + b` exactly (Knuth, The Art of Computer Programming 2, 4.2.2).
    #[inline(always)]
    pub(super) fn sum(a: R, b: R) -> Pair<R> {
        let high = a + b;
        let of_b = high - a;
        Pair { high, low: (a - (high - of_b)) + (b - of_b) }
    }

    /// `a * b` exactly.
    #[inline(always)]
    pub(super) fn product(a: R, b: R) -> Pair<R> {
        let high = a * b;
        Pair { high, low: a.mul_add(b, -high) }
    }

    /// With more in the low part.
    #[inline(always)]
    pub(super) fn plus(self, low: R) -> Pair<R> {
        Pair { low: self.low + low, ..self }
    }

    /// The same sum with a low part below the last bit of the high one.
    #[inline(always)]
    pub(super) fn renewed(self) -> Pair<R> {
        Pair::ordered(self.high, self.low)
    }

    /// `self / y` for renewed pairs, rounded, from the rounded quotient and what it leaves of `self`.
    #[inline(always)]
    pub(super) fn over(self, y: Pair<R>) -> R {
        let inverse = R::ONE / y.high;
        let quotient = self.high * inverse;
        let rest = (-quotient).mul_add(y.high, self.high) + (-quotient).mul_add(y.low, self.low);
        rest.mul_add(inverse, quotient)
    }

    /// `self / y` for renewed pairs, as a pair.
    #[inline(always)]
    pub(super) fn quotient(self, y: Pair<R>) -> Pair<R> {
        let high = self.high / y.high;
        let rest = (-high).mul_add(y.high, self.high) + ((-high).mul_add(y.low, self.low));
        Pair { high, low: rest / y.high }
    }

    /// The square root of a renewed pair, as a pair.
    #[inline(always)]
    pub(super) fn square_root(self) -> Pair<R> {
        let high = self.high.root();
        let rest = (-high).mul_add(high, self.high) + self.low;
        Pair { high, low: if high > R::ZERO { rest / (high * R::TWO) } else { R::ZERO } }
    }

    /// The sum, rounded.
    #[inline(always)]
    pub(super) fn rounded(self) -> R {
        self.high + self.low
    }
}

/// `x` if it is not above `limit`; NaN stays NaN.
#[inline(always)]
pub(super) fn at_most<R: Real>(x: R, limit: R) -> R {
    if x > limit { limit } else { x }
}

/// `x` if it is not below `limit`; NaN stays NaN.
#[inline(always)]
pub(super) fn at_least<R: Real>(x: R, limit: R) -> R {
    if x < limit { limit } else { x }
}

/// `x` if `first`, else `y`: both are computed.
#[inline(always)]
pub(super) fn select<R>(first: bool, x: R, y: R) -> R {
    if first { x } else { y }
}
