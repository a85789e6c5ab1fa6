//! `Cond`: one of two branches.
//!
//! Operands in groups: `mask`, the predicate, `inv`, `gated`, `acc` (the branches only add to it). Results: `acc`, then
//! the branches' other results. A branch takes `mask, inv, gated, acc`. Under lanes both branches run, each under its part
//! of the mask: gated operands are zero in lanes outside of it; of the results each lane has that of its own branch.

use super::bodies::*;
use super::{Attributes, Definition, Sample};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::interpret::{Domain, Interpreter, Values};
use crate::lanes::{Lanes, OpLanes, Places, of_outputs};
use crate::ops::zeros_any;
use crate::primitive::{Attribute, Batched, Cotangents, Effect, Jet, Lowering, Operand, Primitive, Pruned};
use crate::program::{Program, simplify};
use crate::trace::{Surroundings, current_mask, inline, record, trace_closed, trace_with};
use crate::transform::{self, LinearArg, Mode, Residual, SplitEquation};
use crate::tree::Tree;
use crate::types::Type;
use crate::value::Value;
use crate::refusal::refuse;
use crate::source::called;
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;

/// A choice between two programs.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: bool[], %1: bool[], %2: f64[]) {
///   %3: f64[] = cond[inv=1, gated=0, acc=0, on_true=program (%0: bool[], %1: f64[]) {
///     %2: f64[] = sin %1
///     return %2
///   }, on_false=program (%0: bool[], %1: f64[]) {
///     %2: f64[] = cos %1
///     return %2
///   }] %0 %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cond {
    /// Where the predicate is true.
    pub on_true: Arc<Program>,
    /// Where it is false.
    pub on_false: Arc<Program>,
    /// Operands.
    pub inv: usize,
    /// Operands that only matter where the branch is taken.
    pub gated: usize,
    /// Accumulators.
    pub acc: usize,
    /// Where the operands and results have the lanes of the mask.
    pub lanes: OpLanes,
}

impl Cond {
    fn sizes(&self) -> [usize; 4] {
        [2, self.inv, self.gated, self.acc]
    }

    fn outs(&self) -> usize {
        self.on_true.outputs().len() - self.acc
    }

    fn branches(&self) -> [&Arc<Program>; 2] {
        [&self.on_true, &self.on_false]
    }

    /// Transforms both branches until they agree on which results have the property that the transform tells of, given
    /// the flags of `inv` and `gated` and at least those of `acc` and the results.
    fn agree<R>(
        &self,
        acc: &[bool],
        outs: &[bool],
        transform: impl Fn(&Arc<Program>, &[bool], &[bool]) -> (Vec<bool>, R),
    ) -> (Vec<bool>, [R; 2]) {
        transform::fixpoint([acc, outs].concat(), |found| {
            let [(on_true, a), (on_false, b)] = self.branches().map(|p| transform(p, &found[..self.acc], found));
            (on_true.iter().zip(&on_false).map(|(&a, &b)| a || b).collect(), [a, b])
        })
    }

    /// The same choice on values and their coefficients.
    fn pushed(&self, x: &[Array], dx: &[Vec<Option<Array>>], push: &Push<'_>) -> Jet {
        let (given, orders) = (moving(dx), dx.len());
        let [_, inv, gated, acc] = groups(&given, self.sizes());
        let flags = |acc: &[bool]| [&[false][..], inv, gated, acc].concat();
        let (active, branches) = self.agree(acc, &vec![false; self.outs()], |branch, acc, force| {
            let pushed = push(branch, &flags(acc), force);
            (pushed.active, pushed.program)
        });
        let acc = &active[..self.acc];
        let (sizes, inside, outside) = (self.sizes(), flags(acc), [&[false][..], &flags(acc)].concat());
        let inputs = Doubled { sizes: &[1, self.inv, self.gated, self.acc], moving: &inside, orders };
        let operands = Doubled { sizes: &sizes, moving: &outside, orders };
        let results = Doubled { sizes: &[self.acc, self.outs()], moving: &active, orders };
        let [on_true, on_false] = branches.map(|p| Arc::new(p.permuted(&inputs.order(), &results.order())));
        let op = Cond {
            on_true,
            on_false,
            inv: self.inv + orders * count(inv),
            gated: self.gated + orders * count(gated),
            acc: self.acc + orders * count(acc),
            lanes: self.lanes.picked(&operands.values(), &results.values()),
        };
        results.take(record(op, &operands.put(x, dx).iter().collect::<Vec<_>>()))
    }

