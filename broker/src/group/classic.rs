//! One classic group: its state, its members, and what they have in common.
//!
//! ```text
//!            join                     all joined                 the leader's assignment is durable
//!   Empty ────────▶ PreparingRebalance ────────▶ CompletingRebalance ────────▶ Stable
//!     ▲                 │  ▲                            │                        │
//!     └── nobody left ──┘  └──────── join, leave, crash, a changed subscription ─┘
//! ```
//!
//! What happens at each arrow stands in `join`, `sync` and `leave`; here is only what a group can tell of itself. A group that was
//! deleted is gone from the coordinator: Kafka's state Dead is what a question about it is answered with.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::member::{Member, Protocols};
use super::records::{GroupValue, owned};
use super::{Refusal, Waiter};

/// The protocol type of consumers, whose subscriptions the coordinator can read.
pub(crate) const CONSUMER: &str = "consumer";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Empty,
    PreparingRebalance,
    CompletingRebalance,
    Stable,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// How a group's first rebalance waits for more members: the pause that is on, and what may be added to it. Milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InitialDelay {
    pub(crate) pause_ms: i32,
    pub(crate) remaining_ms: i32,
    /// A member came during the pause.
    pub(crate) more: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) id: ByteString,
    state: State,
    /// When it came into its state, milliseconds since 1970; `None` in old records.
    pub(crate) state_since: Option<i64>,
    pub(crate) generation: i32,
    /// `None` for a group that only keeps offsets.
    pub(crate) protocol_type: Option<ByteString>,
    /// The protocol of the generation.
    pub(crate) protocol: Option<ByteString>,
    pub(crate) leader: Option<ByteString>,
    /// Its record names no leader: what its members have is left from a consumer group, and nobody has assigned it. Known after a load.
    pub(crate) owes_rebalance: bool,
    members: BTreeMap<ByteString, Member>,
    /// Instance to member.
    instances: BTreeMap<ByteString, ByteString>,
    /// Ids that were given out and have not joined (KIP-394).
    pending: BTreeSet<ByteString>,
    /// Members of the generation that have not asked for their assignment.
    pub(crate) unsynced: BTreeSet<ByteString>,
    /// How many members wait for the answer to their JoinGroup.
    joining: usize,
    /// How many members know a protocol.
    known: HashMap<ByteString, usize>,
    /// The topics of all members; `None` if it is not known.
    subscribed: Option<BTreeSet<ByteString>>,
    /// While the first rebalance is delayed.
    pub(crate) initial: Option<InitialDelay>,
}

impl Group {
    pub(crate) fn new(id: ByteString, now_ms: i64) -> Group {
        Group {
            id,
            state: State::Empty,
            state_since: Some(now_ms),
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            owes_rebalance: false,
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeSet::new(),
            unsynced: BTreeSet::new(),
            joining: 0,
            known: HashMap::new(),
            subscribed: None,
            initial: None,
        }
    }

    /// A group as its record tells it.
    pub(crate) fn of(id: ByteString, value: &GroupValue) -> Group {
        let state = if value.members.is_empty() { State::Empty } else { State::Stable };
        let since = value.current_state_timestamp;
        let kind = &value.protocol_type;
        let mut group = Group {
            state,
            state_since: (since != -1).then_some(since),
            generation: value.generation,
            protocol_type: (!kind.is_empty()).then(|| owned(kind)),
            protocol: value.protocol.as_ref().map(owned),
            leader: value.leader.as_ref().map(owned),
            ..Group::new(id, 0)
        };
        group.owes_rebalance = value.leader.is_none() && !value.members.is_empty();
        for member in &value.members {
            group.insert(Member::of(member, value.protocol.as_ref()));
        }
        group.subscribed = group.subscriptions();
        group
    }

    /// A stable group of consumers with these members.
    pub(crate) fn stable(
        id: ByteString,
        generation: i32,
        members: Vec<Member>,
        now_ms: i64,
    ) -> Group {
        let mut group = Group {
            state: State::Stable,
            generation,
            protocol_type: Some(ByteString::from_static(CONSUMER)),
            ..Group::new(id, now_ms)
        };
        members.into_iter().for_each(|member| group.insert(member));
        group.protocol = group.choose_protocol();
        group.subscribed = group.subscriptions();
        group
    }

