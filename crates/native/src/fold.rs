//! Reductions beside a pass, in the order of `kernel::reduce`: blocks, lanes, a halving tree, pairs of blocks.
//!
//! Only sums and products of floats depend on their order. The accumulators of a block are eight vectors in registers,
//! or scalars when few rounds are written out, or stand in memory; what does not depend on its order has as many or few
//! accumulators as suits.

use crate::emit::Emitter;
use crate::pass::Shape;
use crate::plan::Plan;
use crate::scalar::scalar_type;
use crate::vector::{BYTES, Lanes, Operand, vector_type};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, StackSlot, Value as Ssa, types};
use wengert_kernel::reduce::{BLOCK, LANE_BYTES, identity, lanes as accumulators};
use wengert_kernel::routine::Fold;
use wengert_kernel::{Binary, DType, ScalarOp};

/// Rounds of a block up to which its accumulators are scalars.
const MOST_SCALARS: u64 = 16;

/// The accumulators of one reduction within one block; what is `None` is the identity.
pub(crate) enum State {
    /// By lane, every round being written out.
    Scalars(Vec<Option<Ssa>>),
    /// All lanes in registers.
    Vectors(Vec<Option<Ssa>>),
    /// All lanes in memory.
    Memory(StackSlot),
    /// Any number of them, in any order.
    Loose {
        /// Of rounds of vectors.
        vectors: Vec<Option<Ssa>>,
        /// Their lanes.
        lanes: Option<Lanes>,
        /// Of single rounds.
        scalar: Option<Ssa>,
    },
}

impl State {
    /// Vectors that hold the accumulators of a block.
    pub const VECTORS: u64 = (LANE_BYTES / BYTES) as u64;

    /// Whether the accumulators fill vectors of these lanes and matter.
    pub fn fills_registers(op: Binary, dtype: DType, lanes: Lanes) -> bool {
        is_ordered(op, dtype) && dtype.size() == lanes.width
    }

    /// Whether rounds of this form may stand in a loop of `unroll` rounds a turn.
    pub fn may_loop(&self, form: Option<Lanes>, unroll: u64) -> bool {
        match self {
            State::Scalars(_) => false,
            State::Vectors(_) => form.is_some() && unroll == State::VECTORS,
            State::Memory(_) | State::Loose { .. } => true,
        }
    }

    /// The accumulators that a loop carries.
    pub fn values(states: &[State]) -> Vec<Ssa> {
        let mut all = Vec::new();
        for state in states {
            match state {
                State::Scalars(values) | State::Vectors(values) => all.extend(values.iter().flatten()),
                State::Loose { vectors, scalar, .. } => all.extend(vectors.iter().chain([scalar]).flatten()),
                State::Memory(_) => {}
            }
        }
        all
    }

    /// Replaces them.
    pub fn set_values(states: &mut [State], values: &[Ssa]) {
        let mut values = values.iter();
        let mut replace = |old: &mut Option<Ssa>| {
            if let Some(old) = old {
                *old = values.next().copied().unwrap_or(*old);
            }
        };
        for state in states {
            match state {
                State::Scalars(all) | State::Vectors(all) => all.iter_mut().for_each(&mut replace),
                State::Loose { vectors, scalar, .. } => vectors.iter_mut().chain([scalar]).for_each(&mut replace),
                State::Memory(_) => {}
            }
        }
    }
}

/// Whether the result depends on the order.
fn is_ordered(op: Binary, dtype: DType) -> bool {
    dtype.is_float() && matches!(op, Binary::Add | Binary::Mul)
}

