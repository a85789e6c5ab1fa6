//! The vector loop. A plan is emitted as rounds of vectors, several per turn of the loop, the last few rounds one by
//! one; or, when vectors do not pay or are not to be had, as scalar rounds. A pass with elementary functions goes by
//! tiles of such loops, see `tile.rs`.

use crate::emit::Emitter;
use crate::fold::State;
use crate::plan::{Plan, Step, Stream};
use crate::scalar::scalar_type;
use crate::tile::Tiling;
use crate::vector::{Lanes, Operand};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value as Ssa, types};
use std::collections::HashMap;
use wengert_kernel::DType;
use wengert_kernel::routine::{Affine, Fold, Stmt, Value};

/// Turns of a loop up to which it is written out.
const MOST_TURNS: u64 = 1;

/// Steps up to which the rounds left over are written out.
const MOST_STEPS: u64 = 64;

/// How a pass is emitted.
pub(crate) enum Shape<'a> {
    /// As one loop.
    Loop(Plan<'a>),
    /// Tile by tile.
    Tiles(Tiling<'a>),
}

/// Where a round stands: at `first + extra`, with the streams' addresses for `first`.
#[derive(Clone)]
struct Place {
    first: Ssa,
    addresses: Vec<Ssa>,
    extra: u64,
}

impl<'a> Shape<'a> {
    /// The plan; without its steps when these are tiled.
    pub fn plan(&self) -> &Plan<'a> {
        match self {
            Shape::Loop(plan) => plan,
            Shape::Tiles(tiling) => &tiling.plan,
        }
    }
}

