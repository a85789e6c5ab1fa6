//! From a wengert program to loops: fusion, layout and the buffer plan.
//!
//! [`compile`] turns a [`Program`] into a [`Routine`] of the loop language. It knows nothing of machine code.
//!
//! A program is lowered block by block, a block being the program itself or the body of a loop, a branch or a function:
//! `nodes` finds each variable's elements as strides over something stored (`index`), so that views cost nothing, and
//! plans what is computed where (`groups`); `storage` decides what is kept where, and what is updated in place; then
//! `block` writes the statements: loop nests (`loops`), control flow (`control`, `lists`, `calls`), and the rest
//! (`reduce`, `update`, `dot`). `buffers` lays out the arena in the end.

mod block;
mod blocks;
mod buffers;
mod calls;
mod control;
mod dot;
mod emit;
mod groups;
mod index;
mod lanes;
mod layout;
mod lists;
mod loops;
mod nodes;
mod open;
mod parallel;
mod pipeline;
mod reduce;
mod registers;
mod report;
mod rewrite;
mod runtime;
mod share;
mod storage;
mod touch;
mod update;

pub use pipeline::{passes, routines};
pub use report::{Cost, Fused, Report};

use std::sync::Arc;
use wengert_core::host::Registered;
use wengert_core::ops::Check;
use wengert_core::source::Source;
use wengert_core::{Error, Program};
use wengert_kernel::routine::Routine;

/// How to compile.
///
/// ```
/// assert!(!wengert_compile::Options::default().verify);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Options {
    /// Verify the program after each pass and the routine at the end; a mistake is a panic.
    pub verify: bool,
    /// Nanoseconds of work in one thread, as they are guessed, from which a loop is for several threads.
    pub parallel: u64,
    /// Bytes of an operand from which matrix products are done in blocks of rows with what stands around them: more than stays in a
    /// near cache.
    pub blocks: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { verify: false, parallel: 60_000, blocks: 1 << 18 }
    }
}

/// A program as loops.
///
/// ```
/// use wengert_compile::{Cost, Options, compile};
///
/// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
/// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
/// assert!(compiled.checks.is_empty() && compiled.hosts.is_empty());
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The loops. Input `i` of the routine is input `i` of the program, output `k` its output `k`.
    pub routine: Routine,
    /// What failed, by the number in [`Status::Check`](wengert_kernel::routine::Status::Check).
    pub checks: Vec<CheckSite>,
    /// The functions of the host that it calls: they can be called while this lives.
    pub hosts: Vec<Arc<Registered>>,
    /// In numbers.
    pub report: Report,
    /// The user's lines, by the origins of the routine's values.
    pub lines: Vec<Source>,
    /// The loop nests and the operations that are none, in the order in which they were written.
    pub fusion: Vec<Fused>,
}

/// A check of the program.
///
/// ```
/// use wengert_compile::{Options, compile};
///
/// let text = "program (%0: bool[]) {\n  %1: bool[] = literal[value=truebool]\n  check[message=\"it holds\"] %1 %0\n  return\n}\n";
/// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
/// assert_eq!(compiled.checks[0].lanes, 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct CheckSite {
    /// What is checked.
    pub check: Check,
    /// Lanes of the batch it is in.
    pub lanes: usize,
    /// The user's line.
    pub source: Source,
}

impl CheckSite {
    /// The error for the lane that failed.
    ///
    /// ```
    /// use wengert_compile::{Options, compile};
    ///
    /// let text = "program (%0: bool[]) {\n  %1: bool[] = literal[value=truebool]\n  check[message=\"it holds\"] %1 %0\n  return\n}\n";
    /// let compiled = compile(&wengert_core::program::parse(text)?, &Options::default());
    /// assert!(compiled.checks[0].error(0).to_string().contains("it holds"));
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn error(&self, lane: i64) -> Error {
        self.check.error(lane as usize, self.lanes).at(self.source.clone())
    }
}

/// Compiles a program whose inputs and outputs are arrays (or lists of known length, which are arrays with one more
/// axis).
///
/// # Panics
/// When an input or output is a list of unknown length.
///
/// ```
/// use wengert_compile::{Options, compile};
/// let program = wengert_core::program::parse("
///     program (%0: f64[100], %1: f64[]) {
///       %2: f64[100] = broadcast[shape=[100], axes=[]] %1
///       %3: f64[100] = mul %0 %2
///       %4: f64[100] = sin %3
///       %5: f64[] = reduce_sum[start=0, end=1] %4
///       return %5
///     }
/// ")?;
/// let compiled = compile(&program, &Options::default());
/// assert_eq!((compiled.report.passes, compiled.report.arena_bytes), (1, 0));
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn compile(program: &Program, options: &Options) -> Compiled {
    pipeline::compile(program, options)
}
