//! What the user's operators do before a primitive sees their operands: give them one dtype and one shape.

use super::Array;
use crate::ops::{Broadcast, rules};
use crate::refusal::refuse;
use crate::trace::apply;
use crate::types::Shape;
use smallvec::SmallVec;
use wengert_kernel::{DType, Scalar, ScalarOp};

/// An operand as it is written: an array, or a bare number.
///
/// Only a bare number is weak: it takes the dtype of the arrays beside it, so that `x * 2.0` stays `f32` when `x` is.
/// A float beside integers is `f64`, an integer beside `bool` is `i32`, and so are numbers among themselves.
/// Methods take `impl Into<Term>`:
///
/// ```
/// # use wengert_core::{Array, DType};
/// let x = Array::from([-1f32, 2.0]);
/// assert_eq!(x.maximum(0.0), Array::from([0f32, 2.0]));
/// assert_eq!(x.maximum(0), Array::from([0f32, 2.0]));
/// assert_eq!(x.maximum(&x), x);
/// ```
#[derive(Clone)]
pub enum Term {
    /// An array; never weak.
    Array(Array),
    /// A number with a point.
    Float(f64),
    /// A whole number.
    Int(i32),
}

impl From<Array> for Term {
    fn from(x: Array) -> Term {
        Term::Array(x)
    }
}

impl From<&Array> for Term {
    fn from(x: &Array) -> Term {
        Term::Array(x.clone())
    }
}

impl From<f64> for Term {
    fn from(x: f64) -> Term {
        Term::Float(x)
    }
}

impl From<i32> for Term {
    fn from(x: i32) -> Term {
        Term::Int(x)
    }
}

/// The dtype in which elements of two dtypes meet: JAX's table, with 64-bit types.
///
/// `bool` gives way to all; floats to none but complex numbers, the wider of two wins (`c64` beside `f64` is `c128`, `f16` and `bf16` meet in `f32`); an unsigned and a signed integer meet in the signed
/// type that holds both, and `u64` with a signed one in `f64`, as there is no such type.
///
/// ```
/// use wengert_core::{DType, promote_types};
/// assert_eq!(promote_types(DType::I64, DType::F32), DType::F32);
/// assert_eq!(promote_types(DType::U32, DType::I32), DType::I64);
/// ```
pub fn promote_types(a: DType, b: DType) -> DType {
    use DType::*;
    match (a, b) {
        (Bool, other) | (other, Bool) => other,
        (C128, _) | (_, C128) | (C64, F64) | (F64, C64) => C128,
        (C64, _) | (_, C64) => C64,
        (F64, _) | (_, F64) => F64,
        (F32, _) | (_, F32) | (F16, BF16) | (BF16, F16) => F32,
        (F16, _) | (_, F16) => F16,
        (BF16, _) | (_, BF16) => BF16,
        (U8, other) | (other, U8) => other,
        (U64, U32 | U64) | (U32, U64) => U64,
        (U64, _) | (_, U64) => F64,
        (U32, U32) => U32,
        (I32, I32) => I32,
        (U32 | I32 | I64, _) => I64,
    }
}

/// The operands of an operation, with a common dtype and shape.
#[track_caller]
pub(crate) fn promote<const N: usize>(terms: [Term; N]) -> [Array; N] {
    let dtype = common_dtype(&terms);
    let shape = common_shape(&terms);
    let mut fitted = SmallVec::<[Array; N]>::new();
    for term in &terms {
        fitted.push(fit(term, dtype, &shape));
    }
    fitted.into_inner().unwrap_or_else(|_| unreachable!("as many as came"))
}

/// The dtype of the result of an operation on these operands.
pub(crate) fn common_dtype(terms: &[Term]) -> DType {
    let arrays = terms.iter().filter_map(|t| match t {
        Term::Array(x) => Some(x.dtype()),
        Term::Float(_) | Term::Int(_) => None,
    });
    // A number raises the kind of `bool` below it, and never the width.
    let kind = |dtype: DType, term: &Term| match term {
        Term::Float(_) if !dtype.is_inexact() => DType::F64,
        Term::Int(_) if dtype == DType::Bool => DType::I32,
        _ => dtype,
    };
    terms.iter().fold(arrays.reduce(promote_types).unwrap_or(DType::Bool), kind)
}

