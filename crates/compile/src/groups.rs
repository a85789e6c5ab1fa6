//! The fusion plan of one block: which elementwise work is done in which loop nest.
//!
//! Everything elementwise is a [`Node`], computed exactly once, in a [`Group`]: one loop nest over one number of
//! elements. A node joins a group when all its operands are there: computed in the same group at the same element (then
//! they are scalar values and touch no memory), or stored before it. A row reduction turns its group into one over rows
//! and elements: row by row, passes over the elements of the row, each pass ending with the reductions that later
//! passes need. What is read at another element, in another group or by an operation that is no loop nest is stored.
//!
//! Everything else (control flow, products, updates) is an item of its own between the groups. Scalars belong to no
//! item: each is computed as soon as its operands are there.

use crate::index::{Access, Axes, Dim, Dims, Id, Root, dense, merged, refine};
use crate::nodes::Opaque;
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use wengert_core::types::ArrayType;
use wengert_kernel::{Binary, ScalarOp};

/// Members of one group. More would not fit in registers, and machine code is made in time quadratic in it.
pub(crate) const MOST_MEMBERS: usize = 96;

/// Elementwise work: one scalar computation for each element of a domain.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: Id,
    pub(crate) kind: Kind,
    pub(crate) args: SmallVec<[Access; 2]>,
}

impl Node {
    /// Whether operand `i` is read at other elements than the node's own.
    fn reads_elsewhere(&self, i: usize) -> bool {
        matches!((&self.kind, i), (Kind::Read(_), 0) | (Kind::Product { .. }, _))
    }

    /// Elements of its domain.
    fn size(&self) -> usize {
        self.args.first().map_or(1, Access::size)
    }
}

/// What a node does.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The scalar operation on its operands.
    Map(ScalarOp),
    /// The operand's element.
    Copy,
    /// The first operand's element, moved by the other operands, each clamped.
    Read(SmallVec<[Clamp; 1]>),
    /// The sum of the operands, each clamped: where a dynamic slice begins (`i64`).
    Start(SmallVec<[Clamp; 1]>),
    /// The sum of `count` products of the operands' elements, each the steps after the one before.
    Product { count: usize, steps: [i64; 2] },
    /// Combines runs of `inner` elements.
    Fold { op: Binary, inner: usize },
    /// Writes the operand's element `i` to element `at + dims * i` of the node's storage.
    Store { at: i64, dims: Dims },
}

/// An index `i` that counts as `stride * clamp(i, 0, last)` elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clamp {
    pub(crate) last: i64,
    pub(crate) stride: i64,
}

/// A loop nest.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Elements in all.
    pub(crate) size: usize,
    /// Elements of a row, when the nest goes row by row.
    pub(crate) inner: Option<usize>,
    /// The axes of the rows, or of all elements when there are no rows.
    pub(crate) axes: Axes,
    /// In program order.
    pub(crate) members: Vec<Member>,
    /// Why its first member is not in the item before.
    pub(crate) apart: Apart,
}

/// Why a node begins a loop nest of its own. The thing is what it reads of the item before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Apart {
    /// It reads nothing of what is computed before.
    #[default]
    Nothing,
    /// That is no loop nest.
    Operation(Id),
    /// At other elements than its own.
    Elements(Id),
    /// There are more of its elements, or fewer.
    Size(Id),
    /// The nest before is full.
    Full,
}

/// A node in its group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) node: usize,
    pub(crate) level: Level,
}

/// Where in a group a value is computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// For each element, in this pass over the row.
    Element(usize),
    /// For each row, after this many passes.
    Row(usize),
}

/// A part of the block, in order of execution.
#[derive(Debug)]
pub(crate) enum Item {
    /// A loop nest.
    Group(Group),
    /// An equation that is not elementwise.
    Opaque(Opaque),
}

/// Where in the order of execution something happens: items at odd moments, the scalars between them at even ones.
pub(crate) type Moment = usize;

/// The moment of an item.
pub(crate) fn moment(item: usize) -> Moment {
    2 * item + 1
}

