//! Derivatives of one's own.

use super::bodies::*;
use super::call::{record_call, traced_body};
use super::rule::{Backward, BatchRule, Rule, is_float};
use super::{Call, Op, Sample, zeros_any};
use crate::array::Array;
use crate::program::{Equation, simplify};
use crate::refusal::refuse;
use crate::source::UserCall;
use crate::trace::{is_tracing, trace_closed};
use crate::tree::{self, Tree, conjugate};
use crate::types::Type;
use crate::value::{ArrayValue, Value};
use std::sync::{Arc, Mutex, PoisonError};
use wengert_kernel::DType;

/// The function `f` with a derivative of its own: `rule` maps an argument and its tangent to the result and its tangent.
///
/// The rule is differentiated in turn for higher orders, batched by `vmap` and transposed for reverse mode, so its tangent
/// must be linear in that of the argument. Tangents of leaves that are no floats are zeros of their type; what the rule
/// returns for such leaves of the result is left aside. Arrays that the functions capture count as constants.
///
/// # Panics
/// When the rule's result is of another structure or type than that of `f`; when a captured array is differentiated.
///
/// ```
/// use wengert_core::{Array, custom_jvp};
///
/// // log(1 + exp(x)), whose own derivative is inf / inf for large x.
/// let log1pexp = custom_jvp(
///     |x: Array| x.exp().log1p(),
///     |x: Array, dx: Array| (x.exp().log1p(), dx * x.logistic()),
/// );
/// assert_eq!(log1pexp(Array::from(0.0)), Array::from(2.0f64.ln()));
/// ```
#[track_caller]
pub fn custom_jvp<A: Tree, R: Tree>(f: impl Fn(A) -> R, rule: impl Fn(A, A) -> (R, R)) -> impl Fn(A) -> R {
    let call = UserCall::here("custom_jvp");
    move |args| if is_tracing() { with_jvp(&f, &rule, &call, args) } else { f(args) }
}

fn with_jvp<A: Tree, R: Tree>(f: &impl Fn(A) -> R, rule: &impl Fn(A, A) -> (R, R), call: &UserCall, args: A) -> R {
    let _called = call.enter();
    let (args, def) = flattened(args);
    let types: Vec<Type> = args.iter().map(Array::ty).collect();
    let (function, result) = traced_body(&types, |x| f(assembled::<A>(&def, x)));
    let floats: Vec<Type> = types.iter().filter(|ty| is_float(ty)).cloned().collect();
    let mut found = None;
    let (rule, _) = traced_body(&[&types[..], &floats].concat(), |mut x| {
        let dx = all_leaves(&types, x.split_off(types.len()));
        let (y, dy) = rule(assembled::<A>(&def, x), assembled::<A>(&def, dx));
        let (y, y_def) = flattened(y);
        let (dy, dy_def) = flattened(dy);
        let returned: Vec<Type> = y.iter().map(Array::ty).collect();
        let dy: Vec<Array> = dy.into_iter().zip(&returned).filter(|(_, ty)| is_float(ty)).map(|(dy, _)| dy).collect();
        found = Some((y_def, dy_def));
        [y, dy].concat()
    });
    let results: Vec<Type> = function.program.output_types().cloned().collect();
    let (y_def, dy_def) = found.expect("the rule was traced");
    let given: Vec<Type> = rule.program.output_types().cloned().collect();
    {
        let _rule = call.enter();
        check_structure::<R>("the rule's result", &y_def, &result);
        check_structure::<R>("the rule's tangent", &dy_def, &result);
        let paths = tree::leaf_paths::<R>(&result, "result");
        check_types("the rule's result", &given[..results.len()], &results, &paths);
        let float: Vec<bool> = results.iter().map(is_float).collect();
        check_types("the rule's tangent", &given[results.len()..], &chosen(&results, &float), &chosen(&paths, &float));
    }
    let (captures, [program, jvp]) = with_common_captures(1, [function, rule]);
    let rule = Rule::Jvp { jvp: Arc::new(jvp), captures: captures.len() };
    assembled::<R>(&result, record_call(Call { program: Arc::new(program), rule }, &[captures, args].concat()))
}

