//! Writing statements: open blocks on a stack, fresh values, constants, buffers.

use crate::CheckSite;
use crate::index::{Access, Dim, Root, dense, joint};
use crate::report::{Fused, Report};
use crate::storage::Place;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;
use wengert_core::Program;
use wengert_core::host::Registered;
use wengert_core::source::Source;
use wengert_kernel::routine::{
    Affine, Block, Buffer, BufferId, Carried, Count, Fold, Function, FunctionId, Order, Routine, Span, Stmt, Storage,
    Value,
};
use wengert_kernel::{Binary, DType, Scalar, ScalarOp};

/// Where in the arena a buffer is stands here until the buffers are planned.
pub(crate) const UNPLACED: Storage = Storage::Arena(usize::MAX);

/// The same for buffers that each thread has for itself.
pub(crate) const LOCAL: Storage = Storage::Local(usize::MAX);

/// A routine under construction.
#[derive(Default)]
pub(crate) struct Emitter {
    pub(crate) routine: Routine,
    pub(crate) function: Function,
    pub(crate) report: Report,
    pub(crate) checks: Vec<CheckSite>,
    pub(crate) hosts: Vec<Arc<Registered>>,
    pub(crate) fusion: Vec<Fused>,
    /// Nanoseconds of work in one thread from which loops are for several.
    pub(crate) parallel: u64,
    /// The programs that have functions.
    pub(crate) functions: HashMap<Arc<Program>, FunctionId>,
    /// The user's lines that values stem from, by origin; where each is; and the one being written for.
    pub(crate) lines: Vec<Source>,
    line_numbers: HashMap<usize, u32>,
    origin: Option<u32>,
    open: Vec<Open>,
}

/// Statements of a block that is not finished, and the constants it has.
#[derive(Default)]
struct Open {
    stmts: Vec<Stmt>,
    constants: HashMap<Scalar, Value>,
}

impl Emitter {
    /// Begins a function.
    pub(crate) fn begin_function(&mut self, name: impl Into<String>) {
        self.function = Function { name: name.into(), ..Function::default() };
        self.begin();
    }

    /// Ends it; the routine has it under the returned number.
    pub(crate) fn end_function(&mut self, yields: Vec<Value>) -> usize {
        let stmts = self.end();
        let mut function = std::mem::take(&mut self.function);
        function.body = Block { stmts, yields };
        self.routine.functions.push(function);
        self.routine.functions.len() - 1
    }

    fn begin(&mut self) {
        self.open.push(Open::default());
    }

    fn end(&mut self) -> Vec<Stmt> {
        self.open.pop().expect("a block is open").stmts
    }

    /// Appends a statement.
    pub(crate) fn push(&mut self, stmt: Stmt) {
        self.open.last_mut().expect("a block is open").stmts.push(stmt);
    }

    /// What is written from now on stems from this line.
    pub(crate) fn stems_from(&mut self, source: &Source) {
        let place = match source {
            Source::Location(l) => std::ptr::from_ref(*l) as usize,
            Source::Text(text) => text.as_ptr() as usize,
            Source::Unknown => return self.origin = None,
        };
        let next = self.lines.len() as u32;
        let number = *self.line_numbers.entry(place).or_insert(next);
        if number == next {
            self.lines.push(source.clone());
        }
        self.origin = Some(number);
    }

    /// A fresh value.
    pub(crate) fn value(&mut self, dtype: DType) -> Value {
        let value = self.function.value(dtype);
        if let Some(origin) = self.origin {
            self.function.set_origin(value, origin);
        }
        value
    }

    pub(crate) fn dtype(&self, value: Value) -> DType {
        self.function.dtype(value)
    }

    pub(crate) fn constant(&mut self, value: Scalar) -> Value {
        if let Some(&found) = self.open.iter().rev().find_map(|b| b.constants.get(&value)) {
            return found;
        }
        let out = self.value(value.dtype);
        self.push(Stmt::Const { out, value });
        self.open.last_mut().expect("a block is open").constants.insert(value, out);
        out
    }

