//! Page faults in the steady state: what a call costs beside its work when the system must map memory for it.

use crate::models::{descend, training};
use crate::{Options, line, loops, numbers, sample};
use std::hint::black_box;
use wengert::prelude::*;

/// Page faults of this process so far that needed no disk; none where the system does not tell.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name of the program, which may have spaces in it, the eighth field.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().nth(7).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// Prints the time of a call and its page faults, of 20 calls after the first four.
fn counted(options: &Options, name: &str, size: &str, dtype: DType, mut call: impl FnMut()) {
    const CALLS: u32 = 20;
    (0..4).for_each(|_| call());
    let before = faults();
    (0..CALLS).for_each(|_| call());
    let each = (faults() - before) as f64 / f64::from(CALLS);
    let samples = sample(&mut call, options.budget);
    let more = format!(", \"faults\": {each}");
    line("wengert", &format!("faults/{name}"), size, dtype.name(), options.threads, samples, &more);
}

/// Results in fresh memory, steps in place, a backward loop with rows that it keeps.
pub fn cases(options: &Options) {
    for dtype in [DType::F32, DType::F64] {
        let n = 1 << 24;
        let (f, x) = (jit(|x: Array| x * 2.5 + 1.5), numbers(dtype, n, 0));
        counted(options, "fresh", &n.to_string(), dtype, || drop(black_box(f(x.clone()))));
        let f = jit(|x: Array| [&x + 1.0, &x * 2.0, &x - 3.0]);
        counted(options, "fresh_three", &n.to_string(), dtype, || drop(black_box(f(x.clone()))));
        let (f, mut state) = (jit(|x: Array| x * 0.5 + 1.5), Some(numbers(dtype, n, 0)));
        counted(options, "in_place", &n.to_string(), dtype, || state = state.take().map(&f));
    }
    let (f, mut state) = (jit(descend), Some(training(128)));
    counted(options, "mlp_sgd", "128", DType::F32, || state = state.take().map(&f));
    let (f, arguments) = (jit(loops::recurrent_gradient), loops::recurrent_arguments(32));
    counted(options, "scan_grad", "h32x1000", DType::F64, || drop(black_box(f(arguments.clone()))));
}
