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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret::interpret;
    use crate::program::parse;
    use crate::value::{ArrayValue, Value};
    use std::fmt::Write;

    const INV: Range<usize> = 1..3;

    fn values(n: usize) -> Vec<Value> {
        let of = |k: usize| ArrayValue::new(&[3], (0..3).map(|i| (i + 3 * k) as f64 * 0.7 - 1.0).collect::<Vec<f64>>());
        [Value::scalar(true)].into_iter().chain((0..n).map(|k| of(k).into())).collect()
    }

    /// What was taken out, what is left, after both together gave the bits of the body.
    fn halves(body: &Program) -> Option<(Program, Program)> {
        let (before, rest) = hoisted(body, INV)?;
        let all = values(body.inputs() - 1);
        let run = |program: &Program, args: Vec<Value>| interpret(program, args).expect("nothing fails");
        let mut given = all.clone();
        given.splice(INV.end..INV.end, run(&before, all[INV].to_vec()));
        let bits =
            |values: Vec<Value>| -> Vec<Vec<u8>> { values.iter().map(|x| x.array().buffer.bytes().to_vec()).collect() };
        assert_eq!(bits(run(&rest, given)), bits(run(body, all)), "{body}\n{before}\n{rest}");
        Some((before, rest))
    }

    const HEAD: &str = "program (%0: bool[], %1: f64[3], %2: f64[3], %3: f64[3]) {\n";

    #[test]
    fn what_the_inputs_alone_decide_goes_and_what_is_cheap_or_changes_stays() {
        let body = parse(&format!(
            "{HEAD} %4: f64[3] = exp %1\n %5: f64[3] = reshape[shape=[3]] %2\n %6: f64[3] = mul %4 %5\n \
             %7: f64[3] = sin %3\n %8: f64[3] = mul %6 %7\n return %8, %5\n}}"
        ));
        let (before, rest) = halves(&body.unwrap()).expect("there is an exponential to take out");
        let names = |program: &Program| program.equations().iter().map(|e| e.op.name()).collect::<Vec<_>>();
        assert_eq!((names(&before), names(&rest)), (vec!["exp", "mul"], vec!["sin", "mul"]));
    }

    #[test]
    fn nothing_is_taken_out_of_what_changes_in_every_round() {
        let body = parse(&format!("{HEAD} %4: f64[3] = exp %3\n%5: f64[3] = add %4 %1\n return %5\n}}")).unwrap();
        assert_eq!(hoisted(&body, INV), None);
        // Invariant and dear, and read by nobody.
        let body = parse(&format!("{HEAD} %4: f64[3] = exp %1\n return %3\n}}")).unwrap();
        assert_eq!(hoisted(&body, INV), None);
    }

    #[test]
    fn random_bodies_give_the_same_bits_in_two_halves() {
        let mut taken = 0;
        for seed in 0..300u64 {
            let mut state = seed;
            let mut below = |n: usize| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) as usize % n
            };
            let mut text = HEAD.to_owned();
            for v in 4..16 {
                let (x, y) = (1 + below(v - 1), 1 + below(v - 1));
                match below(3) {
                    0 => writeln!(text, "%{v}: f64[3] = {} %{x}", ["exp", "sin", "neg", "tanh"][below(4)]),
                    _ => writeln!(text, "%{v}: f64[3] = {} %{x} %{y}", ["add", "mul", "div", "max"][below(4)]),
                }
                .expect("a string takes all");
            }
            writeln!(text, "return %15, %{}, %{}\n}}", 1 + below(15), 4 + below(12)).expect("a string takes all");
            let body = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            if let Some((before, rest)) = halves(&body) {
                taken += 1;
                let again = hoisted(&rest, INV.start..INV.end + before.outputs().len());
                assert_eq!(again, None, "there is more to take out\n{body}\n{rest}");
            }
        }
        assert!(taken > 100, "{taken} bodies had something to take out");
    }
}
