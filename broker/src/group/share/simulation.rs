//! Share groups in a world of members, a log that may fail, a share coordinator that may fail, and crashes, all from one seed.
//!
//! Members join, report, change what they read, leave and fall silent; topics come, grow and go; groups are deleted; states begin, fail
//! to, or nobody ever asks. What is checked:
//!
//! - a member is assigned only partitions whose state is kept, of topics that it reads;
//! - what the log holds, replayed, is the state of the live coordinator, compacted too;
//! - when the faults end, every partition of every topic that a member reads has a reader, and every member is in its group's epoch.
//!
//! A failure prints its seed, and [`run`] with that seed repeats it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use storage::units::TopicId;
use uuid::Uuid;

use super::super::consumer::Refresh;
use super::super::message::{
    GroupAnswer, GroupRequest, ShareReport, ShareReported, StatesBegun, StatesToBegin,
};
use super::super::planted::Bug;
use super::super::records::Record;
use super::super::{
    ConsumerRules, Coordinator, Effects, Now, Refusal, Rules, ShareRules, Then, Waiter,
};
use super::ShareGroup;
use crate::metadata::image::tests::{replayed, topic};
use crate::metadata::image::{Delta, Image};

const SEEDS: u64 = 2_000;
const SEEDS_PLANTED: u64 = 500;
const STEPS: usize = 120;
const GROUP: &str = "g";
const TOPICS: [&str; 3] = ["t0", "t1", "t2"];
const CLIENTS: usize = 5;
const SESSION_MS: i32 = 6_000;

#[derive(Clone, Debug, Default)]
struct Client {
    id: ByteString,
    epoch: i32,
    reads: BTreeSet<&'static str>,
    /// What it said last; it says it again only when it has changed, or when it joins.
    said: Option<BTreeSet<&'static str>>,
    has: BTreeMap<Uuid, BTreeSet<i32>>,
    is_gone: bool,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    joined: usize,
    left: usize,
    fenced: usize,
    begun: usize,
    failed: usize,
    forgotten: usize,
    crashes: usize,
    refused_appends: usize,
    grown: usize,
    deleted_topics: usize,
    deleted_groups: usize,
}

impl Counts {
    fn all(&mut self) -> [&mut usize; 11] {
        [
            &mut self.joined,
            &mut self.left,
            &mut self.fenced,
            &mut self.begun,
            &mut self.failed,
            &mut self.forgotten,
            &mut self.crashes,
            &mut self.refused_appends,
            &mut self.grown,
            &mut self.deleted_topics,
            &mut self.deleted_groups,
        ]
    }
}

struct World {
    rng: SmallRng,
    now: Now,
    bug: Option<Bug>,
    coordinator: Coordinator,
    /// Partitions of each topic, and which topic of that name it is; none if it is not there.
    topics: BTreeMap<&'static str, (u128, i32)>,
    next_topic: u128,
    image: Arc<Image>,
    log: Vec<Record>,
    durable: usize,
    appended: VecDeque<(usize, Then)>,
    clients: Vec<Client>,
    asked: HashMap<Waiter, usize>,
    next_number: u64,
    to_begin: Vec<StatesToBegin>,
    troubled: bool,
    counts: Counts,
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
            assignors: Vec::new(),
            upgrade: true,
            downgrade: true,
            regex_refresh_ms: 60_000,
        },
        share: ShareRules {
            session_ms: SESSION_MS,
            heartbeat_ms: 500,
            assignment_interval_ms: 1_000,
            limits: BTreeMap::new(),
            size_max: CLIENTS,
            initialize_retry_ms: 3_000,
        },
    }
}

