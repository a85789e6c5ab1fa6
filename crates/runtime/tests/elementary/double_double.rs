//! Elementary functions of numbers of about 105 bits, the reference for those of `f64`. They are written to be seen to be right and
//! not to be fast: Taylor series, and Newton's step from the standard library's function.
//!
//! Results are normal numbers, far enough from the subnormal ones.

use std::f64::consts;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::LazyLock;

/// The sum of two `f64`, the second below the last bit of the first (Dekker, A floating-point technique for extending the
/// available precision, 1971).
#[derive(Clone, Copy, Debug)]
pub struct Wide {
    pub high: f64,
    pub low: f64,
}

impl From<f64> for Wide {
    fn from(x: f64) -> Wide {
        Wide { high: x, low: 0.0 }
    }
}

impl Wide {
    /// The sum of any two numbers, exactly.
    fn sum(a: f64, b: f64) -> Wide {
        let high = a + b;
        let of_b = high - a;
        Wide { high, low: (a - (high - of_b)) + (b - of_b) }
    }

    /// The product of two numbers, exactly.
    fn product(a: f64, b: f64) -> Wide {
        let high = a * b;
        Wide { high, low: a.mul_add(b, -high) }
    }

    fn sqrt(self) -> Wide {
        let root = Wide::from(self.high.sqrt());
        if self.high == 0.0 { root } else { root + (self - root * root) / (root * 2.0) }
    }

    /// Times a power of two.
    fn scaled(self, n: i32) -> Wide {
        let by = |x: f64| x * 2f64.powi(n / 2) * 2f64.powi(n - n / 2);
        Wide { high: by(self.high), low: by(self.low) }
    }

    fn is_small(self, limit: f64) -> bool {
        self.high.abs() < limit
    }

    fn with_sign_of(self, sign: f64) -> Wide {
        if sign.is_sign_negative() { -self } else { self }
    }
}

impl Neg for Wide {
    type Output = Wide;
    fn neg(self) -> Wide {
        Wide { high: -self.high, low: -self.low }
    }
}

impl<T: Into<Wide>> Add<T> for Wide {
    type Output = Wide;
    fn add(self, other: T) -> Wide {
        let other = other.into();
        let (high, low) = (Wide::sum(self.high, other.high), Wide::sum(self.low, other.low));
        let sum = Wide::sum(high.high, high.low + low.high);
        Wide::sum(sum.high, sum.low + low.low)
    }
}

impl<T: Into<Wide>> Sub<T> for Wide {
    type Output = Wide;
    fn sub(self, other: T) -> Wide {
        self + -other.into()
    }
}

impl<T: Into<Wide>> Mul<T> for Wide {
    type Output = Wide;
    fn mul(self, other: T) -> Wide {
        let other = other.into();
        let product = Wide::product(self.high, other.high);
        Wide::sum(product.high, product.low + (self.high * other.low + self.low * other.high))
    }
}

impl<T: Into<Wide>> Div<T> for Wide {
    type Output = Wide;
    fn div(self, other: T) -> Wide {
        let other = other.into();
        let first = self.high / other.high;
        let rest = self - other * first;
        let second = rest.high / other.high;
        let third = (rest - other * second).high / other.high;
        Wide::sum(first, second) + third
    }
}

const LN2: [f64; 3] = [consts::LN_2, 2.3190468138462996e-17, 5.707708438416212e-34];
const HALF_PI: [f64; 4] = [consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591698e-33, 5.562271104316826e-50];
const LN10: Wide = Wide { high: consts::LN_10, low: -2.1707562233822494e-16 };
const TWO_OVER_ROOT_PI: Wide = Wide { high: consts::FRAC_2_SQRT_PI, low: 1.533545961316588e-17 };
const HALF_LOG_TWO_PI: Wide = Wide { high: 0.9189385332046728, low: -3.8782941580672414e-17 };
const LOG_PI: Wide = Wide { high: 1.1447298858494002, low: 1.0265951162707826e-17 };
const PI: Wide = Wide { high: consts::PI, low: 1.2246467991473532e-16 };

