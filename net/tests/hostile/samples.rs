//! A message of each API with an element in each of its arrays and a value in each of its tagged fields, where the version
//! has them.

use super::{Tally, attack as run};
use net::wire::*;

#[path = "groups.rs"]
mod groups;

fn some<T: Default>() -> Vec<T> {
    vec![T::default()]
}

/// Runs the attack for one version of one API.
pub(super) fn attack(api: &Api, version: i16, rounds: u64) -> Tally {
    match api.name {
        "Produce" => run(version, produce(version), rounds),
        "Fetch" => run(version, fetch(version), rounds),
        "ListOffsets" => run(version, list_offsets(), rounds),
        "Metadata" => run(version, metadata(version), rounds),
        "ApiVersions" => run(version, api_versions(), rounds),
        "CreateTopics" => run(version, create_topics(), rounds),
        "DeleteTopics" => run(version, delete_topics(version), rounds),
        "InitProducerId" => run(version, init_producer_id(), rounds),
        "OffsetForLeaderEpoch" => run(version, offset_for_leader_epoch(), rounds),
        "DescribeConfigs" => run(version, describe_configs(), rounds),
        "AlterReplicaLogDirs" => run(version, alter_replica_log_dirs(), rounds),
        "DescribeLogDirs" => run(version, describe_log_dirs(), rounds),
        "OffsetCommit" => run(version, groups::offset_commit(), rounds),
        "OffsetFetch" => run(version, groups::offset_fetch(version), rounds),
        "FindCoordinator" => run(version, groups::find_coordinator(version), rounds),
        "JoinGroup" => run(version, groups::join_group(), rounds),
        "Heartbeat" => run(version, groups::heartbeat(), rounds),
        "LeaveGroup" => run(version, groups::leave_group(version), rounds),
        "SyncGroup" => run(version, groups::sync_group(), rounds),
        "DescribeGroups" => run(version, groups::describe_groups(), rounds),
        "ListGroups" => run(version, groups::list_groups(version), rounds),
        "DeleteGroups" => run(version, groups::delete_groups(), rounds),
        "OffsetDelete" => run(version, groups::offset_delete(), rounds),
        name => panic!("{name} is served and not attacked"),
    }
}

fn produce(version: i16) -> (produce::ProduceRequest, produce::ProduceResponse) {
    use produce::*;
    let partition_data =
        vec![PartitionProduceData { index: 1, records: Some(vec![7; 80].into()) }; 2];
    let topic_data =
        vec![TopicProduceData { name: "topic".into(), partition_data, ..Default::default() }];
    let request = ProduceRequest { acks: -1, topic_data, ..Default::default() };
    let mut partition = PartitionProduceResponse { record_errors: some(), ..Default::default() };
    let mut response = ProduceResponse::default();
    if version >= 10 {
        partition.current_leader.leader_id = 1;
        response.node_endpoints = some();
    }
    let partition_responses = vec![partition];
    response.responses = vec![TopicProduceResponse { partition_responses, ..Default::default() }];
    (request, response)
}

fn fetch(version: i16) -> (fetch::FetchRequest, fetch::FetchResponse) {
    use fetch::*;
    let topics =
        vec![FetchTopic { topic: "topic".into(), partitions: some(), ..Default::default() }];
    let mut request =
        FetchRequest { topics, cluster_id: Some("cluster".into()), ..Default::default() };
    if version >= 7 {
        request.forgotten_topics_data =
            vec![ForgottenTopic { partitions: vec![1, 2], ..Default::default() }];
    }
    let records = Records::from(bytes::Bytes::from(vec![7; 80]));
    let mut partition =
        PartitionData { aborted_transactions: Some(some()), records, ..Default::default() };
    if version >= 12 {
        partition.diverging_epoch.epoch = 1;
        partition.snapshot_id.epoch = 1;
    }
    let partitions = vec![partition];
    let responses =
        vec![FetchableTopicResponse { topic: "topic".into(), partitions, ..Default::default() }];
    (request, FetchResponse { responses, ..Default::default() })
}

fn list_offsets() -> (list_offsets::ListOffsetsRequest, list_offsets::ListOffsetsResponse) {
    use list_offsets::*;
    let topics = vec![ListOffsetsTopic { name: "topic".into(), partitions: some() }];
    let request = ListOffsetsRequest { topics, ..Default::default() };
    let topics = vec![ListOffsetsTopicResponse { name: "topic".into(), partitions: some() }];
    (request, ListOffsetsResponse { topics, ..Default::default() })
}

