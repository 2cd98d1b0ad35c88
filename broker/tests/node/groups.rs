//! Groups, over sockets: members on several connections, and what stays of them after a stop.

#![expect(clippy::disallowed_methods, reason = "a test waits, and looks how long")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::delete_groups::DeleteGroupsRequest;
use net::wire::delete_topics::DeleteTopicsRequest;
use net::wire::describe_groups::{DescribeGroupsRequest, DescribedGroup};
use net::wire::find_coordinator::FindCoordinatorRequest;
use net::wire::heartbeat::HeartbeatRequest;
use net::wire::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use net::wire::leave_group::{LeaveGroupRequest, MemberIdentity};
use net::wire::list_groups::ListGroupsRequest;
use net::wire::metadata::{MetadataRequest, MetadataRequestTopic};
use net::wire::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use net::wire::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use net::wire::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};
use storage::batch::Codec;

use crate::client::{Client, TestNode, batch};

const QUICK: (&str, &str) = ("group.initial.rebalance.delay.ms", "0");
const SHORT_SESSIONS: (&str, &str) = ("group.min.session.timeout.ms", "100");

/// Finds the coordinator, and waits until it has loaded.
fn find(client: &mut Client, group: &'static str) {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![group.into()],
        ..FindCoordinatorRequest::default()
    };
    let found = client.call(6, &request).coordinators.remove(0);
    assert_eq!((found.error_code, found.node_id), (ErrorCode::NONE, 1));
    let until = Instant::now() + Duration::from_secs(20);
    while client.call(5, &ListGroupsRequest::default()).error_code.is_error() {
        assert!(Instant::now() < until, "the groups do not load");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn join_request(group: &'static str, member: &ByteString, session_ms: i32) -> JoinGroupRequest {
    let protocol =
        JoinGroupRequestProtocol { name: "range".into(), metadata: Bytes::from_static(b"\0\0") };
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: session_ms,
        rebalance_timeout_ms: 10_000,
        member_id: member.clone(),
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..JoinGroupRequest::default()
    }
}

/// A new member's first JoinGroup, which tells it its id.
fn new_id(client: &mut Client, group: &'static str, session_ms: i32) -> ByteString {
    let answer = client.call(9, &join_request(group, &ByteString::new(), session_ms));
    assert_eq!(answer.error_code, ErrorCode::MEMBER_ID_REQUIRED);
    answer.member_id
}

fn sync(
    client: &mut Client,
    group: &'static str,
    joined: &JoinGroupResponse,
) -> (ErrorCode, Bytes) {
    let assignments = joined.members.iter().map(|member| SyncGroupRequestAssignment {
        member_id: member.member_id.clone(),
        assignment: Bytes::copy_from_slice(member.member_id.as_bytes()),
    });
    let request = SyncGroupRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: assignments.collect(),
        ..SyncGroupRequest::default()
    };
    let answer = client.call(5, &request);
    (answer.error_code, answer.assignment)
}

/// A group of one member, stable.
fn alone(client: &mut Client, group: &'static str, session_ms: i32) -> JoinGroupResponse {
    let id = new_id(client, group, session_ms);
    let joined = client.call(9, &join_request(group, &id, session_ms));
    assert_eq!((joined.error_code, &joined.leader), (ErrorCode::NONE, &id));
    assert_eq!(
        sync(client, group, &joined),
        (ErrorCode::NONE, Bytes::from(id.as_bytes().to_vec()))
    );
    joined
}

fn heartbeat(client: &mut Client, group: &'static str, joined: &JoinGroupResponse) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..HeartbeatRequest::default()
    };
    client.call(4, &request).error_code
}

fn commit(
    client: &mut Client,
    group: &'static str,
    joined: Option<&JoinGroupResponse>,
    partition: i32,
    offset: i64,
    metadata: &'static str,
) -> ErrorCode {
    let partitions = vec![OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_metadata: Some(metadata.into()),
        ..OffsetCommitRequestPartition::default()
    }];
    let request = OffsetCommitRequest {
        group_id: group.into(),
        generation_id_or_member_epoch: joined.map_or(-1, |joined| joined.generation_id),
        member_id: joined.map(|joined| joined.member_id.clone()).unwrap_or_default(),
        topics: vec![OffsetCommitRequestTopic {
            name: "t".into(),
            partitions,
            ..OffsetCommitRequestTopic::default()
        }],
        ..OffsetCommitRequest::default()
    };
    client.call(9, &request).topics[0].partitions[0].error_code
}

