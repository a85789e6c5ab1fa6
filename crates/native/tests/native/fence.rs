//! Memory that ends where reading becomes a fault.

use std::ffi::c_void;

unsafe extern "C" {
    fn mmap(at: *mut c_void, bytes: usize, protection: i32, flags: i32, file: i32, offset: i64) -> *mut c_void;
    fn mprotect(at: *mut c_void, bytes: usize, protection: i32) -> i32;
    fn munmap(at: *mut c_void, bytes: usize) -> i32;
}

const PAGE: usize = 4096;

/// Bytes right before a page that cannot be read.
pub struct Fenced {
    start: *mut u8,
    mapped: usize,
    data: *const u8,
}

impl Fenced {
    /// A copy of the bytes.
    pub fn new(bytes: &[u8]) -> Fenced {
        let room = bytes.len().next_multiple_of(PAGE);
        let mapped = room + PAGE;
        // SAFETY: a fresh private mapping (readable and writable, anonymous), whose last page is closed afterwards.
        unsafe {
            let start = mmap(std::ptr::null_mut(), mapped, 3, 0x22, -1, 0).cast::<u8>();
            assert_ne!(start as isize, -1, "no memory");
            let data = start.add(room - bytes.len());
            data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            assert_eq!(mprotect(start.add(room).cast(), PAGE, 0), 0);
            Fenced { start, mapped, data }
        }
    }

    /// Where the bytes begin; aligned to nothing.
    pub fn address(&self) -> *const u8 {
        self.data
    }
}

impl Drop for Fenced {
    fn drop(&mut self) {
        // SAFETY: mapped in `new`.
        unsafe { munmap(self.start.cast(), self.mapped) };
    }
}