    /// The reference, on any domain.
    pub(crate) fn run<D: Domain>(&self, domain: &D, mut args: Vec<D::Item>) -> Result<Vec<D::Item>, Error> {
        let shape = lane_shape(&self.on_true).to_vec();
        let mut acc = args.split_off(2 + self.inv + self.gated);
        let gated = args.split_off(2 + self.inv);
        let inv = args.split_off(2);
        let [mask, pred] = [0, 1].map(|i| lanes_of(domain.value(&args[i])));
        if shape.is_empty() {
            let branch = if pred[0] { &self.on_true } else { &self.on_false };
            let inputs = [args.swap_remove(0)].into_iter().chain(inv).chain(gated).chain(acc).collect();
            return Interpreter::new(branch).run(domain, inputs);
        }
        let mut merged: Option<Vec<D::Item>> = None;
        for (branch, side) in [(&self.on_true, true), (&self.on_false, false)] {
            let active: Vec<bool> = mask.iter().zip(&pred).map(|(&m, &p)| m && p == side).collect();
            let mask = (&active[..], &shape[..]);
            let gate = |(i, x): (usize, &D::Item)| match domain.value(x) {
                Value::Array(_) => domain.masked(mask, &self.lanes.operands[2 + self.inv + i], x.clone(), None),
                Value::List(_) => x.clone(),
            };
            let inputs = [domain.constant(mask_value(&active, &shape))].into_iter().chain(inv.iter().cloned());
            let inputs = inputs.chain(gated.iter().enumerate().map(gate)).chain(acc).collect();
            let mut results = Interpreter::new(branch).run(domain, inputs)?;
            let outs = results.split_off(self.acc).into_iter().zip(&self.lanes.results[self.acc..]);
            acc = results;
            let both = match merged {
                None => outs.map(|(y, at)| Ok(domain.masked(mask, at, y, None))).collect::<Result<Vec<_>, Error>>(),
                Some(first) => {
                    let merge = |(first, (y, at)): (D::Item, (D::Item, &Lanes))| match domain.value(&y) {
                        // Each element is one lane's, and is chosen, so that zeros keep their sign.
                        Value::Array(_) if at.is_complete(&shape) => Ok(domain.masked(mask, at, y, Some(&first))),
                        _ => domain.sum(first, domain.masked(mask, at, y, None)),
                    };
                    first.into_iter().zip(outs).map(merge).collect()
                }
            };
            merged = Some(both?);
        }
        Ok(acc.into_iter().chain(merged.expect("two branches ran")).collect())
    }
}

