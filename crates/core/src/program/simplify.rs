//! Dead code, common subexpressions and the rewrites that keep every bit. Run after each transform.

use super::{Args, Builder, Program, Var};
use crate::ops::{Broadcast, Literal, Op};
use crate::primitive::{Effect, Lowering};
use crate::source::{Source, with_source};
use crate::types::Type;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;
use wengert_kernel::{Binary, DType, Scalar, ScalarOp, Unary};

/// The program without dead code and common subexpressions, constants folded. Linear in the program's length.
///
/// Only rewrites that keep every bit of every result (NaN payloads aside) are done: `x * 1`, `x / 1`, `x - 0`,
/// `x + -0`, `x & true`, `--x`, `select` by a constant; never `x * 0`, `x - x` or a change of order.
///
/// ```
/// use wengert_core::program::{parse, simplify};
///
/// let program = parse("program (%0: f64[]) {\n  %1: f64[] = sin %0\n  %2: f64[] = sin %0\n  %3: f64[] = cos %0\n  %4: f64[] = mul %1 %2\n  return %4\n}\n")?;
/// assert_eq!(simplify(&program).equations().len(), 2);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn simplify(program: &Program) -> Program {
    without_dead_code(with_shared_work(program))
}

/// What is known of a variable in the new program.
#[derive(Clone, Copy, Default)]
struct Known {
    /// Every element is this.
    constant: Option<Scalar>,
    /// It is the negation of that.
    negated: Option<Var>,
    /// It is that, converted to a dtype that has all of its numbers.
    widened: Option<Var>,
}

/// The equations of the new program by hash, so that none is kept twice. Of two with one hash the first is forgotten,
/// which costs a common subexpression once in 2^64.
struct Seen(FxHashMap<u64, usize>);

impl Seen {
    fn with_room(equations: usize) -> Seen {
        Seen(FxHashMap::with_capacity_and_hasher(equations, FxBuildHasher))
    }

    /// The first result of the equation `op(args)`, if there is one; else the next equation is taken to be it.
    fn find(&mut self, b: &Builder, op: &Op, args: &Args) -> Option<Var> {
        let place = self.0.entry(FxBuildHasher.hash_one((op, args))).or_insert(usize::MAX);
        let found = (*place < b.len()).then(|| b.equation(*place)).filter(|e| e.op == *op && e.args == *args);
        if found.is_none() {
            *place = b.len();
        }
        found.map(|e| e.first)
    }
}

fn with_shared_work(program: &Program) -> Program {
    let mut b = Builder::as_large_as(program);
    let mut env: Vec<Var> = program.input_types().iter().map(|ty| b.input(ty.clone())).collect();
    let mut known: Vec<Known> = vec![Known::default(); env.len()];
    let mut seen = Seen::with_room(program.equations().len());
    for e in program.equations() {
        let mut args: Args = e.args.iter().map(|a| env[a.index()]).collect();
        let mut op = None;
        while let Some(hoisted) = with_source(&e.source, || op.as_ref().unwrap_or(&e.op).hoist()) {
            let given: Vec<Var> = args[hoisted.args].to_vec();
            let results = inlined(&mut b, &mut known, &mut seen, &hoisted.before, given);
            args.insert_many(hoisted.place, results);
            op = Some(hoisted.op);
        }
        if let Some(op) = op {
            known.resize(known.len() + e.count as usize, Known::default());
            let types = e.results().map(|v| program.ty(v).clone());
            env.extend(b.push(op, args, types, e.source.clone()).results());
            continue;
        }
        let lowering = e.op.lower();
        if let Some(v) = same_as_operand(&lowering, &args, &known, &b, program.ty(e.first)) {
            env.push(v);
            continue;
        }
        if let (Lowering::Map(op), Type::Array(ty)) = (&lowering, program.ty(e.first)) {
            let constants: Option<Vec<Scalar>> = args.iter().map(|a| known[a.index()].constant).collect();
            if let Some(constants) = constants {
                let value = op.eval(&constants);
                let mut v = intern(
                    &mut b,
                    &mut known,
                    &mut seen,
                    Literal(value).into(),
                    Args::new(),
                    Type::scalar(ty.dtype),
                    &e.source,
                );
                if ty.rank() > 0 {
                    let spread = Broadcast { shape: ty.shape.clone(), axes: Default::default() };
                    v = intern(
                        &mut b,
                        &mut known,
                        &mut seen,
                        spread.into(),
                        [v].into_iter().collect(),
                        ty.clone().into(),
                        &e.source,
                    );
                }
                env.push(v);
                continue;
            }
            if commutes(*op) {
                args.sort();
            }
        }
        if e.count == 1 && e.op.effect() == Effect::None {
            let v = intern(&mut b, &mut known, &mut seen, e.op.clone(), args, program.ty(e.first).clone(), &e.source);
            env.push(v);
            continue;
        }
        let pure = e.op.effect() == Effect::None && e.count > 0;
        let first = pure.then(|| seen.find(&b, &e.op, &args)).flatten().unwrap_or_else(|| {
            known.resize(known.len() + e.count as usize, Known::default());
            let types = e.results().map(|v| program.ty(v).clone());
            b.push(e.op.clone(), args, types, e.source.clone()).first
        });
        env.extend((first.0..first.0 + e.count).map(Var));
    }
    let outputs: Vec<Var> = program.outputs().iter().map(|v| env[v.index()]).collect();
    b.finish(&outputs)
}

