//! Tracing: the stack of open traces on this thread, and how an operation enters a program.
//!
//! While a trace is open every operation is recorded in the innermost one, whatever its operands; an operand from
//! outside (a value, or a variable of an enclosing trace) becomes a captured input. With no open trace an operation
//! is evaluated at once.

use crate::array::{Array, Repr, Variable};
use crate::error::{Error, ErrorKind};
use crate::ops::{Literal, Op};
use crate::program::{Args, Builder, Program, Var};
use crate::refusal::refused;
use crate::source::{Origin, Source, in_users_code, name_here, source_here, with_source};
use crate::types::Type;
use crate::value::Value;
use smallvec::SmallVec;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wengert_kernel::Scalar;

/// Identity of a trace, unique in the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TraceId(u64);

/// A program and what it captured: the captures are its leading inputs (after `prefix` parameters).
///
/// ```
/// use wengert_core::{DType, Type, array, trace::{Surroundings, trace_with}};
///
/// let two = array![1.0, 2.0];
/// let traced = trace_with(&[Type::array(DType::F64, &[2])], 0, Surroundings::Inherit, |x| vec![&x[0] * &two]);
/// assert_eq!(traced.program.inputs(), 2);
/// assert_eq!(traced.captures, [two]);
/// ```
pub struct Traced {
    /// The closed program.
    pub program: Program,
    /// Arrays from outside the closure, in the order of their inputs.
    pub captures: Vec<Array>,
}

struct Open {
    id: TraceId,
    /// `None` for a [`concrete`] block, in which operations run at once.
    builder: Option<Builder>,
    captures: Vec<(Array, Var)>,
    captured: HashMap<Key, Var>,
    /// The lane mask that loops and branches recorded here are under.
    mask: Option<Array>,
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    Variable(TraceId, Var),
    /// The address of a buffer that the capture keeps alive, and the shape it is seen in.
    Value(usize, Type),
}

thread_local! {
    static STACK: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
    static DOORS: Cell<usize> = const { Cell::new(0) };
}

/// Truncates the stack when a trace ends, by a panic too.
struct Guard(usize);

impl Drop for Guard {
    fn drop(&mut self) {
        let closed = STACK.with_borrow_mut(|stack| stack.split_off(self.0.min(stack.len())));
        drop(closed);
    }
}

fn open(builder: Option<Builder>, mask: Option<Array>) -> (Guard, TraceId) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = TraceId(NEXT.fetch_add(1, Ordering::Relaxed));
    let depth = STACK.with_borrow_mut(|stack| {
        stack.push(Open { id, builder, captures: Vec::new(), captured: HashMap::new(), mask });
        stack.len() - 1
    });
    (Guard(depth), id)
}

/// Whether operations are being recorded on this thread.
///
/// ```
/// use wengert_core::{Array, cond, trace::is_tracing};
///
/// assert!(!is_tracing());
/// cond(&Array::from(true), || { assert!(is_tracing()); Array::from(1) }, || Array::from(2));
/// ```
pub fn is_tracing() -> bool {
    STACK.with_borrow(|stack| stack.last().is_some_and(|t| t.builder.is_some()))
}

/// How a trace stands to what surrounds it.
///
/// ```
/// use wengert_core::trace::{Surroundings, trace_with};
///
/// // A trace that takes nothing and returns nothing.
/// assert!(trace_with(&[], 0, Surroundings::Inherit, |_| Vec::new()).captures.is_empty());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surroundings {
    /// A user's closure that will be inlined where it stands: it runs under the lane mask that is in force here.
    Inherit,
    /// The body of a loop, branch or call: its first parameter is its lane mask.
    Body,
    /// A program made by a transform, closed by construction.
    Closed,
}

