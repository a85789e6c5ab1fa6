//! `switch`, `map`, `associative_scan`, unrolled scans and loops with computed bounds, in every transform.

use wengert::prelude::*;
use wengert::{map, scan_unrolled, tree, try_call};

fn numbers(n: usize) -> Array {
    (arange(1.0, n as f64 + 0.5, 1.0) * 0.7).sin()
}

#[test]
fn a_switch_takes_one_branch() {
    let f = |(k, x): (Array, Array)| {
        switch(&k, &[&|x: Array| x.sin(), &|x: Array| x.log(), &|x: Array| &x * &x, &|x: Array| 1.0 / x], x)
    };
    let slope = |(k, x): (Array, Array)| grad(|x: Array| f((k.clone(), x)))(x);
    let want = |k: i32, x: f64| match k.clamp(0, 3) {
        0 => (x.sin(), x.cos()),
        1 => (x.ln(), 1.0 / x),
        2 => (x * x, 2.0 * x),
        _ => (1.0 / x, -1.0 / (x * x)),
    };
    let ks = [-5, 0, 1, 2, 3, 9];
    for k in ks {
        let (y, dy) = want(k, 0.8);
        for found in [f((k.into(), 0.8.into())), jit(f)((k.into(), 0.8.into()))] {
            approx::assert_relative_eq!(found, Array::from(y), max_relative = 1e-15);
        }
        approx::assert_relative_eq!(jit(slope)((k.into(), 0.8.into())), Array::from(dy), max_relative = 1e-15);
    }
    // At 0 the branches not taken would give infinities.
    let at_zero = jit(vmap(slope))((Array::from(ks), zeros(6)));
    assert_eq!(at_zero.slice(..2), array![1.0, 1.0]);
    assert_eq!(at_zero.at(3), 0.0.into());
    let wrong = try_call(|| f((1.5.into(), 1.0.into()))).unwrap_err().to_string();
    assert!(wrong.contains("switch") && wrong.contains("one whole number"), "{wrong}");
}

#[test]
fn an_associative_scan_is_a_scan() {
    for n in 0..20 {
        let x = numbers(n);
        let together = |x: Array| associative_scan(|a: Array, b: Array| a * b, x);
        let step = |p: Array, x: Array| {
            let p = p * x;
            (p.clone(), p)
        };
        let one_by_one = |x: Array| scan(step, 1.0.into(), x).1;
        let (y, z) = (jit(together)(x.clone()), jit(one_by_one)(x.clone()));
        approx::assert_relative_eq!(y, z, max_relative = 1e-14);
        assert_eq!(together(x.clone()), y);
        let loss = |f: &dyn Fn(Array) -> Array| jit(grad(|x: Array| (f(x) * numbers(n)).sum()))(x.clone());
        approx::assert_relative_eq!(loss(&together), loss(&one_by_one), max_relative = 1e-12, epsilon = 1e-15);
    }
    // Affine maps, which do not commute: x -> a x + b.
    let then = |(a, b): (Array, Array), (c, d): (Array, Array)| (&a * &c, &c * b + d);
    let (a, b) = (numbers(11), 1.0 - numbers(11));
    let (slopes, offsets) = jit(|ab: (Array, Array)| associative_scan(then, ab))((a.clone(), b.clone()));
    let (mut s, mut o) = (1.0, 0.0);
    for (k, (a, b)) in a.to_vec::<f64>().unwrap().into_iter().zip(b.to_vec::<f64>().unwrap()).enumerate() {
        (s, o) = (s * a, a * o + b);
        approx::assert_relative_eq!(slopes.at(k as i32), Array::from(s), max_relative = 1e-13);
        approx::assert_relative_eq!(offsets.at(k as i32), Array::from(o), max_relative = 1e-13);
    }
}

