//! `f32` and `f64`, as decompositions and transforms see them.

use crate::fft::Transform;
#[cfg(feature = "linalg")]
use crate::linalg::Library;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use wengert_kernel::Element;

/// `f32` or `f64`.
#[cfg(feature = "linalg")]
pub(crate) trait Real: Number + Library + Transform {}
#[cfg(not(feature = "linalg"))]
pub(crate) trait Real: Number + Transform {}
impl Real for f32 {}
impl Real for f64 {}

/// What the loops ask of an element.
pub(crate) trait Number:
    Element
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    const ZERO: Self;
    const ONE: Self;
    const NAN: Self;
    /// The distance from 1 to the next number.
    const EPSILON: Self;
    /// Below it numbers lose digits.
    const TINY: Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn is_finite(self) -> bool;
    fn of(x: f64) -> Self;
    /// The power of two with the exponent of this number, which is finite and not 0.
    fn power_of_two(self) -> Self;
}

macro_rules! numbers {
    ($($t:ident: $mantissa:literal)*) => {$(
        impl Number for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const NAN: $t = $t::NAN;
            const EPSILON: $t = $t::EPSILON;
            const TINY: $t = $t::MIN_POSITIVE;
            #[inline(always)]
            fn abs(self) -> $t { self.abs() }
            #[inline(always)]
            fn sqrt(self) -> $t { self.sqrt() }
            #[inline(always)]
            fn is_finite(self) -> bool { self.is_finite() }
            #[inline(always)]
            fn of(x: f64) -> $t { x as $t }
            fn power_of_two(self) -> $t {
                // Without the bits of the mantissa; a number so small that it has none left counts as the least normal one.
                $t::from_bits(self.abs().to_bits() >> $mantissa << $mantissa).max($t::MIN_POSITIVE)
            }
        }
    )*};
}

numbers! { f32: 23 f64: 52 }
