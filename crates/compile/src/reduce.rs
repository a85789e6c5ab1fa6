//! Reductions that are no row of a loop nest: over axes before the last, and the search for the greatest element.

use crate::control::Site;
use crate::emit::{Emitter, moved};
use crate::index::{Access, Dim, Dims, dense, joint};
use crate::storage::Place;
use wengert_kernel::reduce::{ROW_BLOCK, identity};
use wengert_kernel::routine::{Affine, Count, Fold, Value};
use wengert_kernel::{Binary, Comparison, Scalar, ScalarOp};

/// Rows combined in one sweep over the result.
const SWEEP: usize = 4;

/// Combines the axes `start..end`, which are not the last, in the order of [`wengert_kernel::reduce::fold_rows`].
pub(crate) fn rows(site: &mut Site<'_, '_>, e: &mut Emitter, op: Binary, start: usize, end: usize) {
    let x = site.arg(0).clone();
    let Some(id) = site.results[0] else { return };
    match site.place(e, 0) {
        Some(place) => Sweep { x: &x, op }.reduce(e, start, end, &place),
        None => {
            let place = e.memory(x.dtype, 1);
            Sweep { x: &x, op }.reduce(e, start, end, &place);
            let value = e.load(place.buffer, Affine::default());
            site.block.set_value(id, value);
        }
    }
}

