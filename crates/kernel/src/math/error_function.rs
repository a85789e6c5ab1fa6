//! `erf`, `erfc` and `erf_inv`.
//!
//! Up to 1, erf x = x + x p(x^2). From 1/2 on, erfc x = e^(-x^2) q(t) / (1 + 2x) with t = (x - 15/4) / (x + 15/4), the
//! variable of Shepherd and Laframboise (Mathematics of Computation 36, 1981). Both polynomials interpolate at Chebyshev
//! points, with a relative error below 2e-19.

use super::exp::{Reduced, exp};
use super::log::{Logarithm, log_of};
use super::real::{Pair, Real, at_least, at_most, polynomial, select};

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
fn gaussian(x: f64) -> (Reduced<f64>, Pair<f64>) {
    let square = Pair::product(x, x);
    let reduced = Reduced::new(-square.high);
    let power = reduced.power().renewed();
    (reduced, power.plus(-square.low * power.high).renewed())
}

/// A polynomial whose last two steps are pairs.
#[inline(always)]
fn careful(x: f64, coefficients: &[f64]) -> Pair<f64> {
    let step = |sum: Pair<f64>, coefficient: f64| {
        let product = Pair::product(x, sum.high);
        Pair::sum(product.high, coefficient).plus(x.mul_add(sum.low, product.low)).renewed()
    };
    let most = Pair { high: polynomial(x, &coefficients[2..]), low: 0.0 };
    step(step(most, coefficients[1]), coefficients[0])
}

/// erf x for x from 0 to 1.
#[inline(always)]
fn near(x: f64) -> f64 {
    let x = at_most(x, 1.0);
    x.mul_add(polynomial(x * x, NEAR), x)
}

/// The same with what rounding loses, which is much of `1 - erf x`.
#[inline(always)]
fn near_pair(x: f64) -> Pair<f64> {
    let x = at_most(x, 1.0);
    let p = careful(x * x, NEAR);
    let product = Pair::product(x, p.high);
    Pair::ordered(x, product.high).plus(x.mul_add(p.low, product.low))
}

/// erfc x for x from 1 on, within some units in the last place, which `1 - erfc x` does not show.
#[inline(always)]
fn rough_tail(x: f64) -> f64 {
    let x = at_least(at_most(x, 28.0), 0.5);
    let (reduced, power) = gaussian(x);
    let t = (x - 3.75) / (x + 3.75);
    reduced.scale(power.rounded() * (1.25 + polynomial(t, TAIL)) / (1.0 + 2.0 * x))
}

/// erfc x for x from 1/2 on.
#[inline(always)]
fn tail(x: f64) -> f64 {
    let x = at_least(at_most(x, 28.0), 0.5);
    let (reduced, power) = gaussian(x);
    let t = (x - 3.75) / (x + 3.75);
    let q = Pair::ordered(1.25, polynomial(t, TAIL));
    let product = Pair::product(power.high, q.high).plus(power.high.mul_add(q.low, power.low * q.high));
    reduced.scale(product.renewed().over(Pair::sum(1.0, 2.0 * x)))
}

#[inline(always)]
pub(super) fn erf(x: f64) -> f64 {
    let a = x.magnitude();
    let y = if a > 1.0 { 1.0 - rough_tail(a) } else { near(a) };
    y.with_sign_of(x)
}

/// p for `f32`, within 2e-9.
const NEAR_SINGLE: &[f32] =
    &[0.12837917, -0.37612626, 0.11283594, -0.026854211, 0.0051890872, -0.00080168643, 7.875875e-05];

/// `-log erfc x` for x from 1 to 4, so that erf x is within 6e-10.
const TAIL_SINGLE: &[f32] = &[
    -0.00032013806,
    1.1302334,
    0.63182604,
    0.110080086,
    -0.026421135,
    0.004759596,
    -0.00059680565,
    4.605804e-05,
    -1.6371514e-06,
];

#[inline(always)]
pub(super) fn erf_single(x: f32) -> f32 {
    let a = x.magnitude();
    let near = a.mul_add(polynomial(a * a, NEAR_SINGLE), a);
    let tail = 1.0 - exp(-polynomial(at_most(a, 4.0), TAIL_SINGLE));
    let y = if a > 1.0 { tail } else { near };
    y.with_sign_of(x)
}

#[inline(always)]
pub(super) fn erfc(x: f64) -> f64 {
    let a = x.magnitude();
    let (near, tail) = (near_pair(a), tail(a));
    let far = a > 1.0;
    let high = select(far, 1.0 - tail, near.high);
    let low = select(far, 0.0, near.low);
    let rest = Pair::sum(1.0, -high.with_sign_of(x)).plus(-low.times_sign_of(x));
    if x >= 0.5 { tail } else { rest.rounded() }
}

