//! `argsort`: the positions of the elements of each row in ascending order. And all that sorts.

use super::axes::{Integers, one_axis};
use super::operands::{arrays, result};
use super::view::{blank, elements};
use super::{Attributes, Definition, Sample, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::trace::apply;
use crate::types::Type;
use crate::value::{ArrayValue, Value};
use smallvec::SmallVec;
use std::cmp::Ordering;
use wengert_kernel::{DType, Element, with_element};

/// `[batch.., n]` to `i64[batch.., n]`: in each row the positions of its elements in ascending order. Equal elements keep
/// their order, -0 and 0 are equal, NaNs are equal and come last.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[2,5]) {
///   %1: i64[2,5] = argsort[batch=1] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Argsort {
    /// Number of leading batch axes; one axis follows.
    pub batch: usize,
}

impl Argsort {
    fn sorted<T: Element>(&self, x: &ArrayValue) -> Result<ArrayValue, Error> {
        let mut y = blank(DType::I64, &x.shape)?;
        let data = elements::<T>(x);
        let n = x.shape[self.batch].max(1);
        let to = y.make_mut().as_mut_slice::<i64>().expect("it was made so");
        #[allow(clippy::eq_op)]
        let is_nan = |x: T| x != x;
        for (row, to) in data.chunks(n).zip(to.chunks_mut(n)) {
            to.iter_mut().enumerate().for_each(|(i, to)| *to = i as i64);
            to.sort_by(|&i, &j| {
                let (a, b) = (row[i as usize], row[j as usize]);
                a.partial_cmp(&b).unwrap_or_else(|| match (is_nan(a), is_nan(b)) {
                    (true, false) => Ordering::Greater,
                    (false, true) => Ordering::Less,
                    _ => Ordering::Equal,
                })
            });
        }
        Ok(y)
    }
}

impl Primitive for Argsort {
    fn name(&self) -> &'static str {
        "argsort"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x] = arrays(args)?;
        if x.rank() != self.batch + 1 {
            return Err(TypeError::new(format!("{x} is not rows in {} batch axes", self.batch)));
        }
        result(DType::I64, x.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let y = with_element!(x.dtype(), T => self.sorted::<T>(x))?;
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(self.clone(), x)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Argsort { batch: self.batch + 1 }, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Call { function: "argsort", batch: self.batch, ints: SmallVec::new() }
    }
}

impl Definition for Argsort {
    const NAMES: &'static [&'static str] = &["argsort"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Argsort { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        let mut add = |batch, x: Value| all.push(Sample::new(Argsort { batch }, vec![x]));
        for shape in [&[5][..], &[0], &[1], &[3, 5], &[2, 3, 4], &[0, 3], &[2, 0], &[1, 1]] {
            add(shape.len() - 1, Sample::numbers(DType::F64, shape));
        }
        for dtype in samples::computed() {
            add(0, samples::ties(dtype, &[17]));
            add(0, samples::hard(dtype, &[40]));
            // Long enough for every way to sort.
            add(1, samples::hard(dtype, &[2, 1025]));
        }
        let special = vec![f64::NAN, 0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, -f64::NAN, -0.0, 0.0];
        add(0, ArrayValue::new(&[8], special).into());
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            [(0, samples::hard(dtype, &[n])), (1, samples::ties(dtype, &[3, n]))]
                .map(|(batch, x)| Sample::new(Argsort { batch }, vec![x]))
        };
        samples::computed().flat_map(of).collect()
    }
}

/// The positions along the last axis.
#[track_caller]
fn order(x: &Array) -> Array {
    apply(Argsort { batch: x.rank() - 1 }, &[&x.stop_gradient()])
}

/// The elements of the last axis at positions along it.
#[track_caller]
fn picked(x: &Array, order: &Array) -> Array {
    apply(super::Gather { batch: x.rank() - 1 }, &[x, order])
}

impl Array {
    /// The elements along an axis in ascending order. NaNs come last; equal elements, -0 and 0 among them, keep their
    /// order. The derivative moves with the elements.
    ///
    /// # Panics
    /// When the axis does not exist.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[3.0, 1.0, 2.0], [0.0, 5.0, -1.0]]);
    /// assert_eq!(x.sort(-1), Array::from([[1.0, 2.0, 3.0], [-1.0, 0.0, 5.0]]));
    /// assert_eq!(x.sort(0), Array::from([[0.0, 1.0, -1.0], [3.0, 5.0, 2.0]]));
    /// ```
    #[track_caller]
    pub fn sort(&self, axis: impl Integers) -> Array {
        let _called = called("sort");
        sort_together(&[self], axis, 1).remove(0)
    }

