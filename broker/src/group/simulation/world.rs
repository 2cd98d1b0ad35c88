//! The world of one seed: a clock, a log, a coordinator, its clients, and what may happen to them.

use std::collections::{HashMap, HashSet, VecDeque};

use bytestring::ByteString;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::checks::{self, Promises};
use super::client::{Client, PARTITIONS, Phase, Place, TOPICS};
use crate::group::message::{DeleteOffsets, Fetch, GroupAnswer, GroupRequest};
use crate::group::planted::Bug;
use crate::group::records::{OffsetKey, Record};
use crate::group::{Coordinator, Effects, Now, Refusal, Rules, Then, Waiter};

const GROUPS: [&str; 2] = ["a", "b"];
const CLIENTS: usize = 6;

/// How often things happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub generations: usize,
    pub commits: usize,
    pub crashes: usize,
    pub refused_appends: usize,
    pub replaced: usize,
    pub deleted_groups: usize,
    pub deleted_offsets: usize,
    pub expired: usize,
    pub lost_answers: usize,
}

impl Counts {
    fn all(&mut self) -> [&mut usize; 9] {
        [
            &mut self.generations,
            &mut self.commits,
            &mut self.crashes,
            &mut self.refused_appends,
            &mut self.replaced,
            &mut self.deleted_groups,
            &mut self.deleted_offsets,
            &mut self.expired,
            &mut self.lost_answers,
        ]
    }

    pub(super) fn add(&mut self, other: &Counts) {
        let mut other = other.clone();
        for (ours, theirs) in self.all().into_iter().zip(other.all()) {
            *ours += *theirs;
        }
    }

    pub(super) fn is_everything_used(&self) -> bool {
        self.clone().all().into_iter().all(|count| *count > 0)
    }
}

/// Who asked, and what.
enum Asked {
    Client(usize, GroupRequest),
    /// An administrator, or a client that no longer listens.
    Nobody(GroupRequest),
}

pub(super) struct World {
    rng: SmallRng,
    now: Now,
    bug: Option<Bug>,
    coordinator: Coordinator,
    log: Vec<Record>,
    /// Records that no crash takes away.
    durable: usize,
    /// The end of each write in the log, and what follows it.
    appended: VecDeque<(usize, Then)>,
    /// Groups whose last record could not be written.
    unwritten: HashSet<ByteString>,
    clients: Vec<Client>,
    asked: HashMap<Waiter, Asked>,
    /// Requests under way whose clients have given up.
    late: Vec<GroupRequest>,
    /// The request that each client sent last.
    latest: [Waiter; CLIENTS],
    next_number: u64,
    /// When an offset was last deleted: the number of the last request then.
    taken_back: HashMap<OffsetKey, Waiter>,
    promises: Promises,
    /// Faults happen.
    troubled: bool,
    pub counts: Counts,
}

