//! `accumulate`: updates added at computed positions. And `scatter_add`.

use super::gather::{Index, check_indices, inside, spread_over_rest};
use super::operands::{arrays, number, result, same_dtype};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::elements;
use super::{Attributes, Definition, Gather, Sample, Select, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, IndexMode, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use wengert_kernel::scalar::binary_fn;
use wengert_kernel::{Binary, Buffer, DType, with_element};

/// Operands `c: [batch.., n, rest..]`, `i: [batch.., index..]`, `u: [batch.., index.., rest..]`:
/// `c[b, i[b, k], ..] += u[b, k, ..]` in row-major order of `u`; in place when nobody else holds `c`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5], %1: i64[4], %2: f64[4]) {
///   %3: f64[5] = accumulate[batch=0, mode=drop] %0 %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Accumulate {
    /// Number of leading batch axes.
    pub batch: usize,
    /// What becomes of indices outside `0..n`.
    pub mode: IndexMode,
}

/// `to[to_at] += from[from_at]`, in this order, until either ends.
pub(super) fn add_elements(
    to: &mut Buffer,
    to_at: impl IntoIterator<Item = usize>,
    from: &Buffer,
    from_at: impl IntoIterator<Item = usize>,
) {
    with_element!(to.dtype(), T => {
        let add = binary_fn::<T>(Binary::Add).expect("infer has judged");
        let from = from.to_vec::<T>().expect("infer has judged");
        let to = to.as_mut_slice::<T>().expect("it has this dtype");
        for (t, f) in to_at.into_iter().zip(from_at) {
            to[t] = add(to[t], from[f]);
        }
    })
}

