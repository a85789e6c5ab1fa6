//! Random numbers without hidden state: a [`Key`] is split rather than changed, and a draw is a function of its key.
//!
//! The same key gives the same numbers eagerly, compiled, under `vmap` and in any order of calls. Keys are made by
//! [`key`], [`Key::split`] and [`Key::fold_in`]; each key is for one draw. Bits, splits and folds are those of JAX 0.10
//! (threefry2x32 with `jax_threefry_partitionable=True`).
//!
//! ```
//! use wengert_core::{DType, random};
//!
//! let [noise, coin] = random::key(42).split();
//! let x = random::uniform(&noise, DType::F32, (2, 3));
//! let heads = random::bernoulli(&coin, 0.5, 10);
//! assert_eq!((x.shape().as_slice(), heads.dtype()), ([2, 3].as_slice(), DType::Bool));
//! ```

mod distributions;
mod key;
mod shaped;

pub use distributions::*;
pub use key::{Key, key};
pub use shaped::*;
