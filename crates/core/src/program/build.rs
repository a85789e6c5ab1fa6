//! Building programs equation by equation.

use super::{Args, Equation, Program, Var, hash};
use crate::ops::Op;
use crate::primitive::Effect;
use crate::source::Source;
use crate::types::Type;

/// A program under construction. Inputs may be added at any time; [`Builder::finish`] puts them first.
#[derive(Default)]
pub struct Builder {
    types: Vec<Type>,
    inputs: Vec<Var>,
    equations: Vec<Equation>,
}

impl Builder {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new input.
    pub fn input(&mut self, ty: Type) -> Var {
        self.types.push(ty);
        let v = Var(self.types.len() as u32 - 1);
        self.inputs.push(v);
        v
    }

    /// A new equation whose result types are known (`infer` has spoken). Returns the first result.
    pub fn push(&mut self, op: Op, args: Args, results: impl IntoIterator<Item = Type>, source: Source) -> Equation {
        let first = Var(self.types.len() as u32);
        self.types.extend(results);
        let count = self.types.len() as u32 - first.0;
        let equation = Equation { op, args, first, count, source };
        self.equations.push(equation.clone());
        equation
    }

    /// Copies an equation with other operands (of the same types); returns its results.
    pub fn copy(&mut self, e: &Equation, args: Args, from: &Program) -> Vec<Var> {
        let types: Vec<Type> = e.results().map(|v| from.ty(v).clone()).collect();
        let e = self.push(e.op.clone(), args, types, e.source.clone());
        e.results().collect()
    }

    /// The type of a variable.
    pub fn ty(&self, v: Var) -> &Type {
        &self.types[v.index()]
    }

    /// Equations so far.
    pub fn len(&self) -> usize {
        self.equations.len()
    }

    /// Whether there is no equation yet.
    pub fn is_empty(&self) -> bool {
        self.equations.is_empty()
    }

    /// The finished program, with these inputs in this order (all of them must be given) and these outputs.
    pub fn finish_with(self, inputs: &[Var], outputs: &[Var]) -> Program {
        assert_eq!(inputs.len(), self.inputs.len(), "every input of a program has a place");
        const NONE: Var = Var(u32::MAX);
        let mut renamed = vec![NONE; self.types.len()];
        let mut types = Vec::with_capacity(self.types.len());
        let mut old = self.types.into_iter().map(Some).collect::<Vec<_>>();
        let mut place = |v: Var, renamed: &mut Vec<Var>| {
            assert_eq!(renamed[v.index()], NONE, "a variable is defined once");
            renamed[v.index()] = Var(types.len() as u32);
            types.push(old[v.index()].take().expect("a variable is defined once"));
            renamed[v.index()]
        };
        for &v in inputs {
            place(v, &mut renamed);
        }
        let mut equations = self.equations;
        let mut effect = Effect::None;
        for e in &mut equations {
            for a in &mut e.args {
                *a = renamed[a.index()];
                assert_ne!(*a, NONE, "an operand is defined before its use");
            }
            let results = e.results();
            let mut first = None;
            for v in results {
                first.get_or_insert(place(v, &mut renamed));
            }
            e.first = first.unwrap_or(Var(0));
            effect = effect.max(e.op.effect());
        }
        let outputs: Vec<Var> = outputs.iter().map(|v| renamed[v.index()]).collect();
        assert!(!outputs.contains(&NONE), "an output is a variable of the program");
        let hash = hash::structural(inputs.len(), &types, &equations, &outputs);
        Program { inputs: inputs.len(), types, equations, outputs, hash, effect }
    }

    /// The finished program, inputs in the order in which they were made.
    pub fn finish(self, outputs: &[Var]) -> Program {
        let inputs = self.inputs.clone();
        self.finish_with(&inputs, outputs)
    }
}
