//! The elementary functions of one number: the only source of what `exp`, `sin`, ... mean.
//!
//! The interpreters, constant folding, scalar machine code and vector loops run these, so all give the same bits on
//! every machine. They stand in the files beside this one, written without branches so that loops over them become vector
//! code. Roundings, square root, remainder and fma are exact as IEEE 754 demands.
//!
//! Where it says so, an `f32` function is computed in `f64` and rounded: within 0.51 ulp.
//!
//! # Errors
//!
//! The worst errors in ulp, and where they were met. `f32`: at all numbers; at one of every 64 where the table says 2^26, at 2^26 pairs for
//! functions of two, against the `f64` functions. `f64`: at 2^18 numbers or pairs of all sizes, against double-double arithmetic, so
//! that worse ones may exist. At zeros of `lgamma` below -2 and of `digamma` below 0, which no `f64` meets, errors are absolute.
//! `cargo test --release -p wengert-runtime --test elementary -- --ignored --nocapture` measures all `f32` (and 10^8 pairs), and
//! without `--ignored` the rest.
//!
//! | function | `f32` | at | `f64` | at |
//! |---|---|---|---|---|
//! | `exp` | 0.768 | -87.6144 | 0.653 | -1.03769 |
//! | `expm1` | 1.078 | 0.358263 | 1.136 | 0.372634 |
//! | `log` | 0.686 | 1.39951 | 0.609 | 1.40696 |
//! | `log1p` | 0.737 | -0.301244 | 0.618 | -0.294832 |
//! | `sin` | 0.789 | 4.80892e+09 | 0.740 | -349.501 |
//! | `cos` | 0.787 | 1.15132e+28 | 0.757 | 0.786866 |
//! | `tan` | 0.958 | 207847 | 0.799 | -7.06153 |
//! | `asin` | 0.633 | 0.509659 | 0.612 | -0.466637 |
//! | `acos` | 0.616 | 0.558719 | 0.606 | 0.547439 |
//! | `atan` | 0.651 | 0.41312 | 0.634 | 0.425447 |
//! | `sinh` | 1.125 | 0.351635 | 1.089 | -0.397475 |
//! | `cosh` | 0.712 | 48.8868 | 0.658 | 619.341 |
//! | `tanh` | 0.858 | 0.178842 | 0.921 | -0.188194 |
//! | `logistic` | 0.768 | -87.6144 | 0.641 | -181.94 |
//! | `exp2` | 0.796 | -126.464 | 0.662 | -608.44 |
//! | `log2` | 0.758 | 1.4039 | 0.625 | 1.4032 |
//! | `log10` | 0.681 | 1.32476 | 0.587 | 1.32412 |
//! | `cbrt` | 0.500 | 2.4121e-38 | 0.500 | 5.21244 |
//! | `asinh` | 0.500 (2^26) | 1.86013e+16 | 0.570 | -0.302853 |
//! | `acosh` | 0.500 (2^26) | 1.86013e+16 | 0.595 | 1.0576 |
//! | `atanh` | 0.500 (2^26) | -0.107511 | 0.622 | 0.163388 |
//! | `erf` | 1.229 | 1.08313 | 1.075 | -0.993210 |
//! | `erfc` | 0.500 | -1.41038e-05 | 1.027 | 0.514419 |
//! | `erf_inv` | 1.932 | -0.990611 | 1.210 | 0.838383 |
//! | `lgamma` | 0.501 | 0.712846 | 1.167 | 2.41219 |
//! | `digamma` | 0.502 | 0.797846 | 1.541 | -0.203015 |
//! | `entr` | 1.484 | 1.00007e-28 | 1.455 | 4.50657e+223 |
//! | `pow` | 0.501 | 0.991862, -7888.01 | 0.642 | 2.28125, -83.589 |
//! | `atan2` | 0.644 | 3.12533, 7.64766 | 0.639 | 0.339707, 0.790089 |
//! | `hypot` | 0.500 | -6.77951, 5.84459 | 0.500 | 1.33855e-06, 1.706e-07 |
//! | `xlogy` | 1.543 | -7946.91, 0.773592 | 1.412 | 9.09991e-10, 1.24454e+225 |
//! | `xlog1py` | 1.538 | 1.03543e-16, -0.23087 | 1.487 | -0.998199, 6.40564 |
//!
//! Of the functions that only rise or only fall, but `erf` (which would take twice as long), no two results of neighbouring arguments are in
//! the wrong order: in `f32` anywhere, in `f64` at the 20,000 neighbours of each number where a formula changes. Odd functions are odd and even ones even to the last bit.