fn rules() -> Rules {
    Rules {
        initial_delay_ms: 300,
        size_max: 4,
        metadata_max: 10,
        retention_ms: 60_000,
        expiry_every_ms: 30_000,
    }
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>) -> World {
        let mut rng = SmallRng::seed_from_u64(seed);
        let now = Now { wall_ms: 1_000_000, ticks: 5 };
        let client = |number| Client {
            number,
            group: GROUPS[number % GROUPS.len()].into(),
            instance: rng.random_bool(0.4).then(|| format!("i{number}").into()),
            member_id: ByteString::new(),
            reads: rng.random_range(1..=TOPICS.len()),
            joined_with: 0,
            assigned_with: 0,
            phase: Phase::Out,
            waits: false,
        };
        let clients = (0..CLIENTS).map(client).collect();
        let mut world = World {
            coordinator: Coordinator::new(rules()),
            rng,
            now,
            bug,
            log: Vec::new(),
            durable: 0,
            appended: VecDeque::new(),
            unwritten: HashSet::new(),
            clients,
            asked: HashMap::new(),
            late: Vec::new(),
            latest: [0; CLIENTS],
            next_number: 0,
            taken_back: HashMap::new(),
            promises: Promises::default(),
            troubled: true,
            counts: Counts::default(),
        };
        world.coordinator.planted = bug;
        let mut out = Effects::default();
        world.coordinator.loaded(now, &mut out);
        world
    }

    /// One thing happens.
    pub(super) fn step(&mut self) -> Result<(), String> {
        match self.rng.random_range(0..100) {
            0..40 => (0..CLIENTS).try_for_each(|number| match self.rng.random_bool(0.5) {
                true => self.act(number),
                false => Ok(()),
            }),
            40..55 => self.arrive_late(),
            55..75 => self.confirm(),
            75..90 => {
                let ms = *[10, 100, 400, 2_000, 7_000].get(self.rng.random_range(0..5)).unwrap();
                self.pass(ms)
            }
            90..92 => {
                let ms = self.rng.random_range(30_000..90_000);
                self.pass(ms)
            }
            92..94 => self.disturb(),
            94..97 => self.administrate(),
            97..99 => self.crash(),
            _ => self.compare(),
        }
    }

    /// The faults end: everybody gets a place, and every partition an owner.
    pub(super) fn come_to_rest(&mut self) -> Result<(), String> {
        self.troubled = false;
        for _ in 0..200 {
            for number in 0..self.clients.len() {
                let client = &mut self.clients[number];
                if matches!(client.phase, Phase::Gone) {
                    client.start_anew();
                }
                self.act(number)?;
            }
            while !self.appended.is_empty() {
                self.confirm()?;
            }
            self.pass(800)?;
            if self.is_at_rest() {
                break;
            }
        }
        if !self.is_at_rest() {
            let phases: Vec<_> =
                self.clients.iter().map(|c| (c.number, &c.phase, c.waits)).collect();
            return Err(format!("no rest: {phases:?}; {:?}", self.coordinator.groups));
        }
        self.compare()?;
        self.crash()
    }

    fn is_at_rest(&self) -> bool {
        GROUPS.iter().all(|group| {
            let members = || self.clients.iter().filter(|client| &*client.group == *group);
            let mut generations: Vec<_> = members().map(Client::settled).collect();
            generations.dedup();
            let reads = members().map(|client| client.reads).max().unwrap_or(0);
            let owned = |place: Place| {
                let owns = |client: &&Client| match &client.phase {
                    Phase::Reading { positions, .. } => positions.contains_key(&place),
                    _ => false,
                };
                members().filter(owns).count() == 1
            };
            let all = TOPICS[..reads].iter();
            let mut all = all.flat_map(|topic| (0..PARTITIONS).map(move |p| (*topic, p)));
            matches!(generations[..], [Some(_)]) && all.all(owned)
        }) && self.asked.is_empty()
    }

    /// A client sends what it has to send. One that waits may lose patience, as after a lost connection.
    fn act(&mut self, number: usize) -> Result<(), String> {
        if self.clients[number].waits {
            if self.troubled && self.rng.random_bool(0.05) {
                self.clients[number].waits = false;
                self.counts.lost_answers += 1;
            }
            return Ok(());
        }
        let commits = self.rng.random_bool(if self.troubled { 0.6 } else { 0.1 });
        self.next_number += 1;
        let name = self.clients[number].instance.clone().unwrap_or_else(|| "client".into());
        let new_id = format!("{name}-{}", self.next_number).into();
        if commits {
            self.clients[number].read_on();
        }
        let Some(request) = self.clients[number].next(new_id, commits) else { return Ok(()) };
        let client = &mut self.clients[number];
        client.waits = true;
        if matches!(request, GroupRequest::Join(_)) {
            client.joined_with = client.reads;
        }
        if self.troubled && self.rng.random_bool(0.03) {
            // It arrives when its client has long given up.
            client.waits = false;
            self.late.push(request);
            return Ok(());
        }
        self.ask(Asked::Client(number, request.clone()), request)
    }

    /// A request arrives that nobody waits for. A commit of the generation that still is would go back behind a newer one, as it may.
    fn arrive_late(&mut self) -> Result<(), String> {
        let Some(request) = self.late.pop() else { return Ok(()) };
        if let GroupRequest::Commit(commit) = &request
            && let Some(group) = self.coordinator.groups.get(&commit.group)
            && group.generation == commit.generation
        {
            self.late.insert(0, request);
            return Ok(());
        }
        self.ask(Asked::Nobody(request.clone()), request)
    }

    fn ask(&mut self, asked: Asked, request: GroupRequest) -> Result<(), String> {
        self.next_number += 1;
        let waiter = self.next_number;
        if let Asked::Client(number, _) = &asked {
            self.latest[*number] = waiter;
        }
        self.asked.insert(waiter, asked);
        let mut out = Effects::default();
        self.coordinator.handle(self.now, request, waiter, &mut out);
        self.carry_out(out)
    }

    fn carry_out(&mut self, mut out: Effects) -> Result<(), String> {
        loop {
            for (waiter, answer) in std::mem::take(&mut out.answers) {
                self.answer(waiter, &answer)?;
            }
            let writes = std::mem::take(&mut out.writes);
            if writes.is_empty() {
                return Ok(());
            }
            for write in writes {
                let group = checks::group_of(&write.then, &write.records);
                if write.records.is_empty() && self.appended.is_empty() {
                    self.coordinator.written(self.now, write.then, Ok(()), &mut out);
                } else if !write.records.is_empty() && self.troubled && self.rng.random_bool(0.03) {
                    self.counts.refused_appends += 1;
                    self.unwritten.extend(group);
                    self.coordinator.written(
                        self.now,
                        write.then,
                        Err(Refusal::NotAvailable),
                        &mut out,
                    );
                } else {
                    self.commits_in_its_generation(&write.then)?;
                    self.count(&write.records);
                    for record in &write.records {
                        self.promises.appended(record)?;
                        if let Record::Offset(key, None) = record {
                            self.taken_back.insert(key.clone(), self.next_number);
                        }
                    }
                    self.coordinator.appended(self.now, &write);
                    self.log.extend(write.records);
                    group.iter().for_each(|group| {
                        self.unwritten.remove(group);
                    });
                    self.appended.push_back((self.log.len(), write.then));
                }
            }
        }
    }

    /// A member's commit is taken in the generation that it names only.
    fn commits_in_its_generation(&self, then: &Then) -> Result<(), String> {
        let Then::Answer(waiter, _) = then else { return Ok(()) };
        let asked = self.asked.get(waiter);
        let Some(
            Asked::Client(_, GroupRequest::Commit(commit))
            | Asked::Nobody(GroupRequest::Commit(commit)),
        ) = asked
        else {
            return Ok(());
        };
        let generation = self.coordinator.groups.get(&commit.group).map(|group| group.generation);
        match generation == Some(commit.generation) {
            true => Ok(()),
            false => Err(format!(
                "a commit of generation {} was taken in generation {generation:?}",
                commit.generation
            )),
        }
    }

    fn count(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Group(_, None) => self.counts.deleted_groups += 1,
                Record::Offset(_, None) => self.counts.deleted_offsets += 1,
                Record::Offset(_, Some(_)) => self.counts.commits += 1,
                Record::Group(_, Some(value)) if !value.members.is_empty() => {
                    self.counts.generations += 1;
                }
                _ => {}
            }
        }
    }

    /// The first write that is not durable becomes so.
    fn confirm(&mut self) -> Result<(), String> {
        let Some((end, then)) = self.appended.pop_front() else { return Ok(()) };
        self.durable = self.durable.max(end);
        self.counts.replaced += usize::from(matches!(then, Then::Replaced(_)));
        let mut out = Effects::default();
        self.coordinator.written(self.now, then, Ok(()), &mut out);
        self.carry_out(out)
    }

    fn answer(&mut self, waiter: Waiter, answer: &GroupAnswer) -> Result<(), String> {
        let asked = self.asked.remove(&waiter);
        let Some(asked) = asked else {
            return Err(format!("{waiter} was answered twice: {answer:?}"));
        };
        let number = match asked {
            Asked::Client(number, request) => {
                self.record_promises(waiter, &request, answer)?;
                number
            }
            Asked::Nobody(request) => return self.record_promises(waiter, &request, answer),
        };
        // A client that has sent something else since does not hear this.
        if self.latest[number] == waiter && self.clients[number].waits {
            self.clients[number].answered(answer);
        }
        Ok(())
    }

    fn record_promises(
        &mut self,
        waiter: Waiter,
        request: &GroupRequest,
        answer: &GroupAnswer,
    ) -> Result<(), String> {
        match (request, answer) {
            (GroupRequest::Sync(sync), GroupAnswer::Sync(Ok(assigned))) => {
                let deleted = |record: &&Record| matches!(record, Record::Group(group, None) if *group == sync.group);
                let life = self.log.iter().filter(deleted).count();
                let owner = sync.instance.as_ref().unwrap_or(&sync.member_id);
                let (group, assignment) = (&sync.group, &assigned.assignment);
                self.promises.assigned(group, life, sync.generation, owner, assignment)
            }
            (GroupRequest::Commit(commit), answer) if checks::acknowledged(answer) => {
                for topic in &commit.topics {
                    for partition in &topic.partitions {
                        let key = OffsetKey {
                            group: commit.group.clone(),
                            topic: topic.name.clone(),
                            partition: partition.partition,
                        };
                        self.promise(waiter, key, partition.offset);
                    }
                }
                Ok(())
            }
            (GroupRequest::Fetch(fetch), GroupAnswer::Fetch(Ok(topics))) => {
                for topic in topics {
                    for (partition, committed) in &topic.partitions {
                        if let Ok(Some(committed)) = committed {
                            let key = OffsetKey {
                                group: fetch.group.clone(),
                                topic: topic.name.clone(),
                                partition: *partition,
                            };
                            self.promise(waiter, key, committed.offset);
                        }
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An offset that was taken back between the request and its answer is not promised.
    fn promise(&mut self, waiter: Waiter, key: OffsetKey, offset: i64) {
        if self.taken_back.get(&key).is_none_or(|at| *at < waiter) {
            self.promises.promise(key, offset);
        }
    }

    fn pass(&mut self, ms: u64) -> Result<(), String> {
        self.now.ticks += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap();
        let before = self.counts.deleted_offsets;
        let mut out = Effects::default();
        self.coordinator.fire(self.now, &mut out);
        self.carry_out(out)?;
        self.counts.expired += self.counts.deleted_offsets - before;
        Ok(())
    }

    /// A client falls silent, comes back, leaves, or changes what it reads.
    fn disturb(&mut self) -> Result<(), String> {
        let number = self.rng.random_range(0..self.clients.len());
        match self.rng.random_range(0..4) {
            0 => self.clients[number].phase = Phase::Gone,
            1 => self.clients[number].start_anew(),
            2 if !self.clients[number].member_id.is_empty() => {
                let leave = self.clients[number].leave();
                self.clients[number].start_anew();
                return self.ask(Asked::Nobody(leave.clone()), leave);
            }
            _ => {
                let client = &mut self.clients[number];
                if client.settled().is_some() {
                    client.reads = 3 - client.reads;
                }
            }
        }
        Ok(())
    }

    fn administrate(&mut self) -> Result<(), String> {
        let group: ByteString = GROUPS[self.rng.random_range(0..GROUPS.len())].into();
        let request = match self.rng.random_range(0..6) {
            0 => GroupRequest::Delete(vec![group]),
            1 => {
                let topics = vec![(TOPICS[1].into(), (0..PARTITIONS).collect())];
                GroupRequest::DeleteOffsets(DeleteOffsets { group, topics })
            }
            2 => GroupRequest::Describe(vec![group]),
            _ => GroupRequest::Fetch(Fetch { group, topics: None, stable: true }),
        };
        self.ask(Asked::Nobody(request.clone()), request)
    }

    /// The coordinator is loaded from what the crash left of the log: all that was durable, perhaps more.
    fn crash(&mut self) -> Result<(), String> {
        self.counts.crashes += 1;
        let kept = self.rng.random_range(self.durable..=self.log.len());
        // A batch is there, or is not.
        let ends = self.appended.iter().map(|(end, _)| *end).filter(|end| *end <= kept);
        let kept = ends.max().unwrap_or(self.durable).max(self.durable);
        self.log.truncate(kept);
        self.durable = kept;
        self.appended.clear();
        self.asked.clear();
        self.unwritten.clear();
        self.clients.iter_mut().for_each(|client| client.waits = false);
        let fresh = self.fresh();
        self.coordinator = checks::replayed(fresh, &self.log, self.now);
        self.promises.kept(&self.coordinator)?;
        let mut out = Effects::default();
        self.coordinator.loaded(self.now, &mut out);
        self.carry_out(out)
    }

    fn fresh(&self) -> Coordinator {
        let mut fresh = Coordinator::new(rules());
        fresh.planted = self.bug;
        fresh
    }

    fn compare(&mut self) -> Result<(), String> {
        let replayed = checks::replayed(self.fresh(), &self.log, self.now);
        checks::equal(&self.coordinator, &replayed, |group| self.unwritten.contains(group))
    }
}
