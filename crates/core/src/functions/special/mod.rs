//! Special functions, elementwise.

mod gamma;
