//! ShareGroupHeartbeat (key 76): a member of a share group joins, reports, learns what it is to read, and leaves (KIP-932).
//!
//! - Member epoch 0 joins and says everything; -1 leaves.
//! - UNSUPPORTED_VERSION unless `share.version` is finalised at 1.
//! - A topic name that nobody may describe refuses all: TOPIC_AUTHORIZATION_FAILED.
//! - Partitions that nobody has read yet are assigned once the share coordinator keeps their state; that begins beside the answer.
//!
//! 1: stable. 0 was the early access of Kafka 4.0.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::share_group_heartbeat::{
    Assignment, ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse, TopicPartitions,
};

use super::coordination::{self, code};
use super::{Context, Operation, Resource, share_groups};
use crate::group::records::owned;
use crate::group::share::message::{
    ByTopic, ShareAnswer, ShareReport, ShareReported, ShareRequest,
};

/// Characters of a member id, UTF-16 units as Java counts.
const MEMBER_ID_MAX: usize = 36;

pub(crate) fn call(cx: Context, version: i16, request: ShareGroupHeartbeatRequest) -> Outcome {
    if let Err((error_code, message)) = check(&cx, &request) {
        let response = refused(error_code, message.to_owned());
        return super::answer::<ShareGroupHeartbeatRequest>(&cx, version, &response);
    }
    let group = owned(&request.group_id);
    let asked = share_groups::ask(&cx, &group, ShareRequest::Report(report(&cx, request)));
    super::then::<ShareGroupHeartbeatRequest>(cx, version, async move |cx: &Context| {
        match asked.await {
            Some(ShareAnswer::Report(Ok(mut reported))) => {
                if let Some(begin) = reported.begin.take() {
                    share_groups::begin(&cx.shard, group, begin);
                }
                told(reported)
            }
            Some(ShareAnswer::Report(Err(why))) => refused(code(why.refusal), why.message),
            _ => refused(ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
        }
    })
}

fn check(
    cx: &Context,
    request: &ShareGroupHeartbeatRequest,
) -> Result<(), (ErrorCode, &'static str)> {
    if !share_groups::served(cx) {
        return Err((ErrorCode::UNSUPPORTED_VERSION, ""));
    }
    if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        return Err((ErrorCode::GROUP_AUTHORIZATION_FAILED, ""));
    }
    let member = &request.member_id;
    if member.is_empty() || member.encode_utf16().count() > MEMBER_ID_MAX {
        return Err((ErrorCode::INVALID_REQUEST, ""));
    }
    let mut names = request.subscribed_topic_names.iter().flatten();
    if !names.all(|name| cx.authorize(Operation::Describe, Resource::Topic(name))) {
        return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, ""));
    }
    is_complete(request).map_err(|text| (ErrorCode::INVALID_REQUEST, text))
}

/// Whether the request says what it must, in Kafka's order and words.
fn is_complete(request: &ShareGroupHeartbeatRequest) -> Result<(), &'static str> {
    let blank = |text: &ByteString| text.trim().is_empty();
    if blank(&request.member_id) {
        return Err("MemberId can't be empty.");
    }
    if blank(&request.group_id) {
        return Err("GroupId can't be empty.");
    }
    if request.rack_id.as_ref().is_some_and(blank) {
        return Err("RackId can't be empty.");
    }
    match request.member_epoch {
        0 if request.subscribed_topic_names.as_ref().is_none_or(Vec::is_empty) => {
            Err("SubscribedTopicNames must be set in first request.")
        }
        ..=-2 => Err("MemberEpoch is invalid."),
        _ => Ok(()),
    }
}

/// What the coordinator is told: copies, since the group keeps them.
fn report(cx: &Context, request: ShareGroupHeartbeatRequest) -> ShareReport {
    let names = |names: Vec<ByteString>| names.iter().map(owned).collect();
    ShareReport {
        group: owned(&request.group_id),
        member_id: owned(&request.member_id),
        member_epoch: request.member_epoch,
        rack: request.rack_id.as_ref().map(owned),
        client_id: owned(&cx.client_id),
        client_host: coordination::host_of(&cx.peer.remote),
        names: request.subscribed_topic_names.map(names),
    }
}

fn told(reported: ShareReported) -> ShareGroupHeartbeatResponse {
    let topic = |(topic_id, partitions)| TopicPartitions { topic_id, partitions };
    let assignment =
        |topics: ByTopic| Assignment { topic_partitions: topics.into_iter().map(topic).collect() };
    ShareGroupHeartbeatResponse {
        member_id: Some(reported.member_id),
        member_epoch: reported.member_epoch,
        heartbeat_interval_ms: reported.heartbeat_ms,
        assignment: reported.assignment.map(assignment),
        ..ShareGroupHeartbeatResponse::default()
    }
}

fn refused(error_code: ErrorCode, message: String) -> ShareGroupHeartbeatResponse {
    ShareGroupHeartbeatResponse {
        error_code,
        error_message: (!message.is_empty()).then(|| message.into()),
        ..ShareGroupHeartbeatResponse::default()
    }
}
