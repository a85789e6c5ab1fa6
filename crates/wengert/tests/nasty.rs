//! Nasty inputs, numbered: what each gives, or what it is refused with, in every form of a program.
//!
//! The forms are: eager, interpreted, compiled, and a lane of a batch in each of these. Values are those of JAX 0.10.2 but
//! where a comment says otherwise.

use std::sync::Mutex;
use std::time::Instant;
use wengert::prelude::*;
use wengert::{Index, try_grad, try_jit, try_trace, try_vmap};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The elements' bits, any NaN being any other.
fn bits(x: &Array) -> Vec<u8> {
    let bits = |x: &Array| x.clone().into_value("a test").expect("it is concrete").array().buffer.bytes().to_vec();
    match x.dtype().is_float() {
        true => bits(&x.ne(x).select(full_like(x, 0.0) / full_like(x, 0.0), x)),
        false => bits(x),
    }
}

#[track_caller]
fn same(form: &str, found: &Array, wanted: &Array) {
    assert_eq!((found.dtype(), found.shape()), (wanted.dtype(), wanted.shape()), "{form}: {found}, not {wanted}");
    assert_eq!(bits(found), bits(wanted), "{form}: {found}, not {wanted}");
}

/// The function in every form.
#[track_caller]
fn gives(f: &dyn Fn(Vec<Array>) -> Array, x: &[Array], wanted: impl Into<Array>) {
    let (f, wanted) = (|x: Vec<Array>| f(x), wanted.into());
    let x = x.to_vec();
    let lanes = || x.iter().map(|x| stack(&[x, x, x], 0)).collect::<Vec<Array>>();
    same("eager", &f(x.clone()), &wanted);
    same("interpreted", &interpret(f)(x.clone()), &wanted);
    same("compiled", &jit(f)(x.clone()), &wanted);
    same("eager lanes", &vmap(f)(lanes()).at(1), &wanted);
    same("interpreted lanes", &interpret(vmap(f))(lanes()).at(1), &wanted);
    same("compiled lanes", &jit(vmap(f))(lanes()).at(2), &wanted);
}

/// A function of one array in every form.
#[track_caller]
fn one(f: fn(&Array) -> Array, x: impl Into<Array>, wanted: impl Into<Array>) {
    gives(&|x: Vec<Array>| f(&x[0]), &[x.into()], wanted);
}

/// Of two.
#[track_caller]
fn two(f: fn(&Array, &Array) -> Array, x: impl Into<Array>, y: impl Into<Array>, wanted: impl Into<Array>) {
    gives(&|x: Vec<Array>| f(&x[0], &x[1]), &[x.into(), y.into()], wanted);
}

/// The derivative of a function of one array, summed, in both modes and every form; by forward mode along `ones`.
#[track_caller]
fn slope(f: fn(&Array) -> Array, x: impl Into<Array>, reverse: impl Into<Array>, forward: f64) {
    let x = [x.into()];
    let sum = move |x: Array| f(&x).sum();
    gives(&move |x: Vec<Array>| grad(sum)(x[0].clone()), &x, reverse);
    gives(&move |x: Vec<Array>| jvp(sum)(x[0].clone(), ones_like(&x[0])).1, &x, forward);
}

/// That it is refused in every form, with these words.
#[track_caller]
fn refused(f: fn(&Array) -> Array, x: impl Into<Array>, words: &[&str]) {
    let x = x.into();
    let g = |x: Array| f(&x);
    let lanes = stack(&[&x, &x], 0);
    let errors = [
        ("eager", try_call(|| g(x.clone())).err()),
        ("compiled", try_jit(g)(x.clone()).err()),
        ("lanes", try_vmap(g)(lanes.clone()).err()),
        ("compiled lanes", try_jit(vmap(g))(lanes).err()),
        ("traced", try_trace(g, &x).err()),
    ];
    for (form, error) in errors {
        let error = error.unwrap_or_else(|| panic!("{form}: it must be refused")).to_string();
        for word in words {
            assert!(error.contains(word), "{form}: no `{word}` in: {error}");
        }
        assert!(error.contains("nasty.rs"), "{form}: not at the user's line: {error}");
    }
}

