//! Draws from distributions, all from the bits of a key.

use super::Key;
use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::ops::{Integers, rules};
use crate::refusal::refuse;
use crate::source::called;
use wengert_kernel::{DType, Scalar};

/// Numbers in [0, 1), each a multiple of 2^-23 (`f32`) or 2^-52 (`f64`), as in JAX; of 2^-10 (`f16`) or 2^-7 (`bf16`).
///
/// # Panics
/// When the dtype is no float.
///
/// ```
/// use wengert_core::{DType, random};
///
/// let x = random::uniform(&random::key(42), DType::F32, 3);
/// assert_eq!(x.to_vec::<f32>()?, [0.48870957, 0.6797972, 0.6162715]); // as JAX
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn uniform(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::uniform");
    match dtype {
        DType::F32 => (key.bits(shape) >> 9).convert(dtype) * (0.5f64.powi(23)),
        DType::F64 => (key.bits64(shape) >> 12).convert(dtype) * (0.5f64.powi(52)),
        // Of as many bits as a half has after its point, so that none is rounded to 1.
        DType::F16 => (key.bits(shape) >> 22).convert(DType::F32).convert(dtype) * (0.5f64.powi(10)),
        DType::BF16 => (key.bits(shape) >> 25).convert(DType::F32).convert(dtype) * (0.5f64.powi(7)),
        _ => refuse(format!("random numbers are drawn as floats, not as {dtype}"), &[]),
    }
}

/// Numbers above 0 and below 1, as likely near 0 as they should be.
fn open_uniform(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let tiny = if dtype == DType::F32 { f32::MIN_POSITIVE as f64 } else { f64::MIN_POSITIVE };
    uniform(key, dtype, shape).maximum(tiny)
}

/// Normal with mean 0 and variance 1, by the inverse of its distribution function, as in JAX.
///
/// # Panics
/// When the dtype is no float.
///
/// ```
/// use wengert_core::{DType, random};
///
/// let x = random::normal(&random::key(42), DType::F32, 3).to_vec::<f32>()?;
/// let of_jax = [-0.02830462, 0.46713185, 0.29570296];
/// assert!(x.iter().zip(of_jax).all(|(x, y)| (x - y).abs() < 1e-6));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn normal(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::normal");
    if dtype.is_half() {
        return normal(key, DType::F32, shape).convert(dtype);
    }
    std::f64::consts::SQRT_2 * symmetric(key, dtype, shape).erf_inv()
}

/// Numbers above -1 and below 1.
fn symmetric(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let low = if dtype == DType::F32 { (-1f32).next_up() as f64 } else { (-1f64).next_up() };
    // The width is rounded to the dtype, as is everything.
    let width = if dtype == DType::F32 { (1.0 - low as f32) as f64 } else { 1.0 - low };
    (uniform(key, dtype, shape) * width + low).maximum(low)
}

/// Normal with mean 0 and variance 1 before it was cut to what lies between the bounds, which broadcast to the shape.
/// Differentiable in the bounds.
///
/// ```
/// use wengert_core::{DType, random};
///
/// let x = random::truncated_normal(&random::key(0), 1.0, 2.0, DType::F64, 100);
/// assert!((x.ge(1.0) & x.le(2.0)).all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn truncated_normal(
    key: &Key,
    low: impl Into<Term>,
    high: impl Into<Term>,
    dtype: DType,
    shape: impl Integers,
) -> Array {
    let _called = called("random::truncated_normal");
    if dtype.is_half() {
        return truncated_normal(key, low, high, DType::F32, shape).convert(dtype);
    }
    let u = uniform(key, dtype, shape);
    let root = std::f64::consts::SQRT_2;
    let [low, high, _] = promote([low.into(), high.into(), Term::from(&u)]);
    let (from, to) = ((&low / root).erf(), (&high / root).erf());
    let x = root * (&from + u * (to - &from)).erf_inv();
    // Rounding may leave the interval.
    x.maximum(low).minimum(high)
}

