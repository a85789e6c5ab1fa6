//! Linear algebra: values and gradients of JAX, reconstruction, finite differences, batches.

use serde_json::Value;
use wengert::linalg::{self, Norm, Triangle};
use wengert::prelude::*;

fn numbers(x: &Array) -> Vec<f64> {
    x.convert(DType::F64).to_vec::<f64>().unwrap()
}

/// Pseudo-random numbers between -1 and 1.
fn random(shape: &[usize], seed: u64) -> Array {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    Array::from_shape_vec(shape, (0..shape.iter().product()).map(|_| next()).collect()).unwrap()
}

fn swapped(x: &Array) -> Array {
    x.swap_axes(-2, -1)
}

fn definite(shape: &[usize], seed: u64) -> Array {
    let a = random(shape, seed);
    a.matmul(&swapped(&a)) + eye(shape[shape.len() - 1])
}

fn assert_close(found: &Array, wanted: &Array, tolerance: f64, what: &str) {
    assert_eq!(found.shape(), wanted.shape(), "{what}");
    let (found, wanted) = (numbers(found), numbers(wanted));
    let scale = wanted.iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
    for (f, w) in found.iter().zip(&wanted) {
        assert!((f - w).abs() <= tolerance * scale, "{what}: {f}, not {w}");
    }
}

type Function = Box<dyn Fn(&[Array]) -> Vec<Array>>;

fn function(name: &str) -> Function {
    let one = |f: fn(&Array) -> Array| -> Function { Box::new(move |x| vec![f(&x[0])]) };
    let two = |f: fn(&Array, &Array) -> Array| -> Function { Box::new(move |x| vec![f(&x[0], &x[1])]) };
    match name {
        "cholesky" => one(linalg::cholesky),
        "solve" | "solve_vector" => two(linalg::solve),
        "inv" => one(linalg::inv),
        "det" => one(linalg::det),
        "slogdet" => one(|a| linalg::slogdet(a).1),
        "eigvalsh" => one(linalg::eigvalsh),
        "svdvals" => one(linalg::svdvals),
        "expm" => one(linalg::expm),
        "matrix_power" => one(|a| linalg::matrix_power(a, 5)),
        "norm_fro" => one(|a| linalg::norm(a, Norm::Fro)),
        "norm_nuc" => one(|a| linalg::norm(a, Norm::Nuc)),
        "norm_2" => one(|a| linalg::norm(a, Norm::Two)),
        "norm_1" => one(|a| linalg::norm(a, Norm::One)),
        "norm_inf" => one(|a| linalg::norm(a, Norm::Inf)),
        "cond" => one(linalg::cond),
        "pinv" => one(linalg::pinv),
        "lstsq" => two(|a, b| linalg::lstsq(a, b).0),
        "solve_lower" => two(|a, b| linalg::solve_triangular(a, b, Triangle::LOWER)),
        "solve_lower_transposed" => two(|a, b| linalg::solve_triangular(a, b, Triangle::LOWER.transposed())),
        "solve_unit_upper" => two(|a, b| linalg::solve_triangular(a, b, Triangle::UPPER.unit())),
        "eigh" => Box::new(|x| {
            let (w, v) = linalg::eigh(&x[0]);
            vec![w, v.square()]
        }),
        "svd" => Box::new(|x| {
            let (u, s, vt) = linalg::svd(&x[0], false);
            vec![u.square(), s, vt.square()]
        }),
        "qr" => Box::new(|x| {
            let (q, r) = linalg::qr(&x[0], false);
            vec![q.square(), r.square()]
        }),
        other => panic!("no function {other}"),
    }
}

/// The sum of all elements with weights sin(1), sin(2), ...
fn weighted(y: &[Array]) -> Array {
    let flat: Vec<Array> = y.iter().map(Array::flatten).collect();
    let flat = concatenate(&flat, 0);
    let weights = (Array::iota(DType::F64, &flat.shape(), 0) + 1.0).sin();
    (flat * weights).sum()
}

fn read(value: &Value) -> Vec<Array> {
    let array = |value: &Value| {
        let list = |key: &str| value[key].as_array().unwrap().clone();
        let shape: Vec<usize> = list("shape").iter().map(|n| n.as_u64().unwrap() as usize).collect();
        Array::from_shape_vec(shape, list("data").iter().map(|x| x.as_f64().unwrap()).collect()).unwrap()
    };
    value.as_array().unwrap().iter().map(array).collect()
}

type Dynamic<'a> = dyn Fn(Vec<Array>) -> Vec<Array> + 'a;

