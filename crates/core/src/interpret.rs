//! The interpreted mode: a program run operation by operation through the reference of each primitive.

use crate::error::Error;
use crate::program::{Equation, Program, Var};
use crate::value::Value;
use std::cell::RefCell;
use std::rc::Rc;

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
    Interpreter::new(program).run(args)
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
    pub(crate) fn run(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        assert_eq!(args.len(), self.program.inputs(), "as many arguments as inputs");
        let mut env: Vec<Option<Value>> = args.into_iter().map(Some).collect();
        env.resize(self.program.vars(), None);
        for (slot, _) in env.iter_mut().zip(&self.last).filter(|(_, last)| **last == 0) {
            *slot = None;
        }
        let observer = OBSERVER.with_borrow(Clone::clone);
        for (k, e) in self.program.equations().iter().enumerate() {
            let mut x = Vec::with_capacity(e.args.len());
            for (i, a) in e.args.iter().enumerate() {
                let dies = self.last[a.index()] == k as u32 + 1 && !e.args[i + 1..].contains(a);
                let slot = &mut env[a.index()];
                x.push(if dies { slot.take() } else { slot.clone() }.expect("defined before use, used before its end"));
            }
            let located = |error: Error| if error.source.is_none() { error.at(e.source.clone()) } else { error };
            let seen = observer.as_ref().map(|observer| (observer, x.clone()));
            let results = e.op.eval(x).map_err(located)?;
            if let Some((observer, x)) = seen {
                observer(e, &x, &results);
            }
            for (v, y) in e.results().zip(results) {
                debug_assert_eq!(&y.ty(), self.program.ty(v), "{} gives the type that was inferred", e.op.name());
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
