//! `qr`: an orthogonal and an upper triangular factor.

use super::matrix::{self, product, t};
use super::operands::arrays;
use super::{Attributes, Definition, Sample, TriangularSolve, concatenate, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::{apply, record};
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::{DType, Scalar};

/// `a: [batch.., m, n]` to `q: [batch.., m, k]` with orthonormal columns and `r: [batch.., k, n]`, upper triangular, with
/// `q r = a`; `k` is `m` when full, else the lesser of `m` and `n`. By reflections, so that the diagonal of `r` has either
/// sign. Of a matrix that is not finite all is NaN.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,2]) {
///   %1: f64[3,2], %2: f64[2,2] = qr[batch=0, full=false] %0
///   return %1, %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Qr {
    /// Number of leading batch axes.
    pub batch: usize,
    /// `q` is square.
    pub full: bool,
}

/// Arrays side by side along an axis counted from the end, when both are there.
#[track_caller]
fn joined(x: Array, y: Option<Array>, axis: i64) -> Array {
    match y {
        Some(y) => concatenate(&[x, y], axis),
        None => x,
    }
}

impl Primitive for Qr {
    fn name(&self) -> &'static str {
        "qr"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("full", Attribute::Bool(self.full))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let (lanes, [m, n]) = matrix::matrix(x, self.batch)?;
        let k = if self.full { m } else { m.min(n) };
        matrix::results(vec![
            (x.dtype, matrix::within(&lanes, &[m, k])),
            (x.dtype, matrix::within(&lanes, &[k, n])),
        ])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// For the square `r1` of the first columns, with `c = da r1^-1` and `g = q1' c`: the rotation `w = tril(g, -1) -
    /// tril(g, -1)'`, `dq1 = q1 (w - g) + c`, `dr1 = (g - w) r1` (Walter and Lehmann, 2010). Further columns of `a` follow
    /// `q`. Further columns of `q`, which are any basis of what is left, turn no more than they must.
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let mut y = record(self.clone(), &[&x[0]]);
        let Some(da) = &dx[0] else { return (y, vec![None, None]) };
        let (q, r) = (&y[0], &y[1]);
        let shape = da.shape();
        let [m, n] = [shape[self.batch], shape[self.batch + 1]];
        let k = m.min(n);
        if k == 0 {
            let zeros = y.iter().map(|y| Some(rules::constant(Scalar::zero(y.dtype()), &y.shape()))).collect();
            return (y, zeros);
        }
        let first = 0..k as i64;
        let (q1, r1) = (q.slice_axis(-1, first.clone()), r.slice_axis(-2, first.clone()).slice_axis(-1, first.clone()));
        let solve = TriangularSolve { transposed: true, ..TriangularSolve::new(self.batch) };
        let c = t(&apply(solve, &[&r1, &t(&da.slice_axis(-1, first))]));
        let g = product(&t(&q1), &c);
        let below = g.tril(-1);
        let w = &below - t(&below);
        let dq1 = product(&q1, &(&w - &g)) + &c;
        let dr1 = product(&(&g - &w), &r1);
        let more_columns = (q.shape()[self.batch + 1] > k).then(|| {
            let q2 = q.slice_axis(-1, k as i64..);
            -product(&q1, &product(&t(&dq1), &q2))
        });
        let dr2 = (n > k).then(|| {
            let rest = k as i64..;
            product(&t(&dq1), &x[0].slice_axis(-1, rest.clone())) + product(&t(&q1), &da.slice_axis(-1, rest))
        });
        let dr = joined(dr1, dr2, -1);
        let more_rows = r.shape()[self.batch] - k;
        let zeros = (more_rows > 0).then(|| {
            rules::constant(Scalar::zero(dr.dtype()), &matrix::within(&shape[..self.batch].into(), &[more_rows, n]))
        });
        let dy = vec![Some(joined(dq1, more_columns, -1)), Some(joined(dr, zeros, -2))];
        y.truncate(2);
        (y, dy)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Qr { batch: self.batch + 1, full: self.full }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("qr", self.batch, &[self.full.into()])
    }
}

impl Definition for Qr {
    const NAMES: &'static [&'static str] = &["qr"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Qr { batch: attributes.size("batch")?, full: attributes.bool("full")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for full in [false, true] {
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
                &[4, 11],
                &[0, 3, 3],
                &[3, 2, 2],
                &[2, 2, 3, 2],
            ] {
                let op = Qr { batch: shape.len() - 2, full };
                let sample = |dtype| Sample::new(op.clone(), vec![matrix::shifted(dtype, shape, 2.0)]);
                // The columns that complete a basis are any: their derivative is that of one choice.
                let chosen = full && shape[shape.len() - 2] > shape[shape.len() - 1];
                all.push(if chosen { sample(DType::F64) } else { sample(DType::F64).smooth(&[0]) });
                all.push(sample(DType::F32));
            }
            for n in [2, 3, 9] {
                let hard = matrix::hard(DType::F64, n).into_iter();
                all.extend(hard.map(|x| Sample::new(Qr { batch: 0, full }, vec![x])));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let sample = |dtype, full, shape: &[usize]| Sample::new(Qr { batch: 0, full }, vec![Sample::numbers(dtype, shape)]);
        vec![sample(DType::F64, false, &[n, n]), sample(DType::F32, false, &[n, 5]), sample(DType::F64, true, &[n, 3])]
    }
}

/// Matrices as products `q r` of orthonormal columns and an upper triangle: `[.., m, n]` to `[.., m, k]` and `[.., k, n]`, where
/// `k` is the lesser of `m` and `n`, or `m` when `full`. The diagonal of `r` has either sign. NaN where it is not finite.
///
/// Derivatives need the first `k` columns to be independent. The columns of `q` beyond `n` are any basis of what is left:
/// derivatives of what depends on the choice are those of one choice.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let (q, r) = linalg::qr(&array![[0.0, 1.0], [2.0, 3.0]], false);
/// assert_eq!(q.abs(), array![[0.0, 1.0], [1.0, 0.0]]);
/// assert_eq!(q.dot(&r), array![[0.0, 1.0], [2.0, 3.0]]);
/// ```
#[track_caller]
pub fn qr(a: &Array, full: bool) -> (Array, Array) {
    let _called = called("qr");
    let mut y = record(Qr { batch: matrix::batch(a), full }, &[&matrix::floats(a)]);
    let r = y.remove(1);
    (y.remove(0), r)
}
