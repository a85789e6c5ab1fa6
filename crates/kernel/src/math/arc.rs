//! `asin`, `acos`, `atan` and `atan2`.
//!
//! Angles are a multiple of pi/4 and the arc tangent or arc sine of a small number, as in Cody and Waite, Software Manual
//! for the Elementary Functions, 1980: atan t = pi/4 + atan((t - 1) / (t + 1)), and for x above 1/2
//! acos x = 2 asin sqrt((1 - x) / 2). Quotients and roots are pairs. Then atan t = t + t w p(w) and asin t = t + t w q(w)
//! with w = t^2 and minimax polynomials by the Remez algorithm, whose relative error in the function is below 2^-30
//! (`f32`) and 2^-59 (`f64`).

use super::real::{Pair, Real, at_most, polynomial, select};

/// Constants of a type.
pub(super) trait Arc: Real {
    /// pi/4 as a sum of two.
    const QUARTER_PI: [Self; 2];
    /// tan(pi/8).
    const TAN_EIGHTH: Self;
    /// p, for w up to tan^2(pi/8).
    const TANGENT: &'static [Self];
    /// q, for w up to 1/4.
    const SINE: &'static [Self];
    /// Of two numbers up to this their sum is finite, and products of them with the last bit of another are.
    const LARGE: Self;
    /// Numbers from this on have squares far from the subnormals.
    const SMALL: Self;
    /// Takes numbers below `SMALL` above it, and, divided by, those above `LARGE` below it.
    const SCALE: Self;
    /// Below, the arc tangent of t is t to the last bit.
    const TINY: Self;
}

impl Arc for f32 {
    const QUARTER_PI: [f32; 2] = [std::f32::consts::FRAC_PI_4, -2.1855694e-08];
    const TAN_EIGHTH: f32 = 0.41421357;
    const TANGENT: &'static [f32] = &[-0.33333316, 0.19998467, -0.14243439, 0.10593033, -0.060760584];
    const SINE: &'static [f32] = &[0.1666666, 0.07500511, 0.044515803, 0.031817015, 0.014404505, 0.037562992];
    // 2^100, 2^-60, 2^100 and 2^-14.
    const LARGE: f32 = 1.2676506e30;
    const SMALL: f32 = 8.6736174e-19;
    const SCALE: f32 = 1.2676506e30;
    const TINY: f32 = 6.1035156e-5;
}

impl Arc for f64 {
    const QUARTER_PI: [f64; 2] = [std::f64::consts::FRAC_PI_4, 3.061616997868383e-17];
    const TAN_EIGHTH: f64 = 0.41421356237309503;
    const TANGENT: &'static [f64] = &[
        -0.333333333333332,
        0.1999999999995325,
        -0.14285714280166656,
        0.11111110782159143,
        -0.09090897725354447,
        0.07692059718997662,
        -0.06663099219003026,
        0.058478593679425,
        -0.050391907897983715,
        0.03806214778773302,
        -0.017905046879367,
    ];
    const SINE: &'static [f64] = &[
        0.16666666666666763,
        0.07499999999970261,
        0.044642857175121176,
        0.030381942683605338,
        0.022372215660513405,
        0.01735160008959842,
        0.01398096146639032,
        0.011397775919772679,
        0.010786529304726962,
        0.0036830410657851436,
        0.021763501946714173,
        -0.0210772974588765,
        0.03267689393487052,
    ];
    // 2^1000, 2^-500, 2^600 and 2^-30.
    const LARGE: f64 = 1.0715086071862673e301;
    const SMALL: f64 = 3.054936363499605e-151;
    const SCALE: f64 = 4.149515568880993e180;
    const TINY: f64 = 9.313225746154785e-10;
}

/// `quarters * pi/4 + t + t w series(w)`, where t, a pair, is not above pi/4, and smaller than the multiple unless that is 0.
#[inline(always)]
fn angle<R: Arc>(quarters: R, t: Pair<R>, w: R, series: &[R]) -> R {
    let turned = Pair::product(quarters, R::QUARTER_PI[0]).plus(quarters * R::QUARTER_PI[1]);
    let small = (t.high * w).mul_add(polynomial(w, series), t.low);
    Pair::ordered(turned.high, t.high).plus(turned.low + small).rounded()
}

/// The angle to `quarters * pi/4` or from it (a sign of -1) of the number t up to tan(pi/8).
#[inline(always)]
fn tangent_angle<R: Arc>(quarters: R, sign: R, t: Pair<R>) -> R {
    let w = t.high * t.high;
    // What is added to t turns the angle by so much less.
    let low = t.low * (R::ONE - w);
    angle(quarters, Pair { high: t.high * sign, low: low * sign }, w, R::TANGENT)
}

