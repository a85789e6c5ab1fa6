//! `scan` and `fori_loop`: loops whose number of rounds is known.

use super::bodies::*;
use super::{Loop, Rows, Stack};
use crate::array::Array;
use crate::lanes::OpLanes;
use crate::program::simplify;
use crate::refusal::refuse;
use crate::source::{UserCall, called};
use crate::trace::{Surroundings, apply, current_mask, record, trace_with};
use crate::tree::{self, Tree};
use crate::types::Type;
use std::sync::Arc;
use wengert_kernel::DType;

/// Runs `f` over the rows of `xs`, carrying a value from round to round, and stacks what it gives.
///
/// `f` takes the carry and one row of each array of `xs` (the leading axis goes) and returns the next carry and a row of
/// each result. Returns the last carry and the stacked rows, with a leading axis as long as that of `xs`. The carry keeps
/// its types. Compiled, the loop never leaves machine code; its gradient costs a few times what it does.
///
/// # Panics
/// When the arrays of `xs` have no or different leading axes, or the carry changes type.
///
/// ```
/// use wengert_core::{Array, scan};
///
/// let (total, sums) = scan(|sum: Array, x: Array| (&sum + &x, sum + x), Array::from(0.0), Array::from([1.0, 2.0, 3.0]));
/// assert_eq!(total.item::<f64>()?, 6.0);
/// assert_eq!(sums.to_vec::<f64>()?, [1.0, 3.0, 6.0]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn scan<C: Tree, X: Tree, Y: Tree>(f: impl Fn(C, X) -> (C, Y), init: C, xs: X) -> (C, Y) {
    let _called = called("scan");
    scan_in(f, init, xs, false)
}

/// [`scan`] from the last row to the first; row `k` of the results belongs to row `k` of `xs`.
///
/// # Panics
/// As [`scan`].
///
/// ```
/// use wengert_core::{Array, array, scan_reverse};
///
/// let (_, sums) = scan_reverse(|sum: Array, x: Array| (&sum + &x, sum + x), Array::from(0.0), array![1.0, 2.0, 3.0]);
/// assert_eq!(sums, array![6.0, 5.0, 3.0]); // of each element and those after it
/// ```
#[track_caller]
pub fn scan_reverse<C: Tree, X: Tree, Y: Tree>(f: impl Fn(C, X) -> (C, Y), init: C, xs: X) -> (C, Y) {
    let _called = called("scan_reverse");
    scan_in(f, init, xs, true)
}

#[track_caller]
fn scan_in<C: Tree, X: Tree, Y: Tree>(f: impl Fn(C, X) -> (C, Y), init: C, xs: X, reverse: bool) -> (C, Y) {
    let (xs, xs_def) = flattened(xs);
    let length = leading_axis::<X>(&xs, &xs_def);
    let xs: Vec<Array> = xs.iter().map(|x| apply(Rows, &[x])).collect();
    rounds(length, reverse, init, xs, |c: C, _, x| f(c, assembled::<X>(&xs_def, x)))
}

/// Runs `body` for `i` in `lower..upper`, carrying a value: `carry = body(i, carry)`, `i` an `i64` scalar.
///
/// The bounds are known here, so that reverse mode knows how many rounds it has to keep; for bounds that are
/// computed use [`while_loop`](crate::while_loop).
///
/// ```
/// use wengert_core::{Array, fori_loop};
///
/// let factorial = fori_loop(1, 6, |i: Array, product: Array| product * i, Array::from(1i64));
/// assert_eq!(factorial.item::<i64>()?, 120);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn fori_loop<C: Tree>(lower: i64, upper: i64, body: impl Fn(Array, C) -> C, init: C) -> C {
    let _called = called("fori_loop");
    let length = upper.saturating_sub(lower).max(0) as usize;
    let step = |c: C, i: Array, _| {
        let i = if lower == 0 { i } else { i + Array::from(lower) };
        (body(i, c), ())
    };
    rounds(length, false, init, Vec::new(), step).0
}

/// Traces and records a loop of a static length.
#[track_caller]
fn rounds<C: Tree, Y: Tree>(
    length: usize,
    reverse: bool,
    init: C,
    xs: Vec<Array>,
    f: impl Fn(C, Array, Vec<Array>) -> (C, Y),
) -> (C, Y) {
    let call = UserCall::here("scan");
    let (carry, def) = flattened(init);
    let mask = current_mask();
    let carry_types: Vec<Type> = carry.iter().map(Array::ty).collect();
    let row = |x: &Array| match x.ty() {
        Type::List(l) => l.element.clone(),
        Type::Array(_) => unreachable!("rows were taken"),
    };
    let mut types = vec![mask.ty(), Type::scalar(DType::I64)];
    types.extend(carry_types.iter().cloned().chain(xs.iter().map(row)));
    let mut ys_def = None;
    let traced = trace_with(&types, 2, Surroundings::Body, |mut inputs| {
        let rows = inputs.split_off(2 + carry.len());
        let state = assembled::<C>(&def, inputs.split_off(2));
        let (next, y) = f(state, inputs[1].clone(), rows);
        let (mut next, next_def) = flattened(next);
        check_carry::<C>(&call, (&carry_types, &def), (&next, &next_def));
        let (ys, y_def) = flattened(y);
        ys_def = Some(y_def);
        next.extend(ys);
        next
    });
    let ys_def = ys_def.expect("the body was traced");
    let op = Loop {
        body: Arc::new(simplify(&traced.program)),
        inv: traced.captures.len(),
        acc: 0,
        carry: carry.len(),
        xs: xs.len(),
        length: Some(length),
        reverse,
        lanes: OpLanes::default(),
    };
    let operands: Vec<&Array> = [&mask].into_iter().chain(&traced.captures).chain(&carry).chain(&xs).collect();
    let mut results = record(op, &operands);
    let ys = results.split_off(carry.len());
    let ys = ys.iter().map(|y| apply(Stack, &[y])).collect();
    (assembled::<C>(&def, results), assembled::<Y>(&ys_def, ys))
}

/// The length that the leading axes of all arrays have.
#[track_caller]
fn leading_axis<X: Tree>(xs: &[Array], def: &X::Def) -> usize {
    let mut first: Option<(usize, &Array)> = None;
    for (x, path) in xs.iter().zip(tree::leaf_paths::<X>(def, "xs")) {
        let Some(&n) = x.shape().first() else {
            refuse(
                format!("{path} is a scalar; it needs a leading axis to run over, or let the closure capture it"),
                &[x],
            )
        };
        let (length, before) = *first.get_or_insert((n, x));
        if length != n {
            refuse(
                format!("{path} has {n} rows, but the arrays before it have {length}; `slice` them to one length"),
                &[before, x],
            );
        }
    }
    match first {
        Some((length, _)) => length,
        None => refuse("there is no array to run over; use `fori_loop` for a number of rounds", &[]),
    }
}
