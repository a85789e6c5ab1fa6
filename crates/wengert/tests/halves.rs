//! `f16` and `bf16`: kept in 16 bits, computed with as `f32`, in every engine and under every transform.

use wengert::linalg;
use wengert::prelude::*;
use wengert::{Array, DType, Span, bf16, f16, fori_loop, grad, interpret, jit, jvp, random, scan, trace, vjp, vmap};

const HALVES: [DType; 2] = [DType::F16, DType::BF16];

/// Bits of halves; what is no half, as numbers.
fn numbers(x: &Array) -> Vec<f64> {
    match x.dtype() {
        DType::F16 => x.to_vec::<f16>().expect("f16").iter().map(|x| f64::from(x.to_bits())).collect(),
        DType::BF16 => x.to_vec::<bf16>().expect("bf16").iter().map(|x| f64::from(x.to_bits())).collect(),
        _ => x.convert(DType::F64).to_vec().expect("numbers"),
    }
}

fn of_bits(dtype: DType, bits: &[f64]) -> Array {
    let bits = bits.iter().map(|&b| b as u16);
    match dtype {
        DType::F16 => Array::from(bits.map(f16::from_bits).collect::<Vec<_>>()),
        _ => Array::from(bits.map(bf16::from_bits).collect::<Vec<_>>()),
    }
}

type Function = fn(&Array) -> Array;

const FUNCTIONS: &[(&str, Function)] = &[
    ("neg", |x| -x),
    ("abs", |x| x.abs()),
    ("sin", |x| x.sin()),
    ("cos", |x| x.cos()),
    ("tanh", |x| x.tanh()),
    ("exp", |x| x.exp()),
    ("log", |x| x.abs().log()),
    ("log1p", |x| x.abs().log1p()),
    ("sqrt", |x| x.abs().sqrt()),
    ("logistic", |x| x.logistic()),
    ("erf", |x| x.erf()),
    ("square", |x| x.square()),
    ("add", |x| x + 0.1),
    ("mul", |x| x * x.flip(0)),
    ("div", |x| x / (2.0 + x.flip(0) * x.flip(0))),
    ("maximum", |x| x.maximum(x.flip(0))),
    ("where", |x| x.gt(0.5).select(x, 2.0 * x)),
    ("sum", |x| x.sum()),
    ("mean", |x| x.mean()),
    ("max", |x| x.max()),
    ("softmax", |x| x.softmax(-1)),
    ("logsumexp", |x| x.logsumexp()),
    ("dot", |x| x.reshape((8, 8)).dot(&x.reshape((8, 8)).transpose())),
    ("sort", |x| x.sort(0)),
    ("gather", |x| x.take(array![3, 3, 0, 60], 0)),
    ("reverse", |x| x.slice(Span::from(..).step_by(2)).flip(0)),
    ("to f32", |x| x.convert(DType::F32)),
    ("to i32", |x| (100.0 * x).convert(DType::I32)),
    ("concatenate", |x| concatenate(&[x.slice(..5), x.clone()], 0)),
];

/// Bits of a half as a number whose neighbours are one away.
fn place(bits: f64) -> f64 {
    if bits >= 32768.0 { 32768.0 - bits } else { bits }
}

