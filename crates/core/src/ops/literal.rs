//! A number written in the program.

use super::{Attributes, Definition, Sample, operands, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::types::Type;
use crate::value::{ArrayValue, Value};
use wengert_kernel::{DType, Scalar};

/// `-> []`: one number, equal to another by its bits.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program () {
///   %0: f64[] = literal[value=1.0f64]
///   return %0
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Literal(pub Scalar);

impl Primitive for Literal {
    fn name(&self) -> &'static str {
        "literal"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("value", Attribute::Scalar(self.0))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [] = operands::arrays(args)?;
        Ok(vec![Type::scalar(self.0.dtype)])
    }

    fn eval(&self, _: Vec<Value>) -> Result<Vec<Value>, Error> {
        Ok(vec![ArrayValue::scalar(self.0).into()])
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(*self, x)
    }

    fn batch(&self, _: &[Batched], _: usize) -> Vec<Batched> {
        vec![Batched::shared(rules::literal(self.0))]
    }

    fn lower(&self) -> Lowering {
        Lowering::Literal(self.0)
    }

    fn cheap(&self) -> bool {
        true
    }
}

impl Definition for Literal {
    const NAMES: &'static [&'static str] = &["literal"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Literal(attributes.scalar("value")?))
    }

    fn samples() -> Vec<Sample> {
        let ones = DType::ALL.map(Scalar::one);
        let hard = [f64::NAN, f64::NEG_INFINITY, -0.0, 0.1, 5e-324].map(Scalar::new);
        let hard32 = [f32::NAN, f32::INFINITY, -0.0, 0.1, 1e-45].map(Scalar::new);
        let limits = [Scalar::new(i32::MIN), Scalar::new(i64::MIN), Scalar::new(u64::MAX), Scalar::new(false)];
        let all = ones.into_iter().chain(hard).chain(hard32).chain(limits);
        all.map(|value| Sample::new(Literal(value), vec![])).collect()
    }
}
