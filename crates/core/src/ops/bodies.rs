//! What loops, branches and calls share: operands in groups, bodies whose groups are doubled by `jvp` and halved by
//! `split`, and lane masks.

use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::interpret::Mask;
use crate::lanes::{self, Lanes, OpLanes};
use crate::primitive::{Batched, Jet, Primitive};
use crate::program::{Input, Program, simplify};
use crate::refusal::refuse;
use crate::source::UserCall;
use crate::trace::Traced;
use crate::transform::{self, Jvp, LinearArg, Side};
pub(super) use crate::tree::flatten as flattened;
use crate::tree::{self, Tree};
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, ListValue, Value};
use std::sync::Arc;
use wengert_kernel::{Binary, DType, with_element};

/// Cuts a slice into consecutive groups.
pub(super) fn groups<T, const N: usize>(mut xs: &[T], sizes: [usize; N]) -> [&[T]; N] {
    let out = sizes.map(|n| {
        let (head, tail) = xs.split_at(n);
        xs = tail;
        head
    });
    assert!(xs.is_empty(), "the groups cover all operands");
    out
}

/// The entries whose flag is set.
pub(super) fn chosen<T: Clone>(xs: &[T], flags: &[bool]) -> Vec<T> {
    xs.iter().zip(flags).filter(|(_, f)| **f).map(|(x, _)| x.clone()).collect()
}

/// The entries whose flag is not set.
pub(super) fn others<T: Clone>(xs: &[T], flags: &[bool]) -> Vec<T> {
    xs.iter().zip(flags).filter(|(_, f)| !**f).map(|(x, _)| x.clone()).collect()
}

/// How many flags are set.
pub(super) fn count(flags: &[bool]) -> usize {
    flags.iter().filter(|&&f| f).count()
}

/// Which entries are there.
pub(super) fn present<T>(xs: &[Option<T>]) -> Vec<bool> {
    xs.iter().map(Option::is_some).collect()
}

/// The entries that are there.
pub(super) fn some<T: Clone>(xs: &[Option<T>]) -> Vec<T> {
    xs.iter().flatten().cloned().collect()
}

/// Groups of values, each followed by the coefficients of those of its values that move, order by order. One order is
/// what `jvp` makes: values and tangents.
pub(super) struct Doubled<'a> {
    /// The number of values of each group.
    pub sizes: &'a [usize],
    /// Which values move.
    pub moving: &'a [bool],
    /// How many coefficients they have.
    pub orders: usize,
}

impl Doubled<'_> {
    /// What stands at each place: a value, or a coefficient of one.
    fn places(&self) -> impl Iterator<Item = (usize, Option<usize>)> {
        let mut start = 0;
        self.sizes.iter().flat_map(move |n| {
            let group = start..start + n;
            start += n;
            let values = group.clone().map(|i| (i, None));
            let moving = move |k| group.clone().filter(|&i| self.moving[i]).map(move |i| (i, Some(k)));
            values.chain((0..self.orders).flat_map(moving))
        })
    }

    /// Where each place stands in "all values, then the coefficients of the moving ones, order by order".
    pub fn order(&self) -> Vec<usize> {
        let (values, moving) = (self.moving.len(), count(self.moving));
        let place = |(i, k): (usize, Option<usize>)| k.map_or(i, |k| values + k * moving + count(&self.moving[..i]));
        self.places().map(place).collect()
    }

    /// Which value stands at each place, or has a coefficient there.
    pub fn values(&self) -> Vec<usize> {
        self.places().map(|(i, _)| i).collect()
    }

    /// The arrays at all places; a missing coefficient is zero.
    pub fn put(&self, x: &[Array], dx: &[Vec<Option<Array>>]) -> Vec<Array> {
        let coefficient = |i: usize, k: usize| dx[k][i].clone().unwrap_or_else(|| super::zeros_any(&x[i].ty()));
        self.places().map(|(i, k)| k.map_or_else(|| x[i].clone(), |k| coefficient(i, k))).collect()
    }

    /// Values and coefficients, given the arrays at all places.
    pub fn take(&self, all: Vec<Array>) -> Jet {
        let mut x = Vec::new();
        let mut dx = vec![vec![None; self.moving.len()]; self.orders];
        for ((i, k), array) in self.places().zip(all) {
            match k {
                Some(k) => dx[k][i] = Some(array),
                None => x.push(array),
            }
        }
        (x, dx)
    }
}

