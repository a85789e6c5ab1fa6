//! Comparisons: two operands of one dtype, a `bool` result.

use super::{Attributes, Definition, Sample, elementwise, rules, samples};
use crate::array::Array;
use crate::complex;
use crate::array::promote::{Term, promote};
use crate::error::{Error, TypeError};
use crate::primitive::{Batched, Lowering, Primitive};
use crate::trace::apply;
use crate::types::Type;
use crate::value::Value;
use crate::source::called;
use wengert_kernel::{Comparison, ScalarOp};

/// `(a, b) -> bool`, of one shape and dtype.
///
/// ```
/// use wengert_core::program::parse;
///
/// let text = r#"program (%0: f64[7], %1: f64[7]) {
///   %2: bool[7] = eq %0 %1
///   return %2
/// }
/// "#;
/// assert_eq!(format!("{:#}", parse(text)?), text);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CompareOp(pub Comparison);

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident: $op:ident;)*) => {
        /// Comparisons, element by element. Operands broadcast and promote as those of `+` do; NaN is unequal to
        /// everything and neither less nor greater.
        impl Array {
            $(
                $(#[$doc])*
                #[track_caller]
                pub fn $name(&self, other: impl Into<Term>) -> Array {
                    let _called = called(stringify!($name));
                    let [a, b] = promote([self.into(), other.into()]);
                    apply(CompareOp(Comparison::$op), &[&a, &b])
                }
            )*
        }
    };
}

comparisons! {
    /// Where the elements are equal. For the equality of whole arrays write `==`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, f64::NAN]).eq(&Array::from([1.0, f64::NAN])), Array::from([true, false]));
    /// ```
    eq: Eq;
    /// Where the elements differ.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1, 2]).ne(2), Array::from([true, false]));
    /// ```
    ne: Ne;
    /// Where the elements are less than those of `other`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.0, -0.0, 1.0]).lt(0.0), Array::from([true, false, false]));
    /// ```
    lt: Lt;
    /// Where the elements are less than or equal to those of `other`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.0, -0.0, 1.0]).le(0.0), Array::from([true, true, false]));
    /// ```
    le: Le;
    /// Where the elements are greater than those of `other`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.0, -0.0, 1.0]).gt(0.0), Array::from([false, false, true]));
    /// ```
    gt: Gt;
    /// Where the elements are greater than or equal to those of `other`.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([-1.0, -0.0, 1.0]).ge(0.0), Array::from([false, true, true]));
    /// ```
    ge: Ge;
}

impl Array {
    /// Where the elements are NaN; nowhere in integers.
    ///
    /// ```
    /// # use wengert_core::Array;
    /// assert_eq!(Array::from([1.0, f64::NAN]).is_nan(), Array::from([false, true]));
    /// ```
    #[track_caller]
    pub fn is_nan(&self) -> Array {
        apply(CompareOp(Comparison::Ne), &[self, self])
    }
}

impl CompareOp {
    fn op(self) -> ScalarOp {
        ScalarOp::Compare(self.0)
    }
}

impl Primitive for CompareOp {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        elementwise::infer::<2>(self.op(), args)
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

    fn complex(&self, x: &[&Array]) -> Option<Vec<Array>> {
        complex::compare(self.0, x[0], x[1]).map(|y| vec![y])
    }

    fn lower(&self) -> Lowering {
        Lowering::Map(self.op())
    }
}

impl Definition for CompareOp {
    const NAMES: &'static [&'static str] = &{
        let mut names = [""; Comparison::ALL.len()];
        let mut i = 0;
        while i < names.len() {
            names[i] = Comparison::ALL[i].name();
            i += 1;
        }
        names
    };

    fn parse(name: &str, _: &Attributes) -> Result<Self, TypeError> {
        let found = Comparison::from_name(name).map(CompareOp);
        found.ok_or_else(|| TypeError::new(format!("there is no comparison `{name}`")))
    }

    fn samples() -> Vec<Sample> {
        let mut all = Vec::new();
        for &op in Comparison::ALL {
            for shape in samples::SHAPES {
                let args = vec![samples::points((-2.0, 2.0), 0, shape), samples::points((-2.0, 2.0), 1, shape)];
                all.push(Sample::new(CompareOp(op), args));
            }
            for dtype in samples::computed() {
                let (a, b) = samples::hard_pairs(dtype);
                all.push(Sample::new(CompareOp(op), vec![a, b]));
            }
        }
        all
    }

    fn samples_of_length(n: usize) -> Vec<Sample> {
        let of = |&op| samples::computed().map(move |dtype| Sample::new(CompareOp(op), samples::hard_pair(dtype, &[n]).into()));
        Comparison::ALL.iter().flat_map(of).collect()
    }
}
