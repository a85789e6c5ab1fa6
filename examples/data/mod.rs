//! The data sets that the examples read.
