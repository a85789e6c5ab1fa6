//! Index maps: where the elements of an array are found, as strides over its axes.
//!
//! Views, broadcasts and most reshapes only change the map, so they cost nothing. A map is an [`Access`]: a root that
//! holds elements in row-major order, and the element of the root that belongs to each index of the array.

use smallvec::SmallVec;
use wengert_core::primitive::View;
use wengert_core::types::ArrayType;
use wengert_kernel::routine::{Affine, BufferId, Value};
use wengert_kernel::{DType, Scalar};

/// A thing computed in a block: a variable of its program, or a temporary numbered after them.
pub(crate) type Id = usize;

/// Axis lengths of a loop nest, outermost first, none of them 1.
pub(crate) type Axes = SmallVec<[usize; 4]>;

/// One step along an axis of length `len` moves by `stride` elements of the root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dim {
    pub(crate) len: usize,
    pub(crate) stride: i64,
}

/// The steps of all axes.
pub(crate) type Dims = SmallVec<[Dim; 2]>;

/// What holds the elements.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Root {
    /// A result of this block, dense in row-major order once it is stored.
    Node(Id),
    /// Memory that was there before this block.
    Memory(BufferId),
    /// Element `k` is `k`, in the array's dtype.
    Iota,
    /// All elements are this constant.
    Literal(Scalar),
    /// All elements are this value.
    Value(Value),
}

/// An array as a map into a root: element `i` is the root's element `at + sum stride * i + sum starts`.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Access {
    pub(crate) root: Root,
    pub(crate) dtype: DType,
    pub(crate) at: Affine,
    pub(crate) dims: Dims,
    /// `i64` scalars of this block that move the whole array: the clamped starts of dynamic slices.
    pub(crate) starts: SmallVec<[Id; 1]>,
}

impl Access {
    /// The whole root, in row-major order.
    pub(crate) fn dense(root: Root, ty: &ArrayType) -> Self {
        Access { root, dtype: ty.dtype, at: Affine::default(), dims: dense(&ty.shape), starts: SmallVec::new() }
    }

    /// One element for all indices.
    pub(crate) fn uniform(root: Root, ty: &ArrayType) -> Self {
        Access { root, dtype: ty.dtype, at: Affine::default(), dims: still(&ty.shape), starts: SmallVec::new() }
    }

    /// The same constant everywhere.
    pub(crate) fn literal(value: Scalar, shape: &[usize]) -> Self {
        Access::uniform(Root::Literal(value), &ArrayType::new(value.dtype, shape))
    }

    /// Counts along one axis.
    pub(crate) fn iota(ty: &ArrayType, axis: usize) -> Self {
        let mut access = Access::uniform(Root::Iota, ty);
        access.dims[axis].stride = 1;
        access
    }

    /// Number of elements of the array.
    pub(crate) fn size(&self) -> usize {
        self.dims.iter().map(|d| d.len).product()
    }

    /// The array of that shape whose element `i` is this array's element `view(i)`.
    pub(crate) fn viewed(&self, view: &View, shape: &[usize]) -> Self {
        let mut to = Access { dims: still(shape), ..self.clone() };
        for (axis, dim) in view.axes.iter().zip(&self.dims) {
            to.at.offset += axis.offset * dim.stride;
            if let Some((from, step)) = axis.from {
                to.dims[from].stride += step * dim.stride;
            }
        }
        to
    }

    /// The same elements in row-major order under another shape, where strides can say that.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Option<Self> {
        let axes: Axes = shape.iter().copied().filter(|&n| n != 1).collect();
        let strides = strides_over(&merged(&self.dims), &axes)?;
        let mut strides = strides.into_iter();
        let stride = |&len: &usize| Dim { len, stride: if len == 1 { 0 } else { strides.next().unwrap_or(0) } };
        Some(Access { dims: shape.iter().map(stride).collect(), ..self.clone() })
    }

    /// Axis 0 taken off: the rows, and how far one is from the next.
    pub(crate) fn row(&self) -> (Access, i64) {
        (Access { dims: self.dims[1..].into(), ..self.clone() }, self.dims[0].stride)
    }

    /// Whether element `i` in row-major order is element `i` of the root.
    pub(crate) fn is_identity(&self) -> bool {
        self.at == Affine::default() && self.starts.is_empty() && is_dense(&self.dims)
    }

    /// Whether it is row `i / inner` of a root of rows.
    pub(crate) fn is_row_of(&self, inner: usize) -> bool {
        let merged = merged(&self.dims);
        let Some((last, outer)) = merged.split_last() else { return false };
        let rows =
            if inner == 1 { is_dense(&merged) } else { *last == Dim { len: inner, stride: 0 } && is_dense(outer) };
        rows && self.at == Affine::default() && self.starts.is_empty()
    }
}

/// No steps.
pub(crate) fn still(shape: &[usize]) -> Dims {
    shape.iter().map(|&len| Dim { len, stride: 0 }).collect()
}

/// Row-major steps.
pub(crate) fn dense(shape: &[usize]) -> Dims {
    let mut stride = 1i64;
    let mut dims: Dims = shape.iter().map(|&len| Dim { len, stride: 0 }).collect();
    for dim in dims.iter_mut().rev() {
        dim.stride = stride;
        stride = stride.wrapping_mul(dim.len as i64);
    }
    dims
}

/// Whether the steps are row-major without gaps.
pub(crate) fn is_dense(dims: &[Dim]) -> bool {
    match merged(dims).as_slice() {
        [] => true,
        [one] => one.stride == 1,
        _ => false,
    }
}

