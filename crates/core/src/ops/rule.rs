//! How a call is differentiated and batched: as its program is, or by what the user says instead.

use super::bodies::*;
use super::{Attributes, Call, Check, Op, rules, zeros_any};
use crate::array::Array;
use crate::error::TypeError;
use crate::lanes::{Lanes, Places};
use crate::numbered::{find, register};
use crate::primitive::{Attribute, Batched, Cotangents, Operand};
use crate::program::{Builder, Equation, Program, Var, simplify};
use crate::refusal::refuse;
use crate::source::in_users_code;
use crate::trace::{door, record, trace_closed};
use crate::transform::{self, Mode};
use crate::types::Type;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use wengert_kernel::Scalar;

/// The rule of a [`Call`]. Every program takes the lane mask first, then so many `captures`, which are constants to the
/// rule. Tangents and cotangents are those of floats: other operands and results have none.
///
/// ```
/// use wengert_core::{Array, custom_jvp, trace::{Surroundings, trace_with}};
///
/// let f = custom_jvp(|x: Array| x.exp(), |x: Array, dx: Array| (x.exp(), dx * x.exp()));
/// let traced = trace_with(&[Array::from(1.0).ty()], 0, Surroundings::Inherit, |x| vec![f(x[0].clone())]);
/// assert!(traced.program.to_string().contains("call[jvp="));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Rule {
    /// As the program is.
    Program,
    /// The same, but the backward pass computes again what is not to be kept.
    Recompute(Keep),
    /// A program from operands, then tangents of the float ones, to results, then tangents of the float ones.
    Jvp {
        /// That program.
        jvp: Arc<Program>,
        /// Operands after the mask that have no derivative.
        captures: usize,
    },
    /// Two programs: from operands to results, then residuals; and what the transpose of a [`Rule::Linear`] is.
    Vjp {
        /// The first.
        forward: Arc<Program>,
        /// The second.
        backward: Backward,
    },
    /// The call is linear in its last operands.
    Linear {
        /// Its transpose.
        backward: Backward,
        /// As of [`Rule::Jvp`], for when other operands move too; without it that is as the program is.
        jvp: Option<Arc<Program>>,
    },
    /// Differentiated as its program is, but batched by a function of the user's.
    Batch {
        /// That function.
        rule: BatchRule,
        /// Operands after the mask that it does not take.
        captures: usize,
    },
}

/// A program from residuals, then cotangents of the float results, to cotangents of the float operands.
///
/// ```
/// use std::sync::Arc;
/// use wengert_core::{ops::Backward, program::parse};
///
/// let twice = "program (%0: bool[], %1: f64[]) {\n  %2: f64[] = add %1 %1\n  return %2\n}\n";
/// let backward = Backward { program: Arc::new(parse(twice)?), captures: 0 };
/// assert_eq!(backward.program.outputs().len(), 1);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Backward {
    /// That program.
    pub program: Arc<Program>,
    /// Operands after the mask that have no derivative.
    pub captures: usize,
}

/// How lanes are worked on together: from operands to results, all of which have the lanes in front. Equal when it is the same
/// function; programs print its number, and read it back while it lives.
///
/// ```
/// use wengert_core::{Array, ops::BatchRule};
///
/// let rule = BatchRule::new(|x: Vec<Array>| x);
/// assert_eq!(BatchRule::of_number(rule.number()), Some(rule.clone()));
/// ```
#[derive(Clone)]
pub struct BatchRule(Arc<Numbered>);

struct Numbered {
    number: u64,
    f: Box<dyn Fn(Vec<Array>) -> Vec<Array> + Send + Sync>,
}

impl BatchRule {
    /// A new rule.
    ///
    /// ```
    /// use wengert_core::{Array, ops::BatchRule};
    ///
    /// let rule = || BatchRule::new(|x: Vec<Array>| x);
    /// assert_ne!(rule(), rule());
    /// ```
    pub fn new(f: impl Fn(Vec<Array>) -> Vec<Array> + Send + Sync + 'static) -> BatchRule {
        BatchRule(register(|number| Numbered { number, f: Box::new(f) }))
    }

