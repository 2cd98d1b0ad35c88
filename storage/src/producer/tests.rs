//! The state of producers, case by case and against a model.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::batch::BatchInfo;
use crate::units::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const DAY_MS: i64 = 86_400_000;

fn batch(id: i64, epoch: i16, sequence: i32, count: i32) -> BatchInfo {
    BatchInfo {
        producer_id: ProducerId(id),
        producer_epoch: ProducerEpoch(epoch),
        first_sequence: Sequence(sequence),
        last_sequence: Sequence(sequence).plus(count - 1),
        first_offset: Offset(0),
        last_offset: Offset(i64::from(count) - 1),
        timestamp: Timestamp(5),
        is_transactional: false,
        is_control: false,
        marker: None,
    }
}

fn transactional(id: i64, epoch: i16, sequence: i32, count: i32) -> BatchInfo {
    BatchInfo { is_transactional: true, ..batch(id, epoch, sequence, count) }
}

fn marker(id: i64, epoch: i16, committed: bool, coordinator_epoch: i32) -> BatchInfo {
    BatchInfo {
        first_sequence: Sequence::NONE,
        last_sequence: Sequence::NONE,
        is_control: true,
        marker: Some(EndTransaction { committed, coordinator_epoch }),
        ..transactional(id, epoch, 0, 1)
    }
}

/// A log that appends what the state lets pass.
struct Log {
    states: ProducerStates,
    next: Offset,
}

impl Log {
    fn new() -> Log {
        Log { states: ProducerStates::new(Offset(0)), next: Offset(0) }
    }

    fn append(&mut self, batch: BatchInfo) -> Result<SequenceCheck, SequenceError> {
        let verdict = self.states.check(&batch)?;
        if verdict == SequenceCheck::Append {
            self.force(batch);
        }
        Ok(verdict)
    }

    fn force(&mut self, batch: BatchInfo) -> Option<CompletedTransaction> {
        let batch = batch.appended_at(self.next, batch.timestamp);
        self.next = batch.last_offset.next();
        self.states.apply(&batch)
    }
}

const APPEND: Result<SequenceCheck, SequenceError> = Ok(SequenceCheck::Append);

fn duplicate(base: i64, last: i64) -> Result<SequenceCheck, SequenceError> {
    let timestamp = Timestamp(5);
    Ok(SequenceCheck::Duplicate { base_offset: Offset(base), last_offset: Offset(last), timestamp })
}

fn out_of_order(found: i32, last: i32) -> Result<SequenceCheck, SequenceError> {
    let (found, last) = (Sequence(found), Sequence(last));
    Err(SequenceError::OutOfOrder { producer_id: ProducerId(1), found, last })
}

#[test]
fn five_batches_are_remembered() {
    let mut log = Log::new();
    for i in 0..7 {
        assert_eq!(log.append(batch(1, 0, i * 10, 10)), APPEND);
    }
    for i in 2..7 {
        assert_eq!(
            log.append(batch(1, 0, i * 10, 10)),
            duplicate(i64::from(i) * 10, i64::from(i) * 10 + 9)
        );
    }
    assert_eq!(log.append(batch(1, 0, 10, 10)), out_of_order(10, 69));
    assert_eq!(
        log.append(batch(1, 0, 60, 5)),
        out_of_order(60, 69),
        "the same start, but another batch"
    );
    assert_eq!(log.append(batch(1, 0, 71, 1)), out_of_order(71, 69));
    assert_eq!(log.append(batch(1, 0, 70, 1)), APPEND);
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    let mut log = Log::new();
    assert_eq!(log.append(batch(1, 3, 17, 1)), APPEND);
    assert_eq!(log.append(batch(1, 3, 18, 1)), APPEND);
    log.states.expire(Timestamp(5 + DAY_MS - 1), DAY_MS);
    assert_eq!(log.append(batch(1, 3, 100, 1)), out_of_order(100, 18));
    log.states.expire(Timestamp(5 + DAY_MS), DAY_MS);
    assert_eq!(log.append(batch(1, 3, 100, 1)), APPEND);
    let nameless = batch(-1, -1, -1, 1);
    assert_eq!(log.append(nameless), APPEND);
    assert_eq!(log.append(nameless), APPEND);
    assert_eq!(log.states.len(), 1);
}

