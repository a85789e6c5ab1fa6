//! The laws: what must hold of every primitive, on its own samples.

mod compositions;
mod counts;

use counts::enough;
use std::sync::Arc;
use wengert::execute::Executable;
use wengert::{Array, DType, Program, Type, parse};
use wengert_core::interpret::interpret;
use wengert_core::ops::{Broadcast, Op, Sample, names, samples, samples_of_length};
use wengert_core::program::Builder;
use wengert_core::source::Source;
use wengert_core::transform::{self, Mode, batch, jvp, transpose};
use wengert_core::value::{ArrayValue, ListValue, Value};

/// Lengths around the width of vectors: less than one, several unrolled, and every rest.
const LENGTHS: std::ops::RangeInclusive<usize> = 0..=67;

/// The samples of every primitive, its own and those of every length.
fn all_samples() -> impl Iterator<Item = Sample> {
    samples().into_iter().chain(LENGTHS.flat_map(samples_of_length))
}

/// The program of one equation.
fn program(op: &Op, args: &[Value]) -> Arc<Program> {
    let mut b = Builder::new();
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    let inputs = types.iter().map(|ty| b.input(ty.clone())).collect();
    let results = op.infer(&types).unwrap_or_else(|e| panic!("a sample of {}: {e}", op.name()));
    let equation = b.push(op.clone(), inputs, results, Source::Unknown);
    let outputs: Vec<_> = equation.results().collect();
    Arc::new(b.finish(&outputs))
}

fn describe(sample: &Sample) -> String {
    let types: Vec<String> = sample.args.iter().map(|a| a.ty().to_string()).collect();
    format!("{:?} on {}", sample.op, types.join(", ")).chars().take(400).collect()
}

/// The float numbers in a value, lists' rows one after the other.
fn floats(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(a) if a.dtype() == DType::F64 => out.extend_from_slice(a.slice::<f64>()),
        Value::Array(a) if a.dtype() == DType::F32 => out.extend(a.slice::<f32>().iter().map(|&x| x as f64)),
        Value::Array(_) => {}
        Value::List(l) => l.rows.iter().for_each(|r| floats(r, out)),
    }
}

fn all_floats(values: &[Value]) -> Vec<f64> {
    let mut out = Vec::new();
    values.iter().for_each(|v| floats(v, &mut out));
    out
}

/// A value of the same structure whose floats are made by `f` from the old ones.
fn with_floats(value: &Value, f: &mut dyn FnMut(f64) -> f64) -> Value {
    match value {
        Value::Array(a) if a.dtype() == DType::F64 => {
            Value::Array(ArrayValue::new(&a.shape, a.slice::<f64>().iter().map(|&x| f(x)).collect::<Vec<f64>>()))
        }
        Value::Array(a) if a.dtype() == DType::F32 => {
            let data = a.slice::<f32>().iter().map(|&x| f(x as f64) as f32).collect::<Vec<f32>>();
            Value::Array(ArrayValue::new(&a.shape, data))
        }
        Value::Array(_) => value.clone(),
        Value::List(l) => {
            let rows = l.rows.iter().map(|r| with_floats(r, f)).collect();
            Value::List(Arc::new(ListValue { rows, ..ListValue::clone(l) }))
        }
    }
}

/// A fixed pseudo-random direction.
fn direction(value: &Value, seed: &mut f64) -> Value {
    with_floats(value, &mut |_| {
        *seed += 1.0;
        (*seed * 12.9898).sin()
    })
}

