//! Sparse Jacobians and Hessians against dense ones, and their number of passes.

use std::sync::Arc;
use wengert::prelude::*;
use wengert::{
    Padding, Sparsity, checkpoint, custom_jvp, custom_root, custom_vjp, fft, linalg, linear_solve, try_call,
};
use wengert_core::interpret::interpret;
use wengert_core::ops::samples;
use wengert_core::primitive::Effect;
use wengert_core::sparsity::pattern;
use wengert_core::trace::{record, trace_closed};
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Program, Type, transform};

fn numbers(n: usize) -> Array {
    (arange(1.0, n as f64 + 0.5, 1.0) * 0.7).sin()
}

/// Second differences with a nonlinear term: a band of three.
fn band(x: Array) -> Array {
    let zero = zeros(1);
    let (right, left) = (concatenate(&[&x.slice(1..), &zero], 0), concatenate(&[&zero, &x.slice(..-1)], 0));
    right * &left + x.exp() - 2.0 * x
}

#[test]
fn sparse_jacobians_are_the_dense_ones() {
    type F = fn(Array) -> Array;
    let table: F = |x| x.take(array![4i64, 0, 0, 2], 0) * x.slice(..4);
    let fs: [(F, usize); 12] = [
        (band, 3),
        (|x| x.sin(), 1),
        (|x| x.sum(), 1),
        (|x| x.at(2) * &x, 2),
        (|x| x.slice(1..) - x.slice(..-1), 2),
        (|x| x.reshape((2, 3)).sum_axis(0), 1),
        (|x| x.reshape((2, 3)).transpose().flatten().square(), 1),
        (|x| x.reshape((2, 3)).dot(&eye(3)).flatten(), 3),
        (table, 2),
        (|x| concatenate(&[x.slice(3..), zeros(2), x.slice(..1)], 0).exp(), 1),
        (|x| x.scatter_add(array![0i64, 1], &x.slice(4..).square()), 2),
        (|x| fori_loop(0, 3, |_, c: Array| c.sin() * x.at(0), x.clone()), 2),
    ];
    for (k, (f, passes)) in fs.into_iter().enumerate() {
        let x = numbers(6);
        let dense = jacfwd(f)(x.clone());
        let dense = dense.reshape((dense.size() / 6, 6));
        let sparse = sparse_jacobian(f, x.clone());
        assert_eq!(sparse.to_dense(), dense, "{k}");
        assert_eq!(sparse.pattern().passes(), passes, "{k}");
        approx::assert_relative_eq!(sparse.dot(&numbers(6)), dense.dot(&numbers(6)), max_relative = 1e-14);
        let pattern = sparse.pattern().clone();
        let elsewhere = jit(|x: Array| pattern.jacobian(f, x))(1.0 + &x);
        let there = sparse_jacobian(f, 1.0 + x);
        approx::assert_relative_eq!(elsewhere, there.values().clone(), max_relative = 1e-14);
    }
}

/// Checks the pattern of a function of so many numbers: its elements (none lacks, and as many as said) and passes.
fn check(f: impl Fn(Array) -> Array, x: Array, (nonzeros, passes): (usize, usize)) {
    let dense = jacfwd(&f)(x.clone());
    let (m, n) = (dense.size() / x.size(), x.size());
    let dense = dense.reshape((m, n));
    let sparse = sparse_jacobian(|x: Array| f(x).flatten(), x);
    assert_eq!((sparse.pattern().nonzeros(), sparse.pattern().passes()), (nonzeros, passes));
    let scale = dense.abs().max().item::<f64>().unwrap();
    approx::assert_relative_eq!(sparse.to_dense(), dense, max_relative = 1e-13, epsilon = 1e-14 * scale);
}

/// One explicit Euler step of the heat equation.
fn heat(u: Array) -> Array {
    let zero = zeros(1);
    let (right, left) = (concatenate(&[&u.slice(1..), &zero], 0), concatenate(&[&zero, &u.slice(..-1)], 0));
    &u + 0.2 * (right + left - 2.0 * &u)
}

