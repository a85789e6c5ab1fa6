//! Complex numbers: against JAX, through every transform, and at their hard points.

use serde_json::Value;
use wengert::fft::{self, Norm, Options};
use wengert::linalg;
use wengert::prelude::*;
use wengert::tree;

fn z(parts: &[(f64, f64)]) -> Array {
    let of = |part: fn(&(f64, f64)) -> f64| Array::from(parts.iter().map(part).collect::<Vec<f64>>());
    complex(&of(|z| z.0), &of(|z| z.1))
}

fn pairs(x: &Array) -> Vec<(f64, f64)> {
    let parts = [x.real(), x.imag()].map(|part| part.convert(DType::F64).to_vec::<f64>().unwrap());
    parts[0].iter().copied().zip(parts[1].iter().copied()).collect()
}

/// The greatest distance of elements, relative to the greatest magnitude where that is more than 1.
fn distance(a: &Array, b: &Array) -> f64 {
    assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
    let size = pairs(b).iter().fold(1.0f64, |m, z| m.max(z.0.hypot(z.1)));
    pairs(a).iter().zip(pairs(b)).fold(0.0f64, |m, (a, b)| m.max((a.0 - b.0).hypot(a.1 - b.1))) / size
}

fn read(value: &Value) -> Array {
    let number = |v: &Value| v.as_f64().expect("a number");
    let data = value["data"].as_array().unwrap();
    let parts: Vec<(f64, f64)> = data.iter().map(|pair| (number(&pair[0]), number(&pair[1]))).collect();
    let shape: Vec<usize> = value["shape"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let x = z(&parts).reshape(&shape);
    if value["complex"].as_bool().unwrap() { x } else { x.real() }
}

fn function(name: &str) -> fn(&[Array]) -> Array {
    macro_rules! methods {
        ($($method:ident)*; $($other:literal: $f:expr;)*) => {
            match name {
                $(stringify!($method) => |x| x[0].$method(),)*
                $($other => $f,)*
                other => panic!("no function {other}"),
            }
        };
    }
    methods! {
        abs angle real imag conj exp expm1 log log1p sqrt sin cos tan sinh cosh tanh asinh acosh atanh asin acos atan square
        reciprocal sign exp2 log2 log10 logistic sum prod mean;
        "mul": |x| &x[0] * &x[1];
        "div": |x| &x[0] / &x[1];
        "pow": |x| x[0].pow(&x[1]);
        "powi3": |x| x[0].powi(3);
        "cumsum": |x| x[0].cumsum(0);
        "cumprod": |x| x[0].cumprod(0);
        "matmul": |x| x[0].matmul(&x[1]);
        "solve": |x| linalg::solve(&x[0], &x[1]);
        "inv": |x| linalg::inv(&x[0]);
        "take": |x| x[0].take(array![2, 0, 2], 0);
        "norm": |x| x[0].abs().square().sum().sqrt();
        "fft": |x| fft::fft(&x[0]);
        "ifft": |x| fft::ifft(&x[0]);
        "rfft": |x| fft::rfft(&x[0]);
        "irfft": |x| fft::irfft(&x[0]);
        "fft_real": |x| fft::fft(&x[0]);
        "fft_ortho": |x| fft::fft_with(&x[0], &Options { norm: Norm::Ortho, ..Options::default() });
        "ifft_forward": |x| fft::ifft_with(&x[0], &Options { norm: Norm::Forward, ..Options::default() });
        "fft_long": |x| fft::fft_with(&x[0], &Options { lengths: vec![9], ..Options::default() });
        "fft_short_axis0": |x| fft::fft_with(&x[0], &Options { lengths: vec![3], axes: vec![0], ..Options::default() });
        "irfft_odd": |x| fft::irfft_with(&x[0], &Options { lengths: vec![7], ..Options::default() });
        "fft2": |x| fft::fft2(&x[0]);
        "ifft2": |x| fft::ifft2(&x[0]);
        "fftn": |x| fft::fftn(&x[0]);
        "rfft2": |x| fft::rfft2(&x[0]);
        "rfftn": |x| fft::rfftn(&x[0]);
        "irfftn": |x| fft::irfftn(&x[0]);
        "fftshift": |x| fft::fftshift(&x[0], ..);
    }
}

/// The sum of the elements, real parts with weights sin(1), sin(2), .., imaginary ones with cos(1), cos(2), ..
fn objective(y: &Array) -> Array {
    let y = y.flatten();
    let k = arange(1.0, y.size() as f64 + 1.0, 1.0);
    (y.real() * k.sin()).sum() + (y.imag() * k.cos()).sum()
}

/// Where more than 4 roundings of the greatest element are allowed, how many, and why.
const ALLOWED: &[(&str, f64, &str)] = &[
    ("solve", 32.0, "the condition of the matrix"),
    ("tanh", 16.0, "a quotient of sums that cancel, in both"),
    ("tan", 8.0, "as tanh"),
    ("atanh", 8.0, "JAX: the difference of two logarithms"),
];

/// Values and gradients eagerly and compiled, against the file that `golden/complex.py` wrote.
#[test]
fn values_and_gradients_are_those_of_jax() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("golden/complex.json")).unwrap();
    assert!(cases.len() > 60);
    for case in &cases {
        let name = case["name"].as_str().unwrap();
        let f = function(name);
        let args: Vec<Array> = case["args"].as_array().unwrap().iter().map(read).collect();
        let result = read(&case["result"]);
        let bound = ALLOWED.iter().find(|row| row.0 == name).map_or(4.0, |row| row.1) * f64::EPSILON;
        let eager = f(&args);
        let compiled = jit(move |x: Vec<Array>| f(&x))(args.clone());
        assert!(distance(&eager, &result) <= bound, "{name}: {eager} {result}");
        assert!(distance(&compiled, &result) <= bound, "{name}");
        let gradient = grad(move |x: Vec<Array>| objective(&f(&x)));
        // JAX differentiates acosh as 1 / sqrt(z^2 - 1), which has the other sign in the left half plane; differences say so too.
        let given = if name == "acosh" { &[][..] } else { &case["gradients"].as_array().unwrap()[..] };
        for (found, wanted) in gradient(args.clone()).iter().zip(given) {
            let wanted = read(wanted);
            assert!(distance(found, &wanted) <= bound, "gradient of {name}: {found} {wanted}");
        }
        for (found, wanted) in jit(gradient)(args.clone()).iter().zip(given) {
            assert!(distance(found, &read(wanted)) <= bound, "compiled gradient of {name}");
        }
        if !matches!(name, "sign" | "angle") {
            check_grads(move |x: Vec<Array>| f(&x), args, 1e-5).unwrap();
        }
    }
}

