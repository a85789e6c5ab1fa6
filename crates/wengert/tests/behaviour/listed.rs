//! The hard points that must have a case, so that none is forgotten.

use super::*;

/// Each point by a short name, with the cases or tests that hold it.
#[rustfmt::skip]
const POINTS: &[(&str, &[&str])] = &[
    ("extrema of two at a tie", &["maximum at a tie", "minimum at a tie"]),
    ("the greater of one and itself", &["maximum of a number and itself"]),
    ("the greater with NaN", &["maximum with NaN"]),
    ("the greatest at a tie", &["greatest of two equal"]),
    ("the greatest with NaN", &["greatest with a NaN"]),
    ("the greatest of -inf", &["greatest of -inf alone"]),
    ("relu at its corner", &["relu at 0"]),
    ("maximum with a constant at its corner", &["maximum(x, 0) at 0"]),
    ("clip at its bounds", &["clip at its lower bound", "clip at its upper bound"]),
    ("clamp", &["clamp at its lower bound", "clamp at its upper bound", "clamp inside"]),
    ("abs", &["abs at 0", "abs at NaN"]),
    ("sign", &["sign at 0"]),
    ("roots at 0", &["sqrt at 0", "sqrt(x * x) at 0", "cbrt at 0"]),
    ("norms of 0", &["2-norm of zeros", "1-norm of zeros", "sqrt of the sum of squares of zeros, by hand"]),
    ("greatest size at a tie", &["infinite norm of equal sizes", "inf-norm at a tie"]),
    ("a select beside infinity", &["where(x > 0, log x, 0) at 0"]),
    ("a branch beside infinity", &["the same by cond", "the same by cond at 1"]),
    ("powers", &["pow(0, 0)", "pow(0, 2)", "pow(-2, 3)"]),
    ("whole powers", &["x to a whole power that is an array, 0, at 0", "x^0 at 0", "x^1 at 0", "x^2 at 0"]),
    ("a quotient of zeros", &["x / x at 0"]),
    ("logarithms", &["log at -1", "x log x at 0"]),
    ("x log y", &["xlogy(0, 3)", "xlogy(0, 0)"]),
    ("entropy", &["entr at 0"]),
    ("logarithms of sums", &["logsumexp of -inf alone", "logsumexp of inf", "logaddexp(-inf, -inf)", "logaddexp(inf, inf)"]),
    ("softmax", &["softmax of -inf alone"]),
    ("softplus", &["softplus at inf", "softplus at -inf", "softplus at 0"]),
    ("sinc to the fourth order", &[
        "sinc at 0", "first derivative of sinc at 0", "second derivative of sinc at 0", "third derivative of sinc at 0",
        "fourth derivative of sinc at 0",
    ]),
    ("directions of nothing", &["atan2 at the origin", "hypot at the origin"]),
    ("the end of an arc", &["acos at 1"]),
    ("division", &["division by 0"]),
    ("remainders", &["rem(-5.5, 2)", "remainder at an exact multiple"]),
    ("products with zeros", &[
        "product with a zero", "second derivatives of a product with two zeros, first row",
        "second derivatives of a product with two zeros, second row",
        "second derivatives of a product with two zeros, third row",
    ]),
    ("running products and extrema", &["cumprod with a zero", "cummax with a tie"]),
    ("order at ties", &["sort with a tie", "the two greatest with a tie", "the greatest of equal ones"]),
    ("order of NaN and zeros", &["sort of zeros is stable", "the other zero", "order of NaN and zeros", "sort with a NaN"]),
    ("the first NaN is greatest", &["argmax with NaN", "first greatest with NaN"]),
    ("median of an even number", &["median of four"]),
    ("reads outside", &[
        "read behind the end", "read before the start", "read with a value for what is outside", "take outside",
    ]),
    ("updates outside", &["add behind the end", "set outside"]),
    ("updates of one place", &["set twice: the last wins", "multiply twice, by zero once", "greater at a tie"]),
    ("windows outside", &["a window that would reach outside"]),
    ("loops of unknown length, both modes", &["while it is small, doubled", "as many rounds as an operand says"]),
    ("eigenvalues that are equal", &["eigh of I, eigenvalues", "eigh of I, eigenvectors"]),
    ("singular values of 0", &["svdvals of 0"]),
    ("a full basis", &["full_svd_and_qr_of_a_tall_matrix_have_derivatives"]),
    ("matrices that are not positive", &["cholesky of non-PD"]),
    ("gradients by symmetric matrices", &["cholesky gradient symmetrised"]),
    ("determinants", &["det at rank 1"]),
    ("singular matrices", &["inv of singular"]),
    ("deviation of a constant", &["standard deviation of a constant"]),
    ("poles of the gamma function", &["lgamma at 0", "lgamma at -1"]),
    ("incomplete functions by every argument", &["igamma by both", "betainc by all"]),
    ("gradients by integers", &["gradients_by_integers_are_refused"]),
    ("perturbations", &["perturbations are not confused"]),
    ("high derivatives", &["sixth derivative of 1 / x", "sixth derivative of 1 / x in f32"]),
    ("floats to integers", &["floats to i32", "floats to u32"]),
    ("integers by 0", &["i32 by 0", "i32 rem 0", "i32 floor_divide by 0", "the least i32 by -1", "u32 by 0"]),
    ("wide shifts", &["shifts by the width and more", "a shift by a negative amount", "a right shift by more than the width"]),
    ("halves", &["halves are rounded to even"]),
];

#[test]
fn every_hard_point_has_a_case() {
    let tests = [include_str!("linalg.rs"), include_str!("listed.rs")].concat();
    let functions = tests.split("#[test]\nfn ").skip(1).filter_map(|text| text.split('(').next());
    let cases = [elementwise::cases(), arrays::cases(), linalg::cases()].into_iter().flatten().map(|case| case.name);
    let exact = elementwise::exact().into_iter().map(|case| case.0);
    let names: Vec<&str> = cases.chain(exact).chain(functions).collect();
    let twice = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name));
    assert_eq!(twice, None, "two cases have one name");
    for (point, held_by) in POINTS {
        for name in *held_by {
            assert!(names.contains(name), "{point}: there is no case `{name}`");
        }
    }
    assert!(names.len() >= 200, "{}", names.len());
}

#[test]
fn gradients_by_integers_are_refused() {
    let error = wengert::try_grad(|x: Array| x.square())(Array::from(2)).unwrap_err().to_string();
    assert!(error.contains("i32") && error.contains("listed.rs"), "{error}");
}
