//! Scalar operations: what one element, one lane, one SSA value can undergo.
//!
//! This is the single definition of their meaning: the interpreter of programs, the interpreter of routines,
//! constant folding and machine code agree with [`ScalarOp::eval`] bit for bit (NaN payloads aside).
//! [`ScalarOp::infer`] alone decides which operation takes which dtypes. Loops over slices take the typed functions
//! ([`unary_fn`], [`binary_fn`], ...), which `eval` calls too.

use crate::dtype::{DType, Element, Scalar};
use crate::with_element;
use std::fmt;

/// A function of one element; the result has the operand's dtype unless said otherwise.
///
/// ```
/// use wengert_kernel::{Scalar, ScalarOp, Unary};
///
/// assert_eq!(ScalarOp::Unary(Unary::Round).eval(&[Scalar::new(2.5)]), Scalar::new(2.0));
/// assert_eq!(ScalarOp::Unary(Unary::Clz).eval(&[Scalar::new(1u8)]), Scalar::new(7u8));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unary {
    /// `-x`; wraps for integers (unsigned too).
    Neg,
    /// Absolute value; `MIN` of a signed integer stays `MIN`.
    Abs,
    /// -1, 0 or 1; keeps NaN and signed zeros.
    Sign,
    /// Logical not of `bool`, bitwise not of integers.
    Not,
    /// Square root, floats only, as all below.
    Sqrt,
    /// The largest integer not above.
    Floor,
    /// The smallest integer not below.
    Ceil,
    /// The nearest integer, ties to even.
    Round,
    /// `e^x`; this and the following are [`crate::math`]'s.
    Exp,
    /// `e^x - 1`.
    Expm1,
    /// Natural logarithm.
    Log,
    /// `log(1 + x)`.
    Log1p,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// Tangent.
    Tan,
    /// Arc sine.
    Asin,
    /// Arc cosine.
    Acos,
    /// Arc tangent.
    Atan,
    /// Hyperbolic sine.
    Sinh,
    /// Hyperbolic cosine.
    Cosh,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Logistic,
    /// `2^x`.
    Exp2,
    /// Logarithm to base 2.
    Log2,
    /// Logarithm to base 10.
    Log10,
    /// Cube root.
    Cbrt,
    /// Inverse hyperbolic sine.
    Asinh,
    /// Inverse hyperbolic cosine.
    Acosh,
    /// Inverse hyperbolic tangent.
    Atanh,
    /// Error function.
    Erf,
    /// `1 - erf(x)`.
    Erfc,
    /// Inverse of the error function.
    ErfInv,
    /// Logarithm of the magnitude of the gamma function.
    Lgamma,
    /// Derivative of the logarithm of the gamma function.
    Digamma,
    /// `-x log x`, 0 at 0 and minus infinity below.
    Entr,
    /// Number of bits that are one, integers only.
    PopulationCount,
    /// Number of zero bits above the highest one, integers only.
    Clz,
    /// `bool`: neither NaN nor infinite.
    IsFinite,
}

/// A function of two elements of one dtype, with a result of that dtype.
///
/// ```
/// use wengert_kernel::{Binary, Scalar, ScalarOp};
///
/// assert_eq!(ScalarOp::Binary(Binary::Max).eval(&[Scalar::new(-0.0), Scalar::new(0.0)]), Scalar::new(0.0));
/// assert_eq!(ScalarOp::Binary(Binary::Shl).eval(&[Scalar::new(1u8), Scalar::new(8u8)]), Scalar::new(0u8));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Binary {
    /// Wraps for integers; logical or for `bool` is `Or`, not this.
    Add,
    /// Wraps for integers.
    Sub,
    /// Wraps for integers.
    Mul,
    /// Truncates for integers; x/0 is -1 (unsigned: MAX), MIN/-1 is MIN.
    Div,
    /// Sign of the dividend; x rem 0 is x for integers, MIN rem -1 is 0.
    Rem,
    /// NaN if either is NaN; max(-0, 0) is 0.
    Max,
    /// NaN if either is NaN; min(-0, 0) is -0.
    Min,
    /// Floats: `x^y`. Integers: by squaring, wrapping; a negative exponent gives 0 unless |x| = 1.
    Pow,
    /// Angle of the point (x = second, y = first), floats only.
    Atan2,
    /// `sqrt(x^2 + y^2)`, floats only, as the two below.
    Hypot,
    /// `x log y`, 0 where x is 0 unless y is NaN.
    Xlogy,
    /// `x log(1 + y)`, 0 where x is 0 unless y is NaN.
    Xlog1py,
    /// Logical for `bool`, bitwise for integers.
    And,
    /// Logical for `bool`, bitwise for integers.
    Or,
    /// Logical for `bool`, bitwise for integers.
    Xor,
    /// Amount outside 0..width: 0.
    Shl,
    /// Arithmetic for signed integers. Amount outside 0..width: 0, or -1 where the sign is shifted in.
    Shr,
    /// Random bits of a key and a counter, `u64` only: see [`crate::threefry`].
    Threefry,
}