#[test]
fn loops_are_followed_round_by_round() {
    let steps = |x: Array| fori_loop(0, 20, |_, u: Array| heat(u), x);
    let rows = |x: Array| scan(|u: Array, w: Array| (heat(u) * w, ()), x, linspace(0.9, 1.1, 20)).0;
    // A band of 41, less what lies outside of the matrix.
    let band = |n: usize| (41 * n - 20 * 21, 41);
    check(steps, numbers(100), band(100));
    check(rows, numbers(100), band(100));
    let found = Sparsity::of_jacobian(steps, &numbers(2000));
    assert_eq!((found.nonzeros(), found.passes()), band(2000));
    assert_eq!(sparse_jacobian(rows, numbers(2000)).pattern().passes(), 41);

    // Of rows that are returned: each depends on its own and the one before.
    let pairs = |x: Array| scan(|before: Array, x: Array| (x.clone(), (before * &x, x.sin())), 1.0.into(), x).1;
    check(|x| pairs(x).0, numbers(9), (17, 2));
    check(|x| pairs(x).1, numbers(9), (9, 1));
    // In the other direction, rows of rows, and what is kept of every round.
    check(|x| scan_reverse(|sum: Array, x: Array| (&sum + &x, sum * x), 0.0.into(), x).1, numbers(5), (15, 5));
    let rows = |x: Array| {
        let row = |sum: Array, row: Array| {
            (sum + row.at(0), scan(|c: Array, x: Array| (x.clone(), c * x), 1.0.into(), row).1)
        };
        scan(row, 0.0.into(), x.reshape((3, 4))).1
    };
    check(rows, numbers(12), (3 * 7, 2));
    check(grad(move |x: Array| rows(x).sin().sum()), numbers(12), (3 * 10, 3));
    check(grad(|x: Array| pairs(x).0.square().sum()), numbers(9), (25, 3));
    let stacked = |x: Array| scan(|u: Array, _: Array| (heat(u.clone()), u.square()), x, arange(0.0, 3.0, 1.0)).1;
    check(stacked, numbers(8), (8 + 22 + 34, 5));
}

#[test]
fn branches_and_rounds_are_those_of_the_point() {
    let halved = |x: Array| while_loop(|x: Array| x.abs().max().gt(0.3), |x: Array| 0.5 * x.sin(), x);
    check(halved, numbers(7), (7, 1));
    let spread = |x: Array| while_loop(|(i, _): (Array, Array)| i.lt(3), |(i, u)| (i + 1, heat(u)), (0.into(), x)).1;
    check(spread, numbers(12), (7 * 12 - 3 * 4, 7));
    let by_size = |x: Array| fori_loop(0, x.abs().sum().convert(DType::I64), |_, u: Array| heat(u), x);
    let rounds = numbers(12).abs().sum().item::<f64>().unwrap() as usize;
    assert!(rounds > 3);
    check(by_size, numbers(12), ((2 * rounds + 1) * 12 - rounds * (rounds + 1), 12));
    let branch = |x: Array| cond(&x.at(0).gt(0.0), || x.square(), || x.sum() * &x);
    check(branch, numbers(6).abs(), (6, 1));
    check(branch, -numbers(6).abs(), (36, 6));
    check(|x| cond(&x.at(0).gt(2.0), || x.square(), || zeros(6)), numbers(6), (0, 1));
    // Every lane makes its own rounds, and has its own branch.
    let lane = |x: Array| while_loop(|x: Array| x.abs().max().gt(0.3), |x: Array| 0.2 * x.sum() * x.sin(), x);
    let lanes = |x: Array| vmap(lane)(x.reshape((3, 2)));
    let point = || array![0.1, 0.2, 0.9, -0.7, 1.4, 2.0];
    check(lanes, point(), (2 + 4 + 4, 2));
    let lane = |x: Array| cond(&x.sum().gt(0.5), || x.sum() * &x, || x.sin());
    check(|x| vmap(lane)(x.reshape((3, 2))), point(), (2 + 2 + 4, 2));
    // What a lane's other branch multiplies by zero counts, too.
    check(grad(move |x: Array| vmap(lane)(x.reshape((3, 2))).square().sum()), point(), (3 * 4, 2));
    let rows = |x: Array| scan(|c: Array, x: Array| (lane(c * x), ()), array![0.4, 0.2], x.reshape((2, 2))).0;
    check(|x| vmap(rows)(x.reshape((2, 4))), linspace(0.1, 1.2, 8), (4 + 8, 2));
}

