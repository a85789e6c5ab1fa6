//! Elementwise functions of two operands of one dtype and shape, in one table.
//!
//! A member states the intervals of its operands on which finite differences tell its derivatives, and the partial
//! derivatives in the user's language: `a` and `b` are the operands, `y` the result.

use super::{Attributes, Definition, Sample, elementwise, rules, samples};
use crate::array::Array;
use crate::complex;
use crate::array::operators::combine;
use crate::array::promote::Term;
use crate::error::{Error, TypeError};
use crate::primitive::{Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use crate::refusal::not_linear;
use crate::source::called;
use wengert_kernel::{Binary, DType, Scalar, ScalarOp};

/// `(a, b) -> f(a, b)`, of one shape and dtype.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7], %1: f64[7]) {
///   %2: f64[7] = add %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BinaryOp(pub Binary);

/// How a member's result moves with one of its operands.
enum Partial {
    /// Not at all, or by jumps.
    Zero,
    /// By this function of the operand's tangent and the other operand. It only scales each element, so it is its own
    /// transpose where the member itself is linear.
    Linear(fn(&Array, &Array) -> Array),
    /// By this factor, given `a`, `b` and `y`.
    Factor(fn(&Array, &Array, &Array) -> Array),
}

use Partial::{Factor, Linear, Zero};

struct Member {
    /// Partial derivatives by `a` and by `b`.
    partials: [Partial; 2],
    /// Intervals of `a` and `b` on which it is smooth; `None` when it has no floats.
    smooth: Option<[(f64, f64); 2]>,
}

/// Whether it is linear in the operands that move it linearly. (A remainder moves with its dividend, and is not.)
fn is_linear(op: Binary) -> bool {
    matches!(op, Binary::Add | Binary::Sub | Binary::Mul | Binary::Div)
}

const AROUND: (f64, f64) = (-2.0, 2.0);

#[rustfmt::skip]
fn member(op: Binary) -> Member {
    let of = |smooth, by_a, by_b| Member { partials: [by_a, by_b], smooth: Some(smooth) };
    // Written so that equal things are equal expressions at every order, which keeps nested derivatives small: tangents
    // come first in products, and `1 / b` differentiates to products of itself. No tangent is divided: what the backward
    // pass keeps reads as 0 in lanes that are idle, and is harmless there as a factor only.
    match op {
        Binary::Add => of([AROUND, AROUND], Linear(|da, _| da.clone()), Linear(|db, _| db.clone())),
        Binary::Sub => of([AROUND, AROUND], Linear(|da, _| da.clone()), Linear(|db, _| -db)),
        Binary::Mul => of([AROUND, AROUND], Linear(|da, b| da * b), Linear(|db, a| db * a)),
        Binary::Div => of([AROUND, (0.5, 2.0)], Linear(|da, b| da * (1.0 / b)), Factor(|_, b, y| -(y * (1.0 / b)))),
        Binary::Rem => of([(2.1, 2.4), (0.9, 1.0)], Linear(|da, _| da.clone()), Factor(|a, b, y| -((a - y) / b).round())),
        Binary::Max => of([AROUND, AROUND], Factor(|a, b, _| share(a, b)), Factor(|a, b, _| share(b, a))),
        Binary::Min => of([AROUND, AROUND], Factor(|a, b, _| share(b, a)), Factor(|a, b, _| share(a, b))),
        Binary::Pow => of([(0.4, 2.0), AROUND], Factor(|a, b, _| power_by_base(a, b)), Factor(|a, _, y| y * log_of_base(a))),
        Binary::Atan2 => of([(0.5, 2.0), AROUND], Factor(|a, b, _| b / (a * a + b * b)), Factor(|a, b, _| -a / (a * a + b * b))),
        Binary::Hypot => of([(0.5, 2.0), AROUND], Factor(|a, _, y| cosine(a, y)), Factor(|_, b, y| cosine(b, y))),
        Binary::Xlogy => of([AROUND, (0.5, 2.0)], Factor(|_, b, _| b.log()), Factor(|a, b, _| a * (1.0 / b))),
        Binary::Xlog1py => of([AROUND, (-0.5, 1.0)], Factor(|_, b, _| b.log1p()), Factor(|a, b, _| a * (1.0 / (1.0 + b)))),
        Binary::And | Binary::Or | Binary::Xor | Binary::Shl | Binary::Shr | Binary::Threefry => Member { partials: [Zero, Zero], smooth: None },
    }
}

/// 1 where `a` is greater, 1/2 at a tie, 0 where it is less or either is NaN.
fn share(a: &Array, b: &Array) -> Array {
    let dtype = a.dtype();
    (a.gt(b).convert(dtype) + a.ge(b).convert(dtype)) * 0.5
}

/// `a / y`, and at `y = 0` one half, as JAX has it.
fn cosine(a: &Array, y: &Array) -> Array {
    let origin = y.eq(0.0);
    origin.select(0.5, a * (1.0 / origin.select(1.0, y)))
}

/// `d/da a^b = b a^(b-1)`, and 0 at `a = b = 0`, as `a^0` is constant. Not so for all `a` at `b = 0`: the factor's own
/// derivative by `b` is `1/a` there.
fn power_by_base(a: &Array, b: &Array) -> Array {
    let both_zero = a.eq(0.0) & b.eq(0.0);
    b * both_zero.select(1.0, a).pow(b - 1.0)
}

/// `log a`, where `d/db a^b = a^b log a`; at `a = 0` so that this is 0 for all `b >= 0`.
fn log_of_base(a: &Array) -> Array {
    a.eq(0.0).select(1.0, a).log()
}

/// Functions of two operands, element by element. They broadcast and promote as those of `+` do, and a bare number takes
/// the dtype of the array.
impl Array {
    /// The greater of two elements; NaN when either is NaN. At a tie each has half of the derivative.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.0, 2.0]).maximum(0.0), Array::from([0.0, 2.0]));
    /// ```
    #[track_caller]
    pub fn maximum(&self, other: impl Into<Term>) -> Array {
        let _called = called("maximum");
        combine(Binary::Max, self, other)
    }

    /// The smaller of two elements; NaN when either is NaN. At a tie each has half of the derivative.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.0, 2.0]).minimum(0.0), Array::from([-1.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn minimum(&self, other: impl Into<Term>) -> Array {
        let _called = called("minimum");
        combine(Binary::Min, self, other)
    }

    /// The angle in [-π, π] of the point `(x, self)`, in radians. The derivative at the origin is NaN.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, -0.0]).atan2(0.0), Array::from([std::f64::consts::FRAC_PI_2, -0.0]));
    /// ```
    #[track_caller]
    pub fn atan2(&self, x: impl Into<Term>) -> Array {
        let _called = called("atan2");
        combine(Binary::Atan2, self, x)
    }

    /// `sqrt(x^2 + y^2)` without overflow on the way; infinite when either is. At the origin both derivatives are 1/2.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([3.0, 3e300]).hypot(Array::from([4.0, 4e300])), Array::from([5.0, 5e300]));
    /// ```
    #[track_caller]
    pub fn hypot(&self, y: impl Into<Term>) -> Array {
        let _called = called("hypot");
        combine(Binary::Hypot, self, y)
    }

    /// `x log y`, 0 where `x` is 0 unless `y` is NaN. The derivatives are `log y` and `x / y` there too.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([0.0, 2.0]).xlogy(Array::from([0.0, 1.0])), Array::from([0.0, 0.0]));
    /// ```
    #[track_caller]
    pub fn xlogy(&self, y: impl Into<Term>) -> Array {
        let _called = called("xlogy");
        combine(Binary::Xlogy, self, y)
    }

    /// `x log(1 + y)`, 0 where `x` is 0 unless `y` is NaN. The derivatives are `log(1 + y)` and `x / (1 + y)` there too.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([0.0, 2.0]).xlog1py(Array::from([-1.0, 1e-20])), Array::from([0.0, 2e-20]));
    /// ```
    #[track_caller]
    pub fn xlog1py(&self, y: impl Into<Term>) -> Array {
        let _called = called("xlog1py");
        combine(Binary::Xlog1py, self, y)
    }

    /// The elements to a power: by [`Array::powi`] when it is a whole number written in the program, else floats by
    /// `exp(p log x)` (NaN below 0 unless `p` is whole), integers by squaring.
    ///
    /// `x^0` is 1 and constant, at 0 too. The derivative by `p` is 0 at `x = 0` and NaN below.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([4.0, 9.0]);
    /// assert_eq!(x.pow(2), Array::from([16.0, 81.0]));
    /// assert_eq!(x.pow(0.5), Array::from([2.0, 3.0]));
    /// assert_eq!(x.pow(&Array::from([0.5, 1.0])), Array::from([2.0, 9.0]));
    /// ```
    #[track_caller]
    pub fn pow(&self, p: impl Into<Term>) -> Array {
        let _called = called("pow");
        match p.into() {
            Term::Int(n) => self.powi(n),
            p => combine(Binary::Pow, self, p),
        }
    }

    /// The elements to a real power that is known when the program is written. See [`Array::pow`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([4.0, 9.0]).powf(1.5), Array::from([8.0, 27.0]));
    /// ```
    #[track_caller]
    pub fn powf(&self, p: f64) -> Array {
        let _called = called("powf");
        combine(Binary::Pow, self, p)
    }

    /// The elements to a whole power, by repeated squaring; `x^0` is 1 with derivative 0, at 0 too.
    ///
    /// Negative powers of floats are reciprocals; of integers 0 unless the element is 1 or -1.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, -3.0]).powi(3), Array::from([8.0, -27.0]));
    /// assert_eq!(Array::from([2.0, 0.0]).powi(-1), Array::from([0.5, f64::INFINITY]));
    /// ```
    #[track_caller]
    pub fn powi(&self, n: i32) -> Array {
        let _called = called("powi");
        if !self.dtype().is_inexact() {
            return combine(Binary::Pow, self, n);
        }
        if n == 0 {
            return rules::constant(Scalar::one(self.dtype()), &self.shape());
        }
        let mut left = n.unsigned_abs();
        let mut square = self.clone();
        let mut product: Option<Array> = None;
        loop {
            if left % 2 == 1 {
                product = Some(product.map_or_else(|| square.clone(), |p| p * &square));
            }
            left /= 2;
            if left == 0 {
                break;
            }
            square = &square * &square;
        }
        let power = product.expect("the highest bit is one");
        if n < 0 { 1.0 / power } else { power }
    }

    /// Whether both elements are other than 0 (`false`), as `bool`: what `&` is for `bool` arrays, for every dtype.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1, 2]).logical_and(&Array::from([2, 0])), Array::from([true, false]));
    /// ```
    #[track_caller]
    pub fn logical_and(&self, other: &Array) -> Array {
        let _called = called("logical_and");
        combine(Binary::And, self.convert(DType::Bool), other.convert(DType::Bool))
    }

    /// Whether one of the elements is other than 0 (`false`), as `bool`: what `|` is for `bool` arrays, for every dtype.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1, 0]).logical_or(&Array::from([2, 0])), Array::from([true, false]));
    /// ```
    #[track_caller]
    pub fn logical_or(&self, other: &Array) -> Array {
        let _called = called("logical_or");
        combine(Binary::Or, self.convert(DType::Bool), other.convert(DType::Bool))
    }
}

