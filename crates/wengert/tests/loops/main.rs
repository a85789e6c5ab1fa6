//! What named programs are compiled to: the loops they become, what each reads and writes, and the memory they need.

mod programs;
#[path = "../snapshot/mod.rs"]
mod snapshot;

use crate::programs::{chain, compiled, matrix, polynomial};
use std::fmt::{self, Display, Formatter, Write};
use wengert::execute::Executable;
use wengert::prelude::*;
use wengert_kernel::ScalarOp;
use wengert_kernel::in_place::choices;
use wengert_kernel::routine::{Block, BufferId, Count, Order, Routine, Stmt, Storage};

/// The report of a compilation, which results may take the memory of which arguments, and its loops.
fn describe(executable: &Executable) -> String {
    let compiled = executable.compiled();
    let mut text = format!("{}\n", compiled.report);
    for (k, inputs) in choices(&compiled.routine).iter().enumerate().filter(|(_, inputs)| !inputs.is_empty()) {
        let inputs: Vec<String> = inputs.iter().map(|i| format!("in{i}")).collect();
        writeln!(text, "out{k} may be written over {}", inputs.join(" or ")).unwrap();
    }
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
    loads: Tally,
    stores: Tally,
    computed: Tally,
}

impl Straight {
    /// Whether the statement is straight-line code; then it is counted.
    fn takes(&mut self, routine: &Routine, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::Load { buffer, .. } => self.loads.add(name(routine, *buffer)),
            Stmt::Store { buffer, .. } => self.stores.add(name(routine, *buffer)),
            Stmt::Let { op, .. } => self.computed.add(operation(*op)),
            Stmt::Const { .. } | Stmt::Index { .. } => {}
            _ => return false,
        }
        true
    }

    fn flush(&mut self, start: &str, text: &mut String) {
        let Straight { loads, stores, computed } = std::mem::take(self);
        let parts = [("reads", loads), ("computes", computed), ("writes", stores)];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, tally)| !tally.0.is_empty())
            .map(|(verb, tally)| format!("{verb} {tally}"))
            .collect();
        if !parts.is_empty() {
            writeln!(text, "{start}{}", parts.join("; ")).unwrap();
        }
    }
}

/// How often each name came, in the order in which they first came.
#[derive(Default)]
struct Tally(Vec<(String, usize)>);

impl Tally {
    fn add(&mut self, name: String) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, times)) => *times += 1,
            None => self.0.push((name, 1)),
        }
    }
}

/// `mul, 2 add`.
impl Display for Tally {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (i, (name, times)) in self.0.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { ", " })?;
            match times {
                1 => f.write_str(name)?,
                _ => write!(f, "{times} {name}")?,
            }
        }
        Ok(())
    }
}

/// The name of a scalar operation, as routines print it.
fn operation(op: ScalarOp) -> String {
    match op {
        ScalarOp::Unary(op) => op.name().into(),
        ScalarOp::Binary(op) => op.name().into(),
        ScalarOp::Compare(op) => op.name().into(),
        ScalarOp::Select => "select".into(),
        ScalarOp::Convert(to) => format!("convert to {}", to.name()),
        ScalarOp::Bitcast(to) => format!("bitcast to {}", to.name()),
        ScalarOp::Fma => "fma".into(),
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

#[test]
fn snapshots_of_what_is_compiled() {
    let found: Vec<(&str, String)> = programs::all()
        .into_iter()
        .map(|pinned| (pinned.title, format!("{}\n\n{}", pinned.shows, describe(&pinned.executable))))
        .collect();
    snapshot::compare("loops/loops.txt", &found);
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
