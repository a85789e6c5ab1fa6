//! Errors: sentences with the facts.

use crate::source::Source;
use std::fmt;

/// Why an operation does not accept its operands. `infer` makes it; the operation's name and place are added by who records it.
///
/// ```
/// use wengert_core::{DType, Type, ops::{Op, Select}, primitive::Primitive};
///
/// let error = Op::from(Select).infer(&[Type::scalar(DType::F64)]).unwrap_err();
/// assert!(!error.to_string().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeError(pub String);

impl TypeError {
    /// From a sentence without its final stop.
    ///
    /// ```
    /// assert_eq!(wengert_core::error::TypeError::new("too long").to_string(), "too long");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        TypeError(message.into())
    }
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What can go wrong for a user: a sentence, and the line it is about.
///
/// ```
/// use wengert_core::{ErrorKind, array, trace::door};
///
/// let error = door(|| array![1.0, 2.0] + array![1.0, 2.0, 3.0]).unwrap_err();
/// assert_eq!(error.kind, ErrorKind::Type);
/// assert!(error.message.starts_with("add"));
/// assert!(error.source.is_some(), "the line is known");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Error {
    /// What kind of thing went wrong.
    pub kind: ErrorKind,
    /// The sentence: operation, operands, repair.
    pub message: String,
    /// The user's line, where one is known.
    pub source: Option<Source>,
}

/// Kinds of errors.
///
/// ```
/// use wengert_core::{ErrorKind, array};
///
/// assert_eq!(array![1.0].to_vec::<i32>().unwrap_err().kind, ErrorKind::Convert);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// Operands of the wrong shape or dtype.
    Type,
    /// A traced array was used where its value is needed, or outside its trace.
    Trace,
    /// A `check` failed at run time.
    Check,
    /// Memory was refused.
    Memory,
    /// A conversion of an array to Rust data asked for the wrong dtype, shape or length.
    Convert,
    /// Text that does not parse, or a program that does not verify.
    Parse,
}

impl Error {
    /// An error without a place.
    ///
    /// ```
    /// use wengert_core::{Error, ErrorKind};
    ///
    /// assert_eq!(Error::new(ErrorKind::Check, "x is negative").to_string(), "x is negative");
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// The same at a place.
    ///
    /// ```
    /// use wengert_core::{Error, ErrorKind, source::Source};
    ///
    /// let error = Error::new(ErrorKind::Check, "x is negative").at(Source::Text("main.rs:3:5".into()));
    /// assert_eq!(error.to_string(), "x is negative\n  at main.rs:3:5");
    /// ```
    pub fn at(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The same, at that place unless a nearer one is known.
    ///
    /// ```
    /// use wengert_core::{Error, ErrorKind, source::Source};
    ///
    /// let error = Error::new(ErrorKind::Type, "a sentence").or_at(Source::here());
    /// assert!(error.source.is_some());
    /// ```
    pub fn or_at(self, source: Source) -> Self {
        if self.source.is_some() { self } else { self.at(source) }
    }

    /// Raises the error: inside a `try_*` door it unwinds silently to the door, elsewhere it panics at the caller's line.
    ///
    /// ```
    /// use wengert_core::{Error, ErrorKind, trace::door};
    ///
    /// let error = Error::new(ErrorKind::Check, "x is negative");
    /// assert_eq!(door(|| error.clone().raise()), Err::<(), _>(error));
    /// ```
    #[track_caller]
    pub fn raise(self) -> ! {
        if crate::trace::inside_door() {
            std::panic::resume_unwind(Box::new(self));
        }
        panic!("{self}")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.source {
            Some(source) => write!(f, "\n  at {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}
