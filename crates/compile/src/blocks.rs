//! Matrix products block by block, together with what makes their operands and uses their results.
//!
//! A product over many rows or many terms, and the loops over the same rows before and after it, become one loop over blocks of
//! rows: so a large operand is in the near cache when it is read again, and what only one block needs takes the memory of a
//! block. `x' (d x)` brings `x` from memory once. A product that sums over the rows adds
//! up: each unit of blocks has a sum of its own, which are added in order, so that several threads may do them.

use crate::emit::UNPLACED;
use crate::touch::{Touch, Touches, each_buffer, each_place, inner, may_come_before, reads, touches};
use smallvec::SmallVec;
use std::borrow::Cow;
use wengert_kernel::routine::{Affine, Block, Buffer, BufferId, Count, Function, Order, Routine, Span, Stmt, Value};
use wengert_kernel::{Binary, DType, Scalar, ScalarOp};

/// Rows of a block of a product, at least, and the length of the shorter one of its other two axes, at most.
const LEAST_ROWS: u64 = 48;
const MOST_TERMS: i64 = 128;

/// Blocks with a sum of their own, at most.
const MOST_UNITS: u64 = 8;

/// Rewrites all functions of a routine: buffers of `least` bytes or more are done in blocks of about that, up to three times as
/// much where the rows leave no other choice.
pub(crate) fn cut(routine: &mut Routine, least: usize) {
    for number in 0..routine.functions.len() {
        let mut function = std::mem::take(&mut routine.functions[number]);
        let mut body = std::mem::take(&mut function.body);
        Cutter { function: &mut function, buffers: &mut routine.buffers, least }.block(&mut body);
        function.body = body;
        routine.functions[number] = function;
    }
}

/// What of a statement goes over rows.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Axis {
    /// The rounds of a loop or pass.
    Rounds,
    /// Members of a batch of products, rows and columns of the result, terms of the sums.
    Batch,
    Rows,
    Columns,
    Terms,
}

/// A matrix product, as the runtime takes it.
struct Dot<'a> {
    is_double: bool,
    ints: &'a [i64],
    lhs: &'a Span,
    rhs: &'a Span,
    out: &'a Span,
}

impl<'a> Dot<'a> {
    fn of(stmt: &'a Stmt) -> Option<Dot<'a>> {
        match stmt {
            Stmt::Runtime { name, ints, inputs, outputs } if name.starts_with("dot_f") => {
                Some(Dot { is_double: name == "dot_f64", ints, lhs: &inputs[0], rhs: &inputs[1], out: &outputs[0] })
            }
            _ => None,
        }
    }

    /// The place among the integers of an axis's length, and of its step in each operand and the result.
    fn places(axis: Axis) -> (usize, [Option<usize>; 3]) {
        match axis {
            Axis::Batch => (0, [Some(4), Some(7), Some(10)]),
            Axis::Rows => (1, [Some(5), None, Some(11)]),
            Axis::Terms => (2, [Some(6), Some(8), None]),
            Axis::Columns => (3, [None, Some(9), Some(12)]),
            Axis::Rounds => unreachable!("a product has no rounds"),
        }
    }

    /// The product of one block of an axis.
    fn block(&self, axis: Axis, number: &Affine, len: u64) -> Stmt {
        let (length, steps) = Dot::places(axis);
        let mut ints = self.ints.to_vec();
        ints[length] = len as i64;
        let part = |span: &Span, operand: usize, axes: [usize; 3]| {
            let step = steps[operand].map_or(0, |place| ints[place]);
            let last: i64 = axes.iter().zip(&ints[4 + 3 * operand..]).map(|(&n, step)| (ints[n] - 1) * step).sum();
            let at = span.at.clone().plus_affine(number, len as i64 * step);
            Span { buffer: span.buffer, at, len: last as usize + 1 }
        };
        let inputs = vec![part(self.lhs, 0, [0, 1, 2]), part(self.rhs, 1, [0, 2, 3])];
        let outputs = vec![part(self.out, 2, [0, 1, 3])];
        Stmt::Runtime { name: self.name(axis), ints, inputs, outputs }
    }

    /// The function for blocks of an axis: those of terms add up.
    fn name(&self, axis: Axis) -> Cow<'static, str> {
        match (axis, self.is_double) {
            (Axis::Terms, true) => "dot_add_f64".into(),
            (Axis::Terms, false) => "dot_add_f32".into(),
            (_, true) => "dot_f64".into(),
            (_, false) => "dot_f32".into(),
        }
    }

