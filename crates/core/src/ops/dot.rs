//! `dot`: matrix product of two stacks of matrices. And NumPy's `dot` and `matmul`.

use super::operands::{arrays, result, same_dtype};
use super::view::{blank, elements};
use super::{Attributes, Definition, Permute, Sample, rules, samples};
use crate::array::Array;
use crate::complex;
use crate::array::promote::promote_types;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{ArrayType, Shape, Type};
use crate::value::{ArrayValue, Value};
use crate::refusal::accept;
use crate::source::called;
use smallvec::SmallVec;
use wengert_kernel::{DType, Element};

/// `[batch.., m, k] x [batch.., k, n] -> [batch.., m, n]`, floats and integers of 32 and 64 bits; integers wrap.
///
/// Sums start at +0, so that a sum of zeros is +0 whatever their signs, of one product too. Their order is not part of
/// the meaning: engines may differ by a few roundings.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[2,3], %1: f64[3,4]) {
///   %2: f64[2,4] = dot[batch=0] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Dot {
    /// Number of leading batch axes.
    pub batch: usize,
}

/// Sums in sequence, in the dtype of the elements.
fn product<T: Element>(x: &ArrayValue, y: &ArrayValue, z: &mut ArrayValue, add: impl Fn(T, T, T) -> T) {
    let [m, k] = x.shape[x.shape.len() - 2..] else { unreachable!("two axes") };
    let n = y.shape[y.shape.len() - 1];
    if m * k * n == 0 {
        return;
    }
    let (x, y) = (elements::<T>(x), elements::<T>(y));
    let z = z.make_mut().as_mut_slice::<T>().expect("it was made so");
    for ((x, y), z) in x.chunks(m * k).zip(y.chunks(k * n)).zip(z.chunks_mut(m * n)) {
        for (x, z) in x.chunks(k).zip(z.chunks_mut(n)) {
            for (&x, y) in x.iter().zip(y.chunks(n)) {
                for (z, &y) in z.iter_mut().zip(y) {
                    *z = add(*z, x, y);
                }
            }
        }
    }
}

/// The last two axes exchanged.
#[track_caller]
fn transposed(x: &Array) -> Array {
    let mut axes: SmallVec<[usize; 4]> = (0..x.rank()).collect();
    let last = axes.len() - 1;
    axes.swap(last - 1, last);
    apply(Permute { axes }, &[x])
}

