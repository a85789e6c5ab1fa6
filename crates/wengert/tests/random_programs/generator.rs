//! Well-typed programs made from a seed.
//!
//! A program is a list of words. Each word alone decides, from the types of the arrays made so far, what is computed
//! next: so a program is the same at every trace, and any words may be left out of it.

use crate::numbers::{Random, Style, data};
use wengert::{
    Array, DType, Index, KeepDims, PadMode, Scalar, Shape, Span, checkpoint, concatenate, cond, custom_jvp, custom_vjp,
    einsum, eye, fori_loop, full, grad, jit, keepdims, linalg, promote_types, scan, scan_reverse, stack, while_loop,
};

/// A reduction over some axes.
type Reduction = fn(&Array, KeepDims<Vec<usize>>) -> Array;

/// The largest array that is used further.
const LARGEST: usize = 700;

/// The arrays made so far that a body sees.
const VISIBLE: usize = 5;

/// How deep bodies stand in bodies.
const DEEPEST: usize = 2;

/// A random function of arrays.
#[derive(Clone, Debug)]
pub struct Generated {
    pub style: Style,
    pub inputs: Vec<(DType, Shape)>,
    pub words: Vec<u64>,
}

impl Generated {
    pub fn new(seed: u64, style: Style) -> Generated {
        let mut r = Random(seed.wrapping_mul(0x9e37_79b9).wrapping_add(style as u64));
        let dim = |r: &mut Random| match r.below(20) {
            0 => 0,
            1 | 2 => 1,
            3 => 64 + r.below(37),
            _ => 2 + r.below(16),
        };
        // Few lengths, so that many arrays fit each other.
        let dims = [dim(&mut r), dim(&mut r), 1 + r.below(4)];
        let input = |r: &mut Random, dtype: DType| {
            let mut shape = Shape::new();
            for _ in 0..r.below(4) {
                shape.push(r.choose(&dims));
            }
            while shape.iter().product::<usize>() > LARGEST {
                shape.pop();
            }
            (dtype, shape)
        };
        let kinds: &[DType] = match style {
            Style::Any => &[DType::F64, DType::F64, DType::F32, DType::I64, DType::Bool],
            Style::Smooth => &[DType::F64],
        };
        let mut inputs = vec![input(&mut r, DType::F64), input(&mut r, DType::I64)];
        for _ in 0..r.below(3) {
            let dtype = r.choose(kinds);
            inputs.push(input(&mut r, dtype));
        }
        let longest = r.choose(&[12, 12, 12, 30]);
        let length = 1 + r.below(longest);
        Generated { style, inputs, words: (0..length).map(|_| r.word()).collect() }
    }

    /// Arguments of the program; others for each seed.
    pub fn arguments(&self, seed: u64) -> Vec<Array> {
        let mut r = Random(seed);
        self.inputs.iter().map(|(dtype, shape)| data(&mut r, self.style, *dtype, shape)).collect()
    }

    /// The function.
    pub fn call(&self, inputs: Vec<Array>) -> Vec<Array> {
        let mut pool = inputs;
        self.words.iter().for_each(|&word| extend(&mut pool, self.style, 0, word));
        let made = pool.split_off(self.inputs.len().min(pool.len() - 1));
        let mut r = Random(self.words.len() as u64);
        let last = made.len() - 1;
        let chosen = |(i, y): (usize, Array)| (i == last || r.below(4) == 0).then_some(y);
        let outputs: Vec<Array> = made.into_iter().enumerate().filter_map(chosen).collect();
        match self.style {
            Style::Any => outputs,
            Style::Smooth => outputs.into_iter().map(|y| y.convert(DType::F64)).collect(),
        }
    }
}

/// Computes what a word says.
fn extend(pool: &mut Vec<Array>, style: Style, depth: usize, word: u64) {
    let mut step = Step { r: Random(word), pool, style, depth };
    let kind = step.r.below(if depth < DEEPEST { 22 } else { 20 });
    let x = match style {
        Style::Any => step.pick(),
        Style::Smooth => step.pick_of(DType::is_float),
    };
    let made = match kind {
        0..=7 => vec![step.elementwise(&x)],
        8..=11 => vec![step.rearranged(&x)],
        12..=14 => vec![step.reduced(&x)],
        15 if step.r.below(3) == 0 => vec![step.equations(&x)],
        15 | 16 => vec![step.product(&x)],
        17..=19 => vec![step.indexed(&x)],
        _ => step.controlled(&x),
    };
    pool.extend(made.into_iter().filter(|y| y.size() <= LARGEST));
}

