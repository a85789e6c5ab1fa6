//! Arrays, programs, primitives, tracing and transforms of wengert.
//!
//! This crate knows nothing of how loops or machine code are made.
//!
//! ```
//! use wengert_core::{Array, cond, fori_loop};
//!
//! let x = fori_loop(0, 3, |_, x: Array| 2.0 * x, Array::from(1.0));
//! assert_eq!(cond(&x.gt(5.0), || x.sqrt(), || -&x), Array::from(8f64.sqrt()));
//! ```

pub mod array;
mod complex;
pub mod error;
pub mod functions;
mod halves;
pub mod host;
pub mod interpret;
pub mod lanes;
pub mod notebook;
mod numbered;
pub mod ops;
pub mod primitive;
pub mod program;
pub mod refusal;
pub mod source;
pub mod sparsity;
pub mod trace;
pub mod transform;
pub mod tree;
pub mod types;
pub mod value;

pub use array::{
    Array, Term, arange, eye, full, full_like, linspace, ones, ones_like, ones_of, promote_types, zeros, zeros_like,
    zeros_of,
};
pub use complex::complex;
pub use error::{Error, ErrorKind};
pub use functions::{associative_scan, random, switch};
pub use ops::{
    Keep, callback, check, checkpoint, checkpoint_keeping, concatenate, cond, custom_jvp, custom_root, custom_vjp,
    custom_vmap, debug_callback, extern_call, fori_loop, io_callback, keepdims, linear_solve, scan, scan_reverse,
    stack, while_loop,
};
pub use program::Program;
pub use tree::Tree;
pub use types::{ArrayType, Shape, Type};
pub use wengert_kernel::{DType, Element, Scalar, bf16, f16};
pub use wengert_runtime::Kernel;
