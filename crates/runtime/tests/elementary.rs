//! Elementary functions: tiles and scalar entries give the bits of `kernel::math`, and those are accurate.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::mem::transmute;
use wengert_kernel::math::Float;
use wengert_kernel::{Binary, DType, Unary};
use wengert_runtime::{scalar1, scalar2, tile, tile2};

/// A float type with its entries.
trait Real: Float + std::fmt::LowerExp {
    fn of(x: f64) -> Self;
    /// The number of those (low) bits.
    fn pattern(bits: u64) -> Self;
    /// The distance to the next number at `y`, from the subnormals up.
    fn ulp(y: f64) -> f64;

    fn tile(op: Unary, x: &[Self]) -> Vec<Self> {
        let mut y = vec![Self::of(9.0); x.len()];
        // SAFETY: both slices have that many elements.
        unsafe { tile(op, Self::DTYPE).expect("a tile kernel")(x.len(), x.as_ptr().cast(), y.as_mut_ptr().cast()) };
        y
    }

    fn scalar(op: Unary, x: Self) -> Self {
        let entry = scalar1(op, Self::DTYPE).expect("a scalar entry");
        // SAFETY: the address is that of such a function.
        unsafe { transmute::<*const u8, extern "C" fn(Self) -> Self>(entry)(x) }
    }

    fn scalar2(op: Binary, x: Self, y: Self) -> Self {
        let entry = scalar2(op, Self::DTYPE).expect("a scalar entry");
        // SAFETY: the address is that of such a function.
        unsafe { transmute::<*const u8, extern "C" fn(Self, Self) -> Self>(entry)(x, y) }
    }
}

macro_rules! real {
    ($($t:ident $bits:ident |$y:ident| $ulp:expr;)*) => {$(
        impl Real for $t {
            fn of(x: f64) -> $t { x as $t }
            fn pattern(bits: u64) -> $t { $t::from_bits(bits as $bits) }
            fn ulp($y: f64) -> f64 { $ulp }
        }
    )*};
}

real! {
    f32 u32 |y| 2f64.powi(((y.abs().to_bits() >> 52) as i32 - 1023).max(-126) - 23);
    f64 u64 |y| y.abs().next_up() - y.abs();
}

