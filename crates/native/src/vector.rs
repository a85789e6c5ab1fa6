//! Operations on 128-bit vectors, lane for lane what `scalar.rs` does.
//!
//! All vectors of a loop have the same number of lanes, set by its widest element: narrower elements fill the low lanes
//! of theirs, and what stands above is never looked at. A `bool` is a mask of the widest element's size, all ones or
//! zeros. Operations that 128-bit vectors lack go lane by lane. Vector types other than the six of [`vector_type`]
//! and their halves are not used: Cranelift lacks parts of them.

use crate::emit::Emitter;
use crate::scalar::{float_condition, infinity, int_condition, scalar_type};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::immediates::V128Imm;
use cranelift_codegen::ir::{ConstantData, Endianness, InstBuilder, MemFlagsData, Type, Value as Ssa, types};
use wengert_kernel::{Binary, Comparison, DType, Scalar, ScalarOp, Unary};

/// Bytes of a vector.
pub(crate) const BYTES: usize = 16;

/// The lanes of all vectors of one loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lanes {
    /// Bytes of the widest element: 1, 2, 4 or 8.
    pub width: usize,
}

impl Lanes {
    /// How many.
    pub fn count(self) -> usize {
        BYTES / self.width
    }

    fn mask(self) -> Type {
        match self.width {
            1 => types::I8X16,
            2 => types::I16X8,
            4 => types::I32X4,
            _ => types::I64X2,
        }
    }
}

/// An operand of a vector operation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operand {
    /// The same scalar in all lanes.
    Same(Ssa),
    /// A vector.
    Each(Ssa),
}

/// The type of a vector of a dtype that is not `bool`; for `bool`, of its bytes in memory.
pub(crate) fn vector_type(dtype: DType) -> Type {
    match dtype {
        DType::Bool | DType::U8 => types::I8X16,
        DType::F16 | DType::BF16 => types::I16X8,
        DType::I32 | DType::U32 => types::I32X4,
        DType::I64 | DType::U64 => types::I64X2,
        DType::F32 => types::F32X4,
        DType::F64 => types::F64X2,
        DType::C64 | DType::C128 => unreachable!("routines hold the parts of complex numbers"),
    }
}

/// Whether the operation is done in vectors; `dtype` is that of the last operand, `same` whether it is one scalar.
pub(crate) fn is_vector_op(op: ScalarOp, dtype: DType, same: bool, fma: bool) -> bool {
    match op {
        ScalarOp::Binary(_) if dtype.is_half() => false,
        ScalarOp::Unary(op) => {
            use Unary::*;
            matches!(op, Neg | Abs | Sign | Not | Sqrt | Floor | Ceil | Round | IsFinite)
        }
        ScalarOp::Binary(op) => match op {
            Binary::Add | Binary::Sub | Binary::Max | Binary::Min | Binary::And | Binary::Or | Binary::Xor => true,
            Binary::Mul => dtype != DType::U8,
            Binary::Div => dtype.is_float(),
            Binary::Shl | Binary::Shr => same,
            Binary::Rem
            | Binary::Pow
            | Binary::Atan2
            | Binary::Hypot
            | Binary::Xlogy
            | Binary::Xlog1py
            | Binary::Threefry => false,
        },
        ScalarOp::Compare(_) | ScalarOp::Select => true,
        ScalarOp::Convert(to) => match (dtype, to) {
            // With an element of 32 bits beside them, they fill at most half a vector.
            (DType::F16 | DType::BF16, DType::F32 | DType::F64 | DType::I32 | DType::U32) => true,
            (DType::F32, DType::F16 | DType::BF16) => true,
            _ if dtype != to && (dtype.is_half() || to.is_half()) => false,
            (DType::I64 | DType::U64, DType::F32) => false,
            (DType::F64, to) => to.is_float() || to == DType::Bool,
            (DType::F32, DType::I64 | DType::U64) => false,
            _ => true,
        },
        ScalarOp::Bitcast(_) => true,
        ScalarOp::Fma => fma,
    }
}

