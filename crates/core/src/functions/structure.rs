//! Arrays put together, cut, repeated and shifted; matrices by their diagonals.

use crate::array::promote::fit;
use crate::array::{Array, Term};
use crate::ops::{Integers, Span, concatenate, distinct_axes, lengths, one_axis, rules};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::types::Shape;
use smallvec::SmallVec;
use std::borrow::Borrow;
use wengert_kernel::{DType, Scalar};

/// How [`Array::pad_mode`] fills a margin.
///
/// ```
/// use wengert_core::{array, functions::PadMode};
///
/// assert_eq!(array![1, 2, 3].pad_mode(1, 1, PadMode::Edge), array![1, 1, 2, 3, 3]);
/// assert_eq!(array![1, 2, 3].pad_mode(1, 1, PadMode::Reflect), array![2, 1, 2, 3, 2]);
/// assert_eq!(array![1, 2, 3].pad_mode(1, 1, PadMode::Wrap), array![3, 1, 2, 3, 1]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PadMode {
    /// With the element at the edge.
    Edge,
    /// Mirrored at the element at the edge, which is not repeated.
    Reflect,
    /// Mirrored behind the element at the edge.
    Symmetric,
    /// With the elements from the other end.
    Wrap,
}

impl Array {
    /// As [`Array::pad`], with `interior` elements between every two along each axis; negative `low` or `high` take
    /// elements away, after that.
    ///
    /// # Panics
    /// When there is not one number for each axis, or more is taken away than there is.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2, 3].pad_dilated(1, -1, 1, 0), array![0, 1, 0, 2, 0]);
    /// ```
    #[track_caller]
    pub fn pad_dilated(
        &self,
        low: impl Integers,
        high: impl Integers,
        interior: impl Integers,
        value: impl Into<Term>,
    ) -> Array {
        let _called = called("pad_dilated");
        let value = match value.into() {
            Term::Array(value) => value.convert(self.dtype()),
            number => fit(&number, self.dtype(), &[]),
        };
        let (low, high, interior) = (low.integers(), high.integers(), accept(lengths(&interior), &[self]));
        let rank = self.rank();
        if [low.len(), high.len(), interior.len()] != [rank; 3] {
            refuse(format!("{} takes {rank} numbers before, after and between, one for each axis", self.ty()), &[self])
        }
        let mut x = self.clone();
        for axis in 0..rank {
            x = dilated(&x, axis, interior[axis], &value);
        }
        let shape = x.shape();
        for axis in 0..rank {
            // What is padded on one side can be taken away on the other. The numbers may be the largest there are.
            let (low, high) = (i128::from(low[axis]), i128::from(high[axis]));
            let (whole, away) = (shape[axis] as i128 + low.max(0) + high.max(0), -low.min(0) - high.min(0));
            if away > whole {
                refuse(format!("axis {axis} has {whole} elements, of which {away} cannot be taken away"), &[self])
            }
        }
        let positive = |all: &[i64]| -> Shape { all.iter().map(|&n| n.max(0) as usize).collect() };
        let padded = x.pad(positive(&low), positive(&high), value);
        let spans: Vec<Span> = (0..rank)
            .map(|axis| {
                let n = padded.shape()[axis] as i64;
                Span::from(-low[axis].min(0)..n + high[axis].min(0))
            })
            .collect();
        padded.slice(&spans[..])
    }