impl Primitive for Cond {
    fn name(&self) -> &'static str {
        "cond"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mut all = vec![
            ("inv", Attribute::Int(self.inv as i64)),
            ("gated", Attribute::Int(self.gated as i64)),
            ("acc", Attribute::Int(self.acc as i64)),
        ];
        all.extend(self.lanes.attribute());
        all.push(("on_true", Attribute::Program(self.on_true.clone())));
        all.push(("on_false", Attribute::Program(self.on_false.clone())));
        all
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        (i == 1).then(|| "predicate".to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let expected: usize = self.sizes().iter().sum();
        if args.len() != expected {
            return Err(TypeError::new(format!("it takes {expected} operands, not {}", args.len())));
        }
        let lanes = check_mask(&self.on_true, &args[0])?;
        if args[1] != Type::array(DType::Bool, &lanes) {
            return Err(TypeError::new(format!(
                "the predicate is {}, but must be one truth value (bool[]); compare to get one, reduce an array by `.all()` or `.any()`, or choose element by element by `select`",
                args[1]
            )));
        }
        let inputs: Vec<&Type> = [&args[0]].into_iter().chain(&args[2..]).collect();
        for branch in self.branches() {
            same_types("operand", inputs.iter().copied(), branch.input_types().iter())?;
            if branch.outputs().len() < self.acc {
                return Err(TypeError::new("a branch returns fewer values than it accumulates"));
            }
        }
        let outputs = |p: &Program| p.output_types().cloned().collect::<Vec<Type>>();
        let (a, b) = (outputs(&self.on_true), outputs(&self.on_false));
        same_types("result of the false branch", b.iter(), a.iter())?;
        same_types("accumulator", args[2 + self.inv + self.gated..].iter(), a[..self.acc].iter())?;
        self.lanes.check(&lanes, args, &a)?;
        Ok(a)
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
        let [head, inv, gated, acc] = groups(x, self.sizes());
        let (ct_acc, ct_outs) = ct.split_at(self.acc);
        // Arrays among the invariants accumulate in place; lists and gated operands come out as masked results.
        let mode = |x: &Operand, gated: bool| match x {
            Operand::Known(_) => Mode::Known,
            Operand::Linear(ty) if gated || ty.is_list() => Mode::Linear,
            Operand::Linear(_) => Mode::Accumulate,
        };
        let modes: Vec<Mode> = [Mode::Known]
            .into_iter()
            .chain(inv.iter().map(|x| mode(x, false)))
            .chain(gated.iter().map(|x| mode(x, true)))
            .chain([Mode::Ignored].repeat(self.acc))
            .collect();
        let wanted = present(ct);
        let known = |group: &[Operand]| {
            let known = group.iter().filter(|x| !x.is_linear());
            known.map(|x| x.known().clone()).collect::<Vec<Array>>()
        };
        let (known_inv, known_gated) = (known(inv), known(gated));
        let places = |wanted: Mode| (1..modes.len()).filter(|&i| modes[i] == wanted).map(|i| i + 1).collect::<Vec<usize>>();
        let (accumulated, returned) = (places(Mode::Accumulate), places(Mode::Linear));
        let (some_acc, some_outs) = (some(ct_acc), some(ct_outs));
        let sizes = [1, known_inv.len(), known_gated.len(), some_acc.len(), some_outs.len(), accumulated.len()];
        let transposed = self.branches().map(|branch| {
            // Inputs: mask, known inv, known gated, ct acc, ct outs, accumulators.
            let p = transform::transpose_shared(branch, &modes, &wanted);
            let positions: Vec<usize> = (0..p.inputs()).collect();
            let [mask, inv, gated, ct_acc, ct_outs, new] = groups(&positions, sizes);
            let outputs: Vec<usize> = (0..p.outputs().len()).collect();
            Arc::new(p.permuted(&[mask, inv, ct_acc, gated, ct_outs, new].concat(), &outputs))
        });
        let [on_true, on_false] = transposed;
        // Modes tell of the operands after the predicate, less the accumulators; the first is the mask.
        let known_at = |group: std::ops::Range<usize>| {
            self.lanes.of_operands(group.filter(|&i| modes[i - 1] == Mode::Known))
        };
        let places_of = |flags: &[bool], first: usize| {
            self.lanes.of_results((0..flags.len()).filter(|&i| flags[i]).map(|i| first + i))
        };
        let first_gated = 2 + self.inv;
        let operand_lanes = [
            self.lanes.of_operands(0..2),
            known_at(2..first_gated),
            places_of(&present(ct_acc), 0),
            known_at(first_gated..first_gated + self.gated),
            places_of(&present(ct_outs), self.acc),
            self.lanes.of_operands(accumulated.iter().copied()),
        ];
        let result_lanes = self.lanes.of_operands(accumulated.iter().chain(&returned).copied());
        let op = Cond {
            on_true,
            on_false,
            inv: known_inv.len() + some_acc.len(),
            gated: known_gated.len() + some_outs.len(),
            acc: accumulated.len(),
            lanes: OpLanes::new(lane_shape(&self.on_true), operand_lanes.concat(), result_lanes),
        };
        let mut operands: Vec<Array> = head.iter().map(|x| x.known().clone()).collect();
        operands.extend(known_inv.into_iter().chain(some_acc).chain(known_gated).chain(some_outs));
        for &i in &accumulated {
            operands.push(into.take(i).unwrap_or_else(|| zeros_any(&x[i].ty())));
        }
        let results = record(op, &operands.iter().collect::<Vec<_>>());
        for (&i, ct) in accumulated.iter().chain(&returned).zip(results) {
            into.add(i, ct);
        }
        let first_acc = x.len() - acc.len();
        for (i, ct) in ct_acc.iter().enumerate() {
            if let Some(ct) = ct {
                into.add(first_acc + i, ct.clone());
            }
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let flags = mapped(x);
        let [head, inv, gated, acc] = groups(&flags, self.sizes());
        let lanes = head.contains(&true) || !self.lanes.is_empty();
        let gated: Vec<bool> = gated.iter().map(|&g| g || lanes).collect();
        let (found, branches) = self.agree(acc, &vec![lanes; self.outs()], |branch, acc, force| {
            let batch = transform::batch(branch, &[&[lanes][..], inv, &gated, acc].concat(), size, force);
            (batch.mapped, batch.program)
        });
        let [on_true, on_false] = branches;
        let operand_flags = [&[lanes, lanes][..], inv, &gated, &found[..self.acc]].concat();
        let operands = spread_where(x, &operand_flags, size);
        let lanes = if lanes { self.lanes.batched(&operand_flags, &found, size) } else { OpLanes::default() };
        let ys = record(Cond { on_true, on_false, lanes, ..self.clone() }, &operands.iter().collect::<Vec<_>>());
        batched(ys, &found)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        self.lanes.outside(at.mask).unwrap_or_else(|| {
            let inputs = [&at.x[..1], &at.x[2..]].concat();
            let [a, b] = self.branches().map(|branch| of_outputs(branch, &inputs, at.mask));
            a.iter().zip(&b).map(|(a, b)| a.or(b)).collect()
        })
    }

    fn effect(&self) -> Effect {
        self.on_true.effect().max(self.on_false.effect())
    }

    fn programs(&self) -> SmallVec<[&Arc<Program>; 2]> {
        SmallVec::from_slice(&[&self.on_true, &self.on_false])
    }

    fn split(&self, unknown: &[bool]) -> Option<SplitEquation> {
        let [head, inv, gated, acc] = groups(unknown, self.sizes());
        assert!(!head.contains(&true), "a predicate does not depend on a tangent");
        let (found, halves) = self.agree(acc, &vec![false; self.outs()], |branch, acc, force| {
            let split = transform::split(branch, &[&[false][..], inv, gated, acc].concat(), force);
            (split.unknown.clone(), split)
        });
        let unknown_acc = &found[..self.acc];
        let known = |f: &[bool]| f.len() - count(f);
        let (k_inv, k_gated, k_acc) = (known(inv), known(gated), known(unknown_acc));
        let k_outputs = known(&found);

        let positions: Vec<usize> = (0..unknown.len()).collect();
        let [p_head, p_inv, p_gated, p_acc] = groups(&positions, self.sizes());
        let known_args = [p_head, &others(p_inv, inv), &others(p_gated, gated), &others(p_acc, unknown_acc)].concat();
        let shape = lane_shape(&self.on_true);
        let mut inside = self.lanes.of_operands(known_args.iter().copied());
        inside.remove(1);

        // A residual is a known operand, or lies in a slot that both branches share when types agree. Lists do not share: the
        // rows of one branch would be read by the other. Nor does what has elements of several lanes: both branches run then.
        #[derive(Clone, Copy)]
        enum Kept {
            Operand(usize),
            Slot(usize),
        }
        let mut slots: Vec<(Type, Lanes)> = Vec::new();
        let kept: Vec<Vec<Kept>> = halves
            .iter()
            .map(|half| {
                let mut taken = vec![false; slots.len()];
                let lanes = of_outputs(&half.known, &inside, shape).split_off(k_outputs);
                let place = |(j, r): (usize, &Residual)| match *r {
                    Residual::Input(i) if i < 1 + k_inv + k_gated => Kept::Operand(i),
                    _ => {
                        let wanted = (half.linear.input_types()[j].clone(), lanes[j].clone());
                        let alone = wanted.0.is_list() || !wanted.1.is_complete(shape);
                        let free = (0..slots.len()).find(|&s| !taken[s] && slots[s] == wanted && !alone);
                        let slot = free.unwrap_or_else(|| {
                            slots.push(wanted);
                            taken.push(false);
                            slots.len() - 1
                        });
                        taken[slot] = true;
                        Kept::Slot(slot)
                    }
                };
                half.residuals.iter().enumerate().map(place).collect()
            })
            .collect();
        let (slots, slot_lanes): (Vec<Type>, Vec<Lanes>) = slots.into_iter().unzip();

        let branch = |side: usize| {
            let (half, kept) = (&halves[side], &kept[side]);
            let known = simplify(&trace_closed(half.known.input_types(), |x| {
                let results = inline(&half.known, &x);
                let mut outputs = results[..k_outputs].to_vec();
                for (s, ty) in slots.iter().enumerate() {
                    let from = kept.iter().position(|k| matches!(k, Kept::Slot(slot) if *slot == s));
                    outputs.push(from.map_or_else(|| zeros_any(ty), |j| results[k_outputs + j].clone()));
                }
                outputs
            }));
            let operand_types = &half.known.input_types()[..1 + k_inv + k_gated];
            let tail = &half.linear.input_types()[half.residuals.len()..];
            let [t_inv, t_gated, t_acc] = groups(tail, [count(inv), count(gated), count(unknown_acc)]);
            let types = [&operand_types[..1 + k_inv], t_inv, &operand_types[1 + k_inv..], &slots, t_gated, t_acc].concat();
            let linear = simplify(&trace_closed(&types, |x| {
                let sizes = [1 + k_inv, t_inv.len(), k_gated, slots.len(), t_gated.len(), t_acc.len()];
                let [x_inv, u_inv, x_gated, x_slots, u_gated, u_acc] = groups(&x, sizes);
                let operands = [x_inv, x_gated].concat();
                let residual = |k: &Kept| match *k {
                    Kept::Operand(i) => operands[i].clone(),
                    Kept::Slot(s) => x_slots[s].clone(),
                };
                let args = kept.iter().map(residual).chain([u_inv, u_gated, u_acc].concat()).collect::<Vec<Array>>();
                inline(&half.linear, &args)
            }));
            (Arc::new(known), Arc::new(linear))
        };
        let (known_true, linear_true) = branch(0);
        let (known_false, linear_false) = branch(1);
        let operands = |p: Vec<usize>| p.into_iter().map(LinearArg::Operand).collect::<Vec<_>>();
        let linear_args = [
            operands(p_head.to_vec()),
            operands(others(p_inv, inv)),
            operands(chosen(p_inv, inv)),
            operands(others(p_gated, gated)),
            (0..slots.len()).map(|s| LinearArg::Residual(k_outputs + s)).collect(),
            operands(chosen(p_gated, gated)),
            operands(chosen(p_acc, unknown_acc)),
        ]
        .concat();
        let places: Vec<usize> = (0..found.len()).collect();
        let known_results = [self.lanes.of_results(others(&places, &found)), slot_lanes].concat();
        let [known_lanes, linear_lanes] =
            split_lanes(&self.lanes, shape, (&known_args, known_results), &linear_args, &found);
        let known_op = Cond {
            on_true: known_true,
            on_false: known_false,
            inv: k_inv,
            gated: k_gated,
            acc: k_acc,
            lanes: known_lanes,
        };
        let linear_op = Cond {
            on_true: linear_true,
            on_false: linear_false,
            inv: self.inv,
            gated: self.gated + slots.len(),
            acc: count(unknown_acc),
            lanes: linear_lanes,
        };
        let results = sides(&found);
        Some(SplitEquation { known: known_op.into(), known_args, linear: linear_op.into(), linear_args, results })
    }

    fn prune(&self, live: &[bool]) -> Option<Pruned> {
        let (live_acc, live_outs) = live.split_at(self.acc);
        let first_acc = 1 + self.inv + self.gated;
        let (acc, (branches, used)) = transform::fixpoint(live_acc.to_vec(), |acc| {
            let flags = [acc, live_outs].concat();
            let outputs: Vec<usize> = (0..flags.len()).filter(|&i| flags[i]).collect();
            let inputs: Vec<usize> = (0..self.on_true.inputs()).collect();
            let branches = self.branches().map(|b| simplify(&b.permuted(&inputs, &outputs)));
            let [a, b] = [0, 1].map(|i| branches[i].used_inputs());
            let used: Vec<bool> = a.iter().zip(b).map(|(&a, b)| a || b).collect();
            (used[first_acc..].to_vec(), (branches, used))
        });
        let kept = [&[true][..], &used[1..first_acc], &acc].concat();
        let result_flags = [&acc, live_outs].concat();
        if !kept.contains(&false) && !result_flags.contains(&false) {
            return None;
        }
        let inputs: Vec<usize> = (0..kept.len()).filter(|&i| kept[i]).collect();
        let [on_true, on_false] = branches.map(|b| {
            let all: Vec<usize> = (0..b.outputs().len()).collect();
            Arc::new(b.permuted(&inputs, &all))
        });
        let args: Vec<usize> = [0, 1].into_iter().chain(inputs[1..].iter().map(|i| i + 1)).collect();
        let results: Vec<usize> = (0..result_flags.len()).filter(|&i| result_flags[i]).collect();
        let op = Cond {
            on_true,
            on_false,
            inv: count(&used[1..1 + self.inv]),
            gated: count(&used[1 + self.inv..first_acc]),
            acc: count(&acc),
            lanes: self.lanes.picked(&args, &results),
        };
        Some(Pruned { op: op.into(), args, results })
    }
}

impl Definition for Cond {
    const NAMES: &'static [&'static str] = &["cond"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        let (inv, gated, acc) = (a.size("inv")?, a.size("gated")?, a.size("acc")?);
        let on_true = a.program("on_true")?;
        let lanes = a.lanes(&on_true, 2 + inv + gated + acc)?;
        Ok(Cond { on_true, on_false: a.program("on_false")?, inv, gated, acc, lanes })
    }

