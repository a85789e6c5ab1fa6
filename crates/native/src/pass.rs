//! The vector loop. A pass is studied first: what does not depend on the round is computed before the loop; the rest are
//! steps over streams. Then it is emitted as rounds of vectors, several per turn of the loop, the last few rounds one by
//! one; or, when vectors do not pay or are not to be had, as scalar rounds.

use crate::emit::Emitter;
use crate::fold::State;
use crate::scalar::scalar_type;
use crate::vector::{Lanes, Operand, is_vector_op};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value as Ssa, types};
use std::collections::{HashMap, HashSet};
use wengert_kernel::routine::{Affine, Fold, Stmt, Value};
use wengert_kernel::{Binary, DType, ScalarOp, Unary};

/// Turns of a loop up to which it is written out.
const MOST_TURNS: u64 = 1;

/// Statements up to which the rounds left over are written out.
const MOST_STMTS: u64 = 64;

/// A pass as studied.
pub(crate) struct Plan<'a> {
    /// The counter.
    pub index: Value,
    steps: Vec<Step<'a>>,
    /// The reductions.
    pub folds: &'a [Fold],
    /// Vectors, or scalar rounds.
    pub lanes: Option<Lanes>,
    /// Rounds of vectors (or scalars) per turn of the loop.
    pub unroll: u64,
}

/// One statement that depends on the round.
struct Step<'a> {
    stmt: &'a Stmt,
    kind: Kind,
}

enum Kind {
    /// An operation.
    Let,
    /// `at` as a value.
    Index(Affine),
    /// A read or a write.
    Access(Stream),
}

/// Where the elements of a read or write lie: `address + offset + size * (stride * round + varying terms)`.
struct Stream {
    address: Ssa,
    offset: i32,
    size: i64,
    stride: i64,
    varying: Vec<(Value, i64)>,
}

