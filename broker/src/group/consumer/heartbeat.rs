//! ConsumerGroupHeartbeat: a member joins or reports, and is told its next step.
//!
//! 1. What the member says of itself is recorded, if it is new. If the group reads something else now, or the topics have changed,
//!    the group's epoch is raised.
//! 2. If the target assignment is older than the group's epoch, it is computed, at most once in `assignment.interval.ms`.
//! 3. The member makes its next step towards its target (`reconcile`).
//!
//! Classic members of a consumer group take the same steps with their JoinGroup (`classic`).

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::super::classic::Group;
use super::super::coordinator::{Coordinator, Effects, Now, Then};
use super::super::message::{GroupAnswer, Report, Reported};
use super::super::planted::Bug;
use super::super::timers::Timer;
use super::super::{Refusal, Refused, Waiter};
use super::member::{
    Assignment, ConsumerMember, JOINING, LEAVING, LEAVING_FOR_NOW, MemberState, Owned,
};
use super::reconcile::{self, Goal};
use super::{ConsumerGroup, Plan};

/// What a step makes of a member.
pub(super) struct Step<'a> {
    /// As it was; new, or the static member that it replaces, under its new id.
    pub(super) before: &'a ConsumerMember,
    /// As it says that it is.
    pub(super) now: ConsumerMember,
    /// What it says that it owns.
    pub(super) owns: Option<&'a [(uuid::Uuid, Vec<i32>)]>,
}

/// What of the regular expression of a member has changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RegexChange {
    Same,
    Another,
    /// Another one, whose topics are known.
    Known,
}

impl Coordinator {
    pub(in super::super) fn report(
        &mut self,
        now: Now,
        report: &Report,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let done = match report.member_epoch {
            LEAVING | LEAVING_FOR_NOW => self.leave_consumer(now, report, waiter, out),
            _ => self.step_of(now, report, waiter, out),
        };
        if let Err(refused) = done {
            out.answer(waiter, GroupAnswer::Report(Err(refused)));
        }
    }

    fn step_of(
        &mut self,
        now: Now,
        report: &Report,
        waiter: Waiter,
        out: &mut Effects,
    ) -> Result<(), Refused> {
        let id = &report.group;
        let mut plan = Plan::of(id);
        let joins = report.member_epoch == JOINING;
        // What a classic group was about to assign nobody will tell its members any more, and who comes in the place of one of them
        // raises nothing by that.
        let unsettled = self.groups.get(id).is_some_and(Group::rebalances);
        let made = self.consumer_group_for(id, joins, &mut plan, out)?;
        let Some(group) = made.as_ref().or_else(|| self.consumers.get(id)) else {
            return Err(Refused::new(Refusal::NotAvailable, ""));
        };
        let member_id = match report.member_id.is_empty() {
            true => &report.new_member_id,
            false => &report.member_id,
        };
        self.has_room(group, member_id)?;
        let before = match &report.instance {
            None => dynamic(group, member_id, joins)?,
            Some(instance) => {
                self.of_instance(group, member_id, instance, joins, false, &mut plan)?
            }
        };
        if !joins {
            is_in_its_epoch(&before, report)?;
        }
        let step = Step {
            now: as_it_says(&before, report),
            before: &before,
            owns: report.owns.as_deref(),
        };
        Self::said(&step, &mut plan);
        let regex = self.regex_change(now, group, &step, &mut plan)?;
        let raises = regex == RegexChange::Known || unsettled;
        let member = self.step(now, group, step, regex, raises, &mut plan)?;
        plan.time(Timer::Member, member_id, self.session_ms(id));
        let full = report.rebalance_timeout_ms != -1
            && (report.names.is_some() || report.regex.is_some())
            && report.owns.is_some();
        let told = joins || full || before.assigned != member.assigned;
        let reported = Reported {
            member_id: member.id.clone(),
            member_epoch: member.epoch,
            heartbeat_ms: self.heartbeat_ms(id),
            assignment: told.then(|| plain(&member.assigned)),
        };
        let answer = GroupAnswer::Report(Ok(reported));
        if self.has(Bug::ReportedAtAppend) {
            out.answer(waiter, answer);
            self.carry_out(now, plan, Then::Nothing, out);
            return Ok(());
        }
        self.carry_out(now, plan, Then::Answer(waiter, answer), out);
        Ok(())
    }

