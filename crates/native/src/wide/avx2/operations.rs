//! The instructions of one operation, lane for lane what `ScalarOp::eval` does.

use super::super::Operand;
use super::super::emit::{Emit, Source};
use super::super::instructions::{
    Avx2, EQUAL_OR_UNORDERED, Instructions, LESS, Operations, SILENT, UNORDERED, float_bits, float_predicate, sign_bit,
};
use super::super::registers::Class;
use super::{code, xmm, ymm};
use iced_x86::{Code, Instruction};
use wengert_kernel::{Binary, Comparison, DType, ScalarOp, Unary};

/// Whether there are instructions, or short sequences of them, for an operation that AVX-512 has; `of` is the dtype of the last
/// operand.
pub(in super::super) fn supports(op: ScalarOp, of: DType) -> bool {
    use DType::*;
    match op {
        ScalarOp::Convert(to) => {
            !matches!((of, to), (I64 | U64, F32) | (F32, U32 | I64 | U64) | (F64, U32 | I64 | U64))
        }
        _ => true,
    }
}

/// Operations of two operands that are one instruction.
fn one_instruction(op: Binary, dtype: DType, full: bool) -> Option<Code> {
    use DType::*;
    let four = dtype.size() == 4;
    Some(match (op, dtype) {
        (Binary::Add, F32) => code!(full, VEX_Vaddps_ymm_ymm_ymmm256, VEX_Vaddps_xmm_xmm_xmmm128),
        (Binary::Add, F64) => Code::VEX_Vaddpd_ymm_ymm_ymmm256,
        (Binary::Add, I32 | U32) => code!(full, VEX_Vpaddd_ymm_ymm_ymmm256, VEX_Vpaddd_xmm_xmm_xmmm128),
        (Binary::Add, I64 | U64) => Code::VEX_Vpaddq_ymm_ymm_ymmm256,
        (Binary::Sub, F32) => code!(full, VEX_Vsubps_ymm_ymm_ymmm256, VEX_Vsubps_xmm_xmm_xmmm128),
        (Binary::Sub, F64) => Code::VEX_Vsubpd_ymm_ymm_ymmm256,
        (Binary::Sub, I32 | U32) => code!(full, VEX_Vpsubd_ymm_ymm_ymmm256, VEX_Vpsubd_xmm_xmm_xmmm128),
        (Binary::Sub, I64 | U64) => Code::VEX_Vpsubq_ymm_ymm_ymmm256,
        (Binary::Mul, F32) => code!(full, VEX_Vmulps_ymm_ymm_ymmm256, VEX_Vmulps_xmm_xmm_xmmm128),
        (Binary::Mul, F64) => Code::VEX_Vmulpd_ymm_ymm_ymmm256,
        (Binary::Mul, I32 | U32) => code!(full, VEX_Vpmulld_ymm_ymm_ymmm256, VEX_Vpmulld_xmm_xmm_xmmm128),
        (Binary::Div, F32) => code!(full, VEX_Vdivps_ymm_ymm_ymmm256, VEX_Vdivps_xmm_xmm_xmmm128),
        (Binary::Div, F64) => Code::VEX_Vdivpd_ymm_ymm_ymmm256,
        // For every size the same; a `bool` fills its register.
        (Binary::And, _) => code!(full || !four, VEX_Vpand_ymm_ymm_ymmm256, VEX_Vpand_xmm_xmm_xmmm128),
        (Binary::Or, _) => code!(full || !four, VEX_Vpor_ymm_ymm_ymmm256, VEX_Vpor_xmm_xmm_xmmm128),
        (Binary::Xor, _) => code!(full || !four, VEX_Vpxor_ymm_ymm_ymmm256, VEX_Vpxor_xmm_xmm_xmmm128),
        (Binary::Max, I32) => code!(full, VEX_Vpmaxsd_ymm_ymm_ymmm256, VEX_Vpmaxsd_xmm_xmm_xmmm128),
        (Binary::Max, U32) => code!(full, VEX_Vpmaxud_ymm_ymm_ymmm256, VEX_Vpmaxud_xmm_xmm_xmmm128),
        (Binary::Min, I32) => code!(full, VEX_Vpminsd_ymm_ymm_ymmm256, VEX_Vpminsd_xmm_xmm_xmmm128),
        (Binary::Min, U32) => code!(full, VEX_Vpminud_ymm_ymm_ymmm256, VEX_Vpminud_xmm_xmm_xmmm128),
        (Binary::Shl, I32 | U32) => code!(full, VEX_Vpsllvd_ymm_ymm_ymmm256, VEX_Vpsllvd_xmm_xmm_xmmm128),
        (Binary::Shl, I64 | U64) => Code::VEX_Vpsllvq_ymm_ymm_ymmm256,
        (Binary::Shr, I32) => code!(full, VEX_Vpsravd_ymm_ymm_ymmm256, VEX_Vpsravd_xmm_xmm_xmmm128),
        (Binary::Shr, U32) => code!(full, VEX_Vpsrlvd_ymm_ymm_ymmm256, VEX_Vpsrlvd_xmm_xmm_xmmm128),
        (Binary::Shr, U64) => Code::VEX_Vpsrlvq_ymm_ymm_ymmm256,
        _ => return None,
    })
}

