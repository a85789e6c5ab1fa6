//! The safe door to machine code: buffers are checked against the routine before it runs, and results get memory.

use crate::{Code, Error, Options, compile};
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::in_place;
use wengert_kernel::routine::{Routine, Status, Storage};

/// Machine code that is called with [`Buffer`]s.
///
/// ```
/// use wengert_kernel::{Buffer, routine::{Routine, Status}};
/// use wengert_native::{Checked, Given, Options, Results};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: f64[3] input 0
///     buffer b1: f64[3] output 0
///     function f0 "double" () {
///       pass %0 in 0..3 { %1: f64 = load b0[%0]  %2: f64 = add %1, %1  store b1[%0] = %2 }
///     }"#).unwrap();
/// let double = Checked::compile(&routine, &Options::default()).unwrap();
/// let (x, mut results) = (Buffer::from_slice(&[1.0, 2.0, 3.0]), Results::new());
/// assert_eq!(double.run([&x].into_iter(), &mut Given::new(), &mut results), Status::Fine);
/// assert_eq!(results[0].as_slice(), Some(&[2.0, 4.0, 6.0][..]));
/// ```
pub struct Checked {
    code: Code,
    inputs: Vec<Option<(DType, usize)>>,
    outputs: Vec<Output>,
}

struct Output {
    dtype: DType,
    len: usize,
    /// The inputs it may be written over.
    over: Vec<u32>,
}

/// Arguments that the caller gives up.
///
/// ```
/// use std::sync::Arc;
/// use wengert_kernel::Buffer;
/// use wengert_native::Given;
///
/// let given: Given = [Some(Arc::new(Buffer::from_slice(&[1.0])))].into_iter().collect();
/// assert!(given.iter().all(Option::is_some), "as `run` expects");
/// ```
pub type Given = SmallVec<[Option<Arc<Buffer>>; 8]>;

/// The results of a call, each in memory of its own.
///
/// ```
/// use wengert_native::Results;
///
/// assert!(!Results::with_capacity(4).spilled(), "four results are kept without an allocation");
/// ```
pub type Results = SmallVec<[Arc<Buffer>; 4]>;

impl Checked {
    /// Compiles a routine that `kernel::verify` passes.
    ///
    /// # Errors
    /// Those of [`compile`].
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// use wengert_native::{Checked, Options};
    ///
    /// let empty = Routine::parse("routine arena 0").unwrap();
    /// assert!(Checked::compile(&empty, &Options::default()).is_err(), "there is no function");
    /// ```
    pub fn compile(routine: &Routine, options: &Options) -> Result<Checked, Error> {
        let code = compile(routine, options)?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for buffer in &routine.buffers {
            let (table, i) = match buffer.storage {
                Storage::Input(i) => (&mut inputs, i as usize),
                Storage::Output(i) => (&mut outputs, i as usize),
                _ => continue,
            };
            if table.len() <= i {
                table.resize(i + 1, None);
            }
            table[i] = Some((buffer.dtype, buffer.len));
        }
        let output = |(ty, over): (Option<(DType, usize)>, Vec<u32>)| {
            // What the routine does not name is empty.
            let (dtype, len) = ty.unwrap_or((DType::Bool, 0));
            Output { dtype, len, over }
        };
        let outputs = outputs.into_iter().zip(in_place::choices(routine)).map(output).collect();
        Ok(Checked { code, inputs, outputs })
    }

