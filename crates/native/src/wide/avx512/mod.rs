//! Vectors of AVX-512. Elements of 32 bits beside ones of 64 fill half a register. A `bool` is a bit of a mask register.

mod conversions;
mod operations;

pub(super) use operations::supports;

use super::Operand;
use super::assembler::{broadcast, element};
use super::emit::{BLOCK, Emit, SCRATCH, Source};
use super::instructions::{Avx512, Instructions, Places};
use super::registers::Class;
use iced_x86::{Code, IcedError, Instruction, MemoryOperand, Register};
use wengert_kernel::{Binary, DType};

/// The mask register of the rounds left over. (0 means no mask.)
const REST: u8 = 1;

/// The code for full registers, or for half ones.
macro_rules! code {
    ($full:expr, $zmm:ident, $ymm:ident) => {
        if $full { Code::$zmm } else { Code::$ymm }
    };
}
use code;

/// Codes of a load and a store of vectors.
fn move_codes(size: usize, full: bool) -> (Code, Code) {
    match (size, full) {
        (4, true) => (Code::EVEX_Vmovdqu32_zmm_k1z_zmmm512, Code::EVEX_Vmovdqu32_zmmm512_k1z_zmm),
        (4, false) => (Code::EVEX_Vmovdqu32_ymm_k1z_ymmm256, Code::EVEX_Vmovdqu32_ymmm256_k1z_ymm),
        _ => (Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, Code::EVEX_Vmovdqu64_zmmm512_k1z_zmm),
    }
}

/// A move between registers that merges or zeroes lanes.
fn move_code(size: usize, full: bool) -> Code {
    match size {
        4 => code!(full, EVEX_Vmovdqa32_zmm_k1z_zmmm512, EVEX_Vmovdqa32_ymm_k1z_ymmm256),
        _ => Code::EVEX_Vmovdqa64_zmm_k1z_zmmm512,
    }
}

