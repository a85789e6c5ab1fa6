//! Automatic differentiation is not symbolic differentiation: the derivative of a formula grows much faster than that of
//! the program that computes it, for a program names what it has computed and uses it again.
//!
//! Counted are the nodes of the k-th derivative as a formula, by the rules of calculus with zeros and ones left out, and the
//! equations of the program that `grad` applied k times gives. Both compute the same number.

use std::rc::Rc;
use wengert::prelude::*;
use wengert_examples::plot::{Axis, Curve, Plot};

/// A formula in x.
#[derive(Clone)]
enum Formula {
    X,
    Number(f64),
    Sum(Rc<[Formula; 2]>),
    Product(Rc<[Formula; 2]>),
    Sin(Rc<Formula>),
    Cos(Rc<Formula>),
}
use Formula::*;

impl Formula {
    /// The derivative, by the rules of a calculus course.
    fn derivative(&self) -> Formula {
        match self {
            X => Number(1.0),
            Number(_) => Number(0.0),
            Sum(f) => sum(f[0].derivative(), f[1].derivative()),
            Product(f) => sum(product(f[0].derivative(), f[1].clone()), product(f[0].clone(), f[1].derivative())),
            Sin(f) => product(Cos(f.clone()), f.derivative()),
            Cos(f) => product(product(Number(-1.0), Sin(f.clone())), f.derivative()),
        }
    }

    /// How many nodes it has when it is written down.
    fn size(&self) -> f64 {
        match self {
            X | Number(_) => 1.0,
            Sum(f) | Product(f) => 1.0 + f[0].size() + f[1].size(),
            Sin(f) | Cos(f) => 1.0 + f.size(),
        }
    }

    fn at(&self, x: f64) -> f64 {
        match self {
            X => x,
            Number(n) => *n,
            Sum(f) => f[0].at(x) + f[1].at(x),
            Product(f) => f[0].at(x) * f[1].at(x),
            Sin(f) => f.at(x).sin(),
            Cos(f) => f.at(x).cos(),
        }
    }
}

fn sum(a: Formula, b: Formula) -> Formula {
    match (a, b) {
        (Number(0.0), f) | (f, Number(0.0)) => f,
        (a, b) => Sum([a, b].into()),
    }
}

fn product(a: Formula, b: Formula) -> Formula {
    match (a, b) {
        (Number(0.0), _) | (_, Number(0.0)) => Number(0.0),
        (Number(1.0), f) | (f, Number(1.0)) => f,
        (a, b) => Product([a, b].into()),
    }
}

/// The same function as a formula and as code.
struct Example {
    name: &'static str,
    formula: Formula,
    code: fn(Array) -> Array,
}

fn examples() -> [Example; 3] {
    let sin = |f: Formula| Sin(f.into());
    let factors = (1..=8).map(|i| sum(X, Number(i as f64)));
    [
        Example {
            name: "(x+1)(x+2)···(x+8)",
            formula: factors.reduce(product).expect("there are factors"),
            code: |x| (2..=8).fold(&x + 1.0, |y, i| y * (&x + i as f64)),
        },
        Example {
            name: "sin(x)⁸",
            formula: (0..8).map(|_| sin(X)).reduce(product).expect("there are factors"),
            code: |x| {
                let s = x.sin();
                (1..8).fold(s.clone(), |y, _| y * &s)
            },
        },
        Example { name: "sin(sin(sin(sin x)))", formula: sin(sin(sin(sin(X)))), code: |x| x.sin().sin().sin().sin() },
    ]
}

const ORDERS: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let x = 0.7;
    let mut curves = Vec::new();
    for Example { name, formula, code } in examples() {
        println!("{name}\n  derivative    nodes of the formula    equations of the program       value at {x}");
        let mut formula = formula;
        let mut code: Box<dyn Fn(Array) -> Array> = Box::new(code);
        let (mut nodes, mut equations) = (Vec::new(), Vec::new());
        for order in 0..=ORDERS {
            let (symbolic, automatic) = (formula.at(x), jit(&code)(x.into()).item::<f64>()?);
            nodes.push((order as f64, formula.size()));
            equations.push((order as f64, trace(&code, &Array::from(x)).equation_count() as f64));
            println!("  {order:10} {:23} {:27} {automatic:18.8}", nodes[order].1, equations[order].1);
            assert!((symbolic - automatic).abs() <= 1e-9 * symbolic.abs().max(1.0), "{name}: {symbolic}, {automatic}");
            formula = formula.derivative();
            code = Box::new(grad(code));
        }
        let last = |points: &[(f64, f64)]| points[ORDERS].1;
        println!("  the formula is {:.0} times as long\n", last(&nodes) / last(&equations));
        assert!(last(&nodes) > 50.0 * last(&equations), "{name}");
        let place = curves.len();
        curves.push(Curve::new(format!("{name}, formula"), nodes));
        curves.push(Curve::new("its program", equations).beside(place));
    }
    let title = "Derivatives as formulas and as programs";
    let file = Plot::new(title, Axis::linear("order of the derivative"), Axis::log("size"), curves)?
        .save("symbolic_blowup")?;
    println!("The curves are in {}.", file.display());
    Ok(())
}
