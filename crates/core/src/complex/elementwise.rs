//! Elementwise functions of complex numbers, in the user's operations on their parts.
//!
//! The formulas are those of textbooks (Abramowitz and Stegun, 4.2 to 4.5; division by R. L. Smith's of 1962): each part of
//! a result is accurate where the real functions are. Beside infinities it may be NaN.

use crate::array::Array;
use std::f64::consts::{LN_2, LOG2_E, LOG10_E};
use wengert_kernel::{Binary, Comparison, DType, Unary};

#[track_caller]
fn pair(re: Array, im: Array) -> Array {
    Array::of_parts(re, im)
}

/// The function of a complex array, or `None` when there is none.
#[track_caller]
pub(crate) fn unary(op: Unary, z: &Array) -> Option<Array> {
    let [x, y] = z.complex_parts()?;
    Some(match op {
        Unary::Abs => magnitude(x, y),
        Unary::Sign => sign(&z.stop_gradient()),
        Unary::Sqrt => sqrt(x, y),
        Unary::Exp => pair(x.exp() * y.cos(), x.exp() * y.sin()),
        // cos y - 1 = -2 sin(y / 2)^2, without the subtraction.
        Unary::Expm1 => pair(x.expm1() * y.cos() - 2.0 * (y * 0.5).sin().square(), x.exp() * y.sin()),
        Unary::Log => pair(x.hypot(y).log(), y.atan2(x)),
        Unary::Log1p => log1p(x, y),
        Unary::Exp2 => (z * LN_2).exp(),
        Unary::Log2 => z.log() * LOG2_E,
        Unary::Log10 => z.log() * LOG10_E,
        Unary::Sin => pair(x.sin() * y.cosh(), x.cos() * y.sinh()),
        Unary::Cos => pair(x.cos() * y.cosh(), -(x.sin() * y.sinh())),
        Unary::Sinh => pair(x.sinh() * y.cos(), x.cosh() * y.sin()),
        Unary::Cosh => pair(x.cosh() * y.cos(), x.sinh() * y.sin()),
        Unary::Tanh => {
            let (re, im) = tanh(x, y);
            pair(re, im)
        }
        // tan z = -i tanh(i z)
        Unary::Tan => {
            let (re, im) = tanh(&-y, x);
            pair(im, -re)
        }
        Unary::Logistic => 1.0 / (1.0 + (-z).exp()),
        Unary::Asinh => asinh(z),
        Unary::Acosh => acosh(z),
        Unary::Atanh => atanh(x, y),
        // asin z = -i asinh(i z), acos z = pi/2 - asin z, atan z = -i atanh(i z)
        Unary::Asin => turned_back(&asinh(&turned(x, y))),
        Unary::Acos => std::f64::consts::FRAC_PI_2 - turned_back(&asinh(&turned(x, y))),
        Unary::Atan => turned_back(&atanh(&-y, x)),
        Unary::IsFinite => x.is_finite() & y.is_finite(),
        _ => return None,
    })
}

/// `i z`.
#[track_caller]
fn turned(x: &Array, y: &Array) -> Array {
    pair(-y, x.clone())
}

/// `-i z`.
#[track_caller]
fn turned_back(z: &Array) -> Array {
    let [x, y] = z.parts();
    pair(y, -x)
}

/// The magnitude, whose derivative at 0 is 0.
#[track_caller]
fn magnitude(x: &Array, y: &Array) -> Array {
    let zero = x.eq(0.0) & y.eq(0.0);
    zero.select(0.0, zero.select(1.0, x).hypot(y))
}

/// `z / |z|`, 0 at 0. Its derivative counts as 0, as that of real numbers does (JAX).
#[track_caller]
fn sign(z: &Array) -> Array {
    let [x, y] = &z.parts();
    let zero = x.eq(0.0) & y.eq(0.0);
    zero.select(z, z * (1.0 / zero.select(1.0, x).hypot(y)))
}

/// With a real part that is not negative, and the sign of the imaginary part of the operand.
#[track_caller]
fn sqrt(x: &Array, y: &Array) -> Array {
    let large = ((x.abs() + x.hypot(y)) * 0.5).sqrt();
    let small = y * (0.5 / large.eq(0.0).select(1.0, &large));
    let right = x.ge(0.0);
    // The sign of -0 counts: the lower side of the cut.
    let below = y.lt(0.0) | (y.eq(0.0) & (1.0 / y).lt(0.0));
    let re = right.select(&large, small.abs());
    let im = right.select(&small, below.select(-&large, &large));
    pair(re, im)
}