impl<'a> Emitter<'a, '_> {
    /// A whole pass.
    pub fn pass(&mut self, index: Value, count: u64, body: &'a [Stmt], folds: &'a [Fold]) {
        if count == 0 {
            for fold in folds {
                let identity = self.identity(fold);
                self.set(fold.result, identity);
            }
            return;
        }
        let shape = if count == 1 {
            Shape::Loop(self.single(index, body, folds))
        } else {
            let plan = self.study(index, count, body, folds);
            self.shape(plan, count)
        };
        if folds.is_empty() {
            self.rounds(&shape, None, count, &mut []);
        } else {
            self.fold_blocks(&shape, count);
        }
    }

    /// A pass of one round: nothing is moved, so that it may read what it has written.
    fn single(&mut self, index: Value, body: &'a [Stmt], folds: &'a [Fold]) -> Plan<'a> {
        let zero = self.b.ins().iconst(types::I64, 0);
        self.set(index, zero);
        body.iter().for_each(|stmt| self.stmt(stmt));
        Plan {
            index,
            steps: Vec::new(),
            folds: folds.iter().enumerate().collect(),
            lanes: None,
            unroll: 1,
            wide: false,
        }
    }

    /// The rounds `base..base + len`; without a base, from 0. A base is a whole number of blocks of reductions.
    pub fn rounds(&mut self, shape: &Shape<'a>, base: Option<Ssa>, len: u64, states: &mut [State]) {
        match shape {
            Shape::Loop(plan) => self.range(plan, base, len, states),
            Shape::Tiles(tiling) => self.tiles(tiling, base, len, states),
        }
    }

    /// [`Emitter::rounds`] of one loop.
    pub fn range(&mut self, plan: &Plan<'a>, base: Option<Ssa>, len: u64, states: &mut [State]) {
        if plan.wide && self.wide_range(plan, base, len, states) {
            return;
        }
        let steps = plan.steps.len() as u64 + 1;
        let mut done = 0;
        // First the turns of several rounds, then single rounds of vectors, then scalar rounds.
        let forms = [(plan.lanes, plan.unroll), (plan.lanes, 1), (None, 1)];
        for (form, unroll) in forms {
            let per_round = form.map_or(1, |lanes| lanes.count() as u64);
            let (rounds, turns) = ((len - done) / per_round, (len - done) / (per_round * unroll));
            let looped = turns > MOST_TURNS && (unroll > 1 || rounds * steps > MOST_STEPS);
            if looped && states.iter().all(|s| s.may_loop(form, unroll)) {
                let end = done + turns * unroll * per_round;
                self.turns(plan, (form, unroll), base, (done, end), states);
                done = end;
            } else if unroll == 1 {
                let place = self.place(plan, base, done);
                for k in 0..rounds {
                    let at = Place { extra: k * per_round, ..place.clone() };
                    self.round(plan, form, at, done / per_round + k, states);
                }
                done += rounds * per_round;
            }
        }
    }

    /// The rounds from `ends.0` to `ends.1` as a loop of `unroll` rounds a turn.
    fn turns(
        &mut self,
        plan: &Plan<'a>,
        (form, unroll): (Option<Lanes>, u64),
        base: Option<Ssa>,
        ends: (u64, u64),
        states: &mut [State],
    ) {
        let per_round = form.map_or(1, |lanes| lanes.count() as u64);
        self.settle(plan, form, states);
        let ends = (self.round_number(base, ends.0), self.round_number(base, ends.1));
        self.counted_loop(ends, unroll * per_round, states, |emitter, i, states| {
            let place = Place { first: i, addresses: emitter.addresses(plan, i), extra: 0 };
            for k in 0..unroll {
                let at = Place { extra: k * per_round, ..place.clone() };
                emitter.round(plan, form, at, k, states);
            }
        });
    }

    /// A loop from the first end, below the second, that carries the accumulators.
    pub fn counted_loop(
        &mut self,
        (first, end): (Ssa, Ssa),
        step: u64,
        states: &mut [State],
        body: impl FnOnce(&mut Self, Ssa, &mut [State]),
    ) {
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let i = self.b.append_block_param(head, types::I64);
        let mut args = vec![first];
        args.extend(State::values(states));
        for &ssa in &args[1..] {
            let ty = self.b.func.dfg.value_type(ssa);
            self.b.append_block_param(head, ty);
            self.b.append_block_param(exit, ty);
        }
        self.jump(head, &args);
        self.b.switch_to_block(head);
        let inner = self.b.block_params(head)[1..].to_vec();
        State::set_values(states, &inner);
        body(self, i, states);
        let next = self.plus(i, step as i64);
        let again = self.b.ins().icmp(IntCC::SignedLessThan, next, end);
        let after = State::values(states);
        let mut args = vec![next];
        args.extend(&after);
        self.branch_to(again, head, &args, exit, &after);
        self.b.switch_to_block(exit);
        let outer = self.b.block_params(exit).to_vec();
        State::set_values(states, &outer);
    }

    fn place(&mut self, plan: &Plan<'a>, base: Option<Ssa>, done: u64) -> Place {
        let first = self.round_number(base, done);
        Place { first, addresses: self.addresses(plan, first), extra: 0 }
    }

    fn round_number(&mut self, base: Option<Ssa>, k: u64) -> Ssa {
        match base {
            None => self.b.ins().iconst(types::I64, k as i64),
            Some(base) if k == 0 => base,
            Some(base) => self.plus(base, k as i64),
        }
    }

    /// The streams' addresses for a round.
    pub fn addresses(&mut self, plan: &Plan<'a>, first: Ssa) -> Vec<Ssa> {
        let mut addresses = Vec::new();
        for step in &plan.steps {
            if let Step::Read { stream, .. } | Step::Write { stream, .. } = step {
                addresses.push(match stream.stride {
                    0 => stream.address,
                    stride => {
                        let distance = self.scale(first, stride.wrapping_mul(stream.size));
                        self.b.ins().iadd(stream.address, distance)
                    }
                });
            }
        }
        addresses
    }

    /// One round, the `number`-th from where the accumulators stand at their beginning.
    fn round(&mut self, plan: &Plan<'a>, form: Option<Lanes>, at: Place, number: u64, states: &mut [State]) {
        match form {
            Some(lanes) => self.vector_round(plan, lanes, at, number, states),
            None => self.scalar_round(plan, at, number, states),
        }
    }

    fn scalar_round(&mut self, plan: &Plan<'a>, at: Place, number: u64, states: &mut [State]) {
        let i = self.plus(at.first, at.extra as i64);
        self.set(plan.index, i);
        let mut addresses = at.addresses.iter();
        for step in &plan.steps {
            self.stems_from(step.subject());
            match step {
                Step::Op { out, op, args } => {
                    let operands: smallvec::SmallVec<[Ssa; 3]> = args.iter().map(|&v| self.get(v)).collect();
                    let x = self.scalar_op(*op, self.function.dtype(args[args.len() - 1]), &operands);
                    self.set(*out, x);
                }
                Step::Index { out, at } => {
                    let x = self.affine(at);
                    self.set(*out, x);
                }
                Step::Read { out, stream } => {
                    let (address, offset) = self.scalar_address(stream, addresses.next(), at.extra);
                    let x = self.load_element(scalar_type(self.function.dtype(*out)), address, offset);
                    self.set(*out, x);
                }
                Step::Write { value, stream } => {
                    let (address, offset) = self.scalar_address(stream, addresses.next(), at.extra);
                    let x = self.get(*value);
                    self.store_element(x, address, offset);
                }
            }
        }
        for &(k, fold) in &plan.folds {
            let item = self.get(fold.item);
            self.fold_scalar(fold, &mut states[k], item, (number, i));
        }
    }

    fn scalar_address(&mut self, stream: &Stream, address: Option<&Ssa>, extra: u64) -> (Ssa, i32) {
        let mut address = address.copied().unwrap_or(stream.address);
        for &(value, coefficient) in &stream.varying {
            let x = self.get(value);
            address = self.displaced(address, x, coefficient * stream.size);
        }
        self.offset(address, stream, extra)
    }

    fn vector_round(&mut self, plan: &Plan<'a>, lanes: Lanes, at: Place, number: u64, states: &mut [State]) {
        let mut vectors: HashMap<Value, Ssa> = HashMap::new();
        let i = self.plus(at.first, at.extra as i64);
        self.set(plan.index, i);
        let mut addresses = at.addresses.iter();
        for step in &plan.steps {
            self.stems_from(step.subject());
            match step {
                Step::Op { out, op, args } => {
                    let args: smallvec::SmallVec<[(DType, Operand); 3]> =
                        args.iter().map(|&v| (self.function.dtype(v), self.operand(plan, &mut vectors, v))).collect();
                    let x = self.vector_op(lanes, *op, self.function.dtype(*out), &args);
                    vectors.insert(*out, x);
                }
                Step::Index { out, at } => {
                    let x = self.index_vector(plan, &mut vectors, at);
                    vectors.insert(*out, x);
                }
                Step::Read { out, stream } => {
                    let place = (addresses.next().copied().unwrap_or(stream.address), at.extra);
                    let x = self.load_stream(plan, lanes, stream, *out, place, &mut vectors);
                    vectors.insert(*out, x);
                }
                Step::Write { value, stream } => {
                    let place = (addresses.next().copied().unwrap_or(stream.address), at.extra);
                    self.store_stream(plan, lanes, stream, *value, place, &mut vectors);
                }
            }
        }
        for &(k, fold) in &plan.folds {
            let dtype = self.function.dtype(fold.item);
            let item = self.operand(plan, &mut vectors, fold.item);
            let item = self.spread(lanes, dtype, item);
            self.fold_vector(fold, &mut states[k], lanes, item, (number, i));
        }
    }

    fn operand(&mut self, plan: &Plan<'a>, vectors: &mut HashMap<Value, Ssa>, value: Value) -> Operand {
        if value == plan.index && !vectors.contains_key(&value) {
            let x = self.index_vector(plan, vectors, &Affine::value(value));
            vectors.insert(value, x);
        }
        vectors.get(&value).map_or_else(|| Operand::Same(self.get(value)), |&x| Operand::Each(x))
    }

    /// A linear form in every lane.
    fn index_vector(&mut self, plan: &Plan<'a>, vectors: &mut HashMap<Value, Ssa>, form: &Affine) -> Ssa {
        let (inside, outside): (Vec<_>, Vec<_>) = form.terms.iter().copied().partition(|t| vectors.contains_key(&t.0));
        let base = Affine { offset: form.offset, terms: outside.into_iter().collect() };
        let base = self.affine(&base);
        let mut sum = self.b.ins().splat(types::I64X2, base);
        // The counter stands for the first lane unless it has a vector of its own.
        let stride = if vectors.contains_key(&plan.index) { 0 } else { form.coefficient(plan.index) };
        if stride != 0 {
            let steps = self.steps(stride);
            sum = self.b.ins().iadd(sum, steps);
        }
        for (value, coefficient) in inside {
            let factor = self.b.ins().iconst(types::I64, coefficient);
            let factor = self.b.ins().splat(types::I64X2, factor);
            let term = self.b.ins().imul(vectors[&value], factor);
            sum = self.b.ins().iadd(sum, term);
        }
        sum
    }

    fn load_stream(
        &mut self,
        plan: &Plan<'a>,
        lanes: Lanes,
        stream: &Stream,
        out: Value,
        (address, extra): (Ssa, u64),
        vectors: &mut HashMap<Value, Ssa>,
    ) -> Ssa {
        let dtype = self.function.dtype(out);
        let full = dtype.size() == lanes.width && dtype != DType::Bool;
        if stream.is_contiguous() {
            let (address, offset) = self.offset(address, stream, extra);
            return self.load_lanes(lanes, dtype, address, offset);
        }
        if stream.varying.is_empty() && stream.stride == -1 && full {
            let (address, offset) = self.offset(address, stream, extra + lanes.count() as u64 - 1);
            let x = self.load_lanes(lanes, dtype, address, offset);
            return self.reverse_lanes(dtype, x);
        }
        let scalars: Vec<Ssa> = (0..lanes.count())
            .map(|lane| {
                let (address, offset) = self.lane_address(plan, stream, (address, extra), lane, vectors);
                self.load_element(scalar_type(dtype), address, offset)
            })
            .collect();
        self.gather_lanes(lanes, dtype, &scalars)
    }

    fn store_stream(
        &mut self,
        plan: &Plan<'a>,
        lanes: Lanes,
        stream: &Stream,
        value: Value,
        (address, extra): (Ssa, u64),
        vectors: &mut HashMap<Value, Ssa>,
    ) {
        let dtype = self.function.dtype(value);
        let operand = self.operand(plan, vectors, value);
        if stream.is_contiguous() {
            let (address, offset) = self.offset(address, stream, extra);
            let x = self.spread(lanes, dtype, operand);
            return self.store_lanes(lanes, dtype, x, address, offset);
        }
        for lane in 0..lanes.count() {
            let x = self.lane(dtype, operand, lane);
            let (address, offset) = self.lane_address(plan, stream, (address, extra), lane, vectors);
            self.store_element(x, address, offset);
        }
    }

    fn lane_address(
        &mut self,
        plan: &Plan<'a>,
        stream: &Stream,
        (mut address, extra): (Ssa, u64),
        lane: usize,
        vectors: &mut HashMap<Value, Ssa>,
    ) -> (Ssa, i32) {
        for &(value, coefficient) in &stream.varying {
            let index = self.operand(plan, vectors, value);
            let x = self.lane(DType::I64, index, lane);
            address = self.displaced(address, x, coefficient * stream.size);
        }
        self.offset(address, stream, extra + lane as u64)
    }

    fn displaced(&mut self, address: Ssa, x: Ssa, factor: i64) -> Ssa {
        let distance = self.scale(x, factor);
        self.b.ins().iadd(address, distance)
    }

    /// An address `extra` rounds on, as a value and an offset that an instruction can hold.
    fn offset(&mut self, address: Ssa, stream: &Stream, extra: u64) -> (Ssa, i32) {
        let distance = stream.stride.wrapping_mul(stream.size).wrapping_mul(extra as i64);
        match i32::try_from(distance.wrapping_add(stream.offset as i64)) {
            Ok(offset) => (address, offset),
            Err(_) => (self.plus(address, distance), stream.offset),
        }
    }
}