    /// Whether blocks of so many rows take much longer than all at once: for each the other operand is brought into order again, which
    /// memory that is read once and not twice makes up for only where there is little to compute.
    fn is_dear(&self, axis: Axis, rows: u64) -> bool {
        let others = match axis {
            Axis::Batch => return false,
            Axis::Rows => [2, 3],
            Axis::Columns => [1, 2],
            Axis::Terms => [1, 3],
            Axis::Rounds => unreachable!("a product has no rounds"),
        };
        rows < LEAST_ROWS || others.iter().all(|&n| self.ints[n] > MOST_TERMS)
    }

    /// Whether the result is dense, and so small beside the operands that there may be one for each unit.
    fn sum_is_small(&self) -> bool {
        let size = (self.ints[0] * self.ints[1] * self.ints[3]) as usize;
        size == self.out.len && 4 * size * MOST_UNITS as usize <= self.lhs.len.max(self.rhs.len)
    }
}

/// What goes over rows of a statement, and how many.
fn axes(stmt: &Stmt) -> SmallVec<[(Axis, u64); 4]> {
    match stmt {
        Stmt::For { count: Count::Const(n), order: Order::Forward, carried, .. } if carried.is_empty() => {
            SmallVec::from_slice(&[(Axis::Rounds, *n)])
        }
        Stmt::Pass { count, folds, .. } if folds.is_empty() => SmallVec::from_slice(&[(Axis::Rounds, *count)]),
        _ => Dot::of(stmt).map_or_else(SmallVec::new, |dot| {
            let length = |axis| (axis, dot.ints[Dot::places(axis).0] as u64);
            let all = [Axis::Batch, Axis::Rows, Axis::Columns, Axis::Terms].map(length);
            all.into_iter().filter(|&(axis, _)| axis != Axis::Terms || dot.sum_is_small()).collect()
        }),
    }
}

/// A statement of a chain.
struct Piece {
    stmt: Stmt,
    axis: Axis,
    rows: u64,
    /// The counter within a block.
    inner: Value,
}

impl Piece {
    /// The statement for one block out of `blocks`.
    fn block(&self, blocks: u64, number: &Affine) -> Stmt {
        let len = self.rows / blocks;
        let here = Affine::value(self.inner).plus_affine(number, len as i64);
        let moved = |index: Value| {
            let here = here.clone();
            move |_, at: &mut Affine| {
                let step = at.coefficient(index);
                at.terms.retain(|term| term.0 != index);
                *at = std::mem::take(at).plus_affine(&here, step);
            }
        };
        match &self.stmt {
            Stmt::For { index, body, order, .. } => {
                let mut body = body.clone();
                let mut place = moved(*index);
                body.stmts.iter_mut().for_each(|stmt| each_place(stmt, &mut place));
                if body.stmts.iter().any(|stmt| reads(stmt, *index)) {
                    body.stmts.insert(0, Stmt::Index { out: *index, at: here.clone() });
                }
                let (count, carried, results) = (Count::Const(len), Vec::new(), Vec::new());
                Stmt::For { index: self.inner, count, order: *order, carried, body, results }
            }
            Stmt::Pass { index, body, .. } => {
                let mut body = body.clone();
                let mut place = moved(*index);
                body.iter_mut().for_each(|stmt| each_place(stmt, &mut place));
                if body.iter().any(|stmt| reads(stmt, *index)) {
                    body.insert(0, Stmt::Index { out: *index, at: here.clone() });
                }
                Stmt::Pass { index: self.inner, count: len, body, folds: Vec::new() }
            }
            stmt => Dot::of(stmt).expect("it is a product").block(self.axis, number, len),
        }
    }

    fn is_sum(&self) -> bool {
        self.axis == Axis::Terms
    }
}

/// Statements one after the other that may be done block by block.
struct Chain {
    /// The statements as they were, with those between them.
    original: Vec<Stmt>,
    pieces: Vec<Piece>,
    /// How many blocks; 0 as long as there is one piece.
    blocks: u64,
    /// Their counter.
    number: Value,
    /// What a block touches; of a single piece, what it touches at all.
    touches: Touches,
    /// What stood between the pieces and comes before them; and what came after the last one and might.
    before: Vec<Stmt>,
    after: Vec<Stmt>,
}

struct Cutter<'a> {
    function: &'a mut Function,
    buffers: &'a mut Vec<Buffer>,
    least: usize,
}