fn inner(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn run(p: &Program, args: Vec<Value>) -> Vec<Value> {
    p.verify().expect("a transformed program verifies");
    interpret(p, args).unwrap_or_else(|e| panic!("{e}\n{p}"))
}

#[test]
fn every_primitive_has_samples_of_every_length() {
    // Numbers alone, lists (which are inside of programs only), and what has bodies.
    let without =
        ["literal", "check", "rows", "stack", "nil", "loop", "while", "cond", "call", "checkpoint", "host_call"];
    for n in LENGTHS {
        let samples = samples_of_length(n);
        for name in names() {
            let has = samples.iter().any(|s| s.op.name() == name);
            let none = without.contains(&name) || name.starts_with("list_");
            // Nothing is greatest of nothing.
            let refused = n == 0 && (name.starts_with("argm") || name == "reduce_max" || name == "reduce_min");
            assert_eq!(has, !none && !refused, "{name} at length {n}");
        }
    }
}

#[test]
fn results_have_the_inferred_types() {
    let mut checked = 0;
    for sample in all_samples() {
        let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
        let inferred = sample.op.infer(&types).unwrap();
        if let Ok(values) = sample.op.eval(sample.args.clone()) {
            let found: Vec<Type> = values.iter().map(Value::ty).collect();
            assert_eq!(inferred, found, "{}", describe(&sample));
        }
        checked += 1;
    }
    enough("results_have_the_inferred_types", checked);
}

#[test]
fn programs_print_and_parse_back() {
    let mut checked = 0;
    for sample in all_samples() {
        let p = program(&sample.op, &sample.args);
        let text = p.to_string();
        assert_eq!(parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}")), *p, "{text}");
        checked += 1;
    }
    enough("programs_print_and_parse_back", checked);
}

#[test]
fn forward_mode_agrees_with_finite_differences() {
    let mut checked = 0;
    for sample in all_samples() {
        if sample.smooth.is_empty() || sample.args.iter().any(|a| a.ty().dtype() == DType::F32) {
            continue;
        }
        let p = program(&sample.op, &sample.args);
        let active: Vec<bool> = (0..sample.args.len()).map(|i| sample.smooth.contains(&i)).collect();
        let outputs = p.outputs().len();
        let j = jvp(&p, &active, &vec![true; outputs]);
        let mut seed = 0.3;
        let tangents: Vec<Value> = sample.smooth.iter().map(|&i| direction(&sample.args[i], &mut seed)).collect();
        let results = run(&j.program, [sample.args.clone(), tangents.clone()].concat());
        let found = all_floats(&results[outputs..]);
        let moved = |h: f64| {
            let mut args = sample.args.clone();
            for (&i, v) in sample.smooth.iter().zip(&tangents) {
                let mut steps = Vec::new();
                floats(v, &mut steps);
                let mut steps = steps.into_iter();
                args[i] = with_floats(&args[i], &mut |x| x + h * steps.next().unwrap());
            }
            all_floats(&run(&p, args))
        };
        let difference =
            |h: f64| -> Vec<f64> { moved(h).iter().zip(moved(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect() };
        let (wide, narrow) = (difference(2e-4), difference(1e-4));
        for (k, &found) in found.iter().enumerate() {
            let wanted = (4.0 * narrow[k] - wide[k]) / 3.0;
            let scale = wanted.abs().max(1.0);
            assert!(
                (found - wanted).abs() <= 1e-6 * scale,
                "{}: element {k}: jvp {found}, difference {wanted}",
                describe(&sample)
            );
        }
        checked += 1;
    }
    enough("forward_mode_agrees_with_finite_differences", checked);
}

#[test]
fn transposes_are_adjoint() {
    let mut checked = 0;
    for sample in all_samples() {
        if sample.linear.is_empty() {
            continue;
        }
        let p = program(&sample.op, &sample.args);
        // Jointly, and in each operand alone: the other operands are coefficients then.
        let mut sets = vec![sample.linear.clone()];
        if sample.linear.len() > 1 {
            sets.extend(sample.linear.iter().map(|&i| vec![i]));
        }
        for (which, set) in sets.iter().enumerate() {
            let linear: Vec<bool> = (0..sample.args.len()).map(|i| set.contains(&i)).collect();
            let modes: Vec<Mode> = linear.iter().map(|&l| if l { Mode::Linear } else { Mode::Known }).collect();
            let t = transpose(&p, &modes, &vec![true; p.outputs().len()]);
            let mut seed = 0.7 + which as f64;
            let v: Vec<Value> = set.iter().map(|&i| direction(&sample.args[i], &mut seed)).collect();
            // Linear in this set alone means affine: the value at zero is taken away.
            let at = |v: &dyn Fn(usize) -> Value| {
                let args = (0..sample.args.len())
                    .map(|i| set.iter().position(|&s| s == i).map_or_else(|| sample.args[i].clone(), v));
                run(&p, args.collect())
            };
            let moved = at(&|k| v[k].clone());
            let zero = at(&|k| with_floats(&v[k], &mut |_| 0.0));
            let w: Vec<Value> = moved.iter().map(|y| direction(y, &mut seed)).collect();
            let jv: Vec<f64> = all_floats(&moved).iter().zip(all_floats(&zero)).map(|(a, b)| a - b).collect();
            let known = (0..sample.args.len()).filter(|&i| !linear[i]).map(|i| sample.args[i].clone());
            let ct = run(&t, known.chain(w.clone()).collect());
            let (left, right) = (inner(&jv, &all_floats(&w)), inner(&all_floats(&v), &all_floats(&ct)));
            if left.is_nan() && right.is_nan() {
                continue;
            }
            let single = sample.args.iter().chain(&moved).any(|a| a.ty().dtype() == DType::F32);
            let tolerance = if single { 1e-4 } else { 1e-10 };
            let scale = left.abs().max(1.0);
            assert!((left - right).abs() <= tolerance * scale, "{} in {set:?}: {left} and {right}", describe(&sample));
            checked += 1;
        }
    }
    enough("transposes_are_adjoint", checked);
}

/// Equal bits, any NaN being any other; within `tolerance` of the size where one is given.
fn assert_same(found: &Value, wanted: &Value, tolerance: f64, what: &dyn Fn() -> String) {
    match (found, wanted) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.ty(), b.ty(), "{}", what());
            let (x, y) = (all_floats(std::slice::from_ref(found)), all_floats(std::slice::from_ref(wanted)));
            for (x, y) in x.iter().zip(&y) {
                let same = x.to_bits() == y.to_bits() || x.is_nan() && y.is_nan();
                // A tolerance is for rounding, which exact zeros do not suffer: they keep their sign.
                let zeros = *x == 0.0 && *y == 0.0;
                let close = tolerance > 0.0 && !zeros && (x - y).abs() <= tolerance * y.abs().max(1.0);
                assert!(same || close, "{}: {x} is not {y}", what());
            }
            if !a.dtype().is_float() {
                assert_eq!(a.buffer.bytes(), b.buffer.bytes(), "{}", what());
            }
        }
        (Value::List(a), Value::List(b)) => {
            assert_eq!(a.rows.len(), b.rows.len(), "{}", what());
            a.rows.iter().zip(&b.rows).for_each(|(a, b)| assert_same(a, b, tolerance, what));
        }
        _ => panic!("{}: a list is not an array", what()),
    }
}