impl World {
    fn new(seed: u64, bug: Option<Bug>) -> World {
        let rng = SmallRng::seed_from_u64(seed);
        let now = Now { wall_ms: 1_000_000, ticks: 5 };
        let topics: BTreeMap<_, _> = TOPICS.into_iter().zip((1..).map(|id| (id, 2))).collect();
        let image = image_of(&topics);
        let mut world = World {
            coordinator: Coordinator::new(rules(), Arc::clone(&image)),
            rng,
            now,
            bug,
            topics,
            next_topic: 10,
            image,
            log: Vec::new(),
            durable: 0,
            appended: VecDeque::new(),
            clients: vec![Client::default(); CLIENTS],
            asked: HashMap::new(),
            next_number: 0,
            to_begin: Vec::new(),
            troubled: true,
            counts: Counts::default(),
        };
        world.coordinator.planted = bug;
        (0..CLIENTS).for_each(|number| world.start(number));
        let mut out = Effects::default();
        world.coordinator.loaded(now, &mut out);
        world
    }

    /// The client's process starts, and makes its id up.
    fn start(&mut self, number: usize) {
        self.next_number += 1;
        let mut reads: BTreeSet<_> =
            TOPICS.into_iter().filter(|_| self.rng.random_bool(0.6)).collect();
        reads.insert(TOPICS[self.rng.random_range(0..TOPICS.len())]);
        let id = format!("m{number}-{}", self.next_number).into();
        self.clients[number] = Client { id, reads, ..Client::default() };
    }

    fn step(&mut self) -> Result<(), String> {
        let number = self.rng.random_range(0..CLIENTS);
        match self.rng.random_range(0..100) {
            0..40 => self.report(number),
            40..60 => self.confirm(),
            60..72 => self.begin(),
            72..84 => {
                let ms = [10, 400, 1_500, 4_000, 9_000][self.rng.random_range(0..5)];
                self.pass(ms)
            }
            84..87 => {
                self.clients[number].is_gone = true;
                Ok(())
            }
            87..90 => {
                self.start(number);
                Ok(())
            }
            90..92 => self.leave(number),
            92..94 => {
                self.reconsider(number);
                Ok(())
            }
            94..97 => self.change_topics(),
            97..98 => self.delete_group(),
            98..99 => self.crash(),
            _ => self.compare(),
        }
    }

    fn reconsider(&mut self, number: usize) {
        let other = TOPICS[self.rng.random_range(0..TOPICS.len())];
        let reads = &mut self.clients[number].reads;
        if !reads.remove(other) || reads.is_empty() {
            reads.insert(other);
        }
    }

    fn report(&mut self, number: usize) -> Result<(), String> {
        let client = &mut self.clients[number];
        if client.is_gone || self.asked.values().any(|of| *of == number) {
            return Ok(());
        }
        let says = client.epoch == 0 || client.said.as_ref() != Some(&client.reads);
        let names = says.then(|| client.reads.iter().map(|name| (*name).into()).collect());
        client.said = Some(client.reads.clone());
        let report = ShareReport {
            group: GROUP.into(),
            member_id: client.id.clone(),
            member_epoch: client.epoch,
            rack: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            names,
        };
        self.ask(Some(number), GroupRequest::ShareReport(Box::new(report)))
    }

    fn leave(&mut self, number: usize) -> Result<(), String> {
        let report = ShareReport {
            group: GROUP.into(),
            member_id: self.clients[number].id.clone(),
            member_epoch: -1,
            rack: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            names: None,
        };
        self.start(number);
        self.asked.retain(|_, of| *of != number);
        self.counts.left += 1;
        self.ask(None, GroupRequest::ShareReport(Box::new(report)))
    }

    fn delete_group(&mut self) -> Result<(), String> {
        self.ask(None, GroupRequest::Delete(vec![GROUP.into()]))
    }