    pub(crate) fn int(&mut self, i: i64) -> Value {
        self.constant(Scalar::new(i))
    }

    /// A scalar operation.
    pub(crate) fn apply(&mut self, op: ScalarOp, args: &[Value]) -> Value {
        let dtypes: Vec<DType> = args.iter().map(|&v| self.dtype(v)).collect();
        let dtype = op.infer(&dtypes).expect("the program's operation takes these dtypes");
        let out = self.value(dtype);
        self.push(Stmt::Let { out, op, args: args.into() });
        out
    }

    pub(crate) fn binary(&mut self, op: Binary, x: Value, y: Value) -> Value {
        self.apply(ScalarOp::Binary(op), &[x, y])
    }

    /// A linear form as a value.
    pub(crate) fn index(&mut self, at: &Affine) -> Value {
        match at.terms.as_slice() {
            [] => self.int(at.offset),
            [(value, 1)] if at.offset == 0 => *value,
            _ => {
                let out = self.value(DType::I64);
                self.push(Stmt::Index { out, at: at.clone() });
                out
            }
        }
    }

    pub(crate) fn load(&mut self, buffer: BufferId, at: Affine) -> Value {
        let out = self.value(self.routine.buffers[buffer.0 as usize].dtype);
        self.push(Stmt::Load { out, buffer, at });
        out
    }

    pub(crate) fn store(&mut self, buffer: BufferId, at: Affine, value: Value) {
        self.push(Stmt::Store { buffer, at, value });
    }

    /// A new buffer.
    pub(crate) fn buffer(&mut self, dtype: DType, len: usize, storage: Storage) -> BufferId {
        self.routine.buffers.push(Buffer { dtype, len, storage });
        BufferId(self.routine.buffers.len() as u32 - 1)
    }

    /// Memory of this routine for so many elements.
    pub(crate) fn memory(&mut self, dtype: DType, len: usize) -> Place {
        Place { buffer: self.buffer(dtype, len, UNPLACED), at: Affine::default() }
    }

    /// Element `at` of resolved elements.
    pub(crate) fn element(&mut self, access: &Access, at: Affine) -> Value {
        match access.root {
            Root::Memory(buffer) => self.load(buffer, at),
            Root::Value(value) => value,
            Root::Literal(value) => self.constant(value),
            Root::Iota => {
                let i = self.index(&at);
                if access.dtype == DType::I64 { i } else { self.apply(ScalarOp::Convert(access.dtype), &[i]) }
            }
            Root::Node(_) => unreachable!("elements are resolved before they are read"),
        }
    }

    /// The only element of resolved elements.
    pub(crate) fn only(&mut self, access: &Access) -> Value {
        self.element(access, access.at.clone())
    }

    /// Loops over the axes, around what is written until as many [`Emitter::end_for`]. Returns the counters.
    pub(crate) fn begin_nest(&mut self, axes: &[usize]) -> Vec<Value> {
        axes.iter().map(|_| self.begin_for()).collect()
    }

    /// Ends [`Emitter::begin_nest`].
    pub(crate) fn end_nest(&mut self, axes: &[usize], indices: &[Value]) {
        for (&n, &index) in axes.iter().zip(indices).rev() {
            self.end_for(index, Count::Const(n as u64));
        }
    }

    pub(crate) fn begin_for(&mut self) -> Value {
        self.begin();
        self.value(DType::I64)
    }

    /// Ends a loop that carries nothing.
    pub(crate) fn end_for(&mut self, index: Value, count: Count) {
        let body = Block { stmts: self.end(), yields: Vec::new() };
        self.report.loops += 1;
        self.push(Stmt::For { index, count, order: Order::Forward, carried: Vec::new(), body, results: Vec::new() });
    }

