//! The one form of the runtime's functions: what machine code calls, and which bytes that touches.

use crate::RuntimeFn;
use std::slice;
use wengert_kernel::Element;

/// Bytes of each input; bytes of each output and of its elements, to a multiple of which it is aligned.
pub(crate) type Extents = (Vec<usize>, Vec<(usize, usize)>);

/// A function, for machine code and for the interpreter of routines.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) function: RuntimeFn,
    /// What it touches, given its integers. Panics when they are not its own, or the operands would fit in no memory.
    pub(crate) extents: fn(&[i64]) -> Extents,
}

impl Entry {
    /// Calls it on slices.
    pub(crate) fn call(self, name: &str, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        let (read, written) = (self.extents)(ints);
        assert_eq!((inputs.len(), outputs.len()), (read.len(), written.len()), "{name} takes other operands");
        for (extent, x) in read.into_iter().zip(inputs) {
            assert!(extent <= x.len(), "{name} would read {extent} bytes of {}", x.len());
        }
        for ((extent, size), y) in written.into_iter().zip(&*outputs) {
            assert!(extent <= y.len(), "{name} would write {extent} bytes of {}", y.len());
            let aligned = (y.as_ptr() as usize).is_multiple_of(size);
            assert!(extent == 0 || aligned, "an output of {name} is not aligned");
        }
        let read: Vec<*const u8> = inputs.iter().map(|x| x.as_ptr()).collect();
        let written: Vec<*mut u8> = outputs.iter_mut().map(|y| y.as_mut_ptr()).collect();
        // SAFETY: `extents` has seen that the integers are the function's own, the spans hold what it touches, and a
        // `&mut` overlaps nothing.
        unsafe { (self.function)(ints.as_ptr(), read.as_ptr(), written.as_ptr()) };
    }
}

/// Elements where they are, or copied when they are not aligned.
pub(crate) enum Aligned<'a, T> {
    Here(&'a [T]),
    Copied(Vec<T>),
}

impl<T> Aligned<'_, T> {
    pub(crate) fn slice(&self) -> &[T] {
        match self {
            Aligned::Here(x) => x,
            Aligned::Copied(x) => x,
        }
    }
}

/// # Safety
/// `x` is good for `n` elements as long as they are used.
pub(crate) unsafe fn aligned<'a, T: Element>(x: *const T, n: usize) -> Aligned<'a, T> {
    // SAFETY: the caller vouches for `n` elements.
    unsafe {
        if x.is_aligned() {
            return Aligned::Here(slice::from_raw_parts(x, n));
        }
        Aligned::Copied((0..n).map(|i| x.add(i).read_unaligned()).collect())
    }
}

/// A length or number of parts.
pub(crate) fn length(n: i64) -> usize {
    usize::try_from(n).expect("lengths are not negative")
}
