//! `Array`: one concrete type for values and for variables of a trace.

#[cfg(feature = "approx")]
mod approx;
mod convert;
mod create;
mod display;
pub(crate) mod operators;
pub(crate) mod promote;

pub use create::{
    Nested, arange, eye, full, full_like, linspace, ones, ones_like, ones_of, zeros, zeros_like, zeros_of,
};
pub use promote::{Term, promote_types};

use crate::complex;
use crate::error::Error;
use crate::program::Var;
use crate::source::Origin;
use crate::trace::{self, TraceId};
use crate::types::{ArrayType, Shape, Type};
use crate::value::Value;
use std::sync::Arc;
use wengert_kernel::DType;
use wengert_kernel::buffer::Buffer;

/// An n-dimensional array of one dtype: a value in memory, or a variable of a function being traced.
///
/// Cloning is cheap (the elements are shared). Operations never change an array.
///
/// ```
/// use wengert_core::{Array, DType, array};
///
/// let x = array![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!((x.dtype(), x.shape().as_slice()), (DType::F64, &[2, 2][..]));
/// let y = x.clone() * 10 + Array::from(0.5); // broadcasts
/// assert_eq!(y.to_string(), "[[10.5 20.5]\n [30.5 40.5]]");
/// ```
#[derive(Clone)]
pub struct Array(pub(crate) Repr);

#[derive(Clone)]
pub(crate) enum Repr {
    Value(Value),
    /// Behind a pointer, so that values are small: every call of compiled code moves them.
    Variable(Arc<Variable>),
    /// Real and imaginary part, of one shape and float dtype, each a value or a variable.
    Complex(Arc<[Array; 2]>),
}

/// A variable of an open trace.
pub(crate) struct Variable {
    pub(crate) trace: TraceId,
    pub(crate) var: Var,
    pub(crate) ty: Type,
    pub(crate) made: Origin,
}

impl Array {
    /// A concrete array.
    ///
    /// ```
    /// use wengert_core::{Array, value::Value};
    ///
    /// assert_eq!(Array::from_value(Value::scalar(2.0)), Array::from(2.0));
    /// ```
    #[inline]
    pub fn from_value(value: Value) -> Array {
        Array(Repr::Value(value))
    }

    pub(crate) fn variable(variable: Variable) -> Array {
        Array(Repr::Variable(Arc::new(variable)))
    }

    /// The concrete value; an error that names `what` when it is a traced variable.
    ///
    /// # Errors
    /// When the array is traced.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0].value("an example")?.array().slice::<f64>(), [1.0, 2.0]);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn value(&self, what: &str) -> Result<Value, Error> {
        match &self.0 {
            Repr::Value(value) => Ok(value.clone()),
            Repr::Variable(v) => Err(trace::no_value(v, what)),
            Repr::Complex(_) => Err(complex::two_values(self, what)),
        }
    }

    /// Takes the concrete value out, without adding a reference to its buffer.
    ///
    /// # Errors
    /// When the array is traced.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2].into_value("an example")?.into_array().size(), 2);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn into_value(self, what: &str) -> Result<Value, Error> {
        match self.0 {
            Repr::Value(value) => Ok(value),
            Repr::Variable(v) => Err(trace::no_value(&v, what)),
            Repr::Complex(_) => Err(complex::two_values(&self, what)),
        }
    }

    /// Takes the buffer out; an error that names `what` when it is a traced variable.
    ///
    /// # Errors
    /// When the array is traced.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2].into_buffer("an example")?.len(), 2);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    #[inline]
    pub fn into_buffer(self, what: &str) -> Result<Arc<Buffer>, Error> {
        match self.0 {
            Repr::Value(value) => Ok(value.into_array().buffer),
            Repr::Variable(v) => Err(trace::no_value(&v, what)),
            Repr::Complex(_) => Err(complex::two_values(&self, what)),
        }
    }

    /// Whether it is a variable of a trace, so that its elements are not known yet.
    ///
    /// ```
    /// use wengert_core::{Array, cond};
    ///
    /// let x = Array::from(1.0);
    /// assert!(!x.is_traced());
    /// cond(&x.gt(0.0), || { let y = &x + 1.0; assert!(y.is_traced()); y }, || x.clone());
    /// ```
    pub fn is_traced(&self) -> bool {
        match &self.0 {
            Repr::Value(_) => false,
            Repr::Variable(_) => true,
            Repr::Complex(parts) => parts.iter().any(Array::is_traced),
        }
    }

    /// Whether it is the same value or variable, not merely an equal one.
    pub(crate) fn is_same(&self, other: &Array) -> bool {
        match (&self.0, &other.0) {
            (Repr::Value(a), Repr::Value(b)) => trace::address(a) == trace::address(b) && a.ty() == b.ty(),
            (Repr::Variable(a), Repr::Variable(b)) => a.trace == b.trace && a.var == b.var,
            (Repr::Complex(a), Repr::Complex(b)) => a[0].is_same(&b[0]) && a[1].is_same(&b[1]),
            _ => false,
        }
    }

    /// The full type; a list type only inside rules for loops.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 2.0].ty().to_string(), "f64[2]");
    /// ```
    pub fn ty(&self) -> Type {
        match &self.0 {
            Repr::Value(value) => value.ty(),
            Repr::Variable(v) => v.ty.clone(),
            Repr::Complex(parts) => complex::type_of(parts).into(),
        }
    }

    /// Dtype and shape.
    ///
    /// # Panics
    /// On a list of rows, which users do not meet.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType, array};
    ///
    /// assert_eq!(array![1.0, 2.0].array_type(), ArrayType::new(DType::F64, &[2]));
    /// ```
    #[track_caller]
    pub fn array_type(&self) -> ArrayType {
        match self.ty() {
            Type::Array(a) => a,
            Type::List(_) => panic!("an array was expected, this is a list of rows"),
        }
    }

    /// Element type.
    ///
    /// ```
    /// use wengert_core::{DType, array};
    ///
    /// assert_eq!((array![1.0].dtype(), array![1].dtype(), array![1f32].dtype()), (DType::F64, DType::I32, DType::F32));
    /// ```
    pub fn dtype(&self) -> DType {
        match &self.0 {
            Repr::Value(Value::Array(a)) => a.dtype(),
            Repr::Value(Value::List(l)) => l.element.dtype(),
            Repr::Variable(v) => v.ty.dtype(),
            Repr::Complex(parts) => parts[0].dtype().complex(),
        }
    }

    /// Axis lengths, outermost first; empty for a scalar.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[1, 2, 3], [4, 5, 6]].shape().as_slice(), [2, 3]);
    /// ```
    pub fn shape(&self) -> Shape {
        self.array_type().shape
    }

    /// Number of axes.
    ///
    /// ```
    /// assert_eq!(wengert_core::array![[1, 2, 3], [4, 5, 6]].rank(), 2);
    /// ```
    pub fn rank(&self) -> usize {
        self.shape().len()
    }

    /// Number of elements.
    ///
    /// ```
    /// assert_eq!(wengert_core::array![[1, 2, 3], [4, 5, 6]].size(), 6);
    /// ```
    pub fn size(&self) -> usize {
        self.shape().iter().product()
    }
}