impl<'a> Emitter<'a, '_> {
    /// The identity of a reduction.
    pub fn identity(&mut self, fold: &Fold) -> Ssa {
        self.constant(identity(fold.op, self.function.dtype(fold.item)))
    }

    /// All rounds of a pass with reductions, block by block, and their results.
    pub fn fold_blocks(&mut self, shape: &Shape<'a>, count: u64) {
        let plan = shape.plan();
        let block = BLOCK as u64;
        if count <= block || plan.folds.iter().all(|(_, f)| !is_ordered(f.op, self.function.dtype(f.item))) {
            let results = self.fold_block(shape, None, count);
            return self.set_results(plan, &results);
        }
        let (full, rest) = (count / block, count % block);
        let blocks = full + (rest > 0) as u64;
        let levels = blocks.ilog2() as usize + 1;
        let stacks: Vec<StackSlot> = plan.folds.iter().map(|_| self.stack_slot(levels * 8)).collect();
        self.full_blocks(shape, full, &stacks);
        let last = (rest > 0).then(|| {
            let base = self.b.ins().iconst(types::I64, (full * block) as i64);
            self.fold_block(shape, Some(base), rest)
        });
        // The results of all blocks, from the lowest level upwards; a last, shorter block stands below all others.
        for &(k, fold) in &plan.folds {
            let dtype = self.function.dtype(fold.item);
            let mut result = last.as_ref().map(|last| last[k]);
            for level in (0..levels).filter(|level| full >> level & 1 == 1) {
                let stack = self.b.ins().stack_addr(types::I64, stacks[k], 0);
                let left = self.load_element(scalar_type(dtype), stack, level as i32 * 8);
                result = Some(match result {
                    Some(right) => self.scalar_op(ScalarOp::Binary(fold.op), dtype, &[left, right]),
                    None => left,
                });
            }
            let result = result.unwrap_or_else(|| unreachable!("there was a block"));
            self.set(fold.result, result);
        }
    }

    fn set_results(&mut self, plan: &Plan<'a>, results: &[Ssa]) {
        for (&(_, fold), &result) in plan.folds.iter().zip(results) {
            self.set(fold.result, result);
        }
    }

    /// The full blocks: a loop that pushes every result on the stack of pairs.
    fn full_blocks(&mut self, shape: &Shape<'a>, full: u64, stacks: &[StackSlot]) {
        let plan = shape.plan();
        let (head, push, pair, pushed, exit) = (
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
            self.b.create_block(),
        );
        let number = self.b.append_block_param(head, types::I64);
        let zero = self.b.ins().iconst(types::I64, 0);
        self.jump(head, &[zero]);
        self.b.switch_to_block(head);
        let base = self.b.ins().imul_imm_s(number, BLOCK as i64);
        let results = self.fold_block(shape, Some(base), BLOCK as u64);
        // While bit `level` of the block's number is 1: combine with the result of that level.
        let level = self.b.append_block_param(push, types::I64);
        let right: Vec<Ssa> = plan
            .folds
            .iter()
            .map(|(_, f)| self.b.append_block_param(push, scalar_type(self.function.dtype(f.item))))
            .collect();
        let zero = self.b.ins().iconst(types::I64, 0);
        let mut args = vec![zero];
        args.extend(&results);
        self.jump(push, &args);
        self.b.switch_to_block(push);
        let bits = self.b.ins().ushr(number, level);
        let bit = self.b.ins().band_imm_u(bits, 1);
        let distance = self.b.ins().ishl_imm_u(level, 3);
        self.branch_to(bit, pair, &[], pushed, &[]);
        self.b.switch_to_block(pair);
        let next = self.plus(level, 1);
        let mut args = vec![next];
        for ((&(_, fold), &stack), &right) in plan.folds.iter().zip(stacks).zip(&right) {
            let dtype = self.function.dtype(fold.item);
            let stack = self.b.ins().stack_addr(types::I64, stack, 0);
            let address = self.b.ins().iadd(stack, distance);
            let left = self.load_element(scalar_type(dtype), address, 0);
            args.push(self.scalar_op(ScalarOp::Binary(fold.op), dtype, &[left, right]));
        }
        self.jump(push, &args);
        self.b.switch_to_block(pushed);
        for (&stack, &right) in stacks.iter().zip(&right) {
            let stack = self.b.ins().stack_addr(types::I64, stack, 0);
            let address = self.b.ins().iadd(stack, distance);
            self.store_element(right, address, 0);
        }
        let next = self.plus(number, 1);
        let again = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, next, full as i64);
        self.branch_to(again, head, &[next], exit, &[]);
        self.b.switch_to_block(exit);
    }

    /// The results of one block.
    fn fold_block(&mut self, shape: &Shape<'a>, base: Option<Ssa>, len: u64) -> Vec<Ssa> {
        let plan = shape.plan();
        let mut states: Vec<State> = plan.folds.iter().map(|(_, fold)| self.start(plan, fold, len)).collect();
        self.rounds(shape, base, len, &mut states);
        plan.folds.iter().zip(states).map(|((_, fold), state)| self.finish_block(fold, state)).collect()
    }

    fn start(&mut self, plan: &Plan<'a>, fold: &Fold, len: u64) -> State {
        let dtype = self.function.dtype(fold.item);
        if plan.wide {
            return self.wide_accumulators(fold);
        }
        if !is_ordered(fold.op, dtype) {
            let vectors = vec![None; plan.lanes.map_or(0, |_| plan.unroll.min(4) as usize)];
            return State::Loose { vectors, lanes: plan.lanes, scalar: None };
        }
        if plan.unroll == State::VECTORS {
            return State::Vectors(vec![None; State::VECTORS as usize]);
        }
        if plan.lanes.is_none() && len <= MOST_SCALARS {
            return State::Scalars(vec![None; accumulators(dtype)]);
        }
        let slot = self.stack_slot(LANE_BYTES);
        let identity = self.identity(fold);
        let address = self.b.ins().stack_addr(types::I64, slot, 0);
        for lane in 0..accumulators(dtype) {
            self.store_element(identity, address, (lane * dtype.size()) as i32);
        }
        State::Memory(slot)
    }

    /// Before a loop of rounds of a form: what it changes must be values.
    pub fn settle(&mut self, plan: &Plan<'a>, form: Option<Lanes>, states: &mut [State]) {
        for &(k, fold) in &plan.folds {
            let dtype = self.function.dtype(fold.item);
            let (values, lanes) = match (&mut states[k], form) {
                (State::Vectors(vectors) | State::Loose { vectors, .. }, Some(lanes)) => {
                    (&mut vectors[..], Some(lanes))
                }
                (State::Loose { scalar, .. }, None) => (std::slice::from_mut(scalar), None),
                _ => continue,
            };
            let mut identity = self.constant(identity(fold.op, dtype));
            if let Some(lanes) = lanes {
                identity = self.spread(lanes, dtype, Operand::Same(identity));
            }
            values.iter_mut().for_each(|v| _ = v.get_or_insert(identity));
        }
    }

    /// Takes in the item of a single round: the `number`-th of the block if written out, `i` in any case.
    pub fn fold_scalar(&mut self, fold: &Fold, state: &mut State, item: Ssa, (number, i): (u64, Ssa)) {
        let dtype = self.function.dtype(fold.item);
        let op = ScalarOp::Binary(fold.op);
        match state {
            State::Scalars(lanes) => {
                let lane = number as usize % lanes.len();
                let acc = self.acc_or_identity(fold, lanes[lane]);
                lanes[lane] = Some(self.scalar_op(op, dtype, &[acc, item]));
            }
            State::Vectors(vectors) => {
                let lane = number as usize % accumulators(dtype);
                let (vector, lane) = (lane * dtype.size() / BYTES, lane % (BYTES / dtype.size()));
                let acc = match vectors[vector] {
                    Some(acc) => acc,
                    None => {
                        let identity = self.identity(fold);
                        self.b.ins().splat(vector_type(dtype), identity)
                    }
                };
                let one = self.b.ins().extractlane(acc, lane as u8);
                let one = self.scalar_op(op, dtype, &[one, item]);
                vectors[vector] = Some(self.b.ins().insertlane(acc, one, lane as u8));
            }
            State::Memory(slot) => {
                let address = self.lane_of_memory(*slot, dtype, i);
                let acc = self.load_element(scalar_type(dtype), address, 0);
                let acc = self.scalar_op(op, dtype, &[acc, item]);
                self.store_element(acc, address, 0);
            }
            State::Loose { scalar, .. } => {
                let acc = self.acc_or_identity(fold, *scalar);
                *scalar = Some(self.scalar_op(op, dtype, &[acc, item]));
            }
        }
    }

    /// Takes in the items of a round of vectors: the `number`-th of a turn or of the block, from round `i` on.
    pub fn fold_vector(&mut self, fold: &Fold, state: &mut State, lanes: Lanes, item: Ssa, (number, i): (u64, Ssa)) {
        let dtype = self.function.dtype(fold.item);
        let op = ScalarOp::Binary(fold.op);
        let combine = |emitter: &mut Self, acc: Ssa| {
            emitter.vector_op(lanes, op, dtype, &[(dtype, Operand::Each(acc)), (dtype, Operand::Each(item))])
        };
        match state {
            State::Vectors(vectors) | State::Loose { vectors, .. } => {
                let k = number as usize % vectors.len();
                let acc = match vectors[k] {
                    Some(acc) => acc,
                    None => {
                        let identity = self.identity(fold);
                        self.spread(lanes, dtype, Operand::Same(identity))
                    }
                };
                vectors[k] = Some(combine(self, acc));
            }
            State::Memory(slot) => {
                let address = self.lane_of_memory(*slot, dtype, i);
                let acc = self.load_lanes(lanes, dtype, address, 0);
                let acc = combine(self, acc);
                self.store_lanes(lanes, dtype, acc, address, 0);
            }
            State::Scalars(_) => unreachable!("scalars are for scalar rounds"),
        }
    }

    fn acc_or_identity(&mut self, fold: &Fold, acc: Option<Ssa>) -> Ssa {
        acc.unwrap_or_else(|| self.identity(fold))
    }

    fn lane_of_memory(&mut self, slot: StackSlot, dtype: DType, i: Ssa) -> Ssa {
        let lane = self.b.ins().band_imm_u(i, accumulators(dtype) as i64 - 1);
        let distance = self.scale(lane, dtype.size() as i64);
        let address = self.b.ins().stack_addr(types::I64, slot, 0);
        self.b.ins().iadd(address, distance)
    }

    /// The halving tree.
    fn finish_block(&mut self, fold: &Fold, mut state: State) -> Ssa {
        let dtype = self.function.dtype(fold.item);
        let op = ScalarOp::Binary(fold.op);
        let per_vector = BYTES / dtype.size();
        if let (State::Memory(slot), true) = (&state, self.unit.options.vector && self.unit.features.vector) {
            let address = self.b.ins().stack_addr(types::I64, *slot, 0);
            let places = (0..LANE_BYTES).step_by(BYTES);
            let vectors = places.map(|at| Some(self.load_element(vector_type(dtype), address, at as i32)));
            state = State::Vectors(vectors.collect());
        }
        let scalars = match state {
            State::Scalars(lanes) => lanes,
            State::Vectors(vectors) => {
                let all = Lanes { width: dtype.size() };
                let vector = self.halve(vectors, |emitter, x, y| {
                    emitter.vector_op(all, op, dtype, &[(dtype, Operand::Each(x)), (dtype, Operand::Each(y))])
                });
                self.lanes_of(dtype, vector, per_vector)
            }
            State::Memory(slot) => {
                let ty = scalar_type(dtype);
                let address = self.b.ins().stack_addr(types::I64, slot, 0);
                let lanes = 0..accumulators(dtype);
                lanes.map(|k| Some(self.load_element(ty, address, (k * dtype.size()) as i32))).collect()
            }
            State::Loose { vectors, lanes, scalar } => {
                let mut scalars = vec![scalar];
                if let Some(lanes) = lanes {
                    let vector = self.halve(vectors, |emitter, x, y| {
                        emitter.vector_op(lanes, op, dtype, &[(dtype, Operand::Each(x)), (dtype, Operand::Each(y))])
                    });
                    scalars.extend(self.lanes_of(dtype, vector, lanes.count()));
                }
                scalars.resize(scalars.len().next_power_of_two(), None);
                scalars
            }
        };
        let result = self.halve(scalars, |emitter, x, y| emitter.scalar_op(op, dtype, &[x, y]));
        self.acc_or_identity(fold, result)
    }

    /// Combines the first half with the second until one is left; `None` is the identity.
    fn halve(&mut self, mut all: Vec<Option<Ssa>>, op: impl Fn(&mut Self, Ssa, Ssa) -> Ssa) -> Option<Ssa> {
        while all.len() > 1 {
            let right = all.split_off(all.len() / 2);
            for (left, right) in all.iter_mut().zip(right) {
                *left = match (*left, right) {
                    (Some(x), Some(y)) => Some(op(self, x, y)),
                    (x, y) => x.or(y),
                };
            }
        }
        all.pop().flatten()
    }

    fn lanes_of(&mut self, dtype: DType, vector: Option<Ssa>, count: usize) -> Vec<Option<Ssa>> {
        (0..count).map(|k| vector.map(|vector| self.lane(dtype, Operand::Each(vector), k))).collect()
    }
}
