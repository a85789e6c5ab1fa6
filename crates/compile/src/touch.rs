//! What the rounds of a loop touch: which rows of which buffers.

use std::collections::{BTreeMap, HashMap, HashSet};
use wengert_kernel::routine::{Affine, Block, BufferId, Count, Span, Stmt, Value};

/// What the rounds of a loop do with a buffer.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Touch {
    pub(crate) written: bool,
    /// The row of each round, if there is one.
    pub(crate) rows: Option<Rows>,
}

/// Round `i` keeps to the elements from `base + step * i + low` to `base + step * i + high`, which no other round reaches.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Rows {
    /// Counters of the loops around, and whatever else is known before the loop.
    pub(crate) base: Affine,
    pub(crate) step: i64,
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Rows {
    fn with(&self, other: &Rows) -> Option<Rows> {
        let all = Rows { low: self.low.min(other.low), high: self.high.max(other.high), ..self.clone() };
        (self.step == other.step && self.base == other.base && all.are_apart()).then_some(all)
    }

    fn are_apart(&self) -> bool {
        self.step > 0 && self.high.checked_sub(self.low).is_some_and(|width| width < self.step)
    }
}

impl Touch {
    /// What two stretches of a round do together.
    pub(crate) fn with(&self, other: &Touch) -> Touch {
        let rows = self.rows.as_ref().zip(other.rows.as_ref()).and_then(|(a, b)| a.with(b));
        Touch { written: self.written || other.written, rows }
    }
}

pub(crate) type Touches = BTreeMap<BufferId, Touch>;

/// What the rounds of a loop touch, and how many statements there are; `None` when they are seen from outside.
pub(crate) fn touches(body: &Block, index: Value) -> Option<(Touches, usize)> {
    let mut all =
        Collector { index, ranges: HashMap::new(), made: HashSet::new(), touches: Touches::new(), statements: 0 };
    all.block(body)?;
    Some((all.touches, all.statements))
}

/// Whether a statement after others, which touch this, gives the same before them.
pub(crate) fn may_come_before(stmt: &Stmt, touches: &Touches) -> bool {
    match stmt {
        Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } => true,
        Stmt::Load { buffer, .. } => touches.get(buffer).is_none_or(|touch| !touch.written),
        Stmt::Fill { buffer, .. } => !touches.contains_key(buffer),
        _ => false,
    }
}

struct Collector {
    index: Value,
    /// The greatest value of each counter inside.
    ranges: HashMap<Value, i64>,
    /// Other values of a round.
    made: HashSet<Value>,
    touches: Touches,
    statements: usize,
}

impl Collector {
    fn block(&mut self, block: &Block) -> Option<()> {
        block.stmts.iter().try_for_each(|stmt| self.stmt(stmt))
    }

    fn stmt(&mut self, stmt: &Stmt) -> Option<()> {
        self.statements += 1;
        match stmt {
            Stmt::Const { out, .. } | Stmt::Let { out, .. } | Stmt::Index { out, .. } => drop(self.made.insert(*out)),
            Stmt::Load { out, buffer, at } => {
                self.made.insert(*out);
                self.touch(*buffer, at, Some(1), false);
            }
            Stmt::Store { buffer, at, .. } => self.touch(*buffer, at, Some(1), true),
            Stmt::Fill { buffer, at, len, .. } => self.touch(*buffer, at, known(*len), true),
            Stmt::Copy { to, to_at, from, from_at, len } => {
                self.touch(*from, from_at, known(*len), false);
                self.touch(*to, to_at, known(*len), true);
            }
            Stmt::For { index, count, carried, body, results, .. } => {
                match count {
                    Count::Const(n) => drop(self.ranges.insert(*index, n.saturating_sub(1) as i64)),
                    Count::Value(_) => drop(self.made.insert(*index)),
                }
                self.made.extend(carried.iter().map(|c| c.param).chain(results.iter().copied()));
                self.block(body)?;
            }
            Stmt::Pass { index, count, body, folds } => {
                self.ranges.insert(*index, count.saturating_sub(1) as i64);
                self.made.extend(folds.iter().map(|fold| fold.result));
                body.iter().try_for_each(|stmt| self.stmt(stmt))?;
            }
            Stmt::While { carried, test, body, results } => {
                self.made.extend(carried.iter().map(|c| c.param).chain(results.iter().copied()));
                self.block(test)?;
                self.block(body)?;
            }
            Stmt::If { then, otherwise, results, .. } => {
                self.made.extend(results);
                self.block(then)?;
                self.block(otherwise)?;
            }
            Stmt::Runtime { name, inputs, outputs, .. } if name != "host" => {
                let mut span = |s: &Span, written| self.touch(s.buffer, &s.at, Some(s.len as u64), written);
                inputs.iter().for_each(|s| span(s, false));
                outputs.iter().for_each(|s| span(s, true));
            }
            Stmt::Runtime { .. } | Stmt::Reserve { .. } | Stmt::Call { .. } | Stmt::Fail { .. } => return None,
        }
        Some(())
    }

