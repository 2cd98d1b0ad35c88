//! Share groups (KIP-932): the coordinator assigns partitions to members, several members to one partition if there are many.
//!
//! A group is what its records say, as a consumer group is. Nobody waits for anybody: a member takes up its target with its next
//! heartbeat, since what it gives up another may read already.
//!
//! A partition is assigned only when the share coordinator keeps its state (`States`). A heartbeat of a group that reads partitions without
//! state records that it is to begin, and says so in its answer; whoever gets that asks the share coordinator, and tells what
//! came of it. If nobody does, a later heartbeat says so again.
//!
//! Read in this order: this file (a group), `states`, `message` (what is asked), `replay`, `assign`, `heartbeat`, `leave`, `offsets` (what
//! an administrator changes), `questions`.

mod assign;
mod heartbeat;
mod leave;
pub mod message;
mod offsets;
mod questions;
mod replay;
#[cfg(test)]
mod simulation;
mod states;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bytestring::ByteString;
use storage::units::TopicId;
use uuid::Uuid;

use super::Waiter;
use super::consumer::Refresh;
use super::consumer::member::{Assignment, JOINING};
use super::consumer::subscription::Names;
use super::coordinator::{Coordinator, Effects, Now, Then};
use super::message::GroupAnswer;
use super::records::share::{ShareCurrentValue, ShareMemberValue, TopicPartitions};
use crate::metadata::image::Image;
use message::{ShareAnswer, ShareRequest};
use states::States;

/// The protocol type that ListGroups tells.
pub(super) const PROTOCOL_TYPE: &str = "share";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareState {
    Empty,
    Stable,
}

impl fmt::Display for ShareState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShareGroup {
    pub(crate) id: ByteString,
    pub(crate) epoch: i32,
    /// Of the topics that it reads, as they were in this epoch.
    pub(crate) metadata_hash: i64,
    members: BTreeMap<ByteString, ShareMember>,
    pub(crate) target_epoch: i32,
    /// When the target was computed, milliseconds since 1970; 0 if it is not known.
    pub(crate) target_at: i64,
    targets: BTreeMap<ByteString, Assignment>,
    names: Names,
    /// `None` until the first state is to begin.
    states: Option<States>,
    /// Not in the log: begins anew with a load.
    pub(crate) refresh: Refresh,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ShareMember {
    pub(crate) id: ByteString,
    pub(crate) epoch: i32,
    pub(crate) previous_epoch: i32,
    pub(crate) rack: Option<ByteString>,
    pub(crate) client_id: ByteString,
    pub(crate) client_host: ByteString,
    pub(crate) names: BTreeSet<ByteString>,
    pub(crate) assigned: Assignment,
}

impl Coordinator {
    /// Does what is asked of share groups.
    pub(super) fn share(
        &mut self,
        now: Now,
        request: ShareRequest,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        // What is told of a group is in the log.
        let told = |answer, out: &mut Effects| {
            out.write(Vec::new(), Then::Answer(waiter, GroupAnswer::Share(answer)));
        };
        match request {
            ShareRequest::Report(report) => self.report_share(now, &report, waiter, out),
            ShareRequest::Describe(groups) => {
                let described = groups.iter().map(|group| self.describe_share(group)).collect();
                told(ShareAnswer::Describe(described), out);
            }
            ShareRequest::Begun(begun) => self.states_begun(now, &begun, waiter, out),
            ShareRequest::Alter(alter) => self.alter_share_offsets(now, &alter, waiter, out),
            ShareRequest::Forget { group, topics } => {
                self.forget_share_offsets(now, &group, &topics, waiter, out);
            }
            ShareRequest::Forgotten { group, topics } => {
                self.share_offsets_forgotten(&group, &topics, waiter, out);
            }
            ShareRequest::Kept(group) => {
                let kept = self.shares.get(&group).map(|group| group.states().all_kept());
                told(ShareAnswer::Kept(Ok(kept.unwrap_or_default())), out);
            }
            ShareRequest::End(group) => self.end_share(now, &group, waiter, out),
            ShareRequest::Ended(group) => self.share_ended(&group, waiter, out),
        }
    }
}

impl ShareGroup {
    pub(crate) fn new(id: ByteString) -> ShareGroup {
        ShareGroup {
            id,
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            target_epoch: 1,
            target_at: 0,
            targets: BTreeMap::new(),
            names: Names::default(),
            states: None,
            refresh: Refresh::default(),
        }
    }

