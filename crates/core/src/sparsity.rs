//! Which elements of an input each element of a result depends on, at a point: the pattern of a Jacobian.
//!
//! A program runs on values with index sets beside them, which tell what each element depends on. So loops make the rounds and
//! branches are those taken at the point, a gather reads where it reads there, and rows of lists have sets of their own. Sets
//! go through an operation as its lowering says; what only moves elements is run on labels. A call with a rule of the
//! user's is followed as its rule is, which need not depend on what the function does.
//!
//! A pattern may have entries that are zero, and lacks none. Of what a function of the runtime does to a part of a batch
//! (a decomposition, a Fourier transform) every element depends on all of that part, of a cumulative one on what comes
//! before it, of equations on the matrix and its own right side; a product counts as if no element of a matrix were zero; both
//! sides of a `select` count. What a function of the host gives is dense: everything depends on everything. So is a
//! `while_loop` in a rule of the user's through which tangents go (an iterative solver), for these are not known here.

use crate::error::Error;
use crate::interpret::{Domain, Interpreter, Mask};
use crate::lanes::Lanes;
use crate::ops::{Backward, Call, DynamicUpdate, Op, Rule, bodies, each_in_turn};
use crate::primitive::{IndexMode, Lowering};
use crate::program::{Equation, Program};
use crate::types::Type;
use crate::value::{ArrayValue, ListValue, Value};
use std::collections::HashMap;
use std::rc::Rc;
use std::slice::from_ref;
use std::sync::Arc;
use wengert_kernel::{DType, Scalar};

/// What an element depends on, in ascending order.
///
/// ```
/// let columns: wengert_core::sparsity::Columns = [0, 2].into();
/// assert_eq!(columns.len(), 2);
/// ```
pub type Columns = Rc<[u32]>;

/// For each element of each output, in row-major order, the elements of input `input` that it depends on when the program runs
/// on these arguments.
///
/// # Errors
/// A failed check, or memory refused.
///
/// ```
/// use wengert_core::{program::parse, sparsity::pattern, value::{ArrayValue, Value}};
///
/// let program = parse("program (%0: f64[3]) {\n  %1: f64[3] = reverse[shape=[3], axes=[0]] %0\n  %2: f64[3] = mul %0 %1\n  return %2\n}\n")?;
/// let rows = pattern(&program, vec![Value::Array(ArrayValue::new(&[3], vec![1.0, 2.0, 3.0]))], 0)?;
/// assert_eq!(rows[0].iter().map(|row| row.to_vec()).collect::<Vec<_>>(), [vec![0, 2], vec![1], vec![0, 2]]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn pattern(program: &Program, args: Vec<Value>, input: usize) -> Result<Vec<Vec<Columns>>, Error> {
    let size = args[input].array().size() as u32;
    let inputs = args.into_iter().enumerate().map(|(i, x)| {
        let own = || Pattern::Of((0..size).map(|j| Columns::from([j])).collect());
        (x, if i == input { own() } else { Pattern::Constant })
    });
    let outputs = Interpreter::new(program).run(&Patterns { by_rule: false }, inputs.collect())?;
    Ok(outputs.iter().map(|(y, p)| p.of_each(y)).collect())
}

/// What the elements of a value depend on.
#[derive(Clone)]
enum Pattern {
    /// On nothing.
    Constant,
    /// Element by element.
    Of(Rc<[Columns]>),
    /// Row by row of a list.
    Rows(Rc<[Pattern]>),
}

impl Pattern {
    fn is_constant(&self) -> bool {
        match self {
            Pattern::Constant => true,
            Pattern::Of(_) => false,
            Pattern::Rows(rows) => rows.iter().all(Pattern::is_constant),
        }
    }

    /// Of element `i` of an array.
    fn element(&self, i: usize) -> Option<&Columns> {
        match self {
            Pattern::Of(elements) => elements.get(i),
            Pattern::Constant | Pattern::Rows(_) => None,
        }
    }

    /// Of row `k` of a list.
    fn row(&self, k: usize) -> Pattern {
        match self {
            Pattern::Rows(rows) => rows.get(k).cloned().unwrap_or(Pattern::Constant),
            Pattern::Constant | Pattern::Of(_) => Pattern::Constant,
        }
    }

