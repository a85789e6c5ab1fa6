//! Derivatives of one's own: which rule counts, in every transform and inside of loops and branches.

use wengert::prelude::*;
use wengert::{Error, Keep, checkpoint_keeping, parse, try_call};

fn number(x: Array) -> f64 {
    x.item::<f64>().expect("it is a number")
}

/// Wrong on purpose, so that one sees which derivative was taken: 100 times the right one.
fn marked_jvp() -> impl Fn(Array) -> Array {
    custom_jvp(|x: Array| x.square(), |x: Array, dx: Array| (x.square(), 200.0 * x * dx))
}

fn marked_vjp() -> impl Fn(Array) -> Array {
    custom_vjp(|x: Array| x.square(), |x: Array| (x.square(), x), |x: Array, ct: Array| 200.0 * x * ct)
}

fn marked() -> [Box<dyn Fn(Array) -> Array>; 2] {
    [Box::new(marked_jvp()), Box::new(marked_vjp())]
}

#[test]
fn the_rule_counts_in_every_transform() {
    let xs = || array![1.0, -2.0, 3.0];
    for f in marked() {
        let f = |x: Array| f(x);
        assert_eq!(f(3.0.into()), 9.0.into());
        assert_eq!(number(grad(f)(3.0.into())), 600.0);
        assert_eq!(number(jit(grad(f))(3.0.into())), 600.0);
        assert_eq!(number(jvp(f)(3.0.into(), 2.0.into()).1), 1200.0);
        // The derivative of the rule, not of the function, nor the rule twice.
        assert_eq!(number(grad(grad(f))(3.0.into())), 200.0);
        assert_eq!(number(jvp(grad(f))(3.0.into(), 1.0.into()).1), 200.0);
        assert_eq!(number(grad(|x: Array| jvp(f)(x, 1.0.into()).1)(3.0.into())), 200.0);
        assert_eq!(vmap(grad(f))(xs()), 200.0 * xs());
        assert_eq!(jit(vmap(grad(f)))(xs()), 200.0 * xs());
        assert_eq!(grad(|x: Array| vmap(f)(x).sum())(xs()), 200.0 * xs());
        assert_eq!(jacfwd(f)(3.0.into()), 600.0.into());
        assert_eq!(jacrev(|x: Array| vmap(f)(x))(xs()), eye(3) * 200.0 * xs());
        assert_eq!(grad(|x: Array| checkpoint(f)(x))(3.0.into()), 600.0.into());
    }
}

#[test]
fn the_rule_counts_inside_of_loops_and_branches() {
    for f in marked() {
        let f = |x: Array| f(x);
        let three = |x: Array| fori_loop(0, 3, |_, c: Array| f(c) * 0.1, x);
        // d/dx of 0.1 (0.1 (0.1 x^2)^2)^2 with each factor 2 replaced by 200.
        let by_hand = |x: f64| {
            let (a, b) = (0.1 * x * x, 0.1 * (0.1 * x * x).powi(2));
            20.0 * b * 20.0 * a * 20.0 * x
        };
        let looped = |x: Array| {
            while_loop(|(k, _): (Array, Array)| k.lt(3), |(k, c): (Array, Array)| (k + 1, f(c) * 0.1), (0.into(), x)).1
        };
        let branch = |x: Array| cond(&x.gt(0.0), || f(x.clone()), || x.clone());
        for x in [2.0, -1.5] {
            approx::assert_relative_eq!(number(grad(three)(x.into())), by_hand(x), max_relative = 1e-14);
            approx::assert_relative_eq!(number(jit(grad(looped))(x.into())), by_hand(x), max_relative = 1e-14);
            approx::assert_relative_eq!(number(jvp(looped)(x.into(), 1.0.into()).1), by_hand(x), max_relative = 1e-14);
        }
        let each = jit(vmap(grad(branch)))(array![2.0, -2.0]);
        assert_eq!(each, array![400.0, 1.0]);
        let rows = grad(|x: Array| vmap(looped)(x).sum())(array![2.0, -1.5]);
        approx::assert_relative_eq!(rows, array![by_hand(2.0), by_hand(-1.5)], max_relative = 1e-14);
    }
}

