//! Convolutions and pooling of any number of axes: windows, then a product of matrices or a reduction.

use super::structure::dilated;
use crate::array::Array;
use crate::ops::{Dot, Integers, Windows, lengths, rules};
use crate::promote_types;
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::trace::apply;
use crate::types::Shape;
use wengert_kernel::reduce::identity;
use wengert_kernel::{Binary, DType, Scalar};

/// What is around the array that windows slide over.
///
/// ```
/// use wengert_core::{array, functions::Padding};
///
/// let x = array![1.0, 2.0, 3.0, 4.0];
/// assert_eq!(x.max_pool(3, 1, Padding::Valid), array![3.0, 4.0]);
/// assert_eq!(x.max_pool(3, 1, Padding::Same).shape().as_slice(), [4]);
/// assert_eq!(x.max_pool(3, 1, Padding::Explicit(vec![(1, 0)])), array![2.0, 3.0, 4.0]);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Padding {
    /// As much that there are as many windows as elements, divided by the stride and rounded up; of an odd number one more
    /// behind than before.
    Same,
    /// Nothing.
    Valid,
    /// So much before and behind each axis; negative numbers take elements away.
    Explicit(Vec<(i64, i64)>),
}

impl Padding {
    /// Before and behind axes of these lengths, under windows that reach over `extents`.
    fn amounts(&self, lengths: &[usize], extents: &[usize], strides: &[usize]) -> Result<Vec<(i64, i64)>, String> {
        let same = |((&n, &extent), &stride): ((&usize, &usize), &usize)| {
            let missing = (n.div_ceil(stride).saturating_sub(1) * stride + extent).saturating_sub(n);
            ((missing / 2) as i64, (missing - missing / 2) as i64)
        };
        match self {
            Padding::Valid => Ok(vec![(0, 0); lengths.len()]),
            Padding::Same => Ok(lengths.iter().zip(extents).zip(strides).map(same).collect()),
            Padding::Explicit(all) if all.len() == lengths.len() => Ok(all.clone()),
            Padding::Explicit(all) => {
                Err(format!("the padding is given for {} axes, and there are {}", all.len(), lengths.len()))
            }
        }
    }
}

/// How a convolution goes. Lists that are empty mean 1 for every axis.
///
/// ```
/// use wengert_core::functions::{Convolution, Padding};
///
/// let with_stride = Convolution { strides: vec![2, 2], ..Convolution::default() };
/// assert_eq!(with_stride.padding, Padding::Valid);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Convolution {
    /// How far the kernel moves, by spatial axis.
    pub strides: Vec<usize>,
    /// What is around the array.
    pub padding: Padding,
    /// How far apart the elements of the array are put, with zeros between.
    pub lhs_dilation: Vec<usize>,
    /// How far apart the elements of the kernel are put.
    pub rhs_dilation: Vec<usize>,
    /// Into how many groups channels are parted, each convolved alone.
    pub groups: usize,
}

impl Default for Convolution {
    fn default() -> Self {
        Convolution {
            strides: Vec::new(),
            padding: Padding::Valid,
            lhs_dilation: Vec::new(),
            rhs_dilation: Vec::new(),
            groups: 1,
        }
    }
}

