//! ShareFetch and ShareAcknowledge, over sockets: records are delivered to the members of a share group, each to one at a time, until it is
//! said what became of them.

#![expect(clippy::disallowed_methods, reason = "a test waits, and looks how long")]

mod configs;
mod member;
mod sessions;

use std::time::{Duration, Instant};

use net::wire::ErrorCode;
use net::wire::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use net::wire::delete_topics::DeleteTopicsRequest;
use net::wire::initialize_share_group_state::{
    InitializeShareGroupStateRequest, InitializeStateData, PartitionData,
};

use self::member::{Member, Wish, begin, summary};
use crate::client::{Client, TestNode, batch};

/// Kinds of acknowledgements.
const GAP: i8 = 0;
const ACCEPT: i8 = 1;
const RELEASE: i8 = 2;
const REJECT: i8 = 3;
const RENEW: i8 = 4;

const LIMITS: [(&str, &str); 2] = [
    ("group.share.min.record.lock.duration.ms", "1000"),
    ("group.share.record.lock.duration.ms", "1000"),
];

fn produce(client: &mut Client, partition: i32, values: &[&str]) {
    let told = client.produce("t", partition, -1, batch(values));
    assert_eq!(told.error_code, ErrorCode::NONE, "{:?}", told.error_message);
}

/// A node with a topic of `partitions`, of which a group begins at offset 0.
fn node(shards: usize, partitions: i32, configs: &[(&str, &str)]) -> (TestNode, uuid::Uuid) {
    let node = TestNode::start(shards, configs);
    let mut client = node.connect();
    let topic = client.create("t", partitions, &[]);
    for partition in 0..partitions {
        begin(&mut client, "g", topic, partition, 1, 0);
    }
    (node, topic)
}

#[test]
fn a_record_is_one_members_until_it_says_what_became_of_it() {
    for shards in [1, 3] {
        let (mut node, topic) = node(shards, 1, &[]);
        let mut client = node.connect();
        produce(&mut client, 0, &["0", "1", "2"]);
        produce(&mut client, 0, &["3", "4"]);
        let mut a = Member::new(&node, "g", "a", topic);
        let mut b = Member::new(&node, "g", "b", topic);
        let got = a.fetch(&[0], Wish::default());
        assert_eq!(got.acquired, [(0, 0, 4, 1)]);
        assert_eq!(got.values, ["0", "1", "2", "3", "4"], "whole batches");
        assert_eq!(got.lock_ms, 30_000);
        assert_eq!(b.fetch(&[0], Wish::short()).acquired, []);
        // One releases, accepts and rejects; what is released is the other's.
        let said = [(0, 0, ACCEPT), (1, 1, RELEASE), (2, 2, REJECT), (3, 3, GAP)];
        assert_eq!(a.acknowledge(0, &said), ErrorCode::NONE);
        assert_eq!(b.fetch(&[0], Wish::default()).acquired, [(0, 1, 1, 2)]);
        for (first, last, kind) in [(0, 4, ACCEPT), (1, 1, ACCEPT), (2, 2, RELEASE)] {
            let code = a.acknowledge(0, &[(first, last, kind)]);
            assert_eq!(code, ErrorCode::INVALID_RECORD_STATE, "{first} {last} {kind}");
        }
        assert_eq!(a.acknowledge(0, &[(4, 5, ACCEPT)]), ErrorCode::INVALID_REQUEST);
        assert_eq!(a.acknowledge(0, &[(5, 5, ACCEPT)]), ErrorCode::INVALID_REQUEST);
        assert_eq!(b.acknowledge(0, &[(1, 1, ACCEPT)]), ErrorCode::NONE);
        // The start is stored with the change after the one that moved it.
        assert_eq!(summary(&mut client, "g", topic, 0), (1, 1, 3));
        // A connection that ends gives back what its member has.
        drop(a);
        assert_eq!(b.fetch(&[], Wish::long()).acquired, [(0, 4, 4, 2)]);
        assert_eq!(b.acknowledge(0, &[(4, 4, RELEASE)]), ErrorCode::NONE);
        drop((b, client));
        node.restart(shards);
        // What nobody has said the last word of is delivered again, and nothing else.
        let mut a = Member::new(&node, "g", "a", topic);
        assert_eq!(a.fetch(&[0], Wish::default()).acquired, [(0, 4, 4, 3)]);
        assert_eq!(a.acknowledge(0, &[(4, 4, ACCEPT)]), ErrorCode::NONE);
    }
}

