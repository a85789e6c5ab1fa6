//! Derivatives of high order along a curve, by power series.

use crate::traced::{Function, check_like, chosen, with_zeros};
use wengert_core::array::{ones_like, zeros_like};
use wengert_core::refusal::refuse;
use wengert_core::source::{UserCall, called};
use wengert_core::trace::apply_program;
use wengert_core::{Array, Tree, Type, transform, tree};

/// The value of `f` at `x`, and its derivatives along a curve through `x`, of which the derivatives are given.
///
/// `series[k]` holds derivative `k + 1` of each array by the curve's parameter, and so do the results; there are as many as
/// were given (JAX's convention: derivatives, not Taylor coefficients). All orders together cost about `n²` times the
/// function, where nested `jvp`s would cost `2^n` times. Loops and branches are those of the function, on series.
///
/// # Panics
/// When an entry of the series is of another structure or type than `x`.
///
/// ```
/// use wengert::prelude::*;
///
/// // sin(t) around t = 0.
/// let (y, dy) = jet(|t: Array| t.sin(), 0.0.into(), vec![1.0.into(), 0.0.into(), 0.0.into()]);
/// assert_eq!(y, 0.0.into());
/// assert_eq!(dy, [1.0.into(), 0.0.into(), Array::from(-1.0)]);
///
/// // Through the steps of an integrator: x' = x² takes x to x / (1 - x) in a unit of time.
/// let step = |_, x: Array| &x + 0.001 * (&x + 0.0005 * x.square()).square();
/// let third = nth_derivative(|x: Array| fori_loop(0, 1000, step, x), 3);
/// assert!((third(0.5.into()).item::<f64>()? - 96.0).abs() < 0.1);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn jet<A: Tree, R: Tree>(f: impl FnOnce(A) -> R, x: A, series: Vec<A>) -> (R, Vec<R>) {
    let _called = called("jet");
    let function = Function::<A, R>::trace(f, x);
    let float = function.float_leaves();
    let order = series.len();
    let names = tree::leaf_paths::<A>(&function.arguments, "x");
    let types: Vec<Type> = function.leaves.iter().map(Array::ty).collect();
    let mut factor = 1.0;
    let mut operands = function.operands();
    for (k, entry) in series.into_iter().enumerate() {
        let mut leaves = Vec::new();
        entry.into_leaves(&mut leaves);
        check_like("derivative", &names, &leaves, &types);
        factor *= (k + 1) as f64;
        operands.extend(chosen(&leaves, &float).into_iter().map(|x| if k == 0 { x } else { x / factor }));
    }
    let floats: Vec<bool> = function.program.output_types().map(|ty| ty.dtype().is_float()).collect();
    let program = transform::jet(&function.program, &function.flags(&float), &floats, order).program;
    let mut results = apply_program(&program, &operands);
    let count = function.program.outputs().len();
    let mut higher = results.split_off(count).into_iter();
    let moving = floats.iter().filter(|float| **float).count();
    let mut factor = 1.0;
    let derivatives = (0..order).map(|k| {
        factor *= (k + 1) as f64;
        let order = higher.by_ref().take(moving).map(|y| if k == 0 { y } else { y * factor }).collect();
        function.result(with_zeros(&results, &floats, order))
    });
    let derivatives = derivatives.collect();
    (function.result(results), derivatives)
}

/// The derivative of order `n` of a function of one number; of a function that works element by element, at each of them.
/// By [`jet`].
///
/// # Panics
/// When the argument is not of a float dtype.
///
/// ```
/// use wengert::prelude::*;
///
/// // d⁶/dx⁶ 1/x = 720 / x⁷
/// let sixth = jit(nth_derivative(|x: Array| 1.0 / x, 6));
/// assert_eq!(sixth(Array::from(4f32)).item::<f32>()?, 0.043945313);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn nth_derivative<R: Tree>(f: impl Fn(Array) -> R, n: usize) -> impl Fn(Array) -> R {
    let call = UserCall::here("nth_derivative");
    move |x| {
        let _called = call.enter();
        if !x.dtype().is_float() {
            refuse(format!("{} has no derivatives; `convert` it to a float", x.ty()), &[&x]);
        }
        let entry = |k: usize| if k == 0 { ones_like(&x) } else { zeros_like(&x) };
        let series = (0..n).map(entry).collect();
        let (y, mut derivatives) = jet(&f, x, series);
        derivatives.pop().unwrap_or(y)
    }
}
