//! What `infer` asks of operands and results, in the same words everywhere.

use crate::error::TypeError;
use crate::types::{ArrayType, Shape, Type};
use wengert_kernel::DType;

/// The operands, all arrays and as many as the operation takes.
pub(super) fn arrays<const N: usize>(args: &[Type]) -> Result<[&ArrayType; N], TypeError> {
    let all = array_list(args)?;
    let count = all.len();
    all.try_into().map_err(|_| TypeError::new(format!("it takes {N} operands, not {count}")))
}

/// The operands, all arrays.
pub(super) fn array_list(args: &[Type]) -> Result<Vec<&ArrayType>, TypeError> {
    let list = |ty: &Type| TypeError::new(format!("{ty} is a list of rows, not an array"));
    args.iter().map(|ty| ty.as_array().ok_or_else(|| list(ty))).collect()
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
