//! Where elements are read and written, and linear forms of the counter.

use super::assembler::{at, element};
use super::emit::{BLOCK, COUNTER, Emit, POOL, SCRATCH};
use super::instructions::{Instructions, Places};
use super::registers::Class;
use super::{Operand, Stream};
use iced_x86::{Code, Instruction, MemoryOperand};
use wengert_kernel::DType;

impl<L> Emit<'_, L>
where
    Self: Instructions,
{
    /// A step's elements.
    pub fn read(&mut self, out: u32, dtype: DType, stream: &Stream) {
        let to = self.result(out);
        if !stream.is_contiguous() {
            return self.read_apart(to, dtype, stream);
        }
        let memory = self.row(stream, dtype.size());
        match dtype {
            DType::Bool => self.read_bools(to, memory),
            _ => self.read_row(to, dtype, memory),
        }
    }

    /// Writes a step's elements side by side.
    pub fn write(&mut self, dtype: DType, value: Operand, stream: &Stream) {
        if dtype == DType::Bool {
            let x = self.mask(value);
            let memory = self.row(stream, 1);
            return self.write_bools(x, memory);
        }
        let x = self.vector(value, dtype);
        let memory = self.row(stream, dtype.size());
        self.write_row(dtype, x, memory);
    }

    /// The element of this copy's first round, of a stream without gaps.
    fn row(&mut self, stream: &Stream, size: usize) -> MemoryOperand {
        let base = self.pointer(stream.word);
        element(base, COUNTER, size as u32, (self.first() * size) as i64)
    }

    /// Element by element: from a distance of lanes that is fixed, or by values of the round.
    fn read_apart(&mut self, to: u8, dtype: DType, stream: &Stream) {
        let size = dtype.size() as i64;
        let places = if stream.varying.is_empty() {
            let lanes: Vec<u8> =
                (0..self.lanes as i64).flat_map(|k| ((k * stream.stride) as i32).to_le_bytes()).collect();
            Places::Fixed(self.pool(&lanes))
        } else {
            Places::Register(self.places(stream))
        };
        let base = if stream.stride == 0 {
            self.pointer(stream.word)
        } else {
            let bytes = stream.stride * size;
            self.put(Instruction::with3(Code::Imul_r64_rm64_imm32, SCRATCH, COUNTER, bytes as i32));
            self.put(Instruction::with2(Code::Add_r64_rm64, SCRATCH, at(BLOCK, stream.word as i64 * 8)));
            SCRATCH
        };
        self.gather(to, dtype, places, base, stream.stride * size * self.first() as i64);
    }

    /// The elements' distances, by values of the round.
    fn places(&mut self, stream: &Stream) -> u8 {
        if let (&[(value, 1)], 0) = (&stream.varying[..], stream.stride) {
            return self.vector(Operand::Step(value), DType::I64);
        }
        let sum = self.temporary(Class::Vector);
        let steps = self.steps(0, stream.stride);
        self.restore(Class::Vector, sum, steps);
        self.add_terms(sum, &stream.varying);
        sum
    }

    /// `stride` times the numbers of the lanes, from `first` on.
    fn steps(&mut self, first: usize, stride: i64) -> MemoryOperand {
        let lanes = (first..first + self.lanes).flat_map(|k| (k as i64).wrapping_mul(stride).to_le_bytes());
        self.pool(&lanes.collect::<Vec<u8>>())
    }

    /// `sum += values * coefficients`, as `i64`.
    fn add_terms(&mut self, sum: u8, terms: &[(u32, i64)]) {
        for &(value, coefficient) in terms {
            let x = self.vector(Operand::Step(value), DType::I64);
            if coefficient == 1 {
                self.add(sum, sum, x.into());
                continue;
            }
            let product = self.temporary(Class::Vector);
            let factor = self.everywhere(coefficient as u64, DType::I64);
            self.multiply(product, x, factor);
            self.add(sum, sum, product.into());
            self.release(Class::Vector, product);
        }
    }

    /// A linear form of the counter and of values of the round.
    pub fn index(&mut self, out: u32, word: u32, stride: i64, terms: &[(u32, i64)]) {
        let to = self.result(out);
        match i32::try_from(stride) {
            Ok(stride) => self.put(Instruction::with3(Code::Imul_r64_rm64_imm32, SCRATCH, COUNTER, stride)),
            Err(_) => {
                self.put(Instruction::with2(Code::Mov_r64_imm64, SCRATCH, stride));
                self.put(Instruction::with2(Code::Imul_r64_rm64, SCRATCH, COUNTER));
            }
        }
        self.put(Instruction::with2(Code::Add_r64_rm64, SCRATCH, at(BLOCK, word as i64 * 8)));
        self.spread_scratch(to);
        let steps = self.steps(self.first(), stride);
        self.add(to, to, steps.into());
        self.add_terms(to, terms);
    }

    /// Constant bytes in memory.
    pub fn pool(&mut self, bytes: &[u8]) -> MemoryOperand {
        let place = self.assembler.constant(bytes);
        self.uses_pool = true;
        at(POOL, place as i64)
    }
}
