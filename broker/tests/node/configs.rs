//! Every topic config that is served, changed while the node runs, changes what the node does; brokers' configs likewise. (Of one
//! replica `min.insync.replicas` asks no more than one, as in Kafka: there is nothing to see of it here.)

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use net::wire::ErrorCode;
use net::wire::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use storage::batch::{Batch, BatchBuilder, Codec};
use storage::units::{ProducerEpoch, ProducerId, Sequence, Timestamp};
use uuid::Uuid;

use crate::client::{Client, TestNode, batch, batch_of};

/// A node that looks at its logs all the time.
fn start() -> TestNode {
    TestNode::start(
        1,
        &[("log.retention.check.interval.ms", "50"), ("log.cleaner.backoff.ms", "20")],
    )
}

#[expect(clippy::disallowed_methods, reason = "a test that waits for what happens by itself")]
fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < until, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[expect(clippy::disallowed_methods, reason = "a test of what does not happen")]
fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

#[expect(clippy::disallowed_methods, reason = "records of now")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// One record of a size, with a time and perhaps a key.
fn record(time: i64, key: Option<&[u8]>, bytes: usize) -> Bytes {
    BatchBuilder::new().record(Timestamp(time), key, Some(&vec![b'x'; bytes])).build_bytes()
}

#[track_caller]
fn produced(client: &mut Client, topic: &'static str, records: Bytes) -> ErrorCode {
    client.produce(topic, 0, -1, records).error_code
}

