//! Types of programs: arrays of static shape, and lists of rows.

use crate::error::TypeError;
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;
use wengert_kernel::DType;

/// The lengths of an array's axes; rank 0 is a scalar.
///
/// ```
/// use wengert_core::Shape;
///
/// let shape: Shape = [2, 3].as_slice().into();
/// assert_eq!(shape.iter().product::<usize>(), 6);
/// ```
pub type Shape = SmallVec<[usize; 4]>;

/// Dtype and shape of an array.
///
/// ```
/// use wengert_core::{ArrayType, DType};
///
/// assert_eq!(ArrayType::new(DType::F32, &[2, 3]).to_string(), "f32[2,3]");
/// ```
#[derive(PartialEq, Eq, Hash)]
pub struct ArrayType {
    /// Element type.
    pub dtype: DType,
    /// Axis lengths, outermost first.
    pub shape: Shape,
}

/// The type of a variable of a program.
///
/// ```
/// use wengert_core::{DType, Type};
///
/// assert_eq!(Type::array(DType::F64, &[3]).to_string(), "f64[3]");
/// assert_eq!(Type::list(Type::scalar(DType::F64), Some(2)).to_string(), "list(f64[]; 2)");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// An array.
    Array(ArrayType),
    /// An immutable sequence of rows, written and read by loops only.
    List(Arc<ListType>),
}

/// Rows of one type. Users meet no lists: loops use them for what the backward pass reads.
///
/// ```
/// use wengert_core::{DType, Type};
///
/// let Type::List(list) = Type::list(Type::scalar(DType::F64), None) else { unreachable!() };
/// assert_eq!(list.length, None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ListType {
    /// The type of each row; may be a list itself.
    pub element: Type,
    /// How many rows, when that is known; else as many as the loop that wrote it made rounds.
    pub length: Option<usize>,
}

impl Clone for ArrayType {
    #[inline]
    fn clone(&self) -> Self {
        // Of all ways to make a shape this one copies without a loop.
        ArrayType { dtype: self.dtype, shape: Shape::from_slice(&self.shape) }
    }
}

impl ArrayType {
    /// From dtype and axis lengths.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType};
    ///
    /// assert_eq!(ArrayType::new(DType::I32, &[4]).shape.as_slice(), [4]);
    /// ```
    pub fn new(dtype: DType, shape: &[usize]) -> Self {
        ArrayType { dtype, shape: shape.into() }
    }

    /// Number of axes.
    ///
    /// ```
    /// assert_eq!(wengert_core::ArrayType::new(wengert_core::DType::F64, &[2, 3]).rank(), 2);
    /// ```
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements. Sizes are checked when a type is inferred, so this cannot overflow.
    ///
    /// ```
    /// assert_eq!(wengert_core::ArrayType::new(wengert_core::DType::F64, &[2, 3]).size(), 6);
    /// ```
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// An error when the elements or their bytes are more than memory could ever hold. Axes of length 0 do not count,
    /// so that every part of the product is safe too.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType};
    ///
    /// assert!(ArrayType::new(DType::F64, &[1 << 40, 1 << 40]).check_size().is_err());
    /// ```
    pub fn check_size(&self) -> Result<(), TypeError> {
        let nonzero = self.shape.iter().filter(|&&n| n > 0).try_fold(1usize, |size, &n| size.checked_mul(n));
        let bytes =
            if self.shape.contains(&0) { Some(0) } else { nonzero.and_then(|n| n.checked_mul(self.dtype.size())) };
        match (nonzero, bytes) {
            (Some(n), Some(bytes)) if n.max(bytes) <= isize::MAX as usize => Ok(()),
            _ => Err(TypeError::new(format!(
                "an array {self} is larger than memory can be; check the lengths of its axes"
            ))),
        }
    }

    /// The same shape with another dtype.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType};
    ///
    /// assert_eq!(ArrayType::new(DType::F64, &[2]).with_dtype(DType::F32), ArrayType::new(DType::F32, &[2]));
    /// ```
    pub fn with_dtype(&self, dtype: DType) -> Self {
        ArrayType { dtype, shape: self.shape.clone() }
    }

