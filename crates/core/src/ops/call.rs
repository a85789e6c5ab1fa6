//! `Call`: a program used as one operation, so that what is shared stays shared.

use super::bodies::*;
use super::{Attributes, Definition, Sample};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::lanes::{Lanes, Places, of_outputs};
use crate::ops::zeros_any;
use crate::primitive::{Attribute, Batched, Cotangents, Effect, Lowering, Operand, Primitive, Pruned};
use crate::program::{Program, simplify, without_effects};
use crate::source::UserCall;
use crate::trace::{Surroundings, current_mask, inline, record, trace_closed, trace_with};
use crate::transform::{self, LinearArg, Mode, Residual, SplitEquation};
use crate::tree::Tree;
use crate::types::Type;
use crate::value::Value;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;

/// The results of a program. Its first input is its lane mask.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: bool[], %1: f64[]) {
///   %2: f64[] = call[checkpoint=true, program=program (%0: bool[], %1: f64[]) {
///     %2: f64[] = sin %1
///     return %2
///   }] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Call {
    /// What is called.
    pub program: Arc<Program>,
    /// Whether the backward pass computes it again rather than keeping what it needs of it.
    pub checkpoint: bool,
}

impl Call {
    fn with(&self, program: Program) -> Call {
        Call { program: Arc::new(program), checkpoint: self.checkpoint }
    }
}

impl Primitive for Call {
    fn name(&self) -> &'static str {
        "call"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![
            ("checkpoint", Attribute::Bool(self.checkpoint)),
            ("program", Attribute::Program(self.program.clone())),
        ]
    }

    fn operand(&self, _: usize, _: usize) -> Option<String> {
        None
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        same_types("operand", args.iter(), self.program.input_types().iter())?;
        Ok(self.program.output_types().cloned().collect())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        crate::interpret::interpret(&self.program, args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let results = self.program.outputs().len();
        let jvp = transform::jvp(&self.program, &present(dx), &vec![false; results]);
        let operands = [x.to_vec(), some(dx)].concat();
        let op = Call { program: jvp.program, checkpoint: self.checkpoint };
        let mut y = record(op, &operands.iter().collect::<Vec<_>>());
        let dy = y.split_off(results);
        (y, scattered(&jvp.active, &dy))
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        // Arrays with axes accumulate in place; a scalar's cotangent is cheaper returned.
        let mode = |x: &Operand| match x {
            Operand::Known(_) => Mode::Known,
            Operand::Linear(Type::Array(a)) if a.rank() > 0 => Mode::Accumulate,
            Operand::Linear(_) => Mode::Linear,
        };
        let modes: Vec<Mode> = x.iter().map(mode).collect();
        let program = transform::transpose_shared(&self.program, &modes, &present(ct));
        let places = |wanted: Mode| (0..x.len()).filter(|&i| modes[i] == wanted).collect::<Vec<usize>>();
        let (accumulated, returned) = (places(Mode::Accumulate), places(Mode::Linear));
        let mut operands: Vec<Array> = x.iter().filter(|x| !x.is_linear()).map(|x| x.known().clone()).collect();
        operands.extend(some(ct));
        for &i in &accumulated {
            operands.push(into.take(i).unwrap_or_else(|| zeros_any(&x[i].ty())));
        }
        let op = Call { program, checkpoint: self.checkpoint };
        let results = record(op, &operands.iter().collect::<Vec<_>>());
        for (&i, ct) in accumulated.iter().chain(&returned).zip(results) {
            into.add(i, ct);
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let batch = transform::batch(&self.program, &mapped(x), size, &vec![false; self.program.outputs().len()]);
        let operands: Vec<&Array> = x.iter().map(|x| &x.array).collect();
        batched(record(Call { program: batch.program, checkpoint: self.checkpoint }, &operands), &batch.mapped)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        of_outputs(&self.program, at.x, at.mask)
    }

    fn effect(&self) -> Effect {
        self.program.effect()
    }

    fn programs(&self) -> SmallVec<[&Arc<Program>; 2]> {
        SmallVec::from_slice(&[&self.program])
    }

    fn split(&self, unknown: &[bool]) -> Option<SplitEquation> {
        let split = transform::split(&self.program, unknown, &vec![false; self.program.outputs().len()]);
        let positions: Vec<usize> = (0..unknown.len()).collect();
        let (known_args, unknown_args) = (others(&positions, unknown), chosen(&positions, unknown));
        let k_outputs = split.unknown.len() - count(&split.unknown);
        let residuals = split.residuals.len();
        let inputs: Vec<usize> = (0..split.known.inputs()).collect();
        let operand = |&i: &usize| LinearArg::Operand(i);
        let results = sides(&split.unknown);
        let made: Vec<usize> = (0..residuals).filter(|&j| split.residuals[j] == Residual::Made).collect();
        // Calls of calls keep what each of them keeps, which is more than all their equations when each stands twice.
        if self.checkpoint || made.len() > self.program.equation_count() {
            // The linear half takes the operands and computes the residuals again, without effects.
            let outputs: Vec<usize> = (0..k_outputs).collect();
            let residual_outputs: Vec<usize> = (k_outputs..k_outputs + residuals).collect();
            let recomputed = without_effects(split.known.permuted(&inputs, &residual_outputs));
            let types = [split.known.input_types(), &split.linear.input_types()[residuals..]].concat();
            let linear = trace_closed(&types, |x| {
                let (x, dx) = x.split_at(inputs.len());
                inline(&split.linear, &[&inline(&recomputed, x)[..], dx].concat())
            });
            return Some(SplitEquation {
                known: self.with(simplify(&split.known.permuted(&inputs, &outputs))).into(),
                linear: self.with(simplify(&linear)).into(),
                linear_args: known_args.iter().chain(&unknown_args).map(operand).collect(),
                known_args,
                results,
            });
        }
        let outputs: Vec<usize> = (0..k_outputs).chain(made.iter().map(|j| k_outputs + j)).collect();
        let known = if made.len() == residuals {
            split.known.clone()
        } else {
            Arc::new(simplify(&split.known.permuted(&inputs, &outputs)))
        };
        let residual = |(j, r): (usize, &Residual)| match *r {
            Residual::Input(i) => LinearArg::Operand(known_args[i]),
            Residual::Made => LinearArg::Residual(k_outputs + made.iter().position(|&m| m == j).expect("it is made")),
        };
        let linear_args = split.residuals.iter().enumerate().map(residual).chain(unknown_args.iter().map(operand)).collect();
        let known = Call { program: known, checkpoint: false };
        let linear = Call { program: split.linear, checkpoint: false };
        Some(SplitEquation { known: known.into(), known_args, linear: linear.into(), linear_args, results })
    }

    fn prune(&self, live: &[bool]) -> Option<Pruned> {
        if !live.contains(&false) {
            return None;
        }
        let (program, args) = transform::without_outputs(&self.program, live);
        let results = (0..live.len()).filter(|&i| live[i]).collect();
        Some(Pruned { op: Call { program, checkpoint: self.checkpoint }.into(), args, results })
    }
}

impl Definition for Call {
    const NAMES: &'static [&'static str] = &["call"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        Ok(Call { program: a.program("program")?, checkpoint: a.bool("checkpoint")? })
    }

    fn samples() -> Vec<Sample> {
        let types = [Type::scalar(DType::Bool), Type::scalar(DType::F64), Type::array(DType::F64, &[3])];
        let traced = trace_with(&types, 0, Surroundings::Body, |x| vec![x[1].sin() * x[2].sum(), &x[2] * &x[1]]);
        let program = Arc::new(traced.program);
        let of = |checkpoint| {
            let x = Value::Array(crate::value::ArrayValue::new(&[3], vec![0.1, -0.5, 2.0]));
            let op = Call { program: program.clone(), checkpoint };
            Sample::new(op, vec![Value::scalar(true), Value::scalar(0.4), x]).smooth(&[1, 2])
        };
        vec![of(false), of(true)]
    }
}

