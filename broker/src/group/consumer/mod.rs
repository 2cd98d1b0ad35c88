//! Consumer groups (KIP-848): the coordinator assigns, and each member takes its part up at its own pace.
//!
//! A group is what its records say, and nothing else: a call reads the group and says which records follow; when they are appended
//! they are replayed, by the same code as after a start (`replay`). If they cannot be, nothing has happened.
//!
//! ```text
//! group epoch     raised when the members, what they read or the topics change   ConsumerGroupMetadata
//! target epoch    the group epoch that the target assignment was made for        TargetAssignmentMetadata, TargetAssignmentMember
//! member epoch    the target epoch that the member was told last                 CurrentMemberAssignment
//! ```
//!
//! A partition is told to its next owner only when the one before has said that it gave it up, or is out.
//!
//! Read in this order: this file (a group), `member`, `replay`, `reconcile` (from what a member owns to its target), `assign` (the
//! target), `subscription` (which topics that are, and their hash), `heartbeat` (the protocol), `target` (when it is made anew),
//! `leave`, `regex`; then `protocol`, `classic` and `migrate`: members of the classic protocol, and how groups go from the one to the
//! other.

pub(crate) mod assign;
mod classic;
mod heartbeat;
mod leave;
pub(crate) mod member;
mod migrate;
mod plan;
pub(crate) mod protocol;
mod questions;
mod re2;
mod reconcile;
mod regex;
mod replay;
pub(super) mod subscription;
mod target;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use bytestring::ByteString;
use uuid::Uuid;

use member::{Assignment, ConsumerMember, MemberState, Owned};
use subscription::Names;

pub(crate) use plan::Plan;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerState {
    Empty,
    /// The target assignment is older than the group.
    Assigning,
    /// Some member has not got its target assignment yet.
    Reconciling,
    Stable,
}

impl fmt::Display for ConsumerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The topics that a regular expression was found to match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resolved {
    pub(crate) topics: BTreeSet<ByteString>,
    /// Of the metadata in which they were looked for.
    pub(crate) version: i64,
    /// When, milliseconds since 1970.
    pub(crate) at: i64,
}

/// Until when the topics' hash need not be computed again, milliseconds since 1970, and the group epoch that counts on it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Refresh {
    pub(crate) until: i64,
    pub(crate) epoch: i32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConsumerGroup {
    pub(crate) id: ByteString,
    pub(crate) epoch: i32,
    /// Of the topics that it reads, as they were in this epoch.
    pub(crate) metadata_hash: i64,
    members: BTreeMap<ByteString, ConsumerMember>,
    /// Instance to member.
    instances: BTreeMap<ByteString, ByteString>,
    pub(crate) target_epoch: i32,
    /// When the target was computed, milliseconds since 1970; 0 if it is not known.
    pub(crate) target_at: i64,
    targets: BTreeMap<ByteString, Assignment>,
    resolved: BTreeMap<ByteString, Resolved>,
    /// By topic and partition, the epoch of its owner.
    owners: HashMap<Uuid, BTreeMap<i32, i32>>,
    /// What the members read by name, and what their regular expressions match.
    names: Names,
    /// How many members have a regular expression.
    regexes: BTreeMap<ByteString, usize>,
    /// A record of Kafka 4.0 that is to be taken back.
    old_topics: bool,
    /// Not in the log: begins anew with a load.
    pub(crate) refresh: Refresh,
}

impl Refresh {
    /// For how long the hash is good if no topic changes: three weeks, as in Kafka.
    const GOOD_MS: i64 = i32::MAX as i64;

    pub(super) fn after(wall_ms: i64, epoch: i32) -> Refresh {
        Refresh { until: wall_ms.saturating_add(Refresh::GOOD_MS), epoch }
    }
}

impl ConsumerGroup {
    pub(crate) fn new(id: ByteString) -> ConsumerGroup {
        ConsumerGroup {
            id,
            epoch: 1,
            metadata_hash: 0,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            target_epoch: 1,
            target_at: 0,
            targets: BTreeMap::new(),
            resolved: BTreeMap::new(),
            owners: HashMap::new(),
            names: Names::default(),
            regexes: BTreeMap::new(),
            old_topics: false,
            refresh: Refresh::default(),
        }
    }