/// Without axes of length 1, and with neighbours joined that step as one axis does.
pub(crate) fn merged(dims: &[Dim]) -> Dims {
    let mut to = Dims::new();
    for &dim in dims.iter().filter(|d| d.len != 1) {
        match to.last_mut() {
            Some(outer) if outer.stride == dim.stride.wrapping_mul(dim.len as i64) => {
                *outer = Dim { len: outer.len * dim.len, stride: dim.stride }
            }
            _ => to.push(dim),
        }
    }
    to
}

/// The axes of several arrays of one shape, without those of length 1 and with neighbours joined where all arrays step
/// as one axis does; and each array's steps along them.
pub(crate) fn joint(parts: &[&[Dim]]) -> (Axes, Vec<SmallVec<[i64; 4]>>) {
    let mut axes = Axes::new();
    let mut strides: Vec<SmallVec<[i64; 4]>> = vec![SmallVec::new(); parts.len()];
    for a in (0..parts[0].len()).filter(|&a| parts[0][a].len != 1) {
        let len = parts[0][a].len;
        let joins = |(part, strides): (&&[Dim], &SmallVec<[i64; 4]>)| {
            strides.last().is_some_and(|&s| s == part[a].stride.wrapping_mul(len as i64))
        };
        let join = parts.iter().zip(&strides).all(joins);
        if join {
            *axes.last_mut().expect("there is an axis to join") *= len;
        } else {
            axes.push(len);
        }
        for (part, strides) in parts.iter().zip(&mut strides) {
            if join {
                strides.pop();
            }
            strides.push(part[a].stride);
        }
    }
    (axes, strides)
}

/// The steps over finer axes: each of the `dims` must be a run of whole `axes`.
pub(crate) fn strides_over(dims: &[Dim], axes: &[usize]) -> Option<SmallVec<[i64; 4]>> {
    let mut strides = SmallVec::from_elem(0, axes.len());
    let mut a = axes.len();
    for dim in dims.iter().rev() {
        let mut inside = 1;
        while inside < dim.len {
            a = a.checked_sub(1)?;
            strides[a] = dim.stride * inside as i64;
            inside *= axes[a];
        }
        if inside != dim.len {
            return None;
        }
    }
    (a == 0).then_some(strides)
}

/// Splits `axes` where `dims` (merged, of the same number of elements) have borders; false when that cannot be.
pub(crate) fn refine(axes: &mut Axes, dims: &[Dim]) -> bool {
    let mut fine = Axes::new();
    let (mut left, mut right) = (axes.iter().rev().copied(), dims.iter().rev().map(|d| d.len));
    let (mut a, mut d) = (left.next(), right.next());
    while let (Some(x), Some(y)) = (a, d) {
        let (short, long) = (x.min(y), x.max(y));
        if short == 0 || long % short != 0 {
            return false;
        }
        fine.push(short);
        let rest = (long != short).then_some(long / short);
        a = if x == long && rest.is_some() { rest } else { left.next() };
        d = if y == long && rest.is_some() { rest } else { right.next() };
    }
    fine.reverse();
    let whole = a.is_none() && d.is_none();
    if whole {
        *axes = fine;
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_core::primitive::ViewAxis;

    fn access(shape: &[usize]) -> Access {
        Access::dense(Root::Node(0), &ArrayType::new(DType::F64, shape))
    }

    fn dims(dims: &[(usize, i64)]) -> Dims {
        dims.iter().map(|&(len, stride)| Dim { len, stride }).collect()
    }

    #[test]
    fn merges_what_steps_as_one() {
        assert_eq!(merged(&dense(&[2, 1, 3, 4])), dims(&[(24, 1)]));
        assert_eq!(merged(&dims(&[(5, 0), (2, 0), (3, 1)])), dims(&[(10, 0), (3, 1)]));
        assert_eq!(merged(&dims(&[(2, 1), (3, 2)])), dims(&[(2, 1), (3, 2)]));
        assert_eq!(merged(&dense(&[1, 1])), dims(&[]));
    }

    #[test]
    fn refines_to_common_borders() {
        let fine = |axes: &[usize], lens: &[usize]| {
            let mut axes: Axes = axes.into();
            refine(&mut axes, &dense(lens)).then_some(axes.to_vec())
        };
        assert_eq!(fine(&[24], &[4, 6]), Some(vec![4, 6]));
        assert_eq!(fine(&[4, 6], &[24]), Some(vec![4, 6]));
        assert_eq!(fine(&[4, 6], &[2, 12]), Some(vec![2, 2, 6]));
        assert_eq!(fine(&[4, 6], &[3, 8]), None);
        assert_eq!(fine(&[], &[]), Some(vec![]));
    }

    #[test]
    fn reshapes_where_strides_allow() {
        let x = access(&[4, 6]);
        assert_eq!(x.reshaped(&[2, 1, 12]).unwrap().dims, dims(&[(2, 12), (1, 0), (12, 1)]));
        let axes = [1, 0].map(|a| ViewAxis { offset: 0, from: Some((a, 1)) });
        let t = x.viewed(&View { axes: axes.into_iter().collect() }, &[6, 4]);
        assert_eq!(t.dims, dims(&[(6, 1), (4, 6)]));
        assert!(t.reshaped(&[24]).is_none());
        assert_eq!(t.reshaped(&[2, 3, 4]).unwrap().dims, dims(&[(2, 3), (3, 1), (4, 6)]));
        assert!(x.reshaped(&[24]).unwrap().is_identity() && !t.is_identity());
    }

    #[test]
    fn rows_are_told() {
        let row = Access { dims: dims(&[(4, 1), (2, 0), (3, 0)]), ..access(&[4]) };
        assert!(row.is_row_of(6) && !row.is_row_of(3) && !row.is_row_of(1));
    }
}
