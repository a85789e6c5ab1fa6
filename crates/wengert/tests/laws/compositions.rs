//! Laws of transforms of transforms, on every sample that is smooth: what each law says holds of the others' results too.

use super::*;
use wengert::{checkpoint, scan};
use wengert_core::ops::call;
use wengert_core::program::simplify;
use wengert_core::trace::{inline, trace_closed};

/// A smooth sample as a program of arrays, with what its derivatives are taken by.
struct Smooth {
    sample: Sample,
    p: Arc<Program>,
    active: Vec<bool>,
}

/// Lengths beside the samples' own: nothing, one, an odd number of each, one more than some vectors.
const FEW_LENGTHS: [usize; 6] = [0, 1, 3, 5, 9, 17];

fn smooth_samples() -> Vec<Smooth> {
    let all = samples().into_iter().chain(FEW_LENGTHS.into_iter().flat_map(samples_of_length));
    all.filter_map(|sample| {
        let p = program(&sample.op, &sample.args);
        // Lists are inside of programs only; what makes and reads them is checked there.
        let list = sample.args.iter().any(|a| a.ty().is_list()) || p.output_types().any(Type::is_list);
        let active = (0..sample.args.len()).map(|i| sample.smooth.contains(&i)).collect();
        (!list && !sample.smooth.is_empty()).then_some(Smooth { sample, p, active })
    })
    .collect()
}

fn float_outputs(p: &Program) -> Vec<bool> {
    p.output_types().map(|ty| ty.dtype().is_float()).collect()
}

fn kept<T: Clone>(all: &[T], flags: &[bool]) -> Vec<T> {
    all.iter().zip(flags).filter(|(_, keep)| **keep).map(|(x, _)| x.clone()).collect()
}

/// Operands and tangents of the active ones to tangents of the float results.
fn pushforward(p: &Arc<Program>, active: &[bool]) -> Arc<Program> {
    let wanted = float_outputs(p);
    let j = jvp(p, active, &wanted);
    let types = [p.input_types().to_vec(), kept(p.input_types(), active)].concat();
    Arc::new(simplify(&trace_closed(&types, |x| inline(&j.program, &x).split_off(p.outputs().len()))))
}

/// Operands and cotangents of the float results to cotangents of the active operands.
fn pullback(p: &Arc<Program>, active: &[bool]) -> Arc<Program> {
    let wanted = float_outputs(p);
    let linearized = transform::linearize(p, active, &wanted);
    let pull = transform::transpose_linear(&linearized);
    let outputs: Vec<Type> = p.output_types().cloned().collect();
    let types = [p.input_types().to_vec(), kept(&outputs, &wanted)].concat();
    Arc::new(simplify(&trace_closed(&types, |x| {
        let (x, ct) = x.split_at(p.inputs());
        let residuals = inline(&linearized.known, x).split_off(outputs.len());
        inline(&pull, &[&residuals[..], ct].concat())
    })))
}

/// The four derivatives of second order, each a program with its operands after the sample's own.
struct Second {
    name: &'static str,
    p: Arc<Program>,
    more: Vec<Value>,
    /// What its results are multiplied by, which gives the same number for all four.
    with: Vec<Value>,
}

struct Directions {
    u: Vec<Value>,
    v: Vec<Value>,
    w: Vec<Value>,
}

fn directions(p: &Program, args: &[Value], active: &[bool]) -> Directions {
    let operands = kept(args, active);
    let results = kept(&run(p, args.to_vec()), &float_outputs(p));
    let mut seed = 0.4;
    let mut along = |x: &[Value]| x.iter().map(|x| direction(x, &mut seed)).collect::<Vec<Value>>();
    Directions { u: along(&operands), v: along(&operands), w: along(&results) }
}

fn second(p: &Arc<Program>, active: &[bool], d: &Directions) -> Vec<Second> {
    let (forward, reverse) = (pushforward(p, active), pullback(p, active));
    let first = |q: &Program| [active, &vec![false; q.inputs() - active.len()]].concat();
    let (Directions { u, v, w }, by) =
        (d, |name, p, more: &[&[Value]], with: &[Value]| Second { name, p, more: more.concat(), with: with.to_vec() });
    vec![
        by("jvp of jvp", pushforward(&forward, &first(&forward)), &[u, v], w),
        by("vjp of jvp", pullback(&forward, &first(&forward)), &[u, w], v),
        by("jvp of vjp", pushforward(&reverse, &first(&reverse)), &[w, u], v),
        by("vjp of vjp", pullback(&reverse, &first(&reverse)), &[w, u], v),
    ]
}