impl Emitter<'_, '_> {
    /// A vector operation on operands of the given dtypes, with a result of dtype `out`.
    pub fn vector_op(&mut self, lanes: Lanes, op: ScalarOp, out: DType, args: &[(DType, Operand)]) -> Ssa {
        let (dtype, last) = args[args.len() - 1];
        let same = matches!(last, Operand::Same(_));
        if !is_vector_op(op, dtype, same, self.unit.features.fma) {
            return self.lane_by_lane(lanes, op, out, args);
        }
        if let (ScalarOp::Binary(op @ (Binary::Shl | Binary::Shr)), Operand::Same(amount)) = (op, last) {
            let x = self.spread(lanes, dtype, args[0].1);
            return self.shift_all(op, dtype, x, amount);
        }
        let v: smallvec::SmallVec<[Ssa; 3]> = args.iter().map(|&(dtype, arg)| self.spread(lanes, dtype, arg)).collect();
        match (op, &v[..]) {
            (ScalarOp::Unary(op), &[x]) if dtype.is_float() => self.vector_float_unary(lanes, op, dtype, x),
            (ScalarOp::Unary(op), &[x]) => self.vector_int_unary(op, dtype, x),
            (ScalarOp::Binary(op), &[x, y]) if dtype.is_float() => self.vector_float_binary(op, dtype, x, y),
            (ScalarOp::Binary(op), &[x, y]) => self.vector_int_binary(op, dtype, x, y),
            (ScalarOp::Compare(op), &[x, y]) => {
                let mask = match dtype {
                    _ if dtype.is_float() => self.b.ins().fcmp(float_condition(op), x, y),
                    _ => self.b.ins().icmp(int_condition(op, dtype.is_signed()), x, y),
                };
                if dtype == DType::Bool { mask } else { self.widen_mask(lanes, dtype, mask) }
            }
            (ScalarOp::Select, &[p, x, y]) if dtype == DType::Bool => self.b.ins().bitselect(p, x, y),
            (ScalarOp::Select, &[p, x, y]) => {
                let p = self.narrow(p, lanes, lanes.width, dtype.size());
                let p = self.cast(vector_type(dtype), p);
                self.b.ins().bitselect(p, x, y)
            }
            (ScalarOp::Convert(to), &[x]) => self.vector_convert(lanes, dtype, to, x),
            (ScalarOp::Bitcast(to), &[x]) => self.cast(vector_type(to), x),
            (ScalarOp::Fma, &[x, y, z]) => self.b.ins().fma(x, y, z),
            _ => unreachable!("{op:?} of {} operands", args.len()),
        }
    }

    fn lane_by_lane(&mut self, lanes: Lanes, op: ScalarOp, out: DType, args: &[(DType, Operand)]) -> Ssa {
        let dtype = args[args.len() - 1].0;
        let results: Vec<Ssa> = (0..lanes.count())
            .map(|k| {
                let args: smallvec::SmallVec<[Ssa; 3]> =
                    args.iter().map(|&(dtype, arg)| self.lane(dtype, arg, k)).collect();
                self.scalar_op(op, dtype, &args)
            })
            .collect();
        self.gather_lanes(lanes, out, &results)
    }

    /// The scalar of one lane.
    pub fn lane(&mut self, dtype: DType, operand: Operand, lane: usize) -> Ssa {
        match operand {
            Operand::Same(x) => x,
            Operand::Each(x) => {
                let x = self.b.ins().extractlane(x, lane as u8);
                if dtype == DType::Bool { self.b.ins().icmp_imm_u(IntCC::NotEqual, x, 0) } else { x }
            }
        }
    }

    /// The vector of these scalars.
    pub fn gather_lanes(&mut self, lanes: Lanes, dtype: DType, scalars: &[Ssa]) -> Ssa {
        let ty = if dtype == DType::Bool { lanes.mask() } else { vector_type(dtype) };
        let mut vector = None;
        for (k, &x) in scalars.iter().enumerate() {
            let x = if dtype == DType::Bool { self.b.ins().bmask(ty.lane_type(), x) } else { x };
            vector = Some(match vector {
                None => self.first_lane(ty, x),
                Some(vector) => self.b.ins().insertlane(vector, x, k as u8),
            });
        }
        vector.unwrap_or_else(|| unreachable!("a vector has lanes"))
    }

    fn first_lane(&mut self, ty: Type, x: Ssa) -> Ssa {
        match ty.lane_type() {
            types::I8 | types::I16 => self.b.ins().splat(ty, x),
            _ => self.b.ins().scalar_to_vector(ty, x),
        }
    }

    /// An operand as a vector.
    pub fn spread(&mut self, lanes: Lanes, dtype: DType, operand: Operand) -> Ssa {
        match operand {
            Operand::Each(x) => x,
            Operand::Same(x) if dtype == DType::Bool => {
                let mask = self.b.ins().bmask(lanes.mask().lane_type(), x);
                self.b.ins().splat(lanes.mask(), mask)
            }
            Operand::Same(x) => self.b.ins().splat(vector_type(dtype), x),
        }
    }

