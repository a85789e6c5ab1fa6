//! Discrete Fourier transforms of rows: by the library `rustfft` and its companion for real rows, or by plain sums without
//! the feature `fft`. No factor is divided out. Any length but 0.
//!
//! Plans are kept by each thread, and thrown away when there are too many lengths.

use crate::each_part::{Kernel, Kind, Operands, Part, Results, entry_of};
use crate::entry::{Entry, length};
use crate::real::Real;
use num_complex::Complex;

/// The function of that name.
pub(crate) fn entry(name: &str) -> Option<Entry> {
    let (function, dtype) = name.rsplit_once('_')?;
    match function {
        "fft" => entry_of::<Fft>(dtype),
        "rfft" => entry_of::<Rfft>(dtype),
        "irfft" => entry_of::<Irfft>(dtype),
        _ => None,
    }
}

/// `[inverse]`: `re, im` to the sums over `j` of `x[j] exp(∓2πi jk / n)`, with `+` when inverse.
struct Fft;

impl Kernel for Fft {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 1), (Kind::Real, 1)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[0]; 2]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let mut row = paired(x.real[0], x.real[1]);
        T::transform(&mut row, part.options[0] != 0);
        let [re, im, _] = &mut y.real;
        split(&row, re, im);
    }
}

/// A real row to the first half of its transform, `n / 2 + 1` numbers; the rest are their conjugates.
struct Rfft;

impl Kernel for Rfft {
    const OPTIONS: usize = 0;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 1)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![part.lengths[0] / 2 + 1; 2]
    }

    fn run<T: Real>(_: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let half = T::forward(x.real[0]);
        let [re, im, _] = &mut y.real;
        split(&half, re, im);
    }
}

/// `[n]`: the first half of the transform of a real row, to `n` times that row. The imaginary parts of the first and, if `n`
/// is even, the last number are not read.
struct Irfft;

impl Kernel for Irfft {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 1), (Kind::Real, 1)];
    const RESULTS: &'static [Kind] = &[Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        vec![length(part.options[0])]
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let n = Self::sizes(part)[0];
        let mut half = paired(x.real[0], x.real[1]);
        half.truncate(n / 2 + 1);
        half[0].im = T::ZERO;
        if n.is_multiple_of(2) {
            half[n / 2].im = T::ZERO;
        }
        T::backward(&mut half, y.real[0]);
    }
}

fn paired<T: Copy>(re: &[T], im: &[T]) -> Vec<Complex<T>> {
    re.iter().zip(im).map(|(&re, &im)| Complex { re, im }).collect()
}

fn split<T: Copy>(z: &[Complex<T>], re: &mut [T], im: &mut [T]) {
    for ((z, re), im) in z.iter().zip(re).zip(im) {
        (*re, *im) = (z.re, z.im);
    }
}

/// What transforms ask of an element.
pub(crate) trait Transform: Copy {
    fn transform(row: &mut [Complex<Self>], inverse: bool);
    fn forward(row: &[Self]) -> Vec<Complex<Self>>;
    /// The half is overwritten.
    fn backward(half: &mut [Complex<Self>], row: &mut [Self]);
}

#[cfg(feature = "fft")]
mod library {
    use super::Transform;
    use num_complex::Complex;
    use realfft::RealFftPlanner;
    use rustfft::{FftNum, FftPlanner};
    use std::cell::RefCell;
    use std::collections::HashSet;

    /// So many lengths have plans at once.
    const KEPT: usize = 128;

    struct Plans<T: FftNum> {
        lengths: HashSet<usize>,
        complex: FftPlanner<T>,
        real: RealFftPlanner<T>,
    }

    impl<T: FftNum> Plans<T> {
        fn new() -> Self {
            Plans { lengths: HashSet::new(), complex: FftPlanner::new(), real: RealFftPlanner::new() }
        }

        fn of_length(&mut self, n: usize) -> &mut Self {
            if self.lengths.insert(n) && self.lengths.len() > KEPT {
                *self = Plans::new();
            }
            self
        }
    }