/// The sum of a row's elements over one axis, to dense memory.
pub(crate) fn sum(e: &mut Emitter, x: &Access, axis: usize, to: &Place) {
    let rank = x.dims.len();
    if axis + 1 < rank && x.size() > 0 {
        return Sweep { x, op: Binary::Add }.reduce(e, axis, axis + 1, to);
    }
    let outer: Dims = x.dims[..axis].iter().chain(&x.dims[axis + 1..]).copied().collect();
    let shape: Vec<usize> = outer.iter().map(|d| d.len).collect();
    if x.size() == 0 {
        let zero = Access::literal(Scalar::zero(x.dtype), &shape);
        return e.transfer(&zero, to);
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

/// A reduction of rows, strip by strip: a strip is a run of elements along the last axis.
struct Sweep<'a> {
    x: &'a Access,
    op: Binary,
}

/// Where a strip of the operand and of the result begin, and how they go on.
struct Strip {
    /// The first row.
    x: Affine,
    /// From row to row, by axis reduced.
    rows: Dims,
    /// Number of rows.
    count: usize,
    /// Elements, with the steps in the operand and in the result.
    len: usize,
    step: i64,
    to_step: i64,
}

impl Sweep<'_> {
    fn reduce(&self, e: &mut Emitter, start: usize, end: usize, to: &Place) {
        let dims = &self.x.dims;
        let kept: Dims = dims[..start].iter().chain(&dims[end..]).copied().collect();
        let shape: Vec<usize> = kept.iter().map(|d| d.len).collect();
        if shape.contains(&0) {
            return;
        }
        let (axes, strides) = joint(&[&kept, &dense(&shape)]);
        // The strip is the last axis, unless that is before the rows.
        let strip = dims[end..].iter().any(|d| d.len > 1);
        let outer = if strip { &axes[..axes.len() - 1] } else { &axes[..] };
        let last = |part: usize| if strip { strides[part].last().copied().unwrap_or(0) } else { 0 };
        let indices = e.begin_nest(outer);
        let x = moved(&self.x.at, &indices, &strides[0]);
        let rows = crate::index::merged(&dims[start..end]);
        let count = rows.iter().map(|d| d.len).product();
        let len = if strip { axes[axes.len() - 1] } else { 1 };
        let strip = Strip { x, rows, count, len, step: last(0), to_step: last(1) };
        let to = Place { buffer: to.buffer, at: moved(&to.at, &indices, &strides[1]) };
        self.strip(e, &strip, &to);
        e.end_nest(outer, &indices);
    }

    fn strip(&self, e: &mut Emitter, strip: &Strip, to: &Place) {
        let blocks = strip.count / ROW_BLOCK;
        let rest = strip.count % ROW_BLOCK;
        if strip.count <= ROW_BLOCK {
            return self.block(e, strip, &Affine::default(), strip.count, to, strip.to_step);
        }
        // Blocks are combined like a binary counter: level `l` holds the result of 2^l blocks.
        let total = blocks + (rest > 0) as usize;
        let levels = usize::BITS - total.leading_zeros();
        let memory: Vec<Place> = (0..=levels).map(|_| e.memory(self.x.dtype, strip.len)).collect();
        let (result, levels) = memory.split_last().expect("there is one more than levels");
        let index = e.begin_for();
        let first = Affine::constant(0).plus(index, ROW_BLOCK as i64);
        self.block(e, strip, &first, ROW_BLOCK, result, 1);
        self.push_block(e, strip, index, result, levels);
        e.end_for(index, Count::Const(blocks as u64));
        if rest > 0 {
            let first = Affine::constant((blocks * ROW_BLOCK) as i64);
            self.block(e, strip, &first, rest, result, 1);
            let index = e.int(blocks as i64);
            self.push_block(e, strip, index, result, levels);
        }
        let held: Vec<&Place> = (0..levels.len()).filter(|l| total >> l & 1 == 1).map(|l| &levels[l]).collect();
        for (i, level) in held.iter().enumerate().skip(1) {
            let (left, right) = (level, held[0]);
            let last = i + 1 == held.len();
            let (target, step) = if last { (to, strip.to_step) } else { (held[0], 1) };
            self.combine(e, strip.len, left, right, target, step);
        }
        if held.len() == 1 {
            self.move_to(e, strip.len, held[0], to, strip.to_step);
        }
    }

    /// Adds the result of block `index` to the levels.
    fn push_block(&self, e: &mut Emitter, strip: &Strip, index: Value, result: &Place, levels: &[Place]) {
        let mut carrying = e.constant(Scalar::new(true));
        for (l, level) in levels.iter().enumerate() {
            let mask = e.int(1 << l);
            let bit = e.binary(Binary::And, index, mask);
            let set = e.apply(ScalarOp::Compare(Comparison::Eq), &[bit, mask]);
            let combines = e.binary(Binary::And, carrying, set);
            let rests = e.apply(ScalarOp::Compare(Comparison::Ne), &[combines, carrying]);
            e.branch(combines, |e| { self.combine(e, strip.len, level, result, result, 1); Vec::new() }, |_| Vec::new());
            e.branch(rests, |e| { self.move_to(e, strip.len, result, level, 1); Vec::new() }, |_| Vec::new());
            carrying = combines;
        }
    }

    /// Combines `count` rows from row `first` on, which is a linear form in rows.
    fn block(&self, e: &mut Emitter, strip: &Strip, first: &Affine, count: usize, to: &Place, to_step: i64) {
        if strip.rows.len() > 1 {
            return self.block_of_axes(e, strip, first, count, to, to_step);
        }
        let stride = strip.rows.first().map_or(0, |d| d.stride);
        let at = strip.x.clone().plus_affine(first, stride);
        let head = if count <= 4 * SWEEP { count } else { SWEEP };
        let sweep = |e: &mut Emitter, from: &Affine, rows: usize, begins: bool| {
            let index = e.begin_pass();
            let place = to.at.clone().plus(index, to_step);
            let mut acc = if begins {
                e.constant(identity(self.op, self.x.dtype))
            } else {
                e.load(to.buffer, place.clone())
            };
            for row in 0..rows as i64 {
                let x = e.element(self.x, from.clone().shifted(row * stride).plus(index, strip.step));
                acc = e.binary(self.op, acc, x);
            }
            e.store(to.buffer, place, acc);
            e.end_pass(index, strip.len, Vec::new());
        };
        sweep(e, &at, head, true);
        let whole = (count - head) / SWEEP;
        if whole > 0 {
            let index = e.begin_for();
            let from = at.clone().shifted(head as i64 * stride).plus(index, SWEEP as i64 * stride);
            sweep(e, &from, SWEEP, false);
            e.end_for(index, Count::Const(whole as u64));
        }
        let done = head + whole * SWEEP;
        if done < count {
            sweep(e, &at.shifted(done as i64 * stride), count - done, false);
        }
    }

    /// The same, where rows do not follow each other at one distance.
    fn block_of_axes(&self, e: &mut Emitter, strip: &Strip, first: &Affine, count: usize, to: &Place, to_step: i64) {
        let index = e.begin_pass();
        let start = e.constant(identity(self.op, self.x.dtype));
        e.store(to.buffer, to.at.clone().plus(index, to_step), start);
        e.end_pass(index, strip.len, Vec::new());
        let index = e.begin_for();
        let mut row = e.index(&first.clone().plus(index, 1));
        let mut at = strip.x.clone();
        for dim in strip.rows.iter().rev() {
            let len = e.int(dim.len as i64);
            let (outside, inside) = (e.binary(Binary::Div, row, len), e.binary(Binary::Rem, row, len));
            at = at.plus(inside, dim.stride);
            row = outside;
        }
        let element = e.begin_pass();
        let place = to.at.clone().plus(element, to_step);
        let acc = e.load(to.buffer, place.clone());
        let x = e.element(self.x, at.plus(element, strip.step));
        let acc = e.binary(self.op, acc, x);
        e.store(to.buffer, place, acc);
        e.end_pass(element, strip.len, Vec::new());
        e.end_for(index, Count::Const(count as u64));
    }

    /// `to = op(left, right)`.
    fn combine(&self, e: &mut Emitter, len: usize, left: &Place, right: &Place, to: &Place, to_step: i64) {
        let index = e.begin_pass();
        let x = e.load(left.buffer, left.at.clone().plus(index, 1));
        let y = e.load(right.buffer, right.at.clone().plus(index, 1));
        let sum = e.binary(self.op, x, y);
        e.store(to.buffer, to.at.clone().plus(index, to_step), sum);
        e.end_pass(index, len, Vec::new());
    }

    fn move_to(&self, e: &mut Emitter, len: usize, from: &Place, to: &Place, to_step: i64) {
        let index = e.begin_pass();
        let x = e.load(from.buffer, from.at.clone().plus(index, 1));
        e.store(to.buffer, to.at.clone().plus(index, to_step), x);
        e.end_pass(index, len, Vec::new());
    }
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
