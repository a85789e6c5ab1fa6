//! Derived trees: structs, enums, generics and static fields.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use wengert_core::tree::{self, Tree};
use wengert_core::{Array, Type};
use wengert_derive::Tree;

#[derive(Tree, Clone)]
#[tree(crate = "wengert_core")]
struct Layer {
    w: Array,
    b: Array,
    #[tree(static)]
    name: &'static str,
}

#[derive(Tree, Clone)]
#[tree(crate = "wengert_core")]
struct Params<T, const N: usize> {
    layers: Vec<Layer>,
    r#type: (T, [Array; N]),
    #[tree(static)]
    depth: usize,
    rates: BTreeMap<&'static str, Option<Box<T>>>,
}

#[derive(Tree, Clone)]
#[tree(crate = "wengert_core")]
struct Pair(Array, #[tree(static)] bool);

#[derive(Tree, Clone)]
#[tree(crate = "wengert_core")]
struct Unit;

#[derive(Tree, Clone)]
#[tree(crate = "wengert_core")]
enum Optimizer<T> {
    None,
    Momentum { velocity: T },
    Adam(T, T, #[tree(static)] u32),
}

/// A public tree with a private field: its definition must not leak the field's type.
#[derive(Tree)]
#[tree(crate = "wengert_core")]
pub struct Public {
    inner: Pair,
}

fn leaf(x: f64) -> Array {
    Array::from(x)
}

fn layer(x: f64, name: &'static str) -> Layer {
    Layer { w: leaf(x), b: leaf(x + 0.5), name }
}

fn params() -> Params<Array, 2> {
    Params {
        layers: vec![layer(1.0, "a"), layer(2.0, "b")],
        r#type: (leaf(3.0), [leaf(4.0), leaf(5.0)]),
        depth: 7,
        rates: BTreeMap::from([("slow", Some(Box::new(leaf(6.0)))), ("none", None)]),
    }
}

fn values<T: Tree>(tree: &T) -> Vec<f64> {
    let mut out = Vec::new();
    tree.visit(&mut |x| out.push(x.item::<f64>().unwrap()));
    out
}

fn hash<T: Tree>(tree: &T) -> u64 {
    let mut h = DefaultHasher::new();
    tree::fingerprint(tree, &mut h);
    h.finish()
}

/// Taking apart and putting together gives the same tree, and `visit` sees the leaves that `into_leaves` gives.
fn laws<T: Tree + Clone>(tree: T) -> (Vec<f64>, T::Def) {
    let mut leaves = vec![leaf(-1.0)];
    let def = tree.clone().into_leaves(&mut leaves);
    assert_eq!(leaves.remove(0).item::<f64>().unwrap(), -1.0, "flatten appends");
    let types: Vec<Type> = leaves.iter().map(Array::ty).collect();
    let order: Vec<f64> = leaves.iter().map(|x| x.item().unwrap()).collect();
    assert_eq!(order, values(&tree));
    assert_eq!(tree::leaf_types(&tree), types);
    assert!(tree.matches(&def) && tree::fits(&tree, &def, &types));
    assert_eq!(tree::leaf_paths::<T>(&def, "x").len(), leaves.len());
    let again = T::from_leaves(&def, &mut leaves.into_iter());
    assert_eq!(values(&again), order);
    assert!(again.matches(&def));
    assert_eq!(hash(&again), hash(&tree));
    assert!(again.into_leaves(&mut Vec::new()) == def);
    (order, def)
}

#[test]
fn structs_keep_the_order_of_their_fields() {
    let (order, def) = laws(params());
    assert_eq!(order, [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0]);
    let paths = tree::leaf_paths::<Params<Array, 2>>(&def, "params");
    let expected = [
        "params.layers[0].w",
        "params.layers[0].b",
        "params.layers[1].w",
        "params.layers[1].b",
        "params.type.0",
        "params.type.1[0]",
        "params.type.1[1]",
        "params.rates[\"slow\"]",
    ];
    assert_eq!(paths, expected);
    assert!(laws(Unit).0.is_empty());
    assert_eq!(laws(Pair(leaf(1.0), true)).0, [1.0]);
}

#[test]
fn static_fields_are_part_of_the_definition() {
    let (_, def) = laws(params());
    let mut other = params();
    other.depth = 8;
    assert!(!other.matches(&def));
    assert_ne!(hash(&other), hash(&params()));
    let mut other = params();
    other.layers[1].name = "c";
    assert!(!other.matches(&def));
    assert!(laws(other).1 != def);
    let (_, def) = laws(Pair(leaf(1.0), true));
    assert!(Pair::from_leaves(&def, &mut [leaf(2.0)].into_iter()).1);
}

#[test]
fn variants_are_different_definitions() {
    let adam = Optimizer::Adam(leaf(1.0), leaf(2.0), 3);
    let momentum = Optimizer::Momentum { velocity: leaf(1.0) };
    let (order, def) = laws(adam.clone());
    assert_eq!(order, [1.0, 2.0]);
    assert_eq!(tree::leaf_paths::<Optimizer<Array>>(&def, "o"), ["o.0", "o.1"]);
    assert!(!momentum.matches(&def));
    assert!(!Optimizer::Adam(leaf(1.0), leaf(2.0), 4).matches(&def));
    let (order, def) = laws(momentum.clone());
    assert_eq!(order, [1.0]);
    assert_eq!(tree::leaf_paths::<Optimizer<Array>>(&def, "o"), ["o.velocity"]);
    assert!(laws(Optimizer::<Array>::None).0.is_empty());
    assert_ne!(hash(&adam), hash(&momentum));
    let nested = Optimizer::Momentum { velocity: vec![leaf(1.0), leaf(2.0)] };
    assert_eq!(laws(nested).0, [1.0, 2.0]);
}

#[test]
fn private_fields_do_not_leak() {
    let public = Public { inner: Pair(leaf(3.0), false) };
    let mut leaves = Vec::new();
    let def = public.into_leaves(&mut leaves);
    assert_eq!(tree::leaf_paths::<Public>(&def, ""), [".inner.0"]);
    assert_eq!(values(&Public::from_leaves(&def, &mut leaves.into_iter()).inner), [3.0]);
}