/// How much each result moves when the operands are off by a rounding: what any algorithm may be off by, however good.
fn moves(f: &Dynamic<'_>, args: &[Array], epsilon: f64) -> Vec<f64> {
    let wanted = f(args.to_vec());
    let mut moves = vec![0.0f64; wanted.len()];
    for k in 1..=4 {
        let near = |x: &Array| {
            let wave = (arange(0.0, x.size() as f64, 1.0) * (1.7 * f64::from(k))).sin().reshape(x.shape().as_slice());
            x * (1.0 + epsilon * wave)
        };
        for ((moves, y), wanted) in moves.iter_mut().zip(f(args.iter().map(near).collect())).zip(&wanted) {
            *moves = numbers(&(y - wanted).abs()).into_iter().fold(*moves, f64::max);
        }
    }
    moves
}

/// Within so many roundings of the greatest element, and as many times what a rounding of the operands moves.
fn assert_near(found: &[Array], wanted: &[Array], moves: &[f64], (roundings, epsilon): (f64, f64), what: &str) {
    assert_eq!((found.len(), moves.len()), (wanted.len(), wanted.len()), "{what}");
    for ((found, wanted), moves) in found.iter().zip(wanted).zip(moves) {
        let scale = numbers(wanted).iter().fold(1.0f64, |scale, x| scale.max(x.abs()));
        assert_close(&found.convert(DType::F64), wanted, roundings * (epsilon + moves / scale), what);
    }
}

/// The values of JAX 0.10.2, their gradients, and of small matrices the second derivatives along cos(1), cos(2), ...;
/// `golden/linalg.py` wrote them.
#[test]
fn values_and_gradients_of_jax() {
    let mut seconds = 0;
    let cases: Value = serde_json::from_str(include_str!("golden/linalg.json")).unwrap();
    let cases = cases.as_array().unwrap();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let args = read(&case["args"]);
        let f = function(name);
        let shapes: Vec<_> = args.iter().map(|a| a.shape().to_vec()).collect();
        let objective = |args: Vec<Array>| weighted(&f(&args));
        let along: Vec<Array> =
            args.iter().map(|x| arange(1.0, x.size() as f64 + 1.0, 1.0).cos().reshape(x.shape().as_slice())).collect();
        let forms: [(&str, &Dynamic<'_>); 3] = [
            ("results", &|args| f(&args)),
            ("gradients", &|args| grad(objective)(args)),
            ("second", &|args| jvp(grad(objective))(args, along.clone()).1),
        ];
        for (order, (key, f)) in forms.into_iter().enumerate() {
            let wanted = read(&case[key]);
            if wanted.is_empty() {
                continue;
            }
            seconds += order / 2;
            let bound = moves(f, &args, f64::EPSILON);
            for (form, found) in [("eager", f(args.clone())), ("compiled", jit(f)(args.clone()))] {
                let what = format!("{key} of {name} of {shapes:?}, {form}");
                assert_near(&found, &wanted, &bound, (16.0, f64::EPSILON), &what);
            }
        }
        let single: Vec<Array> = args.iter().map(|x| x.convert(DType::F32)).collect();
        let exact: Vec<Array> = single.iter().map(|x| x.convert(DType::F64)).collect();
        let found = jit(|x: Vec<Array>| f(&x))(single);
        assert!(found.iter().all(|y| y.dtype() == DType::F32), "{name}");
        let epsilon = f64::from(f32::EPSILON);
        let bound = moves(&|x| f(&x), &exact, epsilon);
        assert_near(&found, &f(&exact), &bound, (16.0, epsilon), &format!("{name} of {shapes:?} in f32"));
    }
    assert!(cases.len() > 170 && seconds > 80, "{seconds}");
}