impl BinaryOp {
    fn op(self) -> ScalarOp {
        ScalarOp::Binary(self.0)
    }
}

impl Primitive for BinaryOp {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        elementwise::infer::<2>(self.op(), args)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        elementwise::eval(self.op(), args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let (a, b) = (&x[0], &x[1]);
        let y = apply(*self, &[a, b]);
        let dy = match (self.0, dx) {
            (Binary::Add | Binary::Sub, [Some(da), Some(db)]) => Some(apply(*self, &[da, db])),
            _ => {
                let [by_a, by_b] = member(self.0).partials;
                let part = |dx: &Option<Array>, other: &Array, partial| match (dx, partial) {
                    (None, _) | (_, Zero) => None,
                    (Some(dx), Linear(f)) => Some(f(dx, other)),
                    (Some(dx), Factor(f)) => Some(dx * f(a, b, &y)),
                };
                match (part(&dx[0], b, by_a), part(&dx[1], a, by_b)) {
                    (Some(p), Some(q)) => Some(p + q),
                    (p, q) => p.or(q),
                }
            }
        };
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        for (i, partial) in member(self.0).partials.into_iter().enumerate() {
            if !into.wants(i) {
                continue;
            }
            match partial {
                // Sums are linear in both operands together and ask nothing of the other one.
                Linear(f) if matches!(self.0, Binary::Add | Binary::Sub) => into.add(i, f(ct, ct)),
                Linear(f) if is_linear(self.0) => into.add(i, f(ct, x[1 - i].known())),
                _ => not_linear(&format!("`{}`", self.name())),
            }
        }
    }

