//! Arguments moved into a compiled function: their memory is used for results where that changes nothing, and nowhere
//! else.

use std::sync::Arc;
use wengert::prelude::*;
use wengert::try_jit;
use wengert_core::value::{ArrayValue, Value};
use wengert_kernel::Buffer;

/// An array in memory of its own that nobody else holds.
fn own(x: &Array) -> Array {
    let value = x.value("copying").unwrap().into_array();
    let copy = ArrayValue::in_buffer(&value.shape, Arc::new(Buffer::clone(&value.buffer)));
    Array::from_value(Value::Array(copy))
}

fn numbers(shape: &[usize]) -> Array {
    let n: usize = shape.iter().product();
    own(&Array::from((0..n).map(|i| (i as f64 * 0.7).sin()).collect::<Vec<f64>>()).reshape(shape))
}

fn address(x: &Array) -> usize {
    x.value("looking").unwrap().array().buffer.as_ptr() as usize
}

/// The result and whether it lies where the argument was, which must give what a shared argument gives.
fn moved(f: impl Fn(Array) -> Array, x: &Array) -> (Array, bool) {
    let f = jit(f);
    let before = x.to_vec::<f64>().unwrap();
    let wanted = f(x.clone());
    assert_eq!(x.to_vec::<f64>().unwrap(), before, "an argument that is held elsewhere is not written");
    assert_ne!(address(&wanted), address(x));
    let mine = own(x);
    let at = address(&mine);
    let found = f(mine);
    assert_eq!(found, wanted);
    let there = address(&found) == at;
    (found, there)
}

#[test]
fn a_step_of_descent_is_in_place() {
    let step = jit(|(p, g): (Array, Array)| p - 0.1 * g);
    for n in [1, 7, 64, 1000, 100_000] {
        let (mut p, g) = (numbers(&[n]), numbers(&[n]));
        let wanted = (0..5).fold(own(&p), |p, _| interpret(|(p, g): (Array, Array)| p - 0.1 * g)((p, g.clone())));
        let (at, slopes) = (address(&p), g.to_vec::<f64>().unwrap());
        for _ in 0..5 {
            p = step((p, g.clone()));
            assert_eq!(address(&p), at, "of length {n}");
        }
        assert_eq!(p, wanted);
        assert_eq!(g.to_vec::<f64>().unwrap(), slopes);
    }
}

#[test]
fn every_parameter_of_an_optimiser_stays_where_it_is() {
    type State = (Vec<Array>, Vec<Array>);
    let step = jit(|((p, m), g): (State, Vec<Array>)| {
        let m: Vec<Array> = m.iter().zip(&g).map(|(m, g)| 0.9 * m + g).collect();
        let p: Vec<Array> = p.iter().zip(&m).map(|(p, m)| p - 0.1 * m).collect();
        (p, m)
    });
    let shapes: [&[usize]; 4] = [&[30, 20], &[20], &[20, 20], &[30, 20]];
    let some = || shapes.map(numbers).to_vec();
    let addresses = |(p, m): &State| p.iter().chain(m).map(address).collect::<Vec<_>>();
    let mut state = (some(), some());
    let (before, slopes) = (addresses(&state), some());
    for _ in 0..3 {
        state = step((state, slopes.clone()));
    }
    let mut after = addresses(&state);
    // Of two parameters of one shape either may take the other's memory, but none is allocated.
    after.sort();
    let mut sorted = before.clone();
    sorted.sort();
    assert_eq!(after, sorted);
}

#[test]
fn rows_are_normalised_in_place() {
    assert!(moved(|x| x.softmax(-1), &numbers(&[30, 20])).1);
    assert!(moved(|x| (&x - x.mean()).sin().exp(), &numbers(&[5000])).1);
    assert!(moved(|x| x.square() + 3.0 * &x + 5.0, &numbers(&[])).1);
}

#[test]
fn what_is_read_elsewhere_is_not_overwritten() {
    let x = numbers(&[24, 24]);
    assert!(!moved(|x| x.transpose(), &x).1);
    assert!(!moved(|x| &x + x.transpose(), &x).1);
    assert!(!moved(|x| x.flip(0), &x).1);
    assert!(!moved(|x| &x * x.flip(1), &x).1);
    assert!(!moved(|x| &x + x.at(0), &x).1);
    assert!(!moved(|x| x.matmul(&x), &x).1);
    let shifted = |x: Array| concatenate(&[x.slice_axis(0, 1..24), x.slice_axis(0, 0..1)], 0);
    assert!(!moved(shifted, &x).1);
}

#[test]
fn foreign_memory_is_never_written() {
    let bytes: Vec<u8> = [1.5f64, 2.5, -3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let memory: Arc<Vec<u8>> = Arc::new(bytes.clone());
    let buffer = Buffer::from_foreign(DType::F64, 3, memory.clone(), 0).unwrap();
    let x = Array::from_value(Value::Array(ArrayValue::in_buffer(&[3], Arc::new(buffer))));
    let at = address(&x);
    let y = jit(|x: Array| x + 1.0)(x);
    assert_ne!(address(&y), at);
    assert_eq!(y.to_vec::<f64>().unwrap(), [2.5, 3.5, -2.0]);
    assert_eq!(*memory, bytes);
}

#[test]
fn one_array_given_twice_serves_nobody() {
    let f = jit(|(x, y): (Array, Array)| (&x + &y, x - 2.0 * y));
    let x = numbers(&[100]);
    let wanted = f((x.clone(), x.clone()));
    let (one, at) = (own(&x), address(&x));
    let two = one.clone();
    let found = f((one, two));
    assert_eq!(found, wanted);
    assert!(address(&found.0) != at && address(&found.1) != at);
}

#[test]
fn two_results_swap_two_arguments() {
    let swap = jit(|(x, y): (Array, Array)| (y, x));
    let (x, y) = (numbers(&[50]), 2.0 * numbers(&[50]));
    let wanted = (own(&y), own(&x));
    let mut before = [address(&x), address(&y)];
    let found = swap((x, y));
    assert_eq!(found, wanted);
    let mut after = [address(&found.0), address(&found.1)];
    before.sort();
    after.sort();
    assert_eq!(before, after);
}

#[test]
fn captured_arrays_stay() {
    let c = numbers(&[100]);
    let before = c.to_vec::<f64>().unwrap();
    let f = jit(move |x: Array| &c + 0.0 * x);
    for _ in 0..3 {
        assert_eq!(f(numbers(&[100])).to_vec::<f64>().unwrap(), before);
    }
}

#[test]
fn a_call_that_fails_takes_what_it_was_given_only() {
    let f = try_jit(|(x, y): (Array, Array)| {
        let z = x + &y;
        check(&z.min().gt(0.0), "all are positive");
        z
    });
    let (x, y) = (numbers(&[100]), numbers(&[100]));
    let before = y.to_vec::<f64>().unwrap();
    assert!(f((x, y.clone())).is_err());
    assert_eq!(y.to_vec::<f64>().unwrap(), before);
}
