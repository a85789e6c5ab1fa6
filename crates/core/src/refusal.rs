//! Errors about operands, in one form everywhere: the function by the name the user typed, a sentence with the repair, each
//! operand with its type and where it comes from, the user's line.

use crate::array::{Array, Repr};
use crate::error::{Error, ErrorKind, TypeError};
use crate::ops::Op;
use crate::source::{name_here, source_here};
use crate::trace::is_tracing;
use std::fmt::Display;

/// Raises an error about these operands of the function that the user called.
///
/// ```
/// use wengert_core::{Array, refusal::refuse, trace::door};
///
/// let x = Array::from(1.0);
/// let error = door(|| -> () { refuse("one row is needed at least", &[&x]) }).unwrap_err();
/// assert!(error.to_string().contains("operand: f64[]"));
/// ```
#[track_caller]
pub fn refuse(message: impl Display, operands: &[&Array]) -> ! {
    let label = |i: usize| if operands.len() == 1 { "operand".to_owned() } else { format!("operand {i}") };
    let labelled = operands.iter().enumerate().map(|(i, x)| (label(i), *x));
    error(name_here(), message, labelled).at(source_here()).raise()
}

/// The value, or an error about these operands.
#[track_caller]
pub(crate) fn accept<T>(result: Result<T, TypeError>, operands: &[&Array]) -> T {
    match result {
        Ok(value) => value,
        Err(e) => refuse(e, operands),
    }
}

/// Why an operation does not take its operands. Those that are not the user's own are not listed; `x.square()` is a
/// product of one.
#[cold]
pub(crate) fn refused(op: &Op, reason: &TypeError, args: &[&Array]) -> Error {
    let args = if args.iter().all(|x| x.is_same(args[0])) { &args[..args.len().min(1)] } else { args };
    let labelled = args.iter().enumerate().filter_map(|(i, x)| Some((op.operand(i, args.len())?, *x)));
    error(Some(name_here().unwrap_or(op.name())), reason, labelled)
}

/// Refuses to transpose an operation that is not linear in what the cotangent is wanted of. A derivative never asks for
/// that: only a user's function that is taken for linear does.
#[track_caller]
#[cold]
pub(crate) fn not_linear(operation: &str) -> ! {
    let message = format!(
        "linear_transpose: the function is not linear in its argument, as {operation} is not; use `vjp`, which takes any differentiable function"
    );
    Error::new(ErrorKind::Type, message).at(source_here()).raise()
}

fn error<'a>(name: Option<&str>, sentence: impl Display, operands: impl Iterator<Item = (String, &'a Array)>) -> Error {
    let mut message = match name {
        Some(name) => format!("{name}: {sentence}"),
        None => sentence.to_string(),
    };
    for (label, x) in operands {
        message += &format!("\n  {label}: {}", x.ty());
        match &x.0 {
            Repr::Variable(v) => message += &format!(", {}", v.made),
            Repr::Value(_) if is_tracing() => message += ", a value (not traced)",
            Repr::Value(_) | Repr::Complex(_) => {}
        }
    }
    Error::new(ErrorKind::Type, message)
}
