//! The administrator, who alters and deletes, and the share coordinator, as a map of what it keeps.

use std::collections::BTreeMap;

use rand::Rng;
use storage::units::TopicId;
use uuid::Uuid;

use super::super::super::message::GroupRequest;
use super::super::super::{Refusal, Waiter};
use super::super::message::{
    AlterOffsets, ByTopic, ShareAnswer, ShareRequest, StatesBegun, StatesToBegin, ToForget,
};
use super::world::{GROUP, TOPICS, World, share};

/// What the share coordinator keeps of the group: the state epoch of each partition.
pub(super) type Kept = BTreeMap<(Uuid, i32), i32>;

/// What an administrator waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Delete,
    Alter,
    Forget,
    Forgotten,
    End,
    Ended,
}

impl World {
    pub(super) fn delete_group(&mut self) -> Result<(), String> {
        self.ask_as_admin(Wants::Delete, GroupRequest::Delete(vec![GROUP.into()]))
    }

    /// Not while the same is being deleted: what is deleted last counts, as in Kafka.
    pub(super) fn alter(&mut self) -> Result<(), String> {
        if !self.wanted.is_empty() {
            return Ok(());
        }
        let topics = TOPICS.into_iter().filter(|_| self.rng.random_bool(0.5)).collect::<Vec<_>>();
        let topics = topics.into_iter().map(|name| {
            let partitions = (0..4).filter(|_| self.rng.random_bool(0.5));
            (name.into(), partitions.map(|partition| (partition, 7)).collect())
        });
        let alter = AlterOffsets { group: GROUP.into(), topics: topics.collect() };
        self.ask_as_admin(Wants::Alter, share(ShareRequest::Alter(alter)))
    }

    pub(super) fn forget(&mut self) -> Result<(), String> {
        let topics = TOPICS.into_iter().filter(|_| self.rng.random_bool(0.5));
        let topics = topics.map(Into::into).collect();
        let forget = ShareRequest::Forget { group: GROUP.into(), topics };
        self.ask_as_admin(Wants::Forget, share(forget))
    }

    fn ask_as_admin(&mut self, wants: Wants, request: GroupRequest) -> Result<(), String> {
        let waiter = self.next_waiter();
        self.wanted.insert(waiter, wants);
        self.ask(waiter, request)
    }

    pub(super) fn tell_admin(
        &mut self,
        waiter: Waiter,
        results: &[Result<(), Refusal>],
    ) -> Result<(), String> {
        if self.wanted.remove(&waiter).is_none() {
            return Ok(());
        }
        match results {
            [Ok(())] => self.group_gone(),
            [Err(Refusal::StateKept)] => {
                self.ask_as_admin(Wants::End, share(ShareRequest::End(GROUP.into())))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn tell_admin_of_shares(
        &mut self,
        waiter: Waiter,
        answer: &ShareAnswer,
    ) -> Result<(), String> {
        let wanted = self.wanted.remove(&waiter);
        let gives_up = self.troubled && self.rng.random_bool(0.15);
        match (wanted, answer) {
            (Some(Wants::Alter), ShareAnswer::Alter(Ok(altered))) => {
                let there = |(id, _): &(Uuid, Vec<bool>)| (*id, (0..4).collect::<Vec<i32>>());
                let topics: ByTopic = altered.topics.iter().flatten().map(there).collect();
                let topics = self.that_are_there(topics);
                self.counts.altered += 1;
                self.to_begin.push(StatesToBegin { state_epoch: altered.state_epoch, topics });
                Ok(())
            }
            (Some(Wants::Forget), ShareAnswer::Forget(Ok(Some(told)))) if !gives_up => {
                let mut topics = Vec::new();
                for told in told {
                    if let ToForget::State(id, partitions) = told {
                        self.drop_state(*id, partitions);
                        topics.push(*id);
                    }
                }
                self.counts.offsets_deleted += topics.len();
                let forgotten = ShareRequest::Forgotten { group: GROUP.into(), topics };
                self.ask_as_admin(Wants::Forgotten, share(forgotten))
            }
            (Some(Wants::End), ShareAnswer::End(Ok(states))) if !gives_up => {
                states.iter().for_each(|(id, partitions)| self.drop_state(*id, partitions));
                self.ask_as_admin(Wants::Ended, share(ShareRequest::Ended(GROUP.into())))
            }
            (Some(Wants::Ended), ShareAnswer::Ended(Ok(()))) => self.group_gone(),
            _ => Ok(()),
        }
    }

    fn group_gone(&mut self) -> Result<(), String> {
        self.counts.deleted_groups += 1;
        match self.kept.is_empty() {
            true => Ok(()),
            false => Err(format!("the group is gone, and {:?} is kept of it", self.kept)),
        }
    }

    fn that_are_there(&self, topics: ByTopic) -> ByTopic {
        let there = |(id, partitions): (Uuid, Vec<i32>)| {
            let topic = self.image.topic(TopicId(id))?;
            let partitions = partitions.into_iter().filter(|p| topic.partition(*p).is_some());
            Some((id, partitions.collect()))
        };
        topics.into_iter().filter_map(there).collect()
    }

    fn drop_state(&mut self, id: Uuid, partitions: &[i32]) {
        for partition in partitions {
            self.kept.remove(&(id, *partition));
        }
    }

    /// The share coordinator is asked to begin state, and what came of it is told; or nobody asks. Not while the group is being deleted:
    /// state that begins behind that stays, as in Kafka.
    pub(super) fn begin(&mut self) -> Result<(), String> {
        let ending = |wants: &Wants| matches!(wants, Wants::End | Wants::Ended);
        if self.wanted.values().any(ending) {
            return Ok(());
        }
        let Some(begin) = self.to_begin.pop() else { return Ok(()) };
        let gone = !self.coordinator.shares.contains_key(GROUP);
        if gone || self.troubled && self.rng.random_bool(0.2) {
            self.counts.forgotten += 1;
            return Ok(());
        }
        let mut told = StatesBegun { group: GROUP.into(), begun: Vec::new(), failed: Vec::new() };
        for (id, partitions) in begin.topics {
            let there = self.image.topic(TopicId(id)).is_some();
            let fenced = partitions.iter().any(|partition| {
                self.kept.get(&(id, *partition)).is_some_and(|epoch| *epoch > begin.state_epoch)
            });
            if there && !fenced && !(self.troubled && self.rng.random_bool(0.2)) {
                self.counts.begun += 1;
                for partition in &partitions {
                    self.kept.insert((id, *partition), begin.state_epoch);
                }
                told.begun.push((id, partitions));
            } else {
                self.counts.failed += 1;
                told.failed.push((id, partitions));
            }
        }
        // What is not recorded of state that has begun is told again: or else it would be kept when the group is gone.
        while !self.tell(&told)? {}
        Ok(())
    }

    /// Whether it was recorded.
    fn tell(&mut self, told: &StatesBegun) -> Result<bool, String> {
        let refused = self.counts.refused_appends;
        let waiter = self.next_waiter();
        self.ask(waiter, share(ShareRequest::Begun(told.clone())))?;
        Ok(refused == self.counts.refused_appends)
    }
}
