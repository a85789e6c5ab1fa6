//! Simplification alone: every rewrite that it does keeps every bit, and what would not is left as it is.
//!
//! "Every bit" is up to the payload of NaN, and over values where rewrites show: zeros of both signs, infinities, NaN, numbers next to each
//! other and at the ends of each dtype, and random bits.

#![expect(clippy::eq_op, clippy::erasing_op, reason = "programs of such operations are what is tested")]

use wengert_core::functions::where_;
use wengert_core::interpret::interpret;
use wengert_core::ops::{BinaryOp, CompareOp, Literal, Op, UnaryOp};
use wengert_core::program::{Args, Builder, Program, simplify};
use wengert_core::source::Source;
use wengert_core::trace::{Surroundings, trace_with};
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Array, DType, Scalar, Type, full};
use wengert_kernel::{Binary, Buffer, Comparison, ScalarOp, Unary};

/// Elements where a rewrite may show.
fn specials(dtype: DType) -> Vec<Scalar> {
    let floats = [
        0.0,
        0.5,
        1.0,
        1.5,
        2.0,
        3.0,
        8.0,
        10.0,
        0.1,
        1.0 / 3.0,
        1e-3,
        255.5,
        65504.0,
        1e-5,
        6e-8,
        1e-38,
        1e-45,
        1e30,
        3.4e38,
        1e-310,
        5e-324,
        1e300,
        f64::MAX,
        f64::INFINITY,
        1.0 + f64::EPSILON,
        1.0 - f64::EPSILON,
        709.0,
        16777217.0,
    ];
    match dtype {
        DType::Bool => vec![Scalar::new(false), Scalar::new(true)],
        DType::U8 => (0..=255u8).map(Scalar::new).collect(),
        _ if dtype.is_float() => {
            let signed = floats.into_iter().flat_map(|x| [x, -x]).chain([f64::NAN]);
            signed.map(|x| ScalarOp::Convert(dtype).eval(&[Scalar::new(x)])).collect()
        }
        _ => {
            let (top, all) = (1u64 << (8 * dtype.size() - 1), u64::MAX >> (64 - 8 * dtype.size()));
            let bits = [0, 1, 2, 3, 7, 10, 31, 32, 63, 64, top - 2, top - 1, top, top + 1, all - 1, all, all / 3];
            bits.into_iter().map(|bits| Scalar { dtype, bits }).collect()
        }
    }
}

/// Two arrays: all pairs of special elements, then pairs of random bits.
fn pairs(dtype: DType) -> [Value; 2] {
    let some = specials(dtype);
    let mut all: Vec<[Scalar; 2]> = some.iter().flat_map(|&x| some.iter().map(move |&y| [x, y])).collect();
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let bits = (state >> 11) ^ (state << 23);
        match dtype {
            DType::Bool => Scalar::new(bits & 1 == 0),
            _ => Scalar { dtype, bits: bits & (u64::MAX >> (64 - 8 * dtype.size())) },
        }
    };
    all.extend((0..20_000).map(|_| [random(), random()]));
    [0, 1].map(|side| {
        let mut buffer = Buffer::zeros(dtype, all.len());
        all.iter().enumerate().for_each(|(i, pair)| buffer.set(i, pair[side]));
        ArrayValue::in_buffer(&[all.len()], buffer.into()).into()
    })
}

type Function = fn(&Array, &Array) -> Array;

/// What the function records of two arrays.
fn recorded(f: impl Fn(&Array, &Array) -> Array, args: &[Value; 2]) -> Program {
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    trace_with(&types, 0, Surroundings::Closed, |x| vec![f(&x[0], &x[1])]).program
}

/// The elements' bits, any NaN being any other.
fn bits(value: &ArrayValue) -> Vec<u64> {
    let not_a_number = |x: Scalar| {
        x.dtype.is_float() && ScalarOp::Convert(DType::F64).eval(&[x]).get::<f64>().is_some_and(f64::is_nan)
    };
    (0..value.size()).map(|i| value.get(i)).map(|x| if not_a_number(x) { u64::MAX } else { x.bits }).collect()
}

fn run(program: &Program, args: &[Value; 2]) -> Vec<u64> {
    bits(interpret(program, args.to_vec()).expect("nothing fails")[0].array())
}

/// Panics, with an element that differs, unless both programs give the same bits.
fn same(name: &str, program: &Program, other: &Program, args: &[Value; 2]) {
    let (x, y) = (run(program, args), run(other, args));
    if let Some(i) = (0..x.len()).find(|&i| x[i] != y[i]) {
        let [a, b] = args.each_ref().map(|a| a.array().get(i));
        panic!("{name} at {a} and {b}: bits {:x}, then {:x}\n{program}\n{other}", x[i], y[i]);
    }
}

