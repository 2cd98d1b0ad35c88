//! The machine: the groups of one partition of `__consumer_offsets`.
//!
//! A call changes the state at once and says what is to be written. The caller appends the writes in their order, tells the machine
//! of each append ([`Coordinator::appended`]) and of its durability ([`Coordinator::written`]), and answers whom the effects name. What was refused
//! before it got its offset is told to `written` as well, with the reason.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use bytestring::ByteString;

use super::classic::Group;
use super::member::Member;
use super::message::{GroupAnswer, GroupRequest};
use super::offsets::Offsets;
use super::planted::Bug;
use super::records::{OtherKind, Record};
use super::timers::{Timer, Timers};
use super::{Refusal, Waiter};

/// The time of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Milliseconds since 1970: what records say.
    pub(crate) wall_ms: i64,
    /// Milliseconds since whenever, never backwards: what timeouts count.
    pub(crate) ticks: u64,
}

/// What the broker's configuration says of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) initial_delay_ms: i32,
    pub(crate) size_max: usize,
    /// UTF-16 units, as Java counts.
    pub(crate) metadata_max: usize,
    pub(crate) retention_ms: i64,
    pub(crate) expiry_every_ms: u64,
}

/// What is to be done after a call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) answers: Vec<(Waiter, GroupAnswer)>,
    /// To be appended in this order, each as one batch. One without records waits for those before it.
    pub(crate) writes: Vec<Write>,
}

#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) records: Vec<Record>,
    pub(crate) then: Then,
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
}

/// Records of groups of other protocols, which a directory that was taken over may hold.
#[derive(Debug)]
pub(super) struct Other {
    pub(crate) kind: OtherKind,
    /// Keys that are in force.
    pub(crate) keys: BTreeSet<Bytes>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Coordinator {
    pub(super) rules: Rules,
    pub(super) groups: HashMap<ByteString, Group>,
    pub(super) offsets: Offsets,
    pub(super) others: HashMap<ByteString, Other>,
    pub(super) timers: Timers,
    #[cfg(test)]
    pub(super) planted: Option<super::planted::Bug>,
}

impl Coordinator {
    /// Without groups: [`Coordinator::replay`] brings those of the log, [`Coordinator::loaded`] ends it.
    pub(crate) fn new(rules: Rules) -> Coordinator {
        Coordinator {
            rules,
            groups: HashMap::new(),
            offsets: Offsets::default(),
            others: HashMap::new(),
            timers: Timers::default(),
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
                let answer = GroupAnswer::Heartbeat(self.heartbeat(now, &heartbeat));
                out.answer(waiter, answer);
            }
            GroupRequest::Leave(leave) => self.leave(now, &leave, waiter, out),
            GroupRequest::Commit(commit) => self.commit(now, commit, waiter, out),
            GroupRequest::Fetch(fetch) => {
                let answer = GroupAnswer::Fetch(Ok(self.fetch(&fetch)));
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
            GroupRequest::Delete(groups) => self.delete(&groups, waiter, out),
            GroupRequest::List => out.answer(waiter, GroupAnswer::List(Ok(self.list()))),
        }
    }

    /// The write got its offset: its records are in force for what is asked from now on. Records of classic groups are not looked at,
    /// since the group has done what they tell.
    pub(crate) fn appended(&mut self, now: Now, write: &Write) {
        for record in &write.records {
            match record {
                Record::Offset(key, Some(value)) => {
                    self.keeps_offsets(now, &key.group);
                    self.offsets.put(key, value, i64::MAX);
                }
                Record::Offset(..) if self.has(Bug::TombstonesIgnored) => {}
                Record::Offset(key, None) => self.offsets.remove(key),
                Record::Group(group, None) => self.forget(group),
                Record::Other { group, .. } => drop(self.others.remove(group)),
                Record::Group(_, Some(_)) | Record::Unknown(_) => {}
            }
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
            (Then::Nothing, _) | (Then::Created(_), Ok(())) => {}
            (Then::Answer(waiter, answer), Ok(())) => out.answer(waiter, answer),
            (Then::Answer(waiter, answer), Err(refusal)) => {
                out.answer(waiter, answer.unwritten(refusal));
            }
            (Then::Created(group), Err(_)) => {
                if self.groups.get(&group).is_some_and(|group| group.size() == 0) {
                    self.forget(&group);
                }
            }
            (Then::Assigned { group, generation, assignments }, outcome) => {
                self.assigned(now, &group, generation, &assignments, outcome, out);
            }
            (Then::Replaced(replaced), outcome) => self.replaced(now, *replaced, outcome, out),
        }
    }

    /// When [`Coordinator::fire`] is to be called next, in ticks.
    pub(crate) fn next_timer(&self) -> Option<u64> {
        self.timers.next()
    }

    /// Does what is due.
    pub(crate) fn fire(&mut self, now: Now, out: &mut Effects) {
        while let Some(timer) = self.timers.pop(now.ticks) {
            match timer {
                Timer::Join(group) => self.join_phase_over(now, &group, out),
                Timer::Sync(group) => self.sync_phase_over(now, &group, out),
                Timer::Session(group, member) => self.session_over(now, &group, &member, out),
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
        (self.groups.len(), self.offsets.count())
    }

    /// A group that keeps offsets exists, if only for that.
    pub(super) fn keeps_offsets(&mut self, now: Now, id: &ByteString) {
        if !self.groups.contains_key(id) {
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

impl Effects {
    pub(super) fn answer(&mut self, waiter: Waiter, answer: GroupAnswer) {
        self.answers.push((waiter, answer));
    }

    pub(super) fn write(&mut self, records: Vec<Record>, then: Then) {
        self.writes.push(Write { records, then });
    }
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