/// A transform of programs to those on values and coefficients, as `jvp` is one and `jet` another.
pub(super) type Push<'a> = dyn Fn(&Arc<Program>, &[bool], &[bool]) -> Jvp + 'a;

/// Which operands have a coefficient.
pub(super) fn moving(dx: &[Vec<Option<Array>>]) -> Vec<bool> {
    let any = |i: usize| dx.iter().any(|dx| dx[i].is_some());
    (0..dx.first().map_or(0, Vec::len)).map(any).collect()
}

/// The rule of `jvp` by that of coefficients.
pub(super) fn tangents(
    dx: &[Option<Array>],
    pushed: impl FnOnce(&[Vec<Option<Array>>], &Push<'_>) -> Jet,
) -> (Vec<Array>, Vec<Option<Array>>) {
    let (y, mut dy) = pushed(&[dx.to_vec()], &transform::jvp);
    (y, dy.remove(0))
}

/// Tangents for a group whose flags say which have one: a missing one is zero.
pub(super) fn filled(dx: &[Option<Array>], x: &[Array], flags: &[bool]) -> Vec<Array> {
    let one = |((dx, x), _): ((&Option<Array>, &Array), &bool)| dx.clone().unwrap_or_else(|| super::zeros_any(&x.ty()));
    dx.iter().zip(x).zip(flags).filter(|(_, f)| **f).map(one).collect()
}

/// Old inputs at these positions.
pub(super) fn old(positions: impl IntoIterator<Item = usize>) -> Vec<Input> {
    positions.into_iter().map(Input::Old).collect()
}

/// The shape of the lanes of a body: that of its mask.
pub(super) fn lane_shape(body: &Program) -> &[usize] {
    body.input_types().first().and_then(Type::as_array).map_or(&[], |a| &a.shape)
}

/// Whether the types of two lists agree; the error says which `what` differs.
pub(super) fn same_types<'a>(
    what: &str,
    given: impl ExactSizeIterator<Item = &'a Type>,
    wanted: impl ExactSizeIterator<Item = &'a Type>,
) -> Result<(), TypeError> {
    if given.len() != wanted.len() {
        return Err(TypeError::new(format!("{} of {what} were given, the body has {}", given.len(), wanted.len())));
    }
    for (i, (given, wanted)) in given.zip(wanted).enumerate() {
        if given != wanted {
            return Err(TypeError::new(format!("{what} {i} is {given}, the body has {wanted}")));
        }
    }
    Ok(())
}

/// The mask and its lane shape, from a body's first input and the operand.
pub(super) fn check_mask(body: &Program, mask: &Type) -> Result<Shape, TypeError> {
    match body.input_types().first() {
        Some(Type::Array(a)) if a.dtype == DType::Bool => {
            same_types("mask", [mask].into_iter(), [&a.clone().into()].into_iter()).map(|()| a.shape.clone())
        }
        _ => Err(TypeError::new("the first input of a body is its lane mask")),
    }
}

/// An operand under `vmap`: with the batch axis where `mapped` says so.
pub(super) fn spread_where(x: &[Batched], mapped: &[bool], size: usize) -> Vec<Array> {
    x.iter().zip(mapped).map(|(x, &m)| if m { x.spread(size) } else { x.array.clone() }).collect()
}

/// Results under `vmap`.
pub(super) fn batched(ys: Vec<Array>, mapped: &[bool]) -> Vec<Batched> {
    ys.into_iter().zip(mapped).map(|(array, &mapped)| Batched { array, mapped }).collect()
}

