//! `pinv`: the pseudoinverse of Moore and Penrose.

use super::matrix::{self, product, t};
use super::operands::arrays;
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::{DType, Scalar};

/// `[batch.., m, n]` to the pseudoinverses `[batch.., n, m]`, where singular values up to `cutoff` times the greatest count
/// as 0. Of a matrix that is not finite it is NaN.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,2]) {
///   %1: f64[2,3] = pinv[batch=0, cutoff=1e-14f64] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pinv {
    /// Number of leading batch axes.
    pub batch: usize,
    /// Relative to the greatest singular value; an `f64`.
    pub cutoff: Scalar,
}

impl Primitive for Pinv {
    fn name(&self) -> &'static str {
        "pinv"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("cutoff", Attribute::Scalar(self.cutoff))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let (lanes, [m, n]) = matrix::matrix(x, self.batch)?;
        matrix::results(vec![(x.dtype, matrix::within(&lanes, &[n, m]))])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// `dp = -p da p + p p' da' (1 - a p) + (1 - p a) da' p' p`, as long as the rank stays (Golub and Pereyra, 1973).
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let (a, p) = (&x[0], apply(self.clone(), &[&x[0]]));
        let dp = dx[0].as_ref().map(|da| {
            let (dat, pt) = (t(da), t(&p));
            let shape = a.shape();
            let [m, n] = [shape[self.batch], shape[self.batch + 1]];
            let mut dp = -product(&product(&p, da), &p);
            // Of full column or row rank one of the projections is 0, but the rank is in the data.
            let b = product(&product(&p, &pt), &dat);
            if m > 0 && n > 0 {
                dp += &b - product(&product(&b, a), &p);
                let c = product(&product(&dat, &pt), &p);
                dp += &c - product(&p, &product(a, &c));
            }
            dp
        });
        (vec![p], vec![dp])
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Pinv { batch: self.batch + 1, cutoff: self.cutoff }, x, size)
    }

    fn lower(&self) -> Lowering {
        let cutoff = self.cutoff.get::<f64>().map_or(0, f64::to_bits);
        matrix::lower("pinv", self.batch, &[cutoff as i64])
    }
}

impl Definition for Pinv {
    const NAMES: &'static [&'static str] = &["pinv"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let cutoff = attributes.scalar("cutoff")?;
        if cutoff.dtype != DType::F64 {
            return Err(TypeError::new("attribute `cutoff` is no f64"));
        }
        Ok(Pinv { batch: attributes.size("batch")?, cutoff })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        let cutoff = Scalar::new(1e-13);
        for shape in [
            &[0, 0][..],
            &[0, 3],
            &[3, 0],
            &[1, 1],
            &[2, 2],
            &[5, 3],
            &[3, 5],
            &[9, 9],
            &[4, 11],
            &[0, 3, 3],
            &[3, 2, 2],
            &[2, 2, 3, 2],
        ] {
            let op = Pinv { batch: shape.len() - 2, cutoff };
            let sample = |dtype| Sample::new(op.clone(), vec![matrix::shifted(dtype, shape, 2.0)]);
            all.extend([sample(DType::F64).smooth(&[0]), sample(DType::F32)]);
        }
        for n in [2, 3, 9] {
            all.extend(matrix::hard(DType::F64, n).into_iter().map(|x| Sample::new(Pinv { batch: 0, cutoff }, vec![x])));
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let op = Pinv { batch: 0, cutoff: Scalar::new(1e-6) };
        vec![
            Sample::new(op.clone(), vec![Sample::numbers(DType::F64, &[n, n])]),
            Sample::new(op, vec![Sample::numbers(DType::F32, &[5, n])]),
        ]
    }
}

/// The pseudoinverses of matrices: `[.., m, n]` to `[.., n, m]`. Singular values up to `10 max(m, n)` times the precision of
/// the dtype, relative to the greatest, count as 0, as in JAX; see [`pinv_rtol`]. NaN where it is not finite.
///
/// The derivative is right as long as the rank stays the same.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert_eq!(linalg::pinv(&array![[2.0, 0.0], [0.0, 0.0]]), array![[0.5, 0.0], [0.0, 0.0]]);
/// ```
#[track_caller]
pub fn pinv(a: &Array) -> Array {
    let _called = called("pinv");
    let a = matrix::floats(a);
    let precision = a.dtype().epsilon();
    let longest = a.shape().iter().rev().take(2).copied().max().unwrap_or(0);
    pinv_rtol(&a, 10.0 * longest as f64 * precision)
}

/// [`pinv`], where singular values up to `rtol` times the greatest count as 0.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let a = array![[2.0, 0.0], [0.0, 0.001]];
/// assert_eq!(linalg::pinv_rtol(&a, 0.01), array![[0.5, 0.0], [0.0, 0.0]]);
/// ```
#[track_caller]
pub fn pinv_rtol(a: &Array, rtol: f64) -> Array {
    let _called = called("pinv_rtol");
    apply(Pinv { batch: matrix::batch(a), cutoff: Scalar::new(rtol) }, &[&matrix::floats(a)])
}
