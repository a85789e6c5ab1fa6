//! Sparse Jacobians and Hessians against dense ones, and their number of passes.

use std::sync::Arc;
use wengert::prelude::*;
use wengert::{Sparsity, try_call};
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
        (|x| fori_loop(0, 3, |_, c: Array| c.sin() * x.at(0), x.clone()), 6),
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

/// The Jacobian of a program's only output by its only moving input, column by column, by forward mode.
fn columns(program: &Arc<Program>, args: &[Value], input: usize) -> Vec<Vec<f64>> {
    let active: Vec<bool> = (0..args.len()).map(|i| i == input).collect();
    let pushed = transform::jvp(program, &active, &[true]).program;
    let n = args[input].array().size();
    let column = |j: usize| {
        let unit = (0..n).map(|k| if k == j { 1.0 } else { 0.0 }).collect();
        let dx = Value::Array(ArrayValue::new(&args[input].array().shape, unit));
        interpret(&pushed, [args, &[dx]].concat()).unwrap()[1].array().slice::<f64>().to_vec()
    };
    (0..n).map(column).collect()
}

#[test]
fn no_pattern_lacks_an_element() {
    let mut names = std::collections::BTreeSet::new();
    for sample in samples() {
        let arrays = sample.args.iter().all(|x| !x.ty().is_list());
        if !arrays || sample.op.effect() != Effect::None {
            continue;
        }
        let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
        let program = Arc::new(trace_closed(&types, |x| {
            record(sample.op.clone(), &x.iter().collect::<Vec<_>>()).into_iter().take(1).collect()
        }));
        let result = program.output_types().next().cloned();
        if result.is_none_or(|ty| ty.is_list() || ty.dtype() != DType::F64) {
            continue;
        }
        for &input in sample.smooth.iter().filter(|&&i| types[i].dtype() == DType::F64) {
            let rows = pattern(&program, sample.args.clone(), input).unwrap().remove(0);
            for (j, column) in columns(&program, &sample.args, input).into_iter().enumerate() {
                for (i, &slope) in column.iter().enumerate() {
                    let has = rows[i].binary_search(&(j as u32)).is_ok();
                    assert!(has || slope == 0.0, "{} element {i} by {j} is {slope}", sample.op.name());
                }
            }
            names.insert(sample.op.name());
        }
    }
    assert!(names.len() > 60, "{} {names:?}", names.len());
}
