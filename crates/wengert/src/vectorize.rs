//! `vmap`: a function on one example made to work on a batch.

use crate::traced::{assemble, trace_types};
use wengert_core::refusal::refuse;
use wengert_core::source::{UserCall, called};
use wengert_core::trace::{Surroundings, apply_program};
use wengert_core::transform;
use wengert_core::{Array, Tree, Type, tree};

/// The function on every row: maps over the leading axis of all arrays of the argument, and stacks the results along a
/// new leading axis. What the closure captures is shared by all rows.
///
/// # Panics
/// When the leading axes have different lengths, or an array is a scalar.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = |(w, x): (Array, Array)| w.dot(&x);
/// let w = array![[1.0, 0.0], [0.0, 1.0]];
/// let x = array![[2.0, 3.0], [4.0, 5.0]];
/// assert_eq!(vmap(f)((w, x)).to_vec::<f64>()?, [2.0, 5.0]);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn vmap<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    let _called = called("vmap");
    vmap_axes(f, 0, 0)
}

/// Which axis of each array is mapped: one for all, or one for each leaf in order, where `None` means shared by all rows
/// (an argument) or not stacked because equal in all rows (a result).
///
/// ```
/// use wengert::MapAxes;
///
/// assert_eq!(0.axis(1, 2), Ok(Some(0)));
/// assert_eq!([Some(1), None].axis(1, 2), Ok(None));
/// assert_eq!([Some(1), None].axis(0, 3), Err(2));
/// ```
pub trait MapAxes: Clone {
    /// The axis of leaf `i` of `n`; the error says how many were given.
    fn axis(&self, i: usize, n: usize) -> Result<Option<usize>, usize>;
}

impl MapAxes for usize {
    fn axis(&self, _: usize, _: usize) -> Result<Option<usize>, usize> {
        Ok(Some(*self))
    }
}

impl<const N: usize> MapAxes for [Option<usize>; N] {
    fn axis(&self, i: usize, n: usize) -> Result<Option<usize>, usize> {
        if n == N { Ok(self[i]) } else { Err(N) }
    }
}

impl MapAxes for Vec<Option<usize>> {
    fn axis(&self, i: usize, n: usize) -> Result<Option<usize>, usize> {
        if n == self.len() { Ok(self[i]) } else { Err(self.len()) }
    }
}

/// [`vmap`] along other axes than the first.
///
/// ```
/// use wengert::prelude::*;
///
/// // The columns of `x`, one `w` for all of them; results as columns.
/// let f = |(w, x): (Array, Array)| w * x;
/// let y = vmap_axes(f, [None, Some(1)], 1)((Array::from([1.0, 2.0]), array![[1.0, 10.0], [1.0, 10.0]]));
/// assert_eq!(y, array![[1.0, 10.0], [2.0, 20.0]]);
/// ```
#[track_caller]
pub fn vmap_axes<A: Tree, R: Tree>(f: impl Fn(A) -> R, inputs: impl MapAxes, outputs: impl MapAxes) -> impl Fn(A) -> R {
    let call = UserCall::here("vmap_axes");
    move |args| mapped(&call, &f, &inputs, &outputs, args)
}

fn mapped<A: Tree, R: Tree>(
    call: &UserCall,
    f: &impl Fn(A) -> R,
    inputs: &impl MapAxes,
    outputs: &impl MapAxes,
    args: A,
) -> R {
    let _called = call.enter();
    let mut leaves = Vec::new();
    let def = args.into_leaves(&mut leaves);
    let axes = leaf_axes(inputs, &tree::arrays_of_leaves::<A>(&def), "argument");
    let mut size: Option<(usize, String)> = None;
    let names = tree::leaf_paths::<A>(&def, "argument");
    for ((leaf, axis), name) in leaves.iter_mut().zip(&axes).zip(names) {
        let Some(axis) = *axis else { continue };
        let shape = leaf.shape();
        let Some(&n) = shape.get(axis) else {
            refuse(
                format!(
                    "`{name}` is {}, which has no axis {axis} to map over; let the closure capture it, so that all rows share it",
                    leaf.ty()
                ),
                &[leaf],
            )
        };
        match &size {
            Some((size, first)) if *size != n => refuse(
                format!(
                    "`{first}` has {size} rows to map over and `{name}`, {}, has {n}; `slice` them to as many, or let the closure capture what all rows share",
                    leaf.ty()
                ),
                &[leaf],
            ),
            Some(_) => {}
            None => size = Some((n, name)),
        }
        *leaf = moved(leaf, axis, 0);
    }
    let Some((size, _)) = size else { refuse("no array of the argument is mapped; give an axis for one of them", &[]) };
    let row = |(leaf, axis): (&Array, &Option<usize>)| match axis {
        Some(_) => Type::array(leaf.dtype(), &leaf.shape()[1..]),
        None => leaf.ty(),
    };
    let types: Vec<Type> = leaves.iter().zip(&axes).map(row).collect();
    let (program, captures, result) = trace_types::<A, R>(f, &types, &def, Surroundings::Inherit);
    let wanted = leaf_axes(outputs, &tree::arrays_of_leaves::<R>(&result), "result");
    let force: Vec<bool> = wanted.iter().map(Option::is_some).collect();
    let flags: Vec<bool> = captures.iter().map(|_| false).chain(axes.iter().map(Option::is_some)).collect();
    let batch = transform::batch(&program, &flags, size, &force);
    let mut results = apply_program(&batch.program, &[captures, leaves].concat());
    for (i, (y, axis)) in results.iter_mut().zip(wanted).enumerate() {
        match axis {
            Some(axis) if axis > 0 => *y = moved(y, 0, axis),
            None if batch.mapped[i] => {
                refuse(format!("result {i} differs from row to row; give it an output axis instead of `None`"), &[y])
            }
            _ => {}
        }
    }
    assemble::<R>(&result, results)
}

/// The axis of each leaf, given of which array it is.
#[track_caller]
fn leaf_axes(axes: &impl MapAxes, arrays: &[usize], what: &str) -> Vec<Option<usize>> {
    let n = arrays.last().map_or(0, |last| last + 1);
    arrays.iter().map(|&i| axis_of(axes, i, n, what)).collect()
}

#[track_caller]
fn axis_of(axes: &impl MapAxes, i: usize, n: usize, what: &str) -> Option<usize> {
    axes.axis(i, n).unwrap_or_else(|given| {
        refuse(format!("{given} axes were given, but the {what} has {n} arrays; give one for each"), &[])
    })
}

/// The array with one axis moved, the others in their order.
#[track_caller]
fn moved(x: &Array, from: usize, to: usize) -> Array {
    if from == to {
        return x.clone();
    }
    let mut axes: Vec<usize> = (0..x.rank()).filter(|&a| a != from).collect();
    if to > axes.len() {
        let ty = x.ty();
        refuse(format!("the result {ty} has no place for an axis {to}; the last is {}", axes.len()), &[x]);
    }
    axes.insert(to, from);
    x.permute(&axes)
}
