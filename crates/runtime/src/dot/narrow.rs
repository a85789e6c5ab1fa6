//! Products whose result has at most 16 columns, with any number of rows: a block of rows stays in registers.

use super::{Float, NARROW, Plan};
use crate::processor::{Target, Work};

/// A batch of products with `plan.n <= 16`. The pointers keep the contract of `Number::dot`.
pub(super) struct Narrow<T> {
    pub(super) plan: Plan,
    pub(super) lhs: *const T,
    pub(super) rhs: *const T,
    pub(super) out: *mut T,
}

impl<T: Float> Work for Narrow<T> {
    #[inline(always)]
    fn run<P: Target>(self) {
        match (self.plan.n, self.plan.k <= 16) {
            (0..=4, true) => self.panels::<P, 4, 16>(),
            (0..=4, false) => self.panels::<P, 4, 128>(),
            (5..=8, true) => self.panels::<P, 8, 16>(),
            (5..=8, false) => self.panels::<P, 8, 128>(),
            (_, true) => self.panels::<P, NARROW, 16>(),
            (_, false) => self.panels::<P, NARROW, 128>(),
        }
    }
}

impl<T: Float> Narrow<T> {
    /// Goes over rhs in panels of `DEPTH` rows, each row widened to `WIDTH`; later panels add to the result.
    #[inline(always)]
    fn panels<P: Target, const WIDTH: usize, const DEPTH: usize>(&self) {
        let Plan { batch, m, k, n, .. } = self.plan;
        let mut panel = [[T::ZERO; WIDTH]; DEPTH];
        for b in 0..batch {
            let mut start = 0;
            loop {
                let depth = (k - start).min(DEPTH);
                for (p, row) in panel[..depth].iter_mut().enumerate() {
                    for (j, y) in row[..n].iter_mut().enumerate() {
                        // SAFETY: inside the extent of rhs.
                        *y = unsafe { *self.rhs.add(self.plan.rhs.at(b, start + p, j)) };
                    }
                }
                let panel = &panel[..depth];
                let mut i = 0;
                if P::ACCUMULATORS >= 16 {
                    while m - i >= 8 {
                        self.rows::<P, WIDTH, 8>(b, i, start, panel);
                        i += 8;
                    }
                }
                while m - i >= 4 {
                    self.rows::<P, WIDTH, 4>(b, i, start, panel);
                    i += 4;
                }
                while i < m {
                    self.rows::<P, WIDTH, 1>(b, i, start, panel);
                    i += 1;
                }
                start += depth;
                if start == k {
                    break;
                }
            }
        }
    }

    /// `ROWS` rows of the result from `i` on, by the panel that begins at row `start` of rhs.
    #[inline(always)]
    fn rows<P: Target, const WIDTH: usize, const ROWS: usize>(
        &self,
        b: usize,
        i: usize,
        start: usize,
        panel: &[[T; WIDTH]],
    ) {
        let n = self.plan.n;
        let mut sums = [[T::ZERO; WIDTH]; ROWS];
        if start > 0 {
            for (r, sum) in sums.iter_mut().enumerate() {
                for (j, s) in sum[..n].iter_mut().enumerate() {
                    // SAFETY: inside the extent of out, written by the panel before.
                    *s = unsafe { *self.out.add(self.plan.out.at(b, i + r, j)) };
                }
            }
        }
        for (p, y) in panel.iter().enumerate() {
            for (r, sum) in sums.iter_mut().enumerate() {
                // SAFETY: inside the extent of lhs.
                let x = unsafe { *self.lhs.add(self.plan.lhs.at(b, i + r, start + p)) };
                for (s, &y) in sum.iter_mut().zip(y) {
                    *s = x.times_plus::<P>(y, *s);
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            for (j, &s) in sum[..n].iter().enumerate() {
                // SAFETY: inside the extent of out.
                unsafe { self.out.add(self.plan.out.at(b, i + r, j)).write(s) };
            }
        }
    }
}
