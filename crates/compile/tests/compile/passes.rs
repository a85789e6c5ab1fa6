//! Each pass alone: what it makes of a program gives the bits that the program gave before it.

use crate::engine::{arguments, bytes, f64s, forward, gradient, run_loops, same_bits, traced, vmapped};
use crate::fuzz::{program, unsimplified};
use std::sync::Arc;
use wengert_compile::{Options, passes, routines};
use wengert_core::interpret::interpret;
use wengert_core::ops::{call, keepdims};
use wengert_core::program::{Program, simplify};
use wengert_core::types::Type;
use wengert_core::value::Value;
use wengert_core::{Array, DType, fori_loop};
use wengert_kernel::buffer::ALIGN;
use wengert_kernel::routine::{Routine, Storage};
use wengert_kernel::verify;

/// Outputs as bytes, by the reference of each primitive.
fn reference(program: &Program, args: &[Value]) -> Vec<Vec<u8>> {
    interpret(program, args.to_vec()).expect("nothing fails").iter().map(bytes).collect()
}

#[track_caller]
fn equal(name: &str, program: &Program, wanted: &[Vec<u8>], found: &[Vec<u8>], show: &dyn std::fmt::Display) {
    for (k, (wanted, found)) in wanted.iter().zip(found).enumerate() {
        let same = same_bits(wanted, found, program.ty(program.outputs()[k]).dtype());
        assert!(same, "output {k} after {name}\n{program}\n{show}");
    }
}

/// Random programs, straight and nested, some as batches and derivatives.
fn corpus() -> impl Iterator<Item = Arc<Program>> {
    let straight = (0..60).map(|seed| program(seed, false));
    let nested = (0..25).map(|seed| program(seed, true));
    let transformed = (500..512).flat_map(|seed| {
        let program = program(seed, seed % 2 == 0);
        let backward = gradient(&program);
        [vmapped(&program), forward(&program), vmapped(&backward), gradient(&vmapped(&program)), backward]
    });
    straight.chain(nested).chain(transformed).chain(calls()).chain(rows()).chain(turned())
}

/// A program called once, one called twice, and lanes of both.
fn calls() -> Vec<Arc<Program>> {
    let ty = f64s(&[6]);
    let inner = traced(&[Type::scalar(DType::Bool), ty.clone()], |x| vec![x[1].sin() * &x[1]]);
    let times = |n: usize| traced(std::slice::from_ref(&ty), |x| (0..n).fold(x, |x, _| call(&inner, &x)));
    [times(1), times(2)].into_iter().flat_map(|p| [vmapped(&p), gradient(&p), p]).collect()
}

/// Functions of rows large enough for loops over them to be shared.
fn rows() -> Vec<Arc<Program>> {
    type Layer = fn(&Array) -> Array;
    let layers: [Layer; 5] = [
        |x| x.reshape([50, 13, 10]).softmax(1).reshape([50, 130]),
        |x| x.softmax(-1).flip(1),
        |x| x.softmax(-1),
        |x| {
            let centred = x - x.mean_axis(keepdims(-1));
            &centred / (centred.square().mean_axis(keepdims(-1)) + 1e-5).sqrt()
        },
        |x| x.sin().log_softmax(-1),
    ];
    let after = [1, 2, 3, 4, 0].map(|k| layers[k]);
    let twice = |(f, g): (Layer, Layer)| traced(&[f64s(&[50, 130])], |x| vec![g(&f(&x[0]))]);
    let both = layers.into_iter().zip(after).map(twice);
    both.flat_map(|p| [gradient(&p), vmapped(&p), p]).collect()
}

/// Elementwise work on arrays whose axes are turned: with others turned alike and otherwise, with broadcast ones, turned back.
fn turned() -> Vec<Arc<Program>> {
    type Function = fn(&Array, &Array) -> Array;
    let all: [Function; 6] = [
        |x, _| x.transpose().sin().transpose(),
        |x, v| (x.transpose() * v.reshape([130, 1]) + 1.0).exp().transpose() - x,
        |x, v| x.reshape([5, 10, 130]).permute([2, 0, 1]).square() * v.reshape([130, 1, 1]),
        |x, v| (x.reshape([5, 10, 130]).permute([1, 2, 0]).cos() + v.reshape([1, 130, 1])).permute([2, 0, 1]),
        |x, _| x.transpose().exp() * x.reshape([130, 50]),
        |x, v| (x.reshape([50, 1, 130]).permute([2, 1, 0]) * v.reshape([130, 1, 1])).sum_axis(0),
    ];
    let of = |f: Function| traced(&[f64s(&[50, 130]), f64s(&[130])], |x| vec![f(&x[0], &x[1])]);
    all.into_iter().map(of).flat_map(|p| [gradient(&p), vmapped(&p), p]).collect()
}

/// Sums over columns of so many rows that blocks of them are summed by themselves: 4 and 8 blocks, and blocks with a rest.
fn columns() -> Vec<Arc<Program>> {
    let of = |rows: usize, f: fn(&Array) -> Array| traced(&[f64s(&[rows, 3])], |x| vec![f(&x[0])]);
    let rows = [768, 1000, 1024, 1280, 2048, 2500];
    rows.iter().flat_map(|&n| [of(n, |x| x.sum_axis(0)), of(n, |x| x.sin().max_axis(0) * x.sum_axis(0))]).collect()
}

