//! Complex arrays: pairs of real ones.
//!
//! An array of dtype `c64` or `c128` is its real and its imaginary part, two arrays that lie in memory (or are variables of
//! a trace) by themselves. Whatever is recorded on it becomes operations on the parts before it gets into a program: those
//! that move or add up elements are done to each part, a product is four of them, and so on. So programs hold real
//! numbers only; derivatives, batching, loops and machine code are those of real numbers, and both engines agree.

mod elementwise;

pub(crate) use elementwise::{binary, compare, unary};

use crate::array::{Array, Repr};
use crate::error::{Error, ErrorKind, TypeError};
use crate::functions::associative_scan;
use crate::ops::{Op, concatenate};
use crate::primitive::Lowering;
use crate::refusal::{refuse, refused};
use crate::source::{called, name_here};
use crate::trace;
use crate::types::ArrayType;
use std::ops::Range;
use std::sync::Arc;
use wengert_kernel::{Binary, ScalarOp, Unary};

/// The complex array with these real and imaginary parts, which broadcast and promote: `c64` of two `f32`, else `c128`.
///
/// # Panics
/// When a part is complex itself, or the shapes do not broadcast.
///
/// ```
/// use wengert_core::{DType, array, complex};
///
/// let z = complex(&array![1.0, 2.0], &array![3.0, -1.0]);
/// assert_eq!((z.dtype(), z.to_string().as_str()), (DType::C128, "[1.+3.j 2.-1.j]"));
/// assert_eq!((&z * &z).real(), array![-8.0, 3.0]);
/// ```
#[track_caller]
pub fn complex(re: &Array, im: &Array) -> Array {
    let _called = called("complex");
    let [re, im] = crate::array::promote::promote([re.into(), im.into()]);
    let dtype = re.dtype();
    if dtype.is_complex() {
        refuse("the parts of complex numbers are real; take `.real()` of them", &[&re, &im])
    }
    let dtype = dtype.complex().real();
    Array::of_parts(re.convert(dtype), im.convert(dtype))
}

impl Array {
    /// The complex array of two real ones of one type.
    pub(crate) fn of_parts(re: Array, im: Array) -> Array {
        debug_assert_eq!(re.ty(), im.ty());
        Array(Repr::Complex(Arc::new([re, im])))
    }

    /// Real and imaginary part; `None` of a real array.
    #[inline]
    pub(crate) fn complex_parts(&self) -> Option<&[Array; 2]> {
        match &self.0 {
            Repr::Complex(parts) => Some(parts),
            _ => None,
        }
    }

    /// The parts of an array that may be real: then the imaginary part is 0.
    #[track_caller]
    pub(crate) fn parts(&self) -> [Array; 2] {
        match self.complex_parts() {
            Some(parts) => parts.clone(),
            None => [self.clone(), crate::zeros_like(self)],
        }
    }
}

pub(crate) fn type_of(parts: &[Array; 2]) -> ArrayType {
    let ty = parts[0].array_type();
    ty.with_dtype(ty.dtype.complex())
}

/// Why a complex array has no single value.
#[cold]
pub(crate) fn two_values(x: &Array, what: &str) -> Error {
    let what = name_here().unwrap_or(what);
    let message = format!(
        "{what}: {} is kept as two real arrays; take `.real()` and `.imag()`, or `to_complex` for its elements",
        x.ty()
    );
    Error::new(ErrorKind::Convert, message)
}

/// Records an operation on operands of which some are complex.
#[track_caller]
pub(crate) fn record(op: Op, args: &[&Array]) -> Result<Vec<Array>, Error> {
    let mixed = |x: &&&Array| !x.dtype().is_complex() && x.dtype().is_float();
    if let Some(results) = op.complex(args) {
        return Ok(results);
    }
    if on_parts(&op.lower()) {
        return match args.iter().find(mixed) {
            None => Ok(each_part(&op, args)),
            Some(x) => {
                let reason = format!("real and complex operands meet; `convert` the {} to the complex dtype", x.ty());
                Err(refused(&op, &TypeError::new(reason), args))
            }
        };
    }
    let dtype = args.iter().map(|x| x.dtype()).find(|dtype| dtype.is_complex()).expect("one is complex");
    let reason = format!(
        "it is not defined for {dtype}; take `.abs()`, `.real()` or `.imag()`, or write it with operations that are"
    );
    Err(refused(&op, &TypeError::new(reason), args))
}

