//! Functions that work part by part on operands of floats and of indices: decompositions, transforms.

use crate::entry::{Entry, Extents, aligned, length};
use crate::real::{Number, Real};
use crate::threads::{Shared, grain, parallel};
use std::slice;

/// The part of a call that belongs to one part of the batch: options and lengths.
pub(crate) struct Part<'a> {
    pub(crate) options: &'a [i64],
    pub(crate) lengths: &'a [usize],
}

/// The operands for one part: those of floats, and that of indices.
pub(crate) struct Operands<'a, T> {
    pub(crate) real: [&'a [T]; 3],
    pub(crate) index: &'a [i64],
}

/// The results for one part. What a function has not is empty.
pub(crate) struct Results<'a, T> {
    pub(crate) real: [&'a mut [T]; 3],
    pub(crate) index: [&'a mut [i64]; 2],
}

impl<T: Number> Results<'_, T> {
    /// There is no answer.
    pub(crate) fn nan(&mut self) {
        self.real.iter_mut().for_each(|y| y.fill(T::NAN));
    }
}

/// Whether an operand or result holds indices.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Real,
    Index,
}

/// A function of parts, such as matrices or rows.
pub(crate) trait Kernel {
    /// Options before the lengths.
    const OPTIONS: usize;
    /// Operands: what they hold, and how many axes.
    const OPERANDS: &'static [(Kind, usize)];
    /// Results: floats first, as many as come at most, then indices.
    const RESULTS: &'static [Kind];

    /// Elements of each result for one part. A function may have fewer results than `RESULTS`.
    fn sizes(part: &Part<'_>) -> Vec<usize>;

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>);
}

/// The entry of a function whose name, before `_` and the dtype, is found.
pub(crate) fn entry_of<K: Kernel>(dtype: &str) -> Option<Entry> {
    fn of<K: Kernel, T: Real>() -> Entry {
        Entry { function: enter::<K, T>, extents: extents::<K, T> }
    }
    match dtype {
        "f32" => Some(of::<K, f32>()),
        "f64" => Some(of::<K, f64>()),
        _ => None,
    }
}

/// How many integers a function takes.
fn ints_of<K: Kernel>() -> usize {
    1 + K::OPTIONS + K::OPERANDS.iter().map(|&(_, rank)| rank).sum::<usize>()
}

fn bytes<T>(kind: Kind) -> usize {
    if kind == Kind::Index { size_of::<i64>() } else { size_of::<T>() }
}

/// Elements of each operand for one part.
fn operand_sizes<K: Kernel>(lengths: &[usize]) -> Vec<usize> {
    let mut at = 0;
    let size = |&(_, rank): &(Kind, usize)| {
        at += rank;
        lengths[at - rank..at].iter().product()
    };
    K::OPERANDS.iter().map(size).collect()
}

/// What a result holds: floats come first.
fn result_kind<K: Kernel>(i: usize, results: usize) -> Kind {
    let indices = K::RESULTS.iter().filter(|&&kind| kind == Kind::Index).count();
    if i >= results - indices { Kind::Index } else { Kind::Real }
}

fn extents<K: Kernel, T: Real>(ints: &[i64]) -> Extents {
    assert_eq!(ints.len(), ints_of::<K>(), "it takes {} integers", ints_of::<K>());
    let parts = length(ints[0]);
    let lengths: Vec<usize> = ints[1 + K::OPTIONS..].iter().map(|&n| length(n)).collect();
    let all = |n: usize, kind: Kind| {
        n.checked_mul(parts).and_then(|n| n.checked_mul(bytes::<T>(kind))).expect("operands that fit in memory")
    };
    let read = operand_sizes::<K>(&lengths).into_iter().zip(K::OPERANDS).map(|(n, &(kind, _))| all(n, kind));
    let sizes = K::sizes(&Part { options: &ints[1..=K::OPTIONS], lengths: &lengths });
    let count = sizes.len();
    let written = sizes.into_iter().enumerate().map(|(i, n)| {
        let kind = result_kind::<K>(i, count);
        (all(n, kind), bytes::<T>(kind))
    });
    (read.collect(), written.collect())
}

