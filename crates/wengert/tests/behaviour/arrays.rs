//! Operations on the structure of arrays, and what adds them up: functions of a vector to a scalar.

use super::{Case, Compared};
use wengert::prelude::*;
use wengert::{Convolution, PadMode, Padding, einsum, sort_together};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// One row.
struct Row {
    name: &'static str,
    function: fn(&Array) -> Array,
    at: &'static [f64],
    value: f64,
    slopes: &'static [f64],
}

macro_rules! rows {
    ($($name:literal: |$x:ident| $f:expr, at [$($at:expr),*], $value:expr, [$($slope:expr),*];)*) => {
        &[$(Row {
            name: $name,
            function: |$x: &Array| -> Array { $f },
            at: &[$($at),*],
            value: $value,
            slopes: &[$($slope),*],
        }),*]
    };
}

/// The sum weighted by 1, 10, 100, ..., which tells places apart.
fn told(x: &Array) -> Array {
    let weights: Vec<f64> = (0..x.size()).map(|i| 10f64.powi(i as i32)).collect();
    (x.flatten() * Array::from(weights)).sum()
}

/// Row `i` of the Hessian.
fn second(f: fn(Array) -> Array, x: &Array, i: i64) -> Array {
    grad(f)(x.clone()).at(i)
}

fn ints(x: &[i64]) -> Array {
    Array::from(x.to_vec())
}

#[rustfmt::skip]
const AGGREGATION: &[Row] = rows! {
    "greatest of two equal": |x| x.max(), at [1.0, 3.0, 3.0], 3.0, [0.0, 0.5, 0.5];
    "greatest with a NaN": |x| x.max(), at [1.0, NAN, 3.0], NAN, [NAN, NAN, NAN];
    "greatest of -inf alone": |x| x.max(), at [-INF, -INF], -INF, [0.5, 0.5];
    "product with a zero": |x| x.prod(), at [0.0, 2.0, 3.0], 0.0, [6.0, 0.0, 0.0];
    "second derivatives of a product with two zeros, first row": |x| second(|x| x.prod(), x, 0), at [0.0, 0.0, 3.0], 0.0, [0.0, 3.0, 0.0];
    "second derivatives of a product with two zeros, second row": |x| second(|x| x.prod(), x, 1), at [0.0, 0.0, 3.0], 0.0, [3.0, 0.0, 0.0];
    "second derivatives of a product with two zeros, third row": |x| second(|x| x.prod(), x, 2), at [0.0, 0.0, 3.0], 0.0, [0.0, 0.0, 0.0];
    "second derivatives of another product": |x| second(|x| x.prod(), x, 1), at [2.0, 0.0, 0.0], 0.0, [0.0, 0.0, 2.0];
    "cumprod with a zero": |x| x.cumprod(0).sum(), at [2.0, 0.0, 3.0], 2.0, [1.0, 8.0, 0.0];
    "cumprod with two zeros": |x| x.cumprod(0).sum(), at [2.0, 0.0, 3.0, 0.0], 2.0, [1.0, 8.0, 0.0, 0.0];
    "second derivative of cumprod with a zero": |x| second(|x| x.cumprod(0).sum(), x, 0), at [2.0, 0.0, 3.0], 1.0, [0.0, 4.0, 0.0];
    "cumprod from the end": |x| told(&x.cumprod_reverse(0)), at [2.0, 0.0, 3.0], 300.0, [0.0, 36.0, 100.0];
    "cumsum": |x| told(&x.cumsum(0)), at [1.0, 2.0, 3.0], 631.0, [111.0, 110.0, 100.0];
    "cumsum from the end": |x| told(&x.cumsum_reverse(0)), at [1.0, 2.0, 3.0], 356.0, [1.0, 11.0, 111.0];
    "cummax with a tie": |x| x.cummax(0).sum(), at [1.0, 1.0, 0.0], 3.0, [2.0, 1.0, 0.0];
    "cummin with a tie": |x| x.cummin(0).sum(), at [1.0, 1.0, 2.0], 3.0, [2.0, 1.0, 0.0];
    "cummax with a NaN": |x| x.cummax(0).at(0), at [1.0, NAN, 0.0], 1.0, [1.0, 0.0, 0.0];
    "cummax of -inf": |x| x.cummax(0).at(2), at [-INF, -INF, 0.0], 0.0, [0.0, 0.0, 1.0];
    "cumlogsumexp of -inf first": |x| x.cumlogsumexp(0).at(1), at [-INF, 2.0], 2.0, [0.0, 1.0];
    "cumlogsumexp of large numbers": |x| x.cumlogsumexp(0).at(1), at [1000.0, 1000.0], 1000.6931471805599, [0.5, 0.5];
    // JAX: NaN; PyTorch as here.
    "2-norm of zeros": |x| x.norm(), at [0.0, 0.0, 0.0], 0.0, [0.0, 0.0, 0.0];
    "2-norm by its number": |x| x.norm_p(2.0, ..), at [0.0, 4.0], 4.0, [0.0, 1.0];
    "sqrt of the sum of squares of zeros, by hand": |x| (x * x).sum().sqrt(), at [0.0, 0.0], 0.0, [NAN, NAN];
    // JAX: 1 each, as its `abs`; PyTorch as here.
    "1-norm of zeros": |x| x.norm_p(1.0, ..), at [0.0, 0.0, 0.0], 0.0, [0.0, 0.0, 0.0];
    "infinite norm of equal sizes": |x| x.norm_p(INF, ..), at [1.0, -1.0], 1.0, [0.5, -0.5];
    "3-norm of zeros": |x| x.norm_p(3.0, ..), at [0.0, 0.0], 0.0, [0.0, 0.0];
    "least norm": |x| x.norm_p(-INF, ..), at [3.0, -1.0], 1.0, [0.0, -1.0];
    // JAX: NaN; PyTorch as here.
    "standard deviation of a constant": |x| x.std(), at [2.0, 2.0, 2.0], 0.0, [0.0, 0.0, 0.0];
    "standard deviation of a sample": |x| x.std_ddof(.., 1), at [1.0, 3.0, 5.0], 2.0, [-0.5, 0.0, 0.5];
    "variance of a sample": |x| x.var_ddof(.., 1), at [1.0, 3.0], 2.0, [-2.0, 2.0];
    "weighted mean": |x| x.average(&array![3.0, 1.0], ..), at [1.0, 2.0], 1.25, [0.75, 0.25];
    "distance of the extremes with a tie": |x| x.ptp(..), at [1.0, 3.0, 3.0], 2.0, [-1.0, 0.5, 0.5];
    "sum without NaN": |x| x.nansum(..), at [1.0, NAN, 2.0], 3.0, [1.0, 0.0, 1.0];
    "mean without NaN": |x| x.nanmean(..), at [1.0, NAN, 2.0], 1.5, [0.5, 0.0, 0.5];
    "greatest without NaN": |x| x.nanmax(..), at [1.0, NAN, 2.0], 2.0, [0.0, 0.0, 1.0];
    "greatest pool with a tie": |x| x.max_pool(2, 1, Padding::Valid).sum(), at [1.0, 1.0, 0.0], 2.0, [0.5, 1.5, 0.0];
    "mean pool with padding": |x| told(&x.avg_pool(2, 2, Padding::Explicit(vec![(1, 0)]))), at [2.0, 4.0, 6.0], 51.0, [0.5, 5.0, 5.0];
};

