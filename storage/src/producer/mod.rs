//! What a partition remembers of its producers: enough to recognise a batch that was sent again, to refuse one that comes out
//! of order or from a fenced instance, and to know which transactions are open.
//!
//! - The last five batches of a producer are remembered: a repeat of one of them is answered with the offset that it got then.
//! - A producer that is not known may start with any sequence: its state may have expired (`producer.id.expiration.ms`) or have
//!   been deleted with its records.
//! - A new epoch starts at sequence 0; an older one is refused.
//! - [`ProducerStates::check`] changes nothing; [`ProducerStates::apply`] takes note of a batch that was appended, and of one
//!   that is read again after a restart, in the same way. So a state is always what its log says.
//!
//! Bounds: about 200 bytes a producer, and at most [`PRODUCERS_MAX`] of them: beyond it those that were silent for longest are
//! forgotten, which to their next batch is the same as expiry. Open transactions are kept.

mod entry;
mod snapshot;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use entry::{BatchMark, ProducerEntry, WINDOW};
pub use snapshot::SnapshotError;

use crate::batch::{BatchInfo, EndTransaction};
use crate::units::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// How many producers one partition remembers.
pub const PRODUCERS_MAX: usize = 100_000;

/// What a batch is to the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceCheck {
    Append,
    /// It was appended before, at these offsets.
    Duplicate {
        base_offset: Offset,
        last_offset: Offset,
        timestamp: Timestamp,
    },
}

/// Why a batch is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SequenceError {
    /// OUT_OF_ORDER_SEQUENCE_NUMBER
    #[error("producer {producer_id} sent sequence {found} after {last}")]
    OutOfOrder { producer_id: ProducerId, found: Sequence, last: Sequence },
    /// OUT_OF_ORDER_SEQUENCE_NUMBER
    #[error(
        "producer {producer_id} began epoch {epoch} with sequence {found}, after epoch {current}"
    )]
    NewEpochNotAtZero {
        producer_id: ProducerId,
        epoch: ProducerEpoch,
        found: Sequence,
        current: ProducerEpoch,
    },
    /// INVALID_PRODUCER_EPOCH
    #[error("producer {producer_id} has epoch {current}, its batch {found}")]
    OldEpoch { producer_id: ProducerId, found: ProducerEpoch, current: ProducerEpoch },
    /// INVALID_TXN_STATE
    #[error("producer {producer_id} sent a batch outside of its open transaction")]
    OutsideTransaction { producer_id: ProducerId },
    /// TRANSACTION_COORDINATOR_FENCED
    #[error(
        "a coordinator of epoch {found} wrote a marker for producer {producer_id}, after one of epoch {current}"
    )]
    CoordinatorFenced { producer_id: ProducerId, found: i32, current: i32 },
}

/// A transaction that a marker has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    pub producer_id: ProducerId,
    pub first_offset: Offset,
    /// The marker's offset.
    pub last_offset: Offset,
    pub committed: bool,
    /// Where the log is stable now, as far as this partition's own transactions go: for the transaction index.
    pub last_stable_offset: Offset,
}

/// The state of all producers of one partition.
#[derive(Clone, Debug, Default)]
pub struct ProducerStates {
    producers: BTreeMap<ProducerId, Box<ProducerEntry>>,
    /// Open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// Ended ones whose marker lies at or above the high watermark: first offset -> the marker's.
    unreplicated: BTreeMap<Offset, Offset>,
    /// The offset after the last batch that was applied.
    end: Offset,
    limit: Option<usize>,
}

impl ProducerStates {
    /// The state of a log that starts, empty, at `start`.
    pub fn new(start: Offset) -> ProducerStates {
        ProducerStates { end: start, ..ProducerStates::default() }
    }

    /// Another bound than [`PRODUCERS_MAX`].
    #[must_use]
    pub fn with_limit(mut self, producers_max: usize) -> ProducerStates {
        self.limit = Some(producers_max.max(1));
        self
    }

    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// The offset up to which the state covers the log: of its snapshot, if one is taken now.
    pub fn end(&self) -> Offset {
        self.end
    }

    pub fn get(&self, producer_id: ProducerId) -> Option<&ProducerEntry> {
        self.producers.get(&producer_id).map(|entry| &**entry)
    }

    pub fn iter(&self) -> impl Iterator<Item = (ProducerId, &ProducerEntry)> {
        self.producers.iter().map(|(id, entry)| (*id, &**entry))
    }

