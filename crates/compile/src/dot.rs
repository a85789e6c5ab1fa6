//! Matrix products by the runtime: `dot_f32` and its sisters take strides, so transposed and shared operands are read
//! where they are. (Products of vectors and small matrices never come here: see `Nodes::dot`.)

use crate::control::Site;
use crate::emit::{Emitter, moved};
use crate::index::{Access, Dim, Root, dense, joint};
use std::borrow::Cow;
use wengert_kernel::DType;
use wengert_kernel::routine::{Affine, BufferId, Span, Stmt};

/// A `Dot` whose operands are in memory with strides that are not negative.
pub(crate) fn dot(site: &mut Site<'_, '_>, e: &mut Emitter, batch: usize) {
    let (x, y) = (site.arg(0).clone(), site.arg(1).clone());
    let place = site.place(e, 0).expect("a product with one element is a reduction");
    let (m, k, n) = (x.dims[batch], x.dims[batch + 1], y.dims[batch + 1]);
    let shape: Vec<usize> = x.dims[..=batch].iter().map(|d| d.len).chain([n.len]).collect();
    let z = dense(&shape);
    // Batch axes that do not step as one are loops around the call.
    let (axes, strides) = joint(&[&x.dims[..batch], &y.dims[..batch], &z[..batch]]);
    let (outer, size) = match axes.split_last() {
        Some((&last, outer)) => (outer, last),
        None => (&axes[..], 1),
    };
    let indices = e.begin_nest(outer);
    let step = |part: usize| strides[part].last().copied().unwrap_or(0);
    let operand = |of: &Access, part: usize, row: Dim, column: Dim| {
        let Root::Memory(buffer) = of.root else { unreachable!("the planner stored it") };
        let dims = [Dim { len: size, stride: step(part) }, row, column];
        span(buffer, moved(&of.at, &indices, &strides[part]), &dims)
    };
    let inputs = vec![operand(&x, 0, m, k), operand(&y, 1, y.dims[batch], n)];
    let out = [Dim { len: size, stride: step(2) }, z[batch], z[batch + 1]];
    let outputs = vec![span(place.buffer, moved(&place.at, &indices, &strides[2]), &out)];
    let sizes = [size, m.len, k.len, n.len].map(|n| n as i64);
    let steps = [step(0), m.stride, k.stride, step(1), y.dims[batch].stride, n.stride];
    let out_steps = out.map(|d| d.stride);
    let ints = [&sizes[..], &steps, &out_steps].concat();
    e.push(Stmt::Runtime { name: Cow::Borrowed(name(x.dtype)), ints, inputs, outputs });
    e.end_nest(outer, &indices);
}

fn span(buffer: BufferId, at: Affine, dims: &[Dim]) -> Span {
    let last: i64 = dims.iter().map(|d| (d.len as i64 - 1) * d.stride).sum();
    Span { buffer, at, len: last as usize + 1 }
}

fn name(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "dot_f32",
        DType::F64 => "dot_f64",
        DType::I32 => "dot_i32",
        DType::I64 => "dot_i64",
        DType::U32 => "dot_u32",
        DType::U64 => "dot_u64",
        _ => unreachable!("infer refuses products of {dtype}"),
    }
}