#[test]
fn the_gradient_is_that_of_jax() {
    let square = |z: Array| z.abs().square().sum();
    assert_eq!(pairs(&grad(square)(z(&[(1.0, 2.0)]))), [(2.0, -4.0)]);
    // Descent follows the conjugate.
    let x = z(&[(1.0, 2.0)]);
    assert_eq!(pairs(&(&x - 0.5 * grad(square)(x.clone()).conj())), [(0.0, 0.0)]);
    assert_eq!(pairs(&grad(|z: Array| z.abs().sum())(z(&[(0.0, 0.0)]))), [(0.0, 0.0)]);
    let error = try_call(|| grad(|z: Array| z.sum())(z(&[(1.0, 2.0)]))).unwrap_err();
    assert!(error.message.starts_with("grad: the function returns complex numbers"), "{error}");
    assert!(error.message.contains("`.real()`"), "{error}");
}

#[test]
fn jacobians() {
    // Of a real argument and a complex result, by forward mode.
    let wave = |x: Array| complex(&x.cos(), &x.sin()) * complex(&Array::from(0.0), &Array::from(1.0));
    let x = array![0.3, -1.2];
    let j = jacfwd(wave)(x.clone());
    assert_eq!((j.dtype(), j.shape().as_slice()), (DType::C128, &[2, 2][..]));
    for (i, &(x, y)) in [(0.3f64, 0.0), (-1.2, 0.0)].iter().enumerate() {
        assert_eq!(y, 0.0);
        let slope = pairs(&j.at((i as i64, i as i64)))[0];
        assert!((slope.0 + x.cos()).abs() < 1e-15 && (slope.1 + x.sin()).abs() < 1e-15, "{slope:?}");
        assert_eq!(pairs(&j.at((i as i64, 1 - i as i64))), [(0.0, 0.0)]);
    }
    // Of a complex argument and a real result, by reverse mode: row by row the gradient.
    let f = |z: Array| stack(&[z.abs().square().sum(), (z.real() * z.imag()).sum()], 0);
    let at = z(&[(1.0, 2.0), (-0.5, 0.25)]);
    let j = jacrev(f)(at.clone());
    for i in 0..2 {
        assert_eq!(j.at(i), grad(|z: Array| f(z).at(i))(at.clone()));
    }
    // Of a holomorphic function: d(z^2 sin w)/d(z, w), and under the other transforms.
    let g = |v: Array| &v.at(0) * &v.at(0) * v.at(1).sin();
    let slope = jacfwd_holomorphic(g);
    let wanted = |v: &Array| stack(&[2.0 * v.at(0) * v.at(1).sin(), &v.at(0) * &v.at(0) * v.at(1).cos()], 0);
    assert!(distance(&slope(at.clone()), &wanted(&at)) < 1e-15);
    assert_eq!(jit(&slope)(at.clone()), slope(at.clone()));
    let many = stack(&[at.clone(), 2.0 * &at], 0);
    assert!(distance(&vmap(&slope)(many.clone()).at(1), &wanted(&(2.0 * &at))) < 1e-14);
    // The second derivative: of exp it is exp.
    let second = jacfwd_holomorphic(jacfwd_holomorphic(|z: Array| z.exp()));
    let one = at.at(0);
    assert!(distance(&second(one.clone()), &one.exp()) < 1e-15);
}