    /// Of every element of that value, one row of a list after the other.
    fn of_each(&self, value: &Value) -> Vec<Columns> {
        let none = Columns::from([]);
        match value {
            Value::Array(a) => (0..a.size()).map(|i| self.element(i).unwrap_or(&none).clone()).collect(),
            Value::List(l) => l.rows.iter().enumerate().flat_map(|(k, row)| self.row(k).of_each(row)).collect(),
        }
    }

    /// A pattern of that value, all of whose elements depend on the same.
    fn whole(value: &Value, all: &Columns) -> Pattern {
        match value {
            Value::Array(a) => Pattern::Of(vec![all.clone(); a.size()].into()),
            Value::List(l) => Pattern::Rows(l.rows.iter().map(|row| Pattern::whole(row, all)).collect()),
        }
    }
}

/// Values beside their patterns.
struct Patterns {
    /// Whether what moves are the tangents of a rule: how often a loop over them runs is not that of the point.
    by_rule: bool,
}

type Item = (Value, Pattern);

impl Domain for Patterns {
    type Item = Item;

    fn apply(&self, e: &Equation, x: Vec<Item>) -> Result<Vec<Item>, Error> {
        if x.iter().any(|(_, p)| !p.is_constant()) {
            match &e.op {
                Op::Loop(op) => return op.run(self, x),
                Op::While(op) if !self.by_rule => return op.run(self, x),
                Op::Cond(op) => return op.run(self, x),
                Op::Call(call) => return self.call(call, x),
                _ => {}
            }
        }
        let (x, p): (Vec<Value>, Vec<Pattern>) = x.into_iter().unzip();
        if p.iter().all(Pattern::is_constant) || matches!(e.op, Op::StopGradient(_)) {
            return Ok(e.op.eval(x)?.into_iter().map(|y| self.constant(y)).collect());
        }
        let y = e.op.eval(x.clone())?;
        let patterns = followed(&e.op, &x, &p, &y)?;
        // What is not of a float dtype has no derivative.
        let moves = |y: &Value| y.ty().dtype().is_float();
        Ok(y.into_iter().zip(patterns).map(|(y, p)| if moves(&y) { (y, p) } else { self.constant(y) }).collect())
    }

    fn constant(&self, value: Value) -> Item {
        (value, Pattern::Constant)
    }

    fn value<'a>(&self, (value, _): &'a Item) -> &'a Value {
        value
    }

    fn list(&self, element: Type, length: Option<usize>, rows: Vec<Item>) -> Item {
        let (rows, patterns): (Vec<Value>, Vec<Pattern>) = rows.into_iter().unzip();
        (Value::List(Arc::new(ListValue { element, length, rows })), Pattern::Rows(patterns.into()))
    }

    fn row(&self, (list, p): &Item, k: usize) -> Item {
        (bodies::row(list, k), p.row(k))
    }

    fn masked(&self, mask: Mask<'_>, lanes: &Lanes, (new, p): Item, old: Option<&Item>) -> Item {
        let mut labels = Labels::default();
        let labelled = (labels.on(&new, &p), old.map(|(old, p)| labels.on(old, p)));
        let from = labels.sources(&bodies::masked(mask, lanes, labelled.0, labelled.1.as_ref()));
        (bodies::masked(mask, lanes, new, old.map(|(old, _)| old)), from)
    }

    fn sum(&self, (a, p): Item, (b, q): Item) -> Result<Item, Error> {
        let value = bodies::sum(a, b)?;
        let p = added(&value, &p, &q);
        Ok((value, p))
    }
}

impl Patterns {
    /// A call: as its program is, or as the rule of its derivative says.
    fn call(&self, call: &Call, x: Vec<Item>) -> Result<Vec<Item>, Error> {
        let rule = Patterns { by_rule: true };
        match &call.rule {
            Rule::Jvp { jvp, captures } => rule.pushed(jvp, *captures, x),
            Rule::Vjp { forward, backward } => rule.pulled(forward, backward, call.program.outputs().len(), x),
            Rule::Linear { backward, jvp } => {
                let fixed = x.len() - backward.program.outputs().len();
                match jvp.as_ref().filter(|_| x[..fixed].iter().any(|(_, p)| !p.is_constant())) {
                    Some(jvp) => rule.pushed(jvp, backward.captures, x),
                    None => Interpreter::new(&call.program).run(&rule, x),
                }
            }
            Rule::Program | Rule::Recompute(_) | Rule::Batch { .. } => Interpreter::new(&call.program).run(self, x),
        }
    }