#[test]
fn products_of_the_factors_are_the_matrix() {
    for shape in [
        &[1, 1][..],
        &[2, 2],
        &[3, 3],
        &[5, 3],
        &[3, 5],
        &[8, 8],
        &[9, 9],
        &[20, 7],
        &[7, 20],
        &[150, 150],
        &[3, 4, 4],
        &[2, 3, 9, 2],
    ] {
        let (m, n) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        for dtype in [DType::F64, DType::F32] {
            let a = random(shape, 3 + m as u64).convert(dtype);
            let tolerance = (m.max(n) as f64) * if dtype == DType::F32 { 3e-6 } else { 3e-15 };
            let what = |name: &str| format!("{name} of {}", a.ty());
            let unit = |k: usize| eye(k).convert(dtype).broadcast_to([&shape[..shape.len() - 2], &[k, k]].concat());
            let orthonormal = |q: &Array, name: &str| {
                assert_close(&swapped(q).matmul(q), &unit(q.shape()[q.rank() - 1]), tolerance, &what(name))
            };
            for full in [false, true] {
                let (q, r) = linalg::qr(&a, full);
                assert_close(&q.matmul(&r), &a, tolerance, &what("qr"));
                orthonormal(&q, "q");
                let (u, s, vt) = linalg::svd(&a, full);
                let k = m.min(n);
                let part = u.slice_axis(-1, 0..k as i64) * s.expand_dims(-2);
                assert_close(&part.matmul(&vt.slice_axis(-2, 0..k as i64)), &a, tolerance, &what("svd"));
                orthonormal(&u, "u");
                orthonormal(&swapped(&vt), "v");
                assert_close(&linalg::svdvals(&a), &s, tolerance, &what("svdvals"));
            }
            let (p, l, u) = linalg::lu(&a);
            assert_close(&p.matmul(&l).matmul(&u), &a, tolerance, &what("lu"));
            if m == n {
                let a = definite(shape, m as u64).convert(dtype);
                let l = linalg::cholesky(&a);
                assert_close(&l.matmul(&swapped(&l)), &a, tolerance, &what("cholesky"));
                let (w, v) = linalg::eigh(&a);
                assert_close(&(&v * w.expand_dims(-2)).matmul(&swapped(&v)), &a, tolerance, &what("eigh"));
                orthonormal(&v, "eigenvectors");
                assert_close(&linalg::eigvalsh(&a), &w, tolerance, &what("eigvalsh"));
                let b = random(&[shape, &[1]].concat()[..shape.len() + 1], 5).convert(dtype).slice_axis(-1, 0);
                assert_close(&a.matmul(&linalg::solve(&a, &b)), &b, 100.0 * tolerance, &what("solve"));
                assert_close(&a.matmul(&linalg::inv(&a)), &unit(n), 100.0 * tolerance, &what("inv"));
                let by_factors = linalg::lu_solve(&linalg::lu_factor(&a), &b);
                assert_close(&by_factors, &linalg::solve(&a, &b), 100.0 * tolerance, &what("lu_solve"));
                assert_close(&linalg::cho_solve(&l, &b), &by_factors, 100.0 * tolerance, &what("cho_solve"));
            }
        }
    }
}

#[test]
fn the_library_and_the_loops_agree_on_determinants_and_ranks() {
    for n in [4, 8, 9, 20] {
        let a = random(&[n, n], n as u64);
        let (sign, log) = linalg::slogdet(&a);
        assert_close(&linalg::det(&a), &(sign * log.exp()), 1e-12, "det");
        let low = random(&[n, 3], 1).dot(&random(&[3, n], 2));
        assert_eq!(linalg::matrix_rank(&low), Array::from(3i64));
        let p = linalg::pinv(&low);
        assert_close(&low.dot(&p).dot(&low), &low, 1e-12, "a p a");
        assert_close(&p.dot(&low).dot(&p), &p, 1e-11, "p a p");
        // Exactly singular, of a size that the library takes.
        let mut rows: Vec<Array> = (0..n as u64).map(|i| random(&[n], i + 50)).collect();
        rows[n - 1] = rows[0].clone() * 2.0;
        let singular = stack(&rows, 0);
        assert!(linalg::det(&singular).item::<f64>().unwrap().abs() < 1e-10);
        rows[1] = zeros(n);
        let singular = stack(&rows, 0);
        assert_eq!(linalg::det(&singular), Array::from(0.0));
        assert!(linalg::inv(&singular).is_nan().all().item::<bool>().unwrap());
    }
}

