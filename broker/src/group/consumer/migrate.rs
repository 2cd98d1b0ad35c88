//! From the classic protocol to the consumer protocol and back, member by member, as far as `group.consumer.migration.policy` lets them.
//!
//! - A classic group of consumers becomes a consumer group when the first member of that protocol joins: its members stay, with what they
//!   were assigned. An empty one, whatever it was for, makes room.
//! - A consumer group becomes a classic one when its last member of the consumer protocol leaves, or comes back as a classic one.
//!
//! Either way one batch of records takes back what the group was and says what it is.
//!
//! A group that becomes a classic one and is to rebalance may become a consumer group again before it has. So its members are taken to have
//! what they do have, not what they were to have, and its record names no leader: a rebalance is owed, after a load too.

use std::collections::BTreeSet;

use bytes::Bytes;
use bytestring::ByteString;

use super::super::classic::{CONSUMER, Group, State};
use super::super::coordinator::{Coordinator, Effects, Now, Then, answer_join, answer_sync};
use super::super::member::Member;
use super::super::planted::Bug;
use super::super::records::Record;
use super::super::timers::Timer;
use super::super::{Refusal, Refused};
use super::member::{Assignment, Classic, ConsumerMember, owned_in};
use super::protocol::{self, Assigned, Subscription};
use super::{ConsumerGroup, Plan};

/// A group that becomes a classic one.
pub(super) struct Downgrade {
    group: Group,
    /// Its members are to join again.
    rebalance: bool,
}

impl Downgrade {
    pub(super) fn generation(&self) -> i32 {
        self.group.generation
    }

    pub(super) fn then(self, then: Then) -> Then {
        let group = Box::new(self.group);
        Then::Downgraded { group, rebalance: self.rebalance, then: Box::new(then) }
    }
}

impl Coordinator {
    /// The consumer group that a classic one becomes, or makes room for.
    pub(super) fn upgrade(
        &mut self,
        id: &ByteString,
        plan: &mut Plan,
        out: &mut Effects,
    ) -> Result<ConsumerGroup, Refused> {
        let keeps_record = self.has(Bug::UpgradeKeepsRecord);
        let rules = &self.rules.consumer;
        let Some(group) = self.groups.get_mut(id) else {
            return Ok(ConsumerGroup::new(id.clone()));
        };
        if !keeps_record {
            plan.records.push(Record::Group(id.clone(), None));
        }
        if group.is(State::Empty) {
            return Ok(ConsumerGroup::new(id.clone()));
        }
        let refuse = |why: &str| {
            let text =
                format!("Cannot upgrade classic group {id} to consumer group because {why}.");
            Err(Refused::new(Refusal::NotConsumerGroup, text))
        };
        if !rules.upgrade {
            return refuse("online upgrade is disabled");
        }
        if !group.is_consumers() {
            return refuse("the group does not use the consumer embedded protocol");
        }
        if group.size() > rules.size_max {
            return refuse("the group size exceeds the consumer group maximum size");
        }
        // Whoever waits joins again, and then a consumer group.
        for member in group.member_ids() {
            answer_join(group, &member, Err((Refusal::Rebalancing, member.clone())), out);
            answer_sync(group, &member, Err(Refusal::Rebalancing), out);
        }
        let protocol = group.protocol.clone().or_else(|| group.choose_protocol());
        // Before its first rebalance has ended a group has none; epochs begin with 1.
        let generation = group.generation.max(1);
        let mut upgraded = ConsumerGroup::new(id.clone());
        upgraded.epoch = generation;
        upgraded.target_epoch = generation;
        for member in group.members() {
            let (subscription, assigned) = match said(member, protocol.as_deref()) {
                Ok(said) => said,
                Err(why) => return refuse(why),
            };
            let target = protocol::as_target(&self.image, &assigned.assigned_partitions);
            if upgraded.has_owner_of_any(&target) {
                let text = format!("Members of the classic group {id} share partitions.");
                return Err(Refused::new(Refusal::Malformed, text));
            }
            upgraded.targets.insert(member.id.clone(), target.clone());
            upgraded.put(upgraded_member(member, subscription, &target, generation));
        }
        upgraded.metadata_hash = upgraded.names.hash(&self.image);
        plan.group_made(&upgraded);
        for member in upgraded.members() {
            let session = member.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
            plan.time(Timer::Member, &member.id, session);
        }
        Ok(upgraded)
    }

    /// Whether a group becomes a classic one when these members are gone, and so many are left.
    pub(super) fn may_downgrade(
        &self,
        group: &ConsumerGroup,
        leaving: &BTreeSet<ByteString>,
        left: usize,
    ) -> bool {
        group.is_classic_without(leaving)
            && left > 0
            && self.rules.consumer.downgrade
            && left <= self.rules.size_max
    }

