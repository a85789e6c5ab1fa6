//! `#[derive(Tree)]`.

mod expand;

/// Makes a struct or enum a tree of arrays: its fields, in order, are trees.
///
/// * `#[tree(static)]` on a field: it is part of the definition, not a tree. Two values that differ in a static field
///   are different functions to `jit`. The field's type is `Clone + Eq + Hash + Send + Sync + 'static`.
/// * `#[tree(crate = "path")]` on the type: the path of the crate that has the module `tree`; else `::wengert`.
#[proc_macro_derive(Tree, attributes(tree))]
pub fn derive_tree(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::tree(&input).unwrap_or_else(|error| error.into_compile_error()).into()
}
