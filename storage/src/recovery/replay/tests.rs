//! What replay makes of entries in an order that the simulation found.

use super::*;
use crate::batch::{Batch, BatchBuilder};
use crate::commit_log::group::{Group, GroupHeader};
use crate::commit_log::{GroupSequence, LogId};
use crate::manifest::SegmentState;
use crate::segment::Segment;
use crate::simulation::hand::{disk, id, open, run};

fn batch_at(base: i64, bytes: usize) -> Batch {
    let record = vec![7; bytes];
    BatchBuilder::new().base_offset(Offset(base)).record(Timestamp(1), None, Some(&record)).build()
}

fn segment(base: i64, next: i64, length: u32) -> SegmentState {
    let mut segment = Segment::new(Offset(base), 0);
    (segment.next, segment.length) = (Offset(next), length);
    SegmentState::of(&segment)
}

/// Replays one entry a group on a partition that has these segments, and nothing of them in files.
fn replayed(
    segments: Vec<SegmentState>,
    entries: Vec<(Entry, Bytes)>,
    check: impl FnOnce(Replayed, RecoveryReport) + 'static,
) {
    let first = GroupSequence(5);
    let header = |sequence| GroupHeader {
        id: LogId(1),
        sequence,
        mark: GroupSequence(0),
        length: 0,
        entries: 1,
        shards: 1,
        previous: 0,
        body: 0,
    };
    let groups = (first.0..).zip(entries).map(|(sequence, entry)| Linked {
        file: 0,
        position: 0,
        group: Group { header: header(GroupSequence(sequence)), checksum: 0, entries: vec![entry] },
    });
    let chain = Chain {
        groups: groups.collect(),
        id: LogId(1),
        end: GroupSequence(9),
        checksum: 0,
        bad: None,
        outranked: false,
        ends_with_link: false,
    };
    let state = PartitionState {
        id: id(1),
        topic: "t".to_owned(),
        log_start: Offset(0),
        end: segments.last().map_or(Offset(0), |segment| segment.next),
        replay: EntryId { group: first, ordinal: 0 },
        epochs: Vec::new(),
        producers: Vec::new(),
        cleaned_to: Offset(0),
        rewritten: Offset(0),
        segments,
    };
    let manifest = Manifest {
        id: LogId(1),
        first,
        previous: 0,
        mark: GroupSequence(0),
        shards: 1,
        clean: None,
        partitions: vec![state],
    };
    run(0, &disk(), async move |runtime| {
        let (_store, log) = open(&runtime).await;
        let placed = vec![(id(1), "t".to_owned(), Arc::new(LogConfig::default()))];
        let mut report = RecoveryReport::default();
        let futures = crate::moving::Futures::default();
        let all = All { placed: &placed, elsewhere: &[], futures: &futures };
        let replayed = replay(log.core(), &manifest, &chain, &all, &mut report);
        check(replayed.expect("the entries fit"), report);
    });
}

fn fragment_of(segment: i64, bytes: &Bytes) -> (Entry, Bytes) {
    let payload = length(bytes);
    let entry = Entry {
        segment: Offset(segment),
        payload,
        start: payload,
        ..Entry::new(Kind::Fragment, id(1))
    };
    (entry, bytes.clone())
}

/// A manifest with a segment of one batch, none of it in its file, and the one after it; the batch; the entry of the next one's first.
fn a_segment_and_a_batch_of_the_next() -> (Vec<SegmentState>, Bytes, (Entry, Bytes)) {
    let old = batch_at(0, 100).bytes().clone();
    let batch = batch_at(1, 50);
    let entry = Entry {
        segment: Offset(1),
        payload: length(batch.bytes()),
        base: Offset(1),
        next: Offset(2),
        ..Entry::new(Kind::Batch, id(1))
    };
    let segments = vec![segment(0, 1, length(&old)), segment(1, 1, 0)];
    (segments, old, (entry, batch.bytes().clone()))
}

/// The end of a segment is logged again after the next one was begun.
#[test]
fn a_fragment_of_an_older_segment_follows_a_batch_of_the_next() {
    let (segments, old, next) = a_segment_and_a_batch_of_the_next();
    let entries = vec![next, fragment_of(0, &old)];
    replayed(segments, entries, |replayed, report| {
        let pieces: Vec<_> = replayed.partitions[&id(1)]
            .tail
            .pieces()
            .map(|piece| (piece.segment.0, piece.position))
            .collect();
        assert_eq!(pieces, [(0, 0), (1, 0)]);
        assert_eq!(report.rows[Row::FragmentFirst as usize], 1);
    });
}

/// What lies below an extent was logged again behind it: its own write was still in flight when the manifest was made.
#[test]
fn a_fragment_has_what_lies_below_an_extent_before_it() {
    let below = Bytes::from(vec![3; 4096]);
    let batch = batch_at(1, 4096);
    let headers = [&batch.bytes()[..HEADER_BYTES], &[0; 4]].concat();
    let extent = Entry {
        payload: length(&headers),
        position: 4096,
        extent: 8192,
        start: 4096,
        headers: 1,
        base: Offset(1),
        next: Offset(2),
        ..Entry::new(Kind::Extent, id(1))
    };
    let entries = vec![(extent, Bytes::from(headers)), fragment_of(0, &below)];
    replayed(vec![segment(0, 2, 4096 + 8192)], entries, move |replayed, _| {
        let [rewrite] = &replayed.rewrites[..] else { panic!("one extent") };
        assert_eq!((rewrite.start, &rewrite.bytes[..]), (0, &below[..]));
    });
}

/// Found by the simulation: the end of a segment that a clean stop had left inside a block was logged to write that block, and then again
/// with what had come behind it. The next segment was begun by then, and what that was is in no group any more that replay reads.
#[test]
fn a_fragment_reaches_further_than_the_one_before_it() {
    let (segments, old, next) = a_segment_and_a_batch_of_the_next();
    let entries = vec![
        next,
        fragment_of(0, &old.slice(..60)),
        fragment_of(0, &old),
        fragment_of(0, &old.slice(..80)),
    ];
    replayed(segments, entries, move |replayed, report| {
        let tail = &replayed.partitions[&id(1)].tail;
        let bytes: Vec<u8> =
            tail.pieces_from(Offset(0), 0).flat_map(|piece| piece.bytes.to_vec()).collect();
        assert_eq!(bytes, old);
        assert_eq!(report.rows[Row::FragmentFirst as usize], 2);
        assert_eq!(report.rows[Row::FragmentKnown as usize], 1);
    });
}

/// The replay point lies before what the segment's file has: another segment's end was what kept it there.
#[test]
fn a_batch_that_its_file_has_is_not_in_memory() {
    let batch = batch_at(0, 100);
    let entry =
        Entry { payload: length(batch.bytes()), next: Offset(1), ..Entry::new(Kind::Batch, id(1)) };
    let mut filed = Segment::new(Offset(0), 0);
    (filed.next, filed.length) = (Offset(1), length(batch.bytes()));
    filed.settle(filed.length);
    let entries = vec![(entry, batch.bytes().clone())];
    replayed(vec![SegmentState::of(&filed)], entries, |replayed, report| {
        assert!(replayed.partitions[&id(1)].tail.is_empty());
        assert_eq!(report.rows[Row::BatchFiled as usize], 1);
    });
}
