//! Power series against nested forward mode, for every smooth primitive and for compositions.

use std::sync::Arc;
use wengert::prelude::*;
use wengert::{checkpoint, custom_jvp, custom_root, custom_vjp, try_call};
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

/// x' = x² + sin(t x) from x, eight steps of the classical method of Runge and Kutta.
fn integrated(x: Array) -> Array {
    let f = |t: &Array, x: &Array| x.square() * 0.3 + (t * x).sin();
    let step = |x: Array, t: Array| {
        let h = 0.1;
        let k1 = f(&t, &x);
        let k2 = f(&(&t + h / 2.0), &(&x + h / 2.0 * &k1));
        let k3 = f(&(&t + h / 2.0), &(&x + h / 2.0 * &k2));
        let k4 = f(&(&t + h), &(&x + h * &k3));
        (&x + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), x)
    };
    let (last, path) = scan(step, x.clone(), arange(0.0, 0.75, 0.1).convert(x.dtype()));
    last + path.sum_axis(0)
}

/// The root of y³ + y = x by Newton's method, so often that its derivatives settle, too.
fn newton(x: Array) -> Array {
    let more = |(i, _): (Array, Array)| i.lt(12);
    let step = |(i, y): (Array, Array)| (i + 1, &y - (y.powi(3) + &y - &x) / (3.0 * y.square() + 1.0));
    while_loop(more, step, (0.into(), ones_like(&x))).1
}

fn branching(x: Array) -> Array {
    let inner = |x: &Array| cond(&x.lt(1.0), || x.exp() * x, || zeros_like(x));
    cond(&x.gt(0.0), || inner(&x) + x.sin(), || x.square())
}

/// Powers by multiplication; the second carry does not move.
fn power(x: Array) -> Array {
    fori_loop(0, 7, |_, (y, n): (Array, Array)| (y * &x, n + 1), (ones_like(&x), 0.into())).0
}

/// A loop in a loop, over rows that move, with a call inside.
fn nested_scans(x: Array) -> Array {
    let rows = stack(&[&x.sin(), &x, &x.square()], 0);
    let inner =
        |c: Array, r: Array| scan(|c: Array, s: Array| ((&c * &s).tanh() + &r, c), c, rows.clone()).1.sum_axis(0);
    let outer = scan_reverse(
        |c: Array, r: Array| (checkpoint(|(c, r)| inner(c, r))((c.clone(), r)), c),
        x.clone(),
        rows.clone(),
    );
    outer.0 + outer.1.at(1)
}

fn counted(x: Array) -> Array {
    fori_loop(0, x.abs().convert(DType::I64) + 2, |i, y: Array| (y + i.convert(x.dtype())).sqrt() * &x, x.clone())
}

#[test]
fn loops_and_branches_have_the_derivatives_of_nested_forward_mode() {
    type F = fn(Array) -> Array;
    let fs: [(&str, F); 6] = [
        ("an integrator", integrated),
        ("Newton's method", newton),
        ("branches", branching),
        ("a power", power),
        ("nested scans", nested_scans),
        ("counted rounds", counted),
    ];
    for (name, f) in fs {
        let points = array![0.4, 0.9, 1.7];
        let wants: Vec<Vec<Array>> = (0..3).map(|i| nested(&f, points.at(i), 1.0.into(), 4)).collect();
        for n in 0..=4 {
            let want = stack(&wants.iter().map(|want| &want[n]).collect::<Vec<_>>(), 0);
            let scale = want.abs().max().item::<f64>().unwrap();
            let all = vmap(nth_derivative(f, n));
            for found in
                [all(points.clone()), jit(&all)(points.clone()), jit(vmap(nth_derivative(f, n)))(points.clone())]
            {
                approx::assert_relative_eq!(found, want, max_relative = 1e-10, epsilon = 1e-12 * scale);
            }
            for i in 0..3 {
                let alone = jit(nth_derivative(f, n))(points.at(i));
                approx::assert_relative_eq!(alone, wants[i as usize][n], max_relative = 1e-10, epsilon = 1e-12 * scale);
            }
            let single = jit(vmap(nth_derivative(f, n)))(points.convert(DType::F32));
            let tolerance = 3e-4 * (1.0 + scale);
            approx::assert_relative_eq!(single.convert(DType::F64), want, max_relative = 3e-4, epsilon = tolerance);
        }
        assert!(wants[0][4].is_finite().item::<bool>().unwrap(), "{name}");
    }
}

