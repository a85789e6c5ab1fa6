//! `f16` and `bf16`: what the elements that are kept in 16 bits can do. They are rounded once, to nearest, ties to even,
//! from whatever other type.

use crate::operand::{Operand, Wide};
use crate::scalar::{Binary, Unary};
use half::{bf16, f16};

macro_rules! halves {
    ($($t:ident),*) => {$(
        impl Operand for $t {
            fn unary(_: Unary) -> Option<fn($t) -> $t> {
                None
            }

            fn binary(op: Binary) -> Option<fn($t, $t) -> $t> {
                match op {
                    Binary::Add => Some(|x, y| $t::from_f32(x.to_f32() + y.to_f32())),
                    _ => None,
                }
            }

            #[inline(always)]
            fn widen(self) -> Wide {
                Wide::Single(self.to_f32())
            }

            #[inline(always)]
            fn narrow(x: Wide) -> $t {
                $t::from_f32(match x {
                    Wide::Signed(x) => to_odd(integer_to_odd(x.into())),
                    Wide::Unsigned(x) => to_odd(integer_to_odd(x.into())),
                    Wide::Single(x) => x,
                    Wide::Double(x) => to_odd(x),
                })
            }
        }
    )*};
}

halves! { f16, bf16 }

/// The neighbouring `f32` whose last bit is 1, unless the number is one itself: a second rounding, to far fewer bits, then
/// gives what one rounding would (S. Boldo, G. Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
fn to_odd(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) == x || x.is_nan() {
        return near;
    }
    let beyond = f64::from(near).abs() > x.abs();
    f32::from_bits((near.to_bits() - beyond as u32) | 1)
}

/// The same of an integer, as `f64`.
fn integer_to_odd(x: i128) -> f64 {
    let near = x as f64;
    if near as i128 == x {
        return near;
    }
    let beyond = (near as i128).abs() > x.abs();
    f64::from_bits((near.to_bits() - beyond as u64) | 1)
}

#[cfg(test)]
mod tests {
    use crate::scalar::convert;
    use half::{bf16, f16};

    /// All 65536 of both, against the definition of the formats.
    #[test]
    fn they_are_the_numbers_of_their_formats() {
        for bits in 0..=u16::MAX {
            let value = |exponent_bits: u32, fraction_bits: u32| {
                let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
                let exponent = i32::from(bits >> fraction_bits) & ((1 << exponent_bits) - 1);
                let fraction = f64::from(bits & ((1 << fraction_bits) - 1)) / f64::from(1 << fraction_bits);
                let bias = (1 << (exponent_bits - 1)) - 1;
                match exponent {
                    0 => sign * fraction * 2f64.powi(1 - bias),
                    _ if exponent == (1 << exponent_bits) - 1 && fraction == 0.0 => sign * f64::INFINITY,
                    _ if exponent == (1 << exponent_bits) - 1 => f64::NAN,
                    _ => sign * (1.0 + fraction) * 2f64.powi(exponent - bias),
                }
            };
            let same = |x: f64, y: f64| x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan());
            assert!(same(convert(f16::from_bits(bits)), value(5, 10)), "f16 {bits:#x}");
            assert!(same(convert(bf16::from_bits(bits)), value(8, 7)), "bf16 {bits:#x}");
        }
    }

    /// Around every number and every midpoint of two: what is nearer, and of two as near the one with an even last bit.
    #[test]
    fn they_are_rounded_once() {
        for bits in 0..0x7c00u16 {
            let (low, high) = (f16::from_bits(bits).to_f64(), f16::from_bits(bits + 1).to_f64());
            let high = if high.is_infinite() { 65536.0 } else { high };
            let middle = (low + high) / 2.0;
            let even = bits + (bits & 1);
            for (x, want) in [
                (low, bits),
                (middle.next_down(), bits),
                (middle, even),
                (middle.next_up(), bits + 1),
                (middle * (1.0 + 1e-12), bits + 1),
                (middle * (1.0 - 1e-12), bits),
            ] {
                assert_eq!(convert::<f64, f16>(x).to_bits(), want, "{x:e}");
                assert_eq!(convert::<f64, f16>(-x).to_bits(), want | 0x8000, "-{x:e}");
            }
            assert_eq!(convert::<f32, f16>(middle as f32).to_bits(), even);
        }
        for bits in 0..0x7f7fu16 {
            let (low, high) = (bf16::from_bits(bits).to_f64(), bf16::from_bits(bits + 1).to_f64());
            let middle = (low + high) / 2.0;
            for (x, want) in
                [(middle.next_down(), bits), (middle, bits + (bits & 1)), (middle.next_up(), bits + 1), (low, bits)]
            {
                assert_eq!(convert::<f64, bf16>(x).to_bits(), want, "{x:e}");
                assert_eq!(convert::<f64, bf16>(-x).to_bits(), want | 0x8000, "-{x:e}");
            }
            assert_eq!(convert::<f32, bf16>(middle as f32).to_bits(), bits + (bits & 1));
        }
    }

    #[test]
    fn integers_are_rounded_once() {
        // Half way between two bf16 but for the last bit, which neither f32 nor f64 would keep.
        let middle = (1i64 << 60) + (1 << 52);
        assert_eq!(convert::<i64, bf16>(middle), bf16::from_f64(2f64.powi(60)));
        assert_eq!(convert::<i64, bf16>(middle + 1).to_f64(), 2f64.powi(60) + 2f64.powi(53));
        assert_eq!(convert::<i64, bf16>(-middle - 1).to_f64(), -2f64.powi(60) - 2f64.powi(53));
        assert_eq!(convert::<i64, bf16>(middle - 1), bf16::from_f64(2f64.powi(60)));
        assert_eq!(convert::<u64, bf16>(u64::MAX).to_f64(), 2f64.powi(64));
        assert_eq!(convert::<i32, f16>(65519), f16::MAX);
        assert_eq!(convert::<i32, f16>(65520), f16::INFINITY);
        assert_eq!(convert::<i64, f16>(i64::MIN), f16::NEG_INFINITY);
        assert_eq!((0..2049).map(convert::<i64, f16>).map(convert::<f16, i64>).sum::<i64>(), 2048 * 2049 / 2);
        assert_eq!(convert::<bool, bf16>(true), bf16::ONE);
    }

    #[test]
    fn they_become_what_their_f32_becomes() {
        for bits in 0..=u16::MAX {
            let (x, y) = (f16::from_bits(bits), bf16::from_bits(bits));
            assert_eq!(convert::<f16, i32>(x), x.to_f32() as i32);
            assert_eq!(convert::<bf16, i64>(y), y.to_f32() as i64);
            assert_eq!(convert::<f16, u8>(x), x.to_f32() as u8);
            assert_eq!(convert::<bf16, bool>(y), y.to_f32() != 0.0);
        }
    }
}
