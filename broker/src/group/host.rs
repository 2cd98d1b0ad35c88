//! Where a coordinator meets its partition and the clock: one host for each partition of `__consumer_offsets` that the shard owns.
//!
//! What a call of the machine wants written is appended at once, in the machine's order; one task tells the machine, in that order,
//! what has become durable. Nobody else writes here but an administrator by hand (client id `__admin_client`), whose records count from the
//! next load on, as in Kafka.
//!
//! While the partition is loaded, what is asked is refused with `Loading`: clients ask again. If it cannot be loaded, or its log
//! directory goes offline, groups of the partition have no coordinator here.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures::channel::oneshot;
use net::wire::EncodeError;
use storage::Ticket;
use storage::batch::{Batch, BatchBuilder, BatchError, Codec, ControlType, Invalidity};
use storage::units::{Offset, PartitionId, Timestamp};

use super::alarm::Alarm;
use super::message::{GroupAnswer, GroupRequest};
use super::records::Record;
use super::{Coordinator, Effects, Now, Refusal, Then, Waiter, Write};
use crate::clock;
use crate::metadata::image::Delta;
use crate::partition::{AppendRefusal, Partition};
use crate::shard::Shard;

pub(crate) struct Host {
    pub(crate) id: PartitionId,
    partition: Rc<Partition>,
    codec: Codec,
    state: RefCell<State>,
    waiting: RefCell<HashMap<Waiter, oneshot::Sender<GroupAnswer>>>,
    next_waiter: Cell<Waiter>,
    /// What was appended and is not known to be durable, and what follows it. Without a ticket: what only comes after the one before.
    appended: RefCell<VecDeque<(Option<Ticket>, Then)>>,
    /// A task waits for what was appended.
    confirming: Cell<bool>,
    /// When the timer goes off, in ticks.
    armed: Cell<Option<u64>>,
    alarm: Alarm,
    born: Instant,
}

enum State {
    Loading,
    Active(Box<Coordinator>),
    Closed,
}

