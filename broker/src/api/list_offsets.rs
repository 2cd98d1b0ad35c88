//! ListOffsets (key 2): the offset of a timestamp, or of one of the special ones.
//!
//! - -1 latest: the high watermark (`read_committed`: the last stable offset, below which no transaction of Kafka's is open).
//! - -2 earliest: the log start. -4 earliest local (KIP-405): the same without tiered storage.
//! - -3 the record with the largest timestamp (KIP-734), exact inside compressed batches.
//! - -5 latest tiered (KIP-1005), -6 earliest pending upload (KIP-1023): nothing is tiered, so there is none: -1.
//! - otherwise the first record with that timestamp or a later one; -1 where there is none.
//! - A partition named twice in a request gets INVALID_REQUEST, once.
//! - An isolation level that is none gets UNKNOWN_SERVER_ERROR, as in Kafka.

use net::wire::ErrorCode;
use net::wire::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use storage::units::{PartitionId, Timestamp};

use super::error::read_refusal;
use super::groups::Groups;
use super::{Context, Operation, Resource};
use crate::message::{Answer, Ask, FoundOffset, OffsetsPart, Sought};
use crate::partition::ReadRefusal;

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let mut response = ListOffsetsResponse::default();
    let mut groups = Groups::new();
    let repeated = repeated(&request);
    let image = cx.shard.image();
    for topic in request.topics {
        let found = image.topic_by_name(&topic.name);
        let mut answered = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let index = wanted.partition_index;
            let known = found.filter(|found| found.partition(index).is_some());
            let named_twice = repeated.contains(&(topic.name.clone(), index));
            if named_twice
                && answered
                    .iter()
                    .any(|told: &ListOffsetsPartitionResponse| told.partition_index == index)
            {
                continue;
            }
            let code = if named_twice {
                Some(ErrorCode::INVALID_REQUEST)
            } else if !cx.authorize(Operation::Describe, Resource::Topic(&topic.name)) {
                Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
            } else if known.is_none() {
                Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            } else if version >= 2 && !(0..=1).contains(&request.isolation_level) {
                Some(ErrorCode::UNKNOWN_SERVER_ERROR)
            } else {
                None
            };
            match (code, known, sought(wanted.timestamp, version)) {
                (Some(code), ..) => answered.push(blank(index, code)),
                (None, _, None) => answered.push(blank(index, ErrorCode::UNSUPPORTED_VERSION)),
                (None, _, Some(Where::Nowhere)) | (None, None, _) => {
                    answered.push(blank(index, ErrorCode::NONE))
                }
                (None, Some(found), Some(Where::At(sought))) => {
                    let partition = PartitionId { topic: found.id, partition: index };
                    let part = part(partition, &wanted, sought, request.isolation_level);
                    let place = (response.topics.len(), answered.len());
                    groups.add(cx.shard.owner(partition), part, place);
                    answered.push(blank(index, ErrorCode::NONE));
                }
            }
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name, partitions: answered });
    }
    for group in groups {
        let results = find(cx, group.owner, group.parts).await;
        for ((topic, partition), result) in group.places.into_iter().zip(results) {
            fill(&mut response.topics[topic].partitions[partition], result, version);
        }
    }
    response
}

fn part(
    partition: PartitionId,
    wanted: &ListOffsetsPartition,
    sought: Sought,
    isolation_level: i8,
) -> OffsetsPart {
    let current_epoch = super::epoch(wanted.current_leader_epoch);
    OffsetsPart { partition, current_epoch, sought, read_committed: isolation_level == 1 }
}

async fn find(
    cx: &Context,
    owner: usize,
    parts: Vec<OffsetsPart>,
) -> Vec<Result<Option<FoundOffset>, ReadRefusal>> {
    if owner == cx.shard.number {
        return cx.shard.find_offsets(&parts).await;
    }
    let count = parts.len();
    match cx.shard.ask(owner, Ask::Offsets(parts)).await {
        Ok(Answer::Offsets(found)) => found,
        _ => (0..count).map(|_| Err(ReadRefusal::Stopping)).collect(),
    }
}

/// The high watermark of each partition, in their order.
pub(super) async fn latest(cx: &Context, parts: Vec<OffsetsPart>) -> Vec<Result<i64, ErrorCode>> {
    let mut latest = vec![Err(ErrorCode::UNKNOWN_SERVER_ERROR); parts.len()];
    let mut groups = Groups::new();
    for (index, part) in parts.into_iter().enumerate() {
        groups.add(cx.shard.owner(part.partition), part, (index, 0));
    }
    for group in groups {
        let results = find(cx, group.owner, group.parts).await;
        for ((index, _), result) in group.places.into_iter().zip(results) {
            latest[index] = match result {
                Ok(found) => Ok(found.map_or(-1, |found| found.offset.0)),
                Err(refusal) => Err(read_refusal(refusal)),
            };
        }
    }
    latest
}

enum Where {
    At(Sought),
    /// An offset that does not exist without tiered storage.
    Nowhere,
}

/// What a timestamp asks for; `None` for a special one that the version does not know.
fn sought(timestamp: i64, version: i16) -> Option<Where> {
    match timestamp {
        -1 => Some(Where::At(Sought::Latest)),
        -2 => Some(Where::At(Sought::Earliest)),
        -3 if version >= 7 => Some(Where::At(Sought::MaxTimestamp)),
        -4 if version >= 8 => Some(Where::At(Sought::Earliest)),
        -5 if version >= 9 => Some(Where::Nowhere),
        -6 if version >= 11 => Some(Where::Nowhere),
        timestamp if timestamp >= 0 => Some(Where::At(Sought::At(Timestamp(timestamp)))),
        _ => None,
    }
}

fn repeated(
    request: &ListOffsetsRequest,
) -> std::collections::HashSet<(bytestring::ByteString, i32)> {
    let mut once = std::collections::HashSet::new();
    request
        .topics
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|partition| (topic.name.clone(), partition.partition_index))
        })
        .filter(|place| !once.insert(place.clone()))
        .collect()
}

fn blank(partition_index: i32, error_code: ErrorCode) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse { partition_index, error_code, ..Default::default() }
}

fn fill(
    to: &mut ListOffsetsPartitionResponse,
    result: Result<Option<FoundOffset>, ReadRefusal>,
    version: i16,
) {
    match result {
        Ok(Some(found)) => {
            to.offset = found.offset.0;
            to.timestamp = found.timestamp.map_or(-1, |timestamp| timestamp.0);
            // The field is there from version 4 on, and does not let itself be left out.
            if version >= 4 {
                to.leader_epoch = found.epoch.map_or(-1, |epoch| epoch.0);
            }
        }
        Ok(None) => {}
        Err(refusal) => to.error_code = read_refusal(refusal),
    }
}
