//! The records that make an image, in the order of Kafka's snapshots: `metadata.version` first, since it says how to
//! read the rest; topics before the configs that name them.

use bytestring::ByteString;

use super::{Image, METADATA_VERSION};
use crate::metadata::records::{
    ClientQuotaRecord, ConfigRecord, EntityData, FeatureLevelRecord, ProducerIdsRecord, Record,
    TopicRecord,
};

impl Image {
    /// Replaying these into an empty image gives this one, but for its position.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let kept = &self.kept;
        (self.feature_records())
            .chain(self.brokers.values().map(|broker| broker.record().into()))
            .chain(self.controllers.values().map(|c| Record::from((**c).clone())))
            .chain(self.topic_records())
            .chain(self.config_records())
            .chain(self.quota_records())
            .chain(self.producer_ids_record())
            .chain(kept.acls.values().map(|entry| Record::from((**entry).clone())))
            .chain(kept.scram.values().map(|credential| Record::from((**credential).clone())))
            .chain(kept.tokens.values().map(|token| Record::from((**token).clone())))
    }

    fn feature_records(&self) -> impl Iterator<Item = Record> {
        let (version, others): (Vec<_>, Vec<_>) =
            self.features.iter().partition(|(name, _)| *name == METADATA_VERSION);
        version.into_iter().chain(others).map(|(name, level)| {
            FeatureLevelRecord { name: name.clone(), feature_level: *level }.into()
        })
    }

    fn topic_records(&self) -> impl Iterator<Item = Record> {
        self.topics_by_id.values().flat_map(|topic| {
            let head = TopicRecord { name: topic.name.clone(), topic_id: topic.id.0 };
            let partitions = topic.partitions().map(|(n, p)| p.record(topic.id, n).into());
            std::iter::once(Record::from(head)).chain(partitions)
        })
    }

    fn config_records(&self) -> impl Iterator<Item = Record> {
        self.configs.iter().flat_map(|(resource, overrides)| {
            overrides.iter().map(|(name, value)| {
                ConfigRecord {
                    resource_type: resource.kind,
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                }
                .into()
            })
        })
    }

    fn quota_records(&self) -> impl Iterator<Item = Record> {
        self.quotas.iter().flat_map(|(entity, values)| {
            let part = |(kind, name): (&ByteString, &Option<ByteString>)| EntityData {
                entity_type: kind.clone(),
                entity_name: name.clone(),
            };
            values.iter().map(move |(key, value)| {
                ClientQuotaRecord {
                    entity: entity.iter().map(part).collect(),
                    key: key.clone(),
                    value: *value,
                    remove: false,
                }
                .into()
            })
        })
    }

    fn producer_ids_record(&self) -> impl Iterator<Item = Record> {
        let next = (self.next_producer_id >= 0).then_some(self.next_producer_id);
        next.into_iter().map(|next_producer_id| {
            ProducerIdsRecord { broker_id: -1, broker_epoch: -1, next_producer_id }.into()
        })
    }
}