type Function = fn(&Array) -> Array;
type Function2 = fn(&Array, &Array) -> Array;

struct Step<'a> {
    r: Random,
    pool: &'a [Array],
    style: Style,
    depth: usize,
}

impl Step<'_> {
    fn smooth(&self) -> bool {
        self.style == Style::Smooth
    }

    /// One of the arrays made so far, late ones more often.
    fn pick(&mut self) -> Array {
        self.pick_of(|_| true)
    }

    /// One of these dtypes; there is always one of f64 and one of i64.
    fn pick_of(&mut self, dtype: fn(DType) -> bool) -> Array {
        let fitting: Vec<&Array> = self.pool.iter().filter(|x| dtype(x.dtype())).collect();
        let n = fitting.len();
        fitting[n - 1 - self.r.below(n).min(self.r.below(n))].clone()
    }

    fn number(&mut self, dtype: DType) -> Array {
        let scalar = match dtype.is_float() {
            true => Scalar::new(self.r.float(self.style)),
            false => Scalar::new(self.r.integer(self.style)),
        };
        full((), scalar).convert(dtype)
    }

    /// An array of this type made from another.
    fn fitted(&mut self, y: &Array, dtype: DType, shape: &[usize]) -> Array {
        let from = y.shape();
        let offset = shape.len().checked_sub(from.len());
        let broadcasts = offset.is_some_and(|o| from.iter().zip(&shape[o..]).all(|(&m, &n)| m == n || m == 1));
        let y = y.convert(dtype);
        if broadcasts {
            return y.broadcast_to(shape);
        }
        let n = shape.iter().product();
        if y.size() == 0 || self.r.below(4) == 0 {
            return self.number(dtype).broadcast_to(shape);
        }
        let mut y = y.flatten();
        while y.size() < n {
            y = concatenate(&[&y, &y], 0);
        }
        y.slice(0..n).reshape(shape)
    }

    /// Another array, or a number, that broadcasts to the shape of `x`.
    fn partner(&mut self, x: &Array) -> Array {
        let y = match self.style {
            Style::Any => self.pick(),
            Style::Smooth => self.pick_of(DType::is_float),
        };
        match self.r.below(4) {
            0 => self.number(y.dtype()),
            _ => self.fitted(&y, y.dtype(), &x.shape()),
        }
    }

    /// Truth values in the shape of `x` that small changes of floats do not change, but for any style.
    fn condition(&mut self, x: &Array) -> Array {
        let y = if self.smooth() { self.pick_of(DType::is_integer) } else { self.pick() };
        let y = self.fitted(&y, y.dtype(), &x.shape());
        match y.dtype() {
            DType::Bool => y,
            _ => y.gt(self.number(y.dtype())),
        }
    }

    fn elementwise(&mut self, x: &Array) -> Array {
        if self.smooth() {
            return self.smooth_elementwise(x);
        }
        match self.r.below(10) {
            0..=2 => self.unary(x),
            3..=6 => self.binary(x),
            7 => {
                let (y, f) = (self.partner(x), self.r.choose(&[0, 1, 2, 3, 4, 5]));
                [Array::eq, Array::ne, Array::lt, Array::le, Array::gt, Array::ge][f](x, &y)
            }
            8 => {
                let (p, y) = (self.condition(x), self.partner(x));
                if self.r.below(2) == 0 { p.select(x, &y) } else { p.select(&y, x) }
            }
            _ => x.convert(self.r.choose(&DType::ALL)),
        }
    }

    fn unary(&mut self, x: &Array) -> Array {
        const FLOATS: [Function; 38] = [
            |x| -x,
            Array::abs,
            Array::sign,
            Array::sqrt,
            Array::floor,
            Array::ceil,
            Array::round,
            Array::exp,
            Array::expm1,
            Array::log,
            Array::log1p,
            Array::sin,
            Array::cos,
            Array::tan,
            Array::asin,
            Array::acos,
            Array::atan,
            Array::sinh,
            Array::cosh,
            Array::tanh,
            Array::logistic,
            Array::exp2,
            Array::log2,
            Array::log10,
            Array::cbrt,
            Array::asinh,
            Array::acosh,
            Array::atanh,
            Array::erf,
            Array::erfc,
            Array::erf_inv,
            Array::lgamma,
            Array::digamma,
            Array::entr,
            Array::sinc,
            Array::is_finite,
            Array::is_nan,
            Array::is_inf,
        ];
        const INTEGERS: [Function; 6] = [|x| -x, |x| !x, Array::abs, Array::sign, Array::clz, Array::population_count];
        match x.dtype() {
            DType::Bool => !x,
            dtype if dtype.is_float() => self.r.choose(&FLOATS)(x),
            _ => self.r.choose(&INTEGERS)(x),
        }
    }

    fn binary(&mut self, x: &Array) -> Array {
        const NUMBERS: [Function2; 8] = [
            |x, y| x + y,
            |x, y| x - y,
            |x, y| x * y,
            |x, y| x / y,
            |x, y| x % y,
            |x, y| x.maximum(y),
            |x, y| x.minimum(y),
            |x, y| x.pow(y),
        ];
        const BITS: [Function2; 3] = [|x, y| x & y, |x, y| x | y, |x, y| x ^ y];
        const FLOATS: [Function2; 5] =
            [|x, y| x.atan2(y), |x, y| x.hypot(y), |x, y| x.xlogy(y), |x, y| x.xlog1py(y), |x, y| x.remainder(y)];
        const SHIFTS: [Function2; 2] = [|x, y| x << y, |x, y| x >> y];
        let y = self.partner(x);
        let (x, y) = if self.r.below(2) == 0 { (x, &y) } else { (&y, x) };
        match (promote_types(x.dtype(), y.dtype()), self.r.below(16)) {
            (DType::Bool, _) | (DType::I32 | DType::I64 | DType::U8 | DType::U32 | DType::U64, 0..=3) => {
                self.r.choose(&BITS)(x, y)
            }
            (DType::I32 | DType::I64 | DType::U8 | DType::U32 | DType::U64, 4 | 5) => self.r.choose(&SHIFTS)(x, y),
            (DType::F32 | DType::F64, 0) => self.r.choose(&FLOATS)(x, y),
            _ => self.r.choose(&NUMBERS)(x, y),
        }
    }

    /// Functions that change by no more than their operands do, so that long programs stay tame.
    fn smooth_elementwise(&mut self, x: &Array) -> Array {
        const ONE: [Function; 18] = [
            |x| x.sin().erf() * 0.8,
            |x| (x.square() * 0.3 + 0.6).tanh().lgamma(),
            |x| (x.tanh() * 0.5).erf_inv(),
            |x| x.tanh().i0e(),
            |x| custom_jvp(|x: Array| x.sin(), |x: Array, dx: Array| (x.sin(), dx * x.cos()))(x.clone()),
            |x| {
                let forward = |x: Array| (x.tanh(), x.tanh());
                custom_vjp(|x: Array| x.tanh(), forward, |y: Array, ct: Array| ct * (1.0 - y.square()))(x.clone())
            },
            |x| -x,
            |x| x.sin(),
            |x| x.cos() * 0.9,
            |x| x.tanh() + 0.3,
            |x| x.atan(),
            |x| x.logistic() * 2.0,
            |x| (x.square() + 1.0).sqrt() - 0.5,
            |x| (x.square() + 1.5).log(),
            |x| x.sin().exp() * 0.5,
            |x| (x.square() * 0.5).log1p(),
            |x| (x.tanh() * 0.5).asin() + 0.1 * x,
            |x| (x.sin() * 0.7).expm1() * 0.6,
        ];
        const TWO: [Function2; 7] = [
            |x, y| (x + y) * 0.6,
            |x, y| (x - y) * 0.6,
            |x, y| (x * y).sin(),
            |x, y| x / (y.square() + 1.2),
            |x, y| x.atan2(y.square() + 1.5),
            |x, y| (x.square() + 0.5).pow(y.tanh()).atan(),
            |x, y| (x.sin() * 0.5).logaddexp(y.sin()),
        ];
        match self.r.below(8) {
            0..=2 => self.r.choose(&ONE)(x),
            3 => {
                let (p, y) = (self.condition(x), self.partner(x));
                p.select(x, y)
            }
            _ => {
                let y = self.partner(x);
                self.r.choose(&TWO)(x, &y)
            }
        }
    }

    /// Other places for the same elements.
    fn rearranged(&mut self, x: &Array) -> Array {
        let shape = x.shape();
        let rank = shape.len();
        if rank == 0 {
            return x.broadcast_to([1 + self.r.below(4), self.r.below(4)]);
        }
        let axis = self.r.below(rank);
        match self.r.below(8) {
            0 => {
                let widened = x.sum_axis(axis).expand_dims(axis);
                let widened = if self.smooth() { widened.sin() } else { widened };
                widened.broadcast_to(shape)
            }
            1 => match self.r.below(3) {
                _ if x.size() == 0 => x.flatten(),
                0 => x.flatten(),
                1 => x.expand_dims(axis),
                _ => {
                    let divisors: Vec<usize> = (1..=x.size()).filter(|&d| x.size().is_multiple_of(d)).collect();
                    let rows = self.r.choose(&divisors);
                    x.reshape([rows, x.size() / rows])
                }
            },
            2 => {
                let mut axes: Vec<usize> = (0..rank).collect();
                (0..rank).for_each(|i| axes.swap(i, i + self.r.below(rank - i)));
                x.permute(axes)
            }
            3 => {
                let spans: Vec<Span> = shape.iter().map(|&n| self.span(n)).collect();
                x.slice(&spans[..])
            }
            4 => {
                let mut some = || (0..rank).map(|_| self.r.below(3)).collect::<Vec<usize>>();
                let (low, high) = (some(), some());
                x.pad(low, high, self.number(x.dtype()))
            }
            5 => {
                let y = self.pick_of(if x.dtype().is_float() { DType::is_float } else { |d| !d.is_float() });
                let (y, span) = (self.fitted(&y, x.dtype(), &shape), self.r.below(shape[axis] + 1)..);
                concatenate(&[&x.slice_axis(axis, span), &y, x], axis)
            }
            6 => {
                let y = self.partner(x).broadcast_to(shape);
                stack(&[x, &y], self.r.below(rank + 1))
            }
            _ => match self.r.below(8) {
                5 if shape[axis] > 0 => {
                    let mut some =
                        || (0..rank).map(|a| if a == axis { self.r.below(3) } else { 0 }).collect::<Vec<usize>>();
                    let (low, high) = (some(), some());
                    x.pad_mode(low, high, self.r.choose(&[PadMode::Edge, PadMode::Symmetric, PadMode::Wrap]))
                }
                6 => x.tile((0..rank).map(|a| 1 + (a == axis) as usize).collect::<Vec<usize>>()),
                0 => x.flip(axis),
                1 => x.roll(self.r.below(7) as i64 - 3, axis),
                2 => x.windows(1 + self.r.below(3), 1 + self.r.below(2), axis),
                // Where elements change places nothing is smooth.
                3 if !self.smooth() => x.sort(axis),
                4 if !self.smooth() => x.argsort(axis),
                _ => self.cumulative(x, axis),
            },
        }
    }

    /// What comes together along an axis.
    fn cumulative(&mut self, x: &Array, axis: usize) -> Array {
        let reverse = self.r.below(2) == 0;
        match self.r.below(3) {
            0 if self.smooth() => x.tanh().cumprod(axis),
            1 if self.smooth() => x.tanh().linear_recurrence(&x.sin(), axis) * 0.5,
            _ if self.smooth() => (if reverse { x.cumsum_reverse(axis) } else { x.cumsum(axis) }).sin(),
            0 if x.dtype() != DType::Bool => {
                if reverse {
                    x.cummax_reverse(axis)
                } else {
                    x.cummin(axis)
                }
            }
            1 => {
                if reverse {
                    x.cumprod_reverse(axis)
                } else {
                    x.cumprod(axis)
                }
            }
            _ => {
                if reverse {
                    x.cumsum_reverse(axis)
                } else {
                    x.cumsum(axis)
                }
            }
        }
    }

    /// A part of an axis of length `n`.
    fn span(&mut self, n: usize) -> Span {
        let start = self.r.below(n + 1);
        let stop = start + self.r.below(n - start + 1);
        match self.r.below(4) {
            0 => Span::from(..),
            1 => Span::from(start..stop).step_by(1 + self.r.below(3)),
            2 if n > 0 => Span::from(self.r.below(n)),
            _ => Span::from(start.min(n / 4)..),
        }
    }

    fn reduced(&mut self, x: &Array) -> Array {
        const NUMBERS: [Reduction; 6] = [
            |x, axes| x.sum_axis(axes),
            |x, axes| x.prod_axis(axes),
            |x, axes| x.mean_axis(axes),
            |x, axes| x.max_axis(axes),
            |x, axes| x.min_axis(axes),
            |x, axes| x.var_axis(axes),
        ];
        const TRUTHS: [Reduction; 2] = [|x, axes| x.any_axis(axes), |x, axes| x.all_axis(axes)];
        const SMOOTH: [Reduction; 5] = [
            |x, axes| x.sum_axis(axes).sin(),
            |x, axes| x.tanh().prod_axis(axes),
            |x, axes| x.sin().logsumexp_axis(axes) * 0.3,
            |x, axes| (x.square().mean_axis(axes) + 0.3).sqrt(),
            |x, axes| x - x.softmax(axes.0),
        ];
        let shape = x.shape();
        let axes: Vec<usize> = (0..shape.len()).filter(|_| self.r.below(2) == 0).collect();
        let empty = axes.iter().any(|&a| shape[a] == 0);
        let gone = self.r.below(3) > 0;
        let squeezed = axes.clone();
        let y = match x.dtype() {
            DType::Bool => self.r.choose(&TRUTHS)(x, keepdims(axes)),
            _ if self.smooth() && empty => return x.sum_axis(axes),
            _ if self.smooth() => self.r.choose(&SMOOTH)(x, keepdims(axes)),
            _ if empty => NUMBERS[self.r.below(3)](x, keepdims(axes)),
            _ if self.r.below(5) == 0 => {
                let axis = self.r.below(shape.len().max(1));
                return match shape.get(axis) {
                    Some(&n) if n > 0 && self.r.below(2) == 0 => x.argmax_axis(axis),
                    Some(&n) if n > 0 => x.argmin_axis(axis),
                    _ => x.sum(),
                };
            }
            _ => self.r.choose(&NUMBERS)(x, keepdims(axes)),
        };
        if gone && squeezed.iter().all(|&a| y.shape()[a] == 1) { y.squeeze(squeezed) } else { y }
    }

    fn product(&mut self, x: &Array) -> Array {
        let y = self.partner(x);
        let x = self.factor(&x.convert(promote_types(x.dtype(), y.dtype())));
        let (dtype, shape) = (x.dtype(), x.shape());
        let (columns, matrix) = (1 + self.r.below(5), self.r.below(3) > 0);
        let product = match shape[..] {
            [] => {
                let y = self.fitted_factor(&y, dtype, &[columns]);
                return x.dot(&y);
            }
            [n] if matrix => x.dot(&self.fitted_factor(&y, dtype, &[n, columns])),
            [n] => x.dot(&self.fitted_factor(&y, dtype, &[n])),
            [.., n] if !matrix => x.matmul(&self.fitted_factor(&y, dtype, &[n])),
            [b, _, n] if self.r.below(2) == 0 => x.matmul(&self.fitted_factor(&y, dtype, &[b, n, columns])),
            [.., n] => x.matmul(&self.fitted_factor(&y, dtype, &[n, columns])),
        };
        if self.smooth() { (product * 0.5).sin() } else { product }
    }

    /// Linear algebra of a small matrix, far from singular where it is to be smooth.
    fn equations(&mut self, x: &Array) -> Array {
        let n = 1 + self.r.below(4);
        let a = self.fitted(x, DType::F64, &[n, n]);
        if !self.smooth() {
            const ANY: [Function; 8] = [
                linalg::det,
                linalg::inv,
                linalg::cholesky,
                linalg::svdvals,
                linalg::eigvalsh,
                |a| linalg::solve(a, a),
                |a| linalg::qr(a, false).1,
                |a| linalg::lu(a).2,
            ];
            return self.r.choose(&ANY)(&a);
        }
        const SMOOTH: [Function; 6] = [
            |a| linalg::det(a) * 0.01,
            linalg::inv,
            |a| linalg::cholesky(a).sin(),
            |a| linalg::solve(a, &a.tanh()),
            |a| linalg::slogdet(a).1,
            |a| einsum("ij,jk,ik->i", &[a.sin(), a.cos(), a.tanh()]).sin(),
        ];
        let a = a.tanh();
        let definite = a.dot(&a.transpose()) + 2.0 * eye(n);
        self.r.choose(&SMOOTH)(&definite)
    }

    fn fitted_factor(&mut self, y: &Array, dtype: DType, shape: &[usize]) -> Array {
        let y = self.fitted(y, dtype, shape);
        self.factor(&y)
    }

    /// Numbers whose products and sums are exact: odd integers below 16, so that no sum of products is -0.
    fn factor(&mut self, x: &Array) -> Array {
        if self.smooth() {
            return x.clone();
        }
        // There is no product of these two.
        let dtype = if matches!(x.dtype(), DType::Bool | DType::U8) { DType::I64 } else { x.dtype() };
        if !dtype.is_float() && self.r.below(2) == 0 {
            return x.convert(dtype);
        }
        ((x.convert(DType::I64) % 8) * 2 + 1).convert(dtype)
    }

    /// Positions along an axis of length `n`, some of them outside.
    fn positions(&mut self, n: usize, most: usize) -> Array {
        let i = self.pick_of(DType::is_integer).flatten();
        let i = i.slice(..i.size().min(most));
        if self.r.below(4) == 0 { i } else { i.convert(DType::I64) % (n as i32 + 2) }
    }

    /// One position.
    fn position(&mut self, n: usize) -> Index {
        let i = self.positions(n, 1);
        match self.r.below(3) {
            0 => Index::from(self.r.below(n + 6) as i64 - 3),
            _ if i.size() == 0 => Index::from(full((), 1i64)),
            _ => Index::from(i.reshape(())),
        }
    }

    fn indexed(&mut self, x: &Array) -> Array {
        let shape = x.shape();
        let Some(&n) = shape.first() else { return self.elementwise(x) };
        let axis = self.r.below(shape.len());
        match self.r.below(8) {
            0 if n > 0 => x.at(self.position(n)),
            1 if n > 0 => {
                let i = self.positions(n, 6);
                let i = if i.size() == 6 { i.reshape([2, 3]) } else { i };
                x.at(i)
            }
            2 if !self.smooth() => {
                let i = self.positions(shape[axis], 5);
                x.take(i, axis)
            }
            3 if !self.smooth() => {
                let i = self.position(shape[axis]);
                x.take(i, axis)
            }
            4 => {
                let (i, fill) = (self.positions(n, 7), self.number(x.dtype()));
                x.get_or(i, fill)
            }
            5 if x.dtype() != DType::Bool => {
                let (i, y) = (self.positions(n, 9), self.partner(x));
                let rows = [&[i.size()][..], &shape[1..]].concat();
                let update = self.fitted(&y, x.dtype(), &rows);
                if self.r.below(2) == 0 { x.scatter_add(i, &update) } else { x.scatter_set(i, &update) }
            }
            6 => {
                let starts: Vec<Index> = shape.iter().map(|&n| self.position(n)).collect();
                let sizes: Vec<usize> = shape.iter().map(|&n| self.r.below(n + 1)).collect();
                x.dynamic_slice(&starts, sizes)
            }
            _ => {
                let starts: Vec<Index> = shape.iter().map(|&n| self.position(n)).collect();
                let sizes: Vec<usize> = shape.iter().map(|&n| self.r.below(n + 1)).collect();
                let y = self.partner(x);
                let update = self.fitted(&y, x.dtype(), &sizes);
                x.dynamic_update_slice(&update, &starts)
            }
        }
    }

    /// A body: it sees the newest arrays and its own, and gives an array in the type of each of `like`.
    fn body(&self, seed: u64, own: &[Array], like: &[Array]) -> Vec<Array> {
        let newest = self.pool.len().saturating_sub(VISIBLE);
        // The first two are there for their dtypes.
        let mut pool = [&self.pool[..2.min(newest)], &self.pool[newest..], own].concat();
        let mut r = Random(seed);
        for _ in 0..1 + r.below(4) {
            extend(&mut pool, self.style, self.depth + 1, r.word());
        }
        let mut step = Step { r, pool: &pool, style: self.style, depth: self.depth + 1 };
        let mut outputs = Vec::with_capacity(like.len());
        for x in like {
            let y = match (self.style, x.dtype()) {
                (Style::Any, _) => step.pick(),
                (Style::Smooth, dtype) if dtype.is_float() => step.pick_of(DType::is_float),
                (Style::Smooth, _) => step.pick_of(DType::is_integer),
            };
            outputs.push(step.fitted(&y, x.dtype(), &x.shape()));
        }
        outputs
    }

    /// One integer from 0 to 7.
    fn rounds(&mut self) -> Array {
        let k = self.pick_of(DType::is_integer).flatten();
        let k = if k.size() == 0 { full((), 5i64) } else { k.at(0).convert(DType::I64) };
        k & 7
    }

    fn controlled(&mut self, x: &Array) -> Vec<Array> {
        let y = self.pick();
        let (carry, seed) = (vec![x.clone(), y], self.r.word());
        let like = carry.clone();
        match self.r.below(8) {
            0 | 1 => {
                let rows = self.pick();
                let rows = if rows.rank() == 0 { self.fitted(&rows, rows.dtype(), &[5]) } else { rows };
                let rows = rows.slice_axis(0, ..rows.shape()[0].min(17));
                let f = |c: Vec<Array>, row: Array| {
                    let own = [&c[..], &[row]].concat();
                    let mut next = self.body(seed, &own, &like);
                    let y = next[0].clone();
                    (std::mem::take(&mut next), y)
                };
                let scanned = if seed % 3 == 0 { scan_reverse(f, carry, rows) } else { scan(f, carry, rows) };
                [scanned.0, vec![scanned.1]].concat()
            }
            2 | 3 => {
                let k = self.rounds();
                let limit = (!self.smooth() && self.r.below(2) == 0).then(|| self.number(x.dtype()));
                let goes_on = |(i, c): (Array, Vec<Array>)| match &limit {
                    Some(limit) => i.lt(&k) & c[0].ne(limit).any(),
                    None => i.lt(&k),
                };
                let next = |(i, c): (Array, Vec<Array>)| {
                    let own = [&c[..], std::slice::from_ref(&i)].concat();
                    (i + 1, self.body(seed, &own, &like))
                };
                while_loop(goes_on, next, (full((), 0i64), carry)).1
            }
            4 | 5 => {
                let p = if self.r.below(2) == 0 { self.rounds().gt(3) } else { self.condition(&full((), 0.0)) };
                cond(&p, || self.body(seed, &carry, &like), || self.body(seed ^ 1, &carry, &like))
            }
            6 => fori_loop(
                -1,
                seed as i64 % 4,
                |i, c: Vec<Array>| self.body(seed, &[&c[..], &[i]].concat(), &like),
                carry,
            ),
            _ if self.smooth() && x.dtype().is_float() && seed % 3 == 0 => {
                // A derivative of a body, which those of the program are taken of.
                let f = |x: Array| self.body(seed, std::slice::from_ref(&x), &like[..1])[0].sin().sum();
                vec![grad(f)(x.clone()).tanh()]
            }
            _ if seed % 2 == 0 => jit(|c: Vec<Array>| self.body(seed, &c, &like))(carry),
            _ => checkpoint(|c: Vec<Array>| self.body(seed, &c, &like))(carry),
        }
    }
}