/// Both modes at first order, and those of the gradient, against finite differences.
#[test]
fn derivatives_of_first_and_second_order() {
    let check = |name: &str, f: &dyn Fn(Array) -> Array, x: Array| {
        check_grads(f, x.clone(), 1e-6).unwrap_or_else(|e| panic!("{name}: {e}"));
        let gradient = |x: Array| grad(|x: Array| f(x).square().sum())(x);
        check_grads(gradient, x, 1e-6).unwrap_or_else(|e| panic!("second order of {name}: {e}"));
    };
    for n in [2, 3, 4, 9] {
        let spd = definite(&[n, n], 4) + Array::iota(DType::F64, &[n], 0) * eye(n);
        let a = random(&[n, n], 9) * 0.3 + 1.5 * eye(n);
        let b = random(&[n, 2], 11);
        check("cholesky", &|x| linalg::cholesky(&x), spd.clone());
        check("solve, in the matrix", &|x| linalg::solve(&x, &b), a.clone());
        check("solve, in the right side", &|x| linalg::solve(&a, &x), b.clone());
        check("inv", &|x| linalg::inv(&x), a.clone());
        check("det", &|x| linalg::det(&x), a.clone() * 0.8);
        check("slogdet", &|x| linalg::slogdet(&x).1, a.clone());
        check(
            "eigh",
            &|x| {
                let (w, v) = linalg::eigh(&x);
                (v.square() * w.expand_dims(0)).sin()
            },
            spd.clone(),
        );
        check("eigvalsh", &|x| linalg::eigvalsh(&x), spd.clone());
        check("svdvals", &|x| linalg::svdvals(&x), spd.clone());
        check("qr", &|x| linalg::qr(&x, false).0.square(), a.clone());
        check(
            "lu",
            &|x| {
                let (_, l, u) = linalg::lu(&x);
                l + u
            },
            a.clone() + 2.0 * eye(n),
        );
        check("lu_solve", &|x| linalg::lu_solve(&linalg::lu_factor(&x), &b), a.clone());
        check("cho_solve", &|x| linalg::cho_solve(&linalg::cholesky(&x), &b), spd.clone());
        check("expm", &|x| linalg::expm(&x), a.clone() * 0.7);
        check("matrix_power", &|x| linalg::matrix_power(&x, -2), a.clone());
        check("solve_triangular", &|x| linalg::solve_triangular(&x, &b, Triangle::UPPER.transposed()), a.clone());
    }
    for shape in [[4, 2], [2, 4]] {
        let a = random(&shape, 21)
            + Array::iota(DType::F64, &shape, 0).eq(Array::iota(DType::F64, &shape, 1)).convert(DType::F64);
        check("pinv", &|x| linalg::pinv(&x), a.clone());
        check(
            "svd",
            &|x| {
                let (u, s, vt) = linalg::svd(&x, false);
                (u.square() * s.expand_dims(0)).sum() + vt.square().sin().sum()
            },
            a.clone(),
        );
        check("wide and tall qr", &|x| linalg::qr(&x, false).1.square(), a.clone());
        check("lstsq", &|x| linalg::lstsq(&x, &random(&[shape[0]], 5)).0, a);
    }
}

