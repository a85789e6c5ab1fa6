//! Solutions of equations, differentiated by the equation and not through the steps by which they were found.
//!
//! The derivative of `x` where `A(p) x = b` is `A dx = db - dA x`, another solution of the same kind; where `f(p, x) = 0` it is
//! `f_x dx = -f_p dp`. So a rule holds a call with a rule in turn, for as many orders as [`ORDERS`].

use super::bodies::*;
use super::call::record_call;
use super::rule::{Backward, Rule};
use super::{BinaryOp, Call, UnaryOp};
use crate::array::Array;
use crate::program::{Program, simplify};
use crate::refusal::refuse;
use crate::source::{UserCall, in_users_code};
use crate::trace::{Surroundings, Traced, apply, inline, record, trace_closed, trace_with};
use crate::transform::{self, Mode, transpose_shared};
use crate::tree::Tree;
use crate::types::Type;
use std::sync::Arc;
use wengert_kernel::{Binary, DType, Unary};

/// Up to this order derivatives are those of the equation; beyond, those of the steps.
const ORDERS: usize = 3;

/// The solution `x` of `matvec(x) = b`, found by `solve(matvec, b)`, where `matvec` is linear. JAX's `custom_linear_solve`.
///
/// Derivatives, with respect to `b` and to whatever `matvec` captures, solve the same system again, or the transposed one:
/// `solve` is called with the transpose of `matvec` for that, so it must not use more of it than its products. Derivatives
/// beyond the third order go through the steps of `solve`.
///
/// # Panics
/// When `matvec` is not linear, or a result is of another structure or type than `b`.
///
/// ```
/// use wengert_core::{Array, array, fori_loop, linear_solve};
///
/// // Richardson's iteration, x <- x + (b - A x).
/// let richardson = |matvec: &dyn Fn(Array) -> Array, b: Array| {
///     fori_loop(0, 60, |_, x: Array| &x + &b - matvec(x), b.clone())
/// };
/// let a = array![[1.0, 0.2], [0.4, 0.9]];
/// let x = linear_solve(|x: Array| a.dot(&x), array![1.4, 2.2], richardson);
/// assert!((x - array![1.0, 2.0]).abs().max().item::<f64>()? < 1e-12);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn linear_solve<X: Tree>(matvec: impl Fn(X) -> X, b: X, solve: impl Fn(&dyn Fn(X) -> X, X) -> X) -> X {
    let call = UserCall::here("linear_solve");
    let _called = call.enter();
    let (b, def) = flattened(b);
    let types = floats(&b);
    let matrix = traced::<X>(&call, &def, &types, "the product", matvec);
    let parameters = matrix.captures;
    let solver = Linear::of::<X>(&call, matrix.program, parameters.len(), &def, &solve);
    let operands = [solver.captures.clone(), parameters, b].concat();
    assembled::<X>(&def, record_call(solver.call(ORDERS), &operands))
}

