//! Elementary functions over tiles of elements, and their scalar entries, compiled for each kind of vectors.
//!
//! The functions themselves stand in `kernel::math`, which is inlined here: scalar and vector code are the same
//! source, and give the same bits.

use crate::processor::Level;
use wengert_kernel::math::Near;
use wengert_kernel::{Binary, DType, Unary};

/// A unary function over a tile: `y[i] = f(x[i])` for `i < n`. `x` and `y` need no alignment and may be the same
/// tile; other overlaps are not allowed.
///
/// ```
/// use wengert_kernel::{DType, Unary};
/// use wengert_runtime::tile;
///
/// let sin = tile(Unary::Sin, DType::F64).unwrap();
/// let (x, mut y) = ([0.0f64; 3], [1.0f64; 3]);
/// // SAFETY: both have three elements.
/// unsafe { sin(3, x.as_ptr().cast(), y.as_mut_ptr().cast()) };
/// assert_eq!(y, [0.0; 3]);
/// ```
pub type Tile = unsafe extern "C" fn(n: usize, x: *const u8, y: *mut u8);

/// A binary function over a tile: `z[i] = f(x[i], y[i])` for `i < n`. `z` may be the same tile as `x` or `y`.
///
/// ```
/// use wengert_kernel::{Binary, DType};
/// use wengert_runtime::tile2;
///
/// let pow = tile2(Binary::Pow, DType::F64).unwrap();
/// let (x, y, mut z) = ([2.0f64; 3], [3.0f64; 3], [0.0f64; 3]);
/// // SAFETY: all have three elements.
/// unsafe { pow(3, x.as_ptr().cast(), y.as_ptr().cast(), z.as_mut_ptr().cast()) };
/// assert_eq!(z, [8.0; 3]);
/// ```
pub type Tile2 = unsafe extern "C" fn(n: usize, x: *const u8, y: *const u8, z: *mut u8);

/// The tile kernel of an elementary function; `None` for ops that are instructions and for dtypes that are not
/// float. Its results are those of `kernel::math`, bit for bit.
///
/// ```
/// use wengert_kernel::{DType, Unary};
/// use wengert_runtime::tile;
///
/// assert!(tile(Unary::Exp, DType::F32).is_some() && tile(Unary::Neg, DType::F32).is_none());
/// ```
pub fn tile(op: Unary, dtype: DType) -> Option<Tile> {
    unary(op, dtype).map(|entries| entries.0)
}

/// The address of an elementary function as an `extern "C" fn(T) -> T`; `None` where [`tile`] has none.
///
/// ```
/// use wengert_kernel::{DType, Unary};
/// use wengert_runtime::scalar1;
///
/// assert!(scalar1(Unary::Exp, DType::F32).is_some() && scalar1(Unary::Exp, DType::I32).is_none());
/// ```
pub fn scalar1(op: Unary, dtype: DType) -> Option<*const u8> {
    unary(op, dtype).map(|entries| entries.1)
}

/// The tile kernel of a function of two floats, as `Pow`, and of `Threefry`; `None` for everything else.
///
/// ```
/// use wengert_kernel::{Binary, DType};
/// use wengert_runtime::tile2;
///
/// assert!(tile2(Binary::Threefry, DType::U64).is_some() && tile2(Binary::Add, DType::F64).is_none());
/// ```
pub fn tile2(op: Binary, dtype: DType) -> Option<Tile2> {
    binary(op, dtype).map(|entries| entries.0)
}

/// The address of a function of two floats, or of `Threefry`, as an `extern "C" fn(T, T) -> T`; `None` where [`tile2`] has none.
///
/// ```
/// use wengert_kernel::{Binary, DType};
/// use wengert_runtime::scalar2;
///
/// assert!(scalar2(Binary::Atan2, DType::F32).is_some() && scalar2(Binary::Add, DType::F32).is_none());
/// ```
pub fn scalar2(op: Binary, dtype: DType) -> Option<*const u8> {
    binary(op, dtype).map(|entries| entries.1)
}

/// An elementary function as its own type, so that each becomes code of its own.
trait Function {
    /// The function.
    fn at<T: Near>(x: T) -> T;

    /// Shorter, and equal to `at` where `covers` is true.
    #[inline(always)]
    fn in_lanes<T: Near>(x: T) -> T {
        Self::at(x)
    }

    #[inline(always)]
    fn covers<T: Near>(_: T) -> bool {
        true
    }
}

