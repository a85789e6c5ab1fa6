//! What wengert's machine code calls: matrix product, sorting, decompositions, transforms, and vector maths.
//!
//! Machine code reaches a function by name through [`lookup`]; the interpreter of routines reaches the same
//! implementation through [`Host`]. [`tile`], [`tile2`], [`scalar1`] and [`scalar2`] give the elementary functions
//! of `kernel::math`, bit for bit, compiled for the vectors of the processor that runs them.

mod cumulative;
mod dot;
mod each_part;
mod entry;
mod fft;
mod host;
mod linalg;
mod mode;
mod parts;
mod processor;
mod random;
mod real;
mod sort;
mod threads;
mod transpose;
mod vector;

pub use host::{Kernel, Registered};
pub use mode::in_default_mode;
pub use threads::{num_threads, parallel, set_num_threads, with_num_threads};
pub use vector::{Tile, Tile2, scalar1, scalar2, tile, tile2};

use entry::Entry;
use wengert_kernel::routine::Library;

/// A function of the runtime as machine code calls it: integer arguments, then where each input and output begins.
///
/// # Safety
/// Each pointer must be good for every element that the integer arguments make the function touch. Inputs need no
/// alignment; outputs are aligned to their element type and overlap nothing else.
///
/// ```
/// let dot: Option<wengert_runtime::RuntimeFn> = wengert_runtime::lookup("dot_f32");
/// assert!(dot.is_some());
/// ```
pub type RuntimeFn = unsafe extern "C" fn(ints: *const i64, inputs: *const *const u8, outputs: *const *mut u8);

/// The function of that name: `dot_f32`, `dot_f64`, `dot_i32`, `dot_i64`, `dot_u32`, `dot_u64`; `argsort_*` for every
/// dtype, `transpose_*` too; `cumsum_*`, `cumprod_*`, `cummax_*`, `cummin_*` and `recurrence_*` for all numbers.
///
/// # Matrix product
/// `dot_*` takes 13 integers `[batch, m, k, n, lhs_batch, lhs_row, lhs_col, rhs_batch, rhs_row, rhs_col, out_batch,
/// out_row, out_col]`, sizes and then strides in elements, none negative, and overwrites
/// `out[b, i, j] = sum over p of lhs[b, i, p] * rhs[b, p, j]`. A stride may be 0 in an input (a shared batch) but
/// not in the output. `k = 0` gives zeros. Integers wrap. `dot_add_f32` and `dot_add_f64` add the product to `out`.
///
/// # Positions in ascending order
/// `argsort_*` takes `[parts, n]` and for each row of `n` elements writes their positions, as `i64`, in ascending order of
/// the elements. Equal elements keep their order, `-0` and `0` are equal, NaNs are equal and come last.
///
/// # Rows to columns
/// `transpose_*` takes `[m, n, from, to]` and writes `y[j * to + i] = x[i * from + j]` for `i` below `m` and `j` below `n`.
///
/// # Along an axis
/// `cumsum_*` and its sisters take `[parts, reverse, n, inner]` and write `y[p, i, k] = y[p, i - 1, k] + x[p, i, k]` (or the
/// product, the greater, the less), beginning with `x[p, 0, k]`; in reverse from the other end. `recurrence_*` takes
/// `[parts, reverse, n, inner, n, inner]` and writes `h[p, i, k] = a[p, i, k] * h[p, i - 1, k] + b[p, i, k]`, beginning with
/// `b[p, 0, k]`.
///
/// # The host
/// `host` takes the number of a [`Registered`] closure and calls it.
///
/// # Matrices
/// `cholesky_*`, `triangular_solve_*`, `lu_*`, `solve_*`, `qr_*`, `eigh_*`, `svd_*`, `det_*`, `cofactors_*`, `pinv_*` and `eig_*`, of
/// `f32` and `f64`, take `[parts, options.., lengths..]`, the lengths of every operand's matrix, row-major and dense, and
/// as many matrices one after the other in each operand and result.
///
/// # Transforms of rows
/// `fft_*` (option: inverse), `rfft_*` and `irfft_*` (option: length of the result) likewise, over rows.
///
/// ```
/// assert!(wengert_runtime::lookup("dot_f64").is_some());
/// assert!(wengert_runtime::lookup("dot_bool").is_none());
/// ```
pub fn lookup(name: &str) -> Option<RuntimeFn> {
    find(name).map(|entry| entry.function)
}

fn find(name: &str) -> Option<Entry> {
    let tables = [dot::entry, sort::entry, transpose::entry, cumulative::entry, linalg::entry, fft::entry, host::entry];
    tables.iter().find_map(|entry| entry(name))
}

/// The runtime for the interpreter of routines: [`lookup`]'s functions on slices, with every span checked.
///
/// ```
/// use wengert_kernel::routine::Library;
///
/// let mut positions = [0u64; 3];
/// // SAFETY: of 3 numbers of 8 bytes each.
/// let bytes = unsafe { std::slice::from_raw_parts_mut(positions.as_mut_ptr().cast::<u8>(), 24) };
/// assert!(wengert_runtime::Host.call("argsort_u8", &[1, 3], &[&[7, 5, 6]], &mut [bytes]));
/// assert_eq!(positions, [1, 2, 0]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Host;

impl Library for Host {
    fn call(&self, name: &str, ints: &[i64], inputs: &[&[u8]], outputs: &mut [&mut [u8]]) -> bool {
        let found = find(name);
        if let Some(entry) = found {
            entry.call(name, ints, inputs, outputs);
        }
        found.is_some()
    }
}
