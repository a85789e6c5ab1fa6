//! Loops, branches, checks: what is no elementwise work, equation by equation.
//!
//! Lanes are gone when a program comes here (see [`crate::lanes`]), so every mask is one truth value. Carried scalars
//! are values of the loop; carried arrays stay in one place, and the body writes over them where it can.

use crate::CheckSite;
use crate::block::{Block, Bound, run};
use crate::emit::Emitter;
use crate::index::{Access, Id, Root};
use crate::lists::{self, List, ListDest, dense_type};
use crate::nodes::Opaque;
use crate::report::Fused;
use crate::storage::{Dest, Place};
use crate::{calls, dot, reduce, runtime, update};
use wengert_core::ops::{Check, Cond, Loop, Op, While};
use wengert_core::primitive::Lowering;
use wengert_core::program::{Equation, Program, Var};
use wengert_core::types::Type;
use wengert_kernel::routine::{Affine, Count, Stmt, Value};
use wengert_kernel::{Binary, DType, Scalar, ScalarOp, Unary};

/// Writes the statements of an equation that is no elementwise work.
pub(crate) fn opaque(block: &mut Block<'_>, e: &mut Emitter, opaque: &Opaque) {
    let program = block.nodes.program;
    let equation = &program.equations()[opaque.equation];
    e.stems_from(&equation.source);
    e.fusion.push(Fused::operation(equation));
    let inside = |a: &Access| opaque.work.last().is_some_and(|node| a.root == Root::Node(node.id));
    let args = opaque.args.iter().map(|a| a.as_ref().filter(|a| !inside(a)).map(|a| block.resolve(e, a)));
    let args: Vec<Option<Access>> = args.collect();
    let mut at = Site { block, equation, args, results: &opaque.results };
    match (&equation.op, equation.op.lower()) {
        (Op::Loop(op), _) => rounds(&mut at, e, op),
        (Op::While(op), _) => while_loop(&mut at, e, op),
        (Op::Cond(op), _) => cond(&mut at, e, op),
        (Op::Call(op), _) => calls::call(&mut at, e, op),
        (Op::Check(op), _) => check(&mut at, e, op),
        (Op::Nil(op), _) => {
            let dest = at.list_dest(e, 0);
            let list = lists::nil(e, &op.ty, &dest);
            at.set_list(0, list);
        }
        (Op::ListAdd(_), _) => {
            let (x, y) = (at.list(0), at.list(1));
            let dest = at.list_dest(e, 0);
            let list = lists::add(e, &x, &y, &dest);
            at.set_list(0, list);
        }
        (Op::ListSpread(op), _) => {
            let dest = at.list_dest(e, 0);
            let list = lists::map_rows(e, &at.list(0), &dest, &mut |e, row, to| {
                let mut dims = row.dims.clone();
                dims.insert(op.axis, crate::index::Dim { len: op.size, stride: 0 });
                e.transfer(&Access { dims, ..row.clone() }, to);
            });
            at.set_list(0, list);
        }
        (Op::ListSum(op), _) => {
            let dest = at.list_dest(e, 0);
            let list = lists::map_rows(e, &at.list(0), &dest, &mut |e, row, to| reduce::sum(e, row, op.axis, to));
            at.set_list(0, list);
        }
        (_, Lowering::Reduce { op, start, end }) => reduce::rows(&mut at, e, &opaque.work, op, start..end),
        (_, Lowering::ArgReduce { max, axis }) => reduce::arg(&mut at, e, max, axis),
        (_, Lowering::Dot { batch }) => dot::dot(&mut at, e, batch),
        (_, Lowering::Call { function, batch, ints }) => runtime::call(&mut at, e, function, batch, &ints),
        (_, Lowering::Accumulate { batch, mode, add }) => update::accumulate(&mut at, e, batch, mode, add),
        (_, Lowering::DynamicUpdate { batch, add }) => update::window(&mut at, e, batch, add),
        (_, Lowering::SliceAdd { start, stride }) => update::slice_add(&mut at, e, &start, &stride),
        (op, lowering) => unreachable!("{op:?} is lowered as {lowering:?}, which the planner knows"),
    }
}

