//! Finished machine code: its memory, and how it is called.

use crate::Error;
use crate::Listing;
use crate::frame::{ALIGN, CHECK, FINE, Frame, Growable, Layout};
use crate::host;
use crate::isa::{Effort, isa};
use crate::wide;
use cranelift_codegen::ir::{LibCall, Signature};
use cranelift_jit::{ArenaMemoryProvider, JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, ModuleReloc};
use std::alloc::{self, alloc, dealloc};
use std::cell::Cell;
use std::mem::MaybeUninit;
use wengert_kernel::routine::Status;
use wengert_runtime::in_default_mode;

thread_local! {
    /// Calls of machine code by this thread so far. (One count for all would be written by all threads at each call.)
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// Blocks of at most this many bytes live on the stack.
const SMALL: usize = 1024;

/// Blocks of at most this many bytes are kept for the thread's next call.
const MOST_KEPT: usize = 256 << 20;

/// How many calls of machine code this thread has made.
///
/// ```
/// use wengert_kernel::routine::Routine;
/// use wengert_native::{Options, calls, compile};
///
/// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { }").unwrap();
/// let code = compile(&routine, &Options::default()).unwrap();
/// let before = calls();
/// // SAFETY: the routine has neither inputs nor outputs.
/// unsafe { code.call(&[], &[]) };
/// assert_eq!(calls(), before + 1);
/// ```
pub fn calls() -> u64 {
    CALLS.get()
}

/// A compiled routine. Dropping it frees the machine code; share it in an `Arc`.
///
/// ```
/// use std::sync::Arc;
/// use wengert_kernel::routine::{Routine, Status};
/// use wengert_native::{Options, compile};
///
/// let routine = Routine::parse(r#"
///     routine arena 0
///     buffer b0: u64[1] output 0
///     function f0 "answer" () { %0: u64 = const 42  store b0[0] = %0 }"#).unwrap();
/// let code = Arc::new(compile(&routine, &Options::default()).unwrap());
/// #[repr(align(64))]
/// struct Aligned([u64; 1]);
/// let elsewhere = std::thread::spawn(move || {
///     let mut y = Aligned([0]);
///     // SAFETY: there is one output, of one u64, aligned to 64 bytes.
///     (unsafe { code.call(&[], &[(&raw mut y).cast()]) }, y.0[0])
/// });
/// assert_eq!(elsewhere.join().unwrap(), (Status::Fine, 42));
/// ```
pub struct Code {
    entry: unsafe extern "C" fn(*mut Frame) -> u32,
    module: Option<JITModule>,
    layout: Layout,
    /// Of the block, and before the frame in it.
    block_bytes: usize,
    scratch_bytes: usize,
    inputs: usize,
    outputs: usize,
    growable_limit: u64,
    bytes: usize,
    stretches: Vec<(usize, usize)>,
    listing: Option<Listing>,
    /// Machine code holds the addresses of these.
    _constants: Vec<Box<[i64]>>,
}

// SAFETY: the module is not touched between making and dropping; the machine code changes nothing but the block of its
// call, the growable buffers of that block and the outputs.
unsafe impl Sync for Code {}

/// Machine code not yet in executable memory: all functions in one piece.
pub(crate) struct Object {
    pub bytes: Vec<u8>,
    /// Against functions by [`Object::starts`]' index.
    pub relocations: Vec<ModuleReloc>,
    /// Where each function begins.
    pub starts: Vec<usize>,
    /// Where each kernel of a wide loop begins; they come after the functions.
    pub kernels: Vec<usize>,
    pub signature: Signature,
}

/// What a call needs to know.
pub(crate) struct Interface {
    pub layout: Layout,
    pub inputs: usize,
    pub outputs: usize,
    pub scratch_bytes: usize,
    pub growable_limit: u64,
    pub constants: Vec<Box<[i64]>>,
    pub listing: Option<Listing>,
}

impl Code {
    /// Places the code in memory of its own.
    pub(crate) fn place(object: Object, interface: Interface, effort: Effort) -> Result<Code, Error> {
        const VENEER: usize = 24;
        let names = |call: LibCall| match host::library(call) {
            Some((name, _)) => format!("wengert.{name}"),
            None => cranelift_module::default_libcall_names()(call),
        };
        let mut builder = JITBuilder::with_isa(isa(effort)?.clone(), Box::new(names));
        for call in LibCall::all_libcalls() {
            if let Some((name, address)) = host::library(*call) {
                builder.symbol(format!("wengert.{name}"), address);
            }
        }
        let bytes = object.bytes.len();
        let room = bytes + object.relocations.len() * VENEER + ALIGN;
        let memory = ArenaMemoryProvider::new_with_size(room).map_err(|e| Error::Memory(e.to_string()))?;
        builder.memory_provider(Box::new(memory));
        let mut module = JITModule::new(builder);
        let failed = |e: cranelift_module::ModuleError| Error::Memory(e.to_string());
        let id = module.declare_function("routine", Linkage::Local, &object.signature).map_err(failed)?;
        let relocations: Vec<ModuleReloc> = object
            .relocations
            .into_iter()
            .map(|mut relocation| {
                use cranelift_module::ModuleRelocTarget::{FunctionOffset, User};
                if let User { namespace, index } = relocation.name {
                    let starts = if namespace == wide::NAMESPACE { &object.kernels } else { &object.starts };
                    relocation.name = FunctionOffset(id, starts[index as usize] as u32);
                }
                relocation
            })
            .collect();
        module.define_function_bytes(id, ALIGN as u64, &object.bytes, &relocations).map_err(failed)?;
        module.finalize_definitions().map_err(failed)?;
        let start = module.get_finalized_function(id);
        let entry = start.wrapping_add(object.starts.last().copied().unwrap_or(0));
        // SAFETY: the last function is the entry, which has this signature.
        let entry = unsafe { std::mem::transmute::<*const u8, unsafe extern "C" fn(*mut Frame) -> u32>(entry) };
        let ends = object.starts.iter().skip(1).chain([&bytes]);
        let stretch = |(&from, &to): (&usize, &usize)| (start.addr() + from, to - from);
        let stretches = object.starts.iter().zip(ends).map(stretch).collect();
        let Interface { layout, inputs, outputs, scratch_bytes, growable_limit, constants, listing } = interface;
        // Passes keep tiles in whole lines of the cache.
        let scratch_bytes = scratch_bytes.next_multiple_of(ALIGN);
        let block_bytes = layout.end.saturating_add(scratch_bytes);
        Ok(Code {
            entry,
            stretches,
            module: Some(module),
            layout,
            block_bytes,
            scratch_bytes,
            inputs,
            outputs,
            growable_limit,
            bytes,
            listing,
            _constants: constants,
        })
    }

    /// Runs the routine.
    ///
    /// # Safety
    /// By number, every input must be good for reading and every output for writing as many bytes as the routine's
    /// buffers say (any alignment for inputs, 64 bytes for outputs), and no output may overlap anything else, but that it
    /// may be the memory of one input that [`wengert_kernel::in_place::choices`] names for it. A buffer of no elements may
    /// have any address.
    ///
    /// # Panics
    /// When there are fewer addresses than the routine has inputs or outputs.
    ///
    /// ```
    /// use wengert_kernel::routine::{Routine, Status};
    /// use wengert_native::{Options, compile};
    ///
    /// let routine = Routine::parse(r#"
    ///     routine arena 0
    ///     buffer b0: f64[1] input 0
    ///     function f0 "check" () {
    ///       %0: f64 = load b0[0]  %1: bool = is_finite %0  %2: bool = not %1  %3: i64 = const 0
    ///       fail %2 check 7 lane %3
    ///     }"#).unwrap();
    /// let code = compile(&routine, &Options::default()).unwrap();
    /// // SAFETY: one input of one f64.
    /// let check = |x: f64| unsafe { code.call(&[(&raw const x).cast()], &[]) };
    /// assert_eq!(check(1.0), Status::Fine);
    /// assert_eq!(check(f64::NAN), Status::Check { check: 7, lane: 0 });
    /// ```
    #[inline]
    pub unsafe fn call(&self, inputs: &[*const u8], outputs: &[*mut u8]) -> Status {
        assert!(inputs.len() >= self.inputs && outputs.len() >= self.outputs, "too few inputs or outputs");
        CALLS.set(CALLS.get() + 1);
        if self.block_bytes <= SMALL {
            let mut block = MaybeUninit::<Small>::uninit();
            // SAFETY: the block is large enough; the rest is the caller's contract.
            return unsafe { self.run(block.as_mut_ptr().cast(), inputs, outputs) };
        }
        let Some(block) = Block::take(self.block_bytes) else {
            return Status::Memory { bytes: self.block_bytes as u64 };
        };
        // SAFETY: as above.
        let status = unsafe { self.run(block.data, inputs, outputs) };
        block.give_back();
        status
    }

    /// # Safety
    /// `block` begins a block of `self.block_bytes`, aligned; the rest as for [`Code::call`].
    #[inline]
    unsafe fn run(&self, block: *mut u8, inputs: &[*const u8], outputs: &[*mut u8]) -> Status {
        // SAFETY: the block is large enough.
        let frame = unsafe { block.add(self.scratch_bytes).cast::<Frame>() };
        let head = Frame {
            inputs: inputs.as_ptr(),
            outputs: outputs.as_ptr(),
            lane: 0,
            check: 0,
            refused: 0,
            held: 0,
            limit: self.growable_limit,
            // SAFETY: likewise.
            arena: unsafe { frame.byte_add(self.layout.arena).cast() },
            scratch: self.scratch_bytes,
            shared: self.layout.local,
            own: self.layout.arena,
        };
        // SAFETY: the block is large enough for the header and the descriptors, and no one else's; the machine code is
        // the entry of a routine with this layout, and alive as long as `self`.
        unsafe {
            frame.write(head);
            let descriptors = frame.byte_add(self.layout.growables).cast::<Growable>();
            for k in 0..self.layout.growable_count {
                let nowhere = std::ptr::without_provenance_mut(ALIGN);
                descriptors.add(k).write(Growable { data: nowhere, capacity: 0, bytes: 0 });
            }
            let code = in_default_mode(|| (self.entry)(frame));
            for k in 0..self.layout.growable_count {
                host::release(&*descriptors.add(k));
            }
            match code {
                FINE => Status::Fine,
                CHECK => Status::Check { check: (*frame).check, lane: (*frame).lane },
                _ => Status::Memory { bytes: (*frame).refused },
            }
        }
    }

    /// Bytes of machine code.
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// use wengert_native::{Options, compile};
    ///
    /// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { }").unwrap();
    /// let code = compile(&routine, &Options::default()).unwrap();
    /// assert!((1..64).contains(&code.code_bytes()), "it returns, and no more");
    /// ```
    pub fn code_bytes(&self) -> usize {
        self.bytes
    }

    /// Where each function lies, its address and length, for profilers; the entry comes last, and with it the
    /// kernels of wide loops.
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// use wengert_native::{Options, compile};
    ///
    /// let routine = Routine::parse(r#"
    ///     routine arena 0
    ///     function f0 "nothing" () { }
    ///     function f1 "main" () { call f0() }"#).unwrap();
    /// let code = compile(&routine, &Options::default()).unwrap();
    /// let [(nothing, bytes), (main, _)] = code.stretches() else { unreachable!("there are two functions") };
    /// assert!(nothing + bytes <= *main);
    /// ```
    pub fn stretches(&self) -> &[(usize, usize)] {
        &self.stretches
    }

    /// Bytes of memory that a call needs besides growable buffers.
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// use wengert_native::{Options, compile};
    ///
    /// let bytes = |arena: usize| {
    ///     let routine = Routine::parse(&format!("routine arena {arena}  function f0 \"main\" () {{ }}")).unwrap();
    ///     compile(&routine, &Options::default()).unwrap().frame_bytes()
    /// };
    /// assert_eq!(bytes(4096) - bytes(0), 4096, "the arena is part of it");
    /// ```
    pub fn frame_bytes(&self) -> usize {
        self.block_bytes
    }

    /// The code as text, when [`Options::listing`](crate::Options::listing) was set.
    ///
    /// ```
    /// use wengert_kernel::routine::Routine;
    /// use wengert_native::{Options, compile};
    ///
    /// let routine = Routine::parse("routine arena 0  function f0 \"main\" () { }").unwrap();
    /// let code = |listing| compile(&routine, &Options { listing, ..Options::default() }).unwrap();
    /// assert!(code(false).listing().is_none());
    /// assert_eq!(code(true).listing().unwrap().assembly[0].text, "main:");
    /// ```
    pub fn listing(&self) -> Option<&Listing> {
        self.listing.as_ref()
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("bytes", &self.bytes).field("frame_bytes", &self.block_bytes).finish()
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        if let Some(module) = self.module.take() {
            // SAFETY: the entry is private and calls borrow `self`, so nothing runs.
            unsafe { module.free_memory() }
        }
    }
}

#[repr(C, align(64))]
struct Small([u8; SMALL]);

/// Memory of one call, kept by the thread between calls.
pub(crate) struct Block {
    pub data: *mut u8,
    bytes: usize,
}

thread_local! {
    static SPARE: Cell<Option<Block>> = const { Cell::new(None) };
}

impl Block {
    /// The thread's spare block, or a new one; `None` when memory is refused.
    pub fn take(bytes: usize) -> Option<Block> {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        if let Some(block) = spare
            && block.bytes >= bytes
        {
            return Some(block);
        }
        // SAFETY: the size is not 0: every block holds a header.
        let data = unsafe { alloc(Block::layout(bytes)?) };
        (!data.is_null()).then_some(Block { data, bytes })
    }

    pub fn give_back(self) {
        if self.bytes <= MOST_KEPT {
            // When the thread is ending the block is dropped.
            _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }

    fn layout(bytes: usize) -> Option<alloc::Layout> {
        alloc::Layout::from_size_align(bytes, ALIGN).ok()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(layout) = Block::layout(self.bytes) {
            // SAFETY: made in `take` with this layout.
            unsafe { dealloc(self.data, layout) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_shared_between_threads() {
        fn check<T: Send + Sync>() {}
        check::<Code>();
    }

    #[test]
    fn blocks_are_kept_and_replaced() {
        let block = Block::take(2000).unwrap();
        let first = block.data;
        block.give_back();
        let smaller = Block::take(100).unwrap();
        assert_eq!(smaller.data, first);
        let other = Block::take(100).unwrap();
        assert_ne!(other.data, first);
        smaller.give_back();
        other.give_back();
        assert!(Block::take(isize::MAX as usize - 64).is_none());
        assert!(Block::take(usize::MAX).is_none());
    }
}
