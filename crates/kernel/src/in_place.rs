//! Which results of a routine may be written over which of its arguments.
//!
//! A result may lie in the memory of an argument when whatever the routine reads of the argument it reads before it
//! writes there: in an earlier statement, in the same round of loops whose rounds stay apart from each other, or at other elements
//! than those written before.

use crate::routine::{Affine, Block, BufferId, Count, Function, Routine, Stmt, Storage, Value};
use std::collections::{HashMap, HashSet};

/// Arguments that one result may be written over, at most.
const CHOICES: usize = 3;

/// By output: the inputs whose memory it may take, the best first. If an input's memory is given up, an output may be at
/// its address; a memory serves one output.
///
/// ```
/// use wengert_kernel::{in_place::choices, routine::Routine};
/// let routine = |from: &str| Routine::parse(&format!(r#"
///     routine arena 0
///     buffer b0: f64[9] input 0
///     buffer b1: f64[9] output 0
///     function f0 "f" () {{
///       pass %0 in 0..9 {{ %1: f64 = load b0[{from}]  store b1[%0] = %1 }}
///     }}"#)).unwrap();
/// assert_eq!(choices(&routine("%0")), [vec![0]]);
/// assert_eq!(choices(&routine("-1*%0 + 8")), [vec![]]);
/// ```
pub fn choices(routine: &Routine) -> Vec<Vec<u32>> {
    let Some(entry) = routine.functions.last() else { return Vec::new() };
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    for (id, buffer) in routine.buffers.iter().enumerate() {
        match buffer.storage {
            Storage::Input(i) => inputs.push((i, BufferId(id as u32))),
            Storage::Output(k) => outputs.push((k, BufferId(id as u32))),
            _ => {}
        }
    }
    inputs.sort();
    outputs.sort();
    let order = Order::new(routine, entry);
    let kind = |id: BufferId| {
        let buffer = &routine.buffers[id.0 as usize];
        (buffer.dtype, buffer.len)
    };
    let mut choices = vec![Vec::new(); outputs.last().map_or(0, |o| o.0 as usize + 1)];
    let mut first_choices = HashSet::new();
    for &(k, output) in &outputs {
        let fits = |&&(_, input): &&(u32, BufferId)| kind(input) == kind(output) && order.allows(input, output);
        let mut found: Vec<u32> = inputs.iter().filter(fits).map(|input| input.0).collect();
        // What no other output takes first, so that as many as possible find one.
        if let Some(free) = found.iter().position(|i| !first_choices.contains(i)) {
            found[..=free].rotate_right(1);
        }
        found.truncate(CHOICES);
        first_choices.extend(found.first().copied());
        choices[k as usize] = found;
    }
    choices
}

/// What the statements of the entry touch.
struct Order<'a> {
    stmts: &'a [Stmt],
    /// By function: the buffers that it names itself or by its callees.
    named: Vec<HashSet<BufferId>>,
    /// The last statement that touches a buffer, and the first.
    last: HashMap<BufferId, usize>,
    first: HashMap<BufferId, usize>,
}

impl<'a> Order<'a> {
    fn new(routine: &'a Routine, entry: &'a Function) -> Order<'a> {
        let mut named: Vec<HashSet<BufferId>> = Vec::new();
        for function in &routine.functions {
            let mut here = HashSet::new();
            function.body.stmts.iter().for_each(|stmt| touched(stmt, &named, &mut |b| _ = here.insert(b)));
            named.push(here);
        }
        let (mut last, mut first) = (HashMap::new(), HashMap::new());
        for (k, stmt) in entry.body.stmts.iter().enumerate() {
            touched(stmt, &named, &mut |buffer| {
                last.insert(buffer, k);
                first.entry(buffer).or_insert(k);
            });
        }
        Order { stmts: &entry.body.stmts, named, last, first }
    }

    /// Whether every read of `input` comes before what is written over it as `output`.
    fn allows(&self, input: BufferId, output: BufferId) -> bool {
        match (self.last.get(&input), self.first.get(&output)) {
            (None, _) => true,
            (Some(read), Some(written)) => {
                let mut pair = Pair { input, output, named: &self.named, inner: HashMap::new() };
                read < written || pair.in_turn(&self.stmts[*written..=*read]).is_some()
            }
            (Some(_), None) => false,
        }
    }
}