trait Function2 {
    fn at<T: Near>(x: T, y: T) -> T;
}

macro_rules! unary_functions {
    ($($op:ident $at:ident $($short:ident if $covers:ident)?;)*) => {
        fn unary(op: Unary, dtype: DType) -> Option<(Tile, *const u8)> {
            Some(match (op, dtype) {
                $((Unary::$op, DType::F32) => entries::<f32, $op>(),
                (Unary::$op, DType::F64) => entries::<f64, $op>(),)*
                _ => return None,
            })
        }
        $(
            struct $op;
            impl Function for $op {
                #[inline(always)]
                fn at<T: Near>(x: T) -> T {
                    T::$at(x)
                }
                $(
                    #[inline(always)]
                    fn in_lanes<T: Near>(x: T) -> T {
                        T::$short(x)
                    }
                    #[inline(always)]
                    fn covers<T: Near>(x: T) -> bool {
                        T::$covers(x)
                    }
                )?
            }
        )*
    };
}

macro_rules! binary_functions {
    ($($op:ident $at:ident;)*) => {
        fn binary(op: Binary, dtype: DType) -> Option<(Tile2, *const u8)> {
            Some(match (op, dtype) {
                $((Binary::$op, DType::F32) => entries2::<f32, $op>(),
                (Binary::$op, DType::F64) => entries2::<f64, $op>(),)*
                (Binary::Threefry, DType::U64) => crate::random::entries(),
                _ => return None,
            })
        }
        $(
            struct $op;
            impl Function2 for $op {
                #[inline(always)]
                fn at<T: Near>(x: T, y: T) -> T {
                    T::$at(x, y)
                }
            }
        )*
    };
}

unary_functions! {
    Exp exp;
    Expm1 expm1;
    Log log;
    Log1p log1p;
    Sin sin sin_near if is_near;
    Cos cos cos_near if is_near;
    Tan tan tan_near if is_near;
    Asin asin;
    Acos acos;
    Atan atan;
    Sinh sinh;
    Cosh cosh;
    Tanh tanh;
    Logistic logistic;
    Exp2 exp2;
    Log2 log2;
    Log10 log10;
    Cbrt cbrt;
    Asinh asinh;
    Acosh acosh;
    Atanh atanh;
    Erf erf;
    Erfc erfc;
    ErfInv erf_inv;
    Lgamma lgamma lgamma_right if is_right;
    Digamma digamma digamma_right if is_right;
    Entr entr;
}

binary_functions! {
    Pow pow;
    Atan2 atan2;
    Hypot hypot;
    Xlogy xlogy;
    Xlog1py xlog1py;
}

/// The entries for this processor: over tiles, and of one element.
fn entries<T: Near, F: Function>() -> (Tile, *const u8) {
    match Level::of_processor() {
        Level::Baseline => (tile_baseline::<T, F>, scalar_baseline::<T, F> as *const u8),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => (tile_avx2::<T, F>, scalar_avx2::<T, F> as *const u8),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => (tile_avx512::<T, F>, scalar_avx512::<T, F> as *const u8),
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("a level of another architecture"),
    }
}

/// The same of functions of two.
fn entries2<T: Near, F: Function2>() -> (Tile2, *const u8) {
    match Level::of_processor() {
        Level::Baseline => (tile2_baseline::<T, F>, scalar2_baseline::<T, F> as *const u8),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => (tile2_avx2::<T, F>, scalar2_avx2::<T, F> as *const u8),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => (tile2_avx512::<T, F>, scalar2_avx512::<T, F> as *const u8),
        #[cfg(not(target_arch = "x86_64"))]
        _ => unreachable!("a level of another architecture"),
    }
}