#[test]
fn epochs_fence() {
    let mut log = Log::new();
    assert_eq!(log.append(batch(1, 3, 0, 2)), APPEND);
    let (producer_id, current) = (ProducerId(1), ProducerEpoch(3));
    let old = SequenceError::OldEpoch { producer_id, found: ProducerEpoch(2), current };
    assert_eq!(log.append(batch(1, 2, 2, 1)), Err(old));
    let found = Sequence(2);
    let not_zero =
        SequenceError::NewEpochNotAtZero { producer_id, epoch: ProducerEpoch(4), found, current };
    assert_eq!(log.append(batch(1, 4, 2, 1)), Err(not_zero));
    assert_eq!(log.append(batch(1, 4, 0, 2)), APPEND);
    assert_eq!(log.append(batch(1, 4, 0, 2)), duplicate(2, 3), "not the batch of the epoch before");
}

#[test]
fn sequences_go_on_at_zero() {
    let mut log = Log::new();
    assert_eq!(log.append(batch(1, 0, 2_147_483_645, 5)), APPEND);
    assert_eq!(log.append(batch(1, 0, 2_147_483_645, 5)), duplicate(0, 4));
    assert_eq!(log.append(batch(1, 0, 2, 1)), APPEND);
    let mut log = Log::new();
    assert_eq!(log.append(batch(1, 0, i32::MAX, 1)), APPEND);
    assert_eq!(log.append(batch(1, 0, 1, 1)), out_of_order(1, i32::MAX));
    assert_eq!(log.append(batch(1, 0, 0, 1)), APPEND);
}

#[test]
fn transactions_open_and_end() {
    let mut log = Log::new();
    assert_eq!(log.append(batch(9, 0, 0, 3)), APPEND);
    assert_eq!(log.append(transactional(1, 0, 0, 2)), APPEND);
    assert_eq!(log.append(transactional(2, 0, 0, 2)), APPEND);
    assert_eq!(log.append(transactional(1, 0, 2, 2)), APPEND);
    assert_eq!(log.states.first_unstable(), Some(Offset(3)));
    let outside = SequenceError::OutsideTransaction { producer_id: ProducerId(1) };
    assert_eq!(log.append(batch(1, 0, 4, 1)), Err(outside));
    log.states.expire(Timestamp(i64::MAX), DAY_MS);
    assert_eq!(log.states.len(), 2, "open transactions are kept");

    let ended = log.force(marker(1, 0, false, 6)).unwrap();
    let (first_offset, last_offset) = (Offset(3), Offset(9));
    let producer_id = ProducerId(1);
    let expected = CompletedTransaction {
        producer_id,
        first_offset,
        last_offset,
        committed: false,
        last_stable_offset: Offset(5),
    };
    assert_eq!(ended, expected);
    assert_eq!(log.states.first_open(), Some(Offset(5)));
    assert_eq!(log.states.first_unstable(), Some(Offset(3)), "the marker is not replicated");
    log.states.advance_high_watermark(Offset(9));
    assert_eq!(log.states.first_unstable(), Some(Offset(3)));
    log.states.advance_high_watermark(Offset(10));
    assert_eq!(log.states.first_unstable(), Some(Offset(5)));

    let fenced =
        SequenceError::CoordinatorFenced { producer_id: ProducerId(1), found: 5, current: 6 };
    assert_eq!(log.states.check(&marker(1, 0, true, 5)), Err(fenced));
    let ended = log.force(marker(2, 1, true, 6)).unwrap();
    assert_eq!((ended.committed, ended.last_stable_offset), (true, Offset(11)));
    assert_eq!(log.force(marker(2, 1, true, 6)), None, "nothing was open");
    assert_eq!(
        log.append(transactional(2, 1, 0, 1)),
        APPEND,
        "a marker that raised the epoch starts at 0"
    );
    assert_eq!(log.append(transactional(1, 0, 4, 1)), APPEND, "one that did not goes on");
}

#[test]
fn memory_is_bounded() {
    let mut log = Log { states: ProducerStates::new(Offset(0)).with_limit(100), next: Offset(0) };
    assert_eq!(log.append(transactional(5000, 0, 0, 1)), APPEND);
    for id in 0..1000 {
        let silent_since = BatchInfo { timestamp: Timestamp(id), ..batch(id, 0, 7, 1) };
        assert_eq!(log.append(silent_since), APPEND);
        assert!(log.states.len() <= 100);
    }
    assert!(log.states.get(ProducerId(5000)).is_some());
    assert!(log.states.get(ProducerId(999)).is_some() && log.states.get(ProducerId(0)).is_none());
    assert_eq!(log.append(batch(0, 0, 99, 1)), APPEND);
}

#[test]
fn a_cut_needs_the_snapshot_before_it() {
    let mut log = Log::new();
    for i in 0..3 {
        assert_eq!(log.append(batch(1, 0, i, 1)), APPEND);
    }
    assert!(!log.states.truncate(Offset(3)));
    assert!(log.states.truncate(Offset(2)));
    assert!(log.states.is_empty());
    assert_eq!(log.states.end(), Offset(0));
}

