//! Solutions of equations: their derivatives are those of the equation, in every transform and to the third order.

use wengert::prelude::*;
use wengert::{custom_root, linear_solve, try_call};

/// Conjugate gradients on the normal equations of nothing: 2 n steps of Richardson with a step that suits the tests.
fn richardson(matvec: &dyn Fn(Array) -> Array, b: Array) -> Array {
    fori_loop(0, 400, |_, x: Array| &x + 0.4 * (&b - matvec(x.clone())), b.clone())
}

fn matrix() -> Array {
    array![[1.5, 0.2, -0.3], [0.4, 1.2, 0.1], [-0.2, 0.5, 1.9]]
}

fn solution(a: &Array, b: Array) -> Array {
    linear_solve(|x: Array| a.dot(&x), b, richardson)
}

fn close(a: &Array, b: &Array) {
    approx::assert_relative_eq!(*a, *b, max_relative = 1e-10, epsilon = 1e-12);
}

#[test]
fn linear_systems_are_differentiated_by_the_system() {
    let b = || array![1.0, -0.5, 2.0];
    let weights = array![0.3, 0.7, -1.1];
    let x = solution(&matrix(), b());
    close(&matrix().dot(&x), &b());
    // With A'y = w: the gradient by b is y, that by A is -y x'.
    let y = solution(&matrix().transpose(), weights.clone());
    let loss = |(a, b): (Array, Array)| solution(&a, b).dot(&weights);
    for (of_a, of_b) in [grad(loss)((matrix(), b())), jit(grad(loss))((matrix(), b()))] {
        close(&of_b, &y);
        close(&of_a, &-y.outer(&x));
    }
    let da = array![[0.1, 0.2, 0.0], [0.0, -0.3, 0.4], [0.5, 0.0, 0.2]];
    let (_, dx) = jvp(|a: Array| solution(&a, b()))(matrix(), da.clone());
    close(&matrix().dot(&dx), &-da.dot(&x));
    // Differentiated by the steps it would not be: two steps of the solver are far from the solution.
    let systems = stack(&[matrix(), 1.1 * matrix()], 0);
    let all = jit(vmap(grad(|a: Array| loss((a, b())))))(systems);
    close(&all.at(0), &-y.outer(&x));
    close(&all.at(1), &(-y.outer(&x) / 1.21));
}

#[test]
fn higher_orders_are_exact() {
    // (s A)^-1 b = x / s.
    let along = |s: Array| solution(&(s * matrix()), array![1.0, -0.5, 2.0]).sum();
    let whole = along(1.0.into());
    let at = |f: &dyn Fn(Array) -> Array| jit(f)(1.0.into());
    close(&at(&grad(along)), &-&whole);
    close(&at(&grad(grad(along))), &(2.0 * &whole));
    close(&at(&grad(grad(grad(along)))), &(-6.0 * &whole));
    close(&at(&|s: Array| jvp(|s: Array| jvp(grad(along))(s, 1.0.into()).1)(s, 1.0.into()).1), &(-6.0 * &whole));
}

/// A root by bisection: comparisons only, so that its steps have no derivative at all.
fn cube_root(a: Array) -> Array {
    let bisect = |f: &dyn Fn(Array) -> Array, high: Array| {
        let halve = |_, (low, high): (Array, Array)| {
            let middle = 0.5 * (&low + &high);
            let above = f(middle.clone()).gt(0.0);
            (above.select(&low, &middle), above.select(&middle, &high))
        };
        fori_loop(0, 60, halve, (zeros_like(&high), high)).0
    };
    let divide = |slope: &dyn Fn(Array) -> Array, b: Array| &b / slope(ones_like(&b));
    custom_root(|x: Array| x.powi(3) - &a, 8.0 + zeros_like(&a), bisect, divide)
}

#[test]
fn roots_are_differentiated_by_the_equation() {
    let a = 2.7f64;
    let want = [a.cbrt(), a.powf(-2.0 / 3.0) / 3.0, -2.0 / 9.0 * a.powf(-5.0 / 3.0), 10.0 / 27.0 * a.powf(-8.0 / 3.0)];
    let close = |found: Array, want: f64| approx::assert_relative_eq!(found, Array::from(want), max_relative = 1e-12);
    close(cube_root(a.into()), want[0]);
    close(jit(grad(cube_root))(a.into()), want[1]);
    close(jit(grad(grad(cube_root)))(a.into()), want[2]);
    close(jit(grad(grad(grad(cube_root))))(a.into()), want[3]);
    close(jvp(grad(cube_root))(a.into(), 1.0.into()).1, want[2]);
    let rows = jit(vmap(grad(cube_root)))(array![a, 1.0]);
    close(rows.at(0), want[1]);
    close(rows.at(1), 1.0 / 3.0);
    // Element by element, as one system.
    close(jit(grad(|a: Array| cube_root(a).sum()))(array![a, 1.0]).at(0), want[1]);
}

#[test]
fn mistakes_are_named() {
    let text = |f: &dyn Fn() -> Array| try_call(f).unwrap_err().to_string();
    let curved = text(&|| linear_solve(|x: Array| x.square(), array![1.0], richardson));
    assert!(curved.contains("not linear"), "{curved}");
    let shape = text(&|| linear_solve(|x: Array| x.sum(), array![1.0, 2.0], richardson));
    assert!(shape.contains("linear_solve: the product is of another structure or type"), "{shape}");
    let whole = text(&|| linear_solve(|x: Array| x, array![1, 2], richardson));
    assert!(whole.contains("unknowns are floats"), "{whole}");
}
