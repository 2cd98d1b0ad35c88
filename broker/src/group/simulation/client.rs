//! A consumer as the classic protocol has it: joins, syncs, takes up its partitions where they were committed, commits what it has read.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::group::Refusal;
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
    /// It fell silent, or was fenced.
    Gone,
}

pub(super) struct Client {
    pub number: usize,
    pub group: ByteString,
    pub instance: Option<ByteString>,
    pub member_id: ByteString,
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
            Phase::Reading { generation, .. } if !self.waits => Some(*generation),
            _ => None,
        }
    }

    /// The request that it would send now; none if it is gone. `new_id` is the id that it may be given, `commits` what it does with
    /// a generation that it has.
    pub(super) fn next(&self, new_id: ByteString, commits: bool) -> Option<GroupRequest> {
        Some(match &self.phase {
            Phase::Gone => return None,
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
        let mut subscription = BytesMut::new();
        subscription.put_i16(0);
        subscription.put_i32(i32::try_from(self.reads).unwrap());
        for topic in &TOPICS[..self.reads] {
            subscription.put_i16(i16::try_from(topic.len()).unwrap());
            subscription.put_slice(topic.as_bytes());
        }
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
                ("range".into(), subscription.clone().freeze()),
                ("sticky".into(), subscription.freeze()),
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

    fn fetch(&self, places: &[Place]) -> Fetch {
        let topic = |(topic, partition): &Place| FetchTopic {
            name: (*topic).into(),
            id: uuid::Uuid::nil(),
            partitions: vec![*partition],
        };
        Fetch {
            group: self.group.clone(),
            topics: Some(places.iter().map(topic).collect()),
            stable: true,
        }
    }

    fn commit(&self, generation: i32, positions: &BTreeMap<Place, i64>) -> Commit {
        let topic = |((topic, partition), offset): (&Place, &i64)| CommitTopic {
            name: (*topic).into(),
            id: uuid::Uuid::nil(),
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
        let members = vec![(self.member_id.clone(), self.instance.clone())];
        GroupRequest::Leave(Leave { group: self.group.clone(), members })
    }

    /// Its process starts anew. It knows its instance, not its id. A static member reads what it read: in a stable group it gets its place back
    /// without a rebalance (KIP-345), so that another subscription would have no effect.
    pub(super) fn start_anew(&mut self) {
        if self.instance.is_some() && self.assigned_with > 0 {
            self.reads = self.assigned_with;
        }
        self.phase = Phase::Out;
        self.member_id = ByteString::new();
        self.waits = false;
    }

    /// It reads on: what it commits next.
    pub(super) fn read_on(&mut self) {
        if let Phase::Reading { positions, .. } = &mut self.phase {
            positions.values_mut().for_each(|position| *position += 1);
        }
    }

    /// What an answer does to it.
    pub(super) fn answered(&mut self, answer: &GroupAnswer) {
        self.waits = false;
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
    let mut given: BTreeMap<&ByteString, BytesMut> = BTreeMap::new();
    for (number, topic) in (0_u8..).zip(TOPICS) {
        let reads = |metadata: &Bytes| metadata.windows(2).any(|pair| pair == topic.as_bytes());
        let readers: Vec<_> = joined.members.iter().filter(|(_, _, m)| reads(m)).collect();
        for partition in 0..PARTITIONS {
            let turn = usize::try_from(partition + joined.generation).unwrap();
            if let Some((member, ..)) = readers.get(turn % readers.len().max(1)) {
                let assignment = given.entry(member).or_default();
                assignment.put_u8(number);
                assignment.put_u8(u8::try_from(partition).unwrap());
            }
        }
    }
    given.into_iter().map(|(member, bytes)| (member.clone(), bytes.freeze())).collect()
}

/// The partitions of an assignment.
pub(super) fn places(assignment: &Bytes) -> Vec<Place> {
    let place = |pair: &[u8]| (TOPICS[usize::from(pair[0])], i32::from(pair[1]));
    assignment.chunks_exact(2).map(place).collect()
}
