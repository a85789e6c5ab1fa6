//! A value with a name, for a checkpoint to keep.

use super::{Attributes, Definition, Sample, operands, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use std::sync::Arc;
use wengert_kernel::DType;

/// `x -> x`.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7]) {
///   %1: f64[7] = named[name="hidden"] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Named {
    /// The name.
    pub name: Arc<str>,
}

impl Array {
    /// The same array, under a name by which [`checkpoint_keeping`](crate::checkpoint_keeping) can be told to keep it.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from(3.0);
    /// assert_eq!(x.named("x"), x);
    /// ```
    #[track_caller]
    pub fn named(&self, name: &str) -> Array {
        apply(Named { name: name.into() }, &[self])
    }
}

impl Primitive for Named {
    fn name(&self) -> &'static str {
        "named"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("name", Attribute::Text(self.name.to_string()))]
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [_] = operands::arrays(args)?;
        Ok(args.to_vec())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        Ok(args)
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        (vec![apply(self.clone(), &[&x[0]])], dx.to_vec())
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(self.clone(), x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Identity
    }
}

impl Definition for Named {
    const NAMES: &'static [&'static str] = &["named"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        Ok(Named { name: a.text("name")?.into() })
    }

    fn samples() -> Vec<Sample> {
        let op = || Named { name: "x".into() };
        let points = samples::SHAPES.map(|shape| samples::points((-1.0, 1.0), 0, shape));
        let smooth = points.map(|x| Sample::new(op(), vec![x]).smooth(&[0]));
        let hard = DType::ALL.map(|dtype| Sample::new(op(), vec![samples::hard_values(dtype)]));
        smooth.into_iter().chain(hard).collect()
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        vec![Sample::new(Named { name: "x".into() }, vec![samples::hard(DType::F64, &[n])])]
    }
}
