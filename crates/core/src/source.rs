//! Where in the user's code an equation came from.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// A place in the user's source. It takes no part in the equality of equations.
///
/// ```
/// use wengert_core::source::Source;
///
/// assert_eq!(Source::Text("main.rs:3:5".into()).to_string(), "main.rs:3:5");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A line of this process's program.
    Location(&'static Location<'static>),
    /// A place read back from text.
    Text(Arc<str>),
    /// Made by the library itself.
    Unknown,
}

impl Source {
    /// The caller's line.
    ///
    /// ```
    /// assert!(wengert_core::source::Source::here().to_string().contains(".rs:"));
    /// ```
    #[track_caller]
    pub fn here() -> Source {
        Source::Location(Location::caller())
    }
}

/// `src/main.rs:12:9`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Location(l) => write!(f, "{}:{}:{}", l.file(), l.line(), l.column()),
            Source::Text(text) => f.write_str(text),
            Source::Unknown => f.write_str("?"),
        }
    }
}
