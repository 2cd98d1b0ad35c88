//! The samples of the APIs of share groups.

use super::some;
use net::wire::*;

/// A request and a response of an API.
type Sample<R> = (R, <R as Request>::Response);

pub(super) fn share_fetch() -> Sample<share_fetch::ShareFetchRequest> {
    use share_fetch::*;
    let acknowledged = AcknowledgementBatch { acknowledge_types: vec![1, 2], ..Default::default() };
    let partitions =
        vec![FetchPartition { acknowledgement_batches: vec![acknowledged], ..Default::default() }];
    let request = ShareFetchRequest {
        group_id: Some("group".into()),
        member_id: Some("member".into()),
        topics: vec![FetchTopic { partitions, ..Default::default() }],
        forgotten_topics_data: vec![ForgottenTopic { partitions: vec![1], ..Default::default() }],
        ..Default::default()
    };
    let partitions = vec![PartitionData {
        error_message: Some("text".into()),
        acknowledge_error_message: Some("text".into()),
        records: Records::from(bytes::Bytes::from_static(b"records")),
        acquired_records: some(),
        ..Default::default()
    }];
    let response = ShareFetchResponse {
        error_message: Some("text".into()),
        responses: vec![ShareFetchableTopicResponse { partitions, ..Default::default() }],
        node_endpoints: vec![NodeEndpoint { rack: Some("rack".into()), ..Default::default() }],
        ..Default::default()
    };
    (request, response)
}

pub(super) fn share_acknowledge() -> Sample<share_acknowledge::ShareAcknowledgeRequest> {
    use share_acknowledge::*;
    use share_fetch::{AcknowledgementBatch, NodeEndpoint};
    let acknowledged = AcknowledgementBatch { acknowledge_types: vec![1, 2], ..Default::default() };
    let partitions = vec![AcknowledgePartition {
        acknowledgement_batches: vec![acknowledged],
        ..Default::default()
    }];
    let request = ShareAcknowledgeRequest {
        group_id: Some("group".into()),
        member_id: Some("member".into()),
        topics: vec![AcknowledgeTopic { partitions, ..Default::default() }],
        ..Default::default()
    };
    let partitions =
        vec![PartitionData { error_message: Some("text".into()), ..Default::default() }];
    let response = ShareAcknowledgeResponse {
        error_message: Some("text".into()),
        responses: vec![ShareAcknowledgeTopicResponse { partitions, ..Default::default() }],
        node_endpoints: vec![NodeEndpoint { rack: Some("rack".into()), ..Default::default() }],
        ..Default::default()
    };
    (request, response)
}

pub(super) fn initialize_share_group_state()
-> Sample<initialize_share_group_state::InitializeShareGroupStateRequest> {
    use initialize_share_group_state::*;
    let topics = vec![InitializeStateData { partitions: some(), ..Default::default() }];
    let request = InitializeShareGroupStateRequest { group_id: "group".into(), topics };
    let results = vec![InitializeStateResult { partitions: some(), ..Default::default() }];
    (request, InitializeShareGroupStateResponse { results })
}

pub(super) fn read_share_group_state() -> Sample<read_share_group_state::ReadShareGroupStateRequest>
{
    use read_share_group_state::*;
    let topics = vec![ReadStateData { partitions: some(), ..Default::default() }];
    let request = ReadShareGroupStateRequest { group_id: "group".into(), topics };
    let partitions = vec![PartitionResult {
        error_message: Some("text".into()),
        state_batches: vec![StateBatch::default(); 2],
        ..Default::default()
    }];
    let results = vec![ReadStateResult { partitions, ..Default::default() }];
    (request, ReadShareGroupStateResponse { results })
}

pub(super) fn write_share_group_state()
-> Sample<write_share_group_state::WriteShareGroupStateRequest> {
    use write_share_group_state::*;
    let partitions = vec![PartitionData { state_batches: some(), ..Default::default() }];
    let topics = vec![WriteStateData { partitions, ..Default::default() }];
    let request = WriteShareGroupStateRequest { group_id: "group".into(), topics };
    let results = vec![WriteStateResult { partitions: some(), ..Default::default() }];
    (request, WriteShareGroupStateResponse { results })
}