/// The lesser or the greater of floats as the processor has it: where either is NaN or both are zeros, the second operand.
fn extreme_code(op: Binary, dtype: DType, full: bool) -> Code {
    match (op, dtype) {
        (Binary::Max, DType::F32) => code!(full, VEX_Vmaxps_ymm_ymm_ymmm256, VEX_Vmaxps_xmm_xmm_xmmm128),
        (Binary::Max, _) => Code::VEX_Vmaxpd_ymm_ymm_ymmm256,
        (_, DType::F32) => code!(full, VEX_Vminps_ymm_ymm_ymmm256, VEX_Vminps_xmm_xmm_xmmm128),
        _ => Code::VEX_Vminpd_ymm_ymm_ymmm256,
    }
}

impl Operations for Emit<'_, Avx2> {
    fn of_bools(&mut self, out: u32, op: ScalarOp, args: &[Operand]) {
        if let (ScalarOp::Select, &[p, x, y]) = (op, args) {
            let (p, x, y) = (self.mask(p), self.mask(x), self.mask(y));
            let to = self.result(out);
            let code = Code::VEX_Vpblendvb_ymm_ymm_ymmm256_ymm;
            return self.put(Instruction::with4(code, ymm(to), ymm(y), ymm(x), ymm(p)));
        }
        let x = self.mask(args[0]);
        let y = args.get(1).map(|&y| self.mask(y));
        let to = self.result(out);
        let code = match op {
            ScalarOp::Binary(Binary::And) => Code::VEX_Vpand_ymm_ymm_ymmm256,
            ScalarOp::Binary(Binary::Or) => Code::VEX_Vpor_ymm_ymm_ymmm256,
            ScalarOp::Binary(Binary::Xor) | ScalarOp::Compare(Comparison::Ne) => Code::VEX_Vpxor_ymm_ymm_ymmm256,
            ScalarOp::Compare(Comparison::Eq) => Code::VEX_Vpcmpeqd_ymm_ymm_ymmm256,
            ScalarOp::Unary(Unary::Not) => return self.invert(to, x),
            _ => unreachable!("{op:?} of bool"),
        };
        self.put(Instruction::with3(code, ymm(to), ymm(x), ymm(y.unwrap_or(x))));
    }

    fn unary(&mut self, out: u32, op: Unary, of: DType, x: Operand) {
        let full = self.is_full(of);
        let x = self.vector(x, of);
        let to = self.result(out);
        match op {
            Unary::Neg if of.is_float() => {
                let sign = self.everywhere(sign_bit(of), of);
                self.binary(Binary::Xor, of, to, x, sign);
            }
            Unary::Abs if of.is_float() => {
                let rest = self.everywhere(sign_bit(of) - 1, of);
                self.binary(Binary::And, of, to, x, rest);
            }
            Unary::Neg => {
                let zero = self.zero();
                self.binary(Binary::Sub, of, to, zero, x.into());
            }
            Unary::Abs if of == DType::I32 => {
                let code = code!(full, VEX_Vpabsd_ymm_ymmm256, VEX_Vpabsd_xmm_xmmm128);
                self.put(Instruction::with2(code, self.register(of, to), self.register(of, x)));
            }
            Unary::Abs if of == DType::I64 => {
                let signs = self.signs(x);
                self.binary(Binary::Xor, of, to, x, signs.into());
                self.binary(Binary::Sub, of, to, to, signs.into());
            }
            Unary::Abs => self.copy(of, to, x),
            Unary::Not => self.invert(to, x),
            Unary::Sqrt => {
                let code = match of {
                    DType::F32 => code!(full, VEX_Vsqrtps_ymm_ymmm256, VEX_Vsqrtps_xmm_xmmm128),
                    _ => Code::VEX_Vsqrtpd_ymm_ymmm256,
                };
                self.put(Instruction::with2(code, self.register(of, to), self.register(of, x)));
            }
            Unary::Floor | Unary::Ceil | Unary::Round => {
                let mode = match op {
                    Unary::Round => 0,
                    Unary::Floor => 1,
                    _ => 2,
                };
                let code = match of {
                    DType::F32 => code!(full, VEX_Vroundps_ymm_ymmm256_imm8, VEX_Vroundps_xmm_xmmm128_imm8),
                    _ => Code::VEX_Vroundpd_ymm_ymmm256_imm8,
                };
                self.put(Instruction::with3(code, self.register(of, to), self.register(of, x), mode | SILENT));
            }
            Unary::Sign => {
                let (sign, one) = (self.everywhere(sign_bit(of), of), self.everywhere(float_bits(of, 1.0), of));
                let (zero, keep) = (self.zero(), self.temporary(Class::Vector));
                self.binary(Binary::And, of, to, x, sign);
                self.binary(Binary::Or, of, to, to, one);
                self.compare_floats(of, keep, x, zero.into(), EQUAL_OR_UNORDERED);
                self.blend(of, to, keep, to, x.into());
            }
            Unary::IsFinite => {
                let (rest, infinity) =
                    (self.everywhere(sign_bit(of) - 1, of), self.everywhere(float_bits(of, f64::INFINITY), of));
                self.binary(Binary::And, of, to, x, rest);
                self.compare_floats(of, to, to, infinity, LESS);
                self.widen(of, to);
            }
            _ => unreachable!("{op:?} has no vectors"),
        }
    }

    fn conversion(&mut self, out: u32, from: DType, to: DType, x: Operand) {
        self.convert(out, from, to, x);
    }

    fn binary(&mut self, op: Binary, of: DType, to: u8, x: u8, y: Source) {
        match (one_instruction(op, of, self.is_full(of)), op) {
            (Some(code), _) => self.three(code, of, to, x, y),
            (None, Binary::Max | Binary::Min) if of.is_float() => self.extreme(op, of, to, x, y),
            (None, Binary::Max | Binary::Min) => {
                let y = self.in_register(of, y);
                let greater = self.temporary(Class::Vector);
                self.compare_integers(Comparison::Gt, of, greater, x, y.into());
                match op {
                    Binary::Max => self.blend(of, to, greater, y, x.into()),
                    _ => self.blend(of, to, greater, x, y.into()),
                }
            }
            (None, Binary::Mul) => {
                let product = self.temporary(Class::Vector);
                self.product(product, x, y);
                self.copy(of, to, product);
            }
            (None, Binary::Shr) => {
                // What comes in is the sign: 0, when it is turned round.
                let signs = self.signs(x);
                self.binary(Binary::Xor, of, to, x, signs.into());
                self.binary(Binary::Shr, DType::U64, to, to, y);
                self.binary(Binary::Xor, of, to, to, signs.into());
            }
            _ => unreachable!("{op} of {of}"),
        }
    }

    fn comparison(&mut self, op: Comparison, of: DType, to: u8, x: u8, y: Source) {
        match of.is_float() {
            true => self.compare_floats(of, to, x, y, float_predicate(op)),
            false => self.compare_integers(op, of, to, x, y),
        }
        self.widen(of, to);
    }

    fn choice(&mut self, of: DType, to: u8, p: u8, x: Source, y: u8) {
        let p = self.narrow(of, p);
        self.blend(of, to, p, y, x);
    }

    fn fused_codes(of: DType, full: bool) -> [Code; 2] {
        match of {
            DType::F32 => [
                code!(full, VEX_Vfmadd231ps_ymm_ymm_ymmm256, VEX_Vfmadd231ps_xmm_xmm_xmmm128),
                code!(full, VEX_Vfmadd213ps_ymm_ymm_ymmm256, VEX_Vfmadd213ps_xmm_xmm_xmmm128),
            ],
            _ => [Code::VEX_Vfmadd231pd_ymm_ymm_ymmm256, Code::VEX_Vfmadd213pd_ymm_ymm_ymmm256],
        }
    }
}

