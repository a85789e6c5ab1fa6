//! `sin`, `cos` and `tan`.
//!
//! x = n pi/2 + r with |r| <= pi/4, by Cody and Waite's reduction with pi/2 as a sum of three numbers; the products
//! with n are exact or carried along, so that r, a pair, is right to about twice the precision. sin r = r + r^3 s(r^2)
//! and cos r = 1 - r^2/2 + r^4 c(r^2) with minimax polynomials by the Remez algorithm, of relative error below 2^-27
//! (`f32`) and 2^-56 (`f64`).
//!
//! This holds up to a limit. Arguments beyond it are multiplied by as many bits of 2/pi as matter, in integers (Payne and
//! Hanek, Radian reduction for trigonometric functions, SIGNUM Newsletter 18, 1983).

use super::real::{Pair, Real, polynomial};

/// Constants of a type.
pub(super) trait Circular: Real {
    const TWO_OVER_PI: Self;
    /// pi/2, to be added up.
    const HALF_PI: [Self; 3];
    /// s.
    const SINE: &'static [Self];
    /// c.
    const COSINE: &'static [Self];
    /// The largest argument that the reduction is good for.
    const LIMIT: Self;

    /// [`reduce`] for finite numbers beyond the limit.
    fn reduce_far(self) -> (Pair<Self>, Self);
}

impl Circular for f32 {
    const TWO_OVER_PI: f32 = std::f32::consts::FRAC_2_PI;
    const HALF_PI: [f32; 3] = [std::f32::consts::FRAC_PI_2, -4.371139e-08, -1.7151245e-15];
    const SINE: &'static [f32] = &[-0.16666654, 0.008332131, -0.0001951084];
    const COSINE: &'static [f32] = &[0.041666646, -0.0013887306, 2.4431207e-05];
    const LIMIT: f32 = 65536.0;

    #[inline(always)]
    fn reduce_far(self) -> (Pair<f32>, f32) {
        let (r, n) = far(self as f64);
        let high = r.high as f32;
        (Pair { high, low: (r.high - high as f64) as f32 }, Self::SHIFT + n as f32)
    }
}

impl Circular for f64 {
    const TWO_OVER_PI: f64 = std::f64::consts::FRAC_2_PI;
    const HALF_PI: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591698e-33];
    const SINE: &'static [f64] = &[
        -0.1666666666666663,
        0.008333333333321988,
        -0.0001984126982945163,
        2.7557313563199684e-06,
        -2.5050737216838114e-08,
        1.589554435358032e-10,
    ];
    const COSINE: &'static [f64] = &[
        0.041666666666666595,
        -0.0013888888888873541,
        2.4801587289100864e-05,
        -2.755731423757035e-07,
        2.0875707099162684e-09,
        -1.1358782824582e-11,
    ];
    const LIMIT: f64 = 1e9;

    #[inline(always)]
    fn reduce_far(self) -> (Pair<f64>, f64) {
        let (r, n) = far(self);
        (r, Self::SHIFT + n as f64)
    }
}

/// r, and n in the lowest bits of a number.
#[inline(always)]
fn reduce<R: Circular>(x: R) -> (Pair<R>, R) {
    let shifted = x.mul_add(R::TWO_OVER_PI, R::SHIFT);
    let n = shifted - R::SHIFT;
    let [first, second, third] = R::HALF_PI;
    // Exact: a multiple of the last bit of x or of `first`, and not large.
    let rest = (-n).mul_add(first, x);
    let product = n * second;
    let lost = n.mul_add(second, -product);
    let Pair { high, low } = Pair::sum(rest, -product);
    (Pair::ordered(high, (-n).mul_add(third, low - lost)), shifted)
}

/// 2/pi in words of 64 bits, behind a word of zeros.
const WORDS: [u64; 20] = [
    0x0000_0000_0000_0000,
    0xa2f9_836e_4e44_1529,
    0xfc27_57d1_f534_ddc0,
    0xdb62_9599_3c43_9041,
    0xfe51_63ab_debb_c561,
    0xb724_6e3a_424d_d2e0,
    0x0649_2eea_09d1_921c,
    0xfe1d_eb1c_b129_a73e,
    0xe882_35f5_2ebb_4484,
    0xe99c_7026_b45f_7e41,
    0x3991_d639_8353_39f4,
    0x9c84_5f8b_bdf9_283b,
    0x1ff8_97ff_de05_980f,
    0xef2f_118b_5a0a_6d1f,
    0x6d36_7ecf_27cb_09b7,
    0x4f46_3f66_9e5f_ea2d,
    0x7527_bac7_ebe5_f17b,
    0x3d07_39f7_8a52_92ea,
    0x6bfb_5fb1_1f8d_5d08,
    0x5603_3046_fc7b_6bab,
];

