//! Panics, escapes, threads, long loops.

use std::sync::Mutex;
use std::time::Instant;
use wengert::prelude::*;
use wengert::try_trace;

/// A function that says where it is before every operation, in bodies of every kind.
fn with_stops(at: impl Fn()) -> impl Fn(Array) -> Array {
    move |x: Array| {
        let at = &at;
        let step = |x: Array| {
            at();
            x
        };
        let y = step(x.sin());
        let z = step(&y * step(x.exp()));
        let (last, rows) =
            scan(|c: Array, r: Array| (step(&c * &r), step(c.cos())), step(z.clone()), stack(&[y, z], 0));
        let grown = fori_loop(
            0,
            3,
            |_, x: Array| cond(&step(x.gt(0.0)), || step(x.sqrt()), || step(-&x)),
            step(rows.sum() + last),
        );
        let settled = while_loop(|x: Array| step(x.gt(0.5)), |x: Array| step(x * 0.5), grown);
        let inner = step(jit(|x: Array| step(x.tanh()))(settled));
        let kept = checkpoint(|x: Array| step(x.cosh()))(inner);
        step(&kept * grad(|x: Array| step(x.square() * &kept))(kept.clone()))
    }
}

#[test]
fn a_panic_at_any_operation_leaves_the_next_trace_as_it_was() {
    let points = Array::from([0.1, 0.2]);
    let traced = |stop: Option<usize>| {
        let count = std::cell::Cell::new(0);
        let at = || {
            count.set(count.get() + 1);
            assert!(Some(count.get()) != stop, "stop at {stop:?}");
        };
        let text = trace(vmap(grad(with_stops(at))), &points).to_string();
        (text, count.get())
    };
    let (before, stops) = traced(None);
    assert!(stops > 15, "{stops}");
    for stop in 1..=stops {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| traced(Some(stop))));
        assert!(result.is_err(), "at {stop}");
        assert_eq!(traced(None).0, before, "after a panic at {stop}");
    }
}

#[test]
fn an_array_that_escapes_its_trace_says_where_it_was_made() {
    static KEPT: Mutex<Option<Array>> = Mutex::new(None);
    let keep = |x: Array| {
        let y = x.sin();
        *KEPT.lock().unwrap() = Some(y.clone());
        y
    };
    grad(keep)(1.0.into());
    let kept = KEPT.lock().unwrap().clone().unwrap();
    let uses: [&dyn Fn() -> Array; 3] =
        [&|| &kept + 1.0, &|| jit(|x: Array| x * &kept)(2.0.into()), &|| grad(|x: Array| x * &kept)(2.0.into())];
    for escape in uses {
        let error = wengert::try_call(escape).unwrap_err().to_string();
        assert!(error.contains("after its trace ended") && error.contains("robustness.rs"), "{error}");
    }
    let elsewhere = grad(|x: Array| {
        let y = x.clone();
        let error = std::thread::spawn(move || wengert::try_call(|| y + 1.0).unwrap_err().to_string()).join().unwrap();
        assert!(error.contains("on another thread"), "{error}");
        x
    });
    elsewhere(1.0.into());
}

#[test]
fn a_choice_by_a_traced_value_says_to_use_select_or_cond() {
    let error = try_trace(
        |x: Array| if x.item::<f64>().map_err(|e| e.raise()).unwrap_or(0.0) > 0.0 { x } else { -x },
        &1.0.into(),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("`select` or `cond`"), "{error}");
}

/// Uses planned memory, memory that grows, and runtime calls.
fn busy(x: Array) -> Array {
    let root = |a: &Array| {
        while_loop(|y: Array| (y.square() - a).abs().gt(1e-9), |y: Array| 0.5 * (&y + a / &y), Array::from(1.0))
    };
    let column = x.reshape([-1, 1]);
    let row = x.softmax(-1).reshape([1, -1]);
    let products = column.dot(&row).dot(&column);
    let sums = scan(|c: Array, x: Array| (&c * 0.5 + x.sin(), c.exp()), Array::from(0.0), x.clone()).1;
    root(&(1.0 + x.square().sum())) * (products.sum() + sums.sum())
}

#[test]
fn sixty_four_threads_call_one_function() {
    let f = jit(grad(busy));
    let point = |t: usize, n: usize| Array::from((0..n).map(|k| (t + k) as f64 * 0.01).collect::<Vec<f64>>());
    // Each thread has numbers of its own, which the others would spoil in memory that is shared by mistake.
    let wanted: Vec<Array> = (0..64).map(|t| interpret(grad(busy))(point(t, 40))).collect();
    let first: Vec<Array> = (0..64).map(|t| f(point(t, 40))).collect();
    let start = std::sync::Barrier::new(64);
    let f = &f;
    std::thread::scope(|scope| {
        for t in 0..64 {
            let (start, wanted, first) = (&start, &wanted[t], &first[t]);
            scope.spawn(move || {
                start.wait();
                for k in 0..50 {
                    let found = f(point(t, 40));
                    assert_eq!(found, *first);
                    assert!((found - wanted).abs().max().item::<f64>().unwrap() < 1e-9);
                    // New shapes, so that tracing and compiling happen at once on many threads.
                    let n = 1 + (t + k) % 7;
                    assert_eq!(f(point(t, n)).shape()[0], n);
                }
            });
        }
    });
}

#[test]
fn a_scan_of_a_million_scalar_steps_takes_at_most_20_ns_a_step() {
    let xs = Array::from(vec![0.5; 1_000_000]);
    let f = jit(|xs: Array| scan(|c: Array, x: Array| (&c * 0.9 + x, ()), Array::from(0.0), xs).0);
    let seconds = || {
        let start = Instant::now();
        assert!((f(xs.clone()).item::<f64>().unwrap() - 5.0).abs() < 1e-9);
        start.elapsed().as_secs_f64()
    };
    seconds();
    let quickest = (0..20).map(|_| seconds()).fold(f64::INFINITY, f64::min);
    println!("{:.1} ns a step", quickest * 1e3);
    assert!(quickest <= 20e-3, "{quickest} s");
}
