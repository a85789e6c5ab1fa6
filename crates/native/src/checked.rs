//! The safe door to machine code: buffers are checked against the routine before it runs, and results get memory.

use crate::{Code, Error, Options, compile};
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::in_place;
use wengert_kernel::routine::{Routine, Status, Storage};

/// Machine code that is called with [`Buffer`]s.
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
pub type Given = SmallVec<[Option<Arc<Buffer>>; 8]>;

/// The results of a call, each in memory of its own.
pub type Results = SmallVec<[Arc<Buffer>; 4]>;

impl Checked {
    /// Compiles a routine that `kernel::verify` passes.
    ///
    /// # Errors
    /// Those of [`compile`].
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
    #[inline]
    pub fn run<'a>(&self, kept: impl Iterator<Item = &'a Buffer>, given: &mut Given, results: &mut Results) -> Status {
        let mut reads: SmallVec<[*const u8; 8]> = SmallVec::new();
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
