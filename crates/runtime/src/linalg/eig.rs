//! Eigenvalues and eigenvectors of general matrices.
//!
//! Small ones by rotations to Hessenberg form and QR steps with Wilkinson's shifts (Golub and Van Loan, 7.4 and 7.5), in
//! complex `f64`; larger ones by the library.

#[cfg(feature = "linalg")]
use super::large;
use super::{finite, scaled};
use crate::each_part::{Kernel, Kind, Operands, Part, Results};
use crate::real::Real;
use num_complex::Complex;

type C = Complex<f64>;

/// Matrices of at most this many rows are served by the plain loops.
#[cfg(feature = "linalg")]
const SMALL: usize = 8;

/// `[vectors]`: `re, im` of `A` to the real, then the imaginary parts of its eigenvalues and, when asked for, of eigenvectors
/// as columns: of length 1, with a largest element that is real and positive. NaN where `A` is not finite.
pub(super) struct Eig;

impl Kernel for Eig {
    const OPTIONS: usize = 1;
    const OPERANDS: &'static [(Kind, usize)] = &[(Kind::Real, 2), (Kind::Real, 2)];
    const RESULTS: &'static [Kind] = &[Kind::Real, Kind::Real];

    fn sizes(part: &Part<'_>) -> Vec<usize> {
        let n = part.lengths[0];
        if part.options[0] != 0 { vec![2 * n, 2 * n * n] } else { vec![2 * n] }
    }

    fn run<T: Real>(part: &Part<'_>, x: &Operands<'_, T>, y: &mut Results<'_, T>) {
        let (n, vectors) = (part.lengths[0], part.options[0] != 0);
        if n == 0 {
            return;
        }
        let mut all = [x.real[0], x.real[1]].concat();
        if !finite(&all) {
            return y.nan();
        }
        let scale = scaled(&mut all);
        let (re, im) = all.split_at(n * n);
        let Some((values, mut columns)) = eigen(re, im, n, vectors) else { return y.nan() };
        let [w, v, _] = &mut y.real;
        for (i, value) in values.iter().enumerate() {
            w[i] = value.re * scale;
            w[n + i] = value.im * scale;
        }
        if vectors {
            (0..n).for_each(|j| normalise(&mut columns, n, j));
            for (k, z) in columns.iter().enumerate() {
                v[k] = T::of(z.re);
                v[n * n + k] = T::of(z.im);
            }
        }
    }
}

/// Values, and columns of any length, row-major.
type Pairs<T> = (Vec<Complex<T>>, Vec<C>);

fn eigen<T: Real>(re: &[T], im: &[T], n: usize, vectors: bool) -> Option<Pairs<T>> {
    let wide = |x: T| wengert_kernel::scalar::convert::<T, f64>(x);
    let mut a: Vec<C> = re.iter().zip(im).map(|(&re, &im)| C::new(wide(re), wide(im))).collect();
    #[cfg(feature = "linalg")]
    if n > SMALL
        && let Some((values, columns)) = large::eig(re, im, n, vectors)
        && (!vectors || fit(&a, n, &values, &columns))
    {
        return Some((values, columns));
    }
    let mut q: Vec<C> = (0..n * n).map(|k| C::new((k / n == k % n) as u8 as f64, 0.0)).collect();
    schur(&mut a, n, &mut q).then(|| {
        let values = (0..n).map(|i| a[i * n + i]).map(|z| Complex { re: T::of(z.re), im: T::of(z.im) }).collect();
        (values, if vectors { columns(&a, n, &q) } else { Vec::new() })
    })
}

/// Whether the pairs are pairs but for rounding. Of matrices with many equal eigenvalues the library's may not be.
#[cfg(feature = "linalg")]
fn fit<T: Real>(a: &[C], n: usize, values: &[Complex<T>], columns: &[C]) -> bool {
    let wide = |x: T| wengert_kernel::scalar::convert::<T, f64>(x);
    let rows = |i: usize| a[i * n..][..n].iter().map(|z| z.norm()).sum::<f64>();
    let bound = 100.0 * wide(T::EPSILON) * (0..n).map(rows).fold(0.0, f64::max);
    // Column by column, of the transposed array, so that memory is read in order.
    let vectors: Vec<C> = (0..n * n).map(|k| columns[k % n * n + k / n]).collect();
    vectors.chunks(n).zip(values).all(|(v, value)| {
        let value = C::new(wide(value.re), wide(value.im));
        let size = v.iter().fold(0.0f64, |m, z| m.max(z.norm()));
        let residual = |i: usize| (a[i * n..][..n].iter().zip(v).map(|(a, v)| a * v).sum::<C>() - value * v[i]).norm();
        size > 0.0 && (0..n).all(|i| residual(i) <= bound * size)
    })
}