#[test]
fn n01_to_n05_integers() {
    two(|x, y| x / y, 7, 0, -1);
    two(|x, y| x % y, 7, 0, 7);
    two(|x, y| x / y, i32::MIN, -1, i32::MIN);
    two(|x, y| x % y, i32::MIN, -1, 0);
    two(|x, y| x / y, i64::MIN, -1i64, i64::MIN);
    two(|x, y| x % y, i64::MIN, -1i64, 0i64);
    two(|x, y| x / y, 7u32, 0u32, u32::MAX);
    two(|x, y| x / y, 7u64, 0u64, u64::MAX);
    two(|x, y| x % y, 7u8, 0u8, 7u8);
    two(|x, y| x << y, 1, 33, 0);
    two(|x, y| x << y, 1, -1, 0);
    two(|x, y| x >> y, -5, 33, -1);
    two(|x, y| x >> y, -5, -1, -1);
    two(|x, y| x >> y, 5u32, 33u32, 0u32);
}

#[test]
fn n06_and_n07_floats_to_integers() {
    for dtype in [DType::F32, DType::F64] {
        let floats = |x: Vec<f64>| Array::from(x).convert(dtype);
        one(|x| x.convert(DType::I32), floats(vec![NAN, INF, -INF, 3e9]), array![0, i32::MAX, i32::MIN, i32::MAX]);
        one(|x| x.convert(DType::I64), floats(vec![NAN, INF, -INF, 1e30]), array![0, i64::MAX, i64::MIN, i64::MAX]);
        one(|x| x.convert(DType::U32), floats(vec![-1.0, NAN, 5e9]), array![0u32, 0, u32::MAX]);
        one(|x| x.convert(DType::U64), floats(vec![-1.0, NAN, 1e30]), array![0u64, 0, u64::MAX]);
        one(|x| x.convert(DType::U8), floats(vec![300.0, -300.0, NAN, 254.9]), array![255u8, 0, 0, 254]);
        one(|x| x.convert(DType::Bool), floats(vec![NAN, 0.0, -0.0, 5e-45]), array![true, false, false, true]);
    }
}

#[test]
fn n08_the_same_in_vector_bodies_and_tails() {
    type Case = (fn(&Array, &Array) -> Array, Array, Array);
    let cases: [Case; 12] = [
        (|x, y| x / y, 7.into(), 0.into()),
        (|x, y| x % y, 7.into(), 0.into()),
        (|x, y| x / y, i32::MIN.into(), (-1).into()),
        (|x, y| x % y, i32::MIN.into(), (-1).into()),
        (|x, y| x / y, 7u32.into(), 0u32.into()),
        (|x, y| x << y, 1.into(), 33.into()),
        (|x, y| x >> y, (-5).into(), 33.into()),
        (|x, _| x.convert(DType::I32), NAN.into(), 0.0.into()),
        (|x, _| x.convert(DType::I32), 3e9.into(), 0.0.into()),
        (|x, _| x.convert(DType::U8), (-300.0).into(), 0.0.into()),
        (|x, y| x.maximum(y), NAN.into(), 1.0.into()),
        (|x, y| x.minimum(y), 0.0.into(), (-0.0).into()),
    ];
    for (f, x, y) in cases {
        let wanted = f(&x, &y);
        for n in [1, 3, 5, 17, 67] {
            let all = |x: &Array| x.broadcast_to(n);
            same("compiled", &jit(move |x: Vec<Array>| f(&x[0], &x[1]))(vec![all(&x), all(&y)]), &all(&wanted));
            same(
                "with one number",
                &jit(move |x: Vec<Array>| f(&x[0], &x[1]))(vec![all(&x), y.clone()]),
                &all(&wanted),
            );
            same(
                "interpreted",
                &interpret(move |x: Vec<Array>| f(&x[0], &x[1]))(vec![all(&x), all(&y)]),
                &all(&wanted),
            );
        }
    }
}

