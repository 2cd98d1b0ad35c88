//! Keys of the data: directories, segments, retention, limits of batches.

use super::*;

keys! { pub(crate) LOG:
    "alter.config.policy.class.name", Class = null, Any, Low, ReadOnly, Public, NotBuilt;
        "The class that may veto a change of configuration."
    "auto.create.topics.enable", Boolean = "true", Any, High, ReadOnly, Public, Used;
        "Whether asking for an unknown topic's metadata may create it."
    "compression.gzip.level", Int = "-1", GzipLevel, Medium, ClusterWide, Public, Used;
        "The gzip level when the broker compresses."
    "compression.lz4.level", Int = "9", Between(1, 17), Medium, ClusterWide, Public, Used;
        "The lz4 level when the broker compresses."
    "compression.type", String = "producer", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), High, ClusterWide, Public, Used;
        "How batches are stored: as the producer sent them, or recompressed with this codec."
    "compression.zstd.level", Int = "3", Between(-131_072, 22), Medium, ClusterWide, Public, Used;
        "The zstd level when the broker compresses."
    "cordoned.log.dirs", List = "", ENTRIES, Medium, PerBroker, Public, NotBuilt;
        "Log directories that get no new partitions."
    "create.topic.policy.class.name", Class = null, Any, Low, ReadOnly, Public, NotBuilt;
        "The class that may veto a new topic."
    "log.cleaner.backoff.ms", Long = "15000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How long the cleaner sleeps when nothing is to clean."
    "log.cleaner.dedupe.buffer.size", Long = "134217728", Any, Medium, ClusterWide, Public, Used;
        "Memory for the cleaners' offset maps, all shards together; a shard takes a sixteenth of its memory at most."
    "log.cleaner.delete.retention.ms", Long = "86400000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How long tombstones stay in compacted topics."
    "log.cleaner.enable", Boolean = "true", Any, Medium, ReadOnly, Public, Used;
        "Whether compacted topics are compacted; without it they only grow."
    "log.cleaner.io.buffer.load.factor", Double = "0.9", Any, Medium, ClusterWide, Public, Used;
        "How full the cleaner's offset map may become."
    "log.cleaner.io.buffer.size", Int = "524288", AtLeast(0), Medium, ClusterWide, Public, Used;
        "Memory for the cleaners' reads and writes, all shards together."
    "log.cleaner.io.max.bytes.per.second", Double = "1.7976931348623157E308", Any, Medium, ClusterWide, Public, Used;
        "The most bytes per second that the cleaners of all shards read and write."
    "log.cleaner.max.compaction.lag.ms", Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How long a record may stay uncompacted."
    "log.cleaner.min.cleanable.ratio", Double = "0.5", Fraction(0.0, 1.0), Medium, ClusterWide, Public, Used;
        "The share of a log that must be dirty before it is cleaned."
    "log.cleaner.min.compaction.lag.ms", Long = "0", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How long a record stays uncompacted at least."
    "log.cleaner.threads", Int = "1", AtLeast(0), Medium, ClusterWide, Public, Unneeded;
        "Threads that clean in Kafka; here each shard cleans its own logs."
    "log.cleanup.policy", List = "delete", EntriesOf(&["compact", "delete"]), Medium, ClusterWide, Public, Used;
        "What becomes of old records: delete goes by age and size, compact keeps the latest of each key; or both."
    "log.dir.failure.timeout.ms", Long = "30000", AtLeast(1), Low, ReadOnly, Public, Later;
        "How long a broker goes on when it cannot tell the controller of a failed directory."
    "log.dirs", List = null, SOME_ENTRIES, High, ReadOnly, Public, Used;
        "The directories of the data, comma separated."
    "log.dir", List = "/tmp/kafka-logs", SOME_ENTRIES, High, ReadOnly, Public, Used;
        "The directory of the data, if log.dirs is not set."
    "log.flush.interval.messages", Long = "9223372036854775807", AtLeast(1), High, ClusterWide, Public, Used;
        "Records after which a partition is synced."
    "log.flush.interval.ms", Long = null, Any, High, ClusterWide, Public, Used;
        "Time after which a partition is synced."
    "log.flush.offset.checkpoint.interval.ms", Int = "60000", AtLeast(0), High, ReadOnly, Public, Unneeded;
        "How often Kafka writes its recovery point; here the commit log's manifest takes its place."
    "log.flush.scheduler.interval.ms", Long = "9223372036854775807", Any, High, ReadOnly, Public, Used;
        "How often it is looked at whether a partition must be synced."
    "log.flush.start.offset.checkpoint.interval.ms", Int = "60000", AtLeast(0), High, ReadOnly, Public, Unneeded;
        "How often Kafka writes its log start offsets; here the commit log's manifest takes its place."
    "log.index.interval.bytes", Int = "4096", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How many bytes of a log lie between two entries of its index."
    "log.index.size.max.bytes", Int = "10485760", AtLeast(4), Medium, ClusterWide, Public, Used;
        "The largest index of a segment."
    "log.initial.task.delay.ms", Long = "30000", AtLeast(0), Low, ReadOnly, Internal, Unneeded;
        "How long Kafka's log tasks wait after the start."
    "log.local.retention.bytes", Long = "-2", AtLeast(-2), Medium, ClusterWide, Public, Later;
        "Bytes kept locally when a topic is tiered; -2 means as log.retention.bytes."
    "log.local.retention.ms", Long = "-2", AtLeast(-2), Medium, ClusterWide, Public, Later;
        "Time kept locally when a topic is tiered; -2 means as log.retention.ms."
    "log.message.timestamp.after.max.ms", Long = "3600000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How far in the future a record's timestamp may lie."
    "log.message.timestamp.before.max.ms", Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How far in the past a record's timestamp may lie."
    "log.message.timestamp.type", String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, Public, Used;
        "Whose clock stamps a record: the producer's (CreateTime) or the broker's (LogAppendTime)."
    "log.preallocate", Boolean = "false", Any, Medium, ClusterWide, Public, Used;
        "Whether a new segment's space is reserved at once."
    "log.retention.bytes", Long = "-1", Any, High, ClusterWide, Public, Used;
        "Bytes that a partition may hold before its oldest segments go; -1 is no limit."
    "log.retention.check.interval.ms", Long = "300000", AtLeast(1), Medium, ReadOnly, Public, Used;
        "How often old segments are looked for."
    "log.retention.hours", Int = "168", Any, High, ReadOnly, Public, Used;
        "Hours that a segment is kept; used if neither minutes nor ms are set."
    "log.retention.minutes", Int = null, Any, High, ReadOnly, Public, Used;
        "Minutes that a segment is kept; used if ms is not set."
    "log.retention.ms", Long = null, Any, High, ClusterWide, Public, Used;
        "Milliseconds that a segment is kept; -1 is no limit."
    "log.roll.hours", Int = "168", AtLeast(1), High, ReadOnly, Public, Used;
        "Hours after which a new segment begins; used if log.roll.ms is not set."
    "log.roll.jitter.hours", Int = "0", AtLeast(0), High, ReadOnly, Public, Used;
        "The most hours by which a roll is brought forward at random; used if log.roll.jitter.ms is not set."
    "log.roll.jitter.ms", Long = null, Any, High, ClusterWide, Public, Used;
        "The most milliseconds by which a roll is brought forward at random."
    "log.roll.ms", Long = null, Any, High, ClusterWide, Public, Used;
        "Milliseconds after which a new segment begins."
    "log.segment.bytes", Int = "1073741824", AtLeast(1_048_576), High, ClusterWide, Public, Used;
        "The largest segment of a log."
    "log.segment.delete.delay.ms", Long = "60000", AtLeast(0), High, ClusterWide, Public, Used;
        "How long a deleted segment's file stays on disk."
    "message.max.bytes", Int = "1048588", AtLeast(0), High, ClusterWide, Public, Used;
        "The largest batch of records that is taken, compressed if it comes compressed."
    "min.insync.replicas", Int = "1", AtLeast(1), High, ClusterWide, Public, Used;
        "How many replicas must be in sync for a produce with acks=all to be taken."
    "num.partitions", Int = "1", AtLeast(1), Medium, ReadOnly, Public, Used;
        "How many partitions a topic gets when none are asked for."
    "num.recovery.threads.per.data.dir", Int = "2", AtLeast(1), High, ClusterWide, Public, Unneeded;
        "Threads that recover logs in Kafka; here each shard recovers its own."
    "producer.id.expiration.check.interval.ms", Int = "600000", AtLeast(1), Low, ReadOnly, Internal, Unneeded;
        "How often expired producer ids are looked for."
    "producer.id.expiration.ms", Int = "86400000", AtLeast(1), Low, ClusterWide, Public, Used;
        "How long a producer's sequence numbers are remembered after its last write."
}
