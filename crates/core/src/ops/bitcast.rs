//! Elements taken as elements of another dtype with the same bits.

use super::{Attributes, Definition, Sample, elementwise, rules, samples};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::primitive::{Attribute, Batched, Lowering, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use wengert_kernel::{DType, ScalarOp};

/// `x -> x` with the bits of every element read as another dtype of the same size.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f32[7]) {
///   %1: u32[7] = bitcast[dtype=u32] %0
///   return %1
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bitcast {
    /// The dtype of the result.
    pub dtype: DType,
}

impl Array {
    /// The bits of the elements as another dtype of the same size: `i32`, `u32` and `f32` among themselves, and `i64`, `u64`
    /// and `f64`. JAX's `bitcast_convert_type`. It has no derivative.
    ///
    /// The bits of a NaN that was computed are not the same in every engine.
    ///
    /// # Panics
    /// At the caller's line when the sizes differ, and from or to `bool`.
    ///
    /// ```
    /// # use wengert_core::{Array, DType};
    /// assert_eq!(Array::from([1f32, -0.0]).bitcast(DType::I32), Array::from([0x3f80_0000, i32::MIN]));
    /// ```
    #[track_caller]
    pub fn bitcast(&self, dtype: DType) -> Array {
        if self.dtype() == dtype { self.clone() } else { apply(Bitcast { dtype }, &[self]) }
    }
}

impl Bitcast {
    fn op(&self) -> ScalarOp {
        ScalarOp::Bitcast(self.dtype)
    }
}

impl Primitive for Bitcast {
    fn name(&self) -> &'static str {
        "bitcast"
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

    fn jvp(&self, x: &[Array], _: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        rules::jvp_constant(*self, x)
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

/// Pairs of dtypes of one size.
fn pairs() -> impl Iterator<Item = (DType, DType)> {
    let all = DType::ALL.into_iter().flat_map(|from| DType::ALL.map(|to| (from, to)));
    all.filter(|(from, to)| ScalarOp::Bitcast(*to).infer(&[*from]).is_some())
}

impl Definition for Bitcast {
    const NAMES: &'static [&'static str] = &["bitcast"];

    fn parse(_: &str, attributes: &Attributes) -> Result<Self, TypeError> {
        Ok(Bitcast { dtype: attributes.dtype("dtype")? })
    }

    fn samples() -> Vec<Sample> {
        let hard = |(from, to)| Sample::new(Bitcast { dtype: to }, vec![samples::hard_values(from)]);
        let mut all: Vec<Sample> = pairs().map(hard).collect();
        for shape in samples::SHAPES {
            all.push(Sample::new(Bitcast { dtype: DType::U64 }, vec![samples::points((-3.0, 3.0), 0, shape)]));
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        pairs().map(|(from, to)| Sample::new(Bitcast { dtype: to }, vec![samples::hard(from, &[n])])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::door;

    #[test]
    fn sizes_must_agree() {
        let message = |f: fn() -> Array| door(f).unwrap_err().message;
        let wide = message(|| Array::from([1f32]).bitcast(DType::I64));
        assert!(wide.starts_with("bitcast: f32 has 32 bits and i64 has 64; `convert`"), "{wide}");
        let truth = message(|| Array::from([true]).bitcast(DType::U8));
        assert!(truth.starts_with("bitcast: bool is not bits; `convert` it to u8"), "{truth}");
    }

    #[test]
    fn bits_survive_there_and_back() {
        let x = Array::from([f64::MIN_POSITIVE, -0.0, 1.5]);
        assert_eq!(x.bitcast(DType::I64).bitcast(DType::F64), x);
        assert_eq!(x.bitcast(DType::U64).bitcast(DType::I64), x.bitcast(DType::I64));
    }
}