impl Array {
    /// The convolution of `[lanes, channels, spatial..]` with a kernel `[features, channels / groups, spatial..]`, as machine
    /// learning has it (the kernel is not mirrored), to `[lanes, features, spatial..]`. Floats; dtypes promote.
    ///
    /// # Panics
    /// When the shapes do not fit each other or the numbers of `how`.
    ///
    /// ```
    /// use wengert_core::{array, functions::{Convolution, Padding}};
    ///
    /// let (x, kernel) = (array![[[1.0, 2.0, 3.0, 4.0]]], array![[[1.0, 10.0]]]);
    /// let how = Convolution { strides: vec![2], ..Convolution::default() };
    /// assert_eq!(x.conv_general_dilated(&kernel, &how), array![[[21.0, 43.0]]]);
    /// ```
    #[track_caller]
    pub fn conv_general_dilated(&self, kernel: &Array, how: &Convolution) -> Array {
        let _called = called("conv_general_dilated");
        let error = |why: String| -> ! { refuse(why, &[self, kernel]) };
        let (x_shape, k_shape) = (self.shape(), kernel.shape());
        if x_shape.len() < 2 || x_shape.len() != k_shape.len() {
            error(format!(
                "{} and the kernel {} are not [lanes, channels, spatial..] and [features, channels, spatial..] of one rank",
                self.ty(),
                kernel.ty()
            ))
        }
        let (spatial, groups) = (x_shape.len() - 2, how.groups);
        let (lanes, channels, features) = (x_shape[0], x_shape[1], k_shape[0]);
        if groups == 0 || features % groups != 0 || k_shape[1].checked_mul(groups) != Some(channels) {
            error(format!(
                "{channels} channels and {features} features do not go in {groups} groups with a kernel of {} channels",
                k_shape[1]
            ))
        }
        let ones = |name: &str, all: &[usize]| -> Vec<usize> {
            match all.len() {
                0 => vec![1; spatial],
                n if n == spatial && !all.contains(&0) => all.to_vec(),
                _ => error(format!("{name} {all:?} are not one number, 1 or more, for each of {spatial} spatial axes")),
            }
        };
        let strides = ones("strides", &how.strides);
        let [x_apart, k_apart] = [&how.lhs_dilation, &how.rhs_dilation].map(|all| ones("dilations", all));
        let sizes = &k_shape[2..];
        if sizes.contains(&0) {
            error(format!("the kernel {} is empty", kernel.ty()))
        }
        let dtype = promote_types(self.dtype(), kernel.dtype());
        let zero = rules::literal(Scalar::zero(dtype));
        let mut x = self.convert(dtype);
        for (axis, by) in x_apart.iter().enumerate() {
            x = dilated(&x, axis + 2, by - 1, &zero);
        }
        let extents: Vec<usize> = sizes.iter().zip(&k_apart).map(|(&n, &by)| (n - 1) * by + 1).collect();
        let amounts = how.padding.amounts(&x.shape()[2..], &extents, &strides).unwrap_or_else(|why| error(why));
        x = around(&x, &amounts, zero);
        // [lanes, channels, o1, k1, o2, k2, ..]
        for axis in 0..spatial {
            let op = Windows { axis: 2 + 2 * axis, size: sizes[axis], stride: strides[axis], dilation: k_apart[axis] };
            x = apply(op, &[&x]);
        }
        let out: Shape = (0..spatial).map(|axis| x.shape()[2 + 2 * axis]).collect();
        let taps = (channels / groups) * sizes.iter().product::<usize>();
        let places = out.iter().product::<usize>();
        let rows = features / groups;
        let together = lanes_together(lanes, places, rows);
        let batch = lanes / together;
        // The windows of some lanes side by side, [batch, channels, k1, k2, .., together, o1, o2, ..]: work goes batch by batch.
        let shape: Shape = [batch, together].into_iter().chain(x.shape()[1..].iter().copied()).collect();
        let order = [0, 2].into_iter().chain((0..spatial).map(|a| 4 + 2 * a));
        let order = order.chain([1]).chain((0..spatial).map(|a| 3 + 2 * a));
        let x = x.with_shape(&shape).permute(order.collect::<Vec<_>>());
        let kernel = kernel.convert(dtype).with_shape(&[groups, rows, taps]);
        let kernel = kernel.broadcast_to([batch, groups, rows, taps]);
        let product = apply(Dot { batch: 2 }, &[&kernel, &x.with_shape(&[batch, groups, taps, together * places])]);
        let product = product.with_shape(&[batch, features, together, places]).swap_axes(1, 2);
        let shape: Shape = [lanes, features].into_iter().chain(out).collect();
        product.with_shape(&shape)
    }

