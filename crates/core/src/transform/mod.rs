//! Transforms: programs to programs. None of them names a primitive.
//!
//! `jvp` pairs every value with its tangent; `split` slices a program by "depends on an unknown input", which turns a
//! jvp into a linearisation; `transpose` runs a linear program backwards; `batch` adds an axis.

mod batch;
mod jet;
mod jvp;
mod memo;
mod split;
mod transpose;

pub use batch::{Batch, batch};
pub use jet::jet;
pub use jvp::{Jvp, jvp};
pub(crate) use memo::memoised;
pub use split::{LinearArg, Residual, Side, Split, SplitEquation, split};
pub(crate) use transpose::transpose_shared;
pub use transpose::{Mode, transpose};

use crate::primitive::Operand;
use crate::program::{Program, simplify};
use crate::trace::trace_closed;
use crate::types::Type;
use std::sync::Arc;

/// A function's value and everything its derivative at that point needs, as two programs.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::linearize};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let linearized = linearize(&program, &[true, false], &[true]);
/// assert_eq!(linearized.residuals, 1); // the other factor
/// assert_eq!(linearized.linear.inputs(), 2);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Linearized {
    /// Inputs to outputs, then residuals.
    pub known: Arc<Program>,
    /// Residuals and tangents of the active inputs to tangents of the wanted outputs.
    pub linear: Arc<Program>,
    /// Number of residuals.
    pub residuals: usize,
}

/// Linearises the `wanted` outputs of a program in its `active` inputs: `jvp`, then `split` by the tangents.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::linearize};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let linearized = linearize(&program, &[true, true], &[true]);
/// assert_eq!(linearized.residuals, 2); // both factors
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn linearize(program: &Arc<Program>, active: &[bool], wanted: &[bool]) -> Linearized {
    let outputs = program.outputs().len();
    let jvp = jvp(program, active, wanted);
    // The tangents of the other outputs go.
    let mut place = outputs;
    let mut kept: Vec<usize> = (0..outputs).collect();
    for (&has_tangent, &wanted) in jvp.active.iter().zip(wanted) {
        kept.extend((has_tangent && wanted).then_some(place));
        place += has_tangent as usize;
    }
    let pair = if kept.len() == jvp.program.outputs().len() {
        jvp.program
    } else {
        let inputs: Vec<usize> = (0..jvp.program.inputs()).collect();
        Arc::new(simplify(&jvp.program.permuted(&inputs, &kept)))
    };
    let flags = |first: usize, all: usize| [vec![false; first], vec![true; all - first]].concat();
    let split = split(&pair, &flags(program.inputs(), pair.inputs()), &flags(outputs, kept.len()));
    Linearized { residuals: split.residuals.len(), known: split.known, linear: split.linear }
}

/// Transposes the linear half: residuals and cotangents of all outputs to cotangents of the active inputs.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::{linearize, transpose_linear}};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let pullback = transpose_linear(&linearize(&program, &[true, true], &[true]));
/// // Two residuals and one cotangent, to two cotangents.
/// assert_eq!((pullback.inputs(), pullback.outputs().len()), (3, 2));
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn transpose_linear(linearized: &Linearized) -> Program {
    let linear = &linearized.linear;
    let mut modes = vec![Mode::Known; linearized.residuals];
    modes.resize(linear.inputs(), Mode::Linear);
    transpose(linear, &modes, &vec![true; linear.outputs().len()])
}

/// Grows flags by `step` until they stay: which carries of a loop are active, mapped or unknown.
pub(crate) fn fixpoint<R>(mut flags: Vec<bool>, mut step: impl FnMut(&[bool]) -> (Vec<bool>, R)) -> (Vec<bool>, R) {
    loop {
        let (grown, result) = step(&flags);
        let next: Vec<bool> = flags.iter().zip(&grown).map(|(&a, &b)| a || b).collect();
        if next == flags {
            return (flags, result);
        }
        flags = next;
    }
}

/// A program made by running rules on variables of these types, simplified.
pub(crate) fn rewritten(
    types: &[Type],
    f: impl FnOnce(Vec<crate::array::Array>) -> Vec<crate::array::Array>,
) -> Program {
    simplify(&trace_closed(types, f))
}

/// Whether any operand is linear.
pub(crate) fn any_linear(x: &[Operand]) -> bool {
    x.iter().any(Operand::is_linear)
}

/// A shared program without the outputs that are not live, and the inputs that remain; done once.
pub(crate) fn without_outputs(program: &Arc<Program>, live: &[bool]) -> (Arc<Program>, Vec<usize>) {
    memoised("prune", program, &[live], &[], || {
        let inputs: Vec<usize> = (0..program.inputs()).collect();
        let outputs: Vec<usize> = (0..live.len()).filter(|&i| live[i]).collect();
        let smaller = simplify(&program.permuted(&inputs, &outputs));
        let used = smaller.used_inputs();
        // The first input is the mask, which every body has.
        let inputs: Vec<usize> = inputs.into_iter().filter(|&i| i == 0 || used[i]).collect();
        let outputs: Vec<usize> = (0..outputs.len()).collect();
        (Arc::new(smaller.permuted(&inputs, &outputs)), inputs)
    })
}
