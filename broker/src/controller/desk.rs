//! What the controller does with one request: decide, write, have every shard follow, answer.

use std::sync::Arc;

use bytestring::ByteString;
use net::wire::create_partitions::CreatePartitionsTopic;
use net::wire::create_topics::CreatableTopic;
use storage::units::{PartitionId, Timestamp};
use uuid::Uuid;

use super::configs::ConfigChange;
use super::delete::NamedTopic;
use super::dice::Dice;
use super::features::FeatureUpdate;
use super::ledger::{Ledger, LedgerError};
use super::refusal::{TopicRefusal, Unwritten};
use super::{
    ControllerAnswer, ControllerRequest, configs, create, delete, elections, features, partitions,
    places, producer_ids, quotas, reassignments,
};
use crate::config::Config;
use crate::group;
use crate::metadata::Image;
use crate::metadata::image::ConfigResource;
use crate::metadata::log::MetadataLog;
use crate::metadata::records::Record;
use crate::share::state;

/// Those who must follow a new image before what it brings is answered.
pub trait Followers {
    /// Returns when all of them do.
    fn follow(&self, image: Arc<Image>) -> impl Future<Output = ()>;
}

/// See the module.
pub struct Desk<L, F> {
    pub ledger: Ledger<L>,
    pub followers: F,
    config: Arc<Config>,
    dice: Dice,
    /// The broker's, as it registered.
    broker_epoch: i64,
}

impl<L: MetadataLog, F: Followers> Desk<L, F> {
    pub fn new(
        ledger: Ledger<L>,
        followers: F,
        config: Arc<Config>,
        dice: Dice,
        broker_epoch: i64,
    ) -> Desk<L, F> {
        Desk { ledger, followers, config, dice, broker_epoch }
    }

    pub fn broker_epoch(&self) -> i64 {
        self.broker_epoch
    }

    pub async fn answer(&mut self, request: ControllerRequest, now: Timestamp) -> ControllerAnswer {
        if request.expires().is_some_and(|expires| now >= expires) {
            return ControllerAnswer::Unwritten(Unwritten::TimedOut);
        }
        let answered = match request {
            ControllerRequest::CreateTopics { topics, validate_only, .. } => {
                self.create(&topics, validate_only, now).await
            }
            ControllerRequest::AutoCreate { names } => self.auto_create(names, now).await,
            ControllerRequest::DeleteTopics { topics, .. } => self.delete(&topics, now).await,
            ControllerRequest::AllocateProducerIds => self.producer_ids(now).await,
            ControllerRequest::Place { partition, directory } => {
                self.place(partition, directory, now).await
            }
            // The executor's own, which knows the directories.
            ControllerRequest::DirectoryFailed { .. } => Ok(ControllerAnswer::DirectoryFailed),
            ControllerRequest::AlterConfigs { changes, validate_only } => {
                self.alter_configs(&changes, validate_only, now).await
            }
            ControllerRequest::CreatePartitions { topics, validate_only, .. } => {
                self.create_partitions(&topics, validate_only, now).await
            }
            ControllerRequest::ElectLeaders { election, partitions, .. } => {
                let (records, outcomes) =
                    elections::plan(self.ledger.image(), election, &partitions);
                let written = self.write(&records, now).await;
                written.map(|()| ControllerAnswer::ElectLeaders(outcomes))
            }
            ControllerRequest::AlterReassignments { topics, factor_may_change, .. } => {
                let me = self.config.node_id();
                let (records, outcomes) =
                    reassignments::plan(self.ledger.image(), me, &topics, factor_may_change);
                let written = self.write(&records, now).await;
                written.map(|()| ControllerAnswer::AlterReassignments(outcomes))
            }
            ControllerRequest::UpdateFeatures { updates, validate_only } => {
                self.update_features(&updates, validate_only, now).await
            }
            ControllerRequest::AlterQuotas { changes, validate_only } => {
                let (records, outcomes) = quotas::plan(self.ledger.image(), &changes);
                let records = if validate_only { &[] } else { &records[..] };
                let written = self.write(records, now).await;
                written.map(|()| ControllerAnswer::AlterQuotas(outcomes))
            }
            ControllerRequest::DescribeQuorum => Ok(ControllerAnswer::Quorum(self.ledger.quorum())),
        };
        answered.unwrap_or_else(ControllerAnswer::Unwritten)
    }

    async fn create(
        &mut self,
        topics: &[CreatableTopic],
        validate_only: bool,
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        let config = self.in_force();
        let (records, outcomes) =
            create::plan(self.ledger.image(), &config, &mut self.dice, topics);
        if !validate_only {
            self.write(&records, now).await?;
            for (name, outcome) in &outcomes {
                if let Ok(topic) = outcome {
                    tracing::info!(topic = %name, id = %topic.id, partitions = topic.partitions, "topic created");
                }
            }
        }
        Ok(ControllerAnswer::CreateTopics(outcomes))
    }

