//! What kernels of the two levels do differently: the names and numbers of registers, and the instructions.

use super::Operand;
use super::emit::Source;
use super::registers::Class;
use iced_x86::{Code, MemoryOperand, Register};
use wengert_kernel::{Binary, Comparison, DType, ScalarOp, Unary};

/// The level of AVX2.
pub(super) struct Avx2;
/// The level of AVX-512.
pub(super) struct Avx512;

/// The instructions of a level for operations on values, lane for lane what `ScalarOp::eval` does.
pub(super) trait Operations {
    /// The value of a step on `bool`s, bound to a register.
    fn of_bools(&mut self, out: u32, op: ScalarOp, args: &[Operand]);
    /// The value of a step, bound to a register.
    fn unary(&mut self, out: u32, op: Unary, of: DType, x: Operand);
    /// The value of a step, bound to a register.
    fn conversion(&mut self, out: u32, from: DType, to: DType, x: Operand);
    /// `to = op(x, y)`; `to` may be `x`.
    fn binary(&mut self, op: Binary, of: DType, to: u8, x: u8, y: Source);
    /// `to = op(x, y)`, a `bool`; `to` is no operand.
    fn comparison(&mut self, op: Comparison, of: DType, to: u8, x: u8, y: Source);
    /// `to = p ? x : y`; `to` is no operand.
    fn choice(&mut self, of: DType, to: u8, p: u8, x: Source, y: u8);
    /// The codes of `z += x * y` and of `x = x * y + z`.
    fn fused_codes(of: DType, full: bool) -> [Code; 2];
}

/// All instructions of a level.
pub(super) trait Instructions: Operations {
    /// Bytes of a vector.
    const BYTES: usize;
    /// Vector registers.
    const VECTORS: u8;
    /// Mask registers for values.
    const MASKS: &'static [u8];
    /// The first register of whole vectors, and of half ones.
    const FIRST: [Register; 2];

    /// The registers that values of a dtype are in.
    fn class(dtype: DType) -> Class;
    /// A whole register to memory.
    fn save(&mut self, memory: MemoryOperand, class: Class, register: u8);
    /// A whole register from memory.
    fn restore(&mut self, class: Class, register: u8, memory: MemoryOperand);
    /// A register to another.
    fn copy(&mut self, of: DType, to: u8, x: u8);

    /// A constant or a word in every lane, as instructions take it.
    fn scalar(&mut self, operand: Operand, size: usize) -> Source;
    /// A constant or a word in every lane of a register.
    fn load_scalar(&mut self, operand: Operand, size: usize, to: u8);
    /// The bits of the low half of `SCRATCH`, the same all, as a `bool` in every lane.
    fn spread_bool(&mut self, to: u8);
    /// `SCRATCH` in every lane.
    fn spread_scratch(&mut self, to: u8);

    /// Before the `number`-th vector of the rounds left over: minus their number is in `END`.
    fn begin_rest(&mut self, number: usize);
    /// Elements side by side.
    fn read_row(&mut self, to: u8, dtype: DType, memory: MemoryOperand);
    /// Elements side by side.
    fn write_row(&mut self, dtype: DType, x: u8, memory: MemoryOperand);
    /// Bytes that are 0 or 1.
    fn read_bools(&mut self, to: u8, memory: MemoryOperand);
    /// Bytes that are 0 or 1.
    fn write_bools(&mut self, x: u8, memory: MemoryOperand);
    /// Elements at `base + distance` and as many further as a vector says.
    fn gather(&mut self, to: u8, dtype: DType, places: Places, base: Register, distance: i64);

    /// A sum of `i64`.
    fn add(&mut self, to: u8, x: u8, y: Source);
    /// A product of `i64`; `to` is no operand.
    fn multiply(&mut self, to: u8, x: u8, y: Source);
    /// `acc = op(acc, item)`, in the lanes of rounds that there are.
    fn fold(&mut self, op: Binary, of: DType, acc: u8, item: Operand);
}

/// Distances of elements, counted in elements.
pub(super) enum Places {
    /// As `i32` in memory.
    Fixed(MemoryOperand),
    /// As `i64` in a register.
    Register(u8),
}

/// Comparisons of floats, quiet; the first three are true for unordered ones.
pub(super) const EQUAL_OR_UNORDERED: u32 = 0x08;
pub(super) const UNORDERED: u32 = 0x03;
pub(super) const NOT_EQUAL: u32 = 0x04;
pub(super) const ORDERED: u32 = 0x07;
pub(super) const LESS: u32 = 0x11;
pub(super) const GREATER_OR_EQUAL: u32 = 0x1d;
/// Roundings: no exception for what is inexact.
pub(super) const SILENT: u32 = 8;

/// The predicate of a comparison of floats.
pub(super) fn float_predicate(op: Comparison) -> u32 {
    match op {
        Comparison::Eq => 0,
        Comparison::Ne => NOT_EQUAL,
        Comparison::Lt => LESS,
        Comparison::Le => 0x12,
        Comparison::Gt => 0x1e,
        Comparison::Ge => GREATER_OR_EQUAL,
    }
}

/// `f32`'s or `f64`'s `x`, as bits.
pub(super) fn float_bits(dtype: DType, x: f64) -> u64 {
    if dtype == DType::F32 { (x as f32).to_bits() as u64 } else { x.to_bits() }
}

pub(super) fn sign_bit(dtype: DType) -> u64 {
    1 << (8 * dtype.size() - 1)
}

/// Constants and words are good second operands.
pub(super) fn commuted(op: Binary, x: Operand, y: Operand) -> (Operand, Operand) {
    let commutes = matches!(op, Binary::Add | Binary::Mul | Binary::And | Binary::Or | Binary::Xor);
    // Not for NaN payloads' sake, which are free.
    if commutes && !matches!(x, Operand::Step(_)) { (y, x) } else { (x, y) }
}
