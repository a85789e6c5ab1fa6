//! The plan of the arena: buffers that are not used at the same time share memory.
//!
//! A buffer lives from its first to its last statement; one that is used both inside and outside of a loop lives as
//! long as the loop. A function's buffers stand above those of all its callers.

use crate::emit::{LOCAL, UNPLACED};
use crate::report::Report;
use std::collections::BTreeMap;
use wengert_kernel::buffer::ALIGN;
use wengert_kernel::routine::{Block, BufferId, Order, Routine, Stmt, Storage};

/// Gives every buffer of the arena its place.
pub(crate) fn plan(routine: &mut Routine, report: &mut Report) {
    let uses: Vec<Uses> = routine.functions.iter().map(|f| Uses::of(&f.body)).collect();
    let mut base = vec![0; routine.functions.len()];
    // Callers stand after their callees.
    for (number, uses) in uses.iter().enumerate().rev() {
        let end = place(routine, &uses.intervals(), UNPLACED, base[number], report);
        routine.arena = routine.arena.max(end);
        for local in &uses.local {
            let end = place(routine, local, LOCAL, 0, report);
            routine.local = routine.local.max(end);
        }
        for &callee in &uses.callees {
            base[callee] = base[callee].max(end);
        }
    }
    for buffer in &mut routine.buffers {
        if buffer.storage == UNPLACED {
            // Nothing uses it.
            (buffer.len, buffer.storage) = (0, Storage::Arena(0));
        }
    }
    report.growable = routine.buffers.iter().filter(|b| b.storage == Storage::Growable).count();
    report.arena_bytes = routine.arena;
    report.functions = routine.functions.len();
}

/// When the statements of a function use which buffer.
#[derive(Default)]
struct Uses {
    /// Statements so far; those of a pass count as one.
    now: usize,
    /// Of each loop: the loop around it, how deep it is, its first and last statement. The function itself is the
    /// first.
    loops: Vec<Loop>,
    inside: usize,
    /// By buffer, in order.
    uses: BTreeMap<BufferId, Vec<Use>>,
    callees: Vec<usize>,
    /// Of each parallel loop, when a round uses which buffer.
    local: Vec<Vec<Interval>>,
}

/// A statement that touches a buffer.
struct Use {
    at: usize,
    /// The loop it is in.
    inside: usize,
    reads: bool,
}

struct Loop {
    around: usize,
    depth: usize,
    parallel: bool,
    first: usize,
    last: usize,
}

/// A buffer and the statements from its first to its last use.
struct Interval {
    buffer: BufferId,
    first: usize,
    last: usize,
}

impl Uses {
    fn of(body: &Block) -> Uses {
        let mut uses = Uses::default();
        uses.loops.push(Loop { around: 0, depth: 0, parallel: false, first: 0, last: usize::MAX });
        uses.block(body);
        uses
    }

    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn note(&mut self, buffer: BufferId, reads: bool) {
        self.uses.entry(buffer).or_default().push(Use { at: self.now, inside: self.inside, reads });
    }

