//! Vectors of AVX2. Elements of 32 bits beside ones of 64 fill half a register. A `bool` fills a register always: all ones or
//! zeros in every lane of the widest element's size.

mod conversions;
mod operations;

pub(super) use operations::supports;

use super::Operand;
use super::assembler::{at, element};
use super::emit::{BLOCK, COUNTER, END, Emit, POOL, SCRATCH, Source};
use super::instructions::{Avx2, Instructions, Operations, Places};
use super::registers::Class;
use iced_x86::{Code, Instruction, MemoryOperand, Register};
use wengert_kernel::{Binary, DType};

/// Bytes of ones, then of zeros, of which the mask of the rounds left over is a part: the most rounds of a turn times their size,
/// and a vector.
const ONES: usize = 128;
const ZEROS: usize = 32;

/// The code for full registers, or for half ones.
macro_rules! code {
    ($full:expr, $ymm:ident, $xmm:ident) => {
        if $full { Code::$ymm } else { Code::$xmm }
    };
}
use code;

fn ymm(register: u8) -> Register {
    Register::YMM0 + register as u32
}

fn xmm(register: u8) -> Register {
    Register::XMM0 + register as u32
}

impl Instructions for Emit<'_, Avx2> {
    const BYTES: usize = 32;
    const VECTORS: u8 = 16;
    const MASKS: &'static [u8] = &[];
    const FIRST: [Register; 2] = [Register::YMM0, Register::XMM0];

    fn class(_: DType) -> Class {
        Class::Vector
    }

    fn save(&mut self, memory: MemoryOperand, _: Class, register: u8) {
        self.put(Instruction::with2(Code::VEX_Vmovdqu_ymmm256_ymm, memory, ymm(register)));
    }

    fn restore(&mut self, _: Class, register: u8, memory: MemoryOperand) {
        self.put(Instruction::with2(Code::VEX_Vmovdqu_ymm_ymmm256, ymm(register), memory));
    }

    fn copy(&mut self, _: DType, to: u8, x: u8) {
        if to != x {
            self.put(Instruction::with2(Code::VEX_Vmovdqa_ymm_ymmm256, ymm(to), ymm(x)));
        }
    }

    fn scalar(&mut self, operand: Operand, size: usize) -> Source {
        match operand {
            Operand::Constant(bits) => Source::Memory(self.lanes_of(bits, size)),
            operand => {
                let register = self.temporary(Class::Vector);
                self.load_scalar(operand, size, register);
                Source::Register(register)
            }
        }
    }

    fn load_scalar(&mut self, operand: Operand, size: usize, to: u8) {
        let to = ymm(to);
        match operand {
            Operand::Word(word) => {
                let code = code!(size == 4, VEX_Vpbroadcastd_ymm_xmmm32, VEX_Vpbroadcastq_ymm_xmmm64);
                self.put(Instruction::with2(code, to, at(BLOCK, word as i64 * 8)));
            }
            Operand::Constant(bits) => {
                let memory = self.lanes_of(bits, size);
                self.put(Instruction::with2(Code::VEX_Vmovdqu_ymm_ymmm256, to, memory));
            }
            Operand::Step(_) => unreachable!("a step's value is no scalar"),
        }
    }

    fn spread_bool(&mut self, to: u8) {
        self.put(Instruction::with2(Code::VEX_Vmovd_xmm_rm32, xmm(to), Register::EAX));
        self.put(Instruction::with2(Code::VEX_Vpbroadcastd_ymm_xmmm32, ymm(to), xmm(to)));
    }

    fn spread_scratch(&mut self, to: u8) {
        self.put(Instruction::with2(Code::VEX_Vmovq_xmm_rm64, xmm(to), SCRATCH));
        self.put(Instruction::with2(Code::VEX_Vpbroadcastq_ymm_xmmm64, ymm(to), xmm(to)));
    }

    /// Nothing: masks are read where they are needed.
    fn begin_rest(&mut self, _: usize) {}

    fn read_row(&mut self, to: u8, dtype: DType, memory: MemoryOperand) {
        let (to, full) = (self.register(dtype, to), self.is_full(dtype));
        let Some(mask) = self.rest(dtype) else {
            let code = code!(full, VEX_Vmovdqu_ymm_ymmm256, VEX_Vmovdqu_xmm_xmmm128);
            return self.put(Instruction::with2(code, to, memory));
        };
        let code = match dtype.size() {
            4 => code!(full, VEX_Vpmaskmovd_ymm_ymm_m256, VEX_Vpmaskmovd_xmm_xmm_m128),
            _ => Code::VEX_Vpmaskmovq_ymm_ymm_m256,
        };
        self.put(Instruction::with3(code, to, self.register(dtype, mask), memory));
    }

    fn write_row(&mut self, dtype: DType, x: u8, memory: MemoryOperand) {
        let (x, full) = (self.register(dtype, x), self.is_full(dtype));
        let Some(mask) = self.rest(dtype) else {
            let code = code!(full, VEX_Vmovdqu_ymmm256_ymm, VEX_Vmovdqu_xmmm128_xmm);
            return self.put(Instruction::with2(code, memory, x));
        };
        let code = match dtype.size() {
            4 => code!(full, VEX_Vpmaskmovd_m256_ymm_ymm, VEX_Vpmaskmovd_m128_xmm_xmm),
            _ => Code::VEX_Vpmaskmovq_m256_ymm_ymm,
        };
        self.put(Instruction::with3(code, memory, self.register(dtype, mask), x));
    }

    fn read_bools(&mut self, to: u8, memory: MemoryOperand) {
        let zero = self.zero();
        let eight = self.lanes == 8;
        let widen = code!(eight, VEX_Vpmovzxbd_ymm_xmmm64, VEX_Vpmovzxbq_ymm_xmmm32);
        if self.masked {
            // There is no load of single bytes under a mask.
            self.put(Instruction::with3(Code::VEX_Vpxor_xmm_xmm_xmmm128, xmm(to), xmm(to), xmm(to)));
            self.each_byte(memory, |emit, byte, k| {
                emit.put(Instruction::with4(Code::VEX_Vpinsrb_xmm_xmm_r32m8_imm8, xmm(to), xmm(to), byte, k));
            });
            self.put(Instruction::with2(widen, ymm(to), xmm(to)));
        } else {
            self.put(Instruction::with2(widen, ymm(to), memory));
        }
        let greater = code!(eight, VEX_Vpcmpgtd_ymm_ymm_ymmm256, VEX_Vpcmpgtq_ymm_ymm_ymmm256);
        self.put(Instruction::with3(greater, ymm(to), ymm(to), ymm(zero)));
    }

    fn write_bools(&mut self, x: u8, memory: MemoryOperand) {
        let bytes = self.temporary(Class::Vector);
        let high = self.temporary(Class::Vector);
        let bytes = xmm(bytes);
        self.put(Instruction::with3(Code::VEX_Vextracti128_xmmm128_ymm_imm8, xmm(high), ymm(x), 1));
        // To 16 bits each, then to 8.
        self.put(Instruction::with3(Code::VEX_Vpackssdw_xmm_xmm_xmmm128, bytes, xmm(x), xmm(high)));
        if self.lanes == 4 {
            self.put(Instruction::with3(Code::VEX_Vpackssdw_xmm_xmm_xmmm128, bytes, bytes, bytes));
        }
        self.put(Instruction::with3(Code::VEX_Vpacksswb_xmm_xmm_xmmm128, bytes, bytes, bytes));
        self.put(Instruction::with2(Code::VEX_Vpabsb_xmm_xmmm128, bytes, bytes));
        if self.masked {
            self.each_byte(memory, |emit, byte, k| {
                emit.put(Instruction::with3(Code::VEX_Vpextrb_r32m8_xmm_imm8, byte, bytes, k));
            });
        } else {
            let code = code!(self.lanes == 8, VEX_Vmovq_xmmm64_xmm, VEX_Vmovd_rm32_xmm);
            self.put(Instruction::with2(code, memory, bytes));
        }
    }

    fn gather(&mut self, to: u8, dtype: DType, places: Places, base: Register, distance: i64) {
        let (size, full) = (dtype.size(), self.is_full(dtype));
        // The instruction sets it to zero.
        let active = match self.rest(dtype) {
            Some(mask) => mask,
            None => {
                let all = self.temporary(Class::Vector);
                self.put(Instruction::with3(Code::VEX_Vpcmpeqd_ymm_ymm_ymmm256, ymm(all), ymm(all), ymm(all)));
                all
            }
        };
        // Lanes that are not active keep what they had; it must not be waited for.
        self.put(Instruction::with3(Code::VEX_Vpxor_ymm_ymm_ymmm256, ymm(to), ymm(to), ymm(to)));
        let (code, index) = match places {
            Places::Fixed(steps) => {
                let index = self.temporary(Class::Vector);
                let whole = self.lanes == 8;
                let load = code!(whole, VEX_Vmovdqu_ymm_ymmm256, VEX_Vmovdqu_xmm_xmmm128);
                let index = if whole { ymm(index) } else { xmm(index) };
                self.put(Instruction::with2(load, index, steps));
                let code = match size {
                    4 => code!(full, VEX_Vpgatherdd_ymm_vm32y_ymm, VEX_Vpgatherdd_xmm_vm32x_xmm),
                    _ => Code::VEX_Vpgatherdq_ymm_vm32x_ymm,
                };
                (code, index)
            }
            Places::Register(index) => {
                (code!(size == 8, VEX_Vpgatherqq_ymm_vm64y_ymm, VEX_Vpgatherqd_xmm_vm64y_xmm), ymm(index))
            }
        };
        let memory = element(base, index, size as u32, distance);
        self.put(Instruction::with3(code, self.register(dtype, to), memory, self.register(dtype, active)));
    }

    fn add(&mut self, to: u8, x: u8, y: Source) {
        self.three(Code::VEX_Vpaddq_ymm_ymm_ymmm256, DType::I64, to, x, y);
    }

    fn multiply(&mut self, to: u8, x: u8, y: Source) {
        self.product(to, x, y);
    }

    fn fold(&mut self, op: Binary, of: DType, acc: u8, item: Operand) {
        let item = self.source(item, of);
        let Some(mask) = self.rest(of) else { return self.binary(op, of, acc, acc, item) };
        let result = self.temporary(Class::Vector);
        self.binary(op, of, result, acc, item);
        self.blend(of, acc, mask, acc, result.into());
    }
}