    /// By what number programs print it.
    ///
    /// ```
    /// let rule = wengert_core::ops::BatchRule::new(|x| x);
    /// assert_eq!(rule.clone().number(), rule.number());
    /// ```
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// The rule of that number, if it lives.
    ///
    /// ```
    /// assert_eq!(wengert_core::ops::BatchRule::of_number(u64::MAX), None);
    /// ```
    pub fn of_number(number: u64) -> Option<BatchRule> {
        find(number).map(BatchRule)
    }
}

impl PartialEq for BatchRule {
    fn eq(&self, other: &BatchRule) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for BatchRule {}

impl Hash for BatchRule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl fmt::Debug for BatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BatchRule({})", self.0.number)
    }
}

/// What the backward pass of a [`checkpoint_keeping`](crate::checkpoint_keeping) keeps besides the arguments.
///
/// ```
/// use wengert_core::Keep;
///
/// assert_eq!(Keep::names(["a", "b"]), Keep::Names(vec!["a".into(), "b".into()]));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Results of matrix products.
    Products,
    /// What [`Array::named`] gave one of these names.
    Names(Vec<Arc<str>>),
}

/// A known half in two: what is kept, and the rest, computed again from the operands and from that.
pub(super) struct Again {
    /// Inputs to outputs, then what is kept.
    pub known: Program,
    /// Inputs, then what is kept, to the residuals.
    pub rest: Program,
}

impl Keep {
    /// What was given one of these names.
    ///
    /// ```
    /// assert_eq!(wengert_core::Keep::names([]), wengert_core::Keep::Names(Vec::new()));
    /// ```
    pub fn names<const N: usize>(names: [&str; N]) -> Keep {
        Keep::Names(names.map(Arc::from).to_vec())
    }

    /// The variable that an equation makes worth keeping. That is what was named rather than its named copy, for the
    /// derivative of the operation that made it reads the former.
    fn kept_by(&self, e: &Equation) -> Option<Var> {
        match (self, &e.op) {
            (Keep::Products, Op::Dot(_)) => e.results().next(),
            (Keep::Names(names), Op::Named(named)) if names.contains(&named.name) => Some(e.args[0]),
            _ => None,
        }
    }

    /// Takes a known half apart whose outputs after the first so many are residuals.
    pub(super) fn again(&self, known: &Program, outputs: usize) -> Again {
        let residuals = &known.outputs()[outputs..];
        let (mut keep, mut needed) = (vec![false; known.vars()], vec![false; known.vars()]);
        known.equations().iter().filter_map(|e| self.kept_by(e)).for_each(|v| keep[v.index()] = true);
        residuals.iter().for_each(|v| needed[v.index()] = true);
        let mut kept: Vec<Var> = Vec::new();
        for e in known.equations().iter().rev() {
            let (keep, again): (Vec<Var>, Vec<Var>) =
                e.results().filter(|v| needed[v.index()]).partition(|v| keep[v.index()]);
            kept.extend(keep);
            if !again.is_empty() {
                e.args.iter().for_each(|a| needed[a.index()] = true);
            }
        }
        let first = [&known.outputs()[..outputs], &kept].concat();
        Again { known: recomputed(known, &[], &first), rest: recomputed(known, &kept, residuals) }
    }
}

/// The program with variables turned into more inputs, and with other outputs.
fn recomputed(program: &Program, given: &[Var], outputs: &[Var]) -> Program {
    let mut b = Builder::as_large_as(program);
    let mut env: Vec<Option<Var>> = program.input_types().iter().map(|ty| Some(b.input(ty.clone()))).collect();
    env.resize(program.vars(), None);
    for v in given {
        env[v.index()] = Some(b.input(program.ty(*v).clone()));
    }
    let at = |env: &[Option<Var>], v: &Var| env[v.index()].expect("a variable is defined before its use");
    for e in program.equations() {
        let args = e.args.iter().map(|a| at(&env, a)).collect();
        for (old, new) in e.results().zip(b.copy(e, args, program)) {
            env[old.index()].get_or_insert(new);
        }
    }
    let outputs: Vec<Var> = outputs.iter().map(|v| at(&env, v)).collect();
    simplify(&b.finish(&outputs))
}

