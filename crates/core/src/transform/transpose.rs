//! Reverse mode's second half: a linear program run backwards.

use super::memo::memoised;
use super::{any_linear, rewritten};
use crate::array::Array;
use crate::ops::zeros_any;
use crate::primitive::{Cotangents, Operand};
use crate::program::{Equation, Program};
use crate::source::with_source;
use crate::trace::record;
use crate::types::Type;
use std::sync::Arc;

/// What an input is to [`transpose`].
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::{Mode, transpose}};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let transposed = transpose(&program, &[Mode::Known, Mode::Linear], &[true]);
/// assert_eq!(transposed.outputs().len(), 1); // the cotangent of the second factor
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// A coefficient.
    Known,
    /// Linear; its cotangent is an output.
    Linear,
    /// Linear; its cotangent starts from one more input and is updated in place.
    Accumulate,
    /// Linear; nobody wants its cotangent.
    Ignored,
}

/// The transpose of a program that is linear in all inputs but the known ones, for cotangents of the outputs that
/// are `present` (the others are zero).
///
/// Inputs: the known ones, cotangents of the present outputs, starts of the accumulated ones. Outputs: the
/// accumulated cotangents, then those of the linear inputs.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::{Mode, transpose}};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let transposed = transpose(&program, &[Mode::Known, Mode::Linear], &[true]);
/// assert!(transposed.to_string().contains("mul"));
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn transpose(program: &Program, modes: &[Mode], present: &[bool]) -> Program {
    let pick = |mode: Mode| {
        program.input_types().iter().zip(modes).filter(move |(_, m)| **m == mode).map(|(ty, _)| ty.clone())
    };
    let cotangents = program.output_types().zip(present).filter(|(_, p)| **p).map(|(ty, _)| ty.clone());
    let types: Vec<Type> = pick(Mode::Known).chain(cotangents).chain(pick(Mode::Accumulate)).collect();
    rewritten(&types, |args| pulled(program, args, modes, present))
}

/// The same, done once for a shared program.
pub(crate) fn transpose_shared(program: &Arc<Program>, modes: &[Mode], present: &[bool]) -> Arc<Program> {
    let is = |mode: Mode| modes.iter().map(|m| *m == mode).collect::<Vec<bool>>();
    let flags = [is(Mode::Known), is(Mode::Linear), is(Mode::Accumulate), present.to_vec()];
    let flags: Vec<&[bool]> = flags.iter().map(Vec::as_slice).collect();
    memoised("transpose", program, &flags, &[], || Arc::new(transpose(program, modes, present)))
}

fn pulled(program: &Program, args: Vec<Array>, modes: &[Mode], present: &[bool]) -> Vec<Array> {
    let mut args = args.into_iter();
    let mut known: Vec<Option<Array>> = vec![None; program.vars()];
    let mut linear = vec![false; program.vars()];
    let mut ct: Vec<Option<Array>> = vec![None; program.vars()];
    for (i, mode) in modes.iter().enumerate() {
        match mode {
            Mode::Known => known[i] = args.next(),
            _ => linear[i] = true,
        }
    }
    // Forward: what the coefficients are.
    for e in program.equations() {
        if e.args.iter().any(|a| linear[a.index()]) {
            e.results().for_each(|v| linear[v.index()] = true);
            continue;
        }
        let y = with_source(&e.source, || {
            let x: Vec<&Array> =
                e.args.iter().map(|a| known[a.index()].as_ref().expect("defined before use")).collect();
            record(e.op.clone(), &x)
        });
        for (v, y) in e.results().zip(y) {
            known[v.index()] = Some(y);
        }
    }
    // Backward: cotangents, from the outputs'.
    let outputs: Vec<Option<Array>> = present.iter().map(|&p| if p { args.next() } else { None }).collect();
    for (i, mode) in modes.iter().enumerate() {
        if *mode == Mode::Accumulate {
            ct[i] = args.next();
        }
    }
    let all = program.outputs().iter().map(|v| linear[v.index()].then_some(v.index())).collect();
    let mut sinks = Cotangents { table: &mut ct, places: all };
    for (i, output) in outputs.into_iter().enumerate() {
        if let Some(output) = output {
            sinks.add(i, output);
        }
    }
    for e in program.equations().iter().rev() {
        if e.args.iter().any(|a| linear[a.index()]) {
            pull_equation(program, e, &known, &linear, &mut ct);
        }
    }
    let take =
        |i: usize, ct: &mut [Option<Array>]| ct[i].take().unwrap_or_else(|| zeros_any(&program.input_types()[i]));
    let mut results = Vec::new();
    for wanted in [Mode::Accumulate, Mode::Linear] {
        for (i, mode) in modes.iter().enumerate() {
            if *mode == wanted {
                results.push(take(i, &mut ct));
            }
        }
    }
    results
}

fn pull_equation(program: &Program, e: &Equation, known: &[Option<Array>], linear: &[bool], ct: &mut [Option<Array>]) {
    let cts: Vec<Option<Array>> = e.results().map(|v| ct[v.index()].take()).collect();
    if cts.iter().all(Option::is_none) {
        return;
    }
    let operand = |a: &crate::program::Var| match &known[a.index()] {
        Some(x) => Operand::Known(x.clone()),
        None => Operand::Linear(program.ty(*a).clone()),
    };
    let x: Vec<Operand> = e.args.iter().map(operand).collect();
    debug_assert!(any_linear(&x));
    let places = e.args.iter().map(|a| linear[a.index()].then_some(a.index())).collect();
    with_source(&e.source, || e.op.transpose(&cts, &x, &mut Cotangents { table: ct, places }));
}
