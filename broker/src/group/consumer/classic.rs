//! Classic members of a consumer group: JoinGroup is their heartbeat with everything, SyncGroup tells what is assigned, Heartbeat that there
//! is something new, for which they join again.
//!
//! Nobody waits for the others, and nobody leads: a JoinGroup is answered at once, with the member's epoch for a generation.

use std::collections::BTreeSet;

use bytes::Bytes;
use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Effects, Now, Then};
use super::super::message::{
    Assigned, GroupAnswer, Heartbeat, Join, JoinRefused, Joined, Leave, Sync,
};
use super::super::timers::Timer;
use super::super::{Refusal, Refused, Waiter};
use super::heartbeat::{RegexChange, Step, dynamic, is_not_fenced, unknown};
use super::member::{Classic, ConsumerMember, MemberState};
use super::migrate::{Downgrade, PROTOCOL_TYPE};
use super::protocol::{self, Subscription};
use super::{ConsumerGroup, Plan, Refresh};

impl Coordinator {
    /// The group is a consumer group with members.
    pub(in super::super) fn join_consumer(
        &mut self,
        now: Now,
        join: Join,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        if let Err((refusal, member_id)) = self.join_as_classic(now, join, waiter, out) {
            out.answer(waiter, GroupAnswer::Join(Err(JoinRefused { refusal, member_id })));
        }
    }

    fn join_as_classic(
        &mut self,
        now: Now,
        join: Join,
        waiter: Waiter,
        out: &mut Effects,
    ) -> Result<(), (Refusal, ByteString)> {
        let refused = |refusal| (refusal, ByteString::new());
        let Some(group) = self.consumers.get(&join.group) else {
            return Err(refused(Refusal::UnknownMember));
        };
        let rules = &self.rules.consumer;
        if !rules.upgrade && !rules.downgrade {
            return Err(refused(Refusal::InconsistentProtocol));
        }
        let new = join.member_id.is_empty();
        let id = if new { join.new_member_id.clone() } else { join.member_id.clone() };
        self.has_room(group, &id).map_err(|full| refused(full.refusal))?;
        if !group.supports(&join.protocol_type, &join.protocols) {
            return Err(refused(Refusal::InconsistentProtocol));
        }
        if new && join.instance.is_none() && join.known_id_required {
            return Err((Refusal::MemberIdRequired, id));
        }
        let mut plan = Plan::of(&join.group);
        let before = match &join.instance {
            None => dynamic(group, &id, true),
            Some(instance) => self.of_instance(group, &id, instance, new, true, &mut plan),
        };
        let before = before.map_err(|cannot| refused(cannot.refusal))?;
        let first = join.protocols.first().cloned().unwrap_or_default();
        let Some(subscription) = protocol::read::<Subscription>(&first.1) else {
            return Err(refused(Refusal::Malformed));
        };
        let owns = protocol::by_id(&self.image, &subscription.owned_partitions);
        let session_ms = join.session_timeout_ms;
        let step = Step {
            now: as_it_says(&before, &join, subscription),
            before: &before,
            owns: Some(&owns),
        };
        let done = self.step_of_classic(now, group, step, &mut plan);
        let (member, downgrade) = done.map_err(|cannot| refused(cannot.refusal))?;
        let answer = GroupAnswer::Join(Ok(Joined {
            member_id: member.id.clone(),
            // Where a rebalance is owed the member has no epoch yet, and is told at its next request to join again.
            generation: downgrade.as_ref().map_or(member.epoch, Downgrade::generation),
            protocol_type: Some(ByteString::from_static(PROTOCOL_TYPE)),
            protocol: Some(first.0),
            leader: ByteString::new(),
            skip_assignment: false,
            members: Vec::new(),
        }));
        let mut then = Then::Answer(waiter, answer);
        match downgrade {
            Some(downgrade) => then = downgrade.then(then),
            None => {
                plan.cancel(Timer::ClassicJoin, &member.id);
                plan.time(Timer::Member, &member.id, session_ms);
                plan.time(Timer::ClassicSync, &member.id, join.rebalance_timeout_ms);
            }
        }
        self.carry_out(now, plan, then, out);
        Ok(())
    }

