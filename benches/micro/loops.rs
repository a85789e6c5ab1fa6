//! Loops over small states: recurrent networks, an integrator of ordinary differential equations, scalars.

use crate::{Case, numbers};
use wengert::prelude::*;

/// The square of the last state of a recurrent network.
fn recurrent((w, u, x): (Array, Array, Array)) -> Array {
    let step = |s: Array, x: Array| ((w.dot(&s) + u.dot(&x)).tanh(), ());
    scan(step, zeros_of(w.dtype(), [w.shape()[0]]), x.clone()).0.square().sum()
}

/// Its gradient by both matrices.
pub fn recurrent_gradient((w, u, x): (Array, Array, Array)) -> (Array, Array) {
    grad(|(w, u): (Array, Array)| recurrent((w, u, x.clone())))((w, u))
}

/// Two matrices of `h` rows and 1000 inputs.
pub fn recurrent_arguments(h: usize) -> (Array, Array, Array) {
    let d = DType::F64;
    (numbers(d, (h, h), 0) * 0.1, numbers(d, (h, h), 1) * 0.1, numbers(d, (1000, h), 2))
}

/// Van der Pol's oscillator, 1000 steps of the classical method of Runge and Kutta.
fn oscillator(mu: Array) -> Array {
    let slope = |y: &Array| {
        let (position, speed) = (y.at(0), y.at(1));
        stack(&[speed.clone(), &mu * (1.0 - position.square()) * speed - position], 0)
    };
    let h = 0.01;
    let step = |_, y: Array| {
        let k1 = slope(&y);
        let k2 = slope(&(&y + h / 2.0 * &k1));
        let k3 = slope(&(&y + h / 2.0 * &k2));
        let k4 = slope(&(&y + h * &k3));
        y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    };
    fori_loop(0, 1000, step, array![1.0, 0.5]).sum()
}

fn cubic(mu: Array) -> Array {
    fori_loop(0, 1000, |_, x: Array| &x + 0.01 * (&mu * &x - &x * &x * &x), Array::from(0.3))
}

fn root(a: Array) -> Array {
    let on = |(x, i): (Array, Array)| (&x * &x - &a).abs().gt(1e-12) & i.lt(1000);
    while_loop(on, |(x, i): (Array, Array)| (&x - 0.01 * (&x * &x - &a), i + 1), (Array::from(1.0), Array::from(0))).0
}

/// All of them, in `f64`.
pub fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let d = DType::F64;
    for h in [4, 32] {
        let size = format!("h{h}x1000");
        let arguments = move || recurrent_arguments(h);
        all.push(Case::jitted("rnn_fwd", &size, d, recurrent, arguments));
        all.push(Case::jitted("rnn_grad", &size, d, recurrent_gradient, arguments));
    }
    let start = || Array::from(1.5);
    all.push(Case::jitted("rk4_fwd", "2x1000", d, oscillator, start));
    all.push(Case::jitted("rk4_grad", "2x1000", d, |mu| grad(oscillator)(mu), start));
    all.push(Case::jitted("rk4_jvp", "2x1000", d, |mu| jvp(oscillator)(mu, 1.0.into()), start));
    let many = || linspace(0.5, 2.0, 1000);
    all.push(Case::jitted("rk4_vmap1000_grad", "1000x2x1000", d, |mu| vmap(grad(oscillator))(mu), many));
    all.push(Case::jitted("scalar_fwd", "1x1000", d, cubic, start));
    all.push(Case::jitted("scalar_grad", "1x1000", d, |mu| grad(cubic)(mu), start));
    all.push(Case::jitted("while_fwd", "1x<=1000", d, root, || 2.0.into()));
    all
}
