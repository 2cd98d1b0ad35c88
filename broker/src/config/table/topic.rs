//! Keys of a topic.

use super::*;

keys! { pub(crate) TOPIC:
    "cleanup.policy", List = "delete", EntriesOf(&["compact", "delete"]), Medium, ClusterWide, Public, Used;
        "What becomes of old records: delete goes by age and size, compact keeps the latest of each key; or both."
    "compression.gzip.level", Int = "-1", GzipLevel, Medium, ClusterWide, Public, Used;
        "The gzip level when the broker compresses."
    "compression.lz4.level", Int = "9", Between(1, 17), Medium, ClusterWide, Public, Used;
        "The lz4 level when the broker compresses."
    "compression.type", String = "producer", OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]), Medium, ClusterWide, Public, Used;
        "How batches are stored: as the producer sent them, or recompressed with this codec."
    "compression.zstd.level", Int = "3", Between(-131_072, 22), Medium, ClusterWide, Public, Used;
        "The zstd level when the broker compresses."
    "delete.retention.ms", Long = "86400000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How long tombstones stay in a compacted topic."
    "file.delete.delay.ms", Long = "60000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How long a deleted segment's file stays on disk."
    "flush.messages", Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Public, Used;
        "Records after which a partition is synced."
    "flush.ms", Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Public, Used;
        "Time after which a partition is synced."
    "follower.replication.throttled.replicas", List = "", ThrottledReplicas, Medium, ClusterWide, Public, Later;
        "The replicas whose replication is throttled where they follow."
    "index.interval.bytes", Int = "4096", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How many bytes of a log lie between two entries of its index."
    "internal.segment.bytes", Int = null, Any, Medium, ClusterWide, Internal, Used;
        "The largest segment, without a lower limit; for tests."
    "leader.replication.throttled.replicas", List = "", ThrottledReplicas, Medium, ClusterWide, Public, Later;
        "The replicas whose replication is throttled where they lead."
    "local.retention.bytes", Long = "-2", AtLeast(-2), Medium, ClusterWide, Public, NotBuilt;
        "Bytes kept locally when the topic is tiered; -2 means as retention.bytes."
    "local.retention.ms", Long = "-2", AtLeast(-2), Medium, ClusterWide, Public, NotBuilt;
        "Time kept locally when the topic is tiered; -2 means as retention.ms."
    "max.compaction.lag.ms", Long = "9223372036854775807", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How long a record may stay uncompacted."
    "max.message.bytes", Int = "1048588", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The largest batch of records that is taken, compressed if it comes compressed."
    "message.timestamp.after.max.ms", Long = "3600000", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How far in the future a record's timestamp may lie."
    "message.timestamp.before.max.ms", Long = "9223372036854775807", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How far in the past a record's timestamp may lie."
    "message.timestamp.type", String = "CreateTime", OneOf(&["CreateTime", "LogAppendTime"]), Medium, ClusterWide, Public, Used;
        "Whose clock stamps a record: the producer's (CreateTime) or the broker's (LogAppendTime)."
    "min.cleanable.dirty.ratio", Double = "0.5", Fraction(0.0, 1.0), Medium, ClusterWide, Public, Used;
        "The share of a log that must be dirty before it is cleaned."
    "min.compaction.lag.ms", Long = "0", AtLeast(0), Medium, ClusterWide, Public, Used;
        "How long a record stays uncompacted at least."
    "min.insync.replicas", Int = "1", AtLeast(1), Medium, ClusterWide, Public, Used;
        "How many replicas must be in sync for a produce with acks=all to be taken."
    "preallocate", Boolean = "false", Any, Medium, ClusterWide, Public, Used;
        "Whether a new segment's space is reserved at once."
    "remote.log.copy.disable", Boolean = "false", Any, Medium, ClusterWide, Public, NotBuilt;
        "Whether nothing more is copied to the tier."
    "remote.log.delete.on.disable", Boolean = "false", Any, Medium, ClusterWide, Public, NotBuilt;
        "Whether tiered data goes when tiering is turned off."
    "remote.storage.enable", Boolean = "false", Any, Medium, ClusterWide, Public, NotBuilt;
        "Whether the topic is tiered."
    "retention.bytes", Long = "-1", Any, Medium, ClusterWide, Public, Used;
        "Bytes that a partition may hold before its oldest segments go; -1 is no limit."
    "retention.ms", Long = "604800000", AtLeast(-1), Medium, ClusterWide, Public, Used;
        "Milliseconds that a segment is kept; -1 is no limit."
    "segment.bytes", Int = "1073741824", AtLeast(1_048_576), Medium, ClusterWide, Public, Used;
        "The largest segment."
    "segment.index.bytes", Int = "10485760", AtLeast(4), Medium, ClusterWide, Public, Used;
        "The largest index of a segment."
    "segment.jitter.ms", Long = "0", AtLeast(0), Medium, ClusterWide, Public, Used;
        "The most milliseconds by which a roll is brought forward at random."
    "segment.ms", Long = "604800000", AtLeast(1), Medium, ClusterWide, Public, Used;
        "Milliseconds after which a new segment begins."
    "unclean.leader.election.enable", Boolean = "false", Any, Medium, ClusterWide, Public, Later;
        "Whether a replica that is not in sync may lead when no other can, at the price of lost records."
}
