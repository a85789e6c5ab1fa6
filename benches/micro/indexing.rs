//! Sorting, cumulative sums, reading and adding at indices: of a million elements.

use crate::{Case, integers, numbers};
use wengert::prelude::*;

const N: usize = 1 << 20;

/// All of them.
pub fn cases() -> Vec<Case> {
    let of = |dtype: DType| move || numbers(dtype, N, 0);
    let (f32, f64) = (DType::F32, DType::F64);
    let both = || (numbers(DType::F32, N, 0), integers(N, N, 1));
    let few = || (numbers(DType::F32, N, 0), integers(1024, N, 2));
    let added = |n: usize| move |(x, i): (Array, Array)| zeros_of(DType::F32, [n]).scatter_add(i, &x);
    vec![
        Case::jitted("sort", N, f32, |x: Array| x.sort(0), of(f32)),
        Case::jitted("sort", N, f64, |x: Array| x.sort(0), of(f64)),
        Case::jitted("argsort", N, f32, |x: Array| x.argsort(0), of(f32)),
        Case::jitted("cumsum", N, f32, |x: Array| x.cumsum(0), of(f32)),
        Case::jitted("cumsum", N, f64, |x: Array| x.cumsum(0), of(f64)),
        Case::jitted("cumsum_grad", N, f32, |x| grad(|x: Array| x.cumsum(0).square().sum())(x), of(f32)),
        Case::jitted("gather", N, f32, |(x, i): (Array, Array)| x.take(i, 0), both),
        Case::jitted(
            "gather_grad",
            N,
            f32,
            |(x, i): (Array, Array)| grad(|x: Array| x.take(i.clone(), 0).square().sum())(x),
            both,
        ),
        Case::jitted("scatter_add", N, f32, added(N), both),
        Case::jitted("histogram1k", N, f32, added(1024), few),
    ]
}
