//! AlterPartitionReassignments (key 45): partitions move to other brokers (KIP-455). This node is alone: what it has already is granted,
//! what is not there is refused with Kafka's code and text, and other brokers are refused in our own words.
//!
//! 1: whether the number of replicas may change (KIP-860).

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};

use super::create_topics::unwritten;
use super::{Context, Operation, Resource};
use crate::clock;
use crate::controller::reassignments::ReassignmentRefusal;
use crate::controller::{ControllerAnswer, ControllerRequest};

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let topics = request.topics;
    if !cx.authorize(Operation::Alter, Resource::Cluster) {
        return failed(&topics, ErrorCode::CLUSTER_AUTHORIZATION_FAILED, None);
    }
    if topics.is_empty() {
        let error_message = Some(ByteString::new());
        return AlterPartitionReassignmentsResponse { error_message, ..Default::default() };
    }
    let asked = ControllerRequest::AlterReassignments {
        topics: topics.clone(),
        factor_may_change: request.allow_replication_factor_change,
        expires: clock::wall() + i64::from(request.timeout_ms),
    };
    match cx.shard.controller(asked).await {
        Ok(ControllerAnswer::AlterReassignments(outcomes)) => {
            let responses = topics.into_iter().zip(outcomes).map(|(topic, outcomes)| {
                let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
                let partitions = numbers.zip(outcomes).map(partition).collect();
                ReassignableTopicResponse { name: topic.name, partitions }
            });
            AlterPartitionReassignmentsResponse {
                allow_replication_factor_change: request.allow_replication_factor_change,
                responses: responses.collect(),
                ..AlterPartitionReassignmentsResponse::default()
            }
        }
        Ok(ControllerAnswer::Unwritten(error)) => {
            failed(&topics, unwritten(&error), Some(&error.to_string()))
        }
        Ok(_) => failed(&topics, ErrorCode::UNKNOWN_SERVER_ERROR, None),
        Err(_) => failed(&topics, ErrorCode::NOT_CONTROLLER, None),
    }
}

fn partition(
    (partition_index, outcome): (i32, Result<(), ReassignmentRefusal>),
) -> ReassignablePartitionResponse {
    let error_code = match &outcome {
        Ok(()) => ErrorCode::NONE,
        Err(ReassignmentRefusal::Unknown(_)) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(ReassignmentRefusal::Assignment(_) | ReassignmentRefusal::Elsewhere(_)) => {
            ErrorCode::INVALID_REPLICA_ASSIGNMENT
        }
        Err(ReassignmentRefusal::Factor { .. }) => ErrorCode::INVALID_REPLICATION_FACTOR,
        Err(ReassignmentRefusal::NoneInProgress) => ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
    };
    // Kafka says no more of what is not under way.
    let told = outcome.err().filter(|refusal| *refusal != ReassignmentRefusal::NoneInProgress);
    let error_message = told.map(|refusal| refusal.to_string().into());
    ReassignablePartitionResponse { partition_index, error_code, error_message }
}

/// One error for all.
fn failed(
    topics: &[ReassignableTopic],
    error_code: ErrorCode,
    text: Option<&str>,
) -> AlterPartitionReassignmentsResponse {
    let topic = |topic: &ReassignableTopic| {
        let partition = |partition_index| ReassignablePartitionResponse {
            partition_index,
            error_code,
            error_message: text.map(Into::into),
        };
        let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
        let partitions = numbers.map(partition).collect();
        ReassignableTopicResponse { name: topic.name.clone(), partitions }
    };
    AlterPartitionReassignmentsResponse {
        error_code,
        error_message: text.map(Into::into),
        responses: topics.iter().map(topic).collect(),
        ..AlterPartitionReassignmentsResponse::default()
    }
}
