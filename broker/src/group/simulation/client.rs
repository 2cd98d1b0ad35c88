//! A consumer: it gets its partitions by the classic protocol (joins, syncs) or by the consumer protocol (`modern`), takes them up where they
//! were committed, and commits what it has read. When its process starts anew it may speak the other protocol.

use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;

use super::modern::Member;
use crate::group::Refusal;
use crate::group::consumer::protocol::{self, Assigned, OfTopic, Subscription};
use crate::group::message::{
    Commit, CommitPartition, CommitTopic, Fetch, FetchTopic, GroupAnswer, GroupRequest, Heartbeat,
    Join, Joined, Leave, Sync,
};

pub(super) const TOPICS: [&str; 2] = ["t0", "t1"];
pub(super) const PARTITIONS: i32 = 3;
pub(super) const SESSION_MS: i32 = 6_000;
pub(super) const REBALANCE_MS: i32 = 9_000;

/// Topic and partition.
pub(super) type Place = (&'static str, i32);

/// What a client does next, or waits for.
#[derive(Clone, Debug)]
pub(super) enum Phase {
    /// It has no place in a generation.
    Out,
    /// It was told its generation; what it assigns if it leads.
    Joined(Joined),
    /// It has partitions, and does not know yet from where to read.
    Assigned {
        generation: i32,
        places: Vec<Place>,
    },
    Reading {
        generation: i32,
        positions: BTreeMap<Place, i64>,
    },
    /// It is, or wants to be, a member by the consumer protocol.
    Modern(Member),
    /// It fell silent, or was fenced.
    Gone,
    /// It left, and does not come back.
    Away,
}

pub(super) struct Client {
    pub number: usize,
    pub group: ByteString,
    pub instance: Option<ByteString>,
    pub member_id: ByteString,
    /// It speaks the consumer protocol.
    pub is_modern: bool,
    /// It reads by a regular expression where it can.
    pub by_regex: bool,
    /// How many of `TOPICS` it reads.
    pub reads: usize,
    /// How many it last joined with, and when it last got an assignment.
    pub joined_with: usize,
    pub assigned_with: usize,
    pub phase: Phase,
    /// Its request is not answered.
    pub waits: bool,
}

impl Client {
    /// Whether it holds a place in a finished generation, and in which.
    pub(super) fn settled(&self) -> Option<i32> {
        match &self.phase {
            _ if self.waits => None,
            Phase::Reading { generation, .. } => Some(*generation),
            Phase::Modern(member) => member.settled(),
            _ => None,
        }
    }

    /// From where it reads.
    pub(super) fn positions(&self) -> Option<&BTreeMap<Place, i64>> {
        match &self.phase {
            Phase::Reading { positions, .. } => Some(positions),
            Phase::Modern(member) => Some(&member.positions),
            _ => None,
        }
    }

    /// The request that it would send now; none if it is gone. `new_id` is the id that it may be given, `commits` what it does with
    /// a generation that it has.
    pub(super) fn next(&self, new_id: ByteString, commits: bool) -> Option<GroupRequest> {
        Some(match &self.phase {
            Phase::Gone | Phase::Away => return None,
            Phase::Modern(member) => member.next(self, new_id, commits),
            Phase::Reading { .. } if self.joined_with != self.reads => {
                GroupRequest::Join(Box::new(self.join(new_id)))
            }
            Phase::Out => GroupRequest::Join(Box::new(self.join(new_id))),
            Phase::Joined(joined) => GroupRequest::Sync(Box::new(self.sync(joined))),
            Phase::Assigned { places, .. } => GroupRequest::Fetch(self.fetch(places)),
            Phase::Reading { generation, positions } if commits => {
                GroupRequest::Commit(self.commit(*generation, positions))
            }
            Phase::Reading { generation, .. } => GroupRequest::Heartbeat(Heartbeat {
                group: self.group.clone(),
                member_id: self.member_id.clone(),
                generation: *generation,
                instance: self.instance.clone(),
            }),
        })
    }

    fn join(&self, new_member_id: ByteString) -> Join {
        // It has given up what it had: its members are of the eager kind.
        let subscription = Subscription {
            topics: TOPICS[..self.reads].iter().map(|topic| (*topic).into()).collect(),
            ..Subscription::default()
        };
        let subscription = protocol::written(&subscription, 1);
        Join {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            new_member_id,
            instance: self.instance.clone(),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: REBALANCE_MS,
            protocol_type: "consumer".into(),
            protocols: vec![
                ("range".into(), subscription.clone()),
                ("sticky".into(), subscription),
            ],
            known_id_required: self.number.is_multiple_of(2),
            may_skip_assignment: self.number.is_multiple_of(3),
        }
    }

    fn sync(&self, joined: &Joined) -> Sync {
        Sync {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            generation: joined.generation,
            instance: self.instance.clone(),
            protocol_type: joined.protocol_type.clone(),
            protocol: joined.protocol.clone(),
            assignments: if joined.skip_assignment { Vec::new() } else { assign(joined) },
        }
    }

    pub(super) fn fetch(&self, places: &[Place]) -> Fetch {
        let topic = |(topic, partition): &Place| FetchTopic {
            name: (*topic).into(),
            id: uuid::Uuid::nil(),
            partitions: vec![*partition],
        };
        Fetch {
            group: self.group.clone(),
            member_id: None,
            member_epoch: -1,
            topics: Some(places.iter().map(topic).collect()),
            stable: true,
        }
    }

    pub(super) fn commit(&self, generation: i32, positions: &BTreeMap<Place, i64>) -> Commit {
        let topic = |((topic, partition), offset): (&Place, &i64)| CommitTopic {
            name: (*topic).into(),
            id: super::world::id_of(topic),
            partitions: vec![CommitPartition {
                partition: *partition,
                offset: *offset,
                leader_epoch: -1,
                metadata: ByteString::new(),
            }],
        };
        Commit {
            group: self.group.clone(),
            member_id: self.member_id.clone(),
            generation,
            instance: self.instance.clone(),
            retention_ms: -1,
            may_miss_group: true,
            topics: positions.iter().map(topic).collect(),
        }
    }

    pub(super) fn leave(&self) -> GroupRequest {
        if let Phase::Modern(member) = &self.phase {
            // A static one may say that it will be back.
            let back = self.instance.is_some() && self.number.is_multiple_of(2);
            return GroupRequest::Report(member.leaves(self, if back { -2 } else { -1 }));
        }
        let members = vec![(self.member_id.clone(), self.instance.clone())];
        GroupRequest::Leave(Leave { group: self.group.clone(), members })
    }

    /// Its process starts anew. It knows its instance, not its id; or it has only unsubscribed, and knows both. A static member reads what it read: in a stable group it gets its place back
    /// without a rebalance (KIP-345), so that another subscription would have no effect.
    pub(super) fn start_anew(&mut self) {
        if self.instance.is_some() && self.assigned_with > 0 {
            self.reads = self.assigned_with;
        }
        let unsubscribed = self.is_modern && matches!(self.phase, Phase::Modern(_));
        if !unsubscribed || !self.number.is_multiple_of(2) {
            self.member_id = ByteString::new();
        }
        self.phase = if self.is_modern { Phase::Modern(Member::default()) } else { Phase::Out };
        self.waits = false;
    }

    /// Nobody will hear the answer to its request.
    pub(super) fn lose_patience(&mut self) {
        self.waits = false;
        if let Phase::Modern(member) = &mut self.phase {
            member.lose_patience();
        }
    }

    /// It reads on: what it commits next.
    pub(super) fn read_on(&mut self) {
        let positions = match &mut self.phase {
            Phase::Reading { positions, .. } => positions,
            Phase::Modern(member) => &mut member.positions,
            _ => return,
        };
        positions.values_mut().for_each(|position| *position += 1);
    }

    /// What an answer does to it.
    pub(super) fn answered(&mut self, answer: &GroupAnswer) {
        self.waits = false;
        if let Phase::Modern(member) = &mut self.phase {
            if let Some(id) = member.answered(answer) {
                self.member_id = id;
            }
            if member.is_fenced {
                self.phase = Phase::Gone;
            }
            return;
        }
        match answer {
            GroupAnswer::Join(Ok(joined)) => {
                self.member_id = joined.member_id.clone();
                self.phase = Phase::Joined(joined.clone());
            }
            GroupAnswer::Join(Err(refused)) => {
                if refused.refusal == Refusal::MemberIdRequired {
                    self.member_id = refused.member_id.clone();
                }
                self.refused(refused.refusal);
            }
            GroupAnswer::Sync(Ok(assigned)) => {
                if let Phase::Joined(joined) = &self.phase {
                    let places = places(&assigned.assignment);
                    self.assigned_with = self.joined_with;
                    self.phase = Phase::Assigned { generation: joined.generation, places };
                }
            }
            GroupAnswer::Fetch(Ok(topics)) => {
                let Phase::Assigned { generation, places } = &self.phase else { return };
                let at = |index: usize| match &topics[index].partitions[0].1 {
                    Ok(Some(committed)) => committed.offset,
                    _ => 0,
                };
                let positions = places.iter().enumerate().map(|(index, place)| (*place, at(index)));
                let positions = positions.collect();
                self.phase = Phase::Reading { generation: *generation, positions };
            }
            GroupAnswer::Sync(Err(refusal))
            | GroupAnswer::Heartbeat(Err(refusal))
            | GroupAnswer::Commit(Err(refusal))
            | GroupAnswer::Fetch(Err(refusal)) => self.refused(*refusal),
            _ => {}
        }
    }

    fn refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::FencedInstance => self.phase = Phase::Gone,
            Refusal::UnknownMember | Refusal::GroupNotFound => {
                self.member_id = ByteString::new();
                self.phase = Phase::Out;
            }
            Refusal::NotAvailable | Refusal::NotCoordinator
                if matches!(self.phase, Phase::Reading { .. } | Phase::Assigned { .. }) => {}
            _ => self.phase = Phase::Out,
        }
    }
}

