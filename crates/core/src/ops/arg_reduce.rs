//! `argmax` and `argmin`: where the extremum is.

use super::axes::Axes;
use super::operands::{arrays, result};
use super::reduce::shape_without;
use super::view::{blank, elements};
use super::{Attributes, Definition, Sample, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::scalar::compare_fn;
use wengert_kernel::{Comparison, DType, Element, with_element};

/// The index, as `i64`, of the first greatest or least element along an axis, which goes; the first NaN wins.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5]) {
///   %1: i64[] = argmax[axis=0] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ArgReduce {
    /// Greatest, else least.
    pub max: bool,
    /// The axis searched.
    pub axis: usize,
}

impl ArgReduce {
    fn search<T: Element>(&self, x: &ArrayValue) -> Result<ArrayValue, Error> {
        let mut y = blank(DType::I64, &shape_without(&x.shape, &[self.axis], false))?;
        let better = compare_fn::<T>(if self.max { Comparison::Gt } else { Comparison::Lt });
        #[allow(clippy::eq_op)]
        let is_nan = |x: T| x != x;
        let n = x.shape[self.axis];
        let inner: usize = x.shape[self.axis + 1..].iter().product();
        let data = elements::<T>(x);
        for (k, result) in y.make_mut().as_mut_slice::<i64>().expect("it was made so").iter_mut().enumerate() {
            let first = k / inner * n * inner + k % inner;
            let mut best = data[first];
            for i in 1..n {
                let x = data[first + i * inner];
                if !is_nan(best) && (is_nan(x) || better(x, best)) {
                    (best, *result) = (x, i as i64);
                }
            }
        }
        Ok(y)
    }
}

