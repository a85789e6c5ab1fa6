//! From equations to the nodes and items of a [`Plan`]: what each primitive's `Lowering` means for the loop nests.

use crate::groups::{Clamp, Kind, MOST_MEMBERS, Node, Plan};
use crate::index::{Access, Dim, Dims, Id, Root, dense, is_dense};
use crate::lists::{self, dense_type};
use smallvec::SmallVec;
use std::collections::HashMap;
use wengert_core::ops::Op;
use wengert_core::primitive::{Effect, Lowering, View, ViewAxis};
use wengert_core::program::{Equation, Program, Var};
use wengert_core::types::ArrayType;
use wengert_kernel::{Binary, DType, Scalar, ScalarOp, reduce};

/// Products of matrices up to this many multiplications are loops of their own.
const SMALL_PRODUCT: usize = 64;

/// An equation that is no elementwise work.
#[derive(Debug)]
pub(crate) struct Opaque {
    /// Its number in the program.
    pub(crate) equation: usize,
    /// Operands; `None` for lists that are no arrays.
    pub(crate) args: Vec<Option<Access>>,
    /// Results; `None` for lists that are no arrays, and for arrays without elements.
    pub(crate) results: Vec<Option<Id>>,
    /// Elementwise work that is done inside, for operand 0.
    pub(crate) work: Vec<Node>,
}

/// The equations of a block as nodes, with where each variable's elements are found.
pub(crate) struct Nodes<'p> {
    pub(crate) program: &'p Program,
    pub(crate) plan: Plan,
    /// By variable; `None` for lists that are no arrays, and for what nobody reads.
    pub(crate) access: Vec<Option<Access>>,
    /// By variable: the reduction that does its work; see [`inside`].
    inside: Vec<Option<usize>>,
    /// By reduction: that work so far.
    work: HashMap<usize, Vec<Node>>,
}

impl<'p> Nodes<'p> {
    /// Plans all equations. An input is an access from outside, or `None`: memory of this block (or a list).
    pub(crate) fn new(program: &'p Program, inputs: Vec<Option<Access>>) -> Self {
        let mut plan = Plan::new(program.inputs());
        for v in 0..program.vars() {
            let ty = dense_type(program.ty(Var(v as u32))).unwrap_or(ArrayType::new(DType::I64, &[0]));
            plan.declare(ty);
        }
        let mut access = vec![None; program.vars()];
        for (i, input) in inputs.into_iter().enumerate() {
            let memory = || dense_type(program.ty(Var(i as u32))).map(|_| plan.whole(i));
            access[i] = input.or_else(memory);
        }
        let live = live(program);
        let inside = inside(program, &live);
        let mut nodes = Nodes { program, plan, access, inside, work: HashMap::new() };
        for (i, e) in program.equations().iter().enumerate() {
            if live[i] {
                nodes.plan.position = i + 1;
                nodes.equation(i, e);
            }
        }
        nodes.plan.position = usize::MAX;
        nodes
    }