/// Runs `f` on variables of the given types and returns what it recorded. The inputs of the program are the first
/// `prefix` parameters, then the captures, then the other parameters.
///
/// # Panics
/// When `f` returns a variable of a trace that is over.
///
/// ```
/// use wengert_core::{DType, Type, array, trace::{Surroundings, trace_with}};
///
/// let two = array![1.0, 2.0];
/// let traced = trace_with(&[Type::array(DType::F64, &[2])], 0, Surroundings::Inherit, |x| vec![&x[0] * &two]);
/// assert_eq!(traced.program.inputs(), 2);
/// assert_eq!(traced.captures, [two]);
/// ```
#[track_caller]
pub fn trace_with(
    types: &[Type],
    prefix: usize,
    surroundings: Surroundings,
    f: impl FnOnce(Vec<Array>) -> Vec<Array>,
) -> Traced {
    let made = Origin::argument();
    let mut builder = Builder::new();
    let params: Vec<Var> = types.iter().map(|ty| builder.input(ty.clone())).collect();
    let mask = match surroundings {
        Surroundings::Inherit => STACK.with_borrow(|stack| stack.last().and_then(|t| t.mask.clone())),
        Surroundings::Body | Surroundings::Closed => None,
    };
    let (guard, id) = open(Some(builder), mask);
    let variable =
        |(&var, ty): (&Var, &Type)| Array::variable(Variable { trace: id, var, ty: ty.clone(), made: made.clone() });
    let arguments: Vec<Array> = params.iter().zip(types).map(variable).collect();
    if surroundings == Surroundings::Body {
        let mask = Some(arguments[0].clone());
        STACK.with_borrow_mut(|stack| stack.last_mut().expect("it was just opened").mask = mask);
    }
    let results = match surroundings {
        Surroundings::Inherit | Surroundings::Body => in_users_code(|| f(arguments)),
        Surroundings::Closed => f(arguments),
    };
    let outputs: Result<Vec<Var>, Error> = results.iter().map(|y| resolve(y, "trace")).collect();
    let outputs = outputs.unwrap_or_else(|e| e.at(source_here()).raise());
    let top = STACK.with_borrow_mut(|stack| {
        assert_eq!(stack.len(), guard.0 + 1, "traces close in the order they opened");
        stack.pop().expect("the trace is open")
    });
    drop(guard);
    let (captures, vars): (Vec<Array>, Vec<Var>) = top.captures.into_iter().unzip();
    assert!(surroundings != Surroundings::Closed || captures.is_empty(), "a transformed program is closed");
    let inputs: Vec<Var> = params[..prefix].iter().chain(&vars).chain(&params[prefix..]).copied().collect();
    let program = top.builder.expect("a trace has a builder").finish_with(&inputs, &outputs);
    Traced { program, captures }
}

/// The program of a transform's closure, which captures nothing.
///
/// # Panics
/// When it captures something.
///
/// ```
/// use wengert_core::{DType, Type, trace::trace_closed};
///
/// let program = trace_closed(&[Type::scalar(DType::F64)], |x| vec![x[0].sin()]);
/// assert_eq!(program.equations().len(), 1);
/// ```
#[track_caller]
pub fn trace_closed(types: &[Type], f: impl FnOnce(Vec<Array>) -> Vec<Array>) -> Program {
    trace_with(types, 0, Surroundings::Closed, f).program
}

/// Runs `f` with all traces closed, so that values can be computed while tracing.
///
/// A traced array used inside is an error: its value is not known yet.
///
/// ```
/// use wengert_core::{Array, array, cond, trace::concrete};
///
/// let table = array![1.0, 4.0, 9.0];
/// let y = cond(
///     &Array::from(true),
///     || {
///         let largest = concrete(|| table.max().item::<f64>()); // a number, while tracing
///         Array::from(largest.unwrap())
///     },
///     || Array::from(0.0),
/// );
/// assert_eq!(y, Array::from(9.0));
/// ```
pub fn concrete<R>(f: impl FnOnce() -> R) -> R {
    let (_guard, _) = open(None, None);
    f()
}

/// The lane mask in force: which lanes of an enclosing batch take part here. `true` outside of loops and branches.
#[track_caller]
pub(crate) fn current_mask() -> Array {
    let mask = STACK.with_borrow(|stack| stack.last().and_then(|t| t.mask.clone()));
    // In a closure the caller's line would be lost.
    match mask {
        Some(mask) => mask,
        None => record(Literal(Scalar::new(true)), &[]).remove(0),
    }
}

