//! `erf`, `erfc` and `erf_inv` of `f64`.
//!
//! Up to 1, erf x = x + x p(x^2). From 1/2 on, erfc x = e^(-x^2) q(t) / (1 + 2x) with t = (x - 15/4) / (x + 15/4), the
//! variable of Shepherd and Laframboise (Mathematics of Computation 36, 1981). Both polynomials interpolate at Chebyshev
//! points, with a relative error below 2e-19.

use super::exp::Reduced;
use super::log::log1p;
use super::real::{Pair, Real, at_least, at_most, polynomial};
use std::f64::consts::{FRAC_2_SQRT_PI, PI};

/// p.
const NEAR: &[f64] = &[
    0.1283791670955126,
    -0.3761263890318375,
    0.11283791670954879,
    -0.026866170645076792,
    0.0052239776248180145,
    -0.000854832698083379,
    0.0001205533111164271,
    -1.4925595266831182e-05,
    1.6461000484121368e-06,
    -1.6350312701054695e-07,
    1.4659775274047436e-08,
    -1.1372848856791674e-09,
    5.957176147748911e-11,
];

/// q - 5/4, for x from 1/2 to 28.
const TAIL: &[f64] = &[
    -0.012487369162172418,
    -0.14024059858554702,
    0.003585415485463716,
    0.08227673849015109,
    -0.1088039301417102,
    0.09230432116019659,
    -0.05869339859044296,
    0.02836227742153623,
    -0.009746579549567915,
    0.0017556258323401742,
    0.00029371361550813515,
    -0.00029015397972539697,
    5.1649271214343186e-05,
    2.238391854126736e-05,
    -1.1444463844195566e-05,
    -9.728836753446274e-07,
    1.7517818286235622e-06,
    -5.816100364703228e-08,
    -2.5803482017531867e-07,
    2.410184457809074e-08,
    3.7247243209845766e-08,
    -4.176542757036172e-09,
    -3.9164185786191914e-09,
    4.098912139147414e-10,
];

/// `e^(-x^2)` as a power of two and the rest, for x up to 28.
#[inline(always)]
fn gaussian(x: f64) -> (Reduced<f64>, f64) {
    let square = Pair::product(x, x);
    let reduced = Reduced::new(-square.high);
    let power = reduced.power().renewed();
    let power = power.plus(-square.low * power.high).rounded();
    (reduced, power)
}

/// erf x for x from 0 to 1.
#[inline(always)]
fn near(x: f64) -> f64 {
    let x = at_most(x, 1.0);
    x.mul_add(polynomial(x * x, NEAR), x)
}

/// erfc x for x from 1/2 on.
#[inline(always)]
fn tail(x: f64) -> f64 {
    let x = at_least(at_most(x, 28.0), 0.5);
    let (reduced, power) = gaussian(x);
    let t = (x - 3.75) / (x + 3.75);
    reduced.scale(power * (1.25 + polynomial(t, TAIL)) / (1.0 + 2.0 * x))
}

#[inline(always)]
pub(super) fn erf(x: f64) -> f64 {
    let a = x.magnitude();
    let y = if a > 1.0 { 1.0 - tail(a) } else { near(a) };
    y.with_sign_of(x)
}

#[inline(always)]
pub(super) fn erfc(x: f64) -> f64 {
    let a = x.magnitude();
    let (near, tail) = (near(a), tail(a));
    let erf = if a > 1.0 { 1.0 - tail } else { near };
    if x >= 0.5 { tail } else { 1.0 - erf.with_sign_of(x) }
}

/// Three steps by Halley from Winitzki's approximation ("A handy approximation for the error function and its inverse",
/// 2008), which is within 0.4 percent. From 1/2 on, `1 - |x|` is exact and the equation one of erfc.
#[inline(always)]
pub(super) fn erf_inv(x: f64) -> f64 {
    const A: f64 = 0.147;
    let a = x.magnitude();
    let q = 1.0 - a;
    let log = log1p(-(a * a));
    let c = log.mul_add(0.5, 2.0 / (PI * A));
    let mut y = ((-log / A) / ((c.mul_add(c, -log / A)).root() + c)).root();
    for _ in 0..3 {
        let miss = if a < 0.5 { erf(y) - a } else { q - erfc(y) };
        let (reduced, power) = gaussian(at_most(y, 7.0));
        let step = miss / (FRAC_2_SQRT_PI * reduced.scale(power));
        y = y - step / y.mul_add(step, 1.0);
    }
    let y = if a < 1.0 { y } else { f64::INFINITY };
    let y = if a <= 1.0 { y } else { f64::NAN };
    y.with_sign_of(x)
}
