//! `jit` and `interpret`: a function traced once for each type of argument, and run as a whole.

use crate::execute::{Executable, found_or_made};
use crate::profile::{self, Activity};
use crate::report::{self, Report};
use crate::traced::{Function, assemble, trace_types};
use rustc_hash::FxHasher;
use std::cell::Cell;
use std::collections::VecDeque;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wengert_core::ops::call;
use wengert_core::source::{UserCall, called};
use wengert_core::trace::{Surroundings, is_tracing};
use wengert_core::{Array, Error, Program, Tree, Type, interpret as interpreter, tree};
use wengert_kernel::buffer::Buffer;

/// The function compiled to machine code.
///
/// The first call with arguments of new types, shapes or static fields traces the function and compiles it; later calls
/// run the code. What the closure does besides array operations happens while tracing only. Called while another function
/// is traced, it becomes a call in that function's program. Safe to call from many threads at once.
///
/// An argument is moved in. If nobody else holds it and its memory is our own (not a `Vec`'s or a mapped file's), a result
/// of the same size is written over it where no element is read later: a step such as `p = step((p, slope))` allocates
/// nothing for `p`. An array that was cloned before is never written.
///
/// With `WENGERT_INTERPRET=1` in the environment it runs operation by operation instead, as [`interpret`] does.
///
/// # Panics
/// At the user's line when shapes or dtypes do not fit, when a `check` fails, and when memory is refused; [`try_jit`](crate::try_jit)
/// returns these as errors.
///
/// ```
/// use wengert::prelude::*;
///
/// fn f(x: Array) -> Array { x.square() + 3.0 * &x + 5.0 }
/// let df = jit(grad(f));
/// assert_eq!(df(2.0.into()).item::<f64>()?, 7.0);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn jit<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    let call = UserCall::here("jit");
    let cache = Cache::<A, R>::default();
    move |args| compiled_call(&call, &f, &cache, args)
}

/// The function run operation by operation, nothing fused or compiled: the interpreted mode, slow and obviously right.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = |x: Array| x.sin().exp();
/// assert_eq!(interpret(f)(0.5.into()), jit(f)(0.5.into()));
/// ```
#[track_caller]
pub fn interpret<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    let call = UserCall::here("interpret");
    move |args| interpreted_call(&call, &f, args)
}

fn interpreted_call<A: Tree, R: Tree>(call: &UserCall, f: &impl Fn(A) -> R, args: A) -> R {
    if is_tracing() {
        return f(args);
    }
    let _called = call.enter();
    let function = Function::trace(f, args);
    let values = function.operands().into_iter().map(|x| x.into_value("interpret")).collect::<Result<_, _>>();
    match values.and_then(|values| interpreter::interpret(&function.program, values)) {
        Ok(results) => function.result(results.into_iter().map(Array::from_value).collect()),
        Err(error) => error.or_at(call.source().clone()).raise(),
    }
}

/// The program of a function at arguments like these, not run: what `jit` compiles.
///
/// Its inputs are what the closure captures, then the arrays of the argument. It prints, and parses back.
///
/// ```
/// use wengert::prelude::*;
///
/// let program = trace(|x: Array| x.sin(), &Array::from(1.0));
/// println!("{program}");
/// assert_eq!(wengert::parse(&program.to_string())?, *program);
/// # Ok::<(), wengert::Error>(())
/// ```
#[track_caller]
pub fn trace<A: Tree + Clone, R: Tree>(f: impl Fn(A) -> R, args: &A) -> Arc<Program> {
    let _called = called("trace");
    Function::trace(f, args.clone()).program
}

/// Whether `WENGERT_INTERPRET=1` is set; read once.
fn interpreting() -> bool {
    static INTERPRET: OnceLock<bool> = OnceLock::new();
    *INTERPRET.get_or_init(|| std::env::var_os("WENGERT_INTERPRET").is_some_and(|v| v == "1"))
}

/// What is remembered of a function for arguments of one type.
struct Specialisation<A: Tree, R: Tree> {
    history: Arc<Mutex<History>>,
    /// Why it was traced, and how long that took.
    cause: String,
    tracing: Duration,
    fingerprint: u64,
    arguments: A::Def,
    types: Vec<Type>,
    program: Arc<Program>,
    captures: Vec<Array>,
    result: R::Def,
    /// For calls outside of traces.
    code: OnceLock<Code>,
}

/// Machine code and what it takes before the arguments.
struct Code {
    executable: Arc<Executable>,
    /// Whether it was made for this specialisation.
    fresh: bool,
    captures: Vec<Arc<Buffer>>,
}

/// The specialisations of one `jit` value.
struct Cache<A: Tree, R: Tree> {
    called: Specialisations<A, R>,
    /// Those for calls inside of other traces, whose programs take a lane mask.
    traced: Specialisations<A, R>,
    history: Arc<Mutex<History>>,
}

/// What a `jit` value was traced for.
#[derive(Default)]
struct History {
    traced: usize,
    /// Why, the last times.
    causes: VecDeque<String>,
    last: Option<Vec<(String, Type)>>,
}

