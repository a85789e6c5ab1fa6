//! A value that counts as a constant when derivatives are taken.

use super::{Attributes, Definition, Sample, operands, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Batched, Lowering, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::DType;

/// `x -> x`, with no derivative.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7]) {
///   %1: f64[7] = stop_gradient %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct StopGradient;

impl Array {
    /// The same array, but a constant to every derivative taken through it.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// let x = Array::from(3.0);
    /// assert_eq!(x.stop_gradient(), x);
    /// ```
    #[track_caller]
    pub fn stop_gradient(&self) -> Array {
        apply(StopGradient, &[self])
    }
}

impl Primitive for StopGradient {
    fn name(&self) -> &'static str {
        "stop_gradient"
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let [_] = operands::arrays(args)?;
        Ok(args.to_vec())
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        Ok(args)
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(*self, x)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(*self, x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Identity
    }
}

impl Definition for StopGradient {
    const NAMES: &'static [&'static str] = &["stop_gradient"];

    fn parse(_: &str, _: &Attributes) -> Result<Self, TypeError> {
        Ok(StopGradient)
    }

    fn samples() -> Vec<Sample> {
        let points = samples::SHAPES.map(|shape| samples::points((-1.0, 1.0), 0, shape));
        let all = points.into_iter().chain(DType::ALL.map(samples::hard_values));
        all.map(|x| Sample::new(StopGradient, vec![x])).collect()
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        vec![Sample::new(StopGradient, vec![samples::hard(DType::F64, &[n])])]
    }
}
