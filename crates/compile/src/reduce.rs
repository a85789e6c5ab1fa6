//! Reductions that are no row of a loop nest: over axes before the last, and the search for the greatest element.

use crate::control::Site;
use crate::emit::{Emitter, moved};
use crate::groups::{Kind, Node};
use crate::index::{Access, Axes, Dim, Dims, Id, Root, dense, joint};
use crate::storage::Place;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::ops::Range;
use wengert_kernel::reduce::{ROW_BLOCK, identity};
use wengert_kernel::routine::{Affine, Count, Fold, Value};
use wengert_kernel::{Binary, Comparison, DType, Scalar, ScalarOp};

/// Rows combined in one sweep over the result.
const SWEEP: usize = 4;

/// Parts of a reduction over many rows, at least and about at most.
const LEAST_PARTS: usize = 4;
const MOST_PARTS: usize = 16;

/// Combines axes that are not the last, in the order of [`wengert_kernel::reduce::fold_rows`], and does the elementwise
/// `work` for its operand as it goes.
pub(crate) fn rows(site: &mut Site<'_, '_>, e: &mut Emitter, work: &[Node], op: Binary, axes: Range<usize>) {
    let Some(id) = site.results[0] else { return };
    let element = match site.args[0].clone() {
        Some(x) => Element { leaves: vec![x], steps: Vec::new() },
        None => Element::new(site, e, work),
    };
    match site.place(e, 0) {
        Some(place) => Sweep { element, op }.reduce(e, axes, &place),
        None => {
            let place = e.memory(element.dtype(), 1);
            Sweep { element, op }.reduce(e, axes, &place);
            let value = e.load(place.buffer, Affine::default());
            site.block.set_value(id, value);
        }
    }
}

/// The sum of a row's elements over one axis, to dense memory.
pub(crate) fn sum(e: &mut Emitter, x: &Access, axis: usize, to: &Place) {
    let outer: Dims = x.dims[..axis].iter().chain(&x.dims[axis + 1..]).copied().collect();
    let shape: Vec<usize> = outer.iter().map(|d| d.len).collect();
    if x.size() == 0 {
        return e.transfer(&Access::literal(Scalar::zero(x.dtype), &shape), to);
    }
    if axis + 1 < x.dims.len() {
        let element = Element { leaves: vec![x.clone()], steps: Vec::new() };
        return Sweep { element, op: Binary::Add }.reduce(e, axis..axis + 1, to);
    }
    let (axes, strides) = joint(&[&outer, &dense(&shape)]);
    let indices = e.begin_nest(&axes);
    let from = moved(&x.at, &indices, &strides[0]);
    let index = e.begin_pass();
    let item = e.element(x, from.plus(index, x.dims[axis].stride));
    let result = e.value(x.dtype);
    e.end_pass(index, x.dims[axis].len, vec![Fold { op: Binary::Add, item, result }]);
    e.store(to.buffer, moved(&to.at, &indices, &strides[1]), result);
    e.end_nest(&axes, &indices);
}

/// How an element of the operand is computed from elements of arrays of its shape.
struct Element {
    leaves: Vec<Access>,
    /// Operations on leaves and, after them, on results of earlier steps. The last one gives the element; with none it
    /// is the only leaf.
    steps: Vec<(ScalarOp, Vec<usize>)>,
}

impl Element {
    fn new(site: &mut Site<'_, '_>, e: &mut Emitter, work: &[Node]) -> Element {
        let step: HashMap<Id, usize> = work.iter().enumerate().map(|(i, node)| (node.id, i)).collect();
        let mut leaves = Vec::new();
        let mut steps = Vec::new();
        for node in work {
            let Kind::Map(op) = node.kind else { unreachable!("the work inside a reduction is elementwise") };
            let mut args = Vec::new();
            for arg in &node.args {
                match arg.root {
                    Root::Node(id) if step.contains_key(&id) => args.push(Err(step[&id])),
                    _ => {
                        leaves.push(site.block.resolve(e, arg));
                        args.push(Ok(leaves.len() - 1));
                    }
                }
            }
            steps.push((op, args));
        }
        let number = |arg: Result<usize, usize>| arg.unwrap_or_else(|step| leaves.len() + step);
        let steps = steps.into_iter().map(|(op, args)| (op, args.into_iter().map(number).collect())).collect();
        Element { leaves, steps }
    }