#[test]
fn jacobians_that_are_not() {
    let at = || z(&[(1.0, 2.0)]);
    let says = |f: &dyn Fn() -> Array, what: &str| {
        let error = try_call(f).unwrap_err();
        assert!(error.message.contains(what), "{error}");
    };
    says(&|| jacfwd(|z: Array| z)(at()), "`jacfwd_holomorphic` gives");
    says(&|| jacrev(|z: Array| z)(at()), "`jacfwd_holomorphic` gives");
    says(&|| jacfwd(|z: Array| z.abs())(at()), "use `jacrev`");
    says(&|| jacrev(|x: Array| complex(&x, &x))(array![1.0]), "use `jacfwd`");
    says(&|| jacfwd_holomorphic(|x: Array| x)(array![1.0]), "the argument is real");
    says(&|| jacfwd_holomorphic(|z: Array| z.abs())(at()), "the result is real");
}

/// A pullback is the transpose without conjugates: of `z -> c z` it is `ct -> c ct`.
#[test]
fn products_with_a_constant_pull_back_as_they_push() {
    let c = z(&[(0.0, 1.0), (2.0, -3.0)]);
    let (_, pullback) = vjp(|x: Array| &c * x, z(&[(1.0, 0.0), (0.0, 1.0)]));
    let ct = z(&[(1.0, 2.0), (-1.0, 0.5)]);
    assert_eq!(pullback(ct.clone()), &c * &ct);
    assert_eq!(linear_transpose(|x: Array| &c * x, ct.clone())(ct.clone()), &c * &ct);
    let (y, dy) = jvp(|x: Array| x.exp())(ct.clone(), c.clone());
    assert!(distance(&dy, &(&y * &c)) < 1e-15);
    let by_hand = custom_vjp(|x: Array| &x * &x, |x: Array| (&x * &x, x), |x: Array, ct: Array| 2.0 * x * ct);
    let whole = |f: &dyn Fn(Array) -> Array| pairs(&vjp(f, ct.clone()).1(c.clone()));
    assert_eq!(whole(&by_hand), whole(&|x: Array| &x * &x));
}

