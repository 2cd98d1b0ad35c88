//! CreatePartitions (key 37): topics get more partitions, never fewer.
//!
//! - Each topic succeeds or fails on its own, with Kafka's code and text; what is named twice is INVALID_REQUEST.
//! - New partitions have as many replicas as the first, where the controller places them or the request says.
//! - Answered when they are durable in the metadata log and led by this node's shards. With `validate_only` nothing is written.
//! - A request whose turn has not come within its timeout is refused as a whole: REQUEST_TIMED_OUT; so is a timeout of 0.
//!
//! 1: throttled after the answer. 2: flexible. 3: throttled by quota (KIP-599).

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopicResult,
};

use super::create_topics::{topic_refusal, unwritten};
use super::{Context, Operation, Resource};
use crate::clock;
use crate::controller::refusal::TopicRefusal;
use crate::controller::{ControllerAnswer, ControllerRequest};

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let may = |name: &str| cx.authorize(Operation::Alter, Resource::Topic(name));
    let (topics, denied): (Vec<_>, Vec<_>) =
        request.topics.into_iter().partition(|topic| may(&topic.name));
    let names: Vec<ByteString> = topics.iter().map(|topic| topic.name.clone()).collect();
    let all = |code, text: Option<String>| -> Vec<_> {
        names.iter().map(|name| result(name.clone(), code, text.clone())).collect()
    };
    let expires = clock::wall() + i64::from(request.timeout_ms);
    let validate_only = request.validate_only;
    let asked = ControllerRequest::CreatePartitions { topics, validate_only, expires };
    let mut results = match names.is_empty() {
        true => Vec::new(),
        false => match cx.shard.controller(asked).await {
            Ok(ControllerAnswer::CreatePartitions(outcomes)) => {
                outcomes.into_iter().map(outcome).collect()
            }
            Ok(ControllerAnswer::Unwritten(error)) => all(unwritten(&error), None),
            Ok(_) => all(ErrorCode::UNKNOWN_SERVER_ERROR, None),
            Err(_) => all(ErrorCode::NOT_CONTROLLER, None),
        },
    };
    let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
    results.extend(denied.into_iter().map(|topic| result(topic.name, code, None)));
    CreatePartitionsResponse { throttle_time_ms: 0, results }
}

fn outcome((name, outcome): (ByteString, Result<(), TopicRefusal>)) -> CreatePartitionsTopicResult {
    match outcome {
        Ok(()) => result(name, ErrorCode::NONE, None),
        // Kafka says no more of these.
        Err(refusal @ TopicRefusal::UnknownName) => result(name, topic_refusal(&refusal), None),
        Err(refusal) => result(name, topic_refusal(&refusal), Some(refusal.to_string())),
    }
}

fn result(
    name: ByteString,
    error_code: ErrorCode,
    text: Option<String>,
) -> CreatePartitionsTopicResult {
    CreatePartitionsTopicResult { name, error_code, error_message: text.map(Into::into) }
}
