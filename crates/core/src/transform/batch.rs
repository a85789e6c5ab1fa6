//! Vectorisation: one more axis in front of everything that depends on a mapped input.

use super::memo::memoised;
use super::rewritten;
use crate::array::Array;
use crate::primitive::Batched;
use crate::program::Program;
use crate::source::with_source;
use crate::trace::record;
use crate::types::Type;
use std::sync::Arc;

/// What [`batch`] gives.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::batch};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// assert_eq!(batch(&program, &[false, false], 5, &[false]).mapped, [false]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    /// The program with batch axes.
    pub program: Arc<Program>,
    /// Which outputs have one.
    pub mapped: Vec<bool>,
}

/// The program on `size` lanes, given which inputs are `mapped` (have the batch axis in front); the others are
/// shared by all lanes. Outputs in `force` get a batch axis even when all lanes are equal.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{program::parse, transform::batch};
///
/// let program = Arc::new(parse("program (%0: f64[], %1: f64[]) {\n  %2: f64[] = mul %0 %1\n  return %2\n}\n")?);
/// let rows = batch(&program, &[true, false], 5, &[true]);
/// assert_eq!(rows.program.output_types().next().unwrap().to_string(), "f64[5]");
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn batch(program: &Arc<Program>, mapped: &[bool], size: usize, force: &[bool]) -> Batch {
    memoised("batch", program, &[mapped, force], &[size], || {
        let with_axis = |(ty, &mapped): (&Type, &bool)| if mapped { ty.batched(size) } else { ty.clone() };
        let types: Vec<Type> = program.input_types().iter().zip(mapped).map(with_axis).collect();
        let mut flags = Vec::new();
        let program = rewritten(&types, |args| spread(program, args, mapped, size, force, &mut flags));
        Batch { program: Arc::new(program), mapped: flags }
    })
}

fn spread(
    program: &Program,
    args: Vec<Array>,
    mapped: &[bool],
    size: usize,
    force: &[bool],
    flags: &mut Vec<bool>,
) -> Vec<Array> {
    let mut env: Vec<Option<Batched>> =
        args.into_iter().zip(mapped).map(|(array, &mapped)| Some(Batched { array, mapped })).collect();
    env.resize(program.vars(), None);
    for e in program.equations() {
        let x: Vec<Batched> = e.args.iter().map(|a| env[a.index()].clone().expect("defined before use")).collect();
        let y = with_source(&e.source, || {
            if x.iter().any(|x| x.mapped) {
                e.op.batch(&x, size)
            } else {
                record(e.op.clone(), &x.iter().map(|x| &x.array).collect::<Vec<_>>())
                    .into_iter()
                    .map(Batched::shared)
                    .collect()
            }
        });
        for (v, y) in e.results().zip(y) {
            env[v.index()] = Some(y);
        }
    }
    let outputs = program.outputs().iter().zip(force).map(|(v, &force)| {
        let y = env[v.index()].clone().expect("defined before use");
        flags.push(y.mapped || force);
        if force { y.spread(size) } else { y.array }
    });
    outputs.collect()
}
