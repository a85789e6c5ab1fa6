//! What likely mistakes are answered with: every text as a user reads it.

mod snapshot;

use std::sync::Mutex;
use wengert::prelude::*;
use wengert::{Error, parse, try_call, try_grad, try_jvp, try_trace, try_vjp, try_vmap, zeros};

/// The text of the error, with the numbers of lines and columns blanked.
fn text<R>(result: Result<R, Error>) -> String {
    let Err(error) = result else { panic!("this is a mistake and must be refused") };
    without_numbers(&format!("{:?}: {error}", error.kind))
}

/// `file.rs:12:9` as `file.rs:_:_`.
fn without_numbers(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
        out += ".rs:_:_";
        out += rest;
    }
    out.replace('\\', "/")
}

fn two() -> Array {
    array![1.0, 2.0]
}

fn three() -> Array {
    array![1.0, 2.0, 3.0]
}

fn matrix() -> Array {
    array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
}

fn operands() -> Vec<(&'static str, String)> {
    vec![
        ("values that do not broadcast", text(try_call(|| two() + three()))),
        (
            "traced arrays that do not broadcast",
            text(try_jit(|(x, y): (Array, Array)| {
                let wide = x.sin();
                let long = y.exp();
                wide * long
            })((two(), three()))),
        ),
        ("traced and value", text(try_jit(|x: Array| x.sin() - three())(two()))),
        ("maximum of shapes that do not broadcast", text(try_call(|| matrix().maximum(two())))),
        ("select of shapes that do not broadcast", text(try_call(|| two().gt(0.0).select(three(), 0.0)))),
        ("select by numbers", text(try_call(|| two().select(1.0, 0.0)))),
        ("sine of integers", text(try_call(|| array![1, 2].sin()))),
        ("a number too large for the dtype", text(try_call(|| array![1u8] + 300))),
        ("dot of other inner lengths", text(try_jit(|(a, b): (Array, Array)| a.dot(&b))((matrix(), two())))),
        ("matmul of other inner lengths", text(try_call(|| matrix().matmul(&matrix())))),
        ("matmul of a vector and a scalar", text(try_call(|| two().matmul(&Array::from(2.0))))),
        ("reshape to another size", text(try_call(|| matrix().reshape((4, 2))))),
        ("reshape of a traced array to another size", text(try_jit(|x: Array| x.sin().reshape(4))(matrix()))),
        ("broadcast_to a shape that does not fit", text(try_call(|| two().broadcast_to((2, 3))))),
        ("axis out of range", text(try_call(|| matrix().sum_axis(2)))),
        ("axis out of range in softmax", text(try_call(|| matrix().softmax(-3)))),
        ("axis named twice", text(try_call(|| matrix().sum_axis((0, -2))))),
        ("permute with a missing axis", text(try_call(|| matrix().permute((0, 0))))),
        ("max of nothing", text(try_call(|| zeros((3, 0)).max()))),
        ("max over an empty axis, traced", text(try_jit(|x: Array| x.max_axis(1))(zeros((3, 0))))),
        ("argmax of nothing", text(try_call(|| zeros(0).argmax()))),
        ("slice outside", text(try_call(|| matrix().slice((.., 1..5))))),
        ("slice of too many axes", text(try_call(|| two().slice((0, 0))))),
        ("take by floats", text(try_call(|| two().take(two(), 0)))),
        ("concatenate of different shapes", text(try_call(|| concatenate(&[matrix(), zeros((2, 2))], 0)))),
        ("concatenate of nothing", text(try_call(|| concatenate(&[] as &[Array], 0)))),
        ("stack of different shapes", text(try_call(|| stack(&[two(), three()], 0)))),
        ("huge shape", text(try_call(|| zeros([1i64 << 40, 1 << 40])))),
        ("huge shape, traced", text(try_jit(|x: Array| x.broadcast_to([1i64 << 40, 1 << 40]))(Array::from(1.0)))),
        ("split that does not divide", text(try_call(|| three().split(2, 0)))),
    ]
}

fn transforms() -> Vec<(&'static str, String)> {
    vec![
        ("gradient of an array", text(try_grad(|x: Array| x.sin())(two()))),
        ("gradient with respect to an integer", text(try_grad(|x: Array| x.square())(Array::from(2)))),
        ("gradient of an integer", text(try_grad(|x: Array| x.convert(DType::I32))(Array::from(2.0)))),
        ("a mistake inside a gradient", text(try_grad(|x: Array| (x.sin() * three()).sum())(two()))),
        ("vmap over different leading axes", text(try_vmap(|(x, y): (Array, Array)| x * y)((two(), three())))),
        ("vmap over a scalar", text(try_vmap(|(x, y): (Array, Array)| x * y)((two(), Array::from(1.0))))),
        ("a mistake inside vmap", text(try_vmap(|x: Array| x + two())(matrix()))),
        ("jvp with a tangent of another shape", text(try_jvp(|x: Array| x.sin())(two(), three()))),
        ("jvp with a tangent of another dtype", text(try_jvp(|x: Array| x.sin())(two(), array![1f32, 2.0]))),
        (
            "vjp with a cotangent of another shape",
            text(try_vjp(|x: Array| x.sin(), two()).and_then(|(_, pullback)| pullback(three()))),
        ),
    ]
}

