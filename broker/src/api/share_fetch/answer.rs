//! The answer to a share fetch: what each partition gave, what became of acknowledgements, without what an incremental session need not repeat.

use bytes::Bytes;
use net::send::{Part as Piece, Parts};
use net::wire::share_fetch::{
    AcquiredRecords, NodeEndpoint, PartitionData, ShareFetchResponse, ShareFetchableTopicResponse,
};
use net::wire::{ErrorCode, Records};
use storage::units::PartitionId;
use uuid::Uuid;

use super::super::Context;
use super::super::shares::{Asker, Said, leader_beside, session_refusal};
use crate::share::message::{SessionAnswer, SessionWhat};
use crate::share::partition::Acquired;
use crate::share::sessions::{FINAL_EPOCH, FIRST_EPOCH, Told};

/// A partition of a fetch, and what came of it.
pub(super) struct Part {
    pub(super) id: PartitionId,
    /// Records, or none although there could be some. `None`: nothing is said of it.
    pub(super) outcome: Option<Result<Option<Given>, ErrorCode>>,
}

/// Whole batches, and what of them is acquired.
pub(super) struct Given {
    pub(super) batches: Vec<Bytes>,
    pub(super) acquired: Vec<Acquired>,
}

impl Part {
    /// Of its records.
    pub(super) fn bytes(&self) -> usize {
        match &self.outcome {
            Some(Ok(Some(given))) => given.batches.iter().map(Bytes::len).sum(),
            _ => 0,
        }
    }

    fn told(&self) -> Told {
        Told {
            partition: self.id,
            has_records: self.bytes() > 0,
            has_error: matches!(self.outcome, Some(Err(_))),
        }
    }
}

/// A request that was refused as a whole.
pub(super) fn refused(error_code: ErrorCode) -> ShareFetchResponse {
    ShareFetchResponse { error_code, ..Default::default() }
}

pub(super) async fn build(
    cx: &Context,
    who: &Asker,
    epoch: i32,
    mut parts: Vec<Part>,
    said: Vec<(PartitionId, Said)>,
) -> ShareFetchResponse {
    parts.retain(|part| part.outcome.is_some());
    let mut response = ShareFetchResponse::default();
    match named(cx, who, epoch, &parts).await {
        Ok(named) => {
            let mut named = named.into_iter();
            parts.retain(|_| named.next().unwrap_or(true));
        }
        Err(code) => {
            response.error_code = code;
            parts.clear();
        }
    }
    let image = cx.shard.image();
    response.acquisition_lock_timeout_ms = cx.shard.in_force().share_lock_ms(&image, &who.group);
    let mut endpoints: Vec<NodeEndpoint> = Vec::new();
    for part in parts {
        let id = part.id;
        let mut data = partition(part);
        let listener = &cx.peer.listener;
        data.current_leader = leader_beside(&image, listener, id, data.error_code, &mut endpoints);
        of_topic(&mut response, id.topic.0).push(data);
    }
    response.node_endpoints = endpoints;
    for (id, (code, text)) in said {
        let partitions = of_topic(&mut response, id.topic.0);
        let at = partitions.iter().position(|data| data.partition_index == id.partition);
        let at = at.unwrap_or_else(|| {
            partitions.push(PartitionData {
                partition_index: id.partition,
                records: Records::EMPTY,
                ..Default::default()
            });
            partitions.len() - 1
        });
        partitions[at].acknowledge_error_code = code;
        partitions[at].acknowledge_error_message = text;
    }
    response
}

/// Which of the partitions the answer must name.
async fn named(
    cx: &Context,
    who: &Asker,
    epoch: i32,
    parts: &[Part],
) -> Result<Vec<bool>, ErrorCode> {
    if parts.is_empty() || matches!(epoch, FIRST_EPOCH | FINAL_EPOCH) {
        return Ok(Vec::new());
    }
    let told = parts.iter().map(Part::told).collect();
    match cx.shard.share_session(who.session(SessionWhat::Answer { epoch, told })).await {
        SessionAnswer::Answer(named) => named.map_err(session_refusal),
        _ => Err(ErrorCode::UNKNOWN_SERVER_ERROR),
    }
}

fn of_topic(response: &mut ShareFetchResponse, topic_id: Uuid) -> &mut Vec<PartitionData> {
    let topics = &mut response.responses;
    let at = topics.iter().position(|topic| topic.topic_id == topic_id).unwrap_or_else(|| {
        topics.push(ShareFetchableTopicResponse { topic_id, partitions: Vec::new() });
        topics.len() - 1
    });
    &mut topics[at].partitions
}

fn partition(part: Part) -> PartitionData {
    let data = PartitionData {
        partition_index: part.id.partition,
        records: Records::EMPTY,
        ..Default::default()
    };
    match part.outcome {
        Some(Ok(Some(Given { batches, acquired }))) => {
            let pieces: Parts = batches.into_iter().map(Piece::Bytes).collect();
            let acquired = acquired.into_iter().map(|range| AcquiredRecords {
                first_offset: range.first,
                last_offset: range.last,
                delivery_count: range.deliveries,
            });
            PartitionData {
                records: Records::from(pieces),
                acquired_records: acquired.collect(),
                ..data
            }
        }
        Some(Err(error_code)) => PartitionData { error_code, ..data },
        Some(Ok(None)) | None => data,
    }
}