unsafe extern "C" fn enter<K: Kernel, T: Real>(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: by the contract of `RuntimeFn` there are as many integers.
    let ints = unsafe { slice::from_raw_parts(ints, ints_of::<K>()) };
    let parts = length(ints[0]);
    let lengths: Vec<usize> = ints[1 + K::OPTIONS..].iter().map(|&n| length(n)).collect();
    let part = Part { options: &ints[1..=K::OPTIONS], lengths: &lengths };
    let (read, written) = (operand_sizes::<K>(&lengths), K::sizes(&part));
    let (mut copies, mut index_copies) = (Vec::new(), Vec::new());
    let mut real: [(&[T], usize); 3] = [(&[], 0); 3];
    let mut index: (&[i64], usize) = (&[], 0);
    // SAFETY: by the same contract there are as many inputs, each good for its extent; those at odd addresses are copied.
    unsafe {
        for (i, (&(kind, _), _)) in K::OPERANDS.iter().zip(&read).enumerate() {
            let x = inputs.add(i).read();
            let n = read[i] * parts;
            match kind {
                Kind::Real => copies.push(aligned(x.cast::<T>(), n)),
                Kind::Index => index_copies.push(aligned(x.cast::<i64>(), n)),
            }
        }
    }
    let (mut reals, mut indices) = (copies.iter(), index_copies.iter());
    let mut slot = 0;
    for (&(kind, _), &n) in K::OPERANDS.iter().zip(&read) {
        match kind {
            Kind::Real => {
                real[slot] = (reals.next().expect("one for each").slice(), n);
                slot += 1;
            }
            Kind::Index => index = (indices.next().expect("one for each").slice(), n),
        }
    }
    let mut out: [(&mut [T], usize); 3] = [(&mut [], 0), (&mut [], 0), (&mut [], 0)];
    let mut index_out: [(&mut [i64], usize); 2] = [(&mut [], 0), (&mut [], 0)];
    let (mut reals, mut indices) = (0, 0);
    for (i, &n) in written.iter().enumerate() {
        let kind = result_kind::<K>(i, written.len());
        if n * parts == 0 {
            // What is empty may be anywhere.
            if kind == Kind::Real {
                reals += 1
            } else {
                indices += 1
            }
            continue;
        }
        // SAFETY: by the same contract there are as many outputs, aligned, each good for its extent, that overlap nothing
        // else. Every bit pattern is a number; they are zeroed since the memory may never have been written.
        unsafe {
            let y = outputs.add(i).read();
            match kind {
                Kind::Real => {
                    y.cast::<T>().write_bytes(0, n * parts);
                    out[reals] = (slice::from_raw_parts_mut(y.cast::<T>(), n * parts), n);
                    reals += 1;
                }
                Kind::Index => {
                    y.cast::<i64>().write_bytes(0, n * parts);
                    index_out[indices] = (slice::from_raw_parts_mut(y.cast::<i64>(), n * parts), n);
                    indices += 1;
                }
            }
        }
    }
    let out = out.map(|(y, n)| (Shared::new(y), n));
    let index_out = index_out.map(|(y, n)| (Shared::new(y), n));
    // Most are decompositions, of cubic cost.
    let each = (read.iter().sum::<usize>() as f64).powf(1.5);
    parallel(parts, grain(each), &|range| {
        for p in range {
            let x = Operands { real: real.map(|(x, n)| &x[p * n..][..n]), index: &index.0[p * index.1..][..index.1] };
            // SAFETY: no other thread has this part.
            let mut y = unsafe {
                Results {
                    real: out.each_ref().map(|(y, n)| y.range(p * n..(p + 1) * n)),
                    index: index_out.each_ref().map(|(y, n)| y.range(p * n..(p + 1) * n)),
                }
            };
            K::run(&part, &x, &mut y);
        }
    });
}
