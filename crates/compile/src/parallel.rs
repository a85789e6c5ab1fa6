//! Loops for several threads: the outermost whose rounds are independent and take long enough together.
//!
//! A pass that takes long becomes a parallel loop over stretches of it. Its reductions keep their order: a stretch is a power of two
//! of blocks, so its result is one node of the tree in which [`wengert_kernel::reduce`] combines blocks, and the nodes above it follow
//! after the loop. So results are the same as in one thread.

use crate::emit::{LOCAL, UNPLACED};
use crate::loops::is_cheap;
use crate::touch::{each_buffer, inner, reads, touches};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;
use wengert_kernel::reduce::BLOCK;
use wengert_kernel::routine::{
    Affine, Block, Buffer, BufferId, Count, Fold, Function, Order, Routine, Span, Stmt, Value,
};
use wengert_kernel::{DType, ScalarOp};

/// Nanoseconds, as [`block_work`] guesses, that one thread works at a time.
const STRETCH: f64 = 15_000.0;

/// Loops of fewer rounds are left to one thread, for threads would wait for each other; the loops inside of them are not.
const FEW: u64 = 4;

/// Stretches of a pass, at most.
const MOST_STRETCHES: u64 = 64;

/// Rounds of a loop that ends by what it computes, for want of a better guess.
const UNKNOWN: f64 = 16.0;

/// Elements of a pass that belong together: whole lines of the cache, and whole vectors.
const LINE: u64 = 64;

/// Makes loops parallel that take this many nanoseconds or more in one thread.
pub(crate) fn spread(routine: &mut Routine, least: u64) {
    let mut uses = HashMap::new();
    for function in &routine.functions {
        function.body.stmts.iter().for_each(|stmt| each_buffer(stmt, &mut |b| *uses.entry(b).or_insert(0) += 1));
    }
    for number in 0..routine.functions.len() {
        let mut function = std::mem::take(&mut routine.functions[number]);
        let mut body = std::mem::take(&mut function.body);
        let buffers = &mut routine.buffers;
        Spreader { function: &mut function, buffers, uses: &uses, least: least as f64 }.block(&mut body);
        function.body = body;
        routine.functions[number] = function;
    }
}

struct Spreader<'a> {
    function: &'a mut Function,
    buffers: &'a mut Vec<Buffer>,
    /// How often the routine mentions a buffer.
    uses: &'a HashMap<BufferId, usize>,
    least: f64,
}

