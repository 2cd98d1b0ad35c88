//! SyncGroup (key 14): the leader brings the assignment, every member waits for its part.
//!
//! - From version 5 on the member says what it takes the group for, and is refused if it says nothing: INCONSISTENT_GROUP_PROTOCOL.

use bytes::Bytes;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::sync_group::{SyncGroupRequest, SyncGroupResponse};

use super::coordination::{self, code};
use super::{Context, Operation, Resource};
use crate::group::message::{GroupAnswer, GroupRequest, Sync};
use crate::group::records::owned;

/// The first version in which protocol type and name must be told (KIP-559).
const PROTOCOL_TOLD: i16 = 5;

pub(crate) fn call(cx: Context, version: i16, request: SyncGroupRequest) -> Outcome {
    if let Err(code) = check(&cx, version, &request) {
        return super::answer::<SyncGroupRequest>(&cx, version, &refused(code));
    }
    let assignments = request.assignments.iter();
    let sync = Sync {
        group: owned(&request.group_id),
        member_id: request.member_id,
        generation: request.generation_id,
        instance: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol: request.protocol_name,
        assignments: assignments
            .map(|a| (owned(&a.member_id), Bytes::copy_from_slice(&a.assignment)))
            .collect(),
    };
    let asked = coordination::ask(&cx, &request.group_id, GroupRequest::Sync(Box::new(sync)));
    super::then::<SyncGroupRequest>(cx, version, async move |_: &Context| match asked.await {
        GroupAnswer::Sync(Ok(assigned)) => SyncGroupResponse {
            protocol_type: assigned.protocol_type,
            protocol_name: assigned.protocol,
            assignment: assigned.assignment,
            ..SyncGroupResponse::default()
        },
        GroupAnswer::Sync(Err(refusal)) => refused(code(refusal)),
        _ => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
    })
}

fn check(cx: &Context, version: i16, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
    let untold = request.protocol_type.is_none() || request.protocol_name.is_none();
    if version >= PROTOCOL_TOLD && untold {
        return Err(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    Ok(())
}

fn refused(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..SyncGroupResponse::default() }
}
