//! Maximum likelihood with standard errors: a linear regression on data that were hard for computers once, and the
//! production function of Cobb and Douglas.
//!
//! A model is written as its log-likelihood and nothing else. Newton's method takes `grad` and `hessian` of it; the inverse of
//! minus the Hessian at the maximum is the covariance of the estimates; and `jacfwd` carries that covariance over to whatever is
//! computed from them (the delta method).

use wengert::prelude::*;
use wengert::{Error, array, eye};
use wengert_examples::data;

fn main() -> Result<(), Error> {
    longley()?;
    cobb_douglas()
}

/// Employment explained by six variables that rise together.
fn longley() -> Result<(), Error> {
    let table = data::longley();
    let names = ["deflator", "GNP", "unemployed", "armed forces", "population", "year", "intercept"];
    let n = table.shape()[0];
    let (mean, spread) = (table.mean_axis(0), table.std_axis(0));
    let standard = (&table - &mean) / &spread;
    let y = standard.take(0, 1);
    let x = concatenate(&[standard.slice_axis(1, 1..7), wengert::ones([n, 1])], 1);

    // y = x b + σ ε. In δ = b / σ and γ = 1 / σ the log-likelihood is concave (Olsen 1978), so that Newton's method cannot fail.
    let log_likelihood = |t: Array| {
        let (delta, gamma) = (t.slice(0..7), t.at(7));
        n as f64 * gamma.log() - 0.5 * (gamma * &y - x.dot(&delta)).square().sum()
    };
    // The coefficients in the units of the table.
    let coefficients = |t: Array| {
        let b = t.slice(0..7) / t.at(7) * spread.at(0);
        let slopes = b.slice(0..6) / spread.slice(1..7);
        let intercept = mean.at(0) + b.at(6) - slopes.dot(&mean.slice(1..7));
        concatenate(&[slopes, intercept.reshape([1])], 0)
    };
    let start = concatenate(&[wengert::zeros([7]), wengert::ones([1])], 0);
    let estimate = maximum(log_likelihood, coefficients, start);
    println!("Employment in the United States, 1947-1962 (J. W. Longley 1967), by maximum likelihood:");
    estimate.print(&names)?;

    // The closed form of the slopes, and what NIST certifies, whose errors have n - 7 for n.
    let b = inverse(&x.transpose().dot(&x)).dot(&x.transpose()).dot(&y);
    let closed = coefficients(concatenate(&[b, wengert::ones([1])], 0));
    let certified = Array::from([
        15.0618722713733,
        -0.0358191792925910,
        -2.02022980381683,
        -1.03322686717359,
        -0.0511041056535807,
        1829.15146461355,
        -3482258.63459582,
    ]);
    let certified_errors = Array::from([
        84.9149257747669,
        0.0334910077722432,
        0.488399681651699,
        0.214274163161675,
        0.226073200069370,
        455.478499142212,
        890420.383607373,
    ]);
    let off = |a: &Array, b: &Array| (a / b - 1.0).abs().max().item::<f64>();
    let errors = &estimate.errors * (n as f64 / (n as f64 - 7.0)).sqrt();
    println!("greatest relative difference from the closed form:         {:.0e}", off(&estimate.values, &closed)?);
    println!("from the coefficients that NIST certifies:                 {:.0e}", off(&estimate.values, &certified)?);
    println!("of the errors, times √(n / (n - 7)), from those of NIST:   {:.0e}", off(&errors, &certified_errors)?);
    assert!(off(&estimate.values, &closed)? < 1e-9 && off(&estimate.values, &certified)? < 1e-8);
    assert!(off(&errors, &certified_errors)? < 1e-8);
    Ok(())
}

