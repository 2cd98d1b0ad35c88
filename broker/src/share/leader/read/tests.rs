//! What of a piece of the log is hidden, and which batches go with what is acquired.

use storage::batch::{BatchBuilder, EndTransaction};
use storage::units::{Epoch, ProducerEpoch, Sequence, Timestamp};

use super::*;

fn builder(first: i64) -> BatchBuilder {
    BatchBuilder::new().base_offset(Offset(first)).leader_epoch(Epoch(0))
}

fn records(builder: BatchBuilder, count: usize) -> Bytes {
    let add = |builder: BatchBuilder, _| builder.record(Timestamp(0), None, Some(b"value"));
    (0..count).fold(builder, add).build_bytes()
}

fn of_producer(first: i64, producer: i64, count: usize) -> Bytes {
    let producer = (ProducerId(producer), ProducerEpoch(0), Sequence(0));
    records(builder(first).producer(producer.0, producer.1, producer.2).transactional(), count)
}

fn marker(first: i64, producer: i64, committed: bool) -> Bytes {
    let marker = EndTransaction { committed, coordinator_epoch: 0 };
    builder(first)
        .producer(ProducerId(producer), ProducerEpoch(0), Sequence::NONE)
        .transactional()
        .control()
        .end_transaction(Timestamp(0), marker)
        .build_bytes()
}

fn aborted(producer: i64, first: i64, last: i64) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: ProducerId(producer),
        first_offset: Offset(first),
        last_offset: Offset(last),
        last_stable_offset: Offset(last + 1),
    }
}

fn visible(bytes: &Bytes, aborted: &[AbortedTransaction]) -> Vec<(i64, i64)> {
    let found = find(bytes, aborted).unwrap();
    let seen = found.iter().filter(|found| !found.batch.hidden);
    seen.map(|found| (found.batch.first, found.batch.last)).collect()
}

#[test]
fn aborted_records_and_markers_are_hidden() {
    let log = [
        records(builder(0), 2),
        of_producer(2, 7, 3),
        of_producer(5, 8, 1),
        marker(6, 7, false),
        of_producer(7, 7, 2),
        marker(9, 8, true),
        marker(10, 7, true),
        records(builder(11), 1),
    ]
    .concat()
    .into();
    assert_eq!(visible(&log, &[]), [(0, 1), (2, 4), (5, 5), (7, 8), (11, 11)]);
    assert_eq!(visible(&log, &[aborted(7, 2, 6)]), [(0, 1), (5, 5), (7, 8), (11, 11)]);
}

#[test]
fn a_torn_batch_at_the_end_is_left_and_a_broken_one_is_an_error() {
    let whole: Bytes = [records(builder(0), 2), records(builder(2), 2)].concat().into();
    for cut in 1..30 {
        assert_eq!(visible(&whole.slice(..whole.len() - cut), &[]), [(0, 1)], "{cut}");
    }
    let mut broken = whole.to_vec();
    broken[16] = 1;
    assert!(find(&broken.into(), &[]).is_none(), "another magic");
}

#[test]
fn the_batches_from_the_first_to_the_last_acquired_are_given() {
    let batches: Vec<Bytes> = (0..4).map(|at| records(builder(at * 10), 10)).collect();
    let piece = |range: std::ops::Range<usize>| {
        let bytes: Bytes = batches[range].concat().into();
        Piece { found: find(&bytes, &[]).unwrap(), bytes }
    };
    let acquired = |first, last| vec![Acquired { first, last, deliveries: 1 }];
    let given = |given: &Given| {
        let bytes: Vec<u8> = given.batches.concat();
        let found = find(&bytes.into(), &[]).unwrap();
        found.iter().map(|found| found.batch.first).collect::<Vec<_>>()
    };
    let mut one = Given::default();
    one.add(piece(0..4), acquired(12, 25), 500);
    assert_eq!(given(&one), [10, 20]);
    // Nothing of the first piece; of the third nothing either, but something behind it.
    let mut several = Given::default();
    several.add(piece(0..1), Vec::new(), 500);
    several.add(piece(1..2), acquired(10, 19), 500);
    several.add(piece(2..3), Vec::new(), 500);
    assert_eq!(given(&several), [10]);
    several.add(piece(3..4), acquired(30, 31), 500);
    assert_eq!(given(&several), [10, 20, 30]);
    assert_eq!(several.records(), 12);
    // Ranges that adjoin are one, up to the size that was asked for.
    let mut ranges = Given::default();
    ranges.add(piece(0..1), acquired(0, 9), 15);
    ranges.add(piece(1..2), acquired(10, 19), 15);
    ranges.add(piece(2..3), acquired(20, 29), 15);
    let ends: Vec<_> = ranges.acquired.iter().map(|range| (range.first, range.last)).collect();
    assert_eq!(ends, [(0, 19), (20, 29)]);
}
