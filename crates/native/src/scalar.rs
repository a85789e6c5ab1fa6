//! Scalar operations as instructions, with the meaning that `kernel::scalar` gives them and no reachable trap.

use crate::emit::Emitter;
use crate::host;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value, types};
use wengert_kernel::{Binary, Comparison, DType, Scalar, ScalarOp, Unary};

/// The type of a dtype's scalar; `bool` is a byte, 0 or 1, and a half its bits.
pub(crate) fn scalar_type(dtype: DType) -> Type {
    match dtype {
        DType::Bool | DType::U8 => types::I8,
        DType::F16 | DType::BF16 => types::I16,
        DType::I32 | DType::U32 => types::I32,
        DType::I64 | DType::U64 => types::I64,
        DType::F32 => types::F32,
        DType::F64 => types::F64,
        DType::C64 | DType::C128 => unreachable!("routines hold the parts of complex numbers"),
    }
}

/// The condition of a comparison of integers.
pub(crate) fn int_condition(op: Comparison, signed: bool) -> IntCC {
    match (op, signed) {
        (Comparison::Eq, _) => IntCC::Equal,
        (Comparison::Ne, _) => IntCC::NotEqual,
        (Comparison::Lt, true) => IntCC::SignedLessThan,
        (Comparison::Le, true) => IntCC::SignedLessThanOrEqual,
        (Comparison::Gt, true) => IntCC::SignedGreaterThan,
        (Comparison::Ge, true) => IntCC::SignedGreaterThanOrEqual,
        (Comparison::Lt, false) => IntCC::UnsignedLessThan,
        (Comparison::Le, false) => IntCC::UnsignedLessThanOrEqual,
        (Comparison::Gt, false) => IntCC::UnsignedGreaterThan,
        (Comparison::Ge, false) => IntCC::UnsignedGreaterThanOrEqual,
    }
}

/// The condition of a comparison of floats; only `Ne` holds for NaN.
pub(crate) fn float_condition(op: Comparison) -> FloatCC {
    match op {
        Comparison::Eq => FloatCC::Equal,
        Comparison::Ne => FloatCC::NotEqual,
        Comparison::Lt => FloatCC::LessThan,
        Comparison::Le => FloatCC::LessThanOrEqual,
        Comparison::Gt => FloatCC::GreaterThan,
        Comparison::Ge => FloatCC::GreaterThanOrEqual,
    }
}

impl Emitter<'_, '_> {
    /// A constant.
    pub fn constant(&mut self, value: Scalar) -> Value {
        match value.dtype {
            DType::F32 => self.b.ins().f32const(f32::from_bits(value.bits as u32)),
            DType::F64 => self.b.ins().f64const(f64::from_bits(value.bits)),
            dtype => self.b.ins().iconst(scalar_type(dtype), value.bits as i64),
        }
    }

    /// A scalar operation; `dtype` is that of the last operand.
    pub fn scalar_op(&mut self, op: ScalarOp, dtype: DType, args: &[Value]) -> Value {
        match (op, args) {
            (ScalarOp::Binary(_), &[x, y]) if dtype.is_half() => {
                let (x, y) = (self.convert(dtype, DType::F32, x), self.convert(dtype, DType::F32, y));
                let result = self.scalar_op(op, DType::F32, &[x, y]);
                self.convert(DType::F32, dtype, result)
            }
            (ScalarOp::Unary(op), &[x]) if dtype.is_float() => self.float_unary(op, dtype, x),
            (ScalarOp::Unary(op), &[x]) => self.int_unary(op, dtype, x),
            (ScalarOp::Binary(op), &[x, y]) if dtype.is_float() => self.float_binary(op, dtype, x, y),
            (ScalarOp::Binary(op), &[x, y]) => self.int_binary(op, dtype, x, y),
            (ScalarOp::Compare(op), &[x, y]) if dtype.is_float() => self.b.ins().fcmp(float_condition(op), x, y),
            (ScalarOp::Compare(op), &[x, y]) => self.b.ins().icmp(int_condition(op, dtype.is_signed()), x, y),
            (ScalarOp::Select, &[p, x, y]) => self.b.ins().select(p, x, y),
            (ScalarOp::Convert(to), &[x]) => self.convert(dtype, to, x),
            (ScalarOp::Bitcast(to), &[x]) if scalar_type(to) == scalar_type(dtype) => x,
            (ScalarOp::Bitcast(to), &[x]) => self.b.ins().bitcast(scalar_type(to), MemFlagsData::new(), x),
            (ScalarOp::Fma, &[x, y, z]) => self.b.ins().fma(x, y, z),
            _ => unreachable!("{op:?} of {} operands", args.len()),
        }
    }

