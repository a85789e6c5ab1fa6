//! How a user's closure becomes a program and its results a tree again: what all doors of this crate share.

use std::sync::Arc;
use wengert_core::array::zeros_like;
use wengert_core::program::simplify;
use wengert_core::refusal::refuse;
use wengert_core::trace::{Surroundings, trace_with};
use wengert_core::{Array, Program, Tree, Type};

/// A closure traced at some arguments.
pub(crate) struct Function<A: Tree, R: Tree> {
    /// Captures, then the leaves of the arguments, to the leaves of the result.
    pub program: Arc<Program>,
    /// Arrays that the closure took from outside.
    pub captures: Vec<Array>,
    /// The leaves of the arguments.
    pub leaves: Vec<Array>,
    /// What puts the arguments together.
    pub arguments: A::Def,
    /// What puts the result together.
    pub result: R::Def,
}

impl<A: Tree, R: Tree> Function<A, R> {
    /// Traces `f` on variables like the leaves of `args`.
    #[track_caller]
    pub fn trace(f: impl FnOnce(A) -> R, args: A) -> Self {
        let mut leaves = Vec::new();
        let arguments = args.into_leaves(&mut leaves);
        let types: Vec<Type> = leaves.iter().map(Array::ty).collect();
        let (program, captures, result) = trace_types::<A, R>(f, &types, &arguments, Surroundings::Inherit);
        Function { program, captures, leaves, arguments, result }
    }

    /// Captures and leaves: the operands of the program.
    pub fn operands(&self) -> Vec<Array> {
        [&self.captures[..], &self.leaves].concat()
    }

    /// Flags by input: false for captures, these for the leaves.
    pub fn flags(&self, leaves: &[bool]) -> Vec<bool> {
        [&vec![false; self.captures.len()][..], leaves].concat()
    }

    /// Which leaves have a derivative: those of a float dtype.
    pub fn float_leaves(&self) -> Vec<bool> {
        self.leaves.iter().map(|x| x.dtype().is_float()).collect()
    }

    /// A result from its leaves.
    pub fn result(&self, leaves: Vec<Array>) -> R {
        assemble::<R>(&self.result, leaves)
    }

    /// A tree like the arguments from its leaves.
    pub fn arguments(&self, leaves: Vec<Array>) -> A {
        assemble::<A>(&self.arguments, leaves)
    }
}

/// The program of a closure at arguments of these types, its captures, and what puts its result together.
#[track_caller]
pub(crate) fn trace_types<A: Tree, R: Tree>(
    f: impl FnOnce(A) -> R,
    types: &[Type],
    arguments: &A::Def,
    surroundings: Surroundings,
) -> (Arc<Program>, Vec<Array>, R::Def) {
    let mut result = None;
    let prefix = (surroundings == Surroundings::Body) as usize;
    let traced = trace_with(types, prefix, surroundings, |mut inputs| {
        let y = f(assemble::<A>(arguments, inputs.split_off(prefix)));
        let mut leaves = Vec::new();
        result = Some(y.into_leaves(&mut leaves));
        leaves
    });
    (Arc::new(simplify(&traced.program)), traced.captures, result.expect("the closure was traced"))
}

/// A tree from exactly its leaves.
pub(crate) fn assemble<T: Tree>(def: &T::Def, leaves: Vec<Array>) -> T {
    T::from_leaves(def, &mut leaves.into_iter())
}

/// The entries whose flag is set.
pub(crate) fn chosen<T: Clone>(xs: &[T], flags: &[bool]) -> Vec<T> {
    xs.iter().zip(flags).filter(|(_, f)| **f).map(|(x, _)| x.clone()).collect()
}

/// Derivatives of all leaves from those of the float leaves: the others' are zeros of their own type.
pub(crate) fn with_zeros(leaves: &[Array], float: &[bool], derivatives: Vec<Array>) -> Vec<Array> {
    let mut derivatives = derivatives.into_iter();
    let one = |(x, &float): (&Array, &bool)| {
        if float { derivatives.next().expect("one for each float leaf") } else { zeros_like(x) }
    };
    leaves.iter().zip(float).map(one).collect()
}

/// Checks tangents or cotangents against what they belong to; `names` are those of the leaves.
#[track_caller]
pub(crate) fn check_like(what: &str, names: &[String], given: &[Array], like: &[Type]) {
    if given.len() != like.len() {
        refuse(format!("{} arrays were given as {what}, {} are needed", given.len(), like.len()), &[]);
    }
    for ((given, like), name) in given.iter().zip(like).zip(names) {
        if given.ty() != *like {
            let repair = if given.dtype() == like.dtype() {
                "`reshape` or `broadcast_to` gives it that shape".to_owned()
            } else {
                format!("`.convert(DType::{:?})` gives it that dtype", like.dtype())
            };
            refuse(format!("the {what} of `{name}` is {}, but `{name}` is {like}; {repair}", given.ty()), &[given]);
        }
    }
}
