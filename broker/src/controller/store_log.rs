//! The metadata log in a store of its own: partition 0 of `__cluster_metadata`, in Kafka's segments like any other.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use storage::batch::{Batch, Checked};
use storage::runtime::Runtime;
use storage::units::{Epoch, Offset, PartitionId, TopicId};
use storage::{
    AppendError, CleanerOptions, Durability, Log, LogConfig, LogDir, Slice, Stamp, StoreName,
    StoreOptions,
};

use super::refusal::Unwritten;
use crate::config::Config;
use crate::metadata::log::MetadataLog;

/// The metadata log's topic has the same id everywhere.
pub const ID: PartitionId = PartitionId { topic: TopicId::METADATA, partition: 0 };

/// A commit log for metadata is small: some batches of ten thousand records each fit.
const LOG_FILE_BYTES: u64 = 8 << 20;
const LOG_FILES: usize = 2;
/// Bytes of metadata kept in memory; the image has what is asked for.
const DIRTY_BYTES_MAX: usize = 8 << 20;
const CLEAN_BYTES_MAX: usize = 1 << 20;
const FILES_MAX: usize = 16;
/// The metadata log is one, however many shards the data has.
const SHARDS: u16 = 1;
/// How often an append without room is tried again, and after what pause: recycling makes room meanwhile.
const ATTEMPTS: usize = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// How the controller's store is run: durable, whatever the data is.
pub fn options(config: &Config, directory: LogDir<'_>) -> StoreOptions {
    let of_shards = config.store(StoreName::Controller, directory);
    let directory = directory.path.to_owned();
    let memory = DIRTY_BYTES_MAX + CLEAN_BYTES_MAX;
    StoreOptions {
        dirty_bytes_max: DIRTY_BYTES_MAX,
        clean_bytes_max: CLEAN_BYTES_MAX,
        log_file_bytes: LOG_FILE_BYTES,
        log_files: LOG_FILES,
        extent_bytes_min: usize::MAX,
        files_max: FILES_MAX,
        cleaner: CleanerOptions { enabled: false, ..CleanerOptions::default() },
        commit_apart: of_shards.commit_apart,
        scrub: of_shards.scrub,
        ..StoreOptions::new(directory, StoreName::Controller, SHARDS, Durability::Sync, memory)
    }
}

/// What the log itself obeys. Snapshots trim it, neither age nor size do.
pub fn log_config(config: &Config) -> Arc<LogConfig> {
    Arc::new(LogConfig {
        segment_bytes: config.metadata.segment_bytes,
        segment_ms: config.metadata.segment_ms,
        retention_ms: -1,
        retention_bytes: -1,
        file_delete_delay_ms: config.metadata.file_delete_delay_ms,
        message_bytes_max: i32::MAX,
        cleanup_delete: false,
        ..LogConfig::default()
    })
}

/// See the module.
pub struct StoreLog<R: Runtime> {
    runtime: R,
    log: Log<R>,
}

impl<R: Runtime> StoreLog<R> {
    pub fn new(runtime: R, log: Log<R>) -> StoreLog<R> {
        StoreLog { runtime, log }
    }
}

impl<R: Runtime> MetadataLog for StoreLog<R> {
    fn start(&self) -> Offset {
        self.log.log_start()
    }

    fn end(&self) -> Offset {
        self.log.end()
    }

    async fn append(&self, batch: &Batch, epoch: Epoch) -> Result<(), Unwritten> {
        let checked = Checked::own(batch).map_err(|error| Unwritten::Fault(error.to_string()))?;
        let stamp = Stamp { leader_epoch: epoch, append_time: None };
        let mut attempt = 1;
        loop {
            match self.log.append(batch, &checked, stamp) {
                Ok(appended) => {
                    return appended
                        .ticket
                        .await
                        .map_err(|error| Unwritten::Offline(error.to_string()));
                }
                Err(AppendError::NoRoom(why)) if attempt == ATTEMPTS => {
                    return Err(Unwritten::NoRoom(why.to_string()));
                }
                Err(AppendError::NoRoom(_)) => self.runtime.sleep(PAUSE).await,
                Err(AppendError::TooLarge(bytes)) => {
                    return Err(Unwritten::Fault(format!(
                        "a batch of {bytes} bytes is too large for the metadata log"
                    )));
                }
                Err(error @ (AppendError::Offline(_) | AppendError::Deleted)) => {
                    return Err(Unwritten::Offline(error.to_string()));
                }
            }
            attempt += 1;
        }
    }

    async fn read(&self, from: Offset, bytes_max: usize) -> Result<Bytes, String> {
        let plan = self.log.read(from, self.log.end(), bytes_max, true).await;
        let plan = plan.map_err(|error| error.to_string())?;
        let mut bytes = BytesMut::with_capacity(plan.bytes);
        for slice in plan.slices {
            match slice {
                Slice::Memory(piece) => bytes.extend_from_slice(&piece),
                Slice::File { file, position, length } => {
                    let length = usize::try_from(length).map_err(|error| error.to_string())?;
                    let read = self.runtime.read_at(&file, position, length).await;
                    bytes.extend_from_slice(&read.map_err(|error| error.to_string())?);
                }
            }
        }
        Ok(bytes.freeze())
    }

    async fn trim(&self, start: Offset) -> Result<(), Unwritten> {
        self.log.advance_log_start(start).map_err(|error| Unwritten::NoRoom(error.to_string()))
    }
}