    fn splat_constant(&mut self, value: Scalar) -> Ssa {
        let x = self.constant(value);
        self.b.ins().splat(vector_type(value.dtype), x)
    }

    pub fn cast(&mut self, ty: Type, x: Ssa) -> Ssa {
        if self.b.func.dfg.value_type(x) == ty {
            return x;
        }
        self.b.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), x)
    }

    fn vector_float_unary(&mut self, lanes: Lanes, op: Unary, dtype: DType, x: Ssa) -> Ssa {
        match op {
            Unary::Neg => self.b.ins().fneg(x),
            Unary::Abs => self.b.ins().fabs(x),
            Unary::Sqrt => self.b.ins().sqrt(x),
            Unary::Floor => self.b.ins().floor(x),
            Unary::Ceil => self.b.ins().ceil(x),
            Unary::Round => self.b.ins().nearest(x),
            Unary::Sign => {
                let one = self.splat_constant(Scalar::one(dtype));
                let zero = self.splat_constant(Scalar::zero(dtype));
                let sign_bit = self.b.ins().fneg(zero);
                let sign = self.b.ins().band(x, sign_bit);
                let unit = self.b.ins().bor(sign, one);
                let is_zero = self.b.ins().fcmp(FloatCC::Equal, x, zero);
                let is_nan = self.b.ins().fcmp(FloatCC::Unordered, x, x);
                let keep = self.b.ins().bor(is_zero, is_nan);
                let keep = self.cast(vector_type(dtype), keep);
                self.b.ins().bitselect(keep, x, unit)
            }
            Unary::IsFinite => {
                let size = self.b.ins().fabs(x);
                let infinity = self.splat_constant(infinity(dtype));
                let mask = self.b.ins().fcmp(FloatCC::LessThan, size, infinity);
                self.widen_mask(lanes, dtype, mask)
            }
            _ => unreachable!("{op:?} goes lane by lane"),
        }
    }

    fn vector_int_unary(&mut self, op: Unary, dtype: DType, x: Ssa) -> Ssa {
        match op {
            Unary::Neg => self.b.ins().ineg(x),
            Unary::Abs if dtype.is_signed() => self.b.ins().iabs(x),
            Unary::Abs => x,
            Unary::Not => self.b.ins().bnot(x),
            Unary::Sign => {
                let zero = self.splat_constant(Scalar::zero(dtype));
                let above = self.b.ins().icmp(int_condition(Comparison::Gt, dtype.is_signed()), x, zero);
                let below = self.b.ins().icmp(int_condition(Comparison::Lt, dtype.is_signed()), x, zero);
                // Masks are 0 or -1.
                self.b.ins().isub(below, above)
            }
            _ => unreachable!("{op:?} of {dtype}"),
        }
    }

    fn vector_float_binary(&mut self, op: Binary, dtype: DType, x: Ssa, y: Ssa) -> Ssa {
        match op {
            Binary::Add => self.b.ins().fadd(x, y),
            Binary::Sub => self.b.ins().fsub(x, y),
            Binary::Mul => self.b.ins().fmul(x, y),
            Binary::Div => self.b.ins().fdiv(x, y),
            Binary::Max | Binary::Min => self.vector_extreme(op, dtype, x, y),
            _ => unreachable!("{op:?} goes lane by lane"),
        }
    }

    /// As for scalars; besides, where either is NaN one order gives it, and `or` with a NaN's bits is a NaN. What `and`
    /// makes of it is mended by the mask of unordered lanes, all ones being a NaN.
    fn vector_extreme(&mut self, op: Binary, dtype: DType, x: Ssa, y: Ssa) -> Ssa {
        let ty = vector_type(dtype);
        let mut pick = |x: Ssa, y: Ssa| {
            let (low, high) = if op == Binary::Max { (y, x) } else { (x, y) };
            let less = self.b.ins().fcmp(FloatCC::LessThan, low, high);
            let less = self.cast(ty, less);
            self.b.ins().bitselect(less, x, y)
        };
        let (one, other) = (pick(x, y), pick(y, x));
        if op == Binary::Min {
            return self.b.ins().bor(one, other);
        }
        let larger = self.b.ins().band(one, other);
        let unordered = self.b.ins().fcmp(FloatCC::Unordered, x, y);
        let unordered = self.cast(ty, unordered);
        self.b.ins().bor(larger, unordered)
    }

    fn vector_int_binary(&mut self, op: Binary, dtype: DType, x: Ssa, y: Ssa) -> Ssa {
        match op {
            Binary::Add => self.b.ins().iadd(x, y),
            Binary::Sub => self.b.ins().isub(x, y),
            Binary::Mul => self.b.ins().imul(x, y),
            Binary::And => self.b.ins().band(x, y),
            Binary::Or => self.b.ins().bor(x, y),
            Binary::Xor => self.b.ins().bxor(x, y),
            Binary::Max if dtype.is_signed() => self.b.ins().smax(x, y),
            Binary::Max => self.b.ins().umax(x, y),
            Binary::Min if dtype.is_signed() => self.b.ins().smin(x, y),
            Binary::Min => self.b.ins().umin(x, y),
            _ => unreachable!("{op:?} goes lane by lane"),
        }
    }

    fn shift_all(&mut self, op: Binary, dtype: DType, x: Ssa, amount: Ssa) -> Ssa {
        let (ty, width) = (scalar_type(dtype), 8 * dtype.size() as i64);
        let inside = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, amount, width);
        if op == Binary::Shr && dtype.is_signed() {
            let most = self.b.ins().iconst(ty, width - 1);
            let amount = self.b.ins().select(inside, amount, most);
            return self.b.ins().sshr(x, amount);
        }
        let shifted = if op == Binary::Shl { self.b.ins().ishl(x, amount) } else { self.b.ins().ushr(x, amount) };
        let mask = self.b.ins().bmask(ty, inside);
        let mask = self.b.ins().splat(vector_type(dtype), mask);
        self.b.ins().band(shifted, mask)
    }

    /// The mask of a comparison of elements of a dtype as a `bool` of the loop.
    fn widen_mask(&mut self, lanes: Lanes, dtype: DType, mask: Ssa) -> Ssa {
        self.widen_lanes(mask, dtype.size(), lanes.width, true)
    }

    /// The low integers of a vector, made wider.
    fn widen_lanes(&mut self, mut x: Ssa, from: usize, to: usize, signed: bool) -> Ssa {
        let mut size = from;
        while size < to {
            x = if signed { self.b.ins().swiden_low(x) } else { self.b.ins().uwiden_low(x) };
            size *= 2;
        }
        x
    }

    /// The low bytes of every lane, side by side.
    fn narrow(&mut self, x: Ssa, lanes: Lanes, from: usize, to: usize) -> Ssa {
        if from == to {
            return x;
        }
        // The same lanes again above, from the second operand: patterns that one instruction does.
        let n = lanes.count().min(BYTES / from);
        let mask: Vec<u8> = (0..BYTES)
            .map(|byte| {
                let (lane, byte) = (byte / to, byte % to);
                let again = if lane % (2 * n) >= n { BYTES } else { 0 };
                (lane % n * from + byte + again) as u8
            })
            .collect();
        let x = self.cast(types::I8X16, x);
        let mask = self.b.func.dfg.immediates.push(ConstantData::from(&mask[..]));
        let narrow = self.b.ins().shuffle(x, x, mask);
        let ty = match to {
            1 => types::I8X16,
            2 => types::I16X8,
            _ => types::I32X4,
        };
        self.cast(ty, narrow)
    }

    fn vector_convert(&mut self, lanes: Lanes, from: DType, to: DType, x: Ssa) -> Ssa {
        let ty = vector_type(to);
        match (from, to) {
            _ if from == to => x,
            (DType::F16 | DType::BF16, _) => {
                let bits = self.widen_lanes(x, 2, 4, false);
                let single = self.half_to_single(from, types::I32X4, bits);
                self.vector_convert(lanes, DType::F32, to, single)
            }
            (_, DType::F16 | DType::BF16) => {
                let bits = self.single_to_half(to, types::I32X4, x);
                self.narrow(bits, lanes, 4, 2)
            }
            (DType::Bool, _) => {
                let mask = self.narrow(x, lanes, lanes.width, to.size());
                let mask = self.cast(ty, mask);
                let one = self.splat_constant(Scalar::one(to));
                self.b.ins().band(mask, one)
            }
            (_, DType::Bool) => {
                let zero = self.splat_constant(Scalar::zero(from));
                let op = ScalarOp::Compare(Comparison::Ne);
                self.vector_op(lanes, op, to, &[(from, Operand::Each(x)), (from, Operand::Each(zero))])
            }
            (DType::F32, DType::F64) => self.b.ins().fvpromote_low(x),
            (DType::F64, DType::F32) => self.b.ins().fvdemote(x),
            (DType::F32, DType::I32) => self.b.ins().fcvt_to_sint_sat(ty, x),
            (DType::F32, DType::U32) => self.b.ins().fcvt_to_uint_sat(ty, x),
            (DType::F32, DType::U8) => {
                let wide = self.vector_convert(lanes, from, DType::I32, x);
                let (least, most) = (self.splat_constant(Scalar::new(0i32)), self.splat_constant(Scalar::new(255i32)));
                let wide = self.b.ins().smax(wide, least);
                let wide = self.b.ins().smin(wide, most);
                self.narrow(wide, lanes, 4, 1)
            }
            (DType::U8, DType::F32 | DType::F64) => {
                let wide = self.widen_lanes(x, 1, 4, false);
                self.vector_convert(lanes, DType::I32, to, wide)
            }
            (DType::I32, DType::F64) => {
                let wide = self.b.ins().swiden_low(x);
                self.b.ins().fcvt_from_sint(ty, wide)
            }
            (DType::U32, DType::F64) => {
                let wide = self.b.ins().uwiden_low(x);
                self.b.ins().fcvt_from_uint(ty, wide)
            }
            (DType::I32 | DType::I64, DType::F32 | DType::F64) => self.b.ins().fcvt_from_sint(ty, x),
            (_, DType::F32 | DType::F64) => self.b.ins().fcvt_from_uint(ty, x),
            _ if to.size() < from.size() => self.narrow(x, lanes, from.size(), to.size()),
            _ => self.widen_lanes(x, from.size(), to.size(), from.is_signed()),
        }
    }

    // Memory.

    /// Elements that lie side by side.
    pub fn load_lanes(&mut self, lanes: Lanes, dtype: DType, address: Ssa, offset: i32) -> Ssa {
        let ty = vector_type(dtype);
        let vector = match lanes.count() * dtype.size() {
            BYTES => self.load_element(ty, address, offset),
            8 => {
                let low = self.load_element(types::I64, address, offset);
                let vector = self.b.ins().scalar_to_vector(types::I64X2, low);
                self.cast(ty, vector)
            }
            bytes => {
                let narrow = if bytes == 4 { types::I32 } else { types::I16 };
                let mut low = self.load_element(narrow, address, offset);
                if narrow == types::I16 {
                    low = self.b.ins().uextend(types::I32, low);
                }
                let vector = self.b.ins().scalar_to_vector(types::I32X4, low);
                self.cast(ty, vector)
            }
        };
        if dtype == DType::Bool { self.bytes_to_mask(lanes, vector) } else { vector }
    }

    fn bytes_to_mask(&mut self, lanes: Lanes, bytes: Ssa) -> Ssa {
        let wide = self.widen_lanes(bytes, 1, lanes.width, false);
        let zero = self.b.ins().iconst(lanes.mask().lane_type(), 0);
        let zero = self.b.ins().splat(lanes.mask(), zero);
        self.b.ins().icmp(IntCC::NotEqual, wide, zero)
    }

    /// Writes elements side by side.
    pub fn store_lanes(&mut self, lanes: Lanes, dtype: DType, vector: Ssa, address: Ssa, offset: i32) {
        let mut vector = vector;
        if dtype == DType::Bool {
            let bytes = self.narrow(vector, lanes, lanes.width, 1);
            let one = self.splat_constant(Scalar::one(DType::U8));
            vector = self.b.ins().band(bytes, one);
        }
        let part = match lanes.count() * dtype.size() {
            BYTES => None,
            8 => Some(types::I64X2),
            4 => Some(types::I32X4),
            _ => Some(types::I16X8),
        };
        if let Some(ty) = part {
            let whole = self.cast(ty, vector);
            vector = self.b.ins().extractlane(whole, 0);
        }
        self.store_element(vector, address, offset);
    }

    /// The lanes of a full vector in the opposite order.
    pub fn reverse_lanes(&mut self, dtype: DType, x: Ssa) -> Ssa {
        let size = dtype.size();
        let mask: Vec<u8> = (0..BYTES).map(|byte| (BYTES - size - byte / size * size + byte % size) as u8).collect();
        let bytes = self.cast(types::I8X16, x);
        let mask = self.b.func.dfg.immediates.push(ConstantData::from(&mask[..]));
        let reversed = self.b.ins().shuffle(bytes, bytes, mask);
        self.cast(vector_type(dtype), reversed)
    }

    /// `[0, step, 2 * step, ...]` as `i64`.
    pub fn steps(&mut self, step: i64) -> Ssa {
        let mut bytes = [0; BYTES];
        bytes[8..].copy_from_slice(&step.to_le_bytes());
        let constant = self.b.func.dfg.constants.insert(V128Imm(bytes).into());
        self.b.ins().vconst(types::I64X2, constant)
    }
}