impl Primitive for Dot {
    fn name(&self) -> &'static str {
        "dot"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x, y] = arrays(args)?;
        same_dtype(x, y)?;
        has_product(x.dtype)?;
        let b = self.batch;
        if [x.rank(), y.rank()] != [b + 2; 2] || x.shape[..b] != y.shape[..b] {
            return Err(TypeError::new(format!("{x} and {y} are not matrices in {b} equal batch axes")));
        }
        if x.shape[b + 1] != y.shape[b] {
            let (m, n) = (x.shape[b + 1], y.shape[b]);
            return Err(TypeError::new(format!("the inner lengths {m} and {n} of {x} and {y} differ")));
        }
        result(x.dtype, x.shape[..=b].iter().chain(&y.shape[b + 1..]).copied().collect())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let (x, y) = (args[0].array(), args[1].array());
        let shape: Shape = x.shape[..=self.batch].iter().chain(&y.shape[self.batch + 1..]).copied().collect();
        let mut z = blank(x.dtype(), &shape)?;
        match x.dtype() {
            DType::F32 => product::<f32>(x, y, &mut z, |z, x, y| z + x * y),
            DType::F64 => product::<f64>(x, y, &mut z, |z, x, y| z + x * y),
            DType::I32 => product::<i32>(x, y, &mut z, |z, x, y| z.wrapping_add(x.wrapping_mul(y))),
            DType::I64 => product::<i64>(x, y, &mut z, |z, x, y| z.wrapping_add(x.wrapping_mul(y))),
            DType::U32 => product::<u32>(x, y, &mut z, |z, x, y| z.wrapping_add(x.wrapping_mul(y))),
            DType::U64 => product::<u64>(x, y, &mut z, |z, x, y| z.wrapping_add(x.wrapping_mul(y))),
            _ => unreachable!("infer refuses them"),
        }
        Ok(vec![z.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let dot = |a: &Array, b: &Array| apply(self.clone(), &[a, b]);
        let left = dx[0].as_ref().map(|dx| dot(dx, &x[1]));
        let right = dx[1].as_ref().map(|dx| dot(&x[0], dx));
        let dy = match (left, right) {
            (Some(left), Some(right)) => Some(left + right),
            (left, right) => left.or(right),
        };
        (vec![dot(&x[0], &x[1])], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        if into.wants(0) {
            into.add(0, apply(self.clone(), &[ct, &transposed(x[1].known())]));
        }
        if into.wants(1) {
            into.add(1, apply(self.clone(), &[&transposed(x[0].known()), ct]));
        }
    }

    fn is_bilinear(&self) -> bool {
        true
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        let y = match (self.batch, x[0].mapped, x[1].mapped) {
            // Lanes that share one right matrix are more rows of the left one.
            (0, true, false) => {
                let (x, y) = (&x[0].array, &x[1].array);
                let [lanes, m, k] = x.shape()[..] else { unreachable!("a batch of matrices") };
                let n = y.shape()[1];
                apply(Dot { batch: 0 }, &[&x.with_shape(&[lanes * m, k]), y]).with_shape(&[lanes, m, n])
            }
            // Lanes that share one left matrix are more columns of the right one.
            (0, false, true) => {
                let (x, y) = (&x[0].array, &x[1].array);
                let [lanes, k, n] = y.shape()[..] else { unreachable!("a batch of matrices") };
                let columns = y.permute([1, 0, 2]).with_shape(&[k, lanes * n]);
                let m = x.shape()[0];
                apply(Dot { batch: 0 }, &[x, &columns]).with_shape(&[m, lanes, n]).permute([1, 0, 2])
            }
            _ => return rules::batch_all(Dot { batch: self.batch + 1 }, x, size),
        };
        vec![Batched::mapped(y)]
    }

    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        Some(vec![complex::product(x[0], x[1], |a, b| apply(self.clone(), &[a, b]))])
    }

    fn lower(&self) -> Lowering {
        Lowering::Dot { batch: self.batch }
    }
}

