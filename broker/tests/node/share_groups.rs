//! Share groups, over sockets: members come, get their part once the share coordinator keeps its state, and go; what an administrator changes;
//! and what stays of it after a stop.

#![expect(clippy::disallowed_methods, reason = "a test waits, and looks how long")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::alter_share_group_offsets::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsRequestPartition,
    AlterShareGroupOffsetsRequestTopic,
};
use net::wire::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use net::wire::delete_groups::DeleteGroupsRequest;
use net::wire::delete_share_group_offsets::{
    DeleteShareGroupOffsetsRequest, DeleteShareGroupOffsetsRequestTopic,
};
use net::wire::delete_topics::DeleteTopicsRequest;
use net::wire::describe_share_group_offsets::{
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequestGroup,
};
use net::wire::find_coordinator::FindCoordinatorRequest;
use net::wire::list_groups::ListGroupsRequest;
use net::wire::read_share_group_state_summary::{
    PartitionData, ReadShareGroupStateSummaryRequest, ReadStateSummaryData,
};
use net::wire::share_group_describe::{DescribedGroup, ShareGroupDescribeRequest};
use net::wire::share_group_heartbeat::{ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse};
use net::wire::update_features::{FeatureUpdateKey, UpdateFeaturesRequest};
use uuid::Uuid;

use crate::client::{Client, TestNode, batch};

const AT_ONCE: (&str, &str) = ("group.share.assignment.interval.ms", "0");

/// Finds the coordinator, and waits until it has loaded.
fn find(client: &mut Client, group: &str) {
    let request = FindCoordinatorRequest {
        coordinator_keys: vec![group.into()],
        ..FindCoordinatorRequest::default()
    };
    let found = client.call(6, &request).coordinators.remove(0);
    assert_eq!((found.error_code, found.node_id), (ErrorCode::NONE, 1));
    until("the groups load", || {
        !client.call(5, &ListGroupsRequest::default()).error_code.is_error()
    });
}

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < end, "it does not come to this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn beat(
    client: &mut Client,
    group: &str,
    member: &str,
    epoch: i32,
    topics: Option<&[&str]>,
) -> ShareGroupHeartbeatResponse {
    let names = |names: &[&str]| names.iter().map(|name| ByteString::from(*name)).collect();
    let request = ShareGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: member.into(),
        member_epoch: epoch,
        rack_id: None,
        subscribed_topic_names: topics.map(names),
    };
    client.call(1, &request)
}

fn describe(client: &mut Client, group: &str) -> DescribedGroup {
    let request = ShareGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
    client.call(1, &request).groups.remove(0)
}

/// What a member reads, by topic and partition.
type Part = BTreeSet<(Uuid, i32)>;

fn part(group: &DescribedGroup, member: &str) -> Part {
    let member = group.members.iter().find(|one| one.member_id == member);
    let topics = member.into_iter().flat_map(|member| &member.assignment.topic_partitions);
    topics.flat_map(|of| of.partitions.iter().map(|partition| (of.topic_id, *partition))).collect()
}

/// A member, which reports in the epoch that it was told.
struct Member {
    id: &'static str,
    epoch: i32,
}

impl Member {
    fn join(client: &mut Client, group: &str, id: &'static str, topics: &[&str]) -> Member {
        let told = beat(client, group, id, 0, Some(topics));
        assert_eq!(told.error_code, ErrorCode::NONE, "{told:?}");
        Member { id, epoch: told.member_epoch }
    }

    fn report(&mut self, client: &mut Client, group: &str) {
        let told = beat(client, group, self.id, self.epoch, None);
        assert_eq!(told.error_code, ErrorCode::NONE, "{told:?}");
        self.epoch = told.member_epoch;
    }
}

/// Members report until the group is as `is_so` says.
#[track_caller]
fn settle(
    client: &mut Client,
    group: &str,
    members: &mut [Member],
    is_so: impl Fn(&DescribedGroup) -> bool,
) -> DescribedGroup {
    let mut last = DescribedGroup::default();
    until("the group settles", || {
        members.iter_mut().for_each(|member| member.report(client, group));
        last = describe(client, group);
        last.assignment_epoch == last.group_epoch && is_so(&last)
    });
    last
}

