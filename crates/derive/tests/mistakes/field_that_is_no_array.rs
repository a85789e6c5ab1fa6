//! A field of a tree that holds no arrays and is not marked as static.

extern crate wengert_core as wengert;

use wengert_core::{Array, Tree};

struct Name(&'static str);

#[derive(wengert_derive::Tree)]
struct Layer {
    weights: Array,
    name: Name,
}

fn main() {
    let layer = Layer { weights: Array::from(1.0), name: Name("first") };
    println!("{}", layer.name.0);
    println!("{}", layer.into_leaves(&mut Vec::new()).1);
}
