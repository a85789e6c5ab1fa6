//! The regularised incomplete beta function, differentiable in all arguments.

use super::super::float;
use super::incomplete_gamma::{MOST_TERMS, log1p_minus, stirling};
use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::halves::in_f32;
use crate::ops::while_loop;
use crate::source::called;
use std::f64::consts::PI;

impl Array {
    /// The regularised incomplete beta function with parameters `a` and `b` at `self`: the integral of `t^(a-1) (1-t)^(b-1)`
    /// from 0 to `x`, over that to 1.
    ///
    /// Differentiable in all three arguments, to all orders. Relative error below 1e-13 (`f64`) where the result is not tiny.
    /// NaN outside [0, 1] and for parameters that are not positive.
    ///
    /// ```
    /// use wengert_core::Array;
    ///
    /// let y = Array::from(0.5).betainc(2.0, 2.0).item::<f64>()?;
    /// assert!((y - 0.5).abs() < 1e-15);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    #[track_caller]
    pub fn betainc(&self, a: impl Into<Term>, b: impl Into<Term>) -> Array {
        let _called = called("betainc");
        let [x, a, b] = promote([self.into(), a.into(), b.into()]);
        in_f32!(x = x, a = a, b = b => x.betainc(a, b));
        let (x, a, b) = (&float(&x), &float(&a), &float(&b));
        let parameters = a.gt(0.0) & b.gt(0.0) & a.lt(f64::INFINITY) & b.lt(f64::INFINITY);
        let inside = &parameters & &(x.gt(0.0) & x.lt(1.0));
        let (x1, a1, b1) = (&inside.select(x, 0.5), &inside.select(a, 1.0), &inside.select(b, 1.0));
        // The fraction converges fast below the mean.
        let mirrored = x1.gt((a1 + 1.0) / (a1 + b1 + 2.0));
        let (p, q) = (&mirrored.select(b1, a1), &mirrored.select(a1, b1));
        let rest = &(1.0 - x1);
        let (y, z) = (&mirrored.select(rest, x1), &mirrored.select(x1, rest));
        let part = density(p, q, y, z) / p * fraction(p, q, y, &inside);
        let result = mirrored.select(1.0 - &part, &part);
        let outside = x.eq(0.0).select(0.0, x.eq(1.0).select(1.0, f64::NAN));
        let outside = parameters.select(outside, f64::NAN).convert(x.dtype());
        inside.select(result, outside)
    }
}

/// `x^a y^b / B(a, b)` for `x + y = 1`.
#[track_caller]
fn density(a: &Array, b: &Array, x: &Array, y: &Array) -> Array {
    let large = a.ge(10.0) & b.ge(10.0);
    // Both large: with u = x (a + b) / a - 1 and v likewise, a u + b v = 0, and nothing large cancels.
    let (c, d) = (&large.select(a, 10.0), &large.select(b, 10.0));
    let n = &(c + d);
    let excess = x * d - y * c;
    let of_a = c * log1p_minus(&(&excess / c), &(x * n / c));
    let of_b = d * log1p_minus(&(-&excess / d), &(y * n / d));
    let correction = stirling(n) - stirling(c) - stirling(d);
    let both = (of_a + of_b + correction).exp() * (c * d / (2.0 * PI * n)).sqrt();
    let (c, d) = (&large.select(1.0, a), &large.select(1.0, b));
    let one = (c * x.log() + d * y.log() - log_beta(c, d)).exp();
    large.select(both, one)
}

/// `log B(a, b)` unless both are large.
#[track_caller]
fn log_beta(a: &Array, b: &Array) -> Array {
    let ordered = a.le(b);
    let (small, large) = (&ordered.select(a, b), &ordered.select(b, a));
    let far = large.ge(10.0);
    let near = far.select(1.0, large);
    let of_near = small.lgamma() + near.lgamma() - (small + &near).lgamma();
    // gamma(large) / gamma(small + large), of which the logarithms are large and near each other.
    let large = &far.select(large, 10.0);
    let sum = &(small + large);
    let ratio = (large - 0.5) * (small / large).log1p() + small * sum.log() - small + stirling(sum) - stirling(large);
    far.select(small.lgamma() - ratio, of_near)
}

/// The continued fraction of Press et al., Numerical Recipes, 6.4, by Lentz's algorithm, where `wanted`. When the value has
/// settled, it goes on by a third for the derivatives.
#[track_caller]
fn fraction(a: &Array, b: &Array, x: &Array, wanted: &Array) -> Array {
    let settled = a.dtype().epsilon();
    let (zero, sum) = (&(a * 0.0), &(a + b));
    let d = 1.0 / (1.0 - sum * x / (a + 1.0));
    let start = (zero + 1.0, zero + MOST_TERMS, zero + 1.0, d.clone(), d, wanted.clone());
    let all = while_loop(
        |(_, _, _, _, _, active): (Array, Array, Array, Array, Array, Array)| active.any(),
        |(n, last, c, d, h, active): (Array, Array, Array, Array, Array, Array)| {
            let twice = a + 2.0 * &n;
            let even = &n * (b - &n) * x / ((&twice - 1.0) * &twice);
            let (d1, c1) = (1.0 / (1.0 + &even * &d), 1.0 + &even / &c);
            let odd = -((a + &n) * (sum + &n) * x) / (&twice * (&twice + 1.0));
            let (d2, c2) = (1.0 / (1.0 + &odd * &d1), 1.0 + &odd / &c1);
            let change = &d2 * &c2;
            let now = (&change - 1.0).abs().le(settled) & last.eq(MOST_TERMS);
            let next_last = now.select((&n * (4.0 / 3.0) + 4.0).stop_gradient(), &last);
            let more = n.lt(&next_last);
            let keep = |new: &Array, old: &Array| active.select(new, old);
            (
                keep(&(&n + 1.0), &n),
                keep(&next_last, &last),
                keep(&c2, &c),
                keep(&d2, &d),
                keep(&(&h * d1 * &c1 * change), &h),
                &active & more,
            )
        },
        start,
    );
    all.4
}
