//! Forward mode: every value beside its tangent.

use super::memo::memoised;
use super::rewritten;
use crate::array::Array;
use crate::ops::zeros_any;
use crate::program::Program;
use crate::source::with_source;
use crate::trace::record;
use std::sync::Arc;

/// What [`jvp`] gives, and [`jet`](super::jet) with coefficients in place of tangents.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::jvp};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// assert_eq!(jvp(&program, &[false, false], &[false]).active, [false]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Jvp {
    /// Inputs, then the tangents of the active ones, to outputs, then the tangents of the active ones. Coefficients are order by
    /// order.
    pub program: Arc<Program>,
    /// Which outputs have a tangent.
    pub active: Vec<bool>,
}

/// The program that computes outputs and tangents, given which inputs are `active` (have a tangent). An output that
/// is in `force` gets a tangent even when it is zero.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::jvp};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let pushed = jvp(&program, &[true, false], &[true]);
/// // Two inputs and one tangent, to one output and its tangent.
/// assert_eq!((pushed.program.inputs(), pushed.program.outputs().len()), (3, 2));
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn jvp(program: &Arc<Program>, active: &[bool], force: &[bool]) -> Jvp {
    memoised("jvp", program, &[active, force], &[], || {
        let mut types = program.input_types().to_vec();
        types.extend(program.input_types().iter().zip(active).filter(|(_, a)| **a).map(|(ty, _)| ty.clone()));
        let mut flags = Vec::new();
        let program = rewritten(&types, |args| pushed(program, args, active, force, &mut flags));
        Jvp { program: Arc::new(program), active: flags }
    })
}

fn pushed(program: &Program, args: Vec<Array>, active: &[bool], force: &[bool], flags: &mut Vec<bool>) -> Vec<Array> {
    let mut args = args.into_iter();
    let mut primal: Vec<Option<Array>> = args.by_ref().take(program.inputs()).map(Some).collect();
    let mut tangent: Vec<Option<Array>> = active.iter().map(|&a| if a { args.next() } else { None }).collect();
    primal.resize(program.vars(), None);
    tangent.resize(program.vars(), None);
    for e in program.equations() {
        let x: Vec<Array> = e.args.iter().map(|a| primal[a.index()].clone().expect("defined before use")).collect();
        let dx: Vec<Option<Array>> = e.args.iter().map(|a| tangent[a.index()].clone()).collect();
        let (y, dy) = with_source(&e.source, || {
            if dx.iter().any(Option::is_some) {
                e.op.jvp(&x, &dx)
            } else {
                let y = record(e.op.clone(), &x.iter().collect::<Vec<_>>());
                let dy = vec![None; y.len()];
                (y, dy)
            }
        });
        for ((v, y), dy) in e.results().zip(y).zip(dy) {
            debug_assert!(
                dy.as_ref().is_none_or(|dy| dy.ty() == y.ty()),
                "{}: a tangent has its value's type",
                e.op.name()
            );
            primal[v.index()] = Some(y);
            tangent[v.index()] = dy;
        }
    }
    let mut outputs: Vec<Array> =
        program.outputs().iter().map(|v| primal[v.index()].clone().expect("defined before use")).collect();
    for (i, v) in program.outputs().iter().enumerate() {
        let dy = tangent[v.index()].clone().or_else(|| force[i].then(|| zeros_any(program.ty(*v))));
        flags.push(dy.is_some());
        outputs.extend(dy);
    }
    outputs
}