/// Constants of a type for the inverse of the error function: with `w = -log(1 - x^2)` and `s` its root, `erf_inv(x) / x` is a
/// polynomial in w, or s and a small polynomial in s, as in M. Giles, "Approximating the erfinv function", GPU Computing Gems 2,
/// 2011. They interpolate at Chebyshev points, with a relative error below 4e-9 (`f32`) and 1e-17.
pub(super) trait InverseError: Logarithm {
    /// In w, for s up to 2.
    const NEAR: &'static [Self];
    /// In s, from 2 to 4: the number that the variable is counted from, and the coefficients.
    const MIDDLE: (Self, &'static [Self]);
    /// In s, from 4 on.
    const FAR: (Self, &'static [Self]);
}

impl InverseError for f32 {
    const NEAR: &'static [f32] = &[
        0.88622695,
        0.23201364,
        0.011549649,
        -0.0023362907,
        -0.00012569063,
        4.391962e-05,
        3.907356e-06,
        -1.8319978e-06,
        1.715443e-07,
        -1.3296986e-09,
        -4.3283457e-10,
    ];
    const MIDDLE: (f32, &'static [f32]) = (
        3.0,
        &[
            -0.16702321,
            0.0016752771,
            0.00944604,
            -0.0076438347,
            0.0056790593,
            -0.0035584092,
            0.001510561,
            -0.0001509371,
            -0.0003373818,
            0.00021095593,
            6.3791676e-06,
            -3.0709773e-05,
        ],
    );
    const FAR: (f32, &'static [f32]) = Self::MIDDLE;
}

impl InverseError for f64 {
    const NEAR: &'static [f64] = &[
        0.886226925452758,
        0.2320136665346545,
        0.011549342038270455,
        -0.0023351016416036435,
        -0.000128043294321431,
        4.661144073637374e-05,
        2.019987641380513e-06,
        -1.0125513082775935e-06,
        -3.7301106968189845e-08,
        2.2802312321341835e-08,
        7.439335502358277e-10,
        -5.142084601639043e-10,
        -2.3999358361948353e-11,
        1.7058289716959928e-11,
        -1.9794526074975977e-12,
        6.08230649868386e-13,
        -2.7670324851971564e-13,
        6.780813089629304e-14,
        -9.722890324670586e-15,
        8.496085247818456e-16,
        -4.2649119136772566e-17,
        9.54958926319707e-19,
    ];
    const MIDDLE: (f64, &'static [f64]) = (
        3.0,
        &[
            -0.1670232012717293,
            0.001675276693399975,
            0.009445522011985515,
            -0.007643805570076244,
            0.005685182418137037,
            -0.0035587940154687414,
            0.0014837373386568803,
            -0.0001488981086285526,
            -0.0002831243671006903,
            0.0002055166321378936,
            -4.646071264588162e-05,
            -2.2873286757060628e-05,
            2.1935469312061106e-05,
            -5.946882323806833e-06,
            -1.654505365664553e-06,
            1.997327800826435e-06,
            -6.403863434771919e-07,
            -7.413947976985806e-08,
            1.6203765354652418e-07,
            -7.081806871771418e-08,
            3.47724246664007e-09,
            1.541837588708726e-08,
            -8.035752131746016e-09,
            -6.325278009241803e-10,
            1.5523016039371864e-09,
            -1.260937958426101e-10,
            -1.0708842686418342e-10,
        ],
    );
    const FAR: (f64, &'static [f64]) = (
        5.05,
        &[
            -0.14957894855635945,
            0.010285017597771229,
            -0.00016985809149323337,
            -0.00020031200663235896,
            7.124031541320303e-05,
            -1.8374536904560694e-05,
            4.193853902227211e-06,
            -9.070804639043497e-07,
            2.0161796912121872e-07,
            -5.495386598710821e-08,
            2.182616489225615e-08,
            -1.115680464948817e-08,
            5.795710294100158e-09,
            -2.7020654243089615e-09,
            1.0629636816265945e-09,
            -3.276124573942026e-10,
            6.470357185276356e-11,
            1.7026352320058344e-12,
            -9.086799233900837e-12,
            5.396847634643897e-12,
            -1.543321567366089e-12,
            -6.664558631918918e-14,
            1.0893994420286585e-13,
        ],
    );
}

#[inline(always)]
pub(super) fn erf_inv<R: InverseError>(x: R) -> R {
    let a = x.magnitude();
    let square = Pair::product(a, a);
    let t = Pair { high: -square.high, low: -square.low };
    // Close to 1 the low part of the square is most of what is left.
    let log = log_of(Pair::sum(R::ONE, t.high).plus(t.low).renewed(), t, R::ZERO).renewed();
    let w = Pair { high: -log.high, low: -log.low };
    let s = w.square_root();
    let near = Pair::sum(R::NEAR[0], w.high * polynomial(w.high, &R::NEAR[1..]));
    let of_root = |(from, coefficients): (R, &[R])| polynomial(s.high - from, coefficients);
    let tail = select(s.high < R::TWO + R::TWO, of_root(R::MIDDLE), of_root(R::FAR));
    let beyond = Pair::ordered(s.high, tail).plus(s.low);
    let is_near = s.high < R::TWO;
    let factor = Pair { high: select(is_near, near.high, beyond.high), low: select(is_near, near.low, beyond.low) };
    let y = Pair::product(a, factor.high).plus(a * factor.low).rounded();
    let y = if a < R::ONE { y } else { R::INFINITY };
    let y = if a <= R::ONE { y } else { R::NAN };
    y.with_sign_of(x)
}
