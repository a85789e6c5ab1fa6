//! `reduce`: a run of axes combined into nothing. Sums, products, extrema, `any`, `all`, means.

use super::axes::Axes;
use super::operands::{arrays, result};
use super::view::{blank, elements};
use super::{Attributes, Broadcast, Definition, Sample, rules, samples};
use crate::halves::in_f32;
use crate::array::Array;
use crate::complex;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::{accept, not_linear};
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::reduce::{fold_last, fold_rows, identity, is_reduction};
use wengert_kernel::scalar::binary_fn;
use wengert_kernel::{Binary, DType, Element, Scalar, with_element};

/// Combines the axes `start..end`, as if they were one, in the order of [`wengert_kernel::reduce`]: that of the last
/// axis when `end` is the rank, else that of rows. The axes go.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5]) {
///   %1: f64[] = reduce_sum[start=0, end=1] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// `Add`, `Mul`, `Max`, `Min`, `And` or `Or`.
    pub op: Binary,
    /// First axis.
    pub start: usize,
    /// One past the last axis.
    pub end: usize,
}

impl Reduce {
    /// How many elements stand before, in and after the run of axes.
    fn sizes(&self, shape: &[usize]) -> [usize; 3] {
        [&shape[..self.start], &shape[self.start..self.end], &shape[self.end..]].map(|axes| axes.iter().product())
    }

    fn result_shape(&self, shape: &[usize]) -> Shape {
        shape[..self.start].iter().chain(&shape[self.end..]).copied().collect()
    }

    /// A result repeated along the axes that went.
    #[track_caller]
    fn restored(&self, y: &Array, shape: &[usize]) -> Array {
        let axes = (0..self.start).chain(self.end..shape.len()).collect();
        apply(Broadcast { shape: shape.into(), axes }, &[y])
    }

    fn fold<T: Element>(&self, x: &ArrayValue) -> Result<ArrayValue, Error> {
        let mut y = blank(T::DTYPE, &self.result_shape(&x.shape))?;
        let [outer, run, inner] = self.sizes(&x.shape);
        let combine = binary_fn::<T>(self.op).expect("infer has judged");
        let identity = identity(self.op, T::DTYPE).get::<T>().expect("it has that dtype");
        let data = elements::<T>(x);
        let results = y.make_mut().as_mut_slice::<T>().expect("it was made so");
        for o in 0..outer {
            let part = &data[o * run * inner..][..run * inner];
            if self.end == x.shape.len() {
                results[o] = fold_last(part, identity, combine);
            } else {
                results[o * inner..][..inner].copy_from_slice(&fold_rows(part, inner, identity, combine));
            }
        }
        Ok(y)
    }
}

