//! Random numbers: the bits of JAX, the same in every engine, of the distributions that they are named after.

use wengert::prelude::*;
use wengert::random::{self, Key};

/// By JAX 0.10.2 with `jax_threefry_partitionable` and `jax_enable_x64`: seed, words of `split(key, 4)`, of
/// `fold_in(key, 123456)`, `bits(key, (2, 3), uint32)`, `bits(key, (3,), uint64)`, `uniform(key, (2,), float32 / float64)`.
type Golden = (u64, [u32; 8], [u32; 2], [u32; 6], [u64; 3], [f32; 2], [f64; 2]);

#[rustfmt::skip]
const GOLDEN: [Golden; 3] = [
    (0,
     [0x6b200159, 0x99ba4efe, 0x375f238f, 0xcddb151d, 0xf71f4ea9, 0xa20e4081, 0x9312778b, 0xe4e8dfbe],
     [0x5ff2f1d1, 0x8cfae499],
     [0xf29a4fa7, 0xfa843692, 0x55110e28, 0x77faa835, 0x91e43bb7, 0x2a5e6943],
     [0x6b20015999ba4efe, 0x375f238fcddb151d, 0xf71f4ea9a20e4081],
     [0.947667, 0.9785799], [0.41845711171638644, 0.21629545460551136]),
    (4294967301,
     [0x112f109b, 0x83e5de56, 0x8c1c4132, 0xfacddba2, 0x2e71d349, 0xd77d2930, 0xab43e967, 0x521b7dee],
     [0x45930644, 0x5016a311],
     [0x92cacecd, 0x76d19a90, 0xf90cfa79, 0xf9589489, 0xcf8fc996, 0xdb977fca],
     [0x112f109b83e5de56, 0x8c1c4132facddba2, 0x2e71d349d77d2930],
     [0.57340705, 0.46413577], [0.06712440296896394, 0.5473061322652975]),
    (9223372036854788153,
     [0xb326d940, 0x0a2e5b50, 0x01b5f4d8, 0xb39126d6, 0xbd29c752, 0x5bbed571, 0xa7a6fb6e, 0xef4c236d],
     [0xd2cb9233, 0x9801e997],
     [0xb9088210, 0xb224d20e, 0xe6971223, 0x48ead803, 0xdc8f3d24, 0x645391b6],
     [0xb326d9400a2e5b50, 0x01b5f4d8b39126d6, 0xbd29c7525bbed571],
     [0.72278607, 0.69587433], [0.6998115331027119, 0.006682684808371864]),
];

#[test]
fn bits_are_those_of_jax() {
    for (seed, split, fold, bits, bits64, single, double) in GOLDEN {
        let all = |key: Key| {
            let folded = key.fold_in(123456).data();
            let split: [Key; 4] = key.split();
            let split = split.map(|key| key.data());
            let uniform = (random::uniform(&key, DType::F32, 2), random::uniform(&key, DType::F64, 2));
            (stack(&split, 0).flatten(), folded, key.bits((2, 3)).flatten(), key.bits64(3), uniform)
        };
        for (s, f, b, b64, (u, d)) in [all(random::key(seed)), jit(all)(random::key(seed))] {
            assert_eq!(s.to_vec::<u32>(), Ok(split.to_vec()));
            assert_eq!(f.to_vec::<u32>(), Ok(fold.to_vec()));
            assert_eq!(b.to_vec::<u32>(), Ok(bits.to_vec()));
            assert_eq!(b64.to_vec::<u64>(), Ok(bits64.to_vec()));
            assert_eq!(u.to_vec::<f32>(), Ok(single.to_vec()));
            assert_eq!(d.to_vec::<f64>(), Ok(double.to_vec()));
        }
    }
}

#[test]
fn a_key_gives_the_same_numbers_everywhere() {
    let draw = |key: Key| {
        let [a, b, c, d] = key.split();
        let logits = array![0.1, 0.7, -0.4];
        let whole = random::randint(&c, DType::I64, 5, -3, 1_000_000_007).convert(DType::F64);
        let many = random::exponential(&a, DType::F64, 37) + random::laplace(&b, DType::F64, 37);
        (many, whole, random::categorical(&d, &logits), random::gumbel(&d, DType::F32, (3, 11)))
    };
    let keys = random::key(7).split_off(5);
    let alone: Vec<_> = (0..5).map(|i| draw(Key::from_data(keys_at(&keys, i)))).collect();
    for lanes in [vmap(draw)(keys.clone()), jit(vmap(draw))(keys.clone())] {
        for (i, (many, whole, category, gumbels)) in alone.iter().enumerate() {
            assert_eq!(lanes.0.at(i as i32), *many);
            assert_eq!(lanes.1.at(i as i32), *whole);
            assert_eq!(lanes.2.at(i as i32), *category);
            assert_eq!(lanes.3.at(i as i32), *gumbels);
        }
    }
    // In a loop, one key for each round.
    let walk = |key: Key| {
        fori_loop(0, 50, |i, x: Array| x + random::uniform(&key.fold_in(i), DType::F64, ()), Array::from(0.0))
    };
    let by_hand =
        (0..50).fold(Array::from(0.0), |x, i| x + random::uniform(&random::key(3).fold_in(i), DType::F64, ()));
    assert_eq!(jit(walk)(random::key(3)), by_hand);
    assert_eq!(walk(random::key(3)), by_hand);
}