/// Bernoulli numbers of even index from 2 on, as fractions (Abramowitz and Stegun, table 23.2).
const BERNOULLI: [(f64, f64); 15] = [
    (1.0, 6.0),
    (-1.0, 30.0),
    (1.0, 42.0),
    (-1.0, 30.0),
    (5.0, 66.0),
    (-691.0, 2730.0),
    (7.0, 6.0),
    (-3617.0, 510.0),
    (43867.0, 798.0),
    (-174611.0, 330.0),
    (854513.0, 138.0),
    (-236364091.0, 2730.0),
    (8553103.0, 6.0),
    (-23749461029.0, 870.0),
    (8615841276005.0, 14322.0),
];

/// 1/k!
static INVERSE_FACTORIALS: LazyLock<Vec<Wide>> = LazyLock::new(|| {
    let mut all = vec![Wide::from(1.0)];
    for k in 1..30 {
        all.push(all[k - 1] / k as f64);
    }
    all
});

/// e^r - 1 for small r.
fn series_of_expm1(r: Wide) -> Wide {
    INVERSE_FACTORIALS[1..28].iter().rev().fold(Wide::from(0.0), |sum, &c| sum * r + c) * r
}

/// n and e^r - 1 of x = n log 2 + r.
fn reduced(x: Wide) -> (i32, Wide) {
    let n = (x.high / consts::LN_2).round();
    let r = LN2.iter().fold(x, |r, &part| r - Wide::product(n, part));
    (n as i32, series_of_expm1(r))
}

pub fn exp_of(x: Wide) -> Wide {
    let (n, y) = reduced(x);
    (y + 1.0).scaled(n)
}

fn expm1_of(x: Wide) -> Wide {
    let (n, y) = reduced(x);
    // The first summand would overflow where the sum does not.
    (y + (Wide::from(1.0) - Wide::from(1.0).scaled(-n.max(-1000)))).scaled(n)
}

/// 2 atanh s for s up to 0.2.
fn log_from_quotient(s: Wide) -> Wide {
    let square = s * s;
    let sum = (0..26).rev().fold(Wide::from(0.0), |sum, k| sum * square + Wide::from(1.0) / (2 * k + 1) as f64);
    s * sum * 2.0
}

pub fn log_of(x: Wide) -> Wide {
    let mut n = 0;
    let mut m = x;
    while m.high > 1.5 {
        let k = if m.high > 1e100 { 300 } else { 1 + (m.high / 1.5).log2() as i32 };
        (m, n) = (m.scaled(-k), n + k);
    }
    while m.high < 0.75 {
        let k = if m.high < 1e-100 { 300 } else { 1 + (0.75 / m.high).log2() as i32 };
        (m, n) = (m.scaled(k), n - k);
    }
    LN2.iter().rev().fold(log_from_quotient((m - 1.0) / (m + 1.0)), |sum, &part| sum + Wide::product(n as f64, part))
}

fn log1p_of(x: Wide) -> Wide {
    if x.is_small(0.25) { log_from_quotient(x / (x + 2.0)) } else { log_of(x + 1.0) }
}

/// The sine and the cosine of r, up to pi/4.
fn series_of_circle(r: Wide) -> (Wide, Wide) {
    let square = r * r;
    let alternating = |from: usize| {
        let terms = INVERSE_FACTORIALS[from..].iter().step_by(2).enumerate().rev();
        terms.fold(Wide::from(0.0), |sum, (k, &c)| sum * square + if k % 2 == 0 { c } else { -c })
    };
    (alternating(1) * r, alternating(0))
}

