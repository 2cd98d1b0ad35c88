//! For which partitions of a share group the share coordinator keeps state.
//!
//! ```text
//!            a heartbeat                    it is kept                      the offsets are deleted
//! nothing ───────────────▶ initializing ───────────────▶ initialized ───────────────▶ deleting ──▶ nothing
//!    ▲                          │                              │
//!    └── it could not be begun ─┴──── the topic is no more ────┘
//! ```
//! All of it is one record of the group, written anew with each step.

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;
use uuid::Uuid;

use super::super::records::share::{StatesValue, TopicInfo, TopicPartitionsInfo};
use super::message::ByTopic;
use crate::metadata::image::Image;
use storage::units::TopicId;

/// Partitions of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Of {
    name: ByteString,
    partitions: BTreeSet<i32>,
    /// When this was recorded or read, milliseconds since 1970; not in the log.
    at: i64,
}

type Topics = BTreeMap<Uuid, Of>;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct States {
    initializing: Topics,
    initialized: Topics,
    deleting: BTreeMap<Uuid, Deleting>,
}

/// A topic whose state is to be deleted, since when: as in `Of`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Deleting {
    name: ByteString,
    at: i64,
}

impl States {
    pub(super) const NONE: States = States {
        initializing: BTreeMap::new(),
        initialized: BTreeMap::new(),
        deleting: BTreeMap::new(),
    };

