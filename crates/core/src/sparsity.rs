//! Which elements of an input each element of a result depends on, at a point: the pattern of a Jacobian.
//!
//! Index sets are followed through every operation by its lowering, beside the values that the program computes (which tell
//! where a gather reads). Where the lowering does not tell, as of a loop or a decomposition, every element counts as
//! depending on all that the operands depend on. So a pattern may have entries that are zero, and lacks none.

use crate::error::Error;
use crate::ops::{DynamicUpdate, Op, Rule};
use crate::primitive::{IndexMode, Lowering};
use crate::program::{Equation, Program};
use crate::value::{ArrayValue, Value};
use std::collections::HashMap;
use std::rc::Rc;
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
    let size = args[input].array().size();
    let own = Pattern::Of((0..size as u32).map(|i| Columns::from([i])).collect());
    let mut patterns = vec![Pattern::Constant; args.len()];
    patterns[input] = own;
    let outputs = run(program, args, patterns)?;
    let none = Columns::from([]);
    let rows = outputs.into_iter().map(|(y, p)| match p {
        Pattern::Constant => vec![none.clone(); y.array().size()],
        Pattern::Of(rows) => rows.to_vec(),
    });
    Ok(rows.collect())
}

/// What the elements of a value depend on.
#[derive(Clone)]
enum Pattern {
    /// On nothing.
    Constant,
    /// Element by element.
    Of(Rc<[Columns]>),
}

impl Pattern {
    fn row(&self, i: usize) -> Option<&Columns> {
        match self {
            Pattern::Constant => None,
            Pattern::Of(rows) => Some(&rows[i]),
        }
    }
}

/// Values and patterns of the outputs, given those of the inputs.
fn run(program: &Program, args: Vec<Value>, patterns: Vec<Pattern>) -> Result<Vec<(Value, Pattern)>, Error> {
    let mut last = vec![0; program.vars()];
    for (k, e) in program.equations().iter().enumerate() {
        e.args.iter().for_each(|a| last[a.index()] = k);
    }
    program.outputs().iter().for_each(|v| last[v.index()] = usize::MAX);
    let mut env: Vec<Option<(Value, Pattern)>> = args.into_iter().zip(patterns).map(Some).collect();
    env.resize(program.vars(), None);
    for (k, e) in program.equations().iter().enumerate() {
        let at = |i: usize| env[e.args[i].index()].clone().expect("a variable is defined before its use");
        let (x, p): (Vec<Value>, Vec<Pattern>) = (0..e.args.len()).map(at).unzip();
        let located = |error: Error| if error.source.is_none() { error.at(e.source.clone()) } else { error };
        let results = match &e.op {
            Op::Call(call) if matches!(call.rule, Rule::Program | Rule::Recompute(_)) => run(&call.program, x, p)?,
            Op::StopGradient(_) => vec![(x[0].clone(), Pattern::Constant)],
            op => {
                let y = op.eval(x.clone()).map_err(located)?;
                let p = if p.iter().all(|p| matches!(p, Pattern::Constant)) {
                    vec![Pattern::Constant; y.len()]
                } else {
                    followed(e, &x, &p, &y)?
                };
                y.into_iter().zip(p).collect()
            }
        };
        for (v, result) in e.results().zip(results) {
            env[v.index()] = Some(result);
        }
        for v in e.args.iter().filter(|a| last[a.index()] == k) {
            env[v.index()] = None;
        }
    }
    let output = |v: &crate::program::Var| env[v.index()].clone().expect("an output is defined");
    Ok(program.outputs().iter().map(output).collect())
}

/// Patterns of the results of an equation. What is not of a float dtype has no derivative and counts as constant.
fn followed(e: &Equation, x: &[Value], p: &[Pattern], y: &[Value]) -> Result<Vec<Pattern>, Error> {
    let moves = |y: &Value| y.ty().dtype().is_float();
    let lowering = e.op.lower();
    if let ([y], false) = (y, lowering == Lowering::Structural)
        && !y.ty().is_list()
    {
        return Ok(vec![if moves(y) { of_one(e, &lowering, x, p, y.array())? } else { Pattern::Constant }]);
    }
    // No list is read element by element: a list depends on what its operands do, as one element.
    let all = union(
        p.iter()
            .filter_map(|p| match p {
                Pattern::Constant => None,
                Pattern::Of(rows) => Some(rows.iter()),
            })
            .flatten(),
    );
    let whole =
        |y: &Value| if moves(y) { Pattern::Of(vec![all.clone(); elements(y)].into()) } else { Pattern::Constant };
    Ok(y.iter().map(whole).collect())
}

fn elements(value: &Value) -> usize {
    match value {
        Value::Array(a) => a.size(),
        Value::List(_) => 1,
    }
}

