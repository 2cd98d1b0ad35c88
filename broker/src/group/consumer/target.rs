//! When a group's epoch is raised, and what is to be assigned in it: a target for each member, computed by the assignor that most of
//! them ask for, as far as `consumer.assignment.interval.ms` lets it be computed again.

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Now};
use super::assign::{self, Candidate, Question};
use super::heartbeat::Step;
use super::member::Assignment;
use super::{ConsumerGroup, Plan, Refresh};

impl Coordinator {
    /// The group's epoch after the member's change.
    pub(super) fn raise(
        &self,
        now: Now,
        group: &ConsumerGroup,
        step: &Step<'_>,
        raises: bool,
        plan: &mut Plan,
    ) -> i32 {
        if !raises && !group.is_stale(now.wall_ms) {
            return group.epoch;
        }
        let names = group.names_with(step.before, Some(&step.now));
        let hash = names.hash(&self.image);
        let mut epoch = group.epoch;
        if raises || hash != group.metadata_hash {
            epoch += 1;
            plan.epoch(epoch, hash);
        }
        plan.refresh(Refresh::after(now.wall_ms, epoch));
        if group.old_topics {
            plan.old_topics_gone();
        }
        epoch
    }

    /// Whether the group's assignment interval lets the target be computed again.
    pub(super) fn is_target_due(&self, now: Now, group: &ConsumerGroup) -> bool {
        let interval = i64::from(self.assignment_interval_ms(&group.id));
        group.target_at == 0
            || interval == 0
            || now.wall_ms >= group.target_at.saturating_add(interval)
    }

    /// The target epoch, and the member's target.
    pub(super) fn retarget(
        &self,
        now: Now,
        group: &ConsumerGroup,
        step: &Step<'_>,
        epoch: i32,
        plan: &mut Plan,
    ) -> (i32, Assignment) {
        let replaced = step.now.instance.as_ref().and_then(|i| group.of_instance(i)).map(|m| &m.id);
        if group.target_epoch >= epoch || !self.is_target_due(now, group) {
            return (group.target_epoch, group.target(replaced.unwrap_or(&step.now.id)));
        }
        let mut members: BTreeMap<ByteString, Candidate> = BTreeMap::new();
        let others = group.members().filter(|m| m.id != step.now.id && Some(&m.id) != replaced);
        for member in others.chain([&step.now]) {
            let has = match member.id == step.now.id {
                true => group.target(replaced.unwrap_or(&member.id)),
                false => group.target(&member.id),
            };
            let reads = group.topics_of(member, &self.image);
            let candidate = Candidate { instance: member.instance.clone(), reads, has };
            members.insert(member.id.clone(), candidate);
        }
        let topics = members.values().flat_map(|member| &member.reads);
        let partitions = topics.filter_map(|id| {
            let topic = self.image.topic(storage::units::TopicId(*id))?;
            Some((*id, i32::try_from(topic.partitions.len()).ok()?))
        });
        let partitions = partitions.collect();
        let names = group.names_with(step.before, Some(&step.now));
        let subscription = group.subscription_type(step.before, &step.now, &names);
        let question = Question { members: &members, subscription, partitions: &partitions };
        let assignor = group.preferred_assignor(Some(&step.now));
        let mut targets = assign::assign(self.assignor(assignor.as_deref()), &question);
        for id in members.keys() {
            let target = targets.entry(id.clone()).or_default();
            let before = group.targets.get(id);
            if before != Some(target) {
                plan.target(id, target);
            }
        }
        plan.target_epoch(epoch, now.wall_ms);
        (epoch, targets.remove(&step.now.id).unwrap_or_default())
    }
}
