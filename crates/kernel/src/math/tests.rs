//! The elementary functions at hard points.

use super::Float;
use crate::dtype::Scalar;

fn same<T: Float>(got: T, want: T) {
    let is_nan = |x: T| x.partial_cmp(&x).is_none();
    let both_nan = is_nan(got) && is_nan(want);
    assert!(both_nan || Scalar::new(got) == Scalar::new(want), "{got:?}, not {want:?}");
}

fn numbers<T: Float>(list: [f64; 8], of: impl Fn(f64) -> T) {
    let [zero, minus_zero, one, minus_one, inf, minus_inf, nan, half] = list.map(of);
    for (x, y) in [(nan, one), (one, nan), (nan, nan)] {
        same(T::max(x, y), nan);
        same(T::min(x, y), nan);
    }
    for (x, y) in [(zero, minus_zero), (minus_zero, zero)] {
        same(T::max(x, y), zero);
        same(T::min(x, y), minus_zero);
    }
    same(T::max(minus_inf, minus_one), minus_one);
    same(T::min(inf, one), one);
    same(T::pow(one, nan), one);
    same(T::pow(zero, zero), one);
    same(T::pow(nan, zero), one);
    same(T::pow(minus_one, inf), one);
    same(T::pow(minus_one, half), nan);
    for x in [zero, minus_zero, nan] {
        same(T::sign(x), x);
    }
    same(T::sign(minus_inf), minus_one);
    same(T::sign(half), one);
    same(T::round(half), zero);
    same(T::round(T::rem(minus_one, inf)), minus_one);
    same(T::rem(one, zero), nan);
    same(T::rem(minus_one, one), minus_zero);
    same(T::logistic(zero), half);
    same(T::logistic(inf), one);
    same(T::logistic(minus_inf), zero);
    same(T::logistic(nan), nan);
    same(T::log(zero), minus_inf);
    same(T::log(minus_one), nan);
    same(T::sqrt(minus_zero), minus_zero);
    same(T::exp(minus_inf), zero);
    same(T::expm1(minus_inf), minus_one);
    same(T::log1p(minus_one), minus_inf);
    same(T::tanh(minus_inf), minus_one);
    same(T::asin(inf), nan);
    same(T::exp2(minus_inf), zero);
    same(T::exp2(inf), inf);
    same(T::log2(half), minus_one);
    for f in [T::log2, T::log10] {
        same(f(zero), minus_inf);
        same(f(minus_one), nan);
        same(f(one), zero);
        same(f(inf), inf);
    }
    for f in [T::cbrt, T::asinh] {
        for x in [zero, minus_zero, inf, minus_inf, nan] {
            same(f(x), x);
        }
    }
    same(T::acosh(one), zero);
    same(T::acosh(inf), inf);
    for x in [half, zero, minus_one, minus_inf, nan] {
        same(T::acosh(x), nan);
    }
    for f in [T::atanh, T::erf_inv] {
        for x in [zero, minus_zero] {
            same(f(x), x);
        }
        same(f(one), inf);
        same(f(minus_one), minus_inf);
        for x in [inf, minus_inf, nan] {
            same(f(x), nan);
        }
    }
    for x in [zero, minus_zero, nan] {
        same(T::erf(x), x);
    }
    same(T::erf(inf), one);
    same(T::erf(minus_inf), minus_one);
    same(T::erfc(zero), one);
    same(T::erfc(inf), zero);
    same(T::erfc(minus_inf), T::exp2(one));
    same(T::erfc(nan), nan);
    for x in [zero, minus_zero, minus_one, inf, minus_inf] {
        same(T::lgamma(x), inf);
    }
    for x in [zero, minus_zero, minus_one, minus_inf, nan] {
        same(T::digamma(x), nan);
    }
    same(T::digamma(inf), inf);
    same(T::lgamma(one), zero);
    for (x, y) in [(inf, nan), (nan, minus_inf), (minus_inf, one)] {
        same(T::hypot(x, y), inf);
    }
    for (x, y) in [(one, nan), (nan, zero)] {
        same(T::hypot(x, y), nan);
    }
    same(T::hypot(minus_zero, minus_zero), zero);
    same(T::hypot(zero, minus_one), one);
    for y in [zero, one, minus_one, inf] {
        same(T::xlogy(minus_zero, y), zero);
        same(T::xlog1py(zero, y), zero);
    }
    same(T::xlogy(zero, nan), nan);
    same(T::xlogy(one, zero), minus_inf);
    same(T::xlog1py(one, zero), zero);
    for (x, y) in [(zero, zero), (one, minus_zero), (inf, minus_inf), (minus_one, minus_inf), (nan, nan)] {
        same(T::entr(x), y);
    }
    for x in [zero, minus_zero, nan] {
        same(T::asin(x), x);
        same(T::atan(x), x);
        same(T::tan(x), x);
        same(T::sin(x), x);
    }
    same(T::acos(one), zero);
    for f in [T::sin, T::cos, T::tan, T::acos] {
        for x in [inf, minus_inf, nan] {
            same(f(x), nan);
        }
    }
    assert!(T::is_finite(one) && !T::is_finite(nan) && !T::is_finite(minus_inf));
}

