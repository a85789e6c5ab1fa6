//! `scatter_set`: rows replaced at computed positions.

use super::gather::{Index, check_indices, inside, spread_over_rest};
use super::operands::{arrays, result, same_dtype};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{copy, elements};
use super::{Attributes, Definition, Gather, Iota, Sample, Select, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, IndexMode, Lowering, Operand, Primitive};
use crate::refusal::accept;
use crate::source::called;
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, Value};
use wengert_kernel::{DType, Scalar};

/// Operands `c: [batch.., n, rest..]`, `i: [batch.., index..]`, `u: [batch.., index.., rest..]`: `c[b, i[b, k], ..] =
/// u[b, k, ..]` in row-major order of `u`, so that the last of several wins; indices outside `0..n` are dropped. In place
/// when nobody else holds `c`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5], %1: i64[4], %2: f64[4]) {
///   %3: f64[5] = scatter_set[batch=0] %0 %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ScatterSet {
    /// Number of leading batch axes.
    pub batch: usize,
}

impl ScatterSet {
    /// What came of each update: the array's element where it won, else 0.
    #[track_caller]
    fn read_back(&self, c: &Array, indices: &Array) -> Array {
        let (lead, n, at) = (&c.shape()[..self.batch], c.shape()[self.batch], indices.shape());
        let updates: Shape = at.iter().chain(&c.shape()[self.batch + 1..]).copied().collect();
        let zeros = super::zeros_any(&Type::array(c.dtype(), &updates));
        if n == 0 || indices.size() == 0 {
            return zeros;
        }
        let read = apply(Gather { batch: self.batch }, &[c, indices]);
        let inside = inside(indices, n);
        let count: usize = at[self.batch..].iter().product();
        if count == 1 {
            return apply(Select, &[&spread_over_rest(&inside, &updates), &read, &zeros]);
        }
        // The number of the last update of each row, and whether an update has it.
        let flat: Shape = lead.iter().copied().chain([count]).collect();
        let number = apply(Iota { dtype: DType::I64, shape: flat, axis: self.batch }, &[]).with_shape(&at);
        let rows: Shape = lead.iter().copied().chain([n]).collect();
        let last = apply(self.clone(), &[&rules::constant(Scalar::new(-1i64), &rows), indices, &number]);
        let won = inside & apply(Gather { batch: self.batch }, &[&last, indices]).eq(&number);
        apply(Select, &[&spread_over_rest(&won, &updates), &read, &zeros])
    }
}

