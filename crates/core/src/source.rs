//! Where in the user's code something came from: a line, and the function of this library that was called there.
//!
//! One place is in force on each thread: that of the outermost function which the user called, until it hands over to a
//! closure of the user's again; while a rule runs, that of the equation it is asked about. Whatever is recorded, and every
//! error, takes its line from there, so what happens in between needs to pass no line on.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
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

/// A function of this library as the user called it: by which name, at which line. A function that returns a closure keeps
/// it, and the closure enters it: who calls a closure cannot be asked for a line.
///
/// ```
/// let call = wengert_core::source::UserCall::here("my_function");
/// let _again = call.enter();
/// ```
#[derive(Clone, Debug)]
pub struct UserCall {
    name: &'static str,
    source: Source,
}

/// What is in force. While a rule runs there is a line without a name.
struct Place {
    name: Option<&'static str>,
    source: Source,
}

thread_local! {
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Puts back what was in force before, when dropped.
///
/// ```
/// let _entered = wengert_core::source::called("my_function"); // until the end of the block
/// ```
#[must_use = "it ends when it is dropped"]
pub struct Entered {
    /// `None` when nothing was changed.
    before: Option<Option<Place>>,
    /// It belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            PLACE.set(before);
        }
    }
}

fn enter(place: Option<Place>) -> Entered {
    Entered { before: Some(PLACE.replace(place)), thread: PhantomData }
}

/// Says by which name and where the user called the function that the caller is. Inside of another such function nothing
/// changes: the user typed the outer one's name.
///
/// ```
/// use wengert_core::{Array, source::called, trace::door};
///
/// let shaped = |x: &Array| { let _called = called("my_function"); x.reshape(3) };
/// assert!(door(|| shaped(&Array::from(1.0))).unwrap_err().to_string().starts_with("my_function: "));
/// ```
#[track_caller]
pub fn called(name: &'static str) -> Entered {
    let caller = Location::caller();
    let before = PLACE.with_borrow_mut(|place| match place {
        Some(Place { name: Some(_), .. }) => None,
        Some(Place { name: none, source }) => {
            let before = Place { name: none.replace(name), source: source.clone() };
            Some(Some(Place { name: None, ..before }))
        }
        None => Some(place.replace(Place { name: Some(name), source: Source::Location(caller) })),
    });
    Entered { before, thread: PhantomData }
}

impl UserCall {
    /// The call that is being made: that of the outermost function, else of `name` at the caller's line.
    ///
    /// ```
    /// let call = wengert_core::source::UserCall::here("my_function");
    /// let later = move || drop(call.enter()); // errors in here name this line and `my_function`
    /// later();
    /// ```
    #[track_caller]
    pub fn here(name: &'static str) -> UserCall {
        UserCall { name: name_here().unwrap_or(name), source: source_here() }
    }

    /// The user's line.
    ///
    /// ```
    /// let call = wengert_core::source::UserCall::here("my_function");
    /// assert!(call.source().to_string().contains(':'));
    /// ```
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Puts it in force.
    ///
    /// ```
    /// use wengert_core::{Array, source::UserCall, trace::door};
    ///
    /// let call = UserCall::here("my_function");
    /// let fails = || { let _called = call.enter(); Array::from(1.0).reshape(3) };
    /// assert!(door(fails).unwrap_err().to_string().starts_with("my_function: "));
    /// ```
    pub fn enter(&self) -> Entered {
        enter(Some(Place { name: Some(self.name), source: self.source.clone() }))
    }
}

/// Runs a closure of the user's: nothing is in force inside until it calls a function of this library.
pub(crate) fn in_users_code<R>(f: impl FnOnce() -> R) -> R {
    let _outside = enter(None);
    f()
}

/// Runs `f` with every recorded equation attributed to this place.
pub(crate) fn with_source<R>(source: &Source, f: impl FnOnce() -> R) -> R {
    let _inside = enter(Some(Place { name: None, source: source.clone() }));
    f()
}

/// The place of what the caller records: the one in force, else the caller's line. (As a function value `Source::here`
/// would name the standard library's line.)
#[track_caller]
pub(crate) fn source_here() -> Source {
    match PLACE.with_borrow(|place| place.as_ref().map(|place| place.source.clone())) {
        Some(source) => source,
        None => Source::here(),
    }
}

/// The name that the user typed, when it is not that of the operation itself.
pub(crate) fn name_here() -> Option<&'static str> {
    PLACE.with_borrow(|place| place.as_ref().and_then(|place| place.name))
}

/// How a traced array came to be.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    kind: OriginKind,
    /// The operation, or the function whose argument is a closure.
    name: &'static str,
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum OriginKind {
    Result,
    Argument,
}

impl Origin {
    /// The result of an operation recorded at that place.
    pub(crate) fn result(operation: &'static str, source: Source) -> Origin {
        Origin { kind: OriginKind::Result, name: name_here().unwrap_or(operation), source }
    }

    /// What a closure is called with by the function of this library that it was given to.
    #[track_caller]
    pub(crate) fn argument() -> Origin {
        Origin { kind: OriginKind::Argument, name: name_here().unwrap_or("trace"), source: source_here() }
    }
}

/// ``made by `sin` at src/main.rs:12:9``.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { kind, name, source } = self;
        match kind {
            OriginKind::Result => write!(f, "made by `{name}` at {source}"),
            OriginKind::Argument => write!(f, "an argument of the function given to `{name}` at {source}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (Option<&'static str>, String) {
        (name_here(), source_here().to_string())
    }

    #[test]
    fn the_outermost_name_counts_until_users_code_runs() {
        let outer = called("softmax");
        let (name, line) = place();
        assert_eq!(name, Some("softmax"));
        {
            let _inner = called("max");
            assert_eq!(place(), (Some("softmax"), line.clone()));
            in_users_code(|| {
                assert_eq!(name_here(), None);
                let _own = called("sum");
                assert_eq!(name_here(), Some("sum"));
                assert_ne!(place().1, line);
            });
        }
        assert_eq!(place(), (Some("softmax"), line));
        drop(outer);
        assert_eq!(name_here(), None);
    }

    #[test]
    fn a_rule_has_the_line_of_its_equation() {
        let source = Source::Text("here".into());
        with_source(&source, || {
            assert_eq!(place(), (None, "here".into()));
            {
                let _named = called("max");
                assert_eq!(place(), (Some("max"), "here".into()));
            }
            assert_eq!(place(), (None, "here".into()));
        });
    }

    #[test]
    fn a_call_that_was_kept_is_entered_again() {
        let call = {
            let _called = called("hessian");
            UserCall::here("jacfwd")
        };
        let kept = call.source.to_string();
        let entered = call.enter();
        assert_eq!(place(), (Some("hessian"), kept));
        drop(entered);
        assert_eq!(name_here(), None);
    }
}
