//! Trees: arguments and results that are made of arrays.
//!
//! An array is a tree, and so are tuples, vectors, options and maps of trees, and structs with `#[derive(Tree)]`.
//! Functions such as `grad` and `jit` take a tree apart into its leaves and a definition, and put it together again.

mod containers;
mod whole;

pub use whole::{conjugate, conjugate_leaves, flatten, map, ravel, unflatten, zip};

use crate::array::{Array, Repr};
use crate::types::{ArrayType, Type};
use crate::value::Value;
use std::convert::Infallible;
use std::fmt::Write;
use std::hash::{Hash, Hasher};

/// A value made of arrays, such as `(Array, Vec<Array>)` or a struct with `#[derive(Tree)]`.
///
/// The leaves always come in the same order: fields as declared, elements by index, map entries by key. Numbers are no
/// trees: make them arrays with `Array::from`, or, in a struct, let them be part of its definition with
/// `#[tree(static)]`.
///
/// ```
/// use wengert_core::{Array, Tree};
///
/// let tree = (Array::from(1.0), vec![Array::from(2.0), Array::from(3.0)]);
/// let mut leaves = Vec::new();
/// let def = tree.into_leaves(&mut leaves);
/// assert_eq!(leaves.len(), 3);
/// let (_, tail) = <(Array, Vec<Array>)>::from_leaves(&def, &mut leaves.into_iter());
/// assert_eq!(tail.len(), 2);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made of arrays",
    label = "not a tree of arrays",
    note = "arguments and results are `Array`s, or tuples, `Vec`s, `Option`s and maps of them; write `Array::from(x)` for a number",
    note = "for a struct write `#[derive(Tree)]`, and `#[tree(static)]` on its fields that are not arrays"
)]
pub trait Tree: Sized {
    /// What remains when the leaves are taken out: lengths, keys, static fields.
    type Def: Clone + Eq + Hash + Send + Sync + 'static;

    /// Takes the tree apart: moves its leaves to the end of `leaves`.
    ///
    /// ```
    /// use wengert_core::{Array, Tree};
    ///
    /// let mut leaves = Vec::new();
    /// vec![Array::from(1.0), Array::from(2.0)].into_leaves(&mut leaves);
    /// assert_eq!(leaves, [Array::from(1.0), Array::from(2.0)]);
    /// ```
    fn into_leaves(self, leaves: &mut Vec<Array>) -> Self::Def;

    /// Puts a tree together. Panics when there are fewer leaves than the definition needs.
    ///
    /// ```
    /// use wengert_core::{Array, Tree, tree};
    ///
    /// let (leaves, def) = tree::flatten((Array::from(1.0), Array::from(2.0)));
    /// let pair = <(Array, Array)>::from_leaves(&def, &mut leaves.into_iter());
    /// assert_eq!(pair.1, Array::from(2.0));
    /// ```
    fn from_leaves(def: &Self::Def, leaves: &mut impl Iterator<Item = Array>) -> Self;

    /// Calls `f` on each leaf, in the order of [`Tree::into_leaves`].
    ///
    /// ```
    /// use wengert_core::{Array, Tree};
    ///
    /// let mut elements = 0;
    /// (Array::from(1.0), Array::from([1, 2])).visit(&mut |x| elements += x.size());
    /// assert_eq!(elements, 3);
    /// ```
    fn visit(&self, f: &mut impl FnMut(&Array));

    /// Hashes the definition, without making it.
    ///
    /// ```
    /// use std::hash::{DefaultHasher, Hasher};
    /// use wengert_core::{Array, Tree};
    ///
    /// let hash = |tree: &Vec<Array>| { let mut state = DefaultHasher::new(); tree.fingerprint(&mut state); state.finish() };
    /// assert_ne!(hash(&Vec::new()), hash(&vec![Array::from(1.0)]));
    /// ```
    fn fingerprint(&self, state: &mut impl Hasher);

    /// Whether this is the tree's definition, without making another.
    ///
    /// ```
    /// use wengert_core::{Array, Tree, tree};
    ///
    /// let (_, def) = tree::flatten(vec![Array::from(1.0)]);
    /// assert!(vec![Array::from(2.0)].matches(&def) && !Vec::<Array>::new().matches(&def));
    /// ```
    fn matches(&self, def: &Self::Def) -> bool;

    /// Appends what each leaf is, with its name, such as `params.layers[2].w`. `prefix` is the tree's own name and is left as it was.
    ///
    /// ```
    /// use wengert_core::{Array, Tree, tree};
    ///
    /// let (_, def) = tree::flatten(vec![Array::from(1.0)]);
    /// let mut names = Vec::new();
    /// Vec::<Array>::paths(&def, &mut "w".to_owned(), &mut names);
    /// assert_eq!(names[0].path, "w[0]");
    /// ```
    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<Leaf>);
}

