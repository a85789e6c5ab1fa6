//! Elementwise and special functions of numbers, and loops and branches over them; and exact results of integers.

use super::{Case, Compared};
use wengert::prelude::*;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
const PI: f64 = std::f64::consts::PI;

// By mpmath 1.4: gammainc at a = x = 1/2 and its derivatives; its complement at a = 2, x = 40; betainc at a = 2, b = 3,
// x = 1/4.
const IGAMMA: f64 = 0.6826894921370859;
const IGAMMA_BY_A: f64 = -0.6472003523777539;
const IGAMMA_BY_X: f64 = 0.4839414490382867;
const TAIL: f64 = 1.7418252446695514e-16;
const TAIL_BY_A: f64 = 5.732487245607515e-16;
const TAIL_BY_X: f64 = -1.6993417021166355e-16;
const BETA: f64 = 0.26171875;
const BETA_BY_A: f64 = -0.22805360232434638;
const BETA_BY_B: f64 = 0.1069215300522914;
const BETA_BY_X: f64 = 1.6875;

/// A function of scalars.
type Function = fn(&[Array]) -> Array;

/// One row.
struct Row {
    name: &'static str,
    function: Function,
    at: &'static [f64],
    value: f64,
    /// By reverse mode.
    slopes: &'static [f64],
    /// By forward mode, where that differs.
    forward: Option<&'static [f64]>,
}

macro_rules! rows {
    ($($name:literal: |$x:ident| $f:expr, at [$($at:expr),*], $value:expr, [$($slope:expr),*] $(, forward [$($forward:expr),*])?;)*) => {
        &[$(Row {
            name: $name,
            function: |$x: &[Array]| -> Array { $f },
            at: &[$($at),*],
            value: $value,
            slopes: &[$($slope),*],
            forward: rows!(@forward $($($forward),*)?),
        }),*]
    };
    (@forward) => { None };
    (@forward $($forward:expr),+) => { Some(&[$($forward),+]) };
}

/// The scalars as one vector.
fn vector(x: &[Array]) -> Array {
    stack(x, 0)
}

/// The derivative of a function of one number, so many times.
fn derivative(order: usize, f: fn(&Array) -> Array, x: &Array) -> Array {
    if order == 0 { f(x) } else { grad(|x: Array| derivative(order - 1, f, &x))(x.clone()) }
}