unsafe extern "C" fn tile_baseline<T: Near, F: Function>(n: usize, x: *const u8, y: *mut u8) {
    // SAFETY: the contract of `Tile`.
    unsafe { over::<T, F>(n, x.cast(), y.cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2")]
unsafe extern "C" fn tile_avx2<T: Near, F: Function>(n: usize, x: *const u8, y: *mut u8) {
    // SAFETY: the contract of `Tile`.
    unsafe { over::<T, F>(n, x.cast(), y.cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
unsafe extern "C" fn tile_avx512<T: Near, F: Function>(n: usize, x: *const u8, y: *mut u8) {
    // SAFETY: the contract of `Tile`.
    unsafe { over::<T, F>(n, x.cast(), y.cast()) }
}

extern "C" fn scalar_baseline<T: Near, F: Function>(x: T) -> T {
    F::at(x)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2")]
extern "C" fn scalar_avx2<T: Near, F: Function>(x: T) -> T {
    F::at(x)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
extern "C" fn scalar_avx512<T: Near, F: Function>(x: T) -> T {
    F::at(x)
}

/// Elements that are computed together: read first, then written, so that `y` may be `x`.
const CHUNK: usize = 32;

/// # Safety
/// As [`Tile`].
#[inline(always)]
unsafe fn over<T: Near, F: Function>(n: usize, x: *const T, y: *mut T) {
    let whole = n - n % CHUNK;
    let mut rest = [T::from_bits(0); CHUNK];
    // SAFETY: the elements behind the whole chunks.
    unsafe { x.add(whole).cast::<u8>().copy_to_nonoverlapping(rest.as_mut_ptr().cast(), (n - whole) * size_of::<T>()) };
    let mut i = 0;
    while i < n {
        // The last chunk, if it is not whole, is computed in place in `rest`, by the same code.
        let (from, to) = if i < whole {
            (x.wrapping_add(i), y.wrapping_add(i))
        } else {
            (rest.as_mut_ptr().cast_const(), rest.as_mut_ptr())
        };
        // SAFETY: a whole chunk of `x` and `y`, or `rest`.
        unsafe {
            let chunk = from.cast::<[T; CHUNK]>().read_unaligned();
            to.cast::<[T; CHUNK]>().write_unaligned(each::<T, F>(&chunk));
        }
        i += CHUNK;
    }
    // SAFETY: the elements behind the whole chunks.
    unsafe { rest.as_ptr().cast::<u8>().copy_to_nonoverlapping(y.add(whole).cast(), (n - whole) * size_of::<T>()) };
}

#[inline(always)]
fn each<T: Near, F: Function>(chunk: &[T; CHUNK]) -> [T; CHUNK] {
    let mut results = *chunk;
    for y in &mut results {
        *y = F::in_lanes(*y);
    }
    let mut covered = true;
    for &x in chunk {
        covered &= F::covers(x);
    }
    if !covered {
        for (&x, y) in chunk.iter().zip(&mut results) {
            *y = if F::covers(x) { *y } else { F::at(x) };
        }
    }
    results
}

/// # Safety
/// As [`Tile2`].
#[inline(always)]
unsafe fn over2<T: Near, F: Function2>(n: usize, x: *const T, y: *const T, z: *mut T) {
    let whole = n - n % CHUNK;
    for i in (0..whole).step_by(CHUNK) {
        // SAFETY: whole chunks, read before the result is written.
        unsafe {
            let x = x.add(i).cast::<[T; CHUNK]>().read_unaligned();
            let mut results = y.add(i).cast::<[T; CHUNK]>().read_unaligned();
            for (&x, y) in x.iter().zip(&mut results) {
                *y = F::at(x, *y);
            }
            z.add(i).cast::<[T; CHUNK]>().write_unaligned(results);
        }
    }
    for i in whole..n {
        // SAFETY: the elements behind the whole chunks.
        unsafe { z.add(i).write_unaligned(F::at(x.add(i).read_unaligned(), y.add(i).read_unaligned())) }
    }
}

unsafe extern "C" fn tile2_baseline<T: Near, F: Function2>(n: usize, x: *const u8, y: *const u8, z: *mut u8) {
    // SAFETY: the contract of `Tile2`.
    unsafe { over2::<T, F>(n, x.cast(), y.cast(), z.cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2")]
unsafe extern "C" fn tile2_avx2<T: Near, F: Function2>(n: usize, x: *const u8, y: *const u8, z: *mut u8) {
    // SAFETY: the contract of `Tile2`.
    unsafe { over2::<T, F>(n, x.cast(), y.cast(), z.cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
unsafe extern "C" fn tile2_avx512<T: Near, F: Function2>(n: usize, x: *const u8, y: *const u8, z: *mut u8) {
    // SAFETY: the contract of `Tile2`.
    unsafe { over2::<T, F>(n, x.cast(), y.cast(), z.cast()) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,bmi2")]
extern "C" fn scalar2_avx2<T: Near, F: Function2>(x: T, y: T) -> T {
    F::at(x, y)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,bmi2")]
extern "C" fn scalar2_avx512<T: Near, F: Function2>(x: T, y: T) -> T {
    F::at(x, y)
}

extern "C" fn scalar2_baseline<T: Near, F: Function2>(x: T, y: T) -> T {
    F::at(x, y)
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn bits_of_all_levels<T: Near, F: Function>(numbers: impl Fn(u64) -> T) {
        let x: Vec<T> = (0..4000).map(|i: u64| numbers(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let run = |tile: Tile| {
            let mut y = x.clone();
            // SAFETY: both tiles have that many elements; the callers below look whether the processor can.
            unsafe { tile(x.len(), x.as_ptr().cast(), y.as_mut_ptr().cast()) };
            let zero = T::from_bits(0);
            // The bits of NaN may differ.
            y.into_iter().map(|y| y.partial_cmp(&zero).map(|_| y.to_bits())).collect::<Vec<_>>()
        };
        let want = run(tile_baseline::<T, F>);
        if Level::of_processor() >= Level::Avx2 {
            assert_eq!(run(tile_avx2::<T, F>), want);
        }
        if Level::of_processor() >= Level::Avx512 {
            assert_eq!(run(tile_avx512::<T, F>), want);
        }
    }

    fn both_types<F: Function>() {
        bits_of_all_levels::<f64, F>(f64::from_bits);
        bits_of_all_levels::<f64, F>(|bits| (bits as i64) as f64 * 2f64.powi(-61));
        bits_of_all_levels::<f32, F>(|bits| f32::from_bits(bits as u32));
        bits_of_all_levels::<f32, F>(|bits| (bits as i64) as f32 * 2f32.powi(-61));
    }

    #[test]
    fn all_levels_give_the_same_bits() {
        both_types::<Exp>();
        both_types::<Expm1>();
        both_types::<Log>();
        both_types::<Log1p>();
        both_types::<Sin>();
        both_types::<Cos>();
        both_types::<Tan>();
        both_types::<Asin>();
        both_types::<Acos>();
        both_types::<Atan>();
        both_types::<Sinh>();
        both_types::<Cosh>();
        both_types::<Tanh>();
        both_types::<Logistic>();
        both_types::<Exp2>();
        both_types::<Log2>();
        both_types::<Log10>();
        both_types::<Cbrt>();
        both_types::<Asinh>();
        both_types::<Acosh>();
        both_types::<Atanh>();
        both_types::<Erf>();
        both_types::<Erfc>();
        both_types::<ErfInv>();
        both_types::<Lgamma>();
        both_types::<Digamma>();
        both_types::<Entr>();
    }

    fn bits_of_all_levels_of_two<T: Near, F: Function2>(numbers: impl Fn(u64) -> T) {
        let x: Vec<T> = (0..4000).map(|i: u64| numbers(i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let y: Vec<T> = (0..4000).map(|i: u64| numbers(i.wrapping_mul(0xbf58_476d_1ce4_e5b9))).collect();
        let run = |tile: Tile2| {
            let mut z = x.clone();
            // SAFETY: all have that many elements; the callers below look whether the processor can.
            unsafe { tile(x.len(), x.as_ptr().cast(), y.as_ptr().cast(), z.as_mut_ptr().cast()) };
            let zero = T::from_bits(0);
            z.into_iter().map(|z| z.partial_cmp(&zero).map(|_| z.to_bits())).collect::<Vec<_>>()
        };
        let want = run(tile2_baseline::<T, F>);
        if Level::of_processor() >= Level::Avx2 {
            assert_eq!(run(tile2_avx2::<T, F>), want);
        }
        if Level::of_processor() >= Level::Avx512 {
            assert_eq!(run(tile2_avx512::<T, F>), want);
        }
    }

    fn both_types_of_two<F: Function2>() {
        bits_of_all_levels_of_two::<f64, F>(f64::from_bits);
        bits_of_all_levels_of_two::<f64, F>(|bits| (bits as i64) as f64 * 2f64.powi(-61));
        bits_of_all_levels_of_two::<f32, F>(|bits| f32::from_bits(bits as u32));
        bits_of_all_levels_of_two::<f32, F>(|bits| (bits as i64) as f32 * 2f32.powi(-61));
    }

    #[test]
    fn all_levels_give_the_same_bits_of_two() {
        both_types_of_two::<Pow>();
        both_types_of_two::<Atan2>();
        both_types_of_two::<Hypot>();
        both_types_of_two::<Xlogy>();
        both_types_of_two::<Xlog1py>();
    }
}