    /// The array within a margin that continues it: `low[a]` elements before and `high[a]` after it along axis `a`.
    ///
    /// # Panics
    /// When there is not one length for each axis, or an axis to continue is empty.
    ///
    /// ```
    /// use wengert_core::{array, functions::PadMode};
    ///
    /// assert_eq!(array![1, 2, 3].pad_mode(0, 4, PadMode::Symmetric), array![1, 2, 3, 3, 2, 1, 1]);
    /// ```
    #[track_caller]
    pub fn pad_mode(&self, low: impl Integers, high: impl Integers, mode: PadMode) -> Array {
        let _called = called("pad_mode");
        let (low, high) = (accept(lengths(&low), &[self]), accept(lengths(&high), &[self]));
        let rank = self.rank();
        if [low.len(), high.len()] != [rank; 2] {
            refuse(format!("{} takes {rank} lengths before and after, one for each axis", self.ty()), &[self])
        }
        let mut x = self.clone();
        for axis in 0..rank {
            let n = self.shape()[axis] as i64;
            if low[axis] + high[axis] == 0 {
                continue;
            }
            if n == 0 {
                refuse(format!("axis {axis} of {} is empty and cannot be continued", self.ty()), &[self])
            }
            let place = |i: i64| match mode {
                PadMode::Edge => i.clamp(0, n - 1),
                PadMode::Wrap => i.rem_euclid(n),
                PadMode::Symmetric => {
                    let i = i.rem_euclid(2 * n);
                    i.min(2 * n - 1 - i)
                }
                PadMode::Reflect if n == 1 => 0,
                PadMode::Reflect => {
                    let i = i.rem_euclid(2 * n - 2);
                    i.min(2 * n - 2 - i)
                }
            };
            let at: Vec<i64> = (-(low[axis] as i64)..n + high[axis] as i64).map(place).collect();
            x = rows_at(&x, axis, at);
        }
        x
    }

    /// The array repeated so many times along each axis; missing numbers in front are 1, and so are missing lengths.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2].tile(2), array![1, 2, 1, 2]);
    /// assert_eq!(array![1, 2].tile((2, 1)), array![[1, 2], [1, 2]]);
    /// ```
    #[track_caller]
    pub fn tile(&self, times: impl Integers) -> Array {
        let _called = called("tile");
        let times = accept(lengths(&times), &[self]);
        let rank = times.len().max(self.rank());
        let front =
            |all: &[usize]| -> Shape { std::iter::repeat_n(1, rank - all.len()).chain(all.iter().copied()).collect() };
        let (times, own) = (front(&times), front(&self.shape()));
        let pairs = |first: &dyn Fn(usize) -> usize| -> Shape { (0..rank).flat_map(|a| [first(a), own[a]]).collect() };
        let shape: Shape = (0..rank).map(|a| times[a].saturating_mul(own[a])).collect();
        self.with_shape(&pairs(&|_| 1)).broadcast_to(pairs(&|a| times[a])).with_shape(&shape)
    }

    /// Every element so many times in a row along an axis.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1, 2]].repeat(2, 1), array![[1, 1, 2, 2]]);
    /// ```
    #[track_caller]
    pub fn repeat(&self, times: usize, axis: impl Integers) -> Array {
        let _called = called("repeat");
        let axis = accept(one_axis(&axis, self.rank()), &[self]);
        let (mut spread, mut shape) = (self.shape(), self.shape());
        spread.insert(axis + 1, times);
        shape[axis] = shape[axis].saturating_mul(times);
        self.expand_dims(axis + 1).broadcast_to(spread).with_shape(&shape)
    }

    /// The elements along an axis moved on by `shift` (a number, or backwards when it is negative); what goes over the end
    /// comes in at the other.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2, 3, 4].roll(1, 0), array![4, 1, 2, 3]);
    /// assert_eq!(array![1, 2, 3, 4].roll(-1, 0), array![2, 3, 4, 1]);
    /// ```
    #[track_caller]
    pub fn roll(&self, shift: i64, axis: impl Integers) -> Array {
        let _called = called("roll");
        let axis = accept(one_axis(&axis, self.rank()), &[self]);
        let n = self.shape()[axis];
        let back = if n == 0 { 0 } else { shift.rem_euclid(n as i64) as usize };
        if back == 0 {
            return self.clone();
        }
        concatenate(&[self.slice_axis(axis, n - back..), self.slice_axis(axis, ..n - back)], axis)
    }

