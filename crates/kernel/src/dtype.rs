//! Element types: the dtypes of arrays, of buffers and of scalar values in loops.

use crate::operand::Operand;
use crate::scalar::ScalarOp;
use half::{bf16, f16};
use std::fmt;

/// The type of one element.
///
/// ```
/// use wengert_kernel::DType;
///
/// assert_eq!(DType::F64.to_string(), "f64");
/// assert!(DType::ALL.iter().all(|d| DType::from_name(d.name()) == Some(*d)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 32 bits.
    U32,
    /// Unsigned, 64 bits.
    U64,
    /// IEEE 754 binary16: kept as such, computed with as `f32`.
    F16,
    /// The upper half of an `f32`, likewise.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Complex, two `f32`. Of arrays only: programs and routines hold its two parts.
    C64,
    /// Complex, two `f64`, likewise.
    C128,
}

impl DType {
    /// Every element type of buffers, programs and routines, in order. The complex ones are pairs of arrays of these.
    ///
    /// ```
    /// assert_eq!(wengert_kernel::DType::ALL.len(), 10);
    /// ```
    pub const ALL: [DType; 10] = [
        DType::Bool,
        DType::U8,
        DType::I32,
        DType::I64,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
    ];

    /// The complex types, whose arrays are pairs of arrays of [`DType::real`].
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::COMPLEX.iter().all(|d| d.is_complex() && d.real().complex() == *d));
    /// ```
    pub const COMPLEX: [DType; 2] = [DType::C64, DType::C128];

    /// `c64` or `c128`.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::C64.is_complex() && !DType::F32.is_complex());
    /// ```
    pub const fn is_complex(self) -> bool {
        matches!(self, DType::C64 | DType::C128)
    }

    /// The dtype of the parts of complex numbers; of all others the dtype itself.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert_eq!((DType::C64.real(), DType::C128.real(), DType::I32.real()), (DType::F32, DType::F64, DType::I32));
    /// ```
    pub const fn real(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            other => other,
        }
    }

    /// `f16` or `bf16`: elements are kept in 16 bits, and computed with as `f32`. Of scalar operations they take conversions,
    /// the selection by a `bool`, and the sum (of two `f32`, rounded), in which cotangents meet.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::BF16.is_half() && DType::BF16.is_float() && !DType::F32.is_half());
    /// ```
    pub const fn is_half(self) -> bool {
        matches!(self, DType::F16 | DType::BF16)
    }

    /// The distance from 1 to the next larger number; 0 of integers.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert_eq!(DType::F64.epsilon(), f64::EPSILON);
    /// assert_eq!((DType::F16.epsilon(), DType::I32.epsilon()), (0.0009765625, 0.0));
    /// ```
    pub const fn epsilon(self) -> f64 {
        match self {
            DType::F16 => 1.0 / 1024.0,
            DType::BF16 => 1.0 / 128.0,
            DType::F32 | DType::C64 => f32::EPSILON as f64,
            DType::F64 | DType::C128 => f64::EPSILON,
            _ => 0.0,
        }
    }

    /// The dtype of complex numbers that holds these: `c64` for `c64` and floats of at most 32 bits, `c128` for all others.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert_eq!((DType::F32.complex(), DType::I32.complex()), (DType::C64, DType::C128));
    /// ```
    pub const fn complex(self) -> DType {
        match self {
            DType::F16 | DType::BF16 | DType::F32 | DType::C64 => DType::C64,
            _ => DType::C128,
        }
    }

    /// Bytes of one element.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert_eq!((DType::Bool.size(), DType::F32.size(), DType::I64.size()), (1, 4, 8));
    /// ```
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 => 1,
            DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 | DType::C64 => 8,
            DType::C128 => 16,
        }
    }

    /// `f16`, `bf16`, `f32` or `f64`.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::F32.is_float() && !DType::I32.is_float());
    /// ```
    pub const fn is_float(self) -> bool {
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// A type that numbers are rounded to: float or complex.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::F32.is_inexact() && DType::C64.is_inexact() && !DType::I32.is_inexact());
    /// ```
    pub const fn is_inexact(self) -> bool {
        self.is_float() || self.is_complex()
    }

    /// An integer type; `bool` is not one.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::U8.is_integer() && !DType::Bool.is_integer());
    /// ```
    pub const fn is_integer(self) -> bool {
        matches!(self, DType::U8 | DType::I32 | DType::I64 | DType::U32 | DType::U64)
    }

    /// A type with negative values.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert!(DType::I32.is_signed() && !DType::U32.is_signed());
    /// ```
    pub const fn is_signed(self) -> bool {
        matches!(self, DType::I32 | DType::I64) || self.is_inexact()
    }

    /// The name users write: `f64`, `bool`, ...
    ///
    /// ```
    /// assert_eq!(wengert_kernel::DType::U64.name(), "u64");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "u8",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::C64 => "c64",
            DType::C128 => "c128",
        }
    }

    /// The dtype of that name, which programs and routines may hold.
    ///
    /// ```
    /// use wengert_kernel::DType;
    ///
    /// assert_eq!(DType::from_name("f32"), Some(DType::F32));
    /// assert_eq!(DType::from_name("float"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.name() == name)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A Rust type that is an element type.
