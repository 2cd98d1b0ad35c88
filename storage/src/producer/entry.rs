//! What is remembered of one producer.

use crate::batch::{BatchInfo, EndTransaction};
use crate::producer::{SequenceCheck, SequenceError};
use crate::units::{Offset, ProducerEpoch, Sequence, Timestamp};

/// How many batches are remembered. Clients have at most this many requests in flight, so no repeat is of an older one.
pub const WINDOW: usize = 5;

/// A batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMark {
    pub last_sequence: Sequence,
    pub last_offset: Offset,
    /// Records in the batch, less one.
    pub offset_delta: i32,
    pub timestamp: Timestamp,
}

impl BatchMark {
    pub fn first_sequence(&self) -> Sequence {
        self.last_sequence.minus(self.offset_delta)
    }

    pub fn first_offset(&self) -> Offset {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerEntry {
    pub epoch: ProducerEpoch,
    /// -1 until a marker was written.
    pub coordinator_epoch: i32,
    pub last_timestamp: Timestamp,
    /// The first offset of the open transaction.
    pub open_transaction: Option<Offset>,
    /// The last batches, in order; the first `filled` count.
    pub(super) window: [BatchMark; WINDOW],
    pub(super) filled: u8,
}

impl Default for ProducerEntry {
    fn default() -> ProducerEntry {
        ProducerEntry {
            epoch: ProducerEpoch::NONE,
            coordinator_epoch: -1,
            last_timestamp: Timestamp::NONE,
            open_transaction: None,
            window: [BatchMark::default(); WINDOW],
            filled: 0,
        }
    }
}

impl ProducerEntry {
    /// The batches of the current epoch that are remembered, oldest first.
    pub fn batches(&self) -> &[BatchMark] {
        self.window.get(..usize::from(self.filled)).unwrap_or_default()
    }

    pub fn last(&self) -> Option<&BatchMark> {
        self.batches().last()
    }

    pub fn last_sequence(&self) -> Sequence {
        self.last().map_or(Sequence::NONE, |batch| batch.last_sequence)
    }

    pub(super) fn check_data(&self, batch: &BatchInfo) -> Result<SequenceCheck, SequenceError> {
        let producer_id = batch.producer_id;
        if batch.producer_epoch == self.epoch {
            let sent = (batch.first_sequence, batch.last_sequence);
            if let Some(mark) = self
                .batches()
                .iter()
                .find(|mark| (mark.first_sequence(), mark.last_sequence) == sent)
            {
                return Ok(SequenceCheck::Duplicate {
                    base_offset: mark.first_offset(),
                    last_offset: mark.last_offset,
                    timestamp: mark.timestamp,
                });
            }
        }
        if batch.producer_epoch < self.epoch {
            return Err(SequenceError::OldEpoch {
                producer_id,
                found: batch.producer_epoch,
                current: self.epoch,
            });
        }
        let found = batch.first_sequence;
        // An entry without an epoch knows nothing of its producer.
        if self.epoch != ProducerEpoch::NONE {
            if batch.producer_epoch != self.epoch {
                if found != Sequence::ZERO {
                    let (epoch, current) = (batch.producer_epoch, self.epoch);
                    return Err(SequenceError::NewEpochNotAtZero {
                        producer_id,
                        epoch,
                        found,
                        current,
                    });
                }
            } else if !self.last_sequence().is_followed_by(found) {
                return Err(SequenceError::OutOfOrder {
                    producer_id,
                    found,
                    last: self.last_sequence(),
                });
            }
        }
        if self.open_transaction.is_some() && !batch.is_transactional {
            return Err(SequenceError::OutsideTransaction { producer_id });
        }
        Ok(SequenceCheck::Append)
    }

    pub(super) fn check_marker(
        &self,
        batch: &BatchInfo,
        marker: EndTransaction,
    ) -> Result<(), SequenceError> {
        let producer_id = batch.producer_id;
        if batch.producer_epoch < self.epoch {
            return Err(SequenceError::OldEpoch {
                producer_id,
                found: batch.producer_epoch,
                current: self.epoch,
            });
        }
        if marker.coordinator_epoch < self.coordinator_epoch {
            let (found, current) = (marker.coordinator_epoch, self.coordinator_epoch);
            return Err(SequenceError::CoordinatorFenced { producer_id, found, current });
        }
        Ok(())
    }

    /// Batches of another epoch are of no use any more.
    pub(super) fn set_epoch(&mut self, epoch: ProducerEpoch) {
        if self.epoch != epoch {
            self.filled = 0;
            self.epoch = epoch;
        }
    }

    pub(super) fn push(&mut self, batch: &BatchInfo) {
        self.set_epoch(batch.producer_epoch);
        self.last_timestamp = batch.timestamp;
        self.push_mark(BatchMark {
            last_sequence: batch.last_sequence,
            last_offset: batch.last_offset,
            offset_delta: i32::try_from(batch.last_offset - batch.first_offset).unwrap_or(i32::MAX),
            timestamp: batch.timestamp,
        });
    }

    pub(super) fn push_mark(&mut self, mark: BatchMark) {
        if usize::from(self.filled) == WINDOW {
            self.window.rotate_left(1);
            self.filled -= 1;
        }
        if let Some(slot) = self.window.get_mut(usize::from(self.filled)) {
            *slot = mark;
            self.filled += 1;
        }
    }

    pub(crate) fn is_expired(&self, now: Timestamp, expiration_ms: i64) -> bool {
        self.open_transaction.is_none() && now - self.last_timestamp >= expiration_ms
    }
}

const _: () = assert!(size_of::<ProducerEntry>() <= 176);
