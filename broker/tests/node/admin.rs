//! CreatePartitions, DeleteRecords, and what of both stays after a restart.

use net::wire::ErrorCode;
use net::wire::create_partitions::{CreatePartitionsRequest, CreatePartitionsTopic};
use net::wire::delete_records::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic};
use net::wire::describe_producers::{DescribeProducersRequest, TopicRequest};
use storage::batch::BatchBuilder;
use storage::units::{ProducerEpoch, ProducerId, Sequence};

use crate::client::{Client, TestNode, batch, batch_of};

fn delete(client: &mut Client, topic: &'static str, parts: &[(i32, i64)]) -> Vec<(ErrorCode, i64)> {
    let partition = |(index, offset): &(i32, i64)| DeleteRecordsPartition {
        partition_index: *index,
        offset: *offset,
    };
    let topic = DeleteRecordsTopic {
        name: topic.into(),
        partitions: parts.iter().map(partition).collect(),
    };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 10_000 };
    let told = client.call(2, &request).topics.remove(0).partitions;
    told.iter().map(|told| (told.error_code, told.low_watermark)).collect()
}

#[test]
fn records_that_were_deleted_stay_deleted() {
    for shards in [1, 3] {
        let mut node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        let id = client.create(
            "t",
            4,
            &[("internal.segment.bytes", "1000"), ("file.delete.delay.ms", "0")],
        );
        for partition in 0..4 {
            for _ in 0..20 {
                client.produce("t", partition, -1, batch(&[&"x".repeat(200)]));
            }
        }
        let done = delete(&mut client, "t", &[(0, 5), (1, -1), (2, 20), (3, 21), (9, 0)]);
        let none = ErrorCode::NONE;
        let expected = [
            (none, 5),
            (none, 20),
            (none, 20),
            (ErrorCode::OFFSET_OUT_OF_RANGE, -1),
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1),
        ];
        assert_eq!(done, expected);
        // What is deleted does not come back, and a log goes on where it ended.
        assert_eq!(delete(&mut client, "t", &[(0, 2)]), [(none, 5)]);
        for restart in [false, true] {
            if restart {
                drop(client);
                node.restart(shards);
                client = node.connect();
            }
            assert_eq!(client.fetch(id, 0, 4, 0).0, ErrorCode::OFFSET_OUT_OF_RANGE);
            let found = client.fetch(id, 0, 5, 0).1;
            assert_eq!(found[0].base_offset().0, 5);
            assert_eq!(client.fetch(id, 1, 19, 0).0, ErrorCode::OFFSET_OUT_OF_RANGE);
            assert_eq!(client.fetch(id, 3, 0, 0).0, none);
        }
        assert_eq!(client.produce("t", 1, -1, batch(&["more"])).base_offset, 20);
    }
}

#[test]
fn new_partitions_are_led_when_they_are_answered() {
    for shards in [1, 3] {
        let mut node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        client.create("t", 1, &[]);
        let more = |client: &mut Client, count, validate_only| {
            let topic = CreatePartitionsTopic { name: "t".into(), count, assignments: None };
            let request =
                CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only };
            let told = client.call(3, &request).results.remove(0);
            (told.error_code, told.error_message.map(|text| text.to_string()))
        };
        assert_eq!(more(&mut client, 7, true), (ErrorCode::NONE, None));
        let unknown = client.produce("t", 6, -1, batch(&["a"])).error_code;
        assert_eq!(unknown, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(more(&mut client, 7, false), (ErrorCode::NONE, None));
        for partition in 0..7 {
            let done = client.produce("t", partition, -1, batch(&["a"]));
            assert_eq!((done.error_code, done.base_offset), (ErrorCode::NONE, 0));
        }
        let text = "The topic t currently has 7 partition(s); 3 would not be an increase.";
        let fewer = more(&mut client, 3, false);
        assert_eq!(fewer, (ErrorCode::INVALID_PARTITIONS, Some(text.to_owned())));
        drop(client);
        node.restart(shards);
        let mut client = node.connect();
        assert_eq!(client.produce("t", 6, -1, batch(&["b"])).base_offset, 1);
    }
}

#[test]
fn producers_are_named() {
    for shards in [1, 3] {
        let node = TestNode::start(shards, &[]);
        let mut client = node.connect();
        client.create("t", 3, &[]);
        let builder = BatchBuilder::new().producer(ProducerId(7), ProducerEpoch(2), Sequence(0));
        client.produce("t", 2, -1, batch_of(builder, &["a", "b", "c"]));
        let topic = TopicRequest { name: "t".into(), partition_indexes: vec![2, 0, 9] };
        let request = DescribeProducersRequest { topics: vec![topic] };
        let told = client.call(0, &request).topics.remove(0).partitions;
        let codes: Vec<_> = told.iter().map(|told| told.error_code).collect();
        let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        assert_eq!(codes, [ErrorCode::NONE, ErrorCode::NONE, unknown]);
        let found = &told[0].active_producers[0];
        assert_eq!((found.producer_id, found.producer_epoch, found.last_sequence), (7, 2, 2));
        assert_eq!(found.current_txn_start_offset, -1);
        assert!(told[1].active_producers.is_empty());
    }
}
