//! `einsum`: sums of products that are written by naming axes.

use super::products::{Some4, product};
use crate::array::Array;
use crate::ops::concatenate;
use crate::promote_types;
use crate::refusal::refuse;
use crate::source::called;
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Operands up to this number are multiplied in the best order; more in that of the cheapest next product.
const FEW: usize = 4;

/// The name of an axis: a letter, or an axis of an ellipsis counted from its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

/// An operand and the names of its axes.
#[derive(Clone)]
struct Part {
    array: Array,
    labels: Vec<Label>,
}

/// Sums of products by Einstein's convention, as NumPy's `einsum`: one letter for each axis of each operand, commas between
/// operands, `->` and the axes of the result. Axes that are not in the result are summed over. A letter that stands twice in
/// one operand means its diagonal; `...` stands for axes without letters, which broadcast; without `->` the result has the
/// letters that stand once, in the order of the alphabet. dtypes promote.
///
/// Several operands are multiplied two by two: up to four in the order that takes the fewest multiplications, more in that
/// of the cheapest next product.
///
/// # Panics
/// When the letters do not fit the operands.
///
/// ```
/// use wengert_core::{array, functions::einsum};
///
/// let (x, y) = (array![[1.0, 2.0], [3.0, 4.0]], array![[1.0, 0.0], [1.0, 1.0]]);
/// assert_eq!(einsum("ij,jk->ik", &[&x, &y]), x.dot(&y));
/// assert_eq!(einsum("ii", &[&x]), array![5.0].at(0));
/// assert_eq!(einsum("...i->...", &[&x]), array![3.0, 7.0]);
/// ```
#[track_caller]
pub fn einsum(subscripts: &str, operands: &[impl Borrow<Array>]) -> Array {
    let _called = called("einsum");
    let operands: Vec<&Array> = operands.iter().map(|x| x.borrow()).collect();
    let (mut parts, output) = match parse(subscripts, &operands) {
        Ok(parsed) => parsed,
        Err(why) => refuse(format!("`{subscripts}`: {why}"), &operands),
    };
    let mut lengths: BTreeMap<Label, usize> = BTreeMap::new();
    for part in &parts {
        for (&label, n) in part.labels.iter().zip(part.array.shape()) {
            let known = lengths.entry(label).or_insert(n);
            match (*known, n) {
                (1, n) => *known = n,
                (m, n) if m == n || n == 1 => {}
                (m, n) => refuse(format!("`{subscripts}`: {} has lengths {m} and {n}", named(label)), &operands),
            }
        }
    }
    let dtype = operands.iter().map(|x| x.dtype()).reduce(promote_types).expect("there is an operand");
    for part in &mut parts {
        part.array = part.array.convert(dtype);
        diagonals(part);
        // An axis of length 1 that others are longer along is repeated: as a factor it is no axis.
        while let Some(axis) =
            (0..part.labels.len()).find(|&a| part.array.shape()[a] == 1 && lengths[&part.labels[a]] != 1)
        {
            part.array = part.array.squeeze(axis);
            part.labels.remove(axis);
        }
    }
    while parts.len() > 1 {
        let (i, j) = next_pair(&parts, &output, &lengths);
        let right = parts.remove(j);
        let left = parts.remove(i);
        let others: Vec<Label> = parts.iter().flat_map(|p| p.labels.iter().copied()).chain(output.clone()).collect();
        parts.push(multiplied(left, right, &others));
    }
    let mut last = parts.remove(0);
    reduced(&mut last, &output);
    let order: Vec<usize> =
        output.iter().filter_map(|label| last.labels.iter().position(|other| other == label)).collect();
    let mut result = last.array.permute(order);
    // What was left out as repeated comes back.
    for (axis, label) in output.iter().enumerate() {
        if !last.labels.contains(label) {
            result = concatenate(&vec![result.expand_dims(axis); lengths[label]], axis);
        }
    }
    result
}

fn named(label: Label) -> String {
    match label {
        Label::Letter(c) => format!("axis `{c}`"),
        Label::Ellipsis(_) => "an axis of `...`".into(),
    }
}

/// The operands with their labels, and the labels of the result.
fn parse(subscripts: &str, operands: &[&Array]) -> Result<(Vec<Part>, Vec<Label>), String> {
    let text: String = subscripts.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = match text.split_once("->") {
        Some((inputs, output)) => (inputs, Some(output)),
        None => (&text[..], None),
    };
    let inputs: Vec<&str> = inputs.split(',').collect();
    if inputs.len() != operands.len() {
        return Err(format!("it names the axes of {} operands, and there are {}", inputs.len(), operands.len()));
    }
    let mut parts = Vec::new();
    for (input, x) in inputs.iter().zip(operands) {
        let letters = input.replacen("...", "", 1).chars().count();
        let extra = x.rank().checked_sub(letters).filter(|&n| n == 0 || input.contains("..."));
        let wrong = || format!("`{input}` does not name the {} axes of {}", x.rank(), x.ty());
        let labels = labels_of(input, extra.ok_or_else(wrong)?)?;
        parts.push(Part { array: (*x).clone(), labels });
    }
    let all: Vec<Label> = parts.iter().flat_map(|p| p.labels.iter().copied()).collect();
    let ellipsis = all.iter().filter_map(|l| if let Label::Ellipsis(k) = l { Some(k + 1) } else { None }).max();
    let output = match output {
        Some(output) => labels_of(output, ellipsis.unwrap_or(0))?,
        None => {
            let mut once: Vec<Label> = all.iter().copied().filter(|l| matches!(l, Label::Letter(_))).collect();
            once.retain(|l| all.iter().filter(|other| *other == l).count() == 1);
            once.sort();
            (0..ellipsis.unwrap_or(0)).rev().map(Label::Ellipsis).chain(once).collect()
        }
    };
    for (i, label) in output.iter().enumerate() {
        if output[..i].contains(label) {
            return Err(format!("{} stands twice in the result", named(*label)));
        }
        if !all.contains(label) {
            return Err(format!("{} of the result is in no operand", named(*label)));
        }
    }
    Ok((parts, output))
}

