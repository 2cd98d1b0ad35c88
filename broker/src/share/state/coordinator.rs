//! The machine: the share partitions of one partition of `__share_group_state`.
//!
//! State is what its records say, and nothing else: a request plans a record, and it is replayed when it is appended.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::EncodeError;
use storage::batch::Codec;
use storage::units::{Offset, TopicId};
use uuid::Uuid;

use super::batches::combine;
use super::message::{Change, ReadState, StateAnswer, StateAsk, StateRequest, Summary};
use super::records::{Record, SnapshotValue, UpdateValue};
use super::{Key, Refusal, State, TOPIC};
use crate::config::Config;
use crate::coordinator::{Effects, Machine, Now, Unserved, Waiter, Write};
use crate::metadata::image::{Delta, Image};

/// What the broker's configuration says (`share.coordinator.*`). Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) updates_per_snapshot: i32,
    pub(crate) prune_every_ms: u64,
    pub(crate) cold_after_ms: u64,
}

/// Tombstones in one batch: far from what a batch may have.
const TOMBSTONES_A_BATCH: usize = 1000;

/// See the module.
#[derive(Debug)]
pub(crate) struct ShareCoordinator {
    rules: Rules,
    image: Arc<Image>,
    kept: HashMap<Key, Kept>,
    /// The last snapshot or tombstone of the log.
    last: Offset,
    /// When records are pruned, and when state without traffic is looked for, in ticks.
    prune_at: Option<u64>,
    look_at: Option<u64>,
}

#[derive(Debug)]
struct Kept {
    state: State,
    /// The greatest epochs that were ever said of it.
    leader_epoch_max: i32,
    state_epoch_max: i32,
    updates: i32,
    /// Its last snapshot: its earlier records are needless.
    snapshot: Offset,
}

/// What follows a write.
#[derive(Debug)]
pub(crate) enum Then {
    Nothing,
    Answer(Waiter, StateAnswer),
    /// What made the records below needless is durable.
    Prune(Offset),
}

impl ShareCoordinator {
    pub(crate) fn of(rules: Rules, image: Arc<Image>) -> ShareCoordinator {
        ShareCoordinator {
            rules,
            image,
            kept: HashMap::new(),
            last: Offset(0),
            prune_at: None,
            look_at: None,
        }
    }

    /// How many share partitions there are.
    pub(crate) fn count(&self) -> usize {
        self.kept.len()
    }

    /// The answer, and the record that it rests on.
    fn plan(&self, now: Now, key: &Key, ask: StateAsk) -> (StateAnswer, Option<Record>) {
        match self.check(key, &ask) {
            Err(refusal) => (ask.refused(refusal), None),
            Ok(()) => self.plan_checked(now, key, ask),
        }
    }

    /// In Kafka's order.
    fn check(&self, key: &Key, ask: &StateAsk) -> Result<(), Refusal> {
        if key.partition < 0 {
            return Err(Refusal::NegativePartition);
        }
        let kept = self.kept.get(key);
        let (leader_epoch, state_epoch) = match ask {
            StateAsk::Initialize { state_epoch, .. } => (-1, *state_epoch),
            StateAsk::Read { leader_epoch } => (*leader_epoch, -1),
            StateAsk::Write(change) => (change.leader_epoch, change.state_epoch),
            StateAsk::Delete | StateAsk::Summary => (-1, -1),
        };
        match (ask, kept) {
            (StateAsk::Read { .. }, None) => return Err(Refusal::ReadUninitialized),
            (StateAsk::Write(_), None) => return Err(Refusal::WriteUninitialized),
            _ => {}
        }
        if let Some(kept) = kept {
            if leader_epoch != -1 && kept.leader_epoch_max > leader_epoch {
                return Err(Refusal::FencedLeaderEpoch);
            }
            if state_epoch != -1 && kept.state_epoch_max > state_epoch {
                return Err(Refusal::FencedStateEpoch);
            }
        }
        match self.image.topic(TopicId(key.topic)) {
            Some(topic) if topic.partition(key.partition).is_some() => Ok(()),
            _ => Err(Refusal::UnknownPartition),
        }
    }