/// A comparison of two elements of one dtype; the result is `bool`. With NaN all but `Ne` are false; -0 equals 0.
///
/// ```
/// use wengert_kernel::{Comparison, Scalar, ScalarOp};
///
/// let nan = Scalar::new(f64::NAN);
/// assert_eq!(ScalarOp::Compare(Comparison::Ge).eval(&[nan, nan]), Scalar::new(false));
/// assert_eq!(ScalarOp::Compare(Comparison::Ne).eval(&[nan, nan]), Scalar::new(true));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
}

/// An operation on scalars.
///
/// ```
/// use wengert_kernel::{DType, Scalar, ScalarOp};
///
/// let x = [true, false].map(|p| ScalarOp::Select.eval(&[p.into(), 1.into(), 2.into()]));
/// assert_eq!(x, [Scalar::new(1), Scalar::new(2)]);
/// assert_eq!(ScalarOp::Convert(DType::U8).eval(&[Scalar::new(-3.7)]), Scalar::new(0u8));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ScalarOp {
    /// One operand.
    Unary(Unary),
    /// Two operands.
    Binary(Binary),
    /// Two operands, `bool` result.
    Compare(Comparison),
    /// `(p, a, b)`: `a` where `p`, else `b`.
    Select,
    /// To another dtype: Rust's `as` (saturating, NaN to 0); to `bool`: `x != 0`.
    Convert(DType),
    /// The same bits as another dtype of that size; not of or to `bool`.
    Bitcast(DType),
    /// `x * y + z` with one rounding, floats only.
    Fma,
}

