//! The consumer protocol from a client's side: it reports what it has, gives up and takes up what it is told, at its own pace.

use std::collections::BTreeMap;

use bytestring::ByteString;

use super::client::{Client, Place, REBALANCE_MS, TOPICS};
use super::world::{id_of, topic_of};
use crate::group::Refusal;
use crate::group::message::{GroupAnswer, GroupRequest, Report};

#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    /// 0 until it is one.
    pub epoch: i32,
    pub positions: BTreeMap<Place, i64>,
    /// What it was told to have; `None` if it has that.
    pub wanted: Option<Vec<Place>>,
    /// Its instance is another's.
    pub is_fenced: bool,
}

impl Member {
    pub(super) fn settled(&self) -> Option<i32> {
        (self.epoch > 0 && self.wanted.is_none()).then_some(self.epoch)
    }

    /// Gives up what it is not to have.
    pub(super) fn give_up(&mut self) {
        if let Some(wanted) = &self.wanted {
            self.positions.retain(|place, _| wanted.contains(place));
        }
        self.settle();
    }

    fn settle(&mut self) {
        let has = |wanted: &Vec<Place>| {
            wanted.len() == self.positions.len()
                && wanted.iter().all(|place| self.positions.contains_key(place))
        };
        if self.wanted.as_ref().is_some_and(has) {
            self.wanted = None;
        }
    }

    /// What it was told and has not taken up it will be told again.
    pub(super) fn lose_patience(&mut self) {
        if let Some(wanted) = &mut self.wanted {
            wanted.retain(|place| self.positions.contains_key(place));
        }
        self.settle();
    }

    pub(super) fn next(&self, client: &Client, new_id: ByteString, commits: bool) -> GroupRequest {
        let new: Vec<Place> = self.new_places();
        if self.epoch > 0 && !new.is_empty() {
            let mut fetch = client.fetch(&new);
            fetch.member_id = Some(client.member_id.clone());
            fetch.member_epoch = self.epoch;
            return GroupRequest::Fetch(fetch);
        }
        if self.epoch > 0 && commits && !self.positions.is_empty() {
            return GroupRequest::Commit(client.commit(self.epoch, &self.positions));
        }
        GroupRequest::Report(Box::new(self.report(client, new_id)))
    }

    fn new_places(&self) -> Vec<Place> {
        let wanted = self.wanted.iter().flatten().copied();
        wanted.filter(|place| !self.positions.contains_key(place)).collect()
    }

    pub(super) fn leaves(&self, client: &Client, member_epoch: i32) -> Box<Report> {
        let report = self.report(client, ByteString::new());
        Box::new(Report { member_epoch, names: None, regex: None, owns: None, ..report })
    }

    fn report(&self, client: &Client, new_id: ByteString) -> Report {
        let mut owns: BTreeMap<uuid::Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, partition) in self.positions.keys() {
            owns.entry(id_of(topic)).or_default().push(*partition);
        }
        let regex = client.by_regex && client.reads == TOPICS.len();
        let names: Vec<ByteString> =
            TOPICS[..client.reads].iter().map(|topic| (*topic).into()).collect();
        Report {
            group: client.group.clone(),
            member_id: client.member_id.clone(),
            new_member_id: new_id,
            member_epoch: self.epoch,
            instance: client.instance.clone(),
            rack: None,
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: REBALANCE_MS,
            names: Some(if regex { Vec::new() } else { names }),
            regex: Some(if regex { "t[0-9]".into() } else { "".into() }),
            assignor: client.number.is_multiple_of(5).then(|| "range".into()),
            owns: Some(owns.into_iter().collect()),
        }
    }

    /// What an answer does to it; its id, if it was told one.
    pub(super) fn answered(&mut self, answer: &GroupAnswer) -> Option<ByteString> {
        match answer {
            GroupAnswer::Report(Ok(reported)) => {
                self.epoch = reported.member_epoch;
                if let Some(assignment) = &reported.assignment {
                    let of = |(id, partitions): &(uuid::Uuid, Vec<i32>)| {
                        let topic = topic_of(*id);
                        partitions.iter().map(move |p| (topic, *p)).collect::<Vec<_>>()
                    };
                    self.wanted = Some(assignment.iter().flat_map(of).collect());
                    self.settle();
                }
                Some(reported.member_id.clone())
            }
            GroupAnswer::Report(Err(refused)) => {
                self.refused(refused.refusal);
                None
            }
            GroupAnswer::Fetch(Ok(topics)) => {
                for topic in topics {
                    let name = TOPICS.into_iter().find(|name| topic.name == *name).unwrap();
                    for (partition, committed) in &topic.partitions {
                        let place = (name, *partition);
                        if self.wanted.as_ref().is_some_and(|wanted| wanted.contains(&place)) {
                            let at = committed.as_ref().ok().and_then(Option::as_ref);
                            self.positions.insert(place, at.map_or(0, |c| c.offset));
                        }
                    }
                }
                self.settle();
                None
            }
            GroupAnswer::Commit(Err(refusal)) | GroupAnswer::Fetch(Err(refusal)) => {
                self.refused(*refusal);
                None
            }
            _ => None,
        }
    }

    fn refused(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::FencedInstance => self.is_fenced = true,
            Refusal::FencedMemberEpoch
            | Refusal::UnknownMember
            | Refusal::GroupNotFound
            | Refusal::NotConsumerGroup => *self = Member::default(),
            // It learns of its epoch with its next heartbeat; or the instance, or the log, is not free yet.
            _ => self.lose_patience(),
        }
    }
}
