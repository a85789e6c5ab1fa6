//! `argsort`: for each row the positions of its elements in ascending order.
//!
//! Elements become unsigned integers of the same order, so that one sort serves every dtype: a stable radix sort of long
//! rows, insertion of short ones, the standard library's in between.

use crate::entry::Entry;
use crate::parts::{Parts, dtype_of, entry_of, size};
use std::marker::PhantomData;
use std::sync::Arc;
use wengert_kernel::{Buffer, DType, Element, with_element};

/// Rows up to this length are sorted by insertion.
const SHORT: usize = 20;

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
        if n <= SHORT {
            let rows = inputs[0].chunks_exact(n).zip(output.chunks_exact_mut(n));
            rows.for_each(|(row, to)| insertion(row, to));
        } else if T::DTYPE.size() <= 4 && u32::try_from(n).is_ok() {
            by_words::<T, u64, 4>(n, inputs[0], output);
        } else {
            by_words::<T, [u64; 2], 8>(n, inputs[0], output);
        }
    }
}

/// The element as an unsigned integer of the same order: NaNs are one greatest number, both zeros are one.
#[inline(always)]
fn key<T: Element>(x: T) -> u64 {
    const SIGN: u64 = 1 << 63;
    let (float, signed) = const { (T::DTYPE.is_float(), T::DTYPE.is_signed()) };
    let bits = Element::to_bits(x) << const { 64 - 8 * T::DTYPE.size() };
    if float {
        // Minus zero has the sign bit alone.
        let bits = if bits == SIGN { 0 } else { bits };
        // All bits of a negative number are turned, of others the sign.
        let ordered = bits ^ (((bits as i64 >> 63) as u64) | SIGN);
        #[allow(clippy::eq_op)]
        return if x != x { u64::MAX } else { ordered };
    }
    if signed { bits ^ SIGN } else { bits }
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

/// An element's key with its position. Every word of a row is different.
trait Word: Copy + Ord {
    /// Words in the buffers below are made of so many `u64`.
    const SIZE: usize;
    /// From this length on counting digits pays.
    const LONG: usize;

    fn new(key: u64, position: usize) -> Self;
    fn digit(self, number: usize) -> usize;
    fn position(self) -> i64;
    /// The numbers as words.
    fn of(numbers: &mut [u64]) -> &mut [Self];
}

/// A key of 32 bits above its position.
impl Word for u64 {
    const SIZE: usize = 1;
    const LONG: usize = 1 << 10;

    #[inline(always)]
    fn new(key: u64, position: usize) -> u64 {
        (key & !u64::from(u32::MAX)) | position as u64
    }

    #[inline(always)]
    fn digit(self, number: usize) -> usize {
        (self >> (32 + 8 * number)) as usize & 0xff
    }

    #[inline(always)]
    fn position(self) -> i64 {
        i64::from(self as u32)
    }

    fn of(numbers: &mut [u64]) -> &mut [u64] {
        numbers
    }
}

/// A key of 64 bits before its position.
impl Word for [u64; 2] {
    const SIZE: usize = 2;
    const LONG: usize = 1 << 12;

    #[inline(always)]
    fn new(key: u64, position: usize) -> [u64; 2] {
        [key, position as u64]
    }

    #[inline(always)]
    fn digit(self, number: usize) -> usize {
        (self[0] >> (8 * number)) as usize & 0xff
    }

    #[inline(always)]
    fn position(self) -> i64 {
        self[1] as i64
    }

    fn of(numbers: &mut [u64]) -> &mut [[u64; 2]] {
        numbers.as_chunks_mut().0
    }
}

/// Sorts rows of `n` elements by way of words.
fn by_words<T: Element, W: Word, const DIGITS: usize>(n: usize, x: &[T], output: &mut [i64]) {
    let [mut near, mut far] = [n, if n < W::LONG { 0 } else { n }].map(|n| {
        let room = n.checked_mul(W::SIZE).and_then(|n| Buffer::try_shared_scratch(DType::U64, n));
        room.expect("memory to sort in").0
    });
    let words = |of| Arc::get_mut(of).and_then(|of: &mut Buffer| of.as_mut_slice()).expect("our own numbers");
    let (near, far) = (W::of(words(&mut near)), W::of(words(&mut far)));
    for (row, to) in x.chunks_exact(n).zip(output.chunks_exact_mut(n)) {
        let words = row.iter().enumerate().map(|(i, &x)| W::new(key(x), i));
        if n < W::LONG {
            near.iter_mut().zip(words).for_each(|(near, word)| *near = word);
            near.sort_unstable();
            to.iter_mut().zip(&*near).for_each(|(to, word)| *to = word.position());
        } else {
            radix::<W, DIGITS>(words, near, far, to);
        }
    }
}

/// Stable, by one byte of the keys after the other from the lowest, those left out that all have in common; the last one puts the
/// positions in their places. Bytes of all words are counted at once, while the words are made.
fn radix<'a, W: Word, const DIGITS: usize>(
    words: impl Iterator<Item = W>,
    mut from: &'a mut [W],
    mut other: &'a mut [W],
    to: &mut [i64],
) {
    let mut counts = [[0; 256]; DIGITS];
    for (at, word) in from.iter_mut().zip(words) {
        for (number, counts) in counts.iter_mut().enumerate() {
            counts[word.digit(number)] += 1;
        }
        *at = word;
    }
    let mut digits = [0; DIGITS];
    let mut different = 0;
    for (number, counts) in counts.iter().enumerate() {
        if counts[from[0].digit(number)] < from.len() {
            digits[different] = number;
            different += 1;
        }
    }
    let Some((&last, earlier)) = digits[..different].split_last() else {
        return to.iter_mut().zip(0..).for_each(|(to, i)| *to = i);
    };
    for &number in earlier {
        // SAFETY: the digits of all words were counted, and moving words changes no count.
        unsafe { scatter(from, number, &counts[number], other, |word| word) };
        std::mem::swap(&mut from, &mut other);
    }
    // SAFETY: the same.
    unsafe { scatter(from, last, &counts[last], to, W::position) };
}

