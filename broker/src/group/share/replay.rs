//! The records of share groups, as they come from the log or have just been appended to it.
//!
//! A group comes to be with its first record, and is gone with the tombstone of its epoch. Compaction may have taken any record that a
//! later one replaces, so that none relies on another before it.

use bytestring::ByteString;

use super::super::consumer::member::{Assignment, LEAVING, target_of};
use super::super::coordinator::{Coordinator, Now, ms_after};
use super::super::planted::Bug;
use super::super::records::share::ShareRecord;
use super::super::timers::Timer;
use super::{ShareGroup, ShareMember, States};

impl Coordinator {
    pub(in super::super) fn replay_share(
        &mut self,
        now: Now,
        id: &ByteString,
        record: &ShareRecord,
    ) {
        match record {
            ShareRecord::Epoch(None) => return self.forget_share(id),
            ShareRecord::Member(member, None) => {
                self.timers.cancel(&Timer::Share(id.clone(), member.clone()));
            }
            _ => {}
        }
        match self.shares.get_mut(id) {
            Some(group) => group.replay(now, record),
            None if !record.is_live() => {}
            None => {
                // A place for offsets only is in no record of its own; any other group of that name was taken back before.
                self.forget(id);
                let mut group = ShareGroup::new(id.clone());
                group.replay(now, record);
                self.shares.insert(id.clone(), group);
            }
        }
    }

    /// Members of share groups have their session to report after a load.
    pub(in super::super) fn load_shares(&mut self, now: Now) {
        if self.has(Bug::NobodyIsMissed) {
            return;
        }
        for (id, group) in &self.shares {
            let session = now.ticks + ms_after(self.share_session_ms(id));
            for member in group.members() {
                self.timers.set(Timer::Share(id.clone(), member.id.clone()), session);
            }
        }
    }

    /// A group is gone, its timers with it.
    fn forget_share(&mut self, id: &ByteString) {
        let Some(group) = self.shares.remove(id) else { return };
        for member in group.members() {
            self.timers.cancel(&Timer::Share(id.clone(), member.id.clone()));
        }
    }
}

impl ShareGroup {
    fn replay(&mut self, now: Now, record: &ShareRecord) {
        match record {
            ShareRecord::Epoch(value) => {
                if let Some(value) = value {
                    self.epoch = value.epoch;
                    self.metadata_hash = value.metadata_hash;
                }
            }
            ShareRecord::Member(id, Some(value)) => {
                let member = self.member_or_new(id);
                self.put(member.with_metadata(value));
            }
            ShareRecord::Member(id, None) => self.remove(id),
            ShareRecord::TargetEpoch(value) => {
                self.target_epoch = value.as_ref().map_or(-1, |value| value.assignment_epoch);
                self.target_at = value.as_ref().map_or(0, |value| value.assignment_timestamp);
            }
            ShareRecord::Target(id, Some(value)) => {
                self.targets.insert(id.clone(), target_of(&value.topic_partitions));
            }
            ShareRecord::Target(id, None) => drop(self.targets.remove(id)),
            ShareRecord::Current(id, Some(value)) => {
                let member = self.member_or_new(id);
                self.put(member.with_current(value));
            }
            ShareRecord::Current(id, None) => {
                if let Some(member) = self.member(id).cloned() {
                    let (epoch, assigned) = (LEAVING, Assignment::new());
                    self.put(ShareMember { epoch, previous_epoch: epoch, assigned, ..member });
                }
            }
            ShareRecord::States(value) => {
                let states = |value| States::of(value, now.wall_ms);
                self.states = value.as_ref().map(states);
            }
        }
    }

    fn member_or_new(&self, id: &ByteString) -> ShareMember {
        self.member(id).cloned().unwrap_or_else(|| ShareMember::new(id.clone()))
    }
}
