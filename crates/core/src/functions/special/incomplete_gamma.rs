//! The regularised incomplete gamma functions, differentiable in both arguments: loops of which the derivatives are those of
//! the loops' steps.

use super::super::float;
use super::horner;
use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::halves::in_f32;
use crate::ops::while_loop;
use crate::source::called;
use std::f64::consts::PI;
use wengert_kernel::DType;

/// More terms than any argument takes for which the result is neither 0 nor 1, up to about a = 1e8.
pub(super) const MOST_TERMS: f64 = 100_000.0;

/// Up to which a the function above x is computed for itself.
const SMALL: f64 = 0.2;

impl Array {
    /// The regularised lower incomplete gamma function `P(self, x)`: the integral of `t^(a-1) exp(-t)` from 0 to `x`, over
    /// that to infinity. JAX's and SciPy's `gammainc`.
    ///
    /// Differentiable in both arguments, to all orders. Relative error below 1e-13 (`f64`) where the result is not tiny. NaN
    /// for negative arguments.
    ///
    /// ```
    /// use wengert_core::Array;
    ///
    /// let y = Array::from(1.0).igamma(2.0).item::<f64>()?;
    /// assert!((y - (1.0 - (-2f64).exp())).abs() < 1e-15);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    #[track_caller]
    pub fn igamma(&self, x: impl Into<Term>) -> Array {
        let _called = called("igamma");
        let [a, x] = promote([self.into(), x.into()]);
        incomplete(&float(&a), &float(&x), true)
    }

    /// `1 - igamma(self, x)`, exact where it is small. JAX's and SciPy's `gammaincc`. See [`Array::igamma`].
    ///
    /// ```
    /// use wengert_core::Array;
    ///
    /// let y = Array::from(1.0).igammac(50.0).item::<f64>()?;
    /// assert!((y / (-50f64).exp() - 1.0).abs() < 1e-13);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    #[track_caller]
    pub fn igammac(&self, x: impl Into<Term>) -> Array {
        let _called = called("igammac");
        let [a, x] = promote([self.into(), x.into()]);
        incomplete(&float(&a), &float(&x), false)
    }
}

#[track_caller]
fn incomplete(a: &Array, x: &Array, lower: bool) -> Array {
    in_f32!(a = a, x = x => incomplete(a, x, lower));
    let inside = a.gt(0.0) & x.gt(0.0) & a.lt(f64::INFINITY) & x.lt(f64::INFINITY);
    let (b, y) = (&inside.select(a, 1.0), &inside.select(x, 1.0));
    let below = y.lt(b + 1.0);
    let density = density(b, y);
    // P = x^a exp(-x) / gamma(a + 1) times the series; 1 - P = x^a exp(-x) / gamma(a) times the fraction.
    let of_series = &density * series(b, y, &(&inside & &below));
    let of_fraction = &density * b * fraction(b, y, &(&inside & &(!&below)));
    let result = if lower {
        below.select(of_series, 1.0 - of_fraction)
    } else {
        // Where P is close to 1 for a small a, a difference to 1 would have no digits.
        let small = b.lt(SMALL) & &below;
        let of_small = upper_of_small(&small.select(b, SMALL), &small.select(y, 1.0));
        small.select(of_small, below.select(1.0 - of_series, of_fraction))
    };
    // At x = 0, at x = infinity and at a = 0, which is the limit of ever steeper steps at 0.
    let (none, all) = if lower { (0.0, 1.0) } else { (1.0, 0.0) };
    let infinite = x.eq(f64::INFINITY) & a.ge(0.0) & a.lt(f64::INFINITY);
    let all_there = infinite | (a.eq(0.0) & x.gt(0.0));
    let none_there = x.eq(0.0) & a.gt(0.0);
    let outside = all_there.select(all, none_there.select(none, f64::NAN));
    let outside = outside.convert(a.dtype());
    inside.select(result, outside)
}

/// `log gamma(1 + a)` for small a, exact to the last digits also where it is tiny (Abramowitz and Stegun, 6.1.33).
#[track_caller]
fn log_gamma_1p(a: &Array) -> Array {
    /// Euler's constant, then `zeta(k) / k`, with alternating signs.
    const COEFFICIENTS: [f64; 25] = [
        -0.5772156649015329,
        0.8224670334241132,
        -0.40068563438653143,
        0.27058080842778454,
        -0.20738555102867398,
        0.1695571769974082,
        -0.1440498967688461,
        0.12550966952474304,
        -0.11133426586956469,
        0.1000994575127818,
        -0.09095401714582904,
        0.083353840546109,
        -0.0769325164113522,
        0.07143294629536133,
        -0.06666870588242046,
        0.06250095514121304,
        -0.058823978658684585,
        0.055555767627403614,
        -0.05263167937961666,
        0.05000004769810169,
        -0.047619070330142226,
        0.04545455629320467,
        -0.04347826605304026,
        0.04166666915034121,
        -0.04000000119214014,
    ];
    a * horner(a, &COEFFICIENTS)
}

