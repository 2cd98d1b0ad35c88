//! CreateTopics (key 19): topics come to be.
//!
//! - Partitions and replication factor -1 take the broker's defaults (KIP-464), or replicas are assigned by hand.
//! - Each topic succeeds or fails on its own, with Kafka's code and text; what is named twice is INVALID_REQUEST.
//! - `validate_only` answers what would happen, and writes nothing. As in Kafka the id is then one that no topic has.
//! - A request whose turn has not come within its timeout is refused as a whole: REQUEST_TIMED_OUT; so is a timeout of 0.
//! - Answered when the topics are durable in the metadata log and the shards of this node lead their partitions, so that a
//!   produce that follows finds them.
//!
//! 2: throttle time. 4: -1 (KIP-464). 5: flexible; partitions, replication factor and configs in the answer (KIP-525).
//! 6: throttled by quota (KIP-599). 7: topic ids (KIP-516).

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::create_topics::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

use super::{Context, Operation, Resource};
use crate::clock;
use crate::config::Config;
use crate::config::describe::{self, Described};
use crate::controller::refusal::{TopicRefusal, Unwritten};
use crate::controller::{ControllerAnswer, ControllerRequest, CreatedTopic};

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let may = |name: &str| {
        cx.authorize(Operation::Create, Resource::Cluster)
            || cx.authorize(Operation::Create, Resource::Topic(name))
    };
    let (topics, refused): (Vec<_>, Vec<_>) =
        request.topics.into_iter().partition(|topic| may(&topic.name));
    let names: Vec<ByteString> = topics.iter().map(|topic| topic.name.clone()).collect();
    let expires = clock::wall() + i64::from(request.timeout_ms);
    let asked =
        ControllerRequest::CreateTopics { topics, validate_only: request.validate_only, expires };
    let mut answers = match cx.shard.controller(asked).await {
        Ok(ControllerAnswer::CreateTopics(outcomes)) => {
            let answer = |(name, outcome)| answer(cx, name, outcome);
            outcomes.into_iter().map(answer).collect()
        }
        Ok(ControllerAnswer::Unwritten(error)) => {
            let (code, timed_out) = (unwritten(&error), error == Unwritten::TimedOut);
            let text = (!timed_out).then(|| error.to_string());
            names.into_iter().map(|name| failed(name, code, text.clone())).collect()
        }
        Ok(_) => all(names, ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(_) => all(names, ErrorCode::NOT_CONTROLLER),
    };
    let text = || Some("Authorization failed.".to_owned());
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    answers.extend(refused.into_iter().map(|topic| failed(topic.name, denied, text())));
    CreateTopicsResponse { topics: answers, ..CreateTopicsResponse::default() }
}

fn answer(
    cx: &Context,
    name: ByteString,
    outcome: Result<CreatedTopic, TopicRefusal>,
) -> CreatableTopicResult {
    match outcome {
        Err(refusal) => failed(name, topic_refusal(&refusal), Some(refusal.to_string())),
        Ok(topic) if cx.authorize(Operation::DescribeConfigs, Resource::Topic(&name)) => {
            created(&cx.shard.in_force(), name, &topic)
        }
        // A client that may not see configs is told nothing of what the topic became.
        Ok(topic) => CreatableTopicResult {
            topic_id: topic.id.0,
            topic_config_error_code: ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            ..failed(name, ErrorCode::NONE, None)
        },
    }
}

fn created(config: &Config, name: ByteString, topic: &CreatedTopic) -> CreatableTopicResult {
    let configs = describe::created_topic(&config.settings, &topic.overrides);
    CreatableTopicResult {
        topic_id: topic.id.0,
        num_partitions: i32::try_from(topic.partitions).unwrap_or(i32::MAX),
        replication_factor: i16::try_from(topic.replication_factor).unwrap_or(i16::MAX),
        configs: Some(configs.into_iter().map(described).collect()),
        ..failed(name, ErrorCode::NONE, None)
    }
}

