//! The memory behind arrays: elements of one dtype, either owned (64-byte aligned, writable) or foreign (read only).
//!
//! Elements lie in memory in little-endian order, a `bool` is one byte, 0 or 1.

mod recycle;

use crate::dtype::{DType, Element, Scalar};
use crate::with_element;
use std::alloc::{self, Layout};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::slice;
use std::sync::Arc;

const _: () = assert!(cfg!(target_endian = "little"), "wengert runs on little-endian machines only");

/// Alignment of owned memory, in bytes: one cache line, one AVX-512 register.
///
/// ```
/// use wengert_kernel::{Buffer, DType, buffer::ALIGN};
///
/// assert_eq!(Buffer::zeros(DType::U8, 3).as_ptr().addr() % ALIGN, 0);
/// ```
pub const ALIGN: usize = 64;

/// Memory that somebody else owns, such as a mapped file.
///
/// Its bytes must not change while a buffer holds it.
///
/// ```
/// use std::sync::Arc;
/// use wengert_kernel::{Buffer, DType, buffer::Foreign};
///
/// let file: Foreign = Arc::new(*b"header\x01\x02");
/// let data = Buffer::from_foreign(DType::U8, 2, file, 6).unwrap();
/// assert_eq!(data.bytes(), [1, 2]);
/// ```
pub type Foreign = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// `len` elements of one dtype. Shared as `Arc<Buffer>`; whoever holds it alone may write.
///
/// ```
/// use wengert_kernel::{Buffer, Scalar};
/// let mut b = Buffer::from_slice(&[1.0, 2.0]);
/// b.set(1, Scalar::new(5.0));
/// assert_eq!(b.as_slice::<f64>(), Some(&[1.0, 5.0][..]));
/// ```
pub struct Buffer {
    dtype: DType,
    len: usize,
    memory: Memory,
}

enum Memory {
    Owned(Owned),
    /// From this byte on.
    Foreign(Foreign, usize),
}

impl Buffer {
    /// Keeps the vector as it is, without copying, as foreign memory: moving data in costs nothing, however large.
    /// (It could not be owned memory, for its allocation is aligned for `T` only.) The first write copies it.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let data = vec![1.0, 2.0];
    /// let at = data.as_ptr();
    /// assert_eq!(Buffer::from_vec(data).as_ptr(), at.cast());
    /// ```
    pub fn from_vec<T: Element>(data: Vec<T>) -> Buffer {
        let len = data.len();
        Buffer { dtype: T::DTYPE, len, memory: Memory::Foreign(Arc::new(Kept(data)), 0) }
    }

    /// A copy of a slice.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let b = Buffer::from_slice(&[1u8, 2]);
    /// assert!(b.is_owned());
    /// assert_eq!(b.bytes(), [1, 2]);
    /// ```
    pub fn from_slice<T: Element>(data: &[T]) -> Buffer {
        Buffer::copied(T::DTYPE, data.len(), bytes_of(data))
    }

    /// `len` elements of foreign memory from byte `offset` on, at any alignment; `None` when it does not hold as many.
    /// Memory of `bool` is copied, every non-zero byte becoming 1.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use wengert_kernel::{Buffer, DType};
    ///
    /// let b = Buffer::from_foreign(DType::U32, 1, Arc::new([9u8, 1, 0, 0, 0]), 1).unwrap();
    /// assert_eq!(b.to_vec(), Some(vec![1u32]));
    /// assert!(Buffer::from_foreign(DType::U32, 2, Arc::new([0u8; 7]), 0).is_none());
    /// ```
    pub fn from_foreign(dtype: DType, len: usize, memory: Foreign, offset: usize) -> Option<Buffer> {
        let bytes = (*memory).as_ref().get(offset..offset.checked_add(byte_size(dtype, len)?)?)?;
        if dtype == DType::Bool {
            let mut buffer = Buffer::try_zeros(dtype, len)?;
            buffer.bytes_mut().iter_mut().zip(bytes).for_each(|(to, &from)| *to = (from != 0) as u8);
            return Some(buffer);
        }
        Some(Buffer { dtype, len, memory: Memory::Foreign(memory, offset) })
    }