impl Primitive for Accumulate {
    fn name(&self) -> &'static str {
        "accumulate"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        let mode = match self.mode {
            IndexMode::Clamp => "clamp",
            IndexMode::Drop => "drop",
        };
        vec![("batch", Attribute::Int(self.batch as i64)), ("mode", Attribute::Word(mode.into()))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(["array", "indices", "updates"][i].to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [c, i, u] = arrays(args)?;
        same_dtype(c, u)?;
        number(c)?;
        let wanted = check_indices(c, i, self.batch)?;
        if u.shape != wanted {
            let message = format!("the updates of {c} at the indices {i} have the shape {wanted:?}, not that of {u}");
            return Err(TypeError::new(message));
        }
        if self.mode == IndexMode::Clamp && c.shape[self.batch] == 0 && i.size() > 0 {
            return Err(TypeError::new(format!("axis {} of {c} is empty, no index is within it", self.batch)));
        }
        result(c.dtype, c.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let [c, i, u] = <[Value; 3]>::try_from(args).expect("three operands").map(Value::into_array);
        let mut c = c;
        let n = c.shape[self.batch];
        let row: usize = c.shape[self.batch + 1..].iter().product();
        let lanes: usize = c.shape[..self.batch].iter().product();
        let per_lane = i.size().checked_div(lanes).unwrap_or(0);
        let indices = elements::<i64>(&i);
        let place = |(k, &i): (usize, &i64)| match self.mode {
            IndexMode::Drop if !(0..n as i64).contains(&i) => None,
            _ => Some((k, k / per_lane * n + i.clamp(0, n as i64 - 1) as usize)),
        };
        let places: Vec<(usize, usize)> = indices.iter().enumerate().filter_map(place).collect();
        let to = places.iter().flat_map(|&(_, p)| p * row..(p + 1) * row);
        let from = places.iter().flat_map(|&(k, _)| k * row..(k + 1) * row);
        add_elements(c.make_mut(), to, &u.buffer, from);
        Ok(vec![c.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &[&x[0], &x[1], &x[2]]);
        let dy = match &dx[2] {
            Some(du) => {
                let dc = dx[0].clone().unwrap_or_else(|| super::zeros_any(&x[0].ty()));
                Some(apply(self.clone(), &[&dc, &x[1], du]))
            }
            None => dx[0].clone(),
        };
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        if into.wants(2) {
            into.add(2, self.read_back(ct, x[1].known()));
        }
        into.add(0, ct.clone());
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Accumulate { batch: self.batch + 1, mode: self.mode }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Accumulate { batch: self.batch, mode: self.mode, add: true }
    }
}

impl Accumulate {
    /// What the updates at these indices would have been, had they been read: 0 for those that were dropped.
    #[track_caller]
    fn read_back(&self, c: &Array, indices: &Array) -> Array {
        let n = c.shape()[self.batch];
        if n == 0 {
            // All were dropped, and there is nothing to read.
            let lanes: Shape = indices.shape().iter().chain(&c.shape()[self.batch + 1..]).copied().collect();
            return super::zeros_any(&Type::array(c.dtype(), &lanes));
        }
        let read = apply(Gather { batch: self.batch }, &[c, indices]);
        match self.mode {
            IndexMode::Clamp => read,
            IndexMode::Drop => {
                let kept = spread_over_rest(&inside(indices, n), &read.shape());
                apply(Select, &[&kept, &read, &super::zeros_any(&read.ty())])
            }
        }
    }
}

impl Definition for Accumulate {
    const NAMES: &'static [&'static str] = &["accumulate"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let mode = match attributes.word("mode")?.as_str() {
            "clamp" => IndexMode::Clamp,
            "drop" => IndexMode::Drop,
            other => return Err(TypeError::new(format!("there is no mode `{other}`"))),
        };
        Ok(Accumulate { batch: attributes.size("batch")?, mode })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for mode in [IndexMode::Clamp, IndexMode::Drop] {
            let mut add = |dtype, batch: usize, c: &[usize], index: &[usize], indices: Vec<i64>| {
                all.push(sample(dtype, Accumulate { batch, mode }, c, index, indices));
            };
            add(DType::F64, 0, &[5], &[4], vec![1, 3, 1, 1]);
            add(DType::F64, 0, &[5], &[6], vec![-1, 5, 0, i64::MIN, i64::MAX, 4]);
            add(DType::F64, 0, &[3, 2], &[], vec![1]);
            add(DType::F64, 0, &[3, 2], &[2, 3], vec![2, 0, 2, 9, -4, 1]);
            add(DType::F64, 1, &[2, 3], &[2, 2], vec![0, 0, 7, 1]);
            add(DType::F64, 2, &[2, 1, 3, 2], &[2, 1, 3], vec![0, 2, 0, -1, 1, 1]);
            add(DType::F64, 0, &[3], &[0], vec![]);
            add(DType::F64, 0, &[3, 0], &[2], vec![0, 5]);
            add(DType::F64, 1, &[0, 3], &[0, 2], vec![]);
            add(DType::F32, 0, &[3, 5], &[4], vec![0, 2, 0, 0]);
            add(DType::I64, 0, &[3], &[7], vec![0, 1, 2, 0, 1, 0, 3]);
        }
        let empty = vec![Sample::numbers(DType::F64, &[0]), ArrayValue::new(&[2], vec![0i64, 1]).into()];
        let args = empty.into_iter().chain([Sample::numbers(DType::F64, &[2])]).collect();
        all.push(Sample::new(Accumulate { batch: 0, mode: IndexMode::Drop }, args).linear(&[0, 2]));
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        // Ahead of the first row, behind the last one, and twice.
        let indices = |n: usize, rows: usize| (0..n).map(|k| (k * 5 % (rows + 2)) as i64 - 1).collect::<Vec<i64>>();
        let of = |(dtype, mode)| {
            [
                sample(dtype, Accumulate { batch: 0, mode }, &[7], &[n], indices(n, 7)),
                sample(dtype, Accumulate { batch: 0, mode }, &[3, n], &[4], indices(4, 3)),
                sample(dtype, Accumulate { batch: 1, mode }, &[2, 5], &[2, n], indices(2 * n, 5)),
            ]
        };
        let modes = |dtype| [(dtype, IndexMode::Clamp), (dtype, IndexMode::Drop)];
        ONE_OF_EACH_SIZE.into_iter().flat_map(modes).flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, op: Accumulate, c: &[usize], index: &[usize], indices: Vec<i64>) -> Sample {
    let updates: Shape = index.iter().chain(&c[op.batch + 1..]).copied().collect();
    let i = ArrayValue::new(index, indices).into();
    let sample = Sample::new(op, vec![Sample::numbers(dtype, c), i, Sample::numbers(dtype, &updates)]);
    if dtype == DType::F64 { sample.linear(&[0, 2]) } else { sample }
}

impl Array {
    /// The array with updates added to its rows `self[indices]`, along axis 0. Rows named more than once get every
    /// update, in order; negative indices count from the end once; updates whose index is outside are dropped.
    ///
    /// `updates` broadcasts to the shape of the indices followed by that of a row, and takes the array's dtype.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([0.0, 0.0, 0.0]);
    /// let y = x.scatter_add(Array::from([0, 2, 2, -1, 9]), &Array::from([1.0, 2.0, 4.0, 8.0, 16.0]));
    /// assert_eq!(y, Array::from([1.0, 0.0, 14.0]));
    /// ```
    #[track_caller]
    pub fn scatter_add(&self, indices: impl Into<Index>, updates: &Array) -> Array {
        let _called = called("scatter_add");
        let ty = self.array_type();
        let scalar = || TypeError::new("a scalar has no rows to add to; use `+`, or `reshape` it to give it an axis");
        let (n, row) = accept(ty.shape.split_first().ok_or_else(scalar), &[self]);
        let indices = indices.into().resolved(*n);
        let shape: Shape = indices.shape().iter().chain(row).copied().collect();
        let updates = updates.convert(ty.dtype).broadcast_to(shape);
        apply(Accumulate { batch: 0, mode: IndexMode::Drop }, &[self, &indices, &updates])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn duplicates_and_strays() {
        let zeros = Array::from([0i64, 0, 0]);
        let ones = Array::from(1i64).broadcast_to(6);
        let at = Array::from([0i64, 0, 2, 3, -4, i64::MIN]);
        assert_eq!(zeros.scatter_add(&at, &ones), Array::from([2i64, 0, 1]));
        let clamped = apply(Accumulate { batch: 0, mode: IndexMode::Clamp }, &[&zeros, &at, &ones]);
        assert_eq!(clamped, Array::from([4i64, 0, 2]));
        assert_eq!(zeros.scatter_add(-1, &Array::from(5)), Array::from([0i64, 0, 5]));
    }

    #[test]
    fn refusals() {
        let x = Array::from([[1.0, 2.0]]);
        let message = door(|| x.scatter_add(0, &Array::from([1.0, 2.0, 3.0]))).unwrap_err().message;
        assert!(message.contains("f64[3] does not repeat to shape [2]"), "{message}");
        assert!(door(|| Array::from(1.0).scatter_add(0, &x)).unwrap_err().message.contains("a scalar has no rows"));
        let op = Accumulate { batch: 0, mode: IndexMode::Clamp };
        let types = [Type::array(DType::Bool, &[2]), Type::scalar(DType::I64), Type::scalar(DType::Bool)];
        assert!(op.infer(&types).unwrap_err().0.contains("holds no numbers"));
    }

    #[test]
    fn an_unshared_array_is_updated_in_place() {
        let c = ArrayValue::full(&[3], wengert_kernel::Scalar::new(1.0));
        let before = c.buffer.bytes().as_ptr();
        let op = Accumulate { batch: 0, mode: IndexMode::Clamp };
        let y = op.eval(vec![c.into(), Value::scalar(1i64), Value::scalar(2.0)]).unwrap().remove(0).into_array();
        assert_eq!(y.slice::<f64>(), [1.0, 3.0, 1.0]);
        assert_eq!(y.buffer.bytes().as_ptr(), before);
    }
}
