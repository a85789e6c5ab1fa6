//! Derivatives: `grad`, `jvp`, `vjp` and what is composed of them.

use crate::objective::Objective;
use crate::traced::{Function, check_like, chosen, with_zeros};
use std::sync::Arc;
use wengert_core::array::{eye, ones_of};
use wengert_core::refusal::refuse;
use wengert_core::source::{UserCall, called};
use wengert_core::trace::{apply_program, inline, trace_closed};
use wengert_core::transform::{self, Linearized, transpose_linear};
use wengert_core::{Array, Program, Tree, Type, complex, tree};

/// The gradient of a function with a scalar result, with respect to all float arrays of its argument.
///
/// The argument may be an [`Array`] or any [`Tree`]; the gradient has its structure and shapes. What the closure captures
/// is constant. Integer arrays have zeros of their own type as gradient. That by a complex `z = x + iy` is `df/dx - i df/dy`,
/// as JAX has it: to descend, follow the conjugate of its negative. The function may return `(value, aux)`; then
/// `aux` is left out here and returned by [`value_and_grad`]. By reverse mode: the cost is a few times that of the function.
///
/// # Panics
/// When the result is not a float scalar, or no array of the argument is of a float dtype.
///
/// ```
/// use wengert::prelude::*;
///
/// fn f(x: Array) -> Array { x.square() + 3.0 * &x + 5.0 }
/// assert_eq!(grad(f)(2.0.into()).item::<f64>()?, 7.0);
/// assert_eq!(grad(grad(f))(2.0.into()).item::<f64>()?, 2.0);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn grad<A: Tree, R: Objective>(f: impl Fn(A) -> R) -> impl Fn(A) -> A {
    let call = UserCall::here("grad");
    move |args| objective_and_gradient(&call, &f, args).1
}

/// Value and gradient together: `(f(x), grad(f)(x))`, where `f` may return `(value, aux)`.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = |x: Array| (x.square().sum(), x.max());
/// let ((value, largest), gradient) = value_and_grad(f)(Array::from([1.0, 2.0]));
/// assert_eq!(value.item::<f64>()?, 5.0);
/// assert_eq!(largest.item::<f64>()?, 2.0);
/// assert_eq!(gradient.to_vec::<f64>()?, [2.0, 4.0]);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn value_and_grad<A: Tree, R: Objective>(f: impl Fn(A) -> R) -> impl Fn(A) -> (R, A) {
    let call = UserCall::here("value_and_grad");
    move |args| objective_and_gradient(&call, &f, args)
}

fn objective_and_gradient<A: Tree, R: Objective>(call: &UserCall, f: &impl Fn(A) -> R, args: A) -> (R, A) {
    let _called = call.enter();
    let objective = |a: A| {
        let (value, aux) = f(a).into_parts();
        if value.dtype().is_complex() {
            let _called = call.enter();
            refuse(
                "the function returns complex numbers, but only a real scalar has a gradient; take `.real()` or `.abs()` of the result",
                &[&value],
            );
        }
        (value, aux)
    };
    let function = Function::<A, (Array, R::Aux)>::trace(objective, args);
    let float = float_leaves(&function);
    let value = function.program.output_types().next().expect("the value is the first output").clone();
    let repair = match &value {
        Type::Array(a) if a.rank() == 0 && a.dtype.is_float() => None,
        _ if value.dtype().is_float() => Some("reduce it with `.sum()` or `.mean()`, or use `jacrev`"),
        _ => Some("integers and truth values carry none, so keep the work in floats"),
    };
    if let Some(repair) = repair {
        let value = function.program.describe_output(0);
        refuse(format!("the function returns {value}, but only a float scalar has a gradient; {repair}"), &[]);
    }
    let outputs = function.program.outputs().len();
    let mut wanted = vec![false; outputs];
    wanted[0] = true;
    let linearized = transform::linearize(&function.program, &function.flags(&float), &wanted);
    let pullback = transpose_linear(&linearized);
    let program = trace_closed(function.program.input_types(), |x| {
        let mut y = inline(&linearized.known, &x);
        let mut operands = y.split_off(outputs);
        operands.push(ones_of(value.dtype(), [0usize; 0]));
        y.extend(inline(&pullback, &operands));
        y
    });
    let mut results = apply_program(&wengert_core::program::simplify(&program), &function.operands());
    let gradient = with_zeros(&function.leaves, &float, results.split_off(outputs));
    let (value, aux) = function.result(results);
    (R::from_parts(value, aux), tree::conjugate(function.arguments(gradient)))
}