impl Spreader<'_> {
    fn block(&mut self, block: &mut Block) {
        for mut stmt in std::mem::take(&mut block.stmts) {
            if self.loop_over_rows(&mut stmt) {
                block.stmts.push(stmt);
                continue;
            }
            inner(&mut stmt).into_iter().flatten().for_each(|block| self.block(block));
            match stmt {
                Stmt::Pass { index, count, body, folds } if self.is_long(count, &body, &folds) => {
                    self.pass(Pass { index, count, body, folds }, &mut block.stmts);
                }
                stmt => block.stmts.push(stmt),
            }
        }
    }

    /// Makes a loop parallel if its rounds are independent and worth it.
    fn loop_over_rows(&mut self, stmt: &mut Stmt) -> bool {
        let Stmt::For { index, count: Count::Const(count), order, carried, body, .. } = stmt else { return false };
        if *order != Order::Forward || !carried.is_empty() || *count < FEW {
            return false;
        }
        let round = block_work(body, self.function);
        if (*count as f64) * round < self.least {
            return false;
        }
        let Some(private) = self.private(body, *index) else { return false };
        for buffer in private {
            self.buffers[buffer.0 as usize].storage = LOCAL;
        }
        *order = Order::Parallel { grain: (STRETCH / round.max(1.0)).ceil().min(*count as f64) as u64 };
        true
    }

    /// The buffers that only this loop touches and whose elements several rounds write, if the rounds are independent but for
    /// these. A round finds nothing in them that another left: memory that goes from round to round begins before the loop, as
    /// carries do, or is read after it, as the highest level of a sum over blocks of rows is; then the loop is not for several
    /// threads. (The interpreter runs the last round first, each on memory of its own.)
    fn private(&self, body: &Block, index: Value) -> Option<Vec<BufferId>> {
        let (touches, _) = touches(body, index)?;
        let mut here = HashMap::new();
        body.stmts.iter().for_each(|stmt| each_buffer(stmt, &mut |b| *here.entry(b).or_insert(0) += 1));
        let mut private = Vec::new();
        for (buffer, touch) in touches {
            if touch.written && touch.rows.is_none() {
                let own = self.buffers[buffer.0 as usize].storage == UNPLACED && here[&buffer] == self.uses[&buffer];
                private.push(own.then_some(buffer)?);
            }
        }
        Some(private)
    }

    fn is_long(&self, count: u64, body: &[Stmt], folds: &[Fold]) -> bool {
        count as f64 * element_work(body, folds, self.function) >= self.least
    }

    /// A pass as a parallel loop over stretches of equal length, and what is left.
    fn pass(&mut self, pass: Pass, out: &mut Vec<Stmt>) {
        let work = pass.count as f64 * element_work(&pass.body, &pass.folds, self.function);
        let most = ((work / STRETCH) as u64).clamp(2, MOST_STRETCHES);
        let length = if pass.folds.is_empty() { lines(pass.count, most) } else { blocks(pass.count, most) };
        let (whole, rest) = (pass.count / length, pass.count % length);
        if whole < 2 {
            return out.push(pass.into());
        }
        let nodes = whole + (rest > 0) as u64;
        let partial: Vec<BufferId> = pass.folds.iter().map(|fold| self.memory(fold.result, nodes)).collect();
        let number = self.function.value(DType::I64);
        let mut stmts = Vec::new();
        self.stretch(&pass, length, Affine::default().plus(number, length as i64), &mut stmts);
        let store = |stmts: &mut Vec<Stmt>, at: Affine| {
            let Some(Stmt::Pass { folds, .. }) = stmts.last() else { unreachable!("a stretch is a pass") };
            let results: Vec<Value> = folds.iter().map(|fold| fold.result).collect();
            stmts.extend(partial.iter().zip(results).map(|(&buffer, value)| Stmt::Store {
                buffer,
                at: at.clone(),
                value,
            }));
        };
        store(&mut stmts, Affine::value(number));
        out.push(Stmt::For {
            index: number,
            count: Count::Const(whole),
            order: Order::Parallel { grain: 1 },
            carried: Vec::new(),
            body: Block { stmts, yields: Vec::new() },
            results: Vec::new(),
        });
        if rest > 0 {
            self.stretch(&pass, rest, Affine::constant((whole * length) as i64), out);
            store(out, Affine::constant(whole as i64));
        }
        for (fold, &buffer) in pass.folds.iter().zip(&partial) {
            self.tree(fold, fold.result, buffer, 0..nodes, out);
        }
    }

    /// A stretch of a pass, which begins at `start`; all that it defines has new names.
    fn stretch(&mut self, pass: &Pass, count: u64, start: Affine, out: &mut Vec<Stmt>) {
        let function = &mut *self.function;
        let mut names: HashMap<Value, Value> = HashMap::new();
        let mut define = |names: &mut HashMap<Value, Value>, value: Value| {
            let new = function.value(function.dtype(value));
            if let Some(origin) = function.origin(value) {
                function.set_origin(new, origin);
            }
            names.insert(value, new);
            new
        };
        let index = define(&mut names, pass.index);
        let here = start.plus(index, 1);
        let mut body = Vec::with_capacity(pass.body.len() + 1);
        if pass.body.iter().any(|stmt| reads(stmt, pass.index)) {
            body.push(Stmt::Index { out: define(&mut names, pass.index), at: here.clone() });
        }
        for stmt in &pass.body {
            let name = |names: &HashMap<Value, Value>, value: Value| names.get(&value).copied().unwrap_or(value);
            let place = |names: &HashMap<Value, Value>, at: &mut Affine| {
                let step = at.coefficient(pass.index);
                let mut moved = Affine::constant(at.offset).plus_affine(&here, step);
                for &(value, step) in at.terms.iter().filter(|term| term.0 != pass.index) {
                    moved = moved.plus(name(names, value), step);
                }
                *at = moved;
            };
            let mut stmt = stmt.clone();
            match &mut stmt {
                Stmt::Const { out, .. } => *out = define(&mut names, *out),
                Stmt::Let { out, args, .. } => {
                    args.iter_mut().for_each(|arg| *arg = name(&names, *arg));
                    *out = define(&mut names, *out);
                }
                Stmt::Index { out, at } | Stmt::Load { out, at, .. } => {
                    place(&names, at);
                    *out = define(&mut names, *out);
                }
                Stmt::Store { at, value, .. } => {
                    place(&names, at);
                    *value = name(&names, *value);
                }
                _ => unreachable!("a pass is straight"),
            }
            body.push(stmt);
        }
        let mut folds = pass.folds.clone();
        for fold in &mut folds {
            fold.item = names.get(&fold.item).copied().unwrap_or(fold.item);
            fold.result = define(&mut names, fold.result);
        }
        out.push(Stmt::Pass { index, count, body, folds });
    }

    /// Combines the results of stretches as their blocks are combined: the largest power of two of them is the left half.
    fn tree(&mut self, fold: &Fold, out: Value, from: BufferId, nodes: Range<u64>, stmts: &mut Vec<Stmt>) {
        if nodes.end - nodes.start == 1 {
            return stmts.push(Stmt::Load { out, buffer: from, at: Affine::constant(nodes.start as i64) });
        }
        let middle = nodes.start + (1 << (nodes.end - nodes.start - 1).ilog2());
        let halves = [nodes.start..middle, middle..nodes.end].map(|nodes| {
            let half = self.function.value(self.function.dtype(out));
            self.tree(fold, half, from, nodes, stmts);
            half
        });
        stmts.push(Stmt::Let { out, op: ScalarOp::Binary(fold.op), args: SmallVec::from_slice(&halves) });
    }

    fn memory(&mut self, of: Value, len: u64) -> BufferId {
        self.buffers.push(Buffer { dtype: self.function.dtype(of), len: len as usize, storage: UNPLACED });
        BufferId(self.buffers.len() as u32 - 1)
    }
}