    fn dtype(&self) -> DType {
        let mut dtypes: Vec<DType> = self.leaves.iter().map(|leaf| leaf.dtype).collect();
        for (op, args) in &self.steps {
            let args: Vec<DType> = args.iter().map(|&i| dtypes[i]).collect();
            dtypes.push(op.infer(&args).expect("the program's operation takes these dtypes"));
        }
        *dtypes.last().expect("an element comes from somewhere")
    }

    /// The element, from where the leaves' elements are.
    fn value(&self, e: &mut Emitter, at: Vec<Affine>) -> Value {
        let mut values: Vec<Value> = self.leaves.iter().zip(at).map(|(leaf, at)| e.element(leaf, at)).collect();
        for (op, args) in &self.steps {
            let args: Vec<Value> = args.iter().map(|&i| values[i]).collect();
            values.push(e.apply(*op, &args));
        }
        *values.last().expect("an element comes from somewhere")
    }
}

/// A reduction of rows, strip by strip: a strip is a run of elements along the last axis.
struct Sweep {
    element: Element,
    op: Binary,
}

/// Elements at one distance from each other: a strip of the result, or of memory for one.
#[derive(Clone)]
struct Run {
    place: Place,
    step: i64,
}

impl Run {
    fn at(&self, index: Value) -> Affine {
        self.place.at.clone().plus(index, self.step)
    }
}

/// Where a strip of the leaves begins, and how it goes on.
struct Strip {
    /// The first row, by leaf.
    at: Vec<Affine>,
    /// Axes of the rows, and the steps along them by leaf.
    rows: Axes,
    row_steps: Vec<SmallVec<[i64; 4]>>,
    /// Elements, and the steps from one to the next by leaf.
    len: usize,
    steps: Vec<i64>,
}

impl Strip {
    fn count(&self) -> usize {
        self.rows.iter().product()
    }

    /// Where the elements of a row begin, and go on with the index.
    fn row(&self, e: &mut Emitter, row: &Affine) -> Vec<Affine> {
        let counters: Vec<Affine> = if self.rows.len() <= 1 {
            vec![row.clone()]
        } else {
            // Rows do not follow each other at one distance.
            let mut row = e.index(row);
            let mut counters = Vec::new();
            for &n in self.rows.iter().rev() {
                let n = e.int(n as i64);
                counters.push(Affine::value(e.binary(Binary::Rem, row, n)));
                row = e.binary(Binary::Div, row, n);
            }
            counters.reverse();
            counters
        };
        let place = |(at, steps): (&Affine, &SmallVec<[i64; 4]>)| {
            counters.iter().zip(steps).fold(at.clone(), |at, (k, &s)| at.plus_affine(k, s))
        };
        self.at.iter().zip(&self.row_steps).map(place).collect()
    }
}

impl Sweep {
    fn reduce(&self, e: &mut Emitter, reduced: Range<usize>, to: &Place) {
        let leaves = &self.element.leaves;
        let kept =
            |dims: &Dims| -> Dims { dims[..reduced.start].iter().chain(&dims[reduced.end..]).copied().collect() };
        let mut parts: Vec<Dims> = leaves.iter().map(|leaf| kept(&leaf.dims)).collect();
        let shape: Vec<usize> = parts[0].iter().map(|d| d.len).collect();
        parts.push(dense(&shape));
        let (axes, strides) = joint(&parts.iter().map(|p| &p[..]).collect::<Vec<_>>());
        // The strip is the last axis, unless that is before the rows.
        let strip = leaves[0].dims[reduced.end..].iter().any(|d| d.len > 1);
        let outer = if strip { &axes[..axes.len() - 1] } else { &axes[..] };
        let last = |strides: &SmallVec<[i64; 4]>| if strip { strides[axes.len() - 1] } else { 0 };
        let (to_strides, strides) = strides.split_last().expect("the result is a part");
        let rows: Vec<&[Dim]> = leaves.iter().map(|leaf| &leaf.dims[reduced.clone()]).collect();
        let (rows, row_steps) = joint(&rows);
        let indices = e.begin_nest(outer);
        let strip = Strip {
            at: leaves.iter().zip(strides).map(|(leaf, s)| moved(&leaf.at, &indices, s)).collect(),
            rows,
            row_steps,
            len: if strip { axes[axes.len() - 1] } else { 1 },
            steps: strides.iter().map(last).collect(),
        };
        let place = Place { buffer: to.buffer, at: moved(&to.at, &indices, to_strides) };
        self.strip(e, &strip, &Run { place, step: last(to_strides) });
        e.end_nest(outer, &indices);
    }

