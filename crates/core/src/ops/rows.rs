//! Lists of rows: what loops read and write besides arrays.
//!
//! `Rows` and `Stack` go between an array and a list of known length; they move no data. The others exist so that
//! cotangents and tangents of lists can be made and added.

use super::{Attributes, Broadcast, Definition, Reduce, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::lanes::{Lanes, Places, leaf};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::{ArrayType, ListType, Shape, Type};
use crate::value::{ArrayValue, ListValue, Value};
use std::sync::Arc;
use wengert_kernel::{Binary, DType, with_element};

/// The rows of an array of rank 1 or more, along its first axis.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[3]) {
///   %1: list(f64[]; 3) = rows %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rows;

/// The array whose rows are those of a list of known length.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: list(f64[]; 3)) {
///   %1: f64[3] = stack %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stack;

/// A list of zero rows, of no rows when its length is unknown.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program () {
///   %0: list(f64[2]; 3) = nil[type=list(f64[2]; 3)]
///   return %0
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Nil {
    /// The list type.
    pub ty: Type,
}

/// The sum of two lists, row by row; where one ends the other goes on.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: list(f64[2]), %1: list(f64[2])) {
///   %2: list(f64[2]) = list_add %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListAdd;

/// Every row repeated along a new axis.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: list(f64[2])) {
///   %1: list(f64[2,2]) = list_spread[size=2, axis=1] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListSpread {
    /// Length of the axis.
    pub size: usize,
    /// Where it is inserted.
    pub axis: usize,
}

/// Every row summed over one axis.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: list(f64[4,2])) {
///   %1: list(f64[4]) = list_sum[axis=1] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ListSum {
    /// The axis that goes.
    pub axis: usize,
}

fn list(ty: &Type) -> Result<&ListType, TypeError> {
    match ty {
        Type::List(l) => Ok(l),
        Type::Array(a) => Err(TypeError::new(format!("a list of rows was expected, this is {a}"))),
    }
}

/// Applies an operation with one array operand to every leaf array of a list.
fn map_leaves(op: &impl Primitive, value: &Value, ty: &Type) -> Result<Value, Error> {
    match (value, ty) {
        (Value::List(l), Type::List(ty)) => {
            let rows = l.rows.iter().map(|row| map_leaves(op, row, &ty.element)).collect::<Result<_, _>>()?;
            Ok(Value::List(Arc::new(ListValue { element: ty.element.clone(), length: ty.length, rows })))
        }
        _ => Ok(op.eval(vec![value.clone()])?.remove(0)),
    }
}

/// The list type with another array type inside.
fn with_leaf(ty: &Type, leaf: &Type) -> Type {
    match ty {
        Type::Array(_) => leaf.clone(),
        Type::List(l) => Type::list(with_leaf(&l.element, leaf), l.length),
    }
}

