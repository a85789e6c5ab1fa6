//! What the laws are checked on: a sample is an operation with its operands; and the operands that samples share.

use super::Op;
use crate::value::{ArrayValue, Value};
use wengert_kernel::{DType, Element, Scalar, ScalarOp, bf16, f16};

/// One instance of an operation on which the laws are checked.
///
/// ```
/// use wengert_core::{ops::{Sample, Select}, value::Value};
///
/// let sample = Sample::new(Select, vec![Value::scalar(true), Value::scalar(1.0), Value::scalar(2.0)]).linear(&[1, 2]);
/// assert_eq!(sample.smooth, [1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Sample {
    /// The operation.
    pub op: Op,
    /// Its operands.
    pub args: Vec<Value>,
    /// Operands in which it is smooth here, so that finite differences tell the derivative.
    pub smooth: Vec<usize>,
    /// Operands in which it is linear jointly, so that it has a transpose.
    pub linear: Vec<usize>,
}

impl Sample {
    /// A sample that is smooth and linear in nothing.
    ///
    /// ```
    /// use wengert_core::{ops::{Sample, Select}, value::Value};
    ///
    /// let args = vec![Value::scalar(true), Value::scalar(1.0), Value::scalar(2.0)];
    /// assert!(Sample::new(Select, args).smooth.is_empty());
    /// ```
    pub fn new(op: impl Into<Op>, args: Vec<Value>) -> Self {
        Sample { op: op.into(), args, smooth: Vec::new(), linear: Vec::new() }
    }

    /// An operand of distinct numbers of both signs where the dtype has them, none of them near 0.
    pub(super) fn numbers(dtype: DType, shape: &[usize]) -> Value {
        let n: usize = shape.iter().product();
        // Multiples of the golden ratio, modulo 1, keep apart from each other.
        let spread = |k: usize| ((k + 1) as f64 * 0.618_033_988_749_895).fract() + 0.25;
        let float = |k: usize| if k % 3 == 1 { -spread(k) } else { spread(k) };
        let whole = |k: usize| (k * 7 + 3) as i64 % 23 - if dtype.is_signed() { 11 } else { 0 };
        let number = |k: usize| match dtype {
            DType::Bool => Scalar::new(k * k % 3 == 1),
            DType::F16 | DType::BF16 => ScalarOp::Convert(dtype).eval(&[Scalar::new(float(k))]),
            DType::F32 => Scalar::new(float(k) as f32),
            DType::F64 => Scalar::new(float(k)),
            DType::I32 => Scalar::new(whole(k) as i32),
            DType::I64 => Scalar::new(whole(k)),
            DType::U8 => Scalar::new(whole(k) as u8),
            DType::U32 => Scalar::new(whole(k) as u32),
            DType::U64 => Scalar::new(whole(k) as u64),
            DType::C64 | DType::C128 => wengert_kernel::dtype::no_element(),
        };
        let mut x = ArrayValue::full(shape, Scalar::zero(dtype));
        for k in 0..n {
            x.make_mut().set(k, number(k));
        }
        x.into()
    }

    /// Smooth in these operands.
    ///
    /// ```
    /// use wengert_core::{ops::{Sample, Select}, value::Value};
    ///
    /// let args = vec![Value::scalar(true), Value::scalar(1.0), Value::scalar(2.0)];
    /// assert_eq!(Sample::new(Select, args).smooth(&[1]).smooth, [1]);
    /// ```
    pub fn smooth(mut self, operands: &[usize]) -> Self {
        self.smooth = operands.to_vec();
        self
    }

    /// Linear in these operands together (and smooth in them).
    ///
    /// ```
    /// use wengert_core::{ops::{Sample, Select}, value::Value};
    ///
    /// let args = vec![Value::scalar(true), Value::scalar(1.0), Value::scalar(2.0)];
    /// let sample = Sample::new(Select, args).linear(&[1, 2]);
    /// assert_eq!((sample.linear, sample.smooth), (vec![1, 2], vec![1, 2]));
    /// ```
    pub fn linear(mut self, operands: &[usize]) -> Self {
        self.linear = operands.to_vec();
        self.smooth(operands)
    }
}

/// Shapes on which laws are checked: a scalar, nothing, an odd length, two axes.
pub(super) const SHAPES: [&[usize]; 4] = [&[], &[0], &[7], &[2, 3]];

/// Shapes for hard values beside the line of all of them: a scalar, nothing, a column.
pub(super) const HARD_SHAPES: [&[usize]; 3] = [&[], &[0], &[5, 1]];

/// One dtype of each size of elements, for operations that only move them.
pub(super) const ONE_OF_EACH_SIZE: [DType; 4] = [DType::F64, DType::F32, DType::BF16, DType::U8];

/// The dtypes that are computed with; halves are so as `f32`.
pub(super) fn computed() -> impl Iterator<Item = DType> {
    DType::ALL.into_iter().filter(|dtype| !dtype.is_half())
}

/// Points spread evenly over an interval, neither its ends nor its middle among them; another set for each `seed`.
pub(super) fn points(interval: (f64, f64), seed: usize, shape: &[usize]) -> Value {
    ArrayValue::new(shape, spread(interval, seed, shape.iter().product())).into()
}

/// The same in `f32`.
pub(super) fn points_f32(interval: (f64, f64), seed: usize, shape: &[usize]) -> Value {
    let points = spread(interval, seed, shape.iter().product());
    ArrayValue::new(shape, points.into_iter().map(|x| x as f32).collect()).into()
}

