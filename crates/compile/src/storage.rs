//! Where the things of a block are kept: which update its operand in place, which are written where the caller wants
//! them, and which get a buffer of their own.

use crate::groups::{Info, Item, Kind, Level, Node, moment};
use crate::index::{Access, Id, Root};
use crate::lists::{ListDest, dense_type};
use crate::nodes::{Nodes, Opaque};
use wengert_core::ops::Op;
use wengert_core::primitive::Lowering;
use wengert_core::program::Equation;
use wengert_kernel::routine::{Affine, BufferId};

/// Dense memory in row-major order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Place {
    pub(crate) buffer: BufferId,
    pub(crate) at: Affine,
}

/// Where the caller wants an output of a block. Single elements are returned as values all the same.
#[derive(Clone, Debug)]
pub(crate) enum Dest {
    /// Wherever it is.
    Any,
    /// In memory that nothing in the block reads.
    Fresh(Place),
    /// In the memory of the input of that number, which is owned.
    Carry(Id, Place),
    /// At the end of these growing buffers.
    List(ListDest),
}

/// Where an output of a block is.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// These elements, or this scalar.
    Elements(Access),
    /// At the place the caller wanted.
    Placed,
    /// To be copied to the caller's place when all else is done.
    Copied { from: Id, to: Place },
    /// A list that is no array.
    List,
}

/// The memory of a block.
pub(crate) struct Storage {
    /// By thing: whose storage it takes over, if any.
    base: Vec<Option<Id>>,
    /// By first thing in its storage: where the caller wants it.
    wanted: Vec<Option<Place>>,
    pub(crate) outputs: Vec<Output>,
}

impl Storage {
    /// Decides for a planned block; `owned` inputs may be overwritten. Adds the copies that the outputs need to the
    /// plan.
    pub(crate) fn new(nodes: &mut Nodes<'_>, owned: &[bool], dests: &[Dest]) -> Storage {
        let outputs = nodes.program.outputs();
        for &v in outputs {
            if let Some(Access { root: Root::Node(id), .. }) = nodes.access[v.index()] {
                nodes.plan.info[id].last_use = usize::MAX;
            }
        }
        let mut storage = Storage { base: Vec::new(), wanted: Vec::new(), outputs: Vec::new() };
        storage.base = updates(nodes, owned);
        storage.wanted.resize(storage.base.len(), None);
        storage.outputs = outputs.iter().map(|_| Output::List).collect();
        // First all that reads, then what overwrites.
        let mut carries = Vec::new();
        for (k, (v, dest)) in outputs.iter().zip(dests).enumerate() {
            let Some(access) = nodes.access[v.index()].clone() else { continue };
            let array = dense_type(nodes.program.ty(*v)).is_some_and(|ty| ty.size() > 1);
            storage.outputs[k] = match dest {
                _ if !array => Output::Elements(access),
                Dest::Any | Dest::List(_) => {
                    nodes.plan.read(&access, usize::MAX, false);
                    Output::Elements(access)
                }
                Dest::Fresh(place) => {
                    match storage.free(nodes, &access) {
                        Some(first) => storage.wanted[first] = Some(place.clone()),
                        None => {
                            let copy = storage.copy(nodes, &access);
                            storage.wanted[copy] = Some(place.clone());
                        }
                    }
                    Output::Placed
                }
                Dest::Carry(input, place) => match nodes.plan.whole_of(&access) {
                    Some(id) if storage.first(id) == *input => Output::Placed,
                    Some(id) if storage.first(id) >= owned.len() => {
                        carries.push((k, *input));
                        nodes.plan.read(&access, usize::MAX, false);
                        Output::Copied { from: id, to: place.clone() }
                    }
                    _ => Output::Copied { from: storage.copy(nodes, &access), to: place.clone() },
                },
            };
        }
        let mut shared = vec![false; owned.len()];
        storage.base.iter().flatten().filter(|&&x| x < owned.len()).for_each(|&x| shared[x] = true);
        for (k, input) in carries {
            let Output::Copied { from, to } = storage.outputs[k].clone() else { unreachable!("it is a carry") };
            let first = storage.first(from);
            if storage.wanted[first].is_none() && !shared[input] && overwrites(nodes, first, input) {
                storage.wanted[first] = Some(to);
                storage.outputs[k] = Output::Placed;
            }
        }
        storage
    }