/// An equation being written.
pub(crate) struct Site<'s, 'p> {
    pub(crate) block: &'s mut Block<'p>,
    pub(crate) equation: &'p Equation,
    /// Operands, resolved; `None` for lists that are no arrays.
    pub(crate) args: Vec<Option<Access>>,
    /// Results with elements that are in memory or scalars.
    pub(crate) results: &'s [Option<Id>],
}

/// What becomes of an operand that a body hands on: the same as the input it is in the body.
enum Carry {
    /// Nothing: it has no elements.
    Empty(Access),
    /// A value of the loop.
    Scalar(Access),
    /// Memory.
    Array(Place),
    /// A list, in buffers of its own, with other buffers for the next round.
    List { now: ListDest, next: ListDest },
}

impl<'p> Site<'_, 'p> {
    /// An array operand.
    pub(crate) fn arg(&self, i: usize) -> &Access {
        self.args[i].as_ref().expect("the operand is an array")
    }

    /// A scalar operand's value.
    pub(crate) fn scalar(&self, e: &mut Emitter, i: usize) -> Value {
        let access = self.arg(i).clone();
        e.only(&access)
    }

    /// A list operand.
    pub(crate) fn list(&self, i: usize) -> List {
        self.block.list(self.equation.args[i]).clone()
    }

    /// An operand as it is.
    pub(crate) fn bound(&self, i: usize) -> Bound {
        match &self.args[i] {
            Some(access) => Bound::Elements(access.clone()),
            None => Bound::List(self.list(i)),
        }
    }

    fn result(&self, i: usize) -> Var {
        Var(self.equation.first.0 + i as u32)
    }

    /// The type of a result.
    pub(crate) fn result_type(&self, i: usize) -> &'p Type {
        self.block.nodes.program.ty(self.result(i))
    }

    pub(crate) fn list_dest(&mut self, e: &mut Emitter, i: usize) -> ListDest {
        self.block.list_dest(e, self.result(i))
    }

    pub(crate) fn set_list(&mut self, i: usize, list: List) {
        self.block.set_list(self.result(i), list);
    }

    /// The memory of an array result.
    pub(crate) fn place(&mut self, e: &mut Emitter, i: usize) -> Option<Place> {
        let id = self.results[i]?;
        (!self.is_scalar(id)).then(|| self.block.place(e, id))
    }

    fn is_scalar(&self, id: Id) -> bool {
        self.block.nodes.plan.info[id].scalar
    }

    /// The id of a scalar result.
    pub(crate) fn scalar_result(&self, i: usize) -> Option<Id> {
        self.results[i].filter(|&id| self.is_scalar(id))
    }

    /// Brings an operand to where the result that it becomes is kept.
    fn carry(&mut self, e: &mut Emitter, operand: usize, result: usize) -> Carry {
        match (&self.args[operand], self.results[result]) {
            (Some(access), Some(id)) if self.is_scalar(id) => Carry::Scalar(access.clone()),
            (Some(access), Some(id)) => {
                let access = access.clone();
                Carry::Array(self.block.updated(e, &access, id))
            }
            (Some(access), None) => Carry::Empty(access.clone()),
            (None, _) => {
                let list = self.list(operand);
                let [now, next] = [0; 2].map(|_| ListDest::new(e, self.result_type(result)));
                let list = lists::append(e, &list, &now);
                Carry::List { now: now.with_ends(&list.ends), next }
            }
        }
    }

    /// The rows of a result that a loop writes; see [`Rows`].
    fn rows(&mut self, e: &mut Emitter, result: usize) -> Rows {
        if self.is_list(result) {
            return Rows::List(self.list_dest(e, result));
        }
        match (self.results[result], self.result_type(result)) {
            (Some(id), _) if self.is_scalar(id) => Rows::Value(self.block.nodes.plan.info[id].ty.dtype),
            (Some(id), Type::List(l)) => {
                let row = dense_type(&l.element).expect("the list is an array");
                Rows::Array(self.block.place(e, id), row.size())
            }
            _ => Rows::Empty,
        }
    }

    fn is_list(&self, result: usize) -> bool {
        dense_type(self.result_type(result)).is_none()
    }
}

