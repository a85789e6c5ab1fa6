//! `sinc`.

use super::super::float;
use super::horner;
use crate::array::Array;
use crate::source::called;
use std::f64::consts::PI;

impl Array {
    /// `sin(pi x) / (pi x)`, NumPy's. It is 1 at 0, with the right derivatives of all orders up to 20.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0].sinc(), array![1.0]);
    /// ```
    #[track_caller]
    pub fn sinc(&self) -> Array {
        let _called = called("sinc");
        let x = &float(self);
        // Near 0 the series, of which derivatives do not divide.
        let near = x.abs().lt(0.15);
        let t = (near.select(x, 0.0) * PI).square();
        let mut coefficients = vec![1.0];
        for k in 1..=12 {
            let last = coefficients[k - 1];
            coefficients.push(-last / ((2 * k) * (2 * k + 1)) as f64);
        }
        // Whole numbers are taken away before pi rounds; the sine is negative beyond odd ones.
        let far = near.select(0.5, x);
        let whole = far.round();
        let sine = ((&far - &whole) * PI).sin() * (1.0 - 2.0 * (whole % 2.0).abs());
        near.select(horner(&t, &coefficients), sine / (far * PI))
    }
}
