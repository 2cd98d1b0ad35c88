//! What the markers in a log say of the transactions whose data is cleaned: as Kafka's `CleanedTransactionMetadata`, from the log itself
//! instead of transaction indexes.
//!
//! The [`Survey`] reads ahead: whether data is aborted is known only from a marker behind it. Then, in the order of the log,
//! [`Transactions::can_discard`] says what may go: aborted data, and markers of whose transaction nothing was met.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::batch::{Batch, EndTransaction};
use crate::units::{Offset, ProducerId};

/// A transaction that an abort marker ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aborted {
    pub(super) producer: ProducerId,
    pub(super) first: Offset,
    /// The marker's offset.
    pub(super) last: Offset,
}

/// Goes through the batches that are to be cleaned, in order.
#[derive(Default)]
pub(super) struct Survey {
    open: BTreeMap<ProducerId, Offset>,
    aborted: Vec<Aborted>,
}

impl Survey {
    pub(super) fn batch(&mut self, batch: &Batch) {
        let producer = batch.producer_id();
        if !batch.is_control() {
            if batch.is_transactional() {
                self.open.entry(producer).or_insert(batch.base_offset());
            }
            return;
        }
        let Some(marker) = EndTransaction::of(batch) else { return };
        let first = self.open.remove(&producer);
        if let Some(first) = first.filter(|_| !marker.committed) {
            self.aborted.push(Aborted { producer, first, last: batch.base_offset() });
        }
    }

    /// The first offset of those transactions whose end was not met: nothing may be cleaned from there on.
    pub(super) fn first_undecided(&self) -> Option<Offset> {
        self.open.values().min().copied()
    }

    /// For a walk that begins at `from`: those that ended before it would never be met, and be taken for open.
    pub(super) fn transactions(&self, from: Offset) -> Transactions {
        let reach = self.aborted.iter().filter(|aborted| aborted.last >= from);
        let mut aborted: Vec<Aborted> = reach.copied().collect();
        aborted.sort_by_key(|aborted| aborted.first);
        Transactions { aborted: aborted.into(), ..Transactions::default() }
    }
}

/// See the head of the file.
#[derive(Clone, Default)]
pub(super) struct Transactions {
    /// Those that do not begin before the batches that were met.
    aborted: VecDeque<Aborted>,
    /// Those of which a batch was met, and whether it was data.
    ongoing_aborted: BTreeMap<ProducerId, bool>,
    ongoing_committed: BTreeSet<ProducerId>,
}

impl Transactions {
    /// To be asked once for each batch, in order.
    pub(super) fn can_discard(&mut self, batch: &Batch) -> bool {
        while let Some(next) = self.aborted.front().filter(|next| next.first <= batch.last_offset())
        {
            self.ongoing_aborted.entry(next.producer).or_insert(false);
            self.aborted.pop_front();
        }
        if batch.is_control() {
            return self.can_discard_marker(batch);
        }
        if !batch.is_transactional() {
            return false;
        }
        match self.ongoing_aborted.get_mut(&batch.producer_id()) {
            Some(met) => {
                *met = true;
                true
            }
            None => {
                self.ongoing_committed.insert(batch.producer_id());
                false
            }
        }
    }

    fn can_discard_marker(&mut self, batch: &Batch) -> bool {
        if batch.count() == 0 {
            // Emptied before: it stays only for its producer.
            return true;
        }
        let producer = batch.producer_id();
        match EndTransaction::of(batch) {
            Some(marker) if marker.committed => !self.ongoing_committed.remove(&producer),
            Some(_) => {
                let met = self.ongoing_aborted.remove(&producer).unwrap_or(false);
                // Of a transaction that was cleaned before, and about which nobody asked, an emptied batch may be left.
                let met_unknown = self.ongoing_committed.remove(&producer);
                !met && !met_unknown
            }
            // Not the end of a transaction: a leader change, or what a later version wrote.
            None => false,
        }
    }
}