    fn is_bilinear(&self) -> bool {
        self.0 == Binary::Mul
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(*self, x, size)
    }

    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        complex::binary(self.0, x[0], x[1]).map(|y| vec![y])
    }

    fn lower(&self) -> Lowering {
        Lowering::Map(self.op())
    }
}

impl Definition for BinaryOp {
    const NAMES: &'static [&'static str] = &{
        let mut names = [""; Binary::ALL.len()];
        let mut i = 0;
        while i < names.len() {
            names[i] = Binary::ALL[i].name();
            i += 1;
        }
        names
    };

    fn parse(name: &str, _: &Attributes) -> Result<Self, TypeError> {
        let found = Binary::from_name(name).map(BinaryOp);
        found.ok_or_else(|| TypeError::new(format!("there is no function `{name}` of two operands")))
    }

    fn samples() -> Vec<Sample> {
        Binary::ALL.iter().flat_map(|&op| samples_of(op)).collect()
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let hard = |op: Binary, dtype| Sample::new(BinaryOp(op), samples::hard_pair(dtype, &[n]).into());
        let all = |&op| {
            let hard = DType::ALL.into_iter().filter(move |&dtype| taken(op, dtype)).map(move |dtype| hard(op, dtype));
            hard.chain(smooth(op, &[n]))
        };
        Binary::ALL.iter().flat_map(all).collect()
    }
}

