//! Random programs: machine code against the reference bit for bit, text against the program, and the transforms against
//! differences, each other and each lane alone.

#[path = "random_programs/generator.rs"]
mod generator;
#[path = "random_programs/numbers.rs"]
mod numbers;

use generator::Generated;
use numbers::{Random, Style};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wengert::execute::Executable;
use wengert::{
    Array, DType, concatenate, eye, interpret, jet, jit, jvp, parse, sparse_jacobian, stack, trace, vjp, vmap,
    vmap_axes, zeros, zeros_like,
};
use wengert_core::value::{ArrayValue, Value};
use wengert_kernel::Buffer;

/// One test at a time, so that the calls of machine code counted are its own.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The seeds of a check; others, and so many as the variable says, where a soak is asked for.
fn seeds(usual: std::ops::Range<u64>) -> std::ops::Range<u64> {
    match std::env::var("WENGERT_TEST_SOAK").map(|n| n.parse::<u64>().expect("a number of seeds")) {
        Ok(n) => (1 << 32) + usual.start..(1 << 32) + usual.start + n,
        Err(_) => usual,
    }
}

/// Checks the program of every seed, each of which must run machine code. Of those that fail the first is made as short
/// as it fails, and printed.
fn check_all(usual: std::ops::Range<u64>, style: Style, check: fn(&Generated, u64) -> Result<(), String>) {
    let _alone = alone();
    let checked = |program: &Generated, seed: u64| {
        let before = wengert_native::calls();
        match catch_unwind(AssertUnwindSafe(|| check(program, seed))) {
            Ok(Ok(())) if wengert_native::calls() == before => Err("no machine code ran".to_owned()),
            Ok(result) => result,
            Err(payload) => Err(match payload.downcast::<String>() {
                Ok(message) => format!("panic: {message}"),
                Err(payload) => format!("panic: {:?}", payload.downcast_ref::<&str>()),
            }),
        }
    };
    let mut failed = Vec::new();
    for seed in self::seeds(usual) {
        if checked(&Generated::new(seed, style), seed).is_err() {
            failed.push(seed);
        }
    }
    let Some(&seed) = failed.first() else { return };
    let mut program = Generated::new(seed, style);
    let mut i = program.words.len();
    while i > 0 {
        i -= 1;
        let word = program.words.remove(i);
        if program.words.is_empty() || checked(&program, seed).is_ok() {
            program.words.insert(i, word);
        }
    }
    let message = checked(&program, seed).unwrap_err();
    let text = catch_unwind(AssertUnwindSafe(|| trace(|x| program.call(x), &program.arguments(seed)).to_string()));
    let text = text.unwrap_or_else(|_| "it cannot be traced".to_owned());
    panic!("seed {seed}: {message}\nof {program:?}:\n{text}\n{} seeds fail: {failed:?}", failed.len());
}

/// The bits of every element; all NaN are one.
fn bits(x: &Array) -> Vec<u64> {
    match x.dtype() {
        DType::F64 => {
            x.to_vec::<f64>().unwrap().iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() }).collect()
        }
        DType::F32 => {
            x.to_vec::<f32>().unwrap().iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits().into() }).collect()
        }
        dtype if dtype.is_half() => {
            let single = x.convert(DType::F32).to_vec::<f32>().unwrap();
            single.iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits().into() }).collect()
        }
        _ => match x.value("comparing").unwrap() {
            Value::Array(a) => a.buffer.bytes().iter().map(|&byte| byte.into()).collect(),
            Value::List(_) => unreachable!("a result is an array"),
        },
    }
}

fn same_bits(found: &[Array], wanted: &[Array]) -> Result<(), String> {
    for (k, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let at = bits(found).iter().zip(bits(wanted)).position(|(a, b)| *a != b);
        if found.ty() != wanted.ty() || at.is_some() {
            return Err(format!("output {k} at {at:?}: found {found:?}, wanted {wanted:?}"));
        }
    }
    if found.len() == wanted.len() { Ok(()) } else { Err(format!("{} outputs, not {}", found.len(), wanted.len())) }
}

