//! `WENGERT_INTERPRET=1` from the outside: every `jit` of the process runs interpreted, to the same bits.

use std::process::Command;
use wengert::prelude::*;

/// The bits of all elements.
fn bits(x: &Array) -> String {
    let numbers = x.convert(DType::F64).to_vec::<f64>().expect("it is concrete");
    numbers.iter().map(|x| format!("{:016x}", x.to_bits())).collect::<Vec<_>>().join(" ")
}

fn newton(a: Array) -> Array {
    while_loop(|x: Array| (x.square() - &a).abs().gt(1e-12), |x: Array| 0.5 * (&x + &a / &x), Array::from(1.0))
}

fn recurrence(x: Array) -> Array {
    let (last, all) = scan(|c: Array, x: Array| (&c * 0.5 + x.sin(), c.exp()), Array::from(0.25), x);
    last + all.sum()
}

fn branch(x: Array) -> Array {
    let inner = jit(|x: Array| x.tanh() * 2.0);
    cond(&x.gt(0.0), || inner(x.clone()), || x.log1p())
}

/// Does its work in processes of the other test, since the variable is read once.
#[test]
fn report() {
    if std::env::var_os("WENGERT_INTERPRET").is_none() {
        return;
    }
    let x = || Array::from((0..67).map(|k| 0.03 * k as f64 - 0.9).collect::<Vec<f64>>());
    let results = [
        jit(|x: Array| x.sin() * x.square() + 1.0)(x()),
        jit(grad(|x: Array| (x.exp() * x.cos()).sum()))(x()),
        jit(grad(recurrence))(x()),
        jit(vmap(branch))(x()),
        jit(vmap(grad(branch)))(x()),
        jit(vmap(grad(grad(newton))))(x() + 2.0),
        jit(hessian(|x: Array| checkpoint(|x: Array| x.sin().prod())(x)))(x().slice(..5)),
        vmap(jit(newton))(x() + 2.0),
        try_jit(|x: Array| x.softmax(-1).argmax())(x()).unwrap(),
    ];
    for result in &results {
        println!("bits {}", bits(result));
    }
    let error = try_jit(|x: Array| {
        check(&x.sum().gt(0.0), "the sum is positive");
        x
    })(-x());
    println!("error {}", error.unwrap_err());
    println!("compilations {}", wengert::execute::compilations());
    println!("calls {}", wengert_native::calls());
}

/// What the process prints, in lines; those of the test harness aside.
fn reported(interpret: &str) -> (Vec<String>, Vec<String>) {
    let this = std::env::current_exe().expect("a test is a program");
    let output = Command::new(this)
        .args(["report", "--exact", "--nocapture"])
        .env("WENGERT_INTERPRET", interpret)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let lines = |wanted: &[&str]| {
        let starts = |line: &&str| wanted.iter().any(|w| line.starts_with(w));
        text.lines().filter(starts).map(str::to_owned).collect::<Vec<_>>()
    };
    (lines(&["bits ", "error "]), lines(&["compilations ", "calls "]))
}

#[test]
fn the_variable_makes_every_jit_interpreted() {
    let (results, counts) = reported("1");
    assert_eq!(counts, ["compilations 0", "calls 0"]);
    assert_eq!(results.len(), 10, "{results:?}");
    // Any other value is none.
    let (compiled, counts) = reported("0");
    assert_eq!(counts[0], "compilations 9");
    assert_eq!(results, compiled);
}
