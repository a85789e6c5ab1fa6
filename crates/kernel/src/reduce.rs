//! The order of reductions. Floats do not add associatively, so the order is part of the language: the reference
//! evaluation and the interpreter of routines call these functions, machine code restates them.
//!
//! **Last axis** (the elements of one result lie side by side, or come one by one from a [`Pass`]), [`fold_last`]:
//! 1. Elements are cut into blocks of [`BLOCK`], the last one shorter.
//! 2. Within a block there are `lanes = LANE_BYTES / size` accumulators (32 of `f32`, 16 of `f64`), each starting at
//!    the identity. Element `i` of the block goes to lane `i % lanes`, in order: `acc = op(acc, element)`.
//! 3. A block ends with a tree: for `half` = lanes/2, lanes/4, .., 1: `acc[j] = op(acc[j], acc[j + half])` for all
//!    `j < half`. `acc[0]` is the block's result. Lanes that saw no element take part with the identity.
//! 4. Blocks are combined in pairs, pairs in pairs, and so on, like a binary counter. After block `b` (from 0) with
//!    result `r`: `level = 0`; while bit `level` of `b` is 1, `r = op(stack[level], r)` and `level += 1`; then
//!    `stack[level] = r`. At the end the results left are combined from the lowest level upwards:
//!    `r = op(stack[higher], r)`.
//!
//! **Any other axis** (rows of vectors, reduced to one row); [`fold_rows`]: rows in sequence, `acc = op(acc, row)`
//! element by element, from the identity, in blocks of [`ROW_BLOCK`] rows; blocks as above.
//!
//! A reduction of nothing is the identity. `op` is [`Binary`]'s: `Max` and `Min` keep NaN.
//!
//! Lanes hide latency and fill vector registers of any width up to 1024 bits; pairs of blocks keep the error at
//! O(log n). With one accumulator, 2^25 ones in `f32` would sum to 2^24.
//!
//! [`Pass`]: crate::routine::Stmt::Pass

use crate::dtype::{DType, Element, Scalar};
use crate::scalar::Binary;

/// Bytes of the accumulators of one block.
///
/// ```
/// assert_eq!(wengert_kernel::reduce::LANE_BYTES, 2 * 512 / 8, "two registers of AVX-512");
/// ```
pub const LANE_BYTES: usize = 128;

/// Elements of a block along the last axis.
///
/// ```
/// use wengert_kernel::reduce::{BLOCK, fold_last};
///
/// let mut data = vec![0f32; BLOCK + 2];
/// (data[0], data[BLOCK], data[BLOCK + 1]) = (1e8, 3.0, 3.0);
/// // 1e8 + 3.0 is 1e8; but the elements of the second block are added first.
/// assert_eq!(fold_last(&data, 0.0, |x, y| x + y), 100_000_008.0);
/// ```
pub const BLOCK: usize = 4096;

/// Rows of a block along another axis.
///
/// ```
/// use wengert_kernel::reduce::{ROW_BLOCK, fold_rows};
///
/// let mut column = vec![0f32; ROW_BLOCK + 2];
/// (column[0], column[ROW_BLOCK], column[ROW_BLOCK + 1]) = (1e8, 3.0, 3.0);
/// assert_eq!(fold_rows(&column, 1, 0.0, |x, y| x + y), [100_000_008.0]);
/// ```
pub const ROW_BLOCK: usize = 256;

/// Accumulators of one block for elements of a dtype.
///
/// ```
/// use wengert_kernel::{DType, reduce::lanes};
///
/// assert_eq!((lanes(DType::F32), lanes(DType::F64)), (32, 16));
/// ```
pub const fn lanes(dtype: DType) -> usize {
    LANE_BYTES / dtype.size()
}

/// Whether elements of `dtype` can be reduced by `op`. Halves cannot: their `f32` values are, before the result is rounded.
///
/// ```
/// use wengert_kernel::{Binary, DType, reduce::is_reduction};
///
/// assert!(is_reduction(Binary::Add, DType::F32) && !is_reduction(Binary::Sub, DType::F32));
/// assert!(is_reduction(Binary::And, DType::Bool) && !is_reduction(Binary::Add, DType::Bool));
/// ```
pub const fn is_reduction(op: Binary, dtype: DType) -> bool {
    match op {
        Binary::Add | Binary::Mul | Binary::Max | Binary::Min => !matches!(dtype, DType::Bool) && !dtype.is_half(),
        Binary::And | Binary::Or => !dtype.is_float(),
        _ => false,
    }
}