    /// Results by a rule from operands and tangents to results and tangents: where tangents go, dependence does.
    fn pushed(&self, jvp: &Program, captures: usize, x: Vec<Item>) -> Result<Vec<Item>, Error> {
        let floats = x[1 + captures..].iter().filter(|(x, _)| x.ty().dtype().is_float());
        let tangents: Vec<Item> = floats.map(|(x, p)| (ones(x), p.clone())).collect();
        let operands = x.into_iter().map(|(x, _)| self.constant(x)).chain(tangents).collect();
        let mut y = Interpreter::new(jvp).run(self, operands)?;
        let floats = y.iter().filter(|(y, _)| y.ty().dtype().is_float()).count() / 2;
        let mut tangents = y.split_off(y.len() - floats).into_iter();
        let moved = |(y, p): Item| match y.ty().dtype().is_float() {
            true => (y, tangents.next().expect("one for each float").1),
            false => (y, p),
        };
        Ok(y.into_iter().map(moved).collect())
    }

    /// Results by a rule for cotangents: an element depends on those whose cotangents depend on its own.
    fn pulled(&self, forward: &Program, back: &Backward, results: usize, x: Vec<Item>) -> Result<Vec<Item>, Error> {
        let (x, p): (Vec<Value>, Vec<Pattern>) = x.into_iter().unzip();
        let mut y = crate::interpret::interpret(forward, x.clone())?;
        let residuals = y.split_off(results);
        let moves = |y: &&Value| y.ty().dtype().is_float();
        let mut next = 0..;
        let cotangents = y.iter().filter(moves).map(|y| {
            let own = next.by_ref().take(y.array().size()).map(|i| Columns::from([i]));
            (ones(y), Pattern::Of(own.collect()))
        });
        let cotangents: Vec<Item> = cotangents.collect();
        let known = x[..1 + back.captures].iter().cloned().chain(residuals).map(|x| self.constant(x));
        let found = Interpreter::new(&back.program).run(self, known.chain(cotangents).collect())?;
        let mut sets: Vec<Vec<&Columns>> = vec![Vec::new(); next.start as usize];
        let moving = x.iter().zip(&p).skip(1 + back.captures).filter(|(x, _)| moves(x));
        for ((_, p), (ct, from)) in moving.zip(&found) {
            for (j, rows) in from.of_each(ct).iter().enumerate() {
                if let Some(columns) = p.element(j) {
                    rows.iter().for_each(|&i| sets[i as usize].push(columns));
                }
            }
        }
        let mut sets = sets.into_iter().map(|sets| union(sets.into_iter()));
        let pattern = |y: &Value| match y.ty().dtype().is_float() {
            true => Pattern::Of(sets.by_ref().take(y.array().size()).collect()),
            false => Pattern::Constant,
        };
        let patterns: Vec<Pattern> = y.iter().map(pattern).collect();
        Ok(y.into_iter().zip(patterns).collect())
    }
}

/// Tangents to run a rule on: any that are not zero.
fn ones(x: &Value) -> Value {
    let a = x.array();
    Value::Array(ArrayValue::full(&a.shape, Scalar::one(a.dtype())))
}

