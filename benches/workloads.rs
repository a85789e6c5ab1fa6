//! The workloads of the benchmark harness, from a chain of scalars to a training step.

use wengert::prelude::*;
use wengert::{arange, zeros_of};

/// A function and its arguments.
pub struct Workload {
    /// Its name in the table.
    pub name: &'static str,
    /// What is measured.
    pub run: Box<dyn Runner>,
}

/// The ways to run a workload.
pub trait Runner {
    /// Operation by operation.
    fn interpreted(&self);
    /// As machine code that exists.
    fn compiled(&self);
    /// The program, traced and transformed anew.
    fn traced(&self) -> std::sync::Arc<wengert::Program>;
}

struct Case<F, G, A: Tree> {
    function: F,
    compiled: G,
    arguments: A,
}

impl<A: Tree + Clone, R: Tree, F: Fn(A) -> R, G: Fn(A) -> R> Runner for Case<F, G, A> {
    fn interpreted(&self) {
        drop(interpret(&self.function)(self.arguments.clone()));
    }

    fn compiled(&self) {
        drop((self.compiled)(self.arguments.clone()));
    }

    fn traced(&self) -> std::sync::Arc<wengert::Program> {
        trace(&self.function, &self.arguments)
    }
}

fn workload<A: Tree + Clone + 'static, R: Tree + 'static>(
    name: &'static str,
    f: impl Fn(A) -> R + Clone + 'static,
    arguments: A,
) -> Workload {
    Workload { name, run: Box::new(Case { compiled: jit(f.clone()), function: f, arguments }) }
}

/// Fixed numbers in -1..1 without a pattern.
pub fn numbers(shape: &[usize], scale: f64) -> Array {
    let n: usize = shape.iter().product();
    let spread = (0..n).map(|i| ((i as f64 * 0.618).sin() * 43758.547).fract() * scale).collect::<Vec<f64>>();
    Array::from(spread).reshape(shape)
}

fn f32s(shape: &[usize], scale: f64) -> Array {
    numbers(shape, scale).convert(DType::F32)
}

/// x² + 3x + 5.
pub fn quadratic(x: Array) -> Array {
    x.square() + 3.0 * &x + 5.0
}

/// Weights and biases of layers, innermost first.
pub type Layers = Vec<(Array, Array)>;

/// Layers of these widths, in f32.
pub fn layers(widths: &[usize]) -> Layers {
    let layer = |w: &[usize]| (f32s(w, (3.0 / w[0] as f64).sqrt()), zeros_of(DType::F32, [w[1]]));
    widths.windows(2).map(layer).collect()
}

/// The mean cross entropy of a network with rectified layers.
pub fn mlp_loss(layers: &Layers, x: &Array, y: &Array) -> Array {
    let (last, hidden) = layers.split_last().expect("a network has a layer");
    let h = hidden.iter().fold(x.clone(), |h, (w, b)| (h.matmul(w) + b).relu());
    -((h.matmul(&last.0) + &last.1).log_softmax(-1) * y).sum_axis(-1).mean()
}

/// One step of gradient descent on [`mlp_loss`].
pub fn mlp_step((layers, x, y): (Layers, Array, Array)) -> Layers {
    let slopes = grad(|l: Layers| mlp_loss(&l, &x, &y))(layers.clone());
    let moved = |((w, b), (dw, db)): (&(Array, Array), &(Array, Array))| (w - 1e-3 * dw, b - 1e-3 * db);
    layers.iter().zip(&slopes).map(moved).collect()
}

/// A network, a batch of inputs, and targets.
pub fn mlp_arguments(batch: usize) -> (Layers, Array, Array) {
    let classes = Array::from((0..batch as i64).map(|i| i % 10).collect::<Vec<i64>>());
    (layers(&[784, 256, 256, 10]), f32s(&[batch, 784], 1.0), classes.one_hot(10).convert(DType::F32))
}

/// The summed last state of a long short-term memory cell run over `x`, as a function of its weights.
pub fn lstm_loss((w, u, b, x): (Array, Array, Array, Array)) -> Array {
    let n = u.shape()[0];
    let step = |(h, c): (Array, Array), x: Array| {
        let gates = x.matmul(&w) + h.matmul(&u) + &b;
        let gate = |k: usize| gates.slice_axis(0, k * n..(k + 1) * n);
        let c = gate(0).logistic() * c + gate(1).logistic() * gate(2).tanh();
        ((gate(3).logistic() * c.tanh(), c), ())
    };
    let zero = || zeros_of(x.dtype(), [n]);
    let ((h, _), ()) = scan(step, (zero(), zero()), x.clone());
    h.sum()
}

/// Weights and a sequence for [`lstm_loss`].
pub fn lstm_arguments(n: usize, length: usize) -> (Array, Array, Array, Array) {
    (numbers(&[n, 4 * n], 0.1), numbers(&[n, 4 * n], 0.1), numbers(&[4 * n], 0.1), numbers(&[length, n], 1.0))
}

/// Twelve workloads.
pub fn all() -> Vec<Workload> {
    let chain = |x: Array| (0..100).fold(x, |x, _| x.sin() * 1.01 + 0.1);
    let steps = |x: Array| fori_loop(0, 1000, |_, x: Array| &x + 0.01 * (1.5 * &x - x.powi(3)), x);
    let newton = |a: Array| {
        while_loop(|x: Array| (x.square() - &a).abs().gt(1e-12), |x: Array| 0.5 * (&x + &a / &x), Array::from(1.0))
    };
    let wave = |x: Array| (-x.square()).exp() * x.sin() + x.square().log1p();
    let logistic = |(w, x, y): (Array, Array, Array)| {
        let z = x.dot(&w);
        (z.softplus() - y * z).sum()
    };
    let table = |t: Array| {
        let i = arange(0i64, t.shape()[0] as i64, 1);
        scan(|sum: Array, i: Array| (sum + t.at(&i).sin(), ()), Array::from(0.0), i).0
    };
    vec![
        workload("scalar chain, 100 steps", chain, 0.5.into()),
        workload("gradient of x² + 3x + 5", |x| grad(quadratic)(x), 2.0.into()),
        workload("cubic, 1000 steps of a loop", steps, 0.3.into()),
        workload("gradient of 1000 steps", move |x| grad(steps)(x), 0.3.into()),
        workload("gradient through Newton's method", move |a| grad(newton)(a), 2.0.into()),
        workload("exp(-x²) sin x + log1p(x²), 100k", wave, numbers(&[100_000], 3.0)),
        workload("its gradient", move |x| grad(move |x: Array| wave(x).sum())(x), numbers(&[100_000], 3.0)),
        workload("softmax, 1000 rows of 256", |x: Array| x.softmax(-1), f32s(&[1000, 256], 3.0)),
        workload(
            "Hessian of a logistic regression, 1000 x 20",
            move |(w, x, y): (Array, Array, Array)| hessian(|w: Array| logistic((w, x.clone(), y.clone())))(w),
            (numbers(&[20], 0.1), numbers(&[1000, 20], 1.0), numbers(&[1000], 1.0)),
        ),
        workload("gradient of a table read in a scan, 1000", move |t| grad(table)(t), numbers(&[1000], 1.0)),
        workload("gradient of an LSTM cell, 32 units, 50 steps", move |a| grad(lstm_loss)(a), lstm_arguments(32, 50)),
        workload("step of an MLP 784-256-256-10, batch 32", mlp_step, mlp_arguments(32)),
    ]
}
