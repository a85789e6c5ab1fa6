//! Small arrays become scalars, carried by loops: what a loop keeps in a few elements needs no memory.
//!
//! An array of up to [`MOST_ELEMENTS`] is taken apart when every statement that touches it says which element it means, if need
//! be after a pass over it is written out round by round. Loads then are the value stored last.

use crate::emit::UNPLACED;
use crate::loops::is_cheap;
use smallvec::SmallVec;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use wengert_kernel::reduce::{identity, lanes};
use wengert_kernel::routine::{Affine, Block, Buffer, BufferId, Carried, Count, Fold, Function, Routine, Stmt, Value};
use wengert_kernel::{Binary, DType, Scalar, ScalarOp, Unary};

/// Elements of an array up to which it is taken apart; beyond, vectors are better than scalars.
const MOST_ELEMENTS: usize = 4;

/// Rewrites all functions of a routine.
pub(crate) fn take_apart(routine: &mut Routine) {
    let buffers = &routine.buffers;
    for function in &mut routine.functions {
        let small = small_arrays(&function.body, buffers);
        if !small.is_empty() {
            let body = std::mem::take(&mut function.body);
            let mut rewriter = Rewriter { function, buffers, small, names: HashMap::new(), numbers: HashMap::new() };
            let body = rewriter.block(body, &mut Elements::new());
            function.body = body;
        }
    }
}

/// Element `at` of an array.
type Element = (BufferId, i64);

/// The values of elements here.
type Elements = BTreeMap<Element, Value>;

/// Whether a pass may be written out round by round: few rounds without functions that are calls.
fn may_unroll(stmt: &Stmt) -> bool {
    let Stmt::Pass { count, body, .. } = stmt else { return false };
    let instruction = |op: ScalarOp| match op {
        ScalarOp::Unary(Unary::Sqrt | Unary::Floor | Unary::Ceil | Unary::Round) | ScalarOp::Binary(Binary::Div) => {
            true
        }
        op => is_cheap(op),
    };
    let calls = |stmt: &Stmt| matches!(stmt, Stmt::Let { op, .. } if !instruction(*op));
    *count <= MOST_ELEMENTS as u64 && !body.iter().any(calls)
}

/// The elements that a place in a pass over `index` means, or one that is always the same.
fn elements_of(buffer: BufferId, at: &Affine, pass: Option<(Value, u64)>) -> Option<Vec<Element>> {
    match (at.terms.as_slice(), pass) {
        ([], _) => Some(vec![(buffer, at.offset)]),
        (&[(value, step)], Some((index, count))) if value == index => {
            Some((0..count as i64).map(|k| (buffer, at.offset + step * k)).collect())
        }
        _ => None,
    }
}

/// The arrays of a function to take apart: those that a loop touches and that allow it.
fn small_arrays(body: &Block, buffers: &[Buffer]) -> HashSet<BufferId> {
    let mut search = Search { buffers, refused: HashSet::new(), in_loops: HashSet::new(), depth: 0 };
    search.block(body);
    search.in_loops.difference(&search.refused).copied().collect()
}

struct Search<'a> {
    buffers: &'a [Buffer],
    refused: HashSet<BufferId>,
    in_loops: HashSet<BufferId>,
    depth: usize,
}

