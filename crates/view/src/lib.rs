//! What people look at: programs as graphs and formulas, numbers as tables.
//!
//! It reads programs and changes nothing. What is shown of a user's function is put together in the face; here is how it
//! looks, as text, Markdown, HTML, DOT and SVG.

mod formula;
mod graph;
mod layout;
mod svg;
mod table;

pub use formula::formula;
pub use graph::{Edge, Graph, Kind, Node};
pub use svg::escape;
pub use table::Table;