impl Emit<'_, Avx2> {
    /// The lanes of rounds that there are, while those left over are at hand, for elements of a dtype.
    fn rest(&mut self, dtype: DType) -> Option<u8> {
        if !self.masked {
            return None;
        }
        let mask = self.temporary(Class::Vector);
        let mut table = [0xff; ONES + ZEROS];
        table[ONES..].fill(0);
        let place = self.pool(&table).displacement;
        // `END` is minus the rounds left over: so far before the zeros the first round of the turn stands.
        let size = dtype.size();
        let memory = element(POOL, END, size as u32, place + (ONES + self.first() * size) as i64);
        let code = code!(self.is_full(dtype), VEX_Vmovdqu_ymm_ymmm256, VEX_Vmovdqu_xmm_xmmm128);
        self.put(Instruction::with2(code, self.register(dtype, mask), memory));
        Some(mask)
    }

    /// What is done for the bytes of the rounds that there are, one by one: at least one.
    fn each_byte(&mut self, memory: MemoryOperand, step: impl Fn(&mut Self, MemoryOperand, u32)) {
        let mut ends = Vec::new();
        for k in 0..self.lanes {
            if k > 0 {
                self.put(Instruction::with2(Code::Cmp_rm64_imm8, END, -((self.first() + k) as i32)));
                ends.push(self.assembler.jump(Code::Jge_rel32_64));
            }
            step(self, element(memory.base, COUNTER, 1, memory.displacement + k as i64), k as u32);
        }
        let here = self.assembler.here();
        self.jumps.extend(ends.into_iter().map(|end| (end, here)));
    }

    /// Bits in every lane, in memory.
    fn lanes_of(&mut self, bits: u64, size: usize) -> MemoryOperand {
        let lane = &bits.to_le_bytes()[..size];
        self.pool(&lane.repeat(Self::BYTES / size))
    }

    /// Zero in every lane.
    fn zero(&mut self) -> u8 {
        let zero = self.temporary(Class::Vector);
        self.put(Instruction::with3(Code::VEX_Vpxor_ymm_ymm_ymmm256, ymm(zero), ymm(zero), ymm(zero)));
        zero
    }
}
