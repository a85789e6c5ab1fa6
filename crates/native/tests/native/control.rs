//! Loops, branches, calls, growable buffers, failures, copies, fills, runtime calls.

use crate::agreement::{agree, bytes, checked, elements, native, noise, parse, specials, values};
use wengert_kernel::routine::Status;
use wengert_kernel::{DType, Scalar};
use wengert_native::{Error, Options, compile};

fn ints(outputs: &[Vec<u8>], number: usize) -> Vec<i64> {
    elements(DType::I64, &outputs[number]).iter().map(|x| x.get().unwrap()).collect()
}

#[test]
fn loops_count_up_and_down() {
    for n in [-3i64, 0, 1, 2, 5, 9] {
        for known in [false, true] {
            for reverse in ["", "reverse"] {
                let count = if known { n.max(0).to_string() } else { "%0".into() };
                let text = format!(
                    "routine arena 0\nbuffer b0: i64[1] input 0\nbuffer b1: i64[2] output 0\nbuffer b2: i64[9] output 1\n\
                     function f0 \"main\" () {{ %0: i64 = load b0[0]  %1: i64 = const 1  fill b2[0; 9] = %1\n\
                     %2, %3 = for %4 in 0..{count} {reverse} carry (%5: i64 = %1, %6: i64 = %0) {{\n\
                       %7: i64 = const 10  %8: i64 = mul %5, %7  %9: i64 = add %8, %4  store b2[%4] = %9\n\
                       yield %9, %5 }}\n\
                     store b1[0] = %2  store b1[1] = %3 }}"
                )
                .replace("%2, %3 =", "%2: i64, %3: i64 =");
                let (_, outputs) = agree(&parse(&text), &[n.to_le_bytes().to_vec()]);
                if n == 5 {
                    let last = if reverse.is_empty() { 101_234 } else { 143_210 };
                    assert_eq!(ints(&outputs, 0)[0], last);
                }
            }
        }
    }
}

#[test]
fn while_loops() {
    let text = "routine arena 0\nbuffer b0: i64[1] input 0\nbuffer b1: i64[2] output 0\n\
        function f0 \"main\" () { %0: i64 = load b0[0]  %1: i64 = const 0\n\
        %2: i64, %3: i64 = while carry (%4: i64 = %0, %5: i64 = %1)\n\
          test { %6: i64 = const 1  %7: bool = gt %4, %6  yield %7 }\n\
          do { %8: i64 = const 2  %9: i64 = rem %4, %8  %10: i64 = const 0  %11: bool = eq %9, %10\n\
            %12: i64 = if %11 { %13: i64 = div %4, %8  yield %13 } else { %14: i64 = index 3 * %4 + 1  yield %14 }\n\
            %15: i64 = index %5 + 1  yield %12, %15 }\n\
        store b1[0] = %2  store b1[1] = %3 }";
    for (start, steps) in [(27i64, 111), (1, 0), (-5, 0), (97, 118)] {
        let (_, outputs) = agree(&parse(text), &[start.to_le_bytes().to_vec()]);
        assert_eq!(ints(&outputs, 0), [start.min(1), steps]);
    }
}

#[test]
fn nested_loops_with_passes() {
    for (rows, columns) in [(0usize, 5usize), (1, 1), (3, 4), (7, 35), (5, 100)] {
        let text = format!(
            "routine arena 0\nbuffer b0: f64[{len}] input 0\nbuffer b1: f64[{len}] output 0\nbuffer b2: f64[{rows}] output 1\n\
             function f0 \"main\" () {{ for %0 in 0..{rows} {{\n\
               pass %1 in 0..{columns} {{ %2: f64 = load b0[{columns} * %0 + %1] }} fold max %2 -> %3: f64\n\
               pass %4 in 0..{columns} {{ %5: f64 = load b0[{columns} * %0 + %4]  %6: f64 = sub %5, %3\n\
                 %7: f64 = exp %6  store b1[{columns} * %0 + %4] = %7 }} fold add %7 -> %8: f64\n\
               store b2[%0] = %8\n\
               pass %9 in 0..{columns} {{ %10: f64 = load b1[{columns} * %0 + %9]  %11: f64 = div %10, %8\n\
                 store b1[{columns} * %0 + %9] = %11 }} }} }}",
            len = rows * columns
        );
        agree(&parse(&text), &[bytes(&noise(DType::F64, rows * columns, 3))]);
    }
}