fn taken(op: Binary, dtype: DType) -> bool {
    BinaryOp(op).infer(&[Type::scalar(dtype), Type::scalar(dtype)]).is_ok()
}

/// Where it is smooth, and linear if it is so.
fn smooth(op: Binary, shape: &[usize]) -> Vec<Sample> {
    let Some([of_a, of_b]) = member(op).smooth else { return Vec::new() };
    let args = || vec![samples::points(of_a, 0, shape), samples::points(of_b, 1, shape)];
    let smooth = || Sample::new(BinaryOp(op), args());
    match op {
        Binary::Add | Binary::Sub => vec![smooth().linear(&[0, 1])],
        Binary::Mul => vec![smooth().smooth(&[0, 1]), smooth().linear(&[0]), smooth().linear(&[1])],
        Binary::Div => vec![smooth().smooth(&[0, 1]), smooth().linear(&[0])],
        _ => vec![smooth().smooth(&[0, 1])],
    }
}

fn samples_of(op: Binary) -> Vec<Sample> {
    let sample = |(a, b)| Sample::new(BinaryOp(op), vec![a, b]);
    let mut all: Vec<Sample> =
        DType::ALL.into_iter().filter(|&d| taken(op, d)).map(|dtype| sample(samples::hard_pairs(dtype))).collect();
    for dtype in DType::ALL.into_iter().filter(|&d| taken(op, d)) {
        let hard = |shape| Sample::new(BinaryOp(op), samples::hard_pair(dtype, shape).into());
        all.extend(samples::HARD_SHAPES.map(hard));
        if member(op).smooth.is_none() {
            let pair = |a, b| Sample::new(BinaryOp(op), vec![a, b]);
            all.extend(samples::SHAPES.map(|shape| pair(Sample::numbers(dtype, shape), samples::ties(dtype, shape))));
            all.extend(samples::SHAPES.map(|shape| pair(samples::hard(dtype, shape), samples::zeros(dtype, shape))));
        }
    }
    let Some([of_a, of_b]) = member(op).smooth else { return all };
    all.push(sample((samples::points_f32(of_a, 0, &[7]), samples::points_f32(of_b, 1, &[7]))));
    all.extend(samples::SHAPES.into_iter().flat_map(|shape| smooth(op, shape)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{inline, trace_closed};
    use std::sync::Arc;

    fn number(x: &Array) -> f64 {
        x.value("the test").unwrap().array().slice::<f64>()[0]
    }

    /// The partial derivatives by the rule, evaluated at once.
    fn partials(op: Binary, a: f64, b: f64) -> [f64; 2] {
        let (x, one) = ([Array::from(a), Array::from(b)], Some(Array::from(1.0)));
        [[one.clone(), None], [None, one]].map(|dx| {
            let (_, dy) = BinaryOp(op).jvp(&x, &dx);
            number(dy[0].as_ref().expect("it has a tangent"))
        })
    }

    #[test]
    fn maxima_share_ties_and_ignore_nan() {
        assert_eq!(partials(Binary::Max, 1.0, 1.0), [0.5, 0.5]);
        assert_eq!(partials(Binary::Max, -0.0, 0.0), [0.5, 0.5]);
        assert_eq!(partials(Binary::Max, 2.0, 1.0), [1.0, 0.0]);
        assert_eq!(partials(Binary::Min, 2.0, 1.0), [0.0, 1.0]);
        assert_eq!(partials(Binary::Min, 1.0, 1.0), [0.5, 0.5]);
        assert_eq!(partials(Binary::Max, f64::NAN, 1.0), [0.0, 0.0]);
        assert_eq!(partials(Binary::Min, 1.0, f64::NAN), [0.0, 0.0]);
    }

    #[test]
    fn powers_at_zero_and_below() {
        assert_eq!(partials(Binary::Pow, 0.0, 0.0), [0.0, 0.0]);
        assert_eq!(partials(Binary::Pow, 0.0, 1.0), [1.0, 0.0]);
        assert_eq!(partials(Binary::Pow, 0.0, 2.0), [0.0, 0.0]);
        assert_eq!(partials(Binary::Pow, 0.0, 0.5), [f64::INFINITY, 0.0]);
        assert_eq!(partials(Binary::Pow, -1.0, 2.0)[0], -2.0);
        let [by_base, by_exponent] = partials(Binary::Pow, -2.0, 3.0);
        assert!(by_base == 12.0 && by_exponent.is_nan());
    }

    #[test]
    fn quotients_remainders_angles() {
        assert_eq!(partials(Binary::Div, 1.0, 0.0), [f64::INFINITY, f64::NEG_INFINITY]);
        assert_eq!(partials(Binary::Rem, -5.5, 2.0), [1.0, 2.0]);
        assert_eq!(partials(Binary::Rem, 4.0, 2.0), [1.0, -2.0]);
        assert!(partials(Binary::Atan2, 0.0, 0.0).iter().all(|d| d.is_nan()));
        assert_eq!(partials(Binary::Hypot, 0.0, 0.0), [0.5, 0.5]);
        assert_eq!(partials(Binary::Hypot, -3.0, 0.0), [-1.0, 0.0]);
    }

    #[test]
    fn a_sum_of_tangents_is_one_operation() {
        let (x, dx) = ([Array::from(1.0), Array::from(2.0)], [Some(Array::from(3.0)), Some(Array::from(4.0))]);
        let (_, dy) = BinaryOp(Binary::Sub).jvp(&x, &dx);
        assert_eq!(dy[0], Some(Array::from(-1.0)));
    }

    #[test]
    fn whole_powers() {
        let x = Array::from([1.5, -2.0, 0.0]);
        for n in 0..12 {
            let expected: Vec<f64> = [1.5f64, -2.0, 0.0].iter().map(|x| x.powi(n)).collect();
            assert_eq!(x.powi(n), Array::from_slice(&[3], &expected), "{n}");
        }
        assert_eq!(Array::from([2.0, -0.0]).powi(-3), Array::from([0.125, f64::NEG_INFINITY]));
        assert_eq!(Array::from([1.0, 2.0]).powi(i32::MIN), Array::from([1.0, 0.0]));
        assert_eq!(Array::from([2, -1, 3]).powi(-1), Array::from([0, -1, 0]));
        assert_eq!(Array::from([3u8, 2]).pow(3), Array::from([27u8, 8]));
        assert_eq!(Array::from(2f32).pow(0.5).dtype(), DType::F32);
    }

    #[test]
    fn nested_derivatives_stay_small() {
        let ty = [Type::scalar(DType::F64)];
        let mut program = trace_closed(&ty, |x| vec![1.0 / &x[0]]);
        for _ in 0..10 {
            let jvp = crate::transform::jvp(&Arc::new(program), &[true], &[true]).program;
            let seeded =
                |x: Vec<Array>| vec![inline(&jvp, &[x[0].clone(), rules::literal(Scalar::one(DType::F64))]).remove(1)];
            program = crate::program::simplify(&trace_closed(&ty, seeded));
        }
        assert!(program.equation_count() < 200, "{program}");
        let y = crate::interpret::interpret(&program, vec![Value::scalar(2.0)]).unwrap();
        assert_eq!(y[0].array().slice::<f64>(), [3_628_800.0 / 2048.0]);
    }

    #[test]
    fn f32_stays_f32_in_every_rule() {
        let (x, dx) = ([Array::from(1.5f32), Array::from(0.5f32)], Array::from(1f32));
        for &op in Binary::ALL {
            if BinaryOp(op).infer(&x.each_ref().map(Array::ty)).is_ok() {
                let (_, dy) = BinaryOp(op).jvp(&x, &[Some(dx.clone()), Some(dx.clone())]);
                assert_eq!(dy[0].as_ref().map(Array::dtype), Some(DType::F32), "{op}");
            }
        }
    }
}