/// Causes that are kept.
const CAUSES: usize = 32;

impl History {
    /// Notes that it is traced for these arguments; says why.
    fn add(&mut self, arguments: Vec<(String, Type)>) -> String {
        let cause = report::cause(self.last.as_deref(), &arguments);
        self.traced += 1;
        self.last = Some(arguments);
        self.causes.truncate(CAUSES - 1);
        self.causes.push_front(cause.clone());
        cause
    }
}

/// Found by the type of the arguments.
struct Specialisations<A: Tree, R: Tree> {
    /// The first ones: kept as long as the `jit` value, and found without a lock.
    first: [OnceLock<Specialisation<A, R>>; FIRST],
    /// The others, the latest used first.
    others: Mutex<Vec<Arc<Specialisation<A, R>>>>,
}

/// Specialisations that are found without a lock.
const FIRST: usize = 4;

/// Others that are kept for one `jit` value.
const OTHERS: usize = 60;

impl<A: Tree, R: Tree> Default for Cache<A, R> {
    fn default() -> Self {
        Cache { called: Specialisations::default(), traced: Specialisations::default(), history: Arc::default() }
    }
}

impl<A: Tree, R: Tree> Default for Specialisations<A, R> {
    fn default() -> Self {
        Specialisations { first: [const { OnceLock::new() }; FIRST], others: Mutex::default() }
    }
}

impl<A: Tree, R: Tree> Specialisations<A, R> {
    #[inline]
    fn find_first(&self, args: &A) -> Option<&Specialisation<A, R>> {
        self.first.iter().map_while(OnceLock::get).find(|s| s.fits(args))
    }

    fn find_other(&self, fingerprint: u64, args: &A) -> Option<Arc<Specialisation<A, R>>> {
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let found = others.iter().position(|s| s.fingerprint == fingerprint && s.fits(args))?;
        others[..=found].rotate_right(1);
        Some(others[0].clone())
    }

    /// Keeps a new one and hands it to `call`.
    fn remember<T>(&self, mut new: Specialisation<A, R>, call: impl FnOnce(&Specialisation<A, R>) -> T) -> T {
        // A captured variable belongs to a trace that ends: what it was traced to is good for this call only.
        if new.captures.iter().any(Array::is_traced) {
            return call(&new);
        }
        for place in &self.first {
            match place.set(new) {
                Ok(()) => return call(place.get().expect("it was just set")),
                Err(back) => new = back,
            }
        }
        let new = Arc::new(new);
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = if others.len() >= OTHERS { others.pop() } else { None };
        others.insert(0, new.clone());
        drop(others);
        drop(dropped);
        call(&new)
    }
}

impl<A: Tree, R: Tree> Specialisation<A, R> {
    fn new(
        f: &impl Fn(A) -> R,
        history: &Arc<Mutex<History>>,
        (fingerprint, arguments, types): (u64, A::Def, Vec<Type>),
        inside: bool,
    ) -> Self {
        let cause = {
            let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
            history.add(named::<A>(&arguments, &types))
        };
        let start = Instant::now();
        let (surroundings, inputs) = if inside {
            (Surroundings::Body, [vec![Type::scalar(wengert_core::DType::Bool)], types.clone()].concat())
        } else {
            (Surroundings::Inherit, types.clone())
        };
        let (program, captures, result) = trace_types::<A, R>(f, &inputs, &arguments, surroundings);
        let (history, tracing) = (history.clone(), start.elapsed());
        let code = OnceLock::new();
        Specialisation { history, cause, tracing, fingerprint, arguments, types, program, captures, result, code }
    }

    #[inline]
    fn fits(&self, args: &A) -> bool {
        tree::fits(args, &self.arguments, &self.types)
    }

    /// The result for the leaves of the arguments, recorded or computed. When it returns there are none left.
    #[track_caller]
    #[inline]
    fn call(&self, user: &UserCall, leaves: &mut Vec<Array>, inside: bool) -> R {
        if inside {
            let _called = user.enter();
            let operands = self.captures.iter().cloned().chain(leaves.drain(..)).collect::<Vec<_>>();
            return assemble::<R>(&self.result, call(&self.program, &operands));
        }
        let code = self.code.get().map_or_else(|| self.compile(user), Ok);
        let run = |code: &Code| {
            if report::watching() {
                return self.watched_run(user, code, leaves);
            }
            code.executable.run(&code.captures, leaves, |y| R::from_leaves(&self.result, y))
        };
        match code.and_then(run) {
            Ok(result) => result,
            Err(error) => error.or_at(user.source().clone()).raise(),
        }
    }

    /// A call that somebody looks at.
    #[cold]
    fn watched_run(&self, user: &UserCall, code: &Code, leaves: &mut Vec<Array>) -> Result<R, Error> {
        report::seen(self.report(user, code));
        let start = Instant::now();
        let result = code.executable.run(&code.captures, leaves, |y| R::from_leaves(&self.result, y));
        profile::ended(Activity::Call, user.source(), start, start.elapsed());
        result
    }