/// A root `x` of `f(x) = 0`, found by `solve(f, guess)`. JAX's `custom_root`.
///
/// Derivatives, with respect to whatever `f` captures, solve a linear system with the derivative of `f` at the root, by
/// `tangent_solve(matvec, b)`, which is used as `solve` of [`linear_solve`] is. The root does not depend on the guess.
/// Derivatives beyond the third order go through the steps of `solve`.
///
/// # Panics
/// When a result is of another structure or type than `guess`.
///
/// ```
/// use wengert_core::{Array, custom_root, fori_loop};
///
/// // The square root by bisection, which has no useful derivative itself.
/// let root = |a: Array| {
///     let bisect = |f: &dyn Fn(Array) -> Array, x: Array| {
///         let halve = |_, (low, high): (Array, Array)| {
///             let middle = 0.5 * (&low + &high);
///             let above = f(middle.clone()).gt(0.0);
///             (above.select(&low, &middle), above.select(&middle, &high))
///         };
///         fori_loop(0, 60, halve, (0.0 * &x, x)).0
///     };
///     let divide = |slope: &dyn Fn(Array) -> Array, b: Array| &b / slope(1.0 + 0.0 * &b);
///     custom_root(|x: Array| x.square() - &a, Array::from(10.0), bisect, divide)
/// };
/// assert!((root(2.0.into()) - 2f64.sqrt()).abs().item::<f64>()? < 1e-15);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn custom_root<X: Tree>(
    f: impl Fn(X) -> X,
    guess: X,
    solve: impl Fn(&dyn Fn(X) -> X, X) -> X,
    tangent_solve: impl Fn(&dyn Fn(X) -> X, X) -> X,
) -> X {
    let call = UserCall::here("custom_root");
    let _called = call.enter();
    let (guess, def) = flattened(guess);
    let types = floats(&guess);
    let function = traced::<X>(&call, &def, &types, "the function", f);
    let (parameters, function) = (function.captures, function.program);
    let (n, unknowns) = (parameters.len(), types.len());
    // The product with f_x: (mask, parameters, x, v) to f_x v.
    let moving =
        |from: usize, to: usize| (0..function.inputs()).map(|i| (from..to).contains(&i)).collect::<Vec<bool>>();
    let by_x = transform::jvp(&function, &moving(1 + n, 1 + n + unknowns), &vec![true; unknowns]).program;
    let slope =
        Arc::new(by_x.permuted(&(0..by_x.inputs()).collect::<Vec<_>>(), &(unknowns..2 * unknowns).collect::<Vec<_>>()));
    let linear = Linear::of::<X>(&call, slope, n + unknowns, &def, &tangent_solve);
    let steps = solved::<X>(&call, &function, n, &def, &solve);
    let captures = [steps.captures.clone(), linear.captures.clone()].concat();
    // Operands: mask, captures of both, parameters, guess.
    let steps_program = {
        let own = steps.captures.len();
        let types = [
            &steps.program.input_types()[..1 + own],
            &types_of(&linear.captures),
            &steps.program.input_types()[1 + own..],
        ]
        .concat();
        Arc::new(trace_closed(&types, |x| inline(&steps.program, &[&x[..1 + own], &x[1 + captures.len()..]].concat())))
    };
    let float: Vec<bool> = parameters.iter().map(|p| p.dtype().is_float()).collect();
    let by_parameters: Vec<bool> = (0..function.inputs()).map(|i| i > 0 && i <= n && float[i - 1]).collect();
    let pushed = transform::jvp(&function, &by_parameters, &vec![true; unknowns]).program;
    let mut root = Call::of(steps_program.clone());
    for order in 1..=ORDERS {
        let types = steps_program.input_types();
        let first = 1 + captures.len();
        let tangents: Vec<Type> = types[first..].iter().filter(|ty| ty.dtype().is_float()).cloned().collect();
        let jvp = trace_closed(&[types, &tangents].concat(), |x| {
            let (x, dx) = x.split_at(types.len());
            let dp = &dx[..count(&float)];
            let solution = recorded(&root, x);
            let p = &x[first..first + n];
            let f = inline(&pushed, &[&x[..1], p, &solution, dp].concat());
            let right: Vec<Array> = f[unknowns..].iter().map(|df| apply(UnaryOp(Unary::Neg), &[df])).collect();
            let own = &x[1 + steps.captures.len()..first];
            let slopes = recorded(&linear.call(order - 1), &[&x[..1], own, p, &solution, &right].concat());
            [solution, slopes].concat()
        });
        let jvp = Arc::new(simplify(&jvp));
        root = Call { program: steps_program.clone(), rule: Rule::Jvp { jvp, captures: captures.len() } };
    }
    assembled::<X>(&def, record_call(root, &[captures, parameters, guess].concat()))
}

/// Solvers of a linear system and of its transpose, for each order of derivatives.
struct Linear {
    /// What the closure that solves captures.
    captures: Vec<Array>,
    /// By order: `(mask, captures, parameters, b)` to `x`, and the same of the transpose.
    calls: Vec<[Call; 2]>,
}

impl Linear {
    /// `matrix`: `(mask, parameters, x)` to the product.
    fn of<X: Tree>(
        call: &UserCall,
        matrix: Arc<Program>,
        parameters: usize,
        def: &X::Def,
        solve: &impl Fn(&dyn Fn(X) -> X, X) -> X,
    ) -> Linear {
        let modes: Vec<Mode> =
            (0..matrix.inputs()).map(|i| if i <= parameters { Mode::Known } else { Mode::Linear }).collect();
        let transposed = transpose_shared(&matrix, &modes, &vec![true; matrix.outputs().len()]);
        let matrices = [matrix, transposed];
        let bodies = [&matrices[0], &matrices[1]].map(|matrix| {
            let Body { captures, program } = solved::<X>(call, matrix, parameters, def, solve);
            Traced { program: (*program).clone(), captures }
        });
        let (captures, programs) = with_common_captures(1, bodies);
        let programs = programs.map(Arc::new);
        let mut calls: Vec<[Call; 2]> = Vec::new();
        for order in 0..=ORDERS {
            let level = [0, 1].map(|side| {
                let before = calls.last();
                let other = |program: &Arc<Program>, call: &Call| {
                    Arc::new(trace_closed(program.input_types(), |x| recorded(call, &x)))
                };
                let backward = match before {
                    None => programs[1 - side].clone(),
                    Some(before) => other(&programs[1 - side], &before[1 - side]),
                };
                let jvp = before.map(|before| pushed(&before[side], &matrices[side], captures.len(), parameters));
                let rule = Rule::Linear { backward: Backward { program: backward, captures: captures.len() }, jvp };
                Call { program: programs[side].clone(), rule }
            });
            debug_assert_eq!(calls.len(), order);
            calls.push(level);
        }
        Linear { captures, calls }
    }