pub(super) fn delete_share_group_state()
-> Sample<delete_share_group_state::DeleteShareGroupStateRequest> {
    use delete_share_group_state::*;
    let topics = vec![DeleteStateData { partitions: some(), ..Default::default() }];
    let request = DeleteShareGroupStateRequest { group_id: "group".into(), topics };
    let results = vec![DeleteStateResult { partitions: some(), ..Default::default() }];
    (request, DeleteShareGroupStateResponse { results })
}

pub(super) fn read_share_group_state_summary()
-> Sample<read_share_group_state_summary::ReadShareGroupStateSummaryRequest> {
    use read_share_group_state_summary::*;
    let topics = vec![ReadStateSummaryData { partitions: some(), ..Default::default() }];
    let request = ReadShareGroupStateSummaryRequest { group_id: "group".into(), topics };
    let results = vec![ReadStateSummaryResult { partitions: some(), ..Default::default() }];
    (request, ReadShareGroupStateSummaryResponse { results })
}

pub(super) fn share_group_heartbeat() -> Sample<share_group_heartbeat::ShareGroupHeartbeatRequest> {
    use share_group_heartbeat::*;
    let request = ShareGroupHeartbeatRequest {
        group_id: "group".into(),
        member_id: "member".into(),
        rack_id: Some("rack".into()),
        subscribed_topic_names: Some(vec!["topic".into(); 2]),
        ..Default::default()
    };
    let topic = TopicPartitions { partitions: vec![1, 2], ..Default::default() };
    let response = ShareGroupHeartbeatResponse {
        error_message: Some("text".into()),
        member_id: Some("member".into()),
        assignment: Some(Assignment { topic_partitions: vec![topic] }),
        ..Default::default()
    };
    (request, response)
}

pub(super) fn share_group_describe() -> Sample<share_group_describe::ShareGroupDescribeRequest> {
    use share_group_describe::*;
    let request =
        ShareGroupDescribeRequest { group_ids: vec!["group".into(); 2], ..Default::default() };
    let topic = TopicPartitions { partitions: vec![1, 2], ..Default::default() };
    let member = Member {
        rack_id: Some("rack".into()),
        subscribed_topic_names: vec!["topic".into()],
        assignment: Assignment { topic_partitions: vec![topic] },
        ..Default::default()
    };
    let group = DescribedGroup {
        error_message: Some("text".into()),
        members: vec![member],
        ..Default::default()
    };
    (request, ShareGroupDescribeResponse { groups: vec![group], ..Default::default() })
}

pub(super) fn describe_share_group_offsets()
-> Sample<describe_share_group_offsets::DescribeShareGroupOffsetsRequest> {
    use describe_share_group_offsets::*;
    let topic = DescribeShareGroupOffsetsRequestTopic {
        topic_name: "topic".into(),
        partitions: vec![0, 1],
    };
    let group = DescribeShareGroupOffsetsRequestGroup {
        group_id: "group".into(),
        topics: Some(vec![topic]),
    };
    let partition = DescribeShareGroupOffsetsResponsePartition {
        error_message: Some("text".into()),
        ..Default::default()
    };
    let topic = DescribeShareGroupOffsetsResponseTopic {
        partitions: vec![partition],
        ..Default::default()
    };
    let described =
        DescribeShareGroupOffsetsResponseGroup { topics: vec![topic], ..Default::default() };
    let response =
        DescribeShareGroupOffsetsResponse { groups: vec![described], ..Default::default() };
    (DescribeShareGroupOffsetsRequest { groups: vec![group] }, response)
}

pub(super) fn alter_share_group_offsets()
-> Sample<alter_share_group_offsets::AlterShareGroupOffsetsRequest> {
    use alter_share_group_offsets::*;
    let topic =
        AlterShareGroupOffsetsRequestTopic { topic_name: "topic".into(), partitions: some() };
    let request = AlterShareGroupOffsetsRequest { group_id: "group".into(), topics: vec![topic] };
    let topic = AlterShareGroupOffsetsResponseTopic { partitions: some(), ..Default::default() };
    (request, AlterShareGroupOffsetsResponse { responses: vec![topic], ..Default::default() })
}

pub(super) fn delete_share_group_offsets()
-> Sample<delete_share_group_offsets::DeleteShareGroupOffsetsRequest> {
    use delete_share_group_offsets::*;
    let request = DeleteShareGroupOffsetsRequest { group_id: "group".into(), topics: some() };
    (request, DeleteShareGroupOffsetsResponse { responses: some(), ..Default::default() })
}