/// What a `#[tree(static)]` field may be: it becomes part of the tree's definition, by which compiled code is found again.
/// (A float is not, for it is not `Eq`: make it an array, or keep its bits.) Implemented for every such type.
///
/// ```
/// fn is_static<T: wengert_core::tree::Static>(_: T) {}
/// is_static("name");
/// is_static(3usize);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a `#[tree(static)]` field",
    label = "compiled code is found again by static fields, so they are compared and hashed",
    note = "a float is not: make the field an `Array`, or keep its bits (`x.to_bits()`)",
    note = "for a type of your own derive `Clone, PartialEq, Eq, Hash`"
)]
pub trait Static: Clone + Eq + Hash + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + Send + Sync + 'static> Static for T {}

/// One of two definitions. `#[derive(Tree)]` builds the definition of an enum of these.
///
/// ```
/// use wengert_core::tree::Either;
///
/// assert_ne!(Either::<u8, u8>::Left(1), Either::Right(1));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Either<L, R> {
    /// The first.
    Left(L),
    /// The second, or one of those after it.
    Right(R),
}

/// The definition that no variant is left for.
///
/// ```
/// assert_eq!(size_of::<Option<wengert_core::tree::Never>>(), 0); // there is no such value
/// ```
pub type Never = Infallible;

/// What a leaf is to its tree.
///
/// ```
/// use wengert_core::{Array, Tree, complex, tree};
///
/// let (_, def) = tree::flatten(complex(&Array::from(1.0), &Array::from(2.0)));
/// let mut leaves = Vec::new();
/// Array::paths(&def, &mut "z".to_owned(), &mut leaves);
/// assert_eq!(leaves[1], tree::Leaf { path: "z.imag()".into(), imaginary: true });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// Its name, such as `params.layers[2].w`.
    pub path: String,
    /// Whether it is the imaginary part of a complex array, whose real part is the leaf before.
    pub imaginary: bool,
}

impl Leaf {
    /// A real array.
    ///
    /// ```
    /// assert!(!wengert_core::tree::Leaf::real("x").imaginary);
    /// ```
    pub fn real(path: &str) -> Leaf {
        Leaf { path: path.to_owned(), imaginary: false }
    }
}

/// The name of each leaf of a tree called `name`.
///
/// ```
/// use wengert_core::{Array, Tree, tree::leaf_paths};
///
/// let tree = (Array::from(1.0), vec![Array::from(2), Array::from(3)]);
/// let def = tree.into_leaves(&mut Vec::new());
/// assert_eq!(leaf_paths::<(Array, Vec<Array>)>(&def, "x"), ["x.0", "x.1[0]", "x.1[1]"]);
/// ```
pub fn leaf_paths<T: Tree>(def: &T::Def, name: &str) -> Vec<String> {
    described::<T>(def, name).into_iter().map(|leaf| leaf.path).collect()
}

fn described<T: Tree>(def: &T::Def, name: &str) -> Vec<Leaf> {
    let mut out = Vec::new();
    T::paths(def, &mut name.to_owned(), &mut out);
    out
}

/// The types of a tree's leaves.
///
/// ```
/// use wengert_core::{Array, tree::leaf_types};
///
/// let tree = (Array::from(1.0), vec![Array::from(2), Array::from(3)]);
/// let types: Vec<String> = leaf_types(&tree).iter().map(|ty| ty.to_string()).collect();
/// assert_eq!(types, ["f64[]", "i32[]", "i32[]"]);
/// ```
pub fn leaf_types<T: Tree>(tree: &T) -> Vec<Type> {
    let mut types = Vec::new();
    tree.visit(&mut |x| types.push(x.ty()));
    types
}

/// Hashes the definition and the types of the leaves, without allocating.
///
/// ```
/// use std::hash::{DefaultHasher, Hasher};
/// use wengert_core::{Array, tree::fingerprint};
///
/// let hash = |x: Array| { let mut state = DefaultHasher::new(); fingerprint(&x, &mut state); state.finish() };
/// assert_eq!(hash(Array::from(1.0)), hash(Array::from(2.0)));
/// assert_ne!(hash(Array::from(1.0)), hash(Array::from(1f32)));
/// ```
pub fn fingerprint<T: Tree>(tree: &T, state: &mut impl Hasher) {
    tree.fingerprint(state);
    tree.visit(&mut |x| match &x.0 {
        Repr::Value(Value::Array(a)) => {
            a.dtype().hash(state);
            a.shape.hash(state);
        }
        Repr::Variable(v) => match &v.ty {
            Type::Array(ArrayType { dtype, shape }) => {
                dtype.hash(state);
                shape.hash(state);
            }
            list => list.hash(state),
        },
        Repr::Value(list) => list.ty().hash(state),
        Repr::Complex(_) => unreachable!("its parts are the leaves"),
    });
}

