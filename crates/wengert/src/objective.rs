//! What a function may return to have a gradient.

use wengert_core::{Array, Error, Tree};

/// The result of a function with a gradient: a scalar [`Array`], or `(scalar, aux)` where `aux` is any tree of arrays that
/// is handed through, or a `Result` of these, whose error is raised.
///
/// ```
/// use wengert::prelude::*;
///
/// // A scalar with something beside it.
/// let f = |x: Array| (x.square().sum(), x.max());
/// assert_eq!(grad(f)(array![1.0, 2.0]), array![2.0, 4.0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "a function that returns `{Self}` has no gradient",
    note = "return a scalar `Array`, or `(Array, aux)` with anything else made of arrays as `aux`"
)]
pub trait Objective: Sized {
    /// What is handed through.
    type Aux: Tree;

    /// The scalar, and what is handed through.
    fn into_parts(self) -> (Array, Self::Aux);

    /// Put together again.
    fn from_parts(value: Array, aux: Self::Aux) -> Self;
}

impl Objective for Array {
    type Aux = ();

    fn into_parts(self) -> (Array, ()) {
        (self, ())
    }

    fn from_parts(value: Array, (): ()) -> Self {
        value
    }
}

impl<X: Tree> Objective for (Array, X) {
    type Aux = X;

    fn into_parts(self) -> (Array, X) {
        self
    }

    fn from_parts(value: Array, aux: X) -> Self {
        (value, aux)
    }
}

impl<R: Objective> Objective for Result<R, Error> {
    type Aux = R::Aux;

    #[track_caller]
    fn into_parts(self) -> (Array, R::Aux) {
        match self {
            Ok(result) => result.into_parts(),
            Err(error) => error.raise(),
        }
    }

    fn from_parts(value: Array, aux: R::Aux) -> Self {
        Ok(R::from_parts(value, aux))
    }
}