fn offset(client: &mut Client, topic: &'static str, timestamp: i64) -> i64 {
    let partition = ListOffsetsPartition { timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    client.call(7, &request).topics[0].partitions[0].offset
}

fn log_start(client: &mut Client, topic: &'static str) -> i64 {
    offset(client, topic, -2)
}

/// A partition's files with an ending.
fn files(node: &TestNode, topic: &str, ending: &str) -> Vec<PathBuf> {
    let directory = node.directory().join(format!("{topic}-0"));
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    paths.sort();
    paths
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

#[test]
fn what_is_taken() {
    let node = start();
    let mut client = node.connect();
    client.create("t", 1, &[]);
    let long = record(now(), None, 5000);
    assert_eq!(produced(&mut client, "t", long.clone()), ErrorCode::NONE);
    client.set("t", "max.message.bytes", "1000");
    assert_eq!(produced(&mut client, "t", long), ErrorCode::MESSAGE_TOO_LARGE);

    let old = record(now() - 3_600_000, None, 10);
    assert_eq!(produced(&mut client, "t", old.clone()), ErrorCode::NONE);
    client.set("t", "message.timestamp.before.max.ms", "60000");
    assert_eq!(produced(&mut client, "t", old), ErrorCode::INVALID_TIMESTAMP);

    let early = record(now() + 7_200_000, None, 10);
    assert_eq!(produced(&mut client, "t", early.clone()), ErrorCode::INVALID_TIMESTAMP);
    client.set("t", "message.timestamp.after.max.ms", "90000000");
    assert_eq!(produced(&mut client, "t", early), ErrorCode::NONE);

    let time = |client: &mut Client| client.produce("t", 0, 1, batch_now()).log_append_time_ms;
    assert_eq!(time(&mut client), -1);
    client.set("t", "message.timestamp.type", "LogAppendTime");
    assert!(time(&mut client) > 0);

    client.set("t", "cleanup.policy", "compact");
    assert_eq!(produced(&mut client, "t", batch_now()), ErrorCode::INVALID_RECORD);
    client.set("t", "cleanup.policy", "delete");
    assert_eq!(produced(&mut client, "t", batch_now()), ErrorCode::NONE);
}

/// The last batch of a topic.
fn newest(client: &mut Client, id: Uuid) -> Batch {
    let mut offset = 0;
    loop {
        let (error, mut found, high_watermark) = client.fetch(id, 0, offset, 0);
        assert_eq!(error, ErrorCode::NONE);
        let last = found.pop().expect("there is more");
        offset = last.last_offset().0 + 1;
        if offset == high_watermark {
            return last;
        }
    }
}

#[test]
fn what_it_is_kept_as() {
    let node = TestNode::start(1, &[("compression.gzip.level", "1")]);
    let mut client = node.connect();
    let id = client.create("t", 1, &[]);
    let values: Vec<String> = (0..200).map(|n| format!("{n} {}", "value ".repeat(20))).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let sent = |codec| batch_of(BatchBuilder::new().codec(codec), &values);
    let kept = |client: &mut Client, codec| {
        assert_eq!(produced(client, "t", sent(codec)), ErrorCode::NONE);
        let kept = newest(client, id);
        let mut records = kept.records();
        for value in &values {
            let record = records.next_record().unwrap().unwrap();
            assert_eq!(record.value, Some(value.as_bytes()));
        }
        assert!(records.next_record().unwrap().is_none());
        (kept.codec().unwrap(), kept.size())
    };
    for codec in Codec::ALL {
        assert_eq!(kept(&mut client, codec).0, codec, "the producer's choice");
    }
    for wanted in Codec::ALL {
        let name = if wanted == Codec::None { "uncompressed" } else { wanted.name() };
        client.set("t", "compression.type", name);
        for codec in Codec::ALL {
            assert_eq!(kept(&mut client, codec).0, wanted, "{codec:?} as {wanted:?}");
        }
    }
    // The level is the broker's, then the topic's own.
    for (codec, key, high) in [
        (Codec::Gzip, "compression.gzip.level", "9"),
        (Codec::Lz4, "compression.lz4.level", "12"),
        (Codec::Zstd, "compression.zstd.level", "19"),
    ] {
        client.set("t", "compression.type", codec.name());
        client.set("t", key, if codec == Codec::Zstd { "-50" } else { "1" });
        let (_, low) = kept(&mut client, Codec::None);
        client.set("t", key, high);
        let (_, less) = kept(&mut client, Codec::None);
        assert!(less < low, "{codec:?}: {less} of {low} bytes");
    }
    // What was small enough as it came may be too large as it is kept.
    client.set("t", "compression.type", "uncompressed");
    client.set("t", "max.message.bytes", "5000");
    let last = newest(&mut client, id).last_offset();
    assert_eq!(produced(&mut client, "t", sent(Codec::Zstd)), ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!(newest(&mut client, id).last_offset(), last);
}

/// Appends keep their order, and an idempotent producer's duplicates are known, though one is compressed meanwhile.
#[test]
fn what_is_compressed_keeps_its_place() {
    let node =
        TestNode::start(1, &[("compression.type", "zstd"), ("compression.zstd.level", "15")]);
    let mut client = node.connect();
    let id = client.create("t", 1, &[]);
    let large = "large ".repeat(100_000);
    for round in 0..5_i32 {
        for (value, sequence) in [(&*large, 2 * round), ("small", 2 * round + 1)] {
            let producer =
                BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(0), Sequence(sequence));
            let records = batch_of(producer, &[value]);
            for _ in 0..2 {
                let done = client.produce("t", 0, -1, records.clone());
                assert_eq!((done.error_code, done.base_offset), (ErrorCode::NONE, sequence.into()));
            }
        }
    }
    let newest = newest(&mut client, id);
    assert_eq!((newest.last_offset().0, newest.codec()), (9, Some(Codec::Zstd)));
}

fn batch_now() -> Bytes {
    record(now(), None, 10)
}

#[test]
fn what_is_kept() {
    let node = start();
    let mut client = node.connect();
    for (topic, key, value) in
        [("by-time", "retention.ms", "1000"), ("by-size", "retention.bytes", "4000")]
    {
        client.create(topic, 1, &[("internal.segment.bytes", "2000"), ("retention.ms", "-1")]);
        for _ in 0..10 {
            let old = record(now() - 100_000, None, 900);
            assert_eq!(produced(&mut client, topic, old), ErrorCode::NONE);
        }
        pause(200);
        assert_eq!(log_start(&mut client, topic), 0);
        client.set(topic, key, value);
        wait_until(key, || log_start(&mut client, topic) > 3);
    }
    // The policy decides whether either counts.
    client.create("t", 1, &[("cleanup.policy", "compact"), ("internal.segment.bytes", "2000")]);
    for n in 0..10u8 {
        let old = record(now() - 100_000, Some(&[n]), 900);
        assert_eq!(produced(&mut client, "t", old), ErrorCode::NONE);
    }
    client.set("t", "retention.ms", "1000");
    pause(300);
    assert_eq!(log_start(&mut client, "t"), 0);
    client.set("t", "cleanup.policy", "compact,delete");
    wait_until("cleanup.policy", || log_start(&mut client, "t") > 3);
}

#[test]
fn when_segments_end() {
    let node = start();
    let mut client = node.connect();
    let segments = |topic: &str| files(&node, topic, ".log").len();
    let roll = |client: &mut Client, topic: &'static str, key: &str, value: &str, time: i64| {
        client.create(topic, 1, &[]);
        // Kafka's clock of a segment is its records'.
        assert_eq!(produced(client, topic, record(now() - 7_000_000, None, 800)), ErrorCode::NONE);
        assert_eq!(produced(client, topic, record(now() - 7_000_000, None, 800)), ErrorCode::NONE);
        client.set(topic, key, value);
        for _ in 0..4 {
            assert_eq!(produced(client, topic, record(time, None, 800)), ErrorCode::NONE);
        }
        wait_until(key, || segments(topic) >= 1 && log_files_after_roll(client, topic));
    };
    roll(&mut client, "bytes", "internal.segment.bytes", "1000", now());
    roll(&mut client, "ms", "segment.ms", "1000000", now());
    client.create("jitter", 1, &[("segment.ms", "7100000")]);
    assert_eq!(
        produced(&mut client, "jitter", record(now() - 7_000_000, None, 8)),
        ErrorCode::NONE
    );
    assert_eq!(produced(&mut client, "jitter", record(now(), None, 8)), ErrorCode::NONE);
    assert!(!log_files_after_roll(&mut client, "jitter"));
    client.set("jitter", "segment.jitter.ms", "7000000");
    for _ in 0..4 {
        assert_eq!(produced(&mut client, "jitter", record(now(), None, 8)), ErrorCode::NONE);
    }
    wait_until("segment.jitter.ms", || log_files_after_roll(&mut client, "jitter"));
    // An index of one entry is full with the second.
    client.create("index", 1, &[("index.interval.bytes", "0")]);
    client.set("index", "segment.index.bytes", "12");
    for _ in 0..10 {
        assert_eq!(produced(&mut client, "index", record(now(), None, 800)), ErrorCode::NONE);
    }
    wait_until("segment.index.bytes", || log_files_after_roll(&mut client, "index"));
}

/// Whether a log has more than one segment: everything before the active one can be given up.
fn log_files_after_roll(client: &mut Client, topic: &'static str) -> bool {
    client.set(topic, "retention.bytes", "0");
    let start = log_start(client, topic);
    start > 0
}

#[test]
fn how_files_are_written() {
    let mut node = start();
    let mut client = node.connect();
    for topic in ["dense", "sparse"] {
        client.create(topic, 1, &[("index.interval.bytes", "1000000")]);
    }
    client.set("dense", "index.interval.bytes", "0");
    client.create("large", 1, &[]);
    client.set("large", "preallocate", "true");
    client.set("large", "segment.bytes", "33554432");
    for topic in ["dense", "sparse", "large"] {
        for _ in 0..20 {
            assert_eq!(produced(&mut client, topic, record(now(), None, 3000)), ErrorCode::NONE);
        }
    }
    let blocks = |node: &TestNode| {
        let of = |path: &PathBuf| std::fs::metadata(path).map_or(0, |m| m.blocks() * 512);
        files(node, "large", ".log").iter().map(of).max().unwrap_or(0)
    };
    // The file is made when the log leaves the shard's own.
    for _ in 0..600 {
        assert_eq!(produced(&mut client, "large", record(now(), None, 3000)), ErrorCode::NONE);
    }
    wait_until("preallocate", || blocks(&node) >= 33_554_432);
    drop(client);
    node.stop();
    let index = |topic: &str| size(&files(&node, topic, ".index")[0]);
    assert!(index("dense") > 8 * 10, "{}", index("dense"));
    assert!(index("sparse") <= 8, "{}", index("sparse"));
}

#[test]
fn when_a_log_is_synced() {
    let node = TestNode::start(1, &[("odradek.durability", "written")]);
    let mut client = node.connect();
    let syncs = || node.counter("odradek_log_syncs_total");
    for (key, value) in [("flush.messages", "1"), ("flush.ms", "5")] {
        let topic = if key == "flush.ms" { "ms" } else { "messages" };
        client.create(topic, 1, &[]);
        let count = |client: &mut Client| {
            let before = syncs();
            for _ in 0..40 {
                assert_eq!(client.produce(topic, 0, 1, batch(&["a"])).error_code, ErrorCode::NONE);
                pause(10);
            }
            syncs() - before
        };
        let unasked = count(&mut client);
        client.set(topic, key, value);
        let asked = count(&mut client);
        assert!(asked >= unasked + 10.0, "{key}: {unasked} and {asked} syncs");
    }
}

#[test]
fn when_given_up_files_go() {
    let node = start();
    let mut client = node.connect();
    for (topic, delay) in [("slow", "600000"), ("fast", "0")] {
        client.create(topic, 1, &[("internal.segment.bytes", "2000")]);
        client.set(topic, "file.delete.delay.ms", delay);
        for _ in 0..10 {
            assert_eq!(produced(&mut client, topic, record(now(), None, 900)), ErrorCode::NONE);
        }
        wait_until("a segment", || files(&node, topic, ".log").len() > 3);
        client.set(topic, "retention.bytes", "0");
        wait_until("retention", || log_start(&mut client, topic) > 3);
    }
    wait_until("deletion", || files(&node, "fast", ".deleted").is_empty());
    wait_until("renaming", || !files(&node, "slow", ".deleted").is_empty());
}

/// Fills a compacted topic with many values of two keys and a tombstone, and counts what is left.
#[test]
fn what_the_cleaner_does() {
    let node = start();
    let mut client = node.connect();
    let made = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "2000"),
        ("min.cleanable.dirty.ratio", "1.0"),
        ("min.compaction.lag.ms", "0"),
    ];
    let fill = |client: &mut Client, topic| {
        for n in 0..60 {
            let key = [u8::from(n % 2 == 0)];
            assert_eq!(produced(client, topic, record(now(), Some(&key), 200)), ErrorCode::NONE);
        }
    };
    let count = |client: &mut Client, id| {
        let (mut from, mut count) = (0, 0);
        loop {
            let (error, batches, end) = client.fetch(id, 0, from, 0);
            assert_eq!(error, ErrorCode::NONE);
            count += batches.iter().map(|batch| batch.count()).sum::<i32>();
            from = batches.last().map_or(end, |batch| batch.last_offset().0 + 1);
            if from >= end {
                return count;
            }
        }
    };
    // A ratio of 1 is never passed by a log whose every byte is dirty; a smaller one is.
    let id = client.create("ratio", 1, &made);
    fill(&mut client, "ratio");
    pause(300);
    assert_eq!(count(&mut client, id), 60);
    client.set("ratio", "min.cleanable.dirty.ratio", "0.1");
    wait_until("min.cleanable.dirty.ratio", || count(&mut client, id) < 30);

    let id = client.create("min", 1, &made);
    client.set("min", "min.compaction.lag.ms", "600000");
    client.set("min", "min.cleanable.dirty.ratio", "0.1");
    fill(&mut client, "min");
    pause(300);
    assert_eq!(count(&mut client, id), 60);
    client.set("min", "min.compaction.lag.ms", "0");
    wait_until("min.compaction.lag.ms", || count(&mut client, id) < 30);

    let id = client.create("max", 1, &made);
    fill(&mut client, "max");
    pause(300);
    assert_eq!(count(&mut client, id), 60);
    client.set("max", "max.compaction.lag.ms", "1");
    wait_until("max.compaction.lag.ms", || count(&mut client, id) < 30);

    let tombstones = |client: &mut Client, topic, id| {
        let gone = BatchBuilder::new().record(Timestamp(now()), Some(b"gone"), None).build_bytes();
        assert_eq!(produced(client, topic, gone), ErrorCode::NONE);
        fill(client, topic);
        wait_until("a cleaning", || count(client, id) < 30);
        let first = client.fetch(id, 0, 0, 0).1;
        first.first().is_some_and(|batch| batch.base_offset().0 == 0)
    };
    let id = client.create("tombs", 1, &made);
    client.set("tombs", "min.cleanable.dirty.ratio", "0.01");
    assert!(tombstones(&mut client, "tombs", id));
    client.set("tombs", "delete.retention.ms", "1");
    let id = client.create("no-tombs", 1, &made);
    client.set("no-tombs", "delete.retention.ms", "1");
    client.set("no-tombs", "min.cleanable.dirty.ratio", "0.01");
    tombstones(&mut client, "no-tombs", id);
    wait_until("delete.retention.ms", || {
        fill(&mut client, "no-tombs");
        let first = client.fetch(id, 0, 0, 0).1;
        first.first().is_none_or(|batch| batch.base_offset().0 > 0)
    });
}

