//! Values and derivatives of the library functions at the points where they go wrong.
//!
//! Expected values are JAX 0.10.2's unless a comment says otherwise.

use std::sync::Arc;
use wengert_core::interpret::interpret;
use wengert_core::ops::keepdims;
use wengert_core::trace::{Surroundings, door, trace_with};
use wengert_core::transform::{jvp, linearize, transpose_linear};
use wengert_core::value::Value;
use wengert_core::{Array, DType, Program, array, tree};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

fn value(x: &Array) -> Value {
    x.value("a test").unwrap()
}

fn program(f: impl Fn(&Array) -> Array, x: &Array) -> Arc<Program> {
    let traced = trace_with(&[x.ty()], 0, Surroundings::Inherit, |x| vec![f(&x[0])]);
    assert!(traced.captures.is_empty());
    Arc::new(traced.program)
}

fn run(program: &Program, args: Vec<Value>) -> Vec<Array> {
    interpret(program, args).unwrap().into_iter().map(Array::from_value).collect()
}

/// Reverse mode: the gradient of the sum.
fn gradient(f: impl Fn(&Array) -> Array, x: &Array) -> Vec<f64> {
    let halves = linearize(&program(|x| f(x).sum(), x), &[true], &[true]);
    let mut residuals = interpret(&halves.known, vec![value(x)]).unwrap().split_off(1);
    residuals.push(value(&Array::from(1.0)));
    run(&transpose_linear(&halves), residuals).remove(0).to_vec().unwrap()
}

/// Forward mode: the derivative along ones.
fn tangent(f: impl Fn(&Array) -> Array, x: &Array) -> Vec<f64> {
    let pair = jvp(&program(f, x), &[true], &[true]);
    let ones = vec![1.0; x.size()];
    let ones = Array::from_shape_vec(x.shape(), ones).unwrap();
    run(&pair.program, vec![value(x), value(&ones)]).remove(1).to_vec().unwrap()
}

/// The derivative of an elementwise function, the same in both modes.
fn derivative(f: impl Fn(&Array) -> Array, x: &Array) -> Vec<f64> {
    let reverse = gradient(&f, x);
    assert_same(&tangent(&f, x), &reverse);
    reverse
}

/// The second derivative of an elementwise function, by forward over forward mode.
fn second(f: impl Fn(&Array) -> Array, x: f64) -> f64 {
    let x = Array::from(x);
    let first = jvp(&program(f, &x), &[true], &[true]).program;
    let second = jvp(&first, &[true, false], &[true, true]).program;
    let one = value(&Array::from(1.0));
    run(&second, vec![value(&x), one.clone(), one]).remove(3).item().unwrap()
}

fn assert_same(a: &[f64], b: &[f64]) {
    assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b)), "{a:?} is not {b:?}");
}

/// Up to rounding; NaN is NaN.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * a.abs().max(b.abs())
}

fn assert_values(x: Array, expected: &[f64]) {
    assert_same(&x.to_vec().unwrap(), expected);
}

