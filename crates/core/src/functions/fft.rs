//! Discrete Fourier transforms: `jax.numpy.fft`. Results are complex, of `c64` for `f32` and `c64` and of `c128` for all
//! others, but those of [`irfft`] and its kin, which are real.
//!
//! The functions without ending transform the last axis, those with `2` the last two, those with `n` all; those that take
//! [`Options`] say which axes, to which lengths, and what is divided out.
//!
//! ```
//! use wengert_core::{array, functions::fft};
//!
//! let x = array![1.0, 2.0, 3.0, 4.0];
//! assert_eq!(fft::rfft(&x).to_string(), "[10.+0.j -2.+2.j -2.+0.j]");
//! assert_eq!(fft::irfft(&fft::rfft(&x)), x);
//! ```

use crate::array::Array;
use crate::ops::{Axes, Fft, Transform, distinct_axes};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::trace::record;
use smallvec::SmallVec;
use wengert_kernel::DType;

/// What is divided out of a transform of `n` numbers.
///
/// ```
/// use wengert_core::{array, functions::fft::{self, Norm, Options}};
///
/// let half = Options { norm: Norm::Forward, ..Options::default() };
/// assert_eq!(fft::fft_with(&array![1.0, 3.0], &half).real(), array![2.0, -1.0]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Norm {
    /// `n`, of inverse transforms.
    #[default]
    Backward,
    /// `sqrt(n)`, of both.
    Ortho,
    /// `n`, of forward transforms.
    Forward,
}

/// Which axes are transformed, and how.
///
/// ```
/// use wengert_core::{array, functions::fft::{self, Options}};
///
/// let columns = Options { axes: vec![0], lengths: vec![4], ..Options::default() };
/// assert_eq!(fft::fft_with(&array![[1.0], [2.0]], &columns).shape().as_slice(), [4, 1]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The axes, of which the last is the one that is real on one side of [`rfft`]; when empty the last axis.
    pub axes: Vec<i64>,
    /// For each axis the length to transform: axes are cut or filled up with zeros. When empty their own.
    pub lengths: Vec<usize>,
    /// What is divided out.
    pub norm: Norm,
}

/// The axes of a transform, from the front, and its lengths.
struct Plan {
    axes: SmallVec<[usize; 4]>,
    lengths: Vec<Option<usize>>,
    norm: Norm,
}

impl Options {
    #[track_caller]
    fn plan(&self, x: &Array) -> Plan {
        let last = [-1];
        let axes: &[i64] = if self.axes.is_empty() { &last } else { &self.axes };
        let axes = accept(distinct_axes(&axes, x.rank()), &[x]);
        let lengths = match self.lengths.len() {
            0 => vec![None; axes.len()],
            n if n == axes.len() => self.lengths.iter().map(|&n| Some(n)).collect(),
            n => refuse(format!("{n} lengths are given for {} axes; give one for each, or none", axes.len()), &[x]),
        };
        Plan { axes, lengths, norm: self.norm }
    }
}

/// The last axes, so many; all for `None`.
#[track_caller]
fn last(x: &Array, count: Option<usize>) -> Plan {
    let count = count.unwrap_or(x.rank());
    let Some(first) = x.rank().checked_sub(count) else {
        refuse(format!("it transforms {count} axes, and {} has {}; `reshape` it", x.ty(), x.rank()), &[x])
    };
    Plan { axes: (first..x.rank()).collect(), lengths: vec![None; count], norm: Norm::Backward }
}

/// With an axis cut or filled up with zeros.
#[track_caller]
fn fitted(x: &Array, axis: usize, length: usize) -> Array {
    let n = x.shape()[axis];
    if length <= n {
        return x.slice_axis(axis, 0..length);
    }
    let mut high = vec![0; x.rank()];
    high[axis] = length - n;
    x.pad(vec![0; x.rank()], high, 0)
}

/// The transform of the last axis, which may be real.
#[track_caller]
fn rows(kind: Transform, x: &Array) -> Array {
    let parts = if kind == Transform::Real { vec![x.clone()] } else { x.parts().to_vec() };
    let batch = x.rank() - 1;
    let mut y = record(Fft { kind, batch }, &parts.iter().collect::<Vec<_>>());
    let first = y.remove(0);
    y.pop().map_or_else(|| first.clone(), |im| Array::of_parts(first.clone(), im))
}

/// One axis, divided by what is to be divided out; `n` is the length of the transform.
#[track_caller]
fn along(kind: Transform, x: &Array, axis: usize, n: usize, norm: Norm) -> Array {
    let end = x.rank() - 1;
    let y = rows(kind, &x.move_axis(axis, end));
    let forward = matches!(kind, Transform::Forward | Transform::Real);
    let y = match norm {
        Norm::Ortho => y * (1.0 / (n as f64).sqrt()),
        Norm::Backward if !forward => y * (1.0 / n as f64),
        Norm::Forward if forward => y * (1.0 / n as f64),
        _ => y,
    };
    y.move_axis(end, axis)
}

/// What a transform is given, as floats or complex numbers.
fn inexact(x: &Array) -> Array {
    if x.dtype().is_inexact() { x.clone() } else { x.convert(DType::F64) }
}

