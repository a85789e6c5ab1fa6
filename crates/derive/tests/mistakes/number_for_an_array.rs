//! A number given to a transformed function.

use wengert_core::{Array, checkpoint};

fn main() {
    let f = checkpoint(|x: Array| x.sin());
    println!("{}", f(2.0));
}
