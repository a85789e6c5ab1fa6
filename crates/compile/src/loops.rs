//! Loop nests: a [`Group`] becomes loops over its rows around passes over the elements of a row.

use crate::block::Block;
use crate::emit::{self, Emitter};
use crate::groups::{Apart, Clamp, Group, Kind, Level, MOST_MEMBERS, Node};
use crate::index::{Access, Axes, Id, Root, merged, strides_over};
use crate::report::Fused;
use crate::storage::Place;
use std::collections::HashMap;
use wengert_core::source::Source;
use wengert_kernel::routine::{Affine, BufferId, Fold, Value};
use wengert_kernel::{Binary, DType, Scalar, ScalarOp, Unary};

/// A value needed in a later pass is computed again when that takes at most this many operations.
const CHEAP: usize = 4;

/// Where in a nest statements are being written.
struct Nest<'b, 'p> {
    block: &'b mut Block<'p>,
    item: usize,
    /// Elements of a row.
    inner: usize,
    /// Rows, then (when longer than 1) the elements of a row.
    axes: Axes,
    /// The counters so far: of the rows only, or of all axes.
    indices: Vec<Value>,
    /// Values by thing: of the row, and of the element in this pass.
    row: HashMap<Id, Value>,
    element: HashMap<Id, Value>,
    /// What has been read.
    row_loads: HashMap<(BufferId, Affine), Value>,
    element_loads: HashMap<(BufferId, Affine), Value>,
    /// Values of a row kept for later passes.
    scratch: HashMap<Id, BufferId>,
    /// Which node computes a thing.
    made_by: HashMap<Id, usize>,
}

/// Computes a scalar node.
pub(crate) fn scalar(block: &mut Block<'_>, e: &mut Emitter, node: usize) {
    let mut nest = Nest::new(block, 0, Axes::new(), 1);
    nest.emit(e, node);
}

/// Writes the loops of a group, which is this item.
pub(crate) fn group(block: &mut Block<'_>, e: &mut Emitter, item: usize, group: &Group) {
    let (outer, inner) = match group.inner {
        Some(inner) => (group.axes.clone(), inner),
        None => match group.axes.split_last() {
            Some((&inner, outer)) => (outer.into(), inner),
            None => (Axes::new(), 1),
        },
    };
    e.fusion.push(fused(block, group));
    e.report.groups += 1;
    if let [member] = group.members[..]
        && let Node { id, kind: Kind::Copy, args } = &block.nodes.plan.nodes[member.node]
    {
        let (id, arg) = (*id, args[0].clone());
        let (from, to) = (block.resolve(e, &arg), block.place(e, id));
        return e.transfer(&from, &to);
    }
    let mut nest = Nest::new(block, item, outer.clone(), inner);
    nest.axes.extend((inner > 1).then_some(inner));
    nest.made_by = group.members.iter().map(|m| (nest.block.nodes.plan.nodes[m.node].id, m.node)).collect();
    let mut passes = 0;
    for member in &group.members {
        if let Level::Element(pass) = member.level {
            passes = passes.max(pass + 1);
            nest.keep(e, member.node, pass);
        }
    }
    let rows = e.begin_nest(&outer);
    nest.indices = rows.clone();
    for pass in 0..=passes {
        for member in group.members.iter().filter(|m| m.level == Level::Row(pass)) {
            nest.emit(e, member.node);
        }
        let members: Vec<usize> =
            group.members.iter().filter(|m| m.level == Level::Element(pass)).map(|m| m.node).collect();
        if !members.is_empty() {
            nest.pass(e, &members);
        }
    }
    e.end_nest(&outer, &rows);
}

