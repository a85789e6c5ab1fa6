//! Power series against nested forward mode, for every smooth primitive and for compositions.

use std::sync::Arc;
use wengert::prelude::*;
use wengert::try_call;
use wengert_core::interpret::interpret;
use wengert_core::ops::samples;
use wengert_core::primitive::Effect;
use wengert_core::trace::{record, trace_closed};
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Program, Type, transform};

/// Derivatives 0 to `order` along a line, by one `jvp` inside of another.
fn nested(f: &dyn Fn(Array) -> Array, x: Array, dx: Array, order: usize) -> Vec<Array> {
    fn along(f: &dyn Fn(Array) -> Array, x: Array, dx: &Array, order: usize) -> Array {
        if order == 0 { f(x) } else { jvp(|x: Array| along(f, x, dx, order - 1))(x, dx.clone()).1 }
    }
    (0..=order).map(|k| along(f, x.clone(), &dx, k)).collect()
}

#[test]
fn compositions_have_the_derivatives_of_nested_forward_mode() {
    type F = fn(Array) -> Array;
    let fs: [(&str, F); 12] = [
        ("exp sin", |x| x.sin().exp() * &x),
        ("tanh of a quotient", |x| (&x / (1.0 + x.square())).tanh()),
        ("logs and roots", |x| (x.square() + 1.5).log() * (2.0 + &x).sqrt()),
        ("powers", |x| (x.abs() + 0.5).pow(&x) + x.powi(5)),
        ("softmax", |x| x.softmax(0)),
        ("logsumexp", |x| (3.0 * x).logsumexp()),
        ("maxima", |x| x.maximum(0.2) * x.max()),
        ("products", |x| x.reshape((1, 4)).dot(&x.outer(&x)).flatten()),
        ("indexing", |x| x.at(1) * x.slice(1..3) + concatenate(&[&x, &x], 0).slice(3..5).square()),
        ("special", |x| x.atan() + (0.3 * &x).asin() + x.logistic() + x.cosh().log1p() + x.expm1()),
        ("select", |x| x.gt(0.5).select(x.cos(), x.square())),
        ("checkpoint", |x| checkpoint(|x: Array| x.sin() * &x)(x)),
    ];
    let (x, dx) = (array![0.3, -0.7, 1.1, 0.4], array![1.0, 0.5, -2.0, 0.3]);
    for (name, f) in fs {
        let series = || (0..5).map(|k| if k == 0 { dx.clone() } else { zeros(4) }).collect::<Vec<Array>>();
        let want = nested(&f, x.clone(), dx.clone(), 5);
        let together = |x: Array| jet(f, x, series());
        for (y, dy) in [together(x.clone()), jit(together)(x.clone())] {
            approx::assert_relative_eq!(y, want[0], max_relative = 1e-13);
            for (k, dy) in dy.iter().enumerate() {
                let scale = want[k + 1].abs().max().item::<f64>().unwrap();
                approx::assert_relative_eq!(*dy, want[k + 1], max_relative = 1e-9, epsilon = 1e-11 * scale);
            }
        }
        assert!(want[5].is_finite().all().item::<bool>().unwrap(), "{name}");
    }
}

#[test]
fn curves_enter_by_their_derivatives() {
    // d^k/dt^k of sin(exp t) at t = 0.2 by hand over x(t) = exp t, all of whose derivatives are exp t.
    let e = Array::from(0.2f64.exp());
    let (y, dy) = jet(|x: Array| x.sin(), e.clone(), vec![e; 4]);
    let whole = |t: Array| t.exp().sin();
    assert_eq!(y, whole(0.2.into()));
    for (k, dy) in dy.iter().enumerate() {
        approx::assert_relative_eq!(*dy, nth_derivative(whole, k + 1)(0.2.into()), max_relative = 1e-12);
    }
    // Trees in and out, integers among them.
    let f = |(x, n): (Array, Array)| (x.clone() * n.convert(DType::F64), n + 1);
    let ((y, n), dy) = jet(f, (2.0.into(), 3.into()), vec![(1.0.into(), 0.into()), (5.0.into(), 0.into())]);
    assert_eq!((y, n), (6.0.into(), 4.into()));
    assert_eq!((dy[0].0.clone(), dy[1].0.clone(), dy[1].1.clone()), (3.0.into(), 15.0.into(), 0.into()));
    let wrong = try_call(|| jet(f, (2.0.into(), 3.into()), vec![(1.into(), 0.into())])).expect_err("a wrong dtype");
    assert!(wrong.to_string().contains("derivative of `x.0` is i32[]"), "{wrong}");
}

