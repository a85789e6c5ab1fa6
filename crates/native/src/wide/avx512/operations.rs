//! The instructions of one operation, lane for lane what `ScalarOp::eval` does.

use super::super::Operand;
use super::super::emit::{Emit, Source};
use super::super::instructions::{
    Avx512, EQUAL_OR_UNORDERED, Instructions, NOT_EQUAL, Operations, SILENT, UNORDERED, float_bits, float_predicate,
    sign_bit,
};
use super::super::registers::Class;
use super::{code, move_code};
use iced_x86::{Code, Instruction, Register};
use wengert_kernel::{Binary, Comparison, DType, ScalarOp, Unary};

/// `vrange`: the sign is that of the result of the comparison.
const LEAST: u32 = 0b0100;
const GREATEST: u32 = 0b0101;
/// `vfpclass`: quiet and signalling NaN, both infinities.
const NOT_FINITE: u32 = 0x99;

/// Whether there are instructions for the operation; `of` is the dtype of the last operand.
pub(in super::super) fn supports(op: ScalarOp, of: DType) -> bool {
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

/// The predicate of a comparison, for floats or integers.
fn predicate(op: Comparison, of: DType) -> u32 {
    match op {
        _ if of.is_float() => float_predicate(op),
        Comparison::Eq => 0,
        Comparison::Ne => NOT_EQUAL,
        Comparison::Lt => 1,
        Comparison::Le => 2,
        Comparison::Gt => 6,
        Comparison::Ge => 5,
    }
}

/// The bit operations of floats are those of integers of their size.
fn as_bits(dtype: DType) -> DType {
    if dtype.size() == 4 { DType::U32 } else { DType::U64 }
}

impl Operations for Emit<'_, Avx512> {
    fn of_bools(&mut self, out: u32, op: ScalarOp, args: &[Operand]) {
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
                self.binary(Binary::Xor, bits, to, x, sign);
            }
            Unary::Abs if of.is_float() => {
                let (x, rest) = (self.vector(x, of), self.everywhere(sign_bit(of) - 1, of));
                let to = self.result(out);
                self.binary(Binary::And, bits, to, x, rest);
            }
            Unary::Neg => {
                let (zero, x) = (self.zero(), self.source(x, of));
                let to = self.result(out);
                self.binary(Binary::Sub, of, to, zero, x);
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
                self.binary(Binary::Xor, of, to, x, ones);
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
                self.binary(Binary::And, bits, unit, x, sign);
                self.binary(Binary::Or, bits, unit, unit, one);
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

    fn conversion(&mut self, out: u32, from: DType, to: DType, x: Operand) {
        self.convert(out, from, to, x);
    }

    fn binary(&mut self, op: Binary, of: DType, to: u8, x: u8, y: Source) {
        match one_instruction(op, of, self.is_full(of)) {
            Some(code) => self.three(code, of, to, x, y),
            None => self.extreme(op, of, to, x, y),
        }
    }

    fn comparison(&mut self, op: Comparison, of: DType, to: u8, x: u8, y: Source) {
        self.compare(of, to, x, y, predicate(op, of));
    }

    fn choice(&mut self, of: DType, to: u8, p: u8, x: Source, y: u8) {
        // In lanes of the mask the second operand.
        let code = match of.size() {
            4 => code!(self.is_full(of), EVEX_Vpblendmd_zmm_k1z_zmm_zmmm512b32, EVEX_Vpblendmd_ymm_k1z_ymm_ymmm256b32),
            _ => Code::EVEX_Vpblendmq_zmm_k1z_zmm_zmmm512b64,
        };
        let (to, y) = (self.register(of, to), self.register(of, y));
        let instruction = self.with_source3(code, to, y, x, of);
        self.put_masked(instruction, p, false);
    }

    fn fused_codes(of: DType, full: bool) -> [Code; 2] {
        match of {
            DType::F32 => [
                code!(full, EVEX_Vfmadd231ps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vfmadd231ps_ymm_k1z_ymm_ymmm256b32),
                code!(full, EVEX_Vfmadd213ps_zmm_k1z_zmm_zmmm512b32_er, EVEX_Vfmadd213ps_ymm_k1z_ymm_ymmm256b32),
            ],
            _ => [Code::EVEX_Vfmadd231pd_zmm_k1z_zmm_zmmm512b64_er, Code::EVEX_Vfmadd213pd_zmm_k1z_zmm_zmmm512b64_er],
        }
    }
}

impl Emit<'_, Avx512> {
    /// An instruction of one operand.
    pub(super) fn two(&mut self, out: u32, code: Code, from: DType, to: DType, x: Operand) {
        let x = self.vector(x, from);
        let result = self.result(out);
        let (result, x) = (self.register(to, result), self.register(from, x));
        self.put(Instruction::with2(code, result, x));
    }

    pub(super) fn compare(&mut self, of: DType, to: u8, x: u8, y: Source, predicate: u32) {
        let (k, x) = (Register::K0 + to as u32, self.register(of, x));
        let code = compare_code(of, self.is_full(of));
        let instruction = match y {
            Source::Register(y) => Instruction::with4(code, k, x, self.register(of, y), predicate),
            Source::Memory(y) => Instruction::with4(code, k, x, y, predicate),
        };
        self.put(instruction);
    }

    /// `to = x` in lanes of the mask.
    pub(super) fn merge(&mut self, of: DType, to: u8, x: u8, mask: u8) {
        let instruction =
            Instruction::with2(move_code(of.size(), self.is_full(of)), self.register(of, to), self.register(of, x));
        self.put_masked(instruction, mask, false);
    }

    /// The greater or the less of floats: NaN where either is, and -0 below 0. `to` may be an operand.
    fn extreme(&mut self, op: Binary, of: DType, to: u8, x: u8, y: Source) {
        let which = if op == Binary::Max { GREATEST } else { LEAST };
        let unordered = self.temporary(Class::Mask);
        let result = self.temporary(Class::Vector);
        self.compare(of, unordered, x, y, UNORDERED);
        let code = range_code(of, self.is_full(of));
        let [r, x] = [result, x].map(|n| self.register(of, n));
        self.put(match y {
            Source::Register(y) => Instruction::with4(code, r, x, self.register(of, y), which),
            Source::Memory(y) => Instruction::with4(code, r, x, y, which),
        });
        let sum = one_instruction(Binary::Add, of, self.is_full(of)).unwrap_or_else(|| unreachable!("floats add"));
        let sum = self.with_source3(sum, r, x, y, of);
        self.put_masked(sum, unordered, false);
        self.copy(of, to, result);
    }

    /// `acc = op(acc, item)`, in the lanes of rounds that there are.
    pub(super) fn accumulate(&mut self, op: Binary, of: DType, acc: u8, item: Operand) {
        let item = self.source(item, of);
        let Some(mask) = self.rest() else { return self.binary(op, of, acc, acc, item) };
        match one_instruction(op, of, self.is_full(of)) {
            Some(code) => {
                let acc = self.register(of, acc);
                let instruction = self.with_source3(code, acc, acc, item, of);
                self.put_masked(instruction, mask, false);
            }
            None => {
                let result = self.temporary(Class::Vector);
                self.extreme(op, of, result, acc, item);
                self.merge(of, acc, result, mask);
            }
        }
    }
}
