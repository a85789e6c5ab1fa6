//! Stochastic gradient descent, written out: a network with one hidden layer learns to read handwritten digits.

use wengert::prelude::*;
use wengert::{cross_entropy, tree, zeros_of};
use wengert_examples::data::{digits, scattered};
use wengert_examples::plot::{self, Axis, Curve, Plot};
use wengert_examples::progress;

#[derive(Clone, Tree)]
struct Network {
    hidden: Array,
    hidden_bias: Array,
    output: Array,
    output_bias: Array,
}

impl Network {
    fn new() -> Network {
        let weights = |inputs: usize, outputs: usize| {
            (scattered(&[inputs, outputs], 0.1) * (6.0 / inputs as f64).sqrt()).convert(DType::F32)
        };
        let bias = |outputs: usize| zeros_of(DType::F32, [outputs]);
        Network { hidden: weights(64, 48), hidden_bias: bias(48), output: weights(48, 10), output_bias: bias(10) }
    }

    fn logits(&self, x: &Array) -> Array {
        let hidden = (x.matmul(&self.hidden) + &self.hidden_bias).relu();
        hidden.matmul(&self.output) + &self.output_bias
    }

    fn loss(&self, x: &Array, y: &Array) -> Array {
        cross_entropy(&self.logits(x), y)
    }
}

/// A step downhill: the network after it, and the loss before it.
fn descend((network, x, y): (Network, Array, Array)) -> (Network, Array) {
    let (loss, slope) = value_and_grad(|n: Network| n.loss(&x, &y))(network.clone());
    (tree::map(|[p, g]| p - 0.3 * g, [network, slope]), loss)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ((x, y), (x_held_out, y_held_out)) = digits::load();
    const EPOCHS: usize = 20;
    const BATCHES: usize = 30;
    let (xs, ys) = (x.reshape([BATCHES, 50, 64]), y.reshape([BATCHES, 50, 10]));
    let descend = jit(descend);

    let mut network = Network::new();
    let (mut learning, mut held_out) = (Vec::new(), Vec::new());
    let mut homes = Vec::new();
    let progress = progress::bar(EPOCHS as u64, "descending");
    for epoch in 0..EPOCHS {
        let mut sum = 0.0;
        for batch in 0..BATCHES {
            // The network is moved in, so the new one is written over it: nothing is allocated for it.
            let (next, loss) = descend((network, xs.at(batch), ys.at(batch)));
            network = next;
            sum += loss.item::<f32>()? as f64;
        }
        let judged = network.loss(&x_held_out, &y_held_out).item::<f32>()? as f64;
        learning.push((epoch as f64 + 1.0, sum / BATCHES as f64));
        held_out.push((epoch as f64 + 1.0, judged));
        homes.push(network.hidden.as_slice::<f32>()?.as_ptr());
        progress.inc(1);
    }
    progress.finish_and_clear();

    let right = network.logits(&x_held_out).argmax_axis(-1).eq(y_held_out.argmax_axis(-1));
    let accuracy = right.convert(DType::F64).mean().item::<f64>()?;
    let losses: Vec<f64> = learning.iter().map(|p| p.1).collect();
    let (first, last) = (losses[0], losses[EPOCHS - 1]);
    println!("loss over {EPOCHS} epochs: {first:.3} {} {last:.3}", plot::sparkline(&losses));
    println!("accuracy on {} images it has not seen: {:.1} %", right.size(), 100.0 * accuracy);
    println!("the weights of the hidden layer stayed at one address: {}", homes.iter().all(|home| *home == homes[0]));
    assert!(last < 0.1 * first && accuracy > 0.88);
    // Operation by operation, as `WENGERT_INTERPRET=1` has it, new arrays are made.
    let compiled = std::env::var_os("WENGERT_INTERPRET").is_none();
    assert!(!compiled || homes.iter().all(|home| *home == homes[0]), "the step updates the weights in place");

    let curves = vec![Curve::new("learning", learning), Curve::new("held out", held_out)];
    let title = "Stochastic gradient descent on handwritten digits";
    let file = Plot::new(title, Axis::linear("epoch"), Axis::log("cross entropy"), curves)?.save("sgd")?;
    println!("The loss curves are in {}.", file.display());
    Ok(())
}
