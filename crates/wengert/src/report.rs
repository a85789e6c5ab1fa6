//! `report`: what became of a jitted function, and why it was compiled again.

use crate::execute::code_options;
use crate::user_source::Files;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wengert_compile::{Compiled, Cost, Fused};
use wengert_core::refusal::refuse;
use wengert_core::source::{Source, UserCall};
use wengert_core::{Program, Tree, Type};

/// What a jitted function was compiled to for arguments of one type. `{}` says it in sentences.
///
/// ```
/// use wengert::prelude::*;
///
/// let report = report(&jit(|x: Array| (x.sin() * x.exp()).sum()), ones(3));
/// assert_eq!((report.traced, report.arguments[0].0.as_str()), (1, "x"));
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    /// Where `jit` was called.
    pub source: Source,
    /// The arrays of the argument, by name.
    pub arguments: Vec<(String, Type)>,
    /// How often the function has been traced, for all types of arguments.
    pub traced: usize,
    /// Why it was traced the last times, the newest last: what is other than before.
    pub causes: Vec<String>,
    /// Whether machine code was made for it; else that of an equal program was found.
    pub compiled_here: bool,
    /// How long it took to trace.
    pub tracing: Duration,
    /// How long it took to make loops of the program, and machine code of the loops.
    pub compiling: [Duration; 2],
    /// The program.
    pub program: Arc<Program>,
    /// The loops, the memory plan, what was fused.
    pub compiled: Compiled,
    /// Bytes of machine code.
    pub code_bytes: usize,
}

/// Calls `f` at `x` and reports on the jitted function that it is, or the last one that it calls.
///
/// # Panics
/// When no jitted function is called.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = jit(|x: Array| (x.sin() * x.exp()).sum());
/// f(Array::from([1.0, 2.0]));
/// let report = report(&f, Array::from([1.0, 2.0, 3.0]));
/// println!("{report}");
/// assert_eq!(report.traced, 2);
/// assert_eq!(report.causes[1], "`x` is f64[3], it was f64[2]");
/// assert_eq!(report.fused().len(), 1);
/// ```
#[track_caller]
pub fn report<A: Tree, R: Tree>(f: impl Fn(A) -> R, x: A) -> Report {
    let call = UserCall::here("report");
    SEEN.set(None);
    watched(|| f(x));
    SEEN.take().unwrap_or_else(|| {
        let _called = call.enter();
        refuse("no jitted function was called; give it what `jit` returned, and call it outside of other traces", &[])
    })
}

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Option<Report>> = const { RefCell::new(None) };
    static MADE: RefCell<(usize, VecDeque<String>)> = const { RefCell::new((0, VecDeque::new())) };
}

/// Whether calls on this thread are told of.
#[inline]
pub(crate) fn watching() -> bool {
    WATCHING.get()
}

/// Hands over the report of a call.
pub(crate) fn seen(report: Report) {
    SEEN.set(Some(report));
}

/// Runs `f` while calls on this thread are told of.
pub(crate) fn watched<T>(f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            WATCHING.set(self.0);
        }
    }
    let _restore = Restore(WATCHING.replace(true));
    f()
}

/// Of how many compilations a thread remembers why they were made.
const REMEMBERED: usize = 32;

/// Notes that this thread has made machine code, and why.
pub(crate) fn made(source: &Source, cause: &str) {
    MADE.with_borrow_mut(|(count, last)| {
        *count += 1;
        last.truncate(REMEMBERED - 1);
        last.push_front(format!("{cause} (jit at {source})"));
    });
}

/// How often this thread has made machine code, and why the last times, the newest first. For
/// [`assert_compiles!`](crate::assert_compiles).
#[doc(hidden)]
pub fn compilations_of_this_thread() -> (usize, Vec<String>) {
    MADE.with_borrow(|(count, last)| (*count, last.iter().cloned().collect()))
}

/// The value of an expression that makes machine code exactly so many times on this thread; else a panic that says why each
/// time.
///
/// ```
/// use wengert::{assert_compiles, prelude::*};
///
/// let f = jit(|x: Array| x.cos() + 0.123);
/// assert_compiles!(1, f(1.0.into()));
/// assert_compiles!(0, f(2.0.into()));
/// ```
#[macro_export]
macro_rules! assert_compiles {
    ($n:expr, $value:expr) => {{
        let (before, _) = $crate::compilations_of_this_thread();
        let value = $value;
        let (after, mut causes) = $crate::compilations_of_this_thread();
        let made = after - before;
        causes.truncate(made);
        causes.reverse();
        assert_eq!(made, $n, "machine code was made {made} times:\n  {}", causes.join("\n  "));
        value
    }};
}

