//! `Loop`: a known number of rounds with carried values, rows read and written, and accumulators.
//!
//! It is what the user's [`scan`](super::scan) is, and the linear half of every loop. Operands in groups: `mask`, `n` (when the
//! length is not static), `inv` (same in every round), `acc` (the body only adds to it), `carry`, `xs` (lists, a row a
//! round). Results: `acc`, `carry`, `ys` (lists, a row a round). The body takes `mask, i, inv, acc, carry, x` and gives
//! `acc, carry, y`. Transposing swaps `inv` with `acc` and `xs` with `ys` and turns the direction.

use super::bodies::*;
use super::{Attributes, Definition, Sample};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::interpret::{Domain, Interpreter, Values};
use crate::lanes::{Lanes, OpLanes, Places, of_outputs};
use crate::primitive::{Attribute, Batched, Cotangents, Effect, Hoisted, Jet, Lowering, Operand, Primitive, Pruned};
use crate::program::{self, Input, Program, simplify};
use crate::trace::record;
use crate::transform::{self, LinearArg, Mode, Residual, SplitEquation};
use crate::types::Type;
use crate::value::{ListValue, Value};
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;

/// A loop over a known number of rounds.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: bool[], %1: f64[], %2: list(f64[]; 2)) {
///   %3: f64[] = loop[inv=0, acc=0, carry=1, xs=1, length=2, reverse=false, body=program (%0: bool[], %1: i64[], %2: f64[], %3: f64[]) {
///     %4: f64[] = add %2 %3
///     return %4
///   }] %0 %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Loop {
    /// `mask, i, inv.., acc.., carry.., x..` to `acc.., carry.., y..`.
    pub body: Arc<Program>,
    /// Operands that are the same in every round.
    pub inv: usize,
    /// Accumulators.
    pub acc: usize,
    /// Carried values.
    pub carry: usize,
    /// Lists read.
    pub xs: usize,
    /// The number of rounds, when it is static; else it is the second operand, by lane.
    pub length: Option<usize>,
    /// Whether it runs from the last round to the first.
    pub reverse: bool,
    /// Where the operands and results have the lanes of the mask.
    pub lanes: OpLanes,
}

/// Flags of the operand groups after the mask (and `n`).
#[derive(Clone, PartialEq)]
struct Flags {
    inv: Vec<bool>,
    acc: Vec<bool>,
    carry: Vec<bool>,
    xs: Vec<bool>,
}

impl Loop {
    /// Number of operands before `inv`.
    fn head(&self) -> usize {
        if self.length.is_some() { 1 } else { 2 }
    }

    fn ys(&self) -> usize {
        self.body.outputs().len() - self.acc - self.carry
    }

    fn sizes(&self) -> [usize; 5] {
        [self.head(), self.inv, self.acc, self.carry, self.xs]
    }

    /// Lanes of the body's inputs, given those of the operands.
    fn inside(&self, operands: &[Lanes], mask: &[usize]) -> Vec<Lanes> {
        [&operands[..1], &[Lanes::shared(mask)], &operands[self.head()..]].concat()
    }

    /// Flags by operand in groups.
    fn flags(&self, all: &[bool]) -> Flags {
        let [_, inv, acc, carry, xs] = groups(all, self.sizes());
        Flags { inv: inv.to_vec(), acc: acc.to_vec(), carry: carry.to_vec(), xs: xs.to_vec() }
    }

    /// With the flags of accumulators and carries together replaced.
    fn with_carried(&self, flags: &Flags, carried: &[bool]) -> Flags {
        let (acc, carry) = carried.split_at(self.acc);
        Flags { acc: acc.to_vec(), carry: carry.to_vec(), ..flags.clone() }
    }