fn metadata(version: i16) -> (metadata::MetadataRequest, metadata::MetadataResponse) {
    use metadata::*;
    let topics =
        Some(vec![MetadataRequestTopic { name: Some("topic".into()), ..Default::default() }]);
    let request = MetadataRequest { topics, allow_auto_topic_creation: true, ..Default::default() };
    let partitions =
        vec![MetadataResponsePartition { replica_nodes: vec![1, 2], ..Default::default() }];
    let topics = vec![MetadataResponseTopic {
        name: Some("topic".into()),
        partitions,
        ..Default::default()
    }];
    let rack = (version >= 1).then(|| "rack".into());
    let brokers = vec![MetadataResponseBroker { host: "host".into(), rack, ..Default::default() }];
    (request, MetadataResponse { brokers, topics, ..Default::default() })
}

fn api_versions() -> (api_versions::ApiVersionsRequest, api_versions::ApiVersionsResponse) {
    use api_versions::*;
    let request = ApiVersionsRequest {
        client_software_name: "name".into(),
        client_software_version: "1".into(),
    };
    let (supported_features, finalized_features) = (some(), some());
    (
        request,
        ApiVersionsResponse {
            api_keys: some(),
            supported_features,
            finalized_features,
            ..Default::default()
        },
    )
}

fn create_topics() -> (create_topics::CreateTopicsRequest, create_topics::CreateTopicsResponse) {
    use create_topics::*;
    let assignments = vec![CreatableReplicaAssignment { partition_index: 0, broker_ids: vec![1] }];
    let topics = vec![CreatableTopic {
        name: "topic".into(),
        assignments,
        configs: some(),
        ..Default::default()
    }];
    let request = CreateTopicsRequest { topics, ..Default::default() };
    let topics = vec![CreatableTopicResult { configs: Some(some()), ..Default::default() }];
    (request, CreateTopicsResponse { topics, ..Default::default() })
}

fn delete_topics(
    version: i16,
) -> (delete_topics::DeleteTopicsRequest, delete_topics::DeleteTopicsResponse) {
    use delete_topics::*;
    let mut request =
        DeleteTopicsRequest { topic_names: vec!["topic".into()], ..Default::default() };
    if version >= 6 {
        request.topics = some();
    }
    let responses = vec![DeletableTopicResult { name: Some("topic".into()), ..Default::default() }];
    (request, DeleteTopicsResponse { responses, ..Default::default() })
}

fn init_producer_id()
-> (init_producer_id::InitProducerIdRequest, init_producer_id::InitProducerIdResponse) {
    use init_producer_id::*;
    let transactional_id = Some("transactional".into());
    (
        InitProducerIdRequest { transactional_id, ..Default::default() },
        InitProducerIdResponse::default(),
    )
}

fn offset_for_leader_epoch() -> (
    offset_for_leader_epoch::OffsetForLeaderEpochRequest,
    offset_for_leader_epoch::OffsetForLeaderEpochResponse,
) {
    use offset_for_leader_epoch::*;
    let topics = vec![OffsetForLeaderTopic { topic: "topic".into(), partitions: some() }];
    let request = OffsetForLeaderEpochRequest { topics, ..Default::default() };
    let topics = vec![OffsetForLeaderTopicResult { topic: "topic".into(), partitions: some() }];
    (request, OffsetForLeaderEpochResponse { topics, ..Default::default() })
}

fn describe_configs()
-> (describe_configs::DescribeConfigsRequest, describe_configs::DescribeConfigsResponse) {
    use describe_configs::*;
    let configuration_keys = Some(vec!["key".into()]);
    let resources = vec![DescribeConfigsResource { configuration_keys, ..Default::default() }];
    let request = DescribeConfigsRequest { resources, ..Default::default() };
    let configs = vec![DescribeConfigsResourceResult { synonyms: some(), ..Default::default() }];
    let results = vec![DescribeConfigsResult { configs, ..Default::default() }];
    (request, DescribeConfigsResponse { results, ..Default::default() })
}

fn alter_replica_log_dirs() -> (
    alter_replica_log_dirs::AlterReplicaLogDirsRequest,
    alter_replica_log_dirs::AlterReplicaLogDirsResponse,
) {
    use alter_replica_log_dirs::*;
    let topics = vec![AlterReplicaLogDirTopic { name: "topic".into(), partitions: vec![1, 2] }];
    let dirs = vec![AlterReplicaLogDir { path: "/data".into(), topics }];
    let results =
        vec![AlterReplicaLogDirTopicResult { topic_name: "topic".into(), partitions: some() }];
    (
        AlterReplicaLogDirsRequest { dirs },
        AlterReplicaLogDirsResponse { results, ..Default::default() },
    )
}

fn describe_log_dirs()
-> (describe_log_dirs::DescribeLogDirsRequest, describe_log_dirs::DescribeLogDirsResponse) {
    use describe_log_dirs::*;
    let topics =
        Some(vec![DescribableLogDirTopic { topic: "topic".into(), partitions: vec![1, 2] }]);
    let within = vec![DescribeLogDirsTopic { name: "topic".into(), partitions: some() }];
    let results = vec![DescribeLogDirsResult { topics: within, ..Default::default() }];
    (DescribeLogDirsRequest { topics }, DescribeLogDirsResponse { results, ..Default::default() })
}
