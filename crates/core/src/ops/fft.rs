//! Discrete Fourier transforms along the last axis, of rows whose real and imaginary parts are two operands.

use super::matrix::{eval, lower, results, within};
use super::operands::{array_list, same_dtype};
use super::{Attributes, Definition, Sample, rules, zeros_any};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::record;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `[batch.., n]`, real and imaginary parts, to those of the transform; nothing is divided out.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,8]) {
///   %1: f64[3,5], %2: f64[3,5] = rfft[batch=1] %0
///   %3: f64[3,8] = irfft[batch=1, length=8] %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Fft {
    /// What is transformed to what.
    pub kind: Transform,
    /// Number of leading batch axes; one axis follows.
    pub batch: usize,
}

/// The kind of a transform: with `w = exp(-2πi / n)`.
///
/// ```
/// use wengert_core::ops::Transform;
///
/// assert_ne!(Transform::Forward, Transform::Inverse);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transform {
    /// `y[k] = sum x[j] w^(jk)`.
    Forward,
    /// `y[k] = sum x[j] w^(-jk)`.
    Inverse,
    /// The first `n / 2 + 1` numbers of the forward transform of real ones.
    Real,
    /// `n` real numbers of whose forward transform the operand is the first half, times `n`.
    ToReal {
        /// That `n`.
        length: usize,
    },
}

impl Fft {
    fn filled(&self, x: &[Option<Array>], like: &[Type]) -> Vec<Array> {
        x.iter().zip(like).map(|(x, ty)| x.clone().unwrap_or_else(|| zeros_any(ty))).collect()
    }

    /// How often the numbers of a half stand in the whole, twice but for the first and, of an even length, the last: 1
    /// there and `inner` elsewhere.
    fn weights(&self, half: &Array, length: usize, inner: f64) -> Array {
        let shape = half.shape();
        let k = Array::iota(DType::I64, &shape, shape.len() - 1);
        let last = if length.is_multiple_of(2) { length / 2 } else { 0 };
        (k.eq(0) | k.eq(last as i32)).select(1.0, rules::constant(number(half.dtype(), inner), &shape))
    }
}

fn number(dtype: DType, x: f64) -> wengert_kernel::Scalar {
    crate::array::promote::number(wengert_kernel::Scalar::new(x), dtype)
}

impl Primitive for Fft {
    fn name(&self) -> &'static str {
        match self.kind {
            Transform::Forward => "fft",
            Transform::Inverse => "ifft",
            Transform::Real => "rfft",
            Transform::ToReal { .. } => "irfft",
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mut all = vec![("batch", Attribute::Int(self.batch as i64))];
        if let Transform::ToReal { length } = self.kind {
            all.push(("length", Attribute::Int(length as i64)));
        }
        all
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let all = array_list(args)?;
        let x = match (&all[..], self.kind) {
            ([x], Transform::Real) => x,
            ([x, y], Transform::Forward | Transform::Inverse | Transform::ToReal { .. }) => {
                same_dtype(x, y)?;
                if x.shape != y.shape {
                    return Err(TypeError::new(format!("the parts {x} and {y} differ in shape")));
                }
                x
            }
            _ => return Err(TypeError::new(format!("it does not take {} operands", all.len()))),
        };
        if !x.dtype.is_float() {
            return Err(TypeError::new(format!("{x} holds no floats; `convert` it to f64 or f32")));
        }
        if x.rank() != self.batch + 1 {
            return Err(TypeError::new(format!("{x} is no row in {} batch axes", self.batch)));
        }
        let n = x.shape[self.batch];
        let (m, parts) = match self.kind {
            Transform::Forward | Transform::Inverse => (n, 2),
            Transform::Real => (n / 2 + 1, 2),
            Transform::ToReal { length } if n == length / 2 + 1 => (length, 1),
            Transform::ToReal { length } => {
                return Err(TypeError::new(format!("{length} real numbers are transformed to {}, not {n}", length / 2 + 1)));
            }
        };
        if n == 0 || m == 0 {
            return Err(TypeError::new("there is no transform of no numbers; take or pad to a length of at least 1"));
        }
        results(vec![(x.dtype, within(&x.shape[..self.batch].into(), &[m])); parts])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        eval(self, &args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = record(self.clone(), &x.iter().collect::<Vec<_>>());
        if dx.iter().all(Option::is_none) {
            let none = vec![None; y.len()];
            return (y, none);
        }
        let types: Vec<Type> = x.iter().map(Array::ty).collect();
        let dx = self.filled(dx, &types);
        let dy = record(self.clone(), &dx.iter().collect::<Vec<_>>());
        (y, dy.into_iter().map(Some).collect())
    }

    /// On pairs of real numbers the transpose of `F` is its conjugate: the inverse transform, without a factor.
    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(known) = ct.iter().flatten().next() else { return };
        let ct = self.filled(ct, &vec![known.ty(); ct.len()]);
        let to = |kind: Transform, x: &[&Array]| record(Fft { kind, batch: self.batch }, x);
        let found = match self.kind {
            Transform::Forward => to(Transform::Inverse, &[&ct[0], &ct[1]]),
            Transform::Inverse => to(Transform::Forward, &[&ct[0], &ct[1]]),
            Transform::Real => {
                let length = x[0].ty().as_array().expect("a row is an array").shape[self.batch];
                let weights = self.weights(&ct[0], length, 0.5);
                to(Transform::ToReal { length }, &[&(&ct[0] * &weights), &(&ct[1] * &weights)])
            }
            Transform::ToReal { length } => {
                let half = to(Transform::Real, &[&ct[0]]);
                let weights = self.weights(&half[0], length, 2.0);
                half.iter().map(|y| y * &weights).collect()
            }
        };
        for (i, ct) in found.into_iter().enumerate() {
            into.add(i, ct);
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Fft { batch: self.batch + 1, ..self.clone() }, x, size)
    }

