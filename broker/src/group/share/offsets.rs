//! AlterShareGroupOffsets, DeleteShareGroupOffsets, and the state of a group that is deleted: what of its state an administrator
//! changes while a group has no members.
//!
//! What is to happen is recorded first, so that a later request, or the next heartbeat, goes on where the share coordinator did not
//! get to.

use std::collections::BTreeSet;

use bytestring::ByteString;
use uuid::Uuid;

use super::super::coordinator::{Coordinator, Effects, Now, Then};
use super::super::message::GroupAnswer;
use super::super::planted::Bug;
use super::super::records::Record;
use super::super::{Refusal, Refused, Waiter};
use super::message::{AlterOffsets, Altered, ByTopic, ShareAnswer, ToForget};
use super::questions::changed;
use super::{ShareGroup, States};

impl Coordinator {
    /// A group that is not there comes to be.
    pub(super) fn alter_share_offsets(
        &self,
        now: Now,
        alter: &AlterOffsets,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let (answer, record) = match self.plan_alter(now, alter) {
            Ok((altered, record)) => (Ok(altered), record),
            Err(refused) => (Err(refused), None),
        };
        let answer = GroupAnswer::Share(ShareAnswer::Alter(answer));
        out.write(record.into_iter().collect(), Then::Answer(waiter, answer));
    }

    fn plan_alter(
        &self,
        now: Now,
        alter: &AlterOffsets,
    ) -> Result<(Altered, Option<Record>), Refused> {
        let id = &alter.group;
        let made = self.share_group_for(id, true)?;
        let Some(group) = made.as_ref().or_else(|| self.shares.get(id)) else {
            return Err(Refused::new(Refusal::NotAvailable, ""));
        };
        not_empty(group)?;
        let mut topics = Vec::with_capacity(alter.topics.len());
        let mut begin: ByTopic = Vec::new();
        for (name, partitions) in &alter.topics {
            let Some(topic) = self.image.topic_by_name(name) else {
                topics.push(None);
                continue;
            };
            if let Some((partition, _)) = partitions.iter().find(|(partition, _)| *partition < 0) {
                // Kafka's own words, though it records the partition first.
                let text = format!(
                    "Initialize share group parameters has invalid partitionId - {id} {} {partition}",
                    topic.id
                );
                return Err(Refused::new(Refusal::Malformed, text));
            }
            let known: Vec<bool> =
                partitions.iter().map(|(p, _)| topic.partition(*p).is_some()).collect();
            let there = partitions.iter().zip(&known).filter(|(_, known)| **known);
            let there: BTreeSet<i32> = there.map(|((partition, _), _)| *partition).collect();
            if !there.is_empty() {
                begin.push((topic.id.0, there.into_iter().collect()));
            }
            topics.push(Some((topic.id.0, known)));
        }
        let next = group.states().beginning(&begin, &self.image, now.wall_ms);
        let record = (!begin.is_empty()).then(|| changed(group, &next)).flatten();
        Ok((Altered { state_epoch: group.epoch, topics }, record))
    }

    pub(super) fn forget_share_offsets(
        &self,
        now: Now,
        id: &ByteString,
        topics: &[ByteString],
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let mut records = Vec::new();
        let group = self.shares.get(id).ok_or_else(|| self.no_share_group(id));
        let answer = group.and_then(|group| {
            not_empty(group)?;
            Ok(group.states.as_ref().map(|states| {
                let (next, told) = self.plan_forget(now, states, topics);
                records.extend(changed(group, &next));
                told
            }))
        });
        let answer = GroupAnswer::Share(ShareAnswer::Forget(answer));
        out.write(records, Then::Answer(waiter, answer));
    }

    /// A topic whose state is being deleted is deleted again, all its partitions: the share coordinator may not have got to it.
    fn plan_forget(
        &self,
        now: Now,
        states: &States,
        names: &[ByteString],
    ) -> (States, Vec<ToForget>) {
        let mut next = states.clone();
        let mut told = Vec::with_capacity(names.len());
        for name in names {
            let Some(topic) = self.image.topic_by_name(name) else {
                told.push(ToForget::Unknown);
                continue;
            };
            let id = topic.id.0;
            let all = || topic.partitions().map(|(partition, _)| partition).collect();
            told.push(match next.delete(&id, now.wall_ms) {
                Some(partitions) => ToForget::State(id, partitions),
                None if next.is_deleting(&id) => ToForget::State(id, all()),
                None => ToForget::Nothing,
            });
        }
        (next, told)
    }

    pub(super) fn share_offsets_forgotten(
        &self,
        id: &ByteString,
        topics: &[Uuid],
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let record = self.shares.get(id).and_then(|group| {
            changed(group, &group.states.as_ref()?.deleted(|topic| topics.contains(topic)))
        });
        let answer = GroupAnswer::Share(ShareAnswer::Forgotten(Ok(())));
        out.write(record.into_iter().collect(), Then::Answer(waiter, answer));
    }

    /// What must go before the group can. What is being deleted already is deleted again.
    pub(super) fn end_share(&self, now: Now, id: &ByteString, waiter: Waiter, out: &mut Effects) {
        let mut records = Vec::new();
        let group = self.shares.get(id).ok_or(Refusal::GroupNotFound);
        let answer = group.and_then(|group| {
            not_empty(group).map_err(|refused| refused.refusal)?;
            let (next, mut partitions) = group.states().ending(&self.image, now.wall_ms);
            if self.has(Bug::StateLeftBehind) {
                partitions.pop();
            }
            records.extend(changed(group, &next));
            Ok(partitions)
        });
        let answer = GroupAnswer::Share(ShareAnswer::End(answer));
        out.write(records, Then::Answer(waiter, answer));
    }

    /// Its state is gone, and so is the group, unless it has got members meanwhile: their state begins then.
    pub(super) fn share_ended(&self, id: &ByteString, waiter: Waiter, out: &mut Effects) {
        let mut records = Vec::new();
        let group = self.shares.get(id).ok_or(Refusal::GroupNotFound);
        let answer = group.and_then(|group| {
            if !group.is_empty() {
                records.extend(changed(group, &group.states().deleted(|_| true)));
                return Err(Refusal::NonEmpty);
            }
            records.extend(self.tombstones_of_shares(id));
            Ok(())
        });
        let answer = GroupAnswer::Share(ShareAnswer::Ended(answer));
        out.write(records, Then::Answer(waiter, answer));
    }
}

fn not_empty(group: &ShareGroup) -> Result<(), Refused> {
    match group.is_empty() {
        true => Ok(()),
        false => Err(Refused::new(Refusal::NonEmpty, "The group is not empty.")),
    }
}