/// Offset and metadata of some partitions of `t`.
fn committed(client: &mut Client, group: &'static str, partitions: &[i32]) -> Vec<(i64, String)> {
    let topic = OffsetFetchRequestTopics {
        name: "t".into(),
        partition_indexes: partitions.to_vec(),
        ..OffsetFetchRequestTopics::default()
    };
    let group = OffsetFetchRequestGroup {
        group_id: group.into(),
        topics: Some(vec![topic]),
        ..OffsetFetchRequestGroup::default()
    };
    let request = OffsetFetchRequest { groups: vec![group], ..OffsetFetchRequest::default() };
    let topics = client.call(9, &request).groups.remove(0).topics;
    let told = topics[0].partitions.iter();
    told.map(|p| (p.committed_offset, p.metadata.clone().unwrap().to_string())).collect()
}

fn describe(client: &mut Client, group: &'static str) -> DescribedGroup {
    let request =
        DescribeGroupsRequest { groups: vec![group.into()], ..DescribeGroupsRequest::default() };
    client.call(6, &request).groups.remove(0)
}

#[test]
fn groups_outlive_a_restart_and_another_number_of_shards() {
    let mut node = TestNode::start(3, &[QUICK]);
    let mut client = node.connect();
    client.create("t", 4, &[]);
    find(&mut client, "g");
    let joined = alone(&mut client, "g", 10_000);
    for partition in 0..4 {
        let offset = i64::from(partition) + 7;
        let code = commit(&mut client, "g", Some(&joined), partition, offset, "here");
        assert_eq!(code, ErrorCode::NONE);
    }
    assert_eq!(commit(&mut client, "simple", None, 1, 99, ""), ErrorCode::NONE);
    let described = describe(&mut client, "g");
    assert_eq!((&*described.group_state, described.members.len()), ("Stable", 1));
    for shards in [3, 1, 2] {
        drop(client);
        node.restart(shards);
        client = node.connect();
        find(&mut client, "g");
        assert_eq!(describe(&mut client, "g"), described, "{shards} shards");
        let here = |offset: i64| (offset, "here".to_owned());
        let expected: Vec<_> = (7..11).map(here).collect();
        assert_eq!(committed(&mut client, "g", &[0, 1, 2, 3]), expected, "{shards} shards");
        assert_eq!(committed(&mut client, "simple", &[0, 1])[1], (99, String::new()));
        // The member lives: its session began anew with the load.
        assert_eq!(heartbeat(&mut client, "g", &joined), ErrorCode::NONE);
    }
}

