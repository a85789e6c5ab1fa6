//! Small benchmarks by family, one line of JSON for each case, so that those of other libraries for the same work can stand beside them:
//!
//!     cargo run --release --bin micro -- --bench ew,scan --threads 1 [--match TEXT] [--budget SECONDS]
//!     cargo run --release --bin micro -- --list
//!
//! A line has `bench, peer, size, dtype, threads, median_s, min_s, n`; where the inputs are the same numbers everywhere a `result`, which sums up
//! what the first call gave; and sometimes a `note`. Times are of one call, of which a sample takes half a millisecond or more; results are made in each
//! call and dropped. Some cases have a second line of the peer `machine`: the least time that this machine takes for it.

mod elementwise;
mod faults;
mod indexing;
mod loops;
mod machine;
mod matrices;
mod models;
mod process;

use crate::machine::{Bound, Machine};
use std::hint::black_box;
use std::time::{Duration, Instant};
use wengert::prelude::*;
use wengert::tree;

/// Something to time.
pub struct Case {
    bench: String,
    size: String,
    dtype: DType,
    note: Option<&'static str>,
    bound: Option<Bound>,
    /// Whether the result is that of the same case in other libraries.
    comparable: bool,
    /// Makes the arguments and compiles.
    prepare: Box<dyn FnOnce() -> Prepared>,
}

/// Ready to be timed.
pub struct Prepared {
    call: Box<dyn FnMut()>,
    result: Option<Summary>,
}

impl Case {
    fn new(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        prepare: impl FnOnce() -> Prepared + 'static,
    ) -> Case {
        let (bench, size, prepare) = (bench.into(), size.to_string(), Box::new(prepare));
        Case { bench, size, dtype, note: None, bound: None, comparable: true, prepare }
    }

    /// A call of any kind: `prepare` makes it.
    pub fn of<F: FnMut() + 'static>(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        prepare: impl FnOnce() -> F + 'static,
    ) -> Case {
        Case::new(bench, size, dtype, || Prepared { call: Box::new(prepare()), result: None })
    }

    /// A call of the compiled function.
    pub fn jitted<A: Tree + Clone + 'static, R: Tree + 'static>(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        f: impl Fn(A) -> R + 'static,
        arguments: impl FnOnce() -> A + 'static,
    ) -> Case {
        Case::new(bench, size, dtype, move || {
            let (f, arguments) = (jit(f), arguments());
            let result = Summary::of(&tree::flatten(f(arguments.clone())).0);
            Prepared { call: Box::new(move || drop(black_box(f(arguments.clone())))), result: Some(result) }
        })
    }

    /// A call of the compiled function on what the call before it returned, which it may write over; `shown` is what is compared.
    pub fn repeated<A: Tree + 'static>(
        bench: impl Into<String>,
        size: impl ToString,
        dtype: DType,
        f: impl Fn(A) -> A + 'static,
        start: impl Fn() -> A + 'static,
        shown: fn(A) -> Vec<Array>,
    ) -> Case {
        Case::new(bench, size, dtype, move || {
            let f = jit(f);
            let result = Summary::of(&shown(f(start())));
            let mut state = Some(start());
            Prepared { call: Box::new(move || state = state.take().map(&f)), result: Some(result) }
        })
    }

    /// With a remark.
    pub fn noted(self, note: &'static str) -> Case {
        Case { note: Some(note), ..self }
    }

    /// With what the machine cannot do without.
    pub fn bounded(self, bound: Bound) -> Case {
        Case { bound: Some(bound), ..self }
    }

    /// Of a result that rounding alone decides, which is another in every library.
    pub fn incomparable(self) -> Case {
        Case { comparable: false, ..self }
    }
}

/// A result in short: how many elements, their sum, the sum of their magnitudes, and the first, the middle and the last of the first array.
struct Summary {
    count: usize,
    sum: f64,
    magnitude: f64,
    some: Vec<f64>,
}

