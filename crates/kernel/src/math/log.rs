//! `log`, `log2`, `log10` and `log1p`.
//!
//! x = 2^k (1 + f) with 1 + f between the square roots of 1/2 and 2, and log(1 + f) = f - f^2/2 + f^3 p(f). The
//! polynomials p are minimax, by the Remez algorithm, without a division (Fog's VCL goes the same way for `f32`); the
//! relative error in log(1 + f) is below 2^-27 (`f32`) and 2^-57 (`f64`). What rounding loses of f - f^2/2 and of the
//! sum with k log 2 is carried along.

use super::real::{Pair, Real, at_most, polynomial};

/// Constants of a type.
pub(super) trait Logarithm: Real {
    /// p.
    const COEFFICIENTS: &'static [Self];
    /// 1 / log 2 as a sum of two.
    const LOG2_E: [Self; 2];
    /// 1 / log 10 as a sum of two.
    const LOG10_E: [Self; 2];
    /// log 2 / log 10 as a sum of two; the product of the first with an exponent is exact.
    const LOG10_2: [Self; 2];
}

impl Logarithm for f32 {
    const COEFFICIENTS: &'static [f32] =
        &[0.3333333, -0.2500082, 0.20001228, -0.16623355, 0.14201729, -0.1316018, 0.12761815, -0.07634799];
    const LOG2_E: [f32; 2] = [std::f32::consts::LOG2_E, 1.925963e-8];
    const LOG10_E: [f32; 2] = [std::f32::consts::LOG10_E, -1.010305e-8];
    const LOG10_2: [f32; 2] = [0.301_025_4, 4.605_039e-6];
}

impl Logarithm for f64 {
    const COEFFICIENTS: &'static [f64] = &[
        0.33333333333333454,
        -0.2499999999999892,
        0.19999999999946166,
        -0.1666666666691429,
        0.142857142938379,
        -0.12499999982025276,
        0.11111110516226405,
        -0.10000000383104311,
        0.09090933500432122,
        -0.0833334576157244,
        0.07691714567162619,
        -0.07142000097413627,
        0.06675147247538087,
        -0.06269800382482708,
        0.05817786256879056,
        -0.05326785723902887,
        0.05415954226515459,
        -0.06275015566598963,
        0.05696868054649629,
        -0.02427633868971931,
    ];
    const LOG2_E: [f64; 2] = [std::f64::consts::LOG2_E, 2.0355273740931033e-17];
    const LOG10_E: [f64; 2] = [std::f64::consts::LOG10_E, 1.098319650216765e-17];
    const LOG10_2: [f64; 2] = [0.30102999566383914, 1.42050232272661e-13];
}

/// `log(1 + f)`; the low part is below an eighth of the high one.
#[inline(always)]
fn series<R: Logarithm>(f: R) -> Pair<R> {
    let half = -(f * R::HALF);
    let high = half.mul_add(f, f);
    let low = half.mul_add(f, f - high);
    Pair { high, low: (f * f * f).mul_add(polynomial(f, R::COEFFICIENTS), low) }
}

/// `k log 2 + log(1 + f) + more`.
#[inline(always)]
fn sum<R: Logarithm>(k: R, f: R, more: R) -> Pair<R> {
    let Pair { high, low } = series(f);
    let small = k.mul_add(R::LN2_LOW, low + more);
    Pair::ordered(k * R::LN2_HIGH, high).plus(small)
}

/// `y`, but what a logarithm is where `x` (of which -inf is the logarithm at 0) is infinite, NaN or not positive.
#[inline(always)]
fn with_specials<R: Real>(x: R, y: R) -> R {
    let y = if x < R::INFINITY { y } else { R::INFINITY };
    let otherwise = if x == R::ZERO { -R::INFINITY } else { R::NAN };
    if x > R::ZERO { y } else { otherwise }
}

#[inline(always)]
pub(super) fn log<R: Logarithm>(x: R) -> R {
    let (normal, scaled) = x.normalized();
    let (m, k) = normal.split();
    with_specials(x, sum(k - scaled, m - R::ONE, R::ZERO).rounded())
}

/// The logarithm of a positive number, before it is rounded.
#[inline(always)]
pub(super) fn log_pair<R: Logarithm>(x: R) -> Pair<R> {
    let (normal, scaled) = x.normalized();
    let (m, k) = normal.split();
    sum(k - scaled, m - R::ONE, R::ZERO).renewed()
}

/// `log2(x) = k + log(1 + f) / log 2`, and 10 likewise: the sum of exact `k * unit[0]`, and the product with 1 / log b.
#[inline(always)]
fn to_base<R: Logarithm>(x: R, unit: [R; 2], inverse: [R; 2]) -> R {
    let (normal, scaled) = x.normalized();
    let (m, k) = normal.split();
    let k = k - scaled;
    let of_one_plus = series(m - R::ONE).renewed();
    let product = Pair::product(of_one_plus.high, inverse[0]);
    let low = of_one_plus.high.mul_add(inverse[1], of_one_plus.low * inverse[0]);
    let small = k.mul_add(unit[1], product.low + low);
    with_specials(x, Pair::ordered(k * unit[0], product.high).plus(small).rounded())
}

#[inline(always)]
pub(super) fn log2<R: Logarithm>(x: R) -> R {
    to_base(x, [R::ONE, R::ZERO], R::LOG2_E)
}

#[inline(always)]
pub(super) fn log10<R: Logarithm>(x: R) -> R {
    to_base(x, R::LOG10_2, R::LOG10_E)
}

/// `log(one + t) + doublings * log 2` for a renewed pair; `one` is 1, or 0 beside a large t.
#[inline(always)]
pub(super) fn log_of_sum<R: Logarithm>(one: R, t: Pair<R>, doublings: R) -> R {
    let sum = Pair::sum(one, t.high).plus(t.low);
    with_specials(sum.high, log_of(sum, t, doublings).rounded())
}

/// The same of the sum `one + t`, if that is a positive number, before it is rounded.
#[inline(always)]
pub(super) fn log_of<R: Logarithm>(sum_of: Pair<R>, t: Pair<R>, doublings: R) -> Pair<R> {
    let Pair { high, low } = sum_of;
    let (m, k) = high.split();
    let whole = k == R::ZERO;
    let f = if whole { t.high } else { m - R::ONE };
    let scale = R::power_of_two(-at_most(k, R::power_of_two(R::TWO + R::TWO + R::TWO)));
    let inverse = (f * f).mul_add(R::ONE - f, R::ONE - f);
    let more = if whole { t.low } else { low * scale };
    sum(k + doublings, f, more * inverse)
}

#[inline(always)]
pub(super) fn log1p<R: Logarithm>(x: R) -> R {
    let Pair { high, low } = Pair::sum(R::ONE, x);
    let (m, k) = high.split();
    // Without a power of two taken out, x itself is f.
    let whole = k == R::ZERO;
    let f = if whole { x } else { m - R::ONE };
    // What 1 + x lost adds low / (1 + f) in the same scale; beyond 2^64 it is nothing.
    let scale = R::power_of_two(-at_most(k, R::power_of_two(R::TWO + R::TWO + R::TWO)));
    let inverse = (f * f).mul_add(R::ONE - f, R::ONE - f);
    let more = if whole { R::ZERO } else { low * scale * inverse };
    let y = with_specials(high, sum(k, f, more).rounded());
    if x == R::ZERO { x } else { y }
}
