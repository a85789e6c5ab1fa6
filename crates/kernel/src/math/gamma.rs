//! `lgamma` and `digamma`, in `f64`.
//!
//! Close to their zeros lgamma(1 + u) = u (u - 1) (1/2 + p(u)) and digamma(1 + u) = (u - z) (1 + p(u)) with other p; below
//! the recurrence leads there. Above, Binet's function lgamma x - (x - 1/2) log x + x - log(2 pi) / 2 is p(t) / x, and
//! log x - 1/(2x) - digamma x is p(t) / x^2, with t = (x - s) / (x + s) from 0 to 1, as Shepherd and Laframboise take for erfc
//! (Mathematics of Computation 36, 1981). Negative numbers go by reflection (Abramowitz and Stegun, 6.1.17 and 6.3.7). All p
//! interpolate at Chebyshev points, with a relative error of the functions below 2^-57 and, as `f32`, 2^-30.

use super::log;
use super::power::log2_single;
use super::real::{Pair, Real, at_least, at_most, polynomial, select};
use super::trigonometry::{cosine, sine};

/// The polynomials of a type, whose functions all are computed in `f64`.
pub(super) trait Gamma {
    /// p of `lgamma` in u - 5/8, for u from -0.3 to 1.5.
    const NEAR: &'static [f64];
    /// p of `lgamma` in t, with s = 5/2.
    const FAR: &'static [f64];
    /// p of `digamma` in u - 3/8, for u from -0.3 to 1.
    const DERIVATIVE_NEAR: &'static [f64];
    /// p of `digamma` in t, with s = 2.
    const DERIVATIVE_FAR: &'static [f64];

    /// The logarithm of a positive number.
    fn log(x: f64) -> Pair<f64>;
}

impl Gamma for f32 {
    const NEAR: &'static [f64] = &[
        -0.03419036261509122,
        -0.13157899154697208,
        0.052579421851397315,
        -0.02419441757877744,
        0.011992054426537283,
        -0.006215842277095465,
        0.003315590707616346,
        -0.0018034378921070583,
        0.0010094068172784058,
        -0.0005767277565428133,
        0.0002815704461875778,
        -0.0001295512853438078,
        0.00016792016137954753,
        -0.00014029164204288787,
        -3.599622617030422e-05,
        5.3980623962741516e-05,
        4.755839654307944e-05,
        -3.804704386351389e-05,
    ];
    const FAR: &'static [f64] = &[
        0.08290718383031055,
        0.0016382198372390528,
        -0.003033873762491336,
        0.004020616835254533,
        -0.0045266139134066555,
        0.004510092211966947,
        -0.0039027233374998257,
        0.0027463240873834946,
        -0.0014192507119147701,
        0.00046383739314171546,
        -7.047915268592026e-05,
    ];
    const DERIVATIVE_NEAR: &'static [f64] = &[
        0.008082883266153616,
        -0.4915454684349759,
        0.3064776192250568,
        -0.20743247586409796,
        0.14544773402989067,
        -0.10373456969619309,
        0.07462184843877241,
        -0.05405832455411586,
        0.03940675585857386,
        -0.027718930524050785,
        0.018905441985216466,
        -0.017837662787620168,
        0.016721768407694872,
        -0.0013094803034111929,
        -0.004985517989709541,
        -0.01169898492750021,
        0.012314426088875997,
    ];
    const DERIVATIVE_FAR: &'static [f64] = &[
        0.08145138187194145,
        0.0068604514940323455,
        -0.011472234297889026,
        0.012896209363374865,
        -0.011722805432324524,
        0.009225088003731443,
        -0.006411178332948786,
        0.0037976765366503247,
        -0.0017419782664079239,
        0.0005268963328239547,
        -7.617395474589589e-05,
    ];

    #[inline(always)]
    fn log(x: f64) -> Pair<f64> {
        Pair::product(log2_single(x), std::f64::consts::LN_2)
    }
}

