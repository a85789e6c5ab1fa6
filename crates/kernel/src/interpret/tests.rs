//! What the interpreter does, and which mistakes it finds.

use super::*;
use crate::reduce::fold_last;
use crate::routine::MAX_NESTING;
use crate::verify::verify;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `scale` multiplies its input by an integer and adds it to its output.
struct Scale;

impl Library for Scale {
    fn call(&self, name: &str, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool {
        if name == "scale" {
            outputs[0].iter_mut().zip(inputs[0]).for_each(|(to, from)| *to += from * ints[0] as u8);
        }
        name == "scale"
    }
}

fn bytes<T: Element>(data: &[T]) -> Vec<u8> {
    let size = T::DTYPE.size();
    data.iter().flat_map(|x| x.to_bits().to_le_bytes().into_iter().take(size)).collect()
}

fn elements<T: Element>(bytes: &[u8]) -> Vec<T> {
    let of = |chunk: &[u8]| {
        let mut bits = [0; 8];
        bits[..chunk.len()].copy_from_slice(chunk);
        T::from_bits(u64::from_le_bytes(bits))
    };
    bytes.chunks(T::DTYPE.size()).map(of).collect()
}

/// Runs a text with one input (b0) and one output (b1) of any lengths.
fn run<A: Element, B: Element>(text: &str, input: &[A], outputs: usize) -> (Status, Vec<B>) {
    let (a, b, n) = (A::DTYPE, B::DTYPE, input.len());
    let header = format!("routine arena 256 buffer b0: {a}[{n}] input 0 buffer b1: {b}[{outputs}] output 0");
    let routine = Routine::parse(&format!("{header} {text}")).unwrap();
    verify(&routine).unwrap();
    let mut output = vec![0; outputs * b.size()];
    let status = interpret(&routine, &[&bytes(input)], &mut [&mut output], &Scale);
    (status, elements(&output))
}

fn main<A: Element, B: Element>(body: &str, input: &[A], outputs: usize) -> Vec<B> {
    let (status, output) = run(&format!("function f0 \"main\" () {{ {body} }}"), input, outputs);
    assert_eq!(status, Status::Fine);
    output
}

fn panics(body: &str, with: &str) {
    let text = format!("buffer b2: f64[8] arena 64 function f0 \"main\" () {{ {body} }}");
    let caught = catch_unwind(AssertUnwindSafe(|| run::<f64, f64>(&text, &[1.0; 4], 4)));
    let message = caught.expect_err(body).downcast::<String>().unwrap();
    assert!(message.contains(with), "{message}");
}

#[test]
fn loops_carry_forwards_and_backwards() {
    let horner = |reverse: &str| {
        format!(
            "%0: f64 = const 0.0 %1: f64 = const 10.0
             %2: f64 = for %3 in 0..3 {reverse} carry (%4: f64 = %0) {{
               %5: f64 = load b0[%3]
               %6: f64 = fma %4, %1, %5
               yield %6
             }}
             store b1[0] = %2"
        )
    };
    assert_eq!(main::<f64, f64>(&horner(""), &[1.0, 2.0, 3.0], 1), [123.0]);
    assert_eq!(main::<f64, f64>(&horner("reverse"), &[1.0, 2.0, 3.0], 1), [321.0]);
    let count = |n: i64| {
        let body = "%0: i64 = load b0[0] %1: i64 = for %2 in 0..%0 carry (%3: i64 = %0) {
            %4: i64 = index %3 + 10 yield %4 } store b1[0] = %1";
        main::<i64, i64>(body, &[n], 1)[0]
    };
    assert_eq!([count(-2), count(0), count(3)], [-2, 0, 33]);
}

#[test]
fn while_and_if() {
    // The length of the Collatz sequence.
    let body = "
        %0: i64 = load b0[0] %1: i64 = const 0 %2: i64 = const 1 %3: i64 = const 2
        %4: i64, %5: i64 = while carry (%6: i64 = %0, %7: i64 = %1) test {
          %8: bool = ne %6, %2
          yield %8
        } do {
          %9: i64 = rem %6, %3
          %10: bool = eq %9, %1
          %11: i64 = if %10 { %12: i64 = div %6, %3 yield %12 } else { %13: i64 = index 3*%6 + 1 yield %13 }
          %14: i64 = index %7 + 1
          yield %11, %14
        }
        store b1[0] = %5";
    assert_eq!(main::<i64, i64>(body, &[27], 1), [111]);
    assert_eq!(main::<i64, i64>(body, &[1], 1), [0]);
}

