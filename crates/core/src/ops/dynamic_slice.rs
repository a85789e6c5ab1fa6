//! `dynamic_slice` and `dynamic_update`: a window at a computed place, read, replaced or added to.

use super::accumulate::add_elements;
use super::axes::{Integers, lengths};
use super::gather::Index;
use super::operands::{array_list, number, result, same_dtype};
use super::samples::ONE_OF_EACH_SIZE;
use super::view::{blank, clamped_start, copy, elements, positions};
use super::{Attributes, Definition, Gather, Iota, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive, View, ViewAxis};
use crate::trace::apply;
use crate::types::{ArrayType, Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::{DType, Scalar};

/// Operands `x: [batch.., n..]` and a start for each axis `n`, `i64` of the batch shape: the window of `sizes` at these
/// starts, clamped so that it fits.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5], %1: i64[]) {
///   %2: f64[3] = dynamic_slice[batch=0, sizes=[3]] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DynamicSlice {
    /// Number of leading batch axes.
    pub batch: usize,
    /// Window lengths of the axes after the batch axes.
    pub sizes: SmallVec<[usize; 4]>,
}

/// Operands `x, u` and starts as of [`DynamicSlice`]: `x` with the window replaced by `u`, or `u` added to it; in place
/// when nobody else holds `x`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5], %1: f64[3], %2: i64[]) {
///   %3: f64[5] = dynamic_update[batch=0, add=true] %0 %1 %2
///   return %3
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DynamicUpdate {
    /// Number of leading batch axes.
    pub batch: usize,
    /// Add rather than replace.
    pub add: bool,
}

/// That there is a start for each axis and the window fits into `x`.
fn check(x: &ArrayType, starts: &[&ArrayType], batch: usize, sizes: &[usize]) -> Result<(), TypeError> {
    let rank = x.rank().saturating_sub(batch);
    if x.rank() < batch || starts.len() != rank || sizes.len() != rank {
        let (starts, sizes) = (starts.len(), sizes.len());
        let message = format!(
            "{x} has {rank} axes after {batch} batch axes, which {starts} starts and {sizes} sizes do not name"
        );
        return Err(TypeError::new(message));
    }
    if let Some(start) = starts.iter().find(|s| s.dtype != DType::I64 || s.shape[..] != x.shape[..batch]) {
        let wanted = ArrayType::new(DType::I64, &x.shape[..batch]);
        return Err(TypeError::new(format!("a start is {wanted}, not {start}; give one scalar for each axis")));
    }
    match (0..rank).find(|&a| sizes[a] > x.shape[batch + a]) {
        Some(a) => {
            let (size, a) = (sizes[a], batch + a);
            Err(TypeError::new(format!("a window of length {size} does not fit into axis {a} of {x}; it may be {} long at most", x.shape[a])))
        }
        None => Ok(()),
    }
}

/// That an update has the axes of what it is a window of.
fn window_of(x: &ArrayType, u: &ArrayType, batch: usize) -> Result<(), TypeError> {
    if u.rank() == x.rank() && u.rank() >= batch && u.shape[..batch] == x.shape[..batch] {
        return Ok(());
    }
    Err(TypeError::new(format!("the update {u} is no window of {x}: it must have as many axes; `expand_dims` or `reshape` it")))
}

/// Where the elements of the window stand in `x`, lane after lane.
fn window(x: &[usize], starts: &[Value], batch: usize, sizes: &[usize]) -> Vec<usize> {
    let (lanes, lengths) = x.split_at(batch);
    let (lanes, lane): (usize, usize) = (lanes.iter().product(), lengths.iter().product());
    let starts: Vec<_> = starts.iter().map(|s| elements::<i64>(s.array())).collect();
    let of_lane = |b: usize| {
        let axis = |a: usize| ViewAxis {
            offset: clamped_start(starts[a][b], sizes[a], lengths[a]) as i64,
            from: Some((a, 1)),
        };
        let view = View { axes: (0..lengths.len()).map(axis).collect() };
        positions(&view, sizes, lengths).map(move |p| b * lane + p)
    };
    (0..lanes).flat_map(of_lane).collect()
}

