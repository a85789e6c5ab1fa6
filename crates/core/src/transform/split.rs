//! Slicing a program in two by "depends on an unknown input".
//!
//! After `jvp` the unknown inputs are the tangents, so the known half computes the values and the other half is
//! linear. What the linear half reads of the known one are the residuals.

use super::memo::memoised;
use crate::ops::Op;
use crate::program::{Args, Builder, Program, Var, simplify};
use crate::types::Type;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// What [`split`] gives.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::split};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// // With the second factor unknown there is nothing to do before it is known.
/// assert_eq!(split(&program, &[false, true], &[true]).residuals.len(), 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Split {
    /// Known inputs to known outputs, then residuals.
    pub known: Arc<Program>,
    /// Residuals, then unknown inputs, to unknown outputs.
    pub linear: Arc<Program>,
    /// Which outputs are unknown.
    pub unknown: Vec<bool>,
    /// Where each residual comes from.
    pub residuals: Vec<Residual>,
}

/// Where a residual comes from.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::{Residual, split}};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// assert_eq!(split(&program, &[false, true], &[true]).residuals, [Residual::Input(0)]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Residual {
    /// It is the known input at this position among the known inputs, so it need not be kept.
    Input(usize),
    /// It is computed.
    Made,
}

/// How an operation with programs inside splits.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{ops::{Call, Op}, primitive::Primitive, program::parse};
///
/// let body = parse("program (%0: bool[], %1: f64[], %2: f64[]) {\n  %3: f64[] = mul %1 %2\n  return %3\n}\n")?;
/// let call: Op = Call::of(Arc::new(body)).into();
/// let halves = call.split(&[false, false, true]).expect("an operation with a program inside splits");
/// assert_eq!(halves.results.len(), 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub struct SplitEquation {
    /// The known half.
    pub known: Op,
    /// Its operands: positions among the equation's operands, all known.
    pub known_args: Vec<usize>,
    /// The linear half.
    pub linear: Op,
    /// Its operands.
    pub linear_args: Vec<LinearArg>,
    /// Which half gives each result of the equation, and at which position.
    pub results: Vec<Side>,
}

/// An operand of the linear half.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{ops::{Call, Op}, primitive::Primitive, program::parse, transform::LinearArg};
///
/// let body = parse("program (%0: bool[], %1: f64[], %2: f64[]) {\n  %3: f64[] = mul %1 %2\n  return %3\n}\n")?;
/// let call: Op = Call::of(Arc::new(body)).into();
/// let halves = call.split(&[false, false, true]).expect("an operation with a program inside splits");
/// assert!(halves.linear_args.contains(&LinearArg::Operand(2)));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinearArg {
    /// An operand of the equation, known or not.
    Operand(usize),
    /// A result of the known half.
    Residual(usize),
}

/// Which half gives a result.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{ops::{Call, Op}, primitive::Primitive, program::parse, transform::Side};
///
/// let body = parse("program (%0: bool[], %1: f64[], %2: f64[]) {\n  %3: f64[] = mul %1 %2\n  return %3\n}\n")?;
/// let call: Op = Call::of(Arc::new(body)).into();
/// let halves = call.split(&[false, false, true]).expect("an operation with a program inside splits");
/// assert!(matches!(halves.results[0], Side::Linear(_)));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The known one.
    Known(usize),
    /// The linear one.
    Linear(usize),
}

/// Splits a program, given which inputs are `unknown`. Outputs in `force` belong to the linear half in any case.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::split};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let halves = split(&program, &[false, true], &[true]);
/// assert_eq!(halves.linear.equations().len(), 1);
/// assert_eq!(halves.known.equations().len(), 0);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn split(program: &Arc<Program>, unknown: &[bool], force: &[bool]) -> Split {
    memoised("split", program, &[unknown, force], &[], || Splitter::new(program, unknown).run(force))
}

/// What is known of a variable of the program while it is split.
#[derive(Clone, Copy)]
enum Place {
    /// Not reached yet.
    Nowhere,
    /// A variable of the known half.
    Known(Var),
    /// A variable of the linear half that depends on the unknown inputs.
    Linear(Var),
}

struct Splitter<'a> {
    program: &'a Program,
    known: Builder,
    linear: Builder,
    place: Vec<Place>,
    /// Known variables in the linear half: residuals and recomputed ones, by variable of the known half.
    copies: FxHashMap<Var, Var>,
    residuals: Vec<(Var, Var)>,
    known_inputs: Vec<Var>,
    unknown_inputs: Vec<Var>,
    /// The equation that computes a known variable (by variable of the known half), when recomputing it is cheap.
    cheap: FxHashMap<Var, usize>,
}

/// How deep a chain of cheap operations is recomputed rather than kept.
const CHEAP_DEPTH: usize = 4;

impl<'a> Splitter<'a> {
    fn new(program: &'a Program, unknown: &[bool]) -> Self {
        let mut s = Splitter {
            program,
            known: Builder::new(),
            linear: Builder::new(),
            place: vec![Place::Nowhere; program.vars()],
            copies: FxHashMap::default(),
            residuals: Vec::new(),
            known_inputs: Vec::new(),
            unknown_inputs: Vec::new(),
            cheap: FxHashMap::default(),
        };
        for (i, (&unknown, ty)) in unknown.iter().zip(program.input_types()).enumerate() {
            s.place[i] = if unknown {
                let v = s.linear.input(ty.clone());
                s.unknown_inputs.push(v);
                Place::Linear(v)
            } else {
                let v = s.known.input(ty.clone());
                s.known_inputs.push(v);
                Place::Known(v)
            };
        }
        s
    }

