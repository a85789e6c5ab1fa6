//! Taylor mode: every value as a power series in one parameter.
//!
//! A series grows one coefficient at a time, and only what is asked for. Of an operation that is linear in what moves,
//! coefficient `k` is the operation on coefficients `k`; of a product it is the sum over `i + j = k`; of any other it is
//! `1/k` times coefficient `k - 1` of its derivative `dy(x, dx)`, which is the operation's own `jvp` and is made of
//! operations that are series in turn. Equal operations on equal operands are one series, so that `exp`, whose
//! derivative is itself, or `sin` and `cos` close into recurrences of the length that the textbooks give
//! (A. Griewank, A. Walther, "Evaluating Derivatives", 2nd ed., chapter 13).
//!
//! An operation with programs inside takes series as a whole: it is the same operation on all coefficients, its programs on
//! power series by this transform. So its operands must be known to their last order before it stands, which they are: the
//! variables of a program are made in its order, each to the end, and no derivative has such an operation on what it is
//! the derivative of.

use super::{Jvp, jvp, memoised, rewritten};
use crate::array::Array;
use crate::ops::{Op, add_any, zeros_any};
use crate::primitive::Effect;
use crate::program::{Equation, Program, simplify, without_effects};
use crate::source::{Source, with_source};
use crate::trace::{inline, record, trace_closed};
use crate::types::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// The program on power series: inputs, then coefficients 1 to `order` of the `active` ones, order by order; to outputs, then
/// coefficients 1 to `order` of the active ones, order by order. An output that is in `force` is active even when they are
/// all zero.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{array, program::parse, trace::inline, transform::jet};
///
/// let square = Arc::new(parse("program (%0: f64[]) {\n  %1: f64[] = mul %0 %0\n  return %1\n}\n")?);
/// // (3 + t)² = 9 + 6 t + t²
/// let series = inline(&jet(&square, &[true], &[true], 2).program, &[3.0.into(), 1.0.into(), 0.0.into()]);
/// assert_eq!(series, [9.0.into(), 6.0.into(), 1.0.into()]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn jet(program: &Arc<Program>, active: &[bool], force: &[bool], order: usize) -> Jvp {
    memoised("jet", program, &[active, force], &[order], || {
        let moving = program.input_types().iter().zip(active).filter(|(_, a)| **a).map(|(ty, _)| ty.clone());
        let moving: Vec<Type> = moving.collect();
        let higher = (0..order).flat_map(|_| moving.iter().cloned());
        let types: Vec<Type> = program.input_types().iter().cloned().chain(higher).collect();
        let mut flags = Vec::new();
        let program = rewritten(&types, |args| {
            let (x, coefficients) = args.split_at(program.inputs());
            let coefficients: Vec<&[Array]> = coefficients.chunks(moving.len().max(1)).collect();
            pushed(program, x, &coefficients, (active, force, order), &mut flags)
        });
        Jvp { program: Arc::new(program), active: flags }
    })
}

fn pushed(
    program: &Program,
    x: &[Array],
    coefficients: &[&[Array]],
    (active, force, order): (&[bool], &[bool], usize),
    flags: &mut Vec<bool>,
) -> Vec<Array> {
    let mut series = Series::default();
    let mut next = 0..;
    let inputs = x.iter().zip(active).map(|(x, &active)| {
        let rank = if active { next.next() } else { None };
        let higher = rank.map(|i| coefficients.iter().map(move |all| Some(all[i].clone())));
        let known: Vec<Option<Array>> = [Some(x.clone())].into_iter().chain(higher.into_iter().flatten()).collect();
        series.node(x.ty(), Kind::Given, if active { order } else { CONSTANT }, known)
    });
    let mut nodes: Vec<usize> = inputs.collect();
    for e in program.equations() {
        let args = e.args.iter().map(|a| nodes[a.index()]).collect();
        let results = series.apply(program, e, args);
        for &node in &results {
            (0..=order).for_each(|k| drop(series.coefficient(node, k)));
        }
        nodes.extend(results);
    }
    let outputs = || program.outputs().iter().map(|v| nodes[v.index()]);
    let moves = |(node, &force): (usize, &bool)| force || (1..=order).any(|k| series.coefficient(node, k).is_some());
    flags.extend(outputs().zip(force).map(moves));
    let mut results: Vec<Array> = outputs().map(|node| series.dense(node, 0)).collect();
    for k in 1..=order {
        results.extend(outputs().zip(&*flags).filter(|(_, moves)| **moves).map(|(node, _)| series.dense(node, k)));
    }
    results
}