/// Records a call of a traced program, on its operands after the lane mask.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{array, ops::call, program::parse};
///
/// let text = "program (%0: bool[], %1: f64[2]) {\n  %2: f64[2] = mul %1 %1\n  return %2\n}\n";
/// assert_eq!(call(&Arc::new(parse(text)?), &[array![2.0, 3.0]]), [array![4.0, 9.0]]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn call(program: &Arc<Program>, operands: &[Array]) -> Vec<Array> {
    record_call(program, operands, false)
}

#[track_caller]
fn record_call(program: &Arc<Program>, operands: &[Array], checkpoint: bool) -> Vec<Array> {
    let mask = current_mask();
    let operands: Vec<&Array> = [&mask].into_iter().chain(operands).collect();
    record(Call { program: program.clone(), checkpoint }, &operands)
}

/// The function `f`, of which the backward pass keeps only the arguments: what else it needs it computes again.
///
/// Values and derivatives stay the same, memory is traded for time. Useful around the body of a long `scan`.
///
/// ```
/// use wengert_core::{Array, checkpoint};
///
/// let f = checkpoint(|x: Array| x.sin().exp().sin());
/// assert_eq!(f(Array::from(0.0)).item::<f64>()?, 1f64.sin());
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn checkpoint<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    let call = UserCall::here("checkpoint");
    move |args| checkpointed(&f, &call, args)
}

fn checkpointed<A: Tree, R: Tree>(f: &impl Fn(A) -> R, call: &UserCall, args: A) -> R {
    let _called = call.enter();
    let (args, def) = flattened(args);
    let types: Vec<Type> = [Type::scalar(DType::Bool)].into_iter().chain(args.iter().map(Array::ty)).collect();
    let mut result_def = None;
    let traced = trace_with(&types, 1, Surroundings::Body, |mut inputs| {
        let (results, found) = flattened(f(assembled::<A>(&def, inputs.split_off(1))));
        result_def = Some(found);
        results
    });
    let program = Arc::new(simplify(&traced.program));
    let results = record_call(&program, &[traced.captures, args].concat(), true);
    assembled::<R>(&result_def.expect("the closure was traced"), results)
}