/// The first derivatives, which go through the same laws as the second ones.
fn first(p: &Arc<Program>, active: &[bool], d: &Directions) -> Vec<Second> {
    vec![
        Second { name: "jvp", p: pushforward(p, active), more: d.u.clone(), with: d.w.clone() },
        Second { name: "vjp", p: pullback(p, active), more: d.w.clone(), with: d.u.clone() },
    ]
}

fn derivatives(s: &Smooth, p: &Arc<Program>, args: &[Value]) -> Vec<Second> {
    let d = directions(p, args, &s.active);
    let mut all = first(p, &s.active, &d);
    all.extend(second(p, &s.active, &d));
    all
}

fn is_single(s: &Smooth) -> bool {
    s.sample.args.iter().any(|a| a.ty().dtype() == DType::F32) || s.p.output_types().any(|ty| ty.dtype() == DType::F32)
}

/// Moves the smooth operands along `v`.
fn moved(s: &Smooth, v: &[Value], h: f64) -> Vec<Value> {
    let mut args = s.sample.args.clone();
    for (&i, v) in s.sample.smooth.iter().zip(v) {
        let mut steps = Vec::new();
        floats(v, &mut steps);
        let mut steps = steps.into_iter();
        args[i] = with_floats(&args[i], &mut |x| x + h * steps.next().expect("as many"));
    }
    args
}

#[test]
fn the_four_orders_of_modes_give_one_second_derivative() {
    let mut checked = 0;
    for s in smooth_samples() {
        let d = directions(&s.p, &s.sample.args, &s.active);
        let forward = pushforward(&s.p, &s.active);
        let slope =
            |h: f64| inner(&all_floats(&run(&forward, [moved(&s, &d.v, h), d.u.clone()].concat())), &all_floats(&d.w));
        let difference = |h: f64| (slope(h) - slope(-h)) / (2.0 * h);
        let wanted = (4.0 * difference(1e-4) - difference(2e-4)) / 3.0;
        let scale = slope(0.0).abs().max(wanted.abs()).max(1.0);
        let single = is_single(&s);
        let mut of_first = None;
        for second in second(&s.p, &s.active, &d) {
            let results = run(&second.p, [s.sample.args.clone(), second.more].concat());
            let found = inner(&all_floats(&results), &all_floats(&second.with));
            let first = *of_first.get_or_insert(found);
            let what = || format!("{} of {}", second.name, describe(&s.sample));
            let bound = if single { 1e-3 } else { 1e-9 };
            assert!((found - first).abs() <= bound * scale, "{}: {found}, not {first}", what());
            if !single {
                assert!((found - wanted).abs() <= 1e-6 * scale, "{}: {found}, differences {wanted}", what());
            }
            checked += 1;
        }
    }
    enough("the_four_orders_of_modes_give_one_second_derivative", checked);
}

/// Operands of three lanes: the sample's own and two that are moved a little.
fn lanes(args: &[Value]) -> Vec<Vec<Value>> {
    let mut seed = 0.1;
    let lane = |lane: usize| {
        let mut near = |x: f64| {
            seed += 1.0;
            x * (1.0 + lane as f64 * 0.01 * f64::sin(seed))
        };
        args.iter().map(|x| with_floats(x, &mut near)).collect()
    };
    (0..3).map(lane).collect()
}

fn across(lanes: &[Vec<Value>]) -> Vec<Value> {
    let column = |i: usize| stacked(&lanes.iter().map(|l| l[i].clone()).collect::<Vec<Value>>());
    (0..lanes[0].len()).map(column).collect()
}

fn all_same(found: &[Value], wanted: &[Value], tolerance: f64, what: &dyn Fn() -> String) {
    assert_eq!(found.len(), wanted.len(), "{}", what());
    found.iter().zip(wanted).for_each(|(found, wanted)| assert_same(found, wanted, tolerance, what));
}