    /// The convolution along one axis of `[lanes, channels, n]` with a kernel `[features, channels, size]`. See
    /// [`Array::conv_general_dilated`].
    ///
    /// ```
    /// use wengert_core::{array, functions::Padding};
    ///
    /// let (x, kernel) = (array![[[1.0, 2.0, 3.0]]], array![[[1.0, 1.0, 1.0]]]);
    /// assert_eq!(x.conv1d(&kernel, 1, Padding::Same), array![[[3.0, 6.0, 5.0]]]);
    /// ```
    #[track_caller]
    pub fn conv1d(&self, kernel: &Array, stride: usize, padding: Padding) -> Array {
        let _called = called("conv1d");
        self.conv_general_dilated(kernel, &Convolution { strides: vec![stride], padding, ..Convolution::default() })
    }

    /// The convolution along two axes of `[lanes, channels, m, n]` with a kernel `[features, channels, rows, columns]`. See
    /// [`Array::conv_general_dilated`].
    ///
    /// ```
    /// use wengert_core::{array, functions::Padding};
    ///
    /// let (x, kernel) = (array![[[[1.0, 2.0], [3.0, 4.0]]]], array![[[[1.0, 0.0], [0.0, 1.0]]]]);
    /// assert_eq!(x.conv2d(&kernel, [1, 1], Padding::Valid), array![[[[5.0]]]]);
    /// ```
    #[track_caller]
    pub fn conv2d(&self, kernel: &Array, strides: [usize; 2], padding: Padding) -> Array {
        let _called = called("conv2d");
        let how = Convolution { strides: strides.to_vec(), padding, ..Convolution::default() };
        self.conv_general_dilated(kernel, &how)
    }

    /// The greatest elements of the windows of `sizes`, moved by `strides`, over the last axes. Padding counts as minus
    /// infinity (the least integer). Equal greatest elements share the derivative.
    ///
    /// # Panics
    /// When there are more sizes than axes, not as many strides, or one is 0.
    ///
    /// ```
    /// use wengert_core::{array, functions::Padding};
    ///
    /// let x = array![[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 1.0, 1.0]];
    /// assert_eq!(x.max_pool([2, 2], [2, 2], Padding::Valid), array![[4.0, 5.0]]);
    /// ```
    #[track_caller]
    pub fn max_pool(&self, sizes: impl Integers, strides: impl Integers, padding: Padding) -> Array {
        let _called = called("max_pool");
        pooled(Binary::Max, self, sizes, strides, padding)
    }

    /// The least elements of windows. See [`Array::max_pool`]; padding counts as infinity.
    ///
    /// ```
    /// use wengert_core::{array, functions::Padding};
    ///
    /// assert_eq!(array![3.0, 1.0, 2.0].min_pool(2, 1, Padding::Valid), array![1.0, 1.0]);
    /// ```
    #[track_caller]
    pub fn min_pool(&self, sizes: impl Integers, strides: impl Integers, padding: Padding) -> Array {
        let _called = called("min_pool");
        pooled(Binary::Min, self, sizes, strides, padding)
    }

    /// The sums of windows. See [`Array::max_pool`]; padding counts as 0.
    ///
    /// ```
    /// use wengert_core::{array, functions::Padding};
    ///
    /// assert_eq!(array![3.0, 1.0, 2.0].sum_pool(2, 1, Padding::Valid), array![4.0, 3.0]);
    /// ```
    #[track_caller]
    pub fn sum_pool(&self, sizes: impl Integers, strides: impl Integers, padding: Padding) -> Array {
        let _called = called("sum_pool");
        pooled(Binary::Add, self, sizes, strides, padding)
    }

    /// The means of windows. See [`Array::max_pool`]; padding counts as zeros that belong to the window.
    ///
    /// ```
    /// use wengert_core::{array, functions::Padding};
    ///
    /// assert_eq!(array![3.0, 1.0, 2.0].avg_pool(2, 1, Padding::Valid), array![2.0, 1.5]);
    /// ```
    #[track_caller]
    pub fn avg_pool(&self, sizes: impl Integers, strides: impl Integers, padding: Padding) -> Array {
        let _called = called("avg_pool");
        let count: usize = accept(lengths(&sizes), &[self]).iter().product();
        pooled(Binary::Add, &super::float(self), sizes, strides, padding) / count as f64
    }
}

