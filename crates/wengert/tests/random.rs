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
     [0.9476670026779175, 0.9785798788070679], [0.41845711171638644, 0.21629545460551136]),
    (4294967301,
     [0x112f109b, 0x83e5de56, 0x8c1c4132, 0xfacddba2, 0x2e71d349, 0xd77d2930, 0xab43e967, 0x521b7dee],
     [0x45930644, 0x5016a311],
     [0x92cacecd, 0x76d19a90, 0xf90cfa79, 0xf9589489, 0xcf8fc996, 0xdb977fca],
     [0x112f109b83e5de56, 0x8c1c4132facddba2, 0x2e71d349d77d2930],
     [0.5734070539474487, 0.4641357660293579], [0.06712440296896394, 0.5473061322652975]),
    (9223372036854788153,
     [0xb326d940, 0x0a2e5b50, 0x01b5f4d8, 0xb39126d6, 0xbd29c752, 0x5bbed571, 0xa7a6fb6e, 0xef4c236d],
     [0xd2cb9233, 0x9801e997],
     [0xb9088210, 0xb224d20e, 0xe6971223, 0x48ead803, 0xdc8f3d24, 0x645391b6],
     [0xb326d9400a2e5b50, 0x01b5f4d8b39126d6, 0xbd29c7525bbed571],
     [0.7227860689163208, 0.6958743333816528], [0.6998115331027119, 0.006682684808371864]),
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
fn draws_are_constants_to_derivatives() {
    let loss = |(key, scale): (Key, Array)| (scale * random::exponential(&key, DType::F64, 8)).sum();
    let noise = random::exponential(&random::key(5), DType::F64, 8).sum();
    let (of_key, of_scale) = jit(grad(loss))((random::key(5), 2.0.into()));
    assert_eq!(of_scale, noise);
    assert_eq!(of_key.data(), array![0u32, 0]);
}