/// All series, by number.
#[derive(Default)]
struct Series {
    nodes: Vec<Node>,
    applied: Vec<Applied>,
    /// Applications without effects, by what they are of.
    known: HashMap<(Op, Vec<usize>), usize>,
}

/// The order of what does not move: all of its coefficients are known, and zero after the first.
const CONSTANT: usize = usize::MAX;

struct Node {
    ty: Type,
    kind: Kind,
    /// To what order coefficients are known.
    order: usize,
    /// The first coefficients; `None` is zero.
    coefficients: Vec<Option<Array>>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// All coefficients are given, those after them zero.
    Given,
    /// The derivative of another by the parameter.
    Derivative(usize),
    /// A result of an application, by number.
    Result(usize),
}

/// An operation on series.
struct Applied {
    op: Op,
    args: Vec<usize>,
    results: Vec<usize>,
    source: Source,
    rule: Option<Rule>,
}

/// How coefficients after the first come about.
#[derive(Clone)]
enum Rule {
    /// By the derivative on coefficients of the moving operands, for each result that moves.
    Linear(Arc<Program>, Vec<Option<usize>>),
    /// By sums of products.
    Product,
    /// By integration of these series.
    Integral(Vec<Option<usize>>),
}

impl Series {
    fn node(&mut self, ty: Type, kind: Kind, order: usize, coefficients: Vec<Option<Array>>) -> usize {
        let order = if ty.dtype().is_float() { order } else { CONSTANT };
        self.nodes.push(Node { ty, kind, order, coefficients });
        self.nodes.len() - 1
    }

    fn is_constant(&self, node: usize) -> bool {
        self.nodes[node].order == CONSTANT
    }

    /// To what order results of these operands are known.
    fn order(&self, args: &[usize]) -> usize {
        args.iter().map(|&arg| self.nodes[arg].order).min().unwrap_or(CONSTANT)
    }

    /// The series of all variables of a program.
    fn program(&mut self, program: &Program, inputs: &[usize]) -> Vec<usize> {
        let mut env = inputs.to_vec();
        for e in program.equations() {
            let args = e.args.iter().map(|a| env[a.index()]).collect();
            let results = self.apply(program, e, args);
            env.extend(results);
        }
        env
    }

    /// The series of the results of an equation, on these operands.
    fn apply(&mut self, program: &Program, e: &Equation, args: Vec<usize>) -> Vec<usize> {
        let key = (e.op.clone(), args);
        if let Some(&a) = self.known.get(&key) {
            return self.applied[a].results.clone();
        }
        let a = self.applied.len();
        let order = self.order(&key.1);
        let results = e.results().map(|v| self.node(program.ty(v).clone(), Kind::Result(a), order, Vec::new()));
        let results: Vec<usize> = results.collect();
        let (op, args) = key.clone();
        if e.op.effect() == Effect::None {
            self.known.insert(key, a);
        }
        self.applied.push(Applied { op, args, results: results.clone(), source: e.source.clone(), rule: None });
        if results.is_empty() {
            self.value(a);
        }
        results
    }

    /// Coefficient `k`; `None` is zero.
    fn coefficient(&mut self, node: usize, k: usize) -> Option<Array> {
        while self.nodes[node].coefficients.len() <= k {
            let k = self.nodes[node].coefficients.len();
            match self.nodes[node].kind {
                _ if k > 0 && self.is_constant(node) => self.nodes[node].coefficients.push(None),
                Kind::Given => self.nodes[node].coefficients.push(None),
                Kind::Derivative(of) => {
                    let next = self.coefficient(of, k + 1).map(|x| if k == 0 { x } else { x * (k + 1) as f64 });
                    self.nodes[node].coefficients.push(next);
                }
                Kind::Result(a) if k == 0 => self.value(a),
                Kind::Result(a) => self.higher(a, k),
            }
        }
        self.nodes[node].coefficients[k].clone()
    }

    fn dense(&mut self, node: usize, k: usize) -> Array {
        self.coefficient(node, k).unwrap_or_else(|| zeros_any(&self.nodes[node].ty))
    }

    /// First coefficients of the results: the operation itself. One with programs inside gives all coefficients at once.
    fn value(&mut self, a: usize) {
        let applied = &self.applied[a];
        let (op, args, source) = (applied.op.clone(), applied.args.clone(), applied.source.clone());
        let results = applied.results.clone();
        let x: Vec<Array> = args.iter().map(|&arg| self.dense(arg, 0)).collect();
        let order = self.order(&args);
        if order != CONSTANT && order > 0 && !op.programs().is_empty() {
            let coefficients = |k: usize| args.iter().map(|&arg| self.coefficient(arg, k)).collect();
            let dx: Vec<Vec<Option<Array>>> = (1..=order).map(coefficients).collect();
            if let Some((y, dy)) = with_source(&source, || op.jet(&x, &dx)) {
                for (i, node) in results.into_iter().enumerate() {
                    let higher = dy.iter().map(|dy| dy[i].clone());
                    self.nodes[node].coefficients = [Some(y[i].clone())].into_iter().chain(higher).collect();
                }
                return;
            }
        }
        let y = with_source(&source, || record(op, &x.iter().collect::<Vec<_>>()));
        for (node, y) in results.into_iter().zip(y) {
            self.nodes[node].coefficients.push(Some(y));
        }
    }

