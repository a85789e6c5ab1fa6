//! Indexing by other rules than clamping, updates that multiply or compare, and sums over segments.

use crate::array::{Array, full, linspace, zeros_of};
use crate::error::TypeError;
use crate::ops::{Index, check, inside, rules, scan};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::types::Shape;
use wengert_kernel::reduce::identity;
use wengert_kernel::{Binary, DType, Scalar};

impl Array {
    /// As [`Array::at`] along axis 0, with indices counted round and round: `n` is 0 again, and -1 is the last.
    ///
    /// # Panics
    /// When the array is a scalar, or has no rows at all.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2, 3].at_wrapped(array![3, 7, -1, -4]), array![1, 2, 3, 3]);
    /// ```
    #[track_caller]
    pub fn at_wrapped(&self, index: impl Into<Index>) -> Array {
        let _called = called("at_wrapped");
        let n = rows(self) as i64;
        match index.into() {
            Index::Fixed(i) if n > 0 => self.at(i.rem_euclid(n)),
            Index::Fixed(i) => self.at(i),
            Index::Computed(i) if n > 0 => {
                let length = rules::literal(Scalar::new(n));
                let rest = i.convert(DType::I64) % &length;
                self.at(rest.lt(0).select(&rest + &length, rest))
            }
            index => self.at(index),
        }
    }

    /// As [`Array::at`] along axis 0, where an index outside is an error. Negative indices count from the end once.
    ///
    /// Indices that are known here are checked here, and the error names the first one outside and the length. In compiled
    /// code it is a [`check`], whose error names the length and this line.
    ///
    /// # Panics
    /// When an index is outside, or the array is a scalar.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![1, 2, 3].at_checked(-1), Array::from(3));
    /// ```
    #[track_caller]
    pub fn at_checked(&self, index: impl Into<Index>) -> Array {
        let _called = called("at_checked");
        let n = rows(self);
        let index = index.into();
        let place = index.resolved(n);
        let known = match &index {
            Index::Fixed(i) => Some(vec![*i]),
            Index::Computed(i) if !i.is_traced() => i.convert(DType::I64).to_vec::<i64>().ok(),
            Index::Computed(_) => None,
        };
        let within = |i: i64| -(n as i64) <= i && i < n as i64;
        match known {
            Some(known) => {
                if let Some(i) = known.into_iter().find(|&i| !within(i)) {
                    refuse(format!("index {i} is outside of axis 0 of {}, which has length {n}", self.ty()), &[self])
                }
            }
            None => check(&inside(&place, n).all(), &format!("every index is within axis 0 of length {n}")),
        }
        self.at(place)
    }

