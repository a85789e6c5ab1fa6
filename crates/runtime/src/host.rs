//! Functions of the host that machine code calls by number: closures over bytes, and kernels of the user's.

use crate::RuntimeFn;
use crate::entry::{Entry, Extents};
use std::collections::HashMap;
use std::slice;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Reads inputs, overwrites outputs.
type Closure = dyn Fn(&[&[u8]], &mut [&mut [u8]]) + Send + Sync;

struct Hosted {
    /// Bytes of each input and output.
    extents: [Vec<usize>; 2],
    closure: Box<Closure>,
}

static ENTRIES: RwLock<Option<HashMap<i64, Arc<Hosted>>>> = RwLock::new(None);

/// A closure that the runtime function `host` calls by its number, while this lives.
///
/// ```
/// use wengert_kernel::routine::Library;
/// use wengert_runtime::{Host, Registered};
///
/// let double = Registered::new([vec![1], vec![1]], |x, y| y[0][0] = 2 * x[0][0]);
/// let mut y = [0];
/// assert!(Host.call("host", &[double.number()], &[&[21]], &mut [&mut y]));
/// assert_eq!(y, [42]);
/// ```
#[derive(Debug)]
pub struct Registered(i64);

impl Registered {
    /// Registers a closure, given the bytes of each of its inputs and outputs. It must not panic: machine code calls it.
    ///
    /// ```
    /// use wengert_kernel::routine::Library;
    /// use wengert_runtime::{Host, Registered};
    ///
    /// let reverse = Registered::new([vec![2], vec![2]], |x, y| y[0].copy_from_slice(&[x[0][1], x[0][0]]));
    /// let mut y = [0; 2];
    /// Host.call("host", &[reverse.number()], &[&[1, 2]], &mut [&mut y]);
    /// assert_eq!(y, [2, 1]);
    /// ```
    pub fn new(
        extents: [Vec<usize>; 2],
        closure: impl Fn(&[&[u8]], &mut [&mut [u8]]) + Send + Sync + 'static,
    ) -> Registered {
        static NEXT: AtomicI64 = AtomicI64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Hosted { extents, closure: Box::new(closure) });
        let mut entries = ENTRIES.write().unwrap_or_else(PoisonError::into_inner);
        entries.get_or_insert_default().insert(number, entry);
        Registered(number)
    }

    /// The number by which it is called: the only integer argument.
    ///
    /// ```
    /// use wengert_runtime::Registered;
    ///
    /// let nothing = || Registered::new([vec![], vec![]], |_, _| {});
    /// assert_ne!(nothing().number(), nothing().number(), "a number is not given twice");
    /// ```
    pub fn number(&self) -> i64 {
        self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut entries = ENTRIES.write().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.as_mut().and_then(|entries| entries.remove(&self.0));
        drop(entries);
        drop(entry);
    }
}

/// The function `host`.
pub(crate) fn entry(name: &str) -> Option<Entry> {
    (name == "host").then_some(Entry { function: enter, extents })
}

fn extents(ints: &[i64]) -> Extents {
    let hosted = hosted(ints).expect("a function of the host that is registered");
    let [read, written] = &hosted.extents;
    (read.clone(), written.iter().map(|&n| (n, 1)).collect())
}

fn hosted(ints: &[i64]) -> Option<Arc<Hosted>> {
    let entries = ENTRIES.read().unwrap_or_else(PoisonError::into_inner);
    entries.as_ref()?.get(ints.first()?).cloned()
}

/// Calls the closure of that number, if it is registered.
unsafe extern "C" fn enter(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    // SAFETY: by the contract of `RuntimeFn` there is one integer.
    let Some(entry) = hosted(unsafe { slice::from_raw_parts(ints, 1) }) else { return };
    let [read, written] = &entry.extents;
    // SAFETY: by the same contract there are as many inputs, each good for its bytes.
    let inputs = read.iter().enumerate().map(|(i, &n)| unsafe { slice::from_raw_parts(inputs.add(i).read(), n) });
    let written = written.iter().enumerate();
    // SAFETY: and as many outputs, which overlap nothing else.
    let outputs = written.map(|(i, &n)| unsafe { slice::from_raw_parts_mut(outputs.add(i).read(), n) });
    (entry.closure)(&inputs.collect::<Vec<_>>(), &mut outputs.collect::<Vec<_>>());
}

/// A kernel of the user's, of the form `extern "C" fn(ints, inputs, outputs)` that the runtime's own functions have.
///
/// Two kernels are equal when they are one function.
///
/// ```
/// use wengert_runtime::Kernel;
///
/// unsafe extern "C" fn nothing(_: *const i64, _: *const *const u8, _: *const *mut u8) {}
/// // SAFETY: it touches nothing.
/// let [a, b] = unsafe { [Kernel::new(nothing), Kernel::new(nothing)] };
/// assert_eq!(a, b);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Kernel {
    address: usize,
}