/// Which leaves have a derivative; there has to be one.
#[track_caller]
fn float_leaves<A: Tree, R: Tree>(function: &Function<A, R>) -> Vec<bool> {
    let float = function.float_leaves();
    if !float.contains(&true) {
        let types: Vec<String> = function.leaves.iter().map(|x| x.ty().to_string()).collect();
        refuse(
            format!(
                "no array of the argument is of a float dtype ({}), so there is nothing to differentiate by; convert one with `.convert(DType::F64)`",
                types.join(", ")
            ),
            &[],
        );
    }
    float
}

/// Value and directional derivative: `jvp(f)(x, dx)` is `(f(x), f'(x) dx)`. Forward mode.
///
/// The tangent `dx` has the structure, shapes and dtypes of `x`; tangents of integer arrays are ignored.
///
/// ```
/// use wengert::prelude::*;
///
/// let (y, dy) = jvp(|x: Array| x.sin())(0.0.into(), 2.0.into());
/// assert_eq!((y.item::<f64>()?, dy.item::<f64>()?), (0.0, 2.0));
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn jvp<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A, A) -> (R, R) {
    let call = UserCall::here("jvp");
    move |args, tangents| pushforward(&call, &f, args, tangents)
}

fn pushforward<A: Tree, R: Tree>(call: &UserCall, f: &impl Fn(A) -> R, args: A, tangents: A) -> (R, R) {
    let _called = call.enter();
    let function = Function::trace(f, args);
    let tangents = tangents_like(&function, tangents);
    let float = function.float_leaves();
    let outputs = function.program.outputs().len();
    let jvp = transform::jvp(&function.program, &function.flags(&float), &vec![true; outputs]);
    let mut y = apply_program(&jvp.program, &[function.operands(), chosen(&tangents, &float)].concat());
    let dy = y.split_off(outputs);
    (function.result(y), function.result(dy))
}

#[track_caller]
fn tangents_like<A: Tree, R: Tree>(function: &Function<A, R>, tangents: A) -> Vec<Array> {
    let mut leaves = Vec::new();
    let def = tangents.into_leaves(&mut leaves);
    if def != function.arguments {
        refuse(another_structure("tangent", "argument"), &[]);
    }
    let types: Vec<Type> = function.leaves.iter().map(Array::ty).collect();
    check_like("tangent", &tree::leaf_paths::<A>(&def, "argument"), &leaves, &types);
    leaves
}

fn another_structure(what: &str, of: &str) -> String {
    format!(
        "the {what} has another structure than the {of}; make its lengths, keys and static fields those of the {of}"
    )
}

/// A function linearised at a point: its outputs there, and the linear half with the residuals it reads.
struct Tape {
    linearized: Linearized,
    outputs: Vec<Array>,
    residuals: Vec<Array>,
    output_types: Vec<Type>,
}

#[track_caller]
fn record_tape<A: Tree, R: Tree>(function: &Function<A, R>, float: &[bool]) -> Tape {
    let outputs = function.program.outputs().len();
    let linearized = transform::linearize(&function.program, &function.flags(float), &vec![true; outputs]);
    let mut values = apply_program(&linearized.known, &function.operands());
    let residuals = values.split_off(outputs);
    let output_types = function.program.output_types().cloned().collect();
    Tape { linearized, outputs: values, residuals, output_types }
}

