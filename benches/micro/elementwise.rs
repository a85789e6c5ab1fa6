//! One pass over an array, its gradient, long chains of arithmetic, reductions and random numbers.

use crate::machine::Bound;
use crate::{Case, numbers};
use wengert::prelude::*;

const SIZES: [usize; 4] = [1 << 10, 1 << 15, 1 << 20, 1 << 24];
const FLOATS: [DType; 2] = [DType::F32, DType::F64];

type Function = fn(&Array) -> Array;

/// By name, and whether it is of rows of 256.
const FUNCTIONS: [(&str, bool, Function); 7] = [
    ("axpb", false, |x| x * 2.5 + 1.5),
    ("expsin", false, |x| (-x * x).exp() * x.sin() + (x * x).log1p()),
    ("tanh", false, Array::tanh),
    ("gelu", false, |x| 0.5 * x * (1.0 + (x * std::f64::consts::FRAC_1_SQRT_2).erf())),
    ("softmax", true, |x| x.softmax(-1)),
    ("layernorm", true, |x| {
        let centred = x - x.mean_axis(keepdims(1));
        &centred * (x.var_axis(keepdims(1)) + 1e-5).rsqrt()
    }),
    ("logsumexp", true, |x| x.logsumexp_axis(-1)),
];

fn argument(dtype: DType, n: usize, rows: bool) -> Array {
    if rows { numbers(dtype, (n / 256, 256), 0) } else { numbers(dtype, n, 0) }
}

/// Values, of all sizes.
pub fn values() -> Vec<Case> {
    let mut all = Vec::new();
    for dtype in FLOATS {
        for n in SIZES {
            for (name, rows, f) in FUNCTIONS {
                let case = Case::jitted(name, n, dtype, move |x: Array| f(&x), move || argument(dtype, n, rows));
                let bound = if name == "logsumexp" { Bound::read } else { Bound::copy };
                all.push(case.bounded(bound(n, dtype.size())));
            }
            let start = move || argument(dtype, n, false);
            let case = Case::repeated("axpb_inplace", n, dtype, |x: Array| x * 0.5 + 1.5, start, |x| vec![x]);
            all.push(case.bounded(Bound::update(n, dtype.size())));
        }
    }
    all
}

/// Gradients of `sum(f(x)^2)`.
pub fn gradients() -> Vec<Case> {
    let mut all = Vec::new();
    for dtype in FLOATS {
        for (name, rows, f) in FUNCTIONS {
            let gradient = move |x: Array| grad(|x: Array| f(&x).square().sum())(x);
            let case = Case::jitted(name, 1 << 20, dtype, gradient, move || argument(dtype, 1 << 20, rows));
            let case = case.noted("gradient of sum(f(x)^2)").bounded(Bound::copy(1 << 20, dtype.size()));
            // The sum of squares of normalised rows is a constant but for the 1e-5: in f32 its gradient is rounding alone.
            all.push(if name == "layernorm" && dtype == DType::F32 { case.incomparable() } else { case });
        }
    }
    all
}

/// Long chains of arithmetic: what the code generator makes of them.
pub fn chains() -> Vec<Case> {
    let functions: [(&str, usize, Function); 3] = [
        ("mul_add_10", 20, |x| (0..10).fold(x.clone(), |y, k| y * (1.0 + 0.01 * f64::from(k)) + 0.1)),
        ("mul_mul_add_10", 20, |x| (0..10).fold(x.clone(), |y, _| &y * x + 0.1 * x)),
        ("polynomial_20", 40, |x| (0..20).fold(x * 0.0 + 1.0, |y, k| y * x + 1.0 / f64::from(k + 1))),
    ];
    let mut all = Vec::new();
    for dtype in FLOATS {
        for n in [1 << 10, 1 << 20] {
            for (name, operations, f) in functions {
                let case = Case::jitted(name, n, dtype, move |x: Array| f(&x), move || argument(dtype, n, false));
                // Nothing is fused, but a product and a sum may run beside each other where there are units for each.
                let bound = Bound::copy(n, dtype.size()).computing((operations * n) as f64);
                all.push(case.bounded(bound));
            }
        }
    }
    all
}

/// Reductions, a transposition, random numbers.
pub fn reductions() -> Vec<Case> {
    let flat: [(&str, Function); 3] = [("sum", Array::sum), ("max", Array::max), ("dot", |x| x.dot(x))];
    let square: [(&str, Function); 3] =
        [("sum_rows", |m| m.sum_axis(1)), ("sum_cols", |m| m.sum_axis(0)), ("transpose", Array::transpose)];
    let mut all = Vec::new();
    for dtype in FLOATS {
        for n in [1usize << 20, 1 << 24] {
            for (name, f) in flat {
                let case = Case::jitted(name, n, dtype, move |x: Array| f(&x), move || numbers(dtype, n, 0));
                all.push(case.bounded(Bound::read(n, dtype.size())));
            }
            let side = 1usize << (n.ilog2() / 2);
            for (name, f) in square {
                let arguments = move || numbers(dtype, (side, side), 0);
                let case = Case::jitted(name, n, dtype, move |x: Array| f(&x), arguments);
                let bound = if name == "transpose" { Bound::copy } else { Bound::read };
                all.push(case.bounded(bound(n, dtype.size())));
            }
        }
    }
    let n = 1 << 20;
    let key = || random::key(0);
    all.push(Case::jitted("normal", n, DType::F32, move |k| random::normal(&k, DType::F32, n), key));
    all.push(Case::jitted("uniform", n, DType::F32, move |k| random::uniform(&k, DType::F32, n), key));
    all
}