/// The labels of one operand or result, where `...` is so many axes.
fn labels_of(text: &str, extra: usize) -> Result<Vec<Label>, String> {
    let mut labels = Vec::new();
    let mut rest = text;
    let mut seen = false;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("...").filter(|_| !seen) {
            labels.extend((0..extra).rev().map(Label::Ellipsis));
            (rest, seen) = (after, true);
        } else if c.is_alphabetic() {
            labels.push(Label::Letter(c));
            rest = &rest[c.len_utf8()..];
        } else {
            return Err(format!(
                "`{c}` is no letter; an operand is letters and one `...`, operands are parted by commas"
            ));
        }
    }
    Ok(labels)
}

/// Takes the diagonal of labels that stand twice.
#[track_caller]
fn diagonals(part: &mut Part) {
    while let Some((i, j)) = twice(&part.labels) {
        part.array = part.array.diagonal(0, i, j);
        let label = part.labels[i];
        part.labels.remove(j);
        part.labels.remove(i);
        part.labels.push(label);
    }
}

fn twice(labels: &[Label]) -> Option<(usize, usize)> {
    let second = |i: usize| (i + 1..labels.len()).find(|&j| labels[i] == labels[j]).map(|j| (i, j));
    (0..labels.len()).find_map(second)
}

/// Sums over the axes that nothing else has.
#[track_caller]
fn reduced(part: &mut Part, others: &[Label]) {
    let gone: Vec<usize> = (0..part.labels.len()).filter(|&a| !others.contains(&part.labels[a])).collect();
    if !gone.is_empty() {
        // The sum keeps the dtype, as a product does.
        let dtype = part.array.dtype();
        part.array = part.array.sum_axis(&gone).convert(dtype);
        part.labels.retain(|label| others.contains(label));
    }
}

/// The product of two, summed over what only they have.
#[track_caller]
fn multiplied(mut left: Part, mut right: Part, others: &[Label]) -> Part {
    let with = |labels: &[Label]| [others, labels].concat();
    reduced(&mut left, &with(&right.labels));
    reduced(&mut right, &with(&left.labels));
    let mut summed: [Some4; 2] = Default::default();
    let mut lanes: [Some4; 2] = Default::default();
    let mut labels = Vec::new();
    for (i, label) in left.labels.iter().enumerate() {
        if let Some(j) = right.labels.iter().position(|other| other == label) {
            let shared = others.contains(label);
            let to = if shared { &mut lanes } else { &mut summed };
            to[0].push(i);
            to[1].push(j);
            labels.extend(shared.then_some(*label));
        }
    }
    labels.extend(left.labels.iter().filter(|label| !right.labels.contains(label)));
    labels.extend(right.labels.iter().filter(|label| !left.labels.contains(label)));
    Part { array: product(&left.array, &right.array, &summed, &lanes), labels }
}

/// Which two to multiply next.
fn next_pair(parts: &[Part], output: &[Label], lengths: &BTreeMap<Label, usize>) -> (usize, usize) {
    let labels: Vec<Vec<Label>> = parts.iter().map(|p| p.labels.clone()).collect();
    best(&labels, output, lengths, parts.len() <= FEW).1
}

