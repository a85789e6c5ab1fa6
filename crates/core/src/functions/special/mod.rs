//! Special functions, elementwise.

mod bessel;
mod beta;
mod entropy;
mod gamma;
mod incomplete_gamma;
mod sinc;

use crate::array::Array;

/// The polynomial with these coefficients, the constant one first.
#[track_caller]
fn horner(x: &Array, coefficients: &[f64]) -> Array {
    let (last, rest) = coefficients.split_last().expect("a polynomial has coefficients");
    let mut sum: Option<Array> = None;
    for &a in rest.iter().rev() {
        let product = sum.map_or_else(|| x * *last, |sum| sum * x);
        sum = Some(if a == 0.0 { product } else { product + a });
    }
    sum.expect("there are two coefficients at least")
}
