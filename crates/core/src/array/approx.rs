//! Comparison up to rounding, by the traits of the crate `approx`.

use super::Array;
use crate::value::{ArrayValue, Value};
use approx::{AbsDiffEq, RelativeEq};
use wengert_kernel::{DType, ScalarOp};

/// Shapes and dtypes must be the same. Elements are compared as `f64`, so `i64` and `u64` beyond 2^53 are rounded.
///
/// ```
/// use approx::assert_abs_diff_eq;
/// use wengert_core::array;
///
/// assert_abs_diff_eq!(array![1.0, 2.0], array![1.0, 2.0 + 1e-9], epsilon = 1e-8);
/// ```
///
/// # Panics
/// On a traced array, whose elements are not known yet.
impl AbsDiffEq for Array {
    type Epsilon = f64;

    fn default_epsilon() -> f64 {
        f64::default_epsilon()
    }

    #[track_caller]
    fn abs_diff_eq(&self, other: &Array, epsilon: f64) -> bool {
        all(self, other, |a, b| a.abs_diff_eq(&b, epsilon))
    }
}

/// ```
/// use approx::assert_relative_eq;
/// use wengert_core::array;
///
/// assert_relative_eq!(array![1e9], array![1e9 + 1.0], max_relative = 1e-8);
/// ```
impl RelativeEq for Array {
    fn default_max_relative() -> f64 {
        f64::default_max_relative()
    }

    #[track_caller]
    fn relative_eq(&self, other: &Array, epsilon: f64, max_relative: f64) -> bool {
        all(self, other, |a, b| a.relative_eq(&b, epsilon, max_relative))
    }
}

#[track_caller]
fn all(a: &Array, b: &Array, near: impl Fn(f64, f64) -> bool) -> bool {
    let [a, b] = match (concrete(a), concrete(b)) {
        (Ok(a), Ok(b)) => [a, b],
        (Err(error), _) | (_, Err(error)) => error.raise(),
    };
    let float = |x: &ArrayValue, i| f64::from_bits(ScalarOp::Convert(DType::F64).eval(&[x.get(i)]).bits);
    a.ty() == b.ty() && (0..a.size()).all(|i| near(float(&a, i), float(&b, i)))
}

fn concrete(x: &Array) -> Result<ArrayValue, crate::Error> {
    x.value("a comparison up to rounding").map(Value::into_array)
}

#[cfg(test)]
mod tests {
    use crate::array;
    use approx::{assert_abs_diff_eq, assert_abs_diff_ne, assert_relative_eq, assert_relative_ne};

    #[test]
    fn shape_and_dtype_count() {
        assert_abs_diff_ne!(array![1.0], array![[1.0]]);
        assert_abs_diff_ne!(array![1.0], array![1f32]);
        assert_abs_diff_ne!(array![1.0], array![1.0, 2.0]);
        assert_abs_diff_eq!(array![1, 2], array![1, 3], epsilon = 1.0);
    }

    #[test]
    fn special_values() {
        assert_relative_eq!(array![f64::INFINITY, -0.0], array![f64::INFINITY, 0.0]);
        assert_relative_ne!(array![f64::INFINITY], array![f64::MAX]);
        assert_abs_diff_ne!(array![f64::NAN], array![f64::NAN], epsilon = 1.0);
    }
}
