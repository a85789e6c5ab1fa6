//! The kinds of vectors that kernels are made of.

use wengert_kernel::{DType, ScalarOp};

/// Vectors of a processor, the narrower first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// 16 registers of 256 bits; a `bool` is a lane of all ones or zeros.
    Avx2,
    /// 32 registers of 512 bits; a `bool` is a bit of a mask register.
    Avx512,
}

impl Level {
    /// The widest of vectors of so many bits that are no wider than a processor's.
    pub fn within(self, bits: u32) -> Option<Level> {
        [Level::Avx512, Level::Avx2].into_iter().find(|&level| level <= self && 8 * level.bytes() as u32 <= bits)
    }

    /// Bytes of a vector.
    pub fn bytes(self) -> usize {
        match self {
            Level::Avx2 => 32,
            Level::Avx512 => 64,
        }
    }

    /// Reductions that one kernel may carry: their accumulators are in registers.
    pub fn most_folds(self) -> usize {
        match self {
            Level::Avx2 => 2,
            Level::Avx512 => 6,
        }
    }

    /// Whether vectors do the operation; `of` is the dtype of the last operand.
    #[cfg(target_arch = "x86_64")]
    pub fn supports(self, op: ScalarOp, of: DType, out: DType) -> bool {
        super::has_vectors(of)
            && super::has_vectors(out)
            && super::avx512::supports(op, of)
            && (self == Level::Avx512 || super::avx2::supports(op, of))
    }

    /// Whether vectors do the operation.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn supports(self, _: ScalarOp, _: DType, _: DType) -> bool {
        false
    }
}
