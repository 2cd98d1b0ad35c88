//! The configuration together with the metadata image: what is in force for a topic, in the terms of those who obey it.

use std::sync::Arc;
use std::time::Duration;

use storage::batch::{Rules, TimestampType};
use storage::units::Timestamp;
use storage::{CleanerOptions, LogConfig, LogDir, ScrubOptions, StoreName, StoreOptions};

use super::broker::Config;
use super::topic::TopicConfig;
use super::{build, dynamic};
use crate::metadata::Image;
use crate::metadata::image::{ConfigResource, Topic};

impl Config {
    /// A topic's configuration: its overrides over this configuration, which is to be the one in force (`under`).
    pub fn topic_config(&self, image: &Image, topic: &Topic) -> Arc<TopicConfig> {
        match image.topic_overrides(&topic.name) {
            None => Arc::clone(&self.topic_defaults),
            Some(own) => Arc::new(TopicConfig::resolve(&self.settings, own)),
        }
    }

    /// This configuration, as read at the start, under what the metadata log sets for this broker and for all.
    pub fn under(self: &Arc<Config>, image: &Image) -> Arc<Config> {
        let layer = |name: &str, for_one: bool| {
            let overrides = image.overrides(&ConfigResource::broker(name));
            overrides.map(|set| dynamic::legal(set, for_one)).unwrap_or_default()
        };
        let (own, all) = (layer(&self.node_id.to_string(), true), layer("", false));
        if own.is_empty() && all.is_empty() {
            return Arc::clone(self);
        }
        Arc::new(build::changed(self, self.settings.with_dynamic(own, all)))
    }

    /// Whether what is set for this resource changes this broker's configuration.
    pub fn obeys(&self, resource: &ConfigResource) -> bool {
        resource.kind == ConfigResource::BROKER
            && (resource.name.is_empty() || *resource.name == *self.node_id.to_string())
    }
}

impl Config {
    /// How a shard's store is run. The controller's differs, and says so where it is opened.
    ///
    /// A shard has one for each of `log.dirs`; they share its memory, and what the cleaner may use, in equal parts.
    pub fn store(&self, name: StoreName, directory: LogDir<'_>) -> StoreOptions {
        let memory = self.shard_memory();
        let share = self.log_dirs().len().max(1);
        StoreOptions {
            dirty_bytes_max: memory.dirty_bytes / share,
            clean_bytes_max: memory.clean_bytes / share,
            log_file_bytes: self.commit_log_bytes,
            extent_bytes_min: self.extent_bytes,
            retention_every: Duration::from_millis(self.retention_check_ms),
            producer_expiration_ms: self.producer_id_expiration_ms,
            cleaner: self.store_cleaner(),
            scrub: ScrubOptions {
                bytes_per_second: self.scrub.bytes_per_second / f64::from(self.shards),
                ..self.scrub.clone()
            },
            commit_apart: (directory.commit != directory.path).then(|| directory.commit.to_owned()),
            ..StoreOptions::new(directory.path.to_owned(), name, self.shards, self.durability, 0)
        }
    }

    /// One store's share of `log.cleaner.*`.
    pub fn store_cleaner(&self) -> CleanerOptions {
        let share = self.log_dirs().len().max(1);
        #[expect(clippy::cast_precision_loss, reason = "a few")]
        let cleaners = f64::from(self.shards) * share as f64;
        CleanerOptions {
            map_bytes: self.cleaner_map_bytes().min(self.shard_memory().cleaner_bytes) / share,
            bytes_per_second: self.cleaner.bytes_per_second / cleaners,
            io_bytes: self.cleaner.io_bytes / usize::from(self.shards) / share,
            ..self.cleaner.clone()
        }
    }

    /// One shard's share of `log.cleaner.dedupe.buffer.size`.
    fn cleaner_map_bytes(&self) -> usize {
        self.cleaner.map_bytes / usize::from(self.shards)
    }
}

impl TopicConfig {
    /// What a produced batch is checked against.
    pub fn rules(&self, now: Timestamp) -> Rules {
        Rules {
            timestamp_type: self.timestamp_type(),
            before_max_ms: self.message_timestamp_before_max_ms,
            after_max_ms: self.message_timestamp_after_max_ms,
            message_bytes_max: self.message_bytes_max,
            compacted: self.cleanup_compact,
            now,
        }
    }

    /// What the partition's log obeys.
    pub fn log(&self) -> Arc<LogConfig> {
        Arc::new(LogConfig {
            segment_bytes: self.segment_bytes,
            segment_ms: self.segment_ms,
            segment_jitter_ms: self.segment_jitter_ms,
            segment_index_bytes: self.segment_index_bytes,
            index_interval_bytes: self.index_interval_bytes,
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
            file_delete_delay_ms: self.file_delete_delay_ms,
            flush_messages: self.flush_messages,
            flush_ms: self.flush_ms,
            preallocate: self.preallocate,
            message_bytes_max: self.message_bytes_max,
            message_timestamp_type: self.timestamp_type(),
            message_timestamp_before_max_ms: self.message_timestamp_before_max_ms,
            message_timestamp_after_max_ms: self.message_timestamp_after_max_ms,
            min_insync_replicas: self.min_insync_replicas,
            cleanup_delete: self.cleanup_delete,
            cleanup_compact: self.cleanup_compact,
            delete_retention_ms: self.delete_retention_ms,
            min_compaction_lag_ms: self.min_compaction_lag_ms,
            max_compaction_lag_ms: self.max_compaction_lag_ms,
            min_cleanable_dirty_ratio: self.min_cleanable_dirty_ratio,
        })
    }

    fn timestamp_type(&self) -> TimestampType {
        match self.log_append_time {
            true => TimestampType::LogAppendTime,
            false => TimestampType::CreateTime,
        }
    }
}
