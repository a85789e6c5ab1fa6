//! The modified Bessel functions of the first kind, of orders 0 and 1.
//!
//! Up to 8 by their power series, whose terms are all positive; beyond, by polynomials in `16 / x - 1` for `sqrt(x) exp(-x)`
//! times them, which interpolate at Chebyshev points with a relative error below 3e-17.

use super::super::float;
use super::horner;
use crate::array::Array;
use crate::halves::in_f32;
use crate::source::called;

/// For order 0.
const FAR_0: [f64; 24] = [
    0.4021765094450081,
    0.0033605519836678913,
    0.00013621607438951463,
    1.114303378845176e-05,
    1.4838476780922646e-06,
    2.9735992084667734e-07,
    8.872014585661555e-08,
    3.932512321137824e-08,
    2.156780676115673e-08,
    7.559364098665437e-09,
    -6.856484545962442e-09,
    -1.3427511481900905e-08,
    -5.0175940345046716e-09,
    7.600254486433509e-09,
    6.522264862032271e-09,
    -3.5862834111582305e-09,
    -4.5305710768621196e-09,
    1.6084886155781772e-09,
    2.163681278413876e-09,
    -6.327909921997027e-10,
    -6.494591114401118e-10,
    1.7698085539456536e-10,
    9.114760157514253e-11,
    -2.4421972688131832e-11,
];

/// For order 1.
const FAR_1: [f64; 24] = [
    0.38939845902587233,
    -0.009749577193235765,
    -0.00021923576383137776,
    -1.5038547198221758e-05,
    -1.8349102493990178e-06,
    -3.4838563464253135e-07,
    -1.0001075046243961e-07,
    -4.3128498031006734e-08,
    -2.3394122958362557e-08,
    -8.432168972932417e-09,
    6.84757829926934e-09,
    1.4051746928735543e-08,
    5.5720183980930355e-09,
    -7.687251308765992e-09,
    -6.9444186339873875e-09,
    3.501765193290176e-09,
    4.763780078020254e-09,
    -1.5218214060680734e-09,
    -2.2624401109204446e-09,
    5.870664618471487e-10,
    6.7727478454462e-10,
    -1.6283264322621244e-10,
    -9.491890392992048e-11,
    2.2421768596847442e-11,
];

impl Array {
    /// The modified Bessel function of the first kind of order 0. Relative error below 1e-15 (`f64`) up to 8, some times as
    /// much beyond.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0].i0(), array![1.0]);
    /// ```
    #[track_caller]
    pub fn i0(&self) -> Array {
        let _called = called("i0");
        bessel(&float(self), 0, false)
    }

    /// `exp(-|x|)` times [`Array::i0`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, f64::INFINITY].i0e(), array![1.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn i0e(&self) -> Array {
        let _called = called("i0e");
        bessel(&float(self), 0, true)
    }

    /// The modified Bessel function of the first kind of order 1. See [`Array::i0`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0].i1(), array![0.0]);
    /// ```
    #[track_caller]
    pub fn i1(&self) -> Array {
        let _called = called("i1");
        bessel(&float(self), 1, false)
    }

    /// `exp(-|x|)` times [`Array::i1`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![0.0, f64::INFINITY].i1e(), array![0.0, 0.0]);
    /// ```
    #[track_caller]
    pub fn i1e(&self) -> Array {
        let _called = called("i1e");
        bessel(&float(self), 1, true)
    }
}

#[track_caller]
fn bessel(x: &Array, order: u32, scaled: bool) -> Array {
    in_f32!(x = x => bessel(x, order, scaled));
    let far = x.abs().gt(8.0);
    let near = far.select(1.0, x);
    // (x / 2)^order times the sum of (x^2 / 4)^k / (k! (k + order)!).
    let mut coefficients = vec![1.0];
    for k in 1..=32u32 {
        let last = coefficients[k as usize - 1];
        coefficients.push(last / f64::from(k * (k + order)));
    }
    let mut of_near = horner(&(near.square() * 0.25), &coefficients);
    if order == 1 {
        of_near = of_near * &near * 0.5;
    }
    if scaled {
        of_near *= (-near.abs()).exp();
    }
    let large = far.select(x.abs(), 16.0);
    let root = large.sqrt();
    let mut of_far = horner(&(16.0 / &large - 1.0), if order == 0 { &FAR_0 } else { &FAR_1 });
    if !scaled {
        // In two steps: exp(x) overflows first.
        let half = (&large * 0.5).exp();
        of_far = of_far * &half / &root * half;
    } else {
        of_far /= root;
    }
    if order == 1 {
        of_far = x.lt(0.0).select(-&of_far, &of_far);
    }
    far.select(of_far, of_near)
}
