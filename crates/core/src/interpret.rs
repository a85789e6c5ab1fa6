//! The interpreted mode: a program run operation by operation through the reference of each primitive.

use crate::error::Error;
use crate::lanes::Lanes;
use crate::ops::bodies;
use crate::program::{Equation, Program, Var};
use crate::types::Type;
use crate::value::{ListValue, Value};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Runs a program on values. Every operation goes through [`crate::primitive::Primitive::eval`]; nothing is fused or compiled.
///
/// # Errors
/// A failed `check`, with the user's line.
///
/// # Errors
/// A failed check, or memory refused.
///
/// ```
/// use wengert_core::{interpret::interpret, program::parse, value::Value};
///
/// let program = parse("program (%0: f64[]) {\n  %1: f64[] = mul %0 %0\n  return %1\n}\n")?;
/// let results = interpret(&program, vec![Value::scalar(3.0)])?;
/// assert_eq!(results[0].array().slice::<f64>(), [9.0]);
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn interpret(program: &Program, args: Vec<Value>) -> Result<Vec<Value>, Error> {
    Interpreter::new(program).run(&Values::observed(), args)
}

/// What sees each equation when it has run, with its operands and results.
///
/// ```
/// use wengert_core::{interpret::Observer, program::Equation, value::Value};
///
/// let print: Box<Observer> = Box::new(|e: &Equation, _: &[Value], y: &[Value]| println!("{} {}", e.op.name(), y.len()));
/// ```
pub type Observer = dyn Fn(&Equation, &[Value], &[Value]);

thread_local! {
    static OBSERVER: RefCell<Option<Rc<Observer>>> = const { RefCell::new(None) };
}

/// Runs a program and shows every equation to the observer, those in the bodies of loops, branches and calls too, in the
/// order in which they run (in a body first what stands there, then the operation that it belongs to).
///
/// # Errors
/// As [`interpret`].
///
/// ```
/// use std::rc::Rc;
/// use wengert_core::{interpret::observe, program::parse, value::Value};
///
/// let program = parse("program (%0: f64[]) {\n  %1: f64[] = mul %0 %0\n  return %1\n}\n")?;
/// let observer = Rc::new(|e: &wengert_core::program::Equation, _: &[Value], _: &[Value]| assert_eq!(e.op.name(), "mul"));
/// observe(&program, vec![Value::scalar(3.0)], observer)?;
/// # Ok::<(), wengert_core::Error>(())
/// ```
pub fn observe(program: &Program, args: Vec<Value>, observer: Rc<Observer>) -> Result<Vec<Value>, Error> {
    struct Restore(Option<Rc<Observer>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            OBSERVER.set(self.0.take());
        }
    }
    let _restore = Restore(OBSERVER.replace(Some(observer)));
    interpret(program, args)
}

/// What programs run on: values, or values with what is followed beside them. The reference of an operation with programs
/// inside (which rounds, branches and lanes there are) is written once, for all of them.
pub(crate) trait Domain {
    /// What a variable holds.
    type Item: Clone;

    /// The results of an equation.
    fn apply(&self, e: &Equation, x: Vec<Self::Item>) -> Result<Vec<Self::Item>, Error>;

    /// What holds a value and nothing else.
    fn constant(&self, value: Value) -> Self::Item;

    /// The value held.
    fn value<'a>(&self, item: &'a Self::Item) -> &'a Value;

    /// A list of rows.
    fn list(&self, element: Type, length: Option<usize>, rows: Vec<Self::Item>) -> Self::Item;

    /// Row `k` of a list; a row beyond its end is zero.
    fn row(&self, list: &Self::Item, k: usize) -> Self::Item;

    /// `new` in the active lanes, `old` (or zero) in the others.
    fn masked(&self, mask: Mask<'_>, lanes: &Lanes, new: Self::Item, old: Option<&Self::Item>) -> Self::Item;

    /// The sum of two results of which one is zero in each lane.
    fn sum(&self, a: Self::Item, b: Self::Item) -> Result<Self::Item, Error>;
}

