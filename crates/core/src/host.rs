//! Functions of the host that programs call: what they are, and how one is called with values.

use crate::array::{Array, Repr};
use crate::error::Error;
use crate::numbered::{find, register};
use crate::trace::{concrete, door};
use crate::types::{ArrayType, Shape, Type};
use crate::value::{ArrayValue, Value};
use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use wengert_kernel::buffer::Buffer;
use wengert_runtime::Kernel;

pub use wengert_runtime::Registered;

/// A function of the host with the types of its results. Equal when it is the same function; programs print its number, and
/// read it back while it lives.
///
/// ```
/// use wengert_core::{Array, host::HostFunction};
///
/// let f = HostFunction::closure(Vec::new(), |x: Vec<Array>| { println!("{}", x[0]); Vec::new() });
/// assert_eq!(HostFunction::of_number(f.number()), Some(f.clone()));
/// ```
#[derive(Clone)]
pub struct HostFunction(Arc<Inner>);

struct Inner {
    number: u64,
    body: Body,
    results: Vec<ArrayType>,
}

enum Body {
    Plain(fn(&[Array])),
    Closure(Box<dyn Fn(Vec<Array>) -> Vec<Array> + Send + Sync>),
    Kernel(Kernel),
}

/// What tells two functions apart that are no closures.
#[derive(PartialEq, Eq, Hash, Clone)]
enum Key {
    Plain(usize),
    Kernel(Kernel, Vec<ArrayType>),
}

/// The functions that are no closures, by what they are.
static KEYS: Mutex<Option<HashMap<Key, Weak<Inner>>>> = Mutex::new(None);

impl HostFunction {
    /// A function without captures and results, such as `debug_print!` makes: it is the same at every call.
    ///
    /// ```
    /// use wengert_core::{Array, host::HostFunction};
    ///
    /// fn show(x: &[Array]) { println!("{}", x[0]) }
    /// assert_eq!(HostFunction::plain(show), HostFunction::plain(show));
    /// ```
    pub fn plain(f: fn(&[Array])) -> HostFunction {
        HostFunction::new(Some(Key::Plain(f as usize)), Body::Plain(f), Vec::new())
    }

    /// A closure, whose results have these types. Equal to no other.
    ///
    /// ```
    /// use wengert_core::{Array, host::HostFunction};
    ///
    /// let f = || HostFunction::closure(Vec::new(), |_| Vec::new());
    /// assert_ne!(f(), f());
    /// ```
    pub fn closure(
        results: Vec<ArrayType>,
        f: impl Fn(Vec<Array>) -> Vec<Array> + Send + Sync + 'static,
    ) -> HostFunction {
        HostFunction::new(None, Body::Closure(Box::new(f)), results)
    }

    /// A kernel, whose results have these types.
    ///
    /// ```
    /// use wengert_core::{ArrayType, DType, Kernel, host::HostFunction};
    ///
    /// unsafe extern "C" fn one(_: *const i64, _: *const *const u8, outputs: *const *mut u8) {
    ///     // SAFETY: there is one result, of one f64.
    ///     unsafe { outputs.read().cast::<f64>().write(1.0) }
    /// }
    /// // SAFETY: as above.
    /// let kernel = unsafe { Kernel::new(one) };
    /// let f = HostFunction::kernel(vec![ArrayType::new(DType::F64, &[])], kernel);
    /// assert_eq!(f.call(Vec::new())?[0].slice::<f64>(), [1.0]);
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn kernel(results: Vec<ArrayType>, kernel: Kernel) -> HostFunction {
        HostFunction::new(Some(Key::Kernel(kernel, results.clone())), Body::Kernel(kernel), results)
    }

    fn new(key: Option<Key>, body: Body, results: Vec<ArrayType>) -> HostFunction {
        let made = || register(|number| Inner { number, body, results });
        let Some(key) = key else { return HostFunction(made()) };
        let mut keys = KEYS.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = keys.get_or_insert_default();
        if let Some(same) = keys.get(&key).and_then(Weak::upgrade) {
            return HostFunction(same);
        }
        keys.retain(|_, inner| inner.strong_count() > 0);
        let inner = made();
        keys.insert(key, Arc::downgrade(&inner));
        HostFunction(inner)
    }

    /// By what number programs print it.
    ///
    /// ```
    /// let f = || wengert_core::host::HostFunction::closure(Vec::new(), |_| Vec::new());
    /// assert_ne!(f().number(), f().number());
    /// ```
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// The function of that number, if it lives.
    ///
    /// ```
    /// assert_eq!(wengert_core::host::HostFunction::of_number(u64::MAX), None);
    /// ```
    pub fn of_number(number: u64) -> Option<HostFunction> {
        find(number).map(HostFunction)
    }

    /// The types of its results.
    ///
    /// ```
    /// assert!(wengert_core::host::HostFunction::plain(|_| ()).results().is_empty());
    /// ```
    pub fn results(&self) -> &[ArrayType] {
        &self.0.results
    }

