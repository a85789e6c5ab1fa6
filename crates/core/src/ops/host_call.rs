//! Calls of functions of the host: printing, callbacks, kernels of the user's.

use super::bodies::{assembled, flattened, lanes_of};
use super::{Attributes, Definition, Sample, rules};
use crate::array::Array;
use crate::error::{Error, TypeError};
use crate::host::{HostFunction, Registered, guarded, on_lanes};
use crate::lanes::{Lanes, Places};
use crate::primitive::{Attribute, Batched, Cotangents, Effect, Lowering, Operand, Primitive};
use crate::refusal::refuse;
use crate::source::{Source, called};
use crate::trace::{current_mask, record};
use crate::tree::Tree;
use crate::types::{ArrayType, Type};
use crate::value::{ArrayValue, Value};
use std::sync::Arc;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::{DType, Scalar};
use wengert_runtime::Kernel;

/// Operands `mask, args..`: the results of the function at `args`, once for each lane that is active, in order. Results of
/// other lanes are zeros.
///
/// ```
/// use wengert_core::{Array, host::HostFunction, ops::{HostCall, Op}, primitive::{Effect, Primitive}};
///
/// let call = Op::from(HostCall { function: HostFunction::plain(|x: &[Array]| println!("{}", x[0])), ordered: true });
/// assert_eq!((call.name(), call.effect()), ("host_call", Effect::Ordered));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HostCall {
    /// What is called.
    pub function: HostFunction,
    /// Whether it is seen outside, so that it must be called once, and in order.
    pub ordered: bool,
}

impl HostCall {
    /// The call for machine code, on operands and to results of these types, attributed to the user's line.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType, host::HostFunction, ops::HostCall, source::Source};
    ///
    /// let call = HostCall { function: HostFunction::plain(|_| ()), ordered: true };
    /// let mask = ArrayType::new(DType::Bool, &[]);
    /// assert!(call.registered(vec![mask], Vec::new(), Source::here()).number() >= 0);
    /// ```
    pub fn registered(&self, operands: Vec<ArrayType>, results: Vec<ArrayType>, source: Source) -> Arc<Registered> {
        let bytes = |types: &[ArrayType]| types.iter().map(|ty| ty.size() * ty.dtype.size()).collect();
        let extents = [bytes(&operands), bytes(&results)];
        let call = self.clone();
        let registered = Registered::new(extents, move |inputs, outputs| {
            let value = |(ty, bytes): (&ArrayType, &&[u8])| {
                let mut own = Buffer::zeros(ty.dtype, ty.size());
                own.bytes_mut().copy_from_slice(bytes);
                Value::Array(ArrayValue::in_buffer(&ty.shape, Arc::new(own)))
            };
            let values = operands.iter().zip(inputs).map(value).collect();
            match guarded(|| call.eval(values).map_err(|error| error.or_at(source.clone()))) {
                Some(results) => {
                    for (bytes, result) in outputs.iter_mut().zip(results) {
                        bytes.copy_from_slice(result.array().buffer.bytes());
                    }
                }
                None => outputs.iter_mut().for_each(|bytes| bytes.fill(0)),
            }
        });
        Arc::new(registered)
    }
}