///
/// ```
/// use wengert_kernel::{DType, Element};
///
/// assert_eq!(<f32 as Element>::DTYPE, DType::F32);
/// assert_eq!(f64::from_bits(Element::to_bits(1.5)), 1.5);
/// ```
pub trait Element: Operand + Send + Sync + fmt::Debug + 'static {
    /// The dtype it stands for.
    ///
    /// ```
    /// use wengert_kernel::{DType, Element};
    ///
    /// assert_eq!(u8::DTYPE, DType::U8);
    /// ```
    const DTYPE: DType;
    /// The value's bits, zero-extended to 64.
    ///
    /// ```
    /// use wengert_kernel::Element;
    ///
    /// assert_eq!((-1i32).to_bits(), 0xffff_ffff);
    /// ```
    fn to_bits(self) -> u64;
    /// The value of those (low) bits.
    ///
    /// ```
    /// use wengert_kernel::Element;
    ///
    /// assert_eq!(i32::from_bits(0xffff_ffff), -1);
    /// assert!(!bool::from_bits(2), "the lowest bit counts");
    /// ```
    fn from_bits(bits: u64) -> Self;
}

macro_rules! elements {
    ($($t:ty, $dtype:ident, $to:expr, $from:expr;)*) => {$(
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
            #[inline(always)]
            fn to_bits(self) -> u64 { ($to)(self) }
            #[inline(always)]
            fn from_bits(bits: u64) -> Self { ($from)(bits) }
        }
    )*};
}

elements! {
    bool, Bool, |x| x as u64, |b: u64| b & 1 != 0;
    u8, U8, |x| x as u64, |b| b as u8;
    i32, I32, |x| x as u32 as u64, |b| b as i32;
    i64, I64, |x| x as u64, |b| b as i64;
    u32, U32, |x| x as u64, |b| b as u32;
    u64, U64, |x| x, |b| b;
    f16, F16, |x: f16| x.to_bits() as u64, |b| f16::from_bits(b as u16);
    bf16, BF16, |x: bf16| x.to_bits() as u64, |b| bf16::from_bits(b as u16);
    f32, F32, |x: f32| x.to_bits() as u64, |b| f32::from_bits(b as u32);
    f64, F64, |x: f64| x.to_bits(), f64::from_bits;
}

/// Calls `$body` with the type alias `$T` bound to the Rust type of a dtype.
///
/// ```
/// use wengert_kernel::{DType, with_element};
///
/// let bytes = |dtype: DType| with_element!(dtype, T => size_of::<T>());
/// assert_eq!((bytes(DType::Bool), bytes(DType::F64)), (1, 8));
/// ```
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::DType::Bool => {
                type $T = bool;
                $body
            }
            $crate::DType::U8 => {
                type $T = u8;
                $body
            }
            $crate::DType::I32 => {
                type $T = i32;
                $body
            }
            $crate::DType::I64 => {
                type $T = i64;
                $body
            }
            $crate::DType::U32 => {
                type $T = u32;
                $body
            }
            $crate::DType::U64 => {
                type $T = u64;
                $body
            }
            $crate::DType::F16 => {
                type $T = $crate::f16;
                $body
            }
            $crate::DType::BF16 => {
                type $T = $crate::bf16;
                $body
            }
            $crate::DType::F32 => {
                type $T = f32;
                $body
            }
            $crate::DType::F64 => {
                type $T = f64;
                $body
            }
            $crate::DType::C64 | $crate::DType::C128 => $crate::dtype::no_element(),
        }
    };
}

/// Complex numbers are pairs of arrays before anything is computed with their elements.
#[doc(hidden)]
#[cold]
pub fn no_element() -> ! {
    unreachable!("complex numbers are taken apart before they are stored")
}

