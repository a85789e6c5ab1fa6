//! Linear algebra at its hard points: functions of a matrix.

use super::{Case, Compared};
use wengert::linalg::{self, Norm};
use wengert::prelude::*;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn case(name: &'static str, f: fn(Array) -> Array, x: Array, value: &[f64], gradient: &[f64]) -> Case {
    Case {
        name,
        f: Box::new(move |x: &[Array]| f(x[0].clone())),
        at: vec![x],
        value: value.to_vec(),
        reverse: gradient.to_vec(),
        forward: gradient.to_vec(),
        compared: Compared { to_list: 1e-9, to_first: 1e-12, signed_zeros: false },
    }
}

pub fn cases() -> Vec<Case> {
    let ones = |shape: [usize; 2]| ones(shape);
    let rank_1 = array![[2.0, 3.0, 4.0], [4.0, 6.0, 8.0], [6.0, 9.0, 12.0]];
    let four_of_rank_1 = arange(1.0, 5.0, 1.0).outer(&arange(2.0, 6.0, 1.0));
    let ten_of_rank_1 = arange(1.0, 11.0, 1.0).outer(&arange(2.0, 12.0, 1.0));
    let singular = array![[1.0, 2.0], [2.0, 4.0]];
    let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
    // Of sqrt(a) + b / sqrt(a) + sqrt(c - b^2 / a) at a = c = 2, b = 1, that of b in halves.
    let (root, last) = (2f64.sqrt(), 1.5f64.sqrt());
    let (by_a, by_b, by_c) = (0.25 / root + 0.125 / last, 0.5 / root - 0.25 / last, 0.5 / last);
    vec![
        case("eigh of I, eigenvalues", |a| linalg::eigh(&a).0, eye(2), &[1.0, 1.0], &[1.0, 0.0, 0.0, 1.0]),
        case("eigvalsh of I", |a| linalg::eigvalsh(&a), eye(2), &[1.0, 1.0], &[1.0, 0.0, 0.0, 1.0]),
        case(
            "eigh of I, eigenvectors",
            |a| (linalg::eigh(&a).1 * array![[1.0, 2.0], [3.0, 4.0]]).sum(),
            eye(2),
            &[5.0],
            &[NAN; 4],
        ),
        case("svdvals of 0", |a| linalg::svdvals(&a), zeros((2, 2)), &[0.0, 0.0], &[1.0, 0.0, 0.0, 1.0]),
        case("nuclear norm of 0", |a| linalg::norm(&a, Norm::Nuc), zeros((2, 2)), &[0.0], &[1.0, 0.0, 0.0, 1.0]),
        case("Frobenius norm of 0", |a| linalg::norm(&a, Norm::Fro), zeros((2, 2)), &[0.0], &[0.0; 4]),
        case("1-norm at a tie", |a| linalg::norm(&a, Norm::One), array![[1.0, -1.0]], &[1.0], &[0.5, -0.5]),
        case("inf-norm at a tie", |a| linalg::norm(&a, Norm::Inf), array![1.0, -1.0], &[1.0], &[0.5, -0.5]),
        case("cholesky of non-PD", |a| linalg::cholesky(&a), indefinite, &[NAN, 0.0, NAN, NAN], &[NAN; 4]),
        case("cholesky of 0", |a| linalg::cholesky(&a), zeros((2, 2)), &[NAN, 0.0, NAN, NAN], &[NAN; 4]),
        case(
            "cholesky gradient symmetrised",
            |a| linalg::cholesky(&a).sum(),
            array![[2.0, 1.0], [1.0, 2.0]],
            &[root + 1.0 / root + last],
            &[by_a, by_b, by_b, by_c],
        ),
        case("det at rank 1", |a| linalg::det(&a), ones([3, 3]), &[0.0], &[0.0; 9]),
        case("det at rank 1, other numbers", |a| linalg::det(&a), rank_1, &[0.0], &[0.0; 9]),
        case("det of 4 rows at rank 1", |a| linalg::det(&a), four_of_rank_1, &[0.0], &[0.0; 16]),
        case("det of 10 rows at rank 1", |a| linalg::det(&a), ten_of_rank_1, &[0.0], &[0.0; 100]),
        case("det at one rank less", |a| linalg::det(&a), singular.clone(), &[0.0], &[4.0, -2.0, -2.0, 1.0]),
        case(
            "det of 4 rows at one rank less",
            |a| linalg::det(&(a.expand_dims(-1) * eye(4))),
            array![2.0, 0.0, 3.0, 5.0],
            &[0.0],
            &[0.0, 30.0, 0.0, 0.0],
        ),
        case("det of no rows", |a| linalg::det(&a) + 0.0, zeros((0, 0)), &[1.0], &[]),
        case("inv of singular", |a| linalg::inv(&a), singular.clone(), &[NAN; 4], &[NAN; 4]),
        case("inv of 0", |a| linalg::inv(&a), zeros((2, 2)), &[NAN; 4], &[NAN; 4]),
        case("solve with singular", |a| linalg::solve(&a, &array![1.0, 1.0]), singular.clone(), &[NAN; 2], &[NAN; 4]),
        case("slogdet of singular, logarithm", |a| linalg::slogdet(&a).1, singular.clone(), &[-INF], &[NAN; 4]),
        case("slogdet of singular, sign", |a| linalg::slogdet(&a).0, singular.clone(), &[0.0], &[0.0; 4]),
        case(
            "pinv of singular",
            |a| linalg::pinv(&a),
            singular.clone(),
            &[0.04, 0.08, 0.08, 0.16],
            &[0.0048, -0.0144, -0.0144, -0.0768],
        ),
        case("pinv of 0", |a| linalg::pinv(&a), zeros((2, 2)), &[0.0; 4], &[0.0; 4]),
        case("expm of 0", |a| linalg::expm(&a), zeros((2, 2)), &[1.0, 0.0, 0.0, 1.0], &[1.0; 4]),
        case("power 0", |a| linalg::matrix_power(&a, 0), singular.clone(), &[1.0, 0.0, 0.0, 1.0], &[0.0; 4]),
        case("rank of singular", |a| linalg::matrix_rank(&a) * a.at(0).at(0), singular, &[1.0], &[1.0, 0.0, 0.0, 0.0]),
    ]
}

