//! Compacted topics: they shrink to the latest record of each key, and take no record without one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use net::wire::ErrorCode;
use storage::batch::{BatchBuilder, Codec};
use storage::units::Timestamp;
use uuid::Uuid;

use crate::client::{Client, TestNode, batch};

const SMALL: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("internal.segment.bytes", "8192"),
    ("min.cleanable.dirty.ratio", "0.01"),
    ("delete.retention.ms", "100"),
    ("file.delete.delay.ms", "0"),
];

fn start(shards: usize) -> TestNode {
    TestNode::start(shards, &[("log.cleaner.backoff.ms", "20")])
}

/// Offset to key and value, of all records.
type Found = BTreeMap<i64, (Vec<u8>, Option<Vec<u8>>)>;

fn all(client: &mut Client, id: Uuid, partition: i32) -> Found {
    let mut found = Found::new();
    let mut from = 0;
    loop {
        let (error, batches, high_watermark) = client.fetch(id, partition, from, 0);
        assert_eq!(error, ErrorCode::NONE);
        for batch in &batches {
            let mut records = batch.records();
            while let Some(record) = records.next_record().unwrap() {
                let value = record.value.map(<[u8]>::to_vec);
                found.insert(record.offset.0, (record.key.unwrap().to_vec(), value));
            }
            from = batch.last_offset().0 + 1;
        }
        if from >= high_watermark {
            return found;
        }
    }
}

/// Fetches until there is what is expected of it.
#[expect(clippy::disallowed_methods, reason = "a test that waits for the cleaner")]
fn wait_for(
    client: &mut Client,
    id: Uuid,
    partition: i32,
    expected: impl Fn(&Found) -> bool,
) -> Found {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let found = all(client, id, partition);
        if expected(&found) {
            return found;
        }
        assert!(Instant::now() < until, "{} records are left: {:?}", found.len(), found.keys());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Rounds of ten keys, in all codecs; the last key is deleted in each round.
fn fill(client: &mut Client, topic: &'static str, partition: i32, rounds: usize) {
    for round in 0..rounds {
        let mut builder = BatchBuilder::new().codec(Codec::ALL[round % 5]);
        for key in 0..10u8 {
            let value = format!("{round}-{key}-{}", "x".repeat(round * 7 % 90));
            let value = Some(value.as_bytes()).filter(|_| key < 9);
            builder = builder.record(Timestamp(1_700_000_000_000), Some(&[key]), value);
        }
        let done = client.produce(topic, partition, -1, builder.build_bytes());
        assert_eq!(done.error_code, ErrorCode::NONE);
    }
}

fn latest(found: &Found) -> BTreeMap<Vec<u8>, Option<Vec<u8>>> {
    found.values().cloned().collect()
}

#[test]
fn a_compacted_log_shrinks_and_keeps_the_latest() {
    for shards in [1, 3] {
        let mut node = start(shards);
        let mut client = node.connect();
        let id = client.create("t", 3, SMALL);
        for partition in 0..3 {
            fill(&mut client, "t", partition, 300);
        }
        for partition in 0..3 {
            let found = wait_for(&mut client, id, partition, |found| found.len() < 600);
            let last = latest(&found);
            assert_eq!(last.len(), 10);
            for (key, value) in last {
                let expected = format!("299-{}-{}", key[0], "x".repeat(299 * 7 % 90));
                assert_eq!(value, Some(expected.into_bytes()).filter(|_| key[0] < 9), "{key:?}");
            }
            // Below the active segment one record of a key is left, and no tombstone that is old.
            let old: Vec<_> = found.range(..1000).collect();
            assert!(old.len() <= 10, "{old:?}");
        }
        drop(client);
        node.restart(shards);
        let checkpoint =
            std::fs::read_to_string(node.directory().join("cleaner-offset-checkpoint")).unwrap();
        assert_eq!(checkpoint.lines().filter(|line| line.starts_with("t ")).count(), 3);
        let mut client = node.connect();
        for partition in 0..3 {
            let found = all(&mut client, id, partition);
            assert!(found.len() < 600 && latest(&found).len() == 10);
            // And it goes on.
            fill(&mut client, "t", partition, 200);
            wait_for(&mut client, id, partition, |found| {
                found.len() < 600 && found.range(..4000).count() < 20
            });
        }
    }
}

#[test]
fn a_record_without_a_key_is_refused() {
    let node = start(1);
    let mut client = node.connect();
    for (topic, policy) in [("t", "compact"), ("u", "compact,delete")] {
        client.create(topic, 1, &[("cleanup.policy", policy)]);
        let done = client.produce(topic, 0, -1, batch(&["a", "b"]));
        assert_eq!(done.error_code, ErrorCode::INVALID_RECORD);
        let text = format!(
            "Compacted topic cannot accept message without key in topic partition {topic}-0"
        );
        let errors: Vec<_> = done
            .record_errors
            .iter()
            .map(|error| (error.batch_index, error.batch_index_error_message.as_deref().unwrap()))
            .collect();
        assert_eq!(errors, [(0, &*text), (1, &*text)]);
    }
    client.create("d", 1, &[("cleanup.policy", "delete")]);
    assert_eq!(client.produce("d", 0, -1, batch(&["a"])).error_code, ErrorCode::NONE);
}
