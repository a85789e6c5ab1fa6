//! The operators on arrays: `+ - * / % & | ^ << >>`, unary `-` and `!`, and `==`.
//!
//! Operands broadcast by NumPy's rule and promote by [`promote_types`](super::promote_types); a bare `f64` or `i32` takes
//! the dtype of the array beside it. Integers wrap; `/` on integers truncates and `x / 0` does not trap.

use super::Array;
use super::promote::{Term, promote};
use crate::ops::{BinaryOp, UnaryOp};
use crate::source::{called, source_here};
use crate::trace::apply;
use crate::value::Value;
use std::ops::{
    Add, AddAssign, BitAnd, BitAndAssign, BitOr, BitOrAssign, BitXor, BitXorAssign, Div, DivAssign, Mul, MulAssign,
    Neg, Not, Rem, RemAssign, Shl, ShlAssign, Shr, ShrAssign, Sub, SubAssign,
};
use wengert_kernel::{Binary, Unary, with_element};

/// An elementwise operation of two operands that may differ in dtype and shape.
#[track_caller]
pub(crate) fn combine(op: Binary, a: impl Into<Term>, b: impl Into<Term>) -> Array {
    let [a, b] = promote([a.into(), b.into()]);
    apply(BinaryOp(op), &[&a, &b])
}

macro_rules! operator {
    ($name:literal, $op:ident: $Trait:ident::$method:ident, $Assign:ident::$assign:ident, numbers $($number:ty),*) => {
        operator!(impl $name, $op: $Trait::$method for
            (Array, Array), (Array, &Array), (&Array, Array), (&Array, &Array));
        operator!(impl $name, $op: $Assign::$assign for Array, &Array, $($number),*);
        $(operator!(impl $name, $op: $Trait::$method for
            (Array, $number), (&Array, $number), ($number, Array), ($number, &Array));)*
    };
    (impl $name:literal, $op:ident: $Trait:ident::$method:ident for $(($a:ty, $b:ty)),+) => {$(
        impl $Trait<$b> for $a {
            type Output = Array;
            #[track_caller]
            fn $method(self, other: $b) -> Array {
                let _called = called($name);
                combine(Binary::$op, self, other)
            }
        }
    )+};
    (impl $name:literal, $op:ident: $Assign:ident::$assign:ident for $($b:ty),+) => {$(
        impl $Assign<$b> for Array {
            #[track_caller]
            fn $assign(&mut self, other: $b) {
                let _called = called($name);
                *self = combine(Binary::$op, &*self, other);
            }
        }
    )+};
}

operator!("add (+)", Add: Add::add, AddAssign::add_assign, numbers f64, i32);
operator!("sub (-)", Sub: Sub::sub, SubAssign::sub_assign, numbers f64, i32);
operator!("mul (*)", Mul: Mul::mul, MulAssign::mul_assign, numbers f64, i32);
operator!("div (/)", Div: Div::div, DivAssign::div_assign, numbers f64, i32);
operator!("rem (%)", Rem: Rem::rem, RemAssign::rem_assign, numbers f64, i32);
// Floats have no bits to combine.
operator!("and (&)", And: BitAnd::bitand, BitAndAssign::bitand_assign, numbers i32);
operator!("or (|)", Or: BitOr::bitor, BitOrAssign::bitor_assign, numbers i32);
operator!("xor (^)", Xor: BitXor::bitxor, BitXorAssign::bitxor_assign, numbers i32);
operator!("shl (<<)", Shl: Shl::shl, ShlAssign::shl_assign, numbers i32);
operator!("shr (>>)", Shr: Shr::shr, ShrAssign::shr_assign, numbers i32);

macro_rules! unary_operator {
    ($($name:literal, $op:ident: $Trait:ident::$method:ident for $($a:ty),+;)*) => {$($(
        impl $Trait for $a {
            type Output = Array;
            #[track_caller]
            fn $method(self) -> Array {
                let _called = called($name);
                apply(UnaryOp(Unary::$op), &[&self])
            }
        }
    )+)*};
}

unary_operator! {
    "neg (-)", Neg: Neg::neg for Array, &Array;
    "not (!)", Not: Not::not for Array, &Array;
}

