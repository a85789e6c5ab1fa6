//! `argsort`: for each row the positions of its elements in ascending order.
//!
//! Elements become unsigned integers of the same order, so that one sort serves every dtype: a stable radix sort of long
//! rows, insertion of short ones, the standard library's in between.

use crate::entry::Entry;
use crate::parts::{Parts, dtype_of, entry_of, size};
use std::marker::PhantomData;
use wengert_kernel::{Element, with_element};

/// Rows up to this length are sorted by insertion.
const SHORT: usize = 20;
/// From this length on counting digits pays.
const LONG: usize = 1 << 10;

pub(crate) fn entry(name: &str) -> Option<Entry> {
    let dtype = dtype_of(name, "argsort")?;
    Some(with_element!(dtype, T => entry_of::<Argsort<T>>()))
}

struct Argsort<T>(PhantomData<T>);

impl<T: Element> Parts for Argsort<T> {
    const INTS: usize = 2;
    const EACH: f64 = 20.0;
    type Input = T;
    type Output = i64;

    fn extents(ints: &[i64]) -> Option<(Vec<usize>, usize)> {
        let all = size(ints[0])?.checked_mul(size(ints[1])?)?;
        Some((vec![all], all))
    }

    fn run(ints: &[i64], inputs: &[&[T]], output: &mut [i64]) {
        let n = ints[1] as usize;
        if n == 0 {
            return;
        }
        let narrow = T::DTYPE.size() <= 4 && u32::try_from(n).is_ok();
        let mut scratch = Scratch::default();
        for (row, to) in inputs[0].chunks_exact(n).zip(output.chunks_exact_mut(n)) {
            if n <= SHORT {
                insertion(row, to);
            } else if narrow {
                scratch.narrow(row, to);
            } else {
                scratch.wide(row, to);
            }
        }
    }
}

/// The element as an unsigned integer of the same order: NaNs are one greatest number, both zeros are one.
#[inline(always)]
fn key<T: Element>(x: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    let size = 8 * T::DTYPE.size();
    let bits = Element::to_bits(x) << (64 - size);
    if T::DTYPE.is_float() {
        #[allow(clippy::eq_op)]
        if x != x {
            return u64::MAX;
        }
        // Minus zero has the sign bit alone.
        let bits = if bits == SIGN { 0 } else { bits };
        return if bits & SIGN != 0 { !bits } else { bits | SIGN };
    }
    if T::DTYPE.is_signed() { bits ^ SIGN } else { bits }
}

fn insertion<T: Element>(row: &[T], to: &mut [i64]) {
    let mut keys = [0; SHORT];
    for (i, &x) in row.iter().enumerate() {
        let k = key(x);
        let mut at = i;
        while at > 0 && keys[at - 1] > k {
            keys[at] = keys[at - 1];
            to[at] = to[at - 1];
            at -= 1;
        }
        keys[at] = k;
        to[at] = i as i64;
    }
}

/// Keys with their positions, and as many more to move them to.
#[derive(Default)]
struct Scratch {
    narrow: [Vec<u64>; 2],
    wide: [Vec<(u64, u64)>; 2],
}

impl Scratch {
    /// Keys of 32 bits go in one word with their positions, which makes every word different.
    fn narrow<T: Element>(&mut self, row: &[T], to: &mut [i64]) {
        let [from, other] = &mut self.narrow;
        from.clear();
        from.extend(row.iter().enumerate().map(|(i, &x)| (key(x) & !u64::from(u32::MAX)) | i as u64));
        if row.len() < LONG {
            from.sort_unstable();
        } else {
            radix(from, other, 32, 64, |&word| word);
        }
        for (to, word) in to.iter_mut().zip(from) {
            *to = i64::from(*word as u32);
        }
    }

    fn wide<T: Element>(&mut self, row: &[T], to: &mut [i64]) {
        let [from, other] = &mut self.wide;
        from.clear();
        from.extend(row.iter().enumerate().map(|(i, &x)| (key(x), i as u64)));
        if row.len() < LONG {
            from.sort_unstable();
        } else {
            radix(from, other, 0, 64, |pair| pair.0);
        }
        for (to, pair) in to.iter_mut().zip(from) {
            *to = pair.1 as i64;
        }
    }
}

/// Bits of a digit: its counters stay in the first cache.
const DIGIT: u32 = 11;

/// Sorts by the bits `low..high` of the key, lowest digit first; equal keys keep their order.
fn radix<E: Copy>(from: &mut Vec<E>, other: &mut Vec<E>, low: u32, high: u32, key: impl Fn(&E) -> u64) {
    let Some(&first) = from.first() else { return };
    other.clear();
    other.resize(from.len(), first);
    let digit = |e: &E, shift: u32| (key(e) >> shift) as usize & ((1 << DIGIT) - 1);
    for shift in (low..high).step_by(DIGIT as usize) {
        let mut places = [0usize; 1 << DIGIT];
        from.iter().for_each(|e| places[digit(e, shift)] += 1);
        if places[digit(&first, shift)] == from.len() {
            continue;
        }
        let mut sum = 0;
        for place in &mut places {
            sum += std::mem::replace(place, sum);
        }
        for e in from.iter() {
            let place = &mut places[digit(e, shift)];
            other[*place] = *e;
            *place += 1;
        }
        std::mem::swap(from, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions<T: Element>(row: &[T]) -> Vec<i64> {
        let mut to = vec![0; row.len()];
        Argsort::<T>::run(&[1, row.len() as i64], &[row], &mut to);
        to
    }

    #[test]
    fn zeros_are_equal_and_nans_last() {
        let x = [0.0, f64::NAN, -0.0, f64::NEG_INFINITY, -f64::NAN, 0.0, f64::INFINITY, -5e-324, 5e-324];
        assert_eq!(positions(&x), [3, 7, 0, 2, 5, 8, 6, 1, 4]);
    }

    /// Rows of every way to sort, with many ties, against the standard library's stable sort.
    #[test]
    fn all_ways_are_stable() {
        for n in [0, 1, 2, 19, 20, 21, 100, 1023, 1024, 5000] {
            let mut state = 1u64;
            let mut next = || {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 33) as i64
            };
            let few: Vec<i64> = (0..n).map(|_| next() % 7 - 3).collect();
            let many: Vec<i64> = (0..n).map(|_| next() - (1 << 30)).collect();
            for x in [few, many] {
                let mut wanted: Vec<i64> = (0..n as i64).collect();
                wanted.sort_by_key(|&i| x[i as usize]);
                assert_eq!(positions(&x), wanted);
                assert_eq!(positions(&x.iter().map(|&x| x as f64).collect::<Vec<_>>()), wanted);
                assert_eq!(positions(&x.iter().map(|&x| x as i32).collect::<Vec<_>>()), wanted);
                let single: Vec<f32> = x.iter().map(|&x| (x >> 8) as f32).collect();
                wanted.sort();
                wanted.sort_by(|&i, &j| single[i as usize].total_cmp(&single[j as usize]));
                assert_eq!(positions(&single), wanted);
            }
        }
    }
}
