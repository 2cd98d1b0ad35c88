//! Starts, stops, and what stays.

use net::wire::ErrorCode;

use crate::client::{TestNode, batch};

#[test]
fn records_and_topics_outlive_a_restart() {
    for shards in [1, 3] {
        let mut node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        let id = client.create("t", 6, &[]);
        for partition in 0..6 {
            client.produce("t", partition, -1, batch(&["a", "b"]));
        }
        drop(client);
        node.restart(shards);
        let mut client = node.connect();
        for partition in 0..6 {
            let (error, found, high_watermark) = client.fetch(id, partition, 0, 0);
            assert_eq!((error, found.len(), high_watermark), (ErrorCode::NONE, 1, 2));
            assert_eq!(client.produce("t", partition, -1, batch(&["c"])).base_offset, 2);
        }
    }
}

#[test]
fn the_number_of_shards_may_change() {
    let mut node = TestNode::start(1, &[]);
    let id = node.connect().create("t", 6, &[]);
    let mut expected = 0;
    for shards in [3, 2, 1] {
        let mut client = node.connect();
        for partition in 0..6 {
            assert_eq!(client.produce("t", partition, -1, batch(&["x"])).base_offset, expected);
        }
        expected += 1;
        drop(client);
        node.restart(shards);
        let mut client = node.connect();
        for partition in 0..6 {
            assert_eq!(
                client.fetch(id, partition, 0, 0).2,
                expected,
                "{shards} shards, partition {partition}"
            );
        }
    }
}

#[test]
fn a_clean_stop_leaves_kafkas_files() {
    let mut node = TestNode::start(3, &[]);
    node.connect().create("t", 1, &[]);
    node.connect().produce("t", 0, -1, batch(&["a"]));
    node.stop();
    let partition = node.directory().join("t-0");
    let names = [
        "00000000000000000000.log",
        "00000000000000000000.index",
        "00000000000000000000.timeindex",
    ];
    for name in names.iter().copied().chain(["leader-epoch-checkpoint", "partition.metadata"]) {
        assert!(partition.join(name).is_file(), "{name}");
    }
    assert!(node.directory().join(".kafka_cleanshutdown").is_file());
    let log = std::fs::read(partition.join(names[0])).unwrap();
    assert_eq!(crate::client::batches(log.into()).len(), 1, "the segment is cut to its length");
}