/// Which lanes are active, and their shape.
pub(crate) type Mask<'a> = (&'a [bool], &'a [usize]);

/// Values alone, shown to the observer.
pub(crate) struct Values {
    observer: Option<Rc<Observer>>,
}

impl Values {
    /// Seen by the observer in force.
    pub(crate) fn observed() -> Values {
        Values { observer: OBSERVER.with_borrow(Clone::clone) }
    }
}

impl Domain for Values {
    type Item = Value;

    fn apply(&self, e: &Equation, x: Vec<Value>) -> Result<Vec<Value>, Error> {
        let seen = self.observer.as_ref().map(|observer| (observer, x.clone()));
        let results = e.op.eval(x)?;
        if let Some((observer, x)) = seen {
            observer(e, &x, &results);
        }
        Ok(results)
    }

    fn constant(&self, value: Value) -> Value {
        value
    }

    fn value<'a>(&self, item: &'a Value) -> &'a Value {
        item
    }

    fn list(&self, element: Type, length: Option<usize>, rows: Vec<Value>) -> Value {
        Value::List(Arc::new(ListValue { element, length, rows }))
    }

    fn row(&self, list: &Value, k: usize) -> Value {
        bodies::row(list, k)
    }

    fn masked(&self, mask: Mask<'_>, lanes: &Lanes, new: Value, old: Option<&Value>) -> Value {
        bodies::masked(mask, lanes, new, old)
    }

    fn sum(&self, a: Value, b: Value) -> Result<Value, Error> {
        bodies::sum(a, b)
    }
}

/// A program prepared for being run many times, as loop bodies are.
pub(crate) struct Interpreter<'a> {
    program: &'a Program,
    /// For each variable, one past the last equation that reads it; `u32::MAX` for outputs.
    last: Vec<u32>,
}

impl<'a> Interpreter<'a> {
    pub(crate) fn new(program: &'a Program) -> Self {
        let mut last = vec![0; program.vars()];
        for (k, e) in program.equations().iter().enumerate() {
            for a in &e.args {
                last[a.index()] = k as u32 + 1;
            }
        }
        for v in program.outputs() {
            last[v.index()] = u32::MAX;
        }
        Interpreter { program, last }
    }

    /// Values are handed on, not shared, at their last use: an update of the last reference to an array is in place.
    pub(crate) fn run<D: Domain>(&self, domain: &D, args: Vec<D::Item>) -> Result<Vec<D::Item>, Error> {
        assert_eq!(args.len(), self.program.inputs(), "as many arguments as inputs");
        let mut env: Vec<Option<D::Item>> = args.into_iter().map(Some).collect();
        env.resize(self.program.vars(), None);
        for (slot, _) in env.iter_mut().zip(&self.last).filter(|(_, last)| **last == 0) {
            *slot = None;
        }
        for (k, e) in self.program.equations().iter().enumerate() {
            let mut x = Vec::with_capacity(e.args.len());
            for (i, a) in e.args.iter().enumerate() {
                let dies = self.last[a.index()] == k as u32 + 1 && !e.args[i + 1..].contains(a);
                let slot = &mut env[a.index()];
                x.push(if dies { slot.take() } else { slot.clone() }.expect("defined before use, used before its end"));
            }
            let located = |error: Error| if error.source.is_none() { error.at(e.source.clone()) } else { error };
            let results = domain.apply(e, x).map_err(located)?;
            for (v, y) in e.results().zip(results) {
                debug_assert_eq!(
                    &domain.value(&y).ty(),
                    self.program.ty(v),
                    "{} gives the type that was inferred",
                    e.op.name()
                );
                if self.last[v.index()] > 0 {
                    env[v.index()] = Some(y);
                }
            }
        }
        let outputs = self.program.outputs();
        let take = |(i, v): (usize, &Var)| {
            let slot = &mut env[v.index()];
            if outputs[i + 1..].contains(v) { slot.clone() } else { slot.take() }.expect("an output is defined")
        };
        Ok(outputs.iter().enumerate().map(take).collect())
    }
}
