//! The text form of programs, which [`parse`](super::parse) reads back.
//!
//! One line per equation. A program inside an operation stands where it is used; one that is used twice or more, or is
//! nested very deeply, is printed once, in front, under a name such as `@1`.

use super::{Equation, Program};
use crate::primitive::Attribute;
use crate::source::Source;
use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::Arc;

/// Programs inside programs inside programs are easier to read under a name from this depth on.
const MAX_INLINE: usize = 8;

/// Sources are aligned at this column where the line is not longer.
const SOURCE_COLUMN: usize = 56;

/// Prints the program with the source of each equation; `{:#}` leaves the sources out.
///
/// ```
/// let text = "program (%0: f64[3]) {
///   return %0, %0
/// }
/// ";
/// assert_eq!(wengert_core::program::parse(text)?.to_string(), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subs = Subprograms::of(self);
        let printer = Printer { subs: &subs, sources: !f.alternate() };
        let mut text = String::new();
        for (id, &program) in subs.distinct.iter().enumerate() {
            if let Some(name) = subs.names[id] {
                write!(text, "@{name} = ")?;
                printer.program(&mut text, program, 0)?;
                text.push('\n');
                f.write_str(&text)?;
                text.clear();
            }
        }
        printer.program(&mut text, self, 0)?;
        f.write_str(&text)
    }
}

/// The programs inside a program, each distinct one once, inner ones first.
struct Subprograms<'a> {
    distinct: Vec<&'a Program>,
    ids: HashMap<*const Program, usize>,
    /// Those that are printed in front have a name.
    names: Vec<Option<usize>>,
}

impl<'a> Subprograms<'a> {
    fn of(main: &'a Program) -> Self {
        let mut subs = Subprograms { distinct: Vec::new(), ids: HashMap::new(), names: Vec::new() };
        subs.collect(main);
        subs.name(main);
        subs
    }

    /// Numbers them without recursion; what is inside a program has its number before the program has.
    fn collect(&mut self, main: &'a Program) {
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        let mut work: Vec<(&'a Program, bool)> = inner(main).rev().map(|p| (p, false)).collect();
        while let Some((program, inner_done)) = work.pop() {
            if self.ids.contains_key(&std::ptr::from_ref(program)) {
                continue;
            }
            if !inner_done {
                work.push((program, true));
                work.extend(inner(program).rev().map(|p| (p, false)));
                continue;
            }
            let alike = by_hash.entry(program.structural_hash()).or_default();
            let id = alike.iter().copied().find(|&id| self.prints_alike(self.distinct[id], program));
            let id = id.unwrap_or_else(|| {
                self.distinct.push(program);
                alike.push(self.distinct.len() - 1);
                self.distinct.len() - 1
            });
            self.ids.insert(program, id);
        }
    }

    fn name(&mut self, main: &Program) {
        let mut uses = vec![0usize; self.distinct.len()];
        for program in self.distinct.iter().copied().chain([main]) {
            for sub in inner(program) {
                uses[self.ids[&std::ptr::from_ref(sub)]] += 1;
            }
        }
        let mut depth = vec![0; self.distinct.len()];
        let mut named = 0;
        for (id, &program) in self.distinct.iter().enumerate() {
            let inlined = inner(program).map(|p| self.ids[&std::ptr::from_ref(p)]).filter(|&p| self.names[p].is_none());
            depth[id] = inlined.map(|p| depth[p] + 1).max().unwrap_or(0);
            let name = (uses[id] > 1 || depth[id] >= MAX_INLINE).then(|| {
                named += 1;
                named
            });
            self.names.push(name);
        }
    }

    /// Equality of programs whose inner programs have numbers, so that a shared one is not walked again at each use.
    fn prints_alike(&self, a: &Program, b: &Program) -> bool {
        let same_attribute = |x: &Attribute, y: &Attribute| match (x, y) {
            (Attribute::Program(p), Attribute::Program(q)) => self.ids[&Arc::as_ptr(p)] == self.ids[&Arc::as_ptr(q)],
            _ => x == y,
        };
        let same_equation = |x: &Equation, y: &Equation| {
            let (p, q) = (x.op.attributes(), y.op.attributes());
            x.args == y.args
                && x.op.name() == y.op.name()
                && p.len() == q.len()
                && p.iter().zip(&q).all(|(p, q)| p.0 == q.0 && same_attribute(&p.1, &q.1))
        };
        a.inputs == b.inputs
            && a.outputs == b.outputs
            && a.types == b.types
            && a.equations.len() == b.equations.len()
            && a.equations.iter().zip(&b.equations).all(|(x, y)| same_equation(x, y))
    }
}

fn inner(program: &Program) -> impl DoubleEndedIterator<Item = &Program> {
    program.equations().iter().flat_map(|e| e.op.programs()).map(|p| &**p)
}

struct Printer<'a> {
    subs: &'a Subprograms<'a>,
    sources: bool,
}

