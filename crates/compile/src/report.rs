//! What came out of compiling a program, in numbers: for snapshots and for the curious.

use std::fmt;
use wengert_core::program::Equation;
use wengert_core::source::Source;
use wengert_kernel::routine::{Block, Count, Routine, Stmt};
use wengert_kernel::{DType, ScalarOp};

/// Counts of one compilation.
///
/// ```
/// use wengert_compile::{Cost, Options, compile};
///
/// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
/// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
/// assert_eq!((compiled.report.passes, compiled.report.copies), (1, 0));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// Fused groups of elementwise work and row reductions.
    pub groups: usize,
    /// Loops that are no passes.
    pub loops: usize,
    /// Passes.
    pub passes: usize,
    /// Functions, the entry among them.
    pub functions: usize,
    /// Buffers in the arena.
    pub buffers: usize,
    /// Bytes of these buffers if none shared memory with another.
    pub buffer_bytes: usize,
    /// Bytes of the arena.
    pub arena_bytes: usize,
    /// Buffers that grow.
    pub growable: usize,
    /// Arrays copied because they could not be made where they were wanted.
    pub copies: usize,
    /// Elementwise equations computed again in a later pass over the same row.
    pub recomputed: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "groups {}, loops {}, passes {}, functions {}",
            self.groups, self.loops, self.passes, self.functions
        )?;
        write!(f, "buffers {} of {} bytes in an arena of {}, ", self.buffers, self.buffer_bytes, self.arena_bytes)?;
        write!(f, "{} growable, {} copies, {} recomputed", self.growable, self.copies, self.recomputed)
    }
}

/// A loop nest and what is computed in it, or an operation that is no loop nest.
///
/// ```
/// use wengert_compile::{Cost, Options, compile};
///
/// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
/// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
/// assert_eq!((compiled.fusion[0].size, compiled.fusion[0].work[0].0), (8, "sin"));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fused {
    /// The operation, when it is no loop nest.
    pub what: Option<&'static str>,
    /// Elements.
    pub size: usize,
    /// Elements of a row, when it goes row by row.
    pub row: Option<usize>,
    /// Operations and the user's lines, in order.
    pub work: Vec<(&'static str, Source)>,
    /// Why it is not part of the loop nest before it, if it reads from one.
    pub apart: Option<String>,
}

impl Fused {
    pub(crate) fn operation(e: &Equation) -> Fused {
        let work = vec![(e.op.name(), e.source.clone())];
        Fused { what: Some(e.op.name()), size: 0, row: None, work, apart: None }
    }
}

/// `loop nest over 2048 elements in rows of 64: reduce_max, sub, exp`.
impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.work.iter().map(|(name, _)| *name).collect();
        match (self.what, self.row) {
            (Some(what), _) => write!(f, "`{what}`, no loop nest")?,
            (None, Some(row)) => {
                write!(f, "loop nest over {} elements in rows of {row}: {}", self.size, names.join(", "))?
            }
            (None, None) => write!(f, "loop nest over {} elements: {}", self.size, names.join(", "))?,
        }
        match &self.apart {
            Some(why) => write!(f, "; by itself, for it {why}"),
            None => Ok(()),
        }
    }
}

/// What one call of a routine does, estimated by counting its statements.
///
/// ```
/// use wengert_compile::{Cost, Options, compile};
///
/// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
/// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
/// assert_eq!(Cost::of(&compiled.routine).flops, 8.0);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Cost {
    /// Bytes read from and written to buffers, whether they are in a cache or not.
    pub bytes: f64,
    /// Operations on floats; an elementary function counts as one, a matrix product as two for each multiplication.
    pub flops: f64,
    /// Whether there are loops whose number of rounds depends on data: they are counted as one round.
    pub at_least: bool,
}

impl Cost {
    /// Counts.
    ///
    /// ```
    /// use wengert_compile::{Cost, Options, compile};
    ///
    /// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
    /// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
    /// assert_eq!(Cost::of(&compiled.routine).bytes, 128.0);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn of(routine: &Routine) -> Cost {
        let mut cost = Cost::default();
        let Some(entry) = routine.functions.len().checked_sub(1) else { return cost };
        cost.block(routine, entry, &routine.functions[entry].body, 1.0);
        cost
    }

    fn block(&mut self, routine: &Routine, function: usize, block: &Block, times: f64) {
        block.stmts.iter().for_each(|stmt| self.stmt(routine, function, stmt, times));
    }

    fn stmt(&mut self, routine: &Routine, function: usize, stmt: &Stmt, times: f64) {
        let bytes = |buffer: &wengert_kernel::routine::BufferId| routine.buffers[buffer.0 as usize].dtype.size() as f64;
        let mut rounds = |count: &Count| match count {
            Count::Const(n) => *n as f64,
            Count::Value(_) => {
                self.at_least = true;
                1.0
            }
        };
        match stmt {
            Stmt::Const { .. } | Stmt::Index { .. } | Stmt::Reserve { .. } | Stmt::Fail { .. } => {}
            Stmt::Let { op, args, .. } => {
                let dtype = routine.functions[function].dtype(args[args.len() - 1]);
                let moves = matches!(op, ScalarOp::Select | ScalarOp::Convert(_) | ScalarOp::Bitcast(_));
                self.flops += if matches!(dtype, DType::F32 | DType::F64) && !moves { times } else { 0.0 };
            }
            Stmt::Load { buffer, .. } | Stmt::Store { buffer, .. } => self.bytes += times * bytes(buffer),
            Stmt::Fill { buffer, len, .. } => self.bytes += times * rounds(len) * bytes(buffer),
            Stmt::Copy { to, len, .. } => self.bytes += times * 2.0 * rounds(len) * bytes(to),
            Stmt::For { count, body, .. } => {
                let times = times * rounds(count);
                self.block(routine, function, body, times);
            }
            Stmt::Pass { count, body, folds, .. } => {
                let times = times * *count as f64;
                self.flops += times * folds.len() as f64;
                body.iter().for_each(|stmt| self.stmt(routine, function, stmt, times));
            }
            Stmt::While { test, body, .. } => {
                self.at_least = true;
                self.block(routine, function, test, times);
                self.block(routine, function, body, times);
            }
            Stmt::If { then, otherwise, .. } => {
                // The dearer branch.
                let [mut a, mut b] = [Cost::default(); 2];
                a.block(routine, function, then, times);
                b.block(routine, function, otherwise, times);
                self.bytes += a.bytes.max(b.bytes);
                self.flops += a.flops.max(b.flops);
                self.at_least |= a.at_least || b.at_least;
            }
            Stmt::Call { function: callee, .. } => {
                let callee = callee.0 as usize;
                self.block(routine, callee, &routine.functions[callee].body, times);
            }
            Stmt::Runtime { name, ints, inputs, outputs } => {
                let spans = inputs.iter().chain(outputs);
                self.bytes += times * spans.map(|s| s.len as f64 * bytes(&s.buffer)).sum::<f64>();
                if let ([size, m, k, n, ..], true) = (&ints[..], name.starts_with("dot")) {
                    self.flops += times * 2.0 * (size * m * k * n) as f64;
                }
            }
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.at_least { "at least " } else { "" };
        write!(f, "{more}{} floating-point operations, {} bytes read and written", self.flops, self.bytes)
    }
}
