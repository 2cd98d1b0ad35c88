//! OffsetCommit, OffsetFetch and OffsetDelete.
//!
//! - A member commits in its generation. Who is no member commits to a group that has none; a group that does not exist comes to be.
//! - A commit keeps the member's session alive.
//! - Offsets of a topic that the group's members read are not deleted (KIP-496).

use super::classic::{Group, State};
use super::coordinator::{Coordinator, Effects, Now, Then};
use super::message::{
    Commit, CommitPartition, CommitTopic, DeleteOffsets, Fetch, FetchTopic, FetchedTopic,
    GroupAnswer,
};
use super::offsets::Committed;
use super::planted::Bug;
use super::records::{OffsetKey, OffsetValue, Record};
use super::{Refusal, Waiter};

impl Coordinator {
    pub(super) fn commit(&mut self, now: Now, commit: Commit, waiter: Waiter, out: &mut Effects) {
        let may = match self.consumers.get(&commit.group) {
            Some(group) => self.may_commit_as_consumer(group, &commit),
            None => self.may_commit(&commit).map(|()| None),
        };
        let older = match may {
            Ok(older) => older.cloned(),
            Err(refusal) => return out.answer(waiter, GroupAnswer::Commit(Err(refusal))),
        };
        let state = self.groups.get(&commit.group).map(Group::state);
        if matches!(state, Some(State::Stable | State::PreparingRebalance)) {
            self.renew(now, &commit.group, &commit.member_id);
        }
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(commit.topics.len());
        for topic in &commit.topics {
            let one = |partition: &CommitPartition| {
                let record = self.record(now, &commit, topic, partition)?;
                if let Some(member) = &older {
                    Self::may_commit_partition(member, &commit, topic, partition.partition)?;
                }
                records.push(record);
                Ok(())
            };
            let of_topic: Vec<Result<(), Refusal>> = topic.partitions.iter().map(one).collect();
            let foreign = |result: &&Result<(), Refusal>| {
                matches!(result, Err(Refusal::StaleMemberEpoch | Refusal::IllegalGeneration))
            };
            // A partition that is not the member's any more refuses all.
            if let Some(Err(refusal)) = of_topic.iter().find(foreign) {
                return out.answer(waiter, GroupAnswer::Commit(Err(*refusal)));
            }
            results.push(of_topic);
        }
        let answer = GroupAnswer::Commit(Ok(results));
        if self.has(Bug::CommittedAtAppend) {
            out.write(records, Then::Nothing);
            return out.answer(waiter, answer);
        }
        out.write(records, Then::Answer(waiter, answer));
    }

    fn may_commit(&self, commit: &Commit) -> Result<(), Refusal> {
        let Some(group) = self.groups.get(&commit.group) else {
            return match commit.generation {
                _ if self.is_other(&commit.group) => Err(Refusal::GroupNotFound),
                ..0 => Ok(()),
                _ if commit.may_miss_group => Err(Refusal::GroupNotFound),
                _ => Err(Refusal::IllegalGeneration),
            };
        };
        if commit.generation < 0 && group.is(State::Empty) {
            return Ok(());
        }
        if commit.generation < 0 && commit.member_id.is_empty() && commit.instance.is_none() {
            return Err(Refusal::UnknownMember);
        }
        group.validate(&commit.member_id, commit.instance.as_deref())?;
        if commit.generation != group.generation && !self.has(Bug::AnyGenerationCommits) {
            return Err(Refusal::IllegalGeneration);
        }
        match group.state() {
            // The member knows its generation; what it holds in it is being decided.
            State::CompletingRebalance => Err(Refusal::Rebalancing),
            State::Empty | State::PreparingRebalance | State::Stable => Ok(()),
        }
    }

    fn record(
        &self,
        now: Now,
        commit: &Commit,
        topic: &CommitTopic,
        partition: &CommitPartition,
    ) -> Result<Record, Refusal> {
        if partition.metadata.encode_utf16().count() > self.rules.metadata_max {
            return Err(Refusal::MetadataTooLarge);
        }
        let expire_timestamp = match commit.retention_ms {
            -1 => -1,
            retention => now.wall_ms.saturating_add(retention),
        };
        let key = OffsetKey {
            group: commit.group.clone(),
            topic: topic.name.clone(),
            partition: partition.partition,
        };
        let value = OffsetValue {
            offset: partition.offset,
            leader_epoch: partition.leader_epoch,
            metadata: partition.metadata.clone(),
            commit_timestamp: now.wall_ms,
            expire_timestamp,
            topic_id: topic.id,
        };
        Ok(Record::Offset(key, Some(value)))
    }

    pub(super) fn fetch(&self, fetch: &Fetch) -> Vec<FetchedTopic> {
        match &fetch.topics {
            Some(topics) => topics.iter().map(|topic| self.fetch_topic(fetch, topic)).collect(),
            None => {
                let all = self.offsets.of_group(&fetch.group).into_iter().flatten();
                let all = all.map(|(name, partitions)| FetchTopic {
                    name: name.clone(),
                    id: uuid::Uuid::nil(),
                    partitions: partitions.keys().copied().collect(),
                });
                all.map(|topic| self.fetch_topic(fetch, &topic)).collect()
            }
        }
    }

    fn fetch_topic(&self, fetch: &Fetch, topic: &FetchTopic) -> FetchedTopic {
        let same = |committed: &&Committed| {
            topic.id.is_nil() || committed.topic_id.is_nil() || topic.id == committed.topic_id
        };
        let one = |partition: i32| {
            if fetch.stable && self.offsets.is_pending(&fetch.group, &topic.name, partition) {
                return Err(Refusal::Unstable);
            }
            let committed = self.offsets.get(&fetch.group, &topic.name, partition);
            Ok(committed.filter(same).cloned())
        };
        FetchedTopic {
            name: topic.name.clone(),
            id: topic.id,
            partitions: topic.partitions.iter().map(|p| (*p, one(*p))).collect(),
        }
    }

    pub(super) fn delete_offsets(
        &mut self,
        delete: &DeleteOffsets,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let classic = self.groups.get(&delete.group);
        let consumer = self.consumers.get(&delete.group);
        let refusal = match (classic, consumer) {
            (None, None) => Some(Refusal::GroupNotFound),
            (Some(group), _) if !group.is(State::Empty) && !group.is_consumers() => {
                Some(Refusal::NonEmpty)
            }
            _ => None,
        };
        if let Some(refusal) = refusal {
            return out.answer(waiter, GroupAnswer::DeleteOffsets(Err(refusal)));
        }
        let mut records = Vec::new();
        let mut results = Vec::with_capacity(delete.topics.len());
        for (topic, partitions) in &delete.topics {
            let subscribed = classic.is_some_and(|group| group.is_subscribed(topic))
                || consumer.is_some_and(|group| group.is_subscribed(topic));
            let answer = if subscribed { Err(Refusal::Subscribed) } else { Ok(()) };
            results.push(vec![answer; partitions.len()]);
            let there = |p: &&i32| {
                self.offsets.get(&delete.group, topic, **p).is_some()
                    || self.offsets.is_pending(&delete.group, topic, **p)
            };
            for partition in partitions.iter().filter(|_| !subscribed).filter(there) {
                let (group, topic) = (delete.group.clone(), topic.clone());
                let key = OffsetKey { group, topic, partition: *partition };
                records.push(Record::Offset(key, None));
            }
        }
        out.write(records, Then::Answer(waiter, GroupAnswer::DeleteOffsets(Ok(results))));
    }
}