impl Gamma for f64 {
    const NEAR: &'static [f64] = &[
        -0.034190362637673076,
        -0.1315789912868339,
        0.05257942622043431,
        -0.024194436430706796,
        0.011991915956954353,
        -0.00621545041313153,
        0.003317270861278287,
        -0.0018070640371106019,
        0.0009992727181423345,
        -0.0005589494052180024,
        0.000315494847898553,
        -0.00017939310821404593,
        0.00010262263602548522,
        -5.8998855865592874e-05,
        3.410652334884512e-05,
        -1.9841348372444118e-05,
        1.141657131703994e-05,
        -6.432655267737296e-06,
        4.171592369128867e-06,
        -3.0328553025517815e-06,
        8.217738259873337e-07,
        6.021856635201416e-07,
        1.3111934313046657e-06,
        -2.223133821400492e-06,
        -7.821249008082016e-07,
        1.8156841153577381e-06,
        7.877327115466572e-07,
        -1.3071349711832349e-06,
        -3.3229858988218603e-07,
        5.086286926525007e-07,
        9.331858924454819e-08,
        -1.0765376071088109e-07,
    ];
    const FAR: &'static [f64] = &[
        0.08290718379984072,
        0.001638227238281418,
        -0.003034175351967802,
        0.004025488637720535,
        -0.004567794086402884,
        0.004718803276115205,
        -0.004589536014927686,
        0.0042950026093395,
        -0.003924092323978963,
        0.0035288173959984767,
        -0.0031232983143789444,
        0.002688643640870006,
        -0.0021924260882034956,
        0.001628275679810892,
        -0.0010505770906539505,
        0.0005591248536279625,
        -0.00023145181186975768,
        6.902314177465779e-05,
        -1.3083024755045456e-05,
        1.1771670924886596e-06,
    ];
    const DERIVATIVE_NEAR: &'static [f64] = &[
        0.008082883211148603,
        -0.491545470273182,
        0.3064776393407234,
        -0.2074322757484246,
        0.14544654754327488,
        -0.10374091729979852,
        0.074648270840973,
        -0.05396811114561191,
        0.03911823290441338,
        -0.02839547160868248,
        0.02062875829205412,
        -0.014993286333798194,
        0.010900425948986901,
        -0.007926759463716484,
        0.005762766331428346,
        -0.00418419953211602,
        0.0030537893418775587,
        -0.0022586041817374393,
        0.0015843585314506445,
        -0.000998930204761002,
        0.0009524891695370877,
        -0.001134110127069652,
        0.00019649242127189724,
        0.0007362961800214334,
        0.0006842239910116328,
        -0.001650001503481187,
        -0.00036935153141538644,
        0.0011627418712488004,
        0.0003564986884703763,
        -0.0005703978928906468,
    ];
    const DERIVATIVE_FAR: &'static [f64] = &[
        0.08145138184591268,
        0.006860457812027238,
        -0.011472490876712574,
        0.012900327615796937,
        -0.011757264470900707,
        0.009397078329820062,
        -0.0069642723290261445,
        0.005001901583735202,
        -0.003587248364372182,
        0.0026064880379036044,
        -0.001922029400883792,
        0.001423077531586584,
        -0.0010308628656404682,
        0.0007009284916121618,
        -0.0004245664856066507,
        0.0002161764860032963,
        -8.675924603116906e-05,
        2.5312045812200453e-05,
        -4.7223609692686755e-06,
        4.19953266325408e-07,
    ];

    #[inline(always)]
    fn log(x: f64) -> Pair<f64> {
        log::log_pair(x)
    }
}

/// log(2 pi) / 2, log pi and pi as sums of two.
const HALF_LOG_TWO_PI: Pair<f64> = Pair { high: 0.9189385332046728, low: -3.8782941580672414e-17 };
const LOG_PI: Pair<f64> = Pair { high: 1.1447298858494002, low: 1.0265951162707826e-17 };
const PI: Pair<f64> = Pair { high: std::f64::consts::PI, low: 1.2246467991473532e-16 };

/// Where the digamma function is 0, less 1.
const ZERO: Pair<f64> = Pair { high: 0.46163214496836236, low: -1.5522348162858677e-17 };

/// From this on `u` is x - 1, below it is x.
const RECURRENCE: f64 = 0.7;
/// The largest number with a finite `lgamma`.
const LARGEST: f64 = 2.559983327851638e305;
/// Of numbers closer to 0 the functions are what the pole makes them.
const TINY: f64 = 1e-30;

/// The sum of renewed pairs.
#[inline(always)]
fn add(a: Pair<f64>, b: Pair<f64>) -> Pair<f64> {
    Pair::sum(a.high, b.high).plus(a.low + b.low).renewed()
}

/// `lgamma` of a, but with `log a` still to be subtracted below `RECURRENCE`; and `log a`.
#[inline(always)]
fn parts<P: Gamma>(a: f64) -> (Pair<f64>, Pair<f64>) {
    let u = at_most(select(a < RECURRENCE, a, a - 1.0), 1.5);
    let p = polynomial(u - 0.625, P::NEAR);
    let square = Pair::product(u, u);
    let w = Pair::sum(square.high, -u).plus(square.low).renewed();
    let near = Pair::ordered(0.5 * w.high, w.high * p).plus(w.low * (0.5 + p)).renewed();

    let log = P::log(a);
    let b = at_least(at_most(a, LARGEST), 2.5);
    let p = polynomial((b - 2.5) / (b + 2.5), P::FAR) / b;
    let less = Pair::sum(log.high, -1.0).plus(log.low).renewed();
    let product = Pair::product(b, less.high).plus(b * less.low);
    let half = Pair { high: -0.5 * log.high, low: -0.5 * log.low };
    let rest = add(HALF_LOG_TWO_PI, half);
    let far = Pair::sum(product.high, rest.high).plus(product.low + (rest.low + p)).renewed();
    let large = a >= 2.5;
    (Pair { high: select(large, far.high, near.high), low: select(large, far.low, near.low) }, log)
}

/// What of `log` the condition lets through, times a sign.
#[inline(always)]
fn only_if(condition: bool, sign: f64, log: Pair<f64>) -> Pair<f64> {
    Pair { high: select(condition, sign * log.high, 0.0), low: select(condition, sign * log.low, 0.0) }
}

