//! What a store and each of its logs are told: sizes, times and limits, already checked by the broker.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::batch::TimestampType;
use crate::commit_log::files::LogDir;

/// What an acknowledgement stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On stable storage: neither a stop of the process nor of the host loses it.
    Sync,
    /// Written: a stop of the process loses nothing, a stop of the host may lose about the last second.
    Written,
}

/// Whose commit log a store is, in a directory that several share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoreName {
    Shard(u16),
    Controller,
}

impl std::fmt::Display for StoreName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StoreName::Shard(shard) => write!(f, "{shard}"),
            StoreName::Controller => f.write_str("controller"),
        }
    }
}

/// How a store is run.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The log directory; it exists.
    pub directory: PathBuf,
    /// Where the shards have their commit logs and manifests of this log directory, if not in it; it exists.
    pub commit_apart: Option<PathBuf>,
    pub name: StoreName,
    /// How many shards share the directory's partitions. A log written under another number must be drained first.
    pub shards: u16,
    pub durability: Durability,
    /// Bytes that are in no segment yet. At the limit [`crate::Store::room`] waits.
    pub dirty_bytes_max: usize,
    /// Bytes kept in memory at most, for readers, although a segment has them.
    pub clean_bytes_max: usize,
    /// Size of one commit log file, a multiple of 4096.
    pub log_file_bytes: u64,
    /// Files that the log is grown to in the background. It is recycled when all but one are in use.
    pub log_files: usize,
    /// A batch of this size goes straight to its segment; `usize::MAX` = never.
    pub extent_bytes_min: usize,
    /// Bound of one group: what the log write and its extents carry together, unless one batch alone is larger.
    pub group_bytes_max: usize,
    /// A partition with so many bytes outside its segment is drained at once.
    pub drain_bytes: usize,
    /// A file that is removed is cut by so much at a time.
    pub removal_bytes: u64,
    /// Open segment files.
    pub files_max: usize,
    /// How often unsynced groups are synced in the background, under [`Durability::Written`].
    pub sync_every: Duration,
    /// How long a shard is idle before it writes the empty group that carries the last mark.
    pub idle_after: Duration,
    /// How often retention looks at the logs.
    pub retention_every: Duration,
    /// Producers that were silent for so long are forgotten (`producer.id.expiration.ms`).
    pub producer_expiration_ms: i64,
    pub cleaner: CleanerOptions,
    pub scrub: ScrubOptions,
}

/// How everything is read again to see whether it is still right.
#[derive(Clone, Debug, PartialEq)]
pub struct ScrubOptions {
    /// 0 = not at all.
    pub bytes_per_second: f64,
    /// One read.
    pub io_bytes: usize,
    /// From the beginning of one pass to the next.
    pub every: Duration,
}

impl Default for ScrubOptions {
    fn default() -> Self {
        ScrubOptions {
            bytes_per_second: f64::from(4 << 20),
            io_bytes: 256 << 10,
            every: Duration::from_secs(86_400),
        }
    }
}

/// How the cleaner of compacted logs is run.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerOptions {
    /// Without it nothing is compacted.
    pub enabled: bool,
    /// Memory of the map of keys. With more keys than fit, a log is cleaned in several rounds.
    pub map_bytes: usize,
    /// How full the map may become.
    pub map_load_factor: f64,
    /// Reads and writes together.
    pub bytes_per_second: f64,
    /// One read or write.
    pub io_bytes: usize,
    /// How long it sleeps when nothing is to be cleaned.
    pub backoff: Duration,
}

impl Default for CleanerOptions {
    /// Kafka's defaults, with less memory for the map.
    fn default() -> Self {
        CleanerOptions {
            enabled: true,
            map_bytes: 1 << 20,
            map_load_factor: 0.9,
            bytes_per_second: f64::MAX,
            io_bytes: 256 << 10,
            backoff: Duration::from_secs(15),
        }
    }
}

impl StoreOptions {
    pub(crate) fn log_dir(&self) -> LogDir<'_> {
        let path = self.directory.as_path();
        LogDir { path, commit: self.commit_apart.as_deref().unwrap_or(path) }
    }

    /// Where this store's commit log and manifest are.
    pub(crate) fn commit_directory(&self) -> &Path {
        self.log_dir().of(self.name)
    }

    /// Sizes for a store that may use `memory` bytes.
    #[must_use]
    pub fn new(
        directory: PathBuf,
        name: StoreName,
        shards: u16,
        durability: Durability,
        memory: usize,
    ) -> Self {
        StoreOptions {
            directory,
            commit_apart: None,
            name,
            shards,
            durability,
            dirty_bytes_max: memory / 2,
            clean_bytes_max: memory / 4,
            log_file_bytes: 64 << 20,
            log_files: 4,
            extent_bytes_min: 256 << 10,
            group_bytes_max: 2 << 20,
            drain_bytes: 1 << 20,
            removal_bytes: crate::removal::SLICE,
            files_max: 1000,
            sync_every: Duration::from_secs(1),
            idle_after: Duration::from_millis(20),
            retention_every: Duration::from_secs(30),
            producer_expiration_ms: 86_400_000,
            cleaner: CleanerOptions::default(),
            scrub: ScrubOptions::default(),
        }
    }
}

/// The topic configs that a log obeys, by Kafka's names.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    pub segment_bytes: i32,
    pub segment_ms: i64,
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: i32,
    pub index_interval_bytes: i32,
    /// -1 = for ever.
    pub retention_ms: i64,
    /// -1 = no limit.
    pub retention_bytes: i64,
    pub file_delete_delay_ms: i64,
    pub flush_messages: i64,
    pub flush_ms: i64,
    pub preallocate: bool,
    pub message_bytes_max: i32,
    pub message_timestamp_type: TimestampType,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub min_insync_replicas: i32,
    /// `cleanup.policy` holds `delete`. Without it nothing is removed by age or size.
    pub cleanup_delete: bool,
    /// `cleanup.policy` holds `compact`: the latest record of each key stays.
    pub cleanup_compact: bool,
    /// How long a tombstone stays once the cleaner has seen it.
    pub delete_retention_ms: i64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub min_cleanable_dirty_ratio: f64,
}

impl LogConfig {
    /// When a segment is rolled for its age: in a compacted topic early enough for `max.compaction.lag.ms`, as in Kafka.
    pub(crate) fn roll_ms(&self) -> i64 {
        match self.cleanup_compact {
            true => self.segment_ms.min(self.max_compaction_lag_ms),
            false => self.segment_ms,
        }
    }
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 604_800_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 604_800_000,
            retention_bytes: -1,
            file_delete_delay_ms: 60_000,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            preallocate: false,
            message_bytes_max: 1_048_588,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 3_600_000,
            min_insync_replicas: 1,
            cleanup_delete: true,
            cleanup_compact: false,
            delete_retention_ms: 86_400_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            min_cleanable_dirty_ratio: 0.5,
        }
    }
}
