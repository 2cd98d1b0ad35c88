//! DeleteRecords (key 21): the beginning of partitions' logs goes (KIP-107).
//!
//! - Offset -1 is the high watermark; beyond it, or below 0, OFFSET_OUT_OF_RANGE. An offset below the log start changes nothing.
//! - Answered with the new log start when that is on stable storage. Files go when whole segments lie below it.
//! - A topic that is only compacted keeps its records: POLICY_VIOLATION. Topics of the brokers' own: INVALID_TOPIC_EXCEPTION.
//!
//! 1: throttled after the answer. 2: flexible.

use net::wire::ErrorCode;
use net::wire::delete_records::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult,
};
use storage::units::{Offset, PartitionId};

use super::groups::Groups;
use super::{Context, Operation, Resource};
use crate::message::{Answer, Ask};
use crate::partition::upkeep::{DeletePart, DeleteRefusal};
use crate::topic_name;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut response = DeleteRecordsResponse::default();
    let mut groups = Groups::new();
    let image = cx.shard.image();
    for topic in request.topics {
        let found = image.topic_by_name(&topic.name);
        let mut answered = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let index = wanted.partition_index;
            let known = found.filter(|found| found.partition(index).is_some());
            let code = if !cx.authorize(Operation::Delete, Resource::Topic(&topic.name)) {
                ErrorCode::TOPIC_AUTHORIZATION_FAILED
            } else if known.is_none() {
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
            } else if topic_name::internal(&topic.name) {
                ErrorCode::INVALID_TOPIC_EXCEPTION
            } else {
                ErrorCode::NONE
            };
            if let (ErrorCode::NONE, Some(found)) = (code, known) {
                let partition = PartitionId { topic: found.id, partition: index };
                let up_to = (wanted.offset != -1).then_some(Offset(wanted.offset));
                let place = (response.topics.len(), answered.len());
                groups.add(cx.shard.owner(partition), DeletePart { partition, up_to }, place);
            }
            answered.push(result(index, code));
        }
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions: answered });
    }
    let asked: Vec<_> = groups.into_iter().collect();
    let done = asked.into_iter().map(|group| async move {
        let results = delete(cx, group.owner, group.parts).await;
        (group.places, results)
    });
    for (places, results) in futures::future::join_all(done).await {
        for ((topic, partition), result) in places.into_iter().zip(results) {
            let to = &mut response.topics[topic].partitions[partition];
            match result {
                Ok(start) => to.low_watermark = start.0,
                Err(refusal) => to.error_code = code(&refusal),
            }
        }
    }
    response
}

async fn delete(
    cx: &Context,
    owner: usize,
    parts: Vec<DeletePart>,
) -> Vec<Result<Offset, DeleteRefusal>> {
    if owner == cx.shard.number {
        return cx.shard.delete_records(&parts).await;
    }
    let count = parts.len();
    match cx.shard.ask(owner, Ask::DeleteRecords(parts)).await {
        Ok(Answer::DeleteRecords(results)) => results,
        _ => vec![Err(DeleteRefusal::NotHere); count],
    }
}

fn result(partition_index: i32, error_code: ErrorCode) -> DeleteRecordsPartitionResult {
    DeleteRecordsPartitionResult { partition_index, low_watermark: -1, error_code }
}

fn code(refusal: &DeleteRefusal) -> ErrorCode {
    match refusal {
        DeleteRefusal::NotHere => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        DeleteRefusal::Policy => ErrorCode::POLICY_VIOLATION,
        DeleteRefusal::OutOfRange => ErrorCode::OFFSET_OUT_OF_RANGE,
        DeleteRefusal::Storage(error) => {
            tracing::error!(error, "records could not be deleted");
            ErrorCode::KAFKA_STORAGE_ERROR
        }
    }
}
