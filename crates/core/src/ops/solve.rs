//! `solve`: linear equations, by factors that are made once and serve the derivatives too.

use super::matrix::{self, product, t};
use super::operands::{arrays, same_dtype};
use super::{Attributes, Definition, Sample, concatenate, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::lanes::{Lanes, Places};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::source::called;
use crate::trace::{apply, record};
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `a: [batch.., n, n]`, the factors and the order of rows that `lu` gives of it, `b: [batch.., n, k]` to `x` with
/// `a x = b` or `a' x = b`; NaN where `a` is singular.
///
/// The derivative is `dx = solve(a, db - da x)` with the same factors: these count as known, and that they are the factors
/// of `a` is for the caller to see to. They are 0 in idle lanes; a system of nothing but zeros has the solution 0.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3,3], %1: f64[3,3], %2: i64[3], %3: f64[3,2]) {
///   %4: f64[3,2] = solve[batch=0, transposed=false] %0 %1 %2 %3
///   return %4
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Solve {
    /// Number of leading batch axes.
    pub batch: usize,
    /// With the transpose of `a`.
    pub transposed: bool,
}

impl Primitive for Solve {
    fn name(&self) -> &'static str {
        "solve"
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        [Some("matrix"), None, None, Some("right side")][i].map(str::to_owned)
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("transposed", Attribute::Bool(self.transposed))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [a, lu, order, b] = arrays(args)?;
        same_dtype(a, b)?;
        let (lanes, n) = matrix::square(a, self.batch)?;
        let (other, [m, _]) = matrix::matrix(b, self.batch)?;
        if lanes != other || m != n {
            return Err(TypeError::new(format!("{a} and {b} are not {n} equations with right sides in equal batches")));
        }
        if lu != a || order.dtype != DType::I64 || order.shape != matrix::within(&lanes, &[n]) {
            return Err(TypeError::new(format!("{lu} and {order} are not the factors of {a}")));
        }
        matrix::results(vec![(b.dtype, b.shape.clone())])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        matrix::eval(self, &args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let solve = |b: &Array| apply(self.clone(), &[&x[0], &x[1], &x[2], b]);
        let y = solve(&x[3]);
        let moved = dx[0].as_ref().map(|da| product(&if self.transposed { t(da) } else { da.clone() }, &y));
        let right = match (&dx[3], moved) {
            (Some(db), Some(moved)) => Some(db - moved),
            (Some(db), None) => Some(db.clone()),
            (None, Some(moved)) => Some(-moved),
            (None, None) => None,
        };
        let dy = right.map(|right| solve(&right));
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let back = Solve { transposed: !self.transposed, ..self.clone() };
        into.add(3, apply(back, &[x[0].known(), x[1].known(), x[2].known(), ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        if self.batch == 0 && x[..3].iter().all(|x| !x.mapped) {
            return vec![matrix::lanes_as_columns(self.clone(), x)];
        }
        rules::batch_all(Solve { batch: self.batch + 1, ..self.clone() }, x, size)
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        matrix::lanes_of_solutions(at, &self.lower(), self.batch)
    }

    fn lower(&self) -> Lowering {
        matrix::lower("solve", self.batch, &[self.transposed.into()])
    }
}

impl Definition for Solve {
    const NAMES: &'static [&'static str] = &["solve"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Solve { batch: attributes.size("batch")?, transposed: attributes.bool("transposed")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for transposed in [false, true] {
            let mut add = |dtype, lanes: &[usize], n: usize, k: usize| {
                let shape = |of: [usize; 2]| lanes.iter().copied().chain(of).collect::<Vec<usize>>();
                let sample = sample(transposed, matrix::shifted(dtype, &shape([n, n]), 2.0), Sample::numbers(dtype, &shape([n, k])));
                all.push(if dtype == DType::F64 { sample.linear(&[3]) } else { sample });
            };
            for (n, k) in [(0, 2), (1, 1), (2, 1), (3, 2), (5, 0), (9, 3)] {
                add(DType::F64, &[], n, k);
            }
            add(DType::F64, &[2], 3, 2);
            add(DType::F64, &[0], 3, 2);
            add(DType::F32, &[2, 1], 3, 2);
            for x in matrix::hard(DType::F64, 3) {
                all.push(sample(transposed, x, Sample::numbers(DType::F64, &[3, 2])));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| sample(n.is_multiple_of(2), matrix::shifted(dtype, &[n, n], 2.0), Sample::numbers(dtype, &[n, 1 + n % 3]));
        vec![of(DType::F64), of(DType::F32)]
    }
}

/// With the factors of `a`.
fn sample(transposed: bool, a: Value, b: Value) -> Sample {
    let batch = a.array().shape.len() - 2;
    let mut factors = super::Lu { batch }.eval(vec![a.clone()]).expect("memory for a sample");
    let (order, lu) = (factors.remove(2), factors.remove(0));
    Sample::new(Solve { batch, transposed }, vec![a, lu, order, b])
}

/// The solutions `x` of `a x = b`: `a` is `[.., n, n]`, `b` is `[.., n, k]`, or one vector `[n]`. Batch axes broadcast, dtypes
/// promote. NaN where `a` is singular or not finite; [`try_solve`](crate::functions::linalg::try_solve) says which.
///
/// Complex ones are solved as real equations of twice the size. `a` is factorized once; derivatives of all orders, in `a` and `b`, use the same factors.
///
/// # Panics
/// When `a` is not square or `b` has not as many rows.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let x = linalg::solve(&array![[2.0, 0.0], [1.0, 4.0]], &array![2.0, 9.0]);
/// assert_eq!(x, array![1.0, 2.0]);
/// ```
#[track_caller]
pub fn solve(a: &Array, b: &Array) -> Array {
    let _called = called("solve");
    if a.dtype().is_complex() || b.dtype().is_complex() {
        return complex_solve(a, b);
    }
    let shared = a.rank() == 2 && b.rank() > 2;
    // Of one matrix a batch of right sides is more columns.
    let columns = shared.then(|| {
        let n = b.shape()[b.rank() - 2];
        b.move_axis(-2, 0).with_shape(&[n, b.size() / n.max(1)])
    });
    let (a, right, vector) = matrix::together(a, columns.as_ref().unwrap_or(b));
    crate::refusal::accept(matrix::square(&a.array_type(), matrix::batch(&a)), &[&a, b]);
    let batch = matrix::batch(&a);
    let known = a.stop_gradient();
    let factors = record(super::Lu { batch }, &[&known]);
    let x = apply(Solve { batch, transposed: false }, &[&a, &factors[0], &factors[2], &right]);
    if shared {
        let mut shape = b.shape();
        let n = shape.remove(b.rank() - 2);
        shape.insert(0, n);
        return x.with_shape(&shape).move_axis(0, -2);
    }
    if vector { x.squeeze(-1) } else { x }
}

/// By the real equations of the parts: `[[A, -B], [B, A]] [X; Y] = [C; D]`.
#[track_caller]
fn complex_solve(a: &Array, b: &Array) -> Array {
    let (a, b, vector) = matrix::together(a, b);
    let ([re, im], [above, below]) = (a.parts(), b.parts());
    let rows = [concatenate(&[&re, &-&im], -1), concatenate(&[&im, &re], -1)];
    let x = solve(&concatenate(&rows, -2), &concatenate(&[above, below], -2));
    let n = b.shape()[b.rank() - 2] as i64;
    let x = Array::of_parts(x.slice_axis(-2, 0..n), x.slice_axis(-2, n..));
    if vector { x.squeeze(-1) } else { x }
}

/// The inverses of matrices, `[.., n, n]`; NaN where one is singular or not finite
/// ([`try_inv`](crate::functions::linalg::try_inv) says which). To solve equations [`solve`] is faster and more exact.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert_eq!(linalg::inv(&array![[2.0, 0.0], [0.0, 4.0]]), array![[0.5, 0.0], [0.0, 0.25]]);
/// assert!(linalg::inv(&array![[1.0, 2.0], [2.0, 4.0]]).is_nan().all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn inv(a: &Array) -> Array {
    let _called = called("inv");
    let a = matrix::floats(a);
    crate::refusal::accept(matrix::square(&a.array_type(), matrix::batch(&a)), &[&a]);
    solve(&a, &matrix::units(a.dtype(), &a.shape()))
}