macro_rules! names {
    ($($type:ident {
        $(#[$all_example:meta])* ALL
        $(#[$name_example:meta])* name
        $(#[$from_name_example:meta])* from_name
    } $($variant:ident $name:literal),*;)*) => {$(
        impl $type {
            /// Every member, in order.
            ///
            $(#[$all_example])*
            pub const ALL: &[$type] = &[$($type::$variant),*];

            /// The name in print-outs.
            ///
            $(#[$name_example])*
            pub const fn name(self) -> &'static str {
                match self {
                    $($type::$variant => $name,)*
                }
            }

            /// The member of that name.
            ///
            $(#[$from_name_example])*
            pub fn from_name(name: &str) -> Option<$type> {
                $type::ALL.iter().copied().find(|op| op.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    )*};
}

names! {
    Unary {
        /// ```
        /// use wengert_kernel::Unary;
        ///
        /// assert_eq!((Unary::ALL[0], Unary::ALL.last()), (Unary::Neg, Some(&Unary::IsFinite)));
        /// ```
        ALL
        /// ```
        /// use wengert_kernel::Unary;
        ///
        /// assert_eq!(Unary::ErfInv.name(), "erf_inv");
        /// ```
        name
        /// ```
        /// use wengert_kernel::Unary;
        ///
        /// assert_eq!(Unary::from_name("log1p"), Some(Unary::Log1p));
        /// assert_eq!(Unary::from_name("ln"), None);
        /// ```
        from_name
    } Neg "neg", Abs "abs", Sign "sign", Not "not", Sqrt "sqrt", Floor "floor", Ceil "ceil", Round "round",
        Exp "exp", Expm1 "expm1", Log "log", Log1p "log1p", Sin "sin", Cos "cos", Tan "tan", Asin "asin", Acos "acos",
        Atan "atan", Sinh "sinh", Cosh "cosh", Tanh "tanh", Logistic "logistic", Exp2 "exp2",
        Log2 "log2", Log10 "log10", Cbrt "cbrt", Asinh "asinh", Acosh "acosh", Atanh "atanh", Erf "erf", Erfc "erfc",
        ErfInv "erf_inv", Lgamma "lgamma", Digamma "digamma", Entr "entr", PopulationCount "population_count", Clz "clz",
        IsFinite "is_finite";
    Binary {
        /// ```
        /// use wengert_kernel::{Binary, DType, reduce::is_reduction};
        ///
        /// let sums = Binary::ALL.iter().filter(|&&op| is_reduction(op, DType::F64));
        /// assert!(sums.eq(&[Binary::Add, Binary::Mul, Binary::Max, Binary::Min]));
        /// ```
        ALL
        /// ```
        /// use wengert_kernel::Binary;
        ///
        /// assert_eq!(Binary::Atan2.name(), "atan2");
        /// assert_eq!(Binary::Atan2.name(), Binary::Atan2.to_string());
        /// ```
        name
        /// ```
        /// use wengert_kernel::Binary;
        ///
        /// assert_eq!(Binary::from_name("shl"), Some(Binary::Shl));
        /// assert_eq!(Binary::from_name("<<"), None);
        /// ```
        from_name
    } Add "add", Sub "sub", Mul "mul", Div "div", Rem "rem", Max "max", Min "min", Pow "pow", Atan2 "atan2",
        Hypot "hypot", Xlogy "xlogy", Xlog1py "xlog1py", And "and", Or "or", Xor "xor", Shl "shl", Shr "shr",
        Threefry "threefry";
    Comparison {
        /// ```
        /// use wengert_kernel::Comparison;
        ///
        /// assert_eq!(Comparison::ALL.len(), 6);
        /// ```
        ALL
        /// ```
        /// use wengert_kernel::Comparison;
        ///
        /// assert_eq!(Comparison::Le.name(), "le");
        /// ```
        name
        /// ```
        /// use wengert_kernel::Comparison;
        ///
        /// assert_eq!(Comparison::from_name("ge"), Some(Comparison::Ge));
        /// assert_eq!(Comparison::from_name(">="), None);
        /// ```
        from_name
    } Eq "eq", Ne "ne", Lt "lt", Le "le", Gt "gt", Ge "ge";
}

impl ScalarOp {
    /// The name in print-outs; `convert` and `bitcast` for any dtype.
    ///
    /// ```
    /// use wengert_kernel::{Binary, DType, ScalarOp};
    ///
    /// assert_eq!(ScalarOp::Binary(Binary::Xlogy).name(), "xlogy");
    /// assert_eq!(ScalarOp::Convert(DType::F32).name(), ScalarOp::Convert(DType::I64).name());
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            ScalarOp::Unary(op) => op.name(),
            ScalarOp::Binary(op) => op.name(),
            ScalarOp::Compare(op) => op.name(),
            ScalarOp::Select => "select",
            ScalarOp::Convert(_) => "convert",
            ScalarOp::Bitcast(_) => "bitcast",
            ScalarOp::Fma => "fma",
        }
    }

    /// Number of operands.
    pub(crate) const fn arity(self) -> usize {
        match self {
            ScalarOp::Unary(_) | ScalarOp::Convert(_) | ScalarOp::Bitcast(_) => 1,
            ScalarOp::Binary(_) | ScalarOp::Compare(_) => 2,
            ScalarOp::Select | ScalarOp::Fma => 3,
        }
    }

    /// The dtype of the result, or `None` when the operation does not take operands of these dtypes.
    ///
    /// ```
    /// use wengert_kernel::{Binary, DType, ScalarOp};
    /// assert_eq!(ScalarOp::Binary(Binary::Add).infer(&[DType::F32, DType::F32]), Some(DType::F32));
    /// assert_eq!(ScalarOp::Binary(Binary::Add).infer(&[DType::F32, DType::F64]), None);
    /// ```
    pub fn infer(self, args: &[DType]) -> Option<DType> {
        if !self.is_computed(args.iter().copied()) {
            return None;
        }
        match (self, args) {
            (ScalarOp::Unary(op), &[d]) => {
                let taken = match op {
                    Unary::Neg | Unary::Abs | Unary::Sign => d != DType::Bool,
                    Unary::Not => !d.is_float(),
                    Unary::PopulationCount | Unary::Clz => d.is_integer(),
                    _ => d.is_float(),
                };
                taken.then_some(if op == Unary::IsFinite { DType::Bool } else { d })
            }
            (ScalarOp::Binary(op), &[d, e]) => {
                let taken = match op {
                    Binary::Atan2 | Binary::Hypot | Binary::Xlogy | Binary::Xlog1py => d.is_float(),
                    Binary::And | Binary::Or | Binary::Xor => !d.is_float(),
                    Binary::Shl | Binary::Shr => d.is_integer(),
                    Binary::Threefry => d == DType::U64,
                    _ => d != DType::Bool,
                };
                (taken && d == e).then_some(d)
            }
            (ScalarOp::Compare(_), &[d, e]) => (d == e).then_some(DType::Bool),
            (ScalarOp::Select, &[DType::Bool, d, e]) => (d == e).then_some(d),
            (ScalarOp::Convert(to), &[_]) => Some(to),
            (ScalarOp::Bitcast(to), &[d]) => {
                (d.size() == to.size() && d != DType::Bool && to != DType::Bool).then_some(to)
            }
            (ScalarOp::Fma, &[d, e, g]) => (d.is_float() && d == e && e == g).then_some(d),
            _ => None,
        }
    }

    /// Whether operands may be `f16` or `bf16`; see [`DType::is_half`].
    ///
    /// ```
    /// use wengert_kernel::{DType, ScalarOp, Unary};
    ///
    /// assert!(ScalarOp::Convert(DType::F32).takes_halves());
    /// assert!(!ScalarOp::Unary(Unary::Exp).takes_halves());
    /// ```
    pub const fn takes_halves(self) -> bool {
        match self {
            ScalarOp::Binary(Binary::Add) | ScalarOp::Select | ScalarOp::Convert(_) | ScalarOp::Bitcast(_) => true,
            ScalarOp::Unary(_) | ScalarOp::Binary(_) | ScalarOp::Compare(_) | ScalarOp::Fma => false,
        }
    }

    /// Whether operands of these dtypes, and the result, have elements that it is done to: complex numbers have none.
    fn is_computed(self, dtypes: impl Iterator<Item = DType>) -> bool {
        let to = match self {
            ScalarOp::Convert(to) | ScalarOp::Bitcast(to) => Some(to),
            _ => None,
        };
        dtypes.chain(to).all(|dtype| !dtype.is_complex() && (!dtype.is_half() || self.takes_halves()))
    }

    /// The value of the operation.
    ///
    /// # Panics
    /// When [`ScalarOp::infer`] rejects the dtypes.
    ///
    /// ```
    /// use wengert_kernel::{Binary, Scalar, ScalarOp};
    /// let quotient = ScalarOp::Binary(Binary::Div).eval(&[Scalar::new(7i32), Scalar::new(0i32)]);
    /// assert_eq!(quotient, Scalar::new(-1i32));
    /// ```
    pub fn eval(self, args: &[Scalar]) -> Scalar {
        self.try_eval(args).unwrap_or_else(|| panic!("{} does not take {args:?}", self.name()))
    }

    fn try_eval(self, args: &[Scalar]) -> Option<Scalar> {
        if !self.is_computed(args.iter().map(|x| x.dtype)) {
            return None;
        }
        match (self, args) {
            (ScalarOp::Unary(Unary::IsFinite), &[x]) => with_element!(x.dtype, T => {
                Some(Scalar::new(test_fn::<T>(Unary::IsFinite)?(x.get::<T>()?)))
            }),
            (ScalarOp::Unary(op), &[x]) => with_element!(x.dtype, T => {
                Some(Scalar::new(unary_fn::<T>(op)?(x.get::<T>()?)))
            }),
            (ScalarOp::Binary(op), &[x, y]) => with_element!(x.dtype, T => {
                Some(Scalar::new(binary_fn::<T>(op)?(x.get::<T>()?, y.get::<T>()?)))
            }),
            (ScalarOp::Compare(op), &[x, y]) => with_element!(x.dtype, T => {
                Some(Scalar::new(compare_fn::<T>(op)(x.get::<T>()?, y.get::<T>()?)))
            }),
            (ScalarOp::Select, &[p, x, y]) => {
                let p = p.get::<bool>()?;
                (x.dtype == y.dtype).then_some(if p { x } else { y })
            }
            (ScalarOp::Convert(to), &[x]) => with_element!(x.dtype, A => {
                let x = x.get::<A>()?;
                Some(with_element!(to, B => Scalar::new(convert::<A, B>(x))))
            }),
            (ScalarOp::Bitcast(to), &[x]) if self.infer(&[x.dtype]).is_some() => with_element!(x.dtype, A => {
                let x = x.get::<A>()?;
                Some(with_element!(to, B => Scalar::new(bitcast::<A, B>(x))))
            }),
            (ScalarOp::Fma, &[x, y, z]) => with_element!(x.dtype, T => {
                Some(Scalar::new(fma_fn::<T>()?(x.get::<T>()?, y.get::<T>()?, z.get::<T>()?)))
            }),
            _ => None,
        }
    }
}

/// A unary operation on one element type; `None` when the type has none, and for [`Unary::IsFinite`]: see [`test_fn`].
///
/// ```
/// use wengert_kernel::{Unary, scalar::unary_fn};
///
/// let neg = unary_fn::<u8>(Unary::Neg).unwrap();
/// assert_eq!(neg(1), 255);
/// assert!(unary_fn::<u8>(Unary::Exp).is_none());
/// ```
pub fn unary_fn<T: Element>(op: Unary) -> Option<fn(T) -> T> {
    T::unary(op)
}

/// A unary operation whose result is `bool`, on one element type.
///
/// ```
/// use wengert_kernel::{Unary, scalar::test_fn};
///
/// let is_finite = test_fn::<f32>(Unary::IsFinite).unwrap();
/// assert!(is_finite(0.0) && !is_finite(f32::NAN));
/// assert!(test_fn::<f32>(Unary::Neg).is_none() && test_fn::<i32>(Unary::IsFinite).is_none());
/// ```
pub fn test_fn<T: Element>(op: Unary) -> Option<fn(T) -> bool> {
    if op == Unary::IsFinite { T::finite_test() } else { None }
}

/// A binary operation on one element type; `None` when the type has none.
///
/// ```
/// use wengert_kernel::{Binary, scalar::binary_fn};
///
/// let div = binary_fn::<i32>(Binary::Div).unwrap();
/// assert_eq!((div(-7, 2), div(7, 0)), (-3, -1));
/// assert!(binary_fn::<bool>(Binary::Add).is_none());
/// ```
pub fn binary_fn<T: Element>(op: Binary) -> Option<fn(T, T) -> T> {
    T::binary(op)
}

/// A comparison of one element type.
///
/// ```
/// use wengert_kernel::{Comparison, scalar::compare_fn};
///
/// assert!(compare_fn::<f64>(Comparison::Eq)(-0.0, 0.0));
/// assert!(compare_fn::<bool>(Comparison::Lt)(false, true));
/// ```
pub fn compare_fn<T: Element>(op: Comparison) -> fn(T, T) -> bool {
    match op {
        Comparison::Eq => |x, y| x == y,
        Comparison::Ne => |x, y| x != y,
        Comparison::Lt => |x, y| x < y,
        Comparison::Le => |x, y| x <= y,
        Comparison::Gt => |x, y| x > y,
        Comparison::Ge => |x, y| x >= y,
    }
}

/// [`ScalarOp::Fma`] on one element type; `None` for all but floats.
///
/// ```
/// use wengert_kernel::scalar::fma_fn;
///
/// let (fma, x) = (fma_fn::<f64>().unwrap(), 1.0 + f64::EPSILON);
/// assert_eq!(fma(x, x, -x * x), f64::EPSILON * f64::EPSILON, "the rounding error of the product");
/// assert!(fma_fn::<i32>().is_none());
/// ```
pub fn fma_fn<T: Element>() -> Option<fn(T, T, T) -> T> {
    T::fused()
}

/// [`ScalarOp::Convert`] between two element types.
///
/// ```
/// use wengert_kernel::scalar::convert;
/// assert_eq!(convert::<f64, i32>(3e9), i32::MAX);
/// assert_eq!(convert::<f32, bool>(f32::NAN), true);
/// ```
#[inline(always)]
pub fn convert<A: Element, B: Element>(x: A) -> B {
    B::narrow(x.widen())
}

/// [`ScalarOp::Bitcast`] between two element types of one size.
///
/// ```
/// use wengert_kernel::scalar::bitcast;
/// assert_eq!(bitcast::<f32, i32>(-0.0), i32::MIN);
/// ```
#[inline(always)]
pub fn bitcast<A: Element, B: Element>(x: A) -> B {
    B::from_bits(x.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary<T: Element>(op: Binary, x: T, y: T) -> T {
        ScalarOp::Binary(op).eval(&[Scalar::new(x), Scalar::new(y)]).get().unwrap()
    }

    fn to<B: Element>(x: impl Element) -> B {
        ScalarOp::Convert(B::DTYPE).eval(&[Scalar::new(x)]).get().unwrap()
    }

    fn all_ops() -> Vec<ScalarOp> {
        let mut ops = vec![ScalarOp::Select, ScalarOp::Fma];
        ops.extend(Unary::ALL.iter().map(|&op| ScalarOp::Unary(op)));
        ops.extend(Binary::ALL.iter().map(|&op| ScalarOp::Binary(op)));
        ops.extend(Comparison::ALL.iter().map(|&op| ScalarOp::Compare(op)));
        ops.extend(DType::ALL.map(ScalarOp::Convert));
        ops.extend(DType::ALL.map(ScalarOp::Bitcast));
        ops
    }

    #[test]
    fn eval_takes_what_infer_takes() {
        let mut taken = 0;
        for op in all_ops() {
            for n in 0..4u32 {
                let all = DType::ALL.len();
                for code in 0..all.pow(n) {
                    let dtypes: Vec<DType> = (0..n).map(|i| DType::ALL[code / all.pow(i) % all]).collect();
                    let args: Vec<Scalar> = dtypes.iter().map(|&d| Scalar::one(d)).collect();
                    let result = op.try_eval(&args).map(|y| y.dtype);
                    assert_eq!(result, op.infer(&dtypes), "{op:?} {dtypes:?}");
                    taken += result.is_some() as usize;
                    assert!(result.is_none() || op.arity() == n as usize);
                }
            }
        }
        // Unary: 3 on 7 dtypes, 1 on 6, 32 on 2, 2 on 5. Binary: 8 on 7, 4 on 2, 3 on 6, 2 on 5, 1 on 1. Compare: 6 on 8.
        // Select: 10, fma: 2, convert: 10 from 10, bitcast: 1, 2, 3 and 3 of one size among themselves. Halves: their sum.
        assert_eq!(taken, 21 + 6 + 64 + 10 + 56 + 8 + 18 + 10 + 1 + 48 + 10 + 2 + 100 + 1 + 4 + 9 + 9 + 2);
    }

    #[test]
    fn names_are_distinct_and_read_back() {
        let mut names: Vec<&str> = all_ops().into_iter().map(ScalarOp::name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 2 + Unary::ALL.len() + Binary::ALL.len() + Comparison::ALL.len() + 2);
        assert!(Unary::ALL.iter().all(|op| Unary::from_name(op.name()) == Some(*op)));
        assert!(Binary::ALL.iter().all(|op| Binary::from_name(op.name()) == Some(*op)));
        assert!(Comparison::ALL.iter().all(|op| Comparison::from_name(op.name()) == Some(*op)));
        assert_eq!(Unary::from_name("add"), None);
    }

    /// Every pair of `u8` against arithmetic in `i64` (`u8` is the only type small enough to try all).
    #[test]
    fn all_u8_pairs() {
        for (x, y) in (0..=255u8).flat_map(|x| (0..=255u8).map(move |y| (x, y))) {
            let (a, b) = (x as i64, y as i64);
            let cases = [
                (Binary::Add, a + b),
                (Binary::Sub, a - b),
                (Binary::Mul, a * b),
                (Binary::Div, if b == 0 { 255 } else { a / b }),
                (Binary::Rem, if b == 0 { a } else { a % b }),
                (Binary::Max, if a > b { a } else { b }),
                (Binary::Min, if a > b { b } else { a }),
                (Binary::Pow, (0..b).fold(1, |p, _| p * a % 256)),
                (Binary::And, a & b),
                (Binary::Or, a | b),
                (Binary::Xor, a ^ b),
                (Binary::Shl, if b > 7 { 0 } else { a << b }),
                (Binary::Shr, if b > 7 { 0 } else { a >> b }),
            ];
            for (op, want) in cases {
                assert_eq!(binary_fn::<u8>(op).unwrap()(x, y), want.rem_euclid(256) as u8, "{op} {x} {y}");
            }
        }
    }

    #[test]
    fn signed_division_shifts_and_powers() {
        for x in [i32::MIN, i32::MIN + 1, -7, -2, -1, 0, 1, 2, 7, i32::MAX] {
            assert_eq!(binary(Binary::Div, x, 0), -1);
            assert_eq!(binary(Binary::Rem, x, 0), x);
            assert_eq!(binary(Binary::Rem, x, -1), 0);
            assert_eq!(binary(Binary::Div, x, -1), x.wrapping_neg());
            for y in [-100, -1, 32, 33, i32::MIN, i32::MAX] {
                assert_eq!(binary(Binary::Shl, x, y), 0);
                assert_eq!(binary(Binary::Shr, x, y), if x < 0 { -1 } else { 0 });
            }
            for y in 0..32 {
                assert_eq!(binary(Binary::Shl, x, y), ((x as i64) << y) as i32);
                assert_eq!(binary(Binary::Shr, x, y) as i64, (x as i64) >> y);
            }
            assert_eq!(binary(Binary::Pow, x, 0), 1);
            assert_eq!(binary(Binary::Pow, x, 3), x.wrapping_mul(x).wrapping_mul(x));
            let inverse = if x.abs_diff(0) == 1 { x } else { 0 };
            assert_eq!(binary(Binary::Pow, x, -1), inverse);
            assert_eq!(binary(Binary::Pow, x, i32::MIN), inverse * inverse);
        }
        assert_eq!(binary(Binary::Div, -7i64, 2), -3);
        assert_eq!(binary(Binary::Rem, -7i64, 2), -1);
        assert_eq!(binary(Binary::Div, i64::MIN, -1), i64::MIN);
        assert_eq!(binary(Binary::Rem, i64::MIN, -1), 0);
        assert_eq!(binary(Binary::Div, 7u32, 0), u32::MAX);
        assert_eq!(binary(Binary::Shr, u64::MAX, 64), 0);
        assert_eq!(binary(Binary::Shr, 5u64, u64::MAX), 0);
        assert_eq!(binary(Binary::Shl, 1u64, 63), 1 << 63);
        assert_eq!(binary(Binary::Shl, 1u64, 1 << 32), 0);
    }

    #[test]
    fn unary_corners_of_integers() {
        let unary = |op, x: i32| unary_fn::<i32>(op).unwrap()(x);
        assert_eq!(unary(Unary::Abs, i32::MIN), i32::MIN);
        assert_eq!(unary(Unary::Neg, i32::MIN), i32::MIN);
        assert_eq!([-5, 0, 9].map(|x| unary(Unary::Sign, x)), [-1, 0, 1]);
        assert_eq!(unary(Unary::Not, 0), -1);
        assert_eq!(unary_fn::<u8>(Unary::Neg).unwrap()(1), 255);
        assert_eq!(unary_fn::<u64>(Unary::Abs).unwrap()(u64::MAX), u64::MAX);
        assert_eq!(unary_fn::<u64>(Unary::Sign).unwrap()(u64::MAX), 1);
        assert!(unary_fn::<bool>(Unary::Not).unwrap()(false));
        assert!(!test_fn::<f32>(Unary::IsFinite).unwrap()(f32::INFINITY));
        assert!(test_fn::<f32>(Unary::Neg).is_none());
    }

    #[test]
    fn conversions_saturate() {
        assert_eq!([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 3e9].map(to::<i32>), [0, i32::MAX, i32::MIN, i32::MAX]);
        assert_eq!([-1.0f32, f32::NAN, 5e9].map(to::<u32>), [0, 0, u32::MAX]);
        assert_eq!([300.0f64, -300.0, f64::NAN, 1.9, -0.9].map(to::<u8>), [255, 0, 0, 1, 0]);
        assert_eq!([1e30f32, -1e30].map(to::<i64>), [i64::MAX, i64::MIN]);
        assert_eq!([f64::NAN, 0.0, -0.0, 0.5].map(to::<bool>), [true, false, false, true]);
        assert_eq!([true, false].map(to::<f32>), [1.0, 0.0]);
        assert_eq!([true, false].map(to::<i64>), [1, 0]);
    }

    #[test]
    fn conversions_of_integers_wrap() {
        assert_eq!(to::<u8>(-1i32), 255);
        assert_eq!(to::<u64>(-1i32), u64::MAX);
        assert_eq!(to::<i64>(u32::MAX), u32::MAX as i64);
        assert_eq!(to::<i32>(u64::MAX), -1);
        assert_eq!(to::<f32>(u64::MAX), u64::MAX as f32);
        assert_eq!(to::<f32>(16_777_217i32), 16_777_216.0);
        assert!([256i32, -1, i32::MIN].map(to::<bool>).iter().all(|&x| x));
        assert_eq!(to::<f32>(f64::MAX), f32::INFINITY);
    }

    #[test]
    fn comparisons() {
        let compare = |op, x: f64, y: f64| compare_fn::<f64>(op)(x, y);
        for op in Comparison::ALL {
            assert_eq!(compare(*op, f64::NAN, 1.0), *op == Comparison::Ne);
            let equal = matches!(op, Comparison::Eq | Comparison::Le | Comparison::Ge);
            assert_eq!(compare(*op, -0.0, 0.0), equal);
        }
        assert!(compare_fn::<bool>(Comparison::Lt)(false, true));
        assert!(compare_fn::<u64>(Comparison::Gt)(u64::MAX, 0));
        assert!(compare_fn::<i64>(Comparison::Lt)(-1, 0));
    }

    #[test]
    fn fma_rounds_once_and_select_keeps_bits() {
        let x = 1.0 + f64::EPSILON;
        assert_eq!(
            ScalarOp::Fma.eval(&[x, x, -1.0].map(Scalar::new)),
            Scalar::new(f64::EPSILON * (2.0 + f64::EPSILON))
        );
        let nan = Scalar { dtype: DType::F32, bits: 0x7fc0_1234 };
        assert_eq!(ScalarOp::Select.eval(&[Scalar::new(true), nan, Scalar::new(1f32)]), nan);
    }

    #[test]
    #[should_panic(expected = "add does not take")]
    fn eval_names_what_it_cannot_do() {
        ScalarOp::Binary(Binary::Add).eval(&[Scalar::new(true), Scalar::new(true)]);
    }
}
