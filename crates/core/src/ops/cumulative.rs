//! `cumsum`, `cumprod`, `cummax`, `cummin`: what has come together up to each element of an axis.

use super::axes::{Integers, one_axis};
use super::operands::{arrays, result};
use super::recurrence::{Along, check_parts, each_in_turn};
use super::view::{blank, elements};
use super::{Attributes, Definition, Recurrence, Sample, rules, samples};
use crate::array::Array;
use crate::complex;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::refusal::{accept, not_linear};
use crate::source::called;
use crate::trace::apply;
use crate::types::Type;
use crate::value::{ArrayValue, Value};
use smallvec::SmallVec;
use wengert_kernel::scalar::binary_fn;
use wengert_kernel::{Binary, DType, Element, with_element};

/// `[batch.., n, inner]` to the same shape: `y[.., i, k]` is `y[.., i - 1, k]` combined with `x[.., i, k]`, beginning with
/// `x[.., 0, k]`; in reverse from the other end. The order is that of the elements.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5,1]) {
///   %1: f64[5,1] = cumsum[batch=0, reverse=false] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Cumulative {
    /// `Add`, `Mul`, `Max` or `Min`.
    pub op: Binary,
    /// Number of leading batch axes; two axes follow.
    pub batch: usize,
    /// From the last element to the first.
    pub reverse: bool,
}

impl Cumulative {
    fn run<T: Element>(&self, x: &ArrayValue) -> Result<ArrayValue, Error> {
        let mut y = blank(x.dtype(), &x.shape)?;
        let combine = binary_fn::<T>(self.op).expect("infer has judged");
        let data = elements::<T>(x);
        let to = y.make_mut().as_mut_slice::<T>().expect("it was made so");
        each_in_turn(&x.shape, self.batch, self.reverse, |i, before| {
            to[i] = before.map_or(data[i], |before| combine(to[before], data[i]));
        });
        Ok(y)
    }

    /// How much of the tangent before each element but the first stays, and how much of the element's own counts: as of
    /// `maximum` and `minimum`, ties share.
    #[track_caller]
    fn shares(&self, before: &Array, x: &Array) -> [Array; 2] {
        let half = |a: &Array, b: &Array| {
            let above = a.gt(b).convert(x.dtype());
            0.5 * (above + a.ge(b).convert(x.dtype()))
        };
        let (high, low) = (half(before, x), half(x, before));
        if self.op == Binary::Max { [high, low] } else { [low, high] }
    }
}