    /// The elements `x[.., i, i + offset, ..]` of two axes, as a new last axis.
    ///
    /// # Panics
    /// When the axes are the same.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// let x = array![[1, 2, 3], [4, 5, 6]];
    /// assert_eq!(x.diagonal(0, 0, 1), array![1, 5]);
    /// assert_eq!(x.diagonal(1, 0, 1), array![2, 6]);
    /// ```
    #[track_caller]
    pub fn diagonal(&self, offset: i64, axis1: impl Integers, axis2: impl Integers) -> Array {
        let _called = called("diagonal");
        let axes = [axis1.integers(), axis2.integers()].concat();
        let axes = accept(distinct_axes(&axes, self.rank()), &[self]);
        let [i, j] = axes[..] else { refuse("a diagonal is one of two axes", &[self]) };
        let others = (0..self.rank()).filter(|&a| a != i && a != j);
        let order: Vec<usize> = others.chain([i, j]).collect();
        let x = self.permute(order);
        let shape = x.shape();
        let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let (row, column) = (offset.min(0).unsigned_abs() as usize, offset.max(0) as usize);
        let count = m.saturating_sub(row).min(n.saturating_sub(column));
        // In row-major order the next element of a diagonal is a row and one further.
        let mut flat: Shape = shape[..shape.len() - 2].into();
        flat.push(m * n);
        let start = if count == 0 { 0 } else { row * n + column };
        let stop = if count == 0 { 0 } else { start + (count - 1) * (n + 1) + 1 };
        x.with_shape(&flat).slice_axis(-1, Span::from(start..stop).step_by(n + 1))
    }

    /// The sum of the diagonal of the first two axes. Small integers add up in 64 bits.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![[1.0, 2.0], [3.0, 4.0]].trace(), Array::from(5.0));
    /// ```
    #[track_caller]
    pub fn trace(&self) -> Array {
        let _called = called("trace");
        self.diagonal(0, 0, 1).sum_axis(-1)
    }

    /// Of a vector the matrix with it on the diagonal that is `offset` columns right of the main one (left, when it is
    /// negative), zeros elsewhere; of a matrix that diagonal.
    ///
    /// # Panics
    /// When the array is neither.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2].diag(0), array![[1, 0], [0, 2]]);
    /// assert_eq!(array![1].diag(-1), array![[0, 0], [1, 0]]);
    /// assert_eq!(array![[1, 2], [3, 4]].diag(1), array![2]);
    /// ```
    #[track_caller]
    pub fn diag(&self, offset: i64) -> Array {
        let _called = called("diag");
        match self.rank() {
            1 => {
                let (n, by) = (self.shape()[0], offset.unsigned_abs() as usize);
                let shape = [n + by; 2];
                let here = columns(&shape).eq(rows(&shape) + integer(offset));
                let padded = self.pad(
                    if offset < 0 { by } else { 0 },
                    if offset < 0 { 0 } else { by },
                    rules::literal(Scalar::zero(self.dtype())),
                );
                here.select(padded.expand_dims(1), rules::literal(Scalar::zero(self.dtype())))
            }
            2 => self.diagonal(offset, 0, 1),
            rank => refuse(
                format!(
                    "{} has {rank} axes; `diag` takes a vector or a matrix, `diagonal` takes two axes of any array",
                    self.ty()
                ),
                &[self],
            ),
        }
    }

    /// The matrices in the last two axes with zeros above the diagonal that is `offset` columns right of the main one.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1, 2], [3, 4]].tril(0), array![[1, 0], [3, 4]]);
    /// ```
    #[track_caller]
    pub fn tril(&self, offset: i64) -> Array {
        let _called = called("tril");
        triangle(self, |rows, columns| columns.le(rows + integer(offset)))
    }

    /// The matrices in the last two axes with zeros below the diagonal that is `offset` columns right of the main one.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1, 2], [3, 4]].triu(0), array![[1, 2], [0, 4]]);
    /// ```
    #[track_caller]
    pub fn triu(&self, offset: i64) -> Array {
        let _called = called("triu");
        triangle(self, |rows, columns| columns.ge(rows + integer(offset)))
    }
}

/// Arrays one after the other along axis 1, vectors along axis 0.
///
/// ```
/// use wengert_core::{array, functions::hstack};
///
/// assert_eq!(hstack(&[array![1], array![2, 3]]), array![1, 2, 3]);
/// ```
#[track_caller]
pub fn hstack(arrays: &[impl Borrow<Array>]) -> Array {
    let _called = called("hstack");
    let arrays: Vec<Array> = arrays.iter().map(|x| at_least_one_axis(x.borrow())).collect();
    concatenate(&arrays, if arrays.iter().all(|x| x.rank() == 1) { 0 } else { 1 })
}

