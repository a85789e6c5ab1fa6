//! Matrix product of strided, batched operands.
//!
//! Three ways, by shape: [`narrow`] for small matrices, where a call of the library costs more than the product,
//! [`vector`] for vectors, at the speed of memory, and the `gemm` library for everything else. Every sum starts at +0.
//! One thread; results repeat bit for bit on the same machine.

mod narrow;
mod vector;

use crate::entry::{Entry, Extents, aligned};
use crate::processor::run_widest;
use narrow::Narrow;
use std::slice;
use vector::MatrixVector;
use wengert_kernel::Element;

/// The function of that name.
pub(crate) fn entry(name: &str) -> Option<Entry> {
    fn of<T: Number>() -> Entry {
        Entry { function: enter::<T>, extents: extents::<T> }
    }
    Some(match name {
        "dot_f32" => of::<f32>(),
        "dot_f64" => of::<f64>(),
        "dot_i32" => of::<i32>(),
        "dot_i64" => of::<i64>(),
        "dot_u32" => of::<u32>(),
        "dot_u64" => of::<u64>(),
        _ => return None,
    })
}

fn extents<T: Number>(ints: &[i64]) -> Extents {
    let size = T::DTYPE.size();
    let [lhs, rhs, out] = Plan::new(ints).extents().expect("operands that fit in memory").map(|n| n * size);
    (vec![lhs, rhs], vec![(out, size)])
}

unsafe extern "C" fn enter<T: Number>(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: by the contract of `RuntimeFn` there are 13 integers, two inputs and one output.
    let (plan, lhs, rhs, out) = unsafe {
        let plan = Plan::new(slice::from_raw_parts(ints, Plan::INTS));
        (plan, inputs.read().cast::<T>(), inputs.add(1).read().cast::<T>(), outputs.read().cast::<T>())
    };
    if plan.batch == 0 || plan.m == 0 || plan.n == 0 {
        return;
    }
    if lhs.is_aligned() && rhs.is_aligned() {
        // SAFETY: the inputs are good for their extents, and by the same contract the output overlaps neither.
        return unsafe { T::dot(&plan, lhs, rhs, out) };
    }
    let [lhs_extent, rhs_extent, _] = plan.extents().expect("operands that fit in memory");
    // SAFETY: the same.
    unsafe {
        let (lhs, rhs) = (aligned(lhs, lhs_extent), aligned(rhs, rhs_extent));
        T::dot(&plan, lhs.slice().as_ptr(), rhs.slice().as_ptr(), out)
    }
}

/// Sizes and strides, in elements: `out[b, i, j] = sum over p of lhs[b, i, p] * rhs[b, p, j]`.
#[derive(Clone, Copy, Debug)]
struct Plan {
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    lhs: Strides,
    rhs: Strides,
    out: Strides,
}

#[derive(Clone, Copy, Debug)]
struct Strides {
    batch: usize,
    row: usize,
    col: usize,
}

impl Strides {
    /// The index of an element.
    #[inline(always)]
    fn at(&self, b: usize, i: usize, j: usize) -> usize {
        b * self.batch + i * self.row + j * self.col
    }

    fn transposed(self) -> Strides {
        Strides { batch: self.batch, row: self.col, col: self.row }
    }

    /// How many elements an operand of these sizes spans; `None` when the number does not fit.
    fn extent(&self, batch: usize, rows: usize, cols: usize) -> Option<usize> {
        if batch == 0 || rows == 0 || cols == 0 {
            return Some(0);
        }
        let last = |size: usize, stride: usize| (size - 1).checked_mul(stride);
        last(batch, self.batch)?.checked_add(last(rows, self.row)?)?.checked_add(last(cols, self.col)?)?.checked_add(1)
    }
}

impl Plan {
    const INTS: usize = 13;

    fn new(ints: &[i64]) -> Plan {
        assert_eq!(ints.len(), Plan::INTS, "a matrix product takes {} integers", Plan::INTS);
        let at = |i: usize| usize::try_from(ints[i]).expect("sizes and strides are not negative");
        let strides = |i: usize| Strides { batch: at(i), row: at(i + 1), col: at(i + 2) };
        Plan { batch: at(0), m: at(1), k: at(2), n: at(3), lhs: strides(4), rhs: strides(7), out: strides(10) }
    }

    /// How many elements lhs, rhs and out span.
    fn extents(&self) -> Option<[usize; 3]> {
        let Plan { batch, m, k, n, .. } = *self;
        Some([self.lhs.extent(batch, m, k)?, self.rhs.extent(batch, k, n)?, self.out.extent(batch, m, n)?])
    }

    /// The same product as `out' = rhs' lhs'`.
    fn transposed(&self) -> Plan {
        let (lhs, rhs) = (self.rhs.transposed(), self.lhs.transposed());
        Plan { m: self.n, n: self.m, lhs, rhs, out: self.out.transposed(), ..*self }
    }

