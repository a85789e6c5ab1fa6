//! Elementary functions over tiles of elements, and their scalar entries.

use wengert_kernel::{Binary, DType, Unary};

/// A unary function over a tile: `y[i] = f(x[i])` for `i < n`. `x` and `y` need no alignment and may be the same
/// tile; other overlaps are not allowed.
pub type Tile = unsafe extern "C" fn(n: usize, x: *const u8, y: *mut u8);

/// A binary function over a tile: `z[i] = f(x[i], y[i])` for `i < n`. `z` may be the same tile as `x` or `y`.
pub type Tile2 = unsafe extern "C" fn(n: usize, x: *const u8, y: *const u8, z: *mut u8);

/// The tile kernel of an elementary function; `None` for ops that are instructions and for dtypes that are not
/// float. Its results are those of `kernel::math`, bit for bit.
pub fn tile(op: Unary, dtype: DType) -> Option<Tile> {
    unary(op, dtype).map(|entries| entries.0)
}

/// The address of an elementary function as an `extern "C" fn(T) -> T`; `None` where [`tile`] has none.
pub fn scalar1(op: Unary, dtype: DType) -> Option<*const u8> {
    unary(op, dtype).map(|entries| entries.1)
}

/// The tile kernel of `Pow` or `Atan2` on floats; `None` for everything else.
pub fn tile2(op: Binary, dtype: DType) -> Option<Tile2> {
    binary(op, dtype).map(|entries| entries.0)
}

/// The address of `Pow` or `Atan2` as an `extern "C" fn(T, T) -> T`; `None` where [`tile2`] has none.
pub fn scalar2(op: Binary, dtype: DType) -> Option<*const u8> {
    binary(op, dtype).map(|entries| entries.1)
}

trait Function<T> {
    fn at(x: T) -> T;
}

trait Function2<T> {
    fn at(x: T, y: T) -> T;
}

macro_rules! unary_functions {
    ($($op:ident $single:path, $double:path;)*) => {
        fn unary(op: Unary, dtype: DType) -> Option<(Tile, *const u8)> {
            Some(match (op, dtype) {
                $((Unary::$op, DType::F32) => (each::<f32, $op>, one::<f32, $op> as *const u8),
                (Unary::$op, DType::F64) => (each::<f64, $op>, one::<f64, $op> as *const u8),)*
                _ => return None,
            })
        }
        $(
            struct $op;
            impl Function<f32> for $op {
                #[inline(always)]
                fn at(x: f32) -> f32 { $single(x) }
            }
            impl Function<f64> for $op {
                #[inline(always)]
                fn at(x: f64) -> f64 { $double(x) }
            }
        )*
    };
}

macro_rules! binary_functions {
    ($($op:ident $single:path, $double:path;)*) => {
        fn binary(op: Binary, dtype: DType) -> Option<(Tile2, *const u8)> {
            Some(match (op, dtype) {
                $((Binary::$op, DType::F32) => (each2::<f32, $op>, two::<f32, $op> as *const u8),
                (Binary::$op, DType::F64) => (each2::<f64, $op>, two::<f64, $op> as *const u8),)*
                _ => return None,
            })
        }
        $(
            struct $op;
            impl Function2<f32> for $op {
                #[inline(always)]
                fn at(x: f32, y: f32) -> f32 { $single(x, y) }
            }
            impl Function2<f64> for $op {
                #[inline(always)]
                fn at(x: f64, y: f64) -> f64 { $double(x, y) }
            }
        )*
    };
}

unary_functions! {
    Exp libm::expf, libm::exp;
    Expm1 libm::expm1f, libm::expm1;
    Log libm::logf, libm::log;
    Log1p libm::log1pf, libm::log1p;
    Sin libm::sinf, libm::sin;
    Cos libm::cosf, libm::cos;
    Tan libm::tanf, libm::tan;
    Asin libm::asinf, libm::asin;
    Acos libm::acosf, libm::acos;
    Atan libm::atanf, libm::atan;
    Sinh libm::sinhf, libm::sinh;
    Cosh libm::coshf, libm::cosh;
    Tanh libm::tanhf, libm::tanh;
    Logistic logisticf, logistic;
}

binary_functions! {
    Pow libm::powf, libm::pow;
    Atan2 libm::atan2f, libm::atan2;
}

fn logisticf(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x))
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

unsafe extern "C" fn each<T: Copy, F: Function<T>>(n: usize, x: *const u8, y: *mut u8) {
    for i in 0..n {
        // SAFETY: the contract of `Tile`.
        unsafe {
            let x = x.cast::<T>().add(i).read_unaligned();
            y.cast::<T>().add(i).write_unaligned(F::at(x));
        }
    }
}

unsafe extern "C" fn each2<T: Copy, F: Function2<T>>(n: usize, x: *const u8, y: *const u8, z: *mut u8) {
    for i in 0..n {
        // SAFETY: the contract of `Tile2`.
        unsafe {
            let (x, y) = (x.cast::<T>().add(i).read_unaligned(), y.cast::<T>().add(i).read_unaligned());
            z.cast::<T>().add(i).write_unaligned(F::at(x, y));
        }
    }
}

extern "C" fn one<T, F: Function<T>>(x: T) -> T {
    F::at(x)
}

extern "C" fn two<T, F: Function2<T>>(x: T, y: T) -> T {
    F::at(x, y)
}
