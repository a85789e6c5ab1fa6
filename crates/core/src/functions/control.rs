//! Control flow composed of loops and branches.

use crate::array::Array;
use crate::ops::{concatenate, cond, scan, stack};
use crate::refusal::refuse;
use crate::source::{called, in_users_code};
use crate::tree::{self, Tree};
use wengert_kernel::DType;

/// Runs the branch of that number on `operand`; a number below 0 means the first, one past the end the last.
///
/// A tree of `cond`s: only the branch taken runs, under `vmap` all run that some lane takes.
///
/// # Panics
/// When there is no branch, the index is not one whole number, or branches return different structures or types.
///
/// ```
/// use wengert_core::{Array, switch};
///
/// let f = |k: i32, x: f64| switch(&Array::from(k), &[&|x: Array| x.sin(), &|x| x.square(), &|x| -x], Array::from(x));
/// assert_eq!(f(1, 3.0), Array::from(9.0));
/// assert_eq!(f(7, 3.0), Array::from(-3.0));
/// ```
#[track_caller]
pub fn switch<A: Tree + Clone, R: Tree>(index: &Array, branches: &[&dyn Fn(A) -> R], operand: A) -> R {
    let _called = called("switch");
    if !index.dtype().is_integer() || index.rank() != 0 {
        refuse("the index is one whole number: a scalar of an integer dtype", &[index]);
    }
    if branches.is_empty() {
        refuse("there is no branch to take", &[]);
    }
    choose(&index.convert(DType::I64), 0, branches, &operand)
}

/// Of branches whose numbers begin with `first`.
#[track_caller]
fn choose<A: Tree + Clone, R: Tree>(index: &Array, first: usize, branches: &[&dyn Fn(A) -> R], operand: &A) -> R {
    if let [branch] = branches {
        return in_users_code(|| branch(operand.clone()));
    }
    let middle = branches.len() / 2;
    let (low, high) = branches.split_at(middle);
    let next = first + middle;
    cond(&index.lt(next as f64), || choose(index, first, low, operand), || choose(index, next, high, operand))
}

/// The results of `f` at each row of `xs`, one after the other, stacked. Where rows may be worked on together, `vmap` is
/// faster and takes more memory.
///
/// # Panics
/// When the arrays of `xs` differ in the length of their first axis.
///
/// ```
/// use wengert_core::{array, functions::map};
///
/// assert_eq!(map(|x| x.square(), array![1.0, 2.0, 3.0]), array![1.0, 4.0, 9.0]);
/// ```
#[track_caller]
pub fn map<X: Tree, Y: Tree>(f: impl Fn(X) -> Y, xs: X) -> Y {
    let _called = called("map");
    scan(|(), x| ((), f(x)), (), xs).1
}

/// [`scan`] with the body written out `unroll` times for each round of the loop: less work between the rounds, more code.
///
/// # Panics
/// As [`scan`]; when `unroll` is 0.
///
/// ```
/// use wengert_core::{Array, array, functions::scan_unrolled};
///
/// let running = |sum: Array, x: Array| { let sum = sum + x; (sum.clone(), sum) };
/// let (total, sums) = scan_unrolled(2, running, 0.0.into(), array![1.0, 2.0, 3.0]);
/// assert_eq!((total, sums), (6.0.into(), array![1.0, 3.0, 6.0]));
/// ```
#[track_caller]
pub fn scan_unrolled<C: Tree, X: Tree, Y: Tree>(unroll: usize, f: impl Fn(C, X) -> (C, Y), init: C, xs: X) -> (C, Y) {
    let _called = called("scan_unrolled");
    if unroll == 0 {
        refuse("a body is written out once or more often; give `unroll` 1 or more", &[]);
    }
    let (leaves, def) = tree::flatten(xs);
    let n = leaves.iter().find_map(|x| x.shape().first().copied()).unwrap_or(0);
    if n < unroll || unroll == 1 || leaves.iter().any(|x| x.shape().first() != Some(&n)) {
        return scan(f, init, tree::unflatten::<X>(&def, leaves));
    }
    let whole = n - n % unroll;
    let rounds = leaves.iter().map(|x| {
        let shape = [&[whole / unroll, unroll], &x.shape()[1..]].concat();
        x.slice(..whole).reshape(shape)
    });
    let rounds = rounds.collect::<Vec<Array>>();
    let mut y_def = None;
    let (carry, ys) = {
        let y_def = std::cell::RefCell::new(&mut y_def);
        let body = |c: C, rows: Vec<Array>| {
            let mut carry = c;
            let mut ys: Vec<Vec<Array>> = Vec::new();
            for k in 0..unroll {
                let x = rows.iter().map(|x| x.at(k as i32)).collect();
                let (next, y) = in_users_code(|| f(carry, tree::unflatten::<X>(&def, x)));
                carry = next;
                let (y, found) = tree::flatten(y);
                **y_def.borrow_mut() = Some(found);
                ys.push(y);
            }
            let together = (0..ys[0].len()).map(|j| stack(&ys.iter().map(|y| &y[j]).collect::<Vec<_>>(), 0));
            (carry, together.collect::<Vec<Array>>())
        };
        scan(body, init, rounds)
    };
    let rest = tree::unflatten::<X>(&def, leaves.iter().map(|x| x.slice(whole..)).collect());
    let (carry, last) = if n > whole { scan(f, carry, rest) } else { return (carry, flat(ys, None, y_def)) };
    (carry, flat(ys, Some(tree::flatten(last).0), y_def))
}

