//! A closure whose argument has no type.

use wengert_core::{Array, checkpoint};

fn main() {
    let f = checkpoint(|x| x.sin());
    println!("{}", f(Array::from(2.0)));
}
