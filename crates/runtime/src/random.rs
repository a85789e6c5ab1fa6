//! Tiles of `Threefry`: the words of several numbers in each vector, and several vectors at a time, since each of the twenty rounds
//! waits for the one before it.

use crate::processor::Level;
use crate::vector::Tile2;
use wengert_kernel::threefry;

/// The entries of `Threefry` for this processor.
pub(crate) fn entries() -> (Tile2, *const u8) {
    (tile(Level::of_processor()), scalar as *const u8)
}

fn tile(level: Level) -> Tile2 {
    match level {
        Level::Baseline => baseline,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::tile,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => avx512::tile,
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("a level of another architecture"),
    }
}

extern "C" fn scalar(key: u64, counter: u64) -> u64 {
    threefry(key, counter)
}

unsafe extern "C" fn baseline(n: usize, x: *const u8, y: *const u8, z: *mut u8) {
    // SAFETY: the contract of `Tile2`; local arrays are whole.
    unsafe {
        over::<32>(n, x, y, z, |keys, counters, to| {
            let (keys, counters) =
                (keys.cast::<[u64; 32]>().read_unaligned(), counters.cast::<[u64; 32]>().read_unaligned());
            let mut results = counters;
            for (result, key) in results.iter_mut().zip(keys) {
                *result = threefry(key, *result);
            }
            to.cast::<[u64; 32]>().write_unaligned(results);
        });
    }
}

/// Calls `chunk` for every `N` numbers, which it reads before it writes; the last ones stand in arrays of that length.
///
/// # Safety
/// As [`Tile2`].
#[inline(always)]
unsafe fn over<const N: usize>(
    n: usize,
    keys: *const u8,
    counters: *const u8,
    to: *mut u8,
    chunk: impl Fn(*const u8, *const u8, *mut u8),
) {
    let whole = n - n % N;
    for i in (0..whole).step_by(N) {
        // SAFETY: all three have `N` elements from there on.
        unsafe { chunk(keys.add(8 * i), counters.add(8 * i), to.add(8 * i)) };
    }
    if whole < n {
        let (mut x, mut y, rest) = ([0u64; N], [0u64; N], 8 * (n - whole));
        // SAFETY: `rest` bytes are left; the local arrays are longer.
        unsafe {
            keys.add(8 * whole).copy_to_nonoverlapping(x.as_mut_ptr().cast(), rest);
            counters.add(8 * whole).copy_to_nonoverlapping(y.as_mut_ptr().cast(), rest);
            chunk(x.as_ptr().cast(), y.as_ptr().cast(), y.as_mut_ptr().cast());
            y.as_ptr().cast::<u8>().copy_to_nonoverlapping(to.add(8 * whole), rest);
        }
    }
}

/// Vectors at a time: as many chains of rounds keep the processor busy.
#[cfg(target_arch = "x86_64")]
const GROUPS: usize = 4;