    /// The equation that a thing stems from.
    pub(crate) fn origin(&self, id: Id) -> Option<&'p Equation> {
        self.plan.info[id].made.checked_sub(1).and_then(|i| self.program.equations().get(i))
    }

    fn arg(&self, e: &Equation, i: usize) -> Access {
        self.access[e.args[i].index()].clone().expect("an array operand has an access")
    }

    fn ty(&self, v: Var) -> &ArrayType {
        &self.plan.info[v.index()].ty
    }

    fn set(&mut self, v: Var, access: Access) {
        self.access[v.index()] = Some(access);
    }

    /// An elementwise node for a variable that is then read from it.
    fn node(&mut self, v: Var, kind: Kind, args: impl IntoIterator<Item = Access>) {
        self.plan.node(Node { id: v.index(), kind, args: args.into_iter().collect() });
        self.set(v, self.plan.whole(v.index()));
    }

    fn equation(&mut self, number: usize, e: &Equation) {
        let y = e.first;
        // Elementwise work on nothing, and structure without elements, is nothing at all.
        let simple = e.count == 1 && e.op.programs().is_empty() && dense_type(self.program.ty(y)).is_some();
        if simple && self.ty(y).size() == 0 {
            let ty = self.ty(y).clone();
            return self.set(y, Access::literal(Scalar::zero(ty.dtype), &ty.shape));
        }
        match (e.op.lower(), &e.op) {
            (Lowering::Literal(value), _) => self.set(y, Access::literal(value, &self.ty(y).shape.clone())),
            (Lowering::Iota { axis }, _) => self.alias(y, Access::iota(&self.ty(y).clone(), axis)),
            (Lowering::Map(op), _) => self.map(y, op, (0..e.args.len()).map(|i| self.arg(e, i)).collect()),
            (Lowering::View(view), _) => self.alias(y, self.arg(e, 0).viewed(&view, &self.ty(y).shape)),
            (Lowering::Windows { axis, stride, dilation }, _) => {
                let (mut x, shape) = (self.arg(e, 0), &self.ty(y).shape);
                let step = x.dims[axis].stride;
                x.dims[axis] = Dim { len: shape[axis], stride: step * stride as i64 };
                x.dims.insert(axis + 1, Dim { len: shape[axis + 1], stride: step * dilation as i64 });
                self.alias(y, x);
            }
            (Lowering::Identity, _) => self.set(y, self.arg(e, 0)),
            (Lowering::Reshape, _) => self.reshape(y, self.arg(e, 0)),
            (Lowering::Concatenate { axis }, _) => self.concatenate(y, e, axis),
            (Lowering::Pad { low }, _) => self.pad(y, self.arg(e, 0), self.arg(e, 1), &low),
            (Lowering::Reduce { op, start, end }, _) => self.reduce(number, e, op, start, end),
            (Lowering::Gather { batch }, _) => {
                let (x, i) = (self.arg(e, 0), self.arg(e, 1));
                let clamp = Clamp { last: x.dims[batch].len as i64 - 1, stride: x.dims[batch].stride };
                // Over the axes [batch.., index.., rest..] of the result, `x` moves with the first and last.
                let mut base = x.dims.clone();
                base.remove(batch);
                base.insert_many(batch, i.dims[batch..].iter().map(|d| Dim { len: d.len, stride: 0 }));
                let rest = x.dims[batch + 1..].iter().map(|d| Dim { len: d.len, stride: 0 });
                let index = Access { dims: i.dims.iter().copied().chain(rest).collect(), ..i };
                self.moved(y, Access { dims: base, ..x }, vec![index], [clamp].into_iter().collect());
            }
            (Lowering::DynamicSlice { batch, sizes }, _) => {
                let x = self.arg(e, 0);
                let clamps = x.dims[batch..].iter().zip(&sizes);
                let clamps = clamps.map(|(d, &n)| Clamp { last: d.len as i64 - n as i64, stride: d.stride }).collect();
                let window = x.dims[batch..].iter().zip(&sizes).map(|(d, &len)| Dim { len, stride: d.stride });
                let base: Dims = x.dims[..batch].iter().copied().chain(window).collect();
                let rest = base[batch..].iter().map(|d| Dim { len: d.len, stride: 0 });
                let starts = (1..e.args.len()).map(|k| self.arg(e, k));
                let starts = starts.map(|s| Access { dims: s.dims.iter().copied().chain(rest.clone()).collect(), ..s });
                let starts = starts.collect();
                self.moved(y, Access { dims: base, ..x }, starts, clamps);
            }
            (_, Op::Rows(_) | Op::Stack(_)) => self.set(y, self.arg(e, 0)),
            (_, Op::Nil(_)) if self.is_array(y) => {
                let ty = self.ty(y).clone();
                self.set(y, Access::literal(Scalar::zero(ty.dtype), &ty.shape));
            }
            (_, Op::ListAdd(_)) if self.is_array(y) => {
                let op = ScalarOp::Binary(lists::sum_of(self.ty(y).dtype));
                self.map(y, op, vec![self.arg(e, 0), self.arg(e, 1)]);
            }
            (_, Op::ListSpread(op)) if self.is_array(y) => {
                let x = self.arg(e, 0);
                let at = self.levels(y) + op.axis;
                let axes = (0..x.dims.len()).map(|a| ViewAxis { offset: 0, from: Some((a + (a >= at) as usize, 1)) });
                self.alias(y, x.viewed(&View { axes: axes.collect() }, &self.ty(y).shape));
            }
            (_, Op::ListSum(op)) if self.is_array(y) => {
                let axis = self.levels(y) + op.axis;
                self.reduce(number, e, Binary::Add, axis, axis + 1);
            }
            (Lowering::Dot { batch }, _) => self.dot(number, e, batch),
            (Lowering::Call { .. }, _) => {
                let args = (0..e.args.len()).map(|i| Some(self.dense_memory(self.arg(e, i)))).collect();
                self.opaque_on(number, e, args);
            }
            _ => self.opaque(number, e),
        }
    }

    fn is_array(&self, v: Var) -> bool {
        dense_type(self.program.ty(v)).is_some()
    }

    /// List levels around the arrays of a variable.
    fn levels(&self, v: Var) -> usize {
        lists::levels(self.program.ty(v))
    }

    /// The variable is these elements. A single one is read once.
    fn alias(&mut self, v: Var, access: Access) {
        if self.plan.is_uniform(&access) || access.size() != 1 {
            return self.set(
                v,
                Access { at: if self.plan.is_uniform(&access) { Default::default() } else { access.at }, ..access },
            );
        }
        self.node(v, Kind::Copy, [Access { dims: Dims::new(), ..access }]);
    }

    fn map(&mut self, v: Var, op: ScalarOp, args: Vec<Access>) {
        let uniform = args.iter().all(|a| self.plan.is_uniform(a));
        if let Some(reduction) = self.inside[v.index()].filter(|_| !uniform) {
            let node = Node { id: v.index(), kind: Kind::Map(op), args: args.into_iter().collect() };
            self.work.entry(reduction).or_default().push(node);
            return self.set(v, self.plan.whole(v.index()));
        }
        let y = self.elementwise(v.index(), op, args);
        self.set(v, y);
    }

    /// An elementwise node. Of operands that are one scalar each it is a scalar too.
    fn elementwise(&mut self, id: Id, op: ScalarOp, mut args: Vec<Access>) -> Access {
        if args.iter().all(|a| self.plan.is_uniform(a)) {
            self.plan.info[id].scalar = true;
            args.iter_mut().for_each(|a| a.dims = Dims::new());
        }
        self.plan.node(Node { id, kind: Kind::Map(op), args: args.into_iter().collect() });
        self.plan.whole(id)
    }

    fn reshape(&mut self, v: Var, x: Access) {
        let shape = self.ty(v).shape.clone();
        let access = match x.reshaped(&shape) {
            Some(access) => access,
            None => self.plan.materialized(&x).reshaped(&shape).expect("row-major elements take any shape"),
        };
        self.alias(v, access);
    }

    /// Writes an operand into part of a variable's storage.
    fn store(&mut self, v: Var, x: Access, at: i64, dims: Dims) {
        if x.size() > 0 {
            self.plan.node(Node { id: v.index(), kind: Kind::Store { at, dims }, args: [x].into_iter().collect() });
        }
    }

    fn concatenate(&mut self, v: Var, e: &Equation, axis: usize) {
        let whole = dense(&self.ty(v).shape);
        let mut at = 0;
        for i in 0..e.args.len() {
            let x = self.arg(e, i);
            let length = x.dims[axis].len;
            if self.ty(v).size() == x.size() {
                return self.alias(v, x);
            }
            let dims = x.dims.iter().zip(&whole).map(|(x, y)| Dim { len: x.len, stride: y.stride }).collect();
            self.store(v, x, at * whole[axis].stride, dims);
            at += length as i64;
        }
        self.set(v, self.plan.whole(v.index()));
    }

    fn pad(&mut self, v: Var, x: Access, value: Access, low: &[usize]) {
        let whole = dense(&self.ty(v).shape);
        if self.ty(v).size() == x.size() {
            return self.alias(v, x);
        }
        if x.size() == 0 {
            return self.alias(v, Access { dims: whole.iter().map(|d| Dim { stride: 0, ..*d }).collect(), ..value });
        }
        // Axis by axis, the borders of what is inside along the axes before it.
        let mut inside = whole.clone();
        let mut at = 0;
        for axis in 0..whole.len() {
            let stride = whole[axis].stride;
            let high = whole[axis].len - low[axis] - x.dims[axis].len;
            for (len, from) in [(low[axis], 0), (high, whole[axis].len - high)] {
                inside[axis].len = len;
                let border = Access { dims: inside.iter().map(|d| Dim { stride: 0, ..*d }).collect(), ..value.clone() };
                self.store(v, border, at + from as i64 * stride, inside.clone());
            }
            inside[axis].len = x.dims[axis].len;
            at += low[axis] as i64 * stride;
        }
        self.store(v, x, at, inside);
        self.set(v, self.plan.whole(v.index()));
    }

    fn reduce(&mut self, number: usize, e: &Equation, op: Binary, start: usize, end: usize) {
        let x = self.arg(e, 0);
        if x.size() == 0 {
            let shape = self.ty(e.first).shape.clone();
            return self.set(e.first, Access::literal(reduce::identity(op, x.dtype), &shape));
        }
        // The order of summation differs: `kernel::reduce`.
        if end < x.dims.len() {
            return self.opaque(number, e);
        }
        let inner = x.dims[start..].iter().map(|d| d.len).product();
        self.node(e.first, Kind::Fold { op, inner }, [x]);
    }

    /// `base` moved by clamped indices: a view where these are scalars, else a read element by element.
    fn moved(&mut self, v: Var, mut base: Access, indices: Vec<Access>, clamps: SmallVec<[Clamp; 1]>) {
        if self.plan.is_uniform(&base) {
            return self.alias(v, base);
        }
        if clamps.iter().any(|c| c.last < 0) {
            let shape = self.ty(v).shape.clone();
            return self.set(v, Access::literal(Scalar::zero(base.dtype), &shape));
        }
        let scalars = indices.iter().all(|i| self.plan.is_uniform(i));
        if !scalars {
            return self.node(v, Kind::Read(clamps), [base].into_iter().chain(indices));
        }
        let (mut args, mut moving) = (SmallVec::new(), SmallVec::new());
        for (index, clamp) in indices.into_iter().zip(clamps) {
            match index.root {
                Root::Literal(s) => {
                    let i = ScalarOp::Convert(DType::I64).eval(&[s]).get::<i64>().expect("it was converted");
                    base.at.offset += i.clamp(0, clamp.last) * clamp.stride;
                }
                _ if clamp.last == 0 || clamp.stride == 0 => {}
                _ => {
                    args.push(Access { dims: Dims::new(), ..index });
                    moving.push(clamp);
                }
            }
        }
        if !args.is_empty() {
            let id = self.plan.declare(ArrayType::new(DType::I64, &[]));
            self.plan.node(Node { id, kind: Kind::Start(moving), args });
            base.starts.push(id);
        }
        self.alias(v, base);
    }

    /// Products of vectors are a reduction, small ones are written out, the rest is the runtime's.
    fn dot(&mut self, number: usize, e: &Equation, batch: usize) {
        let (x, y) = (self.arg(e, 0), self.arg(e, 1));
        let (m, k, n) = (x.dims[batch], x.dims[batch + 1], y.dims[batch + 1]);
        if k.len == 0 {
            let ty = self.ty(e.first).clone();
            return self.set(e.first, Access::literal(Scalar::zero(ty.dtype), &ty.shape));
        }
        // Both operands over the axes of the result.
        let still = |d: Dim| Dim { len: d.len, stride: 0 };
        let over = |of: &Access, axes: [Dim; 2]| Access {
            dims: of.dims[..batch].iter().copied().chain(axes).collect(),
            ..of.clone()
        };
        let (left, right) = (over(&x, [m, still(n)]), over(&y, [still(m), n]));
        let product = ScalarOp::Binary(Binary::Mul);
        if k.len == 1 {
            let ty = self.ty(e.first).clone();
            let id = self.plan.declare(ty.clone());
            let products = self.elementwise(id, product, vec![left, right]);
            // The sum starts at 0, which a product of -0 shows.
            let zero = Access::literal(Scalar::zero(ty.dtype), &ty.shape);
            return self.map(e.first, ScalarOp::Binary(Binary::Add), vec![products, zero]);
        }
        if self.ty(e.first).size() == 1 {
            let row = |of: &Access, k: Dim| Access { dims: [k].into_iter().collect(), ..of.clone() };
            let id = self.plan.declare(ArrayType::new(x.dtype, &[k.len]));
            let products = self.elementwise(id, product, vec![row(&x, k), row(&y, y.dims[batch])]);
            return self.node(e.first, Kind::Fold { op: Binary::Add, inner: k.len }, [products]);
        }
        if m.len * k.len * n.len <= SMALL_PRODUCT {
            let steps = [k.stride, y.dims[batch].stride];
            return self.node(e.first, Kind::Product { count: k.len, steps }, [left, right]);
        }
        // The runtime reads memory, with strides that are not negative.
        let args = [x, y].map(|x| {
            let memory = !self.plan.is_uniform(&x) && x.root != Root::Iota && x.dims.iter().all(|d| d.stride >= 0);
            Some(if memory { x } else { self.plan.materialized(&x) })
        });
        self.opaque_on(number, e, args.into());
    }

    /// An operand for a function that reads dense memory: stored by a loop nest if it is not there yet. What is one number
    /// is no work of a nest; the call stores it.
    fn dense_memory(&mut self, x: Access) -> Access {
        let there = is_dense(&x.dims) && x.root != Root::Iota;
        if there || self.plan.is_uniform(&x) || x.size() <= 1 { x } else { self.plan.materialized(&x) }
    }

    fn opaque(&mut self, number: usize, e: &Equation) {
        let args = e.args.iter().map(|a| self.access[a.index()].clone()).collect();
        self.opaque_on(number, e, args);
    }

    fn opaque_on(&mut self, number: usize, e: &Equation, args: Vec<Option<Access>>) {
        let mut results = Vec::new();
        for v in e.results() {
            let array = self.is_array(v);
            let empty = array && self.ty(v).size() == 0;
            results.push((array && !empty).then_some(v.index()));
            if empty {
                let ty = self.ty(v).clone();
                self.set(v, Access::literal(Scalar::zero(ty.dtype), &ty.shape));
            } else if array {
                self.set(v, self.plan.whole(v.index()));
            }
        }
        let work = self.work.remove(&number).unwrap_or_default();
        self.plan.opaque(Opaque { equation: number, args, results, work });
    }
}

