//! ShareGroupDescribe, what became of states that were to begin, and what else is asked of a share group.

use std::collections::BTreeSet;

use bytestring::ByteString;
use storage::units::TopicId;
use uuid::Uuid;

use super::super::coordinator::{Coordinator, Effects, Now, Then};
use super::super::message::GroupAnswer;
use super::super::records::Record;
use super::super::records::share::ShareRecord;
use super::super::{Refused, Waiter};
use super::message::{ShareAnswer, ShareDescribed, ShareMemberDescribed, StatesBegun};
use super::{ShareGroup, ShareMember, States};

impl Coordinator {
    pub(super) fn describe_share(&self, id: &ByteString) -> Result<ShareDescribed, Refused> {
        let group = self.shares.get(id).ok_or_else(|| self.no_share_group(id))?;
        let member = |member: &ShareMember| ShareMemberDescribed {
            id: member.id.clone(),
            rack: member.rack.clone(),
            epoch: member.epoch,
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            names: member.names.iter().cloned().collect(),
            assigned: self.named(&member.assigned),
        };
        Ok(ShareDescribed {
            state: group.state(),
            epoch: group.epoch,
            target_epoch: group.target_epoch,
            members: group.members().map(member).collect(),
        })
    }

    /// State has begun, or could not be begun. A group that is gone has no use for it.
    pub(super) fn states_begun(
        &self,
        now: Now,
        begun: &StatesBegun,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let record = self.shares.get(&begun.group).and_then(|group| {
            let next = group.states().begun(&begun.begun, &self.image, now.wall_ms);
            changed(group, &next.not_begun(&begun.failed))
        });
        let answer = GroupAnswer::Share(ShareAnswer::Begun(Ok(())));
        out.write(record.into_iter().collect(), Then::Answer(waiter, answer));
    }

    /// State of deleted topics is deleted by the share coordinator itself.
    pub(in super::super) fn states_of_deleted(&self, deleted: &BTreeSet<Uuid>) -> Vec<Record> {
        let without = |group: &ShareGroup| {
            changed(group, &group.states.as_ref()?.without(|topic| deleted.contains(topic)))
        };
        self.shares.values().filter_map(without).collect()
    }

    /// The records that take back a share group of that name.
    pub(in super::super) fn tombstones_of_shares(&self, id: &ByteString) -> Vec<Record> {
        let Some(group) = self.shares.get(id) else { return Vec::new() };
        let members = || group.members().map(|member| member.id.clone());
        let current = members().map(|member| ShareRecord::Current(member, None));
        let targets = members().map(|member| ShareRecord::Target(member, None));
        let metadata = members().map(|member| ShareRecord::Member(member, None));
        let records = current.chain(targets).chain([ShareRecord::TargetEpoch(None)]);
        let records = records.chain(metadata);
        let records = records.chain([ShareRecord::States(None), ShareRecord::Epoch(None)]);
        records.map(|record| Record::Share(id.clone(), record)).collect()
    }

    /// The topics that a member reads and that there are.
    pub(super) fn topics_of(&self, member: &ShareMember) -> BTreeSet<Uuid> {
        let ids = member.names.iter().filter_map(|name| self.image.topic_id(name));
        ids.map(|TopicId(id)| id).collect()
    }

    pub(super) fn share_session_ms(&self, group: &ByteString) -> i32 {
        let share = &self.rules.share;
        self.of_group(group, "share.session.timeout.ms", share.session_ms, &share.limits)
    }

    pub(super) fn share_heartbeat_ms(&self, group: &ByteString) -> i32 {
        let share = &self.rules.share;
        self.of_group(group, "share.heartbeat.interval.ms", share.heartbeat_ms, &share.limits)
    }

    pub(super) fn share_assignment_interval_ms(&self, group: &ByteString) -> i32 {
        let (key, share) = ("share.assignment.interval.ms", &self.rules.share);
        self.of_group(group, key, share.assignment_interval_ms, &share.limits)
    }
}

/// The record that says so, if anything has changed.
pub(super) fn changed(group: &ShareGroup, next: &States) -> Option<Record> {
    let value = next.value();
    (group.states.as_ref().map(States::value).as_ref() != Some(&value))
        .then(|| Record::Share(group.id.clone(), ShareRecord::States(Some(value))))
}