    fn lower(&self) -> Lowering {
        match self.kind {
            Transform::Forward => lower("fft", self.batch, &[0]),
            Transform::Inverse => lower("fft", self.batch, &[1]),
            Transform::Real => lower("rfft", self.batch, &[]),
            Transform::ToReal { length } => lower("irfft", self.batch, &[length as i64]),
        }
    }
}

impl Definition for Fft {
    const NAMES: &'static [&'static str] = &["fft", "ifft", "rfft", "irfft"];

    fn parse(name: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let kind = match name {
            "fft" => Transform::Forward,
            "ifft" => Transform::Inverse,
            "rfft" => Transform::Real,
            _ => Transform::ToReal { length: attributes.size("length")? },
        };
        Ok(Fft { kind, batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for shape in [&[1][..], &[2], &[3], &[4], &[5], &[7], &[8], &[12], &[0, 3], &[3, 4], &[2, 3, 6], &[37]] {
            for dtype in [DType::F64, DType::F32] {
                all.extend(of_shape(dtype, shape));
            }
        }
        let hard = || super::samples::hard(DType::F64, &[6]);
        all.push(Sample::new(Fft { kind: Transform::Forward, batch: 0 }, vec![hard(), Sample::numbers(DType::F64, &[6])]));
        all.push(Sample::new(Fft { kind: Transform::Real, batch: 0 }, vec![hard()]));
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        // There is no transform of no numbers, but one of no rows.
        if n == 0 { of_shape(DType::F64, &[0, 3]) } else { of_shape(DType::F64, &[n]) }
    }
}

/// Every kind on rows of this shape.
fn of_shape(dtype: DType, shape: &[usize]) -> Vec<Sample> {
    let batch = shape.len() - 1;
    let length = shape[batch];
    let half: Vec<usize> = shape[..batch].iter().copied().chain([length / 2 + 1]).collect();
    let sample = |kind: Transform, parts: usize, shape: &[usize]| {
        let operands = (0..parts).map(|i| super::samples::points((-1.0, 1.0), i, shape));
        if dtype == DType::F64 {
            let all: Vec<usize> = (0..parts).collect();
            return Sample::new(Fft { kind, batch }, operands.collect()).linear(&all);
        }
        Sample::new(Fft { kind, batch }, (0..parts).map(|_| Sample::numbers(dtype, shape)).collect())
    };
    vec![
        sample(Transform::Forward, 2, shape),
        sample(Transform::Inverse, 2, shape),
        sample(Transform::Real, 1, shape),
        sample(Transform::ToReal { length }, 2, &half),
    ]
}
