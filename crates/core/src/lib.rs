//! Arrays, programs, primitives, tracing and transforms of wengert.
//!
//! This crate knows nothing of how loops or machine code are made.

pub mod array;
pub mod error;
pub mod functions;
pub mod interpret;
pub mod ops;
pub mod primitive;
pub mod program;
pub mod source;
pub mod trace;
pub mod transform;
pub mod tree;
pub mod types;
pub mod value;

pub use array::{Array, Term, promote_types};
pub use error::{Error, ErrorKind};
pub use ops::{check, checkpoint, cond, fori_loop, scan, scan_reverse, while_loop};
pub use program::Program;
pub use tree::Tree;
pub use types::{ArrayType, Shape, Type};
pub use wengert_kernel::{DType, Element, Scalar};
