//! Runs a routine by the interpreter and natively, in every way of compiling, and compares the bytes.

use crate::fence::Fenced;
use wengert_kernel::routine::{BufferId, Routine, Status, Storage};
use wengert_kernel::{DType, Scalar, bf16, f16, interpret, verify};
use wengert_native::{Allocator, Code, OptLevel, Options, calls, compile};
use wengert_runtime::Host;

/// Bytes that must not change, before and after every output.
const GUARD: usize = 64;

/// Memory aligned as outputs are.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; 64]);

/// An output between two guards.
struct Output {
    lines: Vec<Line>,
    bytes: usize,
}

impl Output {
    fn new(bytes: usize) -> Output {
        let lines = vec![Line([interpret::POISON; 64]); bytes.div_ceil(64) + 2 * GUARD / 64];
        Output { lines, bytes }
    }

    fn all(&mut self) -> &mut [u8] {
        let bytes = self.lines.len() * 64;
        // SAFETY: lines are plain bytes.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), bytes) }
    }

    fn data(&mut self) -> &mut [u8] {
        let bytes = self.bytes;
        &mut self.all()[GUARD..GUARD + bytes]
    }

    fn guards_hold(&mut self) -> bool {
        let bytes = self.bytes;
        let all = self.all();
        all[..GUARD].iter().chain(&all[GUARD + bytes..]).all(|&b| b == interpret::POISON)
    }
}

/// Everything checked by Cranelift.
pub fn checked() -> Options {
    Options { verify: true, ..Options::default() }
}

/// As for users, on every kind of processor.
pub fn by_rule() -> Vec<Options> {
    vec![checked(), Options { widest: 256, ..checked() }]
}

/// Without vectors.
pub fn scalar() -> Options {
    Options { vector: false, ..checked() }
}

/// The ways of compiling that every routine is tried in.
pub fn variants() -> Vec<Options> {
    let checked = checked();
    vec![
        checked.clone(),
        scalar(),
        Options { wide: 0, ..checked.clone() },
        Options { wide: 0, widest: 256, ..checked.clone() },
        Options { widest: 256, ..checked.clone() },
        Options { wide: u64::MAX, ..checked.clone() },
        Options { opt_level: OptLevel::None, allocator: Allocator::SinglePass, ..checked.clone() },
        Options { split: 4, ..checked.clone() },
        Options { split: 24, vector: false, ..checked },
    ]
}