    /// The record that tells it, with these assignments.
    pub(crate) fn value(&self, assignment: impl Fn(&Member) -> Bytes) -> GroupValue {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        GroupValue {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation: self.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            current_state_timestamp: self.state_since.unwrap_or(-1),
            members: self.members().map(|m| m.value(protocol, assignment(m))).collect(),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state
    }

    pub(crate) fn is(&self, state: State) -> bool {
        self.state == state
    }

    /// Whether its members are not told yet what is theirs.
    pub(crate) fn rebalances(&self) -> bool {
        matches!(self.state, State::PreparingRebalance | State::CompletingRebalance)
    }

    pub(crate) fn enter(&mut self, state: State, now_ms: i64) {
        self.state = state;
        self.state_since = Some(now_ms);
        self.initial = None;
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn size(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn joining(&self) -> usize {
        self.joining
    }

    pub(crate) fn member(&self, id: &str) -> Option<&Member> {
        self.members.get(id)
    }

    pub(crate) fn member_mut(&mut self, id: &str) -> Option<&mut Member> {
        self.members.get_mut(id)
    }

    pub(crate) fn member_ids(&self) -> Vec<ByteString> {
        self.members.keys().cloned().collect()
    }

    pub(crate) fn pending_ids(&self) -> Vec<ByteString> {
        self.pending.iter().cloned().collect()
    }

    /// The member that goes by this instance.
    pub(crate) fn of_instance(&self, instance: &str) -> Option<&ByteString> {
        self.instances.get(instance)
    }

    pub(crate) fn is_leader(&self, member: &str) -> bool {
        self.leader.as_deref() == Some(member)
    }

    pub(crate) fn is_pending(&self, member: &str) -> bool {
        self.pending.contains(member)
    }

    pub(crate) fn add_pending(&mut self, member: ByteString) {
        self.pending.insert(member);
    }

    pub(crate) fn everybody_joined(&self) -> bool {
        self.members.len() == self.joining && self.pending.is_empty()
    }

    /// The longest that a member may take to join again.
    pub(crate) fn rebalance_timeout_ms(&self) -> i32 {
        self.members().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0).max(0)
    }

    /// Adds a member. The first one says what the group is for, and leads it.
    pub(crate) fn insert(&mut self, member: Member) {
        if let Some(instance) = &member.instance {
            self.instances.insert(instance.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.joining += usize::from(member.joining.is_some());
        self.pending.remove(&member.id);
        learn(&mut self.known, &member.protocols);
        self.members.insert(member.id.clone(), member);
    }

    /// What a member that joins again brings.
    pub(crate) fn update(
        &mut self,
        id: &str,
        protocols: Protocols,
        rebalance_ms: i32,
        session_ms: i32,
    ) {
        let Some(member) = self.members.get_mut(id) else { return };
        forget(&mut self.known, &member.protocols);
        learn(&mut self.known, &protocols);
        member.protocols = protocols;
        member.rebalance_timeout_ms = rebalance_ms;
        member.session_timeout_ms = session_ms;
    }

    /// Takes a member, or an id that was given out, from the group; its waiters come back with it.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Member> {
        let removed = self.members.remove(id);
        if let Some(member) = &removed {
            self.joining -= usize::from(member.joining.is_some());
            forget(&mut self.known, &member.protocols);
            if let Some(instance) = &member.instance {
                self.instances.remove(instance);
            }
        }
        if self.is_leader(id) {
            self.leader = self.members.keys().next().cloned();
        }
        self.pending.remove(id);
        self.unsynced.remove(id);
        removed
    }

    /// Gives a member another id, its place and its leadership; returns it as it was.
    pub(crate) fn rename(&mut self, old_id: &str, new_id: ByteString) -> Option<Member> {
        let led = self.is_leader(old_id);
        let unsynced = self.unsynced.contains(old_id);
        let old = self.remove(old_id)?;
        self.insert(Member { id: new_id.clone(), is_new: false, ..old.clone() });
        if led {
            self.leader = Some(new_id.clone());
        }
        if unsynced {
            self.unsynced.insert(new_id);
        }
        Some(old)
    }

    /// Sets who waits for a member's JoinGroup, and returns who did.
    pub(crate) fn set_joining(&mut self, id: &str, waiter: Option<Waiter>) -> Option<Waiter> {
        let member = self.members.get_mut(id)?;
        let before = std::mem::replace(&mut member.joining, waiter);
        self.joining += usize::from(waiter.is_some());
        self.joining -= usize::from(before.is_some());
        before
    }

    /// Whether the leader joined; another member that did takes its place. False if none did.
    pub(crate) fn elect(&mut self) -> bool {
        let Some(leader) = self.leader.as_ref().and_then(|leader| self.members.get(leader)) else {
            return false;
        };
        if leader.joining.is_none() {
            let joined = self.members().find(|member| member.joining.is_some());
            let Some(joined) = joined.map(|member| member.id.clone()) else { return false };
            self.leader = Some(joined);
        }
        true
    }

    /// The next generation: Empty if nobody is left, else the members are to be told who they are.
    pub(crate) fn begin_generation(&mut self, now_ms: i64) {
        self.generation = self.generation.wrapping_add(1).max(0);
        self.protocol = self.choose_protocol();
        self.subscribed = self.subscriptions();
        let state = if self.members.is_empty() { State::Empty } else { State::CompletingRebalance };
        self.enter(state, now_ms);
        self.unsynced.clear();
    }

    /// The protocol that all members know and most prefer; `None` in a group without members.
    pub(crate) fn choose_protocol(&self) -> Option<ByteString> {
        let mut votes: BTreeMap<&ByteString, usize> = BTreeMap::new();
        for member in self.members.values() {
            let (choice, _) = member.protocols.iter().find(|(name, _)| self.known_to_all(name))?;
            *votes.entry(choice).or_default() += 1;
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(name, _)| name.clone())
    }

    fn known_to_all(&self, protocol: &str) -> bool {
        self.known.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    /// Whether somebody who speaks these protocols may join.
    pub(crate) fn supports(&self, protocol_type: &str, protocols: &Protocols) -> bool {
        if self.is(State::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| self.known_to_all(name))
    }

    /// Whether a member is who it says.
    pub(crate) fn validate(&self, member: &str, instance: Option<&str>) -> Result<(), Refusal> {
        if let Some(instance) = instance {
            match self.instances.get(instance) {
                None => return Err(Refusal::UnknownMember),
                Some(known) if known != member => return Err(Refusal::FencedInstance),
                Some(_) => {}
            }
        }
        if self.members.contains_key(member) { Ok(()) } else { Err(Refusal::UnknownMember) }
    }

    pub(crate) fn is_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// Whether a member reads the topic, or may: the offsets of such a topic are left alone.
    pub(crate) fn is_subscribed(&self, topic: &str) -> bool {
        match &self.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_consumers(),
        }
    }

    pub(crate) fn knows_subscriptions(&self) -> bool {
        self.subscribed.is_some()
    }

    /// The topics of all members, as far as this is a group of consumers and all can be read.
    fn subscriptions(&self) -> Option<BTreeSet<ByteString>> {
        if !self.is_consumers() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = self.protocol.as_deref()?;
        let mut all = BTreeSet::new();
        for member in self.members() {
            all.extend(topics(member.metadata(protocol))?);
        }
        Some(all)
    }
}

fn learn(known: &mut HashMap<ByteString, usize>, protocols: &Protocols) {
    protocols.iter().for_each(|(name, _)| *known.entry(name.clone()).or_default() += 1);
}

fn forget(known: &mut HashMap<ByteString, usize>, protocols: &Protocols) {
    for (name, _) in protocols {
        if let Some(count) = known.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                known.remove(name);
            }
        }
    }
}

/// The topics of a consumer's subscription: `i16 version | array of strings | ..`, in every version of it.
fn topics(mut metadata: Bytes) -> Option<Vec<ByteString>> {
    let _version = metadata.try_get_i16().ok()?;
    let count = metadata.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        if length > metadata.len() {
            return None;
        }
        let topic = metadata.split_to(length);
        topics.push(ByteString::from(std::str::from_utf8(&topic).ok()?));
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriptions_topics_are_read_and_garbage_is_not() {
        let read = |bytes: &'static [u8]| topics(Bytes::from_static(bytes));
        let one = b"\0\x01\0\0\0\x01\0\x02ab\xff\xff\xff\xff";
        assert_eq!(read(one), Some(vec!["ab".into()]));
        assert_eq!(read(b"\0\0\0\0\0\0"), Some(vec![]));
        assert_eq!(read(b""), None);
        assert_eq!(read(b"\0\0\x7f\xff\xff\xff\0\x01"), None);
        assert_eq!(read(b"\0\0\0\0\0\x01\0\x09a"), None);
        assert_eq!(read(b"\0\0\0\0\0\x01\0\x01\xff"), None);
    }
}
