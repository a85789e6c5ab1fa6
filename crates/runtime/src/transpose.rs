//! `transpose`: rows become columns, block by block, so that every line of the cache that is fetched is used whole.

use crate::entry::Entry;
use crate::parts::{Parts, dtype_of, entry_of, size};
use crate::processor::{Level, Target, Work, run_widest};
use crate::threads::{Shared, grain, parallel};
use std::marker::PhantomData;
use wengert_kernel::{Element, f16};

pub(crate) fn entry(name: &str) -> Option<Entry> {
    // It only moves elements, so that their size is all that matters.
    Some(match dtype_of(name, "transpose")?.size() {
        1 => entry_of::<Transpose<u8>>(),
        2 => entry_of::<Transpose<f16>>(),
        4 => entry_of::<Transpose<u32>>(),
        _ => entry_of::<Transpose<u64>>(),
    })
}

/// Elements of which small matrices are turned in registers.
trait Turned: Element {
    /// Writes `y[j * to + i] = x[i * from + j]` for `i` and `j` below [`BLOCK`].
    ///
    /// # Safety
    /// `x` and `y` are good for as many rows of as many elements, and the processor is what `P` says.
    unsafe fn turn<P: Target>(x: *const Self, from: usize, y: *mut Self, to: usize);
}

/// Does a block tile by tile, of `side` rows and columns.
#[inline(always)]
fn tiles(side: usize, mut turn: impl FnMut(usize, usize)) {
    for j in (0..BLOCK).step_by(side) {
        for i in (0..BLOCK).step_by(side) {
            turn(i, j);
        }
    }
}

macro_rules! turned {
    ($t:ident $(, $level:ident: $vectors:ident of $side:literal)*) => {
        impl Turned for $t {
            #[inline(always)]
            unsafe fn turn<P: Target>(x: *const $t, from: usize, y: *mut $t, to: usize) {
                $(
                    #[cfg(target_arch = "x86_64")]
                    if P::LEVEL >= Level::$level {
                        return tiles($side, |i, j| {
                            // SAFETY: a part of the block that the caller vouches for; the processor has the vectors.
                            unsafe { x86::$vectors(x.add(i * from + j).cast(), from, y.add(j * to + i).cast(), to) }
                        });
                    }
                )*
                // SAFETY: the caller vouches for the rows.
                tiles(1, |i, j| unsafe { y.add(j * to + i).write(x.add(i * from + j).read()) })
            }
        }
    };
}

