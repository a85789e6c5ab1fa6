//! Printing arrays the way NumPy prints them.
//!
//! All numbers of an array share one layout: positional or scientific, aligned at the point. Numbers have as many
//! digits as tell them apart from others of their dtype, but at most eight after the point; long arrays show three
//! items at each end of an axis. The rules are those of NumPy's documented `set_printoptions`, with Rust's `true`,
//! `false` for truth values.

use super::{Array, Repr};
use crate::value::{ArrayValue, Value};
use std::fmt;
use wengert_kernel::{DType, Scalar, ScalarOp, Unary};

/// An array of more elements is summarised.
const THRESHOLD: usize = 1000;
/// How many items at each end of an axis a summary shows.
const EDGE: usize = 3;
/// Lines are broken before they are longer.
const WIDTH: usize = 75;
/// Most digits after the point.
const PRECISION: usize = 8;

/// Like NumPy's `print`. With a precision such as `{:.3}` every number has so many digits after the point.
///
/// ```
/// use wengert_core::array;
///
/// assert_eq!(array![1.0, 2.5, 3.0].to_string(), "[1.  2.5 3. ]");
/// assert_eq!(array![[1, 20], [3, 4]].to_string(), "[[ 1 20]\n [ 3  4]]");
/// assert_eq!(format!("{:.2}", array![1.0, 2.5]), "[1.00 2.50]");
/// ```
impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().map_or(Digits::AtMost(PRECISION), Digits::Exactly);
        match &self.0 {
            Repr::Variable(v) => write!(f, "traced {}", v.ty),
            Repr::Complex(parts) => match values(parts) {
                Some(parts) => f.write_str(&layout_complex(parts, digits, 0)),
                None => write!(f, "traced {}", self.ty()),
            },
            Repr::Value(Value::Array(value)) => f.write_str(&layout(value, digits, 0)),
            Repr::Value(list) => write!(f, "{}", list.ty()),
        }
    }
}

/// Dtype, shape and the elements with all their digits: `Array(f64[2], [1.  2.5])`.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().map_or(Digits::AtMost(usize::MAX), Digits::Exactly);
        match &self.0 {
            Repr::Variable(v) => write!(f, "Array(traced {})", v.ty),
            Repr::Complex(parts) => match values(parts) {
                Some(parts) => {
                    let head = format!("Array({}, ", self.ty());
                    write!(f, "{head}{})", layout_complex(parts, digits, head.len()))
                }
                None => write!(f, "Array(traced {})", self.ty()),
            },
            Repr::Value(Value::Array(value)) => {
                let head = format!("Array({}, ", value.ty());
                write!(f, "{head}{})", layout(value, digits, head.len()))
            }
            Repr::Value(list) => write!(f, "Array({})", list.ty()),
        }
    }
}

impl Array {
    /// The rows of a matrix as printed words, with dots where long axes are cut; `None` of anything else.
    pub(crate) fn shown_rows(&self) -> Option<Vec<Vec<String>>> {
        let Repr::Value(Value::Array(value)) = &self.0 else { return None };
        let [rows, columns] = value.shape[..] else { return None };
        let summary = value.size() > THRESHOLD;
        let mut shown = Vec::new();
        each_shown(&value.shape, summary, 0, &mut |i| shown.push(value.get(i)));
        let words = words(value.dtype(), &shown, Digits::AtMost(PRECISION));
        let width = words.len().checked_div(shown_count(rows, summary)).filter(|&n| n > 0)?;
        let with_dots = |mut row: Vec<String>, cut: bool| {
            if cut {
                row.insert(EDGE, "...".to_owned());
            }
            row
        };
        let trimmed = |row: &[String]| row.iter().map(|word| word.trim().to_owned()).collect();
        let mut all: Vec<Vec<String>> =
            words.chunks(width).map(|row| with_dots(trimmed(row), width < columns)).collect();
        if all.len() < rows {
            all.insert(EDGE, vec!["...".to_owned(); all[0].len()]);
        }
        Some(all)
    }
}

