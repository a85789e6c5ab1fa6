//! Vector loops: lengths, strides, gathers, mixed widths, values that do not vary.

use crate::agreement::{agree, bytes, noise, parse, values};
use wengert_kernel::routine::{Routine, Value};
use wengert_kernel::{DType, Scalar};
use wengert_native::{Options, compile};

#[test]
fn every_length_and_dtype() {
    for dtype in DType::ALL {
        let op = if dtype == DType::Bool { "xor" } else { "add" };
        let test = if dtype.is_half() { "convert bool %3" } else { "lt %1, %2" };
        for n in 0..=67usize {
            let text = format!(
                "routine arena 0\nbuffer b0: {dtype}[{n}] input 0\nbuffer b1: {dtype}[{n}] input 1\n\
                 buffer b2: {dtype}[{n}] output 0\nbuffer b3: bool[{n}] output 1\n\
                 function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: {dtype} = load b0[%0]  %2: {dtype} = load b1[%0]\n\
                 %3: {dtype} = {op} %1, %2  store b2[%0] = %3  %4: bool = {test}  store b3[%0] = %4 }} }}"
            );
            agree(&parse(&text), &[bytes(&values(dtype, n, 1)), bytes(&values(dtype, n, 2))]);
        }
    }
}

/// Comparisons, selects and conversions between every two dtypes in one loop, at every length.
#[test]
fn mixed_widths() {
    for from in DType::ALL {
        for to in DType::ALL {
            let test = if to.is_half() { "convert bool %4" } else { "le %4, %2" };
            for n in [1usize, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 64, 67] {
                let text = format!(
                    "routine arena 0\nbuffer b0: {from}[{n}] input 0\nbuffer b1: {to}[{n}] input 1\n\
                     buffer b2: bool[{n}] input 2\nbuffer b3: {to}[{n}] output 0\nbuffer b4: {from}[{n}] output 1\n\
                     buffer b5: bool[{n}] output 2\n\
                     function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: {from} = load b0[%0]  %2: {to} = load b1[%0]\n\
                     %3: bool = load b2[%0]  %4: {to} = convert {to} %1  %5: bool = {test}  %6: bool = xor %3, %5\n\
                     %7: {to} = select %6, %4, %2  store b3[%0] = %7  %8: {from} = convert {from} %7\n\
                     store b4[%0] = %8  %9: bool = not %6  store b5[%0] = %9 }} }}"
                );
                let inputs = [values(from, n, 3), values(to, n, 4), values(DType::Bool, n, 5)];
                agree(&parse(&text), &inputs.map(|x| bytes(&x)));
            }
        }
    }
}

#[test]
fn strides_and_offsets() {
    for dtype in [DType::F16, DType::F32, DType::F64, DType::U8, DType::I32, DType::Bool] {
        for n in [2usize, 4, 9, 16, 35, 67] {
            let last = n - 1;
            let test = if dtype.is_half() { "convert bool %5" } else { "eq %5, %6" };
            let text = format!(
                "routine arena 64\nbuffer b0: {dtype}[{len}] input 0\nbuffer b1: {dtype}[{n}] output 0\n\
                 buffer b2: {dtype}[{len}] output 1\nbuffer b3: {dtype}[{n}] output 2\n\
                 function f0 \"main\" () {{ %0: i64 = const 2\n\
                 pass %1 in 0..{n} {{ %2: {dtype} = load b0[3 * %1 + 1]  store b1[-%1 + {last}] = %2\n\
                   %3: {dtype} = load b0[-%1 + {last3}]  store b2[3 * %1 + %0] = %3\n\
                   %4: i64 = index -%1 + {last}  %5: {dtype} = load b0[%4]  %6: {dtype} = load b0[%1 + %0]\n\
                   %7: bool = {test}  %8: {dtype} = select %7, %2, %3  store b3[%4] = %8 }}\n\
                 pass %9 in 0..{n} {{ store b2[3 * %9] = %10 }} }}",
                len = 3 * n,
                last3 = 3 * n - 1
            );
            // A value from outside, stored by every round.
            let text = text.replace("%0: i64 = const 2\n", &format!("%0: i64 = const 2 %10: {dtype} = load b0[0]\n"));
            agree(&parse(&text), &[bytes(&values(dtype, 3 * n, 9))]);
        }
    }
}

