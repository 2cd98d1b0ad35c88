//! `#[derive(Wire)]`: a plain struct becomes one of Kafka's versioned messages.
//!
//! The struct's fields stand in the order of Kafka's schema and carry its facts:
//!
//! ```ignore
//! #[derive(Clone, Debug, PartialEq, Wire)]
//! #[wire(key = 3, versions = "0-13", flexible = "9+", response = MetadataResponse)]
//! pub struct MetadataRequest {
//!     #[wire(nullable = "1+")]
//!     pub topics: Option<Vec<MetadataRequestTopic>>,
//!     #[wire(versions = "4+", default = true)]
//!     pub allow_auto_topic_creation: bool,
//!     ..
//! }
//! ```
//!
//! On the struct, all optional:
//! - `versions = "0-13"`: those that exist; any other is an error of decoding and of encoding. A struct that stands inside
//!   another leaves it out.
//! - `flexible = "9+"` (or `"none"`): versions with compact lengths and tagged fields. A struct without it is as flexible as
//!   the one around it.
//! - `key = 3, response = MetadataResponse`: it is a request, and implements `net::wire::Request`.
//!
//! On a field, all optional:
//! - `versions = "4+"`: those that have it; elsewhere it decodes to its default, and encoding another value is an error, since
//!   the receiver would act on something else than was said;
//! - `ignorable`: unless it may be dropped;
//! - `nullable = "1+"`: versions in which `None` may be written and read, for a field that is an `Option` (all versions
//!   when left out);
//! - `tag = 0`: a tagged field, written unless it equals its default;
//! - `default = -1`: Kafka's default where it is not the type's.
//!
//! Versions are written as in Kafka's schemas: `"3+"`, `"0-12"`, `"5"`, `"none"`.
//!
//! Derived: `Wire`, `Nullable` (it may stand in an `Option`) and `Default` (of Kafka's defaults), by paths that begin with
//! `::net`, so that it works in every crate that depends on `net`.
//!
//! Read in this order: `attributes` (what was said), `versions`, `expand` (what becomes of it).
//!
//! # Not obvious
//! - Unknown tagged fields are skipped, not kept.
//! - A field with a tag, and one that is not in every version and not ignorable, is compared with its default: its type
//!   must be `PartialEq`.

mod attributes;
mod expand;
mod versions;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// See the crate's page.
#[proc_macro_derive(Wire, attributes(wire))]
pub fn wire(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    attributes::Message::parse(&input)
        .map(|message| expand::expand(&message))
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