/// The value that leaves others as they are, the result of reducing nothing: 0, 1, the least, the greatest, all ones,
/// no ones for `Add`, `Mul`, `Max`, `Min`, `And`, `Or`. (A sum of -0 alone is 0.)
///
/// # Panics
/// When there is no such reduction; see [`is_reduction`].
///
/// ```
/// use wengert_kernel::{Binary, DType, Scalar, reduce};
/// assert_eq!(reduce::identity(Binary::Max, DType::F32), Scalar::new(f32::NEG_INFINITY));
/// ```
pub fn identity(op: Binary, dtype: DType) -> Scalar {
    assert!(is_reduction(op, dtype), "no reduction of {dtype} by {op}");
    match op {
        Binary::Add | Binary::Or => Scalar::zero(dtype),
        Binary::Mul => Scalar::one(dtype),
        Binary::And => all_ones(dtype),
        Binary::Max => least(dtype),
        _ => greatest(dtype),
    }
}

fn all_ones(dtype: DType) -> Scalar {
    let bits = if dtype == DType::Bool { 1 } else { u64::MAX >> (64 - 8 * dtype.size()) };
    Scalar { dtype, bits }
}

fn least(dtype: DType) -> Scalar {
    match dtype {
        DType::F32 => Scalar::new(f32::NEG_INFINITY),
        DType::F64 => Scalar::new(f64::NEG_INFINITY),
        DType::I32 => Scalar::new(i32::MIN),
        DType::I64 => Scalar::new(i64::MIN),
        DType::Bool | DType::U8 | DType::U32 | DType::U64 => Scalar::zero(dtype),
        DType::F16 | DType::BF16 | DType::C64 | DType::C128 => unreachable!("is_reduction says no"),
    }
}

fn greatest(dtype: DType) -> Scalar {
    match dtype {
        DType::F32 => Scalar::new(f32::INFINITY),
        DType::F64 => Scalar::new(f64::INFINITY),
        DType::I32 => Scalar::new(i32::MAX),
        DType::I64 => Scalar::new(i64::MAX),
        DType::Bool | DType::U8 | DType::U32 | DType::U64 => all_ones(dtype),
        DType::F16 | DType::BF16 | DType::C64 | DType::C128 => unreachable!("is_reduction says no"),
    }
}

/// Reduces elements that lie side by side.
///
/// ```
/// use wengert_kernel::reduce::fold_last;
/// assert_eq!(fold_last(&[1.0, 2.0, 4.0], 0.0, |x, y| x + y), 7.0);
/// ```
pub fn fold_last<T: Element>(data: &[T], identity: T, op: impl Fn(T, T) -> T) -> T {
    let mut blocks = Pairwise::new();
    for block in data.chunks(BLOCK) {
        blocks.push(fold_block(block, identity, &op), &op);
    }
    blocks.finish(op).unwrap_or(identity)
}

/// Steps 2 and 3 of the order: at most [`BLOCK`] elements.
fn fold_block<T: Element>(block: &[T], identity: T, op: impl Fn(T, T) -> T) -> T {
    let lanes = lanes(T::DTYPE);
    let mut all = [identity; LANE_BYTES];
    let acc = &mut all[..lanes];
    for elements in block.chunks(lanes) {
        for (acc, &x) in acc.iter_mut().zip(elements) {
            *acc = op(*acc, x);
        }
    }
    let mut half = lanes / 2;
    while half > 0 {
        for j in 0..half {
            acc[j] = op(acc[j], acc[j + half]);
        }
        half /= 2;
    }
    acc[0]
}

