//! ShareGroupDescribe (key 77): state, epochs and members of share groups (KIP-932), as far as they are in the log.
//!
//! - A group that is not there, or is none for shares: GROUP_ID_NOT_FOUND. Without a name: INVALID_GROUP_ID.
//! - UNSUPPORTED_VERSION for each group unless share groups are served.
//!
//! 1: stable. 0 was the early access of Kafka 4.0.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::share_group_describe::{
    Assignment, DescribedGroup, Member, ShareGroupDescribeRequest, ShareGroupDescribeResponse,
    TopicPartitions,
};

use super::coordination::{self, code};
use super::describe_groups::GROUP_OPERATIONS;
use super::{Context, Operation, Resource, share_groups};
use crate::group::Refused;
use crate::group::message::PartitionsDescribed;
use crate::group::share::message::{
    ShareAnswer, ShareDescribed, ShareMemberDescribed, ShareRequest,
};

/// The one assignor that share groups have.
const ASSIGNOR: &str = "simple";
const TOPIC_HIDDEN: &str =
    "The group has described topic(s) that the client is not authorized to describe.";

pub(crate) fn call(cx: Context, version: i16, request: ShareGroupDescribeRequest) -> Outcome {
    let served = share_groups::served(&cx);
    let ask = |group: &ByteString| {
        coordination::check(&cx, served, Operation::Describe, group)?;
        Ok(share_groups::ask(&cx, group, ShareRequest::Describe(vec![group.clone()])))
    };
    let asked: Vec<_> = request.group_ids.iter().map(|group| (group.clone(), ask(group))).collect();
    let operations = request.include_authorized_operations;
    super::then::<ShareGroupDescribeRequest>(cx, version, async move |cx: &Context| {
        let mut groups = Vec::with_capacity(asked.len());
        for (group, asked) in asked {
            let described = match asked {
                Err(code) => failed(group, code, String::new()),
                Ok(asked) => match asked.await {
                    Some(ShareAnswer::Describe(mut one)) => told(cx, group, one.pop()),
                    _ => failed(group, ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
                },
            };
            groups.push(match operations && !described.error_code.is_error() {
                true => DescribedGroup { authorized_operations: GROUP_OPERATIONS, ..described },
                false => described,
            });
        }
        ShareGroupDescribeResponse { groups, ..ShareGroupDescribeResponse::default() }
    })
}

fn told(
    cx: &Context,
    group_id: ByteString,
    described: Option<Result<ShareDescribed, Refused>>,
) -> DescribedGroup {
    match described {
        Some(Ok(described)) => {
            let mut topics = described.members.iter().flat_map(|member| &member.assigned);
            if !topics.all(|of| cx.authorize(Operation::Describe, Resource::Topic(&of.name))) {
                let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
                return failed(group_id, code, TOPIC_HIDDEN.to_owned());
            }
            DescribedGroup {
                group_id,
                group_state: described.state.to_string().into(),
                group_epoch: described.epoch,
                assignment_epoch: described.target_epoch,
                assignor_name: ASSIGNOR.into(),
                members: described.members.into_iter().map(member).collect(),
                ..DescribedGroup::default()
            }
        }
        Some(Err(why)) => failed(group_id, code(why.refusal), why.message),
        None => failed(group_id, ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
    }
}

fn member(member: ShareMemberDescribed) -> Member {
    Member {
        member_id: member.id,
        rack_id: member.rack,
        member_epoch: member.epoch,
        client_id: member.client_id,
        client_host: member.client_host,
        subscribed_topic_names: member.names,
        assignment: assignment(member.assigned),
    }
}

fn assignment(topics: Vec<PartitionsDescribed>) -> Assignment {
    let topic = |of: PartitionsDescribed| TopicPartitions {
        topic_id: of.id,
        topic_name: of.name,
        partitions: of.partitions,
    };
    Assignment { topic_partitions: topics.into_iter().map(topic).collect() }
}

fn failed(group_id: ByteString, error_code: ErrorCode, message: String) -> DescribedGroup {
    let error_message = (!message.is_empty()).then(|| message.into());
    DescribedGroup { group_id, error_code, error_message, ..DescribedGroup::default() }
}
