//! Products of arrays of any rank, brought to products of matrices by moving axes.

use crate::array::Array;
use crate::error::TypeError;
use crate::ops::{Dot, Integers, distinct_axes};
use crate::promote_types;
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::trace::apply;
use crate::types::{ArrayType, Shape};
use smallvec::SmallVec;

/// Some axes of an array.
pub(super) type Some4 = SmallVec<[usize; 4]>;

/// Which axes [`Array::tensordot`] sums over: a number of the last of the one array with as many of the first of the other,
/// or the axes of both.
///
/// ```
/// use wengert_core::array;
///
/// let (x, y) = (array![[1, 2], [3, 4]], array![[5, 6], [7, 8]]);
/// assert_eq!(x.tensordot(&y, 2), (&x * &y).sum().convert(x.dtype()));
/// assert_eq!(x.tensordot(&y, (0, 1)), x.transpose().dot(&y.transpose()));
/// ```
pub trait Contracted {
    /// The axes of arrays of these ranks.
    ///
    /// # Errors
    /// When there are not as many, or one is named twice.
    fn contracted(&self, left: usize, right: usize) -> Result<[SmallVec<[usize; 4]>; 2], TypeError>;
}

impl Contracted for i32 {
    fn contracted(&self, left: usize, right: usize) -> Result<[Some4; 2], TypeError> {
        let count = usize::try_from(*self).ok().filter(|&n| n <= left && n <= right);
        let refusal =
            || TypeError::new(format!("arrays of {left} and {right} axes have not both {self} axes to sum over"));
        let n = count.ok_or_else(refusal)?;
        Ok([(left - n..left).collect(), (0..n).collect()])
    }
}

impl<A: Integers, B: Integers> Contracted for (A, B) {
    fn contracted(&self, left: usize, right: usize) -> Result<[Some4; 2], TypeError> {
        Ok([distinct_axes(&self.0, left)?, distinct_axes(&self.1, right)?])
    }
}

impl Array {
    /// The product of two arrays of any rank: summed over the `contracting` axes of both, pair by pair, and for each index of
    /// the `batch` axes. The result has the batch axes, then this array's other axes, then those of `other`. dtypes promote.
    ///
    /// # Panics
    /// When axes are named twice, are not as many, or differ in length.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.dot_general(&x, (1, 0), ((), ())), x.dot(&x));
    /// // For each row the product with itself.
    /// assert_eq!(x.dot_general(&x, (1, 1), (0, 0)), Array::from([5.0, 25.0]));
    /// ```
    #[track_caller]
    pub fn dot_general(
        &self,
        other: &Array,
        contracting: (impl Integers, impl Integers),
        batch: (impl Integers, impl Integers),
    ) -> Array {
        let _called = called("dot_general");
        let (a, b) = (self.array_type(), other.array_type());
        let summed = accept(contracting.contracted(a.rank(), b.rank()), &[self, other]);
        let lanes = accept(batch.contracted(a.rank(), b.rank()), &[self, other]);
        product(self, other, &summed, &lanes)
    }

    /// NumPy's `tensordot`: the products summed over some axes of both arrays, or over a number of the last of this and the
    /// first of `other`. The result has the other axes of this array, then those of `other`.
    ///
    /// # Panics
    /// When the axes are not as many, or differ in length.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[[1, 2], [3, 4]]]);
    /// assert_eq!(x.tensordot(&Array::from([[1, 1], [1, 1]]), 2), Array::from([10]));
    /// assert_eq!(x.tensordot(&Array::from([1, 10]), (1, 0)), Array::from([[31, 42]]));
    /// ```
    #[track_caller]
    pub fn tensordot(&self, other: &Array, axes: impl Contracted) -> Array {
        let _called = called("tensordot");
        let summed = accept(axes.contracted(self.rank(), other.rank()), &[self, other]);
        product(self, other, &summed, &Default::default())
    }

    /// The sum of the products of all elements of two arrays of one size, both taken as vectors.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1.0, 2.0]]).vdot(&Array::from([3.0, 4.0])), Array::from(11.0));
    /// ```
    #[track_caller]
    pub fn vdot(&self, other: &Array) -> Array {
        let _called = called("vdot");
        self.flatten().dot(&other.flatten())
    }

    /// The products summed over the last axes of both; with a scalar it multiplies.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.inner(&x), Array::from([[5, 11], [11, 25]]));
    /// ```
    #[track_caller]
    pub fn inner(&self, other: &Array) -> Array {
        let _called = called("inner");
        if self.rank() == 0 || other.rank() == 0 { self * other } else { self.tensordot(other, (-1, -1)) }
    }

