//! Transforms in transforms: perturbation confusion, high orders, every composition.

use approx::AbsDiffEq;
use wengert::prelude::*;

fn value(x: Array) -> f64 {
    x.item::<f64>().unwrap()
}

/// Twelve nests in which a derivative might be taken with respect to the wrong variable; all exact.
#[test]
fn perturbations_are_not_confused() {
    let d = |f: &dyn Fn(Array) -> Array, x: f64| value(grad(f)(x.into()));
    let push = |f: &dyn Fn(Array) -> Array, x: f64| value(jvp(f)(x.into(), 1.0.into()).1);
    for derivative in [&d as &dyn Fn(&dyn Fn(Array) -> Array, f64) -> f64, &push] {
        // d/dx (x · d/dy (x + y)) = 1, by each mode inside each.
        assert_eq!(derivative(&|x| &x * grad(|y: Array| &x + y)(1.0.into()), 1.0), 1.0);
        assert_eq!(derivative(&|x| &x * jvp(|y: Array| &x + y)(1.0.into(), 1.0.into()).1, 1.0), 1.0);
        // d/dx (x · d/dy (x y)) = 2x.
        assert_eq!(derivative(&|x| &x * grad(|y: Array| &x * y)(5.0.into()), 3.0), 6.0);
        // The inner point is the outer variable: d/dx (d/dy y³ at y = x) = 6x.
        assert_eq!(derivative(&|x| grad(|y: Array| y.powi(3))(x), 2.0), 12.0);
        // d/dx (d/dy x y² at y = x) = d/dx 2x² = 4x.
        assert_eq!(derivative(&|x| grad(|y: Array| &x * y.square())(x.clone()), 3.0), 12.0);
        // A captured derivative is constant inside: d/dx (x · d/dy ((d/dz x z) y)) = 2x.
        assert_eq!(
            derivative(&|x| &x * grad(|y: Array| grad(|z: Array| &x * z)(1.0.into()) * y)(1.0.into()), 4.0),
            8.0
        );
        // Through a batch, a loop, a branch, and a compiled function.
        let batched =
            |x: Array| vmap(|y: Array| &x * grad(|z: Array| &x * &y + z)(1.0.into()))(Array::from([1.0, 2.0])).sum();
        assert_eq!(derivative(&batched, 3.0), 2.0);
        let looped = |x: Array| fori_loop(0, 3, |_, s: Array| s + &x * grad(|y: Array| &x * y)(1.0.into()), 0.0.into());
        assert_eq!(derivative(&looped, 2.0), 12.0);
        let branched = |x: Array| cond(&x.gt(0.0), || &x * grad(|y: Array| &x + y)(1.0.into()), || Array::from(0.0));
        assert_eq!(derivative(&branched, 2.0), 1.0);
        assert_eq!(derivative(&|x| &x * jit(grad(|y: Array| &x + y))(1.0.into()), 1.0), 1.0);
        // stop_gradient holds for all orders outside, and the inner derivative goes on.
        assert_eq!(derivative(&|x| x.stop_gradient() * grad(|y: Array| &x * y)(1.0.into()), 3.0), 3.0);
        // The same closure at two depths.
        let cube = |x: Array| x.powi(3);
        assert_eq!(derivative(&|x| grad(cube)(x.clone()) * cube(x), 2.0), 5.0 * 3.0 * 16.0);
    }
}

/// The k-th derivative of `f` at `x`, its program's equations, by `grad` nested k deep.
fn nested(f: fn(Array) -> Array, order: usize) -> Box<dyn Fn(Array) -> Array> {
    let mut g: Box<dyn Fn(Array) -> Array> = Box::new(f);
    for _ in 0..order {
        g = Box::new(grad(g));
    }
    g
}

#[test]
fn ten_nested_gradients_are_right_and_small() {
    let x = 0.7f64;
    // Values by power series in exact rational arithmetic, 50 digits: see the closed forms beside each.
    let tower = |f: fn(Array) -> Array| {
        let counts: Vec<usize> = (0..=10).map(|k| trace(nested(f, k), &x.into()).equation_count()).collect();
        for k in 4..10 {
            let ratio = counts[k + 1] as f64 / counts[k] as f64;
            assert!(ratio <= 2.5, "order {}: {counts:?}", k + 1);
        }
        assert!(counts[10] <= 10_000, "{counts:?}");
        value(jit(nested(f, 10))(x.into()))
    };
    let close =
        |found: f64, wanted: f64| assert!((found - wanted).abs() <= 1e-12 * wanted.abs(), "{found} is not {wanted}");
    close(tower(|x| x.exp()), x.exp());
    // Leibniz: the k-th derivative of sin times the (10-k)-th of x^10.
    let leibniz: f64 = (0..=10)
        .map(|k: i32| {
            let binomial = (0..k).fold(1.0, |b, i| b * (10 - i) as f64 / (i + 1) as f64);
            let falling = (0..10 - k).fold(1.0, |p, i| p * (10 - i) as f64);
            binomial * (x + k as f64 * std::f64::consts::FRAC_PI_2).sin() * falling * x.powi(k)
        })
        .sum();
    close(tower(|x| x.sin() * x.powi(10)), leibniz);
    close(tower(|x| x.tanh()), tanh_tenth(x));
    // x/(1+x²) is the real part of 1/(x+i): its tenth derivative is 10! Re (x+i)^-11.
    let (r, angle) = (x.hypot(1.0), 1f64.atan2(x));
    close(tower(|x| &x / (1.0 + x.square())), 3628800.0 * (11.0 * angle).cos() / r.powi(11));
}

