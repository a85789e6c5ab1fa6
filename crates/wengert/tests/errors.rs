//! What likely mistakes are answered with: every text as a user reads it.

mod snapshot;

use std::sync::Mutex;
use wengert::prelude::*;
use wengert::{
    Error, Index, arange, concrete, cross_entropy, eye, full, linspace, mean_squared_error, ones, parse, scan_reverse,
    try_call, try_grad, try_jvp, try_trace, try_value_and_grad, try_vjp, try_vmap, where_, zeros,
};

/// The text of the error, with the numbers of lines and columns blanked.
#[track_caller]
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

/// The name is the one that was typed, whatever the method is made of.
fn methods() -> Vec<(&'static str, String)> {
    let truths = || two().gt(0.0);
    vec![
        ("an operator on truth values", text(try_call(|| truths() * truths()))),
        ("bits of floats", text(try_call(|| two() | two()))),
        ("a sign of truth values", text(try_call(|| -truths()))),
        (
            "assignment of another shape",
            text(try_call(|| {
                let mut x = two();
                x += three();
                x
            })),
        ),
        ("minimum, traced", text(try_jit(|x: Array| x.sin().minimum(three()))(two()))),
        ("clip", text(try_call(|| two().clip(three(), 5.0)))),
        ("pow", text(try_call(|| two().pow(three())))),
        ("square of truth values", text(try_call(|| truths().square()))),
        ("atan2 of integers", text(try_call(|| array![1].atan2(2)))),
        ("where_", text(try_call(|| where_(&two(), 1.0, 0.0)))),
        ("comparison of other shapes", text(try_call(|| two().lt(three())))),
        ("mean over a missing axis", text(try_call(|| two().mean_axis(1)))),
        ("var over a missing axis", text(try_call(|| two().var_axis(1)))),
        ("norm over a missing axis", text(try_call(|| two().norm_axis(-2)))),
        ("logsumexp of a scalar over an axis", text(try_call(|| Array::from(1.0).logsumexp_axis(0)))),
        ("argmax over a missing axis", text(try_call(|| two().argmax_axis(1)))),
        ("min along an empty axis", text(try_call(|| zeros((0, 3)).min_axis(0)))),
        ("swap_axes", text(try_call(|| two().swap_axes(0, 1)))),
        ("move_axis", text(try_call(|| matrix().move_axis(2, 0)))),
        ("flip", text(try_call(|| matrix().flip(2)))),
        ("expand_dims", text(try_call(|| matrix().expand_dims(4)))),
        ("squeeze", text(try_jit(|x: Array| x.exp().squeeze(0))(matrix()))),
        ("pad of too few axes", text(try_call(|| matrix().pad(1, 1, 0.0)))),
        ("pad by an array", text(try_call(|| two().pad(1, 1, two())))),
        ("at of a scalar", text(try_call(|| Array::from(1.0).at(0)))),
        ("at of nothing", text(try_call(|| zeros(0).at(Array::from(1))))),
        ("get_or by floats", text(try_jit(|(x, i): (Array, Array)| x.get_or(i.sin(), 0.0))((two(), two())))),
        ("slice at a position outside", text(try_call(|| two().slice(2)))),
        ("slice_axis outside", text(try_call(|| matrix().slice_axis(1, 4..)))),
        ("scatter_add of other updates", text(try_call(|| three().scatter_add(array![0, 1], &three())))),
        ("dynamic_slice too long", text(try_call(|| two().dynamic_slice(&[0], 3)))),
        ("dynamic_slice at too many starts", text(try_call(|| two().dynamic_slice(&[0, 0], 1)))),
        ("dynamic_slice at an array", text(try_call(|| two().dynamic_slice(&[Index::from(array![0, 1])], 1)))),
        ("dynamic_update_slice of another rank", text(try_call(|| matrix().dynamic_update_slice(&two(), &[0])))),
        ("one_hot of floats", text(try_call(|| two().one_hot(3)))),
        ("dot of truth values", text(try_call(|| truths().dot(&truths())))),
        ("matmul of other stacks", text(try_call(|| zeros((2, 1, 3)).matmul(&zeros((3, 3, 1)))))),
        ("mean_squared_error", text(try_call(|| mean_squared_error(&two(), &three())))),
        ("cross_entropy", text(try_jit(|x: Array| cross_entropy(&x.sin(), &three()))(two()))),
        ("concatenate of other ranks, traced", text(try_jit(|x: Array| concatenate(&[x.sin(), matrix()], 0))(two()))),
        ("stack of traced shapes", text(try_jit(|(x, y): (Array, Array)| stack(&[x.sin(), y], 0))((two(), three())))),
        ("full of a negative length", text(try_call(|| full(-1, 0.5)))),
        ("ones of a huge shape", text(try_call(|| ones([1i64 << 40, 1 << 40])))),
        ("eye of a huge shape", text(try_call(|| eye(1 << 40)))),
        ("arange in no steps", text(try_call(|| arange(0, 3, 0)))),
        ("linspace of integers", text(try_call(|| linspace(0, 3, 4)))),
        ("iota along a missing axis", text(try_call(|| Array::iota(DType::I32, &[3], 1)))),
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
        ("value and gradient of an array", text(try_value_and_grad(|x: Array| x)(two()))),
        ("Hessian of an array", text(try_call(|| hessian(|x: Array| x.sin())(two())))),
        ("hvp along another shape", text(try_call(|| hvp(|x: Array| x.sin().sum())(two(), three())))),
        ("jacrev of integers", text(try_call(|| jacrev(|x: Array| x.convert(DType::I32))(two())))),
        ("jacfwd of integers", text(try_call(|| jacfwd(|x: Array| x + 1)(array![1, 2])))),
        ("linearize along another shape", text(try_call(|| linearize(|x: Array| x.sin(), two()).1(three())))),
        ("jvp along another structure", text(try_jvp(|x: Vec<Array>| x)(vec![two()], vec![]))),
        ("transpose of what is not linear", text(try_call(|| linear_transpose(|x: Array| x.sin(), two())(two())))),
        ("transpose of a product", text(try_call(|| linear_transpose(|x: Array| &x * &x, two())(two())))),
        ("transpose along another shape", text(try_call(|| linear_transpose(|x: Array| x * 2.0, two())(three())))),
        (
            "vmap_axes of too few axes",
            text(try_call(|| vmap_axes(|(x, y): (Array, Array)| x + y, [Some(0)], 0)((two(), two())))),
        ),
        ("vmap_axes to a missing axis", text(try_call(|| vmap_axes(|x: Array| x, 0, 2)(two())))),
        ("vmap_axes of a result by row", text(try_call(|| vmap_axes(|x: Array| x, 0, [None])(two())))),
        ("a mistake in a checkpoint", text(try_jit(checkpoint(|x: Array| x + three()))(two()))),
        ("a derivative that differs", text(check_grads(|x: Array| x.stop_gradient() * &x, Array::from(1.0), 1e-6))),
        (
            "a mistake in nested transforms",
            text(try_jit(vmap(grad(|x: Array| (x.sin() * three()).sum())))(array![[1.0, 2.0], [3.0, 4.0]])),
        ),
        ("a gradient of an array in nested transforms", text(try_jit(vmap(grad(|x: Array| x.sin())))(matrix()))),
        (
            "vmap of a traced array by a scalar",
            text(try_jit(|x: Array| vmap(|(x, y): (Array, Array)| x + y)((x.sin(), x.sum())))(two())),
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
        (
            "scan_reverse whose carry changes structure",
            text(try_call(|| scan_reverse(|c: Vec<Array>, x: Array| (vec![], (c, x)), vec![zero()], two()))),
        ),
        ("scan over nothing", text(try_call(|| scan(|c: Array, (): ()| (c, ()), zero(), ())))),
        (
            "cond branches of different dtypes",
            text(try_jit(|x: Array| cond(&x.gt(0.0), || x.sin(), || x.ge(0.0)))(zero())),
        ),
        ("a mistake in a loop", text(try_call(|| fori_loop(0, 3, |_, x: Array| x + two(), three())))),
        (
            "a traced array that is returned by another trace",
            text(try_call(|| {
                let kept = Mutex::new(None);
                jit(|x: Array| {
                    *kept.lock().unwrap() = Some(x.sin());
                    x
                })(zero());
                jit(|_: Array| kept.lock().unwrap().clone().expect("it was traced"))(zero())
            })),
        ),
        ("a traced array in a concrete block", text(try_jit(|x: Array| concrete(|| x.sin()))(zero()))),
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
    let all = [operands(), methods(), transforms(), control_flow(), data()].concat();
    for (mistake, text) in &all {
        assert!(!text.contains("/src/"), "{mistake}: a user cannot do anything about a line of the library\n{text}");
    }
    snapshot::compare("errors.txt", &all);
}

/// The line of the error, and those of the operands.
#[track_caller]
fn lines<R>(result: Result<R, Error>) -> (u32, Vec<u32>) {
    let Err(error) = result else { panic!("this is a mistake and must be refused") };
    let line = |text: &str| {
        let (_, place) = text.split_once("errors.rs:")?;
        place.split(':').next()?.parse::<u32>().ok()
    };
    let source = error.source.as_ref().expect("the line is known").to_string();
    let line_of_error = line(&source).unwrap_or_else(|| panic!("it is in this file: {source}"));
    (line_of_error, error.message.lines().filter_map(line).collect())
}

#[test]
fn errors_of_nested_transforms_name_the_lines_inside_the_function() {
    let f = |x: Array| {
        let long = x.sin();
        (long * three()).sum()
    };
    let line = line!() - 2;
    let x = || array![[1.0, 2.0], [3.0, 4.0]];
    let wanted = (line, vec![line - 1]);
    assert_eq!(lines(try_call(|| grad(f)(two()))), wanted);
    assert_eq!(lines(try_jit(vmap(grad(f)))(x())), wanted);
    assert_eq!(lines(try_call(|| jit(vmap(hessian(f)))(x()))), wanted);
    assert_eq!(lines(try_vmap(|x: Array| jvp(f)(x.clone(), x))(x())), wanted);
    assert_eq!(lines(try_call(|| checkpoint(jit(f))(two()))), wanted);
}

#[test]
fn errors_of_functions_that_return_closures_name_the_line_where_they_were_called() {
    let line = line!() + 1;
    let gradient = grad(|x: Array| x.sin());
    assert_eq!(lines(try_call(|| gradient(two()))).0, line);
    assert_eq!(lines(try_call(|| jit(|x: Array| gradient(x))(two()))).0, line);
    let line = line!() + 1;
    let rows = vmap(|(x, y): (Array, Array)| x + y);
    assert_eq!(lines(try_call(|| rows((two(), three())))), (line, vec![]));
    let (_, pullback) = try_call(|| vjp(|x: Array| x.sin(), two())).unwrap_or_else(|e| e.raise());
    assert_eq!(lines(try_call(|| pullback(three()))).0, line!() - 1);
    let line = line!() + 1;
    let f = try_jit(|x: Array| x + three());
    assert_eq!(lines(f(two())), (line, vec![line]));
}

#[test]
fn after_an_error_nothing_of_it_is_left() {
    for _ in 0..2 {
        let _ = try_grad(|x: Array| x.softmax(3))(two());
        let line = line!() + 1;
        let found = lines(try_call(|| two().maximum(three())));
        assert_eq!(found.0, line);
    }
    let caught = std::panic::catch_unwind(|| grad(|x: Array| x.sin())(two()));
    assert!(caught.is_err());
    assert!(text(try_call(|| two() + three())).starts_with("Type: add (+)"));
}