/// The sine and the cosine of numbers up to 10^9.
fn circle(x: Wide) -> (Wide, Wide) {
    let n = (x.high * consts::FRAC_2_PI).round();
    let r = HALF_PI.iter().fold(x, |r, &part| r - Wide::product(n, part));
    let (sine, cosine) = series_of_circle(r);
    match (n as i64).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

pub fn exp(x: f64) -> Wide {
    exp_of(x.into())
}

pub fn exp2(x: f64) -> Wide {
    let n = x.round();
    exp_of(Wide { high: LN2[0], low: LN2[1] } * (x - n)).scaled(n as i32)
}

pub fn expm1(x: f64) -> Wide {
    expm1_of(x.into())
}

pub fn log(x: f64) -> Wide {
    log_of(x.into())
}

pub fn log2(x: f64) -> Wide {
    log(x) / Wide { high: LN2[0], low: LN2[1] }
}

pub fn log10(x: f64) -> Wide {
    log(x) / LN10
}

pub fn log1p(x: f64) -> Wide {
    log1p_of(x.into())
}

pub fn sin(x: f64) -> Wide {
    circle(x.into()).0
}

pub fn cos(x: f64) -> Wide {
    circle(x.into()).1
}

pub fn tan(x: f64) -> Wide {
    let (sine, cosine) = circle(x.into());
    sine / cosine
}

/// From an angle nearby, whose sine and cosine turn the direction of (x, y) to the first axis.
fn angle(y: Wide, x: Wide, near: f64) -> Wide {
    let (sine, cosine) = circle(near.into());
    (y * cosine - x * sine) / (x * cosine + y * sine) + near
}

pub fn atan(x: f64) -> Wide {
    angle(x.into(), 1.0.into(), x.atan())
}

/// Of numbers whose products are normal.
pub fn atan2(y: f64, x: f64) -> Wide {
    angle(y.into(), x.into(), y.atan2(x))
}

/// The other side of a triangle with the side x and a hypotenuse of 1.
fn other_side(x: f64) -> Wide {
    (Wide::sum(1.0, -x) * Wide::sum(1.0, x)).sqrt()
}

pub fn asin(x: f64) -> Wide {
    angle(x.into(), other_side(x), x.asin())
}

pub fn acos(x: f64) -> Wide {
    angle(other_side(x), x.into(), x.acos())
}

pub fn sinh(x: f64) -> Wide {
    // Halved, for e^x may be too large a number.
    let half = expm1_of(Wide::from(x.abs())).scaled(-1);
    (half + half / (half * 2.0 + 1.0)).with_sign_of(x)
}

pub fn cosh(x: f64) -> Wide {
    let y = exp(x.abs());
    y.scaled(-1) + Wide::from(0.5) / y
}

pub fn tanh(x: f64) -> Wide {
    let y = expm1_of(Wide::from(x.abs() * 2.0));
    (y / (y + 2.0)).with_sign_of(x)
}

pub fn logistic(x: f64) -> Wide {
    let y = exp(-x.abs());
    (if x < 0.0 { y } else { Wide::from(1.0) }) / (y + 1.0)
}

pub fn cbrt(x: f64) -> Wide {
    let root = Wide::from(x.cbrt());
    root - (root * root * root - x) / (root * root * 3.0)
}

pub fn asinh(x: f64) -> Wide {
    let a = Wide::from(x.abs());
    let square = a * a;
    log1p_of(a + square / ((square + 1.0).sqrt() + 1.0)).with_sign_of(x)
}

pub fn acosh(x: f64) -> Wide {
    let above = Wide::sum(x, -1.0);
    log1p_of(above + (above * above + above * 2.0).sqrt())
}

pub fn atanh(x: f64) -> Wide {
    let a = x.abs();
    (log1p_of(Wide::from(2.0 * a) / Wide::sum(1.0, -a)) * 0.5).with_sign_of(x)
}

/// The square of a number times -1, as an exponent.
fn gaussian(x: f64) -> Wide {
    exp_of(-Wide::product(x, x))
}

/// 2 / sqrt(pi) e^(-x^2) times the sum of 2^n x^(2n + 1) / (2n + 1)!! (Abramowitz and Stegun, 7.1.6).
pub fn erf(x: f64) -> Wide {
    let square = Wide::product(x, x);
    let (mut term, mut sum) = (Wide::from(x), Wide::from(x));
    for n in 1..400 {
        term = term * square * 2.0 / (2 * n + 1) as f64;
        sum = sum + term;
        if term.high.abs() < sum.high.abs() * 1e-35 {
            break;
        }
    }
    sum * gaussian(x) * TWO_OVER_ROOT_PI
}

/// From 2 on by the continued fraction (Abramowitz and Stegun, 7.1.14).
pub fn erfc(x: f64) -> Wide {
    if x < 2.0 {
        return Wide::from(1.0) - erf(x);
    }
    let fraction = (1..300).rev().fold(Wide::from(x), |below, k| Wide::from(k as f64 * 0.5) / below + x);
    gaussian(x) * TWO_OVER_ROOT_PI * 0.5 / fraction
}

/// The inverse by a step from a value nearby, in which the result itself differs by what the function leaves.
pub fn erf_inv(x: f64, near: f64) -> Wide {
    let a = near.abs();
    let left = if a < 1.0 { Wide::from(x.abs()) - erf(a) } else { erfc(a) - Wide::sum(1.0, -x.abs()) };
    let slope = gaussian(a) * TWO_OVER_ROOT_PI;
    let step = left / slope;
    // The second derivative of the inverse is 2y times the square of the first.
    (step + step * step * a + a).with_sign_of(x)
}

/// Stirling's series from 30 on, behind the recurrence.
fn lgamma_right(x: f64) -> Wide {
    let (mut y, mut below) = (Wide::from(x), Wide::from(1.0));
    while y.high < 30.0 {
        below = below * y;
        y = y + 1.0;
    }
    let inverse = Wide::from(1.0) / y;
    let square = inverse * inverse;
    let terms = BERNOULLI.iter().enumerate().rev();
    let series = terms.fold(Wide::from(0.0), |sum, (k, &(b, c))| {
        let k = 2 * k + 2;
        sum * square + Wide::from(b) / (c * (k * (k - 1)) as f64)
    });
    (y - 0.5) * log_of(y) - y + HALF_LOG_TWO_PI + series * inverse - log_of(below)
}

fn digamma_right(x: f64) -> Wide {
    let (mut y, mut below) = (Wide::from(x), Wide::from(0.0));
    while y.high < 30.0 {
        below = below + Wide::from(1.0) / y;
        y = y + 1.0;
    }
    let inverse = Wide::from(1.0) / y;
    let square = inverse * inverse;
    let terms = BERNOULLI.iter().enumerate().rev();
    let series =
        terms.fold(Wide::from(0.0), |sum, (k, &(b, c))| (sum + Wide::from(b) / (c * (2 * k + 2) as f64)) * square);
    log_of(y) - inverse * 0.5 - series - below
}

/// The sine and the cosine of pi a.
fn half_turns(a: f64) -> (Wide, Wide) {
    circle(PI * (a - 2.0 * (a * 0.5).round()))
}

pub fn lgamma(x: f64) -> Wide {
    if x > 0.0 {
        return lgamma_right(x);
    }
    let sine = half_turns(-x).0;
    let product = if sine.high < 0.0 { sine * x } else { sine * -x };
    LOG_PI - log_of(product) - lgamma_right(-x)
}

pub fn digamma(x: f64) -> Wide {
    if x > 0.0 {
        return digamma_right(x);
    }
    let (sine, cosine) = half_turns(-x);
    digamma_right(-x) + Wide::from(1.0) / -x + PI * cosine / sine
}

/// x not below 0.
pub fn pow(x: f64, y: f64) -> Wide {
    exp_of(log(x) * y)
}

/// Of numbers whose squares are normal.
pub fn hypot(x: f64, y: f64) -> Wide {
    (Wide::product(x, x) + Wide::product(y, y)).sqrt()
}

pub fn xlogy(x: f64, y: f64) -> Wide {
    log(y) * x
}

pub fn xlog1py(x: f64, y: f64) -> Wide {
    log1p(y) * x
}
