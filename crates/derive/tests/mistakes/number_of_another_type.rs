//! An `f32` literal beside an array: only `f64` and `i32` numbers take the dtype of the array.

use wengert_core::Array;

fn main() {
    let x = Array::from([1.0f32, 2.0]);
    println!("{}", x * 2.0f32);
}
