//! Models and their derivatives: networks, Rosenbrock's function, logistic regression.

use crate::{Case, integers, numbers, uniform};
use wengert::prelude::*;
use wengert::{linalg, tree};
use wengert_benches::{Layers, layers, mlp_arguments, mlp_loss};

type Training = (Layers, Array, Array);

/// One step of stochastic gradient descent; the batch goes through unchanged. Also returns the loss.
pub fn descend((parameters, x, y, _): (Layers, Array, Array, Array)) -> (Layers, Array, Array, Array) {
    let (loss, slopes) = value_and_grad(|p: Layers| mlp_loss(&p, &x, &y))(parameters.clone());
    (tree::map(|[p, g]| p - 1e-3 * g, [parameters, slopes]), x, y, loss)
}

/// Parameters, the two moments, the number of steps.
type Adam = (Layers, Layers, Layers, Array);

/// One step of Adam (D. Kingma, J. Ba, 2014).
fn adam(((parameters, m, v, n), x, y, _): (Adam, Array, Array, Array)) -> (Adam, Array, Array, Array) {
    let (loss, slopes) = value_and_grad(|p: Layers| mlp_loss(&p, &x, &y))(parameters.clone());
    let n = n + 1.0;
    let m = tree::map(|[m, g]| 0.9 * m + 0.1 * g, [m, slopes.clone()]);
    let v = tree::map(|[v, g]| 0.999 * v + 0.001 * g.square(), [v, slopes]);
    let (first, second) = (1.0 - Array::from(0.9f32).pow(&n), 1.0 - Array::from(0.999f32).pow(&n));
    let moved = |[p, m, v]: [Array; 3]| p - 1e-3 * (m / &first) / ((v / &second).sqrt() + 1e-8);
    ((tree::map(moved, [parameters, m.clone(), v.clone()]), m, v, n), x, y, loss)
}

/// What is compared of a step: the loss before it and the parameters after it.
fn shown(loss: Array, parameters: Layers) -> Vec<Array> {
    std::iter::once(loss).chain(tree::flatten(parameters).0).collect()
}

/// Parameters, a batch, and a loss for [`descend`].
pub fn training(batch: usize) -> (Layers, Array, Array, Array) {
    let (parameters, x, y) = mlp_arguments(batch);
    (parameters, x, y, zeros_of(DType::F32, ()))
}

/// Training of a network 784-256-256-10.
pub fn mlp() -> Vec<Case> {
    let mut all = Vec::new();
    for batch in [32, 128, 1024] {
        let start = move || training(batch);
        all.push(Case::repeated("sgd", batch, DType::F32, descend, start, |(p, _, _, loss)| shown(loss, p)));
        let start = move || {
            let (parameters, x, y) = mlp_arguments(batch);
            let zeros = || tree::map(|[p]| zeros_like(&p), [parameters.clone()]);
            ((parameters.clone(), zeros(), zeros(), zeros_of(DType::F32, ())), x, y, zeros_of(DType::F32, ()))
        };
        all.push(Case::repeated("adam", batch, DType::F32, adam, start, |((p, ..), _, _, loss)| shown(loss, p)));
        let arguments = move || mlp_arguments(batch);
        all.push(Case::jitted("loss", batch, DType::F32, |(p, x, y): Training| mlp_loss(&p, &x, &y), arguments));
        all.push(Case::jitted("grad", batch, DType::F32, mlp_gradient, arguments));
    }
    all
}

/// The gradient of the loss.
pub fn mlp_gradient((p, x, y): Training) -> Layers {
    grad(|p: Layers| mlp_loss(&p, &x, &y))(p)
}

/// Rosenbrock's function.
pub fn rosenbrock(x: Array) -> Array {
    let (next, here) = (x.slice(1..), x.slice(..-1));
    (100.0 * (next - here.square()).square() + (1.0 - here).square()).sum()
}

fn residuals(x: Array) -> Array {
    let (next, here) = (x.slice(1..), x.slice(..-1));
    concatenate(&[10.0 * (next - here.square()), 1.0 - here], 0)
}

type Function = fn(Array) -> Array;

