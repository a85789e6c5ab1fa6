//! Trees: arguments and results that are made of arrays.
//!
//! An array is a tree, and so are tuples, vectors, options and maps of trees, and structs with `#[derive(Tree)]`.
//! Functions such as `grad` and `jit` take a tree apart into its leaves and a definition, and put it together again.

use crate::array::{Array, Repr};
use crate::refusal::refuse;
use crate::source::called;
use crate::types::{ArrayType, Type};
use crate::value::Value;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::fmt::{Debug, Write};
use std::hash::{BuildHasher, Hash, Hasher};

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

    /// Appends the name of each leaf, such as `params.layers[2].w`. `prefix` is the tree's own name and is left as it was.
    ///
    /// ```
    /// use wengert_core::{Array, Tree, tree};
    ///
    /// let (_, def) = tree::flatten(vec![Array::from(1.0)]);
    /// let mut names = Vec::new();
    /// Vec::<Array>::paths(&def, &mut "w".to_owned(), &mut names);
    /// assert_eq!(names, ["w[0]"]);
    /// ```
    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>);
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

/// A tree of the results of `f` at the leaves of one or several trees of the same structure: JAX's `tree.map`.
///
/// # Panics
/// When the trees differ in lengths, keys or static fields.
///
/// ```
/// use wengert_core::{Array, tree};
///
/// let weights = (Array::from(1.0), vec![Array::from([2.0, 3.0])]);
/// let slopes = (Array::from(10.0), vec![Array::from([0.0, 20.0])]);
/// let (bias, layers) = tree::map(|[w, slope]| w - 0.1 * slope, [weights, slopes]);
/// assert_eq!((bias, &layers[0]), (Array::from(0.0), &Array::from([2.0, 1.0])));
/// ```
#[track_caller]
pub fn map<T: Tree, const N: usize>(mut f: impl FnMut([Array; N]) -> Array, trees: [T; N]) -> T {
    const { assert!(N > 0, "there is at least one tree") };
    let mut leaves = std::array::from_fn::<Vec<Array>, N, _>(|_| Vec::new());
    let defs: Vec<T::Def> = trees.into_iter().zip(&mut leaves).map(|(tree, leaves)| tree.into_leaves(leaves)).collect();
    if let Some(i) = defs.iter().position(|def| *def != defs[0]) {
        let _called = called("tree::map");
        refuse(format!("tree {i} has another structure (lengths, keys or static fields) than tree 0"), &[]);
    }
    let mut leaves = leaves.map(Vec::into_iter);
    let row = || Some(f(leaves.each_mut().map(|leaves| leaves.next().expect("equal definitions have as many leaves"))));
    T::from_leaves(&defs[0], &mut std::iter::from_fn(row))
}

/// The leaves of a tree and its definition.
///
/// ```
/// use wengert_core::{Array, tree};
///
/// let (leaves, def) = tree::flatten((Array::from(1.0), vec![Array::from(2.0)]));
/// assert_eq!(leaves, [Array::from(1.0), Array::from(2.0)]);
/// let (one, _) = tree::unflatten::<(Array, Vec<Array>)>(&def, leaves);
/// assert_eq!(one, Array::from(1.0));
/// ```
pub fn flatten<T: Tree>(tree: T) -> (Vec<Array>, T::Def) {
    let mut leaves = Vec::new();
    let def = tree.into_leaves(&mut leaves);
    (leaves, def)
}

/// The tree with this definition and these leaves.
///
/// # Panics
/// When there are more or fewer leaves than the definition has.
///
/// ```
/// use wengert_core::{Array, tree};
///
/// let (_, def) = tree::flatten(vec![Array::from(1.0), Array::from(2.0)]);
/// let tree = tree::unflatten::<Vec<Array>>(&def, vec![Array::from(3.0), Array::from(4.0)]);
/// assert_eq!(tree[1], Array::from(4.0));
/// ```
#[track_caller]
pub fn unflatten<T: Tree>(def: &T::Def, leaves: Vec<Array>) -> T {
    let wanted = leaf_paths::<T>(def, "").len();
    if leaves.len() != wanted {
        let _called = called("tree::unflatten");
        refuse(format!("the tree has {wanted} leaves, {} were given", leaves.len()), &[]);
    }
    T::from_leaves(def, &mut leaves.into_iter())
}

/// The leaves of two trees of the same structure, side by side.
///
/// # Panics
/// When they differ in lengths, keys or static fields.
///
/// ```
/// use wengert_core::{Array, tree};
///
/// let sums = tree::zip([Array::from(1.0)], [Array::from(2.0)]).map(|(a, b)| a + b).collect::<Vec<Array>>();
/// assert_eq!(sums, [Array::from(3.0)]);
/// ```
#[track_caller]
pub fn zip<T: Tree>(a: T, b: T) -> impl Iterator<Item = (Array, Array)> {
    let ((a, of_a), (b, of_b)) = (flatten(a), flatten(b));
    if of_a != of_b {
        let _called = called("tree::zip");
        refuse("the trees differ in structure (lengths, keys or static fields)", &[]);
    }
    a.into_iter().zip(b)
}

