//! Loops and branches under every transform, against finite differences and against each lane alone.

use approx::assert_abs_diff_eq;
use wengert::prelude::*;

/// Derivatives of `f` (of a scalar, with the integer `k` beside it) to third order at every point, in every
/// composition of modes, alone and as lanes of a batch.
fn all_orders(name: &str, f: impl Fn(Array, Array) -> Array + Copy, points: &[(f64, i64)]) {
    let g = move |x: Array, k: Array| grad(|x: Array| f(x, k.clone()))(x);
    let gg = move |x: Array, k: Array| grad(|x: Array| g(x, k.clone()))(x);
    let ggg = move |x: Array, k: Array| grad(|x: Array| gg(x, k.clone()))(x);
    let jvp_f = move |x: Array, k: Array| jvp(|x: Array| f(x, k.clone()))(x, 1.0.into()).1;
    let jvp_g = move |x: Array, k: Array| jvp(|x: Array| g(x, k.clone()))(x, 1.0.into()).1;
    let grad_j = move |x: Array, k: Array| grad(|x: Array| jvp_f(x, k.clone()))(x);
    let jvp_j = move |x: Array, k: Array| jvp(|x: Array| jvp_f(x, k.clone()))(x, 1.0.into()).1;

    let mut lanes = [vec![], vec![], vec![], vec![]];
    for &(x, k) in points {
        let at = |f: &dyn Fn(Array, Array) -> Array, x: f64| f(x.into(), k.into()).item::<f64>().unwrap();
        let slope = |f: &dyn Fn(Array, Array) -> Array| {
            let q = |h: f64| (at(f, x + h) - at(f, x - h)) / (2.0 * h);
            (4.0 * q(5e-5) - q(1e-4)) / 3.0
        };
        let close = |what: &str, found: f64, wanted: f64, tolerance: f64| {
            let error = (found - wanted).abs() / wanted.abs().max(1.0);
            assert!(error <= tolerance, "{name} at ({x}, {k}): {what} is {found}, wanted {wanted}");
        };
        let (d1, d2, d3) = (at(&g, x), at(&gg, x), at(&ggg, x));
        close("grad", d1, slope(&f), 1e-6);
        close("jvp", at(&jvp_f, x), d1, 1e-10);
        close("grad grad", d2, slope(&g), 1e-6);
        for (what, f) in
            [("jvp grad", &jvp_g as &dyn Fn(Array, Array) -> Array), ("grad jvp", &grad_j), ("jvp jvp", &jvp_j)]
        {
            close(what, at(f, x), d2, 1e-9);
        }
        close("grad grad grad", d3, slope(&gg), 1e-5);
        for (lane, value) in lanes.iter_mut().zip([at(&f, x), d1, d2, d3]) {
            lane.push(value);
        }
    }
    let xs = Array::from(points.iter().map(|p| p.0).collect::<Vec<f64>>());
    let ks = Array::from(points.iter().map(|p| p.1).collect::<Vec<i64>>());
    let near = |what: &str, found: Array, wanted: &[f64]| {
        let found = found.to_vec::<f64>().unwrap();
        for (lane, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let error = (found - wanted).abs() / wanted.abs().max(1.0);
            assert!(error <= 1e-9, "{name}: {what} gives {found} in lane {lane}, alone {wanted}");
        }
        assert_eq!(found.len(), wanted.len());
    };
    let both = || (xs.clone(), ks.clone());
    near("vmap", vmap(|(x, k)| f(x, k))(both()), &lanes[0]);
    near("vmap(grad)", vmap(|(x, k)| g(x, k))(both()), &lanes[1]);
    near("vmap(grad(grad))", vmap(|(x, k)| gg(x, k))(both()), &lanes[2]);
    near("vmap(grad(grad(grad)))", vmap(|(x, k)| ggg(x, k))(both()), &lanes[3]);
    let total = |x: Array| vmap(|(x, k)| f(x, k))((x, ks.clone())).sum();
    near("grad(sum vmap)", grad(total)(xs.clone()), &lanes[1]);
    near("grad(sum grad(sum vmap))", grad(|x: Array| grad(total)(x).sum())(xs.clone()), &lanes[2]);
    let total = |x: Array| vmap(|(x, k)| g(x, k))((x, ks.clone())).sum();
    near("grad(sum vmap(grad))", grad(total)(xs.clone()), &lanes[2]);
    let (_, pushed) = jvp(|x: Array| vmap(|(x, k)| g(x, k))((x, ks.clone())))(xs.clone(), wengert::ones_like(&xs));
    near("jvp(vmap(grad))", pushed, &lanes[2]);
    let two = |a: &Array| stack(&[a.clone(), a.flip(0)], 0);
    let nested = vmap(vmap(|(x, k)| gg(x, k)))((two(&xs), two(&ks)));
    let reversed: Vec<f64> = lanes[2].iter().chain(lanes[2].iter().rev()).copied().collect();
    near("vmap(vmap(grad(grad)))", nested.reshape([2 * points.len()]), &reversed);

    // The same in machine code.
    let before = wengert::execute::compilations();
    near("jit(vmap)", jit(vmap(|(x, k)| f(x, k)))(both()), &lanes[0]);
    near("jit(vmap(grad))", jit(vmap(|(x, k)| g(x, k)))(both()), &lanes[1]);
    near("jit(vmap(grad(grad)))", jit(vmap(|(x, k)| gg(x, k)))(both()), &lanes[2]);
    near("vmap(jit(grad))", vmap(jit(|(x, k)| g(x, k)))(both()), &lanes[1]);
    let (j1, j2) = (jit(|(x, k)| g(x, k)), jit(|(x, k)| gg(x, k)));
    for (i, &(x, k)) in points.iter().enumerate() {
        near("jit(grad)", j1((x.into(), k.into())).reshape([1]), &lanes[1][i..i + 1]);
        near("jit(grad(grad))", j2((x.into(), k.into())).reshape([1]), &lanes[2][i..i + 1]);
    }
    assert!(wengert::execute::compilations() >= before, "native code was made");
}

