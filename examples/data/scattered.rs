//! Numbers without visible order, the same in every run: what weights start from.

use wengert::{Array, arange};

/// Numbers between -1 and 1, as `f64`; another phase gives others.
pub fn scattered(shape: &[usize], phase: f64) -> Array {
    let n: usize = shape.iter().product();
    let wild = ((arange(0.0, n as f64, 1.0) * 0.618 + phase) * 12.9898).sin() * 43758.547;
    (2.0 * (&wild - wild.floor()) - 1.0).reshape(shape)
}
