//! Compiled programs give the same bits for any number of threads, and those of the interpreter.

use std::sync::Arc;
use wengert::execute::Executable;
use wengert::prelude::*;
use wengert::{Program, arange, interpret, with_num_threads};

fn numbers(shape: &[usize]) -> Array {
    let n: usize = shape.iter().product();
    ((arange(0.0, n as f64, 1.0) * 0.37).sin() * 3.0).reshape(shape)
}

/// The bytes of all results.
fn bytes(results: &[Array]) -> Vec<Vec<u8>> {
    results.iter().map(|y| y.clone().into_buffer("a test").unwrap().bytes().to_vec()).collect()
}

/// Runs `f` in every way; `exact` when the interpreter's bits are demanded (it has products of its own).
fn check(name: &str, exact: bool, f: impl Fn(Array) -> Vec<Array> + Clone, x: Array) {
    let program: Arc<Program> = trace(f.clone(), &x);
    let want = bytes(&interpret(f)(x.clone()));
    let mut first: Option<Vec<Vec<u8>>> = None;
    let usual = wengert_compile::Options { verify: true, ..Default::default() };
    for options in [usual, wengert_compile::Options { parallel: 0, blocks: 64, ..usual }] {
        let checked = wengert_native::Options { verify: true, ..Default::default() };
        let executable = Executable::compiled_with(&program, &options, &checked).unwrap();
        if options.parallel == 0 && exact {
            assert!(executable.compiled().routine.to_string().contains(" parallel "), "{name} is for one thread");
        }
        for threads in [1, 2, 3, 8] {
            let got = with_num_threads(threads, || {
                let results = executable.run(&[], &mut vec![x.clone()], |results| results.collect::<Vec<Array>>());
                bytes(&results.unwrap())
            });
            if exact {
                assert!(got == want, "{name} with {threads} threads is not what the interpreter gives");
            }
            let first = first.get_or_insert_with(|| got.clone());
            assert!(got == *first, "{name} with {threads} threads differs from one");
        }
    }
}

#[test]
fn elementwise_work_of_odd_lengths() {
    for n in [128, 129, 1000, 4099, 100_003] {
        let f = |x: Array| vec![x.exp() * x.sin() + 1.0, x.square() - arange(0.0, x.size() as f64, 1.0)];
        check("elementwise", true, f, numbers(&[n]));
    }
}

#[test]
fn reductions_keep_their_order() {
    for n in [8192, 8193, 40_960, 65_537, 300_001] {
        let f = |x: Array| vec![x.sum(), x.max(), x.sin().sum(), (&x * &x).sum() / x.min()];
        check("whole", true, f, numbers(&[n]));
    }
    for (rows, columns) in [(1024, 3), (2000, 50), (5003, 17), (1300, 257), (40_000, 4)] {
        let f = |x: Array| vec![x.sum_axis(0), x.exp().sum_axis(0), x.max_axis(0), x.sum_axis(1)];
        check("columns and rows", true, f, numbers(&[rows, columns]));
    }
}

#[test]
fn rows_with_scratch() {
    let softmax = |x: Array| vec![x.softmax(1), x.logsumexp_axis(1)];
    check("softmax", true, softmax, numbers(&[130, 300]));
    let normed = |x: Array| vec![(&x - x.mean_axis(keepdims(1))) / x.var_axis(keepdims(1)).sqrt()];
    check("layernorm", true, normed, numbers(&[64, 700]));
    check("gradient", true, |x: Array| vec![grad(|x: Array| x.softmax(1).square().sum())(x)], numbers(&[130, 300]));
}

#[test]
fn derivatives_loops_and_batches() {
    let rosenbrock = |x: Array| {
        let (a, b) = (x.slice(..-1), x.slice(1..));
        (100.0 * (b - a.square()).square() + (1.0 - a).square()).sum()
    };
    check("hessian", true, move |x: Array| vec![hessian(rosenbrock)(x)], numbers(&[150]));
    let energy = |x: Array| x.softmax(0).square().sum();
    check("vmap(grad)", true, move |x: Array| vec![vmap(grad(energy))(x)], numbers(&[500, 9]));
    let steps = |x: Array| {
        let step = |h: Array, _: Array| (&h + 0.01 * h.sin() * h.cos(), h.sum());
        let (h, sums) = scan(step, x, arange(0_i64, 20, 1));
        vec![h, sums]
    };
    check("scan", true, steps, numbers(&[10_001]));
}

#[test]
fn products_sorts_and_gathers() {
    let product = |x: Array| vec![x.matmul(&x.transpose()), x.transpose().matmul(&x)];
    check("products", false, product, numbers(&[300, 200]));
    check("sort", true, |x: Array| vec![x.sort(1), x.argsort(1), x.cumsum(1)], numbers(&[300, 200]));
    let gather = |x: Array| {
        let at = (arange(0_i64, 5000, 1) * 7919) % 3000;
        vec![x.at(&at), zeros((3000, 8)).scatter_add(&at, &x.at(&at))]
    };
    check("gather and scatter", true, gather, numbers(&[3000, 8]));
}
