//! The functions of the host that machine code calls by address.

use crate::code::Block;
use crate::frame::{ALIGN, FINE, Frame, Growable, MEMORY};
use cranelift_codegen::ir::LibCall;
use std::alloc::{Layout, alloc_zeroed, dealloc, realloc};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread::ThreadId;
use wengert_kernel::Element;
use wengert_kernel::math::Float;
use wengert_kernel::scalar::{Binary, binary_fn, convert};

/// Gives a growable buffer of elements of `size` bytes room for `len` of them; new elements are zero.
///
/// # Safety
/// `frame` and `cell` are the live frame of a call and one of its descriptors.
pub(crate) unsafe extern "C" fn reserve(frame: *mut Frame, cell: *mut Growable, len: i64, size: i64) -> u32 {
    // SAFETY: the caller's contract; the two do not overlap.
    let (frame, cell) = unsafe { (&mut *frame, &mut *cell) };
    if len <= cell.capacity {
        return FINE;
    }
    // `len` is positive here, for a capacity never is negative.
    let wanted = (len as u64).saturating_mul(size as u64);
    let others = frame.held - cell.bytes as u64;
    let room = frame.limit.saturating_sub(others).min(isize::MAX as u64 - ALIGN as u64);
    if wanted > room {
        frame.refused = wanted;
        return MEMORY;
    }
    // A whole number of elements of every size.
    let bytes = (wanted.max(2 * cell.bytes as u64).max(ALIGN as u64).min(room) & !7).max(wanted) as usize;
    // SAFETY: the block was made by these functions with the size that the descriptor says.
    let grown = unsafe { grow(cell, bytes) };
    if !grown {
        frame.refused = bytes as u64;
        return MEMORY;
    }
    frame.held = others + bytes as u64;
    cell.capacity = bytes as i64 / size;
    FINE
}

/// # Safety
/// `cell` is empty or owns a block of `cell.bytes`, fewer than `bytes`.
unsafe fn grow(cell: &mut Growable, bytes: usize) -> bool {
    let Ok(layout) = Layout::from_size_align(bytes, ALIGN) else { return false };
    let old = cell.bytes;
    // SAFETY: sizes are positive; the old block has the layout it was made with, by the caller's contract.
    let data = unsafe {
        if old == 0 {
            alloc_zeroed(layout)
        } else {
            let data = realloc(cell.data, Layout::from_size_align_unchecked(old, ALIGN), bytes);
            if !data.is_null() {
                data.add(old).write_bytes(0, bytes - old);
            }
            data
        }
    };
    if data.is_null() {
        return false;
    }
    (cell.data, cell.bytes) = (data, bytes);
    true
}

/// A parallel loop as a function: it runs the rounds from the first to the end.
type Rounds = unsafe extern "C" fn(*mut Frame, i64, i64) -> u32;

/// What the threads of a parallel loop share.
struct Spread {
    frame: *mut Frame,
    rounds: Rounds,
    caller: ThreadId,
    /// Rounds of threads that had no memory for them.
    left: Mutex<Vec<Range<usize>>>,
}

// SAFETY: the threads run different rounds, which by the contract of `spread` do not touch what others write; only the
// caller uses the frame itself, and nothing changes what the others copy of it.
unsafe impl Sync for Spread {}

impl Spread {
    fn run(&self, range: Range<usize>) {
        // SAFETY: the frame is live. The caller runs nothing else on it meanwhile; the others have blocks with the same
        // layout, and what they copy of the frame holds addresses that stay good until all are done.
        unsafe {
            if std::thread::current().id() == self.caller {
                (self.rounds)(self.frame, range.start as i64, range.end as i64);
                return;
            }
            let (scratch, shared, own) = ((*self.frame).scratch, (*self.frame).shared, (*self.frame).own);
            let Some(block) = Block::take(scratch + own) else {
                return self.left.lock().unwrap_or_else(PoisonError::into_inner).push(range);
            };
            let frame = block.data.add(scratch);
            self.frame.cast::<u8>().copy_to_nonoverlapping(frame, shared);
            (self.rounds)(frame.cast(), range.start as i64, range.end as i64);
            block.give_back();
        }
    }
}

