//! A float as a static field, which has no equality to look code up by.

extern crate wengert_core as wengert;

use wengert_core::Array;

#[derive(wengert_derive::Tree)]
struct Layer {
    weights: Array,
    #[tree(static)]
    rate: f64,
}

fn main() {
    let layer = Layer { weights: Array::from(1.0), rate: 0.5 };
    println!("{}", layer.rate * layer.weights.item::<f64>().unwrap());
}
