//! `windows`: an axis as the windows that slide along it, of which convolutions and pooling are made.

use super::operands::{arrays, result};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{blank, copy};
use super::{Attributes, Definition, Integers, Sample, SliceAdd, one_axis, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::refusal::accept;
use crate::source::called;
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::Value;
use wengert_kernel::DType;

/// `[.., n, ..]` to `[.., count, size, ..]`: `y[.., i, k, ..] = x[.., stride i + dilation k, ..]`, for as many windows as fit.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7]) {
///   %1: f64[3,2] = windows[axis=0, size=2, stride=2, dilation=1] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Windows {
    /// The axis they slide along.
    pub axis: usize,
    /// Elements of a window.
    pub size: usize,
    /// How far one window begins after the one before.
    pub stride: usize,
    /// How far apart the elements of a window are.
    pub dilation: usize,
}

impl Windows {
    /// How many fit into an axis of length `n`.
    fn count(&self, n: usize) -> Option<usize> {
        let extent = (self.size.checked_sub(1)?).checked_mul(self.dilation)?.checked_add(1)?;
        Some(n.checked_sub(extent).map_or(0, |rest| rest / self.stride + 1))
    }

    fn shape(&self, x: &[usize]) -> Option<Shape> {
        let mut shape = Shape::from(x);
        shape[self.axis] = self.count(x[self.axis])?;
        shape.insert(self.axis + 1, self.size);
        Some(shape)
    }
}

impl Primitive for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        [("axis", self.axis), ("size", self.size), ("stride", self.stride), ("dilation", self.dilation)]
            .map(|(name, n)| (name, Attribute::Int(n as i64)))
            .to_vec()
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        if self.axis >= x.rank() {
            return Err(TypeError::new(format!("{x} has no axis {}", self.axis)));
        }
        if self.size == 0 || self.stride == 0 || self.dilation == 0 {
            return Err(TypeError::new("the size, stride and dilation of windows are 1 or more"));
        }
        let shape = self.shape(&x.shape).ok_or_else(|| TypeError::new("windows are larger than memory can be"))?;
        result(x.dtype, shape)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let shape = self.shape(&x.shape).expect("infer has judged");
        let mut y = blank(x.dtype(), &shape)?;
        let inner: usize = x.shape[self.axis + 1..].iter().product();
        let outer: usize = x.shape[..self.axis].iter().product();
        let (n, count) = (x.shape[self.axis], shape[self.axis]);
        let run = |o: usize, i: usize, k: usize| (o * n + i * self.stride + k * self.dilation) * inner;
        let from = (0..outer).flat_map(|o| (0..count).flat_map(move |i| (0..self.size).map(move |k| run(o, i, k))));
        copy(y.make_mut(), 0.., &x.buffer, from.flat_map(|at| at..at + inner));
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let mut sum = into.take(0).unwrap_or_else(|| super::zeros_any(&x[0].ty()));
        let (rank, count) = (sum.rank(), ct.shape()[self.axis]);
        // Windows overlap, but the elements of one window do not, nor the same element of all: the fewer additions.
        let add = |sum: Array, part: Array, start: usize, step: usize| {
            let mut op = SliceAdd { start: Default::default(), stride: Default::default() };
            op.start.resize(rank, 0);
            op.stride.resize(rank, 1);
            (op.start[self.axis], op.stride[self.axis]) = (start, step);
            apply(op, &[&sum, &part])
        };
        if self.size <= count {
            for k in 0..self.size {
                let part = ct.slice_axis(self.axis + 1, k);
                sum = add(sum, part, k * self.dilation, self.stride);
            }
        } else {
            for i in 0..count {
                sum = add(sum, ct.slice_axis(self.axis, i), i * self.stride, self.dilation);
            }
        }
        into.add(0, sum);
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Windows { axis: self.axis + 1, ..self.clone() }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Windows { axis: self.axis, stride: self.stride, dilation: self.dilation }
    }
}

impl Definition for Windows {
    const NAMES: &'static [&'static str] = &["windows"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Windows {
            axis: attributes.size("axis")?,
            size: attributes.size("size")?,
            stride: attributes.size("stride")?,
            dilation: attributes.size("dilation")?,
        })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, &[7], 0, [3, 1, 1]),
            sample(DType::F64, &[7], 0, [3, 2, 1]),
            sample(DType::F64, &[8], 0, [3, 2, 2]),
            sample(DType::F64, &[7], 0, [2, 3, 5]),
            sample(DType::F64, &[7], 0, [7, 1, 1]),
            sample(DType::F64, &[7], 0, [6, 1, 1]),
            sample(DType::F64, &[7], 0, [8, 1, 1]),
            sample(DType::F64, &[7], 0, [1, 1, 1]),
            sample(DType::F64, &[3, 5, 2], 1, [2, 2, 1]),
            sample(DType::F64, &[2, 6], 1, [2, 1, 3]),
            sample(DType::F64, &[0, 5], 1, [2, 1, 1]),
            sample(DType::F64, &[0], 0, [1, 1, 1]),
            sample(DType::F32, &[5, 17], 0, [2, 1, 1]),
            sample(DType::I64, &[9], 0, [4, 3, 1]),
            sample(DType::Bool, &[5], 0, [2, 1, 2]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            let along = [sample(dtype, &[n], 0, [3, 1, 1]), sample(dtype, &[n + 4], 0, [n + 1, 2, 1])];
            along.into_iter().chain([sample(dtype, &[5, n], 0, [2, 1, 2]), sample(dtype, &[2, n], 1, [2, 3, 1])])
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, x: &[usize], axis: usize, [size, stride, dilation]: [usize; 3]) -> Sample {
    let sample = Sample::new(Windows { axis, size, stride, dilation }, vec![Sample::numbers(dtype, x)]);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Array {
    /// The windows of `size` elements that slide along an axis by `stride`: that axis becomes their number, and one of
    /// length `size` follows it. Windows that do not fit are not there.
    ///
    /// # Panics
    /// When `size` or `stride` is 0, or the axis does not exist.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([1, 2, 3, 4, 5]);
    /// assert_eq!(x.windows(3, 1, 0), Array::from([[1, 2, 3], [2, 3, 4], [3, 4, 5]]));
    /// assert_eq!(x.windows(2, 3, 0), Array::from([[1, 2], [4, 5]]));
    /// ```
    #[track_caller]
    pub fn windows(&self, size: usize, stride: usize, axis: impl Integers) -> Array {
        let _called = called("windows");
        let axis = accept(one_axis(&axis, self.rank()), &[self]);
        apply(Windows { axis, size, stride, dilation: 1 }, &[self])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refusals() {
        let x = Array::from([1.0, 2.0]);
        assert!(door(|| x.windows(0, 1, 0)).unwrap_err().message.contains("are 1 or more"));
        assert!(door(|| x.windows(1, 1, 1)).unwrap_err().message.contains("axis 1 does not exist"));
        assert_eq!(x.windows(3, 1, 0).shape().as_slice(), [0, 3]);
        let op = Windows { axis: 0, size: usize::MAX, stride: 1, dilation: 3 };
        assert!(op.infer(&[Type::array(DType::F64, &[2])]).unwrap_err().0.contains("larger than memory"));
    }
}
