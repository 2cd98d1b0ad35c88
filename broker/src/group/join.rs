//! How members come into a group's next generation: JoinGroup, and the rebalance that it begins.
//!
//! - A group without members waits a while for more of them (`group.initial.rebalance.delay.ms`), longer while they come.
//! - Any other waits until all its members have joined again, as long as the slowest of them may take.
//! - A static member that comes back under a new id takes its old place (KIP-345), without a rebalance where nothing changes for the
//!   others; the old id is fenced.
//! - A member that brings nothing new is told its generation. The leader's JoinGroup always begins a rebalance: it may know of new partitions.

use bytestring::ByteString;

use super::classic::{Group, InitialDelay, State};
use super::coordinator::{Coordinator, Effects, Now, Then, answer_join, answer_sync, ms_after};
use super::member::{Member, Protocols};
use super::message::{GroupAnswer, Join, JoinRefused, Joined};
use super::planted::Bug;
use super::records::{GroupValue, Record};
use super::timers::Timer;
use super::{Refusal, Waiter};

/// How long a new member may wait in a rebalance: it does not know its id and cannot report, nor can it be noticed that it is gone.
const NEW_MEMBER_TIMEOUT_MS: i32 = 5 * 60 * 1000;

/// A static member that came back: what is to be answered, or taken back.
#[derive(Debug)]
pub(crate) struct Replaced {
    group: ByteString,
    old_id: ByteString,
    new_id: ByteString,
    old_protocols: Protocols,
    old_rebalance_ms: i32,
    old_session_ms: i32,
    /// Before the member came back.
    leader: ByteString,
    may_skip_assignment: bool,
}

impl Coordinator {
    pub(super) fn join(&mut self, now: Now, join: Join, waiter: Waiter, out: &mut Effects) {
        let unknown = join.member_id.is_empty();
        if self.is_other(&join.group) {
            return refuse(waiter, Refusal::InconsistentProtocol, ByteString::new(), out);
        }
        if self.consumers.get(&join.group).is_some_and(|group| !group.is_empty()) {
            return self.join_consumer(now, join, waiter, out);
        }
        let created = !self.groups.contains_key(&join.group);
        if created && !unknown {
            return refuse(waiter, Refusal::UnknownMember, join.member_id, out);
        }
        let id = join.group.clone();
        let writes = out.writes.len();
        let size_max = self.rules.size_max;
        let new = || Group::new(id.clone(), now.wall_ms);
        let group = self.groups.entry(id.clone()).or_insert_with(new);
        if !accepts(group, &join.member_id, size_max) {
            group.remove(&join.member_id);
            self.timers.cancel(&Timer::Session(id.clone(), join.member_id));
            refuse(waiter, Refusal::GroupFull, ByteString::new(), out);
        } else if unknown {
            self.join_new(now, join, waiter, out);
        } else {
            self.join_again(now, join, waiter, out);
        }
        if created && out.writes.len() == writes {
            self.record_created(&id, out);
        }
    }

    /// A new group is written as an empty one; members follow with its first generation. A consumer group of that name, which has no
    /// members, is taken back first.
    fn record_created(&mut self, id: &ByteString, out: &mut Effects) {
        let Some(group) = self.groups.get(id) else { return };
        let mut records = self.tombstones_of_consumers(id);
        let value = GroupValue {
            current_state_timestamp: group.state_since.unwrap_or(-1),
            ..GroupValue::default()
        };
        records.push(Record::Group(id.clone(), Some(value)));
        out.write(records, Then::Created(id.clone()));
    }

