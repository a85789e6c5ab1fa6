//! A loop as a machine function: whole turns of a few vectors, then the rounds left over under masks.
//!
//! Each step is done for several vectors before the next step, if the registers suffice: what a processor has in view then
//! is independent work, and the time of an operation is hidden behind others.
//!
//! The rounds of an element of a reduction go to the accumulators in the order of `kernel::reduce`: those of even
//! vectors to the first half of the 128 bytes, those of odd ones to the other.

use super::assembler::{ALIGN, Assembler, Jump, at};
use super::registers::{Class, Registers, Spill, pressure};
use super::{Kernel, Loop, Operand, Step};
use iced_x86::{Code, IcedError, Instruction, MemoryOperand, Register};
use std::collections::HashMap;
use std::ops::Range;
use wengert_kernel::{DType, Scalar};

/// The block of words.
pub(super) const BLOCK: Register = Register::RDI;
/// The first round of the turn.
pub(super) const COUNTER: Register = Register::RCX;
/// The rounds to be done, then those left over.
const END: Register = Register::RSI;
/// For addresses that are used at once.
pub(super) const SCRATCH: Register = Register::RAX;
/// The constants.
pub(super) const POOL: Register = Register::RDX;
/// Registers for addresses: those free to use, then those to be saved.
const FREE_POINTERS: [Register; 4] = [Register::R8, Register::R9, Register::R10, Register::R11];
const SAVED_POINTERS: [Register; 5] = [Register::RBX, Register::R12, Register::R13, Register::R14, Register::R15];

/// The mask register of the rounds left over.
const TAIL: u8 = 1;
/// Mask registers for values. (0 means no mask.)
const MASKS: [u8; 6] = [2, 3, 4, 5, 6, 7];
/// Vector registers kept from scalars, for what instructions need in passing.
const SPARE: usize = 5;
/// Values on the stack up to which there is a kernel: all within a page, which needs no probe.
const MOST_SLOTS: usize = 56;
/// Vectors of a turn, at most.
const MOST_VECTORS: usize = 4;
/// Steps of a turn of more than one vector, for all its vectors.
const MOST_STEPS: usize = 192;

/// A second operand.
pub(super) enum Source {
    Register(u8),
    Memory(MemoryOperand),
}

impl From<u8> for Source {
    fn from(register: u8) -> Source {
        Source::Register(register)
    }
}

/// A kernel in the making.
pub(super) struct Emit<'l> {
    wide: &'l Loop,
    pub lanes: usize,
    pub assembler: Assembler,
    registers: Registers,
    slots: usize,
    /// Scalars in registers, by operand and size.
    scalars: HashMap<(Operand, usize), u8>,
    pointers: HashMap<u32, Register>,
    pub uses_pool: bool,
    /// The number of the step at hand.
    now: usize,
    /// Which vector of the turn.
    number: usize,
    /// Under the mask of the rounds left over.
    masked: bool,
}

/// The kernel of a loop; none if it needs too many registers.
pub(super) fn kernel(wide: &Loop, origin: impl Fn(usize) -> Option<u32>) -> Option<Kernel> {
    let mut vectors: Vec<u8> = (0..32).collect();
    let accumulators: Vec<[u8; 2]> = wide.folds.iter().filter_map(|_| Some([vectors.pop()?, vectors.pop()?])).collect();
    let pressure = pressure(wide);
    let turn = Turn::new(wide, vectors.len().saturating_sub(SPARE) / pressure.max(1));
    let room = vectors.len().saturating_sub(turn.abreast * pressure + SPARE);
    let scalars: HashMap<(Operand, usize), u8> =
        frequent_scalars(wide).into_iter().take(room).filter_map(|key| Some((key, vectors.pop()?))).collect();
    let mut words: Vec<u32> = wide.steps.iter().filter_map(|step| Some(stream(step)?.word)).collect();
    words.sort_unstable();
    words.dedup();
    let pointers: HashMap<u32, Register> =
        words.into_iter().zip(FREE_POINTERS.into_iter().chain(SAVED_POINTERS)).collect();
    let mut emit = Emit {
        wide,
        lanes: wide.lanes,
        assembler: Assembler::new(),
        registers: Registers::new(&[], &[], &vectors, &MASKS, 0),
        slots: 0,
        scalars,
        pointers,
        uses_pool: false,
        now: 0,
        number: 0,
        masked: false,
    };
    let mut origins = Vec::new();
    let jumps = emit.body(&turn, &vectors, &accumulators, &mut |at, step| origins.push((at, origin(step))));
    if emit.slots > MOST_SLOTS {
        return None;
    }
    let (slots, saved) = (emit.slots, emit.saved());
    let uses_pool = emit.uses_pool;
    let (body, constants) = finished(emit.assembler.finish(jumps));
    let (head, end) = (head(slots, &saved), end(slots, &saved));
    // `lea rdx, [rip + distance]`: its length does not depend on the distance.
    let lea = if uses_pool { 7 } else { 0 };
    let instructions = head.len() + lea + body.len() + end.len();
    let pool = instructions.next_multiple_of(ALIGN);
    let mut bytes = head;
    if uses_pool {
        bytes.extend_from_slice(&[0x48, 0x8d, 0x15]);
        bytes.extend_from_slice(&((pool - bytes.len() - 4) as i32).to_le_bytes());
    }
    let before = bytes.len();
    origins.iter_mut().for_each(|(at, _)| *at += before);
    bytes.extend(body);
    origins.push((bytes.len(), None));
    bytes.extend(end);
    bytes.resize(pool, 0xcc);
    bytes.extend(constants);
    Some(Kernel { bytes, instructions, origins })
}

