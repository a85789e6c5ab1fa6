//! Threefry-2x32 with 20 rounds: a keyed permutation of 64 bits, from which random numbers are made by counting.
//!
//! J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

/// By how far the second word is rotated in each round.
const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];

/// The image of `counter` under `key`. The upper half of each number is the first of its two words.
///
/// ```
/// // The test vector of the authors.
/// assert_eq!(wengert_kernel::threefry(0, 0), 0x6b20_0159_99ba_4efe);
/// ```
#[inline(always)]
pub fn threefry(key: u64, counter: u64) -> u64 {
    let (k0, k1) = ((key >> 32) as u32, key as u32);
    let keys = [k0, k1, k0 ^ k1 ^ 0x1bd1_1bda];
    let mut x = ((counter >> 32) as u32).wrapping_add(keys[0]);
    let mut y = (counter as u32).wrapping_add(keys[1]);
    for group in 0..5 {
        for by in ROTATIONS[group % 2] {
            x = x.wrapping_add(y);
            y = y.rotate_left(by) ^ x;
        }
        x = x.wrapping_add(keys[(group + 1) % 3]);
        y = y.wrapping_add(keys[(group + 2) % 3]).wrapping_add(group as u32 + 1);
    }
    (x as u64) << 32 | y as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_authors_test_vectors() {
        assert_eq!(threefry(u64::MAX, u64::MAX), 0x1cb9_96fc_bb00_2be7);
        assert_eq!(threefry(0x1319_8a2e_0370_7344, 0x243f_6a88_85a3_08d3), 0xc492_3a9c_483d_f7a0);
    }
}
