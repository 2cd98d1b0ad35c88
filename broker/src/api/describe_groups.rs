//! DescribeGroups (key 15): state and members of classic groups.
//!
//! - A group that does not exist is Dead; from version 6 on that is GROUP_ID_NOT_FOUND, with a message (KIP-1043).
//! - Members' metadata and the protocol are told of stable groups only.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember,
};

use super::coordination::{self, code};
use super::{Context, Operation, Resource};
use crate::group::Refusal;
use crate::group::message::{Described, DescribedMember, GroupAnswer, GroupRequest};

/// The first version that says that there is no such group.
const NOT_FOUND: i16 = 6;
/// The state of a group that does not exist.
const DEAD: &str = "Dead";
/// What may be done to a group without an authorizer: bits by `AclOperation` (READ 3, DELETE 6, DESCRIBE 8, DESCRIBE_CONFIGS 10,
/// ALTER_CONFIGS 11).
pub(super) const GROUP_OPERATIONS: i32 = 0b1101_0100_1000;

pub(crate) fn call(cx: Context, version: i16, request: DescribeGroupsRequest) -> Outcome {
    let asked: Vec<_> = request
        .groups
        .into_iter()
        .map(|group| {
            let allowed = cx.authorize(Operation::Describe, Resource::Group(&group));
            let describe = GroupRequest::Describe(vec![group.clone()]);
            let asked = allowed.then(|| coordination::ask(&cx, &group, describe));
            (group, asked)
        })
        .collect();
    let operations = request.include_authorized_operations;
    super::then::<DescribeGroupsRequest>(cx, version, async move |_: &Context| {
        let mut groups = Vec::with_capacity(asked.len());
        for (group, asked) in asked {
            let described = match asked {
                None => failed(group, ErrorCode::GROUP_AUTHORIZATION_FAILED),
                Some(asked) => match asked.await {
                    GroupAnswer::Describe(mut one) => told(version, group, one.pop()),
                    _ => failed(group, ErrorCode::UNKNOWN_SERVER_ERROR),
                },
            };
            groups.push(with_operations(operations, described));
        }
        DescribeGroupsResponse { groups, ..DescribeGroupsResponse::default() }
    })
}

fn told(
    version: i16,
    group_id: ByteString,
    described: Option<Result<Described, Refusal>>,
) -> DescribedGroup {
    match described {
        Some(Ok(described)) => DescribedGroup {
            group_state: described.state.to_string().into(),
            protocol_type: described.protocol_type,
            protocol_data: described.protocol,
            members: described.members.into_iter().map(member).collect(),
            ..failed(group_id, ErrorCode::NONE)
        },
        Some(Err(refusal @ (Refusal::GroupNotFound | Refusal::NotClassicGroup))) => {
            let why = match refusal {
                Refusal::NotClassicGroup => "is not a classic group",
                _ => "not found",
            };
            let message = (version >= NOT_FOUND).then(|| format!("Group {group_id} {why}."));
            let code =
                if message.is_some() { ErrorCode::GROUP_ID_NOT_FOUND } else { ErrorCode::NONE };
            DescribedGroup {
                group_state: DEAD.into(),
                error_message: message.map(Into::into),
                ..failed(group_id, code)
            }
        }
        Some(Err(refusal)) => failed(group_id, code(refusal)),
        None => failed(group_id, ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

fn member(member: DescribedMember) -> DescribedGroupMember {
    DescribedGroupMember {
        member_id: member.id,
        group_instance_id: member.instance,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: member.metadata,
        member_assignment: member.assignment,
    }
}

fn failed(group_id: ByteString, error_code: ErrorCode) -> DescribedGroup {
    DescribedGroup { group_id, error_code, ..DescribedGroup::default() }
}

fn with_operations(asked: bool, group: DescribedGroup) -> DescribedGroup {
    match asked && !group.error_code.is_error() {
        true => DescribedGroup { authorized_operations: GROUP_OPERATIONS, ..group },
        false => group,
    }
}
