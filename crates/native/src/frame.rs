//! What machine code and the host agree on: the frame of one call, its layout, the status returned.
//!
//! A call owns one block of memory: scratch memory, this header, the growable buffers' descriptors, the parameter cells and
//! result slots of every function, local memory, then the arena. No function is ever active twice in one thread of a call, so
//! all places are fixed when the routine is compiled, and machine code reaches each by a constant offset from the header, scratch
//! memory by a negative one. In a parallel loop every thread has a block of its own, with a copy of all from the header to the
//! result slots and without the arena, which is reached by its address.

use std::collections::HashMap;
use std::mem::offset_of;
use wengert_kernel::routine::{BufferId, FunctionId, Routine, Storage};

/// Every machine function returns this: all is well.
pub(crate) const FINE: u32 = 0;
/// A check failed; its number and lane stand in the frame.
pub(crate) const CHECK: u32 = 1;
/// Memory was refused; the size stands in the frame.
pub(crate) const MEMORY: u32 = 2;

/// The head of a call's block.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Frame {
    /// The arguments' addresses.
    pub inputs: *const *const u8,
    /// The results' addresses.
    pub outputs: *const *mut u8,
    /// Lane of the check that failed.
    pub lane: i64,
    /// Number of the check that failed.
    pub check: u32,
    /// Bytes of the request that was refused.
    pub refused: u64,
    /// Bytes that growable buffers hold.
    pub held: u64,
    /// Bytes that growable buffers may hold.
    pub limit: u64,
    /// Where the arena of the call begins, for threads in parallel loops.
    pub arena: *mut u8,
    /// Bytes before the header, from it to the end of the result slots, and to the end of local memory.
    pub scratch: usize,
    pub shared: usize,
    pub own: usize,
}

/// A growable buffer.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Growable {
    /// Its elements; never null.
    pub data: *mut u8,
    /// Elements that may be read and written.
    pub capacity: i64,
    /// Bytes allocated.
    pub bytes: usize,
}

/// Alignment of a call's block, of the arena and of growable buffers.
pub(crate) const ALIGN: usize = 64;

/// Bytes of a parameter cell: the address of the word that holds the buffer's address, and a word of its own for
/// buffers that have none.
const CELL: usize = 16;

/// Where everything stands in a call's block.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The first descriptor.
    pub growables: usize,
    /// How many descriptors.
    pub growable_count: usize,
    /// Memory that a thread has for itself in parallel loops.
    pub local: usize,
    /// The arena.
    pub arena: usize,
    /// The end of it.
    pub end: usize,
    descriptors: HashMap<BufferId, usize>,
    params: Vec<usize>,
    results: Vec<usize>,
}

impl Layout {
    /// The layout for a routine.
    pub fn new(routine: &Routine) -> Layout {
        let mut at = size_of::<Frame>();
        let mut take = |bytes: usize| {
            let here = at;
            at += bytes;
            here
        };
        let growables = take(0);
        let mut descriptors = HashMap::new();
        for (i, buffer) in routine.buffers.iter().enumerate() {
            if buffer.storage == Storage::Growable {
                descriptors.insert(BufferId(i as u32), take(size_of::<Growable>()));
            }
        }
        let params = routine.functions.iter().map(|f| take(f.buffer_params.len() * CELL)).collect();
        let results = routine.functions.iter().map(|f| take(f.body.yields.len() * 8)).collect();
        let aligned = |bytes: usize| bytes.saturating_add(ALIGN - 1) & !(ALIGN - 1);
        let local = aligned(at);
        let arena = aligned(local.saturating_add(routine.local));
        let end = aligned(arena.saturating_add(routine.arena));
        Layout { growables, growable_count: descriptors.len(), local, arena, end, descriptors, params, results }
    }

    /// The descriptor of a growable buffer.
    pub fn descriptor(&self, buffer: BufferId) -> usize {
        self.descriptors[&buffer]
    }

    /// The word of a buffer parameter that holds the address of its cell (the buffer's address itself when no
    /// caller binds it to a growable buffer).
    pub fn param(&self, function: FunctionId, index: u32) -> usize {
        self.params[function.0 as usize] + index as usize * CELL
    }

    /// The word of a buffer parameter that serves as its cell when the buffer is not growable.
    pub fn param_own_cell(&self, function: FunctionId, index: u32) -> usize {
        self.param(function, index) + 8
    }

    /// The slot of a function's result.
    pub fn result(&self, function: FunctionId, index: usize) -> usize {
        self.results[function.0 as usize] + index * 8
    }
}

/// Offsets of the header's fields, for machine code.
pub(crate) const INPUTS: usize = offset_of!(Frame, inputs);
/// See [`INPUTS`].
pub(crate) const OUTPUTS: usize = offset_of!(Frame, outputs);
/// See [`INPUTS`].
pub(crate) const ARENA: usize = offset_of!(Frame, arena);
/// See [`INPUTS`].
pub(crate) const LANE: usize = offset_of!(Frame, lane);
/// See [`INPUTS`].
pub(crate) const CHECK_NUMBER: usize = offset_of!(Frame, check);
/// Offset of a descriptor's capacity; its address is the first field.
pub(crate) const CAPACITY: usize = offset_of!(Growable, capacity);
