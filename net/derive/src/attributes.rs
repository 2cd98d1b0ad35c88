//! What a struct and its fields say about themselves in `#[wire(..)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    Attribute, Data, DeriveInput, Expr, Fields, Ident, LitInt, LitStr, Type, meta::ParseNestedMeta,
    spanned::Spanned,
};

use crate::versions::Versions;

/// A struct.
pub(crate) struct Message {
    pub(crate) name: Ident,
    pub(crate) versions: Option<Versions>,
    pub(crate) flexible: Option<Versions>,
    pub(crate) request: Option<RequestFacts>,
    pub(crate) fields: Vec<Field>,
}

/// What only a request has.
pub(crate) struct RequestFacts {
    pub(crate) key: i16,
    pub(crate) response: Type,
}

/// A field of a struct.
pub(crate) struct Field {
    pub(crate) name: Ident,
    pub(crate) ty: Type,
    pub(crate) versions: Versions,
    /// `None` for a field that is not an `Option`.
    pub(crate) nullable: Option<Versions>,
    pub(crate) tag: Option<u32>,
    pub(crate) ignorable: bool,
    /// An expression.
    pub(crate) default: TokenStream,
}

impl Message {
    pub(crate) fn parse(input: &DeriveInput) -> syn::Result<Message> {
        let Data::Struct(data) = &input.data else {
            return Err(syn::Error::new(input.span(), "Wire is derived for structs"));
        };
        let Fields::Named(fields) = &data.fields else {
            return Err(syn::Error::new(data.fields.span(), "the fields of a message have names"));
        };
        if !input.generics.params.is_empty() {
            return Err(syn::Error::new(input.generics.span(), "a message has no parameters"));
        }
        let (mut versions, mut flexible, mut key, mut response) = (None, None, None, None);
        each_attribute(&input.attrs, |meta| {
            match word(meta)?.as_str() {
                "versions" => versions = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?),
                "flexible" => flexible = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?),
                "key" => key = Some(meta.value()?.parse::<LitInt>()?.base10_parse::<i16>()?),
                "response" => response = Some(meta.value()?.parse::<Type>()?),
                _ => return Err(meta.error("expected versions, flexible, key or response")),
            }
            Ok(())
        })?;
        let request = match (key, response) {
            (Some(key), Some(response)) if versions.is_some() && flexible.is_some() => {
                Some(RequestFacts { key, response })
            }
            (None, None) => None,
            _ => {
                return Err(syn::Error::new(
                    input.span(),
                    "a request has key, versions, flexible and response",
                ));
            }
        };
        let fields = fields.named.iter().map(Field::parse).collect::<syn::Result<Vec<Field>>>()?;
        check_tags(&fields)?;
        Ok(Message { name: input.ident.clone(), versions, flexible, request, fields })
    }

    /// The versions with which the derived code can be reached.
    pub(crate) fn reach(&self) -> Versions {
        self.versions.unwrap_or(Versions::ALL)
    }

    /// Its tagged fields, by ascending tag: the order on the wire.
    pub(crate) fn tagged(&self) -> Vec<(u32, &Field)> {
        let mut tagged: Vec<_> =
            self.fields.iter().filter_map(|field| Some((field.tag?, field))).collect();
        tagged.sort_by_key(|(tag, _)| *tag);
        tagged
    }
}

impl Field {
    fn parse(field: &syn::Field) -> syn::Result<Field> {
        let name = field
            .ident
            .clone()
            .ok_or_else(|| syn::Error::new(field.span(), "a field has a name"))?;
        let is_option = is_option(&field.ty);
        let (mut versions, mut nullable, mut tag, mut ignorable, mut default) =
            (Versions::ALL, None, None, false, None);
        each_attribute(&field.attrs, |meta| {
            match word(meta)?.as_str() {
                "versions" => versions = Versions::parse(&meta.value()?.parse::<LitStr>()?)?,
                "nullable" if is_option => {
                    nullable = Some(Versions::parse(&meta.value()?.parse::<LitStr>()?)?)
                }
                "nullable" => return Err(meta.error("what may be null is an Option")),
                "tag" => tag = Some(meta.value()?.parse::<LitInt>()?.base10_parse::<u32>()?),
                "ignorable" => ignorable = true,
                "default" => default = Some(meta.value()?.parse::<Expr>()?),
                _ => {
                    return Err(
                        meta.error("expected versions, nullable, tag, ignorable or default")
                    );
                }
            }
            Ok(())
        })?;
        let ty = field.ty.clone();
        let default = match default {
            Some(default) => quote!(#default),
            None => quote!(<#ty as ::core::default::Default>::default()),
        };
        let nullable = is_option.then_some(nullable.unwrap_or(Versions::ALL));
        Ok(Field { name, ty, versions, nullable, tag, ignorable, default })
    }
}

fn check_tags(fields: &[Field]) -> syn::Result<()> {
    for (index, field) in fields.iter().enumerate() {
        if field.tag.is_some() && fields[..index].iter().any(|earlier| earlier.tag == field.tag) {
            return Err(syn::Error::new(field.name.span(), "this tag is taken"));
        }
    }
    Ok(())
}

fn each_attribute(
    attributes: &[Attribute],
    mut take: impl FnMut(&ParseNestedMeta<'_>) -> syn::Result<()>,
) -> syn::Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("wire"))
        .try_for_each(|attribute| attribute.parse_nested_meta(|meta| take(&meta)))
}

fn word(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    Ok(meta.path.require_ident()?.to_string())
}

/// By its name: a derive sees no types.
fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|segment| segment.ident == "Option"))
}