    /// The share coordinator is asked, and what came of it is told; or nobody asks.
    fn begin(&mut self) -> Result<(), String> {
        let Some(begin) = self.to_begin.pop() else { return Ok(()) };
        if self.troubled && self.rng.random_bool(0.2) {
            self.counts.forgotten += 1;
            return Ok(());
        }
        let mut told = StatesBegun { group: GROUP.into(), begun: Vec::new(), failed: Vec::new() };
        for (id, partitions) in begin.topics {
            let there = self.image.topic(TopicId(id)).is_some();
            if there && !(self.troubled && self.rng.random_bool(0.2)) {
                self.counts.begun += 1;
                told.begun.push((id, partitions));
            } else {
                self.counts.failed += 1;
                told.failed.push((id, partitions));
            }
        }
        self.ask(None, GroupRequest::StatesBegun(told))
    }

    fn ask(&mut self, client: Option<usize>, request: GroupRequest) -> Result<(), String> {
        self.next_number += 1;
        if let Some(number) = client {
            self.asked.insert(self.next_number, number);
        }
        let mut out = Effects::default();
        self.coordinator.handle(self.now, request, self.next_number, &mut out);
        self.carry_out(out)
    }

    fn carry_out(&mut self, mut out: Effects) -> Result<(), String> {
        loop {
            for (waiter, answer) in std::mem::take(&mut out.answers) {
                self.hear(waiter, &answer)?;
            }
            let writes = std::mem::take(&mut out.writes);
            if writes.is_empty() {
                return Ok(());
            }
            for write in writes {
                if write.records.is_empty() && self.appended.is_empty() {
                    self.coordinator.written(self.now, write.then, Ok(()), &mut out);
                } else if !write.records.is_empty() && self.troubled && self.rng.random_bool(0.04) {
                    self.counts.refused_appends += 1;
                    let refused = Err(Refusal::NotAvailable);
                    self.coordinator.written(self.now, write.then, refused, &mut out);
                } else {
                    self.coordinator.appended(self.now, &write, &mut out);
                    self.log.extend(write.records);
                    self.appended.push_back((self.log.len(), write.then));
                }
            }
        }
    }

    fn confirm(&mut self) -> Result<(), String> {
        let Some((end, then)) = self.appended.pop_front() else { return Ok(()) };
        self.durable = self.durable.max(end);
        let mut out = Effects::default();
        self.coordinator.written(self.now, then, Ok(()), &mut out);
        self.carry_out(out)
    }

    fn hear(&mut self, waiter: Waiter, answer: &GroupAnswer) -> Result<(), String> {
        if let GroupAnswer::ShareReport(Ok(reported)) = answer {
            self.to_begin.extend(reported.begin.clone());
        }
        if let GroupAnswer::Delete(results) = answer {
            self.counts.deleted_groups += results.iter().filter(|result| result.is_ok()).count();
        }
        let Some(number) = self.asked.remove(&waiter) else { return Ok(()) };
        match answer {
            GroupAnswer::ShareReport(Ok(reported)) => self.told(number, reported),
            GroupAnswer::ShareReport(Err(refused)) => {
                let client = &mut self.clients[number];
                match refused.refusal {
                    Refusal::FencedMemberEpoch | Refusal::UnknownMember | Refusal::GroupNotFound => {
                        self.counts.fenced += 1;
                        client.epoch = 0;
                        client.has.clear();
                    }
                    _ => client.said = None,
                }
                Ok(())
            }
            other => Err(format!("a heartbeat was answered {other:?}")),
        }
    }

    /// What a member is told is in the log, as everything that it rests on.
    fn told(&mut self, number: usize, reported: &ShareReported) -> Result<(), String> {
        let durable = self.replayed(&self.log[..self.durable]);
        let client = &mut self.clients[number];
        let group = durable.shares.get(GROUP);
        let known = group.and_then(|group| group.member(&client.id)).map(|member| member.epoch);
        if known != Some(reported.member_epoch) {
            return Err(format!("{number} is told {reported:?}, and the log says {known:?}"));
        }
        self.counts.joined += usize::from(client.epoch == 0);
        client.epoch = reported.member_epoch;
        let Some(assignment) = &reported.assignment else { return Ok(()) };
        client.has =
            assignment.iter().map(|(id, of)| (*id, of.iter().copied().collect())).collect();
        for (id, partitions) in &client.has {
            let kept = group.and_then(|group| group.states.kept().find(|(of, ..)| *of == id));
            // A topic that was deleted meanwhile takes its state with it.
            let gone = self.image.topic(TopicId(*id)).is_none();
            if !gone && kept.is_none_or(|(_, _, of)| !partitions.is_subset(of)) {
                return Err(format!("{number} reads {id} {partitions:?} without state: {kept:?}"));
            }
        }
        Ok(())
    }

