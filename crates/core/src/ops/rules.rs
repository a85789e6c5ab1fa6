//! The words that rules are written in, where the user's methods are not enough.

use super::{Broadcast, Literal};
use crate::array::Array;
use crate::primitive::Batched;
use crate::trace::{apply, record};
use wengert_kernel::Scalar;

/// A scalar literal of the open trace.
#[track_caller]
pub(crate) fn literal(value: Scalar) -> Array {
    if value.dtype.is_complex() {
        let dtype = value.dtype.real();
        return Array::of_parts(literal(Scalar { dtype, ..value }), literal(Scalar::zero(dtype)));
    }
    apply(Literal(value), &[])
}

/// An array with all elements equal.
#[track_caller]
pub(crate) fn constant(value: Scalar, shape: &[usize]) -> Array {
    let x = literal(value);
    if shape.is_empty() { x } else { apply(Broadcast { shape: shape.into(), axes: Default::default() }, &[&x]) }
}

/// Inserts an axis of length `n` at `axis`, repeating the array along it.
#[track_caller]
pub(crate) fn add_axis(x: &Array, axis: usize, n: usize) -> Array {
    let mut shape = x.shape();
    let axes = (0..shape.len()).map(|a| if a < axis { a } else { a + 1 }).collect();
    shape.insert(axis, n);
    apply(Broadcast { shape, axes }, &[x])
}

/// Tangents of an operation that is linear in its only differentiable operand, `x[0]`: the operation on the tangent.
#[track_caller]
pub(crate) fn jvp_linear(
    op: impl Into<super::Op> + Clone,
    x: &[Array],
    dx: &[Option<Array>],
) -> (Vec<Array>, Vec<Option<Array>>) {
    let all: Vec<&Array> = x.iter().collect();
    let y = record(op.clone(), &all);
    let dy = dx[0].as_ref().map(|dx| {
        let mut all = all;
        all[0] = dx;
        apply(op, &all)
    });
    (y, vec![dy])
}

/// The results, none of which has a tangent.
#[track_caller]
pub(crate) fn jvp_constant(op: impl Into<super::Op>, x: &[Array]) -> (Vec<Array>, Vec<Option<Array>>) {
    let y = record(op, &x.iter().collect::<Vec<_>>());
    let dy = vec![None; y.len()];
    (y, dy)
}

/// An operation that acts on every lane alike when its operands all have the batch axis in front.
#[track_caller]
pub(crate) fn batch_all(op: impl Into<super::Op>, x: &[Batched], size: usize) -> Vec<Batched> {
    let x: Vec<Array> = x.iter().map(|x| x.spread(size)).collect();
    record(op, &x.iter().collect::<Vec<_>>()).into_iter().map(Batched::mapped).collect()
}