/// How many lanes of a convolution are multiplied at once: one, if its windows are half as wide as the kernel's matrix has rows, for the
/// kernel is read again for each; else as few more as divide their number.
fn lanes_together(lanes: usize, places: usize, rows: usize) -> usize {
    (1..=lanes).find(|&n| lanes.is_multiple_of(n) && 2 * n * places >= rows).unwrap_or(lanes.max(1))
}

/// Padded along the last axes.
#[track_caller]
fn around(x: &Array, amounts: &[(i64, i64)], value: Array) -> Array {
    let lead = vec![0; x.rank() - amounts.len()];
    let side =
        |of: fn(&(i64, i64)) -> i64| -> Vec<i64> { lead.iter().copied().chain(amounts.iter().map(of)).collect() };
    x.pad_dilated(side(|a| a.0), side(|a| a.1), vec![0; x.rank()], value)
}

#[track_caller]
fn pooled(op: Binary, x: &Array, sizes: impl Integers, strides: impl Integers, padding: Padding) -> Array {
    let (sizes, strides) = (accept(lengths(&sizes), &[x]), accept(lengths(&strides), &[x]));
    let (rank, count) = (x.rank(), sizes.len());
    if count > rank || strides.len() != count || sizes.contains(&0) || strides.contains(&0) {
        refuse(
            format!(
                "windows of {sizes:?} moved by {strides:?} do not slide over {}; give both for each of the last axes, 1 or more",
                x.ty()
            ),
            &[x],
        )
    }
    if x.dtype() == DType::Bool {
        refuse(format!("{} holds no numbers; `convert` it", x.ty()), &[x])
    }
    let lead = rank - count;
    let amounts = match padding.amounts(&x.shape()[lead..], &sizes, &strides) {
        Ok(amounts) => amounts,
        Err(why) => refuse(why, &[x]),
    };
    let mut y = around(x, &amounts, rules::literal(identity(op, x.dtype())));
    for (k, (&size, &stride)) in sizes.iter().zip(&strides).enumerate() {
        y = apply(Windows { axis: lead + 2 * k, size, stride, dilation: 1 }, &[&y]);
    }
    let windows: Vec<usize> = (0..count).map(|k| lead + 2 * k + 1).collect();
    match op {
        Binary::Max => y.max_axis(&windows),
        Binary::Min => y.min_axis(&windows),
        _ => y.sum_axis(&windows).convert(x.dtype()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    fn numbers(shape: &[usize], by: f64) -> Array {
        let n = shape.iter().product::<usize>();
        (Array::iota(DType::F64, &[n], 0) * by).sin().reshape(shape.to_vec())
    }

    /// By the definition, in two spatial axes.
    fn plain(x: &Array, k: &Array, how: &Convolution, low: [i64; 2], out: [usize; 2]) -> Vec<f64> {
        let (xs, ks) = (x.shape(), k.shape());
        let (xd, kd) = (x.to_vec::<f64>().unwrap(), k.to_vec::<f64>().unwrap());
        let per = ks[0] / how.groups;
        let mut y = Vec::new();
        for n in 0..xs[0] {
            for f in 0..ks[0] {
                for (i, j) in (0..out[0]).flat_map(|i| (0..out[1]).map(move |j| (i, j))) {
                    let mut sum = 0.0;
                    for c in 0..ks[1] {
                        for (a, b) in (0..ks[2]).flat_map(|a| (0..ks[3]).map(move |b| (a, b))) {
                            let place = |o: usize, t: usize, axis: usize| {
                                let p = (o * how.strides[axis] + t * how.rhs_dilation[axis]) as i64 - low[axis];
                                let by = how.lhs_dilation[axis] as i64;
                                (p % by == 0 && p >= 0 && p / by < xs[2 + axis] as i64).then_some((p / by) as usize)
                            };
                            let (Some(p), Some(q)) = (place(i, a, 0), place(j, b, 1)) else { continue };
                            let channel = f / per * ks[1] + c;
                            let at = ((n * xs[1] + channel) * xs[2] + p) * xs[3] + q;
                            sum += xd[at] * kd[((f * ks[1] + c) * ks[2] + a) * ks[3] + b];
                        }
                    }
                    y.push(sum);
                }
            }
        }
        y
    }

    #[test]
    fn agrees_with_its_definition() {
        // Lanes one by one, by twos or threes, and all together.
        for (groups, [lanes, height, width]) in
            [1, 2].into_iter().flat_map(|groups| [[2, 5, 6], [6, 2, 3], [5, 2, 3]].map(|shape| (groups, shape)))
        {
            let (x, k) = (numbers(&[lanes, 4, height, width], 0.7), numbers(&[6, 4 / groups, 2, 3], 1.3));
            for (strides, lhs, rhs, low, high) in [
                ([1, 1], [1, 1], [1, 1], [0, 0], [0, 0]),
                ([2, 1], [1, 1], [1, 2], [1, 2], [0, 1]),
                ([1, 3], [2, 3], [2, 1], [2, 0], [1, 1]),
                ([1, 1], [1, 1], [1, 1], [-1, 0], [0, -2]),
            ] {
                let how = Convolution {
                    strides: strides.to_vec(),
                    padding: Padding::Explicit(vec![(low[0], high[0]), (low[1], high[1])]),
                    lhs_dilation: lhs.to_vec(),
                    rhs_dilation: rhs.to_vec(),
                    groups,
                };
                let found = x.conv_general_dilated(&k, &how);
                let shape = found.shape();
                let wanted = plain(&x, &k, &how, low, [shape[2], shape[3]]);
                for (found, wanted) in found.to_vec::<f64>().unwrap().iter().zip(&wanted) {
                    assert!((found - wanted).abs() < 1e-12, "{how:?}: {found}, {wanted}");
                }
            }
        }
    }

    #[test]
    fn lanes_that_are_multiplied_at_once() {
        let [large, small] = [1024, 4].map(|places| [1, 12, 13].map(|lanes| lanes_together(lanes, places, 64)));
        assert_eq!((large, small), ([1, 1, 1], [1, 12, 13]));
        assert_eq!([4, 6, 12].map(|rows| lanes_together(12, 1, rows)), [2, 3, 6]);
        assert_eq!((lanes_together(0, 5, 64), lanes_together(7, 0, 64), lanes_together(7, 0, 0)), (1, 7, 1));
    }

    #[test]
    fn numbers_of_windows() {
        let x = numbers(&[1, 1, 7], 0.3);
        let k = numbers(&[1, 1, 3], 0.3);
        assert_eq!(x.conv1d(&k, 2, Padding::Same).shape().as_slice(), [1, 1, 4]);
        assert_eq!(x.conv1d(&k, 2, Padding::Valid).shape().as_slice(), [1, 1, 3]);
        assert_eq!(numbers(&[0, 1, 7], 0.3).conv1d(&k, 1, Padding::Valid).shape().as_slice(), [0, 1, 5]);
        assert_eq!(numbers(&[1, 1, 2], 0.3).conv1d(&k, 1, Padding::Valid).shape().as_slice(), [1, 1, 0]);
        assert_eq!(Array::from([1, 5]).max_pool(2, 1, Padding::Same), Array::from([5, 5]));
    }

    #[test]
    fn refusals() {
        let (x, k) = (numbers(&[1, 2, 5], 1.0), numbers(&[1, 1, 3], 1.0));
        assert!(door(|| x.conv1d(&k, 1, Padding::Valid)).unwrap_err().message.contains("2 channels and 1 features"));
        assert!(door(|| x.conv1d(&x, 0, Padding::Valid)).unwrap_err().message.contains("1 or more"));
        assert!(door(|| x.conv2d(&x, [1, 1], Padding::Valid)).unwrap_err().message.contains("spatial axes"));
        assert!(door(|| x.max_pool([1, 1], 1, Padding::Valid)).unwrap_err().message.contains("do not slide over"));
        let padding = Padding::Explicit(vec![(1, 1), (1, 1)]);
        assert!(door(|| x.max_pool(1, 1, padding.clone())).unwrap_err().message.contains("given for 2 axes"));
    }
}