#[test]
fn n09_and_n10_extrema_of_nan_and_zeros() {
    two(|x, y| x.maximum(y), NAN, 1.0, NAN);
    two(|x, y| x.maximum(y), 1.0, NAN, NAN);
    two(|x, y| x.minimum(y), 1.0, NAN, NAN);
    two(|x, y| x.minimum(y), NAN, 1.0, NAN);
    two(|x, y| x.maximum(y), -0.0, 0.0, 0.0);
    two(|x, y| x.maximum(y), 0.0, -0.0, 0.0);
    two(|x, y| x.minimum(y), 0.0, -0.0, -0.0);
    two(|x, y| x.minimum(y), -0.0, 0.0, -0.0);
    one(|x| x.max(), array![-0.0, 0.0], 0.0);
    one(|x| x.max(), array![0.0, -0.0, -0.0], 0.0);
    one(|x| x.min(), array![0.0, -0.0], -0.0);
    one(|x| x.min(), array![-0.0, 0.0, 0.0], -0.0);
    one(|x| x.max(), array![1.0, NAN, 3.0], NAN);
}

#[test]
fn n11_and_n12_order_with_nan() {
    one(|x| x.argmax(), array![1.0, NAN, 3.0], 1i64);
    one(|x| x.argmin(), array![1.0, NAN, NAN], 1i64);
    one(|x| x.sort(0), array![1.0, NAN, -INF, -0.0, 0.0], array![-INF, -0.0, 0.0, 1.0, NAN]);
    one(|x| x.sort(0), array![0.0, -0.0, NAN, INF, -INF], array![-INF, 0.0, -0.0, INF, NAN]);
    one(|x| x.argsort(0), array![NAN, 1.0, NAN, 1.0], array![1i64, 3, 0, 2]);
}

#[test]
fn n13_to_n15_of_nothing() {
    one(|x| x.sum(), zeros(0), 0.0);
    one(|x| x.prod(), zeros(0), 1.0);
    one(|x| x.sum_axis(1), zeros((2, 0)), array![0.0, 0.0]);
    one(|x| x.prod_axis(0), zeros((0, 2)), array![1.0, 1.0]);
    one(|x| x.gt(0.0).all(), zeros(0), true);
    one(|x| x.gt(0.0).any(), zeros(0), false);
    refused(|x| x.max(), zeros(0), &["empty", "f64[0]"]);
    refused(|x| x.min(), zeros((2, 0)), &["empty", "f64[2,0]"]);
    refused(|x| x.argmax(), zeros(0), &["empty", "f64[0]"]);
    refused(|x| x.argmin_axis(0), zeros((0, 3)), &["empty", "f64[0,3]"]);
    one(|x| x.mean(), zeros(0), NAN);
    one(|x| x.mean_axis(0), zeros((0, 2)), array![NAN, NAN]);
}

#[test]
fn n16_products_over_nothing() {
    two(|x, y| x.dot(y), zeros((2, 0)), zeros((0, 3)), zeros((2, 3)));
    gives(
        &|x: Vec<Array>| grad(|a: Array| a.dot(&x[1]).sum())(x[0].clone()),
        &[zeros((2, 0)), zeros((0, 3))],
        zeros((2, 0)),
    );
    gives(
        &|x: Vec<Array>| grad(|b: Array| x[0].dot(&b).sum())(x[1].clone()),
        &[zeros((2, 0)), zeros((0, 3))],
        zeros((0, 3)),
    );
    two(|x, y| x.dot(y), zeros((0, 2)), zeros((2, 3)), zeros((0, 3)));
    two(|x, y| x.dot(y), zeros((2, 3)), zeros((3, 0)), zeros((2, 0)));
    two(|x, y| x.dot(y), zeros(0), zeros(0), 0.0);
    two(|x, y| x.matmul(y), zeros((2, 2, 0)), zeros((2, 0, 3)), zeros((2, 2, 3)));
    two(|x, y| x.matmul(y), zeros((0, 2, 2)), zeros((0, 2, 3)), zeros((0, 2, 3)));
}

#[test]
fn n17_huge_shapes() {
    let huge = 1i64 << 62;
    let nothing = zeros((0, huge));
    assert_eq!((nothing.size(), nothing.shape().to_vec()), (0, vec![0, huge as usize]));
    assert_eq!(jit(|x: Array| x + 1.0)(nothing.clone()).shape().to_vec(), [0, huge as usize]);
    assert_eq!(jit(|x: Array| x.sum_axis(1))(nothing).shape().to_vec(), [0]);
    // JAX ends the process.
    refused(|x| x.broadcast_to([1i64 << 40, 1 << 40]), 1.0, &["1099511627776"]);
    refused(|x| x + zeros([1i64 << 40, 1 << 40]), 1.0, &["1099511627776"]);
}