/// Runs a parallel loop of `count` rounds, `grain` or more at a time.
///
/// # Safety
/// `frame` is the live frame of a call, and `rounds` a function for its layout, the rounds of which are independent.
pub(crate) unsafe extern "C" fn spread(frame: *mut Frame, rounds: Rounds, count: i64, grain: i64) {
    let caller = std::thread::current().id();
    let spread = Spread { frame, rounds, caller, left: Mutex::default() };
    wengert_runtime::parallel(count as usize, grain as usize, &|range| spread.run(range));
    let left = std::mem::take(&mut *spread.left.lock().unwrap_or_else(PoisonError::into_inner));
    left.into_iter().for_each(|range| spread.run(range));
}

/// Frees what a descriptor owns.
///
/// # Safety
/// The descriptor is not used any more.
pub(crate) unsafe fn release(cell: &Growable) {
    if cell.bytes > 0 {
        // SAFETY: `grow` made the block with this layout.
        unsafe { dealloc(cell.data, Layout::from_size_align_unchecked(cell.bytes, ALIGN)) }
    }
}

/// Sets `n` elements of 1, 2, 4 or 8 bytes; nothing when `n` is negative.
///
/// # Safety
/// `to` is good for writing that many.
pub(crate) unsafe extern "C" fn fill<T: Copy>(to: *mut T, value: T, n: i64) {
    for i in 0..n.max(0) as usize {
        // SAFETY: below `n`.
        unsafe { to.add(i).write_unaligned(value) }
    }
}

/// Copies `n` elements of `size` bytes; nothing when `n` is negative.
///
/// # Safety
/// Both stretches are good for that many and do not overlap, unless they are the same.
pub(crate) unsafe extern "C" fn copy(to: *mut u8, from: *const u8, n: i64, size: i64) {
    if n > 0 && to.cast_const() != from {
        // SAFETY: the caller's contract.
        unsafe { from.copy_to_nonoverlapping(to, n as usize * size as usize) }
    }
}

/// `x^y` for signed integers; narrower results are the low bits.
pub(crate) extern "C" fn pow_signed(x: i64, y: i64) -> i64 {
    binary_fn::<i64>(Binary::Pow).map_or(0, |pow| pow(x, y))
}

/// `x^y` for unsigned integers; narrower results are the low bits.
pub(crate) extern "C" fn pow_unsigned(x: u64, y: u64) -> u64 {
    binary_fn::<u64>(Binary::Pow).map_or(0, |pow| pow(x, y))
}

/// The bits of the half that a number becomes.
pub(crate) extern "C" fn to_half<T: Element, H: Element>(x: T) -> u64 {
    convert::<T, H>(x).to_bits()
}

/// The remainder of floats.
pub(crate) extern "C" fn rem<T: Float>(x: T, y: T) -> T {
    T::rem(x, y)
}

/// The functions that Cranelift itself calls where the processor lacks an instruction.
pub(crate) fn library(call: LibCall) -> Option<(&'static str, *const u8)> {
    extern "C" fn map<T: Float, const OP: u8>(x: T) -> T {
        match OP {
            0 => T::ceil(x),
            1 => T::floor(x),
            2 => T::round(x),
            _ => unreachable!("three roundings"),
        }
    }
    extern "C" fn fma<T: Float>(x: T, y: T, z: T) -> T {
        T::fma(x, y, z)
    }
    Some(match call {
        LibCall::CeilF32 => ("ceilf", map::<f32, 0> as *const u8),
        LibCall::CeilF64 => ("ceil", map::<f64, 0> as *const u8),
        LibCall::FloorF32 => ("floorf", map::<f32, 1> as *const u8),
        LibCall::FloorF64 => ("floor", map::<f64, 1> as *const u8),
        LibCall::NearestF32 => ("rintf", map::<f32, 2> as *const u8),
        LibCall::NearestF64 => ("rint", map::<f64, 2> as *const u8),
        LibCall::FmaF32 => ("fmaf", fma::<f32> as *const u8),
        LibCall::FmaF64 => ("fma", fma::<f64> as *const u8),
        _ => return None,
    })
}
