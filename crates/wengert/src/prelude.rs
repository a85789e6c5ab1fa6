//! What most programs use: `use wengert::prelude::*;`.

pub use crate::{
    Array, DType, Tree, array, check, check_grads, checkpoint, concatenate, cond, explain, find_nan, fori_loop, grad,
    hessian, hvp, interpret, jacfwd, jacrev, jit, jvp, keepdims, linear_transpose, linearize, scan, stack, trace,
    try_jit, value_and_grad, vjp, vmap, vmap_axes, while_loop,
};