#[test]
fn n18_reshape_of_nothing() {
    refused(|x| x.reshape((0, -1)), zeros((0, 3)), &["ambiguous"]);
    one(|x| x.reshape((5, 0, 2)), zeros((0, 3)), zeros((5, 0, 2)));
    one(|x| x.reshape((3, -1)), zeros((0, 3)), zeros((3, 0)));
}

#[test]
fn n19_broadcasting() {
    refused(|x| x + zeros(4), zeros(3), &["f64[3]", "f64[4]"]);
    two(
        |x, y| x + y,
        array![[1.0], [2.0], [3.0]],
        array![[10.0, 20.0]],
        array![[11.0, 21.0], [12.0, 22.0], [13.0, 23.0]],
    );
    two(|x, y| x + y, 1.0, zeros(0), zeros(0));
    two(|x, y| x + y, zeros((0, 1)), zeros((1, 3)), zeros((0, 3)));
}

#[test]
fn n20_reads_outside() {
    let x = array![1.0, 2.0, 3.0];
    // Clamped, after counting from the end once.
    for (i, value, place) in
        [(3i64, 3.0, 2), (-1, 3.0, 2), (-3, 1.0, 0), (-4, 1.0, 0), (i64::MIN, 1.0, 0), (i64::MAX, 3.0, 2)]
    {
        let at = [x.clone(), i.into()];
        let slope = Array::from((0..3).map(|k| f64::from(u8::from(k == place))).collect::<Vec<f64>>());
        gives(&|x: Vec<Array>| x[0].at(&x[1]), &at, value);
        gives(&|x: Vec<Array>| grad(|a: Array| a.at(&x[1]))(x[0].clone()), &at, slope.clone());
        // Known when traced.
        gives(&|x: Vec<Array>| x[0].at(i), &at, value);
        gives(&|x: Vec<Array>| grad(|a: Array| a.at(i))(x[0].clone()), &at, slope);
    }
    for (i, value) in [(3i64, 1.0), (-1, 3.0), (-4, 3.0), (301, 2.0)] {
        gives(&|x: Vec<Array>| x[0].at_wrapped(&x[1]), &[x.clone(), i.into()], value);
    }
    for (i, value) in [(3i64, -7.0), (-1, 3.0), (-4, -7.0), (i64::MIN, -7.0)] {
        gives(&|x: Vec<Array>| x[0].get_or(&x[1], -7.0), &[x.clone(), i.into()], value);
    }
    gives(&|x: Vec<Array>| grad(|a: Array| a.get_or(&x[1], -7.0))(x[0].clone()), &[x, 3i64.into()], zeros(3));
}

#[test]
fn n21_and_n23_updates_outside_and_twice() {
    let args = |i: [i64; 2]| [array![1.0, 2.0, 3.0], Array::from(i.to_vec()), array![10.0, 20.0]];
    for outside in [[3i64, -4], [i64::MAX, i64::MIN]] {
        gives(&|x: Vec<Array>| x[0].scatter_set(&x[1], &x[2]), &args(outside), array![1.0, 2.0, 3.0]);
        gives(&|x: Vec<Array>| x[0].scatter_add(&x[1], &x[2]), &args(outside), array![1.0, 2.0, 3.0]);
        gives(&|x: Vec<Array>| x[0].scatter_max(&x[1], &x[2]), &args(outside), array![1.0, 2.0, 3.0]);
        gives(
            &|x: Vec<Array>| grad(|u: Array| (x[0].scatter_set(&x[1], &u) * 2.0).sum())(x[2].clone()),
            &args(outside),
            array![0.0, 0.0],
        );
        gives(
            &|x: Vec<Array>| grad(|u: Array| (x[0].scatter_add(&x[1], &u) * 2.0).sum())(x[2].clone()),
            &args(outside),
            array![0.0, 0.0],
        );
    }
    // The last in row-major order wins; only it has a gradient.
    gives(&|x: Vec<Array>| x[0].scatter_set(&x[1], &x[2]), &args([1, 1]), array![1.0, 20.0, 3.0]);
    let by_updates = |x: Vec<Array>| grad(|u: Array| x[0].scatter_set(&x[1], &u).sum())(x[2].clone());
    gives(&by_updates, &args([1, -2]), array![0.0, 1.0]);
    let by_array = |x: Vec<Array>| grad(|a: Array| a.scatter_set(&x[1], &x[2]).sum())(x[0].clone());
    gives(&by_array, &args([1, 1]), array![1.0, 0.0, 1.0]);
}