    /// The same dtype with another shape.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType};
    ///
    /// assert_eq!(ArrayType::new(DType::F64, &[2]).with_shape(&[3]), ArrayType::new(DType::F64, &[3]));
    /// ```
    pub fn with_shape(&self, shape: &[usize]) -> Self {
        ArrayType::new(self.dtype, shape)
    }
}

impl Type {
    /// An array type.
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert_eq!(Type::array(DType::F64, &[2, 3]).to_string(), "f64[2,3]");
    /// ```
    pub fn array(dtype: DType, shape: &[usize]) -> Self {
        Type::Array(ArrayType::new(dtype, shape))
    }

    /// A scalar type.
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert_eq!(Type::scalar(DType::Bool).to_string(), "bool[]");
    /// ```
    pub fn scalar(dtype: DType) -> Self {
        Type::array(dtype, &[])
    }

    /// A list type.
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert!(Type::list(Type::scalar(DType::F64), None).is_list());
    /// ```
    pub fn list(element: Type, length: Option<usize>) -> Self {
        Type::List(Arc::new(ListType { element, length }))
    }

    /// The array type, unless it is a list.
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert_eq!(Type::scalar(DType::F64).as_array().map(|a| a.rank()), Some(0));
    /// ```
    pub fn as_array(&self) -> Option<&ArrayType> {
        match self {
            Type::Array(a) => Some(a),
            Type::List(_) => None,
        }
    }

    /// See [`ArrayType::check_size`]; of a list, every row.
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert!(Type::list(Type::array(DType::F64, &[usize::MAX]), None).check_size().is_err());
    /// ```
    pub fn check_size(&self) -> Result<(), TypeError> {
        let mut ty = self;
        loop {
            match ty {
                Type::Array(a) => return a.check_size(),
                Type::List(l) => ty = &l.element,
            }
        }
    }

    /// Whether it is a list.
    ///
    /// ```
    /// assert!(!wengert_core::Type::scalar(wengert_core::DType::F64).is_list());
    /// ```
    pub fn is_list(&self) -> bool {
        matches!(self, Type::List(_))
    }

    /// The dtype of the elements, inside lists too.
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert_eq!(Type::list(Type::scalar(DType::F32), None).dtype(), DType::F32);
    /// ```
    pub fn dtype(&self) -> DType {
        match self {
            Type::Array(a) => a.dtype,
            Type::List(l) => l.element.dtype(),
        }
    }

    /// With a batch axis in front of every array (inside lists: of every row).
    ///
    /// ```
    /// use wengert_core::{DType, Type};
    ///
    /// assert_eq!(Type::array(DType::F64, &[3]).batched(5), Type::array(DType::F64, &[5, 3]));
    /// ```
    pub fn batched(&self, size: usize) -> Type {
        match self {
            Type::Array(a) => {
                let mut shape = a.shape.clone();
                shape.insert(0, size);
                Type::Array(ArrayType { dtype: a.dtype, shape })
            }
            Type::List(l) => Type::list(l.element.batched(size), l.length),
        }
    }
}

impl From<ArrayType> for Type {
    fn from(a: ArrayType) -> Self {
        Type::Array(a)
    }
}

/// `f64[3,4]`; a scalar is `f64[]`.
impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.dtype)?;
        for (i, n) in self.shape.iter().enumerate() {
            write!(f, "{}{n}", if i > 0 { "," } else { "" })?;
        }
        write!(f, "]")
    }
}

/// Arrays as `f64[3]`, lists as `list(f64[3])` or, of known length, `list(f64[3]; 10)`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Array(a) => write!(f, "{a}"),
            Type::List(l) => match l.length {
                Some(n) => write!(f, "list({}; {n})", l.element),
                None => write!(f, "list({})", l.element),
            },
        }
    }
}

impl fmt::Debug for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