impl Search<'_> {
    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|stmt| self.stmt(stmt, None));
    }

    fn inside(&mut self, block: &Block) {
        self.depth += 1;
        self.block(block);
        self.depth -= 1;
    }

    fn touch(&mut self, buffer: BufferId, at: &Affine, pass: Option<(Value, u64)>) {
        let memory = &self.buffers[buffer.0 as usize];
        let small = memory.storage == UNPLACED && (1..=MOST_ELEMENTS).contains(&memory.len);
        if !small || elements_of(buffer, at, pass).is_none() {
            self.refused.insert(buffer);
        } else if self.depth > 0 {
            self.in_loops.insert(buffer);
        }
    }

    fn stmt(&mut self, stmt: &Stmt, pass: Option<(Value, u64)>) {
        match stmt {
            Stmt::Const { .. } | Stmt::Let { .. } | Stmt::Index { .. } | Stmt::Fail { .. } => {}
            Stmt::Load { buffer, at, .. } | Stmt::Store { buffer, at, .. } => self.touch(*buffer, at, pass),
            Stmt::Fill { buffer, at, len: Count::Const(_), .. } => self.touch(*buffer, at, None),
            Stmt::Copy { to, to_at, from, from_at, len: Count::Const(n) } if *n <= MOST_ELEMENTS as u64 => {
                self.touch(*to, to_at, None);
                self.touch(*from, from_at, None);
            }
            Stmt::Pass { index, count, body, .. } => {
                let unrolled = may_unroll(stmt).then_some((*index, *count));
                body.iter().for_each(|stmt| self.stmt(stmt, unrolled));
                if unrolled.is_none() {
                    self.refused.extend(stored(stmt));
                }
            }
            Stmt::For { body, .. } => self.inside(body),
            Stmt::While { test, body, .. } => {
                // What the test stored would be lost when it is false.
                test.stmts.iter().flat_map(stored).for_each(|b| _ = self.refused.insert(b));
                self.inside(test);
                self.inside(body);
            }
            Stmt::If { then, otherwise, .. } => {
                self.block(then);
                self.block(otherwise);
            }
            Stmt::Fill { buffer, .. } | Stmt::Reserve { buffer, .. } => _ = self.refused.insert(*buffer),
            Stmt::Copy { to, from, .. } => self.refused.extend([*to, *from]),
            Stmt::Call { buffers, .. } => self.refused.extend(buffers),
            Stmt::Runtime { inputs, outputs, .. } => {
                self.refused.extend(inputs.iter().chain(outputs).map(|span| span.buffer));
            }
        }
    }
}

/// The buffers that a statement writes by itself or inside.
fn stored(stmt: &Stmt) -> Vec<BufferId> {
    match stmt {
        Stmt::Store { buffer, .. } | Stmt::Fill { buffer, .. } => vec![*buffer],
        Stmt::Copy { to, .. } => vec![*to],
        Stmt::Pass { body, .. } => body.iter().flat_map(stored).collect(),
        _ => blocks(stmt).into_iter().flatten().flat_map(|block| block.stmts.iter().flat_map(stored)).collect(),
    }
}

fn blocks(stmt: &Stmt) -> [Option<&Block>; 2] {
    match stmt {
        Stmt::For { body, .. } => [Some(body), None],
        Stmt::While { test, body, .. } => [Some(test), Some(body)],
        Stmt::If { then, otherwise, .. } => [Some(then), Some(otherwise)],
        _ => [None, None],
    }
}

struct Rewriter<'a> {
    function: &'a mut Function,
    buffers: &'a [Buffer],
    small: HashSet<BufferId>,
    /// What values are called now.
    names: HashMap<Value, Value>,
    /// Counters of passes that are being written out.
    numbers: HashMap<Value, i64>,
}

