//! `slice` and `slice_add`: a strided box of an array, read or added to. And NumPy's basic indexing.

use super::operands::{arrays, number, result, same_dtype};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{blank, copy, positions};
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive, View, ViewAxis};
use crate::trace::apply;
use crate::types::{ArrayType, Shape, Type};
use crate::value::Value;
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use wengert_kernel::DType;

/// Element `i` of the result is `x[start + stride * i]`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7]) {
///   %1: f64[3] = slice[start=[2], sizes=[3], stride=[1]] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Slice {
    /// First element by axis.
    pub start: SmallVec<[usize; 4]>,
    /// The result's axis lengths.
    pub sizes: Shape,
    /// Step by axis, at least 1.
    pub stride: SmallVec<[usize; 4]>,
}

/// Operands `c, u`: `c` with `u[i]` added at `start + stride * i`; in place when nobody else holds `c`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7], %1: f64[3]) {
///   %2: f64[7] = slice_add[start=[2], stride=[1]] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SliceAdd {
    /// First element by axis.
    pub start: SmallVec<[usize; 4]>,
    /// Step by axis, at least 1.
    pub stride: SmallVec<[usize; 4]>,
}

fn view(start: &[usize], stride: &[usize]) -> View {
    let axis = |(a, (&start, &stride)): (usize, (&usize, &usize))| ViewAxis {
        offset: start as i64,
        from: Some((a, stride as i64)),
    };
    View { axes: start.iter().zip(stride).enumerate().map(axis).collect() }
}

/// That the box of `sizes` lies within `x`.
fn check(x: &ArrayType, start: &[usize], sizes: &[usize], stride: &[usize]) -> Result<(), TypeError> {
    let rank = x.rank();
    if [start.len(), sizes.len(), stride.len()] != [rank; 3] {
        let message =
            format!("start {start:?}, sizes {sizes:?} and stride {stride:?} must each name the {rank} axes of {x}");
        return Err(TypeError::new(message));
    }
    for (a, &n) in x.shape.iter().enumerate() {
        let last = sizes[a].checked_sub(1).map_or(Some(0), |k| k.checked_mul(stride[a]));
        // A part of no elements may begin at the very end.
        let end = last.and_then(|l| l.checked_add(start[a])).and_then(|l| l.checked_add(usize::from(sizes[a] > 0)));
        if stride[a] == 0 || end.is_none_or(|end| end > n) {
            let (start, size, stride) = (start[a], sizes[a], stride[a]);
            let part = format!("{size} elements from {start} on in steps of {stride}");
            return Err(TypeError::new(format!("axis {a} of {x} has length {n} and does not hold {part}")));
        }
    }
    Ok(())
}

/// With one more axis in front, of which everything is taken.
fn behind<T: Copy>(first: T, rest: &[T]) -> SmallVec<[T; 4]>
where
    [T; 4]: smallvec::Array<Item = T>,
{
    std::iter::once(first).chain(rest.iter().copied()).collect()
}