/// What is known of a thing computed in a block.
#[derive(Clone, Debug)]
pub(crate) struct Info {
    /// Dtype and shape.
    pub(crate) ty: ArrayType,
    /// All elements are one scalar value, held in no memory.
    pub(crate) scalar: bool,
    /// The items from this one on may read it.
    pub(crate) available: usize,
    /// When its storage is first written.
    pub(crate) written: Moment,
    /// Its place in the group before `available`.
    pub(crate) level: Option<Level>,
    /// It is read from memory.
    pub(crate) stored: bool,
    /// The last equation (by number) that reads it; outputs are read after all.
    pub(crate) last_use: usize,
    /// Of an input, which may be overwritten: when it is read, and whether at the reader's own element.
    pub(crate) reads: Vec<(Moment, bool)>,
    /// The equation that it stems from, by number.
    pub(crate) made: usize,
}

/// The plan of a block.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) items: Vec<Item>,
    /// Scalar nodes to compute before item `i`, in order; one entry more than items.
    pub(crate) between: Vec<Vec<usize>>,
    pub(crate) info: Vec<Info>,
    /// The equation being planned.
    pub(crate) position: usize,
    /// Things that are inputs; they come first.
    inputs: usize,
    /// The last group over each number of elements or rows.
    latest: HashMap<usize, usize>,
}

/// How an operand is had in a group.
enum Source {
    Uniform,
    Memory,
    Element(usize),
    Row(usize),
}

impl Plan {
    pub(crate) fn new(inputs: usize) -> Self {
        Plan { between: vec![Vec::new()], inputs, ..Plan::default() }
    }

    /// A new thing. Its number follows the last one.
    pub(crate) fn declare(&mut self, ty: ArrayType) -> Id {
        let scalar = ty.size() == 1;
        self.info.push(Info {
            ty,
            scalar,
            available: 0,
            written: usize::MAX,
            level: None,
            stored: false,
            last_use: 0,
            reads: Vec::new(),
            made: self.position,
        });
        self.info.len() - 1
    }

    /// The array as an operand: dense once it is stored.
    pub(crate) fn whole(&self, id: Id) -> Access {
        let info = &self.info[id];
        if info.scalar { Access::uniform(Root::Node(id), &info.ty) } else { Access::dense(Root::Node(id), &info.ty) }
    }

    /// The thing that an operand is all of, in order.
    pub(crate) fn whole_of(&self, access: &Access) -> Option<Id> {
        let Root::Node(id) = access.root else { return None };
        let whole = !self.info[id].scalar && access.is_identity() && access.size() == self.info[id].ty.size();
        whole.then_some(id)
    }

    /// The first item that may read an operand.
    pub(crate) fn available(&self, access: &Access) -> usize {
        let root = if let Root::Node(id) = access.root { self.info[id].available } else { 0 };
        access.starts.iter().map(|&s| self.info[s].available).fold(root, usize::max)
    }

    /// Whether all elements are one scalar.
    pub(crate) fn is_uniform(&self, access: &Access) -> bool {
        match access.root {
            Root::Literal(_) | Root::Value(_) => true,
            Root::Node(id) => self.info[id].scalar,
            Root::Memory(_) | Root::Iota => false,
        }
    }

    /// Notes that the equation being planned reads an operand from memory at this moment.
    pub(crate) fn read(&mut self, access: &Access, moment: Moment, same_element: bool) {
        if let Root::Node(id) = access.root {
            let position = self.position;
            let info = &mut self.info[id];
            info.last_use = info.last_use.max(position);
            info.stored |= !info.scalar;
            if id < self.inputs {
                info.reads.push((moment, same_element));
            }
        }
    }

    /// Appends an item that is no loop nest; the caller has declared its results.
    pub(crate) fn opaque(&mut self, opaque: Opaque) {
        let item = self.items.len();
        let inside: HashSet<Id> = opaque.work.iter().map(|node| node.id).collect();
        let work = opaque.work.iter().flat_map(|node| &node.args);
        for arg in opaque.args.iter().flatten().chain(work) {
            if !matches!(arg.root, Root::Node(id) if inside.contains(&id)) {
                self.read(arg, moment(item), false);
            }
        }
        for &id in opaque.results.iter().flatten() {
            self.info[id].made = self.position;
            self.info[id].available = item + 1;
            self.info[id].written = moment(item);
            self.info[id].stored = true;
        }
        self.push_item(Item::Opaque(opaque));
    }