    fn plan_checked(&self, now: Now, key: &Key, ask: StateAsk) -> (StateAnswer, Option<Record>) {
        let kept = self.kept.get(key);
        match (ask, kept) {
            (StateAsk::Initialize { state_epoch, start_offset }, _) => {
                let snapshot = SnapshotValue {
                    snapshot_epoch: kept.map_or(0, |kept| next(kept.state.snapshot_epoch)),
                    state_epoch,
                    leader_epoch: 0,
                    start_offset,
                    delivery_complete_count: if start_offset == -1 { -1 } else { 0 },
                    create_timestamp: now.wall_ms,
                    write_timestamp: now.wall_ms,
                    state_batches: Vec::new(),
                };
                let record = Record::Snapshot(key.clone(), Some(snapshot));
                (StateAnswer::Initialize(Ok(())), Some(record))
            }
            (StateAsk::Read { leader_epoch }, Some(kept)) => {
                let state = &kept.state;
                let read = ReadState {
                    state_epoch: state.state_epoch,
                    start_offset: state.start_offset,
                    batches: state.batches.clone(),
                };
                let change = Change {
                    state_epoch: state.state_epoch,
                    leader_epoch,
                    start_offset: state.start_offset,
                    delivery_complete_count: state.delivery_complete_count,
                    batches: Vec::new(),
                };
                // Who has read in this epoch before has left nothing to record.
                let is_new = leader_epoch != -1 && leader_epoch != kept.leader_epoch_max;
                let record = is_new.then(|| self.changed(now, key, kept, leader_epoch, change));
                (StateAnswer::Read(Ok(read)), record)
            }
            (StateAsk::Write(change), Some(kept)) => {
                // The leader's epoch is recorded when it reads, not when it writes, as in Kafka.
                let record = self.changed(now, key, kept, kept.state.leader_epoch, change);
                (StateAnswer::Write(Ok(())), Some(record))
            }
            (StateAsk::Read { .. }, None) => {
                (StateAnswer::Read(Err(Refusal::ReadUninitialized)), None)
            }
            (StateAsk::Write(_), None) => {
                (StateAnswer::Write(Err(Refusal::WriteUninitialized)), None)
            }
            (StateAsk::Delete, Some(_)) => {
                (StateAnswer::Delete(Ok(())), Some(Record::Snapshot(key.clone(), None)))
            }
            (StateAsk::Delete, None) => (StateAnswer::Delete(Ok(())), None),
            (StateAsk::Summary, kept) => (StateAnswer::Summary(Ok(summary(kept))), None),
        }
    }

    /// The record of a change: an update, or a snapshot if there have been enough of them.
    fn changed(
        &self,
        now: Now,
        key: &Key,
        kept: &Kept,
        leader_epoch: i32,
        change: Change,
    ) -> Record {
        let state = &kept.state;
        if kept.updates < self.rules.updates_per_snapshot {
            let update = UpdateValue {
                snapshot_epoch: state.snapshot_epoch,
                leader_epoch,
                start_offset: change.start_offset,
                delivery_complete_count: change.delivery_complete_count,
                state_batches: combine(&[], &change.batches, change.start_offset),
            };
            return Record::Update(key.clone(), update);
        }
        let start_offset = or(change.start_offset, state.start_offset);
        let snapshot = SnapshotValue {
            snapshot_epoch: next(state.snapshot_epoch),
            state_epoch: state.state_epoch,
            leader_epoch,
            start_offset,
            delivery_complete_count: change.delivery_complete_count,
            create_timestamp: now.wall_ms,
            write_timestamp: now.wall_ms,
            state_batches: combine(&state.batches, &change.batches, start_offset),
        };
        Record::Snapshot(key.clone(), Some(snapshot))
    }

    /// A record of the log is in force.
    fn replay_record(&mut self, record: Record, offset: Offset) {
        match record {
            Record::Snapshot(key, None) => {
                self.last = offset;
                self.kept.remove(&key);
            }
            Record::Snapshot(key, Some(snapshot)) => {
                self.last = offset;
                let state = State::from(snapshot);
                let before = self.kept.remove(&key);
                let most = |now: i32, before: Option<i32>| before.map_or(now, |then| then.max(now));
                let updates = before.as_ref().map_or(0, |kept| kept.updates);
                let full = updates >= self.rules.updates_per_snapshot;
                let kept = Kept {
                    leader_epoch_max: most(
                        state.leader_epoch,
                        before.as_ref().map(|kept| kept.leader_epoch_max),
                    ),
                    state_epoch_max: most(
                        state.state_epoch,
                        before.as_ref().map(|kept| kept.state_epoch_max),
                    ),
                    updates: if full { 0 } else { updates },
                    snapshot: offset,
                    state,
                };
                self.kept.insert(key, kept);
            }
            Record::Update(key, update) => self.replay_update(&key, update, offset),
            Record::Unknown(_) => {}
        }
    }