#[test]
fn n22_a_million_additions_to_one_place() {
    let n = 1_000_000;
    let f = jit(move |i: Array| zeros(3).convert(DType::F32).scatter_add(i, &full(n, 1f32)));
    let indices = full(n as i64, 1i64);
    let wanted = array![0f32, 1e6, 0.0];
    // Alone, and on eight threads at once.
    assert_eq!(f(indices.clone()), wanted);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(f(indices.clone()), wanted));
        }
    });
    let tenths = jit(move |i: Array| zeros(3).scatter_add(i, &full(n, 0.1)));
    let alone = tenths(indices.clone());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| same("on a thread", &tenths(indices.clone()), &alone));
        }
    });
}

#[test]
fn n24_to_n26_windows_and_margins() {
    let x = || array![1.0, 2.0, 3.0, 4.0, 5.0];
    for (start, wanted) in
        [(9i64, array![3.0, 4.0, 5.0]), (i64::MIN, array![1.0, 2.0, 3.0]), (i64::MAX, array![3.0, 4.0, 5.0])]
    {
        gives(&|x: Vec<Array>| x[0].dynamic_slice(&[Index::from(x[1].clone())], 3), &[x(), start.into()], wanted);
    }
    refused(|x| x.dynamic_slice(&[0], 6), x(), &["6", "5"]);
    refused(|x| x.slice(2..9), x(), &["9", "5"]);
    // JAX gives an array of nothing as well.
    one(|x| x.pad_dilated(-2, -3, 0, 0.0), x(), zeros(0));
    one(|x| x.pad_dilated(-2, -1, 0, 0.0), x(), array![3.0, 4.0]);
    refused(|x| x.pad_dilated(-4, -3, 0, 0.0), x(), &["f64[5]"]);
    // What is padded behind may be taken away in front.
    one(|x| x.pad_dilated(-4, 3, 0, 0.0), x(), array![5.0, 0.0, 0.0, 0.0]);
    one(|x| x.pad_dilated(-7, 3, 0, 0.0), x(), array![0.0]);
    refused(|x| x.pad_dilated(i64::MIN, 0, 0, 0.0), x(), &["f64[5]"]);
    refused(|x| x.pad_dilated(i64::MIN, i64::MIN, 0, 0.0), x(), &["f64[5]"]);
    refused(|x| x.pad_dilated(i64::MAX, i64::MAX, 0, 0.0), x(), &["f64[5]"]);
    refused(|x| x.pad_dilated(0, 0, i64::MAX, 0.0), x(), &["larger than memory"]);
    refused(|x| x.pad(i64::MAX, 1, 0.0), x(), &["f64[5]"]);
    refused(|x| x.pad(-1, 1, 0.0), x(), &["-1"]);
}

#[test]
fn n27_small_numbers_are_kept() {
    // JAX: 0.
    one(|x| x * 1.5f64, array![1e-40f32], array![1e-40f32 * 1.5]);
    one(|x| x + 0.0, array![1e-45f32, -1e-45, 5e-39], array![1e-45f32, -1e-45, 5e-39]);
    one(|x| x / 2.0, array![f64::MIN_POSITIVE, 5e-324], array![f64::MIN_POSITIVE / 2.0, 0.0]);
    one(|x| x.exp(), array![-740.0], array![f64::exp(-740.0)]);
    one(|x| x.log().floor(), array![5e-324], array![-745.0]);
}