/// Length 1; of the largest element (the first of equals) the angle is 0.
fn normalise(columns: &mut [C], n: usize, j: usize) {
    let size = |z: C| z.re.hypot(z.im);
    let length = (0..n).fold(0.0f64, |length, i| length.hypot(size(columns[i * n + j])));
    let largest = (0..n).fold(0, |k, i| if size(columns[i * n + j]) > size(columns[k * n + j]) { i } else { k });
    let z = columns[largest * n + j];
    let factor = z.conj() / (size(z) * length);
    for i in 0..n {
        columns[i * n + j] *= factor;
    }
    columns[largest * n + j].im = 0.0;
}

/// `c` (real) and `s` with `c f + s g` of the length of `(f, g)` and `c g - conj(s) f` zero.
fn rotation(f: C, g: C) -> (f64, C) {
    let (p, q) = (f.norm(), g.norm());
    let length = p.hypot(q);
    if length == 0.0 {
        return (1.0, C::new(0.0, 0.0));
    }
    if p == 0.0 {
        return (0.0, g.conj() / q);
    }
    (p / length, f / p * (g.conj() / length))
}

/// Rotates rows `i` and `k`, from column `from` on.
fn rotate_rows(a: &mut [C], n: usize, (i, k): (usize, usize), (c, s): (f64, C), from: usize) {
    for j in from..n {
        let (x, y) = (a[i * n + j], a[k * n + j]);
        a[i * n + j] = x * c + s * y;
        a[k * n + j] = y * c - s.conj() * x;
    }
}

/// Rotates columns `i` and `k`, down to row `to`.
fn rotate_columns(a: &mut [C], n: usize, (i, k): (usize, usize), (c, s): (f64, C), to: usize) {
    for r in 0..to {
        let (x, y) = (a[r * n + i], a[r * n + k]);
        a[r * n + i] = x * c + s.conj() * y;
        a[r * n + k] = y * c - s * x;
    }
}

/// `a` becomes upper triangular, `T` with `A Q = Q T`; false when the steps do not converge.
fn schur(a: &mut [C], n: usize, q: &mut [C]) -> bool {
    for k in 0..n.saturating_sub(2) {
        for i in (k + 2..n).rev() {
            let turn = rotation(a[(i - 1) * n + k], a[i * n + k]);
            rotate_rows(a, n, (i - 1, i), turn, k);
            a[i * n + k] = C::new(0.0, 0.0);
            rotate_columns(a, n, (i - 1, i), turn, n);
            rotate_columns(q, n, (i - 1, i), turn, n);
        }
    }
    let size = a.iter().fold(0.0f64, |m, z| m.max(z.norm()));
    let (mut high, mut steps) = (n.saturating_sub(1), 0);
    while high > 0 {
        let small = |a: &[C], i: usize| {
            let near = a[(i - 1) * n + i - 1].norm() + a[i * n + i].norm();
            a[i * n + i - 1].norm() <= f64::EPSILON * if near == 0.0 { size } else { near }
        };
        let low = (1..=high).rev().find(|&i| small(a, i)).unwrap_or(0);
        if low > 0 {
            a[low * n + low - 1] = C::new(0.0, 0.0);
        }
        if low == high {
            (high, steps) = (high - 1, 0);
            continue;
        }
        steps += 1;
        if steps > 100 {
            return false;
        }
        let shift = if steps % 10 == 0 { exceptional(a, n, high) } else { wilkinson(a, n, high) };
        (low..=high).for_each(|i| a[i * n + i] -= shift);
        let mut turns = Vec::with_capacity(high - low);
        for k in low..high {
            let turn = rotation(a[k * n + k], a[(k + 1) * n + k]);
            rotate_rows(a, n, (k, k + 1), turn, k);
            a[(k + 1) * n + k] = C::new(0.0, 0.0);
            turns.push(turn);
        }
        for (k, turn) in (low..high).zip(turns) {
            rotate_columns(a, n, (k, k + 1), turn, k + 2);
            rotate_columns(q, n, (k, k + 1), turn, n);
        }
        (low..=high).for_each(|i| a[i * n + i] += shift);
    }
    true
}

