//! Distributions with parameters that shape them: gamma and its kin, Poisson, normal vectors.

use super::distributions::{gumbel, normal, uniform};
use super::{Key, categorical};
use crate::array::Array;
use crate::halves::in_f32;
use crate::ops::{Integers, cholesky, custom_jvp, lengths, rules, while_loop};
use crate::refusal::{accept, refuse};
use crate::source::{called, in_users_code};
use crate::trace::{inline, trace_closed};
use crate::transform;
use std::sync::Arc;
use wengert_kernel::{DType, Scalar};

/// A parameter spread over the shape of the draws, with their dtype.
#[track_caller]
fn parameter(x: &Array, shape: &[usize]) -> Array {
    if !x.dtype().is_float() {
        refuse("the parameter of a distribution is a float", &[x]);
    }
    x.broadcast_to(shape)
}

/// Draws again, with a key of its own for each round, until `draw` accepts for every element. An element keeps what it accepted
/// first, so that it does not depend on its neighbours.
#[track_caller]
fn until_accepted(key: &Key, like: &Array, draw: impl Fn(Key) -> (Array, Array)) -> Array {
    let todo = |(_, _, done): (Array, Array, Array)| !done.all();
    let round = |(k, x, done): (Array, Array, Array)| {
        let (y, accepted) = draw(key.fold_in(&k));
        (k + 1, (!&done & &accepted).select(y, x), done | accepted)
    };
    let none = rules::constant(Scalar::new(false), &like.shape());
    let start = (rules::literal(Scalar::new(0i32)), crate::zeros_like(like), none);
    in_users_code(|| while_loop(todo, round, start)).1
}

/// Logarithms of draws from gamma distributions with shape parameters `a > 0` and scale 1; see [`gamma`].
///
/// Where `a` is small the draws themselves are 0 in floating point, their logarithms are not.
///
/// ```
/// use wengert_core::{Array, random};
///
/// let tiny = random::loggamma(&random::key(0), &Array::from(1e-4), 5);
/// assert!(tiny.is_finite().all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn loggamma(key: &Key, a: &Array, shape: impl Integers) -> Array {
    let _called = called("random::loggamma");
    in_f32!(a = a => loggamma(key, a, shape));
    let a = parameter(a, &accept(lengths(&shape), &[]));
    let sample = |a: Array| log_of_gamma(key, &a);
    let rule = |a: Array, da: Array| {
        let y = log_of_gamma(key, &a);
        let slope = slope_of_log(&a, &y);
        (y, da * slope)
    };
    custom_jvp(sample, rule)(a)
}

/// Marsaglia and Tsang, "A simple method for generating gamma variables" (2000). Below 1 the shape is raised by one and
/// the draw multiplied by `u^(1/a)`.
fn log_of_gamma(key: &Key, a: &Array) -> Array {
    let [rounds, boost] = key.split();
    let (dtype, shape) = (a.dtype(), a.shape());
    let small = a.lt(1.0);
    let raised = small.select(a + 1.0, a);
    let d = raised - 1.0 / 3.0;
    let c = 1.0 / (9.0 * &d).sqrt();
    let v = until_accepted(&rounds, a, |key| {
        let [of_x, of_u] = key.split();
        let x = normal(&of_x, dtype, shape.clone());
        let u = uniform(&of_u, dtype, shape.clone());
        let root = 1.0 + &c * &x;
        let positive = root.gt(0.0);
        let v = positive.select(root, 1.0).powi(3);
        let bound = 0.5 * x.square() + &d * (1.0 - &v + v.log());
        (v, positive & (1.0 - u).log().lt(bound))
    });
    let log_u = (1.0 - uniform(&boost, dtype, shape)).log();
    d.log() + v.log() + small.select(log_u / a, 0.0)
}

/// How the logarithm `y` of a draw moves with the shape parameter while the probability of a smaller draw stays:
/// `-(dP/da) / (x p)` with `P(a, x)` the incomplete gamma function (M. Figurnov, S. Mohamed, A. Mnih, "Implicit
/// reparameterization gradients", 2018). Where `x` is so small that `P` is a power of it, by that power.
fn slope_of_log(a: &Array, y: &Array) -> Array {
    let x = y.exp();
    let power = x.lt(if a.dtype() == DType::F32 { 1e-7 } else { 1e-15 });
    let inside = power.select(1.0, &x);
    let types = [a.ty(), inside.ty()];
    let value = trace_closed(&types, |ax| vec![ax[0].igamma(&ax[1])]);
    let pushed = transform::jvp(&Arc::new(value), &[true, false], &[true]).program;
    let by_a = inline(&pushed, &[a.clone(), inside.clone(), crate::ones_like(a)]).remove(1);
    let log_density = a * inside.log() - &inside - a.lgamma();
    let tail = ((a + 1.0).digamma() - y) / a;
    power.select(tail, -by_a * (-log_density).exp())
}