#[test]
fn an_unrolled_scan_is_a_scan() {
    for n in 0..12 {
        for unroll in 1..5 {
            let step = |c: Array, (x, k): (Array, Array)| {
                let c = (c * 0.9 + x).sin();
                (c.clone(), (c.clone() * k.convert(DType::F64), c.exp()))
            };
            let xs = || (numbers(n), arange(0, n as i32, 1));
            let plain = |c: Array| scan(step, c, xs());
            let unrolled = |c: Array| scan_unrolled(unroll, step, c, xs());
            let (a, b) = (jit(plain)(0.3.into()), jit(unrolled)(0.3.into()));
            assert_eq!((&a.0, &a.1.0, &a.1.1), (&b.0, &b.1.0, &b.1.1), "{n} {unroll}");
            let slope = |f: &dyn Fn(Array) -> (Array, (Array, Array))| {
                jit(grad(|c: Array| {
                    let (c, (y, z)) = f(c);
                    c + y.sum() + z.sum()
                }))(0.3.into())
            };
            approx::assert_relative_eq!(slope(&plain), slope(&unrolled), max_relative = 1e-14);
        }
    }
}

#[test]
fn bounds_of_a_loop_may_be_computed() {
    let power = |(x, from, to): (Array, Array, Array)| fori_loop(&from, &to, |_, p: Array| p * &x, Array::from(1.0));
    let fixed = |x: Array| fori_loop(2, 7, |_, p: Array| p * &x, Array::from(1.0));
    let args = || (1.5.into(), 2.into(), 7.into());
    assert_eq!(jit(power)(args()), fixed(1.5.into()));
    let (slope, ..) = jit(grad(power))(args());
    approx::assert_relative_eq!(slope, Array::from(5.0 * 1.5f64.powi(4)), max_relative = 1e-15);
    // Rounds by lane, the index counted from the lower bound.
    let sums = |to: Array| fori_loop(&to - 2, &to, |i, s: Array| s + i.convert(DType::F64), Array::from(0.0));
    assert_eq!(jit(vmap(sums))(array![2, 5, -3]), array![1.0, 7.0, -9.0]);
    let second = |x: Array| fori_loop(0, Array::from(3), |_, p: Array| p * &x, Array::from(1.0));
    assert_eq!(jit(grad(grad(second)))(2.0.into()), 12.0.into());
    let wrong = try_call(|| fori_loop(0, Array::from(1.5), |_, x: Array| x, Array::from(1.0))).unwrap_err().to_string();
    assert!(wrong.contains("fori_loop") && wrong.contains("one whole number"), "{wrong}");
}

#[test]
fn a_map_runs_over_rows() {
    let f = |(x, k): (Array, Array)| (x.sum() * k.convert(DType::F64), x);
    let xs = || (numbers(6).reshape((3, 2)), arange(0, 3, 1));
    let (a, b) = (jit(|xs: (Array, Array)| map(f, xs))(xs()), vmap(f)(xs()));
    assert_eq!((a.0, a.1), (b.0, b.1));
}

#[test]
fn trees_ravel_and_come_back() {
    let tree = || (array![[1.0, 2.0], [3.0, 4.0]], vec![Array::from(5.0), array![6.0, 7.0]]);
    let (vector, back) = tree::ravel(tree());
    assert_eq!(vector, arange(1.0, 7.5, 1.0));
    let (matrix, rest) = back(vector.clone());
    assert_eq!((matrix, &rest[0], &rest[1]), (tree().0, &tree().1[0], &tree().1[1]));
    // A Hessian over all parameters as one matrix.
    let loss = |(m, v): (Array, Vec<Array>)| (m.sum() * &v[0]).square() + v[1].square().sum();
    let whole = hessian(|x: Array| loss(back(x)))(vector);
    assert_eq!((whole.shape().as_slice(), whole.at(6).at(6)), ([7, 7].as_slice(), 2.0.into()));
    let wrong = try_call(|| back(zeros(3))).expect_err("it has another length").to_string();
    assert!(wrong.contains("7 elements"), "{wrong}");
}
