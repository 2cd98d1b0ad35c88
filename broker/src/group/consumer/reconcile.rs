//! How a member gets from what it owns to its target: first it gives up, then it is told what is free, and what others own yet comes
//! when they have given it up. See `member` for the states.
//!
//! - A member stays in its epoch until it has given up what it is to give up; then it is in the target's.
//! - What it no longer reads it is to give up at once, whatever the target says.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::ConsumerGroup;
use super::member::{Assignment, ConsumerMember, MemberState, Owned};

/// Where a member is to get, and what is known of it.
pub(super) struct Goal<'a> {
    pub(super) target_epoch: i32,
    pub(super) target: &'a Assignment,
    /// The topics that it reads.
    pub(super) reads: &'a BTreeSet<Uuid>,
    /// It reads something else than before.
    pub(super) changed: bool,
    /// What it says that it owns; `None` if it does not say.
    pub(super) owns: Option<&'a [(Uuid, Vec<i32>)]>,
    /// A planted bug: nobody is waited for.
    pub(super) hurries: bool,
}

/// The member after its next step; as it is, if there is none. `None`: it must begin again without partitions.
pub(super) fn next(
    group: &ConsumerGroup,
    member: &ConsumerMember,
    goal: &Goal<'_>,
) -> Option<ConsumerMember> {
    Some(match member.state {
        MemberState::Stable if member.epoch != goal.target_epoch => advance(group, member, goal),
        MemberState::Stable if goal.changed => shrink(member, goal),
        MemberState::Stable => member.clone(),
        MemberState::UnrevokedPartitions if !goal.owns_any_of(&member.revoking) => {
            advance(group, member, goal)
        }
        MemberState::UnrevokedPartitions if goal.changed => shrink(member, goal),
        MemberState::UnrevokedPartitions => member.clone(),
        MemberState::UnreleasedPartitions => advance(group, member, goal),
        MemberState::Unknown if goal.owns.is_none_or(|owns| !owns.is_empty()) => return None,
        MemberState::Unknown => {
            let member = ConsumerMember { epoch: goal.target_epoch, ..member.clone() };
            ConsumerMember { previous_epoch: goal.target_epoch, ..advance(group, &member, goal) }
        }
    })
}

impl Goal<'_> {
    /// Whether the member has some of it; it may, as long as it says nothing.
    fn owns_any_of(&self, partitions: &Owned) -> bool {
        let Some(owns) = self.owns else { return true };
        let among = |topic: &Uuid, partition: &i32| {
            partitions.get(topic).is_some_and(|partitions| partitions.contains_key(partition))
        };
        owns.iter().any(|(topic, own)| own.iter().any(|partition| among(topic, partition)))
    }
}

/// Takes away what the member no longer reads, and nothing else.
fn shrink(member: &ConsumerMember, goal: &Goal<'_>) -> ConsumerMember {
    let mut assigned = member.assigned.clone();
    let mut revoking = member.revoking.clone();
    assigned.retain(|topic, partitions| {
        let reads = goal.reads.contains(topic);
        if !reads {
            revoking.entry(*topic).or_default().append(partitions);
        }
        reads
    });
    if assigned.len() == member.assigned.len() {
        return member.clone();
    }
    let smaller = ConsumerMember { assigned, ..member.clone() }.in_epoch(member.epoch);
    if !goal.owns_any_of(&revoking) {
        return smaller;
    }
    ConsumerMember { state: MemberState::UnrevokedPartitions, revoking, ..smaller }
}

/// The step towards the target that can be made now.
fn advance(group: &ConsumerGroup, member: &ConsumerMember, goal: &Goal<'_>) -> ConsumerMember {
    let none = BTreeSet::new();
    let wanted = |topic: &Uuid| match goal.reads.contains(topic) {
        true => goal.target.get(topic).unwrap_or(&none),
        false => &none,
    };
    let (mut kept, mut revoking) = (Owned::new(), Owned::new());
    for (topic, partitions) in &member.assigned {
        let wanted = wanted(topic);
        for (partition, epoch) in partitions {
            let place = if wanted.contains(partition) { &mut kept } else { &mut revoking };
            place.entry(*topic).or_default().insert(*partition, *epoch);
        }
    }
    if !revoking.is_empty() && goal.owns_any_of(&revoking) {
        let waiting = ConsumerMember { assigned: kept, revoking, ..member.clone() };
        let state = MemberState::UnrevokedPartitions;
        return ConsumerMember { state, ..waiting }.in_epoch(member.epoch);
    }
    let mut unreleased = false;
    let mut assigned = kept.clone();
    for topic in goal.target.keys() {
        for partition in wanted(topic) {
            if kept.get(topic).is_some_and(|kept| kept.contains_key(partition)) {
                continue;
            }
            // One that the member itself was giving up is free.
            let own = member.revoking.get(topic).is_some_and(|own| own.contains_key(partition));
            if group.has_owner(*topic, *partition) && !own && !goal.hurries {
                unreleased = true;
            } else {
                assigned.entry(*topic).or_default().insert(*partition, goal.target_epoch);
            }
        }
    }
    let state = if unreleased { MemberState::UnreleasedPartitions } else { MemberState::Stable };
    let next = ConsumerMember { state, assigned, revoking: Owned::new(), ..member.clone() };
    next.in_epoch(goal.target_epoch)
}
