//! Loops, branches and calls, with their derivatives and batches.

use crate::engine::{agree_transformed, check, f64s, traced};
use wengert_core::ops::samples;
use wengert_core::{Array, DType, Type, cond, fori_loop, scan, while_loop};

#[test]
fn a_scan_of_scalars_needs_no_memory() {
    let program = traced(&[f64s(&[]), f64s(&[])], |x| {
        vec![fori_loop(0, 10, |_, c: Array| (c * &x[1]).sin() + &x[0], x[0].clone())]
    });
    agree_transformed(&program);
    let report = crate::engine::compiled(&program).report;
    assert_eq!((report.buffers, report.loops, report.passes), (0, 1, 0), "{report}");
}

#[test]
fn a_scan_with_rows() {
    agree_transformed(&traced(&[f64s(&[4]), f64s(&[5, 4])], |x| {
        let step = |c: Array, row: Array| ((&c * &row).sin(), c.square() + row);
        let (c, rows) = scan(step, x[0].clone(), x[1].clone());
        vec![c, rows]
    }));
}

#[test]
fn carries_that_trade_places() {
    agree_transformed(&traced(&[f64s(&[3]), f64s(&[3]), f64s(&[])], |x| {
        let step = |c: (Array, Array, Array), _: Array| ((c.1.clone(), c.0.sin(), c.2.sin() * 0.5), (c.2, c.0.flip(0)));
        let init = (x[0].clone(), x[1].clone(), x[2].clone());
        let (c, ys) = scan(step, init, wengert_core::zeros([4]));
        vec![c.0, c.1, c.2, ys.0, ys.1]
    }));
}

#[test]
fn a_while_loop() {
    agree_transformed(&traced(&[f64s(&[]), f64s(&[3])], |x| {
        let go_on = |c: (Array, Array)| c.0.lt(5.0);
        let body = |c: (Array, Array)| (&c.0 + c.1.square().sum() * 0.1 + 0.3, (&c.1 * &x[1]).sin() + &c.0);
        let c = while_loop(go_on, body, (x[0].clone(), x[1].clone()));
        vec![c.0, c.1]
    }));
}

#[test]
fn loops_in_loops() {
    agree_transformed(&traced(&[f64s(&[]), f64s(&[4])], |x| {
        let outer = |c: (Array, Array)| {
            let inner = while_loop(|d: Array| d.lt(2.0), |d: Array| d.square() + 0.7, &c.0 * 0.3);
            let total = fori_loop(0, 3, |i, t: Array| (t * 1.1).sin() + c.1.at(i), inner);
            (&c.0 + 1.0, (&c.1 + total).cos())
        };
        let c = while_loop(|c: (Array, Array)| c.0.lt(3.0), outer, (x[0].clone(), x[1].clone()));
        vec![c.0, c.1]
    }));
}

#[test]
fn branches() {
    agree_transformed(&traced(&[f64s(&[]), f64s(&[3])], |x| {
        let y = cond(&x[0].gt(0.3), || x[1].sin() * &x[0], || x[1].exp());
        let z = cond(&x[0].gt(10.0), || x[0].log(), || x[0].square());
        vec![y, z]
    }));
}

#[test]
fn branches_in_loops_in_branches() {
    agree_transformed(&traced(&[f64s(&[]), f64s(&[3])], |x| {
        let step = |i: Array, c: Array| {
            cond(
                &c.at(0).gt(0.0),
                || while_loop(|d: Array| d.sum().lt(4.0), |d: Array| d.square() + 0.6, c.sin()),
                || &c + x[1].at(i) * &x[0],
            )
        };
        vec![cond(&x[0].gt(0.0), || fori_loop(0, 4, step, x[1].clone()), || x[1].clone())]
    }));
}

#[test]
fn a_table_read_in_a_loop() {
    let program = traced(&[f64s(&[50]), f64s(&[])], |x| {
        let step = |i: Array, acc: Array| acc + (&x[1] * x[0].at(i)).sin();
        vec![fori_loop(0, 50, step, wengert_core::full([0; 0], 0.0))]
    });
    agree_transformed(&program);
    // The gradient of the table is accumulated in place: no copy of it is made in any round.
    let report = crate::engine::compiled(&crate::engine::gradient(&program)).report;
    assert!(report.copies <= 2, "{report}");
}

#[test]
fn every_sample_transformed() {
    // Samples of control flow bring lists of all kinds; transformed, they bring more.
    let mut done = 0;
    for sample in samples() {
        let types: Vec<Type> = sample.args.iter().map(|x| x.ty()).collect();
        let results = sample.op.infer(&types).unwrap();
        let plain = |ty: &Type| ty.as_array().is_some_and(|a| a.dtype == DType::F64 && a.size() < 50);
        let arrays = types.iter().chain(&results).all(plain);
        if !arrays || sample.smooth.len() != types.len() || !sample.op.programs().is_empty() {
            continue;
        }
        let program = traced(&types, |x| {
            let x: Vec<&Array> = x.iter().collect();
            wengert_core::trace::record(sample.op.clone(), &x)
        });
        agree_transformed(&program);
        done += 1;
    }
    assert!(done > 50, "{done}");
}

#[test]
fn checks_report_the_lowest_lane() {
    let text = "
        program (%0: bool[4], %1: bool[4], %2: f64[]) {
          check[message=\"first\"] %0 %1
          %3: f64[] = sin %2
          return %3
        }";
    let truth = |x: [bool; 4]| wengert_core::value::ArrayValue::new(&[4], x.to_vec()).into();
    let x = wengert_core::value::Value::scalar(1.0);
    check(text, &[truth([true; 4]), truth([true, true, false, false]), x.clone()]);
    check(text, &[truth([false; 4]), truth([false; 4]), x]);
}