#[test]
fn acknowledgements_go_with_the_next_fetch() {
    let (node, topic) = node(3, 2, &[]);
    let mut client = node.connect();
    produce(&mut client, 0, &["0", "1"]);
    produce(&mut client, 1, &["x"]);
    let mut a = Member::new(&node, "g", "a", topic);
    let mut got = a.fetch(&[0, 1], Wish::default()).acquired;
    if got.len() < 2 {
        got.extend(a.fetch(&[], Wish::default()).acquired);
    }
    got.sort_unstable();
    assert_eq!(got, [(0, 0, 1, 1), (1, 0, 0, 1)]);
    produce(&mut client, 0, &["2"]);
    let said = [(0, 0, 1, ACCEPT), (1, 7, 7, ACCEPT)];
    let got = a.fetch_saying(&[], &said, Wish::default());
    assert_eq!(got.acquired, [(0, 2, 2, 1)]);
    let mut acknowledged = got.acknowledged.clone();
    acknowledged.sort_unstable_by_key(|(partition, _)| *partition);
    assert_eq!(acknowledged, [(0, ErrorCode::NONE), (1, ErrorCode::INVALID_REQUEST)]);
    // A partition whose acknowledgements were refused is as it was.
    assert_eq!(a.acknowledge(1, &[(0, 0, ACCEPT)]), ErrorCode::NONE);
}