    fn replay_update(&mut self, key: &Key, update: UpdateValue, offset: Offset) {
        // The snapshot before it may have been pruned by Kafka together with its share partition.
        let kept = self.kept.entry(key.clone()).or_insert_with(|| Kept {
            state: State {
                snapshot_epoch: update.snapshot_epoch,
                state_epoch: 0,
                leader_epoch: update.leader_epoch,
                start_offset: update.start_offset,
                delivery_complete_count: update.delivery_complete_count,
                create_timestamp: 0,
                write_timestamp: 0,
                batches: Vec::new(),
            },
            leader_epoch_max: update.leader_epoch,
            state_epoch_max: 0,
            updates: 0,
            snapshot: offset,
        });
        let state = &mut kept.state;
        state.start_offset = or(update.start_offset, state.start_offset);
        state.leader_epoch =
            if update.leader_epoch == -1 { state.leader_epoch } else { update.leader_epoch };
        state.delivery_complete_count = update.delivery_complete_count;
        state.batches = combine(&state.batches, &update.state_batches, state.start_offset);
        kept.leader_epoch_max = kept.leader_epoch_max.max(update.leader_epoch);
        kept.updates = kept.updates.saturating_add(1);
    }

    /// Below it no record is of use, when all that was appended is durable.
    fn obsolete(&self) -> Offset {
        self.kept.values().map(|kept| kept.snapshot).min().unwrap_or(self.last)
    }

    /// State whose last snapshot is old is written anew, so that what lies before it can go; unless all of it is as old as that.
    fn snapshot_cold(&self, now: Now, out: &mut Effects<ShareCoordinator>) {
        let is_cold = |kept: &Kept| kept.state.create_timestamp != kept.state.write_timestamp;
        if self.kept.values().all(is_cold) {
            return;
        }
        let after = i64::try_from(self.rules.cold_after_ms).unwrap_or(i64::MAX);
        for (key, kept) in &self.kept {
            if now.wall_ms.saturating_sub(kept.state.write_timestamp) < after {
                continue;
            }
            let mut state = kept.state.clone();
            state.snapshot_epoch = next(state.snapshot_epoch);
            state.write_timestamp = now.wall_ms;
            // Each is a batch of its own: together they might be too large for the log.
            out.write(vec![Record::Snapshot(key.clone(), Some(state.into()))], Then::Nothing);
        }
    }

    /// State of topics that are no more goes.
    fn forget(&self, gone: impl Fn(Uuid) -> bool, out: &mut Effects<ShareCoordinator>) {
        let gone: Vec<&Key> = self.kept.keys().filter(|key| gone(key.topic)).collect();
        for keys in gone.chunks(TOMBSTONES_A_BATCH) {
            let tombstone = |key: &&Key| Record::Snapshot((*key).clone(), None);
            out.write(keys.iter().map(tombstone).collect(), Then::Nothing);
        }
    }

    fn set_timers(&mut self, now: Now) {
        let after = |at: &mut Option<u64>, ms: u64| {
            at.get_or_insert(now.ticks.saturating_add(ms));
        };
        after(&mut self.prune_at, self.rules.prune_every_ms);
        after(&mut self.look_at, self.rules.cold_after_ms);
    }
}

/// `now`, unless it is -1.
fn or(now: i64, before: i64) -> i64 {
    if now == -1 { before } else { now }
}

/// The epoch after this one. There are more of them than a disk holds.
fn next(epoch: i32) -> i32 {
    epoch.saturating_add(1)
}

fn summary(kept: Option<&Kept>) -> Summary {
    let none =
        Summary { state_epoch: 0, leader_epoch: 0, start_offset: -1, delivery_complete_count: -1 };
    kept.map_or(none, |Kept { state, .. }| Summary {
        state_epoch: state.state_epoch,
        leader_epoch: state.leader_epoch,
        start_offset: state.start_offset,
        delivery_complete_count: state.delivery_complete_count,
    })
}

