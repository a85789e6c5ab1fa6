//! Checks that a program is what every pass may rely on.

use super::{Program, Var};
use crate::error::{Error, ErrorKind};
use crate::primitive::Effect;
use crate::types::Type;
use std::collections::HashSet;

impl Program {
    /// Infers every equation again, here and in all programs inside (each once), and checks that variables are
    /// numbered in order and defined before they are used.
    ///
    /// # Errors
    /// The first equation whose types are not those that it infers, or variable that is not defined before its use.
    ///
    /// ```
    /// use wengert_core::program::parse;
    ///
    /// parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?.verify()?;
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn verify(&self) -> Result<(), Error> {
        let mut seen: HashSet<*const Program> = HashSet::new();
        let mut work = vec![self];
        while let Some(program) = work.pop() {
            verify_one(program)?;
            for sub in program.equations().iter().flat_map(|e| e.op.programs()) {
                if seen.insert(&**sub) {
                    work.push(sub);
                }
            }
        }
        Ok(())
    }
}

/// Without the programs inside.
fn verify_one(program: &Program) -> Result<(), Error> {
    let invalid = |message: String| Error::new(ErrorKind::Parse, message);
    if program.inputs() > program.vars() {
        return Err(invalid(format!("{} inputs, but {} variables", program.inputs(), program.vars())));
    }
    for (i, ty) in program.input_types().iter().enumerate() {
        ty.check_size().map_err(|e| invalid(format!("input %{i}: {e}")))?;
    }
    let mut defined = program.inputs();
    let mut effect = Effect::None;
    for (i, e) in program.equations().iter().enumerate() {
        let at = |message: String| invalid(format!("equation {i} ({}): {message}", e.op.name())).at(e.source.clone());
        let after = defined + e.count as usize;
        if (e.count > 0 && e.first.index() != defined) || after > program.vars() {
            return Err(at(format!("its first result is %{}, the next variable is %{defined}", e.first.0)));
        }
        if let Some(a) = e.args.iter().find(|a| a.index() >= defined) {
            return Err(at(format!("%{} is used before it is defined", a.0)));
        }
        let args: Vec<Type> = e.args.iter().map(|&a| program.ty(a).clone()).collect();
        let inferred = e.op.infer(&args).map_err(|e| at(e.to_string()))?;
        if inferred.len() != e.count as usize {
            return Err(at(format!("it has {} results, {} are given", inferred.len(), e.count)));
        }
        if let Some((v, ty)) = e.results().zip(&inferred).find(|(v, ty)| program.ty(*v) != *ty) {
            return Err(at(format!("%{} is {}, not {}", v.0, ty, program.ty(v))));
        }
        effect = effect.max(e.op.effect());
        defined = after;
    }
    if defined != program.vars() {
        return Err(invalid(format!("{} variables, {defined} of them defined", program.vars())));
    }
    if let Some(Var(v)) = program.outputs().iter().find(|v| v.index() >= defined) {
        return Err(invalid(format!("output %{v} is not defined")));
    }
    if effect != program.effect() {
        return Err(invalid(format!("its effect is {effect:?}, not {:?}", program.effect())));
    }
    Ok(())
}
