//! What operations and derivatives give at the hard points, where a textbook is silent.
//!
//! Each case is a function at a point with its value and its partial derivatives. Every case is run eagerly, interpreted and
//! compiled, each alone and as the middle one of three lanes of `vmap` at other points, in forward and in reverse mode; all
//! forms must agree to the last bit. Where a zero cotangent meets an infinite factor the modes differ; such cases list both.
//!
//! Expected numbers are JAX 0.10.2's unless the case says otherwise.

mod arrays;
mod elementwise;
mod linalg;
mod listed;

use wengert::prelude::*;

/// A function of arrays.
pub type Function = Box<dyn Fn(&[Array]) -> Array>;

/// A function of arrays at a point.
pub struct Case {
    /// What failures call it.
    pub name: &'static str,
    /// The function.
    pub f: Function,
    /// Its arguments.
    pub at: Vec<Array>,
    /// The elements of the result.
    pub value: Vec<f64>,
    /// The derivatives of their sum by every element of every argument, in reverse mode.
    pub reverse: Vec<f64>,
    /// The same in forward mode.
    pub forward: Vec<f64>,
    /// How numbers are compared.
    pub compared: Compared,
}

/// How numbers are compared; any NaN is any other.
#[derive(Clone, Copy)]
pub struct Compared {
    /// How near the first form must be to what the case says, as a part of the size.
    pub to_list: f64,
    /// How near the other forms must be to the first: 0 is every bit, as it is without products of matrices.
    pub to_first: f64,
    /// Whether zeros keep their sign: not where cotangents are added to zeros in place.
    pub signed_zeros: bool,
}

/// The sum, of which the derivatives are; nothing is added where there is one element only.
fn total(y: Array) -> Array {
    if y.rank() == 0 { y } else { y.sum() }
}

/// Value, derivatives by reverse mode, derivatives by forward mode, in a row of vectors.
fn everything(f: &dyn Fn(&[Array]) -> Array, x: Vec<Array>) -> Vec<Array> {
    let mut all = vec![f(&x).flatten()];
    all.extend(grad(|x: Vec<Array>| total(f(&x)))(x.clone()).iter().map(Array::flatten));
    for i in 0..x.len() {
        // The others do not move, which is not the same as by 0: that would meet infinite factors.
        let along = |moved: Array| {
            total(f(&(0..x.len()).map(|j| if i == j { moved.clone() } else { x[j].clone() }).collect::<Vec<_>>()))
        };
        let (n, shape) = (x[i].size(), x[i].shape());
        let each = |k: usize| jvp(along)(x[i].clone(), eye(n).at(k as i64).reshape(shape.as_slice())).1;
        // Of many elements all at once.
        all.push(match n {
            0 => zeros(0),
            1..=16 => stack(&(0..n).map(each).collect::<Vec<Array>>(), 0),
            _ => jacfwd(along)(x[i].clone()).flatten(),
        });
    }
    all
}

/// The results of a case in every form.
fn forms(case: &Case) -> Vec<(&'static str, Vec<f64>)> {
    // Other points beside it, which go other ways and must not be felt.
    let lanes = || {
        let beside = |x: &Array| match x.rank() {
            0 => array![0.75, x.item::<f64>().unwrap(), -0.6],
            _ => stack(&[&(x * 0.5), x, &(x + 1.0)], 0),
        };
        case.at.iter().map(beside).collect::<Vec<Array>>()
    };
    let numbers = |y: &Array| y.to_vec::<f64>().expect("they are f64");
    let alone = |y: Vec<Array>| y.iter().flat_map(numbers).collect::<Vec<f64>>();
    let middle = |y: Vec<Array>| y.iter().flat_map(|y| numbers(&y.at(1))).collect::<Vec<f64>>();
    let all = |x: Vec<Array>| everything(&*case.f, x);
    vec![
        ("eager", alone(all(case.at.clone()))),
        ("interpreted", alone(interpret(all)(case.at.clone()))),
        ("compiled", alone(jit(all)(case.at.clone()))),
        ("eager, a lane", middle(vmap(all)(lanes()))),
        ("interpreted, a lane", middle(interpret(vmap(all))(lanes()))),
        ("compiled, a lane", middle(jit(vmap(all))(lanes()))),
    ]
}

fn near(found: f64, wanted: f64, within: f64) -> bool {
    found == wanted
        || (found.is_nan() && wanted.is_nan())
        || within > 0.0 && (found - wanted).abs() <= within * wanted.abs()
}

/// Runs cases, and says of all that are wrong how.
pub fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        let how = case.compared;
        let forms = forms(case);
        let (_, first) = &forms[0];
        let expected = [case.value.as_slice(), &case.reverse, &case.forward].concat();
        // What rounding leaves where the list says 0 counts as nothing only where rounding is allowed at all.
        let tiny = |a: f64, b: f64| how.to_list > 1e-12 && b == 0.0 && a.abs() < 1e-15 && !case.name.starts_with("det");
        let listed = |(&a, &b): (&f64, &f64)| near(a, b, how.to_list) || tiny(a, b);
        if first.len() != expected.len() || !first.iter().zip(&expected).all(listed) {
            wrong.push(format!("{}: {first:?}, not {expected:?}", case.name));
        }
        for (form, found) in &forms[1..] {
            let same = |(&a, &b): (&f64, &f64)| {
                let signs = !how.signed_zeros || a != 0.0 || a.to_bits() == b.to_bits();
                let rounding = how.to_first > 0.0 && (a - b).abs() <= how.to_first * b.abs().max(1.0);
                near(a, b, 0.0) && signs || rounding
            };
            if found.len() != first.len() || !found.iter().zip(first).all(same) {
                wrong.push(format!("{}, {form}: {found:?}, not {first:?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