#[test]
fn special_numbers() {
    let list = [0.0, -0.0, 1.0, -1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 0.5];
    numbers::<f64>(list, |x| x);
    numbers::<f32>(list, |x| x as f32);
}

/// The table of C99, F.9.4.4, for both types.
fn powers<T: Float>(of: impl Fn(f64) -> T) {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let is = |x: f64, y: f64, z: f64| same(T::pow(of(x), of(y)), of(z));
    let (odd, even) = ([1.0, 3.0, 101.0], [2.0, 4.0, 1e20, 2f64.powi(24)]);
    for x in [0.0, -0.0] {
        for y in odd {
            is(x, y, x);
            is(x, -y, inf.copysign(x));
        }
        for y in even.into_iter().chain([0.5, 1e-20, 2.5, inf]) {
            is(x, y, 0.0);
            is(x, -y, inf);
        }
    }
    for y in [inf, -inf] {
        is(-1.0, y, 1.0);
    }
    for y in [0.0, -0.0] {
        for x in [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, inf, -inf, nan] {
            is(x, y, 1.0);
        }
    }
    for y in [0.0, 1.0, -2.5, inf, -inf, nan] {
        is(1.0, y, 1.0);
    }
    for x in [-1.0, -2.5, -1e-30, -1e30] {
        for y in [0.5, -0.5, 2.5, 1e-20] {
            is(x, y, nan);
        }
    }
    for x in [0.5, -0.5, 0.999_999, -1e-40] {
        is(x, -inf, inf);
        is(x, inf, 0.0);
    }
    for x in [2.0, -2.0, 1.000_001, -1e30, inf, -inf] {
        is(x, -inf, 0.0);
        is(x, inf, inf);
    }
    for y in odd {
        is(-inf, y, -inf);
        is(-inf, -y, -0.0);
    }
    for y in even.into_iter().chain([0.5, 2.5]) {
        is(-inf, y, inf);
        is(-inf, -y, 0.0);
    }
    for y in [1.0, 2.0, 0.5, 1e20] {
        is(inf, y, inf);
        is(inf, -y, 0.0);
    }
    for (x, y) in [(nan, 1.0), (2.0, nan), (nan, nan), (nan, inf), (0.0, nan), (-inf, nan)] {
        is(x, y, nan);
    }
    // Odd and even whole numbers of all sizes, and results that overflow and vanish.
    is(-2.0, 3.0, -8.0);
    is(-2.0, -2.0, 0.25);
    is(-1.0, 2f64.powi(24) - 1.0, -1.0);
    is(-1.0, 2f64.powi(24), 1.0);
    is(-10.0, 1001.0, -inf);
    is(-10.0, -1001.0, -0.0);
    is(10.0, 1e30, inf);
    is(4.0, 0.5, 2.0);
}

