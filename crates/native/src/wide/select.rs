//! The instructions of one operation on vectors of AVX-512, lane for lane what `ScalarOp::eval` does.
//!
//! Elements of 32 bits beside ones of 64 fill half a register. A `bool` is a bit of a mask register.

use super::emit::{Emit, Source};
use super::registers::Class;
use super::{Operand, has_vectors};
use iced_x86::{Code, Instruction, Register};
use wengert_kernel::{Binary, Comparison, DType, Scalar, ScalarOp, Unary};

/// A comparison of floats that is true for equal and for unordered ones.
const EQUAL_OR_UNORDERED: u32 = 0x08;
const UNORDERED: u32 = 0x03;
const NOT_EQUAL: u32 = 0x04;
const GREATER_OR_EQUAL: u32 = 0x1d;
/// `vrange`: the sign is that of the result of the comparison.
const LEAST: u32 = 0b0100;
const GREATEST: u32 = 0b0101;
/// `vfpclass`: quiet and signalling NaN, both infinities.
const NOT_FINITE: u32 = 0x99;
/// `vrndscale`: no exception for what is inexact.
const SILENT: u32 = 8;

/// Whether vectors of this processor do the operation; `of` is the dtype of the last operand.
pub(crate) fn supports(op: ScalarOp, of: DType, out: DType) -> bool {
    if !(has_vectors(of) && has_vectors(out)) {
        return false;
    }
    let is_bool = of == DType::Bool;
    match op {
        ScalarOp::Unary(op) => {
            use Unary::*;
            match op {
                Not => true,
                Neg | Abs => !is_bool,
                Sign | Sqrt | Floor | Ceil | Round | IsFinite => of.is_float(),
                _ => false,
            }
        }
        ScalarOp::Binary(op) => match op {
            Binary::And | Binary::Or | Binary::Xor => true,
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Max | Binary::Min => !is_bool,
            Binary::Div => of.is_float(),
            Binary::Shl | Binary::Shr => !is_bool,
            _ => false,
        },
        ScalarOp::Compare(op) => !is_bool || matches!(op, Comparison::Eq | Comparison::Ne),
        ScalarOp::Select | ScalarOp::Convert(_) | ScalarOp::Bitcast(_) | ScalarOp::Fma => true,
    }
}

/// The code for full registers, or for half ones.
macro_rules! code {
    ($full:expr, $zmm:ident, $ymm:ident) => {
        if $full { Code::$zmm } else { Code::$ymm }
    };
}