#[test]
fn a_second_member_rebalances_the_group_and_its_silence_does_it_again() {
    for shards in [1, 3] {
        let node = TestNode::start(shards, &[QUICK, SHORT_SESSIONS]);
        let (mut first, mut second) = (node.connect(), node.connect());
        find(&mut first, "g");
        let one = alone(&mut first, "g", 10_000);
        let id = new_id(&mut second, "g", 700);
        second.send(9, &join_request("g", &id, 700));
        let until = Instant::now() + Duration::from_secs(10);
        while heartbeat(&mut first, "g", &one) != ErrorCode::REBALANCE_IN_PROGRESS {
            assert!(Instant::now() < until, "no rebalance begins");
        }
        let one = first.call(9, &join_request("g", &one.member_id, 10_000));
        let two = second.receive::<JoinGroupRequest>(9);
        assert_eq!((one.generation_id, two.generation_id), (2, 2));
        assert_eq!((one.members.len(), two.members.len()), (2, 0));
        assert_eq!(sync(&mut first, "g", &one).0, ErrorCode::NONE);
        assert_eq!(
            sync(&mut second, "g", &two),
            (ErrorCode::NONE, Bytes::from(id.as_bytes().to_vec()))
        );
        assert_eq!(heartbeat(&mut second, "g", &two), ErrorCode::NONE);
        let silent_since = Instant::now();
        while heartbeat(&mut first, "g", &one) != ErrorCode::REBALANCE_IN_PROGRESS {
            assert!(silent_since.elapsed() < Duration::from_secs(10), "the silent member stays");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(silent_since.elapsed() >= Duration::from_millis(600), "its session was not over");
        let one = first.call(9, &join_request("g", &one.member_id, 10_000));
        assert_eq!((one.generation_id, one.members.len()), (3, 1));
        assert_eq!(heartbeat(&mut second, "g", &two), ErrorCode::UNKNOWN_MEMBER_ID);
    }
}

#[test]
fn a_stop_does_not_wait_for_who_waits_for_others() {
    let mut node = TestNode::start(3, &[QUICK]);
    let (mut first, mut second) = (node.connect(), node.connect());
    find(&mut first, "g");
    let _one = alone(&mut first, "g", 10_000);
    let id = new_id(&mut second, "g", 10_000);
    second.send(9, &join_request("g", &id, 10_000));
    std::thread::sleep(Duration::from_millis(50));
    node.stop();
    // The stop would close the connection without it.
    let answer = second.receive::<JoinGroupRequest>(9);
    assert_eq!(answer.error_code, ErrorCode::NOT_COORDINATOR);
}

#[test]
fn what_is_deleted_is_gone_for_good() {
    // Files that wait for their deletion would keep the directory locked in this process.
    let now = ("log.segment.delete.delay.ms", "0");
    let mut node = TestNode::start(3, &[QUICK, now]);
    let mut client = node.connect();
    client.create("t", 2, &[]);
    find(&mut client, "g");
    for group in ["g", "deleted", "left"] {
        assert_eq!(commit(&mut client, group, None, 0, 5, ""), ErrorCode::NONE);
    }
    let joined = alone(&mut client, "left", 10_000);
    let member =
        MemberIdentity { member_id: joined.member_id.clone(), ..MemberIdentity::default() };
    let leave = LeaveGroupRequest {
        group_id: "left".into(),
        members: vec![member],
        ..LeaveGroupRequest::default()
    };
    assert_eq!(client.call(5, &leave).members[0].error_code, ErrorCode::NONE);
    let delete = DeleteGroupsRequest { groups_names: vec!["deleted".into(), "left".into()] };
    let results = client.call(2, &delete).results;
    assert!(results.iter().all(|result| result.error_code == ErrorCode::NONE), "{results:?}");
    let topic = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.call(5, &topic).responses[0].error_code, ErrorCode::NONE);
    client.create("t", 2, &[]);
    for round in 0..2 {
        for group in ["g", "deleted", "left"] {
            let expected = (-1, String::new());
            assert_eq!(committed(&mut client, group, &[0]), [expected], "{group}, round {round}");
        }
        let listed = client.call(5, &ListGroupsRequest::default()).groups;
        let names: Vec<_> = listed.iter().map(|group| &*group.group_id).collect();
        // It has nothing left, but its time has not come.
        assert!(!names.contains(&"deleted") && !names.contains(&"left"), "{names:?}");
        drop(client);
        node.restart(3);
        client = node.connect();
        find(&mut client, "g");
    }
}

#[test]
fn the_configuration_is_in_force() {
    let node = TestNode::start(
        2,
        &[
            ("group.initial.rebalance.delay.ms", "400"),
            ("group.max.size", "1"),
            ("group.max.session.timeout.ms", "20000"),
            ("offset.metadata.max.bytes", "3"),
            ("offsets.topic.num.partitions", "3"),
            ("offsets.topic.compression.codec", "4"),
            ("offsets.topic.segment.bytes", "2097152"),
        ],
    );
    let mut client = node.connect();
    client.create("t", 1, &[]);
    find(&mut client, "g");
    let began = Instant::now();
    let _joined = alone(&mut client, "g", 10_000);
    assert!(began.elapsed() >= Duration::from_millis(400), "it took {:?}", began.elapsed());
    let full = client.call(9, &join_request("g", &ByteString::new(), 10_000));
    assert_eq!(full.error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    let long = client.call(9, &join_request("other", &ByteString::new(), 20_001));
    assert_eq!(long.error_code, ErrorCode::INVALID_SESSION_TIMEOUT);
    assert_eq!(commit(&mut client, "s", None, 0, 1, "abc"), ErrorCode::NONE);
    let refused = commit(&mut client, "s", None, 0, 1, "abcd");
    assert_eq!(refused, ErrorCode::OFFSET_METADATA_TOO_LARGE);
    let name = Some("__consumer_offsets".into());
    let topics = vec![MetadataRequestTopic { name, ..MetadataRequestTopic::default() }];
    let request = MetadataRequest { topics: Some(topics), ..MetadataRequest::default() };
    let topic = client.call(12, &request).topics.remove(0);
    assert_eq!((topic.partitions.len(), topic.is_internal), (3, true));
    // Which of the three the group lies in does not matter.
    let stored: Vec<_> = (0..3).map(|p| client.fetch(topic.topic_id, p, 0, 0)).collect();
    let codecs: Vec<_> = stored.iter().flat_map(|(_, found, _)| found).map(|b| b.codec()).collect();
    assert!(
        !codecs.is_empty() && codecs.iter().all(|codec| *codec == Some(Codec::Zstd)),
        "{codecs:?}"
    );
    assert_eq!(
        client.produce("__consumer_offsets", 0, -1, batch(&["x"])).error_code,
        ErrorCode::INVALID_TOPIC_EXCEPTION
    );
}
