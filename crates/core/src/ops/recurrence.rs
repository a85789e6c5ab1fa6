//! `recurrence`: `h[i] = a[i] h[i - 1] + b[i]` along an axis, from which cumulative products and extrema have their
//! derivatives.

use super::operands::{arrays, number, result, same_dtype};
use super::view::{blank, elements};
use super::{Attributes, Definition, Sample, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{ArrayType, Type};
use crate::value::{ArrayValue, Value};
use smallvec::SmallVec;
use wengert_kernel::scalar::binary_fn;
use wengert_kernel::{Binary, DType, Element, with_element};

/// Operands `a` and `b`, both `[batch.., n, inner]`: `h[.., i, k] = a[.., i, k] h[.., i - 1, k] + b[.., i, k]`, product and sum
/// rounded one after the other, beginning with `b[.., 0, k]`; in reverse from the other end. The first `a` is not read.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[5,1], %1: f64[5,1]) {
///   %2: f64[5,1] = recurrence[batch=0, reverse=false] %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Recurrence {
    /// Number of leading batch axes; two axes follow.
    pub batch: usize,
    /// From the last element to the first.
    pub reverse: bool,
}

/// That an operand is numbers `[batch.., n, inner]`.
pub(super) fn check_parts(x: &ArrayType, batch: usize) -> Result<(), TypeError> {
    number(x)?;
    if x.rank() == batch + 2 {
        return Ok(());
    }
    Err(TypeError::new(format!("{x} is not matrices in {batch} batch axes")))
}

/// Calls `step` with each element's place, and the place of the one before it, in the order of the axis.
pub(crate) fn each_in_turn(shape: &[usize], batch: usize, reverse: bool, mut step: impl FnMut(usize, Option<usize>)) {
    let (n, inner) = (shape[batch], shape[batch + 1]);
    let parts: usize = shape[..batch].iter().product();
    for part in 0..parts {
        for i in 0..n {
            let at = |i: usize| (part * n + if reverse { n - 1 - i } else { i }) * inner;
            for k in 0..inner {
                step(at(i) + k, i.checked_sub(1).map(|i| at(i) + k));
            }
        }
    }
}

/// The axis `batch` cut in the element where it begins, and the rest; in the order of the direction.
pub(super) struct Along {
    pub(super) batch: usize,
    pub(super) reverse: bool,
    pub(super) n: usize,
}

impl Along {
    /// The element where it begins.
    #[track_caller]
    pub(super) fn first(&self, x: &Array) -> Array {
        x.slice_axis(self.batch, if self.reverse { self.n - 1..self.n } else { 0..1 })
    }

    /// All but the element where it begins.
    #[track_caller]
    pub(super) fn rest(&self, x: &Array) -> Array {
        x.slice_axis(self.batch, if self.reverse { 0..self.n - 1 } else { 1..self.n })
    }

    /// What stands before each element of [`Along::rest`].
    #[track_caller]
    pub(super) fn before(&self, x: &Array) -> Array {
        x.slice_axis(self.batch, if self.reverse { 1..self.n } else { 0..self.n - 1 })
    }

    /// [`Along::first`] and [`Along::rest`] together.
    #[track_caller]
    pub(super) fn joined(&self, first: &Array, rest: &Array) -> Array {
        super::concatenate(&if self.reverse { [rest, first] } else { [first, rest] }, self.batch)
    }
}

impl Recurrence {
    fn along(&self, x: &Type) -> Along {
        let n = x.as_array().expect("an array was inferred").shape[self.batch];
        Along { batch: self.batch, reverse: self.reverse, n }
    }

    fn run<T: Element>(&self, a: &ArrayValue, b: &ArrayValue) -> Result<ArrayValue, Error> {
        let mut h = blank(b.dtype(), &b.shape)?;
        let [add, mul] = [Binary::Add, Binary::Mul].map(|op| binary_fn::<T>(op).expect("infer has judged"));
        let (a, b) = (elements::<T>(a), elements::<T>(b));
        let shape = h.shape.clone();
        let to = h.make_mut().as_mut_slice::<T>().expect("it was made so");
        each_in_turn(&shape, self.batch, self.reverse, |i, before| {
            to[i] = before.map_or(b[i], |before| add(mul(a[i], to[before]), b[i]));
        });
        Ok(h)
    }
}

