//! Using an array after it was moved.

use wengert_core::Array;

fn main() {
    let x = Array::from(2.0);
    let y = x + 1.0;
    println!("{}", y * x);
}