/// Writes words in the order of a digit of theirs.
///
/// # Safety
/// Of the words `counts[d]` have the digit `d`.
#[inline(always)]
unsafe fn scatter<W: Word, R>(from: &[W], digit: usize, counts: &[usize; 256], to: &mut [R], result: impl Fn(W) -> R) {
    let mut places = *counts;
    let mut sum = 0;
    for place in &mut places {
        sum += std::mem::replace(place, sum);
    }
    assert!(sum == from.len() && sum == to.len());
    for &word in from {
        let place = &mut places[word.digit(digit)];
        // A check here would cost a fifth of the time.
        debug_assert!(*place < to.len());
        // SAFETY: each digit's places end where the next one's begin, the last at the end of `to`.
        unsafe { to.as_mut_ptr().add(*place).write(result(word)) };
        *place += 1;
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

    #[test]
    fn equal_elements_and_single_different_ones_stay_in_order() {
        for n in [1024, 4096, 5000] {
            assert_eq!(positions(&vec![f32::NAN; n]), (0..n as i64).collect::<Vec<_>>());
            assert_eq!(positions(&vec![-7i64; n]), (0..n as i64).collect::<Vec<_>>());
            let mut x = vec![0.5f64; n];
            x[n - 1] = -f64::INFINITY;
            x[3] = f64::NAN;
            x[5] = 0.5f64.next_up();
            let last = n as i64 - 1;
            let others = (0..last).filter(|i| ![3, 5].contains(i));
            let wanted: Vec<i64> = [last].into_iter().chain(others).chain([5, 3]).collect();
            assert_eq!(positions(&x), wanted);
            let x: Vec<f32> = x.iter().map(|&x| if x > 0.5 { 0.75 } else { x as f32 }).collect();
            assert_eq!(positions(&x), wanted);
        }
    }

    /// Rows of every way to sort, with many ties, against the standard library's stable sort.
    #[test]
    fn all_ways_are_stable() {
        for n in [0, 1, 2, 19, 20, 21, 100, 1023, 1024, 1025, 4095, 4096, 5000] {
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