    /// Zeros (`false`). Large ones cost no time until they are touched.
    ///
    /// # Panics
    /// When the memory is refused; see [`Buffer::try_zeros`].
    ///
    /// ```
    /// use wengert_kernel::{Buffer, DType};
    ///
    /// assert_eq!(Buffer::zeros(DType::Bool, 2).as_slice(), Some(&[false, false][..]));
    /// ```
    pub fn zeros(dtype: DType, len: usize) -> Buffer {
        Buffer::try_zeros(dtype, len).unwrap_or_else(|| refused(dtype, len))
    }

    /// Zeros, or `None` when the system refuses the memory or the size in bytes exceeds `isize::MAX`.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, DType};
    ///
    /// assert!(Buffer::try_zeros(DType::F64, 2).is_some());
    /// assert!(Buffer::try_zeros(DType::F64, usize::MAX).is_none());
    /// ```
    pub fn try_zeros(dtype: DType, len: usize) -> Option<Buffer> {
        let bytes = byte_size(dtype, len)?;
        let old = if bytes <= SMALL { recycle::take(bytes) } else { None };
        let owned = match old {
            Some(mut owned) => {
                owned.bytes_mut().fill(0);
                owned
            }
            None => Owned::zeroed(bytes)?,
        };
        Some(Buffer { dtype, len, memory: Memory::Owned(owned) })
    }

    /// Elements with any values, for a result that is about to be written: memory of a dropped buffer where there is some,
    /// which is at hand and whose pages are mapped already, else zeros. `None` as for [`Buffer::try_zeros`].
    ///
    /// Shared, written to where it stays: moving a buffer costs more than a small call does otherwise. And its first
    /// byte, to be written by machine code.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, DType};
    ///
    /// let (result, at) = Buffer::try_shared_scratch(DType::U8, 1).unwrap();
    /// // SAFETY: the buffer has one element and nobody else reads it now.
    /// unsafe { at.write(7) };
    /// assert_eq!(result.bytes(), [7]);
    /// ```
    #[inline]
    pub fn try_shared_scratch(dtype: DType, len: usize) -> Option<(Arc<Buffer>, *mut u8)> {
        let Some(mut owned) = recycle::take(byte_size(dtype, len)?) else {
            return Some(Buffer::try_zeros(dtype, len)?.shared());
        };
        if dtype == DType::Bool {
            owned.bytes_mut().fill(0);
        }
        Some(Buffer { dtype, len, memory: Memory::Owned(owned) }.shared())
    }

    #[inline(always)]
    fn shared(mut self) -> (Arc<Buffer>, *mut u8) {
        let at = self.as_mut_ptr();
        let place = Arc::into_raw(Arc::<Buffer>::new_uninit()).cast_mut();
        // SAFETY: nobody else has the place yet; it is taken back once, initialised.
        let shared = unsafe {
            (*place).write(self);
            Arc::from_raw(place.cast_const()).assume_init()
        };
        (shared, at)
    }

    /// `len` times the same value.
    ///
    /// # Panics
    /// When the memory is refused.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, Scalar};
    ///
    /// assert_eq!(Buffer::full(Scalar::new(0.5), 3).to_vec(), Some(vec![0.5; 3]));
    /// ```
    pub fn full(value: Scalar, len: usize) -> Buffer {
        let mut buffer = Buffer::zeros(value.dtype, len);
        if value.bits != 0 {
            with_element!(value.dtype, T => {
                let data = buffer.as_mut_slice::<T>().expect("fresh memory is aligned");
                data.fill(<T as Element>::from_bits(value.bits));
            });
        }
        buffer
    }