/// Puts lanes on top of each other.
fn stacked(lanes: &[Value]) -> Value {
    match &lanes[0] {
        Value::Array(_) => {
            let arrays: Vec<Array> = lanes.iter().map(|v| Array::from_value(v.clone())).collect();
            wengert::stack(&arrays, 0).into_value("stacking").unwrap()
        }
        Value::List(first) => {
            let rows = |k: usize| {
                let row = lanes.iter().map(|l| match l {
                    Value::List(l) => l.rows[k].clone(),
                    Value::Array(_) => unreachable!("lanes are alike"),
                });
                stacked(&row.collect::<Vec<Value>>())
            };
            let rows: Vec<Value> = (0..first.rows.len()).map(rows).collect();
            let element = first.element.batched(lanes.len());
            Value::List(Arc::new(ListValue { element, length: first.length, rows }))
        }
    }
}

#[test]
fn a_batch_is_a_loop_over_its_lanes() {
    let size = 3;
    let mut checked = 0;
    for sample in all_samples() {
        let p = program(&sample.op, &sample.args);
        let n = sample.args.len();
        if n == 0 || sample.op.eval(sample.args.clone()).is_err() {
            continue;
        }
        // All operands mapped, and each alone.
        let mut masks = vec![vec![true; n]];
        if n > 1 {
            masks.extend((0..n).map(|i| (0..n).map(|j| i == j).collect::<Vec<bool>>()));
        }
        for mapped in masks {
            let mut seed = 0.1;
            // Lane 0 is the sample; in the others the floats are moved a little, specials stay.
            let lanes: Vec<Vec<Value>> = (0..size)
                .map(|lane| {
                    let move_floats = |x: &Value, seed: &mut f64| {
                        with_floats(x, &mut |x| {
                            *seed += 1.0;
                            x * (1.0 + lane as f64 * 0.01 * (*seed).sin())
                        })
                    };
                    let arg =
                        |(x, &mapped): (&Value, &bool)| if mapped { move_floats(x, &mut seed) } else { x.clone() };
                    sample.args.iter().zip(&mapped).map(arg).collect()
                })
                .collect();
            let outputs = p.outputs().len();
            let b = batch(&p, &mapped, size, &vec![true; outputs]);
            let arg = |i: usize| {
                let own: Vec<Value> = lanes.iter().map(|l| l[i].clone()).collect();
                if mapped[i] { stacked(&own) } else { own[0].clone() }
            };
            let together = run(&b.program, (0..n).map(arg).collect());
            let alone: Vec<Vec<Value>> = lanes.into_iter().map(|l| run(&p, l)).collect();
            for (k, together) in together.iter().enumerate() {
                let lanes: Vec<Value> = alone.iter().map(|l| l[k].clone()).collect();
                let what = || format!("{}, mapped {mapped:?}", describe(&sample));
                assert_same(together, &stacked(&lanes), 1e-5, &what);
                checked += 1;
            }
        }
    }
    enough("a_batch_is_a_loop_over_its_lanes", checked);
}

