//! Keys and the bits they stand for.

use crate::array::promote::promote;
use crate::array::{Array, Term};
use crate::ops::{BinaryOp, Integers, lengths, rules};
use crate::refusal::{accept, refuse};
use crate::source::called;
use crate::trace::apply;
use crate::tree::{Leaf, Tree};
use std::hash::Hasher;
use wengert_kernel::{Binary, DType, Scalar};

/// What random numbers are a function of. Use each key once: [`Key::split`] makes as many as are needed.
///
/// A tree with one leaf of dtype `u64`, so it is an argument and result like any other. [`Key::split_off`] makes an array of keys
/// as one tree, for `vmap` and `scan`.
///
/// ```
/// use wengert_core::{DType, random};
///
/// let [a, b] = random::key(0).split();
/// assert_ne!(random::uniform(&a, DType::F64, 3), random::uniform(&b, DType::F64, 3));
/// assert_eq!(random::uniform(&a, DType::F64, 3), random::uniform(&a, DType::F64, 3));
/// ```
#[derive(Clone, Debug)]
pub struct Key(Array);

/// The key of a seed.
///
/// ```
/// use wengert_core::{array, random};
///
/// assert_eq!(random::key(42).data(), array![0u32, 42]);
/// ```
#[track_caller]
pub fn key(seed: u64) -> Key {
    let _called = called("random::key");
    Key(Array::from(seed))
}

impl Key {
    /// The key with this data: an array of dtype `u64`, one number for each key.
    ///
    /// # Panics
    /// When the dtype is another.
    ///
    /// ```
    /// use wengert_core::random::{Key, key};
    ///
    /// assert_eq!(Key::from_data(7u64.into()).data(), key(7).data());
    /// ```
    #[track_caller]
    pub fn from_data(data: Array) -> Key {
        let _called = called("Key::from_data");
        if data.dtype() != DType::U64 {
            refuse("keys are of dtype u64; `convert` the array, or make keys by `random::key`", &[&data]);
        }
        Key(data)
    }

    /// The two words of the key (of each key), as JAX's `key_data` gives them: `u32[2]`.
    ///
    /// ```
    /// use wengert_core::{array, random};
    ///
    /// assert_eq!(random::key(1 << 32 | 5).data(), array![1u32, 5]);
    /// ```
    #[track_caller]
    pub fn data(&self) -> Array {
        let _called = called("Key::data");
        let words = [&self.0 >> 32, self.0.clone()].map(|word| low_word(&word));
        crate::stack(&words, -1)
    }

    /// So many new keys.
    ///
    /// ```
    /// use wengert_core::{array, random};
    ///
    /// let [_, second, _] = random::key(42).split();
    /// assert_eq!(second.data(), array![0x03d7b32du32, 0xadd083f4]); // as JAX
    /// ```
    #[track_caller]
    pub fn split<const N: usize>(&self) -> [Key; N] {
        let _called = called("Key::split");
        std::array::from_fn(|i| self.image(&rules::literal(Scalar::new(i as u64))))
    }

    /// `n` new keys as one tree, whose leaf has them along its first axis.
    ///
    /// ```
    /// use wengert_core::random;
    ///
    /// let key = random::key(42);
    /// let [first] = key.split();
    /// assert_eq!(key.split_off(3).data().at(0), first.data());
    /// ```
    #[track_caller]
    pub fn split_off(&self, n: usize) -> Key {
        let _called = called("Key::split_off");
        self.alone();
        self.image(&Array::iota(DType::U64, &[n], 0))
    }

    /// The key for one of many uses, told by a whole number: a step, an epoch, a layer. It may be traced.
    ///
    /// ```
    /// use wengert_core::{array, random};
    ///
    /// assert_eq!(random::key(42).fold_in(7).data(), array![0x97d0552fu32, 0x51bf719f]); // as JAX
    /// ```
    #[track_caller]
    pub fn fold_in(&self, data: impl Into<Term>) -> Key {
        let _called = called("Key::fold_in");
        let [data] = promote([data.into()]);
        if !data.dtype().is_integer() {
            refuse("what is folded in is a whole number", &[&data]);
        }
        self.image(&data.convert(DType::U32).convert(DType::U64))
    }

    /// Random bits: `u32` of a shape.
    ///
    /// ```
    /// use wengert_core::{array, random};
    ///
    /// assert_eq!(random::key(42).bits(3), array![0x7d1c13a2u32, 0xae0730d9, 0x9dc3f9f9]); // as JAX
    /// ```
    #[track_caller]
    pub fn bits(&self, shape: impl Integers) -> Array {
        let _called = called("Key::bits");
        let both = self.bits64(shape);
        low_word(&((&both >> 32) ^ both))
    }

    /// Random bits: `u64` of a shape.
    ///
    /// ```
    /// use wengert_core::random;
    ///
    /// assert_eq!(random::key(42).bits64(()).dtype().to_string(), "u64");
    /// ```
    #[track_caller]
    pub fn bits64(&self, shape: impl Integers) -> Array {
        let _called = called("Key::bits64");
        self.alone();
        let shape = accept(lengths(&shape), &[]);
        let count = Array::iota(DType::U64, &[shape.iter().product()], 0);
        self.image(&count).0.reshape(shape)
    }

    /// The images of counters under the key.
    fn image(&self, counters: &Array) -> Key {
        let [key, counters] = if self.0.rank() == 0 {
            [self.0.broadcast_to(counters.shape()), counters.clone()]
        } else {
            [self.0.clone(), counters.broadcast_to(self.0.shape())]
        };
        Key(apply(BinaryOp(Binary::Threefry), &[&key, &counters]))
    }

    fn alone(&self) {
        if self.0.rank() != 0 {
            refuse("these are several keys; take one of them, or use `vmap` to draw with each", &[&self.0]);
        }
    }
}

/// The lower half of `u64`, where `convert` would saturate.
fn low_word(x: &Array) -> Array {
    (x & rules::literal(Scalar::new(u32::MAX as u64))).convert(DType::U32)
}

impl Tree for Key {
    type Def = ();

    fn into_leaves(self, leaves: &mut Vec<Array>) {
        leaves.push(self.0);
    }

    fn from_leaves(_: &(), leaves: &mut impl Iterator<Item = Array>) -> Self {
        Key(leaves.next().expect("a leaf for each key"))
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        f(&self.0);
    }

    fn fingerprint(&self, _: &mut impl Hasher) {}

    fn matches(&self, _: &()) -> bool {
        true
    }

    fn paths(_: &(), prefix: &mut String, out: &mut Vec<Leaf>) {
        out.push(Leaf::real(prefix));
    }
}