/// Rounding of sums that are added up in another order.
fn rounding(s: &Smooth) -> f64 {
    if is_single(s) { 1e-4 } else { 1e-10 }
}

#[test]
fn derivatives_of_all_kinds_are_the_same_compiled_in_lanes_and_in_loops() {
    let mut checked = 0;
    for s in smooth_samples() {
        for derivative in derivatives(&s, &s.p, &s.sample.args) {
            let Second { name, p, more, .. } = derivative;
            let args = [s.sample.args.clone(), more].concat();
            agree(&p, args.clone(), &s.sample);
            let lanes = lanes(&args);
            let alone = across(&lanes.iter().map(|l| run(&p, l.clone())).collect::<Vec<_>>());
            let (n, together) = (lanes.len(), across(&lanes));
            let what = |how: &str| format!("{how} of {name} of {}", describe(&s.sample));

            let batched = batch(&p, &vec![true; p.inputs()], n, &vec![true; p.outputs().len()]);
            all_same(&run(&batched.program, together.clone()), &alone, rounding(&s), &|| what("vmap"));
            agree(&batched.program, together.clone(), &s.sample);

            let types: Vec<Type> = together.iter().map(Value::ty).collect();
            let looped = trace_closed(&types, |x| scan(|_: (), x: Vec<Array>| ((), inline(&p, &x)), (), x).1);
            all_same(&run(&looped, together.clone()), &alone, 0.0, &|| what("scan"));
            agree(&Arc::new(looped), together, &s.sample);
            checked += 5;
        }
    }
    enough("derivatives_of_all_kinds_are_the_same_compiled_in_lanes_and_in_loops", checked);
}

#[test]
fn derivatives_of_lanes_are_lanes_of_derivatives() {
    let mut checked = 0;
    for s in smooth_samples() {
        let n = 3;
        let batched = batch(&s.p, &vec![true; s.p.inputs()], n, &vec![true; s.p.outputs().len()]).program;
        let together = across(&lanes(&s.sample.args));
        let whole = derivatives(&s, &batched, &together);
        for (of_lanes, alone) in whole.into_iter().zip(derivatives(&s, &s.p, &s.sample.args)) {
            let args = [together.clone(), of_lanes.more].concat();
            let found = run(&of_lanes.p, args.clone());
            let lane = |k: usize| {
                args.iter().map(move |x| Array::from_value(x.clone()).at(k as i64).into_value("a lane").unwrap())
            };
            let wanted: Vec<_> = (0..n).map(|k| run(&alone.p, lane(k).collect())).collect();
            let what = || format!("{} of vmap of {}", alone.name, describe(&s.sample));
            all_same(&found, &across(&wanted), rounding(&s), &what);
            agree(&of_lanes.p, args, &s.sample);
            checked += 2;
        }
        // Lanes of lanes.
        let twice = batch(&batched, &vec![true; s.p.inputs()], n, &vec![true; s.p.outputs().len()]).program;
        let args = lanes(&together);
        let wanted = across(&args.iter().map(|l| run(&batched, l.clone())).collect::<Vec<_>>());
        all_same(&run(&twice, across(&args)), &wanted, rounding(&s), &|| {
            format!("vmap of vmap of {}", describe(&s.sample))
        });
        agree(&twice, across(&args), &s.sample);
        checked += 2;
    }
    enough("derivatives_of_lanes_are_lanes_of_derivatives", checked);
}

