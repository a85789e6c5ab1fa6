//! `pow`, as the exponential of `y log x`.
//!
//! An error in y log x is one in the result, so for `f64` the logarithm is a pair: x = 2^k m with m between the square roots
//! of 1/2 and 2, and log m = 2s (1 + w/3 + w^2/5 + w^3 p(w)) with s = (m - 1) / (m + 1) and w = s^2 (Abramowitz and Stegun,
//! 4.1.27), where all but p are pairs (Dekker, A floating-point technique for extending the available precision, 1971). The
//! minimax polynomial p, by the Remez algorithm, leaves a relative error below 2^-68. `f32` is computed in `f64`, from log2 x
//! within 2^-45 and 2^x within 2^-34.
//!
//! The special values are those of C99 (annex F.9.4.4).

use super::exp::{Exponential, Reduced};
use super::real::{Pair, Real, at_least, at_most, polynomial};

/// p.
const LOGARITHM: &[f64] = &[
    0.14285714285716578,
    0.1111111111000736,
    0.09090909302535258,
    0.07692286464464773,
    0.06667880910660962,
    0.058425352215870065,
    0.05955359603782622,
];

/// 1/3 and 1/5 as sums of two.
const THIRD: Pair<f64> = Pair { high: 0.3333333333333333, low: 1.850371707708594e-17 };
const FIFTH: Pair<f64> = Pair { high: 0.2, low: -1.1102230246251566e-17 };

/// log2 m = s l(s^2), for `f32`.
const LOG2_SINGLE: &[f64] = &[
    2.88539008177785,
    0.9617966941133053,
    0.5770779423770271,
    0.4122092510422938,
    0.3199057552361585,
    0.2828992829199271,
];

/// 2^x for x from -1/2 to 1/2, for `f32`.
const EXP2_SINGLE: &[f64] = &[
    0.9999999999616836,
    0.6931471807284649,
    0.24022651198156947,
    0.055504103534104,
    0.009618027253197388,
    0.001333392258378273,
    0.00015469291344932652,
    1.5201918464916605e-05,
];

/// `a * b` but for the product of the low parts.
#[inline(always)]
fn product(a: Pair<f64>, b: Pair<f64>) -> Pair<f64> {
    Pair::product(a.high, b.high).plus(a.high.mul_add(b.low, a.low * b.high))
}

/// The logarithm of a positive number.
#[inline(always)]
pub(super) fn log(x: f64) -> Pair<f64> {
    let (normal, scaled) = x.normalized();
    let (m, k) = normal.split();
    let k = k - scaled;
    let f = m - 1.0;
    // s by the inverse of the denominator, and what that leaves of f.
    let denominator = Pair::ordered(2.0, f);
    let inverse = 1.0 / denominator.high;
    let high = f * inverse;
    let rest = (-high).mul_add(denominator.low, (-high).mul_add(denominator.high, f));
    let s = Pair { high, low: rest * inverse };
    let w = product(s, s);
    let fifth = Pair::ordered(FIFTH.high, w.high * polynomial(w.high, LOGARITHM)).plus(FIFTH.low);
    let term = product(w, fifth);
    let third = Pair::ordered(THIRD.high, term.high).plus(term.low + THIRD.low);
    let term = product(s, product(w, third));
    let half = Pair::ordered(s.high, term.high).plus(s.low + term.low);
    let low = k.mul_add(f64::LN2_LOW, 2.0 * half.low);
    Pair::ordered(k * f64::LN2_HIGH, 2.0 * half.high).plus(low)
}

/// Whether a number that is not NaN has no fraction.
#[inline(always)]
fn is_whole(y: f64) -> bool {
    let a = y.magnitude();
    let integers = 1.0 / f64::EPSILON;
    (a >= integers) | ((a + integers) - integers == a)
}

/// x^y, given |x|^y for x neither 0 nor infinite and y not NaN.
#[inline(always)]
fn with_specials(x: f64, y: f64, power: f64) -> f64 {
    let a = x.magnitude();
    let limit = if (a == 0.0) == (y < 0.0) { f64::INFINITY } else { 0.0 };
    let power = if (a == 0.0) | (a == f64::INFINITY) { limit } else { power };
    // Only odd numbers have a half with a fraction.
    let (whole, odd) = (is_whole(y), is_whole(y) & !is_whole(y * 0.5));
    let power = if odd { power.with_sign_of(x) } else { power };
    let power = if (x < 0.0) & (a < f64::INFINITY) & !whole { f64::NAN } else { power };
    let power = if x.is_nan() | y.is_nan() { f64::NAN } else { power };
    if (x == 1.0) | (y == 0.0) { 1.0 } else { power }
}

/// y, or where the power of every number but 1 overflows or vanishes, less.
#[inline(always)]
fn limited(y: f64) -> f64 {
    let limit = f64::power_of_two(70.0);
    at_least(at_most(y, limit), -limit)
}

#[inline(always)]
pub(super) fn pow(x: f64, y: f64) -> f64 {
    let (log, factor) = (log(x.magnitude()), limited(y));
    let exponent = Pair::product(factor, log.high).plus(factor * log.low).renewed();
    let high = at_least(at_most(exponent.high, f64::EXP_HIGHEST), f64::EXP_LOWEST);
    let low = if high == exponent.high { exponent.low } else { 0.0 };
    let reduced = Reduced::new(high);
    let power = reduced.power().renewed();
    let power = power.plus(low * power.high).rounded();
    with_specials(x, y, reduced.scale(power))
}

/// The logarithm to base 2 of a positive normal number, within 2^-45.
#[inline(always)]
pub(super) fn log2_single(x: f64) -> f64 {
    let (m, k) = x.split();
    let s = (m - 1.0) / (m + 1.0);
    s.mul_add(polynomial(s * s, LOG2_SINGLE), k)
}

/// `pow` of `f32`, to be rounded.
#[inline(always)]
pub(super) fn pow_single(x: f64, y: f64) -> f64 {
    let exponent = limited(y) * log2_single(x.magnitude());
    // Beyond, the result is 0 or infinite as an `f32`.
    let exponent = at_least(at_most(exponent, 130.0), -152.0);
    let n = (exponent + f64::SHIFT) - f64::SHIFT;
    let power = polynomial(exponent - n, EXP2_SINGLE) * f64::power_of_two(n);
    with_specials(x, y, power)
}
