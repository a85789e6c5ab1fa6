//! `reverse`: axes read from their end.

use super::axes::{Integers, distinct_axes};
use super::operands::{arrays, result};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::read;
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive, View, ViewAxis};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::Value;
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::DType;

/// Some axes read from their end.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3]) {
///   %1: f64[3] = reverse[shape=[3], axes=[0]] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reverse {
    /// The axis lengths of operand and result, from which the index map follows.
    pub shape: Shape,
    /// Which axes; strictly increasing.
    pub axes: SmallVec<[usize; 4]>,
}

impl Reverse {
    fn view(&self) -> View {
        let axis = |(a, &n): (usize, &usize)| match self.axes.contains(&a) {
            true => ViewAxis { offset: n as i64 - 1, from: Some((a, -1)) },
            false => ViewAxis { offset: 0, from: Some((a, 1)) },
        };
        View { axes: self.shape.iter().enumerate().map(axis).collect() }
    }
}

impl Primitive for Reverse {
    fn name(&self) -> &'static str {
        "reverse"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("shape", Attribute::sizes(&self.shape)), ("axes", Attribute::sizes(&self.axes))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        if x.shape != self.shape {
            return Err(TypeError::new(format!("{x} has not the shape {:?}", self.shape)));
        }
        if !self.axes.windows(2).all(|w| w[0] < w[1]) || self.axes.last().is_some_and(|&a| a >= x.rank()) {
            return Err(TypeError::new(format!("{:?} are not axes of {x} in ascending order", self.axes)));
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
        into.add(0, apply(self.clone(), &[ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let mut shape = self.shape.clone();
        shape.insert(0, size);
        let axes = self.axes.iter().map(|a| a + 1).collect();
        vec![Batched::mapped(apply(Reverse { shape, axes }, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::View(self.view())
    }
}

impl Definition for Reverse {
    const NAMES: &'static [&'static str] = &["reverse"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Reverse { shape: attributes.sizes("shape")?.into(), axes: attributes.sizes("axes")?.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, &[5], &[0]),
            sample(DType::F64, &[2, 3], &[1]),
            sample(DType::F64, &[3, 2, 5], &[0, 2]),
            sample(DType::F64, &[3, 1], &[]),
            sample(DType::F64, &[], &[]),
            sample(DType::F64, &[0, 3], &[0, 1]),
            sample(DType::F32, &[17], &[0]),
            sample(DType::I64, &[3, 4], &[0]),
            sample(DType::Bool, &[7], &[0]),
            sample(DType::F64, &[1, 1], &[0, 1]),
            sample(DType::F32, &[2, 3, 4], &[1]),
            sample(DType::U8, &[5, 1, 2], &[0, 2]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| [sample(dtype, &[n], &[0]), sample(dtype, &[n, 3], &[0]), sample(dtype, &[3, n], &[1])];
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, x: &[usize], axes: &[usize]) -> Sample {
    let op = Reverse { shape: x.into(), axes: axes.into() };
    let sample = Sample::new(op, vec![Sample::numbers(dtype, x)]);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Array {
    /// The elements along some axes in reverse order; negative axes count from the end.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2], [3, 4]]);
    /// assert_eq!(x.flip(0), Array::from([[3, 4], [1, 2]]));
    /// assert_eq!(x.flip([0, 1]), Array::from([[4, 3], [2, 1]]));
    /// ```
    #[track_caller]
    pub fn flip(&self, axes: impl Integers) -> Array {
        let _called = called("flip");
        let mut axes = accept(distinct_axes(&axes, self.rank()), &[self]);
        axes.sort_unstable();
        if axes.is_empty() { self.clone() } else { apply(Reverse { shape: self.shape(), axes }, &[self]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn twice_is_nothing() {
        let x = Array::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
        assert_eq!(x.flip([0, -1]).flip([0, 1]), x);
        assert_eq!(x.flip(()), x);
        assert!(door(|| x.flip(2)).unwrap_err().message.contains("axis 2 does not exist"));
    }
}
