//! Products over at most 16 terms, meant for at most 16 columns and any number of rows: no call, no packing of the tall
//! side. More columns are done in blocks of 16.

use super::{Float, NARROW, Plan};
use crate::processor::{Target, Work};
use std::ops::Range;

/// A batch of products with `plan.k` up to 16. The pointers keep the contract of `Number::dot`.
pub(super) struct Narrow<T> {
    pub(super) plan: Plan,
    pub(super) lhs: *const T,
    pub(super) rhs: *const T,
    pub(super) out: *mut T,
}

impl<T: Float> Work for Narrow<T> {
    #[inline(always)]
    fn run<P: Target>(self) {
        match self.plan.n {
            1 => self.products::<P, 1>(),
            2..=4 => self.products::<P, 4>(),
            5..=8 => self.products::<P, 8>(),
            _ => self.products::<P, NARROW>(),
        }
    }
}

impl<T: Float> Narrow<T> {
    /// Widens the rows of rhs (of `WIDTH` columns of it) to `WIDTH`, and a row of the result is a sum of those.
    #[inline(always)]
    fn products<P: Target, const WIDTH: usize>(&self) {
        let Plan { batch, m, k, n, .. } = self.plan;
        let mut panel = [[T::ZERO; WIDTH]; NARROW];
        let blocks = (0..batch).flat_map(|b| (0..n).step_by(WIDTH).map(move |start| (b, start..n.min(start + WIDTH))));
        for (b, columns) in blocks {
            for (p, row) in panel[..k].iter_mut().enumerate() {
                for (j, y) in columns.clone().zip(row) {
                    // SAFETY: inside the extent of rhs.
                    *y = unsafe { *self.rhs.add(self.plan.rhs.at(b, p, j)) };
                }
            }
            let mut i = 0;
            while m - i >= 4 {
                self.rows::<P, WIDTH, 4>(b, i, columns.clone(), &panel[..k]);
                i += 4;
            }
            while i < m {
                self.rows::<P, WIDTH, 1>(b, i, columns.clone(), &panel[..k]);
                i += 1;
            }
        }
    }

    /// Some columns of `ROWS` rows of the result from `i` on.
    #[inline(always)]
    fn rows<P: Target, const WIDTH: usize, const ROWS: usize>(
        &self,
        b: usize,
        i: usize,
        columns: Range<usize>,
        rhs: &[[T; WIDTH]],
    ) {
        // `sums` is indexed by constants only, so that it lives in registers; `row` is a copy in memory.
        let mut sums = [[T::ZERO; WIDTH]; ROWS];
        for (p, y) in rhs.iter().enumerate() {
            for (r, sum) in sums.iter_mut().enumerate() {
                // SAFETY: inside the extent of lhs.
                let x = unsafe { *self.lhs.add(self.plan.lhs.at(b, i + r, p)) };
                for (s, &y) in sum.iter_mut().zip(y) {
                    *s = x.times_plus::<P>(y, *s);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            let row = *sum;
            for (j, s) in columns.clone().zip(row) {
                // SAFETY: inside the extent of out.
                unsafe { self.out.add(self.plan.out.at(b, i + r, j)).write(s) };
            }
        }
    }
}
