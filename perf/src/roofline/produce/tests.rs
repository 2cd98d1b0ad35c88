use bytes::Bytes;
use net::wire::{
    ErrorCode, decode_response,
    produce::{
        LeaderIdAndEpoch, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
        ProduceResponse, TopicProduceData, TopicProduceResponse,
    },
    request, response,
};
use uuid::Uuid;

use super::*;
use crate::{
    batch::Producer,
    client::{PRODUCE, memory},
    roofline::frames::{Asked, parse},
};

fn batch(size: usize) -> Bytes {
    batch::build(&[&vec![7; size]], Producer::NONE, 0).unwrap().into()
}

/// A request for partitions by topic, each with a batch of a size of its own.
fn asked(acks: i16, topics: &[(&str, &[i32])]) -> ProduceRequest {
    let mut sizes = 10..;
    let topic_data = topics.iter().map(|(name, partitions)| TopicProduceData {
        name: (*name).into(),
        topic_id: Uuid::nil(),
        partition_data: partitions
            .iter()
            .zip(&mut sizes)
            .map(|(&index, size)| PartitionProduceData { index, records: Some(batch(size)) })
            .collect(),
    });
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 30_000,
        topic_data: topic_data.collect(),
    }
}

/// What `net::wire` would answer, with offsets counted up from `offset`.
fn expected(request: &ProduceRequest, mut offset: i64) -> ProduceResponse {
    let mut partition = |data: &PartitionProduceData| {
        offset += 1;
        PartitionProduceResponse {
            index: data.index,
            error_code: ErrorCode::NONE,
            base_offset: offset - 1,
            log_append_time_ms: -1,
            log_start_offset: 0,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 },
        }
    };
    let topic = |data: &TopicProduceData| TopicProduceResponse {
        name: data.name.clone(),
        topic_id: Uuid::nil(),
        partition_responses: data.partition_data.iter().map(&mut partition).collect(),
    };
    ProduceResponse {
        responses: request.topic_data.iter().map(topic).collect(),
        throttle_time_ms: 0,
        node_endpoints: Vec::new(),
    }
}

fn check(acks: i16, topics: &[(&str, &[i32])]) {
    let asked = asked(acks, topics);
    let bytes = memory(request(77, Some(&"me".into()), PRODUCE, &asked).unwrap()).unwrap();
    let frame = bytes.concat();
    let Asked::Produce(produce) = parse(&frame[4..]).unwrap() else { panic!("not a Produce") };
    let sent: Vec<Bytes> = asked
        .topic_data
        .iter()
        .flat_map(|t| &t.partition_data)
        .map(|p| p.records.clone().unwrap())
        .collect();
    let found = (produce.answered, produce.batches, produce.bytes);
    assert_eq!(found, (acks != 0, sent.len(), sent.iter().map(Bytes::len).sum()));

    let (mut taken, mut offset) = (Vec::new(), 1 << 40);
    let mut out = b"before".to_vec();
    let append = |batch: &[u8]| {
        taken.push(Bytes::copy_from_slice(batch));
        offset += 1;
        offset - 1
    };
    produce.take(&mut out, append).unwrap();
    assert_eq!(taken, sent);
    let answer = out.strip_prefix(b"before").unwrap();
    if acks == 0 {
        assert!(answer.is_empty());
        return;
    }
    let expected = expected(&asked, 1 << 40);
    let frame = Bytes::copy_from_slice(&answer[4..]);
    let decoded = decode_response::<ProduceRequest>(frame, PRODUCE).unwrap();
    assert_eq!(decoded, (77, expected.clone()));
    let encoded = response::<ProduceRequest>(77, PRODUCE, &expected).unwrap();
    assert_eq!(answer, memory(encoded).unwrap().concat());
}

#[test]
fn answers_are_those_of_the_codec() {
    check(1, &[("t", &[0])]);
    check(-1, &[("some-topic", &[5, 0, 3])]);
    check(-1, &[("a", &[1]), ("none", &[]), ("b", &[2, 1, 0]), ("", &[7])]);
    check(0, &[("t", &[0, 1])]);
}

fn refused(frame: &[u8]) -> String {
    let taken = parse(frame).and_then(|asked| match asked {
        Asked::Produce(produce) => produce.take(&mut Vec::new(), |_| 0),
        _ => Ok(()),
    });
    taken.unwrap_err().to_string()
}

#[test]
fn what_is_broken_is_refused() {
    let frame =
        |topics| memory(request(1, None, PRODUCE, &asked(1, topics)).unwrap()).unwrap().concat();
    let good = frame(&[("t", &[0, 1])]);
    for length in [12, 20, 40, good.len() - 1] {
        assert_eq!(refused(&good[4..length]), "a request that ends early", "{length} bytes");
    }
    let mut flipped = good;
    *flipped.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&flipped[4..]), "a batch with a wrong CRC");
    assert_eq!(refused(&frame(&[("t", &[])])[4..]), "a Produce request without a batch");
}
