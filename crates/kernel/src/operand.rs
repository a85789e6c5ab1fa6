//! What the elements of each type can do. The module is private: so only the types here and in `halves` are elements.

use crate::math::Float;
use crate::scalar::{Binary, Unary};
use crate::threefry::threefry;

/// What an [`Element`](crate::Element) can do.
pub trait Operand: Copy + PartialOrd {
    /// See [`unary_fn`](crate::scalar::unary_fn).
    fn unary(op: Unary) -> Option<fn(Self) -> Self>;
    /// See [`binary_fn`](crate::scalar::binary_fn).
    fn binary(op: Binary) -> Option<fn(Self, Self) -> Self>;
    /// See [`fma_fn`](crate::scalar::fma_fn).
    fn fused() -> Option<fn(Self, Self, Self) -> Self> {
        None
    }
    /// See [`test_fn`](crate::scalar::test_fn).
    fn finite_test() -> Option<fn(Self) -> bool> {
        None
    }
    /// As a number that no conversion has rounded yet.
    fn widen(self) -> Wide;
    /// Rust's `as`; for `bool`, whether it is not 0.
    fn narrow(x: Wide) -> Self;
}

/// The value of any element, on its way to another type.
#[derive(Clone, Copy)]
pub enum Wide {
    /// Of a signed integer.
    Signed(i64),
    /// Of an unsigned integer or a `bool`.
    Unsigned(u64),
    /// Of an `f32` (apart, so that NaN keeps its bits between equal types).
    Single(f32),
    /// Of an `f64`.
    Double(f64),
}

impl Operand for bool {
    fn unary(op: Unary) -> Option<fn(bool) -> bool> {
        match op {
            Unary::Not => Some(|x| !x),
            _ => None,
        }
    }

    fn binary(op: Binary) -> Option<fn(bool, bool) -> bool> {
        match op {
            Binary::And => Some(|x, y| x & y),
            Binary::Or => Some(|x, y| x | y),
            Binary::Xor => Some(|x, y| x ^ y),
            _ => None,
        }
    }

    #[inline(always)]
    fn widen(self) -> Wide {
        Wide::Unsigned(self as u64)
    }

    #[inline(always)]
    fn narrow(x: Wide) -> bool {
        match x {
            Wide::Signed(x) => x != 0,
            Wide::Unsigned(x) => x != 0,
            Wide::Single(x) => x != 0.0,
            Wide::Double(x) => x != 0.0,
        }
    }
}

macro_rules! narrow {
    () => {
        #[inline(always)]
        fn narrow(x: Wide) -> Self {
            match x {
                Wide::Signed(x) => x as Self,
                Wide::Unsigned(x) => x as Self,
                Wide::Single(x) => x as Self,
                Wide::Double(x) => x as Self,
            }
        }
    };
}

/// The all-ones pattern `!0` is -1 of a signed and MAX of an unsigned type, and no unsigned number is below 0: so one
/// text serves both.
macro_rules! integers {
    ($($t:ident $wide:ident $random:expr),*) => {$(
        impl Operand for $t {
            fn unary(op: Unary) -> Option<fn($t) -> $t> {
                Some(match op {
                    Unary::Neg => $t::wrapping_neg,
                    Unary::Abs => |x| if x.cmp(&0).is_lt() { x.wrapping_neg() } else { x },
                    Unary::Sign => |x| match x.cmp(&0) {
                        std::cmp::Ordering::Less => !0,
                        std::cmp::Ordering::Equal => 0,
                        std::cmp::Ordering::Greater => 1,
                    },
                    Unary::Not => |x| !x,
                    Unary::PopulationCount => |x| x.count_ones() as $t,
                    Unary::Clz => |x| x.leading_zeros() as $t,
                    _ => return None,
                })
            }

            #[inline]
            fn binary(op: Binary) -> Option<fn($t, $t) -> $t> {
                Some(match op {
                    Binary::Add => $t::wrapping_add,
                    Binary::Sub => $t::wrapping_sub,
                    Binary::Mul => $t::wrapping_mul,
                    Binary::Div => |x, y| if y == 0 { !0 } else { x.wrapping_div(y) },
                    Binary::Rem => |x, y| if y == 0 { x } else { x.wrapping_rem(y) },
                    Binary::Max => Ord::max,
                    Binary::Min => Ord::min,
                    Binary::Pow => |mut x, mut y| {
                        if y.cmp(&0).is_lt() {
                            // 1 or -1 to any power depends on its parity only; of all others the inverse is cut to 0.
                            if x != 1 && x != !0 {
                                return 0;
                            }
                            y &= 1;
                        }
                        let mut power: $t = 1;
                        while y != 0 {
                            if y & 1 == 1 {
                                power = power.wrapping_mul(x);
                            }
                            x = x.wrapping_mul(x);
                            y >>= 1;
                        }
                        power
                    },
                    Binary::And => |x, y| x & y,
                    Binary::Or => |x, y| x | y,
                    Binary::Xor => |x, y| x ^ y,
                    Binary::Shl => |x, y| u32::try_from(y).ok().and_then(|y| x.checked_shl(y)).unwrap_or(0),
                    Binary::Shr => |x, y| match u32::try_from(y).ok().and_then(|y| x.checked_shr(y)) {
                        Some(shifted) => shifted,
                        None => if x.cmp(&0).is_lt() { !0 } else { 0 },
                    },
                    Binary::Threefry => return $random,
                    Binary::Atan2 | Binary::Hypot | Binary::Xlogy | Binary::Xlog1py => return None,
                })
            }

            #[inline(always)]
            fn widen(self) -> Wide {
                Wide::$wide(self.into())
            }

            narrow!();
        }
    )*};
}

