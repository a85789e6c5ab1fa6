//! The programs whose loops are pinned, by what they are there to show.

use wengert::execute::Executable;
use wengert::prelude::*;
use wengert::{Convolution, Padding, Span};

/// A compiled program and what its loops must go on showing.
pub struct Pinned {
    pub title: &'static str,
    /// One sentence on what would be lost if the snapshot changed for the worse.
    pub shows: &'static str,
    pub executable: Executable,
}

/// The program of `f` at these arguments, made executable.
pub fn compiled<A: Tree + Clone, R: Tree>(f: impl Fn(A) -> R, args: A) -> Executable {
    Executable::new(&trace(f, &args)).expect("the program compiles")
}

fn pin<A: Tree + Clone, R: Tree>(title: &'static str, shows: &'static str, f: impl Fn(A) -> R, args: A) -> Pinned {
    Pinned { title, shows, executable: compiled(f, args) }
}

/// All of them, in the order of the file.
pub fn all() -> Vec<Pinned> {
    [
        scalars(),
        elementwise(),
        rows(),
        reductions(),
        products(),
        models(),
        moved(),
        indexed(),
        rounds(),
        random_numbers(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A matrix of 32 rows.
pub fn matrix() -> Array {
    zeros((32, 64))
}

fn vector() -> Array {
    ones(1000)
}

/// x² + 3x + 5.
pub fn polynomial(x: Array) -> Array {
    x.square() + 3.0 * &x + 5.0
}

fn scalars() -> Vec<Pinned> {
    vec![
        pin("polynomial: x² + 3x + 5", "A function of a number has no loop and no buffer.", polynomial, 2.0.into()),
        pin(
            "gradient of the polynomial",
            "A gradient of a number is straight-line code of the few operations that it has on paper.",
            grad(polynomial),
            2.0.into(),
        ),
        pin("vmap(grad) of the polynomial", "A gradient by element is one pass.", vmap(grad(polynomial)), vector()),
    ]
}

/// Eleven operations, one on the other.
pub fn chain(x: Array) -> Array {
    (((x.sin() + 1.0) * 2.0).exp() - 3.0).abs().sqrt().tanh().square() / 7.0 + 0.5
}

/// Eight neighbours summed, each a sum of the one before.
fn shifted(x: Array) -> Array {
    (0..8).fold(x, |x, _| x.slice(1..) + x.slice(..-1))
}

fn elementwise() -> Vec<Pinned> {
    let same = |x: Array| x.abs().sqrt() * x.abs().sqrt() + x.abs();
    #[expect(clippy::eq_op, reason = "such operations are what is pinned")]
    let forbidden = |x: Array| (&x * 0.0 + (&x - &x) + &x / &x) + 0.0;
    vec![
        pin(
            "chain of eleven elementwise operations",
            "A chain of any length is one pass without a buffer.",
            chain,
            vector(),
        ),
        pin(
            "gradient of sum(exp(-x²) sin x)",
            "Forward and backward sweep of elementwise work are one pass that keeps nothing in memory.",
            grad(|x: Array| ((-x.square()).exp() * x.sin()).sum()),
            vector(),
        ),
        pin("sqrt|x| sqrt|x| + |x|", "What is written twice is computed once.", same, vector()),
        pin(
            "0 x + (x - x) + x / x + 0",
            "Nothing is simplified that infinities, NaN or the sign of zero would tell apart.",
            forbidden,
            vector(),
        ),
        pin(
            "a step of descent, p - 0.1 g",
            "The result may lie where either argument was, so that a step in a loop allocates nothing.",
            |(p, g): (Array, Array)| p - 0.1 * g,
            (vector(), vector()),
        ),
        pin(
            "a column plus a row, f64[32, 1] + f64[64]",
            "Operands are spread by how they are read; no spread copy is made.",
            |(column, row): (Array, Array)| (column + row).tanh(),
            (zeros((32, 1)), zeros(64)),
        ),
        pin(
            "i32 + f32 + f64 of 1000, where a bool says so",
            "Each number is converted where it is read; operands of four types are one pass.",
            |(i, x, y): (Array, Array, Array)| where_(&i.gt(3), &i + x, y),
            (zeros_of(DType::I32, 1000), zeros_of(DType::F32, 1000), vector()),
        ),
        pin(
            "sum of f16 squares",
            "Half precision computes in f32 and rounds when an operation of the user ends.",
            |x: Array| (&x * &x).sum(),
            zeros_of(DType::F16, 1000),
        ),
        pin(
            "eight shifted sums in a row",
            "Overlapping reads are not computed again at every level, which would be 2^8 reads an element.",
            shifted,
            vector(),
        ),
    ]
}

fn layernorm((x, gain, bias): (Array, Array, Array)) -> Array {
    let centred = &x - x.mean_axis(keepdims(-1));
    &centred * (centred.square().mean_axis(keepdims(-1)) + 1e-5).rsqrt() * gain + bias
}

fn rows() -> Vec<Pinned> {
    let weighted = |f: fn(&Array) -> Array| grad(move |x: Array| f(&x).square().sum());
    let normalised = || (matrix(), zeros(64), zeros(64));
    vec![
        pin(
            "softmax of f64[32, 64]",
            "Three passes over a row that is in the cache, one outer loop; exponentials are kept for one row only.",
            |x: Array| x.softmax(-1),
            matrix(),
        ),
        pin(
            "gradient of sum(softmax²)",
            "The backward sweep of row reductions shares the loop over rows.",
            weighted(|x| x.softmax(-1)),
            matrix(),
        ),
        pin(
            "log_softmax of f64[32, 64]",
            "The cheap difference is computed again, not kept.",
            |x: Array| x.log_softmax(-1),
            matrix(),
        ),
        pin(
            "layernorm of f64[32, 64]",
            "Mean, variance and scaling are one loop over rows without a buffer.",
            layernorm,
            normalised(),
        ),
        pin(
            "gradient of sum(layernorm²)",
            "Gradients of gain and bias are sums over columns beside the loop over rows.",
            grad(|x: (Array, Array, Array)| layernorm(x).square().sum()),
            normalised(),
        ),
        pin(
            "logsumexp of f64[32, 64]",
            "Two passes over each row and no buffer.",
            |x: Array| x.logsumexp_axis(-1),
            matrix(),
        ),
        pin(
            "gradient of sum(logsumexp²)",
            "The gradient is the softmax, scaled: no more passes than that.",
            weighted(|x| x.logsumexp_axis(-1)),
            matrix(),
        ),
    ]
}

fn reductions() -> Vec<Pinned> {
    vec![
        pin(
            "column sums of a product of f64[32, 64]",
            "Columns are summed row by row with several rows a sweep, the product made on the way.",
            |(x, y): (Array, Array)| (x * y).sum_axis(0),
            (matrix(), matrix()),
        ),
        pin(
            "greatest of each column",
            "Extrema of columns go row by row as sums do.",
            |x: Array| x.max_axis(0),
            matrix(),
        ),
        pin(
            "argmax of each row",
            "The place of an extremum is found in one pass over the row.",
            |x: Array| x.argmax_axis(-1),
            matrix(),
        ),
        pin("sum and greatest of one array", "Two reductions of one operand.", |x: Array| (x.sum(), x.max()), vector()),
        pin(
            "cumulative sum of exponentials",
            "The operand is made while it is summed.",
            |x: Array| x.exp().cumsum(0),
            vector(),
        ),
        pin(
            "gradient of sum((cumulative sum)²)",
            "The gradient is a cumulative sum from the other end, in linear time.",
            grad(|x: Array| x.cumsum(0).square().sum()),
            vector(),
        ),
    ]
}

fn attention((q, k, v): (Array, Array, Array)) -> Array {
    (q.dot(&k.transpose()) / 4.0).softmax(-1).dot(&v)
}

fn products() -> Vec<Pinned> {
    let stack_of = |n: usize| (zeros((100, n, n)), zeros((100, n)));
    vec![
        pin(
            "relu(x w + b), 16 x 8 by 8 x 32",
            "The product goes to the library, bias and activation are one pass over it.",
            |(x, w, b): (Array, Array, Array)| (x.dot(&w) + b).relu(),
            (zeros((16, 8)), zeros((8, 32)), zeros(32)),
        ),
        pin(
            "attention, q k^T softmax v, 32 x 16",
            "No transposed copy is made for a product, and softmax is one loop between the two.",
            attention,
            (zeros((32, 16)), zeros((32, 16)), zeros((32, 16))),
        ),
        pin(
            "vmap of a product 3 x 3 by 3, 100 of them",
            "A batch of small products is not 100 calls.",
            vmap(|(a, x): (Array, Array)| a.dot(&x)),
            stack_of(3),
        ),
        pin(
            "the sum of squares of x - y",
            "A product of vectors is one pass.",
            |(x, y): (Array, Array)| (&x - &y).dot(&(&x - &y)),
            (vector(), vector()),
        ),
        pin(
            "convolution of 2 x 3 x 8 x 8 with 4 x 3 x 3 x 3",
            "Windows are copied once, by whole rows, for one product.",
            convolved,
            (zeros((2, 3, 8, 8)), zeros((4, 3, 3, 3))),
        ),
        pin(
            "gradient of the convolution's sum of squares",
            "Gradients by image and kernel are two more products; sums over windows go axis by axis.",
            grad(|x: (Array, Array)| convolved(x).square().sum()),
            (zeros((2, 3, 8, 8)), zeros((4, 3, 3, 3))),
        ),
    ]
}

fn convolved((x, w): (Array, Array)) -> Array {
    x.conv_general_dilated(&w, &Convolution { padding: Padding::Same, ..Convolution::default() })
}

type Network = (Array, Array, Array);

fn mlp((w1, b1, w2): Network, x: &Array) -> Array {
    let hidden = (x.dot(&w1) + b1).tanh();
    hidden.dot(&w2).square().mean()
}

fn trained((p, x): (Network, Array)) -> Network {
    let (dw1, db1, dw2) = grad(|p: Network| mlp(p, &x))(p.clone());
    (p.0 - 0.1 * dw1, p.1 - 0.1 * db1, p.2 - 0.1 * dw2)
}

fn rosenbrock(x: Array) -> Array {
    let (next, here) = (x.slice(1..), x.slice(..-1));
    (100.0 * (next - here.square()).square() + (1.0 - here).square()).sum()
}

fn models() -> Vec<Pinned> {
    let network = || (zeros((8, 32)), zeros(32), zeros((32, 4)));
    vec![
        pin(
            "gradient of an MLP, 16 x 8 -> 32 -> 4",
            "Each layer is a product and a pass; the derivative of tanh is kept, not computed again.",
            |(p, x): (Network, Array)| grad(|p: Network| mlp(p, &x))(p),
            (network(), zeros((16, 8))),
        ),
        pin(
            "a training step of the MLP",
            "Every new parameter may be written over the old one, in one pass after its gradient.",
            trained,
            (network(), zeros((16, 8))),
        ),
        pin(
            "gradient of Rosenbrock's function of 100",
            "Both neighbours' parts of a slope are one pass.",
            grad(rosenbrock),
            zeros(100),
        ),
        pin(
            "Hessian of Rosenbrock's function of 10",
            "A Hessian is loops over its rows, not a copy of the gradient for each.",
            hessian(rosenbrock),
            zeros(10),
        ),
    ]
}

fn moved() -> Vec<Pinned> {
    vec![
        pin(
            "concatenation of x, 2x and a margin around it",
            "Parts are written where they lie in the whole; a margin around them is one more copy.",
            |x: Array| concatenate(&[&x, &(&x * 2.0)], 0).pad(3, 5, 1.0),
            vector(),
        ),
        pin(
            "sum of x and its transpose, 32 x 32",
            "A transposed operand is read in place.",
            |x: Array| &x + x.transpose(),
            zeros((32, 32)),
        ),
        pin(
            "transpose of 512 x 512",
            "A large copy that turns rows into columns is the runtime's, in blocks.",
            |x: Array| x.transpose(),
            zeros((512, 512)),
        ),
        pin(
            "x reversed, every other one",
            "Views of views are one index map.",
            |x: Array| x.flip(0).slice(Span::from(..).step_by(2)) + 1.0,
            vector(),
        ),
    ]
}

fn indexed() -> Vec<Pinned> {
    let places = || zeros_of(DType::I32, 50);
    vec![
        pin(
            "sines of 50 elements at places",
            "Sines are made once, however often an element is named.",
            |(x, i): (Array, Array)| x.sin().take(&i, 0),
            (vector(), places()),
        ),
        pin(
            "gradient of the sum of squares at places",
            "The gradient of reading is adding into zeros, once for each place.",
            |(x, i): (Array, Array)| grad(|x: Array| x.take(&i, 0).square().sum())(x),
            (vector(), places()),
        ),
        pin(
            "x with updates added at places",
            "An update of an argument copies it once and adds in place.",
            |(x, i, u): (Array, Array, Array)| x.scatter_add(&i, &u),
            (vector(), places(), ones(50)),
        ),
        pin(
            "one-hot rows of 50 places",
            "A comparison of two counters; nothing is filled first.",
            |i: Array| i.one_hot(10),
            places(),
        ),
        pin(
            "sorted numbers, squared",
            "Sorting is the runtime's; what follows is one pass.",
            |x: Array| x.sort(0).square(),
            vector(),
        ),
    ]
}

fn recurrence((c, xs): (Array, Array)) -> (Array, Array) {
    scan(|c: Array, x: Array| (&c * 0.5 + x.sin(), c), c, xs)
}

fn newton(x: Array) -> Array {
    while_loop(
        |(y, z): (Array, Array)| (y.square() - z).abs().gt(1e-9),
        |(y, z)| (0.5 * (&y + &z / &y), z),
        (x.clone(), x),
    )
    .0
}

fn branch(x: Array) -> Array {
    cond(&x.gt(0.0), || x.sqrt(), || x.exp())
}

/// The sum of angle and speed of a pendulum after 100 steps of Runge and Kutta's classical method.
fn pendulum(y: Array) -> Array {
    let slope = |y: &Array| stack(&[y.at(1), -y.at(0).sin()], 0);
    let step = |_, y: Array| {
        let k1 = slope(&y);
        let k2 = slope(&(&y + 0.05 * &k1));
        let k3 = slope(&(&y + 0.05 * &k2));
        let k4 = slope(&(&y + 0.1 * &k3));
        y + 0.1 / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    };
    fori_loop(0, 100, step, y).sum()
}

/// The last state of a recurrent network of 8.
fn recurrent((w, xs): (Array, Array)) -> Array {
    scan(|s: Array, x: Array| ((w.dot(&s) + x).tanh(), ()), zeros(8), xs).0.square().sum()
}

fn rounds() -> Vec<Pinned> {
    let start = || (Array::from(0.0), vector());
    vec![
        pin(
            "scan with a scalar carry",
            "The carry stays in a register; rows are read and written in place.",
            recurrence,
            start(),
        ),
        pin(
            "gradient of the scan",
            "What the backward loop needs are rows of known length in planned memory.",
            grad(|x: (Array, Array)| recurrence(x).1.square().sum()),
            start(),
        ),
        pin("a while_loop: Newton's root", "Carries of a loop that tests stay in registers.", newton, 2.0.into()),
        pin(
            "gradient of the while_loop",
            "Rows of unknown number are growable; the backward loop runs as many rounds.",
            grad(newton),
            2.0.into(),
        ),
        pin("a branch", "One branch is run.", branch, 2.0.into()),
        pin(
            "vmap of the gradient of the branch",
            "Under lanes both branches are one pass with selects.",
            vmap(grad(branch)),
            vector(),
        ),
        pin(
            "100 steps of Runge and Kutta, two numbers",
            "A small state is scalars that the loop carries.",
            pendulum,
            array![1.0, 0.0],
        ),
        pin(
            "gradient of a recurrent network, 8 states, 20 steps",
            "The gradient by the matrix adds up in place from round to round.",
            grad(recurrent),
            (zeros((8, 8)), zeros((20, 8))),
        ),
        pin(
            "four layers, checkpointed in pairs",
            "A pair's inner result is computed again in the backward sweep and is not kept.",
            grad(|(w, x): (Array, Array)| {
                let pair = checkpoint(|(w, x): (Array, Array)| x.dot(&w).tanh().dot(&w).tanh());
                (0..2).fold(x, |x, _| pair((w.clone(), x))).sum()
            }),
            (zeros((16, 16)), zeros((16, 16))),
        ),
    ]
}

fn random_numbers() -> Vec<Pinned> {
    vec![
        pin(
            "1000 uniform numbers in f32",
            "Random bits fuse into the pass that uses them; no counter is stored.",
            |key: random::Key| random::uniform(&key, DType::F32, 1000),
            random::key(0),
        ),
        pin(
            "a dropped half of x, scaled",
            "A mask of random bits is no array of its own.",
            |(key, x): (random::Key, Array)| where_(&random::bernoulli(&key, 0.5, 1000), x * 2.0, 0.0),
            (random::key(0), vector()),
        ),
    ]
}
