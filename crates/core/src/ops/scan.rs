//! `scan` and `fori_loop`: loops whose number of rounds is known.

use super::bodies::*;
use super::{Loop, Rows, Stack, rules, while_loop};
use crate::array::Array;
use crate::lanes::OpLanes;
use crate::program::simplify;
use crate::refusal::refuse;
use crate::source::{UserCall, called, in_users_code};
use crate::trace::{Surroundings, apply, current_mask, record, trace_with};
use crate::tree::{self, Tree};
use crate::types::Type;
use std::sync::Arc;
use wengert_kernel::{DType, Scalar};

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

/// A bound of a [`fori_loop`]: a number, or a scalar array of an integer dtype, which may be traced.
///
/// ```
/// use wengert_core::{Array, ops::Bound};
///
/// assert!(matches!(Bound::from(3), Bound::Known(3)));
/// assert!(matches!(Bound::from(Array::from(3)), Bound::Computed(_)));
/// ```
#[derive(Clone, Debug)]
pub enum Bound {
    /// Known when the program is written.
    Known(i64),
    /// Known when it runs.
    Computed(Array),
}

macro_rules! bounds {
    ($($t:ty),*) => {$(
        impl From<$t> for Bound {
            fn from(n: $t) -> Bound {
                Bound::Known(i64::try_from(n).unwrap_or(i64::MAX))
            }
        }
    )*};
}

bounds!(i32, i64, usize);

impl From<Array> for Bound {
    fn from(n: Array) -> Bound {
        Bound::Computed(n)
    }
}

impl From<&Array> for Bound {
    fn from(n: &Array) -> Bound {
        Bound::Computed(n.clone())
    }
}

/// Runs `body` for `i` in `lower..upper`, carrying a value: `carry = body(i, carry)`, `i` an `i64` scalar.
///
/// With numbers as bounds the number of rounds is known, and what reverse mode keeps of them is planned ahead. Bounds may
/// be arrays too; then it is a [`while_loop`], in reverse mode also.
///
/// # Panics
/// When a bound is no whole number, or the body returns a carry of another structure or type.
///
/// ```
/// use wengert_core::{Array, fori_loop};
///
/// let factorial = |n: Array| fori_loop(1, &n + 1, |i: Array, product: Array| product * i, Array::from(1i64));
/// assert_eq!(factorial(Array::from(5)).item::<i64>()?, 120);
/// assert_eq!(fori_loop(1, 6, |i: Array, product: Array| product * i, Array::from(1i64)).item::<i64>()?, 120);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn fori_loop<C: Tree>(
    lower: impl Into<Bound>,
    upper: impl Into<Bound>,
    body: impl Fn(Array, C) -> C,
    init: C,
) -> C {
    let _called = called("fori_loop");
    match (lower.into(), upper.into()) {
        (Bound::Known(lower), Bound::Known(upper)) => {
            let length = upper.saturating_sub(lower).max(0) as usize;
            let step = |c: C, i: Array, _| {
                let i = if lower == 0 { i } else { i + rules::literal(Scalar::new(lower)) };
                (body(i, c), ())
            };
            rounds(length, false, init, Vec::new(), step).0
        }
        (lower, upper) => {
            let [lower, upper] = [lower, upper].map(computed);
            let more = |(i, _): (Array, C)| i.lt(&upper);
            let step = |(i, c): (Array, C)| (&i + rules::literal(Scalar::new(1i64)), in_users_code(|| body(i, c)));
            while_loop(more, step, (lower, init)).1
        }
    }
}

/// A bound as an `i64` scalar.
fn computed(bound: Bound) -> Array {
    match bound {
        Bound::Known(n) => rules::literal(Scalar::new(n)),
        Bound::Computed(n) if n.dtype().is_integer() && n.rank() == 0 => n.convert(DType::I64),
        Bound::Computed(n) => refuse("a bound is one whole number: a scalar of an integer dtype", &[&n]),
    }
}

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
