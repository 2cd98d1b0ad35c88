//! Heartbeat (key 12): a member lives. REBALANCE_IN_PROGRESS tells it to join again.

use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::coordination::{self, code_of};
use super::{Context, Operation, Resource};
use crate::group::message::{GroupAnswer, GroupRequest, Heartbeat};

pub(crate) fn call(cx: Context, version: i16, request: HeartbeatRequest) -> Outcome {
    let refused = if !cx.authorize(Operation::Read, Resource::Group(&request.group_id)) {
        Some(ErrorCode::GROUP_AUTHORIZATION_FAILED)
    } else if request.group_id.is_empty() {
        Some(ErrorCode::INVALID_GROUP_ID)
    } else {
        None
    };
    if let Some(error_code) = refused {
        let response = HeartbeatResponse { error_code, ..HeartbeatResponse::default() };
        return super::answer::<HeartbeatRequest>(&cx, version, &response);
    }
    let heartbeat = Heartbeat {
        group: request.group_id.clone(),
        member_id: request.member_id,
        generation: request.generation_id,
        instance: request.group_instance_id,
    };
    let asked = coordination::ask(&cx, &request.group_id, GroupRequest::Heartbeat(heartbeat));
    super::then::<HeartbeatRequest>(cx, version, async move |_: &Context| {
        let error_code = match asked.await {
            GroupAnswer::Heartbeat(result) => code_of(result),
            _ => ErrorCode::UNKNOWN_SERVER_ERROR,
        };
        HeartbeatResponse { error_code, ..HeartbeatResponse::default() }
    })
}
