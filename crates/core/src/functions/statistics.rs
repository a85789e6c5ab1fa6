//! Variance and standard deviation.

use super::{float, sqrt_flat_at_zero};
use crate::array::Array;
use crate::ops::{Axes, keepdims};
use crate::refusal::accept;
use crate::source::called;

impl Array {
    /// The variance of all elements: the mean square of their distances from their mean. NaN when there are none.
    ///
    /// For the estimate from a sample of `n`, multiply by `n / (n - 1)`.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, 3.0].var(), Array::from(1.0));
    /// ```
    #[track_caller]
    pub fn var(&self) -> Array {
        let _called = called("var");
        self.var_axis(..)
    }

    /// The variances over some axes. See [`Array::var`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1.0, 3.0], [5.0, 5.0]].var_axis(1), array![1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn var_axis(&self, axes: impl Axes) -> Array {
        let _called = called("var_axis");
        let x = &float(self);
        let (axes, keep) = accept(axes.axes(x.rank()), &[self]);
        let squares = (x - x.mean_axis(keepdims(&axes))).square();
        if keep { squares.mean_axis(keepdims(&axes)) } else { squares.mean_axis(&axes) }
    }

    /// The standard deviation of all elements, `sqrt(var(x))`. The derivative where they are all equal is 0.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, 3.0].std(), Array::from(1.0));
    /// ```
    #[track_caller]
    pub fn std(&self) -> Array {
        let _called = called("std");
        self.std_axis(..)
    }

    /// The standard deviations over some axes. See [`Array::std`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1.0, 5.0], [3.0, 9.0]].std_axis(0), array![1.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn std_axis(&self, axes: impl Axes) -> Array {
        let _called = called("std_axis");
        sqrt_flat_at_zero(&self.var_axis(axes))
    }
}
