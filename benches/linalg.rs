//! Linear algebra, compiled: `cargo bench --bench linalg`. The same rows in NumPy and JAX: `python benches/linalg.py`.

use std::hint::black_box;
use std::time::Instant;
use wengert::linalg;
use wengert::prelude::*;
use wengert_benches::numbers;

fn main() {
    let small = numbers(&[10_000, 3, 3], 1.0);
    let small = small.matmul(&small.swap_axes(-2, -1)) + eye(3);
    show("cholesky of 10,000 3x3", small.clone(), |a: Array| linalg::cholesky(&a));
    show("solve of 10,000 3x3", small.clone(), |a: Array| linalg::solve(&a, &ones(3)));
    show("eigh of 10,000 3x3", small.clone(), |a: Array| linalg::eigh(&a));
    show("gradient of cholesky of 10,000 3x3", small, grad(|a: Array| linalg::cholesky(&a).sum()));
    let a = numbers(&[500, 500], 1.0);
    let definite = a.dot(&a.transpose()) + 500.0 * eye(500);
    show("cholesky of 500x500", definite.clone(), |a: Array| linalg::cholesky(&a));
    show("lu of 500x500", a.clone(), |a: Array| linalg::lu_factor(&a));
    show("solve of 500x500, one right side", a.clone(), |a: Array| linalg::solve(&a, &ones(500)));
    show("inv of 500x500", a.clone(), |a: Array| linalg::inv(&a));
    show("qr of 500x500", a.clone(), |a: Array| linalg::qr(&a, false));
    show("eigh of 500x500", definite.clone(), |a: Array| linalg::eigh(&a));
    show("eigvalsh of 500x500", definite, |a: Array| linalg::eigvalsh(&a));
    show("svd of 500x500", a.clone(), |a: Array| linalg::svd(&a, false));
    show("svdvals of 500x500", a, |a: Array| linalg::svdvals(&a));
}

/// The median and the least of the times of 15 calls, in milliseconds.
fn show<R: Tree>(name: &str, a: Array, f: impl Fn(Array) -> R) {
    let f = jit(f);
    drop(f(a.clone()));
    let mut times: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            drop(black_box(f(a.clone())));
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<40}{:>10.3} ms{:>10.3} ms", times[7], times[0]);
}
