//! ShareGroupHeartbeat: a member joins or reports, and is told what it is to read.
//!
//! 1. What the member says of itself is recorded, if it is new. If the group reads something else now, the topics have changed, or
//!    partitions have got their state, the group's epoch is raised.
//! 2. If the target assignment is older than the group's epoch, it is computed, at most once in `assignment.interval.ms`.
//! 3. The member takes up its target.
//! 4. State of partitions that have none is to begin.

use std::collections::BTreeMap;

use bytestring::ByteString;
use storage::units::TopicId;

use super::super::consumer::Refresh;
use super::super::consumer::member::{Assignment, JOINING, LEAVING, target_value};
use super::super::coordinator::{Coordinator, Effects, Now, Then, ms_after};
use super::super::message::GroupAnswer;
use super::super::planted::Bug;
use super::super::records::Record;
use super::super::records::consumer::{TargetEpochValue, TargetValue};
use super::super::records::share::{ShareEpochValue, ShareRecord};
use super::super::timers::Timer;
use super::super::{Refusal, Refused, Waiter};
use super::assign::{self, Candidate};
use super::message::{ShareAnswer, ShareReport, ShareReported, StatesToBegin};
use super::{ShareGroup, ShareMember};

/// What a heartbeat makes of a group: nothing has happened until it is written.
struct Plan {
    group: ByteString,
    records: Vec<Record>,
    refresh: Option<Refresh>,
}

impl Plan {
    fn push(&mut self, record: ShareRecord) {
        self.records.push(Record::Share(self.group.clone(), record));
    }
}

impl Coordinator {
    pub(super) fn report_share(
        &mut self,
        now: Now,
        report: &ShareReport,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let done = match report.member_epoch {
            LEAVING => self.leave_share(report, waiter, out),
            _ => self.step_share(now, report, waiter, out),
        };
        if let Err(refused) = done {
            out.answer(waiter, GroupAnswer::Share(ShareAnswer::Report(Err(refused))));
        }
    }

    fn step_share(
        &mut self,
        now: Now,
        report: &ShareReport,
        waiter: Waiter,
        out: &mut Effects,
    ) -> Result<(), Refused> {
        let (id, joins) = (&report.group, report.member_epoch == JOINING);
        let made = self.share_group_for(id, joins)?;
        let Some(group) = made.as_ref().or_else(|| self.shares.get(id)) else {
            return Err(Refused::new(Refusal::NotAvailable, ""));
        };
        self.share_has_room(group, &report.member_id)?;
        let before = match group.member(&report.member_id) {
            Some(member) => member.clone(),
            None if joins => ShareMember::new(report.member_id.clone()),
            None => return Err(unknown(group, &report.member_id)),
        };
        if !joins {
            is_in_its_epoch(&before, report.member_epoch)?;
        }
        let mut plan = Plan { group: id.clone(), records: Vec::new(), refresh: None };
        let said = as_it_says(&before, report);
        if said != before {
            plan.push(ShareRecord::Member(said.id.clone(), Some(said.metadata_value())));
        }
        let mut raises = said.names != before.names;
        if group.target_epoch >= group.epoch {
            raises |= group.has_unassigned(&self.image) && !self.has(Bug::NewStateUnnoticed);
        }
        let (epoch, raised) = self.raise_share(now, group, &said, raises, &mut plan);
        let (target_epoch, target) = self.retarget_share(now, group, &said, epoch, &mut plan);
        let member = self.take_up(said, raised, target_epoch, &target);
        if (member.epoch, &member.assigned) != (before.epoch, &before.assigned) {
            plan.push(ShareRecord::Current(member.id.clone(), Some(member.current_value())));
        }
        let told = joins || report.names.is_some() || before.assigned != member.assigned;
        let begin = self.begin_states(now, group, &member, epoch, &mut plan);
        let plain = |assigned: &Assignment| {
            assigned.iter().map(|(topic, of)| (*topic, of.iter().copied().collect())).collect()
        };
        let reported = ShareReported {
            member_id: member.id.clone(),
            member_epoch: member.epoch,
            heartbeat_ms: self.share_heartbeat_ms(id),
            assignment: told.then(|| plain(&member.assigned)),
            begin,
        };
        let session = now.ticks + ms_after(self.share_session_ms(id));
        self.timers.set(Timer::Share(id.clone(), member.id), session);
        if let (Some(refresh), Some(group)) = (plan.refresh, self.shares.get_mut(id)) {
            group.refresh = refresh;
        }
        let answer = GroupAnswer::Share(ShareAnswer::Report(Ok(reported)));
        if self.has(Bug::ReportedAtAppend) {
            out.answer(waiter, answer);
            out.write(plan.records, Then::Nothing);
            return Ok(());
        }
        out.write(plan.records, Then::Answer(waiter, answer));
        Ok(())
    }