#[test]
fn what_the_runtime_does_is_followed_part_by_part() {
    let triangle = |n: usize| (n * (n + 1) / 2, n);
    check(|x| x.cumsum(0), numbers(9), triangle(9));
    check(|x| x.cumprod_reverse(0), numbers(9), triangle(9));
    check(|x| x.reshape((3, 4)).cummax(0), numbers(12), (4 * 6, 3));
    check(|x| x.slice(..4).linear_recurrence(&x.slice(4..), 0), numbers(8), (10 + 6, 4));
    // A batch of small matrices is block diagonal.
    let definite = |x: Array| {
        let a = x.reshape((100, 3, 3));
        a.matmul(&a.swap_axes(1, 2)) + eye(3)
    };
    let factors = |x: Array| linalg::cholesky(&definite(x));
    check(factors, numbers(900), (900 * 9, 9));
    check(|x| linalg::eigvalsh(&definite(x)), numbers(900), (300 * 9, 3));
    check(|x| linalg::det(&x.reshape((5, 2, 2))), numbers(20), (20, 1));
    // Right sides of one matrix do not meet.
    let solved = |x: Array| vmap(|b: Array| linalg::solve(&(eye(3) + 0.1 * ones((3, 3))), &b))(x.reshape((4, 3)));
    check(solved, numbers(12), (36, 3));
    let triangular = |b: &Array| linalg::solve_triangular(&(eye(3) * 2.0), b, linalg::Triangle::LOWER);
    check(|x| triangular(&x.reshape((3, 4))), numbers(12), (36, 3));
    let spectrum = |x: Array| fft::rfft(&x.reshape((3, 8))).abs();
    check(spectrum, numbers(24), (15 * 8, 5));
    // Convolutions reach as far as their kernels.
    let smooth = |x: Array| x.reshape((1, 1, 20)).conv1d(&array![[[0.2, 0.5, 0.3]]], 1, Padding::Valid);
    check(smooth, numbers(20), (18 * 3, 3));
    check(|x| x.sort(0), numbers(8), (8, 1));
}

#[test]
fn rules_of_the_user_are_followed_by_what_they_say() {
    // A step whose rule is that of the identity.
    let through =
        custom_jvp(|x: Array| x.gt(0.0).convert(DType::F64), |x: Array, dx: Array| (x.gt(0.0).convert(DType::F64), dx));
    check(through, numbers(6), (6, 1));
    let clipped = custom_vjp(
        |(x, y): (Array, Array)| (&x * y.sin(), heat(y)),
        |(x, y): (Array, Array)| ((&x * y.sin(), heat(y.clone())), (x, y)),
        |(x, y): (Array, Array), (c, d): (Array, Array)| (&c * y.sin(), c * x * y.cos() + heat(d)),
    );
    let pair = |k: usize| {
        let clipped = &clipped;
        move |x: Array| {
            let (u, v) = clipped((x.slice(..5), x.slice(5..)));
            if k == 0 { u } else { v }
        }
    };
    check(pair(0), numbers(10), (10, 1));
    check(pair(1), numbers(10), (13, 3));
    // A solver's rounds by a tangent are not known: all of its system counts.
    let iterated = |x: Array| {
        let matvec = |v: Array| heat(v.clone()) + v;
        let steps = |a: &dyn Fn(Array) -> Array, b: Array| {
            while_loop(
                |v: Array| (a(v.clone()) - &b).abs().max().gt(1e-14),
                |v: Array| &v + 0.5 * (&b - a(v.clone())),
                zeros(6),
            )
        };
        linear_solve(matvec, x.square(), steps)
    };
    check(iterated, numbers(6), (36, 6));
    let roots = |x: Array| {
        let newton = |f: &dyn Fn(Array) -> Array, y: Array| fori_loop(0, 60, |_, y: Array| &y - 0.2 * f(y.clone()), y);
        let divided = |g: &dyn Fn(Array) -> Array, b: Array| &b / g(ones(6));
        custom_root(|y: Array| y.powi(3) + &y - &x, ones(6), newton, divided)
    };
    check(roots, numbers(6), (6, 1));
    check(|x| checkpoint(heat)(x), numbers(6), (16, 3));
}

