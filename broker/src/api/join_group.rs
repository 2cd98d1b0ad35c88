//! JoinGroup (key 11): a member asks for its place in the next generation; the answer waits for the others.
//!
//! - The session timeout must lie within `group.min.session.timeout.ms` and `group.max.session.timeout.ms`.
//! - From version 4 on a member without id and instance gets an id first, with MEMBER_ID_REQUIRED (KIP-394).
//! - A static member that comes back is told to skip the assignment from version 9 on; before, it is told another leader (KIP-814).
//!
//! 1: rebalance timeout; in version 0 it is the session timeout. 5: instances (KIP-345). 7: protocol type; no protocol name beside an error.

use std::collections::HashSet;

use bytes::Bytes;
use bytestring::ByteString;
use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::join_group::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use uuid::Uuid;

use super::coordination::{self, code};
use super::{Context, Operation, Resource};
use crate::group::message::{GroupAnswer, GroupRequest, Join, JoinRefused, Joined};
use crate::group::records::owned;

/// The first version whose new members are told their id before they join.
const MEMBER_ID_REQUIRED: i16 = 4;
/// The first version whose clients understand that they are not to assign.
const SKIP_ASSIGNMENT: i16 = 9;

pub(crate) fn call(cx: Context, version: i16, request: JoinGroupRequest) -> Outcome {
    if let Err(code) = check(&cx, &request) {
        let member_id = match code {
            ErrorCode::GROUP_AUTHORIZATION_FAILED => ByteString::new(),
            _ => request.member_id,
        };
        let response = refused(version, code, member_id);
        return super::answer::<JoinGroupRequest>(&cx, version, &response);
    }
    let group = request.group_id.clone();
    let join = join(&cx, version, request);
    let asked = coordination::ask(&cx, &group, GroupRequest::Join(Box::new(join)));
    super::then::<JoinGroupRequest>(cx, version, async move |_: &Context| match asked.await {
        GroupAnswer::Join(Ok(joined)) => response(version, joined),
        GroupAnswer::Join(Err(JoinRefused { refusal, member_id })) => {
            refused(version, code(refusal), member_id)
        }
        _ => refused(version, ErrorCode::UNKNOWN_SERVER_ERROR, ByteString::new()),
    })
}

fn check(cx: &Context, request: &JoinGroupRequest) -> Result<(), ErrorCode> {
    if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if request.group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    let groups = &cx.shard.config.groups;
    if (groups.session_min_ms..=groups.session_max_ms).contains(&request.session_timeout_ms) {
        Ok(())
    } else {
        Err(ErrorCode::INVALID_SESSION_TIMEOUT)
    }
}

/// What the coordinator is told: copies, since the group keeps them.
fn join(cx: &Context, version: i16, request: JoinGroupRequest) -> Join {
    let client_id = owned(&cx.client_id);
    let instance = request.group_instance_id.as_ref().map(owned);
    let name = instance.as_ref().unwrap_or(&client_id);
    let new_member_id = format!("{name}-{}", Uuid::from_u128(rand::random())).into();
    let mut seen = HashSet::new();
    let protocols = request.protocols.iter().filter(|protocol| seen.insert(&protocol.name));
    let protocols =
        protocols.map(|p| (owned(&p.name), Bytes::copy_from_slice(&p.metadata))).collect();
    Join {
        group: owned(&request.group_id),
        member_id: owned(&request.member_id),
        new_member_id,
        instance,
        client_id,
        client_host: coordination::host_of(&cx.peer.remote),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: match version {
            0 => request.session_timeout_ms,
            _ => request.rebalance_timeout_ms,
        },
        protocol_type: owned(&request.protocol_type),
        protocols,
        known_id_required: version >= MEMBER_ID_REQUIRED,
        may_skip_assignment: version >= SKIP_ASSIGNMENT,
    }
}

fn response(version: i16, joined: Joined) -> JoinGroupResponse {
    let member = |(member_id, group_instance_id, metadata)| JoinGroupResponseMember {
        member_id,
        group_instance_id,
        metadata,
    };
    JoinGroupResponse {
        generation_id: joined.generation,
        protocol_type: joined.protocol_type,
        protocol_name: named(version, joined.protocol),
        leader: joined.leader,
        skip_assignment: joined.skip_assignment && version >= SKIP_ASSIGNMENT,
        member_id: joined.member_id,
        members: joined.members.into_iter().map(member).collect(),
        ..JoinGroupResponse::default()
    }
}

fn refused(version: i16, error_code: ErrorCode, member_id: ByteString) -> JoinGroupResponse {
    JoinGroupResponse {
        error_code,
        member_id,
        protocol_name: named(version, None),
        ..JoinGroupResponse::default()
    }
}

/// No name: null from version 7 on, empty before.
fn named(version: i16, name: Option<ByteString>) -> Option<ByteString> {
    match version {
        ..7 => Some(name.unwrap_or_default()),
        _ => name.filter(|name| !name.is_empty()),
    }
}