    /// Whether a client's, or a coordinator's, batch may be appended now. Its offsets do not matter.
    pub fn check(&self, batch: &BatchInfo) -> Result<SequenceCheck, SequenceError> {
        if !batch.producer_id.is_some() {
            return Ok(SequenceCheck::Append);
        }
        let Some(entry) = self.producers.get(&batch.producer_id) else {
            return Ok(SequenceCheck::Append);
        };
        if let Some(marker) = batch.marker {
            return entry.check_marker(batch, marker).map(|()| SequenceCheck::Append);
        }
        entry.check_data(batch)
    }

    /// Takes note of a batch that is in the log, at the offsets and with the timestamp that it has there. Never refuses: what is
    /// in the log was checked by whoever appended it. Returns the transaction that it ended.
    pub fn apply(&mut self, batch: &BatchInfo) -> Option<CompletedTransaction> {
        self.end = self.end.max(batch.last_offset.next());
        if !batch.producer_id.is_some() {
            return None;
        }
        match (batch.is_control, batch.marker) {
            (false, _) => {
                self.apply_data(batch);
                None
            }
            (true, Some(marker)) => self.apply_marker(batch, marker),
            // The cleaner has emptied it, or it does not end a transaction.
            (true, None) => None,
        }
    }

    fn apply_data(&mut self, batch: &BatchInfo) {
        self.make_room(batch.producer_id);
        let entry = self.producers.entry(batch.producer_id).or_default();
        entry.push(batch);
        if batch.is_transactional && entry.open_transaction.is_none() {
            entry.open_transaction = Some(batch.first_offset);
            self.open.insert(batch.first_offset, batch.producer_id);
        }
    }

    fn apply_marker(
        &mut self,
        batch: &BatchInfo,
        marker: EndTransaction,
    ) -> Option<CompletedTransaction> {
        self.make_room(batch.producer_id);
        let entry = self.producers.entry(batch.producer_id).or_default();
        let first_offset = entry.open_transaction.take();
        entry.set_epoch(batch.producer_epoch);
        entry.coordinator_epoch = marker.coordinator_epoch;
        entry.last_timestamp = batch.timestamp;
        let first_offset = first_offset?;
        self.open.remove(&first_offset);
        self.unreplicated.insert(first_offset, batch.first_offset);
        let last_stable_offset = self.first_open().unwrap_or(batch.first_offset.next());
        Some(CompletedTransaction {
            producer_id: batch.producer_id,
            first_offset,
            last_offset: batch.first_offset,
            committed: marker.committed,
            last_stable_offset,
        })
    }

    /// Before one more is added: forgets those that were silent for longest, a tenth at once, since finding them costs a walk.
    fn make_room(&mut self, newcomer: ProducerId) {
        let limit = self.limit.unwrap_or(PRODUCERS_MAX);
        if self.producers.len() < limit || self.producers.contains_key(&newcomer) {
            return;
        }
        let mut idle: Vec<(Timestamp, ProducerId)> = self
            .producers
            .iter()
            .filter(|(_, entry)| entry.open_transaction.is_none())
            .map(|(id, entry)| (entry.last_timestamp, *id))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take((limit / 10).max(1)) {
            self.producers.remove(&id);
        }
    }

    /// The first offset of the oldest open transaction.
    pub fn first_open(&self) -> Option<Offset> {
        self.open.keys().next().copied()
    }

    /// The first offset that a reader of committed data may not see yet: of the oldest transaction that is open, or whose marker
    /// is not replicated. The last stable offset is this, or the high watermark where there is none.
    pub fn first_unstable(&self) -> Option<Offset> {
        let unreplicated = self.unreplicated.keys().next().copied();
        self.first_open().into_iter().chain(unreplicated).min()
    }

    /// The high watermark is now `offset`: markers below it are replicated.
    pub fn advance_high_watermark(&mut self, offset: Offset) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= offset);
        }
    }

    /// The log starts at `offset` now.
    pub fn advance_log_start(&mut self, offset: Offset) {
        self.advance_high_watermark(offset);
        self.end = self.end.max(offset);
    }

    /// Forgets producers that were silent for `expiration_ms`, unless they have an open transaction.
    pub fn expire(&mut self, now: Timestamp, expiration_ms: i64) {
        self.producers.retain(|_, entry| !entry.is_expired(now, expiration_ms));
    }

    /// The log ends at `end` now. What a producer was before cannot be known from what it is, so unless nothing was cut the state
    /// is emptied, and this returns true: the caller loads the last snapshot at or below `end` and applies the batches from there.
    #[must_use]
    pub fn truncate(&mut self, end: Offset) -> bool {
        if end >= self.end {
            return false;
        }
        let limit = self.limit;
        *self = ProducerStates { limit, ..ProducerStates::new(Offset::ZERO) };
        true
    }
}
