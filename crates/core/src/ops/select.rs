//! Choosing between two arrays element by element.

use super::{Attributes, Definition, Sample, elementwise, rules, samples};
use crate::array::Array;
use crate::array::promote::{Term, common_dtype, common_shape, fit};
use crate::error::{Error, TypeError};
use crate::primitive::{Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::{apply, record};
use crate::types::Type;
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::{DType, Scalar, ScalarOp};

/// `(p, a, b) -> a where p, else b`; all of one shape.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: bool[7], %1: f64[7], %2: f64[7]) {
///   %3: f64[7] = select %0 %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Select;

impl Array {
    /// `a` where this `bool` array is true, `b` where it is false.
    ///
    /// All three broadcast; `a` and `b` promote to one dtype. Both are computed everywhere, so a derivative that is
    /// infinite in the one *not* chosen gives NaN in reverse mode; keep its operand away from there, or use `cond`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([-1.0, 2.0]);
    /// assert_eq!(x.gt(0.0).select(&x, 0.5), Array::from([0.5, 2.0]));
    /// ```
    #[track_caller]
    pub fn select(&self, a: impl Into<Term>, b: impl Into<Term>) -> Array {
        let _called = called("select");
        accept(elementwise::truth_values(self.dtype()), &[self]);
        let terms = [self.into(), a.into(), b.into()];
        let dtype = common_dtype(&terms[1..]);
        let shape = common_shape(&terms);
        let [p, a, b] = &terms;
        let p = fit(p, DType::Bool, &shape);
        let a = fit(a, dtype, &shape);
        let b = fit(b, dtype, &shape);
        apply(Select, &[&p, &a, &b])
    }
}

fn zeros_like(x: &Array) -> Array {
    let ty = x.array_type();
    rules::constant(Scalar::zero(ty.dtype), &ty.shape)
}

impl Primitive for Select {
    fn name(&self) -> &'static str {
        "select"
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(["condition", "a (where true)", "b (where false)"][i].to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        elementwise::infer::<3>(ScalarOp::Select, args)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        elementwise::eval(ScalarOp::Select, args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = record(*self, &[&x[0], &x[1], &x[2]]);
        let dy = match (&dx[1], &dx[2]) {
            (None, None) => None,
            (Some(da), Some(db)) => Some(apply(*self, &[&x[0], da, db])),
            (Some(da), None) => Some(apply(*self, &[&x[0], da, &zeros_like(da)])),
            (None, Some(db)) => Some(apply(*self, &[&x[0], &zeros_like(db), db])),
        };
        (y, vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let (p, zero) = (x[0].known(), zeros_like(ct));
        if into.wants(1) {
            into.add(1, apply(*self, &[p, ct, &zero]));
        }
        if into.wants(2) {
            into.add(2, apply(*self, &[p, &zero, ct]));
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(*self, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Map(ScalarOp::Select)
    }
}

impl Definition for Select {
    const NAMES: &'static [&'static str] = &["select"];

    fn parse(_: &str, _: &Attributes) -> Result<Self, TypeError> {
        Ok(Select)
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for shape in samples::SHAPES {
            let (a, b) = (samples::points((-2.0, 2.0), 0, shape), samples::points((-2.0, 2.0), 1, shape));
            let zero = Value::zeros(&a.ty());
            let sample = |a: &Value, b: &Value| Sample::new(Select, vec![alternating(shape), a.clone(), b.clone()]);
            all.push(sample(&a, &b).linear(&[1, 2]));
            all.push(sample(&a, &zero).linear(&[1]));
            all.push(sample(&zero, &b).linear(&[2]));
        }
        for dtype in DType::ALL {
            let (a, b) = samples::hard_pairs(dtype);
            all.push(Sample::new(Select, vec![alternating(&a.array().shape), a, b]));
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let args = |[a, b]: [Value; 2]| vec![alternating(&[n]), a, b];
        let hard = DType::ALL.map(|dtype| Sample::new(Select, args(samples::hard_pair(dtype, &[n]))));
        let points = [0, 1].map(|seed| samples::points((-2.0, 2.0), seed, &[n]));
        hard.into_iter().chain([Sample::new(Select, args(points)).linear(&[1, 2])]).collect()
    }
}

/// A condition that holds here and there.
fn alternating(shape: &[usize]) -> Value {
    let n = shape.iter().product();
    ArrayValue::new(shape, (0..n).map(|i| i % 3 != 1).collect()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_broadcasts_and_promotes() {
        let p = Array::from([true, false]);
        assert_eq!(p.select(1, 2.5), Array::from([1.0, 2.5]));
        assert_eq!(p.select(1, 2), Array::from([1, 2]));
        assert_eq!(p.select(Array::from(1f32), 2.0), Array::from([1f32, 2.0]));
        let table = p.reshape([2, 1]).select(Array::from([1, 2, 3]), Array::from(0u8));
        assert_eq!(table, Array::from_slice(&[2, 3], &[1, 2, 3, 0, 0, 0]));
    }

    #[test]
    fn what_is_not_chosen_does_not_show() {
        let (p, x) = (Array::from([true, false]), Array::from([1.0, f64::NAN]));
        let (_, dy) = Select.jvp(&[p, x.clone(), x.clone()], &[None, Some(x), None]);
        assert_eq!(dy[0], Some(Array::from([1.0, 0.0])));
    }
}