fn floats(x: &Array) -> Vec<f64> {
    x.convert(DType::F64).to_vec::<f64>().unwrap()
}

/// Within `tolerance` of the size of the largest element.
fn near(what: &str, found: &[Array], wanted: &[Array], tolerance: f64) -> Result<(), String> {
    if found.len() != wanted.len() {
        return Err(format!("{what}: {} arrays, not {}", found.len(), wanted.len()));
    }
    for (k, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let (f, w) = (floats(found), floats(wanted));
        let scale = w.iter().fold(1e-2, |m: f64, x| m.max(x.abs()));
        // A NaN is not close; an infinity is to itself.
        let close = |f: f64, w: f64| f == w || (f - w).abs() <= tolerance * scale;
        let far = f.iter().zip(&w).position(|(&f, &w)| !close(f, w));
        if found.ty() != wanted.ty() || far.is_some() {
            return Err(format!("{what}: array {k} at {far:?}: found {found:?}, wanted {wanted:?}"));
        }
    }
    Ok(())
}

/// A direction in the space of the arguments: numbers in [-1, 1) for floats, zeros for integers.
fn direction(like: &[Array], seed: u64) -> Vec<Array> {
    let mut r = Random(seed);
    let one = |x: &Array| {
        let numbers: Vec<f64> = (0..x.size()).map(|_| r.signed()).collect();
        let scale = if x.dtype().is_float() { 1.0 } else { 0.0 };
        (Array::from_slice(&x.shape(), &numbers) * scale).convert(x.dtype())
    };
    like.iter().map(one).collect()
}

fn inner(a: &[Array], b: &[Array]) -> f64 {
    let product = |(a, b): (&Array, &Array)| floats(a).iter().zip(floats(b)).map(|(a, b)| a * b).sum::<f64>();
    a.iter().zip(b).map(product).sum()
}

#[test]
fn machine_code_agrees_with_the_reference_bit_for_bit() {
    check_all(0..2000, Style::Any, |program, seed| {
        let f = |x| program.call(x);
        let args = program.arguments(seed);
        let compiled = jit(f);
        same_bits(&compiled(args.clone()), &interpret(f)(args))?;
        // The same code once more, on other numbers.
        let args = program.arguments(!seed);
        let wanted = interpret(f)(args.clone());
        same_bits(&compiled(args.clone()), &wanted)?;
        // By vectors of 256 bits, wherever they can be; what is captured would be an operand more.
        let traced = trace(f, &args);
        if traced.inputs() > args.len() {
            return Ok(());
        }
        let options = wengert_native::Options { wide: 0, widest: 256, ..Default::default() };
        let code = Executable::compiled_with(&traced, &Default::default(), &options).map_err(|e| e.message)?;
        let found = code.run(&[], &mut args.clone(), |results| results.collect::<Vec<Array>>());
        same_bits(&found.map_err(|e| e.message)?, &wanted)
    });
}

/// An array in memory of its own that nobody else holds.
fn own(x: &Array) -> Array {
    let value = x.value("copying").unwrap().into_array();
    let copy = ArrayValue::in_buffer(&value.shape, Arc::new(Buffer::clone(&value.buffer)));
    Array::from_value(Value::Array(copy))
}

/// Where the elements lie, if there are any.
fn address(x: &Array) -> Option<usize> {
    let value = x.value("looking").unwrap().into_array();
    (value.size() > 0).then(|| value.buffer.as_ptr() as usize)
}

