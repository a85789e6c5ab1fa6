//! Softmax and its logarithms.
//!
//! All subtract the greatest element first, as a constant: it cancels, so that its derivative is 0 in exact
//! arithmetic.

use super::float;
use crate::array::{Array, full, zeros_like};
use crate::halves::in_f32;
use crate::ops::{Axes, Integers, concatenate, keepdims, one_axis};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::{DType, Scalar, ScalarOp};

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
        in_f32!(x = self => x.softmax(axes));
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
        in_f32!(x = self => x.log_softmax(axes));
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
        in_f32!(x = self => x.logsumexp_axis(axes));
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

    /// `log(sum(exp(x)))` of the elements along an axis up to each, itself among them, without overflow.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// let y = array![f64::NEG_INFINITY, 1000.0, 1000.0].cumlogsumexp(0);
    /// assert_eq!(y, array![f64::NEG_INFINITY, 1000.0, 1000.0 + 2f64.ln()]);
    /// ```
    #[track_caller]
    pub fn cumlogsumexp(&self, axis: impl Integers) -> Array {
        let _called = called("cumlogsumexp");
        in_f32!(x = self => x.cumlogsumexp(axis));
        let x = &float(self);
        let axis = accept(one_axis(&axis, x.rank()), &[self]);
        let n = x.shape()[axis];
        if x.size() == 0 {
            return x.clone();
        }
        // The sum so far, relative to the greatest so far: s[i] = s[i - 1] exp(m[i - 1] - m[i]) + exp(x[i] - m[i]).
        let max = x.stop_gradient().cummax(axis);
        let shift = max.is_finite().select(&max, 0.0);
        let (before, here) = (shift.slice_axis(axis, ..n - 1), shift.slice_axis(axis, 1..));
        // A sum of nothing stays nothing, whatever the shift.
        let nothing = max.slice_axis(axis, ..n - 1).eq(f64::NEG_INFINITY);
        let stays = nothing.select(0.0, (before - here).exp());
        let stays = concatenate(&[zeros_like(&x.slice_axis(axis, ..1)), stays], axis);
        let sum = stays.linear_recurrence(&(x - &shift).exp(), axis);
        // Where there is nothing yet, the logarithm and its infinite derivative are kept away.
        let none = max.eq(f64::NEG_INFINITY);
        none.select(x, none.select(1.0, sum).log() + shift)
    }

    /// The same from each element to the last. See [`Array::cumlogsumexp`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, 1000.0, -1000.0].cumlogsumexp_reverse(0), array![1000.0, 1000.0, -1000.0]);
    /// ```
    #[track_caller]
    pub fn cumlogsumexp_reverse(&self, axis: impl Integers) -> Array {
        let _called = called("cumlogsumexp_reverse");
        let axis = accept(one_axis(&axis, self.rank()), &[self]);
        self.flip(axis).cumlogsumexp(axis).flip(axis)
    }
}

/// The greatest elements over some axes, which stay; a constant to derivatives.
#[track_caller]
fn greatest(x: &Array, axes: &[usize]) -> Array {
    x.stop_gradient().max_axis(keepdims(axes))
}

fn minus_infinity(dtype: DType) -> Scalar {
    ScalarOp::Convert(dtype).eval(&[Scalar::new(f64::NEG_INFINITY)])
}