/// Whether it can have a tangent.
pub(super) fn is_float(ty: &Type) -> bool {
    ty.dtype().is_float()
}

impl Rule {
    /// Whether the user says how it is differentiated or batched.
    pub(super) fn is_custom(&self) -> bool {
        !matches!(self, Rule::Program | Rule::Recompute(_))
    }

    pub(super) fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let program = |program: &Arc<Program>| Attribute::Program(program.clone());
        let captures = |n: &usize| ("captures", Attribute::Int(*n as i64));
        match self {
            Rule::Program => Vec::new(),
            Rule::Recompute(Keep::Nothing) => vec![("keep", Attribute::Word("nothing".into()))],
            Rule::Recompute(Keep::Products) => vec![("keep", Attribute::Word("products".into()))],
            Rule::Recompute(Keep::Names(names)) => vec![("keep_names", Attribute::Text(names.join(",")))],
            Rule::Jvp { jvp, captures: n } => vec![("jvp", program(jvp)), captures(n)],
            Rule::Vjp { forward, backward } => {
                vec![
                    ("forward", program(forward)),
                    ("backward", program(&backward.program)),
                    captures(&backward.captures),
                ]
            }
            Rule::Batch { rule, captures: n } => vec![("batch", Attribute::Int(rule.number() as i64)), captures(n)],
            Rule::Linear { backward, jvp } => {
                let jvp = jvp.iter().map(|jvp| ("jvp", program(jvp)));
                jvp.chain([("transposed", program(&backward.program)), captures(&backward.captures)]).collect()
            }
        }
    }

    pub(super) fn parse(a: &Attributes) -> Result<Rule, TypeError> {
        if a.has("keep_names") {
            let names = a.text("keep_names")?;
            return Ok(Rule::Recompute(Keep::Names(names.split(',').map(Arc::from).collect())));
        }
        if a.has("keep") {
            let keep = match a.word("keep")?.as_str() {
                "nothing" => Keep::Nothing,
                "products" => Keep::Products,
                other => return Err(TypeError::new(format!("`keep` is nothing or products, not {other}"))),
            };
            return Ok(Rule::Recompute(keep));
        }
        let backward = |key: &str| Ok(Backward { program: a.program(key)?, captures: a.size("captures")? });
        if a.has("batch") {
            let gone =
                || TypeError::new("the function that batches this call is gone; such functions are not read from text");
            let rule = BatchRule::of_number(a.size("batch")? as u64).ok_or_else(gone)?;
            return Ok(Rule::Batch { rule, captures: a.size("captures")? });
        }
        if a.has("transposed") {
            let jvp = if a.has("jvp") { Some(a.program("jvp")?) } else { None };
            return Ok(Rule::Linear { backward: backward("transposed")?, jvp });
        }
        if a.has("jvp") {
            return Ok(Rule::Jvp { jvp: a.program("jvp")?, captures: a.size("captures")? });
        }
        if a.has("forward") {
            return Ok(Rule::Vjp { forward: a.program("forward")?, backward: backward("backward")? });
        }
        Ok(Rule::Program)
    }

    /// The rule's own programs.
    pub(super) fn programs(&self) -> Vec<&Arc<Program>> {
        match self {
            Rule::Program | Rule::Recompute(_) | Rule::Batch { .. } => Vec::new(),
            Rule::Jvp { jvp, .. } => vec![jvp],
            Rule::Vjp { forward, backward } => vec![forward, &backward.program],
            Rule::Linear { backward, jvp } => [&backward.program].into_iter().chain(jvp).collect(),
        }
    }

    /// Whether the rule's programs take and give what the called one does; read from text they may not.
    pub(super) fn infer(&self, program: &Program) -> Result<(), TypeError> {
        let floats = |types: Vec<Type>| types.into_iter().filter(is_float).collect::<Vec<_>>();
        let operands = program.input_types();
        let results: Vec<Type> = program.output_types().cloned().collect();
        let known = |captures: usize| {
            let rest = operands.get(..1 + captures).zip(operands.get(1 + captures..));
            rest.ok_or_else(|| TypeError::new("a rule has more captures than there are operands"))
        };
        let same = |what: &str, found: Vec<Type>, wanted: Vec<Type>| same_types(what, found.iter(), wanted.iter());
        let pushes = |jvp: &Program, captures: usize| {
            let (_, args) = known(captures)?;
            let takes = [operands.to_vec(), floats(args.to_vec())].concat();
            same("operand of the rule", jvp.input_types().to_vec(), takes)?;
            let gives = [results.clone(), floats(results.clone())].concat();
            same("result of the rule", jvp.output_types().cloned().collect(), gives)
        };
        match self {
            Rule::Program | Rule::Recompute(_) => Ok(()),
            Rule::Batch { captures, .. } => known(*captures).map(|_| ()),
            Rule::Jvp { jvp, captures } => pushes(jvp, *captures),
            Rule::Vjp { forward, backward } => {
                let (captured, args) = known(backward.captures)?;
                same("operand of the rule", forward.input_types().to_vec(), operands.to_vec())?;
                let given: Vec<Type> = forward.output_types().cloned().collect();
                let residuals = given.get(results.len()..).unwrap_or_default().to_vec();
                same("result of the rule", given, [results.clone(), residuals.clone()].concat())?;
                let takes = [captured.to_vec(), residuals, floats(results)].concat();
                same("operand of the backward rule", backward.program.input_types().to_vec(), takes)?;
                let gives = backward.program.output_types().cloned().collect();
                same("result of the backward rule", gives, floats(args.to_vec()))
            }
            Rule::Linear { backward, jvp } => {
                jvp.iter().try_for_each(|jvp| pushes(jvp, backward.captures))?;
                let tangents = backward.program.outputs().len();
                let fixed = operands.len().checked_sub(tangents).filter(|&fixed| fixed > backward.captures);
                let fixed =
                    fixed.ok_or_else(|| TypeError::new("a transpose has more results than there are operands"))?;
                let takes = [operands[..fixed].to_vec(), results].concat();
                same("operand of the transpose", backward.program.input_types().to_vec(), takes)?;
                let gives = backward.program.output_types().cloned().collect();
                same("result of the transpose", gives, operands[fixed..].to_vec())
            }
        }
    }

    /// Results and tangents of a call of `program`; `None` where they are those of the program.
    pub(super) fn jvp(
        &self,
        program: &Arc<Program>,
        x: &[Array],
        dx: &[Option<Array>],
    ) -> Option<(Vec<Array>, Vec<Option<Array>>)> {
        let floats = |dy: Vec<Array>| {
            let mut dy = dy.into_iter();
            program.output_types().map(|ty| if is_float(ty) { dy.next() } else { None }).collect()
        };
        let results = program.outputs().len();
        let pushed = |jvp: &Arc<Program>, captures: usize| {
            let dx = tangents("custom_jvp", captures, x, dx);
            let mut y = call(Call::of(jvp.clone()), [x, &dx].concat());
            let dy = y.split_off(results);
            (y, floats(dy))
        };
        Some(match self {
            Rule::Program | Rule::Recompute(_) | Rule::Batch { .. } => return None,
            Rule::Jvp { jvp, captures } => pushed(jvp, *captures),
            Rule::Vjp { forward, backward } => {
                let dx = tangents("custom_vjp", backward.captures, x, dx);
                let mut y = call(Call::of(forward.clone()), x.to_vec());
                let residuals = y.split_off(results);
                let linear = backward.transposed(&x[0].ty(), program.output_types().filter(|ty| is_float(ty)).count());
                let linear = Call { program: linear, rule: Rule::Linear { backward: backward.clone(), jvp: None } };
                (y, floats(call(linear, [&x[..1 + backward.captures], &residuals, &dx].concat())))
            }
            // It keeps its transpose while nothing but its linear operands moves.
            Rule::Linear { backward, jvp } => {
                let fixed = x.len() - backward.program.outputs().len();
                if dx[..fixed].iter().any(Option::is_some) {
                    return jvp.as_ref().map(|jvp| pushed(jvp, backward.captures));
                }
                let dx = filled(&dx[fixed..], &x[fixed..], &vec![true; x.len() - fixed]);
                let again = || Call { program: program.clone(), rule: self.clone() };
                (call(again(), x.to_vec()), floats(call(again(), [&x[..fixed], &dx].concat())))
            }
        })
    }

    /// Whether the call is differentiated as its program is, when these operands move.
    pub(super) fn is_of_program(&self, moving: &[bool]) -> bool {
        match self {
            Rule::Program | Rule::Recompute(_) | Rule::Batch { .. } => true,
            Rule::Jvp { .. } | Rule::Vjp { .. } | Rule::Linear { jvp: Some(_), .. } => false,
            Rule::Linear { backward, jvp: None } => {
                moving[..moving.len() - backward.program.outputs().len()].contains(&true)
            }
        }
    }

    /// The rule of a program that was made from the called one by its own rules.
    pub(super) fn inherited(&self) -> Rule {
        if self.is_custom() { Rule::Program } else { self.clone() }
    }

    /// Where results have lanes: as [`Rule::batch`] leaves them, where any operand has.
    pub(super) fn lanes(&self, program: &Program, at: &Places<'_>) -> Vec<Lanes> {
        let args = &at.x[1 + self.captures()..];
        let all = args.iter().fold(at.x[0].clone(), |all, x| all.or(x));
        vec![all; program.outputs().len()]
    }

    /// Operands after the mask that have no derivative.
    fn captures(&self) -> usize {
        match self {
            Rule::Jvp { captures, .. } | Rule::Batch { captures, .. } => *captures,
            Rule::Vjp { backward, .. } | Rule::Linear { backward, .. } => backward.captures,
            Rule::Program | Rule::Recompute(_) => 0,
        }
    }

    /// The call on lanes: all of them are mapped but what is captured, so that the programs of the rule fit each other.
    pub(super) fn batch(&self, program: &Arc<Program>, x: &[Batched], size: usize) -> Vec<Batched> {
        let captures = self.captures();
        if let Rule::Batch { rule, .. } = self {
            return batched_by(rule, program, captures, x, size);
        }
        let (captured, args) = x.split_at(1 + captures);
        let lanes = |program: &Arc<Program>| {
            let mut flags = mapped(captured);
            flags.resize(program.inputs(), true);
            transform::batch(program, &flags, size, &vec![true; program.outputs().len()]).program
        };
        let backwards = |b: &Backward| Backward { program: lanes(&b.program), captures };
        let rule = match self {
            Rule::Program | Rule::Recompute(_) | Rule::Batch { .. } => self.clone(),
            Rule::Jvp { jvp, .. } => Rule::Jvp { jvp: lanes(jvp), captures },
            Rule::Vjp { forward, backward } => Rule::Vjp { forward: lanes(forward), backward: backwards(backward) },
            Rule::Linear { backward, jvp } => {
                Rule::Linear { backward: backwards(backward), jvp: jvp.as_ref().map(lanes) }
            }
        };
        let operands = captured.iter().map(|x| x.array.clone()).chain(args.iter().map(|x| x.spread(size)));
        let y = call(Call { program: lanes(program), rule }, operands.collect());
        y.into_iter().map(Batched::mapped).collect()
    }
}