/// Stacks of stacks as stacks, and what comes behind them.
fn flat<Y: Tree>(ys: Vec<Array>, last: Option<Vec<Array>>, def: Option<Y::Def>) -> Y {
    let mut last = last.map(Vec::into_iter);
    let one = |y: Array| {
        let shape = y.shape();
        let y = y.reshape([&[shape[0] * shape[1]], &shape[2..]].concat());
        match &mut last {
            Some(last) => concatenate(&[y, last.next().expect("one for each")], 0),
            None => y,
        }
    };
    let leaves = ys.into_iter().map(one).collect();
    tree::unflatten::<Y>(&def.expect("the body was traced"), leaves)
}

/// All running results of an associative function along the first axis: row `k` is `x[0] f x[1] f ... f x[k]`.
///
/// `f` takes trees of several rows at once and works row by row, as `|a, b| a + b` does. It is called about `2 log2 n` times
/// with ever fewer rows, so what it does is done for all rows of a level together; a `scan` takes `n` steps of one row.
///
/// # Panics
/// When the arrays of `xs` differ in the length of their first axis.
///
/// ```
/// use wengert_core::{Array, array, associative_scan};
///
/// assert_eq!(associative_scan(|a: Array, b: Array| a * b, array![1.0, 2.0, 3.0, 4.0]), array![1.0, 2.0, 6.0, 24.0]);
/// ```
#[track_caller]
pub fn associative_scan<T: Tree>(f: impl Fn(T, T) -> T, xs: T) -> T {
    let _called = called("associative_scan");
    let (leaves, def) = tree::flatten(xs);
    let n = match leaves.first().map(Array::shape) {
        Some(shape) if !shape.is_empty() => shape[0],
        _ => refuse("it runs along the first axis of arrays, of which there is none", &[]),
    };
    if let Some(other) = leaves.iter().find(|x| x.shape().first() != Some(&n)) {
        refuse(format!("the arrays differ in the length of their first axis, which is {n} for the first"), &[other]);
    }
    let combine = |a: Vec<Array>, b: Vec<Array>| {
        let trees = [a, b].map(|leaves| tree::unflatten::<T>(&def, leaves));
        let [a, b] = trees;
        tree::flatten(in_users_code(|| f(a, b))).0
    };
    tree::unflatten::<T>(&def, running(&combine, leaves, n))
}

fn running(f: &dyn Fn(Vec<Array>, Vec<Array>) -> Vec<Array>, xs: Vec<Array>, n: usize) -> Vec<Array> {
    if n < 2 {
        return xs;
    }
    let pairs = n / 2;
    let every_second = |xs: &[Array], from: usize, count: usize| -> Vec<Array> {
        let span = crate::ops::Span::from(from..).step_by(2);
        xs.iter().map(|x| x.slice(span).slice(..count)).collect()
    };
    let firsts = every_second(&xs, 0, pairs);
    let odd = running(f, f(firsts, every_second(&xs, 1, pairs)), pairs);
    // The results at even places, but for the first: those before them with one more row.
    let evens = (n - 1) / 2;
    let before: Vec<Array> = odd.iter().map(|x| x.slice(..evens)).collect();
    let later = if evens == 0 { None } else { Some(f(before, every_second(&xs, 2, evens))) };
    let interleave = |(j, x): (usize, &Array)| {
        let first = x.slice(..1);
        let even = match &later {
            Some(later) => concatenate(&[&first, &later[j]], 0),
            None => first,
        };
        let mixed = stack(&[&even.slice(..pairs), &odd[j]], 1);
        let shape = [&[2 * pairs], &x.shape()[1..]].concat();
        let mixed = mixed.reshape(shape);
        if n.is_multiple_of(2) { mixed } else { concatenate(&[mixed, even.slice(pairs..)], 0) }
    };
    xs.iter().enumerate().map(interleave).collect()
}
