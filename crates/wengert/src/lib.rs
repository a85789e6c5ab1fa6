//! A JIT-compiling, differentiable array language in Rust.
//!
//! Write plain closures over [`Array`]; transform them with [`grad`], [`jvp`], [`vmap`], in any nesting and to any order;
//! compile them to native SIMD code with [`jit`].
//!
//! ```
//! use wengert::prelude::*;
//!
//! fn f(x: Array) -> Array { x.square() + 3.0 * &x + 5.0 }
//! let df = grad(f);
//! let y = jit(df)(2.0.into());
//! assert_eq!(y.item::<f64>()?, 7.0);
//! # Ok::<(), wengert::Error>(())
//! ```
//!
//! **[The guide](guide)** teaches it in eleven short chapters: [traces](guide::traces), [transforms](guide::transforms),
//! [trees](guide::trees), [loops and branches](guide::control_flow), [errors](guide::errors), and tables of names for those
//! who come [from JAX](guide::from_jax) or [from PyTorch](guide::from_pytorch).
//!
//! With the feature `approx` arrays are compared up to rounding by the macros of that crate:
//! `assert_abs_diff_eq!(f(x), y, epsilon = 1e-9)`, `assert_relative_eq!`.

// Lets the derive macro name this crate inside itself and its examples.
extern crate self as wengert;

mod check_grads;
mod doors;
pub mod execute;
mod explain;
mod explore;
mod gradient;
mod graph;
#[cfg(any(doc, doctest))]
pub mod guide;
mod jit;
mod nan;
mod objective;
pub mod prelude;
mod profile;
mod report;
mod sparse;
mod taylor;
mod traced;
mod user_source;
mod vectorize;

pub use check_grads::check_grads;
pub use doors::{try_call, try_grad, try_jit, try_jvp, try_trace, try_value_and_grad, try_vjp, try_vmap};
pub use explain::{Explanation, Partial, Step, explain};
pub use explore::explore;
pub use gradient::{
    grad, hessian, hvp, jacfwd, jacfwd_holomorphic, jacrev, jvp, linear_transpose, linearize, value_and_grad, vjp,
};
pub use graph::graph;
pub use jit::{interpret, jit, trace};
pub use nan::{NanReport, Sweep, find_nan};
pub use objective::Objective;
pub use profile::{Activity, Event, Profile, profile};
pub use report::{Report, compilations_of_this_thread, report};
pub use sparse::{Csr, Sparsity, sparse_hessian, sparse_jacobian};
pub use taylor::{jet, nth_derivative};
pub use vectorize::{MapAxes, vmap, vmap_axes};
pub use wengert_compile::{Cost, Fused};
pub use wengert_core::functions::*;
pub use wengert_core::ops::{Axes, Index, Indices, Integers, KeepDims, Span, Spans, sort_together};
pub use wengert_core::program::parse;
pub use wengert_core::trace::concrete;
pub use wengert_core::{
    Array, ArrayType, DType, Element, Error, ErrorKind, Keep, Kernel, Program, Scalar, Shape, Term, Tree, Type, arange,
    array, bf16, callback, check, checkpoint, checkpoint_keeping, complex, concatenate, cond, custom_jvp, custom_root,
    custom_vjp, custom_vmap, debug_callback, debug_print, extern_call, eye, f16, fori_loop, full, full_like,
    io_callback, keepdims, linear_solve, linspace, ones, ones_like, ones_of, promote_types, random, scan, scan_reverse,
    stack, tree, while_loop, zeros, zeros_like, zeros_of,
};
pub use wengert_derive::Tree;
pub use wengert_runtime::{num_threads, set_num_threads, with_num_threads};
pub use wengert_view::{Graph, Table};

/// The README's example runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
