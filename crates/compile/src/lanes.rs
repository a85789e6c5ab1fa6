//! Loops and branches over the lanes of a batch, as loops and branches of one truth value.
//!
//! What a mask means is written into the bodies here, as selects that then fuse with everything else: carries keep
//! their value in idle lanes, rows and gated operands are zero there, both branches of a `cond` run and of their
//! results each lane has that of its own. (Rows that are lists need nothing: the loop that made them was under the same mask.)

use crate::rewrite::{Memo, Writer, with_programs};
use std::sync::Arc;
use wengert_core::lanes::{Lanes, OpLanes};
use wengert_core::ops::{BinaryOp, CompareOp, Cond, Convert, ListAdd, Loop, Op, Reduce, UnaryOp, While};
use wengert_core::program::{Args, Equation, Program, Var};
use wengert_core::types::Type;
use wengert_kernel::{Binary, Comparison, DType, Scalar, Unary};

/// The program without lanes in its loops and branches.
pub(crate) fn without_lanes(program: &Arc<Program>) -> Arc<Program> {
    whole(program, &mut Memo::new())
}

fn whole(program: &Arc<Program>, memo: &mut Memo) -> Arc<Program> {
    if let Some(done) = memo.get(program) {
        return done.clone();
    }
    let flat = program.equations().iter().all(|e| e.op.programs().is_empty());
    let result = if flat {
        program.clone()
    } else {
        Arc::new(Writer::rewrite(program, |writer, e, args| equation(writer, program, e, args, memo)))
    };
    memo.insert(program.clone(), result.clone());
    result
}

fn equation(writer: &mut Writer, program: &Program, e: &Equation, args: Args, memo: &mut Memo) -> Vec<Var> {
    let lanes = |body: &Program| body.input_types()[0].as_array().is_some_and(|a| a.rank() > 0);
    match with_programs(&e.op, |body| whole(body, memo)) {
        Op::Loop(op) if lanes(&op.body) => rounds(writer, &op, &args),
        Op::While(op) if lanes(&op.body) => while_loop(writer, &op, &args),
        Op::Cond(op) if lanes(&op.on_true) => cond(writer, &op, &args),
        _ if e.op.programs().is_empty() => writer.copy(program, e, args),
        op => writer.push(op, &args),
    }
}

/// Whether any lane is active.
fn any(writer: &mut Writer, mask: Var) -> Var {
    let end = writer.array(mask).map_or(0, |a| a.rank());
    writer.one(Reduce { op: Binary::Or, start: 0, end }, &[mask])
}

fn and(writer: &mut Writer, x: Var, y: Var) -> Var {
    writer.one(BinaryOp(Binary::And), &[x, y])
}

fn inputs(writer: &mut Writer, types: &[Type]) -> Vec<Var> {
    types.iter().map(|ty| writer.builder.input(ty.clone())).collect()
}

fn rounds(outer: &mut Writer, op: &Loop, args: &[Var]) -> Vec<Var> {
    let head = if op.length.is_some() { 1 } else { 2 };
    let lanes = outer.array(args[0]).expect("a mask is an array");
    let types = op.body.input_types();
    // The body: a mask nobody reads, the round, then mask and number of rounds by lane, then as before.
    let mut body = Writer::new();
    let first = inputs(&mut body, &[Type::scalar(DType::Bool), Type::scalar(DType::I64)]);
    let own = inputs(&mut body, &args[..head].iter().map(|&v| outer.builder.ty(v).clone()).collect::<Vec<_>>());
    let mut given = inputs(&mut body, &types[2..]);
    let mask = match own[..] {
        [mask, n] => {
            let round = body.spread(first[1], &lanes.with_dtype(DType::I64));
            let active = body.one(CompareOp(Comparison::Lt), &[round, n]);
            and(&mut body, mask, active)
        }
        _ => own[0],
    };
    let carry = op.inv + op.acc..op.inv + op.acc + op.carry;
    let before = given[carry.clone()].to_vec();
    for (x, at) in given[carry].iter_mut().zip(&op.lanes.results[op.acc..]) {
        *x = body.masked(mask, at, *x, None);
    }
    let mut outputs = body.inline(&op.body, &[&[mask, first[1]], &given[..]].concat());
    for (i, (y, at)) in outputs.iter_mut().zip(&op.lanes.results).enumerate().skip(op.acc) {
        // In every round some lane is active, when the number of rounds is by lane.
        if !(at.is_shared() && op.length.is_none()) {
            *y = body.masked(mask, at, *y, before.get(i - op.acc).copied());
        }
    }
    let body = Arc::new(body.builder.finish(&outputs));
    let op = Loop { body, inv: op.inv + head, lanes: OpLanes::default(), ..op.clone() };
    let mut operands = vec![outer.literal(Scalar::new(true))];
    if op.length.is_none() {
        operands.push(most_rounds(outer, args[0], args[1]));
    }
    operands.extend(args);
    outer.push(op, &operands)
}