/// Whole numbers, each of `low..high` as likely (up to one part in 2^64 for each of them).
///
/// # Panics
/// When the dtype is no integer, or nothing lies between the bounds.
///
/// ```
/// use wengert_core::{DType, random};
///
/// let dice = random::randint(&random::key(1), DType::I32, 100, 1, 7);
/// assert_eq!((dice.min().item::<i32>()?, dice.max().item::<i32>()?), (1, 6));
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn randint(key: &Key, dtype: DType, shape: impl Integers, low: i64, high: i64) -> Array {
    let _called = called("random::randint");
    if !dtype.is_integer() {
        refuse(format!("whole numbers are drawn as integers, not as {dtype}"), &[]);
    }
    if low >= high {
        refuse(format!("nothing lies between {low} and {high}"), &[]);
    }
    let span = rules::literal(Scalar::new(high.wrapping_sub(low) as u64));
    let offset = (key.bits64(shape) % span).convert(DType::I64);
    (offset + rules::literal(Scalar::new(low))).convert(dtype)
}

/// `true` with probability `p`, which may be an array that broadcasts to the shape.
///
/// ```
/// use wengert_core::random;
///
/// assert!(!random::bernoulli(&random::key(0), 0.0, 100).any().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn bernoulli(key: &Key, p: impl Into<Term>, shape: impl Integers) -> Array {
    let _called = called("random::bernoulli");
    let [p] = promote([p.into()]);
    let dtype = if p.dtype() == DType::F32 { DType::F32 } else { DType::F64 };
    uniform(key, dtype, shape).lt(&p)
}

/// Exponential with rate 1, by the inverse of its distribution function.
///
/// ```
/// use wengert_core::{DType, random};
///
/// assert!(random::exponential(&random::key(0), DType::F64, 100).min().item::<f64>()? >= 0.0);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn exponential(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::exponential");
    if dtype.is_half() {
        return exponential(key, DType::F32, shape).convert(dtype);
    }
    -(-uniform(key, dtype, shape)).log1p()
}

/// Laplace with location 0 and scale 1.
///
/// ```
/// use wengert_core::{DType, random};
///
/// assert!(random::laplace(&random::key(0), DType::F64, 100).is_finite().all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn laplace(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::laplace");
    if dtype.is_half() {
        return laplace(key, DType::F32, shape).convert(dtype);
    }
    let u = 2.0 * open_uniform(key, dtype, shape) - 1.0;
    let u = u.maximum(dtype.epsilon() / 2.0 - 1.0);
    u.sign() * (-u.abs()).log1p()
}

/// Logistic with location 0 and scale 1.
///
/// ```
/// use wengert_core::{DType, random};
///
/// assert!(random::logistic(&random::key(0), DType::F64, 100).is_finite().all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn logistic(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::logistic");
    if dtype.is_half() {
        return logistic(key, DType::F32, shape).convert(dtype);
    }
    let u = open_uniform(key, dtype, shape);
    u.log() - (-u).log1p()
}

/// Cauchy with location 0 and scale 1.
///
/// ```
/// use wengert_core::{DType, random};
///
/// assert_eq!(random::cauchy(&random::key(0), DType::F32, ()).dtype(), DType::F32);
/// ```
#[track_caller]
pub fn cauchy(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::cauchy");
    if dtype.is_half() {
        return cauchy(key, DType::F32, shape).convert(dtype);
    }
    (std::f64::consts::PI * (open_uniform(key, dtype, shape) - 0.5)).tan()
}

/// Gumbel with location 0 and scale 1.
///
/// ```
/// use wengert_core::{DType, random};
///
/// assert!(random::gumbel(&random::key(0), DType::F64, 100).is_finite().all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn gumbel(key: &Key, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::gumbel");
    if dtype.is_half() {
        return gumbel(key, DType::F32, shape).convert(dtype);
    }
    -(-open_uniform(key, dtype, shape).log()).log()
}

/// Numbers of categories, of unnormalised log probabilities along the last axis of `logits`; one draw for each of its rows.
///
/// By the Gumbel trick: the greatest of `logits + gumbel`.
///
/// ```
/// use wengert_core::{array, random};
///
/// let logits = array![[0.0, f64::NEG_INFINITY], [f64::NEG_INFINITY, 0.0]];
/// assert_eq!(random::categorical(&random::key(0), &logits), array![0i64, 1]);
/// ```
#[track_caller]
pub fn categorical(key: &Key, logits: &Array) -> Array {
    let _called = called("random::categorical");
    if logits.rank() == 0 {
        refuse("the logits have one axis at least, along which the categories lie", &[logits]);
    }
    (logits + gumbel(key, logits.dtype(), logits.shape())).argmax_axis(-1)
}
