//! Consecutive offsets that share everything, by their first one: a partition whose members do as they should has few of them.

use std::collections::BTreeMap;

use super::{Pending, State, StoredBatch, StoredState};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) last: i64,
    pub(super) state: State,
    pub(super) deliveries: i16,
    pub(super) pending: Option<Pending>,
}

impl Run {
    /// Whether it will not be delivered again, if what is pending is stored.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Acknowledged | State::Archived)
    }

    /// A new state, until it is stored only if there is a change to be stored.
    pub(super) fn change(&mut self, state: State, change: Option<u64>) {
        let before = std::mem::replace(&mut self.state, state);
        self.pending = change.map(|change| Pending { change, before });
    }

    /// Adds what is to be stored of this run to that of those before it.
    pub(super) fn push_stored(&self, first: i64, batches: &mut Vec<StoredBatch>) {
        let state = match self.state {
            // A lock is not stored: after a restart the record is available.
            State::Available | State::Acquired { .. } => StoredState::Available,
            State::Acknowledged => StoredState::Acknowledged,
            State::Archived => StoredState::Archived,
        };
        match batches.last_mut() {
            Some(batch)
                if batch.last + 1 == first
                    && (batch.state, batch.deliveries) == (state, self.deliveries) =>
            {
                batch.last = self.last;
            }
            _ => batches.push(StoredBatch {
                first,
                last: self.last,
                state,
                deliveries: self.deliveries,
            }),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Runs(BTreeMap<i64, Run>);

impl Runs {
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Run)> {
        self.0.iter().map(|(first, run)| (*first, run))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (i64, &mut Run)> {
        self.0.iter_mut().map(|(first, run)| (*first, run))
    }

    pub(super) fn first(&self) -> Option<(i64, &Run)> {
        self.0.first_key_value().map(|(first, run)| (*first, run))
    }

    /// The run that holds `offset`.
    pub(super) fn at(&self, offset: i64) -> Option<&Run> {
        self.0.range(..=offset).next_back().map(|(_, run)| run).filter(|run| run.last >= offset)
    }

    pub(super) fn insert(&mut self, first: i64, run: Run) {
        self.0.insert(first, run);
    }

    pub(super) fn remove(&mut self, first: i64) {
        self.0.remove(&first);
    }

    pub(super) fn remove_below(&mut self, offset: i64) {
        self.split(offset);
        self.0 = self.0.split_off(&offset);
    }

    /// The runs from `first` to `last`, which begin and end there.
    pub(super) fn range_mut(
        &mut self,
        first: i64,
        last: i64,
    ) -> impl Iterator<Item = (i64, &mut Run)> {
        self.split(first);
        self.split(last + 1);
        // An empty range may not be asked for backwards.
        self.0.range_mut(first..(last + 1).max(first)).map(|(first, run)| (*first, run))
    }

    /// No run lies on both sides of `offset`.
    fn split(&mut self, offset: i64) {
        let Some((_, run)) = self.0.range_mut(..offset).next_back() else { return };
        if run.last >= offset {
            let right = run.clone();
            run.last = offset - 1;
            self.0.insert(offset, right);
        }
    }

    /// Neighbours that are alike become one.
    pub(super) fn merge(&mut self) {
        let mut merged: Option<(i64, Run)> = None;
        let mut runs = BTreeMap::new();
        for (first, run) in std::mem::take(&mut self.0) {
            match &mut merged {
                Some((_, left)) if is_alike(left, &run) => left.last = run.last,
                _ => {
                    if let Some((first, run)) = merged.replace((first, run)) {
                        runs.insert(first, run);
                    }
                }
            }
        }
        runs.extend(merged);
        self.0 = runs;
    }
}

fn is_alike(left: &Run, right: &Run) -> bool {
    left.state == right.state
        && left.deliveries == right.deliveries
        && left.pending == right.pending
}