    fn float_unary(&mut self, op: Unary, dtype: DType, x: Value) -> Value {
        match op {
            Unary::Neg => self.b.ins().fneg(x),
            Unary::Abs => self.b.ins().fabs(x),
            Unary::Sqrt => self.b.ins().sqrt(x),
            Unary::Floor => self.b.ins().floor(x),
            Unary::Ceil => self.b.ins().ceil(x),
            Unary::Round => self.b.ins().nearest(x),
            Unary::Sign => {
                let one = self.constant(Scalar::one(dtype));
                let zero = self.constant(Scalar::zero(dtype));
                let unit = self.b.ins().fcopysign(one, x);
                let keep = self.b.ins().fcmp(FloatCC::UnorderedOrEqual, x, zero);
                self.b.ins().select(keep, x, unit)
            }
            Unary::IsFinite => {
                let size = self.b.ins().fabs(x);
                let infinity = self.constant(infinity(dtype));
                self.b.ins().fcmp(FloatCC::LessThan, size, infinity)
            }
            _ => {
                let function = wengert_runtime::scalar1(op, dtype);
                let ty = scalar_type(dtype);
                self.call_host(function.unwrap_or_else(|| unreachable!("{op:?} of {dtype}")), &[x], Some(ty))
            }
        }
    }

    fn int_unary(&mut self, op: Unary, dtype: DType, x: Value) -> Value {
        let ty = scalar_type(dtype);
        match op {
            Unary::Neg => self.b.ins().ineg(x),
            Unary::Abs if dtype.is_signed() => self.b.ins().iabs(x),
            Unary::Abs => x,
            Unary::Not if dtype == DType::Bool => self.b.ins().bxor_imm_u(x, 1),
            Unary::Not => self.b.ins().bnot(x),
            Unary::PopulationCount => self.b.ins().popcnt(x),
            Unary::Clz => self.b.ins().clz(x),
            Unary::Sign => {
                let zero = self.b.ins().iconst(ty, 0);
                let condition = int_condition(Comparison::Gt, dtype.is_signed());
                let above = self.b.ins().icmp(condition, x, zero);
                let below = self.b.ins().icmp(int_condition(Comparison::Lt, dtype.is_signed()), x, zero);
                let sign = self.b.ins().isub(above, below);
                if ty == types::I8 { sign } else { self.b.ins().sextend(ty, sign) }
            }
            _ => unreachable!("{op:?} of {dtype}"),
        }
    }

    fn float_binary(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        let ty = scalar_type(dtype);
        match op {
            Binary::Add => self.b.ins().fadd(x, y),
            Binary::Sub => self.b.ins().fsub(x, y),
            Binary::Mul => self.b.ins().fmul(x, y),
            Binary::Div => self.b.ins().fdiv(x, y),
            Binary::Max | Binary::Min => {
                let extreme = self.float_extreme(op, x, y);
                let nan = self.constant(nan(dtype));
                let unordered = self.b.ins().fcmp(FloatCC::Unordered, x, y);
                self.b.ins().select(unordered, nan, extreme)
            }
            Binary::Rem => {
                let function = if dtype == DType::F32 { host::rem::<f32> as *const u8 } else { host::rem::<f64> as _ };
                self.call_host(function, &[x, y], Some(ty))
            }
            _ => {
                let function = wengert_runtime::scalar2(op, dtype);
                self.call_host(function.unwrap_or_else(|| unreachable!("{op:?} of {dtype}")), &[x, y], Some(ty))
            }
        }
    }

