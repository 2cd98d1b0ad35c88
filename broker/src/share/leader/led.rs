//! One share partition: where the machine of its records (`share::partition`) meets the log, the clock, the share coordinator and the fetches
//! that wait.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytestring::ByteString;
use futures::channel::oneshot;
use storage::units::PartitionId;

use super::super::message::{AcknowledgeRefusal, AcknowledgedBatch, Trouble};
use super::super::partition::{Acknowledgement, Limits, Partition as Machine, Refusal};
use super::super::state::Key;
use super::store::Write;
use crate::clock;
use crate::config::ShareRules;
use crate::coordinator::alarm::Alarm;
use crate::partition::Partition;
use crate::shard::Shard;
use crate::turnstile::Turnstile;

pub(super) struct Led {
    pub(super) id: PartitionId,
    pub(super) key: Key,
    pub(super) partition: Rc<Partition>,
    /// With which it was begun.
    pub(super) leader_epoch: i32,
    pub(super) state: RefCell<State>,
    /// Counts what may have made more available.
    changes: Cell<u64>,
    /// Parked fetches: shard and watch.
    watchers: RefCell<Vec<(usize, u64)>>,
    /// Fetches read one after another.
    pub(super) reading: Rc<Turnstile>,
    /// What is to be stored, in order.
    pub(super) writes: RefCell<VecDeque<Write>>,
    /// A task stores it.
    pub(super) writing: Cell<bool>,
    /// The group has no session.
    abandoned: Cell<bool>,
    /// When a fetch last asked for it.
    used: Cell<Duration>,
    armed: Cell<Option<Duration>>,
    alarm: Alarm,
    born: Instant,
}

pub(super) enum State {
    /// Its state is being read.
    Beginning,
    Active {
        machine: Box<Machine>,
        state_epoch: i32,
    },
    /// Its state could not be read.
    Failed(Trouble),
    Closed,
}

impl Led {
    pub(super) fn new(group: &ByteString, id: PartitionId, partition: Rc<Partition>) -> Rc<Led> {
        Rc::new(Led {
            id,
            key: Key { group: group.clone(), topic: id.topic.0, partition: id.partition },
            leader_epoch: partition.epoch().0,
            partition,
            state: RefCell::new(State::Beginning),
            changes: Cell::default(),
            watchers: RefCell::default(),
            reading: Rc::default(),
            writes: RefCell::default(),
            writing: Cell::default(),
            abandoned: Cell::default(),
            used: Cell::default(),
            armed: Cell::default(),
            alarm: Alarm::default(),
            born: clock::monotonic(),
        })
    }

    pub(super) fn group(&self) -> &ByteString {
        &self.key.group
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        match &*self.state.borrow() {
            State::Failed(trouble) => Some(*trouble),
            State::Beginning | State::Active { .. } | State::Closed => None,
        }
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes.get()
    }

    pub(super) fn is_used(&self) {
        self.abandoned.set(false);
        self.used.set(self.now());
    }

    /// Whether no fetch has asked for it for so long, and none waits.
    pub(super) fn is_idle(&self, idle: Duration) -> bool {
        !self.is_watched() && self.now().saturating_sub(self.used.get()) >= idle
    }

    /// Calls the machine under the rules that are in force; `None` if there is none.
    pub(super) fn with<T>(
        &self,
        shard: &Shard,
        call: impl FnOnce(&mut Machine, Duration) -> T,
    ) -> Option<T> {
        match &mut *self.state.borrow_mut() {
            State::Active { machine, .. } => {
                machine.set_limits(limits(&self.rules(shard)));
                Some(call(machine, self.now()))
            }
            State::Beginning | State::Failed(_) | State::Closed => None,
        }
    }

    pub(super) fn rules(&self, shard: &Shard) -> ShareRules {
        shard.in_force().share_rules(&shard.image(), self.group())
    }

    pub(super) fn now(&self) -> Duration {
        clock::monotonic().saturating_duration_since(self.born)
    }