    fn run(mut self, force: &[bool]) -> Split {
        for (k, e) in self.program.equations().iter().enumerate() {
            let unknown: Vec<bool> = e.args.iter().map(|a| matches!(self.place[a.index()], Place::Linear(_))).collect();
            if !unknown.contains(&true) {
                let args = e.args.iter().map(|a| self.in_known(*a)).collect();
                for (v, y) in e.results().zip(self.known.copy(e, args, self.program)) {
                    self.place[v.index()] = Place::Known(y);
                    if e.op.cheap() {
                        self.cheap.insert(y, k);
                    }
                }
                continue;
            }
            match e.op.split(&unknown) {
                Some(split) => self.push_split(k, split),
                None => {
                    let args: Args = e.args.iter().map(|a| self.in_linear(*a)).collect();
                    for (v, y) in e.results().zip(self.linear.copy(e, args, self.program)) {
                        self.place[v.index()] = Place::Linear(y);
                    }
                }
            }
        }
        self.finish(force)
    }

    fn push_split(&mut self, k: usize, split: SplitEquation) {
        let e = &self.program.equations()[k];
        let args: Args = split.known_args.iter().map(|&i| self.in_known(e.args[i])).collect();
        let types: Vec<Type> = args.iter().map(|&v| self.known.ty(v).clone()).collect();
        let results = split.known.infer(&types).expect("the known half of an equation is well typed");
        let known: Vec<Var> = self.known.push(split.known, args, results, e.source.clone()).results().collect();

        let args: Args = split
            .linear_args
            .iter()
            .map(|arg| match *arg {
                LinearArg::Operand(i) => self.in_linear(e.args[i]),
                LinearArg::Residual(r) => self.residual(known[r]),
            })
            .collect();
        let types: Vec<Type> = args.iter().map(|&v| self.linear.ty(v).clone()).collect();
        let results = split.linear.infer(&types).expect("the linear half of an equation is well typed");
        let linear: Vec<Var> = self.linear.push(split.linear, args, results, e.source.clone()).results().collect();

        for (v, side) in e.results().zip(split.results) {
            self.place[v.index()] = match side {
                Side::Known(i) => Place::Known(known[i]),
                Side::Linear(i) => Place::Linear(linear[i]),
            };
        }
    }

    fn in_known(&self, v: Var) -> Var {
        match self.place[v.index()] {
            Place::Known(y) => y,
            _ => panic!("the known half reads known variables only"),
        }
    }

    fn in_linear(&mut self, v: Var) -> Var {
        match self.place[v.index()] {
            Place::Linear(y) => y,
            Place::Known(y) => self.copied(y, CHEAP_DEPTH),
            Place::Nowhere => panic!("a variable is defined before its use"),
        }
    }

    /// A known variable for the linear half: computed again when that is cheap, else a residual.
    fn copied(&mut self, y: Var, depth: usize) -> Var {
        if let Some(&copy) = self.copies.get(&y) {
            return copy;
        }
        let Some(&k) = self.cheap.get(&y).filter(|_| depth > 0) else { return self.residual(y) };
        let e = &self.program.equations()[k];
        let args: Args = e.args.iter().map(|a| self.copied(self.in_known(*a), depth - 1)).collect();
        let copy = self.linear.copy(e, args, self.program).next().expect("what is cheap has a result");
        self.copies.insert(y, copy);
        copy
    }

    fn residual(&mut self, y: Var) -> Var {
        if let Some(&copy) = self.copies.get(&y) {
            return copy;
        }
        let copy = self.linear.input(self.known.ty(y).clone());
        self.copies.insert(y, copy);
        self.residuals.push((y, copy));
        copy
    }

    fn finish(mut self, force: &[bool]) -> Split {
        let outputs = self.program.outputs();
        let unknown: Vec<bool> =
            outputs.iter().zip(force).map(|(v, &f)| f || matches!(self.place[v.index()], Place::Linear(_))).collect();
        let mut known_outputs = Vec::new();
        let mut linear_outputs = Vec::new();
        for (v, &unknown) in outputs.iter().zip(&unknown) {
            if unknown { linear_outputs.push(self.in_linear(*v)) } else { known_outputs.push(self.in_known(*v)) }
        }
        let (kept, copies): (Vec<Var>, Vec<Var>) = self.residuals.into_iter().unzip();
        let inputs: Vec<Var> = copies.iter().chain(&self.unknown_inputs).copied().collect();
        let linear = simplify(&self.linear.finish_with(&inputs, &linear_outputs));
        // Residuals that the simplified linear half no longer reads are not kept.
        let used = linear.used_inputs();
        let read: Vec<usize> = (0..kept.len()).filter(|&i| used[i]).collect();
        let inputs: Vec<usize> = read.iter().copied().chain(kept.len()..linear.inputs()).collect();
        let all: Vec<usize> = (0..linear.outputs().len()).collect();
        let linear = if read.len() == kept.len() { linear } else { linear.permuted(&inputs, &all) };
        let kept: Vec<Var> = read.iter().map(|&i| kept[i]).collect();
        let residuals = kept.iter().map(|y| match self.known_inputs.iter().position(|v| v == y) {
            Some(i) => Residual::Input(i),
            None => Residual::Made,
        });
        let residuals = residuals.collect();
        known_outputs.extend(kept);
        let known = simplify(&self.known.finish(&known_outputs));
        Split { known: Arc::new(known), linear: Arc::new(linear), unknown, residuals }
    }
}
