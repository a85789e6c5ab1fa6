//! How users name lengths and axes: a number, an array, a slice, a tuple of numbers; negative axes count from the end.

use crate::error::TypeError;
use crate::types::Shape;
use smallvec::SmallVec;
use std::ops::RangeFull;

/// A few integers: lengths or axes. One number, an array, a slice, a vector, a tuple of numbers, or `()` for none.
///
/// A tuple may mix types of numbers: `x.reshape((n, -1))` with a `usize` `n`.
///
/// ```
/// use wengert_core::ops::Integers;
///
/// assert_eq!((2usize, -1).integers().as_slice(), [2, -1]);
/// assert_eq!([3, 4].integers().as_slice(), [3, 4]);
/// assert!(().integers().is_empty());
/// ```
pub trait Integers {
    /// The numbers.
    fn integers(&self) -> SmallVec<[i64; 4]>;
}

/// The axes that a reduction combines: anything that is [`Integers`], or `..` for all of them, or [`keepdims`] of
/// these.
///
/// Negative axes count from the end.
///
/// ```
/// use wengert_core::{array, keepdims};
///
/// let x = array![[1, 2], [3, 4]];
/// assert_eq!(x.sum_axis(0), array![4i64, 6]);
/// assert_eq!(x.sum_axis(..), x.sum());
/// assert_eq!(x.sum_axis(keepdims(-1)), array![[3i64], [7]]);
/// ```
pub trait Axes {
    /// The axes of an array of that rank, ascending, and whether they stay in the result with length 1.
    ///
    /// # Errors
    /// When an axis does not exist or stands twice.
    fn axes(&self, rank: usize) -> Result<(SmallVec<[usize; 4]>, bool), TypeError>;
}

/// Axes that stay in the result with length 1, so that it broadcasts against the operand.
///
/// ```
/// use wengert_core::{array, ops::KeepDims};
///
/// assert_eq!(array![[1.0, 2.0]].sum_axis(KeepDims(1)), array![[3.0]]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepDims<A>(pub A);

/// The same axes, which stay in the result with length 1.
///
/// ```
/// use wengert_core::{Array, ops::keepdims};
/// let x = Array::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(x.sum_axis(keepdims(1)).shape().as_slice(), [2, 1]);
/// ```
pub fn keepdims<A: Axes>(axes: A) -> KeepDims<A> {
    KeepDims(axes)
}

macro_rules! numbers {
    ($($t:ty),*) => {$(
        impl Integers for $t {
            fn integers(&self) -> SmallVec<[i64; 4]> {
                SmallVec::from_slice(&[saturated(*self)])
            }
        }

        impl Integers for [$t] {
            fn integers(&self) -> SmallVec<[i64; 4]> {
                self.iter().map(|&n| saturated(n)).collect()
            }
        }

        impl<const N: usize> Integers for [$t; N] {
            fn integers(&self) -> SmallVec<[i64; 4]> {
                self.as_slice().integers()
            }
        }

        impl Integers for Vec<$t> {
            fn integers(&self) -> SmallVec<[i64; 4]> {
                self.as_slice().integers()
            }
        }
    )*};
}

numbers!(i32, i64, usize);

/// As `i64`; no length and no axis is as large as what does not fit.
fn saturated(n: impl TryInto<i64>) -> i64 {
    n.try_into().unwrap_or(i64::MAX)
}

impl Integers for Shape {
    fn integers(&self) -> SmallVec<[i64; 4]> {
        self.as_slice().integers()
    }
}

impl Integers for () {
    fn integers(&self) -> SmallVec<[i64; 4]> {
        SmallVec::new()
    }
}

impl<T: Integers + ?Sized> Integers for &T {
    fn integers(&self) -> SmallVec<[i64; 4]> {
        (**self).integers()
    }
}

