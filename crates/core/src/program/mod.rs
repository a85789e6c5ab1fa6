//! Programs: flat, typed, closed SSA.
//!
//! Variables are numbered densely: the inputs first, then the results of each equation in order. So a program is a
//! few vectors; nothing in it is linked, and nothing that walks it recurses over its length.

mod build;
mod hash;
mod hoist;
mod parse;
mod print;
mod rearrange;
mod simplify;
mod verify;

pub use build::{Builder, Results};
pub(crate) use hoist::hoisted;
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
///
/// ```
/// assert_eq!(wengert_core::program::Var(3).index(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Var(pub u32);

impl Var {
    /// Position in per-variable tables.
    ///
    /// ```
    /// assert_eq!(wengert_core::program::Var(0).index(), 0);
    /// ```
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The operands of an equation.
///
/// ```
/// use wengert_core::program::{Args, Var};
///
/// let args: Args = [Var(0), Var(2)].into_iter().collect();
/// assert_eq!(args.len(), 2);
/// ```
pub type Args = SmallVec<[Var; 3]>;

/// `results = op(args)`.
///
/// ```
/// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
/// let e = &program.equations()[0];
/// assert_eq!((e.op.name(), e.args[0].index(), e.first.index(), e.count), ("sin", 0, 1, 1));
/// # Ok::<(), wengert_core::Error>(())
/// ```
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
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.equations()[0].results().map(|v| v.index()).collect::<Vec<_>>(), [1]);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn results(&self) -> impl DoubleEndedIterator<Item = Var> + ExactSizeIterator + Clone + use<> {
        (self.first.0..self.first.0 + self.count).map(Var)
    }
}

/// A closed program. Made by [`Builder::finish`] only, so it is always well formed and its hash is computed once.
///
/// ```
/// use wengert_core::program::parse;
///
/// let program = parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
/// program.verify()?;
/// assert_eq!((program.inputs(), program.vars(), program.equations().len()), (1, 2, 1));
/// # Ok::<(), wengert_core::Error>(())
/// ```
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
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.inputs(), 1);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The types of the inputs.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.input_types()[0].to_string(), "f64[2]");
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn input_types(&self) -> &[Type] {
        &self.types[..self.inputs]
    }

    /// The equations in order.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.equations()[0].op.name(), "sin");
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn equations(&self) -> &[Equation] {
        &self.equations
    }

    /// The outputs; a variable may stand more than once.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.outputs()[0].index(), 1);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn outputs(&self) -> &[Var] {
        &self.outputs
    }

    /// The types of the outputs.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.output_types().next().unwrap().to_string(), "f64[2]");
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn output_types(&self) -> impl Iterator<Item = &Type> {
        self.outputs.iter().map(|&v| self.ty(v))
    }

    /// The type of a variable.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.ty(program.outputs()[0]).to_string(), "f64[2]");
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn ty(&self, v: Var) -> &Type {
        &self.types[v.index()]
    }

    /// The type of an output and, unless it is an input too, where in the user's code it was made: for errors.
    ///
    /// ```
    /// let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert!(program.describe_output(0).starts_with("f64[2]"));
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn describe_output(&self, i: usize) -> String {
        let v = self.outputs[i];
        match self.equations.iter().find(|e| e.results().any(|y| y == v)) {
            Some(e) => format!("{} (made at {})", self.ty(v), e.source),
            None => self.ty(v).to_string(),
        }
    }

    /// Number of variables.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.vars(), 2);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn vars(&self) -> usize {
        self.types.len()
    }

    /// The strongest effect of its equations.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.effect(), wengert_core::primitive::Effect::None);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// Structural hash, sources left out.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.structural_hash(), program.clone().structural_hash());
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn structural_hash(&self) -> u64 {
        self.hash
    }

    /// Equations here and in all sub-programs, each distinct sub-program counted once.
    ///
    /// ```
    /// # let program = wengert_core::program::parse("program (%0: f64[2]) {\n  %1: f64[2] = sin %0\n  return %1\n}\n")?;
    /// assert_eq!(program.equation_count(), 1);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
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
