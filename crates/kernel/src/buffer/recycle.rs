//! Memory of dropped buffers, kept to be used again.
//!
//! Small blocks are kept by each thread for itself: the result of a call that does next to nothing costs more to allocate
//! than to compute. Large ones are kept for all: a fresh page costs more to map than an element costs to compute. What is
//! between the two is left to the allocator.

use super::{ALIGN, Owned, SMALL};
use std::cell::RefCell;
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::sync::{LazyLock, Mutex, PoisonError};

/// A block for `len` bytes, with any contents.
#[inline]
pub(super) fn take(len: usize) -> Option<Owned> {
    match len {
        1..=SMALL => {
            let block = THREAD.try_with(|shelf| shelf.borrow_mut().0[class(len)].pop()).ok()??;
            Some(ManuallyDrop::into_inner(block).resized(len))
        }
        LARGE.. => take_large(len),
        _ => None,
    }
}

/// Keeps a block for later, or frees it.
#[inline]
pub(super) fn keep(block: Owned) {
    match block.len {
        1..=SMALL => {
            let class = class(block.len);
            let mut block = Some(ManuallyDrop::new(block));
            // A thread that is ending keeps nothing.
            _ = THREAD.try_with(|shelf| {
                let blocks = &mut shelf.borrow_mut().0[class];
                if (blocks.len() + 1) * (class + 1) * ALIGN <= MOST {
                    blocks.extend(block.take());
                }
            });
            if let Some(block) = block {
                ManuallyDrop::into_inner(block).free();
            }
        }
        LARGE..=LIMIT => keep_large(block),
        _ => block.free(),
    }
}

/// Bytes of small blocks of each size that a thread keeps: as many as the results of a call with hundreds of small ones.
const MOST: usize = 16 << 10;

/// Small blocks, by the size of their room.
struct Shelf([Vec<ManuallyDrop<Owned>>; SMALL / ALIGN]);

/// The place on the shelf of blocks for `len` bytes, of which there is one at least.
#[inline]
fn class(len: usize) -> usize {
    (len - 1) / ALIGN
}

thread_local! {
    static THREAD: RefCell<Shelf> = const { RefCell::new(Shelf([const { Vec::new() }; SMALL / ALIGN])) };
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.0.iter_mut().flat_map(std::mem::take).for_each(|block| ManuallyDrop::into_inner(block).free());
    }
}

/// Blocks of at least this many bytes are large.
const LARGE: usize = 32 << 10;
/// Bytes of large blocks kept at most.
const LIMIT: usize = 256 << 20;

#[derive(Default)]
struct Kept {
    bytes: usize,
    by_size: HashMap<usize, Vec<ManuallyDrop<Owned>>>,
}

static KEPT: LazyLock<Mutex<Kept>> = LazyLock::new(Mutex::default);

fn take_large(len: usize) -> Option<Owned> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let block = kept.by_size.get_mut(&len)?.pop()?;
    kept.bytes -= len;
    Some(ManuallyDrop::into_inner(block))
}

/// When there are too many, those of other sizes go, for what is in use now will soon be here again; when that is not enough, the
/// block itself, so that a call whose results are more than is kept finds most of their memory all the same.
fn keep_large(block: Owned) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut old: HashMap<usize, Vec<ManuallyDrop<Owned>>> = HashMap::new();
    if kept.bytes + block.len > LIMIT {
        old = std::mem::take(&mut kept.by_size);
        kept.bytes = 0;
        if let Some(same) = old.remove(&block.len) {
            kept.bytes = same.len() * block.len;
            kept.by_size.insert(block.len, same);
        }
    }
    let len = block.len;
    let mut left = Some(ManuallyDrop::new(block));
    if kept.bytes + len <= LIMIT {
        kept.bytes += len;
        kept.by_size.entry(len).or_default().extend(left.take());
    }
    drop(kept);
    old.into_values().flatten().chain(left).for_each(|block| ManuallyDrop::into_inner(block).free());
}