#[rustfmt::skip]
const ORDER: &[Row] = rows! {
    "sort with a tie": |x| told(&x.sort(0)), at [2.0, 1.0, 1.0], 211.0, [100.0, 1.0, 10.0];
    "sort with a NaN": |x| told(&x.sort(0).slice(..2)), at [NAN, 1.0, -INF], -INF, [0.0, 10.0, 1.0];
    "sort of zeros is stable": |x| (1.0 / x.sort(0).at(0)).stop_gradient(), at [0.0, -0.0], INF, [0.0, 0.0];
    "the other zero": |x| (1.0 / x.sort(0).at(1)).stop_gradient(), at [0.0, -0.0], -INF, [0.0, 0.0];
    "order of NaN and zeros": |x| told(&x.argsort(0).convert(DType::F64)), at [NAN, 0.0, -0.0, -INF], 213.0, [0.0, 0.0, 0.0, 0.0];
    "two keys": |x| told(&sort_together(&[array![1, 0, 1].convert(DType::F64), x.clone()], 0, 2)[1]), at [3.0, 1.0, 2.0], 321.0, [100.0, 1.0, 10.0];
    "median of four": |x| x.median(), at [4.0, 2.0, 3.0, 1.0], 2.5, [0.0, 0.5, 0.5, 0.0];
    "median with a NaN": |x| x.median(), at [1.0, NAN, 2.0], NAN, [0.0, 0.0, 0.0];
    "quantile": |x| x.quantile(0.25), at [3.0, 1.0, 2.0, 5.0], 1.75, [0.0, 0.25, 0.75, 0.0];
    "the two greatest with a tie": |x| told(&x.top_k(2).0), at [3.0, 3.0, 1.0], 33.0, [1.0, 10.0, 0.0];
    "the greatest of equal ones": |x| x.top_k(1).0.sum(), at [3.0, 3.0, 3.0], 3.0, [1.0, 0.0, 0.0];
    "first greatest with NaN": |x| x.argmax().convert(DType::F64), at [1.0, NAN, 3.0], 1.0, [0.0, 0.0, 0.0];
};

