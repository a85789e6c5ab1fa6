//! Factorizations by the library `faer`, on one thread.
//!
//! It is handed copies in memory of its own alignment, so that results do not depend on where the caller's data lie, and
//! nothing that is not finite. A panic in it counts as no answer.

use super::small::{self, Triangle};
use super::{finite, unit};
use crate::real::Number;
use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::{cholesky, evd, householder, lu, qr, svd, triangular_solve};
use faer::traits::RealField;
use faer::{Conj, Mat, MatRef, Par};
use num_complex::Complex;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the library asks of an element.
pub(crate) trait Library: RealField {}
impl Library for f32 {}
impl Library for f64 {}

/// The indices of a matrix, block by block: rows of one are columns of the other, and either side stays in the cache.
fn blocks(m: usize, n: usize, mut f: impl FnMut(usize, usize)) {
    const BLOCK: usize = 16;
    for i in (0..m).step_by(BLOCK) {
        for j in (0..n).step_by(BLOCK) {
            for j in j..n.min(j + BLOCK) {
                (i..m.min(i + BLOCK)).for_each(|i| f(i, j));
            }
        }
    }
}

fn load<T: Number + Library>(a: &[T], m: usize, n: usize) -> Mat<T> {
    let mut to = Mat::zeros(m, n);
    blocks(m, n, |i, j| to[(i, j)] = a[i * n + j]);
    to
}

fn store<T: Number + Library>(a: MatRef<'_, T>, to: &mut [T]) {
    let (m, n) = a.shape();
    blocks(m, n, |i, j| to[i * n + j] = a[(i, j)]);
}

/// Runs it with scratch memory; `None` when it panics.
fn with_scratch<R>(size: StackReq, f: impl FnOnce(&mut MemStack) -> R) -> Option<R> {
    let mut memory = MemBuffer::new(size);
    catch_unwind(AssertUnwindSafe(|| f(MemStack::new(&mut memory)))).ok()
}

pub(super) fn cholesky<T: Number + Library>(a: &[T], n: usize, l: &mut [T]) -> bool {
    let half = T::of(0.5);
    let mut lower = Mat::zeros(n, n);
    blocks(n, n, |i, j| lower[(i, j)] = if i >= j { (a[i * n + j] + a[j * n + i]) * half } else { T::ZERO });
    let size = cholesky::llt::factor::cholesky_in_place_scratch::<T>(n, Par::Seq, Default::default());
    let done = with_scratch(size, |stack| {
        cholesky::llt::factor::cholesky_in_place(
            lower.as_mut(),
            Default::default(),
            Par::Seq,
            stack,
            Default::default(),
        )
    });
    if !matches!(done, Some(Ok(_))) {
        return false;
    }
    for i in 0..n {
        (0..=i).for_each(|j| l[i * n + j] = lower[(i, j)]);
    }
    finite(l)
}

pub(super) fn triangular_solve<T: Number + Library>(t: &[T], n: usize, x: &mut [T], k: usize, which: Triangle) {
    // Zeros in the other triangle: the library may multiply by what is there.
    let of_triangle = |i: usize, j: usize| if which.lower { i >= j } else { i <= j };
    let mut triangle = Mat::zeros(n, n);
    blocks(n, n, |i, j| {
        if of_triangle(i, j) && !(which.unit && i == j) {
            triangle[if which.transposed { (j, i) } else { (i, j) }] = t[i * n + j];
        }
    });
    let singular = !which.unit && (0..n).any(|i| t[i * n + i] == T::ZERO);
    let mut right = load(x, n, k);
    let done = !singular
        && catch_unwind(AssertUnwindSafe(|| {
            let solve = match (which.lower != which.transposed, which.unit) {
                (true, true) => triangular_solve::solve_unit_lower_triangular_in_place::<T, T, usize, usize>,
                (true, false) => triangular_solve::solve_lower_triangular_in_place::<T, T, usize, usize>,
                (false, true) => triangular_solve::solve_unit_upper_triangular_in_place::<T, T, usize, usize>,
                (false, false) => triangular_solve::solve_upper_triangular_in_place::<T, T, usize, usize>,
            };
            solve(triangle.as_ref(), right.as_mut(), Par::Seq);
        }))
        .is_ok();
    if done && finite(t) { store(right.as_ref(), x) } else { small::triangular_solve(t, n, x, k, which) }
}

