//! The cost of a call, where the work itself is next to nothing, and of results written over arguments:
//! `cargo bench --bench call`.
//!
//! With a number of rounds it only calls, for counts of instructions:
//! `valgrind --tool=callgrind target/release/deps/call-... 10000`.

use std::hint::black_box;
use std::time::Instant;
use wengert::prelude::*;

fn main() {
    let slope = jit(grad(|x: Array| (x.square() + 3.0 * &x).sum()));
    let x = Array::from([0.5; 8]);
    let rounds: Option<u32> = std::env::args().find_map(|a| a.parse().ok());
    if let Some(rounds) = rounds {
        for _ in 0..rounds {
            drop(black_box(slope(x.clone())));
        }
        return;
    }
    let pair = jit(|(x, y): (Array, Array)| (&x + &y, x * y));
    let y = Array::from([1.5; 8]);
    let double = jit(|x: Array| 2.0 * x);
    let number = Array::from(1.5);
    println!("nanoseconds: median, least");
    let show = |name: &str, (median, least): (f64, f64)| println!("{name:<36}{median:>12.1}{least:>12.1}");
    show("gradient on 8 elements", time(10_000, || drop(black_box(slope(x.clone())))));
    show("two in, two out", time(10_000, || drop(black_box(pair((x.clone(), y.clone()))))));
    show("one number", time(10_000, || drop(black_box(double(number.clone())))));

    let step = jit(|(p, g): (Array, Array)| p - 1e-9 * g);
    for (n, rounds) in [(8, 10_000), (1 << 20, 1)] {
        let (p, g) = (numbers(n), numbers(n));
        let held = time(rounds, || drop(black_box(step((p.clone(), g.clone())))));
        show(&format!("p - 1e-9 g of {n}, p held"), held);
        let mut p = Some(step((p, g.clone())));
        let moved = time(rounds, || p = p.take().map(|p| step((p, g.clone()))));
        show(&format!("p - 1e-9 g of {n}, p moved in"), moved);
    }
}

fn numbers(n: usize) -> Array {
    Array::from((0..n).map(|i| (i as f32 * 0.618).fract()).collect::<Vec<f32>>())
}

/// The median and the least of 101 samples of so many calls.
fn time(rounds: u32, mut f: impl FnMut()) -> (f64, f64) {
    let mut sample = || {
        let start = Instant::now();
        (0..rounds).for_each(|_| f());
        start.elapsed().as_secs_f64() / f64::from(rounds) * 1e9
    };
    let mut samples: Vec<f64> = (0..101).map(|_| sample()).collect();
    samples.sort_by(f64::total_cmp);
    (samples[50], samples[0])
}