impl Primitive for Cumulative {
    fn name(&self) -> &'static str {
        match self.op {
            Binary::Add => "cumsum",
            Binary::Mul => "cumprod",
            Binary::Max => "cummax",
            Binary::Min => "cummin",
            other => panic!("{other:?} is not cumulative"),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("reverse", Attribute::Bool(self.reverse))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        check_parts(x, self.batch)?;
        result(x.dtype, x.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let y = with_element!(x.dtype(), T => self.run::<T>(x))?;
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let n = x[0].shape()[self.batch];
        let (Some(tangent), true) = (&dx[0], n > 0) else { return rules::jvp_constant(self.clone(), x) };
        if self.op == Binary::Add {
            return rules::jvp_linear(self.clone(), x, dx);
        }
        let y = apply(self.clone(), &[&x[0]]);
        let along = Along { batch: self.batch, reverse: self.reverse, n };
        let before = along.before(&y);
        let [stays, own] = match self.op {
            // y' = x y' + y x'
            Binary::Mul => [along.rest(&x[0]), before],
            _ => self.shares(&before, &along.rest(&x[0])),
        };
        let first = along.first(tangent);
        let unread = super::zeros_any(&first.ty());
        let change = along.joined(&first, &(own * along.rest(tangent)));
        let op = Recurrence { batch: self.batch, reverse: self.reverse };
        let dy = apply(op, &[&along.joined(&unread, &stays), &change]);
        (vec![y], vec![Some(dy)])
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        if self.op != Binary::Add {
            not_linear(&format!("`{}`", self.name()))
        }
        let Some(ct) = &ct[0] else { return };
        into.add(0, apply(Cumulative { reverse: !self.reverse, ..self.clone() }, &[ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Cumulative { batch: self.batch + 1, ..self.clone() }, x, size)
    }

    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        match self.op {
            Binary::Add => Some(complex::each_part(&self.clone().into(), x)),
            Binary::Mul => Some(vec![complex::products_along(x[0], self.batch, self.reverse)]),
            _ => None,
        }
    }

    fn lower(&self) -> Lowering {
        let ints = SmallVec::from_slice(&[self.reverse as i64]);
        Lowering::Call { function: self.name(), batch: self.batch, ints }
    }
}

impl Definition for Cumulative {
    const NAMES: &'static [&'static str] = &["cumsum", "cumprod", "cummax", "cummin"];

    fn parse(name: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let op = match name {
            "cumsum" => Binary::Add,
            "cumprod" => Binary::Mul,
            "cummax" => Binary::Max,
            _ => Binary::Min,
        };
        Ok(Cumulative { op, batch: attributes.size("batch")?, reverse: attributes.bool("reverse")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for op in [Binary::Add, Binary::Mul, Binary::Max, Binary::Min] {
            for reverse in [false, true] {
                for shape in
                    [&[5, 1][..], &[1, 1], &[0, 1], &[4, 3], &[2, 3, 1], &[2, 3, 2], &[0, 3, 1], &[2, 0, 2], &[3, 0]]
                {
                    let op = Cumulative { op, batch: shape.len() - 2, reverse };
                    let linear = op.op == Binary::Add;
                    let sample = Sample::new(op, vec![Sample::numbers(DType::F64, shape)]);
                    all.push(if linear { sample.linear(&[0]) } else { sample.smooth(&[0]) });
                }
                let op = Cumulative { op, batch: 0, reverse };
                for dtype in samples::computed().filter(|&dtype| dtype != DType::Bool) {
                    all.push(Sample::new(op.clone(), vec![samples::ties(dtype, &[9, 2])]));
                    all.push(Sample::new(op.clone(), vec![samples::hard(dtype, &[40, 1])]));
                }
            }
        }
        let zeros = ArrayValue::new(&[5, 1], vec![2.0, 0.0, 3.0, 0.0, 5.0]);
        let op = Cumulative { op: Binary::Mul, batch: 0, reverse: false };
        all.push(Sample::new(op, vec![zeros.into()]).smooth(&[0]));
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let mut all = Vec::new();
        for op in [Binary::Add, Binary::Mul, Binary::Max, Binary::Min] {
            for dtype in [DType::F64, DType::F32, DType::I32] {
                for shape in [[n, 1], [3, n]] {
                    let op = Cumulative { op, batch: 0, reverse: n % 2 == 1 };
                    all.push(Sample::new(op, vec![samples::hard(dtype, &shape)]));
                }
            }
        }
        all
    }
}

/// Along one axis of an array of any rank.
#[track_caller]
fn along(op: Binary, x: &Array, axis: impl Integers, reverse: bool) -> Array {
    let axis = accept(one_axis(&axis, x.rank()), &[x]);
    let x = match op {
        Binary::Add | Binary::Mul => super::reduce::widened(x),
        _ => x.clone(),
    };
    let shape = x.shape();
    let mut parts = crate::types::Shape::from(&shape[..=axis]);
    parts.push(shape[axis + 1..].iter().product());
    apply(Cumulative { op, batch: axis, reverse }, &[&x.with_shape(&parts)]).with_shape(&shape)
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident, $(#[$reverse_doc:meta])* $reverse:ident, $op:ident;)*) => {
        impl Array {$(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, axis: impl Integers) -> Array {
                let _called = called(stringify!($name));
                along(Binary::$op, self, axis, false)
            }

            $(#[$reverse_doc])*
            #[track_caller]
            pub fn $reverse(&self, axis: impl Integers) -> Array {
                let _called = called(stringify!($reverse));
                along(Binary::$op, self, axis, true)
            }
        )*}
    };
}

methods! {
    /// The sums of the elements along an axis up to each, itself among them. They are added one after the other. Small
    /// integers and `bool` add up in 64 bits.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, 2.0, 3.0]).cumsum(0), Array::from([1.0, 3.0, 6.0]));
    /// ```
    cumsum,
    /// The sums of the elements along an axis from each to the last. See [`Array::cumsum`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, 2.0, 3.0]).cumsum_reverse(0), Array::from([6.0, 5.0, 3.0]));
    /// ```
    cumsum_reverse, Add;
    /// The products of the elements along an axis up to each, itself among them. Derivatives are exact at zeros. Small
    /// integers and `bool` multiply in 64 bits.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 3.0, 4.0]).cumprod(0), Array::from([2.0, 6.0, 24.0]));
    /// ```
    cumprod,
    /// The products of the elements along an axis from each to the last. See [`Array::cumprod`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 3.0, 4.0]).cumprod_reverse(0), Array::from([24.0, 12.0, 4.0]));
    /// ```
    cumprod_reverse, Mul;
    /// The greatest of the elements along an axis up to each; NaN from the first NaN on. Where an element equals the
    /// greatest before it, the two share the derivative.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, 3.0, 2.0]).cummax(0), Array::from([1.0, 3.0, 3.0]));
    /// ```
    cummax,
    /// The greatest of the elements along an axis from each to the last. See [`Array::cummax`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, 3.0, 2.0]).cummax_reverse(0), Array::from([3.0, 3.0, 2.0]));
    /// ```
    cummax_reverse, Max;
    /// The least of the elements along an axis up to each; NaN from the first NaN on. Where an element equals the least
    /// before it, the two share the derivative.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 3.0, 1.0]).cummin(0), Array::from([2.0, 2.0, 1.0]));
    /// ```
    cummin,
    /// The least of the elements along an axis from each to the last. See [`Array::cummin`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 3.0, 1.0]).cummin_reverse(0), Array::from([1.0, 1.0, 1.0]));
    /// ```
    cummin_reverse, Min;
}

impl Array {
    /// `h[i] = a[i] h[i - 1] + b[i]` along an axis, where `a` is this array, beginning with `b[0]`; `a[0]` is not read. In
    /// time linear in the length, and so are its derivatives.
    ///
    /// # Panics
    /// When shapes or dtypes differ, or the axis does not exist.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let (decay, x) = (Array::from([0.5, 0.5, 0.5]), Array::from([1.0, 0.0, 2.0]));
    /// assert_eq!(decay.linear_recurrence(&x, 0), Array::from([1.0, 0.5, 2.25]));
    /// ```
    #[track_caller]
    pub fn linear_recurrence(&self, b: &Array, axis: impl Integers) -> Array {
        let _called = called("linear_recurrence");
        let axis = accept(one_axis(&axis, self.rank()), &[self, b]);
        let (a, b_type) = (self.array_type(), b.array_type());
        accept(super::operands::same_dtype(&a, &b_type), &[self, b]);
        if a.shape != b_type.shape {
            crate::refusal::refuse(format!("{a} and {b_type} differ in shape; `broadcast_to` one of them"), &[self, b])
        }
        let mut parts = crate::types::Shape::from(&a.shape[..=axis]);
        parts.push(a.shape[axis + 1..].iter().product());
        let op = Recurrence { batch: axis, reverse: false };
        apply(op, &[&self.with_shape(&parts), &b.with_shape(&parts)]).with_shape(&a.shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn any_axis_and_dtype() {
        let x = Array::from([[1, 2], [3, 4], [5, 6]]);
        assert_eq!(x.cumsum(0), Array::from([[1i64, 2], [4, 6], [9, 12]]));
        assert_eq!(x.cumsum(-1), Array::from([[1i64, 3], [3, 7], [5, 11]]));
        assert_eq!(x.cummax_reverse(0), Array::from([[5, 6], [5, 6], [5, 6]]));
        assert_eq!(Array::from([true, true]).cumsum(0), Array::from([1i64, 2]));
        assert_eq!(x.slice(0..0).cumprod(0).shape().as_slice(), [0, 2]);
        let nan = Array::from([1.0, f64::NAN, 2.0]).cummax(0).is_nan();
        assert_eq!(nan, Array::from([false, true, true]));
    }

    #[test]
    fn refusals() {
        assert!(door(|| Array::from(1.0).cumsum(0)).unwrap_err().message.contains("axis 0 does not exist"));
        assert!(door(|| Array::from([true]).cummax(0)).unwrap_err().message.contains("holds no numbers"));
        let (x, y) = (Array::from([1.0, 2.0]), Array::from([1.0]));
        assert!(door(|| x.linear_recurrence(&y, 0)).unwrap_err().message.contains("differ in shape"));
    }
}
