//! A tour in ten short steps, from one derivative to a small network trained by a compiled step.

use std::time::{Duration, Instant};
use wengert::prelude::*;
use wengert::{Error, tree, zeros_of};
use wengert_examples::data::{digits, scattered};

fn main() -> Result<(), Error> {
    step(1, "an array and what can be done with it");
    let x = Array::from([1.0, 2.0, 3.0]);
    println!("x = {x}\nx² sin x = {:.4}\nsum = {}", x.square() * x.sin(), x.sum());

    step(2, "the derivative of a plain function: x² + 3x + 5 at 2");
    fn f(x: Array) -> Array {
        x.square() + 3.0 * &x + 5.0
    }
    println!("f(2) = {}, f'(2) = {}, f''(2) = {}", f(2.0.into()), grad(f)(2.0.into()), grad(grad(f))(2.0.into()));

    step(3, "what the derivative is: a program");
    println!("{}", trace(grad(f), &Array::from(2.0)));

    step(4, "the same in machine code");
    let slope = jit(grad(f));
    println!("jit(grad(f))(2) = {}", slope(2.0.into()));

    step(5, "forward mode, reverse mode, and finite differences beside them");
    let g = |x: Array| (x.sin() * x.exp()).sum();
    let (_, forward) = jvp(g)(x.clone(), Array::from([1.0, 0.0, 0.0]));
    let h = 1e-6;
    let difference = (g(&x + Array::from([h, 0.0, 0.0])) - g(&x - Array::from([h, 0.0, 0.0]))) / (2.0 * h);
    println!("forward    {forward:.9}\nreverse    {:.9}\ndifference {difference:.9}", grad(g)(x.clone()).at(0));
    check_grads(g, x.clone(), 1e-6)?;

    step(6, "one example to a batch: vmap, and per-example gradients");
    let batch = array![[1.0, 2.0, 3.0], [0.1, 0.2, 0.3]];
    println!("{:.4}", vmap(grad(g))(batch));

    step(7, "a loop whose length depends on data, in reverse mode: the derivative of Newton's square root");
    let root = |a: Array| {
        while_loop(|x: Array| (x.square() - &a).abs().gt(1e-12), |x: Array| 0.5 * (&x + &a / &x), Array::from(1.0))
    };
    println!(
        "√2 = {:.9}, d√2 = {:.9}, exactly {:.9}",
        root(2.0.into()),
        jit(grad(root))(2.0.into()),
        0.5 / 2f64.sqrt()
    );

    step(8, "Hessians by composition");
    let rosenbrock = |x: Array| {
        let (a, b) = (x.at(0), x.at(1));
        (1.0 - &a).square() + 100.0 * (b - a.square()).square()
    };
    println!("{}", jit(hessian(rosenbrock))(Array::from([1.0, 1.0])));

    step(9, "errors say what to do");
    let error = try_jit(|(a, b): (Array, Array)| a.dot(&b))((Array::from([1.0, 2.0]), Array::from([1.0, 2.0, 3.0])));
    println!("{}", error.expect_err("the lengths differ"));

    step(10, "a network on handwritten digits, trained by one compiled step");
    train()
}

fn step(n: usize, title: &str) {
    println!("\n{n}. {title}");
}

/// A layer: `x w + b`.
#[derive(Clone, Tree)]
struct Dense {
    w: Array,
    b: Array,
}

#[derive(Clone, Tree)]
struct Network {
    hidden: Dense,
    output: Dense,
}

impl Network {
    fn new() -> Network {
        let layer = |inputs: usize, outputs: usize, phase: f64| {
            let w = scattered(&[inputs, outputs], phase) * (1.5 / inputs as f64).sqrt();
            Dense { w: w.convert(DType::F32), b: zeros_of(DType::F32, [outputs]) }
        };
        Network { hidden: layer(64, 48, 0.1), output: layer(48, 10, 0.7) }
    }

    fn logits(&self, x: &Array) -> Array {
        let hidden = (x.matmul(&self.hidden.w) + &self.hidden.b).relu();
        hidden.matmul(&self.output.w) + &self.output.b
    }

    fn loss(&self, x: &Array, y: &Array) -> Array {
        -(self.logits(x).log_softmax(-1) * y).sum_axis(-1).mean()
    }
}

/// One step of gradient descent: the network after it, and the loss before it.
fn descend((network, x, y): (Network, Array, Array)) -> (Network, Array) {
    let (loss, slope) = value_and_grad(|n: Network| n.loss(&x, &y))(network.clone());
    (tree::map(|[p, g]| p - 0.5 * g, [network, slope]), loss)
}

fn train() -> Result<(), Error> {
    let ((x, y), (x_held_out, y_held_out)) = digits::load();
    let compiled = jit(descend);
    let mut network = Network::new();
    for epoch in 0..=200 {
        let (next, loss) = compiled((network, x.clone(), y.clone()));
        network = next;
        if epoch % 40 == 0 {
            println!("step {epoch:3}: loss {loss:.4}");
        }
    }
    let right = network.logits(&x_held_out).argmax_axis(-1).eq(y_held_out.argmax_axis(-1));
    let accuracy = right.convert(DType::F64).mean().item::<f64>()?;
    println!("accuracy on {} images it has not seen: {:.1} %", right.size(), 100.0 * accuracy);

    let arguments = || (network.clone(), x.clone(), y.clone());
    let interpreted = interpret(descend);
    let slow = fastest(3, || drop(interpreted(arguments())));
    let fast = fastest(10, || drop(compiled(arguments())));
    println!(
        "one step: interpreted {slow:.1?}, compiled {fast:.1?}, {:.1} times as fast",
        slow.as_secs_f64() / fast.as_secs_f64()
    );
    Ok(())
}

fn fastest(times: usize, f: impl Fn()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        f();
        start.elapsed()
    };
    (0..times).map(time).min().expect("it runs at least once")
}