impl Primitive for Reduce {
    fn name(&self) -> &'static str {
        match self.op {
            Binary::Add => "reduce_sum",
            Binary::Mul => "reduce_prod",
            Binary::Max => "reduce_max",
            Binary::Min => "reduce_min",
            Binary::And => "reduce_and",
            Binary::Or => "reduce_or",
            other => panic!("{other:?} is no reduction"),
        }
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("start", Attribute::Int(self.start as i64)), ("end", Attribute::Int(self.end as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        if self.start >= self.end || self.end > x.rank() {
            return Err(TypeError::new(format!("{}..{} are no axes of {x}", self.start, self.end)));
        }
        if !is_reduction(self.op, x.dtype) {
            let repair = if x.dtype == DType::Bool { "use `any` or `all`, or `convert` it" } else { "`convert` it" };
            return Err(TypeError::new(format!("the elements of {x} cannot be combined so; {repair}")));
        }
        let empty = (self.start..self.end).find(|&a| x.shape[a] == 0);
        if let (Binary::Max | Binary::Min, Some(axis)) = (self.op, empty) {
            let what = if self.op == Binary::Max { "greatest" } else { "least" };
            return Err(TypeError::new(format!(
                "{x} is empty along axis {axis}, so nothing is {what}; `concatenate` a value to start from"
            )));
        }
        result(x.dtype, self.result_shape(&x.shape))
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let y = with_element!(x.dtype(), T => self.fold::<T>(x))?;
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let Some(tangent) = &dx[0] else { return rules::jvp_constant(self.clone(), x) };
        match self.op {
            Binary::Add => rules::jvp_linear(self.clone(), x, dx),
            Binary::Mul => {
                let y = apply(self.clone(), &[&x[0]]);
                let shape = x[0].shape();
                let [_, run, _] = self.sizes(&shape);
                let mut merged: Shape = shape[..self.start].into();
                merged.push(run);
                merged.extend_from_slice(&shape[self.end..]);
                let dy = product_tangent(&x[0].with_shape(&merged), &tangent.with_shape(&merged), self.start);
                let dy = dy.map(|dy| dy.with_shape(&y.shape()));
                (vec![y], vec![dy])
            }
            Binary::Max | Binary::Min => {
                let y = apply(self.clone(), &[&x[0]]);
                let shape = x[0].shape();
                // Ties share the tangent. With a NaN nothing equals the result, so that all weights are 0 / 0.
                let here = x[0].eq(self.restored(&y, &shape)).convert(x[0].dtype());
                let sum = Reduce { op: Binary::Add, ..self.clone() };
                let weights = &here / self.restored(&apply(sum.clone(), &[&here]), &shape);
                let dy = apply(sum, &[&(tangent * weights)]);
                (vec![y], vec![Some(dy)])
            }
            _ => rules::jvp_constant(self.clone(), x),
        }
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        if self.op != Binary::Add {
            not_linear(&format!("`{}`", self.name()))
        }
        let Some(ct) = &ct[0] else { return };
        into.add(0, self.restored(ct, &x[0].ty().as_array().expect("an array was inferred").shape));
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        let op = Reduce { op: self.op, start: self.start + 1, end: self.end + 1 };
        vec![Batched::mapped(apply(op, &[&x[0].array]))]
    }

    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        (self.op == Binary::Mul).then(|| vec![complex::product_over(x[0], self.start..self.end)])
    }

    fn lower(&self) -> Lowering {
        Lowering::Reduce { op: self.op, start: self.start, end: self.end }
    }
}

/// `sum over i of dx[i] * (product of all x[j] but x[i])` along an axis, which stays with length 1; `None` for no
/// factors.
///
/// By halves: `(a b)' = a b' + a' b` on ever shorter arrays. Nothing is divided, so that zeros are exact to all orders,
/// and the work is linear in the number of factors.
#[track_caller]
fn product_tangent(x: &Array, dx: &Array, axis: usize) -> Option<Array> {
    let n = x.shape()[axis];
    if n == 0 {
        return None;
    }
    let mut half = n.next_power_of_two();
    let mut v = padded(x, axis, half - n, Scalar::one(x.dtype()));
    let mut dv = padded(dx, axis, half - n, Scalar::zero(x.dtype()));
    while half > 1 {
        half /= 2;
        let (a, b) = (v.slice_axis(axis, ..half), v.slice_axis(axis, half..));
        let (da, db) = (dv.slice_axis(axis, ..half), dv.slice_axis(axis, half..));
        dv = &a * db + da * &b;
        v = a * b;
    }
    Some(dv)
}

/// With `n` more elements of one value at the end of an axis.
#[track_caller]
fn padded(x: &Array, axis: usize, n: usize, value: Scalar) -> Array {
    if n == 0 {
        return x.clone();
    }
    let low: SmallVec<[usize; 4]> = SmallVec::from_elem(0, x.rank());
    let mut high = low.clone();
    high[axis] = n;
    apply(super::Pad { low, high }, &[x, &rules::literal(value)])
}

/// Combines some axes, ascending, one run of neighbours after the other, the last first. The axes go.
#[track_caller]
fn combined(op: Binary, x: &Array, axes: &[usize]) -> Array {
    let mut y = x.clone();
    for run in axes.chunk_by(|a, b| a + 1 == *b).rev() {
        y = apply(Reduce { op, start: run[0], end: run[run.len() - 1] + 1 }, &[&y]);
    }
    y
}

/// The sum over some axes, ascending, which go.
#[track_caller]
pub(super) fn sum_over(x: &Array, axes: &[usize]) -> Array {
    combined(Binary::Add, x, axes)
}

/// The shape with some axes gone, or left with length 1.
pub(super) fn shape_without(shape: &[usize], axes: &[usize], keep: bool) -> Shape {
    let length = |(a, &n): (usize, &usize)| match (axes.contains(&a), keep) {
        (false, _) => Some(n),
        (true, keep) => keep.then_some(1),
    };
    shape.iter().enumerate().filter_map(length).collect()
}

