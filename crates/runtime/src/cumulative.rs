//! `cumulative` and `recurrence`: what goes along an axis from element to element, in time linear in its length.
//!
//! Parts are `[n, inner]`; the order is that of the elements, so that results are the same in every engine.

use crate::entry::Entry;
use crate::parts::{Parts, dtype_of, entry_of, size};
use std::marker::PhantomData;
use wengert_kernel::scalar::binary_fn;
use wengert_kernel::{Binary, DType, Element, with_element};

pub(crate) fn entry(name: &str) -> Option<Entry> {
    if let Some(dtype) = dtype_of(name, "recurrence") {
        return numbers(dtype).then(|| with_element!(dtype, T => entry_of::<Recurrence<T>>()));
    }
    let ops = [("cumsum", Binary::Add), ("cumprod", Binary::Mul), ("cummax", Binary::Max), ("cummin", Binary::Min)];
    let (op, dtype) = ops.into_iter().find_map(|(function, op)| Some((op, dtype_of(name, function)?)))?;
    let entry = |op| {
        with_element!(dtype, T => match op {
            Binary::Add => entry_of::<Cumulative<T, 0>>(),
            Binary::Mul => entry_of::<Cumulative<T, 1>>(),
            Binary::Max => entry_of::<Cumulative<T, 2>>(),
            _ => entry_of::<Cumulative<T, 3>>(),
        })
    };
    numbers(dtype).then(|| entry(op))
}

fn numbers(dtype: DType) -> bool {
    dtype != DType::Bool
}

/// The operation known to the compiler as a constant, so that it is inlined.
struct Cumulative<T, const OP: u8>(PhantomData<T>);

impl<T: Element, const OP: u8> Parts for Cumulative<T, OP> {
    const INTS: usize = 4;
    const EACH: f64 = 1.0;
    type Input = T;
    type Output = T;

    fn extents(ints: &[i64]) -> Option<(Vec<usize>, usize)> {
        let all = elements(ints[0], ints[2], ints[3])?;
        Some((vec![all], all))
    }

    fn run(ints: &[i64], inputs: &[&[T]], output: &mut [T]) {
        let op = [Binary::Add, Binary::Mul, Binary::Max, Binary::Min][OP as usize];
        let combine = binary_fn::<T>(op).expect("it is one of numbers");
        let (reverse, n, inner) = (ints[1] != 0, ints[2] as usize, ints[3] as usize);
        steps(reverse, n, inner, output, |i, before| match before {
            None => inputs[0][i],
            Some(before) => combine(before, inputs[0][i]),
        });
    }
}

struct Recurrence<T>(PhantomData<T>);

impl<T: Element> Parts for Recurrence<T> {
    const INTS: usize = 6;
    const EACH: f64 = 1.0;
    type Input = T;
    type Output = T;

    fn extents(ints: &[i64]) -> Option<(Vec<usize>, usize)> {
        let all = elements(ints[0], ints[2], ints[3])?;
        (ints[2..4] == ints[4..6]).then_some((vec![all; 2], all))
    }

    fn run(ints: &[i64], inputs: &[&[T]], output: &mut [T]) {
        let [add, mul] = [Binary::Add, Binary::Mul].map(|op| binary_fn::<T>(op).expect("it is one of numbers"));
        let (reverse, n, inner) = (ints[1] != 0, ints[2] as usize, ints[3] as usize);
        steps(reverse, n, inner, output, |i, before| match before {
            None => inputs[1][i],
            Some(before) => add(mul(inputs[0][i], before), inputs[1][i]),
        });
    }
}

fn elements(parts: i64, n: i64, inner: i64) -> Option<usize> {
    size(parts)?.checked_mul(size(n)?)?.checked_mul(size(inner)?)
}

/// Element after element along the axis of length `n`: each from its number and the result before it.
#[inline(always)]
fn steps<T: Copy>(reverse: bool, n: usize, inner: usize, output: &mut [T], step: impl Fn(usize, Option<T>) -> T) {
    if n * inner == 0 {
        return;
    }
    for (part, y) in output.chunks_exact_mut(n * inner).enumerate() {
        let start = part * n * inner;
        let first = if reverse { n - 1 } else { 0 };
        let row = first * inner..(first + 1) * inner;
        y[row.clone()].iter_mut().zip(row).for_each(|(y, k)| *y = step(start + k, None));
        if inner == 1 {
            let mut before = y[first];
            let mut next = |i: usize, y: &mut T| {
                before = step(start + i, Some(before));
                *y = before;
            };
            if reverse {
                y[..first].iter_mut().enumerate().rev().for_each(|(i, y)| next(i, y));
            } else {
                y.iter_mut().enumerate().skip(1).for_each(|(i, y)| next(i, y));
            }
            continue;
        }
        for row in 1..n {
            let (row, before) = if reverse { (n - 1 - row, n - row) } else { (row, row - 1) };
            for k in 0..inner {
                y[row * inner + k] = step(start + row * inner + k, Some(y[before * inner + k]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn along_rows_and_columns_in_both_directions() {
        let x = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let sum = |ints: [i64; 4]| {
            let mut y = [0; 12];
            Cumulative::<i32, 0>::run(&ints, &[&x], &mut y);
            y
        };
        assert_eq!(sum([2, 0, 6, 1]), [1, 3, 6, 10, 15, 21, 7, 15, 24, 34, 45, 57]);
        assert_eq!(sum([2, 1, 6, 1]), [21, 20, 18, 15, 11, 6, 57, 50, 42, 33, 23, 12]);
        assert_eq!(sum([2, 0, 3, 2]), [1, 2, 4, 6, 9, 12, 7, 8, 16, 18, 27, 30]);
        assert_eq!(sum([2, 1, 3, 2]), [9, 12, 8, 10, 5, 6, 27, 30, 20, 22, 11, 12]);
    }

    #[test]
    fn recurrences() {
        let (a, b) = ([9.0, 2.0, 3.0], [1.0, 10.0, 100.0]);
        let mut y = [0.0; 3];
        Recurrence::<f64>::run(&[1, 0, 3, 1, 3, 1], &[&a, &b], &mut y);
        assert_eq!(y, [1.0, 12.0, 136.0]);
        Recurrence::<f64>::run(&[1, 1, 3, 1, 3, 1], &[&a, &b], &mut y);
        assert_eq!(y, [1891.0, 210.0, 100.0]);
    }
}