#[test]
fn n29_and_n30_nothing_is_simplified_away() {
    one(|x| x * 0.0, array![INF, NAN, 1.0, -1.0], array![NAN, NAN, 0.0, -0.0]);
    one(|x| 0.0 * x, array![INF, -INF], array![NAN, NAN]);
    one(|x| x - x.clone(), array![INF, NAN, 1.0], array![NAN, NAN, 0.0]);
    one(|x| x / x.clone(), array![0.0, INF, 2.0], array![NAN, NAN, 1.0]);
    one(|x| (x * 0.0 + 1.0) * 2.0 - x * 0.0, array![INF, 3.0], array![NAN, 2.0]);
    one(|x| x + 0.0, array![-0.0], array![0.0]);
    one(|x| x - 0.0, array![-0.0], array![-0.0]);
    one(|x| x + zeros(1), array![-0.0], array![0.0]);
    one(|x| (x + 1e300) - 1e300, array![1.0], array![0.0]);
    one(|x| x.exp().log(), array![1000.0], array![INF]);
    one(|x| x.gt(0.0).convert(DType::F64) * NAN, array![1.0, -1.0], array![NAN, NAN]);
    // XLA under jit: the number itself.
    one(|x| (x * x).abs().sqrt(), array![f32::MAX], array![f32::INFINITY]);
    one(|x| x.square().sqrt(), array![f64::MAX, 1e-200], array![INF, 0.0]);
}

#[test]
fn n31_powers() {
    two(|x, y| x.pow(y), 0.0, 0.0, 1.0);
    two(|x, y| x.pow(y), -8.0, 1.0 / 3.0, NAN);
    two(|x, y| x.pow(y), 1.0, NAN, 1.0);
    two(|x, y| x.pow(y), NAN, 0.0, 1.0);
    two(|x, y| x.pow(y), -1.0, INF, 1.0);
    two(|x, y| x.pow(y), -1.0, -INF, 1.0);
    two(|x, y| x.pow(y), array![1f32, -1.0, 0.0], array![f32::NAN, f32::INFINITY, 0.0], array![1f32, 1.0, 1.0]);
}

#[test]
fn n32_to_n36_derivatives_at_corners() {
    slope(|x| x.sqrt(), 0.0, INF, INF);
    // JAX: 1.
    slope(|x| x.abs(), 0.0, 0.0, 0.0);
    slope(|x| x.relu(), 0.0, 0.0, 0.0);
    slope(|x| x.max(), array![1.0, 1.0, 0.0], array![0.5, 0.5, 0.0], 1.0);
    slope(|x| x.at(0).maximum(x.at(1)), array![2.0, 2.0], array![0.5, 0.5], 1.0);
    // Reverse mode meets a zero cotangent with an infinite factor; forward mode selects the other tangent.
    slope(|x| where_(&x.gt(0.0), x.sqrt(), 0.0), 0.0, NAN, 0.0);
    slope(|x| cond(&x.gt(0.0), || x.sqrt(), || zeros_like(x)), 0.0, 0.0, 0.0);
    // JAX: NaN for the array.
    slope(|x| x.powi(0), 0.0, 0.0, 0.0);
    slope(|x| x.pow(0.0), 0.0, 0.0, 0.0);
    slope(|x| x.powi(2), 0.0, 0.0, 0.0);
    slope(|x| x.pow(2.0), -1.0, -2.0, -2.0);
    slope(|x| x.pow(2.0), 0.0, 0.0, 0.0);
    slope(|x| x.prod(), array![2.0, 0.0, 0.0], array![0.0, 0.0, 0.0], 0.0);
    let second = array![[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]];
    one(|x| hessian(|x: Array| x.prod())(x.clone()), array![2.0, 0.0, 0.0], second.clone());
    one(|x| jacfwd(jacfwd(|x: Array| x.prod()))(x.clone()), array![2.0, 0.0, 0.0], second);
}

#[test]
fn n37_derivatives_by_integers() {
    let text = |error: Option<wengert::Error>| error.expect("it is refused").to_string();
    let f = |x: Array| x.square().sum();
    for x in [Array::from(2), array![1u8, 2], array![true]] {
        let dtype = x.dtype().name();
        for error in [text(try_grad(f)(x.clone()).err()), text(try_jit(grad(f))(x.clone()).err())] {
            assert!(error.contains(dtype) && error.contains("nasty.rs"), "{error}");
        }
    }
    let error = text(try_jit(vmap(grad(f)))(array![[1, 2]]).err());
    assert!(error.contains("i32") && error.contains("nasty.rs"), "{error}");
}

#[test]
fn n38_perturbations_are_not_confused() {
    // Twelve nests of both modes stand in nesting.rs.
    one(|x| grad(|x: Array| &x * grad(|y: Array| &x + y)(1.0.into()))(x.clone()), 1.0, 1.0);
    one(|x| jvp(|x: Array| &x * jvp(|y: Array| &x + y)(1.0.into(), 1.0.into()).1)(x.clone(), 1.0.into()).1, 1.0, 1.0);
}