/// Draws from gamma distributions with shape parameters `a > 0`, which broadcast to the shape, and scale 1. Mean and
/// variance are `a`. The derivative by `a` is that of the quantile (an implicit reparameterisation).
///
/// ```
/// use wengert_core::{Array, random};
///
/// assert!(random::gamma(&random::key(0), &Array::from(2.5), 100).gt(0.0).all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn gamma(key: &Key, a: &Array, shape: impl Integers) -> Array {
    let _called = called("random::gamma");
    loggamma(key, a, shape).exp()
}

/// Draws from beta distributions with parameters `a` and `b`, which broadcast to the shape; differentiable in both.
///
/// ```
/// use wengert_core::{Array, random};
///
/// let x = random::beta(&random::key(0), &Array::from(0.5), &Array::from(2.0), 100);
/// assert!((x.ge(0.0) & x.le(1.0)).all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn beta(key: &Key, a: &Array, b: &Array, shape: impl Integers) -> Array {
    let _called = called("random::beta");
    let shape = accept(lengths(&shape), &[]);
    let [of_a, of_b] = key.split();
    let (x, y) = (loggamma(&of_a, a, shape.clone()), loggamma(&of_b, b, shape));
    (x - y).logistic()
}

/// Draws from Dirichlet distributions: points of the simplex along a last axis, whose parameters lie along the last axis of
/// `alpha`; `shape` is that of the axes before. Differentiable in `alpha`.
///
/// ```
/// use wengert_core::{array, random};
///
/// let x = random::dirichlet(&random::key(0), &array![1.0, 2.0, 0.1], 4);
/// assert_eq!(x.shape().as_slice(), [4, 3]);
/// assert!((x.sum_axis(-1) - 1.0).abs().max().item::<f64>()? < 1e-15);
/// # Ok::<(), wengert_core::Error>(())
/// ```
///
/// # Panics
/// When `alpha` has no axis.
#[track_caller]
pub fn dirichlet(key: &Key, alpha: &Array, shape: impl Integers) -> Array {
    let _called = called("random::dirichlet");
    let Some(&n) = alpha.shape().last() else { refuse("the parameters lie along an axis", &[alpha]) };
    let mut shape = accept(lengths(&shape), &[]);
    shape.push(n);
    loggamma(key, alpha, shape).softmax(-1)
}

/// Counts with Poisson distributions of these rates, which broadcast to the shape, in an integer dtype.
///
/// Below 10 by products of uniform numbers (D. E. Knuth), else by W. Hörmann's PTRS, "The transformed rejection method for
/// generating Poisson random variables" (1993).
///
/// # Panics
/// When the dtype is no integer.
///
/// ```
/// use wengert_core::{Array, DType, random};
///
/// let counts = random::poisson(&random::key(0), &Array::from(3.0), DType::I32, 100);
/// assert!(counts.ge(0).all().item::<bool>()?);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn poisson(key: &Key, rate: &Array, dtype: DType, shape: impl Integers) -> Array {
    let _called = called("random::poisson");
    if !dtype.is_integer() {
        refuse(format!("counts are integers, not {dtype}"), &[]);
    }
    let rate = parameter(rate, &accept(lengths(&shape), &[])).stop_gradient();
    let rate = if rate.dtype().is_half() { rate.convert(DType::F32) } else { rate };
    let large = rate.ge(10.0);
    let [few, many] = key.split();
    let counts =
        large.select(many_events(&many, &large.select(&rate, 10.0)), few_events(&few, &large.select(0.0, &rate)));
    counts.convert(dtype)
}

fn few_events(key: &Key, rate: &Array) -> Array {
    let (float, shape) = (rate.dtype(), rate.shape());
    let going = |(_, _, product): (Array, Array, Array)| product.gt(-rate).any();
    let round = |(k, count, log_product): (Array, Array, Array)| {
        let u = 1.0 - uniform(&key.fold_in(&k), float, shape.clone());
        let more = log_product.gt(-rate);
        let log_product = more.select(&log_product + u.log(), &log_product);
        // It counts the factors after the first that do not bring the product below exp(-rate).
        (k + 1, &count + (more & log_product.gt(-rate)).convert(float), log_product)
    };
    let zero = crate::zeros_like(rate);
    let start = (rules::literal(Scalar::new(0i32)), zero.clone(), zero);
    in_users_code(|| while_loop(going, round, start)).1
}

fn many_events(key: &Key, rate: &Array) -> Array {
    let (float, shape) = (rate.dtype(), rate.shape());
    let b = 0.931 + 2.53 * rate.sqrt();
    let a = -0.059 + 0.02483 * &b;
    let inverse = 1.1239 + 1.1328 / (&b - 3.4);
    let inner = 0.9277 - 3.6224 / (&b - 2.0);
    until_accepted(key, rate, |key| {
        let [of_u, of_v] = key.split();
        let u = uniform(&of_u, float, shape.clone()) - 0.5;
        let v = 1.0 - uniform(&of_v, float, shape.clone());
        let us = 0.5 - u.abs();
        let k = ((2.0 * &a / &us + &b) * &u + rate + 0.43).floor();
        let outside = k.lt(0.0) | (us.lt(0.013) & v.gt(&us));
        let hat = v.log() + inverse.log() - (&a / us.square() + &b).log();
        let inside = hat.le(&k * rate.log() - rate - (&k + 1.0).lgamma());
        (k, (us.ge(0.07) & v.le(&inner)) | (!outside & inside))
    })
}

