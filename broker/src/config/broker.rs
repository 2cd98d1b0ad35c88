//! The broker's configuration in force: an immutable value that every shard shares.
//!
//! What the data path and the handlers read is a plain field, computed once. Everything else is reached by its key through `settings`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use net::connections::Rules;
use storage::{CleanerOptions, Durability, ScrubOptions};

use super::groups::Groups;
use super::listeners::{Advertised, Listener};
use super::memory::{Memory, ShardMemory};
use super::settings::Settings;
use super::share::ShareState;
use super::topic::TopicConfig;

/// Everything that was configured. Made by `load`, shared as `Arc<Config>`.
#[derive(Clone, Debug)]
pub struct Config {
    pub(super) node_id: i32,
    pub rack: Option<String>,
    /// What the data directory's cluster must be; `None` takes whatever it is.
    pub cluster_id: Option<String>,

    pub(super) listeners: Vec<Listener>,
    /// The listeners of the controller. No controller of another process can be served yet, so their ports stay closed.
    pub controller_listeners: Vec<Listener>,
    pub(super) advertised: Vec<Advertised>,
    pub inter_broker_listener: String,
    /// Where /health and /metrics are served.
    pub admin: Option<SocketAddr>,

    pub(super) log_dirs: Vec<PathBuf>,
    pub(super) metadata_directory: PathBuf,
    pub(super) commit_log_dir: Option<PathBuf>,
    pub durability: Durability,
    /// Whether clients are asked for their metrics.
    pub client_telemetry: bool,
    /// The longest push of such metrics.
    pub telemetry_bytes_max: i32,
    /// The size of one file of the commit log.
    pub commit_log_bytes: u64,
    /// From this size on a batch is written straight into its segment.
    pub extent_bytes: usize,
    pub(super) shards: u16,
    pub(super) memory: Memory,

    pub(super) request_bytes_max: usize,
    /// `None` leaves the buffer to the system.
    pub socket_send_buffer_bytes: Option<usize>,
    pub socket_receive_buffer_bytes: Option<usize>,
    /// Which connections the node takes, over all its listeners.
    pub connections: Rules,
    /// `None` never closes an idle connection.
    pub connections_max_idle_ms: Option<u64>,
    pub(super) fetch_bytes_max: usize,
    pub(super) fetch_session_slots: usize,

    /// Of partitions that DescribeTopicPartitions tells at once.
    pub partitions_per_answer_max: i32,
    pub num_partitions: i32,
    pub default_replication_factor: i32,
    pub auto_create_topics: bool,
    pub delete_topic_enable: bool,
    pub producer_id_expiration_ms: i64,
    pub retention_check_ms: u64,
    /// `log.cleaner.*`, for all shards together.
    pub(super) cleaner: CleanerOptions,
    /// `odradek.scrub.*`, for all shards together.
    pub(super) scrub: ScrubOptions,

    pub groups: Groups,
    pub share_state: ShareState,
    pub metadata: MetadataLog,

    /// What a topic without overrides gets.
    pub topic_defaults: Arc<TopicConfig>,
    pub settings: Settings,
}

/// The metadata log's own limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataLog {
    pub segment_bytes: i32,
    pub segment_ms: i64,
    pub retention_bytes: i64,
    pub retention_ms: i64,
    pub file_delete_delay_ms: i64,
    /// Bytes of records after which a snapshot is written.
    pub snapshot_bytes: i64,
    /// Time after which a snapshot is written; `None` is never.
    pub snapshot_ms: Option<u64>,
}

impl Config {
    pub fn node_id(&self) -> i32 {
        self.node_id
    }

    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// Where the commit logs of all log directories are, if not in them.
    pub fn commit_log_dir(&self) -> Option<&Path> {
        self.commit_log_dir.as_deref()
    }

    /// Where the metadata log is: one of `log_dirs`, or one of its own.
    pub fn metadata_directory(&self) -> &Path {
        &self.metadata_directory
    }

    /// Where the data is, at least one.
    pub fn log_dirs(&self) -> &[PathBuf] {
        &self.log_dirs
    }

    /// The listeners for clients and brokers, in the order given; the controller's are not among them.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The longest request that is read.
    pub fn request_bytes_max(&self) -> usize {
        self.request_bytes_max
    }

    /// The most bytes that a Fetch request is answered with, whatever it asks for.
    pub fn fetch_bytes_max(&self) -> usize {
        self.fetch_bytes_max
    }

    /// The most fetch sessions of the broker, over all shards.
    pub fn fetch_session_slots(&self) -> usize {
        self.fetch_session_slots
    }

    pub fn memory(&self) -> Memory {
        self.memory
    }

    /// The memory of one shard.
    pub fn shard_memory(&self) -> ShardMemory {
        self.memory.shard(usize::from(self.shards), self.request_bytes_max)
    }

    /// What clients that came in by `listener` are told: host and port. `bound` is the port that the listener has, for where 0 was asked.
    pub fn advertised(&self, listener: &str, bound: u16) -> Option<(&str, u16)> {
        let advertised = self.advertised.iter().find(|advertised| advertised.name == listener)?;
        Some((&advertised.host, if advertised.port == 0 { bound } else { advertised.port }))
    }
}