/// The operands of an operation whose first `fixed` ones get a batch axis while the starts are shared: the new axis is
/// one more axis of the window, which begins at 0.
fn with_whole_axis(x: &[Batched], fixed: usize, size: usize) -> Vec<Array> {
    let zero = rules::literal(Scalar::new(0i64));
    let (arrays, starts) = x.split_at(fixed);
    let starts = starts.iter().map(|s| s.array.clone());
    arrays.iter().map(|x| x.spread(size)).chain([zero]).chain(starts).collect()
}

impl Primitive for DynamicSlice {
    fn name(&self) -> &'static str {
        "dynamic_slice"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("sizes", Attribute::sizes(&self.sizes))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(i.checked_sub(1).map_or("array".to_owned(), |a| format!("start {a}")))
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let all = array_list(args)?;
        let (x, starts) = all.split_first().ok_or_else(|| TypeError::new("it takes an array and starts"))?;
        check(x, starts, self.batch, &self.sizes)?;
        result(x.dtype, x.shape[..self.batch].iter().chain(&self.sizes).copied().collect())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let shape: Shape = x.shape[..self.batch].iter().chain(&self.sizes).copied().collect();
        let mut y = blank(x.dtype(), &shape)?;
        copy(y.make_mut(), 0.., &x.buffer, window(&x.shape, &args[1..], self.batch, &self.sizes));
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let sum = into.take(0).unwrap_or_else(|| super::zeros_any(&x[0].ty()));
        let args: Vec<&Array> = [&sum, ct].into_iter().chain(x[1..].iter().map(Operand::known)).collect();
        into.add(0, apply(DynamicUpdate { batch: self.batch, add: true }, &args));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        if self.batch == 0 && !x[0].mapped {
            return vec![self.windows_of_one(x, size)];
        }
        if self.batch == 0 && x[1..].iter().all(|start| !start.mapped) {
            let sizes = std::iter::once(size).chain(self.sizes.iter().copied()).collect();
            let args = with_whole_axis(x, 1, size);
            let y = apply(DynamicSlice { batch: 0, sizes }, &args.iter().collect::<Vec<_>>());
            return vec![Batched::mapped(y)];
        }
        rules::batch_all(DynamicSlice { batch: self.batch + 1, sizes: self.sizes.clone() }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::DynamicSlice { batch: self.batch, sizes: self.sizes.clone() }
    }
}

impl DynamicSlice {
    /// One array for all lanes, which read windows of it: a gather, so that the array is not repeated for every lane.
    fn windows_of_one(&self, x: &[Batched], size: usize) -> Batched {
        let (table, starts) = x.split_first().expect("the array");
        let lengths = table.array.shape();
        // Trailing axes that are taken whole stay rows.
        let Some(last) = (0..lengths.len()).rev().find(|&a| self.sizes[a] != lengths[a]) else {
            return Batched::shared(table.array.clone());
        };
        let (moving, rest) = lengths.split_at(last + 1);
        let index_shape: Shape = std::iter::once(size).chain(self.sizes[..=last].iter().copied()).collect();
        let shape: Shape = index_shape.iter().chain(rest).copied().collect();
        if shape.contains(&0) {
            return Batched::mapped(super::zeros_any(&Type::array(table.array.dtype(), &shape)));
        }
        let number = |n: usize| rules::literal(Scalar::new(n as i64));
        let mut flat = rules::constant(Scalar::new(0i64), &index_shape);
        for a in 0..=last {
            let stride = moving[a + 1..].iter().product();
            let start = starts[a].spread(size).maximum(0).minimum(number(moving[a] - self.sizes[a]));
            let start = start.expand_dims((1..=last + 1).collect::<Vec<_>>());
            let offset = apply(Iota { dtype: DType::I64, shape: index_shape.clone(), axis: a + 1 }, &[]);
            flat += (start + offset) * number(stride);
        }
        let rows: Shape = std::iter::once(moving.iter().product()).chain(rest.iter().copied()).collect();
        Batched::mapped(apply(Gather { batch: 0 }, &[&table.array.with_shape(&rows), &flat]))
    }
}

