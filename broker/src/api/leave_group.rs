//! LeaveGroup (key 13): members go at once, instead of when their session ends.
//!
//! - An administrator may name a static member by its instance alone (KIP-345).
//! - Before version 3 there is one member, and its error is that of the answer.

use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use super::coordination::{self, code, code_of};
use super::{Context, Operation, Resource};
use crate::group::message::{GroupAnswer, GroupRequest, Leave};

/// The first version with several members.
const MEMBERS: i16 = 3;

pub(crate) fn call(cx: Context, version: i16, request: LeaveGroupRequest) -> Outcome {
    let refused = if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        Some(ErrorCode::GROUP_AUTHORIZATION_FAILED)
    } else if request.group_id.is_empty() {
        Some(ErrorCode::INVALID_GROUP_ID)
    } else {
        None
    };
    if let Some(error_code) = refused {
        return super::answer::<LeaveGroupRequest>(&cx, version, &failed(error_code));
    }
    let members: Vec<(ByteString, Option<ByteString>)> = if version >= MEMBERS {
        request.members.into_iter().map(|m| (m.member_id, m.group_instance_id)).collect()
    } else {
        vec![(request.member_id, None)]
    };
    let leave = Leave { group: request.group_id.clone(), members: members.clone() };
    let asked = coordination::ask(&cx, &request.group_id, GroupRequest::Leave(leave));
    super::then::<LeaveGroupRequest>(cx, version, async move |_: &Context| match asked.await {
        GroupAnswer::Leave(Ok(left)) => {
            let member = |((member_id, group_instance_id), result)| MemberResponse {
                member_id,
                group_instance_id,
                error_code: code_of(result),
            };
            let members: Vec<_> = members.into_iter().zip(left).map(member).collect();
            match members.first() {
                Some(one) if version < MEMBERS => failed(one.error_code),
                _ => LeaveGroupResponse { members, ..LeaveGroupResponse::default() },
            }
        }
        GroupAnswer::Leave(Err(refusal)) => failed(code(refusal)),
        _ => failed(ErrorCode::UNKNOWN_SERVER_ERROR),
    })
}

fn failed(error_code: ErrorCode) -> LeaveGroupResponse {
    LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() }
}