impl Kernel {
    /// The kernel that is this function. It is called with no integers (a null pointer), and with where each operand and each
    /// result begins; they hold as many elements as their types say, row-major, aligned to 16 bytes.
    ///
    /// # Safety
    /// For the operand and result types that it is used with (by [`Kernel::call`] too), the function must read no more than the operands, write
    /// exactly the results, and neither unwind nor keep a pointer. It may be called from several threads at once.
    ///
    /// ```
    /// use wengert_runtime::Kernel;
    ///
    /// unsafe extern "C" fn one(_: *const i64, _: *const *const u8, outputs: *const *mut u8) {
    ///     // SAFETY: there is one output, of one f64.
    ///     unsafe { outputs.read().cast::<f64>().write(1.0) }
    /// }
    /// // SAFETY: it is used with no operand and one result of f64 below.
    /// let kernel = unsafe { Kernel::new(one) };
    /// let mut y = [0u64; 2];
    /// kernel.call(&[], &mut [bytes_of(&mut y)]);
    /// assert_eq!(f64::from_bits(y[0]), 1.0);
    /// # fn bytes_of(y: &mut [u64; 2]) -> &mut [u8] { unsafe { std::slice::from_raw_parts_mut(y.as_mut_ptr().cast(), 8) } }
    /// ```
    pub unsafe fn new(function: RuntimeFn) -> Kernel {
        Kernel { address: function as usize }
    }

    /// Calls it on spans of as many bytes as it expects, at any address.
    ///
    /// ```
    /// use wengert_runtime::Kernel;
    ///
    /// unsafe extern "C" fn add(_: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
    ///     // SAFETY: there are two inputs and one output, of one byte each.
    ///     unsafe { outputs.read().write(inputs.read().read() + inputs.add(1).read().read()) }
    /// }
    /// // SAFETY: it is used with two operands and one result of u8 below.
    /// let add = unsafe { Kernel::new(add) };
    /// let mut sum = [0];
    /// add.call(&[&[40], &[2]], &mut [&mut sum]);
    /// assert_eq!(sum, [42]);
    /// ```
    pub fn call(self, inputs: &[&[u8]], outputs: &mut [&mut [u8]]) {
        // Spans may begin anywhere; the kernel was promised alignment.
        let moved_in: Vec<Option<Vec<u128>>> = inputs.iter().map(|x| words_unless_aligned(x)).collect();
        let mut moved_out: Vec<Option<Vec<u128>>> = outputs.iter().map(|y| words_unless_aligned(y)).collect();
        let input = |(x, moved): (&&[u8], &Option<Vec<u128>>)| match moved {
            Some(words) => words.as_ptr().cast::<u8>(),
            None => x.as_ptr(),
        };
        let output = |(y, moved): (&mut &mut [u8], &mut Option<Vec<u128>>)| match moved {
            Some(words) => words.as_mut_ptr().cast::<u8>(),
            None => y.as_mut_ptr(),
        };
        let read: Vec<*const u8> = inputs.iter().zip(&moved_in).map(input).collect();
        let written: Vec<*mut u8> = outputs.iter_mut().zip(&mut moved_out).map(output).collect();
        // SAFETY: the address is that of such a function, and whoever made the kernel answers for what it touches.
        unsafe {
            let function = std::mem::transmute::<usize, RuntimeFn>(self.address);
            function(std::ptr::null(), read.as_ptr(), written.as_ptr());
        }
        for (y, words) in outputs.iter_mut().zip(moved_out) {
            for (bytes, word) in y.chunks_mut(16).zip(words.unwrap_or_default()) {
                bytes.copy_from_slice(&word.to_ne_bytes()[..bytes.len()]);
            }
        }
    }
}

/// A copy of the bytes at a multiple of 16, unless they lie at one.
fn words_unless_aligned(bytes: &[u8]) -> Option<Vec<u128>> {
    let word = |chunk: &[u8]| {
        let mut word = [0; 16];
        word[..chunk.len()].copy_from_slice(chunk);
        u128::from_ne_bytes(word)
    };
    (!bytes.as_ptr().cast::<u128>().is_aligned()).then(|| bytes.chunks(16).map(word).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    unsafe extern "C" fn twice(_: *const i64, inputs: *const *const u8, outputs: *const *mut u8) {
        // SAFETY: there are one input and one output, of 20 bytes each.
        unsafe {
            let (x, y) = (inputs.read(), outputs.read());
            let aligned = x.cast::<u128>().is_aligned() && y.cast::<u128>().is_aligned();
            for i in 0..20 {
                y.add(i).write(if aligned { 2 * x.add(i).read() } else { 0 });
            }
        }
    }

    #[test]
    fn a_kernel_is_given_aligned_memory_wherever_the_data_lies() {
        // SAFETY: it is used with 20 bytes below.
        let kernel = unsafe { Kernel::new(twice) };
        let data: Vec<u8> = (0..40).collect();
        for (from, to) in [(0, 0), (1, 0), (0, 3), (7, 9), (16, 16)] {
            let mut result = [0xff; 40];
            kernel.call(&[&data[from..from + 20]], &mut [&mut result[to..to + 20]]);
            for i in 0..20 {
                assert_eq!(result[to + i], 2 * data[from + i], "from {from} to {to}");
            }
            assert!(result[..to].iter().chain(&result[to + 20..]).all(|&x| x == 0xff));
        }
    }
}
