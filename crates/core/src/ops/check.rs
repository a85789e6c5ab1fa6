//! `Check`: a condition that must hold at run time.

use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, ErrorKind, TypeError};
use crate::lanes::{Lanes, Places};
use crate::primitive::{Attribute, Batched, Effect, Lowering, Primitive};
use crate::trace::{current_mask, record};
use crate::types::Type;
use crate::value::Value;
use crate::source::called;
use std::sync::Arc;
use wengert_kernel::DType;

/// Ends the program with an error when a lane of `mask` has a false condition. Operands `mask, condition`; no results.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: bool[], %1: bool[]) {
///   check[message="x is positive"] %0 %1
///   return
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Check {
    /// What the error says.
    pub message: Arc<str>,
}

impl Check {
    /// The error for the lane that failed, of `lanes` in all.
    ///
    /// ```
    /// use wengert_core::ops::Check;
    ///
    /// assert_eq!(Check { message: "x is positive".into() }.error(0, 1).kind, wengert_core::ErrorKind::Check);
    /// ```
    pub fn error(&self, lane: usize, lanes: usize) -> Error {
        let place = if lanes > 1 { format!(" (row {lane} of {lanes} under `vmap`, counted from 0)") } else { String::new() };
        Error::new(ErrorKind::Check, format!("check failed: {}{place}", self.message))
    }
}

impl Primitive for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![("message", Attribute::Text(self.message.to_string()))]
    }

    fn operand(&self, i: usize, _: usize) -> Option<String> {
        (i == 1).then(|| "condition".to_owned())
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        match args {
            [mask, condition] if mask == condition && mask.dtype() == DType::Bool && !mask.is_list() => Ok(Vec::new()),
            [_, condition] => Err(TypeError::new(format!(
                "the condition is {condition}, but must be one truth value (bool[]); compare to get one, reduce an array by `.all()` or `.any()`"
            ))),
            _ => Err(TypeError::new("it takes a mask and a condition")),
        }
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let (mask, condition) = (args[0].array().slice::<bool>(), args[1].array().slice::<bool>());
        match mask.iter().zip(condition).position(|(&m, &c)| m && !c) {
            Some(lane) => Err(self.error(lane, mask.len())),
            None => Ok(Vec::new()),
        }
    }

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(self.clone(), x)
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(self.clone(), x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, _: &Places<'_>) -> Vec<Lanes> {
        Vec::new()
    }

    fn effect(&self) -> Effect {
        Effect::Check
    }
}

impl Definition for Check {
    const NAMES: &'static [&'static str] = &["check"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        Ok(Check { message: a.text("message")?.into() })
    }

    fn samples() -> Vec<Sample> {
        let op = || Check { message: "x is positive".into() };
        let lanes = |x: &[bool]| Value::Array(crate::value::ArrayValue::new(&[x.len()], x.to_vec()));
        let of = |mask: &[bool], holds: &[bool]| Sample::new(op(), vec![lanes(mask), lanes(holds)]);
        let truths = [(true, true), (true, false), (false, true), (false, false)];
        let scalars = truths.map(|(mask, holds)| Sample::new(op(), vec![Value::scalar(mask), Value::scalar(holds)]));
        let pairs = truths.map(|(mask, holds)| of(&[mask, true], &[holds, true]));
        let more = [
            of(&[], &[]),
            of(&[true, false], &[true, false]),
            of(&[true, true, true], &[true, false, false]),
            of(&[false; 17], &[false; 17]),
        ];
        scalars.into_iter().chain(pairs).chain(more).collect()
    }
}

/// Ends the program with an error that names this line unless `condition`, a scalar of dtype `bool`, is true.
///
/// Inside compiled code it costs a comparison. In a branch or loop it counts only where the branch or round is taken,
/// under `vmap` for each lane; of several that fail the first in the order of the program is reported, of lanes the lowest.
///
/// ```
/// use wengert_core::{Array, check};
///
/// let x = Array::from(2.0);
/// check(&x.gt(0.0), "x is positive");
/// ```
#[track_caller]
pub fn check(condition: &Array, message: &str) {
    let _called = called("check");
    let mask = current_mask();
    record(Check { message: message.into() }, &[&mask, condition]);
}
