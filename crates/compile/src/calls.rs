//! Programs that are called more than once: one function each.
//!
//! Arrays are handed over as buffers, dense from their first element; scalars as values; lists as their buffers with
//! where they begin and how many rows they have.

use crate::block::{Bound, run};
use crate::control::{Site, only};
use crate::emit::Emitter;
use crate::index::{Access, Root, is_dense};
use crate::lists::{List, ListDest, dense_type};
use crate::storage::{Dest, Place};
use wengert_core::ops::Call;
use wengert_core::program::Program;
use wengert_core::types::{ArrayType, Type};
use wengert_kernel::routine::{Affine, BufferId, FunctionId, Stmt, Storage, Value};
use wengert_kernel::{DType, Scalar};

/// How a value of some type is handed over.
enum Shape {
    Empty(ArrayType),
    Scalar(ArrayType),
    Array(ArrayType),
    List,
}

fn shape(ty: &Type) -> Shape {
    match dense_type(ty) {
        None => Shape::List,
        Some(ty) if ty.size() == 0 => Shape::Empty(ty),
        Some(ty) if ty.size() == 1 => Shape::Scalar(ty),
        Some(ty) => Shape::Array(ty),
    }
}

/// Writes the function of a program.
pub(crate) fn define(e: &mut Emitter, program: &Program) -> FunctionId {
    e.begin_function(format!("call{}", e.routine.functions.len()));
    let inputs: Vec<Bound> = program.input_types().iter().map(|ty| parameter(e, ty)).collect();
    let dests: Vec<Dest> = program.output_types().map(|ty| result(e, ty)).collect();
    let outputs = run(e, program, &inputs, &dests);
    let mut yields = Vec::new();
    for (ty, output) in program.output_types().zip(&outputs) {
        match output {
            Bound::List(list) => {
                yields.push(list.count);
                yields.extend(&list.ends);
            }
            _ if matches!(shape(ty), Shape::Scalar(_)) => yields.push(only(e, output)),
            _ => {}
        }
    }
    FunctionId(e.end_function(yields) as u32)
}

fn parameter(e: &mut Emitter, ty: &Type) -> Bound {
    match shape(ty) {
        Shape::Empty(ty) => Bound::Elements(Access::literal(Scalar::zero(ty.dtype), &ty.shape)),
        Shape::Scalar(ty) => Bound::Elements(Access::uniform(Root::Value(value_param(e, ty.dtype)), &ty)),
        Shape::Array(ty) => {
            let buffer = buffer_param(e, ty.dtype, ty.size());
            Bound::Elements(Access::dense(Root::Memory(buffer), &ty))
        }
        Shape::List => {
            let dest = list_param(e, ty);
            let [start, count] = [0; 2].map(|_| value_param(e, DType::I64));
            let ListDest { spans, data, row, .. } = dest;
            Bound::List(List { spans, data, row, start: Affine::value(start), count, ends: Vec::new() })
        }
    }
}

fn result(e: &mut Emitter, ty: &Type) -> Dest {
    match shape(ty) {
        Shape::Empty(_) | Shape::Scalar(_) => Dest::Any,
        Shape::Array(ty) => {
            let buffer = buffer_param(e, ty.dtype, ty.size());
            Dest::Fresh(Place { buffer, at: Affine::default() })
        }
        Shape::List => {
            let dest = list_param(e, ty);
            let ends: Vec<Value> = dest.ends.iter().map(|_| value_param(e, DType::I64)).collect();
            Dest::List(dest.with_ends(&ends))
        }
    }
}

fn value_param(e: &mut Emitter, dtype: DType) -> Value {
    let value = e.value(dtype);
    e.function.params.push(value);
    value
}

fn buffer_param(e: &mut Emitter, dtype: DType, len: usize) -> BufferId {
    let buffer = e.buffer(dtype, len, Storage::Param(e.function.buffer_params.len() as u32));
    e.function.buffer_params.push(buffer);
    buffer
}

/// The buffers of a list as parameters; the ends are left to the caller.
fn list_param(e: &mut Emitter, ty: &Type) -> ListDest {
    let dest = ListDest::named(e, ty);
    for buffer in dest.spans.iter().chain([&dest.data]) {
        // Made as growing buffers a moment ago; they become names for the caller's.
        let made = &mut e.routine.buffers[buffer.0 as usize];
        made.storage = Storage::Param(e.function.buffer_params.len() as u32);
        e.function.buffer_params.push(*buffer);
    }
    dest
}

/// A `Call` of a program that has a function.
pub(crate) fn call(site: &mut Site<'_, '_>, e: &mut Emitter, op: &Call) {
    let function = e.functions[&op.program];
    let (mut args, mut buffers) = (Vec::new(), Vec::new());
    for (i, ty) in op.program.input_types().iter().enumerate() {
        match (shape(ty), site.bound(i)) {
            (Shape::Scalar(_), operand) => args.push(only(e, &operand)),
            (Shape::Array(ty), Bound::Elements(access)) => buffers.push(dense_buffer(e, &access, &ty)),
            (Shape::List, Bound::List(list)) => {
                buffers.extend(&list.spans);
                buffers.push(list.data);
                args.extend([e.index(&list.start), list.count]);
            }
            _ => {}
        }
    }
    let mut moves = Vec::new();
    let mut dests = Vec::new();
    for (i, ty) in op.program.output_types().enumerate() {
        match shape(ty) {
            Shape::Array(ty) => {
                let place = site.place(e, i).expect("an array has memory");
                if place.at == Affine::default() {
                    buffers.push(place.buffer);
                } else {
                    let made = e.memory(ty.dtype, ty.size());
                    buffers.push(made.buffer);
                    moves.push((Access::dense(Root::Memory(made.buffer), &ty), place));
                }
            }
            Shape::List => {
                let dest = site.list_dest(e, i);
                buffers.extend(&dest.spans);
                buffers.push(dest.data);
                args.extend(&dest.ends);
                dests.push((i, dest));
            }
            _ => {}
        }
    }
    // Results in the order of the callee's yields.
    let mut results = Vec::new();
    let mut lists = dests.into_iter();
    let mut found = Vec::new();
    for (i, ty) in op.program.output_types().enumerate() {
        match shape(ty) {
            Shape::Scalar(ty) => {
                let value = e.value(ty.dtype);
                results.push(value);
                if let Some(id) = site.scalar_result(i) {
                    site.block.set_value(id, value);
                }
            }
            Shape::List => {
                let (i, dest) = lists.next().expect("every list has a destination");
                let values: Vec<Value> = (0..=dest.ends.len()).map(|_| e.value(DType::I64)).collect();
                results.extend(&values);
                found.push((i, dest, values));
            }
            Shape::Empty(_) | Shape::Array(_) => {}
        }
    }
    e.push(Stmt::Call { function, args, buffers, results });
    for (from, to) in moves {
        e.transfer(&from, &to);
        e.report.copies += 1;
    }
    for (i, dest, values) in found {
        let list = dest.finish(e, values[0], &values[2..]);
        site.set_list(i, list);
    }
}

/// A buffer that holds the elements from its first element on.
fn dense_buffer(e: &mut Emitter, access: &Access, ty: &ArrayType) -> BufferId {
    if let (Root::Memory(buffer), true) = (&access.root, access.at == Affine::default() && is_dense(&access.dims)) {
        return *buffer;
    }
    let place = e.memory(ty.dtype, ty.size());
    e.transfer(access, &place);
    e.report.copies += 1;
    place.buffer
}