#[test]
fn linear_functions_with_rules_are_transposed_as_they_are() {
    fn a() -> Array {
        array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    }
    let jvp_rule = custom_jvp(|x: Array| a().dot(&x), |x: Array, dx: Array| (a().dot(&x), 100.0 * a().dot(&dx)));
    let vjp_rule = custom_vjp(
        |x: Array| a().dot(&x),
        |x: Array| (a().dot(&x), ()),
        |(), ct: Array| 100.0 * a().transpose().dot(&ct),
    );
    let batched = custom_vmap(|x: Array| a().dot(&x), |x: Array| x * 0.0);
    let fs: [&dyn Fn(Array) -> Array; 3] = [&jvp_rule, &vjp_rule, &batched];
    for f in fs {
        let back = linear_transpose(f, zeros(2))(array![1.0, 0.0, 2.0]);
        assert_eq!(back, array![11.0, 14.0]);
        assert_eq!(jit(|ct: Array| linear_transpose(f, zeros(2))(ct))(array![1.0, 0.0, 2.0]), back);
    }
}

#[test]
fn trees_and_integers_pass_through_rules() {
    let f = custom_vjp(
        |(x, n): (Array, Array)| (x.powi(3), &n + 1),
        |(x, n): (Array, Array)| ((x.powi(3), &n + 1), vec![x, n]),
        |kept: Vec<Array>, (ct, of_integer): (Array, Array)| {
            assert_eq!(of_integer.dtype(), DType::I32);
            (3.0 * kept[0].square() * ct * kept[1].convert(DType::F64), of_integer)
        },
    );
    let loss = |x: Array| {
        let (y, n) = f((x, 7.into()));
        y * n.convert(DType::F64)
    };
    assert_eq!(number(grad(loss)(2.0.into())), 12.0 * 7.0 * 8.0);
    assert_eq!(number(jit(grad(loss))(2.0.into())), 12.0 * 7.0 * 8.0);
    // Forward mode transposes the backward function.
    assert_eq!(number(jvp(loss)(2.0.into(), 1.0.into()).1), 12.0 * 7.0 * 8.0);
    assert_eq!(number(jit(jacfwd(loss))(2.0.into())), 12.0 * 7.0 * 8.0);
}

#[test]
fn a_backward_function_need_not_be_linear() -> Result<(), Error> {
    let clipped = custom_vjp(|x: Array| x, |x: Array| (x, ()), |(), ct: Array| ct.clip(-1.0, 1.0));
    let f = |x: Array| (clipped(x) * array![5.0, 0.5]).sum();
    assert_eq!(grad(f)(array![1.0, 1.0]), array![1.0, 0.5]);
    assert_eq!(jit(vmap(grad(f)))(array![[1.0, 1.0]]), array![[1.0, 0.5]]);
    let error = try_call(|| jit(|x: Array| jvp(f)(x.clone(), x))(array![1.0, 1.0])).unwrap_err().to_string();
    assert!(error.contains("no forward mode"), "{error}");
    // Reverse over reverse differentiates the clipping.
    let second = grad(|x: Array| (grad(|x: Array| clipped(x).square().sum())(x)).sum())(array![0.1, 5.0]);
    assert_eq!(second, array![2.0, 0.0]);
    Ok(())
}

#[test]
fn captured_arrays_are_constants_of_a_rule() {
    let scale = Array::from(3.0);
    let f = custom_jvp(|x: Array| x * &scale, |x: Array, dx: Array| (x * &scale, dx * &scale));
    assert_eq!(grad(&f)(2.0.into()), 3.0.into());
    assert_eq!(jit(vmap(grad(&f)))(array![1.0, 2.0]), array![3.0, 3.0]);
    let outer = |s: Array| {
        let inner = custom_jvp(|x: Array| x * &s, |x: Array, dx: Array| (x * &s, dx * &s));
        inner(2.0.into())
    };
    let error = try_call(|| grad(outer)(3.0.into())).unwrap_err().to_string();
    assert!(error.contains("custom_jvp") && error.contains("part of the argument"), "{error}");
    // Under vmap it may differ by lane.
    assert_eq!(vmap(outer)(array![3.0, 4.0]), array![6.0, 8.0]);
}

