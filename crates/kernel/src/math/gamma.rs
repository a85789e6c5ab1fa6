//! `lgamma` and `digamma` of `f64`; not for vectors.

use super::Float;
use std::f64::consts::PI;

pub(super) fn lgamma(x: f64) -> f64 {
    // The sign of the gamma function is not part of the result.
    libm::lgamma(x)
}

/// B(2k) / 2k, k = 1, 2, ... (Abramowitz and Stegun, 6.3.18).
const BERNOULLI: [f64; 9] = [
    1.0 / 12.0,
    -1.0 / 120.0,
    1.0 / 252.0,
    -1.0 / 240.0,
    1.0 / 132.0,
    -691.0 / 32760.0,
    1.0 / 12.0,
    -3617.0 / 8160.0,
    43867.0 / 14364.0,
];

/// The asymptotic series from 10 on, below by the recurrence, for negative numbers by reflection.
pub(super) fn digamma(x: f64) -> f64 {
    if x == f64::INFINITY {
        return x;
    }
    if x.is_nan() || (x <= 0.0 && x == x.floor()) {
        return f64::NAN;
    }
    if x < 0.0 {
        let fraction = x - x.round_ties_even();
        return digamma(1.0 - x) - PI / Float::tan(PI * fraction);
    }
    let (mut y, mut below) = (x, 0.0);
    while y < 10.0 {
        below += 1.0 / y;
        y += 1.0;
    }
    let square = 1.0 / (y * y);
    let series = BERNOULLI.iter().rev().fold(0.0, |sum, b| (sum + b) * square);
    let log: f64 = Float::log(y);
    log - 0.5 / y - series - below
}
