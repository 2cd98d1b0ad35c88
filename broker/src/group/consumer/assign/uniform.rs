//! `uniform`, where all members read the same: each keeps what it has as far as its share goes, and what is left fills those who have
//! less. Some get one more where it does not come out even: those who have it already, if possible.

use std::collections::BTreeSet;

use bytestring::ByteString;
use uuid::Uuid;

use super::super::member::Assignment;
use super::{Question, Targets};

pub(super) fn assign(question: &Question<'_>) -> Targets {
    let Some(topics) = question.members.values().next().map(|member| &member.reads) else {
        return Targets::new();
    };
    let mut free = unassigned(question, topics);
    let total: i32 = topics.iter().map(|topic| question.partitions_of(topic)).sum();
    let members = i32::try_from(question.members.len()).unwrap_or(i32::MAX);
    let least = total / members;
    // Members that are still to get one more than the others.
    let mut extra = total % members;
    let mut targets = Targets::new();
    let mut unfilled: Vec<(ByteString, i32)> = Vec::new();
    for (before, (id, member)) in (0..).zip(question.members) {
        let mut takes_extra = extra > 0;
        let mut room = least + i32::from(takes_extra);
        let target = keep(&member.has, topics, &mut room, &mut free);
        // It leaves the one more to another, unless it is among the last that must take it.
        if room > 0 && takes_extra && members - before > extra {
            room -= 1;
            takes_extra = false;
        }
        if room > 0 {
            unfilled.push((id.clone(), room));
        }
        extra -= i32::from(takes_extra);
        targets.insert(id.clone(), target);
    }
    let mut free = free.into_iter();
    for (id, room) in unfilled {
        let target = targets.entry(id).or_default();
        for (topic, partition) in free.by_ref().take(usize::try_from(room).unwrap_or(0)) {
            target.entry(topic).or_default().insert(partition);
        }
    }
    targets
}

/// Partitions that no member has.
fn unassigned(question: &Question<'_>, topics: &BTreeSet<Uuid>) -> Vec<(Uuid, i32)> {
    let mut free = Vec::new();
    for topic in topics {
        let had: BTreeSet<i32> =
            question.members.values().filter_map(|m| m.has.get(topic)).flatten().copied().collect();
        let all = 0..question.partitions_of(topic);
        free.extend(all.filter(|partition| !had.contains(partition)).map(|p| (*topic, p)));
    }
    free
}

/// What a member keeps, at most `room`; what does not fit is free.
fn keep(
    has: &Assignment,
    topics: &BTreeSet<Uuid>,
    room: &mut i32,
    free: &mut Vec<(Uuid, i32)>,
) -> Assignment {
    let mut kept = Assignment::new();
    for (topic, partitions) in has.iter().filter(|(topic, _)| topics.contains(*topic)) {
        for partition in partitions {
            if *room > 0 {
                *room -= 1;
                kept.entry(*topic).or_default().insert(*partition);
            } else {
                free.push((*topic, *partition));
            }
        }
    }
    kept
}