/// The function `f` with a reverse mode of its own: `forward` maps the argument to the result and to whatever tree
/// `backward` needs, which maps that and the cotangent of the result to the cotangent of the argument.
///
/// `backward` is differentiated in turn for higher orders and batched by `vmap`. Forward mode transposes it; where it is not
/// linear in the cotangent (gradients that are clipped, say), forward mode is an error at run time. Cotangents of leaves that
/// are no floats are zeros of their type, and what `backward` returns for such leaves is left aside. Arrays that the
/// functions capture count as constants.
///
/// # Panics
/// When a function returns another structure or type than it must; when a captured array is differentiated.
///
/// ```
/// use wengert_core::{Array, custom_vjp};
///
/// // The identity, whose gradient is clipped to [-1, 1].
/// let clipped = custom_vjp(|x: Array| x, |x: Array| (x, ()), |(), ct: Array| ct.clip(-1.0, 1.0));
/// assert_eq!(clipped(Array::from(3.0)), Array::from(3.0));
/// ```
#[track_caller]
pub fn custom_vjp<A: Tree, R: Tree, S: Tree>(
    f: impl Fn(A) -> R,
    forward: impl Fn(A) -> (R, S),
    backward: impl Fn(S, R) -> A,
) -> impl Fn(A) -> R {
    let call = UserCall::here("custom_vjp");
    move |args| if is_tracing() { with_vjp(&f, &forward, &backward, &call, args) } else { f(args) }
}

fn with_vjp<A: Tree, R: Tree, S: Tree>(
    f: &impl Fn(A) -> R,
    forward: &impl Fn(A) -> (R, S),
    backward: &impl Fn(S, R) -> A,
    call: &UserCall,
    args: A,
) -> R {
    let _called = call.enter();
    let (args, def) = flattened(args);
    let types: Vec<Type> = args.iter().map(Array::ty).collect();
    let (function, result) = traced_body(&types, |x| f(assembled::<A>(&def, x)));
    let results: Vec<Type> = function.program.output_types().cloned().collect();
    let mut found = None;
    let (forward, _) = traced_body(&types, |x| {
        let (y, kept) = forward(assembled::<A>(&def, x));
        let (y, y_def) = flattened(y);
        let (kept, kept_def) = flattened(kept);
        found = Some((y_def, y.len(), kept_def));
        [y, kept].concat()
    });
    let (y_def, count, kept_def) = found.expect("the forward function was traced");
    let given: Vec<Type> = forward.program.output_types().cloned().collect();
    let (given, kept) = given.split_at(count);
    {
        let _rule = call.enter();
        check_structure::<R>("the forward function's result", &y_def, &result);
        check_types("the forward function's result", given, &results, &tree::leaf_paths::<R>(&result, "result"));
    }
    let floats: Vec<Type> = results.iter().filter(|ty| is_float(ty)).cloned().collect();
    let mut found = None;
    let (backward, _) = traced_body(&[kept, &floats].concat(), |mut x| {
        let ct = all_leaves(&results, x.split_off(kept.len()));
        let (ct, ct_def) =
            flattened(conjugate(backward(assembled::<S>(&kept_def, x), conjugate(assembled::<R>(&result, ct)))));
        found = Some(ct_def);
        ct.into_iter().zip(&types).filter(|(_, ty)| is_float(ty)).map(|(ct, _)| ct).collect::<Vec<Array>>()
    });
    {
        let _rule = call.enter();
        check_structure::<A>("the backward function's result", &found.expect("the backward function was traced"), &def);
        let float: Vec<bool> = types.iter().map(is_float).collect();
        let given: Vec<Type> = backward.program.output_types().cloned().collect();
        let paths = tree::leaf_paths::<A>(&def, "argument");
        check_types("the backward function's cotangent", &given, &chosen(&types, &float), &chosen(&paths, &float));
    }
    let (captures, [program, forward, backward]) = with_common_captures(1, [function, forward, backward]);
    let backward = Backward { program: Arc::new(backward), captures: captures.len() };
    let rule = Rule::Vjp { forward: Arc::new(forward), backward };
    assembled::<R>(&result, record_call(Call { program: Arc::new(program), rule }, &[captures, args].concat()))
}

