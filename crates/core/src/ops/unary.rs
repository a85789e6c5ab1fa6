//! Elementwise functions of one operand, in one table.
//!
//! A member states its name, doc, an interval on which finite differences tell its derivative, and the derivative in
//! the user's language: `x` is the operand, `y` the result.

use super::{Attributes, Definition, Sample, elementwise, rules, samples};
use crate::array::Array;
use crate::complex;
use crate::error::{Error, TypeError};
use crate::primitive::{Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use crate::refusal::not_linear;
use crate::source::called;
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2, LOG2_E, LOG10_E};
use wengert_kernel::{DType, Scalar, ScalarOp, Unary};

/// `x -> f(x)`, of the same shape.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3]) {
///   %1: f64[3] = sin %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UnaryOp(pub Unary);

/// How a member's result moves with its operand.
enum Derivative {
    /// Not at all, or by jumps.
    Zero,
    /// Linearly: the result for a tangent (or a cotangent) in place of the operand.
    Linear(fn(&Array) -> Array),
    /// By this factor `dy/dx`, given `x` and `y`.
    Factor(fn(&Array, &Array) -> Array),
}

use Derivative::{Factor, Linear, Zero};

struct Member {
    smooth: (f64, f64),
    derivative: Derivative,
}

macro_rules! members {
    (
        operators { $($operator:ident, $operator_smooth:expr, $operator_derivative:expr;)* }
        methods { $($(#[$doc:meta])* $name:ident: $op:ident, $smooth:expr, $derivative:expr;)* }
    ) => {
        /// Elementwise functions. The result has the shape of the operand and, but for predicates, its dtype.
        ///
        /// # Panics
        /// At the caller's line when the function is not defined for the dtype: those of analysis take floats only.
        impl Array {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self) -> Array {
                    apply(UnaryOp(Unary::$op), &[self])
                }
            )*
        }

        fn member(op: Unary) -> Member {
            match op {
                $(Unary::$operator => Member { smooth: $operator_smooth, derivative: $operator_derivative },)*
                $(Unary::$op => Member { smooth: $smooth, derivative: $derivative },)*
            }
        }
    };
}

members! {
    operators {
        Neg, (-2.0, 2.0), Linear(|dx| -dx);
        Not, (0.0, 1.0), Zero;
    }
    methods {
        /// Absolute value. Of a signed integer's least value it is that value. The derivative at 0 is 0.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([-1.5, 2.0]).abs(), Array::from([1.5, 2.0]));
        /// ```
        abs: Abs, (-2.0, 2.1), Factor(|x, _| x.sign());
        /// -1, 0 or 1 by sign; zeros keep theirs, NaN stays NaN.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([-1.5, 0.0, 2.0]).sign(), Array::from([-1.0, 0.0, 1.0]));
        /// ```
        sign: Sign, (-2.0, 2.1), Zero;
        /// Square root; NaN below 0. The derivative at 0 is infinite.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([4.0, 9.0]).sqrt(), Array::from([2.0, 3.0]));
        /// ```
        sqrt: Sqrt, (0.3, 4.0), Factor(|_, y| 0.5 / y);
        /// The greatest whole number not above.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([-1.5, 1.5]).floor(), Array::from([-2.0, 1.0]));
        /// ```
        floor: Floor, (1.1, 1.9), Zero;
        /// The least whole number not below.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([-1.5, 1.5]).ceil(), Array::from([-1.0, 2.0]));
        /// ```
        ceil: Ceil, (1.1, 1.9), Zero;
        /// The nearest whole number; of two the even one.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.5, 1.5, 2.7]).round(), Array::from([0.0, 2.0, 3.0]));
        /// ```
        round: Round, (0.6, 1.4), Zero;
        /// `e` to the power of each element.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, f64::NEG_INFINITY]).exp(), Array::from([1.0, 0.0]));
        /// ```
        exp: Exp, (-2.0, 2.0), Factor(|_, y| y.clone());
        /// `exp(x) - 1`, exact near 0, where the subtraction would lose all digits.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, 1e-20]).expm1(), Array::from([0.0, 1e-20]));
        /// ```
        expm1: Expm1, (-2.0, 2.0), Factor(|_, y| y + 1.0);
        /// Natural logarithm; NaN below 0.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([1.0, 0.0]).log(), Array::from([0.0, f64::NEG_INFINITY]));
        /// ```
        log: Log, (0.3, 4.0), Factor(|x, _| 1.0 / x);
        /// `log(1 + x)`, exact near 0, where the addition would lose all digits.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, 1e-20]).log1p(), Array::from([0.0, 1e-20]));
        /// ```
        log1p: Log1p, (-0.6, 3.0), Factor(|x, _| 1.0 / (1.0 + x));
        /// Sine of an angle in radians.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(0.0).sin(), Array::from(0.0));
        /// ```
        sin: Sin, (-3.0, 3.0), Factor(|x, _| x.cos());
        /// Cosine of an angle in radians.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(0.0).cos(), Array::from(1.0));
        /// ```
        cos: Cos, (-3.0, 3.0), Factor(|x, _| -x.sin());
        /// Tangent of an angle in radians.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(0.0).tan(), Array::from(0.0));
        /// ```
        tan: Tan, (-1.2, 1.2), Factor(|_, y| 1.0 + y * y);
        /// The angle in [-π/2, π/2] of that sine; NaN outside [-1, 1].
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(1.0).asin(), Array::from(std::f64::consts::FRAC_PI_2));
        /// ```
        asin: Asin, (-0.8, 0.8), Factor(|x, _| 1.0 / ((1.0 - x) * (1.0 + x)).sqrt());
        /// The angle in [0, π] of that cosine; NaN outside [-1, 1].
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(0.0).acos(), Array::from(std::f64::consts::FRAC_PI_2));
        /// ```
        acos: Acos, (-0.8, 0.8), Factor(|x, _| -1.0 / ((1.0 - x) * (1.0 + x)).sqrt());
        /// The angle in [-π/2, π/2] of that tangent. For the angle of a point see [`Array::atan2`].
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(f64::INFINITY).atan(), Array::from(std::f64::consts::FRAC_PI_2));
        /// ```
        atan: Atan, (-3.0, 3.0), Factor(|x, _| 1.0 / (1.0 + x * x));
        /// Hyperbolic sine.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(0.0).sinh(), Array::from(0.0));
        /// ```
        sinh: Sinh, (-2.0, 2.0), Factor(|x, _| x.cosh());
        /// Hyperbolic cosine.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(0.0).cosh(), Array::from(1.0));
        /// ```
        cosh: Cosh, (-2.0, 2.0), Factor(|x, _| x.sinh());
        /// Hyperbolic tangent.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, f64::INFINITY]).tanh(), Array::from([0.0, 1.0]));
        /// ```
        tanh: Tanh, (-2.0, 2.0), Factor(|_, y| 1.0 - y * y);
        /// The logistic function `1 / (1 + exp(-x))`, also called sigmoid.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, f64::INFINITY]).logistic(), Array::from([0.5, 1.0]));
        /// ```
        logistic: Logistic, (-3.0, 3.0), Factor(|_, y| y * (1.0 - y));
        /// `2` to the power of each element, exact for whole ones.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([3.0, -1.0]).exp2(), Array::from([8.0, 0.5]));
        /// ```
        exp2: Exp2, (-2.0, 2.0), Factor(|_, y| y * LN_2);
        /// Logarithm to base 2, exact for powers of two; NaN below 0.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([8.0, 0.5]).log2(), Array::from([3.0, -1.0]));
        /// ```
        log2: Log2, (0.3, 4.0), Factor(|x, _| LOG2_E / x);
        /// Logarithm to base 10; NaN below 0.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([1000.0, 0.0]).log10(), Array::from([3.0, f64::NEG_INFINITY]));
        /// ```
        log10: Log10, (0.3, 4.0), Factor(|x, _| LOG10_E / x);
        /// Cube root. The derivative at 0 is infinite.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([27.0, -8.0]).cbrt(), Array::from([3.0, -2.0]));
        /// ```
        cbrt: Cbrt, (0.3, 4.0), Factor(|_, y| (1.0 / 3.0) / (y * y));
        /// Inverse hyperbolic sine.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, f64::INFINITY]).asinh(), Array::from([0.0, f64::INFINITY]));
        /// ```
        asinh: Asinh, (-3.0, 3.0), Factor(|x, _| 1.0 / (x * x + 1.0).sqrt());
        /// Inverse hyperbolic cosine; NaN below 1. The derivative at 1 is infinite.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([1.0, f64::INFINITY]).acosh(), Array::from([0.0, f64::INFINITY]));
        /// ```
        acosh: Acosh, (1.3, 4.0), Factor(|x, _| 1.0 / ((x - 1.0) * (x + 1.0)).sqrt());
        /// Inverse hyperbolic tangent; NaN outside [-1, 1].
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, 1.0]).atanh(), Array::from([0.0, f64::INFINITY]));
        /// ```
        atanh: Atanh, (-0.8, 0.8), Factor(|x, _| 1.0 / ((1.0 - x) * (1.0 + x)));
        /// The error function, `2 / sqrt(π)` times the integral of `exp(-t^2)` from 0 to `x`; within 1 ulp.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, f64::INFINITY]).erf(), Array::from([0.0, 1.0]));
        /// ```
        erf: Erf, (-2.0, 2.0), Factor(|x, _| FRAC_2_SQRT_PI * (-(x * x)).exp());
        /// `1 - erf(x)`, exact where it is small; within 2.5 ulp.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, f64::INFINITY]).erfc(), Array::from([1.0, 0.0]));
        /// ```
        erfc: Erfc, (-2.0, 2.0), Factor(|x, _| -FRAC_2_SQRT_PI * (-(x * x)).exp());
        /// The number of which `x` is the error function; NaN outside [-1, 1]. Within 1.5 ulp.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, 1.0]).erf_inv(), Array::from([0.0, f64::INFINITY]));
        /// ```
        erf_inv: ErfInv, (-0.8, 0.8), Factor(|_, y| (1.0 / FRAC_2_SQRT_PI) * (y * y).exp());
        /// `log |Γ(x)|`, infinite at 0, -1, -2, ..., where the derivative is NaN.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([1.0, 0.0]).lgamma(), Array::from([0.0, f64::INFINITY]));
        /// ```
        lgamma: Lgamma, (0.3, 4.0), Factor(|x, _| x.digamma());
        /// The derivative of [`Array::lgamma`]; NaN at 0, -1, -2, ... Within 1e-15, or 10 ulp where that is more.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from(f64::INFINITY).digamma(), Array::from(f64::INFINITY));
        /// ```
        digamma: Digamma, (0.3, 4.0), Factor(|x, _| x.polygamma(1));
        /// The entropy `-x log x`, 0 at 0 and minus infinity below. The derivative at 0 is infinite.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0.0, 1.0, -1.0]).entr(), Array::from([0.0, 0.0, f64::NEG_INFINITY]));
        /// ```
        entr: Entr, (0.3, 4.0), Factor(|x, _| -x.log() - 1.0);
        /// The number of bits that are one, of integers.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0, 5, -1]).population_count(), Array::from([0, 2, 32]));
        /// ```
        population_count: PopulationCount, (0.0, 1.0), Zero;
        /// The number of zero bits above the highest one, of integers.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([0, 1, -1]).clz(), Array::from([32, 31, 0]));
        /// ```
        clz: Clz, (0.0, 1.0), Zero;
        /// Where the elements are neither NaN nor infinite, as `bool`.
        ///
        /// ```
        /// # use wengert_core::Array;
        /// assert_eq!(Array::from([1.0, f64::NAN]).is_finite(), Array::from([true, false]));
        /// ```
        is_finite: IsFinite, (-2.0, 2.0), Zero;
    }
}