    fn touch(&mut self, buffer: BufferId, at: &Affine, len: Option<u64>, written: bool) {
        let touch = Touch { written, rows: self.rows(at, len) };
        self.touches.entry(buffer).and_modify(|all| *all = all.with(&touch)).or_insert(touch);
    }

    /// `len` elements from there.
    fn rows(&self, at: &Affine, len: Option<u64>) -> Option<Rows> {
        let (mut low, mut high) = (at.offset, at.offset.checked_add(i64::try_from(len?).ok()?)?.checked_sub(1)?);
        let mut base = Affine::default();
        for &(value, step) in at.terms.iter().filter(|term| term.0 != self.index) {
            match self.ranges.get(&value) {
                Some(&greatest) => {
                    let reach = step.checked_mul(greatest)?;
                    low = low.checked_add(reach.min(0))?;
                    high = high.checked_add(reach.max(0))?;
                }
                None if self.made.contains(&value) => return None,
                None => base.terms.push((value, step)),
            }
        }
        base.terms.sort();
        let rows = Rows { base, step: at.coefficient(self.index), low, high };
        rows.are_apart().then_some(rows)
    }
}

fn known(count: Count) -> Option<u64> {
    if let Count::Const(n) = count { Some(n) } else { None }
}

/// The blocks in a statement.
pub(crate) fn inner(stmt: &mut Stmt) -> [Option<&mut Block>; 2] {
    match stmt {
        Stmt::For { body, .. } => [Some(body), None],
        Stmt::While { test, body, .. } => [Some(test), Some(body)],
        Stmt::If { then, otherwise, .. } => [Some(then), Some(otherwise)],
        _ => [None, None],
    }
}

/// Every mention of a buffer.
pub(crate) fn each_buffer(stmt: &Stmt, see: &mut impl FnMut(BufferId)) {
    match stmt {
        Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } | Stmt::Fail { .. } => {}
        Stmt::Load { buffer, .. } | Stmt::Store { buffer, .. } => see(*buffer),
        Stmt::Fill { buffer, .. } | Stmt::Reserve { buffer, .. } => see(*buffer),
        Stmt::Copy { to, from, .. } => [*to, *from].into_iter().for_each(see),
        Stmt::Call { buffers, .. } => buffers.iter().copied().for_each(see),
        Stmt::Runtime { inputs, outputs, .. } => inputs.iter().chain(outputs).map(|s| s.buffer).for_each(see),
        Stmt::Pass { body, .. } => body.iter().for_each(|stmt| each_buffer(stmt, see)),
        Stmt::For { body, .. } => body.stmts.iter().for_each(|stmt| each_buffer(stmt, see)),
        Stmt::While { test: a, body: b, .. } | Stmt::If { then: a, otherwise: b, .. } => {
            a.stmts.iter().chain(&b.stmts).for_each(|stmt| each_buffer(stmt, see));
        }
    }
}

/// Every place in a buffer that a statement says.
pub(crate) fn each_place(stmt: &mut Stmt, change: &mut impl FnMut(BufferId, &mut Affine)) {
    match stmt {
        Stmt::Load { buffer, at, .. } | Stmt::Store { buffer, at, .. } | Stmt::Fill { buffer, at, .. } => {
            change(*buffer, at);
        }
        Stmt::Copy { to, to_at, from, from_at, .. } => {
            change(*to, to_at);
            change(*from, from_at);
        }
        Stmt::Runtime { inputs, outputs, .. } => {
            inputs.iter_mut().chain(outputs).for_each(|s| change(s.buffer, &mut s.at));
        }
        Stmt::Pass { body, .. } => body.iter_mut().for_each(|stmt| each_place(stmt, change)),
        _ => {
            let blocks = inner(stmt).into_iter().flatten();
            blocks.for_each(|block| block.stmts.iter_mut().for_each(|stmt| each_place(stmt, change)));
        }
    }
}

/// Whether a statement reads a value, other than in the address of an element.
pub(crate) fn reads(stmt: &Stmt, value: Value) -> bool {
    let counts = |count: &Count| *count == Count::Value(value);
    let any = |block: &Block| block.yields.contains(&value) || block.stmts.iter().any(|stmt| reads(stmt, value));
    match stmt {
        Stmt::Let { args, .. } => args.contains(&value),
        Stmt::Index { at, .. } => at.coefficient(value) != 0,
        Stmt::Store { value: stored, .. } => *stored == value,
        Stmt::Fill { len, value: stored, .. } => counts(len) || *stored == value,
        Stmt::Copy { len, .. } => counts(len),
        Stmt::Pass { body, folds, .. } => {
            body.iter().any(|stmt| reads(stmt, value)) || folds.iter().any(|fold| fold.item == value)
        }
        Stmt::For { count, carried, body, .. } => counts(count) || carried.iter().any(|c| c.init == value) || any(body),
        Stmt::While { carried, test, body, .. } => carried.iter().any(|c| c.init == value) || any(test) || any(body),
        Stmt::If { cond, then, otherwise, .. } => *cond == value || any(then) || any(otherwise),
        _ => false,
    }
}