impl Cutter<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut done = Vec::new();
        let mut open: Option<Chain> = None;
        for mut stmt in std::mem::take(&mut block.stmts) {
            let lengths = axes(&stmt);
            if let Some(chain) = &mut open {
                if !lengths.is_empty() && self.extend(chain, &stmt, &lengths) {
                    continue;
                }
                if lengths.is_empty() && may_come_before(&stmt, &chain.touches) {
                    chain.after.push(stmt);
                    continue;
                }
            }
            if let Some(chain) = open.take() {
                self.finish(chain, &mut done);
            }
            match self.begin(&stmt, &lengths) {
                Some(chain) => open = Some(chain),
                None => {
                    inner(&mut stmt).into_iter().flatten().for_each(|block| self.block(block));
                    done.push(stmt);
                }
            }
        }
        if let Some(chain) = open {
            self.finish(chain, &mut done);
        }
        block.stmts = done;
    }

    /// A chain of one statement, if that goes over rows of something large.
    fn begin(&mut self, stmt: &Stmt, lengths: &[(Axis, u64)]) -> Option<Chain> {
        let &(axis, rows) = lengths.first()?;
        let whole = Block { stmts: vec![stmt.clone()], yields: Vec::new() };
        let number = self.function.value(DType::I64);
        let (touches, _) = touches(&whole, number)?;
        if !touches.keys().any(|&buffer| self.is_large(buffer)) {
            return None;
        }
        let inner = self.function.value(DType::I64);
        let pieces = vec![Piece { stmt: stmt.clone(), axis, rows, inner }];
        let (before, after) = (Vec::new(), Vec::new());
        Some(Chain { original: vec![stmt.clone()], pieces, blocks: 0, number, touches, before, after })
    }

    fn is_large(&self, buffer: BufferId) -> bool {
        let buffer = &self.buffers[buffer.0 as usize];
        buffer.len * buffer.dtype.size() >= self.least
    }

    /// Takes the statement into the chain, if there are blocks of rows in which all may be done.
    fn extend(&mut self, chain: &mut Chain, stmt: &Stmt, lengths: &[(Axis, u64)]) -> bool {
        let inner = self.function.value(DType::I64);
        for &(axis, rows) in lengths {
            let piece = Piece { stmt: stmt.clone(), axis, rows, inner };
            if chain.blocks > 0 {
                if let Some(touches) = self.together(&chain.touches, &piece, chain) {
                    return chain.take(piece, touches);
                }
                continue;
            }
            for (axis, rows) in axes(&chain.pieces[0].stmt) {
                let Some(blocks) = self.blocks(chain, stmt, rows, piece.rows) else { continue };
                (chain.pieces[0].axis, chain.pieces[0].rows, chain.blocks) = (axis, rows, blocks);
                let first = self.touched(&chain.pieces[0], chain);
                if let Some(touches) = first.and_then(|first| self.together(&first, &piece, chain)) {
                    return chain.take(piece, touches);
                }
                chain.blocks = 0;
            }
        }
        false
    }

    /// What a block of a piece touches.
    fn touched(&self, piece: &Piece, chain: &Chain) -> Option<Touches> {
        if !piece.rows.is_multiple_of(chain.blocks)
            || Dot::of(&piece.stmt).is_some_and(|dot| dot.is_dear(piece.axis, piece.rows / chain.blocks))
        {
            return None;
        }
        let stmt = piece.block(chain.blocks, &Affine::value(chain.number));
        touches(&Block { stmts: vec![stmt], yields: Vec::new() }, chain.number).map(|(touches, _)| touches)
    }

    /// What blocks touch with one more piece, if that keeps to their rows and shares something large with them.
    fn together(&self, before: &Touches, piece: &Piece, chain: &Chain) -> Option<Touches> {
        let theirs = self.touched(piece, chain)?;
        let mut all = before.clone();
        let mut gains = false;
        for (buffer, touch) in theirs {
            match all.get_mut(&buffer) {
                Some(ours) => {
                    let both: Touch = ours.with(&touch);
                    if both.rows.is_none() && both.written {
                        return None;
                    }
                    gains |= both.rows.is_some() && self.is_large(buffer);
                    *ours = both;
                }
                None => drop(all.insert(buffer, touch)),
            }
        }
        gains.then_some(all)
    }

    /// Into how many blocks rows of two statements are cut.
    fn blocks(&self, chain: &Chain, stmt: &Stmt, rows: u64, more: u64) -> Option<u64> {
        let mut largest = 0;
        let mut see = |b: BufferId| {
            let buffer = &self.buffers[b.0 as usize];
            largest = largest.max(buffer.len * buffer.dtype.size());
        };
        each_buffer(&chain.pieces[0].stmt, &mut see);
        each_buffer(stmt, &mut see);
        let wanted = (2 * largest).div_ceil(self.least.max(1)) as u64;
        let common = gcd(rows, more);
        // Preferably units of equal numbers of blocks.
        let fits = |n: u64, units: u64| common.is_multiple_of(n) && n.is_multiple_of(units);
        let range = (wanted / 6).max(4)..=(2 * wanted).min(common);
        let near = |units: u64| range.clone().filter(|&n| fits(n, units)).min_by_key(|n| n.abs_diff(wanted));
        near(MOST_UNITS).or_else(|| near(2)).or_else(|| near(1))
    }

    /// Writes the loop over blocks, or what was there.
    fn finish(&mut self, chain: Chain, done: &mut Vec<Stmt>) {
        if chain.blocks == 0 || !chain.pieces.iter().any(|piece| Dot::of(&piece.stmt).is_some()) {
            for mut stmt in chain.original {
                inner(&mut stmt).into_iter().flatten().for_each(|block| self.block(block));
                done.push(stmt);
            }
        } else {
            done.extend(chain.before);
            self.write(chain.blocks, chain.number, &chain.pieces, done);
        }
        done.extend(chain.after);
    }

    /// The loop over blocks. With sums over blocks it is one over units, each with its sums, around one over a unit's blocks.
    fn write(&mut self, blocks: u64, number: Value, pieces: &[Piece], done: &mut Vec<Stmt>) {
        let sums: Vec<(BufferId, Affine, usize)> = pieces
            .iter()
            .filter(|piece| piece.is_sum())
            .filter_map(|piece| Dot::of(&piece.stmt))
            .map(|dot| (dot.out.buffer, dot.out.at.clone(), dot.out.len))
            .collect();
        let units = if sums.is_empty() { 1 } else { gcd(blocks, MOST_UNITS) };
        let unit = self.function.value(DType::I64);
        let at =
            if units == 1 { Affine::value(number) } else { Affine::value(number).plus(unit, (blocks / units) as i64) };
        let mut stmts: Vec<Stmt> = pieces.iter().map(|piece| piece.block(blocks, &at)).collect();
        let mut begin = Vec::new();
        let mut end = Vec::new();
        let mut sums = sums.into_iter();
        for stmt in stmts.iter_mut() {
            let Stmt::Runtime { name, outputs, .. } = stmt else { continue };
            if !name.starts_with("dot_add") {
                continue;
            }
            let (buffer, at, len) = sums.next().expect("one for each");
            let dtype = self.buffers[buffer.0 as usize].dtype;
            let zero = self.function.value(dtype);
            done.push(Stmt::Const { out: zero, value: Scalar::zero(dtype) });
            let (part, part_at) = if units == 1 {
                (buffer, at)
            } else {
                let part = BufferId(self.buffers.len() as u32);
                self.buffers.push(Buffer { dtype, len: len * units as usize, storage: UNPLACED });
                end.push(self.sum_of_parts(part, units, len, buffer, at));
                (part, Affine::default().plus(unit, len as i64))
            };
            outputs[0] = Span { buffer: part, at: part_at.clone(), len };
            begin.push(Stmt::Fill { buffer: part, at: part_at, len: Count::Const(len as u64), value: zero });
        }
        let inner = looped(number, blocks / units, stmts);
        if units == 1 {
            done.extend(begin);
            done.push(inner);
        } else {
            begin.push(inner);
            done.push(looped(unit, units, begin));
        }
        done.extend(end);
    }

    /// `to[at + i]` is the sum of the `i`-th elements of all parts, the first one first.
    fn sum_of_parts(&mut self, parts: BufferId, units: u64, len: usize, to: BufferId, at: Affine) -> Stmt {
        let dtype = self.buffers[parts.0 as usize].dtype;
        let index = self.function.value(DType::I64);
        let mut body = Vec::new();
        let mut sum = None;
        for unit in 0..units {
            let part = self.function.value(dtype);
            let from = Affine::constant((unit as usize * len) as i64).plus(index, 1);
            body.push(Stmt::Load { out: part, buffer: parts, at: from });
            sum = Some(match sum {
                None => part,
                Some(before) => {
                    let out = self.function.value(dtype);
                    let args = SmallVec::from_slice(&[before, part]);
                    body.push(Stmt::Let { out, op: ScalarOp::Binary(Binary::Add), args });
                    out
                }
            });
        }
        body.push(Stmt::Store { buffer: to, at: at.plus(index, 1), value: sum.expect("there are units") });
        Stmt::Pass { index, count: len as u64, body, folds: Vec::new() }
    }
}

impl Chain {
    /// Adds a piece; what stood before it comes before all.
    fn take(&mut self, piece: Piece, touches: Touches) -> bool {
        self.original.append(&mut self.after.clone());
        self.original.push(piece.stmt.clone());
        self.before.append(&mut self.after);
        self.touches = touches;
        self.pieces.push(piece);
        true
    }
}

fn looped(index: Value, count: u64, stmts: Vec<Stmt>) -> Stmt {
    let (count, carried, results) = (Count::Const(count), Vec::new(), Vec::new());
    Stmt::For { index, count, order: Order::Forward, carried, body: Block { stmts, yields: Vec::new() }, results }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
