//! DeleteShareGroupOffsets (key 92): a share group without members forgets topics (KIP-932).
//!
//! - A group that is not there, or is none for shares: GROUP_ID_NOT_FOUND. One that has members: NON_EMPTY_GROUP.
//! - A topic that is not there, or of which the group has nothing: UNKNOWN_TOPIC_OR_PARTITION, beside those that are forgotten. A group
//!   that has never had anything says nothing of its topics.
//! - Topics whose deletion has not come to an end are deleted again.

use std::collections::HashSet;

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::delete_share_group_offsets::{
    DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsResponse,
    DeleteShareGroupOffsetsResponseTopic,
};
use uuid::Uuid;

use super::coordination::{self, code};
use super::{Context, Operation, Resource, share_groups, share_state, text};
use crate::group::records::owned;
use crate::group::share::message::{ShareAnswer, ShareRequest, ToForget};

const NOTHING: &str = "There is no offset information to delete.";

pub(crate) async fn handle(
    cx: &Context,
    _: i16,
    request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    let group = owned(&request.group_id);
    if let Err(code) = coordination::check(cx, share_groups::served(cx), Operation::Delete, &group)
    {
        return failed(code, text::of(code).to_owned());
    }
    let names = request.topics.iter().map(|topic| owned(&topic.topic_name));
    let (topics, hidden): (Vec<ByteString>, Vec<ByteString>) =
        names.partition(|name| cx.authorize(Operation::Read, Resource::Topic(name)));
    let unauthorized = |name| {
        let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        answered(name, Uuid::nil(), code, Some(text::of(code)))
    };
    let mut responses: Vec<_> = hidden.into_iter().map(unauthorized).collect();
    let forget = ShareRequest::Forget { group: group.clone(), topics: topics.clone() };
    let told = match share_groups::ask(cx, &group, forget).await {
        Some(ShareAnswer::Forget(Ok(told))) => told.unwrap_or_default(),
        Some(ShareAnswer::Forget(Err(why))) => {
            let code = code(why.refusal);
            let message = if why.message.is_empty() { text::of(code).into() } else { why.message };
            return failed(code, message);
        }
        _ => {
            let code = ErrorCode::UNKNOWN_SERVER_ERROR;
            return failed(code, text::of(code).to_owned());
        }
    };
    let mut errors = Vec::new();
    let mut states = Vec::new();
    let mut seen = HashSet::new();
    for (name, told) in topics.into_iter().zip(told) {
        let code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        match told {
            ToForget::Unknown => {
                errors.push(answered(name, Uuid::nil(), code, Some(text::of(code))));
            }
            ToForget::Nothing => errors.push(answered(name, Uuid::nil(), code, Some(NOTHING))),
            ToForget::State(id, partitions) if seen.insert(id) => {
                states.push((name, id, partitions));
            }
            ToForget::State(..) => {}
        }
    }
    let asked = states.iter().map(|(_, id, partitions)| (*id, partitions.clone())).collect();
    let outcomes = share_groups::delete(&cx.shard, &group, asked).await;
    let mut gone = Vec::new();
    for ((name, id, _), (_, outcome)) in states.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => gone.push((name, id)),
            Err(refusal) => {
                let (code, _) = share_state::fault(refusal, "");
                errors.push(answered(name, id, code, Some(text::of(code))));
            }
        }
    }
    if !gone.is_empty() {
        let topics = gone.iter().map(|(_, id)| *id).collect();
        let forgotten = ShareRequest::Forgotten { group: group.clone(), topics };
        match share_groups::ask(cx, &group, forgotten).await {
            Some(ShareAnswer::Forgotten(Ok(()))) => {}
            Some(ShareAnswer::Forgotten(Err(refusal))) => {
                return failed(code(refusal), text::of(code(refusal)).to_owned());
            }
            _ => {
                let code = ErrorCode::UNKNOWN_SERVER_ERROR;
                return failed(code, text::of(code).to_owned());
            }
        }
    }
    responses.extend(gone.into_iter().map(|(name, id)| answered(name, id, ErrorCode::NONE, None)));
    responses.extend(errors);
    DeleteShareGroupOffsetsResponse { responses, ..DeleteShareGroupOffsetsResponse::default() }
}

fn answered(
    topic_name: ByteString,
    topic_id: Uuid,
    error_code: ErrorCode,
    message: Option<&'static str>,
) -> DeleteShareGroupOffsetsResponseTopic {
    let error_message = message.map(ByteString::from_static);
    DeleteShareGroupOffsetsResponseTopic { topic_name, topic_id, error_code, error_message }
}

fn failed(error_code: ErrorCode, message: String) -> DeleteShareGroupOffsetsResponse {
    let error_message = Some(message.into());
    DeleteShareGroupOffsetsResponse { error_code, error_message, ..Default::default() }
}