/// Value and pullback: `vjp(f, x)` is `(f(x), |ct| f'(x)^T ct)`. The function is evaluated once, the pullback as often as called.
///
/// The cotangent has the structure, shapes and dtypes of the result. For complex arrays the pullback is the transpose, without
/// conjugates: `Re sum(ct * dy) = Re sum(pullback(ct) * dx)`.
///
/// ```
/// use wengert::prelude::*;
///
/// let (y, pullback) = vjp(|x: Array| x.square(), Array::from([1.0, 3.0]));
/// assert_eq!(y.to_vec::<f64>()?, [1.0, 9.0]);
/// assert_eq!(pullback(Array::from([1.0, 0.5])).to_vec::<f64>()?, [2.0, 3.0]);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn vjp<A: Tree, R: Tree>(f: impl Fn(A) -> R, args: A) -> (R, impl Fn(R) -> A) {
    let call = UserCall::here("vjp");
    let _called = call.enter();
    let function = Function::trace(f, args);
    let float = float_leaves(&function);
    let tape = record_tape(&function, &float);
    let pullback = transpose_linear(&tape.linearized);
    let result = function.result(tape.outputs);
    let pull = move |ct: R| {
        let _called = call.enter();
        let mut leaves = Vec::new();
        let def = ct.into_leaves(&mut leaves);
        if def != function.result {
            refuse(another_structure("cotangent", "result"), &[]);
        }
        check_like("cotangent", &tree::leaf_paths::<R>(&def, "result"), &leaves, &tape.output_types);
        tree::conjugate_leaves::<R>(&def, &mut leaves);
        let cts = apply_program(&pullback, &[&tape.residuals[..], &leaves].concat());
        tree::conjugate(function.arguments(with_zeros(&function.leaves, &float, cts)))
    };
    (result, pull)
}

/// Value and derivative as a linear function: `linearize(f, x)` is `(f(x), |dx| f'(x) dx)`.
///
/// What the derivative needs of `f` is computed once; use it instead of [`jvp`] to push many tangents through one point.
///
/// ```
/// use wengert::prelude::*;
///
/// let (y, push) = linearize(|x: Array| x.exp(), 0.0.into());
/// assert_eq!(y.item::<f64>()?, 1.0);
/// assert_eq!(push(3.0.into()).item::<f64>()?, 3.0);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn linearize<A: Tree, R: Tree>(f: impl Fn(A) -> R, args: A) -> (R, impl Fn(A) -> R) {
    let call = UserCall::here("linearize");
    let _called = call.enter();
    let function = Function::trace(f, args);
    let float = float_leaves(&function);
    let tape = record_tape(&function, &float);
    let result = function.result(tape.outputs);
    let push = move |dx: A| {
        let _called = call.enter();
        let tangents = chosen(&tangents_like(&function, dx), &float);
        function.result(apply_program(&tape.linearized.linear, &[&tape.residuals[..], &tangents].concat()))
    };
    (result, push)
}

/// The transpose of a linear function: for `f(x) = A x`, `linear_transpose(f, x)` is `|ct| A^T ct`. Only the shapes and
/// dtypes of `example` matter.
///
/// # Panics
/// When `f` uses an operation that is not linear in the argument.
///
/// ```
/// use wengert::prelude::*;
///
/// let transpose = linear_transpose(|x: Array| x.slice_axis(0, 1..3) * 2.0, Array::from([0.0; 4]));
/// assert_eq!(transpose(Array::from([1.0, 5.0])).to_vec::<f64>()?, [0.0, 2.0, 10.0, 0.0]);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn linear_transpose<A: Tree, R: Tree>(f: impl Fn(A) -> R, example: A) -> impl Fn(R) -> A {
    let call = UserCall::here("linear_transpose");
    let _called = call.enter();
    let function = Function::trace(f, example);
    let float = float_leaves(&function);
    let mode = |&linear: &bool| if linear { transform::Mode::Linear } else { transform::Mode::Known };
    let modes: Vec<_> = function.flags(&float).iter().map(mode).collect();
    let outputs = function.program.outputs().len();
    let transposed = transform::transpose(&function.program, &modes, &vec![true; outputs]);
    let types: Vec<Type> = function.program.output_types().cloned().collect();
    let integers: Vec<bool> = float.iter().map(|f| !f).collect();
    move |ct: R| {
        let _called = call.enter();
        let mut leaves = Vec::new();
        let def = ct.into_leaves(&mut leaves);
        check_like("cotangent", &tree::leaf_paths::<R>(&def, "result"), &leaves, &types);
        tree::conjugate_leaves::<R>(&def, &mut leaves);
        let coefficients = [function.captures.clone(), chosen(&function.leaves, &integers)].concat();
        let cts = apply_program(&transposed, &[coefficients, leaves].concat());
        tree::conjugate(function.arguments(with_zeros(&function.leaves, &float, cts)))
    }
}

