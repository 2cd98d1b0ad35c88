//! What must hold, whatever happened.

use std::collections::HashMap;

use bytestring::ByteString;

use super::client::{Place, places};
use crate::group::classic::{Group, State};
use crate::group::message::GroupAnswer;
use crate::group::records::{GroupValue, OffsetKey, Record};
use crate::group::{Coordinator, Now, Then};

/// What was promised so far.
#[derive(Default)]
pub(super) struct Promises {
    /// Owner by group, how often the group was deleted, generation, partition.
    owners: HashMap<(ByteString, usize, i32, Place), ByteString>,
    /// The largest offset that was acknowledged or shown.
    promised: HashMap<OffsetKey, i64>,
}

impl Promises {
    /// A member was told its assignment. A static one is known by its instance, since it has its place under one id after another.
    pub(super) fn assigned(
        &mut self,
        group: &ByteString,
        life: usize,
        generation: i32,
        owner: &ByteString,
        assignment: &bytes::Bytes,
    ) -> Result<(), String> {
        for place in places(assignment) {
            let key = (group.clone(), life, generation, place);
            if let Some(other) = self.owners.insert(key, owner.clone())
                && other != *owner
            {
                return Err(format!(
                    "{place:?} of {group} has two owners in generation {generation}: {other}, {owner}"
                ));
            }
        }
        Ok(())
    }

    /// An offset was acknowledged, or shown.
    pub(super) fn promise(&mut self, key: OffsetKey, offset: i64) {
        let promised = self.promised.entry(key).or_insert(offset);
        *promised = (*promised).max(offset);
    }

    /// A record got its offset in the log: deleted offsets are no longer promised, others do not go back.
    pub(super) fn appended(&mut self, record: &Record) -> Result<(), String> {
        match record {
            Record::Offset(key, None) => drop(self.promised.remove(key)),
            Record::Offset(key, Some(value)) => {
                if let Some(promised) = self.promised.get(key)
                    && value.offset < *promised
                {
                    return Err(format!("{key:?} goes back from {promised} to {}", value.offset));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The coordinator came back: what was promised must be there.
    pub(super) fn kept(&self, coordinator: &Coordinator) -> Result<(), String> {
        for (key, promised) in &self.promised {
            let found = coordinator.offsets.get(&key.group, &key.topic, key.partition);
            if found.is_none_or(|committed| committed.offset < *promised) {
                return Err(format!("{key:?} was {promised}, and is {found:?} after the load"));
            }
        }
        Ok(())
    }
}

/// A coordinator as the log tells it.
pub(super) fn replayed(mut fresh: Coordinator, log: &[Record], now: Now) -> Coordinator {
    for (offset, record) in (0_i64..).zip(log) {
        let (key, value) = record.encode().unwrap();
        let read = Record::decode(Some(&key), value.as_deref()).unwrap();
        fresh.replay(now, read, None, offset);
    }
    fresh
}

/// Whether the live coordinator is what its log says, but for groups with something under way.
pub(super) fn equal(
    live: &Coordinator,
    replayed: &Coordinator,
    under_way: impl Fn(&ByteString) -> bool,
) -> Result<(), String> {
    let offsets = |coordinator: &Coordinator| {
        let all = coordinator.offsets.groups();
        let mut all: Vec<_> = all
            .flat_map(|(group, topics)| {
                topics.iter().flat_map(move |(topic, partitions)| {
                    partitions.iter().map(move |(partition, committed)| {
                        (group.clone(), topic.clone(), *partition, committed.offset)
                    })
                })
            })
            .collect();
        all.sort();
        all
    };
    let (ours, theirs) = (offsets(live), offsets(replayed));
    if ours != theirs {
        return Err(format!("offsets differ: live {ours:?}, replayed {theirs:?}"));
    }
    for (id, group) in &live.groups {
        if under_way(id) || !matches!(group.state(), State::Empty | State::Stable) {
            continue;
        }
        let (ours, theirs) = (told(group), replayed.groups.get(id).map(told));
        if theirs.as_ref() != Some(&ours) {
            return Err(format!("{id} differs: live {ours:?}, replayed {theirs:?}"));
        }
    }
    let gone = replayed.groups.keys().find(|id| !live.groups.contains_key(*id) && !under_way(id));
    gone.map_or(Ok(()), |id| Err(format!("{id} is in the log, and not live")))
}

/// A group but for when it came into its state.
fn told(group: &Group) -> GroupValue {
    let value = group.value(|member| member.assignment.clone());
    GroupValue { current_state_timestamp: 0, ..value }
}

/// The group that a write is about, if it is about one whose record it is.
pub(super) fn group_of(then: &Then, records: &[Record]) -> Option<ByteString> {
    match then {
        Then::Created(group) | Then::Assigned { group, .. } => Some(group.clone()),
        Then::Replaced(_) | Then::Nothing | Then::Answer(..) => {
            records.iter().find_map(|record| match record {
                Record::Group(group, _) => Some(group.clone()),
                _ => None,
            })
        }
    }
}

/// Offsets that an answer acknowledges.
pub(super) fn acknowledged(answer: &GroupAnswer) -> bool {
    matches!(answer, GroupAnswer::Commit(Ok(_)))
}
