//! `While`: rounds as long as a condition holds.
//!
//! Operands in groups: `mask`, `inv` (same in every round), `carry`. Results: `carry`, `ys` (lists, a row a round), `n`
//! (the number of rounds, by lane). The condition takes `mask, inv, carry`, the body too and gives `carry, y`.
//! Its linear half is a [`Loop`](super::Loop) over the same number of rounds that reads what the known half kept.

use super::bodies::*;
use super::{Attributes, Cond, Definition, Loop, Sample, zeros_any};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::interpret::{Domain, Interpreter, Values};
use crate::lanes::{Lanes, OpLanes, Places, of_outputs};
use crate::primitive::{Attribute, Batched, Effect, Hoisted, Jet, Lowering, Primitive, Pruned};
use crate::program::{self, Input, Program, simplify};
use crate::trace::{Surroundings, current_mask, record, trace_closed, trace_with};
use crate::transform::{self, LinearArg, Residual, Side, SplitEquation};
use crate::tree::Tree;
use crate::types::Type;
use crate::value::Value;
use crate::source::{UserCall, called};
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;

/// A loop whose number of rounds depends on data.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: bool[], %1: f64[]) {
///   %2: f64[], %3: i64[] = while[inv=0, carry=1, cond=program (%0: bool[], %1: f64[]) {
///     %2: bool[] = is_finite %1
///     return %2
///   }, body=program (%0: bool[], %1: f64[]) {
///     %2: f64[] = mul %1 %1
///     return %2
///   }] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct While {
    /// `mask, inv.., carry..` to a truth value by lane.
    pub cond: Arc<Program>,
    /// `mask, inv.., carry..` to `carry.., y..`.
    pub body: Arc<Program>,
    /// Operands that are the same in every round.
    pub inv: usize,
    /// Carried values.
    pub carry: usize,
    /// Whether a first round is certain, in every lane that is not idle.
    pub entered: bool,
    /// Where the operands and results have the lanes of the mask.
    pub lanes: OpLanes,
}

impl While {
    fn ys(&self) -> usize {
        self.body.outputs().len() - self.carry
    }

    fn sizes(&self) -> [usize; 3] {
        [1, self.inv, self.carry]
    }

    /// The first test in front, and after it, where it holds, the loop: a place for what is the same in every round.
    fn tested_first(&self) -> Option<Hoisted> {
        let worth_it = self.ys() == 0 && self.cond.effect() == Effect::None;
        program::hoisted(&self.body, 1..1 + self.inv).filter(|_| worth_it)?;
        let types = self.body.input_types();
        let entered = While { entered: true, ..self.clone() };
        let on_true = simplify(&trace_closed(types, |x| record(entered, &x.iter().collect::<Vec<_>>())));
        let on_false = trace_closed(types, |x| {
            let rounds = zeros_any(&Type::array(DType::I64, lane_shape(&self.body)));
            x[1 + self.inv..].iter().cloned().chain([rounds]).collect()
        });
        let op = Cond {
            on_true: Arc::new(on_true),
            on_false: Arc::new(on_false),
            inv: self.inv + self.carry,
            gated: 0,
            acc: 0,
            lanes: self.lanes.with_operand(1, Lanes::leading(lane_shape(&self.body))),
        };
        Some(Hoisted { before: (*self.cond).clone(), args: 0..types.len(), place: 1, op: op.into() })
    }