    fn push_item(&mut self, item: Item) {
        self.items.push(item);
        self.between.push(Vec::new());
    }

    /// Plans a node; its domain is not empty.
    pub(crate) fn node(&mut self, mut node: Node) {
        self.info[node.id].made = self.position;
        let size = node.size();
        let from = node.args.iter().map(|a| self.available(a)).max().unwrap_or(0);
        if size == 1 && !matches!(node.kind, Kind::Fold { .. }) {
            return self.scalar(node, from);
        }
        let candidates = [from.checked_sub(1), self.latest.get(&size).copied()];
        for item in candidates.into_iter().flatten() {
            if let Some((axes, inner, level)) = self.fit(item, &node, size) {
                return self.join(item, node, axes, inner, level);
            }
        }
        let item = self.items.len();
        self.push_item(Item::Group(Group {
            size,
            inner: None,
            axes: [size].into_iter().filter(|&n| n > 1).collect(),
            members: Vec::new(),
            apart: self.apart(&node, from),
        }));
        self.latest.insert(size, item);
        let (axes, inner, level) = match self.fit(item, &node, size) {
            Some(fit) => fit,
            None => {
                // Operands whose axes do not go together are first stored in the order of the loop.
                self.items.pop();
                self.between.pop();
                self.latest.remove(&size);
                for arg in &mut node.args {
                    if !self.is_uniform(arg) && merged(&arg.dims).len() > 1 {
                        *arg = self.materialized(arg);
                    }
                }
                return self.node(node);
            }
        };
        self.join(item, node, axes, inner, level)
    }

    /// Why a node cannot be in the last item that it reads from.
    fn apart(&self, node: &Node, from: usize) -> Apart {
        let Some(before) = from.checked_sub(1) else { return Apart::Nothing };
        let reads = |(i, arg): (usize, &Access)| match arg.root {
            Root::Node(id) if self.info[id].available == from => Some((i, id)),
            _ => None,
        };
        let Some((i, id)) = node.args.iter().enumerate().find_map(reads) else { return Apart::Nothing };
        match &self.items[before] {
            Item::Opaque(_) => Apart::Operation(id),
            Item::Group(group) if group.members.len() >= MOST_MEMBERS => Apart::Full,
            Item::Group(_) if node.reads_elsewhere(i) || !node.args[i].is_identity() => Apart::Elements(id),
            Item::Group(_) => Apart::Size(id),
        }
    }

    /// A copy of an operand, stored in row-major order.
    pub(crate) fn materialized(&mut self, access: &Access) -> Access {
        let shape: SmallVec<[usize; 4]> = access.dims.iter().map(|d| d.len).collect();
        let id = self.declare(ArrayType { dtype: access.dtype, shape });
        self.node(Node { id, kind: Kind::Copy, args: [access.clone()].into_iter().collect() });
        self.whole(id)
    }

    fn scalar(&mut self, node: Node, from: usize) {
        for arg in &node.args {
            self.read(arg, 2 * from, false);
        }
        self.info[node.id].stored |= matches!(node.kind, Kind::Store { .. });
        self.defined(node.id, from, 2 * from, None);
        self.between[from].push(self.nodes.len());
        self.nodes.push(node);
    }

    fn defined(&mut self, id: Id, available: usize, written: Moment, level: Option<Level>) {
        let info = &mut self.info[id];
        info.available = info.available.max(available);
        info.written = info.written.min(written);
        info.level = level;
    }

    fn join(&mut self, item: usize, node: Node, axes: Axes, inner: Option<usize>, level: Level) {
        for (i, arg) in node.args.iter().enumerate() {
            match self.source(arg, item) {
                Some(Source::Memory) => self.read(arg, moment(item), arg.is_identity() && !node.reads_elsewhere(i)),
                _ => self.touch(arg),
            }
        }
        let number = self.nodes.len();
        let Item::Group(group) = &mut self.items[item] else { unreachable!("only groups are joined") };
        if let (Some(inner), None) = (inner, group.inner) {
            self.latest.insert(group.size / inner, item);
        }
        (group.axes, group.inner) = (axes, inner);
        group.members.push(Member { node: number, level });
        let value = match (&node.kind, level) {
            (Kind::Fold { .. }, Level::Element(pass)) => Some(Level::Row(pass + 1)),
            (Kind::Store { .. }, _) => None,
            (_, level) => Some(level),
        };
        if matches!(node.kind, Kind::Store { .. }) {
            self.info[node.id].stored = true;
        }
        self.defined(node.id, item + 1, moment(item), value);
        self.nodes.push(node);
    }

