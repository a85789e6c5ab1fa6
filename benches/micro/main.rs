//! Small benchmarks by family, one line of JSON for each case, so that those of other libraries for the same work can stand beside them:
//!
//!     cargo run --release --bin micro -- --bench ew,scan --threads 1 [--match TEXT] [--budget SECONDS]
//!     cargo run --release --bin micro -- --list
//!
//! A line has `bench, peer, size, dtype, threads, median_s, min_s, n` and sometimes a `note`. Times are of one call, of which a sample takes
//! half a millisecond or more; results are made in each call and dropped.

mod elementwise;
mod indexing;
mod loops;
mod matrices;
mod models;
mod process;

use std::hint::black_box;
use std::time::{Duration, Instant};
use wengert::prelude::*;

/// Something to time.
pub struct Case {
    bench: String,
    size: String,
    dtype: &'static str,
    note: Option<&'static str>,
    /// Makes the arguments and compiles.
    prepare: Box<dyn FnOnce() -> Box<dyn FnMut()>>,
}

impl Case {
    /// A call of any kind: `prepare` makes it.
    pub fn of<F: FnMut() + 'static>(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        prepare: impl FnOnce() -> F + 'static,
    ) -> Case {
        let (bench, size, dtype) = (bench.into(), size.to_string(), dtype.name());
        Case { bench, size, dtype, note: None, prepare: Box::new(|| Box::new(prepare())) }
    }

    /// A call of the compiled function.
    pub fn jitted<A: Tree + Clone + 'static, R: Tree + 'static>(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        f: impl Fn(A) -> R + 'static,
        arguments: impl FnOnce() -> A + 'static,
    ) -> Case {
        Case::of(bench, size, dtype, move || {
            let (f, arguments) = (jit(f), arguments());
            move || drop(black_box(f(arguments.clone())))
        })
    }

    /// A call of the compiled function on what the call before it returned, which it may write over.
    pub fn repeated<A: Tree + 'static>(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        f: impl Fn(A) -> A + 'static,
        start: impl FnOnce() -> A + 'static,
    ) -> Case {
        Case::of(bench, size, dtype, move || {
            let (f, mut state) = (jit(f), Some(start()));
            move || state = state.take().map(&f)
        })
    }

    /// With a remark.
    pub fn noted(self, note: &'static str) -> Case {
        Case { note: Some(note), ..self }
    }
}

/// Normally distributed numbers.
pub fn normal(dtype: DType, shape: impl wengert::Integers, seed: u64) -> Array {
    random::normal(&random::key(seed), dtype, shape)
}

/// What is asked for on the command line.
struct Options {
    families: Vec<String>,
    threads: usize,
    budget: Duration,
    wanted: String,
}

/// Prints the lines of a family of this name.
type Family = fn(&Options, &str);

const FAMILIES: &[(&str, Family)] = &[
    ("coldstart", |o, _| process::cold_start(o.threads)),
    ("compile", |o, _| process::compile(o.threads)),
    ("dispatch", |o, f| run(o, f, process::dispatch())),
    ("ew", |o, f| run(o, f, elementwise::values())),
    ("ewgrad", |o, f| run(o, f, elementwise::gradients())),
    ("chain", |o, f| run(o, f, elementwise::chains())),
    ("reduce", |o, f| run(o, f, elementwise::reductions())),
    ("mlp", |o, f| run(o, f, models::mlp())),
    ("hessian", |o, f| run(o, f, models::hessians())),
    ("vmapgrad", |o, f| run(o, f, models::gradients_of_batches())),
    ("hvp", |o, f| run(o, f, models::hessian_products())),
    ("scan", |o, f| run(o, f, loops::cases())),
    ("logreg", |o, f| run(o, f, models::logistic_regression())),
    ("matmul", |o, f| run(o, f, matrices::products())),
    ("conv", |o, f| run(o, f, matrices::convolutions())),
    ("linalg", |o, f| run(o, f, matrices::decompositions())),
    ("index", |o, f| run(o, f, indexing::cases())),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let value = |flag: &str| words.iter().position(|w| w == flag).and_then(|i| words.get(i + 1)).cloned();
    if let Some(what) = value("--cold") {
        return process::cold(&what);
    }
    let names = FAMILIES.iter().map(|f| f.0).collect::<Vec<&str>>();
    if words.iter().any(|w| w == "--list") {
        return println!("{}", names.join("\n"));
    }
    let number = |flag: &str, otherwise: f64| match value(flag).map(|v| v.parse::<f64>()) {
        None => otherwise,
        Some(Ok(x)) if x > 0.0 => x,
        Some(_) => stop(&format!("{flag} takes a number above 0")),
    };
    let families = value("--bench").unwrap_or_else(|| names.join(","));
    let options = Options {
        families: families.split(',').map(str::to_owned).collect(),
        threads: number("--threads", 1.0) as usize,
        budget: Duration::from_secs_f64(number("--budget", 0.25)),
        wanted: value("--match").unwrap_or_default(),
    };
    wengert::set_num_threads(options.threads);
    for family in &options.families {
        match FAMILIES.iter().find(|f| f.0 == family) {
            Some((name, family)) => family(&options, name),
            None => stop(&format!("there is no family {family}; there are {}", names.join(", "))),
        }
    }
}

fn stop(message: &str) -> ! {
    eprintln!("micro: {message}");
    std::process::exit(2)
}

fn run(options: &Options, family: &str, cases: Vec<Case>) {
    for case in cases {
        let Case { bench, size, dtype, note, prepare } = case;
        let bench = if bench.is_empty() { family.to_owned() } else { format!("{family}/{bench}") };
        if format!("{bench} {size} {dtype}").contains(&options.wanted) {
            let samples = sample(&mut *prepare(), options.budget);
            let note = note.map(|note| format!(", \"note\": \"{note}\"")).unwrap_or_default();
            line(&bench, &size, dtype, options.threads, samples, &note);
        }
    }
}

/// Prints the line of a case; `more` is put at its end.
fn line(bench: &str, size: &str, dtype: &str, threads: usize, mut samples: Vec<f64>, more: &str) {
    samples.sort_by(f64::total_cmp);
    let (n, middle) = (samples.len(), samples.len() / 2);
    let median = if n % 2 == 1 { samples[middle] } else { (samples[middle - 1] + samples[middle]) / 2.0 };
    println!(
        "{{\"bench\": \"{bench}\", \"peer\": \"wengert\", \"size\": \"{size}\", \"dtype\": \"{dtype}\", \"threads\": {threads}, \
         \"median_s\": {median:e}, \"min_s\": {:e}, \"n\": {n}{more}}}",
        samples[0]
    );
}

/// Seconds of a call, at least five times and for as long as the budget says, half a millisecond or more at a time.
fn sample(call: &mut dyn FnMut(), budget: Duration) -> Vec<f64> {
    let mut time = |calls: u32| {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() / f64::from(calls)
    };
    let once = (0..4).map(|_| time(1)).fold(f64::INFINITY, f64::min);
    let calls = |once: f64| (0.0005 / once.max(1e-9)).clamp(1.0, 1e6) as u32;
    let calls = calls(time(calls(once)));
    let (mut samples, end) = (Vec::new(), Instant::now() + budget);
    while samples.len() < 5 || Instant::now() < end {
        samples.push(time(calls));
        if samples.len() >= 2 && Instant::now() > end + 20 * budget {
            break;
        }
    }
    samples
}
