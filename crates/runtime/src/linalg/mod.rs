//! Decompositions of matrices and what is solved with them, over batches of dense row-major matrices.
//!
//! Small matrices go through plain loops ([`small`], [`jacobi`]), where a call of the library would cost more than the
//! work; larger ones through `faer`, one thread (`large`). Without the feature `linalg` the loops serve every size.
//! Nothing here panics or runs for ever on NaN or infinities: what has no answer is NaN.

mod eig;
mod jacobi;
mod kernels;
#[cfg(feature = "linalg")]
mod large;
mod small;

use crate::RuntimeFn;
use crate::fft::{self, Transform};
use kernels::*;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};
use std::slice;
use wengert_kernel::Element;

/// `f32` or `f64`.
#[cfg(feature = "linalg")]
pub(crate) trait Real: Number + large::Library + Transform {}
#[cfg(not(feature = "linalg"))]
pub(crate) trait Real: Number + Transform {}
impl Real for f32 {}
impl Real for f64 {}

/// What the loops ask of an element.
pub(crate) trait Number:
    Element
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
{
    const ZERO: Self;
    const ONE: Self;
    const NAN: Self;
    /// The distance from 1 to the next number.
    const EPSILON: Self;
    /// Below it numbers lose digits.
    const TINY: Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    fn is_finite(self) -> bool;
    fn of(x: f64) -> Self;
    /// The power of two with the exponent of this number, which is finite and not 0.
    fn power_of_two(self) -> Self;
}

macro_rules! numbers {
    ($($t:ident: $mantissa:literal)*) => {$(
        impl Number for $t {
            const ZERO: $t = 0.0;
            const ONE: $t = 1.0;
            const NAN: $t = $t::NAN;
            const EPSILON: $t = $t::EPSILON;
            const TINY: $t = $t::MIN_POSITIVE;
            #[inline(always)]
            fn abs(self) -> $t { self.abs() }
            #[inline(always)]
            fn sqrt(self) -> $t { self.sqrt() }
            #[inline(always)]
            fn is_finite(self) -> bool { self.is_finite() }
            #[inline(always)]
            fn of(x: f64) -> $t { x as $t }
            fn power_of_two(self) -> $t {
                // Without the bits of the mantissa; a number so small that it has none left counts as the least normal one.
                $t::from_bits(self.abs().to_bits() >> $mantissa << $mantissa).max($t::MIN_POSITIVE)
            }
        }
    )*};
}

numbers! { f32: 23 f64: 52 }

/// The part of a call that belongs to one matrix: options and lengths.
pub(crate) struct Part<'a> {
    pub(crate) options: &'a [i64],
    pub(crate) lengths: &'a [usize],
}

/// The operands for one matrix: those of floats, and that of indices.
pub(crate) struct Operands<'a, T> {
    pub(crate) real: [&'a [T]; 3],
    index: &'a [i64],
}

/// The results for one matrix. What a function has not is empty.
pub(crate) struct Results<'a, T> {
    pub(crate) real: [&'a mut [T]; 3],
    index: [&'a mut [i64]; 2],
}

impl<T: Number> Results<'_, T> {
    /// There is no answer.
    fn nan(&mut self) {
        self.real.iter_mut().for_each(|y| y.fill(T::NAN));
    }
}

/// Whether an operand or result holds indices.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Real,
    Index,
}

/// A function over matrices.
pub(crate) trait Kernel {
    /// Options before the lengths.
    const OPTIONS: usize;
    /// Operands: what they hold, and how many axes.
    const OPERANDS: &'static [(Kind, usize)];
    /// Results: floats first, as many as come at most, then indices.
    const RESULTS: &'static [Kind];

    /// Elements of each result for one matrix. A function may have fewer results than `RESULTS`.
    fn sizes(part: &Part<'_>) -> Vec<usize>;

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>);
}

/// Bytes of each operand, and of each result.
type Extents = (Vec<usize>, Vec<usize>);

/// An entry for machine code, and what it touches.
struct Entry {
    function: RuntimeFn,
    extents: fn(&[i64]) -> Extents,
}

fn entry_of<K: Kernel, T: Real>() -> Entry {
    Entry { function: enter::<K, T>, extents: extents::<K, T> }
}

fn find(name: &str) -> Option<Entry> {
    fn of<K: Kernel>(dtype: &str) -> Option<Entry> {
        match dtype {
            "f32" => Some(entry_of::<K, f32>()),
            "f64" => Some(entry_of::<K, f64>()),
            _ => None,
        }
    }
    let (function, dtype) = name.rsplit_once('_')?;
    match function {
        "cholesky" => of::<Cholesky>(dtype),
        "triangular_solve" => of::<TriangularSolve>(dtype),
        "lu" => of::<Lu>(dtype),
        "solve" => of::<Solve>(dtype),
        "qr" => of::<Qr>(dtype),
        "eigh" => of::<Eigh>(dtype),
        "svd" => of::<Svd>(dtype),
        "det" => of::<Det>(dtype),
        "cofactors" => of::<Cofactors>(dtype),
        "pinv" => of::<Pinv>(dtype),
        "eig" => of::<eig::Eig>(dtype),
        "fft" => of::<fft::Fft>(dtype),
        "rfft" => of::<fft::Rfft>(dtype),
        "irfft" => of::<fft::Irfft>(dtype),
        _ => None,
    }
}

