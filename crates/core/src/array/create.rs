//! Making arrays: from Rust data, which is a value and never part of a program, and by recorded operations.

use super::Array;
use crate::error::{Error, ErrorKind, TypeError};
use crate::ops::{Integers, lengths, rules};
use crate::refusal::{accept, refuse};
use crate::source::{called, name_here, source_here};
use crate::types::{ArrayType, Shape};
use crate::value::{ArrayValue, Value};
use std::sync::Arc;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::{DType, Element, Scalar, ScalarOp, bf16, f16};

/// An array of the elements written out: `array![[1.0, 2.0], [3.0, 4.0]]`, nested as deeply as wanted.
///
/// The dtype is that of the elements. Rows of different lengths do not compile.
///
/// ```
/// use wengert_core::{DType, array};
///
/// let x = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
/// assert_eq!(x.shape().as_slice(), [2, 3]);
/// assert_eq!(array![1f32].dtype(), DType::F32);
/// ```
///
/// ```compile_fail
/// wengert_core::array![[1.0, 2.0], [3.0]];
/// ```
#[macro_export]
macro_rules! array {
    () => { $crate::Array::from([0f64; 0]) };
    ($($row:expr),+ $(,)?) => { $crate::Array::from([$($row),+]) };
}

/// Rust data that is an array: a number or `bool`, or an array, `Vec` or slice of such data.
///
/// ```
/// use wengert_core::Array;
///
/// assert_eq!(Array::from(vec![[1u8, 2], [3, 4]]).shape().as_slice(), [2, 2]);
/// ```
pub trait Nested: Sized {
    /// The type of the numbers.
    type Element: Element;

    /// Appends the axis lengths of such data; `example` is some of it, if there is any.
    #[doc(hidden)]
    fn push_shape(example: Option<&Self>, shape: &mut Shape);

    /// Appends the elements; panics when the data does not have this shape.
    #[doc(hidden)]
    fn push_elements(self, shape: &[usize], out: &mut Vec<Self::Element>);

    /// The elements of many such items.
    #[doc(hidden)]
    fn collect(items: Vec<Self>, shape: &[usize]) -> Buffer {
        let mut out = Vec::with_capacity(items.len() * shape.iter().product::<usize>());
        items.into_iter().for_each(|item| item.push_elements(shape, &mut out));
        Buffer::from_slice(&out)
    }

    /// The elements.
    #[doc(hidden)]
    fn buffer(self, shape: &[usize]) -> Buffer {
        Self::collect(vec![self], shape)
    }
}

macro_rules! scalars {
    ($($t:ty),*) => {$(
        impl Nested for $t {
            type Element = $t;

            fn push_shape(_: Option<&Self>, _: &mut Shape) {}

            fn push_elements(self, _: &[usize], out: &mut Vec<$t>) {
                out.push(self);
            }

            /// A long vector of numbers is not copied.
            fn collect(items: Vec<$t>, _: &[usize]) -> Buffer {
                const SHORT: usize = 4096;
                if items.len() <= SHORT { Buffer::from_slice(&items) } else { Buffer::from_vec(items) }
            }

            fn buffer(self, _: &[usize]) -> Buffer {
                Buffer::full(Scalar::new(self), 1)
            }
        }
    )*};
}

scalars!(bool, u8, i32, i64, u32, u64, f16, bf16, f32, f64);

impl<T: Nested, const N: usize> Nested for [T; N] {
    type Element = T::Element;

    fn push_shape(example: Option<&Self>, shape: &mut Shape) {
        shape.push(N);
        T::push_shape(example.and_then(|x| x.first()), shape);
    }

    fn push_elements(self, shape: &[usize], out: &mut Vec<T::Element>) {
        self.into_iter().for_each(|item| item.push_elements(&shape[1..], out));
    }
}

impl<T: Nested> Nested for Vec<T> {
    type Element = T::Element;

    fn push_shape(example: Option<&Self>, shape: &mut Shape) {
        shape.push(example.map_or(0, Vec::len));
        T::push_shape(example.and_then(|x| x.first()), shape);
    }