    /// The first thing in the storage that a thing is in.
    pub(crate) fn first(&self, mut id: Id) -> Id {
        while let Some(base) = self.base.get(id).copied().flatten() {
            id = base;
        }
        id
    }

    /// Where the caller wants a thing that is first in its storage.
    pub(crate) fn wanted(&self, id: Id) -> Option<&Place> {
        self.wanted.get(id)?.as_ref()
    }

    /// The first thing of an array's storage, when the array is all of it and it may be placed anywhere.
    fn free(&self, nodes: &mut Nodes<'_>, access: &Access) -> Option<Id> {
        let first = self.first(nodes.plan.whole_of(access)?);
        let free = first >= nodes.program.inputs() && self.wanted[first].is_none();
        free.then(|| nodes.plan.read(access, usize::MAX, false))?;
        Some(first)
    }

    /// A node that copies an array to memory of its own.
    fn copy(&mut self, nodes: &mut Nodes<'_>, access: &Access) -> Id {
        let shape = access.dims.iter().map(|d| d.len).collect();
        let id = nodes.plan.declare(wengert_core::ArrayType { dtype: access.dtype, shape });
        nodes.plan.node(Node { id, kind: Kind::Copy, args: [access.clone()].into_iter().collect() });
        nodes.plan.info[id].stored = true;
        // Copies that the planner added on the way have numbers, too.
        self.base.resize(nodes.plan.info.len(), None);
        self.wanted.resize(nodes.plan.info.len(), None);
        id
    }
}

/// Which things take over their operand's storage: updates of what is read here for the last time.
fn updates(nodes: &Nodes<'_>, owned: &[bool]) -> Vec<Option<Id>> {
    let info = &nodes.plan.info;
    let mut base = vec![None; info.len()];
    for item in &nodes.plan.items {
        let Item::Opaque(opaque) = item else { continue };
        let e = &nodes.program.equations()[opaque.equation];
        for (operand, result) in updated(e) {
            let (Some(Some(access)), Some(y)) = (opaque.args.get(operand), opaque.results[result]) else { continue };
            let Some(x) = nodes.plan.whole_of(access) else { continue };
            let mine = owned.get(x).copied().unwrap_or(true);
            let last = info[x].last_use == opaque.equation + 1;
            if mine && last && !info[y].scalar && !read_twice(opaque, operand, x) {
                base[y] = Some(x);
            }
        }
    }
    base
}

/// The operands that an equation updates, with the results they become.
pub(crate) fn updated(e: &Equation) -> Vec<(usize, usize)> {
    let run = |from: usize, n: usize| (0..n).map(|i| (from + i, i)).collect();
    match (&e.op, e.op.lower()) {
        (_, Lowering::Accumulate { .. } | Lowering::DynamicUpdate { .. } | Lowering::SliceAdd { .. }) => run(0, 1),
        (Op::Loop(op), _) => run(1 + op.length.is_none() as usize + op.inv, op.acc + op.carry),
        (Op::While(op), _) => run(1 + op.inv, op.carry),
        (Op::Cond(op), _) => run(2 + op.inv + op.gated, op.acc),
        _ => Vec::new(),
    }
}

fn read_twice(opaque: &Opaque, operand: usize, x: Id) -> bool {
    let others = opaque.args.iter().enumerate().filter(|(i, _)| *i != operand);
    others.flat_map(|(_, a)| a).any(|a| a.root == Root::Node(x))
}

/// Whether a thing may be written over an input: nothing reads the input later, and what reads it at the same time does
/// so at the element it writes.
fn overwrites(nodes: &Nodes<'_>, id: Id, input: Id) -> bool {
    let Info { written, level, .. } = nodes.plan.info[id];
    let one_pass = |item: &Item| matches!(item, Item::Group(g) if g.inner.is_none());
    let here = matches!(level, Some(Level::Element(_))) && one_pass(&nodes.plan.items[(written - 1) / 2]);
    debug_assert!(level.is_none() || written == moment((written - 1) / 2));
    nodes.plan.info[input].reads.iter().all(|&(when, same)| when < written || (when == written && same && here))
}
