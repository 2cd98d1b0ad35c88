//! AlterClientQuotas (key 49): quotas of users, client ids and their defaults are set and removed (KIP-546), and enforced from then on.
//!
//! - An entity changes as a whole or not at all; entities of a request do not depend on each other.
//! - `validate_only` answers what would happen, and writes nothing.
//!
//! 1: flexible.

use net::wire::ErrorCode;
use net::wire::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntityData, EntryData, EntryResult,
};

use super::create_topics::unwritten;
use super::{Context, Operation, Resource};
use crate::controller::quotas::QuotaChange;
use crate::controller::{ControllerAnswer, ControllerRequest};
use crate::metadata::image::QuotaEntity;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let changes: Vec<QuotaChange> = request.entries.into_iter().map(change).collect();
    let all = |code: ErrorCode, text: Option<String>| {
        let entities = changes.iter().map(|change| &change.entity);
        answer(entities.map(|entity| (entity.clone(), code, text.clone())))
    };
    if !cx.authorize(Operation::AlterConfigs, Resource::Cluster) {
        return all(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, None);
    }
    if changes.is_empty() {
        return AlterClientQuotasResponse::default();
    }
    let validate_only = request.validate_only;
    let asked = ControllerRequest::AlterQuotas { changes: changes.clone(), validate_only };
    match cx.shard.controller(asked).await {
        Ok(ControllerAnswer::AlterQuotas(outcomes)) => {
            answer(outcomes.into_iter().map(|(entity, outcome)| match outcome {
                Ok(()) => (entity, ErrorCode::NONE, None),
                Err(refusal) => (entity, ErrorCode::INVALID_REQUEST, Some(refusal.0)),
            }))
        }
        Ok(ControllerAnswer::Unwritten(error)) => all(unwritten(&error), Some(error.to_string())),
        Ok(_) => all(ErrorCode::UNKNOWN_SERVER_ERROR, None),
        Err(_) => all(ErrorCode::NOT_CONTROLLER, None),
    }
}

fn change(entry: EntryData) -> QuotaChange {
    QuotaChange {
        entity: entry.entity.into_iter().map(|part| (part.entity_type, part.entity_name)).collect(),
        values: entry
            .ops
            .into_iter()
            .map(|op| (op.key, (!op.remove).then_some(op.value)))
            .collect(),
    }
}

fn answer(
    entities: impl Iterator<Item = (QuotaEntity, ErrorCode, Option<String>)>,
) -> AlterClientQuotasResponse {
    let entry = |(entity, error_code, text): (QuotaEntity, ErrorCode, Option<String>)| {
        let part = |(entity_type, entity_name)| EntityData { entity_type, entity_name };
        EntryResult {
            error_code,
            error_message: text.map(Into::into),
            entity: entity.into_iter().map(part).collect(),
        }
    };
    AlterClientQuotasResponse { throttle_time_ms: 0, entries: entities.map(entry).collect() }
}