/// Arrays one after the other along axis 0, vectors as rows.
///
/// ```
/// use wengert_core::{array, functions::vstack};
///
/// assert_eq!(vstack(&[array![1, 2], array![3, 4]]), array![[1, 2], [3, 4]]);
/// ```
#[track_caller]
pub fn vstack(arrays: &[impl Borrow<Array>]) -> Array {
    let _called = called("vstack");
    let row = |x: &Array| if x.rank() < 2 { at_least_one_axis(x).expand_dims(0) } else { x.clone() };
    let arrays: Vec<Array> = arrays.iter().map(|x| row(x.borrow())).collect();
    concatenate(&arrays, 0)
}

/// Arrays repeated to the one shape that they broadcast to.
///
/// # Panics
/// When they do not broadcast.
///
/// ```
/// use wengert_core::{array, functions::broadcast_arrays};
///
/// let both = broadcast_arrays(&[array![[1], [2]], array![3, 4]]);
/// assert_eq!(both, [array![[1, 1], [2, 2]], array![[3, 4], [3, 4]]]);
/// ```
#[track_caller]
pub fn broadcast_arrays(arrays: &[impl Borrow<Array>]) -> Vec<Array> {
    let _called = called("broadcast_arrays");
    let arrays: Vec<&Array> = arrays.iter().map(|x| x.borrow()).collect();
    let mut shape = Shape::new();
    for x in &arrays {
        let own = x.shape();
        while shape.len() < own.len() {
            shape.insert(0, 1);
        }
        let first = shape.len() - own.len();
        for (length, &n) in shape[first..].iter_mut().zip(&own) {
            if *length != 1 && n != 1 && *length != n {
                refuse(
                    format!(
                        "{} does not broadcast to the arrays before it, of which one has length {length} there: lengths are equal or 1",
                        x.ty()
                    ),
                    &arrays,
                )
            }
            *length = if *length == 1 { n } else { *length };
        }
    }
    let mut all = Vec::with_capacity(arrays.len());
    for x in arrays {
        all.push(x.broadcast_to(&shape));
    }
    all
}

/// The coordinates of a grid: for each vector an array with one axis for every vector, in which it varies along its own (as
/// NumPy's `meshgrid` with `indexing="ij"`).
///
/// # Panics
/// When one has several axes.
///
/// ```
/// use wengert_core::{array, functions::meshgrid};
///
/// let grid = meshgrid(&[array![1, 2], array![3, 4, 5]]);
/// assert_eq!(grid[0], array![[1, 1, 1], [2, 2, 2]]);
/// assert_eq!(grid[1], array![[3, 4, 5], [3, 4, 5]]);
/// ```
#[track_caller]
pub fn meshgrid(vectors: &[impl Borrow<Array>]) -> Vec<Array> {
    let _called = called("meshgrid");
    let vectors: Vec<&Array> = vectors.iter().map(|x| x.borrow()).collect();
    if let Some(x) = vectors.iter().find(|x| x.rank() != 1) {
        refuse(format!("{} is no vector; `flatten` it", x.ty()), &vectors)
    }
    let shape: Shape = vectors.iter().map(|x| x.size()).collect();
    let mut grid = Vec::with_capacity(vectors.len());
    for (axis, x) in vectors.iter().enumerate() {
        let mut own: Shape = SmallVec::from_elem(1, shape.len());
        own[axis] = shape[axis];
        grid.push(x.with_shape(&own).broadcast_to(&shape));
    }
    grid
}

/// With `interior` elements of one value between every two along an axis.
#[track_caller]
pub(super) fn dilated(x: &Array, axis: usize, interior: usize, value: &Array) -> Array {
    let shape = x.shape();
    let n = shape[axis];
    if interior == 0 || n < 2 {
        return x.clone();
    }
    let mut high: Shape = SmallVec::from_elem(0, shape.len() + 1);
    let low = high.clone();
    high[axis + 1] = interior;
    let mut merged = shape.clone();
    merged[axis] = n * (interior + 1);
    let spread = x.expand_dims(axis + 1).pad(low, high, value).with_shape(&merged);
    spread.slice_axis(axis, ..n * (interior + 1) - interior)
}

