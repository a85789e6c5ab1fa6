//! Passes with elementary functions, tile by tile: loops over a stretch of rounds that fits the first-level cache, and
//! calls of the runtime's vector kernels on the whole stretch between them.
//!
//! Every step has a level: a kernel's result is one level above its operands, all else is on the level of its highest
//! operand, and accesses of memory keep their order. The steps of a level are one loop; after it come the kernels whose
//! operands are ready. What is needed on a later level than its own is computed again if that is as cheap as keeping
//! it, else goes through scratch memory in the call's block. A kernel reads and writes the pass's own memory where the
//! order of accesses allows.

use crate::emit::Emitter;
use crate::fold::State;
use crate::pass::Shape;
use crate::plan::{Plan, Step, Stream};
use cranelift_codegen::ir::{InstBuilder, Value as Ssa, types};
use std::collections::HashMap;
use wengert_kernel::routine::Value;
use wengert_kernel::{DType, ScalarOp};

/// Bytes of scratch memory per value.
const SLOT: usize = 4096;

/// Passes of fewer rounds call the functions of one element.
const FEWEST_ROUNDS: u64 = 8;

/// A pass cut into levels.
pub(crate) struct Tiling<'a> {
    /// The pass without its steps.
    pub plan: Plan<'a>,
    levels: Vec<Level<'a>>,
    /// Where the values lie that levels hand to each other.
    places: Vec<Location>,
    /// Rounds of a tile.
    rounds: u64,
}

/// A loop and the kernels called after it. Values are read and written at places, by number.
#[derive(Default)]
struct Level<'a> {
    fetches: Vec<(Value, usize)>,
    steps: Vec<Step<'a>>,
    keeps: Vec<(Value, usize)>,
    folds: Vec<usize>,
    calls: Vec<Call>,
}

struct Call {
    kernel: *const u8,
    operands: Vec<Operand>,
    result: usize,
}

enum Operand {
    /// At the place of that number.
    Place(usize),
    /// In the pass's own memory.
    Memory(Stream),
}

/// Where the elements of a value lie while a tile is worked on.
#[derive(Clone)]
enum Location {
    /// In the slot of that number.
    Scratch(usize),
    /// In the pass's own memory.
    Memory(Stream),
}

/// The runtime's function of tiles that an operation is.
pub(crate) fn kernel(op: ScalarOp, dtype: DType) -> Option<*const u8> {
    match op {
        ScalarOp::Unary(op) => wengert_runtime::tile(op, dtype).map(|f| f as *const u8),
        ScalarOp::Binary(op) => wengert_runtime::tile2(op, dtype).map(|f| f as *const u8),
        _ => None,
    }
}

/// Whether in passes of that many rounds the operation is a function of tiles.
pub(crate) fn is_tiled(op: ScalarOp, dtype: DType, count: u64) -> bool {
    count >= FEWEST_ROUNDS && kernel(op, dtype).is_some()
}