    async fn auto_create(
        &mut self,
        names: Vec<ByteString>,
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        let (image, config) = (self.ledger.image(), &self.config);
        let with_defaults = |name: ByteString| match &*name {
            group::TOPIC => create::offsets_topic(image, config),
            state::TOPIC => create::share_state_topic(image, config),
            _ => CreatableTopic {
                name,
                num_partitions: -1,
                replication_factor: -1,
                ..CreatableTopic::default()
            },
        };
        let topics: Vec<CreatableTopic> = names.into_iter().map(with_defaults).collect();
        let created = self.create(&topics, false, now).await?;
        if let ControllerAnswer::CreateTopics(outcomes) = created {
            for (name, outcome) in outcomes {
                match outcome {
                    // Another client asked for it at the same time.
                    Ok(_) | Err(TopicRefusal::Exists(_)) => {}
                    Err(refusal) => {
                        tracing::warn!(topic = %name, %refusal, "a topic that a client asked about was not created");
                    }
                }
            }
        }
        Ok(ControllerAnswer::AutoCreate)
    }

    async fn delete(
        &mut self,
        topics: &[NamedTopic],
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        let (records, answers) = delete::plan(self.ledger.image(), topics);
        self.write(&records, now).await?;
        for deleted in answers.iter().filter(|answer| answer.outcome.is_ok()) {
            let name = deleted.name.as_deref().unwrap_or_default();
            tracing::info!(topic = name, id = %deleted.id, "topic deleted");
        }
        Ok(ControllerAnswer::DeleteTopics(answers))
    }

    async fn place(
        &mut self,
        id: PartitionId,
        directory: Uuid,
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        // A topic that was deleted meanwhile is nowhere.
        if let Some(partition) = self.ledger.image().partition(id.topic, id.partition) {
            let record = places::moved(id, partition, self.config.node_id(), directory);
            self.write(&[record], now).await?;
        }
        Ok(ControllerAnswer::Placed)
    }

    async fn producer_ids(&mut self, now: Timestamp) -> Result<ControllerAnswer, Unwritten> {
        let (broker, epoch) = (self.config.node_id(), self.broker_epoch);
        let (record, block) = producer_ids::plan(self.ledger.image(), broker, epoch)?;
        // No shard acts on who has which ids: they follow with the next image.
        self.commit(&[record], now).await?;
        Ok(ControllerAnswer::ProducerIds(block))
    }

    async fn create_partitions(
        &mut self,
        topics: &[CreatePartitionsTopic],
        validate_only: bool,
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        let me = self.config.node_id();
        let (records, outcomes) = partitions::plan(self.ledger.image(), me, &mut self.dice, topics);
        if !validate_only {
            self.write(&records, now).await?;
            for (name, _) in outcomes.iter().filter(|(_, outcome)| outcome.is_ok()) {
                tracing::info!(topic = %name, "partitions created");
            }
        }
        Ok(ControllerAnswer::CreatePartitions(outcomes))
    }

    async fn update_features(
        &mut self,
        updates: &[FeatureUpdate],
        validate_only: bool,
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        let planned = features::plan(self.ledger.image(), self.config.node_id(), updates);
        let outcome = match planned {
            Ok(records) if !validate_only => self.write(&records, now).await.map(Ok)?,
            Ok(_) => Ok(()),
            Err(refusal) => Err(refusal),
        };
        Ok(ControllerAnswer::UpdateFeatures(outcome))
    }

    async fn alter_configs(
        &mut self,
        changes: &[ConfigChange],
        validate_only: bool,
        now: Timestamp,
    ) -> Result<ControllerAnswer, Unwritten> {
        let (records, outcomes) = configs::plan(self.ledger.image(), &self.in_force(), changes);
        if !validate_only {
            self.write(&records, now).await?;
            for (change, _) in changes.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok())
            {
                let ConfigResource { kind, name } = &change.resource;
                tracing::info!(resource_type = kind, resource = %name, "configs changed");
            }
        }
        Ok(ControllerAnswer::AlterConfigs(outcomes))
    }

    /// The configuration with what the metadata log sets at run time.
    fn in_force(&self) -> Arc<Config> {
        self.config.under(self.ledger.image())
    }

    /// Commits the records, if there are any, and returns when everybody follows.
    pub async fn write(&mut self, records: &[Record], now: Timestamp) -> Result<(), Unwritten> {
        if records.is_empty() {
            return Ok(());
        }
        let image = self.commit(records, now).await?;
        self.followers.follow(image).await;
        Ok(())
    }

    async fn commit(
        &mut self,
        records: &[Record],
        now: Timestamp,
    ) -> Result<Arc<Image>, Unwritten> {
        let committed = self.ledger.commit(records, now).await;
        committed.map_err(|error| {
            tracing::error!(%error, "metadata could not be written");
            match error {
                LedgerError::Unwritten(unwritten) => unwritten,
                fault => Unwritten::Fault(fault.to_string()),
            }
        })
    }

    /// To be called between requests.
    pub async fn tidy(&mut self, now: Timestamp) {
        // The log still has everything: the next commit tries again.
        if let Err(error) = self.ledger.snapshot_if_due(now).await {
            tracing::error!(%error, "the metadata snapshot could not be written");
        }
    }
}

#[cfg(test)]
mod tests;
