//! `cbrt` and `hypot` of `f64`.

use super::real::{Pair, Real, polynomial};

/// The cube root of numbers between the square roots of 1/2 and 2, within 1.1e-5: interpolation at Chebyshev points.
const CUBE_ROOT: &[f64] =
    &[0.45368817008240464, 0.8967403674301596, -0.5237681075403342, 0.20934678940311124, -0.03600032929524682];

/// x = m 8^j with m from 0.35 to 2.83: a polynomial, one step by Halley (to 1e-15) and one by Newton from what the cube
/// of that leaves of m.
#[inline(always)]
pub(super) fn cbrt(x: f64) -> f64 {
    let (normal, scaled) = x.magnitude().normalized();
    let (m, k) = normal.split();
    let k = k - scaled;
    let j = k.mul_add(1.0 / 3.0, f64::SHIFT) - f64::SHIFT;
    let rest = k - 3.0 * j;
    let factor = if rest > 0.0 { 1.2599210498948732 } else { 1.0 };
    let factor = if rest < 0.0 { 0.7937005259840998 } else { factor };
    let y = polynomial(m, CUBE_ROOT) * factor;
    let m = m * f64::power_of_two(rest);
    let cube = y * y * y;
    let y = y * ((cube + 2.0 * m) / (2.0 * cube + m));
    let square = Pair::product(y, y);
    let cube = Pair::product(square.high, y);
    let left = (m - cube.high) - square.low.mul_add(y, cube.low);
    let root = (y + left / (3.0 * square.high)) * f64::power_of_two(j);
    let special = (x == 0.0) | !x.is_finite();
    if special { x } else { root.with_sign_of(x) }
}

/// The sum of squares as a pair, scaled by a power of two where it would overflow or vanish.
#[inline(always)]
pub(super) fn hypot(x: f64, y: f64) -> f64 {
    let (x, y) = (x.magnitude(), y.magnitude());
    let ordered = x > y;
    let (a, b) = (if ordered { x } else { y }, if ordered { y } else { x });
    let (scale, back) = (f64::power_of_two(600.0), f64::power_of_two(-600.0));
    let (large, small) = (a > f64::power_of_two(500.0), a < f64::power_of_two(-400.0));
    let up = if small { scale } else { 1.0 };
    let (up, down) = (if large { back } else { up }, if small { back } else { 1.0 });
    let down = if large { scale } else { down };
    let (a, b) = (Pair::product(a * up, a * up), b * up);
    let b = Pair::product(b, b);
    let root = Pair::ordered(a.high, b.high).plus(a.low + b.low).renewed().square_root();
    let infinite = (x == f64::INFINITY) | (y == f64::INFINITY);
    if infinite { f64::INFINITY } else { root.rounded() * down }
}
