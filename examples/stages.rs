//! One function at every stage: traced, pushed forward, split, transposed, simplified, as loops.

use wengert::execute::Executable;
use wengert::prelude::*;
use wengert_core::transform::{jvp, linearize, transpose_linear};

fn main() -> Result<(), wengert::Error> {
    let f = |x: Array| (&x * x.sin()).sum();
    let x = Array::from([1.0, 2.0, 3.0]);

    let program = trace(f, &x);
    println!("traced:\n{program:#}");
    println!("jvp, every value beside its tangent:\n{:#}", jvp(&program, &[true], &[true]).program);
    let halves = linearize(&program, &[true], &[true]);
    println!("split, the known half:\n{:#}", halves.known);
    println!("split, the linear half:\n{:#}", halves.linear);
    println!("the linear half transposed:\n{:#}", transpose_linear(&halves));
    let gradient = trace(grad(f), &x);
    println!("the gradient, put together and simplified:\n{gradient:#}");
    println!("as loops:\n{}", Executable::new(&gradient)?.compiled().routine);
    println!("the value: {}", jit(grad(f))(x));
    Ok(())
}
