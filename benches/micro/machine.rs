//! What the machine takes at the least: the same memory gone over by hand, or as many scalar operations as it does in registers.
//!
//! A case says what it cannot do without ([`Bound`]); its time is that of a loop in Rust, compiled for the vectors of this processor, over as many
//! bytes in the same level of the caches, or that of its arithmetic at the rate of a loop in registers, whichever is more.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

/// What a case cannot do without.
#[derive(Clone, Copy)]
pub struct Bound {
    way: Way,
    /// Bytes of the operand.
    bytes: usize,
    /// Scalar operations; a fused multiplication and addition is two.
    operations: f64,
    /// Bytes of an element.
    width: usize,
}

/// How memory is gone over.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    /// Every element is read.
    Read,
    /// Every element is read and written elsewhere.
    Copy,
    /// Every element is read and written where it is.
    Update,
}

impl Bound {
    /// Reads `n` elements of `width` bytes.
    pub fn read(n: usize, width: usize) -> Bound {
        Bound { way: Way::Read, bytes: n * width, operations: 0.0, width }
    }

    /// Reads them and writes as many elsewhere.
    pub fn copy(n: usize, width: usize) -> Bound {
        Bound { way: Way::Copy, ..Bound::read(n, width) }
    }

    /// Reads them and writes them in place.
    pub fn update(n: usize, width: usize) -> Bound {
        Bound { way: Way::Update, ..Bound::read(n, width) }
    }

    /// With so many additions and multiplications.
    pub fn computing(self, operations: f64) -> Bound {
        Bound { operations, ..self }
    }
}

/// Times of loops by hand that were measured already.
#[derive(Default)]
pub struct Machine {
    memory: HashMap<(Way, usize), f64>,
    /// Seconds of an operation, by the width of its elements.
    operation: HashMap<usize, f64>,
}

impl Machine {
    /// Seconds that a case takes at the least.
    pub fn least(&mut self, bound: Bound, budget: Duration) -> f64 {
        let memory =
            *self.memory.entry((bound.way, bound.bytes)).or_insert_with(|| memory(bound.way, bound.bytes, budget));
        if bound.operations == 0.0 {
            return memory;
        }
        let operation = *self.operation.entry(bound.width).or_insert_with(|| operation(bound.width, budget));
        memory.max(bound.operations * operation)
    }
}

/// The best of the samples: nothing but the machine is asked about.
fn best(mut call: impl FnMut(), budget: Duration) -> f64 {
    crate::sample(&mut call, budget).into_iter().fold(f64::INFINITY, f64::min)
}

fn memory(way: Way, bytes: usize, budget: Duration) -> f64 {
    let n = bytes.div_ceil(size_of::<f32>());
    let mut x = vec![1.0f32; n];
    match way {
        Way::Read => best(|| _ = black_box(with_vectors(|x, _| sum(x), &mut x, &mut [])), budget),
        Way::Update => best(|| with_vectors(|x, _| update(x), black_box(&mut x), &mut []), budget),
        Way::Copy => {
            let mut y = vec![0.0f32; n];
            let by_hand = best(|| with_vectors(copy, black_box(&mut x), black_box(&mut y)), budget);
            // Which may go past the caches.
            by_hand.min(best(|| black_box(&mut y).copy_from_slice(black_box(&x)), budget))
        }
    }
}

/// Seconds of a scalar operation where everything is in registers.
fn operation(width: usize, budget: Duration) -> f64 {
    const ROUNDS: usize = 1000;
    let seconds = match width {
        4 => best(|| _ = black_box(with_vectors(|x, _| fused::<f32, 256>(x, ROUNDS), &mut [0.5f32], &mut [])), budget),
        _ => best(|| _ = black_box(with_vectors(|x, _| fused::<f64, 128>(x, ROUNDS), &mut [0.5f64], &mut [])), budget),
    };
    seconds / (ROUNDS * 2 * 1024 / width) as f64
}

#[inline(always)]
fn sum(x: &[f32]) -> f32 {
    let mut sums = [0.0f32; 128];
    let (chunks, rest) = x.as_chunks::<128>();
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, x)| *sum += x);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[inline(always)]
fn update(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = *x * 0.5 + 0.25);
}

#[inline(always)]
fn copy(x: &mut [f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = *x * 0.5 + 0.25);
}

/// A float with a fused multiplication and addition.
trait Fused: Copy {
    fn fused(self, factor: Self, summand: Self) -> Self;
}

impl Fused for f32 {
    #[inline(always)]
    fn fused(self, factor: f32, summand: f32) -> f32 {
        self.mul_add(factor, summand)
    }
}

impl Fused for f64 {
    #[inline(always)]
    fn fused(self, factor: f64, summand: f64) -> f64 {
        self.mul_add(factor, summand)
    }
}

/// `rounds` fused operations of each of `N` numbers, which fill sixteen of the widest registers.
#[inline(always)]
fn fused<T: Fused, const N: usize>(x: &[T], rounds: usize) -> [T; N] {
    let factor = black_box(x[0]);
    let mut all = [factor; N];
    for _ in 0..rounds {
        all.iter_mut().for_each(|y| *y = y.fused(factor, factor));
    }
    all
}

/// The loop, compiled for the widest vectors that this processor has.
fn with_vectors<T, R>(f: impl Fn(&mut [T], &mut [T]) -> R, x: &mut [T], y: &mut [T]) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
        fn wide<T, R>(f: impl Fn(&mut [T], &mut [T]) -> R, x: &mut [T], y: &mut [T]) -> R {
            f(x, y)
        }
        #[target_feature(enable = "avx2,fma")]
        fn narrow<T, R>(f: impl Fn(&mut [T], &mut [T]) -> R, x: &mut [T], y: &mut [T]) -> R {
            f(x, y)
        }
        let has_fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let has_wide = has_fma && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl");
        if has_wide && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512dq") {
            // SAFETY: the processor has these instructions, as was just asked.
            return unsafe { wide(f, x, y) };
        }
        if has_fma {
            // SAFETY: likewise.
            return unsafe { narrow(f, x, y) };
        }
    }
    f(x, y)
}