/// The Jacobian of a function of one real array by forward mode: shape `result.shape ++ x.shape`. Cheap when `x` is small.
///
/// The result may be complex; then the Jacobian is. That by a complex array is [`jacrev`]'s for real results and
/// [`jacfwd_holomorphic`]'s for complex ones.
///
/// ```
/// use wengert::prelude::*;
///
/// let j = jacfwd(|x: Array| x.square())(Array::from([1.0, 2.0]));
/// assert_eq!(j, array![[2.0, 0.0], [0.0, 4.0]]);
/// ```
#[track_caller]
pub fn jacfwd(f: impl Fn(Array) -> Array) -> impl Fn(Array) -> Array {
    let call = UserCall::here("jacfwd");
    move |x| jacobian(&call, &f, x, Columns::Real)
}

/// The Jacobian of a function of one array with a real result by reverse mode: shape `result.shape ++ x.shape`. Cheap when the
/// result is small. That by a complex `z = x + iy` is `df/dx - i df/dy`, as [`grad`]'s.
///
/// ```
/// use wengert::prelude::*;
///
/// let j = jacrev(|x: Array| x.square())(Array::from([1.0, 2.0]));
/// assert_eq!(j, array![[2.0, 0.0], [0.0, 4.0]]);
/// ```
#[track_caller]
pub fn jacrev(f: impl Fn(Array) -> Array) -> impl Fn(Array) -> Array {
    let call = UserCall::here("jacrev");
    move |x| jacobian(&call, &f, x, Columns::None)
}

/// The complex Jacobian of a holomorphic function of one complex array: shape `result.shape ++ z.shape`; of a function of one
/// number its derivative. That the function is holomorphic is not checked: what comes is its derivative along the real axis.
///
/// ```
/// use wengert::prelude::*;
/// use wengert::complex;
///
/// let z = complex(&Array::from(1.0), &Array::from(2.0));
/// let slope = jacfwd_holomorphic(|z: Array| &z * &z);
/// assert_eq!(slope(z.clone()), 2.0 * z);
/// ```
#[track_caller]
pub fn jacfwd_holomorphic(f: impl Fn(Array) -> Array) -> impl Fn(Array) -> Array {
    let call = UserCall::here("jacfwd_holomorphic");
    move |z| jacobian(&call, &f, z, Columns::Holomorphic)
}

/// What a Jacobian is made of: columns along the axes of the argument, or rows.
#[derive(Clone, Copy, PartialEq)]
enum Columns {
    /// Along the axes of a real argument.
    Real,
    /// Along the real axes of a complex argument.
    Holomorphic,
    /// It is made of rows.
    None,
}

/// Why there is no such Jacobian of a function whose argument or result is complex.
fn refused(columns: Columns, argument: bool, result: bool) -> Option<&'static str> {
    match (columns, argument, result) {
        (Columns::Real | Columns::None, true, true) => Some(
            "the argument and the result are complex; `jacfwd_holomorphic` gives the Jacobian of a holomorphic function, `jvp` and `vjp` the derivatives of any",
        ),
        (Columns::Real, true, false) => Some("the argument is complex and the result is real; use `jacrev`"),
        (Columns::None, false, true) => Some("the argument is real and the result is complex; use `jacfwd`"),
        (Columns::Holomorphic, false, _) => Some("the argument is real; use `jacfwd`"),
        (Columns::Holomorphic, true, false) => {
            Some("the result is real, as no holomorphic function's is; use `jacrev`")
        }
        _ => None,
    }
}

