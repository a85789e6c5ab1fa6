//! `Call`: a program used as one operation, so that what is shared stays shared, and so that it can have a rule of its own.

use super::bodies::*;
use super::rule::{Keep, Rule};
use super::{Attributes, Definition, Sample};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::lanes::{Lanes, Places, of_outputs};
use crate::ops::zeros_any;
use crate::primitive::{Attribute, Batched, Cotangents, Effect, Jet, Lowering, Operand, Primitive, Pruned};
use crate::program::{Program, simplify, without_effects};
use crate::source::UserCall;
use crate::trace::{Surroundings, Traced, current_mask, inline, record, trace_closed, trace_with};
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
///   %2: f64[] = call[keep=nothing, program=program (%0: bool[], %1: f64[]) {
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
    /// How it is differentiated and batched.
    pub rule: Rule,
}

impl Call {
    /// A call that is differentiated as its program is.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wengert_core::{ops::{Call, Op}, program::parse};
    ///
    /// let body = parse("program (%0: bool[], %1: f64[]) {\n  return %1\n}\n")?;
    /// assert_eq!(Op::from(Call::of(Arc::new(body))).name(), "call");
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn of(program: Arc<Program>) -> Call {
        Call { program, rule: Rule::Program }
    }

    /// The same call on values and their coefficients.
    fn pushed(&self, x: &[Array], dx: &[Vec<Option<Array>>], push: &Push<'_>) -> Jet {
        let (moving, outputs, orders) = (moving(dx), self.program.outputs().len(), dx.len());
        let pushed = push(&self.program, &moving, &vec![false; outputs]);
        let operands = Doubled { sizes: &[x.len()], moving: &moving, orders };
        let results = Doubled { sizes: &[outputs], moving: &pushed.active, orders };
        let op = Call { program: pushed.program, rule: self.rule.inherited() };
        results.take(record(op, &operands.put(x, dx).iter().collect::<Vec<_>>()))
    }

    fn with(&self, program: Program) -> Call {
        Call { program: Arc::new(program), rule: self.rule.inherited() }
    }
}