/// All leaves, flattened and joined to one vector, and the way back. The vector has the dtype to which the leaves promote.
///
/// ```
/// use wengert_core::{Array, array, tree};
///
/// let (vector, back) = tree::ravel((array![[1.0, 2.0]], Array::from(3.0)));
/// assert_eq!(vector, array![1.0, 2.0, 3.0]);
/// assert_eq!(back(2.0 * vector).1, Array::from(6.0));
/// ```
///
/// # Panics
/// When a vector of another length is taken back.
#[track_caller]
pub fn ravel<T: Tree>(tree: T) -> (Array, impl Fn(Array) -> T) {
    let _called = called("tree::ravel");
    let (leaves, def) = flatten(tree);
    let types: Vec<ArrayType> = leaves.iter().map(Array::array_type).collect();
    let flat: Vec<Array> = leaves.iter().map(Array::flatten).collect();
    let vector = if flat.is_empty() { crate::zeros(0) } else { crate::ops::concatenate(&flat, 0) };
    let length = vector.size();
    let back = move |vector: Array| {
        let _called = called("tree::ravel");
        if vector.shape().as_slice() != [length] {
            refuse(format!("the tree has {length} elements in all"), &[&vector]);
        }
        let mut first = 0;
        let leaf = |ty: &ArrayType| {
            let end = first + ty.size();
            let part = vector.slice(first..end).reshape(ty.shape.clone()).convert(ty.dtype);
            first = end;
            part
        };
        T::from_leaves(&def, &mut types.iter().map(leaf).collect::<Vec<_>>().into_iter())
    };
    (vector, back)
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

    fn paths(def: &Kind, prefix: &mut String, out: &mut Vec<String>) {
        match def {
            Kind::Real => out.push(prefix.clone()),
            Kind::Complex => out.extend([format!("{prefix}.real()"), format!("{prefix}{IMAGINARY}")]),
        }
    }
}

/// How a path to an imaginary part ends. No field has such a name.
const IMAGINARY: &str = ".imag()";

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
    let place = |path: String| {
        arrays += usize::from(!path.ends_with(IMAGINARY));
        arrays - 1
    };
    leaf_paths::<T>(def, "").into_iter().map(place).collect()
}

/// The tree with the complex conjugates of its complex arrays; all else is as it was.
///
/// A cotangent of a complex array is the conjugate of the pair of cotangents of its parts (JAX's convention), so this
/// leads from one to the other.
///
/// ```
/// use wengert_core::{Array, complex, tree};
///
/// let [one, two] = [1.0, 2.0].map(Array::from);
/// let (x, y) = tree::conjugate((complex(&one, &two), two.clone()));
/// assert_eq!((x, y), (complex(&one, &-&two), two));
/// ```
#[track_caller]
pub fn conjugate<T: Tree>(tree: T) -> T {
    let (mut leaves, def) = flatten(tree);
    conjugate_leaves::<T>(&def, &mut leaves);
    T::from_leaves(&def, &mut leaves.into_iter())
}

/// The same of leaves.
///
/// ```
/// use wengert_core::{Array, array, complex, tree};
///
/// let (mut parts, def) = tree::flatten(complex(&array![1.0], &array![2.0]));
/// tree::conjugate_leaves::<Array>(&def, &mut parts);
/// assert_eq!(tree::unflatten::<Array>(&def, parts).imag(), array![-2.0]);
/// ```
#[track_caller]
pub fn conjugate_leaves<T: Tree>(def: &T::Def, leaves: &mut [Array]) {
    for (leaf, path) in leaves.iter_mut().zip(leaf_paths::<T>(def, "")) {
        if path.ends_with(IMAGINARY) {
            *leaf = -&*leaf;
        }
    }
}

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

    fn paths(def: &T::Def, prefix: &mut String, out: &mut Vec<String>) {
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

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>) {
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

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>) {
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

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>) {
        element_paths::<T>(def, prefix, out);
    }
}

fn element_paths<T: Tree>(def: &[T::Def], prefix: &mut String, out: &mut Vec<String>) {
    for (i, def) in def.iter().enumerate() {
        with_suffix(prefix, format_args!("[{i}]"), |prefix| T::paths(def, prefix, out));
    }
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

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>) {
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

    fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>) {
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

            fn paths(def: &Self::Def, prefix: &mut String, out: &mut Vec<String>) {
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

#[cfg(test)]
mod tests {
    use super::*;
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