    /// The same loop on values and their coefficients. The condition sees the values only.
    fn pushed(&self, x: &[Array], dx: &[Vec<Option<Array>>], push: &Push<'_>) -> Jet {
        let (given, ys, orders) = (moving(dx), self.ys(), dx.len());
        let [_, inv, carry] = groups(&given, self.sizes());
        let flags = |carry: &[bool]| [&[false][..], inv, carry].concat();
        let (carry, body) = transform::fixpoint(carry.to_vec(), |carry| {
            let body = push(&self.body, &flags(carry), &[carry, &vec![false; ys]].concat());
            (body.active[..self.carry].to_vec(), body)
        });
        let (sizes, flags, active) = (self.sizes(), flags(&carry), [&body.active[..], &[false]].concat());
        let operands = Doubled { sizes: &sizes, moving: &flags, orders };
        let results = Doubled { sizes: &[self.carry, ys, 1], moving: &active, orders };
        // All but the number of rounds, which is no result of the body.
        let outputs = Doubled { sizes: &[self.carry, ys], moving: &body.active, orders };
        let primals = self.cond.inputs();
        let moved = chosen(self.cond.input_types(), &flags);
        let cond_input = |i: usize| match i.checked_sub(primals) {
            None => Input::Old(i),
            Some(k) => Input::Unused(moved[k % moved.len()].clone()),
        };
        let doubled = While {
            cond: Arc::new(self.cond.rearranged(&operands.order().into_iter().map(cond_input).collect::<Vec<_>>(), &[0])),
            body: Arc::new(body.program.permuted(&operands.order(), &outputs.order())),
            inv: self.inv + orders * count(inv),
            carry: self.carry + orders * count(&carry),
            entered: self.entered,
            lanes: self.lanes.picked(&operands.values(), &results.values()),
        };
        results.take(record(doubled, &operands.put(x, dx).iter().collect::<Vec<_>>()))
    }

    /// The reference, on any domain.
    pub(crate) fn run<D: Domain>(&self, domain: &D, mut args: Vec<D::Item>) -> Result<Vec<D::Item>, Error> {
        let shape = lane_shape(&self.body).to_vec();
        let mut carry = args.split_off(1 + self.inv);
        let inv = args.split_off(1);
        let mut active = lanes_of(domain.value(&args[0]));
        let mut trips = vec![0i64; active.len()];
        let row_types: Vec<Type> = self.body.output_types().skip(self.carry).cloned().collect();
        let mut ys: Vec<Vec<D::Item>> = vec![Vec::new(); row_types.len()];
        let (cond, body) = (Interpreter::new(&self.cond), Interpreter::new(&self.body));
        loop {
            let mask = domain.constant(mask_value(&active, &shape));
            let inputs = [mask].into_iter().chain(inv.iter().cloned()).chain(carry.iter().cloned()).collect();
            let goes_on = lanes_of(domain.value(&cond.run(domain, inputs)?[0]));
            active.iter_mut().zip(goes_on).for_each(|(a, c)| *a &= c);
            if !active.contains(&true) {
                break;
            }
            let idle = active.contains(&false);
            let before = if idle { carry.clone() } else { Vec::new() };
            let mut operands = vec![domain.constant(mask_value(&active, &shape))];
            operands.extend(inv.iter().cloned());
            operands.append(&mut carry);
            let mut outputs = body.run(domain, operands)?;
            trips.iter_mut().zip(&active).for_each(|(n, &a)| *n += a as i64);
            let rows = outputs.split_off(self.carry);
            carry = outputs;
            let mask = (&active[..], &shape[..]);
            let mut at = self.lanes.results.iter();
            if idle {
                let carried = carry.into_iter().zip(&before).zip(at.by_ref());
                carry = carried.map(|((new, old), at)| domain.masked(mask, at, new, Some(old))).collect();
            }
            for (y, row) in ys.iter_mut().zip(rows) {
                y.push(if idle { domain.masked(mask, at.next().expect("by result"), row, None) } else { row });
            }
        }
        let ys = ys.into_iter().zip(row_types);
        carry.extend(ys.map(|(rows, element)| domain.list(element, None, rows)));
        carry.push(domain.constant(Value::Array(crate::value::ArrayValue::new(&shape, trips))));
        Ok(carry)
    }
}