/// The results of a program, recorded now unless they were before.
fn inlined(b: &mut Builder, known: &mut Vec<Known>, seen: &mut Seen, program: &Program, inputs: Vec<Var>) -> Vec<Var> {
    let mut env = inputs;
    for e in program.equations() {
        let args: Args = e.args.iter().map(|a| env[a.index()]).collect();
        if e.count == 1 {
            env.push(intern(b, known, seen, e.op.clone(), args, program.ty(e.first).clone(), &e.source));
        } else {
            known.resize(known.len() + e.count as usize, Known::default());
            env.extend(b.copy(e, args, program));
        }
    }
    program.outputs().iter().map(|v| env[v.index()]).collect()
}

/// The variable that holds `op(args)`, recorded now unless it was before.
fn intern(
    b: &mut Builder,
    known: &mut Vec<Known>,
    seen: &mut Seen,
    op: Op,
    args: Args,
    ty: Type,
    source: &Source,
) -> Var {
    if let Some(v) = seen.find(b, &op, &args) {
        return v;
    }
    let operand = |i: usize| known[args[i].index()];
    let mut facts = Known::default();
    match op.lower() {
        Lowering::Literal(value) => facts.constant = Some(value),
        Lowering::View(_) | Lowering::Reshape => facts.constant = operand(0).constant,
        Lowering::Map(ScalarOp::Unary(Unary::Neg)) => facts.negated = Some(args[0]),
        Lowering::Map(ScalarOp::Convert(to)) if has_all_of(to, b.ty(args[0]).dtype()) => facts.widened = Some(args[0]),
        _ => {}
    }
    known.push(facts);
    b.push(op, args, [ty], source.clone()).first
}

/// The operand that a result equals bit for bit, where a rewrite says so.
fn same_as_operand(lowering: &Lowering, args: &Args, known: &[Known], b: &Builder, ty: &Type) -> Option<Var> {
    let constant = |i: usize| known[args[i].index()].constant;
    let is = |i: usize, value: fn(Scalar) -> Scalar| constant(i).is_some_and(|c| c == value(c));
    let one = |c: Scalar| Scalar::one(c.dtype);
    let zero = |c: Scalar| Scalar::zero(c.dtype);
    // The number that changes no x when added: -0 for floats (0 would turn -0 into 0).
    let nothing = |c: Scalar| ScalarOp::Convert(c.dtype).eval(&[Scalar::new(-0.0)]);
    let truth = |c: Scalar| Scalar::new(c.dtype == DType::Bool);
    let position = match lowering {
        Lowering::Map(ScalarOp::Binary(Binary::Mul)) if is(1, one) => Some(0),
        Lowering::Map(ScalarOp::Binary(Binary::Mul)) if is(0, one) => Some(1),
        Lowering::Map(ScalarOp::Binary(Binary::Div)) if is(1, one) => Some(0),
        Lowering::Map(ScalarOp::Binary(Binary::Sub)) if is(1, zero) => Some(0),
        Lowering::Map(ScalarOp::Binary(Binary::Add)) if is(1, nothing) => Some(0),
        Lowering::Map(ScalarOp::Binary(Binary::Add)) if is(0, nothing) => Some(1),
        Lowering::Map(ScalarOp::Binary(Binary::And)) if is(1, truth) => Some(0),
        Lowering::Map(ScalarOp::Binary(Binary::And)) if is(0, truth) => Some(1),
        Lowering::Map(ScalarOp::Select) => match constant(0) {
            Some(p) => Some(if p.bits != 0 { 1 } else { 2 }),
            None => (args[1] == args[2]).then_some(1),
        },
        Lowering::Map(ScalarOp::Unary(Unary::Neg)) => return known[args[0].index()].negated,
        Lowering::Map(ScalarOp::Convert(_)) | Lowering::Reshape if b.ty(args[0]) == ty => Some(0),
        Lowering::Map(ScalarOp::Convert(_)) => return known[args[0].index()].widened.filter(|&x| b.ty(x) == ty),
        Lowering::View(view) if b.ty(args[0]) == ty => {
            let same = |(a, x): (usize, &crate::primitive::ViewAxis)| x.offset == 0 && x.from == Some((a, 1));
            view.axes.iter().enumerate().all(same).then_some(0)
        }
        _ => None,
    };
    position.map(|i| args[i])
}

