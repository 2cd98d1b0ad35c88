//! The machine: the groups of one partition of `__consumer_offsets`.
//!
//! How it is called is `coordinator::Machine`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;

use super::classic::Group;
use super::consumer::ConsumerGroup;
use super::consumer::assign::Assignor;
use super::member::Member;
use super::message::{GroupAnswer, GroupRequest};
use super::offsets::Offsets;
use super::planted::Bug;
use super::records::Record;
use super::share::ShareGroup;
use super::timers::{Timer, Timers};
use super::{Refusal, Waiter};
use crate::metadata::image::{Delta, Image};

pub(crate) use crate::coordinator::Now;

pub(crate) type Effects = crate::coordinator::Effects<Coordinator>;
pub(crate) type Write = crate::coordinator::Write<Coordinator>;

/// What the broker's configuration says of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) initial_delay_ms: i32,
    pub(crate) size_max: usize,
    /// UTF-16 units, as Java counts.
    pub(crate) metadata_max: usize,
    pub(crate) retention_ms: i64,
    pub(crate) expiry_every_ms: u64,
    pub(crate) consumer: ConsumerRules,
    pub(crate) share: ShareRules,
}

/// What it says of consumer groups; a group's own configuration is in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerRules {
    pub(crate) session_ms: i32,
    pub(crate) heartbeat_ms: i32,
    pub(crate) assignment_interval_ms: i32,
    /// The least and the most of what groups may have for themselves, by the group's key.
    pub(crate) limits: BTreeMap<&'static str, (i32, i32)>,
    pub(crate) size_max: usize,
    /// Those that are allowed, the default first.
    pub(crate) assignors: Vec<Assignor>,
    /// Classic groups may become consumer groups.
    pub(crate) upgrade: bool,
    /// And the other way around.
    pub(crate) downgrade: bool,
    pub(crate) regex_refresh_ms: i64,
}

/// What follows when a write is durable, or failed.
#[derive(Debug)]
pub(crate) enum Then {
    Nothing,
    Answer(Waiter, GroupAnswer),
    /// The group came to be.
    Created(ByteString),
    /// The leader's assignment of this generation.
    Assigned {
        group: ByteString,
        generation: i32,
        assignments: BTreeMap<ByteString, Bytes>,
    },
    /// A static member came back under another id.
    Replaced(Box<super::join::Replaced>),
    /// If it fails, the timer goes off again.
    Again(Timer),
    /// A consumer group becomes this classic one.
    Downgraded {
        group: Box<Group>,
        rebalance: bool,
        then: Box<Then>,
    },
}

/// What it says of share groups; a group's own configuration is in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShareRules {
    pub(crate) session_ms: i32,
    pub(crate) heartbeat_ms: i32,
    pub(crate) assignment_interval_ms: i32,
    /// The least and the most of what groups may have for themselves, by the group's key.
    pub(crate) limits: BTreeMap<&'static str, (i32, i32)>,
    pub(crate) size_max: usize,
    pub(crate) initialize_retry_ms: i64,
}

/// How long after a failed write it is tried again, in ticks.
const AGAIN_MS: u64 = 500;

/// See the module.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(super) rules: Rules,
    pub(super) groups: HashMap<ByteString, Group>,
    pub(super) offsets: Offsets,
    pub(super) consumers: HashMap<ByteString, ConsumerGroup>,
    pub(super) shares: HashMap<ByteString, ShareGroup>,
    /// Streams groups, which a directory that was taken over may hold: the keys of their records that are in force.
    pub(super) others: HashMap<ByteString, BTreeSet<Bytes>>,
    pub(super) timers: Timers,
    pub(super) image: Arc<Image>,
    /// The image in which topics were created last.
    pub(super) topics_created_at: i64,
    #[cfg(test)]
    pub(super) planted: Option<super::planted::Bug>,
}

impl Coordinator {
    /// Without groups: [`Coordinator::replay`] brings those of the log, [`Coordinator::loaded`] ends it.
    pub(crate) fn new(rules: Rules, image: Arc<Image>) -> Coordinator {
        Coordinator {
            rules,
            groups: HashMap::new(),
            offsets: Offsets::default(),
            consumers: HashMap::new(),
            shares: HashMap::new(),
            others: HashMap::new(),
            timers: Timers::default(),
            topics_created_at: 0,
            image,
            #[cfg(test)]
            planted: None,
        }
    }

