//! `exp`, `exp2`, `expm1` and the functions made of them: `sinh`, `cosh`, `tanh`, `logistic`.
//!
//! Argument reduction by Cody and Waite (Software Manual for the Elementary Functions, 1980): x = n log 2 + r with
//! |r| <= log 2 / 2, so that e^x = 2^n (1 + r + r^2 q(r)). The polynomials q are minimax, by the Remez algorithm; their
//! relative error in e^r is below 2^-29 (`f32`) and 2^-60 (`f64`). What rounding loses of r and of 1 + r is carried
//! along as the low part of a [`Pair`].

use super::real::{Pair, Real, at_least, at_most, polynomial};

/// Constants of a type.
pub(super) trait Exponential: Real {
    const LOG2_E: Self;
    /// log 2 as a sum of two.
    const LN2: [Self; 2];
    /// Above, 2^x is infinite.
    const EXP2_HIGHEST: Self;
    /// Below, 2^x rounds to 0.
    const EXP2_LOWEST: Self;
    /// q.
    const COEFFICIENTS: &'static [Self];
    /// Above, e^x is infinite; 2^n still is the square of a number.
    const EXP_HIGHEST: Self;
    /// Below, e^x rounds to 0.
    const EXP_LOWEST: Self;
    /// Below, e^x - 1 rounds to -1.
    const EXPM1_LOWEST: Self;
    /// Above, sinh and cosh are infinite; 2^n / 4 still is a number.
    const SINH_HIGHEST: Self;
    /// Above, tanh rounds to 1.
    const TANH_HIGHEST: Self;
    /// Below, sinh and expm1 of x round to x; squares of such numbers may vanish.
    const TINY: Self;
}

impl Exponential for f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2: [f32; 2] = [std::f32::consts::LN_2, -1.9046542e-9];
    const EXP2_HIGHEST: f32 = 129.0;
    const EXP2_LOWEST: f32 = -152.0;
    const COEFFICIENTS: &'static [f32] = &[0.5, 0.16666666, 0.04166629, 0.008333499, 0.0013944868, 0.00019789995];
    const EXP_HIGHEST: f32 = 89.0;
    const EXP_LOWEST: f32 = -104.0;
    const EXPM1_LOWEST: f32 = -20.0;
    const SINH_HIGHEST: f32 = 89.5;
    const TANH_HIGHEST: f32 = 10.0;
    const TINY: f32 = 1e-12;
}

impl Exponential for f64 {
    const LOG2_E: f64 = std::f64::consts::LOG2_E;
    const LN2: [f64; 2] = [std::f64::consts::LN_2, 2.3190468138462996e-17];
    const EXP2_HIGHEST: f64 = 1025.0;
    const EXP2_LOWEST: f64 = -1077.0;
    const COEFFICIENTS: &'static [f64] = &[
        0.5,
        0.16666666666666682,
        0.04166666666666608,
        0.008333333333316787,
        0.0013888888889119883,
        0.0001984126989701319,
        2.4801586921121867e-05,
        2.755723421846623e-06,
        2.755758468674236e-07,
        2.511226553250537e-08,
        2.0826223984435595e-09,
    ];
    const EXP_HIGHEST: f64 = 710.0;
    const EXP_LOWEST: f64 = -746.0;
    const EXPM1_LOWEST: f64 = -40.0;
    const SINH_HIGHEST: f64 = 710.5;
    const TANH_HIGHEST: f64 = 20.0;
    const TINY: f64 = 1e-30;
}

/// `e^x = 2^n (1 + r + rest)`.
pub(super) struct Reduced<R> {
    n: R,
    r: R,
    rest: R,
}

impl<R: Exponential> Reduced<R> {
    #[inline(always)]
    pub(super) fn new(x: R) -> Self {
        let n = x.mul_add(R::LOG2_E, R::SHIFT) - R::SHIFT;
        let high = (-n).mul_add(R::LN2_HIGH, x);
        let Pair { high: r, low } = Pair::ordered(high, -(n * R::LN2_LOW));
        Reduced { n, r, rest: (r * r).mul_add(polynomial(r, R::COEFFICIENTS), low) }
    }

    /// e^x / 2^n.
    #[inline(always)]
    pub(super) fn power(&self) -> Pair<R> {
        Pair::ordered(R::ONE, self.r).plus(self.rest)
    }

    /// (e^x - 1) 2^shift, when 2^(n + shift) is a normal number.
    #[inline(always)]
    fn power_minus_one(&self, shift: R) -> Pair<R> {
        let scale = R::power_of_two(self.n + shift);
        // 0 for n = 0, else larger than what is added.
        let whole = Pair::ordered(scale, -R::power_of_two(shift));
        let Pair { high, low } = Pair::ordered(whole.high, scale * self.r);
        Pair { high, low: scale.mul_add(self.rest, low + whole.low) }
    }