impl Primitive for While {
    fn name(&self) -> &'static str {
        "while"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mut all =
            vec![("inv", Attribute::Int(self.inv as i64)), ("carry", Attribute::Int(self.carry as i64))];
        all.extend(self.entered.then_some(("entered", Attribute::Bool(true))));
        all.extend(self.lanes.attribute());
        all.extend([("cond", Attribute::Program(self.cond.clone())), ("body", Attribute::Program(self.body.clone()))]);
        all
    }

    fn operand(&self, _: usize, _: usize) -> Option<String> {
        None
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        if args.len() != 1 + self.inv + self.carry {
            return Err(TypeError::new(format!("it takes {} operands, not {}", 1 + self.inv + self.carry, args.len())));
        }
        if self.body.outputs().len() < self.carry {
            return Err(TypeError::new("the body returns fewer values than are carried"));
        }
        let lanes = check_mask(&self.body, &args[0])?;
        same_types("operand", args.iter(), self.body.input_types().iter())?;
        same_types("operand", args.iter(), self.cond.input_types().iter())?;
        let truth = Type::array(DType::Bool, &lanes);
        if !self.cond.output_types().eq([&truth]) {
            return Err(TypeError::new(format!(
                "the condition gives {}, but must give one truth value ({truth}); compare to get one, reduce an array by `.all()` or `.any()`",
                self.cond.describe_output(0)
            )));
        }
        let outputs: Vec<&Type> = self.body.output_types().collect();
        let (carry, ys) = outputs.split_at(self.carry);
        same_types("carry (as the body returns it)", carry.iter().copied(), args[1 + self.inv..].iter())?;
        let lists = ys.iter().map(|row| Type::list((*row).clone(), None));
        let n = Type::array(DType::I64, &lanes);
        let results: Vec<Type> = carry.iter().map(|ty| (*ty).clone()).chain(lists).chain([n]).collect();
        self.lanes.check(&lanes, args, &results)?;
        Ok(results)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        self.run(&Values::observed(), args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        tangents(dx, |dx, push| self.pushed(x, dx, push))
    }

    fn jet(&self, x: &[Array], dx: &[Vec<Option<Array>>]) -> Option<Jet> {
        Some(self.pushed(x, dx, &|body, moving, force| transform::jet(body, moving, force, dx.len())))
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let flags = mapped(x);
        let [mask, inv, carry] = groups(&flags, self.sizes());
        // Once there are lanes, every later batch axis is one more axis of lanes. Whether there are is found out here: the
        // condition may come to depend on a mapped carry.
        let lanes = mask[0] || !self.lanes.is_empty();
        let start = [&[lanes][..], carry].concat();
        let (found, (cond, body)) = transform::fixpoint(start, |found| {
            let (lanes, carry) = (found[0], &found[1..]);
            let carry: Vec<bool> = carry.iter().map(|&c| c || lanes).collect();
            let flags = [&[lanes][..], inv, &carry].concat();
            let cond = transform::batch(&self.cond, &flags, size, &[lanes]);
            let force = [&carry[..], &vec![lanes; self.ys()]].concat();
            let body = transform::batch(&self.body, &flags, size, &force);
            ([&cond.mapped[..1], &body.mapped[..self.carry]].concat(), (cond, body))
        });
        let lanes = found[0];
        let operand_flags = [&[lanes][..], inv, &body.mapped[..self.carry]].concat();
        let operands = spread_where(x, &operand_flags, size);
        let result_flags = [&body.mapped[..], &[lanes]].concat();
        let lanes = if lanes { self.lanes.batched(&operand_flags, &result_flags, size) } else { OpLanes::default() };
        let op = While { cond: cond.program, body: body.program, lanes, ..self.clone() };
        batched(record(op, &operands.iter().collect::<Vec<_>>()), &result_flags)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        self.lanes.outside(at.mask).unwrap_or_else(|| {
            let mut results = carried_lanes(&self.body, at.x.to_vec(), 1 + self.inv, self.carry, at.mask);
            results.push(Lanes::shared(at.mask));
            results
        })
    }

    fn effect(&self) -> Effect {
        self.cond.effect().max(self.body.effect())
    }

    fn programs(&self) -> SmallVec<[&Arc<Program>; 2]> {
        SmallVec::from_slice(&[&self.cond, &self.body])
    }

    fn split(&self, unknown: &[bool]) -> Option<SplitEquation> {
        let [mask, inv, carry] = groups(unknown, self.sizes());
        assert!(!mask[0], "a lane mask does not depend on a tangent");
        let ys = self.ys();
        let flags = |carry: &[bool]| [&[false][..], inv, carry].concat();
        let (carry, split) = transform::fixpoint(carry.to_vec(), |carry| {
            let split = transform::split(&self.body, &flags(carry), &[carry, &vec![false; ys]].concat());
            (split.unknown[..self.carry].to_vec(), split)
        });
        let (k_inv, k_carry) = (self.inv - count(inv), self.carry - count(&carry));
        let k_outputs = k_carry + ys - count(&split.unknown[self.carry..]);

        // A residual that is an invariant or the mask is read again; the others become rows.
        let again = |j: usize| match split.residuals[j] {
            Residual::Input(i) if i <= k_inv => Some(i),
            _ => None,
        };
        let residuals: Vec<usize> = (0..split.residuals.len()).collect();
        let (rows, kept): (Vec<usize>, Vec<usize>) = residuals.iter().partition(|&&j| again(j).is_none());
        let mask_again = kept.iter().copied().find(|&j| again(j) == Some(0));
        let inv_again: Vec<usize> = kept.iter().copied().filter(|&j| again(j) != Some(0)).collect();

        let positions: Vec<usize> = (0..unknown.len()).collect();
        let known_inputs = others(&positions, &flags(&carry));
        let body_outputs: Vec<usize> = (0..k_outputs).chain(rows.iter().map(|j| k_outputs + j)).collect();
        let all_inputs: Vec<usize> = (0..split.known.inputs()).collect();
        let known_body = Arc::new(simplify(&split.known.permuted(&all_inputs, &body_outputs)));

        let unknown_inputs: Vec<usize> = (residuals.len()..split.linear.inputs()).collect();
        let [u_inv, u_carry] = groups(&unknown_inputs, [count(inv), count(&carry)]);
        let mask_type = self.body.input_types()[0].clone();
        let mut inputs = vec![mask_again.map_or(Input::Unused(mask_type), Input::Old), Input::Unused(Type::scalar(DType::I64))];
        inputs.extend(old([&inv_again[..], u_inv, u_carry, &rows].concat()));
        let all_outputs: Vec<usize> = (0..split.linear.outputs().len()).collect();
        let linear_body = Arc::new(split.linear.rearranged(&inputs, &all_outputs));
        let [_, p_inv, p_carry] = groups(&positions, self.sizes());
        let inv_known = others(p_inv, inv);
        let operand = |i: usize| LinearArg::Operand(i);
        let inv_operand = |&j: &usize| operand(inv_known[again(j).expect("it is an invariant") - 1]);
        let n_place = k_outputs + rows.len();
        let linear_args = [
            vec![operand(0), LinearArg::Residual(n_place)],
            inv_again.iter().map(inv_operand).collect(),
            chosen(p_inv, inv).into_iter().map(operand).collect(),
            chosen(p_carry, &carry).into_iter().map(operand).collect(),
            (0..rows.len()).map(|r| LinearArg::Residual(k_outputs + r)).collect(),
        ]
        .concat();
        let mut results = sides(&split.unknown);
        results.push(Side::Known(n_place));

        let mask = lane_shape(&self.body);
        let places: Vec<usize> = (0..split.unknown.len()).collect();
        let mut known_lanes = self.lanes.of_results(others(&places, &split.unknown));
        let inside = self.lanes.of_operands(known_inputs.iter().copied());
        known_lanes.extend(of_outputs(&known_body, &inside, mask).drain(k_outputs..));
        known_lanes.extend(self.lanes.of_results([places.len()]));
        let unknown = [&split.unknown[..], &[false]].concat();
        let [known_lanes, linear_lanes] =
            split_lanes(&self.lanes, mask, (&known_inputs, known_lanes), &linear_args, &unknown);
        let known = While {
            cond: Arc::new(simplify(&self.cond.permuted(&known_inputs, &[0]))),
            body: known_body,
            inv: k_inv,
            carry: k_carry,
            entered: self.entered,
            lanes: known_lanes,
        };
        let linear = Loop {
            body: linear_body,
            inv: inv_again.len() + u_inv.len(),
            acc: 0,
            carry: u_carry.len(),
            xs: rows.len(),
            length: None,
            reverse: false,
            lanes: linear_lanes,
        };
        Some(SplitEquation { known: known.into(), known_args: known_inputs, linear: linear.into(), linear_args, results })
    }

    fn hoist(&self) -> Option<Hoisted> {
        let invariants = 1..1 + self.inv;
        let (before, cond, body) = match program::hoisted(&self.cond, invariants.clone()) {
            Some((before, cond)) => {
                let body = self.body.with_unused(invariants.end, before.output_types());
                (before, cond, body)
            }
            // A body that may never run must leave no trace: not a derivative of 0 times infinity.
            None if !self.entered => return self.tested_first(),
            None => {
                let (before, body) = program::hoisted(&self.body, invariants.clone())?;
                let cond = self.cond.with_unused(invariants.end, before.output_types());
                (before, cond, body)
            }
        };
        let lanes = self.lanes.with_hoisted(&before, invariants.clone(), lane_shape(&self.body));
        let inv = self.inv + before.outputs().len();
        let op = While { cond: Arc::new(cond), body: Arc::new(body), inv, lanes, ..self.clone() };
        Some(Hoisted { before, place: invariants.end, args: invariants, op: op.into() })
    }

    fn prune(&self, live: &[bool]) -> Option<Pruned> {
        let [live_carry, live_ys, _] = groups(live, [self.carry, self.ys(), 1]);
        let used_by_cond = self.cond.used_inputs();
        let [_, cond_inv, cond_carry] = groups(&used_by_cond, self.sizes());
        let start: Vec<bool> = live_carry.iter().zip(cond_carry).map(|(&l, &c)| l || c).collect();
        let inputs: Vec<usize> = (0..self.body.inputs()).collect();
        let (carry, (body, used)) = transform::fixpoint(start, |carry| {
            let flags = [carry, live_ys].concat();
            let outputs: Vec<usize> = (0..flags.len()).filter(|&i| flags[i]).collect();
            let body = simplify(&self.body.permuted(&inputs, &outputs));
            let used = body.used_inputs();
            (used[1 + self.inv..].to_vec(), (body, used))
        });
        let [_, body_inv, _] = groups(&used, self.sizes());
        let inv: Vec<bool> = body_inv.iter().zip(cond_inv).map(|(&b, &c)| b || c).collect();
        let kept = [&[true][..], &inv, &carry].concat();
        let result_flags = [&carry[..], live_ys, &[true]].concat();
        if !kept.contains(&false) && !result_flags.contains(&false) {
            return None;
        }
        let args: Vec<usize> = (0..kept.len()).filter(|&i| kept[i]).collect();
        let all: Vec<usize> = (0..body.outputs().len()).collect();
        let results: Vec<usize> = (0..result_flags.len()).filter(|&i| result_flags[i]).collect();
        let op = While {
            cond: Arc::new(self.cond.permuted(&args, &[0])),
            body: Arc::new(body.permuted(&args, &all)),
            inv: count(&inv),
            carry: count(&carry),
            entered: self.entered,
            lanes: self.lanes.picked(&args, &results),
        };
        Some(Pruned { op: op.into(), args, results })
    }
}