/// The elements at known places along an axis.
#[track_caller]
fn rows_at(x: &Array, axis: usize, at: Vec<i64>) -> Array {
    x.move_axis(axis, 0).at(Array::from(at)).move_axis(0, axis)
}

#[track_caller]
fn at_least_one_axis(x: &Array) -> Array {
    if x.rank() == 0 { x.expand_dims(0) } else { x.clone() }
}

#[track_caller]
fn integer(n: i64) -> Array {
    rules::literal(Scalar::new(n))
}

#[track_caller]
fn rows(shape: &[usize]) -> Array {
    Array::iota(DType::I64, shape, 0)
}

#[track_caller]
fn columns(shape: &[usize]) -> Array {
    Array::iota(DType::I64, shape, 1)
}

#[track_caller]
fn triangle(x: &Array, stays: impl Fn(Array, Array) -> Array) -> Array {
    let shape = x.shape();
    let [.., m, n] = shape[..] else {
        refuse(format!("{} has no two axes to be a matrix; `expand_dims` or `reshape` it", x.ty()), &[x])
    };
    stays(rows(&[m, n]), columns(&[m, n])).select(x, rules::literal(Scalar::zero(x.dtype())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn margins() {
        let x = Array::from([1, 2, 3]);
        assert_eq!(x.pad_mode(5, 0, PadMode::Reflect), Array::from([2, 1, 2, 3, 2, 1, 2, 3]));
        assert_eq!(x.pad_mode(0, 5, PadMode::Wrap), Array::from([1, 2, 3, 1, 2, 3, 1, 2]));
        assert_eq!(Array::from([7]).pad_mode(1, 1, PadMode::Reflect), Array::from([7, 7, 7]));
        assert_eq!(x.pad_dilated(-1, -1, 0, 0), Array::from([2]));
        assert_eq!(x.pad_dilated(0, 0, 2, 9), Array::from([1, 9, 9, 2, 9, 9, 3]));
        assert_eq!(x.pad_dilated(2, -4, 0, 0), Array::from([0]));
        assert!(door(|| x.pad_dilated(-2, -2, 0, 0)).unwrap_err().message.contains("cannot be taken away"));
        assert!(door(|| x.pad_dilated([0, 0], 0, 0, 0)).unwrap_err().message.contains("one for each axis"));
        assert!(door(|| x.slice(0..0).pad_mode(1, 0, PadMode::Edge)).unwrap_err().message.contains("is empty"));
    }

    #[test]
    fn diagonals() {
        let x = Array::from([[1, 2, 3], [4, 5, 6]]);
        assert_eq!(x.diagonal(-1, 0, 1), Array::from([4]));
        assert_eq!(x.diagonal(3, 0, 1).size(), 0);
        assert_eq!(x.diagonal(0, 1, 0), Array::from([1, 5]));
        assert_eq!(x.tril(-1), Array::from([[0, 0, 0], [4, 0, 0]]));
        assert_eq!(x.triu(1), Array::from([[0, 2, 3], [0, 0, 6]]));
        assert_eq!(Array::from([1, 2]).diag(1), Array::from([[0, 1, 0], [0, 0, 2], [0, 0, 0]]));
        assert!(door(|| Array::from(1).diag(0)).unwrap_err().message.contains("takes a vector or a matrix"));
        assert!(door(|| x.diagonal(0, 1, 1)).unwrap_err().message.contains("stands twice"));
    }

    #[test]
    fn repetition() {
        let x = Array::from([[1, 2], [3, 4]]);
        assert_eq!(x.tile((2, 2)).shape().as_slice(), [4, 4]);
        assert_eq!(x.tile(0).shape().as_slice(), [2, 0]);
        assert_eq!(Array::from(1).tile(3), Array::from([1, 1, 1]));
        assert_eq!(x.repeat(2, 0), Array::from([[1, 2], [1, 2], [3, 4], [3, 4]]));
        assert_eq!(x.roll(3, 1), Array::from([[2, 1], [4, 3]]));
        assert_eq!(hstack(&[&x, &x]).shape().as_slice(), [2, 4]);
    }
}
