//! `lu`: triangular factors of a matrix with its rows exchanged.

use super::matrix::{self, product, t, units};
use super::operands::arrays;
use super::{Attributes, Definition, Gather, Sample, TriangularSolve, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::{apply, record};
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::{DType, Scalar};

/// `a: [batch.., m, n]` to its factors in one array (below the diagonal those of the unit lower triangle, the rest the
/// upper one), `i64[batch.., min(m, n)]` with which row each row was exchanged in turn, and `i64[batch.., m]`: which row
/// of `a` is row `i` of the product. Of a matrix that is not finite all is NaN, and no row is exchanged.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,2]) {
///   %1: f64[3,2], %2: i64[2], %3: i64[3] = lu[batch=0] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lu {
    /// Number of leading batch axes.
    pub batch: usize,
}

/// A matrix with rows and columns of zeros after its own up to the given lengths.
#[track_caller]
fn grown(x: &Array, [m, n]: [usize; 2]) -> Array {
    let mut high = x.shape();
    let last = high.len() - 1;
    let grow = [m - high[last - 1], n - high[last]];
    high.iter_mut().for_each(|n| *n = 0);
    let low = high.clone();
    high[last - 1..].copy_from_slice(&grow);
    if grow == [0, 0] {
        return x.clone();
    }
    apply(super::Pad { low, high }, &[x, &rules::literal(Scalar::zero(x.dtype()))])
}

impl Primitive for Lu {
    fn name(&self) -> &'static str {
        "lu"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let (lanes, [m, n]) = matrix::matrix(x, self.batch)?;
        matrix::results(vec![
            (x.dtype, x.shape.clone()),
            (DType::I64, matrix::within(&lanes, &[m.min(n)])),
            (DType::I64, matrix::within(&lanes, &[m])),
        ])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// With square factors `l` and `u`, grown by unit matrices, and `m = l^-1 P da u^-1`:
    /// `dl = l tril(m, -1)`, `du = triu(m) u` (de Hoog, Anderssen, Lukas, 2011).
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = record(self.clone(), &[&x[0]]);
        let dy = dx[0].as_ref().map(|da| {
            let shape = y[0].shape();
            let [m, n] = [shape[self.batch], shape[self.batch + 1]];
            let k = m.min(n);
            let square = |n: usize| matrix::within(&shape[..self.batch].into(), &[n, n]);
            let l = grown(&y[0].tril(-1).slice_axis(-1, 0..k as i64), [m, m])
                + units(da.dtype(), &square(m));
            // Ones on the part of the diagonal that `u` has not.
            let above = grown(&y[0].triu(0).slice_axis(-2, 0..k as i64), [n, n]);
            let ones = units(da.dtype(), &square(n)) - grown(&units(da.dtype(), &square(k)), [n, n]);
            let u = above + ones;
            let rows = apply(Gather { batch: self.batch }, &[da, &y[2]]);
            let lower = TriangularSolve { lower: true, unit: true, ..TriangularSolve::new(self.batch) };
            let left = apply(lower, &[&l, &rows]);
            let right = TriangularSolve { transposed: true, ..TriangularSolve::new(self.batch) };
            let both = t(&apply(right, &[&u, &t(&left)]));
            product(&l, &both.tril(-1)) + product(&both.triu(0), &u)
        });
        (y, vec![dy, None, None])
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Lu { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("lu", self.batch, &[])
    }
}

impl Definition for Lu {
    const NAMES: &'static [&'static str] = &["lu"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Lu { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for shape in [
            &[0, 0][..],
            &[0, 3],
            &[3, 0],
            &[1, 1],
            &[2, 2],
            &[3, 3],
            &[5, 3],
            &[3, 5],
            &[9, 9],
            &[11, 4],
            &[0, 3, 3],
            &[3, 2, 2],
            &[2, 2, 3, 2],
        ] {
            let sample = |dtype| Sample::new(Lu { batch: shape.len() - 2 }, vec![matrix::shifted(dtype, shape, 2.0)]);
            all.extend([sample(DType::F64).smooth(&[0]), sample(DType::F32)]);
        }
        for n in [2, 3, 9] {
            all.extend(matrix::hard(DType::F64, n).into_iter().map(|x| Sample::new(Lu { batch: 0 }, vec![x])));
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let sample = |dtype, shape: &[usize]| Sample::new(Lu { batch: 0 }, vec![Sample::numbers(dtype, shape)]);
        vec![sample(DType::F64, &[n, n]), sample(DType::F32, &[n, 5])]
    }
}

/// Matrices as products of a permutation, a lower triangle with a diagonal of ones, and an upper triangle, `a = p l u`:
/// `[.., m, n]` to `[.., m, m]`, `[.., m, k]`, `[.., k, n]` where `k` is the lesser of `m` and `n`.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let (p, l, u) = linalg::lu(&array![[1.0, 2.0], [4.0, 4.0]]);
/// assert_eq!(l, array![[1.0, 0.0], [0.25, 1.0]]);
/// assert_eq!(u, array![[4.0, 4.0], [0.0, 1.0]]);
/// assert_eq!(p.dot(&l).dot(&u), array![[1.0, 2.0], [4.0, 4.0]]);
/// ```
#[track_caller]
pub fn lu(a: &Array) -> (Array, Array, Array) {
    let _called = called("lu");
    let y = record(Lu { batch: matrix::batch(a) }, &[&matrix::floats(a)]);
    let shape = y[0].shape();
    let [m, n] = [shape[shape.len() - 2], shape[shape.len() - 1]];
    let k = m.min(n) as i64;
    let lower = y[0].tril(-1).slice_axis(-1, 0..k);
    let lower = &lower + units(y[0].dtype(), &lower.shape());
    let upper = y[0].triu(0).slice_axis(-2, 0..k);
    // Row `permutation[i]` of a is row i of the product.
    let rows = Array::iota(DType::I64, &[m], 0).expand_dims(-1);
    (rows.eq(y[2].expand_dims(-2)).convert(y[0].dtype()), lower, upper)
}

/// The factors of matrices for [`lu_solve`](crate::functions::linalg::lu_solve): both triangles in one array, as
/// [`lu`] has them, and the order of the rows, `i64[.., m]`: row `i` of `l u` is that row of `a`.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let (factors, order) = linalg::lu_factor(&array![[1.0, 2.0], [4.0, 4.0]]);
/// assert_eq!(factors, array![[4.0, 4.0], [0.25, 1.0]]);
/// assert_eq!(order, array![1i64, 0]);
/// ```
#[track_caller]
pub fn lu_factor(a: &Array) -> (Array, Array) {
    let _called = called("lu_factor");
    let mut y = record(Lu { batch: matrix::batch(a) }, &[&matrix::floats(a)]);
    (y.remove(0), y.remove(1))
}
