//! What must be true of a log that is compacted: whatever is there is as it was appended, whatever is missing had to go or may have gone,
//! what is gone stays gone, and the latest value of each key is there.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::model::Log;
use crate::batch::Batch;
use crate::units::{Offset, Timestamp};

/// One record as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) key: Bytes,
    pub(super) value: Option<Bytes>,
    pub(super) timestamp: Timestamp,
}

/// What compaction may do to a log of the model.
#[derive(Clone, Debug)]
pub(super) struct Compaction {
    /// Some configuration of the log asked for it.
    pub(super) on: bool,
    /// The shortest `delete.retention.ms` so far.
    pub(super) delete_retention_ms: i64,
    /// Offsets of records that were found missing when a life began: for ever.
    pub(super) gone: BTreeSet<Offset>,
    /// Those that may be: what took their place was truncated.
    pub(super) excused: BTreeSet<Offset>,
    /// And in this life, with whatever a crash takes back.
    pub(super) missing: BTreeSet<Offset>,
}

/// What a walk through the log has met so far.
#[derive(Default)]
pub(super) struct Walk {
    latest: BTreeMap<Bytes, Offset>,
    pub(super) absent: Vec<Offset>,
}

impl Log {
    fn original(&self, offset: Offset) -> Option<(&Keyed, i64)> {
        let batch = self.from(offset).first().filter(|batch| batch.base <= offset)?;
        let index = usize::try_from(offset - batch.base).ok()?;
        Some((batch.records.get(index)?, batch.appended_at))
    }

    /// Compares a batch with what was appended at its offsets, and judges what is missing from `next` up to its end.
    pub(super) fn check_compacted(
        &mut self,
        batch: &Batch,
        next: Offset,
        now: i64,
        walk: &mut Walk,
    ) -> Result<(), String> {
        let appended = self.from(batch.base_offset()).first();
        if !appended.is_some_and(|appended| {
            appended.base == batch.base_offset() && appended.last == batch.last_offset()
        }) {
            return Err(format!("{:?} has other offsets than any batch had", batch.header()));
        }
        if batch.last_offset() < next {
            return Err(format!("{:?} comes again after {next:?}", batch.header()));
        }
        let mut present = BTreeSet::new();
        let mut records = batch.records();
        while let Some(record) = records.next_record().map_err(|error| error.to_string())? {
            let found = Keyed {
                key: Bytes::copy_from_slice(record.key.unwrap_or_default()),
                value: record.value.map(Bytes::copy_from_slice),
                timestamp: record.timestamp,
            };
            let offset = record.offset;
            match self.original(offset) {
                Some((original, _)) if *original == found => {}
                other => return Err(format!("{offset:?} is {found:?}, and was {other:?}")),
            }
            if self.compaction.gone.contains(&offset) || self.compaction.missing.contains(&offset) {
                return Err(format!("{offset:?} was gone, and came back"));
            }
            present.insert(offset);
            walk.latest.insert(found.key, offset);
        }
        for offset in (next.0..=batch.last_offset().0).map(Offset) {
            if !present.contains(&offset) {
                self.check_missing(offset, now)?;
                self.compaction.missing.insert(offset);
                walk.absent.push(offset);
            }
        }
        Ok(())
    }

    /// A record may be missing if a newer one of its key is durable, or if it was a tombstone for long enough.
    pub(super) fn check_missing(&self, offset: Offset, now: i64) -> Result<(), String> {
        if self.compaction.excused.contains(&offset) {
            return Ok(());
        }
        let Some((record, appended_at)) = self.original(offset) else {
            return Err(format!("{offset:?} is missing, and was never there"));
        };
        if !self.compaction.on {
            return Err(format!("{offset:?} is missing, and the log was never compacted"));
        }
        let later = self.from(offset).iter().flat_map(|batch| {
            (0..).zip(&batch.records).map(|(index, record)| (batch.base + index, record))
        });
        let superseded = later
            .take_while(|(at, _)| *at < self.durable)
            .any(|(at, other)| at > offset && other.key == record.key);
        let was_tombstone = record.value.is_none()
            && offset < self.durable
            && now >= appended_at + self.compaction.delete_retention_ms;
        match superseded || was_tombstone {
            true => Ok(()),
            false => Err(format!("{offset:?} is missing: it is the latest of its key")),
        }
    }

    /// Whether compaction may have left nothing in this range.
    pub(super) fn may_be_empty(&self, from: Offset, to: Offset, now: i64) -> bool {
        let mut all = (from.0..to.0).map(Offset);
        self.compaction.on && all.all(|offset| self.check_missing(offset, now).is_ok())
    }

    /// After a walk from `start` to the end: each key has its latest value, or none where that is a tombstone.
    pub(super) fn check_latest(&self, start: Offset, walk: &Walk) -> Result<(), String> {
        let mut latest: BTreeMap<&Bytes, (Offset, bool)> = BTreeMap::new();
        for batch in self.from(start) {
            for (index, record) in (0..).zip(&batch.records) {
                if batch.base + index >= start {
                    latest.insert(&record.key, (batch.base + index, record.value.is_some()));
                }
            }
        }
        for (key, (offset, is_value)) in latest {
            let found = walk.latest.get(key).copied().filter(|found| *found >= start);
            if found.is_none_or(|found| found < offset) && self.compaction.excused.contains(&offset)
            {
                continue;
            }
            if found != Some(offset) && (is_value || found.is_some()) {
                return Err(format!("key {key:?}: the latest is {offset:?}, found {found:?}"));
            }
        }
        Ok(())
    }
}