/// The greatest number of rounds of an active lane.
fn most_rounds(writer: &mut Writer, mask: Var, n: Var) -> Var {
    let lanes = writer.array(n).expect("a number by lane");
    if lanes.size() == 0 {
        return writer.literal(Scalar::new(0i64));
    }
    let n = writer.masked(mask, &Lanes::leading(&lanes.shape), n, None);
    writer.one(Reduce { op: Binary::Max, start: 0, end: lanes.rank() }, &[n])
}

fn while_loop(outer: &mut Writer, op: &While, args: &[Var]) -> Vec<Var> {
    let lanes = outer.array(args[0]).expect("a mask is an array");
    let (mask, n) = (Type::Array(lanes.clone()), Type::Array(lanes.with_dtype(DType::I64)));
    let (inv, carry) = op.body.input_types()[1..].split_at(op.inv);
    // Carried besides: the mask of the next round, which has seen the condition, and the number of rounds by lane.
    let types = [&[Type::scalar(DType::Bool)], inv, &[mask, n], carry].concat();
    let mut cond = Writer::new();
    let given = inputs(&mut cond, &types);
    let goes_on = any(&mut cond, given[1 + op.inv]);
    let cond = cond.builder.finish(&[goes_on]);

    let mut body = Writer::new();
    let given = inputs(&mut body, &types);
    let (inv, own) = given[1..].split_at(op.inv);
    let (mask, n, before) = (own[0], own[1], &own[2..]);
    let mut outputs = body.inline(&op.body, &[&[mask], inv, before].concat());
    for (i, (y, at)) in outputs.iter_mut().zip(&op.lanes.results).enumerate() {
        // In every round some lane is active.
        if !at.is_shared() {
            *y = body.masked(mask, at, *y, before.get(i).copied());
        }
    }
    let again = body.inline(&op.cond, &[&[mask], inv, &outputs[..op.carry]].concat());
    let next = and(&mut body, mask, again[0]);
    let one = body.one(Convert { dtype: DType::I64 }, &[mask]);
    let n = body.one(BinaryOp(Binary::Add), &[n, one]);
    let body = body.builder.finish(&[&[next, n], &outputs[..]].concat());

    let first = outer.inline(&op.cond, args);
    let first = and(outer, args[0], first[0]);
    let zero = outer.literal(Scalar::new(0i64));
    let zero = outer.spread(zero, &lanes.with_dtype(DType::I64));
    let truth = outer.literal(Scalar::new(true));
    let operands = [&[truth], &args[1..1 + op.inv], &[first, zero], &args[1 + op.inv..]].concat();
    let op = While {
        cond: Arc::new(cond),
        body: Arc::new(body),
        inv: op.inv,
        carry: op.carry + 2,
        entered: op.entered,
        lanes: OpLanes::default(),
    };
    let results = outer.push(op, &operands);
    let ours = &results[2..results.len() - 1];
    [ours, &[results[1]]].concat()
}

fn cond(writer: &mut Writer, op: &Cond, args: &[Var]) -> Vec<Var> {
    let (mask, pred) = (args[0], args[1]);
    let lengths = writer.array(mask).expect("a mask is an array").shape;
    let (inv, rest) = args[2..].split_at(op.inv);
    let (gated, acc) = rest.split_at(op.gated);
    let other = writer.one(UnaryOp(Unary::Not), &[pred]);
    let mut acc = acc.to_vec();
    let mut merged: Option<Vec<Var>> = None;
    for (branch, side) in [(&op.on_true, pred), (&op.on_false, other)] {
        let active = and(writer, mask, side);
        let gate = |(&x, at): (&Var, &Lanes)| writer.masked(active, at, x, None);
        let gated: Vec<Var> = gated.iter().zip(&op.lanes.operands[2 + op.inv..]).map(gate).collect();
        let mut outputs = writer.inline(branch, &[&[active], inv, &gated[..], &acc[..]].concat());
        let outs = outputs.split_off(op.acc);
        acc = outputs;
        let outs = outs.into_iter().zip(&op.lanes.results[op.acc..]);
        merged = Some(match merged {
            None => outs.map(|(y, at)| writer.masked(active, at, y, None)).collect(),
            Some(first) => {
                let merge = |(first, (y, at)): (Var, (Var, &Lanes))| {
                    // Each element is one lane's, and is chosen, so that zeros keep their sign.
                    if writer.array(y).is_some() && at.is_complete(&lengths) {
                        return writer.masked(active, at, y, Some(first));
                    }
                    let y = writer.masked(active, at, y, None);
                    sum(writer, first, y)
                };
                first.into_iter().zip(outs).map(merge).collect()
            }
        });
    }
    [acc, merged.expect("two branches ran")].concat()
}

/// The sum of two results of which one is zero in each lane.
fn sum(writer: &mut Writer, x: Var, y: Var) -> Var {
    match writer.array(x) {
        None => writer.one(ListAdd, &[x, y]),
        Some(a) if a.dtype == DType::Bool => writer.one(BinaryOp(Binary::Or), &[x, y]),
        Some(_) => writer.one(BinaryOp(Binary::Add), &[x, y]),
    }
}