#[test]
fn n39_ten_nested_derivatives() {
    fn nested(order: usize, x: Array) -> Array {
        if order == 0 { x.exp() } else { grad(move |x: Array| nested(order - 1, x))(x) }
    }
    let start = Instant::now();
    let f = |x: Array| nested(10, x);
    let equations = trace(f, &0.7.into()).equation_count();
    let found = [jit(f)(0.7.into()), interpret(f)(0.7.into()), jit(vmap(f))(array![0.7, 0.1]).at(0)];
    for found in found {
        assert!((found.item::<f64>().unwrap() / 0.7f64.exp() - 1.0).abs() < 1e-12);
    }
    assert!(equations < 100, "{equations}");
    assert!(start.elapsed().as_secs() < 10, "four times: {:?}", start.elapsed());
}

fn in_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(256 << 10).spawn(f).expect("a thread starts").join().expect("it ends well");
}

#[test]
fn n40_a_hundred_thousand_additions_in_a_small_stack() {
    in_a_small_stack(|| {
        let f = |x: Array| (0..100_000).fold(x, |x, _| x + 1.0);
        assert_eq!(jit(grad(f))(0.5.into()), 1.0.into());
        assert_eq!(jit(f)(0.5.into()), 100_000.5.into());
        assert_eq!(vmap(grad(f))(array![0.5, 1.5]), array![1.0, 1.0]);
    });
}

#[test]
fn n41_a_million_equations() {
    in_a_small_stack(|| {
        let f = |x: Array| (0..1_000_000).fold(x, |y, i| if i % 2 == 0 { y.sin() } else { y * 1.25 });
        let start = Instant::now();
        let program = trace(f, &0.5.into());
        assert!(program.equations().len() >= 1_000_000);
        let found =
            wengert_core::interpret::interpret(&program, vec![wengert_core::value::Value::scalar(0.5)]).unwrap();
        let wanted = (0..1_000_000).fold(0.5f64, |y, i| if i % 2 == 0 { y.sin() } else { y * 1.25 });
        assert!((Array::from_value(found[0].clone()).item::<f64>().unwrap() - wanted).abs() < 1e-12);
        drop(program);
        println!("a million equations: {:?}", start.elapsed());
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    });
}

#[test]
fn n42_four_thousand_loops() {
    let f = |x: Vec<Array>| x.into_iter().map(|x| x.sin().sum()).collect::<Vec<Array>>();
    let x: Vec<Array> = (0..4000).map(|k| linspace(0.0, k as f64, 3)).collect();
    let wanted = interpret(f)(x.clone());
    let start = Instant::now();
    let found = jit(f)(x);
    println!("4,000 loops: {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    found.iter().zip(&wanted).for_each(|(found, wanted)| same("compiled", found, wanted));
}

#[test]
fn n43_a_panic_inside() {
    let f = |stop: bool| {
        move |x: Array| {
            (0..100).fold(x, |x, i| {
                assert!(!(stop && i == 57), "in operation 57");
                x.sin()
            })
        }
    };
    let whole = |stop: bool| move |x: Array| grad(move |x: Array| vmap(f(stop))(x).sum())(x);
    let x = array![0.1, 0.2];
    let wanted = whole(false)(x.clone());
    let panics: [&dyn Fn() -> Array; 3] =
        [&|| whole(true)(x.clone()), &|| jit(whole(true))(x.clone()), &|| interpret(whole(true))(x.clone())];
    for panics in panics {
        let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).expect_err("it panics");
        assert_eq!(payload.downcast_ref::<&str>(), Some(&"in operation 57"));
        same("next", &whole(false)(x.clone()), &wanted);
        same("next, compiled", &jit(whole(false))(x.clone()), &jit(whole(false))(x.clone()));
    }
}

