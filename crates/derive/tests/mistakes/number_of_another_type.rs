//! An f32 beside an array; plain numbers are f64 in the source and take the dtype of the array.

use wengert_core::Array;

fn main() {
    let x = Array::from([1.0f32, 2.0]);
    println!("{}", x * 2.0f32);
}
