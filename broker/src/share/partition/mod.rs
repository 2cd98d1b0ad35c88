//! The records of one partition that a share group has in flight (KIP-932): which may be delivered, who has them, how often
//! they were delivered, and which are done with.
//!
//! A state machine without I/O and clock: times are arguments, what must be stored is returned as a [`Change`], and what came of
//! storing it is told by [`Partition::written`]. What it promises:
//!
//! - A record is acquired by one member at a time, until that one has acknowledged it, releases it, or its lock runs out.
//! - A record that was accepted or rejected is never delivered again once the change is stored, after a restart either.
//! - A record is delivered as often as the group allows, then it is archived.
//! - The offsets from `start` to `end` are all accounted for, so that `start` always comes to move on.
//!
//! # States
//! ```text
//! Available -> Acquired -> Acknowledged (accepted)
//!     ^           |  \---> Archived     (rejected, a gap, released or run out at the delivery limit)
//!     '-----------'  released, or the lock has run out
//! ```
//! An acknowledgement, or a release, is a *pending* change of state until it is stored; if it cannot be stored, the
//! state is as it was before. A lock that runs out is not: it is stored for the count of deliveries only.

mod acknowledge;
mod acquire;
mod planted;
mod runs;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

pub(crate) use acknowledge::{Acknowledgement, Kind, Refusal};
pub(crate) use acquire::{Acquired, ReadBatch, Want};
use planted::Bug;
use runs::{Run, Runs};

/// Who acquires: the id of a member of the share group.
pub(crate) type Member = Rc<str>;

/// What the group's configuration allows. It may change between any two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Records from the start offset on that may be in flight (`group.share.partition.max.record.locks`).
    pub(crate) in_flight_max: i64,
    /// Deliveries of one record (`group.share.delivery.count.limit`).
    pub(crate) deliveries_max: i16,
    /// How long a member may take for a record (`share.record.lock.duration.ms`).
    pub(crate) lock: Duration,
    /// Whether a member may ask for more time (`share.renew.acknowledge.enable`, KIP-1222).
    pub(crate) renewable: bool,
}

/// The delivery states that are stored, by their numbers in Kafka's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub(crate) enum StoredState {
    Available = 0,
    Acknowledged = 2,
    Archived = 4,
}

impl StoredState {
    pub(crate) fn of(number: i8) -> Option<StoredState> {
        [StoredState::Available, StoredState::Acknowledged, StoredState::Archived]
            .into_iter()
            .find(|state| *state as i8 == number)
    }
}

/// Consecutive offsets of one stored state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredBatch {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) state: StoredState,
    pub(crate) deliveries: i16,
}

/// What must be stored (WriteShareGroupState). Changes are to be written in the order in which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// For [`Partition::written`].
    pub(crate) id: u64,
    pub(crate) start: i64,
    pub(crate) batches: Vec<StoredBatch>,
    /// Records from `start` on that are done with (`DeliveryCompleteCount`).
    pub(crate) done: i32,
}

/// Stored state that contradicts itself: it was not written by this machine, nor by Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Available,
    Acquired { member: Member, until: Duration },
    Acknowledged,
    Archived,
}

/// A change of state that is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pending {
    change: u64,
    before: State,
}

#[derive(Debug)]
pub(crate) struct Partition {
    limits: Limits,
    /// From `start` to `end` without a hole.
    runs: Runs,
    /// Everything below is done with.
    start: i64,
    /// The first offset that was never acquired.
    end: i64,
    last_change: u64,
    /// False only if no run is available.
    may_be_available: bool,
    /// No lock runs out before.
    earliest: Duration,
    #[cfg(test)]
    planted: Option<Bug>,
}

impl Partition {
    /// From what is stored. An offset between stored batches was acquired when the broker stopped, and is available.
    pub(crate) fn new(
        limits: Limits,
        start: i64,
        batches: &[StoredBatch],
    ) -> Result<Partition, Contradiction> {
        let mut partition = Partition::empty(limits, start);
        partition.load(batches)?;
        Ok(partition)
    }

    fn empty(limits: Limits, start: i64) -> Partition {
        Partition {
            limits,
            runs: Runs::default(),
            start,
            end: start,
            last_change: 0,
            may_be_available: true,
            earliest: Duration::MAX,
            #[cfg(test)]
            planted: None,
        }
    }

    fn load(&mut self, batches: &[StoredBatch]) -> Result<(), Contradiction> {
        for &StoredBatch { first, last, state, deliveries } in batches {
            if first < self.end || last < first || last == i64::MAX {
                return Err(Contradiction { first, last });
            }
            let gap = match self.has(Bug::GapsTakenForDone) {
                false => State::Available,
                true => State::Archived,
            };
            self.extend(first, gap, 0);
            let state = match state {
                StoredState::Available => State::Available,
                StoredState::Acknowledged => State::Acknowledged,
                StoredState::Archived => State::Archived,
            };
            self.extend(last + 1, state, deliveries);
        }
        self.advance();
        Ok(())
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Everything below is done with: the share-partition start offset.
    #[cfg(test)]
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The first offset that was never acquired: one past the share-partition end offset.
    #[cfg(test)]
    pub(crate) fn end(&self) -> i64 {
        self.end
    }

    /// Whether [`acquire`](Partition::acquire) could give anything, of records that the log may hold.
    pub(crate) fn may_acquire(&mut self) -> bool {
        self.next_fetch_offset() < self.end || self.end - self.start < self.limits.in_flight_max
    }

    /// Where to read from: the first offset that is available, or was never acquired.
    pub(crate) fn next_fetch_offset(&mut self) -> i64 {
        if !self.may_be_available {
            return self.end;
        }
        let found = self.runs.iter().find(|(_, run)| self.is_available(run));
        self.may_be_available = found.is_some();
        found.map_or(self.end, |(first, _)| first)
    }

    /// When [`expire`](Partition::expire) should be called: never later than the first lock runs out.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        (self.earliest != Duration::MAX).then_some(self.earliest)
    }

