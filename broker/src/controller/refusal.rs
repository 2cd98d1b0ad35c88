//! Why a controller did not do what it was asked to. What is shown is Kafka's own text: its tools print it.

use bytestring::ByteString;
use replication::controller::assignment::AssignmentError;

/// Partitions of all topics in one request, and records of one event.
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

/// Why a topic was not created or deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicRefusal {
    #[error("Topic '{0}' already exists.")]
    Exists(ByteString),
    /// The name is one that no topic may have.
    #[error("{0}")]
    Name(String),
    #[error("Topic '{name}' collides with existing topic: {existing}")]
    Collides { name: ByteString, existing: ByteString },
    /// The request contradicts itself.
    #[error("{0}")]
    Contradiction(&'static str),
    #[error("Creation of internal topic {0} is prohibited.")]
    Internal(&'static str),
    #[error("Number of partitions was set to an invalid non-positive value.")]
    Partitions,
    /// A topic is to have other than more partitions.
    #[error("{0}")]
    Count(String),
    #[error(
        "Attempted to add {additional} additional partition(s), but only {assignments} assignment(s) were specified."
    )]
    AssignmentCount { additional: usize, assignments: usize },
    #[error("{0}")]
    ReplicationFactor(String),
    #[error(transparent)]
    Assignment(#[from] AssignmentError),
    #[error("{0}")]
    Config(String),
    #[error("{0}")]
    Policy(&'static str),
    #[error("This server does not host this topic-partition.")]
    UnknownName,
    #[error("This server does not host this topic ID.")]
    UnknownId,
}

/// Why nothing was written, whatever was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritten {
    /// There is no room on the disk: asking again later may help.
    #[error("the metadata log has no room: {0}")]
    NoRoom(String),
    /// The metadata log's directory is offline: nothing will be written until the node is started again.
    #[error("the metadata log cannot be written: {0}")]
    Offline(String),
    /// Its turn did not come in the time that the client gave it.
    #[error("The request timed out.")]
    TimedOut,
    /// A fault of this program: it is logged.
    #[error("{0}")]
    Fault(String),
    /// All producer ids have been given out.
    #[error("all producer ids are used up")]
    ProducerIdsExhausted,
}