impl Instructions for Emit<'_, Avx512> {
    const BYTES: usize = 64;
    const VECTORS: u8 = 32;
    const MASKS: &'static [u8] = &[2, 3, 4, 5, 6, 7];
    const FIRST: [Register; 2] = [Register::ZMM0, Register::YMM0];

    fn class(dtype: DType) -> Class {
        if dtype == DType::Bool { Class::Mask } else { Class::Vector }
    }

    fn save(&mut self, memory: MemoryOperand, class: Class, register: u8) {
        self.put(match class {
            Class::Vector => {
                Instruction::with2(Code::EVEX_Vmovdqu64_zmmm512_k1z_zmm, memory, Register::ZMM0 + register as u32)
            }
            Class::Mask => Instruction::with2(Code::VEX_Kmovw_m16_kr, memory, Register::K0 + register as u32),
        });
    }

    fn restore(&mut self, class: Class, register: u8, memory: MemoryOperand) {
        self.put(match class {
            Class::Vector => {
                Instruction::with2(Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, Register::ZMM0 + register as u32, memory)
            }
            Class::Mask => Instruction::with2(Code::VEX_Kmovw_kr_km16, Register::K0 + register as u32, memory),
        });
    }

    fn copy(&mut self, of: DType, to: u8, x: u8) {
        if to != x {
            let code = move_code(of.size(), self.is_full(of));
            self.put(Instruction::with2(code, self.register(of, to), self.register(of, x)));
        }
    }

    fn scalar(&mut self, operand: Operand, size: usize) -> Source {
        Source::Memory(self.spread(operand, size))
    }

    fn load_scalar(&mut self, operand: Operand, size: usize, to: u8) {
        let memory = self.spread(operand, size);
        let code = match size {
            4 => Code::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
            _ => Code::EVEX_Vpbroadcastq_zmm_k1z_xmmm64,
        };
        let to = Register::ZMM0 + to as u32;
        self.put(Instruction::with2(code, to, MemoryOperand { is_broadcast: false, ..memory }));
    }

    fn spread_bool(&mut self, to: u8) {
        self.put(Instruction::with2(Code::VEX_Kmovw_kr_r32, Register::K0 + to as u32, Register::EAX));
    }

    fn spread_scratch(&mut self, to: u8) {
        self.put(Instruction::with2(Code::EVEX_Vpbroadcastq_zmm_k1z_r64, Register::ZMM0 + to as u32, SCRATCH));
    }

    fn begin_rest(&mut self, number: usize) {
        // The low half of `END`.
        let (bits, minus) = (Register::EAX, Register::ESI);
        self.put(Instruction::with2(Code::Mov_r32_imm32, bits, -1i32 as u32));
        // Distances are taken modulo 32, and 32 rounds are left at most.
        self.put(Instruction::with3(Code::VEX_Shrx_r32_rm32_r32, bits, bits, minus));
        if number > 0 {
            self.put(Instruction::with2(Code::Shr_rm32_imm8, bits, (number * self.lanes) as u32));
        }
        if self.lanes < 16 {
            self.put(Instruction::with2(Code::And_rm32_imm32, bits, (1u32 << self.lanes) - 1));
        }
        self.put(Instruction::with2(Code::VEX_Kmovw_kr_r32, Register::K0 + REST as u32, bits));
    }

    fn read_row(&mut self, to: u8, dtype: DType, memory: MemoryOperand) {
        let (load, _) = move_codes(dtype.size(), self.is_full(dtype));
        let instruction = Instruction::with2(load, self.register(dtype, to), memory);
        match self.rest() {
            Some(mask) => self.put_masked(instruction, mask, true),
            None => self.put(instruction),
        }
    }

    fn write_row(&mut self, dtype: DType, x: u8, memory: MemoryOperand) {
        let (_, store) = move_codes(dtype.size(), self.is_full(dtype));
        let instruction = Instruction::with2(store, memory, self.register(dtype, x));
        match self.rest() {
            Some(mask) => self.put_masked(instruction, mask, false),
            None => self.put(instruction),
        }
    }

    fn read_bools(&mut self, to: u8, memory: MemoryOperand) {
        let bytes = self.temporary(Class::Vector);
        let x = Register::XMM0 + bytes as u32;
        match self.rest() {
            Some(mask) => {
                let load = Instruction::with2(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, x, memory);
                self.put_masked(load, mask, true);
            }
            None if self.lanes == 16 => self.put(Instruction::with2(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, x, memory)),
            None => self.put(Instruction::with2(Code::EVEX_Vmovq_xmm_xmmm64, x, memory)),
        }
        self.put(Instruction::with3(Code::EVEX_Vptestmb_kr_k1_xmm_xmmm128, Register::K0 + to as u32, x, x));
    }

    fn write_bools(&mut self, x: u8, memory: MemoryOperand) {
        let bytes = self.temporary(Class::Vector);
        let bytes = Register::XMM0 + bytes as u32;
        let ones = self.pool(&[1; 16]);
        let ones = Instruction::with2(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, bytes, ones);
        self.put_masked(ones, x, true);
        match self.rest() {
            Some(mask) => {
                let store = Instruction::with2(Code::EVEX_Vmovdqu8_xmmm128_k1z_xmm, memory, bytes);
                self.put_masked(store, mask, false);
            }
            None if self.lanes == 16 => {
                self.put(Instruction::with2(Code::EVEX_Vmovdqu8_xmmm128_k1z_xmm, memory, bytes))
            }
            None => self.put(Instruction::with2(Code::EVEX_Vmovq_xmmm64_xmm, memory, bytes)),
        }
    }

    fn gather(&mut self, to: u8, dtype: DType, places: Places, base: Register, distance: i64) {
        let (size, full) = (dtype.size(), self.is_full(dtype));
        let active = self.temporary(Class::Mask);
        let active = Register::K0 + active as u32;
        match self.rest() {
            Some(mask) => self.put(Instruction::with2(Code::VEX_Kmovw_kr_km16, active, Register::K0 + mask as u32)),
            None => self.put(Instruction::with3(Code::VEX_Kxnorw_kr_kr_kr, active, active, active)),
        }
        // Lanes that are not active keep what they had; it must not be waited for.
        let target = self.register(dtype, to);
        let zero = code!(full, EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32);
        self.put(Instruction::with3(zero, target, target, target));
        let (code, index) = match places {
            Places::Fixed(steps) => {
                let index = self.temporary(Class::Vector);
                let (load, first, code) = match (full, size) {
                    (true, 4) => {
                        (Code::EVEX_Vmovdqu32_zmm_k1z_zmmm512, Register::ZMM0, Code::EVEX_Vpgatherdd_zmm_k1_vm32z)
                    }
                    (_, 4) => {
                        (Code::EVEX_Vmovdqu32_ymm_k1z_ymmm256, Register::YMM0, Code::EVEX_Vpgatherdd_ymm_k1_vm32y)
                    }
                    _ => (Code::EVEX_Vmovdqu32_ymm_k1z_ymmm256, Register::YMM0, Code::EVEX_Vpgatherdq_zmm_k1_vm32y),
                };
                let index = first + index as u32;
                self.put(Instruction::with2(load, index, steps));
                (code, index)
            }
            Places::Register(index) => {
                let code =
                    if size == 4 { Code::EVEX_Vpgatherqd_ymm_k1_vm64z } else { Code::EVEX_Vpgatherqq_zmm_k1_vm64z };
                (code, Register::ZMM0 + index as u32)
            }
        };
        let mut gather = Instruction::with2(code, target, element(base, index, size as u32, distance));
        if let Ok(gather) = &mut gather {
            gather.set_op_mask(active);
        }
        self.put(gather);
    }

    fn add(&mut self, to: u8, x: u8, y: Source) {
        self.three(Code::EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64, DType::I64, to, x, y);
    }

    fn multiply(&mut self, to: u8, x: u8, y: Source) {
        self.three(Code::EVEX_Vpmullq_zmm_k1z_zmm_zmmm512b64, DType::I64, to, x, y);
    }

    fn fold(&mut self, op: Binary, of: DType, acc: u8, item: Operand) {
        self.accumulate(op, of, acc, item);
    }
}

impl Emit<'_, Avx512> {
    /// The mask of the rounds left over, if these are at hand.
    fn rest(&self) -> Option<u8> {
        self.masked.then_some(REST)
    }

    /// The next instruction, in lanes of a mask; the others stay, or become zero.
    fn put_masked(&mut self, instruction: Result<Instruction, IcedError>, mask: u8, zero: bool) {
        self.put(instruction.map(|mut instruction| {
            instruction.set_op_mask(Register::K0 + mask as u32);
            instruction.set_zeroing_masking(zero);
            instruction
        }));
    }

    /// Zero in every lane.
    fn zero(&mut self) -> u8 {
        let register = self.temporary(Class::Vector);
        let z = Register::ZMM0 + register as u32;
        self.put(Instruction::with3(Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, z, z, z));
        register
    }

    /// A scalar's memory, in every lane.
    fn spread(&mut self, operand: Operand, size: usize) -> MemoryOperand {
        match operand {
            Operand::Word(word) => broadcast(BLOCK, word as i64 * 8),
            Operand::Constant(bits) => {
                let memory = self.pool(&bits.to_le_bytes()[..size]);
                MemoryOperand { is_broadcast: true, ..memory }
            }
            Operand::Step(_) => unreachable!("a step's value is no scalar"),
        }
    }
}