turned!(u8);
turned!(f16);
turned!(u32, Avx512: turn_16x32 of 16, Avx2: turn_8x32 of 8);
turned!(u64, Avx512: turn_8x64 of 8, Avx2: turn_4x64 of 4);

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::BLOCK;
    use std::arch::x86_64::*;
    use std::array::from_fn;

    /// Fetches a row of a block.
    #[inline(always)]
    pub(super) fn expect_read<T>(row: *const T) {
        for at in (0..BLOCK * size_of::<T>()).step_by(64) {
            // SAFETY: any address may be fetched.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(row.cast::<i8>().wrapping_add(at)) };
        }
    }

    /// Fetches a row of a block that is to be written.
    #[inline(always)]
    pub(super) fn expect_write<T>(row: *const T) {
        for at in (0..BLOCK * size_of::<T>()).step_by(64) {
            // SAFETY: any address may be fetched.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(row.cast::<i8>().wrapping_add(at)) };
        }
    }

    /// Eight rows of eight: pairs of rows are interleaved, then pairs of pairs, then halves change places.
    ///
    /// # Safety
    /// `x` and `y` are good for as many rows of as many elements.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) unsafe fn turn_8x32(x: *const f32, from: usize, y: *mut f32, to: usize) {
        // SAFETY: the caller vouches for the rows.
        let row: [__m256; 8] = from_fn(|k| unsafe { _mm256_loadu_ps(x.add(k * from)) });
        let low: [__m256; 4] = from_fn(|k| _mm256_unpacklo_ps(row[2 * k], row[2 * k + 1]));
        let high: [__m256; 4] = from_fn(|k| _mm256_unpackhi_ps(row[2 * k], row[2 * k + 1]));
        for half in 0..2 {
            let of = if half == 0 { low } else { high };
            let left: [__m256; 2] = from_fn(|k| _mm256_shuffle_ps::<0x44>(of[2 * k], of[2 * k + 1]));
            let right: [__m256; 2] = from_fn(|k| _mm256_shuffle_ps::<0xee>(of[2 * k], of[2 * k + 1]));
            for (k, pair) in [left, right].into_iter().enumerate() {
                let column = 2 * half + k;
                let [near, far] = [
                    _mm256_permute2f128_ps::<0x20>(pair[0], pair[1]),
                    _mm256_permute2f128_ps::<0x31>(pair[0], pair[1]),
                ];
                // SAFETY: the caller vouches for the rows.
                unsafe {
                    _mm256_storeu_ps(y.add(column * to), near);
                    _mm256_storeu_ps(y.add((column + 4) * to), far);
                }
            }
        }
    }

    /// Four rows of four, likewise.
    ///
    /// # Safety
    /// `x` and `y` are good for as many rows of as many elements.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) unsafe fn turn_4x64(x: *const f64, from: usize, y: *mut f64, to: usize) {
        // SAFETY: the caller vouches for the rows.
        let row: [__m256d; 4] = from_fn(|k| unsafe { _mm256_loadu_pd(x.add(k * from)) });
        let low: [__m256d; 2] = from_fn(|k| _mm256_unpacklo_pd(row[2 * k], row[2 * k + 1]));
        let high: [__m256d; 2] = from_fn(|k| _mm256_unpackhi_pd(row[2 * k], row[2 * k + 1]));
        for (k, pair) in [low, high].into_iter().enumerate() {
            // SAFETY: the caller vouches for the rows.
            unsafe {
                _mm256_storeu_pd(y.add(k * to), _mm256_permute2f128_pd::<0x20>(pair[0], pair[1]));
                _mm256_storeu_pd(y.add((k + 2) * to), _mm256_permute2f128_pd::<0x31>(pair[0], pair[1]));
            }
        }
    }

    /// Sixteen rows of sixteen: within quarters of rows four by four, then quarters change places. A row is a line of the
    /// cache, so each is read once and written once.
    ///
    /// # Safety
    /// `x` and `y` are good for as many rows of as many elements.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) unsafe fn turn_16x32(x: *const f32, from: usize, y: *mut f32, to: usize) {
        // By four rows: what is in their columns 0, 1, 2, 3 of each quarter.
        let fours: [[__m512; 4]; 4] = from_fn(|k| {
            // SAFETY: the caller vouches for the rows.
            let row: [__m512; 4] = from_fn(|i| unsafe { _mm512_loadu_ps(x.add((4 * k + i) * from)) });
            let low: [__m512; 2] = from_fn(|k| _mm512_unpacklo_ps(row[2 * k], row[2 * k + 1]));
            let high: [__m512; 2] = from_fn(|k| _mm512_unpackhi_ps(row[2 * k], row[2 * k + 1]));
            [
                _mm512_shuffle_ps::<0x44>(low[0], low[1]),
                _mm512_shuffle_ps::<0xee>(low[0], low[1]),
                _mm512_shuffle_ps::<0x44>(high[0], high[1]),
                _mm512_shuffle_ps::<0xee>(high[0], high[1]),
            ]
        });
        let by_column: [[__m512d; 4]; 4] = from_fn(|column| from_fn(|k| _mm512_castps_pd(fours[k][column])));
        for (column, of) in by_column.into_iter().enumerate() {
            for (quarter, of) in quarters(of).into_iter().enumerate() {
                // SAFETY: the caller vouches for the rows.
                unsafe { _mm512_storeu_ps(y.add((4 * quarter + column) * to), _mm512_castpd_ps(of)) };
            }
        }
    }

    /// Eight rows of eight, likewise.
    ///
    /// # Safety
    /// `x` and `y` are good for as many rows of as many elements.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) unsafe fn turn_8x64(x: *const f64, from: usize, y: *mut f64, to: usize) {
        // SAFETY: the caller vouches for the rows.
        let row: [__m512d; 8] = from_fn(|k| unsafe { _mm512_loadu_pd(x.add(k * from)) });
        let low: [__m512d; 4] = from_fn(|k| _mm512_unpacklo_pd(row[2 * k], row[2 * k + 1]));
        let high: [__m512d; 4] = from_fn(|k| _mm512_unpackhi_pd(row[2 * k], row[2 * k + 1]));
        for (column, pairs) in [low, high].into_iter().enumerate() {
            for (quarter, of) in quarters(pairs).into_iter().enumerate() {
                // SAFETY: the caller vouches for the rows.
                unsafe { _mm512_storeu_pd(y.add((2 * quarter + column) * to), of) };
            }
        }
    }

    /// The quarters of four vectors, turned as four rows of four.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn quarters(row: [__m512d; 4]) -> [__m512d; 4] {
        let even: [__m512d; 2] = from_fn(|k| _mm512_shuffle_f64x2::<0x88>(row[2 * k], row[2 * k + 1]));
        let odd: [__m512d; 2] = from_fn(|k| _mm512_shuffle_f64x2::<0xdd>(row[2 * k], row[2 * k + 1]));
        [
            _mm512_shuffle_f64x2::<0x88>(even[0], even[1]),
            _mm512_shuffle_f64x2::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_f64x2::<0xdd>(even[0], even[1]),
            _mm512_shuffle_f64x2::<0xdd>(odd[0], odd[1]),
        ]
    }
}