/// Short compositions.
impl Array {
    /// Where the elements are infinite, as `bool`; nowhere in integers.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, f64::NAN, f64::NEG_INFINITY]).is_inf(), Array::from([false, false, true]));
    /// ```
    #[track_caller]
    pub fn is_inf(&self) -> Array {
        let _called = called("is_inf");
        if let Some([re, im]) = self.complex_parts() {
            return re.is_inf() | im.is_inf();
        }
        if !self.dtype().is_float() {
            return rules::constant(Scalar::new(false), &self.shape());
        }
        self.abs().eq(f64::INFINITY)
    }

    /// The whole number next to each element on the side of 0.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.5, 1.5]).trunc(), Array::from([-1.0, 1.0]));
    /// ```
    #[track_caller]
    pub fn trunc(&self) -> Array {
        let _called = called("trunc");
        self.lt(0.0).select(self.ceil(), self.floor())
    }

    /// `x * x`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-3, 2]).square(), Array::from([9, 4]));
    /// ```
    #[track_caller]
    pub fn square(&self) -> Array {
        let _called = called("square");
        self * self
    }

    /// `1 / x`: [`Array::recip`] under NumPy's name.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 0.0]).reciprocal(), Array::from([0.5, f64::INFINITY]));
    /// ```
    #[track_caller]
    pub fn reciprocal(&self) -> Array {
        let _called = called("reciprocal");
        1 / self
    }