    fn stmt(&mut self, stmt: &Stmt) {
        self.now += 1;
        match stmt {
            Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } | Stmt::Fail { .. } => {}
            Stmt::Load { buffer, .. } => self.note(*buffer, true),
            Stmt::Store { buffer, .. } | Stmt::Fill { buffer, .. } | Stmt::Reserve { buffer, .. } => {
                self.note(*buffer, false);
            }
            Stmt::Copy { to, from, .. } => {
                self.note(*from, true);
                self.note(*to, false);
            }
            Stmt::Pass { body, .. } => {
                let now = self.now;
                for stmt in body {
                    self.stmt(stmt);
                    self.now = now;
                }
            }
            Stmt::For { body, order, .. } => {
                let parallel = matches!(order, Order::Parallel { .. });
                self.local.extend(parallel.then(|| Uses::of(body).intervals()));
                self.round(&[body], parallel);
            }
            Stmt::While { test, body, .. } => self.round(&[test, body], false),
            Stmt::If { then, otherwise, .. } => {
                self.block(then);
                self.block(otherwise);
            }
            Stmt::Call { function, buffers, .. } => {
                // A function writes what it is given to write before it reads it.
                buffers.iter().for_each(|&b| self.note(b, false));
                self.callees.push(function.0 as usize);
            }
            Stmt::Runtime { inputs, outputs, .. } => {
                inputs.iter().for_each(|s| self.note(s.buffer, true));
                outputs.iter().for_each(|s| self.note(s.buffer, false));
            }
        }
    }

    fn round(&mut self, blocks: &[&Block], parallel: bool) {
        let around = self.inside;
        let depth = self.loops[around].depth + 1;
        self.inside = self.loops.len();
        self.loops.push(Loop { around, depth, parallel, first: self.now, last: 0 });
        blocks.iter().for_each(|block| self.block(block));
        self.now += 1;
        self.loops[self.inside].last = self.now;
        self.inside = around;
    }

    /// The innermost loop around both.
    fn common(&self, mut a: usize, mut b: usize) -> usize {
        while a != b {
            if self.loops[a].depth < self.loops[b].depth {
                b = self.loops[b].around;
            } else {
                a = self.loops[a].around;
            }
        }
        a
    }

    /// The loop itself, or that around the parallel loop around it, whose rounds are at different statements at once.
    fn outside_parallel(&self, inside: usize) -> usize {
        let around = std::iter::successors(Some(inside), |&i| (i != 0).then(|| self.loops[i].around));
        around.clone().find(|&i| self.loops[i].parallel).map_or(inside, |i| self.loops[i].around)
    }

    fn intervals(&self) -> Vec<Interval> {
        let mut all = Vec::new();
        for (&buffer, uses) in &self.uses {
            let mut common = uses.iter().map(|u| u.inside).reduce(|a, b| self.common(a, b)).expect("it is used");
            if uses[0].reads {
                // What a round reads before it writes it was left there by the round before it.
                common = self.loops[common].around;
            }
            common = self.outside_parallel(common);
            let (mut first, mut last) = (usize::MAX, 0);
            for &Use { at, mut inside, .. } in uses {
                let (mut from, mut to) = (at, at);
                while inside != common {
                    (from, to) = (self.loops[inside].first, self.loops[inside].last);
                    inside = self.loops[inside].around;
                }
                (first, last) = (first.min(from), last.max(to));
            }
            all.push(Interval { buffer, first, last });
        }
        all.sort_by_key(|i| (i.first, i.buffer));
        all
    }
}

/// Places buffers that wait for a place in the arena, or local ones, from `base` on; returns where they end.
fn place(routine: &mut Routine, intervals: &[Interval], waiting: Storage, base: usize, report: &mut Report) -> usize {
    let mut end = base;
    // Free stretches by where they begin, and what ends when.
    let mut free: BTreeMap<usize, usize> = BTreeMap::new();
    let mut ends: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for interval in intervals {
        let buffer = &mut routine.buffers[interval.buffer.0 as usize];
        if buffer.storage != waiting {
            continue;
        }
        while let Some((&(last, at), &bytes)) = ends.first_key_value() {
            if last >= interval.first {
                break;
            }
            ends.remove(&(last, at));
            release(&mut free, at, bytes);
        }
        let bytes = (buffer.len * buffer.dtype.size()).next_multiple_of(ALIGN);
        let fits = free.iter().find(|&(_, &size)| size >= bytes).map(|(&at, &size)| (at, size));
        let at = match fits {
            Some((at, size)) => {
                free.remove(&at);
                if size > bytes {
                    free.insert(at + bytes, size - bytes);
                }
                at
            }
            None => {
                // The stretch at the end grows.
                let at = match free.last_key_value() {
                    Some((&at, &size)) if at + size == end => at,
                    _ => end,
                };
                free.remove(&at);
                end = at + bytes;
                at
            }
        };
        buffer.storage = if waiting == LOCAL { Storage::Local(at) } else { Storage::Arena(at) };
        ends.insert((interval.last, at), bytes);
        report.buffers += 1;
        report.buffer_bytes += bytes;
    }
    end
}