/// `lgamma` of numbers that are not below 0, and of NaN.
#[inline(always)]
pub(super) fn lgamma_right<P: Gamma>(x: f64) -> f64 {
    let (part, log) = parts::<P>(x);
    let y = add(part, only_if(x < RECURRENCE, -1.0, log)).rounded();
    let y = select((x > LARGEST) | (x == 0.0), f64::INFINITY, y);
    select(x.is_nan(), x, y)
}

/// How far a is above the nearest integer, and whether it is one.
#[inline(always)]
fn fraction(a: f64) -> (f64, bool) {
    // From 2^52 on all are.
    let integers = 1.0 / f64::EPSILON;
    let f = a - ((a + integers) - integers);
    (f, (f == 0.0) | (a >= integers))
}

/// The sine and cosine of `pi f` without their signs, for f up to 1/2.
#[inline(always)]
fn sine_and_cosine(f: f64) -> (Pair<f64>, Pair<f64>) {
    let f = f.magnitude();
    let steep = f > 0.25;
    let f = select(steep, 0.5 - f, f);
    let r = Pair::product(f, PI.high).plus(f * PI.low);
    let (s, c) = (sine(r).renewed(), cosine(r).renewed());
    let pick =
        |x: Pair<f64>, y: Pair<f64>| Pair { high: select(steep, x.high, y.high), low: select(steep, x.low, y.low) };
    (pick(c, s), pick(s, c))
}

/// `lgamma(-a) = log(pi / (a |sin(pi a)|)) - lgamma(a)`, with the polynomials of `f64`, for terms cancel at the zeros.
#[inline(always)]
fn lgamma_left(a: f64) -> f64 {
    let (f, pole) = fraction(a);
    let (sine, _) = sine_and_cosine(f);
    let of_sine = <f64 as Gamma>::log(sine.high).plus(sine.low / sine.high).renewed();
    let (part, log) = parts::<f64>(a);
    // Below, the logarithm of a cancels.
    let sum = add(add(part, only_if(a >= RECURRENCE, 1.0, log)), of_sine);
    let y = add(LOG_PI, Pair { high: -sum.high, low: -sum.low }).rounded();
    let y = select(a < TINY, -log.high, y);
    select(pole, f64::INFINITY, y)
}

/// The sign of the gamma function is not part of the result.
#[inline(always)]
pub(super) fn lgamma<P: Gamma>(x: f64) -> f64 {
    if x < 0.0 { lgamma_left(-x) } else { lgamma_right::<P>(x) }
}

/// `digamma` of a, but of 1 + a below `RECURRENCE`.
#[inline(always)]
fn derivative<P: Gamma>(a: f64) -> Pair<f64> {
    let u = at_most(select(a < RECURRENCE, a, a - 1.0), 1.0);
    let p = polynomial(u - 0.375, P::DERIVATIVE_NEAR);
    let w = Pair::sum(u, -ZERO.high).plus(-ZERO.low).renewed();
    let near = Pair::ordered(w.high, w.high * p).plus(w.low * (1.0 + p));

    let b = at_least(a, 2.0);
    let (inverse, log) = (1.0 / b, P::log(b));
    let p = polynomial((b - 2.0) / (b + 2.0), P::DERIVATIVE_FAR) * inverse * inverse;
    let far = Pair::ordered(log.high, -0.5 * inverse).plus(log.low - p);
    let large = a >= 2.0;
    Pair { high: select(large, far.high, near.high), low: select(large, far.low, near.low) }.renewed()
}

/// `digamma` of numbers that are not below 0, and of NaN.
#[inline(always)]
pub(super) fn digamma_right<P: Gamma>(x: f64) -> f64 {
    let inverse = select(x < RECURRENCE, 1.0 / x, 0.0);
    let part = derivative::<P>(x);
    let y = Pair::sum(-inverse, part.high).plus(part.low).rounded();
    let y = select(x < TINY, -inverse, y);
    let y = select(x < f64::INFINITY, y, x);
    select(x == 0.0, f64::NAN, y)
}

/// `digamma(-a) = digamma(a) + 1/a + pi cot(pi a)`, with the polynomials of `f64` as well.
#[inline(always)]
fn digamma_left(a: f64) -> f64 {
    let (f, pole) = fraction(a);
    let (sine, cosine) = sine_and_cosine(f);
    let numerator = Pair::product(cosine.high, PI.high).plus(cosine.high.mul_add(PI.low, cosine.low * PI.high));
    let cotangent = numerator.renewed().over(sine).times_sign_of(f);
    let inverse = select(a < RECURRENCE, 0.0, 1.0 / a);
    let part = derivative::<f64>(a);
    let sum = Pair::sum(cotangent, part.high).plus(part.low + inverse).rounded();
    let y = select(a < TINY, 1.0 / a, sum);
    select(pole, f64::NAN, y)
}

#[inline(always)]
pub(super) fn digamma<P: Gamma>(x: f64) -> f64 {
    if x < 0.0 { digamma_left(-x) } else { digamma_right::<P>(x) }
}
