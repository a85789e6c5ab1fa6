//! `broadcast`: an array repeated along new axes. And `broadcast_to`.

use super::axes::{Integers, lengths};
use super::operands::{arrays, result};
use super::reduce::sum_over;
use super::samples::ONE_OF_EACH_SIZE;
use super::view::read;
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::array::promote::broadcast;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive, View, ViewAxis};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::Value;
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::DType;

/// Operand axis `i` becomes result axis `axes[i]`, of the same length; along the other axes the operand repeats.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3]) {
///   %1: f64[2,3] = broadcast[shape=[2, 3], axes=[1]] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Broadcast {
    /// The result's axis lengths.
    pub shape: Shape,
    /// Where each operand axis goes; strictly increasing.
    pub axes: SmallVec<[usize; 4]>,
}

impl Broadcast {
    fn view(&self) -> View {
        View { axes: self.axes.iter().map(|&a| ViewAxis { offset: 0, from: Some((a, 1)) }).collect() }
    }
}

impl Primitive for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("shape", Attribute::sizes(&self.shape)), ("axes", Attribute::sizes(&self.axes))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let fits = self.axes.len() == x.rank()
            && self.axes.windows(2).all(|w| w[0] < w[1])
            && self.axes.iter().zip(&x.shape).all(|(&a, n)| self.shape.get(a) == Some(n));
        if !fits {
            let (axes, shape) = (&self.axes, &self.shape);
            return Err(TypeError::new(format!(
                "{x} does not become the axes {axes:?} of an array of shape {shape:?}"
            )));
        }
        result(x.dtype, self.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        Ok(vec![read(args[0].array(), &self.view(), &self.shape)?.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let new: SmallVec<[usize; 4]> = (0..self.shape.len()).filter(|a| !self.axes.contains(a)).collect();
        into.add(0, sum_over(ct, &new));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let mut shape = self.shape.clone();
        shape.insert(0, size);
        let axes = std::iter::once(0).chain(self.axes.iter().map(|a| a + 1)).collect();
        vec![Batched::mapped(apply(Broadcast { shape, axes }, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::View(self.view())
    }

    fn cheap(&self) -> bool {
        true
    }
}

impl Definition for Broadcast {
    const NAMES: &'static [&'static str] = &["broadcast"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Broadcast { shape: attributes.sizes("shape")?.into(), axes: attributes.sizes("axes")?.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, &[3], &[2, 3], &[1]),
            sample(DType::F64, &[3], &[3, 2], &[0]),
            sample(DType::F64, &[2, 3], &[2, 5, 3, 1], &[0, 2]),
            sample(DType::F64, &[], &[2, 2], &[]),
            sample(DType::F64, &[], &[], &[]),
            sample(DType::F64, &[3], &[0, 3], &[1]),
            sample(DType::F64, &[0], &[0, 2], &[0]),
            sample(DType::F64, &[1], &[17, 1], &[1]),
            sample(DType::F64, &[1, 3], &[4, 1, 3], &[1, 2]),
            sample(DType::F32, &[5], &[3, 5], &[1]),
            sample(DType::I64, &[2], &[2, 7], &[0]),
            sample(DType::Bool, &[3], &[2, 3], &[1]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            let rows = [sample(dtype, &[n], &[3, n], &[1]), sample(dtype, &[n], &[n, 3], &[0])];
            rows.into_iter().chain([sample(dtype, &[], &[n], &[]), sample(dtype, &[3], &[3, n], &[0])])
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, x: &[usize], shape: &[usize], axes: &[usize]) -> Sample {
    let op = Broadcast { shape: shape.into(), axes: axes.into() };
    let sample = Sample::new(op, vec![Sample::numbers(dtype, x)]);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Array {
    /// The array repeated to a shape by NumPy's rule: axes are matched from the last, and an axis of length 1 (or a
    /// missing one) repeats.
    ///
    /// # Panics
    /// When some other axis has another length than `shape` asks for.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([1.0, 2.0]);
    /// assert_eq!(x.broadcast_to([3, 2]), Array::from([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]));
    /// ```
    #[track_caller]
    pub fn broadcast_to(&self, shape: impl Integers) -> Array {
        let _called = called("broadcast_to");
        let shape = accept(lengths(&shape), &[self]);
        let own = self.shape();
        let repeats = |(n, m): (&usize, &usize)| n == m || *n == 1;
        let fits = own.len() <= shape.len() && own.iter().rev().zip(shape.iter().rev()).all(repeats);
        let refusal = format!(
            "{} does not repeat to shape {shape:?}: matched from the last axis, lengths must be equal or 1; `expand_dims` or `reshape` puts axes of length 1 where it is to repeat",
            self.array_type()
        );
        accept(if fits { Ok(()) } else { Err(TypeError::new(refusal)) }, &[self]);
        broadcast(self, &shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refuses_with_both_shapes() {
        let x = Array::from([1.0, 2.0, 3.0]);
        let error = |shape: [usize; 2]| door(|| x.broadcast_to(shape)).unwrap_err().message;
        assert!(error([3, 4]).contains("f64[3] does not repeat to shape [3, 4]"), "{}", error([3, 4]));
        let huge = door(|| Array::from(1.0).broadcast_to([1usize << 40, 1 << 40])).unwrap_err().message;
        assert!(huge.contains("larger than memory"), "{huge}");
        assert!(door(|| x.broadcast_to(3).broadcast_to(())).is_err());
    }

    #[test]
    fn length_one_repeats_and_empty_stays() {
        let x = Array::from([1.0, 2.0]).reshape([2, 1]);
        assert_eq!(x.broadcast_to([2, 3]), Array::from([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]));
        assert_eq!(Array::from(1.0).broadcast_to(0).shape().as_slice(), [0]);
        assert_eq!(Array::from(1.0).broadcast_to([0, 1usize << 62]).size(), 0);
    }
}