#[test]
fn brokers_configs_reach_topics_without_their_own() {
    for shards in [1, 3] {
        let mut node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        client.create("plain", 1, &[]);
        client.create("own", 1, &[("max.message.bytes", "100000")]);
        let long = record(now(), None, 5000);
        let all = client.alter(4, "", &[("message.max.bytes", Some("1000"))]);
        assert_eq!(all, (ErrorCode::NONE, None));
        assert_eq!(produced(&mut client, "plain", long.clone()), ErrorCode::MESSAGE_TOO_LARGE);
        assert_eq!(produced(&mut client, "own", long.clone()), ErrorCode::NONE);
        let one = client.alter(4, "1", &[("message.max.bytes", Some("20000"))]);
        assert_eq!(one, (ErrorCode::NONE, None));
        assert_eq!(produced(&mut client, "plain", long.clone()), ErrorCode::NONE);
        drop(client);
        // They are in the metadata log.
        node.restart(shards);
        let mut client = node.connect();
        assert_eq!(produced(&mut client, "plain", long.clone()), ErrorCode::NONE);
        client.alter(4, "1", &[("message.max.bytes", None)]);
        assert_eq!(produced(&mut client, "plain", long.clone()), ErrorCode::MESSAGE_TOO_LARGE);
        client.create("later", 1, &[]);
        assert_eq!(produced(&mut client, "later", long.clone()), ErrorCode::MESSAGE_TOO_LARGE);
        client.alter(4, "", &[("message.max.bytes", None)]);
        assert_eq!(produced(&mut client, "later", long), ErrorCode::NONE);
    }
}