impl Primitive for Recurrence {
    fn name(&self) -> &'static str {
        "recurrence"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("batch", Attribute::Int(self.batch as i64)), ("reverse", Attribute::Bool(self.reverse))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [a, b] = arrays(args)?;
        same_dtype(a, b)?;
        check_parts(a, self.batch)?;
        if a.shape != b.shape {
            return Err(TypeError::new(format!("{a} and {b} differ in shape")));
        }
        result(b.dtype, b.shape.clone())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let (a, b) = (args[0].array(), args[1].array());
        let h = with_element!(b.dtype(), T => self.run::<T>(a, b))?;
        Ok(vec![h.into()])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let h = apply(self.clone(), &[&x[0], &x[1]]);
        let along = self.along(&x[0].ty());
        let from_a = dx[0].as_ref().filter(|_| along.n > 0).map(|da| {
            let first = super::zeros_any(&along.first(da).ty());
            along.joined(&first, &(along.rest(da) * along.before(&h)))
        });
        let change = match (from_a, dx[1].clone()) {
            (Some(from_a), Some(db)) => Some(from_a + db),
            (from_a, db) => from_a.or(db),
        };
        (vec![h], vec![change.map(|change| apply(self.clone(), &[&x[0], &change]))])
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        let Some(ct) = &ct[0] else { return };
        if into.wants(0) {
            crate::refusal::not_linear("`recurrence`")
        }
        let along = self.along(&x[1].ty());
        let back = Recurrence { batch: self.batch, reverse: !self.reverse };
        if along.n == 0 {
            return into.add(1, ct.clone());
        }
        // From the other end: g[i] = a[i + 1] g[i + 1] + ct[i].
        let a = along.rest(x[0].known());
        let unread = super::zeros_any(&along.first(ct).ty());
        let a = Along { reverse: back.reverse, ..along }.joined(&unread, &a);
        into.add(1, apply(back, &[&a, ct]));
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(Recurrence { batch: self.batch + 1, ..*self }, x, size)
    }

    fn lower(&self) -> Lowering {
        let ints = SmallVec::from_slice(&[self.reverse as i64]);
        Lowering::Call { function: "recurrence", batch: self.batch, ints }
    }
}

impl Definition for Recurrence {
    const NAMES: &'static [&'static str] = &["recurrence"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Recurrence { batch: attributes.size("batch")?, reverse: attributes.bool("reverse")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for reverse in [false, true] {
            for shape in [&[5, 1][..], &[1, 1], &[0, 1], &[4, 3], &[2, 3, 1], &[2, 3, 2], &[0, 3, 1], &[2, 0, 2], &[3, 0]] {
                let op = Recurrence { batch: shape.len() - 2, reverse };
                let args = [0, 1].map(|seed| samples::points((-1.5, 1.5), seed, shape)).to_vec();
                all.push(Sample::new(op.clone(), args.clone()).smooth(&[0, 1]));
                all.push(Sample::new(op, args).linear(&[1]));
            }
            let op = Recurrence { batch: 0, reverse };
            for dtype in [DType::F32, DType::I32, DType::I64, DType::U8, DType::U64] {
                let args = vec![Sample::numbers(dtype, &[7, 2]), samples::ties(dtype, &[7, 2])];
                all.push(Sample::new(op.clone(), args));
            }
            all.push(Sample::new(op, samples::hard_pair(DType::F64, &[60, 1]).to_vec()));
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |dtype| {
            [[n, 1], [3, n]].map(|shape| {
                let op = Recurrence { batch: 0, reverse: n % 2 == 1 };
                Sample::new(op, samples::hard_pair(dtype, &shape).to_vec())
            })
        };
        [DType::F64, DType::F32, DType::I32].into_iter().flat_map(of).collect()
    }
}
