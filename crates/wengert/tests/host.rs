//! Functions of the host inside of programs: printing, callbacks, kernels, in compiled code and under every transform.

use std::sync::{Arc, Mutex};
use wengert::prelude::*;
use wengert::{
    ArrayType, Error, Kernel, assert_compiles, callback, debug_callback, debug_print, extern_call, io_callback,
    try_call,
};

/// Where callbacks of a test leave what they saw.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: &'static str, x: &Array) {
        let log = self.0.clone();
        debug_callback(move |x: Array| log.lock().unwrap().push(format!("{what} {x}")), x.clone());
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn callbacks_run_in_order_where_the_program_goes() {
    let log = Log::default();
    let f = |x: Array| {
        log.note("start", &x);
        let y = fori_loop(
            0,
            3,
            |i, c: Array| {
                log.note("round", &i);
                c * 2.0
            },
            x.clone(),
        );
        cond(
            &y.gt(10.0),
            || {
                log.note("large", &y);
                y.clone()
            },
            || {
                log.note("small", &y);
                -&y
            },
        )
    };
    let large = ["start 2.0", "round 0", "round 1", "round 2", "large 16.0"];
    let small = ["start 1.0", "round 0", "round 1", "round 2", "small 8.0"];
    let compiled = jit(f);
    assert_eq!((f(2.0.into()), log.taken()), (16.0.into(), large.map(String::from).to_vec()));
    for _ in 0..2 {
        assert_eq!((compiled(2.0.into()), log.taken()), (16.0.into(), large.map(String::from).to_vec()));
        assert_eq!((compiled(1.0.into()), log.taken()), ((-8.0).into(), small.map(String::from).to_vec()));
    }
    // Derivatives: once, on the way forward; a checkpoint does not repeat it.
    assert_eq!((jit(grad(f))(2.0.into()), log.taken()), (8.0.into(), large.map(String::from).to_vec()));
    let again = checkpoint(|x: Array| {
        log.note("kept", &x);
        x.sin().exp()
    });
    jit(grad(&again))(0.5.into());
    assert_eq!(log.taken(), ["kept 0.5"]);
    // Under vmap: lane by lane, and only those that are there.
    let lanes = jit(vmap(f))(array![2.0, 1.0]);
    assert_eq!(lanes, array![16.0, -8.0]);
    let seen = log.taken();
    assert_eq!(seen.iter().filter(|line| line.starts_with("large")).collect::<Vec<_>>(), ["large 16.0"]);
    assert_eq!(seen.iter().filter(|line| line.starts_with("small")).collect::<Vec<_>>(), ["small 8.0"]);
    assert_eq!(seen[..2], ["start 2.0", "start 1.0"]);
}

#[test]
fn loops_of_different_length_call_for_active_lanes_only() {
    let log = Log::default();
    let f = |n: Array| {
        while_loop(
            |k: Array| k.lt(&n),
            |k: Array| {
                log.note("k", &k);
                k + 1
            },
            Array::from(0),
        )
    };
    jit(vmap(f))(array![0, 3, 1]);
    assert_eq!(log.taken(), ["k 0", "k 0", "k 1", "k 2"]);
}

#[test]
fn equal_prints_compile_once() {
    let printing = |x: Array| {
        debug_print!("x = {:.2}, twice {}", &x, 2.0 * &x);
        x.sin() + 0.125
    };
    assert_compiles!(1, jit(printing)(1.0.into()));
    assert_compiles!(0, jit(printing)(2.0.into()));
}

