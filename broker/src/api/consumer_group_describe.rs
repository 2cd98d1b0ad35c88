//! ConsumerGroupDescribe (key 69): state, epochs and members of consumer groups (KIP-848), as far as they are in the log.
//!
//! - A group that is not there, or speaks another protocol: GROUP_ID_NOT_FOUND, after which clients try DescribeGroups.
//! - UNSUPPORTED_VERSION for each group unless the protocol is served (see ConsumerGroupHeartbeat).
//!
//! 1: which protocol a member speaks (KIP-1099).

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::consumer_group_describe::{
    Assignment, ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, DescribedGroup,
    Member, TopicPartitions,
};

use super::coordination::{self, code};
use super::describe_groups::GROUP_OPERATIONS;
use super::{Context, Operation};
use crate::group::Refused;
use crate::group::message::{
    ConsumerDescribed, ConsumerMemberDescribed, GroupAnswer, GroupRequest, PartitionsDescribed,
};

pub(crate) fn call(cx: Context, version: i16, request: ConsumerGroupDescribeRequest) -> Outcome {
    let served = coordination::serves_consumer_groups(&cx);
    let ask = |group: &ByteString| {
        coordination::check(&cx, served, Operation::Describe, group)?;
        let describe = GroupRequest::DescribeConsumers(vec![group.clone()]);
        Ok(coordination::ask(&cx, group, describe))
    };
    let asked: Vec<_> = request.group_ids.iter().map(|group| (group.clone(), ask(group))).collect();
    let operations = request.include_authorized_operations;
    super::then::<ConsumerGroupDescribeRequest>(cx, version, async move |_: &Context| {
        let mut groups = Vec::with_capacity(asked.len());
        for (group, asked) in asked {
            let described = match asked {
                Err(code) => failed(group, code, String::new()),
                Ok(asked) => match asked.await {
                    GroupAnswer::DescribeConsumers(mut one) => told(group, one.pop()),
                    _ => failed(group, ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
                },
            };
            groups.push(match operations && !described.error_code.is_error() {
                true => DescribedGroup { authorized_operations: GROUP_OPERATIONS, ..described },
                false => described,
            });
        }
        ConsumerGroupDescribeResponse { groups, ..ConsumerGroupDescribeResponse::default() }
    })
}

fn told(
    group_id: ByteString,
    described: Option<Result<ConsumerDescribed, Refused>>,
) -> DescribedGroup {
    match described {
        Some(Ok(described)) => DescribedGroup {
            group_id,
            group_state: described.state.to_string().into(),
            group_epoch: described.epoch,
            assignment_epoch: described.target_epoch,
            assignor_name: described.assignor,
            members: described.members.into_iter().map(member).collect(),
            ..DescribedGroup::default()
        },
        Some(Err(why)) => failed(group_id, code(why.refusal), why.message),
        None => failed(group_id, ErrorCode::UNKNOWN_SERVER_ERROR, String::new()),
    }
}

fn member(member: ConsumerMemberDescribed) -> Member {
    Member {
        member_id: member.id,
        instance_id: member.instance,
        rack_id: member.rack,
        member_epoch: member.epoch,
        client_id: member.client_id,
        client_host: member.client_host,
        subscribed_topic_names: member.names,
        subscribed_topic_regex: member.regex,
        assignment: assignment(member.assigned),
        target_assignment: assignment(member.target),
        member_type: i8::from(!member.classic),
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