/// `flags` of a batch rule's operands.
pub(super) fn mapped(x: &[Batched]) -> Vec<bool> {
    x.iter().map(|x| x.mapped).collect()
}

/// `select(mask, new, old)` by lanes, on values; `old` absent means zero. Lists row by row. What lanes share counts as
/// active where one of them is.
pub(crate) fn masked((active, shape): Mask<'_>, lanes: &Lanes, new: Value, old: Option<&Value>) -> Value {
    if active.iter().all(|&m| m) {
        return new;
    }
    match new {
        Value::Array(mut new) => {
            let size = new.size();
            let axes = lanes.in_order();
            // The lane axes that the value has, in the order of their places; the mask over those.
            let steps: Vec<(usize, usize)> =
                axes.iter().map(|&(l, place)| (size / (place * shape[l]).max(1), shape[l])).collect();
            let mut mask = vec![false; steps.iter().map(|&(_, n)| n).product()];
            for (lane, _) in active.iter().enumerate().filter(|(_, a)| **a) {
                let position = |l: usize| lane / shape[l + 1..].iter().product::<usize>() % shape[l];
                mask[axes.iter().fold(0, |k, &(l, _)| k * shape[l] + position(l))] = true;
            }
            let idle = |e: usize| !mask[steps.iter().fold(0, |k, &(inner, n)| k * n + e / inner.max(1) % n)];
            with_element!(new.dtype(), T => {
                let old = old.map(|old| old.array().slice::<T>());
                let new = new.make_mut().as_mut_slice::<T>().expect("the dtype was inferred");
                for e in (0..size).filter(|&e| idle(e)) {
                    new[e] = old.map_or(T::default(), |old| old[e]);
                }
            });
            Value::Array(new)
        }
        Value::List(new) => {
            let ListValue { element, length, rows } = Arc::unwrap_or_clone(new);
            let old_row = |k: usize| match old {
                Some(Value::List(old)) => old.rows.get(k),
                _ => None,
            };
            let one = |(k, row)| masked((active, shape), lanes, row, old_row(k));
            let rows = rows.into_iter().enumerate().map(one).collect();
            Value::List(Arc::new(ListValue { element, length, rows }))
        }
    }
}

/// Lanes of the outputs of a body of which some outputs are handed to the next round's inputs: those from `first` on.
pub(super) fn carried_lanes(
    body: &Arc<Program>,
    mut inputs: Vec<Lanes>,
    first: usize,
    carried: usize,
    mask: &[usize],
) -> Vec<Lanes> {
    loop {
        let outputs = lanes::of_outputs(body, &inputs, mask);
        let next: Vec<Lanes> = inputs[first..first + carried].iter().zip(&outputs).map(|(a, b)| a.or(b)).collect();
        if next == inputs[first..first + carried] {
            return next.into_iter().chain(outputs.into_iter().skip(carried)).collect();
        }
        inputs.splice(first..first + carried, next);
    }
}

/// Lanes of the halves of a split operation. `known_results` are those of the known half.
pub(super) fn split_lanes(
    op: &OpLanes,
    mask: &[usize],
    (known_args, known_results): (&[usize], Vec<Lanes>),
    linear_args: &[LinearArg],
    unknown: &[bool],
) -> [OpLanes; 2] {
    let known = OpLanes::new(mask, op.of_operands(known_args.iter().copied()), known_results);
    let operand = |arg: &LinearArg| match *arg {
        LinearArg::Operand(i) => op.of_operands([i]).remove(0),
        LinearArg::Residual(r) => known.of_results([r]).remove(0),
    };
    let linear_results = op.of_results((0..unknown.len()).filter(|&i| unknown[i]));
    let linear = OpLanes::new(mask, linear_args.iter().map(operand).collect(), linear_results);
    [known, linear]
}

/// A mask's lanes.
pub(super) fn lanes_of(mask: &Value) -> Vec<bool> {
    mask.array().slice::<bool>().to_vec()
}