/// Whether a float dtype has all numbers of another.
fn has_all_of(wide: DType, narrow: DType) -> bool {
    matches!((wide, narrow), (DType::F32 | DType::F64, DType::F16 | DType::BF16) | (DType::F64, DType::F32))
}

fn commutes(op: ScalarOp) -> bool {
    use Binary::{Add, And, Max, Min, Mul, Or, Xor};
    use wengert_kernel::Comparison::{Eq, Ne};
    matches!(op, ScalarOp::Binary(Add | Mul | Max | Min | And | Or | Xor) | ScalarOp::Compare(Eq | Ne))
}

fn without_dead_code(program: Program) -> Program {
    keep_live(program, |e| e.op.effect() != Effect::None)
}

/// The program without effects whose results nobody reads: what a recomputation runs.
pub(crate) fn without_effects(program: Program) -> Program {
    keep_live(program, |_| false)
}

fn keep_live(program: Program, wanted: impl Fn(&super::Equation) -> bool) -> Program {
    let mut live = vec![false; program.vars()];
    for v in program.outputs() {
        live[v.index()] = true;
    }
    /// What becomes of an equation.
    enum Fate {
        Dead,
        Whole,
        Smaller(Box<crate::primitive::Pruned>),
    }
    let mut fates = Vec::with_capacity(program.equations().len());
    for e in program.equations().iter().rev() {
        let alive: Vec<bool> = e.results().map(|v| live[v.index()]).collect();
        let any = alive.iter().any(|&l| l);
        let fate = if !any && !wanted(e) {
            Fate::Dead
        } else {
            match if e.op.programs().is_empty() { None } else { e.op.prune(&alive) } {
                Some(pruned) => Fate::Smaller(Box::new(pruned)),
                None => Fate::Whole,
            }
        };
        match &fate {
            Fate::Dead => {}
            Fate::Whole => e.args.iter().for_each(|a| live[a.index()] = true),
            Fate::Smaller(p) => p.args.iter().for_each(|&i| live[e.args[i].index()] = true),
        }
        fates.push(fate);
    }
    if fates.iter().all(|fate| matches!(fate, Fate::Whole)) {
        return program;
    }
    let mut b = Builder::as_large_as(&program);
    const NONE: Var = Var(u32::MAX);
    let mut env: Vec<Var> = program.input_types().iter().map(|ty| b.input(ty.clone())).collect();
    env.resize(program.vars(), NONE);
    for (e, fate) in program.equations().iter().zip(fates.into_iter().rev()) {
        match fate {
            Fate::Dead => {}
            Fate::Whole => {
                let args = e.args.iter().map(|a| env[a.index()]).collect();
                for (old, new) in e.results().zip(b.copy(e, args, &program)) {
                    env[old.index()] = new;
                }
            }
            Fate::Smaller(p) => {
                let args = p.args.iter().map(|&i| env[e.args[i].index()]).collect();
                let old: Vec<Var> = p.results.iter().map(|&i| Var(e.first.0 + i as u32)).collect();
                let types: Vec<Type> = old.iter().map(|&v| program.ty(v).clone()).collect();
                let new = b.push(p.op, args, types, e.source.clone());
                for (old, new) in old.into_iter().zip(new.results()) {
                    env[old.index()] = new;
                }
            }
        }
    }
    let outputs: Vec<Var> = program.outputs().iter().map(|v| env[v.index()]).collect();
    b.finish(&outputs)
}