#[rustfmt::skip]
const ELEMENTWISE: &[Row] = rows! {
    "maximum at a tie": |x| x[0].maximum(&x[1]), at [2.0, 2.0], 2.0, [0.5, 0.5];
    "minimum at a tie": |x| x[0].minimum(&x[1]), at [2.0, 2.0], 2.0, [0.5, 0.5];
    "maximum of a number and itself": |x| x[0].maximum(&x[0]), at [3.0], 3.0, [1.0];
    "maximum with NaN": |x| x[0].maximum(&x[1]), at [NAN, 1.0], NAN, [0.0, 0.0];
    "relu at 0": |x| x[0].relu(), at [0.0], 0.0, [0.0];
    "maximum(x, 0) at 0": |x| x[0].maximum(0.0), at [0.0], 0.0, [0.5];
    "clip at its lower bound": |x| x[0].clip(0.0, 1.0), at [0.0], 0.0, [0.5];
    "clip at its upper bound": |x| x[0].clip(0.0, 1.0), at [1.0], 1.0, [0.5];
    "clamp at its lower bound": |x| x[0].clamp(0.0, 1.0), at [0.0], 0.0, [0.0];
    "clamp at its upper bound": |x| x[0].clamp(0.0, 1.0), at [1.0], 1.0, [0.0];
    "clamp inside": |x| x[0].clamp(0.0, 1.0), at [0.5], 0.5, [1.0];
    "clamp moves with its bounds": |x| x[0].clamp(&x[1], &x[2]), at [-1.0, 0.0, 1.0], 0.0, [0.0, 1.0, 0.0];
    // JAX: 1, as if from above; PyTorch and MLX as here.
    "abs at 0": |x| x[0].abs(), at [0.0], 0.0, [0.0];
    // JAX: -1.
    "abs at NaN": |x| x[0].abs(), at [NAN], NAN, [NAN];
    "sign at 0": |x| x[0].sign(), at [0.0], 0.0, [0.0];
    "sqrt at 0": |x| x[0].sqrt(), at [0.0], 0.0, [INF];
    "sqrt(x * x) at 0": |x| (&x[0] * &x[0]).sqrt(), at [0.0], 0.0, [NAN];
    "where(x > 0, log x, 0) at 0": |x| where_(&x[0].gt(0.0), x[0].log(), 0.0), at [0.0], 0.0, [NAN], forward [0.0];
    "the same by cond": |x| cond(&x[0].gt(0.0), || x[0].log(), || zeros_like(&x[0])), at [0.0], 0.0, [0.0];
    "the same by cond at 1": |x| cond(&x[0].gt(0.0), || x[0].log(), || zeros_like(&x[0])), at [1.0], 0.0, [1.0];
    // JAX: NaN by the base; PyTorch as here, for x^0 is constant.
    "pow(0, 0)": |x| x[0].pow(&x[1]), at [0.0, 0.0], 1.0, [0.0, 0.0];
    "pow(0, 2)": |x| x[0].pow(&x[1]), at [0.0, 2.0], 0.0, [0.0, 0.0];
    "pow(-2, 3)": |x| x[0].pow(&x[1]), at [-2.0, 3.0], -8.0, [12.0, NAN];
    "x to a whole power that is an array, 0, at 0": |x| x[0].pow(Array::from(0)), at [0.0], 1.0, [0.0];
    "x^0 at 0": |x| x[0].powi(0), at [0.0], 1.0, [0.0];
    "x^1 at 0": |x| x[0].powi(1), at [0.0], 0.0, [1.0];
    "x^2 at 0": |x| x[0].powi(2), at [0.0], 0.0, [0.0];
    "x / x at 0": |x| { let x = &x[0]; x / x.clone() }, at [0.0], NAN, [NAN];
    "log at -1": |x| x[0].log(), at [-1.0], NAN, [-1.0];
    "x log x at 0": |x| &x[0] * x[0].log(), at [0.0], NAN, [NAN];
    "atan2 at the origin": |x| x[0].atan2(&x[1]), at [0.0, 0.0], 0.0, [NAN, NAN];
    "hypot at the origin": |x| x[0].hypot(&x[1]), at [0.0, 0.0], 0.0, [0.5, 0.5];
    "acos at 1": |x| x[0].acos(), at [1.0], 0.0, [-INF];
    "division by 0": |x| &x[0] / &x[1], at [1.0, 0.0], INF, [INF, -INF];
    "rem(-5.5, 2)": |x| &x[0] % &x[1], at [-5.5, 2.0], -1.5, [1.0, 2.0];
    "remainder at an exact multiple": |x| x[0].remainder(&x[1]), at [4.0, 2.0], 0.0, [1.0, -2.0];
    "remainder with another sign": |x| x[0].remainder(&x[1]), at [7.5, -2.0], -0.5, [1.0, 4.0];
    "floor_divide": |x| x[0].floor_divide(&x[1]), at [7.5, 2.0], 3.0, [0.0, 0.0];
    "cbrt at 0": |x| x[0].cbrt(), at [0.0], 0.0, [INF];
    "acosh at 1": |x| x[0].acosh(), at [1.0], 0.0, [INF];
    "atanh at 1": |x| x[0].atanh(), at [1.0], INF, [INF];
    "erf_inv at 1": |x| x[0].erf_inv(), at [1.0], INF, [INF];
    "nextafter": |x| x[0].nextafter(&x[1]), at [0.0, 1.0], 5e-324, [0.0, 0.0];
    "perturbations are not confused": |x| grad(|x: Array| &x * grad(|y: Array| &x + y)(Array::from(1.0)))(x[0].clone()), at [1.0], 1.0, [0.0];
    "sixth derivative of 1 / x": |x| derivative(6, |x| 1.0 / x, &x[0]), at [4.0], 0.0439453125, [-0.076904296875];
    "sixth derivative of 1 / x in f32": |x| derivative(6, |x| 1.0 / x, &x[0].convert(DType::F32)).convert(DType::F64), at [4.0], 0.0439453125, [-0.076904296875];
};

/// Lanes below 0 are not doubled: they would not end.
fn doubled(x: &Array) -> Array {
    while_loop(|x: Array| x.lt(5.0) & x.gt(0.0), |x: Array| x * 2.0, x.clone())
}

/// JAX has no reverse mode through these; forward it gives the same.
#[rustfmt::skip]
const CONTROL: &[Row] = rows! {
    "while it is small, doubled": |x| doubled(&x[0]), at [1.0], 8.0, [8.0];
    "while it is small, not at all": |x| doubled(&x[0]), at [6.0], 6.0, [1.0];
    "while it is small, from NaN": |x| doubled(&x[0]), at [NAN], NAN, [1.0];
    "as many rounds as an operand says": |x| fori_loop(0, x[1].convert(DType::I64), |_, y: Array| y * &x[0], ones_like(&x[0])), at [2.0, 3.0], 8.0, [12.0, 0.0];
    "no rounds": |x| fori_loop(0, x[1].convert(DType::I64), |_, y: Array| y * &x[0], ones_like(&x[0])), at [2.0, -3.0], 1.0, [0.0, 0.0];
};