/// Operations of two operands that are one instruction.
fn one_instruction(op: Binary, dtype: DType, full: bool) -> Option<Code> {
    use DType::*;
    Some(match (op, dtype) {
        (Binary::Add, F32) => code!(full, EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vaddps_ymm_k1z_ymm_ymmm256b32),
        (Binary::Add, F64) => Code::EVEX_Vaddpd_zmm_k1z_zmm_zmmm512b64_er,
        (Binary::Add, I32 | U32) => code!(full, EVEX_Vpaddd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpaddd_ymm_k1z_ymm_ymmm256b32),
        (Binary::Add, _) => Code::EVEX_Vpaddq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Sub, F32) => code!(full, EVEX_Vsubps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vsubps_ymm_k1z_ymm_ymmm256b32),
        (Binary::Sub, F64) => Code::EVEX_Vsubpd_zmm_k1z_zmm_zmmm512b64_er,
        (Binary::Sub, I32 | U32) => code!(full, EVEX_Vpsubd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpsubd_ymm_k1z_ymm_ymmm256b32),
        (Binary::Sub, _) => Code::EVEX_Vpsubq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Mul, F32) => code!(full, EVEX_Vmulps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vmulps_ymm_k1z_ymm_ymmm256b32),
        (Binary::Mul, F64) => Code::EVEX_Vmulpd_zmm_k1z_zmm_zmmm512b64_er,
        (Binary::Mul, I32 | U32) => {
            code!(full, EVEX_Vpmulld_zmm_k1z_zmm_zmmm512b32, EVEX_Vpmulld_ymm_k1z_ymm_ymmm256b32)
        }
        (Binary::Mul, _) => Code::EVEX_Vpmullq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Div, F32) => code!(full, EVEX_Vdivps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vdivps_ymm_k1z_ymm_ymmm256b32),
        (Binary::Div, F64) => Code::EVEX_Vdivpd_zmm_k1z_zmm_zmmm512b64_er,
        (Binary::And, I32 | U32) => code!(full, EVEX_Vpandd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpandd_ymm_k1z_ymm_ymmm256b32),
        (Binary::And, _) => Code::EVEX_Vpandq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Or, I32 | U32) => code!(full, EVEX_Vpord_zmm_k1z_zmm_zmmm512b32, EVEX_Vpord_ymm_k1z_ymm_ymmm256b32),
        (Binary::Or, _) => Code::EVEX_Vporq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Xor, I32 | U32) => code!(full, EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, EVEX_Vpxord_ymm_k1z_ymm_ymmm256b32),
        (Binary::Xor, _) => Code::EVEX_Vpxorq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Max, I32) => code!(full, EVEX_Vpmaxsd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpmaxsd_ymm_k1z_ymm_ymmm256b32),
        (Binary::Max, U32) => code!(full, EVEX_Vpmaxud_zmm_k1z_zmm_zmmm512b32, EVEX_Vpmaxud_ymm_k1z_ymm_ymmm256b32),
        (Binary::Max, I64) => Code::EVEX_Vpmaxsq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Max, U64) => Code::EVEX_Vpmaxuq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Min, I32) => code!(full, EVEX_Vpminsd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpminsd_ymm_k1z_ymm_ymmm256b32),
        (Binary::Min, U32) => code!(full, EVEX_Vpminud_zmm_k1z_zmm_zmmm512b32, EVEX_Vpminud_ymm_k1z_ymm_ymmm256b32),
        (Binary::Min, I64) => Code::EVEX_Vpminsq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Min, U64) => Code::EVEX_Vpminuq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Shl, I32 | U32) => {
            code!(full, EVEX_Vpsllvd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpsllvd_ymm_k1z_ymm_ymmm256b32)
        }
        (Binary::Shl, _) => Code::EVEX_Vpsllvq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Shr, I32) => code!(full, EVEX_Vpsravd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpsravd_ymm_k1z_ymm_ymmm256b32),
        (Binary::Shr, U32) => code!(full, EVEX_Vpsrlvd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpsrlvd_ymm_k1z_ymm_ymmm256b32),
        (Binary::Shr, I64) => Code::EVEX_Vpsravq_zmm_k1z_zmm_zmmm512b64,
        (Binary::Shr, U64) => Code::EVEX_Vpsrlvq_zmm_k1z_zmm_zmmm512b64,
        _ => return None,
    })
}

fn range_code(dtype: DType, full: bool) -> Code {
    match dtype {
        DType::F32 => {
            code!(full, EVEX_Vrangeps_zmm_k1z_zmm_zmmm512b32_imm8_sae, EVEX_Vrangeps_ymm_k1z_ymm_ymmm256b32_imm8)
        }
        _ => Code::EVEX_Vrangepd_zmm_k1z_zmm_zmmm512b64_imm8_sae,
    }
}

fn compare_code(dtype: DType, full: bool) -> Code {
    use DType::*;
    match dtype {
        F32 => code!(full, EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae, EVEX_Vcmpps_kr_k1_ymm_ymmm256b32_imm8),
        F64 => Code::EVEX_Vcmppd_kr_k1_zmm_zmmm512b64_imm8_sae,
        I32 => code!(full, EVEX_Vpcmpd_kr_k1_zmm_zmmm512b32_imm8, EVEX_Vpcmpd_kr_k1_ymm_ymmm256b32_imm8),
        U32 => code!(full, EVEX_Vpcmpud_kr_k1_zmm_zmmm512b32_imm8, EVEX_Vpcmpud_kr_k1_ymm_ymmm256b32_imm8),
        I64 => Code::EVEX_Vpcmpq_kr_k1_zmm_zmmm512b64_imm8,
        _ => Code::EVEX_Vpcmpuq_kr_k1_zmm_zmmm512b64_imm8,
    }
}