#[track_caller]
fn complex_to_complex(x: &Array, plan: &Plan, kind: Transform) -> Array {
    let mut y = inexact(x);
    for (&axis, &length) in plan.axes.iter().zip(&plan.lengths) {
        let n = length.unwrap_or(y.shape()[axis]);
        y = along(kind, &fitted(&y, axis, n), axis, n, plan.norm);
    }
    if y.dtype().is_complex() { y } else { y.convert(y.dtype().complex()) }
}

#[track_caller]
fn real_to_complex(x: &Array, plan: Plan) -> Array {
    let x = inexact(x);
    if x.dtype().is_complex() {
        refuse("it transforms real numbers; use `fft`, or take `.real()`", &[&x]);
    }
    let Some((&axis, axes)) = plan.axes.split_last() else {
        refuse("it transforms at least one axis", &[&x]);
    };
    let n = plan.lengths[axes.len()].unwrap_or(x.shape()[axis]);
    let half = along(Transform::Real, &fitted(&x, axis, n), axis, n, plan.norm);
    let rest = Plan { axes: axes.into(), lengths: plan.lengths[..axes.len()].to_vec(), norm: plan.norm };
    complex_to_complex(&half, &rest, Transform::Forward)
}

#[track_caller]
fn complex_to_real(x: &Array, plan: Plan) -> Array {
    let x = inexact(x);
    let Some((&axis, axes)) = plan.axes.split_last() else {
        refuse("it transforms at least one axis", &[&x]);
    };
    let rest = Plan { axes: axes.into(), lengths: plan.lengths[..axes.len()].to_vec(), norm: plan.norm };
    let y = complex_to_complex(&x, &rest, Transform::Inverse);
    let length = plan.lengths[axes.len()].unwrap_or((2 * y.shape()[axis]).saturating_sub(2));
    if length == 0 {
        refuse(
            format!("axis {axis} of {} is half of no numbers; give the length of the result in `Options`", x.ty()),
            &[&x],
        );
    }
    along(Transform::ToReal { length }, &fitted(&y, axis, length / 2 + 1), axis, length, plan.norm)
}

macro_rules! transforms {
    ($(
        $(#[$doc:meta])*
        $kind:literal: $one:ident, $two:ident, $all:ident, $with:ident, |$x:ident, $plan:ident| $body:expr;
    )*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// When there is no such axis, or it has no elements.
        #[track_caller]
        pub fn $one($x: &Array) -> Array {
            let _called = called(stringify!($one));
            let $plan = last($x, Some(1));
            $body
        }

        #[doc = concat!("The ", $kind, " transform of the last two axes. See [`", stringify!($one), "`].")]
        ///
        /// ```
        #[doc = concat!("use wengert_core::{array, functions::fft};\nassert_eq!(fft::", stringify!($two), "(&array![[1.0, 0.0]]).rank(), 2);")]
        /// ```
        ///
        /// # Panics
        /// When there are no two axes, or one has no elements.
        #[track_caller]
        pub fn $two($x: &Array) -> Array {
            let _called = called(stringify!($two));
            let $plan = last($x, Some(2));
            $body
        }

        #[doc = concat!("The ", $kind, " transform of all axes. See [`", stringify!($one), "`].")]
        ///
        /// ```
        #[doc = concat!("use wengert_core::{array, functions::fft};\nassert_eq!(fft::", stringify!($all), "(&array![[[1.0, 0.0]]]).rank(), 3);")]
        /// ```
        ///
        /// # Panics
        /// When an axis has no elements.
        #[track_caller]
        pub fn $all($x: &Array) -> Array {
            let _called = called(stringify!($all));
            let $plan = last($x, None);
            $body
        }

        #[doc = concat!("The ", $kind, " transform of the axes that the options name. See [`", stringify!($one), "`].")]
        ///
        /// ```
        #[doc = concat!("use wengert_core::{array, functions::fft::{self, Options}};\nlet x = array![1.0, 2.0, 3.0];\nassert_eq!(fft::", stringify!($with), "(&x, &Options::default()), fft::", stringify!($one), "(&x));")]
        /// ```
        ///
        /// # Panics
        /// When there is no such axis, or its length is 0.
        #[track_caller]
        pub fn $with($x: &Array, options: &Options) -> Array {
            let _called = called(stringify!($with));
            let $plan = options.plan($x);
            $body
        }
    )*};
}