macro_rules! tuples {
    ($(($($t:ident $i:tt),+);)*) => {$(
        impl<$($t: Integers),+> Integers for ($($t,)+) {
            fn integers(&self) -> SmallVec<[i64; 4]> {
                let mut all = SmallVec::new();
                $(all.extend(self.$i.integers());)+
                all
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}

impl<T: Integers> Axes for T {
    fn axes(&self, rank: usize) -> Result<(SmallVec<[usize; 4]>, bool), TypeError> {
        let mut axes = distinct_axes(self, rank)?;
        axes.sort_unstable();
        Ok((axes, false))
    }
}

impl Axes for RangeFull {
    fn axes(&self, rank: usize) -> Result<(SmallVec<[usize; 4]>, bool), TypeError> {
        Ok(((0..rank).collect(), false))
    }
}

impl<A: Axes> Axes for KeepDims<A> {
    fn axes(&self, rank: usize) -> Result<(SmallVec<[usize; 4]>, bool), TypeError> {
        Ok((self.0.axes(rank)?.0, true))
    }
}

/// An axis counted from the front.
pub(super) fn axis(axis: i64, rank: usize) -> Result<usize, TypeError> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    if (0..rank as i64).contains(&counted) {
        return Ok(counted as usize);
    }
    Err(TypeError::new(match rank {
        0 => {
            format!("axis {axis} does not exist in a scalar, which has no axes; `reshape` or `expand_dims` makes some")
        }
        1 => format!("axis {axis} does not exist in an array of one axis; that is axis 0, or -1"),
        _ => format!(
            "axis {axis} does not exist in an array of {rank} axes; they are 0 to {}, or -1 to -{rank} from the last",
            rank - 1
        ),
    }))
}

/// Axes counted from the front, in the order given.
pub(crate) fn distinct_axes(axes: &(impl Integers + ?Sized), rank: usize) -> Result<SmallVec<[usize; 4]>, TypeError> {
    let mut counted: SmallVec<[usize; 4]> = SmallVec::new();
    for n in axes.integers() {
        let a = axis(n, rank)?;
        if counted.contains(&a) {
            return Err(TypeError::new(format!(
                "axis {a} stands twice in {:?}; name each axis once (negative ones count from the end)",
                axes.integers()
            )));
        }
        counted.push(a);
    }
    Ok(counted)
}

/// The one axis of a method that takes no more.
pub(crate) fn one_axis(axes: &(impl Integers + ?Sized), rank: usize) -> Result<usize, TypeError> {
    match axes.integers()[..] {
        [n] => axis(n, rank),
        ref all => Err(TypeError::new(format!("it takes one axis, not {all:?}"))),
    }
}

/// Lengths, none of which may be negative.
pub(crate) fn lengths(lengths: &impl Integers) -> Result<Shape, TypeError> {
    let all = lengths.integers();
    let negative = |_| TypeError::new(format!("a length in {:?} is negative; lengths are 0 or more", all.as_slice()));
    all.iter().map(|&n| usize::try_from(n).map_err(negative)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_in_every_spelling() {
        let all = |a: &dyn Axes| a.axes(3).map(|(axes, keep)| (axes.to_vec(), keep));
        assert_eq!(all(&1), Ok((vec![1], false)));
        assert_eq!(all(&-1), Ok((vec![2], false)));
        assert_eq!(all(&[-1, 0]), Ok((vec![0, 2], false)));
        assert_eq!(all(&vec![1usize]), Ok((vec![1], false)));
        assert_eq!(all(&(0usize, -1)), Ok((vec![0, 2], false)));
        assert_eq!(all(&..), Ok((vec![0, 1, 2], false)));
        assert_eq!(all(&()), Ok((vec![], false)));
        assert_eq!(all(&keepdims(..)), Ok((vec![0, 1, 2], true)));
    }

    #[test]
    fn errors_name_the_axis() {
        let message = |r: Result<_, TypeError>| r.map(|_: (SmallVec<[usize; 4]>, bool)| ()).unwrap_err().0;
        assert_eq!(
            message(3.axes(3)),
            "axis 3 does not exist in an array of 3 axes; they are 0 to 2, or -1 to -3 from the last"
        );
        assert_eq!(
            message((-4).axes(3)),
            "axis -4 does not exist in an array of 3 axes; they are 0 to 2, or -1 to -3 from the last"
        );
        assert_eq!(
            message(0.axes(0)),
            "axis 0 does not exist in a scalar, which has no axes; `reshape` or `expand_dims` makes some"
        );
        assert_eq!(
            message([1, -2].axes(3)),
            "axis 1 stands twice in [1, -2]; name each axis once (negative ones count from the end)"
        );
        assert_eq!(
            message(i64::MIN.axes(3)),
            format!(
                "axis {} does not exist in an array of 3 axes; they are 0 to 2, or -1 to -3 from the last",
                i64::MIN
            )
        );
        assert!(message(usize::MAX.axes(3)).contains("does not exist"));
    }
}