pub(super) fn lu<T: Number + Library>(a: &mut [T], m: usize, n: usize, pivots: &mut [i64], permutation: &mut [i64]) {
    let mut factors = load(a, m, n);
    let (mut order, mut inverse) = (vec![0usize; m], vec![0usize; m]);
    let size = lu::partial_pivoting::factor::lu_in_place_scratch::<usize, T>(m, n, Par::Seq, Default::default());
    let done = with_scratch(size, |stack| {
        let (a, order, inverse) = (factors.as_mut(), &mut order[..], &mut inverse[..]);
        lu::partial_pivoting::factor::lu_in_place(a, order, inverse, Par::Seq, stack, Default::default());
    });
    let whole = (0..n).all(|j| (0..m).all(|i| factors[(i, j)].is_finite()));
    if done.is_none() || !whole {
        // It divides by a pivot of 0; the plain loops go on to the next column.
        return small::lu(a, m, n, pivots, permutation);
    }
    store(factors.as_ref(), a);
    permutation.iter_mut().zip(&order).for_each(|(to, &row)| *to = row as i64);
    // The exchanges that lead to this order, one at each step.
    let mut now: Vec<usize> = (0..m).collect();
    let mut place: Vec<usize> = (0..m).collect();
    for (k, pivot) in pivots.iter_mut().enumerate() {
        let at = place[order[k]];
        *pivot = at as i64;
        now.swap(k, at);
        (place[now[k]], place[now[at]]) = (k, at);
    }
}

pub(super) fn qr<T: Number + Library>(a: &mut [T], m: usize, n: usize, q: &mut [T], columns: usize) {
    let k = m.min(n);
    if k == 0 {
        return unit(q, m, columns);
    }
    let mut factors = load(a, m, n);
    let block = qr::no_pivoting::factor::recommended_block_size::<T>(m, n);
    let mut coefficients = Mat::zeros(block, k);
    let mut basis = Mat::from_fn(m, columns, |i, j| if i == j { T::ONE } else { T::ZERO });
    let factor = qr::no_pivoting::factor::qr_in_place_scratch::<T>(m, n, block, Par::Seq, Default::default());
    let apply = householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<T>(m, block, columns);
    let done = with_scratch(factor.or(apply), |stack| {
        qr::no_pivoting::factor::qr_in_place(
            factors.as_mut(),
            coefficients.as_mut(),
            Par::Seq,
            &mut *stack,
            Default::default(),
        );
        householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
            factors.as_ref().subcols(0, k),
            coefficients.as_ref(),
            Conj::No,
            basis.as_mut(),
            Par::Seq,
            stack,
        );
    });
    let whole = |a: MatRef<'_, T>| (0..a.ncols()).all(|j| (0..a.nrows()).all(|i| a[(i, j)].is_finite()));
    if done.is_none() || !whole(basis.as_ref()) || !whole(factors.as_ref()) {
        return small::qr(a, m, n, q, columns);
    }
    store(basis.as_ref(), q);
    for i in 0..m {
        (0..n).for_each(|j| a[i * n + j] = if i <= j { factors[(i, j)] } else { T::ZERO });
    }
}

pub(super) fn eigh<T: Number + Library>(a: &[T], n: usize, w: &mut [T], v: &mut [T]) -> bool {
    let a = load(a, n, n);
    let mut values = Mat::zeros(n, 1);
    let vectors = !v.is_empty();
    let mut columns = Mat::zeros(if vectors { n } else { 0 }, if vectors { n } else { 0 });
    let wanted = if vectors { evd::ComputeEigenvectors::Yes } else { evd::ComputeEigenvectors::No };
    let size = evd::self_adjoint_evd_scratch::<T>(n, wanted, Par::Seq, Default::default());
    let done = with_scratch(size, |stack| {
        let values = values.as_mut().col_mut(0).as_diagonal_mut();
        let columns = vectors.then(|| columns.as_mut());
        evd::self_adjoint_evd(a.as_ref(), values, columns, Par::Seq, stack, Default::default())
    });
    w.iter_mut().enumerate().for_each(|(i, w)| *w = values[(i, 0)]);
    if vectors {
        store(columns.as_ref(), v);
    }
    matches!(done, Some(Ok(()))) && finite(w) && finite(v)
}

/// Eigenvalues, and columns of eigenvectors in double precision.
type Eigen<T> = (Vec<Complex<T>>, Vec<Complex<f64>>);

