//! Programs that are long, deep, or share much.

use crate::engine::{agree_within, arguments, compiled, f64s, run, traced};
use std::sync::Arc;
use wengert_core::ops::{BinaryOp, Call, UnaryOp};
use wengert_core::program::{Builder, Program};
use wengert_core::source::Source;
use wengert_core::value::Value;
use wengert_core::{Array, DType, Type};
use wengert_kernel::{Binary, Unary};

/// `x = -x + x0` so many times.
fn chain(ty: &Type, n: usize) -> Program {
    let mut b = Builder::new();
    let first = b.input(ty.clone());
    let mut x = first;
    for _ in 0..n / 2 {
        x = b.push(UnaryOp(Unary::Neg).into(), [x].into_iter().collect(), [ty.clone()], Source::Unknown).first;
        let args = [x, first].into_iter().collect();
        x = b.push(BinaryOp(Binary::Add).into(), args, [ty.clone()], Source::Unknown).first;
    }
    b.finish(&[x])
}

/// Runs with little stack.
fn small(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(f).unwrap().join().unwrap();
}

#[test]
fn a_hundred_thousand_equations() {
    small(|| {
        for ty in [f64s(&[]), f64s(&[5])] {
            let program = chain(&ty, 100_000);
            let report = compiled(&program).report;
            // Groups are bounded; what goes from one to the next shares two buffers.
            assert!(report.arena_bytes <= 2 * 64, "{report}");
        }
    });
    let program = chain(&f64s(&[3]), 1000);
    agree_within(&program, &arguments(&program), 0.0);
}

#[test]
fn a_deep_dag_of_calls() {
    let ty = f64s(&[4]);
    let mask = Type::scalar(DType::Bool);
    let mut callee = Arc::new({
        let mut b = Builder::new();
        b.input(mask.clone());
        let x = b.input(ty.clone());
        let y = b.push(UnaryOp(Unary::Sin).into(), [x].into_iter().collect(), [ty.clone()], Source::Unknown).first;
        b.finish(&[y])
    });
    for _ in 0..40 {
        let mut b = Builder::new();
        let (m, x) = (b.input(mask.clone()), b.input(ty.clone()));
        let call = |b: &mut Builder, x| {
            let op = Call::of(callee.clone());
            b.push(op.into(), [m, x].into_iter().collect(), [ty.clone()], Source::Unknown).first
        };
        let y = call(&mut b, x);
        let z = call(&mut b, y);
        let program = b.finish(&[z]);
        callee = Arc::new(program);
    }
    let report = compiled(&callee).report;
    assert_eq!(report.functions, 41, "{report}");
}

#[test]
fn a_call_made_twice_is_a_function() {
    let ty = f64s(&[4]);
    let square = traced(&[Type::scalar(DType::Bool), ty.clone(), f64s(&[])], |x| {
        let (c, ys) = wengert_core::scan(|c: Array, x: Array| (&c + &x, c * x), x[2].clone(), x[1].clone());
        vec![c, ys, x[1].sum(), x[1].clone()]
    });
    let program = traced(&[ty], |x| {
        let first = wengert_core::ops::call(&square, &[x[0].clone(), x[0].sum()]);
        let second = wengert_core::ops::call(&square, &[first[1].flip(0), first[0].clone()]);
        [first, second].concat()
    });
    agree_within(&program, &arguments(&program), 1e-12);
    assert_eq!(compiled(&program).report.functions, 2);
}

#[test]
fn a_long_loop_runs_in_constant_memory() {
    let program = traced(&[f64s(&[8]), f64s(&[])], |x| {
        vec![wengert_core::fori_loop(0, 10_000, |_, c: Array| (&c * 0.5).sin() + &x[1], x[0].clone())]
    });
    let compiled = compiled(&program);
    assert_eq!((compiled.report.arena_bytes, compiled.report.copies), (0, 1), "{}", compiled.report);
    let args: Vec<Value> = arguments(&program);
    run(&compiled, &program, &args).unwrap();
}

#[test]
fn a_reduction_of_more_work_than_a_nest_takes() {
    // The sum over a leading axis does the work itself: of too much the end, which reads what comes before from memory.
    for n in [90, 94, 95, 96, 97, 98, 130, 200, 400] {
        let program = traced(&[f64s(&[3, 4])], |x| {
            let mut y = x[0].clone();
            for k in 0..n {
                y = if k % 2 == 0 { &y * 0.75 } else { y + &x[0] };
            }
            vec![y.sum_axis(0), (y * 2.0).sum_axis(0)]
        });
        agree_within(&program, &arguments(&program), 0.0);
        let alone = traced(&[f64s(&[3, 4])], |x| vec![(0..n).fold(x[0].clone(), |y, _| (y + 1.0) * &x[0]).sum_axis(0)]);
        agree_within(&alone, &arguments(&alone), 0.0);
    }
}