fn of_one(e: &Equation, lowering: &Lowering, x: &[Value], p: &[Pattern], y: &ArrayValue) -> Result<Pattern, Error> {
    let lists = x.iter().any(|x| x.ty().is_list());
    let rows: Vec<Columns> = match lowering {
        _ if lists => vec![union(p.iter().filter_map(|p| p.row(0))); y.size()],
        Lowering::Literal(_) | Lowering::Iota { .. } => return Ok(Pattern::Constant),
        Lowering::Map(_) => {
            let mut unions = Unions::default();
            (0..y.size()).map(|i| unions.of(p.iter().filter_map(|p| p.row(i)))).collect()
        }
        Lowering::Identity | Lowering::Reshape => return Ok(p[0].clone()),
        Lowering::View(_)
        | Lowering::Concatenate { .. }
        | Lowering::Pad { .. }
        | Lowering::Gather { .. }
        | Lowering::DynamicSlice { .. }
        | Lowering::DynamicUpdate { add: false, .. } => moved(&e.op, x, p)?,
        Lowering::Reduce { start, end, .. } => {
            let shape = &x[0].array().shape;
            let (n, inner) = (shape[*start..*end].iter().product::<usize>(), shape[*end..].iter().product::<usize>());
            let row = |i: usize| {
                let first = i / inner * n * inner + i % inner;
                union((0..n).filter_map(|k| p[0].row(first + k * inner)))
            };
            (0..y.size()).map(row).collect()
        }
        Lowering::Dot { batch } => {
            let (a, b) = (&x[0].array().shape, &x[1].array().shape);
            let (m, k, n) = (a[*batch], a[batch + 1], b[batch + 1]);
            let batches = (0..a[..*batch].iter().product()).collect::<Vec<usize>>();
            let of_row = |i: usize| union((0..k).filter_map(|q| p[0].row(i * k + q)));
            let of_column = |b: usize, j: usize| union((0..k).filter_map(|q| p[1].row((b * k + q) * n + j)));
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
            added(&p[0], &moved(&replaced, x, p)?)
        }
        Lowering::SliceAdd { .. } => {
            // Where an element of the update comes from is where its label is added to zeros.
            let zeros = Value::Array(ArrayValue::full(&x[0].array().shape, Scalar::zero(DType::F64)));
            added(&p[0], &moved(&e.op, &[zeros, x[1].clone()], &[Pattern::Constant, p[1].clone()])?)
        }
        Lowering::Accumulate { add: false, .. } => moved(&e.op, x, p)?,
        Lowering::Accumulate { batch, mode, add: true } => accumulated(x, p, *batch, *mode),
        _ => vec![union((0..p.len()).flat_map(|j| (0..elements(&x[j])).filter_map(move |i| p[j].row(i)))); y.size()],
    };
    Ok(Pattern::Of(rows.into()))
}

/// Of an operation that only moves elements: it is run on numbers that say where they come from.
fn moved(op: &Op, x: &[Value], p: &[Pattern]) -> Result<Vec<Columns>, Error> {
    let mut from: Vec<&Columns> = Vec::new();
    let mut labelled = Vec::new();
    for (x, p) in x.iter().zip(p) {
        let a = x.array();
        labelled.push(match p {
            _ if !a.dtype().is_float() => x.clone(),
            Pattern::Constant => Value::Array(ArrayValue::full(&a.shape, Scalar::zero(DType::F64))),
            Pattern::Of(rows) => {
                let labels = (1..=rows.len()).map(|i| (from.len() + i) as f64).collect();
                from.extend(rows.iter());
                Value::Array(ArrayValue::new(&a.shape, labels))
            }
        });
    }
    let y = op.eval(labelled)?.remove(0);
    let none = Columns::from([]);
    let source = |&label: &f64| if label == 0.0 { none.clone() } else { from[label as usize - 1].clone() };
    Ok(y.array().slice::<f64>().iter().map(source).collect())
}

fn added(p: &Pattern, rows: &[Columns]) -> Vec<Columns> {
    let mut unions = Unions::default();
    rows.iter().enumerate().map(|(i, row)| unions.of(p.row(i).into_iter().chain([row]))).collect()
}

fn accumulated(x: &[Value], p: &[Pattern], batch: usize, mode: IndexMode) -> Vec<Columns> {
    let (shape, index) = (&x[0].array().shape, x[1].array());
    let lanes: usize = shape[..batch].iter().product();
    let (n, rest) = (shape[batch], shape[batch + 1..].iter().product::<usize>());
    let none = Columns::from([]);
    let mut rows: Vec<Columns> = (0..lanes * n * rest).map(|i| p[0].row(i).unwrap_or(&none).clone()).collect();
    let per_lane = index.size().checked_div(lanes).unwrap_or(0);
    let index = index.slice::<i64>();
    for (k, &i) in index.iter().enumerate() {
        if n == 0 || mode == IndexMode::Drop && !(0..n as i64).contains(&i) {
            continue;
        }
        let to = k / per_lane * n + i.clamp(0, n as i64 - 1) as usize;
        for r in 0..rest {
            if let Some(more) = p[2].row(k * rest + r) {
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