/// Eigenvalues and columns of eigenvectors. Real matrices go a way of their own, on which values that are no real numbers come
/// in conjugate pairs.
pub(super) fn eig<T: Number + Library>(re: &[T], im: &[T], n: usize, vectors: bool) -> Option<Eigen<T>> {
    let wanted = if vectors { evd::ComputeEigenvectors::Yes } else { evd::ComputeEigenvectors::No };
    let side = if vectors { n } else { 0 };
    let wide = |x: T| wengert_kernel::scalar::convert::<T, f64>(x);
    let mut columns = vec![Complex::new(0.0, 0.0); side * side];
    if im.iter().all(|&x| x == T::ZERO) {
        let a = load(re, n, n);
        let (mut s_re, mut s_im, mut u) = (Mat::zeros(n, 1), Mat::zeros(n, 1), Mat::zeros(side, side));
        let size = evd::evd_scratch::<T>(n, evd::ComputeEigenvectors::No, wanted, Par::Seq, Default::default());
        let done = with_scratch(size, |stack| {
            let (s_re, s_im) = (s_re.as_mut().col_mut(0).as_diagonal_mut(), s_im.as_mut().col_mut(0).as_diagonal_mut());
            let u = vectors.then(|| u.as_mut());
            evd::evd_real(a.as_ref(), s_re, s_im, None, u, Par::Seq, stack, Default::default())
        });
        let values: Vec<Complex<T>> = (0..n).map(|i| Complex { re: s_re[(i, 0)], im: s_im[(i, 0)] }).collect();
        let mut j = 0;
        while j < side {
            // Of a pair the real parts are one column and the imaginary parts the next.
            let pair = values[j].im != T::ZERO && j + 1 < n;
            for i in 0..n {
                let z = Complex::new(wide(u[(i, j)]), if pair { wide(u[(i, j + 1)]) } else { 0.0 });
                columns[i * n + j] = z;
                if pair {
                    columns[i * n + j + 1] = z.conj();
                }
            }
            j += 1 + usize::from(pair);
        }
        return (matches!(done, Some(Ok(()))) && whole(&values, &columns)).then_some((values, columns));
    }
    let a = Mat::from_fn(n, n, |i, j| Complex { re: re[i * n + j], im: im[i * n + j] });
    let zero = Complex { re: T::ZERO, im: T::ZERO };
    let (mut s, mut u) = (Mat::from_fn(n, 1, |_, _| zero), Mat::from_fn(side, side, |_, _| zero));
    let none = evd::ComputeEigenvectors::No;
    let size = evd::evd_scratch::<Complex<T>>(n, none, wanted, Par::Seq, Default::default());
    let done = with_scratch(size, |stack| {
        let s = s.as_mut().col_mut(0).as_diagonal_mut();
        evd::evd_cplx(a.as_ref(), s, None, vectors.then(|| u.as_mut()), Par::Seq, stack, Default::default())
    });
    let values: Vec<Complex<T>> = (0..n).map(|i| s[(i, 0)]).collect();
    for i in 0..side {
        (0..side).for_each(|j| columns[i * n + j] = Complex::new(wide(u[(i, j)].re), wide(u[(i, j)].im)));
    }
    (matches!(done, Some(Ok(()))) && whole(&values, &columns)).then_some((values, columns))
}

fn whole<T: Number>(values: &[Complex<T>], columns: &[Complex<f64>]) -> bool {
    values.iter().all(|z| z.re.is_finite() && z.im.is_finite()) && columns.iter().all(|z| z.is_finite())
}

pub(super) fn svd<T: Number + Library>(
    a: &[T],
    [m, n]: [usize; 2],
    (u, u_columns): (&mut [T], usize),
    s: &mut [T],
    (vt, v_rows): (&mut [T], usize),
) -> bool {
    let a = load(a, m, n);
    let mut values = Mat::zeros(m.min(n), 1);
    let vectors = !(u.is_empty() && vt.is_empty());
    let wanted = match vectors {
        false => svd::ComputeSvdVectors::No,
        true if u_columns == m && v_rows == n => svd::ComputeSvdVectors::Full,
        true => svd::ComputeSvdVectors::Thin,
    };
    let room = |rows: usize, columns: usize| if vectors { Mat::zeros(rows, columns) } else { Mat::zeros(0, 0) };
    let (mut left, mut right): (Mat<T>, Mat<T>) = (room(m, u_columns), room(n, v_rows));
    let size = svd::svd_scratch::<T>(m, n, wanted, wanted, Par::Seq, Default::default());
    let done = with_scratch(size, |stack| {
        let values = values.as_mut().col_mut(0).as_diagonal_mut();
        let (left, right) = if vectors { (Some(left.as_mut()), Some(right.as_mut())) } else { (None, None) };
        svd::svd(a.as_ref(), values, left, right, Par::Seq, stack, Default::default())
    });
    s.iter_mut().enumerate().for_each(|(i, s)| *s = values[(i, 0)]);
    if vectors {
        store(left.as_ref(), u);
        store(right.as_ref().transpose(), vt);
    }
    matches!(done, Some(Ok(()))) && finite(s) && finite(u) && finite(vt)
}