impl Host {
    pub(crate) fn new(id: PartitionId, partition: Rc<Partition>, codec: Codec) -> Rc<Host> {
        Rc::new(Host {
            id,
            partition,
            codec,
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
        request: GroupRequest,
    ) -> oneshot::Receiver<GroupAnswer> {
        let (sender, receiver) = oneshot::channel();
        let mut out = Effects::default();
        let refused = match &mut *self.state.borrow_mut() {
            State::Active(coordinator) => {
                let waiter = self.next_waiter.get();
                self.next_waiter.set(waiter + 1);
                self.waiting.borrow_mut().insert(waiter, sender);
                coordinator.handle(self.now(), request, waiter, &mut out);
                None
            }
            State::Loading => Some((sender, loading(&request))),
            State::Closed => Some((sender, request.refused(Refusal::NotCoordinator))),
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
        let rules = shard.in_force().groups.rules();
        self.with(shard, |coordinator, _, _| coordinator.configured(rules, shard.image(), delta));
    }

    /// Topics are no more.
    pub(crate) fn topics_deleted(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        deleted: &[(bytestring::ByteString, uuid::Uuid)],
    ) {
        self.with(shard, |coordinator, _, out| coordinator.topics_deleted(deleted, out));
    }

    /// The partition is no longer here, or can no longer be written: everybody who waits is told.
    pub(crate) fn close(&self) {
        let before = std::mem::replace(&mut *self.state.borrow_mut(), State::Closed);
        let mut out = Effects::default();
        if let State::Active(mut coordinator) = before {
            coordinator.resign(&mut out);
        }
        out.answers.into_iter().for_each(|(waiter, answer)| self.answer(waiter, answer));
        self.waiting.borrow_mut().clear();
        self.appended.borrow_mut().clear();
        self.alarm.end();
    }

    /// Groups, offsets, and requests that wait.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let (groups, offsets) = match &*self.state.borrow() {
            State::Active(coordinator) => coordinator.counts(),
            State::Loading | State::Closed => (0, 0),
        };
        (groups, offsets, self.waiting.borrow().len())
    }

    /// Reads the partition and serves what is asked from then on.
    pub(crate) async fn load(self: Rc<Self>, shard: Rc<Shard>) {
        let (start, end) = (self.partition.log().log_start(), self.partition.log().end());
        match self.replay(&shard, start, end).await {
            Ok(mut coordinator) => {
                let rules = shard.in_force().groups.rules();
                coordinator.configured(rules, shard.image(), &Delta::default());
                if matches!(*self.state.borrow(), State::Loading) {
                    *self.state.borrow_mut() = State::Active(Box::new(coordinator));
                    self.keep_time(&shard);
                    self.with(&shard, |coordinator, now, out| coordinator.loaded(now, out));
                }
            }
            Err(error) => {
                tracing::error!(
                    partition = self.id.partition,
                    error,
                    "the groups of this partition of __consumer_offsets are not served: it cannot be read"
                );
                self.close();
            }
        }
    }

    async fn replay(
        &self,
        shard: &Shard,
        start: Offset,
        end: Offset,
    ) -> Result<Coordinator, String> {
        let mut coordinator = Coordinator::new(shard.in_force().groups.rules(), shard.image());
        let mut next = start;
        while next < end {
            let log = self.partition.log();
            let read = log.read_copied(next, end, shard.config.groups.load_bytes);
            let mut bytes = read.await.map_err(|error| error.to_string())?;
            let before = next;
            loop {
                let (batch, size) = match Batch::parse_first(&bytes) {
                    Ok(found) => found,
                    Err(BatchError::Invalid(Invalidity::NoBatch)) => break,
                    Err(error) => return Err(format!("after offset {}: {error}", next.0)),
                };
                replay_batch(&mut coordinator, self.now(), &batch)?;
                next = batch.last_offset() + 1;
                bytes = bytes.slice(size..);
                shard.ring.yield_now().await;
            }
            if next == before {
                // Nothing is left below the end: compaction may have taken the last records.
                break;
            }
        }
        Ok(coordinator)
    }

    /// Calls the machine, and does what it says; nothing if there is none.
    fn with(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        call: impl FnOnce(&mut Coordinator, Now, &mut Effects),
    ) {
        let mut out = Effects::default();
        match &mut *self.state.borrow_mut() {
            State::Active(coordinator) => call(coordinator, self.now(), &mut out),
            State::Loading | State::Closed => return,
        }
        self.carry_out(shard, out);
    }

    /// Answers, appends, and what comes of appends that are refused; then the timer.
    fn carry_out(self: &Rc<Self>, shard: &Rc<Shard>, mut out: Effects) {
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
        let next = match &*self.state.borrow() {
            State::Active(coordinator) => coordinator.next_timer(),
            State::Loading | State::Closed => None,
        };
        self.arm(shard, next);
    }

    fn append(self: &Rc<Self>, shard: &Rc<Shard>, write: Write, out: &mut Effects) {
        let mut state = self.state.borrow_mut();
        let State::Active(coordinator) = &mut *state else { return };
        let now = self.now();
        if write.records.is_empty() {
            if self.confirming.get() {
                self.appended.borrow_mut().push_back((None, write.then));
            } else {
                coordinator.written(now, write.then, Ok(()), out);
            }
            return;
        }
        match self.append_records(&write.records, now) {
            Ok(ticket) => {
                coordinator.appended(now, &write, out);
                self.appended.borrow_mut().push_back((Some(ticket), write.then));
                self.confirm(shard);
            }
            Err(refusal) => coordinator.written(now, write.then, Err(refusal), out),
        }
    }

    fn append_records(&self, records: &[Record], now: Now) -> Result<Ticket, Refusal> {
        let batch = batch(records, self.codec, now).map_err(|error| {
            tracing::error!(%error, "a record of a group has no form in Kafka's format");
            Refusal::TooLarge
        })?;
        self.partition.append_own(&batch).map_err(|refusal| match refusal {
            AppendRefusal::Log(storage::AppendError::NoRoom(_))
            | AppendRefusal::NotEnoughReplicas(_) => Refusal::NotAvailable,
            AppendRefusal::Invalid { .. }
            | AppendRefusal::Log(storage::AppendError::TooLarge(_)) => Refusal::TooLarge,
            _ => Refusal::NotCoordinator,
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
                    tracing::error!(partition = host.id.partition, %error, "groups lose their coordinator");
                    host.close();
                    break;
                }
                host.with(&of_shard, |coordinator, now, out| {
                    coordinator.written(now, then, Ok(()), out);
                });
            }
            host.confirming.set(false);
        });
    }

    fn answer(&self, waiter: Waiter, answer: GroupAnswer) {
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
                host.with(&shard, |coordinator, now, out| coordinator.fire(now, out));
            }
        });
    }

    fn now(&self) -> Now {
        let since = clock::monotonic().saturating_duration_since(self.born);
        let ticks = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Now { wall_ms: clock::wall().0, ticks }
    }
}

/// What is answered while the partition is loaded. A heartbeat is taken for good, as in Kafka: the member has the time of its session
/// once more, since that begins with the end of the load.
fn loading(request: &GroupRequest) -> GroupAnswer {
    match request {
        GroupRequest::Heartbeat(_) => GroupAnswer::Heartbeat(Ok(())),
        other => other.refused(Refusal::Loading),
    }
}

fn batch(records: &[Record], codec: Codec, now: Now) -> Result<Batch, EncodeError> {
    let mut builder = BatchBuilder::new().codec(codec);
    for record in records {
        let (key, value) = record.encode()?;
        builder = builder.record(Timestamp(now.wall_ms), Some(&key), value.as_deref());
    }
    Ok(builder.build())
}

fn replay_batch(coordinator: &mut Coordinator, now: Now, batch: &Batch) -> Result<(), String> {
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
                Some(ControlType::Commit) => coordinator.replay_marker(batch.producer_id().0, true),
                Some(ControlType::Abort) => coordinator.replay_marker(batch.producer_id().0, false),
                _ => {}
            }
            continue;
        }
        let offset = record.offset.0;
        match Record::decode(record.key, record.value) {
            Ok(Record::Unknown(kind)) => {
                tracing::warn!(
                    offset,
                    kind,
                    "a record of __consumer_offsets of a type that Kafka 4.3 does not have is ignored"
                );
            }
            Ok(decoded) => coordinator.replay(now, decoded, producer, offset),
            Err(error) => return Err(format!("offset {offset}: {error}")),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.alarm.end();
    }
}
