//! Loops over the same rows become one, and what only one round of a loop needs is kept for one round.
//!
//! A loop joins one before it of as many rounds when every buffer that one of them writes and the other touches is cut
//! by the counter into rows, and round `i` of both keeps to row `i`. Then round `i` of the second finds what it found after the whole
//! first loop, while it is still in the nearest cache; and a buffer that no other statement touches needs one row of memory.

use crate::emit::UNPLACED;
use crate::touch::{Touch, Touches, each_buffer, each_place, inner, may_come_before, reads, touches};
use std::collections::{BTreeMap, HashMap};
use wengert_kernel::DType;
use wengert_kernel::routine::{Affine, Block, BufferId, Count, Function, Order, Routine, Stmt, Value};

/// Statements in a loop up to which others join it.
const MOST_STATEMENTS: usize = 400;

/// Bytes of a buffer from which on it pays that two loops go over it together: what is smaller stays in the nearest cache
/// anyway, and is better read some time after it was written.
const LEAST_BYTES: usize = 1 << 15;

/// Joins the loops of all functions of a routine.
pub(crate) fn share(routine: &mut Routine) {
    share_from(routine, LEAST_BYTES);
}

fn share_from(routine: &mut Routine, least_bytes: usize) {
    let large: Vec<bool> = routine.buffers.iter().map(|b| b.len * b.dtype.size() >= least_bytes).collect();
    for function in &mut routine.functions {
        let mut body = std::mem::take(&mut function.body);
        Joiner { function, large: &large }.block(&mut body);
        function.body = body;
    }
}

/// Gives buffers that only one loop touches the memory of one round.
pub(crate) fn keep(routine: &mut Routine) {
    let mut uses = HashMap::new();
    for function in &routine.functions {
        function.body.stmts.iter().for_each(|stmt| each_buffer(stmt, &mut |b| *uses.entry(b).or_insert(0usize) += 1));
    }
    for number in 0..routine.functions.len() {
        let mut body = std::mem::take(&mut routine.functions[number].body);
        keep_rows(&mut body, routine, &uses);
        routine.functions[number].body = body;
    }
}

/// A loop that may join others.
struct Candidate {
    count: u64,
    index: Value,
    body: Block,
    touches: Touches,
    statements: usize,
}

impl Candidate {
    /// The loop, taken out of the statement, if it carries nothing and does nothing that is seen from outside.
    fn of(stmt: &mut Stmt) -> Option<Candidate> {
        let Stmt::For { index, count: Count::Const(count), order: Order::Forward, carried, body, .. } = stmt else {
            return None;
        };
        let (touches, statements) = touches(body, *index).filter(|_| carried.is_empty() && *count > 1)?;
        Some(Candidate { count: *count, index: *index, body: std::mem::take(body), touches, statements })
    }

    /// Whether the rounds of the two may be done together.
    fn goes_with(&self, other: &Candidate) -> bool {
        let apart = |(buffer, theirs): (&BufferId, &Touch)| match self.touches.get(buffer) {
            Some(ours) if ours.written || theirs.written => ours.with(theirs).rows.is_some(),
            _ => true,
        };
        self.count == other.count
            && self.statements + other.statements <= MOST_STATEMENTS
            && other.touches.iter().all(apart)
    }

    /// Whether they go over the rows of something large.
    fn gains_with(&self, other: &Candidate, large: &[bool]) -> bool {
        let both = |(buffer, theirs): (&BufferId, &Touch)| {
            large[buffer.0 as usize] && self.touches.get(buffer).is_some_and(|ours| ours.with(theirs).rows.is_some())
        };
        other.touches.iter().any(both)
    }

    fn join(&mut self, mut other: Candidate) {
        // Addresses go by the one counter, so that they are still seen through; the other one is another name for it.
        let mut renamed = |_, at: &mut Affine| {
            let step = at.coefficient(other.index);
            at.terms.retain(|term| term.0 != other.index);
            if step != 0 {
                *at = std::mem::take(at).plus(self.index, step);
            }
        };
        other.body.stmts.iter_mut().for_each(|stmt| each_place(stmt, &mut renamed));
        if other.body.stmts.iter().any(|stmt| reads(stmt, other.index)) {
            self.body.stmts.push(Stmt::Index { out: other.index, at: Affine::value(self.index) });
        }
        self.body.stmts.append(&mut other.body.stmts);
        self.statements += other.statements;
        for (buffer, theirs) in other.touches {
            self.touches.entry(buffer).and_modify(|ours| *ours = ours.with(&theirs)).or_insert(theirs);
        }
    }

    fn into_loop(self) -> Stmt {
        let (count, carried, results) = (Count::Const(self.count), Vec::new(), Vec::new());
        Stmt::For { index: self.index, count, order: Order::Forward, carried, body: self.body, results }
    }
}

