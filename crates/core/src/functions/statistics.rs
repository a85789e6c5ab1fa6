//! Variance and standard deviation.

use super::{float, resolve, sqrt_flat_at_zero};
use crate::array::Array;
use crate::ops::{Axes, keepdims};

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
        let x = &float(self);
        let (axes, keep) = resolve(axes, "var", x);
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
        sqrt_flat_at_zero(&self.var_axis(axes))
    }
}
