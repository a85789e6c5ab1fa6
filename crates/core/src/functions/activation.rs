//! Activation functions, elementwise.

use crate::array::{Array, Term};
use crate::halves::in_f32;
use crate::source::called;

/// The square root of `2 / pi`.
const SQRT_2_OVER_PI: f64 = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;

impl Array {
    /// `x` where it is positive, else 0; NaN stays NaN. The derivative at 0 is 0.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![-1.0, 2.0].relu(), array![0.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn relu(&self) -> Array {
        let _called = called("relu");
        self.le(0).select(0, self)
    }

    /// `1 / (1 + exp(-x))`: [`Array::logistic`] under its other name.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, f64::INFINITY].sigmoid(), array![0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn sigmoid(&self) -> Array {
        let _called = called("sigmoid");
        super::float(self).logistic()
    }

    /// `x / (1 + exp(-x))`, also called swish (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016).
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0].silu(), array![0.0]);
    /// ```
    #[track_caller]
    pub fn silu(&self) -> Array {
        let _called = called("silu");
        self * self.sigmoid()
    }

    /// `x` times the normal distribution function, by its usual approximation `x / 2 (1 + tanh(sqrt(2 / pi) (x +
    /// 0.044715 x^3)))` (Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016), which is within 5e-4 of it.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, 100.0].gelu(), array![0.0, 100.0]);
    /// ```
    #[track_caller]
    pub fn gelu(&self) -> Array {
        let _called = called("gelu");
        in_f32!(x = self => x.gelu());
        let x = &super::float(self);
        let inner = SQRT_2_OVER_PI * (x + 0.044715 * (x * x * x));
        0.5 * x * (1.0 + inner.tanh())
    }

    /// `log(1 + exp(x))`, without overflow and exact where it is small.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![-1000.0, 1000.0].softplus(), array![0.0, 1000.0]);
    /// ```
    #[track_caller]
    pub fn softplus(&self) -> Array {
        let _called = called("softplus");
        let x = &super::float(self);
        let positive = x.gt(0.0);
        // -|x|, but smooth at 0 in either branch, so that derivatives of all orders are right there.
        let t = positive.select(-x, x);
        positive.select(x, 0.0) + t.exp().log1p()
    }

    /// `log(exp(a) + exp(b))`, without overflow.
    ///
    /// The derivative where both are minus infinity is NaN.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// let y = array![1000.0, 0.0].logaddexp(&array![1000.0, f64::NEG_INFINITY]);
    /// assert_eq!(y, array![1000.0 + 2f64.ln(), 0.0]);
    /// ```
    #[track_caller]
    pub fn logaddexp(&self, other: impl Into<Term>) -> Array {
        let _called = called("logaddexp");
        self.logarithm_of_sum(other.into(), |t| t.exp().log1p())
    }

    /// `log2(2^a + 2^b)`, without overflow. See [`Array::logaddexp`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![2000.0].logaddexp2(2000.0), array![2001.0]);
    /// ```
    #[track_caller]
    pub fn logaddexp2(&self, other: impl Into<Term>) -> Array {
        let _called = called("logaddexp2");
        self.logarithm_of_sum(other.into(), |t| t.exp2().log1p() * std::f64::consts::LOG2_E)
    }

    /// The greater of two numbers and, by `excess`, what the smaller adds, which is less by t.
    #[track_caller]
    fn logarithm_of_sum(&self, other: Term, excess: impl Fn(Array) -> Array) -> Array {
        let [a, b] = crate::array::promote::promote([self.into(), other]);
        let [a, b] = [super::float(&a), super::float(&b)];
        let difference = &a - &b;
        // Both are the same infinity, or one is NaN.
        let special = difference.is_nan();
        let difference = special.select(0.0, difference);
        let first = difference.gt(0.0);
        let t = first.select(-&difference, &difference);
        let regular = first.select(&a, &b) + excess(t);
        let sum = a + b;
        // The sum is the result there. Of minus infinity, -sqrt(x^2) is the same with the derivative NaN.
        let low = special.logical_and(&sum.lt(0.0));
        let low_sum = -low.select(&sum, 1.0).square().sqrt();
        special.select(low.select(low_sum, sum), regular)
    }
}
