//! How members stay, and how they go: Heartbeat, LeaveGroup, and the session that ends without either.

use bytestring::ByteString;

use super::classic::State;
use super::coordinator::{Coordinator, Effects, Now, answer_join, answer_sync};
use super::message::{GroupAnswer, Heartbeat, Leave};
use super::planted::Bug;
use super::timers::Timer;
use super::{Refusal, Waiter};

impl Coordinator {
    pub(super) fn heartbeat(&mut self, now: Now, heartbeat: &Heartbeat) -> Result<(), Refusal> {
        let group = self.groups.get(&heartbeat.group).ok_or(Refusal::UnknownMember)?;
        group.validate(&heartbeat.member_id, heartbeat.instance.as_deref())?;
        if heartbeat.generation != group.generation {
            return Err(Refusal::IllegalGeneration);
        }
        let answer = match group.state() {
            State::Empty => return Err(Refusal::UnknownMember),
            State::PreparingRebalance => Err(Refusal::Rebalancing),
            State::CompletingRebalance | State::Stable => Ok(()),
        };
        self.renew(now, &heartbeat.group, &heartbeat.member_id);
        answer
    }

    pub(super) fn leave(&mut self, now: Now, leave: &Leave, waiter: Waiter, out: &mut Effects) {
        let id = &leave.group;
        if self.consumers.contains_key(id) {
            return self.leave_as_classic(now, leave, waiter, out);
        }
        if !self.groups.contains_key(id) {
            let nobody = leave.members.iter().map(|_| Err(Refusal::UnknownMember)).collect();
            return out.answer(waiter, GroupAnswer::Leave(Ok(nobody)));
        }
        let left: Vec<_> =
            leave.members.iter().map(|(m, i)| self.leave_one(id, m, i.as_deref(), out)).collect();
        let anybody = left.iter().any(Result::is_ok);
        out.answer(waiter, GroupAnswer::Leave(Ok(left)));
        let state = self.groups.get(id).map(super::classic::Group::state);
        if anybody && state != Some(State::Empty) {
            self.rebalance(now, id, out);
        }
    }

    fn leave_one(
        &mut self,
        id: &ByteString,
        member: &str,
        instance: Option<&str>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let group = self.groups.get(id).ok_or(Refusal::UnknownMember)?;
        let member: ByteString = match (member, instance) {
            // An administrator names the instance alone.
            ("", instance) => {
                let known = instance.and_then(|instance| group.of_instance(instance));
                known.cloned().ok_or(Refusal::UnknownMember)?
            }
            (member, _) if group.is_pending(member) => member.into(),
            (member, instance) => {
                group.validate(member, instance)?;
                member.into()
            }
        };
        self.remove_member(id, &member, out);
        Ok(())
    }

    /// Takes a member out. If it waits it is told that it is not known: it joins again if it lives.
    fn remove_member(&mut self, id: &ByteString, member: &ByteString, out: &mut Effects) {
        let Some(group) = self.groups.get_mut(id) else { return };
        answer_join(group, member, Err((Refusal::UnknownMember, ByteString::new())), out);
        answer_sync(group, member, Err(Refusal::UnknownMember), out);
        group.remove(member);
        self.timers.cancel(&Timer::Session(id.clone(), member.clone()));
    }

    /// A member was silent for too long, or an id that was given out was not used.
    pub(super) fn session_over(
        &mut self,
        now: Now,
        id: &ByteString,
        member: &ByteString,
        out: &mut Effects,
    ) {
        let Some(group) = self.groups.get(id) else { return };
        let was_pending = group.is_pending(member);
        if !was_pending && group.member(member).is_none_or(super::member::Member::is_excused) {
            return;
        }
        self.remove_member(id, member, out);
        if self.has(Bug::SilentRemoval) {
            return;
        }
        let Some(group) = self.groups.get(id) else { return };
        match group.state() {
            State::Stable | State::CompletingRebalance if !was_pending => {
                self.rebalance(now, id, out);
            }
            State::PreparingRebalance if group.everybody_joined() => {
                self.complete_join(now, id, out);
            }
            _ => {}
        }
    }
}