    /// Calls it outside of all traces.
    ///
    /// # Errors
    /// That which it raises, and when results have other types than they should.
    ///
    /// ```
    /// use wengert_core::{Array, ArrayType, DType, host::HostFunction, value::ArrayValue};
    ///
    /// let f = HostFunction::closure(vec![ArrayType::new(DType::F64, &[2])], |x: Vec<Array>| vec![2.0 * &x[0]]);
    /// assert_eq!(f.call(vec![ArrayValue::new(&[2], vec![1.0, 2.0])])?[0].slice::<f64>(), [2.0, 4.0]);
    /// assert!(f.call(vec![ArrayValue::new(&[3], vec![1.0; 3])]).is_err());
    /// # Ok::<(), wengert_core::Error>(())
    /// ```
    pub fn call(&self, args: Vec<ArrayValue>) -> Result<Vec<ArrayValue>, Error> {
        let arrays = |args: Vec<ArrayValue>| args.into_iter().map(|x| Array(Repr::Value(Value::Array(x)))).collect();
        let results = match &self.0.body {
            Body::Plain(f) => {
                let args: Vec<Array> = arrays(args);
                door(|| concrete(|| f(&args)))?;
                Vec::new()
            }
            Body::Closure(f) => {
                let results = door(|| concrete(|| f(arrays(args))))?;
                let values = results.iter().map(|y| y.value("callback").map(Value::into_array));
                values.collect::<Result<Vec<ArrayValue>, Error>>()?
            }
            Body::Kernel(kernel) => {
                let mut results: Vec<Buffer> =
                    self.0.results.iter().map(|ty| Buffer::zeros(ty.dtype, ty.size())).collect();
                let inputs: Vec<&[u8]> = args.iter().map(|x| x.buffer.bytes()).collect();
                let mut outputs: Vec<&mut [u8]> = results.iter_mut().map(Buffer::bytes_mut).collect();
                kernel.call(&inputs, &mut outputs);
                let value = |(y, ty): (Buffer, &ArrayType)| ArrayValue::in_buffer(&ty.shape, Arc::new(y));
                results.into_iter().zip(&self.0.results).map(value).collect()
            }
        };
        let found: Vec<ArrayType> = results.iter().map(ArrayValue::ty).collect();
        if found != self.0.results {
            let list = |types: &[ArrayType]| types.iter().map(ArrayType::to_string).collect::<Vec<_>>().join(", ");
            let sentence =
                format!("callback: the function returned {}, but promised {}", list(&found), list(&self.0.results));
            return Err(Error::new(crate::ErrorKind::Type, sentence));
        }
        Ok(results)
    }
}

impl PartialEq for HostFunction {
    fn eq(&self, other: &HostFunction) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HostFunction {}

impl Hash for HostFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number.hash(state);
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostFunction({})", self.0.number)
    }
}

/// What went wrong in a function that machine code called, on its way to whoever called the machine code.
enum Trouble {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

thread_local! {
    static TROUBLE: RefCell<Option<Trouble>> = const { RefCell::new(None) };
}

/// Runs what machine code calls: nothing unwinds out of it, and the first trouble is kept for [`raise_trouble`]. After it
/// nothing runs any more until then.
///
/// ```
/// use wengert_core::host::{guarded, raise_trouble};
///
/// assert_eq!(guarded(|| Ok(1)), Some(1));
/// assert_eq!(guarded::<()>(|| panic!("by the user")), None);
/// assert_eq!(guarded(|| Ok(1)), None); // until the panic has gone on
/// assert!(std::panic::catch_unwind(raise_trouble).is_err());
/// assert_eq!(guarded(|| Ok(1)), Some(1));
/// ```
pub fn guarded<T>(f: impl FnOnce() -> Result<T, Error>) -> Option<T> {
    if TROUBLE.with_borrow(Option::is_some) {
        return None;
    }
    let trouble = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(result)) => return Some(result),
        Ok(Err(error)) => Trouble::Error(error),
        Err(payload) => Trouble::Panic(payload),
    };
    TROUBLE.set(Some(trouble));
    None
}

/// Hands on what went wrong since the last time: an error, or the panic itself.
///
/// # Errors
/// That of a function of the host.
///
/// ```
/// assert!(wengert_core::host::raise_trouble().is_ok());
/// ```
pub fn raise_trouble() -> Result<(), Error> {
    match TROUBLE.take() {
        None => Ok(()),
        Some(Trouble::Error(error)) => Err(error),
        Some(Trouble::Panic(payload)) => resume_unwind(payload),
    }
}

/// The type of a result for lanes of that shape.
pub(crate) fn on_lanes(ty: &ArrayType, lanes: &[usize]) -> Type {
    let shape: Shape = lanes.iter().chain(&ty.shape).copied().collect();
    Type::Array(ArrayType { dtype: ty.dtype, shape })
}