/// Whether an operation does the same to the real and to the imaginary parts.
fn on_parts(lowering: &Lowering) -> bool {
    match lowering {
        Lowering::View(_) | Lowering::Windows { .. } | Lowering::Reshape | Lowering::Concatenate { .. } => true,
        Lowering::Pad { .. } | Lowering::Gather { .. } | Lowering::Accumulate { .. } | Lowering::Identity => true,
        Lowering::DynamicSlice { .. } | Lowering::DynamicUpdate { .. } | Lowering::SliceAdd { .. } => true,
        Lowering::Reduce { op, .. } => *op == Binary::Add,
        Lowering::Map(op) => {
            matches!(op, ScalarOp::Select | ScalarOp::Unary(Unary::Neg) | ScalarOp::Binary(Binary::Add | Binary::Sub))
        }
        _ => false,
    }
}

/// The operation on the real parts, and on the imaginary ones. Indices and conditions are shared.
#[track_caller]
pub(crate) fn each_part(op: &Op, args: &[&Array]) -> Vec<Array> {
    let of = |part: usize| {
        let operands: Vec<&Array> = args.iter().map(|x| x.complex_parts().map_or(*x, |parts| &parts[part])).collect();
        trace::record(op.clone(), &operands)
    };
    let (re, im) = (of(0), of(1));
    re.into_iter().zip(im).map(|(re, im)| Array::of_parts(re, im)).collect()
}

/// A product, given what is linear in both of its operands on real arrays.
#[track_caller]
pub(crate) fn product(x: &Array, y: &Array, of: impl Fn(&Array, &Array) -> Array) -> Array {
    let ([a, b], [c, d]) = (x.parts(), y.parts());
    Array::of_parts(of(&a, &c) - of(&b, &d), of(&a, &d) + of(&b, &c))
}

/// The product over neighbouring axes, which go: by halves, each element with its neighbour.
#[track_caller]
pub(crate) fn product_over(x: &Array, axes: Range<usize>) -> Array {
    let shape = x.shape();
    let (outer, inner) = (&shape[..axes.start], &shape[axes.end..]);
    let mut n: usize = shape[axes].iter().product();
    let with = |n: &[usize]| [outer, n, inner].concat();
    let axis = outer.len();
    if n == 0 {
        return crate::ops::rules::constant(wengert_kernel::Scalar::one(x.dtype()), &with(&[]));
    }
    let mut y = x.with_shape(&with(&[n]));
    while n > 1 {
        let pairs = y.slice_axis(axis, 0..n / 2 * 2).with_shape(&with(&[n / 2, 2]));
        let [even, odd] = [0..1, 1..2].map(|k: Range<usize>| pairs.slice_axis(axis + 1, k).with_shape(&with(&[n / 2])));
        let products = even * odd;
        y = if n.is_multiple_of(2) {
            products
        } else {
            concatenate(&[products, y.slice_axis(axis, n - 1..n)], axis as i64)
        };
        n = n.div_ceil(2);
    }
    y.with_shape(&with(&[]))
}

/// The cumulative products along the axis after `batch` ones.
#[track_caller]
pub(crate) fn products_along(x: &Array, batch: usize, reverse: bool) -> Array {
    let turned = |x: &Array| if reverse { x.flip(0) } else { x.clone() };
    let first = turned(&x.move_axis(batch as i64, 0));
    let products = if first.size() == 0 { first } else { associative_scan(|a: Array, b: Array| a * b, first) };
    turned(&products).move_axis(0, batch as i64)
}
