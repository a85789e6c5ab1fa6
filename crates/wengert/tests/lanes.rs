//! Derivatives of batches of loops and branches that share data, where the shape of what is shared is that of lanes:
//! each batch against its rows alone.

use std::sync::Arc;
use wengert::prelude::*;
use wengert::{Program, Type};
use wengert_core::lanes::{Lanes, of_outputs};
use wengert_core::ops::samples;
use wengert_core::program::Builder;
use wengert_core::source::Source;
use wengert_core::transform::{Mode, batch, transpose};
use wengert_core::value::Value;

const KS: [i64; 3] = [1, 2, 3];

/// Derivatives of `sum(vmap(f))` in `x` (by lane) and in the shared `v`, first and second, are those of the rows alone.
fn rows_alone(name: &str, f: impl Fn(Array, Array, Array) -> Array + Copy, xs: [f64; 3], v: Array) {
    let ks = Array::from(KS.to_vec());
    let alone = |x: Array, v: Array| {
        let row = |i: usize| f(x.at(i as i64), Array::from(KS[i]), v.clone());
        row(0) + row(1) + row(2)
    };
    let batch = |x: Array, v: Array| vmap(|(x, k)| f(x, k, v.clone()))((x, ks.clone())).sum();
    let x = Array::from(xs.to_vec());
    same(name, &batch, &alone, &x, &v);
    let inner = |g: &dyn Fn(Array, Array) -> Array, x: Array, v: Array| {
        let (dx, dv) = grad(|(x, v): (Array, Array)| g(x, v))((x, v));
        dx.sin().sum() + (&dv * dv.cos()).sum()
    };
    let second = |x: Array, v: Array| inner(&batch, x, v);
    let second_alone = |x: Array, v: Array| inner(&alone, x, v);
    same(&format!("{name}, second order"), &second, &second_alone, &x, &v);
}

type Function<'a> = &'a dyn Fn(Array, Array) -> Array;

fn same(name: &str, batch: Function<'_>, alone: Function<'_>, x: &Array, v: &Array) {
    let of = |f: Function<'_>, compiled: bool| {
        let g = |args: (Array, Array)| value_and_grad(|(x, v): (Array, Array)| f(x, v))(args);
        let args = (x.clone(), v.clone());
        let (y, (dx, dv)) = if compiled { jit(g)(args) } else { g(args) };
        [y, dx, dv].map(|a| a.to_vec::<f64>().unwrap()).concat()
    };
    let wanted = of(alone, false);
    assert!(wanted.iter().all(|x| x.is_finite()), "{name}: {wanted:?}");
    for compiled in [false, true] {
        let found = of(batch, compiled);
        for (found, wanted) in found.iter().zip(&wanted) {
            let error = (found - wanted).abs() / wanted.abs().max(1.0);
            assert!(error < 1e-10, "{name}, compiled {compiled}: {found}, alone {wanted}");
        }
    }
}

fn times(k: &Array, step: impl Fn(Array) -> Array, y: Array) -> Array {
    let round = |(i, y): (Array, Array)| (i + 1, step(y));
    while_loop(|(i, _): (Array, Array)| i.lt(k), round, (Array::from(0i64), y)).1
}

#[test]
fn a_residual_of_shared_data_alone() {
    let f = |x: Array, k: Array, v: Array| times(&k, |y| (y * v.sin()).sin().sum(), x);
    rows_alone("three of three", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
    rows_alone("four of three", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4, 1.1]);
}

#[test]
fn a_shared_matrix_whose_rows_are_as_many_as_lanes() {
    let f = |x: Array, k: Array, v: Array| {
        let w = v.reshape([3, 2]);
        times(&k, |y| (w.exp().dot(&stack(&[y.sin(), y.cos()], 0))).square().sum().tanh(), x)
    };
    rows_alone("matrix", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4, 0.1, -0.3, 0.6]);
}

#[test]
fn lanes_that_are_no_leading_axis() {
    let f = |x: Array, k: Array, v: Array| {
        let w = v.reshape([3, 2]);
        // A product of which lanes are the columns, and a vector of three by lane, in powers that are infinite at 0.
        let step = |y: Array| (w.dot(&stack(&[y.clone(), y.square()], 0)) + 1.5).powf(1.5).sum().tanh() * &y;
        times(&k, step, x)
    };
    rows_alone("columns", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4, 0.1, -0.3, 0.6]);
}

#[test]
fn branches_that_keep_the_same_shared_shape() {
    let f = |x: Array, k: Array, v: Array| {
        let y = cond(&k.gt(1), || (&x * (&x * v.sin()).exp()).sum(), || (&x * (&x * v.cos()).exp()).sum());
        y.sin()
    };
    rows_alone("branches", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
    rows_alone("branches of five", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4, 0.3, 0.8]);
}