/// The table of C99, F.9.1.4, for both types.
fn angles<T: Float>(of: impl Fn(f64) -> T) {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    for sign in [1.0, -1.0] {
        let is = |y: f64, x: f64, z: f64| same(T::atan2(of(sign * y), of(x)), of(sign * z));
        for x in [0.0, 1e-40, 1.0, inf] {
            is(0.0, x, 0.0);
            is(0.0, -x, PI);
        }
        for y in [1e-40, 1.0, 1e30, inf] {
            is(y, 0.0, FRAC_PI_2);
            is(y, -0.0, FRAC_PI_2);
        }
        for y in [1e-40, 1.0, 1e30] {
            is(y, -inf, PI);
            is(y, inf, 0.0);
            is(inf, y, FRAC_PI_2);
            is(inf, -y, FRAC_PI_2);
            is(y, y, FRAC_PI_4);
            is(y, -y, 3.0 * FRAC_PI_4);
        }
        is(inf, inf, FRAC_PI_4);
        is(inf, -inf, 3.0 * FRAC_PI_4);
    }
    for (y, x) in [(nan, 1.0), (1.0, nan), (nan, inf), (inf, nan), (0.0, nan), (nan, 0.0)] {
        same(T::atan2(of(y), of(x)), of(nan));
    }
}

#[test]
fn powers_and_angles_of_special_numbers() {
    powers::<f64>(|x| x);
    powers::<f32>(|x| x as f32);
    angles::<f64>(|x| x);
    angles::<f32>(|x| x as f32);
    // The largest odd number of all, and the first with a fraction below it.
    let (odd, fraction) = (2f64.powi(53) - 1.0, 2f64.powi(52) - 0.5);
    same(Float::pow(-1.0, odd), -1.0);
    same(Float::pow(-1.0, odd + 1.0), 1.0);
    same(Float::pow(-1.0, fraction), f64::NAN);
}

#[test]
fn ties_round_to_even() {
    for (x, y) in [(0.5, 0.0), (1.5, 2.0), (2.5, 2.0), (-0.5, -0.0), (-1.5, -2.0), (0.49999999999999994, 0.0)] {
        same(<f64 as Float>::round(x), y);
    }
}

#[test]
fn logistic_reaches_subnormal_results() {
    let y: f64 = Float::logistic(-740.0);
    assert!(y > 0.0 && y < 1e-320);
    let y: f32 = Float::logistic(-100.0);
    assert!(y > 0.0 && y < 1e-40);
}

/// The standard library's functions are another implementation; both are far better than this bound.
#[test]
fn close_to_the_standard_library() {
    type Pair<T> = (fn(T) -> T, fn(T) -> T);
    let f64s: [Pair<f64>; 13] = [
        (Float::exp, f64::exp),
        (Float::expm1, f64::exp_m1),
        (Float::log, f64::ln),
        (Float::log1p, f64::ln_1p),
        (Float::sin, f64::sin),
        (Float::cos, f64::cos),
        (Float::tan, f64::tan),
        (Float::asin, f64::asin),
        (Float::acos, f64::acos),
        (Float::atan, f64::atan),
        (Float::sinh, f64::sinh),
        (Float::cosh, f64::cosh),
        (Float::tanh, f64::tanh),
    ];
    let f32s: [fn(f32) -> f32; 13] = [
        Float::exp,
        Float::expm1,
        Float::log,
        Float::log1p,
        Float::sin,
        Float::cos,
        Float::tan,
        Float::asin,
        Float::acos,
        Float::atan,
        Float::sinh,
        Float::cosh,
        Float::tanh,
    ];
    for (k, (ours, theirs)) in f64s.into_iter().enumerate() {
        for i in -200..=200 {
            let x = i as f64 * 0.037;
            let (a, b) = (ours(x), theirs(x));
            assert!(a.is_nan() && b.is_nan() || a == b || (a - b).abs() <= 1e-14 * b.abs(), "{k}: {x} {a} {b}");
            let x = x as f32;
            let (a, b) = (f32s[k](x), theirs(x as f64) as f32);
            assert!(a.is_nan() && b.is_nan() || a == b || (a - b).abs() <= 1e-6 * b.abs(), "{k}: {x} {a} {b}");
        }
    }
}