    /// `1 / x`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 0.0]).recip(), Array::from([0.5, f64::INFINITY]));
    /// ```
    #[track_caller]
    pub fn recip(&self) -> Array {
        let _called = called("recip");
        1 / self
    }

    /// `1 / sqrt(x)`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([4.0, 0.0]).rsqrt(), Array::from([0.5, f64::INFINITY]));
    /// ```
    #[track_caller]
    pub fn rsqrt(&self) -> Array {
        let _called = called("rsqrt");
        1.0 / self.sqrt()
    }

    /// Whether each element is 0 (`false`), as `bool`: what `!` is for `bool` arrays, for every dtype.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([0.0, 2.0]).logical_not(), Array::from([true, false]));
    /// ```
    #[track_caller]
    pub fn logical_not(&self) -> Array {
        let _called = called("logical_not");
        !self.convert(DType::Bool)
    }
}

impl UnaryOp {
    fn op(self) -> ScalarOp {
        ScalarOp::Unary(self.0)
    }
}

impl Primitive for UnaryOp {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        elementwise::infer::<1>(self.op(), args)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        elementwise::eval(self.op(), args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(*self, &[&x[0]]);
        let dy = dx[0].as_ref().and_then(|dx| match member(self.0).derivative {
            Zero => None,
            Linear(f) => Some(f(dx)),
            Factor(f) => Some(dx * f(&x[0], &y)),
        });
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        let Linear(f) = member(self.0).derivative else { not_linear(&format!("`{}`", self.name())) };
        if let Some(ct) = &ct[0] {
            into.add(0, f(ct));
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(*self, x, size)
    }

    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        complex::unary(self.0, x[0]).map(|y| vec![y])
    }

