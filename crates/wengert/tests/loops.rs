//! What named programs are compiled to: the loops they become, what each reads and writes, and the memory they need.

mod snapshot;

use std::fmt::Write;
use wengert::execute::Executable;
use wengert::prelude::*;
use wengert::{eye, ones, zeros};
use wengert_kernel::routine::{Block, BufferId, Count, Order, Routine, Stmt, Storage};

/// The program of `f` at these arguments, made executable.
fn compiled<A: Tree + Clone, R: Tree>(f: impl Fn(A) -> R, args: A) -> Executable {
    Executable::new(&trace(f, &args)).expect("the program compiles")
}

/// The report of a compilation, and its loops.
fn describe(executable: &Executable) -> String {
    let compiled = executable.compiled();
    let mut text = format!("{}\n", compiled.report);
    for function in &compiled.routine.functions {
        writeln!(text, "{}:", function.name).unwrap();
        outline(&compiled.routine, &function.body, 1, &mut text);
    }
    text
}

/// The loops of a block, one a line; straight-line code is summed up as what it reads and writes and how much it computes.
fn outline(routine: &Routine, block: &Block, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    let mut straight = Straight::default();
    for stmt in &block.stmts {
        if straight.takes(routine, stmt) {
            continue;
        }
        straight.flush(&indent, text);
        let mut inside = |title: &str, block: &Block| {
            writeln!(text, "{indent}{title}").unwrap();
            outline(routine, block, depth + 1, text);
        };
        match stmt {
            Stmt::For { count, order, carried, body, .. } => {
                let count = match count {
                    Count::Const(n) => n.to_string(),
                    Count::Value(_) => "a computed number".into(),
                };
                let order = match order {
                    Order::Forward => String::new(),
                    Order::Reverse => ", downwards".into(),
                    Order::Parallel { grain } => format!(", in parallel by {grain}"),
                };
                inside(&format!("for {count}{order}, {} carried", carried.len()), body);
            }
            Stmt::While { carried, test, body, .. } => {
                inside(&format!("while, {} carried, tests", carried.len()), test);
                inside("does", body);
            }
            Stmt::If { then, otherwise, .. } => {
                inside("if", then);
                inside("else", otherwise);
            }
            Stmt::Pass { count, body, folds, .. } => {
                let mut line = Straight::default();
                body.iter().for_each(|stmt| assert!(line.takes(routine, stmt), "a pass is straight-line code"));
                let folds: String = folds.iter().map(|f| format!(", folds {:?}", f.op)).collect();
                line.flush(&format!("{indent}pass {count}{folds}: "), text);
            }
            Stmt::Fill { buffer, .. } => writeln!(text, "{indent}fill {}", name(routine, *buffer)).unwrap(),
            Stmt::Copy { to, from, .. } => {
                writeln!(text, "{indent}copy {} to {}", name(routine, *from), name(routine, *to)).unwrap();
            }
            Stmt::Reserve { buffer, .. } => writeln!(text, "{indent}reserve {}", name(routine, *buffer)).unwrap(),
            Stmt::Call { function, .. } => {
                writeln!(text, "{indent}call {}", routine.functions[function.0 as usize].name).unwrap();
            }
            Stmt::Runtime { name, inputs, outputs, .. } => {
                let spans = inputs.iter().chain(outputs).map(|s| self::name(routine, s.buffer));
                writeln!(text, "{indent}runtime {name} {}", spans.collect::<Vec<_>>().join(" ")).unwrap();
            }
            Stmt::Fail { .. } => writeln!(text, "{indent}fail when").unwrap(),
            Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } | Stmt::Load { .. } | Stmt::Store { .. } => {
                unreachable!("straight-line code was taken")
            }
        }
    }
    straight.flush(&indent, text);
}

/// Straight-line code in sum.
#[derive(Default)]
struct Straight {
    loads: Vec<String>,
    stores: Vec<String>,
    computed: usize,
}

