//! Eigenvalues and singular values by Jacobi's rotations.
//!
//! Golub and Van Loan, Matrix Computations, 4th edition, 8.5 (the cyclic method) and 8.6.4 (one-sided); accurate to the
//! last digits and simple, with a bounded number of sweeps.

use super::transposed;
use crate::real::Number;

/// Sweeps after which rounding is all that is left to rotate: the convergence is quadratic.
const SWEEPS: usize = 60;

/// The cosine and sine that make `pq` vanish in the symmetric matrix `[[pp, pq], [pq, qq]]`; `pq` is not 0.
fn rotation<T: Number>(pp: T, pq: T, qq: T) -> (T, T) {
    let tau = (qq - pp) / (pq + pq);
    let root = (T::ONE + tau * tau).sqrt();
    let t = if tau < T::ZERO { T::ONE / (tau - root) } else { T::ONE / (tau + root) };
    let c = T::ONE / (T::ONE + t * t).sqrt();
    (c, t * c)
}

/// Eigenvalues of the symmetric matrix `a`, which is destroyed, in ascending order, and the eigenvectors as columns of `v`
/// when there is room for them. `a` is finite and scaled.
pub(super) fn eigh<T: Number>(a: &mut [T], n: usize, w: &mut [T], v: &mut [T]) {
    // Eigenvectors as rows, so that a rotation is on two runs of memory.
    let vectors = !v.is_empty();
    let mut rows = vec![T::ZERO; if vectors { n * n } else { 0 }];
    if vectors {
        (0..n).for_each(|i| rows[i * n + i] = T::ONE);
    }
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                let (pp, pq, qq) = (a[p * n + p], a[p * n + q], a[q * n + q]);
                let size = if pp.abs() > qq.abs() { pp.abs() } else { qq.abs() };
                if pq.abs() <= size * T::EPSILON * T::of(0.125) || pq.abs() < T::TINY {
                    continue;
                }
                rotated = true;
                let (c, s) = rotation(pp, pq, qq);
                for k in 0..n {
                    let (kp, kq) = (a[k * n + p], a[k * n + q]);
                    a[k * n + p] = c * kp - s * kq;
                    a[k * n + q] = s * kp + c * kq;
                }
                rotate_rows(a, n, p, q, c, s);
                a[p * n + q] = T::ZERO;
                a[q * n + p] = T::ZERO;
                if vectors {
                    rotate_rows(&mut rows, n, p, q, c, s);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let order = sorted(n, |i, j| a[i * n + i] < a[j * n + j]);
    for (to, &from) in order.iter().enumerate() {
        w[to] = a[from * n + from];
        if vectors {
            (0..n).for_each(|k| v[k * n + to] = rows[from * n + k]);
        }
    }
}

fn rotate_rows<T: Number>(a: &mut [T], n: usize, p: usize, q: usize, c: T, s: T) {
    let (first, second) = a.split_at_mut(q * n);
    for (x, y) in first[p * n..][..n].iter_mut().zip(&mut second[..n]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

/// Numbers below `n` in order, equal ones as they were.
fn sorted(n: usize, less: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for i in 1..n {
        let mut k = i;
        while k > 0 && less(order[k], order[k - 1]) {
            order.swap(k, k - 1);
            k -= 1;
        }
    }
    order
}

/// Singular values of `a`, in descending order, and the vectors when there is room for them: `u` of `u_columns` columns,
/// `vt` of `v_rows` rows. `a` is finite and scaled.
pub(super) fn svd<T: Number>(
    a: &[T],
    [m, n]: [usize; 2],
    (u, u_columns): (&mut [T], usize),
    s: &mut [T],
    (vt, v_rows): (&mut [T], usize),
) {
    // Columns of the taller of the matrix and its transpose, as rows.
    let tall = m >= n;
    let mut columns = if tall { transposed(a, m, n) } else { a.to_vec() };
    let (long, short) = (m.max(n), m.min(n));
    let vectors = !(u.is_empty() && vt.is_empty());
    let mut others = vec![T::ZERO; if vectors { short * short } else { 0 }];
    if vectors {
        (0..short).for_each(|i| others[i * short + i] = T::ONE);
    }
    for _ in 0..SWEEPS {
        let mut rotated = false;
        for p in 0..short {
            for q in p + 1..short {
                let (x, y) = (&columns[p * long..][..long], &columns[q * long..][..long]);
                let (pp, pq, qq) = (product(x, x), product(x, y), product(y, y));
                if pq.abs() <= T::EPSILON * (pp.sqrt() * qq.sqrt()) || pq.abs() < T::TINY {
                    continue;
                }
                rotated = true;
                let (c, s) = rotation(pp, pq, qq);
                rotate_rows(&mut columns, long, p, q, c, s);
                if vectors {
                    rotate_rows(&mut others, short, p, q, c, s);
                }
            }
        }
        if !rotated {
            break;
        }
    }
    let norms: Vec<T> = (0..short).map(|i| norm(&columns[i * long..][..long])).collect();
    let order = sorted(short, |i, j| norms[i] > norms[j]);
    order.iter().zip(&mut *s).for_each(|(&i, s)| *s = norms[i]);
    if !vectors {
        return;
    }
    let long_columns = if tall { u_columns } else { v_rows };
    let mut basis: Vec<T> = Vec::with_capacity(long_columns * long);
    for &i in &order {
        // Products of such columns lose digits; they are zero to within rounding.
        if norms[i] <= T::TINY.sqrt() / T::EPSILON {
            break;
        }
        basis.extend(columns[i * long..][..long].iter().map(|&x| x / norms[i]));
    }
    complete(&mut basis, long, long_columns);
    let (of_long, long_by_row): (&mut [T], bool) = if tall { (&mut *u, false) } else { (&mut *vt, true) };
    for (j, column) in basis.chunks(long.max(1)).enumerate().take(long_columns) {
        for (i, &x) in column.iter().enumerate() {
            of_long[if long_by_row { j * long + i } else { i * long_columns + j }] = x;
        }
    }
    let (of_short, short_by_row): (&mut [T], bool) = if tall { (vt, true) } else { (u, false) };
    for (j, &from) in order.iter().enumerate() {
        for i in 0..short {
            of_short[if short_by_row { j * short + i } else { i * short + j }] = others[from * short + i];
        }
    }
}

fn product<T: Number>(x: &[T], y: &[T]) -> T {
    x.iter().zip(y).fold(T::ZERO, |sum, (&x, &y)| sum + x * y)
}

/// The 2-norm, of elements whose squares may vanish.
fn norm<T: Number>(x: &[T]) -> T {
    let greatest = x.iter().fold(T::ZERO, |greatest, x| if x.abs() > greatest { x.abs() } else { greatest });
    if greatest == T::ZERO {
        return T::ZERO;
    }
    let scale = greatest.power_of_two();
    let sum = x.iter().fold(T::ZERO, |sum, &x| sum + (x / scale) * (x / scale));
    sum.sqrt() * scale
}

/// Adds rows of length `n` to orthonormal ones until there are `count`, from the unit vectors that are farthest from what
/// is there already.
fn complete<T: Number>(rows: &mut Vec<T>, n: usize, count: usize) {
    while n > 0 && rows.len() < count * n {
        let covered = |i: usize| rows.chunks(n).fold(T::ZERO, |sum, row| sum + row[i] * row[i]);
        let mut best = (0, covered(0));
        for i in 1..n {
            let covered = covered(i);
            if covered < best.1 {
                best = (i, covered);
            }
        }
        let mut new = vec![T::ZERO; n];
        new[best.0] = T::ONE;
        // Twice is enough (Kahan).
        for _ in 0..2 {
            for row in rows.chunks(n) {
                let by = product(row, &new);
                new.iter_mut().zip(row).for_each(|(x, &y)| *x -= by * y);
            }
        }
        let length = norm(&new);
        rows.extend(new.iter().map(|&x| x / length));
    }
}
