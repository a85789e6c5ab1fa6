//! `svd`: singular values and vectors.

use super::matrix::{self, on_diagonal, product, t};
use super::operands::arrays;
use super::{Attributes, Definition, Sample, concatenate, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::source::called;
use crate::trace::record;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::{DType, Scalar};

/// Which singular vectors an [`Svd`] gives.
///
/// ```
/// use wengert_core::ops::{Op, Svd, Vectors};
///
/// assert_eq!(Op::from(Svd { batch: 0, vectors: Vectors::None }).name(), "svd");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Vectors {
    /// None.
    None,
    /// As many as there are singular values.
    Reduced,
    /// A basis on either side.
    Full,
}

/// `a: [batch.., m, n]` to the singular values in descending order, or to `u`, these, and `vt`, with
/// `u diag(s) vt = a`, orthonormal columns in `u` and rows in `vt`. Of a matrix that is not finite all is NaN.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,2]) {
///   %1: f64[3,2], %2: f64[2], %3: f64[2,2] = svd[batch=0, vectors=reduced] %0
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Svd {
    /// Number of leading batch axes.
    pub batch: usize,
    /// Which vectors.
    pub vectors: Vectors,
}

/// The names of [`Vectors`] in programs.
const WORDS: [(Vectors, &str); 3] = [(Vectors::None, "none"), (Vectors::Reduced, "reduced"), (Vectors::Full, "full")];

/// Tangents of the columns that complete `x1` to a basis, the columns of `x`: they turn no more than `dx1` makes them.
#[track_caller]
fn completed(x: &Array, x1: &Array, dx1: Array, k: usize) -> Array {
    if x.shape()[x.rank() - 1] == k {
        return dx1;
    }
    let x2 = x.slice_axis(-1, k as i64..);
    let dx2 = -product(x1, &product(&t(&dx1), &x2));
    concatenate(&[dx1, dx2], -1)
}

impl Primitive for Svd {
    fn name(&self) -> &'static str {
        "svd"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let word = WORDS.iter().find(|(vectors, _)| *vectors == self.vectors).expect("each has a name").1;
        vec![("batch", Attribute::Int(self.batch as i64)), ("vectors", Attribute::Word(word.to_owned()))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let (lanes, [m, n]) = matrix::matrix(x, self.batch)?;
        let k = m.min(n);
        let of = |lengths: &[usize]| (x.dtype, matrix::within(&lanes, lengths));
        matrix::results(match self.vectors {
            Vectors::None => vec![of(&[k])],
            Vectors::Reduced => vec![of(&[m, k]), of(&[k]), of(&[k, n])],
            Vectors::Full => vec![of(&[m, m]), of(&[k]), of(&[n, n])],
        })
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    /// With `p = u' da v`: `ds = diag(p)`, `du = u (f (p s + s p'))`, `dv = v (f (s p + p' s))`, where
    /// `f[i, j] = 1 / (s[j]^2 - s[i]^2)` off the diagonal, and what of `da` lies outside of the spaces that `u` and `v`
    /// span, divided by `s` (Townsend, Differentiating the singular value decomposition, 2016). Equal singular values have
    /// any basis, so that the derivative of the vectors is NaN; that of the values is not.
    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let Some(da) = &dx[0] else {
            let y = record(self.clone(), &[&x[0]]);
            let none = vec![None; y.len()];
            return (y, none);
        };
        let vectors = if self.vectors == Vectors::None { Vectors::Reduced } else { self.vectors };
        let y = record(Svd { batch: self.batch, vectors }, &[&x[0]]);
        let shape = da.shape();
        let [m, n] = [shape[self.batch], shape[self.batch + 1]];
        let k = m.min(n);
        if k == 0 {
            let zeros = |y: &Array| Some(rules::constant(Scalar::zero(y.dtype()), &y.shape()));
            let y = if self.vectors == Vectors::None { vec![y[1].clone()] } else { y };
            let dy = y.iter().map(zeros).collect();
            return (y, dy);
        }
        let (all_u, s, all_v) = (&y[0], &y[1], t(&y[2]));
        let (u, v) = (all_u.slice_axis(-1, 0..k as i64), all_v.slice_axis(-1, 0..k as i64));
        let dav = product(da, &v);
        let p = product(&t(&u), &dav);
        let ds = p.diagonal(0, -2, -1);
        if self.vectors == Vectors::None {
            return (vec![s.clone()], vec![Some(ds)]);
        }
        let (row, column) = (s.expand_dims(-2), s.expand_dims(-1));
        let gaps = (&row + &column) * (&row - &column);
        let on = on_diagonal(&gaps.shape());
        let f = on.select(0.0, on.select(1.0, gaps).recip());
        let (ps, sp) = (&p * &row, &p * &column);
        let mut du = product(&u, &(&f * (&ps + t(&ps))));
        let mut dv = product(&v, &(&f * (&sp + t(&sp))));
        if m > k {
            du += (&dav - product(&u, &p)) * row.recip();
        }
        if n > k {
            dv += (product(&t(da), &u) - product(&v, &t(&p))) * row.recip();
        }
        let du = completed(all_u, &u, du, k);
        let dv = completed(&all_v, &v, dv, k);
        let dy = vec![Some(du), Some(ds), Some(t(&dv))];
        (y, dy)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Svd { batch: self.batch + 1, vectors: self.vectors }, x, size)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("svd", self.batch, &[self.vectors as i64])
    }
}

