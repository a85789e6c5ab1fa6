//! A pass is studied before it is emitted: what is the same in all rounds is computed ahead of the loop, the rest
//! becomes steps over streams, and it is decided whether they are done in vectors.

use crate::emit::Emitter;
use crate::fold::State;
use crate::tile;
use crate::vector::{Lanes, is_vector_op};
use cranelift_codegen::ir::Value as Ssa;
use std::collections::{HashMap, HashSet};
use wengert_kernel::routine::{Affine, BufferId, Fold, Stmt, Value};
use wengert_kernel::{Binary, ScalarOp, Unary};

/// Steps in a loop, and how it is done.
pub(crate) struct Plan<'a> {
    /// The counter.
    pub index: Value,
    /// What every round does, in order.
    pub steps: Vec<Step<'a>>,
    /// The reductions, each with its number in the pass.
    pub folds: Vec<(usize, &'a Fold)>,
    /// Vectors, or scalar rounds.
    pub lanes: Option<Lanes>,
    /// Rounds of vectors (or scalars) per turn of the loop.
    pub unroll: u64,
    /// Whether ranges of rounds become calls of kernels; see `wide`.
    pub wide: bool,
}

/// What a round does.
#[derive(Clone)]
pub(crate) enum Step<'a> {
    /// Computes.
    Op {
        /// The value defined.
        out: Value,
        /// What.
        op: ScalarOp,
        /// Operands.
        args: &'a [Value],
    },
    /// Makes a linear form a value.
    Index {
        /// The value defined.
        out: Value,
        /// The form.
        at: Affine,
    },
    /// Reads an element.
    Read {
        /// The value defined.
        out: Value,
        /// From where.
        stream: Stream,
    },
    /// Writes an element.
    Write {
        /// What.
        value: Value,
        /// To where.
        stream: Stream,
    },
}

/// Where the elements of a read or write lie: `address + offset + size * (stride * round + varying terms)`.
#[derive(Clone)]
pub(crate) struct Stream {
    /// The part that is the same in all rounds.
    pub address: Ssa,
    /// Bytes to add.
    pub offset: i32,
    /// Bytes of an element.
    pub size: i64,
    /// Elements from one round to the next.
    pub stride: i64,
    /// Values of the round, with their coefficients.
    pub varying: Vec<(Value, i64)>,
}

impl Stream {
    /// One element after the other.
    pub fn is_contiguous(&self) -> bool {
        self.stride == 1 && self.varying.is_empty()
    }
}

impl Step<'_> {
    /// The value defined.
    pub fn defined(&self) -> Option<Value> {
        match self {
            Step::Op { out, .. } | Step::Index { out, .. } | Step::Read { out, .. } => Some(*out),
            Step::Write { .. } => None,
        }
    }

    /// The value defined or written.
    pub fn subject(&self) -> Value {
        match self {
            Step::Op { out, .. } | Step::Index { out, .. } | Step::Read { out, .. } => *out,
            Step::Write { value, .. } => *value,
        }
    }

    /// The values needed, whether they vary or not.
    pub fn uses(&self) -> Vec<Value> {
        let terms = |terms: &[(Value, i64)]| terms.iter().map(|t| t.0).collect();
        match self {
            Step::Op { args, .. } => args.to_vec(),
            Step::Index { at, .. } => terms(&at.terms),
            Step::Read { stream, .. } => terms(&stream.varying),
            Step::Write { value, stream } => [&[*value], &terms(&stream.varying)[..]].concat(),
        }
    }
}

