//! SyncGroup: the leader brings the assignment; when it is in the log, every member gets its part.

use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;

use super::classic::{Group, State};
use super::coordinator::{Coordinator, Effects, Now, Then, answer_sync};
use super::message::{Assigned, GroupAnswer, Sync};
use super::planted::Bug;
use super::records::Record;
use super::timers::Timer;
use super::{Refusal, Waiter};

impl Coordinator {
    pub(super) fn sync(&mut self, now: Now, sync: Sync, waiter: Waiter, out: &mut Effects) {
        if self.consumers.contains_key(&sync.group) {
            return self.sync_consumer(now, &sync, waiter, out);
        }
        let mut refuse = |refusal| out.answer(waiter, GroupAnswer::Sync(Err(refusal)));
        let Some(group) = self.groups.get_mut(&sync.group) else {
            return refuse(Refusal::UnknownMember);
        };
        if let Err(refusal) = validate(group, &sync) {
            return refuse(refusal);
        }
        match group.state() {
            State::Empty => refuse(Refusal::UnknownMember),
            State::PreparingRebalance => refuse(Refusal::Rebalancing),
            State::CompletingRebalance => {
                if let Some(member) = group.member_mut(&sync.member_id)
                    && let Some(before) = member.syncing.replace(waiter)
                {
                    out.answer(before, GroupAnswer::Sync(Err(Refusal::Rebalancing)));
                }
                let leads = group.is_leader(&sync.member_id);
                self.has_synced(&sync.group, &sync.member_id);
                if leads {
                    self.assign(now, sync, out);
                }
            }
            State::Stable => {
                let assigned = assigned(group, &sync.member_id);
                self.has_synced(&sync.group, &sync.member_id);
                out.answer(waiter, GroupAnswer::Sync(Ok(assigned)));
            }
        }
    }

    fn has_synced(&mut self, id: &ByteString, member: &str) {
        let Some(group) = self.groups.get_mut(id) else { return };
        group.unsynced.remove(member);
        if group.unsynced.is_empty() {
            self.timers.cancel(&Timer::Sync(id.clone()));
        }
    }

    /// The leader's assignment goes into the log. Who is not in it gets nothing.
    fn assign(&mut self, now: Now, sync: Sync, out: &mut Effects) {
        let Some(group) = self.groups.get(&sync.group) else { return };
        let mut assignments: BTreeMap<ByteString, Bytes> = sync.assignments.into_iter().collect();
        assignments.retain(|member, _| group.member(member).is_some());
        let value = group.value(|member| assignments.get(&member.id).cloned().unwrap_or_default());
        let generation = group.generation;
        let record = Record::Group(sync.group.clone(), Some(value));
        if self.has(Bug::AssignedAtAppend) {
            out.write(vec![record], Then::Nothing);
            return self.assigned(now, &sync.group, generation, &assignments, Ok(()), out);
        }
        out.write(vec![record], Then::Assigned { group: sync.group, generation, assignments });
    }

    /// The assignment is in the log, or could not be written. If another rebalance has begun meanwhile it is as good as forgotten.
    pub(super) fn assigned(
        &mut self,
        now: Now,
        id: &ByteString,
        generation: i32,
        assignments: &BTreeMap<ByteString, Bytes>,
        outcome: Result<(), Refusal>,
        out: &mut Effects,
    ) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if !group.is(State::CompletingRebalance) || group.generation != generation {
            return;
        }
        let mut reported = Vec::new();
        for member in group.member_ids() {
            if let Some(known) = group.member_mut(&member) {
                let assignment = outcome.ok().and_then(|()| assignments.get(&member));
                known.assignment = assignment.cloned().unwrap_or_default();
            }
            let answer = outcome.map(|()| assigned(group, &member));
            if answer_sync(group, &member, answer, out) {
                reported.push(member);
            }
        }
        match outcome {
            Ok(()) => group.enter(State::Stable, now.wall_ms),
            Err(_) => self.rebalance(now, id, out),
        }
        reported.iter().for_each(|member| self.renew(now, id, member));
    }

    /// Members that have not asked for their assignment in time are out.
    pub(super) fn sync_phase_over(&mut self, now: Now, id: &ByteString, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let late = std::mem::take(&mut group.unsynced);
        if late.is_empty() {
            return;
        }
        for member in late {
            group.remove(&member);
            self.timers.cancel(&Timer::Session(id.clone(), member));
        }
        self.prepare_rebalance(now, id, out);
    }
}

fn validate(group: &Group, sync: &Sync) -> Result<(), Refusal> {
    if group.is(State::Empty) {
        return Err(Refusal::UnknownMember);
    }
    group.validate(&sync.member_id, sync.instance.as_deref())?;
    if sync.generation != group.generation {
        return Err(Refusal::IllegalGeneration);
    }
    let differs = |told: &Option<ByteString>, known: &Option<ByteString>| {
        told.is_some() && known.is_some() && told != known
    };
    if differs(&sync.protocol_type, &group.protocol_type)
        || differs(&sync.protocol, &group.protocol)
    {
        return Err(Refusal::InconsistentProtocol);
    }
    Ok(())
}

fn assigned(group: &Group, member: &str) -> Assigned {
    Assigned {
        protocol_type: group.protocol_type.clone(),
        protocol: group.protocol.clone(),
        assignment: group.member(member).map(|m| m.assignment.clone()).unwrap_or_default(),
    }
}