impl Primitive for ArgReduce {
    fn name(&self) -> &'static str {
        if self.max { "argmax" } else { "argmin" }
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("axis", Attribute::Int(self.axis as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        match x.shape.get(self.axis) {
            None => Err(TypeError::new(format!("{x} has no axis {}", self.axis))),
            Some(0) => Err(TypeError::new(format!(
                "{x} is empty along axis {}, so nothing is {}; `concatenate` a value to start from",
                self.axis,
                if self.max { "greatest" } else { "least" }
            ))),
            Some(_) => result(DType::I64, shape_without(&x.shape, &[self.axis], false)),
        }
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let y = with_element!(x.dtype(), T => self.search::<T>(x))?;
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(self.clone(), x)
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        vec![Batched::mapped(apply(ArgReduce { max: self.max, axis: self.axis + 1 }, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::ArgReduce { max: self.max, axis: self.axis }
    }
}

impl Definition for ArgReduce {
    const NAMES: &'static [&'static str] = &["argmax", "argmin"];

    fn parse(name: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(ArgReduce { max: name == "argmax", axis: attributes.size("axis")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for max in [true, false] {
            let mut add = |axis, x: Value| all.push(Sample::new(ArgReduce { max, axis }, vec![x]));
            let shapes: [(&[usize], usize); 6] =
                [(&[5], 0), (&[3, 5], 0), (&[3, 5], 1), (&[2, 3, 5], 1), (&[0, 3], 1), (&[1, 1], 0)];
            for (shape, axis) in shapes {
                add(axis, Sample::numbers(DType::F64, shape));
            }
            for dtype in samples::computed() {
                add(0, Sample::numbers(dtype, &[17]));
            }
            add(1, ArrayValue::new(&[2, 3], vec![1.0, f64::NAN, 3.0, f64::NAN, f64::INFINITY, f64::NAN]).into());
            add(1, ArrayValue::new(&[2, 3], vec![-0.0f32, 0.0, 0.0, 0.0, -0.0, f32::NEG_INFINITY]).into());
            add(0, ArrayValue::new(&[3], vec![f64::NEG_INFINITY; 3]).into());
            add(0, ArrayValue::new(&[4], vec![i64::MAX - 1, i64::MIN, i64::MAX, i64::MIN]).into());
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let mut all = Vec::new();
        for max in [true, false] {
            for dtype in samples::computed().filter(|_| n > 0) {
                let mut add = |axis, x: Value| all.push(Sample::new(ArgReduce { max, axis }, vec![x]));
                add(0, samples::hard(dtype, &[n]));
                add(1, samples::ties(dtype, &[3, n]));
                add(0, samples::ties(dtype, &[n, 3]));
            }
        }
        all
    }
}

#[track_caller]
fn searched(max: bool, x: &Array, axes: impl Axes) -> Array {
    let (axes, keep) = accept(axes.axes(x.rank()), &[x]);
    let shape = x.shape();
    let y = match axes[..] {
        [axis] => apply(ArgReduce { max, axis }, &[x]),
        // Several axes are one, in row-major order, when they are brought to the end.
        _ => {
            let kept: SmallVec<[usize; 4]> = (0..x.rank()).filter(|a| !axes.contains(a)).collect();
            let order: Vec<usize> = kept.iter().chain(&axes).copied().collect();
            let mut merged: Shape = kept.iter().map(|&a| shape[a]).collect();
            merged.push(axes.iter().map(|&a| shape[a]).product());
            apply(ArgReduce { max, axis: kept.len() }, &[&x.permute(order).with_shape(&merged)])
        }
    };
    y.with_shape(&shape_without(&shape, &axes, keep))
}

impl Array {
    /// The index of the first greatest element in row-major order, as `i64`; of the first NaN when there is one.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1.0, 4.0], [4.0, 2.0]]).argmax(), Array::from(1i64));
    /// ```
    #[track_caller]
    pub fn argmax(&self) -> Array {
        let _called = called("argmax");
        searched(true, self, ..)
    }

    /// The indices of the first greatest elements along an axis; along several, in row-major order of these.
    /// See [`Array::argmax`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1.0, 4.0], [4.0, 2.0]]).argmax_axis(0), Array::from([1i64, 0]));
    /// ```
    #[track_caller]
    pub fn argmax_axis(&self, axes: impl Axes) -> Array {
        let _called = called("argmax_axis");
        searched(true, self, axes)
    }

    /// The index of the first least element in row-major order, as `i64`; of the first NaN when there is one.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([3.0, 1.0, 1.0]).argmin(), Array::from(1i64));
    /// ```
    #[track_caller]
    pub fn argmin(&self) -> Array {
        let _called = called("argmin");
        searched(false, self, ..)
    }

    /// The indices of the first least elements along an axis; along several, in row-major order of these.
    /// See [`Array::argmin`].
    ///
    /// ```
    /// # use wengert_core::{Array, ops::keepdims};
    /// let x = Array::from([[3.0, 1.0], [0.0, 2.0]]);
    /// assert_eq!(x.argmin_axis(keepdims(1)), Array::from([[1i64], [0]]));
    /// ```
    #[track_caller]
    pub fn argmin_axis(&self, axes: impl Axes) -> Array {
        let _called = called("argmin_axis");
        searched(false, self, axes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn the_first_nan_wins() {
        assert_eq!(Array::from([1.0, f64::NAN, 3.0, f64::NAN]).argmax(), Array::from(1i64));
        assert_eq!(Array::from([-1.0, f64::NAN, -3.0]).argmin(), Array::from(1i64));
        assert_eq!(Array::from([-0.0, 0.0]).argmax(), Array::from(0i64));
    }

    #[test]
    fn several_axes_and_none() {
        let x = Array::from([[[1, 9], [2, 3]], [[8, 0], [9, 9]]]);
        assert_eq!(x.argmax_axis([0, 2]), Array::from([1i64, 2]));
        assert_eq!(Array::from(5.0).argmax(), Array::from(0i64));
        let message = door(|| x.slice(0..0).argmin()).unwrap_err().message;
        assert!(message.contains("empty") && message.contains("i32[0]"), "{message}");
    }
}
