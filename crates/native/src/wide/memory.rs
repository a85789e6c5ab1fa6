//! Reading and writing elements, and linear forms of the counter.

use super::assembler::{at, broadcast, element};
use super::emit::{BLOCK, COUNTER, Emit, POOL, SCRATCH};
use super::registers::Class;
use super::{Operand, Stream};
use iced_x86::{Code, Instruction, MemoryOperand, Register};
use wengert_kernel::DType;

/// Codes of a load and a store of vectors.
fn move_codes(size: usize, full: bool) -> (Code, Code) {
    match (size, full) {
        (4, true) => (Code::EVEX_Vmovdqu32_zmm_k1z_zmmm512, Code::EVEX_Vmovdqu32_zmmm512_k1z_zmm),
        (4, false) => (Code::EVEX_Vmovdqu32_ymm_k1z_ymmm256, Code::EVEX_Vmovdqu32_ymmm256_k1z_ymm),
        _ => (Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, Code::EVEX_Vmovdqu64_zmmm512_k1z_zmm),
    }
}

impl Emit<'_> {
    /// A step's elements.
    pub fn read(&mut self, out: u32, dtype: DType, stream: &Stream) {
        let to = self.result(out);
        if stream.stride != 1 || !stream.varying.is_empty() {
            return self.gather(to, dtype, stream);
        }
        let memory = self.row(stream, dtype.size());
        if dtype == DType::Bool {
            return self.read_bytes(to, memory);
        }
        let (load, _) = move_codes(dtype.size(), self.is_full(dtype));
        let instruction = Instruction::with2(load, self.register(dtype, to), memory);
        match self.tail() {
            Some(mask) => self.put_masked(instruction, mask, true),
            None => self.put(instruction),
        }
    }

    /// Writes a step's elements side by side.
    pub fn write(&mut self, dtype: DType, value: Operand, stream: &Stream) {
        if dtype == DType::Bool {
            return self.write_bytes(value, stream);
        }
        let (_, store) = move_codes(dtype.size(), self.is_full(dtype));
        let x = self.vector(value, dtype);
        let memory = self.row(stream, dtype.size());
        let instruction = Instruction::with2(store, memory, self.register(dtype, x));
        match self.tail() {
            Some(mask) => self.put_masked(instruction, mask, false),
            None => self.put(instruction),
        }
    }

    /// Bytes that are 0 or 1, as bits.
    fn read_bytes(&mut self, to: u8, memory: MemoryOperand) {
        let bytes = self.temporary(Class::Vector);
        let x = Register::XMM0 + bytes as u32;
        match self.tail() {
            Some(mask) => {
                let load = Instruction::with2(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, x, memory);
                self.put_masked(load, mask, true);
            }
            None if self.lanes == 16 => self.put(Instruction::with2(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, x, memory)),
            None => self.put(Instruction::with2(Code::EVEX_Vmovq_xmm_xmmm64, x, memory)),
        }
        self.put(Instruction::with3(Code::EVEX_Vptestmb_kr_k1_xmm_xmmm128, Register::K0 + to as u32, x, x));
    }

    fn write_bytes(&mut self, value: Operand, stream: &Stream) {
        let k = self.mask(value);
        let bytes = self.temporary(Class::Vector);
        let x = Register::XMM0 + bytes as u32;
        let ones = self.pool(&[1; 16]);
        let ones = Instruction::with2(Code::EVEX_Vmovdqu8_xmm_k1z_xmmm128, x, ones);
        self.put_masked(ones, k, true);
        let memory = self.row(stream, 1);
        match self.tail() {
            Some(mask) => {
                let store = Instruction::with2(Code::EVEX_Vmovdqu8_xmmm128_k1z_xmm, memory, x);
                self.put_masked(store, mask, false);
            }
            None if self.lanes == 16 => self.put(Instruction::with2(Code::EVEX_Vmovdqu8_xmmm128_k1z_xmm, memory, x)),
            None => self.put(Instruction::with2(Code::EVEX_Vmovq_xmmm64_xmm, memory, x)),
        }
    }

    /// The element of this copy's first round, of a stream without gaps.
    fn row(&mut self, stream: &Stream, size: usize) -> MemoryOperand {
        let base = self.pointer(stream.word);
        element(base, COUNTER, size as u32, (self.first() * size) as i64)
    }

    /// Element by element: from a distance of lanes that is fixed, or by values of the round.
    fn gather(&mut self, to: u8, dtype: DType, stream: &Stream) {
        let (size, full) = (dtype.size() as i64, self.is_full(dtype));
        let from = if stream.stride == 0 {
            self.pointer(stream.word)
        } else {
            let bytes = stream.stride * size;
            self.put(Instruction::with3(Code::Imul_r64_rm64_imm32, SCRATCH, COUNTER, bytes as i32));
            self.put(Instruction::with2(Code::Add_r64_rm64, SCRATCH, at(BLOCK, stream.word as i64 * 8)));
            SCRATCH
        };
        let distance = stream.stride * size * self.first() as i64;
        let active = self.temporary(Class::Mask);
        let active = Register::K0 + active as u32;
        match self.tail() {
            Some(mask) => self.put(Instruction::with2(Code::VEX_Kmovw_kr_km16, active, Register::K0 + mask as u32)),
            None => self.put(Instruction::with3(Code::VEX_Kxnorw_kr_kr_kr, active, active, active)),
        }
        // Lanes that are not active keep what they had; it must not be waited for.
        let target = self.register(dtype, to);
        let zero = if full || size == 8 {
            Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32
        } else {
            Code::EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32
        };
        self.put(Instruction::with3(zero, target, target, target));
        let (code, index) = if stream.varying.is_empty() {
            let lanes: Vec<u8> =
                (0..self.lanes as i64).flat_map(|k| ((k * stream.stride) as i32).to_le_bytes()).collect();
            let index = self.temporary(Class::Vector);
            let steps = self.pool(&lanes);
            let (load, register, code) = match (full, size) {
                (true, 4) => (Code::EVEX_Vmovdqu32_zmm_k1z_zmmm512, Register::ZMM0, Code::EVEX_Vpgatherdd_zmm_k1_vm32z),
                (_, 4) => (Code::EVEX_Vmovdqu32_ymm_k1z_ymmm256, Register::YMM0, Code::EVEX_Vpgatherdd_ymm_k1_vm32y),
                _ => (Code::EVEX_Vmovdqu32_ymm_k1z_ymmm256, Register::YMM0, Code::EVEX_Vpgatherdq_zmm_k1_vm32y),
            };
            let register = register + index as u32;
            self.put(Instruction::with2(load, register, steps));
            (code, register)
        } else {
            let index = self.places(stream);
            let code = if size == 4 { Code::EVEX_Vpgatherqd_ymm_k1_vm64z } else { Code::EVEX_Vpgatherqq_zmm_k1_vm64z };
            (code, Register::ZMM0 + index as u32)
        };
        let memory = element(from, index, size as u32, distance);
        let mut gather = Instruction::with2(code, target, memory);
        if let Ok(gather) = &mut gather {
            gather.set_op_mask(active);
        }
        self.put(gather);
    }

    /// The elements' distances, by values of the round.
    fn places(&mut self, stream: &Stream) -> u8 {
        if let (&[(value, 1)], 0) = (&stream.varying[..], stream.stride) {
            return self.vector(Operand::Step(value), DType::I64);
        }
        let sum = self.temporary(Class::Vector);
        let lanes: Vec<u8> = (0..self.lanes as i64).flat_map(|k| (k * stream.stride).to_le_bytes()).collect();
        let steps = self.pool(&lanes);
        let z = Register::ZMM0 + sum as u32;
        self.put(Instruction::with2(Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, z, steps));
        self.add_terms(sum, &stream.varying);
        sum
    }

    /// `sum += values * coefficients`, as `i64`.
    fn add_terms(&mut self, sum: u8, terms: &[(u32, i64)]) {
        let z = Register::ZMM0 + sum as u32;
        for &(value, coefficient) in terms {
            let x = self.vector(Operand::Step(value), DType::I64);
            let mut term = Register::ZMM0 + x as u32;
            if coefficient != 1 {
                let product = Register::ZMM0 + self.temporary(Class::Vector) as u32;
                let factor = self.pool(&coefficient.to_le_bytes());
                let factor = MemoryOperand { is_broadcast: true, ..factor };
                self.put(Instruction::with3(Code::EVEX_Vpmullq_zmm_k1z_zmm_zmmm512b64, product, term, factor));
                term = product;
            }
            self.put(Instruction::with3(Code::EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64, z, z, term));
        }
    }

    /// A linear form of the counter and of values of the round.
    pub fn index(&mut self, out: u32, word: u32, stride: i64, terms: &[(u32, i64)]) {
        let to = self.result(out);
        let z = Register::ZMM0 + to as u32;
        match i32::try_from(stride) {
            Ok(stride) => self.put(Instruction::with3(Code::Imul_r64_rm64_imm32, SCRATCH, COUNTER, stride)),
            Err(_) => {
                self.put(Instruction::with2(Code::Mov_r64_imm64, SCRATCH, stride));
                self.put(Instruction::with2(Code::Imul_r64_rm64, SCRATCH, COUNTER));
            }
        }
        self.put(Instruction::with2(Code::Add_r64_rm64, SCRATCH, at(BLOCK, word as i64 * 8)));
        self.put(Instruction::with2(Code::EVEX_Vpbroadcastq_zmm_k1z_r64, z, SCRATCH));
        let first = self.first() as i64;
        let lanes: Vec<u8> =
            (0..self.lanes as i64).flat_map(|k| (k + first).wrapping_mul(stride).to_le_bytes()).collect();
        let steps = self.pool(&lanes);
        self.put(Instruction::with3(Code::EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64, z, z, steps));
        self.add_terms(to, terms);
    }

    /// Constant bytes in memory.
    pub fn pool(&mut self, bytes: &[u8]) -> MemoryOperand {
        let place = self.assembler.constant(bytes);
        self.uses_pool = true;
        at(POOL, place as i64)
    }

    /// A scalar's memory, in every lane.
    pub fn spread(&mut self, operand: Operand, size: usize) -> MemoryOperand {
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