    /// The same loop on values and their coefficients.
    fn pushed(&self, x: &[Array], dx: &[Vec<Option<Array>>], push: &Push<'_>) -> Jet {
        let (flags, ys, orders) = (self.flags(&moving(dx)), self.ys(), dx.len());
        let (carried, body) = transform::fixpoint(flags.carried(), |carried| {
            let flags = self.with_carried(&flags, carried);
            let body = push(&self.body, &flags.body(false), &[carried, &vec![false; ys]].concat());
            (body.active[..carried.len()].to_vec(), body)
        });
        let flags = self.with_carried(&flags, &carried);
        let (inside, outside) = (flags.body(false), flags.operands(self.head(), false));
        let (sizes, groups) = (self.sizes(), [2, self.inv, self.acc, self.carry, self.xs]);
        let inputs = Doubled { sizes: &groups, moving: &inside, orders };
        let operands = Doubled { sizes: &sizes, moving: &outside, orders };
        let results = Doubled { sizes: &[self.acc, self.carry, ys], moving: &body.active, orders };
        let with = |n: usize, flags: &[bool]| n + orders * count(flags);
        let doubled = Loop {
            body: Arc::new(body.program.permuted(&inputs.order(), &results.order())),
            inv: with(self.inv, &flags.inv),
            acc: with(self.acc, &flags.acc),
            carry: with(self.carry, &flags.carry),
            xs: with(self.xs, &flags.xs),
            lanes: self.lanes.picked(&operands.values(), &results.values()),
            ..self.clone()
        };
        results.take(record(doubled, &operands.put(x, dx).iter().collect::<Vec<_>>()))
    }

    /// The reference, on any domain.
    pub(crate) fn run<D: Domain>(&self, domain: &D, mut args: Vec<D::Item>) -> Result<Vec<D::Item>, Error> {
        let shape = lane_shape(&self.body).to_vec();
        let mut rest = args.split_off(self.head());
        let mask = lanes_of(domain.value(&args[0]));
        let trips: Vec<i64> = match self.length {
            Some(n) => vec![n as i64; mask.len()],
            None => domain.value(&args[1]).array().slice::<i64>().to_vec(),
        };
        let rounds = match self.length {
            Some(n) => n,
            None => mask.iter().zip(&trips).map(|(&m, &n)| if m { n.max(0) } else { 0 }).max().unwrap_or(0) as usize,
        };
        let xs = rest.split_off(self.inv + self.acc + self.carry);
        let mut carry = rest.split_off(self.inv + self.acc);
        let mut acc = rest.split_off(self.inv);
        let inv = rest;
        let row_types: Vec<Type> = self.body.output_types().skip(self.acc + self.carry).cloned().collect();
        let mut ys: Vec<Vec<Option<D::Item>>> = vec![vec![None; rounds]; row_types.len()];
        let body = Interpreter::new(&self.body);
        for step in 0..rounds {
            let k = if self.reverse { rounds - 1 - step } else { step };
            let active: Vec<bool> = mask.iter().zip(&trips).map(|(&m, &n)| m && (k as i64) < n).collect();
            let idle = !shape.is_empty() && active.contains(&false);
            let mut inputs = [mask_value(&active, &shape), Value::scalar(k as i64)].map(|x| domain.constant(x)).to_vec();
            inputs.extend(inv.iter().cloned());
            inputs.append(&mut acc);
            let before = if idle { carry.clone() } else { Vec::new() };
            let (mask, at) = ((&active[..], &shape[..]), &self.lanes.results);
            let zeroed = |(i, c)| if idle { domain.masked(mask, &at[self.acc + i], c, None) } else { c };
            inputs.extend(carry.drain(..).enumerate().map(zeroed));
            inputs.extend(xs.iter().map(|x| domain.row(x, k)));
            let mut outputs = body.run(domain, inputs)?;
            let rows = outputs.split_off(self.acc + self.carry);
            carry = outputs.split_off(self.acc);
            acc = outputs;
            if idle {
                let carried = carry.into_iter().zip(&before).zip(&at[self.acc..]);
                carry = carried.map(|((new, old), at)| domain.masked(mask, at, new, Some(old))).collect();
            }
            for (i, (y, row)) in ys.iter_mut().zip(rows).enumerate() {
                let row = if idle { domain.masked(mask, &at[self.acc + self.carry + i], row, None) } else { row };
                y[k] = Some(row);
            }
        }
        let ys = ys.into_iter().zip(row_types).map(|(rows, element)| {
            let rows = rows.into_iter().map(|r| r.expect("every round wrote its row")).collect();
            domain.list(element, self.length, rows)
        });
        Ok(acc.into_iter().chain(carry).chain(ys).collect())
    }
}

impl Flags {
    fn carried(&self) -> Vec<bool> {
        [self.acc.clone(), self.carry.clone()].concat()
    }

    /// By input of the body, the flags of mask and round number being given.
    fn body(&self, mask: bool) -> Vec<bool> {
        [vec![mask, false], self.groups()].concat()
    }

    /// By operand, those of the first `head` being given.
    fn operands(&self, head: usize, mask: bool) -> Vec<bool> {
        [vec![mask; head], self.groups()].concat()
    }

