//! The controller: the one place where cluster metadata is decided and written.
//!
//! It lives on an executor of its own, so that data load cannot starve it. What is asked of it is done one after another: a
//! request becomes records (`create`, `delete`, `configs`, ..: pure functions of the image), the records become one batch
//! of the metadata log (`ledger`: written, synced, replayed into the next image), the image goes to every shard, and when
//! all follow it the request is answered: what was answered is in force on this node.
//!
//! Read in this order: this file (what can be asked), `create` and its like (what is decided), `ledger` (what is written),
//! `store_log` (where), `places` (in which log directory a partition is), `registration` (what a node says of itself), `servable` (what it cannot serve), `desk` (one request), `run` (the executor: start, requests, stop).

pub mod configs;
pub mod create;
pub mod delete;
pub mod desk;
pub mod dice;
pub mod elections;
pub mod features;
mod kafka_log;
pub mod ledger;
mod names;
pub mod partitions;
pub mod places;
pub mod producer_ids;
pub mod quotas;
pub mod reassignments;
pub mod refusal;
pub mod registration;
mod run;
mod servable;
pub mod store_log;

use std::ops::Range;

use bytestring::ByteString;
use net::wire::alter_partition_reassignments::ReassignableTopic;
use net::wire::create_partitions::CreatePartitionsTopic;
use net::wire::create_topics::CreatableTopic;
use storage::units::{PartitionId, Timestamp, TopicId};
use uuid::Uuid;

use crate::config::topic::Overrides;
use configs::{ConfigChange, ConfigRefusal};
use delete::{Deletion, NamedTopic};
use elections::Election;
use features::{FeatureRefusal, FeatureUpdate};
use quotas::QuotaChange;
use refusal::Unwritten;

pub use run::{OnFatal, Own, run};

/// What a shard asks of the controller.
#[derive(Debug, Clone)]
pub enum ControllerRequest {
    /// As in the CreateTopics request; with `validate_only` nothing is written. What has not begun at `expires` does not
    /// begin.
    CreateTopics {
        topics: Vec<CreatableTopic>,
        validate_only: bool,
        expires: Timestamp,
    },
    /// Topics that somebody asked about and that may be created with the defaults.
    AutoCreate {
        names: Vec<ByteString>,
    },
    DeleteTopics {
        topics: Vec<NamedTopic>,
        expires: Timestamp,
    },
    AllocateProducerIds,
    /// A partition is in this directory of the broker from now on.
    Place {
        partition: PartitionId,
        directory: Uuid,
    },
    /// A write or a sync failed in one of `log.dirs`: its partitions go offline everywhere (KIP-112).
    DirectoryFailed {
        number: usize,
        why: String,
    },
    /// Of each resource only once.
    AlterConfigs {
        changes: Vec<ConfigChange>,
        validate_only: bool,
    },
    /// As in the CreatePartitions request.
    CreatePartitions {
        topics: Vec<CreatePartitionsTopic>,
        validate_only: bool,
        expires: Timestamp,
    },
    ElectLeaders {
        election: Election,
        partitions: elections::Asked,
        expires: Timestamp,
    },
    /// As in the AlterPartitionReassignments request.
    AlterReassignments {
        topics: Vec<ReassignableTopic>,
        factor_may_change: bool,
        expires: Timestamp,
    },
    UpdateFeatures {
        updates: Vec<FeatureUpdate>,
        validate_only: bool,
    },
    DescribeQuorum,
    AlterQuotas {
        changes: Vec<QuotaChange>,
        validate_only: bool,
    },
}

impl ControllerRequest {
    /// What has not begun by then does not begin.
    fn expires(&self) -> Option<Timestamp> {
        match self {
            ControllerRequest::CreateTopics { expires, .. }
            | ControllerRequest::DeleteTopics { expires, .. }
            | ControllerRequest::CreatePartitions { expires, .. }
            | ControllerRequest::ElectLeaders { expires, .. }
            | ControllerRequest::AlterReassignments { expires, .. } => Some(*expires),
            ControllerRequest::AutoCreate { .. }
            | ControllerRequest::AllocateProducerIds
            | ControllerRequest::DirectoryFailed { .. }
            | ControllerRequest::Place { .. }
            | ControllerRequest::AlterConfigs { .. }
            | ControllerRequest::UpdateFeatures { .. }
            | ControllerRequest::DescribeQuorum
            | ControllerRequest::AlterQuotas { .. } => None,
        }
    }
}

/// The answer to a request of the same name.
#[derive(Debug, Clone)]
pub enum ControllerAnswer {
    CreateTopics(create::Outcomes),
    /// Those that could not be created were logged.
    AutoCreate,
    DeleteTopics(Vec<Deletion>),
    ProducerIds(Range<i64>),
    Placed,
    DirectoryFailed,
    /// In the order of the changes.
    AlterConfigs(Vec<Result<(), ConfigRefusal>>),
    CreatePartitions(partitions::Outcomes),
    /// By topic.
    ElectLeaders(Vec<(ByteString, Vec<elections::Outcome>)>),
    AlterReassignments(reassignments::Outcomes),
    UpdateFeatures(Result<(), FeatureRefusal>),
    Quorum(ledger::QuorumView),
    AlterQuotas(quotas::Outcomes),
    /// Nothing was done.
    Unwritten(Unwritten),
}

/// A topic that was created, or with `validate_only` would have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTopic {
    pub id: TopicId,
    pub partitions: usize,
    pub replication_factor: usize,
    pub overrides: Overrides,
}