/// `n / d`, or `(n - d) / (n + d)`, for n from 0 to d.
#[inline(always)]
fn reduced<R: Arc>(n: R, d: R, turned: bool) -> Pair<R> {
    let (difference, sum) = (Pair::ordered(-d, n), Pair::ordered(d, n));
    let numerator = Pair { high: select(turned, difference.high, n), low: select(turned, difference.low, R::ZERO) };
    let denominator = Pair { high: select(turned, sum.high, d), low: select(turned, sum.low, R::ZERO) };
    numerator.quotient(denominator)
}

#[inline(always)]
pub(super) fn atan<R: Arc>(x: R) -> R {
    // Beyond, the angle is pi/2 to the last bit.
    let a = at_most(x.magnitude(), R::SHIFT * R::SHIFT);
    let beyond = a > R::ONE;
    let (n, d) = (select(beyond, R::ONE, a), select(beyond, a, R::ONE));
    let turned = n > d * R::TAN_EIGHTH;
    let quarters = select(turned, R::ONE, R::ZERO);
    let quarters = select(beyond, R::TWO - quarters, quarters);
    let sign = select(beyond, -R::ONE, R::ONE);
    tangent_angle(quarters, sign, reduced(n, d, turned)).with_sign_of(x)
}

/// The smaller coordinate over the larger one has the angle to the nearest axis, from which that to the first follows.
#[inline(always)]
pub(super) fn atan2<R: Arc>(y: R, x: R) -> R {
    let (a, b) = (y.magnitude(), x.magnitude());
    let steep = a > b;
    let (n, d) = (select(steep, b, a), select(steep, a, b));
    let d = select(d == R::ZERO, R::ONE, d);
    let quotient = n / d;
    let infinite = d == R::INFINITY;
    let one_or_none = select(n == R::INFINITY, R::ONE, R::ZERO);
    let (n, d) = (select(infinite, one_or_none, n), select(infinite, R::ONE, d));
    let (small, large) = (d < R::SMALL, d > R::LARGE);
    let scale = select(small, R::SCALE, R::ONE);
    let scale = select(large, R::ONE / R::SCALE, scale);
    let (n, d) = (n * scale, d * scale);
    let turned = n > d * R::TAN_EIGHTH;
    let t = reduced(n, d, turned);
    // Scaled down, what is left of a division may vanish; here it is nothing.
    let tiny = n < d * R::TINY;
    let t = Pair { high: select(tiny, quotient, t.high), low: select(tiny, R::ZERO, t.low) };
    let left = R::ONE.with_sign_of(x) < R::ZERO;
    let quarters = select(turned, R::ONE, R::ZERO);
    let quarters = select(steep, R::TWO - quarters, quarters);
    let quarters = select(left, R::TWO + R::TWO - quarters, quarters);
    let angle = tangent_angle(quarters, select(steep != left, -R::ONE, R::ONE), t);
    // Comparisons with NaN are false, so it may be lost above.
    select(x.is_nan() | y.is_nan(), R::NAN, angle.with_sign_of(y))
}

/// `t = |x|`, or for x above 1/2 `t = sqrt((1 - x) / 2)`, and its square.
#[inline(always)]
fn half_angle<R: Arc>(a: R, large: bool) -> (Pair<R>, R) {
    let w = select(large, (R::ONE - a) * R::HALF, a * a);
    let root = Pair { high: w, low: R::ZERO }.square_root();
    (Pair { high: select(large, root.high, a), low: select(large, root.low, R::ZERO) }, w)
}

/// asin |x| is asin t, or pi/2 - 2 asin t.
#[inline(always)]
pub(super) fn asin<R: Arc>(x: R) -> R {
    let a = x.magnitude();
    let large = a > R::HALF;
    let (t, w) = half_angle(a, large);
    let factor = select(large, -R::TWO, R::ONE);
    let t = Pair { high: t.high * factor, low: t.low * factor };
    angle(select(large, R::TWO, R::ZERO), t, w, R::SINE).with_sign_of(x)
}

/// acos x is pi/2 - asin x, and where x is beyond 1/2 or -1/2, 2 asin t or pi - 2 asin t.
#[inline(always)]
pub(super) fn acos<R: Arc>(x: R) -> R {
    let a = x.magnitude();
    let large = a > R::HALF;
    let left = x < R::ZERO;
    let (t, w) = half_angle(a, large);
    let quarters = select(left, R::TWO + R::TWO, R::ZERO);
    let quarters = select(large, quarters, R::TWO);
    let factor = select(large, R::TWO, -R::ONE);
    let factor = select(left, -factor, factor);
    angle(quarters, Pair { high: t.high * factor, low: t.low * factor }, w, R::SINE)
}
