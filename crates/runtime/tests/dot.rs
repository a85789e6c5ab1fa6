//! The matrix product against its definition: all small sizes, layouts, batches, unaligned inputs, poisoned padding.

use std::fmt::Debug;
use wengert_kernel::routine::Library;
use wengert_runtime::{Host, lookup};

/// A number that the product is tested on.
trait Number: Copy + PartialEq + Debug + 'static {
    const NAME: &str;
    const POISON: Self;
    fn sample(seed: u64) -> Self;
    /// Panics unless `got` is the sum of the products, within 2 sqrt(k) + 2 ulp of the sum of their magnitudes.
    fn check(got: Self, terms: &[(Self, Self)], what: &dyn Debug);
}

macro_rules! floats {
    ($($t:ident, $name:expr;)*) => {$(
        impl Number for $t {
            const NAME: &str = $name;
            const POISON: $t = $t::NAN;
            fn sample(seed: u64) -> $t {
                (mix(seed) >> 11) as $t / (1u64 << 52) as $t - 1.0
            }
            fn check(got: $t, terms: &[($t, $t)], what: &dyn Debug) {
                let exact = |(x, y): &($t, $t)| *x as f64 * *y as f64;
                let want: f64 = terms.iter().map(exact).sum();
                let size: f64 = terms.iter().map(|t| exact(t).abs()).sum();
                let bound = (2.0 * (terms.len() as f64).sqrt() + 2.0) * $t::EPSILON as f64 * size;
                assert!((got as f64 - want).abs() <= bound, "{what:?}: {got} is not {want} (+-{bound:e})");
            }
        }
    )*};
}

macro_rules! integers {
    ($($t:ident, $name:expr;)*) => {$(
        impl Number for $t {
            const NAME: &str = $name;
            const POISON: $t = 77;
            fn sample(seed: u64) -> $t { mix(seed) as $t }
            fn check(got: $t, terms: &[($t, $t)], what: &dyn Debug) {
                let want = terms.iter().fold(0 as $t, |sum, (x, y)| sum.wrapping_add(x.wrapping_mul(*y)));
                assert_eq!(got, want, "{what:?}");
            }
        }
    )*};
}

floats! { f32, "dot_f32"; f64, "dot_f64"; }
integers! { i32, "dot_i32"; i64, "dot_i64"; u32, "dot_u32"; u64, "dot_u64"; }

/// The finaliser of SplitMix64: well-mixed numbers from a counter.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How an operand of `rows x cols` lies in memory.
#[derive(Clone, Copy, Debug)]
enum Layout {
    Rows,
    Columns,
    /// Rows with unused elements behind each.
    PaddedRows,
    /// Every third element, columns first.
    Sparse,
    /// One matrix for the whole batch.
    Shared,
    /// Rows of all members of the batch interleaved.
    Interleaved,
}

const INPUT_LAYOUTS: [Layout; 6] =
    [Layout::Rows, Layout::Columns, Layout::PaddedRows, Layout::Sparse, Layout::Shared, Layout::Interleaved];
const OUTPUT_LAYOUTS: [Layout; 5] =
    [Layout::Rows, Layout::Columns, Layout::PaddedRows, Layout::Sparse, Layout::Interleaved];

impl Layout {
    /// Strides of batch, row and column.
    fn strides(self, batch: usize, rows: usize, cols: usize) -> [usize; 3] {
        match self {
            Layout::Rows => [rows * cols, cols, 1],
            Layout::Columns => [rows * cols, 1, rows],
            Layout::PaddedRows => [rows * (cols + 3) + 5, cols + 3, 1],
            Layout::Sparse => [3 * rows * cols + 1, 3, 3 * rows],
            Layout::Shared => [0, cols, 1],
            Layout::Interleaved => [cols, batch * cols, 1],
        }
    }
}

fn index(strides: [usize; 3], b: usize, i: usize, j: usize) -> usize {
    b * strides[0] + i * strides[1] + j * strides[2]
}

/// Memory of an operand, poisoned wherever no element lies.
fn operand<T: Number>(strides: [usize; 3], sizes: [usize; 3], seed: u64) -> Vec<T> {
    let empty = sizes.contains(&0);
    let last = index(strides, sizes[0].max(1) - 1, sizes[1].max(1) - 1, sizes[2].max(1) - 1);
    let mut data = vec![T::POISON; if empty { 0 } else { last + 1 }];
    for b in 0..sizes[0] {
        for i in 0..sizes[1] {
            for j in 0..sizes[2] {
                let at = index(strides, b, i, j);
                data[at] = T::sample(seed.wrapping_mul(1_000_003).wrapping_add(at as u64));
            }
        }
    }
    data
}

