//! Losses: scalars to be minimised.

use crate::array::Array;
use crate::source::called;

/// The mean of the squared differences.
///
/// ```
/// use wengert_core::{Array, array, functions::mean_squared_error};
///
/// assert_eq!(mean_squared_error(&array![1.0, 2.0], &array![1.0, 4.0]), Array::from(2.0));
/// ```
#[track_caller]
pub fn mean_squared_error(prediction: &Array, target: &Array) -> Array {
    let _called = called("mean_squared_error");
    (prediction - target).square().mean()
}

/// The mean of `-sum(target * log_softmax(logits))` over the last axis, which holds the classes.
///
/// `target` is a distribution over the classes, such as [`Array::one_hot`] makes of labels.
///
/// ```
/// use wengert_core::{Array, array, functions::cross_entropy};
///
/// let logits = array![[0.0, 1000.0], [5.0, 5.0]];
/// let labels = array![1, 0];
/// let loss = cross_entropy(&logits, &labels.one_hot(2));
/// assert_eq!(loss, Array::from(2f64.ln() / 2.0));
/// ```
#[track_caller]
pub fn cross_entropy(logits: &Array, target: &Array) -> Array {
    let _called = called("cross_entropy");
    -(target * logits.log_softmax(-1)).sum_axis(-1).mean()
}
