//! The members, the log, the clock, and the machine among them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use storage::units::TopicId;
use uuid::Uuid;

use super::super::super::message::{GroupAnswer, GroupRequest};
use super::super::super::planted::Bug;
use super::super::super::records::Record;
use super::super::super::{
    ConsumerRules, Coordinator, Effects, Now, Refusal, Rules, ShareRules, Then, Waiter,
};
use super::super::message::{ShareAnswer, ShareReport, ShareReported, ShareRequest, StatesToBegin};
use super::Counts;
use super::coordinator::{Kept, Wants};
use crate::metadata::image::tests::{replayed, topic};
use crate::metadata::image::{Delta, Image};

pub(super) const GROUP: &str = "g";
pub(super) const TOPICS: [&str; 3] = ["t0", "t1", "t2"];
pub(super) const CLIENTS: usize = 5;
const SESSION_MS: i32 = 6_000;

#[derive(Clone, Debug, Default)]
pub(super) struct Client {
    pub(super) id: ByteString,
    pub(super) epoch: i32,
    pub(super) reads: BTreeSet<&'static str>,
    /// What it said last; it says it again only when it has changed, or when it joins.
    pub(super) said: Option<BTreeSet<&'static str>>,
    pub(super) has: BTreeMap<Uuid, BTreeSet<i32>>,
    pub(super) is_gone: bool,
}