/// Patterns of the results of an operation without programs inside, or one with programs that is not followed.
fn followed(op: &Op, x: &[Value], p: &[Pattern], y: &[Value]) -> Result<Vec<Pattern>, Error> {
    let shape = |x: &Value| x.array().shape.clone();
    Ok(match (op, op.lower()) {
        (Op::Rows(_) | Op::Stack(_) | Op::ListSpread(_), _) => vec![moved(op, x, p)?],
        (Op::ListAdd(_), _) => vec![added(&y[0], &p[0], &p[1])],
        (Op::ListSum(sum), _) => {
            let op = sum.on_rows().into();
            let row = |x: &Value, p: &Pattern, y: &Value| of_one(&op, &op.lower(), from_ref(x), from_ref(p), y);
            vec![on_leaves(&row, &x[0], &p[0], &y[0])?]
        }
        (Op::Cumulative(op), _) => vec![in_turn(&shape(&y[0]), op.batch, op.reverse, p)],
        (Op::Recurrence(op), _) => vec![in_turn(&shape(&y[0]), op.batch, op.reverse, p)],
        (Op::TriangularSolve(_) | Op::Solve(_), Lowering::Call { batch, .. }) => {
            let (last, width) = (x.len() - 1, shape(&y[0])[batch + 1]);
            let matrices = by_parts(batch, &x[..last], &p[..last], &y[0]);
            vec![added(&y[0], &matrices, &by_columns(&p[last], width, batch, y[0].array()))]
        }
        (_, Lowering::Call { batch, .. }) => y.iter().map(|y| by_parts(batch, x, p, y)).collect(),
        (_, Lowering::Structural) => {
            let all: Vec<Columns> = x.iter().zip(p).flat_map(|(x, p)| p.of_each(x)).collect();
            let all = union(all.iter());
            y.iter().map(|y| Pattern::whole(y, &all)).collect()
        }
        (op, lowering) => vec![of_one(op, &lowering, x, p, &y[0])?],
    })
}

type OfOne<'a> = dyn Fn(&Value, &Pattern, &Value) -> Result<Pattern, Error> + 'a;

/// Of an operation that is done to every array in a list.
fn on_leaves(f: &OfOne<'_>, x: &Value, p: &Pattern, y: &Value) -> Result<Pattern, Error> {
    match (x, y) {
        (Value::List(x), Value::List(y)) => {
            let row = |(k, (x, y)): (usize, (&Value, &Value))| on_leaves(f, x, &p.row(k), y);
            Ok(Pattern::Rows(x.rows.iter().zip(&y.rows).enumerate().map(row).collect::<Result<_, _>>()?))
        }
        _ => f(x, p, y),
    }
}

/// Each element depends on the one before it and on what stands at its own place; the first on the last operand alone.
fn in_turn(shape: &[usize], batch: usize, reverse: bool, p: &[Pattern]) -> Pattern {
    let mut rows = vec![Columns::from([]); shape.iter().product()];
    let mut unions = Unions::default();
    each_in_turn(shape, batch, reverse, |i, before| {
        let own = if before.is_some() { p } else { &p[p.len() - 1..] };
        let before = before.map(|before| rows[before].clone());
        rows[i] = unions.of(before.iter().chain(own.iter().filter_map(|p| p.element(i))));
    });
    Pattern::Of(rows.into())
}

/// Each element depends on all elements of its part of a batch.
fn by_parts(batch: usize, x: &[Value], p: &[Pattern], y: &Value) -> Pattern {
    let parts: usize = y.array().shape[..batch].iter().product();
    let all = |part: usize| {
        let of = |(x, p): (&Value, &Pattern)| {
            let size = x.array().size() / parts;
            (part * size..(part + 1) * size).filter_map(|i| p.element(i).cloned()).collect::<Vec<Columns>>()
        };
        let sets: Vec<Columns> = x.iter().zip(p).flat_map(of).collect();
        union(sets.iter())
    };
    let all: Vec<Columns> = (0..parts).map(all).collect();
    let size = y.array().size().checked_div(parts).unwrap_or(0);
    Pattern::Of((0..y.array().size()).map(|i| all[i / size].clone()).collect())
}

/// Each element depends on its column of a matrix of as many columns.
fn by_columns(p: &Pattern, width: usize, batch: usize, y: &ArrayValue) -> Pattern {
    let rows = y.shape[batch];
    let columns = y.size().checked_div(rows).unwrap_or(0);
    let at = |c: usize, i: usize| (c / width * rows + i) * width + c % width;
    let all: Vec<Columns> = (0..columns).map(|c| union((0..rows).filter_map(|i| p.element(at(c, i))))).collect();
    Pattern::Of((0..y.size()).map(|i| all[i / width / rows * width + i % width].clone()).collect())
}

