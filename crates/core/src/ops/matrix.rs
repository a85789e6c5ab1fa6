//! What the operations on matrices share: what they ask of operands, their reference, the words of their rules, and the
//! matrices that the laws are checked on.
//!
//! A matrix is in the last two axes; the axes before are a batch. The reference is the function that machine code calls:
//! what it gives is judged by tests of reconstruction (`A = QR`) and by other libraries' values.

use super::view::blank;
use super::{Dot, Permute, Sample};
use crate::array::Array;
use crate::array::promote::promote_types;
use crate::error::{Error, TypeError};
pub(crate) use crate::functions::float as floats;
use crate::lanes::{Lanes, Places, axis_of, leaf};
use crate::primitive::{Batched, Lowering, Primitive};
use crate::refusal::{accept, refuse};
use crate::trace::apply;
use crate::types::{ArrayType, Shape, Type};
use crate::value::{ArrayValue, Value};
use smallvec::SmallVec;
use wengert_kernel::routine::Library;
use wengert_kernel::{DType, Scalar, ScalarOp};
use wengert_runtime::Host;

/// The axes of the batch, and the lengths of the matrix, of an operand that holds floats.
pub(crate) fn matrix(x: &ArrayType, batch: usize) -> Result<(Shape, [usize; 2]), TypeError> {
    if !x.dtype.is_inexact() {
        return Err(TypeError::new(format!("{x} holds no floats; `convert` it to f64 or f32")));
    }
    if x.rank() < 2 {
        return Err(TypeError::new(format!("{x} is no matrix, which has two axes; `reshape` or `expand_dims` it")));
    }
    if x.rank() != batch + 2 {
        return Err(TypeError::new(format!("{x} is no matrix in {batch} batch axes")));
    }
    Ok((x.shape[..batch].into(), [x.shape[batch], x.shape[batch + 1]]))
}

/// The same of a square matrix: its rows.
pub(crate) fn square(x: &ArrayType, batch: usize) -> Result<(Shape, usize), TypeError> {
    let (lanes, [m, n]) = matrix(x, batch)?;
    if m != n {
        return Err(TypeError::new(format!("{x} is not square: its matrices have {m} rows and {n} columns")));
    }
    Ok((lanes, n))
}

/// Types of results, one after the other.
pub(super) fn results(types: Vec<(DType, Shape)>) -> Result<Vec<Type>, TypeError> {
    let checked = types.into_iter().map(|(dtype, shape)| super::operands::result(dtype, shape));
    Ok(checked.collect::<Result<Vec<_>, _>>()?.concat())
}

/// A shape in a batch.
pub(super) fn within(lanes: &Shape, lengths: &[usize]) -> Shape {
    lanes.iter().chain(lengths).copied().collect()
}

/// The results of an operation that lowers to a call of the runtime: that call.
pub(super) fn eval(op: &impl Primitive, args: &[Value]) -> Result<Vec<Value>, Error> {
    let Lowering::Call { function, batch, ints } = op.lower() else { unreachable!("it is a call") };
    let types: Vec<Type> = args.iter().map(Value::ty).collect();
    let results = op.infer(&types).expect("types were inferred before");
    let parts: usize = args[0].array().shape[..batch].iter().product();
    let lengths = args.iter().flat_map(|x| x.array().shape[batch..].iter().map(|&n| n as i64).collect::<Vec<i64>>());
    let all: Vec<i64> = [parts as i64].into_iter().chain(ints).chain(lengths).collect();
    let mut values = Vec::with_capacity(results.len());
    for ty in &results {
        let ty = ty.as_array().expect("results are arrays");
        values.push(blank(ty.dtype, &ty.shape)?);
    }
    let inputs: Vec<&[u8]> = args.iter().map(|x| x.array().buffer.bytes()).collect();
    let mut outputs: Vec<&mut [u8]> = values.iter_mut().map(|y| y.make_mut().bytes_mut()).collect();
    let name = format!("{function}_{}", args[0].array().dtype());
    assert!(Host.call(&name, &all, &inputs, &mut outputs), "the runtime has no function {name}");
    Ok(values.into_iter().map(Value::from).collect())
}

/// How an operation on matrices is told to the loop compiler.
pub(super) fn lower(function: &'static str, batch: usize, ints: &[i64]) -> Lowering {
    Lowering::Call { function, batch, ints: ints.into() }
}

/// An operation whose right side `b`, operand `last`, alone is mapped: lanes are more columns.
pub(super) fn lanes_as_columns(op: impl Into<super::Op>, x: &[Batched]) -> Batched {
    let last = x.len() - 1;
    let shape = x[last].array.shape();
    let [lanes, n, k] = shape[..] else { unreachable!("a batch of matrices") };
    let columns = x[last].array.permute([1, 0, 2]).with_shape(&[n, lanes * k]);
    let args: Vec<&Array> = x[..last].iter().map(|x| &x.array).chain([&columns]).collect();
    Batched::mapped(apply(op, &args).with_shape(&[n, lanes, k]).permute([1, 0, 2]))
}

/// Lanes of the solutions of equations whose right sides, the last operand, may have lanes in their columns.
pub(super) fn lanes_of_solutions(at: &Places<'_>, lowering: &Lowering, batch: usize) -> Vec<Lanes> {
    let (right, ty) = (&at.x[at.x.len() - 1], leaf(at.types[at.x.len() - 1]));
    let not_in_rows = |place: usize, n: usize| axis_of(&ty.shape, place, n).is_some_and(|(axis, _)| axis != batch);
    let kept = right.0.iter().zip(at.mask).map(|(place, &n)| place.filter(|&place| not_in_rows(place, n)));
    vec![at.through(lowering).or(&Lanes(kept.collect()))]
}