/// Calls `f` with every buffer that a statement touches.
fn touched(stmt: &Stmt, named: &[HashSet<BufferId>], f: &mut dyn FnMut(BufferId)) {
    let mut each = |block: &Block| block.stmts.iter().for_each(|stmt| touched(stmt, named, f));
    match stmt {
        Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } | Stmt::Fail { .. } => {}
        Stmt::Load { buffer, .. }
        | Stmt::Store { buffer, .. }
        | Stmt::Fill { buffer, .. }
        | Stmt::Reserve { buffer, .. } => f(*buffer),
        Stmt::Copy { to, from, .. } => [*to, *from].into_iter().for_each(f),
        Stmt::For { body, .. } => each(body),
        Stmt::While { test, body, .. } => [test, body].into_iter().for_each(each),
        Stmt::If { then, otherwise, .. } => [then, otherwise].into_iter().for_each(each),
        Stmt::Pass { body, .. } => body.iter().for_each(|stmt| touched(stmt, named, f)),
        Stmt::Call { function, buffers, .. } => {
            buffers.iter().chain(&named[function.0 as usize]).for_each(|&b| f(b));
        }
        Stmt::Runtime { inputs, outputs, .. } => inputs.iter().chain(outputs).for_each(|s| f(s.buffer)),
    }
}

/// One input and one output that would share memory.
struct Pair<'a> {
    input: BufferId,
    output: BufferId,
    named: &'a [HashSet<BufferId>],
    /// Values defined in what was looked at; of counters, how many values they take.
    inner: HashMap<Value, Option<u64>>,
}

/// What statements do to the shared memory. `None` in its place: a read may find what was written.
#[derive(Default)]
struct Effects<'a> {
    reads: bool,
    writes: bool,
    /// The elements that single loads and stores reach.
    elements: Vec<&'a Affine>,
    /// Whether there are other accesses.
    stretches: bool,
}

impl<'a> Effects<'a> {
    fn and(mut self, other: Effects<'a>) -> Effects<'a> {
        self.reads |= other.reads;
        self.writes |= other.writes;
        self.stretches |= other.stretches;
        self.elements.extend(other.elements);
        self
    }

    /// Stretches that are read or written, but not both.
    fn stretches(reads: bool, writes: bool) -> Option<Effects<'a>> {
        (!(reads && writes)).then(|| Effects { reads, writes, elements: Vec::new(), stretches: reads || writes })
    }
}

