//! A message of each API with an element in each of its arrays and a value in each of its tagged fields, where the version
//! has them.

use super::{Tally, attack as run};
use net::wire::*;

#[path = "groups.rs"]
mod groups;
#[path = "shares.rs"]
mod shares;

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
        "ConsumerGroupHeartbeat" => run(version, groups::consumer_group_heartbeat(version), rounds),
        "ConsumerGroupDescribe" => run(version, groups::consumer_group_describe(), rounds),
        "AlterConfigs" => run(version, alter_configs(), rounds),
        "IncrementalAlterConfigs" => run(version, incremental_alter_configs(), rounds),
        "CreatePartitions" => run(version, create_partitions(), rounds),
        "ElectLeaders" => run(version, elect_leaders(), rounds),
        "AlterPartitionReassignments" => run(version, alter_partition_reassignments(), rounds),
        "ListPartitionReassignments" => run(version, list_partition_reassignments(), rounds),
        "DeleteRecords" => run(version, delete_records(), rounds),
        "DescribeProducers" => run(version, describe_producers(), rounds),
        "DescribeCluster" => run(version, describe_cluster(), rounds),
        "DescribeTopicPartitions" => run(version, describe_topic_partitions(), rounds),
        "UpdateFeatures" => run(version, update_features(), rounds),
        "ListConfigResources" => run(version, list_config_resources(version), rounds),
        "DescribeQuorum" => run(version, describe_quorum(version), rounds),
        "AlterClientQuotas" => run(version, alter_client_quotas(), rounds),
        "DescribeClientQuotas" => run(version, describe_client_quotas(), rounds),
        "GetTelemetrySubscriptions" => run(version, get_telemetry_subscriptions(), rounds),
        "PushTelemetry" => run(version, push_telemetry(), rounds),
        "ShareFetch" => run(version, shares::share_fetch(), rounds),
        "ShareAcknowledge" => run(version, shares::share_acknowledge(), rounds),
        "InitializeShareGroupState" => run(version, shares::initialize_share_group_state(), rounds),
        "ReadShareGroupState" => run(version, shares::read_share_group_state(), rounds),
        "WriteShareGroupState" => run(version, shares::write_share_group_state(), rounds),
        "DeleteShareGroupState" => run(version, shares::delete_share_group_state(), rounds),
        "ReadShareGroupStateSummary" => {
            run(version, shares::read_share_group_state_summary(), rounds)
        }
        "ShareGroupHeartbeat" => run(version, shares::share_group_heartbeat(), rounds),
        "ShareGroupDescribe" => run(version, shares::share_group_describe(), rounds),
        "DescribeShareGroupOffsets" => run(version, shares::describe_share_group_offsets(), rounds),
        "AlterShareGroupOffsets" => run(version, shares::alter_share_group_offsets(), rounds),
        "DeleteShareGroupOffsets" => run(version, shares::delete_share_group_offsets(), rounds),
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

fn alter_configs() -> (alter_configs::AlterConfigsRequest, alter_configs::AlterConfigsResponse) {
    use alter_configs::*;
    let resources = vec![AlterConfigsResource { configs: some(), ..Default::default() }];
    let request = AlterConfigsRequest { resources, ..Default::default() };
    (request, AlterConfigsResponse { responses: some(), ..Default::default() })
}

fn incremental_alter_configs() -> (
    incremental_alter_configs::IncrementalAlterConfigsRequest,
    incremental_alter_configs::IncrementalAlterConfigsResponse,
) {
    use incremental_alter_configs::*;
    let resources = vec![AlterConfigsResource { configs: some(), ..Default::default() }];
    let request = IncrementalAlterConfigsRequest { resources, ..Default::default() };
    (request, IncrementalAlterConfigsResponse { responses: some(), ..Default::default() })
}

fn create_partitions()
-> (create_partitions::CreatePartitionsRequest, create_partitions::CreatePartitionsResponse) {
    use create_partitions::*;
    let assignments = Some(vec![CreatePartitionsAssignment { broker_ids: vec![1] }]);
    let topics = vec![CreatePartitionsTopic { assignments, ..Default::default() }];
    let request = CreatePartitionsRequest { topics, ..Default::default() };
    (request, CreatePartitionsResponse { results: some(), ..Default::default() })
}

fn elect_leaders() -> (elect_leaders::ElectLeadersRequest, elect_leaders::ElectLeadersResponse) {
    use elect_leaders::*;
    let topics = vec![TopicPartitions { partitions: vec![1, 2], ..Default::default() }];
    let request = ElectLeadersRequest { topic_partitions: Some(topics), ..Default::default() };
    let results = vec![ReplicaElectionResult { partition_result: some(), ..Default::default() }];
    (request, ElectLeadersResponse { replica_election_results: results, ..Default::default() })
}

fn alter_partition_reassignments() -> (
    alter_partition_reassignments::AlterPartitionReassignmentsRequest,
    alter_partition_reassignments::AlterPartitionReassignmentsResponse,
) {
    use alter_partition_reassignments::*;
    let partitions =
        vec![ReassignablePartition { replicas: Some(vec![1, 2]), ..Default::default() }];
    let topics = vec![ReassignableTopic { partitions, ..Default::default() }];
    let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
    let responses = vec![ReassignableTopicResponse { partitions: some(), ..Default::default() }];
    (request, AlterPartitionReassignmentsResponse { responses, ..Default::default() })
}