    /// All rows of a strip. Many of them are cut into equal parts, powers of two of blocks, that several threads may do: the result of
    /// each is a node of the tree in which blocks are combined.
    fn strip(&self, e: &mut Emitter, strip: &Strip, to: &Run) {
        let count = strip.count();
        let blocks = count.div_ceil(ROW_BLOCK);
        if blocks < LEAST_PARTS || (count as u64 * strip.len as u64) / 8 < e.parallel {
            return self.rows(e, strip, &Affine::default(), count, to);
        }
        let part = ROW_BLOCK * blocks.div_ceil(MOST_PARTS).next_power_of_two();
        let (whole, rest) = (count / part, count % part);
        let nodes = whole + (rest > 0) as usize;
        let place = e.memory(self.element.dtype(), nodes * strip.len);
        let node = |number: Affine| {
            let at = Affine::default().plus_affine(&number, strip.len as i64);
            Run { place: Place { buffer: place.buffer, at }, step: 1 }
        };
        let index = e.begin_for();
        let first = Affine::default().plus(index, part as i64);
        self.rows(e, strip, &first, part, &node(Affine::value(index)));
        e.end_for(index, Count::Const(whole as u64));
        if rest > 0 {
            let first = Affine::constant((whole * part) as i64);
            self.rows(e, strip, &first, rest, &node(Affine::constant(whole as i64)));
        }
        // The largest power of two of nodes is the left half.
        let mut step = 1;
        while step < nodes {
            for left in (0..nodes - step).step_by(2 * step) {
                let [left, right] = [left, left + step].map(|n| node(Affine::constant(n as i64)));
                combine(e, self.op, strip.len, &left, &right, if 2 * step >= nodes { to } else { &left });
            }
            step *= 2;
        }
    }

    /// Some rows from the first on, of which there are whole blocks before.
    fn rows(&self, e: &mut Emitter, strip: &Strip, first: &Affine, count: usize, to: &Run) {
        let (blocks, rest) = (count / ROW_BLOCK, count % ROW_BLOCK);
        if count <= ROW_BLOCK {
            return self.block(e, strip, first, count, to);
        }
        // Blocks are combined like a binary counter: level `l` holds the result of 2^l blocks.
        let total = blocks + (rest > 0) as usize;
        let levels = usize::BITS - total.leading_zeros();
        let dtype = self.element.dtype();
        let memory: Vec<Run> = (0..=levels).map(|_| Run { place: e.memory(dtype, strip.len), step: 1 }).collect();
        let (result, levels) = memory.split_last().expect("there is one more than levels");
        let index = e.begin_for();
        self.block(e, strip, &first.clone().plus(index, ROW_BLOCK as i64), ROW_BLOCK, result);
        push_block(e, self.op, strip.len, index, result, levels);
        e.end_for(index, Count::Const(blocks as u64));
        if rest > 0 {
            self.block(e, strip, &first.clone().shifted((blocks * ROW_BLOCK) as i64), rest, result);
            let index = e.int(blocks as i64);
            push_block(e, self.op, strip.len, index, result, levels);
        }
        let held: Vec<&Run> = (0..levels.len()).filter(|l| total >> l & 1 == 1).map(|l| &levels[l]).collect();
        let (right, higher) = held.split_first().expect("there are blocks");
        for (i, left) in higher.iter().enumerate() {
            let to = if i + 1 == higher.len() { to } else { *right };
            combine(e, self.op, strip.len, left, right, to);
        }
        if higher.is_empty() {
            copy(e, strip.len, right, to);
        }
    }

    /// Combines `count` rows from row `first` on.
    fn block(&self, e: &mut Emitter, strip: &Strip, first: &Affine, count: usize, to: &Run) {
        let head = if count <= 4 * SWEEP { count } else { SWEEP };
        self.sweep(e, strip, first, head, None, to);
        let whole = (count - head) / SWEEP;
        if whole > 0 {
            let index = e.begin_for();
            let from = first.clone().shifted(head as i64).plus(index, SWEEP as i64);
            self.sweep(e, strip, &from, SWEEP, Some(to), to);
            e.end_for(index, Count::Const(whole as u64));
        }
        let done = head + whole * SWEEP;
        if done < count {
            self.sweep(e, strip, &first.clone().shifted(done as i64), count - done, Some(to), to);
        }
    }