/// A name, the dtypes it is about, a function, and what it is or is not to be rewritten to.
type Rule = (&'static str, &'static [DType], Function, Function);

const FLOATS: &[DType] = &[DType::F16, DType::BF16, DType::F32, DType::F64];
const WHOLE_FLOATS: &[DType] = &[DType::F32, DType::F64];
/// Those that are computed with as they are; 16-bit floats are converted before and after each operation.
const WHOLE: &[DType] = &[DType::U8, DType::I32, DType::I64, DType::U32, DType::U64, DType::F32, DType::F64];
const INTEGERS: &[DType] = &[DType::U8, DType::I32, DType::I64, DType::U32, DType::U64];
const NUMBERS: &[DType] =
    &[DType::U8, DType::I32, DType::I64, DType::U32, DType::U64, DType::F16, DType::BF16, DType::F32, DType::F64];

/// A program that is done and one that takes its place.
const DONE: &[Rule] = &[
    ("x * 1 is x", NUMBERS, |x, _| x * 1, |x, _| x.clone()),
    ("1 * x is x", NUMBERS, |x, _| 1 * x, |x, _| x.clone()),
    ("x / 1 is x", NUMBERS, |x, _| x / 1, |x, _| x.clone()),
    ("x - 0 is x", NUMBERS, |x, _| x - 0, |x, _| x.clone()),
    ("x + -0 is x", FLOATS, |x, _| x + -0.0, |x, _| x.clone()),
    ("-0 + x is x", FLOATS, |x, _| -0.0 + x, |x, _| x.clone()),
    ("x + 0 of integers is x", INTEGERS, |x, _| x + 0, |x, _| x.clone()),
    ("--x is x", WHOLE, |x, _| -(-x), |x, _| x.clone()),
    ("x where true is x", NUMBERS, |x, y| where_(&full([0; 0], true), x, y), |x, _| x.clone()),
    ("y where false is y", NUMBERS, |x, y| where_(&full([0; 0], false), x, y), |_, y| y.clone()),
    ("x in both branches is x", NUMBERS, |x, y| where_(&x.gt(y), x, x), |x, _| x.clone()),
    ("x & true is x", &[DType::Bool], |x, _| x.logical_and(&full(x.shape(), true)), |x, _| x.clone()),
    ("true & x is x", &[DType::Bool], |x, _| full(x.shape(), true).logical_and(x), |x, _| x.clone()),
    (
        "widened and narrowed again",
        &[DType::F16, DType::BF16],
        |x, _| x.convert(DType::F32).convert(x.dtype()),
        |x, _| x.clone(),
    ),
    ("f32 in f64 and back", &[DType::F32], |x, _| x.convert(DType::F64).convert(DType::F32), |x, _| x.clone()),
    (
        "the same twice",
        NUMBERS,
        |x, y| (x + y) * (x + y),
        |x, y| {
            let sum = x + y;
            &sum * &sum
        },
    ),
    (
        "operands in another order",
        NUMBERS,
        |x, y| x * y + y * x,
        |x, y| {
            let product = x * y;
            &product + &product
        },
    ),
];