/// What a group does, for readers.
fn fused(block: &Block<'_>, group: &Group) -> Fused {
    let nodes = &block.nodes;
    let name = |id: Id| nodes.origin(id).map_or("an input", |e| e.op.name());
    let place = |id: Id| nodes.origin(id).map_or(String::new(), |e| format!(" at {}", e.source));
    let mut work: Vec<(&'static str, Source)> = Vec::new();
    for member in &group.members {
        if let Some(e) = nodes.origin(nodes.plan.nodes[member.node].id) {
            work.push((e.op.name(), e.source.clone()));
        }
    }
    let elements = |id: Id| nodes.plan.info[id].ty.size();
    let apart = match group.apart {
        Apart::Nothing => None,
        Apart::Operation(id) => Some(format!("reads the result of `{}`{}, which is no loop nest", name(id), place(id))),
        Apart::Elements(id) => Some(format!("reads `{}`{} at other elements than its own", name(id), place(id))),
        Apart::Size(id) => {
            Some(format!("goes over {} elements, not the {} of `{}`{}", group.size, elements(id), name(id), place(id)))
        }
        Apart::Full => Some(format!("the nest before has {MOST_MEMBERS} members already")),
    };
    Fused { what: None, size: group.size, row: group.inner, work, apart }
}

impl<'b, 'p> Nest<'b, 'p> {
    fn new(block: &'b mut Block<'p>, item: usize, axes: Axes, inner: usize) -> Self {
        Nest {
            block,
            item,
            inner,
            axes,
            indices: Vec::new(),
            row: HashMap::new(),
            element: HashMap::new(),
            row_loads: HashMap::new(),
            element_loads: HashMap::new(),
            scratch: HashMap::new(),
            made_by: HashMap::new(),
        }
    }

    fn node(&self, node: usize) -> &Node {
        &self.block.nodes.plan.nodes[node]
    }

    /// Decides how values of earlier passes come to a node: a row of the dear ones is kept.
    fn keep(&mut self, e: &mut Emitter, node: usize, pass: usize) {
        for id in operands(self.node(node)).collect::<Vec<Id>>() {
            let info = &self.block.nodes.plan.info[id];
            let earlier = matches!(info.level, Some(Level::Element(p)) if p < pass) && self.made_by.contains_key(&id);
            if earlier && !info.stored && self.cost(id, CHEAP).is_none() && !self.scratch.contains_key(&id) {
                let dtype = info.ty.dtype;
                let place = e.memory(dtype, self.inner);
                self.scratch.insert(id, place.buffer);
            }
        }
    }

    /// Operations that computing a value again takes, if not more than the budget. Depth is bounded by the budget.
    fn cost(&self, id: Id, budget: usize) -> Option<usize> {
        let info = &self.block.nodes.plan.info[id];
        let node = match self.made_by.get(&id) {
            Some(&node) if matches!(info.level, Some(Level::Element(_))) && !info.stored => self.node(node),
            _ => return Some(0),
        };
        let own = match node.kind {
            Kind::Map(op) if is_cheap(op) => 1,
            Kind::Copy | Kind::Read(_) => 1,
            _ => return None,
        };
        let mut total = own;
        for arg in operands(node) {
            total += self.cost(arg, budget.checked_sub(total)?)?;
        }
        (total <= budget).then_some(total)
    }

    fn pass(&mut self, e: &mut Emitter, members: &[usize]) {
        self.element.clear();
        self.element_loads.clear();
        for &node in members {
            self.preload(e, node);
        }
        let index = e.begin_pass();
        let inner = self.inner;
        self.indices.extend((inner > 1).then_some(index));
        let mut folds = Vec::new();
        for &node in members {
            let (id, kind) = (self.node(node).id, self.node(node).kind.clone());
            if let Kind::Fold { op, .. } = kind {
                let arg = self.node(node).args[0].clone();
                let item = self.operand(e, &arg);
                folds.push((id, Fold { op, item, result: e.value(e.dtype(item)) }));
            } else if !matches!(kind, Kind::Store { .. }) {
                let value = self.compute(e, node);
                self.element.insert(id, value);
            }
        }
        // Writing comes last: what is written over has been read.
        for &node in members {
            let id = self.node(node).id;
            if matches!(self.node(node).kind, Kind::Store { .. }) {
                self.store_part(e, node);
            } else if let Some(&value) = self.element.get(&id) {
                if self.block.nodes.plan.info[id].stored {
                    let place = self.block.place(e, id);
                    let at = self.linear(&place, self.axes.len());
                    e.store(place.buffer, at, value);
                }
                if let Some(&buffer) = self.scratch.get(&id) {
                    e.store(buffer, self.in_row(), value);
                }
            }
        }
        self.indices.truncate(self.axes.len() - (inner > 1) as usize);
        self.element.clear();
        self.element_loads.clear();
        let results: Vec<(Id, Value)> = folds.iter().map(|(id, f)| (*id, f.result)).collect();
        e.end_pass(index, inner, folds.into_iter().map(|(_, f)| f).collect());
        for (id, value) in results {
            self.finish_row(e, id, value);
        }
    }

    /// Reads before a pass what is the same for all its elements.
    fn preload(&mut self, e: &mut Emitter, node: usize) {
        if self.inner == 1 || matches!(self.node(node).kind, Kind::Read(_) | Kind::Product { .. }) {
            return;
        }
        for arg in self.node(node).args.clone() {
            let strides = strides_over(&merged(&arg.dims), &self.axes);
            let fixed = strides.is_some_and(|s| s.last() == Some(&0));
            if fixed && self.in_group(&arg).is_none() {
                let access = self.block.resolve(e, &arg);
                if let Root::Memory(buffer) = access.root {
                    self.read(e, buffer, self.address(&access));
                }
            }
        }
    }

    /// A value of a row, or of no loop at all.
    fn emit(&mut self, e: &mut Emitter, node: usize) {
        if matches!(self.node(node).kind, Kind::Store { .. }) {
            return self.store_part(e, node);
        }
        let value = self.compute(e, node);
        self.finish_row(e, self.node(node).id, value);
    }

    fn finish_row(&mut self, e: &mut Emitter, id: Id, value: Value) {
        if self.block.nodes.plan.info[id].scalar {
            self.block.set_value(id, value);
            return;
        }
        self.row.insert(id, value);
        if self.block.nodes.plan.info[id].stored {
            let place = self.block.place(e, id);
            let at = self.linear(&place, self.indices.len());
            e.store(place.buffer, at, value);
        }
    }

    fn store_part(&mut self, e: &mut Emitter, node: usize) {
        let Kind::Store { at, dims } = self.node(node).kind.clone() else { unreachable!("it is a store") };
        let (id, arg) = (self.node(node).id, self.node(node).args[0].clone());
        let value = self.operand(e, &arg);
        let place = self.block.place(e, id);
        let strides = strides_over(&merged(&dims), &self.axes[..self.indices.len()]).expect("the axes are finer");
        let at = self.moved(place.at.shifted(at), &strides);
        e.store(place.buffer, at, value);
    }

    /// What is written next stems from the line of a node.
    fn stems_from(&self, e: &mut Emitter, node: usize) {
        if let Some(equation) = self.block.nodes.origin(self.node(node).id) {
            e.stems_from(&equation.source);
        }
    }

    /// The value of a node here.
    fn compute(&mut self, e: &mut Emitter, node: usize) -> Value {
        self.stems_from(e, node);
        let (kind, args) = (self.node(node).kind.clone(), self.node(node).args.clone());
        match kind {
            Kind::Map(op) => {
                let args: Vec<Value> = args.iter().map(|a| self.operand(e, a)).collect();
                self.stems_from(e, node);
                e.apply(op, &args)
            }
            Kind::Copy => self.operand(e, &args[0]),
            Kind::Read(clamps) => {
                let base = self.block.resolve(e, &args[0]);
                let at = self.address(&base);
                let at = self.clamped(e, &args[1..], &clamps, at);
                e.element(&base, at)
            }
            Kind::Start(clamps) => {
                let at = self.clamped(e, &args, &clamps, Affine::default());
                e.index(&at)
            }
            Kind::Product { count, steps } => {
                let [x, y] = [&args[0], &args[1]].map(|a| self.block.resolve(e, a));
                let (x_at, y_at) = (self.address(&x), self.address(&y));
                let mut sum = e.constant(Scalar::zero(x.dtype));
                for k in 0..count as i64 {
                    let left = e.element(&x, x_at.clone().shifted(k * steps[0]));
                    let right = e.element(&y, y_at.clone().shifted(k * steps[1]));
                    let product = e.binary(Binary::Mul, left, right);
                    sum = e.binary(Binary::Add, sum, product);
                }
                sum
            }
            Kind::Fold { .. } | Kind::Store { .. } => unreachable!("folds and stores are statements of the pass"),
        }
    }

    fn clamped(&mut self, e: &mut Emitter, indices: &[Access], clamps: &[Clamp], mut at: Affine) -> Affine {
        for (index, clamp) in indices.iter().zip(clamps) {
            if clamp.last > 0 && clamp.stride != 0 {
                let i = self.operand(e, index);
                let i = clamp_index(e, i, clamp.last);
                at = at.plus(i, clamp.stride);
            }
        }
        at
    }

    /// The element of an operand here.
    fn operand(&mut self, e: &mut Emitter, access: &Access) -> Value {
        if let Some(id) = self.in_group(access) {
            if let Some(&value) = self.element.get(&id).or_else(|| self.row.get(&id)) {
                return value;
            }
            let value = if let Some(&buffer) = self.scratch.get(&id) {
                self.read(e, buffer, self.in_row())
            } else if self.block.nodes.plan.info[id].stored {
                let place = self.block.place(e, id);
                let at = self.linear(&place, self.axes.len());
                self.read(e, place.buffer, at)
            } else {
                e.report.recomputed += 1;
                self.compute(e, self.made_by[&id])
            };
            self.element.insert(id, value);
            return value;
        }
        let access = self.block.resolve(e, access);
        let at = self.address(&access);
        match access.root {
            Root::Memory(buffer) => self.read(e, buffer, at),
            _ => e.element(&access, at),
        }
    }

    /// The thing that an operand is, when this group computes it.
    fn in_group(&self, access: &Access) -> Option<Id> {
        let Root::Node(id) = access.root else { return None };
        let info = &self.block.nodes.plan.info[id];
        let here = self.made_by.contains_key(&id) && info.level.is_some() && !info.scalar;
        (here && info.available == self.item + 1).then_some(id)
    }

    fn read(&mut self, e: &mut Emitter, buffer: BufferId, at: Affine) -> Value {
        let key = (buffer, at);
        if let Some(&value) = self.row_loads.get(&key).or_else(|| self.element_loads.get(&key)) {
            return value;
        }
        let value = e.load(buffer, key.1.clone());
        let inside = self.indices.len() == self.axes.len();
        if inside {
            self.element_loads.insert(key, value)
        } else {
            self.row_loads.insert(key, value)
        };
        value
    }

    /// Where the element of resolved elements is here.
    fn address(&self, access: &Access) -> Affine {
        if matches!(access.root, Root::Literal(_) | Root::Value(_)) {
            return Affine::default();
        }
        let dims = merged(&access.dims);
        // Before a pass only what does not move along its axis is read.
        let strides = strides_over(&dims, &self.axes[..self.indices.len()]).or_else(|| strides_over(&dims, &self.axes));
        self.moved(access.at.clone(), &strides.expect("the axes are finer"))
    }

    /// The element's own place in dense memory over the first axes.
    fn linear(&self, place: &Place, axes: usize) -> Affine {
        let strides: Vec<i64> = crate::index::dense(&self.axes[..axes]).iter().map(|d| d.stride).collect();
        self.moved(place.at.clone(), &strides)
    }

    /// The element's place in its row.
    fn in_row(&self) -> Affine {
        match self.indices.last() {
            Some(&index) if self.inner > 1 => Affine::value(index),
            _ => Affine::default(),
        }
    }

    fn moved(&self, at: Affine, strides: &[i64]) -> Affine {
        emit::moved(&at, &self.indices, strides)
    }
}

/// An index moved into `0..=last`.
pub(crate) fn clamp_index(e: &mut Emitter, mut i: Value, last: i64) -> Value {
    if e.dtype(i) != DType::I64 {
        i = e.apply(ScalarOp::Convert(DType::I64), &[i]);
    }
    let (zero, last) = (e.int(0), e.int(last));
    let i = e.binary(Binary::Max, i, zero);
    e.binary(Binary::Min, i, last)
}

fn operands(node: &Node) -> impl Iterator<Item = Id> + '_ {
    node.args.iter().filter_map(|a| if let Root::Node(id) = a.root { Some(id) } else { None })
}

/// Whether an operation takes about as long as reading memory.
pub(crate) fn is_cheap(op: ScalarOp) -> bool {
    match op {
        ScalarOp::Unary(u) => matches!(
            u,
            Unary::Neg | Unary::Abs | Unary::Sign | Unary::Not | Unary::IsFinite | Unary::PopulationCount | Unary::Clz
        ),
        ScalarOp::Binary(b) => !matches!(
            b,
            Binary::Div | Binary::Rem | Binary::Pow | Binary::Atan2 | Binary::Hypot | Binary::Xlogy | Binary::Xlog1py
        ),
        ScalarOp::Compare(_) | ScalarOp::Select | ScalarOp::Convert(_) | ScalarOp::Bitcast(_) | ScalarOp::Fma => true,
    }
}
