//! A function of a plain number where one of arrays is asked for.

use wengert_core::checkpoint;

fn main() {
    let f = checkpoint(|x: f64| x.sin());
    println!("{}", f(2.0));
}