impl Primitive for Call {
    fn name(&self) -> &'static str {
        "call"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let program = ("program", Attribute::Program(self.program.clone()));
        self.rule.attributes().into_iter().chain([program]).collect()
    }

    fn operand(&self, _: usize, _: usize) -> Option<String> {
        None
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        same_types("operand", args.iter(), self.program.input_types().iter())?;
        self.rule.infer(&self.program)?;
        Ok(self.program.output_types().cloned().collect())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        crate::interpret::interpret(&self.program, args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        if let Some(results) = self.rule.jvp(&self.program, x, dx) {
            return results;
        }
        tangents(dx, |dx, push| self.pushed(x, dx, push))
    }

    fn jet(&self, x: &[Array], dx: &[Vec<Option<Array>>]) -> Option<Jet> {
        self.rule.is_of_program(&moving(dx)).then(|| self.pushed(x, dx, &|body, moving, force| transform::jet(body, moving, force, dx.len())))
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        if let Rule::Linear { backward, .. } = &self.rule {
            return backward.transpose(ct, x, into);
        }
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
        let op = Call { program, rule: self.rule.inherited() };
        let results = record(op, &operands.iter().collect::<Vec<_>>());
        for (&i, ct) in accumulated.iter().chain(&returned).zip(results) {
            into.add(i, ct);
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        if self.rule.is_custom() {
            return self.rule.batch(&self.program, x, size);
        }
        let batch = transform::batch(&self.program, &mapped(x), size, &vec![false; self.program.outputs().len()]);
        let operands: Vec<&Array> = x.iter().map(|x| &x.array).collect();
        batched(record(Call { program: batch.program, rule: self.rule.clone() }, &operands), &batch.mapped)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        if self.rule.is_custom() {
            return self.rule.lanes(&self.program, at);
        }
        of_outputs(&self.program, at.x, at.mask)
    }

    fn effect(&self) -> Effect {
        self.program.effect()
    }

    fn programs(&self) -> SmallVec<[&Arc<Program>; 2]> {
        [&self.program].into_iter().chain(self.rule.programs()).collect()
    }

    fn split(&self, unknown: &[bool]) -> Option<SplitEquation> {
        if matches!(self.rule, Rule::Linear { .. }) {
            return None;
        }
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
        let keep = match &self.rule {
            Rule::Recompute(keep) => Some(keep),
            _ => (made.len() > self.program.equation_count()).then_some(&Keep::Nothing),
        };
        if let Some(keep) = keep {
            // The linear half takes the operands and what is kept, and computes the residuals again, without effects.
            let again = keep.again(&split.known, k_outputs);
            let (known, recomputed) = (again.known, without_effects(again.rest));
            let kept: Vec<Type> = known.output_types().skip(k_outputs).cloned().collect();
            let types = [split.known.input_types(), &kept, &split.linear.input_types()[residuals..]].concat();
            let linear = trace_closed(&types, |x| {
                let (x, dx) = x.split_at(inputs.len() + kept.len());
                inline(&split.linear, &[&inline(&recomputed, x)[..], dx].concat())
            });
            let kept = (0..kept.len()).map(|j| LinearArg::Residual(k_outputs + j));
            return Some(SplitEquation {
                known: self.with(known).into(),
                linear: self.with(simplify(&linear)).into(),
                linear_args: known_args.iter().map(operand).chain(kept).chain(unknown_args.iter().map(operand)).collect(),
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
        let (known, linear) = (Call::of(known), Call::of(split.linear));
        Some(SplitEquation { known: known.into(), known_args, linear: linear.into(), linear_args, results })
    }

    fn prune(&self, live: &[bool]) -> Option<Pruned> {
        if !live.contains(&false) || self.rule.is_custom() {
            return None;
        }
        let (program, args) = transform::without_outputs(&self.program, live);
        let results = (0..live.len()).filter(|&i| live[i]).collect();
        Some(Pruned { op: Call { program, rule: self.rule.clone() }.into(), args, results })
    }
}

impl Definition for Call {
    const NAMES: &'static [&'static str] = &["call"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        Ok(Call { program: a.program("program")?, rule: Rule::parse(a)? })
    }

    fn samples() -> Vec<Sample> {
        let types = [Type::scalar(DType::Bool), Type::scalar(DType::F64), Type::array(DType::F64, &[3])];
        let traced = trace_with(&types, 0, Surroundings::Body, |x| vec![x[1].sin() * x[2].sum(), &x[2] * &x[1]]);
        let program = Arc::new(traced.program);
        let of = |rule: &Rule, y: f64, x: [f64; 3]| {
            let x = Value::Array(crate::value::ArrayValue::new(&[3], x.to_vec()));
            let op = Call { program: program.clone(), rule: rule.clone() };
            Sample::new(op, vec![Value::scalar(true), Value::scalar(y), x])
        };
        let rules = [Rule::Program, Rule::Recompute(Keep::Nothing), Rule::Recompute(Keep::Products)];
        let smooth = rules.iter().map(|rule| of(rule, 0.4, [0.1, -0.5, 2.0]).smooth(&[1, 2]));
        let hard = |rule| {
            [of(rule, -0.0, [0.0, -0.0, 5e-324]), of(rule, f64::INFINITY, [f64::NAN, 1.0, f64::NEG_INFINITY])]
        };
        smooth.chain(rules.iter().flat_map(hard)).chain([of(&rules[0], 1e9, [f64::MAX, 1.0, 0.0])]).chain(super::custom::samples()).collect()
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
    record_call(Call::of(program.clone()), operands)
}

/// Records a call on its operands after the lane mask.
#[track_caller]
pub(super) fn record_call(call: Call, operands: &[Array]) -> Vec<Array> {
    let mask = current_mask();
    let operands: Vec<&Array> = [&mask].into_iter().chain(operands).collect();
    record(call, &operands)
}

/// A closure traced as the body of a call: its leaves' definition too.
pub(super) fn traced_body<R: Tree>(types: &[Type], f: impl FnOnce(Vec<Array>) -> R) -> (Traced, R::Def) {
    let types: Vec<Type> = [Type::scalar(DType::Bool)].into_iter().chain(types.iter().cloned()).collect();
    let mut def = None;
    let traced = trace_with(&types, 1, Surroundings::Body, |mut inputs| {
        let (results, found) = flattened(f(inputs.split_off(1)));
        def = Some(found);
        results
    });
    (traced, def.expect("the closure was traced"))
}

/// The function `f`, of which the backward pass keeps only the arguments: what else it needs it computes again.
///
/// Values and derivatives stay the same, memory is traded for time. Useful around the body of a long `scan`. To keep
/// what is dear to compute see [`checkpoint_keeping`].
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
    move |args| checkpointed(&f, &Keep::Nothing, &call, args)
}

/// The function `f`, of which the backward pass keeps the arguments and what `keep` says, and computes the rest again.
///
/// ```
/// use wengert_core::{Array, Keep, array, checkpoint_keeping};
///
/// let layer = |x: Array| x.dot(&x).tanh().named("hidden").exp();
/// // Keeps matrix products, which cost most to compute again; or what it is told by name.
/// let f = checkpoint_keeping(Keep::Products, layer);
/// let g = checkpoint_keeping(Keep::names(["hidden"]), layer);
/// assert_eq!(f(array![1.0, 2.0]), g(array![1.0, 2.0]));
/// ```
#[track_caller]
pub fn checkpoint_keeping<A: Tree, R: Tree>(keep: Keep, f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    let call = UserCall::here("checkpoint_keeping");
    move |args| checkpointed(&f, &keep, &call, args)
}

fn checkpointed<A: Tree, R: Tree>(f: &impl Fn(A) -> R, keep: &Keep, call: &UserCall, args: A) -> R {
    let _called = call.enter();
    let (args, def) = flattened(args);
    let types: Vec<Type> = args.iter().map(Array::ty).collect();
    let (traced, result_def) = traced_body(&types, |inputs| f(assembled::<A>(&def, inputs)));
    let call = Call { program: Arc::new(simplify(&traced.program)), rule: Rule::Recompute(keep.clone()) };
    assembled::<R>(&result_def, record_call(call, &[traced.captures, args].concat()))
}