mod arc;
mod error_function;
mod exp;
mod gamma;
mod hyperbolic;
mod log;
mod power;
mod real;
mod root;
mod trigonometry;

use crate::dtype::Element;
use trigonometry::Circular;

/// `f32` and `f64`.
///
/// Call the functions as `Float::exp(x)` or on a type parameter. `f64::exp(x)` and `x.exp()` on a concrete type are the
/// standard library's, whose last bits differ from machine to machine.
///
/// ```
/// use wengert_kernel::math::Float;
/// assert_eq!(Float::logistic(0.0f64), 0.5);
/// assert!(Float::max(1.0f32, f32::NAN).is_nan());
/// ```
pub trait Float: Element + PartialOrd {
    /// `|x|`, clears the sign bit.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::abs(-2.5), 2.5);
    /// ```
    fn abs(x: Self) -> Self;
    /// -1 or 1; zeros and NaN stay what they are.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::sign(-2.5), Float::sign(2.5)), (-1.0, 1.0));
    /// assert!(Float::sign(-0.0f64).is_sign_negative());
    /// ```
    fn sign(x: Self) -> Self;
    /// Square root, NaN below 0.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::sqrt(9.0), 3.0);
    /// assert!(Float::sqrt(-1.0f64).is_nan());
    /// ```
    fn sqrt(x: Self) -> Self;
    /// The largest integer not above.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::floor(2.7), Float::floor(-2.7)), (2.0, -3.0));
    /// ```
    fn floor(x: Self) -> Self;
    /// The smallest integer not below.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::ceil(2.2), Float::ceil(-2.2)), (3.0, -2.0));
    /// ```
    fn ceil(x: Self) -> Self;
    /// The nearest integer, ties to the even one.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!([0.5, 1.5, 2.5].map(Float::round), [0.0, 2.0, 2.0]);
    /// ```
    fn round(x: Self) -> Self;
    /// `e^x`.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::exp(1.0), Float::exp(f64::NEG_INFINITY)), (std::f64::consts::E, 0.0));
    /// ```
    fn exp(x: Self) -> Self;
    /// `e^x - 1`, accurate near 0.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::expm1(1e-20), 1e-20);
    /// assert_eq!(Float::exp(1e-20) - 1.0, 0.0);
    /// ```
    fn expm1(x: Self) -> Self;
    /// Natural logarithm: -inf at 0, NaN below.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::log(1.0), Float::log(0.0)), (0.0, f64::NEG_INFINITY));
    /// ```
    fn log(x: Self) -> Self;
    /// `log(1 + x)`, accurate near 0.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::log1p(1e-20), 1e-20);
    /// assert_eq!(Float::log(1.0 + 1e-20), 0.0);
    /// ```
    fn log1p(x: Self) -> Self;
    /// Sine.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::sin(std::f64::consts::FRAC_PI_2), 1.0);
    /// ```
    fn sin(x: Self) -> Self;
    /// Cosine.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::cos(std::f64::consts::PI), -1.0);
    /// ```
    fn cos(x: Self) -> Self;
    /// Tangent.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert!((Float::tan(std::f64::consts::FRAC_PI_4) - 1.0).abs() < 1e-15);
    /// ```
    fn tan(x: Self) -> Self;
    /// Arc sine, NaN outside -1..=1.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::asin(1.0), std::f64::consts::FRAC_PI_2);
    /// assert!(Float::asin(1.5f64).is_nan());
    /// ```
    fn asin(x: Self) -> Self;
    /// Arc cosine, NaN outside -1..=1.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::acos(-1.0), std::f64::consts::PI);
    /// ```
    fn acos(x: Self) -> Self;
    /// Arc tangent.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::atan(f64::INFINITY), std::f64::consts::FRAC_PI_2);
    /// ```
    fn atan(x: Self) -> Self;
    /// Hyperbolic sine.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::sinh(-2.0), -Float::sinh(2.0));
    /// assert_eq!(Float::sinh(1e-20), 1e-20);
    /// ```
    fn sinh(x: Self) -> Self;
    /// Hyperbolic cosine.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::cosh(0.0), Float::cosh(-2.0)), (1.0, Float::cosh(2.0)));
    /// ```
    fn cosh(x: Self) -> Self;
    /// Hyperbolic tangent.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::tanh(0.0), Float::tanh(100.0)), (0.0, 1.0));
    /// ```
    fn tanh(x: Self) -> Self;
    /// `1 / (1 + exp(-x))`, accurate down to subnormal results.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::logistic(0.0), Float::logistic(100.0)), (0.5, 1.0));
    /// assert!(Float::logistic(-700.0) > 0.0);
    /// ```
    fn logistic(x: Self) -> Self;
    /// `2^x`, exact for whole numbers.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::exp2(10.0), Float::exp2(-1074.0)), (1024.0, f64::from_bits(1)));
    /// ```
    fn exp2(x: Self) -> Self;
    /// Logarithm to base 2, exact for powers of two.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::log2(1024.0), 10.0);
    /// ```
    fn log2(x: Self) -> Self;
    /// Logarithm to base 10.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::log10(1000.0), 3.0);
    /// ```
    fn log10(x: Self) -> Self;
    /// Cube root.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::cbrt(-27.0), -3.0);
    /// ```
    fn cbrt(x: Self) -> Self;
    /// Inverse hyperbolic sine.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::asinh(-1e-20), -1e-20);
    /// ```
    fn asinh(x: Self) -> Self;
    /// Inverse hyperbolic cosine, NaN below 1.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::acosh(1.0), 0.0);
    /// assert!(Float::acosh(0.5f64).is_nan());
    /// ```
    fn acosh(x: Self) -> Self;
    /// Inverse hyperbolic tangent, NaN outside -1..=1.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::atanh(0.0), Float::atanh(1.0)), (0.0, f64::INFINITY));
    /// ```
    fn atanh(x: Self) -> Self;
    /// Error function.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::erf(0.0), Float::erf(10.0)), (0.0, 1.0));
    /// ```
    fn erf(x: Self) -> Self;
    /// `1 - erf(x)`, accurate where it is small.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert!(Float::erfc(10.0) > 0.0);
    /// assert_eq!(1.0 - Float::erf(10.0), 0.0);
    /// ```
    fn erfc(x: Self) -> Self;
    /// Inverse of the error function, NaN outside -1..=1.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::erf_inv(0.0), Float::erf_inv(1.0)), (0.0, f64::INFINITY));
    /// ```
    fn erf_inv(x: Self) -> Self;
    /// Logarithm of the magnitude of the gamma function, infinite at 0, -1, -2, ...
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert!((Float::lgamma(5.0f64) - Float::log(24.0)).abs() < 1e-14, "the gamma function of 5 is 4!");
    /// assert_eq!(Float::lgamma(0.0), f64::INFINITY);
    /// ```
    fn lgamma(x: Self) -> Self;
    /// Derivative of `lgamma`, NaN at 0, -1, -2, ...
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert!((Float::digamma(2.0f64) - Float::digamma(1.0) - 1.0).abs() < 1e-15);
    /// assert!(Float::digamma(-1.0f64).is_nan());
    /// ```
    fn digamma(x: Self) -> Self;
    /// `-x log x`, 0 at 0 and minus infinity below.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!([0.0, 1.0, -1.0].map(Float::entr), [0.0, 0.0, f64::NEG_INFINITY]);
    /// ```
    fn entr(x: Self) -> Self;
    /// Neither NaN nor infinite.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!([0.0, f64::INFINITY, f64::NAN].map(Float::is_finite), [true, false, false]);
    /// ```
    fn is_finite(x: Self) -> bool;
    /// `x^y` as in C: 1 for `pow(1, NaN)`, `pow(x, 0)` and `pow(-1, inf)`, NaN for `pow(-8, 1/3)`.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::pow(2.0, -1.0), Float::pow(1.0, f64::NAN)), (0.5, 1.0));
    /// assert!(Float::pow(-8.0f64, 1.0 / 3.0).is_nan());
    /// ```
    fn pow(x: Self, y: Self) -> Self;
    /// The angle of the point with abscissa `x` and ordinate `y`.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::atan2(1.0, 0.0), std::f64::consts::FRAC_PI_2);
    /// assert_eq!(Float::atan2(0.0, -1.0), std::f64::consts::PI);
    /// ```
    fn atan2(y: Self, x: Self) -> Self;
    /// `sqrt(x^2 + y^2)` without overflow on the way; infinite if either is, beside NaN too.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::hypot(3.0, 4.0), 5.0);
    /// assert_eq!(Float::hypot(f64::MAX, 1.0), f64::MAX);
    /// ```
    fn hypot(x: Self, y: Self) -> Self;
    /// `x log y`, 0 where x is 0 unless y is NaN.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::xlogy(0.0, 0.0), Float::xlogy(2.0, 1.0)), (0.0, 0.0));
    /// ```
    fn xlogy(x: Self, y: Self) -> Self;
    /// `x log(1 + y)`, 0 where x is 0 unless y is NaN.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::xlog1py(0.0, -1.0), Float::xlog1py(2.0, 1e-20)), (0.0, 2e-20));
    /// ```
    fn xlog1py(x: Self, y: Self) -> Self;
    /// `x - trunc(x / y) * y`, exact; has the sign of `x`.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!((Float::rem(7.5, 2.0), Float::rem(-7.5, 2.0)), (1.5, -1.5));
    /// ```
    fn rem(x: Self, y: Self) -> Self;
    /// The larger, NaN if either is NaN, and 0 above -0.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert_eq!(Float::max(1.0, 2.0), 2.0);
    /// assert!(Float::max(1.0, f64::NAN).is_nan());
    /// ```
    fn max(x: Self, y: Self) -> Self;
    /// The smaller, NaN if either is NaN, and -0 below 0.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// assert!(Float::min(0.0, -0.0f64).is_sign_negative());
    /// ```
    fn min(x: Self, y: Self) -> Self;
    /// `x * y + z`, rounded once.
    ///
    /// ```
    /// # use wengert_kernel::math::Float;
    /// let x = 1.0 + f64::EPSILON;
    /// assert_eq!(Float::fma(x, x, -x * x), f64::EPSILON * f64::EPSILON);
    /// ```
    fn fma(x: Self, y: Self, z: Self) -> Self;
}

