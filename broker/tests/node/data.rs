//! Produce, Fetch, ListOffsets and OffsetForLeaderEpoch.

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::ErrorCode;
use net::wire::api_versions::ApiVersionsRequest;
use net::wire::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use net::wire::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use net::wire::offset_for_leader_epoch::{
    OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use net::wire::produce::ProduceRequest;
use storage::batch::{BatchBuilder, Codec};
use storage::units::{ProducerEpoch, ProducerId, Sequence};
use uuid::Uuid;

use crate::client::{
    Client, TestNode, batch, batch_of, batches, fetch_request, flat, produce_request,
};

/// Runs with one shard and with three.
fn with_shards(test: impl Fn(&mut TestNode)) {
    for shards in [1, 3] {
        test(&mut TestNode::start(shards, &[]));
    }
}

#[test]
fn what_is_produced_is_fetched() {
    with_shards(|node| {
        let mut client = node.connect();
        let id = client.create("t", 6, &[]);
        for acks in [1, -1] {
            for partition in 0..6 {
                let done = client.produce("t", partition, acks, batch(&["a", "bc"]));
                let base = if acks == 1 { 0 } else { 2 };
                assert_eq!(
                    (done.error_code, done.base_offset, done.log_append_time_ms),
                    (ErrorCode::NONE, base, -1)
                );
            }
        }
        for partition in 0..6 {
            let (error, found, high_watermark) = client.fetch(id, partition, 0, 0);
            assert_eq!((error, high_watermark), (ErrorCode::NONE, 4));
            let offsets: Vec<_> =
                found.iter().map(|batch| (batch.base_offset().0, batch.last_offset().0)).collect();
            assert_eq!(offsets, [(0, 1), (2, 3)]);
            // The batch that holds the offset, whole.
            assert_eq!(client.fetch(id, partition, 3, 0).1[0].base_offset().0, 2);
            assert_eq!(client.fetch(id, partition, 4, 0).1.len(), 0);
            assert_eq!(client.fetch(id, partition, 5, 0).0, ErrorCode::OFFSET_OUT_OF_RANGE);
        }
    });
}

#[test]
fn many_requests_on_one_connection_are_answered_in_order() {
    with_shards(|node| {
        let mut client = node.connect();
        client.create("t", 5, &[]);
        for at in 0..200 {
            client.send(9, &produce_request("t", at % 5, -1, batch(&["x"])));
        }
        for at in 0..200 {
            let response = client.receive::<ProduceRequest>(9);
            let done = &response.responses[0].partition_responses[0];
            assert_eq!(
                (done.index, done.error_code, done.base_offset),
                (at % 5, ErrorCode::NONE, i64::from(at / 5))
            );
        }
    });
}

#[test]
fn without_acks_nothing_is_answered_and_an_error_closes() {
    with_shards(|node| {
        let mut client = node.connect();
        let id = client.create("t", 3, &[]);
        client.send(9, &produce_request("t", 1, 0, batch(&["x"])));
        client.send(9, &produce_request("t", 2, 0, batch(&["y"])));
        assert_eq!(client.call(0, &ApiVersionsRequest::default()).error_code, ErrorCode::NONE);
        assert_eq!(client.fetch(id, 1, 0, 5000).1.len(), 1);
        assert_eq!(client.fetch(id, 2, 0, 5000).1.len(), 1);
        client.send(9, &produce_request("t", 9, 0, batch(&["x"])));
        assert!(client.frame().is_none());
    });
}

#[test]
fn a_fetch_waits_for_what_comes() {
    with_shards(|node| {
        let mut client = node.connect();
        let id = client.create("t", 3, &[]);
        for partition in 0..3 {
            client.send(18, &fetch_request(id, partition, 0, 20_000));
            let mut other = node.connect();
            assert_eq!(
                other.produce("t", partition, -1, batch(&["late"])).error_code,
                ErrorCode::NONE
            );
            let response = client.receive::<FetchRequest>(18);
            let records = response.responses[0].partitions[0].records.clone();
            assert_eq!(batches(flat(records)).len(), 1);
        }
    });
}

#[test]
fn refused_batches_say_why() {
    with_shards(|node| {
        let mut client = node.connect();
        client.create("t", 1, &[("max.message.bytes", "1000")]);
        let mut flipped = batch(&["hello"]).to_vec();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let two = [batch(&["a"]), batch(&["b"])].concat();
        let long = "x".repeat(2000);
        for (partition, acks, records, expected) in [
            (0, 1, Bytes::from(flipped), ErrorCode::CORRUPT_MESSAGE),
            (0, 1, Bytes::from(two), ErrorCode::INVALID_RECORD),
            (0, 1, Bytes::new(), ErrorCode::INVALID_RECORD),
            (0, 1, batch(&[&long]), ErrorCode::MESSAGE_TOO_LARGE),
            (0, 2, batch(&["a"]), ErrorCode::INVALID_REQUIRED_ACKS),
            (7, 1, batch(&["a"]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            (-1, 1, batch(&["a"]), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            (
                0,
                1,
                batch_of(
                    BatchBuilder::new()
                        .producer(ProducerId(1), ProducerEpoch(0), Sequence(0))
                        .transactional(),
                    &["a"],
                ),
                ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            ),
        ] {
            let done = client.produce("t", partition, acks, records);
            assert_eq!((done.error_code, done.base_offset), (expected, -1));
        }
        assert_eq!(client.produce("t", 0, 1, batch(&["good"])).base_offset, 0);
        assert_eq!(
            client.produce("none", 0, 1, batch(&["a"])).error_code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        );
    });
}

#[test]
fn an_idempotent_producer_writes_once() {
    with_shards(|node| {
        let mut client = node.connect();
        let id = client.create("t", 2, &[]);
        let of = |epoch, sequence| {
            let builder = BatchBuilder::new().producer(
                ProducerId(7),
                ProducerEpoch(epoch),
                Sequence(sequence),
            );
            batch_of(builder, &["a", "b"])
        };
        for partition in 0..2 {
            let mut send = |epoch, sequence| {
                let done = client.produce("t", partition, -1, of(epoch, sequence));
                (done.error_code, done.base_offset)
            };
            assert_eq!(send(0, 0), (ErrorCode::NONE, 0));
            assert_eq!(send(0, 2), (ErrorCode::NONE, 2));
            assert_eq!(send(0, 0), (ErrorCode::NONE, 0), "a duplicate gets its first offset");
            assert_eq!(send(0, 6), (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
            assert_eq!(send(0, 4), (ErrorCode::NONE, 4));
            assert_eq!(
                send(1, 5),
                (ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, -1),
                "a new epoch begins at 0"
            );
            assert_eq!(send(1, 0), (ErrorCode::NONE, 6));
            assert_eq!(send(0, 6), (ErrorCode::INVALID_PRODUCER_EPOCH, -1));
        }
        assert_eq!(client.fetch(id, 1, 0, 0).2, 8);
    });
}

#[test]
fn offsets_are_found_by_time_and_by_name() {
    with_shards(|node| {
        let mut client = node.connect();
        client.create("t", 2, &[]);
        for partition in 0..2 {
            // Timestamps 1_700_000_000_000 + 0..3, in each batch.
            client.produce("t", partition, -1, batch(&["a", "b", "c"]));
            client.produce(
                "t",
                partition,
                -1,
                batch_of(BatchBuilder::new().codec(Codec::Zstd), &["a", "b", "c", "d"]),
            );
            for (timestamp, offset, found) in [
                (-1, 7, -1),
                (-2, 0, -1),
                (-3, 6, 1_700_000_000_003),
                (-4, 0, -1),
                (-5, -1, -1),
                (0, 0, 1_700_000_000_000),
                (1_700_000_000_002, 2, 1_700_000_000_002),
                (1_700_000_000_003, 6, 1_700_000_000_003),
                (1_700_000_000_004, -1, -1),
            ] {
                let answer = list_offset(&mut client, partition, timestamp);
                assert_eq!(answer, (ErrorCode::NONE, offset, found), "timestamp {timestamp}");
            }
        }
    });
}

fn list_offset(client: &mut Client, partition: i32, timestamp: i64) -> (ErrorCode, i64, i64) {
    let wanted =
        ListOffsetsPartition { partition_index: partition, timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: ByteString::from_static("t"), partitions: vec![wanted] };
    let response = client.call(
        11,
        &ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() },
    );
    let found = &response.topics[0].partitions[0];
    (found.error_code, found.offset, found.timestamp)
}

#[test]
fn epochs_end_at_the_log_end() {
    with_shards(|node| {
        let mut client = node.connect();
        client.create("t", 2, &[]);
        client.produce("t", 1, -1, batch(&["a", "b", "c"]));
        let mut ask = |current_leader_epoch, leader_epoch| {
            let wanted =
                OffsetForLeaderPartition { partition: 1, current_leader_epoch, leader_epoch };
            let topic = OffsetForLeaderTopic {
                topic: ByteString::from_static("t"),
                partitions: vec![wanted],
            };
            let response = client.call(
                4,
                &OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() },
            );
            let found = &response.topics[0].partitions[0];
            (found.error_code, found.leader_epoch, found.end_offset)
        };
        assert_eq!(ask(-1, 0), (ErrorCode::NONE, 0, 3));
        assert_eq!(ask(0, 0), (ErrorCode::NONE, 0, 3));
        assert_eq!(ask(1, 0).0, ErrorCode::UNKNOWN_LEADER_EPOCH);
        assert_eq!(ask(-1, 5), (ErrorCode::NONE, -1, -1));
    });
}

#[test]
fn an_incremental_session_says_only_what_changed() {
    with_shards(|node| {
        // On one connection: a session belongs to the shard of its connection.
        let mut client = node.connect();
        let id = client.create("t", 4, &[]);
        let wanted = |partition, from| FetchPartition {
            partition,
            fetch_offset: from,
            partition_max_bytes: 1 << 20,
            ..Default::default()
        };
        let topics =
            |partitions| vec![FetchTopic { topic_id: id, partitions, ..Default::default() }];
        let request = |session_id, session_epoch, partitions: Vec<FetchPartition>| FetchRequest {
            max_bytes: 1 << 20,
            session_id,
            session_epoch,
            topics: if partitions.is_empty() { Vec::new() } else { topics(partitions) },
            ..Default::default()
        };
        let opened =
            client.call(18, &request(0, 0, (0..4).map(|partition| wanted(partition, 0)).collect()));
        assert_eq!(opened.responses[0].partitions.len(), 4);
        let session = opened.session_id;
        assert!(session > 0);
        let named = |response: &net::wire::fetch::FetchResponse| -> Vec<i32> {
            let topics = response.responses.iter();
            topics
                .flat_map(|topic| {
                    topic.partitions.iter().map(|partition| partition.partition_index)
                })
                .collect()
        };
        assert_eq!(named(&client.call(18, &request(session, 1, vec![]))), Vec::<i32>::new());
        client.produce("t", 2, -1, batch(&["new"]));
        assert_eq!(named(&client.call(18, &request(session, 2, vec![]))), [2]);
        assert_eq!(
            named(&client.call(18, &request(session, 3, vec![wanted(2, 1)]))),
            Vec::<i32>::new()
        );
        let mut forgets = request(session, 4, vec![]);
        let forgotten = ForgottenTopic { topic_id: id, partitions: vec![1], ..Default::default() };
        forgets.forgotten_topics_data = vec![forgotten];
        client.produce("t", 1, -1, batch(&["unheard"]));
        assert_eq!(named(&client.call(18, &forgets)), Vec::<i32>::new());
        assert_eq!(
            client.call(18, &request(session, 9, vec![])).error_code,
            ErrorCode::INVALID_FETCH_SESSION_EPOCH
        );
        assert_eq!(client.call(18, &request(session, -1, vec![])).session_id, 0);
        assert_eq!(
            client.call(18, &request(session, 5, vec![])).error_code,
            ErrorCode::FETCH_SESSION_ID_NOT_FOUND
        );
    });
}

#[test]
fn unknown_topic_ids_are_said_so() {
    with_shards(|node| {
        let mut client = node.connect();
        assert_eq!(client.fetch(Uuid::from_u128(77), 0, 0, 0).0, ErrorCode::UNKNOWN_TOPIC_ID);
    });
}

#[test]
fn the_first_batch_is_whole_whatever_the_limit() {
    with_shards(|node| {
        let mut client = node.connect();
        let id = client.create("t", 3, &[]);
        let long = "x".repeat(5000);
        for partition in 0..3 {
            client.produce("t", partition, -1, batch(&[&long]));
        }
        let mut request = fetch_request(id, 0, 0, 0);
        request.max_bytes = 10;
        let partitions = (0..3).map(|partition| FetchPartition {
            partition,
            partition_max_bytes: 10,
            ..Default::default()
        });
        request.topics[0].partitions = partitions.collect();
        let response = client.call(18, &request);
        let sizes: Vec<_> = response.responses[0]
            .partitions
            .iter()
            .map(|data| batches(flat(data.records.clone())).len())
            .collect();
        assert_eq!(sizes, [1, 0, 0]);
    });
}