impl<'a> Emitter<'a, '_> {
    /// How a pass is best emitted.
    pub fn shape(&self, mut plan: Plan<'a>, count: u64) -> Shape<'a> {
        let dtype = |v: Value| self.function.dtype(v);
        let kernel_of = |step: &Step| match step {
            Step::Op { op, out, .. } => kernel(*op, dtype(*out)),
            _ => None,
        };
        let kernels: Vec<Option<*const u8>> = plan.steps.iter().map(kernel_of).collect();
        if count < FEWEST_ROUNDS || !self.unit.options.vector || kernels.iter().all(Option::is_none) {
            plan.wide &= kernels.iter().all(Option::is_none);
            return Shape::Loop(plan);
        }
        let steps = std::mem::take(&mut plan.steps);
        let values = steps.iter().flat_map(|s| s.uses().into_iter().chain(s.defined()));
        let widest = values.map(|v| dtype(v).size()).max().unwrap_or(8);
        let mut cutter = Cutter::new(&plan, &steps, kernels);
        cutter.meet_needs(&plan);
        let direct = cutter.store_from_kernel();
        let (places, slots) = cutter.places(direct);
        self.unit.need_scratch(slots * SLOT);
        let levels = cutter.levels;
        Shape::Tiles(Tiling { plan, levels, places, rounds: (SLOT / widest) as u64 })
    }

    /// [`Emitter::rounds`], tile by tile.
    pub fn tiles(&mut self, tiling: &Tiling<'a>, base: Option<Ssa>, len: u64, states: &mut [State]) {
        let (whole, rest) = (len / tiling.rounds, len % tiling.rounds);
        let base = base.unwrap_or_else(|| self.b.ins().iconst(types::I64, 0));
        let end = self.plus(base, (whole * tiling.rounds) as i64);
        match whole {
            0 => {}
            1 => self.tile(tiling, base, tiling.rounds, states),
            _ => {
                self.settle(&tiling.plan, tiling.plan.lanes, states);
                self.settle(&tiling.plan, None, states);
                self.counted_loop((base, end), tiling.rounds, states, |emitter, start, states| {
                    emitter.tile(tiling, start, tiling.rounds, states)
                });
            }
        }
        if rest > 0 {
            self.tile(tiling, end, rest, states);
        }
    }

    /// The rounds `start..start + n`.
    fn tile(&mut self, tiling: &Tiling<'a>, start: Ssa, n: u64, states: &mut [State]) {
        let whole = &tiling.plan;
        for level in &tiling.levels {
            let mut steps = Vec::with_capacity(level.steps.len());
            for &(value, place) in &level.fetches {
                let stream = self.stream_of(value, &tiling.places[place], start);
                steps.push(Step::Read { out: value, stream });
            }
            steps.extend_from_slice(&level.steps);
            for &(value, place) in &level.keeps {
                let stream = self.stream_of(value, &tiling.places[place], start);
                steps.push(Step::Write { value, stream });
            }
            if !(steps.is_empty() && level.folds.is_empty()) {
                let folds = whole.folds.iter().copied().filter(|(k, _)| level.folds.contains(k)).collect();
                let plan = Plan {
                    index: whole.index,
                    steps,
                    folds,
                    lanes: whole.lanes,
                    unroll: whole.unroll,
                    wide: whole.wide,
                };
                self.range(&plan, Some(start), n, states);
            }
            for call in &level.calls {
                let mut args = vec![self.b.ins().iconst(types::I64, n as i64)];
                for operand in &call.operands {
                    args.push(match operand {
                        Operand::Place(place) => self.tile_address(&tiling.places[*place], start),
                        Operand::Memory(stream) => self.stream_address(stream, start),
                    });
                }
                args.push(self.tile_address(&tiling.places[call.result], start));
                self.call_host(call.kernel, &args, None);
            }
        }
    }

    /// A value's elements as a stream over the rounds.
    fn stream_of(&mut self, value: Value, location: &Location, start: Ssa) -> Stream {
        match location {
            Location::Memory(stream) => stream.clone(),
            Location::Scratch(_) => {
                let size = self.function.dtype(value).size() as i64;
                let (slot, before) = (self.tile_address(location, start), self.scale(start, size));
                let address = self.b.ins().isub(slot, before);
                Stream { address, offset: 0, size, stride: 1, varying: Vec::new() }
            }
        }
    }

    /// Where the first element of a tile lies.
    fn tile_address(&mut self, location: &Location, start: Ssa) -> Ssa {
        match location {
            Location::Scratch(slot) => {
                let before = (slot + 1) * SLOT;
                self.plus(self.frame, -(before as i64))
            }
            Location::Memory(stream) => self.stream_address(stream, start),
        }
    }

    fn stream_address(&mut self, stream: &Stream, start: Ssa) -> Ssa {
        let before = self.scale(start, stream.stride * stream.size);
        let address = self.b.ins().iadd(stream.address, before);
        self.plus(address, stream.offset as i64)
    }
}