/// Draws from a normal distribution of vectors: mean `f[n]`, covariance `f[n, n]`; `shape` is that of the axes before the last.
/// By the Cholesky factor, so differentiable in both; NaN where the covariance is not positive definite.
///
/// ```
/// use wengert_core::{array, random};
///
/// let covariance = array![[2.0, 0.3], [0.3, 1.0]];
/// let x = random::multivariate_normal(&random::key(0), &array![1.0, -1.0], &covariance, 5);
/// assert_eq!(x.shape().as_slice(), [5, 2]);
/// ```
///
/// # Panics
/// When mean and covariance do not fit.
#[track_caller]
pub fn multivariate_normal(key: &Key, mean: &Array, covariance: &Array, shape: impl Integers) -> Array {
    let _called = called("random::multivariate_normal");
    let (m, c) = (mean.shape(), covariance.shape());
    if m.len() != 1 || c.as_slice() != [m[0], m[0]] {
        refuse("the mean is a vector of n numbers and the covariance an n by n matrix", &[mean, covariance]);
    }
    let mut shape = accept(lengths(&shape), &[]);
    shape.push(m[0]);
    let z = normal(key, covariance.dtype(), shape);
    z.dot(&cholesky(covariance).transpose()) + mean
}

/// The numbers `0..n` in random order, as `i64`.
///
/// ```
/// use wengert_core::{arange, random};
///
/// let order = random::permutation(&random::key(0), 10);
/// assert_eq!(order.sort(0), arange(0i64, 10, 1));
/// ```
#[track_caller]
pub fn permutation(key: &Key, n: usize) -> Array {
    let _called = called("random::permutation");
    key.bits64(n).argsort(0)
}

/// The rows of an array in random order.
///
/// # Panics
/// When it has no axis.
///
/// ```
/// use wengert_core::{array, random};
///
/// let shuffled = random::shuffle(&random::key(0), &array![1.0, 2.0, 3.0]);
/// assert_eq!(shuffled.sort(0), array![1.0, 2.0, 3.0]);
/// ```
#[track_caller]
pub fn shuffle(key: &Key, x: &Array) -> Array {
    let _called = called("random::shuffle");
    let Some(&n) = x.shape().first() else { refuse("a scalar has no rows", &[x]) };
    x.take(permutation(key, n), 0)
}

/// Rows of an array, each draw any of them: with weights `p` along its rows, which need not add to one, or all as likely.
///
/// # Panics
/// When it has no rows, or there is not one weight for each.
///
/// ```
/// use wengert_core::{array, random};
///
/// let x = array![1.0, 2.0, 3.0];
/// assert_eq!(random::choice(&random::key(0), &x, Some(&array![0.0, 1.0, 0.0]), (2, 2)), array![[2.0, 2.0], [2.0, 2.0]]);
/// ```
#[track_caller]
pub fn choice(key: &Key, x: &Array, p: Option<&Array>, shape: impl Integers) -> Array {
    let _called = called("random::choice");
    let n = rows(x);
    let mut shape = accept(lengths(&shape), &[]);
    let places = match p {
        None => super::randint(key, DType::I64, shape, 0, n as i64),
        Some(p) => {
            weights(p, n);
            shape.push(n);
            categorical(key, &p.log().broadcast_to(shape))
        }
    };
    x.take(&places, 0)
}

/// `count` different rows of an array, in random order: with weights `p` the first is drawn by them, the next by those of the
/// remaining ones, and so on (the Gumbel trick).
///
/// # Panics
/// When it has fewer rows, or there is not one weight for each.
///
/// ```
/// use wengert_core::{array, random};
///
/// let hand = random::choice_distinct(&random::key(0), &array![1.0, 2.0, 3.0], None, 3);
/// assert_eq!(hand.sort(0), array![1.0, 2.0, 3.0]);
/// ```
#[track_caller]
pub fn choice_distinct(key: &Key, x: &Array, p: Option<&Array>, count: usize) -> Array {
    let _called = called("random::choice_distinct");
    let n = rows(x);
    if count > n {
        refuse(format!("there are {n} rows, {count} different ones were asked for"), &[x]);
    }
    let order = match p {
        None => permutation(key, n),
        Some(p) => {
            weights(p, n);
            (-(p.log() + gumbel(key, p.dtype(), n))).argsort(0)
        }
    };
    x.take(order.slice(..count), 0)
}

#[track_caller]
fn rows(x: &Array) -> usize {
    match x.shape().first() {
        Some(&n) if n > 0 => n,
        _ => refuse("there is no row to choose", &[x]),
    }
}

#[track_caller]
fn weights(p: &Array, n: usize) {
    if p.shape().as_slice() != [n] || !p.dtype().is_float() {
        refuse(format!("the weights are {n} floats, one for each row"), &[p]);
    }
}