#[rustfmt::skip]
const SPECIAL: &[Row] = rows! {
    "xlogy(0, 3)": |x| x[0].xlogy(&x[1]), at [0.0, 3.0], 0.0, [1.0986122886681098, 0.0];
    "xlogy(0, 0)": |x| x[0].xlogy(&x[1]), at [0.0, 0.0], 0.0, [-INF, NAN];
    "xlog1py(0, -1)": |x| x[0].xlog1py(&x[1]), at [0.0, -1.0], 0.0, [-INF, NAN];
    "entr at 0": |x| x[0].entr(), at [0.0], 0.0, [INF];
    "logsumexp of -inf alone": |x| vector(x).logsumexp(), at [-INF, -INF], -INF, [NAN, NAN];
    "logsumexp of inf": |x| vector(x).logsumexp(), at [INF, 0.0], INF, [NAN, 0.0], forward [NAN, NAN];
    "logaddexp(-inf, -inf)": |x| x[0].logaddexp(&x[1]), at [-INF, -INF], -INF, [NAN, NAN];
    "logaddexp(inf, inf)": |x| x[0].logaddexp(&x[1]), at [INF, INF], INF, [1.0, 1.0];
    "logaddexp2 at a tie": |x| x[0].logaddexp2(&x[1]), at [3.0, 3.0], 4.0, [0.5, 0.5];
    "softmax of -inf alone": |x| vector(x).softmax(0).at(0), at [-INF, -INF], NAN, [NAN, NAN];
    "softplus at inf": |x| x[0].softplus(), at [INF], INF, [1.0];
    "softplus at -inf": |x| x[0].softplus(), at [-INF], 0.0, [0.0];
    "softplus at 0": |x| x[0].softplus(), at [0.0], std::f64::consts::LN_2, [0.5];
    "sinc at 0": |x| x[0].sinc(), at [0.0], 1.0, [0.0];
    "first derivative of sinc at 0": |x| derivative(1, Array::sinc, &x[0]), at [0.0], 0.0, [-PI * PI / 3.0];
    "second derivative of sinc at 0": |x| derivative(2, Array::sinc, &x[0]), at [0.0], -PI * PI / 3.0, [0.0];
    "third derivative of sinc at 0": |x| derivative(3, Array::sinc, &x[0]), at [0.0], 0.0, [PI * PI * PI * PI / 5.0];
    "fourth derivative of sinc at 0": |x| derivative(4, Array::sinc, &x[0]), at [0.0], PI * PI * PI * PI / 5.0, [0.0];
    "lgamma at 0": |x| x[0].lgamma(), at [0.0], INF, [NAN];
    "lgamma at -1": |x| x[0].lgamma(), at [-1.0], INF, [NAN];
    "digamma at 0": |x| x[0].digamma(), at [0.0], NAN, [INF];
    // By mpmath; JAX has the derivative by a = 1/2.
    "igamma by both": |x| x[0].igamma(&x[1]), at [0.5, 0.5], IGAMMA, [IGAMMA_BY_A, IGAMMA_BY_X];
    "igammac by both": |x| x[0].igammac(&x[1]), at [0.5, 0.5], 1.0 - IGAMMA, [-IGAMMA_BY_A, -IGAMMA_BY_X];
    "igammac of a large number": |x| x[0].igammac(&x[1]), at [2.0, 40.0], TAIL, [TAIL_BY_A, TAIL_BY_X];
    "igamma at x = 0": |x| x[0].igamma(&x[1]), at [2.0, 0.0], 0.0, [0.0, 0.0];
    "igamma of a negative number": |x| x[0].igamma(&x[1]), at [-1.0, 1.0], NAN, [0.0, 0.0];
    // By mpmath; JAX has no derivative by a and b.
    "betainc by all": |x| x[2].betainc(&x[0], &x[1]), at [2.0, 3.0, 0.25], BETA, [BETA_BY_A, BETA_BY_B, BETA_BY_X];
    "betainc at 1": |x| x[0].betainc(2.0, 3.0), at [1.0], 1.0, [0.0];
    "i0 at 0": |x| x[0].i0(), at [0.0], 1.0, [0.0];
    "first derivative of i0 at 0": |x| derivative(1, Array::i0, &x[0]), at [0.0], 0.0, [0.5];
    "i1e at 0": |x| x[0].i1e(), at [0.0], 0.0, [0.5];
    "zeta at 1": |x| x[0].zeta(&x[1]), at [1.0, 1.0], INF, [0.0, 0.0];
    "polygamma at -0.5": |x| x[0].polygamma(1), at [-0.5], 8.934802200544679, [-0.82879664423432];
    "logit at 0": |x| x[0].logit(), at [0.0], -INF, [INF];
    "log_sigmoid far below": |x| x[0].log_sigmoid(), at [-1000.0], -1000.0, [1.0];
};

