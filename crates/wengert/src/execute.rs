//! Programs made executable, and the process-wide cache of machine code.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use wengert_compile::Compiled;
use wengert_core::host::raise_trouble;
use wengert_core::value::{ArrayValue, Value};
use wengert_core::{Array, ArrayType, Error, ErrorKind, Program, Type};
use wengert_kernel::buffer::Buffer;
use wengert_kernel::routine::Status;
use wengert_native::{Given, Results};

/// A program compiled to machine code.
///
/// ```
/// use wengert::execute::executable;
/// use wengert::prelude::*;
///
/// let program = trace(|x: Array| x.sin() + 1.0, &zeros(2));
/// let executable = executable(&program)?;
/// let y = executable.run(&[], &mut vec![zeros(2)], |results| results.next())?;
/// assert_eq!(y, Some(ones(2)));
/// # Ok::<(), wengert::Error>(())
/// ```
pub struct Executable {
    code: wengert_native::Checked,
    compiled: Compiled,
    outputs: Vec<ArrayType>,
    took: [Duration; 2],
}

/// The results of a call.
///
/// ```
/// use wengert::execute::executable;
/// use wengert::prelude::*;
///
/// let program = trace(|x: Array| x.sin() + 1.0, &zeros(2));
/// let executable = executable(&program)?;
/// let y = executable.run(&[], &mut vec![zeros(2)], |results| results.next())?;
/// assert_eq!(y, Some(ones(2)));
/// # Ok::<(), wengert::Error>(())
/// ```
pub struct Outputs<'a> {
    buffers: smallvec::Drain<'a, [Arc<Buffer>; 4]>,
    types: std::slice::Iter<'a, ArrayType>,
}

impl Iterator for Outputs<'_> {
    type Item = Array;

    #[inline]
    fn next(&mut self) -> Option<Array> {
        let (buffer, ty) = (self.buffers.next()?, self.types.next()?);
        Some(Array::from_value(Value::Array(ArrayValue::in_buffer(&ty.shape, buffer))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.buffers.size_hint()
    }
}

/// Programs whose code is kept at once; the one used longest ago goes first.
const CAPACITY: usize = 1024;

static COMPILED: AtomicU64 = AtomicU64::new(0);

/// How many programs this process has compiled to machine code.
///
/// ```
/// use wengert::execute::compilations;
/// use wengert::prelude::*;
///
/// let before = compilations();
/// let f = jit(|x: Array| x.tan());
/// f(zeros(3));
/// f(ones(3));
/// assert_eq!(compilations() - before, 1);
/// ```
pub fn compilations() -> u64 {
    COMPILED.load(Ordering::Relaxed)
}

/// How machine code is made where nobody says otherwise. `WENGERT_VECTOR_BITS` is read once.
pub(crate) fn code_options() -> &'static wengert_native::Options {
    static OPTIONS: OnceLock<wengert_native::Options> = OnceLock::new();
    OPTIONS.get_or_init(|| {
        let usual = wengert_native::Options::default();
        let bits = std::env::var("WENGERT_VECTOR_BITS").ok().and_then(|bits| bits.parse().ok());
        wengert_native::Options { widest: bits.unwrap_or(usual.widest), ..usual }
    })
}

struct Entry {
    code: Arc<OnceLock<Result<Arc<Executable>, Error>>>,
    used: u64,
}

#[derive(Default)]
struct Cache {
    entries: HashMap<Arc<Program>, Entry>,
    clock: u64,
}

impl Cache {
    fn entry(&mut self, program: &Arc<Program>) -> Arc<OnceLock<Result<Arc<Executable>, Error>>> {
        self.clock += 1;
        if let Some(entry) = self.entries.get_mut(program) {
            entry.used = self.clock;
            return entry.code.clone();
        }
        if self.entries.len() >= CAPACITY {
            let oldest = self.entries.iter().min_by_key(|(_, e)| e.used).map(|(p, _)| p.clone());
            oldest.and_then(|p| self.entries.remove(&p));
        }
        let code = Arc::new(OnceLock::new());
        self.entries.insert(program.clone(), Entry { code: code.clone(), used: self.clock });
        code
    }
}

/// The machine code of a program. Structurally equal programs are compiled once in the process; whoever comes second waits.
///
/// # Errors
/// As [`Executable::new`].
///
/// ```
/// use wengert::execute::executable;
/// use wengert::prelude::*;
///
/// let program = trace(|x: Array| x.sin() + 1.0, &zeros(2));
/// let executable = executable(&program)?;
/// assert!(executable.compiled().checks.is_empty());
/// # Ok::<(), wengert::Error>(())
/// ```
pub fn executable(program: &Arc<Program>) -> Result<Arc<Executable>, Error> {
    found_or_made(program).map(|(executable, _)| executable)
}

/// The machine code, and whether it was made now.
pub(crate) fn found_or_made(program: &Arc<Program>) -> Result<(Arc<Executable>, bool), Error> {
    static CACHE: OnceLock<Mutex<Cache>> = OnceLock::new();
    let cache = CACHE.get_or_init(Mutex::default);
    // A panic while the lock is held leaves the table as it was before: it is used again.
    let code = cache.lock().unwrap_or_else(PoisonError::into_inner).entry(program);
    let mut made = false;
    let code = code.get_or_init(|| {
        made = true;
        Executable::new(program).map(Arc::new)
    });
    code.clone().map(|code| (code, made))
}