#[rustfmt::skip]
const INDEXING: &[Row] = rows! {
    "read behind the end": |x| x.at(5), at [0.0, 1.0, 2.0], 2.0, [0.0, 0.0, 1.0];
    "read at a computed place behind the end": |x| x.at(ints(&[5]).at(0)), at [0.0, 1.0, 2.0], 2.0, [0.0, 0.0, 1.0];
    // JAX's index -4 of 3 is 2 - 3 = -1, which it clamps to the first.
    "read before the start": |x| x.at(-4), at [7.0, 1.0, 2.0], 7.0, [1.0, 0.0, 0.0];
    "read with a value for what is outside": |x| x.get_or(5, NAN), at [0.0, 1.0, 2.0], NAN, [0.0, 0.0, 0.0];
    "take outside": |x| x.take(ints(&[1, 5]), 0).at(1), at [0.0, 1.0], NAN, [0.0, 0.0];
    "read round and round": |x| told(&x.at_wrapped(ints(&[3, -1, -4]))), at [1.0, 2.0, 3.0], 331.0, [1.0, 0.0, 110.0];
    "checked read": |x| told(&x.at_checked(ints(&[2, -3]))), at [1.0, 2.0, 3.0], 13.0, [10.0, 0.0, 1.0];
    "several indices": |x| told(&x.reshape((2, 2)).at((ints(&[1, 0]), ints(&[0, 9])))), at [1.0, 2.0, 3.0, 4.0], 23.0, [0.0, 10.0, 1.0, 0.0];
    "take along an axis": |x| told(&x.reshape((2, 2)).take_along_axis(&array![[1], [0]], 1)), at [1.0, 2.0, 3.0, 4.0], 32.0, [0.0, 1.0, 10.0, 0.0];
    "add behind the end": |x| told(&x.slice(..3).scatter_add(5, &x.at(3))), at [1.0, 2.0, 3.0, 9.0], 321.0, [1.0, 10.0, 100.0, 0.0];
    "set twice: the last wins": |x| told(&x.slice(..2).scatter_set(ints(&[0, 0]), &x.slice(2..))), at [1.0, 2.0, 5.0, 7.0], 27.0, [0.0, 10.0, 0.0, 1.0];
    "set outside": |x| told(&x.slice(..2).scatter_set(ints(&[2, -3]), &x.slice(2..))), at [1.0, 2.0, 5.0, 7.0], 21.0, [1.0, 10.0, 0.0, 0.0];
    // JAX: an error.
    "multiply twice, by zero once": |x| told(&x.slice(..2).scatter_mul(ints(&[0, 0]), &x.slice(2..))), at [3.0, 2.0, 0.0, 7.0], 20.0, [0.0, 10.0, 21.0, 0.0];
    "greater at a tie": |x| told(&x.slice(..2).scatter_max(0, &x.at(2))), at [1.0, 2.0, 1.0], 21.0, [0.5, 10.0, 0.5];
    "less at a tie": |x| told(&x.slice(..2).scatter_min(0, &x.at(2))), at [1.0, 2.0, 1.0], 21.0, [0.5, 10.0, 0.5];
    "a window that would reach outside": |x| told(&x.dynamic_slice(&[5], 2)), at [0.0, 1.0, 2.0], 21.0, [0.0, 1.0, 10.0];
    "an update that would reach outside": |x| told(&x.slice(..3).dynamic_update_slice(&x.slice(3..), &[2])), at [0.0, 1.0, 2.0, 4.0, 5.0], 540.0, [1.0, 0.0, 0.0, 10.0, 100.0];
    "sums of segments, one of them outside": |x| told(&x.segment_sum(&array![1, 5, 1], 2)), at [1.0, 2.0, 4.0], 50.0, [10.0, 0.0, 10.0];
    "greatest of segments": |x| x.segment_max(&array![1, 1, 0], 2).sum(), at [1.0, 2.0, 4.0], 6.0, [0.0, 1.0, 1.0];
    "products of segments with a zero": |x| x.segment_prod(&array![0, 0, 0], 1).sum(), at [0.0, 2.0, 4.0], 0.0, [8.0, 0.0, 0.0];
};