/// Digits after the point.
#[derive(Clone, Copy)]
enum Digits {
    AtMost(usize),
    Exactly(usize),
}

/// The text of an array whose first line begins in a column.
fn layout(value: &ArrayValue, digits: Digits, column: usize) -> String {
    if value.shape.is_empty() {
        return scalar(value.get(0), digits);
    }
    let words = |shown: &[usize]| {
        let shown: Vec<Scalar> = shown.iter().map(|&i| value.get(i)).collect();
        words(value.dtype(), &shown, digits)
    };
    arranged(&value.shape, column, words)
}

/// The brackets and lines around the words of the elements that are shown.
fn arranged(shape: &[usize], column: usize, words: impl FnOnce(&[usize]) -> Vec<String>) -> String {
    let size = shape.iter().product::<usize>();
    if size == 0 {
        return "[]".to_owned();
    }
    let summary = size > THRESHOLD;
    let mut shown = Vec::new();
    each_shown(shape, summary, 0, &mut |i| shown.push(i));
    let words = words(&shown);
    let mut writer = Writer { words: words.iter(), shape, summary, out: String::new() };
    writer.axis(0, column + 1, WIDTH);
    writer.out
}

/// The values of the parts of a complex array; `None` when one is traced.
fn values(parts: &[Array; 2]) -> Option<[&ArrayValue; 2]> {
    let [Repr::Value(Value::Array(re)), Repr::Value(Value::Array(im))] = parts.each_ref().map(|part| &part.0) else {
        return None;
    };
    Some([re, im])
}

/// Complex numbers: both parts in a layout of their own, the imaginary one with its sign and `j`.
fn layout_complex([re, im]: [&ArrayValue; 2], digits: Digits, column: usize) -> String {
    if re.shape.is_empty() {
        let (x, y) = (re.get(0), im.get(0));
        return format!("{}{}{}j", scalar(x, digits), sign_of(y), scalar(magnitude(y), digits));
    }
    let words = |shown: &[usize]| {
        let part = |value: &ArrayValue| -> Vec<Scalar> { shown.iter().map(|&i| value.get(i)).collect() };
        let (x, y) = (part(re), part(im));
        let sizes: Vec<Scalar> = y.iter().map(|&y| magnitude(y)).collect();
        let (left, right) = (words(re.dtype(), &x, digits), words(im.dtype(), &sizes, digits));
        let one = |((left, right), y): ((String, String), &Scalar)| {
            let (number, spaces) = (right.trim_start().trim_end(), right.len() - right.trim_end().len());
            let signed = format!("{}{number}j{:spaces$}", sign_of(*y), "");
            format!("{left}{signed:>width$}", width = right.len() + 2)
        };
        left.into_iter().zip(right).zip(&y).map(one).collect()
    };
    arranged(&re.shape, column, words)
}

fn sign_of(x: Scalar) -> char {
    if !to_f64(x).is_nan() && to_f64(x).is_sign_negative() { '-' } else { '+' }
}

fn magnitude(x: Scalar) -> Scalar {
    ScalarOp::Unary(Unary::Abs).eval(&[x])
}

/// The positions along an axis that are shown, and where the dots go.
fn shown_items(n: usize, summary: bool) -> (std::ops::Range<usize>, Option<std::ops::Range<usize>>) {
    if summary && n > 2 * EDGE { (0..EDGE, Some(n - EDGE..n)) } else { (0..n, None) }
}

/// How many items along an axis are shown.
fn shown_count(n: usize, summary: bool) -> usize {
    let (head, tail) = shown_items(n, summary);
    head.len() + tail.map_or(0, |tail| tail.len())
}

/// Calls `f` with the row-major position of every element that is shown.
fn each_shown(shape: &[usize], summary: bool, start: usize, f: &mut impl FnMut(usize)) {
    let Some((&n, inner)) = shape.split_first() else { return f(start) };
    let (head, tail) = shown_items(n, summary);
    let stride: usize = inner.iter().product();
    for i in head.chain(tail.into_iter().flatten()) {
        each_shown(inner, summary, start + i * stride, f);
    }
}

