//! `pad`: a margin of one value around an array.

use super::axes::{Integers, lengths};
use super::operands::{arrays, result, same_dtype};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{blank, copy, positions};
use super::{Attributes, Broadcast, Definition, Sample, Select, Slice, rules};
use crate::array::Array;
use crate::array::promote::{Term, fit};
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive, View, ViewAxis};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::{DType, Scalar};

/// Operands `x, value`: `x` with `low[a]` elements before and `high[a]` after it along each axis, all the scalar
/// `value`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3], %1: f64[]) {
///   %2: f64[6] = pad[low=[1], high=[2]] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pad {
    /// Elements before, by axis.
    pub low: SmallVec<[usize; 4]>,
    /// Elements after, by axis.
    pub high: SmallVec<[usize; 4]>,
}

impl Pad {
    /// The part of the result that is `x`.
    fn inside(&self, sizes: Shape) -> Slice {
        Slice { start: self.low.clone(), stride: SmallVec::from_elem(1, sizes.len()), sizes }
    }
}

impl Primitive for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("low", Attribute::sizes(&self.low)), ("high", Attribute::sizes(&self.high))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(["array", "value"][i].to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x, value] = arrays(args)?;
        same_dtype(x, value)?;
        let (low, high) = (&self.low, &self.high);
        if [low.len(), high.len()] != [x.rank(); 2] {
            return Err(TypeError::new(format!(
                "low {low:?} and high {high:?} must each give a length for every axis of {x}, {} in all",
                x.rank()
            )));
        }
        if value.rank() != 0 {
            return Err(TypeError::new(format!("the value around an array is a scalar, not {value}; take one element of it by `at`")));
        }
        let length = |(a, &n): (usize, &usize)| n.checked_add(low[a])?.checked_add(high[a]);
        let shape: Option<Shape> = x.shape.iter().enumerate().map(length).collect();
        let shape = shape.ok_or_else(|| TypeError::new(format!("{x} with a margin is larger than memory can be")))?;
        result(x.dtype, shape)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let (x, value) = (args[0].array(), args[1].array());
        let shape: Shape = x.shape.iter().enumerate().map(|(a, n)| self.low[a] + n + self.high[a]).collect();
        let mut y = blank(x.dtype(), &shape)?;
        let buffer = y.make_mut();
        copy(buffer, 0.., &value.buffer, std::iter::repeat_n(0, buffer.len()));
        let axis = |(a, &low): (usize, &usize)| ViewAxis { offset: low as i64, from: Some((a, 1)) };
        let inside = View { axes: self.low.iter().enumerate().map(axis).collect() };
        let at: Vec<usize> = positions(&inside, &x.shape, &shape).collect();
        copy(y.make_mut(), at, &x.buffer, 0..x.size());
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &[&x[0], &x[1]]);
        if dx.iter().all(Option::is_none) {
            return (vec![y], vec![None]);
        }
        let tangent = |i: usize| dx[i].clone().unwrap_or_else(|| super::zeros_any(&x[i].ty()));
        let dy = apply(self.clone(), &[&tangent(0), &tangent(1)]);
        (vec![y], vec![Some(dy)])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let shape = x[0].ty().as_array().expect("an array was inferred").shape.clone();
        if into.wants(1) {
            // Only the margin is summed: the whole less the inside would lose digits.
            let inside = rules::constant(Scalar::new(true), &shape);
            let mask = apply(self.clone(), &[&inside, &rules::literal(Scalar::new(false))]);
            let zeros = super::zeros_any(&ct.ty());
            into.add(1, apply(Select, &[&mask, &zeros, ct]).sum());
        }
        if into.wants(0) {
            into.add(0, apply(self.inside(shape), &[ct]));
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let extended = |n: &[usize]| std::iter::once(0).chain(n.iter().copied()).collect();
        let op = Pad { low: extended(&self.low), high: extended(&self.high) };
        let array = x[0].spread(size);
        if !x[1].mapped {
            return vec![Batched::mapped(apply(op, &[&array, &x[1].array]))];
        }
        // A value of its own for each lane: padded with anything, then chosen.
        let padded = apply(op.clone(), &[&array, &rules::literal(Scalar::zero(array.dtype()))]);
        let inside = rules::constant(Scalar::new(true), &array.shape());
        let mask = apply(op, &[&inside, &rules::literal(Scalar::new(false))]);
        let margin = Broadcast { shape: padded.shape(), axes: SmallVec::from_slice(&[0]) };
        vec![Batched::mapped(apply(Select, &[&mask, &padded, &apply(margin, &[&x[1].array])]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Pad { low: self.low.clone() }
    }
}

impl Definition for Pad {
    const NAMES: &'static [&'static str] = &["pad"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Pad { low: attributes.sizes("low")?.into(), high: attributes.sizes("high")?.into() })
    }

    fn samples() -> Vec<Sample> {
        let mut odd = sample(DType::F64, &[2], &[1], &[1]);
        odd.args[1] = ArrayValue::scalar(Scalar::new(f64::NAN)).into();
        odd.smooth.clear();
        odd.linear.clear();
        vec![
            sample(DType::F64, &[3], &[2], &[1]),
            sample(DType::F64, &[3], &[0], &[0]),
            sample(DType::F64, &[2, 3], &[1, 0], &[0, 2]),
            sample(DType::F64, &[2, 1, 3], &[0, 2, 1], &[1, 0, 1]),
            sample(DType::F64, &[], &[], &[]),
            sample(DType::F64, &[0], &[2], &[1]),
            sample(DType::F64, &[0, 2], &[0, 1], &[0, 1]),
            sample(DType::F32, &[17], &[3], &[5]),
            sample(DType::I64, &[2, 2], &[1, 1], &[1, 1]),
            sample(DType::Bool, &[3], &[1], &[1]),
            sample(DType::U8, &[1, 1], &[0, 2], &[3, 0]),
            odd,
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| [sample(dtype, &[n], &[1], &[2]), sample(dtype, &[2, n], &[1, 0], &[0, 3])];
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, x: &[usize], low: &[usize], high: &[usize]) -> Sample {
    let op = Pad { low: low.into(), high: high.into() };
    let sample = Sample::new(op, vec![Sample::numbers(dtype, x), Sample::numbers(dtype, &[])]);
    if dtype == DType::F64 { sample.linear(&[0, 1]) } else { sample }
}

impl Array {
    /// The array within a margin: `low[a]` elements before and `high[a]` after it along axis `a`, all equal to `value`,
    /// which takes the array's dtype.
    ///
    /// # Panics
    /// When `low` or `high` does not give one length, not negative, for each axis.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, 2.0]).pad(1, 2, 0.0), Array::from([0.0, 1.0, 2.0, 0.0, 0.0]));
    /// let x = Array::from([[1, 2]]);
    /// assert_eq!(x.pad([1, 0], [0, 1], 7), Array::from([[7, 7, 7], [1, 2, 7]]));
    /// ```
    #[track_caller]
    pub fn pad(&self, low: impl Integers, high: impl Integers, value: impl Into<Term>) -> Array {
        let _called = called("pad");
        let low = accept(lengths(&low), &[self]);
        let high = accept(lengths(&high), &[self]);
        let value = match value.into() {
            Term::Array(value) => value.convert(self.dtype()),
            number => fit(&number, self.dtype(), &[]),
        };
        apply(Pad { low, high }, &[self, &value])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refusals() {
        let x = Array::from([1.0, 2.0]);
        let error = |low: i64, high: i64| door(|| x.pad(low, high, 0.0)).unwrap_err().message;
        assert!(error(-1, 0).contains("negative"), "{}", error(-1, 0));
        assert!(error(i64::MAX, i64::MAX).contains("larger than memory"));
        assert!(door(|| x.pad([1, 1], [0, 0], 0.0)).unwrap_err().message.contains("every axis of f64[2], 1 in all"));
        assert!(door(|| x.pad(1, 1, &x)).unwrap_err().message.contains("is a scalar, not f64[2]"));
    }
}
