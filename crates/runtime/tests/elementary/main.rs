//! Elementary functions: tiles and scalar entries give the bits of `kernel::math`, and those are accurate.
//!
//! The `f32` functions are compared with the `f64` ones at one of every 64 `f32` (2^26 numbers, or pairs, for each), or at all of
//! them. The `f64` functions, so fast a reference being none, are compared with [`double_double`] at 2^18 numbers each, and
//! with the exact values in `elementary.txt`, which are the hard cases.

mod double_double;

use double_double::Wide;
use std::mem::transmute;
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_kernel::math::Float;
use wengert_kernel::{Binary, DType, Unary};
use wengert_runtime::{scalar1, scalar2, tile, tile2};

/// A float type with its entries.
trait Real: Float + std::fmt::LowerExp + std::ops::Neg<Output = Self> {
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

    fn tile2(op: Binary, x: &[Self], y: &[Self]) -> Vec<Self> {
        let mut z = vec![Self::of(9.0); x.len()];
        let run = tile2(op, Self::DTYPE).expect("a tile kernel");
        assert_eq!(x.len(), y.len());
        // SAFETY: all slices have that many elements.
        unsafe { run(x.len(), x.as_ptr().cast(), y.as_ptr().cast(), z.as_mut_ptr().cast()) };
        z
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
    f32 u32 |y| f64::from_bits(y.abs().max(f32::MIN_POSITIVE as f64).to_bits() & (0x7ff << 52)) * f32::EPSILON as f64;
    f64 u64 |y| y.abs().next_up() - y.abs();
}

/// A function: its op, its name in `elementary.txt`, the source in the kernel, the bound in ulp.
type Row<T> = (Unary, &'static str, fn(T) -> T, f64);

/// The bounds are above the worst error that the tests below have met.
fn functions<T: Float>() -> [Row<T>; 27] {
    [
        (Unary::Exp, "exp", T::exp, 0.8),
        (Unary::Expm1, "expm1", T::expm1, 1.2),
        (Unary::Log, "log", T::log, 0.7),
        (Unary::Log1p, "log1p", T::log1p, 0.8),
        (Unary::Sin, "sin", T::sin, 0.8),
        (Unary::Cos, "cos", T::cos, 0.8),
        (Unary::Tan, "tan", T::tan, 1.0),
        (Unary::Asin, "asin", T::asin, 0.7),
        (Unary::Acos, "acos", T::acos, 0.7),
        (Unary::Atan, "atan", T::atan, 0.7),
        (Unary::Sinh, "sinh", T::sinh, 1.2),
        (Unary::Cosh, "cosh", T::cosh, 0.9),
        (Unary::Tanh, "tanh", T::tanh, 1.0),
        (Unary::Logistic, "logistic", T::logistic, 0.9),
        (Unary::Exp2, "exp2", T::exp2, 0.8),
        (Unary::Log2, "log2", T::log2, 0.8),
        (Unary::Log10, "log10", T::log10, 0.8),
        (Unary::Cbrt, "cbrt", T::cbrt, 0.6),
        (Unary::Asinh, "asinh", T::asinh, 0.7),
        (Unary::Acosh, "acosh", T::acosh, 0.7),
        (Unary::Atanh, "atanh", T::atanh, 0.7),
        (Unary::Erf, "erf", T::erf, 1.5),
        (Unary::Erfc, "erfc", T::erfc, 1.5),
        (Unary::ErfInv, "erf_inv", T::erf_inv, 2.0),
        (Unary::Lgamma, "lgamma", T::lgamma, 1.5),
        (Unary::Digamma, "digamma", T::digamma, 2.0),
        (Unary::Entr, "entr", T::entr, 1.5),
    ]
}

/// The same of functions of two.
type Row2<T> = (Binary, &'static str, fn(T, T) -> T, f64);

fn functions_of_two<T: Float>() -> [Row2<T>; 5] {
    [
        (Binary::Pow, "pow", T::pow, 0.8),
        (Binary::Atan2, "atan2", T::atan2, 0.7),
        (Binary::Hypot, "hypot", T::hypot, 0.8),
        (Binary::Xlogy, "xlogy", T::xlogy, 1.6),
        (Binary::Xlog1py, "xlog1py", T::xlog1py, 1.6),
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
    for (op, name, function, _) in functions_of_two::<T>() {
        for ((&x, &y), z) in x.iter().zip(&y).zip(T::tile2(op, &x, &y)) {
            assert!(same(z, function(x, y)), "{name} of {x:e} and {y:e}");
            assert!(same(T::scalar2(op, x, y), z), "{name} of {x:e} and {y:e} alone");
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

/// The exact values of `elementary.txt`: hard cases, subnormal numbers and results, the largest arguments.
#[test]
fn doubles_are_as_exact_as_promised_at_hard_numbers() {
    let (rows, rows2) = (functions::<f64>(), functions_of_two::<f64>());
    let mut worst = std::collections::BTreeMap::<&str, f64>::new();
    for line in include_str!("elementary.txt").lines().filter(|l| !l.starts_with('#')) {
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let bits = |word: &str| f64::from_bits(u64::from_str_radix(word, 16).expect("hexadecimal"));
        let numbers: Vec<f64> = words.map(bits).collect();
        let (y, bound, [high, low]) = match numbers[..] {
            [x, high, low] => {
                let row = rows.iter().find(|row| row.1 == name).expect("a known function");
                (row.2(x), row.3, [high, low])
            }
            [x, y, high, low] => {
                let row = rows2.iter().find(|row| row.1 == name).expect("a known function of two");
                (row.2(x, y), row.3, [high, low])
            }
            _ => panic!("{line}"),
        };
        let error = ((y - high) - low).abs() / f64::ulp(high);
        assert!(error <= bound, "{line}: {y:e}, {error} ulp from {high:e}");
        let so_far = worst.entry(name).or_default();
        *so_far = so_far.max(error);
    }
    // Nothing is correctly rounded by chance: the table does reach the functions.
    assert!(worst.len() == 29 && worst.values().all(|&w| w > 0.4), "{worst:?}");
}

/// Numbers to try a function at.
#[derive(Clone, Copy)]
enum Draw {
    /// Evenly between two numbers.
    Between(f64, f64),
    /// Powers of two with an exponent between two numbers.
    Powers(f64, f64),
    /// The same, of both signs.
    Signed(f64, f64),
    /// A number plus such powers of both signs.
    Around(f64, f64, f64),
    /// A number less such powers.
    Below(f64, f64, f64),
}

impl Draw {
    fn number(self, seed: u64) -> f64 {
        let random = mix(seed);
        let between = |low: f64, high: f64| low + (high - low) * (random >> 11) as f64 * 2f64.powi(-53);
        let sign = if random & 1 == 0 { 1.0 } else { -1.0 };
        match self {
            Draw::Between(low, high) => between(low, high),
            Draw::Powers(low, high) => between(low, high).exp2(),
            Draw::Signed(low, high) => between(low, high).exp2() * sign,
            Draw::Around(x, low, high) => x + between(low, high).exp2() * sign,
            Draw::Below(x, low, high) => x - between(low, high).exp2(),
        }
    }
}

use Draw::{Around, Below, Between, Powers, Signed};

/// Of each function of one number the reference, which may start from our result, and where it is asked.
type Reference = (&'static str, fn(f64, f64) -> Wide, &'static [Draw]);

const REFERENCES: [Reference; 27] = [
    ("exp", |x, _| double_double::exp(x), &[Between(-2.0, 2.0), Between(-650.0, 709.7), Signed(-60.0, 0.0)]),
    ("expm1", |x, _| double_double::expm1(x), &[Between(-2.0, 2.0), Between(-50.0, 709.0), Signed(-300.0, 0.0)]),
    ("log", |x, _| double_double::log(x), &[Between(0.5, 2.0), Powers(-1000.0, 1023.0), Around(1.0, -52.0, -1.0)]),
    ("log1p", |x, _| double_double::log1p(x), &[Between(-0.9, 2.0), Signed(-900.0, -1.0), Powers(-1.0, 1023.0)]),
    ("sin", |x, _| double_double::sin(x), &[Between(-9.0, 9.0), Signed(3.0, 29.8), Signed(-300.0, 3.0)]),
    ("cos", |x, _| double_double::cos(x), &[Between(-9.0, 9.0), Signed(3.0, 29.8), Signed(-30.0, 3.0)]),
    ("tan", |x, _| double_double::tan(x), &[Between(-9.0, 9.0), Signed(3.0, 29.8), Signed(-300.0, 3.0)]),
    ("asin", |x, _| double_double::asin(x), &[Between(-1.0, 1.0), Signed(-300.0, 0.0), Below(1.0, -53.0, 0.0)]),
    ("acos", |x, _| double_double::acos(x), &[Between(-1.0, 1.0), Signed(-300.0, 0.0), Below(1.0, -53.0, 0.0)]),
    ("atan", |x, _| double_double::atan(x), &[Between(-3.0, 3.0), Signed(-300.0, 300.0), Signed(-3.0, 60.0)]),
    ("sinh", |x, _| double_double::sinh(x), &[Between(-3.0, 3.0), Between(-709.0, 709.0), Signed(-300.0, 0.0)]),
    ("cosh", |x, _| double_double::cosh(x), &[Between(-3.0, 3.0), Between(-709.7, 709.7), Signed(-30.0, 0.0)]),
    ("tanh", |x, _| double_double::tanh(x), &[Between(-3.0, 3.0), Between(-25.0, 25.0), Signed(-300.0, 0.0)]),
    ("logistic", |x, _| double_double::logistic(x), &[Between(-3.0, 3.0), Between(-600.0, 40.0), Signed(-60.0, 3.0)]),
    ("exp2", |x, _| double_double::exp2(x), &[Between(-2.0, 2.0), Between(-950.0, 1023.9), Signed(-60.0, 0.0)]),
    ("log2", |x, _| double_double::log2(x), &[Between(0.5, 2.0), Powers(-1000.0, 1023.0), Around(1.0, -52.0, -1.0)]),
    ("log10", |x, _| double_double::log10(x), &[Between(0.5, 2.0), Powers(-1000.0, 1023.0), Around(1.0, -52.0, -1.0)]),
    ("cbrt", |x, _| double_double::cbrt(x), &[Between(-8.0, 8.0), Signed(-300.0, 300.0)]),
    ("asinh", |x, _| double_double::asinh(x), &[Between(-8.0, 8.0), Signed(-300.0, 300.0)]),
    ("acosh", |x, _| double_double::acosh(x), &[Between(1.0, 8.0), Powers(0.0, 300.0), Below(2.0, -52.0, 0.0)]),
    ("atanh", |x, _| double_double::atanh(x), &[Between(-1.0, 1.0), Signed(-300.0, 0.0), Below(1.0, -53.0, 0.0)]),
    ("erf", |x, _| double_double::erf(x), &[Between(-3.0, 3.0), Signed(-300.0, 2.5)]),
    ("erfc", |x, _| double_double::erfc(x), &[Between(-2.0, 3.0), Between(2.0, 25.0), Signed(-300.0, 2.0)]),
    ("erf_inv", double_double::erf_inv, &[Between(-1.0, 1.0), Signed(-300.0, 0.0), Below(1.0, -53.0, 0.0)]),
    (
        "lgamma",
        |x, _| double_double::lgamma(x),
        &[
            Between(0.0, 4.0),
            Powers(-900.0, 900.0),
            Between(3.0, 40.0),
            Around(1.0, -30.0, -1.0),
            Between(-2.0, -0.001),
        ],
    ),
    (
        "digamma",
        |x, _| double_double::digamma(x),
        &[
            Between(0.0, 4.0),
            Powers(-900.0, 900.0),
            Between(3.0, 40.0),
            Around(1.46, -30.0, -1.0),
            Between(-0.4, -0.001),
        ],
    ),
    ("entr", |x, _| -(double_double::log(x) * x), &[Between(0.0, 3.0), Powers(-900.0, 900.0)]),
];

type Reference2 = (&'static str, fn(f64, f64) -> Wide, &'static [(Draw, Draw)]);

const REFERENCES_OF_TWO: [Reference2; 5] = [
    (
        "pow",
        double_double::pow,
        &[
            (Between(0.0, 10.0), Between(-30.0, 30.0)),
            (Powers(-900.0, 1000.0), Signed(-60.0, -0.2)),
            (Around(1.0, -20.0, -10.0), Signed(0.0, 18.0)),
            (Powers(-3.0, 3.0), Between(-200.0, 200.0)),
        ],
    ),
    (
        "atan2",
        double_double::atan2,
        &[(Between(-1.0, 1.0), Between(-1.0, 1.0)), (Signed(-300.0, 300.0), Signed(-300.0, 300.0))],
    ),
    (
        "hypot",
        double_double::hypot,
        &[(Between(-1.0, 1.0), Between(-1.0, 1.0)), (Signed(-40.0, 40.0), Signed(-40.0, 40.0))],
    ),
    (
        "xlogy",
        double_double::xlogy,
        &[(Between(-1.0, 1.0), Between(0.0, 9.0)), (Signed(-40.0, 40.0), Powers(-900.0, 900.0))],
    ),
    (
        "xlog1py",
        double_double::xlog1py,
        &[(Between(-1.0, 1.0), Between(-1.0, 9.0)), (Signed(-40.0, 40.0), Signed(-300.0, -0.01))],
    ),
];

/// `work(i)` for i below `blocks`, on all processors; the results in no order.
fn on_all_processors<R: Send>(blocks: u64, work: impl Fn(u64) -> R + Sync) -> Vec<R> {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut results = Vec::new();
        loop {
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return results;
            }
            results.push(work(block));
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..std::thread::available_parallelism().map_or(1, |n| n.get())).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread without a panic")).collect()
    })
}

/// The largest error met, in ulp, and where.
#[derive(Clone, Copy, Default)]
struct Worst {
    error: f64,
    at: [f64; 2],
}

impl Worst {
    fn meet(&mut self, error: f64, at: [f64; 2]) {
        if error > self.error {
            *self = Worst { error, at };
        }
    }

    fn of(all: Vec<Worst>) -> Worst {
        all.into_iter().fold(Worst::default(), |a, b| if b.error > a.error { b } else { a })
    }
}

/// 2^18 numbers, or pairs, a function: some from each row of the tables above.
#[test]
fn doubles_are_as_exact_as_promised() {
    const BLOCK: u64 = 1 << 10;
    let count = 1u64 << 18;
    let error = |y: f64, want: Wide| {
        let error = ((y - want.high) - want.low).abs() / f64::ulp(want.high);
        if error.is_nan() { f64::INFINITY } else { error }
    };
    for ((op, name, _, bound), (reference, of, draws)) in functions::<f64>().into_iter().zip(REFERENCES) {
        assert_eq!(name, reference);
        let worst = on_all_processors(count / BLOCK, |block| {
            let x: Vec<f64> =
                (block * BLOCK..(block + 1) * BLOCK).map(|i| draws[i as usize % draws.len()].number(i)).collect();
            let mut worst = Worst::default();
            for (&x, y) in x.iter().zip(f64::tile(op, &x)) {
                worst.meet(error(y, of(x, y)), [x, 0.0]);
            }
            worst
        });
        let Worst { error, at: [x, _] } = Worst::of(worst);
        println!("{name:9} {error:.3} ulp at {x:e}");
        assert!(error <= bound, "{name} of {x:e} errs by {error} ulp");
    }
    for ((op, name, _, bound), (reference, of, draws)) in functions_of_two::<f64>().into_iter().zip(REFERENCES_OF_TWO) {
        assert_eq!(name, reference);
        let worst = on_all_processors(count / BLOCK, |block| {
            let pairs = (block * BLOCK..(block + 1) * BLOCK).map(|i| {
                let (x, y) = draws[i as usize % draws.len()];
                (x.number(2 * i), y.number(2 * i + 1))
            });
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.unzip();
            let mut worst = Worst::default();
            for ((&x, &y), z) in x.iter().zip(&y).zip(f64::tile2(op, &x, &y)) {
                worst.meet(error(z, of(x, y)), [x, y]);
            }
            worst
        });
        let Worst { error, at: [x, y] } = Worst::of(worst);
        println!("{name:9} {error:.3} ulp at {x:e}, {y:e}");
        assert!(error <= bound, "{name} of {x:e} and {y:e} errs by {error} ulp");
    }
}

/// The error of an `f32` result in ulp; infinite for a NaN in the wrong place or a zero of the wrong sign.
fn error_of_single(y: f32, want: f64) -> f64 {
    // What rounds to infinity counts as the number after the largest.
    let beyond = 2f64.powi(128);
    let limited = |x: f64| if x.abs() < beyond { x } else { beyond.copysign(x) };
    let want_limited = limited(want);
    let ulp = f32::ulp(if want_limited.abs() < beyond { want_limited } else { f32::MAX as f64 });
    let error = (limited(y as f64) - want_limited).abs() / ulp;
    let wrong_kind = (y.is_nan() != want.is_nan()) | ((y == 0.0) & (y.is_sign_negative() != want.is_sign_negative()));
    let error = if y.is_nan() { 0.0 } else { error };
    if wrong_kind { f64::INFINITY } else { error }
}

/// Whether a function grows (1) or falls (-1) with x, or grows with the magnitude of x.
enum Order {
    With(f64),
    WithMagnitude,
}

fn order(op: Unary) -> Option<Order> {
    use Unary::*;
    match op {
        Exp | Expm1 | Log | Log1p | Asin | Atan | Sinh | Tanh | Logistic | Exp2 | Log2 | Log10 | Cbrt | Asinh
        | Acosh | Atanh | ErfInv => Some(Order::With(1.0)),
        Acos | Erfc => Some(Order::With(-1.0)),
        Cosh => Some(Order::WithMagnitude),
        _ => None,
    }
}

/// That no two results of rising arguments of one sign are in the wrong order.
fn check_order<T: Real>(op: Unary, x: &[T], y: &[T]) {
    let rises = match order(op) {
        Some(Order::With(direction)) => direction > 0.0,
        Some(Order::WithMagnitude) => x[x.len() - 1] > T::of(0.0),
        None => return,
    };
    let wrong = |y: &[T]| if rises { y[0] > y[1] } else { y[0] < y[1] };
    let mut any = false;
    for y in y.windows(2) {
        any |= wrong(y);
    }
    if any {
        let at = y.windows(2).position(wrong).expect("was found above");
        panic!("{op:?} of {:e} and {:e}: {:e} and {:e}", x[at], x[at + 1], y[at], y[at + 1]);
    }
}

/// The worst error of an `f32` function at one of every `stride` numbers, a power of two, against the `f64` function.
fn sweep(op: Unary, stride: u64) -> Worst {
    const BLOCK: u64 = 1 << 12;
    let worst = on_all_processors((1 << 32) / stride / BLOCK, |block| {
        let more = |i: u64| if stride == 1 { 0 } else { mix(i) & (stride - 1) };
        let number = |i: u64| f32::from_bits((i * stride + more(i)) as u32);
        // With the last number of the block before, for the order.
        let mut x: Vec<f32> = ((block * BLOCK).saturating_sub(1)..(block + 1) * BLOCK).map(number).collect();
        if x[x.len() - 1].is_sign_negative() {
            x.reverse();
        }
        let wide: Vec<f64> = x.iter().map(|&x| x as f64).collect();
        let (got, want) = (f32::tile(op, &x), f64::tile(op, &wide));
        check_order(op, &x, &got);
        let mut worst = Worst::default();
        for ((&x, y), want) in x.iter().zip(got).zip(want) {
            // Most errors are smaller than one met before, which is quickly seen.
            let smaller = (y as f64 - want).abs() <= worst.error * f32::ulp(want);
            if !smaller || y == 0.0 {
                worst.meet(error_of_single(y, want), [x as f64, 0.0]);
            }
        }
        worst
    });
    Worst::of(worst)
}

/// The same at `count` pairs of all kinds.
fn sweep2(op: Binary, count: u64) -> Worst {
    const BLOCK: u64 = 1 << 12;
    let worst = on_all_processors(count / BLOCK, |block| {
        let pairs = (block * BLOCK..(block + 1) * BLOCK).map(|i| {
            let (r, s) = (mix(2 * i), mix(2 * i + 1));
            let unit = |r: u64| (r as i64 as f64 * 2f64.powi(-63)) as f32;
            match i % 4 {
                // Any numbers.
                0 => (f32::from_bits(r as u32), f32::from_bits(s as u32)),
                // Of middle size, whose functions are so too.
                1 => (8.0 * unit(r), 8.0 * unit(s)),
                // Large powers of numbers near 1.
                2 => (1.0 + 0.01 * unit(r), 9000.0 * unit(s)),
                // Small powers of any.
                _ => (f32::from_bits(r as u32), 2.0 * unit(s)),
            }
        });
        let (x, y): (Vec<f32>, Vec<f32>) = pairs.unzip();
        let widened = |x: &[f32]| -> Vec<f64> { x.iter().map(|&x| x as f64).collect() };
        let mut worst = Worst::default();
        let (got, want) = (f32::tile2(op, &x, &y), f64::tile2(op, &widened(&x), &widened(&y)));
        for (((&x, &y), z), want) in x.iter().zip(&y).zip(got).zip(want) {
            worst.meet(error_of_single(z, want), [x as f64, y as f64]);
        }
        worst
    });
    Worst::of(worst)
}

fn check_singles(stride: u64, pairs: u64) {
    for (op, name, _, bound) in functions::<f32>() {
        let Worst { error, at: [x, _] } = sweep(op, stride);
        println!("{name:9} {error:.3} ulp at {x:e}");
        assert!(error <= bound, "{name} of {x:e} errs by {error} ulp");
    }
    for (op, name, _, bound) in functions_of_two::<f32>() {
        let Worst { error, at: [x, y] } = sweep2(op, pairs);
        println!("{name:9} {error:.3} ulp at {x:e}, {y:e}");
        assert!(error <= bound, "{name} of {x:e} and {y:e} errs by {error} ulp");
    }
}

/// 2^26 numbers, one of every 64, or as many pairs.
#[test]
fn singles_are_as_exact_as_promised() {
    check_singles(64, 1 << 26);
}

/// Every `f32`, and 10^8 pairs; minutes.
/// `cargo test --release -p wengert-runtime --test elementary -- --ignored --nocapture` prints the table.
#[test]
#[ignore = "takes minutes"]
fn every_single() {
    check_singles(1, 100_000_000);
}

/// Neighbouring `f64` never come in the wrong order around the numbers where formulas change (all `f32` are seen above).
#[test]
fn neighbours_are_in_order() {
    let starts: [f64; 24] = [
        1e-300,
        1e-9,
        0.01,
        0.2,
        0.25,
        0.34657359027997264,
        0.41421356237309503,
        0.5,
        0.6,
        0.7,
        0.7071067811865475,
        0.99999,
        1.0,
        std::f64::consts::SQRT_2,
        1.9,
        2.0,
        2.414213562373095,
        4.0,
        9.0,
        19.0,
        80.0,
        1e6,
        1e15,
        1e100,
    ];
    for op in functions::<f64>().map(|row| row.0) {
        for start in starts {
            let x: Vec<f64> = (0..20_000).map(|i| f64::from_bits(start.to_bits() - 10_000 + i)).collect();
            check_order(op, &x, &f64::tile(op, &x));
            let x: Vec<f64> = x.into_iter().rev().map(|x| -x).collect();
            check_order(op, &x, &f64::tile(op, &x));
        }
    }
}

fn symmetries_hold<T: Real>() {
    use Unary::*;
    let x: Vec<T> = inputs(8000);
    let negative: Vec<T> = x.iter().map(|&x| -x).collect();
    for op in [Sin, Tan, Asin, Atan, Sinh, Tanh, Asinh, Atanh, Cbrt, Erf, ErfInv] {
        let pairs = T::tile(op, &x).into_iter().zip(T::tile(op, &negative));
        pairs.zip(&x).for_each(|((y, z), x)| assert!(same(-y, z), "{op:?} of {x:e}"));
    }
    for op in [Cos, Cosh] {
        let pairs = T::tile(op, &x).into_iter().zip(T::tile(op, &negative));
        pairs.zip(&x).for_each(|((y, z), x)| assert!(same(y, z), "{op:?} of {x:e}"));
    }
    let (y, other): (Vec<T>, Vec<T>) = (inputs::<T>(9000)[1000..].to_vec(), negative.clone());
    let angles = T::tile2(Binary::Atan2, &x, &y).into_iter().zip(T::tile2(Binary::Atan2, &other, &y));
    angles.zip(&x).for_each(|((a, b), x)| assert!(same(-a, b), "Atan2 of {x:e}"));
    let lengths = T::tile2(Binary::Hypot, &x, &y).into_iter().zip(T::tile2(Binary::Hypot, &y, &other));
    lengths.zip(&x).for_each(|((a, b), x)| assert!(same(a, b), "Hypot of {x:e}"));
}

/// Odd functions are odd and even ones even, to the last bit.
#[test]
fn symmetries() {
    symmetries_hold::<f32>();
    symmetries_hold::<f64>();
}
