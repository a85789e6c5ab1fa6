//! Asking an array to be a condition.

use wengert_core::Array;

fn main() {
    let x = Array::from(2.0);
    if x > 1.0 {
        println!("greater");
    }
}