/// The functions of which a shorter form does for most arguments, for loops over many elements.
///
/// Where `is_near`, `sin_near` is `sin`, bit for bit, and so on; where `is_right`, `lgamma_right` is `lgamma`. Elsewhere they are
/// some number.
///
/// ```
/// use wengert_kernel::math::{Float, Near};
///
/// let sin = |x: &[f64]| -> Vec<f64> {
///     let all_near = x.iter().all(|&x| Near::is_near(x));
///     x.iter().map(|&x| if all_near { Near::sin_near(x) } else { Float::sin(x) }).collect()
/// };
/// assert_eq!(sin(&[0.5, 1e300]), [Float::sin(0.5), Float::sin(1e300)]);
/// ```
pub trait Near: Float {
    /// No larger than the short forms can take, or not finite.
    ///
    /// ```
    /// use wengert_kernel::math::Near;
    ///
    /// assert!(Near::is_near(100.0) && Near::is_near(f64::NAN) && !Near::is_near(1e300));
    /// ```
    fn is_near(x: Self) -> bool;
    /// Sine.
    ///
    /// ```
    /// use wengert_kernel::math::{Float, Near};
    ///
    /// assert_eq!(Near::sin_near(-3.0), Float::sin(-3.0));
    /// ```
    fn sin_near(x: Self) -> Self;
    /// Cosine.
    ///
    /// ```
    /// use wengert_kernel::math::Near;
    ///
    /// assert_eq!(Near::cos_near(0.0f32), 1.0);
    /// ```
    fn cos_near(x: Self) -> Self;
    /// Tangent.
    ///
    /// ```
    /// use wengert_kernel::math::{Float, Near};
    ///
    /// assert_eq!(Near::tan_near(2.0), Float::tan(2.0));
    /// ```
    fn tan_near(x: Self) -> Self;
    /// Not below 0, or NaN.
    ///
    /// ```
    /// use wengert_kernel::math::Near;
    ///
    /// assert!(Near::is_right(0.0) && Near::is_right(f64::NAN) && !Near::is_right(-1.0));
    /// ```
    fn is_right(x: Self) -> bool;
    /// Logarithm of the magnitude of the gamma function.
    ///
    /// ```
    /// use wengert_kernel::math::{Float, Near};
    ///
    /// assert_eq!(Near::lgamma_right(2.5), Float::lgamma(2.5));
    /// ```
    fn lgamma_right(x: Self) -> Self;
    /// Derivative of `lgamma`.
    ///
    /// ```
    /// use wengert_kernel::math::{Float, Near};
    ///
    /// assert_eq!(Near::digamma_right(2.5), Float::digamma(2.5));
    /// ```
    fn digamma_right(x: Self) -> Self;
}