    /// The positions, as `i64`, of the elements along an axis in ascending order; see [`Array::sort`].
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([3.0, 1.0, f64::NAN, 1.0]).argsort(0), Array::from([1i64, 3, 0, 2]));
    /// ```
    #[track_caller]
    pub fn argsort(&self, axis: impl Integers) -> Array {
        let _called = called("argsort");
        let axis = accept(one_axis(&axis, self.rank()), &[self]);
        let last = self.rank() - 1;
        order(&self.move_axis(axis, last)).move_axis(last, axis)
    }

    /// The array's slices along an axis in the ascending order of `keys`, one for each.
    ///
    /// # Panics
    /// When the keys are not as many as the axis is long.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from([[1, 2], [3, 4], [5, 6]]);
    /// assert_eq!(x.sort_by_key(&Array::from([2.0, 0.0, 1.0]), 0), Array::from([[3, 4], [5, 6], [1, 2]]));
    /// ```
    #[track_caller]
    pub fn sort_by_key(&self, keys: &Array, axis: impl Integers) -> Array {
        let _called = called("sort_by_key");
        let axis = accept(one_axis(&axis, self.rank()), &[self, keys]);
        let n = self.shape()[axis];
        if keys.shape().as_slice() != [n] {
            refuse(format!("axis {axis} of {} has {n} slices, which takes as many keys, not {}", self.ty(), keys.ty()), &[self, keys])
        }
        apply(super::Gather { batch: 0 }, &[&self.move_axis(axis, 0), &order(keys)]).move_axis(0, axis)
    }

    /// The `k` greatest elements along the last axis, in descending order, and their positions as `i64`. Of equal ones
    /// the first come first; NaN is greatest.
    ///
    /// # Panics
    /// When the last axis has not `k` elements.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let (values, indices) = Array::from([1.0, 4.0, 2.0, 4.0]).top_k(3);
    /// assert_eq!((values, indices), (Array::from([4.0, 4.0, 2.0]), Array::from([1i64, 3, 2])));
    /// ```
    #[track_caller]
    pub fn top_k(&self, k: usize) -> (Array, Array) {
        let _called = called("top_k");
        let n = self.shape().last().copied();
        let Some(n) = n.filter(|&n| k <= n) else {
            refuse(format!("{} has not {k} elements along its last axis; take fewer", self.ty()), &[self])
        };
        // Ascending order of the row read backwards, read backwards: equal elements are then in their first order.
        let backwards = order(&self.flip(-1)).slice_axis(-1, n - k..).flip(-1);
        let indices = rules::literal(wengert_kernel::Scalar::new(n as i64 - 1)) - backwards;
        (picked(self, &indices), indices)
    }
}

/// Arrays of one shape put in one order along an axis: the ascending order of the first, where these are equal that of
/// the second, and so on for `num_keys` of them; the others move along. Stable; see [`Array::sort`].
///
/// # Panics
/// When their shapes differ, the axis does not exist, or `num_keys` is 0 or more than there are arrays.
///
/// ```
/// use wengert_core::{array, ops::sort_together};
///
/// let sorted = sort_together(&[array![2, 1, 2, 1], array![0.5, 4.0, 0.25, 3.0], array![0, 1, 2, 3]], 0, 2);
/// assert_eq!(sorted, [array![1, 1, 2, 2], array![3.0, 4.0, 0.25, 0.5], array![3, 1, 2, 0]]);
/// ```
#[track_caller]
pub fn sort_together(arrays: &[impl std::borrow::Borrow<Array>], axis: impl Integers, num_keys: usize) -> Vec<Array> {
    let _called = called("sort_together");
    let arrays: Vec<&Array> = arrays.iter().map(|x| x.borrow()).collect();
    if num_keys == 0 || num_keys > arrays.len() {
        refuse(format!("{num_keys} of {} arrays cannot be the keys; at least one is, and at most all", arrays.len()), &arrays)
    }
    if let Some(x) = arrays.iter().find(|x| x.shape() != arrays[0].shape()) {
        refuse(format!("{} and {} differ in shape; `broadcast_to` one of them", arrays[0].ty(), x.ty()), &arrays)
    }
    let axis = accept(one_axis(&axis, arrays[0].rank()), &arrays);
    let last = arrays[0].rank() - 1;
    let rows: Vec<Array> = arrays.iter().map(|x| x.move_axis(axis, last)).collect();
    // The least important key first; the sorts after it keep its order where they see none.
    let mut all: Option<Array> = None;
    for key in rows[..num_keys].iter().rev() {
        all = Some(match all {
            None => order(key),
            Some(before) => picked(&before, &order(&picked(key, &before))),
        });
    }
    let all = all.expect("there is a key");
    rows.iter().map(|x| picked(x, &all).move_axis(last, axis)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn hard_values_in_order() {
        let x = Array::from([1.0, f64::NAN, f64::NEG_INFINITY, 0.0, -0.0, f64::INFINITY]);
        let bits = |x: Array| x.to_vec::<f64>().unwrap().into_iter().map(f64::to_bits).collect::<Vec<u64>>();
        let wanted = [f64::NEG_INFINITY, 0.0, -0.0, 1.0, f64::INFINITY, f64::NAN].map(f64::to_bits);
        assert_eq!(bits(x.sort(0)), wanted);
        assert_eq!(Array::from([true, false, true]).argsort(0), Array::from([1i64, 0, 2]));
        assert_eq!(Array::from([[2, 1]]).slice(0..0).sort(1).shape().as_slice(), [0, 2]);
        assert_eq!(Array::from([1.0, f64::NAN]).top_k(1).1, Array::from([1i64]));
        assert_eq!(Array::from([[1, 2], [4, 3]]).top_k(1).0, Array::from([[2], [4]]));
        assert_eq!(Array::from([1.0]).top_k(0).0.size(), 0);
    }

    #[test]
    fn refusals() {
        assert!(door(|| Array::from(1.0).sort(0)).unwrap_err().message.contains("axis 0 does not exist"));
        assert!(door(|| Array::from([1.0]).top_k(2)).unwrap_err().message.contains("take fewer"));
        let (x, y) = (Array::from([1, 2]), Array::from([1]));
        assert!(door(|| sort_together(&[&x, &y], 0, 1)).unwrap_err().message.contains("differ in shape"));
        assert!(door(|| sort_together(&[&x], 0, 2)).unwrap_err().message.contains("cannot be the keys"));
        assert!(door(|| x.sort_by_key(&y, 0)).unwrap_err().message.contains("as many keys"));
    }
}
