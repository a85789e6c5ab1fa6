//! Softmax and its logarithms.
//!
//! All subtract the greatest element first, as a constant: it cancels, so that its derivative is 0 in exact
//! arithmetic.

use super::float;
use crate::array::{Array, full};
use crate::ops::{Axes, keepdims};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::{DType, Scalar};

impl Array {
    /// `exp(x) / sum(exp(x))` over some axes, without overflow.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1.0, 1.0], [0.0, 1000.0]].softmax(-1), array![[0.5, 0.5], [0.0, 1.0]]);
    /// ```
    #[track_caller]
    pub fn softmax(&self, axes: impl Axes) -> Array {
        let _called = called("softmax");
        let x = &float(self);
        let (axes, _) = accept(axes.axes(x.rank()), &[self]);
        if x.size() == 0 {
            return x.clone();
        }
        let e = (x - greatest(x, &axes)).exp();
        let sum = e.sum_axis(keepdims(&axes));
        e / sum
    }

    /// The logarithm of [`Array::softmax`], exact where that underflows.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, 1000.0].log_softmax(0), array![-1000.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn log_softmax(&self, axes: impl Axes) -> Array {
        let _called = called("log_softmax");
        let x = &float(self);
        let (axes, _) = accept(axes.axes(x.rank()), &[self]);
        if x.size() == 0 {
            return x.clone();
        }
        let shifted = x - greatest(x, &axes);
        let sum = shifted.exp().sum_axis(keepdims(&axes));
        shifted - sum.log()
    }

    /// `log(sum(exp(x)))` of all elements, without overflow; minus infinity when there are none.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1000.0, 1000.0].logsumexp(), Array::from(1000.0 + 2f64.ln()));
    /// ```
    #[track_caller]
    pub fn logsumexp(&self) -> Array {
        let _called = called("logsumexp");
        self.logsumexp_axis(..)
    }

    /// The same over some axes. See [`Array::logsumexp`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[0.0, -1000.0], [5.0, f64::NEG_INFINITY]].logsumexp_axis(1), array![0.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn logsumexp_axis(&self, axes: impl Axes) -> Array {
        let _called = called("logsumexp_axis");
        let x = &float(self);
        let (axes, keep) = accept(axes.axes(x.rank()), &[self]);
        let y = if x.size() == 0 {
            let nothing = x.sum_axis(keepdims(&axes));
            full(nothing.shape(), minus_infinity(x.dtype()))
        } else {
            let max = greatest(x, &axes);
            // An infinite shift would turn infinities into NaN.
            let shift = max.is_finite().select(max, 0.0);
            (x - &shift).exp().sum_axis(keepdims(&axes)).log() + shift
        };
        if keep { y } else { y.squeeze(&axes) }
    }
}

/// The greatest elements over some axes, which stay; a constant to derivatives.
#[track_caller]
fn greatest(x: &Array, axes: &[usize]) -> Array {
    x.stop_gradient().max_axis(keepdims(axes))
}

fn minus_infinity(dtype: DType) -> Scalar {
    if dtype == DType::F32 { Scalar::new(f32::NEG_INFINITY) } else { Scalar::new(f64::NEG_INFINITY) }
}