impl Definition for While {
    const NAMES: &'static [&'static str] = &["while"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        let (body, inv, carry) = (a.program("body")?, a.size("inv")?, a.size("carry")?);
        let lanes = a.lanes(&body, 1 + inv + carry)?;
        let entered = a.get("entered").is_ok() && a.bool("entered")?;
        Ok(While { cond: a.program("cond")?, body, inv, carry, entered, lanes })
    }

    fn samples() -> Vec<Sample> {
        // While i < k: i += 1, x = x + w sin(x), rows of cos(x).
        let of = |lanes: &[usize]| {
            let array = |dtype| Type::array(dtype, lanes);
            let w = Type::scalar(DType::F64);
            let types = [array(DType::Bool), array(DType::I64), w, array(DType::I64), array(DType::F64)];
            let cond = trace_with(&types, 0, Surroundings::Body, |x| vec![x[3].lt(&x[1])]);
            let body = trace_with(&types, 0, Surroundings::Body, |x| vec![&x[3] + 1, &x[4] + x[4].sin() * &x[2], x[4].cos()]);
            let of = |flags: &[bool]| flags.iter().map(|&own| if own { Lanes::leading(lanes) } else { Lanes::shared(lanes) }).collect();
            let at = OpLanes::new(lanes, of(&[true, true, false, true, true]), of(&[true; 4]));
            While { cond: Arc::new(cond.program), body: Arc::new(body.program), inv: 2, carry: 2, entered: false, lanes: at }
        };
        let values = |xs: &[f64]| Value::Array(crate::value::ArrayValue::new(&[xs.len()], xs.to_vec()));
        let ints = |xs: &[i64]| Value::Array(crate::value::ArrayValue::new(&[xs.len()], xs.to_vec()));
        let mut samples = Vec::new();
        let scalars = |mask: bool, k: i64, w: f64, x: f64| {
            let args = [Value::scalar(k), Value::scalar(w), Value::scalar(0i64), Value::scalar(x)];
            Sample::new(of(&[]), [Value::scalar(mask)].into_iter().chain(args).collect())
        };
        for (k, x) in [(0, 0.3), (1, 0.3), (4, 0.3), (9, -1.5), (-3, 0.3)] {
            samples.push(scalars(true, k, 0.4, x).smooth(&[2, 4]));
        }
        samples.extend([f64::NAN, f64::INFINITY, -0.0, 5e-324].map(|x| scalars(true, 2, 0.4, x)));
        samples.push(scalars(false, 3, 0.4, 0.3));
        let mask = mask_value(&[true, true, false, true], &[4]);
        let args = vec![mask, ints(&[0, 1, 3, 7]), Value::scalar(0.4), ints(&[0; 4]), values(&[0.1, 0.2, 0.3, 0.4])];
        samples.push(Sample::new(of(&[4]), args));
        let nobody = vec![mask_value(&[], &[0]), ints(&[]), Value::scalar(0.4), ints(&[]), values(&[])];
        samples.push(Sample::new(of(&[0]), nobody));
        samples
    }
}

