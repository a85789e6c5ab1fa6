//! The safe door to machine code: buffers are checked against the routine before it runs, and results get memory.

use crate::{Code, Error, Options, compile};
use smallvec::SmallVec;
use std::sync::Arc;
use wengert_kernel::DType;
use wengert_kernel::buffer::Buffer;
use wengert_kernel::routine::{Routine, Status, Storage};

/// Machine code that is called with [`Buffer`]s.
pub struct Checked {
    code: Code,
    inputs: Vec<Option<(DType, usize)>>,
    outputs: Vec<(DType, usize)>,
}

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
        // What the routine does not write is empty.
        let outputs = outputs.into_iter().map(|o| o.unwrap_or((DType::Bool, 0))).collect();
        Ok(Checked { code, inputs, outputs })
    }

    /// Runs the routine on these buffers, by the number of the input.
    ///
    /// # Errors
    /// What ended the routine, if it is not fine; also when there is no memory for the results.
    ///
    /// # Panics
    /// When there are fewer buffers than inputs, or one has another dtype or length than the routine's.
    #[inline]
    pub fn run<'a>(&self, inputs: impl IntoIterator<Item = &'a Buffer>) -> Result<Results, Status> {
        let mut reads: SmallVec<[*const u8; 8]> = SmallVec::new();
        let mut expected = self.inputs.iter();
        for buffer in inputs {
            if let Some(&Some(expected)) = expected.next() {
                check(reads.len(), expected, buffer);
            }
            reads.push(buffer.as_ptr());
        }
        let mut writes: SmallVec<[*mut u8; 4]> = SmallVec::new();
        let mut results = Results::new();
        for &(dtype, len) in &self.outputs {
            let Some(mut buffer) = Buffer::try_scratch(dtype, len) else {
                return Err(Status::Memory { bytes: (len * dtype.size()) as u64 });
            };
            writes.push(buffer.as_mut_ptr());
            results.push(Arc::new(buffer));
        }
        // SAFETY: every input was checked to have the dtype and length that the routine says, and there are as many as it
        // has (`call` checks). Results are of the dtype and length that it says, nobody else has them, and the memory that
        // is written is their own, which is 64-byte aligned and stays where it is when a buffer moves.
        match unsafe { self.code.call(&reads, &writes) } {
            Status::Fine => Ok(results),
            other => Err(other),
        }
    }

    /// The machine code.
    pub fn code(&self) -> &Code {
        &self.code
    }
}

#[inline]
fn check(i: usize, (dtype, len): (DType, usize), buffer: &Buffer) {
    if buffer.dtype() != dtype || buffer.len() != len {
        mismatch(i, (dtype, len), buffer)
    }
}

#[cold]
fn mismatch(i: usize, (dtype, len): (DType, usize), buffer: &Buffer) -> ! {
    panic!("input {i} is {} {}, the routine takes {len} {dtype}", buffer.len(), buffer.dtype())
}
