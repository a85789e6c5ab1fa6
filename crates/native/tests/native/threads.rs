//! Parallel loops: as the interpreter, which runs the last round first, for any number of threads.

use crate::agreement::{agree, bytes, parse};
use wengert_kernel::Scalar;
use wengert_runtime::with_num_threads;

const THREADS: [usize; 4] = [1, 2, 3, 8];

/// `n` different numbers.
fn numbers(n: usize) -> Vec<u8> {
    let number = |i: usize| Scalar::new((i * 37 % 1000) as f64 / 64.0 - 5.0);
    bytes(&(0..n).map(number).collect::<Vec<Scalar>>())
}

fn agree_in_threads(text: &str, inputs: &[Vec<u8>]) {
    let routine = parse(text);
    for n in THREADS {
        with_num_threads(n, || agree(&routine, inputs));
    }
}

#[test]
fn rounds_read_what_was_computed_before_the_loop() {
    // A constant, a value, the arena, a counter around; every buffer's end is watched.
    for (count, grain) in [(0, 1), (1, 1), (40, 1), (40, 7), (40, 100)] {
        agree_in_threads(
            &format!(
                r#"routine arena 448 local 64
                buffer b0: f64[160] input 0
                buffer b1: f64[160] output 0
                buffer b2: f64[50] arena 0
                buffer b3: f64[4] local 0
                function f0 "main" () {{
                  %0: f64 = load b0[3]
                  %1: f64 = const 0.25
                  %9: f64 = const 9.0
                  fill b1[0; 160] = %1
                  fill b2[0; 50] = %9
                  for %2 in 0..2 {{
                    %3: f64 = convert f64 %2
                    for %4 in 0..{count} parallel {grain} {{
                      pass %5 in 0..4 {{ %6: f64 = load b0[4*%4 + %5]  %7: f64 = mul %6, %0  store b3[%5] = %7 }}
                      pass %8 in 0..4 {{
                        %10: f64 = load b3[-1*%8 + 3]
                        %11: f64 = add %10, %1
                        %12: f64 = add %11, %3
                        %13: f64 = load b2[%4]
                        %14: f64 = mul %12, %13
                        store b1[4*%4 + %8] = %14
                      }}
                    }}
                  }}
                }}"#
            ),
            &[numbers(160)],
        );
    }
}

#[test]
fn rows_with_reductions_elementary_functions_branches_and_loops() {
    agree_in_threads(
        r#"routine arena 0 local 4224
        buffer b0: f64[5200] input 0
        buffer b1: f64[5200] output 0
        buffer b2: f64[10] output 1
        buffer b3: f64[520] local 0
        buffer b4: f64[1] local 4160
        function f0 "main" () {
          for %0 in 0..10 parallel 1 {
            pass %1 in 0..520 { %2: f64 = load b0[520*%0 + %1] } fold max %2 -> %3: f64
            pass %4 in 0..520 {
              %5: f64 = load b0[520*%0 + %4]
              %6: f64 = sub %5, %3
              %7: f64 = exp %6
              store b3[%4] = %7
            } fold add %7 -> %8: f64
            pass %9 in 0..520 { %10: f64 = load b3[%9]  %11: f64 = div %10, %8  store b1[520*%0 + %9] = %11 }
            %12: i64 = const 4
            %13: bool = lt %0, %12
            if %13 { store b4[0] = %8 } else { store b4[0] = %3 }
            %14: f64 = load b4[0]
            %15: f64 = for %16 in 0..%0 carry (%17: f64 = %14) { %18: f64 = add %17, %14  yield %18 }
            %19: f64 = while carry (%20: f64 = %15) test { %21: f64 = const 100.0  %22: bool = lt %20, %21  yield %22 } do
              { %23: f64 = add %20, %20  %24: f64 = const 1.0  %25: f64 = max %23, %24  yield %25 }
            store b2[%0] = %19
          }
        }"#,
        &[numbers(5200)],
    );
}

#[test]
fn functions_with_parallel_loops_take_buffers() {
    agree_in_threads(
        r#"routine arena 0
        buffer b0: f64[64] input 0
        buffer b1: f64[64] output 0
        buffer b2: f64[64] output 1
        buffer b3: f64[64] param 0
        buffer b4: f64[64] param 1
        buffer b5: f64[0] growable
        function f0 "scaled" (%0: f64; b3, b4) {
          for %1 in 0..64 parallel 3 { %2: f64 = load b3[%1]  %3: f64 = mul %2, %0  store b4[%1] = %3 }
          %4: f64 = load b4[63]
          yield %4
        }
        function f1 "main" () {
          %0: f64 = const 3.0
          %1: i64 = const 64
          reserve b5, %1
          %2: f64 = call f0(%0; b0, b5)
          %3: f64 = call f0(%2; b5, b1)
          %4: f64 = call f0(%3; b0, b2)
          for %5 in 0..64 parallel 16 { %6: f64 = load b5[%5]  %7: f64 = load b2[%5]  %8: f64 = add %6, %7  store b2[%5] = %8 }
        }"#,
        &[numbers(64)],
    );
}

#[test]
fn the_runtime_is_called_in_parallel_loops() {
    agree_in_threads(
        r#"routine arena 0 local 192
        buffer b0: f64[240] input 0
        buffer b1: i64[240] output 0
        buffer b2: f64[24] local 0
        function f0 "main" () {
          for %0 in 0..10 parallel 2 {
            pass %1 in 0..24 { %2: f64 = load b0[24*%0 + %1]  %3: f64 = neg %2  store b2[%1] = %3 }
            runtime "argsort_f64" (1, 24; b2[0; 24] -> b1[24*%0; 24])
          }
        }"#,
        &[numbers(240)],
    );
}

/// Rounds wait for each other's work only through the runtime, so all threads are in the machine code at once.
#[test]
fn threads_have_memory_of_their_own() {
    // If blocks were shared, rounds would find each other's numbers in what they keep: thousands of rounds, each on 64 KiB.
    agree_in_threads(
        r#"routine arena 0 local 65536
        buffer b0: f64[400] output 0
        buffer b1: f64[8192] local 0
        function f0 "main" () {
          for %0 in 0..400 parallel 1 {
            %1: f64 = convert f64 %0
            fill b1[0; 8192] = %1
            pass %2 in 0..8192 { %3: f64 = load b1[%2] } fold add %3 -> %4: f64
            store b0[%0] = %4
          }
        }"#,
        &[],
    );
}
