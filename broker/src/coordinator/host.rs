//! Where a coordinator meets its partition and the clock: one host for each partition of its topic that the shard owns.
//!
//! What a call of the machine wants written is appended at once, in the machine's order; one task tells the machine, in that order,
//! what has become durable. Nobody else writes here but an administrator by hand (client id `__admin_client`), whose records count from the
//! next load on, as in Kafka.
//!
//! While the partition is loaded, what is asked is refused with `Loading`: clients ask again. If it cannot be loaded, or its log
//! directory goes offline, what the partition keeps has no coordinator here.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use net::wire::EncodeError;
use storage::Ticket;
use storage::batch::{Batch, BatchBuilder, BatchError, ControlType, Invalidity};
use storage::units::{Offset, PartitionId, Timestamp};

use super::alarm::Alarm;
use super::{Effects, Machine, Now, Unserved, Waiter, Write};
use crate::clock;
use crate::metadata::image::Delta;
use crate::partition::{AppendRefusal, Partition};
use crate::shard::Shard;

pub(crate) struct Host<M: Machine> {
    pub(crate) id: PartitionId,
    partition: Rc<Partition>,
    state: RefCell<State<M>>,
    waiting: RefCell<HashMap<Waiter, oneshot::Sender<M::Answer>>>,
    next_waiter: Cell<Waiter>,
    /// What was appended and is not known to be durable, and what follows it. Without a ticket: what only comes after the one before.
    appended: RefCell<VecDeque<(Option<Ticket>, M::Then)>>,
    /// A task waits for what was appended.
    confirming: Cell<bool>,
    /// When the timer goes off, in ticks.
    armed: Cell<Option<u64>>,
    alarm: Alarm,
    born: Instant,
}

enum State<M> {
    Loading,
    Active(Box<M>),
    Closed,
}

impl<M: Machine> Host<M> {
    pub(crate) fn new(id: PartitionId, partition: Rc<Partition>) -> Rc<Host<M>> {
        Rc::new(Host {
            id,
            partition,
            state: RefCell::new(State::Loading),
            waiting: RefCell::default(),
            next_waiter: Cell::default(),
            appended: RefCell::default(),
            confirming: Cell::default(),
            armed: Cell::default(),
            alarm: Alarm::default(),
            born: clock::monotonic(),
        })
    }

    /// The answer comes when there is one; the sender is dropped when the host closes.
    pub(crate) fn ask(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        request: M::Request,
    ) -> oneshot::Receiver<M::Answer> {
        let (sender, receiver) = oneshot::channel();
        let mut out = Effects::default();
        let refused = match &mut *self.state.borrow_mut() {
            State::Active(machine) => {
                let waiter = self.next_waiter.get();
                self.next_waiter.set(waiter + 1);
                self.waiting.borrow_mut().insert(waiter, sender);
                machine.handle(self.now(), request, waiter, &mut out);
                None
            }
            State::Loading => Some((sender, M::refused(&request, Unserved::Loading))),
            State::Closed => Some((sender, M::refused(&request, Unserved::NotCoordinator))),
        };
        match refused {
            // Whoever asked may be gone.
            Some((sender, answer)) => drop(sender.send(answer)),
            None => self.carry_out(shard, out),
        }
        receiver
    }

    /// The log directory of its partition.
    pub(crate) fn directory(&self) -> usize {
        self.partition.directory()
    }

    /// The metadata image, or the configuration that is in force, has changed.
    pub(crate) fn configured(self: &Rc<Self>, shard: &Rc<Shard>, delta: &Delta) {
        let config = shard.in_force();
        self.with(shard, |machine, _, _| machine.configured(&config, shard.image(), delta));
    }

    /// Topics are no more.
    pub(crate) fn topics_deleted(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        deleted: &[(bytestring::ByteString, uuid::Uuid)],
    ) {
        self.with(shard, |machine, _, out| machine.topics_deleted(deleted, out));
    }

    /// The partition is no longer here, or can no longer be written: everybody who waits is told.
    pub(crate) fn close(&self) {
        let before = std::mem::replace(&mut *self.state.borrow_mut(), State::Closed);
        let mut out = Effects::default();
        if let State::Active(mut machine) = before {
            machine.resign(&mut out);
        }
        out.answers.into_iter().for_each(|(waiter, answer)| self.answer(waiter, answer));
        self.waiting.borrow_mut().clear();
        self.appended.borrow_mut().clear();
        self.alarm.end();
    }