/// The variable of the innermost trace that stands for an array there, an operand of `operation`.
fn resolve(x: &Array, operation: &str) -> Result<Var, Error> {
    STACK.with_borrow_mut(|stack| {
        let (top, below) = stack.split_last_mut().expect("a trace is open");
        let key = match &x.0 {
            Repr::Variable(v) if v.trace == top.id => return Ok(v.var),
            Repr::Variable(v) => {
                if !below.iter().any(|t| t.id == v.trace) {
                    return Err(escaped(v, operation));
                }
                Key::Variable(v.trace, v.var)
            }
            Repr::Value(value) => Key::Value(address(value), value.ty()),
            Repr::Complex(_) => return Err(crate::complex::two_values(x, operation)),
        };
        if let Some(&var) = top.captured.get(&key) {
            return Ok(var);
        }
        let var = top.builder.as_mut().expect("a trace has a builder").input(x.ty());
        top.captured.insert(key, var);
        top.captures.push((x.clone(), var));
        Ok(var)
    })
}

/// Where a value's data lies: equal for clones.
pub(crate) fn address(value: &Value) -> usize {
    match value {
        Value::Array(a) => Arc::as_ptr(&a.buffer) as usize,
        Value::List(l) => Arc::as_ptr(l) as usize,
    }
}

/// Why `operation` cannot use a variable whose trace is not open.
#[cold]
fn escaped(v: &Variable, operation: &str) -> Error {
    let name = name_here().unwrap_or(operation);
    let message = format!(
        "{name}: a traced array is used after its trace ended, or on another thread; return it from the closure instead of storing it outside\n  array: {}, {}",
        v.ty, v.made
    );
    Error::new(ErrorKind::Trace, message)
}

/// Why a variable has no value for `operation`.
#[cold]
pub(crate) fn no_value(v: &Variable, operation: &str) -> Error {
    let open = STACK.with_borrow(|stack| stack.iter().any(|t| t.id == v.trace));
    if !open {
        return escaped(v, operation);
    }
    let name = name_here().unwrap_or(operation);
    let message = format!(
        "{name}: it needs the value of a traced array, which is not known while tracing; to choose by it use `select` or `cond`, to read it return it from the traced function\n  array: {}, {}",
        v.ty, v.made
    );
    Error::new(ErrorKind::Trace, message)
}

/// Records an operation in the innermost trace, or evaluates it when none is open. Panics at the caller's line with
/// a sentence when the operands do not fit.
///
/// ```
/// use wengert_core::{array, ops::Select, trace::record};
///
/// let y = record(Select, &[&array![true, false], &array![1, 2], &array![3, 4]]);
/// assert_eq!(y, [array![1, 4]]);
/// ```
#[track_caller]
pub fn record(op: impl Into<Op>, args: &[&Array]) -> Vec<Array> {
    let op = op.into();
    let source = source_here();
    match try_record(op, args, &source) {
        Ok(results) => results,
        Err(error) => error.or_at(source).raise(),
    }
}

/// The same for an operation with one result.
#[track_caller]
pub(crate) fn apply(op: impl Into<Op>, args: &[&Array]) -> Array {
    let mut results = record(op, args);
    debug_assert_eq!(results.len(), 1);
    results.remove(0)
}

