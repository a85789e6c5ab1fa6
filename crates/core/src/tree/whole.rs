//! Trees as wholes: mapped, taken apart, made one vector.

use super::{Tree, described, leaf_paths};
use crate::array::Array;
use crate::refusal::refuse;
use crate::source::called;
use crate::types::ArrayType;

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
    for (x, leaf) in leaves.iter_mut().zip(described::<T>(def, "")) {
        if leaf.imaginary {
            *x = -&*x;
        }
    }
}