/// Where a loop writes its rows.
enum Rows {
    /// Nowhere: they have no elements.
    Empty,
    /// There is one row of one element.
    Value(DType),
    /// One after the other in memory, each of so many elements.
    Array(Place, usize),
    /// In growing buffers.
    List(ListDest),
}

/// The carried values of a loop under construction, as [`Carry`]s and [`Rows`] lay them out.
struct Layout {
    carries: Vec<Carry>,
    rows: Vec<Rows>,
}

impl Layout {
    /// The values that the loop carries, to begin with.
    fn inits(&self, e: &mut Emitter) -> Vec<Value> {
        let mut inits = Vec::new();
        for carry in &self.carries {
            match carry {
                Carry::Scalar(access) => inits.push(e.only(access)),
                Carry::List { now, .. } => inits.extend(&now.ends),
                Carry::Empty(_) | Carry::Array(_) => {}
            }
        }
        for rows in &self.rows {
            match rows {
                Rows::Value(dtype) => inits.push(e.constant(Scalar::zero(*dtype))),
                Rows::List(dest) => inits.extend(&dest.ends[1..]),
                Rows::Empty | Rows::Array(..) => {}
            }
        }
        inits
    }

    /// What the body's inputs for the carries are bound to. Memory is `owned` by the body, or only read.
    fn bound(&self, e: &mut Emitter, params: &[Value], owned: bool, inputs: &[Type]) -> Vec<Bound> {
        let mut params = params.iter().copied();
        let mut next = || params.next().expect("one value for each");
        let bind = |(carry, ty): (&Carry, &Type)| match carry {
            Carry::Empty(access) => Bound::Elements(access.clone()),
            Carry::Scalar(access) => {
                Bound::Elements(Access { root: Root::Value(next()), at: Affine::default(), ..access.clone() })
            }
            Carry::Array(place) if owned => Bound::Owned(place.clone()),
            Carry::Array(place) => {
                let ty = dense_type(ty).expect("it is an array");
                Bound::Elements(Access { at: place.at.clone(), ..Access::dense(Root::Memory(place.buffer), &ty) })
            }
            Carry::List { now, .. } => {
                let ends: Vec<Value> = now.ends.iter().map(|_| next()).collect();
                Bound::List(now.filled(e, &ends))
            }
        };
        self.carries.iter().zip(inputs).map(bind).collect()
    }

    /// Where the body is to leave its outputs, in round `k`; the first carry is its input number `first`.
    fn dests(&self, e: &mut Emitter, k: Value, params: &[Value], first: usize) -> Vec<Dest> {
        let mut used = 0;
        let mut dests = Vec::new();
        for (i, carry) in self.carries.iter().enumerate() {
            dests.push(match carry {
                Carry::Array(place) => Dest::Carry(first + i, place.clone()),
                Carry::List { next, .. } => {
                    used += next.ends.len();
                    Dest::List(next.emptied(e))
                }
                Carry::Scalar(_) => {
                    used += 1;
                    Dest::Any
                }
                Carry::Empty(_) => Dest::Any,
            });
        }
        let at = Affine::value(k);
        for rows in &self.rows {
            dests.push(match rows {
                Rows::Array(place, size) if *size > 1 => {
                    Dest::Fresh(Place { buffer: place.buffer, at: place.at.clone().plus_affine(&at, *size as i64) })
                }
                Rows::List(dest) if dest.spans.is_empty() && dest.row.size() > 1 => Dest::Fresh(dest.place(&at)),
                Rows::List(dest) if !dest.spans.is_empty() => {
                    let inner = dest.ends.len() - 1;
                    used += inner;
                    Dest::List(dest.inner(&params[used - inner..used]))
                }
                Rows::Value(_) => {
                    used += 1;
                    Dest::Any
                }
                _ => Dest::Any,
            });
        }
        dests
    }