impl Rewriter<'_> {
    fn block(&mut self, block: Block, elements: &mut Elements) -> Block {
        let mut stmts = Vec::new();
        for stmt in block.stmts {
            self.stmt(stmt, elements, &mut stmts);
        }
        let yields = block.yields.into_iter().map(|v| self.name(v)).collect();
        Block { stmts, yields }
    }

    fn name(&self, value: Value) -> Value {
        self.names.get(&value).copied().unwrap_or(value)
    }

    fn place(&self, at: &Affine) -> Affine {
        let known = |to: Affine, &(value, step): &(Value, i64)| match self.numbers.get(&value) {
            Some(k) => to.shifted(step * k),
            None => to.plus(self.name(value), step),
        };
        at.terms.iter().fold(Affine::constant(at.offset), known)
    }

    fn fresh(&mut self, like: Value) -> Value {
        let value = self.function.value(self.function.dtype(like));
        if let Some(origin) = self.function.origin(like) {
            self.function.set_origin(value, origin);
        }
        value
    }

    fn is_small(&self, buffer: BufferId) -> bool {
        self.small.contains(&buffer)
    }

    /// The value of an element; what was never written is 0.
    fn element(&mut self, element: Element, elements: &mut Elements, out: &mut Vec<Stmt>) -> Value {
        if let Some(&value) = elements.get(&element) {
            return value;
        }
        let zero = Scalar::zero(self.buffers[element.0.0 as usize].dtype);
        let value = self.function.value(zero.dtype);
        out.push(Stmt::Const { out: value, value: zero });
        elements.insert(element, value);
        value
    }

    /// The elements that a block writes.
    fn written(&self, block: &Block) -> BTreeSet<Element> {
        let mut all = BTreeSet::new();
        block.stmts.iter().for_each(|stmt| self.written_by(stmt, None, &mut all));
        all
    }

    fn written_by(&self, stmt: &Stmt, pass: Option<(Value, u64)>, all: &mut BTreeSet<Element>) {
        match stmt {
            Stmt::Store { buffer, at, .. } if self.is_small(*buffer) => {
                all.extend(elements_of(*buffer, at, pass).expect("it was looked at"));
            }
            Stmt::Fill { buffer: to, at, len: Count::Const(n), .. }
            | Stmt::Copy { to, to_at: at, len: Count::Const(n), .. }
                if self.is_small(*to) =>
            {
                all.extend((0..*n as i64).map(|k| (*to, at.offset + k)));
            }
            Stmt::Pass { index, count, body, .. } => {
                body.iter().for_each(|stmt| self.written_by(stmt, Some((*index, *count)), all));
            }
            _ => blocks(stmt).into_iter().flatten().for_each(|block| all.extend(self.written(block))),
        }
    }

    fn stmt(&mut self, stmt: Stmt, elements: &mut Elements, out: &mut Vec<Stmt>) {
        match stmt {
            Stmt::Load { out: value, buffer, at } => {
                let at = self.place(&at);
                if self.is_small(buffer) {
                    let known = self.element((buffer, at.offset), elements, out);
                    self.names.insert(value, known);
                } else {
                    out.push(Stmt::Load { out: self.name(value), buffer, at });
                }
            }
            Stmt::Store { buffer, at, value } => {
                let (at, value) = (self.place(&at), self.name(value));
                if self.is_small(buffer) {
                    elements.insert((buffer, at.offset), value);
                } else {
                    out.push(Stmt::Store { buffer, at, value });
                }
            }
            Stmt::Fill { buffer, at, len: Count::Const(n), value } if self.is_small(buffer) => {
                let value = self.name(value);
                elements.extend((0..n as i64).map(|k| ((buffer, at.offset + k), value)));
            }
            Stmt::Copy { to, to_at, from, from_at, len: Count::Const(n) }
                if self.is_small(to) || self.is_small(from) =>
            {
                let (to_at, from_at) = (self.place(&to_at), self.place(&from_at));
                for k in 0..n as i64 {
                    let value = if self.is_small(from) {
                        self.element((from, from_at.offset + k), elements, out)
                    } else {
                        let value = self.function.value(self.buffers[from.0 as usize].dtype);
                        out.push(Stmt::Load { out: value, buffer: from, at: from_at.clone().shifted(k) });
                        value
                    };
                    if self.is_small(to) {
                        elements.insert((to, to_at.offset + k), value);
                    } else {
                        out.push(Stmt::Store { buffer: to, at: to_at.clone().shifted(k), value });
                    }
                }
            }
            Stmt::Pass { index, count, body, folds } => {
                let by_round = |stmt: &Stmt| match stmt {
                    Stmt::Load { buffer, at, .. } => self.is_small(*buffer) && !at.terms.is_empty(),
                    Stmt::Store { buffer, .. } => self.is_small(*buffer),
                    _ => false,
                };
                if body.iter().any(by_round) {
                    return self.written_out(index, count, &body, &folds, elements, out);
                }
                let mut inside = Vec::new();
                for stmt in body {
                    match stmt {
                        // A constant that stands for what was never written comes before the pass.
                        Stmt::Load { buffer, .. } if self.is_small(buffer) => self.stmt(stmt, elements, out),
                        _ => self.stmt(stmt, elements, &mut inside),
                    }
                }
                let folds = folds.into_iter().map(|fold| Fold { item: self.name(fold.item), ..fold }).collect();
                out.push(Stmt::Pass { index, count, body: inside, folds });
            }
            Stmt::For { index, count, order, carried, body, results } => {
                let count = if let Count::Value(v) = count { Count::Value(self.name(v)) } else { count };
                let mut inner = elements.clone();
                let (carried, results, more) = self.carried(&[&body], carried, results, elements, &mut inner, out);
                let mut body = self.block(body, &mut inner);
                body.yields.extend(more.iter().map(|element| inner[element]));
                out.push(Stmt::For { index, count, order, carried, body, results });
            }
            Stmt::While { carried, test, body, results } => {
                let mut inner = elements.clone();
                let (carried, results, more) = self.carried(&[&body], carried, results, elements, &mut inner, out);
                let test = self.block(test, &mut inner.clone());
                let mut body = self.block(body, &mut inner);
                body.yields.extend(more.iter().map(|element| inner[element]));
                out.push(Stmt::While { carried, test, body, results });
            }
            Stmt::If { cond, then, otherwise, mut results } => {
                let cond = self.name(cond);
                let written: BTreeSet<Element> =
                    self.written(&then).union(&self.written(&otherwise)).copied().collect();
                for element in &written {
                    self.element(*element, elements, out);
                }
                let [then, otherwise] = [then, otherwise].map(|block| {
                    let mut inner = elements.clone();
                    let mut block = self.block(block, &mut inner);
                    block.yields.extend(written.iter().map(|element| inner[element]));
                    block
                });
                for element in written {
                    let result = self.fresh(elements[&element]);
                    results.push(result);
                    elements.insert(element, result);
                }
                out.push(Stmt::If { cond, then, otherwise, results });
            }
            Stmt::Let { out: value, op, args } => {
                let args: SmallVec<[Value; 3]> = args.into_iter().map(|v| self.name(v)).collect();
                out.push(Stmt::Let { out: self.name(value), op, args });
            }
            Stmt::Const { out: value, value: constant } => {
                out.push(Stmt::Const { out: self.name(value), value: constant });
            }
            Stmt::Index { out: value, at } => out.push(Stmt::Index { out: self.name(value), at: self.place(&at) }),
            Stmt::Fill { buffer, at, len, value } => {
                let len = if let Count::Value(v) = len { Count::Value(self.name(v)) } else { len };
                out.push(Stmt::Fill { buffer, at: self.place(&at), len, value: self.name(value) });
            }
            Stmt::Copy { to, to_at, from, from_at, len } => {
                let len = if let Count::Value(v) = len { Count::Value(self.name(v)) } else { len };
                out.push(Stmt::Copy { to, to_at: self.place(&to_at), from, from_at: self.place(&from_at), len });
            }
            Stmt::Reserve { buffer, len } => out.push(Stmt::Reserve { buffer, len: self.name(len) }),
            Stmt::Call { function, args, buffers, results } => {
                let args = args.into_iter().map(|v| self.name(v)).collect();
                out.push(Stmt::Call { function, args, buffers, results });
            }
            Stmt::Runtime { name, ints, mut inputs, mut outputs } => {
                inputs.iter_mut().chain(&mut outputs).for_each(|span| span.at = self.place(&span.at));
                out.push(Stmt::Runtime { name, ints, inputs, outputs });
            }
            Stmt::Fail { when, check, lane } => {
                out.push(Stmt::Fail { when: self.name(when), check, lane: self.name(lane) });
            }
        }
    }

    /// What a loop carries with the elements that its blocks write, and these elements.
    fn carried(
        &mut self,
        inside: &[&Block],
        mut carried: Vec<Carried>,
        mut results: Vec<Value>,
        elements: &mut Elements,
        inner: &mut Elements,
        out: &mut Vec<Stmt>,
    ) -> (Vec<Carried>, Vec<Value>, Vec<Element>) {
        carried.iter_mut().for_each(|c| c.init = self.name(c.init));
        let written: BTreeSet<Element> = inside.iter().flat_map(|block| self.written(block)).collect();
        for &element in &written {
            let init = self.element(element, elements, out);
            let (param, result) = (self.fresh(init), self.fresh(init));
            carried.push(Carried { param, init });
            results.push(result);
            inner.insert(element, param);
            elements.insert(element, result);
        }
        (carried, results, written.into_iter().collect())
    }

    /// A pass round by round.
    fn written_out(
        &mut self,
        index: Value,
        count: u64,
        body: &[Stmt],
        folds: &[Fold],
        elements: &mut Elements,
        out: &mut Vec<Stmt>,
    ) {
        let mut items: Vec<Vec<Value>> = vec![Vec::new(); folds.len()];
        for k in 0..count as i64 {
            let number = self.function.value(DType::I64);
            out.push(Stmt::Const { out: number, value: Scalar::new(k) });
            self.names.insert(index, number);
            self.numbers.insert(index, k);
            for stmt in body {
                if let Stmt::Const { out, .. }
                | Stmt::Let { out, .. }
                | Stmt::Index { out, .. }
                | Stmt::Load { out, .. } = stmt
                {
                    let fresh = self.fresh(*out);
                    self.names.insert(*out, fresh);
                }
                self.stmt(stmt.clone(), elements, out);
            }
            items.iter_mut().zip(folds).for_each(|(items, fold)| items.push(self.name(fold.item)));
        }
        self.numbers.remove(&index);
        for (fold, items) in folds.iter().zip(items) {
            self.fold(fold, items, out);
        }
    }

    /// A reduction in the order of `kernel::reduce`: each item has a lane of its own, then the halves of the lanes meet.
    fn fold(&mut self, fold: &Fold, items: Vec<Value>, out: &mut Vec<Stmt>) {
        let dtype = self.function.dtype(fold.result);
        let start = self.function.value(dtype);
        out.push(Stmt::Const { out: start, value: identity(fold.op, dtype) });
        let mut combine = |function: &mut Function, x: Value, y: Value| {
            let value = function.value(dtype);
            out.push(Stmt::Let { out: value, op: ScalarOp::Binary(fold.op), args: [x, y].into_iter().collect() });
            value
        };
        let mut all: Vec<Option<Value>> = vec![None; lanes(dtype).max(items.len())];
        for (lane, item) in all.iter_mut().zip(items) {
            *lane = Some(combine(self.function, start, item));
        }
        while all.len() > 1 {
            let right = all.split_off(all.len().div_ceil(2));
            for (left, right) in all.iter_mut().zip(right) {
                *left = match (*left, right) {
                    (Some(x), Some(y)) => Some(combine(self.function, x, y)),
                    (x, y) => x.or(y),
                };
            }
        }
        self.names.insert(fold.result, all[0].unwrap_or(start));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_kernel::interpret::interpret;
    use wengert_kernel::routine::{Library, Storage};
    use wengert_kernel::verify;

    struct Nothing;

    impl Library for Nothing {
        fn call(&self, _: &str, _: &[i64], _: &[&[u8]], _: &mut [&mut [u8]]) -> bool {
            false
        }
    }

    /// The routine with these statements, `b0` of two elements being the argument, `b1` of two the result, `b2` and `b3` small arrays; and what
    /// became of it. Both give the same.
    fn taken_apart(statements: &str) -> String {
        let text = format!(
            "routine arena 0 buffer b0: f64[2] input 0 buffer b1: f64[2] output 0 buffer b2: f64[2] arena 0 \
             buffer b3: f64[2] arena 0 function f0 \"main\" () {{ {statements} }}"
        );
        let mut routine = Routine::parse(&text).expect("it is a routine");
        routine.buffers[2..].iter_mut().for_each(|buffer| buffer.storage = UNPLACED);
        let placed = |mut routine: Routine| {
            for (buffer, at) in routine.buffers[2..].iter_mut().zip([0, 64]) {
                buffer.storage = Storage::Arena(at);
            }
            routine.arena = 128;
            verify::verify(&routine).unwrap_or_else(|error| panic!("{error}\n{routine}"));
            routine
        };
        let run = |routine: &Routine| {
            let x: Vec<u8> = [0.75f64, -3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
            let mut y = [0u8; 16];
            interpret(routine, &[&x], &mut [&mut y], &Nothing);
            y
        };
        let before = placed(routine.clone());
        take_apart(&mut routine);
        let text = routine.to_string().split_once("{\n").expect("a function").1.to_owned();
        assert_eq!(run(&placed(routine)), run(&before), "{text}");
        text
    }

    const STEP: &str = "pass %1 in 0..2 { %2: f64 = load b2[%1] %3: f64 = const 0.5 %4: f64 = mul %2, %3 %5: f64 = load b0[%1] \
                        %6: f64 = add %4, %5 store b2[%1] = %6 }";

    #[test]
    fn a_loop_carries_what_it_kept_in_memory() {
        let text = taken_apart(&format!("copy b2[0; 2] = b0[0] for %0 in 0..7 {{ {STEP} }} copy b1[0; 2] = b2[0]"));
        assert!(!text.contains("b2") && text.contains("carry"), "{text}");
    }

    #[test]
    fn whatever_is_taken_from_before_the_loop_or_never_written() {
        // The second element is written after it was read; b3 is read and was never written.
        let text = taken_apart(
            "copy b2[0; 2] = b0[0] for %0 in 0..3 { %1: f64 = load b2[1] %2: f64 = load b3[0] %3: f64 = add %1, %2 \
             store b2[0] = %3 store b2[1] = %3 } copy b1[0; 2] = b2[0]",
        );
        assert!(!text.contains("b2") && !text.contains("b3"), "{text}");
    }

    #[test]
    fn branches_and_tests_and_reductions() {
        let text = taken_apart(
            "copy b2[0; 2] = b0[0] %0: i64 = const 0 \
             %1: i64 = while carry (%2: i64 = %0) test { %3: i64 = const 5 %4: bool = lt %2, %3 yield %4 } \
             do { %5: f64 = load b2[0] %6: f64 = load b2[1] %7: bool = lt %5, %6 \
             if %7 { store b2[0] = %6 } else { %8: f64 = const 0.25 store b2[1] = %8 } %9: i64 = const 1 %10: i64 = add %2, %9 yield %10 } \
             pass %11 in 0..2 { %12: f64 = load b2[%11] } fold add %12 -> %13: f64 store b1[0] = %13 store b1[1] = %13",
        );
        assert!(!text.contains("b2"), "{text}");
    }

    #[test]
    fn what_is_said_by_a_value_or_by_a_call_stays() {
        for statements in [
            "fill b2[0; 2] = %1 for %2 in 0..2 { store b2[%2] = %1 } copy b1[0; 2] = b2[0]",
            "for %2 in 0..2 { pass %3 in 0..2 { %4: f64 = load b0[%3] %5: f64 = exp %4 store b2[%3] = %5 } } \
             copy b1[0; 2] = b2[0]",
        ] {
            let text = taken_apart(&format!("%0: i64 = const 1 %1: f64 = convert f64 %0 {statements}"));
            assert!(text.contains("b2"), "{text}");
        }
    }
}
