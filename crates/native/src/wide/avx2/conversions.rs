//! Conversions.

use super::super::Operand;
use super::super::emit::Emit;
use super::super::instructions::{Avx2, GREATER_OR_EQUAL, Instructions, NOT_EQUAL, ORDERED, Operations, float_bits};
use super::super::registers::Class;
use super::{code, xmm, ymm};
use iced_x86::{Code, Instruction};
use wengert_kernel::{Binary, Comparison, DType, Scalar};

/// The bits of 2^52 and of 2^84 as `f64`: an integer of 32 bits in the low half adds itself, times 2^32 to the second.
const LOW: u64 = 0x4330_0000_0000_0000;
const HIGH: u64 = 0x4530_0000_0000_0000;

/// A conversion that is one instruction.
fn one_instruction(from: DType, to: DType, full: bool) -> Option<Code> {
    use DType::*;
    Some(match (from, to) {
        (I32, F32) => code!(full, VEX_Vcvtdq2ps_ymm_ymmm256, VEX_Vcvtdq2ps_xmm_xmmm128),
        (F64, F32) => Code::VEX_Vcvtpd2ps_xmm_ymmm256,
        (I32, F64) => Code::VEX_Vcvtdq2pd_ymm_xmmm128,
        (F32, F64) => Code::VEX_Vcvtps2pd_ymm_xmmm128,
        (I32, I64 | U64) => Code::VEX_Vpmovsxdq_ymm_xmmm128,
        (U32, I64 | U64) => Code::VEX_Vpmovzxdq_ymm_xmmm128,
        _ => return None,
    })
}

impl Emit<'_, Avx2> {
    pub(super) fn convert(&mut self, out: u32, from: DType, to: DType, x: Operand) {
        use DType::*;
        if from == Bool {
            let x = self.mask(x);
            let result = self.result(out);
            if to == Bool {
                return self.copy(to, result, x);
            }
            let (mask, one) = (self.narrow(to, x), self.everywhere(Scalar::one(to).bits, to));
            return self.binary(Binary::And, to, result, mask, one);
        }
        let x = self.vector(x, from);
        let result = self.result(out);
        if let Some(code) = one_instruction(from, to, self.is_full(from)) {
            let (result, x) = (self.register(to, result), self.register(from, x));
            return self.put(Instruction::with2(code, result, x));
        }
        match (from, to) {
            (_, Bool) => {
                let zero = self.zero();
                match from.is_float() {
                    true => self.compare_floats(from, result, x, zero.into(), NOT_EQUAL),
                    false => self.compare_integers(Comparison::Ne, from, result, x, zero.into()),
                }
                self.widen(from, result);
            }
            (U32, F32) => self.u32_to_f32(result, x),
            (U32, F64) => {
                let low = self.loaded(LOW, U64);
                self.put(Instruction::with2(Code::VEX_Vpmovzxdq_ymm_xmmm128, ymm(result), xmm(x)));
                self.binary(Binary::Or, U64, result, result, low.into());
                self.binary(Binary::Sub, F64, result, result, low.into());
            }
            (I64 | U64, F64) => self.halves_to_f64(from.is_signed(), result, x),
            (F32, I32) => {
                // What does not fit becomes the least integer; what is too large must become the greatest.
                let limit = self.everywhere(float_bits(F32, 2f64.powi(31)), F32);
                let (above, ordered) = (self.temporary(Class::Vector), self.temporary(Class::Vector));
                self.compare_floats(F32, above, x, limit, GREATER_OR_EQUAL);
                self.compare_floats(F32, ordered, x, x.into(), ORDERED);
                let code = code!(self.is_full(F32), VEX_Vcvttps2dq_ymm_ymmm256, VEX_Vcvttps2dq_xmm_xmmm128);
                self.put(Instruction::with2(code, self.register(I32, result), self.register(F32, x)));
                self.binary(Binary::Xor, I32, result, result, above.into());
                self.binary(Binary::And, I32, result, result, ordered.into());
            }
            (F64, I32) => {
                let most = self.everywhere((i32::MAX as f64).to_bits(), F64);
                let (ordered, within) = (self.temporary(Class::Vector), self.temporary(Class::Vector));
                self.compare_floats(F64, ordered, x, x.into(), ORDERED);
                self.three(Code::VEX_Vminpd_ymm_ymm_ymmm256, F64, within, x, most);
                self.binary(Binary::And, F64, within, within, ordered.into());
                self.put(Instruction::with2(Code::VEX_Vcvttpd2dq_xmm_ymmm256, xmm(result), ymm(within)));
            }
            _ if to.size() < from.size() => self.low_halves(result, x),
            _ => self.copy(from, result, x),
        }
    }

    /// Halves of 16 bits are converted without loss; their sum is rounded once.
    fn u32_to_f32(&mut self, to: u8, x: u8) {
        let full = self.is_full(DType::U32);
        let (factor, low) =
            (self.everywhere(float_bits(DType::F32, 65536.0), DType::F32), self.temporary(Class::Vector));
        let mask = self.everywhere(0xffff, DType::U32);
        let convert = code!(full, VEX_Vcvtdq2ps_ymm_ymmm256, VEX_Vcvtdq2ps_xmm_xmmm128);
        let shift = code!(full, VEX_Vpsrld_ymm_ymm_imm8, VEX_Vpsrld_xmm_xmm_imm8);
        self.binary(Binary::And, DType::U32, low, x, mask);
        let [t, x, l] = [to, x, low].map(|register| self.register(DType::U32, register));
        self.put(Instruction::with2(convert, l, l));
        self.put(Instruction::with3(shift, t, x, 16));
        self.put(Instruction::with2(convert, t, t));
        self.binary(Binary::Mul, DType::F32, to, to, factor);
        self.binary(Binary::Add, DType::F32, to, to, low.into());
    }

    /// The halves of an integer of 64 bits become exact floats by their bits; their sum is rounded once. A sign is turned round
    /// and taken off again: 2^63.
    fn halves_to_f64(&mut self, signed: bool, to: u8, x: u8) {
        let sign = if signed { 1 << 31 } else { 0 };
        let both = f64::from_bits(HIGH | sign) + f64::from_bits(LOW);
        let high = self.everywhere(HIGH | sign, DType::U64);
        let both = self.everywhere(both.to_bits(), DType::F64);
        let low = self.loaded(LOW, DType::U64);
        self.put(Instruction::with4(Code::VEX_Vpblendd_ymm_ymm_ymmm256_imm8, ymm(low), ymm(low), ymm(x), 0x55));
        self.put(Instruction::with3(Code::VEX_Vpsrlq_ymm_ymm_imm8, ymm(to), ymm(x), 32));
        self.binary(Binary::Xor, DType::U64, to, to, high);
        self.binary(Binary::Sub, DType::F64, to, to, both);
        self.binary(Binary::Add, DType::F64, to, to, low.into());
    }
}