fn try_record(op: Op, args: &[&Array], source: &Source) -> Result<Vec<Array>, Error> {
    if args.iter().any(|x| matches!(x.0, Repr::Complex(_))) {
        return crate::complex::record(op, args);
    }
    let types: SmallVec<[Type; 3]> = args.iter().map(|x| x.ty()).collect();
    if crate::halves::must_widen(&op, &types) {
        return crate::halves::record(op, args);
    }
    let results = op.infer(&types).map_err(|e| refused(&op, &e, args))?;
    if !is_tracing() {
        let mut values = Vec::with_capacity(args.len());
        for x in args {
            match &x.0 {
                Repr::Value(v) => values.push(v.clone()),
                Repr::Variable(v) => return Err(no_value(v, op.name())),
                Repr::Complex(_) => unreachable!("complex operands were taken apart"),
            }
        }
        let results = op.eval(values)?;
        return Ok(results.into_iter().map(|y| Array(Repr::Value(y))).collect());
    }
    let name = op.name();
    let args: Args = args.iter().map(|x| resolve(x, name)).collect::<Result<_, _>>()?;
    let made = Origin::result(name, source.clone());
    Ok(STACK.with_borrow_mut(|stack| {
        let top = stack.last_mut().expect("a trace is open");
        let equation = top.builder.as_mut().expect("a trace has a builder").push(
            op,
            args,
            results.iter().cloned(),
            source.clone(),
        );
        let variable = |(var, ty)| Array::variable(Variable { trace: top.id, var, ty, made: made.clone() });
        equation.results().zip(results).map(variable).collect()
    }))
}

/// Records a whole program on these arguments, equation by equation.
///
/// # Panics
/// When the number of arguments is not that of the inputs, or a type does not fit.
///
/// ```
/// use wengert_core::{array, program::parse, trace::inline};
///
/// let program = parse("program (%0: f64[2]) {\n  %1: f64[2] = mul %0 %0\n  return %1\n}\n")?;
/// assert_eq!(inline(&program, &[array![2.0, 3.0]]), [array![4.0, 9.0]]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn inline(program: &Program, args: &[Array]) -> Vec<Array> {
    assert_eq!(program.inputs(), args.len());
    let mut env: Vec<Option<Array>> = args.iter().cloned().map(Some).collect();
    env.resize(program.vars(), None);
    for e in program.equations() {
        let results = with_source(&e.source, || {
            let x: Vec<&Array> = e.args.iter().map(|a| env[a.index()].as_ref().expect("defined before use")).collect();
            record(e.op.clone(), &x)
        });
        for (v, y) in e.results().zip(results) {
            env[v.index()] = Some(y);
        }
    }
    program.outputs().iter().map(|v| env[v.index()].clone().expect("defined before use")).collect()
}

/// The results of a program: inlined into the open trace, or run now.
///
/// ```
/// use wengert_core::{array, program::parse, trace::apply_program};
///
/// let program = parse("program (%0: f64[2]) {\n  %1: f64[2] = mul %0 %0\n  return %1\n}\n")?;
/// assert_eq!(apply_program(&program, &[array![2.0, 3.0]]), [array![4.0, 9.0]]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
#[track_caller]
pub fn apply_program(program: &Program, args: &[Array]) -> Vec<Array> {
    if is_tracing() {
        return inline(program, args);
    }
    let values = args.iter().map(|x| x.value("run")).collect::<Result<Vec<_>, _>>();
    let results = values.and_then(|values| crate::interpret::interpret(program, values));
    match results {
        Ok(results) => results.into_iter().map(|y| Array(Repr::Value(y))).collect(),
        Err(error) => error.or_at(source_here()).raise(),
    }
}

/// Runs `f`; an error raised inside comes back as `Err`, any other panic goes on.
///
/// # Errors
/// That error.
///
/// ```
/// use wengert_core::{array, trace::door};
///
/// assert!(door(|| array![1.0, 2.0].reshape(3)).is_err());
/// assert_eq!(door(|| array![1.0, 2.0].sum()), Ok(3.0.into()));
/// ```
pub fn door<R>(f: impl FnOnce() -> R) -> Result<R, Error> {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            DOORS.set(DOORS.get() - 1);
        }
    }
    let result = {
        DOORS.set(DOORS.get() + 1);
        let _leave = Leave;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
    };
    result.or_else(|payload| match payload.downcast::<Error>() {
        Ok(error) => Err(*error),
        Err(other) => std::panic::resume_unwind(other),
    })
}

pub(crate) fn inside_door() -> bool {
    DOORS.get() > 0
}
