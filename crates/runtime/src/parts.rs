//! Functions over batches of dense parts, in safe code: what they are handed becomes slices here.

use crate::RuntimeFn;
use std::slice;
use wengert_kernel::{DType, Element};

/// A function over parts, given the integers `[parts, ..]`.
pub(crate) trait Parts {
    /// Integers it is told.
    const INTS: usize;
    /// The dtype of its inputs.
    type Input: Element;
    /// The dtype of its output.
    type Output: Element;

    /// Elements of each input and of the output; `None` when the number does not fit.
    fn extents(ints: &[i64]) -> Option<(Vec<usize>, usize)>;

    /// Overwrites the output.
    fn run(ints: &[i64], inputs: &[&[Self::Input]], output: &mut [Self::Output]);
}

/// The entry of a function, for machine code and for the interpreter of routines.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) function: RuntimeFn,
    check: Check,
}

/// Panics when the spans do not hold what the function touches.
type Check = fn(&[i64], &[&[u8]], &[&mut [u8]]);

impl Entry {
    pub(crate) fn of<P: Parts>() -> Entry {
        Entry { function: enter::<P>, check: check::<P> }
    }

    /// Calls it on slices.
    pub(crate) fn call(self, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        (self.check)(ints, inputs, outputs);
        let read: Vec<*const u8> = inputs.iter().map(|x| x.as_ptr()).collect();
        let written: Vec<*mut u8> = outputs.iter_mut().map(|y| y.as_mut_ptr()).collect();
        // SAFETY: `check` has seen that the spans hold what the function touches, and a `&mut` overlaps nothing.
        unsafe { (self.function)(ints.as_ptr(), read.as_ptr(), written.as_ptr()) }
    }
}

fn check<P: Parts>(ints: &[i64], inputs: &[&[u8]], outputs: &[&mut [u8]]) {
    assert!(ints.len() == P::INTS && ints[0] >= 0, "it takes {} integers, not {ints:?}", P::INTS);
    let (read, written) = P::extents(ints).expect("operands that fit in memory");
    assert_eq!((inputs.len(), outputs.len()), (read.len(), 1), "it takes other operands");
    for (input, n) in inputs.iter().zip(read) {
        assert!(n * P::Input::DTYPE.size() <= input.len(), "it would read {n} elements");
    }
    assert!(written * P::Output::DTYPE.size() <= outputs[0].len(), "it would write {written} elements");
    let aligned = (outputs[0].as_ptr() as usize).is_multiple_of(align_of::<P::Output>());
    assert!(aligned, "the output is not aligned");
}

unsafe extern "C" fn enter<P: Parts>(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: by the contract of `RuntimeFn` there are as many integers.
    let ints = unsafe { slice::from_raw_parts(ints, P::INTS) };
    let (read, written) = P::extents(ints).expect("operands that fit in memory");
    let mut copies: Vec<Vec<P::Input>> = Vec::new();
    let mut pointers: Vec<(*const P::Input, usize)> = Vec::new();
    for (i, n) in read.into_iter().enumerate() {
        // SAFETY: by the same contract there are as many inputs, each good for its extent, at any address.
        unsafe {
            let x = inputs.add(i).read().cast::<P::Input>();
            if x.is_aligned() {
                pointers.push((x, n));
            } else {
                copies.push((0..n).map(|k| x.add(k).read_unaligned()).collect());
                let copy = copies.last().expect("it was pushed");
                pointers.push((copy.as_ptr(), n));
            }
        }
    }
    // SAFETY: aligned and good for so many elements. A vector in `copies` keeps its elements where they are.
    let slices: Vec<&[P::Input]> = pointers.iter().map(|&(x, n)| unsafe { slice::from_raw_parts(x, n) }).collect();
    // SAFETY: by the same contract there is one output, aligned, good for its extent, that overlaps nothing else.
    let output = unsafe { slice::from_raw_parts_mut(outputs.read().cast::<P::Output>(), written) };
    P::run(ints, &slices, output);
}

/// The function for a dtype by the ending of its name.
pub(crate) fn dtype_of(name: &str, function: &str) -> Option<DType> {
    let ending = name.strip_prefix(function)?.strip_prefix('_')?;
    DType::ALL.into_iter().find(|dtype| dtype.name() == ending)
}

/// A length or number of parts.
pub(crate) fn size(n: i64) -> Option<usize> {
    usize::try_from(n).ok()
}