    fn pass(&mut self, ms: u64) -> Result<(), String> {
        self.now.ticks += ms;
        self.now.wall_ms += i64::try_from(ms).unwrap();
        while self.coordinator.next_timer().is_some_and(|due| due <= self.now.ticks) {
            let mut out = Effects::default();
            self.coordinator.fire(self.now, &mut out);
            self.carry_out(out)?;
        }
        Ok(())
    }

    fn change_topics(&mut self) -> Result<(), String> {
        let name = TOPICS[self.rng.random_range(0..TOPICS.len())];
        let mut deleted = Vec::new();
        match self.topics.get_mut(name) {
            Some((_, partitions)) if self.rng.random_bool(0.7) => {
                *partitions = (*partitions + 1).min(5);
                self.counts.grown += 1;
            }
            Some((id, _)) => {
                deleted.push((name.into(), Uuid::from_u128(*id)));
                self.topics.remove(name);
                self.counts.deleted_topics += 1;
            }
            None => {
                self.next_topic += 1;
                self.topics.insert(name, (self.next_topic, 1));
            }
        }
        self.follow();
        let mut out = Effects::default();
        self.coordinator.topics_deleted(&deleted, &mut out);
        self.carry_out(out)
    }

    fn follow(&mut self) {
        let image = image_of(&self.topics);
        let delta = Delta::between(&self.image, &image);
        self.image = Arc::clone(&image);
        self.coordinator.configured(rules(), image, &delta);
    }

    fn fresh(&self) -> Coordinator {
        let mut fresh = Coordinator::new(rules(), Arc::clone(&self.image));
        fresh.planted = self.bug;
        fresh
    }

    fn replayed(&self, log: &[Record]) -> Coordinator {
        let mut fresh = self.fresh();
        for (offset, record) in (0_i64..).zip(log) {
            let (key, value) = record.encode().unwrap();
            let read = Record::decode(Some(&key), value.as_deref()).unwrap();
            fresh.replay(self.now, read, None, offset);
        }
        fresh
    }

    /// The coordinator is loaded from what the crash left of the log.
    fn crash(&mut self) -> Result<(), String> {
        self.counts.crashes += 1;
        let kept = self.rng.random_range(self.durable..=self.log.len());
        let ends = self.appended.iter().map(|(end, _)| *end).filter(|end| *end <= kept);
        let kept = ends.max().unwrap_or(self.durable).max(self.durable);
        self.log.truncate(kept);
        self.durable = kept;
        self.appended.clear();
        self.asked.clear();
        self.clients.iter_mut().for_each(|client| client.said = None);
        self.coordinator = self.replayed(&self.log);
        let mut out = Effects::default();
        self.coordinator.loaded(self.now, &mut out);
        self.carry_out(out)
    }

    fn compare(&self) -> Result<(), String> {
        let all = |coordinator: &Coordinator| -> BTreeMap<ByteString, ShareGroup> {
            let shares = coordinator.shares.iter();
            shares.map(|(id, group)| (id.clone(), bare(group))).collect()
        };
        let live = all(&self.coordinator);
        for log in [self.log.clone(), compacted(&self.log)] {
            let replayed = all(&self.replayed(&log));
            if live != replayed {
                return Err(format!("live {live:?}, replayed {replayed:?}"));
            }
        }
        Ok(())
    }

