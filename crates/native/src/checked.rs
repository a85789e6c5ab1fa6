//! The safe door to machine code: buffers are checked against the routine before it runs.

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
    outputs: Vec<Option<(DType, usize)>>,
}

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
        Ok(Checked { code, inputs, outputs })
    }

    /// Runs the routine on these buffers.
    ///
    /// # Panics
    /// When a buffer has another dtype or length than the routine's.
    #[inline]
    pub fn run(&self, inputs: &[Arc<Buffer>], outputs: &mut [Buffer]) -> Status {
        let mut reads: SmallVec<[*const u8; 16]> = SmallVec::new();
        for (i, buffer) in inputs.iter().enumerate() {
            check("input", i, self.inputs.get(i).copied().flatten(), buffer);
            reads.push(buffer.as_ptr());
        }
        let mut writes: SmallVec<[*mut u8; 16]> = SmallVec::new();
        for (i, buffer) in outputs.iter_mut().enumerate() {
            check("output", i, self.outputs.get(i).copied().flatten(), buffer);
            writes.push(buffer.as_mut_ptr());
        }
        assert!(inputs.len() >= self.inputs.len() && outputs.len() >= self.outputs.len(), "every buffer is given");
        // SAFETY: every buffer has the dtype and length that the routine says. Outputs are borrowed exclusively, so they
        // overlap nothing, and memory that is written is the buffer's own, which is 64-byte aligned.
        unsafe { self.code.call(&reads, &writes) }
    }

    /// The machine code.
    pub fn code(&self) -> &Code {
        &self.code
    }
}

#[inline]
fn check(what: &str, i: usize, expected: Option<(DType, usize)>, buffer: &Buffer) {
    if let Some((dtype, len)) = expected {
        assert!(
            buffer.dtype() == dtype && buffer.len() == len,
            "{what} {i} is {} {}, the routine takes {len} {dtype}",
            buffer.len(),
            buffer.dtype()
        );
    }
}
