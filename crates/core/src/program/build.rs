//! Building programs equation by equation.

use super::{Args, Equation, Program, Var, hash};
use crate::ops::Op;
use crate::primitive::Effect;
use crate::source::Source;
use crate::types::Type;

/// A program under construction. Inputs may be added at any time; [`Builder::finish`] puts them first.
///
/// ```
/// use wengert_core::ops::{Op, UnaryOp};
/// use wengert_core::{DType, Type, program::Builder, source::Source};
/// use wengert_kernel::Unary;
///
/// let mut builder = Builder::new();
/// let x = builder.input(Type::scalar(DType::F64));
/// let y = builder.push(Op::from(UnaryOp(Unary::Sin)), [x].into_iter().collect(), [Type::scalar(DType::F64)], Source::Unknown);
/// let program = builder.finish(&[y.first]);
/// program.verify()?;
/// assert_eq!(program.equations().len(), 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Default)]
pub struct Builder {
    types: Vec<Type>,
    inputs: Vec<Var>,
    equations: Vec<Equation>,
}

/// The results of an equation, one after the other.
///
/// ```
/// use wengert_core::ops::{Op, UnaryOp};
/// use wengert_core::{DType, Type, program::Builder, source::Source};
/// use wengert_kernel::Unary;
///
/// let mut builder = Builder::new();
/// let x = builder.input(Type::scalar(DType::F64));
/// let y = builder.push(Op::from(UnaryOp(Unary::Sin)), [x].into_iter().collect(), [Type::scalar(DType::F64)], Source::Unknown);
/// assert_eq!(y.first.index(), 1);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Results {
    /// The first result.
    pub first: Var,
    count: u32,
}

impl Results {
    /// Each of them.
    ///
    /// ```
    /// use wengert_core::ops::{Op, UnaryOp};
    /// use wengert_core::{DType, Type, program::Builder, source::Source};
    /// use wengert_kernel::Unary;
    ///
    /// let mut builder = Builder::new();
    /// let x = builder.input(Type::scalar(DType::F64));
    /// let y = builder.push(Op::from(UnaryOp(Unary::Sin)), [x].into_iter().collect(), [Type::scalar(DType::F64)], Source::Unknown);
    /// assert!(y.results().eq([y.first]));
    /// ```
    pub fn results(&self) -> impl ExactSizeIterator<Item = Var> + use<> {
        (self.first.0..self.first.0 + self.count).map(Var)
    }
}

impl Builder {
    /// An empty program.
    ///
    /// ```
    /// assert!(wengert_core::program::Builder::new().is_empty());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty program that has room for about as much as another one.
    pub(crate) fn as_large_as(program: &Program) -> Self {
        Builder {
            types: Vec::with_capacity(program.vars()),
            inputs: Vec::with_capacity(program.inputs()),
            equations: Vec::with_capacity(program.equations().len()),
        }
    }

    /// A new input.
    ///
    /// ```
    /// use wengert_core::{DType, Type, program::Builder};
    ///
    /// let mut builder = Builder::new();
    /// let x = builder.input(Type::scalar(DType::F64));
    /// assert_eq!(builder.ty(x), &Type::scalar(DType::F64));
    /// ```
    pub fn input(&mut self, ty: Type) -> Var {
        self.types.push(ty);
        let v = Var(self.types.len() as u32 - 1);
        self.inputs.push(v);
        v
    }

    /// A new equation whose result types are known (`infer` has spoken).
    ///
    /// ```
    /// use wengert_core::ops::{Op, UnaryOp};
    /// use wengert_core::{DType, Type, program::Builder, source::Source};
    /// use wengert_kernel::Unary;
    ///
    /// let mut builder = Builder::new();
    /// let x = builder.input(Type::scalar(DType::F64));
    /// let y = builder.push(Op::from(UnaryOp(Unary::Sin)), [x].into_iter().collect(), [Type::scalar(DType::F64)], Source::Unknown);
    /// assert_eq!(builder.len(), 1);
    /// assert_eq!(y.results().len(), 1);
    /// ```
    pub fn push(&mut self, op: Op, args: Args, results: impl IntoIterator<Item = Type>, source: Source) -> Results {
        let first = Var(self.types.len() as u32);
        self.types.extend(results);
        let count = self.types.len() as u32 - first.0;
        self.equations.push(Equation { op, args, first, count, source });
        Results { first, count }
    }

