//! Adam (D. P. Kingma and J. Ba 2015), written out, on a deeper network; one call of machine code trains for a whole epoch.

use wengert::prelude::*;
use wengert::{cross_entropy, full, ones_of, tree, zeros_like, zeros_of};
use wengert_examples::data::{digits, scattered};
use wengert_examples::plot::{self, Axis, Curve, Plot};
use wengert_examples::progress;

/// Weights and bias of each layer.
type Network = Vec<(Array, Array)>;

fn network(widths: &[usize]) -> Network {
    let layer = |widths: &[usize]| {
        let weights = scattered(widths, 0.3) * (6.0 / widths[0] as f64).sqrt();
        (weights.convert(DType::F32), zeros_of(DType::F32, [widths[1]]))
    };
    widths.windows(2).map(layer).collect()
}

fn logits(network: &[(Array, Array)], x: &Array) -> Array {
    let (last, hidden) = network.split_last().expect("there is a layer");
    let h = hidden.iter().fold(x.clone(), |h, (w, b)| (h.matmul(w) + b).relu());
    h.matmul(&last.0) + &last.1
}

fn loss(network: &[(Array, Array)], x: &Array, y: &Array) -> Array {
    cross_entropy(&logits(network, x), y)
}

/// The parameters, and running means of their slopes and of the squares of these.
#[derive(Clone, Tree)]
struct Adam {
    parameters: Network,
    mean: Network,
    square: Network,
    steps: Array,
}

impl Adam {
    fn new(parameters: Network) -> Adam {
        let zeros = || tree::map(|[p]| zeros_like(&p), [parameters.clone()]);
        Adam { mean: zeros(), square: zeros(), steps: zeros_of(DType::F32, [0usize; 0]), parameters }
    }
}

/// One step: the state after it, and the loss before it.
fn step(state: Adam, (x, y): (Array, Array)) -> (Adam, Array) {
    let (loss, slope) = value_and_grad(|n: Network| loss(&n, &x, &y))(state.parameters.clone());
    let mean = tree::map(|[m, g]| 0.9 * m + 0.1 * g, [state.mean, slope.clone()]);
    let square = tree::map(|[v, g]| 0.999 * v + 0.001 * g.square(), [state.square, slope]);

    // The means start at zero; this is what they lack at first.
    let steps = state.steps + 1.0;
    let weight = |decay: f32| 1.0 - full([0usize; 0], decay).pow(&steps);
    let (m_weight, v_weight) = (weight(0.9), weight(0.999));
    let parameters = tree::map(
        |[p, m, v]| p - 0.004 * (m / &m_weight) / ((v / &v_weight).sqrt() + 1e-8),
        [state.parameters, mean.clone(), square.clone()],
    );
    (Adam { parameters, mean, square, steps }, loss)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ((x, y), (x_held_out, y_held_out)) = digits::load();
    const EPOCHS: usize = 20;
    const BATCHES: usize = 30;
    let batches = (x.reshape([BATCHES, 50, 64]), y.reshape([BATCHES, 50, 10]));
    let epoch = jit(|(state, batches): (Adam, (Array, Array))| {
        let (state, losses) = scan(step, state, batches);
        (state, losses.mean())
    });
    let judge = jit(|(n, x, y): (Network, Array, Array)| loss(&n, &x, &y));

    let mut state = Adam::new(network(&[64, 64, 32, 10]));
    let (mut learning, mut held_out) = (Vec::new(), Vec::new());
    let progress = progress::bar(EPOCHS as u64, "training with Adam");
    for k in 1..=EPOCHS {
        let (next, mean_loss) = epoch((state, batches.clone()));
        state = next;
        let judged = judge((state.parameters.clone(), x_held_out.clone(), y_held_out.clone()));
        learning.push((k as f64, mean_loss.item::<f32>()? as f64));
        held_out.push((k as f64, judged.item::<f32>()? as f64));
        progress.inc(1);
    }
    progress.finish_and_clear();

    let right = logits(&state.parameters, &x_held_out).argmax_axis(-1).eq(y_held_out.argmax_axis(-1));
    let accuracy = right.convert(DType::F64).mean().item::<f64>()?;
    let losses: Vec<f64> = learning.iter().map(|p| p.1).collect();
    let (first, last) = (losses[0], losses[EPOCHS - 1]);
    println!("loss over {EPOCHS} epochs: {first:.3} {} {last:.4}", plot::sparkline(&losses));
    println!("accuracy on {} images it has not seen: {:.1} %", right.size(), 100.0 * accuracy);
    assert!(last < 0.02 && accuracy > 0.88);
    assert_eq!(state.steps, ones_of(DType::F32, [0usize; 0]) * (EPOCHS * BATCHES) as f64);

    let curves = vec![Curve::new("learning", learning), Curve::new("held out", held_out)];
    let file = Plot::new("Adam on handwritten digits", Axis::linear("epoch"), Axis::log("cross entropy"), curves)?
        .save("adam")?;
    println!("The loss curves are in {}.", file.display());
    Ok(())
}
