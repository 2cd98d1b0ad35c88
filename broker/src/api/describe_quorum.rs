//! DescribeQuorum (key 55): who votes on the metadata log, and how far each is (KIP-595). The one voter leads, and is always caught up.
//!
//! - Only partition 0 of `__cluster_metadata` has a quorum, and nothing else may stand in the request.
//!
//! 1: when voters last fetched (KIP-836). 2: directories, endpoints and texts (KIP-853).

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::describe_quorum::{
    DescribeQuorumRequest, DescribeQuorumResponse, Listener, Node, PartitionResult, ReplicaState,
    TopicData, TopicResult,
};

use super::create_topics::unwritten;
use super::{Context, Operation, Resource};
use crate::clock;
use crate::controller::ledger::QuorumView;
use crate::controller::{ControllerAnswer, ControllerRequest};
use crate::metadata::directory::TOPIC;

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: DescribeQuorumRequest,
) -> DescribeQuorumResponse {
    if !cx.authorize(Operation::Describe, Resource::Cluster) {
        return failed(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    if !is_of_the_quorum(&request.topics) {
        return unknown(request.topics);
    }
    match cx.shard.controller(ControllerRequest::DescribeQuorum).await {
        Ok(ControllerAnswer::Quorum(view)) => described(&view, version),
        Ok(ControllerAnswer::Unwritten(error)) => failed(unwritten(&error)),
        Ok(_) => failed(ErrorCode::UNKNOWN_SERVER_ERROR),
        Err(_) => failed(ErrorCode::NOT_CONTROLLER),
    }
}

fn is_of_the_quorum(topics: &[TopicData]) -> bool {
    match topics {
        [only] => {
            only.topic_name == TOPIC
                && matches!(&only.partitions[..], [partition] if partition.partition_index == 0)
        }
        _ => false,
    }
}

fn failed(error_code: ErrorCode) -> DescribeQuorumResponse {
    DescribeQuorumResponse { error_code, ..DescribeQuorumResponse::default() }
}

/// An answer without an error of its own, of which Kafka says nothing, but not null.
fn answer(topics: Vec<TopicResult>, nodes: Vec<Node>) -> DescribeQuorumResponse {
    let error_message = Some(ByteString::new());
    DescribeQuorumResponse { error_code: ErrorCode::NONE, error_message, topics, nodes }
}

fn unknown(topics: Vec<TopicData>) -> DescribeQuorumResponse {
    let topic = |topic: TopicData| {
        let partition = |index| PartitionResult {
            partition_index: index,
            error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            error_message: Some("This server does not host this topic-partition.".into()),
            ..PartitionResult::default()
        };
        let partitions = topic.partitions.into_iter().map(|asked| partition(asked.partition_index));
        TopicResult { topic_name: topic.topic_name, partitions: partitions.collect() }
    };
    answer(topics.into_iter().map(topic).collect(), Vec::new())
}

fn described(view: &QuorumView, version: i16) -> DescribeQuorumResponse {
    let now = clock::wall().0;
    // Only a voter that leads answers, and it is the only one.
    let voter = |voter: &crate::metadata::records::control::Voter| ReplicaState {
        replica_id: voter.voter_id,
        replica_directory_id: if version >= 2 {
            voter.voter_directory_id
        } else {
            Default::default()
        },
        log_end_offset: view.end.0,
        last_fetch_timestamp: now,
        last_caught_up_timestamp: now,
    };
    let node = |voter: &crate::metadata::records::control::Voter| Node {
        node_id: voter.voter_id,
        listeners: voter
            .endpoints
            .iter()
            .map(|endpoint| Listener {
                name: endpoint.name.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
            })
            .collect(),
    };
    let partition = PartitionResult {
        leader_id: view.leader,
        leader_epoch: view.epoch.0,
        high_watermark: view.high_watermark.0,
        current_voters: view.voters.iter().map(voter).collect(),
        error_message: Some(ByteString::new()),
        ..PartitionResult::default()
    };
    let topic = TopicResult { topic_name: TOPIC.into(), partitions: vec![partition] };
    // The field is there from version 2 on, and does not let itself be left out.
    let nodes = view.voters.iter().filter(|_| version >= 2).map(node).collect();
    answer(vec![topic], nodes)
}
