//! Concrete values: what the interpreter computes with and what compiled code reads and writes.

use crate::types::{ArrayType, Shape, Type};
use std::sync::Arc;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::{DType, Element, Scalar};

/// An array in memory, row-major and dense. A clone shares the buffer.
///
/// ```
/// use wengert_core::value::ArrayValue;
///
/// let x = ArrayValue::new(&[2, 2], vec![1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(x.ty().to_string(), "f64[2,2]");
/// ```
#[derive(Debug)]
pub struct ArrayValue {
    /// Axis lengths.
    pub shape: Shape,
    /// The elements; its length is the product of the shape.
    pub buffer: Arc<Buffer>,
}

/// The rows of a list.
///
/// ```
/// use wengert_core::value::{Value};
///
/// use wengert_core::{DType, Type};
///
/// let Value::List(list) = Value::zeros(&Type::list(Type::scalar(DType::F64), Some(3))) else { unreachable!() };
/// assert_eq!(list.rows.len(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct ListValue {
    /// The type of each row.
    pub element: Type,
    /// The length, when the type says it.
    pub length: Option<usize>,
    /// The rows.
    pub rows: Vec<Value>,
}

/// A concrete value of a program's variable.
///
/// ```
/// assert_eq!(wengert_core::value::Value::scalar(1.5).ty().to_string(), "f64[]");
/// ```
#[derive(Clone, Debug)]
pub enum Value {
    /// An array.
    Array(ArrayValue),
    /// A list.
    List(Arc<ListValue>),
}

impl ArrayValue {
    /// From elements in row-major order; their number must be the product of the shape.
    ///
    /// # Panics
    /// When the number of elements is another.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::ArrayValue::new(&[2], vec![1, 2]).slice::<i32>(), [1, 2]);
    /// ```
    pub fn new<T: Element>(shape: &[usize], data: Vec<T>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        ArrayValue { shape: shape.into(), buffer: Arc::new(Buffer::from_vec(data)) }
    }

    /// From a buffer of as many elements as the shape has.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wengert_core::value::ArrayValue;
    /// use wengert_kernel::Buffer;
    ///
    /// let x = ArrayValue::in_buffer(&[2], Arc::new(Buffer::from_vec(vec![1.0, 2.0])));
    /// assert_eq!(x.slice::<f64>(), [1.0, 2.0]);
    /// ```
    #[inline]
    pub fn in_buffer(shape: &[usize], buffer: Arc<Buffer>) -> Self {
        // Of all ways to make a shape this one copies without a loop.
        ArrayValue { shape: Shape::from_slice(shape), buffer }
    }

    /// All elements equal.
    ///
    /// ```
    /// use wengert_core::{Scalar, value::ArrayValue};
    ///
    /// assert_eq!(ArrayValue::full(&[3], Scalar::new(2.0)).slice::<f64>(), [2.0, 2.0, 2.0]);
    /// ```
    pub fn full(shape: &[usize], value: Scalar) -> Self {
        let n = shape.iter().product();
        ArrayValue { shape: shape.into(), buffer: Arc::new(Buffer::full(value, n)) }
    }

    /// A scalar.
    ///
    /// ```
    /// use wengert_core::{Scalar, value::ArrayValue};
    ///
    /// assert_eq!(ArrayValue::scalar(Scalar::new(2)).ty().to_string(), "i32[]");
    /// ```
    pub fn scalar(value: Scalar) -> Self {
        ArrayValue::full(&[], value)
    }

    /// Element type.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::ArrayValue::new(&[1], vec![1u8]).dtype(), wengert_core::DType::U8);
    /// ```
    #[inline]
    pub fn dtype(&self) -> DType {
        self.buffer.dtype()
    }

    /// Dtype and shape.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::ArrayValue::new(&[1], vec![1u8]).ty().to_string(), "u8[1]");
    /// ```
    pub fn ty(&self) -> ArrayType {
        ArrayType { dtype: self.dtype(), shape: Shape::from_slice(&self.shape) }
    }

