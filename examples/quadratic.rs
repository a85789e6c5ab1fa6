//! The derivative of x² + 3x + 5, which is 7 at 2: the first example of every course.
//!
//! The same in PyTorch:
//!
//! ```python
//! x = torch.tensor(2.0, requires_grad=True)
//! y = x**2 + 3*x + 5
//! y.backward()
//! x.grad                                          # tensor(7.)
//! ```
//!
//! and in JAX:
//!
//! ```python
//! f = lambda x: x**2 + 3*x + 5
//! jax.jit(jax.grad(f))(2.0)                       # 7.0
//! ```

use wengert::prelude::*;

fn with_constant(x: Array) -> Array {
    x.square() + 3.0 * &x + 5.0
}

fn without_constant(x: Array) -> Array {
    x.square() + 3.0 * &x
}

fn main() -> Result<(), wengert::Error> {
    let x = Array::from(2.0);
    for (name, f) in [("x² + 3x + 5", with_constant as fn(Array) -> Array), ("x² + 3x", without_constant)] {
        let slope = jit(grad(f))(x.clone());
        println!(
            "{name} at {x}: value {}, derivative {slope}, second derivative {}",
            f(x.clone()),
            grad(grad(f))(x.clone())
        );
        assert_eq!(slope.item::<f64>()?, 7.0);
    }
    println!("\nthe program of the derivative:\n{}", trace(grad(with_constant), &x));
    Ok(())
}
