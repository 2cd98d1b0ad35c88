//! What changed between two images, so that a shard acts on the changes and does not search the image for them.
//!
//! Found by walking both side by side, past all that they share: it costs what changed, not what exists.

use std::sync::Arc;

use imbl::ordmap::DiffItem;
use storage::units::TopicId;

use super::{ConfigResource, Image, Partition, Topic};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// As they are in the newer image.
    pub created: Vec<Arc<Topic>>,
    /// As they were in the older one.
    pub deleted: Vec<Arc<Topic>>,
    /// Partitions that are new or changed in topics that both images have.
    pub partitions: Vec<(TopicId, i32)>,
    /// Resources whose configs changed, those of created and deleted topics among them.
    pub configs: Vec<ConfigResource>,
    /// Some broker's registration changed.
    pub brokers: bool,
    /// Some feature's level changed.
    pub features: bool,
    /// Some quota changed.
    pub quotas: bool,
}

impl Delta {
    pub fn between(old: &Image, new: &Image) -> Delta {
        let mut delta = Delta {
            brokers: old.brokers != new.brokers,
            features: old.features != new.features,
            quotas: old.quotas != new.quotas,
            ..Delta::default()
        };
        for item in old.topics_by_id.diff(&new.topics_by_id) {
            match item {
                DiffItem::Add(_, topic) => delta.created.push(Arc::clone(topic)),
                DiffItem::Remove(_, topic) => delta.deleted.push(Arc::clone(topic)),
                DiffItem::Update { old: (_, old), new: (_, new) } => delta.topic(old, new),
            }
        }
        delta.configs.extend(old.configs.diff(&new.configs).map(|item| match item {
            DiffItem::Add(resource, _) | DiffItem::Remove(resource, _) => resource.clone(),
            DiffItem::Update { new: (resource, _), .. } => resource.clone(),
        }));
        delta
    }

    pub fn is_empty(&self) -> bool {
        *self == Delta::default()
    }

    fn topic(&mut self, old: &Topic, new: &Topic) {
        let same = |n: i32, p: &Arc<Partition>| old.partition(n).is_some_and(|o| Arc::ptr_eq(o, p));
        let changed = new.partitions().filter(|(n, p)| !same(*n, p));
        self.partitions.extend(changed.map(|(n, _)| (new.id, n)));
    }
}