    /// The classic group that is left without `leaving`; `joining` is a static member that comes back as a classic one. It rebalances at
    /// once, or its members have their targets. `None` if what a member said cannot be read.
    pub(super) fn downgrade(
        &self,
        now: Now,
        group: &ConsumerGroup,
        leaving: &BTreeSet<ByteString>,
        joining: Option<(&ConsumerMember, &ByteString)>,
        rebalance: bool,
        plan: &mut Plan,
    ) -> Option<Downgrade> {
        let replaced = joining.map(|(_, replaced)| replaced);
        let stays = |m: &&ConsumerMember| !leaving.contains(&m.id) && Some(&m.id) != replaced;
        let all = group.members().filter(stays).chain(joining.map(|(member, _)| member));
        let members: Vec<Member> = all.map(downgraded_member).collect::<Option<_>>()?;
        let mut classic = Group::stable(group.id.clone(), group.epoch, members, now.wall_ms);
        let protocol = classic.protocol.clone()?;
        for id in classic.member_ids() {
            let known = match joining {
                Some((joining, replaced)) if joining.id == id => replaced,
                _ => &id,
            };
            let has = match rebalance && !self.has(Bug::DowngradeTakesTargets) {
                true => group.member(known).map(ConsumerMember::held).unwrap_or_default(),
                false => group.target(known),
            };
            let member = classic.member_mut(&id)?;
            member.assignment = self.assignment_of(&has, &member.metadata(&protocol))?;
        }
        if !self.has(Bug::DowngradeKeepsRecords) {
            plan.group_gone(group, joining.map(|(joining, replaced)| (&**replaced, &joining.id)));
        }
        let mut value = classic.value(|member| member.assignment.clone());
        if rebalance {
            value.leader = None;
        }
        plan.records.push(Record::Group(group.id.clone(), Some(value)));
        Some(Downgrade { group: classic, rebalance })
    }

    /// What a classic member is told, in the version of what it said.
    pub(super) fn assignment_of(&self, target: &Assignment, metadata: &Bytes) -> Option<Bytes> {
        let partitions = target.iter().map(|(id, of)| (*id, of.iter().copied().collect()));
        let assigned = protocol::assigned(&self.image, partitions);
        Some(protocol::written(&assigned, protocol::version(metadata)?))
    }

    /// The records of the change are in the log: the classic group is in force.
    pub(in super::super) fn downgraded(
        &mut self,
        now: Now,
        group: &Group,
        rebalance: bool,
        out: &mut Effects,
    ) {
        let id = group.id.clone();
        self.forget_consumer(&id);
        self.groups.insert(id.clone(), group.clone());
        for member in group.members() {
            self.session(now, &id, &member.id, member.session_timeout_ms);
        }
        if rebalance {
            self.prepare_rebalance(now, &id, out);
        }
    }
}

/// What a classic member reads, and was assigned; why the group cannot be taken over, if it cannot be read.
fn said(member: &Member, protocol: Option<&str>) -> Result<(Subscription, Assigned), &'static str> {
    let malformed = "the embedded consumer protocol is malformed";
    let bytes = member.metadata(protocol.unwrap_or_default());
    let subscription = protocol::read(&bytes).ok_or(malformed)?;
    // Empty until its first assignment.
    let assigned = match member.assignment.is_empty() {
        true => Assigned::default(),
        false => protocol::read(&member.assignment).ok_or(malformed)?,
    };
    if assigned.user_data.as_ref().is_some_and(|data| !data.is_empty()) {
        return Err(
            "an unsupported custom assignor is in use. Please refer to the documentation or switch to a default assignor before re-attempting the upgrade",
        );
    }
    Ok((subscription, assigned))
}

fn upgraded_member(
    member: &Member,
    subscription: Subscription,
    target: &Assignment,
    generation: i32,
) -> ConsumerMember {
    ConsumerMember {
        epoch: generation,
        previous_epoch: generation,
        instance: member.instance.clone(),
        rack: subscription.rack_id.filter(|rack| !rack.is_empty()),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        names: subscription.topics.into_iter().collect(),
        assigned: owned_in(target, generation),
        classic: Some(Classic {
            session_timeout_ms: member.session_timeout_ms,
            protocols: member.protocols.clone(),
        }),
        ..ConsumerMember::new(member.id.clone())
    }
}

fn downgraded_member(member: &ConsumerMember) -> Option<Member> {
    let classic = member.classic.as_ref()?;
    Some(Member {
        id: member.id.clone(),
        instance: member.instance.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        rebalance_timeout_ms: member.rebalance_timeout_ms,
        session_timeout_ms: classic.session_timeout_ms,
        protocols: classic.protocols.clone(),
        assignment: Bytes::new(),
        is_new: false,
        joining: None,
        syncing: None,
    })
}

/// The protocol type of a group that can change its protocol.
pub(super) const PROTOCOL_TYPE: &str = CONSUMER;