/// The results by the user's rule.
fn batched_by(rule: &BatchRule, program: &Program, captures: usize, x: &[Batched], size: usize) -> Vec<Batched> {
    if let Some(x) = x[1..1 + captures].iter().find(|x| x.mapped) {
        let sentence = "custom_vmap: the function captures an array that differs by lane, which its rule does not get; make it a part of the argument";
        refuse(sentence, &[&x.array]);
    }
    let args: Vec<Array> = x[1 + captures..].iter().map(|x| x.spread(size)).collect();
    let y = in_users_code(|| (rule.0.f)(args));
    let wanted: Vec<Type> = program.output_types().map(|ty| ty.batched(size)).collect();
    let found: Vec<Type> = y.iter().map(Array::ty).collect();
    if found != wanted {
        let list = |types: &[Type]| types.iter().map(Type::to_string).collect::<Vec<_>>().join(", ");
        refuse(
            format!(
                "custom_vmap: the rule returned {}, but for {size} lanes it must return {}",
                list(&found),
                list(&wanted)
            ),
            &[],
        );
    }
    y.into_iter().map(Batched::mapped).collect()
}

fn call(call: Call, operands: Vec<Array>) -> Vec<Array> {
    record(call, &operands.iter().collect::<Vec<_>>())
}

/// The tangents of all float operands after the mask and the captures, which have none.
fn tangents(name: &str, captures: usize, x: &[Array], dx: &[Option<Array>]) -> Vec<Array> {
    if let Some(i) = (1..=captures).find(|&i| dx[i].is_some()) {
        let sentence = format!(
            "{name}: its rule has no derivative with respect to an array that the function captures; make it a part of the argument, or `stop_gradient` it"
        );
        refuse(sentence, &[&x[i]]);
    }
    let args = (1 + captures..x.len()).filter(|&i| is_float(&x[i].ty()));
    args.map(|i| dx[i].clone().unwrap_or_else(|| zeros_any(&x[i].ty()))).collect()
}