    /// A member leaves, or its session ends: what it has acquired is available again, as after a release.
    pub(crate) fn release_member(&mut self, member: &str) -> Option<Change> {
        let id = self.last_change + 1;
        let deliveries_max = self.deliveries_max();
        let mut released = false;
        let all = self.has(Bug::AllReleased);
        let acquired = |run: &Run| match &run.state {
            State::Acquired { member: owner, .. } => **owner == *member || all,
            _ => false,
        };
        for (_, run) in self.runs.iter_mut().filter(|(_, run)| acquired(run)) {
            run.change(released_state(run.deliveries, deliveries_max), Some(id));
            released = true;
        }
        self.changed(released, id)
    }

    /// Locks that have run out at `now` are taken away. Whether the change can be stored makes no difference to the state.
    pub(crate) fn expire(&mut self, now: Duration) -> Option<Change> {
        if now < self.earliest {
            return None;
        }
        let id = self.last_change + 1;
        let deliveries_max = self.deliveries_max();
        let begins_anew = self.has(Bug::CountBeginsAnew);
        let mut batches = Vec::new();
        for (first, run) in self.runs.iter_mut() {
            if matches!(run.state, State::Acquired { until, .. } if until <= now) {
                run.change(released_state(run.deliveries, deliveries_max), None);
                if begins_anew {
                    run.deliveries = 0;
                }
                run.push_stored(first, &mut batches);
                self.may_be_available = true;
            }
        }
        self.find_earliest();
        if batches.is_empty() {
            return None;
        }
        self.last_change = id;
        let change = self.change(id, batches);
        self.runs.merge();
        self.advance();
        Some(change)
    }

    /// A change is stored, or could not be.
    pub(crate) fn written(&mut self, id: u64, stored: bool) {
        let forgets = self.has(Bug::FailureForgotten);
        for (_, run) in self.runs.iter_mut() {
            let Some(pending) = run.pending.take_if(|pending| pending.change == id) else {
                continue;
            };
            if !stored && !forgets {
                run.state = pending.before;
            }
        }
        self.may_be_available = true;
        if !self.has(Bug::RestoredLockForgotten) {
            self.find_earliest();
        }
        self.runs.merge();
        self.advance();
    }

    /// The log begins at `offset` now: what lies below can not be delivered any more.
    pub(crate) fn log_starts_at(&mut self, offset: i64) {
        if offset > self.start {
            self.runs.remove_below(offset);
            self.start = offset;
            self.end = self.end.max(offset);
            self.advance();
        }
    }

    fn is_available(&self, run: &Run) -> bool {
        let stored = run.pending.is_none() || self.has(Bug::PendingDelivered);
        run.state == State::Available && stored
    }

    fn deliveries_max(&self) -> i16 {
        self.limits.deliveries_max + i16::from(self.has(Bug::OneDeliveryMore))
    }

    /// Moves the start over what is done with, and stored.
    fn advance(&mut self) {
        while let Some((first, run)) = self.runs.first() {
            let stored = run.pending.is_none() || self.has(Bug::StartBeforeStored);
            if !run.is_done() || !stored {
                return;
            }
            self.start = run.last + 1;
            self.runs.remove(first);
        }
    }

    /// A new run at the end, up to `end` exclusively.
    fn extend(&mut self, end: i64, state: State, deliveries: i16) {
        if end > self.end {
            self.runs.insert(self.end, Run { last: end - 1, state, deliveries, pending: None });
            self.end = end;
        }
    }

    /// What must be stored for the runs that wait for change `id`.
    fn changed(&mut self, any: bool, id: u64) -> Option<Change> {
        if !any {
            return None;
        }
        self.last_change = id;
        let mut batches = Vec::new();
        let pending = |run: &Run| run.pending.as_ref().is_some_and(|pending| pending.change == id);
        for (first, run) in self.runs.iter().filter(|(_, run)| pending(run)) {
            run.push_stored(first, &mut batches);
        }
        self.find_earliest();
        self.runs.merge();
        Some(self.change(id, batches))
    }

    fn change(&self, id: u64, batches: Vec<StoredBatch>) -> Change {
        let done: i64 = self
            .runs
            .iter()
            .filter(|(_, run)| run.is_done())
            .map(|(first, run)| run.last - first + 1)
            .sum();
        Change { id, start: self.start, batches, done: i32::try_from(done).unwrap_or(i32::MAX) }
    }

    fn find_earliest(&mut self) {
        let untils = self.runs.iter().filter_map(|(_, run)| match run.state {
            State::Acquired { until, .. } => Some(until),
            _ => None,
        });
        self.earliest = untils.min().unwrap_or(Duration::MAX);
    }
}

/// What becomes of a record that was delivered so often, and is given back.
fn released_state(deliveries: i16, deliveries_max: i16) -> State {
    if deliveries >= deliveries_max { State::Archived } else { State::Available }
}
