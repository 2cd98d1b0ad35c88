//! Each key of the broker, and of a group, changes what is delivered.

use std::time::{Duration, Instant};

use net::wire::ErrorCode;

use super::member::{Member, Wish, begin};
use super::{ACCEPT, LIMITS, RELEASE, RENEW, node, produce};
use crate::client::{Client, TestNode, batch_of};

/// The type of groups' configs.
const GROUP: i8 = 32;

fn set(client: &mut Client, key: &str, value: &str) {
    let done = client.alter(GROUP, "g", &[(key, Some(value))]);
    assert_eq!(done, (ErrorCode::NONE, None), "{key}={value}");
}

/// How long a member keeps what it does not acknowledge.
fn lock_of(node: &TestNode, topic: uuid::Uuid) -> (Duration, i32) {
    let mut a = Member::new(node, "g", "a", topic);
    let mut b = Member::new(node, "g", "b", topic);
    let got = a.fetch(&[0], Wish::default());
    assert_eq!(got.acquired.len(), 1);
    let began = Instant::now();
    while b.fetch(if b.epoch == 0 { &[0] } else { &[] }, Wish::long()).acquired.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
    (began.elapsed(), got.lock_ms)
}

#[test]
fn how_long_a_record_is_locked() {
    let (node, topic) = node(1, 1, &LIMITS);
    let mut client = node.connect();
    produce(&mut client, 0, &["0"]);
    let (lasted, told) = lock_of(&node, topic);
    assert_eq!(told, 1_000);
    assert!(lasted > Duration::from_millis(900) && lasted < Duration::from_millis(1_900));
    set(&mut client, "share.record.lock.duration.ms", "2000");
    let (lasted, told) = lock_of(&node, topic);
    assert_eq!(told, 2_000);
    assert!(lasted > Duration::from_millis(1_900), "{lasted:?}");
    // No less than the broker allows.
    let low = client.alter(GROUP, "g", &[("share.record.lock.duration.ms", Some("1000"))]);
    assert_eq!(low.0, ErrorCode::NONE);
    let high = client.alter(GROUP, "g", &[("share.record.lock.duration.ms", Some("60001"))]);
    assert_eq!(high.0, ErrorCode::INVALID_CONFIG);
}

/// How often a record is delivered.
fn deliveries(node: &TestNode, client: &mut Client, topic: uuid::Uuid) -> usize {
    produce(client, 0, &["again and again"]);
    let mut a = Member::new(node, "g", "a", topic);
    let mut count = 0;
    while let Some(&(_, first, last, times)) = a
        .fetch(if a.epoch == 0 { &[0] } else { &[] }, Wish { wait_ms: 300, ..Wish::default() })
        .acquired
        .first()
    {
        count += 1;
        assert_eq!(usize::try_from(times).unwrap(), count);
        assert_eq!(a.acknowledge(0, &[(first, last, RELEASE)]), ErrorCode::NONE);
    }
    assert_eq!(a.end(), ErrorCode::NONE);
    count
}

#[test]
fn how_often_a_record_is_delivered() {
    let (node, topic) = node(1, 1, &[("group.share.delivery.count.limit", "3")]);
    let mut client = node.connect();
    assert_eq!(deliveries(&node, &mut client, topic), 3);
    set(&mut client, "share.delivery.count.limit", "2");
    assert_eq!(deliveries(&node, &mut client, topic), 2);
    let beyond = client.alter(GROUP, "g", &[("share.delivery.count.limit", Some("11"))]);
    assert_eq!(beyond.0, ErrorCode::INVALID_CONFIG);
}

/// How many records of one record each are in flight at most.
fn in_flight(node: &TestNode, topic: uuid::Uuid) -> i64 {
    let mut a = Member::new(node, "g", "a", topic);
    let mut end = 0;
    loop {
        let named: &[i32] = if a.epoch == 0 { &[0] } else { &[] };
        let got = a.fetch(named, Wish { wait_ms: 300, ..Wish::default() });
        let Some((_, _, last, _)) = got.acquired.last() else { break };
        end = last + 1;
    }
    assert_eq!(a.end(), ErrorCode::NONE);
    end
}

#[test]
fn how_many_records_are_in_flight() {
    let (node, topic) = node(1, 1, &[("group.share.partition.max.record.locks", "120")]);
    let mut client = node.connect();
    for _ in 0..40 {
        produce(&mut client, 0, &["0", "1", "2", "3", "4"]);
    }
    assert_eq!(in_flight(&node, topic), 120);
    set(&mut client, "share.partition.max.record.locks", "150");
    assert_eq!(in_flight(&node, topic), 150);
    let beyond = client.alter(GROUP, "g", &[("share.partition.max.record.locks", Some("99"))]);
    assert_eq!(beyond.0, ErrorCode::INVALID_CONFIG);
}