/// The predicate of a comparison, for floats (quiet) or integers.
fn predicate(op: Comparison, float: bool) -> u32 {
    match (op, float) {
        (Comparison::Eq, _) => 0,
        (Comparison::Ne, _) => NOT_EQUAL,
        (Comparison::Lt, true) => 0x11,
        (Comparison::Le, true) => 0x12,
        (Comparison::Gt, true) => 0x1e,
        (Comparison::Ge, true) => GREATER_OR_EQUAL,
        (Comparison::Lt, false) => 1,
        (Comparison::Le, false) => 2,
        (Comparison::Gt, false) => 6,
        (Comparison::Ge, false) => 5,
    }
}

/// A move between registers that merges or zeroes lanes.
fn move_code(size: usize, full: bool) -> Code {
    match size {
        4 => code!(full, EVEX_Vmovdqa32_zmm_k1z_zmmm512, EVEX_Vmovdqa32_ymm_k1z_ymmm256),
        _ => Code::EVEX_Vmovdqa64_zmm_k1z_zmmm512,
    }
}

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

/// `f32`'s or `f64`'s `x`, as bits.
fn float_bits(dtype: DType, x: f64) -> u64 {
    if dtype == DType::F32 { (x as f32).to_bits() as u64 } else { x.to_bits() }
}

fn sign_bit(dtype: DType) -> u64 {
    1 << (8 * dtype.size() - 1)
}

/// The bit operations of floats are those of integers of their size.
fn as_bits(dtype: DType) -> DType {
    if dtype.size() == 4 { DType::U32 } else { DType::U64 }
}