impl Primitive for HostCall {
    fn name(&self) -> &'static str {
        "host_call"
    }

    fn attributes(&self) -> Vec<(&'static str, Attribute)> {
        vec![
            ("function", Attribute::Int(self.function.number() as i64)),
            ("ordered", Attribute::Bool(self.ordered)),
        ]
    }

    fn operand(&self, i: usize, n: usize) -> Option<String> {
        (i > 0).then(|| if n == 2 { "argument".to_owned() } else { format!("argument {}", i - 1) })
    }

    fn infer(&self, args: &[Type]) -> Result<Vec<Type>, TypeError> {
        let arrays = super::operands::array_list(args)?;
        let Some((mask, args)) = arrays.split_first().filter(|(mask, _)| mask.dtype == DType::Bool) else {
            return Err(TypeError::new("it takes a mask, then arguments"));
        };
        if let Some(other) = args.iter().find(|x| !x.shape.starts_with(&mask.shape)) {
            return Err(TypeError::new(format!("{other} has not the axes of the mask, which is {mask}")));
        }
        let results: Vec<Type> = self.function.results().iter().map(|ty| on_lanes(ty, &mask.shape)).collect();
        results.iter().filter_map(Type::as_array).try_for_each(ArrayType::check_size)?;
        Ok(results)
    }

    fn eval(&self, args: Vec<Value>) -> Result<Vec<Value>, Error> {
        let lanes = args[0].array().shape.clone();
        let active = lanes_of(&args[0]);
        let args: Vec<&ArrayValue> = args[1..].iter().map(Value::array).collect();
        let types = self.function.results();
        let mut results: Vec<ArrayValue> = types
            .iter()
            .map(|ty| {
                let shape: Vec<usize> = lanes.iter().chain(&ty.shape).copied().collect();
                ArrayValue::full(&shape, Scalar::zero(ty.dtype))
            })
            .collect();
        for lane in (0..active.len()).filter(|&lane| active[lane]) {
            let own = args.iter().map(|x| part(x, lanes.len(), lane, active.len())).collect();
            for (result, y) in results.iter_mut().zip(self.function.call(own)?) {
                let bytes = y.buffer.bytes();
                let first = lane * bytes.len();
                result.make_mut().bytes_mut()[first..first + bytes.len()].copy_from_slice(bytes);
            }
        }
        Ok(results.into_iter().map(Value::Array).collect())
    }

    fn jvp(&self, x: &[Array], dx: &[Option<Array>]) -> (Vec<Array>, Vec<Option<Array>>) {
        let float = |ty: &ArrayType| ty.dtype.is_float();
        if self.function.results().iter().any(float)
            && let Some(i) = dx.iter().position(Option::is_some)
        {
            refuse("a callback or kernel has no derivative of its own; give it one by `custom_jvp` or `custom_vjp`, or `stop_gradient` its argument", &[&x[i]]);
        }
        rules::jvp_constant(self.clone(), x)
    }

    fn transpose(&self, _: &[Option<Array>], _: &[Operand], _: &mut Cotangents<'_>) {
        unreachable!("what has no results has no cotangents, and what has some is not linear")
    }

    fn batch(&self, x: &[Batched], size: usize) -> Vec<Batched> {
        rules::batch_all(self.clone(), x, size)
    }

    fn lower(&self) -> Lowering {
        Lowering::Structural
    }

    fn lanes(&self, at: &Places<'_>) -> Vec<Lanes> {
        vec![at.x[0].clone(); self.function.results().len()]
    }

    fn effect(&self) -> Effect {
        if self.ordered { Effect::Ordered } else { Effect::None }
    }
}

/// The part of an argument that belongs to a lane.
fn part(x: &ArrayValue, axes: usize, lane: usize, lanes: usize) -> ArrayValue {
    if axes == 0 {
        return x.clone();
    }
    let size = x.size() / lanes;
    let mut own = Buffer::zeros(x.dtype(), size);
    let bytes = size * x.dtype().size();
    own.bytes_mut().copy_from_slice(&x.buffer.bytes()[lane * bytes..(lane + 1) * bytes]);
    ArrayValue::in_buffer(&x.shape[axes..], Arc::new(own))
}