fn of_one(op: &Op, lowering: &Lowering, x: &[Value], p: &[Pattern], y: &Value) -> Result<Pattern, Error> {
    let y = y.array();
    let rows: Vec<Columns> = match lowering {
        Lowering::Literal(_) | Lowering::Iota { .. } => return Ok(Pattern::Constant),
        Lowering::Map(_) => {
            let mut unions = Unions::default();
            (0..y.size()).map(|i| unions.of(p.iter().filter_map(|p| p.element(i)))).collect()
        }
        Lowering::Identity | Lowering::Reshape => return Ok(p[0].clone()),
        Lowering::View(_)
        | Lowering::Windows { .. }
        | Lowering::Concatenate { .. }
        | Lowering::Pad { .. }
        | Lowering::Gather { .. }
        | Lowering::DynamicSlice { .. }
        | Lowering::DynamicUpdate { add: false, .. }
        | Lowering::Accumulate { add: false, .. } => return moved(op, x, p),
        Lowering::Reduce { start, end, .. } => {
            let shape = &x[0].array().shape;
            let (n, inner) = (shape[*start..*end].iter().product::<usize>(), shape[*end..].iter().product::<usize>());
            let row = |i: usize| {
                let first = i / inner * n * inner + i % inner;
                union((0..n).filter_map(|k| p[0].element(first + k * inner)))
            };
            (0..y.size()).map(row).collect()
        }
        Lowering::Dot { batch } => {
            let (a, b) = (&x[0].array().shape, &x[1].array().shape);
            let (m, k, n) = (a[*batch], a[batch + 1], b[batch + 1]);
            let batches = (0..a[..*batch].iter().product()).collect::<Vec<usize>>();
            let of_row = |i: usize| union((0..k).filter_map(|q| p[0].element(i * k + q)));
            let of_column = |b: usize, j: usize| union((0..k).filter_map(|q| p[1].element((b * k + q) * n + j)));
            let left: Vec<Columns> = (0..batches.len() * m).map(of_row).collect();
            let right: Vec<Columns> =
                batches.iter().flat_map(|&b| (0..n).map(move |j| (b, j))).map(|(b, j)| of_column(b, j)).collect();
            let mut unions = Unions::default();
            let element = |i: usize| {
                let (row, j) = (i / n, i % n);
                unions.of([&left[row], &right[row / m * n + j]].into_iter())
            };
            (0..y.size()).map(element).collect()
        }
        Lowering::DynamicUpdate { batch, add: true } => {
            let replaced = DynamicUpdate { batch: *batch, add: false }.into();
            return Ok(added(&y.clone().into(), &p[0], &moved(&replaced, x, p)?));
        }
        Lowering::SliceAdd { .. } => {
            // Where an element of the update comes from is where its label is added to zeros.
            let zeros = Value::Array(ArrayValue::full(&x[0].array().shape, Scalar::zero(DType::F64)));
            let update = moved(op, &[zeros, x[1].clone()], &[Pattern::Constant, p[1].clone()])?;
            return Ok(added(&y.clone().into(), &p[0], &update));
        }
        Lowering::Accumulate { batch, mode, add: true } => accumulated(x, p, *batch, *mode),
        Lowering::ArgReduce { .. } => return Ok(Pattern::Constant),
        Lowering::Call { .. } | Lowering::Structural => unreachable!("they were seen to"),
    };
    Ok(Pattern::Of(rows.into()))
}

/// Numbers that say where elements come from: what moves elements is run on them.
#[derive(Default)]
struct Labels {
    from: Vec<Columns>,
}

impl Labels {
    /// A value of that form whose elements are labels, or 0 for what depends on nothing.
    fn on(&mut self, value: &Value, p: &Pattern) -> Value {
        match value {
            Value::Array(a) => {
                let Pattern::Of(elements) = p else { return Value::zeros(&labelled(&value.ty())) };
                let first = self.from.len() + 1;
                self.from.extend(elements.iter().cloned());
                let labels = (first..=self.from.len()).map(|label| label as f64).collect();
                Value::Array(ArrayValue::new(&a.shape, labels))
            }
            Value::List(l) => {
                let rows = l.rows.iter().enumerate().map(|(k, row)| self.on(row, &p.row(k))).collect();
                Value::List(Arc::new(ListValue { element: labelled(&l.element), length: l.length, rows }))
            }
        }
    }

