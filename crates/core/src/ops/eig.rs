//! `eig`: eigenvalues and eigenvectors of a general matrix, whose real and imaginary parts are two operands.

use super::matrix::{self, on_diagonal, product};
use super::operands::{arrays, same_dtype};
use super::{Attributes, Definition, Sample, rules, stack};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::record;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `[batch.., n, n]`, real and imaginary parts, to the eigenvalues `[batch.., 2, n]`, real parts before imaginary ones, and,
/// with vectors, eigenvectors as columns `[batch.., 2, n, n]`. A vector has length 1, and a largest element of it is real
/// and positive. Of a matrix that is not finite all is NaN.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,3], %1: f64[3,3]) {
///   %2: f64[2,3], %3: f64[2,3,3] = eig[batch=0, vectors=true] %0 %1
///   return %2, %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Eig {
    /// Number of leading batch axes.
    pub batch: usize,
    /// The eigenvectors too.
    pub vectors: bool,
}

impl Eig {
    /// The two parts of a result, which lie along an axis.
    fn joined(&self, y: &Array) -> Array {
        let part = |k: i64| y.slice_axis(self.batch, k..k + 1).squeeze(self.batch as i64);
        Array::of_parts(part(0), part(1))
    }

    fn parted(&self, z: &Array) -> Array {
        stack(&z.parts(), self.batch as i64)
    }
}

impl Primitive for Eig {
    fn name(&self) -> &'static str {
        "eig"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("vectors", Attribute::Bool(self.vectors))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x, y] = arrays(args)?;
        same_dtype(x, y)?;
        let (lanes, n) = matrix::square(x, self.batch)?;
        if x.shape != y.shape {
            return Err(TypeError::new(format!("the parts {x} and {y} differ in shape")));
        }
        let mut types = vec![(x.dtype, matrix::within(&lanes, &[2, n]))];
        if self.vectors {
            types.push((x.dtype, matrix::within(&lanes, &[2, n, n])));
        }
        matrix::results(types)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// With `m = v^-1 da v`: `dw = diag(m)`, and `dv = v (f m)` where `f[i, j] = 1 / (w[j] - w[i])` off the diagonal, less so
    /// much of `v` that its length and the angle of its largest element stay.
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        if dx.iter().all(Option::is_none) {
            let y = record(self.clone(), &[&x[0], &x[1]]);
            let none = vec![None; y.len()];
            return (y, none);
        }
        let mut y = record(Eig { batch: self.batch, vectors: true }, &[&x[0], &x[1]]);
        let [re, im] = [0, 1].map(|i| dx[i].clone().unwrap_or_else(|| crate::zeros_like(&x[i])));
        let da = Array::of_parts(re, im);
        let (w, v) = (self.joined(&y[0]), self.joined(&y[1]));
        let m = super::solve(&v, &product(&da, &v));
        let mut dy = vec![Some(self.parted(&m.diagonal(0, -2, -1)))];
        if self.vectors {
            let gaps = w.expand_dims(-2) - w.expand_dims(-1);
            let same = on_diagonal(&gaps.shape());
            let f = same.select(0.0, same.select(1.0, gaps).recip());
            dy.push(Some(self.parted(&kept_in_gauge(&v, &product(&v, &(f * m))))));
        } else {
            y.truncate(1);
        }
        (y, dy)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Eig { batch: self.batch + 1, vectors: self.vectors }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("eig", self.batch, &[self.vectors.into()])
    }
}

/// The tangents of columns of length 1 whose largest element stays real, given tangents up to multiples of the columns.
fn kept_in_gauge(v: &Array, dv: &Array) -> Array {
    let shape = v.shape();
    let [re, im] = v.parts();
    let along = (v.conj() * dv).sum_axis(super::keepdims(-2));
    let dv = dv - v * along;
    let largest = if v.size() == 0 {
        return dv;
    } else {
        (re.square() + im.square()).argmax_axis(-2).expand_dims(-2)
    };
    let row = Array::iota(DType::I64, &shape, shape.len() - 2);
    let at_largest = row.eq(&largest);
    let of = |x: &Array| at_largest.select(x, 0.0).sum_axis(super::keepdims(-2));
    let turn = of(&dv.imag()) / of(&re);
    let zero = crate::zeros_like(&turn);
    dv - v * Array::of_parts(zero, turn)
}