#[test]
fn folds_follow_the_fixed_order() {
    let data: Vec<f32> = (0..10_000).map(|i| (i as f32 * 0.37).sin() * 10f32.powi(i % 7)).collect();
    let body = "pass %0 in 0..10000 { %1: f32 = load b0[%0] } fold add %1 -> %2: f32, max %1 -> %3: f32
        pass %4 in 0..0 { } fold mul %2 -> %5: f32
        store b1[0] = %2 store b1[1] = %3 store b1[2] = %5";
    let max = data.iter().copied().fold(f32::MIN, f32::max);
    assert_eq!(main::<f32, f32>(body, &data, 3), [fold_last(&data, 0.0, |x, y| x + y), max, 1.0]);
}

#[test]
fn scalars_of_every_dtype_keep_their_bits() {
    for dtype in DType::ALL {
        with_element!(dtype, T => {
            let ones = vec![<T as Element>::from_bits(Scalar::one(dtype).bits); 3];
            let body = format!("%0: {dtype} = load b0[2] fill b1[1; 2] = %0 copy b1[0; 1] = b0[0]");
            assert_eq!(main::<T, T>(&body, &ones, 3), ones);
        });
    }
    let (_, nan) = run::<u64, u64>("function f0 \"f\" () { copy b1[0; 1] = b0[0] }", &[0x7ff0_dead_beef_0001], 1);
    assert_eq!(nan, [0x7ff0_dead_beef_0001]);
}

#[test]
fn functions_take_scalars_and_buffers() {
    let text = "
        buffer b2: i64[0] growable buffer b3: i64[0] param 0 buffer b4: i64[0] param 0
        function f0 \"push\" (%0: i64, %1: i64; b3) {
          %2: i64 = index %0 + 1
          reserve b3, %2
          store b3[%0] = %1
          yield %2
        }
        function f1 \"push twice\" (%0: i64, %1: i64; b4) {
          %2: i64 = call f0(%0, %1; b4)
          %3: i64 = call f0(%2, %1; b4)
          yield %3
        }
        function f2 \"main\" () {
          %0: i64 = const 0 %1: i64 = load b0[0] %2: i64 = load b0[1]
          %3: i64 = call f1(%0, %1; b2)
          %4: i64 = call f1(%3, %2; b2)
          reserve b2, %3
          copy b1[0; %4] = b2[0]
        }";
    assert_eq!(run::<i64, i64>(text, &[5, 6], 4), (Status::Fine, vec![5, 5, 6, 6]));
}

#[test]
fn the_runtime_is_called_by_name() {
    let body = "%0: i64 = const 1 %1: u8 = const 100 fill b1[0; 3] = %1
        runtime \"scale\" (2; b0[%0; 2] -> b1[1; 2])";
    assert_eq!(main::<u8, u8>(body, &[1, 2, 3], 3), [100, 104, 106]);
    panics("runtime \"nothing\" (; -> )", "the runtime has no function nothing");
    panics("runtime \"scale\" (1; b1[0; 2] -> b1[1; 2])", "scale is handed spans that overlap");
    panics("runtime \"scale\" (1; b0[3; 2] -> b1[1; 2])", "elements 3 + 0..2 of b0, which has 4");
}

#[test]
fn early_ends() {
    let text = "function f0 \"main\" () {
        for %0 in 0..10 { %1: i64 = index 5 %2: bool = ge %0, %1 fail %2 check 7 lane %0 } }";
    assert_eq!(run::<u8, u8>(text, &[], 0).0, Status::Check { check: 7, lane: 5 });
    let text = "buffer b2: f64[0] growable
        function f0 \"main\" () { %0: i64 = const 9223372036854775807 reserve b2, %0 }";
    assert_eq!(run::<u8, u8>(text, &[], 0).0, Status::Memory { bytes: u64::MAX });
    let text = text.replace("9223372036854775807", "-9223372036854775808");
    assert_eq!(run::<u8, u8>(&text, &[], 0).0, Status::Fine);
}

#[test]
fn accesses_outside_are_found() {
    panics("%0: f64 = load b0[4]", "elements 4 + 0..1 of b0, which has 4, in f \"main\"");
    panics("%0: f64 = load b0[-1]", "elements -1 + 0..1 of b0");
    panics("%0: f64 = const 0.0 store b1[4] = %0", "elements 4 + 0..1 of b1");
    panics("%0: f64 = const 0.0 fill b2[7; 2] = %0", "elements 7 + 0..2 of b2");
    panics("copy b1[0; 5] = b2[0]", "elements 0 + 0..5 of b1");
    panics("%0: i64 = const 9223372036854775807 copy b1[1; %0] = b2[0]", "of b1");
    panics("copy b2[0; 3] = b2[2]", "overlap");
}