fn alter(client: &mut Client, group: &str, topic: &str, of: &[(i32, i64)]) -> Vec<ErrorCode> {
    let partition =
        |(partition_index, start_offset): &(i32, i64)| AlterShareGroupOffsetsRequestPartition {
            partition_index: *partition_index,
            start_offset: *start_offset,
        };
    let partitions = of.iter().map(partition).collect();
    let request = AlterShareGroupOffsetsRequest {
        group_id: group.into(),
        topics: vec![AlterShareGroupOffsetsRequestTopic { topic_name: topic.into(), partitions }],
    };
    let answer = client.call(0, &request);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer.responses[0].partitions.iter().map(|partition| partition.error_code).collect()
}

/// Partition, start and lag of all that the group has.
fn stands(client: &mut Client, group: &str) -> Vec<(i32, i64, i64)> {
    let all = DescribeShareGroupOffsetsRequestGroup { group_id: group.into(), topics: None };
    let request = DescribeShareGroupOffsetsRequest { groups: vec![all] };
    let group = client.call(1, &request).groups.remove(0);
    assert_eq!(group.error_code, ErrorCode::NONE, "{group:?}");
    let partitions = group.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.map(|p| (p.partition_index, p.start_offset, p.lag)).collect()
}

fn forget(client: &mut Client, group: &str, topics: &[&str]) -> Vec<ErrorCode> {
    let topics = topics
        .iter()
        .map(|name| DeleteShareGroupOffsetsRequestTopic { topic_name: ByteString::from(*name) });
    let request =
        DeleteShareGroupOffsetsRequest { group_id: group.into(), topics: topics.collect() };
    let answer = client.call(0, &request);
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer.responses.iter().map(|topic| topic.error_code).collect()
}

fn delete(client: &mut Client, group: &str) -> ErrorCode {
    let request = DeleteGroupsRequest { groups_names: vec![group.into()] };
    client.call(2, &request).results[0].error_code
}

/// Where the share coordinator has a partition begin, in which state epoch.
fn summary(client: &mut Client, group: &str, topic: Uuid, partition: i32) -> (i32, i64) {
    let partitions = vec![PartitionData { partition, leader_epoch: -1 }];
    let request = ReadShareGroupStateSummaryRequest {
        group_id: group.into(),
        topics: vec![ReadStateSummaryData { topic_id: topic, partitions }],
    };
    let one = client.call(1, &request).results.remove(0).partitions.remove(0);
    (one.state_epoch, one.start_offset)
}

fn all_of(topics: &[(Uuid, i32)]) -> Part {
    topics.iter().flat_map(|(topic, count)| (0..*count).map(|p| (*topic, p))).collect()
}