    /// The group that is to come to be, if there is none of that name.
    pub(super) fn share_group_for(
        &self,
        id: &ByteString,
        joins: bool,
    ) -> Result<Option<ShareGroup>, Refused> {
        if self.shares.contains_key(id) {
            return Ok(None);
        }
        if self.is_of_another_protocol(id) {
            let text = format!("Group {id} is not a share group.");
            return Err(Refused::new(Refusal::NotShareGroup, text));
        }
        if !joins {
            let text = format!("Share group {id} not found.");
            return Err(Refused::new(Refusal::GroupNotFound, text));
        }
        Ok(Some(ShareGroup::new(id.clone())))
    }

    fn share_has_room(&self, group: &ShareGroup, member: &str) -> Result<(), Refused> {
        let most = self.rules.share.size_max;
        if group.members.len() < most || group.member(member).is_some() {
            return Ok(());
        }
        let text = format!("The share group has reached its maximum capacity of {most} members.");
        Err(Refused::new(Refusal::GroupFull, text))
    }

    /// The group's epoch after the member's change, and whether it was raised.
    fn raise_share(
        &self,
        now: Now,
        group: &ShareGroup,
        said: &ShareMember,
        raises: bool,
        plan: &mut Plan,
    ) -> (i32, bool) {
        if !raises && !group.is_stale(now.wall_ms) {
            return (group.epoch, false);
        }
        let metadata_hash = group.names_with(&said.id, Some(said)).hash(&self.image);
        let raised = raises || metadata_hash != group.metadata_hash;
        let epoch = group.epoch + i32::from(raised);
        if raised {
            plan.push(ShareRecord::Epoch(Some(ShareEpochValue { epoch, metadata_hash })));
        }
        plan.refresh = Some(Refresh::after(now.wall_ms, epoch));
        (epoch, raised)
    }

    /// The target epoch, and the member's target.
    fn retarget_share(
        &self,
        now: Now,
        group: &ShareGroup,
        said: &ShareMember,
        epoch: i32,
        plan: &mut Plan,
    ) -> (i32, Assignment) {
        let interval = i64::from(self.share_assignment_interval_ms(&group.id));
        let due = group.target_at == 0
            || interval == 0
            || now.wall_ms >= group.target_at.saturating_add(interval);
        if group.target_epoch >= epoch || !due {
            return (group.target_epoch, group.target(&said.id));
        }
        let others = group.members().filter(|member| member.id != said.id);
        let candidate = |member: &ShareMember| Candidate {
            reads: self.topics_of(member),
            has: group.target(&member.id),
        };
        let members: BTreeMap<ByteString, Candidate> =
            others.chain([said]).map(|m| (m.id.clone(), candidate(m))).collect();
        let kept = group.states().kept();
        let assignable = match self.has(Bug::ReadWithoutState) {
            true => self.all_partitions(),
            false => kept.map(|(topic, _, of)| (*topic, of.clone())).collect(),
        };
        let mut targets = assign::simple(&members, &assignable);
        for (id, target) in &targets {
            if group.targets.get(id) != Some(target) {
                let value = TargetValue { topic_partitions: target_value(target) };
                plan.push(ShareRecord::Target(id.clone(), Some(value)));
            }
        }
        let value = TargetEpochValue { assignment_epoch: epoch, assignment_timestamp: now.wall_ms };
        plan.push(ShareRecord::TargetEpoch(Some(value)));
        (epoch, targets.remove(&said.id).unwrap_or_default())
    }