integers! { u8 Unsigned None, i32 Signed None, i64 Signed None, u32 Unsigned None, u64 Unsigned Some(threefry) }

macro_rules! floats {
    ($($t:ident $wide:ident),*) => {$(
        impl Operand for $t {
            fn unary(op: Unary) -> Option<fn($t) -> $t> {
                Some(match op {
                    Unary::Neg => |x| -x,
                    Unary::Abs => Float::abs,
                    Unary::Sign => Float::sign,
                    Unary::Sqrt => Float::sqrt,
                    Unary::Floor => Float::floor,
                    Unary::Ceil => Float::ceil,
                    Unary::Round => Float::round,
                    Unary::Exp => Float::exp,
                    Unary::Expm1 => Float::expm1,
                    Unary::Log => Float::log,
                    Unary::Log1p => Float::log1p,
                    Unary::Sin => Float::sin,
                    Unary::Cos => Float::cos,
                    Unary::Tan => Float::tan,
                    Unary::Asin => Float::asin,
                    Unary::Acos => Float::acos,
                    Unary::Atan => Float::atan,
                    Unary::Sinh => Float::sinh,
                    Unary::Cosh => Float::cosh,
                    Unary::Tanh => Float::tanh,
                    Unary::Logistic => Float::logistic,
                    Unary::Exp2 => Float::exp2,
                    Unary::Log2 => Float::log2,
                    Unary::Log10 => Float::log10,
                    Unary::Cbrt => Float::cbrt,
                    Unary::Asinh => Float::asinh,
                    Unary::Acosh => Float::acosh,
                    Unary::Atanh => Float::atanh,
                    Unary::Erf => Float::erf,
                    Unary::Erfc => Float::erfc,
                    Unary::ErfInv => Float::erf_inv,
                    Unary::Lgamma => Float::lgamma,
                    Unary::Digamma => Float::digamma,
                    Unary::Entr => Float::entr,
                    Unary::Not | Unary::PopulationCount | Unary::Clz | Unary::IsFinite => return None,
                })
            }

            #[inline]
            fn binary(op: Binary) -> Option<fn($t, $t) -> $t> {
                Some(match op {
                    Binary::Add => |x, y| x + y,
                    Binary::Sub => |x, y| x - y,
                    Binary::Mul => |x, y| x * y,
                    Binary::Div => |x, y| x / y,
                    Binary::Rem => Float::rem,
                    Binary::Max => Float::max,
                    Binary::Min => Float::min,
                    Binary::Pow => Float::pow,
                    Binary::Atan2 => Float::atan2,
                    Binary::Hypot => Float::hypot,
                    Binary::Xlogy => Float::xlogy,
                    Binary::Xlog1py => Float::xlog1py,
                    Binary::And | Binary::Or | Binary::Xor | Binary::Shl | Binary::Shr | Binary::Threefry => return None,
                })
            }

            fn fused() -> Option<fn($t, $t, $t) -> $t> {
                Some(Float::fma)
            }

            fn finite_test() -> Option<fn($t) -> bool> {
                Some(Float::is_finite)
            }

            #[inline(always)]
            fn widen(self) -> Wide {
                Wide::$wide(self)
            }

            narrow!();
        }
    )*};
}

floats! { f32 Single, f64 Double }