/// Small states in loops.
fn states() -> Vec<Arc<Program>> {
    let turned = |x: Vec<Array>| {
        let step = |_, y: Array| {
            let half = &y + 0.05 * y.flip(0).sin();
            y + 0.1 * half.flip(0).cos()
        };
        vec![fori_loop(0, 7, step, x[0].clone()).sum()]
    };
    let of = |n: usize| traced(&[f64s(&[n])], turned);
    [of(2), of(3), of(5)].into_iter().flat_map(|p| [gradient(&p), forward(&p), p]).collect()
}

#[test]
fn simplification_keeps_every_bit() {
    let mut shorter = 0;
    for (seed, nested) in (0..200).map(|seed| (seed, false)).chain((0..40).map(|seed| (seed, true))) {
        let program = unsimplified(seed, nested);
        let simplified = simplify(&program);
        let args = arguments(&program);
        equal("simplify", &program, &reference(&program, &args), &reference(&simplified, &args), &simplified);
        shorter += (simplified.equation_count() < program.equation_count()) as usize;
    }
    assert!(shorter > 100, "{shorter} programs became shorter");
}

#[test]
fn simplification_ends_where_it_began() {
    for program in corpus() {
        let simplified = simplify(&program);
        assert!(simplify(&simplified) == simplified, "{simplified}");
    }
}

#[test]
fn lanes_and_calls_are_rewritten_bit_by_bit() {
    let mut changed = [0; 3];
    for program in corpus() {
        let args = arguments(&program);
        let wanted = reference(&program, &args);
        let mut before = program.clone();
        for (k, (name, after)) in passes(&program).into_iter().enumerate() {
            after.verify().unwrap_or_else(|error| panic!("after {name}: {error}\n{after}"));
            equal(name, &program, &wanted, &reference(&after, &args), &after);
            changed[k] += (*after != *before) as usize;
            before = after;
        }
    }
    assert!(changed.iter().all(|&n| n > 2), "programs that each pass changed: {changed:?}");
}

/// Every buffer of the arena in a place of its own.
fn apart(routine: &Routine) -> Routine {
    let mut routine = routine.clone();
    let mut end = 0;
    for buffer in &mut routine.buffers {
        if let Storage::Arena(at) = &mut buffer.storage {
            *at = end;
            end += (buffer.len * buffer.dtype.size()).next_multiple_of(ALIGN);
        }
    }
    routine.arena = end;
    routine
}

#[test]
fn loops_are_rewritten_and_placed_bit_by_bit() {
    // Products in blocks have other sums.
    let options = Options { verify: false, parallel: 0, blocks: usize::MAX };
    let (mut changed, mut smaller) = ([0; 5], 0);
    for program in corpus().chain(states()).chain(columns()) {
        let args = arguments(&program);
        let all = routines(&program, &options);
        let wanted = run_loops(&apart(&all[0].1), &program, &args);
        for (k, (name, routine)) in all.iter().enumerate() {
            verify::verify(routine).unwrap_or_else(|error| panic!("after {name}: {error}\n{routine}"));
            let found = run_loops(routine, &program, &args);
            assert_eq!(found.0, wanted.0, "{name}\n{routine}");
            equal(name, &program, &wanted.1, &found.1, routine);
            smaller += (routine.arena < apart(routine).arena) as usize;
            if let Some(k) = k.checked_sub(1) {
                changed[k] += (routine.functions != all[k].1.functions) as usize;
            }
        }
    }
    let changed = [changed[0], changed[2], changed[3], changed[4]];
    assert!(changed.iter().all(|&n| n > 2), "programs that each pass but that of blocks changed: {changed:?}");
    assert!(smaller > 50, "{smaller} routines have buffers that share memory");
}

/// The scalar operations of the loops, by name, with how often each stands there.
fn operations(routine: &Routine) -> Vec<String> {
    let text = routine.to_string();
    let after = text.lines().filter_map(|line| line.split_once(" = ")).filter_map(|(_, op)| op.split(' ').next());
    let mut all: Vec<String> = after.filter(|op| op.chars().all(char::is_alphabetic)).map(str::to_owned).collect();
    all.retain(|op| !["load", "const", "index", "for", "pass"].contains(&op.as_str()));
    all.sort();
    all
}

#[test]
fn arithmetic_is_neither_contracted_nor_left_out() {
    type Function = fn(&Array, &Array) -> Array;
    let all: [(&str, Function, &[&str]); 6] = [
        ("a product and a sum", |x, y| x * y + x, &["add", "mul"]),
        ("a product and a difference", |x, y| x - x * y, &["mul", "sub"]),
        ("a quotient by a constant", |x, _| x / 3, &["div"]),
        ("times 0, plus 0", |x, _| x * 0.0 + 0.0, &["add", "mul"]),
        ("x - x, x / x", |x, _| (x - x) / x, &["div", "sub"]),
        ("the square root of a square", |x, _| (x * x).sqrt(), &["mul", "sqrt"]),
    ];
    for (name, f, wanted) in all {
        for shape in [&[][..], &[1000], &[40, 30]] {
            let program = traced(&[f64s(shape), f64s(shape)], |x| vec![f(&x[0], &x[1])]);
            for (pass, routine) in routines(&program, &Options::default()) {
                assert_eq!(operations(&routine), wanted, "{name} after {pass}\n{routine}");
            }
        }
    }
}