#[test]
fn n44_and_n45_an_array_that_escapes() {
    static KEPT: Mutex<Option<Array>> = Mutex::new(None);
    let keep = |x: Array| {
        *KEPT.lock().unwrap() = Some(x.sin());
        x.sum()
    };
    grad(keep)(array![1.0, 2.0, 3.0]);
    let kept = || KEPT.lock().unwrap().clone().unwrap();
    let error = try_call(|| kept() + 1.0).unwrap_err().to_string();
    assert!(
        error.contains("f64[3]") && error.contains("nasty.rs") && error.contains("after its trace ended"),
        "{error}"
    );
    let error = try_jit(|x: Array| x + kept())(1.0.into()).unwrap_err().to_string();
    assert!(error.contains("f64[3]"), "{error}");
    let elsewhere = |x: Array| {
        let y = x.clone();
        let error = std::thread::spawn(move || try_call(|| y + 1.0).unwrap_err().to_string()).join().unwrap();
        assert!(error.contains("on another thread") && error.contains("nasty.rs"), "{error}");
        x
    };
    jit(elsewhere)(1.0.into());
}

#[test]
fn n46_a_branch_on_what_is_not_known_yet() {
    let by_item = |x: &Array| if x.item::<f64>().map_err(|e| e.raise()).unwrap_or(0.0) > 0.0 { x.clone() } else { -x };
    let by_equality = |x: &Array| if *x == Array::from(0.0) { x.clone() } else { -x };
    let branches: [fn(&Array) -> Array; 2] = [by_item, by_equality];
    for f in branches {
        let g = |x: Array| f(&x);
        for error in [try_jit(g)(1.0.into()), try_grad(g)(1.0.into()), try_vmap(g)(array![1.0, 2.0])] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("`select`") && error.contains("nasty.rs"), "{error}");
        }
        assert_eq!(f(&2.0.into()).abs(), 2.0.into());
    }
}

#[test]
fn n47_and_n48_one_array_twice_and_moved() {
    let f = jit(|(x, y): (Array, Array)| (x.clone() * 2.0 + &y, y * 3.0 - x));
    let numbers: Vec<f64> = (0..100).map(f64::from).collect();
    let x = Array::from(numbers.clone());
    // The second handle is moved in; nobody else holds the memory, but both arguments do.
    let (a, b) = f((x.clone(), x));
    assert_eq!(a.to_vec::<f64>().unwrap(), numbers.iter().map(|x| 3.0 * x).collect::<Vec<f64>>());
    assert_eq!(b.to_vec::<f64>().unwrap(), numbers.iter().map(|x| 2.0 * x).collect::<Vec<f64>>());
    // What was moved cannot be named again (rustc says so); what was cloned is untouched.
    let x = Array::from(numbers.clone());
    let moved = f((x.clone(), ones(100)));
    assert_eq!(x.to_vec::<f64>().unwrap(), numbers);
    assert_eq!(moved.0.at(1), 3.0.into());
}

/// More work than one loop takes, before a sweep over rows: what the loop does not take is stored before.
#[test]
fn long_chains_before_sums_of_columns() {
    for n in [1, 40, 47, 48, 49, 60, 97, 150] {
        let f = |x: Vec<Array>| (0..n).fold(x[0].clone(), |y, k| &y * (0.9 + 0.001 * k as f64) + 0.1).sum_axis(0);
        let x = linspace(-1.0, 1.0, 21).reshape((7, 3));
        let wanted = f(vec![x.clone()]);
        gives(&f, &[x], wanted);
    }
    let x = [linspace(-1.0, 1.0, 30).reshape((5, 2, 3))];
    let wanted = x[0].tanh().i0e().sum_axis(1);
    gives(&|x: Vec<Array>| x[0].tanh().i0e().sum_axis(1), &x, wanted);
    gives(&|x: Vec<Array>| x[0].i1().max_axis(0), &x, x[0].i1().max_axis(0));
}

/// 28, the caller's rounding mode, needs code that sets it: `crates/native/tests/native/lifetime.rs` has it.
#[test]
fn every_number_has_a_test() {
    let names = include_str!("nasty.rs").lines().filter_map(|line| line.strip_prefix("fn n"));
    let mut numbers = vec![28];
    for name in names {
        let found: Vec<usize> = name.split(['_', 'n']).filter_map(|part| part.parse().ok()).collect();
        let range = name.contains("_to_");
        match found[..] {
            [from, to, ..] if range => numbers.extend(from..=to),
            _ => numbers.extend(found),
        }
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=48).collect::<Vec<usize>>());
}
