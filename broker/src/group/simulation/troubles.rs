//! What happens to a world: clients that come and go, topics that grow, an administrator, crashes.

use std::sync::Arc;

use bytestring::ByteString;
use rand::Rng;
use storage::units::TopicId;

use super::checks;
use super::client::{Client, PARTITIONS, Phase, TOPICS};
use super::world::{Asked, GROUPS, World, id_of, image};
use crate::group::Effects;
use crate::group::message::{DeleteOffsets, Fetch, GroupRequest};
use crate::metadata::image::Delta;

impl World {
    /// A client falls silent, comes back, leaves, or changes what it reads.
    pub(super) fn disturb(&mut self) -> Result<(), String> {
        let number = self.rng.random_range(0..self.clients.len());
        match self.rng.random_range(0..5) {
            0 => self.clients[number].phase = Phase::Gone,
            1 => {
                if self.rng.random_bool(0.5) {
                    self.clients[number].is_modern = !self.clients[number].is_modern;
                }
                self.clients[number].start_anew();
            }
            4 => self.grow(),
            2 if !self.clients[number].member_id.is_empty() => {
                let leave = self.clients[number].leave();
                if self.rng.random_bool(0.5) {
                    self.clients[number].is_modern = !self.clients[number].is_modern;
                }
                self.clients[number].start_anew();
                if self.rng.random_bool(0.2) {
                    self.clients[number].phase = Phase::Away;
                }
                return self.ask(Asked::Nobody(leave.clone()), leave);
            }
            _ => {
                let client = &mut self.clients[number];
                if client.settled().is_some() {
                    client.reads = 3 - client.reads;
                }
            }
        }
        Ok(())
    }

    /// A topic gets another partition.
    fn grow(&mut self) {
        let mut partitions = [PARTITIONS; TOPICS.len()];
        let more = self.rng.random_range(0..TOPICS.len());
        for (at, topic) in TOPICS.iter().enumerate() {
            let has = self.image.topic(TopicId(id_of(topic))).map_or(0, |t| t.partitions.len());
            partitions[at] = i32::try_from(has).unwrap() + i32::from(at == more && has < 5);
        }
        let image = image(partitions);
        let delta = Delta::between(&self.image, &image);
        self.image = Arc::clone(&image);
        self.coordinator.configured(self.rules.clone(), image, &delta);
        self.counts.grown += 1;
    }

    pub(super) fn administrate(&mut self) -> Result<(), String> {
        let group: ByteString = GROUPS[self.rng.random_range(0..GROUPS.len())].into();
        let request = match self.rng.random_range(0..6) {
            0 => GroupRequest::Delete(vec![group]),
            1 => {
                let topics = vec![(TOPICS[1].into(), (0..PARTITIONS).collect())];
                GroupRequest::DeleteOffsets(DeleteOffsets { group, topics })
            }
            2 => GroupRequest::Describe(vec![group]),
            3 => GroupRequest::DescribeConsumers(vec![group]),
            _ => GroupRequest::Fetch(Fetch {
                group,
                member_id: None,
                member_epoch: -1,
                topics: None,
                stable: true,
            }),
        };
        self.ask(Asked::Nobody(request.clone()), request)
    }

    /// The coordinator is loaded from what the crash left of the log: all that was durable, perhaps more.
    pub(super) fn crash(&mut self) -> Result<(), String> {
        self.counts.crashes += 1;
        self.tell(|| "crash".to_owned());
        let kept = self.rng.random_range(self.durable..=self.log.len());
        // A batch is there, or is not.
        let ends = self.appended.iter().map(|(end, _)| *end).filter(|end| *end <= kept);
        let kept = ends.max().unwrap_or(self.durable).max(self.durable);
        self.log.truncate(kept);
        self.durable = kept;
        self.appended.clear();
        self.asked.clear();
        self.unwritten.clear();
        self.clients.iter_mut().for_each(Client::lose_patience);
        let fresh = self.fresh();
        self.coordinator = checks::replayed(fresh, &self.log, self.now);
        self.promises.kept(&self.coordinator)?;
        let mut out = Effects::default();
        self.coordinator.loaded(self.now, &mut out);
        self.carry_out(out)
    }
}