/// The shape to which operands broadcast by NumPy's rule: axes are matched from the last, and one of length 1 repeats.
#[track_caller]
pub(crate) fn common_shape(terms: &[Term]) -> Shape {
    let mut common = Shape::new();
    for term in terms {
        let Term::Array(x) = term else { continue };
        let shape = x.shape();
        if common.is_empty() {
            common = shape;
            continue;
        }
        let missing = shape.len().saturating_sub(common.len());
        common.insert_many(0, std::iter::repeat_n(1, missing));
        let offset = common.len() - shape.len();
        for (axis, &n) in shape.iter().enumerate() {
            let m = &mut common[offset + axis];
            if n != *m && n != 1 && *m != 1 {
                mismatch(terms, (*m, n), shape.len() - axis)
            }
            if *m == 1 {
                *m = n;
            }
        }
    }
    common
}

/// One operand in the dtype and shape found for all.
#[track_caller]
pub(crate) fn fit(term: &Term, dtype: DType, shape: &[usize]) -> Array {
    match term {
        Term::Array(x) if x.dtype() == dtype => broadcast(x, shape),
        // Converted first, as it may be the smaller of the two.
        Term::Array(x) => broadcast(&x.convert(dtype), shape),
        Term::Float(x) => rules::constant(number(Scalar::new(*x), dtype), shape),
        Term::Int(x) => {
            let least = if dtype.is_integer() && !dtype.is_signed() { 0 } else { i32::MIN };
            let greatest = if dtype == DType::U8 { u8::MAX.into() } else { i32::MAX };
            if !(least..=greatest).contains(x) {
                refuse(
                    format!(
                        "the number {x} does not fit {dtype}, which it takes from the array beside it; `convert` the array to a wider dtype, or write `{x}.0` for f64"
                    ),
                    &[],
                )
            }
            rules::constant(number(Scalar::new(*x), dtype), shape)
        }
    }
}

pub(crate) fn number(x: Scalar, dtype: DType) -> Scalar {
    let real = dtype.real();
    let bits = if x.dtype == real { x.bits } else { ScalarOp::Convert(real).eval(&[x]).bits };
    Scalar { dtype, bits }
}

/// Repeats an array to a shape that its own broadcasts to: axes of length 1 are dropped, then made anew.
#[track_caller]
pub(crate) fn broadcast(x: &Array, shape: &[usize]) -> Array {
    let own = x.shape();
    if own[..] == *shape {
        return x.clone();
    }
    let first = shape.len() - own.len();
    let kept = (0..own.len()).filter(|&axis| own[axis] == shape[first + axis]);
    let lengths: Shape = kept.clone().map(|axis| own[axis]).collect();
    let axes = kept.map(|axis| first + axis).collect();
    apply(Broadcast { shape: shape.into(), axes }, &[&x.with_shape(&lengths)])
}

