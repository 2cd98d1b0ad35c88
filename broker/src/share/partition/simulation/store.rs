//! What the share coordinator has: all that a crash leaves.

use std::collections::BTreeMap;

use super::super::{Change, StoredBatch, StoredState};

#[derive(Default)]
pub(super) struct Store {
    pub(super) start: i64,
    pub(super) records: BTreeMap<i64, (StoredState, i16)>,
}

impl Store {
    pub(super) fn write(&mut self, change: &Change) {
        self.start = change.start;
        for batch in &change.batches {
            for offset in batch.first..=batch.last {
                self.records.insert(offset, (batch.state, batch.deliveries));
            }
        }
        self.records = self.records.split_off(&change.start);
    }

    pub(super) fn batches(&self) -> Vec<StoredBatch> {
        let mut batches: Vec<StoredBatch> = Vec::new();
        for (&offset, &(state, deliveries)) in &self.records {
            match batches.last_mut() {
                Some(last)
                    if last.last + 1 == offset
                        && (last.state, last.deliveries) == (state, deliveries) =>
                {
                    last.last = offset
                }
                _ => batches.push(StoredBatch { first: offset, last: offset, state, deliveries }),
            }
        }
        batches
    }
}