    /// Element type.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, DType};
    ///
    /// assert_eq!(Buffer::from_slice(&[1u64]).dtype(), DType::U64);
    /// ```
    #[inline]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of elements.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let b = Buffer::from_slice(&[1.0, 2.0, 3.0]);
    /// assert_eq!((b.len(), b.bytes().len()), (3, 24));
    /// ```
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// No elements.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, DType};
    ///
    /// assert!(Buffer::zeros(DType::F32, 0).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the memory is ours: 64-byte aligned, written in place. Foreign memory is copied before the first write.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, Scalar};
    ///
    /// let mut b = Buffer::from_vec(vec![1.0, 2.0]);
    /// assert!(!b.is_owned());
    /// b.set(0, Scalar::new(3.0));
    /// assert!(b.is_owned());
    /// ```
    #[inline]
    pub fn is_owned(&self) -> bool {
        matches!(self.memory, Memory::Owned(_))
    }

    /// The element at `index`.
    ///
    /// # Panics
    /// When `index` is not below `len`.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, Scalar};
    ///
    /// assert_eq!(Buffer::from_slice(&[1.0, 2.0]).get(1), Scalar::new(2.0));
    /// ```
    pub fn get(&self, index: usize) -> Scalar {
        assert!(index < self.len, "element {index} of a buffer of {} elements", self.len);
        let size = self.dtype.size();
        let mut bits = [0; 8];
        bits[..size].copy_from_slice(&self.bytes()[index * size..][..size]);
        Scalar { dtype: self.dtype, bits: u64::from_le_bytes(bits) }
    }

    /// Writes the element at `index`.
    ///
    /// # Panics
    /// When `index` is not below `len`, or the dtype is another.
    ///
    /// ```
    /// use wengert_kernel::{Buffer, Scalar};
    ///
    /// let mut b = Buffer::from_slice(&[1, 2]);
    /// b.set(0, Scalar::new(-1));
    /// assert_eq!(b.to_vec(), Some(vec![-1, 2]));
    /// ```
    pub fn set(&mut self, index: usize, value: Scalar) {
        assert!(index < self.len, "element {index} of a buffer of {} elements", self.len);
        assert_eq!(value.dtype, self.dtype, "the value's dtype must be the buffer's");
        let size = self.dtype.size();
        self.bytes_mut()[index * size..][..size].copy_from_slice(&value.bits.to_le_bytes()[..size]);
    }