/// The function `f`, which `vmap` batches by `rule` instead of operation by operation. The rule takes the argument with the lanes
/// as the first axis of every array and returns the result in the same form; what is the same for all lanes is repeated.
///
/// Where the lanes are worked on better together: one call of a library, one matrix product. Derivatives are those of `f`, and
/// their batches too. The rule is called when a program is batched, so it may capture numbers but no arrays.
///
/// # Panics
/// Under `vmap`: when the rule returns other types, or `f` captures an array that differs by lane.
///
/// ```
/// use wengert_core::{Array, array, custom_vmap};
///
/// let norm = custom_vmap(|x: Array| x.dot(&x).sqrt(), |x: Array| (&x * &x).sum_axis(1).sqrt());
/// assert_eq!(norm(array![3.0, 4.0]), 5.0.into());
/// ```
#[track_caller]
pub fn custom_vmap<A: Tree, R: Tree>(
    f: impl Fn(A) -> R,
    rule: impl Fn(A) -> R + Send + Sync + 'static,
) -> impl Fn(A) -> R {
    let call = UserCall::here("custom_vmap");
    let rule = Arc::new(rule);
    let known: Mutex<Vec<(A::Def, BatchRule)>> = Mutex::new(Vec::new());
    move |args| {
        if !is_tracing() {
            return f(args);
        }
        let _called = call.enter();
        let (args, def) = flattened(args);
        let types: Vec<Type> = args.iter().map(Array::ty).collect();
        let (function, result) = traced_body(&types, |x| f(assembled::<A>(&def, x)));
        // One rule for each structure of the argument, so that equal programs are equal.
        let batch = {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            match known.iter().find(|(of, _)| *of == def) {
                Some((_, rule)) => rule.clone(),
                None => {
                    let (rule, structure) = (rule.clone(), def.clone());
                    let batch = BatchRule::new(move |x| flattened(rule(assembled::<A>(&structure, x))).0);
                    known.push((def, batch.clone()));
                    batch
                }
            }
        };
        let rule = Rule::Batch { rule: batch, captures: function.captures.len() };
        let program = Arc::new(simplify(&function.program));
        let operands = [function.captures, args].concat();
        assembled::<R>(&result, record_call(Call { program, rule }, &operands))
    }
}

/// Tangents of all leaves, given those of the floats: zeros for the others.
fn all_leaves(types: &[Type], floats: Vec<Array>) -> Vec<Array> {
    let mut floats = floats.into_iter();
    let leaf = |ty: &Type| if is_float(ty) { floats.next().expect("one for each float") } else { zeros_any(ty) };
    types.iter().map(leaf).collect()
}

fn check_structure<T: Tree>(what: &str, found: &T::Def, wanted: &T::Def) {
    if found != wanted {
        refuse(format!("{what} is of another structure; its lengths, keys and static fields must be the same"), &[]);
    }
}

fn check_types(what: &str, found: &[Type], wanted: &[Type], paths: &[String]) {
    for ((found, wanted), path) in found.iter().zip(wanted).zip(paths) {
        if found != wanted {
            refuse(format!("{what} for `{path}` is {found}, but must be {wanted}"), &[]);
        }
    }
}

/// Calls with rules, for the laws of `Call`.
pub(super) fn samples() -> Vec<Sample> {
    let sine = custom_jvp(|x: Array| x.sin(), |x: Array, dx: Array| (x.sin(), dx * x.cos()));
    let product = custom_vjp(
        |(x, y): (Array, Array)| &x * y.sin(),
        |(x, y): (Array, Array)| (&x * y.sin(), (x, y)),
        |(x, y): (Array, Array), ct: Array| (&ct * y.sin(), ct * x * y.cos()),
    );
    let types = [Type::array(DType::F64, &[3]), Type::array(DType::F64, &[3])];
    let traced = trace_closed(&types, |x| vec![sine(x[0].clone()), product((x[0].clone(), x[1].clone()))]);
    let x = || Value::Array(ArrayValue::new(&[3], vec![0.1, -0.5, 2.0]));
    let calls = traced.equations().iter().filter(|e| matches!(e.op, Op::Call(_)));
    let sample = |e: &Equation| {
        let operands: Vec<usize> = (1..e.args.len()).collect();
        let values = operands.iter().map(|_| x());
        Sample::new(e.op.clone(), [Value::scalar(true)].into_iter().chain(values).collect()).smooth(&operands)
    };
    calls.map(sample).collect()
}