transforms! {
    /// The transform of the last axis: `y[k] = sum x[j] exp(-2πi jk / n)`.
    ///
    /// ```
    /// use wengert_core::{array, functions::fft};
    ///
    /// assert_eq!(fft::fft(&array![1.0, 0.0, 0.0, 1.0]).to_string(), "[2.+0.j 1.+1.j 0.+0.j 1.-1.j]");
    /// ```
    "forward": fft, fft2, fftn, fft_with, |x, plan| complex_to_complex(x, &plan, Transform::Forward);
    /// The inverse of [`fft()`]: `y[j] = sum x[k] exp(2πi jk / n) / n`.
    ///
    /// ```
    /// use wengert_core::{array, functions::fft};
    ///
    /// assert_eq!(fft::ifft(&fft::fft(&array![1.0, 2.0])).real(), array![1.0, 2.0]);
    /// ```
    "inverse": ifft, ifft2, ifftn, ifft_with, |x, plan| complex_to_complex(x, &plan, Transform::Inverse);
    /// The transform of real numbers along the last axis: the first `n / 2 + 1` ones of [`fft()`], of which the others are
    /// conjugates.
    ///
    /// ```
    /// use wengert_core::{array, functions::fft};
    ///
    /// assert_eq!(fft::rfft(&array![1.0, 0.0, 0.0, 1.0]).to_string(), "[2.+0.j 1.+1.j 0.+0.j]");
    /// ```
    "real": rfft, rfft2, rfftn, rfft_with, |x, plan| real_to_complex(x, plan);
    /// The inverse of [`rfft`]: of `m` numbers `2 (m - 1)` real ones, or the length that the options give. The imaginary part
    /// of the first one is not read, nor that of the last when the length is even.
    ///
    /// ```
    /// use wengert_core::{array, functions::fft};
    ///
    /// assert_eq!(fft::irfft(&fft::rfft(&array![1.0, 2.0])), array![1.0, 2.0]);
    /// ```
    "inverse real": irfft, irfft2, irfftn, irfft_with, |x, plan| complex_to_real(x, plan);
}

/// The frequencies of the numbers that [`fft()`] gives of `n` samples at distance `d`: `[0, 1, .., -2, -1] / (n d)`.
///
/// ```
/// use wengert_core::{array, functions::fft::fftfreq};
///
/// assert_eq!(fftfreq(4, 0.5), array![0.0, 0.5, -1.0, -0.5]);
/// ```
#[track_caller]
pub fn fftfreq(n: usize, d: f64) -> Array {
    let _called = called("fftfreq");
    let k = Array::iota(DType::I64, &[n], 0);
    let size = k.size() as i64;
    let half = Array::from((size + 1) / 2);
    let signed = k.ge(&half).select(&k - Array::from(size), &k);
    signed.convert(DType::F64) * (1.0 / (n as f64 * d))
}

/// The frequencies of the numbers that [`rfft`] gives of `n` samples at distance `d`: `[0, 1, .., n / 2] / (n d)`.
///
/// ```
/// use wengert_core::{array, functions::fft::rfftfreq};
///
/// assert_eq!(rfftfreq(4, 0.5), array![0.0, 0.5, 1.0]);
/// ```
#[track_caller]
pub fn rfftfreq(n: usize, d: f64) -> Array {
    let _called = called("rfftfreq");
    Array::iota(DType::F64, &[n / 2 + 1], 0) * (1.0 / (n as f64 * d))
}

/// With the zero frequency in the middle of these axes (`..` for all).
///
/// ```
/// use wengert_core::{array, functions::fft::fftshift};
///
/// assert_eq!(fftshift(&array![0, 1, 2, -2, -1], ..), array![-2, -1, 0, 1, 2]);
/// ```
///
/// # Panics
/// When there is no such axis.
#[track_caller]
pub fn fftshift(x: &Array, axes: impl Axes) -> Array {
    let _called = called("fftshift");
    rolled(x, axes, |n| n / 2)
}

/// The inverse of [`fftshift`].
///
/// ```
/// use wengert_core::{array, functions::fft::ifftshift};
///
/// assert_eq!(ifftshift(&array![-2, -1, 0, 1, 2], 0), array![0, 1, 2, -2, -1]);
/// ```
///
/// # Panics
/// When there is no such axis.
#[track_caller]
pub fn ifftshift(x: &Array, axes: impl Axes) -> Array {
    let _called = called("ifftshift");
    rolled(x, axes, |n| -(n / 2))
}

#[track_caller]
fn rolled(x: &Array, axes: impl Axes, shift: fn(i64) -> i64) -> Array {
    let (axes, _) = accept(axes.axes(x.rank()), &[x]);
    let shape = x.shape();
    axes.into_iter().fold(x.clone(), |x, axis| x.roll(shift(shape[axis] as i64), axis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array;
    use crate::trace::door;

    #[test]
    fn refusals() {
        let message = |f: &dyn Fn() -> Array| door(f).unwrap_err().message;
        let empty = || crate::zeros((2, 0));
        assert!(
            message(&|| fft(&empty())).starts_with("fft: there is no transform of no numbers"),
            "{}",
            message(&|| fft(&empty()))
        );
        assert!(message(&|| irfft(&array![1.0])).starts_with("irfft: axis 0 of f64[1] is half of no numbers"));
        assert!(message(&|| fft2(&array![1.0])).contains("it transforms 2 axes, and f64[1] has 1"));
        assert!(message(&|| rfft(&fft(&array![1.0]))).contains("it transforms real numbers"));
        let two = Options { lengths: vec![1, 2], ..Options::default() };
        assert!(message(&|| fft_with(&array![1.0], &two)).contains("2 lengths are given for 1 axes"));
        assert!(message(&|| fft(&Array::from(1.0))).starts_with("fft: it transforms 1 axes"));
    }
}
