//! What the examples share: their data, the look of their plots, and progress bars.

pub mod data;
pub mod plot;
pub mod progress;