    #[track_caller]
    fn push_elements(self, shape: &[usize], out: &mut Vec<T::Element>) {
        not_ragged(self.len(), shape[0]);
        self.into_iter().for_each(|item| item.push_elements(&shape[1..], out));
    }

    fn buffer(self, shape: &[usize]) -> Buffer {
        T::collect(self, &shape[1..])
    }
}

impl<T: Nested + Clone> Nested for &[T] {
    type Element = T::Element;

    fn push_shape(example: Option<&Self>, shape: &mut Shape) {
        shape.push(example.map_or(0, |x| x.len()));
        T::push_shape(example.and_then(|x| x.first()), shape);
    }

    #[track_caller]
    fn push_elements(self, shape: &[usize], out: &mut Vec<T::Element>) {
        not_ragged(self.len(), shape[0]);
        self.iter().for_each(|item| item.clone().push_elements(&shape[1..], out));
    }
}

#[track_caller]
fn not_ragged(length: usize, expected: usize) {
    assert!(length == expected, "an array has rows of one length, this data has rows of {expected} and of {length}");
}

/// ```
/// use wengert_core::Array;
///
/// assert_eq!(Array::from(2.0).shape().len(), 0);
/// assert_eq!(Array::from([[1, 2, 3], [4, 5, 6]]).shape().as_slice(), [2, 3]);
/// assert_eq!(Array::from(vec![1f32; 10]).size(), 10);
/// ```
///
/// # Panics
/// When vectors inside vectors differ in length.
impl<T: Nested> From<T> for Array {
    #[track_caller]
    fn from(data: T) -> Array {
        let mut shape = Shape::new();
        T::push_shape(Some(&data), &mut shape);
        Array::from_buffer(shape.clone(), data.buffer(&shape))
    }
}

impl Array {
    /// An array of this shape from its elements in row-major order, without copying them.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// let x = Array::from_shape_vec((2, 2), vec![1, 2, 3, 4])?;
    /// assert_eq!(x, array![[1, 2], [3, 4]]);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the number of elements is not the product of the shape.
    #[track_caller]
    pub fn from_shape_vec<T: Element>(shape: impl Integers, data: Vec<T>) -> Result<Array, Error> {
        let _called = called("from_shape_vec");
        let shape = checked_shape(T::DTYPE, &shape, data.len())?;
        Ok(Array::from_buffer(shape, Buffer::from_vec(data)))
    }

    /// An array of this shape with a copy of its elements, in row-major order.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(Array::from_slice(&[2, 1], &[1.0, 2.0]), array![[1.0], [2.0]]);
    /// ```
    ///
    /// # Panics
    /// When the number of elements is not the product of the shape; [`Array::from_shape_vec`] returns an error.
    #[track_caller]
    pub fn from_slice<T: Element>(shape: &[usize], data: &[T]) -> Array {
        let _called = called("from_slice");
        match checked_shape(T::DTYPE, &shape, data.len()) {
            Ok(shape) => Array::from_buffer(shape, Buffer::from_slice(data)),
            Err(error) => error.raise(),
        }
    }

    fn from_buffer(shape: Shape, buffer: Buffer) -> Array {
        Array::from_value(Value::Array(ArrayValue { shape, buffer: Arc::new(buffer) }))
    }
}

#[track_caller]
fn checked_shape(dtype: DType, shape: &impl Integers, elements: usize) -> Result<Shape, Error> {
    let name = name_here().unwrap_or("Array");
    let error = |TypeError(e)| Error::new(ErrorKind::Convert, format!("{name}: {e}")).at(source_here());
    let ty = ArrayType { dtype, shape: lengths(shape).map_err(error)? };
    ty.check_size().map_err(error)?;
    match ty.size() {
        size if size == elements => Ok(ty.shape),
        size => Err(error(TypeError::new(format!(
            "an array {ty} has {size} elements, {elements} are given; give a shape whose lengths have the product {elements}"
        )))),
    }
}

/// Zeros, `f64`; of another dtype by [`zeros_of`].
///
/// ```
/// use wengert_core::{array, array::zeros};
///
/// assert_eq!(zeros((2, 2)), array![[0.0, 0.0], [0.0, 0.0]]);
/// ```
///
/// # Panics
/// When memory could never hold as many.
#[track_caller]
pub fn zeros(shape: impl Integers) -> Array {
    let _called = called("zeros");
    zeros_of(DType::F64, shape)
}

