//! DescribeProducers (key 61): the producers that partitions remember, with their last sequences and open transactions (KIP-664).

use net::wire::ErrorCode;
use net::wire::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};
use storage::units::PartitionId;

use super::groups::Groups;
use super::{Context, Operation, Resource};
use crate::message::{Answer, Ask};
use crate::partition::upkeep::Producer;
use crate::topic_name;

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let mut response = DescribeProducersResponse::default();
    let mut groups = Groups::new();
    let image = cx.shard.image();
    for topic in request.topics {
        let found = image.topic_by_name(&topic.name);
        let refused = refusal(cx, &topic.name, found.is_some());
        let mut answered = Vec::with_capacity(topic.partition_indexes.len());
        for index in topic.partition_indexes {
            let known = found.filter(|found| found.partition(index).is_some());
            let told = match (&refused, known) {
                (Some((code, text)), _) => failed(index, *code, Some(text)),
                (None, None) => failed(index, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None),
                (None, Some(found)) => {
                    let partition = PartitionId { topic: found.id, partition: index };
                    let place = (response.topics.len(), answered.len());
                    groups.add(cx.shard.owner(partition), partition, place);
                    failed(index, ErrorCode::NONE, None)
                }
            };
            answered.push(told);
        }
        response.topics.push(TopicResponse { name: topic.name, partitions: answered });
    }
    for group in groups {
        let found = find(cx, group.owner, group.parts).await;
        for ((topic, partition), producers) in group.places.into_iter().zip(found) {
            let to = &mut response.topics[topic].partitions[partition];
            match producers {
                Some(producers) => {
                    to.active_producers = producers.into_iter().map(producer).collect();
                }
                None => to.error_code = ErrorCode::NOT_LEADER_OR_FOLLOWER,
            }
        }
    }
    response
}

/// Why nothing is said of a topic.
fn refusal(cx: &Context, name: &str, known: bool) -> Option<(ErrorCode, String)> {
    if let Err(text) = topic_name::check(name) {
        return Some((ErrorCode::INVALID_TOPIC_EXCEPTION, text));
    }
    if !cx.authorize(Operation::Read, Resource::Topic(name)) {
        let text = "Topic authorization failed.".to_owned();
        return Some((ErrorCode::TOPIC_AUTHORIZATION_FAILED, text));
    }
    let text = || "This server does not host this topic-partition.".to_owned();
    (!known).then(|| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, text()))
}

async fn find(
    cx: &Context,
    owner: usize,
    partitions: Vec<PartitionId>,
) -> Vec<Option<Vec<Producer>>> {
    if owner == cx.shard.number {
        return cx.shard.producers(&partitions);
    }
    let count = partitions.len();
    match cx.shard.ask(owner, Ask::Producers(partitions)).await {
        Ok(Answer::Producers(producers)) => producers,
        _ => vec![None; count],
    }
}

fn failed(partition_index: i32, error_code: ErrorCode, text: Option<&str>) -> PartitionResponse {
    PartitionResponse {
        partition_index,
        error_code,
        error_message: text.map(Into::into),
        active_producers: Vec::new(),
    }
}

fn producer(producer: Producer) -> ProducerState {
    ProducerState {
        producer_id: producer.id.0,
        producer_epoch: i32::from(producer.epoch.0),
        last_sequence: producer.last_sequence.0,
        last_timestamp: producer.last_timestamp.0,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.open_transaction.map_or(-1, |offset| offset.0),
    }
}
