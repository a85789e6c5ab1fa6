//! Boxes, options, vectors, arrays, maps and tuples of trees.

use super::{Leaf, Static, Tree, with_suffix};
use crate::array::Array;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, Hasher};

/// A boxed tree is the tree itself.
impl<T: Tree> Tree for Box<T> {
    type Def = T::Def;

    fn into_leaves(self, leaves: &mut Vec<Array>) -> T::Def {
        (*self).into_leaves(leaves)
    }

    fn from_leaves(def: &T::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
        Box::new(T::from_leaves(def, leaves))
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        (**self).visit(f);
    }

    fn fingerprint(&self, state: &mut impl Hasher) {
        (**self).fingerprint(state);
    }

    fn matches(&self, def: &T::Def) -> bool {
        (**self).matches(def)
    }

    fn paths(def: &T::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
        T::paths(def, prefix, out);
    }
}

/// `None` has no leaves.
impl<T: Tree> Tree for Option<T> {
    type Def = Option<T::Def>;

    fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def {
        self.map(|tree| tree.into_leaves(leaves))
    }

    fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
        def.as_ref().map(|def| T::from_leaves(def, leaves))
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        if let Some(tree) = self {
            tree.visit(f);
        }
    }

    fn fingerprint(&self, state: &mut impl Hasher) {
        self.is_some().hash(state);
        if let Some(tree) = self {
            tree.fingerprint(state);
        }
    }

    fn matches(&self, def: &Self::Def) -> bool {
        match (self, def) {
            (Some(tree), Some(def)) => tree.matches(def),
            (None, None) => true,
            _ => false,
        }
    }

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
        if let Some(def) = def {
            T::paths(def, prefix, out);
        }
    }
}

impl<T: Tree> Tree for Vec<T> {
    type Def = Vec<T::Def>;

    fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def {
        self.into_iter().map(|tree| tree.into_leaves(leaves)).collect()
    }

    fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
        def.iter().map(|def| T::from_leaves(def, leaves)).collect()
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        self.iter().for_each(|tree| tree.visit(f));
    }

    fn fingerprint(&self, state: &mut impl Hasher) {
        self.len().hash(state);
        self.iter().for_each(|tree| tree.fingerprint(state));
    }

    fn matches(&self, def: &Self::Def) -> bool {
        self.len() == def.len() && self.iter().zip(def).all(|(tree, def)| tree.matches(def))
    }

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
        element_paths::<T>(def, prefix, out);
    }
}

impl<T: Tree, const N: usize> Tree for [T; N] {
    type Def = [T::Def; N];

    fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def {
        self.map(|tree| tree.into_leaves(leaves))
    }

    fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
        std::array::from_fn(|i| T::from_leaves(&def[i], leaves))
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        self.iter().for_each(|tree| tree.visit(f));
    }

    fn fingerprint(&self, state: &mut impl Hasher) {
        self.iter().for_each(|tree| tree.fingerprint(state));
    }

    fn matches(&self, def: &Self::Def) -> bool {
        self.iter().zip(def).all(|(tree, def)| tree.matches(def))
    }

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
        element_paths::<T>(def, prefix, out);
    }
}

fn element_paths<T: Tree>(def: &[T::Def], prefix: &mut String, out: &mut Vec<Leaf>) {
    for (i, def) in def.iter().enumerate() {
        with_suffix(prefix, format_args!("[{i}]"), |prefix| T::paths(def, prefix, out));
    }
}

/// In the order of the keys.
impl<K: Static + Ord + Debug, T: Tree> Tree for BTreeMap<K, T> {
    type Def = Vec<(K, T::Def)>;

    fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def {
        self.into_iter().map(|(key, tree)| (key, tree.into_leaves(leaves))).collect()
    }

    fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
        def.iter().map(|(key, def)| (key.clone(), T::from_leaves(def, leaves))).collect()
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        self.values().for_each(|tree| tree.visit(f));
    }

    fn fingerprint(&self, state: &mut impl Hasher) {
        self.len().hash(state);
        for (key, tree) in self {
            key.hash(state);
            tree.fingerprint(state);
        }
    }

    fn matches(&self, def: &Self::Def) -> bool {
        self.len() == def.len() && self.iter().zip(def).all(|((k, tree), (key, def))| k == key && tree.matches(def))
    }

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
        for (key, def) in def {
            with_suffix(prefix, format_args!("[{key:?}]"), |prefix| T::paths(def, prefix, out));
        }
    }
}

/// In the order of the keys, which are sorted at every use: a `BTreeMap` is quicker in a function that is called often.
impl<K: Static + Ord + Debug, T: Tree, S: BuildHasher + Default> Tree for HashMap<K, T, S> {
    type Def = Vec<(K, T::Def)>;

    fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def {
        let mut entries: Vec<(K, T)> = self.into_iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        entries.into_iter().map(|(key, tree)| (key, tree.into_leaves(leaves))).collect()
    }

    fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
        def.iter().map(|(key, def)| (key.clone(), T::from_leaves(def, leaves))).collect()
    }

    fn visit(&self, f: &mut impl FnMut(&Array)) {
        sorted(self).into_iter().for_each(|(_, tree)| tree.visit(f));
    }

    fn fingerprint(&self, state: &mut impl Hasher) {
        self.len().hash(state);
        for (key, tree) in sorted(self) {
            key.hash(state);
            tree.fingerprint(state);
        }
    }

    fn matches(&self, def: &Self::Def) -> bool {
        self.len() == def.len() && def.iter().all(|(key, def)| self.get(key).is_some_and(|tree| tree.matches(def)))
    }

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
        <BTreeMap<K, T> as Tree>::paths(def, prefix, out);
    }
}

fn sorted<K: Ord, T, S>(map: &HashMap<K, T, S>) -> Vec<(&K, &T)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
    entries
}

macro_rules! tuples {
    ($(($($T:ident $i:tt),*);)*) => {$(
        #[allow(clippy::unused_unit, unused_variables)]
        impl<$($T: Tree),*> Tree for ($($T,)*) {
            type Def = ($($T::Def,)*);

            fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def {
                ($(self.$i.into_leaves(leaves),)*)
            }

            fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self {
                ($($T::from_leaves(&def.$i, leaves),)*)
            }

            fn visit(&self, f: &mut impl FnMut(&Array)) {
                $(self.$i.visit(f);)*
            }

            fn fingerprint(&self, state: &mut impl Hasher) {
                $(self.$i.fingerprint(state);)*
            }

            fn matches(&self, def: &Self::Def) -> bool {
                true $(&& self.$i.matches(&def.$i))*
            }

            fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>) {
                $(with_suffix(prefix, concat!(".", $i), |prefix| $T::paths(&def.$i, prefix, out));)*
            }
        }
    )*};
}

tuples! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}