    /// The larger or smaller of two floats that are not NaN. The processor's instruction gives its second operand when
    /// both are zeros, so both orders are asked: their `and` is 0 if one of them is, their `or` is -0.
    fn float_extreme(&mut self, op: Binary, x: Value, y: Value) -> Value {
        let mut pick = |x: Value, y: Value| {
            let (low, high) = if op == Binary::Max { (y, x) } else { (x, y) };
            let less = self.b.ins().fcmp(FloatCC::LessThan, low, high);
            self.b.ins().select(less, x, y)
        };
        let (one, other) = (pick(x, y), pick(y, x));
        if op == Binary::Max { self.b.ins().band(one, other) } else { self.b.ins().bor(one, other) }
    }

    fn int_binary(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        match op {
            Binary::Add => self.b.ins().iadd(x, y),
            Binary::Sub => self.b.ins().isub(x, y),
            Binary::Mul => self.b.ins().imul(x, y),
            Binary::And => self.b.ins().band(x, y),
            Binary::Or => self.b.ins().bor(x, y),
            Binary::Xor => self.b.ins().bxor(x, y),
            Binary::Div | Binary::Rem if dtype == DType::U8 => {
                let (x, y) = (self.b.ins().uextend(types::I32, x), self.b.ins().uextend(types::I32, y));
                let wide = self.divide(op, DType::U32, x, y);
                self.b.ins().ireduce(types::I8, wide)
            }
            Binary::Div | Binary::Rem => self.divide(op, dtype, x, y),
            Binary::Max => {
                let greater = self.b.ins().icmp(int_condition(Comparison::Gt, dtype.is_signed()), x, y);
                self.b.ins().select(greater, x, y)
            }
            Binary::Min => {
                let less = self.b.ins().icmp(int_condition(Comparison::Lt, dtype.is_signed()), x, y);
                self.b.ins().select(less, x, y)
            }
            Binary::Shl | Binary::Shr => self.shift(op, dtype, x, y),
            Binary::Pow => {
                let (x, y) = (self.widen(dtype, x), self.widen(dtype, y));
                let function = if dtype.is_signed() { host::pow_signed as *const u8 } else { host::pow_unsigned as _ };
                let wide = self.call_host(function, &[x, y], Some(types::I64));
                let ty = scalar_type(dtype);
                if ty == types::I64 { wide } else { self.b.ins().ireduce(ty, wide) }
            }
            Binary::Threefry => {
                let function = wengert_runtime::scalar2(op, dtype);
                self.call_host(function.unwrap_or_else(|| unreachable!("{op:?} of {dtype}")), &[x, y], Some(types::I64))
            }
            Binary::Atan2 | Binary::Hypot | Binary::Xlogy | Binary::Xlog1py => unreachable!("{op:?} of {dtype}"),
        }
    }

    /// Division by 1 in place of 0 and -1, whose results are known: x/0 = -1, x rem 0 = x, x/-1 = -x, x rem -1 = 0.
    fn divide(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        let ty = scalar_type(dtype);
        let signed = dtype.is_signed();
        let by_zero = self.b.ins().icmp_imm_u(IntCC::Equal, y, 0);
        let by_minus_one = signed.then(|| self.b.ins().icmp_imm_s(IntCC::Equal, y, -1));
        let known = by_minus_one.map_or(by_zero, |by| self.b.ins().bor(by, by_zero));
        let one = self.b.ins().iconst(ty, 1);
        let divisor = self.b.ins().select(known, one, y);
        if op == Binary::Rem {
            let rem = if signed { self.b.ins().srem(x, divisor) } else { self.b.ins().urem(x, divisor) };
            return self.b.ins().select(by_zero, x, rem);
        }
        let mut quotient = if signed { self.b.ins().sdiv(x, divisor) } else { self.b.ins().udiv(x, divisor) };
        if let Some(by_minus_one) = by_minus_one {
            let negated = self.b.ins().ineg(x);
            quotient = self.b.ins().select(by_minus_one, negated, quotient);
        }
        let all_ones = self.b.ins().iconst(ty, (u64::MAX >> (64 - ty.bits())) as i64);
        self.b.ins().select(by_zero, all_ones, quotient)
    }

