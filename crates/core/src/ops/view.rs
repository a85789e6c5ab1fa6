//! Walking a dense array by strides: the reference for everything that moves elements.

use crate::error::{Error, ErrorKind};
use crate::primitive::View;
use crate::types::{ArrayType, Shape};
use crate::value::ArrayValue;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;
use wengert_kernel::{Buffer, DType, Element};

/// The array of that shape whose element `i` is `x[view(i)]`.
pub(super) fn read(x: &ArrayValue, view: &View, shape: &[usize]) -> Result<ArrayValue, Error> {
    let mut y = blank(x.dtype(), shape)?;
    copy(y.make_mut(), 0.., &x.buffer, positions(view, shape, &x.shape));
    Ok(y)
}

/// An array to be written; zeros until then. An error when the memory is refused.
pub(super) fn blank(dtype: DType, shape: &[usize]) -> Result<ArrayValue, Error> {
    let ty = ArrayType::new(dtype, shape);
    match Buffer::try_zeros(dtype, ty.size()) {
        Some(buffer) => Ok(ArrayValue { shape: ty.shape, buffer: Arc::new(buffer) }),
        None => {
            let bytes = ty.size() as u128 * dtype.size() as u128;
            Err(Error::new(ErrorKind::Memory, format!("the system refuses the {bytes} bytes of {ty}")))
        }
    }
}

/// The elements; copied when foreign memory is not aligned for them.
pub(super) fn elements<T: Element>(x: &ArrayValue) -> Cow<'_, [T]> {
    match x.buffer.as_slice() {
        Some(data) => Cow::Borrowed(data),
        None => Cow::Owned(x.buffer.to_vec().expect("the dtype was inferred")),
    }
}

/// Writes the elements at `from_at` to `to_at`, in this order, until either ends.
pub(super) fn copy(
    to: &mut Buffer,
    to_at: impl IntoIterator<Item = usize>,
    from: &Buffer,
    from_at: impl IntoIterator<Item = usize>,
) {
    let size = to.dtype().size();
    let (to, from) = (to.bytes_mut(), from.bytes());
    // The source comes first, so that an endless range of targets is never asked for one more.
    for (f, t) in from_at.into_iter().zip(to_at) {
        to[t * size..][..size].copy_from_slice(&from[f * size..][..size]);
    }
}

/// Where the elements of `x[view(i)]` stand in a row-major `x` with those axis lengths, for all `i` within `shape`.
pub(super) fn positions(view: &View, shape: &[usize], lengths: &[usize]) -> Positions {
    let mut steps: SmallVec<[i64; 4]> = SmallVec::from_elem(0, shape.len());
    let mut start = 0;
    let mut stride = 1;
    for (axis, &n) in view.axes.iter().zip(lengths).rev() {
        start += axis.offset * stride;
        if let Some((from, by)) = axis.from {
            steps[from] += by * stride;
        }
        stride *= n as i64;
    }
    let left = shape.iter().product();
    Positions { shape: shape.into(), steps, index: SmallVec::from_elem(0, shape.len()), at: start, left }
}

/// Where a window begins within its axis so that it fits.
pub(super) fn clamped_start(start: i64, window: usize, length: usize) -> usize {
    start.clamp(0, (length - window) as i64) as usize
}

/// See [`positions`].
pub(super) struct Positions {
    shape: Shape,
    /// How far one step along each axis of `shape` goes.
    steps: SmallVec<[i64; 4]>,
    index: Shape,
    at: i64,
    left: usize,
}

impl Iterator for Positions {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let here = self.at as usize;
        for axis in (0..self.shape.len()).rev() {
            self.index[axis] += 1;
            self.at += self.steps[axis];
            if self.index[axis] < self.shape[axis] {
                break;
            }
            self.at -= self.steps[axis] * self.shape[axis] as i64;
            self.index[axis] = 0;
        }
        Some(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primitive::ViewAxis;

    fn view(axes: &[(i64, Option<(usize, i64)>)]) -> View {
        View { axes: axes.iter().map(|&(offset, from)| ViewAxis { offset, from }).collect() }
    }

    #[test]
    fn walks_in_row_major_order() {
        let transposed = view(&[(0, Some((1, 1))), (0, Some((0, 1)))]);
        assert_eq!(positions(&transposed, &[3, 2], &[2, 3]).collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5]);
        let reversed = view(&[(4, Some((0, -2)))]);
        assert_eq!(positions(&reversed, &[3], &[5]).collect::<Vec<_>>(), [4, 2, 0]);
        let repeated = view(&[(0, Some((1, 1)))]);
        assert_eq!(positions(&repeated, &[2, 2], &[2]).collect::<Vec<_>>(), [0, 1, 0, 1]);
        let fixed = view(&[(1, None)]);
        assert_eq!(positions(&fixed, &[], &[2]).collect::<Vec<_>>(), [1]);
        assert_eq!(positions(&transposed, &[0, 2], &[2, 0]).count(), 0);
    }

    #[test]
    fn a_window_fits() {
        assert_eq!([9, 2, 1, -1, i64::MIN].map(|s| clamped_start(s, 3, 5)), [2, 2, 1, 0, 0]);
        assert_eq!(clamped_start(1, 0, 0), 0);
    }
}