impl Machine for ShareCoordinator {
    type Request = StateRequest;
    type Answer = StateAnswer;
    type Record = Record;
    type Then = Then;

    const TOPIC: &'static str = TOPIC;

    fn new(config: &Config, image: Arc<Image>) -> ShareCoordinator {
        ShareCoordinator::of(config.share_state.rules(), image)
    }

    fn storing(config: &Config) -> (Codec, usize) {
        (config.share_state.codec, config.share_state.load_bytes)
    }

    fn replay(
        &mut self,
        _: Now,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        producer: Option<i64>,
        offset: Offset,
    ) -> Result<(), String> {
        if producer.is_some() {
            return Err("a transaction writes share state".to_owned());
        }
        let record = Record::decode(key, value).map_err(|error| error.to_string())?;
        if let Record::Unknown(kind) = record {
            let offset = offset.0;
            tracing::warn!(
                offset,
                kind,
                "a record of __share_group_state of a type that Kafka 4.3 does not have is ignored"
            );
        }
        self.replay_record(record, offset);
        Ok(())
    }

    fn replay_marker(&mut self, _: i64, _: bool) {}

    fn loaded(&mut self, now: Now, out: &mut Effects<ShareCoordinator>) {
        // Topics that were deleted while the partition was loaded.
        let image = Arc::clone(&self.image);
        self.forget(|topic| image.topic(TopicId(topic)).is_none(), out);
        self.set_timers(now);
    }

    fn handle(
        &mut self,
        now: Now,
        request: StateRequest,
        waiter: Waiter,
        out: &mut Effects<ShareCoordinator>,
    ) {
        let (answer, record) = self.plan(now, &request.key, request.ask);
        // Without a record it waits for those before it: what is told is durable.
        out.write(record.into_iter().collect(), Then::Answer(waiter, answer));
    }

    fn appended(
        &mut self,
        _: Now,
        write: &Write<ShareCoordinator>,
        base: Offset,
        _: &mut Effects<ShareCoordinator>,
    ) {
        for (offset, record) in (base.0..).zip(&write.records) {
            self.replay_record(record.clone(), Offset(offset));
        }
    }

    fn written(
        &mut self,
        _: Now,
        then: Then,
        outcome: Result<(), Unserved>,
        out: &mut Effects<ShareCoordinator>,
    ) {
        match (then, outcome) {
            // What was not written is tried again at the next look.
            (Then::Nothing, _) | (Then::Prune(_), Err(_)) => {}
            (Then::Prune(offset), Ok(())) => out.obsolete = Some(offset),
            (Then::Answer(waiter, answer), Ok(())) => out.answer(waiter, answer),
            (Then::Answer(waiter, answer), Err(why)) => out.answer(waiter, answer.unwritten(why)),
        }
    }

    fn encode(record: &Record) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        record.encode()
    }

    fn next_timer(&self) -> Option<u64> {
        self.prune_at.into_iter().chain(self.look_at).min()
    }

    fn fire(&mut self, now: Now, out: &mut Effects<ShareCoordinator>) {
        if self.look_at.take_if(|at| *at <= now.ticks).is_some() {
            self.snapshot_cold(now, out);
        }
        if self.prune_at.take_if(|at| *at <= now.ticks).is_some() {
            out.write(Vec::new(), Then::Prune(self.obsolete()));
        }
        self.set_timers(now);
    }

    fn configured(&mut self, config: &Config, image: Arc<Image>, _: &Delta) {
        self.rules = config.share_state.rules();
        self.image = image;
    }

    fn topics_deleted(
        &mut self,
        deleted: &[(ByteString, Uuid)],
        out: &mut Effects<ShareCoordinator>,
    ) {
        self.forget(|topic| deleted.iter().any(|(_, id)| *id == topic), out);
    }

    fn resign(&mut self, _: &mut Effects<ShareCoordinator>) {
        // Who waits finds that the host is gone.
    }

    fn refused(request: &StateRequest, why: Unserved) -> StateAnswer {
        request.ask.refused(why.into())
    }
}

#[cfg(test)]
mod tests;
