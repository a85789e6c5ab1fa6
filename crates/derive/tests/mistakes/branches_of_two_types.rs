//! A branch that gives an array and one that gives a number.

use wengert_core::{Array, cond};

fn main() {
    let x = Array::from(2.0);
    let y = cond(&x.gt(1.0), || x.sin(), || 0.0);
    println!("{y}");
}