/// Multiples of the golden ratio modulo 1 keep their distance from each other.
fn spread((low, high): (f64, f64), seed: usize, n: usize) -> Vec<f64> {
    let fraction = |i: usize| (0.29 + 0.381_966 * seed as f64 + 0.618_034 * i as f64).fract();
    (0..n).map(|i| low + (high - low) * fraction(i)).collect()
}

const HALVES: [u16; 22] = [
    0x0000, 0x8000, 0x0001, 0x8001, 0x007f, 0x0080, 0x03ff, 0x0400, 0x3555, 0x3c00, 0xbc00, 0x3f80, 0xbf80, 0x4248,
    0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x7f7f, 0x7f80, 0xff80, 0x7fc0,
];

/// The values of a dtype at which functions go wrong.
pub(super) fn hard_values(dtype: DType) -> Value {
    fn array<T: Element, const N: usize>(x: [T; N]) -> Value {
        ArrayValue::new(&[N], x.to_vec()).into()
    }
    macro_rules! floats {
        ($t:ident, $tiny:expr) => {{
            use std::$t::consts::PI;
            let big = [$t::NAN, $t::INFINITY, $t::NEG_INFINITY, $t::MAX, -1e30, 1e17, 750.0, -750.0, 100.0, PI];
            let small = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, 2.5, -5.5, $t::MIN_POSITIVE, -$tiny, 1e-9];
            ArrayValue::new(&[big.len() + small.len()], [big.as_slice(), &small].concat()).into()
        }};
    }
    match dtype {
        DType::Bool => array([true, false, true]),
        DType::U8 => array([0, 1, 2, 7, 8, 127, 255u8]),
        DType::I32 => array([0, 1, -1, 2, -2, 7, 31, 32, 33, i32::MIN, i32::MAX]),
        DType::I64 => array([0, 1, -1, 2, -2, 7, 63, 64, (1 << 53) + 1, i64::MIN, i64::MAX]),
        DType::U32 => array([0, 1, 2, 7, 31, 32, 33, 1 << 31, u32::MAX]),
        DType::U64 => array([0, 1, 2, 7, 63, 64, (1 << 53) + 1, 1 << 63, u64::MAX]),
        // 0, 1 and the bounds of subnormal, normal and finite numbers of both formats, of both signs, and NaN.
        DType::F16 => array(HALVES.map(f16::from_bits)),
        DType::BF16 => array(HALVES.map(bf16::from_bits)),
        DType::F32 => floats!(f32, 1e-45),
        DType::F64 => floats!(f64, 5e-324),
        DType::C64 | DType::C128 => wengert_kernel::dtype::no_element(),
    }
}

/// Hard values one after the other, beginning with another one for each number of elements.
pub(super) fn hard(dtype: DType, shape: &[usize]) -> Value {
    taken_in_turn(&hard_values(dtype), shape)
}

/// The same of pairs.
pub(super) fn hard_pair(dtype: DType, shape: &[usize]) -> [Value; 2] {
    let (a, b) = hard_pairs(dtype);
    [a, b].map(|values| taken_in_turn(&values, shape))
}

/// Few different numbers, so that many elements are equal.
pub(super) fn ties(dtype: DType, shape: &[usize]) -> Value {
    few([1.0, 0.0, 2.0, 2.0, 1.0, 3.0, 0.0, 3.0], dtype, shape)
}

/// Zeros of both signs where the dtype has them, and here and there a one.
pub(super) fn zeros(dtype: DType, shape: &[usize]) -> Value {
    few([0.0, -0.0, -0.0, 0.0, -0.0, -0.0, 1.0, 0.0], dtype, shape)
}

fn few(numbers: [f64; 8], dtype: DType, shape: &[usize]) -> Value {
    let mut values = ArrayValue::full(&[numbers.len()], Scalar::zero(dtype));
    for (i, x) in numbers.into_iter().enumerate() {
        values.make_mut().set(i, ScalarOp::Convert(dtype).eval(&[Scalar::new(x)]));
    }
    taken_in_turn(&values.into(), shape)
}

/// Where arrays of ascending lengths go on, every value comes at every place of a vector.
fn taken_in_turn(values: &Value, shape: &[usize]) -> Value {
    let (values, n) = (values.array(), shape.iter().product::<usize>());
    let first = n * n.saturating_sub(1) / 2;
    let mut x = ArrayValue::full(shape, Scalar::zero(values.dtype()));
    for k in 0..n {
        x.make_mut().set(k, values.get((first + k) % values.size()));
    }
    x.into()
}

/// Every pair of hard values.
pub(super) fn hard_pairs(dtype: DType) -> (Value, Value) {
    let values = hard_values(dtype).into_array();
    let all: Vec<Scalar> = (0..values.size()).map(|i| values.get(i)).collect();
    let pairs: Vec<(Scalar, Scalar)> = all.iter().flat_map(|&a| all.iter().map(move |&b| (a, b))).collect();
    let side = |of: fn(&(Scalar, Scalar)) -> Scalar| -> Value {
        let mut x = ArrayValue::full(&[pairs.len()], Scalar::zero(dtype));
        let elements = x.make_mut();
        pairs.iter().enumerate().for_each(|(i, pair)| elements.set(i, of(pair)));
        x.into()
    };
    (side(|p| p.0), side(|p| p.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_keep_off_ends_and_middle() {
        for seed in 0..3 {
            let x = spread((-1.0, 1.0), seed, 7);
            assert!(x.iter().all(|x| x.abs() > 1e-2 && x.abs() < 0.999), "{x:?}");
        }
    }
}