    /// Runs the routine on these buffers, by the number of the input: first those that the caller keeps, then those that
    /// are given up. A result is written over one of the latter where the routine allows it, nobody else holds it and its
    /// memory is our own.
    ///
    /// The results are pushed to `results`; when the status is not fine (also when there is no memory for them) they hold
    /// anything, and what was given is lost.
    ///
    /// # Panics
    /// When there are fewer buffers than inputs, or one has another dtype or length than the routine's.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wengert_kernel::{Buffer, routine::Routine};
    /// use wengert_native::{Checked, Given, Options, Results};
    ///
    /// let routine = Routine::parse(r#"
    ///     routine arena 0
    ///     buffer b0: f64[2] input 0
    ///     buffer b1: f64[2] output 0
    ///     function f0 "negate" () {
    ///       pass %0 in 0..2 { %1: f64 = load b0[%0]  %2: f64 = neg %1  store b1[%0] = %2 }
    ///     }"#).unwrap();
    /// let negate = Checked::compile(&routine, &Options::default()).unwrap();
    /// let x = Buffer::from_slice(&[1.0, 2.0]);
    /// let at = x.as_ptr();
    /// let mut given: Given = [Some(Arc::new(x))].into_iter().collect();
    /// let mut results = Results::new();
    /// negate.run([].into_iter(), &mut given, &mut results);
    /// assert_eq!(results[0].as_slice(), Some(&[-1.0, -2.0][..]));
    /// assert_eq!(results[0].as_ptr(), at, "it was written over the argument");
    /// ```
    #[inline]
    pub fn run<'a>(&self, kept: impl Iterator<Item = &'a Buffer>, given: &mut Given, results: &mut Results) -> Status {
        let mut reads: SmallVec<[*const u8; 8]> = SmallVec::new();
        reads.reserve(self.inputs.len());
        let mut expected = self.inputs.iter();
        let mut read = |buffer: &Buffer| {
            if let Some(&Some(expected)) = expected.next() {
                check(expected, buffer);
            }
            buffer.as_ptr()
        };
        kept.for_each(|buffer| reads.push(read(buffer)));
        let first_given = reads.len();
        given.iter().for_each(|buffer| reads.push(read(buffer.as_ref().expect("all are there at first"))));
        let mut writes: SmallVec<[*mut u8; 4]> = SmallVec::new();
        writes.reserve(self.outputs.len());
        results.reserve(self.outputs.len());
        for output in &self.outputs {
            let over = |&i: &u32| {
                let i = i as usize;
                let (result, at) = take(given.get_mut(i.checked_sub(first_given)?)?)?;
                reads[i] = at;
                Some((result, at))
            };
            let Some((result, at)) = output.over.iter().find_map(over).or_else(|| output.fresh()) else {
                return Status::Memory { bytes: (output.len * output.dtype.size()) as u64 };
            };
            results.push(result);
            writes.push(at);
        }
        // SAFETY: every input was checked to have the dtype and length that the routine says, and there are as many as it
        // has (`call` checks). Results are of the dtype and length that it says, nobody else has them, and the memory that
        // is written is their own, which is 64-byte aligned and stays where it is when a buffer moves. A result that was
        // an argument is one that `in_place` names, and no other result has it, for it was taken.
        unsafe { self.code.call(&reads, &writes) }
    }

    /// The machine code.
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// use wengert_native::{Checked, Options};
    ///
    /// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { }").unwrap();
    /// let main = Checked::compile(&routine, &Options::default()).unwrap();
    /// assert_eq!(main.code().stretches().len(), 1);
    /// ```
    pub fn code(&self) -> &Code {
        &self.code
    }
}

impl Output {
    #[inline]
    fn fresh(&self) -> Option<(Arc<Buffer>, *mut u8)> {
        Buffer::try_shared_scratch(self.dtype, self.len)
    }
}

/// Takes what may be overwritten.
#[inline]
fn take(given: &mut Option<Arc<Buffer>>) -> Option<(Arc<Buffer>, *mut u8)> {
    let shared = given.as_mut()?;
    // Quicker than `get_mut` where the answer is no.
    if Arc::strong_count(shared) > 1 || !shared.is_owned() {
        return None;
    }
    let at = Arc::get_mut(shared)?.as_mut_ptr();
    Some((given.take()?, at))
}

#[inline]
fn check((dtype, len): (DType, usize), buffer: &Buffer) {
    if buffer.dtype() != dtype || buffer.len() != len {
        mismatch((dtype, len), buffer)
    }
}

#[cold]
fn mismatch((dtype, len): (DType, usize), buffer: &Buffer) -> ! {
    panic!("an argument is {} {}, the routine takes {len} {dtype}", buffer.len(), buffer.dtype())
}
