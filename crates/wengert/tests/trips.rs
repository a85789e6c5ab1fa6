//! Two nested loops whose lanes go round 0, 1, 7 and 1000 times, differentiated twice, against derivatives by hand.

use wengert::prelude::*;

/// A value with its first and second derivative.
#[derive(Clone, Copy)]
struct Jet([f64; 3]);

impl Jet {
    fn times(self, other: Jet) -> Jet {
        let (Jet([a, da, dda]), Jet([b, db, ddb])) = (self, other);
        Jet([a * b, da * b + a * db, dda * b + 2.0 * da * db + a * ddb])
    }

    fn plus(self, other: Jet) -> Jet {
        Jet(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }

    fn scaled(self, factor: f64) -> Jet {
        Jet(self.0.map(|x| factor * x))
    }

    fn sin(self) -> Jet {
        let Jet([a, da, dda]) = self;
        Jet([a.sin(), a.cos() * da, a.cos() * dda - a.sin() * da * da])
    }
}

/// `outer` rounds of `y = 0.9 y + 0.1 z`, where `z` comes of `inner` rounds of `z = 0.9 z + 0.1 sin(x z)` from `y`.
fn by_hand(x: f64, outer: i64, inner: i64) -> Jet {
    let x = Jet([x, 1.0, 0.0]);
    let mut y = x;
    for _ in 0..outer {
        let mut z = y;
        for _ in 0..inner {
            z = z.scaled(0.9).plus(x.times(z).sin().scaled(0.1));
        }
        y = y.scaled(0.9).plus(z.scaled(0.1));
    }
    y
}

fn nested(x: Array, outer: Array, inner: Array) -> Array {
    let zero = || Array::from(0i64);
    let (_, y) = while_loop(
        |(i, _): (Array, Array)| i.lt(&outer),
        |(i, y): (Array, Array)| {
            let (_, z) = while_loop(
                |(j, _): (Array, Array)| j.lt(&inner),
                |(j, z): (Array, Array)| (j + 1, 0.9 * &z + 0.1 * (&x * z).sin()),
                (zero(), y.clone()),
            );
            (i + 1, 0.9 * y + 0.1 * z)
        },
        (zero(), x.clone()),
    );
    y
}

/// Each count of rounds of the outer loop with each of the inner one, where both together are not too many.
fn lanes() -> Vec<(f64, i64, i64)> {
    let counts = [0, 1, 7, 1000];
    let pairs = counts.iter().flat_map(|&outer| counts.map(|inner| (outer, inner)));
    let few = pairs.filter(|(outer, inner)| outer * inner <= 7000);
    few.enumerate().map(|(k, (outer, inner))| (1.3 + 0.05 * k as f64, outer, inner)).collect()
}

fn check(name: &str, order: usize, found: Array) {
    let found = found.to_vec::<f64>().unwrap();
    assert_eq!(found.len(), lanes().len());
    for ((x, outer, inner), found) in lanes().into_iter().zip(found) {
        let wanted = by_hand(x, outer, inner).0[order];
        let error = (found - wanted).abs() / wanted.abs().max(1.0);
        assert!(error < 1e-11, "{name} at {x} with {outer} times {inner} rounds: {found}, wanted {wanted}");
    }
}

#[test]
fn nested_loops_of_0_1_7_and_1000_rounds() {
    let lanes = lanes();
    assert_eq!(lanes.len(), 15, "all but 1000 times 1000");
    let xs = Array::from(lanes.iter().map(|l| l.0).collect::<Vec<f64>>());
    let outer = Array::from(lanes.iter().map(|l| l.1).collect::<Vec<i64>>());
    let inner = Array::from(lanes.iter().map(|l| l.2).collect::<Vec<i64>>());

    let f = |(x, m, n): (Array, Array, Array)| nested(x, m, n);
    let g = |(x, m, n): (Array, Array, Array)| grad(|x: Array| nested(x, m.clone(), n.clone()))(x);
    let gg = |(x, m, n): (Array, Array, Array)| grad(|x: Array| g((x, m.clone(), n.clone())))(x);
    let all = || (xs.clone(), outer.clone(), inner.clone());
    let sum_f = |x: Array| vmap(f)((x, outer.clone(), inner.clone())).sum();
    let sum_g = |x: Array| vmap(g)((x, outer.clone(), inner.clone())).sum();
    let forward =
        |x: Array| jvp(|x: Array| vmap(g)((x, outer.clone(), inner.clone())))(x.clone(), wengert::ones_like(&x)).1;

    check("vmap", 0, jit(vmap(f))(all()));
    check("vmap(grad)", 1, jit(vmap(g))(all()));
    check("vmap(grad(grad))", 2, jit(vmap(gg))(all()));
    check("grad(vmap)", 1, jit(grad(sum_f))(xs.clone()));
    check("grad(vmap(grad))", 2, jit(grad(sum_g))(xs.clone()));
    check("jvp(vmap(grad))", 2, jit(forward)(xs.clone()));
    let alone = |h: &dyn Fn((Array, Array, Array)) -> Array| {
        let h = jit(h);
        stack(&lanes.iter().map(|&(x, m, n)| h((x.into(), m.into(), n.into()))).collect::<Vec<_>>(), 0)
    };
    check("grad", 1, alone(&g));
    check("grad(grad)", 2, alone(&gg));

    // The reference.
    check("interpreted vmap(grad)", 1, interpret(vmap(g))(all()));
    check("interpreted vmap(grad(grad))", 2, interpret(vmap(gg))(all()));
    check("interpreted grad(vmap)", 1, interpret(grad(sum_f))(xs.clone()));
}