/// Joins the loops of a function.
struct Joiner<'a> {
    function: &'a mut Function,
    /// By buffer.
    large: &'a [bool],
}

impl Joiner<'_> {
    /// Joins the loops of a block, then those inside of them.
    fn block(&mut self, block: &mut Block) {
        let mut done: Vec<Stmt> = Vec::new();
        // The last loop, and what came after it and could as well come before.
        let mut open: Option<(Candidate, Vec<Stmt>)> = None;
        for mut stmt in std::mem::take(&mut block.stmts) {
            match (Candidate::of(&mut stmt), open.take()) {
                (Some(next), Some((mut last, between)))
                    if last.gains_with(&next, self.large) && last.goes_with(&next) =>
                {
                    let fills = self.filled_by_rows(&between, &next);
                    for (i, stmt) in between.into_iter().enumerate() {
                        if !fills.contains_key(&i) {
                            done.push(stmt);
                        }
                    }
                    fills.into_values().chain([next]).for_each(|next| last.join(next));
                    open = Some((last, Vec::new()));
                }
                (None, Some((last, mut between))) if may_come_before(&stmt, &last.touches) => {
                    between.push(stmt);
                    open = Some((last, between));
                }
                (next, last) => {
                    if let Some((last, between)) = last {
                        done.push(last.into_loop());
                        done.extend(between);
                    }
                    match next {
                        Some(next) => open = Some((next, Vec::new())),
                        None => done.push(stmt),
                    }
                }
            }
        }
        if let Some((last, between)) = open {
            done.push(last.into_loop());
            done.extend(between);
        }
        done.iter_mut().flat_map(inner).flatten().for_each(|block| self.block(block));
        block.stmts = done;
    }

    /// Of statements before a loop those that fill a buffer of which the loop touches only the row of each round, as loops
    /// over these rows, by place.
    fn filled_by_rows(&mut self, between: &[Stmt], next: &Candidate) -> BTreeMap<usize, Candidate> {
        let mut found = BTreeMap::new();
        for (i, stmt) in between.iter().enumerate() {
            let Stmt::Fill { buffer, at, len: Count::Const(len), value } = stmt else { continue };
            let Some(Touch { rows: Some(rows), .. }) = next.touches.get(buffer) else { continue };
            let whole = at.terms == rows.base.terms && rows.step as u64 * next.count == *len;
            let inside = rows.low >= at.offset && rows.high < at.offset + rows.step;
            // What is read in between has been filled before.
            let alone = !between.iter().enumerate().any(|(k, stmt)| k != i && touches_buffer(stmt, *buffer));
            if whole && inside && alone {
                let index = self.function.value(DType::I64);
                let at = at.clone().plus(index, rows.step);
                let row = Stmt::Fill { buffer: *buffer, at, len: Count::Const(rows.step as u64), value: *value };
                let body = Block { stmts: vec![row], yields: Vec::new() };
                let (touches, statements) = touches(&body, index).expect("a fill is seen by nobody");
                found.insert(i, Candidate { count: next.count, index, body, touches, statements });
            }
        }
        found
    }
}

fn touches_buffer(stmt: &Stmt, buffer: BufferId) -> bool {
    let mut found = false;
    each_buffer(stmt, &mut |b| found |= b == buffer);
    found
}

