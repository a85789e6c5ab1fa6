//! `eigh`: eigenvalues and eigenvectors of a symmetric matrix.

use super::matrix::{self, on_diagonal, product, symmetric, t};
use super::operands::arrays;
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::record;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `[batch.., n, n]` to the eigenvalues `[batch.., n]` of `(a + a') / 2` in ascending order and, with vectors, an
/// orthonormal basis of eigenvectors as columns. Of a matrix that is not finite all is NaN.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,3]) {
///   %1: f64[3], %2: f64[3,3] = eigh[batch=0, vectors=true] %0
///   return %1, %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Eigh {
    /// Number of leading batch axes.
    pub batch: usize,
    /// The eigenvectors too.
    pub vectors: bool,
}

impl Primitive for Eigh {
    fn name(&self) -> &'static str {
        "eigh"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("vectors", Attribute::Bool(self.vectors))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let (lanes, n) = matrix::square(x, self.batch)?;
        let mut types = vec![(x.dtype, matrix::within(&lanes, &[n]))];
        if self.vectors {
            types.push((x.dtype, x.shape.clone()));
        }
        matrix::results(types)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// With `m = v' da v`: `dw = diag(m)`, `dv = v (f m)`, where `f[i, j] = 1 / (w[j] - w[i])` off the diagonal (Magnus,
    /// 1985): infinite for equal eigenvalues, whose vectors are any basis, so that their derivative is NaN.
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let Some(da) = &dx[0] else {
            let y = record(self.clone(), &[&x[0]]);
            let none = vec![None; y.len()];
            return (y, none);
        };
        let mut y = record(Eigh { batch: self.batch, vectors: true }, &[&x[0]]);
        let (w, v) = (&y[0], &y[1]);
        let m = product(&t(v), &product(&symmetric(da), v));
        let mut dy = vec![Some(m.diagonal(0, -2, -1))];
        if self.vectors {
            let gaps = w.expand_dims(-2) - w.expand_dims(-1);
            let diagonal = on_diagonal(&gaps.shape());
            let f = diagonal.select(0.0, diagonal.select(1.0, gaps).recip());
            dy.push(Some(product(v, &(f * m))));
        } else {
            y.truncate(1);
        }
        (y, dy)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Eigh { batch: self.batch + 1, vectors: self.vectors }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("eigh", self.batch, &[self.vectors.into()])
    }
}

impl Definition for Eigh {
    const NAMES: &'static [&'static str] = &["eigh"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Eigh { batch: attributes.size("batch")?, vectors: attributes.bool("vectors")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for vectors in [false, true] {
            for shape in [&[0, 0][..], &[1, 1], &[2, 2], &[3, 3], &[5, 5], &[9, 9], &[0, 3, 3], &[3, 2, 2], &[2, 2, 3, 3]] {
                let op = Eigh { batch: shape.len() - 2, vectors };
                let sample = |dtype| Sample::new(op.clone(), vec![matrix::shifted(dtype, shape, 4.0)]);
                all.extend([sample(DType::F64).smooth(&[0]), sample(DType::F32)]);
            }
            for n in [2, 3, 9] {
                let hard = matrix::hard(DType::F64, n).into_iter();
                all.extend(hard.map(|x| Sample::new(Eigh { batch: 0, vectors }, vec![x])));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let sample = |dtype, vectors| {
            Sample::new(Eigh { batch: 0, vectors }, vec![Sample::numbers(dtype, &[n, n])])
        };
        vec![sample(DType::F64, true), sample(DType::F64, false), sample(DType::F32, true)]
    }
}

/// The eigenvalues of symmetric matrices in ascending order and their eigenvectors as orthonormal columns: `[.., n, n]` to
/// `[.., n]` and `[.., n, n]`. What is used is `(a + a') / 2`. NaN where it is not finite.
///
/// The vectors of equal eigenvalues are any basis, so that their derivative is NaN; that of the eigenvalues is not.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let (w, v) = linalg::eigh(&array![[5.0, 0.0], [0.0, 3.0]]);
/// assert_eq!(w, array![3.0, 5.0]);
/// assert_eq!(v.abs(), array![[0.0, 1.0], [1.0, 0.0]]);
/// ```
#[track_caller]
pub fn eigh(a: &Array) -> (Array, Array) {
    let _called = called("eigh");
    let mut y = record(Eigh { batch: matrix::batch(a), vectors: true }, &[&matrix::floats(a)]);
    let v = y.remove(1);
    (y.remove(0), v)
}

/// The eigenvalues of symmetric matrices in ascending order, without the vectors. See [`eigh`].
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert_eq!(linalg::eigvalsh(&array![[5.0, 0.0], [0.0, 3.0]]), array![3.0, 5.0]);
/// ```
#[track_caller]
pub fn eigvalsh(a: &Array) -> Array {
    let _called = called("eigvalsh");
    record(Eigh { batch: matrix::batch(a), vectors: false }, &[&matrix::floats(a)]).remove(0)
}
