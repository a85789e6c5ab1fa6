//! The functions of the runtime give the same bits for any number of threads.

use wengert_kernel::routine::Library;
use wengert_runtime::{Host, num_threads, with_num_threads};

fn numbers<T: From<f32>>(n: usize, seed: u64) -> Vec<T> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        T::from((state >> 40) as f32 / (1 << 22) as f32 - 2.0)
    };
    (0..n).map(|_| next()).collect()
}

/// Numbers as bytes.
fn bytes<T>(x: &[T]) -> &[u8] {
    // SAFETY: numbers have no padding.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), size_of_val(x)) }
}

/// Calls a function with 1, 2, 3 and 7 threads and demands the same bytes.
fn same_for_any_threads(name: &str, ints: &[i64], inputs: &[&[u8]], results: &[usize]) {
    let run = |threads: usize| {
        with_num_threads(threads, || {
            assert_eq!(num_threads(), threads);
            let mut memory: Vec<Vec<u64>> =
                results.iter().map(|n| vec![0xa5a5_a5a5_a5a5_a5a5; n.div_ceil(8)]).collect();
            let mut outputs: Vec<&mut [u8]> = memory
                .iter_mut()
                .zip(results)
                // SAFETY: as many bytes are there.
                .map(|(y, &n)| unsafe { std::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), n) })
                .collect();
            assert!(Host.call(name, ints, inputs, &mut outputs));
            memory
        })
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        for _ in 0..3 {
            assert!(run(threads) == one, "{name} {ints:?} differs with {threads} threads");
        }
    }
}

fn product(batch: usize, m: usize, k: usize, n: usize, lhs_by_columns: bool) {
    let [lhs_row, lhs_col] = if lhs_by_columns { [1, m] } else { [k, 1] };
    let ints = [batch, m, k, n, m * k, lhs_row, lhs_col, k * n, n, 1, m * n, n, 1].map(|n| n as i64);
    let (x, y): (Vec<f32>, Vec<f32>) = (numbers(batch * m * k, 1), numbers(batch * k * n, 2));
    same_for_any_threads("dot_f32", &ints, &[bytes(&x), bytes(&y)], &[4 * batch * m * n]);
    let (x, y): (Vec<f64>, Vec<f64>) = (numbers(batch * m * k, 3), numbers(batch * k * n, 4));
    same_for_any_threads("dot_f64", &ints, &[bytes(&x), bytes(&y)], &[8 * batch * m * n]);
}

#[test]
fn matrix_products() {
    for lhs_by_columns in [false, true] {
        // Large, tall, wide, deep, with few columns, with one, small ones in a batch, uneven ones.
        product(1, 300, 700, 260, lhs_by_columns);
        product(1, 2000, 50, 50, lhs_by_columns);
        product(1, 50, 600, 1000, lhs_by_columns);
        product(1, 96, 20_000, 70, lhs_by_columns);
        product(1, 50, 50_000, 50, lhs_by_columns);
        product(1, 60_000, 9, 7, lhs_by_columns);
        product(1, 1500, 900, 1, lhs_by_columns);
        product(1, 1, 900, 1500, lhs_by_columns);
        product(5000, 7, 6, 5, lhs_by_columns);
        product(3, 257, 129, 131, lhs_by_columns);
    }
}

#[test]
fn sorts_sums_along_axes_and_transposes() {
    let x: Vec<f32> = numbers(64 * 3001, 5);
    same_for_any_threads("argsort_f32", &[64, 3001], &[bytes(&x)], &[8 * x.len()]);
    same_for_any_threads("cumsum_f32", &[64, 1, 3001, 1], &[bytes(&x)], &[4 * x.len()]);
    same_for_any_threads("cummax_f32", &[8, 0, 3001, 8], &[bytes(&x)], &[4 * x.len()]);
    same_for_any_threads("recurrence_f32", &[64, 0, 3001, 1, 3001, 1], &[bytes(&x), bytes(&x)], &[4 * x.len()]);
    for [m, n] in [[64, 3001], [3001, 64], [192_064, 1], [1, 192_064]] {
        same_for_any_threads("transpose_u32", &[m, n, n, m], &[bytes(&x)], &[4 * x.len()]);
    }
}

#[test]
fn decompositions_and_transforms() {
    let x: Vec<f64> = numbers(2000 * 9, 6);
    same_for_any_threads("qr_f64", &[2000, 0, 3, 3], &[bytes(&x)], &[8 * 2000 * 9, 8 * 2000 * 9]);
    let x: Vec<f64> = numbers(30 * 400, 7);
    same_for_any_threads("qr_f64", &[30, 0, 20, 20], &[bytes(&x)], &[8 * 30 * 400, 8 * 30 * 400]);
    same_for_any_threads("det_f64", &[30, 20, 20], &[bytes(&x)], &[8 * 30]);
}