/// A program that must be left alone, and one that a mistake would make of it.
const FORBIDDEN: &[Rule] = &[
    ("x * 0 is not 0", FLOATS, |x, _| x * 0, |x, _| full(x.shape(), 0).convert(x.dtype())),
    ("0 * x is not 0", FLOATS, |x, _| 0 * x, |x, _| full(x.shape(), 0).convert(x.dtype())),
    ("x - x is not 0", FLOATS, |x, _| x - x, |x, _| full(x.shape(), 0).convert(x.dtype())),
    ("x / x is not 1", NUMBERS, |x, _| x / x, |x, _| full(x.shape(), 1).convert(x.dtype())),
    ("0 / x is not 0", NUMBERS, |x, _| 0 / x, |x, _| full(x.shape(), 0).convert(x.dtype())),
    ("x + 0 is not x", FLOATS, |x, _| x + 0, |x, _| x.clone()),
    ("0 + x is not x", FLOATS, |x, _| 0 + x, |x, _| x.clone()),
    ("x - -0 is not x", FLOATS, |x, _| x - -0.0, |x, _| x.clone()),
    ("0 - x is not -x", FLOATS, |x, _| 0 - x, |x, _| -x),
    ("-(x - y) is not y - x", FLOATS, |x, y| -(x - y), |x, y| y - x),
    ("(x + y) - y is not x", FLOATS, |x, y| (x + y) - y, |x, _| x.clone()),
    ("(x * y) / y is not x", NUMBERS, |x, y| (x * y) / y, |x, _| x.clone()),
    ("(x / y) * y is not x", NUMBERS, |x, y| (x / y) * y, |x, _| x.clone()),
    ("sums are not reassociated", FLOATS, |x, y| (x + y) + 1, |x, y| x + (y + 1)),
    ("constants of a sum are not put together", FLOATS, |x, _| (x + 0.1) + 0.2, |x, _| x + (0.1 + 0.2)),
    ("products are not reassociated", FLOATS, |x, y| (x * y) * 3, |x, y| x * (y * 3)),
    ("factors are not put together", FLOATS, |x, _| (x * 0.1) * 3, |x, _| x * (0.1 * 3.0)),
    ("products are not factored out", FLOATS, |x, y| x * 3 + y * 3, |x, y| (x + y) * 3),
    (
        "a quotient is no product by the reciprocal",
        FLOATS,
        |x, _| x / 3,
        |x, _| x * (1 / full([0; 0], 3).convert(x.dtype())),
    ),
    ("a quotient by y likewise", FLOATS, |x, y| x / y, |x, y| x * (1 / y)),
    ("1 / (1 / x) is not x", FLOATS, |x, _| 1 / (1 / x), |x, _| x.clone()),
    ("sqrt(x * x) is not |x|", FLOATS, |x, _| (x * x).sqrt(), |x, _| x.abs()),
    ("sqrt(x) squared is not x", FLOATS, |x, _| x.sqrt() * x.sqrt(), |x, _| x.clone()),
    ("exp(log(x)) is not x", FLOATS, |x, _| x.log().exp(), |x, _| x.clone()),
    ("log(exp(x)) is not x", FLOATS, |x, _| x.exp().log(), |x, _| x.clone()),
    ("exp(x) exp(y) is not exp(x + y)", FLOATS, |x, y| x.exp() * y.exp(), |x, y| (x + y).exp()),
    ("the greater is no choice by >", FLOATS, |x, y| x.maximum(y), |x, y| where_(&x.gt(y), x, y)),
    ("the lesser is no choice by <", FLOATS, |x, y| x.minimum(y), |x, y| where_(&x.lt(y), x, y)),
    ("a choice by > is not the greater", FLOATS, |x, y| where_(&x.gt(y), x, y), |x, y| x.maximum(y)),
    ("the greater of x and 0 is no choice by <", FLOATS, |x, _| x.maximum(0), |x, _| where_(&x.lt(0), 0, x)),
    ("x = x is not true", FLOATS, |x, _| x.eq(x), |x, _| full(x.shape(), true)),
    ("x <= x is not true", FLOATS, |x, _| x.le(x), |x, _| full(x.shape(), true)),
    ("x != x is not false", FLOATS, |x, _| x.ne(x), |x, _| full(x.shape(), false)),
    ("not (x < y) is not x >= y", FLOATS, |x, y| x.lt(y).logical_not(), |x, y| x.ge(y)),
    ("|x| >= 0 is not true", FLOATS, |x, _| x.abs().ge(0), |x, _| full(x.shape(), true)),
    (
        "f64 in f32 and back is rounded",
        &[DType::F64],
        |x, _| x.convert(DType::F32).convert(DType::F64),
        |x, _| x.clone(),
    ),
    (
        "f32 in f16 and back is rounded",
        &[DType::F32],
        |x, _| x.convert(DType::F16).convert(DType::F32),
        |x, _| x.clone(),
    ),
    (
        "f16 in bf16 and back is rounded",
        &[DType::F16],
        |x, _| x.convert(DType::BF16).convert(DType::F16),
        |x, _| x.clone(),
    ),
    (
        "floats in integers and back are cut",
        WHOLE_FLOATS,
        |x, _| x.convert(DType::I64).convert(x.dtype()),
        |x, _| x.clone(),
    ),
    (
        "i64 in f64 and back is rounded",
        &[DType::I64, DType::U64],
        |x, _| x.convert(DType::F64).convert(x.dtype()),
        |x, _| x.clone(),
    ),
    ("x * 2 / 2 of integers wraps", INTEGERS, |x, _| (x * 2) / 2, |x, _| x.clone()),
    ("x + 1 > x of integers wraps", INTEGERS, |x, _| (x + 1).gt(x), |x, _| full(x.shape(), true)),
    (
        "a product is rounded before it is added to",
        &[DType::F32],
        |x, y| x * y + 1,
        |x, y| (x.convert(DType::F64) * y.convert(DType::F64) + 1).convert(DType::F32),
    ),
    ("0 and -0 are two literals", FLOATS, |x, _| (x + 0) * (x + -0.0), |x, _| (x + 0) * (x + 0)),
];

#[test]
fn what_is_rewritten_keeps_every_bit() {
    for &(name, dtypes, f, simpler) in DONE {
        for &dtype in dtypes {
            let args = pairs(dtype);
            let (program, simpler) = (recorded(f, &args), recorded(simpler, &args));
            let simplified = simplify(&program);
            assert!(simplified == simplify(&simpler), "{name}, of {dtype}, is not done\n{simplified}");
            same(name, &program, &simpler, &args);
            same(name, &program, &simplified, &args);
        }
    }
}

