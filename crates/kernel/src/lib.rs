//! Element types, shared buffers and the loop language of wengert.
//!
//! This crate knows nothing of arrays, derivatives or Cranelift.

pub mod buffer;
pub mod dtype;
mod halves;
pub mod in_place;
pub mod interpret;
pub mod math;
mod operand;
mod parse;
mod print;
pub mod reduce;
pub mod routine;
pub mod scalar;
mod threefry;
pub mod verify;

pub use buffer::Buffer;
pub use dtype::{DType, Element, Scalar};
pub use half::{bf16, f16};
pub use scalar::{Binary, Comparison, ScalarOp, Unary};
pub use threefry::threefry;