fn list_partition_reassignments() -> (
    list_partition_reassignments::ListPartitionReassignmentsRequest,
    list_partition_reassignments::ListPartitionReassignmentsResponse,
) {
    use list_partition_reassignments::*;
    let asked =
        ListPartitionReassignmentsTopics { partition_indexes: vec![1], ..Default::default() };
    let request =
        ListPartitionReassignmentsRequest { topics: Some(vec![asked]), ..Default::default() };
    let partition = OngoingPartitionReassignment {
        replicas: vec![1],
        adding_replicas: vec![2],
        removing_replicas: vec![3],
        ..Default::default()
    };
    let topics =
        vec![OngoingTopicReassignment { partitions: vec![partition], ..Default::default() }];
    (request, ListPartitionReassignmentsResponse { topics, ..Default::default() })
}

fn delete_records() -> (delete_records::DeleteRecordsRequest, delete_records::DeleteRecordsResponse)
{
    use delete_records::*;
    let topics = vec![DeleteRecordsTopic { partitions: some(), ..Default::default() }];
    let request = DeleteRecordsRequest { topics, ..Default::default() };
    let topics = vec![DeleteRecordsTopicResult { partitions: some(), ..Default::default() }];
    (request, DeleteRecordsResponse { topics, ..Default::default() })
}

fn describe_producers()
-> (describe_producers::DescribeProducersRequest, describe_producers::DescribeProducersResponse) {
    use describe_producers::*;
    let topics = vec![TopicRequest { partition_indexes: vec![1, 2], ..Default::default() }];
    let partitions = vec![PartitionResponse { active_producers: some(), ..Default::default() }];
    let told = vec![TopicResponse { partitions, ..Default::default() }];
    (
        DescribeProducersRequest { topics },
        DescribeProducersResponse { topics: told, ..Default::default() },
    )
}

fn describe_cluster()
-> (describe_cluster::DescribeClusterRequest, describe_cluster::DescribeClusterResponse) {
    use describe_cluster::*;
    let response = DescribeClusterResponse { brokers: some(), ..Default::default() };
    (DescribeClusterRequest::default(), response)
}

fn describe_topic_partitions() -> (
    describe_topic_partitions::DescribeTopicPartitionsRequest,
    describe_topic_partitions::DescribeTopicPartitionsResponse,
) {
    use describe_topic_partitions::*;
    let cursor = || Some(Cursor::default());
    let request =
        DescribeTopicPartitionsRequest { topics: some(), cursor: cursor(), ..Default::default() };
    let topics = vec![DescribeTopicPartitionsResponseTopic {
        name: Some("topic".into()),
        partitions: some(),
        ..Default::default()
    }];
    let next_cursor = cursor();
    (request, DescribeTopicPartitionsResponse { topics, next_cursor, ..Default::default() })
}

fn update_features()
-> (update_features::UpdateFeaturesRequest, update_features::UpdateFeaturesResponse) {
    use update_features::*;
    let request = UpdateFeaturesRequest { feature_updates: some(), ..Default::default() };
    (request, UpdateFeaturesResponse { results: some(), ..Default::default() })
}

fn list_config_resources(
    version: i16,
) -> (
    list_config_resources::ListConfigResourcesRequest,
    list_config_resources::ListConfigResourcesResponse,
) {
    use list_config_resources::*;
    let resource_types = if version >= 1 { vec![2, 4] } else { Vec::new() };
    let response = ListConfigResourcesResponse { config_resources: some(), ..Default::default() };
    (ListConfigResourcesRequest { resource_types }, response)
}

fn describe_quorum(
    version: i16,
) -> (describe_quorum::DescribeQuorumRequest, describe_quorum::DescribeQuorumResponse) {
    use describe_quorum::*;
    let topics = vec![TopicData { partitions: some(), ..Default::default() }];
    let partitions =
        vec![PartitionResult { current_voters: some(), observers: some(), ..Default::default() }];
    let told = vec![TopicResult { partitions, ..Default::default() }];
    let node = || Node { listeners: some(), ..Default::default() };
    let nodes = if version >= 2 { vec![node()] } else { Vec::new() };
    (
        DescribeQuorumRequest { topics },
        DescribeQuorumResponse { topics: told, nodes, ..Default::default() },
    )
}

fn alter_client_quotas()
-> (alter_client_quotas::AlterClientQuotasRequest, alter_client_quotas::AlterClientQuotasResponse) {
    use alter_client_quotas::*;
    let entries = vec![EntryData { entity: some(), ops: some() }];
    let request = AlterClientQuotasRequest { entries, ..Default::default() };
    let entries = vec![EntryResult { entity: some(), ..Default::default() }];
    (request, AlterClientQuotasResponse { entries, ..Default::default() })
}

fn describe_client_quotas() -> (
    describe_client_quotas::DescribeClientQuotasRequest,
    describe_client_quotas::DescribeClientQuotasResponse,
) {
    use describe_client_quotas::*;
    let request = DescribeClientQuotasRequest { components: some(), strict: true };
    let entries = Some(vec![EntryData { entity: some(), values: some() }]);
    (request, DescribeClientQuotasResponse { entries, ..Default::default() })
}

fn get_telemetry_subscriptions() -> (
    get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest,
    get_telemetry_subscriptions::GetTelemetrySubscriptionsResponse,
) {
    use get_telemetry_subscriptions::*;
    let response = GetTelemetrySubscriptionsResponse {
        accepted_compression_types: vec![4, 3],
        requested_metrics: some(),
        ..Default::default()
    };
    (GetTelemetrySubscriptionsRequest::default(), response)
}

fn push_telemetry() -> (push_telemetry::PushTelemetryRequest, push_telemetry::PushTelemetryResponse)
{
    use push_telemetry::*;
    let request = PushTelemetryRequest { metrics: vec![7; 40].into(), ..Default::default() };
    (request, PushTelemetryResponse::default())
}