#[test]
fn quotients_by_what_idle_lanes_do_not_have() {
    let f = |x: Array, k: Array, v: Array| times(&k, |y| ((&y * &v).sum() / (1.0 + y.square())).sin(), x);
    rows_alone("quotient", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
    // The largest number of rounds is another lane's, and this lane's divisor is 0 from its last round on.
    let f = |x: Array, k: Array, v: Array| {
        let round = |(i, y, z): (Array, Array, Array)| (&i + 1, &y + (&v / (&z - &i)).sum(), z);
        while_loop(
            |(i, ..): (Array, Array, Array)| i.lt(&k),
            round,
            (Array::from(0.0), x.square(), k.convert(DType::F64) + x * 0.0),
        )
        .1
    };
    rows_alone("parked at 0", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
}

#[test]
fn a_branch_that_no_lane_takes_is_not_felt() {
    let f = |x: Array, k: Array, v: Array| {
        cond(&k.gt(5), || (&x * v.log()).sum() + (&v / v.square()).sum(), || &x * &x) + v.sum() * &x
    };
    rows_alone("log of 0", f, [0.3, 0.5, 0.7], array![0.0, 0.0, 0.0]);
    rows_alone("log of 0, twice", f, [0.3, 0.5, 0.7], array![0.0, 0.0]);
}

#[test]
fn loops_and_branches_in_each_other() {
    let f = |x: Array, k: Array, v: Array| {
        let step = |y: Array| {
            let w = (v.sin() * y.square()).cos();
            let z = times(&(&k - 1), |z| (&z * w.tanh() * v.exp()).sum().sin(), y.clone());
            cond(
                &z.gt(0.4),
                || (&z * v.cos()).sum().tanh(),
                || scan(|c: Array, r: Array| ((&c * &r).sin(), c), z.clone(), v.exp()).0,
            )
        };
        times(&k, step, x)
    };
    rows_alone("nested", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
}

#[test]
fn batches_of_batches() {
    let f = |x: Array, k: Array, v: Array| {
        // A batch inside of the lane, so that lanes have two axes; the inner one of as many rows.
        let inner = |(y, s): (Array, Array)| times(&k, |y| (y * v.sin() * s.cos()).sin().sum(), y);
        vmap(inner)((stack(&[x.clone(), x.square(), x.sin()], 0), v.clone())).sum()
    };
    rows_alone("two axes", f, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
    let g = |x: Array, k: Array, v: Array| {
        let inner = |(m, s): (Array, Array)| times(&m, |y| (y * v.sin() * s.cos()).sin().sum(), x.clone());
        let (_, y) = (k.clone(), vmap(inner)((Array::from(vec![2i64, 0, 1]) * &k, v.clone())).sum());
        y
    };
    rows_alone("trips by both", g, [0.3, 0.5, 0.7], array![0.2, 0.9, -0.4]);
}

/// Every primitive, batched over any of its operands and transposed: lanes are found where `vmap` has put them.
#[test]
fn lanes_are_followed_through_every_primitive() {
    let (mut batches, mut transposes) = (0, 0);
    for sample in samples() {
        let mut b = Builder::new();
        let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
        // What is made of nothing is the same in every lane.
        if types.iter().any(is_empty) {
            continue;
        }
        let inputs = types.iter().map(|ty| b.input(ty.clone())).collect();
        let results = sample.op.infer(&types).unwrap();
        let outputs: Vec<_> = b.push(sample.op.clone(), inputs, results, Source::Unknown).results().collect();
        let program = Arc::new(b.finish(&outputs));
        for size in [2, 3] {
            let n = types.len();
            for chosen in 1..1 << n.min(6) {
                let mapped: Vec<bool> = (0..n).map(|i| chosen >> i & 1 == 1).collect();
                let batched = batch(&program, &mapped, size, &vec![false; outputs.len()]);
                let name = format!("{:?} on {types:?}, mapped {mapped:?}", sample.op);
                check_lanes(&name, &batched.program, &at(&mapped, size), &batched.mapped, size);
                batches += 1;
                if sample.linear.is_empty() {
                    continue;
                }
                let mode = |i: usize| if sample.linear.contains(&i) { Mode::Linear } else { Mode::Known };
                let modes: Vec<Mode> = (0..n).map(mode).collect();
                let transposed = transpose(&batched.program, &modes, &vec![true; outputs.len()]);
                let known = (0..n).filter(|i| !sample.linear.contains(i)).map(|i| mapped[i]);
                let inputs: Vec<bool> = known.chain(batched.mapped.iter().copied()).collect();
                let wanted: Vec<bool> = sample.linear.iter().map(|&i| mapped[i]).collect();
                check_lanes(&format!("transpose of {name}"), &Arc::new(transposed), &at(&inputs, size), &wanted, size);
                transposes += 1;
            }
        }
    }
    assert!(batches > 2000 && transposes > 200, "{batches}, {transposes}");
}

fn is_empty(ty: &Type) -> bool {
    match ty {
        Type::Array(a) => a.size() == 0,
        Type::List(l) => l.length == Some(0) || is_empty(&l.element),
    }
}

fn at(mapped: &[bool], size: usize) -> Vec<Lanes> {
    mapped.iter().map(|&m| if m { Lanes::leading(&[size]) } else { Lanes::shared(&[size]) }).collect()
}

fn check_lanes(name: &str, program: &Arc<Program>, inputs: &[Lanes], mapped: &[bool], size: usize) {
    let found = of_outputs(program, inputs, &[size]);
    // What is read of nothing that is mapped is the same in every lane, though it is there once for each.
    let mut reached: Vec<bool> = inputs.iter().map(|x| !x.is_shared()).collect();
    reached.resize(program.vars(), false);
    for e in program.equations() {
        let any = e.args.iter().any(|a| reached[a.index()]);
        e.results().for_each(|v| reached[v.index()] = any);
    }
    let mapped: Vec<bool> = mapped.iter().zip(program.outputs()).map(|(&m, v)| m && reached[v.index()]).collect();
    for (k, (found, wanted)) in found.iter().zip(at(&mapped, size)).enumerate() {
        assert_eq!(*found, wanted, "{name}: result {k} in\n{program}");
    }
}