    macro_rules! transforms {
        ($($t:ty, $plans:ident;)*) => {$(
            thread_local! {
                static $plans: RefCell<Plans<$t>> = RefCell::new(Plans::new());
            }

            impl Transform for $t {
                fn transform(row: &mut [Complex<$t>], inverse: bool) {
                    let n = row.len();
                    let plan = $plans.with_borrow_mut(|plans| {
                        let plans = plans.of_length(n);
                        if inverse { plans.complex.plan_fft_inverse(n) } else { plans.complex.plan_fft_forward(n) }
                    });
                    plan.process(row);
                }

                fn forward(row: &[$t]) -> Vec<Complex<$t>> {
                    let plan = $plans.with_borrow_mut(|plans| plans.of_length(row.len()).real.plan_fft_forward(row.len()));
                    let mut half = plan.make_output_vec();
                    // The row is scratch for the library.
                    plan.process(&mut row.to_vec(), &mut half).expect("the lengths are those of the plan");
                    half
                }

                fn backward(half: &mut [Complex<$t>], row: &mut [$t]) {
                    let plan = $plans.with_borrow_mut(|plans| plans.of_length(row.len()).real.plan_fft_inverse(row.len()));
                    plan.process(half, row).expect("the numbers that must be real are");
                }
            }
        )*};
    }

    transforms! { f32, PLANS_F32; f64, PLANS_F64; }
}

#[cfg(any(test, not(feature = "fft")))]
mod plain {
    use num_complex::Complex;
    use std::f64::consts::TAU;

    /// By the definition, in `f64`.
    pub(super) fn transform(row: &[Complex<f64>], inverse: bool) -> Vec<Complex<f64>> {
        let n = row.len();
        let sign = if inverse { 1.0 } else { -1.0 };
        let unit = |k: usize| Complex::from_polar(1.0, sign * TAU * k as f64 / n as f64);
        let units: Vec<Complex<f64>> = (0..n).map(unit).collect();
        (0..n).map(|k| row.iter().enumerate().map(|(j, x)| x * units[j * k % n]).sum()).collect()
    }

    #[cfg(not(feature = "fft"))]
    macro_rules! transforms {
        ($($t:ty),*) => {$(
            impl super::Transform for $t {
                fn transform(row: &mut [Complex<$t>], inverse: bool) {
                    let wide: Vec<Complex<f64>> = row.iter().map(|z| Complex::new(z.re as f64, z.im as f64)).collect();
                    for (z, y) in row.iter_mut().zip(transform(&wide, inverse)) {
                        *z = Complex::new(y.re as $t, y.im as $t);
                    }
                }

                fn forward(row: &[$t]) -> Vec<Complex<$t>> {
                    let mut whole: Vec<Complex<$t>> = row.iter().map(|&re| Complex::new(re, 0.0)).collect();
                    Self::transform(&mut whole, false);
                    whole.truncate(row.len() / 2 + 1);
                    whole
                }

                fn backward(half: &mut [Complex<$t>], row: &mut [$t]) {
                    let n = row.len();
                    let mut whole: Vec<Complex<$t>> =
                        (0..n).map(|k| if k < half.len() { half[k] } else { half[n - k].conj() }).collect();
                    Self::transform(&mut whole, true);
                    row.iter_mut().zip(&whole).for_each(|(x, z)| *x = z.re);
                }
            }
        )*};
    }

    #[cfg(not(feature = "fft"))]
    transforms!(f32, f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_is_transformed_as_by_the_definition() {
        for n in [1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 31, 60, 97, 128, 130, 211] {
            let row: Vec<Complex<f64>> =
                (0..n).map(|k| Complex::new((k as f64 * 1.3).sin(), (k as f64 * 0.7 + 1.0).cos())).collect();
            for inverse in [false, true] {
                let mut found = row.clone();
                f64::transform(&mut found, inverse);
                let far = found.iter().zip(plain::transform(&row, inverse)).map(|(a, b)| (a - b).norm());
                assert!(far.fold(0.0, f64::max) < 1e-12 * n as f64, "{n}");
            }
            let real: Vec<f64> = row.iter().map(|z| z.re).collect();
            let mut half = f64::forward(&real);
            let whole = plain::transform(&real.iter().map(|&x| Complex::new(x, 0.0)).collect::<Vec<_>>(), false);
            assert!(half.len() == n / 2 + 1 && half.iter().zip(&whole).all(|(a, b)| (a - b).norm() < 1e-12 * n as f64));
            half[0].im = 0.0;
            if n % 2 == 0 {
                half[n / 2].im = 0.0;
            }
            let mut back = vec![0.0; n];
            f64::backward(&mut half, &mut back);
            assert!(back.iter().zip(&real).all(|(a, b)| (a / n as f64 - b).abs() < 1e-13), "{n}");
        }
    }
}
