//! `#[derive(Tree)]`.

mod expand;

/// Makes a struct or enum a tree of arrays: its fields, in order, are trees.
///
/// * `#[tree(static)]` on a field: it is part of the definition, not a tree. Two values that differ in a static field
///   are different functions to `jit`. The field's type is `Clone + Eq + Hash + Send + Sync + 'static`.
/// * `#[tree(crate = "path")]` on the type: the path of the crate that has the module `tree`; else `::wengert`.
///
/// ```
/// use wengert_core::{Array, tree};
/// use wengert_derive::Tree;
///
/// #[derive(Tree)]
/// #[tree(crate = "wengert_core")]
/// struct Layer {
///     w: Array,
///     b: Array,
///     #[tree(static)]
///     name: &'static str,
/// }
///
/// let layer = Layer { w: Array::from(1.0), b: Array::from(2.0), name: "first" };
/// assert_eq!(tree::leaf_types(&layer).len(), 2);
/// ```
///
/// A field that is no tree is an error that names it:
///
/// ```compile_fail
/// #[derive(wengert_derive::Tree)]
/// #[tree(crate = "wengert_core")]
/// struct Layer {
///     w: wengert_core::Array,
///     rate: f64,
/// }
/// ```
#[proc_macro_derive(Tree, attributes(tree))]
pub fn derive_tree(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::tree(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
