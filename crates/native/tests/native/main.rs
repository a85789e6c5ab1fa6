//! Machine code against the interpreter of routines, bit for bit.

mod agreement;
mod control;
#[cfg_attr(not(target_os = "linux"), path = "no_fence.rs")]
mod fence;
mod folds;
mod lifetime;
mod passes;
mod scalars;
mod splitting;
mod threads;