    pub(crate) fn state(&self) -> ShareState {
        if self.members.is_empty() { ShareState::Empty } else { ShareState::Stable }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &ShareMember> {
        self.members.values()
    }

    pub(crate) fn member(&self, id: &str) -> Option<&ShareMember> {
        self.members.get(id)
    }

    /// What a member is to read; nothing if that is not decided.
    pub(crate) fn target(&self, member: &str) -> Assignment {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        self.names.contains(topic)
    }

    /// Whether the share coordinator keeps state for it, or may do so.
    pub(super) fn has_states(&self) -> bool {
        !self.states().is_empty()
    }

    fn states(&self) -> &States {
        static NONE: States = States::NONE;
        self.states.as_ref().unwrap_or(&NONE)
    }

    /// Whether the hash of the topics is to be computed again.
    fn is_stale(&self, wall_ms: i64) -> bool {
        wall_ms >= self.refresh.until || self.epoch < self.refresh.epoch
    }

    /// Whether partitions that members read have got their state, and nobody is assigned them yet.
    fn has_unassigned(&self, image: &Image) -> bool {
        let mut assigned = Assignment::new();
        for (topic, partitions) in self.targets.values().flatten() {
            assigned.entry(*topic).or_default().extend(partitions);
        }
        !self.is_empty()
            && self.states().kept().any(|(topic, name, partitions)| {
                self.is_subscribed(name)
                    && image.topic(TopicId(*topic)).is_some()
                    && assigned.get(topic) != Some(partitions)
            })
    }

    /// What the group reads when a member has become `new`, or has gone.
    fn names_with(&self, id: &str, new: Option<&ShareMember>) -> Names {
        let mut names = self.names.clone();
        if let Some(old) = self.member(id) {
            names.forget(&old.names);
        }
        if let Some(new) = new {
            names.learn(&new.names);
        }
        names
    }

    /// Puts a member in, or in the place of itself.
    fn put(&mut self, member: ShareMember) {
        self.remove(&member.id);
        self.names.learn(&member.names);
        self.members.insert(member.id.clone(), member);
    }

    fn remove(&mut self, id: &str) {
        if let Some(old) = self.members.remove(id) {
            self.names.forget(&old.names);
        }
    }
}

impl ShareMember {
    fn new(id: ByteString) -> ShareMember {
        ShareMember {
            id,
            epoch: JOINING,
            previous_epoch: -1,
            rack: None,
            client_id: ByteString::new(),
            client_host: ByteString::new(),
            names: BTreeSet::new(),
            assigned: Assignment::new(),
        }
    }

    /// What it said of itself, as a record.
    fn metadata_value(&self) -> ShareMemberValue {
        ShareMemberValue {
            rack_id: self.rack.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.names.iter().cloned().collect(),
        }
    }

    /// The same with what a record says that it said.
    fn with_metadata(self, value: &ShareMemberValue) -> ShareMember {
        ShareMember {
            rack: value.rack_id.clone(),
            client_id: value.client_id.clone(),
            client_host: value.client_host.clone(),
            names: value.subscribed_topic_names.iter().cloned().collect(),
            ..self
        }
    }

    /// What it reads, as a record.
    fn current_value(&self) -> ShareCurrentValue {
        let topic = |(topic_id, partitions): (&Uuid, &BTreeSet<i32>)| TopicPartitions {
            topic_id: *topic_id,
            partitions: partitions.iter().copied().collect(),
        };
        ShareCurrentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: 0,
            assigned_partitions: self.assigned.iter().map(topic).collect(),
        }
    }

    /// The same with what a record says that it reads.
    fn with_current(self, value: &ShareCurrentValue) -> ShareMember {
        let topic =
            |topic: &TopicPartitions| (topic.topic_id, topic.partitions.iter().copied().collect());
        ShareMember {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            assigned: value.assigned_partitions.iter().map(topic).collect(),
            ..self
        }
    }
}
