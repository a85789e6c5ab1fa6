//! Operations on the structure of arrays against JAX: values, gradients and second derivatives, in `f64` and `f32`, from a file
//! that `golden/arrays.py` wrote.

use wengert::prelude::*;
use wengert::{Convolution, PadMode, Padding, einsum};

type Function = fn(&Array) -> Array;

/// The vector's elements `from..`, as many as an array of this shape has.
fn part(x: &Array, from: usize, shape: &[usize]) -> Array {
    let n: usize = shape.iter().product();
    x.slice(from..from + n).reshape(shape.to_vec())
}

fn matrix(x: &Array) -> Array {
    x.reshape((4, 6))
}

fn ids() -> Array {
    array![3, 0, 2, 3, 7, -1, 0, 3, 1, 1, 2, 0]
}

fn at() -> Array {
    array![5, 2, 1, 0, 11, 99]
}

fn pool(f: fn(&Array, [usize; 2], [usize; 2], Padding) -> Array, x: &Array) -> Array {
    f(&x.reshape((5, 8)), [2, 3], [1, 2], Padding::Explicit(vec![(1, 0), (0, 2)]))
}

fn convolution(x: &Array, groups: usize, how: Convolution) -> Array {
    let kernel = part(x, 60, &[6, 4 / groups, 2, 2]);
    part(x, 0, &[1, 4, 3, 5]).conv_general_dilated(&kernel, &how)
}

#[rustfmt::skip]
const FUNCTIONS: &[(&str, Function)] = &[
    ("sort", |x| matrix(x).sort(1)),
    ("sort columns", |x| matrix(x).sort(0)),
    ("sort by key", |x| x.sort_by_key(&(9.0 * x).sin(), 0)),
    ("top_k", |x| matrix(x).top_k(3).0),
    ("median", |x| matrix(x).median_axis(1)),
    ("quantile", |x| matrix(x).quantile_axis(0.3, 0)),
    ("percentile", |x| x.percentile(77.0)),
    ("cumsum", |x| matrix(x).cumsum(1)),
    ("cumsum reverse", |x| matrix(x).cumsum_reverse(0)),
    ("cumprod", |x| matrix(x).cumprod(1)),
    ("cumprod reverse", |x| matrix(x).cumprod_reverse(0)),
    ("cummax", |x| matrix(x).cummax(1)),
    ("cummin", |x| matrix(x).cummin(0)),
    ("cumlogsumexp", |x| matrix(x).cumlogsumexp(1)),
    ("cumlogsumexp reverse", |x| matrix(x).cumlogsumexp_reverse(0)),
    ("prod", |x| matrix(x).prod_axis(1)),
    ("var", |x| matrix(x).var_ddof(1, 1)),
    ("std", |x| matrix(x).std_axis(0)),
    ("average", |x| matrix(x).average(&arange(1.0, 7.0, 1.0), 1)),
    ("ptp", |x| matrix(x).ptp(1)),
    ("norm 1", |x| matrix(x).norm_p(1.0, 1)),
    ("norm 3", |x| matrix(x).norm_p(3.0, 1)),
    ("norm inf", |x| matrix(x).norm_p(f64::INFINITY, 1)),
    ("max pool", |x| pool(|x, n, s, p| x.max_pool(n, s, p), x)),
    ("min pool", |x| pool(|x, n, s, p| x.min_pool(n, s, p), x)),
    ("avg pool", |x| pool(|x, n, s, p| x.avg_pool(n, s, p), x)),
    ("take", |x| x.reshape((3, 4)).take(array![[1, 3], [0, -1]], 1)),
    ("take_along_axis", |x| x.reshape((3, 4)).take_along_axis(&array![[3, 0], [1, 1], [2, -4]], 1)),
    ("at two", |x| x.reshape((3, 4)).at((array![0, 2, 1], array![3, 3, 0]))),
    ("scatter_set", |x| x.slice(..12).scatter_set(array![5, 2, 5, 0, 11, 99], &x.slice(12..))),
    ("scatter_max", |x| x.slice(..12).scatter_max(at(), &x.slice(12..))),
    ("scatter_min", |x| x.slice(..12).scatter_min(at(), &x.slice(12..))),
    ("segment_sum", |x| x.segment_sum(&ids(), 4)),
    ("segment_max", |x| x.segment_max(&ids(), 4)),
    ("roll", |x| x.reshape((3, 4)).roll(-3, 1)),
    ("tile", |x| x.reshape((2, 3)).tile((2, 1, 2))),
    ("repeat", |x| x.reshape((2, 3)).repeat(3, 1)),
    ("pad reflect", |x| x.reshape((3, 4)).pad_mode([2, 3], [1, 2], PadMode::Reflect)),
    ("pad wrap", |x| x.reshape((3, 4)).pad_mode([2, 3], [4, 2], PadMode::Wrap)),
    ("pad symmetric", |x| x.reshape((3, 4)).pad_mode([2, 3], [1, 6], PadMode::Symmetric)),
    ("pad edge", |x| x.reshape((3, 4)).pad_mode([2, 3], [1, 2], PadMode::Edge)),
    ("pad dilated", |x| x.reshape((3, 4)).pad_dilated([-1, 1], [2, -2], [1, 2], 0.5)),
    ("diagonal", |x| x.reshape((2, 3, 4)).diagonal(1, 1, 2)),
    ("diag", |x| x.diag(-2)),
    ("trace", |x| x.reshape((3, 4)).trace()),
    ("tril", |x| x.reshape((3, 4)).tril(1)),
    ("triu", |x| x.reshape((3, 4)).triu(-1)),
    ("tensordot", |x| part(x, 0, &[2, 3, 4]).tensordot(&part(x, 24, &[4, 3, 2]), ([1, 2], [1, 0]))),
    ("dot_general", |x| part(x, 0, &[2, 3, 4]).dot_general(&part(x, 24, &[4, 3, 2]), (2, 0), (1, 1))),
    ("kron", |x| part(x, 0, &[2, 2]).kron(&part(x, 4, &[2, 3]))),
    ("einsum pair", |x| einsum("bij,kj->bki", &[part(x, 0, &[2, 3, 4]), part(x, 24, &[3, 4])])),
    ("einsum chain", |x| einsum("ij,jk,kl->il", &[part(x, 0, &[2, 3]), part(x, 6, &[3, 4]), part(x, 18, &[4, 2])])),
    ("einsum five", |x| {
        let [a, b, c, d] = [[2, 3], [3, 2], [2, 3], [3, 2]];
        einsum("ab,bc,cd,de->ae", &[part(x, 0, &a), part(x, 6, &b), part(x, 12, &c), part(x, 18, &d)])
    }),
    ("einsum diagonal", |x| einsum("iij->ij", &[x.reshape((3, 3, 3))])),
    ("einsum ellipsis", |x| einsum("...i,ij->...j", &[part(x, 0, &[2, 3, 3]), part(x, 18, &[3, 4])])),
    ("convolution", |x| convolution(x, 1, Convolution::default())),
    ("convolution same", |x| convolution(x, 1, Convolution { strides: vec![2, 1], padding: Padding::Same, ..Convolution::default() })),
    ("convolution dilated", |x| convolution(x, 1, Convolution {
        strides: vec![1, 2],
        padding: Padding::Explicit(vec![(1, 2), (0, 1)]),
        lhs_dilation: vec![2, 1],
        rhs_dilation: vec![1, 3],
        groups: 1,
    })),
    ("convolution groups", |x| convolution(x, 2, Convolution {
        padding: Padding::Explicit(vec![(1, 1), (1, 1)]),
        groups: 2,
        ..Convolution::default()
    })),
];

