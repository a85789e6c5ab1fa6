//! Decompositions of matrices and what is solved with them, over batches of dense row-major matrices.
//!
//! Small matrices go through plain loops ([`small`], [`jacobi`]), where a call of the library would cost more than the
//! work; larger ones through `faer`, one thread (`large`). Without the feature `linalg` the loops serve every size.
//! Nothing here panics or runs for ever on NaN or infinities: what has no answer is NaN.

mod eig;
mod jacobi;
mod kernels;
#[cfg(feature = "linalg")]
mod large;
mod small;

use crate::each_part::entry_of;
use crate::entry::Entry;
use crate::real::Number;
use kernels::*;
#[cfg(feature = "linalg")]
pub(crate) use large::Library;

/// The function of that name.
pub(crate) fn entry(name: &str) -> Option<Entry> {
    let (function, dtype) = name.rsplit_once('_')?;
    match function {
        "cholesky" => entry_of::<Cholesky>(dtype),
        "triangular_solve" => entry_of::<TriangularSolve>(dtype),
        "lu" => entry_of::<Lu>(dtype),
        "solve" => entry_of::<Solve>(dtype),
        "qr" => entry_of::<Qr>(dtype),
        "eigh" => entry_of::<Eigh>(dtype),
        "svd" => entry_of::<Svd>(dtype),
        "det" => entry_of::<Det>(dtype),
        "cofactors" => entry_of::<Cofactors>(dtype),
        "pinv" => entry_of::<Pinv>(dtype),
        "eig" => entry_of::<eig::Eig>(dtype),
        _ => None,
    }
}

/// Whether all elements are finite.
fn finite<T: Number>(x: &[T]) -> bool {
    x.iter().all(|x| x.is_finite())
}

/// Divides by a power of two so that the greatest element is between 1 and 2, which is exact but for the smallest, and
/// returns it: squares of the elements then neither overflow nor vanish. All elements are finite.
fn scaled<T: Number>(x: &mut [T]) -> T {
    let greatest = x.iter().fold(T::ZERO, |greatest, x| if x.abs() > greatest { x.abs() } else { greatest });
    if greatest == T::ZERO {
        return T::ONE;
    }
    let scale = greatest.power_of_two();
    x.iter_mut().for_each(|x| *x /= scale);
    scale
}

/// `a` of `m` rows and `n` columns with rows and columns exchanged.
fn transposed<T: Number>(a: &[T], m: usize, n: usize) -> Vec<T> {
    let mut t = vec![T::ZERO; m * n];
    for i in 0..m {
        for j in 0..n {
            t[j * m + i] = a[i * n + j];
        }
    }
    t
}

/// The unit matrix of `m` rows and `n` columns.
fn unit<T: Number>(a: &mut [T], m: usize, n: usize) {
    a.fill(T::ZERO);
    (0..m.min(n)).for_each(|i| a[i * n + i] = T::ONE);
}