impl Report {
    /// The loop nests, and the operations that are none, in order.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let report = report(&jit(|x: Array| (x.sin() * x.exp()).sum()), ones(3));
    /// assert_eq!(report.fused().len(), 1);
    /// ```
    pub fn fused(&self) -> &[Fused] {
        &self.compiled.fusion
    }

    /// What one call computes and moves.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let report = report(&jit(|x: Array| (x.sin() * x.exp()).sum()), ones(3));
    /// assert_eq!(report.cost().bytes, 24.0 + 8.0);
    /// ```
    pub fn cost(&self) -> Cost {
        Cost::of(&self.compiled.routine)
    }

    /// The program with the user's lines beside it.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let report = report(&jit(|x: Array| (x.sin() * x.exp()).sum()), ones(3));
    /// assert!(report.program_text().contains("reduce_sum"));
    /// ```
    pub fn program_text(&self) -> String {
        with_code(&self.program.to_string())
    }

    /// The loops with the user's lines beside them.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let report = report(&jit(|x: Array| (x.sin() * x.exp()).sum()), ones(3));
    /// assert!(report.loops_text().contains("fold add"));
    /// ```
    pub fn loops_text(&self) -> String {
        let line = |origin: u32| self.compiled.lines.get(origin as usize).map(Source::to_string);
        with_code(&self.compiled.routine.annotated(&line))
    }

    /// The instructions with the user's lines beside them, each beside the first of its instructions. The code is made
    /// again for this.
    ///
    /// ```
    /// use wengert::prelude::*;
    ///
    /// let report = report(&jit(|x: Array| (x.sin() * x.exp()).sum()), ones(3));
    /// assert!(!report.machine_code_text().is_empty());
    /// ```
    pub fn machine_code_text(&self) -> String {
        let mut text = String::new();
        let mut before = None;
        for (instruction, source) in self.instructions() {
            match source.filter(|source| before != Some(*source)) {
                Some(source) => text += &format!("{instruction:<56} # {source}\n"),
                None => text += &format!("{instruction}\n"),
            }
            before = source;
        }
        with_code(&text)
    }

    /// The instructions, each with the line that it stems from.
    pub(crate) fn instructions(&self) -> Vec<(String, Option<&Source>)> {
        let options = wengert_native::Options { listing: true, ..code_options().clone() };
        let code = match wengert_native::compile(&self.compiled.routine, &options) {
            Ok(code) => code,
            Err(error) => return vec![(error.to_string(), None)],
        };
        let source = |origin: Option<u32>| self.compiled.lines.get(origin? as usize);
        let listing = code.listing().map_or(&[][..], |listing| &listing.assembly);
        listing.iter().map(|i| (i.text.clone(), source(i.origin))).collect()
    }
}

/// The text with the user's code behind each `# file:line:column`.
fn with_code(text: &str) -> String {
    let mut files = Files::default();
    let mut out = String::with_capacity(2 * text.len());
    for line in text.lines() {
        out += line;
        let place = line.rsplit_once("# ").map(|(_, place)| place);
        if let Some(code) = place.and_then(|place| files.line_at(place)) {
            out += "  ";
            out += &code;
        }
        out.push('\n');
    }
    out
}

/// What is other in new arguments.
pub(crate) fn cause(before: Option<&[(String, Type)]>, now: &[(String, Type)]) -> String {
    let Some(before) = before else { return "it is called for the first time".to_owned() };
    if before.len() != now.len() {
        return format!("the argument has {} arrays, it had {}", now.len(), before.len());
    }
    let other = before.iter().zip(now).filter(|(b, n)| b != n).map(|((old, b), (name, n))| {
        if old == name {
            format!("`{name}` is {n}, it was {b}")
        } else {
            format!("the argument has `{name}`, it had `{old}`")
        }
    });
    let other: Vec<String> = other.collect();
    if other.is_empty() { "its static fields are other ones".to_owned() } else { other.join("; ") }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = self.arguments.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
        writeln!(f, "jit at {} for {}", self.source, arguments.join(", "))?;
        let times = if self.traced == 1 { "once".to_owned() } else { format!("{} times", self.traced) };
        writeln!(f, "  traced {times}:")?;
        for cause in &self.causes {
            writeln!(f, "    {cause}")?;
        }
        let here = if self.compiled_here { "" } else { " (before, for an equal program)" };
        let [loops, code] = self.compiling;
        writeln!(
            f,
            "  tracing {:?}, loops {loops:?}, machine code {code:?}{here}: {} equations, {} bytes of code",
            self.tracing,
            self.program.equation_count(),
            self.code_bytes
        )?;
        writeln!(f, "  a call does {}; {} bytes of planned memory", self.cost(), self.compiled.routine.arena)?;
        for fused in self.fused() {
            writeln!(f, "  {fused}")?;
        }
        Ok(())
    }
}
