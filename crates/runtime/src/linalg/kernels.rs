//! The functions over matrices: what each takes and gives, and which algorithm serves which size.

#[cfg(feature = "linalg")]
use super::large;
use super::small::{self, Triangle};
use super::{finite, jacobi, scaled, transposed};
use crate::each_part::{Kernel, Kind, Operands, Part, Results};
use crate::real::Real;

/// Matrices of at most this many rows and columns are served by the plain loops.
#[cfg(feature = "linalg")]
const SMALL: usize = 8;

/// `A` to the lower triangular `L` with `L L' = (A + A') / 2`, and zeros above; NaN where it has no such factor.
pub(super) struct Cholesky;

fn root<T: Real>(a: &[T], n: usize, l: &mut [T]) -> bool {
    #[cfg(feature = "linalg")]
    if n > SMALL {
        return finite(a) && large::cholesky(a, n, l);
    }
    small::cholesky(a, n, l)
}

impl Kernel for Cholesky {
    const OPTIONS: usize = 0;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[0] * part.lengths[1]]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let (n, a, l) = (part.lengths[0], x.real[0], &mut *y.real[0]);
        if !root(a, n, l) {
            for i in 0..n {
                let (low, high) = l[i * n..][..n].split_at_mut(i + 1);
                low.fill(T::NAN);
                high.fill(T::ZERO);
            }
        }
    }
}

/// `[lower, transposed, unit]`: `T, B` to `X` with `op(T) X = B`, where only the triangle of `T` is read, without its
/// diagonal when that is taken for ones.
pub(super) struct TriangularSolve;

/// `0 X = 0` is solved by 0: so read operands of a lane that takes no part in a loop.
fn nothing<T: Real>(t: &[T], b: &[T]) -> bool {
    t.first() == Some(&T::ZERO) && t.iter().chain(b).all(|&x| x == T::ZERO)
}

fn triangular<T: Real>(t: &[T], n: usize, x: &mut [T], k: usize, which: Triangle) {
    // One right side is bound by memory.
    #[cfg(feature = "linalg")]
    if n > SMALL && k > 1 {
        return large::triangular_solve(t, n, x, k, which);
    }
    small::triangular_solve(t, n, x, k, which)
}

impl Kernel for TriangularSolve {
    const OPTIONS: usize = 3;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2), (Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[2] * part.lengths[3]]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let [lower, transposed, unit] = [0, 1, 2].map(|i| part.options[i] != 0);
        let [n, _, _, k] = part.lengths[..] else { unreachable!("two matrices") };
        y.real[0].copy_from_slice(x.real[1]);
        if nothing(x.real[0], x.real[1]) && !unit {
            return;
        }
        triangular(x.real[0], n, y.real[0], k, Triangle { lower, transposed, unit });
    }
}

/// `A` to its factors in one matrix, the rows exchanged at each step, and the order of the rows.
pub(super) struct Lu;

fn factorize<T: Real>(a: &mut [T], m: usize, n: usize, pivots: &mut [i64], permutation: &mut [i64]) {
    #[cfg(feature = "linalg")]
    if m.max(n) > SMALL {
        return large::lu(a, m, n, pivots, permutation);
    }
    small::lu(a, m, n, pivots, permutation)
}

impl Kernel for Lu {
    const OPTIONS: usize = 0;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Index, Kind::Index];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        let [m, n] = part.lengths[..] else { unreachable!("a matrix") };
        vec![m * n, m.min(n), m]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let [m, n] = part.lengths[..] else { unreachable!("a matrix") };
        let [pivots, permutation] = &mut y.index;
        if !finite(x.real[0]) {
            pivots.iter_mut().zip(0..).for_each(|(p, i)| *p = i);
            permutation.iter_mut().zip(0..).for_each(|(p, i)| *p = i);
            return y.nan();
        }
        y.real[0].copy_from_slice(x.real[0]);
        factorize(y.real[0], m, n, pivots, permutation);
    }
}

/// `[transposed]`: `A`, its factors, its order of rows, `B` to `X` with `A X = B` or `A' X = B`; NaN when `A` is
/// singular. `A` itself is not read: it comes along for derivatives.
pub(super) struct Solve;