#[test]
fn loops_branches_and_lanes_take_complex_arrays() {
    let x = || z(&[(0.1, 0.2), (-0.3, 0.4), (0.5, -0.6)]);
    let steps = |x: Array| fori_loop(0, 4, |_, y: Array| &y * &y + &x, x.clone());
    let by_hand = |x: Array| (0..4).fold(x.clone(), |y, _| &y * &y + &x);
    assert!(distance(&steps(x()), &by_hand(x())) < 1e-15);
    assert!(distance(&jit(steps)(x()), &by_hand(x())) < 1e-15);
    assert!(distance(&vmap(steps)(x()), &by_hand(x())) < 1e-15);
    let slope = grad(move |x: Array| steps(x).abs().square().sum());
    let wanted = grad(move |x: Array| by_hand(x).abs().square().sum())(x());
    assert!(distance(&slope(x()), &wanted) < 1e-14);
    assert!(distance(&jit(&slope)(x()), &wanted) < 1e-14);
    assert!(distance(&vmap(&slope)(x()), &wanted) < 1e-14);
    let chosen = |x: Array| cond(&x.abs().sum().gt(1.0), || x.conj(), || &x * 2.0);
    assert_eq!(jit(chosen)(x()), x().conj());
    let (last, all) = scan(
        |c: Array, x: Array| {
            let y = &c * &x;
            (y.clone(), y)
        },
        z(&[(1.0, 0.0)]).at(0),
        x(),
    );
    assert_eq!(pairs(&last.reshape(1)), pairs(&x().prod().reshape(1)));
    assert!(distance(&all, &x().cumprod(0)) < 1e-16);
    // One axis for each array, though a complex one has two leaves.
    let outer = vmap_axes(|(x, y): (Array, Array)| x * y, [Some(0), None], 0);
    assert_eq!(outer((x(), x())).shape().as_slice(), [3, 3]);
}

#[test]
fn what_moves_elements_takes_complex_ones() {
    let x = z(&[(1.0, -1.0), (2.0, -2.0), (3.0, -3.0), (4.0, -4.0)]);
    let square = x.reshape((2, 2));
    let mirrored = |y: &Array| pairs(y).iter().all(|z| z.0 == -z.1);
    let all = [
        square.transpose(),
        square.flip(0),
        square.slice((1, ..)),
        x.pad(1, 2, 0),
        concatenate(&[&x, &x], 0),
        stack(&[&x, &x], 1),
        x.take(array![3, 0], 0),
        x.at(array![1, 1]),
        x.scatter_add(array![0, 0], &x.slice(0..2)),
        x.scatter_set(array![2], &x.slice(0..1)),
        x.cumsum(0),
        square.sum_axis(0),
        square.mean_axis(1),
        x.roll(1, 0),
        array![true, false, true, false].select(&x, 0.0),
        x.stop_gradient(),
        full_like(&x, 2.0) * x.real(),
    ];
    for (i, y) in all.iter().enumerate() {
        assert_eq!(y.dtype(), DType::C128, "{i}");
        assert!(mirrored(y) || i + 1 == all.len(), "{i}: {y}");
    }
    assert_eq!(square.dot(&square), square.matmul(&square));
    assert_eq!(x.eq(x.conj()).any(), Array::from(false));
    assert_eq!(x.is_finite(), array![true, true, true, true]);
    assert_eq!(z(&[(f64::NAN, 0.0), (0.0, f64::INFINITY)]).is_nan(), array![true, false]);
    assert_eq!(zeros_of(DType::C128, (0, 3)).prod().to_string(), "1.0+0.0j");
}

#[test]
fn single_precision_stays_single() {
    let wide = z(&[(0.3, -0.7), (1.5, 0.2), (-0.4, 0.9)]);
    let x = wide.convert(DType::C64);
    assert_eq!((x.dtype(), x.real().dtype(), x.abs().dtype()), (DType::C64, DType::F32, DType::F32));
    let f = |x: Array| (x.exp() * &x + 2.0).sqrt() / (1 + x.sin());
    assert_eq!(f(x.clone()).dtype(), DType::C64);
    assert!(distance(&f(x.clone()).convert(DType::C128), &f(wide.clone())) < 1e-6);
    let slope = grad(move |x: Array| f(x).abs().sum());
    let (found, wanted) = (jit(&slope)(x.clone()), slope(wide));
    assert_eq!(found.dtype(), DType::C64);
    assert!(distance(&found.convert(DType::C128), &wanted) < 1e-5);
    // A wider real number makes it wider.
    assert_eq!((&x * Array::from(2.0)).dtype(), DType::C128);
    assert_eq!((&x * Array::from(2f32)).dtype(), DType::C64);
}

