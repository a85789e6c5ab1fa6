//! Errors: sentences with the facts.

use crate::source::Source;
use std::fmt;

/// Why an operation does not accept its operands. `infer` makes it; the operation's name and place are added by who records it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TypeError(pub String);

impl TypeError {
    /// From a sentence without its final stop.
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
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// The same at a place.
    pub fn at(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The same, at that place unless a nearer one is known.
    pub fn or_at(self, source: Source) -> Self {
        if self.source.is_some() { self } else { self.at(source) }
    }

    /// Raises the error: inside a `try_*` door it unwinds silently to the door, elsewhere it panics at the caller's line.
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