/// Whether native code sums in another order than the reference, within a bound: where there are products.
fn tolerance(p: &Program) -> f64 {
    if has_products(p) { 1e-5 } else { 0.0 }
}

fn has_products(p: &Program) -> bool {
    p.equations().iter().any(|e| e.op.name() == "dot" || e.op.programs().iter().any(|p| has_products(p)))
}

#[test]
fn machine_code_agrees_with_the_reference_bit_for_bit() {
    let before = wengert_native::calls();
    let mut ran = 0;
    for sample in all_samples() {
        let p = program(&sample.op, &sample.args);
        // Lists are inside of programs only: the loops that make and read them have tests of their own.
        if sample.args.iter().any(|a| a.ty().is_list()) || p.output_types().any(Type::is_list) {
            continue;
        }
        agree(&p, sample.args.clone(), &sample);
        ran += 1;
        for i in 0..sample.args.len() {
            if let Some((p, args)) = with_one_number(&sample, i) {
                agree(&p, args, &sample);
                ran += 1;
            }
        }
    }
    assert!(wengert_native::calls() >= before + ran, "{ran} programs ran");
    enough("machine_code_agrees_with_the_reference_bit_for_bit", ran as usize);
}

/// The program run by both engines, by machine code for every kind of processor.
fn agree(p: &Program, args: Vec<Value>, sample: &Sample) {
    let wanted = interpret(p, args.clone());
    for widest in [512, 256] {
        let options = wengert_native::Options { widest, ..Default::default() };
        let code = Executable::compiled_with(p, &Default::default(), &options);
        let code = code.unwrap_or_else(|e| panic!("{}: {e}", describe(sample)));
        let mut operands: Vec<Array> = args.iter().cloned().map(Array::from_value).collect();
        match (code.run(&[], &mut operands, |y| Vec::from_iter(y)), &wanted) {
            (Ok(found), Ok(wanted)) => {
                for (found, wanted) in found.iter().zip(wanted) {
                    let found = found.value("comparing").unwrap();
                    assert_same(&found, wanted, tolerance(p), &|| format!("{}, {widest} bits\n{p}", describe(sample)));
                }
            }
            (found, wanted) => {
                let (found, wanted) = (found.map(|_| ()).unwrap_err(), wanted.as_ref().map(|_| ()).unwrap_err());
                assert_eq!(found.message, wanted.message, "{}", describe(sample));
            }
        }
    }
}

