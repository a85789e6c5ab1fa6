//! Arithmetic composed of other arithmetic: divisions that round down, limits, neighbours, shifts of bits.

use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::refusal::refuse;
use crate::source::called;
use wengert_kernel::{DType, bf16, f16};

impl Array {
    /// The remainder of the division that rounds down: it has the sign of the divisor, as NumPy's `remainder` (Python's `%`).
    /// The operator `%` gives the one with the sign of the dividend.
    ///
    /// Integers: `x` by 0 is 0. The derivatives are 1 and minus the quotient.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![7, -7].remainder(3), array![1, 2]);
    /// assert_eq!(array![7.0, -7.0].remainder(-3.0), array![-2.0, -1.0]);
    /// ```
    #[track_caller]
    pub fn remainder(&self, divisor: impl Into<Term>) -> Array {
        let _called = called("remainder");
        let [x, y] = promote([self.into(), divisor.into()]);
        if x.dtype().is_float() {
            let left = &x % &y;
            return mend(&left, &y).select(&left + &y, &left);
        }
        let by_zero = y.eq(0);
        let y = by_zero.select(1, &y);
        let left = &x % &y;
        mend(&left, &y).select(&left + &y, &left)
    }

    /// The quotient rounded down, as NumPy's `floor_divide` (Python's `//`). The operator `/` truncates integers.
    ///
    /// Integers by 0: 1 less than `x / 0`, but for 0 by 0, as JAX has it. The derivatives are 0.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![7, -7].floor_divide(2), array![3, -4]);
    /// assert_eq!(array![7.0, -7.0].floor_divide(2.0), array![3.0, -4.0]);
    /// ```
    #[track_caller]
    pub fn floor_divide(&self, divisor: impl Into<Term>) -> Array {
        let _called = called("floor_divide");
        let [x, y] = promote([self.into(), divisor.into()]);
        let left = &x % &y;
        if x.dtype().is_float() {
            // The quotient of what the divisor divides is whole but for rounding.
            let whole = (&x - &left) / &y;
            let rounded = mend(&left, &y).select(&whole - 1.0, &whole).round();
            return y.eq(0.0).select((&x / &y).stop_gradient(), rounded);
        }
        let below = x.sign().ne(y.sign()) & left.ne(0);
        let quotient = x / y;
        if quotient.dtype().is_signed() { below.select(&quotient - 1, &quotient) } else { quotient }
    }

