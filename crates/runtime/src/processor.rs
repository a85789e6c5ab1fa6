//! What vectors the processor has, and work compiled for each kind of them.

use std::sync::OnceLock;

/// The instruction sets that code is compiled for; a processor that has one has those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// What every processor of the architecture has.
    Baseline,
    /// x86-64 with AVX2 and FMA: 256-bit vectors.
    Avx2,
    /// x86-64 with the AVX-512 of every server processor since Skylake: 512-bit vectors, twice the registers.
    Avx512,
}

impl Level {
    /// The best that this processor has; asked once.
    #[inline]
    pub(crate) fn of_processor() -> Level {
        static LEVEL: OnceLock<Level> = OnceLock::new();
        *LEVEL.get_or_init(Level::detect)
    }

    fn detect() -> Level {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 =
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            if avx2 {
                return if avx512 { Level::Avx512 } else { Level::Avx2 };
            }
        }
        Level::Baseline
    }
}

/// What a piece of work may assume of the processor it is compiled for.
pub(crate) trait Target {
    /// Its instruction set.
    const LEVEL: Level;
    /// `mul_add` is one instruction.
    const FUSED: bool;
}

struct Baseline;

impl Target for Baseline {
    const LEVEL: Level = Level::Baseline;
    const FUSED: bool = cfg!(target_arch = "aarch64");
}

#[cfg(target_arch = "x86_64")]
struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Target for Avx2 {
    const LEVEL: Level = Level::Avx2;
    const FUSED: bool = true;
}

#[cfg(target_arch = "x86_64")]
struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Target for Avx512 {
    const LEVEL: Level = Level::Avx512;
    const FUSED: bool = true;
}

/// Work whose loops gain from wide vectors. `run` must be `#[inline(always)]`: it takes on the instruction set of
/// the function that it is inlined into.
pub(crate) trait Work {
    fn run<P: Target>(self);
}

/// Runs the work with the widest vectors that the processor has. Inlined, it would make the code around it longer by all kinds of
/// vectors, and slower.
#[inline(never)]
pub(crate) fn run_widest<W: Work>(work: W) {
    run_at(Level::of_processor(), work);
}

/// Runs the work with the vectors of a level that the processor has.
#[inline(always)]
pub(crate) fn run_at<W: Work>(level: Level, work: W) {
    assert!(level <= Level::of_processor());
    match level {
        Level::Baseline => work.run::<Baseline>(),
        // SAFETY: the processor has the features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { run_avx2(work) },
        // SAFETY: the same.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { run_avx512(work) },
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("a level of another architecture"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2")]
fn run_avx2<W: Work>(work: W) {
    work.run::<Avx2>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
fn run_avx512<W: Work>(work: W) {
    work.run::<Avx512>()
}