impl Emit<'_, Avx2> {
    /// All bits of a register turned round.
    fn invert(&mut self, to: u8, x: u8) {
        let ones = self.lanes_of(u64::MAX, 8);
        self.put(Instruction::with3(Code::VEX_Vpxor_ymm_ymm_ymmm256, ymm(to), ymm(x), ones));
    }

    /// -1 in lanes of `i64` that are negative, else 0.
    fn signs(&mut self, x: u8) -> u8 {
        let signs = self.zero();
        self.put(Instruction::with3(Code::VEX_Vpcmpgtq_ymm_ymm_ymmm256, ymm(signs), ymm(signs), ymm(x)));
        signs
    }

    /// The product of integers of 64 bits, by halves: the upper halves' own is beyond it. `to` is no operand.
    pub(super) fn product(&mut self, to: u8, x: u8, y: Source) {
        let low = self.temporary(Class::Vector);
        let [t, x, l] = [to, x, low].map(ymm);
        self.put(match y {
            Source::Register(y) => Instruction::with3(Code::VEX_Vpshufd_ymm_ymmm256_imm8, t, ymm(y), 0xb1),
            Source::Memory(y) => Instruction::with3(Code::VEX_Vpshufd_ymm_ymmm256_imm8, t, y, 0xb1),
        });
        self.put(Instruction::with3(Code::VEX_Vpmulld_ymm_ymm_ymmm256, t, t, x));
        self.put(Instruction::with3(Code::VEX_Vpsrlq_ymm_ymm_imm8, l, t, 32));
        self.put(Instruction::with3(Code::VEX_Vpaddd_ymm_ymm_ymmm256, t, t, l));
        self.put(Instruction::with3(Code::VEX_Vpsllq_ymm_ymm_imm8, t, t, 32));
        let product = self.with_source3(Code::VEX_Vpmuludq_ymm_ymm_ymmm256, l, x, y, DType::U64);
        self.put(product);
        self.put(Instruction::with3(Code::VEX_Vpaddq_ymm_ymm_ymmm256, t, t, l));
        self.release(Class::Vector, low);
    }

    /// The greater or the less of floats: NaN where either is, and -0 below 0. In one order and in the other the processor's
    /// instruction gives both zeros, and both operands where one is NaN.
    fn extreme(&mut self, op: Binary, of: DType, to: u8, x: u8, y: Source) {
        let y = self.in_register(of, y);
        let other = self.temporary(Class::Vector);
        let code = extreme_code(op, of, self.is_full(of));
        self.three(code, of, other, y, x.into());
        if op == Binary::Min {
            self.three(code, of, to, x, y.into());
            return self.binary(Binary::Or, of, to, to, other.into());
        }
        let unordered = self.temporary(Class::Vector);
        self.compare_floats(of, unordered, x, y.into(), UNORDERED);
        self.three(code, of, to, x, y.into());
        self.binary(Binary::And, of, to, to, other.into());
        self.binary(Binary::Or, of, to, to, unordered.into());
    }

    /// A mask of lanes of the operands' size.
    pub(super) fn compare_floats(&mut self, of: DType, to: u8, x: u8, y: Source, predicate: u32) {
        let code = match of {
            DType::F32 => code!(self.is_full(of), VEX_Vcmpps_ymm_ymm_ymmm256_imm8, VEX_Vcmpps_xmm_xmm_xmmm128_imm8),
            _ => Code::VEX_Vcmppd_ymm_ymm_ymmm256_imm8,
        };
        let (to, x) = (self.register(of, to), self.register(of, x));
        self.put(match y {
            Source::Register(y) => Instruction::with4(code, to, x, self.register(of, y), predicate),
            Source::Memory(y) => Instruction::with4(code, to, x, y, predicate),
        });
    }

    /// The same for integers. `to` is no operand.
    pub(super) fn compare_integers(&mut self, op: Comparison, of: DType, to: u8, x: u8, y: Source) {
        let full = self.is_full(of);
        let (equal, greater) = match of.size() {
            4 => (
                code!(full, VEX_Vpcmpeqd_ymm_ymm_ymmm256, VEX_Vpcmpeqd_xmm_xmm_xmmm128),
                code!(full, VEX_Vpcmpgtd_ymm_ymm_ymmm256, VEX_Vpcmpgtd_xmm_xmm_xmmm128),
            ),
            _ => (Code::VEX_Vpcmpeqq_ymm_ymm_ymmm256, Code::VEX_Vpcmpgtq_ymm_ymm_ymmm256),
        };
        match op {
            Comparison::Eq | Comparison::Ne => self.three(equal, of, to, x, y),
            _ => {
                let y = self.in_register(of, y);
                let (x, y) = if of.is_signed() { (x, y) } else { (self.flipped(of, x), self.flipped(of, y)) };
                match op {
                    Comparison::Gt | Comparison::Le => self.three(greater, of, to, x, y.into()),
                    _ => self.three(greater, of, to, y, x.into()),
                }
            }
        }
        if matches!(op, Comparison::Ne | Comparison::Le | Comparison::Ge) {
            self.invert(to, to);
        }
    }

    /// An unsigned integer as the signed one at its place in the order.
    fn flipped(&mut self, of: DType, x: u8) -> u8 {
        let to = self.temporary(Class::Vector);
        let sign = self.everywhere(sign_bit(of), of);
        self.binary(Binary::Xor, of, to, x, sign);
        to
    }

    /// A source in a register.
    pub(super) fn in_register(&mut self, of: DType, source: Source) -> u8 {
        match source {
            Source::Register(register) => register,
            Source::Memory(memory) => {
                let register = self.temporary(Class::Vector);
                let code = code!(self.is_full(of), VEX_Vmovdqu_ymm_ymmm256, VEX_Vmovdqu_xmm_xmmm128);
                self.put(Instruction::with2(code, self.register(of, register), memory));
                register
            }
        }
    }

    /// `to = mask ? x : y`, the mask of lanes of the operands' size.
    pub(super) fn blend(&mut self, of: DType, to: u8, mask: u8, y: u8, x: Source) {
        let code = match of.size() {
            4 => code!(self.is_full(of), VEX_Vblendvps_ymm_ymm_ymmm256_ymm, VEX_Vblendvps_xmm_xmm_xmmm128_xmm),
            _ => Code::VEX_Vblendvpd_ymm_ymm_ymmm256_ymm,
        };
        let [to, y, mask] = [to, y, mask].map(|register| self.register(of, register));
        self.put(match x {
            Source::Register(x) => Instruction::with4(code, to, y, self.register(of, x), mask),
            Source::Memory(x) => Instruction::with4(code, to, y, x, mask),
        });
    }

    /// The mask of a comparison of elements of a dtype as a `bool` of the loop.
    pub(super) fn widen(&mut self, of: DType, mask: u8) {
        if !self.is_full(of) {
            self.put(Instruction::with2(Code::VEX_Vpmovsxdq_ymm_xmmm128, ymm(mask), xmm(mask)));
        }
    }

    /// A `bool` of the loop as a mask for elements of a dtype.
    pub(super) fn narrow(&mut self, of: DType, mask: u8) -> u8 {
        if self.is_full(of) {
            return mask;
        }
        let to = self.temporary(Class::Vector);
        self.low_halves(to, mask);
        to
    }

    /// The low halves of lanes of 64 bits, side by side.
    pub(super) fn low_halves(&mut self, to: u8, x: u8) {
        self.put(Instruction::with3(Code::VEX_Vextracti128_xmmm128_ymm_imm8, xmm(to), ymm(x), 1));
        self.put(Instruction::with4(Code::VEX_Vshufps_xmm_xmm_xmmm128_imm8, xmm(to), xmm(x), xmm(to), 0x88));
    }
}