impl Definition for DynamicSlice {
    const NAMES: &'static [&'static str] = &["dynamic_slice"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(DynamicSlice { batch: attributes.size("batch")?, sizes: attributes.sizes("sizes")?.into() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(DType::F64, 0, &[5], &[3], &[vec![1]]),
            sample(DType::F64, 0, &[5], &[3], &[vec![9]]),
            sample(DType::F64, 0, &[5], &[3], &[vec![i64::MIN]]),
            sample(DType::F64, 0, &[5], &[3], &[vec![i64::MAX]]),
            sample(DType::F64, 0, &[3, 4], &[2, 1], &[vec![1], vec![2]]),
            sample(DType::F64, 0, &[3, 4], &[1, 4], &[vec![2], vec![3]]),
            sample(DType::F64, 0, &[3, 2], &[3, 2], &[vec![1], vec![1]]),
            sample(DType::F64, 0, &[], &[], &[]),
            sample(DType::F64, 0, &[4], &[0], &[vec![2]]),
            sample(DType::F64, 0, &[0, 3], &[0, 2], &[vec![0], vec![1]]),
            sample(DType::F64, 1, &[2, 5], &[2], &[vec![1, 4]]),
            sample(DType::F64, 2, &[2, 1, 3], &[1], &[vec![0, 2]]),
            sample(DType::F32, 0, &[17, 2], &[5, 2], &[vec![11], vec![0]]),
            sample(DType::I64, 0, &[7], &[3], &[vec![-1]]),
            sample(DType::Bool, 0, &[4], &[2], &[vec![1]]),
        ]
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            [
                sample(dtype, 0, &[n + 3], &[n], &[vec![n as i64 % 5]]),
                sample(dtype, 0, &[3, n + 2], &[2, n], &[vec![1], vec![2]]),
                sample(dtype, 1, &[2, n + 3], &[n], &[vec![1, 9]]),
            ]
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn sample(dtype: DType, batch: usize, x: &[usize], sizes: &[usize], starts: &[Vec<i64>]) -> Sample {
    let mut args = vec![Sample::numbers(dtype, x)];
    args.extend(starts.iter().map(|s| Value::from(ArrayValue::new(&x[..batch], s.clone()))));
    let sample = Sample::new(DynamicSlice { batch, sizes: sizes.into() }, args);
    if dtype == DType::F64 { sample.linear(&[0]) } else { sample }
}

impl Primitive for DynamicUpdate {
    fn name(&self) -> &'static str {
        "dynamic_update"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("add", Attribute::Bool(self.add))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        Some(match i {
            0 => "array".to_owned(),
            1 => "update".to_owned(),
            _ => format!("start {}", i - 2),
        })
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let all = array_list(args)?;
        let [x, u, ref starts @ ..] = all[..] else {
            return Err(TypeError::new("it takes an array, an update and starts"));
        };
        same_dtype(x, u)?;
        if self.add {
            number(x)?;
        }
        window_of(x, u, self.batch)?;
        check(x, starts, self.batch, &u.shape[self.batch..])?;
        result(x.dtype, x.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let mut args = args.into_iter();
        let mut operand = || args.next().expect("the operands that were inferred");
        let (mut x, u) = (operand().into_array(), operand().into_array());
        let starts: Vec<Value> = args.collect();
        let at = window(&x.shape, &starts, self.batch, &u.shape[self.batch..]);
        if self.add {
            add_elements(x.make_mut(), at, &u.buffer, 0..);
        } else {
            copy(x.make_mut(), at, &u.buffer, 0..u.size());
        }
        Ok(vec![x.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let y = apply(self.clone(), &x.iter().collect::<Vec<_>>());
        let dy = match (&dx[0], &dx[1]) {
            (None, None) => None,
            (Some(dx), None) if self.add => Some(dx.clone()),
            _ => {
                let tangent = |i: usize| dx[i].clone().unwrap_or_else(|| super::zeros_any(&x[i].ty()));
                let (dx, du) = (tangent(0), tangent(1));
                let args: Vec<&Array> = [&dx, &du].into_iter().chain(&x[2..]).collect();
                Some(apply(self.clone(), &args))
            }
        };
        (vec![y], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        let u = x[1].ty();
        let starts: Vec<&Array> = x[2..].iter().map(Operand::known).collect();
        if into.wants(1) {
            let sizes = u.as_array().expect("an array was inferred").shape[self.batch..].into();
            let args: Vec<&Array> = std::iter::once(ct).chain(starts.iter().copied()).collect();
            into.add(1, apply(DynamicSlice { batch: self.batch, sizes }, &args));
        }
        if into.wants(0) {
            let ct = if self.add {
                ct.clone()
            } else {
                // What was replaced has no part in the result.
                let zeros = super::zeros_any(&u);
                let args: Vec<&Array> = [ct, &zeros].into_iter().chain(starts).collect();
                apply(self.clone(), &args)
            };
            into.add(0, ct);
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        if self.batch == 0 && x[2..].iter().all(|start| !start.mapped) {
            let args = with_whole_axis(x, 2, size);
            return vec![Batched::mapped(apply(self.clone(), &args.iter().collect::<Vec<_>>()))];
        }
        rules::batch_all(DynamicUpdate { batch: self.batch + 1, add: self.add }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::DynamicUpdate { batch: self.batch, add: self.add }
    }
}

impl Definition for DynamicUpdate {
    const NAMES: &'static [&'static str] = &["dynamic_update"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(DynamicUpdate { batch: attributes.size("batch")?, add: attributes.bool("add")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for add in [false, true] {
            let mut sample = |dtype, batch: usize, x: &[usize], u: &[usize], starts: &[Vec<i64>]| {
                all.push(update(dtype, DynamicUpdate { batch, add }, x, u, starts));
            };
            sample(DType::F64, 0, &[5], &[3], &[vec![1]]);
            sample(DType::F64, 0, &[5], &[3], &[vec![9]]);
            sample(DType::F64, 0, &[5], &[3], &[vec![i64::MIN]]);
            sample(DType::F64, 0, &[3, 4], &[2, 1], &[vec![1], vec![2]]);
            sample(DType::F64, 0, &[3, 2], &[3, 2], &[vec![1], vec![1]]);
            sample(DType::F64, 0, &[], &[], &[]);
            sample(DType::F64, 0, &[4], &[0], &[vec![2]]);
            sample(DType::F64, 0, &[0, 3], &[0, 2], &[vec![0], vec![1]]);
            sample(DType::F64, 1, &[2, 5], &[2, 2], &[vec![1, 4]]);
            sample(DType::F64, 2, &[2, 1, 3], &[2, 1, 1], &[vec![0, 2]]);
            sample(DType::F32, 0, &[17, 2], &[5, 2], &[vec![11], vec![0]]);
            sample(DType::I64, 0, &[7], &[3], &[vec![-1]]);
        }
        let bools = vec![Sample::numbers(DType::Bool, &[4]), Sample::numbers(DType::Bool, &[2]), Value::scalar(1i64)];
        all.push(Sample::new(DynamicUpdate { batch: 0, add: false }, bools));
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |(dtype, add)| {
            [
                update(dtype, DynamicUpdate { batch: 0, add }, &[n + 3], &[n], &[vec![n as i64 % 5]]),
                update(dtype, DynamicUpdate { batch: 0, add }, &[3, n + 2], &[2, n], &[vec![1], vec![2]]),
                update(dtype, DynamicUpdate { batch: 1, add }, &[2, n + 3], &[2, n], &[vec![1, 9]]),
            ]
        };
        ONE_OF_EACH_SIZE.into_iter().flat_map(|dtype| [(dtype, false), (dtype, true)]).flat_map(of).collect()
    }
}

/// A sample, linear where floats are double.
fn update(dtype: DType, op: DynamicUpdate, x: &[usize], u: &[usize], starts: &[Vec<i64>]) -> Sample {
    let mut args = vec![Sample::numbers(dtype, x), Sample::numbers(dtype, u)];
    args.extend(starts.iter().map(|s| Value::from(ArrayValue::new(&x[..op.batch], s.clone()))));
    let sample = Sample::new(op, args);
    if dtype == DType::F64 { sample.linear(&[0, 1]) } else { sample }
}

impl Array {
    /// The window of `sizes` that begins at `starts`, given for the leading axes; the others are taken whole.
    ///
    /// Negative starts count from the end once; a window that would reach outside is moved inside.
    ///
    /// # Panics
    /// When a window is longer than its axis, or a start is not a scalar integer.
    ///
    /// ```
    /// # use wengert_core::{Array, ops::Index};
    /// let x = Array::from([[1, 2, 3], [4, 5, 6]]);
    /// let i = Array::from(1);
    /// assert_eq!(x.dynamic_slice(&[&i], 1), Array::from([[4, 5, 6]]));
    /// assert_eq!(x.dynamic_slice(&[Index::from(0), Index::from(&i)], [2, 2]), Array::from([[2, 3], [5, 6]]));
    /// assert_eq!(x.dynamic_slice(&[0, 9], [1, 2]), Array::from([[2, 3]]));
    /// ```
    #[track_caller]
    pub fn dynamic_slice<I: Into<Index> + Clone>(&self, starts: &[I], sizes: impl Integers) -> Array {
        let _called = called("dynamic_slice");
        let mut sizes = accept(lengths(&sizes), &[self]);
        let shape = self.shape();
        accept(no_more_than_axes("sizes", sizes.len(), self).and(no_more_than_axes("starts", starts.len(), self)), &[self]);
        sizes.extend(shape.iter().skip(sizes.len()).copied());
        let starts = resolved(starts, &shape);
        let args: Vec<&Array> = std::iter::once(self).chain(&starts).collect();
        apply(DynamicSlice { batch: 0, sizes }, &args)
    }

    /// The array with the window that begins at `starts`, given for the leading axes, replaced by `update`, which
    /// takes the array's dtype. Starts are treated as those of [`Array::dynamic_slice`].
    ///
    /// # Panics
    /// When `update` has another rank or is longer than an axis, or a start is not a scalar integer.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([1, 2, 3, 4]);
    /// assert_eq!(x.dynamic_update_slice(&Array::from([7, 8]), &[1]), Array::from([1, 7, 8, 4]));
    /// ```
    #[track_caller]
    pub fn dynamic_update_slice<I: Into<Index> + Clone>(&self, update: &Array, starts: &[I]) -> Array {
        let _called = called("dynamic_update_slice");
        accept(no_more_than_axes("starts", starts.len(), self), &[self, update]);
        accept(window_of(&self.array_type(), &update.array_type(), 0), &[self, update]);
        let update = update.convert(self.dtype());
        let starts = resolved(starts, &self.shape());
        let args: Vec<&Array> = [self, &update].into_iter().chain(&starts).collect();
        apply(DynamicUpdate { batch: 0, add: false }, &args)
    }
}

/// That so many starts or sizes are not more than there are axes.
fn no_more_than_axes(what: &str, n: usize, x: &Array) -> Result<(), TypeError> {
    if n <= x.rank() {
        return Ok(());
    }
    Err(TypeError::new(format!("{} has {} axes, but {n} {what} are given; give at most one for each axis", x.ty(), x.rank())))
}

/// A start for every axis: those given, then 0.
#[track_caller]
fn resolved<I: Into<Index> + Clone>(starts: &[I], shape: &[usize]) -> Vec<Array> {
    let mut all = Vec::with_capacity(shape.len());
    for (start, &n) in starts.iter().zip(shape) {
        all.push(start.clone().into().resolved(n));
    }
    for _ in starts.len()..shape.len() {
        all.push(rules::literal(Scalar::new(0i64)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn starts_are_moved_so_that_the_window_fits() {
        let x = Array::from([0, 1, 2, 3, 4]);
        for (start, first) in [(0, 0), (2, 2), (3, 2), (9, 2), (-1, 2), (-4, 1), (i64::MIN, 0), (i64::MAX, 2)] {
            let window = Array::from([first, first + 1, first + 2]);
            assert_eq!(x.dynamic_slice(&[start], 3), window, "{start}");
            assert_eq!(x.dynamic_slice(&[&Array::from(start)], 3), window, "{start}");
        }
    }

    #[test]
    fn refusals() {
        let x = Array::from([[1, 2, 3], [4, 5, 6]]);
        let message = door(|| x.dynamic_slice(&[0, 0], [1, 4])).unwrap_err().message;
        assert!(message.contains("a window of length 4 does not fit into axis 1 of i32[2,3]"), "{message}");
        let message = door(|| x.dynamic_slice(&[&x.at(0)], 1)).unwrap_err().message;
        assert!(message.contains("a start is i64[], not i64[3]"), "{message}");
        assert!(door(|| x.dynamic_slice(&[0, 0, 0], 1)).unwrap_err().message.contains("but 3 starts are given"));
        let message = door(|| x.dynamic_update_slice(&Array::from([1]), &[0])).unwrap_err().message;
        assert!(message.contains("i32[1] is no window of i32[2,3]"), "{message}");
    }
}