/// Reduces rows of `width` elements, one after the other in `data`, to one row.
///
/// # Panics
/// When `data` is not whole rows.
///
/// ```
/// use wengert_kernel::reduce::fold_rows;
/// assert_eq!(fold_rows(&[1, 2, 3, 10, 20, 30], 3, 0, |x, y| x + y), [11, 22, 33]);
/// ```
pub fn fold_rows<T: Element>(data: &[T], width: usize, identity: T, op: impl Fn(T, T) -> T) -> Vec<T> {
    if width == 0 {
        assert!(data.is_empty(), "{} elements in rows of none", data.len());
        return Vec::new();
    }
    assert!(data.len().is_multiple_of(width), "{} elements are not whole rows of {width}", data.len());
    let onto = |acc: &mut [T], row: &[T]| acc.iter_mut().zip(row).for_each(|(acc, &x)| *acc = op(*acc, x));
    let pair = |mut left: Vec<T>, right: Vec<T>| {
        onto(&mut left, &right);
        left
    };
    let mut blocks = Pairwise::new();
    for block in data.chunks(width * ROW_BLOCK) {
        let mut acc = vec![identity; width];
        block.chunks(width).for_each(|row| onto(&mut acc, row));
        blocks.push(acc, pair);
    }
    blocks.finish(pair).unwrap_or_else(|| vec![identity; width])
}

/// Step 4 of the order. At most 64 results are kept at a time.
struct Pairwise<R> {
    /// Results of the levels that hold one, the highest level first.
    stack: Vec<R>,
    /// Blocks so far; its bits are the levels that hold a result.
    blocks: u64,
}

impl<R> Pairwise<R> {
    /// No block yet.
    fn new() -> Self {
        Pairwise { stack: Vec::new(), blocks: 0 }
    }

    /// The result of the next block.
    fn push(&mut self, mut result: R, op: impl Fn(R, R) -> R) {
        for _ in 0..self.blocks.trailing_ones() {
            let left = self.stack.pop().expect("one result for every bit of the count");
            result = op(left, result);
        }
        self.stack.push(result);
        self.blocks += 1;
    }

    /// All blocks combined; `None` when there was none.
    fn finish(mut self, op: impl Fn(R, R) -> R) -> Option<R> {
        let mut result = self.stack.pop()?;
        while let Some(left) = self.stack.pop() {
            result = op(left, result);
        }
        Some(result)
    }
}

/// [`fold_last`] of elements that come one by one.
pub(crate) struct Stream<T> {
    identity: T,
    op: fn(T, T) -> T,
    /// Elements of the block not yet full.
    block: Vec<T>,
    blocks: Pairwise<T>,
}

impl<T: Element> Stream<T> {
    /// No element yet.
    pub(crate) fn new(identity: T, op: fn(T, T) -> T) -> Self {
        Stream { identity, op, block: Vec::new(), blocks: Pairwise::new() }
    }

    /// The next element.
    pub(crate) fn push(&mut self, element: T) {
        self.block.push(element);
        if self.block.len() == BLOCK {
            self.end_block();
        }
    }

    /// The reduction of all elements.
    pub(crate) fn finish(mut self) -> T {
        if !self.block.is_empty() {
            self.end_block();
        }
        self.blocks.finish(self.op).unwrap_or(self.identity)
    }

