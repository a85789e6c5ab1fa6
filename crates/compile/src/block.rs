//! One block: a program, with what its inputs are bound to, written as statements where the emitter stands.

use crate::emit::Emitter;
use crate::groups::Item;
use crate::index::{Access, Id, Root};
use crate::lists::{self, List, ListDest};
use crate::nodes::Nodes;
use crate::storage::{self, Dest, Place, Storage};
use crate::{control, loops};
use wengert_core::program::{Program, Var};
use wengert_core::types::ArrayType;
use wengert_kernel::routine::Value;

/// What an input is bound to, or an output found as.
#[derive(Clone, Debug)]
pub(crate) enum Bound {
    /// Elements whose root is known outside.
    Elements(Access),
    /// Memory that the block may write over (input only).
    Owned(Place),
    /// A list that is no array.
    List(List),
}

/// A block being written.
pub(crate) struct Block<'p> {
    pub(crate) nodes: Nodes<'p>,
    storage: Storage,
    values: Vec<Option<Value>>,
    places: Vec<Option<Place>>,
    lists: Vec<Option<List>>,
    /// By variable: where a list is wanted.
    list_dests: Vec<Option<ListDest>>,
}

/// Writes a program's statements; returns its outputs.
pub(crate) fn run(e: &mut Emitter, program: &Program, inputs: &[Bound], dests: &[Dest]) -> Vec<Bound> {
    let accesses = inputs.iter().map(|b| if let Bound::Elements(access) = b { Some(access.clone()) } else { None });
    let mut nodes = Nodes::new(program, accesses.collect());
    let owned: Vec<bool> = inputs.iter().map(|b| matches!(b, Bound::Owned(_))).collect();
    let storage = Storage::new(&mut nodes, &owned, dests);
    let things = nodes.plan.info.len();
    let mut block = Block {
        nodes,
        storage,
        values: vec![None; things],
        places: vec![None; things],
        lists: vec![None; program.vars()],
        list_dests: vec![None; program.vars()],
    };
    for (i, input) in inputs.iter().enumerate() {
        match input {
            Bound::Elements(_) => {}
            Bound::Owned(place) => block.places[i] = Some(place.clone()),
            Bound::List(list) => block.lists[i] = Some(list.clone()),
        }
    }
    for (v, dest) in program.outputs().iter().zip(dests) {
        if let (Dest::List(dest), false) = (dest, v.index() < program.inputs()) {
            block.list_dests[v.index()].get_or_insert(dest.clone());
        }
    }
    let items = std::mem::take(&mut block.nodes.plan.items);
    let between = std::mem::take(&mut block.nodes.plan.between);
    for (i, scalars) in between.iter().enumerate() {
        for &node in scalars {
            loops::scalar(&mut block, e, node);
        }
        match items.get(i) {
            Some(Item::Group(group)) => loops::group(&mut block, e, i, group),
            Some(Item::Opaque(opaque)) => control::opaque(&mut block, e, opaque),
            None => {}
        }
    }
    block.outputs(e, program, dests)
}

impl Block<'_> {
    fn outputs(&mut self, e: &mut Emitter, program: &Program, dests: &[Dest]) -> Vec<Bound> {
        let outputs = std::mem::take(&mut self.storage.outputs);
        let mut bound = Vec::with_capacity(dests.len());
        for ((v, dest), output) in program.outputs().iter().zip(dests).zip(&outputs) {
            let placed = |place: &Place| {
                let ty = lists::dense_type(program.ty(*v)).expect("it is an array");
                Bound::Elements(Access { at: place.at.clone(), ..Access::dense(Root::Memory(place.buffer), &ty) })
            };
            bound.push(match (output, dest) {
                (storage::Output::Elements(access), _) => Bound::Elements(self.resolve(e, access)),
                (_, Dest::Fresh(place) | Dest::Carry(_, place)) => placed(place),
                (storage::Output::List, Dest::List(dest)) => {
                    let list = self.list(*v).clone();
                    Bound::List(if list.is_at(dest) { list } else { lists::append(e, &list, dest) })
                }
                _ => Bound::List(self.list(*v).clone()),
            });
        }
        for output in &outputs {
            if let storage::Output::Copied { from, to } = output {
                let from = self.nodes.plan.whole(*from);
                let from = self.resolve(e, &from);
                e.transfer(&from, to);
                e.report.copies += 1;
            }
        }
        bound
    }

    /// The elements with a root that is known outside of this block.
    pub(crate) fn resolve(&mut self, e: &mut Emitter, access: &Access) -> Access {
        let mut to = access.clone();
        for start in to.starts.drain(..) {
            to.at = to.at.plus(self.value(start), 1);
        }
        if let Root::Node(id) = to.root {
            if self.nodes.plan.info[id].scalar {
                to.root = Root::Value(self.value(id));
            } else {
                let place = self.place(e, id);
                to.root = Root::Memory(place.buffer);
                to.at = to.at.plus_affine(&place.at, 1);
            }
        }
        to
    }

    /// The memory of a thing, made when it is first asked for.
    pub(crate) fn place(&mut self, e: &mut Emitter, id: Id) -> Place {
        let first = self.storage.first(id);
        if let Some(place) = &self.places[first] {
            return place.clone();
        }
        let ArrayType { dtype, .. } = self.nodes.plan.info[first].ty;
        let place = match self.storage.wanted(first) {
            Some(place) => place.clone(),
            None => e.memory(dtype, self.nodes.plan.info[first].ty.size()),
        };
        self.places[first] = Some(place.clone());
        place
    }

    /// The memory of a result that takes over an operand's elements: they are there already, or copied there now.
    pub(crate) fn updated(&mut self, e: &mut Emitter, operand: &Access, result: Id) -> Place {
        let in_place = self.storage.first(result) != result;
        let place = self.place(e, result);
        if !in_place {
            e.transfer(operand, &place);
            e.report.copies += 1;
        }
        place
    }

    /// The value of a scalar.
    pub(crate) fn value(&self, id: Id) -> Value {
        self.values[id].expect("a scalar is computed before it is read")
    }

    pub(crate) fn set_value(&mut self, id: Id, value: Value) {
        self.values[id] = Some(value);
    }

    pub(crate) fn list(&self, v: Var) -> &List {
        self.lists[v.index()].as_ref().expect("a list is made before it is read")
    }

    pub(crate) fn set_list(&mut self, v: Var, list: List) {
        self.lists[v.index()] = Some(list);
    }

    /// Where a list is to be written: where the caller wants it, or new buffers.
    pub(crate) fn list_dest(&mut self, e: &mut Emitter, v: Var) -> ListDest {
        match self.list_dests[v.index()].take() {
            Some(dest) => dest,
            None => ListDest::new(e, self.nodes.program.ty(v)),
        }
    }
}
