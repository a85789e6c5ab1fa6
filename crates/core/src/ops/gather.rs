//! `gather`: rows at computed positions. And the methods that index: `at`, `get_or`, `take`.

use super::accumulate::Accumulate;
use super::axes::{Integers, one_axis};
use super::operands::{arrays, result};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{blank, copy, elements};
use super::{Attributes, Broadcast, Definition, Sample, rules};
use crate::array::Array;
use crate::array::promote::{Term, fit};
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, IndexMode, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{ArrayType, Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::reduce::identity;
use wengert_kernel::{Binary, DType, Scalar, ScalarOp};

/// Operands `x: [batch.., n, rest..]` and `i: [batch.., index..]` to `[batch.., index.., rest..]`; indices, which are
/// `i64`, are clamped to `0..n`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5], %1: i64[4]) {
///   %2: f64[4] = gather[batch=0] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Gather {
    /// Number of leading batch axes.
    pub batch: usize,
}

/// The shape of the rows of `x` that `i` names, when `i` fits.
pub(super) fn check_indices(x: &ArrayType, i: &ArrayType, batch: usize) -> Result<Shape, TypeError> {
    if i.dtype != DType::I64 {
        return Err(TypeError::new(format!("indices are i64, not {i}")));
    }
    if x.rank() <= batch || i.rank() < batch || x.shape[..batch] != i.shape[..batch] {
        return Err(TypeError::new(format!(
            "{x} and the indices {i} do not share {batch} leading axes with one more to index"
        )));
    }
    Ok(i.shape.iter().chain(&x.shape[batch + 1..]).copied().collect())
}

/// Which indices are within an axis of length `n`.
#[track_caller]
pub(crate) fn inside(indices: &Array, n: usize) -> Array {
    indices.ge(0) & indices.lt(rules::literal(Scalar::new(n as i64)))
}

/// An array of the leading axes of `shape`, repeated along the others.
#[track_caller]
pub(super) fn spread_over_rest(x: &Array, shape: &[usize]) -> Array {
    apply(Broadcast { shape: shape.into(), axes: (0..x.rank()).collect() }, &[x])
}

