//! ConsumerGroupDescribe, and what other questions and limits are for a consumer group.

use std::collections::BTreeMap;

use bytestring::ByteString;
use storage::units::TopicId;
use uuid::Uuid;

use super::super::coordinator::Coordinator;
use super::super::message::{
    Commit, CommitTopic, ConsumerDescribed, ConsumerMemberDescribed, Fetch, PartitionsDescribed,
};
use super::super::planted::Bug;
use super::super::{Refusal, Refused};
use super::ConsumerGroup;
use super::assign::Assignor;
use super::member::{Assignment, ConsumerMember};
use crate::metadata::image::ConfigResource;

impl Coordinator {
    pub(in super::super) fn describe_consumer(
        &self,
        id: &ByteString,
    ) -> Result<ConsumerDescribed, Refused> {
        let group = self.consumers.get(id).ok_or_else(|| self.no_consumer_group(id))?;
        let assignor = group.preferred_assignor(None);
        let default = || ByteString::from_static(self.assignor(None).name());
        Ok(ConsumerDescribed {
            state: group.state(),
            epoch: group.epoch,
            target_epoch: group.target_epoch,
            assignor: assignor.unwrap_or_else(default),
            members: group.members().map(|member| self.described(group, member)).collect(),
        })
    }

    fn described(&self, group: &ConsumerGroup, member: &ConsumerMember) -> ConsumerMemberDescribed {
        // It answers for what it is giving up until it has.
        let mut own = Assignment::new();
        for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
            own.entry(*topic).or_default().extend(partitions.keys());
        }
        ConsumerMemberDescribed {
            id: member.id.clone(),
            instance: member.instance.clone(),
            rack: member.rack.clone(),
            epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            names: member.names.iter().cloned().collect(),
            regex: member.regex.clone(),
            assigned: self.named(&own),
            target: self.named(&group.target(&member.id)),
            classic: member.is_classic(),
        }
    }

    pub(in super::super) fn named(&self, partitions: &Assignment) -> Vec<PartitionsDescribed> {
        let topic = |(id, partitions): (&Uuid, &std::collections::BTreeSet<i32>)| {
            let name = self.image.topic(TopicId(*id))?.name.clone();
            Some(PartitionsDescribed {
                id: *id,
                name,
                partitions: partitions.iter().copied().collect(),
            })
        };
        partitions.iter().filter_map(topic).collect()
    }

    /// Whether a member may commit; what is then to be looked at for each partition (`Ok(Some(..))`): the epoch in which it was assigned.
    pub(in super::super) fn may_commit_as_consumer<'a>(
        &self,
        group: &'a ConsumerGroup,
        commit: &Commit,
    ) -> Result<Option<&'a ConsumerMember>, Refusal> {
        if commit.generation < 0 && group.is_empty() {
            return Ok(None);
        }
        let member = group.member(&commit.member_id).ok_or(Refusal::UnknownMember)?;
        // Version 9 is the first that can say STALE_MEMBER_EPOCH.
        if !member.is_classic() && !commit.may_miss_group {
            return Err(Refusal::UnsupportedVersion);
        }
        if commit.generation > member.epoch {
            return Err(stale(member));
        }
        if commit.generation == member.epoch || self.has(Bug::AnyEpochCommits) {
            return Ok(None);
        }
        Ok(Some(member))
    }

    /// An older epoch commits what was assigned in it or before.
    pub(in super::super) fn may_commit_partition(
        member: &ConsumerMember,
        commit: &Commit,
        topic: &CommitTopic,
        partition: i32,
    ) -> Result<(), Refusal> {
        match member.assignment_epoch(topic.id, partition) {
            Some(epoch) if commit.generation >= epoch => Ok(()),
            _ => Err(stale(member)),
        }
    }

    pub(in super::super) fn may_fetch(&self, fetch: &Fetch) -> Result<(), Refusal> {
        let Some(group) = self.consumers.get(&fetch.group) else { return Ok(()) };
        let Some(id) = &fetch.member_id else {
            // Kafka stumbles over an epoch of nobody.
            return if fetch.member_epoch < 0 { Ok(()) } else { Err(Refusal::Malformed) };
        };
        let member = group.member(id).ok_or(Refusal::UnknownMember)?;
        if fetch.member_epoch == member.epoch { Ok(()) } else { Err(stale(member)) }
    }

    /// The assignor of that name, or the first of those that are allowed.
    pub(super) fn assignor(&self, name: Option<&str>) -> Assignor {
        let named = name.and_then(Assignor::named);
        named.or(self.rules.consumer.assignors.first().copied()).unwrap_or(Assignor::Uniform)
    }

    pub(super) fn session_ms(&self, group: &ByteString) -> i32 {
        let rules = &self.rules.consumer;
        self.of_group(group, "consumer.session.timeout.ms", rules.session_ms, &rules.limits)
    }

    pub(super) fn heartbeat_ms(&self, group: &ByteString) -> i32 {
        let rules = &self.rules.consumer;
        self.of_group(group, "consumer.heartbeat.interval.ms", rules.heartbeat_ms, &rules.limits)
    }

    pub(super) fn assignment_interval_ms(&self, group: &ByteString) -> i32 {
        let (key, rules) = ("consumer.assignment.interval.ms", &self.rules.consumer);
        self.of_group(group, key, rules.assignment_interval_ms, &rules.limits)
    }

    /// The group's own value, within what the broker allows by now.
    pub(in super::super) fn of_group(
        &self,
        group: &ByteString,
        key: &str,
        default: i32,
        limits: &BTreeMap<&'static str, (i32, i32)>,
    ) -> i32 {
        let resource = ConfigResource { kind: ConfigResource::GROUP, name: group.clone() };
        let own = self.image.overrides(&resource).and_then(|own| own.get(key)?.parse().ok());
        match (own, limits.get(key)) {
            (Some(own), Some((least, most))) => i32::max(own, *least).min(*most),
            (Some(own), None) => own,
            (None, _) => default,
        }
    }
}

fn stale(member: &ConsumerMember) -> Refusal {
    if member.is_classic() { Refusal::IllegalGeneration } else { Refusal::StaleMemberEpoch }
}
