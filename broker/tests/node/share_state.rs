//! The share coordinator, over sockets: what is kept of share partitions, what a stop leaves of it, and what goes with a topic.

#![expect(clippy::disallowed_methods, reason = "a test waits, and looks how long")]

use std::time::{Duration, Instant};

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::delete_topics::DeleteTopicsRequest;
use net::wire::find_coordinator::FindCoordinatorRequest;
use net::wire::initialize_share_group_state::{self, InitializeShareGroupStateRequest};
use net::wire::read_share_group_state::{self, ReadShareGroupStateRequest, StateBatch};
use net::wire::write_share_group_state::{self, WriteShareGroupStateRequest};
use storage::units::TopicId;
use uuid::Uuid;

use crate::client::{Client, TestNode};

const GROUPS: [&str; 4] = ["a", "b", "c", "d"];

/// Finds the coordinators of share partitions.
fn find(client: &mut Client, topic: Uuid) {
    let key = |group: &str| ByteString::from(format!("{group}:{}:0", TopicId(topic)));
    let request = FindCoordinatorRequest {
        key_type: 2,
        coordinator_keys: GROUPS.into_iter().map(key).collect(),
        ..FindCoordinatorRequest::default()
    };
    for found in client.call(6, &request).coordinators {
        assert_eq!((found.error_code, found.node_id), (ErrorCode::NONE, 1), "{}", found.key);
    }
}

fn initialize(client: &mut Client, group: &str, topic: Uuid, state_epoch: i32) -> ErrorCode {
    use initialize_share_group_state::{InitializeStateData, PartitionData};
    let partitions = vec![PartitionData { partition: 0, state_epoch, start_offset: 7 }];
    let request = InitializeShareGroupStateRequest {
        group_id: group.into(),
        topics: vec![InitializeStateData { topic_id: topic, partitions }],
    };
    client.call(0, &request).results.remove(0).partitions.remove(0).error_code
}

/// Once the coordinator has loaded.
fn loaded(mut ask: impl FnMut() -> ErrorCode) -> ErrorCode {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        match ask() {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS | ErrorCode::NOT_COORDINATOR => {
                assert!(Instant::now() < until, "the state does not load");
                std::thread::sleep(Duration::from_millis(5));
            }
            code => return code,
        }
    }
}

fn read(client: &mut Client, group: &str, topic: Uuid) -> read_share_group_state::PartitionResult {
    use read_share_group_state::{PartitionData, ReadStateData};
    let partitions = vec![PartitionData { partition: 0, leader_epoch: 0 }];
    let request = ReadShareGroupStateRequest {
        group_id: group.into(),
        topics: vec![ReadStateData { topic_id: topic, partitions }],
    };
    client.call(0, &request).results.remove(0).partitions.remove(0)
}

fn write(client: &mut Client, group: &str, topic: Uuid, start: i64, offset: i64) -> ErrorCode {
    use write_share_group_state::{PartitionData, WriteStateData};
    let batch = StateBatch {
        first_offset: offset,
        last_offset: offset,
        delivery_state: 2,
        delivery_count: 1,
    };
    let partition = PartitionData {
        state_epoch: 1,
        start_offset: start,
        state_batches: vec![batch],
        ..PartitionData::default()
    };
    let request = WriteShareGroupStateRequest {
        group_id: group.into(),
        topics: vec![WriteStateData { topic_id: topic, partitions: vec![partition] }],
    };
    client.call(1, &request).results.remove(0).partitions.remove(0).error_code
}

#[test]
fn state_outlives_a_stop_and_another_number_of_shards() {
    for (before, after) in [(1, 1), (3, 3), (1, 3), (3, 1)] {
        // Snapshots come often.
        let every = ("share.coordinator.snapshot.update.records.per.snapshot", "3");
        let mut node = TestNode::start(before, &[every]);
        let mut client = node.connect();
        let topic = client.create("t", 1, &[]);
        find(&mut client, topic);
        for group in GROUPS {
            let begun = loaded(|| initialize(&mut client, group, topic, 1));
            assert_eq!(begun, ErrorCode::NONE);
            for offset in 10..20 {
                let written = write(&mut client, group, topic, 8, 2 * offset);
                assert_eq!(written, ErrorCode::NONE);
            }
        }
        let expected: Vec<_> = GROUPS.map(|group| read(&mut client, group, topic)).into();
        assert_eq!((expected[0].start_offset, expected[0].state_batches.len()), (8, 10));
        drop(client);
        node.restart(after);
        let mut client = node.connect();
        for (group, expected) in GROUPS.into_iter().zip(expected) {
            assert_eq!(loaded(|| read(&mut client, group, topic).error_code), ErrorCode::NONE);
            assert_eq!(read(&mut client, group, topic), expected);
            // Who works on state from before it was begun anew writes nothing.
            assert_eq!(initialize(&mut client, group, topic, 2), ErrorCode::NONE);
            let fenced = write(&mut client, group, topic, 50, 50);
            assert_eq!(fenced, ErrorCode::FENCED_STATE_EPOCH);
        }
    }
}

#[test]
fn state_goes_with_its_topic() {
    let node = TestNode::start(3, &[]);
    let mut client = node.connect();
    let topic = client.create("t", 1, &[]);
    find(&mut client, topic);
    assert_eq!(loaded(|| initialize(&mut client, "a", topic, 1)), ErrorCode::NONE);
    let delete = DeleteTopicsRequest {
        topic_names: vec!["t".into()],
        timeout_ms: 10_000,
        ..DeleteTopicsRequest::default()
    };
    assert_eq!(client.call(4, &delete).responses[0].error_code, ErrorCode::NONE);
    // Nothing is kept that could be read.
    assert_eq!(read(&mut client, "a", topic).error_code, ErrorCode::INVALID_REQUEST);
    let begun = initialize(&mut client, "a", topic, 1);
    assert_eq!(begun, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}