    /// Does what is asked; `waiter` is answered by the effects of this call or of a later one.
    pub(crate) fn handle(
        &mut self,
        now: Now,
        request: GroupRequest,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        match request {
            GroupRequest::Join(join) => self.join(now, *join, waiter, out),
            GroupRequest::Sync(sync) => self.sync(now, *sync, waiter, out),
            GroupRequest::Heartbeat(heartbeat) => {
                let answer = match self.consumers.contains_key(&heartbeat.group) {
                    true => self.heartbeat_consumer(now, &heartbeat, out),
                    false => self.heartbeat(now, &heartbeat),
                };
                let answer = GroupAnswer::Heartbeat(answer);
                out.answer(waiter, answer);
            }
            GroupRequest::Leave(leave) => self.leave(now, &leave, waiter, out),
            GroupRequest::Commit(commit) => self.commit(now, commit, waiter, out),
            GroupRequest::Report(report) => self.report(now, &report, waiter, out),
            GroupRequest::Fetch(fetch) => {
                let may = self.may_fetch(&fetch);
                let answer = GroupAnswer::Fetch(may.map(|()| self.fetch(&fetch)));
                if self.has(Bug::ShownAtAppend) {
                    return out.answer(waiter, answer);
                }
                // What is not durable is not shown: it could be gone after a crash.
                out.write(Vec::new(), Then::Answer(waiter, answer));
            }
            GroupRequest::DeleteOffsets(delete) => self.delete_offsets(&delete, waiter, out),
            GroupRequest::Describe(groups) => {
                let described = groups.iter().map(|group| self.describe(group)).collect();
                out.answer(waiter, GroupAnswer::Describe(described));
            }
            GroupRequest::DescribeConsumers(groups) => {
                let described = groups.iter().map(|group| self.describe_consumer(group)).collect();
                let answer = GroupAnswer::DescribeConsumers(described);
                // What is told of a group is in the log.
                out.write(Vec::new(), Then::Answer(waiter, answer));
            }
            GroupRequest::Share(request) => self.share(now, *request, waiter, out),
            GroupRequest::Delete(groups) => self.delete(&groups, waiter, out),
            GroupRequest::List => out.answer(waiter, GroupAnswer::List(Ok(self.list()))),
        }
    }

    /// The write got its offset: its records are in force for what is asked from now on. Records of classic groups are not looked at,
    /// since the group has done what they tell; those of consumer groups are replayed.
    pub(crate) fn appended(&mut self, now: Now, write: &Write, out: &mut Effects) {
        for record in &write.records {
            match record {
                Record::Offset(key, Some(value)) => {
                    self.keeps_offsets(now, &key.group);
                    self.offsets.put(key, value, i64::MAX);
                }
                Record::Offset(..) if self.has(Bug::TombstonesIgnored) => {}
                Record::Offset(key, None) => self.offsets.remove(key),
                Record::Group(group, None) => self.forget(group),
                Record::Consumer(group, record) => self.replay_consumer(group, record),
                Record::Share(group, record) => self.replay_share(now, group, record),
                Record::Group(_, Some(_)) | Record::Other { .. } | Record::Unknown(_) => {}
            }
        }
        if let Then::Downgraded { group, rebalance, .. } = &write.then {
            self.downgraded(now, group, *rebalance, out);
        }
    }

    /// The write is durable, or was refused.
    pub(crate) fn written(
        &mut self,
        now: Now,
        then: Then,
        outcome: Result<(), Refusal>,
        out: &mut Effects,
    ) {
        match (then, outcome) {
            (Then::Nothing, _) | (Then::Created(_) | Then::Again(_), Ok(())) => {}
            (Then::Again(timer), Err(_)) => self.timers.set(timer, now.ticks + AGAIN_MS),
            (Then::Answer(waiter, answer), Ok(())) => out.answer(waiter, answer),
            (Then::Answer(waiter, answer), Err(refusal)) => {
                out.answer(waiter, answer.unwritten(refusal));
            }
            (Then::Created(group), Err(refusal)) => {
                if let Some(created) = self.groups.get_mut(&group) {
                    for id in created.member_ids() {
                        answer_join(created, &id, Err((refusal, ByteString::new())), out);
                    }
                }
                self.forget(&group);
            }
            (Then::Assigned { group, generation, assignments }, outcome) => {
                self.assigned(now, &group, generation, &assignments, outcome, out);
            }
            (Then::Replaced(replaced), outcome) => self.replaced(now, *replaced, outcome, out),
            (Then::Downgraded { then, .. }, outcome) => self.written(now, *then, outcome, out),
        }
    }

    /// When [`Coordinator::fire`] is to be called next, in ticks.
    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Does what is due, up to the first thing that is to be written: what comes after it counts on that. The rest stays due.
    pub(crate) fn fire(&mut self, now: Now, out: &mut Effects) {
        while out.writes.is_empty()
            && let Some(timer) = self.timers.pop(now.ticks)
        {
            match timer {
                Timer::Join(group) => self.join_phase_over(now, &group, out),
                Timer::Sync(group) => self.sync_phase_over(now, &group, out),
                Timer::Session(group, member) => self.session_over(now, &group, &member, out),
                Timer::Member(..)
                | Timer::Revocation(..)
                | Timer::ClassicJoin(..)
                | Timer::ClassicSync(..) => self.member_over(now, timer, out),
                Timer::Share(group, member) => self.share_member_over(&group, &member, out),
                Timer::Regexes(group) => self.resolve(now, &group, out),
                Timer::Expiry => self.expire(now, out),
            }
        }
    }

