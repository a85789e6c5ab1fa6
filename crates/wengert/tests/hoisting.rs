//! What is the same in every round of a loop is computed once, before it, and is no row of what the backward pass keeps.

use wengert::execute::Executable;
use wengert::prelude::*;
use wengert::{Array, Program, arange, grad, hessian, interpret, jit, jvp, scan, trace, vmap, while_loop};

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

/// A loop whose lanes end one after the other, with a body that makes a value of what lanes share, and one of what they do not.
#[test]
fn loops_of_unknown_length() {
    let shared = numbers(3);
    let f = |(x, k): (Array, Array)| {
        let body = |(i, y): (Array, Array)| (i + 1, (y * shared.cos().sum() + x.sin()).sin() + x.exp() * 0.1);
        while_loop(|(i, _): (Array, Array)| i.lt(&k), body, (Array::from(0), &x * 1.0)).1
    };
    let plain = |x: f64, k: i32| {
        let s: f64 = shared.cos().sum().item().unwrap();
        (0..k).fold(x, |y, _| (y * s + x.sin()).sin() + x.exp() * 0.1)
    };
    let xs = array![0.3, -0.7, 1.1, 0.2];
    let ks = array![3, 0, 7, 1];
    let program = trace(f, &(Array::from(0.3), Array::from(3)));
    assert_eq!((inside(&program, "exp"), inside(&program, "cos")), (0, 0), "{program}");
    let ys = vmap(f)((xs.clone(), ks.clone()));
    let (x, k, y) = (xs.to_vec::<f64>().unwrap(), ks.to_vec::<i32>().unwrap(), ys.to_vec::<f64>().unwrap());
    let slopes = vmap(grad(move |x: Array| f((x.at(0), x.at(1).convert(wengert::DType::I32)))));
    let pairs = wengert::stack(&[xs.clone(), ks.convert(wengert::DType::F64)], 1);
    let slopes = jit(&slopes)(pairs).to_vec::<f64>().unwrap();
    for lane in 0..4 {
        assert!((plain(x[lane], k[lane]) - y[lane]).abs() < 1e-14);
        let h = 1e-6;
        let slope = (plain(x[lane] + h, k[lane]) - plain(x[lane] - h, k[lane])) / (2.0 * h);
        assert!((slope - slopes[2 * lane]).abs() < 1e-7, "{slope} {}", slopes[2 * lane]);
    }
}

/// A value made of nothing but constants, in a loop that takes nothing from outside.
#[test]
fn constants_under_lanes() {
    let f = |(x, k): (Array, Array)| {
        let step = |(i, y): (Array, Array)| (i - 1, (y * arange(1.0, 4.0, 1.0).sqrt()).sin());
        while_loop(|(i, _): (Array, Array)| i.gt(0), step, (k, x * wengert::ones(3))).1.sum()
    };
    let (xs, ks) = (array![0.5, 1.0, -0.2], array![1, 3, 0]);
    let slopes = jit(vmap(move |(x, k): (Array, Array)| grad(|x: Array| f((x, k.clone())))(x)));
    let found = slopes((xs.clone(), ks.clone()));
    for lane in 0..3 {
        let (x, k) = (xs.at(lane as i64), ks.at(lane as i64));
        assert_eq!(found.at(lane as i64), grad(|x: Array| f((x, k.clone())))(x));
    }
    let program = trace(f, &(Array::from(0.5), Array::from(2)));
    assert_eq!(inside(&program, "sqrt"), 0, "{program}");
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
