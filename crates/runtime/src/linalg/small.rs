//! Factorizations by plain loops: Cholesky, elimination, Householder's reflections.
//!
//! Golub and Van Loan, Matrix Computations, 4th edition: 4.2 (Cholesky), 3.1 (triangular systems), 3.4 (partial pivoting),
//! 5.1 and 5.2 (reflections). All matrices are row-major.

use super::unit;
use crate::real::Number;

/// The lower factor of the symmetric part of `a`; false when a pivot is not positive.
pub(super) fn cholesky<T: Number>(a: &[T], n: usize, l: &mut [T]) -> bool {
    let half = T::of(0.5);
    for i in 0..n {
        for j in 0..=i {
            let mut sum = (a[i * n + j] + a[j * n + i]) * half;
            for k in 0..j {
                sum -= l[i * n + k] * l[j * n + k];
            }
            if i != j {
                l[i * n + j] = sum / l[j * n + j];
                continue;
            }
            if !(sum > T::ZERO && sum.is_finite()) {
                return false;
            }
            l[i * n + i] = sum.sqrt();
        }
    }
    true
}

/// Which triangular system is solved.
#[derive(Clone, Copy)]
pub(super) struct Triangle {
    pub(super) lower: bool,
    pub(super) transposed: bool,
    pub(super) unit: bool,
}

/// Overwrites `b`, of `n` rows and `k` columns, by the solution of the system with the triangle `t`.
pub(super) fn triangular_solve<T: Number>(t: &[T], n: usize, b: &mut [T], k: usize, which: Triangle) {
    if k == 1 {
        return triangular_solve_vector(t, n, b, which);
    }
    let forward = which.lower != which.transposed;
    let at = |i: usize, j: usize| if which.transposed { t[j * n + i] } else { t[i * n + j] };
    for step in 0..n {
        let i = if forward { step } else { n - 1 - step };
        let known = if forward { 0..i } else { i + 1..n };
        for j in known {
            let factor = at(i, j);
            let [row, other] = two_rows(b, k, i, j);
            row.iter_mut().zip(&*other).for_each(|(x, &y)| *x -= factor * y);
        }
        if !which.unit {
            let pivot = at(i, i);
            b[i * k..][..k].iter_mut().for_each(|x| *x /= pivot);
        }
    }
}

/// The same of one right side, along the rows of `t`: by products of rows, or by adding multiples of them.
fn triangular_solve_vector<T: Number>(t: &[T], n: usize, x: &mut [T], which: Triangle) {
    let forward = which.lower != which.transposed;
    for step in 0..n {
        let i = if forward { step } else { n - 1 - step };
        let row = &t[i * n..][..n];
        let of_row = if which.lower { 0..i } else { i + 1..n };
        if !which.transposed {
            x[i] -= dot(&row[of_row.clone()], &x[of_row.clone()]);
        }
        if !which.unit {
            x[i] /= row[i];
        }
        if which.transposed {
            let by = x[i];
            x[of_row.clone()].iter_mut().zip(&row[of_row]).for_each(|(x, &t)| *x -= by * t);
        }
    }
}

/// The sum of products in eight sums, which a processor adds side by side.
fn dot<T: Number>(x: &[T], y: &[T]) -> T {
    let mut sums = [T::ZERO; 8];
    let (whole, rest) = x.as_chunks::<8>();
    let (others, other_rest) = y.as_chunks::<8>();
    for (x, y) in whole.iter().zip(others) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (&x, &y))| *sum += x * y);
    }
    let last = rest.iter().zip(other_rest).fold(T::ZERO, |sum, (&x, &y)| sum + x * y);
    sums.iter().fold(last, |sum, &x| sum + x)
}

/// Two different rows of `k` elements.
fn two_rows<T>(b: &mut [T], k: usize, i: usize, j: usize) -> [&mut [T]; 2] {
    let (first, second) = b.split_at_mut(i.max(j) * k);
    if i < j { [&mut first[i * k..][..k], &mut second[..k]] } else { [&mut second[..k], &mut first[j * k..][..k]] }
}

/// Overwrites `a` by its factors, with row exchanges: `pivots[k]` is the row that row `k` was exchanged with at step `k`,
/// `permutation[i]` the row of `a` that is row `i` of the product of the factors.
pub(super) fn lu<T: Number>(a: &mut [T], m: usize, n: usize, pivots: &mut [i64], permutation: &mut [i64]) {
    permutation.iter_mut().enumerate().for_each(|(i, p)| *p = i as i64);
    for k in 0..m.min(n) {
        let mut best = k;
        for i in k + 1..m {
            if a[i * n + k].abs() > a[best * n + k].abs() {
                best = i;
            }
        }
        pivots[k] = best as i64;
        permutation.swap(k, best);
        if best != k {
            let [row, other] = two_rows(a, n, k, best);
            row.swap_with_slice(other);
        }
        let pivot = a[k * n + k];
        if pivot == T::ZERO {
            continue;
        }
        for i in k + 1..m {
            let [row, upper] = two_rows(a, n, i, k);
            let factor = row[k] / pivot;
            row[k] = factor;
            row[k + 1..].iter_mut().zip(&upper[k + 1..]).for_each(|(x, &u)| *x -= factor * u);
        }
    }
}

/// Overwrites `a` by R, and `q`, of `columns` columns, by Q. `a` is finite and scaled.
pub(super) fn qr<T: Number>(a: &mut [T], m: usize, n: usize, q: &mut [T], columns: usize) {
    let k = m.min(n);
    let mut factors = vec![T::ZERO; k];
    for j in 0..k {
        // The reflection I - tau v v' that takes the rest of column j to a multiple of its first unit vector; v[j] = 1.
        let mut below = T::ZERO;
        for i in j + 1..m {
            below += a[i * n + j] * a[i * n + j];
        }
        if below == T::ZERO {
            continue;
        }
        let alpha = a[j * n + j];
        let norm = (alpha * alpha + below).sqrt();
        let beta = if alpha < T::ZERO { norm } else { -norm };
        let tau = (beta - alpha) / beta;
        for i in j + 1..m {
            a[i * n + j] /= alpha - beta;
        }
        a[j * n + j] = beta;
        factors[j] = tau;
        for c in j + 1..n {
            let mut sum = a[j * n + c];
            for i in j + 1..m {
                sum += a[i * n + j] * a[i * n + c];
            }
            let by = tau * sum;
            a[j * n + c] -= by;
            for i in j + 1..m {
                let v = a[i * n + j];
                a[i * n + c] -= by * v;
            }
        }
    }
    unit(q, m, columns);
    for j in (0..k).rev() {
        let tau = factors[j];
        for c in j..columns {
            let mut sum = q[j * columns + c];
            for i in j + 1..m {
                sum += a[i * n + j] * q[i * columns + c];
            }
            let by = tau * sum;
            q[j * columns + c] -= by;
            for i in j + 1..m {
                let v = a[i * n + j];
                q[i * columns + c] -= by * v;
            }
        }
    }
    for i in 0..m {
        (0..i.min(n)).for_each(|j| a[i * n + j] = T::ZERO);
    }
}