    /// The array with its rows `self[indices]`, along axis 0, multiplied by updates, one after the other. Derivatives are
    /// exact at zeros and with rows named more than once. Indices and updates are those of [`Array::scatter_set`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// let y = array![1.0, 2.0, 3.0].scatter_mul(array![1, 1, 9], &array![5.0, 7.0, 11.0]);
    /// assert_eq!(y, array![1.0, 70.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn scatter_mul(&self, indices: impl Into<Index>, updates: &Array) -> Array {
        let _called = called("scatter_mul");
        one_by_one(self, indices, updates, |row, update| row * update)
    }

    /// The array with its rows `self[indices]`, along axis 0, replaced by updates where these are greater. Equal ones share
    /// the derivative. Indices and updates are those of [`Array::scatter_set`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0].scatter_max(array![1, 0, 1], &array![3.0, 0.5, 2.5]), array![1.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn scatter_max(&self, indices: impl Into<Index>, updates: &Array) -> Array {
        let _called = called("scatter_max");
        one_by_one(self, indices, updates, |row, update| row.maximum(update))
    }

    /// The array with its rows `self[indices]`, along axis 0, replaced by updates where these are less. Equal ones share the
    /// derivative. Indices and updates are those of [`Array::scatter_set`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0].scatter_min(array![1, 0, 1], &array![3.0, 0.5, 1.5]), array![0.5, 1.5]);
    /// ```
    #[track_caller]
    pub fn scatter_min(&self, indices: impl Into<Index>, updates: &Array) -> Array {
        let _called = called("scatter_min");
        one_by_one(self, indices, updates, |row, update| row.minimum(update))
    }

    /// The sums of the rows that have one segment number, for each of `segments` numbers; 0 where there is none. Numbers
    /// outside `0..segments` are dropped.
    ///
    /// # Panics
    /// When there is not one integer for each row.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0, 4.0].segment_sum(&array![2, 0, 2], 3), array![2.0, 0.0, 5.0]);
    /// ```
    #[track_caller]
    pub fn segment_sum(&self, numbers: &Array, segments: usize) -> Array {
        let _called = called("segment_sum");
        let (start, numbers) = segments_of(self, numbers, segments, Binary::Add);
        start.scatter_add(numbers, self)
    }

    /// The products of the rows that have one segment number; 1 where there is none. See [`Array::segment_sum`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![3.0, 2.0, 4.0].segment_prod(&array![2, 0, 2], 3), array![2.0, 1.0, 12.0]);
    /// ```
    #[track_caller]
    pub fn segment_prod(&self, numbers: &Array, segments: usize) -> Array {
        let _called = called("segment_prod");
        let (start, numbers) = segments_of(self, numbers, segments, Binary::Mul);
        start.scatter_mul(numbers, self)
    }

    /// The greatest of the rows that have one segment number; minus infinity, or the least integer, where there is none. See
    /// [`Array::segment_sum`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// let greatest = array![3.0, 2.0, 4.0].segment_max(&array![2, 0, 2], 3);
    /// assert_eq!(greatest, array![2.0, f64::NEG_INFINITY, 4.0]);
    /// ```
    #[track_caller]
    pub fn segment_max(&self, numbers: &Array, segments: usize) -> Array {
        let _called = called("segment_max");
        let (start, numbers) = segments_of(self, numbers, segments, Binary::Max);
        start.scatter_max(numbers, self)
    }

    /// The least of the rows that have one segment number; infinity, or the greatest integer, where there is none. See
    /// [`Array::segment_sum`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![3.0, 2.0, 4.0].segment_min(&array![2, 0, 2], 3), array![2.0, f64::INFINITY, 3.0]);
    /// ```
    #[track_caller]
    pub fn segment_min(&self, numbers: &Array, segments: usize) -> Array {
        let _called = called("segment_min");
        let (start, numbers) = segments_of(self, numbers, segments, Binary::Min);
        start.scatter_min(numbers, self)
    }

    /// How often each number `0..length` stands in an array of integers, as `i64`; others are dropped.
    ///
    /// # Panics
    /// When the array does not hold integers.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 3, 1, 9].bincount(4), array![0i64, 2, 0, 1]);
    /// ```
    #[track_caller]
    pub fn bincount(&self, length: usize) -> Array {
        let _called = called("bincount");
        let flat = self.flatten();
        let ones = full(flat.shape(), 1i64);
        let (start, numbers) = segments_of(&ones, &flat, length, Binary::Add);
        start.scatter_add(numbers, &ones)
    }

    /// How many elements are in each of `bins` intervals of one length between `low` and `high`, as `i64`, and the borders of
    /// these. A border belongs to the interval above it, but `high` to the last; what is outside is not counted.
    ///
    /// # Panics
    /// When `bins` is 0 or `low` is not less than `high`.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// let (counts, borders) = array![0.0, 0.5, 1.0, 1.5, 2.0, 7.0].histogram(2, 0.0, 2.0);
    /// assert_eq!((counts, borders), (array![2i64, 3], array![0.0, 1.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn histogram(&self, bins: usize, low: f64, high: f64) -> (Array, Array) {
        let _called = called("histogram");
        if bins == 0 || low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) {
            refuse(
                format!(
                    "{bins} intervals between {low} and {high} are none; their number is 1 or more, and the first border is less than the last"
                ),
                &[self],
            )
        }
        let borders = linspace(low, high, bins + 1);
        let x = self.flatten().convert(DType::F64).stop_gradient();
        let above = borders.searchsorted_right(&x) - 1;
        let number = x.eq(high).select(rules::literal(Scalar::new(bins as i64 - 1)), above);
        (number.bincount(bins), borders)
    }
}

