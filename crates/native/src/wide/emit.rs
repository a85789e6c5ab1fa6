//! A loop as a machine function: whole turns of a few vectors, then the rounds left over under masks.
//!
//! Each step is done for several vectors before the next step, if the registers suffice: what a processor has in view then
//! is independent work, and the time of an operation is hidden behind others.
//!
//! The rounds of an element of a reduction go to the accumulators in the order of `kernel::reduce`: a turn has vectors for
//! all of the 128 bytes, and those of each go to their part of them.

use super::assembler::{ALIGN, Assembler, Jump, at};
use super::instructions::{Avx2, Avx512, Instructions};
use super::interleaved::{Interleaved, Turn};
use super::registers::{Class, Registers, pressure};
use super::{Kernel, Level, Loop, Operand, Step};
use iced_x86::{Code, IcedError, Instruction, MemoryOperand, Register};
use std::collections::HashMap;
use std::marker::PhantomData;
use wengert_kernel::DType;
use wengert_kernel::reduce::LANE_BYTES;

/// The block of words.
pub(super) const BLOCK: Register = Register::RDI;
/// The first round of the turn.
pub(super) const COUNTER: Register = Register::RCX;
/// The end of whole turns, then minus the number of the rounds left over.
pub(super) const END: Register = Register::RSI;
/// For addresses that are used at once.
pub(super) const SCRATCH: Register = Register::RAX;
/// The constants.
pub(super) const POOL: Register = Register::RDX;
/// Registers for addresses: those free to use, then those to be saved.
const FREE_POINTERS: [Register; 4] = [Register::R8, Register::R9, Register::R10, Register::R11];
const SAVED_POINTERS: [Register; 5] = [Register::RBX, Register::R12, Register::R13, Register::R14, Register::R15];

/// Vector registers kept from scalars, for what instructions need in passing.
const SPARE: usize = 5;
/// Bytes of values on the stack up to which there is a kernel: all within a page, which needs no probe.
const MOST_SLOTS: usize = 56 * 64;

/// A second operand.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Register(u8),
    Memory(MemoryOperand),
}

impl From<MemoryOperand> for Source {
    fn from(memory: MemoryOperand) -> Source {
        Source::Memory(memory)
    }
}

impl From<u8> for Source {
    fn from(register: u8) -> Source {
        Source::Register(register)
    }
}

/// A kernel in the making.
pub(super) struct Emit<'l, L> {
    pub wide: &'l Loop,
    pub lanes: usize,
    pub assembler: Assembler,
    pub registers: Registers,
    slots: usize,
    /// Scalars in registers, by operand and size.
    pub scalars: HashMap<(Operand, usize), u8>,
    pub pointers: HashMap<u32, Register>,
    /// Jumps ahead, and where they go.
    pub jumps: Vec<(Jump, usize)>,
    pub uses_pool: bool,
    /// The number of the step at hand.
    pub now: usize,
    /// Which vector of the turn.
    pub number: usize,
    /// Of the rounds left over, of which there may be fewer than lanes.
    pub masked: bool,
    level: PhantomData<L>,
}

/// The kernel of a loop; none if it needs too many registers.
pub(super) fn kernel(level: Level, wide: &Loop, origin: impl Fn(usize) -> Option<u32>) -> Option<Kernel> {
    match level {
        Level::Avx2 => kernel_of::<Avx2>(wide, origin),
        Level::Avx512 => kernel_of::<Avx512>(wide, origin),
    }
}