    fn groups(&self) -> Vec<bool> {
        [self.inv.clone(), self.acc.clone(), self.carry.clone(), self.xs.clone()].concat()
    }
}

impl Primitive for Loop {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mut all = vec![
            ("inv", Attribute::Int(self.inv as i64)),
            ("acc", Attribute::Int(self.acc as i64)),
            ("carry", Attribute::Int(self.carry as i64)),
            ("xs", Attribute::Int(self.xs as i64)),
        ];
        all.extend(self.length.map(|n| ("length", Attribute::Int(n as i64))));
        all.extend(self.lanes.attribute());
        all.extend([("reverse", Attribute::Bool(self.reverse)), ("body", Attribute::Program(self.body.clone()))]);
        all
    }

    fn operand(&self, _: usize, _: usize) -> Option<String> {
        None
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let expected: usize = self.sizes().iter().sum();
        if args.len() != expected {
            return Err(TypeError::new(format!("it takes {expected} operands, not {}", args.len())));
        }
        let inputs = self.body.input_types();
        if inputs.len() != 2 + self.inv + self.acc + self.carry + self.xs
            || self.body.outputs().len() < self.acc + self.carry
        {
            return Err(TypeError::new("the body has not the inputs and outputs that the groups say"));
        }
        let [head, inv, acc, carry, xs] = groups(args, self.sizes());
        let lanes = check_mask(&self.body, &head[0])?;
        if inputs[1] != Type::scalar(DType::I64) {
            return Err(TypeError::new("the body's second input is the round number, an i64 scalar"));
        }
        if self.length.is_none() && head[1] != Type::array(DType::I64, &lanes) {
            return Err(TypeError::new(format!("the number of rounds is {}, not i64 by lane", head[1])));
        }
        let [_, b_inv, b_acc, b_carry, b_xs] = groups(inputs, [2, self.inv, self.acc, self.carry, self.xs]);
        same_types("invariant", inv.iter(), b_inv.iter())?;
        same_types("accumulator", acc.iter(), b_acc.iter())?;
        same_types("carry", carry.iter(), b_carry.iter())?;
        let rows: Vec<Type> = b_xs.iter().map(|row| Type::list(row.clone(), self.length)).collect();
        same_types("list", xs.iter(), rows.iter())?;
        let outputs: Vec<&Type> = self.body.output_types().collect();
        let (carried, ys) = outputs.split_at(self.acc + self.carry);
        same_types("carry (as the body returns it)", carried.iter().copied(), b_acc.iter().chain(b_carry).collect::<Vec<_>>().into_iter())?;
        let ys = ys.iter().map(|row| Type::list((*row).clone(), self.length));
        let results: Vec<Type> = acc.iter().chain(carry).cloned().chain(ys).collect();
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

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let [head, inv, acc, carry, xs] = groups(x, self.sizes());
        let [ct_acc, ct_carry, ct_ys] = groups(ct, [self.acc, self.carry, self.ys()]);
        let linear = |group: &[Operand]| group.iter().map(Operand::is_linear).collect::<Vec<bool>>();
        let (linear_inv, linear_xs) = (linear(inv), linear(xs));
        let mode = |mode: Mode| move |&linear: &bool| if linear { mode } else { Mode::Known };
        let modes: Vec<Mode> = [Mode::Known; 2]
            .into_iter()
            .chain(linear_inv.iter().map(mode(Mode::Accumulate)))
            .chain([Mode::Ignored].repeat(self.acc))
            .chain([Mode::Linear].repeat(self.carry))
            .chain(linear_xs.iter().map(mode(Mode::Linear)))
            .collect();
        let wanted = [present(ct_acc), vec![true; self.carry], present(ct_ys)].concat();
        let body = transform::transpose_shared(&self.body, &modes, &wanted);
        // Inputs of the transposed body: mask, i, known inv, known xs, ct acc, ct carry, ct ys, accumulators.
        let sizes = [
            2,
            self.inv - count(&linear_inv),
            self.xs - count(&linear_xs),
            count(&present(ct_acc)),
            self.carry,
            count(&present(ct_ys)),
            count(&linear_inv),
        ];
        let positions: Vec<usize> = (0..body.inputs()).collect();
        let [first, p_inv, p_xs, p_acc, p_carry, p_ys, p_new] = groups(&positions, sizes);
        let inputs = [first, p_inv, p_acc, p_new, p_carry, p_xs, p_ys].concat();
        let outputs: Vec<usize> = (0..body.outputs().len()).collect();
        let operand_places: Vec<usize> = (0..x.len()).collect();
        let [l_head, l_inv, _, l_carry, l_xs] = groups(&operand_places, self.sizes());
        let (l_new, l_rows) = (chosen(l_inv, &linear_inv), chosen(l_xs, &linear_xs));
        let result_places: Vec<usize> = (0..ct.len()).collect();
        let [r_acc, r_carry, r_ys] = groups(&result_places, [self.acc, self.carry, self.ys()]);
        let operand_lanes = [
            self.lanes.of_operands([l_head, &others(l_inv, &linear_inv)].concat()),
            self.lanes.of_results(chosen(r_acc, &present(ct_acc))),
            self.lanes.of_operands(l_new.iter().copied()),
            self.lanes.of_results(r_carry.iter().copied()),
            self.lanes.of_operands(others(l_xs, &linear_xs)),
            self.lanes.of_results(chosen(r_ys, &present(ct_ys))),
        ];
        let result_lanes = self.lanes.of_operands([&l_new[..], l_carry, &l_rows].concat());
        let transposed = Loop {
            body: Arc::new(body.permuted(&inputs, &outputs)),
            inv: p_inv.len() + p_acc.len(),
            acc: p_new.len(),
            carry: self.carry,
            xs: p_xs.len() + p_ys.len(),
            length: self.length,
            reverse: !self.reverse,
            lanes: OpLanes::new(lane_shape(&self.body), operand_lanes.concat(), result_lanes),
        };
        let known = |group: &[Operand], linear: &[bool]| {
            others(group, linear).iter().map(|x| x.known().clone()).collect::<Vec<Array>>()
        };
        let mut operands: Vec<Array> = head.iter().map(|x| x.known().clone()).collect();
        operands.extend(known(inv, &linear_inv));
        operands.extend(some(ct_acc));
        let first_inv = self.head();
        let places_inv: Vec<usize> = (0..self.inv).filter(|&i| linear_inv[i]).map(|i| first_inv + i).collect();
        for &i in &places_inv {
            operands.push(into.take(i).unwrap_or_else(|| super::zeros_any(&x[i].ty())));
        }
        let zero = |(ct, x): (&Option<Array>, &Operand)| ct.clone().unwrap_or_else(|| super::zeros_any(&x.ty()));
        operands.extend(ct_carry.iter().zip(carry).map(zero));
        operands.extend(known(xs, &linear_xs));
        operands.extend(some(ct_ys));
        let results = record(transposed, &operands.iter().collect::<Vec<_>>());
        let [new_acc, new_carry, new_ys] = groups(&results, [p_new.len(), self.carry, count(&linear_xs)]);
        for (&i, ct) in places_inv.iter().zip(new_acc) {
            into.add(i, ct.clone());
        }
        let first_acc = first_inv + self.inv;
        for (i, ct) in ct_acc.iter().enumerate() {
            if let Some(ct) = ct {
                into.add(first_acc + i, ct.clone());
            }
        }
        let first_carry = first_acc + acc.len();
        for (i, ct) in new_carry.iter().enumerate() {
            into.add(first_carry + i, ct.clone());
        }
        let first_xs = first_carry + self.carry;
        let places_xs = (0..self.xs).filter(|&i| linear_xs[i]).map(|i| first_xs + i);
        for (i, ct) in places_xs.zip(new_ys) {
            into.add(i, ct.clone());
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let mapped = mapped(x);
        let flags = self.flags(&mapped);
        // Once there are lanes, every later batch axis is one more axis of lanes.
        let lanes = !self.lanes.is_empty() || mapped[..self.head()].contains(&true);
        let mut carried = flags.carried();
        if lanes {
            carried[self.acc..].fill(true);
        }
        let (carried, body) = transform::fixpoint(carried, |carried| {
            let flags = self.with_carried(&flags, carried);
            let force = [carried, &vec![lanes; self.ys()]].concat();
            let body = transform::batch(&self.body, &flags.body(lanes), size, &force);
            (body.mapped[..carried.len()].to_vec(), body)
        });
        let flags = self.with_carried(&flags, &carried);
        let operand_flags = flags.operands(self.head(), lanes);
        let operands = spread_where(x, &operand_flags, size);
        let lanes = if lanes { self.lanes.batched(&operand_flags, &body.mapped, size) } else { OpLanes::default() };
        let ys = record(Loop { body: body.program, lanes, ..self.clone() }, &operands.iter().collect::<Vec<_>>());
        batched(ys, &body.mapped)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        self.lanes.outside(at.mask).unwrap_or_else(|| {
            let inputs = self.inside(at.x, at.mask);
            carried_lanes(&self.body, inputs, 2 + self.inv, self.acc + self.carry, at.mask)
        })
    }

    fn effect(&self) -> Effect {
        self.body.effect()
    }

    fn programs(&self) -> SmallVec<[&Arc<Program>; 2]> {
        SmallVec::from_slice(&[&self.body])
    }

    fn split(&self, unknown: &[bool]) -> Option<SplitEquation> {
        let head = self.head();
        assert!(!unknown[..head].contains(&true), "the number of rounds does not depend on a tangent");
        let flags = self.flags(unknown);
        let ys = self.ys();
        let (carried, split) = transform::fixpoint(flags.carried(), |carried| {
            let flags = self.with_carried(&flags, carried);
            let split = transform::split(&self.body, &flags.body(false), &[carried, &vec![false; ys]].concat());
            (split.unknown[..carried.len()].to_vec(), split)
        });
        let flags = self.with_carried(&flags, &carried);
        let unknown_ys = &split.unknown[carried.len()..];
        let known = |f: &[bool]| f.len() - count(f);
        let (k_inv, k_acc, k_carry, k_xs) =
            (known(&flags.inv), known(&flags.acc), known(&flags.carry), known(&flags.xs));
        let k_outputs = k_acc + k_carry + known(unknown_ys);

        // A residual that the loop reads anyway is read again; the others become rows.
        enum From {
            Mask,
            Round,
            Inv(usize),
            Xs(usize),
            Row,
        }
        let first_xs = 2 + k_inv + k_acc + k_carry;
        let from = |r: &Residual| match *r {
            Residual::Input(0) => From::Mask,
            Residual::Input(1) => From::Round,
            Residual::Input(i) if i < 2 + k_inv => From::Inv(i - 2),
            Residual::Input(i) if i >= first_xs => From::Xs(i - first_xs),
            Residual::Input(_) | Residual::Made => From::Row,
        };
        let from: Vec<From> = split.residuals.iter().map(from).collect();
        let which = |f: fn(&From) -> bool| (0..from.len()).filter(|&j| f(&from[j])).collect::<Vec<usize>>();
        let rows = which(|f| matches!(f, From::Row));
        let inv_again = which(|f| matches!(f, From::Inv(_)));
        let xs_again = which(|f| matches!(f, From::Xs(_)));

        let outputs: Vec<usize> = (0..k_outputs).chain(rows.iter().map(|j| k_outputs + j)).collect();
        let inputs: Vec<usize> = (0..split.known.inputs()).collect();
        let known_body = Arc::new(simplify(&split.known.permuted(&inputs, &outputs)));

        let residuals = split.residuals.len();
        let input = |found: Vec<usize>, ty: &Type| found.first().map_or(Input::Unused(ty.clone()), |&j| Input::Old(j));
        let mut inputs = vec![
            input(which(|f| matches!(f, From::Mask)), &self.body.input_types()[0]),
            input(which(|f| matches!(f, From::Round)), &self.body.input_types()[1]),
        ];
        let unknown_inputs: Vec<usize> = (residuals..split.linear.inputs()).collect();
        let sizes = [count(&flags.inv), count(&flags.acc), count(&flags.carry), count(&flags.xs)];
        let [u_inv, u_acc, u_carry, u_xs] = groups(&unknown_inputs, sizes);
        inputs.extend(old(inv_again.iter().chain(u_inv).copied()));
        inputs.extend(old(u_acc.iter().chain(u_carry).copied()));
        inputs.extend(old(xs_again.iter().chain(&rows).chain(u_xs).copied()));
        let all: Vec<usize> = (0..split.linear.outputs().len()).collect();
        let linear_body = Arc::new(split.linear.rearranged(&inputs, &all));

        let positions: Vec<usize> = (0..unknown.len()).collect();
        let [p_head, p_inv, p_acc, p_carry, p_xs] = groups(&positions, self.sizes());
        let known_args = [
            p_head.to_vec(),
            others(p_inv, &flags.inv),
            others(p_acc, &flags.acc),
            others(p_carry, &flags.carry),
            others(p_xs, &flags.xs),
        ]
        .concat();
        let (inv_known, xs_known) = (others(p_inv, &flags.inv), others(p_xs, &flags.xs));
        let again = |j: &usize| match from[*j] {
            From::Inv(i) => LinearArg::Operand(inv_known[i]),
            From::Xs(i) => LinearArg::Operand(xs_known[i]),
            _ => unreachable!("it was chosen as such"),
        };
        let operands = |p: &[usize], f: &[bool]| chosen(p, f).into_iter().map(LinearArg::Operand).collect::<Vec<_>>();
        let linear_args = [
            p_head.iter().map(|&i| LinearArg::Operand(i)).collect(),
            inv_again.iter().map(again).collect(),
            operands(p_inv, &flags.inv),
            operands(p_acc, &flags.acc),
            operands(p_carry, &flags.carry),
            xs_again.iter().map(again).collect(),
            (0..rows.len()).map(|r| LinearArg::Residual(k_outputs + r)).collect(),
            operands(p_xs, &flags.xs),
        ]
        .concat();
        let mask = lane_shape(&self.body);
        let places: Vec<usize> = (0..split.unknown.len()).collect();
        let mut known_lanes = self.lanes.of_results(others(&places, &split.unknown));
        let inside = self.inside(&self.lanes.of_operands(known_args.iter().copied()), mask);
        known_lanes.extend(of_outputs(&known_body, &inside, mask).drain(k_outputs..));
        let [known_lanes, linear_lanes] =
            split_lanes(&self.lanes, mask, (&known_args, known_lanes), &linear_args, &split.unknown);
        let known_loop = Loop {
            body: known_body,
            inv: k_inv,
            acc: k_acc,
            carry: k_carry,
            xs: k_xs,
            lanes: known_lanes,
            ..*self
        };
        let linear_loop = Loop {
            body: linear_body,
            inv: inv_again.len() + u_inv.len(),
            acc: u_acc.len(),
            carry: u_carry.len(),
            xs: xs_again.len() + rows.len() + u_xs.len(),
            lanes: linear_lanes,
            ..*self
        };
        let results = sides(&split.unknown);
        Some(SplitEquation { known: known_loop.into(), known_args, linear: linear_loop.into(), linear_args, results })
    }

    fn hoist(&self) -> Option<Hoisted> {
        // A body that may never run must leave no trace: not a derivative of 0 times infinity.
        self.length.filter(|&rounds| rounds > 0)?;
        let first = self.head();
        let (before, body) = program::hoisted(&self.body, 2..2 + self.inv)?;
        let args = first..first + self.inv;
        let lanes = self.lanes.with_hoisted(&before, args.clone(), lane_shape(&self.body));
        let inv = self.inv + before.outputs().len();
        let op = Loop { body: Arc::new(body), inv, lanes, ..self.clone() };
        Some(Hoisted { before, place: args.end, args, op: op.into() })
    }

    fn prune(&self, live: &[bool]) -> Option<Pruned> {
        let [live_acc, live_carry, live_ys] = groups(live, [self.acc, self.carry, self.ys()]);
        // A carry is needed when its result is live or when a needed output reads it.
        let outputs = |acc: &[bool], carry: &[bool]| -> Vec<usize> {
            let flags = [acc, carry, live_ys].concat();
            (0..flags.len()).filter(|&i| flags[i]).collect()
        };
        let inputs: Vec<usize> = (0..self.body.inputs()).collect();
        let (carried, body) = transform::fixpoint([live_acc, live_carry].concat(), |carried| {
            let (acc, carry) = carried.split_at(self.acc);
            let body = simplify(&self.body.permuted(&inputs, &outputs(acc, carry)));
            let used = body.used_inputs();
            let first = 2 + self.inv;
            (used[first..first + self.acc + self.carry].to_vec(), (body, used))
        });
        let (body, used) = body;
        let (acc, carry) = carried.split_at(self.acc);
        let [_, used_inv, _, _, used_xs] = groups(&used, [2, self.inv, self.acc, self.carry, self.xs]);
        let kept = [&[true, true][..], used_inv, acc, carry, used_xs].concat();
        let result_flags = [acc, carry, live_ys].concat();
        if !kept.contains(&false) && !result_flags.contains(&false) {
            return None;
        }
        let body_inputs: Vec<usize> = (0..kept.len()).filter(|&i| kept[i]).collect();
        let all: Vec<usize> = (0..body.outputs().len()).collect();
        let head = self.head();
        let args: Vec<usize> = (0..head).chain(body_inputs.iter().filter(|&&i| i >= 2).map(|i| i - 2 + head)).collect();
        let results: Vec<usize> = (0..result_flags.len()).filter(|&i| result_flags[i]).collect();
        let op = Loop {
            body: Arc::new(body.permuted(&body_inputs, &all)),
            inv: count(used_inv),
            acc: count(acc),
            carry: count(carry),
            xs: count(used_xs),
            lanes: self.lanes.picked(&args, &results),
            ..*self
        };
        Some(Pruned { op: op.into(), args, results })
    }
}

