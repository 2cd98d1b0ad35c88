//! DescribeGroups, ListGroups and DeleteGroups.

use bytes::Bytes;
use bytestring::ByteString;

use super::classic::{CONSUMER, Group, State};
use super::coordinator::{Coordinator, Effects, Then};
use super::member::Member;
use super::message::{Described, DescribedMember, GroupAnswer, Listed, ListedState};
use super::records::{OffsetKey, Record};
use super::share::{self, ShareGroup};
use super::{Refusal, Waiter};

impl Coordinator {
    pub(super) fn describe(&self, id: &ByteString) -> Result<Described, Refusal> {
        let other = self.consumers.contains_key(id) || self.is_other(id);
        let none = if other { Refusal::NotClassicGroup } else { Refusal::GroupNotFound };
        let group = self.groups.get(id).ok_or(none)?;
        let stable = group.is(State::Stable);
        let protocol = group.protocol.clone().filter(|_| stable).unwrap_or_default();
        let member = |member: &Member| DescribedMember {
            id: member.id.clone(),
            instance: member.instance.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if stable { member.metadata(&protocol) } else { Bytes::new() },
            assignment: member.assignment.clone(),
        };
        Ok(Described {
            state: group.state(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            members: group.members().map(member).collect(),
            protocol,
        })
    }

    pub(super) fn list(&self) -> Vec<Listed> {
        let listed = |group: &Group| Listed {
            group: group.id.clone(),
            protocol_type: group.protocol_type.clone().unwrap_or_default(),
            state: ListedState::Classic(group.state()),
        };
        let consumers = self.consumers.values().map(|group| Listed {
            group: group.id.clone(),
            protocol_type: ByteString::from_static(CONSUMER),
            state: ListedState::Consumer(group.state()),
        });
        let shares = self.shares.values().map(|group| Listed {
            group: group.id.clone(),
            protocol_type: ByteString::from_static(share::PROTOCOL_TYPE),
            state: ListedState::Share(group.state()),
        });
        self.groups.values().map(listed).chain(consumers).chain(shares).collect()
    }

    pub(super) fn delete(&mut self, ids: &[ByteString], waiter: Waiter, out: &mut Effects) {
        let mut records = Vec::new();
        let mut one = |id: &ByteString| {
            let classic = self.groups.get(id);
            let consumer = self.consumers.get(id);
            let share = self.shares.get(id);
            if classic.is_none() && consumer.is_none() && share.is_none() {
                return Err(Refusal::GroupNotFound);
            }
            if classic.is_some_and(|group| !group.is(State::Empty))
                || consumer.is_some_and(|group| !group.is_empty())
                || share.is_some_and(|group| !group.is_empty())
            {
                return Err(Refusal::NonEmpty);
            }
            if share.is_some_and(ShareGroup::has_states) {
                return Err(Refusal::StateKept);
            }
            records.extend(self.tombstones_of_offsets(id));
            records.extend(self.tombstones_of_consumers(id));
            records.extend(self.tombstones_of_shares(id));
            if classic.is_some() {
                records.push(Record::Group(id.clone(), None));
            }
            Ok(())
        };
        let results = ids.iter().map(&mut one).collect();
        out.write(records, Then::Answer(waiter, GroupAnswer::Delete(results)));
    }

    /// Of all that a group has committed, and of what open transactions commit for it.
    fn tombstones_of_offsets(&self, id: &ByteString) -> Vec<Record> {
        let committed = self.offsets.of_group(id).into_iter().flatten();
        let committed =
            committed.flat_map(|(t, partitions)| partitions.keys().map(move |p| (t, *p)));
        let pending = self.offsets.pending_of(id);
        let pending = pending.filter(|(topic, p)| self.offsets.get(id, topic, *p).is_none());
        let tombstone = |(topic, partition): (&ByteString, i32)| {
            let key = OffsetKey { group: id.clone(), topic: topic.clone(), partition };
            Record::Offset(key, None)
        };
        committed.chain(pending).map(tombstone).collect()
    }
}