#[test]
fn members_share_what_they_read_and_a_stop_changes_nothing() {
    for (before, after) in [(1, 3), (3, 1)] {
        let mut node = TestNode::start(before, &[AT_ONCE]);
        let (mut client, mut other) = (node.connect(), node.connect());
        let (a, b) = (client.create("a", 3, &[]), client.create("b", 2, &[]));
        find(&mut client, "g");
        // Nothing is read before its state is kept.
        let mut members = vec![Member::join(&mut client, "g", "one", &["a", "b"])];
        let everything = all_of(&[(a, 3), (b, 2)]);
        let alone = settle(&mut client, "g", &mut members, |g| part(g, "one") == everything);
        assert_eq!((&*alone.group_state, &*alone.assignor_name), ("Stable", "simple"));
        assert_eq!(summary(&mut client, "g", a, 2), (2, -1));
        members.push(Member::join(&mut other, "g", "two", &["a", "b"]));
        let both = |group: &DescribedGroup| {
            let parts = [part(group, "one"), part(group, "two")];
            let union: Part = parts.iter().flatten().copied().collect();
            union == everything && parts.iter().map(BTreeSet::len).sum::<usize>() == 5
        };
        let shared = settle(&mut client, "g", &mut members, both);
        drop((client, other));
        node.restart(after);
        let mut client = node.connect();
        find(&mut client, "g");
        assert_eq!(describe(&mut client, "g"), shared);
        members[0].report(&mut client, "g");
        assert_eq!(beat(&mut client, "g", "two", -1, None).error_code, ErrorCode::NONE);
        members.pop();
        settle(&mut client, "g", &mut members, |g| part(g, "one") == everything);
        let twice = beat(&mut client, "g", "two", -1, None);
        assert_eq!(twice.error_code, ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(delete(&mut client, "g"), ErrorCode::NON_EMPTY_GROUP);
        assert_eq!(beat(&mut client, "g", "one", -1, None).error_code, ErrorCode::NONE);
        assert_eq!(delete(&mut client, "g"), ErrorCode::NONE);
        assert_eq!(describe(&mut client, "g").error_code, ErrorCode::GROUP_ID_NOT_FOUND);
        // Its state went with it.
        assert_eq!(summary(&mut client, "g", a, 2), (0, -1));
        assert_eq!(stands(&mut client, "g"), []);
    }
}

#[test]
fn members_outnumber_partitions() {
    let node = TestNode::start(2, &[AT_ONCE]);
    let mut client = node.connect();
    let topic = client.create("t", 2, &[]);
    find(&mut client, "g");
    let ids = ["a", "b", "c", "d", "e"];
    let mut members: Vec<_> =
        ids.into_iter().map(|id| Member::join(&mut client, "g", id, &["t"])).collect();
    settle(&mut client, "g", &mut members, |group| {
        let readers =
            |p: i32| ids.iter().filter(|id| part(group, id).contains(&(topic, p))).count();
        // Five readers of two partitions: three of each, one member reads both.
        ids.iter().all(|id| !part(group, id).is_empty()) && readers(0) == 3 && readers(1) == 3
    });
}

#[test]
fn topics_grow_come_and_go() {
    let node = TestNode::start(2, &[AT_ONCE]);
    let mut client = node.connect();
    let grows = client.create("grows", 1, &[]);
    find(&mut client, "g");
    let mut members = vec![Member::join(&mut client, "g", "m", &["grows", "later"])];
    settle(&mut client, "g", &mut members, |g| part(g, "m") == all_of(&[(grows, 1)]));
    let topics = vec![CreatePartitionsTopic { name: "grows".into(), count: 3, assignments: None }];
    let request = CreatePartitionsRequest {
        topics,
        timeout_ms: 10_000,
        ..CreatePartitionsRequest::default()
    };
    assert_eq!(client.call(3, &request).results[0].error_code, ErrorCode::NONE);
    settle(&mut client, "g", &mut members, |g| part(g, "m") == all_of(&[(grows, 3)]));
    let later = client.create("later", 2, &[]);
    settle(&mut client, "g", &mut members, |g| part(g, "m") == all_of(&[(grows, 3), (later, 2)]));
    let request = DeleteTopicsRequest {
        topic_names: vec!["grows".into()],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.call(5, &request).responses[0].error_code, ErrorCode::NONE);
    settle(&mut client, "g", &mut members, |g| part(g, "m") == all_of(&[(later, 2)]));
    assert_eq!(stands(&mut client, "g"), [(0, -1, -1), (1, -1, -1)]);
    // Another topic of that name begins anew.
    let again = client.create("grows", 1, &[]);
    settle(&mut client, "g", &mut members, |g| part(g, "m") == all_of(&[(again, 1), (later, 2)]));
}

#[test]
fn offsets_are_altered_described_and_forgotten() {
    let mut node = TestNode::start(3, &[AT_ONCE]);
    let mut client = node.connect();
    let topic = client.create("t", 2, &[]);
    client.create("u", 1, &[]);
    find(&mut client, "g");
    for _ in 0..3 {
        assert_eq!(client.produce("t", 0, -1, batch(&["x", "y"])).error_code, ErrorCode::NONE);
    }
    // The group comes to be.
    let none = ErrorCode::NONE;
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(alter(&mut client, "g", "t", &[(0, 2), (5, 2)]), [none, unknown]);
    assert_eq!(alter(&mut client, "g", "u", &[(0, 0)]), [none]);
    assert_eq!(stands(&mut client, "g").len(), 2);
    assert!(stands(&mut client, "g").contains(&(0, 2, 4)));
    assert_eq!(describe(&mut client, "g").group_state, "Empty");
    drop(client);
    node.restart(1);
    let mut client = node.connect();
    find(&mut client, "g");
    assert!(stands(&mut client, "g").contains(&(0, 2, 4)));
    assert_eq!(alter(&mut client, "g", "t", &[(0, 5)]), [none]);
    assert!(stands(&mut client, "g").contains(&(0, 5, 1)));
    assert_eq!(forget(&mut client, "g", &["u", "u", "nothing"]), [none, unknown]);
    assert_eq!(stands(&mut client, "g"), [(0, 5, 1)]);
    // What was altered stays where it is when a member comes.
    let mut members = vec![Member::join(&mut client, "g", "m", &["t"])];
    settle(&mut client, "g", &mut members, |g| part(g, "m") == all_of(&[(topic, 2)]));
    assert_eq!(stands(&mut client, "g"), [(0, 5, 1), (1, -1, -1)]);
    assert_eq!(beat(&mut client, "g", "m", -1, None).error_code, none);
    assert_eq!(forget(&mut client, "g", &["t"]), [none]);
    assert_eq!(delete(&mut client, "g"), none);
    assert_eq!(summary(&mut client, "g", topic, 0), (0, -1));
}

#[test]
fn the_configuration_of_share_groups_is_in_force() {
    let node = TestNode::start(
        2,
        &[
            ("group.share.min.session.timeout.ms", "100"),
            ("group.share.min.heartbeat.interval.ms", "10"),
            ("group.share.heartbeat.interval.ms", "77"),
            ("group.share.session.timeout.ms", "3000"),
            ("group.share.max.size", "2"),
            ("group.share.assignment.interval.ms", "600"),
        ],
    );
    let mut client = node.connect();
    let topic = client.create("t", 1, &[]);
    find(&mut client, "g");
    let began = Instant::now();
    let told = beat(&mut client, "g", "a", 0, Some(&["t"]));
    assert_eq!((told.error_code, told.heartbeat_interval_ms), (ErrorCode::NONE, 77));
    let mut members = vec![Member { id: "a", epoch: told.member_epoch }];
    // The first target has nothing in it, and the next one has to wait.
    settle(&mut client, "g", &mut members, |g| part(g, "a") == all_of(&[(topic, 1)]));
    assert!(began.elapsed() >= Duration::from_millis(600), "it took {:?}", began.elapsed());
    let silent = Instant::now();
    members.push(Member::join(&mut client, "g", "b", &["t"]));
    let full = beat(&mut client, "g", "c", 0, Some(&["t"]));
    assert_eq!(full.error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
    // Nobody reports any more.
    until("the members are out", || describe(&mut client, "g").members.is_empty());
    assert!(silent.elapsed() >= Duration::from_secs(3), "it took {:?}", silent.elapsed());
    // A group has values of its own, within the broker's limits.
    let own = client.alter(32, "own", &[("share.heartbeat.interval.ms", Some("55"))]);
    assert_eq!(own.0, ErrorCode::NONE, "{own:?}");
    until("the group's own interval is in force", || {
        let told = beat(&mut client, "own", "m", 0, Some(&["t"]));
        told.heartbeat_interval_ms == 55
    });
}

#[test]
fn share_groups_are_served_at_level_1_only() {
    let node = TestNode::start(2, &[AT_ONCE]);
    let mut client = node.connect();
    client.create("t", 1, &[]);
    find(&mut client, "g");
    let level = |client: &mut Client, level, kind| {
        let update = FeatureUpdateKey {
            feature: "share.version".into(),
            max_version_level: level,
            upgrade_type: kind,
            ..FeatureUpdateKey::default()
        };
        let request = UpdateFeaturesRequest {
            timeout_ms: 10_000,
            feature_updates: vec![update],
            ..UpdateFeaturesRequest::default()
        };
        assert_eq!(client.call(1, &request).error_code, ErrorCode::NONE);
    };
    Member::join(&mut client, "g", "m", &["t"]);
    level(&mut client, 0, 2);
    let unsupported = ErrorCode::UNSUPPORTED_VERSION;
    until("nobody is served", || describe(&mut client, "g").error_code == unsupported);
    assert_eq!(beat(&mut client, "g", "m", 0, Some(&["t"])).error_code, unsupported);
    let all = DescribeShareGroupOffsetsRequestGroup { group_id: "g".into(), topics: None };
    let request = DescribeShareGroupOffsetsRequest { groups: vec![all] };
    assert_eq!(client.call(0, &request).groups[0].error_code, unsupported);
    let request = AlterShareGroupOffsetsRequest { group_id: "g".into(), topics: Vec::new() };
    assert_eq!(client.call(0, &request).error_code, unsupported);
    let request = DeleteShareGroupOffsetsRequest { group_id: "g".into(), topics: Vec::new() };
    assert_eq!(client.call(0, &request).error_code, unsupported);
    level(&mut client, 1, 1);
    until("the group is there", || describe(&mut client, "g").members.len() == 1);
}