    fn lower(&self) -> Lowering {
        Lowering::Map(self.op())
    }

    fn cheap(&self) -> bool {
        matches!(self.0, Unary::Neg | Unary::Not | Unary::Abs | Unary::Sign)
    }
}

impl Definition for UnaryOp {
    const NAMES: &'static [&'static str] = &{
        let mut names = [""; Unary::ALL.len()];
        let mut i = 0;
        while i < names.len() {
            names[i] = Unary::ALL[i].name();
            i += 1;
        }
        names
    };

    fn parse(name: &str, _: &Attributes) -> Result<Self, TypeError> {
        let found = Unary::from_name(name).map(UnaryOp);
        found.ok_or_else(|| TypeError::new(format!("there is no function `{name}`")))
    }

    fn samples() -> Vec<Sample> {
        Unary::ALL.iter().flat_map(|&op| samples_of(op)).collect()
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let hard = |op: Unary, dtype| Sample::new(UnaryOp(op), vec![samples::hard(dtype, &[n])]);
        let all = |&op| {
            let smooth = taken(op, DType::F64).then(|| smooth(op, &[n]));
            DType::ALL.into_iter().filter(move |&dtype| taken(op, dtype)).map(move |dtype| hard(op, dtype)).chain(smooth)
        };
        Unary::ALL.iter().flat_map(all).collect()
    }
}

fn taken(op: Unary, dtype: DType) -> bool {
    UnaryOp(op).infer(&[Type::scalar(dtype)]).is_ok()
}

/// Where it is smooth, and linear if it is so.
fn smooth(op: Unary, shape: &[usize]) -> Sample {
    let member = member(op);
    let sample = Sample::new(UnaryOp(op), vec![samples::points(member.smooth, 0, shape)]);
    if matches!(member.derivative, Linear(_)) { sample.linear(&[0]) } else { sample.smooth(&[0]) }
}

