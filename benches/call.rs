//! The cost of a call, where the work itself is next to nothing: `cargo bench --bench call`.
//!
//! With a number of rounds it only calls, for counts of instructions:
//! `valgrind --tool=callgrind target/release/deps/call-... 100000`.

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
    let one = jit(|x: Array| 2.0 * x);
    let scalar = Array::from(1.5);
    println!("gradient on 8 elements  {:.1?} ns", nanoseconds(|| drop(black_box(slope(x.clone())))));
    println!("two in, two out         {:.1?} ns", nanoseconds(|| drop(black_box(pair((x.clone(), y.clone()))))));
    println!("one number              {:.1?} ns", nanoseconds(|| drop(black_box(one(scalar.clone())))));
}

/// The median and the least of 101 samples of 10,000 calls.
fn nanoseconds(f: impl Fn()) -> (f64, f64) {
    let sample = || {
        let start = Instant::now();
        (0..10_000).for_each(|_| f());
        start.elapsed().as_secs_f64() / 1e4 * 1e9
    };
    let mut samples: Vec<f64> = (0..101).map(|_| sample()).collect();
    samples.sort_by(f64::total_cmp);
    (samples[50], samples[0])
}