/// Repeats `carry = body(carry)` while `cond(carry)`, a scalar of dtype `bool`, is true.
///
/// The carry keeps its types from round to round. Forward and reverse mode both work, to any order: what the backward
/// pass needs of each round is kept in a list that grows with the number of rounds. Under `vmap` every lane makes its own
/// number of rounds.
///
/// # Panics
/// When the carry changes type, or the condition is not one truth value.
///
/// ```
/// use wengert_core::{Array, while_loop};
///
/// // Newton's method for the square root of 2.
/// let x = while_loop(
///     |x: Array| (x.square() - 2.0).abs().gt(1e-12),
///     |x: Array| 0.5 * (&x + 2.0 / &x),
///     Array::from(1.0),
/// );
/// assert!((x.item::<f64>()? - 2f64.sqrt()).abs() < 1e-12);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn while_loop<C: Tree>(cond: impl Fn(C) -> Array, body: impl Fn(C) -> C, init: C) -> C {
    let _called = called("while_loop");
    let call = UserCall::here("while_loop");
    let (carry, def) = flattened(init);
    let mask = current_mask();
    let carry_types: Vec<Type> = carry.iter().map(Array::ty).collect();
    let types: Vec<Type> = [mask.ty()].into_iter().chain(carry_types.iter().cloned()).collect();
    let state = |mut inputs: Vec<Array>| assembled::<C>(&def, inputs.split_off(1));
    let cond = trace_with(&types, 1, Surroundings::Body, |inputs| vec![cond(state(inputs))]);
    let body = trace_with(&types, 1, Surroundings::Body, |inputs| {
        let (next, next_def) = flattened(body(state(inputs)));
        check_carry::<C>(&call, (&carry_types, &def), (&next, &next_def));
        next
    });
    let (inv, [cond, body]) = with_common_captures(1, [cond, body]);
    let op = While { cond: Arc::new(cond), body: Arc::new(body), inv: inv.len(), carry: carry.len(), entered: false, lanes: OpLanes::default() };
    let operands: Vec<&Array> = [&mask].into_iter().chain(&inv).chain(&carry).collect();
    let mut results = record(op, &operands);
    results.truncate(carry.len());
    assembled::<C>(&def, results)
}