    /// Topic, its name, and its partitions whose state is kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&Uuid, &ByteString, &BTreeSet<i32>)> {
        self.initialized.iter().map(|(id, of)| (id, &of.name, &of.partitions))
    }

    pub(super) fn all_kept(&self) -> ByTopic {
        self.kept().map(|(id, _, of)| (*id, of.iter().copied().collect())).collect()
    }

    /// Whether there is nothing that would have to be deleted with the group.
    pub(super) fn is_empty(&self) -> bool {
        self.initializing.is_empty() && self.initialized.is_empty() && self.deleting.is_empty()
    }

    pub(super) fn is_deleting(&self, topic: &Uuid) -> bool {
        self.deleting.contains_key(topic)
    }

    /// Partitions of these topics that have no state, and for which it neither begins nor is deleted just now: what was begun `retry_ms`
    /// ago and has not come to an end is begun again. (Kafka begins at once what is being deleted, and may lose it to the deletion.)
    pub(super) fn missing<'a>(
        &self,
        names: impl Iterator<Item = &'a ByteString>,
        image: &Image,
        now_ms: i64,
        retry_ms: i64,
    ) -> ByTopic {
        let missing = |name: &ByteString| {
            let topic = image.topic_by_name(name)?;
            let id = topic.id.0;
            let begun =
                self.initializing.get(&id).filter(|of| now_ms.saturating_sub(of.at) < retry_ms);
            let is_recent = |of: &Deleting| now_ms.saturating_sub(of.at) < retry_ms;
            if self.deleting.get(&id).is_some_and(is_recent) {
                return None;
            }
            let known = [begun, self.initialized.get(&id)];
            let is_known = |partition: &i32| {
                known.iter().flatten().any(|of| of.partitions.contains(partition))
            };
            let all = topic.partitions().map(|(partition, _)| partition);
            let missing: Vec<i32> = all.filter(|partition| !is_known(partition)).collect();
            (!missing.is_empty()).then_some((id, missing))
        };
        let mut missing: ByTopic = names.filter_map(missing).collect();
        missing.sort();
        missing
    }

    /// State of these partitions begins.
    #[must_use]
    pub(super) fn beginning(&self, partitions: &ByTopic, image: &Image, now_ms: i64) -> States {
        let mut next = self.clone();
        for (id, partitions) in partitions {
            next.deleting.remove(id);
            add(&mut next.initializing, *id, partitions, image, now_ms);
        }
        next
    }

    /// State of these partitions is kept from now on. What was forgotten meanwhile may be deleted as well: it is to begin again. Of topics
    /// that are no more nothing is kept.
    #[must_use]
    pub(super) fn begun(&self, partitions: &ByTopic, image: &Image, now_ms: i64) -> States {
        let mut next = self.clone();
        for (id, partitions) in partitions {
            let (awaited, late): (Vec<i32>, Vec<i32>) =
                partitions.iter().partition(|p| has(&self.initializing, id, **p));
            take(&mut next.initializing, id, &awaited);
            add(&mut next.initialized, *id, &awaited, image, now_ms);
            let late: Vec<i32> =
                late.into_iter().filter(|p| !has(&self.initialized, id, *p)).collect();
            add(&mut next.initializing, *id, &late, image, now_ms);
        }
        next
    }

    /// State of these partitions could not be begun.
    #[must_use]
    pub(super) fn not_begun(&self, partitions: &ByTopic) -> States {
        let mut next = self.clone();
        partitions.iter().for_each(|(id, of)| take(&mut next.initializing, id, of));
        next
    }

    /// State of the topic that is kept is to be deleted: of which partitions, if there is some.
    pub(super) fn delete(&mut self, topic: &Uuid, now_ms: i64) -> Option<Vec<i32>> {
        let of = self.initialized.remove(topic)?;
        self.deleting.insert(*topic, Deleting { name: of.name, at: now_ms });
        Some(of.partitions.into_iter().collect())
    }

    /// State of these topics is deleted.
    #[must_use]
    pub(super) fn deleted(&self, topics: impl Fn(&Uuid) -> bool) -> States {
        let mut next = self.clone();
        next.deleting.retain(|id, _| !topics(id));
        next
    }

    /// All of it is to be deleted, with the group; of which partitions. Of topics that are no more nothing is kept.
    #[must_use]
    pub(super) fn ending(&self, image: &Image, now_ms: i64) -> (States, ByTopic) {
        let mut next = States::NONE;
        let mut partitions: BTreeMap<Uuid, BTreeSet<i32>> = BTreeMap::new();
        for (id, of) in self.initializing.iter().chain(&self.initialized) {
            let Some(topic) = image.topic(TopicId(*id)) else { continue };
            let there = of.partitions.iter().filter(|p| topic.partition(**p).is_some());
            partitions.entry(*id).or_default().extend(there);
            next.deleting.insert(*id, Deleting { name: of.name.clone(), at: now_ms });
        }
        for id in self.deleting.keys() {
            let Some(topic) = image.topic(TopicId(*id)) else { continue };
            partitions.entry(*id).or_default().extend(topic.partitions().map(|(p, _)| p));
            next.deleting.insert(*id, Deleting { name: topic.name.clone(), at: now_ms });
        }
        let partitions = partitions.into_iter().map(|(id, of)| (id, of.into_iter().collect()));
        (next, partitions.collect())
    }

    /// Topics are no more.
    #[must_use]
    pub(super) fn without(&self, topics: impl Fn(&Uuid) -> bool) -> States {
        let mut next = self.clone();
        next.initializing.retain(|id, _| !topics(id));
        next.initialized.retain(|id, _| !topics(id));
        next.deleting.retain(|id, _| !topics(id));
        next
    }

    pub(super) fn of(value: &StatesValue, now_ms: i64) -> States {
        let topics = |topics: &[TopicPartitionsInfo]| -> Topics {
            let of = |info: &TopicPartitionsInfo| {
                let partitions = info.partitions.iter().copied().collect();
                (info.topic_id, Of { name: info.topic_name.clone(), partitions, at: now_ms })
            };
            topics.iter().map(of).collect()
        };
        let deleting = value.deleting_topics.iter();
        States {
            initializing: topics(&value.initializing_topics),
            initialized: topics(&value.initialized_topics),
            deleting: deleting
                .map(|info| (info.topic_id, Deleting { name: info.topic_name.clone(), at: now_ms }))
                .collect(),
        }
    }

    pub(super) fn value(&self) -> StatesValue {
        let topics = |topics: &Topics| -> Vec<TopicPartitionsInfo> {
            let info = |(topic_id, of): (&Uuid, &Of)| TopicPartitionsInfo {
                topic_id: *topic_id,
                topic_name: of.name.clone(),
                partitions: of.partitions.iter().copied().collect(),
            };
            topics.iter().map(info).collect()
        };
        let deleting = self
            .deleting
            .iter()
            .map(|(topic_id, of)| TopicInfo { topic_id: *topic_id, topic_name: of.name.clone() });
        StatesValue {
            initializing_topics: topics(&self.initializing),
            initialized_topics: topics(&self.initialized),
            deleting_topics: deleting.collect(),
        }
    }
}

fn add(topics: &mut Topics, id: Uuid, partitions: &[i32], image: &Image, now_ms: i64) {
    if partitions.is_empty() {
        return;
    }
    let Some(topic) = image.topic(TopicId(id)) else { return };
    let of = topics.entry(id).or_insert_with(|| Of {
        name: topic.name.clone(),
        partitions: BTreeSet::new(),
        at: now_ms,
    });
    of.partitions.extend(partitions);
    of.at = now_ms;
}

fn has(topics: &Topics, id: &Uuid, partition: i32) -> bool {
    topics.get(id).is_some_and(|of| of.partitions.contains(&partition))
}

fn take(topics: &mut Topics, id: &Uuid, partitions: &[i32]) {
    if let Some(of) = topics.get_mut(id) {
        for partition in partitions {
            of.partitions.remove(partition);
        }
        if of.partitions.is_empty() {
            topics.remove(id);
        }
    }
}