/// The variables whose only use, through elementwise operations with only that use, is a reduction that is a sweep over
/// rows: it computes them as it goes, so that they are never stored.
fn inside(program: &Program, live: &[bool]) -> Vec<Option<usize>> {
    /// By whom a variable is read.
    #[derive(Clone, Copy, PartialEq)]
    enum Readers {
        None,
        Inside(usize),
        Others,
    }
    let mut readers = vec![Readers::None; program.vars()];
    program.outputs().iter().for_each(|v| readers[v.index()] = Readers::Others);
    let mut inside = vec![None; program.vars()];
    // The work nearest to a reduction; what comes before that is stored.
    let mut members = vec![0; program.equations().len()];
    for (i, e) in program.equations().iter().enumerate().rev().filter(|(i, _)| live[*i]) {
        let reader = match (e.op.lower(), readers.get(e.first.index())) {
            (Lowering::Reduce { end, .. }, _) if program.ty(e.args[0]).as_array().is_some_and(|x| end < x.rank()) => {
                Readers::Inside(i)
            }
            (Lowering::Map(_), Some(&Readers::Inside(reduction))) if members[reduction] < MOST_MEMBERS => {
                members[reduction] += 1;
                inside[e.first.index()] = Some(reduction);
                Readers::Inside(reduction)
            }
            _ => Readers::Others,
        };
        for a in &e.args {
            let known = &mut readers[a.index()];
            *known = if *known == Readers::None || *known == reader { reader } else { Readers::Others };
        }
    }
    inside
}

/// Which equations have an effect or a result that something reads.
fn live(program: &Program) -> Vec<bool> {
    let mut used = vec![false; program.vars()];
    program.outputs().iter().for_each(|v| used[v.index()] = true);
    let mut live = vec![false; program.equations().len()];
    for (i, e) in program.equations().iter().enumerate().rev() {
        live[i] = e.op.effect() != Effect::None || e.results().any(|v| used[v.index()]);
        if live[i] {
            e.args.iter().for_each(|a| used[a.index()] = true);
        }
    }
    live
}
