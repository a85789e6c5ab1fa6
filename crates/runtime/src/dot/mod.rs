//! Matrix product of strided, batched operands.
//!
//! Three ways, by shape: [`narrow`] for small matrices, where a call of the library costs more than the product,
//! [`vector`] for vectors, at the speed of memory, and the `gemm` library for everything else. Every sum starts at +0.
//! Several threads share the members of a batch, or the rows of the result: no sum is cut, so results repeat bit for bit on the same
//! machine for any number of threads.

mod narrow;
mod vector;

use crate::entry::{Entry, Extents, aligned};
use crate::processor::run_widest;
use crate::threads::{grain, num_threads, parallel};
use narrow::Narrow;
use std::ops::Range;
use std::slice;
use vector::MatrixVector;
use wengert_kernel::Element;

/// The function of that name.
pub(crate) fn entry(name: &str) -> Option<Entry> {
    fn of<T: Number, const ADD: bool>() -> Entry {
        Entry { function: enter::<T, ADD>, extents: extents::<T> }
    }
    Some(match name {
        "dot_f32" => of::<f32, false>(),
        "dot_f64" => of::<f64, false>(),
        "dot_i32" => of::<i32, false>(),
        "dot_i64" => of::<i64, false>(),
        "dot_u32" => of::<u32, false>(),
        "dot_u64" => of::<u64, false>(),
        "dot_add_f32" => of::<f32, true>(),
        "dot_add_f64" => of::<f64, true>(),
        _ => return None,
    })
}

fn extents<T: Number>(ints: &[i64]) -> Extents {
    let size = T::DTYPE.size();
    let [lhs, rhs, out] = Plan::new(ints).extents().expect("operands that fit in memory").map(|n| n * size);
    (vec![lhs, rhs], vec![(out, size)])
}

unsafe extern "C" fn enter<T: Number, const ADD: bool>(
    ints: *const i64,
    inputs: *const *const u8,
    outputs: *const *mut u8,
) {
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
        return unsafe { T::dot(&plan, lhs, rhs, out, ADD) };
    }
    let [lhs_extent, rhs_extent, _] = plan.extents().expect("operands that fit in memory");
    // SAFETY: the same.
    unsafe {
        let (lhs, rhs) = (aligned(lhs, lhs_extent), aligned(rhs, rhs_extent));
        T::dot(&plan, lhs.slice().as_ptr(), rhs.slice().as_ptr(), out, ADD)
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
    /// The product of non-empty batches of non-empty results; with `add`, which floats know, it is added to what is there.
    ///
    /// # Safety
    /// The pointers are aligned and good for the extents of `plan`, and `out` overlaps neither input.
    unsafe fn dot(plan: &Plan, lhs: *const Self, rhs: *const Self, out: *mut Self, add: bool);
}

