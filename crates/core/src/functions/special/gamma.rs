//! The derivatives of the logarithm of the gamma function, and the Hurwitz zeta function.

use super::super::float;
use super::horner;
use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::halves::in_f32;
use crate::source::called;
use std::f64::consts::PI;

/// The Bernoulli numbers B(2), B(4), ... (Abramowitz and Stegun, table 23.2).
const BERNOULLI: [f64; 10] = [
    1.0 / 6.0,
    -1.0 / 30.0,
    1.0 / 42.0,
    -1.0 / 30.0,
    5.0 / 66.0,
    -691.0 / 2730.0,
    7.0 / 6.0,
    -3617.0 / 510.0,
    43867.0 / 798.0,
    -174611.0 / 330.0,
];

impl Array {
    /// The `n`-th derivative of [`Array::digamma`], which `polygamma(0)` is. Relative error below 1e-13 away from zeros, for
    /// `n` up to 10. At 0, -1, -2, ... it is infinite for odd `n`
    /// and NaN for even.
    ///
    /// ```
    /// use wengert_core::Array;
    ///
    /// let y = Array::from(1.0).polygamma(1).item::<f64>()?;
    /// assert!((y - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    #[track_caller]
    pub fn polygamma(&self, n: u32) -> Array {
        let _called = called("polygamma");
        in_f32!(x = self => x.polygamma(n));
        let x = &float(self);
        if n == 0 {
            return x.digamma();
        }
        let reflected = x.lt(0.0);
        let sign = if n % 2 == 1 { 1.0 } else { -1.0 };
        let y = sign * from_recurrence(&reflected.select(1.0 - x, x), n);
        // With c = cot(pi x): digamma(x) = digamma(1 - x) - pi c, and c' = -pi (1 + c^2), so that the n-th derivative of c is
        // a polynomial in c (Abramowitz and Stegun, 6.4.7).
        let fraction = reflected.select(x - x.round(), 0.25);
        let c = 1.0 / (PI * fraction).tan();
        let reflection = horner(&c, &cotangent_derivative(n));
        let y = reflected.select(-sign * &y - PI * reflection, y);
        if n % 2 == 1 {
            return y;
        }
        // The sign changes there.
        let pole = x.le(0.0) & x.eq(x.floor());
        pole.select(f64::NAN, y)
    }

    /// The Hurwitz zeta function, the sum of `(q + k)^-self` over `k = 0, 1, 2, ...`, differentiable in both. Infinite at
    /// exponent 1 and at `q = 0`; NaN for exponents below 1 and negative `q`.
    ///
    /// ```
    /// use wengert_core::Array;
    ///
    /// let y = Array::from(2.0).zeta(1.0).item::<f64>()?;
    /// assert!((y - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    #[track_caller]
    pub fn zeta(&self, q: impl Into<Term>) -> Array {
        let _called = called("zeta");
        let [s, q] = promote([self.into(), q.into()]);
        in_f32!(s = s, q = q => s.zeta(q));
        let (s, q) = (&float(&s), &float(&q));
        let defined = s.gt(1.0) & q.gt(0.0);
        let (t, z) = (&defined.select(s, 2.0), &defined.select(q, 1.0));
        let w = z + 10.0;
        let power = w.pow(-t);
        let inverse = 1.0 / &w;
        let square = inverse.square();
        // By the Euler-Maclaurin formula: s (s + 1) ... (s + 2k - 2) B(2k) / (2k)! w^(-s - 2k + 1).
        let mut rising = t * &inverse;
        let mut tail = &w / (t - 1.0) + 0.5;
        let mut factorial = 2.0;
        for (b, k) in BERNOULLI.iter().zip(1..) {
            tail += &rising * (b / factorial);
            let i = 2.0 * f64::from(k);
            rising = rising * ((t + (i - 1.0)) * (t + i)) * &square;
            factorial *= (i + 1.0) * (i + 2.0);
        }
        let mut sum = power * tail;
        for k in (0..10).rev() {
            sum += (z + f64::from(k)).pow(-t);
        }
        // An infinite q has lost the terms to NaN.
        let sum = z.is_inf().select(0.0, sum);
        let infinite = (s.eq(1.0) & q.ge(0.0)) | (q.eq(0.0) & s.gt(1.0));
        defined.select(sum, infinite.select(f64::INFINITY, f64::NAN).convert(s.dtype()))
    }
}

/// `n!` times the sum of `(z + k)^-(n + 1)`: the first terms as they are, the rest by the Euler-Maclaurin formula
/// (Abramowitz and Stegun, 6.4.11).
#[track_caller]
fn from_recurrence(z: &Array, n: u32) -> Array {
    let terms = 12 + n;
    let factorial = |n: u32| (1..=n).map(f64::from).product::<f64>();
    let inverse = 1.0 / (z + f64::from(terms));
    let square = inverse.square();
    let coefficient = |(b, k): (&f64, u32)| b * (2 * k + 1..2 * k + n).map(f64::from).product::<f64>();
    let coefficients: Vec<f64> = BERNOULLI.iter().zip(1..).map(coefficient).collect();
    let tail = &square * horner(&square, &coefficients);
    let series = factorial(n - 1) + &inverse * (factorial(n) / 2.0) + tail;
    let mut sum = series * inverse.powi(n as i32);
    for k in (0..terms).rev() {
        sum += factorial(n) / (z + f64::from(k)).powi(n as i32 + 1);
    }
    sum
}

/// The coefficients of the `n`-th derivative of `c = cot(pi x)` as a polynomial in c.
fn cotangent_derivative(n: u32) -> Vec<f64> {
    let mut p = vec![0.0, 1.0];
    for _ in 0..n {
        let mut next = vec![0.0; p.len() + 1];
        for (power, &a) in p.iter().enumerate().skip(1) {
            next[power - 1] -= PI * a * power as f64;
            next[power + 1] -= PI * a * power as f64;
        }
        p = next;
    }
    p
}