    /// The group that is to come to be, if there is none of that name or one that becomes a consumer group.
    fn consumer_group_for(
        &mut self,
        id: &ByteString,
        joins: bool,
        plan: &mut Plan,
        out: &mut Effects,
    ) -> Result<Option<ConsumerGroup>, Refused> {
        let not_one = || {
            let text = format!("Group {id} is not a consumer group.");
            Err(Refused::new(Refusal::NotConsumerGroup, text))
        };
        if self.consumers.contains_key(id) {
            return Ok(None);
        }
        if self.is_other(id) {
            return not_one();
        }
        if self.groups.contains_key(id) {
            return if joins { self.upgrade(id, plan, out).map(Some) } else { not_one() };
        }
        if !joins {
            let text = format!("Consumer group {id} not found.");
            return Err(Refused::new(Refusal::GroupNotFound, text));
        }
        Ok(Some(ConsumerGroup::new(id.clone())))
    }

    pub(super) fn has_room(&self, group: &ConsumerGroup, member: &str) -> Result<(), Refused> {
        let most = self.rules.consumer.size_max;
        if group.size() < most || group.member(member).is_some() {
            return Ok(());
        }
        let text =
            format!("The consumer group has reached its maximum capacity of {most} members.");
        Err(Refused::new(Refusal::GroupFull, text))
    }

    /// The static member: a new one, one that takes another's place, or the one that there is.
    pub(super) fn of_instance(
        &self,
        group: &ConsumerGroup,
        member: &ByteString,
        instance: &ByteString,
        joins: bool,
        classic: bool,
        plan: &mut Plan,
    ) -> Result<ConsumerMember, Refused> {
        let known = group.of_instance(instance);
        if !joins {
            let unknown = || {
                Refused::new(Refusal::UnknownMember, format!("Instance id {instance} is unknown."))
            };
            let known = known.ok_or_else(unknown)?;
            is_not_fenced(known, member, instance)?;
            return Ok(known.clone());
        }
        let Some(known) = known else {
            return Ok(group
                .member(member)
                .cloned()
                .unwrap_or_else(|| ConsumerMember::new(member.clone())));
        };
        if !classic && !known.is_classic() && known.epoch != LEAVING_FOR_NOW {
            let text = format!(
                "Static member {member} with instance id {instance} cannot join the group because the instance id is owned by {} member.",
                known.id
            );
            return Err(Refused::new(Refusal::UnreleasedInstance, text));
        }
        let replacing = ConsumerMember {
            id: member.clone(),
            epoch: JOINING,
            previous_epoch: 0,
            ..known.clone()
        };
        if known.id != *member {
            plan.member_gone(&known.id);
        }
        plan.metadata(&replacing);
        plan.target(member, &group.target(&known.id));
        plan.current(&replacing);
        Ok(replacing)
    }

    /// What a member says of itself is recorded if it is new.
    pub(super) fn said(step: &Step<'_>, plan: &mut Plan) {
        if step.now != *step.before {
            plan.metadata(&step.now);
        }
    }

    /// Steps 1 to 3. `raises`: the change of the regular expression raises the group's epoch.
    pub(super) fn step(
        &self,
        now: Now,
        group: &ConsumerGroup,
        step: Step<'_>,
        regex: RegexChange,
        raises: bool,
        plan: &mut Plan,
    ) -> Result<ConsumerMember, Refused> {
        let renamed = step.now.names != step.before.names;
        let changed = renamed || regex != RegexChange::Same;
        let epoch = self.raise(now, group, &step, renamed || raises, plan);
        let (target_epoch, target) = self.retarget(now, group, &step, epoch, plan);
        self.reconcile(group, step, changed, target_epoch, &target, plan)
    }

