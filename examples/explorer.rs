//! A page on which a small loss, its derivatives, its loops and its machine code lie side by side.

use wengert::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = array![[0.5, -1.0], [1.5, 2.0], [-0.3, 0.8]];
    let wanted = array![1.0, -1.0, 0.5];
    let loss = |(w, b): (Array, Array)| {
        let hidden = (x.matmul(&w) + b).tanh();
        let output = hidden.sum_axis(1);
        let error = output - &wanted;
        error.square().mean()
    };
    let at = (array![[0.1, -0.2, 0.3], [0.4, 0.5, -0.6]], array![0.0, 0.1, -0.1]);

    std::fs::create_dir_all("target/plots")?;
    let file = "target/plots/explorer.html";
    explore(loss, at.clone(), file)?;
    println!("The page is in {file}: point at a line, and all that stems from it lights up.\n");

    let gradient = jit(grad(loss));
    println!("{}", report(&gradient, at));
    Ok(())
}
