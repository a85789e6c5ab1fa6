//! What is the same in every round of a loop is computed once, before it, and is no row of what the backward pass keeps.

use wengert::execute::Executable;
use wengert::prelude::*;
use wengert::{
    Array, Program, arange, debug_callback, grad, hessian, interpret, jit, jvp, scan, trace, vmap, while_loop,
};

/// `h <- tanh(h exp(w) + sin(w) x)`, with what is made of `w` inside of the body.
fn recurrent(w: &Array, xs: &Array) -> Array {
    let step = |h: Array, x: Array| {
        let h = (h * w.exp() + w.sin() * x).tanh();
        (h.clone(), h)
    };
    let (h, ys) = scan(step, w * 0.0, xs.clone());
    h.sum() + ys.square().sum()
}

/// The same with that outside.
fn outside(w: &Array, xs: &Array) -> Array {
    let (a, b) = (w.exp(), w.sin());
    let step = |h: Array, x: Array| {
        let h = (h * &a + &b * x).tanh();
        (h.clone(), h)
    };
    let (h, ys) = scan(step, w * 0.0, xs.clone());
    h.sum() + ys.square().sum()
}

fn numbers(n: usize) -> Array {
    (arange(0.0, n as f64, 1.0) * 0.37).sin()
}

/// How often a word stands in the bodies of a program's loops.
fn inside(program: &Program, word: &str) -> usize {
    let bodies = program.equations().iter().flat_map(|e| e.op.programs());
    bodies.map(|body| body.to_string().matches(word).count() + inside(body, word)).sum()
}

#[test]
fn it_leaves_the_body() {
    let (w, xs) = (numbers(7), numbers(20));
    let program = trace(|(w, xs): (Array, Array)| recurrent(&w, &xs), &(w.clone(), xs.clone()));
    assert_eq!((inside(&program, "exp"), inside(&program, "= sin")), (0, 0), "{program}");
    let gradient = trace(|w: Array| grad(|w: Array| recurrent(&w, &xs))(w), &w);
    assert_eq!((inside(&gradient, "exp"), inside(&gradient, "cos")), (0, 0), "{gradient}");
    // The carry and the derivative of tanh are kept for the backward pass, and nothing else is.
    let rows = |p: &Program| p.to_string().matches("list(f64[7]; 20)").count();
    let plain = trace(|w: Array| grad(|w: Array| outside(&w, &xs))(w), &w);
    assert_eq!(rows(&gradient), rows(&plain), "{gradient}\n{plain}");
}

#[test]
fn derivatives_stay_the_same_bits() {
    let (w, xs) = (numbers(5), numbers(9));
    let inner = |w: Array| recurrent(&w, &xs);
    let outer = |w: Array| outside(&w, &xs);
    assert_eq!(inner(w.clone()), outer(w.clone()));
    assert_eq!(grad(inner)(w.clone()), grad(outer)(w.clone()));
    assert_eq!(jvp(inner)(w.clone(), &w * 2.0).1, jvp(outer)(w.clone(), &w * 2.0).1);
    let close = |a: Array, b: Array| assert!((a - b).abs().max().item::<f64>().unwrap() < 1e-13);
    close(hessian(inner)(w.clone()), hessian(outer)(w.clone()));
    assert_eq!(jit(grad(inner))(w.clone()), interpret(grad(inner))(w));
}

#[test]
fn under_lanes() {
    let (ws, xs) = (numbers(12).reshape((3, 4)), numbers(6));
    for (inner, outer) in [
        (vmap(|w: Array| recurrent(&w, &xs))(ws.clone()), vmap(|w: Array| outside(&w, &xs))(ws.clone())),
        (vmap(grad(|w: Array| recurrent(&w, &xs)))(ws.clone()), vmap(grad(|w: Array| outside(&w, &xs)))(ws.clone())),
        (
            grad(|ws: Array| vmap(|w: Array| recurrent(&w, &xs))(ws).sum())(ws.clone()),
            grad(|ws: Array| vmap(|w: Array| outside(&w, &xs))(ws).sum())(ws.clone()),
        ),
    ] {
        assert_eq!(inner, outer);
    }
}