#[test]
fn gathers_and_scatters() {
    for n in [1usize, 2, 5, 8, 31, 64, 67] {
        let table: Vec<Scalar> = (0..n).map(|i| Scalar::new(((i * 7 + 3) % n) as i64)).collect();
        let order: Vec<Scalar> = (0..n).map(|i| Scalar::new((n - 1 - i) as i32)).collect();
        let text = format!(
            "routine arena 0\nbuffer b0: i64[{n}] input 0\nbuffer b1: i32[{n}] input 1\nbuffer b2: f32[{m}] input 2\n\
             buffer b3: f32[{n}] output 0\nbuffer b4: f32[{n}] output 1\nbuffer b5: i64[{n}] output 2\n\
             function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: i64 = load b0[%0]  %2: f32 = load b2[2 * %1 + %0 + 1]\n\
             %3: f32 = neg %2  store b3[%0] = %3  %4: i32 = load b1[%0]  %5: i64 = convert i64 %4\n\
             store b4[%5] = %3  %6: i64 = index 3 * %1 - 2 * %0 + 5  store b5[%0] = %6 }} }}",
            m = 3 * n
        );
        agree(&parse(&text), &[bytes(&table), bytes(&order), bytes(&noise(DType::F32, 3 * n, 1))]);
    }
}

#[test]
fn the_counter_as_a_value() {
    for n in [1usize, 3, 4, 18, 67] {
        let text = format!(
            "routine arena 0\nbuffer b0: f32[{n}] output 0\nbuffer b1: i64[{n}] output 1\nbuffer b2: f64[{n}] output 2\n\
             buffer b3: i64[1] output 3\nbuffer b4: bool[{n}] output 4\n\
             function f0 \"main\" () {{ %8: i64 = const 3 pass %0 in 0..{n} {{ %1: f32 = convert f32 %0  store b0[%0] = %1\n\
             %2: i64 = index 3 * %0 - 1  %3: i64 = mul %2, %0  store b1[%0] = %3  %4: f64 = convert f64 %0\n\
             %5: f64 = sqrt %4  store b2[%0] = %5  %6: bool = lt %0, %8  store b4[%0] = %6 }} fold add %0 -> %7: i64\n\
             store b3[0] = %7 }}"
        );
        agree(&parse(&text), &[]);
    }
}

#[test]
fn elementary_functions_among_others() {
    for dtype in [DType::F32, DType::F64] {
        for n in [1usize, 4, 7, 64, 67, 600, 1029, 2050, 5000] {
            let text = format!(
                "routine arena 0\nbuffer b0: {dtype}[{n}] input 0\nbuffer b1: {dtype}[{n}] output 0\n\
                 buffer b2: {dtype}[2] output 1\nbuffer b3: bool[{n}] output 2\n\
                 function f0 \"main\" () {{ %8: {dtype} = const 0.75\n\
                 pass %0 in 0..{n} {{ %1: {dtype} = load b0[%0]  %2: {dtype} = mul %1, %1  %3: {dtype} = neg %2\n\
                 %4: {dtype} = exp %3  %5: {dtype} = sin %1  %6: {dtype} = mul %4, %5  %7: {dtype} = log1p %2\n\
                 %9: {dtype} = add %6, %7  %10: {dtype} = pow %2, %8  %11: {dtype} = atan2 %10, %1\n\
                 %12: bool = lt %9, %11  %13: {dtype} = select %12, %9, %11  store b1[%0] = %13\n\
                 %14: {dtype} = tanh %13  %16: bool = is_finite %14  store b3[%0] = %16 }}\n\
                 fold add %14 -> %15: {dtype}, max %7 -> %17: {dtype}\n store b2[0] = %15\n store b2[1] = %17 }}"
            );
            agree(&parse(&text), &[bytes(&noise(dtype, n, 1))]);
            agree(&parse(&text), &[bytes(&values(dtype, n, 1))]);
        }
    }
}

