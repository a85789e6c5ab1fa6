//! One program, two engines: the reference interpreter of programs, and the interpreter of routines on what the compiler
//! makes of the program.

use wengert_compile::{Compiled, Options, compile};
use wengert_core::interpret::interpret;
use wengert_core::program::{Program, Var, parse};
use wengert_core::types::Type;
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{DType, Error, ErrorKind};
use wengert_kernel::routine::Status;
use wengert_kernel::{interpret as routine, with_element};
use wengert_runtime::Host;

/// Compiles with all verifiers on.
pub fn compiled(program: &Program) -> Compiled {
    compile(program, &Options { verify: true })
}

/// The bytes of an array, or of all rows of a list of known length one after the other.
pub fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Array(a) => a.buffer.bytes().to_vec(),
        Value::List(l) => l.rows.iter().flat_map(bytes).collect(),
    }
}

/// Bytes of a value of a type.
fn size(ty: &Type) -> usize {
    match ty {
        Type::Array(a) => a.size() * a.dtype.size(),
        Type::List(l) => l.length.expect("programs take and give arrays") * size(&l.element),
    }
}

/// Runs the routine; outputs as bytes, or the error.
pub fn run(compiled: &Compiled, program: &Program, args: &[Value]) -> Result<Vec<Vec<u8>>, Error> {
    let inputs: Vec<Vec<u8>> = args.iter().map(bytes).collect();
    let mut outputs: Vec<Vec<u64>> = program.output_types().map(|ty| vec![0; size(ty).div_ceil(8)]).collect();
    let sizes: Vec<usize> = program.output_types().map(size).collect();
    let status = {
        let inputs: Vec<&[u8]> = inputs.iter().map(|x| &x[..]).collect();
        let mut outputs: Vec<&mut [u8]> = outputs
            .iter_mut()
            .zip(&sizes)
            .map(|(words, &n)| {
                // SAFETY: any bytes are bytes, and the words are aligned for any element type.
                let all = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), words.len() * 8) };
                &mut all[..n]
            })
            .collect();
        routine::interpret(&compiled.routine, &inputs, &mut outputs, &Host)
    };
    match status {
        Status::Fine => {
            let bytes = |(words, n): (Vec<u64>, usize)| {
                words.into_iter().flat_map(u64::to_ne_bytes).take(n).collect::<Vec<u8>>()
            };
            Ok(outputs.into_iter().zip(sizes).map(bytes).collect())
        }
        Status::Check { check, lane } => Err(compiled.checks[check as usize].error(lane)),
        Status::Memory { bytes } => Err(Error::new(ErrorKind::Memory, format!("{bytes} bytes"))),
    }
}

/// Panics unless both engines agree: bitwise (any NaN equals any NaN), or within `tolerance` relative to the largest element.
pub fn agree_within(program: &Program, args: &[Value], tolerance: f64) {
    let compiled = compiled(program);
    let want = interpret(program, args.to_vec());
    let got = run(&compiled, program, args);
    let show = || format!("{program}\n{}", compiled.routine);
    match (want, got) {
        (Ok(want), Ok(got)) => {
            for (k, (want, got)) in want.iter().zip(&got).enumerate() {
                let same = equal(&bytes(want), got, program.outputs()[k], program, tolerance);
                assert!(same, "output {k}: {want:?} is {}\n{}", text(got, program, k), show());
            }
        }
        (Err(want), Err(got)) => assert_eq!(want, got, "{}", show()),
        (want, got) => panic!("{want:?} against {got:?}\n{}", show()),
    }
}

/// The same, bitwise.
pub fn agree(program: &Program, args: &[Value]) {
    agree_within(program, args, 0.0);
}

/// The same for a program as text.
pub fn check(text: &str, args: &[Value]) -> Compiled {
    let program = parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    agree(&program, args);
    compiled(&program)
}

fn numbers(bytes: &[u8], dtype: DType) -> Vec<f64> {
    with_element!(dtype, T => {
        bytes.chunks(dtype.size()).map(|chunk| {
            let mut bits = [0; 8];
            bits[..chunk.len()].copy_from_slice(chunk);
            let x = <T as wengert_core::Element>::from_bits(u64::from_le_bytes(bits));
            let to = wengert_kernel::ScalarOp::Convert(DType::F64);
            to.eval(&[wengert_core::Scalar::new(x)]).get::<f64>().unwrap()
        }).collect()
    })
}

fn text(bytes: &[u8], program: &Program, output: usize) -> String {
    format!("{:?}", numbers(bytes, program.ty(program.outputs()[output]).dtype()))
}

fn equal(want: &[u8], got: &[u8], v: Var, program: &Program, tolerance: f64) -> bool {
    let dtype = program.ty(v).dtype();
    let both = numbers(want, dtype).into_iter().zip(numbers(got, dtype));
    let scale = numbers(want, dtype).into_iter().filter(|x| x.is_finite()).fold(1.0, |m: f64, x| m.max(x.abs()));
    let bits = want.chunks(dtype.size()).zip(got.chunks(dtype.size())).map(|(a, b)| a == b);
    want.len() == got.len()
        && both.zip(bits).all(|((a, b), same)| same || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale)
}

/// An `f64` array of distinct numbers between -2 and 2.
pub fn noise(shape: &[usize]) -> Value {
    let n: usize = shape.iter().product();
    let x = (0..n).map(|i| 2.0 * ((i * i) as f64 * 0.37 + i as f64 + 0.3).sin()).collect::<Vec<f64>>();
    ArrayValue::new(shape, x).into()
}