    /// The member after its step; if it was the last of the consumer protocol and comes back as a classic one, the group that is left.
    fn step_of_classic(
        &self,
        now: Now,
        group: &ConsumerGroup,
        step: Step<'_>,
        plan: &mut Plan,
    ) -> Result<(ConsumerMember, Option<Downgrade>), Refused> {
        Self::said(&step, plan);
        let regex = self.regex_change(now, group, &step, plan)?;
        let another = regex != RegexChange::Same;
        let known = step.now.instance.as_ref().and_then(|instance| group.of_instance(instance));
        let replaced = known.filter(|known| {
            let only = BTreeSet::from([known.id.clone()]);
            !known.is_classic() && self.may_downgrade(group, &only, group.size())
        });
        let Some(replaced) = replaced else {
            return Ok((self.step(now, group, step, regex, another, plan)?, None));
        };
        let changed = another || step.now.names != step.before.names;
        let epoch = self.raise(now, group, &step, changed, plan);
        let is_there =
            |m: &ConsumerMember| m.id == replaced.id || m.is_reconciled_to(group.target_epoch);
        let rebalance = group.target_epoch < epoch || !group.members().all(is_there);
        let member = match rebalance {
            true => step.now,
            false => {
                let target = group.target(&replaced.id);
                self.reconcile(group, step, changed, group.target_epoch, &target, plan)?
            }
        };
        let joining = Some((&member, &replaced.id));
        let downgrade = self.downgrade(now, group, &BTreeSet::new(), joining, rebalance, plan);
        let malformed = || Refused::new(Refusal::GroupNotFound, "");
        let downgrade = downgrade.ok_or_else(malformed)?;
        Ok((member, Some(downgrade)))
    }

    pub(in super::super) fn sync_consumer(
        &mut self,
        now: Now,
        sync: &Sync,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let mut plan = Plan::of(&sync.group);
        let answer = self.sync_as_classic(sync, &mut plan);
        let then = match answer {
            Ok(assigned) => Then::Answer(waiter, GroupAnswer::Sync(Ok(assigned))),
            Err(refusal) => {
                out.answer(waiter, GroupAnswer::Sync(Err(refusal)));
                Then::Nothing
            }
        };
        self.carry_out(now, plan, then, out);
    }

    fn sync_as_classic(&self, sync: &Sync, plan: &mut Plan) -> Result<Assigned, Refusal> {
        let group = self.consumers.get(&sync.group).ok_or(Refusal::UnknownMember)?;
        let (member, classic) = classic_of(group, &sync.member_id, sync.instance.as_deref())?;
        if member.epoch != sync.generation {
            return Err(Refusal::IllegalGeneration);
        }
        let (name, metadata) = classic.protocols.first().cloned().unwrap_or_default();
        let differs = |told: &Option<ByteString>, known: &str| {
            told.as_ref().is_some_and(|told| *told != *known)
        };
        if differs(&sync.protocol_type, PROTOCOL_TYPE) || differs(&sync.protocol, &name) {
            return Err(Refusal::InconsistentProtocol);
        }
        if group.target_epoch > member.epoch && member.state != MemberState::UnrevokedPartitions {
            self.must_join(member, plan);
            return Err(Refusal::Rebalancing);
        }
        plan.cancel(Timer::ClassicSync, &member.id);
        plan.time(Timer::Member, &member.id, classic.session_timeout_ms);
        Ok(Assigned {
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment: self.told_to_classic(member, &metadata),
        })
    }

    fn told_to_classic(&self, member: &ConsumerMember, metadata: &Bytes) -> Bytes {
        let own = |(id, own): (&uuid::Uuid, &std::collections::BTreeMap<i32, i32>)| {
            (*id, own.keys().copied().collect())
        };
        let target = member.assigned.iter().map(own).collect();
        self.assignment_of(&target, metadata).unwrap_or_default()
    }

