//! The implementation of `Tree` for a struct or enum.
//!
//! The definition of a list of fields is a nested tuple `(d0, (d1, (d2, ())))`, where `d` is the definition of a tree
//! field or the value of a static one. The definition of an enum is that of one of its variants, an `Either` of the
//! first and of the others. Both are wrapped in a new type, so that fields of private types do not leak.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{format_ident, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Generics, Ident, Member, Path, Result, Type, parse_quote};

/// The items of the derive, inside an anonymous constant.
pub fn tree(input: &DeriveInput) -> Result<TokenStream> {
    let shape = Shape::new(input)?;
    let root = &shape.root;
    let generics = with_bounds(&input.generics, &shape);
    let (parameters, arguments, clause) = generics.split_for_impl();
    let name = &input.ident;
    let def = format_ident!("{name}Def", span = Span::call_site());
    let inner = shape.def();
    let taking_apart = shape.taking_apart(&def);
    let putting_together = shape.putting_together();
    let visit = shape.visit();
    let fingerprint = shape.fingerprint();
    let matches = shape.matches();
    let paths = shape.paths();
    Ok(quote! {
        const _: () = {
            #[doc(hidden)]
            #[allow(private_bounds)]
            pub struct #def #parameters (#inner) #clause;

            impl #parameters ::core::clone::Clone for #def #arguments #clause {
                fn clone(&self) -> Self {
                    #def(::core::clone::Clone::clone(&self.0))
                }
            }

            impl #parameters ::core::cmp::PartialEq for #def #arguments #clause {
                fn eq(&self, other: &Self) -> bool {
                    self.0 == other.0
                }
            }

            impl #parameters ::core::cmp::Eq for #def #arguments #clause {}

            impl #parameters ::core::hash::Hash for #def #arguments #clause {
                fn hash<__H: ::core::hash::Hasher>(&self, state: &mut __H) {
                    ::core::hash::Hash::hash(&self.0, state)
                }
            }

            #[automatically_derived]
            #[allow(unused_variables)]
            impl #parameters #root::tree::Tree for #name #arguments #clause {
                type Def = #def #arguments;

                fn into_leaves(self, leaves: &mut ::std::vec::Vec<#root::Array>) -> Self::Def {
                    match self { #taking_apart }
                }

                fn from_leaves(def: &Self::Def, leaves: &mut impl ::core::iter::Iterator<Item = #root::Array>) -> Self {
                    match &def.0 { #putting_together }
                }

                fn visit(&self, f: &mut impl ::core::ops::FnMut(&#root::Array)) {
                    match self { #visit }
                }

                fn fingerprint(&self, state: &mut impl ::core::hash::Hasher) {
                    match self { #fingerprint }
                }

                fn matches(&self, def: &Self::Def) -> bool {
                    match (self, &def.0) { #matches }
                }

                fn paths(
                    def: &Self::Def,
                    prefix: &mut ::std::string::String,
                    out: &mut ::std::vec::Vec<#root::tree::Leaf>,
                ) {
                    match &def.0 { #paths }
                }
            }
        };
    })
}

/// What the macro is applied to.
struct Shape {
    /// The path of the crate that has the module `tree`.
    root: Path,
    is_enum: bool,
    /// Of a struct, itself.
    variants: Vec<Variant>,
}

struct Variant {
    /// `Self`, or `Self::Name`.
    constructor: TokenStream,
    fields: Vec<Field>,
}

struct Field {
    member: Member,
    ty: Type,
    is_static: bool,
    /// The variable of the field's value.
    value: Ident,
    /// The variable of the field's part of the definition.
    def: Ident,
}

impl Shape {
    fn new(input: &DeriveInput) -> Result<Self> {
        let variants = match &input.data {
            Data::Struct(data) => vec![Variant::new(quote!(Self), &data.fields)?],
            Data::Enum(data) if data.variants.is_empty() => {
                return Err(Error::new_spanned(
                    &input.ident,
                    "an enum without variants has no values to make a tree of",
                ));
            }
            Data::Enum(data) => {
                let variant = |variant: &syn::Variant| {
                    no_attribute(&variant.attrs)?;
                    let name = &variant.ident;
                    Variant::new(quote!(Self::#name), &variant.fields)
                };
                data.variants.iter().map(variant).collect::<Result<_>>()?
            }
            Data::Union(data) => {
                return Err(Error::new_spanned(data.union_token, "a union is no tree: use a struct or an enum"));
            }
        };
        Ok(Shape { root: crate_path(&input.attrs)?, is_enum: matches!(input.data, Data::Enum(_)), variants })
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.variants.iter().flat_map(|variant| &variant.fields)
    }

    /// The type that the new type holds.
    fn def(&self) -> TokenStream {
        let root = &self.root;
        let fields = |variant: &Variant| {
            variant.nested(
                |Field { ty, is_static, .. }| {
                    if *is_static { quote!(#ty) } else { quote!(<#ty as #root::tree::Tree>::Def) }
                },
            )
        };
        if !self.is_enum {
            return fields(&self.variants[0]);
        }
        self.variants.iter().rev().fold(quote!(#root::tree::Never), |rest, variant| {
            let fields = fields(variant);
            quote!(#root::tree::Either<#fields, #rest>)
        })
    }

    /// The definition of variant `i`, as a pattern or an expression, with the variables of its fields.
    fn def_of(&self, i: usize) -> TokenStream {
        let root = &self.root;
        let fields = self.variants[i].nested(|field| {
            let def = &field.def;
            quote!(#def)
        });
        if self.is_enum { right(root, i, quote!(#root::tree::Either::Left(#fields))) } else { fields }
    }

    /// The match arm for what no variant's definition is.
    fn never(&self) -> Option<TokenStream> {
        let pattern = right(&self.root, self.variants.len(), quote!(never));
        self.is_enum.then(|| quote!(#pattern => match *never {}))
    }

    /// One match arm for each variant, with one item for each field.
    fn arms(
        &self,
        item: impl Fn(&Field) -> TokenStream,
        arm: impl Fn(usize, &Variant, Vec<TokenStream>) -> TokenStream,
    ) -> TokenStream {
        let arms = self.variants.iter().enumerate().map(|(i, variant)| {
            let items = variant.fields.iter().map(&item).collect();
            arm(i, variant, items)
        });
        arms.collect()
    }

    fn taking_apart(&self, wrapper: &Ident) -> TokenStream {
        let root = &self.root;
        let item = |Field { value, def, ty, is_static, .. }: &Field| {
            let taken = if *is_static {
                quote!(#value)
            } else {
                quote!(<#ty as #root::tree::Tree>::into_leaves(#value, leaves))
            };
            quote!(let #def = #taken;)
        };
        self.arms(item, |i, variant, items| {
            let (value, def) = (variant.value(), self.def_of(i));
            quote!(#value => { #(#items)* #wrapper(#def) })
        })
    }

    fn putting_together(&self) -> TokenStream {
        let root = &self.root;
        let item = |Field { value, def, ty, is_static, .. }: &Field| {
            let made = if *is_static {
                quote!(::core::clone::Clone::clone(#def))
            } else {
                quote!(<#ty as #root::tree::Tree>::from_leaves(#def, leaves))
            };
            quote!(let #value = #made;)
        };
        let arms = self.arms(item, |i, variant, items| {
            let (value, def) = (variant.value(), self.def_of(i));
            quote!(#def => { #(#items)* #value })
        });
        let never = self.never();
        quote!(#arms #never)
    }

    fn visit(&self) -> TokenStream {
        let root = &self.root;
        let item = |Field { value, ty, is_static, .. }: &Field| {
            if *is_static { quote!() } else { quote!(<#ty as #root::tree::Tree>::visit(#value, f);) }
        };
        self.arms(item, |_, variant, items| {
            let value = variant.value();
            quote!(#value => { #(#items)* })
        })
    }

    fn fingerprint(&self) -> TokenStream {
        let root = &self.root;
        let item = |Field { value, ty, is_static, .. }: &Field| {
            if *is_static {
                quote!(::core::hash::Hash::hash(#value, state);)
            } else {
                quote!(<#ty as #root::tree::Tree>::fingerprint(#value, state);)
            }
        };
        self.arms(item, |i, variant, items| {
            let value = variant.value();
            let index = self.is_enum.then(|| quote!(::core::hash::Hash::hash(&#i, state);));
            quote!(#value => { #index #(#items)* })
        })
    }

    fn matches(&self) -> TokenStream {
        let root = &self.root;
        let item = |Field { value, def, ty, is_static, .. }: &Field| {
            if *is_static {
                quote!(*#value == *#def)
            } else {
                quote!(<#ty as #root::tree::Tree>::matches(#value, #def))
            }
        };
        let arms = self.arms(item, |i, variant, items| {
            let (value, def) = (variant.value(), self.def_of(i));
            quote!((#value, #def) => true #(&& #items)*,)
        });
        let other_variant = self.is_enum.then(|| quote!(_ => false));
        quote!(#arms #other_variant)
    }

    fn paths(&self) -> TokenStream {
        let root = &self.root;
        let item = |Field { def, ty, is_static, member, .. }: &Field| {
            let suffix = match member {
                Member::Named(name) => format!(".{}", name.to_string().trim_start_matches("r#")),
                Member::Unnamed(index) => format!(".{}", index.index),
            };
            let paths = quote!(#root::tree::with_suffix(prefix, #suffix, |prefix| {
                <#ty as #root::tree::Tree>::paths(#def, prefix, out)
            }););
            if *is_static { quote!() } else { paths }
        };
        let arms = self.arms(item, |i, _, items| {
            let def = self.def_of(i);
            quote!(#def => { #(#items)* })
        });
        let never = self.never();
        quote!(#arms #never)
    }
}

impl Variant {
    fn new(constructor: TokenStream, fields: &Fields) -> Result<Self> {
        let field = |(i, (member, field)): (usize, (Member, &syn::Field))| {
            Ok(Field {
                member,
                ty: field.ty.clone(),
                is_static: is_static(&field.attrs)?,
                value: format_ident!("__value{i}"),
                def: format_ident!("__def{i}"),
            })
        };
        let fields = fields.members().zip(fields).enumerate().map(field).collect::<Result<_>>()?;
        Ok(Variant { constructor, fields })
    }

    /// The value, as a pattern or an expression, with the variables of its fields.
    fn value(&self) -> TokenStream {
        let constructor = &self.constructor;
        let fields = self.fields.iter().map(|Field { member, value, .. }| quote!(#member: #value));
        quote!(#constructor { #(#fields),* })
    }

    /// A nested tuple of one item for each field.
    fn nested(&self, item: impl Fn(&Field) -> TokenStream) -> TokenStream {
        self.fields.iter().rev().fold(quote!(()), |rest, field| {
            let item = item(field);
            quote!((#item, #rest))
        })
    }
}

/// The alternative after `n` others.
fn right(root: &Path, n: usize, inner: TokenStream) -> TokenStream {
    (0..n).fold(inner, |inner, _| quote!(#root::tree::Either::Right(#inner)))
}

/// That each field is a tree, or static. Stated for all fields, generic or not: what is not so is then reported once,
/// at the field, rather than wherever the generated code relies on it.
fn with_bounds(generics: &Generics, shape: &Shape) -> Generics {
    let root = &shape.root;
    let mut generics = generics.clone();
    let parameters: Vec<Ident> = generics.type_params().map(|p| p.ident.clone()).collect();
    let clause = generics.make_where_clause();
    for parameter in &parameters {
        clause.predicates.push(parse_quote!(#parameter: 'static));
    }
    for Field { ty, is_static, .. } in shape.fields() {
        let bound = if *is_static { quote!(Static) } else { quote!(Tree) };
        let bound = placed(quote!(#root::tree::#bound), ty.span());
        clause.predicates.push(parse_quote!(#ty: #bound));
    }
    generics
}

/// The same tokens at another place, where errors about them point.
fn placed(tokens: TokenStream, span: Span) -> TokenStream {
    let place = |mut token: TokenTree| {
        token.set_span(span);
        token
    };
    tokens.into_iter().map(place).collect()
}

/// The path of `#[tree(crate = "path")]`.
fn crate_path(attributes: &[Attribute]) -> Result<Path> {
    let mut root = parse_quote!(::wengert);
    for attribute in attributes.iter().filter(|a| a.path().is_ident("tree")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error(
                    "on a type only `#[tree(crate = \"path\")]` is known; `#[tree(static)]` stands on a field",
                ));
            }
            root = meta.value()?.parse::<syn::LitStr>()?.parse()?;
            Ok(())
        })?;
    }
    Ok(root)
}

/// Whether there is a `#[tree(static)]`.
fn is_static(attributes: &[Attribute]) -> Result<bool> {
    let mut found = false;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("tree")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("static") {
                return Err(meta.error("on a field only `#[tree(static)]` is known"));
            }
            found = true;
            Ok(())
        })?;
    }
    Ok(found)
}

fn no_attribute(attributes: &[Attribute]) -> Result<()> {
    match attributes.iter().find(|a| a.path().is_ident("tree")) {
        Some(attribute) => Err(Error::new_spanned(attribute, "`#[tree(static)]` stands on a field, not on a variant")),
        None => Ok(()),
    }
}
