//! What is the same in every round of a loop, computed before it. Only where a first round is certain: a body that does not
//! run has no values and no derivatives, and `0 * inf` must not come from what was taken out of it. A `while` is therefore
//! put into a branch behind its first test before anything is taken out of its body.

use super::{Args, Builder, Program, Var, simplify};
use crate::primitive::Effect;
use crate::types::Type;
use std::ops::Range;

/// A body in two: what its inputs `inv` alone decide, as a program from these to the values that the rest reads; and the
/// rest, which takes these values after `inv`. `None` when there is nothing to take out. What is cheap is computed again in
/// every round rather than read.
pub(crate) fn hoisted(body: &Program, inv: Range<usize>) -> Option<(Program, Program)> {
    let mut invariant = vec![false; body.vars()];
    invariant[inv.clone()].fill(true);
    let mut before = vec![false; body.equations().len()];
    for (e, before) in body.equations().iter().zip(&mut before) {
        let single = e.count == 1 && e.op.effect() == Effect::None && !body.ty(e.first).is_list();
        if single && e.args.iter().all(|a| invariant[a.index()]) {
            invariant[e.first.index()] = true;
            *before = !e.op.cheap();
        }
    }
    if !before.contains(&true) {
        return None;
    }
    let mut read = vec![false; body.vars()];
    body.outputs().iter().for_each(|v| read[v.index()] = true);
    let mut values: Vec<Var> = Vec::new();
    for (e, before) in body.equations().iter().zip(&before).rev() {
        let live = e.op.effect() != Effect::None || e.results().any(|v| read[v.index()]);
        match (live, before) {
            (true, true) => values.push(e.first),
            (true, false) => e.args.iter().for_each(|a| read[a.index()] = true),
            (false, _) => {}
        }
    }
    if values.is_empty() {
        return None;
    }
    values.reverse();
    Some((prelude(body, &invariant, inv.clone(), &values), rest(body, &before, inv.end, &values)))
}

const NONE: Var = Var(u32::MAX);

fn prelude(body: &Program, invariant: &[bool], inv: Range<usize>, values: &[Var]) -> Program {
    let mut b = Builder::new();
    let mut env = vec![NONE; body.vars()];
    for i in inv {
        env[i] = b.input(body.input_types()[i].clone());
    }
    for e in body.equations().iter().filter(|e| e.count == 1 && invariant[e.first.index()]) {
        let args: Args = e.args.iter().map(|a| env[a.index()]).collect();
        env[e.first.index()] = b.copy(e, args, body).next().expect("it has one result");
    }
    let outputs: Vec<Var> = values.iter().map(|v| env[v.index()]).collect();
    simplify(&b.finish(&outputs))
}

fn rest(body: &Program, before: &[bool], place: usize, values: &[Var]) -> Program {
    let mut b = Builder::new();
    let mut env = vec![NONE; body.vars()];
    let (first, last) = body.input_types().split_at(place);
    let inputs = |b: &mut Builder, types: &[Type]| types.iter().map(|ty| b.input(ty.clone())).collect::<Vec<Var>>();
    let leading = inputs(&mut b, first);
    let types: Vec<Type> = values.iter().map(|v| body.ty(*v).clone()).collect();
    let given = inputs(&mut b, &types);
    let trailing = inputs(&mut b, last);
    for (i, v) in leading.into_iter().chain(trailing).enumerate() {
        env[i] = v;
    }
    for (v, given) in values.iter().zip(given) {
        env[v.index()] = given;
    }
    for (e, _) in body.equations().iter().zip(before).filter(|(_, before)| !**before) {
        let args: Args = e.args.iter().map(|a| env[a.index()]).collect();
        // It may have served only what was taken out.
        if args.contains(&NONE) {
            continue;
        }
        for (old, new) in e.results().zip(b.copy(e, args, body)) {
            env[old.index()] = new;
        }
    }
    let outputs: Vec<Var> = body.outputs().iter().map(|v| env[v.index()]).collect();
    simplify(&b.finish(&outputs))
}
