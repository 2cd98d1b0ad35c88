//! The records of consumer groups, as they come from the log or have just been appended to it.
//!
//! A group comes to be with its first record, and is gone with the tombstone of its epoch. Compaction may have taken any record that a
//! later one replaces, so that none relies on another before it.

use bytestring::ByteString;

use super::super::coordinator::{Coordinator, Now, ms_after};
use super::super::planted::Bug;
use super::super::records::consumer::ConsumerRecord;
use super::super::timers::Timer;
use super::member::{ConsumerMember, LEAVING, LEAVING_FOR_NOW, MemberState, Owned, target_of};
use super::plan::MEMBER_TIMERS;
use super::{ConsumerGroup, Resolved};

impl Coordinator {
    pub(in super::super) fn replay_consumer(&mut self, id: &ByteString, record: &ConsumerRecord) {
        match record {
            ConsumerRecord::Epoch(None) => return self.forget_consumer(id),
            ConsumerRecord::Member(member, None) => self.forget_timers(id, member),
            _ => {}
        }
        match self.consumers.get_mut(id) {
            Some(group) => group.replay(record),
            None if !record.is_live() => {}
            None => {
                // A place for offsets only is in no record of its own; any other classic group was taken back before.
                self.forget(id);
                let mut group = ConsumerGroup::new(id.clone());
                group.replay(record);
                self.consumers.insert(id.clone(), group);
            }
        }
    }

    /// Members of consumer groups have their session to report after a load, and the time of a rebalance for what they are giving up.
    pub(in super::super) fn load_consumers(&mut self, now: Now) {
        if self.has(Bug::NobodyIsMissed) {
            return;
        }
        for (id, group) in &self.consumers {
            let session = now.ticks + ms_after(self.session_ms(id));
            for member in group.members() {
                let key = (id.clone(), member.id.clone());
                self.timers.set(Timer::Member(key.0.clone(), key.1.clone()), session);
                let revokes = member.state == MemberState::UnrevokedPartitions;
                if revokes && member.epoch != LEAVING_FOR_NOW {
                    let until = now.ticks + ms_after(member.rebalance_timeout_ms);
                    self.timers.set(Timer::Revocation(key.0, key.1), until);
                }
            }
        }
    }

    /// A group is gone, its timers with it.
    pub(in super::super) fn forget_consumer(&mut self, id: &ByteString) {
        let Some(group) = self.consumers.remove(id) else { return };
        self.timers.cancel(&Timer::Regexes(id.clone()));
        group.members().for_each(|member| self.forget_timers(id, &member.id));
    }

    fn forget_timers(&mut self, id: &ByteString, member: &ByteString) {
        for timer in MEMBER_TIMERS {
            self.timers.cancel(&timer(id.clone(), member.clone()));
        }
    }
}

impl ConsumerGroup {
    pub(super) fn replay(&mut self, record: &ConsumerRecord) {
        match record {
            ConsumerRecord::Epoch(value) => {
                if let Some(value) = value {
                    self.epoch = value.epoch;
                    self.metadata_hash = value.metadata_hash;
                }
            }
            ConsumerRecord::Topics { live } => self.old_topics = *live,
            ConsumerRecord::Member(id, Some(value)) => {
                let member = self.member_or_new(id);
                self.put(member.with_metadata(value));
            }
            ConsumerRecord::Member(id, None) => self.remove(id),
            ConsumerRecord::TargetEpoch(value) => {
                self.target_epoch = value.as_ref().map_or(-1, |value| value.assignment_epoch);
                self.target_at = value.as_ref().map_or(0, |value| value.assignment_timestamp);
            }
            ConsumerRecord::Target(id, Some(value)) => {
                self.targets.insert(id.clone(), target_of(&value.topic_partitions));
            }
            ConsumerRecord::Target(id, None) => drop(self.targets.remove(id)),
            ConsumerRecord::Current(id, Some(value)) => {
                let member = self.member_or_new(id);
                self.put(member.with_current(value));
            }
            ConsumerRecord::Current(id, None) => {
                if let Some(member) = self.member(id).cloned() {
                    self.put(ConsumerMember {
                        epoch: LEAVING,
                        previous_epoch: LEAVING,
                        assigned: Owned::new(),
                        revoking: Owned::new(),
                        ..member
                    });
                }
            }
            ConsumerRecord::Regex(regex, value) => {
                if let Some(before) = self.resolved.remove(regex) {
                    self.names.match_no_more(&before.topics);
                }
                if let Some(value) = value {
                    let topics = value.topics.iter().cloned().collect();
                    let (version, at) = (value.version, value.timestamp);
                    self.names.match_all(&topics);
                    self.resolved.insert(regex.clone(), Resolved { topics, version, at });
                }
            }
        }
    }

    /// Whether Kafka loads a log in which this record comes next: it insists on an order where we do not, and on partitions that nobody
    /// else has in this epoch or a later one.
    #[cfg(test)]
    pub(in super::super) fn is_in_kafkas_order(&self, record: &ConsumerRecord) -> bool {
        match record {
            ConsumerRecord::Epoch(None) => {
                self.is_empty() && self.targets.is_empty() && self.target_epoch == -1
            }
            ConsumerRecord::TargetEpoch(None) => self.targets.is_empty(),
            ConsumerRecord::Member(id, None) => {
                let gone = self.member(id).is_none_or(|member| member.epoch == LEAVING);
                gone && !self.targets.contains_key(id)
            }
            ConsumerRecord::Current(id, Some(value)) => {
                let now = self.member_or_new(id).with_current(value);
                let others = self.members().filter(|other| other.id != *id);
                let mut later = others.filter(|other| other.epoch >= now.epoch);
                let owned = now.held();
                !later.any(|other| {
                    other.held().iter().any(|(topic, of)| {
                        owned.get(topic).is_some_and(|owned| !owned.is_disjoint(of))
                    })
                })
            }
            _ => true,
        }
    }

    fn member_or_new(&self, id: &ByteString) -> ConsumerMember {
        self.member(id).cloned().unwrap_or_else(|| ConsumerMember::new(id.clone()))
    }
}