struct Transpose<T>(PhantomData<T>);

impl<T: Turned> Parts for Transpose<T> {
    const INTS: usize = 4;
    const EACH: f64 = 0.0;
    type Input = T;
    type Output = T;

    fn extents(ints: &[i64]) -> Option<(Vec<usize>, usize)> {
        let [m, n, from, to] = [size(ints[0])?, size(ints[1])?, size(ints[2])?, size(ints[3])?];
        let span = |rows: usize, step: usize, columns: usize| {
            if rows * columns == 0 { Some(0) } else { (rows - 1).checked_mul(step)?.checked_add(columns) }
        };
        m.checked_mul(n)?;
        Some((vec![span(m, from, n)?], span(n, to, m)?))
    }

    fn run(ints: &[i64], inputs: &[&[T]], output: &mut [T]) {
        let [m, n, from, to] = [0, 1, 2, 3].map(|k| ints[k] as usize);
        if m * n == 0 {
            return;
        }
        let far = m * n * size_of::<T>() > FAR;
        let output = Shared::new(output);
        parallel(n.div_ceil(PART), grain((PART * m) as f64), &|range| {
            let (first, end) = (range.start * PART, n.min(range.end * PART));
            // SAFETY: rows of the result, which are `to` elements apart, belong to one range.
            let y = unsafe { output.range(first * to..(end - 1) * to + m) };
            run_widest(Blocks { m, n: end - first, x: &inputs[0][first..], from, y, to, far });
        });
    }
}

/// `m` rows of `n` elements, `from` elements apart in `x`, become `n` rows that are `to` elements apart in `y`.
struct Blocks<'a, T> {
    m: usize,
    n: usize,
    x: &'a [T],
    from: usize,
    y: &'a mut [T],
    to: usize,
    far: bool,
}

/// Rows and columns of a block: the lines of the cache that it touches are used whole while they are near.
const BLOCK: usize = 16;

/// Bytes from which on a matrix is not in a near cache, and the next block is fetched beforehand: its rows are too far apart
/// for the processor to guess.
const FAR: usize = 1 << 22;

/// Rows and columns of a part, whose pages are all known to the processor at a time.
const PART: usize = 128;