impl Straight {
    /// Whether the statement is straight-line code; then it is counted.
    fn takes(&mut self, routine: &Routine, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::Load { buffer, .. } => self.loads.push(name(routine, *buffer)),
            Stmt::Store { buffer, .. } => self.stores.push(name(routine, *buffer)),
            Stmt::Let { .. } => self.computed += 1,
            Stmt::Const { .. } | Stmt::Index { .. } => {}
            _ => return false,
        }
        true
    }

    fn flush(&mut self, start: &str, text: &mut String) {
        let Straight { loads, stores, computed } = std::mem::take(self);
        if loads.len() + stores.len() + computed > 0 {
            let listed = |names: Vec<String>| if names.is_empty() { "-".into() } else { names.join(" ") };
            writeln!(text, "{start}reads {}, writes {}, computes {computed}", listed(loads), listed(stores)).unwrap();
        }
    }
}

/// `in0`, `out1`, `b3` of the arena.
fn name(routine: &Routine, buffer: BufferId) -> String {
    match routine.buffers[buffer.0 as usize].storage {
        Storage::Input(i) => format!("in{i}"),
        Storage::Output(i) => format!("out{i}"),
        Storage::Arena(_) => format!("b{}", buffer.0),
        Storage::Local(_) => format!("own{}", buffer.0),
        Storage::Growable => format!("grown{}", buffer.0),
        Storage::Param(i) => format!("param{i}"),
    }
}

fn matrix() -> Array {
    zeros((32, 64))
}

fn polynomial(x: Array) -> Array {
    x.square() + 3.0 * &x + 5.0
}

fn chain(x: Array) -> Array {
    (((x.sin() + 1.0) * 2.0).exp() - 3.0).abs().sqrt().tanh().square() / 7.0 + 0.5
}

fn layernorm((x, gain, bias): (Array, Array, Array)) -> Array {
    let centred = &x - x.mean_axis(keepdims(-1));
    &centred * (centred.square().mean_axis(keepdims(-1)) + 1e-5).rsqrt() * gain + bias
}

fn mlp((w1, b1, w2, x): (Array, Array, Array, Array)) -> Array {
    let hidden = (x.dot(&w1) + b1).tanh();
    hidden.dot(&w2).square().mean()
}

fn attention((q, k, v): (Array, Array, Array)) -> Array {
    (q.dot(&k.transpose()) / 4.0).softmax(-1).dot(&v)
}

/// Eight neighbours summed, each a sum of the one before.
fn shifted(x: Array) -> Array {
    (0..8).fold(x, |x, _| x.slice(1..) + x.slice(..-1))
}

fn recurrence((c, xs): (Array, Array)) -> (Array, Array) {
    scan(|c: Array, x: Array| (&c * 0.5 + x.sin(), c), c, xs)
}

fn newton(x: Array) -> Array {
    while_loop(
        |(y, z): (Array, Array)| (y.square() - z).abs().gt(1e-9),
        |(y, z)| (0.5 * (&y + &z / &y), z),
        (x.clone(), x),
    )
    .0
}

#[test]
fn snapshots_of_what_is_compiled() {
    let n = || ones(1000);
    let found = [
        ("polynomial: x² + 3x + 5", describe(&compiled(polynomial, Array::from(2.0)))),
        ("gradient of the polynomial", describe(&compiled(grad(polynomial), Array::from(2.0)))),
        ("softmax of f64[32, 64]", describe(&compiled(|x: Array| x.softmax(-1), matrix()))),
        ("log_softmax of f64[32, 64]", describe(&compiled(|x: Array| x.log_softmax(-1), matrix()))),
        ("layernorm of f64[32, 64]", describe(&compiled(layernorm, (matrix(), zeros(64), zeros(64))))),
        ("logsumexp of f64[32, 64]", describe(&compiled(|x: Array| x.logsumexp_axis(-1), matrix()))),
        ("chain of eleven elementwise operations", describe(&compiled(chain, n()))),
        (
            "gradient of sum(exp(-x²) sin x)",
            describe(&compiled(grad(|x: Array| ((-x.square()).exp() * x.sin()).sum()), n())),
        ),
        (
            "gradient of an MLP, 16 x 8 -> 32 -> 4",
            describe(&compiled(grad(mlp), (zeros((8, 32)), zeros(32), zeros((32, 4)), zeros((16, 8))))),
        ),
        ("eight shifted sums in a row", describe(&compiled(shifted, n()))),
        (
            "column sums of a product of f64[32, 64]",
            describe(&compiled(|(x, y): (Array, Array)| (x * y).sum_axis(0), (matrix(), matrix()))),
        ),
        ("scan with a scalar carry", describe(&compiled(recurrence, (Array::from(0.0), n())))),
        (
            "gradient of the scan",
            describe(&compiled(grad(|x: (Array, Array)| recurrence(x).1.square().sum()), (Array::from(0.0), n()))),
        ),
        ("gradient of a while_loop", describe(&compiled(grad(newton), Array::from(2.0)))),
        ("vmap(grad) of the polynomial", describe(&compiled(vmap(grad(polynomial)), n()))),
        (
            "attention, q k^T softmax v, 32 x 16",
            describe(&compiled(attention, (zeros((32, 16)), zeros((32, 16)), zeros((32, 16))))),
        ),
    ];
    snapshot::compare("loops.txt", &found);
}