#[test]
fn results_of_callbacks() -> Result<(), Error> {
    let cube = |x: Array| callback(|x: Array| x.powi(3), zeros_like(&x), x);
    assert_eq!(cube(array![1.0, 2.0]), array![1.0, 8.0]);
    assert_eq!(jit(cube)(array![1.0, 2.0]), array![1.0, 8.0]);
    assert_eq!(jit(vmap(cube))(array![[1.0, 2.0], [3.0, 4.0]]), array![[1.0, 8.0], [27.0, 64.0]]);
    // A scalar, a tree, an integer; and a compiled function inside of the callback.
    let inner = Arc::new(jit(|x: Array| x.exp()));
    let many = move |(x, n): (Array, Array)| {
        let inner = inner.clone();
        callback(move |(x, n): (Array, Array)| (inner(x), vec![n + 1]), (zeros_like(&x), vec![n.clone()]), (x, n))
    };
    let (e, n) = jit(many)((1.0.into(), 4.into()));
    assert_eq!((e, &n[0]), (Array::from(1.0).exp(), &5.into()));
    // What nobody needs is not called; what is seen outside is.
    let count = Arc::new(Mutex::new(0));
    let (pure, ordered) = (count.clone(), count.clone());
    let f = jit(move |x: Array| {
        let (pure, ordered) = (pure.clone(), ordered.clone());
        callback(
            move |x: Array| {
                *pure.lock().unwrap() += 100;
                x
            },
            x.clone(),
            x.clone(),
        );
        io_callback(
            move |x: Array| {
                *ordered.lock().unwrap() += 1;
                x
            },
            x.clone(),
            x,
        )
    });
    assert_eq!((f(1.0.into()), *count.lock().unwrap()), (1.0.into(), 1));
    // No derivative of its own, but one may be given.
    let error = try_call(|| grad(cube)(2.0.into())).unwrap_err().to_string();
    assert!(error.contains("a callback or kernel has no derivative") && error.contains("custom_jvp"), "{error}");
    let with_rule = custom_jvp(cube, move |x: Array, dx: Array| (cube(x.clone()), 3.0 * dx * x.square()));
    assert_eq!(jit(grad(&with_rule))(2.0.into()), 12.0.into());
    assert_eq!(jit(vmap(grad(&with_rule)))(array![1.0, 2.0]), array![3.0, 12.0]);
    Ok(())
}

#[test]
fn trouble_in_a_callback_comes_out_of_the_call() {
    let promised = |x: Array| callback(|_: Array| array![1.0, 2.0], zeros_like(&x), x);
    for found in [try_call(|| promised(1.0.into())), try_call(|| jit(promised)(1.0.into()))] {
        let error = found.unwrap_err().to_string();
        assert!(error.contains("returned f64[2], but promised f64[]") && error.contains("tests/host.rs"), "{error}");
    }
    let log = Log::default();
    let later = log.clone();
    let panics = jit(move |x: Array| {
        debug_callback(|x: Array| assert!(x.item::<f64>().unwrap() < 2.0, "too large"), x.clone());
        later.note("after", &x);
        x
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panics(3.0.into()))).unwrap_err();
    assert_eq!(caught.downcast_ref::<&str>(), Some(&"too large"));
    assert_eq!(log.taken(), [""; 0]);
    // Nothing of it is left.
    assert_eq!((panics(1.0.into()), log.taken()), (1.0.into(), vec!["after 1.0".to_owned()]));
}

unsafe extern "C" fn sine_of_three(_: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: it is used with one operand and one result of three f64.
    unsafe {
        let (x, y) = (inputs.read().cast::<f64>(), outputs.read().cast::<f64>());
        (0..3).for_each(|i| y.add(i).write(x.add(i).read().sin()));
    }
}

#[test]
fn kernels_with_rules_are_functions_like_others() {
    // SAFETY: `sine` uses it with one operand and one result of three f64.
    let kernel = unsafe { Kernel::new(sine_of_three) };
    let raw = move |x: Array| extern_call(kernel, &[ArrayType::new(DType::F64, &[3])], &[&x]).remove(0);
    let sine = custom_jvp(raw, move |x: Array, dx: Array| (raw(x.clone()), dx * x.cos()));
    let x = array![0.1, 0.2, 0.3];
    let own = |x: Array| fori_loop(0, 3, |_, c: Array| (&c + c.sin()) * 0.5, x).sum();
    let with_kernel = |x: Array| fori_loop(0, 3, |_, c: Array| (&c + sine(c.clone())) * 0.5, x).sum();
    approx::assert_relative_eq!(jit(with_kernel)(x.clone()), own(x.clone()), max_relative = 1e-15);
    approx::assert_relative_eq!(jit(grad(with_kernel))(x.clone()), grad(own)(x.clone()), max_relative = 1e-15);
    let rows = stack(&[&x, &(2.0 * &x)], 0);
    approx::assert_relative_eq!(
        jit(vmap(grad(with_kernel)))(rows.clone()),
        vmap(grad(own))(rows),
        max_relative = 1e-15
    );
    // One kernel is one program.
    assert_compiles!(1, jit(|x: Array| raw(x) + 0.375)(x.clone()));
    assert_compiles!(0, jit(|x: Array| raw(x) + 0.375)(x));
}