#[rustfmt::skip]
const STRUCTURE: &[Row] = rows! {
    "margin by reflection": |x| told(&x.pad_mode(2, 1, PadMode::Reflect)), at [1.0, 2.0, 3.0], 232123.0, [100.0, 101010.0, 10001.0];
    "margin with zeros between": |x| told(&x.pad_dilated(-1, 1, 1, 5.0)), at [1.0, 2.0, 3.0], 5.0 + 20.0 + 500.0 + 3000.0 + 50000.0, [0.0, 10.0, 1000.0];
    "diagonal": |x| told(&x.reshape((2, 2)).diagonal(0, 0, 1)), at [1.0, 2.0, 3.0, 4.0], 41.0, [1.0, 0.0, 0.0, 10.0];
    "diagonal matrix": |x| told(&x.diag(1)), at [1.0, 2.0], 200010.0, [10.0, 100000.0];
    "trace": |x| x.reshape((2, 2)).trace(), at [1.0, 2.0, 3.0, 4.0], 5.0, [1.0, 0.0, 0.0, 1.0];
    "triangle beside infinity": |x| x.reshape((2, 2)).tril(0).sum(), at [1.0, INF, 3.0, 4.0], 8.0, [1.0, 0.0, 1.0, 1.0];
    "roll": |x| told(&x.roll(1, 0)), at [1.0, 2.0, 3.0], 213.0, [10.0, 100.0, 1.0];
    "tile": |x| told(&x.tile(2)), at [1.0, 2.0], 2121.0, [101.0, 1010.0];
    "repeat": |x| told(&x.repeat(2, 0)), at [1.0, 2.0], 2211.0, [11.0, 1100.0];
};

#[rustfmt::skip]
const PRODUCTS: &[Row] = rows! {
    "sum of squares by einsum": |x| einsum("i,i", &[x, x]), at [1.0, 2.0], 5.0, [2.0, 4.0];
    "trace by einsum": |x| einsum("ii", &[x.reshape((2, 2))]), at [1.0, 2.0, 3.0, 4.0], 5.0, [1.0, 0.0, 0.0, 1.0];
    "Kronecker product": |x| told(&x.kron(&array![1.0, 2.0])), at [1.0, 3.0], 6321.0, [21.0, 2100.0];
    "product over two axes": |x| x.reshape((2, 2)).tensordot(&array![[1.0, 10.0], [100.0, 1000.0]], 2), at [1.0, 2.0, 3.0, 4.0], 4321.0, [1.0, 10.0, 100.0, 1000.0];
    "convolution with stride": |x| told(&x.reshape((1, 1, 4)).conv1d(&array![[[1.0, 5.0]]], 2, Padding::Valid)), at [1.0, 2.0, 3.0, 4.0], 241.0, [1.0, 5.0, 10.0, 50.0];
    "convolution with dilations": |x| dilated(x), at [1.0, 2.0, 3.0], 21.0, [1.0, 10.0, 0.0];
};

/// As the definition says, with zeros between elements and between taps.
fn dilated(x: &Array) -> Array {
    let how = Convolution { lhs_dilation: vec![2], rhs_dilation: vec![2], ..Convolution::default() };
    let kernel = array![[[1.0, 0.0]]];
    let y = x.reshape((1, 1, 3)).conv_general_dilated(&kernel, &how);
    assert_eq!(y.shape().as_slice(), [1, 1, 3]);
    told(&y.slice_axis(2, wengert::Span::from(..).step_by(2)))
}

pub fn cases() -> Vec<Case> {
    [AGGREGATION, ORDER, INDEXING, STRUCTURE, PRODUCTS].into_iter().flatten().map(Row::case).collect()
}

impl Row {
    fn case(&self) -> Case {
        let f = self.function;
        Case {
            name: self.name,
            f: Box::new(move |x: &[Array]| f(&x[0])),
            at: vec![Array::from(self.at.to_vec())],
            value: vec![self.value],
            reverse: self.slopes.to_vec(),
            forward: self.slopes.to_vec(),
            compared: Compared { to_list: 0.0, to_first: 0.0, signed_zeros: false },
        }
    }
}

#[test]
fn every_form_agrees() {
    super::check(&cases());
}

#[test]
fn a_checked_index_is_an_error_in_compiled_code() {
    let f = |(x, i): (Array, Array)| x.at_checked(i);
    let x = array![1.0, 2.0, 3.0];
    assert_eq!(jit(f)((x.clone(), Array::from(-1))), Array::from(3.0));
    let error = try_jit(f)((x, Array::from(3))).unwrap_err();
    assert!(error.message.contains("every index is within axis 0 of length 3"), "{}", error.message);
}
