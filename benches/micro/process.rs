//! What is paid beside the work: calls, compilation, the start of a process.

use crate::models::{mlp_gradient, rosenbrock};
use crate::{Case, line, numbers, stop};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;
use wengert::Program;
use wengert::execute::Executable;
use wengert::prelude::*;
use wengert_benches::{mlp_arguments, quadratic};

/// Calls with hardly any work in them.
pub fn dispatch() -> Vec<Case> {
    let eight = || ones_of(DType::F32, 8);
    let slope = |x: Array| grad(quadratic)(x);
    let tree = |k: usize| {
        let double = |xs: Vec<Array>| xs.iter().map(|x| x * 2.0).collect::<Vec<Array>>();
        Case::jitted("tree", k, DType::F32, double, move || vec![eight(); k]).noted("list of k arrays of 8 in and out")
    };
    vec![
        Case::jitted("arr8", 8, DType::F32, |x: Array| x * 2.0 + 1.0, eight),
        Case::jitted("scalar_grad", 1, DType::F64, slope, || 2.0.into()),
        Case::of("scalar_grad_pyfloat", 1, DType::F64, move || {
            let slope = jit(slope);
            move || drop(black_box(slope(black_box(2.0).into()).item::<f64>()))
        })
        .noted("f64 in and out"),
        Case::of("scalar_grad_nojit", 1, DType::F64, || || drop(black_box(grad(quadratic)(2.0.into()))))
            .noted("grad without jit"),
        tree(10),
        tree(100),
        Case::of("eager_add", 8, DType::F32, move || {
            let x = eight();
            move || drop(black_box(&x + &x))
        }),
    ]
}

/// The loss of a long short-term memory cell over a batch of sequences: the sum of squares of the last state.
fn lstm_loss((wx, wh, b, xs): (Array, Array, Array, Array)) -> Array {
    let n = wh.shape()[0];
    let step = |(h, c): (Array, Array), x: Array| {
        let gates = x.matmul(&wx) + h.matmul(&wh) + &b;
        let gate = |k: usize| gates.slice_axis(1, k * n..(k + 1) * n);
        let c = gate(1).logistic() * c + gate(0).logistic() * gate(2).tanh();
        ((gate(3).logistic() * c.tanh(), c), ())
    };
    let zero = || zeros_of(xs.dtype(), [xs.shape()[1], n]);
    scan(step, (zero(), zero()), xs.clone()).0.0.square().sum()
}

fn chain(x: Array) -> Array {
    (0..100).fold(x, |x, _| x.sin() * 1.01 + &x * &x * 0.001 - 0.1)
}

/// So many scalar operations, each of which reads the one before it and one of the last 50.
fn scalars(n: usize) -> impl Fn(Array) -> Array {
    move |x: Array| {
        let mut all = vec![x];
        for k in 1..=n {
            let (last, other) = (&all[k - 1], &all[(k - 1).saturating_sub(k * 7 % 50)]);
            all.push(match k % 4 {
                0 => last * other,
                1 => last + other,
                2 => last - other,
                _ => last.maximum(other),
            });
        }
        all.swap_remove(n)
    }
}

/// From a closure to machine code, in a process that has compiled before.
pub fn compile(threads: usize) {
    let f32s = |shape: (usize, usize)| numbers(DType::F32, shape, 0) * 0.1;
    let lstm =
        (f32s((32, 256)), f32s((64, 256)), numbers(DType::F32, 256, 0) * 0.1, numbers(DType::F32, (100, 16, 32), 1));
    let lstm_gradient = |(wx, wh, b, xs): (Array, Array, Array, Array)| {
        grad(|(wx, wh, b): (Array, Array, Array)| lstm_loss((wx, wh, b, xs.clone())))((wx, wh, b))
    };
    let kilo = || ones_of(DType::F32, 1024);
    compiled("scalar_grad", threads, || trace(grad(quadratic), &1.0.into()));
    let network = mlp_arguments(128);
    compiled("mlp_grad", threads, || trace(mlp_gradient, &network));
    compiled("lstm_scan_grad", threads, || trace(lstm_gradient, &lstm));
    compiled("chain500", threads, || trace(chain, &kilo()));
    compiled("chain500_grad", threads, || trace(grad(|x: Array| chain(x).sum()), &kilo()));
    for n in [1000, 5000, 100_000] {
        compiled(&format!("scalars{n}"), threads, || trace(scalars(n), &0.5.into()));
    }
    compiled("rosen_hessian", threads, || trace(hessian(rosenbrock), &ones(100)));
}

fn compiled(name: &str, threads: usize, traced: impl Fn() -> std::sync::Arc<Program>) {
    let make = |program: &std::sync::Arc<Program>| drop(black_box(Executable::new(program).expect("it compiles")));
    make(&traced());
    let [mut trace, mut compile, mut total] = [const { Vec::new() }; 3];
    let mut equations = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let program = traced();
        let middle = Instant::now();
        make(&program);
        equations = program.equation_count();
        trace.push((middle - start).as_secs_f64());
        compile.push(middle.elapsed().as_secs_f64());
        total.push(start.elapsed().as_secs_f64());
    }
    let size = equations.to_string();
    for (part, size, samples) in [("trace", size.as_str(), trace), ("compile", "-", compile), ("total", "-", total)] {
        line("wengert", &format!("compile/{name}/{part}"), size, "f32", threads, samples, "");
    }
}

/// What a process does that is started for it.
const COLD: [&str; 3] = ["import", "scalar_grad", "mlp_grad"];

/// Processes from their start to their end.
pub fn cold_start(threads: usize) {
    let this = std::env::current_exe().unwrap_or_else(|e| stop(&format!("this program is not found: {e}")));
    for what in COLD {
        let (mut samples, mut peak) = (Vec::new(), 0);
        for _ in 0..10 {
            let start = Instant::now();
            let output = Command::new(&this).args(["--cold", what]).output();
            samples.push(start.elapsed().as_secs_f64());
            let output = output.unwrap_or_else(|e| stop(&format!("no process can be started: {e}")));
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            peak = peak.max(text.lines().last().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0));
        }
        line(
            "wengert",
            &format!("coldstart/{what}"),
            "-",
            "-",
            threads,
            samples,
            &format!(", \"peak_rss_mib\": {}", peak / 1024),
        );
    }
}

/// In such a process; the last line printed is the most memory it had, in KiB.
pub fn cold(what: &str) {
    match what {
        "import" => {}
        "scalar_grad" => println!("{}", jit(grad(quadratic))(2.0.into())),
        "mlp_grad" => println!("{}", jit(mlp_gradient)(mlp_arguments(128))[2].0.at((0, 0))),
        _ => stop(&format!("--cold takes one of {}", COLD.join(", "))),
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("{}", peak.and_then(|kib| kib.split_whitespace().next()).unwrap_or("0"));
}