/// The tenth derivative of tanh: each derivative is a polynomial in t = tanh x, p' (1 - t²), with whole coefficients.
fn tanh_tenth(x: f64) -> f64 {
    let mut p: Vec<i64> = vec![0, 1];
    for _ in 0..10 {
        let mut next = vec![0; p.len() + 1];
        for (i, &c) in p.iter().enumerate().skip(1) {
            next[i - 1] += c * i as i64;
            next[i + 1] -= c * i as i64;
        }
        p = next;
    }
    // Summed with compensation, since the terms cancel.
    let t = x.tanh();
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for (i, &c) in p.iter().enumerate() {
        let term = c as f64 * t.powi(i as i32) - lost;
        let new = sum + term;
        lost = (new - sum) - term;
        sum = new;
    }
    sum
}

type Function<'a> = Box<dyn Fn(Array) -> Array + 'a>;

/// The derivative of a function of a scalar, by every mode.
fn derivatives<'a>(g: &'a dyn Fn(Array) -> Array) -> [(&'static str, Function<'a>); 5] {
    [
        ("grad", Box::new(grad(g))),
        ("jvp", Box::new(move |x| jvp(g)(x, 1.0.into()).1)),
        ("vjp", Box::new(move |x| vjp(g, x).1(1.0.into()))),
        ("linearize", Box::new(move |x| wengert::linearize(g, x).1(1.0.into()))),
        ("jacfwd", Box::new(jacfwd(g))),
    ]
}

/// The same of a function that works on each element alone, at many points at once.
fn derivatives_at_many<'a>(g: &'a dyn Fn(Array) -> Array) -> [(&'static str, Function<'a>); 5] {
    let diagonal = |x: Array| {
        let n = x.shape()[0];
        (x * wengert::eye(n)).sum_axis(0)
    };
    [
        ("grad of the sum", Box::new(grad(move |x: Array| g(x).sum()))),
        ("jvp", Box::new(move |x| jvp(g)(x.clone(), wengert::ones_like(&x)).1)),
        ("vjp", Box::new(move |x| vjp(g, x.clone()).1(wengert::ones_like(&x)))),
        ("linearize", Box::new(move |x| wengert::linearize(g, x.clone()).1(wengert::ones_like(&x)))),
        ("jacrev", Box::new(move |x| diagonal(jacrev(g)(x)))),
    ]
}

/// Every composition of two derivatives, batched and compiled in every way, against the closed form.
#[test]
fn compositions_agree() {
    let f = |x: Array| (x.sin() * x.square()).sum();
    let points = [0.3, -1.1, 2.0];
    let second = Array::from(points.map(|x: f64| (2.0 - x * x) * x.sin() + 4.0 * x * x.cos()));
    let xs = || Array::from(points);
    let near = |what: &str, found: Array| {
        assert!(found.abs_diff_eq(&second, 1e-12), "{what}: {found}, wanted {second}");
    };
    for (inner, g) in derivatives(&f) {
        let ways: [(&str, Function); 3] =
            [("", Box::new(&g)), ("jit of ", Box::new(jit(&g))), ("jit of jit of ", Box::new(jit(jit(&g))))];
        for (way, g) in &ways {
            for (outer, h) in derivatives(g) {
                let of = |what: &str| format!("{what} of {outer} of {way}{inner}");
                let each = |h: &dyn Fn(Array) -> Array| stack(&points.map(|x| h(x.into())), 0);
                near(&of("plain"), each(&h));
                near(&of("jit"), each(&jit(&h)));
                near(&of("jit of jit"), each(&jit(jit(&h))));
                near(&of("vmap"), vmap(&h)(xs()));
                near(&of("jit of vmap"), jit(vmap(&h))(xs()));
                near(&of("vmap of jit"), vmap(jit(&h))(xs()));
                near(&of("scan"), scan(|(), x: Array| ((), h(x)), (), xs()).1);
            }
            // Each of a batch.
            let batched = vmap(g);
            for (outer, h) in derivatives_at_many(&batched) {
                let of = |what: &str| format!("{what} of {outer} of vmap of {way}{inner}");
                near(&of("plain"), h(xs()));
                near(&of("jit"), jit(&h)(xs()));
                let two = vmap(&h)(stack(&[xs(), xs()], 0));
                near(&of("vmap"), two.at(0));
                near(&of("vmap"), two.at(1));
            }
        }
    }
}

#[test]
fn gradients_of_trees_have_the_tree_s_structure() {
    #[derive(Clone, Tree)]
    struct Inner<T: Tree> {
        w: T,
        #[tree(static)]
        power: i32,
    }
    #[derive(Clone, Tree)]
    struct Outer {
        parts: Vec<Inner<Array>>,
        pair: (Array, Option<Array>),
        table: std::collections::BTreeMap<String, Array>,
        count: Array,
    }
    let tree = Outer {
        parts: vec![Inner { w: 2.0.into(), power: 3 }, Inner { w: Array::from([1.0, 2.0]), power: 2 }],
        pair: (3.0.into(), None),
        table: [("a".to_string(), Array::from(5.0))].into(),
        count: 7i64.into(),
    };
    let f = |t: Outer| {
        let parts = t.parts.iter().fold(Array::from(0.0), |s, p| s + p.w.powi(p.power).sum());
        parts + &t.pair.0 * &t.table["a"] * t.count.convert(DType::F64)
    };
    for g in [grad(f)(tree.clone()), jit(grad(f))(tree.clone())] {
        assert_eq!(g.parts[0].w, Array::from(12.0));
        assert_eq!(g.parts[1].w, Array::from([2.0, 4.0]));
        assert_eq!(g.parts[1].power, 2);
        assert_eq!(g.pair.0, Array::from(35.0));
        assert!(g.pair.1.is_none());
        assert_eq!(g.table["a"], Array::from(21.0));
        assert_eq!(g.count, Array::from(0i64));
    }
    check_grads(f, tree, 1e-6).unwrap();
}