/// A body that does not run has no derivative, wherever its operations would have none.
#[test]
fn a_loop_that_does_not_run_leaves_no_trace() {
    let f = |(w, n): (Array, Array)| {
        let body = |(i, y): (Array, Array)| (i + 1, y * w.log());
        while_loop(|(i, _): (Array, Array)| i.lt(&n), body, (Array::from(0), &w + 1.0)).1
    };
    let of = |w: f64, n: i32| grad(|w: Array| f((w, Array::from(n))))(w.into());
    assert_eq!(of(0.0, 0), 1.0.into(), "0 times the slope of log at 0 would be NaN");
    assert!(wengert::find_nan(|w: Array| f((w, Array::from(0))), Array::from(-1.0)).is_none());
    let (ws, ns) = (array![0.0, 2.0, 3.0], array![0, 1, 2]);
    let slopes = jit(vmap(|(w, n): (Array, Array)| grad(|w: Array| f((w, n.clone())))(w)));
    let found = slopes((ws.clone(), ns.clone()));
    for (lane, (w, n)) in [(0.0, 0), (2.0, 1), (3.0, 2)].into_iter().enumerate() {
        assert_eq!(found.at(lane as i64), of(w, n), "lane {lane}");
    }
    // A scan over nothing, the same.
    let none = |w: Array| scan(|y: Array, _: Array| (y * w.log(), Array::from(0.0)), &w + 1.0, wengert::zeros(0)).0;
    assert_eq!(grad(none)(0.0.into()), 1.0.into());
}

/// Newton's method for `y² = exp(w) + 1`, with what is made of `w` inside of the body, and outside.
fn newton(w: &Array, inside: bool) -> Array {
    let target = |w: &Array| w.exp() + 1.0;
    let outside = target(w);
    let goal = || if inside { target(w) } else { outside.clone() };
    let on = |y: Array| (y.square() - goal()).abs().max().gt(1e-9);
    while_loop(on, |y: Array| 0.5 * (&y + goal() / &y), w * 0.0 + 2.0)
}

#[test]
fn it_leaves_a_loop_that_tests_first() {
    let w = numbers(5);
    let program = trace(|w: Array| newton(&w, true), &w);
    assert_eq!(inside(&program, "exp"), 1, "in the branch in front of the loop, and not in the loop: {program}");
    // Of a round's `sin(y) tanh(w)` the backward pass keeps the sine and the cosine, and the tangent hyperbolic once.
    let waves = |w: Array| {
        let step = |(i, y): (Array, Array)| (i + 1.0, y.sin() * w.tanh());
        while_loop(|(i, _): (Array, Array)| i.lt(w.sum().ceil()), step, (Array::from(0.0), &w + 1.0)).1.sum()
    };
    let gradient = trace(grad(waves), &w);
    let kept = gradient.to_string().lines().find(|line| line.contains("while[")).expect("a loop").to_owned();
    assert_eq!(kept.split('=').next().expect("results").matches("list(f64[5])").count(), 2, "{gradient}");
    let (a, b) = (|w: Array| newton(&w, true), |w: Array| newton(&w, false));
    assert_eq!(a(w.clone()), b(w.clone()));
    let sums = |f: fn(Array) -> Array| (grad(f)(numbers(5)), grad(|w: Array| grad(f)(w).square().sum())(numbers(5)));
    let (first, second) = sums(|w| newton(&w, true).sum());
    let (first_plain, second_plain) = sums(|w| newton(&w, false).sum());
    let close = |a: &Array, b: &Array| assert!((a - b).abs().max().item::<f64>().unwrap() < 1e-12, "{a} and {b}");
    close(&first, &first_plain);
    close(&second, &second_plain);
    let ws = numbers(12).reshape((4, 3));
    let lanes = jit(vmap(grad(|w: Array| newton(&w, true).sum())))(ws.clone());
    for lane in 0..4 {
        close(&lanes.at(lane), &grad(|w: Array| newton(&w, false).sum())(ws.at(lane)));
    }
}