#[test]
fn mistakes_in_rules_are_named() {
    let text = |f: &dyn Fn() -> Array| try_call(f).unwrap_err().to_string();
    let wrong = |f: &dyn Fn(Array) -> Array| text(&|| grad(f)(2.0.into()));
    let shape = custom_jvp(|x: Array| x, |x: Array, dx: Array| (x, dx.reshape((1, 1))));
    assert!(wrong(&shape).contains("tangent for `result` is f64[1,1], but must be f64[]"), "{}", wrong(&shape));
    let back = custom_vjp(|x: Array| x, |x: Array| (x, ()), |(), ct: Array| ct.convert(DType::F32));
    assert!(wrong(&back).contains("cotangent for `argument` is f32[], but must be f64[]"), "{}", wrong(&back));
    let curved = custom_jvp(|x: Array| x, |x: Array, dx: Array| (x, dx.square()));
    assert!(wrong(&curved).contains("not linear"), "{}", wrong(&curved));
}

#[test]
fn a_batch_is_made_by_the_rule() {
    // Marked by a factor: 10 where the rule worked.
    let f = || {
        custom_vmap(
            |(x, n): (Array, Array)| (x.sin() * n.convert(DType::F64), n),
            |(x, n): (Array, Array)| (10.0 * x.sin() * n.convert(DType::F64), n),
        )
    };
    let own = f();
    let xs = array![0.5, 1.0, 1.5];
    let shared = |x: Array| own((x, 2.into())).0;
    assert_eq!(own((0.5.into(), 2.into())).0, jit(&own)((0.5.into(), 2.into())).0);
    assert_eq!(vmap(shared)(xs.clone()), 20.0 * xs.sin());
    assert_eq!(jit(vmap(shared))(xs.clone()), 20.0 * xs.sin());
    let (y, n) = jit(vmap(&own))((xs.clone(), array![1, 2, 3]));
    assert_eq!((y, n), (10.0 * xs.sin() * array![1.0, 2.0, 3.0], array![1, 2, 3]));
    // A batch of batches: the inner one by the rule, the outer one as usual.
    let twice = jit(vmap(vmap(shared)))(stack(&[&xs, &(2.0 * &xs)], 0));
    assert_eq!(twice.at(1), 20.0 * (2.0 * &xs).sin());
    // Derivatives are those of the function.
    approx::assert_relative_eq!(jit(vmap(grad(shared)))(xs.clone()), 2.0 * xs.cos(), max_relative = 1e-15);
    approx::assert_relative_eq!(
        grad(|x: Array| vmap(shared)(x).sum())(xs.clone()),
        20.0 * xs.cos(),
        max_relative = 1e-15
    );
    let text = trace(shared, &1.0.into()).to_string();
    assert_eq!(parse(&text).map(|program| program.to_string()), Ok(text));
    let wrong = custom_vmap(|x: Array| x.sum(), |x: Array| x);
    let error = try_call(|| vmap(&wrong)(ones((3, 2)))).unwrap_err().to_string();
    assert!(error.contains("the rule returned f64[3,2], but for 3 lanes it must return f64[3]"), "{error}");
    let error = try_call(|| vmap(|s: Array| custom_vmap(|x: Array| x * &s, |x: Array| x)(ones(2)))(xs.clone()));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("differs by lane"), "{error}");
}

#[test]
fn programs_with_rules_print_and_parse_back() {
    for f in marked() {
        for program in [
            trace(|x: Array| f(x), &1.0.into()),
            trace(grad(|x: Array| f(x)), &1.0.into()),
            trace(|x: Array| jvp(&f)(x.clone(), x), &1.0.into()),
        ] {
            let text = program.to_string();
            assert_eq!(parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}")), *program, "{text}");
        }
    }
}

#[test]
fn checkpoints_keep_what_they_are_told() {
    let layer = |(w, x): (Array, Array)| x.dot(&w).named("product").sin().exp().named("wave").cos();
    let args = || (eye(3) * 0.5, ones((2, 3)) * 0.3);
    let whole = jit(value_and_grad(|a: (Array, Array)| layer(a).sum()))(args());
    let dots = |keep: Keep| {
        let f = checkpoint_keeping(keep, layer);
        let g = value_and_grad(|a: (Array, Array)| f(a).sum());
        assert_eq!(jit(&g)(args()), whole);
        let text = trace(g, &args()).to_string();
        (text.matches("= dot").count(), text.matches("= sin").count())
    };
    // Two products of the derivative, and the forward one once or twice.
    let (nothing, products) = (dots(Keep::Nothing), dots(Keep::Products));
    assert_eq!((nothing.0, products.0), (4, 3));
    assert_eq!(dots(Keep::names(["product"])), products);
    let named = dots(Keep::names(["product", "wave"]));
    assert!(named.1 < products.1, "{named:?} {products:?}");
}
