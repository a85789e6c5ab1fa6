//! Matrix product of strided, batched operands.

use crate::RuntimeFn;
use std::slice;
use wengert_kernel::Element;

/// An element type that has a matrix product.
trait Number: Element {
    const ZERO: Self;
    fn multiply_add(self, x: Self, y: Self) -> Self;
}

macro_rules! numbers {
    ($($t:ty, $zero:expr, |$sum:ident, $x:ident, $y:ident| $step:expr;)*) => {$(
        impl Number for $t {
            const ZERO: Self = $zero;
            #[inline(always)]
            fn multiply_add(self, $x: Self, $y: Self) -> Self { let $sum = self; $step }
        }
    )*};
}

numbers! {
    f32, 0.0, |sum, x, y| sum + x * y;
    f64, 0.0, |sum, x, y| sum + x * y;
    i32, 0, |sum, x, y| sum.wrapping_add(x.wrapping_mul(y));
    i64, 0, |sum, x, y| sum.wrapping_add(x.wrapping_mul(y));
    u32, 0, |sum, x, y| sum.wrapping_add(x.wrapping_mul(y));
    u64, 0, |sum, x, y| sum.wrapping_add(x.wrapping_mul(y));
}

/// Sizes and strides, in elements.
#[derive(Clone, Copy)]
struct Plan {
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    lhs: [usize; 3],
    rhs: [usize; 3],
    out: [usize; 3],
}

impl Plan {
    const INTS: usize = 13;

    fn new(ints: &[i64]) -> Plan {
        assert_eq!(ints.len(), Plan::INTS, "a matrix product takes {} integers", Plan::INTS);
        let at = |i: usize| usize::try_from(ints[i]).expect("sizes and strides are not negative");
        Plan {
            batch: at(0),
            m: at(1),
            k: at(2),
            n: at(3),
            lhs: [at(4), at(5), at(6)],
            rhs: [at(7), at(8), at(9)],
            out: [at(10), at(11), at(12)],
        }
    }

    /// How many elements each operand's span must hold; `None` when that number does not fit.
    fn extents(&self) -> Option<[usize; 3]> {
        let extent = |sizes: [usize; 3], strides: [usize; 3]| {
            if sizes.contains(&0) {
                return Some(0);
            }
            sizes
                .iter()
                .zip(strides)
                .try_fold(1usize, |sum, (&size, stride)| sum.checked_add((size - 1).checked_mul(stride)?))
        };
        let Plan { batch, m, k, n, .. } = *self;
        Some([extent([batch, m, k], self.lhs)?, extent([batch, k, n], self.rhs)?, extent([batch, m, n], self.out)?])
    }
}

/// The product.
///
/// # Safety
/// The pointers are good for the extents of `plan`, and `out` overlaps neither input.
unsafe fn dot<T: Number>(plan: &Plan, lhs: *const T, rhs: *const T, out: *mut T) {
    for b in 0..plan.batch {
        for i in 0..plan.m {
            for j in 0..plan.n {
                let mut sum = T::ZERO;
                for p in 0..plan.k {
                    // SAFETY: inside the extents, which the caller vouches for.
                    unsafe {
                        let x = lhs.add(b * plan.lhs[0] + i * plan.lhs[1] + p * plan.lhs[2]).read_unaligned();
                        let y = rhs.add(b * plan.rhs[0] + p * plan.rhs[1] + j * plan.rhs[2]).read_unaligned();
                        sum = sum.multiply_add(x, y);
                    }
                }
                // SAFETY: the same.
                unsafe { out.add(b * plan.out[0] + i * plan.out[1] + j * plan.out[2]).write(sum) };
            }
        }
    }
}

unsafe extern "C" fn enter<T: Number>(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: the contract of `RuntimeFn`: 13 integers, two inputs, one output, good for the extents.
    unsafe {
        let plan = Plan::new(slice::from_raw_parts(ints, Plan::INTS));
        dot::<T>(&plan, inputs.read().cast(), inputs.add(1).read().cast(), outputs.read().cast());
    }
}

/// The entry for machine code.
pub(crate) fn entry(name: &str) -> Option<RuntimeFn> {
    Some(match name {
        "dot_f32" => enter::<f32>,
        "dot_f64" => enter::<f64>,
        "dot_i32" => enter::<i32>,
        "dot_i64" => enter::<i64>,
        "dot_u32" => enter::<u32>,
        "dot_u64" => enter::<u64>,
        _ => return None,
    })
}

/// The same on slices; `false` when there is no such function.
pub(crate) fn call(name: &str, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool {
    let Some(function) = entry(name) else { return false };
    let size = if name.ends_with("32") { 4 } else { 8 };
    let ([lhs, rhs], [out]) = (inputs, outputs) else { panic!("{name} takes two inputs and one output") };
    let extents = Plan::new(ints).extents().expect("the operands fit in memory");
    for (extent, span) in extents.into_iter().zip([lhs.len(), rhs.len(), out.len()]) {
        assert!(extent <= span / size, "{name} would touch {extent} elements of a span of {span} bytes");
    }
    assert!(out.as_ptr() as usize % size == 0, "the output of {name} is aligned");
    // SAFETY: `Plan::new` has seen 13 integers, the spans hold the extents, and a `&mut` overlaps nothing.
    unsafe { function(ints.as_ptr(), [lhs.as_ptr(), rhs.as_ptr()].as_ptr(), [out.as_mut_ptr()].as_ptr()) };
    true
}
