//! Variance and standard deviation, weighted means, norms, and sums that leave NaN out.

use super::{float, sqrt_flat_at_zero};
use crate::array::Array;
use crate::halves::in_f32;
use crate::ops::{Axes, keepdims, rules};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::reduce::identity;
use wengert_kernel::{Binary, DType};

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
        in_f32!(x = self => x.var_axis(axes));
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

    /// The variances over some axes of a sample: the sum of the squared distances from the mean divided by the number of
    /// elements less `ddof`, which is 1 for the estimate without bias.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, 3.0].var_ddof(.., 1), Array::from(2.0));
    /// ```
    #[track_caller]
    pub fn var_ddof(&self, axes: impl Axes, ddof: usize) -> Array {
        let _called = called("var_ddof");
        in_f32!(x = self => x.var_ddof(axes, ddof));
        let x = &float(self);
        let (axes, keep) = accept(axes.axes(x.rank()), &[self]);
        let count: usize = axes.iter().map(|&a| x.shape()[a]).product();
        let squares = (x - x.mean_axis(keepdims(&axes))).square();
        let sum = if keep { squares.sum_axis(keepdims(&axes)) } else { squares.sum_axis(&axes) };
        // As NumPy: not a number, or infinite, when nothing is left.
        sum / count.saturating_sub(ddof) as f64
    }

    /// The standard deviations over some axes of a sample. See [`Array::var_ddof`]; the derivative where all are equal is 0.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, 3.0, 5.0].std_ddof(.., 1), Array::from(2.0));
    /// ```
    #[track_caller]
    pub fn std_ddof(&self, axes: impl Axes, ddof: usize) -> Array {
        let _called = called("std_ddof");
        sqrt_flat_at_zero(&self.var_ddof(axes, ddof))
    }

    /// The means over some axes with weights, which broadcast: `sum(w x) / sum(w)`.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, 2.0].average(&array![3.0, 1.0], ..), Array::from(1.25));
    /// ```
    #[track_caller]
    pub fn average(&self, weights: &Array, axes: impl Axes) -> Array {
        let _called = called("average");
        let x = &float(self);
        let (axes, keep) = accept(axes.axes(x.rank()), &[self, weights]);
        let weights = weights.convert(x.dtype()).broadcast_to(x.shape());
        let total = |x: &Array| if keep { x.sum_axis(keepdims(&axes)) } else { x.sum_axis(&axes) };
        total(&(x * &weights)) / total(&weights)
    }

    /// The distance from the least to the greatest element over some axes.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1, 5, 2], [3, 3, 3]].ptp(1), array![4, 0]);
    /// ```
    #[track_caller]
    pub fn ptp(&self, axes: impl Axes) -> Array {
        let _called = called("ptp");
        let (axes, keep) = accept(axes.axes(self.rank()), &[self]);
        if keep {
            self.max_axis(keepdims(&axes)) - self.min_axis(keepdims(&axes))
        } else {
            self.max_axis(&axes) - self.min_axis(&axes)
        }
    }

    /// How many elements over some axes are not 0 (true, for truth values), as `i64`.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![0.0, -0.0, f64::NAN, 2.0].count_nonzero(..), Array::from(2i64));
    /// ```
    #[track_caller]
    pub fn count_nonzero(&self, axes: impl Axes) -> Array {
        let _called = called("count_nonzero");
        self.convert(DType::Bool).sum_axis(axes)
    }

    /// The `p`-norms over some axes, `sum(|x|^p)^(1 / p)`; for `p` infinite the greatest, for minus infinity the least absolute
    /// value. The derivative at a vector of zeros is 0; of the infinite norms, equal ones share it.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// let x = array![3.0, -4.0];
    /// assert_eq!(x.norm_p(1.0, ..), Array::from(7.0));
    /// assert_eq!(x.norm_p(2.0, ..), Array::from(5.0));
    /// assert_eq!(x.norm_p(f64::INFINITY, ..), Array::from(4.0));
    /// ```
    #[track_caller]
    pub fn norm_p(&self, p: f64, axes: impl Axes) -> Array {
        let _called = called("norm_p");
        in_f32!(x = self => x.norm_p(p, axes));
        let size = float(self).abs();
        if p == 1.0 {
            size.sum_axis(axes)
        } else if p == 2.0 {
            self.norm_axis(axes)
        } else if p == f64::INFINITY {
            size.max_axis(axes)
        } else if p == f64::NEG_INFINITY {
            size.min_axis(axes)
        } else {
            let sum = size.powf(p).sum_axis(axes);
            let zero = sum.eq(0.0);
            zero.select(0.0, zero.select(1.0, sum).powf(1.0 / p))
        }
    }

    /// The sums over some axes of the elements that are not NaN.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, f64::NAN, 2.0].nansum(..), Array::from(3.0));
    /// ```
    #[track_caller]
    pub fn nansum(&self, axes: impl Axes) -> Array {
        let _called = called("nansum");
        without_nan(self, 0.0).sum_axis(axes)
    }

    /// The products over some axes of the elements that are not NaN.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![3.0, f64::NAN, 2.0].nanprod(..), Array::from(6.0));
    /// ```
    #[track_caller]
    pub fn nanprod(&self, axes: impl Axes) -> Array {
        let _called = called("nanprod");
        without_nan(self, 1.0).prod_axis(axes)
    }

    /// The means over some axes of the elements that are not NaN; NaN where there is none.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, f64::NAN, 2.0].nanmean(..), Array::from(1.5));
    /// ```
    #[track_caller]
    pub fn nanmean(&self, axes: impl Axes) -> Array {
        let _called = called("nanmean");
        let (axes, keep) = accept(axes.axes(self.rank()), &[self]);
        let total = |x: &Array| if keep { x.sum_axis(keepdims(&axes)) } else { x.sum_axis(&axes) };
        let x = &float(self);
        total(&without_nan(x, 0.0)) / total(&numbers(x).convert(x.dtype()))
    }

    /// The greatest over some axes of the elements that are not NaN; NaN where there is none.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, f64::NAN, 2.0].nanmax(..), Array::from(2.0));
    /// ```
    #[track_caller]
    pub fn nanmax(&self, axes: impl Axes) -> Array {
        let _called = called("nanmax");
        extreme(self, axes, Binary::Max)
    }

    /// The least over some axes of the elements that are not NaN; NaN where there is none.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1.0, f64::NAN, 2.0].nanmin(..), Array::from(1.0));
    /// ```
    #[track_caller]
    pub fn nanmin(&self, axes: impl Axes) -> Array {
        let _called = called("nanmin");
        extreme(self, axes, Binary::Min)
    }
}

/// Which elements are numbers.
#[track_caller]
fn numbers(x: &Array) -> Array {
    x.is_nan().logical_not()
}

/// With another number for every NaN.
#[track_caller]
fn without_nan(x: &Array, number: f64) -> Array {
    if x.dtype().is_float() { x.is_nan().select(number, x) } else { x.clone() }
}

#[track_caller]
fn extreme(x: &Array, axes: impl Axes, op: Binary) -> Array {
    let (axes, keep) = accept(axes.axes(x.rank()), &[x]);
    let of = |x: &Array| match (op, keep) {
        (Binary::Max, true) => x.max_axis(keepdims(&axes)),
        (Binary::Max, false) => x.max_axis(&axes),
        (_, true) => x.min_axis(keepdims(&axes)),
        (_, false) => x.min_axis(&axes),
    };
    if !x.dtype().is_float() {
        return of(x);
    }
    let numbers = numbers(x);
    let any = if keep { numbers.any_axis(keepdims(&axes)) } else { numbers.any_axis(&axes) };
    any.select(of(&numbers.select(x, rules::literal(identity(op, x.dtype())))), f64::NAN)
}