fn control_flow() -> Vec<(&'static str, String)> {
    let zero = || Array::from(0.0);
    vec![
        ("branch on `==` of a traced array", text(try_jit(|x: Array| if x == zero() { zero() } else { x })(zero()))),
        (
            "branch on `item` of a traced array",
            text(try_jit(|x: Array| {
                let large = x.gt(1.0).item::<bool>().unwrap_or_else(|e| e.raise());
                if large { x } else { zero() }
            })(zero())),
        ),
        (
            "an array that escaped its trace",
            text(try_call(|| {
                let kept = Mutex::new(None);
                jit(|x: Array| {
                    *kept.lock().unwrap() = Some(x.sin());
                    x
                })(zero());
                kept.into_inner().unwrap().expect("it was traced") + 1.0
            })),
        ),
        (
            "scan whose carry changes dtype",
            text(try_call(|| scan(|c: Array, x: Array| (&c + x, c), Array::from(0), two()))),
        ),
        (
            "scan whose carry changes shape, named in a tuple",
            text(try_call(|| {
                scan(|(n, c): (Array, Array), x: Array| ((n + 1, c * x), ()), (Array::from(0), zero()), matrix())
            })),
        ),
        (
            "while_loop whose carry changes dtype",
            text(try_call(|| while_loop(|i: Array| i.lt(10), |i: Array| i + 0.5, Array::from(0)))),
        ),
        (
            "while_loop whose condition is an array",
            text(try_call(|| while_loop(|x: Array| x.lt(10.0), |x: Array| x + 0.5, two()))),
        ),
        (
            "while_loop whose condition is a number",
            text(try_call(|| while_loop(|x: Array| 10.0 - x, |x: Array| x + 0.5, zero()))),
        ),
        ("fori_loop whose carry changes shape", text(try_call(|| fori_loop(0, 3, |_, c: Array| c + two(), zero())))),
        ("cond branches of different shapes", text(try_jit(|x: Array| cond(&x.gt(0.0), two, || x.clone()))(zero()))),
        (
            "cond branches of different structure",
            text(try_jit(|x: Array| cond(&x.gt(0.0), || vec![x.clone()], || vec![x.clone(), x.clone()]))(zero())),
        ),
        ("cond by an array", text(try_jit(|x: Array| cond(&x.gt(0.0), || x.sin(), || x.clone()))(two()))),
        ("cond by a number", text(try_jit(|x: Array| cond(&x, || x.sin(), || x.clone()))(zero()))),
        (
            "scan over different leading axes",
            text(try_call(|| scan(|c: Array, (x, y): (Array, Array)| (c + x * y, ()), zero(), (two(), three())))),
        ),
        ("scan over a scalar", text(try_call(|| scan(|c: Array, x: Array| (c + x, ()), zero(), zero())))),
        (
            "a failed check",
            text(try_jit(|x: Array| {
                check(&x.gt(0.0), "x is positive");
                x.log()
            })(zero())),
        ),
        (
            "a failed check in a lane",
            text(try_jit(vmap(|x: Array| {
                check(&x.gt(1.5), "x is large");
                x.log()
            }))(array![2.0, 3.0, 1.0, 0.0])),
        ),
        ("a check of an array", text(try_call(|| check(&two().gt(0.0), "all are positive")))),
    ]
}

fn data() -> Vec<(&'static str, String)> {
    let program = |body: &str| text(parse(&format!("program (%0: f64[3]) {{\n{body}\n}}\n")));
    vec![
        ("to_vec of another dtype", text(two().to_vec::<f32>())),
        ("item of several", text(two().item::<f64>())),
        (
            "to_vec of a traced array",
            text(try_trace(|x: Array| x.to_vec::<f64>().map(|_| x).unwrap_or_else(|e| e.raise()), &two())),
        ),
        ("from_shape_vec of another length", text(Array::from_shape_vec((2, 3), vec![1.0; 5]))),
        ("from_shape_vec of a negative length", text(Array::from_shape_vec((-2, 3), vec![1.0; 6]))),
        ("parse: an unknown operation", program("  %1: f64[3] = sinn %0\n  return %1")),
        ("parse: a variable before it is made", program("  %1: f64[3] = sin %2\n  return %1")),
        ("parse: another type than the operation gives", program("  %1: f64[4] = sin %0\n  return %1")),
        ("parse: a bracket is missing", text(parse("program (%0: f64[3) {\n  return %0\n}\n"))),
    ]
}

#[test]
fn snapshots_of_what_mistakes_are_answered_with() {
    snapshot::compare("errors.txt", &[operands(), transforms(), control_flow(), data()].concat());
}
