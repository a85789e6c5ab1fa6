//! Interpreted against compiled: `cargo bench`. Prints a table, then the figures of the README; writes both as JSON to
//! `target/compare.json`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};
use wengert::execute::Executable;
use wengert::prelude::*;
use wengert_benches::{Workload, all, lstm_arguments, lstm_loss, mlp_arguments, mlp_loss, mlp_step, quadratic};

fn main() {
    // `cargo bench` passes `--bench`; any other word selects workloads by name.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let selected = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w.as_str()));
    let mut json = String::from("{\"workloads\":[");
    println!("{:<46}{:>13}{:>13}{:>8}{:>11}{:>11}", "", "interpreted", "compiled", "ratio", "trace", "compile");
    let workloads: Vec<Workload> = all().into_iter().filter(|w| selected(w.name)).collect();
    for (i, w) in workloads.iter().enumerate() {
        let program = w.run.traced();
        let compiled = median(|| w.run.compiled());
        let interpreted = median(|| w.run.interpreted());
        let traced = median(|| drop(black_box(w.run.traced())));
        let compile = median(|| drop(black_box(Executable::new(&program).expect("it compiles"))));
        let ratio = interpreted.as_secs_f64() / compiled.as_secs_f64();
        let show = |d: Duration| format!("{d:.2?}");
        println!(
            "{:<46}{:>13}{:>13}{ratio:>7.1}x{:>11}{:>11}",
            w.name,
            show(interpreted),
            show(compiled),
            show(traced),
            show(compile)
        );
        let comma = if i > 0 { "," } else { "" };
        let _ = write!(
            json,
            "{comma}\n{{\"name\":\"{}\",\"interpreted_s\":{:e},\"compiled_s\":{:e},\"trace_s\":{:e},\"compile_s\":{:e}}}",
            w.name,
            interpreted.as_secs_f64(),
            compiled.as_secs_f64(),
            traced.as_secs_f64(),
            compile.as_secs_f64()
        );
    }
    json.push_str("\n],\"figures\":[");
    if wanted.is_empty() {
        println!();
        for (i, (name, figure)) in figures().into_iter().enumerate() {
            println!("{name:<72}{figure}");
            let _ = write!(json, "{}\n{{\"name\":\"{name}\",\"figure\":\"{figure}\"}}", if i > 0 { "," } else { "" });
        }
    }
    json.push_str("\n]}\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/compare.json");
    match std::fs::write(path, json) {
        Ok(()) => println!("\nwritten to target/compare.json"),
        Err(error) => println!("\ntarget/compare.json was not written: {error}"),
    }
}

/// The median time of a call, over samples of several calls where calls are short, for about a quarter of a second.
fn median(mut f: impl FnMut()) -> Duration {
    let time = |f: &mut dyn FnMut(), n: u32| {
        let start = Instant::now();
        (0..n).for_each(|_| f());
        start.elapsed() / n
    };
    let once = time(&mut f, 1).min(time(&mut f, 1));
    let calls = (Duration::from_micros(500).as_nanos() / once.as_nanos().max(20)).clamp(1, 20_000) as u32;
    let end = Instant::now() + Duration::from_millis(250);
    let mut samples = Vec::new();
    while samples.len() < 5 || Instant::now() < end {
        samples.push(time(&mut f, calls));
        if samples.len() >= 2 && Instant::now() > end + Duration::from_secs(2) {
            break;
        }
    }
    samples.sort();
    samples[samples.len() / 2]
}

fn figures() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let eight = jit(grad(|x: Array| (x.square() + 3.0 * &x).sum()));
    let x = Array::from([0.5; 8]);
    let call = median(|| drop(black_box(eight(x.clone()))));
    all.push(("a call of jit(grad(f)) on 8 elements", format!("{call:.0?}")));

    let to_code = |f: &dyn Fn() -> std::sync::Arc<wengert::Program>| {
        median(|| drop(black_box(Executable::new(&f()).expect("it compiles"))))
    };
    let quick = to_code(&|| trace(grad(quadratic), &Array::from(2.0)));
    all.push(("trace, grad and compile x² + 3x + 5", format!("{quick:.2?}")));
    let arguments = mlp_arguments(128);
    let mlp = to_code(&|| trace(|(l, x, y)| grad(|l| mlp_loss(&l, &x, &y))(l), &arguments));
    all.push(("trace, grad and compile an MLP's loss, 784-256-256-10, batch 128", format!("{mlp:.2?}")));
    let lstm = lstm_arguments(32, 50);
    let compiled = to_code(&|| trace(grad(lstm_loss), &lstm));
    all.push(("trace, grad and compile an LSTM cell's scan", format!("{compiled:.2?}")));

    let step = jit(mlp_step);
    let time = median(|| drop(black_box(step(arguments.clone()))));
    all.push(("a compiled MLP step, f32, batch 128, one thread", format!("{time:.2?}")));

    let n = 1 << 20;
    let x = Array::from((0..n).map(|i| i as f32 * 1e-6).collect::<Vec<f32>>());
    let chain = jit(|x: Array| 2.5 * &x + 1.5 * x.square() - 0.5);
    let ours = median(|| drop(black_box(chain(x.clone()))));
    let data = x.to_vec::<f32>().expect("it is f32");
    let by_hand = median(|| drop(black_box(data.iter().map(|&x| 2.5 * x + 1.5 * (x * x) - 0.5).collect::<Vec<f32>>())));
    let ratio = ours.as_secs_f64() / by_hand.as_secs_f64();
    all.push((
        "2.5x + 1.5x² - 0.5 on 1M f32, against a loop in Rust",
        format!("{ours:.0?}, {ratio:.2} times the loop's"),
    ));

    let scalar = jit(|x: Array| fori_loop(0, 1_000_000, |_, x: Array| &x + 1e-6 * (1.5 * &x - x.powi(3)), x));
    let time = median(|| drop(black_box(scalar(0.3.into()))));
    all.push(("a step of a scan of 1,000,000 scalar steps", format!("{:.2} ns", time.as_secs_f64() * 1e3)));
    all
}
