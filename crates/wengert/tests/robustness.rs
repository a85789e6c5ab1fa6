//! Deep programs, panics, escapes, threads, memory.

use std::sync::Mutex;
use std::time::Instant;
use wengert::prelude::*;
use wengert::{parse, try_trace};

fn in_a_small_stack<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    std::thread::Builder::new().stack_size(256 << 10).spawn(f).expect("a thread starts").join().expect("it ends well")
}

fn chain(n: usize) -> impl Fn(Array) -> Array {
    move |x: Array| (0..n).fold(x, |x, i| if i % 2 == 0 { x * 1.000001 } else { x.sin() })
}

#[test]
fn a_chain_of_100_000_operations_needs_little_stack_and_linear_time() {
    let seconds = |n: usize| {
        in_a_small_stack(move || {
            let start = Instant::now();
            let f = chain(n);
            let program = trace(&f, &0.5.into());
            assert_eq!(program.equations().len(), n + 1);
            let text = program.to_string();
            assert_eq!(parse(&text).unwrap(), *program);
            let gradient = jit(grad(&f))(0.5.into()).item::<f64>().unwrap();
            let wanted = interpret(grad(&f))(0.5.into()).item::<f64>().unwrap();
            assert_eq!(gradient, wanted);
            start.elapsed().as_secs_f64()
        })
    };
    seconds(1000);
    let (few, many) = (seconds(25_000), seconds(100_000));
    let slope = (many / few).ln() / 4f64.ln();
    println!("25,000 operations: {few:.2} s, 100,000: {many:.2} s, slope {slope:.2}");
    // The figure is in the docs; what fails here is quadratic growth, not a busy machine.
    assert!(slope < 1.6, "{slope}");
}

#[test]
fn a_panic_at_any_operation_leaves_the_next_trace_as_it_was() {
    let f = |x: Array, stop: usize| {
        let mut n = 0;
        let mut at = |x: Array| {
            n += 1;
            assert!(n != stop, "stop at {stop}");
            x
        };
        let y = at(x.sin());
        let z = at(y.exp());
        let w = scan(|c: Array, r: Array| (c * &r, r), z.clone(), wengert::stack(&[y, z], 0)).0;
        at(w)
    };
    let nested = |stop: usize| move |x: Array| vmap(grad(move |x: Array| f(x, stop)))(x);
    let text = || trace(nested(0), &Array::from([0.1, 0.2])).to_string();
    let before = text();
    for stop in 1..=3 {
        let panics = std::panic::catch_unwind(|| nested(stop)(Array::from([0.1, 0.2])));
        assert!(panics.is_err());
        assert_eq!(text(), before);
    }
    let inside = std::panic::catch_unwind(|| {
        fori_loop(0, 3, |_, x: Array| cond(&x.gt(0.0), || panic!("in a branch"), || x.clone()), 1.0.into())
    });
    assert!(inside.is_err());
    assert_eq!(text(), before);
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

#[test]
fn sixty_four_threads_call_one_function() {
    let f = std::sync::Arc::new(jit(grad(|x: Array| (x.sin() * x.square()).sum())));
    let wanted = f(Array::from([0.1, 0.2, 0.3]));
    std::thread::scope(|scope| {
        for t in 0..64 {
            let (f, wanted) = (f.clone(), wanted.clone());
            scope.spawn(move || {
                for k in 0..50 {
                    assert_eq!(f(Array::from([0.1, 0.2, 0.3])), wanted);
                    // New shapes, so that tracing and compiling happen at once on many threads.
                    let n = 1 + (t + k) % 7;
                    assert_eq!(f(Array::from(vec![0.1; n])).shape()[0], n);
                }
            });
        }
    });
}