/// The tile with vectors of one width. What it needs of them is named beside it.
#[cfg(target_arch = "x86_64")]
macro_rules! tile_of_vectors {
    ($vector:ident, $features:literal, $load:ident $store:ident $splat:ident $add:ident $xor:ident $low:ident $high:ident
     $shuffle:ident $to_floats:ident $to_words:ident $floats:ident) => {
        const WORDS: usize = size_of::<$vector>() / 4;
        type Groups = [$vector; GROUPS];

        #[target_feature(enable = $features)]
        pub(super) unsafe extern "C" fn tile(n: usize, x: *const u8, y: *const u8, z: *mut u8) {
            // SAFETY: the contract of `Tile2`; the processor has the vectors.
            unsafe { over::<{ GROUPS * WORDS }>(n, x, y, z, |x, y, z| chunk(x.cast(), y.cast(), z.cast())) };
        }

        /// # Safety
        /// All three are good for the words of that many groups.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn chunk(keys: *const $vector, counters: *const $vector, to: *mut $vector) {
            // SAFETY: the caller vouches for them.
            let ([k1, k0], [mut y, mut x]) = unsafe { (halves(keys), halves(counters)) };
            let parity = $splat(0x1bd1_1bda);
            let keys: [Groups; 3] = [k0, k1, from_fn(|g| $xor($xor(k0[g], k1[g]), parity))];
            for g in 0..GROUPS {
                x[g] = $add(x[g], keys[0][g]);
                y[g] = $add(y[g], keys[1][g]);
            }
            for group in 0..5 {
                if group % 2 == 0 {
                    round::<13, 19>(&mut x, &mut y);
                    round::<15, 17>(&mut x, &mut y);
                    round::<26, 6>(&mut x, &mut y);
                    round::<6, 26>(&mut x, &mut y);
                } else {
                    round::<17, 15>(&mut x, &mut y);
                    round::<29, 3>(&mut x, &mut y);
                    round::<16, 16>(&mut x, &mut y);
                    round::<24, 8>(&mut x, &mut y);
                }
                let number = $splat(group as i32 + 1);
                for g in 0..GROUPS {
                    x[g] = $add(x[g], keys[(group + 1) % 3][g]);
                    y[g] = $add(y[g], $add(keys[(group + 2) % 3][g], number));
                }
            }
            for g in 0..GROUPS {
                // SAFETY: the caller vouches for it.
                unsafe {
                    $store(to.add(2 * g).cast(), $low(y[g], x[g]));
                    $store(to.add(2 * g + 1).cast(), $high(y[g], x[g]));
                }
            }
        }

        /// The lower and the upper words of numbers, in the order that interleaving them undoes.
        ///
        /// # Safety
        /// `from` is good for the words of that many groups.
        #[target_feature(enable = $features)]
        #[inline]
        unsafe fn halves(from: *const $vector) -> [Groups; 2] {
            // SAFETY: the caller vouches for it.
            let load = |k| unsafe { $to_floats($load(from.add(k).cast())) };
            let pairs: [[$floats; 2]; GROUPS] = from_fn(|g| [load(2 * g), load(2 * g + 1)]);
            [
                pairs.map(|[a, b]| $to_words($shuffle::<0x88>(a, b))),
                pairs.map(|[a, b]| $to_words($shuffle::<0xdd>(a, b))),
            ]
        }

        #[target_feature(enable = $features)]
        #[inline]
        fn round<const LEFT: i32, const RIGHT: i32>(x: &mut Groups, y: &mut Groups) {
            for g in 0..GROUPS {
                x[g] = $add(x[g], y[g]);
                y[g] = $xor(rotate::<LEFT, RIGHT>(y[g]), x[g]);
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{GROUPS, over};
    use std::arch::x86_64::*;
    use std::array::from_fn;

    tile_of_vectors!(__m256i, "avx2", _mm256_loadu_si256 _mm256_storeu_si256 _mm256_set1_epi32 _mm256_add_epi32 _mm256_xor_si256
        _mm256_unpacklo_epi32 _mm256_unpackhi_epi32 _mm256_shuffle_ps _mm256_castsi256_ps _mm256_castps_si256 __m256);

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const LEFT: i32, const RIGHT: i32>(x: __m256i) -> __m256i {
        _mm256_or_si256(_mm256_slli_epi32::<LEFT>(x), _mm256_srli_epi32::<RIGHT>(x))
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use super::{GROUPS, over};
    use std::arch::x86_64::*;
    use std::array::from_fn;

    tile_of_vectors!(__m512i, "avx512f", _mm512_loadu_si512 _mm512_storeu_si512 _mm512_set1_epi32 _mm512_add_epi32 _mm512_xor_si512
        _mm512_unpacklo_epi32 _mm512_unpackhi_epi32 _mm512_shuffle_ps _mm512_castsi512_ps _mm512_castps_si512 __m512);

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn rotate<const LEFT: i32, const RIGHT: i32>(x: __m512i) -> __m512i {
        _mm512_rol_epi32::<LEFT>(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_levels_give_the_same_bits() {
        for n in 0..140u64 {
            let keys: Vec<u64> = (0..n).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            let counters: Vec<u64> = (0..n).map(|i| i << 29 | 5).collect();
            let want: Vec<u64> = keys.iter().zip(&counters).map(|(&k, &c)| threefry(k, c)).collect();
            for level in [Level::Baseline, Level::Avx2, Level::Avx512] {
                if level > Level::of_processor() {
                    continue;
                }
                let (mut z, mut w) = (counters.clone(), keys.clone());
                // SAFETY: all have that many elements, and the processor can.
                unsafe {
                    tile(level)(z.len(), keys.as_ptr().cast(), z.as_ptr().cast(), z.as_mut_ptr().cast());
                    tile(level)(w.len(), w.as_ptr().cast(), counters.as_ptr().cast(), w.as_mut_ptr().cast());
                }
                assert_eq!(z, want, "{level:?}");
                assert_eq!(w, want, "{level:?}");
            }
        }
    }
}
