//! `jit` and `interpret`: a function traced once for each type of argument, and run as a whole.

use crate::execute::{Executable, executable};
use crate::traced::{Function, assemble, trace_types};
use rustc_hash::FxHasher;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wengert_core::ops::call;
use wengert_core::trace::{Surroundings, is_tracing};
use wengert_core::{Array, Error, Program, Tree, Type, interpret as interpreter, tree};

/// The function compiled to machine code.
///
/// The first call with arguments of new types, shapes or static fields traces the function and compiles it; later calls
/// run the code. What the closure does besides array operations happens while tracing only. Called while another function
/// is traced, it becomes a call in that function's program. Safe to call from many threads at once.
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
pub fn jit<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    let cache = Cache::<A, R>::default();
    move |args| compiled_call(&f, &cache, args)
}

/// The function run operation by operation, nothing fused or compiled: the interpreted mode, slow and obviously right.
///
/// ```
/// use wengert::prelude::*;
///
/// let f = |x: Array| x.sin().exp();
/// assert_eq!(interpret(f)(0.5.into()), jit(f)(0.5.into()));
/// ```
pub fn interpret<A: Tree, R: Tree>(f: impl Fn(A) -> R) -> impl Fn(A) -> R {
    move |args| interpreted_call(&f, args)
}

#[track_caller]
fn interpreted_call<A: Tree, R: Tree>(f: &impl Fn(A) -> R, args: A) -> R {
    if is_tracing() {
        return f(args);
    }
    let function = Function::trace(f, args);
    let values = function.operands().into_iter().map(|x| x.into_value("running a program")).collect::<Result<_, _>>();
    match values.and_then(|values| interpreter::interpret(&function.program, values)) {
        Ok(results) => function.result(results.into_iter().map(Array::from_value).collect()),
        Err(error) => error.raise(),
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
    Function::trace(f, args.clone()).program
}

/// Whether `WENGERT_INTERPRET=1` is set; read once.
fn interpreting() -> bool {
    static INTERPRET: OnceLock<bool> = OnceLock::new();
    *INTERPRET.get_or_init(|| std::env::var_os("WENGERT_INTERPRET").is_some_and(|v| v == "1"))
}

/// What is remembered of a function for arguments of one type.
struct Specialisation<A: Tree, R: Tree> {
    fingerprint: u64,
    arguments: A::Def,
    types: Vec<Type>,
    program: Arc<Program>,
    captures: Vec<Array>,
    result: R::Def,
    /// Machine code, for calls outside of traces.
    code: OnceLock<Arc<Executable>>,
}

/// The specialisations of one `jit` value, the latest used first.
struct Cache<A: Tree, R: Tree> {
    called: Mutex<Vec<Arc<Specialisation<A, R>>>>,
    /// Those for calls inside of other traces, whose programs take a lane mask.
    traced: Mutex<Vec<Arc<Specialisation<A, R>>>>,
}

impl<A: Tree, R: Tree> Default for Cache<A, R> {
    fn default() -> Self {
        Cache { called: Mutex::default(), traced: Mutex::default() }
    }
}

/// Specialisations kept for one `jit` value.
const CAPACITY: usize = 64;

fn find<A: Tree, R: Tree>(
    list: &Mutex<Vec<Arc<Specialisation<A, R>>>>,
    fingerprint: u64,
    args: &A,
) -> Option<Arc<Specialisation<A, R>>> {
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = |s: &Arc<Specialisation<A, R>>| s.fingerprint == fingerprint && tree::fits(args, &s.arguments, &s.types);
    let found = list.iter().position(fits)?;
    if found > 0 {
        list[..=found].rotate_right(1);
    }
    Some(list[0].clone())
}

fn remember<A: Tree, R: Tree>(list: &Mutex<Vec<Arc<Specialisation<A, R>>>>, new: &Arc<Specialisation<A, R>>) {
    // A captured variable belongs to a trace that ends: what it was traced to is good for this call only.
    if new.captures.iter().any(Array::is_traced) {
        return;
    }
    let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
    let dropped = if list.len() >= CAPACITY { list.pop() } else { None };
    list.insert(0, new.clone());
    drop(list);
    drop(dropped);
}

fn specialise<A: Tree, R: Tree>(
    f: &impl Fn(A) -> R,
    fingerprint: u64,
    arguments: A::Def,
    types: Vec<Type>,
    surroundings: Surroundings,
) -> Arc<Specialisation<A, R>> {
    let inputs = match surroundings {
        Surroundings::Body => [vec![Type::scalar(wengert_core::DType::Bool)], types.clone()].concat(),
        _ => types.clone(),
    };
    let (program, captures, result) = trace_types::<A, R>(f, &inputs, &arguments, surroundings);
    Arc::new(Specialisation { fingerprint, arguments, types, program, captures, result, code: OnceLock::new() })
}

#[track_caller]
fn compiled_call<A: Tree, R: Tree>(f: &impl Fn(A) -> R, cache: &Cache<A, R>, args: A) -> R {
    let fingerprint = {
        let mut state = FxHasher::default();
        tree::fingerprint(&args, &mut state);
        state.finish()
    };
    let inside = is_tracing();
    if !inside && interpreting() {
        return interpreted_call(f, args);
    }
    let (list, surroundings) =
        if inside { (&cache.traced, Surroundings::Body) } else { (&cache.called, Surroundings::Inherit) };
    let found = find(list, fingerprint, &args);
    let mut operands = found.as_ref().map_or_else(Vec::new, |s| s.captures.clone());
    let captures = operands.len();
    let arguments = args.flatten(&mut operands);
    let specialisation = match found {
        Some(found) => found,
        None => {
            let types: Vec<Type> = operands.iter().map(Array::ty).collect();
            let new = specialise(f, fingerprint, arguments, types, surroundings);
            remember(list, &new);
            operands.splice(captures..captures, new.captures.iter().cloned());
            new
        }
    };
    if inside {
        return assemble::<R>(&specialisation.result, call(&specialisation.program, &operands));
    }
    match run(&specialisation, operands) {
        Ok(results) => assemble::<R>(&specialisation.result, results),
        Err(error) => error.raise(),
    }
}

fn run<A: Tree, R: Tree>(specialisation: &Specialisation<A, R>, operands: Vec<Array>) -> Result<Vec<Array>, Error> {
    let code = match specialisation.code.get() {
        Some(code) => code,
        None => {
            let code = executable(&specialisation.program)?;
            specialisation.code.get_or_init(|| code)
        }
    };
    code.run(operands)
}
