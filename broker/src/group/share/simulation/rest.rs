//! What is compared at any time, and what must be so when the faults end.

use std::collections::{BTreeMap, HashMap};

use bytestring::ByteString;
use uuid::Uuid;

use super::super::super::consumer::Refresh;
use super::super::super::coordinator::Coordinator;
use super::super::super::records::Record;
use super::super::{ShareGroup, States};
use super::world::{CLIENTS, Client, GROUP, TOPICS, World};

impl World {
    pub(super) fn compare(&self) -> Result<(), String> {
        let all = |coordinator: &Coordinator| -> BTreeMap<ByteString, ShareGroup> {
            let shares = coordinator.shares.iter();
            shares.map(|(id, group)| (id.clone(), bare(group))).collect()
        };
        let live = all(&self.coordinator);
        for log in [self.log.clone(), compacted(&self.log)] {
            let replayed = all(&self.replayed(&log));
            if live != replayed {
                return Err(format!("live {live:?}, replayed {replayed:?}"));
            }
        }
        Ok(())
    }

    /// The faults end.
    pub(super) fn come_to_rest(&mut self) -> Result<(), String> {
        self.troubled = false;
        for number in 0..CLIENTS {
            if self.clients[number].is_gone {
                self.start(number);
            }
        }
        for _ in 0..100 {
            for number in 0..CLIENTS {
                self.report(number)?;
                while !self.appended.is_empty() {
                    self.confirm()?;
                }
            }
            while !self.to_begin.is_empty() {
                self.begin()?;
                while !self.appended.is_empty() {
                    self.confirm()?;
                }
            }
            self.pass(1_100)?;
            if self.is_at_rest() {
                break;
            }
        }
        if !self.is_at_rest() {
            let (clients, groups) = (&self.clients, &self.coordinator.shares);
            return Err(format!("no rest: {clients:?}; {groups:?}; {:?}", self.topics));
        }
        self.compare()?;
        self.crash()
    }

    fn is_at_rest(&self) -> bool {
        let Some(group) = self.coordinator.shares.get(GROUP) else { return false };
        let settled = self.clients.iter().all(|client| client.epoch == group.epoch);
        let read = |name: &&'static str| self.clients.iter().any(|c| c.reads.contains(name));
        let is_read = |name: &&'static str| {
            let Some((id, partitions)) = self.topics.get(name) else { return true };
            (0..*partitions).all(|partition| {
                let has = |client: &Client| {
                    let own = client.has.get(&Uuid::from_u128(*id));
                    client.reads.contains(name) && own.is_some_and(|own| own.contains(&partition))
                };
                self.clients.iter().any(has)
            })
        };
        settled
            && group.members.len() == CLIENTS
            && TOPICS.iter().filter(|name| read(name)).all(is_read)
    }
}

/// But for what is not in the log.
fn bare(group: &ShareGroup) -> ShareGroup {
    let states = group.states.as_ref().map(|states| States::of(&states.value(), 0));
    ShareGroup { refresh: Refresh::default(), states, ..group.clone() }
}

/// What compaction leaves of a log: the last record of each key, if it is no tombstone.
fn compacted(log: &[Record]) -> Vec<Record> {
    let key = |record: &Record| record.encode().unwrap().0;
    let last: HashMap<_, _> =
        log.iter().enumerate().map(|(at, record)| (key(record), at)).collect();
    let stays = |(at, record): &(usize, &Record)| {
        last[&key(record)] == *at && record.encode().unwrap().1.is_some()
    };
    log.iter().enumerate().filter(stays).map(|(_, record)| record.clone()).collect()
}