/// Zeros of a dtype; `false` for `bool`.
///
/// ```
/// use wengert_core::{DType, array::zeros_of};
///
/// assert_eq!(zeros_of(DType::I32, 2), wengert_core::array![0, 0]);
/// ```
#[track_caller]
pub fn zeros_of(dtype: DType, shape: impl Integers) -> Array {
    let _called = called("zeros_of");
    full(shape, Scalar::zero(dtype))
}

/// Ones, `f64`; of another dtype by [`ones_of`].
///
/// ```
/// assert_eq!(wengert_core::array::ones(2), wengert_core::array![1.0, 1.0]);
/// ```
#[track_caller]
pub fn ones(shape: impl Integers) -> Array {
    let _called = called("ones");
    ones_of(DType::F64, shape)
}

/// Ones of a dtype; `true` for `bool`.
///
/// ```
/// use wengert_core::{DType, array::ones_of};
///
/// assert_eq!(ones_of(DType::Bool, 2), wengert_core::array![true, true]);
/// ```
#[track_caller]
pub fn ones_of(dtype: DType, shape: impl Integers) -> Array {
    let _called = called("ones_of");
    full(shape, Scalar::one(dtype))
}

/// Every element the same number, whose type is the dtype. Recorded as a literal: another number is another program.
///
/// ```
/// use wengert_core::{DType, array::full};
///
/// let x = full([2], 0.5f32);
/// assert_eq!(x, wengert_core::array![0.5f32, 0.5]);
/// ```
#[track_caller]
pub fn full(shape: impl Integers, value: impl Into<Scalar>) -> Array {
    let _called = called("full");
    let value = value.into();
    let ty = ArrayType { dtype: value.dtype, shape: accept(lengths(&shape), &[]) };
    accept(ty.check_size(), &[]);
    rules::constant(value, &ty.shape)
}

/// Zeros of the shape and dtype of `x`.
///
/// ```
/// use wengert_core::{array, array::zeros_like};
///
/// assert_eq!(zeros_like(&array![1, 2]), array![0, 0]);
/// ```
#[track_caller]
pub fn zeros_like(x: &Array) -> Array {
    let _called = called("zeros_like");
    full(x.shape(), Scalar::zero(x.dtype()))
}

/// Ones of the shape and dtype of `x`.
///
/// ```
/// use wengert_core::{array, array::ones_like};
///
/// assert_eq!(ones_like(&array![1, 2]), array![1, 1]);
/// ```
#[track_caller]
pub fn ones_like(x: &Array) -> Array {
    let _called = called("ones_like");
    full(x.shape(), Scalar::one(x.dtype()))
}

/// Every element this number, converted to the dtype of `x`, in the shape of `x`.
///
/// ```
/// use wengert_core::{array, array::full_like};
///
/// assert_eq!(full_like(&array![1f32, 2.0], 0.5), array![0.5f32, 0.5]);
/// ```
#[track_caller]
pub fn full_like(x: &Array, value: impl Into<Scalar>) -> Array {
    let _called = called("full_like");
    full(x.shape(), super::promote::number(value.into(), x.dtype()))
}

/// The identity matrix of `n` rows, `f64`; of another dtype by [`Array::convert`].
///
/// ```
/// use wengert_core::{array, array::eye};
///
/// assert_eq!(eye(2), array![[1.0, 0.0], [0.0, 1.0]]);
/// ```
#[track_caller]
pub fn eye(n: usize) -> Array {
    let _called = called("eye");
    let rows = Array::iota(DType::I64, &[n, n], 0);
    let columns = Array::iota(DType::I64, &[n, n], 1);
    rows.eq(&columns).convert(DType::F64)
}

