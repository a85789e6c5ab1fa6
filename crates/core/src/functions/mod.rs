//! Functions composed of the user's operations. No rule of any kind lives here: derivatives, batching and lowering
//! follow from what they are made of.

mod activation;
mod arithmetic;
mod complex;
mod control;
mod convolution;
mod einsum;
pub mod fft;
mod indexing;
pub mod linalg;
mod loss;
mod order;
mod products;
pub mod random;
mod softmax;
mod special;
mod statistics;
mod structure;

pub use control::{associative_scan, map, scan_unrolled, switch};
pub use convolution::{Convolution, Padding};
pub use einsum::einsum;
pub use loss::{cross_entropy, mean_squared_error};
pub use products::Contracted;
pub use structure::{PadMode, broadcast_arrays, hstack, meshgrid, vstack};

use crate::array::{Array, Term};
use crate::ops::Axes;
use crate::refusal::refuse;
use crate::source::called;
use wengert_kernel::DType;

/// `a` where `condition` is true, `b` elsewhere: [`Array::select`] under NumPy's name.
///
/// ```
/// use wengert_core::{array, functions::where_};
///
/// assert_eq!(where_(&array![true, false], &array![1.0, 2.0], 0.0), array![1.0, 0.0]);
/// ```
#[track_caller]
pub fn where_(condition: &Array, a: impl Into<Term>, b: impl Into<Term>) -> Array {
    let _called = called("where_");
    condition.select(a, b)
}

impl Array {
    /// Limits elements to `low..=high`; NaN stays NaN. At a bound the derivative is 1/2.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![-1.0, 0.5, 2.0].clip(0.0, 1.0), array![0.0, 0.5, 1.0]);
    /// ```
    #[track_caller]
    pub fn clip(&self, low: impl Into<Term>, high: impl Into<Term>) -> Array {
        let _called = called("clip");
        self.maximum(low).minimum(high)
    }

    /// The products of every element with every element of `other`, both taken as vectors.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![1, 2].outer(&array![3, 4, 5]), array![[3, 4, 5], [6, 8, 10]]);
    /// ```
    #[track_caller]
    pub fn outer(&self, other: &Array) -> Array {
        let _called = called("outer");
        self.flatten().expand_dims(1) * other.flatten()
    }

    /// Indices as rows of `f64` that are 1 at the index and 0 elsewhere: a new last axis of length `classes`. An index
    /// outside gives a row of zeros.
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![2, 0].one_hot(3), array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]);
    /// ```
    ///
    /// # Panics
    /// When the indices are not integers.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Array {
        let _called = called("one_hot");
        if !self.dtype().is_integer() {
            refuse(format!("indices are integers, not {}; `.convert(DType::I64)` them", self.ty()), &[self])
        }
        let index = Array::iota(DType::I64, &[classes], 0);
        self.convert(DType::I64).expand_dims(-1).eq(index).convert(DType::F64)
    }

    /// The 2-norm of all elements, `sqrt(sum(x^2))`. The derivative at 0 is 0.
    ///
    /// Squares overflow, or vanish, beyond the square root of the greatest and least number of the dtype.
    ///
    /// ```
    /// use wengert_core::{Array, array};
    ///
    /// assert_eq!(array![3.0, 4.0].norm(), Array::from(5.0));
    /// ```
    #[track_caller]
    pub fn norm(&self) -> Array {
        let _called = called("norm");
        self.norm_axis(..)
    }

    /// The 2-norms over some axes. See [`Array::norm`].
    ///
    /// ```
    /// use wengert_core::array;
    ///
    /// assert_eq!(array![[3.0, 4.0], [0.0, 2.0]].norm_axis(1), array![5.0, 2.0]);
    /// ```
    #[track_caller]
    pub fn norm_axis(&self, axes: impl Axes) -> Array {
        let _called = called("norm_axis");
        sqrt_flat_at_zero(&float(self).square().sum_axis(axes))
    }
}

/// The square root, constant at 0 to derivatives of all orders; elsewhere it has its own.
#[track_caller]
fn sqrt_flat_at_zero(x: &Array) -> Array {
    let zero = x.eq(0.0);
    // The inner `select` keeps the infinite derivative at 0 out of reverse mode: 0 * inf would be NaN.
    zero.select(0.0, zero.select(1.0, x).sqrt())
}

/// Integers as `f64`, floats as they are.
#[track_caller]
pub(crate) fn float(x: &Array) -> Array {
    if x.dtype().is_inexact() { x.clone() } else { x.convert(DType::F64) }
}
