//! The `try_*` doors: errors of operations returned rather than raised.
//!
//! Inside a door an error unwinds silently to it; other panics go on.

use crate::{Objective, grad, jit, jvp, trace, value_and_grad, vjp, vmap};
use std::sync::Arc;
use wengert_core::source::called;
use wengert_core::trace::door;
use wengert_core::{Error, Program, Tree};

/// [`trace`], with errors returned.
///
/// # Errors
/// Shapes and dtypes that do not fit, with the operation and the user's line.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::try_trace;
///
/// let x = array![1.0, 2.0];
/// assert!(try_trace(|x: Array| x.reshape(3), &x).is_err());
/// assert_eq!(try_trace(|x: Array| x.sum(), &x)?.equations().len(), 1);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn try_trace<A: Tree + Clone, R: Tree>(f: impl Fn(A) -> R, args: &A) -> Result<Arc<Program>, Error> {
    let _called = called("try_trace");
    door(|| trace(f, args))
}

/// [`jit`], with errors returned: of shapes and dtypes, failed checks, memory refused.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = try_jit(|(a, b): (Array, Array)| a + b);
/// let error = f((Array::from([1.0, 2.0]), Array::from([1.0, 2.0, 3.0]))).unwrap_err();
/// assert!(error.to_string().contains("add"));
/// ```
#[track_caller]
pub fn try_jit<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> Result<R, Error> {
    let _called = called("try_jit");
    let f = jit(f);
    move |args| door(|| f(args))
}

/// [`grad`], with errors returned.
///
/// # Errors
/// Of the returned function: where [`grad`] panics, and those of `f`.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::try_grad;
///
/// assert!(try_grad(|x: Array| x.square())(array![1.0, 2.0]).is_err(), "the result is no scalar");
/// assert_eq!(try_grad(|x: Array| x.square().sum())(array![1.0, 2.0])?, array![2.0, 4.0]);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn try_grad<A: Tree, R: Objective>(f: impl Fn(A) -> R) -> impl Fn(A) -> Result<A, Error> {
    let _called = called("try_grad");
    let f = grad(f);
    move |args| door(|| f(args))
}

/// [`value_and_grad`], with errors returned.
///
/// # Errors
/// Of the returned function: where [`value_and_grad`] panics, and those of `f`.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::try_value_and_grad;
///
/// let (y, slope) = try_value_and_grad(|x: Array| x.square().sum())(array![1.0, 2.0])?;
/// assert_eq!((y, slope), (5.0.into(), array![2.0, 4.0]));
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn try_value_and_grad<A: Tree, R: Objective>(f: impl Fn(A) -> R) -> impl Fn(A) -> Result<(R, A), Error> {
    let _called = called("try_value_and_grad");
    let f = value_and_grad(f);
    move |args| door(|| f(args))
}

/// [`jvp`], with errors returned.
///
/// # Errors
/// Of the returned function: a tangent of another structure, shape or dtype, and those of `f`.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::try_jvp;
///
/// assert!(try_jvp(|x: Array| x.sin())(array![1.0, 2.0], array![1.0]).is_err(), "the tangent has another shape");
/// assert_eq!(try_jvp(|x: Array| x.sin())(0.0.into(), 2.0.into())?.1, 2.0.into());
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn try_jvp<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A, A) -> Result<(R, R), Error> {
    let _called = called("try_jvp");
    let f = jvp(f);
    move |args, tangents| door(|| f(args, tangents))
}

/// [`vjp`], with errors returned.
///
/// # Errors
/// Those of the function and of its derivative.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::try_vjp;
///
/// let (_, pullback) = try_vjp(|x: Array| x.square(), array![1.0, 3.0])?;
/// assert_eq!(pullback(array![1.0, 1.0])?, array![2.0, 6.0]);
/// assert!(pullback(array![1.0]).is_err(), "the cotangent has another shape");
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
#[allow(clippy::type_complexity)] // A function type cannot be named in an alias.
pub fn try_vjp<A: Tree, R: Tree>(f: impl Fn(A) -> R, args: A) -> Result<(R, impl Fn(R) -> Result<A, Error>), Error> {
    let _called = called("try_vjp");
    let (y, pullback) = door(|| vjp(f, args))?;
    Ok((y, move |ct| door(|| pullback(ct))))
}

/// [`vmap`], with errors returned.
///
/// # Errors
/// Of the returned function: where [`vmap`] panics, and those of `f`.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::try_vmap;
///
/// let f = try_vmap(|(x, y): (Array, Array)| x * y);
/// assert_eq!(f((ones(3), ones(3)))?, ones(3));
/// assert!(f((ones(3), ones(2))).is_err(), "the numbers of rows differ");
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn try_vmap<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> Result<R, Error> {
    let _called = called("try_vmap");
    let f = vmap(f);
    move |args| door(|| f(args))
}

/// Runs a closure; an error that an operation in it raises is returned.
///
/// ```
/// use wengert::prelude::*;
///
/// let error = wengert::try_call(|| array![1.0, 2.0] + array![1.0, 2.0, 3.0]).unwrap_err();
/// assert!(error.to_string().contains("[2]"));
/// ```
///
/// # Errors
/// That error.
pub fn try_call<R>(f: impl FnOnce() -> R) -> Result<R, Error> {
    door(f)
}
