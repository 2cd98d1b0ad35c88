//! The world of one seed: a clock, a log, a coordinator, its clients, and what may happen to them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use storage::units::TopicId;
use uuid::Uuid;

use super::checks::{self, Promises};
use super::client::{Client, PARTITIONS, Phase, Place, SESSION_MS, TOPICS};
use crate::group::consumer::assign::Assignor;
use crate::group::consumer::protocol::{self, Subscription};
use crate::group::message::{Commit, DeleteOffsets, Fetch, GroupAnswer, GroupRequest};
use crate::group::planted::Bug;
use crate::group::records::{ConsumerRecord, OffsetKey, Record};
use crate::group::{ConsumerRules, Coordinator, Effects, Now, Refusal, Rules, Then, Waiter};
use crate::metadata::image::tests::{replayed, topic};
use crate::metadata::image::{Delta, Image};

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
    /// Steps of members of consumer groups.
    pub steps: usize,
    pub upgrades: usize,
    pub downgrades: usize,
    pub grown: usize,
}

impl Counts {
    fn all(&mut self) -> [&mut usize; 13] {
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
            &mut self.steps,
            &mut self.upgrades,
            &mut self.downgrades,
            &mut self.grown,
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
    image: Arc<Image>,
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
    /// For each SyncGroup, which life of its group it is for.
    lives: HashMap<Waiter, usize>,
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
        consumer: ConsumerRules {
            session_ms: SESSION_MS,
            heartbeat_ms: 500,
            assignment_interval_ms: 1_000,
            limits: BTreeMap::new(),
            size_max: 4,
            assignors: vec![Assignor::Uniform, Assignor::Range],
            upgrade: true,
            downgrade: true,
            regex_refresh_ms: 60_000,
        },
    }
}

/// Topics with so many partitions, by their place in `TOPICS`.
fn image(partitions: [i32; TOPICS.len()]) -> Arc<Image> {
    let topics = TOPICS.iter().zip(partitions);
    let topics =
        topics.flat_map(|(name, partitions)| topic(id_of(name).as_u128(), name, partitions));
    Arc::new(replayed(topics))
}

pub(super) fn id_of(topic: &str) -> Uuid {
    let at = TOPICS.iter().position(|name| *name == topic).unwrap();
    Uuid::from_u128(1 + at as u128)
}