impl Definition for HostCall {
    const NAMES: &'static [&'static str] = &["host_call"];

    fn parse(_: &str, a: &Attributes) -> Result<Self, TypeError> {
        let number = a.size("function")? as u64;
        let function = HostFunction::of_number(number).ok_or_else(|| {
            TypeError::new(format!("there is no function {number} of the host any more; such functions are not read from text"))
        })?;
        Ok(HostCall { function, ordered: a.bool("ordered")? })
    }

    fn samples() -> Vec<Sample> {
        // Equal samples are equal functions: the laws compare what is read back.
        fn nothing(_: &[Array]) {}
        let ordered = HostCall { function: HostFunction::plain(nothing), ordered: true };
        let x = |shape: &[usize]| {
            let n: usize = shape.iter().product();
            Value::Array(ArrayValue::new(shape, (0..n).map(|i| i as f64).collect()))
        };
        let mask = |lanes: &[bool]| Value::Array(ArrayValue::new(&[lanes.len()], lanes.to_vec()));
        vec![
            Sample::new(ordered.clone(), vec![Value::scalar(true), x(&[3]), Value::scalar(2)]),
            Sample::new(ordered.clone(), vec![Value::scalar(false)]),
            Sample::new(ordered.clone(), vec![mask(&[true, false]), x(&[2, 3])]),
            Sample::new(ordered.clone(), vec![Value::scalar(true)]),
            Sample::new(ordered.clone(), vec![Value::scalar(true), x(&[])]),
            Sample::new(ordered.clone(), vec![Value::scalar(true), x(&[0])]),
            Sample::new(ordered.clone(), vec![Value::scalar(true), x(&[1, 5, 1]), x(&[17])]),
            Sample::new(ordered.clone(), vec![Value::scalar(false), x(&[3])]),
            Sample::new(ordered.clone(), vec![mask(&[]), x(&[0, 3])]),
            Sample::new(ordered.clone(), vec![mask(&[false, false]), x(&[2])]),
            Sample::new(ordered.clone(), vec![mask(&[true, true]), x(&[2, 1]), x(&[2])]),
            Sample::new(ordered, vec![Value::scalar(true), Value::scalar(f64::NAN), Value::scalar(1u8), Value::scalar(false)]),
        ]
    }
}

/// Calls `f` with the values of the arrays each time this line runs, in compiled code too, in the order of the program; in a
/// branch or loop where it is taken, under `vmap` once for each lane. Derivatives leave it as it is.
///
/// `f` runs outside of all traces. A panic in it, or an error, comes out of the call of the compiled function.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use wengert_core::{Array, debug_callback, fori_loop};
///
/// let seen = Arc::new(Mutex::new(Vec::new()));
/// let log = seen.clone();
/// let square = move |x: Array| {
///     let log = log.clone();
///     debug_callback(move |x: Array| log.lock().unwrap().push(x.item::<f64>().unwrap()), x.clone());
///     x.square()
/// };
/// fori_loop(0, 3, |_, x: Array| square(x), Array::from(2.0));
/// assert_eq!(*seen.lock().unwrap(), [2.0, 4.0, 16.0]);
/// ```
#[track_caller]
pub fn debug_callback<A: Tree>(f: impl Fn(A) + Send + Sync + 'static, args: A) {
    let _called = called("debug_callback");
    let (args, def) = flattened(args);
    let function = HostFunction::closure(Vec::new(), move |x| {
        f(assembled::<A>(&def, x));
        Vec::new()
    });
    host_call(HostCall { function, ordered: true }, &args);
}

/// The results of `f`, a function of the host, each time this line runs; `like` says what types they have. `f` is to be a
/// function in the strict sense: it is not called where nobody needs its results, and may be called again.
/// For what must be called once and in order see [`io_callback`].
///
/// Under `vmap` it is called once for each lane. It has no derivative: see [`custom_jvp`](crate::custom_jvp).
///
/// # Panics
/// In the call: when `f` panics, or returns other types or another structure than `like` has.
///
/// ```
/// use wengert_core::{Array, array, callback, zeros_like};
///
/// let x = array![3.0, 1.0, 2.0];
/// let sorted = callback(
///     |x: Array| {
///         let mut x = x.to_vec::<f64>().unwrap();
///         x.sort_by(f64::total_cmp);
///         Array::from(x)
///     },
///     zeros_like(&x),
///     x,
/// );
/// assert_eq!(sorted, array![1.0, 2.0, 3.0]);
/// ```
#[track_caller]
pub fn callback<A: Tree, R: Tree>(f: impl Fn(A) -> R + Send + Sync + 'static, like: R, args: A) -> R {
    let _called = called("callback");
    with_results(f, like, args, false)
}

/// As [`callback`], but called once for each time that this line runs, in the order of the program: reading a sensor, writing a log.
///
/// ```
/// use std::sync::atomic::{AtomicI32, Ordering};
/// use wengert_core::{Array, io_callback};
///
/// static COUNT: AtomicI32 = AtomicI32::new(0);
/// let next = || io_callback(|()| Array::from(COUNT.fetch_add(1, Ordering::Relaxed)), Array::from(0), ());
/// assert_eq!((next(), next()), (Array::from(0), Array::from(1)));
/// ```
#[track_caller]
pub fn io_callback<A: Tree, R: Tree>(f: impl Fn(A) -> R + Send + Sync + 'static, like: R, args: A) -> R {
    let _called = called("io_callback");
    with_results(f, like, args, true)
}