    /// Cranelift takes amounts modulo the width; here an amount outside shifts everything out.
    fn shift(&mut self, op: Binary, dtype: DType, x: Value, y: Value) -> Value {
        let ty = scalar_type(dtype);
        let width = ty.bits() as i64;
        let inside = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, y, width);
        if op == Binary::Shr && dtype.is_signed() {
            let most = self.b.ins().iconst(ty, width - 1);
            let amount = self.b.ins().select(inside, y, most);
            return self.b.ins().sshr(x, amount);
        }
        let shifted = if op == Binary::Shl { self.b.ins().ishl(x, y) } else { self.b.ins().ushr(x, y) };
        let zero = self.b.ins().iconst(ty, 0);
        self.b.ins().select(inside, shifted, zero)
    }

    /// An integer or `bool` as 64 bits.
    fn widen(&mut self, dtype: DType, x: Value) -> Value {
        match (scalar_type(dtype), dtype.is_signed()) {
            (types::I64, _) => x,
            (_, true) => self.b.ins().sextend(types::I64, x),
            (_, false) => self.b.ins().uextend(types::I64, x),
        }
    }

    fn convert(&mut self, from: DType, to: DType, x: Value) -> Value {
        let ty = scalar_type(to);
        if from == to {
            return x;
        }
        if from.is_half() {
            let bits = self.b.ins().uextend(types::I32, x);
            let single = self.half_to_single(from, types::I32, bits);
            return self.convert(DType::F32, to, single);
        }
        if to.is_half() {
            return self.scalar_to_half(from, to, x);
        }
        if to == DType::Bool {
            let zero = self.constant(Scalar::zero(from));
            return self.scalar_op(ScalarOp::Compare(Comparison::Ne), from, &[x, zero]);
        }
        match (from.is_float(), to.is_float()) {
            (true, true) if to == DType::F64 => self.b.ins().fpromote(ty, x),
            (true, true) => self.b.ins().fdemote(ty, x),
            (true, false) if to == DType::U8 => {
                let wide = self.b.ins().fcvt_to_sint_sat(types::I32, x);
                let (least, most) = (self.b.ins().iconst(types::I32, 0), self.b.ins().iconst(types::I32, 255));
                let wide = self.b.ins().smax(wide, least);
                let wide = self.b.ins().smin(wide, most);
                self.b.ins().ireduce(ty, wide)
            }
            (true, false) if to.is_signed() => self.b.ins().fcvt_to_sint_sat(ty, x),
            (true, false) => self.b.ins().fcvt_to_uint_sat(ty, x),
            (false, true) if from.size() == 1 => {
                let wide = self.b.ins().uextend(types::I32, x);
                self.b.ins().fcvt_from_sint(ty, wide)
            }
            (false, true) if from.is_signed() => self.b.ins().fcvt_from_sint(ty, x),
            (false, true) => self.b.ins().fcvt_from_uint(ty, x),
            (false, false) if to.size() < from.size() => self.b.ins().ireduce(ty, x),
            (false, false) if to.size() == from.size() => x,
            (false, false) if from.is_signed() => self.b.ins().sextend(ty, x),
            (false, false) => self.b.ins().uextend(ty, x),
        }
    }
}

/// Positive infinity of a float dtype.
pub(crate) fn infinity(dtype: DType) -> Scalar {
    if dtype == DType::F32 { Scalar::new(f32::INFINITY) } else { Scalar::new(f64::INFINITY) }
}

/// NaN of a float dtype.
pub(crate) fn nan(dtype: DType) -> Scalar {
    if dtype == DType::F32 { Scalar::new(f32::NAN) } else { Scalar::new(f64::NAN) }
}
