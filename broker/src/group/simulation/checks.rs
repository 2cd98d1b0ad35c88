//! What must hold, whatever happened.

use std::collections::HashMap;

use bytestring::ByteString;

use super::client::{Place, places};
use crate::group::classic::{Group, State};
use crate::group::consumer::Refresh;
use crate::group::message::GroupAnswer;
use crate::group::records::{GroupValue, OffsetKey, Record};
use crate::group::timers::Timer;
use crate::group::{Coordinator, Now, Then};

/// What was promised so far.
#[derive(Default)]
pub(super) struct Promises {
    /// Owner by group, how often the group was deleted, generation, partition.
    owners: HashMap<(ByteString, usize, i32, Place), ByteString>,
    /// The largest offset that was acknowledged or shown.
    promised: HashMap<OffsetKey, i64>,
    /// Who was told last, of the members of consumer groups, that it has a partition, and has not said that it gave it up.
    holders: HashMap<(ByteString, Place), ByteString>,
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

    /// A member says what it has; nothing, as it joins.
    pub(super) fn has(&mut self, group: &ByteString, member: &ByteString, places: &[Place]) {
        let gave_up = |of: &ByteString, place: &Place, holder: &ByteString| {
            of == group && holder == member && !places.contains(place)
        };
        self.holders.retain(|(of, place), holder| !gave_up(of, place, holder));
    }

    /// A member of a consumer group was told what it has. Nobody has a part of it who is a member still.
    pub(super) fn told(
        &mut self,
        coordinator: &Coordinator,
        group: &ByteString,
        member: &ByteString,
        places: &[Place],
    ) -> Result<(), String> {
        let Some(consumers) = coordinator.consumers.get(group) else { return Ok(()) };
        for place in places {
            let key = (group.clone(), *place);
            if let Some(holder) = self.holders.insert(key, member.clone())
                && holder != *member
                && consumers.member(&holder).is_some()
            {
                return Err(format!(
                    "{place:?} of {group} is told to {member}, and {holder} has it"
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

/// In a consumer group a partition is one member's, until it has given it up.
pub(super) fn one_owner(coordinator: &Coordinator) -> Result<(), String> {
    for group in coordinator.consumers.values() {
        let mut owners = HashMap::new();
        for member in group.members() {
            for (topic, partitions) in member.assigned.iter().chain(&member.revoking) {
                for partition in partitions.keys() {
                    if let Some(other) = owners.insert((topic, partition), &member.id) {
                        let (group, id) = (&group.id, &member.id);
                        return Err(format!(
                            "{topic}/{partition} of {group} is {id}'s and {other}'s"
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Every member of a consumer group is missed when it falls silent, whatever it does next.
pub(super) fn everybody_is_missed(coordinator: &Coordinator) -> Result<(), String> {
    for group in coordinator.consumers.values() {
        let session = |id: &ByteString| Timer::Member(group.id.clone(), id.clone());
        let mut unmissed = group.members().filter(|m| !coordinator.timers.is_set(&session(&m.id)));
        if let Some(member) = unmissed.next() {
            return Err(format!("nobody waits for {member:?} of {}", group.id));
        }
    }
    Ok(())
}

/// What compaction leaves of a log: the last record of each key, if it is no tombstone.
pub(super) fn compacted(log: &[Record]) -> Vec<Record> {
    let key = |record: &Record| record.encode().unwrap().0;
    let last: HashMap<_, _> =
        log.iter().enumerate().map(|(at, record)| (key(record), at)).collect();
    let stays = |(at, record): &(usize, &Record)| {
        last[&key(record)] == *at && record.encode().unwrap().1.is_some()
    };
    log.iter().enumerate().filter(stays).map(|(_, record)| record.clone()).collect()
}

/// Whether Kafka loads the log: it refuses records of a consumer group over those of a classic one, and tombstones out of order.
pub(super) fn is_kafkas(mut fresh: Coordinator, log: &[Record], now: Now) -> Result<(), String> {
    for (offset, record) in (0_i64..).zip(log) {
        if let Record::Consumer(id, of_consumer) = record {
            let classic = fresh.groups.get(id).is_some_and(|group| group.protocol_type.is_some());
            if classic && of_consumer.is_live() {
                return Err(format!("{id} is a classic group still at {record:?}"));
            }
            let group = fresh.consumers.get(id);
            if group.is_some_and(|group| !group.is_in_kafkas_order(of_consumer)) {
                return Err(format!("{record:?} is out of order: {group:?}"));
            }
        }
        fresh.replay(now, record.clone(), None, offset);
    }
    Ok(())
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
    for (id, group) in &live.consumers {
        let mut ours = group.clone();
        ours.refresh = Refresh::default();
        if replayed.consumers.get(id) != Some(&ours) {
            return Err(format!(
                "{id} differs: live {ours:?}, replayed {:?}",
                replayed.consumers.get(id)
            ));
        }
    }
    let gone = replayed.consumers.keys().find(|id| !live.consumers.contains_key(*id));
    if let Some(id) = gone {
        return Err(format!("{id} is a consumer group in the log, and not live"));
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
        Then::Replaced(_)
        | Then::Nothing
        | Then::Answer(..)
        | Then::Again(_)
        | Then::Downgraded { .. } => records.iter().find_map(|record| match record {
            Record::Group(group, _) => Some(group.clone()),
            _ => None,
        }),
    }
}

/// Offsets that an answer acknowledges.
pub(super) fn acknowledged(answer: &GroupAnswer) -> bool {
    matches!(answer, GroupAnswer::Commit(Ok(_)))
}