struct Writer<'a> {
    /// The elements that are shown, in order.
    words: std::slice::Iter<'a, String>,
    shape: &'a [usize],
    summary: bool,
    out: String,
}

impl Writer<'_> {
    /// Writes the items along an axis, and all inside them, in brackets. Further lines begin at `indent`.
    fn axis(&mut self, axis: usize, indent: usize, width: usize) {
        self.out.push('[');
        if axis + 1 == self.shape.len() {
            self.row(indent, width);
        } else {
            let (head, tail) = shown_items(self.shape[axis], self.summary);
            let between = "\n".repeat(self.shape.len() - 1 - axis) + &" ".repeat(indent);
            for i in head {
                if i > 0 {
                    self.out.push_str(&between);
                }
                self.axis(axis + 1, indent + 1, width - 1);
            }
            if let Some(tail) = tail {
                self.out.push_str(&between);
                self.out.push_str("...");
                for _ in tail {
                    self.out.push_str(&between);
                    self.axis(axis + 1, indent + 1, width - 1);
                }
            }
        }
        self.out.push(']');
    }

    /// The elements along the last axis, on as many lines as they need.
    fn row(&mut self, indent: usize, width: usize) {
        let (head, tail) = shown_items(*self.shape.last().expect("a row has an axis"), self.summary);
        let mut row: Vec<&str> = self.words.by_ref().take(head.len()).map(String::as_str).collect();
        if let Some(tail) = tail {
            row.push("...");
            row.extend(self.words.by_ref().take(tail.len()).map(String::as_str));
        }
        // The closing bracket has its place too.
        let width = width.saturating_sub(1);
        let mut column = indent;
        for (i, word) in row.into_iter().enumerate() {
            let length = word.chars().count();
            if column + length > width && column > indent {
                self.out.truncate(self.out.trim_end().len());
                self.out.push('\n');
                self.out.push_str(&" ".repeat(indent));
                column = indent;
            } else if i > 0 {
                self.out.push(' ');
            }
            self.out.push_str(word);
            column += length + 1;
        }
    }
}

/// The elements as words of one width.
fn words(dtype: DType, elements: &[Scalar], digits: Digits) -> Vec<String> {
    if dtype.is_float() {
        return FloatLayout::of(elements, digits).words(elements);
    }
    let words: Vec<String> = elements.iter().map(Scalar::to_string).collect();
    let width = words.iter().map(String::len).max().unwrap_or(0);
    words.into_iter().map(|word| format!("{word:>width$}")).collect()
}

/// A number on its own.
fn scalar(x: Scalar, digits: Digits) -> String {
    let magnitude = to_f64(x).abs();
    match digits {
        _ if !x.dtype.is_float() => x.to_string(),
        _ if !magnitude.is_finite() => special(x),
        Digits::Exactly(n) => positional(x, Digits::Exactly(n)),
        Digits::AtMost(_) if magnitude == 0.0 || (1e-4..1e16).contains(&magnitude) => {
            let text = positional(x, Digits::AtMost(usize::MAX));
            if text.ends_with('.') { text + "0" } else { text }
        }
        Digits::AtMost(_) => {
            let (mantissa, exponent) = scientific(x, Digits::AtMost(usize::MAX));
            format!("{}{}", mantissa.trim_end_matches('.'), exponent_text(exponent, 2))
        }
    }
}

/// How the floats of one array are written.
struct FloatLayout {
    digits: Digits,
    scientific: bool,
    /// Width up to the point.
    left: usize,
    /// Width of the digits after the point.
    right: usize,
    /// Digits of the exponent.
    exponent: usize,
}