    fn join_new(&mut self, now: Now, join: Join, waiter: Waiter, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(&join.group) else { return };
        if !group.supports(&join.protocol_type, &join.protocols) {
            return refuse(waiter, Refusal::InconsistentProtocol, ByteString::new(), out);
        }
        let known = join.instance.as_deref().and_then(|i| group.of_instance(i).cloned());
        if let Some(old_id) = known {
            return self.replace_static(now, join, &old_id, waiter, out);
        }
        if join.instance.is_none() && join.known_id_required {
            group.add_pending(join.new_member_id.clone());
            self.session(now, &join.group, &join.new_member_id, join.session_timeout_ms);
            return refuse(waiter, Refusal::MemberIdRequired, join.new_member_id, out);
        }
        let id = join.new_member_id.clone();
        self.add_member(now, join, id, waiter, out);
    }

    fn join_again(&mut self, now: Now, join: Join, waiter: Waiter, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(&join.group) else { return };
        let id = join.member_id.clone();
        if !group.supports(&join.protocol_type, &join.protocols) {
            return refuse(waiter, Refusal::InconsistentProtocol, id, out);
        }
        if group.is_pending(&id) && join.instance.is_none() {
            return self.add_member(now, join, id, waiter, out);
        }
        if let Err(refusal) = group.validate(&id, join.instance.as_deref()) {
            return refuse(waiter, refusal, id, out);
        }
        let same = group.member(&id).is_some_and(|member| member.matches(&join.protocols));
        let begins_rebalance = match group.state() {
            State::PreparingRebalance => true,
            // Perhaps it did not receive the answer to its first JoinGroup.
            State::CompletingRebalance => !same,
            State::Stable => !same || group.is_leader(&id),
            State::Empty => return refuse(waiter, Refusal::UnknownMember, id, out),
        };
        if !begins_rebalance {
            let tell_members = group.is(State::CompletingRebalance);
            let joined = joined(group, &id, tell_members);
            return out.answer(waiter, GroupAnswer::Join(Ok(joined)));
        }
        group.update(&id, join.protocols, join.rebalance_timeout_ms, join.session_timeout_ms);
        wait_to_join(group, &id, waiter, out);
        self.rebalance(now, &join.group, out);
    }

    fn add_member(
        &mut self,
        now: Now,
        join: Join,
        id: ByteString,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let Some(group) = self.groups.get_mut(&join.group) else { return };
        if let Some(initial) = &mut group.initial {
            initial.more = true;
        }
        if group.size() == 0 {
            group.protocol_type = Some(join.protocol_type);
        }
        group.insert(Member {
            id: id.clone(),
            instance: join.instance,
            client_id: join.client_id,
            client_host: join.client_host,
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            session_timeout_ms: join.session_timeout_ms,
            protocols: join.protocols,
            assignment: bytes::Bytes::new(),
            is_new: true,
            joining: Some(waiter),
            syncing: None,
        });
        self.session(now, &join.group, &id, NEW_MEMBER_TIMEOUT_MS);
        self.rebalance(now, &join.group, out);
    }

    fn replace_static(
        &mut self,
        now: Now,
        join: Join,
        old_id: &ByteString,
        waiter: Waiter,
        out: &mut Effects,
    ) {
        let Some(group) = self.groups.get_mut(&join.group) else { return };
        let leader = group.leader.clone().unwrap_or_default();
        answer_join(group, old_id, Err((Refusal::FencedInstance, old_id.clone())), out);
        answer_sync(group, old_id, Err(Refusal::FencedInstance), out);
        let Some(old) = group.rename(old_id, join.new_member_id.clone()) else { return };
        group.update(
            &join.new_member_id,
            join.protocols,
            join.rebalance_timeout_ms,
            join.session_timeout_ms,
        );
        wait_to_join(group, &join.new_member_id, waiter, out);
        let replaced = Replaced {
            group: join.group.clone(),
            old_id: old_id.clone(),
            new_id: join.new_member_id.clone(),
            old_protocols: old.protocols,
            old_rebalance_ms: old.rebalance_timeout_ms,
            old_session_ms: old.session_timeout_ms,
            leader,
            may_skip_assignment: join.may_skip_assignment,
        };
        let unchanged = group.protocol == group.choose_protocol();
        let (state, id) = (group.state(), join.group);
        self.timers.cancel(&Timer::Session(id.clone(), old_id.clone()));
        self.session(now, &id, &join.new_member_id, join.session_timeout_ms);
        match state {
            State::Stable if unchanged && self.has(Bug::NewIdUnwritten) => {
                self.replaced(now, replaced, Ok(()), out);
            }
            State::Stable if unchanged => {
                let value =
                    self.groups.get(&id).map(|g| g.value(|member| member.assignment.clone()));
                let then = Then::Replaced(Box::new(replaced));
                out.write(vec![Record::Group(id, value)], then);
            }
            // The leader may be assigning to the old id.
            State::CompletingRebalance => self.prepare_rebalance(now, &id, out),
            State::Stable | State::PreparingRebalance | State::Empty => {
                self.rebalance(now, &id, out);
            }
        }
    }