impl Backward {
    /// Adds to the cotangents of the linear operands of the call whose transpose this is.
    pub(super) fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let fixed = x.len() - self.program.outputs().len();
        let first = self.program.inputs() - ct.len();
        let ct = ct.iter().enumerate();
        let ct = ct.map(|(i, ct)| ct.clone().unwrap_or_else(|| zeros_any(&self.program.input_types()[first + i])));
        let operands = x[..fixed].iter().map(|x| x.known().clone()).chain(ct).collect();
        for (i, ct) in call(Call::of(self.program.clone()), operands).into_iter().enumerate() {
            into.add(fixed + i, ct);
        }
    }

    /// The program whose transpose this is, for forward mode. Where the user's function is not linear in its cotangents
    /// (it clips them, say) there is none, and one that ends with an error stands in its place: reverse mode never runs it.
    fn transposed(&self, mask: &Type, cotangents: usize) -> Arc<Program> {
        let known = self.program.inputs() - cotangents;
        let inputs = self.program.input_types();
        let mode = |i: usize| if i < known { Mode::Known } else { Mode::Linear };
        let modes: Vec<Mode> = (0..inputs.len()).map(mode).collect();
        let present = vec![true; self.program.outputs().len()];
        door(|| transform::transpose_shared(&self.program, &modes, &present)).unwrap_or_else(|_| {
            let tangents: Vec<Type> = self.program.output_types().cloned().collect();
            let lanes = &mask.as_array().expect("a mask is an array").shape;
            let program = trace_closed(&[&inputs[..known], &tangents].concat(), |x| {
                let message =
                    "custom_vjp: the backward function is not linear in its cotangents, so there is no forward mode";
                record(Check { message: message.into() }, &[&x[0], &rules::constant(Scalar::new(false), lanes)]);
                inputs[known..].iter().map(zeros_any).collect()
            });
            Arc::new(program)
        })
    }
}
