//! The metadata image: what the cluster metadata log says, as of one offset.
//!
//! An `Image` is immutable once it is published; all shards hold an `Arc` of the same one. Its maps share structure
//! (`imbl`): a clone is a few reference counts, and applying a record costs what changed, not what exists, so that a
//! change among ten thousand partitions is cheap to publish.
//! - `Image::apply` replays one record; `Delta::between` says what changed from one image to another.
//! - `replay::Replay` adds metadata transactions (KIP-868): records between begin and end count together or not at all.
//! - `Image::records` is the inverse: the records that make this image, in the order of Kafka's snapshots.

mod apply;
mod broker;
mod delta;
mod replay;
mod topic;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use storage::units::{Epoch, Offset, TopicId};

pub use apply::ReplayError;
pub use broker::{Broker, Endpoint, Feature};
pub use delta::Delta;
pub use replay::Replay;
pub use topic::{NO_LEADER, Partition, Topic, UNASSIGNED_DIRECTORY};

use super::records::{
    AccessControlEntryRecord, DelegationTokenRecord, RegisterControllerRecord,
    UserScramCredentialRecord,
};

/// The feature that numbers the format of the metadata log itself.
pub const METADATA_VERSION: &str = "metadata.version";
/// The feature that, at level 1, is the consumer protocol of groups (KIP-848).
pub const GROUP_VERSION: &str = "group.version";
/// The feature that, at level 1, is share groups (KIP-932).
pub const SHARE_VERSION: &str = "share.version";

/// The configs of one resource that differ from the defaults.
pub type Overrides = Arc<BTreeMap<ByteString, ByteString>>;

/// Whose quotas: `user`, `client-id` or `ip`, each with a name or, with none, the default.
pub type QuotaEntity = BTreeMap<ByteString, Option<ByteString>>;

/// An entity's quotas by their names.
pub type Quotas = Arc<BTreeMap<ByteString, f64>>;

/// Whose configs: `ConfigResource` of Kafka's admin API, by its number there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    pub kind: i8,
    pub name: ByteString,
}

impl ConfigResource {
    pub const TOPIC: i8 = 2;
    pub const BROKER: i8 = 4;
    pub const CLIENT_METRICS: i8 = 16;
    pub const GROUP: i8 = 32;

    /// The configs of the topic with this name.
    pub fn topic(name: impl Into<ByteString>) -> ConfigResource {
        ConfigResource { kind: ConfigResource::TOPIC, name: name.into() }
    }

    /// The configs of one broker; an empty name is the default of all brokers.
    pub fn broker(name: impl Into<ByteString>) -> ConfigResource {
        ConfigResource { kind: ConfigResource::BROKER, name: name.into() }
    }
}

/// The last record that an image contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub offset: Offset,
    pub epoch: Epoch,
    /// When the batch of that record was appended, in milliseconds.
    pub timestamp_ms: i64,
}

impl Position {
    /// Before the first record.
    pub const START: Position = Position { offset: Offset(-1), epoch: Epoch(0), timestamp_ms: 0 };
}

/// What is kept for Kafka's sake although nothing acts on it yet. See `records::security`.
#[derive(Debug, Clone, PartialEq, Default)]
struct Kept {
    acls: imbl::OrdMap<uuid::Uuid, Arc<AccessControlEntryRecord>>,
    scram: imbl::OrdMap<(ByteString, i8), Arc<UserScramCredentialRecord>>,
    tokens: imbl::OrdMap<ByteString, Arc<DelegationTokenRecord>>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    cluster_id: ByteString,
    position: Position,
    topics_by_id: imbl::OrdMap<TopicId, Arc<Topic>>,
    topics_by_name: imbl::OrdMap<ByteString, TopicId>,
    partitions: usize,
    brokers: imbl::OrdMap<i32, Arc<Broker>>,
    controllers: imbl::OrdMap<i32, Arc<RegisterControllerRecord>>,
    configs: imbl::OrdMap<ConfigResource, Overrides>,
    features: imbl::OrdMap<ByteString, i16>,
    next_producer_id: i64,
    quotas: imbl::OrdMap<QuotaEntity, Quotas>,
    kept: Kept,
}

