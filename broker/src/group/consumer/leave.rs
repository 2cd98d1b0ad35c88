//! How members of a consumer group go: they say so, their session ends, they do not give up in time what they are to give up, or (classic
//! ones) do not join or sync in time. The group's epoch is raised, and with the last member of the consumer protocol the group goes
//! back to the classic one (`migrate`).
//!
//! A static member that says that it will be back keeps its place until its session ends.

use std::collections::BTreeSet;

use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Effects, Now, Then};
use super::super::message::{GroupAnswer, Report, Reported};
use super::super::timers::Timer;
use super::super::{Refusal, Refused, Waiter};
use super::heartbeat::{is_not_fenced, unknown};
use super::member::{ConsumerMember, LEAVING_FOR_NOW, MemberState, Owned};
use super::{ConsumerGroup, Plan};

impl Coordinator {
    pub(super) fn leave_consumer(
        &mut self,
        now: Now,
        report: &Report,
        waiter: Waiter,
        out: &mut Effects,
    ) -> Result<(), Refused> {
        let id = &report.group;
        let group = self.consumers.get(id).ok_or_else(|| self.no_consumer_group(id))?;
        let member = match &report.instance {
            None => {
                let member = group.member(&report.member_id);
                member.ok_or_else(|| unknown(group, &report.member_id))?
            }
            Some(instance) => {
                let text = || format!("Instance id {instance} is unknown.");
                let known = group.of_instance(instance);
                let known = known.ok_or_else(|| Refused::new(Refusal::UnknownMember, text()))?;
                is_not_fenced(known, &report.member_id, instance)?;
                known
            }
        };
        let answer = GroupAnswer::Report(Ok(Reported {
            member_id: report.member_id.clone(),
            member_epoch: report.member_epoch,
            heartbeat_ms: 0,
            assignment: None,
        }));
        let then = Then::Answer(waiter, answer);
        if report.member_epoch == LEAVING_FOR_NOW && report.instance.is_some() {
            let mut plan = Plan::of(id);
            plan.current(&absent(member));
            plan.cancel(Timer::Revocation, &member.id);
            self.carry_out(now, plan, then, out);
        } else {
            let member = BTreeSet::from([member.id.clone()]);
            self.fence(now, id, &member, then, out);
        }
        Ok(())
    }

    /// Why there is no consumer group of that name.
    pub(in super::super) fn no_consumer_group(&self, id: &str) -> Refused {
        match self.groups.contains_key(id) || self.is_other(id) {
            true => {
                let text = format!("Group {id} is not a consumer group.");
                Refused::new(Refusal::NotConsumerGroup, text)
            }
            false => Refused::new(Refusal::GroupNotFound, format!("Group {id} not found.")),
        }
    }

    /// Takes members out of a group. With the last of the consumer protocol the group becomes a classic one.
    pub(super) fn fence(
        &mut self,
        now: Now,
        id: &ByteString,
        members: &BTreeSet<ByteString>,
        then: Then,
        out: &mut Effects,
    ) {
        let Some(group) = self.consumers.get(id) else { return };
        let mut plan = Plan::of(id);
        if members.is_empty() {
            return self.carry_out(now, plan, then, out);
        }
        if self.may_downgrade(group, members, group.size() - members.len())
            && let Some(downgrade) = self.downgrade(now, group, members, None, true, &mut plan)
        {
            return self.carry_out(now, plan, downgrade.then(then), out);
        }
        members.iter().for_each(|member| plan.member_gone(member));
        let regexes = without_readers(group, members);
        regexes.iter().for_each(|regex| plan.regex_gone(regex));
        let hash = group.names_without(members, &regexes).hash(&self.image);
        plan.epoch(group.epoch + 1, hash);
        self.carry_out(now, plan, then, out);
    }

    /// A member's time is up. One whose time to give something up is up may have done so. If it cannot be recorded it is tried again.
    pub(in super::super) fn member_over(&mut self, now: Now, timer: Timer, out: &mut Effects) {
        let (Timer::Member(id, member)
        | Timer::Revocation(id, member)
        | Timer::ClassicJoin(id, member)
        | Timer::ClassicSync(id, member)) = timer.clone()
        else {
            return;
        };
        let known = self.consumers.get(&id).and_then(|group| group.member(&member));
        let revokes = |m: &ConsumerMember| m.state == MemberState::UnrevokedPartitions;
        let waits = |m: &ConsumerMember| !matches!(timer, Timer::Revocation(..)) || revokes(m);
        if known.is_some_and(waits) {
            self.fence(now, &id, &BTreeSet::from([member]), Then::Again(timer), out);
        }
    }
}

/// A static member that will be back: its partitions are kept for it.
fn absent(member: &ConsumerMember) -> ConsumerMember {
    let mut assigned = member.assigned.clone();
    assigned.values_mut().flat_map(|of| of.values_mut()).for_each(|epoch| *epoch = 0);
    let epoch = LEAVING_FOR_NOW;
    ConsumerMember { epoch, assigned, revoking: Owned::new(), ..member.clone() }
}

/// Regular expressions that nobody reads by when these members are gone.
fn without_readers(group: &ConsumerGroup, members: &BTreeSet<ByteString>) -> BTreeSet<ByteString> {
    let stay = |member: &&ConsumerMember| !members.contains(&member.id);
    let kept: BTreeSet<_> =
        group.members().filter(stay).filter_map(ConsumerMember::regex).collect();
    group.regexes.keys().filter(|regex| !kept.contains(regex)).cloned().collect()
}
