//! `asinh`, `acosh` and `atanh`, as logarithms of `1 + t` with t a pair, so that nothing is lost near 0 and 1.

use super::log::{Logarithm, log_of_sum};
use super::real::{Pair, Real, at_most};

/// Beyond, `asinh x` and `acosh x` are `log 2x` to the last bit of an `f64`.
fn huge<R: Real>() -> R {
    // 2^32
    R::power_of_two(R::TWO * R::TWO * R::TWO * R::TWO * R::TWO)
}

/// Of `y + root`, or beyond `huge` twice `a`, the logarithm: `log(1 + t)`.
#[inline(always)]
fn logarithm<R: Logarithm>(a: R, t: Pair<R>) -> R {
    let large = a > huge();
    let t = Pair { high: if large { a } else { t.high }, low: if large { R::ZERO } else { t.low } };
    let one = if large { R::ZERO } else { R::ONE };
    log_of_sum(one, t, one_if(large))
}

#[inline(always)]
fn one_if<R: Real>(condition: bool) -> R {
    if condition { R::ONE } else { R::ZERO }
}

/// asinh |x| = log(1 + t), t = |x| + x^2 / (1 + sqrt(1 + x^2)).
#[inline(always)]
pub(super) fn asinh<R: Logarithm>(x: R) -> R {
    let a = x.magnitude();
    let y = at_most(a, huge());
    let square = Pair::product(y, y);
    let root = Pair::sum(R::ONE, square.high).plus(square.low).renewed().square_root();
    let below = Pair::ordered(root.high, R::ONE).plus(root.low).renewed();
    let second = square.quotient(below);
    let t = Pair::ordered(y, second.high).plus(second.low).renewed();
    logarithm(a, t).with_sign_of(x)
}

/// acosh x = log(1 + t), t = u + sqrt(u^2 + 2u) with u = x - 1.
#[inline(always)]
pub(super) fn acosh<R: Logarithm>(x: R) -> R {
    let u = Pair::sum(at_most(x, huge()), -R::ONE);
    let square = Pair::product(u.high, u.high);
    let twice = R::TWO * u.low;
    let under = Pair::sum(square.high, R::TWO * u.high).plus(square.low + u.high.mul_add(twice, twice));
    let root = under.renewed().square_root();
    let t = Pair::sum(root.high, u.high).plus(root.low + u.low).renewed();
    let y = logarithm(x, t);
    if x < R::ONE { R::NAN } else { y }
}

/// atanh |x| = log(1 + t) / 2, t = 2|x| / (1 - |x|).
#[inline(always)]
pub(super) fn atanh<R: Logarithm>(x: R) -> R {
    let a = x.magnitude();
    let t = Pair { high: R::TWO * a, low: R::ZERO }.quotient(Pair::ordered(R::ONE, -a));
    let y = R::HALF * log_of_sum(R::ONE, t, R::ZERO);
    let y = if a < R::ONE { y } else { R::INFINITY };
    let y = if a <= R::ONE { y } else { R::NAN };
    // Of subnormal numbers the half would be rounded twice.
    if a < R::power_of_two(-(R::TWO * R::TWO * R::TWO * R::TWO * R::TWO)) { x } else { y.with_sign_of(x) }
}
