//! How a world comes to rest when the faults have ended.

use rand::Rng;

use super::client::{Client, PARTITIONS, Phase, Place, TOPICS};
use super::world::{Asked, GROUPS, World};

impl World {
    /// The faults end: everybody gets a place, and every partition an owner. So it is when one has left for good, and the coordinator is
    /// loaded anew before the others have heard of it.
    pub(super) fn come_to_rest(&mut self) -> Result<(), String> {
        self.troubled = false;
        self.rest()?;
        let number = self.rng.random_range(0..self.clients.len());
        if !matches!(self.clients[number].phase, Phase::Away) {
            let leave = self.clients[number].leave();
            self.clients[number].start_anew();
            self.clients[number].phase = Phase::Away;
            self.ask(Asked::Nobody(leave.clone()), leave)?;
            while !self.appended.is_empty() {
                self.confirm()?;
            }
            if self.rng.random_bool(0.5) {
                self.crash()?;
            }
            self.rest()?;
        }
        self.compare()?;
        self.crash()
    }

    fn rest(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            for number in 0..self.clients.len() {
                let client = &mut self.clients[number];
                if matches!(client.phase, Phase::Gone) {
                    client.start_anew();
                }
                if let Phase::Modern(member) = &mut client.phase {
                    member.give_up();
                }
                self.act(number)?;
            }
            while !self.appended.is_empty() {
                self.confirm()?;
            }
            self.pass(800)?;
            if self.is_at_rest() {
                break;
            }
        }
        if !self.is_at_rest() {
            let phases: Vec<_> =
                self.clients.iter().map(|c| (c.number, &c.phase, c.waits)).collect();
            let (classic, consumer) = (&self.coordinator.groups, &self.coordinator.consumers);
            return Err(format!("no rest: {phases:?}; {classic:?}; {consumer:?}"));
        }
        Ok(())
    }

    fn is_at_rest(&self) -> bool {
        GROUPS.iter().all(|group| self.group_is_at_rest(group)) && self.asked.is_empty()
    }

    /// Everybody has a place, all in one generation, and every partition has an owner.
    fn group_is_at_rest(&self, group: &str) -> bool {
        let stays =
            |client: &&Client| &*client.group == group && !matches!(client.phase, Phase::Away);
        let members = || self.clients.iter().filter(stays);
        let mut generations: Vec<_> = members().map(Client::settled).collect();
        generations.dedup();
        let reads = members().map(|client| client.reads).max().unwrap_or(0);
        let owned = |place: Place| {
            let owns =
                |client: &&Client| client.positions().is_some_and(|p| p.contains_key(&place));
            members().filter(owns).count() == 1
        };
        let consumer = self.coordinator.consumers.contains_key(group);
        let partitions = |topic: &str| match consumer {
            true => self
                .image
                .topic_by_name(topic)
                .map_or(0, |t| i32::try_from(t.partitions.len()).unwrap()),
            false => PARTITIONS,
        };
        let mut all = TOPICS[..reads]
            .iter()
            .flat_map(|topic| (0..partitions(topic)).map(move |p| (*topic, p)));
        matches!(generations[..], [] | [Some(_)]) && all.all(owned)
    }
}