/// A value made of nothing but constants, in a loop that takes nothing from outside, under lanes of which some are idle.
#[test]
fn constants_under_lanes() {
    let f = |x: Array| {
        let step = |y: Array, _: Array| ((y * arange(1.0, 4.0, 1.0).sqrt()).sin(), Array::from(0.0));
        cond(&x.gt(0.0), || scan(step, &x * wengert::ones(3), wengert::zeros(2)).0.sum(), || &x * 2.0)
    };
    let xs = array![0.5, -1.0, 0.2];
    let found = jit(vmap(grad(f)))(xs.clone());
    let second = vmap(grad(grad(f)))(xs.clone());
    for lane in 0..3 {
        let x = xs.at(lane);
        assert_eq!(found.at(lane), grad(f)(x.clone()));
        assert_eq!(second.at(lane), grad(grad(f))(x));
    }
}

/// What is idle in a lane computes with whatever stands there; it must not be seen.
#[test]
fn idle_lanes_of_a_branch() {
    let f = |w: Array| {
        let step = |y: Array, x: Array| (y * w.log() + x, w.recip());
        cond(&w.gt(0.0), || scan(step, &w * 1.0, array![1.0, 2.0]).0, || &w * 3.0)
    };
    let ws = array![0.0, 2.0, -1.0, 0.5];
    let found = jit(vmap(grad(f)))(ws.clone());
    let second = vmap(grad(grad(f)))(ws.clone());
    for lane in 0..4 {
        let w = ws.at(lane);
        assert!(found.at(lane).is_finite().item::<bool>().unwrap());
        assert_eq!(found.at(lane), grad(f)(w.clone()));
        assert_eq!(second.at(lane), grad(grad(f))(w));
    }
}

/// What is seen outside happens in every round, and not before the first.
#[test]
fn effects_stay() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = seen.clone();
    let f = jit(move |w: Array| {
        let step = |y: Array, x: Array| {
            let log = log.clone();
            debug_callback(move |x: Array| log.lock().unwrap().push(x.item::<f64>().unwrap()), w.exp());
            check(&w.gt(-1.0), "w is above -1");
            (y + w.exp() * x, Array::from(0.0))
        };
        scan(step, Array::from(0.0), array![1.0, 2.0, 3.0]).0
    });
    assert_eq!(f(0.0.into()), 6.0.into());
    assert_eq!(*seen.lock().unwrap(), [1.0; 3]);
    let error = wengert::try_call(|| f((-2.0).into())).unwrap_err().to_string();
    assert!(error.contains("w is above -1"), "{error}");
}

#[test]
fn loops_in_loops() {
    let w = numbers(4);
    let f = |w: Array| {
        let outer = |h: Array, x: Array| {
            let inner = |h: Array, y: Array| ((h * w.exp()).tanh() + (&x * y).cos(), Array::from(0.0));
            (scan(inner, h, numbers(3)).0, Array::from(0.0))
        };
        scan(outer, &w * 0.0, numbers(5)).0.sum()
    };
    let program = trace(f, &w);
    assert_eq!(inside(&program, "exp"), 0, "{program}");
    let compiled = jit(grad(f))(w.clone());
    assert_eq!(compiled, interpret(grad(f))(w.clone()));
    let e = w.exp();
    let g = |w: Array, e: Array| {
        let outer = |h: Array, x: Array| {
            let inner = |h: Array, y: Array| ((h * &e).tanh() + (&x * y).cos(), Array::from(0.0));
            (scan(inner, h, numbers(3)).0, Array::from(0.0))
        };
        scan(outer, &w * 0.0, numbers(5)).0.sum()
    };
    assert_eq!(compiled, grad(|w: Array| g(w.clone(), w.exp()))(w.clone()));
    assert_eq!(f(w.clone()), g(w, e));
}

#[test]
fn a_long_loop_keeps_one() {
    let w = numbers(1000);
    let xs = numbers(200);
    let bytes =
        |f: &dyn Fn(Array) -> Array| Executable::new(&trace(f, &w)).expect("it compiles").compiled().report.arena_bytes;
    let (inner, outer) = (bytes(&grad(|w: Array| recurrent(&w, &xs))), bytes(&grad(|w: Array| outside(&w, &xs))));
    assert!(inner <= outer + 64 * 1000, "{inner} and {outer} bytes");
}