impl Kernel for Solve {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2), (Kind::Real, 2), (Kind::Index, 1), (Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[5] * part.lengths[6]]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let (n, k, transposed) = (part.lengths[0], part.lengths[6], part.options[0] != 0);
        let ([_, lu, b], order) = (x.real, x.index);
        if nothing(lu, b) {
            return;
        }
        if (0..n).any(|i| lu[i * n + i] == T::ZERO) {
            return y.nan();
        }
        let row = |i: usize| usize::try_from(order[i]).ok().filter(|&row| row < n);
        let solution = &mut *y.real[0];
        let lower = Triangle { lower: true, transposed, unit: true };
        let upper = Triangle { lower: false, transposed, unit: false };
        if transposed {
            let mut z = b.to_vec();
            triangular(lu, n, &mut z, k, upper);
            triangular(lu, n, &mut z, k, lower);
            for i in 0..n {
                let Some(to) = row(i) else { return y.nan() };
                solution[to * k..][..k].copy_from_slice(&z[i * k..][..k]);
            }
        } else {
            for i in 0..n {
                let Some(from) = row(i) else { return y.nan() };
                solution[i * k..][..k].copy_from_slice(&b[from * k..][..k]);
            }
            triangular(lu, n, solution, k, lower);
            triangular(lu, n, solution, k, upper);
        }
    }
}

/// `[full]`: `A` to `Q`, `R`; `Q` square when full, else with as many columns as `R` has rows.
pub(super) struct Qr;

fn orthogonal<T: Real>(a: &mut [T], m: usize, n: usize, q: &mut [T], columns: usize) {
    #[cfg(feature = "linalg")]
    if m.max(n) > SMALL {
        return large::qr(a, m, n, q, columns);
    }
    small::qr(a, m, n, q, columns)
}

impl Kernel for Qr {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        let [m, n] = part.lengths[..] else { unreachable!("a matrix") };
        let columns = if part.options[0] != 0 { m } else { m.min(n) };
        vec![m * columns, columns * n]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let [m, n] = part.lengths[..] else { unreachable!("a matrix") };
        let columns = if part.options[0] != 0 { m } else { m.min(n) };
        if !finite(x.real[0]) {
            return y.nan();
        }
        let mut a = x.real[0].to_vec();
        let scale = scaled(&mut a);
        orthogonal(&mut a, m, n, y.real[0], columns);
        y.real[1].iter_mut().zip(&a).for_each(|(r, &a)| *r = a * scale);
    }
}

/// `[vectors]`: `A` to the eigenvalues of `(A + A') / 2` in ascending order and, when asked for, their vectors as columns.
pub(super) struct Eigh;

/// False when the method does not converge.
fn eigen<T: Real>(a: &mut [T], n: usize, w: &mut [T], v: &mut [T]) -> bool {
    #[cfg(feature = "linalg")]
    if n > SMALL {
        return large::eigh(a, n, w, v);
    }
    jacobi::eigh(a, n, w, v);
    true
}

impl Kernel for Eigh {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        let n = part.lengths[0];
        if part.options[0] != 0 { vec![n, n * n] } else { vec![n] }
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let (n, given) = (part.lengths[0], x.real[0]);
        if !finite(given) {
            return y.nan();
        }
        let half = T::of(0.5);
        let mut a: Vec<T> = (0..n * n).map(|k| given[k] * half + given[k % n * n + k / n] * half).collect();
        let scale = scaled(&mut a);
        let [w, v, _] = &mut y.real;
        if !eigen(&mut a, n, w, v) {
            return y.nan();
        }
        w.iter_mut().for_each(|w| *w *= scale);
    }
}

/// `[vectors]` (0 none, 1 reduced, 2 full): `A` to the singular values in descending order, or to `U`, these, `V'`.
pub(super) struct Svd;

/// The singular values and vectors of a finite matrix; false when the method does not converge.
fn singular<T: Real>(
    given: &[T],
    [m, n]: [usize; 2],
    (u, u_columns): (&mut [T], usize),
    s: &mut [T],
    (vt, v_rows): (&mut [T], usize),
) -> bool {
    let mut a = given.to_vec();
    let scale = scaled(&mut a);
    let done = scaled_singular(&a, [m, n], (u, u_columns), s, (vt, v_rows));
    s.iter_mut().for_each(|s| *s *= scale);
    done
}

fn scaled_singular<T: Real>(
    a: &[T],
    [m, n]: [usize; 2],
    (u, u_columns): (&mut [T], usize),
    s: &mut [T],
    (vt, v_rows): (&mut [T], usize),
) -> bool {
    #[cfg(feature = "linalg")]
    if m.max(n) > SMALL && a.iter().any(|&x| x != T::ZERO) {
        return large::svd(a, [m, n], (u, u_columns), s, (vt, v_rows));
    }
    jacobi::svd(a, [m, n], (u, u_columns), s, (vt, v_rows));
    true
}