/// `1 - P` for small a and x: `1 - z - z a (-x / (a + 1) + x^2 / (2! (a + 2)) - ...)` with `z = x^a / gamma(a + 1)`, which is
/// close to 1 (Abramowitz and Stegun, 6.5.29).
#[track_caller]
fn upper_of_small(a: &Array, x: &Array) -> Array {
    let log_z = a * x.log() - log_gamma_1p(a);
    let mut term = -x;
    let mut sum = &term / (a + 1.0);
    for k in 2..=20 {
        term = term * x * (-1.0 / f64::from(k));
        sum += &term / (a + f64::from(k));
    }
    -log_z.expm1() - log_z.exp() * a * sum
}

/// `x^a exp(-x) / gamma(a + 1)`.
#[track_caller]
fn density(a: &Array, x: &Array) -> Array {
    let large = a.ge(10.0);
    // Small a: no factor overflows where the result is not 0.
    let greatest = if x.dtype() == DType::F32 { 200.0 } else { 1000.0 };
    let (b, y) = (large.select(1.0, a), x.minimum(greatest));
    let small = y.pow(&b) * (-&y).exp() * (-(b + 1.0).lgamma()).exp();
    // Large a: with m = (x - a) / a it is exp(a (log(1 + m) - m)) / sqrt(2 pi a) / (1 + ...), in which nothing large cancels.
    let b = large.select(a, 10.0);
    let excess = log1p_minus(&((x - &b) / &b), &(x / &b));
    let y = (&b * excess - stirling(&b)).exp() / (2.0 * PI * b).sqrt();
    large.select(y, small)
}

/// `log(1 + m) - m`, with `ratio = 1 + m`, of which m has lost digits when it is small.
#[track_caller]
pub(super) fn log1p_minus(m: &Array, ratio: &Array) -> Array {
    let near = m.abs().lt(0.5);
    near.select(near.select(m, 0.0).log1p(), near.select(1.0, ratio).log()) - m
}

/// `log gamma(a + 1) - (a log a - a + log(2 pi a) / 2)` for a from 10 on (Abramowitz and Stegun, 6.1.41).
#[track_caller]
pub(super) fn stirling(a: &Array) -> Array {
    const COEFFICIENTS: [f64; 8] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
        -3617.0 / 122_400.0,
    ];
    let inverse = 1.0 / a;
    &inverse * horner(&inverse.square(), &COEFFICIENTS)
}

/// `1 + x / (a + 1) + x^2 / ((a + 1) (a + 2)) + ...` where `wanted`. Each element stops for itself, so that it does not
/// depend on its neighbours; late enough for the derivatives, whose terms are larger by powers of log n.
#[track_caller]
fn series(a: &Array, x: &Array, wanted: &Array) -> Array {
    let enough = a.dtype().epsilon() * 1e-4;
    let one = a * 0.0 + 1.0;
    let start = (one.clone(), one.clone(), one, wanted.clone());
    let (_, _, sum, _) = while_loop(
        |(_, _, _, active): (Array, Array, Array, Array)| active.any(),
        |(n, term, sum, active): (Array, Array, Array, Array)| {
            let next = &term * x / (a + &n);
            let total = &sum + &next;
            let more = next.gt(&total * enough) & n.lt(MOST_TERMS);
            let keep = |new: &Array, old: &Array| active.select(new, old);
            (keep(&(&n + 1.0), &n), keep(&next, &term), keep(&total, &sum), &active & more)
        },
        start,
    );
    sum
}

/// `1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / (x + 5 - a - ...)))` where `wanted`, by Lentz's algorithm
/// (Press et al., Numerical Recipes, 5.2 and 6.2). When the value has settled, it goes on by a third for the derivatives.
#[track_caller]
fn fraction(a: &Array, x: &Array, wanted: &Array) -> Array {
    let settled = a.dtype().epsilon();
    let b = &wanted.select(x + 1.0 - a, 1.0);
    let zero = &(a * 0.0);
    // The first step with c infinite.
    let d = 1.0 / b;
    let start = (zero + 1.0, zero + MOST_TERMS, zero.clone(), d.clone(), d, wanted.clone());
    let all = while_loop(
        |(_, _, _, _, _, active): (Array, Array, Array, Array, Array, Array)| active.any(),
        |(n, last, inverse_c, d, h, active): (Array, Array, Array, Array, Array, Array)| {
            let factor = &n * (a - &n);
            let b = b + 2.0 * &n;
            let next_d = 1.0 / (&factor * &d + &b);
            let c = &b + &factor * &inverse_c;
            let change = &next_d * &c;
            let now = (&change - 1.0).abs().le(settled) & last.eq(MOST_TERMS);
            let next_last = now.select((&n * (4.0 / 3.0) + 4.0).stop_gradient(), &last);
            let more = n.lt(&next_last);
            let keep = |new: &Array, old: &Array| active.select(new, old);
            (
                keep(&(&n + 1.0), &n),
                keep(&next_last, &last),
                keep(&(1.0 / &c), &inverse_c),
                keep(&next_d, &d),
                keep(&(&h * change), &h),
                &active & more,
            )
        },
        start,
    );
    all.4
}