/// What a turn consists of.
struct Turn {
    vectors: usize,
    /// How many of them go step by step together; divides their number.
    abreast: usize,
}

impl Turn {
    /// `fitting` vectors fit in the registers.
    fn new(wide: &Loop, fitting: usize) -> Turn {
        let most = (MOST_STEPS / wide.steps.len().max(1)).min(MOST_VECTORS);
        // Accumulators take turns, so there are two vectors at least.
        let least = if wide.folds.is_empty() { 1 } else { 2 };
        let vectors = if most >= 4 { 4 } else { most.max(least).min(2) };
        let abreast = [4, 2, 1].into_iter().find(|&k| k <= fitting.min(vectors)).unwrap_or(1);
        Turn { vectors, abreast }
    }
}

/// Several vectors' steps, one after the other, with their vectors' numbers.
struct Interleaved {
    steps: Vec<(Step, usize)>,
    /// The elements of reductions, by reduction and vector.
    items: Vec<(usize, usize, Operand)>,
}

impl Interleaved {
    fn new(wide: &Loop, numbers: Range<usize>) -> Interleaved {
        let (width, first) = (numbers.len() as u32, numbers.start as u32);
        let value = |k: u32, number: usize| k * width + number as u32 - first;
        let mut steps = Vec::with_capacity(wide.steps.len() * numbers.len());
        for step in &wide.steps {
            steps.extend(numbers.clone().map(|number| (step.renumbered(|k| value(k, number)), number)));
        }
        let mut items = Vec::new();
        for (k, &(_, _, item, _)) in wide.folds.iter().enumerate() {
            items.extend(numbers.clone().map(|number| (k, number, item.renumbered(|k| value(k, number)))));
        }
        Interleaved { steps, items }
    }
}

fn finished(result: Result<(Vec<u8>, Vec<u8>), IcedError>) -> (Vec<u8>, Vec<u8>) {
    result.unwrap_or_else(|error| unreachable!("an instruction that does not exist: {error}"))
}

fn stream(step: &Step) -> Option<&super::Stream> {
    match step {
        Step::Read { stream, .. } | Step::Write { stream, .. } => Some(stream),
        _ => None,
    }
}

/// Scalars that are operands of vectors, those used most first.
fn frequent_scalars(wide: &Loop) -> Vec<(Operand, usize)> {
    let mut counts: HashMap<(Operand, usize), usize> = HashMap::new();
    let mut order = Vec::new();
    let mut see = |operand: Operand, dtype: DType| {
        if !matches!(operand, Operand::Step(_)) && Class::of(dtype) == Class::Vector {
            let key = (operand, dtype.size());
            *counts.entry(key).or_insert_with(|| {
                order.push(key);
                0
            }) += 1;
        }
    };
    for step in &wide.steps {
        match step {
            // The first operand of a selection is a mask, the others have the last one's dtype.
            Step::Op { op: wengert_kernel::ScalarOp::Select, of, args, .. } => {
                args[1..].iter().for_each(|&x| see(x, *of))
            }
            Step::Op { of, args, .. } => args.iter().for_each(|&x| see(x, *of)),
            Step::Write { dtype, value, .. } => see(*value, *dtype),
            _ => {}
        }
    }
    wide.folds.iter().for_each(|&(_, dtype, item, _)| see(item, dtype));
    order.sort_by_key(|key| std::cmp::Reverse(counts[key]));
    order
}