impl Primitive for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(["array", "indices"][i].to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x, i] = arrays(args)?;
        let shape = check_indices(x, i, self.batch)?;
        if x.shape[self.batch] == 0 && i.size() > 0 {
            return Err(TypeError::new(format!("axis {} of {x} is empty, so no index is within it; `get_or` gives a value instead", self.batch)));
        }
        result(x.dtype, shape)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let (x, i) = (args[0].array(), args[1].array());
        let n = x.shape[self.batch];
        let rest = &x.shape[self.batch + 1..];
        let row: usize = rest.iter().product();
        let lanes: usize = x.shape[..self.batch].iter().product();
        let per_lane = i.size().checked_div(lanes).unwrap_or(0);
        let shape: Shape = i.shape.iter().chain(rest).copied().collect();
        let mut y = blank(x.dtype(), &shape)?;
        let indices = elements::<i64>(i);
        let place = |(k, &i): (usize, &i64)| k / per_lane * n + i.clamp(0, n as i64 - 1) as usize;
        let from = indices.iter().enumerate().map(place).flat_map(|p| p * row..(p + 1) * row);
        copy(y.make_mut(), 0.., &x.buffer, from);
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let sum = into.take(0).unwrap_or_else(|| super::zeros_any(&x[0].ty()));
        let op = Accumulate { batch: self.batch, mode: IndexMode::Clamp };
        into.add(0, apply(op, &[&sum, x[1].known(), ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        if self.batch == 0 && !x[0].mapped {
            // One table for all lanes: their indices are more indices.
            return vec![Batched::mapped(apply(self.clone(), &[&x[0].array, &x[1].array]))];
        }
        rules::batch_all(Gather { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Gather { batch: self.batch }
    }
}

impl Definition for Gather {
    const NAMES: &'static [&'static str] = &["gather"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Gather { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, 0, &[5], &[4], vec![1, 3, 1, 1]),
            sample(DType::F64, 0, &[5], &[6], vec![-1, 5, 0, i64::MIN, i64::MAX, 4]),
            sample(DType::F64, 0, &[3, 2], &[], vec![1]),
            sample(DType::F64, 0, &[3, 2], &[2, 3], vec![2, 0, 2, 9, -4, 1]),
            sample(DType::F64, 1, &[2, 3], &[2, 2], vec![0, 0, 7, 1]),
            sample(DType::F64, 1, &[2, 3, 2], &[2], vec![2, 1]),
            sample(DType::F64, 2, &[2, 1, 3, 2], &[2, 1, 3], vec![0, 2, 0, -1, 1, 1]),
            sample(DType::F64, 0, &[3], &[0], vec![]),
            sample(DType::F64, 0, &[0, 2], &[0], vec![]),
            sample(DType::F64, 0, &[3, 0], &[2], vec![0, 5]),
            sample(DType::F64, 1, &[0, 3], &[0, 2], vec![]),
            sample(DType::F32, 0, &[3, 17], &[4], vec![0, 2, 0, 0]),
            sample(DType::I64, 0, &[3], &[7], vec![0, 1, 2, 0, 1, 0, 3]),
            sample(DType::Bool, 0, &[3], &[2], vec![2, 1]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        // Ahead of the first row, behind the last one, and twice.
        let indices = |n: usize, rows: usize| (0..n).map(|k| (k * 5 % (rows + 2)) as i64 - 1).collect::<Vec<i64>>();
        let of = |dtype| {
            [
                sample(dtype, 0, &[7], &[n], indices(n, 7)),
                sample(dtype, 0, &[n + 1], &[5], indices(5, n + 1)),
                sample(dtype, 0, &[3, n], &[4], indices(4, 3)),
                sample(dtype, 1, &[2, 5], &[2, n], indices(2 * n, 5)),
            ]
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, batch: usize, x: &[usize], index: &[usize], indices: Vec<i64>) -> Sample {
    let args = vec![Sample::numbers(dtype, x), ArrayValue::new(index, indices).into()];
    let sample = Sample::new(Gather { batch }, args);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

/// A position along an axis: a number, or an array of integers. Negative ones count from the end, once.
///
/// ```
/// use wengert_core::{Array, array};
///
/// let x = array![10, 20, 30];
/// assert_eq!((x.at(-1), x.at(array![0, 2])), (Array::from(30), array![10, 30]));
/// ```
#[derive(Clone)]
pub enum Index {
    /// A number known when the function is traced.
    Fixed(i64),
    /// Any number of positions, to be computed.
    Computed(Array),
}

impl From<Array> for Index {
    fn from(i: Array) -> Index {
        Index::Computed(i)
    }
}

impl From<&Array> for Index {
    fn from(i: &Array) -> Index {
        Index::Computed(i.clone())
    }
}

impl From<i32> for Index {
    fn from(i: i32) -> Index {
        Index::Fixed(i.into())
    }
}

impl From<i64> for Index {
    fn from(i: i64) -> Index {
        Index::Fixed(i)
    }
}

impl From<usize> for Index {
    fn from(i: usize) -> Index {
        Index::Fixed(i.try_into().unwrap_or(i64::MAX))
    }
}

impl Index {
    /// As `i64`, counted from the front of an axis of length `n`. What is outside stays outside.
    #[track_caller]
    pub(crate) fn resolved(&self, n: usize) -> Array {
        match self {
            Index::Fixed(i) => rules::literal(Scalar::new(counted(*i, n))),
            Index::Computed(i) => {
                let refusal = TypeError::new(format!("positions are integers, not {}; `.convert(DType::I64)` them", i.ty()));
                accept(if i.dtype().is_integer() { Ok(()) } else { Err(refusal) }, &[i]);
                let i = i.convert(DType::I64);
                let from_end = &i + rules::literal(Scalar::new(n as i64));
                i.lt(0).select(from_end, i)
            }
        }
    }
}

/// What [`Array::at`] takes: a position along the first axis, or a tuple of one for each of several leading axes.
///
/// ```
/// use wengert_core::{Array, array};
///
/// let x = array![[1, 2], [3, 4]];
/// assert_eq!((x.at(1), x.at((1, 0))), (array![3, 4], Array::from(3)));
/// ```
pub trait Indices {
    /// One for each leading axis.
    fn indices(self) -> SmallVec<[Index; 2]>;
}

impl<I: Into<Index>> Indices for I {
    fn indices(self) -> SmallVec<[Index; 2]> {
        SmallVec::from_iter([self.into()])
    }
}

macro_rules! index_tuples {
    ($(($($t:ident $i:tt),+);)*) => {$(
        impl<$($t: Into<Index>),+> Indices for ($($t,)+) {
            fn indices(self) -> SmallVec<[Index; 2]> {
                let mut all = SmallVec::new();
                $(all.push(self.$i.into());)+
                all
            }
        }
    )*};
}

index_tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
}

/// A position counted from the front.
fn counted(i: i64, n: usize) -> i64 {
    if i < 0 { i + n as i64 } else { i }
}

impl Array {
    /// Row `index` along axis 0, or the rows at an array of indices: the shape of the indices, then that of a row.
    ///
    /// Negative indices count from the end once; what is then outside is moved to the nearest end, and so is its
    /// cotangent. See [`Array::get_or`] for a value instead.
    ///
    /// # Panics
    /// When the array is a scalar, or has no rows at all.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.at(1), Array::from([3, 4]));
    /// assert_eq!(x.at(-1), Array::from([5, 6]));
    /// assert_eq!(x.at(Array::from([2, 0, 9])), Array::from([[5, 6], [1, 2], [5, 6]]));
    /// ```
    ///
    /// A tuple indexes several leading axes at once; arrays in it broadcast against each other:
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.at((Array::from([0, 2]), Array::from([1, 0]))), Array::from([2, 5]));
    /// assert_eq!(x.at((Array::from([0, 2]), 1)), Array::from([2, 6]));
    /// ```
    #[track_caller]
    pub fn at(&self, index: impl Indices) -> Array {
        let _called = called("at");
        let indices = index.indices();
        let n = accept(rows(&self.array_type()), &[self]);
        match &indices[..] {
            [Index::Fixed(i)] if n > 0 => self.slice(counted(*i, n).clamp(0, n as i64 - 1)),
            [index] => apply(Gather { batch: 0 }, &[self, &index.resolved(n)]),
            several => self.at_several(several),
        }
    }

    /// The leading axes as one, indexed by positions in it.
    #[track_caller]
    fn at_several(&self, indices: &[Index]) -> Array {
        let shape = self.shape();
        let count = indices.len();
        let refusal = || TypeError::new(format!("{} has {} axes, {count} are indexed", self.ty(), shape.len()));
        accept(if count <= shape.len() { Ok(()) } else { Err(refusal()) }, &[self]);
        let mut place: Option<Array> = None;
        for (index, &n) in indices.iter().zip(&shape) {
            let last = rules::literal(Scalar::new(n as i64 - 1));
            let i = index.resolved(n).minimum(last).maximum(0);
            place = Some(match place {
                None => i,
                Some(before) => before * rules::literal(Scalar::new(n as i64)) + i,
            });
        }
        let merged: Shape =
            [shape[..count].iter().product()].into_iter().chain(shape[count..].iter().copied()).collect();
        apply(Gather { batch: 0 }, &[&self.with_shape(&merged), &place.expect("there is an index")])
    }

    /// As [`Array::at`], with rows of `fill` where the index is outside; these have no derivative with respect to the
    /// array.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([1.0, 2.0]);
    /// assert_eq!(x.get_or(Array::from([1, 2, -3]), 0.5), Array::from([2.0, 0.5, 0.5]));
    /// ```
    #[track_caller]
    pub fn get_or(&self, index: impl Into<Index>, fill: impl Into<Term>) -> Array {
        let _called = called("get_or");
        let n = accept(rows(&self.array_type()), &[self]);
        let fill = match fill.into() {
            Term::Array(fill) => fill.convert(self.dtype()),
            number => fit(&number, self.dtype(), &[]),
        };
        let index = index.into().resolved(n);
        let shape: Shape = index.shape().iter().chain(&self.shape()[1..]).copied().collect();
        if n == 0 {
            return fill.broadcast_to(shape);
        }
        let read = apply(Gather { batch: 0 }, &[self, &index]);
        spread_over_rest(&inside(&index, n), &shape).select(read, fill)
    }

    /// The elements at `indices` along an axis, whose place the axes of the indices take. Negative indices count from
    /// the end once; what is then outside gives NaN (the least value of a signed integer, the greatest of an
    /// unsigned, `true`), with derivative 0, as in JAX.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    /// assert_eq!(x.take(Array::from([2, 0]), 1), Array::from([[3.0, 1.0], [6.0, 4.0]]));
    /// ```
    #[track_caller]
    pub fn take(&self, indices: impl Into<Index>, axis: impl Integers) -> Array {
        let _called = called("take");
        let axis = accept(one_axis(&axis, self.rank()), &[self]);
        let rows = self.move_axis(axis, 0).get_or(indices, rules::literal(outside(self.dtype())));
        let index = rows.rank() + 1 - self.rank();
        let order: Vec<usize> = (index..index + axis).chain(0..index).chain(index + axis..rows.rank()).collect();
        rows.permute(order)
    }

    /// Along an axis the elements at `indices`, which have this array's rank and differ in length along that axis only; the
    /// other axes broadcast. As [`Array::sort`] is of [`Array::argsort`]. What is outside is treated as [`Array::take`]
    /// does.
    ///
    /// # Panics
    /// When the axis does not exist, or the shapes do not fit.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[3.0, 1.0], [5.0, 7.0]]);
    /// assert_eq!(x.take_along_axis(&x.argsort(1), 1), Array::from([[1.0, 3.0], [5.0, 7.0]]));
    /// ```
    #[track_caller]
    pub fn take_along_axis(&self, indices: &Array, axis: impl Integers) -> Array {
        let _called = called("take_along_axis");
        let axis = accept(one_axis(&axis, self.rank()), &[self, indices]);
        let (own, at) = (self.shape(), indices.shape());
        let common = |(a, (&m, &n)): (usize, (&usize, &usize))| match (m, n) {
            _ if a == axis => Some(n),
            (1, n) => Some(n),
            (m, 1) => Some(m),
            (m, n) => (m == n).then_some(m),
        };
        let shape: Option<Shape> = own.iter().zip(&at).enumerate().map(common).collect();
        let refusal = || TypeError::new(format!("the indices {} do not fit {}: they have its rank, and its lengths but along axis {axis}; `expand_dims` or `broadcast_to` them", indices.ty(), self.ty()));
        let fits = shape.filter(|_| own.len() == at.len()).ok_or_else(refusal);
        let shape = accept(fits, &[self, indices]);
        let n = own[axis];
        let index = Index::from(indices).resolved(n).broadcast_to(&shape);
        let fill = rules::literal(outside(self.dtype()));
        if n == 0 {
            return fill.broadcast_to(shape);
        }
        let mut whole = shape.clone();
        whole[axis] = n;
        let last = own.len() - 1;
        let [x, i] = [self.broadcast_to(whole), index.clone()].map(|x| x.move_axis(axis, last));
        let read = apply(Gather { batch: last }, &[&x, &i]).move_axis(last, axis);
        inside(&index, n).select(read, fill)
    }
}

/// What [`Array::take`] gives outside.
fn outside(dtype: DType) -> Scalar {
    match dtype {
        DType::Bool => Scalar::new(true),
        DType::C64 | DType::C128 => Scalar { dtype, ..outside(dtype.real()) },
        dtype if dtype.is_float() => ScalarOp::Convert(dtype).eval(&[Scalar::new(f64::NAN)]),
        dtype => identity(if dtype.is_signed() { Binary::Max } else { Binary::Min }, dtype),
    }
}

/// The length of the first axis.
fn rows(x: &ArrayType) -> Result<usize, TypeError> {
    x.shape.first().copied().ok_or_else(|| TypeError::new("a scalar has no rows to take; `reshape` it to give it an axis"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn outside_is_the_nearest_end() {
        let x = Array::from([1, 2, 3]);
        for (i, y) in [(0, 1), (2, 3), (3, 3), (-1, 3), (-3, 1), (-4, 1), (i64::MAX, 3), (i64::MIN, 1)] {
            assert_eq!(x.at(i), Array::from(y), "{i}");
            assert_eq!(x.at(Array::from(i)), Array::from(y), "{i}");
        }
        assert_eq!(x.at(Array::from([[0i64, 1], [2, 2]])), Array::from([[1, 2], [3, 3]]));
    }

    #[test]
    fn nothing_to_index() {
        let empty = Array::from([1, 2]).slice(0..0);
        let message = door(|| empty.at(0)).unwrap_err().message;
        assert!(message.contains("axis 0 of i32[0] is empty"), "{message}");
        assert_eq!(empty.get_or(0, 7), Array::from(7));
        assert_eq!(empty.at(Array::from([0i64]).slice(0..0)).size(), 0);
        assert!(door(|| Array::from(1.0).at(0)).unwrap_err().message.contains("a scalar has no rows"));
        let message = door(|| Array::from([1, 2]).at(Array::from(1.0))).unwrap_err().message;
        assert!(message.contains("positions are integers, not f64[]"), "{message}");
    }

    #[test]
    fn take_fills_what_is_outside() {
        let x = Array::from([[1, 2], [3, 4]]);
        assert_eq!(x.take(5, 0), Array::from([i32::MIN, i32::MIN]));
        assert_eq!(x.take(-1, -1), Array::from([2, 4]));
        assert_eq!(x.take(Array::from([[1], [-3]]), 1), Array::from([[[2], [i32::MIN]], [[4], [i32::MIN]]]));
        assert_eq!(Array::from([1.0]).take(1, 0).is_nan(), Array::from(true));
    }
}