impl Emit<'_> {
    /// A step's value, bound to a register.
    pub fn operation(&mut self, out: u32, op: ScalarOp, of: DType, to: DType, args: &[Operand]) {
        match (op, args) {
            _ if Class::of(of) == Class::Mask && !matches!(op, ScalarOp::Convert(_)) => self.of_masks(out, op, args),
            (ScalarOp::Unary(op), &[x]) => self.unary(out, op, of, x),
            (ScalarOp::Binary(op), &[x, y]) => match one_instruction(op, of, self.is_full(of)) {
                Some(code) => {
                    let (x, y) = self.commuted(op, x, y);
                    let (x, y) = (self.vector(x, of), self.source(y, of));
                    let to = self.result(out);
                    self.three(code, of, to, x, y);
                }
                None => {
                    let (x, y) = (self.vector(x, of), self.vector(y, of));
                    let to = self.result(out);
                    self.extreme(op, of, to, x, y);
                }
            },
            (ScalarOp::Compare(op), &[x, y]) => {
                let (x, y) = (self.vector(x, of), self.source(y, of));
                let to = self.result(out);
                self.compare(of, to, x, y, predicate(op, of.is_float()));
            }
            (ScalarOp::Select, &[p, x, y]) => {
                // In lanes of the mask the second operand.
                let (p, x, y) = (self.mask(p), self.source(x, of), self.vector(y, of));
                let to = self.result(out);
                let code = match of.size() {
                    4 => code!(
                        self.is_full(of),
                        EVEX_Vpblendmd_zmm_k1z_zmm_zmmm512b32,
                        EVEX_Vpblendmd_ymm_k1z_ymm_ymmm256b32
                    ),
                    _ => Code::EVEX_Vpblendmq_zmm_k1z_zmm_zmmm512b64,
                };
                let (to, y) = (self.register(of, to), self.register(of, y));
                let instruction = self.with_source3(code, to, y, x, of);
                self.put_masked(instruction, p, false);
            }
            (ScalarOp::Convert(_), &[x]) => self.convert(out, of, to, x),
            (ScalarOp::Bitcast(_), &[x]) => {
                let x = self.vector(x, of);
                let to = self.result(out);
                self.copy(of, to, x);
            }
            (ScalarOp::Fma, &[x, y, z]) => self.fma(out, of, x, y, z),
            _ => unreachable!("{op:?} of {} operands", args.len()),
        }
    }

    /// Constants and words are good second operands.
    fn commuted(&self, op: Binary, x: Operand, y: Operand) -> (Operand, Operand) {
        let commutes = matches!(op, Binary::Add | Binary::Mul | Binary::And | Binary::Or | Binary::Xor);
        // Not for NaN payloads' sake, which are free.
        if commutes && !matches!(x, Operand::Step(_)) { (y, x) } else { (x, y) }
    }

    fn of_masks(&mut self, out: u32, op: ScalarOp, args: &[Operand]) {
        if let (ScalarOp::Unary(Unary::Not), &[x]) = (op, args) {
            let x = self.mask(x);
            let to = self.result(out);
            return self.put(Instruction::with2(
                Code::VEX_Knotw_kr_kr,
                Register::K0 + to as u32,
                Register::K0 + x as u32,
            ));
        }
        if let (ScalarOp::Select, &[p, x, y]) = (op, args) {
            let masks = [self.mask(p), self.mask(x), self.mask(y), self.temporary(Class::Mask), self.result(out)];
            let [p, x, y, other, to] = masks.map(|k| Register::K0 + k as u32);
            self.put(Instruction::with3(Code::VEX_Kandnw_kr_kr_kr, other, p, y));
            self.put(Instruction::with3(Code::VEX_Kandw_kr_kr_kr, to, p, x));
            return self.put(Instruction::with3(Code::VEX_Korw_kr_kr_kr, to, to, other));
        }
        let code = match op {
            ScalarOp::Binary(Binary::And) => Code::VEX_Kandw_kr_kr_kr,
            ScalarOp::Binary(Binary::Or) => Code::VEX_Korw_kr_kr_kr,
            ScalarOp::Binary(Binary::Xor) | ScalarOp::Compare(Comparison::Ne) => Code::VEX_Kxorw_kr_kr_kr,
            ScalarOp::Compare(Comparison::Eq) => Code::VEX_Kxnorw_kr_kr_kr,
            _ => unreachable!("{op:?} of bool"),
        };
        let (x, y) = (self.mask(args[0]), self.mask(args[1]));
        let to = self.result(out);
        let [to, x, y] = [to, x, y].map(|k| Register::K0 + k as u32);
        self.put(Instruction::with3(code, to, x, y));
    }

    fn unary(&mut self, out: u32, op: Unary, of: DType, x: Operand) {
        let full = self.is_full(of);
        let bits = as_bits(of);
        match op {
            Unary::Neg if of.is_float() => {
                let (x, sign) = (self.vector(x, of), self.everywhere(sign_bit(of), of));
                let to = self.result(out);
                self.bitwise(Binary::Xor, bits, to, x, sign);
            }
            Unary::Abs if of.is_float() => {
                let (x, rest) = (self.vector(x, of), self.everywhere(sign_bit(of) - 1, of));
                let to = self.result(out);
                self.bitwise(Binary::And, bits, to, x, rest);
            }
            Unary::Neg => {
                let (zero, x) = (self.zero(), self.source(x, of));
                let to = self.result(out);
                self.bitwise(Binary::Sub, of, to, zero, x);
            }
            Unary::Abs if of.is_signed() => {
                let code = match of {
                    DType::I32 => code!(full, EVEX_Vpabsd_zmm_k1z_zmmm512b32, EVEX_Vpabsd_ymm_k1z_ymmm256b32),
                    _ => Code::EVEX_Vpabsq_zmm_k1z_zmmm512b64,
                };
                self.two(out, code, of, of, x);
            }
            Unary::Abs => {
                let x = self.vector(x, of);
                let to = self.result(out);
                self.copy(of, to, x);
            }
            Unary::Not => {
                let (x, ones) = (self.vector(x, of), self.everywhere(u64::MAX, of));
                let to = self.result(out);
                self.bitwise(Binary::Xor, of, to, x, ones);
            }
            Unary::Sqrt => {
                let code = match of {
                    DType::F32 => code!(full, EVEX_Vsqrtps_zmm_k1z_zmmm512b32_er, EVEX_Vsqrtps_ymm_k1z_ymmm256b32),
                    _ => Code::EVEX_Vsqrtpd_zmm_k1z_zmmm512b64_er,
                };
                self.two(out, code, of, of, x);
            }
            Unary::Floor | Unary::Ceil | Unary::Round => {
                let mode = match op {
                    Unary::Round => 0,
                    Unary::Floor => 1,
                    _ => 2,
                };
                let code = match of {
                    DType::F32 => {
                        code!(
                            full,
                            EVEX_Vrndscaleps_zmm_k1z_zmmm512b32_imm8_sae,
                            EVEX_Vrndscaleps_ymm_k1z_ymmm256b32_imm8
                        )
                    }
                    _ => Code::EVEX_Vrndscalepd_zmm_k1z_zmmm512b64_imm8_sae,
                };
                let x = self.vector(x, of);
                let to = self.result(out);
                let (to, x) = (self.register(of, to), self.register(of, x));
                self.put(Instruction::with3(code, to, x, mode | SILENT));
            }
            Unary::Sign => {
                let (x, sign, one) =
                    (self.vector(x, of), self.everywhere(sign_bit(of), of), self.everywhere(float_bits(of, 1.0), of));
                let zero = self.zero();
                let unit = self.temporary(Class::Vector);
                self.bitwise(Binary::And, bits, unit, x, sign);
                self.bitwise(Binary::Or, bits, unit, unit, one);
                let keep = self.temporary(Class::Mask);
                self.compare(of, keep, x, Source::Register(zero), EQUAL_OR_UNORDERED);
                self.merge(of, unit, x, keep);
                let to = self.result(out);
                self.copy(of, to, unit);
            }
            Unary::IsFinite => {
                let code = match of {
                    DType::F32 => {
                        code!(full, EVEX_Vfpclassps_kr_k1_zmmm512b32_imm8, EVEX_Vfpclassps_kr_k1_ymmm256b32_imm8)
                    }
                    _ => Code::EVEX_Vfpclasspd_kr_k1_zmmm512b64_imm8,
                };
                let x = self.vector(x, of);
                let to = self.result(out);
                let (k, x) = (Register::K0 + to as u32, self.register(of, x));
                self.put(Instruction::with3(code, k, x, NOT_FINITE));
                self.put(Instruction::with2(Code::VEX_Knotw_kr_kr, k, k));
            }
            _ => unreachable!("{op:?} has no vectors"),
        }
    }

    /// An operation of two registers and a source.
    fn bitwise(&mut self, op: Binary, dtype: DType, to: u8, x: u8, y: impl Into<Source>) {
        let code = one_instruction(op, dtype, self.is_full(dtype)).unwrap_or_else(|| unreachable!("{op} of {dtype}"));
        self.three(code, dtype, to, x, y.into());
    }

    /// An instruction of one operand.
    fn two(&mut self, out: u32, code: Code, from: DType, to: DType, x: Operand) {
        let x = self.vector(x, from);
        let result = self.result(out);
        let (result, x) = (self.register(to, result), self.register(from, x));
        self.put(Instruction::with2(code, result, x));
    }

    fn compare(&mut self, of: DType, to: u8, x: u8, y: Source, predicate: u32) {
        let (k, x) = (Register::K0 + to as u32, self.register(of, x));
        let code = compare_code(of, self.is_full(of));
        let instruction = match y {
            Source::Register(y) => Instruction::with4(code, k, x, self.register(of, y), predicate),
            Source::Memory(y) => Instruction::with4(code, k, x, y, predicate),
        };
        self.put(instruction);
    }

    /// `to = x` in lanes of the mask.
    fn merge(&mut self, of: DType, to: u8, x: u8, mask: u8) {
        let instruction =
            Instruction::with2(move_code(of.size(), self.is_full(of)), self.register(of, to), self.register(of, x));
        self.put_masked(instruction, mask, false);
    }

    /// A register to another.
    pub fn copy(&mut self, of: DType, to: u8, x: u8) {
        if to != x {
            let code = move_code(of.size(), self.is_full(of));
            self.put(Instruction::with2(code, self.register(of, to), self.register(of, x)));
        }
    }

    /// The greater or the less of floats: NaN where either is, and -0 below 0. `to` may be an operand.
    fn extreme(&mut self, op: Binary, of: DType, to: u8, x: u8, y: u8) {
        let which = if op == Binary::Max { GREATEST } else { LEAST };
        let unordered = self.temporary(Class::Mask);
        let result = self.temporary(Class::Vector);
        self.compare(of, unordered, x, Source::Register(y), UNORDERED);
        let code = range_code(of, self.is_full(of));
        let [r, x, y] = [result, x, y].map(|n| self.register(of, n));
        self.put(Instruction::with4(code, r, x, y, which));
        let sum = one_instruction(Binary::Add, of, self.is_full(of)).unwrap_or_else(|| unreachable!("floats add"));
        self.put_masked(Instruction::with3(sum, r, x, y), unordered, false);
        self.copy(of, to, result);
    }

    /// `acc = op(acc, item)`, in lanes of the tail's mask if there is one.
    pub fn fold(&mut self, op: Binary, of: DType, acc: u8, item: Operand) {
        let tail = self.tail();
        match (one_instruction(op, of, self.is_full(of)), tail) {
            (Some(code), None) => {
                let item = self.source(item, of);
                self.three(code, of, acc, acc, item);
            }
            (Some(code), Some(mask)) => {
                let item = self.source(item, of);
                let acc = self.register(of, acc);
                let instruction = self.with_source3(code, acc, acc, item, of);
                self.put_masked(instruction, mask, false);
            }
            (None, None) => {
                let item = self.vector(item, of);
                self.extreme(op, of, acc, acc, item);
            }
            (None, Some(mask)) => {
                let item = self.vector(item, of);
                let result = self.temporary(Class::Vector);
                self.extreme(op, of, result, acc, item);
                self.merge(of, acc, result, mask);
            }
        }
    }

    /// The sum may take the place of whichever operand is not needed any more.
    fn fma(&mut self, out: u32, of: DType, x: Operand, y: Operand, z: Operand) {
        let full = self.is_full(of);
        let (accumulate, multiply) = match of {
            DType::F32 => (
                code!(full, EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vfmadd231ps_ymm_k1z_ymm_ymmm256b32),
                code!(full, EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vfmadd213ps_ymm_k1z_ymm_ymmm256b32),
            ),
            _ => (Code::EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er, Code::EVEX_Vfmadd213pd_zmm_k1z_zmm_zmmm512b64_er),
        };
        let (x, y) = if matches!(x, Operand::Step(_)) { (x, y) } else { (y, x) };
        let first = self.vector(x, of);
        if !matches!(z, Operand::Step(_)) {
            // first = first * y + z, the last from memory.
            let (second, third) = (self.vector(y, of), self.source(z, of));
            let to = self.result_in(out, x, of, first);
            return self.three(multiply, of, to, second, third);
        }
        let (second, third) = (self.source(y, of), self.vector(z, of));
        let to = self.result_in(out, z, of, third);
        self.three(accumulate, of, to, first, second);
    }

    fn convert(&mut self, out: u32, from: DType, to: DType, x: Operand) {
        if from == to {
            return self.alias(out, from, x);
        }
        match (from, to) {
            (DType::Bool, _) => {
                let (x, one) = (self.mask(x), self.everywhere(Scalar::one(to).bits, to));
                let result = self.result(out);
                let one = self.loaded(one, to);
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
        if Class::of(dtype) == Class::Mask {
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
        let most = self.everywhere(sign_bit(to) - 1, to);
        let most = self.loaded(most, to);
        let (above, unordered) = (self.temporary(Class::Mask), self.temporary(Class::Mask));
        self.compare(from, above, x, limit, GREATER_OR_EQUAL);
        self.compare(from, unordered, x, Source::Register(x), UNORDERED);
        let result = self.result(out);
        self.put(Instruction::with2(code, self.register(to, result), self.register(from, x)));
        self.merge(to, result, most, above);
        self.merge(to, result, zero, unordered);
    }
}
