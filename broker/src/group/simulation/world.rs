//! The world of one seed: a clock, a log, a coordinator, its clients, and what may happen to them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use uuid::Uuid;

use super::checks::{self, Promises};
use super::client::{Client, PARTITIONS, Phase, SESSION_MS, TOPICS};
use super::counts::Counts;
use crate::group::consumer::assign::Assignor;
use crate::group::message::{Commit, GroupRequest};
use crate::group::planted::Bug;
use crate::group::records::{OffsetKey, Record};
use crate::group::{ConsumerRules, Coordinator, Effects, Now, Rules, Then, Waiter};
use crate::metadata::image::Image;
use crate::metadata::image::tests::{replayed, topic};

pub(super) const GROUPS: [&str; 2] = ["a", "b"];
const CLIENTS: usize = 6;

/// Who asked, and what.
pub(super) enum Asked {
    Client(usize, GroupRequest),
    /// An administrator, or a client that no longer listens.
    Nobody(GroupRequest),
}

pub(super) struct World {
    pub(super) rng: SmallRng,
    pub(super) now: Now,
    pub(super) bug: Option<Bug>,
    pub(super) rules: Rules,
    pub(super) coordinator: Coordinator,
    pub(super) image: Arc<Image>,
    pub(super) log: Vec<Record>,
    /// Records that no crash takes away.
    pub(super) durable: usize,
    /// The end of each write in the log, and what follows it.
    pub(super) appended: VecDeque<(usize, Then)>,
    /// Groups whose last record could not be written.
    pub(super) unwritten: HashSet<ByteString>,
    pub(super) clients: Vec<Client>,
    pub(super) asked: HashMap<Waiter, Asked>,
    /// Requests under way whose clients have given up.
    pub(super) late: Vec<GroupRequest>,
    /// The request that each client sent last.
    pub(super) latest: [Waiter; CLIENTS],
    pub(super) next_number: u64,
    /// When an offset was last deleted: the number of the last request then.
    pub(super) taken_back: HashMap<OffsetKey, Waiter>,
    pub(super) promises: Promises,
    /// For each SyncGroup, which life of its group it is for.
    pub(super) lives: HashMap<Waiter, usize>,
    /// Faults happen.
    pub(super) troubled: bool,
    /// What happens is printed.
    pub(super) told: bool,
    pub(super) counts: Counts,
}

/// `downgrade`: consumer groups may become classic ones.
fn rules(downgrade: bool) -> Rules {
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
            downgrade,
            regex_refresh_ms: 60_000,
        },
    }
}

/// Topics with so many partitions, by their place in `TOPICS`.
pub(super) fn image(partitions: [i32; TOPICS.len()]) -> Arc<Image> {
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
        let rules = rules(!seed.is_multiple_of(4));
        let mut world = World {
            coordinator: Coordinator::new(rules.clone(), Arc::clone(&image)),
            rules,
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
            told: std::env::var_os("SEED").is_some(),
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

    /// A client sends what it has to send. One that waits may lose patience, as after a lost connection.
    pub(super) fn act(&mut self, number: usize) -> Result<(), String> {
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

    pub(super) fn is_in_its_generation(&self, commit: &Commit) -> bool {
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

    pub(super) fn pass(&mut self, ms: u64) -> Result<(), String> {
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

    pub(super) fn fresh(&self) -> Coordinator {
        let mut fresh = Coordinator::new(self.rules.clone(), Arc::clone(&self.image));
        fresh.planted = self.bug;
        fresh
    }

    pub(super) fn compare(&mut self) -> Result<(), String> {
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