    #[cold]
    fn report(&self, user: &UserCall, code: &Code) -> Report {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        Report {
            source: user.source().clone(),
            arguments: named::<A>(&self.arguments, &self.types),
            traced: history.traced,
            causes: history.causes.iter().rev().cloned().collect(),
            compiled_here: code.fresh,
            tracing: self.tracing,
            compiling: code.executable.took(),
            program: self.program.clone(),
            compiled: code.executable.compiled().clone(),
            code_bytes: code.executable.code().code_bytes(),
        }
    }

    #[cold]
    fn compile(&self, user: &UserCall) -> Result<&Code, Error> {
        let captures = self.captures.iter().map(|x| x.clone().into_buffer("jit"));
        let captures = captures.collect::<Result<_, _>>()?;
        let start = Instant::now();
        let (executable, fresh) = found_or_made(&self.program)?;
        if fresh {
            report::made(user.source(), &self.cause);
            let [loops, code] = executable.took();
            profile::ended(Activity::Loops, user.source(), start, loops);
            profile::ended(Activity::MachineCode, user.source(), start + loops, code);
            profile::name_for_perf(&executable, user.source());
        }
        Ok(self.code.get_or_init(|| Code { executable, fresh, captures }))
    }
}

fn compiled_call<A: Tree, R: Tree>(user: &UserCall, f: &impl Fn(A) -> R, cache: &Cache<A, R>, args: A) -> R {
    let inside = is_tracing();
    if !inside && interpreting() {
        return interpreted_call(user, f, args);
    }
    let known = if inside { &cache.traced } else { &cache.called };
    let Some(specialisation) = known.find_first(&args) else {
        return unusual_call(user, f, (known, &cache.history), args, inside);
    };
    let mut leaves = SPARE.try_with(Cell::take).unwrap_or_default();
    args.into_leaves(&mut leaves);
    let result = specialisation.call(user, &mut leaves, inside);
    _ = SPARE.try_with(|spare| spare.set(leaves));
    result
}

/// The arrays of arguments, by name.
fn named<A: Tree>(def: &A::Def, types: &[Type]) -> Vec<(String, Type)> {
    tree::leaf_paths::<A>(def, "x").into_iter().zip(types.iter().cloned()).collect()
}

thread_local! {
    /// The empty vector that the thread's last call took its arguments apart in.
    static SPARE: Cell<Vec<Array>> = const { Cell::new(Vec::new()) };
}

/// A call with arguments whose types are new, or older than the first few.
#[cold]
fn unusual_call<A: Tree, R: Tree>(
    user: &UserCall,
    f: &impl Fn(A) -> R,
    (known, history): (&Specialisations<A, R>, &Arc<Mutex<History>>),
    args: A,
    inside: bool,
) -> R {
    let _called = user.enter();
    let fingerprint = {
        let mut state = FxHasher::default();
        tree::fingerprint(&args, &mut state);
        state.finish()
    };
    let found = known.find_other(fingerprint, &args);
    let mut leaves = Vec::new();
    let arguments = args.into_leaves(&mut leaves);
    match found {
        Some(found) => found.call(user, &mut leaves, inside),
        None => {
            let types = leaves.iter().map(Array::ty).collect();
            let start = Instant::now();
            let new = Specialisation::new(f, history, (fingerprint, arguments, types), inside);
            profile::ended(Activity::Tracing, user.source(), start, start.elapsed());
            known.remember(new, |new| new.call(user, &mut leaves, inside))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_core::array::ones;

    #[test]
    fn a_function_is_traced_once_for_each_type_that_is_remembered() {
        let traced = Cell::new(0);
        let f = jit(|x: Array| {
            traced.set(traced.get() + 1);
            x + 1.0
        });
        let call = |n: usize| {
            let before = traced.get();
            assert_eq!(f(ones([n])).to_vec::<f64>().unwrap(), vec![2.0; n]);
            traced.get() - before
        };
        let few = FIRST + OTHERS;
        assert_eq!((1..=few).map(call).sum::<usize>(), few);
        assert_eq!((1..=few).map(call).sum::<usize>(), 0);
        assert_eq!((1..=FIRST).map(call).sum::<usize>(), 0);
        // One more, and the one used longest ago goes; the first ones stay.
        call(FIRST + 1);
        assert_eq!(call(few + 1), 1);
        assert_eq!((1..=FIRST + 1).map(call).sum::<usize>(), 0);
        assert_eq!(call(FIRST + 2), 1);
    }

    #[test]
    fn a_call_inside_a_call_has_leaves_of_its_own() {
        let inner = jit(|x: Array| x.sin());
        let outer = jit(|x: Array| {
            // Called while tracing, at once, with a value: not part of the program.
            let y = wengert_core::trace::concrete(|| inner(ones([3])));
            x + y.sum()
        });
        let found = outer(ones([3])).to_vec::<f64>().unwrap();
        assert_eq!(found, interpret(|x: Array| x + ones([3]).sin().sum())(ones([3])).to_vec::<f64>().unwrap());
    }
}