/// Jacobians and Hessians of Rosenbrock's function.
pub fn hessians() -> Vec<Case> {
    let mut all = Vec::new();
    for n in [10, 100, 1000] {
        let functions: [(&str, Function); 5] = [
            ("rosen_grad", |x| grad(rosenbrock)(x)),
            ("rosen_fwdrev", |x| hessian(rosenbrock)(x)),
            ("rosen_revrev", |x| jacrev(jacrev(rosenbrock))(x)),
            ("res_jacfwd", |x| jacfwd(residuals)(x)),
            ("res_jacrev", |x| jacrev(residuals)(x)),
        ];
        all.extend(functions.map(|(name, f)| Case::jitted(name, n, DType::F64, f, move || uniform(DType::F64, n, 0))));
    }
    all
}

/// Products of Hessians with vectors.
pub fn hessian_products() -> Vec<Case> {
    let product = |(x, v): (Array, Array)| hvp(rosenbrock)(x, v);
    let of = |n: usize| {
        Case::jitted("rosen", n, DType::F64, product, move || (uniform(DType::F64, n, 0), uniform(DType::F64, n, 1)))
    };
    let network = |(p, v, x, y): (Layers, Layers, Array, Array)| hvp(|p: Layers| mlp_loss(&p, &x, &y))(p, v);
    let arguments = || {
        let (p, x, y) = mlp_arguments(128);
        (p.clone(), p, x, y)
    };
    [10, 1000, 100_000].map(of).into_iter().chain([Case::jitted("mlp", 128, DType::F32, network, arguments)]).collect()
}

/// Gradients of a function by example.
pub fn gradients_of_batches() -> Vec<Case> {
    let loss = |p: &Layers, x: &Array, y: &Array| {
        let hidden = (x.dot(&p[0].0) + &p[0].1).tanh();
        (hidden.dot(&p[1].0) + &p[1].1 - y).square().sum()
    };
    let by_example = move |(p, x, y): Training| {
        let one = |(p, x, y): Training| grad(|p: Layers| loss(&p, &x, &y))(p);
        vmap_axes(one, [None, None, None, None, Some(0), Some(0)], 0)((p, x, y))
    };
    let network = |batch: usize| {
        let arguments =
            move || (layers(&[8, 16, 1]), numbers(DType::F32, (batch, 8), 0), numbers(DType::F32, (batch, 1), 1));
        Case::jitted("mlp8-16-1", batch, DType::F32, by_example, arguments)
    };
    let wave = |x: Array| x.sin() * (-(&x * &x)).exp();
    let many = || numbers(DType::F64, 100_000, 0);
    vec![
        network(1000),
        network(100_000),
        Case::jitted("scalar", 100_000, DType::F64, move |x| vmap(grad(wave))(x), many),
        Case::jitted("scalar_2nd", 100_000, DType::F64, move |x| vmap(grad(grad(wave)))(x), many),
    ]
}

type Regression = (Array, Array, Array);

fn regression(dtype: DType) -> Regression {
    let labels = integers(2, 100_000, 2).convert(dtype);
    (numbers(dtype, 50, 1) * 0.1, numbers(dtype, (100_000, 50), 0), labels)
}

fn logistic((w, x, y): Regression) -> Array {
    let z = x.dot(&w);
    (z.logaddexp(0.0) - y * z).sum()
}

/// Of 100,000 examples of 50 numbers.
pub fn logistic_regression() -> Vec<Case> {
    let gradient = |(w, x, y): Regression| grad(|w: Array| logistic((w, x.clone(), y.clone())))(w);
    let curvature = |(w, x, y): Regression| hessian(|w: Array| logistic((w, x.clone(), y.clone())))(w);
    let newton = move |(w, x, y): Regression| {
        let data = |w: Array| (w, x.clone(), y.clone());
        fori_loop(0, 5, |_, w: Array| &w - linalg::solve(&curvature(data(w.clone())), &gradient(data(w.clone()))), w)
    };
    let mut all = Vec::new();
    for dtype in [DType::F32, DType::F64] {
        let (size, arguments) = ("100kx50", move || regression(dtype));
        all.push(Case::jitted("loss", size, dtype, logistic, arguments));
        all.push(Case::jitted("grad", size, dtype, gradient, arguments));
        all.push(Case::jitted("hessian", size, dtype, curvature, arguments));
    }
    all.push(Case::jitted("newton5", "100kx50", DType::F64, newton, || regression(DType::F64)));
    all
}
