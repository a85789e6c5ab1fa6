//! Rewrites that change bits are done nowhere on the way to machine code.
//!
//! Each stands beside what it would make: data on which the two differ shows that the test would see it, and machine code must
//! give the bits of the interpreter at every length, so in scalar code, in narrow and wide vector loops and in their rests, in `f32` and `f64`.

#![expect(clippy::eq_op, clippy::erasing_op, reason = "programs of such operations are what is tested")]

use wengert::prelude::*;

type Function = fn(&Array, &Array) -> Array;

/// A name, what must stay, what it must not become.
const FORBIDDEN: &[(&str, Function, Function)] = &[
    ("x * 0 to 0", |x, _| x * 0, |x, _| zeros_like(x)),
    ("x - x to 0", |x, _| x - x, |x, _| zeros_like(x)),
    ("x / x to 1", |x, _| x / x, |x, _| ones_like(x)),
    ("0 / x to 0", |x, _| 0 / x, |x, _| zeros_like(x)),
    ("x + 0 to x", |x, _| x + 0, |x, _| x.clone()),
    ("x - -0 to x", |x, _| x - -0.0, |x, _| x.clone()),
    ("0 - x to -x", |x, _| 0 - x, |x, _| -x),
    ("-(x - y) to y - x", |x, y| -(x - y), |x, y| y - x),
    ("(x + y) - y to x", |x, y| (x + y) - y, |x, _| x.clone()),
    ("(x * y) / y to x", |x, y| (x * y) / y, |x, _| x.clone()),
    ("reassociated sums", |x, y| ((x + y) + 0.1) + x, |x, y| (x + y) + (x + 0.1)),
    ("reassociated products", |x, y| ((x * y) * 0.1) * x, |x, y| (x * y) * (x * 0.1)),
    ("factored products", |x, y| x * 0.3 + y * 0.3, |x, y| (x + y) * 0.3),
    ("a quotient by 3 as a product", |x, _| x / 3, |x, _| x * (1 / (ones_like(x) * 3))),
    ("a quotient by y as a product", |x, y| x / y, |x, y| x * (1 / y)),
    ("1 / (1 / x) to x", |x, _| 1 / (1 / x), |x, _| x.clone()),
    ("sqrt(x * x) to |x|", |x, _| (x * x).sqrt(), |x, _| x.abs()),
    ("sqrt(x)^2 to x", |x, _| x.sqrt().square(), |x, _| x.clone()),
    ("exp(log x) to x", |x, _| x.log().exp(), |x, _| x.clone()),
    ("log(exp x) to x", |x, _| x.exp().log(), |x, _| x.clone()),
    ("the greater, without its NaN", |x, y| x.maximum(y), |x, y| where_(&y.gt(x), y, x)),
    ("the lesser, without its NaN", |x, y| x.minimum(y), |x, y| where_(&y.lt(x), y, x)),
    ("a choice to the greater", |x, y| where_(&x.gt(y), x, y), |x, y| x.maximum(y)),
    ("a choice to the lesser", |x, y| where_(&x.lt(y), x, y), |x, y| x.minimum(y)),
    ("x = x to true", |x, _| where_(&x.eq(x), 1.0, x), |x, _| ones_like(x)),
    ("not (x < y) to x >= y", |x, y| where_(&x.lt(y).logical_not(), x, y), |x, y| where_(&x.ge(y), x, y)),
];

/// Elements where these rewrites show.
const SPECIALS: [f64; 20] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    -3.0,
    10.0,
    1.0 / 3.0,
    7.7,
    1e-3,
    -1e-40,
    1e-310,
    1e30,
    -1e38,
    1e300,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    1.0 + f64::EPSILON,
    88.0,
];

/// All pairs of them in two arrays, `n` of the elements from `start` on.
fn pairs(dtype: DType, start: usize, n: usize) -> (Array, Array) {
    let k = SPECIALS.len();
    let of = |at: &dyn Fn(usize) -> usize| {
        Array::from((0..n).map(|i| SPECIALS[at((start + i) % (k * k))]).collect::<Vec<f64>>()).convert(dtype)
    };
    (of(&|i| i / k), of(&|i| i % k))
}

/// The elements' bytes, every NaN being the same.
fn bits(x: &Array) -> Vec<u8> {
    let same = where_(&x.is_nan(), f64::NAN, x);
    same.into_value("comparing").expect("it is concrete").array().buffer.bytes().to_vec()
}

/// Lengths and where the elements begin: numbers, short and odd vectors, all pairs, more than a tile.
const STRETCHES: [(usize, usize); 8] = [(1, 0), (1, 37), (3, 5), (7, 100), (16, 320), (61, 17), (400, 0), (5003, 0)];