/// Distributes the steps of a pass to levels.
struct Cutter<'s, 'a> {
    steps: &'s [Step<'a>],
    /// By step.
    kernels: Vec<Option<*const u8>>,
    /// The level of every step; a kernel is called after the loop of its level.
    at: Vec<usize>,
    /// The step that defines a value.
    definer: HashMap<Value, usize>,
    levels: Vec<Level<'a>>,
    /// Steps of every level's loop.
    mine: Vec<Vec<usize>>,
    kept: Vec<Kept>,
    /// The place of a value that varies.
    place_of: HashMap<Value, usize>,
}

/// A value handed from one level to another, and when it is needed. A level's loop is at twice its number, its kernels
/// are called one later.
struct Kept {
    from: usize,
    until: usize,
}

impl<'s, 'a> Cutter<'s, 'a> {
    fn new(plan: &Plan<'a>, steps: &'s [Step<'a>], kernels: Vec<Option<*const u8>>) -> Self {
        let mut level: HashMap<Value, usize> = HashMap::new();
        let (mut reads, mut writes) = (0, 0);
        let mut at = Vec::with_capacity(steps.len());
        for (step, kernel) in steps.iter().zip(&kernels) {
            let ready = step.uses().iter().filter_map(|v| level.get(v)).max().copied().unwrap_or(0);
            let now = match step {
                Step::Read { .. } => ready.max(writes),
                Step::Write { .. } => ready.max(reads).max(writes),
                _ => ready,
            };
            match step {
                Step::Read { .. } => reads = reads.max(now),
                Step::Write { .. } => writes = now,
                _ => {}
            }
            at.push(now);
            level.extend(step.defined().map(|v| (v, now + kernel.is_some() as usize)));
        }
        let definer = steps.iter().enumerate().filter_map(|(k, step)| step.defined().map(|v| (v, k))).collect();
        let count = level.values().chain(&at).max().map_or(0, |last| last + 1);
        let mut levels: Vec<Level> = (0..count).map(|_| Level::default()).collect();
        for (k, fold) in &plan.folds {
            levels[level.get(&fold.item).copied().unwrap_or(0)].folds.push(*k);
        }
        let mine = vec![Vec::new(); count];
        Cutter { steps, kernels, at, definer, levels, mine, kept: Vec::new(), place_of: HashMap::new() }
    }

    /// A step that every level may do for itself: nothing was written before it, and it needs the counter only.
    fn is_free(&self, k: usize) -> bool {
        match &self.steps[k] {
            Step::Read { stream, .. } => stream.is_contiguous() && !self.steps[..k].iter().any(is_write),
            Step::Index { at, .. } => at.terms.iter().all(|t| !self.definer.contains_key(&t.0)),
            _ => false,
        }
    }

    fn writes_below(&self, level: usize) -> bool {
        self.steps.iter().zip(&self.at).any(|(step, &at)| is_write(step) && at < level)
    }

    /// Puts steps and calls on their levels, and finds for every need where its value comes from.
    fn meet_needs(&mut self, plan: &Plan<'a>) {
        for k in 0..self.steps.len() {
            if self.kernels[k].is_none() && !self.is_free(k) {
                self.mine[self.at[k]].push(k);
            }
        }
        for level in 0..self.levels.len() {
            let folds = plan.folds.iter().filter(|(k, _)| self.levels[level].folds.contains(k)).map(|(_, f)| f.item);
            let steps = self.mine[level].iter().flat_map(|&k| self.steps[k].uses());
            let mut needs: Vec<Value> = steps.chain(folds).collect();
            needs.sort();
            needs.dedup();
            for value in needs {
                let Some(&k) = self.definer.get(&value) else { continue };
                let is_index = matches!(self.steps[k], Step::Index { .. });
                if self.is_free(k) && (is_index || !self.writes_below(level)) {
                    self.mine[level].push(k);
                } else if self.kernels[k].is_some() || self.at[k] < level {
                    let place = self.keep(value, 2 * level);
                    self.levels[level].fetches.push((value, place));
                }
            }
            for k in 0..self.steps.len() {
                if let (Some(kernel), true) = (self.kernels[k], self.at[k] == level) {
                    self.call(k, kernel);
                }
            }
        }
        for (level, mine) in self.levels.iter_mut().zip(&mut self.mine) {
            mine.sort();
            mine.dedup();
            level.steps = mine.iter().map(|&k| self.steps[k].clone()).collect();
        }
    }

    fn call(&mut self, k: usize, kernel: *const u8) {
        let Step::Op { out, args, .. } = &self.steps[k] else { unreachable!("kernels are of operations") };
        let level = self.at[k];
        let mut operands = Vec::with_capacity(args.len());
        for arg in *args {
            operands.push(match self.definer.get(arg).map(|&k| (self.is_free(k), &self.steps[k])) {
                Some((true, Step::Read { stream, .. })) if !self.writes_below(level + 1) => {
                    Operand::Memory(stream.clone())
                }
                Some(_) => Operand::Place(self.keep(*arg, 2 * level + 1)),
                // The same in all rounds: written out, for kernels take tiles.
                None => {
                    self.kept.push(Kept { from: 2 * level, until: 2 * level + 1 });
                    self.levels[level].keeps.push((*arg, self.kept.len() - 1));
                    Operand::Place(self.kept.len() - 1)
                }
            });
        }
        let result = self.keep(*out, 2 * level + 1);
        self.levels[level].calls.push(Call { kernel, operands, result });
    }

    /// The place of a value that is needed at a time.
    fn keep(&mut self, value: Value, time: usize) -> usize {
        let k = self.definer[&value];
        let level = self.at[k];
        let place = *self.place_of.entry(value).or_insert_with(|| {
            let from = 2 * level + self.kernels[k].is_some() as usize;
            if self.kernels[k].is_none() {
                self.levels[level].keeps.push((value, self.kept.len()));
                self.mine[level].push(k);
            }
            self.kept.push(Kept { from, until: from });
            self.kept.len() - 1
        });
        self.kept[place].until = self.kept[place].until.max(time);
        place
    }

    /// When the pass writes nothing but a kernel's result, and reads nothing after the kernel, the kernel writes to the
    /// pass's memory itself.
    fn store_from_kernel(&mut self) -> Option<(usize, Stream)> {
        let mut writes = self.steps.iter().filter(|s| is_write(s));
        let (Some(Step::Write { value, stream }), None) = (writes.next(), writes.next()) else { return None };
        let k = *self.definer.get(value)?;
        let kernel_level = self.kernels[k].map(|_| self.at[k])?;
        let reads = |level: &Level| {
            let operands = level.calls.iter().flat_map(|c| &c.operands);
            level.steps.iter().any(|s| matches!(s, Step::Read { .. }))
                || operands.into_iter().any(|o| matches!(o, Operand::Memory(_)))
        };
        if !stream.is_contiguous() || self.levels[kernel_level + 1..].iter().any(reads) {
            return None;
        }
        let place = self.place_of[value];
        self.levels.iter_mut().for_each(|level| level.steps.retain(|s| !is_write(s)));
        // After the other kernels of its level, for these may read the memory.
        self.levels[kernel_level].calls.sort_by_key(|call| call.result == place);
        Some((place, stream.clone()))
    }

    /// A slot for every place, free again after the last need; and how many slots there are.
    fn places(&self, direct: Option<(usize, Stream)>) -> (Vec<Location>, usize) {
        let mut places = vec![Location::Scratch(0); self.kept.len()];
        let mut order: Vec<usize> = (0..self.kept.len()).collect();
        order.sort_by_key(|&place| self.kept[place].from);
        // By slot: when it is free.
        let mut slots: Vec<usize> = Vec::new();
        for place in order {
            let Kept { from, until } = self.kept[place];
            if let Some((_, stream)) = direct.as_ref().filter(|(direct, _)| *direct == place) {
                places[place] = Location::Memory(stream.clone());
                continue;
            }
            let slot = slots.iter().position(|&free| free <= from).unwrap_or(slots.len());
            if slot == slots.len() {
                slots.push(0);
            }
            slots[slot] = until + 1;
            places[place] = Location::Scratch(slot);
        }
        (places, slots.len())
    }
}

fn is_write(step: &Step) -> bool {
    matches!(step, Step::Write { .. })
}
