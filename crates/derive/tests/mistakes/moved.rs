//! Using an array after it was moved.

use wengert_core::Array;

fn shifted(x: Array) -> Array {
    x + 1.0
}

fn main() {
    let x = Array::from(2.0);
    let y = shifted(x);
    println!("{}", y * x);
}