#[test]
fn machine_code_does_what_is_written() {
    for &(name, f, mistaken) in FORBIDDEN {
        for dtype in [DType::F32, DType::F64] {
            let (x, y) = pairs(dtype, 0, 400);
            assert_ne!(bits(&f(&x, &y)), bits(&mistaken(&x, &y)), "{name}, of {dtype}: nothing here would show it");
            let both = |(x, y): (Array, Array)| f(&x, &y);
            let compiled = jit(both);
            for (n, start) in STRETCHES {
                let args = pairs(dtype, start, n);
                let wanted = bits(&interpret(both)(args.clone()));
                let before = wengert_native::calls();
                assert_eq!(bits(&compiled(args)), wanted, "{name}, {n} elements of {dtype} from {start} on");
                assert!(wengert_native::calls() > before, "machine code ran");
            }
        }
    }
}

#[test]
fn products_are_rounded_before_they_are_added_to() {
    let n = 5003;
    let x: Vec<f64> = (0..n).map(|i| 1.0 + f64::EPSILON * i as f64).collect();
    let y: Vec<f64> = (0..n).map(|i| 1.0 - f64::EPSILON * (i % 91) as f64).collect();
    let rounded: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x * y - 1.0).collect();
    let fused: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x.mul_add(*y, -1.0)).collect();
    assert!((1..n).filter(|&i| rounded[i] != fused[i]).count() > n / 2, "the data shows it");
    let functions: [fn((Array, Array)) -> Array; 3] =
        [|(x, y)| x * y - 1.0, |(x, y)| -1.0 + y * x, |(x, y)| -(1.0 - x * y)];
    for f in functions {
        for n in [1, 5, 64, n] {
            let args = (Array::from(&x[..n]), Array::from(&y[..n]));
            assert_eq!(jit(f)(args).to_vec::<f64>().expect("f64"), rounded[..n], "{n} elements");
        }
    }
    let narrow = |x: &[f64]| x.iter().map(|&x| ((x - 1.0) * 2f64.powi(29)) as f32 + 1.0).collect::<Vec<f32>>();
    let (x, y) = (narrow(&x), narrow(&y));
    let rounded: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x * y - 1.0).collect();
    let fused: Vec<f32> = x.iter().zip(&y).map(|(x, y)| x.mul_add(*y, -1.0)).collect();
    assert!((1..n).filter(|&i| rounded[i] != fused[i]).count() > n / 2, "the data shows it");
    for n in [1, 5, 64, n] {
        let args = (Array::from(&x[..n]), Array::from(&y[..n]));
        let found = jit(|(x, y): (Array, Array)| x * y - 1.0)(args);
        assert_eq!(found.to_vec::<f32>().expect("f32"), rounded[..n], "{n} elements of f32");
    }
}

#[test]
fn sums_keep_their_order() {
    // One of 2^53 among ones: the order shows in the last bits, in rows and columns.
    let x: Vec<f64> = (0..6000).map(|i| if i % 771 == 3 { 9e15 } else { 1.0 + i as f64 * 1e-3 }).collect();
    let x = Array::from(x);
    let backwards = x.flip(0).sum();
    assert_ne!(bits(&x.sum()), bits(&backwards), "the data shows it");
    let functions: [fn(Array) -> Array; 4] = [
        |x| x.sum(),
        |x| x.reshape([60, 100]).sum_axis(0),
        |x| x.reshape([60, 100]).sum_axis(1),
        |x| (x.reshape([2, 3000]).sum_axis(1) * 3.0).sum(),
    ];
    for f in functions {
        assert_eq!(bits(&jit(f)(x.clone())), bits(&interpret(f)(x.clone())));
    }
}

/// What stands above once more in a process where vectors are not as wide as they could be.
#[cfg(target_arch = "x86_64")]
#[test]
fn narrower_vectors_do_the_same() {
    let this = std::env::current_exe().expect("a test is a program");
    let tests =
        ["machine_code_does_what_is_written", "products_are_rounded_before_they_are_added_to", "sums_keep_their_order"];
    for bits in ["256", "128"] {
        let mut process = std::process::Command::new(&this);
        let output =
            process.args(tests).args(["the_code_uses_", "--nocapture"]).env("WENGERT_VECTOR_BITS", bits).output();
        let output = output.expect("it starts");
        assert!(output.status.success(), "{bits} bits: {}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8_lossy(&output.stdout).contains("4 passed"), "all four ran");
    }
}

/// The registers that `report` shows are those that the variable allows.
#[cfg(target_arch = "x86_64")]
#[test]
fn the_code_uses_the_registers_that_are_allowed() {
    let bits = std::env::var("WENGERT_VECTOR_BITS").map_or(512, |bits| bits.parse().expect("a number"));
    let report = wengert::report(jit(|x: Array| x.square() + 1.0), ones(1000));
    let text = report.machine_code_text();
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = avx2
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("bmi2");
    let zmm = bits >= 512 && avx512;
    assert_eq!(text.contains("zmm"), zmm, "{text}");
    assert_eq!(text.contains("ymm"), bits >= 256 && avx2 && !zmm, "{text}");
}