    /// A loop that carries values.
    pub(crate) fn for_loop(
        &mut self,
        count: Count,
        reverse: bool,
        inits: &[Value],
        body: impl FnOnce(&mut Self, Value, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let carried = self.carried(inits);
        let params: Vec<Value> = carried.iter().map(|c| c.param).collect();
        let index = self.begin_for();
        let yields = body(self, index, &params);
        let body = Block { stmts: self.end(), yields };
        let results = self.like(inits);
        self.report.loops += 1;
        let order = if reverse { Order::Reverse } else { Order::Forward };
        self.push(Stmt::For { index, count, order, carried, body, results: results.clone() });
        results
    }

    /// A loop with a test.
    pub(crate) fn while_loop(
        &mut self,
        inits: &[Value],
        test: impl FnOnce(&mut Self, &[Value]) -> Value,
        body: impl FnOnce(&mut Self, &[Value]) -> Vec<Value>,
    ) -> Vec<Value> {
        let carried = self.carried(inits);
        let params: Vec<Value> = carried.iter().map(|c| c.param).collect();
        self.begin();
        let goes_on = test(self, &params);
        let test = Block { stmts: self.end(), yields: vec![goes_on] };
        self.begin();
        let yields = body(self, &params);
        let body = Block { stmts: self.end(), yields };
        let results = self.like(inits);
        self.report.loops += 1;
        self.push(Stmt::While { carried, test, body, results: results.clone() });
        results
    }

    /// One of two blocks; both yield values of the same dtypes.
    pub(crate) fn branch(
        &mut self,
        cond: Value,
        then: impl FnOnce(&mut Self) -> Vec<Value>,
        otherwise: impl FnOnce(&mut Self) -> Vec<Value>,
    ) -> Vec<Value> {
        self.begin();
        let yields = then(self);
        let results = self.like(&yields);
        let then = Block { stmts: self.end(), yields };
        self.begin();
        let yields = otherwise(self);
        let otherwise = Block { stmts: self.end(), yields };
        self.push(Stmt::If { cond, then, otherwise, results: results.clone() });
        results
    }

    /// What is written until [`Emitter::end_pass`] is the body of a pass. Returns its counter.
    pub(crate) fn begin_pass(&mut self) -> Value {
        self.begin_for()
    }

    pub(crate) fn end_pass(&mut self, index: Value, count: usize, folds: Vec<Fold>) {
        let body = self.end();
        self.report.passes += 1;
        self.push(Stmt::Pass { index, count: count as u64, body, folds });
    }

    fn carried(&mut self, inits: &[Value]) -> Vec<Carried> {
        inits.iter().map(|&init| Carried { param: self.value(self.dtype(init)), init }).collect()
    }

    fn like(&mut self, values: &[Value]) -> Vec<Value> {
        values.iter().map(|&v| self.value(self.dtype(v))).collect()
    }

    /// Copies resolved elements to dense memory.
    pub(crate) fn transfer(&mut self, from: &Access, to: &Place) {
        let shape: Vec<usize> = from.dims.iter().map(|d| d.len).collect();
        self.transfer_to(from, to, &dense(&shape));
    }

    /// Copies resolved elements to memory with these steps.
    pub(crate) fn transfer_to(&mut self, from: &Access, to: &Place, steps: &[Dim]) {
        let (axes, strides) = joint(&[&from.dims, steps]);
        // A run that is contiguous on both sides, or one value along a contiguous run, is one statement.
        let uniform = matches!(from.root, Root::Literal(_) | Root::Value(_));
        if let Some(turned) = turned(from, &axes, &strides) {
            return self.turn(from, to, &axes, &strides, turned);
        }
        let contiguous = |part: usize| strides[part].last() == Some(&1);
        let run = contiguous(1) && (uniform || (contiguous(0) && matches!(from.root, Root::Memory(_))));
        if !run || axes.contains(&0) {
            return self.elementwise(&[(&from.at, &from.dims), (&to.at, steps)], |e, at| {
                let value = e.element(from, at[0].clone());
                e.store(to.buffer, at[1].clone(), value);
            });
        }
        let (&n, outer) = axes.split_last().expect("a run has an axis");
        let indices = self.begin_nest(outer);
        let (from_at, to_at) = (moved(&from.at, &indices, &strides[0]), moved(&to.at, &indices, &strides[1]));
        let len = Count::Const(n as u64);
        match from.root {
            Root::Memory(buffer) => self.push(Stmt::Copy { to: to.buffer, to_at, from: buffer, from_at, len }),
            _ => {
                let value = self.element(from, from_at);
                self.push(Stmt::Fill { buffer: to.buffer, at: to_at, len, value });
            }
        }
        self.end_nest(outer, &indices);
    }

    /// Copies, by the runtime, where axis `turned` is contiguous in memory and the last one is in what is written.
    fn turn(&mut self, from: &Access, to: &Place, axes: &[usize], strides: &[SmallVec<[i64; 4]>], turned: usize) {
        let Root::Memory(buffer) = from.root else { unreachable!("it is in memory") };
        let (rows, columns) = (axes.len() - 1, axes[turned]);
        let outer: Vec<usize> = (0..rows).filter(|&a| a != turned).collect();
        let lengths: Vec<usize> = outer.iter().map(|&a| axes[a]).collect();
        let steps = |part: usize| outer.iter().map(|&a| strides[part][a]).collect::<Vec<i64>>();
        let indices = self.begin_nest(&lengths);
        let [x, y] = [(&from.at, 0), (&to.at, 1)].map(|(at, part)| moved(at, &indices, &steps(part)));
        let (between_rows, between_columns) = (strides[0][rows], strides[1][turned]);
        let ints = vec![axes[rows] as i64, columns as i64, between_rows, between_columns];
        let span = |buffer, at, n: usize, step: i64, m: usize| Span { buffer, at, len: (n - 1) * step as usize + m };
        let inputs = vec![span(buffer, x, axes[rows], between_rows, columns)];
        let outputs = vec![span(to.buffer, y, columns, between_columns, axes[rows])];
        self.push(Stmt::Runtime { name: format!("transpose_{}", from.dtype).into(), ints, inputs, outputs });
        self.end_nest(&lengths, &indices);
    }

    /// Independent work for each element: loops around a pass, whose body gets the address of each part's element.
    pub(crate) fn elementwise(&mut self, parts: &[(&Affine, &[Dim])], body: impl FnOnce(&mut Self, &[Affine])) {
        let dims: Vec<&[Dim]> = parts.iter().map(|p| p.1).collect();
        let (axes, strides) = joint(&dims);
        if axes.contains(&0) {
            return;
        }
        let place = |indices: &[Value]| -> Vec<Affine> {
            parts.iter().zip(&strides).map(|(p, s)| moved(p.0, indices, s)).collect()
        };
        let Some((&n, outer)) = axes.split_last() else { return body(self, &place(&[])) };
        let mut indices = self.begin_nest(outer);
        let index = self.begin_pass();
        indices.push(index);
        body(self, &place(&indices));
        self.end_pass(index, n, Vec::new());
        self.end_nest(outer, &indices);
    }
}

/// Elements from which on a call of the runtime pays.
const LEAST_TURNED: usize = 1024;

/// The axis along which memory is contiguous when the last axis, along which it is written, is another, and both are long
/// enough for blocks.
fn turned(from: &Access, axes: &[usize], strides: &[SmallVec<[i64; 4]>]) -> Option<usize> {
    let last = axes.len().checked_sub(1).filter(|&last| last > 0 && axes[last] >= 8)?;
    let rows = strides[0][last] > 1 && strides[1][last] == 1 && matches!(from.root, Root::Memory(_));
    let columns =
        |&a: &usize| strides[0][a] == 1 && strides[1][a] > 0 && axes[a] >= 8 && axes[a] * axes[last] >= LEAST_TURNED;
    (0..last).find(columns).filter(|_| rows && !axes.contains(&0))
}

/// An address after so many steps.
pub(crate) fn moved(at: &Affine, indices: &[Value], strides: &[i64]) -> Affine {
    indices.iter().zip(strides).fold(at.clone(), |at, (&i, &s)| at.plus(i, s))
}
