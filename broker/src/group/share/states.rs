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
    deleting: BTreeMap<Uuid, ByteString>,
}

/// Partitions by topic, in the order of both.
pub(crate) type ByTopic = Vec<(Uuid, Vec<i32>)>;

impl States {
    /// Topic, its name, and its partitions whose state is kept.
    pub(super) fn kept(&self) -> impl Iterator<Item = (&Uuid, &ByteString, &BTreeSet<i32>)> {
        self.initialized.iter().map(|(id, of)| (id, &of.name, &of.partitions))
    }

    /// Partitions of these topics that have no state, and for which it does not begin just now: what was begun `retry_ms` ago and has
    /// not come to an end is begun again.
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
            let begun = self
                .initializing
                .get(&id)
                .filter(|of| now_ms.saturating_sub(of.at) < retry_ms);
            let known = [begun, self.initialized.get(&id)];
            let is_known =
                |partition: &i32| known.iter().flatten().any(|of| of.partitions.contains(partition));
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

    /// State of these partitions is kept from now on. Of topics that are no more nothing is.
    #[must_use]
    pub(super) fn begun(&self, partitions: &ByTopic, image: &Image, now_ms: i64) -> States {
        let mut next = self.clone();
        for (id, partitions) in partitions {
            take(&mut next.initializing, id, partitions);
            add(&mut next.initialized, *id, partitions, image, now_ms);
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
            deleting: deleting.map(|info| (info.topic_id, info.topic_name.clone())).collect(),
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
        let deleting = self.deleting.iter().map(|(topic_id, topic_name)| TopicInfo {
            topic_id: *topic_id,
            topic_name: topic_name.clone(),
        });
        StatesValue {
            initializing_topics: topics(&self.initializing),
            initialized_topics: topics(&self.initialized),
            deleting_topics: deleting.collect(),
        }
    }
}

fn add(topics: &mut Topics, id: Uuid, partitions: &[i32], image: &Image, now_ms: i64) {
    let Some(topic) = image.topic(TopicId(id)) else { return };
    let of = topics.entry(id).or_insert_with(|| Of {
        name: topic.name.clone(),
        partitions: BTreeSet::new(),
        at: now_ms,
    });
    of.partitions.extend(partitions);
    of.at = now_ms;
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
