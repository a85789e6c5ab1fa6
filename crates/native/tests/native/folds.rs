//! Reductions: every operation, dtype and length in the order of `kernel::reduce`.

use crate::agreement::{agree, agree_in, by_rule, bytes, checked, elements, noise, parse, scalar, values, variants};
use wengert_kernel::reduce::is_reduction;
use wengert_kernel::{Binary, DType, Scalar};
use wengert_native::Options;

fn reduction(op: &str, dtype: DType, n: usize) -> String {
    format!(
        "routine arena 0\nbuffer b0: {dtype}[{n}] input 0\nbuffer b1: {dtype}[1] output 0\n\
         function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: {dtype} = load b0[%0] }} fold {op} %1 -> %2: {dtype}\n\
         store b1[0] = %2 }}"
    )
}

fn lengths() -> Vec<usize> {
    let mut all: Vec<usize> = (0..=70).collect();
    all.extend([96, 127, 128, 129, 255, 256, 257, 300, 511, 1000, 4095, 4096, 4097, 4100, 8192, 8195, 12288, 20000]);
    all
}

#[test]
fn every_operation_dtype_and_length() {
    for op in Binary::ALL {
        for dtype in DType::ALL.into_iter().filter(|&d| is_reduction(*op, d)) {
            for n in lengths() {
                let routine = parse(&reduction(op.name(), dtype, n));
                let some = if n % 7 == 0 || n < 20 { variants() } else { [by_rule(), vec![scalar()]].concat() };
                // Without NaN and infinities, so that the order shows.
                agree_in(&some, &routine, &[bytes(&noise(dtype, n, n as u64 + 1))]);
                agree_in(&by_rule(), &routine, &[bytes(&values(dtype, n, n as u64 + 1))]);
            }
        }
    }
}

#[test]
fn a_sum_of_ones_is_exact() {
    let ones = bytes(&vec![Scalar::new(1f32); 1 << 20]);
    let (_, outputs) = agree(&parse(&reduction("add", DType::F32, 1 << 20)), &[ones]);
    assert_eq!(elements(DType::F32, &outputs[0]), [Scalar::new(1048576f32)]);
}

#[test]
fn several_at_once_with_stores() {
    for n in [1usize, 2, 3, 5, 8, 15, 16, 17, 31, 64, 100, 4096, 5000, 9000] {
        let text = format!(
            "routine arena 0\nbuffer b0: f32[{n}] input 0\nbuffer b1: f32[{n}] output 0\nbuffer b2: f32[3] output 1\n\
             buffer b3: bool[1] output 2\nbuffer b4: f64[2] output 3\n\
             function f0 \"main\" () {{\n\
               %9: f32 = const 0.25\n\
               pass %0 in 0..{n} {{ %1: f32 = load b0[%0]  %2: f32 = mul %1, %1  %3: bool = is_finite %2\n\
                 %4: f64 = convert f64 %1\n store b1[%0] = %2 }}\n\
               fold add %2 -> %5: f32, max %1 -> %6: f32, and %3 -> %7: bool, add %4 -> %8: f64, add %9 -> %10: f32,\n\
                 mul %4 -> %11: f64\n\
               store b2[0] = %5\n store b2[1] = %6\n store b2[2] = %10\n store b3[0] = %7\n store b4[0] = %8\n\
               store b4[1] = %11 }}"
        );
        agree(&parse(&text), &[bytes(&noise(DType::F32, n, 5))]);
        agree(&parse(&text), &[bytes(&values(DType::F32, n, 6))]);
    }
}

#[test]
fn two_sums_and_long_bodies() {
    for n in [7usize, 33, 64, 100, 4097] {
        for steps in [2, 20, 40] {
            let mut body = "%1: f64 = load b0[%0]".to_string();
            for k in 1..=steps {
                body += &format!("\n%{}: f64 = {} %{k}, %1", k + 1, if k % 2 == 0 { "add" } else { "mul" });
            }
            let last = steps + 1;
            let text = format!(
                "routine arena 0\nbuffer b0: f64[{n}] input 0\nbuffer b1: f64[2] output 0\n\
                 function f0 \"main\" () {{ pass %0 in 0..{n} {{ {body} }} fold add %{last} -> %{}: f64, mul %1 -> %{}: f64\n\
                 store b1[0] = %{}\n store b1[1] = %{} }}",
                last + 1,
                last + 2,
                last + 1,
                last + 2
            );
            agree(&parse(&text), &[bytes(&noise(DType::F64, n, 5))]);
        }
    }
}

/// Turns of up to eight vectors, whole and not: long chains with few values alive, more reductions than a turn has vectors.
#[test]
fn turns_of_several_vectors() {
    let lengths = (0..=40).chain(60..=70).chain([95, 96, 97, 127, 128, 129, 191, 192, 193, 255, 256, 257, 300, 1000]);
    for (n, dtype) in lengths.flat_map(|n| [(n, DType::F32), (n, DType::F64)]) {
        for (steps, folds) in [(3, 0), (20, 0), (20, 1), (20, 2), (3, 6), (20, 6), (50, 1), (100, 2)] {
            let mut body = format!("%1: {dtype} = load b0[%0]  %2: {dtype} = load b1[2*%0]");
            for k in 3..3 + steps {
                let op = ["mul", "add", "max", "sub"][k % 4];
                body += &format!("\n%{k}: {dtype} = {op} %{}, %{}", k - 1, 1 + k % 2);
            }
            let last = 2 + steps;
            let test = last + 1;
            let [mut results, mut stores] = [String::new(), String::new()];
            for k in 0..folds {
                let (op, item) = (["add", "max", "mul", "min", "add", "max"][k], if k < 3 { last } else { k - 2 });
                results +=
                    &format!("{}{op} %{item} -> %{}: {dtype}", if k == 0 { "fold " } else { ", " }, test + 1 + k);
                stores += &format!("\nstore b4[{k}] = %{}", test + 1 + k);
            }
            let text = format!(
                "routine arena 0\nbuffer b0: {dtype}[{n}] input 0\nbuffer b1: {dtype}[{}] input 1\n\
                 buffer b2: {dtype}[{n}] output 0\nbuffer b3: bool[{n}] output 1\nbuffer b4: {dtype}[{folds}] output 2\n\
                 function f0 \"main\" () {{ pass %0 in 0..{n} {{ {body}\nstore b2[%0] = %{last}\n\
                 %{test}: bool = lt %{last}, %1  store b3[%0] = %{test} }} {results}{stores} }}",
                2 * n
            );
            let inputs = [bytes(&noise(dtype, n, 7)), bytes(&values(dtype, 2 * n, 8))];
            let wide = [512, 256].map(|widest| Options { wide: 0, widest, ..checked() });
            agree_in(&wide, &parse(&text), &inputs);
        }
    }
}
