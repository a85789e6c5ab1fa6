//! Element types, shared buffers and the loop language of wengert.
//!
//! This crate knows nothing of arrays, derivatives or Cranelift.

pub mod buffer;
pub mod dtype;
pub mod math;
pub mod reduce;
pub mod routine;
pub mod scalar;

pub use buffer::Buffer;
pub use dtype::{DType, Element, Scalar};
pub use scalar::{Binary, Comparison, ScalarOp, Unary};
