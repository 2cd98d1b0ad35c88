//! What becomes of one batch: Kafka's rules (`Cleaner.cleanInto`, `MemoryRecords.filterTo`), record by record.
//!
//! | | |
//! |---|---|
//! | a record at or above the end of what the map has looked at | stays |
//! | a newer record has its key | goes |
//! | a tombstone | stays until the delete horizon of its batch, which its first cleaning sets to `now + delete.retention.ms` (KIP-534) |
//! | no key | goes |
//! | data of an aborted transaction | goes |
//! | a marker, once no data of its transaction is left | stays until its horizon, like a tombstone |
//! | a batch of which nothing is left | goes; an empty one stays for the last sequence (or epoch) of a producer that the log remembers, and at the end of what is cleaned |

use std::collections::BTreeMap;

use super::offset_map::OffsetMap;
use super::transactions::Transactions;
use crate::batch::{Batch, BatchError, Record, Retained, emptied};
use crate::planted::{Bug, is};
use crate::producer::ProducerStates;
use crate::units::{Offset, ProducerEpoch, ProducerId, Timestamp};

/// Records' bytes are worked through in slices: who does it says how many there were, and gets the turn back later.
pub(super) trait Pace {
    type Stop;
    async fn spent(&self, bytes: usize) -> Result<(), Self::Stop>;
}

/// What is left of a batch.
#[derive(Debug)]
pub(super) enum Left {
    /// The batch as it is.
    Whole,
    /// Some of it, or an empty one, in place of it.
    Instead(Batch),
    Nothing,
}

/// Why a batch cannot be cleaned.
#[derive(Debug)]
pub(super) enum FilterError<S> {
    Damaged(BatchError),
    Stopped(S),
}

impl<S> From<BatchError> for FilterError<S> {
    fn from(error: BatchError) -> Self {
        FilterError::Damaged(error)
    }
}

/// The last batch of each producer that the log remembers: its last offset, or only its epoch where no batch of that one is known.
pub(super) struct LastBatches(BTreeMap<ProducerId, (Option<Offset>, ProducerEpoch)>);

impl LastBatches {
    pub(super) fn of(producers: &ProducerStates) -> LastBatches {
        let last = |entry: &crate::producer::ProducerEntry| {
            (entry.last().map(|last| last.last_offset), entry.epoch)
        };
        LastBatches(producers.iter().map(|(id, entry)| (id, last(entry))).collect())
    }

    fn has(&self, batch: &Batch) -> bool {
        match self.0.get(&batch.producer_id()) {
            Some((Some(offset), _)) => *offset == batch.last_offset(),
            Some((None, epoch)) => batch.is_control() && *epoch == batch.producer_epoch(),
            None => false,
        }
    }
}

/// One cleaning of a log, whose batches pass here in order.
pub(super) struct Filter<'a> {
    pub(super) map: &'a OffsetMap,
    pub(super) transactions: Transactions,
    pub(super) last: &'a LastBatches,
    pub(super) now: Timestamp,
    pub(super) delete_retention_ms: i64,
    /// Records that went.
    pub(super) removed: u64,
}

/// What a first look at the records says.
#[derive(Default)]
struct Kept {
    count: i32,
    first: Option<Timestamp>,
    tombstones: bool,
}

impl Filter<'_> {
    pub(super) async fn clean<P: Pace>(
        &mut self,
        batch: &Batch,
        pace: &P,
    ) -> Result<Left, FilterError<P::Stop>> {
        let can_discard = self.transactions.can_discard(batch);
        let header = batch.header();
        let is_over = header.delete_horizon().is_some_and(|horizon| horizon <= self.now);
        let is_gone = can_discard && (!batch.is_control() || is_over);
        let kept = match is_gone {
            true => Kept::default(),
            false => self.look(batch, pace).await?,
        };
        self.removed += u64::try_from(header.count - kept.count).unwrap_or(0);
        let Some(first) = kept.first else { return Ok(self.nothing_left(batch)) };
        let wants_horizon = kept.tombstones || (can_discard && batch.is_control());
        let horizon = match header.delete_horizon() {
            None if wants_horizon => {
                Some(Timestamp(self.now.0.saturating_add(self.delete_retention_ms)))
            }
            _ if kept.count == header.count => return Ok(Left::Whole),
            known => known,
        };
        let mut retained = Retained::new(header, first, horizon);
        let mut records = batch.records();
        while let Some(record) = records.next_record()? {
            if self.stays(batch, &record) {
                retained.push(&record);
            }
            let bytes = size(&record);
            pace.spent(bytes).await.map_err(FilterError::Stopped)?;
        }
        Ok(Left::Instead(retained.finish()))
    }

    /// Counts what stays: the new base timestamp must be known before the first record is written.
    async fn look<P: Pace>(&self, batch: &Batch, pace: &P) -> Result<Kept, FilterError<P::Stop>> {
        let mut kept = Kept::default();
        let mut records = batch.records();
        while let Some(record) = records.next_record()? {
            if self.stays(batch, &record) {
                kept.count += 1;
                kept.first.get_or_insert(record.timestamp);
                kept.tombstones |= record.value.is_none();
            }
            let bytes = size(&record);
            pace.spent(bytes).await.map_err(FilterError::Stopped)?;
        }
        Ok(kept)
    }

    fn stays(&self, batch: &Batch, record: &Record<'_>) -> bool {
        if batch.is_control() || record.offset >= self.map.end() {
            return true;
        }
        let Some(key) = record.key else { return false };
        if self.map.get(key).is_some_and(|latest| record.offset < latest) {
            return false;
        }
        let horizon = batch.header().delete_horizon();
        let may_go = horizon.is_some_and(|horizon| horizon <= self.now);
        record.value.is_some() || !(may_go || is(Bug::TombstonesGoAtOnce))
    }

    fn nothing_left(&self, batch: &Batch) -> Left {
        let stays = (batch.producer_id().is_some() && self.last.has(batch))
            || batch.last_offset().next() == self.map.end();
        match (stays, batch.count()) {
            (false, _) => Left::Nothing,
            (true, 0) => Left::Whole,
            (true, _) => Left::Instead(emptied(batch.header())),
        }
    }
}

/// About what a record costs.
pub(super) fn size(record: &Record<'_>) -> usize {
    let (_, headers) = record.headers.raw();
    let part = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    16 + part(record.key) + part(record.value) + headers.len()
}