/// What comes before the loop: registers to be kept, room on the stack.
fn head(slots: usize, saved: &[Register]) -> Vec<u8> {
    let mut a = Assembler::new();
    for &register in saved {
        a.put(Instruction::with1(Code::Push_r64, register));
    }
    if slots > 0 {
        a.put(Instruction::with1(Code::Push_r64, Register::RBP));
        a.put(Instruction::with2(Code::Mov_r64_rm64, Register::RBP, Register::RSP));
        a.put(Instruction::with2(Code::Sub_rm64_imm32, Register::RSP, (slots * 64) as i32));
        a.put(Instruction::with2(Code::And_rm64_imm8, Register::RSP, -64));
    }
    finished(a.finish(Vec::new())).0
}

/// What comes after it.
fn end(slots: usize, saved: &[Register]) -> Vec<u8> {
    let mut a = Assembler::new();
    a.put(Ok(Instruction::with(Code::VEX_Vzeroupper)));
    if slots > 0 {
        a.put(Instruction::with2(Code::Mov_r64_rm64, Register::RSP, Register::RBP));
        a.put(Instruction::with1(Code::Pop_r64, Register::RBP));
    }
    for &register in saved.iter().rev() {
        a.put(Instruction::with1(Code::Pop_r64, register));
    }
    a.put(Ok(Instruction::with(Code::Retnq)));
    finished(a.finish(Vec::new())).0
}

impl<'l> Emit<'l> {
    /// Registers for addresses that the caller wants back.
    fn saved(&self) -> Vec<Register> {
        SAVED_POINTERS.into_iter().filter(|r| self.pointers.values().any(|p| p == r)).collect()
    }

    /// From the first address to the last accumulator stored; the jumps to be set.
    fn body(
        &mut self,
        turn: &Turn,
        vectors: &[u8],
        accumulators: &[[u8; 2]],
        note: &mut dyn FnMut(usize, usize),
    ) -> Vec<(Jump, usize)> {
        let mut pointers: Vec<(u32, Register)> = self.pointers.iter().map(|(&w, &r)| (w, r)).collect();
        pointers.sort_unstable();
        for (word, register) in pointers {
            self.put(Instruction::with2(Code::Mov_r64_rm64, register, at(BLOCK, word as i64 * 8)));
        }
        let mut scalars: Vec<((Operand, usize), u8)> = self.scalars.iter().map(|(&k, &r)| (k, r)).collect();
        scalars.sort_unstable_by_key(|s| s.1);
        for ((operand, size), register) in scalars {
            self.load_scalar(operand, size, register);
        }
        self.accumulators(accumulators, false);
        self.put(Instruction::with2(Code::Xor_r32_rm32, Register::ECX, Register::ECX));
        self.put(Instruction::with2(Code::Mov_r64_rm64, END, at(BLOCK, 0)));
        let rounds = (turn.vectors * self.lanes) as i32;
        self.put(Instruction::with2(Code::And_rm64_imm8, END, -rounds));
        let mut jumps = Vec::new();
        let none = self.assembler.jump(Code::Je_rel32_64);
        let again = self.assembler.here();
        for first in (0..turn.vectors).step_by(turn.abreast) {
            self.vectors(&Interleaved::new(self.wide, first..first + turn.abreast), vectors, accumulators, note);
        }
        self.put(Instruction::with2(Code::Add_rm64_imm8, COUNTER, rounds));
        self.put(Instruction::with2(Code::Cmp_r64_rm64, COUNTER, END));
        self.assembler.jump_back(Code::Jb_rel32_64, again);
        jumps.push((none, self.assembler.here()));
        // The rounds left over: a vector, or one for each half of the accumulators, at a time.
        self.masked = true;
        let left_over = self.assembler.here();
        let mut done = Vec::new();
        self.put(Instruction::with2(Code::Mov_r64_rm64, END, at(BLOCK, 0)));
        self.put(Instruction::with2(Code::Sub_r64_rm64, END, COUNTER));
        done.push(self.assembler.jump(Code::Jle_rel32_64));
        let halves = if accumulators.is_empty() { 1 } else { 2 };
        for number in 0..halves {
            if number > 0 {
                self.put(Instruction::with2(Code::Cmp_rm64_imm8, END, (number * self.lanes) as i32));
                done.push(self.assembler.jump(Code::Jbe_rel32_64));
            }
            self.tail_mask(number);
            self.vectors(&Interleaved::new(self.wide, number..number + 1), vectors, accumulators, note);
        }
        if turn.vectors > halves {
            self.put(Instruction::with2(Code::Add_rm64_imm8, COUNTER, (halves * self.lanes) as i32));
            self.assembler.jump_back(Code::Jmp_rel32_64, left_over);
        }
        let end = self.assembler.here();
        jumps.extend(done.into_iter().map(|jump| (jump, end)));
        self.accumulators(accumulators, true);
        jumps
    }

