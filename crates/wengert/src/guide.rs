//! The guide: eleven short chapters, in an order in which they can be read. Every snippet is a test.
//!
//! 1. [Thinking in traces](traces): what runs when, and what a program is.
//! 2. [Transforms](transforms): `grad`, `jvp`, `vmap`, `jit` and their nesting.
//! 3. [Trees](trees): arguments and results that are more than one array.
//! 4. [Control flow](control_flow): loops and branches, and what their derivatives are.
//! 5. [Randomness](randomness): what to do today.
//! 6. [Performance](performance): what is compiled when, what fuses, how to measure.
//! 7. [Errors and their repair](errors): the most frequent ones.
//! 8. [Seeing derivatives](seeing): the evaluation trace, the graph, the first NaN.
//! 9. [Coming from JAX](from_jax): a table of names, and where we differ.
//! 10. [Coming from PyTorch](from_pytorch): a table of names, and a training loop.
//! 11. [How it works inside](inside): one function at every stage.

#[doc = include_str!("guide/traces.md")]
pub mod traces {}

#[doc = include_str!("guide/transforms.md")]
pub mod transforms {}

#[doc = include_str!("guide/trees.md")]
pub mod trees {}

#[doc = include_str!("guide/control_flow.md")]
pub mod control_flow {}

#[doc = include_str!("guide/randomness.md")]
pub mod randomness {}

#[doc = include_str!("guide/performance.md")]
pub mod performance {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}

#[doc = include_str!("guide/seeing.md")]
pub mod seeing {}

#[doc = include_str!("guide/from_jax.md")]
pub mod from_jax {}

#[doc = include_str!("guide/from_pytorch.md")]
pub mod from_pytorch {}

#[doc = include_str!("guide/inside.md")]
pub mod inside {}