fn described(entry: Described) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: entry.name.into(),
        value: entry.value.map(Into::into),
        read_only: entry.read_only,
        config_source: entry.source as i8,
        is_sensitive: entry.sensitive,
    }
}

fn all(names: Vec<ByteString>, code: ErrorCode) -> Vec<CreatableTopicResult> {
    names.into_iter().map(|name| failed(name, code, None)).collect()
}

fn failed(name: ByteString, error_code: ErrorCode, text: Option<String>) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code,
        error_message: text.map(Into::into),
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

/// Kafka's code for a topic that was not created or deleted.
pub(super) fn topic_refusal(refusal: &TopicRefusal) -> ErrorCode {
    match refusal {
        TopicRefusal::Exists(_) => ErrorCode::TOPIC_ALREADY_EXISTS,
        TopicRefusal::Name(_) | TopicRefusal::Collides { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
        TopicRefusal::Contradiction(_) | TopicRefusal::Internal(_) => ErrorCode::INVALID_REQUEST,
        TopicRefusal::Partitions | TopicRefusal::Count(_) => ErrorCode::INVALID_PARTITIONS,
        TopicRefusal::AssignmentCount { .. } => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        TopicRefusal::ReplicationFactor(_) => ErrorCode::INVALID_REPLICATION_FACTOR,
        TopicRefusal::Assignment(_) => ErrorCode::INVALID_REPLICA_ASSIGNMENT,
        TopicRefusal::Config(_) => ErrorCode::INVALID_CONFIG,
        TopicRefusal::Policy(_) => ErrorCode::POLICY_VIOLATION,
        TopicRefusal::UnknownName => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        TopicRefusal::UnknownId => ErrorCode::UNKNOWN_TOPIC_ID,
    }
}

/// Kafka's code for a request of which the controller wrote nothing.
pub(super) fn unwritten(error: &Unwritten) -> ErrorCode {
    match error {
        // Clients ask again after a timeout, and by then there may be room.
        Unwritten::TimedOut | Unwritten::NoRoom(_) => ErrorCode::REQUEST_TIMED_OUT,
        Unwritten::Offline(_) => ErrorCode::KAFKA_STORAGE_ERROR,
        Unwritten::Fault(_) | Unwritten::ProducerIdsExhausted => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use storage::units::TopicId;
    use uuid::Uuid;

    use super::*;
    use crate::config::{Invocation, load};

    #[test]
    fn what_was_created_is_told_with_its_configs_by_name() {
        let config = load(&Invocation { file: None, overrides: Vec::new() }).unwrap().config;
        let topic = CreatedTopic {
            id: TopicId(Uuid::from_u128(5)),
            partitions: 3,
            replication_factor: 1,
            overrides: [("retention.ms".into(), "1000".into())].into_iter().collect(),
        };
        let answer = created(&config, "t".into(), &topic);
        assert_eq!((answer.num_partitions, answer.replication_factor), (3, 1));
        let configs = answer.configs.unwrap();
        assert!(configs.is_sorted_by_key(|entry| entry.name.clone()), "{configs:?}");
        let find = |name: &str| configs.iter().find(|entry| entry.name == name).unwrap();
        let of = |name: &str| (find(name).value.as_deref(), find(name).config_source);
        assert_eq!(of("retention.ms"), (Some("1000"), 1));
        assert_eq!(of("cleanup.policy"), (Some("delete"), 5));
    }

    #[test]
    fn a_failure_has_kafkas_blanks() {
        let answer = failed("t".into(), ErrorCode::TOPIC_ALREADY_EXISTS, Some("x".into()));
        assert_eq!((answer.num_partitions, answer.replication_factor), (-1, -1));
        assert_eq!(answer.configs, Some(vec![]));
        assert_eq!(answer.topic_id, Uuid::nil());
    }
}
