//! The APIs that are served: the one list from which come the answer to ApiVersions and the dispatcher's decoding.

use std::ops::RangeInclusive;

use super::{
    DecodeError, Decoder, Request, RequestHeader, Wire, alter_client_quotas, alter_configs,
    alter_partition_reassignments, alter_replica_log_dirs, alter_share_group_offsets, api_versions,
    consumer_group_describe, consumer_group_heartbeat, create_partitions, create_topics,
    delete_groups, delete_records, delete_share_group_offsets, delete_share_group_state,
    delete_topics, describe_client_quotas, describe_cluster, describe_configs, describe_groups,
    describe_log_dirs, describe_producers, describe_quorum, describe_share_group_offsets,
    describe_topic_partitions, elect_leaders, fetch, find_coordinator, get_telemetry_subscriptions,
    heartbeat, incremental_alter_configs, init_producer_id, initialize_share_group_state,
    join_group, leave_group, list_config_resources, list_groups, list_offsets,
    list_partition_reassignments, metadata, offset_commit, offset_delete, offset_fetch,
    offset_for_leader_epoch, produce, push_telemetry, read_share_group_state,
    read_share_group_state_summary, share_acknowledge, share_fetch, share_group_describe,
    share_group_heartbeat, sync_group, update_features, write_share_group_state,
};

macro_rules! apis {
    ($($name:ident = $module:ident::$request:ident $(, announced from $announced:literal)?;)*) => {
        const APIS: &[Api] = &[$(Api::of::<$module::$request>(
            stringify!($name),
            first([$($announced,)? *<$module::$request as Request>::VERSIONS.start()]),
        )),*];

        /// A decoded request of any API. The dispatcher matches it without `_`, so that none is forgotten.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyRequest {
            $($name($module::$request)),*
        }

        impl AnyRequest {
            /// Decodes the body that follows `header`. A version that is not served is an error
            /// (`DecodeError::Version`): the connection is closed, except for ApiVersions, whose answer names the right ones.
            pub fn decode(header: &RequestHeader, d: &mut Decoder) -> Result<AnyRequest, DecodeError> {
                match header.api_key {
                    $(<$module::$request as Request>::KEY => {
                        Wire::decode(d, header.api_version).map(AnyRequest::$name)
                    })*
                    key => Err(DecodeError::Key { key }),
                }
            }
        }
    };
}

