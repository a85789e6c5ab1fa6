//! `reshape`: the elements in row-major order under another shape.

use super::axes::{Integers, distinct_axes};
use super::operands::{arrays, result};
use super::samples::ONE_OF_EACH_SIZE;
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{ArrayType, Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::DType;

/// The elements in row-major order under another shape of as many.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[2,3]) {
///   %1: f64[6] = reshape[shape=[6]] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reshape {
    /// The result's axis lengths.
    pub shape: Shape,
}

impl Primitive for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("shape", Attribute::sizes(&self.shape))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        let y = result(x.dtype, self.shape.clone())?;
        let wanted: usize = self.shape.iter().product();
        if x.size() == wanted {
            return Ok(y);
        }
        Err(TypeError::new(format!("{x} has {} elements, shape {:?} has {wanted}", x.size(), self.shape)))
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let [x] = <[Value; 1]>::try_from(args).expect("one operand");
        Ok(vec![ArrayValue { shape: self.shape.clone(), buffer: x.into_array().buffer }.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let shape = x[0].ty().as_array().expect("an array was inferred").shape.clone();
        into.add(0, apply(Reshape { shape }, &[ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let mut shape = self.shape.clone();
        shape.insert(0, size);
        vec![Batched::mapped(apply(Reshape { shape }, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Reshape
    }

    fn cheap(&self) -> bool {
        true
    }
}

impl Definition for Reshape {
    const NAMES: &'static [&'static str] = &["reshape"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Reshape { shape: attributes.sizes("shape")?.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, &[2, 3], &[3, 2]),
            sample(DType::F64, &[6], &[1, 2, 3]),
            sample(DType::F64, &[2, 3, 5], &[6, 5]),
            sample(DType::F64, &[15], &[3, 5]),
            sample(DType::F64, &[], &[1, 1]),
            sample(DType::F64, &[1], &[]),
            sample(DType::F64, &[0, 3], &[5, 0]),
            sample(DType::F32, &[3, 4], &[2, 6]),
            sample(DType::I64, &[4], &[2, 2]),
            sample(DType::Bool, &[2, 2], &[4]),
            sample(DType::F64, &[2, 0], &[0]),
            sample(DType::U8, &[3, 3], &[9, 1]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| [sample(dtype, &[2, n], &[n, 2]), sample(dtype, &[3 * n], &[3, n])];
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, from: &[usize], to: &[usize]) -> Sample {
    let sample = Sample::new(Reshape { shape: to.into() }, vec![Sample::numbers(dtype, from)]);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Array {
    /// The elements in row-major order under another shape. One length may be -1: it is found from the others.
    ///
    /// # Panics
    /// When the number of elements differs, or a -1 stands twice or is ambiguous because the others give 0 elements.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([1, 2, 3, 4, 5, 6]);
    /// assert_eq!(x.reshape([2, 3]), Array::from([[1, 2, 3], [4, 5, 6]]));
    /// assert_eq!(x.reshape((3, -1)).shape().as_slice(), [3, 2]);
    /// ```
    #[track_caller]
    pub fn reshape(&self, shape: impl Integers) -> Array {
        let _called = called("reshape");
        let shape = accept(resolved(&self.array_type(), &shape.integers()), &[self]);
        self.with_shape(&shape)
    }

    /// The elements in row-major order as an array of rank 1.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1, 2], [3, 4]]).flatten(), Array::from([1, 2, 3, 4]));
    /// ```
    #[track_caller]
    pub fn flatten(&self) -> Array {
        let _called = called("flatten");
        self.with_shape(&[self.size()])
    }

    /// Inserts axes of length 1, where they stand in the result; negative ones count from its end.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([1.0, 2.0, 3.0]);
    /// assert_eq!(x.expand_dims(0).shape().as_slice(), [1, 3]);
    /// assert_eq!(x.expand_dims(-1).shape().as_slice(), [3, 1]);
    /// assert_eq!(x.expand_dims([0, 2]).shape().as_slice(), [1, 3, 1]);
    /// ```
    #[track_caller]
    pub fn expand_dims(&self, axes: impl Integers) -> Array {
        let _called = called("expand_dims");
        let own = self.shape();
        let rank = own.len() + axes.integers().len();
        let new = accept(distinct_axes(&axes, rank), &[self]);
        let mut old = own.iter();
        let length = |a| if new.contains(&a) { 1 } else { *old.next().expect("as many axes as it had") };
        let shape: Shape = (0..rank).map(length).collect();
        self.with_shape(&shape)
    }

    /// Removes axes of length 1.
    ///
    /// # Panics
    /// When one of them has another length.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[[1.0], [2.0]]]);
    /// assert_eq!(x.squeeze(-1).shape().as_slice(), [1, 2]);
    /// assert_eq!(x.squeeze([0, 2]).shape().as_slice(), [2]);
    /// ```
    #[track_caller]
    pub fn squeeze(&self, axes: impl Integers) -> Array {
        let _called = called("squeeze");
        let own = self.shape();
        let axes = accept(distinct_axes(&axes, own.len()), &[self]);
        let longer = axes.iter().find(|&&a| own[a] != 1);
        let refusal = longer.map(|&a| TypeError::new(format!("axis {a} has length {}, not 1, and cannot go; take a part of it by `at` or `slice`, or combine it by `sum_axis`", own[a])));
        accept(refusal.map_or(Ok(()), Err), &[self]);
        let kept: Shape = (0..own.len()).filter(|a| !axes.contains(a)).map(|a| own[a]).collect();
        self.with_shape(&kept)
    }

    /// The same elements under a shape of as many; the array itself when it has that shape.
    #[track_caller]
    pub(crate) fn with_shape(&self, shape: &[usize]) -> Array {
        if self.shape()[..] == *shape { self.clone() } else { apply(Reshape { shape: shape.into() }, &[self]) }
    }
}

/// The shape with its -1 replaced by a length.
fn resolved(x: &ArrayType, shape: &[i64]) -> Result<Shape, TypeError> {
    let unknown = shape.iter().filter(|&&n| n == -1).count();
    if unknown > 1 || shape.iter().any(|&n| n < -1) {
        return Err(TypeError::new(format!("in shape {shape:?} one length may be -1, which is then found from the others, and none may be less")));
    }
    let known = shape.iter().filter(|&&n| n != -1).try_fold(1usize, |size, &n| size.checked_mul(n as usize));
    let known = known.ok_or_else(|| TypeError::new(format!("shape {shape:?} is larger than memory can be; check its lengths")))?;
    let size = x.size();
    let missing = if unknown == 0 { 1 } else { size.checked_div(known).unwrap_or(0) };
    if unknown == 1 && known == 0 {
        return Err(TypeError::new(format!(
            "the -1 in shape {shape:?} is ambiguous, as the other lengths give 0 elements; write the length instead"
        )));
    }
    if known * missing != size {
        return Err(TypeError::new(format!("{x} has {size} elements, which shape {shape:?} does not hold; choose lengths whose product is {size}, of which one may be written -1")));
    }
    Ok(shape.iter().map(|&n| if n == -1 { missing } else { n as usize }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refusals() {
        let x = Array::from([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let error = |shape: [i64; 2]| door(|| x.reshape(shape)).unwrap_err().message;
        assert!(error([4, 2]).contains("f64[6] has 6 elements, which shape [4, 2] does not hold"), "{}", error([4, 2]));
        assert!(error([4, -1]).contains("does not hold"));
        assert!(error([-1, -1]).contains("one length may be -1"));
        assert!(error([-2, 3]).contains("none may be less"));
        assert!(error([i64::MAX, 3]).contains("larger than memory"));
        let empty = x.slice(0..0);
        let ambiguous = door(|| empty.reshape([0, -1])).unwrap_err().message;
        assert!(ambiguous.contains("ambiguous"), "{ambiguous}");
        assert_eq!(empty.reshape([3, -1]).shape().as_slice(), [3, 0]);
        let squeezed = door(|| x.squeeze(0)).unwrap_err().message;
        assert!(squeezed.contains("axis 0 has length 6, not 1"), "{squeezed}");
    }

    #[test]
    fn scalars() {
        let x = Array::from([[2.5]]);
        assert_eq!(x.reshape(()), Array::from(2.5));
        assert_eq!(Array::from(2.5).reshape(-1), Array::from([2.5]));
        assert_eq!(Array::from(2.5).expand_dims([0, -1]), x);
    }
}