#[test]
fn the_limit_of_connections_changes() {
    let node = TestNode::start(1, &[]);
    let mut client = node.connect();
    let opens_within = |seconds: f64| {
        let mut other = node.connect();
        other.stream.set_read_timeout(Some(Duration::from_secs_f64(seconds))).unwrap();
        other.send(0, &net::wire::api_versions::ApiVersionsRequest::default());
        other.frame().is_some()
    };
    assert!(opens_within(30.0));
    assert_eq!(client.alter(4, "", &[("max.connections", Some("1"))]), (ErrorCode::NONE, None));
    // One too many is accepted, and waits until it may be served.
    wait_until("max.connections", || !opens_within(0.3));
    client.alter(4, "", &[("max.connections", None)]);
    wait_until("the default", || opens_within(30.0));
}

#[test]
fn the_limit_of_one_address_changes() {
    let node = TestNode::start(1, &[]);
    let mut client = node.connect();
    // One too many is closed at once; who may stay waits for our request.
    let is_served = || {
        let mut other = node.connect().stream;
        other.set_read_timeout(Some(Duration::from_secs_f64(0.3))).unwrap();
        let read = std::io::Read::read(&mut other, &mut [0]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    assert!(is_served());
    let mut set =
        |key, value| assert_eq!(client.alter(4, "", &[(key, value)]), (ErrorCode::NONE, None));
    set("max.connections.per.ip", Some("1"));
    wait_until("max.connections.per.ip", || !is_served());
    set("max.connections.per.ip.overrides", Some("127.0.0.1:2"));
    wait_until("the override", is_served);
    set("max.connections.per.ip.overrides", Some("127.0.0.1:0"));
    wait_until("an override of nobody", || !is_served());
    set("max.connections.per.ip.overrides", None);
    set("max.connections.per.ip", None);
    wait_until("the default", is_served);
    let (code, why) =
        client.alter(4, "", &[("max.connections.per.ip.overrides", Some("localhost:1"))]);
    assert_eq!(code, ErrorCode::INVALID_REQUEST);
    assert!(why.is_some_and(|why| why.contains("a name is looked up only at the start")));
}

/// The cleaner sleeps for an hour until it is told not to.
#[test]
fn the_cleaner_obeys_at_once() {
    let node = TestNode::start(1, &[("log.cleaner.backoff.ms", "3600000")]);
    let mut client = node.connect();
    let made = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "2000"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    client.create("t", 1, &made);
    pause(200);
    for _ in 0..60 {
        assert_eq!(produced(&mut client, "t", record(now(), Some(b"k"), 200)), ErrorCode::NONE);
    }
    pause(300);
    let cleanings = || node.counter("odradek_cleanings_total");
    assert_eq!(cleanings(), 0.0);
    client.alter(4, "", &[("log.cleaner.backoff.ms", Some("20"))]);
    wait_until("log.cleaner.backoff.ms", || cleanings() > 0.0);
}