pub fn cases() -> Vec<Case> {
    ELEMENTWISE.iter().chain(SPECIAL).chain(CONTROL).map(Row::case).collect()
}

impl Row {
    fn case(&self) -> Case {
        Case {
            name: self.name,
            f: Box::new(self.function),
            at: self.at.iter().map(|&x| Array::from(x)).collect(),
            value: vec![self.value],
            reverse: self.slopes.to_vec(),
            forward: self.forward.unwrap_or(self.slopes).to_vec(),
            compared: Compared { to_list: 1e-13, to_first: 0.0, signed_zeros: true },
        }
    }
}

#[test]
fn every_form_agrees() {
    super::check(&cases());
}

/// A function without derivatives, on an array, with its result.
pub type Exact = (&'static str, fn(&Array) -> Array, Array, Array);

#[rustfmt::skip]
pub fn exact() -> Vec<Exact> {
    vec![
        ("i32 by 0", |x| x / 0, array![7, 0, -7], array![-1, -1, -1]),
        ("i32 rem 0", |x| x % 0, array![7, 0, -7], array![7, 0, -7]),
        ("i32 floor_divide by 0", |x| x.floor_divide(0), array![7, -7, 0], array![-2, -2, -1]),
        ("i32 remainder by 0", |x| x.remainder(0), array![7, -7, 0], array![0, 0, 0]),
        ("the least i32 by -1", |x| x / -1, array![i32::MIN, 5, 0], array![i32::MIN, -5, 0]),
        ("the least i32 rem -1", |x| x % Array::from(-1), array![i32::MIN, 5, 0], array![0, 0, 0]),
        ("u32 by 0", |x| x / 0, array![7u32, 0, 1], array![u32::MAX, u32::MAX, u32::MAX]),
        ("shifts by the width and more", |x| x << 33, array![1, -1, 7], array![0, 0, 0]),
        ("a shift by a negative amount", |x| x << -1, array![1, -1, 7], array![0, 0, 0]),
        ("a right shift by more than the width", |x| x >> 33, array![-5, 5, -1], array![-1, 0, -1]),
        ("a logical right shift by more than the width", |x| x.shift_right_logical(33), array![-5, 5, -1], array![0, 0, 0]),
        ("floats to i32", |x| x.convert(DType::I32), array![NAN, INF, -INF, 3e9, -1.9], array![0, i32::MAX, i32::MIN, i32::MAX, -1]),
        ("floats to u32", |x| x.convert(DType::U32), array![-1.0, NAN, 5e9], array![0u32, 0, u32::MAX]),
        ("halves are rounded to even", |x| x.round(), array![0.5, 1.5, 2.5, -0.5], array![0.0, 2.0, 2.0, -0.0]),
        ("clz", |x| x.clz(), array![0, 1, -1], array![32, 31, 0]),
        ("population_count", |x| x.population_count(), array![0u8, 255, 5], array![0u8, 8, 2]),
        ("bits of floats", |x| x.bitcast(DType::I32), array![1f32, -0.0, 0.0], array![0x3f80_0000, i32::MIN, 0]),
        ("max(-0, 0) in either order", |x| x.maximum(-x).bitcast(DType::I64), array![0.0, -0.0], array![0i64, 0]),
        ("argmax with NaN", |x| x.argmax(), array![1.0, NAN, 3.0], Array::from(1i64)),
        ("is_inf", |x| x.is_inf(), array![INF, -INF, NAN, 1.0], array![true, true, false, false]),
    ]
}

#[test]
fn values_without_derivatives() {
    for (name, f, x, expected) in exact() {
        let bits = |y: Array| y.into_value("a test").expect("it is concrete").array().buffer.bytes().to_vec();
        let f = move |x: Array| f(&x);
        let twice = stack(&[x.clone(), x.clone()], 0);
        assert_eq!(f(x.clone()).dtype(), expected.dtype(), "{name}");
        let want = bits(expected);
        assert_eq!(bits(f(x.clone())), want, "{name}");
        assert_eq!(bits(interpret(f)(x.clone())), want, "{name}, interpreted");
        assert_eq!(bits(jit(f)(x)), want, "{name}, compiled");
        let twice_want = [want.as_slice(), &want].concat();
        assert_eq!(bits(interpret(vmap(f))(twice.clone())), twice_want, "{name}, interpreted lanes");
        assert_eq!(bits(jit(vmap(f))(twice)), twice_want, "{name}, compiled lanes");
    }
}