#[test]
fn derivatives_of_calls_are_those_of_what_is_called() {
    let mut checked = 0;
    for s in smooth_samples() {
        let types: Vec<Type> = s.sample.args.iter().map(Value::ty).collect();
        let body = |x: Vec<Array>| inline(&s.p, &x);
        let masked = [vec![Type::scalar(DType::Bool)], types.clone()].concat();
        let callee = Arc::new(trace_closed(&masked, |x| inline(&s.p, &x[1..])));
        let called = Arc::new(trace_closed(&types, |x| call(&callee, &x)));
        let again = Arc::new(trace_closed(&types, |x| checkpoint(body)(x)));
        let wanted = derivatives(&s, &s.p, &s.sample.args);
        for (how, p) in [("a call", called), ("a checkpoint", again)] {
            for (found, wanted) in derivatives(&s, &p, &s.sample.args).into_iter().zip(&wanted) {
                let args = [s.sample.args.clone(), found.more].concat();
                // What is added to zeros in place has no negative zeros.
                let unsigned =
                    |all: Vec<Value>| all.iter().map(|x| with_floats(x, &mut |x| x + 0.0)).collect::<Vec<_>>();
                let wanted = unsigned(run(&wanted.p, args.clone()));
                let what = || format!("{} of {how} of {}", found.name, describe(&s.sample));
                all_same(&unsigned(run(&found.p, args.clone())), &wanted, rounding(&s), &what);
                agree(&found.p, args, &s.sample);
                checked += 2;
            }
        }
    }
    enough("derivatives_of_calls_are_those_of_what_is_called", checked);
}

/// The operand in `f32` where it is a float.
fn rounded(x: &Value) -> Value {
    match x {
        Value::Array(a) if a.dtype() == DType::F64 => {
            ArrayValue::new(&a.shape, a.slice::<f64>().iter().map(|&x| x as f32).collect::<Vec<f32>>()).into()
        }
        _ => x.clone(),
    }
}

fn widened(x: &Value) -> Value {
    match x {
        Value::Array(a) if a.dtype() == DType::F32 => {
            ArrayValue::new(&a.shape, a.slice::<f32>().iter().map(|&x| f64::from(x)).collect::<Vec<f64>>()).into()
        }
        _ => x.clone(),
    }
}

#[test]
fn derivatives_in_f32_are_those_in_f64_rounded() {
    let mut checked = 0;
    for s in smooth_samples() {
        let single: Vec<Value> = s.sample.args.iter().map(rounded).collect();
        let types: Vec<Type> = single.iter().map(Value::ty).collect();
        // Bodies and conversions have dtypes of their own.
        let all_single = |all: Vec<Type>| all.iter().all(|ty| !ty.is_list() && ty.dtype() == DType::F32);
        // Vectors that may be turned round are, by other roundings.
        let turned = s.sample.op.name() == "eigh" || s.sample.op.name() == "svd";
        if turned || is_single(&s) || !s.sample.op.infer(&types).is_ok_and(all_single) {
            continue;
        }
        let narrow = Smooth { p: program(&s.sample.op, &single), active: s.active.clone(), sample: s.sample.clone() };
        let exact: Vec<Value> = single.iter().map(widened).collect();
        for (f32s, f64s) in derivatives(&narrow, &narrow.p, &single).into_iter().zip(derivatives(&s, &s.p, &exact)) {
            let narrow_args = [single.clone(), f32s.more].concat();
            let found = all_floats(&run(&f32s.p, narrow_args.clone()));
            let args: Vec<Value> = narrow_args.iter().map(widened).collect();
            let wanted = all_floats(&run(&f64s.p, args.clone()));
            // How much the result moves when every operand is off by one rounding, a few times.
            let mut sensitivity = vec![0.0f64; wanted.len()];
            for k in 0..4 {
                let mut seed = k as f64;
                let near = |x: &Value, seed: &mut f64| {
                    with_floats(x, &mut |x| {
                        *seed += 1.7;
                        x * (1.0 + f64::from(f32::EPSILON) * (*seed * 3.1).sin())
                    })
                };
                let moved = all_floats(&run(&f64s.p, args.iter().map(|x| near(x, &mut seed)).collect()));
                for (s, (a, b)) in sensitivity.iter_mut().zip(moved.iter().zip(&wanted)) {
                    *s = s.max((a - b).abs());
                }
            }
            let largest = wanted.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            let most = sensitivity.iter().fold(0.0, |a: f64, b| a.max(*b));
            for (k, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                let bound = 16.0 * f64::from(f32::EPSILON) * largest.max(1.0) + 32.0 * most;
                assert!(
                    (found - wanted).abs() <= bound,
                    "{} of {}: element {k}: {found}, in f64 {wanted}, bound {bound:e}",
                    f32s.name,
                    describe(&s.sample)
                );
            }
            checked += 1;
        }
    }
    enough("derivatives_in_f32_are_those_in_f64_rounded", checked);
}