/// `log |1 + z|` by `log1p` where that is small.
#[track_caller]
fn log1p(x: &Array, y: &Array) -> Array {
    let one = x + 1.0;
    let near = x.abs().lt(0.5) & y.abs().lt(0.5);
    let excess = near.select(x * (x + 2.0) + y * y, 0.0);
    let away = near.select(1.0, &one).hypot(near.select(0.0, y)).log();
    pair(near.select(excess.log1p() * 0.5, away), y.atan2(one))
}

/// With `t = tan y` and `h = tanh x`: `(h + i t) / (1 + i h t)`, which has no large intermediate values.
#[track_caller]
fn tanh(x: &Array, y: &Array) -> (Array, Array) {
    let (t, h) = (y.tan(), x.tanh());
    let scale = 1.0 / (1.0 + (&h * &t).square());
    // 1 - h^2 without the subtraction.
    let rest = (1.0 / x.cosh()).square();
    (&h * (1.0 + t.square()) * &scale, &t * rest * scale)
}

/// `log(z + sqrt(z^2 + 1))`, of the half plane where nothing cancels.
#[track_caller]
fn asinh(z: &Array) -> Array {
    let [x, y] = z.parts();
    let left = x.lt(0.0) | (x.eq(0.0) & (1.0 / &x).lt(0.0));
    let w = pair(x.abs(), left.select(-&y, &y));
    let [wx, wy] = w.parts();
    // z^2 + 1 = (z + i) (z - i), exact near the branch points.
    let root = pair(wx.clone(), &wy + 1.0).sqrt() * pair(wx, &wy - 1.0).sqrt();
    // On the right half plane the two roots have the product with a real part that is not negative.
    let [a, b] = (w + root).log().parts();
    pair(left.select(-&a, &a), left.select(-&b, &b))
}

/// `log(z + sqrt(z + 1) sqrt(z - 1))`.
#[track_caller]
fn acosh(z: &Array) -> Array {
    (z + (z + 1.0).sqrt() * (z - 1.0).sqrt()).log()
}

/// `atanh z = log1p(4x / ((1 - x)^2 + y^2)) / 4 + i arg((1 - x)(1 + x) - y^2 + 2iy) / 2`.
#[track_caller]
fn atanh(x: &Array, y: &Array) -> Array {
    let square = y.square();
    let re = ((4.0 * x) / ((1.0 - x).square() + &square)).log1p() * 0.25;
    let im = (2.0 * y).atan2((1.0 - x) * (1.0 + x) - square) * 0.5;
    pair(re, im)
}

/// The function of two arrays of one complex dtype and shape, or `None` when there is none.
#[track_caller]
pub(crate) fn binary(op: Binary, a: &Array, b: &Array) -> Option<Array> {
    match op {
        Binary::Mul => Some(super::product(a, b, |x, y| x * y)),
        Binary::Div => Some(quotient(a, b)),
        Binary::Pow => Some(power(a, b)),
        _ => None,
    }
}

/// By the quotient of the parts of the divisor, the smaller by the greater, so that no square overflows. The operands are
/// chosen before anything is divided, so that derivatives do not meet what was not chosen.
#[track_caller]
fn quotient(a: &Array, b: &Array) -> Array {
    let ([x, y], [c, d]) = (a.parts(), b.parts());
    let steep = c.abs().lt(d.abs());
    let (great, small) = (steep.select(&d, &c), steep.select(&c, &d));
    let (p, q) = (steep.select(&y, &x), steep.select(&x, &y));
    let r = small / &great;
    let scale = 1.0 / (great + steep.select(&c, &d) * &r);
    let im = (&q - &p * &r) * &scale;
    pair((p + q * r) * scale, steep.select(-&im, &im))
}

/// `exp(b log a)`; `0^b` is 1 for `b = 0` and else 0.
#[track_caller]
fn power(a: &Array, b: &Array) -> Array {
    let zero = a.eq(0.0);
    let power = (b * zero.select(1.0, a).log()).exp();
    zero.select(b.eq(0.0).convert(DType::F32), power)
}

/// Equality of complex numbers; they have no order.
#[track_caller]
pub(crate) fn compare(op: Comparison, a: &Array, b: &Array) -> Option<Array> {
    let ([x, y], [c, d]) = (a.parts(), b.parts());
    match op {
        Comparison::Eq => Some(x.eq(c) & y.eq(d)),
        Comparison::Ne => Some(x.ne(c) | y.ne(d)),
        _ => None,
    }
}
