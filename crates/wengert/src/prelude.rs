//! What most programs use: `use wengert::prelude::*;`.
//!
//! The transforms, control flow, and the makers of arrays that NumPy's users expect. A function of your own with one of
//! these names takes its place without a warning. Errors are [`wengert::Error`](crate::Error), by that name.
//!
//! ```
//! use wengert::prelude::*;
//!
//! let x = linspace(0.0, 1.0, 3);
//! assert_eq!(eye(3).dot(&x) + zeros(3), arange(0.0, 1.5, 0.5));
//! assert_eq!(ones((2, 3)).flatten(), ones(6));
//! ```

pub use crate::{
    Array, DType, Tree, arange, array, associative_scan, check, check_grads, checkpoint, complex, concatenate, cond,
    custom_jvp, custom_vjp, custom_vmap, debug_print, explain, explore, eye, find_nan, fori_loop, full, full_like,
    grad, hessian, hvp, interpret, jacfwd, jacfwd_holomorphic, jacrev, jet, jit, jvp, keepdims, linear_transpose,
    linearize, linspace, nth_derivative, ones, ones_like, ones_of, random, report, scan, scan_reverse, sparse_hessian,
    sparse_jacobian, stack, switch, trace, try_call, try_jit, value_and_grad, vjp, vmap, vmap_axes, where_, while_loop,
    zeros, zeros_like, zeros_of,
};
