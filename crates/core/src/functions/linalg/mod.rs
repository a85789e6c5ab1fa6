//! Linear algebra on the last two axes of arrays; the axes before are a batch. Names and meanings are those of
//! `jax.numpy.linalg` and `jax.scipy.linalg`. Integers become `f64`.
//!
//! Nothing here ends a program because of the data: what has no answer is NaN. The `try_*` functions, on values, return an
//! error that says why.
//!
//! ```
//! use wengert_core::{array, functions::linalg};
//!
//! let a = array![[2.0, 1.0], [1.0, 3.0]];
//! let x = linalg::solve(&a, &array![3.0, 4.0]);
//! assert_eq!(a.dot(&x), array![3.0, 4.0]);
//! ```

mod exponential;
mod norms;
mod solvers;
mod values;

pub use crate::ops::{
    Triangle, cholesky, det, eig, eigh, eigvals, eigvalsh, inv, lu, lu_factor, pinv, pinv_rtol, qr, solve,
    solve_triangular, svd, svdvals,
};
pub use exponential::{expm, matrix_power};
pub use norms::{Norm, cond, matrix_rank, norm};
pub use solvers::{cho_solve, lstsq, lu_solve, slogdet};
pub use values::{try_cholesky, try_inv, try_solve};