/// Production P from labour L and capital K: P = A L^α K^β.
fn cobb_douglas() -> Result<(), Error> {
    let table = data::cobb_douglas();
    let [p, l, k] = [1, 2, 3].map(|column| table.take(column, 1));
    let production = |a: &Array, alpha: &Array, beta: &Array| a * l.pow(alpha) * k.pow(beta);
    let normal =
        |error: Array, sigma: Array| -(&error / &sigma).square().sum() / 2.0 - error.size() as f64 * sigma.log();

    println!("\nAmerican manufacturing, 1899-1922 (C. W. Cobb and P. H. Douglas 1928).");
    println!("As they fitted it: β = 1 - α, and the logarithm of P has a normal error:");
    let relative = |t: Array| {
        let (a, alpha, sigma) = (t.at(0), t.at(1), t.at(2));
        normal(p.log() - production(&a, &alpha, &(1.0 - &alpha)).log(), sigma)
    };
    let share = |t: Array| stack(&[t.at(0), t.at(1), 1.0 - t.at(1), t.at(2)], 0);
    let published = maximum(relative, share, array![1.0, 0.7, 0.06]);
    published.print(&["A", "α", "β", "σ"])?;

    println!("With α and β free, and a normal error of P itself, which no logarithm makes linear:");
    let absolute = |t: Array| normal(&p - production(&t.at(0), &t.at(1), &t.at(2)), t.at(3));
    let returns = |t: Array| concatenate(&[t.clone(), (t.at(1) + t.at(2)).reshape([1])], 0);
    let free = maximum(absolute, returns, array![1.01, 0.75, 0.25, 9.0]);
    free.print(&["A", "α", "β", "σ", "α + β"])?;

    let [a, alpha] = [0, 1].map(|i| published.values.at(i).item::<f64>());
    println!("Published in 1928: P = 1.01 L^¾ K^¼.");
    assert!((a? - 1.01).abs() < 0.01 && (alpha? - 0.75).abs() < 0.01);
    Ok(())
}

/// What was computed from the parameters at the greatest likelihood, and its standard errors.
struct Estimate {
    values: Array,
    errors: Array,
    steps: usize,
}

/// Newton's method from `start`, until the gradient is as small as rounding lets it be.
fn maximum(likelihood: impl Fn(Array) -> Array, quantities: impl Fn(Array) -> Array, start: Array) -> Estimate {
    let newton = jit(|t: Array| {
        let covariance = inverse(&-hessian(&likelihood)(t.clone()));
        let step = covariance.dot(&grad(&likelihood)(t.clone()));
        (&t + &step, step.abs().max() / t.abs().max(), covariance)
    });
    let (mut t, mut covariance) = (start, Array::from(0.0));
    for steps in 1..100 {
        let size;
        (t, size, covariance) = newton(t);
        if size.item::<f64>().is_ok_and(|size| size < 1e-10) {
            let jacobian = jacfwd(&quantities)(t.clone());
            let errors = ((jacobian.dot(&covariance)) * &jacobian).sum_axis(1).sqrt();
            return Estimate { values: quantities(t), errors, steps };
        }
    }
    panic!("Newton's method came to no end: {t}, {covariance}")
}

impl Estimate {
    /// As statisticians print it.
    fn print(&self, names: &[&str]) -> Result<(), Error> {
        println!("\n{:14} {:>13} {:>13} {:>8} {:>28}", "", "estimate", "std. error", "z", "95 % interval");
        let (values, errors) = (self.values.to_vec::<f64>()?, self.errors.to_vec::<f64>()?);
        for ((name, value), error) in names.iter().zip(values).zip(errors) {
            let digits = (5 - value.abs().log10().floor() as i32).clamp(0, 5) as usize;
            let (low, high) = (value - 1.96 * error, value + 1.96 * error);
            let z = value / error;
            println!("{name:14} {value:13.digits$} {error:13.digits$} {z:8.2} {low:14.digits$} {high:13.digits$}");
        }
        println!("({} steps of Newton's method)\n", self.steps);
        Ok(())
    }
}

/// The inverse of a positive definite matrix by Gauss and Jordan's elimination, which then needs no other pivots.
fn inverse(a: &Array) -> Array {
    let n = a.shape()[0];
    let eliminate = |k: Array, m: Array| {
        let row = m.at(&k) / m.at(&k).at(&k);
        &m - (m.take(&k, 1) - eye(n).at(&k)).outer(&row)
    };
    let reduced = fori_loop(0, n as i64, eliminate, concatenate(&[a, &eye(n)], 1));
    reduced.slice_axis(1, n..2 * n)
}