    /// What is asked of the machine, if there is one.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&M) -> T) -> Option<T> {
        match &*self.state.borrow() {
            State::Active(machine) => Some(at(machine)),
            State::Loading | State::Closed => None,
        }
    }

    /// How many requests wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.borrow().len()
    }

    /// Reads the partition and serves what is asked from then on.
    pub(crate) async fn load(self: Rc<Self>, shard: Rc<Shard>) {
        let (start, end) = (self.partition.log().log_start(), self.partition.log().end());
        match self.replay(&shard, start, end).await {
            Ok(mut machine) => {
                machine.configured(&shard.in_force(), shard.image(), &Delta::default());
                if matches!(*self.state.borrow(), State::Loading) {
                    *self.state.borrow_mut() = State::Active(Box::new(machine));
                    self.keep_time(&shard);
                    self.with(&shard, |machine, now, out| machine.loaded(now, out));
                }
            }
            Err(error) => {
                tracing::error!(
                    topic = M::TOPIC,
                    partition = self.id.partition,
                    error,
                    "what this partition keeps is not served: it cannot be read"
                );
                self.close();
            }
        }
    }

    async fn replay(&self, shard: &Shard, start: Offset, end: Offset) -> Result<M, String> {
        let mut machine = M::new(&shard.in_force(), shard.image());
        let (_, bytes_max) = M::storing(&shard.config);
        let mut next = start;
        while next < end {
            let log = self.partition.log();
            let read = log.read_copied(next, end, bytes_max);
            let mut bytes = read.await.map_err(|error| error.to_string())?;
            let before = next;
            loop {
                let (batch, size) = match Batch::parse_first(&bytes) {
                    Ok(found) => found,
                    Err(BatchError::Invalid(Invalidity::NoBatch)) => break,
                    Err(error) => return Err(format!("after offset {}: {error}", next.0)),
                };
                replay_batch(&mut machine, self.now(), &batch)?;
                next = batch.last_offset() + 1;
                bytes = bytes.slice(size..);
                shard.ring.yield_now().await;
            }
            if next == before {
                // Nothing is left below the end: compaction may have taken the last records.
                break;
            }
        }
        Ok(machine)
    }

    /// Calls the machine, and does what it says; nothing if there is none.
    fn with(self: &Rc<Self>, shard: &Rc<Shard>, call: impl FnOnce(&mut M, Now, &mut Effects<M>)) {
        let mut out = Effects::default();
        match &mut *self.state.borrow_mut() {
            State::Active(machine) => call(machine, self.now(), &mut out),
            State::Loading | State::Closed => return,
        }
        self.carry_out(shard, out);
    }

    /// Answers, appends, and what comes of appends that are refused; then the timer.
    fn carry_out(self: &Rc<Self>, shard: &Rc<Shard>, mut out: Effects<M>) {
        loop {
            for (waiter, answer) in std::mem::take(&mut out.answers) {
                self.answer(waiter, answer);
            }
            let writes = std::mem::take(&mut out.writes);
            if writes.is_empty() {
                break;
            }
            for write in writes {
                self.append(shard, write, &mut out);
            }
        }
        if let Some(offset) = out.obsolete {
            self.prune(shard, offset);
        }
        self.arm(shard, self.look(M::next_timer).flatten());
    }

    fn append(self: &Rc<Self>, shard: &Rc<Shard>, write: Write<M>, out: &mut Effects<M>) {
        let mut state = self.state.borrow_mut();
        let State::Active(machine) = &mut *state else { return };
        let now = self.now();
        if write.records.is_empty() {
            if self.confirming.get() {
                self.appended.borrow_mut().push_back((None, write.then));
            } else {
                machine.written(now, write.then, Ok(()), out);
            }
            return;
        }
        match self.append_records(shard, &write.records, now) {
            Ok((base, ticket)) => {
                machine.appended(now, &write, base, out);
                self.appended.borrow_mut().push_back((Some(ticket), write.then));
                self.confirm(shard);
            }
            Err(why) => machine.written(now, write.then, Err(why), out),
        }
    }

    fn append_records(
        &self,
        shard: &Shard,
        records: &[M::Record],
        now: Now,
    ) -> Result<(Offset, Ticket), Unserved> {
        let batch = batch::<M>(shard, records, now).map_err(|error| {
            tracing::error!(topic = M::TOPIC, %error, "a record has no form in Kafka's format");
            Unserved::TooLarge
        })?;
        self.partition.append_own(&batch).map_err(|refusal| match refusal {
            AppendRefusal::Log(storage::AppendError::NoRoom(_))
            | AppendRefusal::NotEnoughReplicas(_) => Unserved::NotAvailable,
            AppendRefusal::Invalid { .. }
            | AppendRefusal::Log(storage::AppendError::TooLarge(_)) => Unserved::TooLarge,
            _ => Unserved::NotCoordinator,
        })
    }

    /// One task at a time waits for what was appended.
    fn confirm(self: &Rc<Self>, shard: &Rc<Shard>) {
        if self.confirming.replace(true) {
            return;
        }
        let (host, of_shard) = (Rc::clone(self), Rc::clone(shard));
        shard.spawn(async move {
            loop {
                let first = host.appended.borrow_mut().pop_front();
                let Some((ticket, then)) = first else { break };
                if let Some(ticket) = ticket
                    && let Err(error) = ticket.await
                {
                    tracing::error!(topic = M::TOPIC, partition = host.id.partition, %error, "a coordinator is lost");
                    host.close();
                    break;
                }
                host.with(&of_shard, |machine, now, out| machine.written(now, then, Ok(()), out));
            }
            host.confirming.set(false);
        });
    }

    /// Deletes records that say nothing any more. If it fails, the machine says so again in time.
    fn prune(self: &Rc<Self>, shard: &Rc<Shard>, offset: Offset) {
        if offset <= self.partition.log().log_start() {
            return;
        }
        let host = Rc::clone(self);
        shard.spawn(async move {
            if let Err(error) = host.partition.delete_records(Some(offset)).await {
                tracing::warn!(topic = M::TOPIC, partition = host.id.partition, %error, "old records stay");
            }
        });
    }

    fn answer(&self, waiter: Waiter, answer: M::Answer) {
        let sender = self.waiting.borrow_mut().remove(&waiter);
        if let Some(sender) = sender {
            // Whoever asked may be gone.
            let _ = sender.send(answer);
        }
    }

    /// Moves the timer to when the machine wants to be called next.
    fn arm(&self, shard: &Shard, next: Option<u64>) {
        if self.armed.replace(next) == next {
            return;
        }
        let at = |ticks| self.born + Duration::from_millis(ticks);
        self.alarm.set(next.map(|ticks| shard.deadlines.until(at(ticks))));
    }

    /// Waits for the timer as long as there is a host. The task keeps neither host nor shard.
    fn keep_time(self: &Rc<Self>, shard: &Rc<Shard>) {
        let (alarm, host, of_shard) =
            (self.alarm.clone(), Rc::downgrade(self), Rc::downgrade(shard));
        shard.spawn(async move {
            while alarm.wait().await {
                let (Some(host), Some(shard)) = (host.upgrade(), of_shard.upgrade()) else {
                    return;
                };
                host.armed.set(None);
                host.with(&shard, |machine, now, out| machine.fire(now, out));
            }
        });
    }

    fn now(&self) -> Now {
        let since = clock::monotonic().saturating_duration_since(self.born);
        let ticks = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Now { wall_ms: clock::wall().0, ticks }
    }
}