/// The data of one of several keys.
fn keys_at(keys: &Key, i: i32) -> Array {
    let mut leaves = Vec::new();
    keys.clone().into_leaves(&mut leaves);
    leaves[0].at(i)
}

/// Mean and variance of draws, within five standard errors (and, where the variance of the variance is 0, their square).
fn moments(x: &Array, mean: f64, variance: f64, fourth: f64) {
    let n = x.size() as f64;
    let number = |x: Array| x.item::<f64>().expect("it is a number");
    let (m, v) = (number(x.mean()), number(x.var()));
    assert!((m - mean).abs() < 5.0 * (variance / n).sqrt(), "mean {m}, not {mean}");
    assert!(
        (v - variance).abs() < 5.0 * ((fourth - variance * variance) / n).sqrt() + 25.0 / n,
        "variance {v}, not {variance}"
    );
}

#[test]
fn distributions_have_their_moments() {
    let n = 200_000;
    let key = |i: i32| random::key(2026).fold_in(i);
    moments(&random::uniform(&key(0), DType::F64, n), 0.5, 1.0 / 12.0, 1.0 / 80.0);
    moments(&random::uniform(&key(1), DType::F32, n).convert(DType::F64), 0.5, 1.0 / 12.0, 1.0 / 80.0);
    moments(&random::exponential(&key(2), DType::F64, n), 1.0, 1.0, 9.0);
    moments(&random::laplace(&key(3), DType::F64, n), 0.0, 2.0, 24.0);
    let pi = std::f64::consts::PI;
    moments(&random::gumbel(&key(4), DType::F64, n), 0.5772156649015329, pi * pi / 6.0, 14.6114);
    moments(&random::logistic(&key(5), DType::F64, n), 0.0, pi * pi / 3.0, 7.0 * pi.powi(4) / 15.0);
    let coin = random::bernoulli(&key(6), 0.3, n).convert(DType::F64);
    moments(&coin, 0.3, 0.21, 0.21 * (1.0 - 3.0 * 0.21));
    let dice = random::randint(&key(7), DType::I32, n, -2, 4).convert(DType::F64);
    moments(&dice, 0.5, 35.0 / 12.0, 14.7292);
    let quartiles = random::cauchy(&key(8), DType::F64, n).abs().lt(1.0).convert(DType::F64);
    moments(&quartiles, 0.5, 0.25, 0.0625);
    let logits = array![0.2f64, 0.5, 0.3].log();
    let second = random::categorical(&key(9), &logits.broadcast_to((n, 3))).eq(1).convert(DType::F64);
    moments(&second, 0.5, 0.25, 0.0625);
}

#[test]
fn shaped_distributions_have_their_moments() {
    let n = 20_000;
    let key = |i: i32| random::key(77).fold_in(i);
    moments(&random::normal(&key(0), DType::F64, 200_000), 0.0, 1.0, 3.0);
    moments(&random::normal(&key(1), DType::F32, 200_000).convert(DType::F64), 0.0, 1.0, 3.0);
    // Gamma: variance a, fourth central moment 3 a² + 6 a.
    let gamma = jit(|(key, a): (Key, Array)| random::gamma(&key, &a, 20_000));
    for (i, a) in [0.05, 0.6, 1.0, 4.5, 120.0].into_iter().enumerate() {
        moments(&gamma((key(2 + i as i32), a.into())), a, a, 3.0 * a * a + 6.0 * a);
    }
    let beta = random::beta(&key(8), &Array::from(2.0), &Array::from(3.0), n);
    moments(&beta, 0.4, 0.04, 0.00377142857);
    let simplex = random::dirichlet(&key(9), &array![1.0, 2.0, 5.0], n);
    moments(&simplex.transpose().at(1), 0.25, 0.25 * 0.75 / 9.0, 0.0012);
    let poisson = jit(|(key, rate): (Key, Array)| random::poisson(&key, &rate, DType::I32, 20_000));
    for (i, rate) in [0.3, 4.0, 9.9, 10.0, 250.0].into_iter().enumerate() {
        let counts = poisson((key(10 + i as i32), rate.into())).convert(DType::F64);
        moments(&counts, rate, rate, rate + 3.0 * rate * rate);
    }
    // Cut to (0, inf): mean sqrt(2 / pi).
    let half = random::truncated_normal(&key(20), 0.0, f64::INFINITY, DType::F64, n);
    let mean = (2.0 / std::f64::consts::PI).sqrt();
    moments(&half, mean, 1.0 - mean * mean, 0.5);
    let covariance = array![[2.0, 0.6], [0.6, 1.0]];
    let vectors = random::multivariate_normal(&key(21), &array![1.0, -1.0], &covariance, n);
    let centred = &vectors - array![1.0, -1.0];
    let found = centred.transpose().dot(&centred) / n as f64;
    approx::assert_relative_eq!(found, covariance, epsilon = 0.1);
    let drawn = random::choice(&key(22), &array![1.0, 0.0], Some(&array![0.5, 1.5]), n);
    moments(&drawn, 0.25, 0.1875, 0.082);
    let order = random::permutation(&key(23), 1000).convert(DType::F64);
    moments(&order.slice(..500), 499.5, 1000.0 * 1000.0 / 12.0, 1e12 / 80.0);
    let first = random::choice_distinct(&key(24), &arange(0.0, 10.0, 1.0), None, 10);
    assert_eq!(first.sort(0), arange(0.0, 10.0, 1.0));
}