/// The multiplications of the best order (or those of the cheapest next product), and the pair it begins with.
fn best(
    parts: &[Vec<Label>],
    output: &[Label],
    lengths: &BTreeMap<Label, usize>,
    to_the_end: bool,
) -> (f64, (usize, usize)) {
    let mut found = (f64::INFINITY, (0, 1));
    for j in 1..parts.len() {
        for i in 0..j {
            let mut union = parts[i].clone();
            union.extend(parts[j].iter().filter(|label| !parts[i].contains(label)));
            let mut cost: f64 = union.iter().map(|label| lengths[label] as f64).product();
            if to_the_end && parts.len() > 2 {
                let mut rest: Vec<Vec<Label>> =
                    (0..parts.len()).filter(|&k| k != i && k != j).map(|k| parts[k].clone()).collect();
                union.retain(|label| output.contains(label) || rest.iter().any(|part| part.contains(label)));
                rest.push(union);
                cost += best(&rest, output, lengths, true).0;
            }
            if cost < found.0 {
                found = (cost, (i, j));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;
    use wengert_kernel::DType;

    fn numbers(shape: &[usize]) -> Array {
        let n = shape.iter().product::<usize>();
        (Array::iota(DType::F64, &[n], 0) * 0.7).sin().reshape(shape.to_vec())
    }

    /// By the definition: a loop over all labels.
    fn plain(subscripts: &str, operands: &[&Array]) -> Vec<f64> {
        let (parts, output) = parse(subscripts, operands).unwrap();
        let mut lengths: BTreeMap<Label, usize> = BTreeMap::new();
        for part in &parts {
            for (&label, n) in part.labels.iter().zip(part.array.shape()) {
                let known = lengths.entry(label).or_insert(n);
                *known = (*known).max(n);
            }
        }
        let all: Vec<Label> = lengths.keys().copied().collect();
        let total: usize = lengths.values().product();
        let mut result = vec![0.0; output.iter().map(|label| lengths[label]).product()];
        let data: Vec<Vec<f64>> = parts.iter().map(|p| p.array.to_vec::<f64>().unwrap()).collect();
        for k in 0..total {
            let mut rest = k;
            let mut index = BTreeMap::new();
            for label in &all {
                index.insert(*label, rest % lengths[label]);
                rest /= lengths[label];
            }
            let place = |labels: &[Label], shape: &[usize]| {
                labels.iter().zip(shape).fold(0, |at, (label, &n)| at * n + if n == 1 { 0 } else { index[label] })
            };
            let factors = parts.iter().zip(&data).map(|(p, data)| data[place(&p.labels, &p.array.shape())]);
            let shape: Vec<usize> = output.iter().map(|label| lengths[label]).collect();
            result[place(&output, &shape)] += factors.product::<f64>();
        }
        result
    }

    #[test]
    fn agrees_with_its_definition() {
        let cases: [(&str, &[&[usize]]); 17] = [
            ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
            ("ij,jk", &[&[2, 3], &[3, 4]]),
            ("ba", &[&[2, 3]]),
            ("ii->i", &[&[3, 3]]),
            ("iij,jj->j", &[&[3, 3, 2], &[2, 2]]),
            ("i,j->ij", &[&[2], &[3]]),
            ("i,i->", &[&[4], &[4]]),
            ("i,i->i", &[&[4], &[4]]),
            ("ijk->ki", &[&[2, 3, 4]]),
            ("bij,bjk->bik", &[&[2, 3, 4], &[2, 4, 2]]),
            ("...ij,...jk->...ik", &[&[5, 1, 3, 4], &[2, 4, 2]]),
            ("i...,i", &[&[3, 2], &[3]]),
            ("ij,jk,kl->il", &[&[2, 3], &[3, 4], &[4, 2]]),
            ("ab,bc,cd,de,ea->", &[&[2, 3], &[3, 2], &[2, 3], &[3, 2], &[2, 2]]),
            ("ij,kj->ik", &[&[2, 1], &[3, 4]]),
            ("abc,bd,cd->ad", &[&[2, 3, 4], &[3, 5], &[4, 5]]),
            ("ij->", &[&[0, 3]]),
        ];
        for (subscripts, shapes) in cases {
            let operands: Vec<Array> = shapes.iter().map(|shape| numbers(shape)).collect();
            let operands: Vec<&Array> = operands.iter().collect();
            let found = einsum(subscripts, &operands).to_vec::<f64>().unwrap();
            let wanted = plain(subscripts, &operands);
            assert_eq!(found.len(), wanted.len(), "{subscripts}");
            for (found, wanted) in found.iter().zip(&wanted) {
                assert!((found - wanted).abs() < 1e-12, "{subscripts}: {found}, {wanted}");
            }
        }
        assert_eq!(einsum("ij->j", &[Array::from([[1i32], [2]])]).dtype(), DType::I32);
    }

    #[test]
    fn the_best_order_is_found() {
        let labels = |text: &str| labels_of(text, 0).unwrap();
        let lengths = BTreeMap::from([('i', 2), ('j', 100), ('k', 100), ('l', 2)].map(|(c, n)| (Label::Letter(c), n)));
        // (a (b c)) multiplies 100 100 2 + 2 100 2 times.
        let (cost, pair) = best(&[labels("kj"), labels("ij"), labels("kl")], &labels("il"), &lengths, true);
        assert_eq!(cost, 20_400.0);
        assert!(pair == (0, 1) || pair == (0, 2));
    }

    #[test]
    fn refusals() {
        let x = numbers(&[2, 3]);
        let error = |text: &str| door(|| einsum(text, &[&x])).unwrap_err().message;
        assert!(error("ijk").contains("`ijk` does not name the 2 axes of f64[2,3]"), "{}", error("ijk"));
        assert!(error("ii").contains("axis `i` has lengths 2 and 3"));
        assert!(error("ij->k").contains("axis `k` of the result is in no operand"));
        assert!(error("ij->ii").contains("stands twice"));
        assert!(error("i1").contains("`1` is no letter"));
        assert!(error("i,j").contains("axes of 2 operands"));
    }
}