#[test]
fn given_arguments_change_no_result() {
    static IN_PLACE: AtomicUsize = AtomicUsize::new(0);
    check_all(0..2000, Style::Any, |program, seed| {
        let compiled = jit(|x| program.call(x));
        let mut args: Vec<Array> = program.arguments(seed).iter().map(own).collect();
        let mut wanted = compiled(args.clone());
        for mask in [u64::MAX, seed, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7] {
            let mine: Vec<Array> = args.iter().map(own).collect();
            let given = |i: usize| mask >> (i % 64) & 1 == 1;
            let kept: Vec<Array> = (0..mine.len()).filter(|&i| !given(i)).map(|i| mine[i].clone()).collect();
            let (before, copies) = (mine.iter().filter_map(address).collect::<Vec<_>>(), kept.iter().map(own));
            let copies: Vec<Array> = copies.collect();
            let found = compiled(mine);
            same_bits(&found, &wanted)?;
            same_bits(&kept, &copies)?;
            let held: Vec<usize> = kept.iter().filter_map(address).collect();
            let at: Vec<usize> = found.iter().filter_map(address).collect();
            if at.iter().any(|at| held.contains(at)) {
                return Err(format!("a result lies in memory that is held: mask {mask:x}"));
            }
            IN_PLACE.fetch_add(at.iter().filter(|at| before.contains(at)).count(), Ordering::Relaxed);
        }
        // One array in two places, which nobody else holds.
        let types: Vec<_> = args.iter().map(Array::ty).collect();
        let pair = (0..args.len()).flat_map(|i| (0..i).map(move |k| (i, k))).find(|&(i, k)| types[i] == types[k]);
        if let Some((i, k)) = pair {
            args[i] = args[k].clone();
            wanted = compiled(args.clone());
            same_bits(&compiled(args), &wanted)?;
        }
        Ok(())
    });
    let in_place = IN_PLACE.load(Ordering::Relaxed);
    assert!(in_place > 1000, "{in_place} results were written over arguments");
}