    /// Copies an equation with other operands (of the same types); returns its results.
    ///
    /// ```
    /// use wengert_core::program::{Builder, parse};
    ///
    /// let program = parse("program (%0: f64[]) {\n  %1: f64[] = sin %0\n  return %1\n}\n")?;
    /// let mut builder = Builder::new();
    /// let x = builder.input(program.input_types()[0].clone());
    /// let y = builder.copy(&program.equations()[0], [x].into_iter().collect(), &program).next().unwrap();
    /// assert_eq!(builder.finish(&[y]), program);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn copy(&mut self, e: &Equation, args: Args, from: &Program) -> impl ExactSizeIterator<Item = Var> + use<> {
        let types = e.results().map(|v| from.ty(v).clone());
        self.push(e.op.clone(), args, types, e.source.clone()).results()
    }

    /// Equation number `i`.
    pub(crate) fn equation(&self, i: usize) -> &Equation {
        &self.equations[i]
    }

    /// The type of a variable.
    ///
    /// ```
    /// use wengert_core::{DType, Type, program::Builder};
    ///
    /// let mut builder = Builder::new();
    /// let x = builder.input(Type::scalar(DType::F64));
    /// assert_eq!(builder.ty(x).dtype(), DType::F64);
    /// ```
    pub fn ty(&self, v: Var) -> &Type {
        &self.types[v.index()]
    }

    /// Equations so far.
    ///
    /// ```
    /// use wengert_core::program::{Builder, parse};
    ///
    /// let program = parse("program (%0: f64[]) {\n  %1: f64[] = sin %0\n  return %1\n}\n")?;
    /// let mut builder = Builder::new();
    /// let x = builder.input(program.input_types()[0].clone());
    /// let y = builder.copy(&program.equations()[0], [x].into_iter().collect(), &program).next().unwrap();
    /// # let _ = y;
    /// assert_eq!(builder.len(), 1);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.equations.len()
    }

    /// Whether there is no equation yet.
    ///
    /// ```
    /// assert!(wengert_core::program::Builder::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.equations.is_empty()
    }

    /// The finished program, with these inputs in this order (all of them must be given) and these outputs.
    ///
    /// # Panics
    /// When an input has no place, or a variable is used before it is defined.
    ///
    /// ```
    /// use wengert_core::{DType, Type, program::Builder};
    ///
    /// let mut builder = Builder::new();
    /// let x = builder.input(Type::scalar(DType::F64));
    /// let y = builder.input(Type::scalar(DType::I32));
    /// assert_eq!(builder.finish_with(&[y, x], &[]).input_types()[0].dtype(), DType::I32);
    /// ```
    pub fn finish_with(self, inputs: &[Var], outputs: &[Var]) -> Program {
        assert_eq!(inputs.len(), self.inputs.len(), "every input of a program has a place");
        if inputs.iter().map(|v| v.index()).eq(0..inputs.len()) {
            return self.in_place(outputs);
        }
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

    /// The same where the inputs came first, and so every variable has its number.
    fn in_place(self, outputs: &[Var]) -> Program {
        let Builder { types, inputs, mut equations } = self;
        let ahead = |v: &Var, limit: usize| assert!(v.index() < limit, "an operand is defined before its use");
        for e in &mut equations {
            e.args.iter().for_each(|a| ahead(a, e.first.index()));
            e.first = if e.count == 0 { Var(0) } else { e.first };
        }
        outputs.iter().for_each(|v| ahead(v, types.len()));
        let effect = equations.iter().map(|e| e.op.effect()).fold(Effect::None, Effect::max);
        let hash = hash::structural(inputs.len(), &types, &equations, outputs);
        Program { inputs: inputs.len(), types, equations, outputs: outputs.to_vec(), hash, effect }
    }

    /// The finished program, inputs in the order in which they were made.
    ///
    /// ```
    /// use wengert_core::{DType, Type, program::Builder};
    ///
    /// let mut builder = Builder::new();
    /// let x = builder.input(Type::scalar(DType::F64));
    /// assert_eq!(builder.finish(&[x]).outputs(), [x]);
    /// ```
    pub fn finish(self, outputs: &[Var]) -> Program {
        let inputs = self.inputs.clone();
        self.finish_with(&inputs, outputs)
    }
}
