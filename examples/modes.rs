//! Forward or reverse? A whole Jacobian costs as many forward passes as there are inputs, or as many reverse passes as there
//! are outputs.
//!
//! Every pass of y_j = Σ_i sin(a_ji x_i) works on the m × n numbers of A, whose product of lengths stays the same here; so what
//! changes from row to row is only how many passes there are. Two costs are shown, both as multiples of that of f itself: the numbers
//! that the equations of the program work on, which is the same in every run, and the time of the compiled code, which is not.

use std::hint::black_box;
use std::time::{Duration, Instant};
use wengert::prelude::*;
use wengert::{Program, Type};
use wengert_examples::data::scattered;
use wengert_examples::plot::{self, Axis, Curve, Plot};

const SIZE: usize = 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("Cost of the Jacobian of a function with n inputs and m outputs, in evaluations of the function:\n");
    println!("                  counted             timed");
    println!("    n    m   jacfwd   jacrev   jacfwd   jacrev");
    let mut curves = [const { Vec::new() }; 4];
    for n in (0..=10).map(|k| 1 << k) {
        let m = SIZE / n;
        let (a, x) = (scattered(&[m, n], 0.1), scattered(&[n], 0.2));
        let f = |x: Array| (&a * x).sin().sum_axis(1);
        let (forward, reverse) = (jacfwd(f), jacrev(f));

        let work = |program: &Program| numbers(program) as f64;
        let one = work(&trace(f, &x));
        let counted = [work(&trace(&forward, &x)) / one, work(&trace(&reverse, &x)) / one];
        let once = time(jit(f), &x);
        let timed = [time(jit(&forward), &x), time(jit(&reverse), &x)].map(|t| t.as_secs_f64() / once.as_secs_f64());

        let costs = [counted, timed].concat();
        println!("{n:5}{m:5} {:8.1} {:8.1} {:8.1} {:8.1}", costs[0], costs[1], costs[2], costs[3]);
        for (points, cost) in curves.iter_mut().zip(costs) {
            points.push((n as f64, cost));
        }
        let off = (forward(x.clone()) - reverse(x)).abs().max().item::<f64>()?;
        assert!(off < 1e-14, "both are the Jacobian");
    }

    let [forward, reverse, ..] = &curves;
    let cheaper = |i: usize| if forward[i].1 < reverse[i].1 { "forward" } else { "reverse" };
    println!("\nOne input: {} mode is cheaper. One output: {} mode.", cheaper(0), cheaper(10));
    println!("jacfwd {}\njacrev {}", spark(forward), spark(reverse));
    assert_eq!([0, 4, 6, 10].map(cheaper), ["forward", "forward", "reverse", "reverse"]);
    assert!(forward[10].1 > 100.0 * forward[0].1, "forward passes are as many as inputs");
    assert!(reverse[0].1 > 100.0 * reverse[10].1, "reverse passes are as many as outputs");

    let [forward, reverse, forward_timed, reverse_timed] = curves;
    let curves = vec![
        Curve::new("jacfwd, counted", forward),
        Curve::new("jacrev, counted", reverse),
        Curve::new("jacfwd, timed", forward_timed).beside(0),
        Curve::new("jacrev, timed", reverse_timed).beside(1),
    ];
    let title = "A Jacobian by forward and by reverse mode, 1024/n outputs";
    let file = Plot::new(title, Axis::log("inputs n"), Axis::log("cost in evaluations"), curves)?.save("modes")?;
    println!("The curves are in {}.", file.display());
    Ok(())
}

/// The numbers that a program's equations read or make, whichever are more.
fn numbers(program: &Program) -> usize {
    let size = |v| if let Type::Array(array) = program.ty(v) { array.size() } else { 0 };
    program.equations().iter().filter_map(|e| e.args.iter().copied().chain(e.results()).map(size).max()).sum()
}

/// The best of several runs.
fn time(f: impl Fn(Array) -> Array, x: &Array) -> Duration {
    f(x.clone());
    let run = |_| {
        let start = Instant::now();
        black_box(f(black_box(x.clone())));
        start.elapsed()
    };
    (0..10).map(run).min().expect("it runs at least once")
}

fn spark(points: &[(f64, f64)]) -> String {
    plot::sparkline(&points.iter().map(|p| p.1.log10()).collect::<Vec<_>>())
}