pub(super) fn topic_of(id: Uuid) -> &'static str {
    TOPICS.into_iter().find(|topic| id_of(topic) == id).unwrap()
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
            is_modern: rng.random_bool(0.4),
            by_regex: rng.random_bool(0.5),
            reads: rng.random_range(1..=TOPICS.len()),
            joined_with: 0,
            assigned_with: 0,
            phase: Phase::Out,
            waits: false,
        };
        let mut clients: Vec<Client> = (0..CLIENTS).map(client).collect();
        clients.iter_mut().for_each(Client::start_anew);
        let image = image([PARTITIONS; TOPICS.len()]);
        let mut world = World {
            coordinator: Coordinator::new(rules(), Arc::clone(&image)),
            image,
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
            lives: HashMap::new(),
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
                if let Phase::Modern(member) = &mut client.phase {
                    member.give_up();
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
            let (classic, consumer) = (&self.coordinator.groups, &self.coordinator.consumers);
            return Err(format!("no rest: {phases:?}; {classic:?}; {consumer:?}"));
        }
        self.compare()?;
        self.crash()
    }

    fn is_at_rest(&self) -> bool {
        GROUPS.iter().all(|group| self.group_is_at_rest(group)) && self.asked.is_empty()
    }

    /// Everybody has a place, all in one generation, and every partition has an owner.
    fn group_is_at_rest(&self, group: &str) -> bool {
        let members = || self.clients.iter().filter(|client| &*client.group == group);
        let mut generations: Vec<_> = members().map(Client::settled).collect();
        generations.dedup();
        let reads = members().map(|client| client.reads).max().unwrap_or(0);
        let owned = |place: Place| {
            let owns =
                |client: &&Client| client.positions().is_some_and(|p| p.contains_key(&place));
            members().filter(owns).count() == 1
        };
        let consumer = self.coordinator.consumers.contains_key(group);
        let partitions = |topic: &str| match consumer {
            true => self
                .image
                .topic_by_name(topic)
                .map_or(0, |t| i32::try_from(t.partitions.len()).unwrap()),
            false => PARTITIONS,
        };
        let mut all = TOPICS[..reads]
            .iter()
            .flat_map(|topic| (0..partitions(topic)).map(move |p| (*topic, p)));
        matches!(generations[..], [Some(_)]) && all.all(owned)
    }

    /// A client sends what it has to send. One that waits may lose patience, as after a lost connection.
    fn act(&mut self, number: usize) -> Result<(), String> {
        if self.clients[number].waits {
            if self.troubled && self.rng.random_bool(0.05) {
                self.clients[number].lose_patience();
                self.counts.lost_answers += 1;
            }
            return Ok(());
        }
        let commits = self.rng.random_bool(if self.troubled { 0.6 } else { 0.1 });
        if let Phase::Modern(member) = &mut self.clients[number].phase
            && self.rng.random_bool(0.6)
        {
            member.give_up();
        }
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
            client.lose_patience();
            self.late.push(request);
            return Ok(());
        }
        self.ask(Asked::Client(number, request.clone()), request)
    }

    /// A request arrives that nobody waits for. A commit of the generation that still is would go back behind a newer one, as it may; and
    /// a member of a consumer group that says again what it had a while ago is believed.
    fn arrive_late(&mut self) -> Result<(), String> {
        let Some(request) = self.late.pop() else { return Ok(()) };
        let consumers = &self.coordinator.consumers;
        match &request {
            GroupRequest::Commit(commit) if self.is_in_its_generation(commit) => {
                self.late.insert(0, request);
                Ok(())
            }
            GroupRequest::Report(_) => Ok(()),
            GroupRequest::Join(join) if consumers.contains_key(&join.group) => Ok(()),
            _ => self.ask(Asked::Nobody(request.clone()), request),
        }
    }

    fn is_in_its_generation(&self, commit: &Commit) -> bool {
        if let Some(group) = self.coordinator.consumers.get(&commit.group) {
            let Some(member) = group.member(&commit.member_id) else { return false };
            let assigned = |topic: Uuid, partition: i32| {
                member.assignment_epoch(topic, partition).is_some_and(|e| e <= commit.generation)
            };
            return commit.generation == member.epoch
                || commit
                    .topics
                    .iter()
                    .all(|topic| topic.partitions.iter().all(|p| assigned(topic.id, p.partition)));
        }
        let group = self.coordinator.groups.get(&commit.group);
        group.is_some_and(|group| group.generation == commit.generation)
    }

    fn ask(&mut self, asked: Asked, request: GroupRequest) -> Result<(), String> {
        self.next_number += 1;
        let waiter = self.next_number;
        if let Asked::Client(number, _) = &asked {
            self.latest[*number] = waiter;
        }
        self.asked.insert(waiter, asked);
        self.given_up(&request);
        if let GroupRequest::Sync(sync) = &request {
            let life = self.life(&sync.group);
            self.lives.insert(waiter, life);
        }
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
                    self.coordinator.appended(self.now, &write, &mut out);
                    checks::one_owner(&self.coordinator)?;
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
        match self.is_in_its_generation(commit) {
            true => Ok(()),
            false => {
                Err(format!("a commit of generation {} was taken: {commit:?}", commit.generation))
            }
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
                Record::Consumer(_, ConsumerRecord::Current(_, Some(_))) => self.counts.steps += 1,
                _ => {}
            }
        }
        let made =
            |record: &Record| matches!(record, Record::Consumer(_, ConsumerRecord::Epoch(Some(_))));
        if let [Record::Group(_, None), rest @ ..] = records
            && rest.iter().filter(|record| made(record)).count() > 1
        {
            self.counts.upgrades += 1;
        }
    }

    /// What a request says that its member has not is its no more.
    fn given_up(&mut self, request: &GroupRequest) {
        match request {
            GroupRequest::Report(report) if report.member_epoch >= 0 => {
                let owns: Vec<Place> = report
                    .owns
                    .iter()
                    .flatten()
                    .flat_map(|(id, partitions)| {
                        let topic = topic_of(*id);
                        partitions.iter().map(move |partition| (topic, *partition))
                    })
                    .collect();
                self.promises.has(&report.group, &report.member_id, &owns);
            }
            GroupRequest::Join(join) => {
                let read: Subscription = protocol::read(&join.protocols[0].1).unwrap();
                assert!(read.owned_partitions.is_empty(), "an eager member has nothing");
                self.promises.has(&join.group, &join.member_id, &[]);
            }
            _ => {}
        }
    }

    /// The first write that is not durable becomes so.
    fn confirm(&mut self) -> Result<(), String> {
        let Some((end, then)) = self.appended.pop_front() else { return Ok(()) };
        self.durable = self.durable.max(end);
        self.counts.replaced += usize::from(matches!(then, Then::Replaced(_)));
        self.counts.downgrades += usize::from(matches!(then, Then::Downgraded { .. }));
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
            self.hear(number, answer)?;
        }
        Ok(())
    }

    /// How often the group was deleted, or became one of the other protocol.
    fn life(&self, of: &ByteString) -> usize {
        let deleted = |record: &&Record| match record {
            Record::Group(group, None) | Record::Consumer(group, ConsumerRecord::Epoch(None)) => {
                group == of
            }
            _ => false,
        };
        self.log.iter().filter(deleted).count()
    }

    fn hear(&mut self, number: usize, answer: &GroupAnswer) -> Result<(), String> {
        let places: Vec<Place> = match answer {
            GroupAnswer::Report(Ok(reported)) => {
                let of = |(id, partitions): &(Uuid, Vec<i32>)| {
                    let topic = topic_of(*id);
                    partitions.iter().map(move |p| (topic, *p)).collect::<Vec<_>>()
                };
                reported.assignment.iter().flatten().flat_map(of).collect()
            }
            GroupAnswer::Sync(Ok(assigned)) => super::client::places(&assigned.assignment),
            _ => Vec::new(),
        };
        let client = &mut self.clients[number];
        client.answered(answer);
        let (group, member) = (client.group.clone(), client.member_id.clone());
        self.promises.told(&self.coordinator, &group, &member, &places)
    }

    fn record_promises(
        &mut self,
        waiter: Waiter,
        request: &GroupRequest,
        answer: &GroupAnswer,
    ) -> Result<(), String> {
        match (request, answer) {
            (GroupRequest::Sync(sync), GroupAnswer::Sync(Ok(assigned))) => {
                let life = self.lives.remove(&waiter).unwrap_or_default();
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
        while self.coordinator.next_timer().is_some_and(|due| due <= self.now.ticks) {
            let mut out = Effects::default();
            self.coordinator.fire(self.now, &mut out);
            self.carry_out(out)?;
        }
        self.counts.expired += self.counts.deleted_offsets - before;
        Ok(())
    }

    /// A client falls silent, comes back, leaves, or changes what it reads.
    fn disturb(&mut self) -> Result<(), String> {
        let number = self.rng.random_range(0..self.clients.len());
        match self.rng.random_range(0..5) {
            0 => self.clients[number].phase = Phase::Gone,
            1 => {
                if self.rng.random_bool(0.5) {
                    self.clients[number].is_modern = !self.clients[number].is_modern;
                }
                self.clients[number].start_anew();
            }
            4 => self.grow(),
            2 if !self.clients[number].member_id.is_empty() => {
                let leave = self.clients[number].leave();
                if self.rng.random_bool(0.5) {
                    self.clients[number].is_modern = !self.clients[number].is_modern;
                }
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

    /// A topic gets another partition.
    fn grow(&mut self) {
        let mut partitions = [PARTITIONS; TOPICS.len()];
        let more = self.rng.random_range(0..TOPICS.len());
        for (at, topic) in TOPICS.iter().enumerate() {
            let has = self.image.topic(TopicId(id_of(topic))).map_or(0, |t| t.partitions.len());
            partitions[at] = i32::try_from(has).unwrap() + i32::from(at == more && has < 5);
        }
        let image = image(partitions);
        let delta = Delta::between(&self.image, &image);
        self.image = Arc::clone(&image);
        self.coordinator.configured(rules(), image, &delta);
        self.counts.grown += 1;
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
            3 => GroupRequest::DescribeConsumers(vec![group]),
            _ => GroupRequest::Fetch(Fetch {
                group,
                member_id: None,
                member_epoch: -1,
                topics: None,
                stable: true,
            }),
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
        self.clients.iter_mut().for_each(Client::lose_patience);
        let fresh = self.fresh();
        self.coordinator = checks::replayed(fresh, &self.log, self.now);
        self.promises.kept(&self.coordinator)?;
        let mut out = Effects::default();
        self.coordinator.loaded(self.now, &mut out);
        self.carry_out(out)
    }

    fn fresh(&self) -> Coordinator {
        let mut fresh = Coordinator::new(rules(), Arc::clone(&self.image));
        fresh.planted = self.bug;
        fresh
    }

    fn compare(&mut self) -> Result<(), String> {
        checks::is_kafkas(self.fresh(), &self.log, self.now)?;
        let replayed = checks::replayed(self.fresh(), &self.log, self.now);
        checks::equal(&self.coordinator, &replayed, |group| self.unwritten.contains(group))?;
        // A place for offsets of which all are gone is in no record.
        let place = |id: &ByteString| {
            let group = self.coordinator.groups.get(id);
            group.is_some_and(|group| group.protocol_type.is_none())
        };
        let replayed = checks::replayed(self.fresh(), &checks::compacted(&self.log), self.now);
        let under_way = |id: &ByteString| self.unwritten.contains(id) || place(id);
        checks::equal(&self.coordinator, &replayed, under_way)
            .map_err(|differs| format!("after compaction: {differs}"))
    }
}