impl<T: Turned> Work for Blocks<'_, T> {
    #[inline(always)]
    fn run<P: Target>(mut self) {
        let (m, n) = (self.m - self.m % BLOCK, self.n - self.n % BLOCK);
        for i in (0..m).step_by(PART) {
            for j in (0..n).step_by(PART) {
                for i in (i..m.min(i + PART)).step_by(BLOCK) {
                    for j in (j..n.min(j + PART)).step_by(BLOCK) {
                        self.block::<P>(i, j);
                    }
                }
            }
        }
        self.rest(0..m, n..self.n);
        self.rest(m..self.m, 0..self.n);
    }
}

impl<T: Turned> Blocks<'_, T> {
    #[inline(always)]
    fn block<P: Target>(&mut self, i: usize, j: usize) {
        let (x, y) = (&self.x[i * self.from + j..], &mut self.y[j * self.to + i..]);
        assert!(x.len() >= (BLOCK - 1) * self.from + BLOCK && y.len() >= (BLOCK - 1) * self.to + BLOCK);
        #[cfg(target_arch = "x86_64")]
        if self.far {
            for k in 0..BLOCK {
                x86::expect_read(x.as_ptr().wrapping_add(k * self.from + BLOCK));
                x86::expect_write(y.as_ptr().wrapping_add((k + BLOCK) * self.to));
            }
        }
        // SAFETY: both have that many rows.
        unsafe { T::turn::<P>(x.as_ptr(), self.from, y.as_mut_ptr(), self.to) };
    }

    fn rest(&mut self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) {
        for i in rows {
            for j in columns.clone() {
                self.y[j * self.to + i] = self.x[i * self.from + j];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::run_at;

    /// Turns a matrix of numbers with the vectors of a level, and looks at every element.
    fn turned_at<T: Turned>(level: Level, (m, n): (usize, usize), far: bool) {
        let (from, to) = (n + 3, m + 2);
        let number = |i: usize| T::from_bits(i as u64 & (u64::MAX >> (64 - 8 * size_of::<T>())));
        let x: Vec<T> = (0..m * from + 3).map(number).collect();
        let mut y = vec![number(usize::MAX); n * to];
        run_at(level, Blocks { m, n, x: &x, from, y: &mut y, to, far });
        for j in 0..n {
            for i in 0..to {
                let want = if i < m { x[i * from + j] } else { number(usize::MAX) };
                assert_eq!(y[j * to + i].to_bits(), want.to_bits(), "{level:?}, {m} x {n} at {i}, {j}");
            }
        }
    }

    #[test]
    fn rows_become_columns_and_what_is_between_them_stays() {
        let levels = [Level::Baseline, Level::Avx2, Level::Avx512].into_iter();
        for level in levels.filter(|&level| level <= Level::of_processor()) {
            for shape in [(1, 1), (7, 9), (8, 8), (16, 16), (33, 40), (100, 3), (70, 65), (150, 140)] {
                for far in [false, true] {
                    turned_at::<u8>(level, shape, far);
                    turned_at::<f16>(level, shape, far);
                    turned_at::<u32>(level, shape, far);
                    turned_at::<u64>(level, shape, far);
                }
            }
        }
    }

    #[test]
    fn parts_of_a_large_matrix_make_the_whole() {
        for (m, n) in [(0, 5), (5, 0), (1, 1), (300, 280), (1030, 1025)] {
            let x: Vec<u64> = (0..m * n).map(|i| i as u64).collect();
            let mut y = vec![0; n * m];
            let ints = [m, n, n, m].map(|n| n as i64);
            assert_eq!(Transpose::<u64>::extents(&ints), Some((vec![m * n], n * m)));
            Transpose::<u64>::run(&ints, &[&x], &mut y);
            for (at, &found) in y.iter().enumerate() {
                assert_eq!(found as usize, at % m * n + at / m, "{m} x {n} at {at}");
            }
        }
    }

    #[test]
    fn spans_that_fit_nowhere_are_refused() {
        assert!(Transpose::<u8>::extents(&[i64::MAX, 2, 3, 1]).is_none());
        assert!(Transpose::<u8>::extents(&[2, 2, -1, 1]).is_none());
    }
}
