//! One operation: registers and memory of its operands and result.

use super::Operand;
use super::assembler::at;
use super::emit::{BLOCK, Emit, SCRATCH, Source};
use super::instructions::{Instructions, Operations, commuted};
use super::registers::{Class, Spill};
use iced_x86::{Code, IcedError, Instruction, Register};
use wengert_kernel::{DType, Scalar, ScalarOp};

impl<L> Emit<'_, L>
where
    Self: Instructions,
{
    /// The next instruction.
    pub fn put(&mut self, instruction: Result<Instruction, IcedError>) {
        self.assembler.put(instruction);
    }

    /// An instruction of two registers and a source.
    pub fn three(&mut self, code: Code, dtype: DType, to: u8, x: u8, y: Source) {
        let (to, x) = (self.register(dtype, to), self.register(dtype, x));
        let instruction = self.with_source3(code, to, x, y, dtype);
        self.put(instruction);
    }

    pub fn with_source3(
        &self,
        code: Code,
        to: Register,
        x: Register,
        y: Source,
        dtype: DType,
    ) -> Result<Instruction, IcedError> {
        match y {
            Source::Register(y) => Instruction::with3(code, to, x, self.register(dtype, y)),
            Source::Memory(y) => Instruction::with3(code, to, x, y),
        }
    }

    /// The first round of this vector, counted from the turn's first.
    pub fn first(&self) -> usize {
        self.number * self.lanes
    }

    /// Whether elements of a dtype fill registers.
    pub fn is_full(&self, dtype: DType) -> bool {
        self.lanes * dtype.size() == Self::BYTES
    }

    /// The name of a register with elements of a dtype.
    pub fn register(&self, dtype: DType, number: u8) -> Register {
        Self::FIRST[!self.is_full(dtype) as usize] + number as u32
    }

    /// The address in a word.
    pub fn pointer(&mut self, word: u32) -> Register {
        self.pointers.get(&word).copied().unwrap_or_else(|| {
            self.put(Instruction::with2(Code::Mov_r64_rm64, SCRATCH, at(BLOCK, word as i64 * 8)));
            SCRATCH
        })
    }

    /// The register for a step's result.
    pub fn result(&mut self, out: u32) -> u8 {
        let class = self.registers.class(out);
        let register = self.take(class);
        self.registers.bind(out, register);
        register
    }

    /// The register for a step's result, which holds an operand already: its own, if nothing needs it after the step.
    pub fn result_in(&mut self, out: u32, operand: Operand, dtype: DType, holds: u8) -> u8 {
        if let Operand::Step(value) = operand
            && let Some(register) = self.registers.inherit(value, self.now)
        {
            self.registers.bind(out, register);
            return register;
        }
        let to = self.result(out);
        self.copy(dtype, to, holds);
        to
    }

    /// A register for the step at hand alone.
    pub fn temporary(&mut self, class: Class) -> u8 {
        let register = self.take(class);
        self.registers.lend(class, register);
        register
    }

    fn take(&mut self, class: Class) -> u8 {
        let (register, spill) = self.registers.take(class, self.now);
        if let Some(Spill { register, class, slot }) = spill {
            self.save(at(Register::RSP, (slot * Self::BYTES) as i64), class, register);
        }
        register
    }

    /// The register of a step's value, from the stack if need be.
    fn fetch(&mut self, value: u32, class: Class) -> u8 {
        if let Some(register) = self.registers.find(value) {
            return register;
        }
        let memory = at(Register::RSP, (self.registers.slot(value) * Self::BYTES) as i64);
        let register = self.take(class);
        self.restore(class, register, memory);
        self.registers.bind(value, register);
        register
    }

    /// A temporary that is free again already.
    pub fn release(&mut self, class: Class, register: u8) {
        self.registers.release(class, register);
    }

    /// An operand in a vector register.
    pub fn vector(&mut self, operand: Operand, dtype: DType) -> u8 {
        if let Operand::Step(value) = operand {
            return self.fetch(value, Class::Vector);
        }
        if let Some(&register) = self.scalars.get(&(operand, dtype.size())) {
            return register;
        }
        let register = self.temporary(Class::Vector);
        self.load_scalar(operand, dtype.size(), register);
        register
    }

    /// An operand as a register, or a scalar's memory.
    pub fn source(&mut self, operand: Operand, dtype: DType) -> Source {
        if let Operand::Step(value) = operand {
            return Source::Register(self.fetch(value, Class::Vector));
        }
        match self.scalars.get(&(operand, dtype.size())) {
            Some(&register) => Source::Register(register),
            None => self.scalar(operand, dtype.size()),
        }
    }

    /// Bits in every lane.
    pub fn everywhere(&mut self, bits: u64, dtype: DType) -> Source {
        self.scalar(Operand::Constant(bits), dtype.size())
    }

    /// Bits in every lane of a register of the step's own.
    pub fn loaded(&mut self, bits: u64, dtype: DType) -> u8 {
        let register = self.temporary(Class::Vector);
        self.load_scalar(Operand::Constant(bits), dtype.size(), register);
        register
    }

    /// An operand that is a `bool`, in a register.
    pub fn mask(&mut self, operand: Operand) -> u8 {
        let scalar = match operand {
            Operand::Step(value) => return self.fetch(value, Self::class(DType::Bool)),
            Operand::Word(word) => Instruction::with2(Code::Mov_r32_rm32, Register::EAX, at(BLOCK, word as i64 * 8)),
            Operand::Constant(bits) => {
                debug_assert!(bits <= Scalar::one(DType::Bool).bits);
                Instruction::with2(Code::Mov_r32_imm32, Register::EAX, bits as u32)
            }
        };
        self.put(scalar);
        self.put(Instruction::with1(Code::Neg_rm32, Register::EAX));
        let mask = self.temporary(Self::class(DType::Bool));
        self.spread_bool(mask);
        mask
    }

    /// A step's value, bound to a register.
    pub fn operation(&mut self, out: u32, op: ScalarOp, of: DType, to: DType, args: &[Operand]) {
        match (op, args) {
            (ScalarOp::Convert(_), &[x]) => self.conversion(out, of, to, x),
            _ if of == DType::Bool => self.of_bools(out, op, args),
            (ScalarOp::Unary(op), &[x]) => self.unary(out, op, of, x),
            (ScalarOp::Binary(op), &[x, y]) => {
                let (x, y) = commuted(op, x, y);
                let (x, y) = (self.vector(x, of), self.source(y, of));
                let to = self.result(out);
                self.binary(op, of, to, x, y);
            }
            (ScalarOp::Compare(op), &[x, y]) => {
                let (x, y) = (self.vector(x, of), self.source(y, of));
                let to = self.result(out);
                self.comparison(op, of, to, x, y);
            }
            (ScalarOp::Select, &[p, x, y]) => {
                let (p, x, y) = (self.mask(p), self.source(x, of), self.vector(y, of));
                let to = self.result(out);
                self.choice(of, to, p, x, y);
            }
            (ScalarOp::Bitcast(_), &[x]) => {
                let x = self.vector(x, of);
                let to = self.result(out);
                self.copy(of, to, x);
            }
            (ScalarOp::Fma, &[x, y, z]) => self.fused(out, of, [x, y, z]),
            _ => unreachable!("{op:?} of {} operands", args.len()),
        }
    }

    /// `x * y + z`: the sum takes the place of what is not needed any more.
    fn fused(&mut self, out: u32, of: DType, [x, y, z]: [Operand; 3]) {
        let [accumulate, multiply] = Self::fused_codes(of, self.is_full(of));
        let (x, y) = if matches!(x, Operand::Step(_)) { (x, y) } else { (y, x) };
        let first = self.vector(x, of);
        if !matches!(z, Operand::Step(_)) {
            let (second, third) = (self.vector(y, of), self.source(z, of));
            let to = self.result_in(out, x, of, first);
            return self.three(multiply, of, to, second, third);
        }
        let (second, third) = (self.source(y, of), self.vector(z, of));
        let to = self.result_in(out, z, of, third);
        self.three(accumulate, of, to, first, second);
    }
}
