//! Derivatives of derivatives: Taylor coefficients, Hessians that are never made, and a gradient for every example.

use std::time::{Duration, Instant};
use wengert::Error;
use wengert::prelude::*;
use wengert_examples::data::scattered;

fn main() -> Result<(), Error> {
    taylor()?;
    hessian_times_vector()?;
    gradient_of_each_example()
}

type Function = Box<dyn Fn(Array) -> Array>;

/// The coefficients f⁽ᵏ⁾(0) / k!, by `grad` applied k times.
fn taylor_coefficients(mut f: Function, terms: usize) -> Result<Vec<f64>, Error> {
    let mut factorial = 1.0;
    let mut coefficients = Vec::new();
    for k in 0..terms {
        coefficients.push(jit(&f)(0.0.into()).item::<f64>()? / factorial);
        f = Box::new(grad(f));
        factorial *= (k + 1) as f64;
    }
    Ok(coefficients)
}

fn taylor() -> Result<(), Error> {
    println!("1. Taylor series at 0, by derivatives to the eighth, beside the known coefficients:\n");
    let series: [(&str, Function, [f64; 9]); 4] = [
        (
            "ln(1 + x)",
            Box::new(|x| x.log1p()),
            [0., 1., -1. / 2., 1. / 3., -1. / 4., 1. / 5., -1. / 6., 1. / 7., -1. / 8.],
        ),
        ("tan x", Box::new(|x| x.tan()), [0., 1., 0., 1. / 3., 0., 2. / 15., 0., 17. / 315., 0.]),
        ("1 / √(1 - 4x)", Box::new(|x| (1.0 - 4.0 * x).rsqrt()), [1., 2., 6., 20., 70., 252., 924., 3432., 12870.]),
        (
            "exp(sin x)",
            Box::new(|x| x.sin().exp()),
            [1., 1., 1. / 2., 0., -1. / 8., -1. / 15., -1. / 240., 1. / 90., 31. / 5760.],
        ),
    ];
    for (name, f, known) in series {
        let found = taylor_coefficients(f, known.len())?;
        let line: Vec<String> = found.iter().map(|c| format!("{c:11.4}")).collect();
        let off = found.iter().zip(known).map(|(c, k)| (c - k).abs() / k.abs().max(1.0)).fold(0.0, f64::max);
        println!("{name:14}{}   greatest error {off:.0e}", line.concat());
        assert!(off < 1e-12, "{name}: {found:?}");
    }
    Ok(())
}

fn hessian_times_vector() -> Result<(), Error> {
    println!("\n2. The Hessian of Rosenbrock's function of 1000 variables, times a vector:\n");
    let rosenbrock = |x: Array| {
        let (a, b) = (x.slice(0..999), x.slice(1..1000));
        (100.0 * (b - a.square()).square() + (1.0 - a).square()).sum()
    };
    let (x, v) = (scattered(&[1000], 0.2), scattered(&[1000], 0.5));
    let product = jit(|(x, v): (Array, Array)| hvp(rosenbrock)(x, v));
    let full = jit(hessian(rosenbrock));

    let (short, long) = (product((x.clone(), v.clone())), full(x.clone()).dot(&v));
    let off = (&short - &long).norm().item::<f64>()? / long.norm().item::<f64>()?;
    println!("hvp(f)(x, v)           {:>9.1?}, 1000 numbers", fastest(|| drop(product((x.clone(), v.clone())))));
    println!("hessian(f)(x).dot(v)   {:>9.1?}, 1000000 numbers", fastest(|| drop(full(x.clone()).dot(&v))));
    println!("they differ by {off:.0e}");
    assert!(off < 1e-14);
    Ok(())
}

fn gradient_of_each_example() -> Result<(), Error> {
    println!("\n3. Logistic regression: the gradient of every example, by vmap(grad(loss)):\n");
    let w = Array::from([0.5, -1.0, 0.25]);
    let loss = |w: &Array, x: &Array, y: &Array| (-y * x.dot(w)).softplus();
    let xs = scattered(&[6, 3], 0.4);
    let ys = Array::from([1.0, -1.0, 1.0, 1.0, -1.0, -1.0]);

    let of_one = |(x, y): (Array, Array)| grad(|w: Array| loss(&w, &x, &y))(w.clone());
    let each = jit(vmap(of_one))((xs.clone(), ys.clone()));
    let lengths = each.norm_axis(1);
    println!("{each:.4}\nlengths {lengths:.4}, the usual measure of how much an example matters");

    let total = |w: Array| vmap(|(x, y): (Array, Array)| loss(&w, &x, &y))((xs.clone(), ys.clone())).sum();
    let off = (each.sum_axis(0) - grad(total)(w.clone())).abs().max().item::<f64>()?;
    println!("their sum differs from the gradient of the total loss by {off:.0e}");
    assert_eq!(each.shape()[..], [6, 3]);
    assert!(off < 1e-14);
    for i in 0..6 {
        let alone = of_one((xs.at(i), ys.at(i)));
        assert!((alone - each.at(i)).abs().max().item::<f64>()? < 1e-14, "example {i}");
    }
    Ok(())
}

fn fastest(f: impl Fn()) -> Duration {
    let time = |_| {
        let start = Instant::now();
        f();
        start.elapsed()
    };
    (0..10).map(time).min().expect("it runs at least once")
}
