//! Replaying records into an image.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use storage::units::TopicId;
use uuid::Uuid;

use super::{Broker, ConfigResource, Image, Partition, QuotaEntity, Topic};
use crate::metadata::records::{
    BrokerRegistrationChangeRecord, ClientQuotaRecord, ConfigRecord, EntityData,
    FeatureLevelRecord, PartitionChangeRecord, PartitionRecord, Record, TopicRecord,
};

/// A record that cannot follow the ones before it: the log is not what a controller writes.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReplayError {
    #[error("{record} names topic {topic}, which does not exist")]
    Topic { record: &'static str, topic: Uuid },
    #[error("{record} names topic {topic}, which does not exist")]
    TopicName { record: &'static str, topic: ByteString },
    #[error("{record} creates topic {topic}, which exists")]
    Exists { record: &'static str, topic: ByteString },
    #[error("{record} names partition {partition} of topic {topic}, where {expected} are known")]
    Partition { record: &'static str, topic: Uuid, partition: i32, expected: usize },
    #[error("{record} names broker {broker} with epoch {epoch}, which is not registered so")]
    Broker { record: &'static str, broker: i32, epoch: i64 },
    #[error("a transaction begins inside a transaction")]
    Nested,
    #[error("a transaction ends that has not begun")]
    NotBegun,
}

impl Image {
    /// Replays one record. On an error the image is as it was.
    ///
    /// The records of a metadata transaction's frame (begin, end, abort) change nothing here: `Replay` acts on them.
    pub fn apply(&mut self, record: &Record) -> Result<(), ReplayError> {
        let name = record.name();
        match record {
            Record::Topic(topic) => self.create_topic(name, topic),
            Record::Partition(partition) => self.put_partition(name, partition),
            Record::PartitionChange(change) => self.change_partition(name, change),
            Record::RemoveTopic(removed) => self.remove_topic(name, TopicId(removed.topic_id)),
            Record::ClearElr(clear) => self.clear_eligible(name, &clear.topic_name),
            Record::Config(config) => {
                self.set_config(config);
                Ok(())
            }
            Record::RegisterBroker(_)
            | Record::UnregisterBroker(_)
            | Record::BrokerRegistrationChange(_)
            | Record::FenceBroker(_)
            | Record::UnfenceBroker(_) => self.apply_broker(name, record),
            Record::FeatureLevel(feature) => {
                self.set_feature(feature);
                Ok(())
            }
            Record::ClientQuota(quota) => {
                self.set_quota(quota);
                Ok(())
            }
            Record::ProducerIds(block) => {
                self.next_producer_id = block.next_producer_id;
                Ok(())
            }
            Record::RegisterController(controller) => {
                self.controllers.insert(controller.controller_id, Arc::new(controller.clone()));
                Ok(())
            }
            Record::UnregisterController(controller) => {
                self.controllers.remove(&controller.controller_id);
                Ok(())
            }
            Record::AccessControlEntry(_)
            | Record::RemoveAccessControlEntry(_)
            | Record::UserScramCredential(_)
            | Record::RemoveUserScramCredential(_)
            | Record::DelegationToken(_)
            | Record::RemoveDelegationToken(_) => {
                self.keep(record);
                Ok(())
            }
            Record::NoOp(_)
            | Record::ZkMigrationState(_)
            | Record::BeginTransaction(_)
            | Record::EndTransaction(_)
            | Record::AbortTransaction(_) => Ok(()),
        }
    }

    fn create_topic(
        &mut self,
        record: &'static str,
        topic: &TopicRecord,
    ) -> Result<(), ReplayError> {
        let id = TopicId(topic.topic_id);
        if self.topics_by_id.contains_key(&id) || self.topics_by_name.contains_key(&topic.name) {
            return Err(ReplayError::Exists { record, topic: topic.name.clone() });
        }
        let created = Topic { id, name: topic.name.clone(), partitions: imbl::Vector::new() };
        self.topics_by_id.insert(id, Arc::new(created));
        self.topics_by_name.insert(topic.name.clone(), id);
        Ok(())
    }

    /// Adds a partition, which must be the next of its topic, or replaces one (as snapshots of Kafka never do).
    fn put_partition(
        &mut self,
        record: &'static str,
        partition: &PartitionRecord,
    ) -> Result<(), ReplayError> {
        let (id, number) = (TopicId(partition.topic_id), partition.partition_id);
        let topic = self
            .topics_by_id
            .get_mut(&id)
            .ok_or(ReplayError::Topic { record, topic: partition.topic_id })?;
        let expected = topic.partitions.len();
        let index = usize::try_from(number)
            .ok()
            .filter(|index| *index <= expected)
            .ok_or(ReplayError::Partition { record, topic: id.0, partition: number, expected })?;
        let new = Arc::new(Partition::from_record(partition));
        let topic = Arc::make_mut(topic);
        if index == expected {
            topic.partitions.push_back(new);
            self.partitions += 1;
        } else {
            topic.partitions.set(index, new);
        }
        Ok(())
    }

    fn change_partition(
        &mut self,
        record: &'static str,
        change: &PartitionChangeRecord,
    ) -> Result<(), ReplayError> {
        let (id, number) = (TopicId(change.topic_id), change.partition_id);
        let topic = self
            .topics_by_id
            .get_mut(&id)
            .ok_or(ReplayError::Topic { record, topic: change.topic_id })?;
        let expected = topic.partitions.len();
        let known = usize::try_from(number).ok().filter(|index| *index < expected);
        let index = known.ok_or(ReplayError::Partition {
            record,
            topic: id.0,
            partition: number,
            expected,
        })?;
        let changed = topic.partitions[index].changed(change);
        Arc::make_mut(topic).partitions.set(index, Arc::new(changed));
        Ok(())
    }

    /// A topic takes its configs with it.
    fn remove_topic(&mut self, record: &'static str, id: TopicId) -> Result<(), ReplayError> {
        let topic =
            self.topics_by_id.remove(&id).ok_or(ReplayError::Topic { record, topic: id.0 })?;
        self.topics_by_name.remove(&topic.name);
        self.partitions -= topic.partitions.len();
        let resource = ConfigResource::topic(topic.name.clone());
        self.configs.remove(&resource);
        Ok(())
    }

    fn clear_eligible(
        &mut self,
        record: &'static str,
        name: &ByteString,
    ) -> Result<(), ReplayError> {
        let ids: Vec<TopicId> = if name.is_empty() {
            self.topics_by_id.keys().copied().collect()
        } else {
            let id = self.topics_by_name.get(name);
            vec![*id.ok_or_else(|| ReplayError::TopicName { record, topic: name.clone() })?]
        };
        for id in ids {
            self.clear_eligible_of(id);
        }
        Ok(())
    }

    fn clear_eligible_of(&mut self, id: TopicId) {
        let Some(topic) = self.topics_by_id.get_mut(&id) else { return };
        let holds = |p: &Partition| !p.eligible.is_empty() || !p.last_known_eligible.is_empty();
        let affected: Vec<usize> =
            (0..).zip(topic.partitions.iter()).filter(|(_, p)| holds(p)).map(|(i, _)| i).collect();
        for index in affected {
            let mut partition = (*topic.partitions[index]).clone();
            partition.eligible.clear();
            partition.last_known_eligible.clear();
            Arc::make_mut(topic).partitions.set(index, Arc::new(partition));
        }
    }

    fn set_config(&mut self, config: &ConfigRecord) {
        let resource =
            ConfigResource { kind: config.resource_type, name: config.resource_name.clone() };
        let mut overrides: BTreeMap<ByteString, ByteString> =
            self.configs.get(&resource).map(|set| (**set).clone()).unwrap_or_default();
        match &config.value {
            Some(value) => overrides.insert(config.name.clone(), value.clone()),
            None => overrides.remove(&config.name),
        };
        if overrides.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource.clone(), Arc::new(overrides));
        }
    }

    fn set_quota(&mut self, quota: &ClientQuotaRecord) {
        let part = |part: &EntityData| (part.entity_type.clone(), part.entity_name.clone());
        let entity: QuotaEntity = quota.entity.iter().map(part).collect();
        let known = self.quotas.get(&entity);
        let mut values = known.map(|values| (**values).clone()).unwrap_or_default();
        if quota.remove {
            values.remove(&quota.key);
        } else {
            values.insert(quota.key.clone(), quota.value);
        }
        if values.is_empty() {
            self.quotas.remove(&entity);
        } else {
            self.quotas.insert(entity, Arc::new(values));
        }
    }

    fn set_feature(&mut self, feature: &FeatureLevelRecord) {
        match feature.feature_level {
            0 => self.features.remove(&feature.name),
            level => self.features.insert(feature.name.clone(), level),
        };
    }

    fn apply_broker(&mut self, name: &'static str, record: &Record) -> Result<(), ReplayError> {
        match record {
            Record::RegisterBroker(registration) => {
                let broker = Broker::from_record(registration);
                self.brokers.insert(broker.id, Arc::new(broker));
                Ok(())
            }
            Record::UnregisterBroker(gone) => {
                self.registered(name, gone.broker_id, gone.broker_epoch)?;
                self.brokers.remove(&gone.broker_id);
                Ok(())
            }
            Record::BrokerRegistrationChange(change) => self.change_broker(name, change),
            Record::FenceBroker(fence) => self
                .change_broker(name, &BrokerRegistrationChangeRecord::fence(fence.id, fence.epoch)),
            Record::UnfenceBroker(fence) => self.change_broker(
                name,
                &BrokerRegistrationChangeRecord::unfence(fence.id, fence.epoch),
            ),
            other => unreachable!("{} is not about a broker", other.name()),
        }
    }

    fn change_broker(
        &mut self,
        name: &'static str,
        change: &BrokerRegistrationChangeRecord,
    ) -> Result<(), ReplayError> {
        let next = self.registered(name, change.broker_id, change.broker_epoch)?.changed(change);
        self.brokers.insert(next.id, Arc::new(next));
        Ok(())
    }

    fn registered(
        &self,
        record: &'static str,
        broker: i32,
        epoch: i64,
    ) -> Result<&Arc<Broker>, ReplayError> {
        let known = self.brokers.get(&broker).filter(|known| known.epoch == epoch);
        known.ok_or(ReplayError::Broker { record, broker, epoch })
    }

    fn keep(&mut self, record: &Record) {
        let kept = &mut self.kept;
        match record {
            Record::AccessControlEntry(entry) => {
                kept.acls.insert(entry.id, Arc::new(entry.clone()));
            }
            Record::RemoveAccessControlEntry(entry) => {
                kept.acls.remove(&entry.id);
            }
            Record::UserScramCredential(credential) => {
                let key = (credential.name.clone(), credential.mechanism);
                kept.scram.insert(key, Arc::new(credential.clone()));
            }
            Record::RemoveUserScramCredential(gone) => {
                kept.scram.remove(&(gone.name.clone(), gone.mechanism));
            }
            Record::DelegationToken(token) => {
                kept.tokens.insert(token.token_id.clone(), Arc::new(token.clone()));
            }
            Record::RemoveDelegationToken(gone) => {
                kept.tokens.remove(&gone.token_id);
            }
            other => unreachable!("{} is acted on, not kept", other.name()),
        }
    }
}

impl BrokerRegistrationChangeRecord {
    /// A change that changes nothing yet: set the fields that do.
    pub fn of(broker: i32, epoch: i64) -> BrokerRegistrationChangeRecord {
        BrokerRegistrationChangeRecord {
            broker_id: broker,
            broker_epoch: epoch,
            fenced: 0,
            in_controlled_shutdown: 0,
            log_dirs: Vec::new(),
            cordoned_log_dirs: None,
        }
    }

    pub fn fence(broker: i32, epoch: i64) -> BrokerRegistrationChangeRecord {
        BrokerRegistrationChangeRecord {
            fenced: 1,
            ..BrokerRegistrationChangeRecord::of(broker, epoch)
        }
    }

    pub fn unfence(broker: i32, epoch: i64) -> BrokerRegistrationChangeRecord {
        BrokerRegistrationChangeRecord {
            fenced: -1,
            ..BrokerRegistrationChangeRecord::of(broker, epoch)
        }
    }
}