#[test]
fn programs_verify_print_and_parse_back() {
    let _alone = alone();
    for seed in seeds(0..2000) {
        let style = if seed % 2 == 0 { Style::Any } else { Style::Smooth };
        let program = Generated::new(seed, style);
        let traced = trace(|x| program.call(x), &program.arguments(seed));
        let text = traced.to_string();
        traced.verify().unwrap_or_else(|e| panic!("seed {seed}: {e:?}\n{text}"));
        let parsed = parse(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
        assert_eq!(parsed, *traced, "seed {seed}\n{text}");
    }
}

#[test]
fn batches_in_machine_code_agree_with_the_reference_bit_for_bit() {
    check_all(10_000..10_400, Style::Any, |program, seed| {
        let f = vmap(|x| program.call(x));
        let args = lanes(program, seed, &vec![true; program.inputs.len()]).0;
        same_bits(&jit(&f)(args.clone()), &interpret(&f)(args))
    });
}

#[test]
fn forward_mode_agrees_with_differences() {
    check_all(20_000..20_600, Style::Smooth, |program, seed| {
        let f = |x| program.call(x);
        let x = program.arguments(seed);
        let dx = direction(&x, seed);
        let (y, dy) = jit(|(x, dx)| jvp(f)(x, dx))((x.clone(), dx.clone()));
        let f = jit(f);
        near("the value of jvp", &y, &f(x.clone()), 1e-12)?;
        let moved = |h: f64| {
            let step = |(x, dx): (&Array, &Array)| if x.dtype().is_float() { x + dx * h } else { x.clone() };
            f(x.iter().zip(&dx).map(step).collect())
        };
        let difference =
            |h: f64| -> Vec<Array> { moved(h).iter().zip(moved(-h)).map(|(a, b)| (a - b) / (2.0 * h)).collect() };
        let (wide, narrow) = (difference(2e-3), difference(1e-3));
        let wanted: Vec<Array> = wide.iter().zip(&narrow).map(|(w, n)| (4.0 * n - w) / 3.0).collect();
        near("jvp", &dy, &wanted, 1e-5)
    });
}

#[test]
fn reverse_mode_is_adjoint_to_forward_mode() {
    check_all(30_000..30_600, Style::Smooth, |program, seed| {
        let f = |x| program.call(x);
        let x = program.arguments(seed);
        let dx = direction(&x, seed);
        let (y, dy) = jit(|(x, dx)| jvp(f)(x, dx))((x.clone(), dx.clone()));
        let ct = direction(&y, !seed);
        let (value, pulled) = jit(|(x, ct)| {
            let (y, pull) = vjp(f, x);
            (y, pull(ct))
        })((x, ct.clone()));
        near("the value of vjp", &value, &y, 1e-12)?;
        let (left, right) = (inner(&dy, &ct), inner(&dx, &pulled));
        // The terms may cancel: their size is what rounding goes by.
        let scale = inner(&dy, &dy).sqrt() * inner(&ct, &ct).sqrt() + 1e-2;
        if (left - right).abs() <= 1e-9 * scale {
            Ok(())
        } else {
            Err(format!("<J v, w> = {left}, <v, J' w> = {right}"))
        }
    });
}

/// Arguments for three lanes, those not mapped the same in all: together, and lane by lane.
fn lanes(program: &Generated, seed: u64, mapped: &[bool]) -> (Vec<Array>, Vec<Vec<Array>>) {
    let first = program.arguments(seed);
    let lane = |k: u64| -> Vec<Array> {
        let own = program.arguments(seed + k * 1_000_003);
        own.into_iter().zip(&first).zip(mapped).map(|((own, first), &m)| if m { own } else { first.clone() }).collect()
    };
    let alone: Vec<Vec<Array>> = (0..3).map(lane).collect();
    let together = |i: usize| {
        let rows: Vec<&Array> = alone.iter().map(|x| &x[i]).collect();
        if mapped[i] { stack(&rows, 0) } else { first[i].clone() }
    };
    ((0..first.len()).map(together).collect(), alone)
}

#[test]
fn a_batch_is_a_loop_over_its_lanes() {
    check_all(40_000..40_600, Style::Smooth, |program, seed| {
        let mut r = Random(seed);
        let mut mapped: Vec<bool> = program.inputs.iter().map(|_| r.below(3) > 0).collect();
        mapped[seed as usize % program.inputs.len()] = true;
        let axes: Vec<Option<usize>> = mapped.iter().map(|m| m.then_some(0)).collect();
        let (together, alone) = lanes(program, seed, &mapped);
        let f = |x| program.call(x);
        let found = jit(vmap_axes(f, axes, 0))(together);
        let compiled = jit(f);
        let rows: Vec<Vec<Array>> = alone.into_iter().map(&compiled).collect();
        let wanted = |k: usize| stack(&rows.iter().map(|row| &row[k]).collect::<Vec<&Array>>(), 0);
        near("vmap", &found, &(0..found.len()).map(wanted).collect::<Vec<Array>>(), 1e-9)
    });
}

/// Cotangents of the arguments for these of the results, and how the former move when the arguments move by `dx`.
fn pulled(f: &impl Fn(Vec<Array>) -> Vec<Array>, [x, dx, ct]: [Vec<Array>; 3]) -> [Vec<Array>; 2] {
    let back = |x: Vec<Array>| vjp(f, x).1(ct.clone());
    jit(|(x, dx)| jvp(back)(x, dx))((x, dx)).into()
}

#[test]
fn derivatives_of_a_batch_are_those_of_its_lanes() {
    check_all(50_000..50_600, Style::Smooth, |program, seed| {
        let mut r = Random(seed);
        let mut mapped: Vec<bool> = program.inputs.iter().map(|_| r.below(2) > 0).collect();
        mapped[seed as usize % program.inputs.len()] = true;
        let axes: Vec<Option<usize>> = mapped.iter().map(|m| m.then_some(0)).collect();
        let (together, alone) = lanes(program, seed, &mapped);
        let f = |x| program.call(x);
        let batch = vmap_axes(f, axes, 0);
        let dx = direction(&together, seed);
        let ct = direction(&jit(&batch)(together.clone()), !seed);
        let lane = |xs: &[Array], mapped: &[bool], k: usize| -> Vec<Array> {
            let own = |(x, &m): (&Array, &bool)| if m { x.at(k as i64) } else { x.clone() };
            xs.iter().zip(mapped).map(own).collect()
        };
        let all = vec![true; ct.len()];
        let rows: Vec<[Vec<Array>; 2]> =
            (0..3).map(|k| pulled(&f, [alone[k].clone(), lane(&dx, &mapped, k), lane(&ct, &all, k)])).collect();
        let [first, second] = pulled(&batch, [together, dx, ct]);
        // What lanes share has the sum of their cotangents.
        let wanted = |order: usize| -> Vec<Array> {
            let one = |i: usize| {
                let rows = stack(&rows.iter().map(|row| &row[order][i]).collect::<Vec<&Array>>(), 0);
                if mapped[i] || !rows.dtype().is_float() { rows } else { rows.sum_axis(0) }
            };
            (0..mapped.len()).map(one).collect()
        };
        let floats = |found: Vec<Array>, wanted: Vec<Array>| -> (Vec<Array>, Vec<Array>) {
            found.into_iter().zip(wanted).filter(|(_, w)| w.dtype().is_float()).unzip()
        };
        for (what, found, wanted) in [("vjp", first, wanted(0)), ("jvp of vjp", second, wanted(1))] {
            let (found, wanted) = floats(found, wanted);
            near(what, &found, &wanted, 1e-9)?;
        }
        Ok(())
    });
}

/// A program and its arguments, every other one as a batch of three.
fn perhaps_batched(program: &Generated, seed: u64) -> (impl Fn(Vec<Array>) -> Vec<Array>, Vec<Array>) {
    let batch = seed % 2 == 1;
    let call = move |x| if batch { vmap(|x| program.call(x))(x) } else { program.call(x) };
    let all = vec![true; program.inputs.len()];
    (call, if batch { lanes(program, seed, &all).0 } else { program.arguments(seed) })
}

#[test]
fn power_series_agree_with_nested_forward_mode() {
    check_all(60_000..60_300, Style::Smooth, |program, seed| {
        let (f, x) = perhaps_batched(program, seed);
        let f = &f;
        let dx = direction(&x, seed);
        let zero: Vec<Array> = dx.iter().map(zeros_like).collect();
        let series = |(x, dx): (Vec<Array>, Vec<Array>)| jet(f, x, vec![dx, zero.clone(), zero.clone()]);
        let (y, dy) = jit(series)((x.clone(), dx.clone()));
        let once = |x: Vec<Array>| jvp(f)(x, dx.clone()).1;
        let twice = |x: Vec<Array>| jvp(once)(x, dx.clone()).1;
        let thrice = |x: Vec<Array>| jvp(twice)(x, dx.clone()).1;
        near("the value of jet", &y, &jit(f)(x.clone()), 1e-12)?;
        near("the first order", &dy[0], &jit(once)(x.clone()), 1e-9)?;
        near("the second order", &dy[1], &jit(twice)(x.clone()), 1e-8)?;
        near("the third order", &dy[2], &jit(thrice)(x), 1e-7)
    });
}

#[test]
fn sparse_jacobians_lack_no_element() {
    check_all(70_000..70_300, Style::Smooth, |program, seed| {
        let (call, args) = perhaps_batched(program, seed);
        jit(&call)(args.clone());
        let float = |x: &Array| x.dtype().is_float();
        for i in (0..args.len()).filter(|&i| float(&args[i]) && args[i].size() > 0) {
            let f = |x: Array| {
                let mut all = args.clone();
                all[i] = x;
                let y = call(all).into_iter().filter(&float).map(|y| y.flatten());
                // There may be none, and a Jacobian of no rows is not asked for.
                concatenate(&[zeros(0)].into_iter().chain(y).collect::<Vec<_>>(), 0)
            };
            let x = args[i].clone();
            if f(x.clone()).size() == 0 {
                continue;
            }
            let (sparse, n, shape) = (sparse_jacobian(f, x.clone()), x.size(), x.shape());
            let unit = |dx: Array| jvp(f)(x.clone(), dx.reshape(shape.clone())).1;
            let dense = jit(vmap(unit))(eye(n).convert(x.dtype())).transpose();
            near("the sparse Jacobian", &[sparse.to_dense()], &[dense], 1e-9)?;
        }
        Ok(())
    });
}