    /// The elements; `None` when `T` is not the dtype or foreign memory is not aligned for it.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let b = Buffer::from_slice(&[1.0, 2.0]);
    /// assert_eq!(b.as_slice(), Some(&[1.0, 2.0][..]));
    /// assert_eq!(b.as_slice::<f32>(), None);
    /// ```
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        if T::DTYPE != self.dtype {
            return None;
        }
        let bytes = self.bytes();
        elements_valid::<T>(bytes).then(|| {
            // SAFETY: the pointer is aligned for T and its bytes are values of T (both just checked); the length is
            // exactly `len` elements, borrowed as long as `self` is.
            unsafe { slice::from_raw_parts(bytes.as_ptr().cast::<T>(), self.len) }
        })
    }

    /// The elements, to be written; `None` when `T` is not the dtype. Foreign memory is copied first.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let mut b = Buffer::from_slice(&[3, 1, 2]);
    /// b.as_mut_slice::<i32>().unwrap().sort();
    /// assert_eq!(b.as_slice(), Some(&[1, 2, 3][..]));
    /// ```
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        if T::DTYPE != self.dtype {
            return None;
        }
        let len = self.len;
        let bytes = self.bytes_mut();
        elements_valid::<T>(bytes).then(|| {
            // SAFETY: as in `as_slice`; `bytes` is borrowed mutably, so nobody else reads or writes.
            unsafe { slice::from_raw_parts_mut(bytes.as_mut_ptr().cast::<T>(), len) }
        })
    }

    /// A copy of the elements, whatever their alignment; `None` when `T` is not the dtype.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let b = Buffer::from_slice(&[1u8, 2]);
    /// assert_eq!((b.to_vec::<u8>(), b.to_vec::<i32>()), (Some(vec![1, 2]), None));
    /// ```
    pub fn to_vec<T: Element>(&self) -> Option<Vec<T>> {
        if T::DTYPE != self.dtype {
            return None;
        }
        match self.as_slice() {
            Some(data) => Some(data.to_vec()),
            None => Some((0..self.len).map(|i| T::from_bits(self.get(i).bits)).collect()),
        }
    }

    /// The elements as bytes.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// assert_eq!(Buffer::from_slice(&[258]).bytes(), [2, 1, 0, 0]);
    /// ```
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        match &self.memory {
            Memory::Owned(owned) => owned.bytes(),
            Memory::Foreign(memory, offset) => &(**memory).as_ref()[*offset..][..self.len * self.dtype.size()],
        }
    }

    /// The elements as bytes, to be written. Foreign memory is copied first. Bytes of `bool` other than 0 and 1 make
    /// [`Buffer::as_slice`] answer `None`.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let mut b = Buffer::from_slice(&[true, false]);
    /// b.bytes_mut()[1] = 1;
    /// assert_eq!(b.as_slice(), Some(&[true, true][..]));
    /// b.bytes_mut()[1] = 2;
    /// assert_eq!(b.as_slice::<bool>(), None);
    /// ```
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        if !self.is_owned() {
            self.make_owned();
        }
        match &mut self.memory {
            Memory::Owned(owned) => owned.bytes_mut(),
            Memory::Foreign(..) => unreachable!("a clone is owned"),
        }
    }

    /// The first byte, for machine code. Valid for reads of `len` elements, aligned to one byte only unless owned.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let b = Buffer::from_slice(&[1.5, 2.5]);
    /// // SAFETY: owned memory is aligned and holds two elements.
    /// assert_eq!(unsafe { b.as_ptr().cast::<f64>().add(1).read() }, 2.5);
    /// ```
    #[inline]
    pub fn as_ptr(&self) -> *const u8 {
        self.bytes().as_ptr()
    }

    /// The first byte, to be written by machine code; 64-byte aligned. Foreign memory is copied first.
    ///
    /// ```
    /// use wengert_kernel::Buffer;
    ///
    /// let mut b = Buffer::from_vec(vec![1u8, 2]);
    /// // SAFETY: there are two elements.
    /// unsafe { b.as_mut_ptr().add(1).write(9) };
    /// assert_eq!(b.bytes(), [1, 9]);
    /// ```
    #[inline]
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes_mut().as_mut_ptr()
    }

    #[cold]
    fn make_owned(&mut self) {
        *self = self.clone();
    }

    fn copied(dtype: DType, len: usize, bytes: &[u8]) -> Buffer {
        let mut buffer = Buffer::zeros(dtype, len);
        buffer.bytes_mut().copy_from_slice(bytes);
        buffer
    }
}

/// A deep copy in owned memory.
///
/// Panics when the memory is refused.
impl Clone for Buffer {
    fn clone(&self) -> Buffer {
        Buffer::copied(self.dtype, self.len, self.bytes())
    }
}

/// Dtype, length and the first elements.
impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        write!(f, "{}[{}] [", self.dtype, self.len)?;
        for i in 0..self.len.min(SHOWN) {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, self.get(i))?;
        }
        f.write_str(if self.len > SHOWN { ", ...]" } else { "]" })
    }
}

/// A vector kept as foreign memory.
struct Kept<T>(Vec<T>);

impl<T: Element> AsRef<[u8]> for Kept<T> {
    fn as_ref(&self) -> &[u8] {
        bytes_of(&self.0)
    }
}

/// Zeroed memory, [`ALIGN`]ed inside an allocation of the allocator's own alignment: only for those does the system's
/// `alloc_zeroed` take untouched pages instead of writing zeros.
struct Owned {
    /// What was allocated; nothing when `len` is 0.
    base: NonNull<u8>,
    /// The first aligned byte of it.
    start: NonNull<u8>,
    len: usize,
}

