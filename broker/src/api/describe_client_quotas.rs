//! DescribeClientQuotas (key 48): the quotas of users, client ids and addresses that a filter matches (KIP-546).
//!
//! - A part of the filter is a name, the default, or any of its kind; all parts must match. A strict filter matches only entities
//!   without other parts.
//!
//! 1: flexible.

use std::collections::BTreeMap;

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::describe_client_quotas::{
    ComponentData, DescribeClientQuotasRequest, DescribeClientQuotasResponse, EntityData,
    EntryData, ValueData,
};

use super::{Context, Operation, Resource};
use crate::metadata::image::{Image, QuotaEntity};
use crate::quota::{CLIENT_ID, IP, USER};

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DescribeClientQuotasRequest,
) -> DescribeClientQuotasResponse {
    if !cx.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        let text = "Cluster authorization failed.".to_owned();
        return failed(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, text);
    }
    match filter(&request.components) {
        Ok(filter) => described(&cx.shard.image(), &filter, request.strict),
        Err((code, text)) => failed(code, text),
    }
}

/// What an entity's part must be, by its kind.
type Filter = BTreeMap<ByteString, Part>;

enum Part {
    Is(Option<ByteString>),
    Any,
}

fn filter(components: &[ComponentData]) -> Result<Filter, (ErrorCode, String)> {
    let invalid = |text: String| Err((ErrorCode::INVALID_REQUEST, text));
    let mut filter = Filter::new();
    for component in components {
        let kind = &component.entity_type;
        if kind.is_empty() {
            return invalid("Invalid empty entity type.".into());
        }
        if filter.contains_key(kind) {
            return invalid(format!(
                "Entity type {kind} cannot appear more than once in the filter."
            ));
        }
        if ![USER, CLIENT_ID, IP].contains(&&**kind) {
            let text = format!("Unsupported entity type {kind}");
            return Err((ErrorCode::UNSUPPORTED_VERSION, text));
        }
        let part = match (component.match_type, &component.r#match) {
            (EXACT, Some(name)) => Part::Is(Some(name.clone())),
            (EXACT, None) => {
                return invalid(
                    "Request specified MATCH_TYPE_EXACT, but set match string to null.".into(),
                );
            }
            (DEFAULT, None) => Part::Is(None),
            (ANY, None) => Part::Any,
            (DEFAULT, Some(_)) => {
                return invalid(
                    "Request specified MATCH_TYPE_DEFAULT, but also specified a match string."
                        .into(),
                );
            }
            (ANY, Some(_)) => {
                return invalid(
                    "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."
                        .into(),
                );
            }
            (other, _) => return invalid(format!("Unknown match type {other}")),
        };
        filter.insert(kind.clone(), part);
    }
    if filter.contains_key(IP) && (filter.contains_key(USER) || filter.contains_key(CLIENT_ID)) {
        return invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.".into(),
        );
    }
    Ok(filter)
}

fn described(image: &Image, filter: &Filter, strict: bool) -> DescribeClientQuotasResponse {
    let matches = |entity: &QuotaEntity| {
        let part = |(kind, part): (&ByteString, &Part)| match (entity.get(kind), part) {
            (Some(_), Part::Any) => true,
            (Some(name), Part::Is(wanted)) => name == wanted,
            (None, _) => false,
        };
        (!strict || entity.len() == filter.len()) && filter.iter().all(part)
    };
    let found = image.quotas().filter(|(entity, _)| matches(entity));
    let entry = |(entity, values): (&QuotaEntity, &std::sync::Arc<BTreeMap<ByteString, f64>>)| {
        let part = |(kind, name): (&ByteString, &Option<ByteString>)| EntityData {
            entity_type: kind.clone(),
            entity_name: name.clone(),
        };
        let value =
            |(key, value): (&ByteString, &f64)| ValueData { key: key.clone(), value: *value };
        EntryData {
            entity: entity.iter().map(part).collect(),
            values: values.iter().map(value).collect(),
        }
    };
    let entries = Some(found.map(entry).collect());
    let error_message = Some(ByteString::new());
    DescribeClientQuotasResponse { error_message, entries, ..Default::default() }
}

fn failed(error_code: ErrorCode, text: String) -> DescribeClientQuotasResponse {
    DescribeClientQuotasResponse {
        error_code,
        error_message: Some(text.into()),
        ..DescribeClientQuotasResponse::default()
    }
}
