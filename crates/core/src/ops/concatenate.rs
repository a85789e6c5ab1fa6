//! `concatenate`: arrays one after the other along an axis. And `stack`.

use super::axes::{Integers, one_axis};
use super::operands::{array_list, result, same_dtype};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{blank, copy};
use super::{Attributes, Definition, Sample, Slice};
use crate::array::Array;
use crate::array::promote::promote_types;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{ArrayType, Type};
use crate::value::Value;
use crate::refusal::{accept, refuse};
use crate::source::called;
use smallvec::SmallVec;
use std::borrow::Borrow;
use wengert_kernel::DType;

/// The operands one after the other along an axis; at least one.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[2], %1: f64[3]) {
///   %2: f64[5] = concatenate[axis=0] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Concatenate {
    /// The axis joined.
    pub axis: usize,
}

impl Primitive for Concatenate {
    fn name(&self) -> &'static str {
        "concatenate"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("axis", Attribute::Int(self.axis as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let all = array_list(args)?;
        let Some((first, rest)) = all.split_first() else {
            return Err(TypeError::new("there is no array to join"));
        };
        let axis = self.axis;
        if axis >= first.rank() {
            return Err(TypeError::new(format!("{first} has no axis {axis} to join; `expand_dims` makes one")));
        }
        let mut shape = first.shape.clone();
        for x in rest {
            same_dtype(first, x)?;
            joined(first, x, axis)?;
            let length = shape[axis].checked_add(x.shape[axis]);
            shape[axis] = length.ok_or_else(|| TypeError::new("the result is larger than memory can be"))?;
        }
        result(first.dtype, shape)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let first = args[0].array();
        let mut shape = first.shape.clone();
        shape[self.axis] = args.iter().map(|x| x.array().shape[self.axis]).sum();
        let mut y = blank(first.dtype(), &shape)?;
        let inner: usize = shape[self.axis + 1..].iter().product();
        let stride = shape[self.axis] * inner;
        let mut start = 0;
        for x in &args {
            let x = x.array();
            let run = x.shape[self.axis] * inner;
            // Element k stands in row k / run of its operand, and there at k % run.
            let to = (0..x.size()).map(|k| k / run * stride + start + k % run);
            copy(y.make_mut(), to, &x.buffer, 0..x.size());
            start += run;
        }
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &x.iter().collect::<Vec<_>>());
        if dx.iter().all(Option::is_none) {
            return (vec![y], vec![None]);
        }
        let tangent = |(x, dx): (&Array, &Option<Array>)| dx.clone().unwrap_or_else(|| super::zeros_any(&x.ty()));
        let all: Vec<Array> = x.iter().zip(dx).map(tangent).collect();
        let dy = apply(self.clone(), &all.iter().collect::<Vec<_>>());
        (vec![y], vec![Some(dy)])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let mut start: SmallVec<[usize; 4]> = SmallVec::from_elem(0, ct.rank());
        for (i, x) in x.iter().enumerate() {
            let sizes = x.ty().as_array().expect("an array was inferred").shape.clone();
            let next = start[self.axis] + sizes[self.axis];
            if into.wants(i) {
                let stride = SmallVec::from_elem(1, sizes.len());
                into.add(i, apply(Slice { start: start.clone(), sizes, stride }, &[ct]));
            }
            start[self.axis] = next;
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        super::rules::batch_all(Concatenate { axis: self.axis + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Concatenate { axis: self.axis }
    }
}

impl Definition for Concatenate {
    const NAMES: &'static [&'static str] = &["concatenate"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Concatenate { axis: attributes.size("axis")? })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, 0, &[&[3], &[2]]),
            sample(DType::F64, 0, &[&[2, 3], &[1, 3], &[4, 3]]),
            sample(DType::F64, 1, &[&[2, 3], &[2, 1]]),
            sample(DType::F64, 1, &[&[2, 1, 3], &[2, 2, 3]]),
            sample(DType::F64, 0, &[&[5]]),
            sample(DType::F64, 0, &[&[0], &[3], &[0]]),
            sample(DType::F64, 1, &[&[0, 2], &[0, 1]]),
            sample(DType::F32, 0, &[&[17], &[1], &[3]]),
            sample(DType::I64, 1, &[&[2, 2], &[2, 3]]),
            sample(DType::Bool, 0, &[&[2], &[1]]),
            sample(DType::F64, 2, &[&[2, 1, 0], &[2, 1, 3]]),
            sample(DType::U8, 0, &[&[1, 3], &[4, 3]]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            [
                sample(dtype, 0, &[&[n], &[3], &[n]]),
                sample(dtype, 1, &[&[2, n], &[2, 1]]),
                sample(dtype, 0, &[&[1, n], &[2, n]]),
            ]
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, axis: usize, shapes: &[&[usize]]) -> Sample {
    let args = shapes.iter().map(|shape| Sample::numbers(dtype, shape)).collect();
    let sample = Sample::new(Concatenate { axis }, args);
    let all: Vec<usize> = (0..shapes.len()).collect();
    if dtype == DType::F64 { sample.linear(&all) } else { sample }
}

/// That two shapes agree in every axis but the joined one.
fn joined(first: &ArrayType, x: &ArrayType, axis: usize) -> Result<(), TypeError> {
    if x.rank() == first.rank() && (0..x.rank()).all(|a| a == axis || x.shape[a] == first.shape[a]) {
        return Ok(());
    }
    Err(TypeError::new(format!(
        "{first} and {x} must agree in every axis but the joined axis {axis}; `reshape` one of them, or take a part of it"
    )))
}

/// Arrays one after the other along an axis, promoted to one dtype; a negative axis counts from the end.
///
/// # Panics
/// When there is none, or two differ in an axis that is not joined.
///
/// ```
/// # use wengert_core::{Array, ops::concatenate};
/// let (x, y) = (Array::from([[1.0, 2.0]]), Array::from([[3.0, 4.0]]));
/// assert_eq!(concatenate(&[&x, &y], 0), Array::from([[1.0, 2.0], [3.0, 4.0]]));
/// assert_eq!(concatenate(&[x, y], -1), Array::from([[1.0, 2.0, 3.0, 4.0]]));
/// ```
#[track_caller]
pub fn concatenate(arrays: &[impl Borrow<Array>], axis: impl Integers) -> Array {
    let _called = called("concatenate");
    let Some(first) = arrays.first() else { refuse("there is no array to join; check that the list is not empty", &[]) };
    let axis = accept(one_axis(&axis, first.borrow().rank()), &[first.borrow()]);
    for x in &arrays[1..] {
        let [first, x] = [first.borrow(), x.borrow()];
        accept(joined(&first.array_type(), &x.array_type(), axis), &[first, x]);
    }
    let arrays = promoted(arrays);
    apply(Concatenate { axis }, &arrays.iter().collect::<Vec<_>>())
}

/// Arrays of one shape side by side along a new axis, promoted to one dtype; a negative axis counts from the result's
/// end.
///
/// # Panics
/// When there is none, or two differ in shape.
///
/// ```
/// # use wengert_core::{Array, ops::stack};
/// let (x, y) = (Array::from([1, 2]), Array::from([3, 4]));
/// assert_eq!(stack(&[&x, &y], 0), Array::from([[1, 2], [3, 4]]));
/// assert_eq!(stack(&[x, y], -1), Array::from([[1, 3], [2, 4]]));
/// ```
#[track_caller]
pub fn stack(arrays: &[impl Borrow<Array>], axis: impl Integers) -> Array {
    let _called = called("stack");
    let Some(first) = arrays.first() else { refuse("there is no array to stack; check that the list is not empty", &[]) };
    let first: &Array = first.borrow();
    let axis = accept(one_axis(&axis, first.rank() + 1), &[first]);
    for x in &arrays[1..] {
        let x = x.borrow();
        if x.shape() != first.shape() {
            let (a, b) = (first.ty(), x.ty());
            refuse(format!("{a} and {b} differ in shape; `broadcast_to` or `reshape` makes them equal"), &[first, x]);
        }
    }
    let mut rows = promoted(arrays);
    for x in &mut rows {
        *x = x.expand_dims(axis);
    }
    apply(Concatenate { axis }, &rows.iter().collect::<Vec<_>>())
}

#[track_caller]
fn promoted(arrays: &[impl Borrow<Array>]) -> Vec<Array> {
    let dtype = arrays.iter().map(|x| x.borrow().dtype()).reduce(promote_types);
    let mut all = Vec::with_capacity(arrays.len());
    for x in arrays {
        all.push(x.borrow().convert(dtype.expect("there is an array")));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refusals() {
        let (x, y) = (Array::from([1.0, 2.0]), Array::from([[1.0]]));
        let message = door(|| concatenate(&[&x, &y], 0)).unwrap_err().message;
        assert!(message.contains("f64[2] and f64[1,1] must agree"), "{message}");
        assert!(door(|| concatenate(&[] as &[Array], 0)).unwrap_err().message.contains("no array to"));
        assert!(door(|| stack(&[] as &[Array], 0)).unwrap_err().message.contains("no array to stack"));
        let message = door(|| stack(&[&x, &y], 0)).unwrap_err().message;
        assert!(message.contains("f64[2] and f64[1,1] differ in shape"), "{message}");
        let scalar = Array::from(1.0);
        assert!(door(|| concatenate(&[&scalar], 0)).unwrap_err().message.contains("axis 0 does not exist in a scalar"));
        assert_eq!(stack(&[&scalar, &scalar], 0), Array::from([1.0, 1.0]));
    }

    #[test]
    fn dtypes_meet() {
        assert_eq!(concatenate(&[Array::from([1]), Array::from([0.5])], 0), Array::from([1.0, 0.5]));
    }
}