impl Definition for Dot {
    const NAMES: &'static [&'static str] = &["dot"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Dot { batch: attributes.size("batch")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        let mut add = |dtype, batch, x: &[usize], y: &[usize]| {
            let sample = Sample::new(Dot { batch }, vec![Sample::numbers(dtype, x), Sample::numbers(dtype, y)]);
            if dtype != DType::F64 {
                return all.push(sample);
            }
            // Linear in each alone, smooth in both together.
            all.push(sample.clone().smooth(&[0, 1]));
            all.push(sample.clone().linear(&[0]));
            all.push(sample.linear(&[1]));
        };
        add(DType::F64, 0, &[2, 3], &[3, 4]);
        add(DType::F64, 0, &[1, 7], &[7, 1]);
        add(DType::F64, 0, &[5, 1], &[1, 3]);
        add(DType::F64, 0, &[2, 0], &[0, 3]);
        add(DType::F64, 0, &[0, 2], &[2, 3]);
        add(DType::F64, 1, &[2, 3, 2], &[2, 2, 5]);
        add(DType::F64, 1, &[0, 3, 2], &[0, 2, 1]);
        add(DType::F64, 2, &[2, 1, 2, 3], &[2, 1, 3, 2]);
        add(DType::F32, 0, &[17, 5], &[5, 9]);
        for dtype in [DType::I32, DType::I64, DType::U32, DType::U64] {
            add(dtype, 0, &[2, 3], &[3, 2]);
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let shapes = [[2, n, 3], [1, n, 1], [n, 1, 3], [3, 2, n], [n, 5, 1]];
        let mut all = Vec::new();
        for [m, k, n] in shapes {
            for dtype in [DType::F64, DType::F32, DType::I32] {
                let of = |values: fn(DType, &[usize]) -> Value| {
                    Sample::new(Dot { batch: 0 }, vec![values(dtype, &[m, k]), values(dtype, &[k, n])])
                };
                all.push(of(samples::ties));
                all.push(of(samples::zeros));
                if dtype == DType::F64 {
                    all.extend([of(Sample::numbers).linear(&[0]), of(Sample::numbers).linear(&[1])]);
                }
            }
        }
        all
    }
}

impl Array {
    /// NumPy's `dot`: of two vectors the inner product, of a matrix and a vector or two matrices their product; in
    /// general the sums over the last axis of this array and the second to last of `other` (the only one of a
    /// vector). With a scalar it multiplies. dtypes promote.
    ///
    /// # Panics
    /// When the two axes differ in length.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let (a, x) = (Array::from([[1.0, 2.0], [3.0, 4.0]]), Array::from([1.0, 10.0]));
    /// assert_eq!(x.dot(&x), Array::from(101.0));
    /// assert_eq!(a.dot(&x), Array::from([21.0, 43.0]));
    /// assert_eq!(x.dot(&a), Array::from([31.0, 42.0]));
    /// assert_eq!(a.dot(&a), Array::from([[7.0, 10.0], [15.0, 22.0]]));
    /// ```
    #[track_caller]
    pub fn dot(&self, other: &Array) -> Array {
        let _called = called("dot");
        let (a, b) = (self.shape(), other.shape());
        if a.is_empty() || b.is_empty() {
            return self * other;
        }
        let inner = accept(inner_length("dot", &self.array_type(), &other.array_type()), &[self, other]);
        let dtype = promote_types(self.dtype(), other.dtype());
        accept(has_product(dtype), &[self, other]);
        // Every axis but the summed one belongs to the rows of the left or the columns of the right matrix.
        let summed = b.len().saturating_sub(2);
        let rows = &a[..a.len() - 1];
        let columns: Shape = b[..summed].iter().chain(&b[summed + 1..]).copied().collect();
        let left = self.convert(dtype).with_shape(&[rows.iter().product(), inner]);
        let right = other.convert(dtype).move_axis(summed, 0).with_shape(&[inner, columns.iter().product()]);
        let shape: Shape = rows.iter().chain(&columns).copied().collect();
        apply(Dot { batch: 0 }, &[&left, &right]).with_shape(&shape)
    }

    /// NumPy's `matmul`: products of the matrices in the last two axes, where the axes before broadcast. A vector on
    /// the left is one row, on the right one column, and that axis goes. dtypes promote.
    ///
    /// # Panics
    /// When one is a scalar, the inner lengths differ, or the axes before do not broadcast.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let a = Array::from([[[1.0, 2.0]], [[3.0, 4.0]]]);
    /// let b = Array::from([[1.0], [10.0]]);
    /// assert_eq!(a.matmul(&b), Array::from([[[21.0]], [[43.0]]]));
    /// assert_eq!(a.matmul(&Array::from([1.0, 1.0])), Array::from([[3.0], [7.0]]));
    /// ```
    #[track_caller]
    pub fn matmul(&self, other: &Array) -> Array {
        let _called = called("matmul");
        let (a, b) = (self.array_type(), other.array_type());
        accept(inner_length("matmul", &a, &b), &[self, other]);
        let lanes = accept(common_lanes(&a, &b), &[self, other]);
        let dtype = promote_types(a.dtype, b.dtype);
        accept(has_product(dtype), &[self, other]);
        let (left, right) = (self.convert(dtype), other.convert(dtype));
        let left = if a.rank() == 1 { left.expand_dims(0) } else { left };
        let right = if b.rank() == 1 { right.expand_dims(1) } else { right };
        let product = if right.rank() == 2 {
            // One right matrix for all: their rows are the rows of one matrix.
            left.dot(&right)
        } else {
            let spread = |x: &Array| {
                let shape: Shape = lanes.iter().chain(&x.shape()[x.rank() - 2..]).copied().collect();
                x.broadcast_to(shape)
            };
            apply(Dot { batch: lanes.len() }, &[&spread(&left), &spread(&right)])
        };
        let row: Option<usize> = (a.rank() > 1).then(|| a.shape[a.rank() - 2]);
        let column = (b.rank() > 1).then(|| b.shape[b.rank() - 1]);
        let shape: Shape = lanes.into_iter().chain(row).chain(column).collect();
        product.with_shape(&shape)
    }
}

/// That elements of a dtype can be multiplied and added up.
fn has_product(dtype: DType) -> Result<(), TypeError> {
    if !matches!(dtype, DType::Bool | DType::U8) {
        return Ok(());
    }
    Err(TypeError::new(format!("there is no product of {dtype}; `convert` both to a wider dtype, such as i32")))
}

/// The length that is summed over.
fn inner_length(method: &str, a: &ArrayType, b: &ArrayType) -> Result<usize, TypeError> {
    let (Some(&m), Some(&n)) = (a.shape.last(), b.shape.iter().rev().take(2).next_back()) else {
        return Err(TypeError::new(format!(
            "{a} and {b} do not both have axes; scalars are multiplied by `*`"
        )));
    };
    if m == n {
        return Ok(n);
    }
    let which = if b.rank() == 1 { "only axis" } else { "second to last" };
    Err(TypeError::new(format!(
        "the inner lengths {m} and {n} of {a} and {b} differ: a.{method}(&b) needs a's last axis to equal b's {which}; `transpose` or `reshape` one of them"
    )))
}

/// The axes before the matrices, broadcast.
fn common_lanes(a: &ArrayType, b: &ArrayType) -> Result<Shape, TypeError> {
    let lanes = |x: &ArrayType| -> Shape { x.shape[..x.rank().saturating_sub(2)].into() };
    let (mut x, mut y) = (lanes(a), lanes(b));
    let rank = x.len().max(y.len());
    x.insert_many(0, std::iter::repeat_n(1, rank - x.len()));
    y.insert_many(0, std::iter::repeat_n(1, rank - y.len()));
    let common = |(&m, &n): (&usize, &usize)| match (m, n) {
        (1, n) => Some(n),
        (m, 1) => Some(m),
        (m, n) => (m == n).then_some(m),
    };
    let shape: Option<Shape> = x.iter().zip(&y).map(common).collect();
    shape.ok_or_else(|| TypeError::new(format!("the axes of {a} and {b} before the last two do not broadcast: lengths must be equal or 1; `reshape` or `expand_dims` one of them")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn refusals_name_both_shapes_and_the_repair() {
        let (a, b) = (Array::from([[1.0, 2.0, 3.0]]), Array::from([[1.0], [2.0]]));
        let message = door(|| a.dot(&b)).unwrap_err().message;
        assert!(message.contains("the inner lengths 3 and 2 of f64[1,3] and f64[2,1] differ"), "{message}");
        assert!(message.contains("a.dot(&b) needs a's last axis to equal b's second to last"), "{message}");
        assert!(door(|| a.dot(&Array::from([1.0]))).unwrap_err().message.contains("b's only axis"));
        assert!(door(|| a.matmul(&Array::from(1.0))).unwrap_err().message.contains("multiplied by `*`"));
        let lanes = |n: usize| Array::from(1.0).broadcast_to([n, 2, 2]);
        let message = door(|| lanes(2).matmul(&lanes(3))).unwrap_err().message;
        assert!(message.contains("f64[2,2,2] and f64[3,2,2]") && message.contains("do not broadcast"), "{message}");
        let flags = Array::from([[true]]);
        assert!(door(|| flags.dot(&flags)).unwrap_err().message.contains("no product of bool"));
    }

    #[test]
    fn ranks() {
        let a = Array::from([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]);
        let shape = |x: &Array| x.shape().to_vec();
        assert_eq!(shape(&a.dot(&a)), [2, 2, 2, 2]);
        assert_eq!(shape(&a.matmul(&a)), [2, 2, 2]);
        assert_eq!(a.matmul(&a).at(1), a.at(1).dot(&a.at(1)));
        assert_eq!(a.dot(&a).slice((1, .., 0)), a.at(1).dot(&a.at(0)));
        assert_eq!(a.matmul(&a.at(0)), a.dot(&a.at(0)));
        assert_eq!(a.at(0).matmul(&a).at(1), a.at(0).dot(&a.at(1)));
        assert_eq!(a.matmul(&a.slice((0..1, ..))).at(1), a.at(1).dot(&a.at(0)));
        assert_eq!(Array::from([1, 10]).matmul(&a), Array::from([[31, 42], [75, 86]]));
        assert_eq!(Array::from([1, 10]).matmul(&Array::from([1, 10])), Array::from(101));
        assert_eq!(Array::from(3).dot(&Array::from([1, 2])), Array::from([3, 6]));
    }

    #[test]
    fn nothing_sums_to_zero() {
        let x = Array::from(1.0).broadcast_to([2, 0]);
        assert_eq!(x.dot(&x.transpose()), Array::from([[0.0, 0.0], [0.0, 0.0]]));
        assert_eq!(x.transpose().dot(&x).shape().as_slice(), [0, 0]);
    }
}
