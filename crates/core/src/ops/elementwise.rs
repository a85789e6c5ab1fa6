//! What all elementwise primitives share: how types follow, and the reference.

use super::operands::{arrays, result};
use super::view::blank;
use crate::error::{Error, TypeError};
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, Value};
use smallvec::SmallVec;
use std::borrow::Cow;
use wengert_kernel::scalar::{binary_fn, bitcast, compare_fn, convert, fma_fn, test_fn, unary_fn};
use wengert_kernel::{DType, Element, ScalarOp, Unary, with_element};

/// Operands of one shape, and of dtypes that the scalar operation takes.
pub(super) fn infer<const N: usize>(op: ScalarOp, args: &[Type]) -> Result<Vec<Type>, TypeError> {
    let x = arrays::<N>(args)?;
    if let Some(other) = x.iter().find(|other| other.shape != x[0].shape) {
        return Err(TypeError::new(format!("{} and {other} differ in shape; `broadcast_to` makes them equal", x[0])));
    }
    let dtypes = x.map(|x| x.dtype);
    match op.infer(&dtypes) {
        Some(dtype) => result(dtype, Shape::from_slice(&x[0].shape)),
        None => Err(refusal(op, &dtypes)),
    }
}

/// Why a scalar operation does not take operands of these dtypes.
fn refusal(op: ScalarOp, dtypes: &[DType]) -> TypeError {
    if let (ScalarOp::Select, [condition, ..]) = (op, dtypes)
        && let Err(refusal) = truth_values(*condition)
    {
        return refusal;
    }
    if let (ScalarOp::Bitcast(to), [from]) = (op, dtypes) {
        let why = match (*from, to) {
            (DType::Bool, _) | (_, DType::Bool) => "bool is not bits; `convert` it to u8".to_owned(),
            _ => format!(
                "{from} has {} bits and {to} has {}; `convert` changes the size",
                8 * from.size(),
                8 * to.size()
            ),
        };
        return TypeError::new(why);
    }
    let mut names: Vec<&str> = dtypes.iter().map(|d| d.name()).collect();
    names.dedup();
    let advice = match dtypes {
        [first, rest @ ..] if rest.iter().any(|d| d != first) => "`convert` them to one dtype",
        [DType::Bool, ..] => "`convert` it to a dtype of numbers, or use `& | ^ !`",
        [first, ..] if first.is_float() => "floats have no bits to combine; compare, or `convert` to integers",
        _ if matches!(op, ScalarOp::Unary(Unary::PopulationCount | Unary::Clz)) => "`convert` it to integers",
        _ => "`convert` it to a float",
    };
    TypeError::new(format!("it is not defined for {}; {advice}", names.join(" and ")))
}

/// That an array of this dtype can choose.
pub(super) fn truth_values(condition: DType) -> Result<(), TypeError> {
    if condition == DType::Bool {
        return Ok(());
    }
    Err(TypeError::new(format!(
        "the condition is of dtype {condition} and must be bool; compare first, as in `x.gt(0.0).select(a, b)`"
    )))
}

/// The scalar operation on every element.
pub(super) fn eval(op: ScalarOp, args: Vec<Value>) -> Result<Vec<Value>, Error> {
    let x: SmallVec<[&ArrayValue; 3]> = args.iter().map(Value::array).collect();
    let dtypes: SmallVec<[DType; 3]> = x.iter().map(|x| x.dtype()).collect();
    let dtype = op.infer(&dtypes).expect("the dtypes were inferred");
    let mut y = blank(dtype, &x[0].shape)?;
    // The last operand has the dtype on which the function is defined; only the condition of a select is another.
    with_element!(dtypes[dtypes.len() - 1], T => match op {
        ScalarOp::Unary(op) => match (unary_fn::<T>(op), test_fn::<T>(op)) {
            (Some(f), _) => map(&mut y, x[0], f),
            (None, f) => map(&mut y, x[0], f.expect("the dtype was inferred")),
        },
        ScalarOp::Binary(op) => map2(&mut y, x[0], x[1], binary_fn::<T>(op).expect("the dtype was inferred")),
        ScalarOp::Compare(op) => map2(&mut y, x[0], x[1], compare_fn::<T>(op)),
        ScalarOp::Select => map3(&mut y, x[0], x[1], x[2], |p, a: T, b: T| if p { a } else { b }),
        ScalarOp::Convert(to) => with_element!(to, U => map(&mut y, x[0], convert::<T, U>)),
        ScalarOp::Bitcast(to) => with_element!(to, U => map(&mut y, x[0], bitcast::<T, U>)),
        ScalarOp::Fma => map3(&mut y, x[0], x[1], x[2], fma_fn::<T>().expect("the dtype was inferred")),
    });
    Ok(vec![y.into()])
}

