//! Matrix times vector, which reads the matrix once and so runs at the speed of memory.

use super::{Float, Plan};
use crate::processor::{Target, Work};

/// `y[i] = sum over p of a[i, p] * x[p]`, each with strides.
pub(super) struct MatrixVector<T> {
    rows: usize,
    cols: usize,
    a: *const T,
    row: usize,
    col: usize,
    x: *const T,
    x_stride: usize,
    y: *mut T,
    y_stride: usize,
}

impl<T: Float> MatrixVector<T> {
    /// The product of a plan with `n = 1`, for one member of its batch.
    ///
    /// # Safety
    /// As `Number::dot`.
    pub(super) unsafe fn new(plan: &Plan, lhs: *const T, rhs: *const T, out: *mut T) -> Self {
        MatrixVector {
            rows: plan.m,
            cols: plan.k,
            a: lhs,
            row: plan.lhs.row,
            col: plan.lhs.col,
            x: rhs,
            x_stride: plan.rhs.row,
            y: out,
            y_stride: plan.out.row,
        }
    }

    #[inline(always)]
    fn set(&self, i: usize, y: T) {
        // SAFETY: callers stay in `rows`.
        unsafe { self.y.add(i * self.y_stride).write(y) };
    }
}

impl<T: Float> Work for MatrixVector<T> {
    #[inline(always)]
    fn run<P: Target>(self) {
        let copy: Vec<T>;
        let x = if self.x_stride == 1 || self.cols <= 1 {
            // SAFETY: `cols` elements, one after the other.
            unsafe { std::slice::from_raw_parts(self.x, self.cols) }
        } else {
            // SAFETY: inside the extent of x.
            copy = (0..self.cols).map(|p| unsafe { *self.x.add(p * self.x_stride) }).collect();
            &copy
        };
        let by_columns = self.row == 1 && (self.col != 1 || self.rows > self.cols);
        match (by_columns, self.col == 1, size_of::<T>()) {
            (true, _, _) => self.columns::<P>(x),
            (false, true, 4) => self.each_row::<P, 16, true>(x),
            (false, true, _) => self.each_row::<P, 8, true>(x),
            (false, false, _) => self.each_row::<P, 4, false>(x),
        }
    }
}

impl<T: Float> MatrixVector<T> {
    /// One inner product a row, four rows at a time.
    #[inline(always)]
    fn each_row<P: Target, const LANES: usize, const CONTIGUOUS: bool>(&self, x: &[T]) {
        let mut i = 0;
        while self.rows - i >= 4 {
            self.inner::<P, LANES, CONTIGUOUS, 4>(i, x);
            i += 4;
        }
        while i < self.rows {
            self.inner::<P, LANES, CONTIGUOUS, 1>(i, x);
            i += 1;
        }
    }

    /// Inner products of `ROWS` rows from `i` on, `LANES` partial sums each.
    #[inline(always)]
    fn inner<P: Target, const LANES: usize, const CONTIGUOUS: bool, const ROWS: usize>(&self, i: usize, x: &[T]) {
        // SAFETY: inside the extent of the matrix.
        let a = |r: usize, p: usize| unsafe {
            *self.a.add((i + r) * self.row).add(if CONTIGUOUS { p } else { p * self.col })
        };
        let mut sums = [[T::ZERO; LANES]; ROWS];
        let mut start = 0;
        let mut chunks = x.chunks_exact(LANES);
        for x in chunks.by_ref() {
            for (r, sum) in sums.iter_mut().enumerate() {
                for (l, s) in sum.iter_mut().enumerate() {
                    *s = a(r, start + l).times_plus::<P>(x[l], *s);
                }
            }
            start += LANES;
        }
        // `sums` is indexed by constants only, so that it lives in registers; `lanes` is a copy in memory.
        for (r, sum) in sums.iter().enumerate() {
            let mut lanes = *sum;
            for (l, &x) in chunks.remainder().iter().enumerate() {
                lanes[l] = a(r, start + l).times_plus::<P>(x, lanes[l]);
            }
            // Halves onto halves: a tree, for accuracy and for vectors.
            let mut width = LANES / 2;
            while width > 0 {
                for l in 0..width {
                    lanes[l] = lanes[l] + lanes[l + width];
                }
                width /= 2;
            }
            self.set(i + r, lanes[0]);
        }
    }

    /// Adds multiples of the columns to the result, eight columns a sweep.
    #[inline(always)]
    fn columns<P: Target>(&self, x: &[T]) {
        let mut whole;
        let y = if self.y_stride == 1 {
            (0..self.rows).for_each(|i| self.set(i, T::ZERO));
            // SAFETY: `rows` elements, one after the other, just written, which nothing else refers to.
            unsafe { std::slice::from_raw_parts_mut(self.y, self.rows) }
        } else {
            whole = vec![T::ZERO; self.rows];
            &mut whole[..]
        };
        let mut p = 0;
        while x.len() - p >= 8 {
            self.sweep::<P, 8>(p, x, y);
            p += 8;
        }
        while p < x.len() {
            self.sweep::<P, 1>(p, x, y);
            p += 1;
        }
        if self.y_stride != 1 {
            y.iter().enumerate().for_each(|(i, &y)| self.set(i, y));
        }
    }

    #[inline(always)]
    fn sweep<P: Target, const COLS: usize>(&self, p: usize, x: &[T], y: &mut [T]) {
        let x: [T; COLS] = std::array::from_fn(|c| x[p + c]);
        // SAFETY: `rows` elements of each column, one after the other.
        let a: [&[T]; COLS] =
            std::array::from_fn(|c| unsafe { std::slice::from_raw_parts(self.a.add((p + c) * self.col), y.len()) });
        for (i, y) in y.iter_mut().enumerate() {
            let mut sum = *y;
            for c in 0..COLS {
                sum = a[c][i].times_plus::<P>(x[c], sum);
            }
            *y = sum;
        }
    }
}