#[track_caller]
fn reduced(op: Binary, x: &Array, axes: impl Axes) -> Array {
    let (axes, keep) = accept(axes.axes(x.rank()), &[x]);
    let kept = shape_without(&x.shape(), &axes, keep);
    let x = &match op {
        Binary::Add | Binary::Mul => widened(x),
        Binary::And | Binary::Or => x.convert(DType::Bool),
        _ => x.clone(),
    };
    combined(op, x, &axes).with_shape(&kept)
}

/// As NumPy adds up integers: in 64 bits.
#[track_caller]
pub(super) fn widened(x: &Array) -> Array {
    x.convert(match x.dtype() {
        DType::Bool | DType::I32 => DType::I64,
        DType::U8 | DType::U32 => DType::U64,
        dtype => dtype,
    })
}

/// Reductions. Those called `.._axis` take axes as [`Axes`] (`1`, `-1`, `[0, 2]`, `..`); these go, or stay with
/// length 1 when written `keepdims(..)`. The others combine all elements to a scalar.
///
/// The order in which floats are combined is fixed: that of [`wengert_kernel::reduce`], whatever runs it.
impl Array {
    /// The sum of all elements. Small integers and `bool` add up in 64 bits; of no elements it is 0.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1.0, 2.0], [3.0, 4.0]]).sum(), Array::from(10.0));
    /// ```
    #[track_caller]
    pub fn sum(&self) -> Array {
        let _called = called("sum");
        reduced(Binary::Add, self, ..)
    }

    /// The sums over some axes. See [`Array::sum`].
    ///
    /// ```
    /// # use wengert_core::{Array, ops::keepdims};
    /// let x = Array::from([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.sum_axis(0), Array::from([4.0, 6.0]));
    /// assert_eq!(x.sum_axis(keepdims(-1)), Array::from([[3.0], [7.0]]));
    /// assert_eq!(x.sum_axis([0, 1]), Array::from(10.0));
    /// ```
    #[track_caller]
    pub fn sum_axis(&self, axes: impl Axes) -> Array {
        let _called = called("sum_axis");
        reduced(Binary::Add, self, axes)
    }

    /// The product of all elements. Small integers multiply in 64 bits, wrapping; of no elements it is 1.
    ///
    /// Its derivatives are exact at zeros, to all orders.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 3.0, 4.0]).prod(), Array::from(24.0));
    /// ```
    #[track_caller]
    pub fn prod(&self) -> Array {
        let _called = called("prod");
        reduced(Binary::Mul, self, ..)
    }

    /// The products over some axes. See [`Array::prod`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1.0, 2.0], [3.0, 4.0]]).prod_axis(1), Array::from([2.0, 12.0]));
    /// ```
    #[track_caller]
    pub fn prod_axis(&self, axes: impl Axes) -> Array {
        let _called = called("prod_axis");
        reduced(Binary::Mul, self, axes)
    }

    /// The greatest element; NaN when there is one. Equal greatest elements share the derivative.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, 3.0, 2.0]).max(), Array::from(3.0));
    /// ```
    #[track_caller]
    pub fn max(&self) -> Array {
        let _called = called("max");
        reduced(Binary::Max, self, ..)
    }

    /// The greatest elements over some axes. See [`Array::max`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1, 5], [3, 4]]).max_axis(0), Array::from([3, 5]));
    /// ```
    #[track_caller]
    pub fn max_axis(&self, axes: impl Axes) -> Array {
        let _called = called("max_axis");
        reduced(Binary::Max, self, axes)
    }

    /// The least element; NaN when there is one. Equal least elements share the derivative.
    ///
    /// # Panics
    /// When there are no elements.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([2.0, 1.0, 3.0]).min(), Array::from(1.0));
    /// ```
    #[track_caller]
    pub fn min(&self) -> Array {
        let _called = called("min");
        reduced(Binary::Min, self, ..)
    }

    /// The least elements over some axes. See [`Array::min`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1, 5], [3, 4]]).min_axis(-1), Array::from([1, 3]));
    /// ```
    #[track_caller]
    pub fn min_axis(&self, axes: impl Axes) -> Array {
        let _called = called("min_axis");
        reduced(Binary::Min, self, axes)
    }