#[test]
fn draws_move_with_their_parameters_as_quantiles_do() {
    for a in [0.01, 0.3, 1.0, 3.7, 60.0] {
        let draw = |a: Array| random::gamma(&random::key(5), &a, 50);
        let (x, dx) = jit(|a: Array| jvp(draw)(a, 1.0.into()))(a.into());
        // P(a, x(a)) stays.
        let h = 1e-5 * a;
        let p = |a: f64, x: &Array| (zeros(50) + a).igamma(x);
        let (before, after) = (p(a, &x), p(a + h, &(&x + h * &dx)));
        approx::assert_relative_eq!(after, before, max_relative = 1e-6, epsilon = 1e-9);
        // Reverse mode is the transpose.
        let sum = jit(grad(|a: Array| draw(a).sum()))(a.into());
        approx::assert_relative_eq!(sum, dx.sum(), max_relative = 1e-12);
    }
    // E x = a, so the mean of the derivative is 1.
    let slope = jit(grad(|a: Array| random::gamma(&random::key(6), &a, 20_000).mean()))(2.5.into());
    assert!((slope.item::<f64>().unwrap() - 1.0).abs() < 0.03, "{slope}");
    let of_mean = |alpha: Array| random::dirichlet(&random::key(7), &alpha, 5_000).mean_axis(0).at(0);
    let found = jit(grad(of_mean))(array![1.0, 2.0, 3.0]);
    // d/d alpha of alpha_0 / sum.
    approx::assert_relative_eq!(found, array![5.0 / 36.0, -1.0 / 36.0, -1.0 / 36.0], epsilon = 0.01);
    let beta = jit(grad(|a: Array| random::beta(&random::key(8), &a, &3.0.into(), 5_000).mean()))(2.0.into());
    approx::assert_relative_eq!(beta, Array::from(3.0 / 25.0), epsilon = 0.01);
}

#[test]
fn shaped_draws_are_the_same_in_every_engine() {
    let all = |key: Key| {
        let [a, b, c, d, e] = key.split();
        (
            random::gamma(&a, &array![0.2, 3.0], (3, 2)),
            random::poisson(&b, &array![0.5, 30.0], DType::I64, (4, 2)),
            random::dirichlet(&c, &array![0.5, 0.7], ()),
            (random::permutation(&d, 17), random::truncated_normal(&e, -1.0, 0.5, DType::F32, 5)),
        )
    };
    let keys = random::key(11).split_off(3);
    let lanes = jit(vmap(all))(keys.clone());
    for i in 0..3 {
        let alone = all(Key::from_data(keys_at(&keys, i)));
        assert_eq!(lanes.0.at(i), alone.0);
        assert_eq!(lanes.1.at(i), alone.1);
        assert_eq!(lanes.2.at(i), alone.2);
        assert_eq!((lanes.3.0.at(i), lanes.3.1.at(i)), alone.3);
    }
}

#[test]
fn draws_are_constants_to_derivatives() {
    let loss = |(key, scale): (Key, Array)| (scale * random::exponential(&key, DType::F64, 8)).sum();
    let noise = random::exponential(&random::key(5), DType::F64, 8).sum();
    let (of_key, of_scale) = jit(grad(loss))((random::key(5), 2.0.into()));
    assert_eq!(of_scale, noise);
    assert_eq!(of_key.data(), array![0u32, 0]);
}