impl<'a> Emitter<'a, '_> {
    /// Emits what is the same in all rounds and plans the rest.
    pub fn study(&mut self, index: Value, count: u64, body: &'a [Stmt], folds: &'a [Fold]) -> Plan<'a> {
        let mut varying: HashSet<Value> = [index].into();
        let mut linear: HashMap<Value, Affine> = HashMap::new();
        let mut steps: Vec<Step<'a>> = Vec::new();
        for stmt in body {
            let varies = |at: &Affine| at.terms.iter().any(|t| varying.contains(&t.0));
            let step = match stmt {
                Stmt::Let { out, op, args } if args.iter().any(|v| varying.contains(v)) => {
                    Step::Op { out: *out, op: *op, args }
                }
                Stmt::Index { out, at } if varies(at) => {
                    let at = substitute(at, &linear);
                    linear.insert(*out, at.clone());
                    Step::Index { out: *out, at }
                }
                Stmt::Load { out, buffer, at } if varies(at) => {
                    let at = substitute(at, &linear);
                    let (base, stride, terms) = split_form(&at, index, &varying);
                    Step::Read { out: *out, stream: self.stream(*buffer, &base, stride, terms) }
                }
                Stmt::Store { buffer, at, value } => {
                    let at = substitute(at, &linear);
                    let (base, stride, terms) = split_form(&at, index, &varying);
                    Step::Write { value: *value, stream: self.stream(*buffer, &base, stride, terms) }
                }
                _ => {
                    // The same in all rounds; for a load, because no round reads what another writes.
                    self.stmt(stmt);
                    continue;
                }
            };
            varying.extend(step.defined());
            steps.push(step);
        }
        let steps = needed(steps, folds);
        let lanes = self.choose_lanes(index, count, &steps, folds);
        let in_registers = |lanes: Lanes| match folds {
            [fold] => State::fills_registers(fold.op, self.function.dtype(fold.item), lanes),
            _ => false,
        };
        let unroll = match steps.len() {
            0..=16 if lanes.is_some_and(in_registers) => State::VECTORS,
            0..=8 => 4,
            9..=32 => 2,
            _ => 1,
        };
        let mut plan = Plan { index, steps, folds: folds.iter().enumerate().collect(), lanes, unroll, wide: false };
        plan.wide = self.is_wide(&plan, count);
        plan
    }

    fn stream(&mut self, buffer: BufferId, base: &Affine, stride: i64, varying: Vec<(Value, i64)>) -> Stream {
        let (address, offset) = self.address(buffer, base);
        Stream { address, offset, size: self.unit.buffer(buffer).dtype.size() as i64, stride, varying }
    }

    /// Vectors, if they pay.
    fn choose_lanes(&self, index: Value, count: u64, steps: &[Step<'a>], folds: &[Fold]) -> Option<Lanes> {
        if !(self.unit.options.vector && self.unit.features.vector) {
            return None;
        }
        let defined_here: HashSet<Value> = steps.iter().filter_map(Step::defined).chain([index]).collect();
        let size = |v: Value| self.function.dtype(v).size();
        // The counter has a width of its own where it is an operand, not where it is part of an address.
        let values = steps.iter().flat_map(|step| match step {
            Step::Op { out, args, .. } => [&[*out], *args].concat(),
            step => step.defined().into_iter().collect(),
        });
        // What is written counts even when it is the same in all rounds: it fills vectors of its own.
        let written = steps.iter().filter_map(|step| match step {
            Step::Write { stream, .. } => Some(stream.size as usize),
            _ => None,
        });
        let width = values
            .filter(|v| defined_here.contains(v))
            .chain(folds.iter().map(|f| f.item))
            .map(size)
            .chain(written)
            .max()
            .unwrap_or(1);
        let lanes = Lanes { width };
        let n = lanes.count() as u64;
        if count < n {
            return None;
        }
        let (mut vector, mut scalar) = (0, 0);
        for step in steps {
            let (one, all) = match step {
                // A function of the runtime takes a tile in memory, whatever the loops around it are.
                Step::Op { op, out, .. } if tile::is_tiled(*op, self.function.dtype(*out), count) => continue,
                Step::Op { op, args, .. } => {
                    let last = args[args.len() - 1];
                    let one = if is_call(*op) { 20 } else { 2 };
                    let same = !defined_here.contains(&last);
                    let in_vectors = is_vector_op(*op, self.function.dtype(last), same, self.unit.features.fma);
                    (one, if in_vectors { 2 } else { n * (one + 2 * args.len() as u64) })
                }
                Step::Read { stream, .. } | Step::Write { stream, .. } => {
                    let side_by_side = stream.varying.is_empty() && matches!(stream.stride, 1 | -1);
                    (2, if side_by_side { 3 } else { n * (3 + stream.varying.len() as u64) })
                }
                Step::Index { .. } => (2, 4),
            };
            scalar += n * one;
            vector += all;
        }
        (vector < scalar || steps.is_empty()).then_some(lanes)
    }
}

/// Drops what only addresses needed.
fn needed<'a>(steps: Vec<Step<'a>>, folds: &[Fold]) -> Vec<Step<'a>> {
    let mut wanted: HashSet<Value> = folds.iter().map(|f| f.item).collect();
    let mut kept: Vec<Step<'a>> = Vec::with_capacity(steps.len());
    for step in steps.into_iter().rev() {
        if step.defined().is_none_or(|v| wanted.contains(&v)) {
            wanted.extend(step.uses());
            kept.push(step);
        }
    }
    kept.reverse();
    kept
}

/// The form with linear values replaced by what they stand for.
fn substitute(at: &Affine, linear: &HashMap<Value, Affine>) -> Affine {
    let mut sum = Affine::constant(at.offset);
    for &(value, coefficient) in &at.terms {
        sum = match linear.get(&value) {
            Some(form) => sum.plus_affine(form, coefficient),
            None => sum.plus(value, coefficient),
        };
    }
    sum
}

/// A form as what is the same in all rounds, the counter's coefficient, and the other terms.
fn split_form(at: &Affine, index: Value, varying: &HashSet<Value>) -> (Affine, i64, Vec<(Value, i64)>) {
    let (inside, outside): (Vec<_>, Vec<_>) = at.terms.iter().copied().partition(|t| varying.contains(&t.0));
    let base = Affine { offset: at.offset, terms: outside.into_iter().collect() };
    (base, at.coefficient(index), inside.into_iter().filter(|t| t.0 != index).collect())
}

/// Whether an operation of floats is a call of the host.
fn is_call(op: ScalarOp) -> bool {
    use Unary::*;
    match op {
        ScalarOp::Unary(op) => {
            !matches!(op, Neg | Abs | Sign | Not | Sqrt | Floor | Ceil | Round | IsFinite | PopulationCount | Clz)
        }
        ScalarOp::Binary(op) => {
            matches!(op, Binary::Pow | Binary::Atan2 | Binary::Hypot | Binary::Xlogy | Binary::Xlog1py | Binary::Rem)
        }
        _ => false,
    }
}