/// Bytes of the memory that `len` bytes get: blocks of up to [`SMALL`] bytes come in few sizes, so that they can be used
/// again.
const fn room(len: usize) -> usize {
    if len <= SMALL { len.next_multiple_of(ALIGN) } else { len }
}

/// See [`room`].
const SMALL: usize = 1024;

// SAFETY: it owns its memory, as a `Box<[u8]>` does.
unsafe impl Send for Owned {}
// SAFETY: shared references only read.
unsafe impl Sync for Owned {}

impl Owned {
    fn zeroed(len: usize) -> Option<Owned> {
        if len == 0 {
            let dangling = NonNull::<Line>::dangling().cast();
            return Some(Owned { base: dangling, start: dangling, len });
        }
        let layout = Owned::layout(len)?;
        // SAFETY: the layout's size is at least ALIGN.
        let base = NonNull::new(unsafe { alloc::alloc_zeroed(layout) })?;
        let shift = base.as_ptr().align_offset(ALIGN);
        // SAFETY: shift < ALIGN for bytes, and the layout has ALIGN bytes to spare.
        let start = unsafe { base.add(shift) };
        Some(Owned { base, start, len })
    }

    fn layout(len: usize) -> Option<Layout> {
        Layout::from_size_align(room(len).checked_add(ALIGN)?, align_of::<u64>()).ok()
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes from `start` are ours, for `len` never exceeds the room that was asked for, and were written
        // (with zeros) at birth; for 0 it dangles, aligned.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    #[inline]
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`, and `self` is borrowed mutably.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl Drop for Owned {
    #[inline]
    fn drop(&mut self) {
        // The pointers go to another owner; `self` is not used again.
        recycle::keep(Owned { base: self.base, start: self.start, len: self.len });
    }
}

impl Owned {
    /// The same memory for another length of the same room.
    #[inline]
    fn resized(mut self, len: usize) -> Owned {
        assert!(len > 0 && len.next_multiple_of(ALIGN) == self.len.next_multiple_of(ALIGN), "a block keeps its room");
        self.len = len;
        self
    }

    /// Gives the memory back to the system.
    fn free(self) {
        let whole = ManuallyDrop::new(self);
        if whole.len > 0 {
            let layout = Owned::layout(whole.len).expect("it was a layout when the memory was allocated");
            // SAFETY: allocated in `zeroed` with this layout, freed only here, by its last owner.
            unsafe { alloc::dealloc(whole.base.as_ptr(), layout) }
        }
    }
}

/// Something with the alignment of owned memory.
#[repr(align(64))]
struct Line(#[expect(dead_code)] u8);

const _: () = assert!(align_of::<Line>() == ALIGN);

/// Bytes of `len` elements, at most `isize::MAX`.
#[inline]
fn byte_size(dtype: DType, len: usize) -> Option<usize> {
    len.checked_mul(dtype.size()).filter(|&n| n <= isize::MAX as usize)
}

fn bytes_of<T: Element>(data: &[T]) -> &[u8] {
    // SAFETY: elements (a sealed set) have no padding, so all their bytes are initialised.
    unsafe { slice::from_raw_parts(data.as_ptr().cast::<u8>(), size_of_val(data)) }
}

/// Whether the bytes may be seen as elements: aligned, and for `bool` all 0 or 1.
fn elements_valid<T: Element>(bytes: &[u8]) -> bool {
    bytes.as_ptr().cast::<T>().is_aligned() && (T::DTYPE != DType::Bool || bytes.iter().all(|&b| b <= 1))
}

#[cold]
fn refused(dtype: DType, len: usize) -> ! {
    panic!("no memory for {len} elements of {dtype} ({} bytes)", len as u128 * dtype.size() as u128)
}

#[cfg(test)]
mod tests;