macro_rules! float {
    (
        $t:ident: $($name:ident $near:ident $far:ident),*; $erf:ident $pow:ident
    ) => {
        impl Near for $t {
            #[inline(always)]
            fn is_near(x: $t) -> bool {
                // Both sides are computed, without a branch.
                (x.abs() <= <$t as Circular>::LIMIT) | !x.is_finite()
            }
            $(
                #[inline(always)]
                fn $near(x: $t) -> $t {
                    trigonometry::$name(x)
                }
            )*

            #[inline(always)]
            fn is_right(x: $t) -> bool {
                (x >= 0.0) | x.is_nan()
            }

            #[inline(always)]
            fn lgamma_right(x: $t) -> $t {
                gamma::lgamma_right::<$t>(x as f64) as $t
            }

            #[inline(always)]
            fn digamma_right(x: $t) -> $t {
                gamma::digamma_right::<$t>(x as f64) as $t
            }
        }

        impl Float for $t {
            $(
                #[inline(always)]
                fn $name(x: $t) -> $t {
                    if <$t>::is_near(x) { <$t>::$near(x) } else { trigonometry::$far(x) }
                }
            )*
            #[inline(always)]
            fn asin(x: $t) -> $t {
                arc::asin(x)
            }
            #[inline(always)]
            fn acos(x: $t) -> $t {
                arc::acos(x)
            }
            #[inline(always)]
            fn atan(x: $t) -> $t {
                arc::atan(x)
            }
            #[inline(always)]
            fn atan2(y: $t, x: $t) -> $t {
                arc::atan2(y, x)
            }
            fn abs(x: $t) -> $t {
                x.abs()
            }
            fn sign(x: $t) -> $t {
                if x > 0.0 {
                    1.0
                } else if x < 0.0 {
                    -1.0
                } else {
                    x
                }
            }
            fn sqrt(x: $t) -> $t {
                x.sqrt()
            }
            fn floor(x: $t) -> $t {
                x.floor()
            }
            fn ceil(x: $t) -> $t {
                x.ceil()
            }
            fn round(x: $t) -> $t {
                x.round_ties_even()
            }
            #[inline(always)]
            fn exp(x: $t) -> $t {
                exp::exp(x)
            }
            #[inline(always)]
            fn expm1(x: $t) -> $t {
                exp::expm1(x)
            }
            #[inline(always)]
            fn sinh(x: $t) -> $t {
                exp::sinh(x)
            }
            #[inline(always)]
            fn cosh(x: $t) -> $t {
                exp::cosh(x)
            }
            #[inline(always)]
            fn tanh(x: $t) -> $t {
                exp::tanh(x)
            }
            #[inline(always)]
            fn logistic(x: $t) -> $t {
                exp::logistic(x)
            }
            #[inline(always)]
            fn log(x: $t) -> $t {
                log::log(x)
            }
            #[inline(always)]
            fn log1p(x: $t) -> $t {
                log::log1p(x)
            }
            #[inline(always)]
            fn exp2(x: $t) -> $t {
                exp::exp2(x)
            }
            #[inline(always)]
            fn log2(x: $t) -> $t {
                log::log2(x)
            }
            #[inline(always)]
            fn log10(x: $t) -> $t {
                log::log10(x)
            }
            #[inline(always)]
            fn erf(x: $t) -> $t {
                error_function::$erf(x)
            }
            #[inline(always)]
            fn erf_inv(x: $t) -> $t {
                error_function::erf_inv(x)
            }
            // The following in `f64` for both.
            #[inline(always)]
            fn pow(x: $t, y: $t) -> $t {
                power::$pow(x as f64, y as f64) as $t
            }
            #[inline(always)]
            fn cbrt(x: $t) -> $t {
                root::cbrt(x as f64) as $t
            }
            #[inline(always)]
            fn asinh(x: $t) -> $t {
                hyperbolic::asinh(x as f64) as $t
            }
            #[inline(always)]
            fn acosh(x: $t) -> $t {
                hyperbolic::acosh(x as f64) as $t
            }
            #[inline(always)]
            fn atanh(x: $t) -> $t {
                hyperbolic::atanh(x as f64) as $t
            }
            #[inline(always)]
            fn erfc(x: $t) -> $t {
                error_function::erfc(x as f64) as $t
            }
            #[inline(always)]
            fn lgamma(x: $t) -> $t {
                gamma::lgamma::<$t>(x as f64) as $t
            }
            #[inline(always)]
            fn digamma(x: $t) -> $t {
                gamma::digamma::<$t>(x as f64) as $t
            }
            #[inline(always)]
            fn hypot(x: $t, y: $t) -> $t {
                root::hypot(x as f64, y as f64) as $t
            }
            #[inline(always)]
            fn entr(x: $t) -> $t {
                let y = -x * log::log(x);
                let y = if x < 0.0 { <$t>::NEG_INFINITY } else { y };
                if x == 0.0 { 0.0 } else { y }
            }
            #[inline(always)]
            fn xlogy(x: $t, y: $t) -> $t {
                let product = x * log::log(y);
                if (x == 0.0) & !y.is_nan() { 0.0 } else { product }
            }
            #[inline(always)]
            fn xlog1py(x: $t, y: $t) -> $t {
                let product = x * log::log1p(y);
                if (x == 0.0) & !y.is_nan() { 0.0 } else { product }
            }
            fn is_finite(x: $t) -> bool {
                x.is_finite()
            }
            fn rem(x: $t, y: $t) -> $t {
                x % y
            }
            fn max(x: $t, y: $t) -> $t {
                if x.is_nan() || x > y || (x == y && x.is_sign_positive()) { x } else { y }
            }
            fn min(x: $t, y: $t) -> $t {
                if x.is_nan() || x < y || (x == y && x.is_sign_negative()) { x } else { y }
            }
            fn fma(x: $t, y: $t, z: $t) -> $t {
                x.mul_add(y, z)
            }
        }
    };
}

float! {
    f32: sin sin_near sin_far, cos cos_near cos_far, tan tan_near tan_far;
    erf_single pow_single
}
float! {
    f64: sin sin_near sin_far, cos cos_near cos_far, tan tan_near tan_far;
    erf pow
}

#[cfg(test)]
mod tests;