    /// A static member's new id is in the log, or could not be written: then it has the old one still.
    pub(super) fn replaced(
        &mut self,
        now: Now,
        replaced: Replaced,
        outcome: Result<(), Refusal>,
        out: &mut Effects,
    ) {
        let Replaced { group: id, old_id, new_id, .. } = replaced;
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.member(&new_id).is_none() {
            return;
        }
        if let Err(refusal) = outcome {
            answer_join(group, &new_id, Err((refusal, ByteString::new())), out);
            group.rename(&new_id, old_id.clone());
            group.update(
                &old_id,
                replaced.old_protocols,
                replaced.old_rebalance_ms,
                replaced.old_session_ms,
            );
            self.timers.cancel(&Timer::Session(id.clone(), new_id));
            return self.renew(now, &id, &old_id);
        }
        if !group.is(State::Stable) {
            // A rebalance has begun meanwhile, and will answer.
            return;
        }
        let answer = if replaced.may_skip_assignment {
            Joined { skip_assignment: group.is_leader(&new_id), ..joined(group, &new_id, true) }
        } else {
            // Older clients would assign if they were told that they lead.
            Joined { leader: replaced.leader, ..joined(group, &new_id, false) }
        };
        answer_join(group, &new_id, Ok(answer), out);
    }

    /// Begins a rebalance, or ends the join phase of one if everybody has joined.
    pub(super) fn rebalance(&mut self, now: Now, id: &ByteString, out: &mut Effects) {
        let Some(group) = self.groups.get(id) else { return };
        if !group.is(State::PreparingRebalance) {
            self.prepare_rebalance(now, id, out);
        } else if group.initial.is_none() && group.everybody_joined() {
            self.complete_join(now, id, out);
        }
    }

    pub(super) fn prepare_rebalance(&mut self, now: Now, id: &ByteString, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(id) else { return };
        let mut reported = Vec::new();
        if group.is(State::CompletingRebalance) {
            for member in group.member_ids() {
                if let Some(member) = group.member_mut(&member) {
                    member.assignment = bytes::Bytes::new();
                }
                if answer_sync(group, &member, Err(Refusal::Rebalancing), out) {
                    reported.push(member);
                }
            }
        }
        group.unsynced.clear();
        let first = group.is(State::Empty);
        group.enter(State::PreparingRebalance, now.wall_ms);
        let timeout = group.rebalance_timeout_ms();
        let everybody = group.everybody_joined();
        let mut wait = timeout;
        if first {
            wait = self.rules.initial_delay_ms.max(0);
            let remaining_ms = (timeout - wait).max(0);
            group.initial = Some(InitialDelay { pause_ms: wait, remaining_ms, more: false });
        }
        self.timers.cancel(&Timer::Sync(id.clone()));
        reported.iter().for_each(|member| self.renew(now, id, member));
        if !first && everybody {
            return self.complete_join(now, id, out);
        }
        self.timers.set(Timer::Join(id.clone()), now.ticks + ms_after(wait));
    }

