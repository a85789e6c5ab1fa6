//! The same on values, with the reason when there is no answer.

use super::{cholesky, inv, lu_factor, solve};
use crate::array::Array;
use crate::error::{Error, ErrorKind};
use crate::ops::matrix::{batch, floats, square};
use crate::refusal::accept;
use crate::source::{called, source_here};
use crate::trace::concrete;
use wengert_kernel::DType;

/// [`cholesky`] of a value, or why there is no factor.
///
/// # Errors
/// When a matrix is not positive definite: names the order of its first leading minor that is not. When it is not finite. When
/// `a` is traced, so that its value is not known.
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let error = linalg::try_cholesky(&array![[1.0, 2.0], [2.0, 1.0]]).unwrap_err();
/// assert!(error.message.contains("its leading minor of order 2"), "{}", error.message);
/// ```
#[track_caller]
pub fn try_cholesky(a: &Array) -> Result<Array, Error> {
    let _called = called("try_cholesky");
    let a = known("try_cholesky", a)?;
    let matrices = matrices("try_cholesky", &a)?;
    concrete(|| {
        for (which, a) in matrices {
            let fails = |n: usize| {
                let n = n as i64;
                let minor = a.slice_axis(-2, 0..n).slice_axis(-1, 0..n);
                cholesky(&minor).is_nan().any().item::<bool>()
            };
            let n = a.shape()[0];
            if !fails(n)? {
                continue;
            }
            // The least minor that fails: all greater ones fail too.
            let (mut good, mut bad) = (0, n);
            while good + 1 < bad {
                let middle = (good + bad) / 2;
                if fails(middle)? { bad = middle } else { good = middle }
            }
            return Err(failure(format!(
                "try_cholesky: {which} is not positive definite: its leading minor of order {bad} is not positive"
            )));
        }
        Ok(cholesky(&a))
    })
}

/// [`solve`] of values, or why there is no solution.
///
/// # Errors
/// When a matrix is singular: names the column in which elimination finds no pivot. When something is not finite. When an
/// operand is traced.
///
/// # Panics
/// When the shapes do not fit.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// let error = linalg::try_solve(&array![[1.0, 2.0], [2.0, 4.0]], &array![1.0, 1.0]).unwrap_err();
/// assert!(error.message.contains("singular"), "{}", error.message);
/// ```
#[track_caller]
pub fn try_solve(a: &Array, b: &Array) -> Result<Array, Error> {
    let _called = called("try_solve");
    let (a, b) = (known("try_solve", a)?, floats(b));
    b.value("try_solve")?;
    regular("try_solve", &a)?;
    concrete(|| {
        if !b.is_finite().all().item::<bool>()? {
            return Err(failure("try_solve: the right side is not finite".to_owned()));
        }
        Ok(solve(&a, &b))
    })
}

/// [`inv`] of a value, or why there is no inverse.
///
/// # Errors
/// As [`try_solve`].
///
/// # Panics
/// When it is not square.
///
/// ```
/// use wengert_core::{array, functions::linalg};
///
/// assert!(linalg::try_inv(&array![[1.0, 2.0], [2.0, 4.0]]).is_err());
/// assert_eq!(linalg::try_inv(&array![[2.0]])?, array![[0.5]]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn try_inv(a: &Array) -> Result<Array, Error> {
    let _called = called("try_inv");
    let a = known("try_inv", a)?;
    regular("try_inv", &a)?;
    Ok(concrete(|| inv(&a)))
}

/// A square matrix whose value is known, in floats.
#[track_caller]
fn known(name: &str, a: &Array) -> Result<Array, Error> {
    accept(square(&floats(a).array_type(), batch(a)), &[a]);
    a.value(name)?;
    Ok(concrete(|| floats(a)))
}

/// Every matrix of the batch with what errors call it; all of them finite.
#[track_caller]
fn matrices(name: &str, a: &Array) -> Result<Vec<(String, Array)>, Error> {
    concrete(|| {
        let shape = a.shape();
        let (lanes, n) = (&shape[..shape.len() - 2], shape[shape.len() - 1]);
        let count: usize = lanes.iter().product();
        let flat = a.with_shape(&[count, n, n]);
        let mut all = Vec::with_capacity(count);
        for i in 0..count {
            let mut index = vec![0; lanes.len()];
            let mut rest = i;
            for (index, &length) in index.iter_mut().zip(lanes).rev() {
                (*index, rest) = (rest % length, rest / length);
            }
            let which = if lanes.is_empty() { "the matrix".to_owned() } else { format!("matrix {index:?}") };
            let one = flat.slice(i as i64);
            if !one.is_finite().all().item::<bool>()? {
                return Err(failure(format!("{name}: {which} is not finite")));
            }
            all.push((which, one));
        }
        Ok(all)
    })
}

/// That no matrix of the batch is singular.
#[track_caller]
fn regular(name: &str, a: &Array) -> Result<(), Error> {
    let matrices = matrices(name, a)?;
    concrete(|| {
        for (which, a) in matrices {
            let pivots = lu_factor(&a).0.diagonal(0, -2, -1).convert(DType::F64).to_vec::<f64>()?;
            if let Some(column) = pivots.iter().position(|&p| p == 0.0) {
                return Err(failure(format!(
                    "{name}: {which} is singular: elimination finds no pivot in column {column}"
                )));
            }
        }
        Ok(())
    })
}

#[track_caller]
fn failure(message: String) -> Error {
    Error::new(ErrorKind::Check, message).at(source_here())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array;
    use crate::ops::matrix::symmetric;

    #[test]
    fn reasons_name_the_matrix() {
        let bad = array![[[1.0, 0.0], [0.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]]];
        let message = try_cholesky(&bad).unwrap_err().message;
        assert!(message.contains("matrix [1]") && message.contains("order 1"), "{message}");
        let message = try_inv(&array![[1.0, f64::NAN], [0.0, 1.0]]).unwrap_err().message;
        assert_eq!(message, "try_inv: the matrix is not finite");
        let message = try_solve(&array![[1.0, 1.0], [1.0, 1.0]], &array![1.0, 1.0]).unwrap_err().message;
        assert!(message.contains("no pivot in column 1"), "{message}");
        assert!(try_solve(&array![[1.0]], &array![f64::NAN]).unwrap_err().message.contains("right side"));
        assert_eq!(try_cholesky(&array![[4.0]]), Ok(array![[2.0]]));
        let of_symmetric = symmetric(&array![[4.0, 2.0], [0.0, 4.0]]);
        assert_eq!(try_cholesky(&array![[4.0, 2.0], [0.0, 4.0]]), Ok(cholesky(&of_symmetric)));
    }
}