/// One batched run of the linear half (or its transpose) on all unit vectors.
fn jacobian(call: &UserCall, f: &impl Fn(Array) -> Array, x: Array, columns: Columns) -> Array {
    let _called = call.enter();
    let function = Function::<Array, Array>::trace(f, x);
    let [argument, result] = [function.arguments, function.result].map(|kind| kind == tree::Kind::Complex);
    if let Some(why) = refused(columns, argument, result) {
        refuse(why, &[]);
    }
    let mut float = float_leaves(&function);
    let y = function.program.output_types().next().expect("there is an output").clone();
    let Type::Array(y) = y else { unreachable!("a result is an array") };
    if !y.dtype.is_float() {
        let y = function.program.describe_output(0);
        refuse(
            format!(
                "the function returns {y}, which has no derivative; integers and truth values carry none, so keep the work in floats"
            ),
            &[],
        );
    }
    let forward = columns != Columns::None;
    if forward {
        // The imaginary parts of the argument, if there are any, stay.
        float[1..].fill(false);
    }
    let x = function.leaves[0].array_type();
    let outputs = function.program.outputs().len();
    let linearized = transform::linearize(&function.program, &function.flags(&float), &vec![true; outputs]);
    let half = if forward { linearized.linear.clone() } else { Arc::new(transpose_linear(&linearized)) };
    let units = if forward { x.clone() } else { y.clone() };
    let size = units.size();
    let mut mapped = vec![false; linearized.residuals];
    mapped.push(true);
    let rows = transform::batch(&half, &mapped, size, &vec![true; half.outputs().len()]).program;
    let whole: Program = trace_closed(function.program.input_types(), |inputs| {
        let mut operands = inline(&linearized.known, &inputs).split_off(outputs);
        let shape = [&[size], &units.shape[..]].concat();
        operands.push(eye(size).convert(units.dtype).reshape(&shape));
        let whole = |columns: Array| {
            let shape = [&y.shape[..], &x.shape[..]].concat();
            let flat = columns.reshape([size, columns.size().checked_div(size).unwrap_or(0)]);
            if forward { flat.transpose().reshape(&shape) } else { flat.reshape(&shape) }
        };
        inline(&rows, &operands).into_iter().map(whole).collect()
    });
    let parts = apply_program(&wengert_core::program::simplify(&whole), &function.operands());
    match &parts[..] {
        [re, im] => complex(re, &if forward { im.clone() } else { -im }),
        _ => parts[0].clone(),
    }
}

/// The matrix of second derivatives of a function with a scalar result: shape `x.shape ++ x.shape`. Forward over reverse mode.
///
/// ```
/// use wengert::prelude::*;
///
/// let h = hessian(|x: Array| x.at(0).square() * x.at(1))(Array::from([3.0, 5.0]));
/// assert_eq!(h, array![[10.0, 6.0], [6.0, 0.0]]);
/// ```
#[track_caller]
pub fn hessian(f: impl Fn(Array) -> Array) -> impl Fn(Array) -> Array {
    let _called = called("hessian");
    jacfwd(grad(f))
}

/// The Hessian times a vector, without the Hessian: `hvp(f)(x, v)`. The cost is a few times that of `f`.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = |x: Array| (x.square() * &x).sum();
/// let v = hvp(f)(Array::from([1.0, 2.0]), Array::from([1.0, 1.0]));
/// assert_eq!(v.to_vec::<f64>()?, [6.0, 12.0]);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn hvp<A: Tree, R: Objective>(f: impl Fn(A) -> R) -> impl Fn(A, A) -> A {
    let _called = called("hvp");
    let (call, gradient) = (UserCall::here("hvp"), grad(f));
    move |x, v| pushforward(&call, &gradient, x, v).1
}