/// `start, start + step, ...` up to but without `stop`, in the dtype of the numbers.
///
/// Element `i` is `start + i * step`. Of floats the number of elements is `(stop - start) / step` rounded up, so that
/// rounding may add one; [`linspace`] has a given number.
///
/// ```
/// use wengert_core::{array, array::arange};
///
/// assert_eq!(arange(0, 10, 4), array![0, 4, 8]);
/// assert_eq!(arange(1.0, 0.0, -0.5), array![1.0, 0.5]);
/// assert_eq!(arange(0, -1, 1).size(), 0);
/// ```
///
/// # Panics
/// When `step` is 0, a number is not finite, or memory could never hold as many.
#[track_caller]
pub fn arange<T: Element>(start: T, stop: T, step: T) -> Array {
    let _called = called("arange");
    let [start, stop, step] = [start, stop, step].map(Scalar::new);
    let Some(n) = steps(start, stop, step) else {
        refuse(
            format!(
                "there is no range from {start} to {stop} in steps of {step}; give finite numbers and a step other than 0"
            ),
            &[],
        )
    };
    let count = Array::iota(T::DTYPE, &[n], 0);
    rules::literal(start) + count * rules::literal(step)
}

/// The number of steps from `start` to `stop`.
fn steps(start: Scalar, stop: Scalar, step: Scalar) -> Option<usize> {
    if start.dtype.is_float() {
        let [start, stop, step] = [start, stop, step].map(to_f64);
        let n = ((stop - start) / step).ceil();
        let finite = start.is_finite() && stop.is_finite() && step.is_finite();
        return (finite && step != 0.0 && n < isize::MAX as f64).then_some(n.max(0.0) as usize);
    }
    let [start, stop, step] = [start, stop, step].map(to_integer);
    let (distance, step) = if step < 0 { (start - stop, -step) } else { (stop - start, step) };
    if step == 0 {
        return None;
    }
    usize::try_from((distance.max(0) + step - 1) / step).ok()
}

/// `n` numbers spread evenly from `start` to `stop`, both included, in the dtype of the numbers.
///
/// ```
/// use wengert_core::{array, array::linspace};
///
/// assert_eq!(linspace(0.0, 1.0, 5), array![0.0, 0.25, 0.5, 0.75, 1.0]);
/// assert_eq!(linspace(2f32, 3.0, 1), array![2f32]);
/// ```
///
/// # Panics
/// When the numbers are not floats.
#[track_caller]
pub fn linspace<T: Element>(start: T, stop: T, n: usize) -> Array {
    let _called = called("linspace");
    let [start, stop] = [start, stop].map(Scalar::new);
    let dtype = start.dtype;
    if !dtype.is_float() {
        refuse(format!("it takes floats, not {dtype}; write `{start}.0`"), &[])
    }
    let count = Array::iota(dtype, &[n], 0);
    let last = n.saturating_sub(1);
    let (a, b, intervals) = (to_f64(start), to_f64(stop), last.max(1) as f64);
    let distance = (b - a) / intervals;
    // A distance that overflows is made of two that do not.
    let step = if distance.is_finite() { distance } else { b / intervals - a / intervals };
    let step = ScalarOp::Convert(dtype).eval(&[Scalar::new(step)]);
    let y = rules::literal(start) + &count * rules::literal(step);
    if last == 0 { y } else { count.eq(last as f64).select(rules::literal(stop), y) }
}

fn to_f64(x: Scalar) -> f64 {
    f64::from_bits(ScalarOp::Convert(DType::F64).eval(&[x]).bits)
}