fn batch<M: Machine>(shard: &Shard, records: &[M::Record], now: Now) -> Result<Batch, EncodeError> {
    let (codec, _) = M::storing(&shard.config);
    let mut builder = BatchBuilder::new().codec(codec);
    for record in records {
        let (key, value) = M::encode(record)?;
        builder = builder.record(Timestamp(now.wall_ms), Some(&key), value.as_deref());
    }
    Ok(builder.build())
}

fn replay_batch<M: Machine>(machine: &mut M, now: Now, batch: &Batch) -> Result<(), String> {
    let producer = batch.is_transactional().then_some(batch.producer_id().0);
    let mut records = batch.records();
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            Err(error) => return Err(format!("offset {}: {error}", batch.base_offset().0)),
        };
        if batch.is_control() {
            match record.key.and_then(ControlType::parse) {
                Some(ControlType::Commit) => machine.replay_marker(batch.producer_id().0, true),
                Some(ControlType::Abort) => machine.replay_marker(batch.producer_id().0, false),
                _ => {}
            }
            continue;
        }
        let offset = record.offset;
        machine
            .replay(now, record.key, record.value, producer, offset)
            .map_err(|error| format!("offset {}: {error}", offset.0))?;
    }
}

impl<M: Machine> Drop for Host<M> {
    fn drop(&mut self) {
        self.alarm.end();
    }
}