#[test]
fn values_and_gradients_are_those_of_jax() {
    let text = include_str!("golden/halves.json");
    let cases: serde_json::Value = serde_json::from_str(text).expect("the file is JSON");
    assert_eq!(cases.as_object().expect("an object").len(), FUNCTIONS.len());
    let read = |v: &serde_json::Value| -> Vec<f64> {
        v.as_array().expect("numbers").iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    for (name, f) in FUNCTIONS {
        for dtype in HALVES {
            let case = &cases[*name][dtype.name()];
            let x = of_bits(dtype, &read(&case["x"]));
            let y = f(&x);
            let long = if dtype == DType::F16 { "float16" } else { "bfloat16" };
            let name_of_jax = case["dtype"].as_str().expect("a dtype");
            assert!(if y.dtype() == dtype { name_of_jax == long } else { name_of_jax.ends_with("32") }, "{name}");
            let (found, wanted) = (numbers(&y), read(&case["y"]));
            assert_eq!(found.len(), wanted.len(), "{name}");
            for (found, wanted) in found.into_iter().zip(wanted) {
                let (found, wanted) = if y.dtype().is_half() { (place(found), place(wanted)) } else { (found, wanted) };
                // The same bits; JAX's logistic rounds between its steps.
                let most = if *name == "logistic" { 1.0 } else { 0.0 };
                assert!((found - wanted).abs() <= most, "{name} in {dtype}: {found}, JAX {wanted}");
            }
            assert_eq!(numbers(&jit(|x: Array| f(&x))(x.clone())), numbers(&y), "compiled, {name} in {dtype}");
            if y.dtype().is_float() {
                let gradient = grad(|x: Array| f(&x).sum());
                let ct = gradient(x.clone());
                assert_eq!(ct.dtype(), dtype);
                let found = ct.convert(DType::F64).to_vec::<f64>().expect("numbers");
                for (found, wanted) in found.into_iter().zip(read(&case["gradient"])) {
                    let error = (found - wanted).abs() / (1.0 + wanted.abs()) / dtype.epsilon();
                    assert!(error <= 4.0, "gradient of {name} in {dtype}: {found}, JAX {wanted}, {error} roundings");
                }
                assert_eq!(numbers(&jit(&gradient)(x.clone())), numbers(&ct), "compiled gradient, {name} in {dtype}");
            }
        }
    }
}

#[test]
fn sums_are_of_f32() {
    // In 16 bits a sum of this many would stop at 4, or overflow.
    let x = full(100_000, bf16::from_f64(0.01));
    assert_eq!(x.sum().to_string(), "1000.0");
    let (_, in_16_bits) =
        fori_loop(0, 1000, |_, (x, sum): (Array, Array)| (x.clone(), sum + x), (x.at(0), x.at(0) * 0.0));
    assert_eq!(in_16_bits.to_string(), "4.0");
    let y = full(4, f16::from_f64(40_000.0));
    assert_eq!(y.mean(), Array::from(f16::from_f64(40_000.0)));
    assert_eq!(y.std(), Array::from(f16::ZERO));
    assert_eq!((y.norm() * 0.5).to_string(), "inf", "each result is rounded");
    assert_eq!(linalg::norm(&y, linalg::Norm::Fro).to_string(), "inf");
    assert_eq!(full((3, 1000), f16::ONE).dot(&full((1000, 2), f16::ONE)), full((3, 2), f16::from_f64(1000.0)));
}

#[test]
fn programs_convert_around_what_computes() {
    let x = array![1.0, 2.0].convert(DType::F16);
    let program = trace(|x: Array| (x.exp() + &x).flip(0), &x);
    let text = program.to_string();
    assert_eq!(text.matches("convert").count(), 2, "{text}");
    assert!(text.contains(": f16[2] = add") && text.contains(": f16[2] = reverse"), "{text}");
    assert_eq!(wengert::parse(&text).expect("it reads back"), *program);
    let wrong = "program (%0: bf16[2]) {\n  %1: bf16[2] = exp %0\n  return %1\n}\n";
    let error = wengert::parse(wrong).unwrap_err().to_string();
    assert!(error.contains("it computes with bf16 as f32; `convert` the operand"), "{error}");
}

/// To a dtype that has all numbers of the other, and back, is nothing; the other way round it rounds.
#[test]
fn a_conversion_there_and_back() {
    let equations = |from: DType, over: DType| {
        let x = Array::from(1.0).convert(from);
        trace(|x: Array| x.convert(over).convert(from), &x).equations().len()
    };
    for (narrow, wide) in [
        (DType::F16, DType::F32),
        (DType::BF16, DType::F32),
        (DType::F16, DType::F64),
        (DType::BF16, DType::F64),
        (DType::F32, DType::F64),
    ] {
        assert_eq!(equations(narrow, wide), 0, "{narrow} {wide}");
        assert_eq!(equations(wide, narrow), 2, "{wide} {narrow}");
    }
    for (from, over) in [(DType::F16, DType::BF16), (DType::BF16, DType::F16), (DType::F64, DType::I64)] {
        assert_eq!(equations(from, over), 2, "{from} {over}");
    }
}

#[test]
fn literals_and_constants_read_back() {
    for dtype in HALVES {
        let f = |x: Array| x.gt(0.0).select(0.1, x * 1.5);
        let program = trace(f, &Array::from(1.0).convert(dtype));
        let text = program.to_string();
        assert!(text.contains(&format!("0.1{dtype}")), "{text}");
        assert_eq!(wengert::parse(&text).expect("it reads back"), *program);
    }
}

#[test]
fn engines_agree_through_loops_branches_and_lanes() {
    for dtype in HALVES {
        let ws = random::normal(&random::key(1), dtype, (6, 4));
        let xs = random::normal(&random::key(2), dtype, (5, 4));
        let f = |x: Array| {
            let step = |h: Array, w: Array| {
                let h = (&h * &w).tanh() + 0.5;
                let h = cond(&h.sum().gt(1.0), || h.sin(), || &h * 2.0);
                (h.clone(), h.mean())
            };
            let (h, ys) = scan(step, x, ws.clone());
            let (_, h) = while_loop(
                |(k, _): (Array, Array)| k.lt(3),
                |(k, h): (Array, Array)| (k + 1, h * 0.75),
                (Array::from(0), h),
            );
            h.sum() + ys.sum() + ws.sum_axis(0).dot(&h)
        };
        let value = vmap(f);
        let slope = vmap(grad(f));
        let curve = |xs: Array| jvp(|xs: Array| vmap(grad(f))(xs))(xs.clone(), xs).1;
        for (what, y, compiled, interpreted) in [
            ("value", value(xs.clone()), jit(&value)(xs.clone()), interpret(&value)(xs.clone())),
            ("gradient", slope(xs.clone()), jit(&slope)(xs.clone()), interpret(&slope)(xs.clone())),
            ("second", curve(xs.clone()), jit(curve)(xs.clone()), interpret(curve)(xs.clone())),
        ] {
            assert_eq!(y.dtype(), dtype, "{what}");
            assert_eq!(numbers(&compiled), numbers(&interpreted), "{what} in {dtype}");
            assert_eq!(numbers(&compiled), numbers(&y), "{what} in {dtype}");
        }
        // Against f32, to the digits that a half has.
        let single = vmap(grad(|x: Array| {
            let y = f(x.convert(dtype));
            y.convert(DType::F32)
        }))(xs.convert(DType::F32));
        let difference = (single - slope(xs).convert(DType::F32)).abs().max().item::<f32>().expect("a number");
        assert!(f64::from(difference) < 64.0 * dtype.epsilon(), "{difference}");
    }
}

#[test]
fn cotangents_of_rows_meet() {
    for dtype in HALVES {
        let xs = array![1.0, 2.0, 3.0].convert(dtype);
        // Every row is read twice: two lists of cotangents are added.
        let f = |xs: Array| {
            let twice = scan(|c: Array, x: Array| (&c + &x * &x, &c * &x), Array::from(0.0).convert(dtype), xs.clone());
            twice.0 + twice.1.sum() + xs.take(array![0, 0, 2], 0).sum()
        };
        // c: 0 1 5, ys: 0 2 15; d/dx of the sum of squares, of the products, of the rows taken.
        let (_, back) = vjp(f, xs.clone());
        let ct = back(Array::from(1.0).convert(dtype));
        assert_eq!(numbers(&ct.convert(DType::F64)), [2.0 + 2.0 * 5.0 + 2.0, 4.0 + 1.0 + 4.0 * 3.0, 6.0 + 5.0 + 1.0]);
        assert_eq!(ct, jit(grad(f))(xs));
    }
}

#[test]
fn promotion_is_that_of_jax() {
    let half = Array::from(f16::from_f64(1.5));
    let brain = Array::from(bf16::from_f64(1.5));
    assert_eq!((&half + &brain).dtype(), DType::F32);
    assert_eq!((&half + Array::from(1i64)).dtype(), DType::F16);
    assert_eq!((&brain * 2.0).dtype(), DType::BF16);
    assert_eq!((&brain + Array::from(1f32)).dtype(), DType::F32);
    assert_eq!(complex(&half, &half).dtype(), DType::C64);
    assert_eq!((&half / 3).dtype(), DType::F16);
}

#[test]
fn neighbours() {
    for dtype in HALVES {
        let bits: Vec<f64> = (0..65535u16).map(f64::from).collect();
        let x = of_bits(dtype, &bits);
        let up = numbers(&x.nextafter(f64::INFINITY));
        let down = numbers(&x.nextafter(f64::NEG_INFINITY));
        let infinity: u16 = if dtype == DType::F16 { 0x7c00 } else { 0x7f80 };
        for bits in 0..=infinity {
            let i = usize::from(bits);
            let above = if bits == infinity { bits } else { bits + 1 };
            assert_eq!(up[i], f64::from(above), "{dtype} {bits:#x}");
            assert_eq!(down[i | 0x8000], f64::from(above | 0x8000), "{dtype} -{bits:#x}");
            let below = if bits == 0 { 0x8001 } else { bits - 1 };
            assert_eq!(down[i], f64::from(below), "{dtype} {bits:#x}");
        }
        assert!(x.nextafter(f64::NAN).is_nan().all().item::<bool>().unwrap());
    }
}

#[test]
fn functions_of_many_steps_round_once() {
    for dtype in HALVES {
        let a = array![0.5, 1.5, 3.0].convert(dtype);
        let x = array![0.25, 2.0, 2.5].convert(dtype);
        type Function = fn(&Array, &Array) -> Array;
        let functions: [(&str, Function); 20] = [
            ("igamma", |a, x| a.igamma(x)),
            ("igammac", |a, x| a.igammac(x)),
            ("betainc", |a, x| (x * 0.25).betainc(a, 2.0)),
            ("zeta", |a, x| (a + 1.5).zeta(x)),
            ("i0", |a, _| a.i0()),
            ("i0e", |a, _| a.i0e()),
            ("i1", |a, _| a.i1()),
            ("i1e", |a, _| a.i1e()),
            ("polygamma", |a, _| a.polygamma(2)),
            ("gelu", |a, _| a.gelu()),
            ("softmax", |a, _| a.softmax(-1)),
            ("log_softmax", |a, _| a.log_softmax(-1)),
            ("logsumexp", |a, _| a.logsumexp()),
            ("cumlogsumexp", |a, _| a.cumlogsumexp(0)),
            ("mean", |a, _| a.mean()),
            ("var", |a, _| a.var()),
            ("var_ddof", |a, _| a.var_ddof(0, 1)),
            ("norm_p", |a, _| a.norm_p(3.0, 0)),
            ("norm", |a, x| linalg::norm(&(a.expand_dims(0) * x.expand_dims(1)), linalg::Norm::Nuc)),
            ("expm", |a, x| linalg::expm(&(a.expand_dims(0) * x.expand_dims(1) * 0.25))),
        ];
        for (name, f) in functions {
            let single = f(&a.convert(DType::F32), &x.convert(DType::F32)).convert(dtype);
            // Products of operands are rounded before the function sees them; all others are rounded once.
            let most = if matches!(name, "betainc" | "norm" | "expm" | "zeta") { 2.0 } else { 0.0 };
            let close = |x: &Array, y: &Array| {
                numbers(x).into_iter().zip(numbers(y)).all(|(a, b)| (place(a) - place(b)).abs() <= most)
            };
            assert!(close(&f(&a, &x), &single), "{name} in {dtype}: {} and {single}", f(&a, &x));
        }
    }
}

#[test]
fn random_halves() {
    for dtype in HALVES {
        let u = random::uniform(&random::key(0), dtype, 100_000);
        assert_eq!(u.dtype(), dtype);
        assert!((u.ge(0.0) & u.lt(1.0)).all().item::<bool>().unwrap());
        let mean = u.convert(DType::F64).mean().item::<f64>().unwrap();
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
        for draw in
            [random::normal, random::exponential, random::laplace, random::logistic, random::cauchy, random::gumbel]
        {
            let x = draw(&random::key(3), dtype, vec![1000]);
            assert_eq!(x.dtype(), dtype);
            assert_eq!(x, draw(&random::key(3), DType::F32, vec![1000]).convert(dtype));
        }
        let g = random::gamma(&random::key(1), &array![2.0].convert(dtype), 10);
        assert_eq!(g.dtype(), dtype);
    }
}

#[test]
fn text_and_memory() {
    let x = array![f16::from_f64(0.1), f16::from_f64(2.0), f16::INFINITY];
    assert_eq!(x.to_string(), "[0.1 2.  inf]");
    assert_eq!(array![-f16::NAN, f16::NAN].to_string(), "[nan nan]");
    assert_eq!(Array::from(-bf16::NAN).to_string(), "nan");
    assert_eq!(Array::from(bf16::from_f64(3.0)).to_string(), "3.0");
    assert_eq!(x.to_vec::<f16>().unwrap()[1], f16::from_f64(2.0));
    assert!(x.to_vec::<bf16>().is_err());
    let report = wengert::report(jit(|x: Array| x.sin()), full(1000, bf16::ONE)).to_string();
    assert!(report.contains("bf16[1000]"), "{report}");
}

#[test]
fn errors_name_the_operation() {
    let x = array![f16::ONE, f16::ONE];
    let error = wengert::try_call(|| x.dot(&full(3, f16::ONE))).unwrap_err().to_string();
    assert!(error.starts_with("dot: ") && error.contains("halves.rs"), "{error}");
}