impl FloatLayout {
    fn of(elements: &[Scalar], digits: Digits) -> Self {
        let finite: Vec<Scalar> = elements.iter().copied().filter(|&x| to_f64(x).is_finite()).collect();
        let sizes = || finite.iter().map(|&x| to_f64(x).abs()).filter(|&x| x > 0.0);
        let (max, min) = (sizes().fold(0.0, f64::max), sizes().fold(f64::INFINITY, f64::min));
        let scientific = max >= 1e8 || min < 1e-4 || max / min > 1e3;
        let mut layout = FloatLayout { digits, scientific, left: 0, right: 0, exponent: 2 };
        for &x in &finite {
            let text = if scientific {
                let (mantissa, exponent) = self::scientific(x, digits);
                layout.exponent = layout.exponent.max(exponent.unsigned_abs().to_string().len());
                mantissa
            } else {
                positional(x, digits)
            };
            let (left, right) = split(&text);
            layout.left = layout.left.max(left.len());
            layout.right = layout.right.max(right.len());
        }
        let tail = layout.width() - layout.left;
        for &x in elements.iter().filter(|&&x| !to_f64(x).is_finite()) {
            layout.left = layout.left.max(special(x).len().saturating_sub(tail));
        }
        layout
    }

    /// With the point, which a number of no digits after it has only where digits are not prescribed.
    fn width(&self) -> usize {
        let point = !matches!(self.digits, Digits::Exactly(0)) as usize;
        self.left + point + self.right + if self.scientific { 2 + self.exponent } else { 0 }
    }

    fn words(&self, elements: &[Scalar]) -> Vec<String> {
        elements.iter().map(|&x| self.word(x)).collect()
    }

    fn word(&self, x: Scalar) -> String {
        let width = self.width();
        if !to_f64(x).is_finite() {
            return format!("{:>width$}", special(x));
        }
        let right = self.right;
        let (text, exponent) = if self.scientific {
            let (mantissa, exponent) = scientific(x, self.digits);
            (mantissa, Some(exponent))
        } else {
            (positional(x, self.digits), None)
        };
        let (whole, fraction) = split(&text);
        let point = if text.contains('.') { "." } else { "" };
        let word = match exponent {
            Some(e) => format!("{whole}{point}{fraction:0<right$}{}", exponent_text(e, self.exponent)),
            None => format!("{whole}{point}{fraction:<right$}"),
        };
        format!("{word:>width$}")
    }
}

fn split(text: &str) -> (&str, &str) {
    text.split_once('.').unwrap_or((text, ""))
}

fn to_f64(x: Scalar) -> f64 {
    x.get::<f64>().or_else(|| single(x).map(f64::from)).unwrap_or(0.0)
}

/// An `f32` as it is; of a half the number of as few digits as tell it from others.
fn single(x: Scalar) -> Option<f32> {
    if x.dtype.is_half() { Some(x.to_string().parse().unwrap_or(f32::NAN)) } else { x.get::<f32>() }
}

fn special(x: Scalar) -> String {
    let x = to_f64(x);
    if x.is_nan() { "nan".to_owned() } else { x.to_string() }
}

/// `2.5`, `3.`: the fewest digits that read back as the same number, if they are not too many.
fn positional(x: Scalar, digits: Digits) -> String {
    let shortest = match single(x) {
        Some(x) => x.to_string(),
        None => to_f64(x).to_string(),
    };
    let fraction = split(&shortest).1.len();
    match digits {
        Digits::Exactly(n) => format!("{:.n$}", to_f64(x)),
        Digits::AtMost(n) if fraction > n => format!("{:.n$}", to_f64(x)).trim_end_matches('0').to_owned(),
        Digits::AtMost(_) if fraction == 0 => shortest + ".",
        Digits::AtMost(_) => shortest,
    }
}

/// The same with one digit before the point, and the exponent.
fn scientific(x: Scalar, digits: Digits) -> (String, i32) {
    let shortest = match single(x) {
        Some(x) => format!("{x:e}"),
        None => format!("{:e}", to_f64(x)),
    };
    let fraction = shortest.split_once('e').map_or(0, |(mantissa, _)| split(mantissa).1.len());
    let (text, trim) = match digits {
        Digits::Exactly(n) => (format!("{:.n$e}", to_f64(x)), false),
        Digits::AtMost(n) if fraction > n => (format!("{:.n$e}", to_f64(x)), true),
        Digits::AtMost(_) => (shortest, true),
    };
    let (mantissa, exponent) = text.split_once('e').expect("scientific notation has an exponent");
    let exponent = exponent.parse().expect("an exponent is an integer");
    match (trim, mantissa.contains('.')) {
        (true, true) => (mantissa.trim_end_matches('0').to_owned(), exponent),
        (true, false) => (format!("{mantissa}."), exponent),
        (false, _) => (mantissa.to_owned(), exponent),
    }
}