/// The routine of a text.
pub fn parse(text: &str) -> Routine {
    Routine::parse(text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Elements as bytes.
pub fn bytes(elements: &[Scalar]) -> Vec<u8> {
    elements.iter().flat_map(|x| x.bits.to_le_bytes()[..x.dtype.size()].to_vec()).collect()
}

/// Bytes as elements.
pub fn elements(dtype: DType, bytes: &[u8]) -> Vec<Scalar> {
    let element = |bytes: &[u8]| {
        let mut bits = [0; 8];
        bits[..bytes.len()].copy_from_slice(bytes);
        Scalar { dtype, bits: u64::from_le_bytes(bits) }
    };
    bytes.chunks(dtype.size()).map(element).collect()
}

/// The same value, whatever the payload of a NaN.
pub fn same(x: Scalar, y: Scalar) -> bool {
    let nan = |x: Scalar| match x.dtype {
        DType::F16 => f16::from_bits(x.bits as u16).is_nan(),
        DType::BF16 => bf16::from_bits(x.bits as u16).is_nan(),
        DType::F32 => f32::from_bits(x.bits as u32).is_nan(),
        DType::F64 => f64::from_bits(x.bits).is_nan(),
        _ => false,
    };
    x == y || (x.dtype == y.dtype && nan(x) && nan(y))
}

/// The bytes of the outputs and the status, by the interpreter.
pub fn interpreted(routine: &Routine, inputs: &[Vec<u8>]) -> (Status, Vec<Vec<u8>>) {
    verify::verify(routine).unwrap_or_else(|e| panic!("{e}\n{routine}"));
    let mut outputs: Vec<Vec<u8>> = output_sizes(routine).into_iter().map(|n| vec![interpret::POISON; n]).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(|x| &x[..]).collect();
    let mut slices: Vec<&mut [u8]> = outputs.iter_mut().map(|y| &mut y[..]).collect();
    let status = interpret::interpret(routine, &inputs, &mut slices, &Host);
    (status, outputs)
}

/// The same, by machine code, from inputs whose end is where their memory ends.
pub fn native(code: &Code, routine: &Routine, inputs: &[Vec<u8>]) -> (Status, Vec<Vec<u8>>) {
    let fenced: Vec<Fenced> = inputs.iter().map(|x| Fenced::new(x)).collect();
    let mut outputs: Vec<Output> = output_sizes(routine).into_iter().map(Output::new).collect();
    let input_addresses: Vec<*const u8> = fenced.iter().map(Fenced::address).collect();
    let output_addresses: Vec<*mut u8> = outputs.iter_mut().map(|y| y.data().as_mut_ptr()).collect();
    let before = calls();
    // SAFETY: buffers of the routine's sizes; outputs are aligned.
    let status = unsafe { code.call(&input_addresses, &output_addresses) };
    assert!(calls() > before, "machine code did not run");
    assert!(outputs.iter_mut().all(Output::guards_hold), "written outside of an output\n{routine}");
    (status, outputs.iter_mut().map(|y| y.data().to_vec()).collect())
}

/// Runs a routine in all ways and demands the same; gives the interpreter's status and outputs.
pub fn agree(routine: &Routine, inputs: &[Vec<u8>]) -> (Status, Vec<Vec<u8>>) {
    agree_in(&variants(), routine, inputs)
}

/// The same, in some ways of compiling.
pub fn agree_in(variants: &[Options], routine: &Routine, inputs: &[Vec<u8>]) -> (Status, Vec<Vec<u8>>) {
    let (status, outputs) = interpreted(routine, inputs);
    for options in variants {
        let code = compile(routine, options).unwrap_or_else(|e| panic!("{e}\n{options:?}\n{routine}"));
        // Twice: the second call finds the first one's memory.
        for _ in 0..2 {
            let (native_status, native_outputs) = native(&code, routine, inputs);
            assert_eq!(native_status, status, "{options:?}\n{routine}");
            if status != Status::Fine {
                continue;
            }
            for (number, (want, got)) in outputs.iter().zip(&native_outputs).enumerate() {
                let dtype = output_dtype(routine, number as u32);
                let (want, got) = (elements(dtype, want), elements(dtype, got));
                if let Some(at) = (0..want.len()).find(|&i| !same(want[i], got[i])) {
                    panic!(
                        "output {number}[{at}] is {:?} ({:#x}), not {:?} ({:#x})\n{options:?}\n{routine}",
                        got[at], got[at].bits, want[at], want[at].bits
                    );
                }
            }
        }
    }
    (status, outputs)
}

fn output_sizes(routine: &Routine) -> Vec<usize> {
    let mut sizes = Vec::new();
    while let Some(id) = output(routine, sizes.len() as u32) {
        let buffer = &routine.buffers[id.0 as usize];
        sizes.push(buffer.len * buffer.dtype.size());
    }
    sizes
}

fn output(routine: &Routine, number: u32) -> Option<BufferId> {
    let at = routine.buffers.iter().position(|b| b.storage == Storage::Output(number))?;
    Some(BufferId(at as u32))
}

fn output_dtype(routine: &Routine, number: u32) -> DType {
    let id = output(routine, number).expect("an output of that number");
    routine.buffers[id.0 as usize].dtype
}

/// Values of a dtype where things go wrong, and a few ordinary ones.
pub fn specials(dtype: DType) -> Vec<Scalar> {
    let ints = |bits: &[u64]| {
        let mask = u64::MAX >> (64 - 8 * dtype.size());
        let mut all: Vec<Scalar> = bits.iter().map(|&b| Scalar { dtype, bits: b & mask }).collect();
        all.dedup();
        all
    };
    match dtype {
        DType::Bool => vec![Scalar::new(false), Scalar::new(true)],
        // 0, the least and greatest subnormal, the least and greatest normal number, infinity, NaN, 1 and 2, of both formats.
        DType::F16 | DType::BF16 => ints(&[
            0x0000, 0x0001, 0x0002, 0x007f, 0x0080, 0x03ff, 0x0400, 0x0401, 0x3555, 0x3c00, 0x3eab, 0x3f80, 0x4000,
            0x4248, 0x4700, 0x5bf8, 0x5c00, 0x7bff, 0x7c00, 0x7c01, 0x7e00, 0x7f7f, 0x7f80, 0x7f81, 0x7fc0, 0x7fff,
            0x8000, 0x8001, 0x83ff, 0x8400, 0xbc00, 0xbf80, 0xc248, 0xfbff, 0xfc00, 0xfe00, 0xff7f, 0xff80, 0xffc0,
            0xffff,
        ]),
        DType::F32 => {
            let pi = std::f32::consts::PI;
            let values = [
                0.0,
                -0.0,
                1.0,
                -1.0,
                0.5,
                -0.5,
                1.5,
                2.5,
                -2.5,
                3.0,
                -8.0,
                pi,
                1.0 / 3.0,
                1e-40,
                -1e-40,
                1e-45,
                f32::MIN_POSITIVE,
                f32::MAX,
                f32::MIN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::NAN,
                -f32::NAN,
                255.0,
                256.0,
                -0.9,
                300.0,
                2147483520.0,
                2147483648.0,
                -2147483648.0,
                4294967040.0,
                4294967296.0,
                9.2233715e18,
                9.223372e18,
                -9.223372e18,
                1.8446743e19,
                1.8446744e19,
                1e30,
                88.72283,
                -104.0,
                16777217.0,
                1e38,
            ];
            values.into_iter().map(Scalar::new).collect()
        }
        DType::F64 => {
            let pi = std::f64::consts::PI;
            let values = [
                0.0,
                -0.0,
                1.0,
                -1.0,
                0.5,
                -0.5,
                1.5,
                2.5,
                -2.5,
                3.0,
                -8.0,
                pi,
                1.0 / 3.0,
                1e-310,
                -1e-310,
                5e-324,
                f64::MIN_POSITIVE,
                f64::MAX,
                f64::MIN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                f64::NAN,
                -f64::NAN,
                255.0,
                255.9,
                256.0,
                -0.9,
                2147483647.0,
                2147483647.5,
                2147483648.0,
                -2147483648.0,
                -2147483649.0,
                4294967295.5,
                4294967296.0,
                9.223372036854775e18,
                9.223372036854776e18,
                -9.223372036854776e18,
                1.844674407370955e19,
                1.8446744073709552e19,
                1e300,
                709.78,
                -745.2,
                9007199254740993.0,
                1e22,
                3.4e38,
                3.5e38,
                1.0000000596046448,
            ];
            values.into_iter().map(Scalar::new).collect()
        }
        _ => {
            let top = 1u64 << (8 * dtype.size() - 1);
            ints(&[
                0,
                1,
                2,
                3,
                5,
                7,
                8,
                9,
                31,
                32,
                33,
                63,
                64,
                65,
                100,
                127,
                128,
                200,
                255,
                256,
                0x7fff_ffff,
                0x8000_0000,
                0x00ff_ffff_ffff,
                0x001f_ffff_ffff_ffff,
                0x0020_0000_0000_0001,
                0x0000_0100_0000_0001,
                16777217,
                top - 1,
                top,
                top + 1,
                u64::MAX - 6,
                u64::MAX - 1,
                u64::MAX,
            ])
        }
    }
}

/// `n` values of a dtype: specials and noise.
pub fn values(dtype: DType, n: usize, seed: u64) -> Vec<Scalar> {
    let specials = specials(dtype);
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..n)
        .map(|_| {
            if next() % 4 == 0 {
                return specials[next() as usize % specials.len()];
            }
            match dtype {
                DType::F32 => Scalar::new((next() as i32 as f32) / 1e8),
                DType::F64 => Scalar::new((next() as i64 as f64) / 1e18),
                DType::Bool => Scalar::new(next() % 2 == 0),
                _ => Scalar { dtype, bits: next() >> (next() % 8) & (u64::MAX >> (64 - 8 * dtype.size())) },
            }
        })
        .collect()
}

/// `n` ordinary numbers of a dtype, without specials.
pub fn noise(dtype: DType, n: usize, seed: u64) -> Vec<Scalar> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..n)
        .map(|_| match dtype {
            DType::F32 => Scalar::new((next() as i32 as f32) / 1e9 * 10f32.powi((next() % 7) as i32 - 3)),
            DType::F64 => Scalar::new((next() as i64 as f64) / 1e18 * 10f64.powi((next() % 7) as i32 - 3)),
            DType::Bool => Scalar::new(next() % 2 == 0),
            _ => Scalar { dtype, bits: next() & (u64::MAX >> (64 - 8 * dtype.size())) },
        })
        .collect()
}