    /// Stores what the body has left as values and yields what the next round begins with.
    fn yields(&self, e: &mut Emitter, k: Value, outputs: &[Bound]) -> Vec<Value> {
        let mut yields = Vec::new();
        let (carried, rows) = outputs.split_at(self.carries.len());
        for (carry, output) in self.carries.iter().zip(carried) {
            match (carry, output) {
                (Carry::Scalar(_), Bound::Elements(access)) => yields.push(e.only(access)),
                (Carry::List { now, .. }, Bound::List(list)) => {
                    let emptied = now.emptied(e);
                    let back = lists::append(e, list, &emptied);
                    yields.extend(back.ends);
                }
                _ => {}
            }
        }
        let at = Affine::value(k);
        for (rows, output) in self.rows.iter().zip(rows) {
            match (rows, output) {
                (Rows::Value(_), Bound::Elements(access)) => yields.push(e.only(access)),
                (Rows::Array(place, 1), Bound::Elements(access)) => {
                    let value = e.only(access);
                    e.store(place.buffer, place.at.clone().plus_affine(&at, 1), value);
                }
                (Rows::List(dest), Bound::Elements(access)) if dest.row.size() == 1 => {
                    let value = e.only(access);
                    let to = dest.place(&at);
                    e.store(to.buffer, to.at, value);
                }
                (Rows::List(dest), Bound::List(row)) => {
                    dest.set_span(e, &at, row);
                    yields.extend(&row.ends);
                }
                _ => {}
            }
        }
        yields
    }

    /// Hands the values after the loop to the results.
    fn finish(&self, site: &mut Site<'_, '_>, e: &mut Emitter, count: Value, values: &[Value]) {
        let mut values = values.iter().copied();
        let mut next = || values.next().expect("one value for each");
        for (i, carry) in self.carries.iter().enumerate() {
            match carry {
                Carry::Scalar(_) => {
                    let id = site.scalar_result(i).expect("it is a scalar");
                    site.block.set_value(id, next());
                }
                Carry::List { now, .. } => {
                    let ends: Vec<Value> = now.ends.iter().map(|_| next()).collect();
                    let list = now.filled(e, &ends);
                    site.set_list(i, list);
                }
                Carry::Empty(_) | Carry::Array(_) => {}
            }
        }
        for (i, rows) in (self.carries.len()..).zip(&self.rows) {
            match rows {
                Rows::Value(_) => {
                    let id = site.scalar_result(i).expect("it is a scalar");
                    site.block.set_value(id, next());
                }
                Rows::List(dest) => {
                    let inner: Vec<Value> = dest.ends[1..].iter().map(|_| next()).collect();
                    let list = dest.finish(e, count, &inner);
                    site.set_list(i, list);
                }
                Rows::Empty | Rows::Array(..) => {}
            }
        }
    }
}

/// A `Loop`.
fn rounds(site: &mut Site<'_, '_>, e: &mut Emitter, op: &Loop) {
    let head = if op.length.is_some() { 1 } else { 2 };
    let count = match op.length {
        Some(n) => e.int(n as i64),
        None => {
            let (n, zero) = (site.scalar(e, 1), e.int(0));
            masked(e, site.arg(0), n, zero)
        }
    };
    let rounds = op.length.map_or(Count::Value(count), |n| Count::Const(n as u64));
    let invariant: Vec<Bound> = (head..head + op.inv).map(|i| site.bound(i)).collect();
    let first = head + op.inv;
    let carries: Vec<Carry> = (0..op.acc + op.carry).map(|i| site.carry(e, first + i, i)).collect();
    let ys = carries.len()..op.body.outputs().len();
    let layout = Layout { rows: ys.map(|i| site.rows(e, i)).collect(), carries };
    let rows = if layout.rows.iter().any(|r| matches!(r, Rows::List(_))) {
        let zero = e.int(0);
        e.binary(Binary::Max, count, zero)
    } else {
        count
    };
    for written in &layout.rows {
        if let Rows::List(dest) = written {
            dest.reserve(e, &Affine::value(rows));
        }
    }
    let xs: Vec<Bound> = (first + layout.carries.len()..site.args.len()).map(|i| site.bound(i)).collect();
    let inits = layout.inits(e);
    let inputs = &op.body.input_types()[2 + op.inv..];
    let (mask, reverse) = (site.bound(0), op.reverse);
    let values = e.for_loop(rounds, reverse, &inits, |e, k, params| {
        let mut bound = vec![mask, scalar(k, DType::I64)];
        bound.extend(invariant);
        bound.extend(layout.bound(e, params, true, inputs));
        bound.extend(xs.iter().zip(&inputs[layout.carries.len()..]).map(|(x, ty)| row(e, x, k, count, ty)));
        let dests = layout.dests(e, k, params, 2 + op.inv);
        let outputs = run(e, &op.body, &bound, &dests);
        layout.yields(e, k, &outputs)
    });
    layout.finish(site, e, rows, &values);
}

