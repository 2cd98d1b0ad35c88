//! Bytes on disk: record batches, the commit log, segments and indexes, recovery.
//!
//! Small batches of all partitions are made durable together, in one sequential stream: the shard's commit log. From
//! memory they leave for Kafka's own segment files, off the acknowledgement path. Large batches go straight to their
//! segment, in the same turn (extents). A [`Store`] is one shard's part of a log directory, a [`Log`] one partition.
//!
//! Read in this order:
//! - what is in the bytes: [`units`], [`batch`], [`index`], [`producer`], [`epochs`], [`checkpoint`]: no I/O, no clock;
//! - the machine: [`runtime`], real and simulated;
//! - the life of a batch: `log/append`, `commit_log`, `segment/drain`, `segment/finish`, `recycle`, `log/read`;
//! - what ends: `retention`, `log/truncate`, `compaction`, `given_up`, `removal`, `memory`; what goes to another directory: [`moving`];
//! - what is found damaged: `damage`;
//! - what comes back: `manifest`, `recovery`, `strays`, `marker`; `reshard` and `adopt`, which go by a `plan`, and
//!   `apart`: commit logs on a device of their own.
//!
//! # Not obvious
//! - A write with DSYNC makes its own bytes durable, not those before it, and no name. Hence three marks
//!   (`commit_log::marks`), and directories that are synced by hand.
//! - The list of segments is the manifest's and the log's, never the directory's.
//! - A block that holds acknowledged bytes is not written again, unless the log has those bytes: a torn write would take them.
//! - The lock of a directory lives in the ring, since writes of a killed process go on landing for seconds.
//! - A finished segment's files never change, but compaction puts others in their place, of the same name: what was looked up before
//!   that (positions, a cached file) is worth nothing afterwards. [`Log`]'s lookups begin anew then.
//! - A client's records may contain what looks like a group of the commit log; only groups of known ids are believed.

pub mod batch;
pub mod checkpoint;
pub mod epochs;
pub mod index;
pub mod producer;
pub mod runtime;
pub mod units;

mod adopt;
mod apart;
mod buffers;
mod commit_log;
mod compaction;
mod config;
mod core;
mod damage;
mod error;
mod event;
mod given_up;
mod inspect;
mod log;
mod manifest;
mod marker;
mod memory;
pub mod moving;
mod pace;
mod partition;
mod plan;
mod planted;
mod recovery;
mod recycle;
mod removal;
mod reshard;
mod retention;
mod segment;
#[cfg(test)]
mod simulation;
mod store;
mod strays;
mod tail;

pub use adopt::{adopt, metadata_of_kafka};
pub use apart::{COMMIT_NOTE, COMMIT_ROOT, CommitRoot, noted, settle};
pub use commit_log::files::LogDir;
pub use config::{CleanerOptions, Durability, LogConfig, ScrubOptions, StoreName, StoreOptions};
pub use core::{Advance, OnAdvance, OnOffline};
pub use damage::Mark;
pub use error::{
    AppendError, MoveError, Offline, OpenError, ReadError, StorageError, TruncateError,
};
pub use inspect::{InspectedPartition, InspectedStore, Inspection, Start, inspect};
pub use log::{Appended, FoundOffset, Log, ReadPlan, Slice, Stamp, Ticket};
pub use manifest::Marker;
pub use marker::{CheckpointLine, MARKER_FILE, write_marker};
pub use recovery::{RecoveryReport, Row};
pub use reshard::reshard;
pub use runtime::ring::{DirectoryLock, LockError};
pub use store::{Closed, Placed, Store, StoreStats, begin_serving};