/// In place: a round reads and writes its own element only.
#[test]
fn in_place() {
    for n in [1usize, 5, 16, 67] {
        let text = format!(
            "routine arena {bytes}\nbuffer b0: f64[{n}] input 0\nbuffer b1: f64[{n}] output 0\nbuffer b2: f64[{n}] arena 0\n\
             function f0 \"main\" () {{ copy b2[0; {n}] = b0[0]\n\
             pass %0 in 0..{n} {{ %1: f64 = load b2[%0]  %2: f64 = mul %1, %1  store b2[%0] = %2  %3: f64 = load b2[%0]\n\
               %4: f64 = add %3, %1  store b2[%0] = %4 }}\n\
             copy b1[0; {n}] = b2[0] }}",
            bytes = 8 * n
        );
        agree(&parse(&text), &[bytes(&values(DType::F64, n, 1))]);
    }
}

/// A pass of one round may read back what it wrote through another name for the same place.
#[test]
fn one_round_keeps_its_order() {
    let text = "routine arena 64\nbuffer b0: i32[1] output 0\nbuffer b1: i32[4] arena 0\n\
        function f0 \"main\" () { %4: i32 = const 1 fill b1[0; 4] = %4\n\
        pass %0 in 0..1 { %1: i32 = load b1[2]  %2: i32 = add %1, %1  store b1[2 * %0 + 2] = %2  %3: i32 = load b1[2]\n\
        store b0[%0] = %3 } }";
    let (_, outputs) = agree(&parse(text), &[]);
    assert_eq!(outputs[0], 2i32.to_le_bytes());
}

/// More live vectors than registers, and more streams than address registers.
#[test]
fn many_live_values() {
    for n in [5usize, 67] {
        let k = 24;
        let mut text = "routine arena 0\n".to_string();
        for i in 0..k {
            text += &format!("buffer b{i}: f32[{n}] input {i}\n");
        }
        text += &format!("buffer b{k}: f32[{n}] output 0\nfunction f0 \"main\" () {{ pass %0 in 0..{n} {{\n");
        for i in 0..k {
            text += &format!("%{}: f32 = load b{i}[%0]\n", i + 1);
        }
        for i in 0..k - 1 {
            let left = if i == 0 { 1 } else { k + i };
            text += &format!("%{}: f32 = sub %{left}, %{}\n", k + i + 1, k - i);
        }
        text += &format!("store b{k}[%0] = %{} }} }}", 2 * k - 1);
        let inputs: Vec<Vec<u8>> = (0..k).map(|i| bytes(&noise(DType::F32, n, i as u64))).collect();
        agree(&parse(&text), &inputs);
    }
}