/// Each partition to one member that reads its topic: round robin, by the leader's order.
fn assign(joined: &Joined) -> Vec<(ByteString, Bytes)> {
    let mut given: BTreeMap<&ByteString, Vec<OfTopic>> = BTreeMap::new();
    for topic in TOPICS {
        let reads = |metadata: &Bytes| {
            let read: Subscription = protocol::read(metadata).unwrap();
            read.topics.iter().any(|name| *name == topic)
        };
        let readers: Vec<_> = joined.members.iter().filter(|(_, _, m)| reads(m)).collect();
        for partition in 0..PARTITIONS {
            let turn = usize::try_from(partition + joined.generation).unwrap();
            if let Some((member, ..)) = readers.get(turn % readers.len().max(1)) {
                let partitions = vec![partition];
                given.entry(member).or_default().push(OfTopic { topic: topic.into(), partitions });
            }
        }
    }
    let written = |of: Vec<OfTopic>| {
        // A topic stands in it once.
        let mut topics: BTreeMap<ByteString, Vec<i32>> = BTreeMap::new();
        of.into_iter().for_each(|o| topics.entry(o.topic).or_default().extend(o.partitions));
        let of = |(topic, partitions)| OfTopic { topic, partitions };
        let assigned_partitions = topics.into_iter().map(of).collect();
        protocol::written(&Assigned { assigned_partitions, user_data: None }, 1)
    };
    given.into_iter().map(|(member, of)| (member.clone(), written(of))).collect()
}

/// The partitions of an assignment.
pub(super) fn places(assignment: &Bytes) -> Vec<Place> {
    let assigned: Assigned = protocol::read(assignment).unwrap_or_default();
    let of = |of: OfTopic| {
        let topic = TOPICS.into_iter().find(|topic| of.topic == *topic).unwrap();
        of.partitions.into_iter().map(move |partition| (topic, partition))
    };
    assigned.assigned_partitions.into_iter().flat_map(of).collect()
}
