//! The steps of a seed, but for what members say of their records.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::super::planted::Bug;
use super::super::{Change, Limits, Member, Partition, ReadBatch, StoredState, Want};
use super::counts::Counts;
use super::store::Store;

/// What is known of one record.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) holder: Option<(usize, Duration)>,
    /// Something was said of it that is not stored yet: the change, and who had it.
    pub(super) pending: Option<(u64, Option<(usize, Duration)>)>,
    pub(super) deliveries: i16,
    /// It was told that it is done with.
    pub(super) done: bool,
    /// It may be done with: the store may have heard of it.
    pub(super) may_be_done: bool,
}

pub(super) struct World {
    pub(super) random: SmallRng,
    pub(super) bug: Option<Bug>,
    pub(super) partition: Partition,
    pub(super) limits: Limits,
    pub(super) members: Vec<Member>,
    pub(super) now: Duration,
    /// Batches of the log, in order; compaction removes some.
    pub(super) log: Vec<ReadBatch>,
    pub(super) log_start: i64,
    pub(super) log_end: i64,
    pub(super) records: BTreeMap<i64, Record>,
    pub(super) store: Store,
    pub(super) writes: VecDeque<Change>,
    pub(super) counts: Counts,
}

pub(super) type Checked = Result<(), String>;

pub(super) fn check(is: bool, what: impl FnOnce() -> String) -> Checked {
    if is { Ok(()) } else { Err(what()) }
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>) -> World {
        let mut random = SmallRng::seed_from_u64(seed);
        let limits = Limits {
            in_flight_max: random.random_range(5..60),
            deliveries_max: random.random_range(2..6),
            lock: Duration::from_millis(random.random_range(5..40)),
            renewable: random.random(),
        };
        let mut world = World {
            random,
            bug,
            partition: Partition::empty(limits, 0),
            limits,
            members: ["a", "b", "c"].map(Member::from).to_vec(),
            now: Duration::from_secs(1),
            log: Vec::new(),
            log_start: 0,
            log_end: 0,
            records: BTreeMap::new(),
            store: Store::default(),
            writes: VecDeque::new(),
            counts: Counts::default(),
        };
        world.partition.planted = bug;
        world
    }

    pub(super) fn step(&mut self) -> Checked {
        match self.random.random_range(0..100) {
            0..14 => self.append(),
            14..40 => self.acquire()?,
            40..64 => self.acknowledge()?,
            64..68 => self.release(),
            68..78 => self.pass_time()?,
            78..92 => self.store_some()?,
            92..94 => self.crash()?,
            94..96 => self.compact(),
            96..97 => self.cut(),
            97..98 => {
                self.limits.deliveries_max = self.random.random_range(2..6);
                self.partition.set_limits(self.limits);
            }
            _ => self.acknowledge_badly()?,
        }
        self.is_whole()
    }

    fn append(&mut self) {
        for _ in 0..self.random.random_range(1..4) {
            let first = self.log_end;
            let last = first + self.random.random_range(0..9);
            let hidden = self.random.random_bool(0.1);
            self.log.push(ReadBatch { first, last, hidden });
            if !hidden {
                self.records.extend((first..=last).map(|offset| (offset, Record::default())));
            }
            self.log_end = last + 1;
        }
    }

    /// What a fetch from `from` reads: the batch that holds it, and some behind.
    fn read(&mut self, from: i64, many: bool) -> Vec<ReadBatch> {
        let count = if many { 100 } else { self.random.random_range(1..6) };
        self.log.iter().filter(|batch| batch.last >= from).take(count).copied().collect()
    }

    fn acquire(&mut self) -> Checked {
        let member = self.random.random_range(0..self.members.len());
        let want = Want {
            records_max: self.random.random_range(1..20),
            strict: self.random.random(),
            entry_records: self.random.random_range(1..12),
        };
        self.acquire_as(member, want, false).map(drop)
    }

    pub(super) fn acquire_as(
        &mut self,
        member: usize,
        want: Want,
        many: bool,
    ) -> Result<Vec<i64>, String> {
        let from = self.partition.next_fetch_offset();
        check(from <= self.log_end, || {
            format!("it reads from {from}, and the log ends at {}", self.log_end)
        })?;
        let batches = self.read(from, many);
        let (start, end) = (self.partition.start(), self.partition.end());
        let given =
            self.partition.acquire(&self.members[member].clone(), from, &batches, want, self.now);
        let mut offsets = Vec::new();
        for entry in &given {
            for offset in entry.first..=entry.last {
                check(offsets.last().is_none_or(|last| *last < offset), || {
                    format!("{offset} is given twice or out of order")
                })?;
                offsets.push(offset);
                let Some(record) = self.records.get_mut(&offset) else {
                    return Err(format!("{offset} is given, which is no record for members"));
                };
                check(record.holder.is_none() && record.pending.is_none(), || {
                    format!("{offset} is given to {member}, and another has it: {record:?}")
                })?;
                check(!record.done, || format!("{offset} is given, and was done with"))?;
                record.deliveries += 1;
                check(record.deliveries == entry.deliveries, || {
                    format!("{offset} is given as delivery {}: {record:?}", entry.deliveries)
                })?;
                // A limit that is lowered later does not take back what is available.
                check(entry.deliveries <= 5, || {
                    format!("{offset} is delivered {} times", entry.deliveries)
                })?;
                record.holder = Some((member, self.now + self.limits.lock));
                self.counts.again += usize::from(entry.deliveries > 1);
            }
        }
        let count = i64::try_from(offsets.len()).expect("few");
        check(!want.strict || count <= i64::from(want.records_max), || {
            format!("{count} records are given, of {}", want.records_max)
        })?;
        let new = offsets.iter().find(|offset| **offset >= end);
        check(new.is_none_or(|new| new - start < self.limits.in_flight_max), || {
            format!("{new:?} is given, and {start} is in flight")
        })?;
        self.counts.acquired += offsets.len();
        Ok(offsets)
    }

    fn release(&mut self) {
        let member = self.random.random_range(0..self.members.len());
        let change = self.partition.release_member(&self.members[member].clone());
        for offset in self.held_by(member) {
            let record = self.records.get_mut(&offset).expect("it is held");
            record.pending = change.as_ref().map(|change| (change.id, record.holder.take()));
        }
        self.writes.extend(change);
    }

    fn pass_time(&mut self) -> Checked {
        self.now += Duration::from_millis(self.random.random_range(0..15));
        self.expire()
    }

    pub(super) fn expire(&mut self) -> Checked {
        let next = self.partition.next_expiry();
        let change = self.partition.expire(self.now);
        let mut expired = 0;
        for record in self.records.values_mut() {
            if let Some((_, until)) = record.holder
                && until <= self.now
            {
                check(next.is_some_and(|next| next <= until), || {
                    format!("a lock ran out at {until:?}, and {next:?} was said")
                })?;
                record.holder = None;
                // Nobody was answered, but it may stay so.
                record.may_be_done |= record.deliveries >= self.limits.deliveries_max;
                expired += 1;
            }
        }
        check((expired > 0) == change.is_some(), || {
            format!("{expired} locks ran out, and {change:?} is to be stored")
        })?;
        self.counts.expired += expired;
        self.writes.extend(change);
        Ok(())
    }

    /// The oldest changes reach the store, in one write, or do not, or do and the answer says that they did not.
    fn store_some(&mut self) -> Checked {
        let count = self.random.random_range(1..4).min(self.writes.len());
        let changes: Vec<Change> = self.writes.drain(..count).collect();
        let (reaches, answer) = match self.random.random_range(0..10) {
            0 => (false, false),
            1 => (true, false),
            _ => (true, true),
        };
        self.counts.together += usize::from(count > 1);
        self.store_as(&changes, reaches, answer)
    }

    pub(super) fn store_as(&mut self, changes: &[Change], reaches: bool, answer: bool) -> Checked {
        for change in changes {
            check(change.start >= self.store.start, || {
                format!("the start goes back in {change:?}")
            })?;
        }
        if reaches {
            self.store.write(changes);
            if self.random.random_bool(0.1) {
                // The leader has asked again, for the first answer was lost.
                self.store.write(changes);
            }
        }
        for change in changes {
            self.partition.written(change.id, answer);
            self.heard(change, reaches, answer);
        }
        Ok(())
    }

    fn heard(&mut self, change: &Change, reaches: bool, answer: bool) {
        self.counts.failed += usize::from(!answer);
        for batch in &change.batches {
            for offset in batch.first..=batch.last {
                let Some(record) = self.records.get_mut(&offset) else { continue };
                let Some((_, holder)) = record.pending.take_if(|(id, _)| *id == change.id) else {
                    continue;
                };
                let done = batch.state != StoredState::Available;
                if answer {
                    record.done |= done;
                    self.counts.archived_at_limit +=
                        usize::from(batch.state == StoredState::Archived && batch.deliveries >= 2);
                } else {
                    record.holder = holder;
                }
                record.may_be_done |= reaches && done;
            }
        }
    }

    /// Of the changes on their way some reach the store, in their order, and nobody hears of it.
    fn crash(&mut self) -> Checked {
        self.counts.crashes += 1;
        let reach = self.random.random_range(0..=self.writes.len());
        for change in std::mem::take(&mut self.writes).into_iter().take(reach) {
            self.store.write(std::slice::from_ref(&change));
            for batch in &change.batches {
                for (_, record) in self.records.range_mut(batch.first..=batch.last) {
                    record.may_be_done |= batch.state != StoredState::Available;
                }
            }
        }
        let mut partition = Partition::empty(self.limits, self.store.start);
        partition.planted = self.bug;
        partition
            .load(&self.store.batches())
            .map_err(|contradiction| format!("it does not load: {contradiction:?}"))?;
        partition.log_starts_at(self.log_start);
        self.partition = partition;
        for (offset, record) in &mut self.records {
            (record.holder, record.pending) = (None, None);
            record.deliveries =
                self.store.records.get(offset).map_or(0, |(_, deliveries)| *deliveries);
        }
        Ok(())
    }

    /// Some batches go, never the newest, nor anything that somebody has.
    fn compact(&mut self) {
        let keep = self.log.len().saturating_sub(1);
        let mut at = 0;
        let (random, records) = (&mut self.random, &mut self.records);
        self.log.retain(|batch| {
            at += 1;
            let held = records
                .range(batch.first..=batch.last)
                .any(|(_, record)| record.holder.is_some() || record.pending.is_some());
            let keeps = at > keep || held || random.random_bool(0.8);
            if !keeps {
                for offset in batch.first..=batch.last {
                    records.remove(&offset);
                }
            }
            keeps
        });
    }

    fn cut(&mut self) {
        let Some(batch) = self.log.get(self.log.len() / 4) else { return };
        self.log_start = batch.first;
        self.log.retain(|batch| batch.first >= self.log_start);
        self.records = self.records.split_off(&self.log_start);
        self.partition.log_starts_at(self.log_start);
    }
}
