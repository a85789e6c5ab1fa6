//! Machine code against the interpreter of routines, bit for bit.

mod agreement;
mod control;
mod folds;
mod lifetime;
mod passes;
mod scalars;
mod splitting;