    /// Combines a few rows with what is there `before`, or with the identity.
    fn sweep(&self, e: &mut Emitter, strip: &Strip, first: &Affine, rows: usize, before: Option<&Run>, to: &Run) {
        let rows: Vec<Vec<Affine>> = (0..rows as i64).map(|k| strip.row(e, &first.clone().shifted(k))).collect();
        let index = e.begin_pass();
        let mut acc = match before {
            Some(run) => e.load(run.place.buffer, run.at(index)),
            None => e.constant(identity(self.op, self.element.dtype())),
        };
        for row in rows {
            let at = row.into_iter().zip(&strip.steps).map(|(at, &step)| at.plus(index, step)).collect();
            let x = self.element.value(e, at);
            acc = e.binary(self.op, acc, x);
        }
        e.store(to.place.buffer, to.at(index), acc);
        e.end_pass(index, strip.len, Vec::new());
    }
}

/// Adds the result of block `index` to the levels.
fn push_block(e: &mut Emitter, op: Binary, len: usize, index: Value, result: &Run, levels: &[Run]) {
    let mut carrying = e.constant(Scalar::new(true));
    for (l, level) in levels.iter().enumerate() {
        let mask = e.int(1 << l);
        let bit = e.binary(Binary::And, index, mask);
        let set = e.apply(ScalarOp::Compare(Comparison::Eq), &[bit, mask]);
        let combines = e.binary(Binary::And, carrying, set);
        let rests = e.binary(Binary::Xor, combines, carrying);
        let add = |e: &mut Emitter| {
            combine(e, op, len, level, result, result);
            Vec::new()
        };
        e.branch(combines, add, |_| Vec::new());
        let keep = |e: &mut Emitter| {
            copy(e, len, result, level);
            Vec::new()
        };
        e.branch(rests, keep, |_| Vec::new());
        carrying = combines;
    }
}

/// `to = op(left, right)`.
fn combine(e: &mut Emitter, op: Binary, len: usize, left: &Run, right: &Run, to: &Run) {
    let index = e.begin_pass();
    let [x, y] = [left, right].map(|run| e.load(run.place.buffer, run.at(index)));
    let sum = e.binary(op, x, y);
    e.store(to.place.buffer, to.at(index), sum);
    e.end_pass(index, len, Vec::new());
}

fn copy(e: &mut Emitter, len: usize, from: &Run, to: &Run) {
    let index = e.begin_pass();
    let x = e.load(from.place.buffer, from.at(index));
    e.store(to.place.buffer, to.at(index), x);
    e.end_pass(index, len, Vec::new());
}

/// The index of the first greatest or least element along an axis; the first NaN wins.
pub(crate) fn arg(site: &mut Site<'_, '_>, e: &mut Emitter, max: bool, axis: usize) {
    let x = site.arg(0).clone();
    let Some(id) = site.results[0] else { return };
    let kept: Dims = x.dims[..axis].iter().chain(&x.dims[axis + 1..]).copied().collect();
    let shape: Vec<usize> = kept.iter().map(|d| d.len).collect();
    let (axes, strides) = joint(&[&kept, &dense(&shape)]);
    let place = site.place(e, 0);
    let indices = e.begin_nest(&axes);
    let from = moved(&x.at, &indices, &strides[0]);
    let Dim { len, stride } = x.dims[axis];
    let first = e.element(&x, from.clone());
    let zero = e.int(0);
    let rounds = Count::Const(len as u64 - 1);
    let best = e.for_loop(rounds, false, &[first, zero], |e, k, carried| {
        let candidate = e.element(&x, from.shifted(stride).plus(k, stride));
        let comparison = if max { Comparison::Gt } else { Comparison::Lt };
        let mut better = e.apply(ScalarOp::Compare(comparison), &[candidate, carried[0]]);
        if x.dtype.is_float() {
            let is_nan = e.apply(ScalarOp::Compare(Comparison::Ne), &[candidate, candidate]);
            let is_number = e.apply(ScalarOp::Compare(Comparison::Eq), &[carried[0], carried[0]]);
            better = e.binary(Binary::Or, better, is_nan);
            better = e.binary(Binary::And, better, is_number);
        }
        let next = e.index(&Affine::constant(1).plus(k, 1));
        [(candidate, carried[0]), (next, carried[1])]
            .map(|(new, old)| e.apply(ScalarOp::Select, &[better, new, old]))
            .to_vec()
    });
    match place {
        Some(place) => e.store(place.buffer, moved(&place.at, &indices, &strides[1]), best[1]),
        None => site.block.set_value(id, best[1]),
    }
    e.end_nest(&axes, &indices);
}
