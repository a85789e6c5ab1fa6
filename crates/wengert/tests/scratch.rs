//! Scratch.
use wengert::prelude::*;
#[test]
fn scratch() {
    for a in [1.0, 2.0, 3.0] {
        let draw = |a: Array| random::loggamma(&random::key(7), &a, 5000);
        let (x, dx) = jit(|a: Array| jvp(draw)(a, 1.0.into()))(a.into());
        let x = x.to_vec::<f64>().unwrap();
        let d = dx.to_vec::<f64>().unwrap();
        let mut n = 0;
        for (x, d) in x.iter().zip(&d) { if d.is_nan() || d.is_infinite() { n += 1; if n < 5 { println!("{a} log x {x} x {} slope {d}", x.exp()); } } }
        println!("{a}: {n} nan");
    }
    let of_mean = |alpha: Array| random::loggamma(&random::key(7), &alpha, (5_000, 3)).mean_axis(0).at(0);
    println!("{}", jit(grad(of_mean))(array![1.0, 2.0, 3.0]));
    println!("{}", grad(of_mean)(array![1.0, 2.0, 3.0]));
    let of_mean = |alpha: Array| random::loggamma(&random::key(7), &alpha, (50, 3)).softmax(-1).mean_axis(0).at(0);
    println!("{}", jit(grad(of_mean))(array![1.0, 2.0, 3.0]));
    let of_mean = |alpha: Array| random::loggamma(&random::key(7), &alpha, (5, 3)).sum();
    println!("{}", jit(grad(of_mean))(array![1.0, 2.0, 3.0]));
    println!("{}", jit(jacfwd(of_mean))(array![1.0, 2.0, 3.0]));
}