    /// Limits elements to `low..=high`, as JAX's `lax.clamp`: on a bound and beyond the derivative is 0, where that of
    /// [`Array::clip`] is 1/2 on a bound. NaN stays NaN. `low` must not be above `high`.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![-1.0, 0.5, 2.0].clamp(0.0, 1.0), array![0.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn clamp(&self, low: impl Into<Term>, high: impl Into<Term>) -> Array {
        let _called = called("clamp");
        let [x, low, high] = promote([self.into(), low.into(), high.into()]);
        let inside = x.gt(&low) & x.lt(&high);
        let rest = x.gt(&high).select(&high, x.lt(&low).select(&low, x.stop_gradient()));
        inside.select(&x, rest)
    }

    /// The next float after each element on the way to `target`; the target itself when they are equal. No derivative.
    ///
    /// # Panics
    /// At the caller's line when the dtype is not float.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1.0, 0.0].nextafter(array![2.0, -1.0]), array![1.0 + f64::EPSILON, -5e-324]);
    /// ```
    #[track_caller]
    pub fn nextafter(&self, target: impl Into<Term>) -> Array {
        let _called = called("nextafter");
        let [x, target] = promote([self.into(), target.into()]);
        if x.dtype().is_half() {
            return next_half(&x, &target);
        }
        let bits = match x.dtype() {
            DType::F32 => DType::I32,
            DType::F64 => DType::I64,
            _ => refuse(format!("{} has no next number; `convert` it to a float", x.ty()), &[&x]),
        };
        let (x, target) = (&x.stop_gradient(), &target.stop_gradient());
        // Without the sign, integers and floats have one order.
        let up = x.lt(target).eq(x.gt(0.0));
        let pattern = x.bitcast(bits);
        let moved = up.select(&pattern + 1, &pattern - 1).bitcast(x.dtype());
        // The least number above 0, with the sign of the target.
        let least = (target.sign().convert(bits).abs()).bitcast(x.dtype());
        let least = target.lt(0.0).select(-&least, &least);
        let y = x.eq(0.0).select(least, moved);
        let y = x.eq(target).select(target, y);
        (x.is_nan() | target.is_nan()).select(x + target, y)
    }

    /// Integers with their bits moved to lower places, zeros coming in from above, for signed ones too. The operator `>>`
    /// repeats the sign of signed ones, as [`Array::shift_right_arithmetic`] does for all.
    ///
    /// # Panics
    /// At the caller's line when the dtype is not integer.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![-1, 8].shift_right_logical(28), array![15, 0]);
    /// ```
    #[track_caller]
    pub fn shift_right_logical(&self, amount: impl Into<Term>) -> Array {
        let _called = called("shift_right_logical");
        let [x, amount] = promote([self.into(), amount.into()]);
        let dtype = x.dtype();
        let unsigned = counterpart(dtype, false);
        (x.convert(unsigned) >> amount.convert(unsigned)).convert(dtype)
    }

    /// Integers with their bits moved to lower places, the highest bit coming in from above, for unsigned ones too.
    ///
    /// # Panics
    /// At the caller's line when the dtype is not integer.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![u32::MAX, 8].shift_right_arithmetic(2), array![u32::MAX, 2]);
    /// ```
    #[track_caller]
    pub fn shift_right_arithmetic(&self, amount: impl Into<Term>) -> Array {
        let _called = called("shift_right_arithmetic");
        let [x, amount] = promote([self.into(), amount.into()]);
        let dtype = x.dtype();
        if dtype == DType::U8 {
            // The same value with its highest bit in the place of 32 bits' highest.
            let wide = x.convert(DType::I32) << 24;
            let amount = amount.convert(DType::I32).minimum(31);
            return ((wide >> amount) >> 24).convert(dtype);
        }
        let signed = counterpart(dtype, true);
        (x.convert(signed) >> amount.convert(signed)).convert(dtype)
    }

    /// Integers with their bits moved to higher places, as `<<` does.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, -1].shift_left(3), array![8, -8]);
    /// ```
    #[track_caller]
    pub fn shift_left(&self, amount: impl Into<Term>) -> Array {
        let _called = called("shift_left");
        let [x, amount] = promote([self.into(), amount.into()]);
        x << amount
    }

    /// The elements to a whole power: [`Array::powi`] under JAX's name.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![2.0, -3.0].integer_pow(3), array![8.0, -27.0]);
    /// ```
    #[track_caller]
    pub fn integer_pow(&self, n: i32) -> Array {
        let _called = called("integer_pow");
        self.powi(n)
    }
}

/// Where a remainder is not 0 and has not the sign of the divisor.
#[track_caller]
fn mend(left: &Array, divisor: &Array) -> Array {
    left.ne(0).logical_and(&left.lt(0).ne(divisor.lt(0)))
}

/// The integers of the same size with or without sign.
fn counterpart(dtype: DType, signed: bool) -> DType {
    match (dtype, signed) {
        (DType::I32, false) => DType::U32,
        (DType::I64, false) => DType::U64,
        (DType::U32, true) => DType::I32,
        (DType::U64, true) => DType::I64,
        _ => dtype,
    }
}

/// [`Array::nextafter`] of halves: by the distance of the numbers where `x` is, which `f32` adds without rounding.
#[track_caller]
fn next_half(x: &Array, target: &Array) -> Array {
    let half = x.dtype();
    let (fraction, least) = if half == DType::F16 { (10, -14) } else { (7, -126) };
    let [x, target] = [x, target].map(|x| x.stop_gradient().convert(DType::F32));
    let outwards = x.eq(0.0) | x.lt(&target).eq(x.gt(0.0));
    // The exponent of the power of two that is not above: towards 0 the next number is among those of the power below.
    let exponent = (x.bitcast(DType::I32) >> 23 & 0xff) - 127;
    let power = (x.bitcast(DType::I32) & 0x7f_ffff).eq(0) & outwards.logical_not();
    let exponent = power.select(&exponent - 1, &exponent).maximum(least);
    let distance = Array::from(2.0f32).pow((exponent - fraction).convert(DType::F32));
    // Beyond the greatest number lies infinity, and inside of infinity that number.
    let up = x.lt(&target).select(1.0, -1.0).convert(DType::F32);
    let greatest = if half == DType::F16 { f16::MAX.to_f64() } else { bf16::MAX.to_f64() };
    let y = x.is_finite().select(&x + up * distance, x.sign() * greatest);
    let y = x.eq(&target).select(&target, y);
    (x.is_nan() | target.is_nan()).select(&x + &target, y).convert(half)
}