#[test]
fn calls_hand_over_scalars_and_buffers() {
    let text = "routine arena 256\nbuffer b0: f64[4] input 0\nbuffer b1: f64[4] output 0\nbuffer b2: f64[4] arena 0\n\
        buffer b3: f64[4] param 0\nbuffer b4: f64[4] param 1\nbuffer b5: bool[1] output 1\nbuffer b6: f64[4] param 0\n\
        function f0 \"scale\" (%0: f64, %1: i64, %2: u8, %3: bool; b3, b4) {\n\
          %4: f64 = convert f64 %2\n\
          for %5 in 0..4 { %6: f64 = load b3[%5]  %7: f64 = mul %6, %0  %8: f64 = add %7, %4  store b4[%5] = %8 }\n\
          %9: bool = not %3  %10: f64 = load b4[%1]  yield %10, %9, %2, %1 }\n\
        function f1 \"twice\" (%0: f64; b6) {\n\
          %1: i64 = const 3  %2: u8 = const 200  %3: bool = const true\n\
          %4: f64, %5: bool, %6: u8, %7: i64 = call f0(%0, %1, %2, %3; b6, b2)\n\
          %8: f64, %9: bool, %10: u8, %11: i64 = call f0(%4, %7, %6, %5; b2, b1)\n\
          yield %8, %9 }\n\
        function f2 \"main\" () { %0: f64 = const 1.5\n\
          %1: f64, %2: bool = call f1(%0; b0)  store b5[0] = %2\n\
          %3: f64, %4: bool = call f1(%1; b0)  %5: f64 = load b1[0]  %6: f64 = add %5, %3  store b1[0] = %6 }";
    agree(&parse(text), &[bytes(&values(DType::F64, 4, 8))]);
    agree(&parse(text), &[bytes(&noise(DType::F64, 4, 8))]);
}

#[test]
fn growable_buffers_keep_their_contents() {
    // Pushes while it can, reads backwards; the same function grows whatever it is handed.
    let text = "routine arena 0\nbuffer b0: i64[1] input 0\nbuffer b1: i64[3] output 0\nbuffer b2: i64[0] growable\n\
        buffer b3: f32[0] growable\nbuffer b4: i64[0] param 0\nbuffer b5: i64[0] growable\n\
        function f0 \"push\" (%0: i64, %1: i64; b4) { %2: i64 = index %0 + 1  reserve b4, %2\n\
          %3: i64 = load b4[%0]  %4: i64 = add %3, %1  store b4[%0] = %4  yield %2 }\n\
        function f1 \"main\" () { %0: i64 = load b0[0]  %1: i64 = const 0\n\
          %2: i64 = for %3 in 0..%0 carry (%4: i64 = %1) {\n\
            %5: i64 = index %3 * 3 + 1\n\
            %6: i64 = call f0(%4, %5; b2)\n\
            %7: i64 = call f0(%4, %4; b5)\n\
            reserve b3, %6  %8: f32 = convert f32 %3  store b3[%3] = %8\n\
            yield %6 }\n\
          reserve b2, %1\n\
          %9: i64 = for %10 in 0..%0 reverse carry (%11: i64 = %1) {\n\
            %12: i64 = load b2[%10]  %13: i64 = load b5[%10]  %14: i64 = mul %12, %13  %15: f32 = load b3[%10]\n\
            %16: i64 = convert i64 %15  %17: i64 = add %14, %16  %18: i64 = add %11, %17  yield %18 }\n\
          store b1[0] = %9  store b1[1] = %2  store b1[2] = %0 }"
        .replace("%3 * 3", "3 * %3");
    for n in [0i64, 1, 2, 9, 1000, 5000] {
        let (_, outputs) = agree(&parse(&text), &[n.to_le_bytes().to_vec()]);
        let want: i64 = (0..n).map(|k| (3 * k + 1) * k + k).sum();
        assert_eq!(ints(&outputs, 0), [want, n, n]);
    }
}