/// By value: same dtype, same shape, equal elements (so NaN is not equal to itself). For element by element see
/// [`Array::eq`].
///
/// # Panics
/// On a traced array, whose elements are not known yet.
impl PartialEq for Array {
    #[track_caller]
    fn eq(&self, other: &Array) -> bool {
        if let (Some(a), Some(b)) = (self.complex_parts(), other.complex_parts()) {
            return a == b;
        }
        if self.dtype().is_complex() || other.dtype().is_complex() {
            return false;
        }
        let what = "== (of whole arrays; `eq` compares element by element)";
        match (self.value(what), other.value(what)) {
            (Ok(a), Ok(b)) => same(&a, &b),
            (Err(error), _) | (_, Err(error)) => error.at(source_here()).raise(),
        }
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.ty() == b.ty() && with_element!(a.dtype(), T => a.slice::<T>() == b.slice::<T>())
        }
        (Value::List(a), Value::List(b)) => {
            a.rows.len() == b.rows.len() && a.rows.iter().zip(&b.rows).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Surroundings, door, trace_with};
    use crate::types::Type;
    use wengert_kernel::DType;

    #[test]
    fn arrays_and_numbers_on_both_sides() {
        let x = || Array::from([1.0, 2.0]);
        assert_eq!([x() + x(), x() + &x(), &x() + x(), &x() + &x()], [0; 4].map(|_| Array::from([2.0, 4.0])));
        assert_eq!([x() - 1.0, &x() - 1.0, x() - 1, &x() - 1], [0; 4].map(|_| Array::from([0.0, 1.0])));
        assert_eq!([1.0 - x(), 1.0 - &x(), 1 - x(), 1 - &x()], [0; 4].map(|_| Array::from([0.0, -1.0])));
        assert_eq!(-x(), -&x());
    }

    #[test]
    fn integers_and_bits() {
        let x = Array::from([7, -7]);
        assert_eq!(&x / 2, Array::from([3, -3]));
        assert_eq!(&x % 4, Array::from([3, -3]));
        assert_eq!(&x / 0, Array::from([-1, -1]));
        assert_eq!(&x & 3, Array::from([3, 1]));
        assert_eq!(1 << Array::from([3, 33]), Array::from([8, 0]));
        assert_eq!(&x >> 1, Array::from([3, -4]));
        assert_eq!(&x ^ &x, Array::from([0, 0]));
        assert_eq!(Array::from([true, false]) | Array::from([false, false]), Array::from([true, false]));
        assert_eq!(&x * 0.5, Array::from([3.5, -3.5]));
    }

    #[test]
    fn assignment_promotes_too() {
        let mut x = Array::from([1, 2]);
        x += 1;
        x *= &Array::from([2, 3]);
        assert_eq!(x, Array::from([4, 9]));
        x -= 0.5;
        assert_eq!(x, Array::from([3.5, 8.5]));
        x /= Array::from(0.5);
        assert_eq!(x, Array::from([7.0, 17.0]));
    }

    #[test]
    fn equality_is_by_value() {
        assert_eq!(Array::from(0.0), Array::from(-0.0));
        assert_ne!(Array::from(f64::NAN), Array::from(f64::NAN));
        assert_ne!(Array::from(1.0), Array::from(1f32));
        assert_ne!(Array::from(1.0), Array::from([1.0]));
    }

    #[test]
    fn equality_of_a_variable_is_refused() {
        let types = [Type::scalar(DType::F64)];
        let refused = door(|| trace_with(&types, 0, Surroundings::Inherit, |x| vec![Array::from(x[0] == x[0])]));
        let message = refused.err().expect("it has no value").message;
        assert!(message.contains("`eq` compares element by element") && message.contains("`select`"), "{message}");
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let message = |f: fn() -> Array| door(f).unwrap_err().message;
        assert!(message(|| Array::from(true) + Array::from(true)).starts_with("add (+): it is not defined for bool;"));
        assert!(message(|| Array::from(1.0) & 1).starts_with("and (&): it is not defined for f64;"));
        assert!(message(|| -Array::from(true)).starts_with("neg (-): it is not defined for bool"));
        assert!(
            message(|| Array::from(1).sin())
                .ends_with("it is not defined for i32; `convert` it to a float\n  operand: i32[]")
        );
        assert!(message(|| Array::from(1.0).select(1, 2)).contains("the condition is of dtype f64 and must be bool"));
    }
}