#[test]
fn high_orders_stay_exact_in_single_precision() {
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    for n in 1..=8 {
        let of = |f: fn(Array) -> Array, x: f32| jit(nth_derivative(f, n))(x.into()).item::<f32>().unwrap() as f64;
        let sign = if n % 2 == 0 { 1.0 } else { -1.0 };
        let want = sign * factorial(n) / 4f64.powi(n as i32 + 1);
        assert!((of(|x| 1.0 / x, 4.0) / want - 1.0).abs() < 1e-6, "{n}");
        // x / (1 + x²) = Re 1 / (x - i): the derivatives are n! (-1)^n Re (x - i)^-(n + 1).
        let (x, turn) = (0.5f64, (n + 1) as f64 * 1f64.atan2(0.5));
        let want = sign * factorial(n) * turn.cos() / (x * x + 1.0).powf((n + 1) as f64 / 2.0);
        let scale = factorial(n) / (x * x + 1.0).powf((n + 1) as f64 / 2.0);
        assert!((of(|x| &x / (1.0 + x.square()), 0.5) - want).abs() < 1e-6 * scale * n as f64, "{n}");
        let exact = nth_derivative(|x: Array| x.tanh(), n)(0.5.into()).item::<f64>().unwrap();
        assert!((of(|x| x.tanh(), 0.5) - exact).abs() < 3e-6 * factorial(n), "{n}");
    }
}

#[test]
fn the_cost_is_a_square_of_the_order() {
    let f = |x: Array| (x.sin().exp() / (1.0 + x.square())).tanh();
    let equations = |n: usize| trace(nth_derivative(f, n), &0.3.into()).equation_count() as f64;
    let (four, eight, sixteen) = (equations(4), equations(8), equations(16));
    assert!(sixteen / eight < 4.5 && eight / four < 4.5, "{four} {eight} {sixteen}");
}

/// Each array's direction in a sample: small and fixed.
fn direction(x: &Value) -> Value {
    let n = x.array().slice::<f64>().len();
    Value::Array(ArrayValue::new(&x.array().shape, (0..n).map(|i| ((i + 1) as f64 * 12.9898).sin()).collect()))
}

/// The second derivative of a program along a direction of its first inputs, by `jvp` of `jvp`.
fn twice(program: &Arc<Program>, moving: &[bool]) -> Program {
    let results = program.outputs().len();
    let once = transform::jvp(program, moving, &vec![true; results]).program;
    let n = program.inputs();
    let both: Vec<bool> = (0..once.inputs()).map(|i| i < n && moving[i]).collect();
    let second = transform::jvp(&once, &both, &vec![true; 2 * results]).program;
    trace_closed(once.input_types(), |x| {
        let y = wengert_core::trace::inline(&second, &[&x[..], &x[n..]].concat());
        y[3 * results..].to_vec()
    })
}

#[test]
fn every_smooth_primitive_has_its_second_order() {
    let mut names = std::collections::BTreeSet::new();
    for sample in samples() {
        let with_bodies = !sample.op.programs().is_empty() && sample.op.name() != "call";
        let all_f64 =
            sample.smooth.iter().all(|&i| sample.args[i].ty().dtype() == DType::F64 && !sample.args[i].ty().is_list());
        if sample.smooth.is_empty() || with_bodies || !all_f64 || sample.op.effect() != Effect::None {
            continue;
        }
        let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
        let program = Arc::new(trace_closed(&types, |x| record(sample.op.clone(), &x.iter().collect::<Vec<_>>())));
        if program.output_types().any(|ty| !ty.dtype().is_float() || ty.is_list()) {
            continue;
        }
        let moving: Vec<bool> = (0..types.len()).map(|i| sample.smooth.contains(&i)).collect();
        let dx: Vec<Value> = sample.smooth.iter().map(|&i| direction(&sample.args[i])).collect();
        let want = interpret(&twice(&program, &moving), [sample.args.clone(), dx.clone()].concat()).unwrap();
        let zeros = sample.smooth.iter().map(|&i| {
            let array = sample.args[i].array();
            Value::Array(ArrayValue::new(&array.shape, vec![0.0; array.slice::<f64>().len()]))
        });
        let operands = [sample.args.clone(), dx, zeros.collect()].concat();
        let found = interpret(&transform::jet(&program, &moving, 2), operands).unwrap();
        let results = program.outputs().len();
        for (want, found) in want.iter().zip(&found[2 * results..]) {
            let (want, found) = (want.array().slice::<f64>(), found.array().slice::<f64>());
            for (w, f) in want.iter().zip(found) {
                assert!((w - 2.0 * f).abs() <= 1e-9 * (1.0 + w.abs()), "{} {w} {}", sample.op.name(), 2.0 * f);
            }
        }
        names.insert(sample.op.name());
    }
    assert!(names.len() > 30, "{names:?}");
}
