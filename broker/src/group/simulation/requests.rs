//! What is asked of the coordinator, what follows from it in the log, and who is answered: each is held against what was promised.

use bytestring::ByteString;
use rand::Rng;
use uuid::Uuid;

use super::checks;
use super::client::Place;
use super::world::{Asked, World, topic_of};
use crate::group::consumer::protocol::{self, Subscription};
use crate::group::message::{GroupAnswer, GroupRequest};
use crate::group::records::{ConsumerRecord, OffsetKey, Record};
use crate::group::{Effects, Refusal, Then, Waiter};

impl World {
    pub(super) fn ask(&mut self, asked: Asked, request: GroupRequest) -> Result<(), String> {
        self.next_number += 1;
        let waiter = self.next_number;
        if let Asked::Client(number, _) = &asked {
            self.latest[*number] = waiter;
        }
        if let Asked::Client(number, _) = &asked {
            self.tell(|| format!("client {number} asks {request:?}"));
        } else {
            self.tell(|| format!("somebody asks {request:?}"));
        }
        self.asked.insert(waiter, asked);
        self.given_up(&request);
        if let GroupRequest::Sync(sync) = &request {
            let life = self.life(&sync.group);
            self.lives.insert(waiter, life);
        }
        let mut out = Effects::default();
        self.coordinator.handle(self.now, request, waiter, &mut out);
        self.carry_out(out)
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{:>8} {}", self.now.ticks, what());
        }
    }

    pub(super) fn carry_out(&mut self, mut out: Effects) -> Result<(), String> {
        loop {
            for (waiter, answer) in std::mem::take(&mut out.answers) {
                self.answer(waiter, &answer)?;
            }
            let writes = std::mem::take(&mut out.writes);
            if writes.is_empty() {
                return checks::everybody_is_missed(&self.coordinator);
            }
            for write in writes {
                let group = checks::group_of(&write.then, &write.records);
                if write.records.is_empty() && self.appended.is_empty() {
                    self.coordinator.written(self.now, write.then, Ok(()), &mut out);
                } else if !write.records.is_empty() && self.troubled && self.rng.random_bool(0.03) {
                    self.counts.refused_appends += 1;
                    self.unwritten.extend(group);
                    self.coordinator.written(
                        self.now,
                        write.then,
                        Err(Refusal::NotAvailable),
                        &mut out,
                    );
                } else {
                    self.commits_in_its_generation(&write.then)?;
                    self.count(&write.records);
                    for record in &write.records {
                        self.promises.appended(record)?;
                        if let Record::Offset(key, None) = record {
                            self.taken_back.insert(key.clone(), self.next_number);
                        }
                    }
                    write
                        .records
                        .iter()
                        .for_each(|record| self.tell(|| format!("log: {record:?}")));
                    self.coordinator.appended(self.now, &write, &mut out);
                    checks::one_owner(&self.coordinator)?;
                    self.log.extend(write.records);
                    group.iter().for_each(|group| {
                        self.unwritten.remove(group);
                    });
                    self.appended.push_back((self.log.len(), write.then));
                }
            }
        }
    }

    /// A member's commit is taken in the generation that it names only.
    fn commits_in_its_generation(&self, then: &Then) -> Result<(), String> {
        let Then::Answer(waiter, _) = then else { return Ok(()) };
        let asked = self.asked.get(waiter);
        let Some(
            Asked::Client(_, GroupRequest::Commit(commit))
            | Asked::Nobody(GroupRequest::Commit(commit)),
        ) = asked
        else {
            return Ok(());
        };
        match self.is_in_its_generation(commit) {
            true => Ok(()),
            false => {
                Err(format!("a commit of generation {} was taken: {commit:?}", commit.generation))
            }
        }
    }

    fn count(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Group(_, None) => self.counts.deleted_groups += 1,
                Record::Offset(_, None) => self.counts.deleted_offsets += 1,
                Record::Offset(_, Some(_)) => self.counts.commits += 1,
                Record::Group(_, Some(value)) if !value.members.is_empty() => {
                    self.counts.generations += 1;
                }
                Record::Consumer(_, ConsumerRecord::Current(_, Some(_))) => self.counts.steps += 1,
                _ => {}
            }
        }
        let made =
            |record: &Record| matches!(record, Record::Consumer(_, ConsumerRecord::Epoch(Some(_))));
        if let [Record::Group(_, None), rest @ ..] = records
            && rest.iter().filter(|record| made(record)).count() > 1
        {
            self.counts.upgrades += 1;
        }
    }

    /// What a request says that its member has not is its no more.
    fn given_up(&mut self, request: &GroupRequest) {
        match request {
            GroupRequest::Report(report) if report.member_epoch >= 0 => {
                let owns: Vec<Place> = report
                    .owns
                    .iter()
                    .flatten()
                    .flat_map(|(id, partitions)| {
                        let topic = topic_of(*id);
                        partitions.iter().map(move |partition| (topic, *partition))
                    })
                    .collect();
                self.promises.has(&report.group, &report.member_id, &owns);
            }
            GroupRequest::Join(join) => {
                let read: Subscription = protocol::read(&join.protocols[0].1).unwrap();
                assert!(read.owned_partitions.is_empty(), "an eager member has nothing");
                self.promises.has(&join.group, &join.member_id, &[]);
            }
            _ => {}
        }
    }

    /// The first write that is not durable becomes so.
    pub(super) fn confirm(&mut self) -> Result<(), String> {
        let Some((end, then)) = self.appended.pop_front() else { return Ok(()) };
        self.durable = self.durable.max(end);
        self.counts.replaced += usize::from(matches!(then, Then::Replaced(_)));
        self.counts.downgrades += usize::from(matches!(then, Then::Downgraded { .. }));
        let mut out = Effects::default();
        self.coordinator.written(self.now, then, Ok(()), &mut out);
        self.carry_out(out)
    }

    fn answer(&mut self, waiter: Waiter, answer: &GroupAnswer) -> Result<(), String> {
        let asked = self.asked.remove(&waiter);
        let Some(asked) = asked else {
            return Err(format!("{waiter} was answered twice: {answer:?}"));
        };
        let number = match asked {
            Asked::Client(number, request) => {
                self.record_promises(waiter, &request, answer)?;
                number
            }
            Asked::Nobody(request) => return self.record_promises(waiter, &request, answer),
        };
        // A client that has sent something else since does not hear this.
        if self.latest[number] == waiter && self.clients[number].waits {
            self.hear(number, answer)?;
        }
        Ok(())
    }

    /// How often the group was deleted, or became one of the other protocol.
    fn life(&self, of: &ByteString) -> usize {
        let deleted = |record: &&Record| match record {
            Record::Group(group, None) | Record::Consumer(group, ConsumerRecord::Epoch(None)) => {
                group == of
            }
            _ => false,
        };
        self.log.iter().filter(deleted).count()
    }

    fn hear(&mut self, number: usize, answer: &GroupAnswer) -> Result<(), String> {
        let places: Vec<Place> = match answer {
            GroupAnswer::Report(Ok(reported)) => {
                let of = |(id, partitions): &(Uuid, Vec<i32>)| {
                    let topic = topic_of(*id);
                    partitions.iter().map(move |p| (topic, *p)).collect::<Vec<_>>()
                };
                reported.assignment.iter().flatten().flat_map(of).collect()
            }
            GroupAnswer::Sync(Ok(assigned)) => super::client::places(&assigned.assignment),
            _ => Vec::new(),
        };
        self.tell(|| format!("client {number} hears {answer:?}"));
        let client = &mut self.clients[number];
        client.answered(answer);
        let (group, member) = (client.group.clone(), client.member_id.clone());
        self.promises.told(&self.coordinator, &group, &member, &places)
    }

    fn record_promises(
        &mut self,
        waiter: Waiter,
        request: &GroupRequest,
        answer: &GroupAnswer,
    ) -> Result<(), String> {
        match (request, answer) {
            (GroupRequest::Sync(sync), GroupAnswer::Sync(Ok(assigned))) => {
                let life = self.lives.remove(&waiter).unwrap_or_default();
                let owner = sync.instance.as_ref().unwrap_or(&sync.member_id);
                let (group, assignment) = (&sync.group, &assigned.assignment);
                self.promises.assigned(group, life, sync.generation, owner, assignment)
            }
            (GroupRequest::Commit(commit), answer) if checks::acknowledged(answer) => {
                for topic in &commit.topics {
                    for partition in &topic.partitions {
                        let key = OffsetKey {
                            group: commit.group.clone(),
                            topic: topic.name.clone(),
                            partition: partition.partition,
                        };
                        self.promise(waiter, key, partition.offset);
                    }
                }
                Ok(())
            }
            (GroupRequest::Fetch(fetch), GroupAnswer::Fetch(Ok(topics))) => {
                for topic in topics {
                    for (partition, committed) in &topic.partitions {
                        if let Ok(Some(committed)) = committed {
                            let key = OffsetKey {
                                group: fetch.group.clone(),
                                topic: topic.name.clone(),
                                partition: *partition,
                            };
                            self.promise(waiter, key, committed.offset);
                        }
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An offset that was taken back between the request and its answer is not promised.
    fn promise(&mut self, waiter: Waiter, key: OffsetKey, offset: i64) {
        if self.taken_back.get(&key).is_none_or(|at| *at < waiter) {
            self.promises.promise(key, offset);
        }
    }
}
