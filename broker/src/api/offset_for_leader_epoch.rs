//! OffsetForLeaderEpoch (key 23): where an epoch ended (KIP-101, KIP-279, KIP-320).
//!
//! - The largest epoch at most as large as the one asked for, and the offset at which the next one begins; for the current one
//!   the end of the log.
//! - -1 and -1 where nothing is known of such an epoch.

use net::wire::ErrorCode;
use net::wire::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
};
use storage::units::{Epoch, Offset, PartitionId};

use super::error::read_refusal;
use super::groups::Groups;
use super::{Context, Operation, Resource};
use crate::message::{Answer, Ask, EpochEndPart};
use crate::partition::ReadRefusal;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let mut response = OffsetForLeaderEpochResponse::default();
    let mut groups = Groups::new();
    let image = cx.shard.image();
    for topic in request.topics {
        let found = image.topic_by_name(&topic.topic);
        let mut answered = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let index = wanted.partition;
            let known = found.filter(|found| found.partition(index).is_some());
            if !cx.authorize(Operation::Describe, Resource::Topic(&topic.topic)) {
                answered.push(blank(index, ErrorCode::TOPIC_AUTHORIZATION_FAILED));
            } else if let Some(found) = known {
                let partition = PartitionId { topic: found.id, partition: index };
                let current_epoch = super::epoch(wanted.current_leader_epoch);
                let epoch = Epoch(wanted.leader_epoch);
                let part = EpochEndPart { partition, current_epoch, epoch };
                let place = (response.topics.len(), answered.len());
                groups.add(cx.shard.owner(partition), part, place);
                answered.push(blank(index, ErrorCode::NONE));
            } else {
                answered.push(blank(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
            }
        }
        response
            .topics
            .push(OffsetForLeaderTopicResult { topic: topic.topic, partitions: answered });
    }
    for group in groups {
        let results = find(cx, group.owner, group.parts).await;
        for ((topic, partition), result) in group.places.into_iter().zip(results) {
            let to = &mut response.topics[topic].partitions[partition];
            match result {
                Ok((epoch, end)) => (to.leader_epoch, to.end_offset) = (epoch.0, end.0),
                Err(refusal) => to.error_code = read_refusal(refusal),
            }
        }
    }
    response
}

async fn find(
    cx: &Context,
    owner: usize,
    parts: Vec<EpochEndPart>,
) -> Vec<Result<(Epoch, Offset), ReadRefusal>> {
    if owner == cx.shard.number {
        return cx.shard.epoch_ends(&parts);
    }
    let count = parts.len();
    match cx.shard.ask(owner, Ask::EpochEnds(parts)).await {
        Ok(Answer::EpochEnds(ends)) => ends,
        _ => (0..count).map(|_| Err(ReadRefusal::Stopping)).collect(),
    }
}

fn blank(partition: i32, error_code: ErrorCode) -> EpochEndOffset {
    EpochEndOffset { partition, error_code, ..Default::default() }
}
