//! What the compiler makes of a program computes what the program says, and how: fused, in place, in how much memory.

mod control;
mod engine;
mod fusion;
mod fuzz;
mod passes;
mod samples;
mod scale;
