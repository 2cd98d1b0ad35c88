//! ElectLeaders (key 43): partitions get their preferred leader back, or a leader at the price of lost records.
//!
//! - Named partitions are answered each; where all are asked for (null), only those that another leader could be elected for, as in
//!   Kafka, and every topic is named.
//! - Answered when the elections are durable and in force on this node.
//! - A timeout of 0 is over: REQUEST_TIMED_OUT.
//!
//! 1: the kind of election, an error for all. 2: flexible.

use net::wire::ErrorCode;
use net::wire::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult,
};

use super::create_topics::unwritten;
use super::{Context, Operation, Resource};
use crate::clock;
use crate::controller::elections::{Asked, Election, ElectionRefusal, Outcome};
use crate::controller::refusal::Unwritten;
use crate::controller::{ControllerAnswer, ControllerRequest};

pub(crate) async fn handle(
    cx: &Context,
    version: i16,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let partitions: Asked = request
        .topic_partitions
        .map(|topics| topics.into_iter().map(|topic| (topic.topic, topic.partitions)).collect());
    if !cx.authorize(Operation::Alter, Resource::Cluster) {
        return failed(version, &partitions, ErrorCode::CLUSTER_AUTHORIZATION_FAILED, None);
    }
    if partitions.as_ref().is_some_and(Vec::is_empty) {
        return ElectLeadersResponse::default();
    }
    let election = match request.election_type {
        0 => Election::Preferred,
        1 => Election::Unclean,
        other => {
            let text = format!("Unknown election type {other}");
            return failed(version, &partitions, ErrorCode::INVALID_REQUEST, Some(&text));
        }
    };
    let expires = clock::wall() + i64::from(request.timeout_ms);
    let asked =
        ControllerRequest::ElectLeaders { election, partitions: partitions.clone(), expires };
    match cx.shard.controller(asked).await {
        Ok(ControllerAnswer::ElectLeaders(outcomes)) => {
            let topic = |(topic, outcomes): (_, Vec<Outcome>)| ReplicaElectionResult {
                topic,
                partition_result: outcomes.into_iter().map(outcome).collect(),
            };
            let replica_election_results = outcomes.into_iter().map(topic).collect();
            ElectLeadersResponse { replica_election_results, ..ElectLeadersResponse::default() }
        }
        Ok(ControllerAnswer::Unwritten(error)) => {
            let text = (error != Unwritten::TimedOut).then(|| error.to_string());
            failed(version, &partitions, unwritten(&error), text.as_deref())
        }
        Ok(_) => failed(version, &partitions, ErrorCode::UNKNOWN_SERVER_ERROR, None),
        Err(_) => failed(version, &partitions, ErrorCode::NOT_CONTROLLER, None),
    }
}

fn outcome((partition_id, outcome): Outcome) -> PartitionResult {
    let error_code = match &outcome {
        Ok(()) => ErrorCode::NONE,
        Err(ElectionRefusal::Unknown(_)) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        Err(ElectionRefusal::NotNeeded) => ErrorCode::ELECTION_NOT_NEEDED,
        Err(ElectionRefusal::PreferredNotAvailable) => ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE,
        Err(ElectionRefusal::NoneAvailable) => ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE,
    };
    let error_message = outcome.err().map(|refusal| refusal.to_string().into());
    PartitionResult { partition_id, error_code, error_message }
}

/// One error for all.
fn failed(
    version: i16,
    asked: &Asked,
    error_code: ErrorCode,
    text: Option<&str>,
) -> ElectLeadersResponse {
    let partition = |id: &i32| PartitionResult {
        partition_id: *id,
        error_code,
        error_message: text.map(Into::into),
    };
    let topics = asked.iter().flatten().map(|(topic, partitions)| ReplicaElectionResult {
        topic: topic.clone(),
        partition_result: partitions.iter().map(partition).collect(),
    });
    let replica_election_results = topics.collect();
    // The field is there from version 1 on, and does not let itself be left out.
    let error_code = if version >= 1 { error_code } else { ErrorCode::NONE };
    ElectLeadersResponse { throttle_time_ms: 0, error_code, replica_election_results }
}
