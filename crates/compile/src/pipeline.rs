//! The passes, in order.

use crate::block::{Bound, run};
use crate::emit::Emitter;
use crate::index::{Access, Root};
use crate::lists::dense_type;
use crate::storage::{Dest, Place};
use crate::{Compiled, Options, Report, blocks, buffers, calls, lanes, layout, open, parallel, registers, share};
use std::sync::Arc;
use wengert_core::program::{Program, Var};
use wengert_kernel::routine::{Affine, Routine, Storage};
use wengert_kernel::{Scalar, verify};

/// A pass from programs to programs.
type Pass = fn(&Arc<Program>) -> Arc<Program>;

/// Those, one after the other.
const PASSES: [(&str, Pass); 3] =
    [("lanes", lanes::without_lanes), ("open", open::opened), ("layout", layout::arranged)];

/// A pass from loops to loops.
type Rewrite = fn(&mut Routine, &Options);

/// Those, one after the other.
const REWRITES: [(&str, Rewrite); 5] = [
    ("share", |routine, _| share::share(routine)),
    ("blocks", |routine, options| blocks::cut(routine, options.blocks)),
    ("keep", |routine, _| share::keep(routine)),
    ("registers", |routine, _| registers::take_apart(routine)),
    ("parallel", |routine, options| parallel::spread(routine, options.parallel)),
];

/// All passes.
pub(crate) fn compile(program: &Program, options: &Options) -> Compiled {
    let mut program = Arc::new(program.clone());
    for (name, pass) in PASSES {
        program = pass(&program);
        if options.verify {
            program.verify().unwrap_or_else(|error| panic!("after the pass `{name}`: {error}"));
        }
    }
    let mut e = lower(&program, options);
    REWRITES.iter().for_each(|(_, rewrite)| rewrite(&mut e.routine, options));
    buffers::plan(&mut e.routine, &mut e.report);
    if options.verify {
        verify::verify(&e.routine).unwrap_or_else(|error| panic!("the routine is wrong {error}\n{}", e.routine));
    }
    Compiled {
        routine: e.routine,
        checks: e.checks,
        hosts: e.hosts,
        report: e.report,
        lines: e.lines,
        fusion: e.fusion,
    }
}

/// The program after each pass from programs to programs, with the pass's name.
///
/// ```
/// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
/// let program = std::sync::Arc::new(wengert_core::program::parse(text)?);
/// assert_eq!(wengert_compile::passes(&program).last().unwrap().0, "layout");
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn passes(program: &Arc<Program>) -> Vec<(&'static str, Arc<Program>)> {
    let mut program = program.clone();
    let after = |(name, pass): &(&'static str, Pass)| {
        program = pass(&program);
        (*name, program.clone())
    };
    PASSES.iter().map(after).collect()
}

/// The loops as they are written first, under the name "loops", and after each pass from loops to loops, with the pass's name; always with the
/// memory planned, so that each can be run.
///
/// ```
/// let text = "program (%0: f64[8]) {\n  %1: f64[8] = sin %0\n  return %1\n}\n";
/// let program = std::sync::Arc::new(wengert_core::program::parse(text)?);
/// let routines = wengert_compile::routines(&program, &wengert_compile::Options::default());
/// let names: Vec<&str> = routines.into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["loops", "share", "blocks", "keep", "registers", "parallel"]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn routines(program: &Arc<Program>, options: &Options) -> Vec<(&'static str, Routine)> {
    let program = PASSES.iter().fold(program.clone(), |program, (_, pass)| pass(&program));
    let mut routine = lower(&program, options).routine;
    let planned = |name, routine: &Routine| {
        let mut routine = routine.clone();
        buffers::plan(&mut routine, &mut Report::default());
        (name, routine)
    };
    let mut all = vec![planned("loops", &routine)];
    for (name, rewrite) in REWRITES {
        rewrite(&mut routine, options);
        all.push(planned(name, &routine));
    }
    all
}

/// A program as statements; the arena is not planned yet.
fn lower(program: &Program, options: &Options) -> Emitter {
    let mut e = Emitter::default();
    e.parallel = options.parallel;
    for callee in open::called(program) {
        let function = calls::define(&mut e, &callee);
        e.functions.insert(callee, function);
    }
    e.begin_function("main");
    let mut used = vec![false; program.vars()];
    let read = program.equations().iter().flat_map(|e| &e.args).chain(program.outputs());
    read.for_each(|v| used[v.index()] = true);
    let ty = |v: Var| {
        let ty = program.ty(v);
        dense_type(ty).unwrap_or_else(|| panic!("a compiled program takes and gives arrays, not {ty}"))
    };
    let mut inputs = Vec::new();
    for (i, &used) in used.iter().take(program.inputs()).enumerate() {
        let ty = ty(Var(i as u32));
        let buffer = e.buffer(ty.dtype, ty.size(), Storage::Input(i as u32));
        inputs.push(Bound::Elements(match ty.size() {
            1 if used => Access::uniform(Root::Value(e.load(buffer, Affine::default())), &ty),
            0 | 1 => Access::literal(Scalar::zero(ty.dtype), &ty.shape),
            _ => Access::dense(Root::Memory(buffer), &ty),
        }));
    }
    let places: Vec<Place> = (0..program.outputs().len())
        .map(|k| {
            let ty = ty(program.outputs()[k]);
            Place { buffer: e.buffer(ty.dtype, ty.size(), Storage::Output(k as u32)), at: Affine::default() }
        })
        .collect();
    let dests: Vec<Dest> = places.iter().cloned().map(Dest::Fresh).collect();
    let outputs = run(&mut e, program, &inputs, &dests);
    for ((v, place), output) in program.outputs().iter().zip(&places).zip(&outputs) {
        if let (1, Bound::Elements(access)) = (ty(*v).size(), output) {
            let value = e.only(access);
            e.store(place.buffer, place.at.clone(), value);
        }
    }
    e.end_function(Vec::new());
    e
}
