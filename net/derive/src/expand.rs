//! The code that a message becomes. `version`, `d` (the decoder) and `e` (the encoder) are its variables.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Ident, ext::IdentExt};

use crate::{
    attributes::{Field, Message},
    versions::Versions,
};

pub(crate) fn expand(message: &Message) -> TokenStream {
    let name = &message.name;
    let decode = decode(message);
    let encode = encode(message);
    let default = default(message);
    let request = request(message);
    let throttle = throttle(message);
    quote! {
        #[automatically_derived]
        impl ::net::wire::Wire for #name {
            fn decode(
                d: &mut ::net::wire::Decoder,
                version: i16,
            ) -> ::core::result::Result<Self, ::net::wire::DecodeError> {
                #decode
            }

            fn encode(
                &self,
                e: &mut ::net::wire::Encoder,
                version: i16,
            ) -> ::core::result::Result<(), ::net::wire::EncodeError> {
                #encode
            }

            #throttle
        }

        #[automatically_derived]
        impl ::net::wire::Nullable for #name {}

        #default
        #request
    }
}

/// An answer that has the field says how long its client is throttled.
fn throttle(message: &Message) -> Option<TokenStream> {
    let has = message.fields.iter().any(|field| field.name == "throttle_time_ms");
    has.then(|| {
        quote! {
            fn set_throttle_time_ms(&mut self, throttle_time_ms: i32) {
                self.throttle_time_ms = throttle_time_ms;
            }
        }
    })
}