/// The same with one number repeated in place of operand `i`, where operands have one shape: as a loop would read it.
fn with_one_number(sample: &Sample, i: usize) -> Option<(Arc<Program>, Vec<Value>)> {
    let shape = &sample.args[i].ty().as_array()?.shape.clone();
    let alike = |v: &Value| v.ty().as_array().is_some_and(|ty| ty.shape == *shape);
    if sample.args.len() < 2 || shape.iter().product::<usize>() == 0 || !sample.args.iter().all(alike) {
        return None;
    }
    let mut args = sample.args.clone();
    args[i] = ArrayValue::scalar(args[i].array().get(0)).into();
    let mut b = Builder::new();
    let mut inputs: Vec<_> = args.iter().map(|a| b.input(a.ty())).collect();
    let types: Vec<Type> = sample.args.iter().map(Value::ty).collect();
    let repeated = Broadcast { shape: shape.clone(), axes: Default::default() };
    inputs[i] =
        b.push(Op::from(repeated), [inputs[i]].into_iter().collect(), [types[i].clone()], Source::Unknown).first;
    let results = sample.op.infer(&types).expect("a sample has types");
    let outputs: Vec<_> =
        b.push(sample.op.clone(), inputs.into_iter().collect(), results, Source::Unknown).results().collect();
    Some((Arc::new(b.finish(&outputs)), args))
}

#[test]
fn derivatives_in_machine_code_agree_with_the_reference() {
    let before = wengert_native::calls();
    let mut ran = 0;
    for sample in all_samples() {
        let lists = sample.args.iter().any(|a| a.ty().is_list());
        let p = program(&sample.op, &sample.args);
        let active: Vec<bool> = (0..sample.args.len()).map(|i| sample.smooth.contains(&i)).collect();
        if lists || sample.smooth.is_empty() || p.output_types().any(|ty| ty.is_list() || !ty.dtype().is_float()) {
            continue;
        }
        let outputs = p.outputs().len();
        let linearized = transform::linearize(&p, &active, &vec![true; outputs]);
        let pull = transform::transpose_linear(&linearized);
        let types = [p.input_types().to_vec(), p.output_types().cloned().collect()].concat();
        let whole = wengert_core::trace::trace_closed(&types, |x| {
            let (x, ct) = x.split_at(p.inputs());
            let mut y = wengert_core::trace::inline(&linearized.known, x);
            let residuals = y.split_off(outputs);
            y.extend(wengert_core::trace::inline(&pull, &[&residuals[..], ct].concat()));
            y
        });
        let mut seed = 0.2;
        let cts: Vec<Value> = run(&p, sample.args.clone()).iter().map(|y| direction(y, &mut seed)).collect();
        let args = [sample.args.clone(), cts].concat();
        let wanted = run(&whole, args.clone());
        let mut args: Vec<Array> = args.into_iter().map(Array::from_value).collect();
        let code = Executable::new(&whole).unwrap_or_else(|e| panic!("{}: {e}", describe(&sample)));
        for (found, wanted) in code.run(&[], &mut args, |y| Vec::from_iter(y)).unwrap().iter().zip(&wanted) {
            let found = found.value("comparing").unwrap();
            assert_same(&found, wanted, tolerance(&whole), &|| format!("vjp of {}", describe(&sample)));
        }
        ran += 1;
    }
    assert!(wengert_native::calls() >= before + ran, "{ran} programs ran");
    enough("derivatives_in_machine_code_agree_with_the_reference", ran as usize);
}
