//! ConsumerGroupHeartbeat (key 68): a member of a consumer group joins, reports what it owns, learns what it is to own, and leaves (KIP-848).
//!
//! - Member epoch 0 joins and says everything; -1 leaves; -2 is a static member that will be back.
//! - UNSUPPORTED_VERSION unless `group.version` is finalised at 1 and `group.coordinator.rebalance.protocols` names the protocol.
//! - A topic name that nobody may describe refuses all: TOPIC_AUTHORIZATION_FAILED.
//!
//! 1: the client makes its member id up (KIP-1082); regular expressions.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::consumer_group_heartbeat::{
    Assignment, ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, TopicPartitions,
};
use uuid::Uuid;

use super::coordination::{self, code};
use super::{Context, Operation, Resource};
use crate::group::consumer::assign::Assignor;
use crate::group::message::{GroupAnswer, GroupRequest, Report, Reported};
use crate::group::records::owned;

/// The first version whose members bring their id.
const MEMBER_ID_REQUIRED: i16 = 1;

pub(crate) fn call(cx: Context, version: i16, request: ConsumerGroupHeartbeatRequest) -> Outcome {
    if let Err((error_code, message)) = check(&cx, version, &request) {
        let response = refused(error_code, message);
        return super::answer::<ConsumerGroupHeartbeatRequest>(&cx, version, &response);
    }
    let group = request.group_id.clone();
    let report = GroupRequest::Report(Box::new(report(&cx, request)));
    let asked = coordination::ask(&cx, &group, report);
    super::then::<ConsumerGroupHeartbeatRequest>(cx, version, async move |_: &Context| match asked
        .await
    {
        GroupAnswer::Report(Ok(reported)) => told(reported),
        GroupAnswer::Report(Err(why)) => refused(code(why.refusal), why.message),
        _ => refused(ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
    })
}

fn check(
    cx: &Context,
    version: i16,
    request: &ConsumerGroupHeartbeatRequest,
) -> Result<(), (ErrorCode, String)> {
    if !coordination::serves_consumer_groups(cx) {
        return Err((ErrorCode::UNSUPPORTED_VERSION, String::new()));
    }
    if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        return Err((ErrorCode::GROUP_AUTHORIZATION_FAILED, String::new()));
    }
    let mut names = request.subscribed_topic_names.iter().flatten();
    if !names.all(|name| cx.authorize(Operation::Describe, Resource::Topic(name))) {
        return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, String::new()));
    }
    is_complete(version, request).map_err(|text| (ErrorCode::INVALID_REQUEST, text.to_owned()))?;
    let assignors = &cx.shard.config.groups.consumer.assignors;
    let served = |name: &ByteString| assignors.iter().any(|assignor| *name == assignor.name());
    match &request.server_assignor {
        Some(name) if !served(name) => {
            let names: Vec<_> =
                assignors.iter().map(|assignor| Assignor::name(*assignor)).collect();
            let names = names.join(", ");
            let text =
                format!("ServerAssignor {name} is not supported. Supported assignors: {names}.");
            Err((ErrorCode::UNSUPPORTED_ASSIGNOR, text))
        }
        _ => Ok(()),
    }
}

/// Whether the request says what it must, in Kafka's order and words.
fn is_complete(version: i16, request: &ConsumerGroupHeartbeatRequest) -> Result<(), &'static str> {
    let epoch = request.member_epoch;
    let needs_id = version >= MEMBER_ID_REQUIRED || epoch > 0 || epoch == -1;
    let blank = |text: &ByteString| text.trim().is_empty();
    let said = |text: &Option<ByteString>| text.as_ref().is_none_or(|text| !blank(text));
    if needs_id && blank(&request.member_id) {
        return Err("MemberId can't be empty.");
    }
    if blank(&request.group_id) {
        return Err("GroupId can't be empty.");
    }
    if !said(&request.instance_id) {
        return Err("InstanceId can't be empty.");
    }
    if !said(&request.rack_id) {
        return Err("RackId can't be empty.");
    }
    match epoch {
        0 if request.rebalance_timeout_ms == -1 => {
            Err("RebalanceTimeoutMs must be provided in first request.")
        }
        0 if request.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) => {
            Err("TopicPartitions must be empty when (re-)joining.")
        }
        0 if request.subscribed_topic_names.is_none()
            && request.subscribed_topic_regex.is_none() =>
        {
            Err(
                "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.",
            )
        }
        -2 if request.instance_id.is_none() => Err("InstanceId can't be null."),
        ..-2 => Err("MemberEpoch is invalid."),
        _ => Ok(()),
    }
}

/// What the coordinator is told: copies, since the group keeps them.
fn report(cx: &Context, request: ConsumerGroupHeartbeatRequest) -> Report {
    let owns = |owned: Vec<TopicPartitions>| {
        owned.into_iter().map(|topic| (topic.topic_id, topic.partitions)).collect()
    };
    let names = |names: Vec<ByteString>| names.iter().map(owned).collect();
    Report {
        group: owned(&request.group_id),
        member_id: owned(&request.member_id),
        new_member_id: Uuid::from_u128(rand::random()).to_string().into(),
        member_epoch: request.member_epoch,
        instance: request.instance_id.as_ref().map(owned),
        rack: request.rack_id.as_ref().map(owned),
        client_id: owned(&cx.client_id),
        client_host: coordination::host_of(&cx.peer.remote),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        names: request.subscribed_topic_names.map(names),
        regex: request.subscribed_topic_regex.as_ref().map(owned),
        assignor: request.server_assignor.as_ref().map(owned),
        owns: request.topic_partitions.map(owns),
    }
}

fn told(reported: Reported) -> ConsumerGroupHeartbeatResponse {
    let topic = |(topic_id, partitions)| TopicPartitions { topic_id, partitions };
    let assignment = |topics: Vec<(Uuid, Vec<i32>)>| Assignment {
        topic_partitions: topics.into_iter().map(topic).collect(),
    };
    ConsumerGroupHeartbeatResponse {
        member_id: Some(reported.member_id),
        member_epoch: reported.member_epoch,
        heartbeat_interval_ms: reported.heartbeat_ms,
        assignment: reported.assignment.map(assignment),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}

fn refused(error_code: ErrorCode, message: String) -> ConsumerGroupHeartbeatResponse {
    ConsumerGroupHeartbeatResponse {
        error_code,
        error_message: (!message.is_empty()).then(|| message.into()),
        ..ConsumerGroupHeartbeatResponse::default()
    }
}