impl Definition for Loop {
    const NAMES: &'static [&'static str] = &["loop"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        let mut op = Loop {
            body: a.program("body")?,
            inv: a.size("inv")?,
            acc: a.size("acc")?,
            carry: a.size("carry")?,
            xs: a.size("xs")?,
            length: if a.has("length") { Some(a.size("length")?) } else { None },
            reverse: a.bool("reverse")?,
            lanes: OpLanes::default(),
        };
        op.lanes = a.lanes(&op.body, op.sizes().iter().sum())?;
        Ok(op)
    }

    fn samples() -> Vec<Sample> {
        // y_k = c_k sin(x_k) w, c_{k+1} = c_k + x_k w, acc += c_k: every group is used.
        let f = Type::scalar(DType::F64);
        let body = |lanes: &[usize]| {
            let own = Type::array(DType::F64, lanes);
            let types = [Type::array(DType::Bool, lanes), Type::scalar(DType::I64), f.clone(), own.clone(), own.clone(), own];
            let traced = crate::trace::trace_with(&types, 0, crate::trace::Surroundings::Body, |x| {
                let [w, acc, c, x] = [&x[2], &x[3], &x[4], &x[5]];
                let product = x * w;
                vec![acc + c, c + &product, c * x.sin() * w]
            });
            Arc::new(traced.program)
        };
        let number = |x: f64| Value::scalar(x);
        let numbers = |xs: &[f64]| Value::Array(crate::value::ArrayValue::new(&[xs.len()], xs.to_vec()));
        let list = |rows: Vec<Value>, known: bool| {
            let length = known.then_some(rows.len());
            let element = rows.first().map_or(f.clone(), Value::ty);
            Value::List(Arc::new(ListValue { element, length, rows }))
        };
        let truth = || Value::scalar(true);
        let of = |length: Option<usize>, reverse, lanes: &[usize]| Loop {
            body: body(lanes),
            inv: 1,
            acc: 1,
            carry: 1,
            xs: 1,
            length,
            reverse,
            lanes: {
                let of = |own: bool| if own { Lanes::leading(lanes) } else { Lanes::shared(lanes) };
                let head = if length.is_some() { vec![of(true)] } else { vec![of(true); 2] };
                OpLanes::new(lanes, [head, [false, true, true, true].map(of).to_vec()].concat(), vec![of(true); 3])
            },
        };
        let rows = |n: usize| (0..n).map(|k| number(0.3 + 0.2 * k as f64)).collect::<Vec<_>>();
        let mut samples = Vec::new();
        for reverse in [false, true] {
            for n in [0, 1, 3] {
                let args = vec![truth(), number(0.7), number(0.1), number(-0.4), list(rows(n), true)];
                samples.push(Sample::new(of(Some(n), reverse, &[]), args).smooth(&[1, 2, 3, 4]));
                let args = vec![truth(), Value::scalar(n as i64), number(0.7), number(0.1), number(-0.4), list(rows(n), false)];
                samples.push(Sample::new(of(None, reverse, &[]), args).smooth(&[2, 3, 4]));
            }
            let lanes = |xs: [f64; 3]| numbers(&xs);
            let mask = mask_value(&[true, false, true], &[3]);
            let trips = Value::Array(crate::value::ArrayValue::new(&[3], vec![1i64, 2, 3]));
            let rows = (0..3).map(|k| lanes([0.1 * k as f64, 0.2, 0.3])).collect();
            let args = vec![mask, trips, number(0.7), lanes([0.1, 0.2, 0.3]), lanes([1.0, 2.0, -1.0]), list(rows, false)];
            samples.push(Sample::new(of(None, reverse, &[3]), args));
        }
        samples
    }
}