pub(super) struct World {
    pub(super) rng: SmallRng,
    pub(super) now: Now,
    pub(super) bug: Option<Bug>,
    pub(super) coordinator: Coordinator,
    /// Partitions of each topic, and which topic of that name it is; none if it is not there.
    pub(super) topics: BTreeMap<&'static str, (u128, i32)>,
    pub(super) next_topic: u128,
    pub(super) image: Arc<Image>,
    pub(super) log: Vec<Record>,
    pub(super) durable: usize,
    /// What the durable part of the log says.
    pub(super) shown: Coordinator,
    pub(super) appended: VecDeque<(usize, Then)>,
    pub(super) clients: Vec<Client>,
    pub(super) asked: HashMap<Waiter, usize>,
    pub(super) next_number: u64,
    pub(super) to_begin: Vec<StatesToBegin>,
    /// What the share coordinator keeps of the group.
    pub(super) kept: Kept,
    pub(super) wanted: HashMap<Waiter, Wants>,
    pub(super) troubled: bool,
    pub(super) counts: Counts,
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
    pub(super) fn new(seed: u64, bug: Option<Bug>) -> World {
        let rng = SmallRng::seed_from_u64(seed);
        let now = Now { wall_ms: 1_000_000, ticks: 5 };
        let topics: BTreeMap<_, _> = TOPICS.into_iter().zip((1..).map(|id| (id, 2))).collect();
        let image = image_of(&topics);
        let shown = Coordinator::new(rules(), Arc::clone(&image));
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
            shown,
            appended: VecDeque::new(),
            clients: vec![Client::default(); CLIENTS],
            asked: HashMap::new(),
            next_number: 0,
            to_begin: Vec::new(),
            kept: Kept::new(),
            wanted: HashMap::new(),
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
    pub(super) fn start(&mut self, number: usize) {
        self.next_number += 1;
        let mut reads: BTreeSet<_> =
            TOPICS.into_iter().filter(|_| self.rng.random_bool(0.6)).collect();
        reads.insert(TOPICS[self.rng.random_range(0..TOPICS.len())]);
        let id = format!("m{number}-{}", self.next_number).into();
        self.clients[number] = Client { id, reads, ..Client::default() };
        self.asked.retain(|_, of| *of != number);
    }

    pub(super) fn step(&mut self) -> Result<(), String> {
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
            97 => match self.rng.random_range(0..3) {
                0 => self.delete_group(),
                1 => self.alter(),
                _ => self.forget(),
            },
            98 => self.crash(),
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

    pub(super) fn report(&mut self, number: usize) -> Result<(), String> {
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
        let waiter = self.next_waiter();
        self.asked.insert(waiter, number);
        self.ask(waiter, share(ShareRequest::Report(report)))
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
        self.counts.left += 1;
        let waiter = self.next_waiter();
        self.ask(waiter, share(ShareRequest::Report(report)))
    }

    pub(super) fn next_waiter(&mut self) -> Waiter {
        self.next_number += 1;
        self.next_number
    }

    pub(super) fn ask(&mut self, waiter: Waiter, request: GroupRequest) -> Result<(), String> {
        let mut out = Effects::default();
        self.coordinator.handle(self.now, request, waiter, &mut out);
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

    pub(super) fn confirm(&mut self) -> Result<(), String> {
        let Some((end, then)) = self.appended.pop_front() else { return Ok(()) };
        for at in self.durable..end {
            replay(&mut self.shown, self.now, at, &self.log[at]);
        }
        self.durable = self.durable.max(end);
        let mut out = Effects::default();
        self.coordinator.written(self.now, then, Ok(()), &mut out);
        self.carry_out(out)
    }

    fn hear(&mut self, waiter: Waiter, answer: &GroupAnswer) -> Result<(), String> {
        if let GroupAnswer::Share(ShareAnswer::Report(Ok(reported))) = answer {
            self.to_begin.extend(reported.begin.clone());
        }
        match answer {
            GroupAnswer::Delete(results) => return self.tell_admin(waiter, results),
            GroupAnswer::Share(answer) if self.wanted.contains_key(&waiter) => {
                return self.tell_admin_of_shares(waiter, answer);
            }
            _ => {}
        }
        let Some(number) = self.asked.remove(&waiter) else { return Ok(()) };
        match answer {
            GroupAnswer::Share(ShareAnswer::Report(Ok(reported))) => self.told(number, reported),
            GroupAnswer::Share(ShareAnswer::Report(Err(refused))) => {
                let client = &mut self.clients[number];
                match refused.refusal {
                    Refusal::FencedMemberEpoch
                    | Refusal::UnknownMember
                    | Refusal::GroupNotFound => {
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
        let client = &mut self.clients[number];
        let group = self.shown.shares.get(GROUP);
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
            // A topic that was deleted meanwhile takes its state with it.
            let gone = self.image.topic(TopicId(*id)).is_none();
            let kept = |partition: &i32| self.kept.contains_key(&(*id, *partition));
            if !gone && !partitions.iter().all(kept) {
                let kept = &self.kept;
                return Err(format!("{number} reads {id} {partitions:?} without state: {kept:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn pass(&mut self, ms: u64) -> Result<(), String> {
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
                let id = Uuid::from_u128(*id);
                deleted.push((name.into(), id));
                self.kept.retain(|(topic, _), _| *topic != id);
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

    pub(super) fn replayed(&self, log: &[Record]) -> Coordinator {
        let mut fresh = self.fresh();
        for (at, record) in log.iter().enumerate() {
            replay(&mut fresh, self.now, at, record);
        }
        fresh
    }

    /// The coordinator is loaded from what the crash left of the log.
    pub(super) fn crash(&mut self) -> Result<(), String> {
        self.counts.crashes += 1;
        let kept = self.rng.random_range(self.durable..=self.log.len());
        let ends = self.appended.iter().map(|(end, _)| *end).filter(|end| *end <= kept);
        let kept = ends.max().unwrap_or(self.durable).max(self.durable);
        self.log.truncate(kept);
        self.durable = kept;
        self.appended.clear();
        self.asked.clear();
        self.wanted.clear();
        self.clients.iter_mut().for_each(|client| client.said = None);
        self.coordinator = self.replayed(&self.log);
        self.shown = self.replayed(&self.log);
        let mut out = Effects::default();
        self.coordinator.loaded(self.now, &mut out);
        self.carry_out(out)
    }
}

fn replay(coordinator: &mut Coordinator, now: Now, at: usize, record: &Record) {
    let (key, value) = record.encode().unwrap();
    let read = Record::decode(Some(&key), value.as_deref()).unwrap();
    coordinator.replay(now, read, None, i64::try_from(at).unwrap());
}

pub(super) fn share(request: ShareRequest) -> GroupRequest {
    GroupRequest::Share(Box::new(request))
}

fn image_of(topics: &BTreeMap<&'static str, (u128, i32)>) -> Arc<Image> {
    let records = topics.iter().flat_map(|(name, (id, partitions))| topic(*id, name, *partitions));
    Arc::new(replayed(records))
}
