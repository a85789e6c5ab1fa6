//! Concrete values: what the interpreter computes with and what compiled code reads and writes.

use crate::types::{ArrayType, Shape, Type};
use std::sync::Arc;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::{DType, Element, Scalar};

/// An array in memory, row-major and dense. A clone shares the buffer.
#[derive(Debug)]
pub struct ArrayValue {
    /// Axis lengths.
    pub shape: Shape,
    /// The elements; its length is the product of the shape.
    pub buffer: Arc<Buffer>,
}

/// The rows of a list.
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
#[derive(Clone, Debug)]
pub enum Value {
    /// An array.
    Array(ArrayValue),
    /// A list.
    List(Arc<ListValue>),
}

impl ArrayValue {
    /// From elements in row-major order; their number must be the product of the shape.
    pub fn new<T: Element>(shape: &[usize], data: Vec<T>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), data.len());
        ArrayValue { shape: shape.into(), buffer: Arc::new(Buffer::from_vec(data)) }
    }

    /// From a buffer of as many elements as the shape has.
    #[inline]
    pub fn in_buffer(shape: &[usize], buffer: Arc<Buffer>) -> Self {
        // Of all ways to make a shape this one copies without a loop.
        ArrayValue { shape: Shape::from_slice(shape), buffer }
    }

    /// All elements equal.
    pub fn full(shape: &[usize], value: Scalar) -> Self {
        let n = shape.iter().product();
        ArrayValue { shape: shape.into(), buffer: Arc::new(Buffer::full(value, n)) }
    }

    /// A scalar.
    pub fn scalar(value: Scalar) -> Self {
        ArrayValue::full(&[], value)
    }

    /// Element type.
    #[inline]
    pub fn dtype(&self) -> DType {
        self.buffer.dtype()
    }

    /// Dtype and shape.
    pub fn ty(&self) -> ArrayType {
        ArrayType { dtype: self.dtype(), shape: self.shape.clone() }
    }

    /// Number of elements.
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    /// The elements; panics when the dtype is another (an internal error: `infer` has judged before).
    pub fn slice<T: Element>(&self) -> &[T] {
        self.buffer.as_slice::<T>().expect("the dtype was inferred")
    }

    /// The element at a row-major position.
    pub fn get(&self, i: usize) -> Scalar {
        self.buffer.get(i)
    }

    /// The elements for writing, in place when nobody else shares them, else in a copy made here.
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
    pub fn ty(&self) -> Type {
        match self {
            Value::Array(a) => Type::Array(a.ty()),
            Value::List(l) => Type::list(l.element.clone(), l.length),
        }
    }

    /// The array; panics on a list (an internal error: `infer` has judged before).
    pub fn array(&self) -> &ArrayValue {
        match self {
            Value::Array(a) => a,
            Value::List(_) => panic!("an array was expected, this is a list"),
        }
    }

    /// The array, owned.
    #[inline]
    pub fn into_array(self) -> ArrayValue {
        match self {
            Value::Array(a) => a,
            Value::List(_) => panic!("an array was expected, this is a list"),
        }
    }

    /// A scalar.
    pub fn scalar<T: Element>(x: T) -> Value {
        Value::Array(ArrayValue::scalar(Scalar::new(x)))
    }

    /// All zeros: an array of zeros, a list of zero rows (of no rows when the length is unknown).
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
