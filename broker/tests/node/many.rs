//! More partitions than a store keeps files open: what is idle costs no descriptor, and what is used no more than the cache.

use std::fs;
use std::path::Path;

use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};

use crate::client::{TestNode, batch};

const PARTITIONS: i32 = 2000;
/// Segment files that one store keeps open, by default.
const CACHED: usize = 1000;

/// Descriptors of this process that are open on files of the topic `t`; the metadata's log is open all the time.
fn open_in_partitions(directory: &Path) -> usize {
    let topic = directory.join("t-");
    let of_partition = |path: &Path| path.to_string_lossy().starts_with(&*topic.to_string_lossy());
    let links = fs::read_dir("/proc/self/fd").unwrap().flatten();
    links
        .filter_map(|link| fs::read_link(link.path()).ok())
        .filter(|path| of_partition(path))
        .count()
}

fn to_all(topic: &'static str) -> ProduceRequest {
    let data = |index| PartitionProduceData { index, records: Some(batch(&["one", "two"])) };
    let partition_data = (0..PARTITIONS).map(data).collect();
    let topic = TopicProduceData {
        name: ByteString::from_static(topic),
        partition_data,
        ..Default::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 60_000, topic_data: vec![topic], ..Default::default() }
}

#[test]
fn descriptors_are_those_of_what_is_used() {
    // The scrubber opens files by itself.
    let mut node = TestNode::start(1, &[("odradek.scrub.bytes.per.second", "0")]);
    let id = node.connect().create("t", PARTITIONS, &[]);
    assert_eq!(open_in_partitions(node.directory()), 0);
    for base in [0, 2] {
        let response = node.connect().call(9, &to_all("t"));
        let done = &response.responses[0].partition_responses;
        assert_eq!(done.len(), usize::try_from(PARTITIONS).unwrap());
        assert!(done.iter().all(|p| p.error_code == ErrorCode::NONE && p.base_offset == base));
    }
    // What was appended is in memory and in the commit log.
    assert!(open_in_partitions(node.directory()) <= CACHED);
    node.restart(1);
    assert_eq!(open_in_partitions(node.directory()), 0);
    let mut client = node.connect();
    let mut most = 0;
    for partition in 0..PARTITIONS {
        let (error, found, high_watermark) = client.fetch(id, partition, 0, 0);
        let last = found.last().unwrap().last_offset().0;
        assert_eq!((error, high_watermark, last), (ErrorCode::NONE, 4, 3), "{partition}");
        if partition % 100 == 99 {
            most = most.max(open_in_partitions(node.directory()));
        }
    }
    assert!((CACHED / 2..=CACHED).contains(&most), "{most} were open");
}