#[test]
fn a_fetch_waits_for_records() {
    for shards in [1, 3] {
        let (node, topic) = node(shards, 4, &LIMITS);
        let mut client = node.connect();
        let mut a = Member::new(&node, "g", "a", topic);
        let mut b = Member::new(&node, "g", "b", topic);
        assert_eq!(a.fetch(&[0, 1, 2, 3], Wish::short()).acquired, []);
        assert_eq!(b.fetch(&[0, 1, 2, 3], Wish::short()).acquired, []);
        // For an append.
        a.send_fetch(&[], &[], Wish::long());
        std::thread::sleep(Duration::from_millis(100));
        produce(&mut client, 2, &["0", "1"]);
        let began = Instant::now();
        assert_eq!(a.received(1).acquired, [(2, 0, 1, 1)]);
        assert!(began.elapsed() < Duration::from_secs(5));
        // For a release.
        b.send_fetch(&[], &[], Wish::long());
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(a.acknowledge(2, &[(0, 0, RELEASE)]), ErrorCode::NONE);
        assert_eq!(b.received(1).acquired, [(2, 0, 0, 2)]);
        // For a lock that runs out.
        b.send_fetch(&[], &[(2, 0, 0, ACCEPT)], Wish::long());
        let began = Instant::now();
        let got = b.received(1);
        assert_eq!(got.acquired, [(2, 1, 1, 2)], "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(a.acknowledge(2, &[(1, 1, ACCEPT)]), ErrorCode::INVALID_RECORD_STATE);
        // For as long as it may.
        let began = Instant::now();
        let wish = Wish { wait_ms: 300, ..Wish::default() };
        assert_eq!(a.fetch(&[], wish).acquired, []);
        assert!(began.elapsed() >= Duration::from_millis(300));
    }
}

#[test]
fn what_a_fetch_wishes_is_kept() {
    let (node, topic) = node(1, 2, &[]);
    let mut client = node.connect();
    for first in (0..9).step_by(3) {
        let values = [first, first + 1, first + 2].map(|value| value.to_string());
        produce(&mut client, 0, &values.each_ref().map(String::as_str));
    }
    let mut a = Member::new(&node, "g", "a", topic);
    // Records, to the end of a batch.
    let wish = Wish { records_max: 4, ..Wish::default() };
    let got = a.fetch(&[0], wish);
    assert_eq!((got.acquired, got.values.len()), (vec![(0, 0, 5, 1)], 6));
    assert_eq!(a.acknowledge(0, &[(0, 5, RELEASE)]), ErrorCode::NONE);
    // Or strictly.
    let wish = Wish { strict: true, records_max: 4, ..Wish::default() };
    let got = a.fetch(&[], wish);
    assert_eq!((got.acquired, got.values.len()), (vec![(0, 0, 3, 2)], 6));
    assert_eq!(a.acknowledge(0, &[(0, 3, RELEASE)]), ErrorCode::NONE);
    // In ranges of about so many.
    let mut b = Member::new(&node, "h", "b", topic);
    begin(&mut client, "h", topic, 0, 1, 0);
    let wish = Wish { range_records: 4, ..Wish::default() };
    assert_eq!(b.fetch(&[0], wish).acquired, [(0, 0, 5, 1), (0, 6, 8, 1)]);
    // Bytes, but one batch at least.
    let mut c = Member::new(&node, "i", "c", topic);
    begin(&mut client, "i", topic, 0, 1, 0);
    let wish = Wish { bytes_max: 1, ..Wish::default() };
    assert_eq!(c.fetch(&[0], wish).acquired, [(0, 0, 2, 1)]);
    // Not before there are so many; then what there is.
    let began = Instant::now();
    let wish = Wish { bytes_min: 1 << 20, wait_ms: 400, ..Wish::default() };
    assert_eq!(c.fetch(&[], wish).acquired, [(0, 3, 8, 1)]);
    assert!(began.elapsed() >= Duration::from_millis(400));
    c.send_fetch(&[], &[], Wish { bytes_min: 100, ..Wish::long() });
    produce(&mut client, 0, &["9"]);
    std::thread::sleep(Duration::from_millis(100));
    produce(&mut client, 0, &["10"]);
    assert_eq!(c.received(1).acquired, [(0, 9, 10, 1)], "both at once");
    // Nothing at all.
    produce(&mut client, 0, &["11"]);
    let nothing = Wish { records_max: 0, ..Wish::long() };
    assert_eq!(c.fetch(&[], nothing).acquired, []);
    let nothing = Wish { bytes_max: 0, ..Wish::long() };
    assert_eq!(c.fetch(&[], nothing).acquired, []);
    let strange = Wish { mode: 7, ..Wish::long() };
    assert_eq!(c.fetch(&[], strange).code, ErrorCode::UNKNOWN_SERVER_ERROR);
}

#[test]
fn locks_are_renewed() {
    let (node, topic) = node(3, 1, &LIMITS);
    let mut client = node.connect();
    produce(&mut client, 0, &["0", "1"]);
    let mut a = Member::new(&node, "g", "a", topic);
    let mut b = Member::new(&node, "g", "b", topic);
    assert_eq!(a.fetch(&[0], Wish::default()).acquired, [(0, 0, 1, 1)]);
    assert_eq!(b.fetch(&[0], Wish::short()).acquired, []);
    b.send_fetch(&[], &[], Wish::long());
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(400));
        let got = a.renew(0, &[(1, 1, RENEW)]);
        assert_eq!(got.acknowledged, [(0, ErrorCode::NONE)]);
        assert_eq!((got.code, got.lock_ms), (ErrorCode::NONE, 1_000));
    }
    assert_eq!(b.received(1).acquired, [(0, 0, 0, 2)], "the other one ran out");
    assert_eq!(a.acknowledge_renewing(0, &[(1, 1, RENEW)]), ErrorCode::NONE);
    assert_eq!(a.acknowledge(0, &[(1, 1, RENEW)]), ErrorCode::INVALID_REQUEST);
    assert_eq!(a.acknowledge(0, &[(1, 1, ACCEPT)]), ErrorCode::NONE);
    // A request that renews fetches nothing, and says so.
    let renews = Wish { renews: true, ..Wish::default() };
    assert_eq!(a.fetch(&[], renews).code, ErrorCode::INVALID_REQUEST);
}