    fn call(&self, orders: usize) -> Call {
        self.calls[orders][0].clone()
    }
}

/// `(mask, captures, parameters, b)` and tangents of the floats after the captures, to `x` and `dx` where `A dx = db - dA x`.
fn pushed(solver: &Call, matrix: &Arc<Program>, captures: usize, parameters: usize) -> Arc<Program> {
    let types = solver.program.input_types();
    let count = matrix.outputs().len();
    let float: Vec<bool> = types[1 + captures..].iter().map(|ty| ty.dtype().is_float()).collect();
    let tangents: Vec<Type> = chosen(&types[1 + captures..], &float);
    let moving: Vec<bool> = (0..matrix.inputs()).map(|i| i > 0 && i <= parameters && float[i - 1]).collect();
    let of_matrix = transform::jvp(matrix, &moving, &vec![true; count]).program;
    let program = trace_closed(&[types, &tangents].concat(), |x| {
        let (x, dx) = x.split_at(types.len());
        let (dp, db) = dx.split_at(dx.len() - count);
        let solution = recorded(solver, x);
        let p = &x[1 + captures..1 + captures + parameters];
        let product = inline(&of_matrix, &[&x[..1], p, &solution, dp].concat());
        let right = db.iter().zip(&product[count..]).map(|(db, d)| apply(BinaryOp(Binary::Sub), &[db, d]));
        let right: Vec<Array> = right.collect();
        let slopes = recorded(solver, &[&x[..x.len() - count], &right].concat());
        [solution, slopes].concat()
    });
    Arc::new(simplify(&program))
}

/// A user's function as a program that takes a mask, then what it captures.
struct Body {
    captures: Vec<Array>,
    program: Arc<Program>,
}

/// The steps of a user's solver as a program `(mask, captures, parameters, b)`, given that of the function that it calls:
/// `(mask, parameters, x)` to a value.
fn solved<X: Tree>(
    call: &UserCall,
    function: &Arc<Program>,
    parameters: usize,
    def: &X::Def,
    solve: &impl Fn(&dyn Fn(X) -> X, X) -> X,
) -> Body {
    let types = function.input_types();
    let unknowns = &types[1 + parameters..];
    let traced = trace_with(types, 1, Surroundings::Body, |x| {
        let (fixed, b) = x.split_at(1 + parameters);
        let apply = |v: X| {
            let (v, found) = flattened(v);
            check::<X>(call, "the solver's argument to the function", &v, &found, unknowns, def);
            let operands = [&fixed[1..], &v].concat();
            assembled::<X>(def, record_call(Call::of(function.clone()), &operands))
        };
        let (solution, found) = flattened(in_users_code(|| solve(&apply, assembled::<X>(def, b.to_vec()))));
        check::<X>(call, "the solver's result", &solution, &found, unknowns, def);
        solution
    });
    Body { captures: traced.captures, program: Arc::new(simplify(&traced.program)) }
}

/// A user's function from a tree to one like it, as a program `(mask, captures, x)`.
fn traced<X: Tree>(call: &UserCall, def: &X::Def, types: &[Type], what: &str, f: impl FnOnce(X) -> X) -> Body {
    let all: Vec<Type> = [Type::scalar(DType::Bool)].into_iter().chain(types.iter().cloned()).collect();
    let traced = trace_with(&all, 1, Surroundings::Body, |mut x| {
        let (y, found) = flattened(f(assembled::<X>(def, x.split_off(1))));
        check::<X>(call, what, &y, &found, types, def);
        y
    });
    Body { captures: traced.captures, program: Arc::new(simplify(&traced.program)) }
}

/// The types of the unknowns, which are floats.
fn floats(x: &[Array]) -> Vec<Type> {
    if let Some(x) = x.iter().find(|x| !x.dtype().is_float()) {
        refuse("unknowns are floats", &[x]);
    }
    types_of(x)
}

fn types_of(x: &[Array]) -> Vec<Type> {
    x.iter().map(Array::ty).collect()
}

fn check<X: Tree>(call: &UserCall, what: &str, x: &[Array], found: &X::Def, types: &[Type], def: &X::Def) {
    if found != def || types_of(x) != types {
        let _called = call.enter();
        let all = types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
        refuse(
            format!("{what} is of another structure or type than the unknowns ({all})"),
            &x.iter().collect::<Vec<_>>(),
        );
    }
}

fn recorded(call: &Call, operands: &[Array]) -> Vec<Array> {
    record(call.clone(), &operands.iter().collect::<Vec<_>>())
}