fn numbers(x: &Array) -> Vec<f64> {
    x.to_vec::<f64>().unwrap()
}

#[test]
fn every_form_agrees() {
    super::check(&cases());
}

/// The basis that completes the columns of a tall matrix is any, but the space it spans is not.
#[test]
fn full_svd_and_qr_of_a_tall_matrix_have_derivatives() {
    let a = array![[1.0, 2.0], [0.5, -1.0], [3.0, 0.25], [-1.0, 1.5]];
    let weights = Array::iota(DType::F64, &[4, 4], 0).sin() + Array::iota(DType::F64, &[4, 4], 1).cos();
    let from_columns = |q: Array| {
        let rest = q.slice((.., 2..));
        (rest.dot(&rest.transpose()) * &weights).sum()
    };
    let by_svd = |a: Array| from_columns(linalg::svd(&a, true).0);
    let by_svd_of_wide = |a: Array| from_columns(linalg::svd(&a.transpose(), true).2.transpose());
    let by_qr = |a: Array| from_columns(linalg::qr(&a, true).0);
    let by_projection = |a: Array| {
        let onto = a.dot(&linalg::solve(&a.transpose().dot(&a), &a.transpose()));
        ((eye(4) - onto) * &weights).sum()
    };
    let wanted = numbers(&grad(by_projection)(a.clone()));
    let check = |name: &str, f: &dyn Fn(Array) -> Array| {
        let f = |x: Array| f(x);
        for (form, found) in
            [("eager", grad(f)(a.clone())), ("compiled", jit(grad(f))(a.clone())), ("forward", jacfwd(f)(a.clone()))]
        {
            for (x, y) in numbers(&found).iter().zip(&wanted) {
                assert!((x - y).abs() < 1e-12, "{name}, {form}: {x}, not {y}");
            }
        }
    };
    check("svd", &by_svd);
    check("svd of the transpose", &by_svd_of_wide);
    check("qr", &by_qr);
}

