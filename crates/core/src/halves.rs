//! `f16` and `bf16`: arrays of them are kept in 16 bits an element and computed with as `f32`.
//!
//! An operation that only moves elements, selects or converts them, or adds two arrays, takes them as they are. Before any
//! other its operands become `f32`, and its `f32` results are rounded: so every operation rounds once, a sum of many
//! elements is rounded at its end, and rules of derivatives, engines and the library's functions know nothing of halves.

use crate::array::Array;
use crate::array::promote::promote_types;
use crate::error::{Error, TypeError};
use crate::ops::Op;
use crate::primitive::Lowering;
use crate::refusal::refused;
use crate::trace;
use crate::types::Type;
use wengert_kernel::DType;

/// Whether an operation takes halves as they are.
fn takes_halves(lowering: &Lowering) -> bool {
    match lowering {
        Lowering::Map(op) => op.takes_halves(),
        Lowering::Reduce { .. } | Lowering::ArgReduce { .. } | Lowering::Dot { .. } | Lowering::Call { .. } => false,
        Lowering::Literal(_) | Lowering::Iota { .. } | Lowering::Identity | Lowering::Structural => true,
        Lowering::View(_) | Lowering::Windows { .. } | Lowering::Reshape | Lowering::Concatenate { .. } => true,
        Lowering::Pad { .. } | Lowering::Gather { .. } | Lowering::Accumulate { .. } => true,
        Lowering::DynamicSlice { .. } | Lowering::DynamicUpdate { .. } | Lowering::SliceAdd { .. } => true,
    }
}

/// Whether these operands must become `f32` first.
pub(crate) fn must_widen(op: &Op, types: &[Type]) -> bool {
    types.iter().any(|ty| ty.dtype().is_half()) && !takes_halves(&op.lower())
}

/// That programs do not hold what [`record`] would have recorded otherwise.
pub(crate) fn accept(op: &Op, types: &[Type]) -> Result<(), TypeError> {
    if !must_widen(op, types) {
        return Ok(());
    }
    let half = types.iter().map(Type::dtype).find(|dtype| dtype.is_half()).expect("there is one");
    Err(TypeError::new(format!("it computes with {half} as f32; `convert` the operand")))
}

/// What a function of many steps gives is computed in `f32` throughout when it is asked of halves: at the head of such a
/// function, `in_f32!(x = self => x.softmax(axes));` returns that, rounded.
macro_rules! in_f32 {
    ($($x:ident = $half:expr),+ => $result:expr) => {
        if let [half, ..] = [$($half.dtype()),+] && half.is_half() {
            $(let $x = &$half.convert(wengert_kernel::DType::F32);)+
            return $result.convert(half);
        }
    };
}

pub(crate) use in_f32;

/// Records an operation on `f32` in place of halves.
#[track_caller]
pub(crate) fn record(op: Op, args: &[&Array]) -> Result<Vec<Array>, Error> {
    let halves = args.iter().map(|x| x.dtype()).filter(|dtype| dtype.is_half());
    let dtype = halves.reduce(promote_types).expect("there are halves");
    let wide = |x: &Array| if x.dtype().is_half() { x.convert(DType::F32) } else { x.clone() };
    let mut operands = Vec::with_capacity(args.len());
    for x in args {
        operands.push(wide(x));
    }
    let types: Vec<Type> = operands.iter().map(Array::ty).collect();
    op.infer(&types).map_err(|e| refused(&op, &e, args))?;
    let operands: Vec<&Array> = operands.iter().collect();
    let mut results = trace::record(op, &operands);
    for y in &mut results {
        if y.dtype() == DType::F32 {
            *y = y.convert(dtype);
        }
    }
    Ok(results)
}
