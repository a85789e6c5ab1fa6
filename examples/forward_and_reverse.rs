//! Both ways to differentiate f(x, y) = (x + y)(x - y) at (3, 2), step by step, and its computational graph.

use wengert::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let f = |(x, y): (Array, Array)| {
        let sum = &x + &y;
        let difference = &x - &y;
        sum * difference
    };
    let at = (Array::from(3.0), Array::from(2.0));

    println!("f(x, y) = (x + y)(x - y) at x = 3, y = 2:\n");
    let trace = explain(f, at.clone());
    println!("{trace}");

    println!("Forward mode goes down the table once for each input, with the tangent 1 there:");
    let (value, by_x) = jvp(f)(at.clone(), (1.0.into(), 0.0.into()));
    let (_, by_y) = jvp(f)(at.clone(), (0.0.into(), 1.0.into()));
    println!("  f = {value}, df/dx = {by_x}, df/dy = {by_y}");

    println!("Reverse mode goes up once, from the adjoint 1 of the result, and has both:");
    let (dx, dy) = grad(f)(at);
    println!("  df/dx = {dx}, df/dy = {dy}     (by hand: 2x = 6 and -2y = -4)");
    assert_eq!((dx, dy), (Array::from(6.0), Array::from(-4.0)));

    let file = std::env::temp_dir().join("forward_and_reverse.svg");
    std::fs::write(&file, trace.graph().svg())?;
    println!("\nThe graph with values, tangents and adjoints is in {}; in the language of Graphviz:\n", file.display());
    println!("{}", trace.graph().dot());
    Ok(())
}