    fn end_block(&mut self) {
        self.blocks.push(fold_block(&self.block, self.identity, self.op), self.op);
        self.block.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::{ScalarOp, binary_fn};

    /// Writes down what is combined with what: the order itself, not one effect of it.
    fn naive_last(n: usize, lanes: usize) -> String {
        if n == 0 {
            return "e".into();
        }
        let block = |first: usize| -> String {
            let size = (n - first).min(BLOCK);
            let mut acc = vec!["e".to_string(); lanes];
            for i in 0..size {
                acc[i % lanes] = format!("({} {})", acc[i % lanes], first + i);
            }
            while acc.len() > 1 {
                let right = acc.split_off(acc.len() / 2);
                acc = acc.iter().zip(&right).map(|(a, b)| format!("({a} {b})")).collect();
            }
            acc.remove(0)
        };
        let blocks: Vec<String> = (0..n).step_by(BLOCK).map(block).collect();
        naive_pairs(&blocks)
    }

    /// The same as the counter, said otherwise: the largest power of two of blocks on the left is a perfect tree.
    fn naive_pairs(blocks: &[String]) -> String {
        match blocks.len() {
            1 => blocks[0].clone(),
            n => {
                let (left, right) = blocks.split_at(1 << (n - 1).ilog2());
                format!("({} {})", naive_pairs(left), naive_pairs(right))
            }
        }
    }

    #[test]
    fn blocks_are_paired_like_a_binary_counter() {
        for n in 1..40 {
            let blocks: Vec<String> = (0..n).map(|b| b.to_string()).collect();
            let mut pairs = Pairwise::new();
            let op = |a: String, b: String| format!("({a} {b})");
            blocks.iter().for_each(|b| pairs.push(b.clone(), op));
            assert_eq!(pairs.finish(op), Some(naive_pairs(&blocks)));
        }
        assert_eq!(Pairwise::<i32>::new().finish(|a, _| a), None);
    }

    /// Evaluates the written order.
    fn value_of(order: &str, data: &[f32]) -> f32 {
        let mut stack: Vec<f32> = Vec::new();
        for token in order.replace(')', " )").replace('(', "").split_whitespace() {
            match token {
                "e" => stack.push(0.0),
                ")" => {
                    let right = stack.pop().unwrap();
                    *stack.last_mut().unwrap() += right;
                }
                index => stack.push(data[index.parse::<usize>().unwrap()]),
            }
        }
        stack[0]
    }

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 1e7 - 0.8
        };
        (0..n).map(|_| next() * 10f32.powi((next() * 4.0) as i32)).collect()
    }

    #[test]
    fn last_axis_follows_the_written_order() {
        for n in [0, 1, 2, 31, 32, 33, 100, 4095, 4096, 4097, 8192, 8193, 3 * 4096 + 17, 7 * 4096] {
            let data = noise(n);
            let want = value_of(&naive_last(n, 32), &data);
            let got = fold_last(&data, 0.0, |x, y| x + y);
            assert_eq!(got.to_bits(), want.to_bits(), "{n}");
            let mut stream = Stream::new(0.0, |x, y| x + y);
            data.iter().for_each(|&x| stream.push(x));
            assert_eq!(stream.finish().to_bits(), want.to_bits(), "{n}");
        }
        assert_eq!(DType::ALL.map(lanes), [128, 128, 32, 16, 32, 16, 64, 64, 32, 16]);
    }

    #[test]
    fn rows_are_combined_in_sequence_and_blocks_in_pairs() {
        for rows in [0, 1, 2, 255, 256, 257, 512, 700, 1025] {
            let data = noise(rows * 3);
            let got = fold_rows(&data, 3, 0.0, |x, y| x + y);
            for (column, got) in got.iter().enumerate() {
                let blocks: Vec<f32> = (0..rows)
                    .step_by(ROW_BLOCK)
                    .map(|b| (b..rows.min(b + ROW_BLOCK)).fold(0.0, |acc, r| acc + data[r * 3 + column]))
                    .collect();
                let names: Vec<String> = (0..blocks.len()).map(|b| b.to_string()).collect();
                let want = if rows == 0 { 0.0 } else { value_of(&naive_pairs(&names), &blocks) };
                assert_eq!(got.to_bits(), want.to_bits(), "{rows} rows");
            }
        }
        assert_eq!(fold_rows::<f32>(&[], 0, 0.0, |x, y| x + y), []);
    }

    #[test]
    fn identities_change_nothing() {
        let values = |dtype: DType| [Scalar::zero(dtype), Scalar::one(dtype), least(dtype), greatest(dtype)];
        let mut reductions = 0;
        for (op, dtype) in Binary::ALL.iter().flat_map(|&op| DType::ALL.map(|dtype| (op, dtype))) {
            if !is_reduction(op, dtype) {
                continue;
            }
            reductions += 1;
            let e = identity(op, dtype);
            for x in values(dtype) {
                assert_eq!(ScalarOp::Binary(op).eval(&[e, x]), x, "{op} {x:?}");
                assert_eq!(ScalarOp::Binary(op).eval(&[x, e]), x, "{op} {x:?}");
            }
        }
        assert_eq!(reductions, 4 * 7 + 2 * 6);
    }

    #[test]
    fn nan_and_infinities() {
        let max = binary_fn::<f64>(Binary::Max).unwrap();
        let mut data = vec![f64::NEG_INFINITY; 5000];
        assert_eq!(fold_last(&data, f64::NEG_INFINITY, max), f64::NEG_INFINITY);
        data[4500] = f64::NAN;
        assert!(fold_last(&data, f64::NEG_INFINITY, max).is_nan());
        assert!(fold_rows(&data, 1, f64::NEG_INFINITY, max)[0].is_nan());
    }

    #[test]
    fn many_ones_add_up() {
        let ones = vec![1f32; 1 << 22];
        assert_eq!(fold_last(&ones, 0.0, |x, y| x + y), 4_194_304.0);
        let all = vec![true; 10_000];
        assert!(fold_last(&all, true, |x, y| x & y));
    }
}
