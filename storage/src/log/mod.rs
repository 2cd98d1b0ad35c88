//! A partition's log, as the broker sees it: append, read, offsets.
//!
//! Appends are synchronous: the order of calls is the order of offsets, and a batch can be read (up to whatever the caller
//! allows) as soon as the call returns. It is durable when its [`Ticket`] resolves.
//!
//! Read in this order: this file, [`append`], [`read`], [`copy`], [`find`], [`seek`], [`aborted`], [`truncate`], [`cut`].

use std::cell::RefCell;
use std::rc::Rc;

use crate::batch::BatchInfo;
use crate::core::{Advance, Core};
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::producer::{ProducerEntry, SequenceCheck, SequenceError};
use crate::runtime::Runtime;
use crate::units::{Epoch, Offset, PartitionId, ProducerId, Timestamp};

mod aborted;
mod append;
mod copy;
mod cut;
mod find;
mod pages;
mod read;
mod seek;
mod ticket;
mod truncate;

pub(crate) use append::touch;
pub use append::{Appended, Stamp};
pub use read::{ReadPlan, Slice};
pub use seek::FoundOffset;
pub use ticket::Ticket;

/// See the head of the file. Clones are the same log.
pub struct Log<R: Runtime>(pub(crate) Rc<Inner<R>>);

pub(crate) struct Inner<R: Runtime> {
    pub(crate) core: Rc<Core<R>>,
    pub(crate) id: PartitionId,
    birth: u64,
    pub(crate) state: RefCell<Partition>,
}

impl<R: Runtime> Clone for Log<R> {
    fn clone(&self) -> Self {
        Log(Rc::clone(&self.0))
    }
}

impl<R: Runtime> Log<R> {
    pub(crate) fn new(core: Rc<Core<R>>, partition: Partition) -> Self {
        let birth = core.births.get();
        core.births.set(birth + 1);
        Log(Rc::new(Inner { core, id: partition.id, birth, state: RefCell::new(partition) }))
    }

    #[must_use]
    pub fn id(&self) -> PartitionId {
        self.0.id
    }

    /// Tells it from another log of a partition that was deleted and came back.
    pub(crate) fn birth(&self) -> u64 {
        self.0.birth
    }

    pub(crate) fn core(&self) -> &Rc<Core<R>> {
        &self.0.core
    }

    pub(crate) fn state(&self) -> std::cell::Ref<'_, Partition> {
        self.0.state.borrow()
    }

    pub(crate) fn state_mut(&self) -> std::cell::RefMut<'_, Partition> {
        self.0.state.borrow_mut()
    }

    /// The first offset that may be read.
    #[must_use]
    pub fn log_start(&self) -> Offset {
        self.state().log_start
    }

    /// LEO: the offset of the next record.
    #[must_use]
    pub fn end(&self) -> Offset {
        self.state().end
    }

    #[must_use]
    pub fn written(&self) -> Offset {
        self.state().written
    }

    #[must_use]
    pub fn durable(&self) -> Offset {
        self.state().durable
    }

    /// Everything below has the durability that the store promises: what tickets wait for.
    #[must_use]
    pub fn acknowledged(&self) -> Offset {
        self.advance().acknowledged
    }

    pub(crate) fn advance(&self) -> Advance {
        let state = self.state();
        let acknowledged = match self.core().options.durability {
            crate::config::Durability::Sync => state.durable,
            crate::config::Durability::Written => state.written,
        };
        Advance { id: self.0.id, written: state.written, durable: state.durable, acknowledged }
    }

    /// How many swaps of segments there were: to be compared when a lookup is done ([`Log::is_disturbed`]).
    fn swaps(&self) -> u64 {
        self.state().swaps
    }

    /// Whether compaction has changed segments since: what was looked up meanwhile may be of two minds.
    fn is_disturbed(&self, swaps: u64) -> bool {
        self.swaps() != swaps && !is(Bug::ReaderNotDisturbed)
    }

    /// What its segments and its tail hold.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.state().size_bytes()
    }

    /// The largest known epoch that is not above `epoch`, and the offset after its last record.
    #[must_use]
    pub fn epoch_end(&self, epoch: Epoch) -> Option<(Epoch, Offset)> {
        let state = self.state();
        state.epochs.end_of(epoch, state.end).map(|end| (end.epoch, end.end))
    }

    /// The leader epoch in which the record at `offset` was written.
    #[must_use]
    pub fn epoch_at(&self, offset: Offset) -> Option<Epoch> {
        self.state().epochs.epoch_of(offset)
    }

    /// The newest leader epoch that the log knows.
    #[must_use]
    pub fn last_epoch(&self) -> Option<Epoch> {
        self.state().epochs.latest().map(|latest| latest.epoch)
    }

    /// Whether this batch may be appended now, or was before.
    pub fn check_sequence(&self, batch: BatchInfo) -> Result<SequenceCheck, SequenceError> {
        self.state().producers.check(&batch)
    }

    /// Forgets the producers whose last batch is older than `producer.id.expiration.ms`. By the clock and not when a batch
    /// comes, as in Kafka: a client whose own clock is behind is deduplicated until then.
    pub(crate) fn expire_producers(&self, now: Timestamp) {
        let expiration_ms = self.core().producer_expiration_ms.get();
        self.state_mut().producers.expire(now, expiration_ms);
    }

    /// Something of every producer that the log remembers.
    pub fn each_producer<T>(&self, of: impl Fn(ProducerId, &ProducerEntry) -> T) -> Vec<T> {
        self.state().producers.iter().map(|(id, entry)| of(id, entry)).collect()
    }

    /// How many producers the log remembers.
    #[must_use]
    pub fn producers(&self) -> usize {
        self.state().producers.len()
    }

    /// A group that touched the log is complete, or synced.
    pub(crate) fn advanced(&self, end: Offset, durable: bool) {
        let mut state = self.state_mut();
        state.written = state.written.max(end);
        if durable {
            state.durable = state.durable.max(end);
        }
    }

    /// `[position, position + length)` of a segment is in its file.
    pub(crate) fn filed(&self, segment: Offset, position: u32, length: u32) {
        self.core().files.note_written(self, segment, crate::segment::files::Kind::Log);
        let mut state = self.state_mut();
        let was_dirty = state.dirty_bytes() > 0;
        let newly =
            state.segment_mut(segment).map_or(0, |segment| segment.complete(position + length));
        let is_dirty = state.dirty_bytes() > 0;
        if state.deleted {
            return;
        }
        drop(state);
        let counts = &self.core().counts;
        let newly = newly as usize;
        counts.dirty_bytes.set(counts.dirty_bytes.get().saturating_sub(newly));
        if was_dirty && !is_dirty {
            counts.dirty_logs.set(counts.dirty_logs.get().saturating_sub(1));
        }
        if newly > 0 {
            self.core().events.room.notify();
        }
    }

    /// Puts the log into the drain's queue if it has much outside its segment.
    pub(crate) fn drain_if_large(&self) {
        if self.state().undrained() >= self.core().options.drain_bytes as u64 {
            self.request_drain();
        }
    }

    pub(crate) fn request_drain(&self) {
        if !std::mem::replace(&mut self.state_mut().draining, true) {
            self.core().drains.borrow_mut().push_back(self.clone());
            self.core().events.drain.notify();
        }
    }

    /// A rolled segment is final.
    pub(crate) fn finished(&self, base: Offset) {
        if let Some(segment) = self.state_mut().segment_mut(base) {
            segment.finished = true;
        }
    }
}