/// All statements of a kind anywhere in a routine.
fn count(routine: &Routine, wanted: impl Fn(&Stmt) -> bool + Copy) -> usize {
    fn within(block: &[Stmt], wanted: impl Fn(&Stmt) -> bool + Copy) -> usize {
        let inside = |stmt: &Stmt| match stmt {
            Stmt::For { body, .. } => within(&body.stmts, wanted),
            Stmt::Pass { body, .. } => within(body, wanted),
            Stmt::While { test, body, .. } => within(&test.stmts, wanted) + within(&body.stmts, wanted),
            Stmt::If { then, otherwise, .. } => within(&then.stmts, wanted) + within(&otherwise.stmts, wanted),
            _ => 0,
        };
        block.iter().map(|stmt| wanted(stmt) as usize + inside(stmt)).sum()
    }
    routine.functions.iter().map(|f| within(&f.body.stmts, wanted)).sum()
}

fn passes(routine: &Routine) -> usize {
    count(routine, |stmt| matches!(stmt, Stmt::Pass { .. }))
}

fn loops(routine: &Routine) -> usize {
    count(routine, |stmt| matches!(stmt, Stmt::For { .. } | Stmt::While { .. }))
}

#[test]
fn a_scalar_function_has_no_loop_and_no_buffer() {
    for executable in [compiled(polynomial, Array::from(2.0)), compiled(grad(polynomial), Array::from(2.0))] {
        let compiled = executable.compiled();
        assert_eq!((loops(&compiled.routine), passes(&compiled.routine)), (0, 0), "{}", compiled.routine);
        assert_eq!((compiled.report.buffers, compiled.routine.arena), (0, 0), "{}", compiled.routine);
    }
}

#[test]
fn an_elementwise_chain_is_one_pass() {
    let executable = compiled(chain, ones(1000));
    let compiled = executable.compiled();
    assert_eq!((loops(&compiled.routine), passes(&compiled.routine)), (0, 1), "{}", compiled.routine);
    assert_eq!(compiled.report.buffers, 0, "{}", compiled.routine);
}

#[test]
fn softmax_is_one_outer_loop() {
    let executable = compiled(|x: Array| x.softmax(-1), matrix());
    let routine = &executable.compiled().routine;
    assert_eq!(loops(routine), 1, "{routine}");
}

/// `n` segments of `n` layers each.
fn layers(n: usize, segment: impl Fn((Array, Array)) -> Array) -> impl Fn((Array, Array)) -> Array {
    move |(w, x)| (0..n).fold(x, |x, _| segment((w.clone(), x))).square().sum()
}

fn segment(n: usize) -> impl Fn((Array, Array)) -> Array {
    move |(w, x)| (0..n).fold(x, |x, _| x.dot(&w).tanh())
}

#[test]
fn checkpoint_lowers_the_peak_of_planned_memory() {
    let args = || (eye(32) * 0.9, ones((64, 32)) * 0.5);
    let bytes = |n: usize| {
        let (all, few) = (grad(layers(n, segment(n))), grad(layers(n, checkpoint(segment(n)))));
        assert_eq!(jit(&all)(args()), jit(&few)(args()));
        [compiled(all, args()), compiled(few, args())].map(|code| code.compiled().report.arena_bytes as f64)
    };
    let ([all, few], [all_of_4, few_of_4]) = (bytes(8), bytes(4));
    // All 64 layers keep their result; or 8 segments theirs and, while one is gone through again, its 8 layers theirs.
    assert!(all >= 64.0 * (64 * 32 * 8) as f64 && few < 0.5 * all, "{few} bytes of {all}");
    assert!(all / all_of_4 > 3.5 && few / few_of_4 < 2.5, "{few_of_4} to {few} bytes, {all_of_4} to {all}");
}