/// Chains of functions, in place, gathered, of what does not vary, with bools and indices that cross.
#[test]
fn functions_in_every_place() {
    for (dtype, int) in [(DType::F32, DType::I32), (DType::F64, DType::I64)] {
        for n in [8usize, 33, 513, 1500, 2048, 4100, 9000] {
            let table: Vec<Scalar> = (0..n).map(|i| Scalar::new(((i * 7 + 3) % n) as i64)).collect();
            let inputs = [bytes(&noise(dtype, n, 3)), bytes(&table)];
            let bodies = [
                // Nothing but kernels.
                "%3: T = load b0[%0] %4: T = exp %3 %5: T = exp %4 %6: T = tanh %5 store b1[%0] = %6",
                // In place, from a shared operand, with another kernel of the same memory.
                "%3: T = load b3[%0] %4: T = sin %3 %5: T = cos %3 %6: T = add %4, %5 store b3[%0] = %5 store b1[%0] = %6",
                "%3: T = load b3[%0] %4: T = sin %3 %5: T = cos %3 %6: T = mul %4, %5 store b3[%0] = %5",
                "%3: T = load b3[%0] %4: T = sin %3 %5: T = cos %3 %6: T = mul %4, %3 store b3[%0] = %5",
                // A store, then a load of the same element.
                "%3: T = load b0[%0] %4: T = exp %3 store b3[%0] = %4 %5: T = load b3[%0] %6: T = log %5 store b1[%0] = %6",
                "%3: T = load b3[%0] %4: T = neg %3 store b3[%0] = %4 %5: T = load b3[%0] %6: T = exp %5 store b1[%0] = %6",
                // Through indices that were computed, and ones that were read.
                "%3: i64 = load b2[%0] %4: T = load b0[%3] %5: T = exp %4 %6: T = add %5, %4 store b1[%3] = %6",
                "%3: T = load b0[-%0 + L] %4: T = log1p %3 %5: T = load b0[-%0 + L] %6: T = sub %4, %5 store b1[-%0 + L] = %6",
                "%3: T = convert T %0 %4: T = sqrt %3 %5: T = sin %4 %6: T = mul %5, %3 store b1[%0] = %6",
                // Bools and integers that cross a kernel.
                "%3: T = load b0[%0] %4: bool = lt %3, %1 %5: I = convert I %3 %6: T = exp %3 %7: T = convert T %5\n\
                 %8: T = select %4, %6, %7 store b1[%0] = %8",
                // Operands that do not vary.
                "%3: T = load b0[%0] %4: T = pow %3, %1 %5: T = atan2 %1, %4 %6: T = pow %1, %5 store b1[%0] = %6",
                "%3: T = exp %1 %4: T = load b0[%0] %5: T = exp %3 %6: T = mul %4, %5 %7: T = tan %6 store b1[%0] = %7",
            ];
            for (k, body) in bodies.iter().enumerate() {
                let last = if body.contains("%8:") { 8 } else { 6 + body.contains("%7:") as usize };
                let text = format!(
                    "routine arena {arena}\nbuffer b0: T[{n}] input 0\nbuffer b1: T[{n}] output 0\n\
                     buffer b2: i64[{n}] input 1\nbuffer b3: T[{n}] arena 0\nbuffer b4: T[{n}] output 1\n\
                     buffer b5: T[2] output 2\n\
                     function f0 \"main\" () {{ %1: T = const 0.75 %2: T = const 0.0 fill b1[0; {n}] = %1\n\
                     fill b5[0; 2] = %1 copy b3[0; {n}] = b0[0]\n\
                     pass %0 in 0..{n} {{ {body} }} FOLD\n copy b4[0; {n}] = b3[0] }}",
                    arena = 8 * n
                );
                let (sum, most) = (last + 1, last + 2);
                let fold = format!(
                    "fold add %6 -> %{sum}: T, max %6 -> %{most}: T store b5[0] = %{sum} store b5[1] = %{most}"
                );
                for fold in [
                    "",
                    &fold,
                    &fold.replace(&format!(", max %6 -> %{most}: T"), "").replace(&most.to_string(), &sum.to_string()),
                ] {
                    let text = text.replace("FOLD", fold).replace('T', dtype.name()).replace('I', int.name());
                    let text = text.replace(" L]", &format!(" {}]", n - 1));
                    let some = if n < 100 { crate::agreement::variants() } else { crate::agreement::by_rule() };
                    let routine = Routine::parse(&text).unwrap_or_else(|e| panic!("{k}: {e}\n{text}"));
                    crate::agreement::agree_in(&some, &routine, &inputs);
                }
            }
        }
    }
}

#[test]
fn what_is_the_same_in_all_rounds_is_written_at_full_width() {
    for (dtype, value) in [("f64", "0.826"), ("f32", "1.5"), ("i64", "-7"), ("i32", "3"), ("u8", "9"), ("bool", "true")]
    {
        for n in [1, 2, 15, 16, 17, 55, 67] {
            let text = format!(
                "routine arena 0\nbuffer b0: {dtype}[{n}] output 0\n\
                 function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: {dtype} = const {value}  store b0[%0] = %1 }} }}"
            );
            agree(&parse(&text), &[]);
        }
    }
}

/// More values alive, masks alive and addresses than there are registers, in loops with and without a rest.
#[test]
fn more_than_there_are_registers() {
    for dtype in [DType::F32, DType::F64, DType::I64] {
        for n in [5usize, 16, 33, 70] {
            let all = 0..40usize;
            let mut text = String::from("routine arena 0\n");
            for k in all.clone() {
                text += &format!("buffer b{k}: {dtype}[{n}] input {k}\n");
            }
            text += &format!("buffer b40: {dtype}[{n}] output 0\nbuffer b41: bool[{n}] output 1\n");
            text += &format!("function f0 \"main\" () {{ pass %0 in 0..{n} {{\n");
            for k in all.clone() {
                text += &format!("%{}: {dtype} = load b{k}[%0]\n", k + 1);
            }
            for k in all.clone().skip(1) {
                text += &format!("%{}: bool = lt %{k}, %{}\n", k + 40, k + 1);
            }
            // From the last to the first, so that all are needed to the end.
            text += &format!("%80: {dtype} = add %40, %39  %81: bool = xor %79, %78\n");
            let mut last = 80;
            for k in (1..=37).rev() {
                text += &format!("%{}: {dtype} = sub %{last}, %{k}\n", last + 2);
                text += &format!("%{}: bool = xor %{}, %{}\n", last + 3, last + 1, k + 40);
                last += 2;
            }
            text += &format!("store b40[%0] = %{last}  store b41[%0] = %{} }} }}", last + 1);
            let inputs: Vec<Vec<u8>> = all.map(|k| bytes(&values(dtype, n, k as u64))).collect();
            agree(&parse(&text), &inputs);
        }
    }
}