apis! {

    // Announced from 0 though 0-2 are refused: librdkafka before 2.11.1 compresses with gzip, snappy and lz4 only where
    // it sees version 0, and otherwise sends records uncompressed without a word (KAFKA-18659).
    Produce = produce::ProduceRequest, announced from 0;
    Fetch = fetch::FetchRequest;
    ListOffsets = list_offsets::ListOffsetsRequest;
    Metadata = metadata::MetadataRequest;
    OffsetCommit = offset_commit::OffsetCommitRequest;
    OffsetFetch = offset_fetch::OffsetFetchRequest;
    FindCoordinator = find_coordinator::FindCoordinatorRequest;
    JoinGroup = join_group::JoinGroupRequest;
    Heartbeat = heartbeat::HeartbeatRequest;
    LeaveGroup = leave_group::LeaveGroupRequest;
    SyncGroup = sync_group::SyncGroupRequest;
    DescribeGroups = describe_groups::DescribeGroupsRequest;
    ListGroups = list_groups::ListGroupsRequest;
    ApiVersions = api_versions::ApiVersionsRequest;
    CreateTopics = create_topics::CreateTopicsRequest;
    DeleteTopics = delete_topics::DeleteTopicsRequest;
    DeleteRecords = delete_records::DeleteRecordsRequest;
    InitProducerId = init_producer_id::InitProducerIdRequest;
    OffsetForLeaderEpoch = offset_for_leader_epoch::OffsetForLeaderEpochRequest;
    DescribeConfigs = describe_configs::DescribeConfigsRequest;
    AlterConfigs = alter_configs::AlterConfigsRequest;
    AlterReplicaLogDirs = alter_replica_log_dirs::AlterReplicaLogDirsRequest;
    DescribeLogDirs = describe_log_dirs::DescribeLogDirsRequest;
    CreatePartitions = create_partitions::CreatePartitionsRequest;
    DeleteGroups = delete_groups::DeleteGroupsRequest;
    ElectLeaders = elect_leaders::ElectLeadersRequest;
    IncrementalAlterConfigs = incremental_alter_configs::IncrementalAlterConfigsRequest;
    AlterPartitionReassignments = alter_partition_reassignments::AlterPartitionReassignmentsRequest;
    ListPartitionReassignments = list_partition_reassignments::ListPartitionReassignmentsRequest;
    OffsetDelete = offset_delete::OffsetDeleteRequest;
    DescribeClientQuotas = describe_client_quotas::DescribeClientQuotasRequest;
    AlterClientQuotas = alter_client_quotas::AlterClientQuotasRequest;
    DescribeQuorum = describe_quorum::DescribeQuorumRequest;
    UpdateFeatures = update_features::UpdateFeaturesRequest;
    DescribeCluster = describe_cluster::DescribeClusterRequest;
    DescribeProducers = describe_producers::DescribeProducersRequest;
    ConsumerGroupHeartbeat = consumer_group_heartbeat::ConsumerGroupHeartbeatRequest;
    ConsumerGroupDescribe = consumer_group_describe::ConsumerGroupDescribeRequest;
    GetTelemetrySubscriptions = get_telemetry_subscriptions::GetTelemetrySubscriptionsRequest;
    PushTelemetry = push_telemetry::PushTelemetryRequest;
    ListConfigResources = list_config_resources::ListConfigResourcesRequest;
    DescribeTopicPartitions = describe_topic_partitions::DescribeTopicPartitionsRequest;
    ShareGroupHeartbeat = share_group_heartbeat::ShareGroupHeartbeatRequest;
    ShareGroupDescribe = share_group_describe::ShareGroupDescribeRequest;
    ShareFetch = share_fetch::ShareFetchRequest;
    ShareAcknowledge = share_acknowledge::ShareAcknowledgeRequest;
    InitializeShareGroupState = initialize_share_group_state::InitializeShareGroupStateRequest;
    ReadShareGroupState = read_share_group_state::ReadShareGroupStateRequest;
    WriteShareGroupState = write_share_group_state::WriteShareGroupStateRequest;
    DeleteShareGroupState = delete_share_group_state::DeleteShareGroupStateRequest;
    ReadShareGroupStateSummary = read_share_group_state_summary::ReadShareGroupStateSummaryRequest;
    DescribeShareGroupOffsets = describe_share_group_offsets::DescribeShareGroupOffsetsRequest;
    AlterShareGroupOffsets = alter_share_group_offsets::AlterShareGroupOffsetsRequest;
    DeleteShareGroupOffsets = delete_share_group_offsets::DeleteShareGroupOffsetsRequest;
}

/// What is known of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    pub key: i16,
    pub name: &'static str,
    /// Versions that are served.
    pub versions: RangeInclusive<i16>,
    /// The lowest version that ApiVersions announces.
    pub announced_min: i16,
    /// The first flexible version.
    pub flexible: i16,
}

impl Api {
    const fn of<R: Request>(name: &'static str, announced_min: i16) -> Api {
        Api { key: R::KEY, name, versions: R::VERSIONS, announced_min, flexible: R::FLEXIBLE }
    }
}

/// All APIs, by key.
pub fn apis() -> &'static [Api] {
    APIS
}

/// The API of a key.
pub fn api(key: i16) -> Option<&'static Api> {
    APIS.binary_search_by_key(&key, |api| api.key).ok().map(|index| &APIS[index])
}

const fn first<const N: usize>(versions: [i16; N]) -> i16 {
    versions[0]
}

/// `api` searches.
const _: () = {
    let mut index = 1;
    while index < APIS.len() {
        assert!(APIS[index - 1].key < APIS[index].key, "the list is in the order of keys");
        index += 1;
    }
};
