//! `permute`: the axes in another order.

use super::axes::{Integers, distinct_axes, one_axis};
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

/// Result axis `i` is operand axis `axes[i]`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[2,3]) {
///   %1: f64[3,2] = permute[axes=[1, 0]] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Permute {
    /// Every axis of the operand, once.
    pub axes: SmallVec<[usize; 4]>,
}

impl Permute {
    /// Where each operand axis went.
    fn inverse(&self) -> Permute {
        let mut axes = self.axes.clone();
        for (to, &from) in self.axes.iter().enumerate() {
            axes[from] = to;
        }
        Permute { axes }
    }
}

impl Primitive for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("axes", Attribute::sizes(&self.axes))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..x.rank()) {
            return Err(TypeError::new(format!("{:?} does not name each axis of {x} once; name the axes 0 to {} in the order wanted", self.axes, x.rank().max(1) - 1)));
        }
        result(x.dtype, self.axes.iter().map(|&a| x.shape[a]).collect())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let shape: Shape = self.axes.iter().map(|&a| x.shape[a]).collect();
        let Lowering::View(view) = self.lower() else { unreachable!("it is a view") };
        Ok(vec![read(x, &view, &shape)?.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        into.add(0, apply(self.inverse(), &[ct]));
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        let axes = std::iter::once(0).chain(self.axes.iter().map(|a| a + 1)).collect();
        vec![Batched::mapped(apply(Permute { axes }, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        let axes = self.inverse().axes.into_iter().map(|a| ViewAxis { offset: 0, from: Some((a, 1)) });
        Lowering::View(View { axes: axes.collect() })
    }
}

impl Definition for Permute {
    const NAMES: &'static [&'static str] = &["permute"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let axes = attributes.sizes("axes")?;
        // The inverse is taken before any operand is seen.
        if axes.iter().any(|&a| a >= axes.len()) {
            return Err(TypeError::new(format!("{axes:?} is no order of axes")));
        }
        Ok(Permute { axes: axes.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, &[2, 3], &[1, 0]),
            sample(DType::F64, &[2, 3, 5], &[2, 0, 1]),
            sample(DType::F64, &[2, 3, 5], &[1, 2, 0]),
            sample(DType::F64, &[2, 1, 3, 2], &[3, 1, 0, 2]),
            sample(DType::F64, &[5], &[0]),
            sample(DType::F64, &[], &[]),
            sample(DType::F64, &[3, 0], &[1, 0]),
            sample(DType::F32, &[17, 19], &[1, 0]),
            sample(DType::I64, &[3, 4], &[1, 0]),
            sample(DType::Bool, &[3, 2], &[1, 0]),
            sample(DType::F64, &[0, 2, 3], &[2, 1, 0]),
            sample(DType::U8, &[1, 5], &[1, 0]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            [sample(dtype, &[3, n], &[1, 0]), sample(dtype, &[n, 3], &[1, 0]), sample(dtype, &[2, n, 3], &[2, 0, 1])]
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, x: &[usize], axes: &[usize]) -> Sample {
    let sample = Sample::new(Permute { axes: axes.into() }, vec![Sample::numbers(dtype, x)]);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Array {
    /// The axes in another order: axis `i` of the result is axis `axes[i]` of this array.
    ///
    /// # Panics
    /// When `axes` does not name each axis once.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[[1, 2, 3], [4, 5, 6]]]);
    /// assert_eq!(x.permute([2, 0, 1]).shape().as_slice(), [3, 1, 2]);
    /// ```
    #[track_caller]
    pub fn permute(&self, axes: impl Integers) -> Array {
        let _called = called("permute");
        let axes = accept(distinct_axes(&axes, self.rank()), &[self]);
        if axes.iter().copied().eq(0..self.rank()) { self.clone() } else { apply(Permute { axes }, &[self]) }
    }

    /// The axes in reverse order; of a matrix, its transpose.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1, 2], [3, 4]]).transpose(), Array::from([[1, 3], [2, 4]]));
    /// ```
    #[track_caller]
    pub fn transpose(&self) -> Array {
        let _called = called("transpose");
        let axes: Vec<usize> = (0..self.rank()).rev().collect();
        self.permute(axes)
    }

    /// Two axes exchanged; negative ones count from the end.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[[1, 2, 3], [4, 5, 6]]]);
    /// assert_eq!(x.swap_axes(0, -1).shape().as_slice(), [3, 2, 1]);
    /// ```
    #[track_caller]
    pub fn swap_axes(&self, a: impl Integers, b: impl Integers) -> Array {
        let _called = called("swap_axes");
        let a = accept(one_axis(&a, self.rank()), &[self]);
        let b = accept(one_axis(&b, self.rank()), &[self]);
        let mut axes: Vec<usize> = (0..self.rank()).collect();
        axes.swap(a, b);
        self.permute(axes)
    }

    /// One axis moved to another place; the others keep their order. Negative ones count from the end.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[[1, 2, 3], [4, 5, 6]]]);
    /// assert_eq!(x.move_axis(0, -1).shape().as_slice(), [2, 3, 1]);
    /// ```
    #[track_caller]
    pub fn move_axis(&self, from: impl Integers, to: impl Integers) -> Array {
        let _called = called("move_axis");
        let from = accept(one_axis(&from, self.rank()), &[self]);
        let to = accept(one_axis(&to, self.rank()), &[self]);
        let mut axes: Vec<usize> = (0..self.rank()).filter(|&a| a != from).collect();
        axes.insert(to, from);
        self.permute(axes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refusals() {
        let x = Array::from([[1, 2], [3, 4]]);
        let message = door(|| x.permute([0, 0])).unwrap_err().message;
        assert!(message.contains("axis 0 stands twice"), "{message}");
        let message = door(|| x.permute(0)).unwrap_err().message;
        assert!(message.contains("does not name each axis of i32[2,2] once"), "{message}");
        assert!(door(|| x.swap_axes(0, 2)).unwrap_err().message.contains("axis 2 does not exist"));
        assert!(Permute::parse("permute", &Attributes(vec![("axes".into(), Attribute::Ints(vec![0, 2]))])).is_err());
    }

    #[test]
    fn a_permutation_and_its_inverse() {
        let x = Array::from([[[1, 2, 3], [4, 5, 6]]]);
        let p = Permute { axes: SmallVec::from_slice(&[2, 0, 1]) };
        assert_eq!(p.inverse().axes.as_slice(), [1, 2, 0]);
        assert_eq!(apply(p.inverse(), &[&apply(p, &[&x])]), x);
        assert_eq!(x.move_axis(0, 2).move_axis(2, 0), x);
    }
}