impl Executable {
    /// Compiles a program whose outputs are arrays. With `WENGERT_VECTOR_BITS=256` in the environment vectors are no wider than
    /// that, with 128 not even so wide.
    ///
    /// # Errors
    /// An output that is a list of rows, or a program too large for the code generator.
    ///
    /// ```
    /// use wengert::execute::Executable;
    /// use wengert::prelude::*;
    ///
    /// let program = trace(|x: Array| x.sin(), &zeros(2));
    /// assert!(Executable::new(&program).is_ok());
    /// ```
    pub fn new(program: &Program) -> Result<Executable, Error> {
        Executable::compiled_with(program, &Default::default(), code_options())
    }

    /// The same, compiled as these options say.
    ///
    /// # Errors
    /// As [`Executable::new`].
    ///
    /// ```
    /// use wengert::execute::Executable;
    /// use wengert::prelude::*;
    ///
    /// // Loops for several threads even where these are slower than one.
    /// let options = wengert_compile::Options { parallel: 0, ..Default::default() };
    /// let program = trace(|x: Array| x.sin(), &zeros(256));
    /// let executable = Executable::compiled_with(&program, &options, &Default::default())?;
    /// assert!(executable.compiled().routine.to_string().contains("parallel"));
    /// # Ok::<(), wengert::Error>(())
    /// ```
    pub fn compiled_with(
        program: &Program,
        loops: &wengert_compile::Options,
        code: &wengert_native::Options,
    ) -> Result<Executable, Error> {
        let array = |ty: &Type| match ty {
            Type::Array(a) => Ok(a.clone()),
            Type::List(_) => Err(Error::new(ErrorKind::Type, "a compiled program returns arrays, not lists of rows")),
        };
        let outputs = program.output_types().map(array).collect::<Result<_, _>>()?;
        let start = Instant::now();
        let compiled = wengert_compile::compile(program, loops);
        let loops = start.elapsed();
        let code = wengert_native::Checked::compile(&compiled.routine, code)
            .map_err(|e| Error::new(ErrorKind::Type, format!("machine code could not be made: {e}")))?;
        COMPILED.fetch_add(1, Ordering::Relaxed);
        let took = [loops, start.elapsed() - loops];
        Ok(Executable { code, compiled, outputs, took })
    }

    /// How long it took to make loops of the program, and machine code of the loops.
    ///
    /// ```
    /// use wengert::execute::executable;
    /// use wengert::prelude::*;
    ///
    /// let [loops, code] = executable(&trace(|x: Array| x.sin(), &zeros(2)))?.took();
    /// println!("{loops:?} {code:?}");
    /// # Ok::<(), wengert::Error>(())
    /// ```
    pub fn took(&self) -> [Duration; 2] {
        self.took
    }

    /// The machine code.
    pub(crate) fn code(&self) -> &wengert_native::Code {
        self.code.code()
    }

    /// The loops that were compiled.
    ///
    /// ```
    /// use wengert::execute::executable;
    /// use wengert::prelude::*;
    ///
    /// let program = trace(|x: Array| x.sin() + 1.0, &zeros(2));
    /// let executable = executable(&program)?;
    /// println!("{}", executable.compiled().routine);
    /// # Ok::<(), wengert::Error>(())
    /// ```
    pub fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// Runs the program on these arrays, the captured ones first, and hands its results to `finish`. An argument that nobody
    /// else holds gives its memory to a result where that changes nothing. No arguments are left in the vector.
    ///
    /// # Errors
    /// A failed `check`, or memory refused.
    ///
    /// Nothing larger than a pointer is moved on the way of the buffers, for a call may take less time than that.
    ///
    /// ```
    /// use wengert::execute::executable;
    /// use wengert::prelude::*;
    ///
    /// let program = trace(|x: Array| x.sin() + 1.0, &zeros(2));
    /// let executable = executable(&program)?;
    /// let y = executable.run(&[], &mut vec![zeros(2)], |results| results.next())?;
    /// assert_eq!(y, Some(ones(2)));
    /// # Ok::<(), wengert::Error>(())
    /// ```
    #[inline]
    pub fn run<T>(
        &self,
        captures: &[Arc<Buffer>],
        args: &mut Vec<Array>,
        finish: impl FnOnce(&mut Outputs<'_>) -> T,
    ) -> Result<T, Error> {
        let mut given = Given::new();
        given.reserve(args.len());
        for x in args.drain(..) {
            given.push(Some(x.into_buffer("jit")?));
        }
        let mut results = Results::new();
        match self.code.run(captures.iter().map(|buffer| &**buffer), &mut given, &mut results) {
            Status::Fine if self.compiled.hosts.is_empty() => {
                Ok(finish(&mut Outputs { buffers: results.drain(..), types: self.outputs.iter() }))
            }
            Status::Fine => {
                // What the host did wrong goes on here, a panic too.
                raise_trouble()?;
                Ok(finish(&mut Outputs { buffers: results.drain(..), types: self.outputs.iter() }))
            }
            status => {
                raise_trouble()?;
                Err(self.error(status))
            }
        }
    }

    #[cold]
    fn error(&self, status: Status) -> Error {
        match status {
            Status::Check { check, lane } => self.compiled.checks[check as usize].error(lane),
            Status::Memory { bytes } => memory_refused(bytes),
            Status::Fine => unreachable!("a call that went well is no error"),
        }
    }
}

fn memory_refused(bytes: u64) -> Error {
    Error::new(
        ErrorKind::Memory,
        format!("{bytes} bytes of memory could not be had; arrays that are held elsewhere are untouched"),
    )
}
