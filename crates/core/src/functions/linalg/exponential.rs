//! Powers and the exponential of matrices.

use super::{inv, solve};
use crate::array::Array;
use crate::halves::in_f32;
use crate::ops::matrix::{batch, floats, on_diagonal, product, square, units};
use crate::ops::while_loop;
use crate::refusal::accept;
use crate::source::called;

/// The `n`-th powers of square matrices, by squaring; of the inverse when `n` is negative, the unit matrix when it is 0.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let a = array![[1.0, 1.0], [0.0, 1.0]];
/// assert_eq!(linalg::matrix_power(&a, 5), array![[1.0, 5.0], [0.0, 1.0]]);
/// assert_eq!(linalg::matrix_power(&a, -2), array![[1.0, -2.0], [0.0, 1.0]]);
/// ```
#[track_caller]
pub fn matrix_power(a: &Array, n: i64) -> Array {
    let _called = called("matrix_power");
    let a = floats(a);
    accept(square(&a.array_type(), batch(&a)), &[&a]);
    let mut power = if n < 0 { inv(&a) } else { a.clone() };
    let mut result = None;
    let mut bits = n.unsigned_abs();
    while bits > 0 {
        if bits & 1 == 1 {
            result = Some(result.map_or_else(|| power.clone(), |result| product(&result, &power)));
        }
        bits >>= 1;
        if bits > 0 {
            power = product(&power, &power);
        }
    }
    result.unwrap_or_else(|| units(a.dtype(), &a.shape()))
}

/// Coefficients of the numerator of the Padé approximation of degree 13 to the exponential; those of the denominator
/// alternate in sign.
const PADE: [f64; 14] = [
    64764752532480000.0,
    32382376266240000.0,
    7771770303897600.0,
    1187353796428800.0,
    129060195264000.0,
    10559470521600.0,
    670442572800.0,
    33522128640.0,
    1323241920.0,
    40840800.0,
    960960.0,
    16380.0,
    182.0,
    1.0,
];

/// Up to this 1-norm the approximation is exact to the precision of `f64`.
const REACH: f64 = 5.371920351148152;

/// The exponentials of square matrices: `[.., n, n]` to `[.., n, n]`.
///
/// By scaling and squaring with the Padé approximation of degree 13 (Higham, The scaling and squaring method for the matrix
/// exponential revisited, 2005). Every matrix of a batch is scaled by its own norm. NaN where it is not finite.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert_eq!(linalg::expm(&array![[0.0, 1.0], [0.0, 0.0]]), array![[1.0, 1.0], [0.0, 1.0]]);
/// ```
#[track_caller]
pub fn expm(a: &Array) -> Array {
    let _called = called("expm");
    in_f32!(a = a => expm(a));
    let a = &floats(a);
    let (_, n) = accept(square(&a.array_type(), batch(a)), &[a]);
    if a.size() == 0 {
        return a.clone();
    }
    if n == 1 {
        return a.exp();
    }
    // Halved so often that the norm is within reach; a norm that is no number is not halved.
    let norm = a.stop_gradient().abs().sum_axis(crate::ops::keepdims(-2)).max_axis(crate::ops::keepdims([-2, -1]));
    let halvings = ((&norm / REACH).log() / std::f64::consts::LN_2).ceil().maximum(0.0);
    let halvings = norm.is_finite().select(halvings, 0.0);
    // In two steps: 2^-1074 is a number, 2^-2000 is not.
    let half = (&halvings * 0.5).floor();
    let power = |exponent: Array| (&exponent * 0.0 + 2.0).pow(&exponent);
    let a = a * power(-&half) * power(&half - &halvings);
    let (a2, one) = (product(&a, &a), on_diagonal(&a.shape()));
    let (a4, unit) = (product(&a2, &a2), one.convert(a.dtype()));
    let a6 = product(&a4, &a2);
    let sum = |first: usize| {
        let high = &a6 * PADE[first + 12] + &a4 * PADE[first + 10] + &a2 * PADE[first + 8];
        product(&a6, &high)
            + &a6 * PADE[first + 6]
            + &a4 * PADE[first + 4]
            + &a2 * PADE[first + 2]
            + &unit * PADE[first]
    };
    let (odd, even) = (product(&a, &sum(1)), sum(0));
    let exponential = solve(&(&even - &odd), &(&even + &odd));
    // All matrices of the batch are squared until the last one is done; the others wait.
    let most = halvings.max();
    while_loop(
        |(k, _): (Array, Array)| k.lt(&most),
        |(k, x): (Array, Array)| {
            let squared = product(&x, &x);
            (&k + 1.0, k.lt(&halvings).select(squared, x))
        },
        (&most * 0.0, exponential),
    )
    .1
}
