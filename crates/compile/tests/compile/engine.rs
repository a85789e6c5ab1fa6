//! One program, two engines: the reference interpreter of programs, and the interpreter of routines on what the
//! compiler makes of the program.

use std::sync::Arc;
use wengert_compile::{Compiled, Options, compile};
use wengert_core::interpret::interpret;
use wengert_core::program::{Builder, Program, Var, parse, simplify};
use wengert_core::trace::{Surroundings, trace_with};
use wengert_core::transform::{batch, jvp, linearize, transpose_linear};
use wengert_core::types::Type;
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Array, DType, Error, ErrorKind};
use wengert_kernel::routine::{Routine, Status};
use wengert_kernel::{Buffer, interpret as routine, with_element};
use wengert_runtime::Host;

/// Compiles with all verifiers on.
pub fn compiled(program: &Program) -> Compiled {
    compile(program, &Options { verify: true, ..Options::default() })
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

/// Runs loops that a program became; outputs as bytes.
pub fn run_loops(routine: &Routine, program: &Program, args: &[Value]) -> (Status, Vec<Vec<u8>>) {
    let inputs: Vec<Vec<u8>> = args.iter().map(bytes).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(|x| &x[..]).collect();
    let mut outputs: Vec<Buffer> = program.output_types().map(|ty| Buffer::zeros(DType::U8, size(ty))).collect();
    let mut bytes: Vec<&mut [u8]> = outputs.iter_mut().map(Buffer::bytes_mut).collect();
    let status = routine::interpret(routine, &inputs, &mut bytes, &Host);
    (status, outputs.iter().map(|b| b.bytes().to_vec()).collect())
}

/// Runs the routine; outputs as bytes, or the error.
pub fn run(compiled: &Compiled, program: &Program, args: &[Value]) -> Result<Vec<Vec<u8>>, Error> {
    let (status, outputs) = run_loops(&compiled.routine, program, args);
    match status {
        Status::Fine => Ok(outputs),
        Status::Check { check, lane } => Err(compiled.checks[check as usize].error(lane)),
        Status::Memory { bytes } => Err(Error::new(ErrorKind::Memory, format!("{bytes} bytes"))),
    }
}

/// Panics unless both engines agree, with few parallel loops and with as many as can be: bitwise (any NaN equals any NaN), or
/// within `tolerance` relative to the largest element.
pub fn agree_within(program: &Program, args: &[Value], tolerance: f64) {
    let want = interpret(program, args.to_vec());
    let parallel = compile(program, &Options { verify: true, parallel: 0, blocks: 64 });
    for compiled in [compiled(program), parallel] {
        agree_with(&want, &compiled, program, args, tolerance);
    }
}

fn agree_with(
    want: &Result<Vec<Value>, Error>,
    compiled: &Compiled,
    program: &Program,
    args: &[Value],
    tolerance: f64,
) {
    let got = run(compiled, program, args);
    let show = || format!("{program}\n{}", compiled.routine);
    match (want, got) {
        (Ok(want), Ok(got)) => {
            for (k, (want, got)) in want.iter().zip(&got).enumerate() {
                let same = equal(&bytes(want), got, program.outputs()[k], program, tolerance);
                assert!(same, "output {k}: {want:?} is {}\n{}", text(got, program, k), show());
            }
        }
        (Err(want), Err(got)) => assert_eq!(want, &got, "{}", show()),
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

/// Whether elements are equal bit by bit, any NaN being any other.
pub fn same_bits(want: &[u8], got: &[u8], dtype: DType) -> bool {
    let both = numbers(want, dtype).into_iter().zip(numbers(got, dtype));
    let bits = want.chunks(dtype.size()).zip(got.chunks(dtype.size())).map(|(a, b)| a == b);
    want.len() == got.len() && both.zip(bits).all(|((a, b), same)| same || (a.is_nan() && b.is_nan()))
}

fn equal(want: &[u8], got: &[u8], v: Var, program: &Program, tolerance: f64) -> bool {
    let dtype = program.ty(v).dtype();
    let both = numbers(want, dtype).into_iter().zip(numbers(got, dtype));
    let scale = numbers(want, dtype).into_iter().filter(|x| x.is_finite()).fold(1.0, |m: f64, x| m.max(x.abs()));
    let bits = want.chunks(dtype.size()).zip(got.chunks(dtype.size())).map(|(a, b)| a == b);
    want.len() == got.len()
        && both.zip(bits).all(|((a, b), same)| same || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * scale)
}

/// The program that a function of arrays of these types records, as it is recorded.
pub fn recorded(types: &[Type], f: impl FnOnce(Vec<Array>) -> Vec<Array>) -> Program {
    trace_with(types, 0, Surroundings::Closed, f).program
}

/// The same, simplified.
pub fn traced(types: &[Type], f: impl FnOnce(Vec<Array>) -> Vec<Array>) -> Arc<Program> {
    Arc::new(simplify(&recorded(types, f)))
}

/// An `f64` array type.
pub fn f64s(shape: &[usize]) -> Type {
    Type::array(DType::F64, shape)
}

/// Numbers for inputs of these types; `true` for truth values, small indices for integers.
pub fn arguments(program: &Program) -> Vec<Value> {
    let one = |(i, ty): (usize, &Type)| {
        let a = ty.as_array().expect("an array");
        let n = a.size();
        match a.dtype {
            DType::F64 => {
                let x = |k: usize| ((k * k + 3 * i) as f64 * 0.37 + k as f64 * 0.91 + 0.3 * i as f64).sin() + 0.2;
                ArrayValue::new(&a.shape, (0..n).map(x).collect::<Vec<f64>>()).into()
            }
            DType::I64 => {
                ArrayValue::new(&a.shape, (0..n).map(|k| (k * 5 + i) as i64 % 7 - 1).collect::<Vec<i64>>()).into()
            }
            DType::Bool => ArrayValue::new(&a.shape, (0..n).map(|k| (k + i) % 3 != 0).collect::<Vec<bool>>()).into(),
            other => panic!("no arguments of {other}"),
        }
    };
    program.input_types().iter().enumerate().map(one).collect()
}

fn inline(b: &mut Builder, program: &Program, inputs: &[Var]) -> Vec<Var> {
    let mut env = inputs.to_vec();
    env.resize(program.vars(), Var(u32::MAX));
    for e in program.equations() {
        let args = e.args.iter().map(|a| env[a.index()]).collect();
        for (old, new) in e.results().zip(b.copy(e, args, program)) {
            env[old.index()] = new;
        }
    }
    program.outputs().iter().map(|v| env[v.index()]).collect()
}

/// Inputs and cotangents of the outputs to outputs and cotangents of the (float) inputs.
pub fn gradient(program: &Arc<Program>) -> Arc<Program> {
    let active: Vec<bool> = program.input_types().iter().map(|ty| ty.dtype().is_float()).collect();
    let wanted: Vec<bool> = program.output_types().map(|ty| ty.dtype().is_float()).collect();
    let linearized = linearize(program, &active, &wanted);
    let backward = transpose_linear(&linearized);
    let mut b = Builder::new();
    let inputs: Vec<Var> = program.input_types().iter().map(|ty| b.input(ty.clone())).collect();
    let cts: Vec<Var> = backward.input_types()[linearized.residuals..].iter().map(|ty| b.input(ty.clone())).collect();
    let mut known = inline(&mut b, &linearized.known, &inputs);
    let residuals = known.split_off(program.outputs().len());
    let grads = inline(&mut b, &backward, &[residuals, cts].concat());
    Arc::new(simplify(&b.finish(&[known, grads].concat())))
}

/// Inputs and tangents to outputs and tangents.
pub fn forward(program: &Arc<Program>) -> Arc<Program> {
    let active: Vec<bool> = program.input_types().iter().map(|ty| ty.dtype().is_float()).collect();
    jvp(program, &active, &vec![false; program.outputs().len()]).program
}

/// Over a batch of three in all inputs.
pub fn vmapped(program: &Arc<Program>) -> Arc<Program> {
    batch(program, &vec![true; program.inputs()], 3, &vec![false; program.outputs().len()]).program
}

/// Both engines agree on the program, its derivatives and batches of these, to the second order.
pub fn agree_transformed(program: &Arc<Program>) {
    let reverse = gradient(program);
    let all = [
        program.clone(),
        forward(program),
        vmapped(program),
        vmapped(&reverse),
        gradient(&vmapped(program)),
        forward(&reverse),
        vmapped(&forward(&reverse)),
        gradient(&reverse),
        vmapped(&vmapped(&reverse)),
        reverse,
    ];
    for program in all {
        agree_within(&program, &arguments(&program), 1e-9);
    }
}