    /// Whether some element is true, or not 0.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([false, true]).any(), Array::from(true));
    /// ```
    #[track_caller]
    pub fn any(&self) -> Array {
        let _called = called("any");
        reduced(Binary::Or, self, ..)
    }

    /// Whether some element along the axes is true, or not 0.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[0, 1], [0, 0]]).any_axis(1), Array::from([true, false]));
    /// ```
    #[track_caller]
    pub fn any_axis(&self, axes: impl Axes) -> Array {
        let _called = called("any_axis");
        reduced(Binary::Or, self, axes)
    }

    /// Whether all elements are true, or not 0.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([false, true]).all(), Array::from(false));
    /// ```
    #[track_caller]
    pub fn all(&self) -> Array {
        let _called = called("all");
        reduced(Binary::And, self, ..)
    }

    /// Whether all elements along the axes are true, or not 0.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[0, 1], [2, 3]]).all_axis(1), Array::from([false, true]));
    /// ```
    #[track_caller]
    pub fn all_axis(&self, axes: impl Axes) -> Array {
        let _called = called("all_axis");
        reduced(Binary::And, self, axes)
    }

    /// The mean of all elements, of integers in `f64`; NaN when there are none.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1, 2]).mean(), Array::from(1.5));
    /// ```
    #[track_caller]
    pub fn mean(&self) -> Array {
        let _called = called("mean");
        self.mean_axis(..)
    }

    /// The means over some axes. See [`Array::mean`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([[1.0, 2.0], [3.0, 5.0]]).mean_axis(0), Array::from([2.0, 3.5]));
    /// ```
    #[track_caller]
    pub fn mean_axis(&self, axes: impl Axes) -> Array {
        let _called = called("mean_axis");
        in_f32!(x = self => x.mean_axis(axes));
        let (axes, keep) = accept(axes.axes(self.rank()), &[self]);
        let x = if self.dtype().is_inexact() { self.clone() } else { self.convert(DType::F64) };
        let shape = x.shape();
        let count: usize = axes.iter().map(|&a| shape[a]).product();
        sum_over(&x, &axes).with_shape(&shape_without(&shape, &axes, keep)) / count as f64
    }
}