/// Gives buffers that only the rounds of one loop touch the memory of one round.
fn keep_rows(block: &mut Block, routine: &mut Routine, uses: &HashMap<BufferId, usize>) {
    for stmt in &mut block.stmts {
        if let Stmt::For { index, body, .. } = stmt
            && let Some((touches, _)) = touches(body, *index)
        {
            let mut here = HashMap::new();
            body.stmts.iter().for_each(|stmt| each_buffer(stmt, &mut |b| *here.entry(b).or_insert(0usize) += 1));
            for (buffer, touch) in touches {
                let memory = &mut routine.buffers[buffer.0 as usize];
                if let (Some(rows), true, true) =
                    (touch.rows, memory.storage == UNPLACED, here[&buffer] == uses[&buffer])
                {
                    memory.len = (rows.high - rows.low + 1) as usize;
                    let in_row = |at: &mut Affine| {
                        at.terms.retain(|term| term.0 != *index && !rows.base.terms.contains(term));
                        at.offset -= rows.low;
                    };
                    body.stmts.iter_mut().for_each(|stmt| {
                        each_place(stmt, &mut |b, at| {
                            if b == buffer {
                                in_row(at)
                            }
                        })
                    });
                }
            }
        }
        inner(stmt).into_iter().flatten().for_each(|block| keep_rows(block, routine, uses));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The routine with these statements after all rewriting; `b0` and `b1` of 12 elements are the argument and the result, `b2` and
    /// `b3` of 12 are unplaced.
    fn shared(statements: &str) -> String {
        let text = format!(
            "routine arena 0 buffer b0: f64[12] input 0 buffer b1: f64[12] output 0 buffer b2: f64[12] arena 0 \
             buffer b3: f64[12] arena 0 function f0 \"main\" () {{ {statements} }}"
        );
        let mut routine = Routine::parse(&text).expect("it is a routine");
        routine.buffers[2..].iter_mut().for_each(|buffer| buffer.storage = UNPLACED);
        share_from(&mut routine, 0);
        keep(&mut routine);
        let text = routine.to_string().split_once("{\n").expect("a function").1.to_owned();
        text.lines().filter(|line| !line.contains("spare")).map(|line| format!("{line}\n")).collect()
    }

    const TWICE: &str = "for %0 in 0..3 { pass %1 in 0..4 { %2: f64 = load b0[4*%0 + %1] store b2[4*%0 + %1] = %2 } }";

    #[test]
    fn rows_are_done_together_and_kept_for_one_round() {
        let second = "for %3 in 0..3 { pass %4 in 0..3 { %5: f64 = load b2[4*%3 + %4 + 1] store b1[4*%3 + %4] = %5 } }";
        assert_eq!(
            shared(&format!("{TWICE} %6: f64 = const 0.0 fill b1[0; 12] = %6 {second}")),
            "  %6: f64 = const 0.0\n  for %0 in 0..3 {\n    pass %1 in 0..4 {\n      %2: f64 = load b0[4*%0 + %1]\n      \
             store b2[%1] = %2\n    }\n    fill b1[4*%0; 4] = %6\n    pass %4 in 0..3 {\n      \
             %5: f64 = load b2[%4 + 1]\n      store b1[%4 + 4*%0] = %5\n    }\n  }\n}\n"
        );
    }

    #[test]
    fn loops_inside_of_joined_loops_are_joined() {
        let loops = |from: &str, to: &str, v: [u32; 4]| {
            let [i, j, k, x] = v;
            format!(
                "for %{i} in 0..2 {{ for %{j} in 0..2 {{ pass %{k} in 0..3 {{ %{x}: f64 = load {from}[6*%{i} + 3*%{j} + %{k}] \
                 store {to}[6*%{i} + 3*%{j} + %{k}] = %{x} }} }} }}"
            )
        };
        let text = shared(&(loops("b0", "b2", [0, 1, 2, 3]) + &loops("b2", "b1", [4, 5, 6, 7])));
        assert_eq!(text.matches("for").count(), 2, "{text}");
        assert!(text.contains("store b2[%2] = %3"), "{text}");
    }

    #[test]
    fn what_reads_other_rows_waits() {
        for second in [
            // The row before, columns, all of it, more than a row.
            "for %3 in 0..2 { pass %4 in 0..4 { %5: f64 = load b2[4*%3 + %4 + 4] store b1[4*%3 + %4] = %5 } }",
            "for %3 in 0..3 { pass %4 in 0..4 { %5: f64 = load b2[3*%4 + %3] store b1[4*%3 + %4] = %5 } }",
            "for %3 in 0..3 { pass %4 in 0..4 { %5: f64 = load b2[%4] store b1[4*%3 + %4] = %5 } }",
            "for %3 in 0..3 { pass %4 in 0..5 { %5: f64 = load b2[3*%3 + %4] store b1[4*%3] = %5 } }",
            "for %3 in 0..3 { pass %4 in 0..4 { %5: f64 = load b2[4*%3 + 2*%4] store b1[4*%3] = %5 } }",
        ] {
            let text = shared(&format!("{TWICE} {second}"));
            assert_eq!(text.matches("for").count(), 2, "{text}");
        }
    }

    #[test]
    fn what_stands_between_and_is_read_or_seen_keeps_them_apart() {
        let second = "for %3 in 0..3 { pass %4 in 0..4 { %5: f64 = load b2[4*%3 + %4] store b1[4*%3 + %4] = %5 } }";
        for between in ["%6: f64 = load b2[5]", "%6: f64 = const 0.0 fill b2[0; 4] = %6", "copy b3[0; 4] = b2[0]"] {
            let text = shared(&format!("{TWICE} {between} {second}"));
            assert_eq!(text.matches("for").count(), 2, "{text}");
        }
        let failing = "for %3 in 0..3 { %4: bool = const true  fail %4 check 0 lane %3 }";
        let text = shared(&format!("{TWICE} {failing}"));
        assert_eq!(text.matches("for").count(), 2, "{text}");
    }

    #[test]
    fn what_is_used_after_the_loop_is_kept() {
        let text = shared(&format!("{TWICE} copy b1[0; 12] = b2[0]"));
        assert!(text.contains("store b2[4*%0 + %1]"), "{text}");
    }
}