fn bytes<T>(data: &[T]) -> &[u8] {
    // SAFETY: numbers are bytes.
    unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) }
}

fn bytes_mut<T>(data: &mut [T]) -> &mut [u8] {
    // SAFETY: numbers are bytes, and any bytes are a number.
    unsafe { std::slice::from_raw_parts_mut(data.as_mut_ptr().cast(), size_of_val(data)) }
}

fn check<T: Number>([batch, m, k, n]: [usize; 4], layouts: [Layout; 3], unaligned: bool) {
    let what = (T::NAME, [batch, m, k, n], layouts, unaligned);
    let [lhs_layout, rhs_layout, out_layout] = layouts;
    let lhs_strides = lhs_layout.strides(batch, m, k);
    let rhs_strides = rhs_layout.strides(batch, k, n);
    let out_strides = out_layout.strides(batch, m, n);
    let lhs: Vec<T> = operand(lhs_strides, [batch, m, k], 1);
    let rhs: Vec<T> = operand(rhs_strides, [batch, k, n], 2);
    let mut out: Vec<T> = operand(out_strides, [batch, m, n], 3);
    let written: Vec<bool> = {
        let mut written = vec![false; out.len()];
        for (b, i, j) in each([batch, m, n]) {
            written[index(out_strides, b, i, j)] = true;
            out[index(out_strides, b, i, j)] = T::POISON;
        }
        written
    };
    let ints: Vec<i64> = [batch, m, k, n]
        .into_iter()
        .chain(lhs_strides)
        .chain(rhs_strides)
        .chain(out_strides)
        .map(|x| x as i64)
        .collect();
    let mut shifted = [vec![0u8], vec![0u8]];
    let inputs: [&[u8]; 2] = if unaligned {
        shifted[0].extend(bytes(&lhs));
        shifted[1].extend(bytes(&rhs));
        [&shifted[0][1..], &shifted[1][1..]]
    } else {
        [bytes(&lhs), bytes(&rhs)]
    };
    assert!(Host.call(T::NAME, &ints, &inputs, &mut [bytes_mut(&mut out)]));
    for (b, i, j) in each([batch, m, n]) {
        let terms: Vec<(T, T)> =
            (0..k).map(|p| (lhs[index(lhs_strides, b, i, p)], rhs[index(rhs_strides, b, p, j)])).collect();
        T::check(out[index(out_strides, b, i, j)], &terms, &(what, b, i, j));
    }
    for (at, (x, written)) in out.iter().zip(written).enumerate() {
        let untouched = bytes(std::slice::from_ref(x)) == bytes(&[T::POISON]);
        assert!(written || untouched, "{what:?}: wrote into the padding at {at}");
    }
}

fn each(sizes: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    let [batch, rows, cols] = sizes;
    (0..batch).flat_map(move |b| (0..rows).flat_map(move |i| (0..cols).map(move |j| (b, i, j))))
}

/// Layouts number `seed` of all combinations.
fn layouts(seed: u64) -> [Layout; 3] {
    let r = mix(seed) as usize;
    [INPUT_LAYOUTS[r % 6], INPUT_LAYOUTS[r / 6 % 6], OUTPUT_LAYOUTS[r / 36 % 5]]
}

#[test]
fn every_small_size() {
    for m in 0..=20 {
        for k in 0..=20 {
            for n in 0..=20 {
                let seed = (m * 441 + k * 21 + n) as u64;
                let batch = mix(seed + 1) as usize % 4;
                check::<f32>([batch, m, k, n], layouts(seed), seed.is_multiple_of(7));
                check::<f64>([batch.max(1), m, k, n], layouts(seed + 50_000), seed % 7 == 1);
            }
        }
    }
}

#[test]
fn every_combination_of_layouts() {
    for sizes in [[2, 5, 6, 7], [3, 1, 40, 33], [2, 33, 40, 1], [1, 35, 20, 37], [2, 24, 200, 12], [4, 1, 3, 1]] {
        for lhs in INPUT_LAYOUTS {
            for rhs in INPUT_LAYOUTS {
                for out in OUTPUT_LAYOUTS {
                    check::<f32>(sizes, [lhs, rhs, out], false);
                    check::<f64>(sizes, [lhs, rhs, out], false);
                }
            }
        }
    }
}

