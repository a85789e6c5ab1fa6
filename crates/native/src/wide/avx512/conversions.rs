//! Conversions.

use super::super::Operand;
use super::super::emit::{Emit, Source};
use super::super::instructions::{Avx512, GREATER_OR_EQUAL, Instructions, NOT_EQUAL, UNORDERED, float_bits, sign_bit};
use super::super::registers::Class;
use super::{code, move_code};
use iced_x86::{Code, Instruction, Register};
use wengert_kernel::{DType, Scalar};

/// A conversion that is one instruction where the value is in range.
fn convert_code(from: DType, to: DType, full: bool) -> Option<Code> {
    use DType::*;
    Some(match (from, to) {
        (I32, F32) => code!(full, EVEX_Vcvtdq2ps_zmm_k1z_zmmm512b32_er, EVEX_Vcvtdq2ps_ymm_k1z_ymmm256b32),
        (U32, F32) => code!(full, EVEX_Vcvtudq2ps_zmm_k1z_zmmm512b32_er, EVEX_Vcvtudq2ps_ymm_k1z_ymmm256b32),
        (I64, F32) => Code::EVEX_Vcvtqq2ps_ymm_k1z_zmmm512b64_er,
        (U64, F32) => Code::EVEX_Vcvtuqq2ps_ymm_k1z_zmmm512b64_er,
        (F64, F32) => Code::EVEX_Vcvtpd2ps_ymm_k1z_zmmm512b64_er,
        (I32, F64) => Code::EVEX_Vcvtdq2pd_zmm_k1z_ymmm256b32_er,
        (U32, F64) => Code::EVEX_Vcvtudq2pd_zmm_k1z_ymmm256b32_er,
        (I64, F64) => Code::EVEX_Vcvtqq2pd_zmm_k1z_zmmm512b64_er,
        (U64, F64) => Code::EVEX_Vcvtuqq2pd_zmm_k1z_zmmm512b64_er,
        (F32, F64) => Code::EVEX_Vcvtps2pd_zmm_k1z_ymmm256b32_sae,
        (F32, I32) => code!(full, EVEX_Vcvttps2dq_zmm_k1z_zmmm512b32_sae, EVEX_Vcvttps2dq_ymm_k1z_ymmm256b32),
        (F32, U32) => code!(full, EVEX_Vcvttps2udq_zmm_k1z_zmmm512b32_sae, EVEX_Vcvttps2udq_ymm_k1z_ymmm256b32),
        (F32, I64) => Code::EVEX_Vcvttps2qq_zmm_k1z_ymmm256b32_sae,
        (F32, U64) => Code::EVEX_Vcvttps2uqq_zmm_k1z_ymmm256b32_sae,
        (F64, I32) => Code::EVEX_Vcvttpd2dq_ymm_k1z_zmmm512b64_sae,
        (F64, U32) => Code::EVEX_Vcvttpd2udq_ymm_k1z_zmmm512b64_sae,
        (F64, I64) => Code::EVEX_Vcvttpd2qq_zmm_k1z_zmmm512b64_sae,
        (F64, U64) => Code::EVEX_Vcvttpd2uqq_zmm_k1z_zmmm512b64_sae,
        (I32, I64 | U64) => Code::EVEX_Vpmovsxdq_zmm_k1z_ymmm256,
        (U32, I64 | U64) => Code::EVEX_Vpmovzxdq_zmm_k1z_ymmm256,
        _ => return None,
    })
}

impl Emit<'_, Avx512> {
    pub(super) fn convert(&mut self, out: u32, from: DType, to: DType, x: Operand) {
        if from == to {
            return self.alias(out, from, x);
        }
        match (from, to) {
            (DType::Bool, _) => {
                let (x, one) = (self.mask(x), self.loaded(Scalar::one(to).bits, to));
                let result = self.result(out);
                let code = move_code(to.size(), self.is_full(to));
                let instruction = Instruction::with2(code, self.register(to, result), self.register(to, one));
                self.put_masked(instruction, x, true);
            }
            (_, DType::Bool) if from.is_float() => {
                let (x, zero) = (self.vector(x, from), self.zero());
                let k = self.result(out);
                self.compare(from, k, x, Source::Register(zero), NOT_EQUAL);
            }
            (_, DType::Bool) => {
                let code = match from.size() {
                    4 => code!(
                        self.is_full(from),
                        EVEX_Vptestmd_kr_k1_zmm_zmmm512b32,
                        EVEX_Vptestmd_kr_k1_ymm_ymmm256b32
                    ),
                    _ => Code::EVEX_Vptestmq_kr_k1_zmm_zmmm512b64,
                };
                let x = self.vector(x, from);
                let k = self.result(out);
                let x = self.register(from, x);
                self.put(Instruction::with3(code, Register::K0 + k as u32, x, x));
            }
            _ if from.is_float() && to.is_integer() => self.convert_to_integer(out, from, to, x),
            _ => match convert_code(from, to, self.is_full(from) && self.is_full(to)) {
                Some(code) => self.two(out, code, from, to, x),
                None if to.size() < from.size() => {
                    // Its operands stand the other way round: the wide one is the last.
                    self.two(out, Code::EVEX_Vpmovqd_ymmm256_k1z_zmm, from, to, x)
                }
                None => self.alias(out, from, x),
            },
        }
    }

    fn alias(&mut self, out: u32, dtype: DType, x: Operand) {
        if dtype == DType::Bool {
            let x = self.mask(x);
            let to = self.result(out);
            let [to, x] = [to, x].map(|k| Register::K0 + k as u32);
            return self.put(Instruction::with3(Code::VEX_Kandw_kr_kr_kr, to, x, x));
        }
        let x = self.vector(x, dtype);
        let to = self.result(out);
        self.copy(dtype, to, x);
    }

    /// Saturates; NaN gives 0. The instructions give the least integer, or all ones, for what does not fit.
    fn convert_to_integer(&mut self, out: u32, from: DType, to: DType, x: Operand) {
        let code = convert_code(from, to, self.is_full(from) && self.is_full(to))
            .unwrap_or_else(|| unreachable!("{from} becomes {to}"));
        let x = self.vector(x, from);
        let zero = self.zero();
        if !to.is_signed() {
            // The second operand where the first is NaN.
            let max = match from {
                DType::F32 => {
                    code!(
                        self.is_full(from),
                        EVEX_Vmaxps_zmm_k1z_zmm_zmmm512b32_sae,
                        EVEX_Vmaxps_ymm_k1z_ymm_ymmm256b32
                    )
                }
                _ => Code::EVEX_Vmaxpd_zmm_k1z_zmm_zmmm512b64_sae,
            };
            let positive = self.temporary(Class::Vector);
            self.three(max, from, positive, x, Source::Register(zero));
            let result = self.result(out);
            return self.put(Instruction::with2(code, self.register(to, result), self.register(from, positive)));
        }
        let bits = 8 * to.size() as i32 - 1;
        let limit = self.everywhere(float_bits(from, 2f64.powi(bits)), from);
        let most = self.loaded(sign_bit(to) - 1, to);
        let (above, unordered) = (self.temporary(Class::Mask), self.temporary(Class::Mask));
        self.compare(from, above, x, limit, GREATER_OR_EQUAL);
        self.compare(from, unordered, x, Source::Register(x), UNORDERED);
        let result = self.result(out);
        self.put(Instruction::with2(code, self.register(to, result), self.register(from, x)));
        self.merge(to, result, most, above);
        self.merge(to, result, zero, unordered);
    }
}