impl Kernel for Svd {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Real, Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        let [m, n] = part.lengths[..] else { unreachable!("a matrix") };
        let k = m.min(n);
        match part.options[0] {
            0 => vec![k],
            1 => vec![m * k, k, k * n],
            _ => vec![m * m, k, n * n],
        }
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let [m, n] = part.lengths[..] else { unreachable!("a matrix") };
        if !finite(x.real[0]) {
            return y.nan();
        }
        let (u_columns, v_rows) = if part.options[0] == 2 { (m, n) } else { (m.min(n), m.min(n)) };
        let [u, s, vt] = &mut y.real;
        let done = match part.options[0] {
            0 => singular(x.real[0], [m, n], (&mut [], u_columns), u, (&mut [], v_rows)),
            _ => singular(x.real[0], [m, n], (u, u_columns), s, (vt, v_rows)),
        };
        if !done {
            y.nan();
        }
    }
}

/// `A` to its determinant.
pub(super) struct Det;

/// The determinant, and whether a pivot is exactly 0.
fn determinant<T: Real>(a: &[T], n: usize) -> (T, bool) {
    let mut lu = a.to_vec();
    let (mut pivots, mut permutation) = (vec![0; n], vec![0; n]);
    factorize(&mut lu, n, n, &mut pivots, &mut permutation);
    let mut det = T::ONE;
    let mut singular = false;
    for (i, &pivot) in pivots.iter().enumerate() {
        let u = lu[i * n + i];
        singular |= u == T::ZERO;
        det *= if pivot as usize == i { u } else { -u };
    }
    (if singular { T::ZERO } else { det }, singular)
}

impl Kernel for Det {
    const OPTIONS: usize = 0;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(_: &Part<'_>) -> Vec<usize> {
        vec![1]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let a = x.real[0];
        y.real[0][0] = if finite(a) { determinant(a, part.lengths[0]).0 } else { T::NAN };
    }
}

/// `A` to the matrix of its cofactors, the derivatives of the determinant.
///
/// With `A = U S V'` it is `det(U) det(V) U C V'`, where `C` is diagonal with the products of all other singular values:
/// right at every rank. Where elimination finds `A` exactly singular, singular values that are nothing but rounding are 0.
pub(super) struct Cofactors;

impl Kernel for Cofactors {
    const OPTIONS: usize = 0;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[0] * part.lengths[1]]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let (n, a) = (part.lengths[0], x.real[0]);
        let (mut u, mut s, mut vt) = (vec![T::ZERO; n * n], vec![T::ZERO; n], vec![T::ZERO; n * n]);
        if !finite(a) || !singular(a, [n, n], (&mut u, n), &mut s, (&mut vt, n)) {
            return y.nan();
        }
        if n > 0 && determinant(a, n).1 {
            let rounding = s[0] * T::EPSILON * T::of(n as f64);
            s.iter_mut().filter(|s| **s <= rounding).for_each(|s| *s = T::ZERO);
        }
        let sign = determinant(&u, n).0 * determinant(&vt, n).0;
        let sign = if sign < T::ZERO { -T::ONE } else { T::ONE };
        for k in 0..n {
            let others = (0..n).filter(|&j| j != k).fold(sign, |product, j| product * s[j]);
            for i in 0..n {
                let left = u[i * n + k] * others;
                let (row, right) = (&mut y.real[0][i * n..][..n], &vt[k * n..][..n]);
                row.iter_mut().zip(right).for_each(|(y, &v)| *y += left * v);
            }
        }
    }
}

/// `[cutoff]` (the bits of an `f64`): `A` to its pseudoinverse, where singular values up to the cutoff times the greatest
/// count as 0.
pub(super) struct Pinv;

impl Kernel for Pinv {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[0] * part.lengths[1]]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let ([m, n], a) = ([part.lengths[0], part.lengths[1]], x.real[0]);
        let k = m.min(n);
        let (mut u, mut s, mut vt) = (vec![T::ZERO; m * k], vec![T::ZERO; k], vec![T::ZERO; k * n]);
        if !finite(a) || !singular(a, [m, n], (&mut u, k), &mut s, (&mut vt, k)) {
            return y.nan();
        }
        let cutoff = s.first().copied().unwrap_or(T::ZERO) * T::of(f64::from_bits(part.options[0] as u64));
        let ut = transposed(&u, m, k);
        for r in (0..k).filter(|&r| s[r] > cutoff) {
            for i in 0..n {
                let left = vt[r * n + i] / s[r];
                let (row, right) = (&mut y.real[0][i * m..][..m], &ut[r * m..][..m]);
                row.iter_mut().zip(right).for_each(|(y, &u)| *y += left * u);
            }
        }
    }
}