#[cfg(test)]
mod tests {
    use crate::array;
    use crate::trace::door;

    const INF: f64 = f64::INFINITY;

    /// JAX 0.10.2's values.
    #[test]
    fn divisions_that_round_down() {
        let (x, y) = (array![7, -7, 7, -7, 7, -7, 0], array![2, 2, -2, -2, 0, 0, 0]);
        assert_eq!(x.floor_divide(&y), array![3, -4, -4, 3, -2, -2, -1]);
        assert_eq!(x.remainder(&y), array![1, 1, -1, -1, 0, 0, 0]);
        let (x, y) = (array![7.0, -7.0, 7.0, -7.0, 5.0, -5.0, 4.0], array![2.0, 2.0, -2.0, -2.0, INF, INF, -2.0]);
        assert_eq!(x.floor_divide(&y), array![3.0, -4.0, -4.0, 3.0, 0.0, -1.0, -2.0]);
        assert_eq!(x.remainder(&y), array![1.0, 1.0, -1.0, -1.0, 5.0, INF, 0.0]);
        assert_eq!(array![7.0, -7.0].floor_divide(0.0), array![INF, -INF]);
        assert_eq!(array![0.0, INF].floor_divide(array![0.0, 1.0]).is_nan(), array![true, true]);
        assert_eq!(array![7u8, 7].floor_divide(array![2u8, 0]), array![3u8, 255]);
        assert_eq!(array![i32::MIN, i32::MIN].floor_divide(array![-1, 2]), array![i32::MIN, i32::MIN / 2]);
    }

    #[test]
    fn neighbours() {
        let x = array![0.0, -0.0, 1.0, 1.0, -1.0, -1.0, INF, f64::MAX, 0.0, 5e-324];
        let target = array![1.0, -1.0, 2.0, 0.0, -2.0, 2.0, 0.0, INF, -0.0, -1.0];
        let next = [5e-324, -5e-324, 1f64.next_up(), 1f64.next_down(), (-1f64).next_down(), (-1f64).next_up()];
        let rest = [f64::MAX, INF, -0.0, 0.0];
        let y = x.nextafter(target).to_vec::<f64>().unwrap();
        let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&y), bits(&[next.as_slice(), &rest].concat()));
        assert_eq!(array![1f32].nextafter(array![2f32]), array![1f32.next_up()]);
        assert!(array![f64::NAN].nextafter(1.0).item::<f64>().unwrap().is_nan());
        let error = door(|| array![1].nextafter(2)).unwrap_err();
        assert!(error.message.starts_with("nextafter: i32[1] has no next number"), "{error}");
    }

    #[test]
    fn shifts() {
        let x = array![-5, 5, i32::MIN];
        assert_eq!(x.shift_right_logical(1), array![i32::MAX - 2, 2, 1 << 30]);
        assert_eq!(x.shift_right_logical(array![32, -1, 31]), array![0, 0, 1]);
        assert_eq!(x.shift_right_arithmetic(array![33, 1, 31]), array![-1, 2, -1]);
        assert_eq!(array![200u8, 100].shift_right_arithmetic(array![3u8, 9]), array![249u8, 0]);
        assert_eq!(array![200u8].shift_right_arithmetic(array![200u8]), array![255u8]);
        assert_eq!(array![u64::MAX].shift_right_arithmetic(array![70u64]), array![u64::MAX]);
        assert!(
            door(|| array![1.0].shift_right_logical(1.0)).unwrap_err().message.starts_with("shift_right_logical: ")
        );
    }

    #[test]
    fn limits() {
        let x = array![-1.0, 0.0, 0.5, 1.0, 9.0, f64::NAN];
        let y = x.clamp(0.0, 1.0).to_vec::<f64>().unwrap();
        assert!(y[..5] == [0.0, 0.0, 0.5, 1.0, 1.0] && y[5].is_nan());
        assert_eq!(array![-3, 3].clamp(-1, 1), array![-1, 1]);
    }
}