type Function = (&'static str, fn(&Array) -> Vec<Array>);

const EVERYTHING: [Function; 18] = [
    ("cholesky", |a| vec![linalg::cholesky(a)]),
    ("lu", |a| vec![linalg::lu(a).2]),
    ("qr", |a| vec![linalg::qr(a, false).0, linalg::qr(a, true).1]),
    ("eigh", |a| vec![linalg::eigh(a).0, linalg::eigh(a).1]),
    ("eigvalsh", |a| vec![linalg::eigvalsh(a)]),
    ("svd", |a| vec![linalg::svd(a, false).0, linalg::svd(a, true).2]),
    ("svdvals", |a| vec![linalg::svdvals(a)]),
    ("solve", |a| vec![linalg::solve(a, &ones_of(a.dtype(), a.shape()))]),
    ("inv", |a| vec![linalg::inv(a)]),
    ("det", |a| vec![linalg::det(a)]),
    ("slogdet", |a| vec![linalg::slogdet(a).1]),
    ("pinv", |a| vec![linalg::pinv(a)]),
    ("expm", |a| vec![linalg::expm(a)]),
    ("matrix_power", |a| vec![linalg::matrix_power(a, 3)]),
    ("norm", |a| vec![linalg::norm(a, Norm::Two), linalg::norm(a, Norm::Nuc), linalg::norm(a, Norm::Fro)]),
    ("cond", |a| vec![linalg::cond(a)]),
    ("lstsq", |a| vec![linalg::lstsq(a, a).0]),
    ("cho_solve", |a| vec![linalg::cho_solve(a, a)]),
];

#[test]
fn what_is_not_finite_gives_nan_and_ends() {
    for n in [1, 2, 3, 9, 40] {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for dtype in [DType::F64, DType::F32] {
                let a = full((n, n), bad).convert(dtype);
                for (name, f) in EVERYTHING {
                    if (name, n, bad) == ("expm", 1, f64::NEG_INFINITY) {
                        continue; // It is 0.
                    }
                    // The sums of infinities of one sign are that.
                    let may_be_infinite = ["matrix_power", "norm", "expm", "det"].contains(&name) && !bad.is_nan();
                    let found = [f(&a), jit(move |a: Array| f(&a))(a.clone())].concat();
                    for y in found {
                        let y = y.convert(DType::F64).to_vec::<f64>().unwrap();
                        // Triangles keep their zeros.
                        let good = |y: &f64| y.is_nan() || *y == 0.0 || may_be_infinite && !y.is_finite();
                        assert!(
                            y.iter().all(good) && y.iter().any(|y| *y != 0.0),
                            "{name} of {n} rows of {bad}: {y:?}"
                        );
                    }
                }
            }
        }
    }
}

/// A program goes on whatever is in the data.
#[test]
fn extreme_numbers_do_not_panic_or_run_on() {
    let values = [0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, 1e-300, f64::MAX, f64::MIN_POSITIVE, 1.0 + f64::EPSILON, -3.5];
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    for n in [1, 2, 3, 5, 8, 9, 12, 33] {
        for _ in 0..12 {
            let data: Vec<f64> = (0..n * n).map(|_| values[next() % values.len()]).collect();
            let a = Array::from_shape_vec([n, n], data).unwrap();
            for (_, f) in EVERYTHING {
                f(&a);
                f(&a.convert(DType::F32));
            }
        }
    }
}

#[test]
fn refusals_name_shapes_and_the_repair() {
    use wengert::try_call;
    let message = |f: &dyn Fn() -> Array| try_call(f).unwrap_err().to_string();
    let wide = zeros((2, 3));
    let text = message(&|| linalg::cholesky(&wide));
    assert!(text.contains("cholesky: f64[2,3] is not square") && text.contains("linalg.rs"), "{text}");
    let text = message(&|| linalg::svdvals(&zeros(3)));
    assert!(text.contains("f64[3] is no matrix") && text.contains("reshape"), "{text}");
    let text = message(&|| linalg::solve(&eye(2), &zeros(3)));
    assert!(text.contains("f64[2,2]") && text.contains("f64[3,1]"), "{text}");
    let text = message(&|| linalg::solve(&zeros((2, 2, 2)), &zeros((3, 2, 1))));
    assert!(text.contains("do not broadcast"), "{text}");
    let text = message(&|| linalg::inv(&wide));
    assert!(text.starts_with("inv: ") && text.contains("not square"), "{text}");
    let text = message(&|| linalg::det(&zeros(0)));
    assert!(text.starts_with("det: "), "{text}");
}