/// The eigenvalue of the last two rows that is nearer to the last diagonal element.
fn wilkinson(a: &[C], n: usize, high: usize) -> C {
    let at = |i: usize, j: usize| a[i * n + j];
    let (p, s) = (at(high - 1, high - 1), at(high, high));
    let half = (p - s) * 0.5;
    let root = (half * half + at(high - 1, high) * at(high, high - 1)).sqrt();
    let [one, other] = [half + root, half - root];
    s + if one.norm() < other.norm() { one } else { other }
}

/// Now and then another shift, where that one goes in circles.
fn exceptional(a: &[C], n: usize, high: usize) -> C {
    a[high * n + high] + a[high * n + high - 1].norm()
}

/// The eigenvectors: those of the triangle by substitution, turned back.
fn columns(t: &[C], n: usize, q: &[C]) -> Vec<C> {
    let size = t.iter().fold(0.0f64, |m, z| m.max(z.norm()));
    let least = (size * f64::EPSILON).max(f64::MIN_POSITIVE);
    let mut v = vec![C::new(0.0, 0.0); n * n];
    for k in 0..n {
        let mut x = vec![C::new(0.0, 0.0); k + 1];
        x[k] = C::new(1.0, 0.0);
        for i in (0..k).rev() {
            let sum: C = (i + 1..=k).map(|j| t[i * n + j] * x[j]).sum();
            let gap = t[i * n + i] - t[k * n + k];
            x[i] = -sum / if gap.norm() < least { C::new(least, 0.0) } else { gap };
            // Near a defective matrix the elements grow without bound.
            let largest = x[i].norm();
            if largest > 1e100 {
                x.iter_mut().for_each(|x| *x /= largest);
            }
        }
        for i in 0..n {
            v[i * n + k] = (0..=k).map(|j| q[i * n + j] * x[j]).sum();
        }
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_loops_and_the_library_find_pairs() {
        for n in [1usize, 2, 3, 5, 8, 9, 20] {
            for imaginary in [0.0, 1.0] {
                let number = |k: usize| ((k * 7919 + 13) % 101) as f64 / 50.0 - 1.0;
                let re: Vec<f64> = (0..n * n).map(number).collect();
                let im: Vec<f64> = (0..n * n).map(|k| number(k + 3) * imaginary).collect();
                let mut a: Vec<C> = re.iter().zip(&im).map(|(&re, &im)| C::new(re, im)).collect();
                let given = a.clone();
                let mut q: Vec<C> = (0..n * n).map(|k| C::new((k / n == k % n) as u8 as f64, 0.0)).collect();
                assert!(schur(&mut a, n, &mut q));
                let values: Vec<C> = (0..n).map(|i| a[i * n + i]).collect();
                judge(&given, n, &values, columns(&a, n, &q));
                let (values, columns) = eigen(&re, &im, n, true).expect("it converges");
                judge(&given, n, &values, columns);
            }
        }
    }

    fn judge(a: &[C], n: usize, values: &[C], mut v: Vec<C>) {
        (0..n).for_each(|j| normalise(&mut v, n, j));
        for j in 0..n {
            let length: f64 = (0..n).map(|i| v[i * n + j].norm_sqr()).sum();
            assert!((length - 1.0).abs() < 1e-13);
            for i in 0..n {
                let product: C = (0..n).map(|k| a[i * n + k] * v[k * n + j]).sum();
                let far = (product - values[j] * v[i * n + j]).norm();
                assert!(far < 1e-11, "{n} {i} {j}: {far:e}, {} {}", values[j], v[i * n + j]);
            }
        }
    }
}