#[test]
fn sparse_hessians_are_the_dense_ones() {
    type F = fn(Array) -> Array;
    let fs: [(F, usize); 5] = [
        (|x| band(x).square().sum(), 5),
        (|x| (100.0 * (x.slice(1..) - x.slice(..-1).square()).square() + (1.0 - x.slice(..-1)).square()).sum(), 3),
        (|x| x.sin().sum(), 1),
        (|x| x.sum().square(), 7),
        (|x| x.logsumexp(), 7),
    ];
    for (k, (f, passes)) in fs.into_iter().enumerate() {
        let sparse = sparse_hessian(f, numbers(7));
        approx::assert_relative_eq!(sparse.to_dense(), hessian(f)(numbers(7)), max_relative = 1e-13, epsilon = 1e-14);
        assert_eq!(sparse.pattern().passes(), passes, "{k}");
    }
}

#[test]
fn a_long_band_takes_three_passes() {
    let n = 100_000;
    let jacobian = sparse_jacobian(band, numbers(n));
    assert_eq!((jacobian.pattern().passes(), jacobian.indices().len()), (3, 3 * n - 2));
    assert_eq!(Sparsity::of_hessian(|x: Array| (x.slice(1..) * x.slice(..-1)).sin().sum(), &numbers(n)).passes(), 3);
}

#[test]
fn the_pattern_needs_a_point() {
    let error =
        try_call(|| jit(|x: Array| sparse_jacobian(band, x).values().clone())(ones(3))).unwrap_err().to_string();
    assert!(error.contains("not known while tracing"), "{error}");
    let error = try_call(|| sparse_jacobian(|x: Array| x.gt(0.0), ones(3))).expect_err("no floats").to_string();
    assert!(error.contains("only floats have derivatives"), "{error}");
    let pattern = Sparsity::of_jacobian(band, &ones(3));
    let error = try_call(|| pattern.jacobian(band, ones(4))).unwrap_err().to_string();
    assert!(error.contains("a function of 3 numbers"), "{error}");
    assert_eq!(sparse_jacobian(|x: Array| zeros(2) + 0.0 * x.sum().stop_gradient(), ones(3)).indices().len(), 0);
}

/// The numbers of a value, one row of a list after the other.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(a) => a.slice::<f64>().to_vec(),
        Value::List(l) => l.rows.iter().flat_map(flat).collect(),
    }
}

/// The Jacobian of a program's outputs, one after the other, by its only moving input, column by column, by forward mode.
fn columns(program: &Arc<Program>, args: &[Value], input: usize) -> Vec<Vec<f64>> {
    let active: Vec<bool> = (0..args.len()).map(|i| i == input).collect();
    let outputs = program.outputs().len();
    let pushed = transform::jvp(program, &active, &vec![true; outputs]).program;
    let n = args[input].array().size();
    let column = |j: usize| {
        let unit = (0..n).map(|k| if k == j { 1.0 } else { 0.0 }).collect();
        let dx = Value::Array(ArrayValue::new(&args[input].array().shape, unit));
        interpret(&pushed, [args, &[dx]].concat()).unwrap()[outputs..].iter().flat_map(flat).collect()
    };
    (0..n).map(column).collect()
}

#[test]
fn no_pattern_lacks_an_element() {
    let mut names = std::collections::BTreeSet::new();
    for sample in samples() {
        if sample.op.effect() != Effect::None {
            continue;
        }
        let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
        let program = Arc::new(trace_closed(&types, |x| {
            let results = record(sample.op.clone(), &x.iter().collect::<Vec<_>>());
            results.into_iter().filter(|y| y.ty().dtype() == DType::F64).collect()
        }));
        if program.outputs().is_empty() {
            continue;
        }
        let moves = |i: &&usize| !types[**i].is_list() && types[**i].dtype() == DType::F64;
        for &input in sample.smooth.iter().filter(moves) {
            let rows = pattern(&program, sample.args.clone(), input).unwrap().concat();
            for (j, column) in columns(&program, &sample.args, input).into_iter().enumerate() {
                for (i, &slope) in column.iter().enumerate() {
                    let has = rows[i].binary_search(&(j as u32)).is_ok();
                    assert!(has || slope == 0.0, "{} element {i} by {j} is {slope}", sample.op.name());
                }
            }
            names.insert(sample.op.name());
        }
    }
    assert!(["loop", "while", "cond", "call"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(names.len() > 60, "{} {names:?}", names.len());
}