fn decode(message: &Message) -> TokenStream {
    let reach = message.reach();
    let check = message.versions.map(|_| {
        let test = out_of_reach(reach);
        let name = message.name.to_string();
        quote!(if #test { return Err(::net::wire::DecodeError::Version { message: #name, version }); })
    });
    let (enter, leave) = around_flexible(message, &quote!(d));
    let fields = message.fields.iter().map(|field| decode_field(field, reach));
    let tagged = decode_tagged(message);
    let names = message.fields.iter().map(|field| &field.name);
    let locals = message.fields.iter().map(local);
    quote! {
        #check
        #enter
        #(#fields)*
        #tagged
        #leave
        Ok(Self { #(#names: #locals),* })
    }
}

/// A variable for the field: read, or its default where this version has it not or has it tagged.
fn decode_field(field: &Field, reach: Versions) -> TokenStream {
    let Field { ty, default, .. } = field;
    let local = local(field);
    if field.tag.is_some() {
        return quote!(let mut #local: #ty = #default;);
    }
    let read = decode_value(field, reach);
    match field.versions.test(reach) {
        None => quote!(let #local: #ty = #read;),
        Some(test) => quote!(let #local: #ty = if #test { #read } else { #default };),
    }
}

/// Not the field's own name: a field may be called `version`.
fn local(field: &Field) -> Ident {
    format_ident!("field_{}", field.name.unraw())
}

fn decode_value(field: &Field, reach: Versions) -> TokenStream {
    let Field { ty, .. } = field;
    let read = quote!(<#ty as ::net::wire::Wire>::decode(d, version)?);
    match null_test(field, reach) {
        None => read,
        Some(may_be_null) => {
            let label = field.name.to_string();
            quote!({
                let value = #read;
                if value.is_none() && !#may_be_null {
                    return Err(::net::wire::DecodeError::Null { field: #label });
                }
                value
            })
        }
    }
}

fn decode_tagged(message: &Message) -> TokenStream {
    if is_never_flexible(message) {
        return TokenStream::new();
    }
    let tagged = message.tagged();
    if tagged.is_empty() {
        return quote!(if d.is_flexible() {
            d.skip_tagged_fields()?;
        });
    }
    let arms = tagged.iter().map(|(tag, field)| {
        let local = local(field);
        let guard = field.versions.test(message.reach()).map(|test| quote!(if #test));
        let read = decode_value(field, message.reach());
        quote!(#tag #guard => #local = #read,)
    });
    quote! {
        if d.is_flexible() {
            for _ in 0..d.unsigned_varint()? {
                let tag = d.tag()?;
                match tag.number {
                    #(#arms)*
                    _ => d.skip(&tag)?,
                }
                d.end(&tag)?;
            }
        }
    }
}

fn encode(message: &Message) -> TokenStream {
    let reach = message.reach();
    let check = message.versions.map(|_| {
        let test = out_of_reach(reach);
        let name = message.name.to_string();
        quote!(if #test { return Err(::net::wire::EncodeError::Version { message: #name, version }); })
    });
    let (enter, leave) = around_flexible(message, &quote!(e));
    let fields = message
        .fields
        .iter()
        .filter(|field| field.tag.is_none())
        .map(|field| encode_field(field, reach));
    let tagged = encode_tagged(message);
    quote! {
        #check
        #enter
        #(#fields)*
        #tagged
        #leave
        Ok(())
    }
}

fn encode_field(field: &Field, reach: Versions) -> TokenStream {
    let Field { name, ty, .. } = field;
    let null = refuse_null(field, reach);
    let write = quote!(#null <#ty as ::net::wire::Wire>::encode(&self.#name, e, version)?;);
    match field.versions.test(reach) {
        None => write,
        Some(test) if field.ignorable => quote!(if #test { #write }),
        Some(test) => {
            let refuse = refuse_value(field);
            quote!(if #test { #write } else { #refuse })
        }
    }
}

/// The section of tagged fields: how many, then each as tag, size, bytes.
fn encode_tagged(message: &Message) -> TokenStream {
    let reach = message.reach();
    let tagged = message.tagged();
    let refusals = tagged.iter().filter(|(_, field)| !field.ignorable).filter_map(|(_, field)| {
        let test = field.versions.test(reach)?;
        let refuse = refuse_value(field);
        Some(quote!(if !#test { #refuse }))
    });
    let writes = tagged.iter().map(|(tag, field)| {
        let (name, null) = (&field.name, refuse_null(field, reach));
        let written = is_written(field, reach);
        quote!(if #written { #null e.tagged(#tag, &self.#name, version)?; })
    });
    let counts = tagged.iter().map(|(_, field)| {
        let written = is_written(field, reach);
        quote!(+ u32::from(#written))
    });
    let section = quote!(if e.is_flexible() {
        e.unsigned_varint(0 #(#counts)*);
        #(#writes)*
    });
    let section = if is_never_flexible(message) { TokenStream::new() } else { section };
    quote!(#(#refusals)* #section)
}

fn is_written(field: &Field, reach: Versions) -> TokenStream {
    let Field { name, default, .. } = field;
    match field.versions.test(reach) {
        None => quote!((self.#name != #default)),
        Some(test) => quote!((#test && self.#name != #default)),
    }
}

/// An error where the version has no such field and it says something.
fn refuse_value(field: &Field) -> TokenStream {
    let Field { name, default, .. } = field;
    let label = name.to_string();
    quote!(if self.#name != #default {
        return Err(::net::wire::EncodeError::Unsupported { field: #label, version });
    })
}

fn refuse_null(field: &Field, reach: Versions) -> Option<TokenStream> {
    let Field { name, .. } = field;
    let label = name.to_string();
    let may_be_null = null_test(field, reach)?;
    Some(quote!(if self.#name.is_none() && !#may_be_null {
        return Err(::net::wire::EncodeError::Null { field: #label, version });
    }))
}

/// `None` when null needs no check: the field is no `Option`, or may be null wherever it exists.
fn null_test(field: &Field, reach: Versions) -> Option<TokenStream> {
    let first = field.versions.first.max(reach.first);
    let last = field.versions.last.min(reach.last);
    field.nullable?.test(Versions { first, last })
}

/// Sets whether versions are flexible for this struct and what it holds, and sets it back.
fn around_flexible(message: &Message, coder: &TokenStream) -> (TokenStream, TokenStream) {
    let Some(flexible) = message.flexible else {
        return (TokenStream::new(), TokenStream::new());
    };
    let test = flexible.test(message.reach()).unwrap_or_else(|| quote!(true));
    (quote!(let outer = #coder.set_flexible(#test);), quote!(#coder.set_flexible(outer);))
}

fn is_never_flexible(message: &Message) -> bool {
    message.flexible.is_some_and(|flexible| flexible.first > flexible.last)
}

fn out_of_reach(reach: Versions) -> TokenStream {
    let Versions { first, last } = reach;
    quote!(!(#first..=#last).contains(&version))
}

fn default(message: &Message) -> TokenStream {
    let name = &message.name;
    let fields = message.fields.iter().map(|Field { name, default, .. }| quote!(#name: #default));
    quote! {
        #[automatically_derived]
        impl ::core::default::Default for #name {
            fn default() -> Self {
                Self { #(#fields),* }
            }
        }
    }
}

fn request(message: &Message) -> Option<TokenStream> {
    let facts = message.request.as_ref()?;
    let name = &message.name;
    let (key, response) = (facts.key, &facts.response);
    let Versions { first, last } = message.reach();
    let flexible = message.flexible?.first;
    Some(quote! {
        #[automatically_derived]
        impl ::net::wire::Request for #name {
            const KEY: i16 = #key;
            const VERSIONS: ::core::ops::RangeInclusive<i16> = #first..=#last;
            const FLEXIBLE: i16 = #flexible;
            type Response = #response;
        }
    })
}