/// A `While`.
fn while_loop(site: &mut Site<'_, '_>, e: &mut Emitter, op: &While) {
    let invariant: Vec<Bound> = (1..1 + op.inv).map(|i| site.bound(i)).collect();
    let first = 1 + op.inv;
    let carries: Vec<Carry> = (0..op.carry).map(|i| site.carry(e, first + i, i)).collect();
    let ys = op.carry..op.body.outputs().len();
    let layout = Layout { rows: ys.map(|i| site.rows(e, i)).collect(), carries };
    let inits = [vec![e.int(0)], layout.inits(e)].concat();
    let mask = site.bound(0);
    let inputs = &op.body.input_types()[1 + op.inv..];
    let bound = |e: &mut Emitter, params: &[Value], owned: bool| {
        let head = [mask.clone()].into_iter().chain(invariant.iter().cloned());
        head.chain(layout.bound(e, &params[1..], owned, inputs)).collect::<Vec<Bound>>()
    };
    let values = e.while_loop(
        &inits,
        |e, params| {
            let inputs = bound(e, params, false);
            let outputs = run(e, &op.cond, &inputs, &[Dest::Any]);
            let goes_on = only(e, &outputs[0]);
            let stop = e.constant(Scalar::new(false));
            masked(e, site.arg(0), goes_on, stop)
        },
        |e, params| {
            let k = params[0];
            for rows in &layout.rows {
                if let Rows::List(dest) = rows {
                    dest.reserve(e, &Affine::value(k).shifted(1));
                }
            }
            let dests = layout.dests(e, k, &params[1..], first);
            let inputs = bound(e, params, true);
            let outputs = run(e, &op.body, &inputs, &dests);
            let next = e.index(&Affine::value(k).shifted(1));
            [vec![next], layout.yields(e, k, &outputs)].concat()
        },
    );
    layout.finish(site, e, values[0], &values[1..]);
    if let Some(id) = site.scalar_result(op.body.outputs().len()) {
        site.block.set_value(id, values[0]);
    }
}

/// A `Cond`.
fn cond(site: &mut Site<'_, '_>, e: &mut Emitter, op: &Cond) {
    let pred = site.scalar(e, 1);
    let acc = 2 + op.inv + op.gated;
    let outputs = op.on_true.outputs().len();
    // Accumulators that are arrays stay in place; those that are lists are made anew, like the other results.
    let mut inputs = vec![site.bound(0)];
    inputs.extend((2..acc).map(|i| site.bound(i)));
    let mut dests = Vec::new();
    for i in 0..op.acc {
        let carry = if site.args[acc + i].is_some() { Some(site.carry(e, acc + i, i)) } else { None };
        match carry {
            Some(Carry::Array(place)) => {
                dests.push(Dest::Carry(inputs.len(), place.clone()));
                inputs.push(Bound::Owned(place));
            }
            Some(_) => {
                dests.push(Dest::Any);
                inputs.push(site.bound(acc + i));
            }
            None => {
                dests.push(Dest::List(site.list_dest(e, i)));
                inputs.push(site.bound(acc + i));
            }
        }
    }
    for i in op.acc..outputs {
        dests.push(match (site.is_list(i), site.place(e, i)) {
            (true, _) => Dest::List(site.list_dest(e, i)),
            (_, Some(place)) => Dest::Fresh(place),
            _ => Dest::Any,
        });
    }
    let scalars: Vec<Option<Id>> = (0..outputs).map(|i| site.scalar_result(i)).collect();
    let side = |e: &mut Emitter, program: &Program| {
        let mut yields = Vec::new();
        for (output, scalar) in run(e, program, &inputs, &dests).iter().zip(&scalars) {
            match output {
                Bound::List(list) => {
                    yields.push(list.count);
                    yields.extend(&list.ends);
                }
                _ if scalar.is_some() => yields.push(only(e, output)),
                _ => {}
            }
        }
        yields
    };
    let values = e.branch(pred, |e| side(e, &op.on_true), |e| side(e, &op.on_false));
    let mut values = values.into_iter();
    for (i, dest) in dests.iter().enumerate() {
        if let Some(id) = scalars[i] {
            site.block.set_value(id, values.next().expect("a value for each scalar"));
        } else if let Dest::List(dest) = dest {
            let count = values.next().expect("each list has a count");
            let ends: Vec<Value> = values.by_ref().take(dest.ends.len()).collect();
            let list = dest.finish(e, count, &ends[1..]);
            site.set_list(i, list);
        }
    }
}