/// Elementary functions in passes too short for tiles.
#[test]
fn few_rounds_with_elementary_functions() {
    for dtype in [DType::F32, DType::F64] {
        for n in 1..=9usize {
            let text = format!(
                "routine arena 0\nbuffer b0: {dtype}[{n}] input 0\nbuffer b1: {dtype}[{n}] output 0\n\
                 function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: {dtype} = load b0[%0]  %2: {dtype} = exp %1\n\
                 %3: {dtype} = mul %2, %1  store b1[%0] = %3 }} fold add %3 -> %4: {dtype} }}"
            );
            agree(&parse(&text), &[bytes(&values(dtype, n, 1))]);
        }
    }
}

/// Reads at distances and by indices where all is written side by side, which wide loops do; with few addresses, and with
/// more than there are registers for.
#[test]
fn reads_far_and_near() {
    for dtype in [DType::F32, DType::F64, DType::I32, DType::U64] {
        for n in [1usize, 3, 8, 15, 16, 17, 31, 32, 33, 67] {
            for tables in [1, 12] {
                let len = 4 * n + 4;
                let mut text = format!("routine arena 0\nbuffer b0: i64[{n}] input 0\nbuffer b1: i32[{n}] input 1\n");
                for k in 0..tables {
                    text += &format!("buffer b{}: {dtype}[{len}] input {}\n", k + 2, k + 2);
                }
                text += &format!("buffer b{}: {dtype}[{n}] output 0\n", tables + 2);
                text += &format!("buffer b{}: bool[{n}] output 1\n", tables + 3);
                text += &format!("function f0 \"main\" () {{ %0: i64 = const 1  %1: {dtype} = load b2[0]\n");
                text += &format!("%2: bool = lt %1, %1  pass %3 in 0..{n} {{\n");
                text += "%4: i64 = load b0[%3]  %5: i32 = load b1[%3]  %6: i64 = convert i64 %5\n";
                text += &format!("%7: {dtype} = load b2[%3]\n");
                let last = n as i64 - 1;
                let mut next = 8;
                for k in 0..tables {
                    let reads = [
                        "3 * %3 + 1".to_owned(),
                        format!("-%3 + {last}"),
                        format!("-2 * %3 + {}", 2 * last + 1),
                        "%4".to_owned(),
                        "2 * %4 + %3 + %0".to_owned(),
                        format!("%6 + %4 - %3 + {last}"),
                    ];
                    for at in reads {
                        text += &format!("%{next}: {dtype} = load b{}[{at}]\n", k + 2);
                        text += &format!("%{}: {dtype} = sub %{}, %{next}\n", next + 1, next - 1);
                        next += 2;
                    }
                }
                let sum = next - 1;
                text += &format!("%{next}: bool = lt %{sum}, %1  %{}: bool = or %{next}, %2\n", next + 1);
                text += &format!("%{}: {dtype} = select %2, %1, %{sum}\n", next + 2);
                text += &format!(
                    "store b{}[%3] = %{}  store b{}[%3] = %{} }} }}",
                    tables + 2,
                    next + 2,
                    tables + 3,
                    next + 1
                );
                let table: Vec<Scalar> = (0..n).map(|i| Scalar::new(((i * 7 + 3) % n) as i64)).collect();
                let order: Vec<Scalar> = (0..n).map(|i| Scalar::new((n - 1 - i) as i32)).collect();
                let mut inputs = vec![bytes(&table), bytes(&order)];
                inputs.extend((0..tables).map(|k| bytes(&values(dtype, len, k as u64))));
                agree(&parse(&text), &inputs);
            }
        }
    }
}