fn to_integer(x: Scalar) -> i128 {
    if x.dtype.is_signed() {
        i128::from(ScalarOp::Convert(DType::I64).eval(&[x]).bits as i64)
    } else {
        i128::from(x.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn data_of_every_nesting() {
        assert_eq!(array![[[1u8, 2]], [[3, 4]]].shape().as_slice(), [2, 1, 2]);
        assert_eq!(Array::from(vec![vec![1, 2], vec![3, 4]]), array![[1, 2], [3, 4]]);
        assert_eq!(Array::from(&[1.0, 2.0][..]), array![1.0, 2.0]);
        assert_eq!(Array::from(vec![[true, false]]), array![[true, false]]);
        assert_eq!(Array::from([&[1u64][..], &[2]]), array![[1u64], [2]]);
        assert_eq!(array![].shape().as_slice(), [0]);
        assert_eq!(Array::from(Vec::<[f32; 3]>::new()).array_type(), ArrayType::new(DType::F32, &[0, 3]));
        assert_eq!(Array::from([[0i64; 3]; 0]).array_type(), ArrayType::new(DType::I64, &[0, 3]));
        assert_eq!(Array::from(vec![1.0; 10_000]).to_vec::<f64>().unwrap(), vec![1.0; 10_000]);
    }

    #[test]
    #[should_panic(expected = "rows of 2 and of 1")]
    fn ragged_data_is_refused() {
        let _ = Array::from(vec![vec![1, 2], vec![3]]);
    }

    #[test]
    fn a_shape_must_fit_its_data() {
        let message = |shape: &[i64]| Array::from_shape_vec(shape, vec![1.0; 6]).unwrap_err().message;
        assert!(message(&[4]).starts_with("from_shape_vec: an array f64[4] has 4 elements, 6 are given"));
        assert!(message(&[-1, 6]).starts_with("from_shape_vec: a length in [-1, 6] is negative"));
        assert!(message(&[1 << 40, 1 << 40]).contains("larger than memory"));
        assert!(message(&[1 << 40, 1 << 40, 0]).contains("larger than memory"));
        assert!(Array::from_shape_vec((0, 1usize << 62), Vec::<f64>::new()).is_ok());
        assert!(Array::from_shape_vec((), vec![1.0]).is_ok());
    }

    #[test]
    fn a_size_is_checked_before_memory_is_asked_for() {
        let error = door(|| zeros((1usize << 40, 1usize << 40))).unwrap_err();
        assert!(error.message.contains("f64[1099511627776,1099511627776]"), "{error}");
    }

    #[test]
    fn ranges() {
        assert_eq!(arange(5, 0, -2), array![5, 3, 1]);
        assert_eq!(arange(0.0, 1.0, 0.25), array![0.0, 0.25, 0.5, 0.75]);
        assert_eq!(arange(0.5f32, -1.0, -1.0), array![0.5f32, -0.5]);
        assert_eq!(arange(3u8, 3, 1).size(), 0);
        assert_eq!(arange(u64::MAX - 1, u64::MAX, 1), array![u64::MAX - 1]);
        assert_eq!(arange(i64::MIN, i64::MAX, i64::MAX), array![i64::MIN, -1, i64::MAX - 1]);
        for error in [
            door(|| arange(0, 1, 0)),
            door(|| arange(0.0, 1.0, 0.0)),
            door(|| arange(0.0, f64::NAN, 1.0)),
            door(|| arange(0.0, f64::INFINITY, 1.0)),
            door(|| arange(-1e300, 1e300, 1e-300)),
        ] {
            assert!(error.unwrap_err().message.starts_with("arange: there is no range"));
        }
    }

    #[test]
    fn evenly_spread() {
        assert_eq!(linspace(1.0, 2.0, 0).size(), 0);
        assert_eq!(linspace(1.0, 2.0, 1), array![1.0]);
        assert_eq!(linspace(3.0, 1.0, 3), array![3.0, 2.0, 1.0]);
        let last = linspace(0.0, 0.1, 8).to_vec::<f64>().unwrap()[7];
        assert_eq!(last, 0.1, "the end is exact");
        assert_eq!(linspace(-f64::MAX, f64::MAX, 3), array![-f64::MAX, 0.0, f64::MAX]);
        assert!(door(|| linspace(0, 1, 2)).is_err());
    }

    #[test]
    fn filled() {
        assert_eq!(full((), 2.5), Array::from(2.5));
        assert_eq!(full((2, 0), 1).shape().as_slice(), [2, 0]);
        assert_eq!(ones_of(DType::F32, [1, 2]), array![[1f32, 1.0]]);
        assert_eq!(zeros_of(DType::Bool, 1), array![false]);
        assert_eq!(full_like(&array![1, 2], 2.9), array![2, 2]);
        assert_eq!(eye(0).shape().as_slice(), [0, 0]);
        assert!(door(|| zeros(-1)).is_err());
    }
}