/// [`Stmt::Pass`].
struct Pass {
    index: Value,
    count: u64,
    body: Vec<Stmt>,
    folds: Vec<Fold>,
}

impl From<Pass> for Stmt {
    fn from(Pass { index, count, body, folds }: Pass) -> Stmt {
        Stmt::Pass { index, count, body, folds }
    }
}

/// The length of at most `most` stretches of whole lines: one that leaves nothing, if there is one of about that length.
fn lines(count: u64, most: u64) -> u64 {
    let fits = |n: &u64| count.is_multiple_of(*n) && (count / n).is_multiple_of(LINE);
    match (most.div_ceil(2)..=most).rev().find(fits) {
        Some(n) => count / n,
        None => (count / most / LINE).max(1) * LINE,
    }
}

/// The length of about `most` stretches of a power of two of blocks.
fn blocks(count: u64, most: u64) -> u64 {
    BLOCK as u64 * (count / (BLOCK as u64 * most)).next_power_of_two()
}

/// About how many nanoseconds a block takes in one thread.
fn block_work(block: &Block, function: &Function) -> f64 {
    block.stmts.iter().map(|stmt| work(stmt, function)).sum()
}

fn work(stmt: &Stmt, function: &Function) -> f64 {
    let rounds = |count: &Count| if let Count::Const(n) = count { *n as f64 } else { UNKNOWN };
    match stmt {
        Stmt::Const { .. } | Stmt::Index { .. } => 0.0,
        Stmt::Let { op, .. } => {
            if is_cheap(*op) {
                0.5
            } else {
                10.0
            }
        }
        Stmt::Load { .. } | Stmt::Store { .. } => 0.5,
        Stmt::For { count, body, .. } => rounds(count) * (0.5 + block_work(body, function)),
        Stmt::Pass { count, body, folds, .. } => 5.0 + *count as f64 * element_work(body, folds, function),
        Stmt::While { test, body, .. } => UNKNOWN * (block_work(test, function) + block_work(body, function)),
        Stmt::If { then, otherwise, .. } => block_work(then, function).max(block_work(otherwise, function)),
        Stmt::Fill { len, .. } | Stmt::Copy { len, .. } => 2.0 + 0.2 * rounds(len),
        Stmt::Runtime { name, ints, inputs, outputs } => {
            let elements = |spans: &[Span]| spans.iter().map(|span| span.len as f64).sum::<f64>();
            match ints[..] {
                [batch, m, k, n, ..] if name.starts_with("dot_") => {
                    20.0 + 0.03 * [batch, m, k, n].map(|n| n as f64).iter().product::<f64>()
                }
                _ => 50.0 + 3.0 * (elements(inputs) + elements(outputs)),
            }
        }
        Stmt::Call { .. } | Stmt::Reserve { .. } | Stmt::Fail { .. } => 0.0,
    }
}

/// About how many nanoseconds a round of a pass takes, many of them being done side by side.
fn element_work(body: &[Stmt], folds: &[Fold], function: &Function) -> f64 {
    let words = |value: Value| function.dtype(value).size() as f64 / 4.0;
    let one = |stmt: &Stmt| match stmt {
        Stmt::Const { .. } | Stmt::Index { .. } => 0.0,
        Stmt::Let { out, op, .. } => words(*out) * if is_cheap(*op) { 0.03 } else { 0.5 },
        Stmt::Load { out: value, .. } | Stmt::Store { value, .. } => words(*value) * 0.12,
        _ => unreachable!("a pass is straight"),
    };
    body.iter().map(one).sum::<f64>() + folds.iter().map(|fold| words(fold.item) * 0.05).sum::<f64>()
}
