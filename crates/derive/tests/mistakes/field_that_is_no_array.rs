//! A field of a tree that holds no arrays and is not marked as static.

extern crate wengert_core as wengert;

use wengert_core::{Array, Tree};

#[derive(wengert_derive::Tree)]
struct Layer {
    weights: Array,
    name: String,
}

fn main() {
    let layer = Layer { weights: Array::from(1.0), name: "first".into() };
    println!("{}", layer.into_leaves(&mut Vec::new()).1);
}