    /// A use that is no read of memory.
    fn touch(&mut self, access: &Access) {
        if let Root::Node(id) = access.root {
            self.info[id].last_use = self.info[id].last_use.max(self.position);
        }
    }

    /// How an operand is had in the group that is item `item`, if it can be had there.
    fn source(&self, access: &Access, item: usize) -> Option<Source> {
        if access.starts.iter().any(|&s| self.info[s].available > item) {
            return None;
        }
        match access.root {
            Root::Literal(_) | Root::Value(_) => Some(Source::Uniform),
            Root::Memory(_) | Root::Iota => Some(Source::Memory),
            Root::Node(id) => {
                let info = &self.info[id];
                match info.level {
                    _ if info.available <= item => Some(if info.scalar { Source::Uniform } else { Source::Memory }),
                    Some(level) if info.available == item + 1 && !info.scalar => Some(match level {
                        Level::Element(pass) => Source::Element(pass),
                        Level::Row(ready) => Source::Row(ready),
                    }),
                    _ => None,
                }
            }
        }
    }

    /// The axes, row length and level with which a node would join a group.
    fn fit(&self, item: usize, node: &Node, size: usize) -> Option<(Axes, Option<usize>, Level)> {
        let Item::Group(group) = self.items.get(item)? else { return None };
        if group.members.len() >= MOST_MEMBERS {
            return None;
        }
        let inner = match node.kind {
            Kind::Fold { inner, .. } if group.inner.is_none_or(|g| g == inner) => Some(inner),
            Kind::Fold { .. } => return None,
            _ => group.inner,
        };
        if size == group.size {
            let mut axes = group.axes.clone();
            axes.extend(group.inner.filter(|&n| n > 1));
            let mut pass = 0;
            if inner.is_some() && group.inner.is_none() {
                refine_rows(&mut axes, size, inner?)?;
            }
            for (i, arg) in node.args.iter().enumerate() {
                match self.source(arg, item)? {
                    Source::Uniform => {}
                    Source::Memory => refine(&mut axes, &merged(&arg.dims)).then_some(())?,
                    Source::Element(_) | Source::Row(_) if node.reads_elsewhere(i) => return None,
                    Source::Element(at) if arg.is_identity() => pass = pass.max(at),
                    Source::Row(ready) if arg.is_row_of(inner?) => pass = pass.max(ready),
                    Source::Element(_) | Source::Row(_) => return None,
                }
            }
            if let Kind::Store { dims, .. } = &node.kind {
                refine(&mut axes, &merged(dims)).then_some(())?;
            }
            if let Some(inner) = inner.filter(|&n| n > 1) {
                (axes.pop()? == inner).then_some(())?;
            }
            return Some((axes, inner, Level::Element(pass)));
        }
        let rows = group.size / group.inner.filter(|&n| n > 0)?;
        if size != rows || matches!(node.kind, Kind::Fold { .. }) {
            return None;
        }
        let mut axes = group.axes.clone();
        let mut ready = 0;
        for (i, arg) in node.args.iter().enumerate() {
            match self.source(arg, item)? {
                Source::Uniform => {}
                Source::Memory => refine(&mut axes, &merged(&arg.dims)).then_some(())?,
                Source::Row(at) if arg.is_identity() && !node.reads_elsewhere(i) => ready = ready.max(at),
                Source::Element(_) | Source::Row(_) => return None,
            }
        }
        if let Kind::Store { dims, .. } = &node.kind {
            refine(&mut axes, &merged(dims)).then_some(())?;
        }
        Some((axes, group.inner, Level::Row(ready)))
    }
}

/// Splits axes into those of rows and the row of `inner` elements.
fn refine_rows(axes: &mut Axes, size: usize, inner: usize) -> Option<()> {
    let lens: Dims = dense(&[size / inner, inner]).into_iter().filter(|d: &Dim| d.len != 1).collect();
    refine(axes, &lens).then_some(())
}