/// A function: its op, its name in `elementary.txt`, the source in the kernel, the bound in ulp.
type Row<T> = (Unary, &'static str, fn(T) -> T, f64);

/// The bounds are the worst that was met, rounded up: in all `f32` for exp and log, in every 61st for the others, in
/// 40,000 `f64` against mpmath. (The arc functions and their bounds are `libm`'s.) From `exp2` on: every 4093rd `f32`, and the
/// `f64` of the table. Near its zero at 1.46 the error of `digamma` is absolute, below 1e-15.
fn functions<T: Float>() -> [Row<T>; 26] {
    [
        (Unary::Exp, "exp", T::exp, 0.8),
        (Unary::Expm1, "expm1", T::expm1, 1.1),
        (Unary::Log, "log", T::log, 0.7),
        (Unary::Log1p, "log1p", T::log1p, 0.8),
        (Unary::Sin, "sin", T::sin, 0.8),
        (Unary::Cos, "cos", T::cos, 0.8),
        (Unary::Tan, "tan", T::tan, 1.0),
        (Unary::Asin, "asin", T::asin, 1.0),
        (Unary::Acos, "acos", T::acos, 1.0),
        (Unary::Atan, "atan", T::atan, 1.0),
        (Unary::Sinh, "sinh", T::sinh, 1.1),
        (Unary::Cosh, "cosh", T::cosh, 0.9),
        (Unary::Tanh, "tanh", T::tanh, 0.9),
        (Unary::Logistic, "logistic", T::logistic, 0.9),
        (Unary::Exp2, "exp2", T::exp2, 0.8),
        (Unary::Log2, "log2", T::log2, 0.8),
        (Unary::Log10, "log10", T::log10, 0.8),
        (Unary::Cbrt, "cbrt", T::cbrt, 0.6),
        (Unary::Asinh, "asinh", T::asinh, 0.7),
        (Unary::Acosh, "acosh", T::acosh, 0.7),
        (Unary::Atanh, "atanh", T::atanh, 0.7),
        (Unary::Erf, "erf", T::erf, if size_of::<T>() == 4 { 1.5 } else { 0.8 }),
        (Unary::Erfc, "erfc", T::erfc, 2.5),
        (Unary::ErfInv, "erf_inv", T::erf_inv, if size_of::<T>() == 4 { 3.0 } else { 2.0 }),
        (Unary::Lgamma, "lgamma", T::lgamma, 2.0),
        (Unary::Digamma, "digamma", T::digamma, 10.0),
    ]
}

fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers of all kinds: small ones, any bits, special ones, arguments that circular functions find large.
fn inputs<T: Real>(count: usize) -> Vec<T> {
    let special =
        [0.0, -0.0, 1.0, -1.0, f64::INFINITY, -f64::INFINITY, f64::NAN, 5e-324, 1e-45, 1e-310, 1e-40, -2e-308];
    let large = [65536.0, 65537.0, 1e9, 1.1e9, 3e38, 1.7e308, 88.7228, 89.4, -103.9, 709.78, 710.47, -745.1];
    (0..count)
        .map(|i| match i % 8 {
            0..=3 => T::of((mix(i as u64) as i64 as f64) * 2f64.powi(-63 + i as i32 % 5)),
            4 => T::of((mix(i as u64) as i64 as f64) * 2f64.powi(-57)),
            5 => T::pattern(mix(i as u64)),
            6 => T::of(special[i / 8 % special.len()]),
            _ => T::of(large[i / 8 % large.len()] * if i % 16 < 8 { 1.0 } else { -1.0 }),
        })
        .collect()
}

fn same<T: Float>(x: T, y: T) -> bool {
    let is_nan = |x: T| x.partial_cmp(&x).is_none();
    x.to_bits() == y.to_bits() || (is_nan(x) && is_nan(y))
}

fn tiles_agree<T: Real>() {
    for (op, name, function, _) in functions::<T>() {
        for n in 0..=67 {
            let x: Vec<T> = inputs(n + 100)[100..].to_vec();
            for (&x, y) in x.iter().zip(T::tile(op, &x)) {
                assert!(same(y, function(x)), "{name} of {x:e} in a tile of {n}: {y:e}, not {:e}", function(x));
            }
        }
        let x: Vec<T> = inputs(3001);
        let y = T::tile(op, &x);
        for (&x, &y) in x.iter().zip(&y) {
            assert!(same(y, function(x)), "{name} of {x:e} in a tile: {y:e}, not {:e}", function(x));
            assert!(same(T::scalar(op, x), y), "{name} of {x:e} alone");
        }
        in_place_and_unaligned(op, &x, &y);
    }
}

fn in_place_and_unaligned<T: Real>(op: Unary, x: &[T], want: &[T]) {
    let size = size_of::<T>();
    let run = tile(op, T::DTYPE).expect("a tile kernel");
    let mut bytes = vec![0u8; 1 + (x.len() + 1) * size];
    // SAFETY: the elements fit behind the first byte, and one is left over.
    unsafe {
        let at = bytes.as_mut_ptr().add(1);
        at.copy_from_nonoverlapping(x.as_ptr().cast(), size_of_val(x));
        run(x.len(), at, at);
        for (i, &want) in want.iter().enumerate() {
            assert!(same(at.cast::<T>().add(i).read_unaligned(), want), "{op:?} in place, element {i}");
        }
        assert!(bytes[1 + size_of_val(x)..].iter().all(|&b| b == 0), "{op:?} wrote behind its tile");
    }
}

#[test]
fn tiles_and_scalar_entries_give_the_bits_of_the_kernel() {
    tiles_agree::<f32>();
    tiles_agree::<f64>();
}

fn pairs_agree<T: Real>() {
    let (x, y): (Vec<T>, Vec<T>) = (inputs(1001), inputs::<T>(1501)[500..].to_vec());
    type Row2<T> = (Binary, fn(T, T) -> T);
    let functions: [Row2<T>; 5] = [
        (Binary::Pow, T::pow),
        (Binary::Atan2, T::atan2),
        (Binary::Hypot, T::hypot),
        (Binary::Xlogy, T::xlogy),
        (Binary::Xlog1py, T::xlog1py),
    ];
    for (op, function) in functions {
        let mut z = vec![T::of(9.0); x.len()];
        let run = tile2(op, T::DTYPE).expect("a tile kernel");
        // SAFETY: all slices have that many elements.
        unsafe { run(z.len(), x.as_ptr().cast(), y.as_ptr().cast(), z.as_mut_ptr().cast()) };
        for ((&x, &y), &z) in x.iter().zip(&y).zip(&z) {
            assert!(same(z, function(x, y)), "{op:?} of {x:e} and {y:e}");
            assert!(same(T::scalar2(op, x, y), z), "{op:?} of {x:e} and {y:e} alone");
        }
    }
}

#[test]
fn functions_of_two_give_the_bits_of_the_kernel() {
    pairs_agree::<f32>();
    pairs_agree::<f64>();
}

#[test]
fn only_functions_of_floats_have_entries() {
    assert!(tile(Unary::Neg, DType::F64).is_none() && scalar1(Unary::Sqrt, DType::F32).is_none());
    assert!(tile(Unary::Exp, DType::I32).is_none() && scalar1(Unary::Exp, DType::Bool).is_none());
    assert!(tile2(Binary::Add, DType::F64).is_none() && scalar2(Binary::Pow, DType::I64).is_none());
}

#[test]
fn doubles_are_as_exact_as_promised() {
    let mut worst = [0f64; 26];
    for line in include_str!("elementary.txt").lines().filter(|l| !l.starts_with('#')) {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let mut number = || f64::from_bits(u64::from_str_radix(words.next().expect("bits"), 16).expect("hexadecimal"));
        let (x, high, low) = (number(), number(), number());
        let k = functions::<f64>().iter().position(|row| row.1 == name).expect("a known function");
        let (_, _, function, bound) = functions::<f64>()[k];
        let y = function(x);
        let error = ((y - high) - low).abs() / f64::ulp(high);
        assert!(error <= bound, "{name} of {x:e} is {y:e}, {error} ulp from {high:e}");
        worst[k] = worst[k].max(error);
    }
    // Nothing is correctly rounded by chance: the table does reach the functions.
    assert!(worst.iter().all(|&w| w > 0.4), "{worst:?}");
}

/// About a million `f32` of all sizes, against the same functions of `f64`.
#[test]
fn singles_are_as_exact_as_promised() {
    const STEP: u32 = 4093;
    let x: Vec<f32> = (0..u32::MAX / STEP).map(|i| f32::from_bits(i * STEP)).collect();
    for ((op, name, _, bound), (_, _, reference, _)) in functions::<f32>().into_iter().zip(functions::<f64>()) {
        for (&x, y) in x.iter().zip(f32::tile(op, &x)) {
            let want = reference(x as f64);
            // Halfway to the number after the largest everything rounds to infinity.
            let overflows = want.abs() >= 3.402_823_567_797_336_6e38;
            let error = (y as f64 - want).abs() / f32::ulp(want);
            let fine = if want.is_nan() {
                y.is_nan()
            } else if overflows {
                y as f64 == want.signum() * f64::INFINITY
            } else {
                error <= bound
            };
            assert!(fine, "{name} of {x:e} is {y:e}, {error} ulp from {want:e}");
        }
    }
}

/// Neighbours never come in the wrong order, odd functions are odd, even ones even.
#[test]
fn shapes() {
    let rising = [Unary::Exp, Unary::Expm1, Unary::Log, Unary::Log1p, Unary::Sinh, Unary::Tanh, Unary::Logistic];
    for start in [0.01f32, 0.2, 0.34657, 0.6, FRAC_1_SQRT_2, 0.99999, 1.0, SQRT_2, 1.9, 9.0, 80.0] {
        let x: Vec<f32> = (0..20_000).map(|i| f32::from_bits(start.to_bits() - 10_000 + i)).collect();
        for op in rising {
            assert!(f32::tile(op, &x).windows(2).all(|y| y[0] <= y[1]), "{op:?} around {start}");
        }
    }
    let x: Vec<f64> = inputs(4000);
    let negative: Vec<f64> = x.iter().map(|x| -x).collect();
    for op in [Unary::Sin, Unary::Tan, Unary::Asin, Unary::Atan, Unary::Sinh, Unary::Tanh] {
        let pairs = f64::tile(op, &x).into_iter().zip(f64::tile(op, &negative));
        pairs.zip(&x).for_each(|((y, z), x)| assert!(same(-y, z), "{op:?} of {x:e}"));
    }
    for op in [Unary::Cos, Unary::Cosh] {
        assert!(f64::tile(op, &x).into_iter().zip(f64::tile(op, &negative)).all(|(y, z)| same(y, z)), "{op:?}");
    }
}

/// Every `f32`; about a minute a function.
/// `cargo test --release -p wengert-runtime -- --ignored --nocapture` prints the table.
#[test]
#[ignore = "takes minutes"]
fn every_single() {
    for (op, name, _, bound) in functions::<f32>() {
        let (mut worst, mut at) = (0f64, 0f32);
        for block in 0..1u32 << 16 {
            let x: Vec<f32> = (0..1 << 16).map(|i| f32::from_bits(block << 16 | i)).collect();
            let wide: Vec<f64> = x.iter().map(|&x| x as f64).collect();
            for ((&x, y), want) in x.iter().zip(f32::tile(op, &x)).zip(f64::tile(op, &wide)) {
                let error = (y as f64 - want).abs() / f32::ulp(want);
                if want.abs() < 3.4e38 && error > worst {
                    (worst, at) = (error, x);
                }
            }
        }
        println!("{name:9} {worst:.3} ulp at {at:e}");
        assert!(worst <= bound, "{name} of {at:e}: {worst} ulp");
    }
}
