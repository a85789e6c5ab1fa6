//! What depends on order: quantiles, and places in sorted arrays.

use super::float;
use crate::array::Array;
use crate::ops::{Axes, rules};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::types::Shape;
use wengert_kernel::Scalar;

impl Array {
    /// The middle of all elements in order, of an even number the mean of the two in the middle; NaN when there is a NaN.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![4.0, 1.0, 2.0, 100.0].median(), Array::from(3.0));
    /// ```
    #[track_caller]
    pub fn median(&self) -> Array {
        let _called = called("median");
        self.quantile_axis(0.5, ..)
    }

    /// The medians over some axes. See [`Array::median`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1.0, 9.0, 2.0], [4.0, 5.0, 6.0]].median_axis(1), array![2.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn median_axis(&self, axes: impl Axes) -> Array {
        let _called = called("median_axis");
        self.quantile_axis(0.5, axes)
    }

    /// The number below which a part `q` of all elements lies, between two elements in proportion; NaN when there is a NaN.
    ///
    /// # Panics
    /// When there are no elements, or `q` is not within 0 and 1.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![3.0, 1.0, 2.0, 5.0].quantile(0.25), Array::from(1.75));
    /// ```
    #[track_caller]
    pub fn quantile(&self, q: f64) -> Array {
        let _called = called("quantile");
        self.quantile_axis(q, ..)
    }

    /// The quantiles over some axes. See [`Array::quantile`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[0.0, 1.0, 2.0], [4.0, 8.0, 6.0]].quantile_axis(0.75, 1), array![1.5, 7.0]);
    /// ```
    #[track_caller]
    pub fn quantile_axis(&self, q: f64, axes: impl Axes) -> Array {
        let _called = called("quantile_axis");
        if !(0.0..=1.0).contains(&q) {
            refuse(
                format!("{q} is no part of all; a quantile is within 0 and 1, a percentile within 0 and 100"),
                &[self],
            )
        }
        let (rows, shape) = rows_of(&float(self), axes);
        let n = rows.shape()[1];
        if n == 0 {
            refuse(format!("{} is empty there, so that there is no quantile", self.ty()), &[self])
        }
        let sorted = rows.sort(1);
        let place = q * (n - 1) as f64;
        let (low, part) = (place.floor(), place - place.floor());
        let at = |i: usize| sorted.slice((.., i));
        let value =
            if part == 0.0 { at(low as usize) } else { at(low as usize) * (1.0 - part) + at(low as usize + 1) * part };
        // NaNs are sorted last.
        at(n - 1).is_nan().select(f64::NAN, value).with_shape(&shape)
    }

    /// The number below which `p` percent of all elements lie. See [`Array::quantile`].
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![3.0, 1.0, 2.0, 5.0].percentile(25.0), Array::from(1.75));
    /// ```
    #[track_caller]
    pub fn percentile(&self, p: f64) -> Array {
        let _called = called("percentile");
        self.quantile_axis(p / 100.0, ..)
    }

    /// The percentiles over some axes. See [`Array::percentile`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[0.0, 1.0, 2.0], [4.0, 8.0, 6.0]].percentile_axis(75.0, 1), array![1.5, 7.0]);
    /// ```
    #[track_caller]
    pub fn percentile_axis(&self, p: f64, axes: impl Axes) -> Array {
        let _called = called("percentile_axis");
        self.quantile_axis(p / 100.0, axes)
    }

    /// Where in this ascending array of rank 1 each of `values` belongs, before those equal to it: how many are less, as
    /// `i64`. NaN is greatest.
    ///
    /// # Panics
    /// When the array has another rank.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0, 2.0].searchsorted(&array![2.0, 0.0, 9.0]), array![1i64, 0, 3]);
    /// ```
    #[track_caller]
    pub fn searchsorted(&self, values: &Array) -> Array {
        let _called = called("searchsorted");
        search(self, values, less)
    }

    /// Where in this ascending array of rank 1 each of `values` belongs, behind those equal to it: how many are not
    /// greater. See [`Array::searchsorted`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0, 2.0].searchsorted_right(&array![2.0, 0.0, 9.0]), array![3i64, 0, 3]);
    /// ```
    #[track_caller]
    pub fn searchsorted_right(&self, values: &Array) -> Array {
        let _called = called("searchsorted_right");
        search(self, values, |x, value| less(value, x).logical_not())
    }
}

