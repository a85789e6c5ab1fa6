//! The steps of several vectors as one list.

use super::{Loop, Operand, Step};
use std::ops::Range;

/// Vectors of a turn, at most; of short loops, of which a processor sees several turns anyway.
const MOST_VECTORS: usize = 8;
const MOST_OF_SHORT: usize = 4;
/// Steps from which a loop is long.
const LONG: usize = 16;
/// Steps of a turn of several vectors, of all of them.
const MOST_STEPS: usize = 384;

/// What a turn consists of.
pub(super) struct Turn {
    /// A power of two.
    pub vectors: usize,
    /// How many of them go step by step together; divides their number.
    pub abreast: usize,
}

impl Turn {
    /// The registers are enough for `fitting` vectors; accumulators have so many parts.
    pub fn new(wide: &Loop, parts: usize, fitting: usize) -> Turn {
        let most = if wide.steps.len() < LONG { MOST_OF_SHORT } else { MOST_VECTORS };
        let few = (MOST_STEPS / wide.steps.len().max(1)).min(fitting);
        let abreast = [8, 4, 2].into_iter().find(|&k| k <= most.min(few)).unwrap_or(1);
        let vectors = if wide.folds.is_empty() { abreast } else { abreast.max(parts) };
        Turn { vectors, abreast }
    }
}

/// Several vectors' steps, each for all of them before the next, with their vectors' numbers.
#[derive(Default)]
pub(super) struct Interleaved {
    pub steps: Vec<(Step, usize)>,
    /// The elements of reductions: the reduction's number, the vector's, and the element.
    pub items: Vec<(usize, usize, Operand)>,
}

impl Interleaved {
    pub fn new(wide: &Loop, numbers: Range<usize>) -> Interleaved {
        let (width, first) = (numbers.len() as u32, numbers.start as u32);
        let value = |k: u32, number: usize| k * width + number as u32 - first;
        let mut steps = Vec::with_capacity(wide.steps.len() * numbers.len());
        for step in &wide.steps {
            steps.extend(numbers.clone().map(|number| (step.renumbered(|k| value(k, number)), number)));
        }
        let mut items = Vec::new();
        for (fold, &(_, _, item, _)) in wide.folds.iter().enumerate() {
            items.extend(numbers.clone().map(|number| (fold, number, item.renumbered(|k| value(k, number)))));
        }
        Interleaved { steps, items }
    }
}