#[test]
fn a_parameter_may_be_growable_here_and_not_there() {
    let text = "routine arena 64\nbuffer b0: i32[2] param 0\nbuffer b1: i32[2] arena 0\nbuffer b2: i32[0] growable\n\
        buffer b3: i32[2] output 0\nbuffer b4: i32[2] param 0\n\
        function f0 \"sum\" (; b0) { %0: i32 = load b0[0]  %1: i32 = load b0[1]  %2: i32 = add %0, %1  yield %2 }\n\
        function f1 \"through\" (; b4) { %0: i32 = call f0(; b4)  yield %0 }\n\
        function f2 \"main\" () { %0: i64 = const 2  %1: i32 = const 20  reserve b2, %0  fill b1[0; 2] = %1\n\
          store b2[1] = %1\n\
          %2: i32 = call f1(; b1)  %3: i32 = call f1(; b2)  store b3[0] = %2  store b3[1] = %3 }";
    let (_, outputs) = agree(&parse(text), &[]);
    assert_eq!(elements(DType::I32, &outputs[0]), [40i32, 20].map(Scalar::new));
}

#[test]
fn refused_memory_is_a_status() {
    let text = "routine arena 0\nbuffer b0: i64[1] input 0\nbuffer b1: f64[0] growable\nbuffer b2: f64[0] growable\n\
        function f0 \"main\" () { %0: i64 = load b0[0]  %1: i64 = const 1000  reserve b1, %1  reserve b2, %0 }";
    let routine = parse(text);
    let options = Options { growable_limit: 1 << 16, ..checked() };
    let code = compile(&routine, &options).unwrap();
    for (len, status) in [
        (7000i64, Status::Fine),
        (8000, Status::Memory { bytes: 64000 }),
        (i64::MAX, Status::Memory { bytes: u64::MAX }),
        (1 << 50, Status::Memory { bytes: 1 << 53 }),
        (i64::MIN, Status::Fine),
        (5, Status::Fine),
    ] {
        assert_eq!(native(&code, &routine, &[len.to_le_bytes().to_vec()]).0, status, "{len}");
    }
    // Beyond the machine rather than the limit.
    let code = compile(&routine, &Options { growable_limit: u64::MAX, ..checked() }).unwrap();
    let (status, _) = native(&code, &routine, &[(1i64 << 57).to_le_bytes().to_vec()]);
    assert_eq!(status, Status::Memory { bytes: 1 << 60 });
}

#[test]
fn the_first_failed_check_ends_the_routine() {
    let text = "routine arena 0\nbuffer b0: i64[1] input 0\nbuffer b1: i64[1] output 0\nbuffer b2: i64[0] growable\n\
        function f0 \"check\" (%0: i64, %1: i64) { reserve b2, %1  %2: bool = gt %0, %1  fail %2 check 7 lane %0 }\n\
        function f1 \"main\" () { %0: i64 = load b0[0]  %1: i64 = const 100  %2: i64 = const 3\n\
          for %3 in 0..%0 { call f0(%3, %1)  %4: bool = eq %3, %2  %5: i64 = const -1\n\
            %6: i64 = const 3  %7: bool = eq %0, %6  %8: bool = and %4, %7  fail %8 check 9 lane %5 }\n\
          store b1[0] = %0 }";
    for (n, status) in [(50i64, Status::Fine), (101, Status::Fine), (500, Status::Check { check: 7, lane: 101 })] {
        assert_eq!(agree(&parse(text), &[n.to_le_bytes().to_vec()]).0, status);
    }
    let text = "routine arena 0\nbuffer b0: bool[1] input 0\n\
        function f0 \"main\" () { %0: bool = load b0[0]  %1: i64 = const -4  fail %0 check 4294967295 lane %1\n\
          %2: bool = const true  fail %2 check 1 lane %1 }";
    for (input, check) in [(1, u32::MAX), (0, 1)] {
        assert_eq!(agree(&parse(text), &[vec![input]]).0, Status::Check { check, lane: -4 });
    }
}

#[test]
fn copies_and_fills_of_every_length() {
    for dtype in DType::ALL {
        for n in [0usize, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 67, 200] {
            let len = 2 * n + 3;
            let text = format!(
                "routine arena {arena}\nbuffer b0: {dtype}[{len}] input 0\nbuffer b1: {dtype}[{len}] output 0\n\
                 buffer b2: {dtype}[{len}] output 1\nbuffer b3: i64[2] input 1\nbuffer b4: {dtype}[{len}] arena 64\n\
                 function f0 \"main\" () {{ %0: i64 = load b3[0]  %1: i64 = load b3[1]  %2: {dtype} = load b0[%1]\n\
                 fill b1[0; {len}] = %2  copy b1[2; {n}] = b0[%1 + 1]\n\
                 fill b2[0; {len}] = %2  %3: {dtype} = load b0[2]  copy b4[0; {len}] = b0[0]\n\
                 fill b4[%1; %0] = %3  copy b2[%1; %0] = b4[0]  fill b2[{n}; {n}] = %3 }}",
                arena = 64 + len * dtype.size()
            );
            for count in [n as i64, -1] {
                let counts = bytes(&[Scalar::new(count), Scalar::new(1i64)]);
                agree(&parse(&text), &[bytes(&values(dtype, len, 4)), counts]);
            }
        }
    }
}