macro_rules! integers {
    ($($t:ty)*) => {$(
        impl Number for $t {
            unsafe fn dot(plan: &Plan, lhs: *const $t, rhs: *const $t, out: *mut $t, _: bool) {
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
            unsafe fn dot(plan: &Plan, lhs: *const $t, rhs: *const $t, out: *mut $t, add: bool) {
                // SAFETY: the same contract.
                unsafe { dot_floats(plan, lhs, rhs, out, add) }
            }
        }
    )*};
}

floats! { f32 f64 }

/// Products of at most this width and depth are computed without the library.
const NARROW: usize = 16;

/// And those of at most this depth at any width: the library would not start their sums at +0.
const SHALLOW: usize = 2;

/// Nanoseconds, as they are guessed, from which a product is for several threads.
const LONG: f64 = 60_000.0;

/// Rows and columns up to which the library takes all of a sum at once, and beyond which it cuts it as only its length says.
const MOST_SMALL: usize = 64;

/// # Safety
/// As [`Number::dot`].
unsafe fn dot_floats<T: Float>(plan: &Plan, lhs: *const T, rhs: *const T, out: *mut T, add: bool) {
    let (mut plan, mut lhs, mut rhs) = (*plan, lhs, rhs);
    if plan.k == 0 && add {
        return;
    }
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
    let way = match () {
        () if shallow || plan.n <= NARROW && plan.k <= NARROW && !vector => Way::Narrow,
        () if vector => Way::Vector,
        () => Way::Library,
    };
    if add && !matches!(way, Way::Library) {
        let Plan { batch, m, n, .. } = plan;
        let dense = Strides { batch: m * n, row: n, col: 1 };
        let mut product = vec![T::ZERO; batch * m * n];
        let apart = Product { plan: Plan { out: dense, ..plan }, lhs, rhs, out: product.as_mut_ptr(), way, add: false };
        // SAFETY: the same contract, with memory for the result.
        unsafe { apart.run_in_threads() };
        for (at, &x) in product.iter().enumerate() {
            let (b, i, j) = (at / (m * n), at / n % m, at % n);
            // SAFETY: inside the extent of out.
            unsafe {
                let to = out.add(plan.out.at(b, i, j));
                to.write(to.read() + x);
            }
        }
        return;
    }
    let all = Product { plan, lhs, rhs, out, way, add };
    // SAFETY: the same contract; parts of the product write different elements.
    unsafe { all.run_in_threads() }
}

/// How a product is computed.
#[derive(Clone, Copy)]
enum Way {
    Narrow,
    Vector,
    Library,
}

/// A product, or a part of one.
#[derive(Clone, Copy)]
struct Product<T> {
    plan: Plan,
    lhs: *const T,
    rhs: *const T,
    out: *mut T,
    way: Way,
    /// Whether it is added to what is there; the library alone knows how.
    add: bool,
}

// SAFETY: threads take different parts, which read the same and write different elements.
unsafe impl<T: Sync + Send> Sync for Product<T> {}

impl<T: Float> Product<T> {
    /// # Safety
    /// As [`Number::dot`].
    unsafe fn run_in_threads(self) {
        let Plan { batch, m, k, n, .. } = self.plan;
        let each_row = match self.way {
            Way::Library => 0.02 * (n * k) as f64,
            Way::Narrow => 0.05 * (n * k) as f64 + n as f64,
            Way::Vector => 0.1 * k as f64,
        };
        let all = each_row * m as f64 * batch as f64;
        if all < LONG {
            // SAFETY: all of it.
            return unsafe { self.run() };
        }
        if batch >= num_threads() {
            // SAFETY: members of a batch have results of their own.
            return parallel(batch, grain(each_row * m as f64), &|range| unsafe { self.members(range).run() });
        }
        // Rows in blocks that the library's kernels fill, and never so few that it takes other ones.
        let block = if n > MOST_SMALL { 48 } else { MOST_SMALL + 32 };
        let blocks = m / block;
        if matches!(self.way, Way::Library) && blocks < 2 {
            // SAFETY: all of it.
            return unsafe { self.run() };
        }
        for b in 0..batch {
            let one = self.members(b..b + 1);
            match self.way {
                // The library reads rhs once for each part: as few as will do.
                Way::Library => parallel(blocks, blocks.div_ceil(num_threads()), &|range| {
                    let end = if range.end == blocks { m } else { range.end * block };
                    // SAFETY: rows of the result are different elements.
                    unsafe { one.rows(range.start * block..end).run() }
                }),
                // SAFETY: likewise.
                _ => parallel(m.div_ceil(4), grain(4.0 * each_row), &|range| unsafe {
                    one.rows(4 * range.start..m.min(4 * range.end)).run()
                }),
            }
        }
    }

    /// Some members of the batch.
    fn members(self, range: Range<usize>) -> Product<T> {
        let (lhs, rhs) = (self.plan.lhs.batch * range.start, self.plan.rhs.batch * range.start);
        let out = self.out.wrapping_add(self.plan.out.batch * range.start);
        let plan = Plan { batch: range.len(), ..self.plan };
        Product { plan, lhs: self.lhs.wrapping_add(lhs), rhs: self.rhs.wrapping_add(rhs), out, ..self }
    }

    /// Some rows of the result.
    fn rows(self, range: Range<usize>) -> Product<T> {
        let lhs = self.lhs.wrapping_add(self.plan.lhs.row * range.start);
        let out = self.out.wrapping_add(self.plan.out.row * range.start);
        Product { plan: Plan { m: range.len(), ..self.plan }, lhs, out, ..self }
    }

    /// # Safety
    /// As [`Number::dot`].
    unsafe fn run(self) {
        if let Way::Narrow = self.way {
            return run_widest(Narrow { plan: self.plan, lhs: self.lhs, rhs: self.rhs, out: self.out });
        }
        for b in 0..self.plan.batch {
            let Product { plan, lhs, rhs, out, way, add } = self.members(b..b + 1);
            // SAFETY: the operands of one member of the batch lie inside the extents, which the caller vouches for.
            unsafe {
                match way {
                    Way::Vector => run_widest(MatrixVector::new(&plan, lhs, rhs, out)),
                    _ => library(&plan, lhs, rhs, out, add),
                }
            }
        }
    }
}

/// One product by the `gemm` library.
///
/// # Safety
/// As [`Number::dot`], for a batch of one.
unsafe fn library<T: Float>(plan: &Plan, lhs: *const T, rhs: *const T, out: *mut T, add: bool) {
    let stride = |s: usize| s as isize;
    // SAFETY: the caller vouches for the extents, and but to add to it the library only writes `out`.
    unsafe {
        gemm::gemm(
            plan.m,
            plan.n,
            plan.k,
            out,
            stride(plan.out.col),
            stride(plan.out.row),
            add,
            lhs,
            stride(plan.lhs.col),
            stride(plan.lhs.row),
            rhs,
            stride(plan.rhs.col),
            stride(plan.rhs.row),
            if add { T::ONE } else { T::ZERO },
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