/// One element with its dtype; equal by bits, so `-0.0 != 0.0` and NaN equals itself.
/// That of a complex dtype is a real number: its bits are those of the real part, and the imaginary part is 0.
///
/// ```
/// use wengert_kernel::Scalar;
///
/// assert_eq!(Scalar::new(2.5).to_string(), "2.5");
/// assert_ne!(Scalar::new(0.0), Scalar::new(-0.0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scalar {
    /// The dtype.
    pub dtype: DType,
    /// The value's bits, zero-extended to 64.
    pub bits: u64,
}

impl Scalar {
    /// From a Rust value.
    ///
    /// ```
    /// use wengert_kernel::{DType, Scalar};
    ///
    /// assert_eq!(Scalar::new(1u8).dtype, DType::U8);
    /// ```
    pub fn new<T: Element>(x: T) -> Self {
        Scalar { dtype: T::DTYPE, bits: x.to_bits() }
    }

    /// As a Rust value; `None` when the dtype is another.
    ///
    /// ```
    /// use wengert_kernel::Scalar;
    ///
    /// assert_eq!(Scalar::new(1.5).get::<f64>(), Some(1.5));
    /// assert_eq!(Scalar::new(1.5).get::<f32>(), None);
    /// ```
    pub fn get<T: Element>(self) -> Option<T> {
        (self.dtype == T::DTYPE).then(|| T::from_bits(self.bits))
    }

    /// Zero (or `false`) of a dtype.
    ///
    /// ```
    /// use wengert_kernel::{DType, Scalar};
    ///
    /// assert_eq!(Scalar::zero(DType::I32), Scalar::new(0));
    /// ```
    pub fn zero(dtype: DType) -> Self {
        Scalar { dtype, bits: 0 }
    }

    /// One (or `true`) of a dtype.
    ///
    /// ```
    /// use wengert_kernel::{DType, Scalar};
    ///
    /// assert_eq!(Scalar::one(DType::F32), Scalar::new(1f32));
    /// ```
    pub fn one(dtype: DType) -> Self {
        let bits = match dtype.real() {
            DType::F16 => f16::ONE.to_bits().into(),
            DType::BF16 => bf16::ONE.to_bits().into(),
            DType::F32 => 1f32.to_bits().into(),
            DType::F64 => 1f64.to_bits(),
            _ => 1,
        };
        Scalar { dtype, bits }
    }
}

impl<T: Element> From<T> for Scalar {
    fn from(x: T) -> Self {
        Scalar::new(x)
    }
}

/// The shortest text that reads back to the same value: `2.0`, `-7`, `true`, `nan`, `inf`.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype.real() {
            DType::F16 | DType::BF16 => half_text(f, *self),
            DType::F32 => {
                let x = f32::from_bits(self.bits as u32);
                if x.is_nan() { float_nan(f, self.bits, f32::NAN.to_bits() as u64) } else { write!(f, "{x:?}") }
            }
            DType::F64 => {
                let x = f64::from_bits(self.bits);
                if x.is_nan() { float_nan(f, self.bits, f64::NAN.to_bits()) } else { write!(f, "{x:?}") }
            }
            DType::Bool => write!(f, "{}", self.bits != 0),
            DType::I32 => write!(f, "{}", self.bits as i32),
            DType::I64 => write!(f, "{}", self.bits as i64),
            DType::U8 | DType::U32 | DType::U64 => write!(f, "{}", self.bits),
            DType::C64 | DType::C128 => no_element(),
        }
    }
}

/// With as few digits as tell the number from its neighbours.
fn half_text(f: &mut fmt::Formatter<'_>, half: Scalar) -> fmt::Result {
    let x: f32 = with_element!(half.dtype, T => crate::scalar::convert(<T as Element>::from_bits(half.bits)));
    if x.is_nan() {
        let canonical = if half.dtype == DType::F16 { f16::NAN.to_bits() } else { bf16::NAN.to_bits() };
        return float_nan(f, half.bits, canonical.into());
    }
    let shorter = (0..9).filter_map(|digits| format!("{x:.digits$e}").parse::<f32>().ok());
    let read_back = |y: &f32| ScalarOp::Convert(half.dtype).eval(&[Scalar::new(*y)]) == half;
    write!(f, "{:?}", shorter.into_iter().find(read_back).unwrap_or(x))
}

fn float_nan(f: &mut fmt::Formatter<'_>, bits: u64, canonical: u64) -> fmt::Result {
    if bits == canonical { write!(f, "nan") } else { write!(f, "nan:{bits:x}") }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}{}", self.dtype)
    }
}