    fn samples() -> Vec<Sample> {
        // acc + x g and sin(x) g, or acc + g and x^2 g.
        let of = |lanes: &[usize]| {
            let own = Type::array(DType::F64, lanes);
            let types = [Type::array(DType::Bool, lanes), Type::scalar(DType::F64), own.clone(), own];
            let on_true = trace_with(&types, 0, Surroundings::Body, |x| vec![&x[3] + &x[1] * &x[2], x[1].sin() * &x[2]]);
            let on_false = trace_with(&types, 0, Surroundings::Body, |x| vec![&x[3] + &x[2], x[1].square() * &x[2]]);
            let of = |own: bool| if own { Lanes::leading(lanes) } else { Lanes::shared(lanes) };
            let at = OpLanes::new(lanes, [true, true, false, true, true].map(of).to_vec(), vec![of(true); 2]);
            let (on_true, on_false) = (Arc::new(on_true.program), Arc::new(on_false.program));
            Cond { on_true, on_false, inv: 1, gated: 1, acc: 1, lanes: at }
        };
        let mut samples = Vec::new();
        let scalars = |mask: bool, side: bool, numbers: [f64; 3]| {
            let args = [Value::scalar(mask), Value::scalar(side)].into_iter().chain(numbers.map(Value::scalar));
            Sample::new(of(&[]), args.collect())
        };
        for side in [true, false] {
            samples.push(scalars(true, side, [0.4, 0.7, -0.2]).smooth(&[2, 3, 4]));
            // What both branches read is finite: in lanes that are idle in one of them it meets zeros, which are added to `acc`.
            for odd in [1e300, -1.5, -0.0, 5e-324] {
                samples.push(scalars(true, side, [odd, 0.7, -0.2]));
            }
        }
        let lanes = |x: [f64; 3]| Value::Array(crate::value::ArrayValue::new(&[3], x.to_vec()));
        let mask = mask_value(&[true, true, false], &[3]);
        let pred = mask_value(&[true, false, true], &[3]);
        let args = vec![mask, pred, Value::scalar(0.4), lanes([0.7, 0.8, 0.9]), lanes([-0.2, 0.1, 0.3])];
        samples.push(Sample::new(of(&[3]), args));
        let none = |of: &[bool]| mask_value(of, &[of.len()]);
        let nobody = Value::Array(crate::value::ArrayValue::new(&[0], Vec::<f64>::new()));
        let args = vec![none(&[]), none(&[]), Value::scalar(0.4), nobody.clone(), nobody];
        samples.push(Sample::new(of(&[0]), args));
        samples
    }
}