impl Definition for Svd {
    const NAMES: &'static [&'static str] = &["svd"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let word = attributes.word("vectors")?;
        let known = WORDS.iter().find(|(_, name)| *name == word);
        let (vectors, _) = known.ok_or_else(|| TypeError::new("attribute `vectors` is `none`, `reduced` or `full`"))?;
        Ok(Svd { batch: attributes.size("batch")?, vectors: *vectors })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for (vectors, _) in WORDS {
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
                let op = Svd { batch: shape.len() - 2, vectors };
                let sample = |dtype| Sample::new(op.clone(), vec![matrix::shifted(dtype, shape, 4.0)]);
                // The vectors that complete a basis are any: their derivative is that of one choice.
                let chosen = vectors == Vectors::Full && shape[shape.len() - 2] != shape[shape.len() - 1];
                all.push(if chosen { sample(DType::F64) } else { sample(DType::F64).smooth(&[0]) });
                all.push(sample(DType::F32));
            }
            for n in [2, 3, 9] {
                let hard = matrix::hard(DType::F64, n).into_iter();
                all.extend(hard.map(|x| Sample::new(Svd { batch: 0, vectors }, vec![x])));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let sample = |dtype, vectors, shape: &[usize]| {
            Sample::new(Svd { batch: 0, vectors }, vec![Sample::numbers(dtype, shape)])
        };
        vec![
            sample(DType::F64, Vectors::Reduced, &[n, n]),
            sample(DType::F64, Vectors::None, &[n, n]),
            sample(DType::F32, Vectors::Full, &[n, 5]),
        ]
    }
}

/// Matrices as products `u diag(s) vt`: `[.., m, n]` to `[.., m, k]`, `[.., k]`, `[.., k, n]` with `k` singular values in
/// descending order, the lesser of `m` and `n`; when `full`, `u` is `[.., m, m]` and `vt` is `[.., n, n]`. NaN where it is not
/// finite.
///
/// The vectors of equal singular values, and those that complete a basis, are any basis of their space: derivatives of what
/// depends on the choice are NaN in the first case, those of one choice in the other.
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let (u, s, vt) = linalg::svd(&array![[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]], false);
/// assert_eq!(s, array![3.0, 2.0]);
/// assert_eq!((u * s).dot(&vt), array![[0.0, 2.0], [3.0, 0.0], [0.0, 0.0]]);
/// ```
#[track_caller]
pub fn svd(a: &Array, full: bool) -> (Array, Array, Array) {
    let _called = called("svd");
    let vectors = if full { Vectors::Full } else { Vectors::Reduced };
    let mut y = record(Svd { batch: matrix::batch(a), vectors }, &[&matrix::floats(a)]);
    let (vt, s) = (y.remove(2), y.remove(1));
    (y.remove(0), s, vt)
}

/// The singular values of matrices in descending order, without the vectors. See [`svd`].
///
/// # Panics
/// When it is no matrix.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert_eq!(linalg::svdvals(&array![[0.0, 2.0], [3.0, 0.0]]), array![3.0, 2.0]);
/// ```
#[track_caller]
pub fn svdvals(a: &Array) -> Array {
    let _called = called("svdvals");
    record(Svd { batch: matrix::batch(a), vectors: Vectors::None }, &[&matrix::floats(a)]).remove(0)
}