#[test]
fn state_of_another_epoch_is_taken_up_anew() {
    let (node, topic) = node(3, 1, &[]);
    let mut client = node.connect();
    produce(&mut client, 0, &["0", "1"]);
    let mut a = Member::new(&node, "g", "a", topic);
    assert_eq!(a.fetch(&[0], Wish::default()).acquired, [(0, 0, 1, 1)]);
    begin(&mut client, "g", topic, 0, 2, 1);
    let code = a.acknowledge(0, &[(0, 1, ACCEPT)]);
    assert_eq!(code, ErrorCode::NOT_LEADER_OR_FOLLOWER, "what it says is not stored");
    assert_eq!(a.fetch(&[], Wish::default()).acquired, [(0, 1, 1, 1)]);
    assert_eq!(a.acknowledge(0, &[(1, 1, ACCEPT)]), ErrorCode::NONE);
}

#[test]
fn records_may_go_while_they_are_in_flight() {
    let (node, topic) = node(3, 1, &[]);
    let mut client = node.connect();
    produce(&mut client, 0, &["0", "1", "2"]);
    produce(&mut client, 0, &["3"]);
    let mut a = Member::new(&node, "g", "a", topic);
    let wish = Wish { records_max: 1, ..Wish::default() };
    assert_eq!(a.fetch(&[0], wish).acquired, [(0, 0, 2, 1)]);
    let delete = DeleteRecordsRequest {
        topics: vec![DeleteRecordsTopic {
            name: "t".into(),
            partitions: vec![DeleteRecordsPartition { partition_index: 0, offset: 2 }],
        }],
        timeout_ms: 10_000,
    };
    let told = client.call(2, &delete).topics.remove(0).partitions.remove(0);
    assert_eq!((told.error_code, told.low_watermark), (ErrorCode::NONE, 2));
    // What is released lies below the log's start in part.
    assert_eq!(a.acknowledge(0, &[(0, 2, RELEASE)]), ErrorCode::NONE);
    assert_eq!(a.fetch(&[], Wish::default()).acquired, [(0, 2, 2, 2), (0, 3, 3, 1)]);
    assert_eq!(a.acknowledge(0, &[(0, 3, ACCEPT)]), ErrorCode::NONE, "below the start is done");
    // The topic goes, and who waits is told.
    a.send_fetch(&[], &[], Wish::long());
    std::thread::sleep(Duration::from_millis(100));
    let delete = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.call(4, &delete).responses[0].error_code, ErrorCode::NONE);
    let began = Instant::now();
    let told = a.received(1).errors;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(told, [(0, ErrorCode::NOT_LEADER_OR_FOLLOWER)]);
    let told = a.fetch(&[], Wish::long()).errors;
    assert_eq!(told, [(0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)]);
    assert_eq!(a.acknowledge(0, &[(0, 3, ACCEPT)]), ErrorCode::UNKNOWN_TOPIC_ID);
}

#[test]
fn what_was_never_initialised_is_not_served() {
    for shards in [1, 3] {
        what_was_never_initialised(shards);
    }
}

fn what_was_never_initialised(shards: usize) {
    let (node, topic) = node(shards, 2, &[]);
    let mut client = node.connect();
    let began = Instant::now();
    let mut a = Member::new(&node, "nobody", "a", topic);
    let told = a.fetch(&[0, 1, 2], Wish::long()).errors;
    let unknown = (2, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert!(told.contains(&unknown), "{told:?}");
    let begin_at = |client: &mut Client| {
        let partition = PartitionData { partition: 0, state_epoch: 1, start_offset: 0 };
        let request = InitializeShareGroupStateRequest {
            group_id: "nobody".into(),
            topics: vec![InitializeStateData { topic_id: topic, partitions: vec![partition] }],
        };
        client.call(0, &request).results.remove(0).partitions.remove(0).error_code
    };
    let mut b = Member::new(&node, "nobody", "b", topic);
    assert_eq!(b.fetch(&[0], Wish::long()).errors, [(0, ErrorCode::UNKNOWN_SERVER_ERROR)]);
    assert!(began.elapsed() < Duration::from_secs(10), "it is told at once");
    // Its errors are over when it is initialised.
    begin(&mut client, "nobody", topic, 1, 1, 0);
    assert_eq!(begin_at(&mut client), ErrorCode::NONE);
    produce(&mut client, 0, &["0"]);
    assert_eq!(b.fetch(&[], Wish::default()).acquired, [(0, 0, 0, 1)]);
}