#[test]
fn larger_sizes() {
    let sizes = [[1, 128, 784, 256], [1, 128, 256, 10], [1, 784, 128, 25], [1, 1, 1000, 300], [1, 300, 1000, 1]];
    for (seed, sizes) in sizes.into_iter().enumerate() {
        for shift in 0..3 {
            check::<f32>(sizes, layouts(seed as u64 + 100 * shift), false);
            check::<f64>(sizes, layouts(seed as u64 + 100 * shift), false);
        }
    }
    for seed in 0..60 {
        let size = |s: u64| mix(seed * 10 + s) as usize % 90;
        check::<f32>([size(1) % 3 + 1, size(2), 3 * size(3), size(4)], layouts(seed), false);
        check::<f64>([size(5) % 3 + 1, size(6), 3 * size(7), size(8)], layouts(seed), false);
    }
}

#[test]
fn integers_wrap() {
    for seed in 0..100 {
        let size = |s: u64| mix(seed * 10 + s) as usize % 9;
        let sizes = [size(1) % 3, size(2), size(3), size(4)];
        check::<i32>(sizes, layouts(seed), seed % 2 == 0);
        check::<i64>(sizes, layouts(seed), seed % 2 == 0);
        check::<u32>(sizes, layouts(seed), seed % 2 == 0);
        check::<u64>(sizes, layouts(seed), seed % 2 == 0);
    }
}

#[test]
fn special_numbers_go_through() {
    let ints = [1, 1, 2, 1, 2, 2, 1, 2, 1, 1, 1, 1, 1];
    for (lhs, rhs) in [([f64::INFINITY, 1.0], [0.0, 1.0]), ([f64::NAN, 0.0], [1.0, 1.0])] {
        let mut out = [0f64];
        assert!(Host.call("dot_f64", &ints, &[bytes(&lhs), bytes(&rhs)], &mut [bytes_mut(&mut out)]));
        assert!(out[0].is_nan());
    }
}

/// Small whole numbers and zeros of both signs: every sum is exact in any order, and an exact zero is +0.
#[test]
fn sums_start_at_plus_zero() {
    let number = |i: usize| [-0.0, 0.0, -0.0, -1.0, -0.0, 2.0, 0.0][mix(i as u64) as usize % 7];
    for [m, n] in [[1, 1], [3, 1], [1, 3], [2, 2], [5, 9], [17, 20], [20, 17], [40, 70], [200, 1], [1, 200]] {
        for k in 0..=67 {
            for [(row, col), out] in [[(k, 1), (n, 1)], [(1, m), (1, m)]] {
                // All of one sign first, then mixed.
                for number in [|_| -0.0, number] {
                    let lhs: Vec<f64> = (0..m * k).map(number).collect();
                    let rhs: Vec<f64> = (0..k * n).map(|i| number(i).abs()).collect();
                    let ints = [1, m, k, n, 0, row, col, 0, n, 1, 0, out.0, out.1].map(|x| x as i64);
                    let mut found = vec![f64::NAN; m * n];
                    assert!(Host.call("dot_f64", &ints, &[bytes(&lhs), bytes(&rhs)], &mut [bytes_mut(&mut found)]));
                    for (_, i, j) in each([1, m, n]) {
                        let want = (0..k).fold(0.0, |sum, p| sum + lhs[i * row + p * col] * rhs[p * n + j]);
                        let found = found[i * out.0 + j * out.1];
                        assert_eq!(found.to_bits(), f64::to_bits(want), "[{m},{k}] x [{k},{n}]: {found}, not {want}");
                    }
                }
            }
        }
    }
}

#[test]
fn results_repeat() {
    let (m, k, n) = (65usize, 130usize, 47usize);
    let lhs: Vec<f32> = (0..m * k).map(|i| f32::sample(i as u64)).collect();
    let rhs: Vec<f32> = (0..k * n).map(|i| f32::sample(i as u64 + 7)).collect();
    let ints = [1, m, k, n, m * k, k, 1, k * n, n, 1, m * n, n, 1].map(|x| x as i64);
    let product = || {
        let mut out = vec![0f32; m * n];
        Host.call("dot_f32", &ints, &[bytes(&lhs), bytes(&rhs)], &mut [bytes_mut(&mut out)]);
        out
    };
    let first = product();
    (0..5).for_each(|_| assert_eq!(product(), first));
}

#[test]
fn unknown_names() {
    assert!(lookup("dot_f16").is_none());
    assert!(!Host.call("dot_u8", &[], &[], &mut []));
}

#[test]
#[should_panic(expected = "would read 24 bytes of 20")]
fn short_spans_are_refused() {
    let ints = [1, 2, 3, 1, 6, 3, 1, 3, 1, 1, 2, 1, 1];
    Host.call("dot_f32", &ints, &[&[0; 20], &[0; 12]], &mut [&mut [0; 8]]);
}