fn kernel_of<'l, L>(wide: &'l Loop, origin: impl Fn(usize) -> Option<u32>) -> Option<Kernel>
where
    Emit<'l, L>: Instructions,
{
    let mut vectors: Vec<u8> = (0..<Emit<L>>::VECTORS).collect();
    let parts = LANE_BYTES / <Emit<L>>::BYTES;
    let accumulators: Vec<Vec<u8>> = wide.folds.iter().map(|_| vectors.split_off(vectors.len() - parts)).collect();
    let pressure = pressure(wide, <Emit<L>>::class);
    let turn = Turn::new(wide, parts, vectors.len().saturating_sub(SPARE) / pressure.max(1));
    let room = vectors.len().saturating_sub(turn.abreast * pressure + SPARE);
    let scalars: HashMap<(Operand, usize), u8> =
        frequent_scalars(wide).into_iter().take(room).filter_map(|key| Some((key, vectors.pop()?))).collect();
    let mut words: Vec<u32> = wide.steps.iter().filter_map(|step| Some(stream(step)?.word)).collect();
    words.sort_unstable();
    words.dedup();
    let pointers: HashMap<u32, Register> =
        words.into_iter().zip(FREE_POINTERS.into_iter().chain(SAVED_POINTERS)).collect();
    let mut emit = Emit::<L> {
        wide,
        lanes: wide.lanes,
        assembler: Assembler::new(),
        registers: Registers::new(&Interleaved::default(), <Emit<L>>::class, [&vectors, <Emit<L>>::MASKS], 0),
        slots: 0,
        scalars,
        pointers,
        jumps: Vec::new(),
        uses_pool: false,
        now: 0,
        number: 0,
        masked: false,
        level: PhantomData,
    };
    let mut origins = Vec::new();
    emit.body(&turn, &vectors, &accumulators, &mut |at, step| origins.push((at, origin(step))));
    let (slots, saved) = (emit.slots * <Emit<L>>::BYTES, emit.saved());
    if slots > MOST_SLOTS {
        return None;
    }
    let uses_pool = emit.uses_pool;
    let (body, constants) = finished(emit.assembler.finish(emit.jumps));
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
        if !matches!(operand, Operand::Step(_)) && dtype != DType::Bool {
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

/// What comes before the loop: registers to be kept, so many bytes on the stack.
fn head(slots: usize, saved: &[Register]) -> Vec<u8> {
    let mut a = Assembler::new();
    for &register in saved {
        a.put(Instruction::with1(Code::Push_r64, register));
    }
    if slots > 0 {
        a.put(Instruction::with1(Code::Push_r64, Register::RBP));
        a.put(Instruction::with2(Code::Mov_r64_rm64, Register::RBP, Register::RSP));
        a.put(Instruction::with2(Code::Sub_rm64_imm32, Register::RSP, slots as i32));
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

impl<L> Emit<'_, L>
where
    Self: Instructions,
{
    /// Registers for addresses that the caller wants back.
    fn saved(&self) -> Vec<Register> {
        SAVED_POINTERS.into_iter().filter(|r| self.pointers.values().any(|p| p == r)).collect()
    }

    /// From the first address to the last accumulator stored.
    fn body(&mut self, turn: &Turn, vectors: &[u8], accumulators: &[Vec<u8>], note: &mut dyn FnMut(usize, usize)) {
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
        self.put(Instruction::with2(Code::And_rm64_imm32, END, -rounds));
        let none = self.assembler.jump(Code::Je_rel32_64);
        let again = self.assembler.here();
        for first in (0..turn.vectors).step_by(turn.abreast) {
            self.vectors(Interleaved::new(self.wide, first..first + turn.abreast), vectors, accumulators, note);
        }
        self.put(Instruction::with2(Code::Add_rm64_imm32, COUNTER, rounds));
        self.put(Instruction::with2(Code::Cmp_r64_rm64, COUNTER, END));
        self.assembler.jump_back(Code::Jb_rel32_64, again);
        self.jumps.push((none, self.assembler.here()));
        self.left_over(turn, vectors, accumulators, note);
        self.accumulators(accumulators, true);
    }

    /// The rounds left over: a vector, or one for each part of the accumulators, at a time.
    fn left_over(&mut self, turn: &Turn, vectors: &[u8], accumulators: &[Vec<u8>], note: &mut dyn FnMut(usize, usize)) {
        self.masked = true;
        let parts = accumulators.first().map_or(1, Vec::len);
        let rounds = (parts * self.lanes) as i32;
        let again = self.assembler.here();
        let mut done = Vec::new();
        self.put(Instruction::with2(Code::Mov_r64_rm64, END, COUNTER));
        self.put(Instruction::with2(Code::Sub_r64_rm64, END, at(BLOCK, 0)));
        done.push(self.assembler.jump(Code::Jge_rel32_64));
        if turn.vectors > parts {
            // Of more rounds than are done now, masks know nothing.
            self.put(Instruction::with2(Code::Mov_rm64_imm32, SCRATCH, -rounds));
            self.put(Instruction::with2(Code::Cmp_r64_rm64, END, SCRATCH));
            self.put(Instruction::with2(Code::Cmovl_r64_rm64, END, SCRATCH));
        }
        for number in 0..parts {
            if number > 0 {
                self.put(Instruction::with2(Code::Cmp_rm64_imm8, END, -((number * self.lanes) as i32)));
                done.push(self.assembler.jump(Code::Jge_rel32_64));
            }
            self.begin_rest(number);
            self.vectors(Interleaved::new(self.wide, number..number + 1), vectors, accumulators, note);
        }
        if turn.vectors > parts {
            self.put(Instruction::with2(Code::Add_rm64_imm8, COUNTER, rounds));
            self.assembler.jump_back(Code::Jmp_rel32_64, again);
        }
        let end = self.assembler.here();
        self.jumps.extend(done.into_iter().map(|jump| (jump, end)));
    }

    /// The steps for some vectors of the turn.
    fn vectors(
        &mut self,
        interleaved: Interleaved,
        vectors: &[u8],
        accumulators: &[Vec<u8>],
        note: &mut dyn FnMut(usize, usize),
    ) {
        self.registers = Registers::new(&interleaved, Self::class, [vectors, Self::MASKS], self.slots);
        let Interleaved { steps, items } = interleaved;
        let abreast = steps.len() / self.wide.steps.len().max(1);
        for (now, (step, number)) in steps.iter().enumerate() {
            (self.now, self.number) = (now, *number);
            note(self.assembler.here(), now / abreast);
            let out = now as u32;
            match step {
                Step::Op { op, of, out: to, args } => self.operation(out, *op, *of, *to, args),
                Step::Index { word, stride, terms } => self.index(out, *word, *stride, terms),
                Step::Read { dtype, stream } => self.read(out, *dtype, stream),
                Step::Write { dtype, value, stream } => self.write(*dtype, *value, stream),
            }
            self.registers.end_step(now);
        }
        for (after, (fold, number, item)) in items.into_iter().enumerate() {
            let (op, dtype, _, _) = self.wide.folds[fold];
            let parts = &accumulators[fold];
            (self.now, self.number) = (steps.len() + after, number);
            self.fold(op, dtype, parts[number % parts.len()], item);
            self.registers.end_step(self.now);
        }
        self.slots = self.slots.max(self.registers.slots);
    }

    fn accumulators(&mut self, accumulators: &[Vec<u8>], store: bool) {
        let wide = self.wide;
        for (&(_, _, _, word), parts) in wide.folds.iter().zip(accumulators) {
            self.put(Instruction::with2(Code::Mov_r64_rm64, SCRATCH, at(BLOCK, word as i64 * 8)));
            for (k, &part) in parts.iter().enumerate() {
                let memory = at(SCRATCH, (k * Self::BYTES) as i64);
                match store {
                    true => self.save(memory, Class::Vector, part),
                    false => self.restore(Class::Vector, part, memory),
                }
            }
        }
    }
}
