//! What most programs use: `use wengert::prelude::*;`.

pub use crate::{
    Array, DType, Tree, array, check, check_grads, checkpoint, cond, fori_loop, grad, hessian, hvp, interpret, jacfwd, jacrev,
    jit, jvp, linear_transpose, linearize, scan, trace, try_jit, value_and_grad, vjp, vmap, vmap_axes, while_loop,
};
