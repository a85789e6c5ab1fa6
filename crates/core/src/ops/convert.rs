//! Converting elements to another dtype.

use super::{Attributes, Definition, Sample, elementwise, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Cotangents, Lowering, Operand, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::{DType, ScalarOp};

/// `x -> x` in another dtype, by the rules of Rust's `as`; to `bool`: whether it is not 0.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: u8[7]) {
///   %1: f64[7] = convert[dtype=f64] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Convert {
    /// The dtype of the result.
    pub dtype: DType,
}

impl Array {
    /// The elements in another dtype, as Rust's `as` converts them: integers wrap, floats are rounded to nearest on the
    /// way to floats and truncated on the way to integers, where NaN becomes 0 and what is too large the largest value.
    /// To `bool`: whether the element is not 0. Complex numbers lose their imaginary part on the way to real ones.
    ///
    /// Between floats it is differentiable; integers have no derivative.
    ///
    /// ```
    /// # use wengert_core::{Array, DType};
    /// let x = Array::from([1.9, -1.9, f64::NAN, 3e9]);
    /// assert_eq!(x.convert(DType::I32), Array::from([1, -1, 0, i32::MAX]));
    /// ```
    #[track_caller]
    pub fn convert(&self, dtype: DType) -> Array {
        if self.dtype() == dtype {
            return self.clone();
        }
        match self.complex_parts() {
            None if dtype.is_complex() => {
                let re = self.convert(dtype.real());
                let im = crate::zeros_like(&re);
                Array::of_parts(re, im)
            }
            None => apply(Convert { dtype }, &[self]),
            Some([re, im]) if dtype.is_complex() => {
                Array::of_parts(re.convert(dtype.real()), im.convert(dtype.real()))
            }
            Some([re, im]) if dtype == DType::Bool => re.convert(dtype) | im.convert(dtype),
            Some([re, _]) => re.convert(dtype),
        }
    }
}

impl Convert {
    fn op(&self) -> ScalarOp {
        ScalarOp::Convert(self.dtype)
    }
}

impl Primitive for Convert {
    fn name(&self) -> &'static str {
        "convert"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("dtype", Attribute::DType(self.dtype))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        elementwise::infer::<1>(self.op(), args)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        elementwise::eval(self.op(), args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        if self.dtype.is_float() { rules::jvp_linear(*self, x, dx) } else { rules::jvp_constant(*self, x) }
    }

    fn transpose(&self, ct: &[Option<Array>], x: &[Operand], into: &mut Cotangents<'_>) {
        if let Some(ct) = &ct[0] {
            into.add(0, ct.convert(x[0].ty().dtype()));
        }
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(*self, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Map(self.op())
    }

    fn cheap(&self) -> bool {
        true
    }
}

impl Definition for Convert {
    const NAMES: &'static [&'static str] = &["convert"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Convert { dtype: attributes.dtype("dtype")? })
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for to in DType::ALL {
            all.extend(DType::ALL.map(|from| Sample::new(Convert { dtype: to }, vec![samples::hard_values(from)])));
        }
        for shape in samples::SHAPES {
            let x = samples::points((-3.0, 3.0), 0, shape);
            all.push(Sample::new(Convert { dtype: DType::F64 }, vec![x.clone()]).linear(&[0]));
            // Not smooth to the eyes of finite differences, which see the steps of f32.
            let narrow = Sample::new(Convert { dtype: DType::F32 }, vec![x]);
            all.push(Sample { linear: vec![0], ..narrow });
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let to = |dtype| {
            DType::ALL.map(move |from| Sample::new(Convert { dtype }, vec![samples::hard(from, &[n])]))
        };
        DType::ALL.into_iter().flat_map(to).collect()
    }
}
