//! Decompositions through the door that the interpreter of routines uses: reconstruction at sizes on both sides of where the
//! library takes over, memory at odd addresses, and data that have no answer.

use wengert_kernel::routine::Library;
use wengert_runtime::{Host, lookup};

/// Fixed numbers between -1 and 1 without a pattern.
fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n).map(|i| (((i + 31 * seed + 1) as f64 * 0.618).sin() * 43758.547).fract()).collect()
}

fn bytes(x: &[f64]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_ne_bytes()).collect()
}

/// Calls a function of `f64` on matrices, with results of so many floats.
fn call(name: &str, ints: &[i64], inputs: &[&[f64]], results: &[usize]) -> Vec<Vec<f64>> {
    let inputs: Vec<Vec<u8>> = inputs.iter().map(|x| bytes(x)).collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    // Memory of floats, so that it is aligned.
    let mut outputs: Vec<Vec<u64>> = results.iter().map(|&n| vec![u64::MAX; n]).collect();
    let mut raw: Vec<Vec<u8>> = outputs.iter().map(|y| vec![0xff; 8 * y.len() + 8]).collect();
    let mut slices: Vec<&mut [u8]> = Vec::new();
    for (raw, n) in raw.iter_mut().zip(results) {
        let skip = raw.as_ptr().align_offset(8);
        slices.push(&mut raw[skip..][..8 * n]);
    }
    assert!(Host.call(name, ints, &inputs, &mut slices), "{name}");
    for (y, raw) in outputs.iter_mut().zip(&slices) {
        for (y, raw) in y.iter_mut().zip(raw.chunks(8)) {
            *y = u64::from_ne_bytes(raw.try_into().unwrap());
        }
    }
    outputs.into_iter().map(|y| y.into_iter().map(f64::from_bits).collect()).collect()
}

/// `a b`, of `m` rows, `k` and `n` columns.
fn product(a: &[f64], b: &[f64], [m, k, n]: [usize; 3]) -> Vec<f64> {
    let at = |i: usize| (0..k).map(|p| a[i / n * k + p] * b[p * n + i % n]).sum();
    (0..m * n).map(at).collect()
}

fn transposed(a: &[f64], m: usize, n: usize) -> Vec<f64> {
    (0..m * n).map(|i| a[i % m * n + i / m]).collect()
}

fn assert_close(found: &[f64], wanted: &[f64], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (f, w) in found.iter().zip(wanted) {
        assert!((f - w).abs() < 1e-12, "{what}: {f}, not {w}");
    }
}

const SIZES: [usize; 6] = [1, 2, 7, 8, 9, 40];

#[test]
fn every_size_is_put_together_again() {
    for n in SIZES {
        for m in SIZES {
            let (a, k) = (numbers(m * n, m), m.min(n));
            let what = |name: &str| format!("{name} of {m} rows and {n} columns");
            let (rows, columns) = (m as i64, n as i64);
            let y = call("qr_f64", &[1, 0, rows, columns], &[&a], &[m * k, k * n]);
            assert_close(&product(&y[0], &y[1], [m, k, n]), &a, &what("qr"));
            let y = call("svd_f64", &[1, 1, rows, columns], &[&a], &[m * k, k, k * n]);
            let us: Vec<f64> = y[0].iter().enumerate().map(|(i, u)| u * y[1][i % k]).collect();
            assert_close(&product(&us, &y[2], [m, k, n]), &a, &what("svd"));
            let values = call("svd_f64", &[1, 0, rows, columns], &[&a], &[k]);
            assert_close(&values[0], &y[1], &what("singular values"));
            let y = call("lu_f64", &[1, rows, columns], &[&a], &[m * n, k, m]);
            let l: Vec<f64> = (0..m * k)
                .map(|i| (i / k, i % k))
                .map(|(i, j)| {
                    if i == j {
                        1.0
                    } else if i > j {
                        y[0][i * n + j]
                    } else {
                        0.0
                    }
                })
                .collect();
            let u: Vec<f64> = (0..k * n).map(|i| if i / n <= i % n { y[0][i] } else { 0.0 }).collect();
            let order: Vec<usize> = y[2].iter().map(|p| p.to_bits() as usize).collect();
            let wanted: Vec<f64> = order.iter().flat_map(|&row| a[row * n..][..n].to_vec()).collect();
            assert_close(&product(&l, &u, [m, k, n]), &wanted, &what("lu"));
            // Exchanging in turn gives the order.
            let mut rows: Vec<usize> = (0..m).collect();
            y[1].iter().enumerate().for_each(|(i, p)| rows.swap(i, p.to_bits() as usize));
            assert_eq!(rows, order, "{}", what("pivots"));
        }
        let a = numbers(n * n, 3);
        let mut definite = product(&a, &transposed(&a, n, n), [n, n, n]);
        (0..n).for_each(|i| definite[i * n + i] += 1.0);
        let size = n as i64;
        let l = call("cholesky_f64", &[1, size, size], &[&definite], &[n * n]).remove(0);
        assert_close(&product(&l, &transposed(&l, n, n), [n, n, n]), &definite, "cholesky");
        let y = call("eigh_f64", &[1, 1, size, size], &[&definite], &[n, n * n]);
        let vw: Vec<f64> = y[1].iter().enumerate().map(|(i, v)| v * y[0][i % n]).collect();
        assert_close(&product(&vw, &transposed(&y[1], n, n), [n, n, n]), &definite, "eigh");
        for which in 0..4 {
            let (lower, back) = (which & 1, which >> 1);
            let b = numbers(n * 2, 5);
            let ints = [1, lower, back, 0, size, size, size, 2];
            let x = call("triangular_solve_f64", &ints, &[&definite, &b], &[n * 2]).remove(0);
            let keep = |i: usize, j: usize| if (lower == 1) == (i >= j) || i == j { definite[i * n + j] } else { 0.0 };
            let t: Vec<f64> =
                (0..n * n).map(|i| if back == 1 { keep(i % n, i / n) } else { keep(i / n, i % n) }).collect();
            let found = product(&t, &x, [n, n, 2]);
            let scale = x.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
            for (f, b) in found.iter().zip(&b) {
                assert!((f - b).abs() < 1e-10 * scale, "a triangle of {n} rows: {f}, not {b}");
            }
        }
    }
}

#[test]
fn operands_may_be_at_odd_addresses() {
    for n in [3usize, 12] {
        let mut a = numbers(n * n, 1);
        (0..n).for_each(|i| a[i * n + i] += 4.0);
        let even = call("cholesky_f64", &[1, n as i64, n as i64], &[&a], &[n * n]).remove(0);
        let mut odd = vec![0u8];
        odd.extend(bytes(&a));
        let mut y = vec![0u8; 8 * n * n + 8];
        let skip = y.as_ptr().align_offset(8);
        let ints = [1, n as i64, n as i64];
        assert!(Host.call("cholesky_f64", &ints, &[&odd[1..]], &mut [&mut y[skip..][..8 * n * n]]));
        assert_eq!(&y[skip..][..8 * n * n], bytes(&even), "the same bits");
    }
}

#[test]
fn names() {
    for name in ["cholesky", "triangular_solve", "lu", "solve", "qr", "eigh", "svd", "det", "cofactors", "pinv"] {
        assert!(lookup(&format!("{name}_f32")).is_some() && lookup(&format!("{name}_f64")).is_some());
        assert!(lookup(name).is_none() && lookup(&format!("{name}_i32")).is_none());
    }
}

#[test]
#[should_panic(expected = "would read")]
fn short_spans_are_seen() {
    call("det_f64", &[2, 3, 3], &[&[1.0; 9]], &[2]);
}