/// Passes that are long enough use the widest vectors that the processor has and that are asked for, by rule and by force, and name
/// their users' lines.
#[cfg(target_arch = "x86_64")]
#[test]
fn loops_are_as_wide_as_the_processor() {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = [
        avx2,
        is_x86_feature_detected!("avx512f"),
        is_x86_feature_detected!("avx512vl"),
        is_x86_feature_detected!("avx512dq"),
        is_x86_feature_detected!("avx512bw"),
        is_x86_feature_detected!("bmi2"),
    ];
    let avx512 = avx512.iter().all(|&f| f);
    let widest = |n: usize, wide: u64, widest: u32| {
        let mut routine = parse(&format!(
            "routine arena 0\nbuffer b0: f32[{n}] input 0\nbuffer b1: f32[{n}] output 0\n\
             function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: f32 = load b0[%0]  %2: f32 = mul %1, %1\n\
             store b1[%0] = %2 }} }}"
        ));
        routine.functions[0].set_origin(Value(2), 7);
        let code = compile(&routine, &Options { listing: true, wide, widest, ..Options::default() }).unwrap();
        let lines = &code.listing().unwrap().assembly;
        let uses = |text| lines.iter().any(|line| line.text.contains(text) && line.origin == Some(7));
        [uses("vmulps zmm"), uses("vmulps ymm")]
    };
    let default = Options::default().wide;
    let narrow = [false, false];
    for (bits, wanted) in [(512, [avx512, avx2 && !avx512]), (256, [false, avx2]), (128, narrow)] {
        assert_eq!([1000, 20].map(|n| widest(n, default, bits)), [wanted, narrow]);
        assert_eq!([1000, 20].map(|n| widest(n, 0, bits)), [wanted, wanted]);
        assert_eq!(widest(1000, u64::MAX, bits), narrow);
    }
}

/// What is around a function of tiles goes in vectors, however little it is.
#[cfg(target_arch = "x86_64")]
#[test]
fn functions_do_not_make_loops_scalar() {
    for (dtype, one, many) in [(DType::F32, "vsubss", "vsubps"), (DType::F64, "vsubsd", "vsubpd")] {
        let routine = parse(&format!(
            "routine arena 0\nbuffer b0: {dtype}[256] input 0\nbuffer b1: {dtype}[1] output 0\n\
             function f0 \"main\" () {{ %5: {dtype} = load b0[0]\n\
             pass %0 in 0..256 {{ %1: {dtype} = load b0[%0]  %2: {dtype} = sub %1, %5  %3: {dtype} = exp %2 }}\n\
             fold add %3 -> %4: {dtype}  store b1[0] = %4 }}"
        ));
        for wide in [u64::MAX, 0] {
            let code = compile(&routine, &Options { listing: true, wide, ..Options::default() }).unwrap();
            let text: Vec<&str> = code.listing().unwrap().assembly.iter().map(|line| &line.text[..]).collect();
            let has = |what: &str| text.iter().any(|line| line.contains(what));
            assert!(has(many) && !has(one), "{}", text.join("\n"));
        }
    }
}

/// In place, bytes beside wider elements: a vector of rounds that are left over must not touch the next one's bytes.
#[test]
fn bytes_in_place() {
    for dtype in [DType::F32, DType::F64] {
        for n in [5usize, 8, 13, 15, 16, 29, 67] {
            let text = format!(
                "routine arena 128\nbuffer b0: {dtype}[{n}] input 0\nbuffer b1: bool[{n}] arena 0\n\
                 buffer b2: bool[{n}] output 0\n\
                 function f0 \"main\" () {{ pass %0 in 0..{n} {{ %1: {dtype} = load b0[%0]  %2: bool = lt %1, %1\n\
                   %3: bool = not %2  store b1[%0] = %3 }}\n\
                 pass %4 in 0..{n} {{ %5: {dtype} = load b0[%4]  %6: bool = is_finite %5  %7: bool = load b1[%4]\n\
                   %8: bool = xor %6, %7  store b1[%4] = %8 }}\n\
                 copy b2[0; {n}] = b1[0] }}"
            );
            agree(&parse(&text), &[bytes(&values(dtype, n, 1))]);
        }
    }
}