    pub(super) fn reconcile(
        &self,
        group: &ConsumerGroup,
        step: Step<'_>,
        changed: bool,
        target_epoch: i32,
        target: &Assignment,
        plan: &mut Plan,
    ) -> Result<ConsumerMember, Refused> {
        let member = step.now;
        if !changed && member.is_reconciled_to(target_epoch) {
            return Ok(member);
        }
        let reads = group.topics_of(&member, &self.image);
        let goal = Goal {
            target_epoch,
            target,
            reads: &reads,
            changed,
            owns: step.owns,
            hurries: self.has(Bug::GivenWhileOwned),
        };
        let Some(next) = reconcile::next(group, &member, &goal) else {
            let text = "The consumer group member is in a unknown state. The member must abandon all its partitions and rejoin.";
            return Err(Refused::new(Refusal::FencedMemberEpoch, text));
        };
        if next != member {
            plan.current(&next);
            if next.state == MemberState::UnrevokedPartitions && !next.is_classic() {
                plan.time(Timer::Revocation, &next.id, next.rebalance_timeout_ms);
            } else if !next.is_classic() {
                plan.cancel(Timer::Revocation, &next.id);
            }
        }
        Ok(next)
    }
}

/// The member, or a new one.
pub(super) fn dynamic(
    group: &ConsumerGroup,
    id: &ByteString,
    joins: bool,
) -> Result<ConsumerMember, Refused> {
    match group.member(id) {
        Some(member) => Ok(member.clone()),
        None if joins => Ok(ConsumerMember::new(id.clone())),
        None => Err(unknown(group, id)),
    }
}

pub(super) fn unknown(group: &ConsumerGroup, member: &str) -> Refused {
    let text = format!("Member {member} is not a member of group {}.", group.id);
    Refused::new(Refusal::UnknownMember, text)
}

/// Whether the instance is this member's still.
pub(super) fn is_not_fenced(
    known: &ConsumerMember,
    member: &str,
    instance: &str,
) -> Result<(), Refused> {
    if known.id == member {
        return Ok(());
    }
    let by = &known.id;
    let text =
        format!("Static member {member} with instance id {instance} was fenced by member {by}.");
    Err(Refused::new(Refusal::FencedInstance, text))
}

/// A member reports in its epoch; in the one before only if the answer that told it the new one may have been lost.
fn is_in_its_epoch(member: &ConsumerMember, report: &Report) -> Result<(), Refused> {
    let (told, known) = (report.member_epoch, member.epoch);
    let within = |owned: &Owned| {
        let has =
            |topic, partition| owned.get(topic).is_some_and(|own| own.contains_key(partition));
        let owns = report.owns.as_ref();
        owns.is_some_and(|owns| {
            owns.iter()
                .all(|(topic, own)| own.iter().all(|p| has(topic, p)) && owned.contains_key(topic))
        })
    };
    let than = match told {
        _ if told == known => return Ok(()),
        _ if told > known => "greater",
        _ if told == member.previous_epoch && within(&member.assigned) => return Ok(()),
        _ => "smaller",
    };
    let text = format!(
        "The consumer group member has a {than} member epoch ({told}) than the one known by the group coordinator ({known}). The member must abandon all its partitions and rejoin."
    );
    Err(Refused::new(Refusal::FencedMemberEpoch, text))
}

/// What a member says of itself over what is known.
fn as_it_says(before: &ConsumerMember, report: &Report) -> ConsumerMember {
    let mut member = ConsumerMember {
        client_id: report.client_id.clone(),
        client_host: report.client_host.clone(),
        classic: None,
        ..before.clone()
    };
    if report.instance.is_some() {
        member.instance = report.instance.clone();
    }
    if report.rack.is_some() {
        member.rack = report.rack.clone();
    }
    if report.rebalance_timeout_ms != -1 {
        member.rebalance_timeout_ms = report.rebalance_timeout_ms;
    }
    if report.assignor.is_some() {
        member.assignor = report.assignor.clone();
    }
    if let Some(names) = &report.names {
        member.names = names.iter().cloned().collect();
    }
    if report.regex.is_some() {
        member.regex = report.regex.clone();
    }
    member
}

/// Without epochs.
fn plain(owned: &Owned) -> Vec<(uuid::Uuid, Vec<i32>)> {
    let topic = |(topic, partitions): (&uuid::Uuid, &BTreeMap<i32, i32>)| {
        (*topic, partitions.keys().copied().collect())
    };
    owned.iter().map(topic).collect()
}
