//! ShareAcknowledge (key 79): a member of a share group says what became of records, without fetching others (KIP-932).
//!
//! - Of a session that a ShareFetch has begun: SHARE_SESSION_NOT_FOUND without one, INVALID_SHARE_SESSION_EPOCH in another epoch, or in 0.
//! - Epoch -1 ends the session when all is said; what else the member has is released.
//! - Each partition is answered on its own (`shares`).
//!
//! 2: locks may be renewed where the request announces it (KIP-1222); the answer says for how long.

use net::connection::Outcome;
use net::wire::ErrorCode;
use net::wire::share_acknowledge::{
    PartitionData, ShareAcknowledgeRequest, ShareAcknowledgeResponse, ShareAcknowledgeTopicResponse,
};
use storage::units::PartitionId;

use super::Context;
use super::shares::{Allowed, Asker, Said, acknowledge, asker, leader_beside, session_refusal};
use crate::share::message::{SessionAnswer, SessionWhat};
use crate::share::sessions::FINAL_EPOCH;

pub(crate) fn call(cx: Context, version: i16, request: ShareAcknowledgeRequest) -> Outcome {
    let who = match asker(&cx, request.group_id.as_ref(), request.member_id.as_ref()) {
        Ok(who) => who,
        Err(code) => {
            return super::answer::<ShareAcknowledgeRequest>(&cx, version, &refused(code));
        }
    };
    let epoch = request.share_session_epoch;
    let session = cx.shard.share_session(who.session(SessionWhat::Acknowledge { epoch }));
    super::then::<ShareAcknowledgeRequest>(cx, version, async move |cx: &Context| {
        match session.await {
            SessionAnswer::Acknowledge(Ok(())) => handle(cx, version, &who, request).await,
            SessionAnswer::Acknowledge(Err(refusal)) => refused(session_refusal(refusal)),
            _ => refused(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    })
}

async fn handle(
    cx: &Context,
    version: i16,
    who: &Asker,
    request: ShareAcknowledgeRequest,
) -> ShareAcknowledgeResponse {
    let allowed = Allowed { renewals_known: version >= 2, renews: request.is_renew_ack };
    let acknowledged = request.topics.into_iter().flat_map(|topic| {
        topic.partitions.into_iter().map(move |partition| {
            (topic.topic_id, partition.partition_index, partition.acknowledgement_batches)
        })
    });
    let told = acknowledge(cx, who, acknowledged.collect(), allowed).await;
    if request.share_session_epoch == FINAL_EPOCH {
        who.end(cx).await;
    }
    answer(cx, who, told)
}

fn answer(cx: &Context, who: &Asker, told: Vec<(PartitionId, Said)>) -> ShareAcknowledgeResponse {
    let image = cx.shard.image();
    let mut response = ShareAcknowledgeResponse {
        acquisition_lock_timeout_ms: cx.shard.in_force().share_lock_ms(&image, &who.group),
        ..Default::default()
    };
    for (id, (error_code, error_message)) in told {
        let endpoints = &mut response.node_endpoints;
        let partition = PartitionData {
            partition_index: id.partition,
            current_leader: leader_beside(&image, &cx.peer.listener, id, error_code, endpoints),
            error_code,
            error_message,
        };
        let topics = &mut response.responses;
        match topics.iter_mut().find(|topic| topic.topic_id == id.topic.0) {
            Some(topic) => topic.partitions.push(partition),
            None => topics.push(ShareAcknowledgeTopicResponse {
                topic_id: id.topic.0,
                partitions: vec![partition],
            }),
        }
    }
    response
}

/// A request that was refused as a whole.
fn refused(error_code: ErrorCode) -> ShareAcknowledgeResponse {
    ShareAcknowledgeResponse { error_code, ..Default::default() }
}