/// A mask from lanes.
pub(super) fn mask_value(lanes: &[bool], shape: &[usize]) -> Value {
    Value::Array(ArrayValue::new(shape, lanes.to_vec()))
}

/// Row `k` of a list; a row beyond its end is zero.
pub(crate) fn row(list: &Value, k: usize) -> Value {
    match list {
        Value::List(l) => l.rows.get(k).cloned().unwrap_or_else(|| Value::zeros(&l.element)),
        Value::Array(_) => unreachable!("it was inferred to be a list"),
    }
}

/// The sum of two results of which one is zero in each lane: `or` for truth values, row by row for lists.
pub(crate) fn sum(a: Value, b: Value) -> Result<Value, Error> {
    let results = match (&a, a.ty().dtype()) {
        (Value::List(_), _) => super::ListAdd.eval(vec![a, b]),
        (_, DType::Bool) => super::BinaryOp(Binary::Or).eval(vec![a, b]),
        _ => super::BinaryOp(Binary::Add).eval(vec![a, b]),
    };
    Ok(results?.remove(0))
}

/// Which half of a split gives each result, in order.
pub(super) fn sides(unknown: &[bool]) -> Vec<Side> {
    let mut next = [0, 0];
    let side = |&unknown: &bool| {
        let n = &mut next[unknown as usize];
        *n += 1;
        if unknown { Side::Linear(*n - 1) } else { Side::Known(*n - 1) }
    };
    unknown.iter().map(side).collect()
}

/// A tree put together from exactly its leaves.
pub(super) fn assembled<T: Tree>(def: &T::Def, leaves: Vec<Array>) -> T {
    T::from_leaves(def, &mut leaves.into_iter())
}

/// Compares what a body returned for its carry with what went in; the sentence says what to do. `call` is that of the
/// loop, taken before its body is traced.
pub(super) fn check_carry<T: Tree>(
    call: &UserCall,
    (before, def): (&[Type], &T::Def),
    (after, def_after): (&[Array], &T::Def),
) {
    let _loop = call.enter();
    if def != def_after || before.len() != after.len() {
        refuse(
            "the body returned a carry of another structure than it was given; make its lengths, keys and static fields those of the start",
            &[],
        );
    }
    let paths = tree::leaf_paths::<T>(def, "carry");
    for ((before, after), path) in before.iter().zip(after).zip(paths) {
        let ty = after.ty();
        if *before == ty {
            continue;
        }
        let repair = if before.dtype() != ty.dtype() {
            format!("start with {} or end the body with `.convert(DType::{:?})`", ty.dtype(), before.dtype())
        } else {
            format!(
                "a carry keeps its shape from round to round: start with {ty} (`broadcast_to`) or reduce it in the body"
            )
        };
        refuse(format!("{path} is {before} at the start but the body returned {ty}; {repair}"), &[after]);
    }
}

/// Several traced bodies made to take the same captures, which stand after their first `prefix` inputs.
pub(super) fn with_common_captures<const N: usize>(prefix: usize, bodies: [Traced; N]) -> (Vec<Array>, [Program; N]) {
    let mut common: Vec<Array> = Vec::new();
    for capture in bodies.iter().flat_map(|b| &b.captures) {
        if !common.iter().any(|c| c.is_same(capture)) {
            common.push(capture.clone());
        }
    }
    let programs = bodies.map(|b| {
        let own = b.captures.len();
        let place = |c: &Array| match b.captures.iter().position(|own| own.is_same(c)) {
            Some(i) => Input::Old(prefix + i),
            None => Input::Unused(c.ty()),
        };
        let mut inputs = old(0..prefix);
        inputs.extend(common.iter().map(place));
        inputs.extend(old(prefix + own..b.program.inputs()));
        let outputs: Vec<usize> = (0..b.program.outputs().len()).collect();
        simplify(&b.program.rearranged(&inputs, &outputs))
    });
    (common, programs)
}