impl Scalar {
    /// Reads what `Display` prints, for a known dtype.
    ///
    /// ```
    /// use wengert_kernel::{DType, Scalar};
    ///
    /// assert_eq!(Scalar::parse("2.5", DType::F64), Some(Scalar::new(2.5)));
    /// assert_eq!(Scalar::parse("2.5", DType::I32), None);
    /// ```
    pub fn parse(text: &str, dtype: DType) -> Option<Scalar> {
        let nan = |canonical: u64| match text.strip_prefix("nan:") {
            Some(hex) => u64::from_str_radix(hex, 16).ok(),
            None => (text == "nan" || text == "NaN").then_some(canonical),
        };
        let bits = match dtype.real() {
            DType::Bool => match text {
                "true" => 1,
                "false" => 0,
                _ => return None,
            },
            DType::U8 => text.parse::<u8>().ok()? as u64,
            DType::I32 => text.parse::<i32>().ok()? as u32 as u64,
            DType::I64 => text.parse::<i64>().ok()? as u64,
            DType::U32 => text.parse::<u32>().ok()? as u64,
            DType::U64 => text.parse::<u64>().ok()?,
            DType::F16 | DType::BF16 => {
                let canonical = if dtype == DType::F16 { f16::NAN.to_bits() } else { bf16::NAN.to_bits() };
                match nan(canonical.into()) {
                    Some(bits) => bits & 0xffff,
                    // The decimal number is rounded once: `f64` holds all that anybody writes for a number of 16 bits.
                    None => ScalarOp::Convert(dtype).eval(&[Scalar::new(text.parse::<f64>().ok()?)]).bits,
                }
            }
            DType::F32 => match nan(f32::NAN.to_bits() as u64) {
                Some(bits) => bits & 0xffff_ffff,
                None => text.parse::<f32>().ok()?.to_bits() as u64,
            },
            DType::F64 => match nan(f64::NAN.to_bits()) {
                Some(bits) => bits,
                None => text.parse::<f64>().ok()?.to_bits(),
            },
            DType::C64 | DType::C128 => no_element(),
        };
        Some(Scalar { dtype, bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_read_back() {
        let bits = [
            0,
            1,
            u64::MAX,
            f64::NAN.to_bits(),
            f64::MIN.to_bits(),
            1 << 63,
            1 << 31,
            0x7fc0_0000,
            0xff80_0000,
            0x2e66,
            0x3dcd,
        ];
        for dtype in DType::ALL {
            assert_eq!(DType::from_name(&dtype.to_string()), Some(dtype));
            for bits in bits {
                let scalar = with_element!(dtype, T => Scalar::new(<T as Element>::from_bits(bits)));
                assert_eq!(Scalar::parse(&scalar.to_string(), dtype), Some(scalar), "{scalar:?}");
            }
        }
        assert_eq!(Scalar::new(2.0f64).to_string(), "2.0");
        assert_eq!(Scalar::new(-0.0f32).to_string(), "-0.0");
        assert_eq!(Scalar::new(f64::NAN).to_string(), "nan");
        assert_eq!(Scalar::new(f16::from_f64(0.1)).to_string(), "0.1");
        assert_eq!(Scalar::new(bf16::from_f64(-1e30)).to_string(), "-1e30");
        assert_eq!(Scalar::new(bf16::INFINITY).to_string(), "inf");
        for bits in 0..=u16::MAX {
            for half in [Scalar::new(f16::from_bits(bits)), Scalar::new(bf16::from_bits(bits))] {
                assert_eq!(Scalar::parse(&half.to_string(), half.dtype), Some(half), "{half:?}");
            }
        }
        for (text, dtype) in [("256", DType::U8), ("-1", DType::U64), ("1.5", DType::I32), ("1", DType::Bool)] {
            assert_eq!(Scalar::parse(text, dtype), None);
        }
    }

    #[test]
    fn scalars_know_their_dtype() {
        assert_eq!(Scalar::new(7u8).get::<u8>(), Some(7));
        assert_eq!(Scalar::new(7u8).get::<i32>(), None);
        assert_eq!(Scalar::new(-1i32).bits, 0xffff_ffff);
        for dtype in DType::ALL {
            with_element!(dtype, T => {
                let one = Scalar::one(dtype).get::<T>().unwrap();
                assert_eq!(T::DTYPE.size(), size_of::<T>());
                assert_eq!(crate::scalar::convert::<T, u8>(one), 1);
                assert_eq!(Scalar::new(one), Scalar::one(dtype));
                assert_ne!(Scalar::zero(dtype), Scalar::one(dtype));
            });
        }
    }
}