#[test]
fn a_scan_with_rows_in_and_out() {
    let f = |x: Array, _: Array| {
        let rows = arange(5.0) * 0.3;
        let (last, sums) = scan(|c: Array, r: Array| (&c + (&x * &r).sin() * 0.5, c.cos() * &r), x.clone(), rows);
        last + sums.square().sum()
    };
    all_orders("scan", f, &[(0.3, 0), (-1.2, 0), (2.0, 0)]);
}

fn arange(n: f64) -> Array {
    wengert::arange(0.0, n, 1.0)
}

#[test]
fn a_while_loop_with_trips_by_lane() {
    let f = |x: Array, k: Array| {
        let (_, y) = while_loop(
            |(i, _): (Array, Array)| i.lt(&k),
            |(i, y): (Array, Array)| (i + 1, &y + 0.1 * y.sin() * &x),
            (Array::from(0i64), x.clone()),
        );
        y
    };
    all_orders("while", f, &[(0.3, 0), (0.5, 1), (0.7, 7), (0.9, 40)]);
}

#[test]
fn nested_while_loops() {
    let f = |x: Array, k: Array| {
        let (_, y) = while_loop(
            |(i, _): (Array, Array)| i.lt(&k),
            |(i, y): (Array, Array)| {
                let z = while_loop(
                    |z: Array| z.lt(2.0),
                    |z: Array| &z * 1.3 + x.square() * (-&y).exp() + 0.05,
                    y.sin().square(),
                );
                (i + 1, y * 0.9 + 0.2 * z.sin() * &x)
            },
            (Array::from(0i64), x.clone()),
        );
        y
    };
    all_orders("nested while", f, &[(0.4, 0), (0.6, 1), (0.45, 7), (0.3, 20)]);
}

#[test]
fn a_branch_with_a_loop_in_each_arm() {
    let f = |x: Array, k: Array| {
        let (_, y) = while_loop(
            |(i, _): (Array, Array)| i.lt(&k),
            |(i, y): (Array, Array)| {
                let grown = |limit: f64, rate: &Array| {
                    while_loop(|z: Array| z.lt(limit), |z: Array| &z + 0.4 + 0.3 * (-&z).exp() * rate, y.clone()).sin()
                };
                let z = cond(&y.gt(0.0), || grown(2.0, &x.square()), || grown(3.0, &(-x.square()).exp()));
                (i + 1, z)
            },
            (Array::from(0i64), x.clone()),
        );
        y
    };
    all_orders("branch", f, &[(0.3, 0), (-0.4, 1), (0.5, 4), (0.9, 9)]);
}