/// A `Check`.
fn check(site: &mut Site<'_, '_>, e: &mut Emitter, op: &Check) {
    let (mask, holds) = (site.arg(0).clone(), site.arg(1).clone());
    let (axes, strides) = crate::index::joint(&[&mask.dims, &holds.dims]);
    if axes.contains(&0) {
        return;
    }
    let (lanes, source) = (mask.size(), site.equation.source.clone());
    let number = e.checks.len() as u32;
    e.checks.push(CheckSite { check: op.clone(), lanes, source });
    let indices = e.begin_nest(&axes);
    let [mask, holds] = [(mask, &strides[0]), (holds, &strides[1])].map(|(access, strides)| {
        let at = crate::emit::moved(&access.at, &indices, strides);
        e.element(&access, at)
    });
    let failed = e.apply(ScalarOp::Unary(Unary::Not), &[holds]);
    let when = e.binary(Binary::And, mask, failed);
    let steps: Vec<i64> = crate::index::dense(&axes).iter().map(|d| d.stride).collect();
    let lane = crate::emit::moved(&Affine::default(), &indices, &steps);
    let lane = e.index(&lane);
    e.push(Stmt::Fail { when, check: number, lane });
    e.end_nest(&axes, &indices);
}

/// `value` where the mask is true, else `other`.
fn masked(e: &mut Emitter, mask: &Access, value: Value, other: Value) -> Value {
    if mask.root == Root::Literal(Scalar::new(true)) {
        return value;
    }
    let mask = e.only(mask);
    e.apply(ScalarOp::Select, &[mask, value, other])
}

/// A value as a scalar input.
pub(crate) fn scalar(value: Value, dtype: DType) -> Bound {
    Bound::Elements(Access::uniform(Root::Value(value), &wengert_core::ArrayType::new(dtype, &[])))
}

/// The value of a scalar output.
pub(crate) fn only(e: &mut Emitter, output: &Bound) -> Value {
    let Bound::Elements(access) = output else { unreachable!("a scalar is no list") };
    e.only(access)
}

/// Row `k` of a list operand, of type `ty`, in a loop of so many rounds.
fn row(e: &mut Emitter, list: &Bound, k: Value, rounds: Value, ty: &Type) -> Bound {
    let access = match list {
        Bound::List(list) if list.spans.is_empty() => list.array_row(&list.at(e, k, rounds)),
        Bound::List(list) => {
            let at = list.at(e, k, rounds);
            return Bound::List(list.list_row(e, &at));
        }
        Bound::Elements(access) => {
            let (row, step) = access.row();
            Access { at: row.at.clone().plus(k, step), ..row }
        }
        Bound::Owned(_) => unreachable!("a list operand is not overwritten"),
    };
    let ty = dense_type(ty).expect("the rows are arrays");
    if ty.size() == 0 {
        return Bound::Elements(Access::literal(Scalar::zero(ty.dtype), &ty.shape));
    }
    if ty.size() > 1 || matches!(access.root, Root::Value(_) | Root::Literal(_)) {
        return Bound::Elements(access);
    }
    let value = e.only(&access);
    Bound::Elements(Access::uniform(Root::Value(value), &ty))
}