    /// The faults end.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.troubled = false;
        for number in 0..CLIENTS {
            if self.clients[number].is_gone {
                self.start(number);
            }
        }
        for _ in 0..100 {
            for number in 0..CLIENTS {
                self.report(number)?;
                while !self.appended.is_empty() {
                    self.confirm()?;
                }
            }
            while !self.to_begin.is_empty() {
                self.begin()?;
                while !self.appended.is_empty() {
                    self.confirm()?;
                }
            }
            self.pass(1_100)?;
            if self.is_at_rest() {
                break;
            }
        }
        if !self.is_at_rest() {
            let (clients, groups) = (&self.clients, &self.coordinator.shares);
            return Err(format!("no rest: {clients:?}; {groups:?}; {:?}", self.topics));
        }
        self.compare()?;
        self.crash()
    }

    fn is_at_rest(&self) -> bool {
        let Some(group) = self.coordinator.shares.get(GROUP) else { return false };
        let settled = self.clients.iter().all(|client| client.epoch == group.epoch);
        let read = |name: &&'static str| self.clients.iter().any(|c| c.reads.contains(name));
        let is_read = |name: &&'static str| {
            let Some((id, partitions)) = self.topics.get(name) else { return true };
            (0..*partitions).all(|partition| {
                let has = |client: &Client| {
                    let own = client.has.get(&Uuid::from_u128(*id));
                    client.reads.contains(name) && own.is_some_and(|own| own.contains(&partition))
                };
                self.clients.iter().any(has)
            })
        };
        settled
            && group.members.len() == CLIENTS
            && TOPICS.iter().filter(|name| read(name)).all(|name| is_read(name))
    }
}

/// But for what is not in the log.
fn bare(group: &ShareGroup) -> ShareGroup {
    let states = super::States::of(&group.states.value(), 0);
    ShareGroup { refresh: Refresh::default(), states, ..group.clone() }
}

fn image_of(topics: &BTreeMap<&'static str, (u128, i32)>) -> Arc<Image> {
    let records = topics.iter().flat_map(|(name, (id, partitions))| topic(*id, name, *partitions));
    Arc::new(replayed(records))
}

/// What compaction leaves of a log: the last record of each key, if it is no tombstone.
fn compacted(log: &[Record]) -> Vec<Record> {
    let key = |record: &Record| record.encode().unwrap().0;
    let last: HashMap<_, _> =
        log.iter().enumerate().map(|(at, record)| (key(record), at)).collect();
    let stays = |(at, record): &(usize, &Record)| {
        last[&key(record)] == *at && record.encode().unwrap().1.is_some()
    };
    log.iter().enumerate().filter(stays).map(|(_, record)| record.clone()).collect()
}

fn run(seed: u64, bug: Option<Bug>) -> Result<Counts, String> {
    let mut world = World::new(seed, bug);
    for _ in 0..STEPS {
        world.step()?;
    }
    world.come_to_rest()?;
    Ok(world.counts)
}

#[test]
fn no_seed_finds_a_fault() {
    let first = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = first.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    let mut total = Counts::default();
    for seed in seeds {
        let mut counts = run(seed, None).unwrap_or_else(|fault| panic!("seed {seed}: {fault}"));
        for (ours, theirs) in total.all().into_iter().zip(counts.all()) {
            *ours += *theirs;
        }
    }
    println!("{total:?}");
    if first.is_none() {
        let used = total.all().into_iter().all(|count| *count > 0);
        assert!(used, "the seeds leave something out: {total:?}");
    }
}

#[test]
fn planted_bugs_are_found() {
    for bug in [
        Bug::ReadWithoutState,
        Bug::StateNeverRetried,
        Bug::NewStateUnnoticed,
        Bug::NobodyIsMissed,
        Bug::ReportedAtAppend,
    ] {
        let found = (0..SEEDS_PLANTED).find_map(|seed| Some((seed, run(seed, Some(bug)).err()?)));
        let (seed, fault) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: seed {seed}: {fault}");
    }
}