    /// Everybody who waits is told that the group is coordinated elsewhere.
    pub(crate) fn resign(&mut self, out: &mut Effects) {
        for group in self.groups.values_mut() {
            for id in group.member_ids() {
                answer_join(group, &id, Err((Refusal::NotCoordinator, id.clone())), out);
                answer_sync(group, &id, Err(Refusal::NotCoordinator), out);
            }
        }
    }

    /// How many groups and offsets there are.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let groups = self.groups.len() + self.consumers.len() + self.shares.len();
        (groups, self.offsets.count())
    }

    /// The topics, and what is configured, are these from now on. Groups look again at topics that have changed with their members' next
    /// heartbeat.
    pub(crate) fn configured(&mut self, rules: Rules, image: Arc<Image>, delta: &Delta) {
        self.rules = rules;
        self.image = image;
        if !delta.created.is_empty() {
            self.topics_created_at = self.image.position().offset.0;
        }
        if self.has(Bug::TopicsUnwatched) {
            return;
        }
        let changed = delta.partitions.iter().filter_map(|(id, _)| self.image.topic(*id));
        let mut names: BTreeSet<&ByteString> = changed.map(|topic| &topic.name).collect();
        names.extend(delta.created.iter().chain(&delta.deleted).map(|topic| &topic.name));
        for group in self.consumers.values_mut() {
            if names.iter().any(|name| group.is_subscribed(name)) {
                group.refresh = super::consumer::Refresh::default();
            }
        }
        for group in self.shares.values_mut() {
            if names.iter().any(|name| group.is_subscribed(name)) {
                group.refresh = super::consumer::Refresh::default();
            }
        }
    }

    /// Whether there is a group of that name, of whichever protocol we serve.
    pub(super) fn is_known(&self, id: &str) -> bool {
        self.groups.contains_key(id)
            || self.consumers.contains_key(id)
            || self.shares.contains_key(id)
    }

    /// Whether the group is one that has neither classic nor consumer members: a share or a streams group.
    pub(super) fn is_other(&self, id: &str) -> bool {
        self.shares.contains_key(id) || self.others.contains_key(id)
    }

    /// Whether the group is none for shares.
    pub(super) fn is_of_another_protocol(&self, id: &str) -> bool {
        self.groups.contains_key(id)
            || self.consumers.contains_key(id)
            || self.others.contains_key(id)
    }

    /// A group that keeps offsets exists, if only for that.
    pub(super) fn keeps_offsets(&mut self, now: Now, id: &ByteString) {
        if !self.is_known(id) {
            self.groups.insert(id.clone(), Group::new(id.clone(), now.wall_ms));
        }
    }

    /// A group is gone, its timers with it.
    pub(super) fn forget(&mut self, id: &ByteString) {
        let Some(group) = self.groups.remove(id) else { return };
        self.timers.cancel(&Timer::Join(id.clone()));
        self.timers.cancel(&Timer::Sync(id.clone()));
        for member in group.member_ids().into_iter().chain(group.pending_ids()) {
            self.timers.cancel(&Timer::Session(id.clone(), member));
        }
    }

    pub(super) fn session(&mut self, now: Now, group: &ByteString, member: &ByteString, ms: i32) {
        let timer = Timer::Session(group.clone(), member.clone());
        self.timers.set(timer, now.ticks + ms_after(ms));
    }

    /// The member has reported: its session begins anew.
    pub(super) fn renew(&mut self, now: Now, group: &ByteString, member: &str) {
        let known = self.groups.get(group).and_then(|group| group.member(member));
        if let Some((id, ms)) = known.map(|member| (member.id.clone(), member.session_timeout_ms)) {
            self.session(now, group, &id, ms);
        }
    }
}

pub(super) fn ms_after(ms: i32) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

/// Answers the JoinGroup of a member that waits; a refusal comes with the member id that it names.
pub(super) fn answer_join(
    group: &mut Group,
    member: &str,
    answer: Result<super::message::Joined, (Refusal, ByteString)>,
    out: &mut Effects,
) {
    if let Some(waiter) = group.set_joining(member, None) {
        let refused = |(refusal, member_id)| super::message::JoinRefused { refusal, member_id };
        out.answer(waiter, GroupAnswer::Join(answer.map_err(refused)));
    }
}

/// Answers the SyncGroup of a member that waits. True if it did.
pub(super) fn answer_sync(
    group: &mut Group,
    member: &str,
    answer: Result<super::message::Assigned, Refusal>,
    out: &mut Effects,
) -> bool {
    let waiting = |member: &mut Member| member.syncing.take();
    let Some(waiter) = group.member_mut(member).and_then(waiting) else { return false };
    out.answer(waiter, GroupAnswer::Sync(answer));
    true
}