#[test]
fn what_would_change_a_bit_is_left_alone() {
    for &(name, dtypes, f, mistaken) in FORBIDDEN {
        for &dtype in dtypes {
            let args = pairs(dtype);
            let (program, mistaken) = (recorded(f, &args), recorded(mistaken, &args));
            let simplified = simplify(&program);
            same(&format!("{name}, of {dtype}"), &program, &simplified, &args);
            assert_ne!(run(&program, &args), run(&mistaken, &args), "{name}, of {dtype}: nothing here would show it");
            assert!(simplified != simplify(&mistaken), "{name}, of {dtype}\n{simplified}");
        }
    }
}

/// The program that gives `op` of its two inputs, and the same with its operands in the other order.
fn both_orders(op: &Op, ty: &Type) -> Option<Program> {
    let result = op.infer(&[ty.clone(), ty.clone()]).ok()?;
    let mut b = Builder::new();
    let (x, y) = (b.input(ty.clone()), b.input(ty.clone()));
    let mut push = |args: [_; 2]| b.push(op.clone(), args.into_iter().collect(), result.clone(), Source::Unknown).first;
    let outputs = [push([x, y]), push([y, x])];
    Some(b.finish(&outputs))
}

#[test]
fn operands_change_places_only_where_that_changes_nothing() {
    let binary = Binary::ALL.iter().map(|&op| Op::from(BinaryOp(op)));
    let all: Vec<Op> = binary.chain(Comparison::ALL.iter().map(|&op| CompareOp(op).into())).collect();
    let (mut merged, mut apart) = (0, 0);
    for dtype in DType::ALL {
        let args = pairs(dtype);
        for op in &all {
            let Some(program) = both_orders(op, &args[0].ty()) else { continue };
            let results = interpret(&program, args.to_vec()).expect("nothing fails");
            let equal = bits(results[0].array()) == bits(results[1].array());
            let simplified = simplify(&program);
            let one = simplified.outputs()[0] == simplified.outputs()[1];
            assert!(equal || !one, "{} of {dtype} depends on the order", op.name());
            (merged, apart) = (merged + one as usize, apart + !equal as usize);
        }
    }
    assert!(merged > 30 && apart > 30, "{merged} merged, {apart} that depend on the order");
}

/// Whether a scalar operation on constants and on inputs gives the same, where it has a meaning for the dtype.
fn folds(op: &Op, constants: &[Scalar]) -> bool {
    let types: Vec<Type> = constants.iter().map(|c| Type::scalar(c.dtype)).collect();
    let Ok(result) = op.infer(&types) else { return false };
    let mut b = Builder::new();
    let mut literal = |c: &Scalar| {
        let (op, args) = (Op::from(Literal(*c)), Args::new());
        b.push(op, args, [Type::scalar(c.dtype)], Source::Unknown).first
    };
    let literals: Args = constants.iter().map(&mut literal).collect();
    let v = b.push(op.clone(), literals, result.clone(), Source::Unknown).first;
    let folded = simplify(&b.finish(&[v]));
    assert!(matches!(folded.equations(), [e] if e.args.is_empty()), "{} is folded\n{folded}", op.name());
    let mut b = Builder::new();
    let inputs: Args = types.iter().map(|ty| b.input(ty.clone())).collect();
    let v = b.push(op.clone(), inputs, result, Source::Unknown).first;
    let args = constants.iter().map(|&c| ArrayValue::scalar(c).into()).collect();
    let found = interpret(&folded, Vec::new()).expect("nothing fails").remove(0);
    let wanted = interpret(&b.finish(&[v]), args).expect("nothing fails").remove(0);
    assert_eq!(bits(found.array()), bits(wanted.array()), "{} of {constants:?}", op.name());
    true
}

#[test]
fn constants_are_folded_to_what_the_operation_gives() {
    let mut count = 0;
    for dtype in DType::ALL {
        let some = specials(dtype);
        // All of the bytes are too many pairs for a program each.
        let some: Vec<Scalar> = if some.len() > 100 { some.into_iter().step_by(17).collect() } else { some };
        for &op in Unary::ALL {
            count += some.iter().filter(|&&x| folds(&UnaryOp(op).into(), &[x])).count();
        }
        for op in Binary::ALL
            .iter()
            .map(|&op| Op::from(BinaryOp(op)))
            .chain(Comparison::ALL.iter().map(|&op| CompareOp(op).into()))
        {
            count +=
                some.iter().flat_map(|&x| some.iter().map(move |&y| [x, y])).filter(|pair| folds(&op, pair)).count();
        }
    }
    assert!(count > 100_000, "{count} were folded");
}