    /// Where the elements of a value of labels come from.
    fn sources(&self, value: &Value) -> Pattern {
        match value {
            Value::Array(a) => {
                let none = Columns::from([]);
                let labels = a.slice::<f64>();
                let source =
                    |&label: &f64| if label == 0.0 { none.clone() } else { self.from[label as usize - 1].clone() };
                match labels.iter().all(|&label| label == 0.0) {
                    true => Pattern::Constant,
                    false => Pattern::Of(labels.iter().map(source).collect()),
                }
            }
            Value::List(l) => Pattern::Rows(l.rows.iter().map(|row| self.sources(row)).collect()),
        }
    }
}

/// The type of labels on a value of this type.
fn labelled(ty: &Type) -> Type {
    match ty {
        Type::Array(a) => Type::array(DType::F64, &a.shape),
        Type::List(l) => Type::list(labelled(&l.element), l.length),
    }
}

/// Of an operation that only moves elements, run on labels.
fn moved(op: &Op, x: &[Value], p: &[Pattern]) -> Result<Pattern, Error> {
    let mut labels = Labels::default();
    let on = |(x, p): (&Value, &Pattern)| if x.ty().dtype().is_float() { labels.on(x, p) } else { x.clone() };
    let operands = x.iter().zip(p).map(on).collect();
    Ok(labels.sources(&op.eval(operands)?[0]))
}

/// Of the sum `y` of two values, lists row by row.
fn added(y: &Value, p: &Pattern, q: &Pattern) -> Pattern {
    match y {
        _ if p.is_constant() && q.is_constant() => Pattern::Constant,
        Value::Array(a) => {
            let mut unions = Unions::default();
            let element = |i: usize| unions.of(p.element(i).into_iter().chain(q.element(i)));
            Pattern::Of((0..a.size()).map(element).collect())
        }
        Value::List(l) => {
            Pattern::Rows(l.rows.iter().enumerate().map(|(k, y)| added(y, &p.row(k), &q.row(k))).collect())
        }
    }
}

fn accumulated(x: &[Value], p: &[Pattern], batch: usize, mode: IndexMode) -> Vec<Columns> {
    let (shape, index) = (&x[0].array().shape, x[1].array());
    let lanes: usize = shape[..batch].iter().product();
    let (n, rest) = (shape[batch], shape[batch + 1..].iter().product::<usize>());
    let none = Columns::from([]);
    let mut rows: Vec<Columns> = (0..lanes * n * rest).map(|i| p[0].element(i).unwrap_or(&none).clone()).collect();
    let per_lane = index.size().checked_div(lanes).unwrap_or(0);
    let index = index.slice::<i64>();
    for (k, &i) in index.iter().enumerate() {
        if n == 0 || mode == IndexMode::Drop && !(0..n as i64).contains(&i) {
            continue;
        }
        let to = k / per_lane * n + i.clamp(0, n as i64 - 1) as usize;
        for r in 0..rest {
            if let Some(more) = p[2].element(k * rest + r) {
                rows[to * rest + r] = union([&rows[to * rest + r], more].into_iter());
            }
        }
    }
    rows
}

/// Unions of a few sets at a time; those of the same sets are one.
#[derive(Default)]
struct Unions {
    known: HashMap<Vec<*const u32>, Columns>,
}

impl Unions {
    fn of<'a>(&mut self, sets: impl Iterator<Item = &'a Columns>) -> Columns {
        let sets: Vec<&Columns> = sets.filter(|set| !set.is_empty()).collect();
        match sets[..] {
            [] => Columns::from([]),
            [one] => one.clone(),
            _ if sets.iter().all(|set| Rc::ptr_eq(set, sets[0])) => sets[0].clone(),
            _ => {
                let key = sets.iter().map(|set| set.as_ptr()).collect();
                // The sets live as long as the operands, which outlive this table.
                self.known.entry(key).or_insert_with(|| union(sets.into_iter())).clone()
            }
        }
    }
}

fn union<'a>(sets: impl Iterator<Item = &'a Columns>) -> Columns {
    let mut all: Vec<u32> = Vec::new();
    let mut last: *const u32 = std::ptr::null();
    for set in sets {
        if set.as_ptr() != last {
            all.extend(set.iter());
            last = set.as_ptr();
        }
    }
    if !all.is_sorted_by(|a, b| a < b) {
        all.sort_unstable();
        all.dedup();
    }
    all.into()
}
