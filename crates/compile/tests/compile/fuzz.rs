//! Random programs on small arrays, the same ones in every run.

use crate::engine::{agree_transformed, agree_within, arguments, f64s, recorded, vmapped};
use std::sync::Arc;
use wengert_core::functions::where_;
use wengert_core::program::{Program, simplify};
use wengert_core::{Array, DType, Type, cond, fori_loop, scan, while_loop};

/// A linear congruential generator: 0 to `n - 1`.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) as usize) % n
    }

    fn pick<'a>(&mut self, pool: &'a [Array]) -> &'a Array {
        // Late ones more often.
        let n = pool.len();
        &pool[n - 1 - self.below(n).min(self.below(n))]
    }
}

fn elementwise(r: &mut Random, x: &Array, y: Option<&Array>) -> Array {
    match (r.below(9), y) {
        (0, _) => x.sin(),
        (1, _) => x * 0.5,
        (2, _) => x.square() - 0.3,
        (3, _) => -x,
        (4, _) => x.tanh(),
        (5, Some(y)) => x * y,
        (6, Some(y)) => where_(&x.gt(y), x, y),
        (7, Some(y)) => x.sin() - y,
        (_, Some(y)) => x + y,
        _ => x.abs(),
    }
}

/// One more array made from those in the pool.
fn step(r: &mut Random, pool: &[Array]) -> Array {
    let x = r.pick(pool).clone();
    let shape = x.shape();
    let rank = shape.len();
    let axis = r.below(rank.max(1));
    let same: Vec<&Array> = pool.iter().filter(|y| y.shape() == shape).collect();
    let y = same[r.below(same.len())].clone();
    match r.below(20) {
        0..=5 => elementwise(r, &x, Some(&y)),
        6 if rank > 0 => x.sum_axis(axis),
        7 if rank > 0 && shape[axis] > 0 => x.max_axis(axis),
        8 if rank > 0 => &x - x.mean_axis(axis).expand_dims([axis]),
        9 if rank > 1 => x.swap_axes(0, axis),
        10 if rank > 0 => x.flip(axis),
        11 if rank > 0 => x.reshape([x.size()]),
        12 if rank == 1 && x.size().is_multiple_of(6) => x.reshape([x.size() / 6, 2, 3]),
        13 if rank > 0 && shape[axis] > 1 => x.slice_axis(axis, 1..shape[axis] as i64),
        14 if rank > 0 && x.size() < 200 => wengert_core::concatenate(&[x.clone(), y.sin()], axis),
        15 if rank > 0 && x.size() < 200 => {
            let (low, mut high) = (vec![1usize; rank], vec![0usize; rank]);
            high[axis] = 2;
            x.pad(low, high, 0.7)
        }
        16 if rank > 0 && shape[0] > 0 => x.at((x.sum() * 3.0).convert(DType::I64)),
        17 if rank > 0 && shape[0] > 0 => {
            let i = (x.flatten() * 4.0).convert(DType::I64);
            let i = i.slice_axis(0, 0..i.size().min(4) as i64);
            x.take(i, 0)
        }
        18 if rank > 0 && shape[0] > 0 => {
            let i = (&x * 2.0).sum_axis(axis).convert(DType::I64).flatten();
            let rows = i.size();
            let update = x.at(0).broadcast_to([&[rows][..], &shape[1..]].concat());
            x.scatter_add(i, &update)
        }
        19 if rank == 2 => x.dot(&y.transpose()),
        _ => elementwise(r, &x, None),
    }
}

fn several(r: &mut Random, pool: &mut Vec<Array>, steps: usize) {
    for _ in 0..steps {
        let y = step(r, pool);
        if y.size() < 400 {
            pool.push(y);
        }
    }
}

/// A random function as it is recorded; with control flow when `nested`.
pub fn unsimplified(seed: u64, nested: bool) -> Program {
    let mut r = Random(seed);
    let shapes: [&[usize]; 9] = [&[], &[3], &[6], &[2, 3], &[4, 5], &[1, 6], &[2, 1, 3], &[0, 3], &[300, 2]];
    let types: Vec<Type> = (0..3).map(|_| f64s(shapes[r.below(if nested { 7 } else { 9 })])).collect();
    recorded(&types, |mut pool| {
        several(&mut r, &mut pool, 5);
        if nested {
            let carry = (r.pick(&pool).clone(), r.pick(&pool).clone());
            let outside = pool.clone();
            let seed = r.below(1 << 20) as u64;
            // A body keeps the shapes: what it computes is added as one number.
            let body = |c: (Array, Array), i: Array, seed: u64| {
                let mut r = Random(seed);
                let mut pool = outside.clone();
                pool.extend([c.0.clone(), c.1.clone(), i.convert(DType::F64)]);
                several(&mut r, &mut pool, 4);
                let last = pool.last().unwrap().sum().sin();
                let first = elementwise(&mut r, &c.0, None) * 0.5 + &last;
                if r.below(2) == 0 { (first, c.1) } else { (first, c.1.cos() - last) }
            };
            let i = || wengert_core::full([0; 0], 1i64);
            let carry = fori_loop(0, 3, |i, c| body(c, i, seed), carry);
            let carry = cond(&carry.0.sum().gt(0.0), || body(carry.clone(), i(), seed + 1), || carry.clone());
            let (carry, rows) = scan(
                |c: (Array, Array), x: Array| {
                    let c = body(c, i(), seed + 2);
                    let inner = while_loop(|d: Array| d.lt(1.5), |d: Array| d.square() + 0.4, c.0.sum().sin() * 0.5);
                    let y = &c.0 + inner + x;
                    (c, y)
                },
                carry,
                wengert_core::full([3], 0.25),
            );
            pool.extend([carry.0, carry.1, rows]);
            several(&mut r, &mut pool, 3);
        }
        let n = pool.len();
        vec![pool[n - 1].clone(), pool[n - 2].clone(), pool[r.below(n)].clone()]
    })
}

/// The same, simplified.
pub fn program(seed: u64, nested: bool) -> Arc<Program> {
    Arc::new(simplify(&unsimplified(seed, nested)))
}

#[test]
fn straight() {
    for seed in 0..300 {
        let program = program(seed, false);
        agree_within(&program, &arguments(&program), 1e-9);
        if seed % 4 == 0 {
            let program = vmapped(&program);
            agree_within(&program, &arguments(&program), 1e-9);
        }
    }
}

#[test]
fn straight_transformed() {
    (300..340).for_each(|seed| agree_transformed(&program(seed, false)));
}

#[test]
fn nested() {
    for seed in 0..60 {
        let program = program(seed, true);
        agree_within(&program, &arguments(&program), 1e-9);
    }
}

#[test]
fn nested_transformed() {
    (100..112).for_each(|seed| agree_transformed(&program(seed, true)));
}