    /// y 2^n, also where that is subnormal or infinite.
    #[inline(always)]
    pub(super) fn scale(&self, y: R) -> R {
        let half = self.n.mul_add(R::HALF, R::SHIFT) - R::SHIFT;
        y * R::power_of_two(half) * R::power_of_two(self.n - half)
    }
}

#[inline(always)]
pub(super) fn exp<R: Exponential>(x: R) -> R {
    let reduced = Reduced::new(at_least(at_most(x, R::EXP_HIGHEST), R::EXP_LOWEST));
    reduced.scale(reduced.power().rounded())
}

/// With x = n + f: 2^x = 2^n e^(f log 2).
#[inline(always)]
pub(super) fn exp2<R: Exponential>(x: R) -> R {
    let x = at_least(at_most(x, R::EXP2_HIGHEST), R::EXP2_LOWEST);
    let n = (x + R::SHIFT) - R::SHIFT;
    let [high, low] = R::LN2;
    let Pair { high: r, low: lost } = Pair::product(x - n, high);
    let low = (x - n).mul_add(low, lost);
    let reduced = Reduced { n, r, rest: (r * r).mul_add(polynomial(r, R::COEFFICIENTS), low) };
    reduced.scale(reduced.power().rounded())
}

#[inline(always)]
pub(super) fn expm1<R: Exponential>(x: R) -> R {
    // Half of the result, for 2^n may be too large a number.
    let half = Reduced::new(at_least(at_most(x, R::EXP_HIGHEST), R::EXPM1_LOWEST)).power_minus_one(-R::ONE);
    if x.magnitude() < R::TINY { x } else { half.rounded() * R::TWO }
}

/// With t = e^|x| - 1: sinh |x| = (t + t / (1 + t)) / 2.
#[inline(always)]
pub(super) fn sinh<R: Exponential>(x: R) -> R {
    let reduced = Reduced::new(at_most(x.magnitude(), R::SINH_HIGHEST));
    let quarter = reduced.power_minus_one(-R::TWO).renewed();
    let four = R::TWO + R::TWO;
    // The second summand is 1/4 to the last bit long before 4 `quarter` overflows.
    let large = quarter.high > R::SHIFT * R::SHIFT;
    let high = if large { R::SHIFT * R::SHIFT } else { quarter.high };
    let low = if large { R::ZERO } else { quarter.low };
    let second = Pair { high, low }.over(Pair::sum(R::ONE, four * high).plus(four * low));
    let half = Pair::ordered(quarter.high, second).plus(quarter.low).rounded();
    if x.magnitude() < R::TINY { x } else { (half * R::TWO).with_sign_of(x) }
}

/// With t = e^|x| - 1: cosh x = 1 + t (t / (1 + t)) / 2, so that what is added to 1 is right even where it is small.
#[inline(always)]
pub(super) fn cosh<R: Exponential>(x: R) -> R {
    let reduced = Reduced::new(at_most(x.magnitude(), R::SINH_HIGHEST));
    let Pair { high, low } = reduced.power_minus_one(-R::TWO).renewed();
    // Quarters of numerator and denominator.
    let sum = Pair::sum(R::HALF * R::HALF, high).plus(low).renewed();
    let q = Pair { high, low }.quotient(sum);
    let half_q = Pair { high: R::HALF * q.high, low: R::HALF * q.low };
    let product = Pair::product(high, half_q.high).plus(high.mul_add(half_q.low, low * half_q.high));
    let quarter = Pair::sum(R::HALF * R::HALF, product.high).plus(product.low);
    quarter.rounded() * (R::TWO + R::TWO)
}

/// With t = e^|2x| - 1: tanh |x| = t / (t + 2).
#[inline(always)]
pub(super) fn tanh<R: Exponential>(x: R) -> R {
    let reduced = Reduced::new(at_most(x.magnitude(), R::TANH_HIGHEST) * R::TWO);
    let t = reduced.power_minus_one(R::ZERO).renewed();
    t.over(Pair::sum(R::TWO, t.high).plus(t.low)).with_sign_of(x)
}

/// With p = e^-|x|: 1 / (1 + p), or p / (1 + p) for negative x.
#[inline(always)]
pub(super) fn logistic<R: Exponential>(x: R) -> R {
    let reduced = Reduced::new(at_least(-x.magnitude(), R::EXP_LOWEST));
    let power = reduced.power().renewed();
    // Where this vanishes, so does its part in the sum.
    let scale = reduced.scale(R::ONE);
    let sum = Pair::ordered(R::ONE, power.high * scale).plus(power.low * scale);
    let high = if x < R::ZERO { power.high } else { R::ONE };
    let low = if x < R::ZERO { power.low } else { R::ZERO };
    let quotient = Pair { high, low }.over(sum);
    if x < R::ZERO { reduced.scale(quotient) } else { quotient }
}