    /// Number of elements.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::ArrayValue::new(&[1, 2], vec![1, 2]).size(), 2);
    /// ```
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// The elements; panics when the dtype is another (an internal error: `infer` has judged before).
    ///
    /// ```
    /// assert_eq!(wengert_core::value::ArrayValue::new(&[2], vec![1.5, 2.5]).slice::<f64>(), [1.5, 2.5]);
    /// ```
    pub fn slice<T: Element>(&self) -> &[T] {
        self.buffer.as_slice::<T>().expect("the dtype was inferred")
    }

    /// The element at a row-major position.
    ///
    /// ```
    /// use wengert_core::{Scalar, value::ArrayValue};
    ///
    /// assert_eq!(ArrayValue::new(&[2], vec![1.5, 2.5]).get(1), Scalar::new(2.5));
    /// ```
    pub fn get(&self, i: usize) -> Scalar {
        self.buffer.get(i)
    }

    /// The elements for writing, in place when nobody else shares them, else in a copy made here.
    ///
    /// ```
    /// use wengert_core::{Scalar, value::ArrayValue};
    ///
    /// let mut x = ArrayValue::new(&[2], vec![1.5, 2.5]);
    /// let y = x.clone();
    /// x.make_mut().set(0, Scalar::new(9.0));
    /// assert_eq!((x.slice::<f64>(), y.slice::<f64>()), (&[9.0, 2.5][..], &[1.5, 2.5][..]));
    /// ```
    pub fn make_mut(&mut self) -> &mut Buffer {
        if Arc::get_mut(&mut self.buffer).is_none() {
            self.buffer = Arc::new(Buffer::clone(&self.buffer));
        }
        Arc::get_mut(&mut self.buffer).expect("it was just made unique")
    }
}

impl Clone for ArrayValue {
    #[inline]
    fn clone(&self) -> Self {
        ArrayValue::in_buffer(&self.shape, self.buffer.clone())
    }
}

impl Value {
    /// Its type.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::Value::scalar(true).ty().to_string(), "bool[]");
    /// ```
    pub fn ty(&self) -> Type {
        match self {
            Value::Array(a) => Type::Array(a.ty()),
            Value::List(l) => Type::list(l.element.clone(), l.length),
        }
    }

    /// The array; panics on a list (an internal error: `infer` has judged before).
    ///
    /// ```
    /// assert_eq!(wengert_core::value::Value::scalar(2.0).array().size(), 1);
    /// ```
    pub fn array(&self) -> &ArrayValue {
        match self {
            Value::Array(a) => a,
            Value::List(_) => panic!("an array was expected, this is a list"),
        }
    }

    /// The array, owned.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::Value::scalar(2.0).into_array().slice::<f64>(), [2.0]);
    /// ```
    #[inline]
    pub fn into_array(self) -> ArrayValue {
        match self {
            Value::Array(a) => a,
            Value::List(_) => panic!("an array was expected, this is a list"),
        }
    }

    /// A scalar.
    ///
    /// ```
    /// assert_eq!(wengert_core::value::Value::scalar(2f32).ty().to_string(), "f32[]");
    /// ```
    pub fn scalar<T: Element>(x: T) -> Value {
        Value::Array(ArrayValue::scalar(Scalar::new(x)))
    }

    /// All zeros: an array of zeros, a list of zero rows (of no rows when the length is unknown).
    ///
    /// ```
    /// use wengert_core::{DType, Type, value::Value};
    ///
    /// assert_eq!(Value::zeros(&Type::array(DType::F64, &[2])).array().slice::<f64>(), [0.0, 0.0]);
    /// ```
    pub fn zeros(ty: &Type) -> Value {
        match ty {
            Type::Array(a) => Value::Array(ArrayValue::full(&a.shape, Scalar::zero(a.dtype))),
            Type::List(l) => Value::List(Arc::new(ListValue {
                element: l.element.clone(),
                length: l.length,
                rows: vec![Value::zeros(&l.element); l.length.unwrap_or(0)],
            })),
        }
    }
}

impl From<ArrayValue> for Value {
    fn from(a: ArrayValue) -> Self {
        Value::Array(a)
    }
}