#[test]
fn an_idle_lane_parked_at_a_singularity_stays_finite() {
    let f = |x: Array, k: Array| {
        let (_, y) = while_loop(
            |(i, _): (Array, Array)| i.lt(&k),
            |(i, y): (Array, Array)| (i + 1, cond(&x.ne(0.0), || 1.0 / &y + &x, || y.sin())),
            (Array::from(0i64), x.clone()),
        );
        y
    };
    all_orders("parked", f, &[(0.0, 0), (0.7, 3), (-0.8, 2)]);
}

#[test]
fn descent_whose_step_is_itself_a_gradient() {
    let f = |x: Array, _: Array| {
        let h = |y: &Array| (y - &x).square() + 0.1 * y.exp() * &x;
        let step = |y: &Array| grad(|y: Array| h(&y))(y.clone());
        let y = while_loop(|y: Array| step(&y).square().gt(1e-18), |y: Array| &y - 0.2 * step(&y), Array::from(0.1));
        &x * y.sin()
    };
    all_orders("descent", f, &[(0.5, 0), (1.1, 0), (-0.7, 0)]);
}

#[test]
fn a_branch_not_taken_has_no_derivative() {
    let f = |x: Array| cond(&x.gt(0.0), || x.log(), || Array::from(0.0));
    assert_eq!(grad(f)(0.0.into()), Array::from(0.0));
    assert_eq!(jit(grad(f))(0.0.into()), Array::from(0.0));
    assert_eq!(vmap(grad(f))(Array::from([0.0, 2.0])), Array::from([0.0, 0.5]));
    assert_eq!(jit(vmap(grad(f)))(Array::from([0.0, 2.0])), Array::from([0.0, 0.5]));
}

#[test]
fn a_check_counts_only_where_its_branch_is_taken() {
    let f = |x: Array| {
        cond(
            &x.gt(0.0),
            || {
                check(&x.lt(10.0), "x is below ten");
                x.sqrt()
            },
            || -&x,
        )
    };
    let all = vmap(f)(Array::from([4.0, -40.0]));
    assert_eq!(all, Array::from([2.0, 40.0]));
    assert_eq!(jit(vmap(f))(Array::from([4.0, -40.0])), all);
    let error = try_jit(vmap(f))(Array::from([4.0, -40.0, 11.0, 12.0])).unwrap_err();
    assert!(error.to_string().contains("x is below ten (row 2 of 4 under `vmap`, counted from 0)"), "{error}");
    assert!(error.to_string().contains("control_flow.rs"), "{error}");
    assert_eq!(error, wengert::try_vmap(f)(Array::from([4.0, -40.0, 11.0, 12.0])).unwrap_err());
    assert_eq!(try_jit(grad(f))(20.0.into()).unwrap_err().message, "check failed: x is below ten");
}

#[test]
fn the_gradient_of_a_table_read_in_a_scan_is_linear_in_its_length() {
    let f = |table: Array, x: Array| {
        let n = table.shape()[0];
        let i = wengert::arange(0i64, n as i64, 1);
        scan(|acc: Array, i: Array| (acc + (&x * table.at(&i)).sin(), ()), Array::from(0.0), i).0
    };
    for n in [1usize, 7, 64] {
        let table = Array::from((0..n).map(|i| 0.1 * i as f64).collect::<Vec<f64>>());
        let x = Array::from(0.7);
        let g = |t: Array| grad(|t: Array| f(t, x.clone()))(t);
        let wanted = &x * (&x * &table).cos();
        let second = 2.0 * &wanted * -(&x * &x) * (&x * &table).sin();
        let gg = |t: Array| grad(|t: Array| g(t).square().sum())(t);
        for (found, wanted) in
            [(g(table.clone()), &wanted), (jit(g)(table.clone()), &wanted), (jit(gg)(table.clone()), &second)]
        {
            assert_abs_diff_eq!(&found, wanted, epsilon = 1e-12);
        }
    }
}

#[test]
fn a_call_dag_of_depth_forty_is_done_at_once() {
    fn deeper(f: Box<dyn Fn(Array) -> Array>) -> Box<dyn Fn(Array) -> Array> {
        Box::new(jit(move |x: Array| f(x.clone()) * 0.5 + f(x * 0.5)))
    }
    let mut f: Box<dyn Fn(Array) -> Array> = Box::new(jit(|x: Array| x.sin()));
    for _ in 0..40 {
        f = deeper(f);
    }
    let program = trace(&f, &Array::from(1.0));
    assert!(program.to_string().len() < 100_000);
    let gradient = trace(grad(&f), &Array::from(1.0));
    assert!(gradient.to_string().len() < 400_000);
    wengert::execute::executable(&gradient).unwrap();
}