#[test]
fn damaged_snapshots_are_refused() {
    let mut log = Log::new();
    for id in 0..3 {
        assert_eq!(log.append(batch(id, 0, 0, 1)), APPEND);
    }
    assert_eq!(log.append(batch(2, 0, 1, 3)), APPEND);
    let read = |bytes: &[u8]| ProducerStates::from_snapshot(Offset(3), bytes, Timestamp(5), DAY_MS);
    let good = log.states.snapshot();
    assert_eq!(read(&good).unwrap().snapshot(), good);
    let whole = log.states.remembered();
    assert_eq!(read(&whole).unwrap().remembered(), whole);
    assert_eq!(read(&whole).unwrap().snapshot(), good);
    for good in [&good, &whole] {
        for cut in 0..good.len() {
            assert!(read(&good[..cut]).is_err());
        }
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(read(&bad).is_err(), "{at}");
        }
    }
    let mut inflated = good.clone();
    inflated[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = crc32c::crc32c(&inflated[6..]);
    inflated[2..6].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(read(&inflated).unwrap_err(), SnapshotError::Count(i32::MAX));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Clients that send again, skip and restart: every sequence of an epoch is stored once and in order, and a repeat of a
    /// remembered batch is answered with its first place. A reopened state goes on as the one that was not closed: from a snapshot but
    /// for the batches that it leaves out, from what the manifest keeps in everything.
    #[test]
    fn sequences_are_stored_once_and_in_order(
        steps in vec((0..3i64, 0..3i16, 0..12i32, 1..4i32, 0..6), 1..120),
    ) {
        let mut log = Log::new();
        let mut stored: Vec<BatchInfo> = Vec::new();
        for (id, epoch, sequence, count, reopen) in steps {
            let mine = |b: &&BatchInfo| b.producer_id == ProducerId(id);
            let latest = stored.iter().rfind(mine).copied();
            // Half of the time the right sequence, else any.
            let sequence = match latest {
                Some(latest) if sequence % 2 == 0 && latest.producer_epoch.0 == epoch => latest.last_sequence.plus(1).0,
                _ => sequence,
            };
            let sent = batch(id, epoch, sequence, count);
            match (log.append(sent), latest) {
                (Ok(SequenceCheck::Append), Some(latest)) => {
                    if latest.producer_epoch == sent.producer_epoch {
                        prop_assert_eq!(latest.last_sequence.plus(1), sent.first_sequence);
                    } else {
                        prop_assert!(latest.producer_epoch < sent.producer_epoch && sequence == 0);
                    }
                    stored.push(sent.appended_at(log.next - i64::from(count), Timestamp(5)));
                }
                (Ok(SequenceCheck::Append), None) => {
                    stored.push(sent.appended_at(log.next - i64::from(count), Timestamp(5)));
                }
                (Ok(SequenceCheck::Duplicate { base_offset, last_offset, .. }), _) => {
                    let first = stored.iter().filter(mine).find(|b| b.first_offset == base_offset).unwrap();
                    prop_assert_eq!(first.last_offset, last_offset);
                    prop_assert_eq!((first.producer_epoch, first.first_sequence), (sent.producer_epoch, sent.first_sequence));
                }
                (Err(SequenceError::OldEpoch { .. }), Some(latest)) => prop_assert!(sent.producer_epoch < latest.producer_epoch),
                (Err(_), Some(latest)) => {
                    let follows = latest.producer_epoch == sent.producer_epoch
                        && latest.last_sequence.is_followed_by(sent.first_sequence);
                    let begins = latest.producer_epoch < sent.producer_epoch && sequence == 0;
                    prop_assert!(!follows && !begins);
                }
                (Err(error), None) => panic!("{error}"),
            }
            let end = log.states.end();
            if reopen == 0 {
                let whole = ProducerStates::from_snapshot(end, &log.states.remembered(), Timestamp(5), DAY_MS).unwrap();
                for (id, entry) in log.states.iter() {
                    let read = whole.get(id).unwrap();
                    prop_assert_eq!((read.epoch, read.batches()), (entry.epoch, entry.batches()));
                }
                log.states = whole;
            } else if reopen < 3 {
                log.states = ProducerStates::from_snapshot(end, &log.states.snapshot(), Timestamp(5), DAY_MS).unwrap();
            }
        }
        let mut replayed = ProducerStates::new(Offset(0));
        for batch in &stored {
            replayed.apply(batch);
        }
        prop_assert_eq!(replayed.snapshot(), log.states.snapshot());
        prop_assert_eq!(replayed.end(), log.next);
    }
}