    /// Coefficient `k >= 1` of all results.
    fn higher(&mut self, a: usize, k: usize) {
        let source = self.applied[a].source.clone();
        let rule = match &self.applied[a].rule {
            Some(rule) => rule.clone(),
            None => {
                let rule = with_source(&source, || self.rule(a));
                self.applied[a].rule.insert(rule).clone()
            }
        };
        let args = self.applied[a].args.clone();
        let results = self.applied[a].results.clone();
        let y: Vec<Option<Array>> = match rule {
            Rule::Linear(derivative, place) => {
                let moving: Vec<usize> = args.into_iter().filter(|&arg| !self.is_constant(arg)).collect();
                let zero = moving.iter().all(|&arg| self.coefficient(arg, k).is_none());
                let dx: Vec<Array> = moving.into_iter().map(|arg| self.dense(arg, k)).collect();
                let dy = if zero { Vec::new() } else { with_source(&source, || inline(&derivative, &dx)) };
                place.into_iter().map(|place| dy.get(place?).cloned()).collect()
            }
            Rule::Product => {
                let op = self.applied[a].op.clone();
                let mut sum: Option<Array> = None;
                for i in 0..=k {
                    let (Some(x), Some(y)) = (self.coefficient(args[0], i), self.coefficient(args[1], k - i)) else {
                        continue;
                    };
                    sum = with_source(&source, || {
                        let term = record(op.clone(), &[&x, &y]).remove(0);
                        Some(sum.map_or(term.clone(), |sum| add_any(&sum, &term)))
                    });
                }
                vec![sum]
            }
            Rule::Integral(derivatives) => {
                let mut one = |node: Option<usize>| {
                    let slope = self.coefficient(node?, k - 1)?;
                    Some(with_source(&source, || if k == 1 { slope } else { slope / k as f64 }))
                };
                derivatives.into_iter().map(&mut one).collect()
            }
        };
        for (node, y) in results.into_iter().zip(y) {
            // A series that an integral asks for in turn may have got this coefficient meanwhile.
            if self.nodes[node].coefficients.len() == k {
                self.nodes[node].coefficients.push(y);
            }
        }
    }

    fn rule(&mut self, a: usize) -> Rule {
        let applied = &self.applied[a];
        let (op, args, results) = (applied.op.clone(), applied.args.clone(), applied.results.clone());
        if op.is_bilinear() {
            return Rule::Product;
        }
        let types: Vec<Type> = args.iter().map(|&arg| self.nodes[arg].ty.clone()).collect();
        let moving: Vec<bool> = args.iter().map(|&arg| !self.is_constant(arg)).collect();
        let alone = Arc::new(trace_closed(&types, |x| record(op.clone(), &x.iter().collect::<Vec<_>>())));
        let pushed = jvp(&alone, &moving, &vec![false; results.len()]);
        let mut next = 0..;
        let place: Vec<Option<usize>> =
            pushed.active.iter().map(|&active| if active { next.next() } else { None }).collect();
        let all: Vec<usize> = (0..pushed.program.inputs()).collect();
        let tangents: Vec<usize> = (results.len()..pushed.program.outputs().len()).collect();
        let derivative = without_effects(simplify(&pushed.program.permuted(&all, &tangents)));
        if !derivative.used_inputs()[..args.len()].contains(&true) {
            return Rule::Linear(
                Arc::new(derivative.permuted(&all[args.len()..], &(0..tangents.len()).collect::<Vec<_>>())),
                place,
            );
        }
        let mut inputs = args.clone();
        for (&arg, _) in args.iter().zip(&moving).filter(|(_, moving)| **moving) {
            let Node { ty, order, .. } = &self.nodes[arg];
            inputs.push(self.node(ty.clone(), Kind::Derivative(arg), order - 1, Vec::new()));
        }
        let nodes = self.program(&derivative, &inputs);
        let outputs: Vec<usize> = derivative.outputs().iter().map(|v| nodes[v.index()]).collect();
        Rule::Integral(place.into_iter().map(|place| place.map(|i| outputs[i])).collect())
    }
}