#[test]
fn the_brokers_limits_of_a_groups_own_values() {
    for (limit, value, key, legal, beyond) in [
        ("group.share.min.delivery.count.limit", "3", "share.delivery.count.limit", "3", "2"),
        ("group.share.max.delivery.count.limit", "20", "share.delivery.count.limit", "20", "21"),
        (
            "group.share.min.partition.max.record.locks",
            "500",
            "share.partition.max.record.locks",
            "500",
            "499",
        ),
        (
            "group.share.max.partition.max.record.locks",
            "9000",
            "share.partition.max.record.locks",
            "9000",
            "9001",
        ),
        (
            "group.share.min.record.lock.duration.ms",
            "20000",
            "share.record.lock.duration.ms",
            "20000",
            "19999",
        ),
        (
            "group.share.max.record.lock.duration.ms",
            "90000",
            "share.record.lock.duration.ms",
            "90000",
            "90001",
        ),
    ] {
        let node = TestNode::start(1, &[(limit, value)]);
        let mut client = node.connect();
        let done = client.alter(GROUP, "g", &[(key, Some(legal))]);
        assert_eq!(done.0, ErrorCode::NONE, "{key}={legal} within {limit}={value}");
        let done = client.alter(GROUP, "g", &[(key, Some(beyond))]);
        assert_eq!(done.0, ErrorCode::INVALID_CONFIG, "{key}={beyond} beyond {limit}={value}");
    }
}

#[test]
fn how_many_sessions_there_are() {
    let sessions = [("group.share.max.share.sessions", "3"), ("group.share.max.size", "2")];
    let (node, topic) = node(3, 1, &sessions);
    let mut members: Vec<_> = ["a", "b", "c", "d"]
        .into_iter()
        .zip(["g", "h", "i", "j"])
        .map(|(name, group)| Member::new(&node, group, name, topic))
        .collect();
    let mut last = members.pop().unwrap();
    for member in &mut members {
        member.fetch(&[], Wish::default());
    }
    let began = Instant::now();
    let wish = Wish { wait_ms: 300, ..Wish::default() };
    assert_eq!(last.fetch(&[0], wish).code, ErrorCode::SHARE_SESSION_LIMIT_REACHED);
    assert!(began.elapsed() >= Duration::from_millis(300), "so that it does not ask at once");
    assert_eq!(members[1].end(), ErrorCode::NONE);
    last.epoch = 0;
    assert_eq!(last.fetch(&[], Wish::default()).code, ErrorCode::NONE);
}

#[test]
fn where_a_group_begins() {
    let node = TestNode::start(3, &[]);
    let mut client = node.connect();
    let topic = client.create("t", 4, &[]);
    let old = batch_of(storage::batch::BatchBuilder::new(), &["old"]);
    for partition in 0..4 {
        assert_eq!(client.produce("t", partition, -1, old.clone()).error_code, ErrorCode::NONE);
        begin(&mut client, "g", topic, partition, 1, -1);
    }
    let young = |client: &mut Client, partition: i32| {
        let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let time = storage::units::Timestamp(i64::try_from(time.as_millis()).unwrap());
        let builder = storage::batch::BatchBuilder::new().record(time, None, Some(b"young"));
        let told = client.produce("t", partition, -1, builder.build_bytes());
        assert_eq!(told.error_code, ErrorCode::NONE);
    };
    young(&mut client, 2);
    let mut a = Member::new(&node, "g", "a", topic);
    // At the end.
    assert_eq!(a.fetch(&[0], Wish::short()).acquired, []);
    produce(&mut client, 0, &["new"]);
    assert_eq!(a.fetch(&[], Wish::default()).acquired, [(0, 1, 1, 1)]);
    // At the beginning.
    set(&mut client, "share.auto.offset.reset", "earliest");
    assert_eq!(a.fetch(&[1], Wish::default()).acquired, [(1, 0, 0, 1)]);
    // With what is young enough, of which there must be something.
    set(&mut client, "share.auto.offset.reset", "by_duration:PT1H");
    assert_eq!(a.fetch(&[2], Wish::default()).acquired, [(2, 1, 1, 1)]);
    assert_eq!(a.fetch(&[3], Wish::default()).errors, [(3, ErrorCode::OFFSET_NOT_AVAILABLE)]);
    young(&mut client, 3);
    assert_eq!(a.fetch(&[], Wish::default()).acquired, [(3, 1, 1, 1)]);
}

#[test]
fn whether_locks_may_be_renewed() {
    let (node, topic) = node(1, 1, &[]);
    let mut client = node.connect();
    produce(&mut client, 0, &["0"]);
    let mut a = Member::new(&node, "g", "a", topic);
    assert_eq!(a.fetch(&[0], Wish::default()).acquired, [(0, 0, 0, 1)]);
    assert_eq!(a.acknowledge_renewing(0, &[(0, 0, RENEW)]), ErrorCode::NONE);
    set(&mut client, "share.renew.acknowledge.enable", "false");
    let code = a.acknowledge_renewing(0, &[(0, 0, RENEW)]);
    assert_eq!(code, ErrorCode::INVALID_RECORD_STATE);
    assert_eq!(a.acknowledge(0, &[(0, 0, ACCEPT)]), ErrorCode::NONE);
}
