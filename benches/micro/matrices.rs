//! Products of matrices, convolutions, decompositions.

use crate::machine::Bound;
use crate::{Case, numbers};
use wengert::prelude::*;
use wengert::{Convolution, Padding, linalg};

/// Square matrices.
pub fn products() -> Vec<Case> {
    let mut all = Vec::new();
    for dtype in [DType::F32, DType::F64] {
        for n in [64, 256, 512, 1024] {
            let arguments = move || (numbers(dtype, (n, n), 0), numbers(dtype, (n, n), 1));
            let case = Case::jitted("", n, dtype, |(a, b): (Array, Array)| a.matmul(&b), arguments);
            all.push(case.bounded(Bound::copy(n * n, dtype.size()).computing(2.0 * (n as f64).powi(3))));
        }
    }
    all
}

/// With the channels in front, or at the end.
fn convolved(x: &Array, w: &Array, last: bool) -> Array {
    let how = Convolution { padding: Padding::Same, ..Convolution::default() };
    if !last {
        return x.conv_general_dilated(w, &how);
    }
    let (x, w) = (x.permute([0, 3, 1, 2]), w.permute([3, 2, 0, 1]));
    x.conv_general_dilated(&w, &how).permute([0, 2, 3, 1])
}

type Pair = (Array, Array);

/// Kernels of 3 x 3 over images of 32 x 32.
pub fn convolutions() -> Vec<Case> {
    let arguments = |channels: usize, features: usize| {
        move || (numbers(DType::F32, (32, channels, 32, 32), 0), numbers(DType::F32, (features, channels, 3, 3), 1))
    };
    let last = || (numbers(DType::F32, (32, 32, 32, 3), 0), numbers(DType::F32, (3, 3, 3, 16), 1));
    let forward = |last: bool| move |(x, w): Pair| convolved(&x, &w, last);
    let both = |last: bool| move |(x, w): Pair| grad(|(x, w): Pair| convolved(&x, &w, last).square().sum())((x, w));
    let kernel = |(x, w): Pair| grad(|w: Array| convolved(&x, &w, false).square().sum())(w);
    let (small, large) = ("32x3x32x32*16x3x3", "32x16x32x32*32x3x3");
    let f32 = DType::F32;
    vec![
        Case::jitted("fwd", small, f32, forward(false), arguments(3, 16)),
        Case::jitted("fwd_nhwc", small, f32, forward(true), last),
        Case::jitted("grad_w", small, f32, kernel, arguments(3, 16)),
        Case::jitted("grad_xw", small, f32, both(false), arguments(3, 16)),
        Case::jitted("grad_xw_nhwc", small, f32, both(true), last),
        Case::jitted("fwd", large, f32, forward(false), arguments(16, 32)),
        Case::jitted("grad_xw", large, f32, both(false), arguments(16, 32)),
    ]
}

/// Of a positive definite matrix of 200 rows.
pub fn decompositions() -> Vec<Case> {
    let system = || {
        let m = numbers(DType::F64, (200, 200), 0);
        (m.matmul(&m.transpose()) / 200.0 + eye(200), numbers(DType::F64, 200, 1))
    };
    let matrix = move || system().0;
    let solved = |(a, b): Pair| linalg::solve(&a, &b);
    let d = DType::F64;
    vec![
        Case::jitted("cholesky", 200, d, |a: Array| linalg::cholesky(&a), matrix),
        Case::jitted("cholesky_grad", 200, d, |a| grad(|a: Array| linalg::cholesky(&a).sum())(a), matrix),
        Case::jitted("solve", 200, d, solved, system),
        Case::jitted("solve_grad", 200, d, move |x| grad(|x: Pair| solved(x).square().sum())(x), system),
    ]
}
