//! Programs of 25,000 and 100,000 operations: little stack, and time that grows as they do.

use std::process::Command;
use std::time::Instant;
use wengert::parse;
use wengert::prelude::*;

fn chain(n: usize) -> impl Fn(Array) -> Array {
    move |x: Array| (0..n).fold(x, |x, i| if i % 2 == 0 { x * 1.000001 } else { x.sin() })
}

/// Traces, prints, parses, differentiates, compiles, runs and drops.
fn everything(n: usize) {
    let f = chain(n);
    let program = trace(&f, &0.5.into());
    assert_eq!(program.equations().len(), n + 1);
    let text = program.to_string();
    assert_eq!(parse(&text).unwrap(), *program);
    let gradient = jit(grad(&f))(0.5.into()).item::<f64>().unwrap();
    let wanted = interpret(grad(&f))(0.5.into()).item::<f64>().unwrap();
    assert_eq!(gradient, wanted);
}

fn in_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(f).expect("a thread starts").join().expect("it ends well");
}

/// Does its work in processes of the other test: in one that has run before, memory is at hand already.
#[test]
fn timed() {
    let Ok(n) = std::env::var("WENGERT_TEST_OPERATIONS") else { return };
    let n = n.parse().expect("the other test says how many");
    let start = Instant::now();
    in_a_small_stack(move || everything(n));
    println!("seconds {}", start.elapsed().as_secs_f64());
}

fn seconds(n: usize) -> f64 {
    let output = Command::new(std::env::current_exe().expect("a test is a program"))
        .args(["timed", "--exact", "--nocapture"])
        .env("WENGERT_TEST_OPERATIONS", n.to_string())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let found = text.lines().find_map(|line| line.strip_prefix("seconds "));
    found.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("it says how long it took: {text}"))
}

#[test]
fn a_chain_of_100_000_operations_needs_little_stack_and_linear_time() {
    // Both take as long, so that what else the machine does meets both; what it does is different every time.
    let slope = || {
        let few = (0..4).map(|_| seconds(25_000)).sum::<f64>() / 4.0;
        let many = seconds(100_000);
        let slope = (many / few).ln() / 4f64.ln();
        println!("25,000 operations: {few:.2} s, 100,000: {many:.2} s, slope {slope:.2}");
        slope
    };
    assert!((0..10).any(|_| slope() <= 1.15), "the time grows faster than the program");
}