impl Summary {
    fn of(arrays: &[Array]) -> Summary {
        let mut found = Summary { count: 0, sum: 0.0, magnitude: 0.0, some: Vec::new() };
        for array in arrays {
            let elements = array.convert(DType::F64).flatten().to_vec::<f64>().expect("it was converted");
            found.count += elements.len();
            found.sum += elements.iter().sum::<f64>();
            found.magnitude += elements.iter().map(|x| x.abs()).sum::<f64>();
            if let (true, n @ 1..) = (found.some.is_empty(), elements.len()) {
                found.some = [0, n / 2, n - 1].map(|i| elements[i]).to_vec();
            }
        }
        found
    }

    /// As JSON; Python reads its names of numbers that are not finite.
    fn json(&self) -> String {
        let number = |x: f64| match x {
            _ if x.is_nan() => "NaN".to_owned(),
            _ if x.is_infinite() => if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
            _ => format!("{x:e}"),
        };
        let some: Vec<String> = self.some.iter().map(|&x| number(x)).collect();
        format!(
            "{{\"count\": {}, \"sum\": {}, \"magnitude\": {}, \"some\": [{}]}}",
            self.count,
            number(self.sum),
            number(self.magnitude),
            some.join(", ")
        )
    }
}

/// Bits without a pattern, the same in every library: the last steps of MurmurHash3 on the number of the element.
fn scattered(i: usize, seed: u64) -> u32 {
    let mut h = (i as u32).wrapping_mul(0x9e37_79b1).wrapping_add((seed as u32).wrapping_mul(0x85eb_ca77));
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

fn made(shape: impl wengert::Integers, seed: u64, element: impl Fn(u32) -> f64) -> Array {
    let shape = zeros_of(DType::Bool, shape).shape().to_vec();
    let n: usize = shape.iter().product();
    Array::from((0..n).map(|i| element(scattered(i, seed))).collect::<Vec<f64>>()).reshape(shape)
}

/// Numbers between 0 and 1.
pub fn uniform(dtype: DType, shape: impl wengert::Integers, seed: u64) -> Array {
    made(shape, seed, |bits| (f64::from(bits) + 0.5) / 2f64.powi(32)).convert(dtype)
}

/// Numbers of mean 0 and variance 1, all equally likely.
pub fn numbers(dtype: DType, shape: impl wengert::Integers, seed: u64) -> Array {
    made(shape, seed, |bits| ((f64::from(bits) + 0.5) / 2f64.powi(31) - 1.0) * 3f64.sqrt()).convert(dtype)
}

/// Integers from 0 up to `end`.
pub fn integers(end: usize, n: usize, seed: u64) -> Array {
    made(n, seed, |bits| ((u64::from(bits) * end as u64) >> 32) as f64).convert(DType::I32)
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
    ("faults", |o, _| faults::cases(o)),
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
    let mut machine = Machine::default();
    for case in cases {
        let Case { bench, size, dtype, note, bound, comparable, prepare } = case;
        let bench = if bench.is_empty() { family.to_owned() } else { format!("{family}/{bench}") };
        if !format!("{bench} {size} {dtype}").contains(&options.wanted) {
            continue;
        }
        let Prepared { mut call, result } = prepare();
        let samples = sample(&mut *call, options.budget);
        drop(call);
        let note = note.map(|note| format!(", \"note\": \"{note}\"")).unwrap_or_default();
        let result = result.filter(|_| comparable).map(|r| format!(", \"result\": {}", r.json())).unwrap_or_default();
        let line = |peer: &str, samples: Vec<f64>, more: &str| {
            line(peer, &bench, &size, dtype.name(), options.threads, samples, more);
        };
        line("wengert", samples, &(note + &result));
        if let Some(bound) = bound {
            line("machine", vec![machine.least(bound, options.budget)], "");
        }
    }
}

/// Prints the line of a case; `more` is put at its end.
fn line(peer: &str, bench: &str, size: &str, dtype: &str, threads: usize, mut samples: Vec<f64>, more: &str) {
    samples.sort_by(f64::total_cmp);
    let (n, middle) = (samples.len(), samples.len() / 2);
    let median = if n % 2 == 1 { samples[middle] } else { (samples[middle - 1] + samples[middle]) / 2.0 };
    println!(
        "{{\"bench\": \"{bench}\", \"peer\": \"{peer}\", \"size\": \"{size}\", \"dtype\": \"{dtype}\", \"threads\": {threads}, \
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
