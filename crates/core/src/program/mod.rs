//! Programs: flat, typed, closed SSA.
//!
//! Variables are numbered densely: the inputs first, then the results of each equation in order. So a program is a
//! few vectors; nothing in it is linked, and nothing that walks it recurses over its length.

mod build;
mod hash;
mod parse;
mod print;
mod rearrange;
mod simplify;
mod verify;

pub use build::{Builder, Results};
pub use parse::parse;
pub(crate) use rearrange::Input;
pub use simplify::simplify;
pub(crate) use simplify::without_effects;

use crate::ops::Op;
use crate::primitive::Effect;
use crate::source::Source;
use crate::types::Type;
use smallvec::SmallVec;
use std::collections::HashSet;

/// A variable of a program.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Var(pub u32);

impl Var {
    /// Position in per-variable tables.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The operands of an equation.
pub type Args = SmallVec<[Var; 3]>;

/// `results = op(args)`.
#[derive(Clone, Debug)]
pub struct Equation {
    /// What is computed.
    pub op: Op,
    /// Operands.
    pub args: Args,
    /// The first result; the others follow it.
    pub first: Var,
    /// Number of results; may be 0 for an effect.
    pub count: u32,
    /// The user's line; takes no part in equality or hash.
    pub source: Source,
}

impl Equation {
    /// The results.
    pub fn results(&self) -> impl DoubleEndedIterator<Item = Var> + ExactSizeIterator + Clone + use<> {
        (self.first.0..self.first.0 + self.count).map(Var)
    }
}

/// A closed program. Made by [`Builder::finish`] only, so it is always well formed and its hash is computed once.
#[derive(Clone, Debug)]
pub struct Program {
    inputs: usize,
    types: Vec<Type>,
    equations: Vec<Equation>,
    outputs: Vec<Var>,
    hash: u64,
    effect: Effect,
}

impl Program {
    /// Number of inputs; they are the variables `0..inputs`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The types of the inputs.
    pub fn input_types(&self) -> &[Type] {
        &self.types[..self.inputs]
    }

    /// The equations in order.
    pub fn equations(&self) -> &[Equation] {
        &self.equations
    }

    /// The outputs; a variable may stand more than once.
    pub fn outputs(&self) -> &[Var] {
        &self.outputs
    }

    /// The types of the outputs.
    pub fn output_types(&self) -> impl Iterator<Item = &Type> {
        self.outputs.iter().map(|&v| self.ty(v))
    }

    /// The type of a variable.
    pub fn ty(&self, v: Var) -> &Type {
        &self.types[v.index()]
    }

    /// The type of an output and, unless it is an input too, where in the user's code it was made: for errors.
    pub fn describe_output(&self, i: usize) -> String {
        let v = self.outputs[i];
        match self.equations.iter().find(|e| e.results().any(|y| y == v)) {
            Some(e) => format!("{} (made at {})", self.ty(v), e.source),
            None => self.ty(v).to_string(),
        }
    }

    /// Number of variables.
    pub fn vars(&self) -> usize {
        self.types.len()
    }

    /// The strongest effect of its equations.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Structural hash, sources left out.
    pub fn structural_hash(&self) -> u64 {
        self.hash
    }

    /// Equations here and in all sub-programs, each distinct sub-program counted once.
    pub fn equation_count(&self) -> usize {
        let mut counted = HashSet::new();
        let mut open: Vec<&Program> = vec![self];
        let mut count = 0;
        while let Some(program) = open.pop() {
            count += program.equations.len();
            for inner in program.equations.iter().flat_map(|e| e.op.programs()) {
                if counted.insert(inner.hash) {
                    open.push(inner);
                }
            }
        }
        count
    }
}