/// The entry for machine code.
pub(crate) fn entry(name: &str) -> Option<RuntimeFn> {
    find(name).map(|entry| entry.function)
}

/// The same on slices; `false` when there is no such function.
pub(crate) fn call(name: &str, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool {
    let Some(entry) = find(name) else { return false };
    let (read, written) = (entry.extents)(ints);
    assert_eq!((inputs.len(), outputs.len()), (read.len(), written.len()), "{name} takes other operands");
    for (extent, x) in read.into_iter().zip(inputs) {
        assert!(extent <= x.len(), "{name} would read {extent} bytes of {}", x.len());
    }
    for (extent, y) in written.into_iter().zip(&*outputs) {
        assert!(extent <= y.len(), "{name} would write {extent} bytes of {}", y.len());
        let aligned = (y.as_ptr() as usize).is_multiple_of(8);
        assert!(extent == 0 || aligned, "an output of {name} is not aligned");
    }
    let read: Vec<*const u8> = inputs.iter().map(|x| x.as_ptr()).collect();
    let written: Vec<*mut u8> = outputs.iter_mut().map(|y| y.as_mut_ptr()).collect();
    // SAFETY: the integers are as many as the function takes (`extents` has read them), the spans hold what it touches,
    // and a `&mut` overlaps nothing.
    unsafe { (entry.function)(ints.as_ptr(), read.as_ptr(), written.as_ptr()) };
    true
}

/// How many integers a function takes.
fn ints_of<K: Kernel>() -> usize {
    1 + K::OPTIONS + K::OPERANDS.iter().map(|&(_, rank)| rank).sum::<usize>()
}

fn length(n: i64) -> usize {
    usize::try_from(n).expect("lengths are not negative")
}

fn bytes<T>(kind: Kind) -> usize {
    if kind == Kind::Index { size_of::<i64>() } else { size_of::<T>() }
}

/// Elements of each operand for one matrix.
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
    let written = sizes.into_iter().enumerate().map(|(i, n)| all(n, result_kind::<K>(i, count)));
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
    for p in 0..parts {
        let x = Operands { real: real.map(|(x, n)| &x[p * n..][..n]), index: &index.0[p * index.1..][..index.1] };
        let [a, b, c] = &mut out;
        let [i, j] = &mut index_out;
        let mut y = Results {
            real: [a, b, c].map(|(y, n)| &mut y[p * *n..][..*n]),
            index: [i, j].map(|(y, n)| &mut y[p * *n..][..*n]),
        };
        K::run(&part, &x, &mut y);
    }
}

/// Elements where they are, or copied when they are not aligned.
enum Aligned<'a, T> {
    Here(&'a [T]),
    Copied(Vec<T>),
}

impl<T> Aligned<'_, T> {
    fn slice(&self) -> &[T] {
        match self {
            Aligned::Here(x) => x,
            Aligned::Copied(x) => x,
        }
    }
}

/// # Safety
/// `x` is good for `n` elements as long as they are used.
unsafe fn aligned<'a, T: Element>(x: *const T, n: usize) -> Aligned<'a, T> {
    // SAFETY: the caller vouches for `n` elements.
    unsafe {
        if x.is_aligned() {
            return Aligned::Here(slice::from_raw_parts(x, n));
        }
        Aligned::Copied((0..n).map(|i| x.add(i).read_unaligned()).collect())
    }
}

/// Whether all elements are finite.
fn finite<T: Number>(x: &[T]) -> bool {
    x.iter().all(|x| x.is_finite())
}

/// Divides by a power of two so that the greatest element is between 1 and 2, which is exact but for the smallest, and
/// returns it: squares of the elements then neither overflow nor vanish. All elements are finite.
fn scaled<T: Number>(x: &mut [T]) -> T {
    let greatest = x.iter().fold(T::ZERO, |greatest, x| if x.abs() > greatest { x.abs() } else { greatest });
    if greatest == T::ZERO {
        return T::ONE;
    }
    let scale = greatest.power_of_two();
    x.iter_mut().for_each(|x| *x /= scale);
    scale
}

/// `a` of `m` rows and `n` columns with rows and columns exchanged.
fn transposed<T: Number>(a: &[T], m: usize, n: usize) -> Vec<T> {
    let mut t = vec![T::ZERO; m * n];
    for i in 0..m {
        for j in 0..n {
            t[j * m + i] = a[i * n + j];
        }
    }
    t
}

/// The unit matrix of `m` rows and `n` columns.
fn unit<T: Number>(a: &mut [T], m: usize, n: usize) {
    a.fill(T::ZERO);
    (0..m.min(n)).for_each(|i| a[i * n + i] = T::ONE);
}