impl Image {
    /// The image of an empty log, of no cluster yet.
    pub fn empty() -> Image {
        Image::of_cluster("")
    }

    /// The image of the empty log of a cluster.
    pub fn of_cluster(cluster_id: impl Into<ByteString>) -> Image {
        Image {
            cluster_id: cluster_id.into(),
            position: Position::START,
            topics_by_id: imbl::OrdMap::new(),
            topics_by_name: imbl::OrdMap::new(),
            partitions: 0,
            brokers: imbl::OrdMap::new(),
            controllers: imbl::OrdMap::new(),
            configs: imbl::OrdMap::new(),
            features: imbl::OrdMap::new(),
            next_producer_id: -1,
            quotas: imbl::OrdMap::new(),
            kept: Kept::default(),
        }
    }

    /// The cluster's id, as in `meta.properties`.
    pub fn cluster_id(&self) -> &ByteString {
        &self.cluster_id
    }

    /// The last record in it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Says up to where the records have been applied.
    pub fn advance(&mut self, position: Position) {
        assert!(position.offset >= self.position.offset, "the metadata log goes forward");
        self.position = position;
    }

    /// The same image, said to end with this record.
    #[must_use]
    pub fn at(self, position: Position) -> Image {
        Image { position, ..self }
    }

    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics_by_id.get(&id)
    }

    pub fn topic_id(&self, name: &str) -> Option<TopicId> {
        self.topics_by_name.get(name).copied()
    }

    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics_by_id.get(self.topics_by_name.get(name)?)
    }

    /// All topics, by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics_by_name.values().filter_map(|id| self.topics_by_id.get(id))
    }

    pub fn topic_count(&self) -> usize {
        self.topics_by_id.len()
    }

    /// Partitions of all topics together.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    pub fn partition(&self, topic: TopicId, partition: i32) -> Option<&Arc<Partition>> {
        self.topics_by_id.get(&topic)?.partition(partition)
    }

    pub fn broker(&self, id: i32) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    /// All registered brokers, fenced ones too, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// Brokers that serve: registered and not fenced.
    pub fn live_brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values().filter(|broker| !broker.fenced)
    }

    /// The controllers that have registered.
    pub fn controllers(&self) -> impl Iterator<Item = i32> {
        self.controllers.keys().copied()
    }

    /// What `ControllerId` says to clients: a live broker, whoever leads the quorum (they send admin requests there).
    pub fn controller_id(&self) -> Option<i32> {
        self.live_brokers().next().map(|broker| broker.id)
    }

    /// What was set for a resource; nothing if all is default.
    pub fn overrides(&self, resource: &ConfigResource) -> Option<&Overrides> {
        self.configs.get(resource)
    }

    /// What was set for a topic.
    pub fn topic_overrides(&self, name: &ByteString) -> Option<&Overrides> {
        self.configs.get(&ConfigResource::topic(name.clone()))
    }

    /// Every resource with something set, by kind and name.
    pub fn configs(&self) -> impl Iterator<Item = (&ConfigResource, &Overrides)> {
        self.configs.iter()
    }

    /// A finalised feature's level; 0 means: not finalised.
    pub fn feature(&self, name: &str) -> i16 {
        self.features.get(name).copied().unwrap_or(0)
    }

    /// All finalised features.
    pub fn features(&self) -> impl Iterator<Item = (&ByteString, i16)> {
        self.features.iter().map(|(name, level)| (name, *level))
    }

    /// Every entity with quotas.
    pub fn quotas(&self) -> impl Iterator<Item = (&QuotaEntity, &Quotas)> {
        self.quotas.iter()
    }

    /// The quotas of one entity.
    pub fn quotas_of(&self, entity: &QuotaEntity) -> Option<&Quotas> {
        self.quotas.get(entity)
    }

    /// The first producer id that no block has taken yet.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id.max(0)
    }
}

#[cfg(test)]
pub(crate) mod tests;