/// Gives a stretch back, joined with its neighbours.
fn release(free: &mut BTreeMap<usize, usize>, mut at: usize, mut bytes: usize) {
    if bytes == 0 {
        return;
    }
    let before = free.range(..at).next_back().map(|(&before, &size)| (before, size));
    if let Some((before, size)) = before.filter(|&(before, size)| before + size == at) {
        free.remove(&before);
        (at, bytes) = (before, bytes + size);
    }
    if let Some(size) = free.remove(&(at + bytes)) {
        bytes += size;
    }
    free.insert(at, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_kernel::DType;
    use wengert_kernel::routine::{Affine, Buffer, Count, Function, Value};

    fn fill(buffer: u32) -> Stmt {
        Stmt::Fill { buffer: BufferId(buffer), at: Affine::default(), len: Count::Const(4), value: Value(0) }
    }

    fn copy(to: u32, from: u32) -> Stmt {
        let at = Affine::default;
        let (to, from) = (BufferId(to), BufferId(from));
        Stmt::Copy { to, to_at: at(), from, from_at: at(), len: Count::Const(4) }
    }

    fn places(buffers: usize, stmts: Vec<Stmt>) -> Vec<usize> {
        let buffer = Buffer { dtype: DType::F64, len: 8, storage: UNPLACED };
        let body = Block { stmts, yields: vec![] };
        let functions = vec![Function { body, ..Function::default() }];
        let mut routine = Routine { buffers: vec![buffer; buffers], functions, ..Routine::default() };
        plan(&mut routine, &mut Report::default());
        let at = |b: &Buffer| if let Storage::Arena(at) = b.storage { at } else { panic!("it is placed") };
        routine.buffers.iter().map(at).collect()
    }

    #[test]
    fn memory_is_shared_one_after_the_other() {
        assert_eq!(places(3, vec![fill(0), copy(1, 0), copy(2, 1)]), [0, 64, 0]);
        assert_eq!(places(2, vec![fill(0), fill(1)]), [0, 0]);
    }

    #[test]
    fn rounds_of_a_parallel_loop_share_nothing() {
        let body = |stmts| Block { stmts, yields: vec![] };
        let order = Order::Parallel { grain: 1 };
        let (carried, results) = (vec![], vec![]);
        let body = body(vec![fill(0), fill(1)]);
        let round = Stmt::For { index: Value(0), count: Count::Const(3), order, carried, body, results };
        assert_eq!(places(3, vec![round, fill(2)]), [0, 64, 0]);
    }

    #[test]
    fn a_loop_keeps_what_it_shares_with_outside() {
        let body = Block { stmts: vec![copy(1, 0), copy(2, 1)], yields: vec![] };
        let (carried, results) = (vec![], vec![]);
        let round =
            Stmt::For { index: Value(0), count: Count::Const(3), order: Order::Forward, carried, body, results };
        // 0 is read in every round; 1 lives within a round; 2 is read after the loop; 3 only after it.
        assert_eq!(places(4, vec![fill(0), round, copy(3, 2)]), [0, 128, 64, 0]);
    }
    #[test]
    fn what_a_round_leaves_to_the_next_is_kept_for_the_whole_loop() {
        let round = |first: Stmt, second: Stmt| {
            let (first, second) = (vec![first], vec![second]);
            let branch = |stmts| Stmt::If {
                cond: Value(1),
                then: Block { stmts, yields: vec![] },
                otherwise: Block::default(),
                results: vec![],
            };
            let body = Block { stmts: vec![branch(first), branch(second), copy(2, 3), fill(3)], yields: vec![] };
            let (carried, results) = (vec![], vec![]);
            Stmt::For { index: Value(0), count: Count::Const(3), order: Order::Forward, carried, body, results }
        };
        // 1 is read before it is written, and 3 as well; 2 lives within a round, and so does 1 where it is written first.
        assert_eq!(places(4, vec![fill(0), round(copy(0, 1), fill(1)), copy(0, 0)]), [0, 64, 192, 128]);
        assert_eq!(places(4, vec![fill(0), round(fill(1), copy(0, 1)), copy(0, 0)]), [0, 128, 128, 64]);
    }
}
