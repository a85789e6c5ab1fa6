//! Making programs from programs, equation by equation.

use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use wengert_core::lanes::{Lanes, axis_of};
use wengert_core::ops::{Broadcast, Call, Literal, Permute, Reduce, Reshape, Select};
use wengert_core::ops::{Cond, Loop, Op, While};
use wengert_core::program::{Args, Builder, Equation, Program, Var};
use wengert_core::source::Source;
use wengert_core::types::Type;
use wengert_core::{ArrayType, Scalar, Shape};
use wengert_kernel::{Binary, DType};

/// Programs already rewritten. Programs that are shared stay shared.
pub(crate) type Memo = HashMap<Arc<Program>, Arc<Program>>;

/// A program under construction, in which what is added stems from one line of the user.
pub(crate) struct Writer {
    pub(crate) builder: Builder,
    source: Source,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Writer { builder: Builder::new(), source: Source::Unknown }
    }

    /// The program whose equations are those of `program`, each rewritten by `equation`.
    pub(crate) fn rewrite(
        program: &Program,
        mut equation: impl FnMut(&mut Writer, &Equation, Args) -> Vec<Var>,
    ) -> Program {
        let mut writer = Writer::new();
        let inputs: Vec<Var> = program.input_types().iter().map(|ty| writer.builder.input(ty.clone())).collect();
        let outputs = writer.each(program, &inputs, &mut equation);
        writer.builder.finish(&outputs)
    }

    /// Adds the equations of a program as they are; returns its outputs.
    pub(crate) fn inline(&mut self, program: &Program, inputs: &[Var]) -> Vec<Var> {
        let source = self.source.clone();
        let outputs = self.each(program, inputs, &mut |writer, e, args| writer.copy(program, e, args));
        self.source = source;
        outputs
    }

    fn each(
        &mut self,
        program: &Program,
        inputs: &[Var],
        equation: &mut dyn FnMut(&mut Writer, &Equation, Args) -> Vec<Var>,
    ) -> Vec<Var> {
        let mut env = inputs.to_vec();
        env.resize(program.vars(), Var(u32::MAX));
        for e in program.equations() {
            self.source = e.source.clone();
            let args = e.args.iter().map(|a| env[a.index()]).collect();
            for (old, new) in e.results().zip(equation(self, e, args)) {
                env[old.index()] = new;
            }
        }
        program.outputs().iter().map(|v| env[v.index()]).collect()
    }

    /// An equation of `from` with other operands of the same types.
    pub(crate) fn copy(&mut self, from: &Program, e: &Equation, args: Args) -> Vec<Var> {
        self.builder.copy(e, args, from).collect()
    }

    /// A new equation.
    pub(crate) fn push(&mut self, op: impl Into<Op>, args: &[Var]) -> Vec<Var> {
        let op = op.into();
        let types: Vec<Type> = args.iter().map(|&v| self.builder.ty(v).clone()).collect();
        let results = op.infer(&types).unwrap_or_else(|error| panic!("{} as it is rewritten: {error}", op.name()));
        self.builder.push(op, args.into(), results, self.source.clone()).results().collect()
    }

    /// A new equation with one result.
    pub(crate) fn one(&mut self, op: impl Into<Op>, args: &[Var]) -> Var {
        self.push(op, args)[0]
    }

    pub(crate) fn literal(&mut self, value: Scalar) -> Var {
        self.one(Literal(value), &[])
    }

    /// The array type of a variable, unless it is a list.
    pub(crate) fn array(&self, v: Var) -> Option<ArrayType> {
        self.builder.ty(v).as_array().cloned()
    }

    /// An array of lanes, or a scalar, spread over the axes after its own.
    pub(crate) fn spread(&mut self, v: Var, ty: &ArrayType) -> Var {
        let rank = self.array(v).map_or(0, |a| a.rank());
        let (shape, axes) = (ty.shape.clone(), (0..rank).collect());
        if rank == ty.rank() { v } else { self.one(Broadcast { shape, axes }, &[v]) }
    }

    /// By lane, `x` where the mask is true, else `other` or zero. Lists stay as they are. What lanes share counts as active
    /// where one of them is.
    pub(crate) fn masked(&mut self, mask: Var, lanes: &Lanes, x: Var, other: Option<Var>) -> Var {
        let Some(ty) = self.array(x) else { return x };
        if ty.size() == 0 {
            return x;
        }
        let other = other.unwrap_or_else(|| {
            let zero = self.literal(Scalar::zero(ty.dtype));
            self.spread(zero, &ty)
        });
        let mask = self.mask_over(mask, lanes, &ty);
        self.one(Select, &[mask, x, other])
    }

    /// The mask by element of a value that has its lanes there.
    fn mask_over(&mut self, mask: Var, lanes: &Lanes, ty: &ArrayType) -> Var {
        let lengths = self.array(mask).expect("a mask is an array").shape;
        let mut mask = mask;
        for l in (0..lengths.len()).rev().filter(|&l| lanes.0[l].is_none()) {
            mask = self.one(Reduce { op: Binary::Or, start: l, end: l + 1 }, &[mask]);
        }
        // What is left of the mask's axes, in the order in which the value has them.
        let order = lanes.in_order();
        let rank_before = |l: usize| lanes.0[..l].iter().flatten().count();
        let axes: SmallVec<[usize; 4]> = order.iter().map(|&(l, _)| rank_before(l)).collect();
        if !axes.is_sorted() {
            mask = self.one(Permute { axes }, &[mask]);
        }
        let whole = |&(l, place): &(usize, usize)| match axis_of(&ty.shape, place, lengths[l]) {
            Some((axis, 1)) if ty.shape[axis] == lengths[l] => Some(axis),
            _ => None,
        };
        if let Some(axes) = order.iter().map(whole).collect() {
            let ty = ty.with_dtype(DType::Bool);
            return if order.len() == ty.rank() {
                mask
            } else {
                self.one(Broadcast { shape: ty.shape, axes }, &[mask])
            };
        }
        // Lanes within an axis: the same elements with the lanes as axes of their own.
        let (mut shape, mut axes, mut before) = (Shape::new(), SmallVec::new(), 1);
        for &(l, place) in &order {
            shape.push(place / before);
            axes.push(shape.len());
            shape.push(lengths[l]);
            before = place * lengths[l];
        }
        shape.push(ty.size() / before);
        let by_element = self.one(Broadcast { shape, axes }, &[mask]);
        self.one(Reshape { shape: ty.shape.clone() }, &[by_element])
    }
}

/// An operation with other programs inside, of the same types.
pub(crate) fn with_programs(op: &Op, mut change: impl FnMut(&Arc<Program>) -> Arc<Program>) -> Op {
    match op {
        Op::Loop(op) => Loop { body: change(&op.body), ..(**op).clone() }.into(),
        Op::While(op) => While { cond: change(&op.cond), body: change(&op.body), ..(**op).clone() }.into(),
        Op::Cond(op) => Cond { on_true: change(&op.on_true), on_false: change(&op.on_false), ..(**op).clone() }.into(),
        Op::Call(op) => Call::of(change(&op.program)).into(),
        other => other.clone(),
    }
}