#[test]
fn high_orders_through_loops_have_their_closed_forms() {
    let at = |f: fn(Array) -> Array, n: usize, x: f64| jit(nth_derivative(f, n))(x.into()).item::<f64>().unwrap();
    let close = |found: f64, want: f64, tolerance: f64| {
        assert!((found - want).abs() <= tolerance * want.abs(), "{found} {want}")
    };
    // x' = x² takes x to x / (1 - x): n! / (1 - x)^(n + 1).
    fn flow(x: Array) -> Array {
        let f = |x: &Array| x.square();
        let step = |x: Array, _: Array| {
            let h = 1e-3;
            let k1 = f(&x);
            let k2 = f(&(&x + h / 2.0 * &k1));
            let k3 = f(&(&x + h / 2.0 * &k2));
            let k4 = f(&(&x + h * &k3));
            (&x + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4), ())
        };
        scan(step, x, zeros(1000)).0
    }
    let factorial = |n: usize| (1..=n).map(|k| k as f64).product::<f64>();
    for n in 1..=6 {
        close(at(flow, n, 0.3), factorial(n) / 0.7f64.powi(n as i32 + 1), 1e-8);
    }
    // The square root of 2 by Newton's method: 1/2 · -1/2 · ... x^(1/2 - n).
    fn root(x: Array) -> Array {
        let more = |(i, _): (Array, Array)| i.lt(12);
        while_loop(more, |(i, y): (Array, Array)| (i + 1, 0.5 * (&y + &x / &y)), (0.into(), ones_like(&x))).1
    }
    for n in 1..=6 {
        let want = (0..n).map(|k| 0.5 - k as f64).product::<f64>() * 2f64.powf(0.5 - n as f64);
        close(at(root, n, 2.0), want, 1e-11);
    }
    for n in 1..=6 {
        let want = (0..n).map(|k| 7.0 - k as f64).product::<f64>() * 1.3f64.powi(7 - n as i32);
        close(at(power, n, 1.3), want, 1e-13);
        // d^n (x e^x + sin x) = (x + n) e^x + sin(x + n π/2)
        let want = (0.4 + n as f64) * 0.4f64.exp() + (0.4 + n as f64 * std::f64::consts::FRAC_PI_2).sin();
        close(at(branching, n, 0.4), want, 1e-12);
        close(at(branching, n, 1.5), (1.5 + n as f64 * std::f64::consts::FRAC_PI_2).sin(), 1e-12);
        assert_eq!(at(branching, n, -1.5), [-3.0, 2.0, 0.0][(n - 1).min(2)]);
    }
}