    pub(crate) fn state(&self) -> ConsumerState {
        if self.members.is_empty() {
            ConsumerState::Empty
        } else if self.epoch > self.target_epoch {
            ConsumerState::Assigning
        } else if self.members().all(|member| member.is_reconciled_to(self.target_epoch)) {
            ConsumerState::Stable
        } else {
            ConsumerState::Reconciling
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn size(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &ConsumerMember> {
        self.members.values()
    }

    pub(crate) fn member(&self, id: &str) -> Option<&ConsumerMember> {
        self.members.get(id)
    }

    /// The member that goes by this instance.
    pub(crate) fn of_instance(&self, instance: &str) -> Option<&ConsumerMember> {
        self.members.get(self.instances.get(instance)?)
    }

    /// What a member is to own; nothing if that is not decided.
    pub(crate) fn target(&self, member: &str) -> Assignment {
        self.targets.get(member).cloned().unwrap_or_default()
    }

    pub(crate) fn resolved(&self, regex: &str) -> Option<&Resolved> {
        self.resolved.get(regex)
    }

    /// How many members read by this regular expression.
    pub(crate) fn readers(&self, regex: &str) -> usize {
        self.regexes.get(regex).copied().unwrap_or(0)
    }

    /// Whether somebody owns the partition, or is still giving it up.
    pub(crate) fn has_owner(&self, topic: Uuid, partition: i32) -> bool {
        self.owners.get(&topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    pub(crate) fn has_owner_of_any(&self, partitions: &Assignment) -> bool {
        let mut all =
            partitions.iter().flat_map(|(topic, of)| of.iter().map(move |p| (*topic, *p)));
        all.any(|(topic, partition)| self.has_owner(topic, partition))
    }

    /// Whether a member reads the topic, by its name or by a regular expression.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        self.names.contains(topic)
    }

    /// Whether the hash of the topics is to be computed again.
    pub(crate) fn is_stale(&self, wall_ms: i64) -> bool {
        wall_ms >= self.refresh.until || self.epoch < self.refresh.epoch
    }

    /// Whether every member but these speaks the classic protocol.
    pub(crate) fn is_classic_without(&self, leaving: &BTreeSet<ByteString>) -> bool {
        self.members().all(|member| member.is_classic() || leaving.contains(&member.id))
    }

    /// Whether somebody who knows these classic protocols may join: every classic member must know one of them.
    pub(crate) fn supports(
        &self,
        protocol_type: &str,
        protocols: &super::member::Protocols,
    ) -> bool {
        let mut common: HashSet<&ByteString> = protocols.iter().map(|(name, _)| name).collect();
        for classic in self.members().filter_map(|member| member.classic.as_ref()) {
            let known = classic.protocols.iter().map(|(name, _)| name);
            common = known.filter(|name| common.contains(name)).collect();
        }
        protocol_type == super::classic::CONSUMER && !common.is_empty()
    }

    /// The assignor that most members ask for, if this one says what it says; `None` if nobody asks.
    pub(crate) fn preferred_assignor(
        &self,
        updated: Option<&ConsumerMember>,
    ) -> Option<ByteString> {
        let replaced = |member: &&ConsumerMember| {
            updated.is_none_or(|updated| !updated.is_or_replaces(member))
        };
        let mut votes: BTreeMap<&ByteString, usize> = BTreeMap::new();
        for member in self.members().filter(replaced).chain(updated) {
            if let Some(assignor) = &member.assignor {
                *votes.entry(assignor).or_default() += 1;
            }
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.clone())
    }

    /// Whether a member waits for a partition that another one owns still.
    pub(crate) fn waits_for_others(&self, member: &ConsumerMember) -> bool {
        let missing = |topic: &Uuid, partition: i32| {
            let own = member.assigned.get(topic).is_some_and(|own| own.contains_key(&partition));
            !own && self.has_owner(*topic, partition)
        };
        let target = self.targets.get(&member.id).into_iter().flatten();
        member.state == MemberState::UnreleasedPartitions
            && target.into_iter().any(|(topic, partitions)| {
                partitions.iter().any(|partition| missing(topic, *partition))
            })
    }

    /// Puts a member in, or in the place of itself.
    pub(super) fn put(&mut self, member: ConsumerMember) {
        self.remove(&member.id);
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), member.id.clone());
        }
        self.names.learn(&member.names);
        if let Some(regex) = member.regex() {
            *self.regexes.entry(regex.clone()).or_default() += 1;
        }
        for owned in [&member.assigned, &member.revoking] {
            self.own(owned, member.epoch);
        }
        self.members.insert(member.id.clone(), member);
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, id: &str) {
        let Some(old) = self.members.remove(id) else { return };
        self.leave_counts(&old);
        if let Some(instance) = &old.instance
            && self.instances.get(instance) == Some(&old.id)
        {
            self.instances.remove(instance);
        }
    }

    fn leave_counts(&mut self, old: &ConsumerMember) {
        self.names.forget(&old.names);
        if let Some(regex) = old.regex()
            && let Some(count) = self.regexes.get_mut(regex)
        {
            *count -= 1;
            if *count == 0 {
                self.regexes.remove(regex);
            }
        }
        for owned in [&old.assigned, &old.revoking] {
            self.disown(owned, old.epoch);
        }
    }

    /// A partition's epoch goes up only: records that compaction has left may come in another order than they were written.
    fn own(&mut self, owned: &Owned, epoch: i32) {
        for (topic, partitions) in owned {
            let owners = self.owners.entry(*topic).or_default();
            for partition in partitions.keys() {
                let owner = owners.entry(*partition).or_insert(epoch);
                *owner = (*owner).max(epoch);
            }
        }
    }

    fn disown(&mut self, owned: &Owned, epoch: i32) {
        for (topic, partitions) in owned {
            let Some(owners) = self.owners.get_mut(topic) else { continue };
            for partition in partitions.keys() {
                if owners.get(partition) == Some(&epoch) {
                    owners.remove(partition);
                }
            }
            if owners.is_empty() {
                self.owners.remove(topic);
            }
        }
    }
}

impl ConsumerMember {
    /// Whether it is this member, as it says now or under its new id.
    fn is_or_replaces(&self, member: &ConsumerMember) -> bool {
        self.id == member.id || (self.instance.is_some() && self.instance == member.instance)
    }
}
