//! What the share coordinator has: all that a crash leaves.

use std::collections::BTreeMap;

use super::super::super::state::batches::{StateBatch, combine};
use super::super::{Change, StoredBatch, StoredState};

#[derive(Default)]
pub(super) struct Store {
    pub(super) start: i64,
    pub(super) records: BTreeMap<i64, (StoredState, i16)>,
}

impl Store {
    /// Several changes at once, as the leader brings them and the coordinator puts them together.
    pub(super) fn write(&mut self, changes: &[Change]) {
        let Some(last) = changes.last() else { return };
        self.start = last.start;
        let known: Vec<StateBatch> = self.batches().iter().map(batch).collect();
        let new: Vec<StateBatch> =
            changes.iter().flat_map(|change| &change.batches).map(batch).collect();
        self.records.clear();
        for batch in combine(&known, &new, self.start) {
            let state = StoredState::of(batch.delivery_state).expect("it was one");
            for offset in batch.first_offset..=batch.last_offset {
                self.records.insert(offset, (state, batch.delivery_count));
            }
        }
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

fn batch(batch: &StoredBatch) -> StateBatch {
    StateBatch {
        first_offset: batch.first,
        last_offset: batch.last,
        delivery_state: batch.state as i8,
        delivery_count: batch.deliveries,
    }
}