    /// The mask of the rounds left over that are the `number`-th vector's.
    fn tail_mask(&mut self, number: usize) {
        let (bits, count) = (Register::EAX, Register::ESI);
        self.put(Instruction::with2(Code::Mov_r32_imm32, bits, -1i32 as u32));
        self.put(Instruction::with3(Code::VEX_Bzhi_r32_rm32_r32, bits, bits, count));
        if number > 0 {
            self.put(Instruction::with2(Code::Shr_rm32_imm8, bits, (number * self.lanes) as u32));
        }
        if self.lanes < 16 {
            self.put(Instruction::with2(Code::And_rm32_imm32, bits, (1u32 << self.lanes) - 1));
        }
        self.put(Instruction::with2(Code::VEX_Kmovw_kr_r32, Register::K0 + TAIL as u32, bits));
    }

    /// The steps for some vectors of the turn.
    fn vectors(
        &mut self,
        interleaved: &Interleaved,
        vectors: &[u8],
        accumulators: &[[u8; 2]],
        note: &mut dyn FnMut(usize, usize),
    ) {
        let Interleaved { steps, items } = interleaved;
        self.registers = Registers::new(steps, items, vectors, &MASKS, self.slots);
        let width = steps.len() / self.wide.steps.len().max(1);
        for (now, (step, number)) in steps.iter().enumerate() {
            (self.now, self.number) = (now, *number);
            note(self.assembler.here(), now / width);
            let out = now as u32;
            match step {
                Step::Op { op, of, out: to, args } => self.operation(out, *op, *of, *to, args),
                Step::Index { word, stride, terms } => self.index(out, *word, *stride, terms),
                Step::Read { dtype, stream } => self.read(out, *dtype, stream),
                Step::Write { dtype, value, stream } => self.write(*dtype, *value, stream),
            }
            self.registers.end_step(now);
        }
        self.now = steps.len();
        for &(k, number, item) in items {
            let (op, dtype, _, _) = self.wide.folds[k];
            self.fold(op, dtype, accumulators[k][number % 2], item);
        }
        self.registers.end_step(self.now);
        self.slots = self.slots.max(self.registers.slots);
    }

    fn accumulators(&mut self, accumulators: &[[u8; 2]], store: bool) {
        let wide = self.wide;
        for (&(_, _, _, word), halves) in wide.folds.iter().zip(accumulators) {
            self.put(Instruction::with2(Code::Mov_r64_rm64, SCRATCH, at(BLOCK, word as i64 * 8)));
            for (k, &half) in halves.iter().enumerate() {
                let (memory, z) = (at(SCRATCH, k as i64 * 64), Register::ZMM0 + half as u32);
                self.put(match store {
                    true => Instruction::with2(Code::EVEX_Vmovdqu64_zmmm512_k1z_zmm, memory, z),
                    false => Instruction::with2(Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, z, memory),
                });
            }
        }
    }

    // What steps are made of.

    /// The next instruction.
    pub fn put(&mut self, instruction: Result<Instruction, IcedError>) {
        self.assembler.put(instruction);
    }

    /// The next instruction, in lanes of a mask; the others stay, or become zero.
    pub fn put_masked(&mut self, instruction: Result<Instruction, IcedError>, mask: u8, zero: bool) {
        self.put(instruction.map(|mut instruction| {
            instruction.set_op_mask(Register::K0 + mask as u32);
            instruction.set_zeroing_masking(zero);
            instruction
        }));
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

    /// The mask of the rounds left over, if these are at hand.
    pub fn tail(&self) -> Option<u8> {
        self.masked.then_some(TAIL)
    }

    /// The first round of this vector, counted from the turn's first.
    pub fn first(&self) -> usize {
        self.number * self.lanes
    }

    /// Whether elements of a dtype fill registers.
    pub fn is_full(&self, dtype: DType) -> bool {
        self.lanes * dtype.size() == 64
    }

    /// The name of a register with elements of a dtype.
    pub fn register(&self, dtype: DType, number: u8) -> Register {
        (if self.is_full(dtype) { Register::ZMM0 } else { Register::YMM0 }) + number as u32
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
            let memory = at(Register::RSP, slot as i64 * 64);
            self.put(match class {
                Class::Vector => {
                    Instruction::with2(Code::EVEX_Vmovdqu64_zmmm512_k1z_zmm, memory, Register::ZMM0 + register as u32)
                }
                Class::Mask => Instruction::with2(Code::VEX_Kmovw_m16_kr, memory, Register::K0 + register as u32),
            });
        }
        register
    }