impl Primitive for ScatterSet {
    fn name(&self) -> &'static str {
        "scatter_set"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(["array", "indices", "updates"][i].to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [c, i, u] = arrays(args)?;
        same_dtype(c, u)?;
        let wanted = check_indices(c, i, self.batch)?;
        if u.shape != wanted {
            let message = format!("the updates of {c} at the indices {i} have the shape {wanted:?}, not that of {u}");
            return Err(TypeError::new(message));
        }
        result(c.dtype, c.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let [mut c, i, u] = <[Value; 3]>::try_from(args).expect("three operands").map(Value::into_array);
        let n = c.shape[self.batch];
        let row: usize = c.shape[self.batch + 1..].iter().product();
        let lanes: usize = c.shape[..self.batch].iter().product();
        let per_lane = i.size().checked_div(lanes).unwrap_or(0);
        let indices = elements::<i64>(&i);
        let place = |(k, &i): (usize, &i64)| (0..n as i64).contains(&i).then(|| (k, k / per_lane * n + i as usize));
        let places: Vec<(usize, usize)> = indices.iter().enumerate().filter_map(place).collect();
        let to = places.iter().flat_map(|&(_, p)| p * row..(p + 1) * row);
        let from = places.iter().flat_map(|&(k, _)| k * row..(k + 1) * row);
        copy(c.make_mut(), to, &u.buffer, from);
        Ok(vec![c.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &[&x[0], &x[1], &x[2]]);
        if dx[0].is_none() && dx[2].is_none() {
            return (vec![y], vec![None]);
        }
        let [dc, du] = [0, 2].map(|i| dx[i].clone().unwrap_or_else(|| super::zeros_any(&x[i].ty())));
        (vec![y], vec![Some(apply(self.clone(), &[&dc, &x[1], &du]))])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let indices = x[1].known();
        if into.wants(2) {
            into.add(2, self.read_back(ct, indices));
        }
        if into.wants(0) {
            into.add(0, apply(self.clone(), &[ct, indices, &super::zeros_any(&x[2].ty())]));
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(ScatterSet { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Accumulate { batch: self.batch, mode: IndexMode::Drop, add: false }
    }
}

impl Definition for ScatterSet {
    const NAMES: &'static [&'static str] = &["scatter_set"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(ScatterSet { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, 0, &[5], &[4], vec![1, 3, 1, 1]),
            sample(DType::F64, 0, &[5], &[6], vec![-1, 5, 0, i64::MIN, i64::MAX, 4]),
            sample(DType::F64, 0, &[3, 2], &[], vec![1]),
            sample(DType::F64, 0, &[3, 2], &[2, 3], vec![2, 0, 2, 9, -4, 1]),
            sample(DType::F64, 1, &[2, 3], &[2, 2], vec![0, 0, 7, 1]),
            sample(DType::F64, 1, &[2, 3, 2], &[2, 2], vec![0, 0, 2, 1]),
            sample(DType::F64, 2, &[2, 1, 3, 2], &[2, 1, 3], vec![0, 2, 0, -1, 1, 1]),
            sample(DType::F64, 0, &[3], &[0], vec![]),
            sample(DType::F64, 0, &[0], &[2], vec![0, 1]),
            sample(DType::F64, 0, &[1], &[], vec![0]),
            sample(DType::F64, 0, &[3, 0], &[2], vec![0, 5]),
            sample(DType::F64, 1, &[0, 3], &[0, 2], vec![]),
            sample(DType::F32, 0, &[3, 5], &[4], vec![0, 2, 0, 0]),
            sample(DType::I64, 0, &[3], &[7], vec![0, 1, 2, 0, 1, 0, 3]),
            sample(DType::Bool, 0, &[3], &[3], vec![2, 1, 2]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        // Ahead of the first row, behind the last one, and twice.
        let indices = |n: usize, rows: usize| (0..n).map(|k| (k * 5 % (rows + 2)) as i64 - 1).collect::<Vec<i64>>();
        let of = |dtype| {
            [
                sample(dtype, 0, &[7], &[n], indices(n, 7)),
                sample(dtype, 0, &[3, n], &[4], indices(4, 3)),
                sample(dtype, 1, &[2, 5], &[2, n], indices(2 * n, 5)),
            ]
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, batch: usize, c: &[usize], index: &[usize], indices: Vec<i64>) -> Sample {
    let updates: Shape = index.iter().chain(&c[batch + 1..]).copied().collect();
    let i = ArrayValue::new(index, indices).into();
    let args = vec![Sample::numbers(dtype, c), i, Sample::numbers(dtype, &updates)];
    let sample = Sample::new(ScatterSet { batch }, args);
    if dtype == DType::F64 { sample.linear(&[0, 2]) } else { sample }
}

impl Array {
    /// The array with its rows `self[indices]`, along axis 0, replaced by updates. Of a row named more than once the last
    /// update wins, in row-major order, and only it has a derivative; negative indices count from the end once; updates
    /// whose index is outside are dropped.
    ///
    /// `updates` broadcasts to the shape of the indices followed by that of a row, and takes the array's dtype.
    ///
    /// # Panics
    /// When the array is a scalar, or `updates` does not broadcast so.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([0.0, 0.0, 0.0]);
    /// let y = x.scatter_set(Array::from([0, 2, 2, 9]), &Array::from([1.0, 2.0, 4.0, 8.0]));
    /// assert_eq!(y, Array::from([1.0, 0.0, 4.0]));
    /// ```
    #[track_caller]
    pub fn scatter_set(&self, indices: impl Into<Index>, updates: &Array) -> Array {
        let _called = called("scatter_set");
        let (indices, updates) = self.scattered(indices, updates);
        apply(ScatterSet { batch: 0 }, &[self, &indices, &updates])
    }

    /// Indices counted from the front, and updates of the shape and dtype that they take.
    #[track_caller]
    pub(crate) fn scattered(&self, indices: impl Into<Index>, updates: &Array) -> (Array, Array) {
        let ty = self.array_type();
        let scalar = || TypeError::new("a scalar has no rows to update; `reshape` it to give it an axis");
        let (n, row) = accept(ty.shape.split_first().ok_or_else(scalar), &[self]);
        let indices = indices.into().resolved(*n);
        let shape: Shape = indices.shape().iter().chain(row).copied().collect();
        (indices, updates.convert(ty.dtype).broadcast_to(shape))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn the_last_wins_and_strays_are_dropped() {
        let x = Array::from([[1, 2], [3, 4]]);
        let u = Array::from([[5, 6], [7, 8], [9, 10]]);
        assert_eq!(x.scatter_set(Array::from([-1, 2, 1]), &u), Array::from([[1, 2], [9, 10]]));
        assert_eq!(x.scatter_set(-3, &Array::from(0)), x);
        assert_eq!(x.scatter_set(0, &Array::from(0)), Array::from([[0, 0], [3, 4]]));
        assert!(door(|| Array::from(1.0).scatter_set(0, &x)).unwrap_err().message.contains("a scalar has no rows"));
    }

    #[test]
    fn an_unshared_array_is_updated_in_place() {
        let c = ArrayValue::full(&[3], Scalar::new(1.0));
        let before = c.buffer.bytes().as_ptr();
        let y = ScatterSet { batch: 0 }.eval(vec![c.into(), Value::scalar(1i64), Value::scalar(2.0)]);
        let y = y.unwrap().remove(0).into_array();
        assert_eq!(y.slice::<f64>(), [1.0, 2.0, 1.0]);
        assert_eq!(y.buffer.bytes().as_ptr(), before);
    }
}