/// The interpreter of programs, the eager way and machine code give the same bits.
#[test]
fn engines_agree_bit_for_bit() {
    let x =
        z(&[(0.3, -0.7), (1.5, 0.2), (-0.0, 0.9), (f64::NAN, 1.0), (f64::INFINITY, 0.0), (0.0, 0.0), (1e200, -1e200)]);
    let f = |x: Array| {
        let y = (&x * &x + x.exp() / (&x + 1.0)).sqrt() + x.log() * x.tanh() - x.pow(x.conj());
        let slope = y.abs().square();
        (fft::fft(&y), slope, y.asinh(), linalg::eigvals(&x.expand_dims(0).matmul(&x.expand_dims(1))))
    };
    let bits = |y: (Array, Array, Array, Array)| -> Vec<u64> {
        let leaves = tree::flatten(y).0;
        let all = leaves.iter().flat_map(|x| x.to_vec::<f64>().unwrap());
        all.map(|x| if x.is_nan() { 0 } else { x.to_bits() }).collect()
    };
    let compiled = bits(jit(f)(x.clone()));
    assert_eq!(bits(f(x.clone())), compiled);
    assert_eq!(bits(interpret(f)(x)), compiled);
}

#[test]
fn printing_is_as_in_numpy() {
    assert_eq!(z(&[(1.0, 2.0), (3.0, -1.0)]).to_string(), "[1.+2.j 3.-1.j]");
    assert_eq!(z(&[(1.5, 20.0), (-3.0, -1.25)]).to_string(), "[ 1.5+20.j   -3.  -1.25j]");
    assert_eq!(z(&[(1.0, -0.5)]).at(0).to_string(), "1.0-0.5j");
    assert_eq!(format!("{:?}", z(&[(1.0, 2.0)])), "Array(c128[1], [1.+2.j])");
}

#[test]
fn any_length_is_transformed() {
    for n in [1usize, 2, 3, 17, 97, 128, 1009] {
        let x = complex(&arange(0.0, n as f64, 1.0).sin(), &arange(0.0, n as f64, 1.0).cos());
        assert!(distance(&fft::ifft(&fft::fft(&x)), &x) < 1e-13, "{n}");
        let lengths = Options { lengths: vec![n], ..Options::default() };
        assert!(distance(&fft::irfft_with(&fft::rfft(&x.real()), &lengths), &x.real()) < 1e-13, "{n}");
        let batch = stack(&[&x, &(2.0 * &x)], 0);
        assert_eq!(jit(vmap(|x: Array| fft::fft(&x)))(batch.clone()), fft::fft(&batch), "{n}");
    }
    let single = fft::fft(&array![1f32, 2.0, 3.0]);
    assert_eq!(single.dtype(), DType::C64);
    assert!(fft::fft(&array![f64::NAN, 1.0]).is_nan().all().item::<bool>().unwrap());
}

#[test]
fn eigenvectors_are_eigenvectors() {
    let real = array![[1.0, 2.0, 0.5], [-2.0, 1.0, 0.3], [0.1, 0.7, -1.0]];
    for a in [real.clone(), complex(&real, &real.transpose())] {
        let (w, v) = jit(|a: Array| linalg::eig(&a))(a.clone());
        let c = a.convert(DType::C128);
        assert!(distance(&c.matmul(&v), &(&v * w.expand_dims(0))) < 1e-13);
        assert!(distance(&linalg::eigvals(&a).sum(), &linalg::eig(&a).0.sum()) < 1e-13);
        let reads = |a: Array| {
            let (w, v) = linalg::eig(&a);
            (w.abs().square().sum(), (v.abs() * array![[1.0, 2.0, 3.0]]).square().sum() + v.imag().sum())
        };
        check_grads(reads, a, 1e-6).unwrap();
    }
    let nan = linalg::eigvals(&array![[f64::NAN, 1.0], [0.0, 1.0]]);
    assert!(nan.is_nan().all().item::<bool>().unwrap());
    // Of equal eigenvalues the sum has a derivative still.
    assert_eq!(grad(|a: Array| linalg::eigvals(&a).real().sum())(eye(2)), eye(2));
}