impl Printer<'_> {
    fn program(&self, out: &mut String, program: &Program, indent: usize) -> fmt::Result {
        out.push_str("program (");
        for (i, ty) in program.input_types().iter().enumerate() {
            write!(out, "{}%{i}: {ty}", if i > 0 { ", " } else { "" })?;
        }
        out.push_str(") {\n");
        for e in program.equations() {
            self.equation(out, program, e, indent + 2)?;
        }
        write!(out, "{:indent$}return", "", indent = indent + 2)?;
        for (i, v) in program.outputs().iter().enumerate() {
            write!(out, "{} %{}", if i > 0 { "," } else { "" }, v.0)?;
        }
        writeln!(out, "\n{:indent$}}}", "")?;
        if indent > 0 {
            out.pop();
        }
        Ok(())
    }

    fn equation(&self, out: &mut String, program: &Program, e: &Equation, indent: usize) -> fmt::Result {
        let start = out.len();
        write!(out, "{:indent$}", "")?;
        for (i, v) in e.results().enumerate() {
            write!(out, "{}%{}: {}", if i > 0 { ", " } else { "" }, v.0, program.ty(v))?;
        }
        write!(out, "{}{}", if e.count > 0 { " = " } else { "" }, e.op.name())?;
        let attributes = e.op.attributes();
        for (i, (key, value)) in attributes.iter().enumerate() {
            write!(out, "{}{key}=", if i > 0 { ", " } else { "[" })?;
            self.attribute(out, value, indent)?;
        }
        if !attributes.is_empty() {
            out.push(']');
        }
        for a in &e.args {
            write!(out, " %{}", a.0)?;
        }
        if self.sources && e.source != Source::Unknown {
            let line = out[start..].rsplit('\n').next().map_or(0, |line| line.chars().count());
            write!(out, "{:pad$} # ", "", pad = SOURCE_COLUMN.saturating_sub(line))?;
            out.extend(e.source.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        out.push('\n');
        Ok(())
    }

    fn attribute(&self, out: &mut String, value: &Attribute, indent: usize) -> fmt::Result {
        match value {
            Attribute::Int(x) => write!(out, "{x}"),
            Attribute::Ints(xs) => write!(out, "{xs:?}"),
            Attribute::Scalar(x) => write!(out, "{x:?}"),
            Attribute::DType(x) => write!(out, "{x}"),
            Attribute::Bool(x) => write!(out, "{x}"),
            Attribute::Word(x) => write!(out, "{x}"),
            Attribute::Text(x) => write!(out, "{x:?}"),
            Attribute::Type(x) => write!(out, "{x}"),
            Attribute::Program(p) => {
                let id = self.subs.ids[&Arc::as_ptr(p)];
                match self.subs.names[id] {
                    Some(name) => write!(out, "@{name}"),
                    None => self.program(out, self.subs.distinct[id], indent),
                }
            }
        }
    }
}