#[track_caller]
fn with_results<A: Tree, R: Tree>(
    f: impl Fn(A) -> R + Send + Sync + 'static,
    like: R,
    args: A,
    ordered: bool,
) -> R {
    let (like, result) = flattened(like);
    let (args, def) = flattened(args);
    let function = HostFunction::closure(like.iter().map(Array::array_type).collect(), move |x| {
        flattened(f(assembled::<A>(&def, x))).0
    });
    assembled::<R>(&result, host_call(HostCall { function, ordered }, &args))
}

/// The results of a kernel of the user's, an `extern "C"` function, which have these types. It counts as a function in the strict sense,
/// as that of a [`callback`] does; derivatives are given by [`custom_jvp`](crate::custom_jvp) or [`custom_vjp`](crate::custom_vjp) around it.
///
/// ```
/// use wengert_core::{Array, ArrayType, DType, array, custom_jvp, extern_call};
/// use wengert_runtime::Kernel;
///
/// unsafe extern "C" fn cube(_: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
///     // SAFETY: it is used with one operand and one result of two f64 below.
///     unsafe {
///         let (x, y) = (inputs.read().cast::<f64>(), outputs.read().cast::<f64>());
///         (0..2).for_each(|i| y.add(i).write(x.add(i).read().powi(3)));
///     }
/// }
/// // SAFETY: as above.
/// let kernel = unsafe { Kernel::new(cube) };
/// let f = move |x: Array| extern_call(kernel, &[ArrayType::new(DType::F64, &[2])], &[&x]).remove(0);
/// let f = custom_jvp(f, move |x: Array, dx: Array| (f(x.clone()), 3.0 * dx * x.square()));
/// assert_eq!(f(array![2.0, 3.0]), array![8.0, 27.0]);
/// ```
#[track_caller]
pub fn extern_call(kernel: Kernel, results: &[ArrayType], args: &[&Array]) -> Vec<Array> {
    let _called = called("extern_call");
    let function = HostFunction::kernel(results.to_vec(), kernel);
    host_call(HostCall { function, ordered: false }, &args.iter().map(|x| (*x).clone()).collect::<Vec<_>>())
}

/// What [`debug_print!`](crate::debug_print) does.
#[doc(hidden)]
#[track_caller]
pub fn debug_print(show: fn(&[Array]), args: &[Array]) {
    let _called = called("debug_print!");
    host_call(HostCall { function: HostFunction::plain(show), ordered: true }, args);
}

#[track_caller]
fn host_call(call: HostCall, args: &[Array]) -> Vec<Array> {
    // Every lane has its own arguments; where they are shared by lanes, batching spreads them.
    let mask = current_mask();
    let lanes = mask.shape();
    let args: Vec<Array> = args.iter().map(|x| over(x, &lanes)).collect();
    record(call, &[&mask].into_iter().chain(&args).collect::<Vec<_>>())
}

fn over(x: &Array, lanes: &[usize]) -> Array {
    lanes.iter().rev().fold(x.clone(), |x, &n| rules::add_axis(&x, 0, n))
}

/// Prints a line each time this line runs, in compiled code too: `debug_print!("x = {}, y = {:.3}", x, y)`, as `println!` does, with
/// arrays by position. In a branch or loop it prints where that is taken, under `vmap` once for each lane.
///
/// ```
/// use wengert_core::{Array, debug_print, fori_loop};
///
/// fori_loop(0, 3, |i, x: Array| { debug_print!("{}: x = {:.2}", i, &x); x.sin() }, Array::from(1.0));
/// ```
#[macro_export]
macro_rules! debug_print {
    ($format:literal $(, $arg:expr)* $(,)?) => {
        $crate::ops::debug_print(
            |args: &[$crate::Array]| {
                #[allow(unused_mut, unused_variables)]
                let mut args = args.iter();
                println!($format $(, { const _: &str = stringify!($arg); args.next().expect("an array for each argument") })*)
            },
            &[$($crate::Array::clone(&$arg)),*],
        )
    };
}
