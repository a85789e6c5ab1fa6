//! `f16` and `bf16` to and from `f32`, for a scalar and for four lanes alike. Bits of halves stand in words of 32 bits.
//!
//! The two directions of `f16` are by arithmetic on the bits of `f32`, whose exponents are 112 greater: a product by
//! `2^112` makes subnormal halves normal exactly, and a sum with 1/2 rounds numbers below `2^-14` at the last bit that a
//! subnormal half has.

use crate::emit::Emitter;
use crate::host;
use crate::scalar::scalar_type;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Type, Value as Ssa, types};
use wengert_kernel::{DType, ScalarOp, bf16, f16};

/// Infinity as `f32`.
const INFINITY: u32 = 0x7f80_0000;

impl Emitter<'_, '_> {
    /// The `f32` of a half; `words` is the type of its bits, one word or four.
    pub fn half_to_single(&mut self, dtype: DType, words: Type, half: Ssa) -> Ssa {
        let floats = if words.is_vector() { types::F32X4 } else { types::F32 };
        if dtype == DType::BF16 {
            let bits = self.b.ins().ishl_imm_u(half, 16);
            return self.cast(floats, bits);
        }
        let (size, sign) = (self.masked(words, half, 0x7fff), self.masked(words, half, 0x8000));
        let (shifted, sign) = (self.b.ins().ishl_imm_u(size, 13), self.b.ins().ishl_imm_u(sign, 16));
        let scale = self.word(words, (112 + 127) << 23);
        let (scale, shifted_float) = (self.cast(floats, scale), self.cast(floats, shifted));
        let scaled = self.b.ins().fmul(shifted_float, scale);
        let finite = self.cast(words, scaled);
        let infinity = self.word(words, INFINITY);
        let special = self.b.ins().bor(shifted, infinity);
        let greatest = self.word(words, 0x7bff);
        let is_finite = self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, size, greatest);
        let size = self.either(is_finite, finite, special);
        let bits = self.b.ins().bor(size, sign);
        self.cast(floats, bits)
    }

    /// The bits of the half nearest to an `f32`.
    pub fn single_to_half(&mut self, dtype: DType, words: Type, x: Ssa) -> Ssa {
        let bits = self.cast(words, x);
        let (size, sign) = (self.masked(words, bits, 0x7fff_ffff), self.masked(words, bits, 0x8000_0000));
        let sign = self.b.ins().ushr_imm_u(sign, 16);
        let (dropped, nan, exponents) = match dtype {
            DType::F16 => (13, f16::NAN.to_bits(), 112 << 23),
            _ => (16, bf16::NAN.to_bits(), 0),
        };
        // Half a unit of the last bit kept, less one if that bit is 0.
        let kept = self.b.ins().ushr_imm_u(size, dropped);
        let odd = self.masked(words, kept, 1);
        let half_unit = self.word(words, ((1u32 << (dropped - 1)) - 1).wrapping_sub(exponents));
        let rounded = self.b.ins().iadd(size, half_unit);
        let rounded = self.b.ins().iadd(rounded, odd);
        let mut half = self.b.ins().ushr_imm_u(rounded, dropped);
        if dtype == DType::F16 {
            half = self.small_or_large_half(words, size, half);
        }
        let infinity = self.word(words, INFINITY);
        let is_nan = self.b.ins().icmp(IntCC::UnsignedGreaterThan, size, infinity);
        let nan = self.word(words, nan.into());
        let half = self.either(is_nan, nan, half);
        self.b.ins().bor(half, sign)
    }

    /// `half`, which was made for numbers that are normal halves, or what the others become.
    fn small_or_large_half(&mut self, words: Type, size: Ssa, half: Ssa) -> Ssa {
        let floats = if words.is_vector() { types::F32X4 } else { types::F32 };
        let magic = self.word(words, 0.5f32.to_bits());
        let (as_float, magic_float) = (self.cast(floats, size), self.cast(floats, magic));
        let sum = self.b.ins().fadd(as_float, magic_float);
        let sum = self.cast(words, sum);
        let small = self.b.ins().isub(sum, magic);
        let normal = self.word(words, (127 - 14) << 23);
        let is_small = self.b.ins().icmp(IntCC::UnsignedLessThan, size, normal);
        let half = self.either(is_small, small, half);
        let beyond = self.word(words, (127 + 16) << 23);
        let is_large = self.b.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, size, beyond);
        let infinity = self.word(words, f16::INFINITY.to_bits().into());
        self.either(is_large, infinity, half)
    }

    /// Any scalar as a half, as its bits.
    pub fn scalar_to_half(&mut self, from: DType, to: DType, x: Ssa) -> Ssa {
        let bits = match from {
            DType::F32 => self.single_to_half(to, types::I32, x),
            DType::Bool | DType::U8 | DType::F16 | DType::BF16 => {
                let single = self.scalar_op(ScalarOp::Convert(DType::F32), from, &[x]);
                self.single_to_half(to, types::I32, single)
            }
            // All digits must be seen when it is rounded.
            DType::I32 | DType::U32 => {
                let double = self.scalar_op(ScalarOp::Convert(DType::F64), from, &[x]);
                return self.scalar_to_half(DType::F64, to, double);
            }
            _ => {
                let function = match (from, to) {
                    (DType::I64, DType::F16) => host::to_half::<i64, f16> as *const u8,
                    (DType::I64, _) => host::to_half::<i64, bf16> as _,
                    (DType::U64, DType::F16) => host::to_half::<u64, f16> as _,
                    (DType::U64, _) => host::to_half::<u64, bf16> as _,
                    (_, DType::F16) => host::to_half::<f64, f16> as _,
                    (_, _) => host::to_half::<f64, bf16> as _,
                };
                self.call_host(function, &[x], Some(types::I64))
            }
        };
        self.b.ins().ireduce(scalar_type(to), bits)
    }

    /// A word in all lanes.
    fn word(&mut self, words: Type, value: u32) -> Ssa {
        let word = self.b.ins().iconst(types::I32, i64::from(value));
        if words.is_vector() { self.b.ins().splat(words, word) } else { word }
    }

    fn masked(&mut self, words: Type, x: Ssa, mask: u32) -> Ssa {
        let mask = self.word(words, mask);
        self.b.ins().band(x, mask)
    }

    fn either(&mut self, condition: Ssa, x: Ssa, y: Ssa) -> Ssa {
        if self.b.func.dfg.value_type(condition).is_vector() {
            self.b.ins().bitselect(condition, x, y)
        } else {
            self.b.ins().select(condition, x, y)
        }
    }
}
