//! What a request makes of a group: the records that follow, and the timers. Nothing has happened until it is carried out.

use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Effects, Now, Then, ms_after};
use super::super::records::Record;
use super::super::records::consumer::{
    ConsumerRecord, EpochValue, RegexValue, TargetEpochValue, TargetValue,
};
use super::super::timers::{Timer, Timers};
use super::member::{Assignment, ConsumerMember, target_value};
use super::{ConsumerGroup, Refresh, Resolved};

/// See the module.
#[derive(Debug)]
pub(crate) struct Plan {
    group: ByteString,
    pub(super) records: Vec<Record>,
    /// Milliseconds from now; `None` cancels.
    timers: Vec<(Timer, Option<i32>)>,
    refresh: Option<Refresh>,
    /// The group's regular expressions are to be looked up.
    resolve: bool,
}

impl Plan {
    pub(super) fn of(group: &ByteString) -> Plan {
        let group = group.clone();
        Plan { group, records: Vec::new(), timers: Vec::new(), refresh: None, resolve: false }
    }

    fn push(&mut self, record: ConsumerRecord) {
        self.records.push(Record::Consumer(self.group.clone(), record));
    }

    pub(super) fn epoch(&mut self, epoch: i32, metadata_hash: i64) {
        self.push(ConsumerRecord::Epoch(Some(EpochValue { epoch, metadata_hash })));
    }

    pub(super) fn metadata(&mut self, member: &ConsumerMember) {
        self.push(ConsumerRecord::Member(member.id.clone(), Some(member.metadata_value())));
    }

    pub(super) fn current(&mut self, member: &ConsumerMember) {
        self.push(ConsumerRecord::Current(member.id.clone(), Some(member.current_value())));
    }

    pub(super) fn target(&mut self, member: &ByteString, target: &Assignment) {
        let value = TargetValue { topic_partitions: target_value(target) };
        self.push(ConsumerRecord::Target(member.clone(), Some(value)));
    }

    pub(super) fn target_epoch(&mut self, assignment_epoch: i32, assignment_timestamp: i64) {
        let value = TargetEpochValue { assignment_epoch, assignment_timestamp };
        self.push(ConsumerRecord::TargetEpoch(Some(value)));
    }

    /// The record of Kafka 4.0 goes.
    pub(super) fn old_topics_gone(&mut self) {
        self.push(ConsumerRecord::Topics { live: false });
    }

    pub(super) fn regex(&mut self, regex: &ByteString, resolved: &Resolved) {
        let value = RegexValue {
            topics: resolved.topics.iter().cloned().collect(),
            version: resolved.version,
            timestamp: resolved.at,
        };
        self.push(ConsumerRecord::Regex(regex.clone(), Some(value)));
    }

    pub(super) fn regex_gone(&mut self, regex: &ByteString) {
        self.push(ConsumerRecord::Regex(regex.clone(), None));
    }

    pub(super) fn member_gone(&mut self, member: &ByteString) {
        self.push(ConsumerRecord::Current(member.clone(), None));
        self.push(ConsumerRecord::Target(member.clone(), None));
        self.push(ConsumerRecord::Member(member.clone(), None));
    }

    /// Everything of a group; one of its members may have another id by then.
    pub(super) fn group_gone(
        &mut self,
        group: &ConsumerGroup,
        renamed: Option<(&str, &ByteString)>,
    ) {
        let id = |member: &ConsumerMember| match renamed {
            Some((old, new)) if *old == *member.id => new.clone(),
            _ => member.id.clone(),
        };
        group.members().for_each(|m| self.push(ConsumerRecord::Current(id(m), None)));
        group.members().for_each(|m| self.push(ConsumerRecord::Target(id(m), None)));
        self.push(ConsumerRecord::TargetEpoch(None));
        group.members().for_each(|m| self.push(ConsumerRecord::Member(id(m), None)));
        group.resolved.keys().for_each(|regex| self.regex_gone(regex));
        self.old_topics_gone();
        self.push(ConsumerRecord::Epoch(None));
    }

    /// Everything of a group that comes to be with members.
    pub(super) fn group_made(&mut self, group: &ConsumerGroup) {
        group.members().for_each(|member| self.metadata(member));
        self.epoch(group.epoch, group.metadata_hash);
        group.members().for_each(|member| self.target(&member.id, &group.target(&member.id)));
        self.target_epoch(group.target_epoch, group.target_at);
        group.members().for_each(|member| self.current(member));
    }

    pub(super) fn time(
        &mut self,
        timer: fn(ByteString, ByteString) -> Timer,
        member: &ByteString,
        ms: i32,
    ) {
        self.timers.push((timer(self.group.clone(), member.clone()), Some(ms)));
    }

    /// Sets a timer that is not set.
    pub(super) fn time_once(
        &mut self,
        timers: &Timers,
        timer: fn(ByteString, ByteString) -> Timer,
        member: &ByteString,
        ms: i32,
    ) {
        if !timers.is_set(&timer(self.group.clone(), member.clone())) {
            self.time(timer, member, ms);
        }
    }

    pub(super) fn cancel(
        &mut self,
        timer: fn(ByteString, ByteString) -> Timer,
        member: &ByteString,
    ) {
        self.timers.push((timer(self.group.clone(), member.clone()), None));
    }

    pub(super) fn refresh(&mut self, refresh: Refresh) {
        self.refresh = Some(refresh);
    }

    pub(super) fn resolve(&mut self) {
        self.resolve = true;
    }
}

/// Timers of a member of a consumer group.
pub(super) const MEMBER_TIMERS: [fn(ByteString, ByteString) -> Timer; 4] =
    [Timer::Member, Timer::Revocation, Timer::ClassicJoin, Timer::ClassicSync];

impl Coordinator {
    /// Does what was planned: the records are in force when they are appended. One who waits for nothing new waits for what was
    /// written before.
    pub(in super::super) fn carry_out(
        &mut self,
        now: Now,
        plan: Plan,
        then: Then,
        out: &mut Effects,
    ) {
        for (timer, ms) in plan.timers {
            match ms {
                Some(ms) => self.timers.set(timer, now.ticks + ms_after(ms)),
                None => self.timers.cancel(&timer),
            }
        }
        if let Some(refresh) = plan.refresh
            && let Some(group) = self.consumers.get_mut(&plan.group)
        {
            group.refresh = refresh;
        }
        if plan.resolve {
            self.timers.set(Timer::Regexes(plan.group), now.ticks);
        }
        out.write(plan.records, then);
    }

    /// The records that take back a consumer group of that name.
    pub(in super::super) fn tombstones_of_consumers(&self, id: &ByteString) -> Vec<Record> {
        let mut plan = Plan::of(id);
        if let Some(group) = self.consumers.get(id) {
            plan.group_gone(group, None);
        }
        plan.records
    }
}
