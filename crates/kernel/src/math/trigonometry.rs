//! `sin`, `cos` and `tan`.
//!
//! x = n pi/2 + r with |r| <= pi/4, by Cody and Waite's reduction with pi/2 as a sum of three numbers; the products
//! with n are exact or carried along, so that r, a pair, is right to about twice the precision. sin r = r + r^3 s(r^2)
//! and cos r = 1 - r^2/2 + r^4 c(r^2) with minimax polynomials by the Remez algorithm, of relative error below 2^-27
//! (`f32`) and 2^-56 (`f64`).
//!
//! This holds up to a limit; arguments beyond it are reduced by the `libm` crate (Payne and Hanek's method).

use super::real::{Pair, Real, polynomial};

/// Constants of a type.
pub(super) trait Circular: Real {
    const TWO_OVER_PI: Self;
    /// pi/2, to be added up.
    const HALF_PI: [Self; 3];
    /// s.
    const SINE: &'static [Self];
    /// c.
    const COSINE: &'static [Self];
    /// The largest argument that the reduction is good for.
    const LIMIT: Self;
}

impl Circular for f32 {
    const TWO_OVER_PI: f32 = std::f32::consts::FRAC_2_PI;
    const HALF_PI: [f32; 3] = [std::f32::consts::FRAC_PI_2, -4.371139e-08, -1.7151245e-15];
    const SINE: &'static [f32] = &[-0.16666654, 0.008332131, -0.0001951084];
    const COSINE: &'static [f32] = &[0.041666646, -0.0013887306, 2.4431207e-05];
    const LIMIT: f32 = 65536.0;
}

impl Circular for f64 {
    const TWO_OVER_PI: f64 = std::f64::consts::FRAC_2_PI;
    const HALF_PI: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591698e-33];
    const SINE: &'static [f64] = &[
        -0.1666666666666663,
        0.008333333333321988,
        -0.0001984126982945163,
        2.7557313563199684e-06,
        -2.5050737216838114e-08,
        1.589554435358032e-10,
    ];
    const COSINE: &'static [f64] = &[
        0.041666666666666595,
        -0.0013888888888873541,
        2.4801587289100864e-05,
        -2.755731423757035e-07,
        2.0875707099162684e-09,
        -1.1358782824582e-11,
    ];
    const LIMIT: f64 = 1e9;
}

/// r, and n in the lowest bits of a number.
#[inline(always)]
fn reduce<R: Circular>(x: R) -> (Pair<R>, R) {
    let shifted = x.mul_add(R::TWO_OVER_PI, R::SHIFT);
    let n = shifted - R::SHIFT;
    let [first, second, third] = R::HALF_PI;
    // Exact: a multiple of the last bit of x or of `first`, and not large.
    let rest = (-n).mul_add(first, x);
    let product = n * second;
    let lost = n.mul_add(second, -product);
    let Pair { high, low } = Pair::sum(rest, -product);
    (Pair::ordered(high, (-n).mul_add(third, low - lost)), shifted)
}

/// sin r.
#[inline(always)]
fn sine<R: Circular>(r: Pair<R>) -> Pair<R> {
    let square = r.high * r.high;
    let slope = square.mul_add(-R::HALF, R::ONE);
    let low = (r.high * square).mul_add(polynomial(square, R::SINE), r.low * slope);
    Pair { high: r.high, low }
}

/// cos r.
#[inline(always)]
fn cosine<R: Circular>(r: Pair<R>) -> Pair<R> {
    let square = r.high * r.high;
    let half = -(r.high * R::HALF);
    let high = half.mul_add(r.high, R::ONE);
    let low = half.mul_add(r.high, R::ONE - high);
    let low = (square * square).mul_add(polynomial(square, R::COSINE), low);
    Pair { high, low: (-r.high).mul_add(r.low, low) }
}

#[inline(always)]
fn choose<R>(first: bool, x: Pair<R>, y: Pair<R>) -> Pair<R> {
    Pair { high: if first { x.high } else { y.high }, low: if first { x.low } else { y.low } }
}

/// The sine of a number up to the limit.
#[inline(always)]
pub(super) fn sin<R: Circular>(x: R) -> R {
    let (r, n) = reduce(x);
    let (odd, sign) = n.quadrant(0);
    let y = choose(odd, cosine(r), sine(r)).rounded().times_sign_of(sign);
    if x == R::ZERO { x } else { y }
}

/// The cosine of a number up to the limit.
#[inline(always)]
pub(super) fn cos<R: Circular>(x: R) -> R {
    let (r, n) = reduce(x);
    let (odd, sign) = n.quadrant(1);
    choose(odd, cosine(r), sine(r)).rounded().times_sign_of(sign)
}

/// The tangent of a number up to the limit.
#[inline(always)]
pub(super) fn tan<R: Circular>(x: R) -> R {
    let (r, n) = reduce(x);
    let (odd, _) = n.quadrant(0);
    let (sine, cosine) = (sine(r).renewed(), cosine(r).renewed());
    let y = choose(odd, cosine, sine).over(choose(odd, sine, cosine));
    let y = if odd { -y } else { y };
    if x == R::ZERO { x } else { y }
}