/// The last two axes exchanged.
#[track_caller]
pub(crate) fn t(x: &Array) -> Array {
    let mut axes: SmallVec<[usize; 4]> = (0..x.rank()).collect();
    let last = axes.len() - 1;
    axes.swap(last - 1, last);
    apply(Permute { axes }, &[x])
}

/// The products of matrices in equal batch axes.
#[track_caller]
pub(crate) fn product(x: &Array, y: &Array) -> Array {
    apply(Dot { batch: x.rank() - 2 }, &[x, y])
}

/// `(x + x') / 2`.
#[track_caller]
pub(crate) fn symmetric(x: &Array) -> Array {
    (x + t(x)) * 0.5
}

/// Where row and column are the same, in the last two axes.
#[track_caller]
pub(crate) fn on_diagonal(shape: &[usize]) -> Array {
    let axis = shape.len() - 2;
    Array::iota(DType::I64, shape, axis).eq(Array::iota(DType::I64, shape, axis + 1))
}

/// The unit matrices of a shape.
#[track_caller]
pub(crate) fn units(dtype: DType, shape: &[usize]) -> Array {
    on_diagonal(shape).convert(dtype)
}

/// Samples: matrices of numbers of both signs that are `shift` larger on the diagonal.
pub(super) fn shifted(dtype: DType, shape: &[usize], shift: f64) -> Value {
    let n = shape[shape.len() - 1];
    let rows = shape[shape.len() - 2];
    edited(Sample::numbers(dtype, shape), |k, x| {
        let (i, j) = (k / n % rows, k % n);
        if i == j { x + shift * (1.0 + 0.37 * i as f64) } else { x }
    })
}

/// Samples: symmetric matrices all of whose eigenvalues are positive, as their rows are dominated by the diagonal.
pub(super) fn definite(dtype: DType, lanes: &[usize], n: usize) -> Value {
    let shape: Vec<usize> = lanes.iter().copied().chain([n, n]).collect();
    edited(Sample::numbers(dtype, &shape), |k, _| {
        let (i, j) = (k / n.max(1) % n.max(1), k % n.max(1));
        let lane = k / (n * n).max(1);
        if i == j { 2.0 + 0.4 * (i + lane) as f64 } else { ((i * j + i + j + lane) as f64).sin() / n as f64 }
    })
}

/// A value with elements of a function of their position and old value.
pub(super) fn edited(value: Value, f: impl Fn(usize, f64) -> f64) -> Value {
    let mut x: ArrayValue = value.into_array();
    let dtype = x.dtype();
    for k in 0..x.size() {
        let old = ScalarOp::Convert(DType::F64).eval(&[x.get(k)]).get::<f64>().expect("it was converted");
        x.make_mut().set(k, ScalarOp::Convert(dtype).eval(&[Scalar::new(f(k, old))]));
    }
    x.into()
}

/// Samples on which nothing is smooth: zeros, equal numbers, one NaN, infinities, rank 1.
pub(super) fn hard(dtype: DType, n: usize) -> Vec<Value> {
    let of = |f: &dyn Fn(usize) -> f64| edited(Sample::numbers(dtype, &[n, n]), |k, _| f(k));
    vec![
        of(&|_| 0.0),
        of(&|_| 1.0),
        of(&|k| if k == 1 { f64::NAN } else { k as f64 }),
        of(&|k| if k == 0 { f64::INFINITY } else { 1.0 }),
        of(&|k| ((k / n + 1) * (k % n + 2)) as f64),
        of(&|k| if k / n == k % n { 1.0 } else { 0.0 }),
        of(&|k| if k / n == k % n { 1.0 } else { 1.0 - 1e-14 }),
        of(&|k| if k % 2 == 0 { 1e300 } else { -1e-300 }),
    ]
}

/// Axes before the matrix.
pub(crate) fn batch(x: &Array) -> usize {
    x.rank().saturating_sub(2)
}

/// A matrix and a right side (or another matrix) in one dtype and equal batch axes, which broadcast; a vector on the right
/// is one column, and told by `true`.
#[track_caller]
pub(crate) fn together(a: &Array, b: &Array) -> (Array, Array, bool) {
    let dtype = promote_types(a.dtype(), b.dtype());
    let dtype = if dtype.is_inexact() { dtype } else { DType::F64 };
    let (x, y) = (a.convert(dtype), b.convert(dtype));
    accept(matrix(&x.array_type(), batch(&x)), &[a, b]);
    let vector = y.rank() == 1;
    let y = if vector { y.expand_dims(-1) } else { y };
    accept(matrix(&y.array_type(), batch(&y)), &[a, b]);
    let (p, q) = (x.shape(), y.shape());
    let (p, q) = (&p[..p.len() - 2], &q[..q.len() - 2]);
    if p == q {
        return (x, y, vector);
    }
    let rank = p.len().max(q.len());
    let mut lanes = Shape::new();
    for axis in 0..rank {
        let of = |lanes: &[usize]| (axis + lanes.len()).checked_sub(rank).map_or(1, |axis| lanes[axis]);
        lanes.push(match (of(p), of(q)) {
            (1, n) => n,
            (n, 1) => n,
            (m, n) if m == n => m,
            _ => refuse(
                format!("the axes of {} and {} before the last two do not broadcast: lengths must be equal or 1; `reshape` or `expand_dims` one of them", a.ty(), b.ty()),
                &[a, b],
            ),
        });
    }
    let spread = |x: &Array| {
        let shape = within(&lanes, &x.shape()[x.rank() - 2..]);
        x.broadcast_to(shape)
    };
    (spread(&x), spread(&y), vector)
}
