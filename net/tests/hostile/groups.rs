//! The samples of the group APIs.

use super::some;
use net::wire::*;

/// A request and a response of an API.
type Sample<R> = (R, <R as Request>::Response);

pub(super) fn offset_commit() -> Sample<offset_commit::OffsetCommitRequest> {
    use offset_commit::*;
    let partitions = vec![OffsetCommitRequestPartition {
        committed_metadata: Some("metadata".into()),
        ..Default::default()
    }];
    let topics = vec![OffsetCommitRequestTopic { partitions, ..Default::default() }];
    let request = OffsetCommitRequest { group_id: "group".into(), topics, ..Default::default() };
    let topics = vec![OffsetCommitResponseTopic { partitions: some(), ..Default::default() }];
    (request, OffsetCommitResponse { topics, ..Default::default() })
}

pub(super) fn offset_fetch(version: i16) -> Sample<offset_fetch::OffsetFetchRequest> {
    use offset_fetch::*;
    let (mut request, mut response) = Sample::<OffsetFetchRequest>::default();
    if version < 8 {
        request.topics = Some(vec![OffsetFetchRequestTopic {
            name: "topic".into(),
            partition_indexes: vec![1, 2],
        }]);
        let partitions = vec![OffsetFetchResponsePartition {
            metadata: Some("metadata".into()),
            ..Default::default()
        }];
        response.topics = vec![OffsetFetchResponseTopic { partitions, ..Default::default() }];
        return (request, response);
    }
    let topic = OffsetFetchRequestTopics { partition_indexes: vec![1, 2], ..Default::default() };
    let group = OffsetFetchRequestGroup {
        group_id: "group".into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    request.groups = vec![group];
    let partitions = vec![OffsetFetchResponsePartitions {
        metadata: Some("metadata".into()),
        ..Default::default()
    }];
    let topics = vec![OffsetFetchResponseTopics { partitions, ..Default::default() }];
    response.groups = vec![OffsetFetchResponseGroup { topics, ..Default::default() }];
    (request, response)
}

pub(super) fn find_coordinator(version: i16) -> Sample<find_coordinator::FindCoordinatorRequest> {
    use find_coordinator::*;
    let (mut request, mut response) = Sample::<FindCoordinatorRequest>::default();
    if version < 4 {
        request.key = "group".into();
        response.host = "host".into();
    } else {
        request.coordinator_keys = vec!["group".into()];
        response.coordinators = some();
    }
    (request, response)
}

pub(super) fn join_group() -> Sample<join_group::JoinGroupRequest> {
    use join_group::*;
    let protocols =
        vec![JoinGroupRequestProtocol { name: "range".into(), metadata: vec![7; 20].into() }];
    let request = JoinGroupRequest { group_id: "group".into(), protocols, ..Default::default() };
    let protocol_name = Some("range".into());
    (request, JoinGroupResponse { protocol_name, members: some(), ..Default::default() })
}

pub(super) fn heartbeat() -> Sample<heartbeat::HeartbeatRequest> {
    use heartbeat::*;
    let request = HeartbeatRequest { group_id: "group".into(), ..Default::default() };
    (request, HeartbeatResponse::default())
}

pub(super) fn leave_group(version: i16) -> Sample<leave_group::LeaveGroupRequest> {
    use leave_group::*;
    let (mut request, mut response) = Sample::<LeaveGroupRequest>::default();
    if version < 3 {
        request.member_id = "member".into();
    } else {
        request.members = some();
        response.members = some();
    }
    (request, response)
}

pub(super) fn sync_group() -> Sample<sync_group::SyncGroupRequest> {
    use sync_group::*;
    let assignments = vec![SyncGroupRequestAssignment {
        member_id: "member".into(),
        assignment: vec![7; 20].into(),
    }];
    let request = SyncGroupRequest { group_id: "group".into(), assignments, ..Default::default() };
    (request, SyncGroupResponse { assignment: vec![7; 20].into(), ..Default::default() })
}

pub(super) fn describe_groups() -> Sample<describe_groups::DescribeGroupsRequest> {
    use describe_groups::*;
    let request = DescribeGroupsRequest { groups: vec!["group".into()], ..Default::default() };
    let groups = vec![DescribedGroup { members: some(), ..Default::default() }];
    (request, DescribeGroupsResponse { groups, ..Default::default() })
}

pub(super) fn list_groups(version: i16) -> Sample<list_groups::ListGroupsRequest> {
    use list_groups::*;
    let (mut request, mut response) = Sample::<ListGroupsRequest>::default();
    if version >= 4 {
        request.states_filter = vec!["Stable".into()];
    }
    response.groups = some();
    (request, response)
}

pub(super) fn delete_groups() -> Sample<delete_groups::DeleteGroupsRequest> {
    use delete_groups::*;
    let request = DeleteGroupsRequest { groups_names: vec!["group".into()] };
    (request, DeleteGroupsResponse { results: some(), ..Default::default() })
}

pub(super) fn offset_delete() -> Sample<offset_delete::OffsetDeleteRequest> {
    use offset_delete::*;
    let topics = vec![OffsetDeleteRequestTopic { name: "topic".into(), partitions: some() }];
    let request = OffsetDeleteRequest { group_id: "group".into(), topics };
    let topics = vec![OffsetDeleteResponseTopic { name: "topic".into(), partitions: some() }];
    (request, OffsetDeleteResponse { topics, ..Default::default() })
}

pub(super) fn consumer_group_heartbeat(
    version: i16,
) -> Sample<consumer_group_heartbeat::ConsumerGroupHeartbeatRequest> {
    use consumer_group_heartbeat::*;
    let topic_partitions = vec![TopicPartitions { partitions: vec![1, 2], ..Default::default() }];
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "group".into(),
        member_id: "member".into(),
        instance_id: Some("instance".into()),
        subscribed_topic_names: Some(vec!["topic".into()]),
        subscribed_topic_regex: (version >= 1).then(|| "t.*".into()),
        topic_partitions: Some(topic_partitions.clone()),
        ..Default::default()
    };
    let assignment = Some(Assignment { topic_partitions });
    (request, ConsumerGroupHeartbeatResponse { assignment, ..Default::default() })
}

pub(super) fn consumer_group_describe()
-> Sample<consumer_group_describe::ConsumerGroupDescribeRequest> {
    use consumer_group_describe::*;
    let request =
        ConsumerGroupDescribeRequest { group_ids: vec!["group".into()], ..Default::default() };
    let assignment = Assignment {
        topic_partitions: vec![TopicPartitions {
            topic_name: "topic".into(),
            partitions: vec![1, 2],
            ..Default::default()
        }],
    };
    let member = Member {
        subscribed_topic_names: vec!["topic".into()],
        target_assignment: assignment.clone(),
        assignment,
        ..Default::default()
    };
    let groups = vec![DescribedGroup { members: vec![member], ..Default::default() }];
    (request, ConsumerGroupDescribeResponse { groups, ..Default::default() })
}