/// A batch is its matrices one by one, bit for bit.
#[test]
fn batches_are_loops() {
    type Function = (&'static str, fn(Array) -> Array);
    let functions: [Function; 11] = [
        ("cholesky", |a| linalg::cholesky(&(a.matmul(&a.transpose()) + eye(a.shape()[0])))),
        ("solve", |a| linalg::solve(&a, &a.slice((.., 0)))),
        ("inv", |a| linalg::inv(&a)),
        ("det", |a| linalg::det(&a)),
        ("slogdet", |a| linalg::slogdet(&a).1),
        ("eigvalsh", |a| linalg::eigvalsh(&a)),
        ("eigenvectors", |a| linalg::eigh(&a).1),
        ("svd", |a| linalg::svd(&a, true).0),
        ("qr", |a| linalg::qr(&a, false).1),
        ("pinv", |a| linalg::pinv(&a)),
        ("lu", |a| linalg::lu(&a).2),
    ];
    let bits = |x: &Array| x.to_vec::<f64>().unwrap().into_iter().map(f64::to_bits).collect::<Vec<u64>>();
    for n in [1, 2, 3, 8, 9, 17] {
        let batch = random(&[4, n, n], n as u64);
        for (name, f) in functions {
            // The product in it may add up in another order.
            let exact = name != "cholesky";
            let alone = |g: &dyn Fn(Array) -> Array| stack(&(0..4).map(|i| g(batch.at(i))).collect::<Vec<_>>(), 0);
            let (together, alone) = (vmap(f)(batch.clone()), alone(&f));
            assert_close(&together, &alone, 1e-12, name);
            if exact {
                assert_eq!(bits(&together), bits(&alone), "{name} of {n} rows");
                assert_eq!(bits(&jit(vmap(f))(batch.clone())), bits(&alone), "{name} of {n} rows, compiled");
            }
        }
    }
}

/// `expm` scales every matrix of a batch by its own norm, in compiled loops too.
#[test]
fn matrices_of_a_batch_are_scaled_apart() {
    let a = stack(&[random(&[3, 3], 1), random(&[3, 3], 2) * 40.0, random(&[3, 3], 3) * 0.01], 0);
    let alone = stack(&(0..3).map(|i| linalg::expm(&a.at(i))).collect::<Vec<_>>(), 0);
    assert_close(&linalg::expm(&a), &alone, 1e-11, "native batch");
    assert_close(&vmap(|a: Array| linalg::expm(&a))(a.clone()), &alone, 1e-11, "vmap");
    assert_close(&jit(vmap(|a: Array| linalg::expm(&a)))(a.clone()), &alone, 1e-11, "compiled");
    let gradient = |a: Array| grad(|a: Array| linalg::expm(&a).log1p().sum())(a.abs() * 0.1);
    let alone = stack(&(0..3).map(|i| gradient(a.at(i))).collect::<Vec<_>>(), 0);
    assert_close(&jit(vmap(gradient))(a), &alone, 1e-10, "gradients");
}

/// Equations solved in a loop whose lanes make different numbers of rounds: what idle lanes hold, zeros, must not be felt.
#[test]
fn idle_lanes_solve_nothing() {
    let f = |x: Array, rounds: Array, shared: Array| {
        let round = |(i, x): (Array, Array)| {
            let a = eye(2) * 2.0 + &x * &shared;
            let y = linalg::solve(&a, &array![1.0, 2.0]).sum();
            let l = linalg::cholesky(&a.dot(&a.transpose()));
            let z = linalg::solve_triangular(&l, &array![0.5, 1.0], Triangle::LOWER).sum();
            (i + 1, y.sin() + z)
        };
        while_loop(|(i, _): (Array, Array)| i.lt(&rounds), round, (Array::from(0i64), x)).1
    };
    let (xs, rounds) = (array![0.3, 0.5, 0.7], array![1i64, 3, 2]);
    let shared = array![[0.5, 0.1], [-0.2, 0.4]];
    let batch = |(xs, v): (Array, Array)| vmap(|(x, k)| f(x, k, v.clone()))((xs, rounds.clone())).sum();
    let alone = |(xs, v): (Array, Array)| {
        let one = |i: i64| f(xs.at(i), rounds.at(i), v.clone());
        one(0) + one(1) + one(2)
    };
    let args = (xs, shared);
    let wanted = grad(alone)(args.clone());
    for found in [grad(batch)(args.clone()), jit(grad(batch))(args.clone())] {
        assert_close(&found.0, &wanted.0, 1e-12, "by lane");
        assert_close(&found.1, &wanted.1, 1e-12, "shared");
    }
}

/// The same where all lanes share the matrix, so that lanes are columns of the right sides.
#[test]
fn idle_lanes_of_one_matrix() {
    let a = array![[2.0, 0.5], [0.3, 3.0]];
    let f = |x: Array, rounds: Array, a: Array| {
        let round = |(i, x): (Array, Array)| {
            let y = linalg::solve(&a, &(&x * array![1.0, 2.0]));
            let z = linalg::solve_triangular(&a, &(y + 1.0), Triangle::LOWER);
            (i + 1, z.square().sum().sin())
        };
        while_loop(|(i, _): (Array, Array)| i.lt(&rounds), round, (Array::from(0i64), x)).1
    };
    let (xs, rounds) = (array![0.3, 0.5], array![1i64, 3]);
    let batch = |(xs, a): (Array, Array)| vmap(|(x, k)| f(x, k, a.clone()))((xs, rounds.clone())).sum();
    let alone = |(xs, a): (Array, Array)| f(xs.at(0), rounds.at(0), a.clone()) + f(xs.at(1), rounds.at(1), a);
    let args = (xs, a);
    let wanted = grad(alone)(args.clone());
    for found in [grad(batch)(args.clone()), jit(grad(batch))(args.clone())] {
        assert_close(&found.0, &wanted.0, 1e-12, "by lane");
        assert_close(&found.1, &wanted.1, 1e-12, "shared");
    }
}

#[test]
fn right_sides_of_one_matrix_are_columns() {
    let (a, b) = (random(&[9, 9], 1) + 3.0 * eye(9), random(&[5, 9], 2));
    let program = trace(|b: Array| vmap(|b: Array| linalg::solve(&a, &b))(b), &b).to_string();
    assert!(program.contains("solve[batch=0"), "{program}");
    let together = linalg::solve(&a, &b.transpose()).transpose();
    assert_close(&vmap(|b: Array| linalg::solve(&a, &b))(b.clone()), &together, 1e-14, "vmap");
    let b = random(&[2, 3, 9, 4], 3);
    assert_close(&a.broadcast_to([2, 3, 9, 9]).matmul(&linalg::solve(&a, &b)), &b, 1e-13, "batch of right sides");
}
