//! What `infer` asks of operands and results, in the same words everywhere.

use crate::error::TypeError;
use crate::types::{ArrayType, Shape, Type};
use smallvec::SmallVec;
use wengert_kernel::DType;

/// The operands, all arrays and as many as the operation takes.
pub(super) fn arrays<const N: usize>(args: &[Type]) -> Result<[&ArrayType; N], TypeError> {
    let all = args.iter().map(array).collect::<Result<SmallVec<[_; N]>, _>>()?;
    all.into_inner().map_err(|all| TypeError::new(format!("it takes {N} operands, not {}", all.len())))
}

/// The operands, all arrays.
pub(super) fn array_list(args: &[Type]) -> Result<Vec<&ArrayType>, TypeError> {
    args.iter().map(array).collect()
}

fn array(ty: &Type) -> Result<&ArrayType, TypeError> {
    ty.as_array().ok_or_else(|| TypeError::new(format!("{ty} is a list of rows, not an array")))
}

/// The type of the only result, when memory could hold it.
pub(super) fn result(dtype: DType, shape: Shape) -> Result<Vec<Type>, TypeError> {
    let ty = ArrayType { dtype, shape };
    ty.check_size()?;
    Ok(vec![Type::Array(ty)])
}

/// That two operands have one dtype.
pub(super) fn same_dtype(x: &ArrayType, y: &ArrayType) -> Result<(), TypeError> {
    if x.dtype == y.dtype {
        return Ok(());
    }
    Err(TypeError::new(format!("{x} and {y} differ in dtype; `convert` one of them")))
}

/// That an operand holds numbers.
pub(super) fn number(x: &ArrayType) -> Result<(), TypeError> {
    if x.dtype != DType::Bool {
        return Ok(());
    }
    Err(TypeError::new(format!("{x} holds no numbers; `convert` it to a dtype that does")))
}