impl Definition for Reduce {
    const NAMES: &'static [&'static str] =
        &["reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_and", "reduce_or"];

    fn parse(name: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let op = match name {
            "reduce_sum" => Binary::Add,
            "reduce_prod" => Binary::Mul,
            "reduce_max" => Binary::Max,
            "reduce_min" => Binary::Min,
            "reduce_and" => Binary::And,
            "reduce_or" => Binary::Or,
            other => return Err(TypeError::new(format!("there is no reduction `{other}`"))),
        };
        Ok(Reduce { op, start: attributes.size("start")?, end: attributes.size("end")? })
    }

    fn samples() -> Vec<Sample> {
        let shapes: [(&[usize], usize, usize); 9] = [
            (&[5], 0, 1),
            (&[3, 5], 0, 1),
            (&[3, 5], 1, 2),
            (&[3, 5], 0, 2),
            (&[2, 3, 5], 1, 2),
            (&[2, 3, 5], 0, 2),
            (&[2, 1, 7, 2], 1, 3),
            (&[1, 17], 0, 1),
            (&[0, 3], 1, 2),
        ];
        let mut all = Vec::new();
        for op in [Binary::Add, Binary::Mul, Binary::Max, Binary::Min] {
            for (shape, start, end) in shapes {
                let sample = Sample::new(Reduce { op, start, end }, vec![Sample::numbers(DType::F64, shape)]);
                all.push(if op == Binary::Add { sample.linear(&[0]) } else { sample.smooth(&[0]) });
            }
            for dtype in [DType::F32, DType::I32, DType::I64, DType::U8, DType::U64] {
                all.push(Sample::new(Reduce { op, start: 0, end: 1 }, vec![Sample::numbers(dtype, &[7, 2])]));
                all.push(Sample::new(Reduce { op, start: 1, end: 2 }, vec![Sample::numbers(dtype, &[2, 133])]));
            }
        }
        for op in [Binary::Add, Binary::Mul] {
            let sample = Sample::new(Reduce { op, start: 0, end: 1 }, vec![Sample::numbers(DType::F64, &[0, 3])]);
            all.push(if op == Binary::Add { sample.linear(&[0]) } else { sample.smooth(&[0]) });
        }
        // Long enough for several blocks in both orders.
        let long = |shape: &[usize]| vec![Sample::numbers(DType::F32, shape)];
        all.push(Sample::new(Reduce { op: Binary::Add, start: 0, end: 1 }, long(&[9001])));
        all.push(Sample::new(Reduce { op: Binary::Add, start: 0, end: 1 }, long(&[601, 3])));
        let zeros = ArrayValue::new(&[4], vec![0.0, 2.0, 0.0, 3.0]);
        all.push(Sample::new(Reduce { op: Binary::Mul, start: 0, end: 1 }, vec![zeros.into()]).smooth(&[0]));
        let odd = ArrayValue::new(&[2, 3], vec![f64::NAN, 1.0, -0.0, f64::INFINITY, -1.0, 0.0]);
        for op in [Binary::Add, Binary::Mul, Binary::Max, Binary::Min] {
            all.push(Sample::new(Reduce { op, start: 1, end: 2 }, vec![odd.clone().into()]));
        }
        for op in [Binary::And, Binary::Or] {
            for (shape, start, end) in shapes {
                all.push(Sample::new(Reduce { op, start, end }, vec![Sample::numbers(DType::Bool, shape)]));
            }
            for dtype in [DType::I64, DType::I32, DType::U8] {
                all.push(Sample::new(Reduce { op, start: 0, end: 1 }, vec![samples::hard(dtype, &[5, 2])]));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let mut all = Vec::new();
        for op in [Binary::Add, Binary::Mul, Binary::Max, Binary::Min, Binary::And, Binary::Or] {
            let empty = n == 0 && matches!(op, Binary::Max | Binary::Min);
            for dtype in DType::ALL.into_iter().filter(|&d| !empty && is_reduction(op, d)) {
                let mut add = |axis, x: Value| {
                    all.push(Sample::new(Reduce { op, start: axis, end: axis + 1 }, vec![x]));
                };
                add(0, samples::hard(dtype, &[n]));
                add(1, samples::ties(dtype, &[3, n]));
                add(0, Sample::numbers(dtype, &[n, 3]));
            }
            if is_reduction(op, DType::F64) && !empty {
                for (shape, axis) in [([2, n], 1), ([n, 5], 0)] {
                    let x = vec![Sample::numbers(DType::F64, &shape)];
                    let sample = Sample::new(Reduce { op, start: axis, end: axis + 1 }, x);
                    all.push(if op == Binary::Add { sample.linear(&[0]) } else { sample.smooth(&[0]) });
                }
            }
            if !empty && !is_reduction(op, DType::Bool) {
                // As many results as a vector is wide, and more.
                all.push(Sample::new(Reduce { op, start: 0, end: 1 }, vec![samples::hard(DType::F32, &[3, n])]));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpret::interpret;
    use crate::ops::keepdims;
    use crate::program::Program;
    use crate::trace::{door, trace_closed};
    use crate::transform::{jvp, linearize, transpose_linear};
    use std::sync::Arc;

    fn reduction(op: Binary, n: usize) -> Arc<Program> {
        let program =
            trace_closed(&[Type::array(DType::F64, &[n])], |x| vec![apply(Reduce { op, start: 0, end: 1 }, &[&x[0]])]);
        Arc::new(program)
    }

    fn numbers(x: &[f64]) -> Value {
        ArrayValue::new(&[x.len()], x.to_vec()).into()
    }

    /// The derivatives, which forward and reverse mode agree on.
    fn gradient(op: Binary, x: &[f64]) -> Vec<f64> {
        let program = reduction(op, x.len());
        let linearized = linearize(&program, &[true], &[true]);
        let mut args = interpret(&linearized.known, vec![numbers(x)]).unwrap().split_off(1);
        args.push(Value::scalar(1.0));
        let reverse = interpret(&transpose_linear(&linearized), args).unwrap()[0].array().slice::<f64>().to_vec();
        let forward = jvp(&program, &[true], &[true]).program;
        for (i, reverse) in reverse.iter().enumerate() {
            let dy = interpret(&forward, vec![numbers(x), unit(x.len(), i)]).unwrap()[1].array().slice::<f64>()[0];
            assert!(dy == *reverse || dy.is_nan() && reverse.is_nan(), "{dy} forward, {reverse} in reverse");
        }
        reverse
    }

    fn unit(n: usize, i: usize) -> Value {
        let mut x = vec![0.0; n];
        x[i] = 1.0;
        numbers(&x)
    }

    #[test]
    fn greatest_elements_share_the_derivative() {
        assert_eq!(gradient(Binary::Max, &[1.0, 3.0, 3.0]), [0.0, 0.5, 0.5]);
        assert_eq!(gradient(Binary::Min, &[1.0, 3.0, 1.0, 1.0]), [1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0]);
        assert_eq!(gradient(Binary::Max, &[f64::NEG_INFINITY; 2]), [0.5, 0.5]);
        assert!(gradient(Binary::Max, &[1.0, f64::NAN, 3.0]).iter().all(|d| d.is_nan()));
    }

    #[test]
    fn derivatives_of_products_are_exact_at_zeros() {
        assert_eq!(gradient(Binary::Mul, &[0.0, 2.0, 3.0]), [6.0, 0.0, 0.0]);
        assert_eq!(gradient(Binary::Mul, &[0.0, 0.0, 3.0]), [0.0, 0.0, 0.0]);
        assert_eq!(gradient(Binary::Mul, &[2.0, 3.0, 5.0, 7.0, 0.0]), [0.0, 0.0, 0.0, 0.0, 210.0]);
        assert_eq!(gradient(Binary::Mul, &[5.0]), [1.0]);
        assert_eq!(gradient(Binary::Mul, &[]), []);
    }

    #[test]
    fn second_derivatives_of_products_are_exact_at_zeros() {
        let first = jvp(&reduction(Binary::Mul, 3), &[true], &[true]).program;
        let second = jvp(&first, &[true, false], &[true, true]).program;
        let hessian = |x: [f64; 3]| {
            [0, 1, 2].map(|i| {
                [0, 1, 2].map(|j| {
                    let y = interpret(&second, vec![numbers(&x), unit(3, i), unit(3, j)]).unwrap();
                    y.last().expect("the second tangent").array().slice::<f64>()[0]
                })
            })
        };
        assert_eq!(hessian([0.0, 0.0, 3.0]), [[0.0, 3.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
        assert_eq!(hessian([2.0, 0.0, 0.0]), [[0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]]);
    }

    #[test]
    fn nothing_sums_to_zero_and_has_no_maximum() {
        let x = Array::from([1.0, 2.0]).slice(0..0);
        assert_eq!(x.sum(), Array::from(0.0));
        assert_eq!(x.prod(), Array::from(1.0));
        assert_eq!((x.any(), x.all()), (Array::from(false), Array::from(true)));
        assert_eq!(x.mean().is_nan(), Array::from(true));
        let message = door(|| x.max()).unwrap_err().message;
        assert!(message.contains("f64[0] is empty along axis 0"), "{message}");
    }

    #[test]
    fn axes_apart() {
        let x = Array::from([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]);
        assert_eq!(x.max_axis([0, -1]), Array::from([6, 8]));
        assert_eq!(x.min_axis(keepdims([2, 0])).shape().as_slice(), [1, 2, 1]);
        assert_eq!(x.sum_axis(()), x.convert(DType::I64));
        assert_eq!(Array::from(2.5).sum(), Array::from(2.5));
    }

    #[test]
    fn small_integers_add_up_in_64_bits() {
        assert_eq!(Array::from([i32::MAX, 1]).sum(), Array::from(1i64 << 31));
        assert_eq!(Array::from([true, true, false]).sum(), Array::from(2i64));
        assert_eq!(Array::from([1f32, 2.0]).mean().dtype(), DType::F32);
    }

    #[test]
    fn refusals() {
        let x = Array::from([true, false]);
        let message = door(|| x.max()).unwrap_err().message;
        assert!(message.contains("bool[2]") && message.contains("`any` or `all`"), "{message}");
        assert!(door(|| x.any_axis(1)).unwrap_err().message.contains("axis 1 does not exist"));
    }
}
