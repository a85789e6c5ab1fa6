//! Writing an element of an array as if it were a vector.

use wengert_core::Array;

fn main() {
    let mut x = Array::from([1.0, 2.0]);
    x[0] = 3.0;
    println!("{x}");
}