    /// The time of the join phase is up.
    pub(super) fn join_phase_over(&mut self, now: Now, id: &ByteString, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if let Some(initial) = group.initial.take()
            && initial.more
            && initial.remaining_ms != 0
        {
            let pause_ms = self.rules.initial_delay_ms.max(0).min(initial.remaining_ms);
            let remaining_ms = (initial.remaining_ms - initial.pause_ms).max(0);
            group.initial = Some(InitialDelay { pause_ms, remaining_ms, more: false });
            return self.timers.set(Timer::Join(id.clone()), now.ticks + ms_after(pause_ms));
        }
        self.complete_join(now, id, out);
    }

    /// Ends the join phase: who has not joined is out, unless it is static; the others are told their generation.
    pub(super) fn complete_join(&mut self, now: Now, id: &ByteString, out: &mut Effects) {
        let same_generation = self.has(Bug::SameGeneration);
        let Some(group) = self.groups.get_mut(id) else { return };
        if !group.is(State::PreparingRebalance) {
            return;
        }
        self.timers.cancel(&Timer::Join(id.clone()));
        let late = |member: &&Member| member.joining.is_none() && member.instance.is_none();
        let late: Vec<ByteString> = group.members().filter(late).map(|m| m.id.clone()).collect();
        for member in late {
            group.remove(&member);
            self.timers.cancel(&Timer::Session(id.clone(), member));
        }
        let timeout = group.rebalance_timeout_ms();
        if group.size() > 0 && !group.elect() {
            // Only static members are left and none has joined: they are waited for until their sessions end.
            group.initial = None;
            return self.timers.set(Timer::Join(id.clone()), now.ticks + ms_after(timeout));
        }
        group.begin_generation(now.wall_ms);
        if same_generation {
            group.generation -= 1;
        }
        if group.is(State::Empty) {
            let value = group.value(|member| member.assignment.clone());
            return out.write(vec![Record::Group(id.clone(), Some(value))], Then::Nothing);
        }
        let members = group.member_ids();
        for member in &members {
            let answer = joined(group, member, true);
            answer_join(group, member, Ok(answer), out);
            if let Some(member) = group.member_mut(member) {
                member.is_new = false;
            }
            group.unsynced.insert(member.clone());
        }
        members.iter().for_each(|member| self.renew(now, id, member));
        self.timers.set(Timer::Sync(id.clone()), now.ticks + ms_after(timeout));
    }
}

/// Whether there is room for who wants to join. In a rebalance those count who have joined it: the last to come are out.
fn accepts(group: &Group, member: &str, size_max: usize) -> bool {
    match group.state() {
        State::Empty => true,
        State::PreparingRebalance => {
            group.member(member).is_some_and(|member| member.joining.is_some())
                || group.joining() < size_max
        }
        State::CompletingRebalance | State::Stable => {
            group.member(member).is_some() || group.size() < size_max
        }
    }
}

/// What a member is told of its generation.
fn joined(group: &Group, member: &str, tell_members: bool) -> Joined {
    let protocol = group.protocol.as_deref().unwrap_or_default();
    let tell = |m: &Member| (m.id.clone(), m.instance.clone(), m.metadata(protocol));
    let members = if tell_members && group.is_leader(member) {
        group.members().map(tell).collect()
    } else {
        Vec::new()
    };
    Joined {
        member_id: member.into(),
        generation: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol: group.protocol.clone(),
        leader: group.leader.clone().unwrap_or_default(),
        skip_assignment: false,
        members,
    }
}

/// A JoinGroup that is sent again takes the place of the one before, which nobody waits for any more, as a rule.
fn wait_to_join(group: &mut Group, member: &str, waiter: Waiter, out: &mut Effects) {
    if let Some(before) = group.set_joining(member, Some(waiter)) {
        refuse(before, Refusal::Rebalancing, member.into(), out);
    }
}

fn refuse(waiter: Waiter, refusal: Refusal, member_id: ByteString, out: &mut Effects) {
    out.answer(waiter, GroupAnswer::Join(Err(JoinRefused { refusal, member_id })));
}