    /// The Kronecker product: every element of this array times the whole of `other`. Ranks are made equal by axes of length
    /// 1 in front.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 0], [0, 2]]);
    /// assert_eq!(x.kron(&Array::from([1, 1])), Array::from([[1, 1, 0, 0], [0, 0, 2, 2]]));
    /// ```
    #[track_caller]
    pub fn kron(&self, other: &Array) -> Array {
        let _called = called("kron");
        let rank = self.rank().max(other.rank());
        let long = |x: &Array| -> Shape { std::iter::repeat_n(1, rank - x.rank()).chain(x.shape()).collect() };
        let (a, b) = (long(self), long(other));
        let spread = |shape: &[usize], second: usize| -> Shape {
            shape.iter().flat_map(|&n| if second == 1 { [1, n] } else { [n, 1] }).collect()
        };
        let shape: Shape = a.iter().zip(&b).map(|(m, n)| m * n).collect();
        (self.with_shape(&spread(&a, 0)) * other.with_shape(&spread(&b, 1))).with_shape(&shape)
    }
}

/// The product over axes that are known to exist.
#[track_caller]
pub(super) fn product(x: &Array, y: &Array, summed: &[Some4; 2], lanes: &[Some4; 2]) -> Array {
    let (a, b) = (x.array_type(), y.array_type());
    for (what, [left, right]) in [("summed over", summed), ("shared", lanes)] {
        if left.len() != right.len() {
            refuse(
                format!("{} axes of {a} and {} of {b} are {what}; name as many of both", left.len(), right.len()),
                &[x, y],
            )
        }
        if let Some((&i, &j)) = left.iter().zip(right).find(|&(&i, &j)| a.shape[i] != b.shape[j]) {
            refuse(format!("axes {i} and {j} of {a} and {b}, which are {what}, differ in length"), &[x, y])
        }
    }
    for (ty, which) in [(&a, 0), (&b, 1)] {
        if let Some(axis) = summed[which].iter().find(|axis| lanes[which].contains(axis)) {
            refuse(format!("axis {axis} of {ty} cannot be both summed over and shared"), &[x, y])
        }
    }
    let dtype = promote_types(a.dtype, b.dtype);
    let free = |ty: &ArrayType, which: usize| -> Some4 {
        (0..ty.rank()).filter(|axis| !summed[which].contains(axis) && !lanes[which].contains(axis)).collect()
    };
    let (rows, columns) = (free(&a, 0), free(&b, 1));
    let lengths = |ty: &ArrayType, axes: &[usize]| -> Shape { axes.iter().map(|&axis| ty.shape[axis]).collect() };
    let size = |ty: &ArrayType, axes: &[usize]| lengths(ty, axes).iter().product::<usize>();
    let moved = |x: &Array, order: [&[usize]; 3], shape: [usize; 3]| {
        // No batch axis where there is none, so that lanes of `vmap` make a larger product rather than many.
        let shape = if lanes[0].is_empty() { &shape[1..] } else { &shape[..] };
        x.convert(dtype).permute(order.concat()).with_shape(shape)
    };
    let (count, inner) = (size(&a, &lanes[0]), size(&a, &summed[0]));
    let left = moved(x, [&lanes[0], &rows, &summed[0]], [count, size(&a, &rows), inner]);
    let right = moved(y, [&lanes[1], &summed[1], &columns], [count, inner, size(&b, &columns)]);
    let shape: Shape =
        [lengths(&a, &lanes[0]), lengths(&a, &rows), lengths(&b, &columns)].into_iter().flatten().collect();
    apply(Dot { batch: usize::from(!lanes[0].is_empty()) }, &[&left, &right]).with_shape(&shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn axes_of_several_kinds() {
        let x = Array::iota(crate::DType::F64, &[24], 0).reshape((2, 3, 4));
        let y = x.permute([2, 0, 1]);
        let z = x.dot_general(&y, (2, 0), (0, 1));
        assert_eq!(z.shape().as_slice(), [2, 3, 3]);
        assert_eq!(z.at(1), x.at(1).dot(&x.at(1).transpose()));
        assert_eq!(x.tensordot(&x, 3), x.square().sum());
        assert_eq!(x.tensordot(&x, 0).shape().as_slice(), [2, 3, 4, 2, 3, 4]);
        assert_eq!(Array::from(2).inner(&Array::from([1, 2])), Array::from([2, 4]));
    }

    #[test]
    fn refusals() {
        let (x, y) = (Array::from([[1.0, 2.0]]), Array::from([1.0, 2.0, 3.0]));
        assert!(door(|| x.tensordot(&y, (1, 0))).unwrap_err().message.contains("differ in length"));
        assert!(door(|| x.tensordot(&y, 2)).unwrap_err().message.contains("have not both 2 axes"));
        assert!(
            door(|| x.dot_general(&x, (1, [0, 1]), ((), ()))).unwrap_err().message.contains("name as many of both")
        );
        assert!(
            door(|| x.dot_general(&x, (1, 1), (1, 1))).unwrap_err().message.contains("both summed over and shared")
        );
    }
}