#[test]
fn series_through_loops_are_differentiated_in_turn() {
    let third = |x: Array| nth_derivative(integrated, 3)(x);
    let (fourth, fifth) = (nth_derivative(integrated, 4), nth_derivative(integrated, 5));
    let x = || Array::from(0.6);
    approx::assert_relative_eq!(jit(grad(third))(x()), fourth(x()), max_relative = 1e-11);
    approx::assert_relative_eq!(jit(nth_derivative(third, 2))(x()), fifth(x()), max_relative = 1e-10);
    // One loop, whatever the order.
    let loops = |n: usize| trace(nth_derivative(integrated, n), &x()).to_string().matches(" = loop[").count();
    assert_eq!((loops(1), loops(6)), (1, 1));
    // Rules of the user's, and what they solve: y³ + y = x, whose derivative by y is 1 / (3 y² + 1).
    let cube = custom_jvp(
        |x: Array| fori_loop(0, 2, |_, y: Array| y * &x, x.clone()),
        |x: Array, dx: Array| (x.powi(3), 3.0 * x.square() * dx),
    );
    for n in 0..=4 {
        let (f, g) = (|x: Array| cube(x.sin()), |x: Array| x.sin().powi(3));
        approx::assert_relative_eq!(nth_derivative(f, n)(x()), nth_derivative(g, n)(x()), max_relative = 1e-12);
    }
    let product = custom_vjp(
        |(x, y): (Array, Array)| &x * y.sin(),
        |(x, y): (Array, Array)| (&x * y.sin(), (x, y)),
        |(x, y): (Array, Array), ct: Array| (&ct * y.sin(), ct * x * y.cos()),
    );
    for n in 0..=6 {
        let (f, g) = (|x: Array| product((x.exp(), x)), |x: Array| x.exp() * x.sin());
        approx::assert_relative_eq!(nth_derivative(f, n)(x()), nth_derivative(g, n)(x()), max_relative = 1e-12);
    }
    let size = |n: usize| trace(nth_derivative(|x: Array| product((x.exp(), x)), n), &x()).equation_count() as f64;
    assert!(size(12) / size(6) < 4.5, "{} {}", size(6), size(12));
    let solved = |x: Array| {
        let steps = |f: &dyn Fn(Array) -> Array, y: Array| fori_loop(0, 50, |_, y: Array| &y - 0.3 * f(y.clone()), y);
        let divided = |g: &dyn Fn(Array) -> Array, b: Array| b / g(1.0.into());
        custom_root(|y: Array| y.powi(3) + &y - &x, 0.5.into(), steps, divided)
    };
    for n in 0..=4 {
        approx::assert_relative_eq!(
            nth_derivative(solved, n)(x()),
            nth_derivative(newton, n)(x()),
            max_relative = 1e-9
        );
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

/// The numbers of a value, one row of a list after the other.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(a) => a.slice::<f64>().to_vec(),
        Value::List(l) => l.rows.iter().flat_map(flat).collect(),
    }
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
        let all_f64 =
            sample.smooth.iter().all(|&i| sample.args[i].ty().dtype() == DType::F64 && !sample.args[i].ty().is_list());
        if sample.smooth.is_empty() || !all_f64 || sample.op.effect() != Effect::None {
            continue;
        }
        let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
        let program = Arc::new(trace_closed(&types, |x| {
            let results = record(sample.op.clone(), &x.iter().collect::<Vec<_>>());
            results.into_iter().filter(|y| y.ty().dtype() == DType::F64).collect()
        }));
        let moving: Vec<bool> = (0..types.len()).map(|i| sample.smooth.contains(&i)).collect();
        let dx: Vec<Value> = sample.smooth.iter().map(|&i| direction(&sample.args[i])).collect();
        let want = interpret(&twice(&program, &moving), [sample.args.clone(), dx.clone()].concat()).unwrap();
        let zeros = sample.smooth.iter().map(|&i| {
            let array = sample.args[i].array();
            Value::Array(ArrayValue::new(&array.shape, vec![0.0; array.slice::<f64>().len()]))
        });
        let operands = [sample.args.clone(), dx, zeros.collect()].concat();
        let found =
            interpret(&transform::jet(&program, &moving, &vec![true; program.outputs().len()], 2).program, operands)
                .unwrap();
        let results = program.outputs().len();
        for (want, found) in want.iter().zip(&found[2 * results..]) {
            let (want, found) = (flat(want), flat(found));
            assert_eq!(want.len(), found.len());
            for (w, f) in want.iter().zip(found) {
                assert!((w - 2.0 * f).abs() <= 1e-9 * (1.0 + w.abs()), "{} {w} {}", sample.op.name(), 2.0 * f);
            }
        }
        names.insert(sample.op.name());
    }
    assert!(["loop", "while", "cond", "call"].iter().all(|name| names.contains(name)), "{names:?}");
    assert!(names.len() > 30, "{names:?}");
}