/// Runs `on_true` where `predicate`, a scalar of dtype `bool`, is true, else `on_false`. The branches capture what they use.
///
/// Only the branch taken runs, and only it has a derivative: `cond(&x.gt(0.0), || x.log(), || Array::from(0.0))` has
/// gradient 0 at 0, where a `select` would have nan. Under `vmap` with a predicate that differs by lane both branches run
/// and each lane keeps its own.
///
/// # Panics
/// When the predicate is not one truth value, or the branches return different structures, shapes or dtypes.
///
/// ```
/// use wengert_core::{Array, cond};
///
/// let x = Array::from(-2.0);
/// let y = cond(&x.gt(0.0), || x.log(), || Array::from(0.0));
/// assert_eq!(y.item::<f64>()?, 0.0);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn cond<R: Tree>(predicate: &Array, on_true: impl FnOnce() -> R, on_false: impl FnOnce() -> R) -> R {
    let _called = called("cond");
    let mask = current_mask();
    let mut defs: [Option<R::Def>; 2] = [None, None];
    let [def_true, def_false] = &mut defs;
    let types = [mask.ty()];
    let keep = |def: &mut Option<R::Def>, result: R| {
        let (leaves, found) = flattened(result);
        *def = Some(found);
        leaves
    };
    let on_true = trace_with(&types, 1, Surroundings::Body, |_| keep(def_true, on_true()));
    let on_false = trace_with(&types, 1, Surroundings::Body, |_| keep(def_false, on_false()));
    let [Some(def), Some(other)] = defs else { unreachable!("both branches were traced") };
    check_branches::<R>(&on_true.program, &on_false.program, &def, &other);
    let (inv, [on_true, on_false]) = with_common_captures(1, [on_true, on_false]);
    let (on_true, on_false) = (Arc::new(on_true), Arc::new(on_false));
    let op = Cond { on_true, on_false, inv: inv.len(), gated: 0, acc: 0, lanes: OpLanes::default() };
    let operands: Vec<&Array> = [&mask, predicate].into_iter().chain(&inv).collect();
    assembled::<R>(&def, record(op, &operands))
}

#[track_caller]
fn check_branches<R: Tree>(on_true: &Program, on_false: &Program, def: &R::Def, other: &R::Def) {
    if def != other {
        refuse("the branches return different structures; make their lengths, keys and static fields agree", &[]);
    }
    let types = on_true.output_types().zip(on_false.output_types());
    for (i, ((a, b), path)) in types.zip(crate::tree::leaf_paths::<R>(def, "result")).enumerate() {
        if a != b {
            let repair = if a.dtype() == b.dtype() {
                "`broadcast_to` or `reshape` makes their shapes agree".to_owned()
            } else {
                format!("`.convert(DType::{:?})` makes their dtypes agree", a.dtype())
            };
            let [a, b] = [on_true, on_false].map(|branch| branch.describe_output(i));
            refuse(format!("{path} is {a} when true and {b} when false; {repair}"), &[]);
        }
    }
}