/// r, and n from 0 to 3, for finite numbers from 2^16 on.
///
/// x is m 2^e with an integer m. Bits of 2/pi whose product with x is a multiple of 4 are left out; the 192 bits after them
/// times m are x 2/pi with 190 bits of fraction.
#[inline(always)]
fn far(x: f64) -> (Pair<f64>, u64) {
    let bits = x.to_bits();
    let exponent = (bits >> 52) & 0x7ff;
    let m = (bits & ((1 << 52) - 1)) | (1 << 52);
    // e = exponent - 1075, and the first bit that matters is number e - 1, where 1/2 has number 1.
    let first = exponent - (1075 + 2 - 64);
    let (word, shift) = ((first >> 6) as usize, first & 63);
    let window = |i: usize| (WORDS[word + i] << shift) | (WORDS[word + i + 1] >> 1 >> (63 - shift));
    let times_m = |word: u64| m as u128 * word as u128;
    let middle = times_m(window(1)) + (times_m(window(2)) >> 64);
    let high = m.wrapping_mul(window(0)).wrapping_add((middle >> 64) as u64);
    let n = high.wrapping_add(1 << 61) >> 62;
    // What is left, from -1/2 to 1/2, in four parts that are exact as floats; the first may cancel the second.
    let left = high.wrapping_sub(n << 62) as i64;
    let scaled = |part: f64, exponent: f64| part * f64::power_of_two(exponent);
    let leading = Pair::sum(scaled((left >> 32) as f64, -30.0), scaled((left as u32) as f64, -62.0));
    let middle = middle as u64;
    let sum = Pair::sum(leading.high, scaled((middle >> 32) as f64, -94.0));
    let turns = sum.plus(leading.low + scaled((middle as u32) as f64, -126.0)).renewed();
    let [half_pi, more, _] = f64::HALF_PI;
    let r = Pair::product(turns.high, half_pi).plus(turns.high.mul_add(more, turns.low * half_pi)).renewed();
    let negative = x < 0.0;
    let r = Pair { high: r.high.times_sign_of(x), low: r.low.times_sign_of(x) };
    (r, if negative { 4 - n } else { n })
}

/// sin r.
#[inline(always)]
pub(super) fn sine<R: Circular>(r: Pair<R>) -> Pair<R> {
    let square = r.high * r.high;
    let slope = square.mul_add(-R::HALF, R::ONE);
    let low = (r.high * square).mul_add(polynomial(square, R::SINE), r.low * slope);
    Pair { high: r.high, low }
}

/// cos r.
#[inline(always)]
pub(super) fn cosine<R: Circular>(r: Pair<R>) -> Pair<R> {
    let square = r.high * r.high;
    let half = -(r.high * R::HALF);
    let high = half.mul_add(r.high, R::ONE);
    let low = half.mul_add(r.high, R::ONE - high);
    let low = (square * square).mul_add(polynomial(square, R::COSINE), low);
    Pair { high, low: (-r.high).mul_add(r.low, low) }
}

#[inline(always)]
fn choose<R>(first: bool, x: Pair<R>, y: Pair<R>) -> Pair<R> {
    Pair { high: if first { x.high } else { y.high }, low: if first { x.low } else { y.low } }
}

/// The sine of r and n quarters of a turn.
#[inline(always)]
fn sine_of<R: Circular>((r, n): (Pair<R>, R)) -> R {
    let (odd, sign) = n.quadrant(0);
    choose(odd, cosine(r), sine(r)).rounded().times_sign_of(sign)
}

/// The cosine of r and n quarters of a turn.
#[inline(always)]
fn cosine_of<R: Circular>((r, n): (Pair<R>, R)) -> R {
    let (odd, sign) = n.quadrant(1);
    choose(odd, cosine(r), sine(r)).rounded().times_sign_of(sign)
}

/// The tangent of r and n quarters of a turn.
#[inline(always)]
fn tangent_of<R: Circular>((r, n): (Pair<R>, R)) -> R {
    let (odd, _) = n.quadrant(0);
    let (sine, cosine) = (sine(r).renewed(), cosine(r).renewed());
    let y = choose(odd, cosine, sine).over(choose(odd, sine, cosine));
    if odd { -y } else { y }
}

/// The sine of a number up to the limit.
#[inline(always)]
pub(super) fn sin<R: Circular>(x: R) -> R {
    let y = sine_of(reduce(x));
    if x == R::ZERO { x } else { y }
}

/// The cosine of a number up to the limit.
#[inline(always)]
pub(super) fn cos<R: Circular>(x: R) -> R {
    cosine_of(reduce(x))
}

/// The tangent of a number up to the limit.
#[inline(always)]
pub(super) fn tan<R: Circular>(x: R) -> R {
    let y = tangent_of(reduce(x));
    if x == R::ZERO { x } else { y }
}

/// The sine of a finite number beyond the limit.
#[inline(always)]
pub(super) fn sin_far<R: Circular>(x: R) -> R {
    sine_of(x.reduce_far())
}

/// The cosine of a finite number beyond the limit.
#[inline(always)]
pub(super) fn cos_far<R: Circular>(x: R) -> R {
    cosine_of(x.reduce_far())
}

/// The tangent of a finite number beyond the limit.
#[inline(always)]
pub(super) fn tan_far<R: Circular>(x: R) -> R {
    tangent_of(x.reduce_far())
}
