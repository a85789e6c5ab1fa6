//! What is said of jitted functions: fusion, causes of compilation, and text with the user's lines.

use wengert::{assert_compiles, prelude::*};

fn softmax(x: Array) -> Array {
    let shifted = &x - x.max_axis(keepdims(-1));
    let e = shifted.exp();
    &e / e.sum_axis(keepdims(-1))
}

#[test]
fn what_is_fused_and_why_not() {
    let report = report(jit(softmax), wengert::zeros((32, 64)));
    let text = report.to_string();
    assert_eq!(report.fused().len(), 1, "{text}");
    assert!(
        text.contains("loop nest over 2048 elements in rows of 64: reduce_max, sub, exp, reduce_sum, div"),
        "{text}"
    );
    // One comparison, difference, exponential, addition and quotient an element.
    assert_eq!(report.cost().flops, 5.0 * 2048.0);

    let shifted = jit(|x: Array| {
        let s = x.sin();
        s.slice(1..) * s.slice(..-1)
    });
    let text = wengert::report(&shifted, wengert::zeros(100)).to_string();
    assert!(text.contains("reads `sin` at"), "{text}");
    assert!(text.contains("at other elements than its own"), "{text}");

    let product = jit(|x: Array| x.matmul(&x).exp());
    let found = wengert::report(&product, wengert::zeros((20, 20)));
    let text = found.to_string();
    assert!(text.contains("`dot`, no loop nest"), "{text}");
    assert!(text.contains("reads the result of `dot`"), "{text}");
    assert_eq!(found.cost().flops, 2.0 * 8000.0 + 400.0);
}

#[test]
fn every_text_stands_beside_the_users_code() {
    let f = jit(|x: Array| {
        let weighed = &x * 2.5;
        weighed.cos().sum()
    });
    let report = report(&f, wengert::ones(1000));
    for (what, text) in [
        ("program", report.program_text()),
        ("loops", report.loops_text()),
        ("machine code", report.machine_code_text()),
    ] {
        assert!(text.contains("tests/report.rs:"), "{what}:\n{text}");
        assert!(text.contains("  let weighed = &x * 2.5;"), "{what}:\n{text}");
        assert!(text.contains("  weighed.cos().sum()"), "{what}:\n{text}");
    }
    assert!(report.code_bytes > 0 && report.machine_code_text().contains("ret"));
}

#[test]
fn causes_of_compilation() {
    #[derive(Clone, Tree)]
    struct Model {
        w: Array,
        #[tree(static)]
        power: i32,
    }
    let f = jit(|m: Model| m.w.powi(m.power) * 0.77);
    let model = |n: usize, power| Model { w: wengert::ones(n), power };
    assert_compiles!(1, f(model(2, 3)));
    assert_compiles!(0, f(model(2, 3)));
    assert_compiles!(2, (f(model(5, 3)), f(model(5, 4))));
    let report = report(&f, model(5, 4));
    assert_eq!(report.traced, 3);
    assert_eq!(
        report.causes,
        ["it is called for the first time", "`x.w` is f64[5], it was f64[2]", "its static fields are other ones"]
    );
    // Another `jit` of an equal program finds its code.
    let again = jit(|m: Model| m.w.powi(m.power) * 0.77);
    assert_compiles!(0, again(model(5, 4)));
    let of_another = wengert::report(&again, model(5, 4));
    assert!(!of_another.compiled_here && of_another.traced == 1);
    // What a mistaken count says.
    let counted = std::panic::catch_unwind(|| assert_compiles!(0, jit(|x: Array| x * 0.123)(1.0.into())));
    let message = *counted.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("it is called for the first time (jit at crates/wengert/tests/report.rs:"), "{message}");
}

#[test]
fn a_function_that_is_not_jitted_has_no_report() {
    let error = try_call(|| report(|x: Array| x.sin(), 1.0.into())).unwrap_err();
    assert!(error.to_string().starts_with("report: no jitted function was called"), "{error}");
}
