//! Calls in the steady state map no memory. Alone in its file, so that no other test runs beside it in the process.

#![cfg(target_os = "linux")]

use std::hint::black_box;
use wengert::prelude::*;
use wengert::with_num_threads;

/// Page faults of this process so far that needed no disk.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells");
    // After the name of the program, which may have spaces in it, the eighth field.
    let fields = stat.rsplit(')').next().expect("the rest of the line");
    fields.split_whitespace().nth(7).and_then(|n| n.parse().ok()).expect("a number")
}

/// Page faults of 100 calls after the first ten.
fn in_100_calls(call: &mut dyn FnMut()) -> u64 {
    (0..10).for_each(|_| call());
    let before = faults();
    (0..100).for_each(|_| call());
    faults() - before
}

/// A page fault in every fifth call would be 20.
const FEW: u64 = 20;

type Network = (Array, Array, Array);

fn loss((w1, b1, w2): &Network, x: &Array) -> Array {
    ((x.dot(w1) + b1).tanh().dot(w2) - 1.0).square().mean()
}

fn descend((p, x): (Network, Array)) -> (Network, Array) {
    let (dw1, db1, dw2) = grad(|p: Network| loss(&p, &x))(p.clone());
    ((p.0 - 0.1 * dw1, p.1 - 0.1 * db1, p.2 - 0.1 * dw2), x)
}

/// The gradient of 500 steps of a recurrent network by its matrix.
fn recurrent((w, xs): (Array, Array)) -> Array {
    let run = |w: Array| scan(|s: Array, x: Array| ((w.dot(&s) + x).tanh(), ()), zeros(32), xs.clone()).0.sum();
    grad(run)(w)
}

/// In one thread: what the library of matrix products takes in other threads goes back to the system, a page or two a call.
#[test]
fn the_steady_state_maps_no_memory() {
    with_num_threads(1, steady_state);
}

fn steady_state() {
    let big = || ones((1024, 1024));
    let (step, mut x) = (jit(|x: Array| x * 0.5 + 1.5), Some(big()));
    let in_place = in_100_calls(&mut || x = x.take().map(&step));
    let network = ((ones((256, 256)), ones(256), ones((256, 8))), ones((64, 256)));
    let (step, mut state) = (jit(descend), Some(network));
    let training = in_100_calls(&mut || state = state.take().map(&step));
    let (f, x) = (jit(|x: Array| (&x * 0.5 + 1.5, x.sin())), big());
    let fresh = in_100_calls(&mut || drop(black_box(f(x.clone()))));
    let (f, arguments) = (jit(recurrent), (ones((32, 32)) * 0.01, ones((500, 32))));
    let scanned = in_100_calls(&mut || drop(black_box(f(arguments.clone()))));
    println!("page faults of 100 calls: {in_place}, {training}, {fresh}, {scanned}");
    assert!(in_place < FEW, "{in_place} page faults of a step in place");
    assert!(training < FEW, "{training} page faults of a training step");
    assert!(fresh < FEW, "{fresh} page faults of fresh results");
    assert!(scanned < FEW, "{scanned} page faults of the gradient of a scan");
    // That they would be counted: memory of the allocator's, a page of every call.
    let mut kept = Vec::new();
    let mapped = in_100_calls(&mut || kept.push(black_box(vec![1u8; 1 << 20])));
    assert!(mapped > 10_000, "{mapped} page faults of fresh memory");
}