    /// The register of a step's value, from the stack if need be.
    fn fetch(&mut self, value: u32, class: Class) -> u8 {
        if let Some(register) = self.registers.find(value) {
            return register;
        }
        let memory = at(Register::RSP, self.registers.slot(value) as i64 * 64);
        let register = self.take(class);
        self.put(match class {
            Class::Vector => {
                Instruction::with2(Code::EVEX_Vmovdqu64_zmm_k1z_zmmm512, Register::ZMM0 + register as u32, memory)
            }
            Class::Mask => Instruction::with2(Code::VEX_Kmovw_kr_km16, Register::K0 + register as u32, memory),
        });
        self.registers.bind(value, register);
        register
    }

    /// An operand in a vector register.
    pub fn vector(&mut self, operand: Operand, dtype: DType) -> u8 {
        match self.source(operand, dtype) {
            Source::Register(register) => register,
            memory => self.loaded(memory, dtype),
        }
    }

    /// An operand as a register, or a scalar's memory.
    pub fn source(&mut self, operand: Operand, dtype: DType) -> Source {
        if let Operand::Step(value) = operand {
            return Source::Register(self.fetch(value, Class::Vector));
        }
        match self.scalars.get(&(operand, dtype.size())) {
            Some(&register) => Source::Register(register),
            None => Source::Memory(self.spread(operand, dtype.size())),
        }
    }

    /// Bits in every lane.
    pub fn everywhere(&mut self, bits: u64, dtype: DType) -> Source {
        Source::Memory(self.spread(Operand::Constant(bits), dtype.size()))
    }

    /// A source in a register of the step's own.
    pub fn loaded(&mut self, source: Source, dtype: DType) -> u8 {
        match source {
            Source::Register(register) => register,
            Source::Memory(memory) => {
                let register = self.temporary(Class::Vector);
                self.load_spread(memory, dtype.size(), self.register(dtype, register));
                register
            }
        }
    }

    /// Zero in every lane.
    pub fn zero(&mut self) -> u8 {
        let register = self.temporary(Class::Vector);
        let z = Register::ZMM0 + register as u32;
        self.put(Instruction::with3(Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, z, z, z));
        register
    }

    fn load_scalar(&mut self, operand: Operand, size: usize, register: u8) {
        let memory = self.spread(operand, size);
        self.load_spread(memory, size, Register::ZMM0 + register as u32);
    }

    fn load_spread(&mut self, memory: MemoryOperand, size: usize, register: Register) {
        let code = match (size, register.is_zmm()) {
            (4, true) => Code::EVEX_Vpbroadcastd_zmm_k1z_xmmm32,
            (4, false) => Code::EVEX_Vpbroadcastd_ymm_k1z_xmmm32,
            _ => Code::EVEX_Vpbroadcastq_zmm_k1z_xmmm64,
        };
        self.put(Instruction::with2(code, register, MemoryOperand { is_broadcast: false, ..memory }));
    }

    /// An operand in a mask register.
    pub fn mask(&mut self, operand: Operand) -> u8 {
        let scalar = match operand {
            Operand::Step(value) => return self.fetch(value, Class::Mask),
            Operand::Word(word) => Instruction::with2(Code::Mov_r32_rm32, Register::EAX, at(BLOCK, word as i64 * 8)),
            Operand::Constant(bits) => {
                debug_assert!(bits <= Scalar::one(DType::Bool).bits);
                Instruction::with2(Code::Mov_r32_imm32, Register::EAX, bits as u32)
            }
        };
        self.put(scalar);
        self.put(Instruction::with1(Code::Neg_rm32, Register::EAX));
        let mask = self.temporary(Class::Mask);
        self.put(Instruction::with2(Code::VEX_Kmovw_kr_r32, Register::K0 + mask as u32, Register::EAX));
        mask
    }
}