impl Primitive for Rows {
    fn name(&self) -> &'static str {
        "rows"
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let x = super::one_array(args)?;
        match x.shape.split_first() {
            Some((&n, rest)) => Ok(vec![Type::list(Type::array(x.dtype, rest), Some(n))]),
            None => Err(TypeError::new("a scalar has no rows")),
        }
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let x = args[0].array();
        let shape: Shape = x.shape[1..].into();
        let size: usize = shape.iter().product();
        let row = |k: usize| {
            with_element!(x.dtype(), T => {
                Value::Array(ArrayValue::new(&shape, x.slice::<T>()[k * size..(k + 1) * size].to_vec()))
            })
        };
        let rows = (0..x.shape[0]).map(row).collect();
        let element = Type::array(x.dtype(), &shape);
        Ok(vec![Value::List(Arc::new(ListValue { element, length: Some(x.shape[0]), rows }))])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(Rows, x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        if let Some(ct) = &ct[0] {
            into.add(0, apply(Stack, &[ct]));
        }
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        vec![Batched::mapped(apply(Rows, &[&x[0].array.swap_axes(0, 1)]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        // Lanes along the axis that becomes the list's are lanes no more.
        let n = leaf(at.types[0]).shape[0];
        vec![at.x[0].moved(|place| (place >= n).then(|| place / n.max(1)))]
    }
}

impl Primitive for Stack {
    fn name(&self) -> &'static str {
        "stack"
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let l = list(super::one(args)?)?;
        match (l.length, &l.element) {
            (Some(n), Type::Array(row)) => {
                let mut shape = row.shape.clone();
                shape.insert(0, n);
                Ok(vec![Type::array(row.dtype, &shape)])
            }
            _ => Err(TypeError::new("only a list of arrays whose length is known stacks to an array")),
        }
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let ty = self.infer(&[args[0].ty()]).expect("it was inferred").remove(0);
        let Type::Array(ty) = ty else { unreachable!("a stack is an array") };
        let Value::List(l) = &args[0] else { unreachable!("it was inferred") };
        Ok(vec![with_element!(ty.dtype, T => {
            let data = l.rows.iter().flat_map(|r| r.array().slice::<T>().iter().copied()).collect::<Vec<T>>();
            Value::Array(ArrayValue::new(&ty.shape, data))
        })])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(Stack, x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        if let Some(ct) = &ct[0] {
            into.add(0, apply(Rows, &[ct]));
        }
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        vec![Batched::mapped(apply(Stack, &[&x[0].array]).swap_axes(0, 1))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        let n = leaf(at.results[0]).shape[0];
        vec![at.x[0].moved(|place| Some(place * n))]
    }
}

impl Primitive for Nil {
    fn name(&self) -> &'static str {
        "nil"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("type", Attribute::Type(self.ty.clone()))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        super::none(args)?;
        list(&self.ty)?;
        Ok(vec![self.ty.clone()])
    }

    fn eval(&self, _: Vec<Value>) -> Result<Vec<Value>, Error> {
        Ok(vec![Value::zeros(&self.ty)])
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(self.clone(), x)
    }

    fn batch(&self, _: &[Batched], size: usize) -> Vec<Batched> {
        vec![Batched::mapped(apply(Nil { ty: self.ty.batched(size) }, &[]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        vec![Lanes::shared(at.mask)]
    }

    fn cheap(&self) -> bool {
        true
    }
}

impl Primitive for ListAdd {
    fn name(&self) -> &'static str {
        "list_add"
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [x, y] = args else { return Err(TypeError::new("two lists are added")) };
        list(x)?;
        if x == y { Ok(vec![x.clone()]) } else { Err(TypeError::new(format!("{x} and {y} are not one type"))) }
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        fn add(x: &Value, y: &Value) -> Value {
            match (x, y) {
                (Value::Array(_), Value::Array(_)) => {
                    let args = vec![x.clone(), y.clone()];
                    // Truth values are rows of a `cond` under lanes, false where the branch is not taken.
                    let op = if x.ty().dtype() == DType::Bool { Binary::Or } else { Binary::Add };
                    super::BinaryOp(op).eval(args).expect("it was inferred").remove(0)
                }
                (Value::List(x), Value::List(y)) => {
                    let longest = x.rows.len().max(y.rows.len());
                    let row = |k: usize| match (x.rows.get(k), y.rows.get(k)) {
                        (Some(x), Some(y)) => add(x, y),
                        (Some(r), None) | (None, Some(r)) => r.clone(),
                        (None, None) => unreachable!("one list is that long"),
                    };
                    let rows = (0..longest).map(row).collect();
                    Value::List(Arc::new(ListValue { element: x.element.clone(), length: x.length, rows }))
                }
                _ => unreachable!("it was inferred"),
            }
        }
        Ok(vec![add(&args[0], &args[1])])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let dy = match (&dx[0], &dx[1]) {
            (Some(a), Some(b)) => Some(apply(ListAdd, &[a, b])),
            (a, b) => a.clone().or(b.clone()),
        };
        (vec![apply(ListAdd, &[&x[0], &x[1]])], vec![dy])
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        if let Some(ct) = &ct[0] {
            into.add(0, ct.clone());
            into.add(1, ct.clone());
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(ListAdd, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        vec![at.x[0].or(&at.x[1])]
    }
}

impl ListSpread {
    /// What happens to each row.
    fn on_rows(&self, row: &ArrayType) -> Option<Broadcast> {
        let mut shape = row.shape.clone();
        (self.axis <= shape.len()).then(|| shape.insert(self.axis, self.size))?;
        Some(Broadcast { axes: (0..shape.len()).filter(|&a| a != self.axis).collect(), shape })
    }
}

impl Primitive for ListSpread {
    fn name(&self) -> &'static str {
        "list_spread"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("size", Attribute::Int(self.size as i64)), ("axis", Attribute::Int(self.axis as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let x = super::one(args)?;
        list(x)?;
        let row = Type::Array(leaf(x).clone());
        let op = self.on_rows(leaf(x)).ok_or_else(|| TypeError::new(format!("{row} has no axis {}", self.axis)))?;
        Ok(vec![with_leaf(x, &op.infer(&[row])?[0])])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let ty = args[0].ty();
        let result = self.infer(std::slice::from_ref(&ty)).expect("it was inferred").remove(0);
        let op = self.on_rows(leaf(&ty)).expect("it was inferred");
        Ok(vec![map_leaves(&op, &args[0], &result)?])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], _: &[Operand], into: &mut Cotangents<'_>) {
        if let Some(ct) = &ct[0] {
            into.add(0, apply(ListSum { axis: self.axis }, &[ct]));
        }
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        let op = ListSpread { size: self.size, axis: self.axis + 1 };
        vec![Batched::mapped(apply(op, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        vec![at.through(&self.on_rows(leaf(at.types[0])).expect("it was inferred").lower())]
    }
}

impl ListSum {
    /// What happens to each row.
    pub(crate) fn on_rows(&self) -> Reduce {
        Reduce { op: Binary::Add, start: self.axis, end: self.axis + 1 }
    }
}

impl Primitive for ListSum {
    fn name(&self) -> &'static str {
        "list_sum"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("axis", Attribute::Int(self.axis as i64))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let x = super::one(args)?;
        list(x)?;
        Ok(vec![with_leaf(x, &self.on_rows().infer(&[Type::Array(leaf(x).clone())])?[0])])
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let result = self.infer(&[args[0].ty()]).expect("it was inferred").remove(0);
        Ok(vec![map_leaves(&self.on_rows(), &args[0], &result)?])
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_linear(self.clone(), x, dx)
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        if let Some(ct) = &ct[0] {
            let size = leaf(&x[0].ty()).shape[self.axis];
            into.add(0, apply(ListSpread { size, axis: self.axis }, &[ct]));
        }
    }

    fn batch(&self, x: &[Batched], _: usize) -> Vec<Batched> {
        vec![Batched::mapped(apply(ListSum { axis: self.axis + 1 }, &[&x[0].array]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        vec![at.through(&self.on_rows().lower())]
    }
}

macro_rules! define {
    ($($name:ident, $text:literal, $parse:expr, $samples:expr;)*) => {$(
        impl Definition for $name {
            const NAMES: &'static [&'static str] = &[$text];

            fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
                #[allow(clippy::redundant_closure_call)]
                ($parse)(attributes)
            }

            fn samples() -> Vec<Sample> {
                $samples
            }
        }
    )*};
}

define! {
    Rows, "rows", |_: &Attributes| Ok(Rows), {
        let on = |shape: &[usize]| Sample::new(Rows, vec![numbers(shape)]).linear(&[0]);
        let linear = [&[3][..], &[0, 2], &[2, 0], &[4, 3, 2], &[1], &[0], &[1, 1]].map(on);
        let moved = DType::ALL.map(|dtype| Sample::new(Rows, vec![super::samples::hard(dtype, &[5, 2])]));
        linear.into_iter().chain(moved).collect()
    };
    Stack, "stack", |_: &Attributes| Ok(Stack), {
        let on = |shape: &[usize]| Sample::new(Stack, vec![rows_of(shape, true)]).linear(&[0]);
        vec![on(&[3]), on(&[0, 2]), on(&[2, 0]), on(&[4, 3, 2])]
    };
    Nil, "nil", |a: &Attributes| Ok(Nil { ty: a.ty("type")? }), {
        let row = Type::array(DType::F64, &[2]);
        let of = |ty: Type| Sample::new(Nil { ty }, vec![]);
        vec![of(Type::list(row.clone(), Some(3))), of(Type::list(Type::list(row, None), None))]
    };
    ListAdd, "list_add", |_: &Attributes| Ok(ListAdd), {
        let of = |x: Value, y: Value| Sample::new(ListAdd, vec![x, y]).linear(&[0, 1]);
        vec![
            of(rows_of(&[3, 2], true), rows_of(&[3, 2], true)),
            of(rows_of(&[3, 2], false), rows_of(&[3, 2], false)),
            Sample::new(ListAdd, vec![rows_of(&[3, 2], false), rows_of(&[5, 2], false)]),
        ]
    };
    ListSpread, "list_spread", |a: &Attributes| Ok(ListSpread { size: a.size("size")?, axis: a.size("axis")? }), {
        let of = |size, axis, x: Value| Sample::new(ListSpread { size, axis }, vec![x]).linear(&[0]);
        vec![of(4, 0, rows_of(&[3, 2], true)), of(2, 1, rows_of(&[3, 2], false)), of(0, 0, rows_of(&[2], true))]
    };
    ListSum, "list_sum", |a: &Attributes| Ok(ListSum { axis: a.size("axis")? }), {
        let of = |axis, x: Value| Sample::new(ListSum { axis }, vec![x]).linear(&[0]);
        vec![of(0, rows_of(&[3, 2], true)), of(1, rows_of(&[3, 4, 2], false)), of(0, rows_of(&[2, 0], true))]
    };
}

/// Distinct numbers in an array.
fn numbers(shape: &[usize]) -> Value {
    let n: usize = shape.iter().product();
    Value::Array(ArrayValue::new(shape, (0..n).map(|i| (i as f64 * 0.7).sin() + 0.1).collect::<Vec<f64>>()))
}

/// The same as a list of rows, of known length or not.
fn rows_of(shape: &[usize], known: bool) -> Value {
    let Value::List(l) = Rows.eval(vec![numbers(shape)]).expect("it has rows").remove(0) else { unreachable!("rows are a list") };
    Value::List(Arc::new(ListValue { length: if known { l.length } else { None }, ..ListValue::clone(&l) }))
}