#[test]
fn runtime_calls() {
    let text = "routine arena 256\nbuffer b0: f64[7] input 0\nbuffer b1: f64[8] arena 64\nbuffer b2: f64[4] output 0\n\
        function f0 \"main\" () { copy b1[1; 6] = b0[1]  %0: i64 = const 1\n\
          for %1 in 0..2 {\n\
          runtime \"dot_f64\" (1, 1, 3, 2, 0, 3, 1, 0, 2, 1, 0, 2, 1; b0[%0; 3], b1[%1 + 1; 6] -> b2[2 * %1; 2]) } }";
    let small: Vec<Scalar> = (0..7).map(|i| Scalar::new(i as f64)).collect();
    agree(
        &parse(&text.replace("copy b1[1; 6]", "%2: f64 = const 2.0 fill b1[0; 8] = %2 copy b1[1; 6]")),
        &[bytes(&small)],
    );
    let unknown = parse(&text.replace("dot_f64", "dot_f65"));
    let error = compile(&unknown, &checked()).unwrap_err();
    assert_eq!(error, Error::Routine("the runtime has no function \"dot_f65\"".into()));
}

#[test]
fn buffers_of_nothing_and_far_constants() {
    let text = "routine arena 0\nbuffer b0: f64[0] input 0\nbuffer b1: f64[0] output 0\nbuffer b2: f64[1] output 1\n\
        function f0 \"main\" () { pass %0 in 0..0 { %1: f64 = load b0[%0]  store b1[%0] = %1 } fold min %1 -> %2: f64\n\
        copy b1[0; 0] = b0[0]  fill b1[0; 0] = %2  store b2[0] = %2 }";
    let (_, outputs) = agree(&parse(text), &[Vec::new()]);
    assert_eq!(elements(DType::F64, &outputs[0]), []);
    assert_eq!(elements(DType::F64, &outputs[1]), [Scalar::new(f64::INFINITY)]);
    // Offsets that cancel far outside of what an instruction holds.
    let far = 1i64 << 40;
    let text = format!(
        "routine arena 0\nbuffer b0: i64[9] input 0\nbuffer b1: i64[9] output 0\nbuffer b2: i64[1] input 1\n\
         function f0 \"main\" () {{ %0: i64 = load b2[0]\n\
         pass %1 in 0..9 {{ %2: i64 = load b0[%1 - %0 + {far}]  store b1[-%0 - %1 + {}] = %2 }} }}",
        far + 8
    );
    agree(&parse(&text), &[bytes(&specials(DType::I64)[..9]), far.to_le_bytes().to_vec()]);
}

#[test]
fn invalid_routines_are_errors() {
    let routine = parse("routine arena 0\nfunction f0 \"main\" () { %0: f64 = neg %0 }");
    let error = compile(&routine, &checked()).unwrap_err();
    assert!(matches!(&error, Error::Routine(text) if text.contains("not defined")), "{error}");
}

#[test]
fn listings_are_kept_on_demand() {
    let routine = parse(
        "routine arena 0\nbuffer b0: f64[1] output 0\nfunction f0 \"alone\" () { %0: f64 = const 3.0 store b0[0] = %0 }",
    );
    assert!(compile(&routine, &checked()).unwrap().listing().is_none());
    let code = compile(&routine, &Options { listing: true, ..checked() }).unwrap();
    let listing = code.listing().unwrap();
    assert!(listing.clif.contains("; alone") && listing.clif.contains("f64const"), "{}", listing.clif);
    assert!(listing.assembly.iter().any(|i| i.text.contains("ret")), "{:?}", listing.assembly);
    assert!(code.code_bytes() > 0 && code.frame_bytes() > 0);
}