    /// A batch that shares its rhs and follows on in rows is one product with more rows.
    fn batch_as_rows(&self) -> Option<Plan> {
        let follows = |s: Strides| self.m == 1 || s.batch == self.m * s.row;
        if self.batch == 1 || self.rhs.batch != 0 || !follows(self.lhs) || !follows(self.out) {
            return None;
        }
        let row = |s: Strides| Strides { batch: 0, row: if self.m == 1 { s.batch } else { s.row }, col: s.col };
        Some(Plan { batch: 1, m: self.batch * self.m, lhs: row(self.lhs), out: row(self.out), ..*self })
    }
}

/// An element type that has a matrix product.
trait Number: Element {
    /// The product of non-empty batches of non-empty results.
    ///
    /// # Safety
    /// The pointers are aligned and good for the extents of `plan`, and `out` overlaps neither input.
    unsafe fn dot(plan: &Plan, lhs: *const Self, rhs: *const Self, out: *mut Self);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            unsafe fn dot(plan: &Plan, lhs: *const $t, rhs: *const $t, out: *mut $t) {
                for b in 0..plan.batch {
                    for i in 0..plan.m {
                        for j in 0..plan.n {
                            // SAFETY: inside the extents, which the caller vouches for.
                            unsafe {
                                let sum = (0..plan.k).fold(0 as $t, |sum, p| {
                                    let (x, y) = (*lhs.add(plan.lhs.at(b, i, p)), *rhs.add(plan.rhs.at(b, p, j)));
                                    sum.wrapping_add(x.wrapping_mul(y))
                                });
                                out.add(plan.out.at(b, i, j)).write(sum);
                            }
                        }
                    }
                }
            }
        }
    )*};
}

integers! { i32 i64 u32 u64 }

/// `f32` or `f64`.
trait Float: Number + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> {
    const ZERO: Self;
    const ONE: Self;
    /// `self * x + sum`, with one rounding where that is an instruction.
    fn times_plus<P: crate::processor::Target>(self, x: Self, sum: Self) -> Self;
}

macro_rules! floats {
    ($($t:ty)*) => {$(
        impl Float for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            #[inline(always)]
            fn times_plus<P: crate::processor::Target>(self, x: $t, sum: $t) -> $t {
                if P::FUSED { self.mul_add(x, sum) } else { self * x + sum }
            }
        }

        impl Number for $t {
            unsafe fn dot(plan: &Plan, lhs: *const $t, rhs: *const $t, out: *mut $t) {
                // SAFETY: the same contract.
                unsafe { dot_floats(plan, lhs, rhs, out) }
            }
        }
    )*};
}

floats! { f32 f64 }

/// Products of at most this width and depth are computed without the library.
const NARROW: usize = 16;

/// And those of at most this depth at any width: the library would not start their sums at +0.
const SHALLOW: usize = 2;

/// # Safety
/// As [`Number::dot`].
unsafe fn dot_floats<T: Float>(plan: &Plan, lhs: *const T, rhs: *const T, out: *mut T) {
    let (mut plan, mut lhs, mut rhs) = (*plan, lhs, rhs);
    if plan.k == 0 {
        // Nothing is summed and nothing is read.
        for b in 0..plan.batch {
            for i in 0..plan.m {
                // SAFETY: inside the extent of out.
                (0..plan.n).for_each(|j| unsafe { out.add(plan.out.at(b, i, j)).write(T::ZERO) });
            }
        }
        return;
    }
    if let Some(one) = plan.batch_as_rows() {
        plan = one;
    } else if let Some(one) = plan.transposed().batch_as_rows() {
        plan = one.transposed();
    }
    // From here on the result is at least as tall as it is wide.
    if plan.n > plan.m {
        plan = plan.transposed();
        (lhs, rhs) = (rhs, lhs);
    }
    let vector = plan.n == 1 && (plan.m * plan.k > 64 || plan.k > NARROW);
    let shallow = plan.k <= SHALLOW && plan.n > NARROW;
    if shallow && plan.out.row < plan.out.col {
        // Written row by row.
        plan = plan.transposed();
        (lhs, rhs) = (rhs, lhs);
    }
    if shallow || plan.n <= NARROW && plan.k <= NARROW && !vector {
        return run_widest(Narrow { plan, lhs, rhs, out });
    }
    for b in 0..plan.batch {
        // SAFETY: the operands of one member of the batch lie inside the extents, which the caller vouches for.
        unsafe {
            let (lhs, rhs, out) =
                (lhs.add(b * plan.lhs.batch), rhs.add(b * plan.rhs.batch), out.add(b * plan.out.batch));
            if vector {
                run_widest(MatrixVector::new(&plan, lhs, rhs, out));
            } else {
                library(&plan, lhs, rhs, out);
            }
        }
    }
}

/// One product by the `gemm` library.
///
/// # Safety
/// As [`Number::dot`], for a batch of one.
unsafe fn library<T: Float>(plan: &Plan, lhs: *const T, rhs: *const T, out: *mut T) {
    let stride = |s: usize| s as isize;
    // SAFETY: the caller vouches for the extents, and without `read_dst` the library only writes `out`.
    unsafe {
        gemm::gemm(
            plan.m,
            plan.n,
            plan.k,
            out,
            stride(plan.out.col),
            stride(plan.out.row),
            false,
            lhs,
            stride(plan.lhs.col),
            stride(plan.lhs.row),
            rhs,
            stride(plan.rhs.col),
            stride(plan.rhs.row),
            T::ZERO,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
