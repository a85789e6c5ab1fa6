//! Norms of matrices, and what is told by singular values.

use super::svdvals;
use crate::array::Array;
use crate::halves::in_f32;
use crate::ops::keepdims;
use crate::ops::matrix::{batch, floats, matrix};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::DType;

/// Which norm [`norm`] takes.
///
/// ```
/// use wengert_core::functions::linalg::Norm;
///
/// assert_ne!(Norm::Fro, Norm::Two);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Norm {
    /// The root of the sum of squares.
    Fro,
    /// The sum of the singular values.
    Nuc,
    /// The greatest singular value; of a vector the root of the sum of squares.
    Two,
    /// The greatest sum of absolute values in a column; of a vector the sum.
    One,
    /// The greatest sum of absolute values in a row; of a vector the greatest absolute value.
    Inf,
}

/// Norms of a vector `[n]`, or of matrices: `[.., m, n]` to `[..]`.
///
/// The derivative of [`Norm::Fro`] at 0 is 0; where a greatest value is reached twice both have half of it.
///
/// # Panics
/// When it is a scalar, or the norm of a vector is to be [`Norm::Nuc`].
///
/// ```
/// use wengert_core::{Array, array, functions::linalg::{Norm, norm}};
///
/// let a = array![[3.0, 0.0], [4.0, 5.0]];
/// assert_eq!(norm(&a, Norm::One), Array::from(7.0));
/// assert_eq!(norm(&a, Norm::Inf), Array::from(9.0));
/// assert_eq!(norm(&array![3.0, 4.0], Norm::Two), Array::from(5.0));
/// ```
#[track_caller]
pub fn norm(x: &Array, which: Norm) -> Array {
    let _called = called("norm");
    in_f32!(x = x => norm(x, which));
    let x = &floats(x);
    if x.rank() == 1 && which != Norm::Nuc {
        return match which {
            Norm::Fro | Norm::Two | Norm::Nuc => x.norm(),
            Norm::One => x.abs().sum(),
            Norm::Inf => greatest(&x.abs(), -1),
        };
    }
    accept(matrix(&x.array_type(), batch(x)), &[x]);
    match which {
        Norm::Fro => x.norm_axis([-2, -1]),
        Norm::Nuc => svdvals(x).sum_axis(-1),
        Norm::Two => greatest(&svdvals(x), -1),
        Norm::One => greatest(&x.abs().sum_axis(-2), -1),
        Norm::Inf => greatest(&x.abs().sum_axis(-1), -1),
    }
}

/// The greatest along an axis, 0 of none.
#[track_caller]
fn greatest(x: &Array, axis: i64) -> Array {
    let length = x.shape()[(x.rank() as i64 + axis) as usize];
    if length == 0 { x.sum_axis(axis) } else { x.max_axis(axis) }
}

/// The ranks of matrices, `[.., m, n]` to `i64[..]`: how many singular values are more than `max(m, n)` times the precision
/// of the dtype, relative to the greatest.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{Array, array, functions::linalg};
///
/// assert_eq!(linalg::matrix_rank(&array![[1.0, 2.0], [2.0, 4.0]]), Array::from(1i64));
/// ```
#[track_caller]
pub fn matrix_rank(a: &Array) -> Array {
    let _called = called("matrix_rank");
    let a = &floats(a);
    let (_, [m, n]) = accept(matrix(&a.array_type(), batch(a)), &[a]);
    let s = svdvals(a);
    if m.min(n) == 0 {
        return s.sum_axis(-1).convert(DType::I64);
    }
    let cutoff = s.max_axis(keepdims(-1)) * (m.max(n) as f64 * a.dtype().epsilon());
    s.gt(cutoff).convert(DType::I64).sum_axis(-1)
}

/// The condition numbers of matrices in the 2-norm, `[.., m, n]` to `[..]`: the greatest singular value over the least,
/// infinite where that is 0.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{Array, array, functions::linalg};
///
/// assert_eq!(linalg::cond(&array![[8.0, 0.0], [0.0, 2.0]]), Array::from(4.0));
/// ```
#[track_caller]
pub fn cond(a: &Array) -> Array {
    let _called = called("cond");
    let s = svdvals(&floats(a));
    greatest(&s, -1) / if s.shape().last() == Some(&0) { s.sum_axis(-1) } else { s.min_axis(-1) }
}
