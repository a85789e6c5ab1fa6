//! `det` and `cofactors`: the determinant, and its derivatives, which are right at every rank.

use super::matrix::{self, product, t};
use super::operands::arrays;
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::Value;
use wengert_kernel::DType;

/// `[batch.., n, n]` to the determinants, by elimination; exactly 0 where a pivot is. 1 of a matrix of no rows.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[4,4]) {
///   %1: f64[] = det[batch=0] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Det {
    /// Number of leading batch axes.
    pub batch: usize,
}

/// `[batch.., n, n]` to the matrices of cofactors: element `i, j` is the derivative of the determinant by that element.
///
/// By singular values, so that it is right where the matrix has no inverse: of rank `n - 1` it has rank 1, of less it is 0.
/// Its own derivative goes by the determinant and is NaN where that is 0.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[4,4]) {
///   %1: f64[4,4] = cofactors[batch=0] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cofactors {
    /// Number of leading batch axes.
    pub batch: usize,
}

/// The sum of the products of the elements of two matrices.
#[track_caller]
fn inner(x: &Array, y: &Array) -> Array {
    (x * y).sum_axis([-2, -1])
}

impl Primitive for Det {
    fn name(&self) -> &'static str {
        "det"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let (lanes, _) = matrix::square(x, self.batch)?;
        matrix::results(vec![(x.dtype, lanes)])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &[&x[0]]);
        let dy = dx[0].as_ref().map(|da| inner(&apply(Cofactors { batch: self.batch }, &[&x[0]]), da));
        (vec![y], vec![dy])
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Det { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("det", self.batch, &[])
    }
}

impl Primitive for Cofactors {
    fn name(&self) -> &'static str {
        "cofactors"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        matrix::square(x, self.batch)?;
        matrix::results(vec![(x.dtype, x.shape.clone())])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// Of `c = det(a) a^-T`: `dc = (sum(c da) c - c da' c) / det(a)`.
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let c = apply(self.clone(), &[&x[0]]);
        let dc = dx[0].as_ref().map(|da| {
            let by = apply(Det { batch: self.batch }, &[&x[0]]).recip().expand_dims([-2, -1]);
            let along = inner(&c, da).expand_dims([-2, -1]) * &c;
            (along - product(&product(&c, &t(da)), &c)) * by
        });
        (vec![c], vec![dc])
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Cofactors { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("cofactors", self.batch, &[])
    }
}

/// Matrices of all kinds for both.
fn samples<P: Primitive + Into<super::Op>>(op: impl Fn(usize) -> P) -> Vec<Sample> {
    let mut all = Vec::new();
    for shape in [&[0, 0][..], &[1, 1], &[2, 2], &[3, 3], &[5, 5], &[9, 9], &[0, 3, 3], &[3, 2, 2], &[2, 2, 3, 3]] {
        let sample = |dtype, shift| Sample::new(op(shape.len() - 2), vec![matrix::shifted(dtype, shape, shift)]);
        // Large determinants leave no digits to finite differences.
        all.extend([if shape[shape.len() - 1] < 9 { sample(DType::F64, 1.0).smooth(&[0]) } else { sample(DType::F64, 0.5) }]);
        all.push(sample(DType::F32, 1.0));
    }
    for n in [2, 3, 9] {
        all.extend(matrix::hard(DType::F64, n).into_iter().map(|x| Sample::new(op(0), vec![x])));
    }
    all
}

fn samples_of_length<P: Primitive + Into<super::Op>>(op: impl Fn(usize) -> P, n: usize) -> Vec<Sample> {
    let shape: Shape = [n, n].as_slice().into();
    [DType::F64, DType::F32].map(|dtype| Sample::new(op(0), vec![Sample::numbers(dtype, &shape)])).into()
}

impl Definition for Det {
    const NAMES: &'static [&'static str] = &["det"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Det { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        samples(|batch| Det { batch })
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        samples_of_length(|batch| Det { batch }, n)
    }
}

impl Definition for Cofactors {
    const NAMES: &'static [&'static str] = &["cofactors"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Cofactors { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        samples(|batch| Cofactors { batch })
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        samples_of_length(|batch| Cofactors { batch }, n)
    }
}

/// The determinants of matrices: `[.., n, n]` to `[..]`; 1 of a matrix of no rows.
///
/// Up to three rows it is the polynomial in the elements, with all its derivatives. Larger ones go by elimination; their
/// gradient is right at every rank (exactly 0 where elimination finds more than one rank missing), second derivatives need
/// a determinant that is not 0.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{Array, array, functions::linalg};
///
/// assert_eq!(linalg::det(&array![[1.0, 2.0], [3.0, 4.0]]), Array::from(-2.0));
/// ```
#[track_caller]
pub fn det(a: &Array) -> Array {
    let _called = called("det");
    let a = matrix::floats(a);
    let batch = matrix::batch(&a);
    let (_, n) = crate::refusal::accept(matrix::square(&a.array_type(), batch), &[&a]);
    let e = |i: usize, j: usize| a.slice_axis(-2, i as i64).slice_axis(-1, j as i64);
    let minor = |i: usize, j: usize, k: usize, l: usize| e(i, k) * e(j, l) - e(i, l) * e(j, k);
    match n {
        1 => e(0, 0),
        2 => minor(0, 1, 0, 1),
        3 => e(0, 0) * minor(1, 2, 1, 2) - e(0, 1) * minor(1, 2, 0, 2) + e(0, 2) * minor(1, 2, 0, 1),
        _ => apply(Det { batch }, &[&a]),
    }
}
