//! Entropies, logits, and what of logarithms is done with care.

use super::super::float;
use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::source::called;

impl Array {
    /// The elementwise relative entropy `x log(x / y)`: 0 where `x` is 0 and `y` is not negative, infinite where one of them
    /// is negative, or `y` alone is 0.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// let y = array![0.0, 1.0, 1.0].rel_entr(array![1.0, 1.0, 0.0]);
    /// assert_eq!(y, array![0.0, 0.0, f64::INFINITY]);
    /// ```
    #[track_caller]
    pub fn rel_entr(&self, y: impl Into<Term>) -> Array {
        let _called = called("rel_entr");
        let [x, y] = promote([self.into(), y.into()]);
        let (x, y) = (&float(&x), &float(&y));
        let positive = x.gt(0.0) & y.gt(0.0);
        let (a, b) = (&positive.select(x, 1.0), &positive.select(y, 1.0));
        let rest = (x.eq(0.0) & y.ge(0.0)).select(0.0, f64::INFINITY);
        let rest = (x.is_nan() | y.is_nan()).select(f64::NAN, rest);
        positive.select(a * (a / b).log(), rest.convert(x.dtype()))
    }

    /// `x log(x / y) - x + y`, which is 0 where `x` is `y`: [`Array::rel_entr`] with the least value 0.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, 1.0].kl_div(array![1.0, 1.0]), array![1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn kl_div(&self, y: impl Into<Term>) -> Array {
        let _called = called("kl_div");
        let [x, y] = promote([self.into(), y.into()]);
        x.rel_entr(&y) - x + y
    }

    /// `log(x / (1 - x))`, the inverse of [`Array::logistic`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.5, 0.0, 1.0].logit(), array![0.0, f64::NEG_INFINITY, f64::INFINITY]);
    /// ```
    #[track_caller]
    pub fn logit(&self) -> Array {
        let _called = called("logit");
        let x = &float(self);
        // Near 1/2 the difference of the logarithms would lose digits.
        let middle = (x - 0.5).abs().le(0.25);
        let near = 2.0 * middle.select(2.0 * x - 1.0, 0.0).atanh();
        let far = middle.select(0.5, x);
        middle.select(near, far.log() - (-far).log1p())
    }

    /// The logarithm of [`Array::logistic`], exact where that underflows.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![-1000.0, 1000.0].log_sigmoid(), array![-1000.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn log_sigmoid(&self) -> Array {
        let _called = called("log_sigmoid");
        -(-float(self)).softplus()
    }
}