impl Pair<'_> {
    /// Statements that are run once, of which each reads elsewhere than those before it have written.
    fn in_turn(&mut self, stmts: &[Stmt]) -> Option<()> {
        let mut written: Option<(i128, i128)> = None;
        for stmt in stmts {
            let effects = self.stmt(stmt)?;
            if !(effects.reads || effects.writes) {
                continue;
            }
            let all = self.reach(&effects);
            if let (true, Some((low, high))) = (effects.reads, written) {
                let (from, to) = all?;
                if from <= high && low <= to {
                    return None;
                }
            }
            if effects.writes {
                let (from, to) = all.unwrap_or((i128::MIN, i128::MAX));
                written = Some(written.map_or((from, to), |(low, high)| (low.min(from), high.max(to))));
            }
        }
        Some(())
    }

    /// The first and the last element that single loads and stores reach, where nothing else decides that.
    fn reach(&self, effects: &Effects<'_>) -> Option<(i128, i128)> {
        let mut reach: Option<(i128, i128)> = None;
        for at in (!effects.stretches).then_some(&effects.elements)? {
            let (mut from, mut to) = (at.offset as i128, at.offset as i128);
            for (value, coefficient) in &at.terms {
                let last = (*self.inner.get(value)?)?.saturating_sub(1);
                let step = *coefficient as i128 * last as i128;
                (from, to) = (from + step.min(0), to + step.max(0));
            }
            reach = Some(reach.map_or((from, to), |(low, high)| (low.min(from), high.max(to))));
        }
        reach
    }

    fn block<'a>(&mut self, stmts: &'a [Stmt]) -> Option<Effects<'a>> {
        stmts.iter().try_fold(Effects::default(), |before, stmt| {
            let now = self.stmt(stmt)?;
            (!(before.writes && now.reads)).then(|| before.and(now))
        })
    }

    fn stmt<'a>(&mut self, stmt: &'a Stmt) -> Option<Effects<'a>> {
        let effects = match stmt {
            Stmt::Load { buffer, at, .. } if *buffer == self.input => {
                Some(Effects { reads: true, elements: vec![at], ..Effects::default() })
            }
            Stmt::Store { buffer, at, .. } if *buffer == self.output => {
                Some(Effects { writes: true, elements: vec![at], ..Effects::default() })
            }
            Stmt::Fill { buffer, .. } => Effects::stretches(false, *buffer == self.output),
            // What is copied to where it is stays what it is.
            Stmt::Copy { to, to_at, from, from_at, .. }
                if *to == self.output && *from == self.input && to_at == from_at =>
            {
                Some(Effects { reads: true, writes: true, elements: Vec::new(), stretches: true })
            }
            Stmt::Copy { to, from, .. } => Effects::stretches(*from == self.input, *to == self.output),
            Stmt::Runtime { inputs, outputs, .. } => Effects::stretches(
                inputs.iter().chain(outputs).any(|s| s.buffer == self.input),
                outputs.iter().any(|s| s.buffer == self.output),
            ),
            Stmt::Call { function, buffers, .. } => {
                let names = |b: BufferId| buffers.contains(&b) || self.named[function.0 as usize].contains(&b);
                Effects::stretches(names(self.input), names(self.output))
            }
            Stmt::If { then, otherwise, .. } => {
                let then = self.block(&then.stmts)?;
                Some(then.and(self.block(&otherwise.stmts)?))
            }
            Stmt::While { test, body, .. } => {
                let round = self.block(&test.stmts)?.and(self.block(&body.stmts)?);
                (!(round.reads && round.writes)).then_some(round)
            }
            Stmt::For { index, count, body, .. } => {
                let count = if let Count::Const(n) = count { Some(*n) } else { None };
                self.rounds(*index, count, &body.stmts)
            }
            Stmt::Pass { index, count, body, .. } => self.rounds(*index, Some(*count), body),
            _ => Some(Effects::default()),
        };
        stmt.for_each_definition(&mut |v| _ = self.inner.entry(v).or_insert(None));
        effects
    }

    fn rounds<'a>(&mut self, index: Value, count: Option<u64>, body: &'a [Stmt]) -> Option<Effects<'a>> {
        let round = self.block(body)?;
        let apart =
            !(round.reads && round.writes) || (!round.stretches && self.apart(index, &round.elements).is_some());
        self.inner.insert(index, count);
        apart.then_some(round)
    }

    /// Whether rounds of a loop reach different elements: each stays in a window of its own.
    fn apart(&self, index: Value, elements: &[&Affine]) -> Option<()> {
        let step = elements.first()?.coefficient(index);
        let around = |at: &Affine| {
            let mut terms = at.terms.clone();
            terms.retain(|t| t.0 != index && !self.inner.contains_key(&t.0));
            terms.sort();
            terms
        };
        let fixed = around(elements.first()?);
        let (mut low, mut high) = (i128::MAX, i128::MIN);
        for at in elements {
            if at.coefficient(index) != step || around(at) != fixed {
                return None;
            }
            let (mut from, mut to) = (at.offset as i128, at.offset as i128);
            for &(value, coefficient) in &at.terms {
                if let Some(range) = self.inner.get(&value) {
                    let reach = coefficient as i128 * (*range)?.saturating_sub(1) as i128;
                    (from, to) = (from + reach.min(0), to + reach.max(0));
                }
            }
            (low, high) = (low.min(from), high.max(to));
        }
        (high - low < (step as i128).abs()).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two inputs and two outputs of 12 elements, one of 3 and a scratch buffer.
    fn of(body: &str) -> Vec<Vec<u32>> {
        let text = format!(
            "routine arena 128
             buffer b0: f64[12] input 0
             buffer b1: f64[12] input 1
             buffer b2: f64[12] output 0
             buffer b3: f64[12] output 1
             buffer b4: f64[3] input 2
             buffer b5: f64[12] arena 0
             function f0 \"f\" () {{ {body} }}"
        );
        let routine = Routine::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        crate::verify::verify(&routine).unwrap_or_else(|e| panic!("{e}\n{text}"));
        choices(&routine)
    }

    /// One loop nest that reads an element of each input and writes an element of output 0.
    fn nest(first: &str, second: &str, written: &str) -> Vec<u32> {
        of(&format!(
            "for %0 in 0..3 {{ pass %1 in 0..4 {{
               %2: f64 = load b0[{first}] %3: f64 = load b1[{second}] %4: f64 = add %2, %3 store b2[{written}] = %4
             }} }}"
        ))
        .remove(0)
    }

    #[test]
    fn elements_are_read_where_they_are_written() {
        assert_eq!(nest("4*%0 + %1", "4*%0 + %1", "4*%0 + %1"), [0, 1]);
        assert_eq!(nest("3*%1 + %0", "%1 + 4*%0", "4*%0 + %1"), [1], "the first is transposed");
        assert_eq!(nest("4*%0 + %1", "-4*%0 + %1 + 8", "4*%0 + %1"), [0], "the second is turned round");
        assert_eq!(nest("%1", "4*%0", "4*%0 + %1"), [] as [u32; 0], "rows and columns are read again");
        assert_eq!(nest("4*%0 - %1 + 3", "4*%0 + %1", "4*%0 + %1"), [1], "turned round within each row");
        // Each round reads and writes within a row of its own; but rounds of the pass meet.
        assert_eq!(nest("4*%0 + 3", "4*%0 + %1", "4*%0 + %1"), [1]);
    }

    #[test]
    fn rows_are_read_before_they_are_written() {
        let rows = |second: &str| {
            of(&format!(
                "for %0 in 0..3 {{
                   pass %1 in 0..4 {{ %2: f64 = load b0[4*%0 + %1] }} fold max %2 -> %3: f64
                   pass %4 in 0..4 {{ %5: f64 = load b0[{second}] %6: f64 = sub %5, %3 store b2[4*%0 + %4] = %6 }}
                 }}"
            ))
            .remove(0)
        };
        assert_eq!(rows("4*%0 + %4"), [0, 1], "the second is not read at all");
        assert_eq!(rows("4*%0 - %4 + 3"), [1], "in the pass that writes");
        assert_eq!(rows("%4"), [1], "the first row, over and over");
    }

    #[test]
    fn statements_are_in_order() {
        let read = "pass %0 in 0..12 { %1: f64 = load b0[-1*%0 + 11] store b5[%0] = %1 }";
        let write = "pass %2 in 0..12 { %3: f64 = load b5[%2] store b2[%2] = %3 }";
        assert_eq!(of(&format!("{read} {write}"))[0], [0, 1]);
        assert_eq!(of(&format!("%4: f64 = const 0.0 fill b2[0; 12] = %4 {read} {write}"))[0], [1]);
        let body = |order: &str| of(&format!("for %4 in 0..3 {{ {order} }}")).remove(0);
        assert_eq!(body(&format!("{read} {write}")), [1], "the next round reads what this one wrote");
    }

    #[test]
    fn stretches_are_read_where_nothing_was_written_before() {
        let stretches = |first: &str, second: &str| {
            of(&format!(
                "for %0 in 0..2 parallel 1 {{ pass %1 in 0..4 {{ %2: f64 = load b0[{first}] store b2[4*%0 + %1] = %2 }} }}
                 pass %3 in 0..4 {{ %4: f64 = load b0[{second}] store b2[%3 + 8] = %4 }}"
            ))
            .remove(0)
        };
        assert_eq!(stretches("4*%0 + %1", "%3 + 8"), [0, 1]);
        assert_eq!(stretches("4*%0 + %1", "%3 + 7"), [1], "the last of the first ones is read once more");
        assert_eq!(stretches("%1", "%3 + 8"), [1], "rounds of the first meet");
        assert_eq!(
            of("copy b2[0; 8] = b0[0] pass %0 in 0..4 { %1: f64 = load b0[%0 + 8] store b2[%0 + 8] = %1 }")[0],
            [1]
        );
    }

    #[test]
    fn several_results_share_out_the_arguments() {
        let swap = "pass %0 in 0..12 {
            %1: f64 = load b1[%0] %2: f64 = load b0[%0] store b2[%0] = %1 store b3[%0] = %2 }";
        assert_eq!(of(swap), [vec![0, 1], vec![1, 0]]);
        let late = "pass %0 in 0..12 {
            %1: f64 = load b1[%0] store b2[%0] = %1 %2: f64 = load b0[%0] store b3[%0] = %2 }";
        assert_eq!(of(late), [vec![1], vec![0, 1]], "the first result is written before argument 0 is read");
    }

    #[test]
    fn copies_stay_or_move() {
        assert_eq!(of("copy b2[0; 12] = b0[0]")[0], [0, 1]);
        assert_eq!(of("copy b2[0; 6] = b0[6] copy b2[6; 6] = b0[0]")[0], [1]);
    }
}
