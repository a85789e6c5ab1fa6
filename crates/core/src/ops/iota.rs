//! Counting along an axis.

use super::view::blank;
use super::{Attributes, Definition, Sample, operands, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::trace::apply;
use crate::types::{Shape, Type};
use crate::value::Value;
use wengert_kernel::{DType, Scalar, ScalarOp};

/// `-> shape`: each element is its index along `axis`, converted from `i64`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program () {
///   %0: i64[3] = iota[dtype=i64, shape=[3], axis=0]
///   return %0
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Iota {
    /// A dtype of numbers.
    pub dtype: DType,
    /// Axis lengths.
    pub shape: Shape,
    /// The axis counted.
    pub axis: usize,
}

impl Array {
    /// An array of this shape whose elements are their own index along `axis`.
    ///
    /// ```
    /// # use wengert_core::{Array, DType};
    /// let rows = Array::iota(DType::I32, &[2, 3], 0);
    /// assert_eq!(rows, Array::from_slice(&[2, 3], &[0, 0, 0, 1, 1, 1]));
    /// ```
    ///
    /// # Panics
    /// When there is no such axis, or the dtype is `bool`.
    #[track_caller]
    pub fn iota(dtype: DType, shape: &[usize], axis: usize) -> Array {
        apply(Iota { dtype, shape: shape.into(), axis }, &[])
    }
}

impl Primitive for Iota {
    fn name(&self) -> &'static str {
        "iota"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![
            ("dtype", Attribute::DType(self.dtype)),
            ("shape", Attribute::sizes(&self.shape)),
            ("axis", Attribute::Int(self.axis as i64)),
        ]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [] = operands::arrays(args)?;
        super::axes::axis(self.axis as i64, self.shape.len())?;
        if self.dtype == DType::Bool {
            return Err(TypeError::new("bool does not count; use an integer dtype and compare"));
        }
        operands::result(self.dtype, self.shape.clone())
    }

    fn eval(&self, _: Vec<Value>) -> Result<Vec<Value>, Error> {
        let mut y = blank(self.dtype, &self.shape)?;
        let inner: usize = self.shape[self.axis + 1..].iter().product();
        let length = self.shape[self.axis];
        let size = y.size();
        let elements = y.make_mut();
        for i in 0..size {
            let index = Scalar::new((i / inner % length) as i64);
            elements.set(i, ScalarOp::Convert(self.dtype).eval(&[index]));
        }
        Ok(vec![y.into()])
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(self.clone(), x)
    }

    fn batch(&self, _: &[Batched], _: usize) -> Vec<Batched> {
        vec![Batched::shared(apply(self.clone(), &[]))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Iota { axis: self.axis }
    }

    fn cheap(&self) -> bool {
        true
    }
}

impl Definition for Iota {
    const NAMES: &'static [&'static str] = &["iota"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        let shape = attributes.sizes("shape")?.into();
        Ok(Iota { dtype: attributes.dtype("dtype")?, shape, axis: attributes.size("axis")? })
    }

    fn samples() -> Vec<Sample> {
        let iota = |dtype, shape: &[usize], axis| Iota { dtype, shape: shape.into(), axis };
        let mut all = vec![
            iota(DType::F64, &[0], 0),
            iota(DType::F32, &[7], 0),
            iota(DType::I64, &[2, 3], 0),
            iota(DType::I32, &[2, 3], 1),
            iota(DType::F64, &[2, 3, 2], 1),
            iota(DType::F64, &[3, 0], 0),
        ];
        // Longer than u8 counts: it wraps.
        all.extend(DType::ALL.into_iter().filter(|&d| d != DType::Bool).map(|d| iota(d, &[300], 0)));
        all.into_iter().map(|op| Sample::new(op, vec![])).collect()
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let numbers = DType::ALL.into_iter().filter(|&d| d != DType::Bool);
        let line = numbers.map(|dtype| Iota { dtype, shape: [n].as_slice().into(), axis: 0 });
        let plane = [(2, n, 1), (n, 3, 0)].map(|(rows, columns, axis)| Iota {
            dtype: DType::F32,
            shape: [rows, columns].as_slice().into(),
            axis,
        });
        line.chain(plane).map(|op| Sample::new(op, vec![])).collect()
    }
}
