//! `cholesky`: the triangular root of a symmetric positive definite matrix.

use super::matrix::{self, product, symmetric, t};
use super::operands::arrays;
use super::{Attributes, Definition, Sample, TriangularSolve, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `[batch.., n, n]` to the lower triangular `l` with `l l' = (a + a') / 2` and a positive diagonal. NaN, on and below the
/// diagonal, where the matrix is not positive definite or not finite.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,3]) {
///   %1: f64[3,3] = cholesky[batch=0] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cholesky {
    /// Number of leading batch axes.
    pub batch: usize,
}

impl Primitive for Cholesky {
    fn name(&self) -> &'static str {
        "cholesky"
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

    /// `dl = l phi(l^-1 da l^-T)`, where phi keeps the lower triangle and half of the diagonal (Murray, Differentiation of
    /// the Cholesky decomposition, 2016, equation 8).
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let l = apply(self.clone(), &[&x[0]]);
        let dl = dx[0].as_ref().map(|da| {
            let solve = TriangularSolve { lower: true, ..TriangularSolve::new(self.batch) };
            let left = apply(solve.clone(), &[&l, &symmetric(da)]);
            let both = apply(solve, &[&l, &t(&left)]);
            let phi = both.tril(-1) + (both * 0.5).tril(0).triu(0);
            product(&l, &phi)
        });
        (vec![l], vec![dl])
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Cholesky { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("cholesky", self.batch, &[])
    }
}

impl Definition for Cholesky {
    const NAMES: &'static [&'static str] = &["cholesky"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Cholesky { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for lanes in [&[][..], &[0], &[3], &[2, 2]] {
            for n in [0, 1, 2, 3, 5, 9] {
                let sample = |dtype| Sample::new(Cholesky { batch: lanes.len() }, vec![matrix::definite(dtype, lanes, n)]);
                all.extend([sample(DType::F64).smooth(&[0]), sample(DType::F32)]);
            }
        }
        for n in [2, 3, 9] {
            all.extend(matrix::hard(DType::F64, n).into_iter().map(|x| Sample::new(Cholesky { batch: 0 }, vec![x])));
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        [DType::F64, DType::F32].map(|d| Sample::new(Cholesky { batch: 0 }, vec![matrix::definite(d, &[], n)])).into()
    }
}

/// The lower triangular factors `l` of matrices, with `l l' = a` and a positive diagonal: `[.., n, n]` to `[.., n, n]`, zeros
/// above the diagonal. `a` is taken for symmetric (what is used is `(a + a') / 2`). Where it is not positive definite, or
/// not finite, the factor is NaN in every form; [`try_cholesky`](crate::functions::linalg::try_cholesky) says why. The
/// gradient is symmetric.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert_eq!(linalg::cholesky(&array![[4.0, 2.0], [2.0, 2.0]]), array![[2.0, 0.0], [1.0, 1.0]]);
/// ```
#[track_caller]
pub fn cholesky(a: &Array) -> Array {
    let _called = called("cholesky");
    apply(Cholesky { batch: matrix::batch(a) }, &[&matrix::floats(a)])
}
