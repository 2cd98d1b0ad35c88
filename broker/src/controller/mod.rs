//! The controller: the one place where cluster metadata is decided and written.
//!
//! It lives on an executor of its own, so that data load cannot starve it. What is asked of it is done one after another: a
//! request becomes records (`create`, `delete`, `producer_ids`: pure functions of the image), the records become one batch
//! of the metadata log (`ledger`: written, synced, replayed into the next image), the image goes to every shard, and when
//! all follow it the request is answered: what was answered is in force on this node.
//!
//! Read in this order: this file (what can be asked), `create` and `delete` (what is decided), `ledger` (what is written),
//! `store_log` (where), `places` (in which log directory a partition is), `registration` (what a node says of itself), `servable` (what it cannot serve), `desk` (one request), `run` (the executor: start, requests, stop).

pub mod create;
pub mod delete;
pub mod desk;
pub mod dice;
mod kafka_log;
pub mod ledger;
mod names;
pub mod places;
pub mod producer_ids;
pub mod refusal;
pub mod registration;
mod run;
mod servable;
pub mod store_log;

use std::ops::Range;

use bytestring::ByteString;
use net::wire::create_topics::CreatableTopic;
use storage::units::{PartitionId, Timestamp, TopicId};
use uuid::Uuid;

use crate::config::topic::Overrides;
use delete::{Deletion, NamedTopic};
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