#[track_caller]
fn mismatch(terms: &[Term], (m, n): (usize, usize), from_last: usize) -> ! {
    let axis = if from_last == 1 { "the last axis".to_string() } else { format!("axis -{from_last}") };
    let mut arrays = Vec::with_capacity(terms.len());
    for term in terms {
        if let Term::Array(x) = term {
            arrays.push(x);
        }
    }
    refuse(
        format!(
            "the shapes do not broadcast: {axis} is {m} long in one operand and {n} in another, where lengths must be equal or 1; `reshape` one of them, or take a part of it"
        ),
        &arrays,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;
    use DType::*;

    /// Rows and columns in the order of `DType::ALL`; JAX 0.10, `jax.numpy.promote_types` with 64-bit types.
    #[rustfmt::skip]
    const TABLE: [[DType; 10]; 10] = [
        [Bool, U8,   I32,  I64,  U32,  U64,  F16, BF16, F32, F64],
        [U8,   U8,   I32,  I64,  U32,  U64,  F16, BF16, F32, F64],
        [I32,  I32,  I32,  I64,  I64,  F64,  F16, BF16, F32, F64],
        [I64,  I64,  I64,  I64,  I64,  F64,  F16, BF16, F32, F64],
        [U32,  U32,  I64,  I64,  U32,  U64,  F16, BF16, F32, F64],
        [U64,  U64,  F64,  F64,  U64,  U64,  F16, BF16, F32, F64],
        [F16,  F16,  F16,  F16,  F16,  F16,  F16, F32,  F32, F64],
        [BF16, BF16, BF16, BF16, BF16, BF16, F32, BF16, F32, F64],
        [F32,  F32,  F32,  F32,  F32,  F32,  F32, F32,  F32, F64],
        [F64,  F64,  F64,  F64,  F64,  F64,  F64, F64,  F64, F64],
    ];

    #[test]
    fn every_pair() {
        for (a, row) in DType::ALL.into_iter().zip(TABLE) {
            for (b, expected) in DType::ALL.into_iter().zip(row) {
                assert_eq!(promote_types(a, b), expected, "{a} and {b}");
            }
        }
    }

    #[test]
    fn numbers_are_weak() {
        let dtype = |dtype: DType, number: Term| {
            let x = Array::from_value(crate::value::Value::zeros(&crate::Type::scalar(dtype)));
            common_dtype(&[x.into(), number])
        };
        for d in DType::ALL {
            assert_eq!(dtype(d, Term::Float(2.0)), if d.is_float() { d } else { F64 });
            assert_eq!(dtype(d, Term::Int(2)), if d == Bool { I32 } else { d });
        }
        assert_eq!(common_dtype(&[Term::Int(1), Term::Float(1.0)]), F64);
        assert_eq!(common_dtype(&[Term::Int(1), Term::Int(1)]), I32);
    }

    #[test]
    fn arrays_are_not() {
        assert_eq!((Array::from(2f32) * Array::from(2.0)).dtype(), F64);
        assert_eq!((Array::from(2u8) + Array::from(300)), Array::from(302));
    }

    #[test]
    fn a_number_must_be_a_value_of_the_dtype() {
        assert_eq!(Array::from(2u8) + 253, Array::from(255u8));
        let error = door(|| Array::from(2u8) + 256).unwrap_err();
        assert!(error.message.starts_with("add (+): the number 256 does not fit u8"), "{error}");
        assert!(door(|| Array::from(2u64).gt(-1)).is_err());
        assert_eq!(Array::from(2u64) + i32::MAX, Array::from(2u64 + i32::MAX as u64));
    }

    #[test]
    fn shapes_broadcast() {
        let shape = |a: &[usize], b: &[usize]| {
            let zeros = |s: &[usize]| Array::from_value(crate::value::Value::zeros(&crate::Type::array(F64, s)));
            let y = zeros(a) + zeros(b);
            y.shape().to_vec()
        };
        assert_eq!(shape(&[3, 1], &[1, 4]), [3, 4]);
        assert_eq!(shape(&[4], &[3, 1]), [3, 4]);
        assert_eq!(shape(&[], &[0]), [0]);
        assert_eq!(shape(&[1], &[0]), [0]);
        assert_eq!(shape(&[2, 1, 5], &[7, 1]), [2, 7, 5]);
        let x = Array::from_slice(&[2, 1], &[1, 2]);
        assert_eq!(x + Array::from([10, 20, 30]), Array::from_slice(&[2, 3], &[11, 21, 31, 12, 22, 32]));
    }

    #[test]
    fn a_mismatch_names_operation_types_and_line() {
        let line = line!() + 1;
        let error = door(|| Array::from([1.0, 2.0, 3.0]) * Array::from([1f32, 2.0])).unwrap_err();
        assert_eq!(
            error.message,
            "mul (*): the shapes do not broadcast: the last axis is 3 long in one operand and 2 in another, where lengths \
             must be equal or 1; `reshape` one of them, or take a part of it\n  operand 0: f64[3]\n  operand 1: f32[2]"
        );
        let source = error.source.expect("the line is known").to_string();
        assert!(source.contains(&format!("promote.rs:{line}:")), "{source}");
        let table = Array::from_slice(&[3, 2], &[0.0; 6]);
        let condition = Array::from([true, false]).reshape([2, 1]);
        let error = door(|| condition.select(&table, 0.0)).unwrap_err().message;
        assert!(error.starts_with("select: the shapes do not broadcast: axis -2 is 2 long"), "{error}");
        assert!(error.contains("operand 0: bool[2,1]") && error.contains("operand 1: f64[3,2]"), "{error}");
    }

    #[test]
    fn a_mismatch_says_where_variables_were_made() {
        let types = [crate::Type::array(F64, &[3])];
        let error = door(|| {
            crate::trace::trace_with(&types, 0, crate::trace::Surroundings::Inherit, |x| {
                let y = x[0].sin();
                vec![y + Array::from([1.0, 2.0])]
            })
        });
        let message = error.err().expect("it is refused").message;
        let line = line!() - 5;
        assert!(message.contains("operand 0: f64[3], made by `sin` at "), "{message}");
        assert!(message.contains(&format!("promote.rs:{line}:")), "{message}");
    }
}
