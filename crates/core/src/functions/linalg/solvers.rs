//! Equations by given factors, least squares, and the determinant on a logarithmic scale.

use super::{Triangle, pinv_rtol, solve_triangular, svdvals};
use crate::array::Array;
use crate::ops::matrix::{batch, floats, matrix, product, square, together};
use crate::ops::{Gather, Lu, keepdims};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::trace::{apply, record};
use wengert_kernel::DType;

/// The solutions `x` of `l l' x = b`, where `l` is the factor that [`cholesky`](super::cholesky) gives; `b` is `[.., n, k]`, or
/// one vector `[n]`.
///
/// # Panics
/// When the shapes do not fit.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let l = linalg::cholesky(&array![[4.0, 2.0], [2.0, 2.0]]);
/// assert_eq!(linalg::cho_solve(&l, &array![6.0, 4.0]), array![1.0, 1.0]);
/// ```
#[track_caller]
pub fn cho_solve(l: &Array, b: &Array) -> Array {
    let _called = called("cho_solve");
    let y = solve_triangular(l, b, Triangle::LOWER);
    solve_triangular(l, &y, Triangle::LOWER.transposed())
}

/// The solutions `x` of `a x = b` by the factors that [`lu_factor`](super::lu_factor) gives of `a`; `b` is `[.., n, k]`, or one
/// vector `[n]`.
///
/// # Panics
/// When the shapes do not fit.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let factors = linalg::lu_factor(&array![[1.0, 2.0], [4.0, 4.0]]);
/// assert_eq!(linalg::lu_solve(&factors, &array![5.0, 12.0]), array![1.0, 2.0]);
/// ```
#[track_caller]
pub fn lu_solve((factors, order): &(Array, Array), b: &Array) -> Array {
    let _called = called("lu_solve");
    let (factors, right, vector) = together(factors, b);
    let (lanes, n) = accept(square(&factors.array_type(), batch(&factors)), &[&factors, b]);
    if right.shape()[right.rank() - 2] != n {
        refuse(format!("{} are not the right sides of {n} equations", b.ty()), &[&factors, b])
    }
    let shape: Vec<usize> = lanes.iter().copied().chain([n]).collect();
    let rows = apply(Gather { batch: lanes.len() }, &[&right, &order.broadcast_to(shape)]);
    let y = solve_triangular(&factors, &rows, Triangle::LOWER.unit());
    let x = solve_triangular(&factors, &y, Triangle::UPPER);
    if vector { x.squeeze(-1) } else { x }
}

/// Least squares: `x`, of the least norm, for which `a x` is nearest to `b`. `a` is `[m, n]`, `b` is `[m]` or `[m, k]`. Returns
/// `x`, the sums of squared distances `[k]` (of none when the rank is not full or `m <= n`, as in NumPy's shapes: `[0]`; a
/// rank that is not full in the data gives the sums all the same), the rank and the singular values of `a`.
///
/// # Panics
/// When the shapes do not fit.
///
/// ```
/// use wengert_core::{Array, array, functions::linalg};
///
/// let (x, residuals, rank, _) = linalg::lstsq(&array![[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], &array![3.0, 4.0, 1.0]);
/// assert_eq!(x, array![3.0, 2.0]);
/// assert_eq!((residuals, rank), (array![1.0], Array::from(2i64)));
/// ```
#[track_caller]
pub fn lstsq(a: &Array, b: &Array) -> (Array, Array, Array, Array) {
    let _called = called("lstsq");
    if a.rank() != 2 || b.rank() == 0 || b.rank() > 2 || b.shape()[0] != a.shape()[0] {
        refuse(
            format!(
                "{} and {} are not a matrix and right sides with as many rows; batches go by `vmap`",
                a.ty(),
                b.ty()
            ),
            &[a, b],
        )
    }
    let (a, right, vector) = together(a, b);
    let [m, n] = [a.shape()[0], a.shape()[1]];
    let rtol = a.dtype().epsilon() * m.max(n) as f64;
    let x = product(&pinv_rtol(&a, rtol), &right);
    let distance = &right - product(&a, &x);
    let residuals = if m > n { distance.square().sum_axis(0) } else { distance.square().sum_axis(0).slice(0..0) };
    let s = svdvals(&a);
    let rank = if s.size() == 0 {
        Array::from(0i64)
    } else {
        s.gt(s.max_axis(keepdims(-1)) * rtol).convert(DType::I64).sum_axis(-1)
    };
    (if vector { x.squeeze(-1) } else { x }, residuals, rank, s)
}

/// The signs of the determinants of matrices, and the logarithms of their absolute values: `[.., n, n]` to `[..]` and `[..]`.
/// 0 and minus infinity where the matrix is singular, 1 and 0 of a matrix of no rows.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{Array, array, functions::linalg};
///
/// let (sign, log) = linalg::slogdet(&array![[0.0, 2.0], [1.0, 0.0]]);
/// assert_eq!((sign, log), (Array::from(-1.0), Array::from(2f64.ln())));
/// ```
#[track_caller]
pub fn slogdet(a: &Array) -> (Array, Array) {
    let _called = called("slogdet");
    let a = floats(a);
    accept(square(&a.array_type(), batch(&a)), &[&a]);
    accept(matrix(&a.array_type(), batch(&a)), &[&a]);
    let y = record(Lu { batch: batch(&a) }, &[&a]);
    let (pivots, u) = (&y[1], y[0].diagonal(0, -2, -1));
    // Every exchange of two rows turns the sign.
    let rows = Array::iota(DType::I64, &pivots.shape(), pivots.rank() - 1);
    let exchanges = pivots.ne(rows).select(-1.0, 1.0).convert(a.dtype());
    let sign = (u.stop_gradient().sign() * exchanges).prod_axis(-1);
    (sign, u.abs().log().sum_axis(-1))
}