#[test]
fn memory_never_written_shows() {
    let poison = u64::from_le_bytes([POISON; 8]);
    let text = "buffer b2: u64[8] arena 64 function f0 \"main\" () { copy b1[0; 1] = b2[7] }";
    assert_eq!(run::<u64, u64>(text, &[], 2), (Status::Fine, vec![poison, poison]));
}

#[test]
fn buffers_may_share_the_arena() {
    let text = "buffer b2: u64[2] arena 64 buffer b3: u8[16] arena 64
        function f0 \"main\" () { copy b2[0; 2] = b0[0] copy b1[0; 16] = b3[0] }";
    let (_, output) = run::<u64, u8>(text, &[0x0807_0605_0403_0201, 9], 16);
    assert_eq!(output, [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn rounds_of_a_pass_must_not_meet() {
    let own = "pass %0 in 0..4 { %1: f64 = load b0[%0] store b1[%0] = %1 %2: f64 = load b1[%0] store b1[%0] = %2 }";
    assert_eq!(main::<f64, f64>(own, &[1.0, 2.0, 3.0, 4.0], 4), [1.0, 2.0, 3.0, 4.0]);
    let shared = "pass %0 in 0..4 { %1: f64 = load b0[0] store b1[%0] = %1 }";
    assert_eq!(main::<f64, f64>(shared, &[7.0], 4), [7.0; 4]);
    let meet = |body: &str| panics(&format!("pass %0 in 0..3 {{ {body} }}"), "round ");
    meet("%1: f64 = const 0.0 store b1[0] = %1");
    meet("%1: f64 = load b1[%0] store b1[%0 + 1] = %1");
    meet("%1: f64 = load b1[%0 + 1] store b1[%0] = %1");
    meet("%1: f64 = load b1[2] store b1[%0] = %1");
}

#[test]
fn rounds_of_a_parallel_loop_must_not_meet() {
    let local = |body: &str| {
        let text = format!(
            "routine arena 0 local 64 buffer b0: f64[4] input 0 buffer b1: f64[4] output 0 buffer b2: f64[2] local 0
             function f0 \"main\" () {{ for %0 in 0..4 parallel 2 {{ {body} }} }}"
        );
        let routine = Routine::parse(&text).unwrap();
        assert_eq!(verify(&routine), Ok(()));
        let (x, mut y) = (bytes(&[1.0, 2.0, 3.0, 4.0]), vec![0; 32]);
        assert_eq!(interpret(&routine, &[&x], &mut [&mut y], &Scale), Status::Fine);
        elements::<f64>(&y)
    };
    let kept = "copy b2[0; 1] = b0[%0] %1: f64 = load b2[0] %2: f64 = add %1, %1 store b1[%0] = %2";
    assert_eq!(local(kept), [2.0, 4.0, 6.0, 8.0]);
    let left = "copy b2[0; 1] = b0[%0] %1: f64 = load b2[1] store b1[%0] = %1";
    let poison = f64::from_bits(u64::from_le_bytes([POISON; 8]));
    assert_eq!(local(left), [poison; 4], "no round finds what another left");
    let meet = |body: &str| panics(&format!("for %0 in 0..3 parallel 1 {{ {body} }}"), "of a parallel loop");
    meet("%1: f64 = const 0.0 store b1[0] = %1");
    meet("%1: f64 = const 0.0 fill b1[%0; 2] = %1");
    meet("copy b1[%0; 1] = b1[%0 + 1]");
    meet("pass %1 in 0..2 { %2: f64 = const 0.0 store b1[%0 + %1] = %2 }");
    meet("%1: f64 = load b1[3] store b1[%0 + 1] = %1");
}

#[test]
fn deep_nesting_and_long_blocks() {
    let (open, close) = ("if %0 { ".repeat(MAX_NESTING - 1), "} else { } ".repeat(MAX_NESTING - 1));
    let text = format!("%0: bool = const true %1: u8 = const 9 {open} store b1[0] = %1 {close}");
    assert_eq!(main::<u8, u8>(&text, &[], 1), [9]);
    let long: String = (1..20_000).map(|i| format!("%{i}: i64 = index %{} + 1\n", i - 1)).collect();
    let text = format!("%0: i64 = const 0 {long} store b1[0] = %19999");
    assert_eq!(main::<u8, i64>(&text, &[], 1), [19_999]);
}