#[track_caller]
fn rows(x: &Array) -> usize {
    match x.shape().first() {
        Some(&n) => n,
        None => refuse("a scalar has no rows to take; `reshape` it to give it an axis", &[x]),
    }
}

/// Each update in its turn, so that rows named more than once get all of them.
#[track_caller]
fn one_by_one(x: &Array, at: impl Into<Index>, updates: &Array, combine: impl Fn(Array, Array) -> Array) -> Array {
    let (indices, updates) = x.scattered(at, updates);
    let count = indices.size();
    if x.size() == 0 || count == 0 {
        return x.clone();
    }
    let row: Shape = [count].into_iter().chain(x.shape()[1..].iter().copied()).collect();
    let n = x.shape()[0];
    let past_end = rules::literal(Scalar::new(n as i64));
    let indices = inside(&indices, n).select(indices, past_end).with_shape(&[count]);
    let step = |c: Array, (i, update): (Array, Array)| {
        let row = combine(c.at(&i), update);
        (c.scatter_set(&i, &row), ())
    };
    scan(step, x.clone(), (indices, updates.with_shape(&row))).0
}

/// What the segments begin with, and their numbers with those outside moved past the end.
#[track_caller]
fn segments_of(x: &Array, numbers: &Array, segments: usize, op: Binary) -> (Array, Array) {
    let refusal = |what: String| accept::<()>(Err(TypeError::new(what)), &[x, numbers]);
    if !numbers.dtype().is_integer() {
        refusal(format!("segment numbers are integers, not {}; `.convert(DType::I64)` them", numbers.ty()));
    }
    if numbers.rank() != 1 || x.shape().first() != numbers.shape().first() {
        refusal(format!("{} and the segment numbers {} are not one number for each row", x.ty(), numbers.ty()));
    }
    let shape: Shape = [segments].into_iter().chain(x.shape()[1..].iter().copied()).collect();
    let start = if op == Binary::Add { zeros_of(x.dtype(), &shape) } else { full(&shape, identity(op, x.dtype())) };
    let numbers = numbers.convert(DType::I64);
    let past_end = rules::literal(Scalar::new(segments as i64));
    (start, inside(&numbers, segments).select(numbers, past_end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn outside() {
        let x = Array::from([1, 2, 3]);
        assert_eq!(x.at_wrapped(7), Array::from(2));
        assert_eq!(x.at_checked(Array::from([0, -3])), Array::from([1, 1]));
        let message = door(|| x.at_checked(Array::from([0, 5]))).unwrap_err().message;
        assert!(message.contains("index 5 is outside of axis 0 of i32[3], which has length 3"), "{message}");
        assert!(door(|| x.at_checked(-4)).unwrap_err().message.contains("index -4"));
        assert_eq!(x.scatter_mul(Array::from([3, -4, 0]), &Array::from([7, 7, 7])), Array::from([7, 2, 3]));
        assert_eq!(Array::from([1, 1]).segment_sum(&Array::from([-1, 2]), 2), Array::from([0, 0]));
    }

    #[test]
    fn refusals() {
        let x = Array::from([1.0, 2.0]);
        assert!(door(|| x.segment_sum(&x, 2)).unwrap_err().message.contains("segment numbers are integers"));
        assert!(door(|| x.segment_max(&Array::from([1]), 2)).unwrap_err().message.contains("one number for each row"));
        assert!(door(|| x.histogram(0, 0.0, 1.0)).unwrap_err().message.contains("are none"));
        assert!(door(|| x.bincount(2)).unwrap_err().message.contains("integers"));
    }
}
