//! Scalar operations: what one element, one lane, one SSA value can undergo.
//!
//! This is the single definition of their meaning: the interpreter of programs, the interpreter of routines,
//! constant folding and machine code agree with [`ScalarOp::eval`] bit for bit (NaN payloads aside).

use crate::dtype::DType;

/// A function of one element; the result has the operand's dtype unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[rustfmt::skip]
pub enum Unary {
    /// `-x`; wraps for integers (unsigned too).
    Neg,
    /// Absolute value; `MIN` of a signed integer stays `MIN`.
    Abs,
    /// -1, 0 or 1; keeps NaN and signed zeros.
    Sign,
    /// Logical not of `bool`, bitwise not of integers.
    Not,
    /// Square root, floats only, as all below.
    Sqrt,
    /// IEEE roundings and the elementary functions of `kernel::math`.
    Floor, Ceil, Round, Exp, Expm1, Log, Log1p, Sin, Cos, Tan, Asin, Acos, Atan, Sinh, Cosh, Tanh,
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// `bool`: neither NaN nor infinite.
    IsFinite,
}

/// A function of two elements of one dtype, with a result of that dtype.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[rustfmt::skip]
pub enum Binary {
    /// Wraps for integers; logical or for `bool` is `Or`, not this.
    Add, Sub, Mul,
    /// Truncates for integers; x/0 is -1 (unsigned: MAX), MIN/-1 is MIN.
    Div,
    /// Sign of the dividend; x rem 0 is x for integers, MIN rem -1 is 0.
    Rem,
    /// NaN if either is NaN; max(-0, 0) is 0, min(-0, 0) is -0.
    Max, Min,
    /// Floats: `x^y`. Integers: by squaring, wrapping; a negative exponent gives 0 unless |x| = 1.
    Pow,
    /// Angle of the point (x = second, y = first), floats only.
    Atan2,
    /// Logical for `bool`, bitwise for integers.
    And, Or, Xor,
    /// Amount outside 0..width: 0 (arithmetic right shift: the sign).
    Shl, Shr,
}

/// A comparison of two elements of one dtype; the result is `bool`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[rustfmt::skip]
pub enum Comparison { Eq, Ne, Lt, Le, Gt, Ge }

/// An operation on scalars.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScalarOp {
    /// One operand.
    Unary(Unary),
    /// Two operands.
    Binary(Binary),
    /// Two operands, `bool` result.
    Compare(Comparison),
    /// `(p, a, b)`: `a` where `p`, else `b`.
    Select,
    /// To another dtype: Rust's `as` (saturating, NaN to 0); to `bool`: `x != 0`.
    Convert(DType),
    /// `x * y + z` with one rounding, floats only.
    Fma,
}
