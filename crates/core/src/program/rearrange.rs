//! The same equations with other inputs and outputs: how loops regroup what a transform of their body gave.

use super::{Builder, Program, Var};
use crate::types::Type;

/// An input of a rearranged program.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// The input of the old program at this position.
    Old(usize),
    /// A new input that nothing reads.
    Unused(Type),
}

impl Program {
    /// The program with these inputs and with the old outputs at these positions. Old inputs left out must be unused.
    pub(crate) fn rearranged(&self, inputs: &[Input], outputs: &[usize]) -> Program {
        let mut b = Builder::as_large_as(self);
        const NONE: Var = Var(u32::MAX);
        let mut env = vec![NONE; self.vars()];
        for input in inputs {
            match input {
                Input::Old(i) => env[*i] = b.input(self.ty(Var(*i as u32)).clone()),
                Input::Unused(ty) => drop(b.input(ty.clone())),
            }
        }
        for e in self.equations() {
            let args = e.args.iter().map(|a| env[a.index()]).collect();
            for (old, new) in e.results().zip(b.copy(e, args, self)) {
                env[old.index()] = new;
            }
        }
        let outputs: Vec<Var> = outputs.iter().map(|&i| env[self.outputs()[i].index()]).collect();
        b.finish(&outputs)
    }

    /// The program with its inputs permuted: new input `k` is old input `inputs[k]`; outputs likewise.
    pub(crate) fn permuted(&self, inputs: &[usize], outputs: &[usize]) -> Program {
        let inputs: Vec<Input> = inputs.iter().map(|&i| Input::Old(i)).collect();
        self.rearranged(&inputs, outputs)
    }

    /// The program with inputs of these types, which nothing reads, in front of the input at `place`.
    pub(crate) fn with_unused<'a>(&self, place: usize, types: impl Iterator<Item = &'a Type>) -> Program {
        let old = |places: std::ops::Range<usize>| places.map(Input::Old);
        let unused = types.map(|ty| Input::Unused(ty.clone()));
        let inputs: Vec<Input> = old(0..place).chain(unused).chain(old(place..self.inputs())).collect();
        self.rearranged(&inputs, &(0..self.outputs().len()).collect::<Vec<_>>())
    }

    /// Which inputs some equation or output reads.
    pub(crate) fn used_inputs(&self) -> Vec<bool> {
        let mut used = vec![false; self.inputs()];
        let read = self.equations().iter().flat_map(|e| &e.args).chain(self.outputs());
        for v in read {
            if v.index() < used.len() {
                used[v.index()] = true;
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret::interpret;
    use crate::program::parse;
    use crate::types::Type;
    use crate::value::Value;
    use wengert_kernel::DType;

    fn program() -> Program {
        let text = "program (%0: f64[], %1: f64[], %2: f64[]) {\n %3: f64[] = sub %0 %2\n%4: f64[] = exp %3\n return %3, %4, %0\n}";
        parse(text).unwrap()
    }

    fn run(program: &Program, inputs: &[f64]) -> Vec<f64> {
        program.verify().unwrap();
        let results = interpret(program, inputs.iter().map(|&x| Value::scalar(x)).collect()).unwrap();
        results.iter().map(|x| x.array().slice::<f64>()[0]).collect()
    }

    #[test]
    fn inputs_and_outputs_change_places_and_nothing_else_does() {
        let whole = run(&program(), &[0.3, 7.0, -1.2]);
        let permuted = program().permuted(&[2, 0, 1], &[1, 2, 0]);
        assert_eq!(run(&permuted, &[-1.2, 0.3, 7.0]), [whole[1], whole[2], whole[0]]);
        // One that nothing reads may go, an output may be given twice.
        let fewer = program().rearranged(&[Input::Old(0), Input::Old(2)], &[1, 1]);
        assert_eq!(run(&fewer, &[0.3, -1.2]), [whole[1]; 2]);
    }

    #[test]
    fn inputs_that_nothing_reads_come_where_they_are_wanted() {
        assert_eq!(program().used_inputs(), [true, false, true]);
        let types = [Type::scalar(DType::F64), Type::scalar(DType::F64)];
        let more = program().with_unused(1, types.iter());
        assert_eq!(more.used_inputs(), [true, false, false, false, true]);
        assert_eq!(run(&more, &[0.3, 5.0, 6.0, 7.0, -1.2]), run(&program(), &[0.3, 7.0, -1.2]));
    }
}