/// Whether a tree has this definition and leaves of these types, without allocating.
///
/// ```
/// use wengert_core::{Array, tree::{Kind, fits, leaf_types}};
///
/// let types = leaf_types(&Array::from(1.0));
/// assert!(fits(&Array::from(2.0), &Kind::Real, &types));
/// assert!(!fits(&Array::from(2), &Kind::Real, &types));
/// ```
#[inline]
pub fn fits<T: Tree>(tree: &T, def: &T::Def, types: &[Type]) -> bool {
    if !tree.matches(def) {
        return false;
    }
    let mut types = types.iter();
    let mut same = true;
    tree.visit(&mut |x| {
        same = same
            && match (types.next(), &x.0) {
                (Some(Type::Array(ty)), Repr::Value(Value::Array(a))) => ty.dtype == a.dtype() && ty.shape == a.shape,
                (Some(ty), Repr::Variable(v)) => *ty == v.ty,
                (Some(ty), Repr::Value(list)) => *ty == list.ty(),
                (None, _) | (_, Repr::Complex(_)) => false,
            };
    });
    same && types.next().is_none()
}

impl Tree for Array {
    type Def = Kind;

    #[inline]
    fn into_leaves(self, leaves: &mut Vec<Array>) -> Kind {
        match self.complex_parts() {
            None => {
                leaves.push(self);
                Kind::Real
            }
            Some([re, im]) => {
                leaves.extend([re.clone(), im.clone()]);
                Kind::Complex
            }
        }
    }

    #[inline]
    fn from_leaves(def: &Kind, leaves: &mut impl Iterator<Item = Array>) -> Self {
        let mut next = || leaves.next().expect("a leaf for each array of the tree");
        match def {
            Kind::Real => next(),
            Kind::Complex => {
                let re = next();
                Array::of_parts(re, next())
            }
        }
    }

    #[inline]
    fn visit(&self, f: &mut impl FnMut(&Array)) {
        match self.complex_parts() {
            None => f(self),
            Some(parts) => parts.iter().for_each(f),
        }
    }

    #[inline]
    fn fingerprint(&self, state: &mut impl Hasher) {
        if self.complex_parts().is_some() {
            Kind::Complex.hash(state);
        }
    }

    #[inline]
    fn matches(&self, def: &Kind) -> bool {
        self.complex_parts().is_some() == (*def == Kind::Complex)
    }

    fn paths(def: &Kind, prefix: &mut String, out: &mut Vec<Leaf>) {
        match def {
            Kind::Real => out.push(Leaf::real(prefix)),
            Kind::Complex => {
                out.push(Leaf::real(&format!("{prefix}.real()")));
                out.push(Leaf { path: format!("{prefix}.imag()"), imaginary: true });
            }
        }
    }
}

/// The definition of an array as a tree: a complex one has two leaves.
///
/// ```
/// use wengert_core::{Array, complex, tree};
///
/// let (leaves, kind) = tree::flatten(complex(&Array::from(1.0), &Array::from(2.0)));
/// assert_eq!((leaves.len(), kind), (2, tree::Kind::Complex));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// One leaf.
    Real,
    /// Two leaves: real part, imaginary part.
    Complex,
}

/// For each leaf the place of its array among the arrays of the tree: both leaves of a complex array have the same.
///
/// ```
/// use wengert_core::{Array, complex, tree};
///
/// let x = Array::from(1.0);
/// let (_, def) = tree::flatten((complex(&x, &x), x.clone()));
/// assert_eq!(tree::arrays_of_leaves::<(Array, Array)>(&def), [0, 0, 1]);
/// ```
pub fn arrays_of_leaves<T: Tree>(def: &T::Def) -> Vec<usize> {
    let mut arrays = 0;
    let place = |leaf: Leaf| {
        arrays += usize::from(!leaf.imaginary);
        arrays - 1
    };
    described::<T>(def, "").into_iter().map(place).collect()
}

