//! DeleteTopics (key 20): topics go, with their configs, records and files.
//!
//! - By name, from version 6 on also by id (KIP-516); both or neither is INVALID_REQUEST, and so is what is named twice.
//! - Unknown names get UNKNOWN_TOPIC_OR_PARTITION, unknown ids UNKNOWN_TOPIC_ID.
//! - Answered when the deletion is durable and no shard of this node serves the topics any more.
//! - With `delete.topic.enable=false` all are refused: TOPIC_DELETION_DISABLED, INVALID_REQUEST before version 3.
//! - The answers are in no order that a client may rely on: Kafka shuffles them.
//!
//! 1: throttle time. 4: flexible. 5: error messages (KIP-599). 6: ids.

use net::wire::ErrorCode;
use net::wire::delete_topics::{DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse};
use storage::units::TopicId;

use super::create_topics::{topic_refusal, unwritten};
use super::{Context, Operation, Resource};
use crate::clock;
use crate::controller::delete::{Deletion, NamedTopic};
use crate::controller::{ControllerAnswer, ControllerRequest};

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let timeout_ms = request.timeout_ms;
    let named = named(request);
    let (allowed, refused): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|topic| authorized(cx, topic));
    let mut response = DeleteTopicsResponse {
        responses: all(&refused, ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        ..DeleteTopicsResponse::default()
    };
    if !cx.shard.config.delete_topic_enable {
        let code = if version < 3 {
            ErrorCode::INVALID_REQUEST
        } else {
            ErrorCode::TOPIC_DELETION_DISABLED
        };
        response.responses.extend(all(&allowed, code));
        return response;
    }
    let expires = clock::wall() + i64::from(timeout_ms);
    let request = ControllerRequest::DeleteTopics { topics: allowed.clone(), expires };
    response.responses.extend(match cx.shard.controller(request).await {
        Ok(ControllerAnswer::DeleteTopics(deletions)) => {
            deletions.into_iter().map(deleted).collect()
        }
        Ok(ControllerAnswer::Unwritten(error)) => all(&allowed, unwritten(&error)),
        Ok(_) => all(&allowed, ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(_) => all(&allowed, ErrorCode::NOT_CONTROLLER),
    });
    response
}

/// Versions before 6 have names only.
fn named(request: DeleteTopicsRequest) -> Vec<NamedTopic> {
    let names = request.topic_names.into_iter();
    let names = names.map(|name| NamedTopic { name: Some(name), id: TopicId::NIL });
    let topics = request.topics.into_iter();
    names.chain(topics.map(|t| NamedTopic { name: t.name, id: TopicId(t.topic_id) })).collect()
}

fn authorized(cx: &Context, topic: &NamedTopic) -> bool {
    let image = cx.shard.image();
    let name = topic.name.as_ref().or_else(|| image.topic(topic.id).map(|topic| &topic.name));
    name.is_none_or(|name| cx.authorize(Operation::Delete, Resource::Topic(name)))
}

fn deleted(deletion: Deletion) -> DeletableTopicResult {
    let refusal = deletion.outcome.err();
    DeletableTopicResult {
        name: deletion.name,
        topic_id: deletion.id.0,
        error_code: refusal.as_ref().map_or(ErrorCode::NONE, topic_refusal),
        error_message: refusal.map(|refusal| refusal.to_string().into()),
    }
}

/// One answer for all.
fn all(topics: &[NamedTopic], error_code: ErrorCode) -> Vec<DeletableTopicResult> {
    let answer = |topic: &NamedTopic| DeletableTopicResult {
        name: topic.name.clone(),
        topic_id: topic.id.0,
        error_code,
        error_message: None,
    };
    topics.iter().map(answer).collect()
}