/// The order of `sort`: NaN is greatest.
#[track_caller]
fn less(x: &Array, y: &Array) -> Array {
    let below = x.lt(y);
    if x.dtype().is_float() { below | (y.is_nan() & x.is_nan().logical_not()) } else { below }
}

/// By halves: as many rounds as the length has bits, all elements side by side.
#[track_caller]
fn search(sorted: &Array, values: &Array, goes_before: impl Fn(&Array, &Array) -> Array) -> Array {
    let [n] = sorted.shape()[..] else {
        refuse(format!("{} is no sorted array of rank 1", sorted.ty()), &[sorted, values])
    };
    let dtype = crate::promote_types(sorted.dtype(), values.dtype());
    let (sorted, values) = (sorted.convert(dtype).stop_gradient(), values.convert(dtype).stop_gradient());
    let integer = |n: usize| rules::literal(Scalar::new(n as i64));
    let mut place = rules::constant(Scalar::new(0i64), &values.shape());
    if n == 0 {
        return place;
    }
    for bit in (0..usize::BITS - n.leading_zeros()).rev() {
        let next = &place + integer(1 << bit);
        let before = goes_before(&sorted.at(&next - integer(1)), &values) & next.le(integer(n));
        place = before.select(next, place);
    }
    place
}

/// Some axes brought together as the second of two, and the shape of what there is one of for each row.
#[track_caller]
fn rows_of(x: &Array, axes: impl Axes) -> (Array, Shape) {
    let (axes, keep) = accept(axes.axes(x.rank()), &[x]);
    let shape = x.shape();
    let kept: Vec<usize> = (0..x.rank()).filter(|a| !axes.contains(a)).collect();
    let order: Vec<usize> = kept.iter().chain(&axes).copied().collect();
    let run: usize = axes.iter().map(|&a| shape[a]).product();
    let rows: usize = kept.iter().map(|&a| shape[a]).product();
    let length = |a: usize| match (axes.contains(&a), keep) {
        (false, _) => Some(shape[a]),
        (true, keep) => keep.then_some(1),
    };
    (x.permute(order).with_shape(&[rows, run]), (0..x.rank()).filter_map(length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::keepdims;
    use crate::trace::door;

    #[test]
    fn quantiles() {
        let x = Array::from([[3.0, 1.0, f64::NAN], [4.0, 5.0, 6.0]]);
        assert_eq!(x.median_axis(1).is_nan(), Array::from([true, false]));
        assert_eq!(x.median_axis(keepdims(0)).shape().as_slice(), [1, 3]);
        assert_eq!(Array::from([1, 2]).median(), Array::from(1.5));
        assert_eq!(Array::from([f64::INFINITY, 1.0, 2.0]).quantile(1.0), Array::from(f64::INFINITY));
        assert!(door(|| x.quantile(1.5)).unwrap_err().message.contains("within 0 and 1"));
        assert!(door(|| x.slice(0..0).median()).unwrap_err().message.contains("is empty there"));
    }

    #[test]
    fn places() {
        for n in [0usize, 1, 2, 3, 7, 8, 9, 31] {
            let sorted = Array::from((0..n).map(|i| (i / 2) as f64).collect::<Vec<_>>());
            let values: Vec<f64> = (-1..17).map(|i| i as f64 / 2.0).chain([f64::NAN]).collect();
            let count = |f: &dyn Fn(f64, f64) -> bool| {
                let of = |&v: &f64| (0..n).filter(|i| f((i / 2) as f64, v) || v.is_nan()).count() as i64;
                Array::from(values.iter().map(of).collect::<Vec<i64>>())
            };
            let at = Array::from(values.clone());
            assert_eq!(sorted.searchsorted(&at), count(&|x, v| x < v), "{n}");
            assert_eq!(sorted.searchsorted_right(&at), count(&|x, v| x <= v), "{n}");
        }
    }
}