impl Definition for Eig {
    const NAMES: &'static [&'static str] = &["eig"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Eig { batch: attributes.size("batch")?, vectors: attributes.bool("vectors")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for vectors in [false, true] {
            for shape in [&[0, 0][..], &[1, 1], &[2, 2], &[3, 3], &[5, 5], &[9, 9], &[0, 3, 3], &[3, 2, 2]] {
                let op = Eig { batch: shape.len() - 2, vectors };
                let re = |dtype| matrix::shifted(dtype, shape, 4.0);
                let im = |dtype| matrix::edited(Sample::numbers(dtype, shape), |k, x| 0.3 * x + 0.1 * (k % 5) as f64);
                all.push(Sample::new(op.clone(), vec![re(DType::F64), im(DType::F64)]).smooth(&[0, 1]));
                all.push(Sample::new(op, vec![re(DType::F32), im(DType::F32)]));
            }
            let zeros = |n: usize| super::samples::zeros(DType::F64, &[n, n]);
            for n in [2, 3, 9] {
                let hard = matrix::hard(DType::F64, n).into_iter();
                all.extend(hard.map(|x| Sample::new(Eig { batch: 0, vectors }, vec![x, zeros(n)])));
            }
            for n in [3, 10] {
                let real = Sample::new(Eig { batch: 0, vectors }, vec![matrix::shifted(DType::F64, &[n, n], 4.0), zeros(n)]);
                all.push(real.smooth(&[0, 1]));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let part = |dtype| Sample::numbers(dtype, &[n, n]);
        let sample = |dtype, vectors| Sample::new(Eig { batch: 0, vectors }, vec![part(dtype), part(dtype)]);
        vec![sample(DType::F64, true), sample(DType::F64, false), sample(DType::F32, true)]
    }
}

/// The eigenvalues of general matrices, real or complex, in no particular order, and eigenvectors as columns:
/// `[.., n, n]` to complex `[.., n]` and `[.., n, n]`. NaN where a matrix is not finite.
///
/// A vector is one only up to a factor. Here it has length 1, and its largest element (the first of equals) is real and
/// positive; so it has a derivative, of all orders, where eigenvalues differ. It is NaN where two are equal. LAPACK, and so
/// NumPy and JAX, choose other factors.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let (w, v) = linalg::eig(&array![[0.0, 1.0], [-1.0, 0.0]]);
/// assert!((w.imag().sort(0) - array![-1.0, 1.0]).abs().max().item::<f64>()? < 1e-14);
/// assert_eq!(v.shape().as_slice(), [2, 2]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn eig(a: &Array) -> (Array, Array) {
    let _called = called("eig");
    let op = Eig { batch: matrix::batch(a), vectors: true };
    let [re, im] = matrix::floats(a).parts();
    let y = record(op.clone(), &[&re, &im]);
    (op.joined(&y[0]), op.joined(&y[1]))
}

/// The eigenvalues of general matrices without the vectors: `[.., n, n]` to complex `[.., n]`. See [`eig`].
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let w = linalg::eigvals(&array![[2.0, 1.0], [0.0, 3.0]]);
/// assert!((w.real().sort(0) - array![2.0, 3.0]).abs().max().item::<f64>()? < 1e-14);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn eigvals(a: &Array) -> Array {
    let _called = called("eigvals");
    let op = Eig { batch: matrix::batch(a), vectors: false };
    let [re, im] = matrix::floats(a).parts();
    op.joined(&record(op.clone(), &[&re, &im])[0])
}