fn numbers(case: &serde_json::Value, key: &str) -> Vec<f64> {
    case[key].as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
}

/// Where more than 4 roundings of the greatest element are allowed, how many, and why. Derivatives are those of `sin(f(x))`, so
/// that roundings of `f` go through a cosine and, twice, through a sine, times the slopes of `f`.
const ALLOWED: &[(&str, f64, &str)] = &[
    ("norm 1", 12.0, "sums of six numbers of size 1, of which sines are taken, times directions of size 6"),
    ("cumprod reverse", 6.0, "JAX divides; ours is a recurrence"),
    ("tensordot", 12.0, "sums of twelve products in other orders, of which sines are taken"),
    ("dot_general", 8.0, "sums of twelve products in other orders, of which sines are taken"),
    ("einsum five", 6.0, "three products in another order"),
    ("convolution", 8.0, "sums of sixteen products in other orders, of which sines are taken"),
    ("convolution same", 6.0, "sums of sixteen products in other orders, of which sines are taken"),
    ("convolution dilated", 6.0, "sums of sixteen products in other orders, of which sines are taken"),
    ("convolution groups", 6.0, "sums of eight products in other orders, of which sines are taken"),
];

/// Within so many roundings of the greatest element.
fn assert_close(what: &str, found: &Array, wanted: &[f64], bound: f64) {
    let epsilon = if found.dtype() == DType::F32 { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let found = found.convert(DType::F64).to_vec::<f64>().expect("they are floats");
    assert_eq!(found.len(), wanted.len(), "{what}");
    let largest = wanted.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
    for (found, wanted) in found.iter().zip(wanted) {
        let error = (found - wanted).abs() / (epsilon * largest);
        assert!(error <= bound, "{what}: {found}, JAX {wanted}, {error:.1} roundings");
    }
}

#[test]
fn values_and_derivatives_are_those_of_jax() {
    let text = include_str!("golden/arrays.json");
    let cases: serde_json::Value = serde_json::from_str(text).expect("the file is JSON");
    let cases = cases.as_object().expect("an object");
    assert_eq!(cases.len(), FUNCTIONS.len(), "every case of the file is compared");
    let mut compared = 0;
    for (name, f) in FUNCTIONS {
        for (dtype, case) in cases[*name].as_object().expect("one case for each dtype") {
            let dtype = DType::ALL.into_iter().find(|d| d.name() == dtype).expect("a dtype");
            let x = Array::from(numbers(case, "x")).convert(dtype);
            let y = f(&x);
            let shape: Vec<usize> = numbers(case, "shape").iter().map(|&n| n as usize).collect();
            assert_eq!((y.shape().as_slice(), y.dtype()), (shape.as_slice(), dtype), "{name}");
            let gradient = |x: Array| grad(|x: Array| f(&x).sin().sum())(x);
            let along = arange(1.0, x.size() as f64 + 1.0, 1.0).cos().convert(dtype);
            let second = |x: Array| jvp(gradient)(x, along.clone()).1;
            let bound = ALLOWED.iter().find(|row| row.0 == *name).map_or(4.0, |row| row.1);
            let check = |what: &str, key: &str, found: &dyn Fn(Array) -> Array| {
                let wanted = numbers(case, key);
                assert_close(&format!("{what} of {name} in {dtype}"), &found(x.clone()), &wanted, bound);
                let compiled = jit(|x: Array| found(x))(x.clone());
                assert_close(&format!("{what} of {name} in {dtype}, compiled"), &compiled, &wanted, bound);
            };
            check("value", "y", &|x| f(&x));
            check("gradient", "gradient", &gradient);
            check("second derivative", "second", &second);
            compared += 3;
        }
    }
    assert!(compared > 300, "{compared}");
}