fn map<A: Element, Y: Element>(y: &mut ArrayValue, a: &ArrayValue, f: impl Fn(A) -> Y) {
    for (y, &a) in target(y).iter_mut().zip(&*elements(a)) {
        *y = f(a);
    }
}

fn map2<A: Element, B: Element, Y: Element>(y: &mut ArrayValue, a: &ArrayValue, b: &ArrayValue, f: impl Fn(A, B) -> Y) {
    for ((y, &a), &b) in target(y).iter_mut().zip(&*elements(a)).zip(&*elements(b)) {
        *y = f(a, b);
    }
}

fn map3<A: Element, B: Element, C: Element, Y: Element>(
    y: &mut ArrayValue,
    a: &ArrayValue,
    b: &ArrayValue,
    c: &ArrayValue,
    f: impl Fn(A, B, C) -> Y,
) {
    for (((y, &a), &b), &c) in target(y).iter_mut().zip(&*elements(a)).zip(&*elements(b)).zip(&*elements(c)) {
        *y = f(a, b, c);
    }
}

fn target<T: Element>(y: &mut ArrayValue) -> &mut [T] {
    y.make_mut().as_mut_slice().expect("the dtype was inferred")
}

/// The elements; copied when they lie in foreign memory that is not aligned for them.
fn elements<T: Element>(x: &ArrayValue) -> Cow<'_, [T]> {
    match x.buffer.as_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(x.buffer.to_vec().expect("the dtype was inferred")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Array;
    use std::sync::Arc;
    use wengert_kernel::{Binary, Buffer};

    #[test]
    fn refusals_give_advice() {
        let message =
            |op: Binary, dtypes: [DType; 2]| infer::<2>(ScalarOp::Binary(op), &dtypes.map(Type::scalar)).unwrap_err().0;
        assert_eq!(
            message(Binary::Add, [DType::Bool; 2]),
            "it is not defined for bool; `convert` it to a dtype of numbers, or use `& | ^ !`"
        );
        assert!(message(Binary::Add, [DType::F32, DType::F64]).ends_with("`convert` them to one dtype"));
        assert!(message(Binary::And, [DType::F32; 2]).contains("floats have no bits"));
        assert!(message(Binary::Atan2, [DType::I32; 2]).ends_with("`convert` it to a float"));
        let shapes = [Type::array(DType::F64, &[2]), Type::array(DType::F64, &[3])];
        let error = infer::<2>(ScalarOp::Binary(Binary::Add), &shapes).unwrap_err().0;
        assert!(error.starts_with("f64[2] and f64[3] differ in shape"), "{error}");
    }

    #[test]
    fn memory_at_an_odd_address_is_read() {
        let bytes: Vec<u8> = std::iter::once(0).chain(1f64.to_ne_bytes()).chain(2f64.to_ne_bytes()).collect();
        let buffer = Buffer::from_foreign(DType::F64, 2, Arc::new(bytes), 1).expect("it holds two elements");
        let x = Array::from_value(ArrayValue { shape: [2].as_slice().into(), buffer: Arc::new(buffer) }.into());
        assert_eq!(-x + 1.0, Array::from([0.0, -1.0]));
    }
}