/// Calls `f` with a longer prefix. For implementations of [`Tree::paths`].
///
/// ```
/// use wengert_core::tree::with_suffix;
///
/// let mut path = "x".to_owned();
/// with_suffix(&mut path, ".w", |path| assert_eq!(path, "x.w"));
/// assert_eq!(path, "x");
/// ```
pub fn with_suffix(prefix: &mut String, suffix: impl std::fmt::Display, f: impl FnOnce(&mut String)) {
    let length = prefix.len();
    let _ = write!(prefix, "{suffix}");
    f(prefix);
    prefix.truncate(length);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashMap};
    use std::hash::DefaultHasher;

    fn leaf(x: f64) -> Array {
        Array::from(x)
    }

    fn hash<T: Tree>(tree: &T) -> u64 {
        let mut h = DefaultHasher::new();
        fingerprint(tree, &mut h);
        h.finish()
    }

    fn values<T: Tree>(tree: &T) -> Vec<f64> {
        let mut out = Vec::new();
        tree.visit(&mut |x| out.push(x.item().unwrap()));
        out
    }

    /// Taking apart and putting together is the identity; the other methods agree with these two.
    fn laws<T: Tree + Clone>(tree: T, expected: &[f64], paths: &[&str]) -> T::Def {
        assert_eq!(values(&tree), expected);
        let mut leaves = Vec::new();
        let def = tree.clone().into_leaves(&mut leaves);
        assert_eq!(leaves.iter().map(|x| x.item().unwrap()).collect::<Vec<f64>>(), expected);
        let types = leaf_types(&tree);
        assert_eq!(types, leaves.iter().map(Array::ty).collect::<Vec<_>>());
        assert_eq!(leaf_paths::<T>(&def, "x"), paths);
        assert!(fits(&tree, &def, &types));
        assert!(!fits(&tree, &def, &[types.clone(), vec![leaf(0.0).ty()]].concat()));
        if !types.is_empty() {
            assert!(!fits(&tree, &def, &types[1..]));
            assert!(!fits(&tree, &def, &vec![Array::from(1).ty(); types.len()]));
        }
        let again = T::from_leaves(&def, &mut leaves.into_iter());
        assert_eq!(values(&again), expected);
        assert!(again.matches(&def));
        assert_eq!(hash(&again), hash(&tree));
        assert!(again.into_leaves(&mut Vec::new()) == def);
        def
    }

    #[test]
    fn laws_hold_for_every_kind_of_tree() {
        laws(leaf(1.0), &[1.0], &["x"]);
        laws((), &[], &[]);
        laws((leaf(1.0),), &[1.0], &["x.0"]);
        laws((leaf(1.0), (leaf(2.0), leaf(3.0))), &[1.0, 2.0, 3.0], &["x.0", "x.1.0", "x.1.1"]);
        let eight = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        let [a, b, c, d, e, f, g, h] = eight.map(leaf);
        let paths = ["x.0", "x.1", "x.2", "x.3", "x.4", "x.5", "x.6", "x.7"];
        laws((a, b, c, d, e, f, g, h), &eight, &paths);
        laws(
            vec![(leaf(1.0), leaf(2.0)), (leaf(3.0), leaf(4.0))],
            &[1.0, 2.0, 3.0, 4.0],
            &["x[0].0", "x[0].1", "x[1].0", "x[1].1"],
        );
        laws(Vec::<Array>::new(), &[], &[]);
        laws([leaf(1.0), leaf(2.0)], &[1.0, 2.0], &["x[0]", "x[1]"]);
        laws(vec![None, Some(Box::new(leaf(1.0)))], &[1.0], &["x[1]"]);
        let entries = [("b", leaf(2.0)), ("a", leaf(1.0)), ("c", leaf(3.0))];
        let paths = ["x[\"a\"]", "x[\"b\"]", "x[\"c\"]"];
        laws(BTreeMap::from(entries.clone()), &[1.0, 2.0, 3.0], &paths);
        laws(HashMap::from(entries), &[1.0, 2.0, 3.0], &paths);
    }

    #[test]
    fn other_trees_do_not_match() {
        let def = laws(vec![Some(leaf(1.0))], &[1.0], &["x[0]"]);
        for other in [vec![], vec![None], vec![Some(leaf(1.0)), None]] {
            assert!(!other.matches(&def));
            assert_ne!(hash(&other), hash(&vec![Some(leaf(1.0))]));
        }
        let def = laws(BTreeMap::from([(1, leaf(1.0))]), &[1.0], &["x[1]"]);
        assert!(!BTreeMap::from([(2, leaf(1.0))]).matches(&def));
        let def = laws(HashMap::from([(1, leaf(1.0))]), &[1.0], &["x[1]"]);
        assert!(!HashMap::from([(2, leaf(1.0))]).matches(&def));
        assert_ne!(hash(&leaf(1.0)), hash(&Array::from(1f32)), "the fingerprint has the dtype");
        assert_ne!(hash(&leaf(1.0)), hash(&Array::from([1.0])), "and the shape");
        assert_eq!(hash(&leaf(1.0)), hash(&leaf(2.0)));
    }
}