#[test]
fn relu() {
    let x = array![-1.0, 0.0, 2.0, NAN, INF, -INF];
    assert_values(x.relu(), &[0.0, 0.0, 2.0, NAN, INF, 0.0]);
    assert_same(&derivative(Array::relu, &array![-1.0, 0.0, 2.0, INF, -INF]), &[0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(array![-3, 3].relu(), array![0, 3]);
    assert_eq!(array![-3f32].relu().dtype(), DType::F32);
}

#[test]
fn softplus_is_smooth_and_exact() {
    let x = array![0.0, 1.0, -50.0, 800.0, -800.0, INF, -INF, NAN];
    let expected = [2f64.ln(), 1.3132616875182228, 1.9287498479639178e-22, 800.0, 0.0, INF, 0.0, NAN];
    assert_values(x.softplus(), &expected);
    let x = array![0.0, 1.0, INF, -INF, -50.0];
    let expected = [0.5, 0.7310585786300049, 1.0, 0.0, 1.9287498479639178e-22];
    assert_same(&derivative(Array::softplus, &x), &expected);
    assert_same(&[second(Array::softplus, 0.0)], &[0.25]);
}

#[test]
fn logaddexp() {
    let add = |b: f64| move |a: &Array| a.logaddexp(b);
    let at = |a: f64, b: f64| Array::from(a).logaddexp(b).item::<f64>().unwrap();
    assert_same(&[at(0.0, 0.0), at(1.0, -50.0), at(-INF, 3.0)], &[2f64.ln(), 1.0, 3.0]);
    assert_same(&[at(INF, INF), at(INF, -INF), at(-INF, -INF), at(INF, 0.0)], &[INF, INF, -INF, INF]);
    assert_same(&[at(NAN, 0.0), at(INF, NAN)], &[NAN, NAN]);
    assert_same(&[at(0.0, -50.0)], &[1.9287498479639178e-22]);
    assert_same(&derivative(add(0.0), &Array::from(0.0)), &[0.5]);
    assert_same(&derivative(add(INF), &Array::from(INF)), &[1.0]);
    assert_same(&derivative(add(-INF), &Array::from(-INF)), &[NAN]);
    assert_same(&derivative(add(0.0), &Array::from(-INF)), &[0.0]);
    let both = |x: &Array| x.slice_axis(0, 0..1).logaddexp(x.slice_axis(0, 1..2));
    assert_same(&gradient(both, &array![INF, INF]), &[1.0, 1.0]);
    assert_same(&gradient(both, &array![-INF, -INF]), &[NAN, NAN]);
    assert_same(&gradient(both, &array![2.0, 2.0]), &[0.5, 0.5]);
    assert_same(&[second(add(1.0), 1.0)], &[0.25]);
}

#[test]
fn activations() {
    let x = array![-1.0, 0.0, 2.0];
    assert_values(x.sigmoid(), &[0.2689414213699951, 0.5, 0.8807970779778823]);
    assert_values(x.silu(), &[-0.2689414213699951, 0.0, 1.7615941559557646]);
    assert_values(x.gelu(), &[-0.15880800939172324, 0.0, 1.9545976940877752]);
    assert_same(&derivative(Array::gelu, &array![0.0]), &[0.5]);
    assert_eq!(array![0f32].gelu(), array![0f32]);
}

#[test]
fn softmax() {
    let x = array![[1.0, 2.0, 3.0], [0.0, 1000.0, -INF]];
    let third = [0.09003057317038045, 0.24472847105479764, 0.6652409557748218];
    assert_values(x.softmax(1), &[third[0], third[1], third[2], 0.0, 1.0, 0.0]);
    assert_eq!(x.softmax(..).sum(), Array::from(1.0));
    assert_values(array![-INF, -INF].softmax(0), &[NAN, NAN]);
    assert_values(x.log_softmax(-1).slice_axis(0, 0..1), &third.map(f64::ln));
    let loss = |x: &Array| x.softmax(0).slice_axis(0, 0..1);
    assert_same(&gradient(loss, &array![0.0, 0.0]), &[0.25, -0.25]);
    assert_eq!(Array::from_slice::<f64>(&[2, 0], &[]).softmax(1).shape().as_slice(), [2, 0]);
}

#[test]
fn logsumexp() {
    let at = |x: &Array| x.logsumexp().item::<f64>().unwrap();
    let values = [at(&array![1000.0, 1000.0]), at(&array![-INF, -INF]), at(&array![INF, 0.0]), at(&array![NAN, INF])];
    assert_same(&values, &[1000.0 + 2f64.ln(), -INF, INF, NAN]);
    assert_same(&gradient(Array::logsumexp, &array![-INF, -INF]), &[NAN, NAN]);
    assert_same(&gradient(Array::logsumexp, &array![INF, 0.0]), &[NAN, 0.0]);
    assert_same(&gradient(Array::logsumexp, &array![0.0, -INF]), &[1.0, 0.0]);
    let x = array![[1.0, 2.0], [3.0, 4.0]];
    assert_eq!(x.logsumexp_axis(keepdims(1)).shape().as_slice(), [2, 1]);
    assert_eq!(x.logsumexp_axis(()).shape().as_slice(), [2, 2]);
    let nothing = Array::from_slice::<f32>(&[2, 0], &[]);
    assert_eq!(nothing.logsumexp_axis(1), array![f32::NEG_INFINITY, f32::NEG_INFINITY]);
    assert_eq!(nothing.logsumexp_axis(0).shape().as_slice(), [0]);
}

/// As PyTorch: the 2-norm at 0, and the deviation of equal numbers, have derivative 0.
#[test]
fn norms_and_deviations_are_flat_at_zero() {
    assert_same(&gradient(Array::norm, &array![0.0, 0.0, 0.0]), &[0.0, 0.0, 0.0]);
    assert_same(&gradient(Array::norm, &array![3.0, 4.0]), &[0.6, 0.8]);
    assert_same(&tangent(|x| x.norm(), &array![0.0, 0.0]), &[0.0]);
    assert_same(&gradient(Array::std, &array![2.0, 2.0]), &[0.0, 0.0]);
    assert_same(&gradient(Array::std, &array![1.0, 3.0]), &[-0.5, 0.5]);
    assert_same(&[second(|x| x.norm(), 0.0)], &[0.0]);
    assert_values(array![[NAN, 1.0], [INF, 1.0]].norm_axis(1), &[NAN, INF]);
    assert_eq!(array![[1, 2], [2, 2]].norm_axis(keepdims(0)).dtype(), DType::F64);
}

#[test]
fn variance() {
    let x = array![[1.0, 2.0, 6.0], [4.0, 4.0, 4.0]];
    assert_values(x.var_axis(1), &[14.0 / 3.0, 0.0]);
    assert_eq!(x.var_axis(keepdims([0, 1])).shape().as_slice(), [1, 1]);
    assert_eq!(array![1, 3].var(), Array::from(1.0));
    assert_eq!(array![1f32, 3.0].std(), Array::from(1f32));
    // Far from 0 the mean is subtracted first.
    assert_eq!(array![1e9 + 1.0, 1e9 + 3.0].var(), Array::from(1.0));
    assert_values(Array::from_slice::<f64>(&[0], &[]).var(), &[NAN]);
}

#[test]
fn clip() {
    let clip = |x: &Array| x.clip(0.0, 1.0);
    assert_same(&derivative(clip, &array![-1.0, 0.0, 0.5, 1.0, 2.0]), &[0.0, 0.5, 1.0, 0.5, 0.0]);
    assert_values(array![NAN, -INF, INF].clip(0.0, 1.0), &[NAN, 0.0, 1.0]);
    assert_eq!(array![5, -5].clip(-1, 1), array![1, -1]);
}

#[test]
fn one_hot() {
    assert_eq!(array![1, 5, -1].one_hot(2), array![[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]);
    assert_eq!(array![[0u8]].one_hot(1), array![[[1.0]]]);
    let error = door(|| array![1.0].one_hot(2)).unwrap_err();
    assert!(error.message.starts_with("one_hot: indices are integers"), "{error}");
    assert!(error.source.unwrap().to_string().contains("tests/functions.rs"), "the user's line");
}

#[test]
fn errors_name_the_function_and_the_line() {
    let error = door(|| array![1.0].softmax(1)).unwrap_err();
    assert!(error.message.starts_with("softmax: axis 1 does not exist"), "{error}");
    assert!(error.source.unwrap().to_string().contains("tests/functions.rs"), "the user's line");
}

#[test]
fn trees_of_different_structure_are_refused() {
    let (one, two) = (vec![array![1.0]], vec![array![1.0], array![2.0]]);
    let error = door(|| tree::map(|[a, b]| a + b, [one.clone(), two.clone()])).unwrap_err();
    assert!(error.message.starts_with("tree::map: tree 1 has another structure"), "{error}");
    assert!(error.source.unwrap().to_string().contains("tests/functions.rs"), "the user's line");
    let doubled = tree::map(|[a, b]| a + b, [two.clone(), two]);
    assert_eq!(doubled, [array![2.0], array![4.0]]);
    assert_eq!(tree::map(|[a]| -a, [one]), [array![-1.0]]);
}

/// Every equation of a function has the line of its call.
#[test]
fn equations_have_the_users_line() {
    let here = line!() + 1;
    let f = |x: &Array| x.softmax(-1).logsumexp_axis(keepdims(0)).softplus().gelu().logaddexp(0.0).norm() + x.std();
    for e in program(f, &array![[1.0, 2.0]]).equations() {
        let place = format!("tests/functions.rs:{here}:");
        assert!(e.source.to_string().contains(&place), "{} is at {}", e.op.name(), e.source);
    }
}