fn exponent_text(exponent: i32, digits: usize) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:0>digits$}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use crate::array::arange;
    use crate::{Array, array};

    /// What `print` of NumPy 2.4.6 writes.
    #[test]
    fn numpy_prints_the_same() {
        let cases = [
            (Array::from(7.0), "7.0"),
            (Array::from(1e16), "1e+16"),
            (Array::from(1e-05), "1e-05"),
            (Array::from(0.1f32), "0.1"),
            (Array::from(0.1), "0.1"),
            (Array::from(123456789.125), "123456789.125"),
            (Array::from(-0.0), "-0.0"),
            (Array::from(1000000000000000.0), "1000000000000000.0"),
            (Array::from(0.3333333333333333), "0.3333333333333333"),
            (Array::from(3), "3"),
            (Array::from(3.3333333333333335e-11), "3.3333333333333335e-11"),
            (Array::from(1e20f32), "1e+20"),
            (array![1.0, 2.5, 3.0], "[1.  2.5 3. ]"),
            (array![[1.0, 2.0], [3.0, 4.0]], "[[1. 2.]\n [3. 4.]]"),
            (array![0.3333333333333333, 0.6666666666666666], "[0.33333333 0.66666667]"),
            (array![0.33333334f32, 0.6666667f32], "[0.33333334 0.6666667 ]"),
            (array![10000000000.0, 1.0], "[1.e+10 1.e+00]"),
            (array![1e-05, 1.0], "[1.e-05 1.e+00]"),
            (array![0.001, 1.5], "[1.0e-03 1.5e+00]"),
            (array![f64::NAN, 1.0], "[nan  1.]"),
            (array![f64::NAN, f64::INFINITY, f64::NEG_INFINITY], "[ nan  inf -inf]"),
            (array![f64::NEG_INFINITY, 1.25], "[-inf 1.25]"),
            (array![1e-300, 1e300, 0.0], "[1.e-300 1.e+300 0.e+000]"),
            (array![-1.5, 22.25], "[-1.5  22.25]"),
            (array![100000000.0, 200000000.0], "[1.e+08 2.e+08]"),
            (array![99999999.0], "[99999999.]"),
            (array![0.00011, 0.1], "[0.00011 0.1    ]"),
            (array![100000.0, f64::NAN, 1e-05, f64::NEG_INFINITY], "[1.e+05    nan 1.e-05   -inf]"),
            (array![[[1, 2], [3, 4]], [[5, 6], [7, -8]]], "[[[ 1  2]\n  [ 3  4]]\n\n [[ 5  6]\n  [ 7 -8]]]"),
            (array![[[1.5]]], "[[[1.5]]]"),
            (array![1.123456789123, 2.0], "[1.12345679 2.        ]"),
            (array![16777216.0f32, 1.0f32], "[1.6777216e+07 1.0000000e+00]"),
            (array![1e-08, 1e-09], "[1.e-08 1.e-09]"),
            (array![0.0, 0.0], "[0. 0.]"),
            (array![-0.0, 0.5], "[-0.   0.5]"),
            (array![1.999999999], "[2.]"),
            (array![100000000.12345679], "[1.e+08]"),
            (array![1.123456789e-07], "[1.12345679e-07]"),
            (array![9999999999.9], "[1.e+10]"),
        ];
        for (x, expected) in cases {
            assert_eq!(x.to_string(), expected);
        }
    }

    /// Long arrays: broken lines, summaries.
    #[test]
    fn numpy_lays_out_the_same() {
        let cases = [
            (arange(0, 1001, 1), "[   0    1    2 ...  998  999 1000]"),
            (
                arange(0, 40, 1),
                "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39]",
            ),
            (
                arange(0.0, 30.0, 0.5),
                "[ 0.   0.5  1.   1.5  2.   2.5  3.   3.5  4.   4.5  5.   5.5  6.   6.5\n  7.   7.5  8.   8.5  9.   9.5 10.  10.5 11.  11.5 12.  12.5 13.  13.5\n 14.  14.5 15.  15.5 16.  16.5 17.  17.5 18.  18.5 19.  19.5 20.  20.5\n 21.  21.5 22.  22.5 23.  23.5 24.  24.5 25.  25.5 26.  26.5 27.  27.5\n 28.  28.5 29.  29.5]",
            ),
            (
                arange(0, 2000, 1).reshape((2, 1000)),
                "[[   0    1    2 ...  997  998  999]\n [1000 1001 1002 ... 1997 1998 1999]]",
            ),
            (
                arange(0, 60, 1).reshape((2, 30)),
                "[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n  24 25 26 27 28 29]\n [30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53\n  54 55 56 57 58 59]]",
            ),
            (
                arange(0, 100000, 1).reshape((2, 2, 25000)),
                "[[[    0     1     2 ... 24997 24998 24999]\n  [25000 25001 25002 ... 49997 49998 49999]]\n\n [[50000 50001 50002 ... 74997 74998 74999]\n  [75000 75001 75002 ... 99997 99998 99999]]]",
            ),
        ];
        for (x, expected) in cases {
            assert_eq!(x.to_string(), expected);
        }
    }

    /// NumPy's `array2string(x, precision=p, floatmode='fixed')`.
    #[test]
    fn a_precision_is_a_number_of_digits() {
        let cases = [
            (array![1.0, 2.5, 3.0], 3, "[1.000 2.500 3.000]"),
            (array![1.23456, 1000000000.0], 2, "[1.23e+00 1.00e+09]"),
            (array![f64::NAN, 2.5], 1, "[nan 2.5]"),
            (array![[0.125]], 2, "[[0.12]]"),
        ];
        for (x, precision, expected) in cases {
            assert_eq!(format!("{x:.precision$}"), expected);
        }
        assert_eq!(format!("{:.0}", array![1.5, 2.5]), "[2 2]");
        assert_eq!(format!("{:.2}", Array::from(0.125)), "0.12");
        assert_eq!(format!("{:.2}", array![7]), "[7]");
    }

    #[test]
    fn every_number_of_a_dtype() {
        assert_eq!(array![u64::MAX, 0].to_string(), "[18446744073709551615                    0]");
        assert_eq!(Array::from(i64::MIN).to_string(), "-9223372036854775808");
        assert_eq!(array![true, false].to_string(), "[ true false]");
        assert_eq!(array![f64::MAX, f64::MIN_POSITIVE].to_string(), "[1.79769313e+308 2.22507386e-308]");
        assert_eq!(array![f32::MAX].to_string(), "[3.4028235e+38]");
        assert_eq!(Array::from(5e-324).to_string(), "5e-324");
        assert_eq!(Array::from_slice::<f64>(&[0, 3], &[]).to_string(), "[]");
    }

    #[test]
    fn debug_has_type_and_all_digits() {
        assert_eq!(format!("{:?}", Array::from(7.0)), "Array(f64[], 7.0)");
        assert_eq!(format!("{:?}", array![1.0 / 3.0]), "Array(f64[1], [0.3333333333333333])");
        let expected = "Array(i32[2,2], [[1 2]\n                 [3 4]])";
        assert_eq!(format!("{:?}", array![[1, 2], [3, 4]]), expected);
    }

    #[test]
    fn a_traced_array_prints_its_type() {
        use crate::trace::{Surroundings, trace_with};
        trace_with(&[array![1.0].ty()], 0, Surroundings::Inherit, |x| {
            assert_eq!(x[0].to_string(), "traced f64[1]");
            assert_eq!(format!("{:?}", x[0]), "Array(traced f64[1])");
            x
        });
    }
}