/// Where a round stands: at `first + extra`, with the streams' addresses for `first`.
#[derive(Clone)]
struct Place {
    first: Ssa,
    addresses: Vec<Ssa>,
    extra: u64,
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
        let plan = if count == 1 { self.single(index, body, folds) } else { self.study(index, count, body, folds) };
        if folds.is_empty() {
            self.range(&plan, None, count, &mut []);
        } else {
            self.fold_blocks(&plan, count);
        }
    }

    /// A pass of one round: nothing is moved, so that it may read what it has written.
    fn single(&mut self, index: Value, body: &'a [Stmt], folds: &'a [Fold]) -> Plan<'a> {
        let zero = self.b.ins().iconst(types::I64, 0);
        self.set(index, zero);
        body.iter().for_each(|stmt| self.stmt(stmt));
        Plan { index, steps: Vec::new(), folds, lanes: None, unroll: 1 }
    }

    /// Emits what is the same in all rounds and finds how the rest is best done.
    fn study(&mut self, index: Value, count: u64, body: &'a [Stmt], folds: &'a [Fold]) -> Plan<'a> {
        let mut varying: HashSet<Value> = [index].into();
        let mut linear: HashMap<Value, Affine> = HashMap::new();
        let mut steps = Vec::new();
        for stmt in body {
            let kind = match stmt {
                Stmt::Let { args, .. } if args.iter().any(|v| varying.contains(v)) => Kind::Let,
                Stmt::Index { out, at } => {
                    let at = substitute(at, &linear);
                    if at.terms.iter().all(|t| !varying.contains(&t.0)) {
                        self.stmt(stmt);
                        continue;
                    }
                    linear.insert(*out, at.clone());
                    Kind::Index(at)
                }
                Stmt::Load { buffer, at, .. } | Stmt::Store { buffer, at, .. } => {
                    let at = substitute(at, &linear);
                    let fixed = at.terms.iter().all(|t| !varying.contains(&t.0));
                    if fixed && matches!(stmt, Stmt::Load { .. }) {
                        self.stmt(stmt);
                        continue;
                    }
                    let stride = at.coefficient(index);
                    let (inside, outside): (Vec<_>, Vec<_>) =
                        at.terms.iter().copied().partition(|t| varying.contains(&t.0));
                    let base = Affine { offset: at.offset, terms: outside.into_iter().collect() };
                    let (address, offset) = self.address(*buffer, &base);
                    let size = self.unit.buffer(*buffer).dtype.size() as i64;
                    let varying = inside.into_iter().filter(|t| t.0 != index).collect();
                    Kind::Access(Stream { address, offset, size, stride, varying })
                }
                _ => {
                    self.stmt(stmt);
                    continue;
                }
            };
            varying.extend(defined(stmt));
            steps.push(Step { stmt, kind });
        }
        let steps = self.needed(steps, folds);
        let lanes = self.choose_lanes(index, count, &steps, folds);
        let in_registers = |lanes: Lanes| match folds {
            [fold] => State::fills_registers(fold.op, self.function.dtype(fold.item), lanes),
            _ => false,
        };
        let unroll = match steps.len() {
            0..=16 if lanes.is_some_and(in_registers) => State::VECTORS,
            0..=8 => 4,
            9..=32 => 2,
            _ => 1,
        };
        Plan { index, steps, folds, lanes, unroll }
    }

    /// Drops what only addresses needed.
    fn needed(&self, steps: Vec<Step<'a>>, folds: &[Fold]) -> Vec<Step<'a>> {
        let mut wanted: HashSet<Value> = folds.iter().map(|f| f.item).collect();
        let mut kept: Vec<Step<'a>> = Vec::with_capacity(steps.len());
        for step in steps.into_iter().rev() {
            match (step.stmt, &step.kind) {
                (Stmt::Store { value, .. }, Kind::Access(stream)) => {
                    wanted.insert(*value);
                    wanted.extend(stream.varying.iter().map(|t| t.0));
                }
                (stmt, _) if defined(stmt).is_none_or(|v| !wanted.contains(&v)) => continue,
                (Stmt::Let { args, .. }, _) => wanted.extend(args),
                (_, Kind::Index(at)) => wanted.extend(at.terms.iter().map(|t| t.0)),
                (_, Kind::Access(stream)) => wanted.extend(stream.varying.iter().map(|t| t.0)),
                (_, Kind::Let) => unreachable!("operations are `Let`"),
            }
            kept.push(step);
        }
        kept.reverse();
        kept
    }

    /// Vectors, if they pay.
    fn choose_lanes(&self, index: Value, count: u64, steps: &[Step<'a>], folds: &[Fold]) -> Option<Lanes> {
        if !(self.unit.options.vector && self.unit.features.vector) {
            return None;
        }
        let defined_here: HashSet<Value> = steps.iter().filter_map(|s| defined(s.stmt)).collect();
        let mut width = 1;
        for step in steps {
            if let Stmt::Let { args, .. } = step.stmt
                && args.contains(&index)
            {
                width = 8;
            }
            let value = match step.stmt {
                Stmt::Store { value, .. } => Some(*value),
                stmt => defined(stmt),
            };
            width = value.map_or(width, |v| width.max(self.function.dtype(v).size()));
        }
        width = folds.iter().fold(width, |width, f| width.max(self.function.dtype(f.item).size()));
        let lanes = Lanes { width };
        let n = lanes.count() as u64;
        if count < n {
            return None;
        }
        let (mut vector, mut scalar) = (0, 0);
        for step in steps {
            let (one, all) = match (step.stmt, &step.kind) {
                (Stmt::Let { op, args, .. }, _) => {
                    let last = args[args.len() - 1];
                    let same = !defined_here.contains(&last) && last != index;
                    let one = if is_call(*op) { 20 } else { 2 };
                    let in_vectors = is_vector_op(*op, self.function.dtype(last), same, self.unit.features.fma);
                    (one, if in_vectors { 2 } else { n * (one + 2 * args.len() as u64) })
                }
                (_, Kind::Access(stream)) => {
                    let side_by_side = stream.varying.is_empty() && matches!(stream.stride, 1 | -1);
                    (2, if side_by_side { 3 } else { n * (3 + stream.varying.len() as u64) })
                }
                _ => (2, 4),
            };
            scalar += n * one;
            vector += all;
        }
        (vector < scalar || steps.is_empty()).then_some(lanes)
    }

    /// The rounds `base..base + len`; without a base, from 0. A base is a whole number of blocks of reductions.
    pub fn range(&mut self, plan: &Plan<'a>, base: Option<Ssa>, len: u64, states: &mut [State]) {
        let stmts = plan.steps.len() as u64 + 1;
        let mut done = 0;
        // First the turns of several rounds, then single rounds of vectors, then scalar rounds.
        let forms = [(plan.lanes, plan.unroll), (plan.lanes, 1), (None, 1)];
        for (form, unroll) in forms {
            let per_round = form.map_or(1, |lanes| lanes.count() as u64);
            let (rounds, turns) = ((len - done) / per_round, (len - done) / (per_round * unroll));
            let looped = turns > MOST_TURNS && (unroll > 1 || rounds * stmts > MOST_STMTS);
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
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let first = self.round_number(base, ends.0);
        let end = self.round_number(base, ends.1);
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
        let place = Place { first: i, addresses: self.addresses(plan, i), extra: 0 };
        for k in 0..unroll {
            let at = Place { extra: k * per_round, ..place.clone() };
            self.round(plan, form, at, k, states);
        }
        let next = self.b.ins().iadd_imm_s(i, (unroll * per_round) as i64);
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
            Some(base) => self.b.ins().iadd_imm_s(base, k as i64),
        }
    }

    /// The streams' addresses for a round.
    fn addresses(&mut self, plan: &Plan<'a>, first: Ssa) -> Vec<Ssa> {
        let mut addresses = Vec::new();
        for step in &plan.steps {
            if let Kind::Access(stream) = &step.kind {
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
        let i = self.b.ins().iadd_imm_s(at.first, at.extra as i64);
        self.set(plan.index, i);
        let mut addresses = at.addresses.iter();
        for step in &plan.steps {
            match (&step.kind, step.stmt) {
                (Kind::Access(stream), stmt) => {
                    let mut address = addresses.next().copied().unwrap_or(stream.address);
                    for &(value, coefficient) in &stream.varying {
                        let x = self.get(value);
                        address = self.displaced(address, x, coefficient * stream.size);
                    }
                    let (address, offset) = self.offset(address, stream, at.extra);
                    match stmt {
                        Stmt::Load { out, .. } => {
                            let ty = scalar_type(self.function.dtype(*out));
                            let x = self.load_element(ty, address, offset);
                            self.set(*out, x);
                        }
                        Stmt::Store { value, .. } => {
                            let x = self.get(*value);
                            self.store_element(x, address, offset);
                        }
                        _ => unreachable!("only loads and stores have streams"),
                    }
                }
                (Kind::Index(at), Stmt::Index { out, .. }) => {
                    let x = self.affine(at);
                    self.set(*out, x);
                }
                (_, stmt) => self.stmt(stmt),
            }
        }
        for (fold, state) in plan.folds.iter().zip(states) {
            let item = self.get(fold.item);
            self.fold_scalar(fold, state, item, (number, i));
        }
    }

    fn vector_round(&mut self, plan: &Plan<'a>, lanes: Lanes, at: Place, number: u64, states: &mut [State]) {
        let mut vectors: HashMap<Value, Ssa> = HashMap::new();
        let i = self.b.ins().iadd_imm_s(at.first, at.extra as i64);
        self.set(plan.index, i);
        let mut addresses = at.addresses.iter();
        for step in &plan.steps {
            match (&step.kind, step.stmt) {
                (Kind::Let, Stmt::Let { out, op, args }) => {
                    let args: smallvec::SmallVec<[(DType, Operand); 3]> =
                        args.iter().map(|&v| (self.function.dtype(v), self.operand(plan, &mut vectors, v))).collect();
                    let x = self.vector_op(lanes, *op, self.function.dtype(*out), &args);
                    vectors.insert(*out, x);
                }
                (Kind::Index(form), Stmt::Index { out, .. }) => {
                    let x = self.index_vector(plan, &mut vectors, form);
                    vectors.insert(*out, x);
                }
                (Kind::Access(stream), stmt) => {
                    let address = addresses.next().copied().unwrap_or(stream.address);
                    let place = (address, at.extra);
                    match stmt {
                        Stmt::Load { out, .. } => {
                            let x = self.load_stream(plan, lanes, stream, *out, place, &mut vectors);
                            vectors.insert(*out, x);
                        }
                        Stmt::Store { value, .. } => {
                            self.store_stream(plan, lanes, stream, *value, place, &mut vectors)
                        }
                        _ => unreachable!("only loads and stores have streams"),
                    }
                }
                _ => unreachable!("steps are of their statement's kind"),
            }
        }
        for (fold, state) in plan.folds.iter().zip(states) {
            let dtype = self.function.dtype(fold.item);
            let item = self.operand(plan, &mut vectors, fold.item);
            let item = self.spread(lanes, dtype, item);
            self.fold_vector(fold, state, lanes, item, (number, i));
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
        if stream.varying.is_empty() && stream.stride == 1 {
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
        if stream.varying.is_empty() && stream.stride == 1 {
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
            Err(_) => (self.b.ins().iadd_imm_s(address, distance), stream.offset),
        }
    }
}

/// The form with linear values replaced by what they stand for.
fn substitute(at: &Affine, linear: &HashMap<Value, Affine>) -> Affine {
    let mut sum = Affine::constant(at.offset);
    for &(value, coefficient) in &at.terms {
        sum = match linear.get(&value) {
            Some(form) => sum.plus_affine(form, coefficient),
            None => sum.plus(value, coefficient),
        };
    }
    sum
}

fn defined(stmt: &Stmt) -> Option<Value> {
    match stmt {
        Stmt::Const { out, .. } | Stmt::Let { out, .. } | Stmt::Index { out, .. } | Stmt::Load { out, .. } => {
            Some(*out)
        }
        _ => None,
    }
}

/// Whether an operation of floats is a call of the host.
fn is_call(op: ScalarOp) -> bool {
    use Unary::*;
    match op {
        ScalarOp::Unary(op) => !matches!(op, Neg | Abs | Sign | Not | Sqrt | Floor | Ceil | Round | IsFinite),
        ScalarOp::Binary(op) => matches!(op, Binary::Pow | Binary::Atan2 | Binary::Rem),
        _ => false,
    }
}
