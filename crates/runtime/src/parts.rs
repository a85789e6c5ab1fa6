//! Functions over all parts of a batch at once, from elements of one dtype to elements of one: sorting, cumulative sums.

use crate::entry::{Aligned, Entry, Extents, aligned};
use crate::threads::{Shared, grain, parallel};
use std::slice;
use wengert_kernel::{DType, Element};

/// A function over parts, given the integers `[parts, ..]`.
pub(crate) trait Parts {
    /// Integers it is told.
    const INTS: usize;
    /// About how many nanoseconds an element of the output takes, when the first integer is the number of parts and each is
    /// done alone; 0 when not.
    const EACH: f64;
    /// The dtype of its inputs.
    type Input: Element;
    /// The dtype of its output.
    type Output: Element;

    /// Elements of each input and of the output; `None` when the number does not fit.
    fn extents(ints: &[i64]) -> Option<(Vec<usize>, usize)>;

    /// Overwrites the output.
    fn run(ints: &[i64], inputs: &[&[Self::Input]], output: &mut [Self::Output]);
}

/// The entry of a function.
pub(crate) fn entry_of<P: Parts>() -> Entry {
    Entry { function: enter::<P>, extents: extents::<P> }
}

fn elements<P: Parts>(ints: &[i64]) -> (Vec<usize>, usize) {
    assert!(ints.len() == P::INTS && ints[0] >= 0, "it takes {} integers, not {ints:?}", P::INTS);
    P::extents(ints).expect("operands that fit in memory")
}

fn extents<P: Parts>(ints: &[i64]) -> Extents {
    let (read, written) = elements::<P>(ints);
    let size = P::Output::DTYPE.size();
    (read.into_iter().map(|n| n * P::Input::DTYPE.size()).collect(), vec![(written * size, size)])
}

unsafe extern "C" fn enter<P: Parts>(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: by the contract of `RuntimeFn` there are as many integers.
    let ints = unsafe { slice::from_raw_parts(ints, P::INTS) };
    let (read, written) = elements::<P>(ints);
    // SAFETY: by the same contract there are as many inputs, each good for its extent, at any address.
    let input = |(i, n): (usize, usize)| unsafe { aligned(inputs.add(i).read().cast::<P::Input>(), n) };
    let read: Vec<Aligned<'_, P::Input>> = read.into_iter().enumerate().map(input).collect();
    let read: Vec<&[P::Input]> = read.iter().map(Aligned::slice).collect();
    let output: &mut [P::Output] = if written == 0 {
        // What is empty may be anywhere.
        &mut []
    } else {
        // SAFETY: by the same contract there is one output, aligned, good for its extent, that overlaps nothing else.
        unsafe { slice::from_raw_parts_mut(outputs.read().cast::<P::Output>(), written) }
    };
    let parts = ints.first().map_or(0, |&n| n as usize);
    if P::EACH == 0.0 || parts < 2 {
        return P::run(ints, &read, output);
    }
    let (output, per_part) = (Shared::new(output), written / parts);
    parallel(parts, grain(P::EACH * per_part as f64), &|range| {
        let part = |all: &[P::Input]| all.len() / parts * range.start..all.len() / parts * range.end;
        let read: Vec<&[P::Input]> = read.iter().map(|all| &all[part(all)]).collect();
        let mut ints = ints.to_vec();
        ints[0] = range.len() as i64;
        // SAFETY: ranges of parts do not overlap.
        P::run(&ints, &read, unsafe { output.range(per_part * range.start..per_part * range.end) });
    });
}

/// The dtype of a function by the ending of its name.
pub(crate) fn dtype_of(name: &str, function: &str) -> Option<DType> {
    let ending = name.strip_prefix(function)?.strip_prefix('_')?;
    DType::ALL.into_iter().find(|dtype| dtype.name() == ending)
}

/// A length or number of parts.
pub(crate) fn size(n: i64) -> Option<usize> {
    usize::try_from(n).ok()
}
