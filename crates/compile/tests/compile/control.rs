//! Loops, branches and calls, with their derivatives and batches.

use crate::engine::{agree_transformed, check, compiled, f64s, traced};
use wengert_core::ops::samples;
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Array, DType, Type, cond, fori_loop, scan, while_loop};

#[test]
fn a_scan_of_scalars_needs_no_memory() {
    let program = traced(&[f64s(&[]), f64s(&[])], |x| {
        vec![fori_loop(0, 10, |_, c: Array| (c * &x[1]).sin() + &x[0], x[0].clone())]
    });
    agree_transformed(&program);
    let report = compiled(&program).report;
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
    let report = compiled(&crate::engine::gradient(&program)).report;
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
    let truth = |x: [bool; 4]| ArrayValue::new(&[4], x.to_vec()).into();
    let x = Value::scalar(1.0);
    check(text, &[truth([true; 4]), truth([true, true, false, false]), x.clone()]);
    check(text, &[truth([false; 4]), truth([false; 4]), x]);
}

#[test]
fn a_carry_is_overwritten_only_where_it_has_been_read() {
    let rounds = || wengert_core::zeros([4]);
    // Read at other elements than the one written.
    agree_transformed(&traced(&[f64s(&[5])], |x| {
        let (c, ys) = scan(|c: Array, _| ((c.flip(0) * 0.7 + &c).sin(), c), x[0].clone(), rounds());
        vec![c, ys]
    }));
    // Read by a later group.
    agree_transformed(&traced(&[f64s(&[5])], |x| {
        let (c, ys) = scan(|c: Array, _| (c.sin(), &c - c.sin().sum()), x[0].clone(), rounds());
        vec![c, ys]
    }));
    // Updated in place by one equation, and replaced by another.
    agree_transformed(&traced(&[f64s(&[5])], |x| {
        let step = |c: Array, _| {
            let updated = c.scatter_add(wengert_core::arange(1i64, 4, 1), &wengert_core::ones([3]));
            (updated.sin(), updated.flip(0))
        };
        let (c, ys) = scan(step, x[0].clone(), rounds());
        vec![c, ys]
    }));
    // The rows of a matrix, one updated in each round from its neighbours.
    agree_transformed(&traced(&[f64s(&[4, 3])], |x| {
        let step = |i: Array, c: Array| {
            let row = (c.at(&i) + c.at(&i + 1) * 0.5).sin();
            c.dynamic_update_slice(&row.expand_dims([0]), &[i, wengert_core::full([0; 0], 0i64)])
        };
        vec![fori_loop(0, 4, step, x[0].clone())]
    }));
}

#[test]
fn an_update_is_in_place_when_nothing_reads_the_array_later() {
    let update = |c: &Array| c.scatter_add(wengert_core::arange(0i64, 3, 1), &wengert_core::ones([3]));
    let last = traced(&[f64s(&[100])], |x| vec![update(&x[0].sin())]);
    assert_eq!(compiled(&last).report.copies, 0);
    agree_transformed(&last);
    let kept = traced(&[f64s(&[100])], |x| {
        let y = x[0].sin();
        vec![update(&y), y]
    });
    assert_eq!(compiled(&kept).report.copies, 1);
    agree_transformed(&kept);
    // Arguments are not ours.
    let argument = traced(&[f64s(&[100])], |x| vec![update(&x[0])]);
    assert_eq!(compiled(&argument).report.copies, 1);
    let carried = traced(&[f64s(&[100])], |x| vec![fori_loop(0, 9, |_, c| update(&c), x[0].clone())]);
    assert_eq!(compiled(&carried).report.copies, 1, "one before the loop");
    agree_transformed(&carried);
}

#[test]
fn a_list_ends_in_zero_rows() {
    // As many rows as rounds of the first loop; the second makes more, or fewer.
    let text = |row: &str, shape: &str| {
        format!(
            "program (%0: f64[{shape}], %1: i64[], %2: i64[]) {{
               %3: bool[] = literal[value=truebool]
               %4: f64[{shape}], %5: list(f64[{shape}]) = loop[inv=0, acc=0, carry=1, xs=0, reverse=false, body=program (%0: bool[], %1: i64[], %2: f64[{shape}]) {{
                 %3: f64[{shape}] = {row} %2
                 return %3, %2
               }}] %3 %1 %0
               %6: f64[{shape}], %7: list(f64[{shape}]) = loop[inv=0, acc=1, carry=0, xs=1, reverse=true, body=program (%0: bool[], %1: i64[], %2: f64[{shape}], %3: f64[{shape}]) {{
                 %4: f64[{shape}] = cos %3
                 %5: f64[{shape}] = add %2 %4
                 return %5, %5
               }}] %3 %2 %0 %5
               %8: list(f64[{shape}]) = list_add %5 %7
               %9: f64[{shape}] = loop[inv=0, acc=1, carry=0, xs=1, reverse=false, body=program (%0: bool[], %1: i64[], %2: f64[{shape}], %3: f64[{shape}]) {{
                 %4: f64[{shape}] = add %2 %3
                 return %4
               }}] %3 %2 %0 %8
               return %4, %6, %9
             }}"
        )
    };
    for (first, second) in [(3i64, 5i64), (5, 3), (0, 2), (2, -1), (-3, 4), (4, 4)] {
        let (n, m) = (Value::scalar(first), Value::scalar(second));
        check(&text("sin", ""), &[Value::scalar(0.5), n.clone(), m.clone()]);
        let x = ArrayValue::new(&[3], vec![0.5, -1.0, 2.0]).into();
        check(&text("sin", "3"), &[x, n, m]);
    }
}

#[test]
fn an_idle_lane_brings_zeros_and_keeps_its_carry() {
    let text = "
        program (%0: bool[3], %1: i64[3], %2: f64[3], %3: f64[3,2]) {
          %4: f64[3,2], %5: f64[3,2], %6: list(f64[3,2]) = loop[inv=1, acc=1, carry=1, xs=0, reverse=false, lanes=[1, 1, 1, 1, 1, 1, 1, 1], body=program (%0: bool[3], %1: i64[], %2: f64[3], %3: f64[3,2], %4: f64[3,2]) {
            %5: f64[3,2] = broadcast[shape=[3, 2], axes=[0]] %2
            %6: f64[3,2] = div %5 %4
            %7: f64[3,2] = add %3 %4
            return %7, %6, %6
          }] %0 %1 %2 %3 %3
          %7: bool[] = literal[value=truebool]
          %8: i64[] = literal[value=4i64]
          %9: f64[3,2] = loop[inv=0, acc=1, carry=0, xs=1, reverse=false, body=program (%0: bool[], %1: i64[], %2: f64[3,2], %3: f64[3,2]) {
            %4: f64[3,2] = add %2 %3
            return %4
          }] %7 %8 %3 %6
          return %4, %5, %9
        }";
    let mask = |x: [bool; 3]| -> Value { ArrayValue::new(&[3], x.to_vec()).into() };
    let x: Value = ArrayValue::new(&[3], vec![0.5, -1.0, 2.0]).into();
    let c: Value = ArrayValue::new(&[3, 2], vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).into();
    for (m, n) in [([true; 3], [4i64, 2, 0]), ([true, false, true], [1, 9, 3]), ([false; 3], [5, 5, 5])] {
        check(text, &[mask(m), ArrayValue::new(&[3], n.to_vec()).into(), x.clone(), c.clone()]);
    }
}