impl Primitive for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let sizes = Attribute::sizes;
        vec![("start", sizes(&self.start)), ("sizes", sizes(&self.sizes)), ("stride", sizes(&self.stride))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        check(x, &self.start, &self.sizes, &self.stride)?;
        result(x.dtype, self.sizes.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let mut y = blank(x.dtype(), &self.sizes)?;
        copy(y.make_mut(), 0.., &x.buffer, positions(&view(&self.start, &self.stride), &self.sizes, &x.shape));
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let sum = into.take(0).unwrap_or_else(|| super::zeros_any(&x[0].ty()));
        let op = SliceAdd { start: self.start.clone(), stride: self.stride.clone() };
        into.add(0, apply(op, &[&sum, ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let op =
            Slice { start: behind(0, &self.start), sizes: behind(size, &self.sizes), stride: behind(1, &self.stride) };
        vec![Batched::mapped(apply(op, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::View(view(&self.start, &self.stride))
    }
}

impl Definition for Slice {
    const NAMES: &'static [&'static str] = &["slice"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Slice {
            start: attributes.sizes("start")?.into(),
            sizes: attributes.sizes("sizes")?.into(),
            stride: attributes.sizes("stride")?.into(),
        })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, &[7], &[2], &[3], &[1]),
            sample(DType::F64, &[8], &[1], &[3], &[3]),
            sample(DType::F64, &[3, 5], &[1, 0], &[2, 3], &[1, 2]),
            sample(DType::F64, &[2, 3, 4], &[0, 1, 3], &[2, 1, 1], &[1, 1, 1]),
            sample(DType::F64, &[], &[], &[], &[]),
            sample(DType::F64, &[5], &[5], &[0], &[1]),
            sample(DType::F64, &[0, 2], &[0, 1], &[0, 1], &[1, 1]),
            sample(DType::F32, &[17, 2], &[3, 1], &[13, 1], &[1, 1]),
            sample(DType::I64, &[9], &[0], &[5], &[2]),
            sample(DType::Bool, &[4], &[1], &[2], &[1]),
            sample(DType::F64, &[1], &[0], &[1], &[5]),
            sample(DType::U8, &[9, 3], &[1, 0], &[3, 2], &[3, 2]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            let lines = [sample(dtype, &[n + 3], &[1], &[n], &[1]), sample(dtype, &[2 * n], &[0], &[n], &[2])];
            let planes = [
                sample(dtype, &[3, n + 2], &[1, 2], &[2, n], &[1, 1]),
                sample(dtype, &[n + 2, 3], &[1, 1], &[n, 2], &[1, 1]),
            ];
            lines.into_iter().chain(planes)
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, x: &[usize], start: &[usize], sizes: &[usize], stride: &[usize]) -> Sample {
    let op = Slice { start: start.into(), sizes: sizes.into(), stride: stride.into() };
    let sample = Sample::new(op, vec![Sample::numbers(dtype, x)]);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Primitive for SliceAdd {
    fn name(&self) -> &'static str {
        "slice_add"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("start", Attribute::sizes(&self.start)), ("stride", Attribute::sizes(&self.stride))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [c, u] = arrays(args)?;
        same_dtype(c, u)?;
        number(c)?;
        check(c, &self.start, &u.shape, &self.stride)?;
        result(c.dtype, c.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let [c, u] = <[Value; 2]>::try_from(args).expect("two operands");
        let (mut c, u) = (c.into_array(), u.into_array());
        let at = positions(&view(&self.start, &self.stride), &u.shape, &c.shape);
        super::accumulate::add_elements(c.make_mut(), at, &u.buffer, 0..);
        Ok(vec![c.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &[&x[0], &x[1]]);
        let dy = match dx {
            [dc, Some(du)] => {
                let dc = dc.clone().unwrap_or_else(|| super::zeros_any(&x[0].ty()));
                Some(apply(self.clone(), &[&dc, du]))
            }
            _ => dx[0].clone(),
        };
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let sizes = x[1].ty().as_array().expect("an array was inferred").shape.clone();
        if into.wants(1) {
            let op = Slice { start: self.start.clone(), sizes, stride: self.stride.clone() };
            into.add(1, apply(op, &[ct]));
        }
        into.add(0, ct.clone());
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(SliceAdd { start: behind(0, &self.start), stride: behind(1, &self.stride) }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::SliceAdd { start: self.start.clone(), stride: self.stride.clone() }
    }
}

impl Definition for SliceAdd {
    const NAMES: &'static [&'static str] = &["slice_add"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(SliceAdd { start: attributes.sizes("start")?.into(), stride: attributes.sizes("stride")?.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            added(DType::F64, &[7], &[3], &[2], &[1]),
            added(DType::F64, &[8], &[3], &[1], &[3]),
            added(DType::F64, &[3, 5], &[2, 3], &[1, 0], &[1, 2]),
            added(DType::F64, &[], &[], &[], &[]),
            added(DType::F64, &[5], &[0], &[5], &[1]),
            added(DType::F32, &[5, 17], &[5, 11], &[0, 3], &[1, 1]),
            added(DType::I64, &[9], &[5], &[0], &[2]),
            added(DType::F64, &[2, 3, 4], &[2, 1, 1], &[0, 1, 3], &[1, 1, 1]),
            added(DType::F64, &[0, 2], &[0, 1], &[0, 1], &[1, 1]),
            added(DType::F64, &[1], &[1], &[0], &[5]),
            added(DType::F32, &[17], &[4], &[1], &[5]),
            added(DType::U8, &[4], &[2], &[1], &[1]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            let lines = [added(dtype, &[n + 3], &[n], &[1], &[1]), added(dtype, &[2 * n], &[n], &[0], &[2])];
            lines.into_iter().chain([added(dtype, &[3, n + 2], &[2, n], &[1, 2], &[1, 1])])
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn added(dtype: DType, c: &[usize], u: &[usize], start: &[usize], stride: &[usize]) -> Sample {
    let op = SliceAdd { start: start.into(), stride: stride.into() };
    let sample = Sample::new(op, vec![Sample::numbers(dtype, c), Sample::numbers(dtype, u)]);
    if dtype == DType::F64 { sample.linear(&[0, 1]) } else { sample }
}

/// What is taken along one axis.
///
/// ```
/// use wengert_core::{array, ops::Span};
///
/// let x = array![0, 1, 2, 3, 4];
/// assert_eq!(x.slice(Span::from(1..4)), array![1, 2, 3]);
/// assert_eq!(x.slice(Span::from(..).step_by(2)), array![0, 2, 4]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    start: i64,
    /// `None`: to the end.
    stop: Option<i64>,
    step: usize,
    /// A single position, whose axis goes.
    single: bool,
}

impl Span {
    /// Every `step`-th element, beginning with the first.
    ///
    /// ```
    /// # use wengert_core::{Array, ops::Span};
    /// let x = Array::from([0, 1, 2, 3, 4, 5]);
    /// assert_eq!(x.slice(Span::from(1..).step_by(2)), Array::from([1, 3, 5]));
    /// ```
    pub fn step_by(self, step: usize) -> Span {
        Span { step: self.step.saturating_mul(step), ..self }
    }

    /// First element, number of elements and step within an axis of length `n`.
    fn within(&self, axis: usize, n: usize) -> Result<(usize, usize, usize), TypeError> {
        let counted = |i: i64| if i < 0 { i.saturating_add(n as i64) } else { i };
        let start = counted(self.start);
        let stop = if self.single { start.saturating_add(1) } else { self.stop.map_or(n as i64, counted) };
        if start < 0 || stop > n as i64 || start > stop {
            let wanted = match (self.single, self.stop) {
                (true, _) => format!("position {}", self.start),
                (false, Some(stop)) => format!("{}..{stop}", self.start),
                (false, None) => format!("{}..", self.start),
            };
            let repair = match (n, self.single) {
                (0, true) => "it is empty".to_owned(),
                (_, true) => format!("positions are 0 to {}, or -1 to -{n} from the end; `at` takes the nearest", n - 1),
                (_, false) => format!("a range lies within 0..{n}, its start not after its end; negative ends count from the end"),
            };
            return Err(TypeError::new(format!("axis {axis} has length {n} and does not hold {wanted}; {repair}")));
        }
        if self.step == 0 {
            return Err(TypeError::new("a step of 0 leads nowhere; steps are 1 or more"));
        }
        Ok((start as usize, ((stop - start) as usize).div_ceil(self.step), self.step))
    }
}

impl From<RangeFull> for Span {
    fn from(_: RangeFull) -> Span {
        Span { start: 0, stop: None, step: 1, single: false }
    }
}

macro_rules! spans {
    ($($t:ty),*) => {$(
        impl From<Range<$t>> for Span {
            fn from(r: Range<$t>) -> Span {
                Span { start: position(r.start), stop: Some(position(r.end)), step: 1, single: false }
            }
        }

        impl From<RangeInclusive<$t>> for Span {
            fn from(r: RangeInclusive<$t>) -> Span {
                let (start, last) = r.into_inner();
                Span { start: position(start), stop: after(position(last)), step: 1, single: false }
            }
        }

        impl From<RangeFrom<$t>> for Span {
            fn from(r: RangeFrom<$t>) -> Span {
                Span { start: position(r.start), stop: None, step: 1, single: false }
            }
        }

        impl From<RangeTo<$t>> for Span {
            fn from(r: RangeTo<$t>) -> Span {
                Span { start: 0, stop: Some(position(r.end)), step: 1, single: false }
            }
        }

        impl From<RangeToInclusive<$t>> for Span {
            fn from(r: RangeToInclusive<$t>) -> Span {
                Span { start: 0, stop: after(position(r.end)), step: 1, single: false }
            }
        }

        impl From<$t> for Span {
            fn from(i: $t) -> Span {
                Span { start: position(i), stop: None, step: 1, single: true }
            }
        }
    )*};
}

spans!(i32, i64, usize);

/// As `i64`; no axis is as long as what does not fit.
fn position(i: impl TryInto<i64>) -> i64 {
    i.try_into().unwrap_or(i64::MAX)
}

/// One past a last position: after -1 comes the end.
fn after(last: i64) -> Option<i64> {
    if last == -1 { None } else { Some(last.saturating_add(1)) }
}

/// What is taken along the leading axes: a range or position for the first, or a tuple with one for each of several.
///
/// ```
/// use wengert_core::array;
///
/// let x = array![[1, 2, 3], [4, 5, 6]];
/// assert_eq!(x.slice(1), array![4, 5, 6]);
/// assert_eq!(x.slice((.., 0..2)), array![[1, 2], [4, 5]]);
/// ```
pub trait Spans {
    /// One span for each leading axis.
    fn spans(self) -> SmallVec<[Span; 4]>;
}

impl<S: Into<Span>> Spans for S {
    fn spans(self) -> SmallVec<[Span; 4]> {
        SmallVec::from_slice(&[self.into()])
    }
}

impl Spans for &[Span] {
    fn spans(self) -> SmallVec<[Span; 4]> {
        self.into()
    }
}

macro_rules! span_tuples {
    ($(($($t:ident $i:tt),+);)*) => {$(
        impl<$($t: Into<Span>),+> Spans for ($($t,)+) {
            fn spans(self) -> SmallVec<[Span; 4]> {
                let mut all = SmallVec::new();
                $(all.push(self.$i.into());)+
                all
            }
        }
    )*};
}

span_tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}

impl Array {
    /// A part of the array, as NumPy's `x[a:b, c]`: a range or a position for each leading axis, one alone or several
    /// in a tuple. A position removes its axis; axes not named are taken whole; negative numbers count from the end;
    /// [`Span::step_by`] takes every n-th. (Clippy's `reversed_empty_ranges` takes a literal `1..-1` for a mistake;
    /// allow it.)
    ///
    /// The bounds are known when the function is traced, so what lies outside is an error; for computed positions see
    /// [`Array::at`] and [`Array::dynamic_slice`].
    ///
    /// # Panics
    /// When a range or position is outside its axis.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.slice((.., 1..)), Array::from([[2, 3], [5, 6]]));
    /// assert_eq!(x.slice((.., -1)), Array::from([3, 6]));
    /// assert_eq!(x.slice(0), Array::from([1, 2, 3]));
    /// assert_eq!(x.slice((0..1, 0..2)), Array::from([[1, 2]]));
    /// ```
    #[track_caller]
    pub fn slice(&self, spans: impl Spans) -> Array {
        let _called = called("slice");
        let spans = spans.spans();
        let (op, kept) = accept(boxed(&self.array_type(), &spans), &[self]);
        let part = if op.sizes == self.shape() { self.clone() } else { apply(op, &[self]) };
        part.with_shape(&kept)
    }

    /// A part of the array along one axis, the others taken whole. See [`Array::slice`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
    /// assert_eq!(x.slice_axis(-1, 0..2), Array::from([[1, 2], [4, 5]]));
    /// ```
    #[track_caller]
    pub fn slice_axis(&self, axis: impl super::Integers, span: impl Into<Span>) -> Array {
        let _called = called("slice_axis");
        let axis = accept(super::axes::one_axis(&axis, self.rank()), &[self]);
        let mut spans: SmallVec<[Span; 4]> = SmallVec::from_elem(Span::from(..), axis);
        spans.push(span.into());
        self.slice(&spans[..])
    }

    /// The array cut along an axis into `parts` of equal length.
    ///
    /// # Panics
    /// When the axis does not divide so.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let parts = Array::from([1, 2, 3, 4]).split(2, 0);
    /// assert_eq!(parts, [Array::from([1, 2]), Array::from([3, 4])]);
    /// ```
    #[track_caller]
    pub fn split(&self, parts: usize, axis: impl super::Integers) -> Vec<Array> {
        let _called = called("split");
        let axis = accept(super::axes::one_axis(&axis, self.rank()), &[self]);
        let n = self.shape()[axis];
        let refusal = TypeError::new(format!("axis {axis} of length {n} does not divide into {parts} equal parts; take as many parts as divide it, or cut by `slice_axis`"));
        accept(if parts > 0 && n.is_multiple_of(parts) { Ok(()) } else { Err(refusal) }, &[self]);
        let mut all = Vec::with_capacity(parts);
        for k in 0..parts {
            all.push(self.slice_axis(axis, k * (n / parts)..(k + 1) * (n / parts)));
        }
        all
    }
}

impl Array {
    /// The array cut along an axis at places, in ascending order; what lies between two equal ones is empty.
    ///
    /// # Panics
    /// When a place is less than the one before, or outside.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let parts = Array::from([1, 2, 3, 4]).split_at(&[1, 3], 0);
    /// assert_eq!(parts, [Array::from([1]), Array::from([2, 3]), Array::from([4])]);
    /// ```
    #[track_caller]
    pub fn split_at(&self, places: &[usize], axis: impl super::Integers) -> Vec<Array> {
        let _called = called("split_at");
        let axis = accept(super::axes::one_axis(&axis, self.rank()), &[self]);
        let n = self.shape()[axis];
        let mut all = Vec::with_capacity(places.len() + 1);
        let mut start = 0;
        for &stop in places.iter().chain([&n]) {
            all.push(self.slice_axis(axis, start..stop));
            start = stop;
        }
        all
    }
}

/// The box that spans describe, and its shape without the axes of single positions.
fn boxed(x: &ArrayType, spans: &[Span]) -> Result<(Slice, Shape), TypeError> {
    if spans.len() > x.rank() {
        return Err(TypeError::new(format!("{x} has {} axes, {} are sliced; give at most one range or position for each axis", x.rank(), spans.len())));
    }
    let mut op = Slice { start: SmallVec::new(), sizes: Shape::new(), stride: SmallVec::new() };
    let mut kept = Shape::new();
    for (axis, &n) in x.shape.iter().enumerate() {
        let span = spans.get(axis).copied().unwrap_or(Span::from(..));
        let (start, size, stride) = span.within(axis, n)?;
        op.start.push(start);
        op.sizes.push(size);
        op.stride.push(stride);
        if !span.single {
            kept.push(size);
        }
    }
    Ok((op, kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn ranges_in_every_spelling() {
        let x = Array::from([0, 1, 2, 3, 4]);
        assert_eq!(x.slice(1..3), Array::from([1, 2]));
        assert_eq!(x.slice(1usize..=3), Array::from([1, 2, 3]));
        assert_eq!(x.slice(-2..), Array::from([3, 4]));
        assert_eq!(x.slice(..-1), Array::from([0, 1, 2, 3]));
        assert_eq!(x.slice(..=-1), x);
        assert_eq!(x.slice(-4..=-2), Array::from([1, 2, 3]));
        assert_eq!(x.slice(..), x);
        assert_eq!(x.slice(Span::from(..4).step_by(3)), Array::from([0, 3]));
        assert_eq!(x.slice(5..).size(), 0);
        assert_eq!(x.slice(-1), Array::from(4));
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges)]
    fn refusals() {
        let x = Array::from([[1, 2, 3], [4, 5, 6]]);
        let error = |r: std::ops::Range<i64>| door(|| x.slice((.., r))).unwrap_err().message;
        assert!(error(1..4).contains("axis 1 has length 3 and does not hold 1..4"), "{}", error(1..4));
        assert!(error(2..-2).contains("does not hold 2..-2"));
        assert!(error(-4..2).contains("does not hold -4..2"));
        assert!(error(i64::MIN..2).contains("does not hold"));
        assert!(door(|| x.slice((0, 0, 0))).unwrap_err().message.contains("has 2 axes, 3 are sliced"));
        assert!(door(|| x.slice(2)).unwrap_err().message.contains("does not hold position 2"));
        assert!(door(|| x.slice(Span::from(..).step_by(0))).unwrap_err().message.contains("step of 0"));
        assert!(door(|| x.split(2, 1)).unwrap_err().message.contains("does not divide"));
    }

    #[test]
    fn infer_survives_huge_numbers() {
        let x = Type::array(DType::F64, &[5]);
        let slice = |start: usize, size: usize, stride: usize| {
            let op = Slice {
                start: [start].as_slice().into(),
                sizes: [size].as_slice().into(),
                stride: [stride].as_slice().into(),
            };
            op.infer(std::slice::from_ref(&x)).is_ok()
        };
        assert!(slice(4, 1, usize::MAX) && slice(5, 0, 1) && slice(0, 3, 2));
        assert!(!slice(usize::MAX, 1, 1) && !slice(0, usize::MAX, usize::MAX) && !slice(0, 1, 0) && !slice(6, 0, 1));
    }
}
