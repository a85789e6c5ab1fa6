//! Structural equality and hash of programs. Sources take no part; sub-programs enter by their own hash.

use super::{Equation, Program, Var};
use crate::types::Type;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(super) fn structural(inputs: usize, types: &[Type], equations: &[Equation], outputs: &[Var]) -> u64 {
    let mut h = DefaultHasher::new();
    inputs.hash(&mut h);
    types[..inputs].hash(&mut h);
    for e in equations {
        e.op.hash(&mut h);
        e.args.hash(&mut h);
    }
    outputs.hash(&mut h);
    h.finish()
}

impl PartialEq for Program {
    fn eq(&self, other: &Program) -> bool {
        std::ptr::eq(self, other)
            || (self.hash == other.hash
                && self.inputs == other.inputs
                && self.outputs == other.outputs
                && self.types == other.types
                && self.equations.len() == other.equations.len()
                && self.equations.iter().zip(&other.equations).all(|(a, b)| a.args == b.args && a.op == b.op))
    }
}

impl Eq for Program {}

impl Hash for Program {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}