    /// Of every topic that there is.
    fn all_partitions(&self) -> Assignment {
        let all = self.image.topics();
        all.map(|topic| (topic.id.0, topic.partitions().map(|(p, _)| p).collect())).collect()
    }

    /// The member with its target, of which it has what it reads.
    fn take_up(
        &self,
        said: ShareMember,
        raised: bool,
        target_epoch: i32,
        target: &Assignment,
    ) -> ShareMember {
        if !raised && said.epoch == target_epoch {
            return said;
        }
        let reads = self.topics_of(&said);
        let assigned: Assignment = target
            .iter()
            .filter(|(topic, _)| reads.contains(*topic))
            .map(|(topic, partitions)| (*topic, partitions.clone()))
            .collect();
        if said.epoch == target_epoch {
            return ShareMember { assigned, ..said };
        }
        // It keeps the epoch before, since the answer that tells the new one may be lost.
        ShareMember { previous_epoch: said.epoch, epoch: target_epoch, assigned, ..said }
    }

    /// State of partitions that members read and that have none is to begin.
    fn begin_states(
        &self,
        now: Now,
        group: &ShareGroup,
        member: &ShareMember,
        state_epoch: i32,
        plan: &mut Plan,
    ) -> Option<StatesToBegin> {
        let names = group.names_with(&member.id, Some(member));
        let retry = match self.has(Bug::StateNeverRetried) {
            true => i64::MAX,
            false => self.rules.share.initialize_retry_ms,
        };
        let missing = group.states().missing(names.iter(), &self.image, now.wall_ms, retry);
        if missing.is_empty() {
            return None;
        }
        let next = group.states().beginning(&missing, &self.image, now.wall_ms);
        let next = next.without(|topic| self.image.topic(TopicId(*topic)).is_none());
        plan.push(ShareRecord::States(Some(next.value())));
        Some(StatesToBegin { state_epoch, topics: missing })
    }
}

fn unknown(group: &ShareGroup, member: &str) -> Refused {
    let text = format!("Member {member} is not a member of group {}.", group.id);
    Refused::new(Refusal::UnknownMember, text)
}

/// A member reports in its epoch, or in the one before: the answer that told it the new one may have been lost.
fn is_in_its_epoch(member: &ShareMember, told: i32) -> Result<(), Refused> {
    let (known, previous) = (member.epoch, member.previous_epoch);
    let text = if told > known {
        format!(
            "The share group member has a greater member epoch ({told}) than the one known by the group coordinator ({known}). The member must abandon all its partitions and rejoin."
        )
    } else if told < known && told != previous {
        format!(
            "The share group member has a smaller member epoch ({told}) than the one known by the group coordinator ({known}), and it does not match the previous member epoch ({previous}). The member must abandon all its partitions and rejoin."
        )
    } else {
        return Ok(());
    };
    Err(Refused::new(Refusal::FencedMemberEpoch, text))
}

/// What a member says of itself over what is known.
fn as_it_says(before: &ShareMember, report: &ShareReport) -> ShareMember {
    let names = report.names.as_ref();
    ShareMember {
        client_id: report.client_id.clone(),
        client_host: report.client_host.clone(),
        rack: report.rack.clone().or_else(|| before.rack.clone()),
        names: names.map_or_else(|| before.names.clone(), |names| names.iter().cloned().collect()),
        ..before.clone()
    }
}