    pub(in super::super) fn heartbeat_consumer(
        &mut self,
        now: Now,
        heartbeat: &Heartbeat,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let group = self.consumers.get(&heartbeat.group).ok_or(Refusal::UnknownMember)?;
        let instance = heartbeat.instance.as_deref();
        let (member, classic) = classic_of(group, &heartbeat.member_id, instance)?;
        if member.epoch != heartbeat.generation {
            return Err(Refusal::IllegalGeneration);
        }
        let mut plan = Plan::of(&heartbeat.group);
        plan.time(Timer::Member, &member.id, classic.session_timeout_ms);
        let joins = member.epoch < group.target_epoch
            || member.state == MemberState::UnrevokedPartitions
            || (member.state == MemberState::UnreleasedPartitions
                && !group.waits_for_others(member))
            || self.is_left_alone(now, group, &mut plan);
        if joins {
            self.must_join(member, &mut plan);
        }
        self.carry_out(now, plan, Then::Nothing, out);
        if joins { Err(Refusal::Rebalancing) } else { Ok(()) }
    }

    /// Whether the group waits for a JoinGroup to notice that its topics have changed, or to compute its target. Members of the consumer
    /// protocol do so with any heartbeat. Kafka (4.3) does not look: who is left may wait for good for what the last of those had.
    fn is_left_alone(&self, now: Now, group: &ConsumerGroup, plan: &mut Plan) -> bool {
        let stale = group.is_stale(now.wall_ms);
        let outdated = group.epoch > group.target_epoch && self.is_target_due(now, group);
        if !stale && !outdated || group.members().any(|member| !member.is_classic()) {
            return false;
        }
        let changed = stale && group.names.hash(&self.image) != group.metadata_hash;
        if stale && !changed {
            plan.refresh(Refresh::after(now.wall_ms, group.epoch));
        }
        changed || outdated
    }

    /// The member is to join again, within the time that it has for a rebalance.
    fn must_join(&self, member: &ConsumerMember, plan: &mut Plan) {
        plan.time_once(&self.timers, Timer::ClassicJoin, &member.id, member.rebalance_timeout_ms);
    }

    pub(in super::super) fn leave_as_classic(
        &mut self,
        now: Now,
        leave: &Leave,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let Some(group) = self.consumers.get(&leave.group) else { return };
        let mut leaving = BTreeSet::new();
        let mut one = |(id, instance): &(ByteString, Option<ByteString>)| {
            let member = match instance {
                None => group.member(id).ok_or(Refusal::UnknownMember)?,
                Some(instance) => {
                    let known = group.of_instance(instance).ok_or(Refusal::UnknownMember)?;
                    // An administrator names the instance alone.
                    if !id.is_empty() {
                        is_not_fenced(known, id, instance).map_err(|fenced| fenced.refusal)?;
                    }
                    known
                }
            };
            leaving.insert(member.id.clone());
            Ok(())
        };
        let left = leave.members.iter().map(&mut one).collect();
        let then = Then::Answer(waiter, GroupAnswer::Leave(Ok(left)));
        let group = leave.group.clone();
        self.fence(now, &group, &leaving, then, out);
    }
}

/// The classic member that goes by this id, and by this instance if it has one.
fn classic_of<'a>(
    group: &'a ConsumerGroup,
    id: &str,
    instance: Option<&str>,
) -> Result<(&'a ConsumerMember, &'a Classic), Refusal> {
    let member = match instance {
        None => group.member(id).ok_or_else(|| unknown(group, id).refusal)?,
        Some(instance) => {
            let known = group.of_instance(instance).ok_or(Refusal::UnknownMember)?;
            is_not_fenced(known, id, instance).map_err(|fenced| fenced.refusal)?;
            known
        }
    };
    let classic = member.classic.as_ref().ok_or(Refusal::UnknownMember)?;
    Ok((member, classic))
}

/// What a classic member says of itself over what is known. It has no regular expression.
fn as_it_says(before: &ConsumerMember, join: &Join, subscription: Subscription) -> ConsumerMember {
    let rack = subscription.rack_id.filter(|rack| !rack.is_empty());
    ConsumerMember {
        instance: join.instance.clone().or_else(|| before.instance.clone()),
        rack: rack.or_else(|| before.rack.clone()),
        rebalance_timeout_ms: match join.rebalance_timeout_ms {
            -1 => before.rebalance_timeout_ms,
            ms => ms,
        },
        names: subscription.topics.into_iter().collect(),
        regex: Some(ByteString::new()),
        client_id: join.client_id.clone(),
        client_host: join.client_host.clone(),
        classic: Some(Classic {
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols.clone(),
        }),
        ..before.clone()
    }
}
