//! The data sets that the examples read. `README.md` beside this file names their sources and licences.

pub mod digits;
mod scattered;
mod table;

pub use scattered::scattered;
pub use table::{cobb_douglas, longley};
