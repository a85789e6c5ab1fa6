//! `check_grads`: derivatives against finite differences, in both modes.

use crate::gradient::{jvp, vjp};
use wengert_core::source::UserCall;
use wengert_core::{Array, Error, ErrorKind, Tree, tree};

/// Compares forward and reverse mode with central differences along fixed pseudo-random directions.
///
/// `f` takes and returns any trees of `f64` arrays (other arrays are held fixed). The forward derivative is compared with
/// `(f(x + h v) - f(x - h v)) / 2h`, extrapolated from two step sizes, and the reverse one with the forward one through
/// `<w, J v> = <J^T w, v>`; of complex arrays the real part of these.
///
/// # Errors
/// Names the mode and both numbers when they differ by more than `tolerance`, relative to the larger of 1 and their size.
///
/// ```
/// use wengert::prelude::*;
///
/// check_grads(|x: Array| x.sin().sum(), Array::from([0.1, 0.2]), 1e-6)?;
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn check_grads<A: Tree + Clone, R: Tree>(f: impl Fn(A) -> R, x: A, tolerance: f64) -> Result<(), Error> {
    let call = UserCall::here("check_grads");
    for direction in 0..3 {
        let v = directions(x.clone(), direction);
        let (y, dy) = {
            let _called = call.enter();
            jvp(&f)(x.clone(), v.clone())
        };
        let w = directions(y, direction + 100);
        let weight = flat(tree::conjugate(w));
        let forward = inner(&weight, &flat(dy));
        let scale = flat(x.clone()).iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        let quotient = |h: f64| {
            let at = |h: f64| inner(&weight, &flat(f(moved(x.clone(), v.clone(), h))));
            (at(h) - at(-h)) / (2.0 * h)
        };
        // Richardson: the error of the pair is of order h^4.
        let h = 1e-3 * scale;
        let difference = (4.0 * quotient(h / 2.0) - quotient(h)) / 3.0;
        let place = |error: Error| error.at(call.source().clone());
        compare("forward mode", forward, "the finite difference", difference, tolerance).map_err(place)?;

        let (y, pullback) = {
            let _called = call.enter();
            vjp(&f, x.clone())
        };
        let ct = pullback(directions(y, direction + 100));
        let reverse = inner(&flat(tree::conjugate(ct)), &flat(v));
        compare("reverse mode", reverse, "forward mode", forward, tolerance).map_err(place)?;
    }
    Ok(())
}

fn compare(what: &str, found: f64, other: &str, wanted: f64, tolerance: f64) -> Result<(), Error> {
    let error = (found - wanted).abs() / found.abs().max(wanted.abs()).max(1.0);
    // A NaN on either side is a difference too.
    if error <= tolerance {
        return Ok(());
    }
    let message = format!(
        "check_grads: {what} gives {found}, {other} gives {wanted}; they differ by {error:.1e}, more than {tolerance:.1e}; the function may not be smooth at this point, or stop a derivative (`stop_gradient`, `floor`, integers)"
    );
    Err(Error::new(ErrorKind::Check, message))
}

/// The float elements of all leaves, one after the other.
fn flat<T: Tree>(tree: T) -> Vec<f64> {
    let mut leaves = Vec::new();
    tree.into_leaves(&mut leaves);
    let floats = leaves.iter().filter(|x| x.dtype().is_float());
    floats.flat_map(|x| x.convert(wengert_core::DType::F64).to_vec::<f64>().expect("it is concrete and f64")).collect()
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// A tree of the same structure with fixed pseudo-random entries in -1..1; integer arrays stay.
fn directions<T: Tree>(tree: T, seed: u64) -> T {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    mapped(tree, |x| {
        if !x.dtype().is_float() {
            return x;
        }
        let mut next = || {
            // Knuth's MMIX generator; only some spread is wanted.
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        };
        let data: Vec<f64> = (0..x.size()).map(|_| next()).collect();
        Array::from(data).reshape(x.shape()).convert(x.dtype())
    })
}

/// `x + h v` in the float leaves.
fn moved<T: Tree>(x: T, v: T, h: f64) -> T {
    let mut steps = Vec::new();
    v.into_leaves(&mut steps);
    let mut steps = steps.into_iter();
    mapped(x, |x| {
        let v = steps.next().expect("one step for each leaf");
        if x.dtype().is_float() { x + v * h } else { x }
    })
}

fn mapped<T: Tree>(tree: T, f: impl FnMut(Array) -> Array) -> T {
    let mut leaves = Vec::new();
    let def = tree.into_leaves(&mut leaves);
    T::from_leaves(&def, &mut leaves.into_iter().map(f))
}