    pub(super) fn acknowledge(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        member: &str,
        batches: &[AcknowledgedBatch],
    ) -> Result<Option<oneshot::Receiver<Result<(), AcknowledgeRefusal>>>, AcknowledgeRefusal> {
        self.expire(shard);
        let said: Vec<_> = batches
            .iter()
            .map(|batch| Acknowledgement {
                first: batch.first,
                last: batch.last,
                kinds: &batch.kinds,
            })
            .collect();
        let done = self.with(shard, |machine, now| machine.acknowledge(member, &said, now));
        // Where nothing is loaded nothing is in flight.
        let change =
            done.unwrap_or(Err(Refusal::NothingInFlight)).map_err(AcknowledgeRefusal::Refused)?;
        self.arm(shard);
        Ok(change.map(|change| {
            let (sender, stored) = oneshot::channel();
            self.store(shard, Write { change, stored: Some(sender) });
            stored
        }))
    }

    pub(super) fn release(self: &Rc<Self>, shard: &Rc<Shard>, member: &str) {
        let change = self.with(shard, |machine, _| machine.release_member(member)).flatten();
        if let Some(change) = change {
            self.arm(shard);
            self.store(shard, Write { change, stored: None });
        }
    }

    /// Locks that have run out are taken away.
    pub(super) fn expire(self: &Rc<Self>, shard: &Rc<Shard>) {
        if let Some(change) = self.with(shard, |machine, now| machine.expire(now)).flatten() {
            self.store(shard, Write { change, stored: None });
            self.changed(shard);
        }
        self.arm(shard);
    }

    /// Moves the alarm to when the next lock runs out.
    pub(super) fn arm(&self, shard: &Shard) {
        let next = match &*self.state.borrow() {
            State::Active { machine, .. } => machine.next_expiry(),
            State::Beginning | State::Failed(_) | State::Closed => None,
        };
        if self.armed.replace(next) != next {
            self.alarm.set(next.map(|at| shard.deadlines.until(self.born + at)));
        }
    }

    /// Waits for locks that run out, as long as there is this share partition. The task keeps neither it nor the shard.
    pub(super) fn keep_time(self: &Rc<Self>, shard: &Rc<Shard>) {
        let (alarm, led, of_shard) =
            (self.alarm.clone(), Rc::downgrade(self), Rc::downgrade(shard));
        shard.spawn(async move {
            while alarm.wait().await {
                let (Some(led), Some(shard)) = (led.upgrade(), of_shard.upgrade()) else { return };
                led.armed.set(None);
                led.expire(&shard);
                led.leave_if_abandoned(&shard);
            }
        });
    }

    /// Parks a fetch; false if something has changed that it has not seen.
    pub(super) fn watch(&self, shard: usize, watch: u64, seen: u64) -> bool {
        if self.changes.get() != seen {
            return false;
        }
        self.watchers.borrow_mut().push((shard, watch));
        true
    }

    pub(super) fn unwatch(&self, shard: usize, watch: u64) {
        self.watchers.borrow_mut().retain(|watcher| *watcher != (shard, watch));
    }

    pub(super) fn is_watched(&self) -> bool {
        !self.watchers.borrow().is_empty()
    }

    /// More may be available: every fetch that waits looks again.
    pub(super) fn changed(&self, shard: &Shard) {
        self.changes.set(self.changes.get() + 1);
        let watchers = std::mem::take(&mut *self.watchers.borrow_mut());
        shard.tell_moved(watchers);
    }

    /// The group has no session any more.
    pub(super) fn abandon(&self, shard: &Shard) {
        self.abandoned.set(true);
        self.leave_if_abandoned(shard);
    }

    /// It can be taken up again from what is stored, if all is stored and nothing is in flight.
    pub(super) fn leave_if_abandoned(&self, shard: &Shard) {
        let in_flight = match &*self.state.borrow() {
            State::Active { machine, .. } => machine.next_expiry().is_some(),
            State::Beginning | State::Failed(_) | State::Closed => false,
        };
        if self.abandoned.get() && !in_flight && !self.writing.get() {
            shard.shares.remove(shard, self);
        }
    }

    /// It is no longer here: who waits finds that out.
    pub(super) fn close(&self, shard: &Shard) {
        *self.state.borrow_mut() = State::Closed;
        self.writes.borrow_mut().clear();
        self.alarm.end();
        self.changed(shard);
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.alarm.end();
    }
}

pub(super) fn limits(rules: &ShareRules) -> Limits {
    Limits {
        in_flight_max: rules.locks_max,
        deliveries_max: rules.deliveries_max,
        lock: Duration::from_millis(rules.lock_ms),
        renewable: rules.renewable,
    }
}