fn samples_of(op: Unary) -> Vec<Sample> {
    let sample = |x| Sample::new(UnaryOp(op), vec![x]);
    let mut all: Vec<Sample> =
        DType::ALL.into_iter().filter(|&d| taken(op, d)).map(|dtype| sample(samples::hard_values(dtype))).collect();
    for dtype in DType::ALL.into_iter().filter(|&d| taken(op, d)) {
        all.extend(samples::HARD_SHAPES.map(|shape| sample(samples::hard(dtype, shape))));
    }
    if taken(op, DType::F64) {
        all.extend(samples::SHAPES.map(|shape| smooth(op, shape)));
    }
    if taken(op, DType::F32) {
        all.push(sample(samples::points_f32(member(op).smooth, 0, &[7])));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `dy/dx` by the rule, evaluated at once.
    fn factor(op: Unary, x: f64) -> f64 {
        let (_, dy) = UnaryOp(op).jvp(&[Array::from(x)], &[Some(Array::from(1.0))]);
        let dy = dy.into_iter().next().flatten().expect("it has a tangent");
        dy.value("the test").unwrap().array().slice::<f64>()[0]
    }

    #[test]
    fn derivatives_at_hard_points() {
        assert_eq!(factor(Unary::Abs, 0.0), 0.0);
        assert_eq!(factor(Unary::Abs, -0.0), 0.0);
        assert_eq!(factor(Unary::Abs, -3.0), -1.0);
        assert!(factor(Unary::Abs, f64::NAN).is_nan());
        assert_eq!(factor(Unary::Sqrt, 0.0), f64::INFINITY);
        assert_eq!(factor(Unary::Log, -1.0), -1.0);
        assert_eq!(factor(Unary::Log, 0.0), f64::INFINITY);
        assert_eq!(factor(Unary::Asin, 1.0), f64::INFINITY);
        assert_eq!(factor(Unary::Acos, 1.0), f64::NEG_INFINITY);
        assert_eq!(factor(Unary::Tanh, f64::INFINITY), 0.0);
        assert_eq!(factor(Unary::Logistic, f64::NEG_INFINITY), 0.0);
        assert_eq!(factor(Unary::Expm1, f64::NEG_INFINITY), 0.0);
        assert_eq!(factor(Unary::Neg, f64::INFINITY), -1.0);
        assert_eq!(factor(Unary::Cbrt, 0.0), f64::INFINITY);
        assert_eq!(factor(Unary::Acosh, 1.0), f64::INFINITY);
        assert_eq!(factor(Unary::Atanh, -1.0), f64::INFINITY);
        assert_eq!(factor(Unary::Erfc, f64::INFINITY), 0.0);
        assert_eq!(factor(Unary::ErfInv, 1.0), f64::INFINITY);
        assert!(factor(Unary::Lgamma, 0.0).is_nan() && factor(Unary::Lgamma, -1.0).is_nan());
        assert_eq!(factor(Unary::Digamma, f64::INFINITY), 0.0);
    }

    #[test]
    fn steps_and_predicates_have_no_tangent() {
        for op in [Unary::Sign, Unary::Floor, Unary::Ceil, Unary::Round, Unary::IsFinite] {
            let (_, dy) = UnaryOp(op).jvp(&[Array::from(1.0)], &[Some(Array::from(1.0))]);
            assert!(dy[0].is_none(), "{op:?}");
        }
    }

    #[test]
    fn f32_stays_f32_in_every_rule() {
        for &op in Unary::ALL {
            if UnaryOp(op).infer(&[Type::scalar(DType::F32)]).is_ok() {
                let (_, dy) = UnaryOp(op).jvp(&[Array::from(0.5f32)], &[Some(Array::from(1f32))]);
                assert!(dy[0].as_ref().is_none_or(|dy| dy.dtype() == DType::F32), "{op:?}");
            }
        }
    }

    #[test]
    fn not_is_logical_for_bool_and_bitwise_for_integers() {
        assert_eq!(!Array::from([true, false]), Array::from([false, true]));
        assert_eq!(!Array::from([0, -1]), Array::from([-1, 0]));
        assert_eq!(Array::from([0, 5]).logical_not(), Array::from([true, false]));
    }
}
